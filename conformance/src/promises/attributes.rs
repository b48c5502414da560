use spandrel_plugin_api::{Attribute, Event, Link, OwnedAttribute, OwnedValue, SpanStart, ToValue};

use crate::fixture::{END, LATER, check_attributes, context, record_with, start};
use crate::subject::Subject;

/// A boolean, an integer, a double and a text arrive as they were set, to the bit.
///
/// Source: [`Value`](spandrel_plugin_api::Value); OpenTelemetry specification,
/// Common, "AnyValue": "a primitive type: string, boolean, double precision
/// floating point (IEEE 754-1985), or signed 64 bit integer".
pub fn attributes_of_every_type_arrive_unchanged(subject: &Subject) {
    subject.promises("attributes of every type arrive unchanged", |trial| {
        let attributes = [flags_and_integers(), doubles(), texts()].concat();
        let provider = trial.provider();
        record_with(provider, 1, |span| {
            for attribute in &attributes {
                provider.add_span_attributes(span, &[attribute.as_attribute()]);
            }
        });
        let Some(span) = trial.only_span() else { return };
        check_attributes(&span.attributes, &attributes);
    });
}

/// Arrays of each type arrive with all their elements in their order; one with a
/// single element is still an array.
///
/// Source: as for [`attributes_of_every_type_arrive_unchanged`]; "a homogeneous
/// array of primitive type values".
pub fn arrays_arrive_unchanged(subject: &Subject) {
    subject.promises("arrays arrive unchanged", |trial| {
        let attributes = arrays();
        let provider = trial.provider();
        record_with(provider, 1, |span| provider.add_span_attributes(span, &borrowed(&attributes)));
        let Some(span) = trial.only_span() else { return };
        check_attributes(&span.attributes, &attributes);
    });
}

/// An array without elements arrives, and not as a missing value.
///
/// Source: OpenTelemetry specification, Common, "AnyValue": "AnyValues expressing ... an empty array are
/// considered meaningful and MUST be stored and passed on to processors / exporters".
pub fn empty_arrays_arrive_as_empty_arrays(subject: &Subject) {
    subject.promises("empty arrays arrive as empty arrays", |trial| {
        let attributes = [
            OwnedAttribute::new("flags", Vec::<bool>::new()),
            OwnedAttribute::new("integers", Vec::<i64>::new()),
            OwnedAttribute::new("doubles", Vec::<f64>::new()),
            OwnedAttribute::new("texts", Vec::<String>::new()),
        ];
        let provider = trial.provider();
        record_with(provider, 1, |span| provider.add_span_attributes(span, &borrowed(&attributes)));
        let Some(span) = trial.only_span() else { return };
        check_attributes(&span.attributes, &attributes);
    });
}

/// The start of a span, its events and its links take the same attributes as the
/// span itself.
///
/// Source: [`SpanStart::attributes`], [`Event`]
/// and [`Link`]; OpenTelemetry specification, Trace API, "Span Creation", "Add
/// Events", "Link".
pub fn attributes_arrive_wherever_they_are_given(subject: &Subject) {
    subject.promises("attributes arrive wherever they are given", |trial| {
        let expected = [flags_and_integers(), doubles(), texts(), arrays()].concat();
        let attributes = &borrowed(&expected);
        let (id, other) = (context(1), context(2));
        let link = Link { context: &other, attributes };
        let provider = trial.provider();
        let mut span = provider.start_span(&SpanStart { attributes, links: &[link], ..start("all", &id) });
        provider.add_span_event(&mut span, &Event { name: "event", time: LATER, attributes });
        provider.add_span_link(&mut span, &link);
        provider.end_span(span, END);

        let Some(span) = trial.only_span() else { return };
        check_attributes(&span.attributes, &expected);
        assert_eq!((span.events.len(), span.links.len()), (1, 2), "events and links");
        check_attributes(&span.events[0].attributes, &expected);
        span.links.iter().for_each(|link| check_attributes(&link.attributes, &expected));
    });
}

