use std::collections::BTreeMap;

use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;

use crate::support::{ok, run, run_with};

#[test]
fn what_init_writes_can_be_used() {
    let folder = Folder::new();
    let text = ok(&folder, &["init", "--service", "my \"shop\"", "--type", "console"]);
    assert!(text.starts_with("wrote spandrel.toml\n"), "{text}");
    assert_eq!(
        ok(&folder, &["config", "check"]),
        "spandrel.toml and the environment are fine: type = console\nnote: `console` needs the Cargo feature `console` of `spandrel` in the service, which is on by default\n"
    );
    let shown = ok(&folder, &["config", "show"]);
    assert!(shown.contains("service.name = \"my \\\"shop\\\"\"\n"), "{shown}");
    let again = run(&folder, &["init"]);
    assert_eq!((again.code, &*again.err), (3, "error: spandrel.toml is there already; --force replaces it\n"));
    ok(&folder, &["init", "--force"]);
    assert_eq!(
        ok(&folder, &["config", "check"]),
        "spandrel.toml and the environment are fine: type = file\nnote: `file` needs the Cargo feature `file` of `spandrel` in the service, which is on by default\n"
    );

    // What is commented out can be used as well, but for the type that has no rules.
    let is_setting =
        |line: &str| line.starts_with("[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', '`']));
    let uncommented: Vec<String> = std::fs::read_to_string(folder.file("spandrel.toml"))
        .unwrap()
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line).replace("parent_always_on", "rules")
        })
        .collect();
    std::fs::write(folder.file("all.toml"), uncommented.join("\n")).unwrap();
    let prices = r#"{"schema_version":1,"as_of":"2026-01-01","currency":"USD","source":{"name":"x"},"providers":[]}"#;
    std::fs::write(folder.file("prices.json"), prices).unwrap();
    ok(&folder, &["config", "check", "--config", "all.toml"]);
    let defaults: BTreeMap<String, Value> = settings(&ok(&folder, &["config", "show", "--json"]));
    for (key, value) in settings(&ok(&folder, &["config", "show", "--json", "--config", "all.toml"])) {
        let differs = [
            "batch.block_ms",
            "redaction.keys",
            "redaction.rules",
            "sampler.type",
            "sampler.ratio",
            "sampler.per_second",
            "sampler.rules",
            "limits.value_chars",
            "forced_traces_per_second",
        ]
        .contains(&&*key);
        let without_default = ["service.", "spool.", "provider.", "ai.budget.", "prices."];
        if !differs && !without_default.iter().any(|table| key.starts_with(table)) {
            assert_eq!(defaults.get(&key), Some(&value), "the template names another default for {key}");
        }
    }
}

/// The settings of `[ai]` in the schema: their tables and keys.
fn ai_keys(schema: &Value) -> Vec<(&'static str, String)> {
    let tables = [("", ""), ("hide", "/hide/properties"), ("budget", "/budget/properties")];
    let all = tables.into_iter().flat_map(|(table, pointer)| {
        let keys = schema.pointer(&format!("/properties/ai/properties{pointer}")).unwrap().as_object().unwrap();
        keys.keys().map(move |key| (table, key.clone())).collect::<Vec<_>>()
    });
    all.filter(|(_, key)| !["hide", "budget"].contains(&&**key)).collect()
}

#[test]
fn what_init_writes_has_every_setting_for_ai() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&ok(&folder, &["config", "schema"])).unwrap();
    let text = ok(&folder, &["init", "-"]);
    let keys = ai_keys(&schema);
    assert_eq!(keys.len(), 4 + 9 + 3);
    for (table, key) in keys {
        let header = if table.is_empty() { "\n[ai] ".to_owned() } else { format!("\n[ai.{table}] ") };
        let (_, within) = text.split_once(&header).unwrap();
        let within = within.split("\n[").next().unwrap();
        assert!(within.contains(&format!("\n# {key} = ")), "{key} is not in [ai.{table}]");
    }
    let (_, prices) = text.split_once("\n[prices] ").unwrap();
    assert!(prices.contains("\n# file = ") && prices.contains(" = { input = "), "{prices}");
}

