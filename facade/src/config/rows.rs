//! Each setting that has a variable of ours, one of OpenTelemetry or both: what it says alone, that ours wins,
//! and that both win over the file. Those of plugins are in `plugins/tests.rs`.

use std::fmt::Debug;

use super::{Origin, environment, file};
use crate::setup::Settings;

/// A file, and variables as `A=1 B=2`.
fn read(text: &str, variables: &str) -> Settings {
    let pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut settings = Settings::default();
    file::apply(text, "x.toml", Origin::Starter, &|_| None, &mut settings).unwrap();
    environment::apply(&pairs, &mut settings).unwrap();
    settings
}

/// Lines of a file, variables, and what they come to.
#[track_caller]
fn check<T: PartialEq + Debug>(value: impl Fn(&Settings) -> T, rows: &[(&str, &str, T)]) {
    for (text, variables, expected) in rows {
        assert_eq!(value(&read(text, variables)), *expected, "file: {text:?}, variables: {variables}");
    }
}

#[test]
fn the_type() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    check(
        |settings| (settings.types.clone(), settings.types_are_foreign),
        &[
            ("", "", (words(&["noop"]), false)),
            ("type = ['file', 'otlp']", "", (words(&["file", "otlp"]), false)),
            ("", "OTEL_TRACES_EXPORTER=otlp", (words(&["otlp"]), true)),
            ("", "OTEL_TRACES_EXPORTER=console", (words(&["console"]), true)),
            ("", "OTEL_TRACES_EXPORTER=none", (words(&["noop"]), true)),
            ("type = 'file'", "OTEL_TRACES_EXPORTER=otlp,console", (words(&["otlp", "console"]), true)),
            ("type = 'file'", "TRACING_TYPE=console", (words(&["console"]), false)),
            ("", "OTEL_TRACES_EXPORTER=otlp TRACING_TYPE=file,console", (words(&["file", "console"]), false)),
        ],
    );
}

#[test]
fn enabled() {
    check(
        |settings| settings.enabled,
        &[
            ("", "", true),
            ("enabled = false", "", false),
            ("", "OTEL_SDK_DISABLED=true", false),
            ("", "OTEL_SDK_DISABLED=false", true),
            ("enabled = false", "TRACING_ENABLED=true", true),
            ("", "TRACING_ENABLED=0", false),
            ("", "OTEL_SDK_DISABLED=true TRACING_ENABLED=true", true),
        ],
    );
}

#[test]
fn the_service() {
    let value = |settings: &Settings| {
        let text = |key| settings.resource.get(key).map(|value| format!("{value:?}"));
        ["service.name", "service.version", "deployment.environment.name", "team"]
            .map(|key| text(key).unwrap_or_default())
    };
    let row =
        |texts: [&str; 4]| texts.map(|text| if text.is_empty() { String::new() } else { format!("Str({text:?})") });
    let file = "[service]\nname = 'f'\nversion = '1'\nenvironment = 'dev'\nattributes = { team = 'x' }";
    let theirs = "OTEL_SERVICE_NAME=o OTEL_RESOURCE_ATTRIBUTES=service.name=r,service.version=2,team=a%20b";
    let ours = "TRACING_SERVICE_NAME=t TRACING_SERVICE_VERSION=3 TRACING_ENVIRONMENT=prod";
    check(
        value,
        &[
            (file, "", row(["f", "1", "dev", "x"])),
            (file, theirs, row(["o", "2", "dev", "a b"])),
            (file, ours, row(["t", "3", "prod", "x"])),
            (file, &format!("{ours} {theirs}"), row(["t", "3", "prod", "a b"])),
            ("", "OTEL_RESOURCE_ATTRIBUTES=service.name=r", row(["r", "", "", ""])),
        ],
    );
}

