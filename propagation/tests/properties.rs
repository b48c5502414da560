//! What holds for every input, whoever sent it.

use proptest::collection::vec;
use proptest::prelude::*;
use spandrel_plugin_api::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use spandrel_propagation::{
    Baggage, BaggagePropagator, Extracted, NAMES, Outgoing, Propagator, TraceContextPropagator, by_name,
};

type Headers = Vec<(String, String)>;

fn extract(headers: &Headers) -> Extracted {
    let mut into = Extracted::default();
    for name in NAMES {
        by_name(name).expect("is in the list").extract(headers, &mut into);
    }
    into
}

fn inject(extracted: &Extracted) -> Headers {
    let mut carrier = Headers::new();
    for name in NAMES {
        let outgoing = Outgoing::new(extracted.span_context.as_ref(), &extracted.baggage);
        by_name(name).expect("is in the list").inject(&outgoing, &mut carrier);
    }
    carrier
}

/// Any text, most of it made of the pieces that headers are made of.
fn text() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "=", ",", ";", "-", "%", " ", "\t", "a", "b@c", "0", "key", "00", "ff", "cc-", "-01", "+1", "%0d%0a", "%ff",
            "%C3%A9", "%zz", "\r\n", "\0", "\u{7f}", "\u{85}", "é", "\"", "\\",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7", "00000000000000000000000000000000", "a=1;p=2;q", "rojo=00f067aa0ba902b7",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => vec(any::<u8>(), 0..60).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Headers> {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let value = prop_oneof![3 => text(), 1 => Just(parent.to_owned())];
    let name = prop::sample::select(vec!["traceparent", "tracestate", "baggage", "Baggage"]).prop_map(str::to_owned);
    vec((name, value), 0..6)
}

fn trace_state() -> impl Strategy<Value = TraceState> {
    let value = "[ -+\\--<>-~]{0,40}[!-+\\--<>-~]";
    prop::collection::btree_map("[a-z0-9][a-z0-9_*/@-]{0,20}", value, 0..=TraceState::MAX_MEMBERS).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        TraceState::parse(&members.join(",")).expect("is well-formed")
    })
}

fn span_context() -> impl Strategy<Value = SpanContext> {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), trace_state()).prop_filter_map(
        "ids are not all zero",
        |(trace_id, span_id, flags, state)| {
            let flags = TraceFlags::from_bits(flags);
            let context = SpanContext::new(TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id), flags);
            Some(context.with_trace_state(state).with_remote(true)).filter(SpanContext::is_valid)
        },
    )
}

/// Few enough entries to fit in a header: 16 times (10 + 1 + 3 * 4 * 40) bytes.
fn baggage() -> impl Strategy<Value = Baggage> {
    let value = vec(any::<char>(), 0..40).prop_map(String::from_iter);
    let set = vec(("[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,10}", value), 0..16).prop_map(|entries| {
        entries.iter().fold(Baggage::new(), |baggage, (key, value)| baggage.with(key, value).expect("is a token"))
    });
    // Properties come only from the wire.
    let received = text().prop_map(|text| extract(&vec![("baggage".into(), format!("k=v;p=%0a;q,{text}"))]).baggage);
    prop_oneof![set, received]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_received_panics_or_leads_to_a_control_character(headers in headers()) {
        let extracted = extract(&headers);
        if let Some(context) = &extracted.span_context {
            prop_assert!(context.is_valid() && context.is_remote());
        }
        for (name, value) in inject(&extracted) {
            prop_assert!(!value.is_empty() || name.starts_with("uberctx-"), "{name} is empty");
            prop_assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}: {value:?}");
            prop_assert!(name != "baggage" || value.len() <= Baggage::MAX_BYTES);
        }
    }

    #[test]
    fn nothing_set_by_the_application_leads_to_a_control_character(key in text(), value in text()) {
        if let Ok(baggage) = Baggage::new().with(&key, &value) {
            let mut carrier = Headers::new();
            BaggagePropagator.inject(&Outgoing::new(None, &baggage), &mut carrier);
            prop_assert!(carrier.iter().all(|(_, value)| value.bytes().all(|b| (0x21..0x7f).contains(&b))));
        }
    }

    #[test]
    fn what_is_injected_is_extracted_again(context in span_context(), baggage in baggage()) {
        let mut sent = Extracted::default();
        sent.span_context = Some(context.clone());
        sent.baggage = baggage.clone();
        let headers = inject(&sent);
        let received = extract(&headers);
        prop_assert_eq!(received.span_context, Some(context));
        prop_assert_eq!(&received.baggage, &baggage);

        // However the carrier cuts the list into lines.
        let lines = headers.iter().flat_map(|(name, value)| {
            let lines = if name == "traceparent" { vec![value.as_str()] } else { value.split(',').collect() };
            lines.into_iter().map(|line| (name.to_uppercase(), line.to_owned())).collect::<Headers>()
        });
        let lines: Headers = lines.collect();
        let received = extract(&lines);
        prop_assert_eq!(received.span_context, sent.span_context);
        prop_assert_eq!(received.baggage, baggage);
    }

    #[test]
    fn passing_on_twice_is_passing_on_once(headers in headers()) {
        let once = inject(&extract(&headers));
        let twice = inject(&extract(&once));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_traceparent_is_accepted_only_as_the_grammar_has_it(at in 0..55_usize, byte in 0..0x80_u8) {
        let mut header = *b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        header[at] = byte;
        let header = std::str::from_utf8(&header).expect("is ASCII");
        let mut into = Extracted::default();
        TraceContextPropagator.extract(&vec![("traceparent", header)], &mut into);
        let expected = match at {
            2 | 35 | 52 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        };
        prop_assert_eq!(into.span_context.is_some(), expected, "{:?}", header);
    }
}