#[test]
fn a_single_underscore_in_a_variable_is_told() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&ok(&folder, &["config", "schema"])).unwrap();
    for (table, key) in ai_keys(&schema) {
        let key = key.to_uppercase();
        let table = table.to_uppercase();
        let (wrong, right) = match table.as_str() {
            "" => (format!("TRACING_AI_{key}"), format!("TRACING_AI__{key}")),
            table => (format!("TRACING_AI_{table}_{key}"), format!("TRACING_AI__{table}__{key}")),
        };
        let shown = run_with(&folder, &["config", "check", "--json"], &[(&wrong, "true")]);
        let document: Value = serde_json::from_str(&shown.out).unwrap();
        let expected = format!("the environment variable {wrong} means nothing; did you mean {right}?");
        assert_eq!(document["warnings"], json!([expected]));
    }
}

#[test]
fn tables_for_ai_are_checked_too() {
    let folder = Folder::new();
    let check = |text: &str| {
        std::fs::write(folder.file("spandrel.toml"), text).unwrap();
        run(&folder, &["config", "check"])
    };
    let fine = check("[ai]\ncontent = true\n[prices]\n\"my-model\" = { input = 1, output = 2 }\n");
    assert_eq!(fine.code, 0, "{}", fine.out);
    for (text, says) in [
        (
            "type = 'noop'\n[ai]\ncontents = true\n",
            "error: spandrel.toml:3:1: [ai]: unknown configuration key `contents`; did you mean `content`? (known here: dialect, ",
        ),
        (
            "[ai]\ndialect = \"openinfrence\"\n",
            "error: spandrel.toml:2:1: [ai]: there is no dialect `openinfrence`; did you mean `openinference`? (known here: ",
        ),
        (
            "[ai.budget]\nday_usd = '1'\n",
            "error: spandrel.toml:2:1: [ai.budget]: `day_usd` must be a number, not \"1\"\n",
        ),
        (
            "[ai]\nhide = { input = true }\n",
            "error: spandrel.toml:2:10: [ai.hide]: unknown configuration key `input`; did you mean `inputs`? (known here: inputs, ",
        ),
        (
            "[prices]\n\"m\" = { inptu = 1 }\n",
            "error: spandrel.toml:2:9: [prices.\"m\"]: there is no rate \"inptu\"; did you mean `input`? there are input, ",
        ),
        ("[prices]\nfiel = 'x.json'\n", "error: spandrel.toml:2:1: [prices]: \"fiel\" must be a table of US dollars"),
        ("[prices]\nfile = 'x.json'\n", "error: spandrel.toml:2:1: [prices]: x.json: the prices cannot be read: "),
    ] {
        let wrong = check(text);
        assert!(wrong.code == 1 && wrong.out.starts_with(says), "{text}\n{}", wrong.out);
    }
    let of_variable =
        run_with(&folder, &["config", "check"], &[("TRACING_AI__CONTENT", "maybe"), ("TRACING_PRICES_FILE", "")]);
    assert!(
        of_variable.out.contains("error: TRACING_AI__CONTENT: [ai]: `content` must be true or false, not \"maybe\"\n"),
        "{}",
        of_variable.out
    );
    // Both are told.
    let both = check("[ai]\nx = 1\n[prices]\ny = 1\n");
    assert_eq!(both.out.matches("error: ").count(), 2, "{}", both.out);
}

