//! Calls that are answered in one piece, and those that are not answered.

use serde_json::{Value as Json, json};
use spandrel::OwnedValue;
use spandrel_genai::clients::{ChatRequest, TracedOpenAi};
use spandrel_genai::{self as ai, ErrorKind, Message};
use spandrel_model_server::ModelServer;

use crate::{anthropic, ask, ask_anthropic, cost, count, error, openai, options, text, tokens, traced, traced_as};

#[tokio::test]
async fn a_chat_completion_is_an_operation_around_its_request() {
    let server = ModelServer::start().await.unwrap();
    let request = json!({
        "model": "gpt-4o-mini", "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 50, "seed": 7, "stop": ["END"], "n": 1,
        "frequency_penalty": 0.1, "presence_penalty": 0.2, "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "Hi #in=1000 #out=500 #cached=200 #reasoning=100" },
        ],
    });
    let (answer, spans) = traced(openai(&server).chat(request).send()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.text().split(' ').count(), 500);
    assert_eq!(answer.usage().unwrap().cache_read_tokens, Some(200));

    let chat = spans.only("chat gpt-4o-mini");
    assert_eq!(text(chat, "gen_ai.provider.name"), Some("openai"));
    assert_eq!(text(chat, "gen_ai.request.model"), Some("gpt-4o-mini"));
    assert_eq!(text(chat, "gen_ai.response.model"), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(text(chat, "server.address"), Some("127.0.0.1"));
    assert_eq!(count(chat, "gen_ai.request.max_tokens"), Some(50));
    assert_eq!(count(chat, "gen_ai.request.seed"), Some(7));
    assert_eq!(chat.attribute("gen_ai.request.temperature"), Some(&OwnedValue::F64(0.5)));
    assert_eq!(chat.attribute("gen_ai.request.frequency_penalty"), Some(&OwnedValue::F64(0.1)));
    assert_eq!(chat.attribute("gen_ai.request.choice.count"), None);
    let list = |key: &str| chat.attribute(key).cloned();
    assert_eq!(list("gen_ai.request.stop_sequences"), Some(OwnedValue::StrArray(vec!["END".into()])));
    assert_eq!(list("gen_ai.response.finish_reasons"), Some(OwnedValue::StrArray(vec!["stop".into()])));
    assert_eq!(tokens(chat), (Some(1000), Some(500)));
    assert_eq!(count(chat, "gen_ai.usage.cache_read.input_tokens"), Some(200));
    assert_eq!(count(chat, "gen_ai.usage.reasoning.output_tokens"), Some(100));
    // 800 x 0.15 + 200 x 0.075 + 500 x 0.60 for a million.
    assert_eq!(cost(chat), Some(435_000));
    assert!(text(chat, "gen_ai.input.messages").unwrap().contains("Be brief."));
    assert!(text(chat, "gen_ai.output.messages").unwrap().contains("word word"));
    assert_eq!(error(chat), None);

    let around = spans.only("call POST /chat/completions");
    assert_eq!(around.parent_span_id, Some(chat.span_id));
    assert_eq!(spans.only("POST /chat/completions").parent_span_id, Some(around.span_id));
}

#[tokio::test]
async fn all_forms_of_a_request_have_the_same_span() {
    let server = ModelServer::start().await.unwrap();
    let request = |model: &str| {
        let call = ChatRequest::new(model)
            .system("Be brief.")
            .user("Where is the chain? #in=100 #out=10 #cached=60")
            .max_tokens(50);
        call.tool("lights", "Lights.", json!({ "type": "object" })).temperature(0.5)
    };
    let work = async {
        let (openai, anthropic) = (openai(&server), anthropic(&server));
        let chat = openai.chat(request("gpt-4o-mini").to_openai()).send().await.unwrap();
        let response = openai.responses(request("gpt-4o").to_openai_responses()).send().await.unwrap();
        let message = anthropic.messages(request("claude-3-5-haiku-latest").to_anthropic()).send().await.unwrap();
        [chat, response, message]
    };
    let (answers, spans) = traced(work).await;
    let texts = answers.each_ref().map(spandrel_genai::clients::ModelAnswer::text);
    assert!(texts[0].starts_with("word ") && texts.iter().all(|text| *text == texts[0]), "{texts:?}");

    // Per million: 40 x 0.15 + 60 x 0.075 + 10 x 0.6; 40 x 2.5 + 60 x 1.25 + 10 x 10; 40 x 0.8 + 60 x 0.08 + 10 x 4.
    let expected = [("gpt-4o-mini", 16_500), ("gpt-4o", 275_000), ("claude-3-5-haiku-latest", 76_800)];
    for (model, nano_usd) in expected {
        let span = spans.only(&format!("chat {model}"));
        assert_eq!(tokens(span), (Some(100), Some(10)), "{model}");
        assert_eq!(count(span, "gen_ai.usage.cache_read.input_tokens"), Some(60), "{model}");
        assert_eq!(cost(span), Some(nano_usd), "{model}");
        assert_eq!(count(span, "gen_ai.request.max_tokens"), Some(50), "{model}");
        assert!(text(span, "gen_ai.tool.definitions").unwrap().contains("lights"), "{model}");
        assert!(text(span, "gen_ai.input.messages").unwrap().contains("Where is the chain?"), "{model}");
        let told = [text(span, "gen_ai.system_instructions"), text(span, "gen_ai.input.messages")];
        assert!(told.iter().flatten().any(|text| text.contains("Be brief.")), "{model}");
    }
}

