//! No secret reaches a provider, whichever part of a span it is in.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use spandrel::{self as tracing, Attribute, Builder, OwnedValue, REDACTED, SpanContext, SpanData, Status, attrs};
use spandrel_integration_tests::process::{self, Folder};
use spandrel_integration_tests::requests::Requests;
use spandrel_integration_tests::seeds::seeds;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const DEADLINE: Duration = Duration::from_secs(60);

/// The spans that `work` leaves with the provider `memory`.
fn spans(builder: Builder, work: impl FnOnce()) -> Vec<SpanData> {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let kept = store.clone();
    let tracer = builder.exporter("memory", move || MemoryExporter::new(kept.clone())).build().unwrap();
    tracer.context().within(work);
    tracer.shutdown(DEADLINE).unwrap();
    store.take()
}

fn configured(redaction: &str) -> Builder {
    tracing::builder()
        .default_config(format!("[batch]\nqueue_bytes = 268435456\n[ai]\ncontent = true\n[redaction]\n{redaction}"))
}

fn shown(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Str(text) => text.clone(),
        OwnedValue::I64(number) => number.to_string(),
        OwnedValue::StrArray(texts) => format!("{texts:?}"),
        other => format!("{other:?}"),
    }
}

/// All texts of a span, one in each line.
fn texts(span: &SpanData) -> String {
    let mut texts = vec![span.name.clone(), format!("{:?}", span.status)];
    let mut add = |attributes: &[tracing::OwnedAttribute]| {
        for attribute in attributes {
            texts.extend([attribute.key.clone(), shown(&attribute.value)]);
        }
    };
    add(&span.attributes);
    add(&span.resource);
    span.links.iter().for_each(|link| add(&link.attributes));
    for event in &span.events {
        add(&event.attributes);
    }
    texts.extend(span.events.iter().map(|event| event.name.clone()));
    texts.join("\n")
}

/// As it is, and behind the escapes of a URL.
fn forms(text: &str) -> [String; 2] {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        let escape = code.filter(|_| bytes[at] == b'%');
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    [text.to_owned(), String::from_utf8_lossy(&decoded).into_owned()]
}

#[test]
fn no_seeded_secret_reaches_memory() {
    let seeds = seeds();
    let builder = seeds.iter().fold(configured("patterns = true"), |builder, seed| seed.add_to_resource(builder));
    let all = spans(builder, || seeds.iter().for_each(|seed| seed.record(&SpanContext::default())));
    let mut traces: BTreeMap<String, String> = BTreeMap::new();
    for span in &all {
        let text = traces.entry(span.trace_id.to_string()).or_default();
        *text += &texts(span);
        *text += "\n";
    }
    let mut leaks = Vec::new();
    for seed in &seeds {
        let name = seed.name();
        let text = traces.values().find(|text| text.contains(&name)).unwrap_or_else(|| panic!("{name} is missing"));
        // What the test itself says of the span.
        let text = text.replace(&name, "");
        let leak = seed.secrets.iter().find(|secret| forms(&text).iter().any(|form| form.contains(*secret)));
        leaks.extend(leak.map(|secret| format!("{seed:?} leaks {secret:?}:\n{text}")));
    }
    println!("{} secrets in {} spans; redacted in this process: {:?}", seeds.len(), all.len(), tracing::redactions());
    assert!(seeds.len() >= 500);
    assert!(leaks.is_empty(), "{} of {}:\n{}", leaks.len(), seeds.len(), leaks.join("\n"));
}

/// Whether the secret is in there, and not as a part of a number or an id.
fn has(output: &str, secret: &str) -> bool {
    let is_number = secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    output.match_indices(secret).any(|(at, _)| {
        let joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let within = joined(output[..at].chars().next_back()) || joined(output[at + secret.len()..].chars().next());
        !(is_number && within)
    })
}