#[test]
fn tables_for_ai_are_shown_with_what_set_them() {
    let folder = Folder::new();
    let text = "[ai]\ncontent = true\ndialects = ['openinference']\n[ai.hide]\ninputs = true\noutputs = true\n\
                [prices]\n\"gpt-4.1\" = { input = 1, output = '0.1' }\n";
    std::fs::write(folder.file("spandrel.toml"), text).unwrap();
    let prices =
        r#"{"schema_version":1,"as_of":"2026-01-01","currency":"USD","source":{"name":"test"},"providers":[]}"#;
    std::fs::write(folder.file("prices.json"), prices).unwrap();
    let variables = [
        ("TRACING_AI__HIDE__INPUTS", "false"),
        ("OPENINFERENCE_HIDE_OUTPUTS", "false"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "no_content"),
        ("TRACING_AI__CONTENT", "true"),
        ("TRACING_PRICES_FILE", "prices.json"),
    ];
    let run = run_with(&folder, &["config", "show", "--origin"], &variables);
    assert_eq!((run.code, &*run.err), (0, ""));
    for (line, origin) in [
        ("ai.content = true", "TRACING_AI__CONTENT"),
        ("ai.dialect = [\"openinference\"]", "spandrel.toml:3:1"),
        ("ai.max_content_bytes = 16384", "default"),
        ("ai.hide.inputs = false", "TRACING_AI__HIDE__INPUTS"),
        ("ai.hide.outputs = false", "OPENINFERENCE_HIDE_OUTPUTS"),
        ("ai.hide.llm_prompts = false", "default"),
        ("prices.\"gpt-4.1\".input = 1", "spandrel.toml:8:15"),
        ("prices.\"gpt-4.1\".output = \"0.1\"", "spandrel.toml:8:26"),
        ("prices.file = \"prices.json\"", "TRACING_PRICES_FILE"),
    ] {
        let line = format!("{line:<44}  # {origin}");
        assert!(run.out.lines().any(|shown| shown == line), "{line}\n{}", run.out);
    }
    // A service that is started with a mistake in there goes on with the defaults.
    for (text, warning, key, value) in [
        (
            "[ai]\ncontent = true\nbagage = true\n[prices]\nm = { input = 1 }\n",
            "warning: spandrel.toml:3:1: [ai]: unknown configuration key `bagage`; did you mean `baggage`? ",
            "ai.content",
            Some(json!(false)),
        ),
        (
            "[ai]\ncontent = true\n[prices]\nm = { inptu = 1 }\n",
            "warning: spandrel.toml:4:7: [prices.\"m\"]: ",
            "prices.m.inptu",
            None,
        ),
    ] {
        std::fs::write(folder.file("spandrel.toml"), text).unwrap();
        let shown = run_with(&folder, &["config", "show", "--json"], &[]);
        let told = shown.err.starts_with(warning) && shown.err.ends_with("; this table counts as empty\n");
        assert!(shown.code == 0 && told, "{}", shown.err);
        let settings = settings(&shown.out);
        assert_eq!(settings.get(key), value.as_ref(), "{}", shown.out);
        let other = if value.is_some() { "prices.m.input" } else { "ai.content" };
        assert!(settings[other] == json!(1) || settings[other] == json!(true), "{}", shown.out);
    }
}

#[test]
fn keys_and_defaults_for_ai_are_those_of_the_crate() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&ok(&folder, &["config", "schema"])).unwrap();
    for (table, pointer) in [
        ("", "/properties/ai/properties"),
        ("hide = { xyz = 1 }", "/properties/ai/properties/hide/properties"),
        ("budget = { xyz = 1 }", "/properties/ai/properties/budget/properties"),
    ] {
        let text = if table.is_empty() { "xyz = 1" } else { table };
        let refused = spandrel_genai::Settings::from_toml(text).unwrap_err().to_string();
        let (_, expected) = refused.split_once(" (known here: ").unwrap();
        let mut known: Vec<&str> =
            expected.trim_end_matches(')').split(", ").filter(|key| *key != "dialects").collect();
        known.sort_unstable();
        let keys: Vec<&String> = schema.pointer(pointer).unwrap().as_object().unwrap().keys().collect();
        assert_eq!(keys, known, "{pointer} in cli/src/config/schema.json");
    }
    let shown = ok(&folder, &["config", "show"]);
    let ai: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("ai.")).collect();
    let settings = spandrel_genai::Settings::from_toml(&ai.join("\n")).unwrap();
    assert_eq!((ai.len(), settings), (13, spandrel_genai::Settings::default()), "{shown}");
}

fn settings(text: &str) -> BTreeMap<String, Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    let all = document["settings"].as_array().unwrap();
    all.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), one["value"].clone())).collect()
}