#[test]
fn the_sampler() {
    let file = "[sampler]\ntype = 'parent_ratio'\nratio = 0.5";
    let rows = [
        ("", "", "parent_based(always_on)"),
        (file, "", "parent_based(ratio(0.5))"),
        (file, "OTEL_TRACES_SAMPLER=always_off", "always_off"),
        ("", "OTEL_TRACES_SAMPLER=always_on", "always_on"),
        ("", "OTEL_TRACES_SAMPLER=parentbased_always_on", "parent_based(always_on)"),
        ("", "OTEL_TRACES_SAMPLER=parentbased_always_off", "parent_based(always_off)"),
        ("", "OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.25", "ratio(0.25)"),
        ("", "OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.25", "parent_based(ratio(0.25))"),
        (file, "TRACING_SAMPLER=ratio TRACING_SAMPLER_ARG=0.125", "ratio(0.125)"),
        (file, "OTEL_TRACES_SAMPLER=always_off TRACING_SAMPLER=always_on", "always_on"),
    ];
    let rows = rows.map(|(text, variables, expected)| (text, variables, expected.to_owned()));
    check(|settings| format!("{:?}", settings.sampler), &rows);
}

#[test]
fn the_propagators() {
    let rows = [
        ("", "", "tracecontext,baggage"),
        ("propagators = ['b3']", "", "b3"),
        ("propagators = ['b3']", "OTEL_PROPAGATORS=b3multi,jaeger,unknown", "b3multi,jaeger"),
        ("propagators = ['b3']", "OTEL_PROPAGATORS=none", ""),
        ("propagators = ['b3']", "TRACING_PROPAGATORS=xray", "xray"),
        ("", "OTEL_PROPAGATORS=b3 TRACING_PROPAGATORS=xray", "xray"),
    ];
    let rows = rows.map(|(text, variables, expected)| (text, variables, expected.to_owned()));
    check(|settings| settings.propagators.join(","), &rows);
}

