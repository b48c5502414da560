//! Records of `log` with the ids of their spans. One logger for the whole program, as
//! `log` has it: the tests tell their lines apart by the target.

use std::sync::{Mutex, OnceLock};

use log::{LevelFilter, Log, Metadata, Record, debug, error, info, warn};
use serde_json::Value;
use spandrel::testing::capture;
use spandrel::{StatusData, with_span};
use spandrel_log::{Logger, ids, write_json};

/// A logger behind ours: JSON, or text where a target says so.
struct Keeper;

static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Info
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = Vec::new();
        if record.target().contains("text") {
            line.extend_from_slice(format!("{} {}", record.args(), ids()).as_bytes());
        } else if record.target().contains("pairs") {
            line.extend_from_slice(pairs(record).as_bytes());
        } else {
            write_json(&mut line, record).unwrap();
        }
        LINES.lock().unwrap().push((record.target().to_owned(), String::from_utf8(line).unwrap()));
    }

    fn flush(&self) {}
}

/// As a logger writes them that knows of key-values alone.
fn pairs(record: &Record<'_>) -> String {
    let mut pairs: Vec<String> = Vec::new();
    let mut visit = |key: log::kv::Key<'_>, value: log::kv::Value<'_>| pairs.push(format!("{key}={value}"));
    struct Visit<'a>(&'a mut dyn FnMut(log::kv::Key<'_>, log::kv::Value<'_>));
    impl<'kvs> log::kv::VisitSource<'kvs> for Visit<'_> {
        fn visit_pair(&mut self, k: log::kv::Key<'kvs>, v: log::kv::Value<'kvs>) -> Result<(), log::kv::Error> {
            (self.0)(k, v);
            Ok(())
        }
    }
    record.key_values().visit(&mut Visit(&mut visit)).unwrap();
    pairs.join(" ")
}

fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        Logger::new(Keeper)
            .with_events(LevelFilter::Debug)
            .with_event_targets(["events", "hyper"])
            .with_error_status(true)
            .install(LevelFilter::Debug)
            .unwrap();
    });
}

fn lines(target: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|(of, _)| of == target).map(|(_, line)| line.clone()).collect()
}

#[test]
fn any_logger_gets_the_ids() {
    install();
    let mut text = String::new();
    capture(|| {
        info!(target: "text", "outside");
        info!(target: "pairs", n = 1; "outside");
        with_span("span", |_| {
            info!(target: "text", "inside");
            info!(target: "pairs", n = 2, trace_id = "forged"; "inside");
            text = ids().to_string();
        });
    });
    assert!(text.starts_with("trace_id=") && text.contains(" span_id=") && text.ends_with(" trace_flags=03"));
    assert_eq!(lines("text"), ["outside ".to_owned(), format!("inside {text}")]);
    assert_eq!(lines("pairs"), ["n=1".to_owned(), format!("{text} n=2")]);
}

#[test]
fn records_become_events() {
    install();
    let trace = capture(|| {
        error!(target: "events", "outside");
        with_span("span", |_| {
            debug!(target: "events::cart", items = 3, total = 9.5, ok = true, who = "me", what:? = [1]; "paid {}", 7);
            error!(target: "events", "broke");
            warn!(target: "eventsabout", "of another crate");
            warn!(target: "hyper::client", "connected");
        });
    });
    let span = trace.span("span");
    let names: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["paid 7", "broke"]);
    let attributes: Vec<_> = span.events[0].attributes.iter().map(|a| format!("{}={:?}", a.key, a.value)).collect();
    let expected = [
        r#"level=Str("DEBUG")"#,
        "items=I64(3)",
        "total=F64(9.5)",
        "ok=Bool(true)",
        r#"who=Str("me")"#,
        r#"what=Str("[1]")"#,
    ];
    assert_eq!(attributes, expected);
    assert!(matches!(span.status, StatusData::Error(_)));
    assert!(lines("events::cart").is_empty(), "the logger behind does not want this level");
}

/// 8 tasks on 4 threads; each line says which ids it should have.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_lines_have_the_right_ids() {
    const TASKS: usize = 8;
    const LINES: usize = 100_000;

    fn say() {
        let span = spandrel::current().unwrap();
        info!(target: "json", trace:% = span.trace_id(), span:% = span.span_id(); "line");
    }

    install();
    let trace = spandrel::testing::capture_async(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let work = async {
                    for _ in 0..LINES / TASKS / 5 {
                        say();
                        let within = async {
                            say();
                            tokio::task::yield_now().await;
                            say();
                            with_span("sync", |_| say());
                        };
                        spandrel::with_span_async("async", within).await;
                        say();
                    }
                };
                spandrel::spawn(spandrel::with_span_async("task", work))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await;
    let lines = lines("json");
    let wrong = lines.iter().filter(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["trace_id"] != line["trace"] || line["span_id"] != line["span"] || line["trace_id"].is_null()
    });
    assert_eq!((lines.len(), wrong.count()), (LINES, 0));
    assert_eq!(trace.roots().len(), TASKS);
}