#[test]
fn mistakes_are_answered_with_line_and_column() {
    let folder = Folder::new();
    for (text, code, message) in [
        (
            "\ntpye = 'file'",
            1,
            "error: spandrel.toml:2:1: unknown configuration key `tpye`; did you mean `type`? (known",
        ),
        (
            "[sampler]\nratio = 2",
            1,
            "error: spandrel.toml:2:1: the sampling ratio must be a number from 0 to 1, not 2\n",
        ),
        ("type = ", 1, "error: spandrel.toml:1:8: "),
        (
            "type = 'file'\n[provider.file]\n\npaht = 'x'",
            1,
            "error: unknown configuration key `paht`; did you mean `path`? (known here: path, format, durability, \
             sync_interval_ms, rotate)\n  key: paht\n  at: spandrel.toml:4:1\n  provider: file\n",
        ),
        (
            "type = 'fiel'",
            1,
            "error: there is no provider `fiel`; did you mean `file`?\n  searched: plugin_dirs: not set, ",
        ),
        (
            "type = 'file'\n[provider.fiel]\na = 1",
            1,
            "error: there is no provider `fiel` to have settings; did you mean `file`?\n  at: spandrel.toml:3:1\n  or: --known fiel",
        ),
        (
            "type = 'file'\n[provider.something]\na = 1",
            0,
            "warning: there are settings for a provider `something`, which is neither in use nor known here\n",
        ),
        ("type = file", 1, "error: spandrel.toml:1:8: a text stands in quotes; write `type = \"file\"`\n"),
        (
            "type = 'opentelemetry'",
            0,
            "spandrel.toml and the environment are fine: type = opentelemetry\nnote: `opentelemetry` needs the Cargo feature \
             `opentelemetry` of `spandrel` in the service; its settings are not checked here\n",
        ),
    ] {
        std::fs::write(folder.file("spandrel.toml"), text).unwrap();
        let run = run(&folder, &["config", "check"]);
        assert_eq!((run.code, &*run.err), (code, ""), "{text}");
        assert!(run.out.starts_with(message), "{text}\n{}", run.out);
    }
    std::fs::write(folder.file("spandrel.toml"), "type = 'ours'").unwrap();
    ok(&folder, &["config", "check", "--known", "ours"]);
    let missing = run(&folder, &["config", "check", "--config", "nowhere.toml", "--json"]);
    let document: Value = serde_json::from_str(&missing.out).unwrap();
    assert_eq!((missing.code, &document["ok"]), (3, &json!(false)));
    let warned = run_with(&folder, &["config", "check", "--known", "ours", "--json"], &[("TRACING_TYP", "x")]);
    let document: Value = serde_json::from_str(&warned.out).unwrap();
    let expected = json!({
        "ok": true, "file": "spandrel.toml", "errors": [],
        "warnings": ["the environment variable TRACING_TYP means nothing; did you mean TRACING_TYPE?"],
        "notes": [],
    });
    assert_eq!(document, expected);
}

#[test]
fn origins_are_shown_and_secrets_are_not() {
    let folder = Folder::new();
    let text = "type = 'file'\n[service]\nname = 'shop'\nattributes = { region = 'eu-1', api-key = 'sesame' }\n\
                [provider.file]\npath = '${HOME}/t.jsonl'\n[provider.own]\nauth_token = 'sesame'\n\
                url = 'http://me:sesame@host/'\nheaders = { x-team = 'sesame' }\n[redaction]\nkeys = ['iban']\n\
                patterns = ['mail', 'ip']\nrules = [{ name = 'order', pattern = 'ORD-\\d{8}' }]\nmode = 'drop'\n";
    std::fs::write(folder.file("spandrel.toml"), text).unwrap();
    let variables = [
        ("TRACING_SERVICE_NAME", "orders"),
        ("TRACING_PROVIDER__FILE__FORMAT", "log"),
        ("TRACING_REDACT_KEYS", "pin"),
        ("TRACING_REDACT_MODE", "hash"),
    ];
    let run = run_with(&folder, &["config", "show", "--origin"], &variables);
    assert_eq!((run.code, &*run.err), (0, ""));
    for line in [
        "type = [\"file\"]                               # spandrel.toml:1:1",
        "service.name = \"orders\"                       # TRACING_SERVICE_NAME",
        "service.attributes.region = \"eu-1\"            # spandrel.toml:4:16",
        "service.attributes.api-key = \"[REDACTED]\"     # spandrel.toml:4:33",
        "enabled = true                                # default",
        "sampler.type = \"parent_always_on\"             # default",
        "redaction.keys = [\"iban\", \"pin\"]              # spandrel.toml:12:1, TRACING_REDACT_KEYS",
        "redaction.patterns = [\"mail\", \"ip\"]           # spandrel.toml:13:1",
        "redaction.rules = [{ name = \"order\", pattern = \"ORD-\\\\d{8}\" }]  # spandrel.toml:14:1",
        "redaction.mode = \"hash\"                       # TRACING_REDACT_MODE",
        "provider.file.format = \"log\"                  # TRACING_PROVIDER__FILE__FORMAT",
        "provider.own.auth_token = \"[REDACTED]\"        # spandrel.toml:8:1",
        "provider.own.headers.x-team = \"[REDACTED]\"    # spandrel.toml:10:13",
    ] {
        assert!(run.out.lines().any(|shown| shown == line), "{line}\n{}", run.out);
    }
    assert!(!run.out.contains("sesame"), "{}", run.out);
    assert!(run.out.contains(&format!("provider.file.path = \"{}/t.jsonl\"", folder.path().display())), "{}", run.out);
}

