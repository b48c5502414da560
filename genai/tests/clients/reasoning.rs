//! What models think before they answer.

use serde_json::{Value as Json, json};
use spandrel_genai::clients::ChatRequest;
use spandrel_genai::{Message, Part};
use spandrel_model_server::ModelServer;

use crate::{anthropic, ask_anthropic, openai, text, traced, traced_as};

fn question() -> ChatRequest {
    let schema = json!({ "type": "object", "properties": { "part": { "type": "string" } } });
    let request = ChatRequest::new("m").user("What price has the \"front brake\"? #think=3");
    request.tool("price_of_part", "Prices.", schema)
}

/// The reasoning in the body of a request, whichever form it has.
fn sent_back(body: &Json) -> Vec<Json> {
    let messages = [&body["messages"], &body["input"]].into_iter().filter_map(Json::as_array).flatten();
    let blocks = messages.flat_map(|item| {
        let content = item["content"].as_array().into_iter().flatten();
        content.chain([item])
    });
    blocks.filter(|block| block["type"] == "thinking" || block["type"] == "reasoning").cloned().collect()
}

#[tokio::test]
async fn it_is_a_part_of_its_own_and_goes_back_to_who_thought_it() {
    for form in ["chat", "responses", "messages"] {
        for is_stream in [false, true] {
            let server = ModelServer::start().await.unwrap();
            let (openai, anthropic) = (openai(&server), anthropic(&server));
            let work = async |request: &ChatRequest| {
                let call = match form {
                    "chat" => openai.chat(request.to_openai()),
                    "responses" => openai.responses(request.to_openai_responses()),
                    _ => anthropic.messages(request.to_anthropic()),
                };
                if is_stream {
                    call.stream().await.unwrap().finish().await.unwrap()
                } else {
                    call.send().await.unwrap()
                }
            };
            let (answer, spans) = traced(work(&question())).await;
            assert_eq!((answer.text().as_str(), answer.tool_calls().len()), ("", 1), "{form}");
            let Part::Reasoning { text: thought, block } = &answer.message().parts[0] else {
                panic!("{:?}", answer.message());
            };
            assert_eq!(thought, "thought thought thought");
            let recorded = text(spans.only("chat m"), "gen_ai.output.messages").unwrap().to_owned();
            assert!(recorded.contains(r#"{"content":"thought thought thought","type":"reasoning"}"#), "{recorded}");
            assert!(!recorded.contains("b3BhcXVl"), "only the provider can read it: {recorded}");

            let result = Message::tool_result(answer.tool_calls()[0].id.as_str(), "25 euros");
            let (answer, spans) = traced(work(&question().message(answer.message()).message(result))).await;
            assert_eq!(answer.text(), "This is what I found: 25 euros", "{form} {is_stream}");
            let sent = sent_back(&server.received()[1].body);
            assert_eq!(sent, block.iter().cloned().collect::<Vec<_>>(), "{form} {is_stream}");
            assert_eq!(sent.is_empty(), form == "chat");
            let recorded = text(spans.only("chat m"), "gen_ai.input.messages").unwrap();
            assert_eq!(recorded.contains(r#""type":"reasoning""#), form != "chat", "{recorded}");
        }
    }
}

#[tokio::test]
async fn it_is_content_and_hidden_as_such() {
    let server = ModelServer::start().await.unwrap();
    let ask = async || anthropic(&server).messages(question().to_anthropic()).send().await.unwrap();
    let (_, spans) = traced_as("", ask()).await;
    assert!(!format!("{spans:?}").contains("thought thought"));
    let (_, spans) = traced_as("[ai]\ncontent = true\nhide.output_text = true", ask()).await;
    assert!(!format!("{spans:?}").contains("thought thought"));
    let hidden = text(spans.only("chat m"), "gen_ai.output.messages").unwrap();
    assert!(hidden.contains(r#"{"content":"__REDACTED__","type":"reasoning"}"#), "{hidden}");
    let (_, spans) = traced_as("[ai]\ncontent = true\ndialect = \"openinference\"", ask()).await;
    let key = |key: &str| format!("llm.output_messages.0.message.contents.0.message_content.{key}");
    let span = spans.only("chat m");
    assert_eq!(text(span, &key("type")), Some("reasoning"));
    assert_eq!(text(span, &key("text")), Some("thought thought thought"));
}

#[tokio::test]
async fn of_a_stream_that_is_dropped_it_is_known_as_far_as_it_came() {
    let server = ModelServer::start().await.unwrap();
    let work = async {
        let call = anthropic(&server).messages(ask_anthropic("Hi #think=50 #stall=5"));
        let mut stream = call.stream().await.unwrap();
        for _ in 0..5 {
            stream.next().await.unwrap().unwrap();
        }
    };
    let ((), spans) = traced(work).await;
    let recorded = text(spans.only("chat claude-3-5-haiku-latest"), "gen_ai.output.messages").unwrap();
    assert!(recorded.contains(r#"{"content":"thought thought thought ","type":"reasoning"}"#), "{recorded}");
}
