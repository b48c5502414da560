//! What goes in and comes out, as each dialect has it, and where it is not recorded.

use std::time::Duration;

use serde_json::{Value as Json, json};
use spandrel::{OwnedValue, SpanData};
use spandrel_genai::{self as ai, Document, Message, Part};

/// Calls `f` with this table `[ai]`, and gives back what was recorded.
fn with_ai(table: &str, f: impl FnOnce()) -> Vec<SpanData> {
    let store = spandrel_provider_memory::MemoryStore::new(std::num::NonZeroUsize::MAX);
    let exported = store.clone();
    let tracer = spandrel::builder()
        .default_config(format!("[ai]\n{table}"))
        .exporter("memory", move || spandrel_provider_memory::MemoryExporter::new(exported.clone()))
        .build()
        .unwrap();
    tracer.context().within(f);
    tracer.shutdown(Duration::from_secs(60)).unwrap();
    store.take()
}

fn only(table: &str, f: impl FnOnce()) -> SpanData {
    let mut spans = with_ai(table, f);
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

fn text<'a>(span: &'a SpanData, key: &str) -> Option<&'a str> {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => Some(text),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

fn json_of(span: &SpanData, key: &str) -> Json {
    text(span, key).map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
}

/// The keys that begin like that, without it.
fn keys<'a>(span: &'a SpanData, prefix: &str) -> Vec<&'a str> {
    let mut keys: Vec<&str> = span.attributes.iter().filter_map(|a| a.key.strip_prefix(prefix)).collect();
    keys.sort_unstable();
    keys
}

fn is_told(spans: &[SpanData], secret: &str) -> bool {
    format!("{spans:?}").contains(secret)
}

const OPENINFERENCE: &str = "dialect = 'openinference'\ncontent = true\n";
const OTEL: &str = "content = true\n";
const BOTH: &str = "dialect = 'both'\ncontent = true\n";
const OFF: &str = "dialect = 'both'\n";

fn told(messages: Vec<Message>) {
    ai::llm_call("openai", "gpt-4o").system_instructions(|| "Be brief.").input_messages(|| messages).run(|_| ());
}

#[test]
fn system_instructions_are_the_first_message_of_openinference() {
    let prefix = "llm.input_messages.";
    let span = only(OPENINFERENCE, || told(vec![Message::user("Hi"), Message::assistant("Hello")]));
    assert_eq!(text(&span, "llm.input_messages.0.message.role"), Some("system"));
    assert_eq!(text(&span, "llm.input_messages.0.message.content"), Some("Be brief."));
    assert_eq!(text(&span, "llm.input_messages.1.message.content"), Some("Hi"));
    assert_eq!(text(&span, "llm.input_messages.2.message.role"), Some("assistant"));
    assert_eq!(span.attribute("gen_ai.system_instructions"), None);

    let alone = only(OPENINFERENCE, || told(Vec::new()));
    assert_eq!(text(&alone, "llm.input_messages.0.message.content"), Some("Be brief."));
    assert_eq!(alone.attribute("input.value"), None);

    let twice = only(OPENINFERENCE, || told(vec![Message::system("Be brief."), Message::user("Hi")]));
    assert_eq!(keys(&twice, prefix), ["0.message.content", "0.message.role", "1.message.content", "1.message.role"]);
    let more = only(OPENINFERENCE, || told(vec![Message::system("Answer in French."), Message::user("Hi")]));
    assert_eq!(keys(&more, prefix).len(), 6, "both were told");
}