#[test]
fn each_variable_is_an_origin() {
    let folder = Folder::new();
    let origin = |key: &str, variables: &[(&str, &str)]| {
        let run = run_with(&folder, &["config", "show", "--json"], variables);
        assert_eq!(run.code, 0, "{variables:?} {}", run.err);
        let document: Value = serde_json::from_str(&run.out).unwrap();
        let found = document["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).cloned();
        found.map(|one| (one["origin"].as_str().unwrap().to_owned(), one["value"].clone()))
    };
    for (variable, value, key, expected) in [
        ("TRACING_TYPE", "file", "type", json!(["file"])),
        ("TRACING_EXPORTER", "file", "type", json!(["file"])),
        ("OTEL_TRACES_EXPORTER", "console", "type", json!(["console"])),
        ("TRACING_ENABLED", "no", "enabled", json!(false)),
        ("OTEL_SDK_DISABLED", "true", "enabled", json!(false)),
        ("TRACING_SERVICE_NAME", "x", "service.name", json!("x")),
        ("OTEL_SERVICE_NAME", "x", "service.name", json!("x")),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x", "service.name", json!("x")),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=x", "service.attributes.team", json!("x")),
        ("TRACING_SERVICE_VERSION", "2", "service.version", json!("2")),
        ("TRACING_ENVIRONMENT", "test", "service.environment", json!("test")),
        ("TRACING_SAMPLER", "always_off", "sampler.type", json!("always_off")),
        ("TRACING_SAMPLE_RATE", "0.5", "sampler.ratio", json!(0.5)),
        ("OTEL_TRACES_SAMPLER", "always_off", "sampler.type", json!("always_off")),
        ("TRACING_PROPAGATORS", "b3", "propagators", json!(["b3"])),
        ("OTEL_PROPAGATORS", "b3", "propagators", json!(["b3"])),
        ("TRACING_TRUST", "link", "trust", json!("link")),
        ("TRACING_FORCED_TRACES_PER_SECOND", "7", "forced_traces_per_second", json!(7)),
        ("TRACING_REDACT_KEYS", "iban", "redaction.keys", json!(["iban"])),
        ("TRACING_REDACT_PATTERNS", "ip,mail", "redaction.patterns", json!(["ip", "mail"])),
        ("TRACING_REDACT_PATTERNS", "off", "redaction.patterns", json!([])),
        ("TRACING_REDACT_MODE", "hash", "redaction.mode", json!("hash")),
        ("TRACING_AI__DIALECT", "both", "ai.dialect", json!("both")),
        ("TRACING_AI__DIALECTS", "openinference,otel-genai-next", "ai.dialect", json!("openinference,otel-genai-next")),
        ("TRACING_AI__CONTENT", "true", "ai.content", json!(true)),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY", "ai.content", json!(true)),
        ("TRACING_AI__MAX_CONTENT_BYTES", "7", "ai.max_content_bytes", json!(7)),
        ("OPENINFERENCE_HIDE_INPUT_IMAGES", "True", "ai.hide.input_images", json!(true)),
        ("TRACING_AI__HIDE__LLM_PROMPTS", "true", "ai.hide.llm_prompts", json!(true)),
        ("TRACING_AI__BUDGET__DAY_USD", "2.5", "ai.budget.day_usd", json!(2.5)),
        ("TRACING_FLUSH_ON_SIGNALS", "on", "flush_on_signals", json!(true)),
        ("TRACING_RELOAD_ON_SIGHUP", "true", "reload_on_sighup", json!(true)),
        ("TRACING_SPOOL_DIR", "/x", "spool.dir", json!("/x")),
        ("TRACING_SHUTDOWN_TIMEOUT_MS", "7", "shutdown_timeout_ms", json!(7)),
        ("TRACING_DEBUG_OPEN_SPANS", "1", "debug_open_spans", json!(true)),
        ("TRACING_ON_ERROR", "noop", "on_error", json!("noop")),
        ("TRACING_ON_FULL", "block", "batch.on_full", json!("block")),
        ("OTEL_BSP_SCHEDULE_DELAY", "7", "batch.delay_ms", json!(7)),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1000", "batch.queue_bytes", json!(256_000)),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2", "batch.max_bytes", json!(512)),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7", "limits.attributes", json!(7)),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "7", "limits.attributes", json!(7)),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "limits.value_chars", json!(7)),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "limits.value_chars", json!(7)),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "7", "limits.events", json!(7)),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "7", "limits.links", json!(7)),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "7", "limits.event_attributes", json!(7)),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "7", "limits.link_attributes", json!(7)),
        ("TRACING_ALLOW_PLUGINS", "false", "allow_plugins", json!(false)),
        ("TRACING_PLUGIN__AUDIT__PROVIDER", "file", "plugin.audit.provider", json!("file")),
        ("TRACING_PROVIDER__FILE__PATH", "x", "provider.file.path", json!("x")),
    ] {
        assert_eq!(origin(key, &[(variable, value)]), Some((variable.to_owned(), expected.clone())), "{variable}");
        assert_ne!(origin(key, &[]).map(|(_, value)| value), Some(expected), "{variable} changes nothing");
    }
    // Ours wins over that of OpenTelemetry; what says nothing about a key is no origin of it.
    let both = [("TRACING_SERVICE_NAME", "a"), ("OTEL_SERVICE_NAME", "b"), ("OTEL_SDK_DISABLED", "false")];
    assert_eq!(origin("service.name", &both), Some(("TRACING_SERVICE_NAME".to_owned(), json!("a"))));
    assert_eq!(origin("enabled", &both), Some(("default".to_owned(), json!(true))));
}

