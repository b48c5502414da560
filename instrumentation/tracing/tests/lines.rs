//! Lines of `tracing_subscriber::fmt` with the ids of their spans.
#![cfg(feature = "fmt")]

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use spandrel::{SpanContext, with_span};
use spandrel_tracing::{WithIds, layer};
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Instrument, info, info_span};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn current() -> SpanContext {
    spandrel::current().unwrap()
}

fn text(span: &SpanContext) -> String {
    format!("trace_id={} span_id={} trace_flags=03", span.trace_id(), span.span_id())
}

#[test]
fn text_and_colours_and_json() {
    let lines = Lines::default();
    let plain = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_ansi(false).without_time();
    let colours = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_ansi(true).without_time();
    let json = tracing_subscriber::fmt::layer().with_writer(lines.clone()).json().flatten_event(true);
    let subscriber = tracing_subscriber::registry()
        .with(layer())
        .with(plain.map_event_format(WithIds::new))
        .with(colours.map_event_format(WithIds::new))
        .with(json.map_event_format(WithIds::new));
    let mut spans = Vec::new();
    spandrel::testing::capture(|| {
        tracing::subscriber::with_default(subscriber, || {
            info!("outside");
            with_span("facade", |_| {
                spans.push(current());
                info!("in a span of the facade");
            });
            info_span!("tokio").in_scope(|| {
                spans.push(current());
                info!("in a span of tracing");
                info!(parent: None, "nowhere");
            });
        });
    });
    let lines = lines.take();
    let [outside, facade, tokio, nowhere] = [0, 3, 6, 9].map(|at| &lines[at..at + 3]);
    for lines in [outside, nowhere] {
        assert!(lines.iter().all(|line| !line.contains("trace_id")), "{lines:?}");
    }
    for (lines, span) in [(facade, &spans[0]), (tokio, &spans[1])] {
        assert!(lines[0].ends_with(&format!(" {}", text(span))), "{}", lines[0]);
        assert!(lines[1].starts_with(&format!("\u{1b}[2m{}\u{1b}[0m ", text(span))), "{:?}", lines[1]);
        let line: Value = serde_json::from_str(&lines[2]).unwrap();
        assert_eq!(line["trace_id"], span.trace_id().to_string());
        assert_eq!(line["span_id"], span.span_id().to_string());
        assert_eq!(line["trace_flags"], "03");
        assert!(line["message"].as_str().unwrap().starts_with("in a span of"));
    }
}

/// 8 tasks on 4 threads; each line says which ids it should have.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_lines_have_the_right_ids() {
    const TASKS: usize = 8;
    const LINES: usize = 100_000;

    let lines = Lines::default();
    let json = tracing_subscriber::fmt::layer().with_writer(lines.clone()).json();
    let json = json.with_current_span(false).with_span_list(false).map_event_format(WithIds::new);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer()).with(json));
    let say = || {
        let span = current();
        info!(trace = %span.trace_id(), span = %span.span_id(), "line");
    };
    let trace = spandrel::testing::capture_async(async {
        let tasks = (0..TASKS).map(|task| {
            let work = async move {
                for step in 0..LINES / TASKS / 5 {
                    say();
                    let within = async {
                        say();
                        tokio::task::yield_now().await;
                        say();
                        with_span("sync", |_| say());
                    };
                    if step % 2 == 0 {
                        within.instrument(info_span!("of tracing", step)).await;
                    } else {
                        spandrel::with_span_async("of the facade", within).await;
                    }
                    say();
                }
            };
            // Half of the tasks get their span from each of the two.
            if task % 2 == 0 {
                tokio::spawn(work.instrument(info_span!("task", task)).with_subscriber(dispatch.clone()))
            } else {
                spandrel::spawn(spandrel::with_span_async("task", work).with_subscriber(dispatch.clone()))
            }
        });
        let tasks: Vec<_> = tracing::dispatcher::with_default(&dispatch, || tasks.collect());
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await;
    let lines = lines.take();
    let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wrong = parsed.iter().filter(|line| {
        let fields = &line["fields"];
        line["trace_id"] != fields["trace"] || line["span_id"] != fields["span"] || line["trace_id"].is_null()
    });
    assert_eq!((lines.len(), wrong.count()), (LINES, 0));
    assert_eq!(trace.roots().len(), TASKS);
}
