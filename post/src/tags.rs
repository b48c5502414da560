use std::borrow::Cow;
use std::collections::HashSet;

use spandrel_plugin_api::{AnyValue, SpanView, Status, json};

/// Keys and values, of which the last of a key counts.
#[derive(Debug, Clone, Default)]
pub struct Tags<'a>(Vec<(&'a str, AnyValue<'a>)>);

impl<'a> Tags<'a> {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What a span has beside the fields that all formats know: its attributes, status,
    /// scope, trace state, and what the limits kept out.
    ///
    /// Source: OpenTelemetry specification, "Transformation to non-OTLP Formats"; the key of the
    /// trace state is that of the OpenTelemetry Collector.
    pub fn extend_from_span(&mut self, span: &SpanView<'a>) {
        self.extend(span.attributes());
        let scope = span.scope();
        for (keys, value) in [
            // The second ones are old names, which must be there as well.
            (["otel.scope.name", "otel.library.name"], scope.name),
            (["otel.scope.version", "otel.library.version"], scope.version),
        ] {
            if !value.is_empty() {
                keys.iter().for_each(|key| self.set(key, AnyValue::Str(value)));
            }
        }
        match span.status() {
            Status::Unset => {}
            Status::Ok => self.set("otel.status_code", AnyValue::Str("OK")),
            Status::Error(_) => self.set("otel.status_code", AnyValue::Str("ERROR")),
        }
        if !span.trace_state().is_empty() {
            self.set("w3c.tracestate", AnyValue::Str(span.trace_state()));
        }
        let (attributes, events, links) = span.dropped_counts();
        self.set_count("otel.dropped_attributes_count", attributes);
        self.set_count("otel.dropped_events_count", events);
        self.set_count("otel.dropped_links_count", links);
    }

    /// Sets a key, in place of an earlier value.
    pub fn set(&mut self, key: &'a str, value: AnyValue<'a>) {
        self.0.push((key, value));
    }

    /// Sets a key to a number, unless that is 0.
    pub fn set_count(&mut self, key: &'a str, count: u32) {
        if count > 0 {
            self.set(key, AnyValue::I64(count.into()));
        }
    }

    /// Each key once, in the order in which they were set last.
    #[must_use]
    pub fn into_vec(self) -> Vec<(&'a str, AnyValue<'a>)> {
        let mut tags = self.0;
        // From the end, so that the first of a key to be seen is the last.
        let mut seen = HashSet::with_capacity(tags.len());
        tags.reverse();
        tags.retain(|(key, _)| seen.insert(*key));
        tags.reverse();
        tags
    }
}

impl<'a> Extend<(&'a str, AnyValue<'a>)> for Tags<'a> {
    fn extend<I: IntoIterator<Item = (&'a str, AnyValue<'a>)>>(&mut self, tags: I) {
        self.0.extend(tags);
    }
}

/// A value as text: lists and maps as JSON, bytes in Base64.
#[must_use]
pub fn text_of(value: AnyValue<'_>) -> Cow<'_, str> {
    match value {
        AnyValue::Empty => Cow::Borrowed(""),
        AnyValue::Str(text) => Cow::Borrowed(text),
        AnyValue::Bool(true) => Cow::Borrowed("true"),
        AnyValue::Bool(false) => Cow::Borrowed("false"),
        AnyValue::I64(number) => Cow::Owned(number.to_string()),
        // Those that are no numbers are texts in JSON, and so are bytes.
        AnyValue::F64(_) | AnyValue::Bytes(_) => Cow::Owned(member(|object| object.value("", value)).replace('"', "")),
        AnyValue::Array(_) | AnyValue::KeyValueList(_) => Cow::Owned(member(|object| object.value("", value))),
    }
}

/// Keys and values as a JSON object.
#[must_use]
pub fn json_of(tags: Tags<'_>) -> String {
    member(|object| {
        object.object("", |object| tags.into_vec().into_iter().for_each(|(key, value)| object.value(key, value)));
    })
}

/// The value of an object's only member, whose key is empty: the writer of JSON begins with an object.
fn member(fill: impl FnOnce(&mut json::Object<'_>)) -> String {
    let mut out = Vec::new();
    json::object(&mut out, fill);
    out.pop();
    out.drain(..r#"{"":"#.len());
    String::from_utf8(out).unwrap_or_default()
}