#[test]
fn other_names_are_origins() {
    let folder = Folder::new();
    let text = "exporter = 'otlp'\nservice_name = 'shop'\nservice_version = '2'\nenvironment = 'test'\n\
                sample_rate = 0.5\nendpoint = 'http://jaeger:4317'\n";
    std::fs::write(folder.file("spandrel.toml"), text).unwrap();
    let shown = ok(&folder, &["config", "show", "--origin"]);
    for line in [
        "type = [\"otlp\"]                               # spandrel.toml:1:1",
        "service.name = \"shop\"                         # spandrel.toml:2:1",
        "service.version = \"2\"                         # spandrel.toml:3:1",
        "service.environment = \"test\"                  # spandrel.toml:4:1",
        "sampler.ratio = 0.5                           # spandrel.toml:5:1",
        "provider.otlp.endpoint = \"http://jaeger:4317\"  # spandrel.toml:6:1",
    ] {
        assert!(shown.lines().any(|one| one == line), "{line}\n{shown}");
    }
    ok(&folder, &["config", "check"]);
    // An error of the provider says where the endpoint stands.
    let wrong = [("TRACING_ENDPOINT", "jaeger:4318")];
    let refused = run_with(&folder, &["config", "check"], &wrong);
    assert_eq!(refused.code, 1);
    assert!(refused.out.starts_with("error: the endpoint `jaeger:4318` has no scheme\n"), "{}", refused.out);
    assert!(refused.out.contains("\n  at: TRACING_ENDPOINT\n"), "{}", refused.out);
}

/// Keys of a table as an error about an unknown one lists them.
fn known_keys(folder: &Folder, text: &str) -> Vec<String> {
    std::fs::write(folder.file("spandrel.toml"), text).unwrap();
    let run = run(folder, &["config", "check"]);
    let (_, known) = run.out.split_once("(known here: ").unwrap_or_else(|| panic!("{text}\n{}", run.out));
    let mut known: Vec<String> = known.split(')').next().unwrap().split(", ").map(str::to_owned).collect();
    known.sort();
    known
}