#[test]
fn no_seeded_secret_is_in_the_output_of_any_provider() {
    let (folder, sink) = (Folder::new(), Requests::new());
    // Nothing is compressed, and each has a path of its own.
    let senders = [
        ("otlp", "otlp/v1/traces"),
        ("zipkin", "api/v2/spans"),
        ("opentelemetry", "opentelemetry/v1/traces"),
        ("jaeger", "api/traces"),
        ("jaeger_otlp", "jaeger/v1/traces"),
    ];
    let files = [("file", "otlp"), ("log", "log"), ("json_log", "json-log")];
    let mut config =
        "type = ['console', 'file', 'log', 'json_log', 'otlp', 'zipkin', 'opentelemetry', 'jaeger', 'jaeger_otlp']\n\
                      [ai]\ncontent = true\n[redaction]\npatterns = true\n[batch]\non_full = 'block'\n\
                      [provider.console]\noutput = 'stderr'\n[plugin.log]\nprovider = 'file'\n\
                      [plugin.json_log]\nprovider = 'file'\n[plugin.jaeger_otlp]\nprovider = 'jaeger'\n"
            .to_owned();
    for (name, path) in senders {
        config += &format!("[provider.{name}]\nendpoint = '{}/{path}'\nproxy = 'none'\n", sink.url());
    }
    for (name, format) in files {
        config += &format!("[provider.{name}]\npath = '{name}.jsonl'\nformat = '{format}'\n");
    }
    std::fs::write(folder.file("spandrel.toml"), config).unwrap();
    let output = process::run(process::command(env!("CARGO_BIN_EXE_seeded"), &folder, &[], &[]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, log) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{log}");

    let mut outputs = BTreeMap::from([
        ("standard output".to_owned(), said),
        ("standard error, with the spans of `console`".to_owned(), log),
    ]);
    for (name, format) in files {
        let written = std::fs::read_to_string(folder.file(&format!("{name}.jsonl"))).unwrap();
        outputs.insert(format!("the file with the format {format}"), written);
    }
    for request in sink.received() {
        *outputs.entry(format!("{} to {}", request.content_type, request.path)).or_default() += &text(&request.body);
    }
    let sent: Vec<&str> = outputs.keys().filter_map(|output| output.split_once(" to ")).map(|(sent, _)| sent).collect();
    let expected = [
        "application/json",
        "application/x-protobuf",
        "application/x-protobuf",
        "application/x-protobuf",
        "application/x-thrift",
    ];
    assert_eq!((outputs.len(), &*sent), (10, &expected[..]), "{:?}", outputs.keys());
    let seeds = seeds();
    let (mut looked_for, mut leaks) = (0, Vec::new());
    for seed in &seeds {
        // Shorter ones are in times and ids as well; `no_seeded_secret_reaches_memory` looks for them.
        for secret in seed.secrets.iter().filter(|secret| secret.len() >= 8) {
            looked_for += 1;
            let escaped = serde_json::to_string(secret).unwrap();
            let forms = [secret.as_str(), escaped.trim_matches('"')];
            let leak = |(name, output): &(&String, &String)| {
                // Lengths stand right before texts there, and any byte may look like a letter.
                let is_binary = name.starts_with("application/x-");
                forms.iter().any(|form| if is_binary { output.contains(form) } else { has(output, form) })
            };
            leaks.extend(outputs.iter().filter(leak).map(|(name, _)| format!("{secret:?} of {seed:?} is in {name}")));
        }
        let name = seed.name();
        for (output, text) in outputs.iter().filter(|(output, _)| *output != "standard output") {
            assert!(text.contains(&name), "{name} is not in {output}");
        }
    }
    println!("{looked_for} secrets looked for in {:?}; {}", outputs.keys(), outputs["standard output"]);
    assert!(looked_for >= 500);
    assert!(leaks.is_empty(), "{}:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn hardly_any_look_alike_is_redacted() {
    let all: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../redaction/tests/data/harmless.json")).unwrap();
    for (config, percent) in [("patterns = true", 1.0), ("", 1.0)] {
        let found = spans(configured(config), || {
            for item in &all {
                let (key, text) = (item["key"].as_str().unwrap_or("app.note"), item["text"].as_str().unwrap());
                tracing::with_span("harmless", |span| span.set_attribute(key, text));
            }
        });
        assert_eq!(found.len(), all.len());
        let text = |span: &SpanData| shown(&span.attributes[0].value);
        let wrong: Vec<String> = found.iter().map(text).filter(|text| text.contains(REDACTED)).collect();
        println!("{config:?}: {} of {} look-alikes were redacted: {wrong:#?}", wrong.len(), all.len());
        assert!(all.len() >= 500);
        assert!(wrong.len() as f64 <= all.len() as f64 * percent / 100.0, "{wrong:#?}");
    }
}

fn attributes(builder: Builder, attributes: &[Attribute<'_>]) -> Vec<String> {
    let spans = spans(builder, || tracing::with_span("work", |span| span.set_attributes(attributes)));
    spans[0].attributes.iter().map(|attribute| format!("{}={}", attribute.key, shown(&attribute.value))).collect()
}

#[test]
fn modes_redact_hash_and_leave_out() {
    let given = attrs! { "password" => "hunter2", "note" => "to bob@example.com", "n" => 4111111111111111_i64, "list" => ["a", "bob@example.com"], "a" => 1 };
    assert_eq!(
        attributes(configured("mode = 'redact'"), &given),
        ["password=[REDACTED]", "note=to [REDACTED]", "n=[REDACTED]", "list=[\"a\", \"[REDACTED]\"]", "a=1"]
    );
    let hashed = attributes(configured("mode = 'hash'"), &given);
    // `printf bob@example.com | sha256sum`
    assert_eq!(hashed[1], "note=to [sha256:5ff860bf]");
    assert_eq!(hashed[3], "list=[\"a\", \"[sha256:5ff860bf]\"]", "equal secrets stay equal");
    assert!(hashed[0].starts_with("password=[sha256:") && hashed[2].starts_with("n=[sha256:"), "{hashed:?}");
    assert_eq!(attributes(configured("mode = 'drop'"), &given), ["list=[\"a\"]", "a=1"]);
    let dropped = spans(configured("mode = 'drop'"), || {
        tracing::with_span("mail to bob@example.com sent", |span| {
            span.add_event("e", &attrs! { "password" => "x", "b" => 2 });
            span.set_status(Status::Error("no bob@example.com"));
        });
    });
    assert_eq!((&*dropped[0].name, dropped[0].events[0].attributes.len()), ("mail to  sent", 1));
    assert_eq!(format!("{:?}", dropped[0].status), "Error(\"no \")");
}

#[test]
fn categories_and_rules_are_chosen() {
    let given = attrs! { "a" => "bob@example.com", "b" => "ORD-12345678", "c" => "from 192.0.2.17", "d" => "078-05-1120", "server.address" => "192.0.2.18" };
    let hidden =
        |config| attributes(configured(config), &given).iter().map(|text| text.contains(REDACTED)).collect::<Vec<_>>();
    assert_eq!(hidden(""), [true, false, false, true, false], "addresses by choice");
    assert_eq!(hidden("patterns = false"), [false; 5]);
    assert_eq!(hidden("patterns = true"), [true, false, true, true, false], "the own address stays");
    assert_eq!(
        hidden("patterns = ['ip']\nrules = [{ name = 'order', pattern = 'ORD-[0-9]{8}' }]"),
        [false, true, true, false, false]
    );
    assert_eq!(hidden("enabled = false\npatterns = true"), [false; 5]);
    for (config, message) in [
        ("patterns = ['mails']", "there are no patterns `mails`; choose of mail, phone, "),
        ("patterns = 3", "`patterns` must be true, false or a list of categories"),
        ("mode = 'hide'", "`mode` must be \"redact\" or \"hash\" or \"drop\", not \"hide\""),
        (
            "rules = [{ name = 'x', pattern = '(' }]",
            "the rule `x` is no regular expression that can be used: unclosed group; write it as the crate `regex` has them",
        ),
        ("rules = [{ name = 'x' }]", "a rule of redaction needs a `name` and a `pattern`"),
    ] {
        let error = configured(config).build().unwrap_err();
        let (place, said) = error.message().split_once(": ").unwrap();
        assert!(
            place.starts_with("defaults of the program") && said.starts_with(message),
            "{config}\n  {error}\n  {message}"
        );
    }
}

#[test]
fn a_function_has_the_last_word_and_may_panic() {
    let builder = configured("").redact_with(|key, text| match (key, text) {
        (Some("customer"), name) => Some(format!("{}...", &name[..1])),
        // No text has this many letters: it panics.
        (Some("fragile"), text) => Some(text[..1000].to_owned()),
        (None, "secret plan") => Some("plan".to_owned()),
        (_, text) => {
            assert!(!text.contains("bob@"), "it sees what is left");
            None
        }
    });
    let before = tracing::redactions().get("failed").copied().unwrap_or_default();
    let found = spans(builder, || {
        tracing::with_span("secret plan", |span| {
            span.set_attribute("customer", "alice");
            span.set_attribute("fragile", "launch code 7");
            span.set_attribute("note", "bob@example.com");
            span.set_attribute("list", ["x", "y"].as_slice());
            span.add_event("secret plan", &attrs! { "fragile" => "launch code 8" });
        });
    });
    let values: Vec<String> = found[0].attributes.iter().map(|attribute| shown(&attribute.value)).collect();
    assert_eq!(values, ["a...", REDACTED, REDACTED, "[\"x\", \"y\"]"]);
    let event = &found[0].events[0];
    assert_eq!(
        (&*found[0].name, &*event.name, shown(&event.attributes[0].value)),
        ("plan", "plan", REDACTED.to_owned())
    );
    assert_eq!(tracing::redactions()["failed"] - before, 2);
    assert!(tracing::redactions()["function"] >= 3);
    assert!(tracing::prometheus().contains("\nspandrel_redactions_total{category=\"failed\"} "));
}
