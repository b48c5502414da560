//! Where requests go, and what of them is seen.

use spandrel_genai::clients::{ApiClient, ClientOptions, TracedAnthropic, TracedOpenAi};
use spandrel_model_server::ModelServer;

use crate::{ask, ask_anthropic, options, traced};

#[cfg(not(feature = "rustls"))]
#[test]
fn https_without_tls_is_refused_at_once() {
    use spandrel_genai::ErrorKind;

    let expected = |url: &str| format!("{url}: https needs the feature `rustls` of spandrel-genai");
    let error = TracedOpenAi::new(ClientOptions::new("k")).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConfigInvalid, expected("https://api.openai.com/v1")));
    let error = TracedAnthropic::new(ClientOptions::new("k").base_url("https://gateway.internal/v1")).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConfigInvalid, expected("https://gateway.internal/v1")));
}

#[cfg(feature = "rustls")]
#[test]
fn https_is_there_with_tls() {
    TracedOpenAi::new(ClientOptions::new("k")).unwrap();
    TracedAnthropic::new(ClientOptions::new("k")).unwrap();
}

/// It may have another TLS than ours.
#[test]
fn a_client_of_the_caller_is_not_asked_for_tls() {
    let client = ApiClient::builder().build().unwrap();
    TracedOpenAi::new(ClientOptions::new("k").http(client)).unwrap();
}

#[tokio::test]
async fn a_base_url_without_the_version_is_told() {
    let server = ModelServer::start().await.unwrap();
    let here = || options(&server).base_url(server.url());
    let openai = TracedOpenAi::new(here()).unwrap().chat(ask("Hi")).send().await.unwrap_err();
    let anthropic = TracedAnthropic::new(here()).unwrap().messages(ask_anthropic("Hi")).stream().await.unwrap_err();
    let hint = "failed: status 404; is the base URL right, with the version in it, as in `https://api.openai.com/v1`?";
    assert_eq!(openai.to_string(), format!("openai POST /chat/completions {hint}"));
    assert_eq!(anthropic.to_string(), format!("anthropic POST /messages {hint}"));
}

#[tokio::test]
async fn requests_have_no_spans_where_they_are_not_wanted() {
    let server = ModelServer::start().await.unwrap();
    let call = |on: bool| TracedOpenAi::new(options(&server).http_spans(on)).unwrap().chat(ask("Hi #in=10 #out=5"));
    let (answer, spans) = traced(call(false).send()).await;
    answer.unwrap();
    assert_eq!(spans.names(), ["chat gpt-4o-mini"]);
    let (answer, spans) = traced(call(true).send()).await;
    answer.unwrap();
    let mut names = spans.names();
    names.sort_unstable();
    assert_eq!(names, ["POST /chat/completions", "call POST /chat/completions", "chat gpt-4o-mini"]);
}
