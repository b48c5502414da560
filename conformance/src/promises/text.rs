use spandrel_plugin_api::{
    Attribute, Event, InstrumentationScope, OwnedAttribute, OwnedValue, SpanStart, Status, StatusData,
};

use crate::fixture::{END, LATER, check_attributes, context, record, record_with, span_id, start};
use crate::subject::Subject;

/// Control characters, quotation marks, line ends and whatever else a format may
/// stumble over arrive unchanged, wherever there is text, and so do the spans after.
///
/// Source: [`Value::Str`](spandrel_plugin_api::Value); the trait
/// [`TracingProvider`](spandrel_plugin_api::TracingProvider) takes any `&str`.
pub fn odd_texts_arrive_unchanged(subject: &Subject) {
    subject.promises("odd texts arrive unchanged", |trial| {
        let every_control: String = (0..0xa0).filter_map(char::from_u32).filter(|c| c.is_control()).collect();
        let mut texts: Vec<&str> = ODD_TEXTS.to_vec();
        texts.push(&every_control);
        let provider = trial.provider();
        for (n, text) in (1..).zip(&texts) {
            let id = context(n);
            let list = [*text, "", *text];
            let attributes = [Attribute::new(text, text), Attribute::new("list", &list)];
            let scope = InstrumentationScope { name: text, version: text };
            let mut span = provider.start_span(&SpanStart { attributes: &attributes, scope, ..start("odd", &id) });
            provider.set_span_name(&mut span, text);
            provider.add_span_event(&mut span, &Event { name: text, time: LATER, attributes: &attributes });
            provider.set_span_status(&mut span, Status::Error(text));
            provider.end_span(span, END);
        }
        let after = texts.len() as u64 + 1;
        record(provider, after);

        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.len() as u64, after, "spans delivered");
        for (span, text) in spans.iter().zip(&texts) {
            let list = OwnedValue::StrArray(vec![(*text).to_owned(), String::new(), (*text).to_owned()]);
            let attributes = [OwnedAttribute::new(*text, *text), OwnedAttribute { key: "list".into(), value: list }];
            assert_eq!(span.name, *text, "name");
            assert_eq!((&*span.scope_name, &*span.scope_version), (*text, *text), "scope");
            check_attributes(&span.attributes, &attributes);
            assert_eq!(span.events[0].name, *text, "event");
            check_attributes(&span.events[0].attributes, &attributes);
            assert_eq!(span.status, StatusData::Error((*text).to_owned()), "status");
        }
    });
}

/// A span of 1 MiB, and one of 24 MiB, arrives whole or is counted as dropped;
/// the spans around it arrive.
///
/// Source: [`Dropped::too_large`](spandrel_plugin_api::Dropped); "loss is counted".
pub fn huge_spans_arrive_or_are_counted(subject: &Subject) {
    subject.promises("huge spans arrive or are counted as dropped", |trial| {
        let huge = [1_usize, 24].map(|mib| "0123456789abcdef".repeat(mib << 16));
        let provider = trial.provider();
        for (n, text) in (1..).step_by(2).zip(&huge) {
            record(provider, n);
            record_with(provider, n + 1, |span| provider.add_span_attributes(span, &[Attribute::new("huge", text)]));
        }
        record(provider, 5);

        let spans = trial.delivered();
        trial.check_recorded(5);
        let Some(spans) = spans else { return };
        if let Some(stats) = trial.stats() {
            let accounted = stats.branches.iter().all(|b| b.exported + b.dropped.total() == 5);
            assert!(accounted, "five spans arrive or are counted as dropped ({stats})");
        }
        for n in [1, 3, 5] {
            assert!(spans.iter().any(|span| span.span_id == span_id(n)), "small span {n} was lost");
        }
        for (n, text) in [2, 4].into_iter().zip(huge) {
            let Some(span) = spans.iter().find(|span| span.span_id == span_id(n)) else { continue };
            let is_whole = span.attribute("huge") == Some(&OwnedValue::Str(text));
            assert!(is_whole, "huge span {n} has arrived without its whole text");
        }
    });
}

const ODD_TEXTS: [&str; 22] = [
    "\0",
    "a\0b",
    "\n",
    "two\r\nlines\r",
    "\t tab",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{9b}31m",
    "\u{7f}",
    "\u{2028}line\u{2029}paragraph",
    "\u{202e}desrever",
    "\u{feff}bom",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "\u{e000}\u{d7ff}",
    "\"quoted\" 'text' `text`",
    "back\\slash \\u0000 \\n",
    "}}]}\n{\"resourceSpans\":[]}",
    "<script>&amp;</script>",
    "100% %s %n {} {0} $HOME $(id)",
    "key=value, other=\"value\"",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e\u{301}",
    " space around ",
    "../../etc/passwd",
];
