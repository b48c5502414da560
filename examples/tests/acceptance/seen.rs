//! Spans as the providers have written them, and what of them is the same in each run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use spandrel::SpanKind;

/// A span in a file. What its provider does not write is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    trace: String,
    id: String,
    parent: String,
    relations: Relations,
    name: String,
    status: String,
    attributes: Attributes,
}

/// What the plugin in C leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Relations {
    service: String,
    scope: String,
    kind: String,
    events: Vec<(String, Attributes)>,
}

/// Texts are in quotes, numbers are not.
type Attributes = BTreeMap<String, String>;

/// What is the same in each run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// The names of the spans above it, the root first, and its own.
    path: Vec<String>,
    relations: Relations,
    status: String,
    attributes: Attributes,
}

/// How many traces there are.
pub(crate) fn traces(spans: &[Span]) -> usize {
    spans.iter().map(|span| &span.trace).collect::<BTreeSet<_>>().len()
}

/// All that is the same in each run.
pub(crate) fn in_full(spans: &[Span]) -> Vec<Seen> {
    let by_id: HashMap<(&str, &str), &Span> = spans.iter().map(|span| ((&*span.trace, &*span.id), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "ids are unique");
    let path = |span: &Span| {
        let (mut path, mut parent) = (vec![span.name.clone()], &span.parent);
        while !parent.is_empty() {
            let above = by_id.get(&(&*span.trace, parent)).expect("a parent is in the same trace");
            path.insert(0, above.name.clone());
            parent = &above.parent;
        }
        path
    };
    spans.iter().map(|span| seen(span, path(span), span.relations.clone())).collect()
}

/// What of it the plugin in C writes.
pub(crate) fn without_relations(spans: &[Span]) -> Vec<Seen> {
    spans.iter().map(|span| seen(span, vec![span.name.clone()], Relations::default())).collect()
}

fn seen(span: &Span, path: Vec<String>, mut relations: Relations) -> Seen {
    let mut attributes = span.attributes.clone();
    remove_times(&mut attributes);
    relations.events.iter_mut().for_each(|(_, attributes)| remove_times(attributes));
    for key in ["network.peer.port", "server.port"] {
        if let Some(port) = attributes.get_mut(key) {
            port.clear();
        }
    }
    Seen { path, relations, status: span.status.clone(), attributes }
}

/// How long something took, and whether a connection was free, is otherwise each time.
fn remove_times(attributes: &mut Attributes) {
    const OTHERWISE: [&str; 3] = ["http.call.wait", "http.connection.reused", "http.retry.delay"];
    attributes.retain(|key, _| !key.ends_with(".duration") && !OTHERWISE.contains(&key.as_str()));
}

/// The services listen on any free ports.
pub(crate) fn without_ports(text: &str) -> String {
    const HOST: &str = "http://127.0.0.1:";
    let mut parts = text.split(HOST);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + HOST + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Reads OTLP/JSON, of the provider `file`.
pub(crate) fn in_trace_file(lines: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for batch in lines.lines().map(parsed) {
        for resource in elements(&batch["resourceSpans"]) {
            let service = &otlp_attributes(&resource["resource"]["attributes"])["service.name"];
            for scope in elements(&resource["scopeSpans"]) {
                let read = |span| otlp_span(span, service, &text(&scope["scope"]["name"]));
                spans.extend(elements(&scope["spans"]).iter().map(read));
            }
        }
    }
    spans
}

fn otlp_span(span: &Value, service: &str, scope: &str) -> Span {
    let code = span["status"]["code"].as_u64().unwrap_or(0);
    let event = |event: &Value| (text(&event["name"]), otlp_attributes(&event["attributes"]));
    Span {
        trace: text(&span["traceId"]),
        id: text(&span["spanId"]),
        parent: text(&span["parentSpanId"]),
        relations: Relations {
            service: service.to_owned(),
            scope: scope.to_owned(),
            kind: SpanKind::from_otlp(span["kind"].as_u64().unwrap_or(0)).as_str().to_owned(),
            events: elements(&span["events"]).iter().map(event).collect(),
        },
        name: text(&span["name"]),
        status: status(["unset", "ok", "error"][code as usize], &text(&span["status"]["message"])),
        attributes: otlp_attributes(&span["attributes"]),
    }
}

fn otlp_attributes(attributes: &Value) -> Attributes {
    let value = |value: &Value| match value.as_object().and_then(|value| value.iter().next()) {
        Some((kind, value)) if kind == "stringValue" => format!("\"{}\"", text(value)),
        // 64-bit integers are texts there.
        Some((_, value)) => value.to_string().trim_matches('"').to_owned(),
        None => String::new(),
    };
    elements(attributes).iter().map(|attribute| (text(&attribute["key"]), value(&attribute["value"]))).collect()
}

/// Reads the lines of the plugin `journal`.
pub(crate) fn in_journal(lines: &str) -> Vec<Span> {
    lines.lines().map(parsed).map(|line| journal_span(&line)).collect()
}

fn journal_span(line: &Value) -> Span {
    let event = |event: &Value| (text(&event["name"]), journal_attributes(&event["attributes"]));
    Span {
        trace: text(&line["trace_id"]),
        id: text(&line["span_id"]),
        parent: text(&line["parent_id"]),
        relations: Relations {
            service: format!("\"{}\"", text(&line["service"])),
            scope: text(&line["scope"]["name"]),
            kind: text(&line["kind"]),
            events: elements(&line["events"]).iter().map(event).collect(),
        },
        name: text(&line["name"]),
        status: status(&text(&line["status"]["code"]), &text(&line["status"]["text"])),
        attributes: journal_attributes(&line["attributes"]),
    }
}

fn journal_attributes(attributes: &Value) -> Attributes {
    let value = |value: &Value| match &value["text"] {
        Value::String(text) => format!("\"{text}\""),
        _ => value.as_object().and_then(|value| value.values().next()).map(ToString::to_string).unwrap_or_default(),
    };
    let attributes = attributes.as_object().into_iter().flatten();
    attributes.map(|(key, typed)| (key.clone(), value(typed))).collect()
}

/// Reads the lines of the plugin `print`: time, name, ids, status and attributes.
pub(crate) fn in_print(lines: &str) -> Vec<Span> {
    lines.lines().map(|line| printed_span(line).unwrap_or_else(|| panic!("a line of `print`: {line}"))).collect()
}

fn printed_span(line: &str) -> Option<Span> {
    let is_id = |id: &str, length| id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A name may have spaces and slashes, too.
    let ids = line.match_indices('/').find_map(|(slash, _)| {
        let (before, after) = (&line[..slash], &line[slash + 1..]);
        let (name, trace) = before.rsplit_once(' ')?;
        let (id, rest) = after.split_once(' ')?;
        (is_id(trace, 32) && is_id(id, 16)).then_some((name, trace, id, rest))
    });
    let (name, trace, id, rest) = ids?;
    let mut words = quoted_words(rest).into_iter();
    let (code, message) = words.next().map(|(code, message)| (code, message.trim_matches('"').to_owned()))?;
    Some(Span {
        trace: trace.to_owned(),
        id: id.to_owned(),
        parent: String::new(),
        relations: Relations::default(),
        name: name.split_once(' ')?.1.to_owned(),
        status: status(&code, &message),
        attributes: words.collect(),
    })
}

/// `key=3 key="a text" key`, taken apart.
fn quoted_words(text: &str) -> Vec<(String, String)> {
    let mut is_quoted = false;
    let words = text.split(|c: char| {
        is_quoted ^= c == '"';
        c == ' ' && !is_quoted
    });
    words.map(|word| word.split_once('=').unwrap_or((word, ""))).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn status(code: &str, message: &str) -> String {
    format!("{code} {message}").trim_end().to_owned()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn elements(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}
