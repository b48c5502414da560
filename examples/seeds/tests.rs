//! The programs of the seeds run, and show the names that their readers look for.

use serde_json::{Value, json};
use spandrel_integration_tests::process::{self, Folder};

/// What a program printed: spans, and lines of other kinds.
struct Printed {
    spans: Vec<Value>,
    others: Vec<String>,
}

impl Printed {
    /// Runs it with spans as lines of JSON, where it prints trees otherwise; it has nothing to complain about.
    #[track_caller]
    fn by(program: &str) -> Self {
        let folder = Folder::new();
        let temp = folder.path().to_str().unwrap();
        let variables = [("TMPDIR", temp), ("TRACING_PROVIDER__CONSOLE__FORMAT", "json")];
        let variables = if program.ends_with("storefront") { &variables[..1] } else { &variables };
        let output = process::run(process::command(program, &folder, &[], variables));
        let [said, warned] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!((&*warned, output.status.code()), ("", Some(0)), "{said}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
        let mut printed = Self { spans: Vec::new(), others: Vec::new() };
        for line in said.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(span) if span["attributes"].is_object() => printed.spans.push(span),
                _ => printed.others.push(line.to_owned()),
            }
        }
        // Those of several threads come in any order; lines for logs have no start, and keep theirs.
        printed.spans.sort_by_key(|span| span["start"].as_u64());
        printed
    }

    /// The spans with this name, as they began.
    fn spans(&self, name: &str) -> Vec<&Value> {
        self.spans.iter().filter(|span| span["name"] == name).collect()
    }

    /// The only span with this name.
    #[track_caller]
    fn span(&self, name: &str) -> &Value {
        match self.spans(name)[..] {
            [span] => span,
            ref others => panic!("{} spans {name}: {:#?}", others.len(), self.spans),
        }
    }

    #[track_caller]
    fn assert_said(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.others.iter().any(|line| line.contains(part)), "{part} is not in {:#?}", self.others);
        }
    }
}

/// The span has these attributes, and these with any value.
#[track_caller]
fn assert_has(span: &Value, attributes: Value, others: &[&str]) {
    for (key, value) in attributes.as_object().unwrap() {
        assert_eq!(span["attributes"][key], *value, "{key} of {span:#}");
    }
    for key in others {
        assert!(!span["attributes"][key].is_null(), "{key} of {span:#}");
    }
}

#[test]
fn cost_katana() {
    let printed = Printed::by(env!("CARGO_BIN_EXE_seed_000_cost_katana"));
    let calls = printed.spans("gpt-4");
    assert_eq!(calls.len(), 3);
    let wanted =
        json!({ "type": "llm", "model": "gpt-4", "provider": "openai", "sessionId": "session-1", "userId": "user-7" });
    assert_has(calls[0], wanted, &["tokens.input", "tokens.output", "costUSD", "duration"]);
    assert_has(calls[2], json!({ "sessionId": "session-2" }), &[]);
    assert_eq!(printed.spans("claude-3-5-haiku-20241022").len(), 3);
    assert_eq!(printed.spans("llama-3.3-70b-versatile").len(), 3);
    let metadata = json!({ "type": "tool", "metadata.rowCount": 2, "metadata.my-secret-key": "[REDACTED]" });
    assert_has(printed.spans("database-query")[0], metadata, &["metadata.query"]);

    let request = printed.spans("POST /chat")[0];
    assert_has(request, json!({ "session.id": "session-1" }), &["totalInputTokens", "totalOutputTokens"]);
    let models = ["gpt-4", "claude-3-5-haiku-20241022", "llama-3.3-70b-versatile"];
    let cost = models.map(|model| printed.spans(model)[0]["attributes"]["costUSD"].as_f64().unwrap());
    let total = request["attributes"]["totalCostUSD"].as_f64().unwrap();
    assert!(
        (total - cost.iter().sum::<f64>()).abs() < 5e-10,
        "{total} is the sum of {cost:?}, to the billionth of a dollar"
    );

    // Of the sessions as of the provider `memory`, and of the budget.
    printed.assert_said(&["session-1: totalSpans=", "session-2: totalSpans=", "budget: session session-1 spent "]);
    let messages = &printed.spans("POST /chat")[1]["events"];
    let question = "And what is an arch? My password: [REDACTED]";
    assert_eq!(messages[0]["attributes"], json!({ "gen_ai.message.role": "user", "gen_ai.message.content": question }));
    assert_eq!(messages[1]["attributes"]["gen_ai.message.role"], "assistant");
    let all = format!("{:?} {:?}", printed.spans, printed.others);
    assert!(!all.contains("hunter2") && !all.contains("k-123"), "{all}");
}