#[tokio::test]
async fn a_conversation_with_a_tool_goes_on_with_all_forms() {
    let server = ModelServer::start().await.unwrap();
    let (openai, anthropic) = (openai(&server), anthropic(&server));
    let schema = json!({ "type": "object", "properties": { "part": { "type": "string" } } });
    for form in ["chat", "responses", "messages"] {
        for is_stream in [false, true] {
            let mut request = ChatRequest::new("m").user("What price has the \"front brake\"?").tool(
                "price_of_part",
                "Prices.",
                schema.clone(),
            );
            let mut rounds = Vec::new();
            loop {
                let call = match form {
                    "chat" => openai.chat(request.to_openai()),
                    "responses" => openai.responses(request.to_openai_responses()),
                    _ => anthropic.messages(request.to_anthropic()),
                };
                let answer =
                    if is_stream { call.stream().await.unwrap().finish().await } else { call.send().await }.unwrap();
                rounds.push(answer.tool_calls().len());
                request = request.message(answer.message());
                let results = answer.tool_calls().into_iter().map(|call| {
                    assert_eq!(
                        (call.name.as_str(), call.arguments.as_str()),
                        ("price_of_part", r#"{"part":"front brake"}"#)
                    );
                    Message::tool_result(call.id, "25 euros")
                });
                let results: Vec<Message> = results.collect();
                if results.is_empty() {
                    assert_eq!(answer.text(), "This is what I found: 25 euros", "{form} {is_stream}");
                    break;
                }
                request = request.messages(results);
            }
            assert_eq!(rounds, [1, 0], "{form} {is_stream}");
        }
    }
}

#[tokio::test]
async fn embeddings_are_an_operation_without_output_tokens() {
    let server = ModelServer::start().await.unwrap();
    let request = json!({ "model": "text-embedding-3-small", "input": ["chains need oil", "brakes stop wheels"] });
    let (answer, spans) = traced(openai(&server).embeddings(request).send()).await;
    let vectors = answer.unwrap().vectors();
    assert_eq!((vectors.len(), vectors[0].len()), (2, 64));
    let span = spans.only("embeddings text-embedding-3-small");
    assert_eq!(tokens(span).0, Some(6));
    // 6 x 0.02 for a million.
    assert_eq!(cost(span), Some(120));
}

#[tokio::test]
async fn a_call_that_is_not_traced_counts_in_sums() {
    let server = ModelServer::start().await.unwrap();
    let openai = openai(&server);
    let work = async {
        let mut agent = ai::agent("quiet").start();
        agent.run_async(async |_| openai.chat(ask("Hi #in=10 #out=5")).trace(false).send().await.unwrap()).await;
        agent.end()
    };
    let (totals, spans) = traced(work).await;
    assert_eq!(spans.names(), ["invoke_agent quiet"]);
    assert_eq!((totals.calls, totals.input_tokens, totals.output_tokens), (1, 10, 5));
    // Nor does the provider hear of the trace.
    assert!(server.received()[0].headers.get("traceparent").is_none());
}

#[tokio::test]
async fn content_and_trace_ids_stay_here_unless_asked_for() {
    let server = ModelServer::start().await.unwrap();
    let quiet = openai(&server);
    let (_, spans) = traced_as("", async { quiet.chat(ask("my secret")).send().await.unwrap() }).await;
    assert!(!format!("{spans:?}").contains("my secret"));
    assert!(server.received()[0].headers.get("traceparent").is_none());

    let open = TracedOpenAi::new(options(&server).propagate(true)).unwrap();
    let (_, spans) = traced(async { open.chat(ask("Hi")).send().await.unwrap() }).await;
    let sent = server.received()[1].headers["traceparent"].to_str().unwrap().to_owned();
    assert!(sent.contains(&spans.attempts()[0].span_id.to_string()), "{sent}");
}

#[tokio::test]
async fn errors_have_the_words_of_the_provider() {
    let server = ModelServer::start().await.unwrap();
    let (openai, anthropic) = (openai(&server), anthropic(&server));
    let of_openai = [(400, "invalid_request_error"), (429, "rate_limit_exceeded"), (500, "server_error")];
    let of_anthropic = [(400, "invalid_request_error"), (500, "api_error"), (529, "overloaded_error")];
    for (status, code) in of_openai {
        let (answer, spans) =
            traced(openai.chat(ask(&format!("my secret #status={status} #retry-after=0"))).send()).await;
        let failed = answer.unwrap_err();
        assert_eq!((failed.kind(), failed.status(), failed.code()), (ErrorKind::Status, Some(status), Some(code)));
        assert!(failed.to_string().contains("this is what the request asked for"), "{failed}");
        let span = spans.only("chat gpt-4o-mini");
        assert_eq!(text(span, "error.type"), Some(status.to_string().as_str()));
        let expected = format!("openai POST /chat/completions failed: status {status} ({code})");
        assert_eq!(error(span), Some(expected.as_str()));
        assert_eq!((tokens(span), cost(span)), ((None, None), None));
        assert_eq!(spans.attempts().len(), if status == 400 { 1 } else { 3 });
        assert_eq!(failed.is_transient(), status != 400);
    }
    for (status, code) in of_anthropic {
        let (answer, spans) = traced(anthropic.messages(ask_anthropic(&format!("#status={status}"))).stream()).await;
        let failed = answer.unwrap_err();
        assert_eq!((failed.status(), failed.code()), (Some(status), Some(code)));
        let sent = server.received().len();
        assert_eq!(failed.request_id(), Some(format!("req_{sent}").as_str()), "that of the last attempt");
        assert_eq!(text(spans.only("chat claude-3-5-haiku-latest"), "error.type"), Some(status.to_string().as_str()));
    }
}

#[tokio::test]
async fn no_answer_and_no_such_path_are_told_apart() {
    // Takes connections and closes them, whatever comes.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let server = ModelServer::start().await.unwrap();
    let retry = spandrel_api_client::Retry::new(0);
    let closed = TracedOpenAi::new(options(&server).base_url(&url).retry(retry.clone())).unwrap();
    let (answer, spans) = traced(closed.chat(ask("Hi")).send()).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(text(spans.only("chat gpt-4o-mini"), "error.type"), Some("request"));

    let lost = TracedOpenAi::new(options(&server).base_url(server.url()).retry(retry)).unwrap();
    let (answer, spans) = traced(lost.chat(ask("Hi")).send()).await;
    assert_eq!(answer.unwrap_err().status(), Some(404));
    assert_eq!(text(spans.only("chat gpt-4o-mini"), "error.type"), Some("404"));
}

#[test]
fn a_base_url_that_cannot_be_used_is_refused_without_being_shown() {
    for url in ["nonsense", "https://user:hunter2@x/v1", "https://x/v1?key=hunter2"] {
        let options = spandrel_genai::clients::ClientOptions::new("k").base_url(url);
        let error = TracedOpenAi::new(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Build);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn parameters_under_the_names_of_anthropic() {
    let server = ModelServer::start().await.unwrap();
    let mut request = ask_anthropic("Hi");
    request["top_k"] = 40.into();
    request["stop_sequences"] = json!(["END"]);
    request["system"] = json!([{ "type": "text", "text": "one two three", "cache_control": { "type": "ephemeral" } }]);
    let (_, spans) = traced(async { anthropic(&server).messages(request).send().await.unwrap() }).await;
    let span = spans.only("chat claude-3-5-haiku-latest");
    assert_eq!(span.attribute("gen_ai.request.top_k"), Some(&OwnedValue::F64(40.0)));
    assert_eq!(span.attribute("gen_ai.request.stop_sequences"), Some(&OwnedValue::StrArray(vec!["END".into()])));
    assert!(text(span, "gen_ai.system_instructions").unwrap().contains("one two three"));
    // Three of the system prompt written to the cache, one of the user beside: four in all.
    assert_eq!(tokens(span).0, Some(4));
    assert_eq!(count(span, "gen_ai.usage.cache_creation.input_tokens"), Some(3));
    let received: Json = server.received()[0].body.clone();
    assert_eq!(received["stream"], Json::Null);
}
