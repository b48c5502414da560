//! Contexts that plugins read from requests, write into them, and keep.

use std::time::Duration;

use spandrel::{SpanContext, Tracer};

use crate::misbehaving::{Misbehaving, messages};

const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the plugin finds.
const TRACE: &str = "01000000000000000000000000000000";
const SPAN: &str = "0200000000000000";

#[test]
fn a_plugin_reads_the_headers_that_it_declared_and_no_others() {
    for plugin in Misbehaving::both("reading") {
        let found = extract(plugin.tracer("extract=good")).unwrap();
        assert_eq!((found.trace_id().to_string(), found.span_id().to_string()), (TRACE.to_owned(), SPAN.to_owned()));
        assert!(found.is_remote() && found.is_sampled());
        assert_eq!(found.trace_state().as_str(), "a=1");
        let values: Vec<String> = plugin.calls().into_iter().filter(|call| call.starts_with("value ")).collect();
        assert_eq!(values, ["value first", "value second"], "nothing of `traceparent`");
    }
}

#[test]
fn what_a_plugin_does_not_read_the_configured_propagators_do() {
    for plugin in Misbehaving::both("not_reading") {
        for behaviour in ["extract=2", "extract=3", "extract=7", "extract=4711", "fields=none", "fields=null"] {
            let found = extract(plugin.tracer(behaviour)).unwrap();
            assert_eq!(found.trace_id().to_string(), &W3C[3..35], "{behaviour}");
        }
    }
}

#[test]
fn nothing_found_begins_a_trace() {
    for plugin in Misbehaving::both("nothing_found") {
        assert_eq!(extract(plugin.tracer("extract=none")), None);
        // All zero is no context, and no reason to look elsewhere.
        assert_eq!(extract(plugin.tracer("extract=zero")), None);
    }
}

#[test]
fn a_context_that_is_odd_keeps_what_can_be_used() {
    for plugin in Misbehaving::both("odd_context") {
        let found = extract(plugin.tracer("extract=state")).unwrap();
        assert_eq!((found.trace_id().to_string().as_str(), found.trace_state().as_str()), (TRACE, ""));
        let found = extract(plugin.tracer("extract=flags")).unwrap();
        assert_eq!((found.flags().bits(), found.is_remote()), (3, true));
    }
}

#[test]
fn a_plugin_writes_the_headers_that_it_declared_and_no_others() {
    for plugin in Misbehaving::both("writing") {
        for (behaviour, value) in [("inject=0", "1"), ("inject=invalid", "1\u{fffd}\u{fffd}")] {
            let headers = inject(plugin.tracer(behaviour));
            let expected = [("tracestate", "old"), ("x-misbehaving", value)];
            assert!(headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected), "{headers:?}");
        }
    }
}

#[test]
fn what_a_plugin_does_not_write_the_configured_propagators_do() {
    for plugin in Misbehaving::both("not_writing") {
        for behaviour in ["inject=2", "inject=3", "inject=7", "no_inject=yes", "fields=none", "fields=null"] {
            let headers = inject(plugin.tracer(behaviour));
            assert!(
                headers.iter().any(|(name, value)| name == "traceparent" && value.len() == 55),
                "{behaviour}: {headers:?}"
            );
        }
    }
}

#[test]
fn names_that_are_no_names_of_headers_are_left_out() {
    messages("");
    for plugin in Misbehaving::both("odd_fields") {
        let provider = match plugin.word.ends_with("live") {
            true => plugin.create_live("fields=odd"),
            false => plugin.create_exporter("fields=odd").1,
        };
        assert_eq!(provider.propagation_fields(), ["x-misbehaving"]);
        let word = &plugin.word;
        let told = format!(
            "plugin {word} declares names of headers that are none in lower case: [\"X-Upper\", \"x bad\", \"\u{fffd}\", \"\"]"
        );
        assert_eq!(messages(&told).len(), 1);
        let headers = inject(plugin.tracer("fields=odd inject=0"));
        assert!(headers.iter().any(|(name, _)| name == "x-misbehaving"), "{headers:?}");
        assert!(headers.iter().all(|(name, _)| !name.contains([' ', '\u{fffd}', 'X'])), "{headers:?}");
    }
}

#[test]
fn a_current_span_of_a_backend_that_is_none_is_no_parent() {
    let plugin = Misbehaving::live("current");
    for behaviour in ["current_context=zero", "current_context=none", "current_context=7"] {
        let tracer = plugin.tracer(behaviour);
        tracer.context().within(|| {
            spandrel::with_span("outer", |outer| {
                let outer = outer.context().unwrap();
                assert!(outer.is_valid(), "{behaviour}");
                spandrel::with_span("inner", |inner| {
                    assert!(inner.context().unwrap().is_valid(), "{behaviour}");
                });
            });
        });
        tracer.flush(Duration::from_secs(30)).unwrap();
    }
}

#[test]
fn the_brackets_of_a_span_reach_the_plugin_in_their_order() {
    let plugin = Misbehaving::live("brackets");
    let tracer = plugin.tracer("no_sample=yes");
    tracer.context().within(|| spandrel::with_span("outer", |_| spandrel::with_span("inner", |_| ())));
    let brackets: Vec<String> = plugin.calls().into_iter().filter(|c| c.ends_with("_span")).collect();
    assert_eq!(
        brackets,
        ["start_span", "enter_span", "start_span", "enter_span", "exit_span", "end_span", "exit_span", "end_span"]
    );
}

fn extract(tracer: Tracer) -> Option<SpanContext> {
    let headers = [("X-Misbehaving", "first"), ("traceparent", W3C), ("x-misbehaving", "second"), ("x-no", "third")];
    tracer.context().within(|| spandrel::extract(&headers.to_vec()).span_context().cloned())
}

/// The headers of a request that goes on with those of an older one, sorted.
fn inject(tracer: Tracer) -> Vec<(String, String)> {
    let mut headers = vec![("tracestate".to_owned(), "old".to_owned()), ("x-old".to_owned(), "old".to_owned())];
    tracer.context().within(|| spandrel::with_span("op", |_| spandrel::inject(&mut headers)));
    headers.sort();
    headers
}