#[test]
fn ai_infra() {
    let printed = Printed::by(env!("CARGO_BIN_EXE_seed_001_ai_infra"));
    let calls = printed.spans("llm.generate");
    assert_eq!(calls.len(), 4, "one alone, two of the agent, one from elsewhere; two are not traced");
    for call in &calls {
        let wanted = json!({
            "ai.provider": "openai",
            "ai.model": "gpt-4o",
            "ai.prompt_tokens": 5,
            "ai.completion_tokens": 20,
            "ai.total_tokens": 25,
            // 5 x 2.50 + 20 x 10 for a million; what the document says is a mistake.
            "ai.cost": 0.0002125
        });
        assert_has(call, wanted, &["ai.duration_ms"]);
    }
    let is_below = |child: &str, parent: &str| {
        assert_eq!(printed.span(child)["parent_span_id"], printed.span(parent)["span_id"], "{child} of {parent}");
    };
    is_below("agent.step.1", "agent.run");
    is_below("agent.step.2", "agent.run");
    is_below("tool.search", "agent.step.2");
    is_below("child", "caller");
    let within =
        |parent: &str| calls.iter().filter(|call| call["parent_span_id"] == printed.span(parent)["span_id"]).count();
    assert_eq!(["agent.step.1", "agent.step.2", "child"].map(within), [1, 1, 1]);
    let arguments = r#"{"limit":10,"query":"Do something"}"#;
    let wanted = json!({ "tool.name": "search", "tool.args": arguments });
    assert_has(printed.span("tool.search"), wanted, &["ai.duration_ms"]);

    assert_has(printed.span("my_operation"), json!({ "custom_key": "value", "result_count": 3 }), &[]);
    let custom = json!({ "user.id": "user123", "feature.name": "chat", "request.size": 1024 });
    assert_has(printed.span("custom"), custom, &[]);
    let events = &printed.span("processing")["events"];
    assert_eq!(events[0]["name"], "step_1_complete");
    assert_eq!(events[1]["attributes"]["items_processed"], 200);
    let failed = printed.span("operation");
    assert_eq!((&failed["status"], &failed["events"][0]["name"]), (&"error".into(), &"exception".into()));

    let logs: Vec<Value> = printed.others.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(logs.len(), 6, "one for each call: {:#?}", printed.others);
    let ids = |value: &Value| (value["trace_id"].clone(), value["span_id"].clone());
    let with_ids: Vec<_> = logs.iter().filter(|log| !log["trace_id"].is_null()).map(ids).collect();
    assert_eq!(with_ids, calls.iter().map(|call| ids(call)).collect::<Vec<_>>());

    let labels = r#"operation="chat",provider="openai",model="gpt-4o""#;
    for line in [
        format!("ai_llm_requests_total{{{labels},status=\"ok\"}} 6"),
        format!("ai_llm_tokens_total{{{labels},type=\"input\"}} 30"),
        format!("ai_llm_tokens_total{{{labels},type=\"output\"}} 120"),
        format!("ai_llm_cost_dollars{{{labels}}} 0.001275"),
        format!("ai_llm_duration_seconds_count{{{labels}}} 6"),
    ] {
        printed.assert_said(&[&line]);
    }
}

