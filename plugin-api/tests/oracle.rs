//! The reader and the writers of OTLP against the official messages.
//!
//! prost and `opentelemetry-proto` are the oracle: what they encode the reader
//! must read, what is written here they must decode.

#[path = "oracle/bytes.rs"]
mod bytes;
#[path = "oracle/messages.rs"]
mod messages;
#[path = "oracle/model.rs"]
mod model;

use bytes::{Message as Kind, Random, cut, known_difference, legal_cuts, reencode};
use model::{Span, expected, from_json, from_pairs, seen, with_one_nan, written};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use spandrel_plugin_api::wire::{self, field};
use spandrel_plugin_api::{Attribute, Error, ErrorKind, SpanBatch, SpanData, SpanKind, SpanReader, StatusData, json};

fn read(parts: &[&[u8]]) -> Result<Vec<Span>, Error> {
    SpanReader::new(parts).map(|span| span.map(|span| seen(&span))).collect()
}

/// Reads all that can be read, in every form there is, for the sake of panics.
fn exercise(parts: &[&[u8]]) {
    let batch = SpanBatch::new(parts, 0);
    let mut reader = batch.spans();
    for span in reader.by_ref().flatten() {
        let _ = (seen(&span), SpanData::from(&span), span.duration_nanos(), span.has_remote_parent());
        let _ = format!("{span:?}");
        for (key, value) in span.attributes() {
            assert!(span.attribute(key).is_some());
            let _ = value.to_string();
        }
    }
    assert!(reader.next().is_none(), "a reader that has ended stays there");

    let mut out = b"before".to_vec();
    match json::write_batch(&mut out, &batch) {
        Ok(()) => {
            if let Err(error) = serde_json::from_slice::<serde_json::Value>(&out["before".len()..]) {
                assert!(error.to_string().contains("recursion limit"), "{error}");
            }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert_eq!(out, b"before");
        }
    }
}

