#[cfg(feature = "otlp")]
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(feature = "otlp")]
use std::net::TcpListener;

use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;

use crate::support::{ok, run, run_with};

/// The states and first lines of all findings about `what`.
fn found(document: &Value, what: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().lines().next().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap().iter().filter(|check| check["check"] == what);
    checks.map(|check| (text(&check["state"]), text(&check["text"]))).collect()
}

#[test]
fn a_span_is_sent_and_acknowledged() {
    let folder = Folder::new();
    ok(&folder, &["init", "--service", "shop"]);
    let run = run_with(&folder, &["doctor", "--json"], &[("TRACING_PROVIDER__FILE__PATH", "here.jsonl")]);
    assert_eq!((run.code, &*run.err), (0, ""), "{}", run.out);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["ok"], true);
    let ok_of = |text: &str| vec![("ok".to_owned(), text.to_owned())];
    let configuration = "spandrel.toml; from the environment: TRACING_PROVIDER__FILE__PATH";
    assert_eq!(found(&document, "configuration"), ok_of(configuration));
    assert_eq!(found(&document, "provider"), ok_of("file, linked into this command"));
    let spans = found(&document, "span");
    let (_, trace) = spans[0].1.split_once("trace ").unwrap();
    let shown = ok(&folder, &["show", "here.jsonl", "--trace", trace, "--service", "shop"]);
    assert!(shown.contains("spandrel doctor  (shop)  spandrel.version="), "{shown}");
    assert_eq!(found(&document, "versions").len(), 1);

    ok(&folder, &["doctor", "--no-span"]);
    assert!(std::fs::read(folder.file("traces.jsonl")).unwrap().is_empty());
}

#[test]
fn each_failure_has_its_remedy() {
    let folder = Folder::new();
    for (text, what, message, remedy) in [
        (
            "\nenabeld = true",
            "configuration",
            "spandrel.toml:2:1: unknown configuration key `enabeld`; did you mean `enabled`?",
            "",
        ),
        (
            "type = 'fiel'",
            "provider",
            "there is no provider `fiel`; did you mean `file`?",
            "remedy: install libspandrel_fiel.",
        ),
        (
            "type = 'file'\n[provider.file]\npath = '/dev/null/x/y'",
            "start",
            "cannot ",
            "remedy: set provider.file.path to a writable place",
        ),
        (
            "type = 'file'\non_error = 'noop'\n[provider.file]\npath = '/dev/null/x/y'",
            "start",
            "the provider cannot start, and on_error = \"noop\" goes on without traces",
            "",
        ),
    ] {
        std::fs::write(folder.file("spandrel.toml"), text).unwrap();
        let run = run(&folder, &["doctor"]);
        assert_eq!((run.code, &*run.err), (1, ""), "{text}\n{}", run.out);
        let expected = format!("failed   {what:<13}  {message}");
        assert!(run.out.contains(&expected) && run.out.contains(remedy), "{expected}\n{}", run.out);
    }
}

#[test]
fn noop_is_told() {
    let folder = Folder::new();
    for variables in [&[][..], &[("TRACING_TYPE", "file"), ("TRACING_ENABLED", "false")]] {
        let run = run_with(&folder, &["doctor", "--json"], variables);
        assert_eq!((run.code, &*run.err), (0, ""), "{}", run.out);
        let document: Value = serde_json::from_str(&run.out).unwrap();
        let warned = found(&document, "configuration").into_iter().find(|(state, _)| state == "warning").unwrap();
        assert!(warned.1.starts_with("nothing is recorded: "), "{warned:?}");
        assert_eq!((found(&document, "span"), &document["ok"]), (Vec::new(), &json!(true)));
    }
    assert!(!folder.file("traces.jsonl").exists());
}

#[test]
fn what_a_provider_prints_is_not_in_the_way() {
    let folder = Folder::new();
    let run = run_with(&folder, &["doctor", "--json"], &[("TRACING_TYPE", "console")]);
    assert_eq!(run.code, 0, "{}", run.out);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["ok"], true);
    assert!(run.err.contains("spandrel doctor"), "{}", run.err);
}

/// A collector that answers one request so; its address, and the request's body.
#[cfg(feature = "otlp")]
fn collector(answer: &'static str) -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        body
    });
    (address, served)
}

#[cfg(feature = "otlp")]
#[test]
fn an_endpoint_is_reached_or_says_why_not() {
    let folder = Folder::new();
    for (answer, code, expected) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            0,
            "ok       span           sent, and acknowledged",
        ),
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 1, "failed   span           "),
    ] {
        let (address, served) = collector(answer);
        let variables =
            [("TRACING_TYPE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*address), ("NO_PROXY", "127.0.0.1")];
        let run = run_with(&folder, &["doctor"], &variables);
        let body = served.join().unwrap();
        assert!(body.windows(15).any(|bytes| bytes == b"spandrel doctor"), "{}", run.out);
        assert_eq!((run.code, run.out.contains(expected)), (code, true), "{}", run.out);
        assert!(code == 0 || run.out.contains("401"), "{}", run.out);
    }
}