#[test]
fn ai_storefront() {
    let printed = Printed::by(env!("CARGO_BIN_EXE_seed_002_ai_storefront"));
    let [call, turn, failed, failed_turn] = &printed.spans[..] else { panic!("{:#?}", printed.spans) };
    assert_eq!(printed.others, [""; 0], "lines of spans and nothing else");

    let mut sample: Value = serde_json::from_str(SAMPLE).unwrap();
    // The name under which other dialects look for the thread; it is on every span within the scope.
    sample["attributes"]["session.id"] = "test-thread-123".into();
    assert!(call["trace"]["duration"].as_str().is_some_and(|text| text.ends_with("ms")), "{call}");
    for (key, id_length) in [("traceId", 32), ("spanId", 16)] {
        assert_eq!(call["trace"][key].as_str().map(str::len), Some(id_length));
        sample["trace"][key] = call["trace"][key].clone();
    }
    sample["timestamp"] = call["timestamp"].clone();
    sample["trace"]["duration"] = call["trace"]["duration"].clone();
    assert_eq!(*call, sample, "what differs from run to run is taken from the line itself");

    assert_eq!(turn["message"], "TRACE: chat.continue_thread");
    assert_eq!(turn["trace"]["traceId"], call["trace"]["traceId"]);
    let attributes = &turn["attributes"];
    assert_eq!(attributes["chat.thread_id"], "test-thread-123");
    assert_eq!(attributes["chat.user_id"], "test-user");
    assert_eq!(attributes["chat.turn_id"], "test-thread-123-1755358043101");
    let events: Vec<&Value> = turn["events"].as_array().unwrap().iter().map(|event| &event["name"]).collect();
    assert_eq!(events, ["chat.turn.start", "chat.turn.complete"]);
    assert!(turn["events"][0]["timestamp"].as_u64().is_some_and(|ms| ms > 1_755_358_043_101));

    for line in [failed, failed_turn] {
        assert_eq!((&line["level"], &line["trace"]["status"]), (&"ERROR".into(), &"ERROR".into()), "{line}");
    }
    assert_eq!(failed["attributes"]["error.type"], "_OTHER");
}

/// From the document, "LLM Call Tracing".
const SAMPLE: &str = r#"{
  "timestamp": "2025-08-16T15:27:07.073Z",
  "level": "INFO",
  "message": "TRACE: openai.chat.completions.create",
  "trace": {
    "traceId": "unique-trace-id",
    "spanId": "unique-span-id",
    "operation": "openai.chat.completions.create",
    "duration": "4283ms",
    "status": "OK"
  },
  "attributes": {
    "service.name": "ai-storefront",
    "service.version": "1.0.0",
    "llm.vendor": "openai",
    "llm.request.model": "gpt-4o-mini",
    "llm.request.temperature": 0.7,
    "llm.usage.prompt_tokens": 159,
    "llm.usage.completion_tokens": 237,
    "llm.usage.total_tokens": 396,
    "user.id": "test-user",
    "thread.id": "test-thread-123",
    "response.finish_reason": "stop"
  }
}"#;

#[test]
fn arize() {
    let printed = Printed::by(env!("CARGO_BIN_EXE_seed_004_arize"));
    let calls = printed.spans("claude-3-5-haiku-20241022");
    assert_eq!(calls.len(), 2);
    let wanted = json!({
        "cost.model_name": "claude-3-5-haiku-20241022",
        "cost.prompt_tokens": 1000,
        "cost.completion_tokens": 500,
        "cost.total_tokens": 1500,
        // By the document's own table; the sum in its text is a mistake.
        "cost.total_usd": 0.000875,
        "cost.input_cost_usd": 0.00025,
        "cost.output_cost_usd": 0.000625,
        "llm.prompt_template.template": "Analyze this call: {transcript}",
        "llm.prompt_template.version": "2.0",
        "llm.prompt_template.variables": r#"{"transcript":"Hello, this is Acme."}"#
    });
    assert_has(calls[0], wanted, &[]);
    assert!(calls[1]["attributes"]["llm.prompt_template.version"].is_null(), "it is outside of that scope");

    let wanted = json!({
        "openinference.span.kind": "AGENT",
        "input.value": r#"{"model":"claude-3-5-haiku-20241022","transcript":"Hello, this is Acme."}"#,
        "output.value": "7 words"
    });
    assert_has(printed.span("analyze_transcript"), wanted, &[]);
    let wanted = json!({
        "openinference.span.kind": "AGENT",
        "agent_name": "technical_evaluator",
        "agent_role": "Senior Technical Architect",
        "task_description": "Evaluate technical depth",
        "input.value": "Hello, this is Acme.",
        "output.value": r#"{"depth":"4 words"}"#
    });
    assert_has(printed.span("technical_evaluator"), wanted, &[]);
    for span in &printed.spans {
        let wanted = json!({
            "session.id": "session456",
            "user.id": "user123",
            "metadata.call_id": "call789",
            "metadata.customer": "Acme Corp",
            "tag.tags": ["production", "v2"]
        });
        assert_has(span, wanted, &["performance.duration_seconds", "performance.latency_ms"]);
    }
    let link = &printed.span("child_operation")["links"][0];
    assert_eq!(link["span_id"], printed.span("technical_evaluator")["span_id"]);
    assert_eq!(link["attributes"]["link.type"], "related_analysis");
    printed.assert_said(&["the evaluation cost 0.000875 USD in 1 model call"]);
}