#[test]
fn the_schema_has_the_keys_of_the_facade() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&ok(&folder, &["config", "schema"])).unwrap();
    let file = "type = 'file'\n";
    for (text, pointer) in [
        ("xyz = 1".to_owned(), "/properties"),
        ("[service]\nxyz = 1".to_owned(), "/properties/service/properties"),
        ("[sampler]\nxyz = 1".to_owned(), "/properties/sampler/properties"),
        ("[[sampler.rules]]\nratio = 1\nxyz = 1".to_owned(), "/properties/sampler/properties/rules/items/properties"),
        ("[limits]\nxyz = 1".to_owned(), "/properties/limits/properties"),
        ("[batch]\nxyz = 1".to_owned(), "/properties/batch/properties"),
        ("[spool]\nxyz = 1".to_owned(), "/properties/spool/properties"),
        ("[redaction]\nxyz = 1".to_owned(), "/properties/redaction/properties"),
        ("[plugin.x]\nxyz = 1".to_owned(), "/properties/plugin/additionalProperties/properties"),
        (format!("{file}[provider.file]\nxyz = 1"), "/properties/provider/properties/file/properties"),
        (
            format!("{file}[provider.file.rotate]\nxyz = 1"),
            "/properties/provider/properties/file/properties/rotate/properties",
        ),
    ] {
        let keys: Vec<&String> = schema.pointer(pointer).unwrap().as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            known_keys(&folder, &text).iter().collect::<Vec<_>>(),
            "{pointer} in cli/src/config/schema.json"
        );
    }
    // And its defaults.
    std::fs::remove_file(folder.file("spandrel.toml")).unwrap();
    for (key, value) in settings(&ok(&folder, &["config", "show", "--json"])) {
        let pointer = format!("/properties/{}/default", key.replace('.', "/properties/"));
        if let Some(default) = schema.pointer(&pointer).filter(|_| key != "type") {
            assert_eq!(*default, value, "{key}");
        }
    }
}

#[test]
fn completions_name_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&folder, &["completions", shell]);
        assert!(
            ["doctor", "convert", "--min-duration"].iter().all(|word| script.contains(word.trim_start_matches('-'))),
            "{shell}"
        );
    }
}

#[test]
fn what_is_shown_is_toml_and_can_be_loaded() {
    let folder = Folder::new();
    for sampler in [
        "",
        "[sampler]\ntype = 'always_on'",
        "[sampler]\nratio = 0.25",
        "[sampler]\ntype = 'ratio'\nratio = 1",
        "[sampler]\nper_second = 50",
        "[sampler]\nper_second = 0.5\nparent_based = false",
        "[sampler]\nratio = 0.5\n[[sampler.rules]]\nname = 'GET *'\nratio = 0.0\n[[sampler.rules]]\nkind = 'server'\nper_second = 2",
    ] {
        let text = format!(
            "type = ['file', 'own']\nforced_traces_per_second = 7\nplugin_dirs = ['/x y']\n[service]\nname = 'a \"b\"'\n\
             attributes = {{ \"k8s.pod.name\" = 'x', beta = true, shard = 3 }}\n[plugin.own]\nprovider = 'memory'\n\
             [provider.file]\nrotate = {{ max_bytes = 5, keep = 2 }}\n[provider.own]\nheaders = {{ \"x.y\" = 'sesame' }}\n\
             [spool]\ndir = '/x'\n[batch]\nblock_ms = 5\n[redaction]\nrules = [{{ name = 'a', pattern = '^\\d+$' }}]\n\
             [ai]\ndialect = 'both'\nbudget = {{ user_usd = 2 }}\n[prices]\n\"m.x\" = {{ input = 0.25 }}\n{sampler}\n"
        );
        std::fs::write(folder.file("spandrel.toml"), text).unwrap();
        let shown = ok(&folder, &["config", "show", "--origin"]);
        let table: toml::Table = shown.parse().unwrap_or_else(|error| panic!("{error}\n{shown}"));
        assert_eq!(table["service"]["attributes"]["k8s.pod.name"].as_str(), Some("x"), "{shown}");
        assert_eq!(table["provider"]["own"]["headers"]["x.y"].as_str(), Some("[REDACTED]"), "{shown}");
        std::fs::write(folder.file("again.toml"), ok(&folder, &["config", "show"])).unwrap();
        let again = ok(&folder, &["config", "show", "--config", "again.toml"]);
        assert_eq!(again, ok(&folder, &["config", "show"]), "{sampler}");
    }
}