#[test]
fn system_instructions_are_parts_of_opentelemetry() {
    let span = only(OTEL, || told(vec![Message::user("Hi")]));
    assert_eq!(text(&span, "gen_ai.system_instructions"), Some(r#"[{"content":"Be brief.","type":"text"}]"#));
    assert_eq!(json_of(&span, "gen_ai.input.messages")[0]["role"], "user");
    assert_eq!(keys(&span, "llm."), [""; 0]);
    assert_eq!(span.attribute("input.value"), None, "that is OpenInference's way");
}

#[test]
fn system_instructions_are_hidden_as_messages_are() {
    let work = || told(vec![Message::user("Hi there")]);
    for table in [OFF.to_owned(), format!("{BOTH}hide.inputs = true"), format!("{BOTH}hide.input_messages = true")] {
        let spans = with_ai(&table, work);
        assert!(!is_told(&spans, "brief") && !is_told(&spans, "Hi there"), "{table}");
        assert_eq!(keys(&spans[0], "llm.input_messages"), [""; 0], "{table}");
    }
    let spans = with_ai(&format!("{BOTH}hide.input_text = true"), work);
    assert!(!is_told(&spans, "brief") && !is_told(&spans, "Hi there"));
    for key in ["llm.input_messages.0.message.content", "llm.input_messages.1.message.content", "input.value"] {
        assert_eq!(text(&spans[0], key), Some("__REDACTED__"));
    }
    assert_eq!(json_of(&spans[0], "gen_ai.system_instructions")[0]["content"], "__REDACTED__");
    let cut = only(&format!("{BOTH}max_content_bytes = 2"), work);
    assert_eq!(text(&cut, "llm.input_messages.0.message.content"), Some("Be… [7 bytes more]"));
}

fn with_tools() {
    let tools = json!([
        { "type": "function", "function": { "name": "search", "description": "Looks things up.", "parameters": {} } },
        { "type": "function", "function": { "name": "lights", "description": "Switches them.", "parameters": {} } },
    ]);
    ai::llm_call("openai", "gpt-4o").tool_definitions(|| tools.to_string()).run(|_| ());
}

#[test]
fn tools_stand_in_both_dialects_and_stay_json_when_they_are_cut() {
    let span = only(BOTH, with_tools);
    assert_eq!(json_of(&span, "gen_ai.tool.definitions")[1]["function"]["name"], "lights");
    assert_eq!(json_of(&span, "llm.tools.0.tool.json_schema")["function"]["description"], "Looks things up.");
    assert_eq!(json_of(&span, "llm.tools.1.tool.json_schema")["function"]["name"], "lights");
    assert_eq!(only(OTEL, with_tools).attribute("llm.tools.0.tool.json_schema"), None);
    assert_eq!(only(OPENINFERENCE, with_tools).attribute("gen_ai.tool.definitions"), None);

    let cut = only(&format!("{BOTH}max_content_bytes = 180"), with_tools);
    let tools = json_of(&cut, "gen_ai.tool.definitions");
    assert_eq!(tools[0]["function"]["description"], "Looks things up.");
    assert_eq!(tools[1], json!({ "type": "function", "function": { "name": "lights" } }));
    assert_eq!(json_of(&cut, "llm.tools.1.tool.json_schema"), tools[1]);
    let cut = only(&format!("{BOTH}max_content_bytes = 60"), with_tools);
    assert_eq!(json_of(&cut, "gen_ai.tool.definitions").as_array().map(Vec::len), Some(1));
    assert_eq!(keys(&cut, "llm.tools."), ["0.tool.json_schema"]);

    for table in [OFF.to_owned(), format!("{BOTH}hide.inputs = true")] {
        assert!(!is_told(&with_ai(&table, with_tools), "lights"), "{table}");
    }
}

fn asked_and_answered() {
    let messages = || vec![Message::user("First"), Message::assistant("Yes?"), Message::user("What is a spandrel?")];
    ai::llm_call("openai", "gpt-4o").input_messages(messages).run(|call| {
        call.set_output_messages(|| vec![Message::assistant("A triangle."), Message::assistant("A space.")]);
    });
}

#[test]
fn what_lists_of_spans_show_is_the_question_and_the_answer() {
    let span = only(OPENINFERENCE, asked_and_answered);
    assert_eq!(text(&span, "input.value"), Some("What is a spandrel?"));
    assert_eq!(text(&span, "output.value"), Some("A triangle."));
    assert_eq!(
        (text(&span, "input.mime_type"), text(&span, "output.mime_type")),
        (Some("text/plain"), Some("text/plain"))
    );
    let span = only(OTEL, asked_and_answered);
    assert_eq!((text(&span, "input.value"), text(&span, "output.value")), (None, None));

    let own = only(OPENINFERENCE, || {
        let call = ai::llm_call("openai", "gpt-4o").input(|| "my own").input_messages(|| vec![Message::user("Hi")]);
        call.run(|call| {
            call.set_output_messages(|| vec![Message::assistant("Hello")]);
            call.set_output(|| r#"{"text":"Hello"}"#);
        });
    });
    assert_eq!((text(&own, "input.value"), text(&own, "output.value")), (Some("my own"), Some(r#"{"text":"Hello"}"#)));
    assert_eq!(text(&own, "output.mime_type"), Some("application/json"));

    let hidden = only(&format!("{BOTH}hide.output_messages = true\nhide.input_text = true"), asked_and_answered);
    assert_eq!((text(&hidden, "input.value"), text(&hidden, "output.value")), (Some("__REDACTED__"), None));
    assert_eq!(only(OFF, asked_and_answered).attribute("input.value"), None);
}

#[test]
fn where_a_message_has_no_text_its_calls_and_results_are_shown() {
    let call = |id: &str| Part::ToolCall { id: id.into(), name: "search".into(), arguments: r#"{"q":"x"}"#.into() };
    let result = |id: &str| Part::ToolResult { id: id.into(), result: format!("found {id}") };
    let work = || {
        let mut results = Message::tool_result("c1", "found c1").with_part(result("c2"));
        "user".clone_into(&mut results.role);
        let mut calls = Message::assistant("").with_part(call("c3"));
        calls.parts.remove(0);
        ai::llm_call("anthropic", "claude-3-5-haiku-latest")
            .input_messages(|| vec![Message::user("Look."), results])
            .run(|llm| llm.set_output_messages(|| vec![calls]));
    };
    let span = only(OPENINFERENCE, work);
    assert_eq!(text(&span, "input.value"), Some("found c1\nfound c2"));
    assert_eq!(text(&span, "output.mime_type"), Some("application/json"));
    assert_eq!(json_of(&span, "output.value")[0]["arguments"]["q"], "x");
    // A message there has one id of a call, so each result is a message.
    for (at, id) in [(1, "c1"), (2, "c2")] {
        let key = |name: &str| format!("llm.input_messages.{at}.message.{name}");
        assert_eq!(text(&span, &key("role")), Some("tool"));
        assert_eq!(text(&span, &key("tool_call_id")), Some(id));
        assert_eq!(text(&span, &key("content")), Some(format!("found {id}").as_str()));
    }
}

#[test]
fn json_that_is_cut_is_not_called_json() {
    let work = || {
        let tool = ai::tool("t").arguments(|| r#"{"a":"12345678"}"#);
        tool.run(|tool| tool.set_tool_result(|| r#"{"b":"12345678"}"#));
    };
    let whole = only(OTEL, work);
    assert_eq!(
        (text(&whole, "input.mime_type"), text(&whole, "output.mime_type")),
        (Some("application/json"), Some("application/json"))
    );
    let cut = only(&format!("{OTEL}max_content_bytes = 8"), work);
    assert_eq!(text(&cut, "input.value"), Some("{\"a\":\"12… [8 bytes more]"));
    assert_eq!(
        (text(&cut, "input.mime_type"), text(&cut, "output.mime_type")),
        (Some("text/plain"), Some("text/plain"))
    );
}

#[test]
fn openinference_tells_whose_language_it_is_from_who_runs_the_model() {
    let names = |provider: &str| {
        let span = only(OPENINFERENCE, || ai::llm_call(provider, "m").run(|_| ()));
        ["llm.system", "llm.provider"].map(|key| text(&span, key).unwrap_or_default().to_owned())
    };
    assert_eq!(names("openai"), ["openai", "openai"]);
    assert_eq!(names("azure.ai.openai"), ["openai", "azure"]);
    assert_eq!(names("aws.bedrock"), ["amazon", "aws"]);
    assert_eq!(names("gcp.gemini"), ["vertexai", "google"]);
    assert_eq!(names("mistral_ai"), ["mistralai", "mistralai"]);
    assert_eq!(names("groq"), ["openai", "groq"]);
    assert_eq!(names("my-own"), ["my-own", "my-own"]);
    assert_eq!(names(""), ["", ""]);
    let span = only(OTEL, || ai::llm_call("aws.bedrock", "m").run(|_| ()));
    assert_eq!(text(&span, "gen_ai.provider.name"), Some("aws.bedrock"));
    assert_eq!(span.attribute("llm.provider"), None);
}

fn looked_up() {
    let documents = || {
        let metadata = json!({ "page": 3 });
        vec![Document::new("doc-7").score(0.9).text("A triangle.").metadata(metadata), Document::new("doc-8")]
    };
    ai::retrieval("handbook").input(|| "What is it?").run(|retrieval| retrieval.set_documents(documents));
    ai::rerank("cohere", "rerank-v3.5").input(|| "What is it?").run(|rerank| rerank.set_documents(documents));
}

#[test]
fn documents_of_openinference_are_numbered() {
    let spans = with_ai(OPENINFERENCE, looked_up);
    for (span, prefix) in spans.iter().zip(["retrieval.documents.", "reranker.output_documents."]) {
        let keys = keys(span, prefix);
        let expected =
            ["0.document.content", "0.document.id", "0.document.metadata", "0.document.score", "1.document.id"];
        assert_eq!(keys, expected);
        assert_eq!(text(span, &format!("{prefix}0.document.content")), Some("A triangle."));
        assert_eq!(text(span, &format!("{prefix}0.document.metadata")), Some(r#"{"page":3}"#));
        assert_eq!(span.attribute(&format!("{prefix}0.document.score")), Some(&OwnedValue::F64(0.9)));
        assert_eq!(text(span, "input.value"), Some("What is it?"));
        assert_eq!(span.attribute("gen_ai.retrieval.documents"), None);
    }
    assert_eq!(text(&spans[1], "reranker.query"), Some("What is it?"));
    assert_eq!(text(&spans[1], "reranker.model_name"), Some("rerank-v3.5"));
    assert_eq!(text(&spans[0], "openinference.span.kind"), Some("RETRIEVER"));
}

#[test]
fn documents_of_opentelemetry_are_json() {
    for dialect in ["otel-genai-1.41", "otel-genai-next"] {
        let spans = with_ai(&format!("{OTEL}dialect = '{dialect}'"), looked_up);
        let whole = json!({ "id": "doc-7", "score": 0.9, "content": "A triangle.", "metadata": { "page": 3 } });
        assert_eq!(json_of(&spans[0], "gen_ai.retrieval.documents"), json!([whole, { "id": "doc-8" }]));
        assert_eq!(text(&spans[0], "gen_ai.retrieval.query.text"), Some("What is it?"));
        assert_eq!(keys(&spans[0], "retrieval.documents"), [""; 0]);
    }
}

#[test]
fn ids_and_scores_of_documents_are_no_content() {
    for table in [OFF.to_owned(), format!("{BOTH}hide.outputs = true")] {
        let spans = with_ai(&table, looked_up);
        assert_eq!(
            json_of(&spans[0], "gen_ai.retrieval.documents"),
            json!([{ "id": "doc-7", "score": 0.9 }, { "id": "doc-8" }])
        );
        assert_eq!(keys(&spans[0], "retrieval.documents."), ["0.document.id", "0.document.score", "1.document.id"]);
        assert!(!is_told(&spans, "triangle") && !is_told(&spans, "page"), "{table}");
    }
    let cut = with_ai(&format!("{BOTH}max_content_bytes = 3"), looked_up);
    assert_eq!(text(&cut[0], "retrieval.documents.0.document.content"), Some("A t… [8 bytes more]"));
    ai::retrieval("handbook").run(|retrieval| retrieval.set_documents(|| unreachable!("nothing is recorded")));
}

#[test]
fn texts_that_become_vectors_are_numbered() {
    let of = |table: &str, input: &str| only(table, || ai::embeddings("openai", "e-3").input(|| input).run(|_| ()));
    let texts = |span: &SpanData| keys(span, "embedding.embeddings.").len();
    let span = of(OPENINFERENCE, r#"["chains need oil","brakes stop wheels"]"#);
    assert_eq!(text(&span, "embedding.embeddings.1.embedding.text"), Some("brakes stop wheels"));
    assert_eq!(text(&span, "embedding.model_name"), Some("e-3"));
    assert_eq!(texts(&span), 2);
    let span = of(OPENINFERENCE, "chains need oil");
    assert_eq!(text(&span, "embedding.embeddings.0.embedding.text"), Some("chains need oil"));
    assert_eq!(texts(&of(OPENINFERENCE, "[15339, 1917]")), 0, "tokens are no text");
    let cut = of(&format!("{OPENINFERENCE}max_content_bytes = 6"), r#"["chains need oil","brakes"]"#);
    assert_eq!(text(&cut, "embedding.embeddings.0.embedding.text"), Some("chains… [9 bytes more]"));
    assert_eq!(text(&cut, "embedding.embeddings.1.embedding.text"), Some("brakes"));
    for table in [OTEL.to_owned(), OFF.to_owned(), format!("{OPENINFERENCE}hide.inputs = true")] {
        assert_eq!(texts(&of(&table, "chains")), 0, "{table}");
    }
}

#[test]
fn a_step_is_called_one() {
    let name = |dialect: &str, key: &str| {
        let span = only(&format!("dialect = '{dialect}'"), || ai::step(1).run(|_| ()));
        (span.name.clone(), text(&span, key).map(str::to_owned))
    };
    let step = || Some("step 1".to_owned());
    assert_eq!(name("otel-genai-1.41", "gen_ai.workflow.name"), ("agent_step 1".to_owned(), step()));
    assert_eq!(name("openinference", "graph.node.name"), ("agent_step 1".to_owned(), step()));
    assert_eq!(name("legacy-cost-katana", "label"), ("step 1".to_owned(), step()));
    assert_eq!(name("legacy-ai-infra", "label"), ("agent.step.1".to_owned(), None));
    assert_eq!(name("legacy-arize", "label"), ("agent.step.1".to_owned(), None));
}

fn answer() -> Json {
    let message = json!({ "role": "assistant", "content": "A triangle." });
    json!({ "model": "gpt-4o", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] })
}

#[test]
fn an_answer_tells_its_messages() {
    let work = || ai::llm_call("openai", "gpt-4o").run(|call| call.set_answer(&answer()));
    let span = only(BOTH, work);
    let expected = json!([{ "role": "assistant", "parts": [{ "type": "text", "content": "A triangle." }], "finish_reason": "stop" }]);
    assert_eq!(json_of(&span, "gen_ai.output.messages"), expected);
    assert_eq!(text(&span, "llm.output_messages.0.message.content"), Some("A triangle."));
    assert_eq!(text(&span, "output.value"), Some("A triangle."));
    for table in [OFF.to_owned(), format!("{BOTH}hide.outputs = true"), format!("{BOTH}hide.output_messages = true")] {
        assert!(!is_told(&with_ai(&table, work), "triangle"), "{table}");
    }
    let hidden = only(&format!("{BOTH}hide.output_text = true"), work);
    assert_eq!(text(&hidden, "llm.output_messages.0.message.content"), Some("__REDACTED__"));
    assert_eq!(text(&hidden, "output.value"), Some("__REDACTED__"));
}

#[test]
fn what_the_program_tells_wins_over_what_is_read() {
    let own = || vec![Message::assistant("my own")];
    let of = |f: &dyn Fn(&mut ai::Record)| {
        let span = only(OPENINFERENCE, || ai::llm_call("openai", "gpt-4o").run(|call| f(call)));
        text(&span, "llm.output_messages.0.message.content").map(str::to_owned)
    };
    let told = Some("my own".to_owned());
    assert_eq!(of(&|call| (call.set_output_messages(own), call.set_answer(&answer())).1), told);
    assert_eq!(of(&|call| (call.set_answer(&answer()), call.set_output_messages(own)).1), told);
    assert_eq!(of(&|call| (call.set_output_messages_at_end(own), call.set_answer(&answer())).1), told);
    let second = json!({ "choices": [{ "message": { "content": "another" } }] });
    assert_eq!(of(&|call| (call.set_answer(&answer()), call.set_answer(&second)).1).as_deref(), Some("another"));
}

#[test]
fn pieces_of_an_answer_make_its_messages() {
    let piece = |text: &str| json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    let work = || {
        ai::llm_call("openai", "gpt-4o").stream(true).run(|call| {
            ["A tri", "angle", "."].iter().for_each(|text| call.add_chunk(&piece(text)));
        });
    };
    let span = only(BOTH, work);
    assert_eq!(json_of(&span, "gen_ai.output.messages")[0]["parts"][0]["content"], "A triangle.");
    assert_eq!(text(&span, "output.value"), Some("A triangle."));
    for table in [OFF.to_owned(), format!("{BOTH}hide.outputs = true")] {
        assert!(!is_told(&with_ai(&table, work), "angle"), "{table}");
    }
}
