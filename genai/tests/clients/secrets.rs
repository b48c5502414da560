//! The key is in its header and nowhere else.

use spandrel_genai::clients::{ClientOptions, TracedAnthropic, TracedOpenAi};
use spandrel_model_server::ModelServer;

use crate::{KEY, anthropic, ask, ask_anthropic, openai, options, traced};

#[tokio::test]
async fn the_key_arrives_and_is_shown_nowhere() {
    const WRONG: &str = "wrong-sk-0123456789";

    let server = ModelServer::start().await.unwrap();
    let wrong = || ClientOptions::new(WRONG).base_url(&format!("{}/v1", server.url()));
    let clients = [TracedOpenAi::new(wrong()).unwrap(), openai(&server)];
    let others = [TracedAnthropic::new(wrong()).unwrap(), anthropic(&server)];
    let work = async {
        let mut said = Vec::new();
        for client in &clients {
            said.push(format!("{:?}", client.chat(ask("Hi")).send().await));
            said.push(format!(
                "{:?}",
                client.chat(ask("Hi #error=2")).stream().await.map(|stream| format!("{stream:?}"))
            ));
        }
        for client in &others {
            match client.messages(ask_anthropic("Hi")).send().await {
                // As a careless server has it, the message quotes the key.
                Err(error) => {
                    assert!(error.to_string().ends_with("Incorrect API key provided: [key]"), "{error}");
                    said.push(format!("{error} {error:?}"));
                }
                Ok(answer) => said.push(format!("{answer:?}")),
            }
        }
        said
    };
    let (said, spans) = traced(work).await;
    let shown =
        format!("{said:?} {spans:?} {clients:?} {others:?} {:?} {:?}", options(&server), clients[0].chat(ask("Hi")));
    for key in [KEY, WRONG] {
        assert!(!shown.contains(key), "{shown}");
    }
    let sent: Vec<String> = server.received().iter().map(|request| format!("{:?}", request.headers)).collect();
    assert!(sent.iter().all(|headers| headers.contains(KEY) || headers.contains(WRONG)));
}

#[tokio::test]
async fn headers_take_the_place_of_the_usual_ones_and_are_secret() {
    let server = ModelServer::start().await.unwrap();
    let options = options(&server)
        .header("Authorization", "Bearer another-secret")
        .header("x-tenant", "t-1")
        .provider("azure.ai.openai");
    let client = TracedOpenAi::new(options.clone()).unwrap();
    let (answer, spans) = traced(client.chat(ask("Hi")).send()).await;
    answer.unwrap();
    let headers = &server.received()[0].headers;
    assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer another-secret"]);
    assert_eq!(headers["x-tenant"], "t-1");
    assert!(!format!("{options:?} {client:?} {spans:?}").contains("another-secret"));
    assert_eq!(crate::text(spans.only("chat gpt-4o-mini"), "gen_ai.provider.name"), Some("azure.ai.openai"));
}
