#[cfg(feature = "otlp")]
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(feature = "otlp")]
use std::net::TcpListener;

use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;

use crate::support::{ok, run_with};

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

/// A set-up that is broken, and what is said of it.
struct Broken {
    text: String,
    variables: Vec<(&'static str, String)>,
    /// Which finding it is, how that begins, and the remedy.
    what: &'static str,
    cause: String,
    remedy: String,
}

impl Broken {
    fn new(text: impl Into<String>, what: &'static str, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { text: text.into(), variables: Vec::new(), what, cause: cause.into(), remedy: remedy.into() }
    }

    /// Told with its cause, its remedy and the exit code.
    fn check(&self, folder: &Folder) {
        std::fs::write(folder.file("spandrel.toml"), &self.text).unwrap();
        let mut variables: Vec<(&str, &str)> = self.variables.iter().map(|(name, value)| (*name, &**value)).collect();
        if self.variables.is_empty() {
            variables.push(("NO_PROXY", "127.0.0.1"));
        }
        let run = run_with(folder, &["doctor", "--json", "--timeout", "2s"], &variables);
        let Self { text, what, cause, remedy, .. } = self;
        assert_eq!((run.code, &*run.err), (1, ""), "{text}\n{}", run.out);
        let document: Value = serde_json::from_str(&run.out).unwrap();
        let checks = document["checks"].as_array().unwrap();
        let failed: Vec<&Value> = checks.iter().filter(|check| check["state"] == "failed").collect();
        assert_eq!((failed.len(), &failed[0]["check"]), (1, &json!(what)), "{text}\n{}", run.out);
        let told = failed[0]["text"].as_str().unwrap();
        assert!(told.contains(cause.as_str()), "{text}\n{told}\nlacks {cause}");
        assert!(told.contains(remedy.as_str()), "{text}\n{told}\nlacks {remedy}");
    }
}

#[test]
fn each_failure_has_its_remedy() {
    let folder = Folder::new();
    for broken in [
        Broken::new(
            "\nenabeld = true",
            "configuration",
            "spandrel.toml:2:1: unknown configuration key `enabeld`",
            "did you mean `enabled`?",
        ),
        Broken::new(
            "type = file",
            "configuration",
            "spandrel.toml:1:8: a text stands in quotes",
            "write `type = \"file\"`",
        ),
        Broken::new(
            "[sampler]\nratio = 2",
            "configuration",
            "spandrel.toml:2:1: the sampling ratio must be",
            "a number from 0 to 1, not 2",
        ),
        Broken::new("", "configuration", "nothing is recorded: no provider is configured", "remedy: `spandrel init`"),
        Broken::new(
            "type = 'fiel'",
            "provider",
            "there is no provider `fiel`; did you mean `file`?",
            "remedy: install libspandrel_fiel.",
        ),
        Broken::new(
            "type = 'opentelemetry'",
            "provider",
            "there is no provider `opentelemetry`",
            "remedy: enable the cargo feature `opentelemetry` of spandrel in the service",
        ),
        Broken::new(
            "type = 'file'\n[provider.file]\npaht = 'x'",
            "provider",
            "unknown configuration key `paht`",
            "did you mean `path`?",
        ),
        Broken::new(
            "type = 'file'\n[provider.file]\npath = '/dev/null/x/y'",
            "start",
            "cannot ",
            "remedy: set provider.file.path to a writable place",
        ),
        Broken::new(
            "type = 'file'\non_error = 'noop'\n[provider.file]\npath = '/dev/null/x/y'",
            "start",
            "the provider cannot start, and on_error = \"noop\" goes on without traces",
            "",
        ),
        Broken::new(
            "type = 'file'\n[spool]\ndir = '/dev/null/x'",
            "span",
            "cannot open its spool: ",
            "remedy: set spool.dir to a folder that the user of the service can write to",
        ),
    ] {
        broken.check(&folder);
    }
}

/// Made of a library that every program here has open.
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn each_failure_of_a_plugin_file_has_its_remedy() {
    use std::os::unix::fs::PermissionsExt;

    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("libc.so")).unwrap();
    let libc = std::fs::read(libc).unwrap();
    let mut foreign = libc.clone();
    // e_machine: SPARC V9.
    foreign[18..20].copy_from_slice(&43_u16.to_le_bytes());
    let folder = Folder::new();
    for (name, bytes, mode, cause, remedy) in [
        ("missing.so", None, 0, "there is no plugin file at this path", "remedy: correct the path, or install it"),
        ("cut.so", Some(&libc[..5_000]), 0o644, "the plugin file is cut off", "remedy: install it anew"),
        (
            "foreign.so",
            Some(&foreign[..]),
            0o644,
            "the plugin file is built for ",
            "remedy: install the build of the plugin for linux-",
        ),
        (
            "text.so",
            Some(&b"hello\n"[..]),
            0o644,
            "the plugin file is a text file, not a shared library",
            "remedy: name the file of a plugin",
        ),
        (
            "other.so",
            Some(&libc[..]),
            0o644,
            "the plugin file is a library, but not a Spandrel plugin",
            "remedy: name the file of a plugin",
        ),
        ("open.so", Some(&libc[..]), 0o666, "the plugin file can be written by every user", "remedy: chmod go-w "),
    ] {
        let path = folder.file(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        Broken::new(format!("type = '{}'", path.display()), "provider", cause, remedy).check(&folder);
    }
}

#[test]
fn noop_is_told() {
    let folder = Folder::new();
    for variables in [&[("TRACING_TYPE", "noop")][..], &[("TRACING_TYPE", "file"), ("TRACING_ENABLED", "false")]] {
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

#[cfg(feature = "otlp")]
#[test]
fn each_failure_of_an_endpoint_has_its_remedy() {
    let folder = Folder::new();
    let otlp = |rest: &str| format!("type = 'otlp'\n[provider.otlp]\n{rest}\n");
    for (answer, protocol, cause, remedy) in [
        (
            "401 Unauthorized",
            "http/protobuf",
            "the collector answered 401",
            "remedy: check the credentials in provider.otlp.headers",
        ),
        (
            "404 Not Found",
            "http/protobuf",
            "the collector answered 404",
            "remedy: check the path of provider.otlp.endpoint",
        ),
        (
            "415 Unsupported Media Type",
            "http/json",
            "the collector answered 415",
            "remedy: set provider.otlp.protocol = \"http/protobuf\"",
        ),
    ] {
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let (address, served) = collector(answer.leak());
        let text = otlp(&format!("endpoint = '{address}'\nprotocol = '{protocol}'"));
        Broken::new(text, "span", cause, remedy).check(&folder);
        served.join().unwrap();
    }
    // One that takes the connection, by its system, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("endpoint = 'http://{}'", silent.local_addr().unwrap());
    let remedy = "remedy: raise the deadline, or check that the backend of otlp is there and answers";
    Broken::new(otlp(&endpoint), "span", "flush did not finish before its deadline", remedy).check(&folder);
    // Port 1 is nobody's: only the administrator could listen there.
    let proxy = Broken {
        variables: vec![("http_proxy", "http://127.0.0.1:1".to_owned())],
        ..Broken::new(
            otlp("endpoint = 'http://collector.invalid:4318'"),
            "span",
            "proxy: set by http_proxy",
            "NO_PROXY",
        )
    };
    proxy.check(&folder);
    let refused = otlp("endpoint = 'http://127.0.0.1:1'");
    Broken::new(refused, "span", "cannot connect to the collector", "remedy: start a collector there").check(&folder);
    if !cfg!(feature = "tls") {
        let https = otlp("endpoint = 'https://127.0.0.1:1'");
        let remedy = "remedy: enable the cargo feature `tls` of spandrel";
        Broken::new(https, "provider", "this program was built without TLS", remedy).check(&folder);
    }
}

#[test]
fn tables_for_ai_are_looked_at_as_config_check_does() {
    let folder = Folder::new();
    std::fs::write(folder.file("spandrel.toml"), "type = 'file'\n[ai]\ncontents = true\n[prices]\nm = 1\n").unwrap();
    let run = run_with(&folder, &["doctor", "--json"], &[]);
    assert_eq!((run.code, &*run.err), (1, ""), "{}", run.out);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let told = found(&document, "configuration");
    assert_eq!(told.len(), 2, "{told:?}");
    let says = [
        "spandrel.toml:3:1: [ai]: unknown configuration key `contents`; did you mean `content`? ",
        "spandrel.toml:5:1: [prices]: \"m\" must be a table of US dollars per million tokens",
    ];
    for ((state, text), says) in told.iter().zip(says) {
        assert!(state == "failed" && text.starts_with(says), "{state} {text}");
    }
    // The spans arrive all the same.
    assert_eq!(found(&document, "span")[0].0, "ok");
    std::fs::write(folder.file("spandrel.toml"), "type = 'file'\n[ai]\ncontent = true\n").unwrap();
    ok(&folder, &["doctor"]);
}