#[test]
fn the_limits() {
    let value = |settings: &Settings| {
        let limits = &settings.recorder.limits;
        let counts = [limits.attributes, limits.events, limits.links, limits.event_attributes, limits.link_attributes];
        (counts, limits.value_chars)
    };
    let usual = Settings::default().recorder.limits.value_chars;
    let file =
        "[limits]\nattributes = 1\nevents = 2\nlinks = 3\nevent_attributes = 4\nlink_attributes = 5\nvalue_chars = 6";
    let all = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=11 OTEL_SPAN_EVENT_COUNT_LIMIT=12 OTEL_SPAN_LINK_COUNT_LIMIT=13 \
               OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT=14 OTEL_LINK_ATTRIBUTE_COUNT_LIMIT=15 \
               OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT=16";
    check(
        value,
        &[
            ("", "", ([128; 5], usual)),
            (file, "", ([1, 2, 3, 4, 5], 6)),
            (file, all, ([11, 12, 13, 14, 15], 16)),
            ("", "OTEL_ATTRIBUTE_COUNT_LIMIT=7", ([7, 128, 128, 128, 128], usual)),
            ("", "OTEL_ATTRIBUTE_COUNT_LIMIT=7 OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=8", ([8, 128, 128, 128, 128], usual)),
            ("", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=9", ([128; 5], 9)),
            ("", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT=10 OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=9", ([128; 5], 10)),
        ],
    );
}

#[test]
fn the_batch() {
    let value = |settings: &Settings| {
        let batch = &settings.recorder.batch;
        (batch.delay.as_millis(), batch.queue_bytes, batch.max_bytes)
    };
    let file = "[batch]\ndelay_ms = 10\nqueue_bytes = 1000000\nmax_bytes = 10000";
    check(
        value,
        &[
            (file, "", (10, 1_000_000, 10_000)),
            (file, "OTEL_BSP_SCHEDULE_DELAY=20", (20, 1_000_000, 10_000)),
            (file, "OTEL_BSP_MAX_QUEUE_SIZE=2048", (10, 2048 * 256, 10_000)),
            (file, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=512", (10, 1_000_000, 512 * 256)),
        ],
    );
}

#[test]
fn the_provider_otlp() {
    let file = "[provider.otlp]\nendpoint = 'http://f:1'\ntimeout_ms = 1";
    let rows = [
        (file, "", "endpoint = \"http://f:1\"\ntimeout_ms = 1\n"),
        (
            file,
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://o:2 OTEL_EXPORTER_OTLP_TIMEOUT=2",
            "endpoint = \"http://o:2/v1/traces\"\ntimeout_ms = 2\n",
        ),
        (file, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://o:2/x", "endpoint = \"http://o:2/x\"\ntimeout_ms = 1\n"),
        (
            file,
            "OTEL_EXPORTER_OTLP_TIMEOUT=2 TRACING_PROVIDER__OTLP__TIMEOUT_MS=3",
            "endpoint = \"http://f:1\"\ntimeout_ms = 3\n",
        ),
    ];
    let rows = rows.map(|(text, variables, expected)| (text, variables, expected.to_owned()));
    check(|settings| settings.providers.text("otlp").unwrap(), &rows);
}

#[test]
fn a_provider_of_anybody() {
    let file = "[provider.own]\npath = 'a'\nnested = { deep = 1 }";
    let rows = [
        (file, "", "nested = { deep = 1 }\npath = \"a\"\n"),
        (
            file,
            "TRACING_PROVIDER__OWN__PATH=b TRACING_PROVIDER__OWN__NESTED__DEEP=2",
            "nested = { deep = 2 }\npath = \"b\"\n",
        ),
        ("", "TRACING_PROVIDER__OWN__PATH=b", "path = \"b\"\n"),
    ];
    let rows = rows.map(|(text, variables, expected)| (text, variables, expected.to_owned()));
    check(|settings| settings.providers.text("own").unwrap(), &rows);
}

#[test]
fn redaction() {
    let rows = [
        ("[redaction]\nkeys = ['iban']", "", "iban"),
        ("[redaction]\nkeys = ['iban']", "TRACING_REDACT_KEYS=pin,tan", "iban,pin,tan"),
    ];
    let rows = rows.map(|(text, variables, expected)| (text, variables, expected.to_owned()));
    check(|settings| settings.redacted_keys.join(","), &rows);
}

#[cfg(feature = "patterns")]
#[test]
fn redaction_by_shape() {
    let value = |settings: &Settings| {
        let all = settings.rules.settings();
        let of = |key| all.iter().find(|(known, _)| *known == key).map(|(_, value)| value.to_string()).unwrap();
        [of("redaction.patterns"), of("redaction.rules"), of("redaction.mode")]
    };
    let row = |texts: [&str; 3]| texts.map(str::to_owned);
    let [usual, none, redact] = value(&Settings::default());
    let all = value(&read("[redaction]\npatterns = true", ""))[0].clone();
    let file = "[redaction]\npatterns = ['ip', 'mail']\nrules = [{ name = 'a', pattern = 'b' }]\nmode = 'drop'";
    let rule = r#"[{ name = "a", pattern = "b" }]"#;
    check(
        value,
        &[
            (file, "", row([r#"["ip", "mail"]"#, rule, "\"drop\""])),
            (file, "TRACING_REDACT_PATTERNS=jwt,card", row([r#"["jwt", "card"]"#, rule, "\"drop\""])),
            (file, "TRACING_REDACT_PATTERNS=on", row([&all, rule, "\"drop\""])),
            (file, "TRACING_REDACT_PATTERNS=False", row(["[]", rule, "\"drop\""])),
            (file, "TRACING_REDACT_MODE=redact", row([r#"["ip", "mail"]"#, rule, "\"redact\""])),
            ("", "TRACING_REDACT_PATTERNS=ip TRACING_REDACT_MODE=hash", row([r#"["ip"]"#, "[]", "\"hash\""])),
            ("", "TRACING_REDACT_PATTERNS= TRACING_REDACT_MODE=", [usual, none, redact]),
        ],
    );
}