/// Checks the reader against prost if both can be expected to agree.
fn agrees(message: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(decoded) = Request::decode(message)
        && known_difference(Kind::Request, message).is_none()
    {
        prop_assert_eq!(read(&[message]).map_err(|e| e.to_string()), Ok(expected(&decoded)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_prost_writes(request in messages::request()) {
        let message = request.encode_to_vec();
        let expected = expected(&request);
        prop_assert_eq!(read(&[&message]).unwrap(), expected.clone());
        prop_assert_eq!(known_difference(Kind::Request, &message), None);

        // The same spans as owned data.
        for (span, expected) in SpanReader::new(&[&message]).zip(&expected) {
            let span = SpanData::from(&span.unwrap());
            prop_assert_eq!(&span.name, &expected.name);
            prop_assert_eq!(span.parent_span_id.map(|id| id.to_bytes().to_vec()), expected.parent.clone());
            prop_assert_eq!(span.has_remote_parent, expected.flags & 0x300 == 0x300);
            prop_assert_eq!(&span.status, &expected.status);
            prop_assert_eq!((span.events.len(), span.links.len()), (expected.events.len(), expected.links.len()));
            prop_assert_eq!(span.attributes.len(), expected.attributes.len());
        }
    }

    #[test]
    fn reads_a_message_in_parts(
        request in messages::request(),
        chosen in vec(any::<Index>(), 0..12),
        seed in any::<Option<u64>>(),
    ) {
        let mut message = request.encode_to_vec();
        if let Some(seed) = seed {
            message = reencode(Kind::Request, &message, &mut Random(seed), false);
        }
        let legal = legal_cuts(&message);
        for cuts in [chosen.iter().map(|index| *index.get(&legal)).collect(), legal.clone()] {
            let parts = cut(&message, cuts);
            prop_assert_eq!(read(&parts).unwrap(), expected(&request));

            let batch = SpanBatch::new(&parts, 7);
            prop_assert_eq!(&*batch.to_bytes(), &*message);
            prop_assert_eq!((batch.byte_count(), batch.span_count()), (message.len(), 7));
            prop_assert_eq!(batch.spans().count(), expected(&request).len());
        }
    }

    #[test]
    fn a_cut_anywhere_never_makes_another_span(request in messages::request(), chosen in vec(any::<Index>(), 1..4)) {
        let message = request.encode_to_vec();
        let parts = cut(&message, chosen.iter().map(|index| index.index(message.len() + 1)).collect());
        let expected = expected(&request);
        let mut spans = 0;
        for (span, expected) in SpanReader::new(&parts).map_while(Result::ok).zip(&expected) {
            prop_assert_eq!(&seen(&span), expected);
            spans += 1;
        }
        if let Ok(all) = read(&parts) {
            prop_assert_eq!(all.len(), expected.len());
        }
        prop_assert!(spans <= expected.len());
        exercise(&parts);
    }

    #[test]
    fn the_order_of_fields_and_unknown_fields_do_not_matter(request in messages::request(), seed in any::<u64>()) {
        let message = reencode(Kind::Request, &request.encode_to_vec(), &mut Random(seed), false);
        let decoded = Request::decode(&*message).unwrap();
        prop_assert_eq!(expected(&decoded), expected(&request));
        prop_assert_eq!(read(&[&message]).unwrap(), expected(&request));
        agrees(&message)?;
    }

    #[test]
    fn two_messages_in_a_row_are_one(first in messages::request(), second in messages::request()) {
        let (a, b) = (first.encode_to_vec(), second.encode_to_vec());
        let spans = [expected(&first), expected(&second)].concat();
        prop_assert_eq!(read(&[&a, &b]).unwrap(), spans.clone());
        prop_assert_eq!(read(&[&[a, b].concat()]).unwrap(), spans);
    }

    #[test]
    fn arbitrary_bytes_never_panic(parts in vec(vec(any::<u8>(), 0..64), 0..4)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        exercise(&parts);
        agrees(&parts.concat())?;
    }

    #[test]
    fn fields_out_of_place_are_read_as_prost_does(request in messages::request(), seed in any::<u64>()) {
        let message = reencode(Kind::Request, &request.encode_to_vec(), &mut Random(seed), true);
        exercise(&[&message]);
        agrees(&message)?;
    }

    #[test]
    fn damaged_messages_never_panic_and_never_read_otherwise_than_prost(
        request in messages::request(),
        flips in vec((any::<Index>(), 0..8_u32), 0..4),
        end in any::<Option<Index>>(),
    ) {
        let mut message = request.encode_to_vec();
        if !message.is_empty() {
            for (index, bit) in flips {
                *index.get_mut(&mut message) ^= 1 << bit;
            }
        }
        message.truncate(end.map_or(message.len(), |end| end.index(message.len() + 1)));
        exercise(&[&message]);
        agrees(&message)?;
    }

    #[test]
    fn attributes_are_written_as_prost_reads_them(
        key in messages::text(),
        value in messages::owned_value(),
        max_chars in prop_oneof![0..12_usize, 120..310_usize, Just(usize::MAX)],
    ) {
        let mut out = Vec::new();
        wire::put_attribute(&mut out, field::SPAN_ATTRIBUTES, &Attribute::new(&key, &value), max_chars);
        wire::put_uint(&mut out, field::SPAN_DROPPED_ATTRIBUTES, 300);
        let span = ProtoSpan::decode(&*out).unwrap();
        let attributes = vec![(key.clone(), written(&Attribute::new(&key, &value).value, max_chars))];
        prop_assert_eq!(from_pairs(&span.attributes), attributes);
        prop_assert_eq!(span.dropped_attributes_count, 300);
    }

    #[test]
    fn json_says_the_same(request in messages::request()) {
        let message = request.encode_to_vec();
        let parts: &[&[u8]] = &[&message];
        let expected = expected(&request);
        let mut out = b"before".to_vec();
        json::write_batch(&mut out, &SpanBatch::new(parts, expected.len())).unwrap();
        let text = out.strip_prefix(b"before").expect("what was there stays");
        prop_assert!(!text.contains(&b'\n'), "one object is one line");
        let json: serde_json::Value = serde_json::from_slice(text).unwrap();
        prop_assert_eq!(from_json(&json), with_one_nan(expected));
        prop_assert!(json["resourceSpans"].as_array().is_some_and(|all| all.len() <= request.resource_spans.len()));
    }
}

/// The one span of a request whose span message has these bytes.
fn only_span(span: &[u8]) -> Result<Span, Error> {
    let message = wrapped(span, TO_REQUEST);
    read(&[&message]).map(|mut spans| spans.pop().expect("a span was put in"))
}

// A recorder that sets the status late may write a message for each of its
// fields; the decoders of every language merge them.
#[test]
fn a_repeated_status_merges() {
    let mut span = Vec::new();
    wire::put_bytes(&mut span, field::SPAN_STATUS, b"\x12\x03bad");
    wire::put_bytes(&mut span, field::SPAN_STATUS, b"\x18\x02");
    assert_eq!(only_span(&span).unwrap().status, StatusData::Error("bad".into()));
    assert_eq!(ProtoSpan::decode(&*span).unwrap().status.unwrap().message, "bad");
}

#[test]
fn of_a_repeated_scalar_the_last_counts() {
    let mut span = Vec::new();
    for (name, kind) in [("first", 2), ("second", 3)] {
        wire::put_bytes(&mut span, field::SPAN_NAME, name.as_bytes());
        wire::put_uint(&mut span, field::SPAN_KIND, kind);
    }
    let span = only_span(&span).unwrap();
    assert_eq!((span.name.as_str(), span.kind), ("second", SpanKind::Client));
}

#[test]
fn ids_of_the_wrong_length_are_refused() {
    for (number, lengths) in [
        (field::SPAN_TRACE_ID, &[0, 1, 8, 15, 17, 32][..]),
        (field::SPAN_SPAN_ID, &[1, 7, 9, 16]),
        (field::SPAN_PARENT_SPAN_ID, &[1, 7, 9, 16]),
    ] {
        for len in lengths {
            let mut span = Vec::new();
            wire::put_bytes(&mut span, number, &vec![1; *len]);
            assert_eq!(only_span(&span).unwrap_err().kind(), ErrorKind::Malformed, "field {number}, {len} bytes");
        }
    }
}

#[test]
fn what_is_malformed_inside_is_refused_before_a_view_shows_it() {
    let bad_text = wrapped(b"\xff", &[field::ANY_STRING]);
    let bad_pair = wrapped(&bad_text, &[field::KEY_VALUE_VALUE]);
    let in_span = [
        wrapped(b"\xff", &[field::SPAN_NAME]),
        wrapped(b"\xff", &[field::SPAN_TRACE_STATE]),
        wrapped(b"\xff", &[field::STATUS_MESSAGE, field::SPAN_STATUS]),
        wrapped(b"\xff", &[field::KEY_VALUE_KEY, field::SPAN_ATTRIBUTES]),
        wrapped(&bad_pair, &[field::SPAN_ATTRIBUTES]),
        wrapped(&wrap_in_list(&wrap_in_array(&bad_text)), &[field::KEY_VALUE_VALUE, field::SPAN_ATTRIBUTES]),
        wrapped(b"\xff", &[field::EVENT_NAME, field::SPAN_EVENTS]),
        wrapped(&bad_pair, &[field::EVENT_ATTRIBUTES, field::SPAN_EVENTS]),
        wrapped(b"short", &[field::LINK_TRACE_ID, field::SPAN_LINKS]),
        wrapped(&bad_pair, &[field::LINK_ATTRIBUTES, field::SPAN_LINKS]),
    ];
    let in_request = [
        wrapped(
            &bad_pair,
            &[field::RESOURCE_ATTRIBUTES, field::RESOURCE_SPANS_RESOURCE, field::REQUEST_RESOURCE_SPANS],
        ),
        wrapped(
            b"\xff",
            &[
                field::SCOPE_NAME,
                field::SCOPE_SPANS_SCOPE,
                field::RESOURCE_SPANS_SCOPE_SPANS,
                field::REQUEST_RESOURCE_SPANS,
            ],
        ),
        // Each of these says that it is longer than the message around it.
        b"\x0a\x03\x12\x02\x12".to_vec(),
        b"\x0a\x02\x12\x02\x12\x00".to_vec(),
        b"\x0a\x04\x12\x02\x12\x05\x0a\x03\x12\x01\x00".to_vec(),
        b"\x0a\x01\x08\x01".to_vec(),
        b"\x0a\x04\x09\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
    ];
    for message in in_span.iter().map(|span| wrapped(span, TO_REQUEST)).chain(in_request) {
        assert!(Request::decode(&*message).is_err() || known_difference(Kind::Request, &message).is_some());
        assert_eq!(read(&[&message]).unwrap_err().kind(), ErrorKind::Malformed, "{message:?}");
        exercise(&[&message]);
    }
}

// prost gives up at 100 messages in one another, which are 47 arrays or 31 lists.
#[test]
fn values_nest_as_deeply_as_prost_allows_and_no_deeper_than_the_stack() {
    for wrap in [wrap_in_array, wrap_in_list] {
        for depth in (0..150).chain([1_000, 10_000]) {
            let value = (0..depth).fold(b"\x0a\x01x".to_vec(), |value, _| wrap(&value));
            let span = wrapped(&value, &[field::KEY_VALUE_VALUE, field::SPAN_ATTRIBUTES]);
            let message = wrapped(&span, TO_REQUEST);
            exercise(&[&message]);
            let read = read(&[&message]);
            match Request::decode(&*message) {
                Ok(decoded) => assert_eq!(read.unwrap(), expected(&decoded), "depth {depth}"),
                Err(_) if depth >= 100 => assert_eq!(read.unwrap_err().kind(), ErrorKind::Malformed, "depth {depth}"),
                Err(_) => {}
            }
        }
    }
}

fn wrap_in_array(value: &[u8]) -> Vec<u8> {
    wrapped(value, &[field::LIST_VALUES, field::ANY_ARRAY])
}

fn wrap_in_list(value: &[u8]) -> Vec<u8> {
    wrapped(value, &[field::KEY_VALUE_VALUE, field::LIST_VALUES, field::ANY_KEY_VALUE_LIST])
}

/// The fields around a span.
const TO_REQUEST: &[u32] =
    &[field::SCOPE_SPANS_SPANS, field::RESOURCE_SPANS_SCOPE_SPANS, field::REQUEST_RESOURCE_SPANS];

/// A message as the only field of another one, and so on outwards.
fn wrapped(message: &[u8], numbers: &[u32]) -> Vec<u8> {
    numbers.iter().fold(message.to_vec(), |message, number| {
        let mut out = Vec::new();
        wire::put_bytes(&mut out, *number, &message);
        out
    })
}