/// A key that is set again has its new value, whatever its type, and is there
/// once. Keys that differ in case are different; one of an event too is there once.
///
/// Source: [`add_span_attributes`](spandrel_plugin_api::TracingProvider::add_span_attributes);
/// OpenTelemetry specification, Common, "Attribute Collections": "the exported
/// attribute collections contain only unique keys".
pub fn a_key_set_again_has_the_new_value(subject: &Subject) {
    subject.promises("a key that is set again has the new value", |trial| {
        let provider = trial.provider();
        record_with(provider, 1, |span| {
            let first = [Attribute::new("a", "first"), Attribute::new("b", &1), Attribute::new("A", &true)];
            provider.add_span_attributes(span, &first);
            let attributes = &[&first[..], &[Attribute::new("b", &"again")]].concat();
            provider.add_span_event(span, &Event { name: "between", time: LATER, attributes });
            // The same key twice in one call, and with values longer and shorter than before.
            provider.add_span_attributes(span, &[Attribute::new("b", &2), Attribute::new("b", "the second b")]);
            provider.add_span_attributes(span, &[Attribute::new("a", &["x", "y"])]);
            provider.add_span_attributes(span, &[Attribute::new("a", &0.5)]);
        });
        let Some(span) = trial.only_span() else { return };
        let expected =
            [OwnedAttribute::new("a", 0.5), OwnedAttribute::new("b", "the second b"), OwnedAttribute::new("A", true)];
        check_attributes(&span.attributes, &expected);
        assert_eq!(span.events.len(), 1, "the event in between stays");
        let of_event =
            [OwnedAttribute::new("a", "first"), OwnedAttribute::new("b", "again"), OwnedAttribute::new("A", true)];
        check_attributes(&span.events[0].attributes, &of_event);
    });
}

/// An attribute given at the start is set again like any other.
///
/// Source: as for [`a_key_set_again_has_the_new_value`].
pub fn start_attributes_can_be_set_again(subject: &Subject) {
    subject.promises("attributes given at the start can be set again", |trial| {
        let id = context(1);
        let given = [Attribute::new("kept", &1), Attribute::new("replaced", &2)];
        let provider = trial.provider();
        let mut span = provider.start_span(&SpanStart { attributes: &given, ..start("start", &id) });
        provider.add_span_attributes(&mut span, &[Attribute::new("replaced", "3"), Attribute::new("added", &4)]);
        provider.end_span(span, END);
        let Some(span) = trial.only_span() else { return };
        let expected =
            [OwnedAttribute::new("kept", 1), OwnedAttribute::new("replaced", "3"), OwnedAttribute::new("added", 4)];
        check_attributes(&span.attributes, &expected);
    });
}

fn borrowed(attributes: &[OwnedAttribute]) -> Vec<Attribute<'_>> {
    attributes.iter().map(OwnedAttribute::as_attribute).collect()
}

fn flags_and_integers() -> Vec<OwnedAttribute> {
    // One more than a double can hold: a format that goes through doubles loses it.
    let beyond_double = (1_i64 << 53) + 1;
    let integers = [0, 1, -1, 127, 128, -128, i64::from(i32::MIN), beyond_double, i64::MAX, i64::MIN];
    let mut attributes = numbered("integer", integers);
    attributes.extend(numbered("flag", [true, false]));
    attributes
}

fn doubles() -> Vec<OwnedAttribute> {
    numbered("double", EVERY_DOUBLE)
}

fn texts() -> Vec<OwnedAttribute> {
    let long = "0123456789abcdef".repeat(4096);
    let long_and_wide = "東京🦀".repeat(6554);
    numbered("text", ["", " ", "x", "naïve 東京 🦀", "e\u{301}", &long, &long_and_wide])
}

fn arrays() -> Vec<OwnedAttribute> {
    let mut attributes = numbered("flags", [vec![true], vec![true, false, true]]);
    attributes.extend(numbered("integers", [vec![7], vec![i64::MIN, -1, 0, i64::MAX], (0..1000).collect()]));
    attributes.extend(numbered("doubles", [vec![1.0], EVERY_DOUBLE.to_vec()]));
    let texts = [vec!["one"], vec![""], vec!["", "a,b", "東京", "\"", "", "[x]"]];
    attributes.extend(numbered("texts", texts));
    attributes
}

/// Numbers that formats have trouble with. The bits of a NaN beyond the usual
/// one cannot be told in OTLP/JSON, so no others are promised.
const EVERY_DOUBLE: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    0.1,
    -1.5e-7,
    1e22,
    9_007_199_254_740_993.0,
    f64::MIN_POSITIVE,
    5e-324,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

fn numbered<T: ToValue>(key: &str, values: impl IntoIterator<Item = T>) -> Vec<OwnedAttribute> {
    let values = values.into_iter().map(|value| value.to_value().to_owned());
    values.enumerate().map(|(i, value): (_, OwnedValue)| OwnedAttribute::new(format!("{key}.{i}"), value)).collect()
}
