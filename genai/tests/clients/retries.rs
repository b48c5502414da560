//! Requests that are sent again, and what is known of those that are not.

use std::time::{Duration, Instant};

use spandrel_genai::clients::{TracedAnthropic, TracedOpenAi};
use spandrel_genai::{self as ai, ErrorKind};
use spandrel_model_server::ModelServer;

use crate::{Spans, anthropic, ask, ask_anthropic, cost, error, openai, patient, tokens, traced};

fn retry_events(spans: &Spans, path: &str) -> usize {
    let call = spans.only(&format!("call POST {path}"));
    call.events.iter().filter(|event| event.name == "http.retry").count()
}

#[tokio::test]
async fn a_provider_that_is_overloaded_is_asked_again_and_usage_counts_once() {
    for status in [408, 409, 429, 500, 503, 529] {
        for is_stream in [false, true] {
            let server = ModelServer::start().await.unwrap();
            let (openai, anthropic) = (openai(&server), anthropic(&server));
            let text = format!("Hi #status={status} #times=2 #in=10 #out=5");
            let is_anthropic = status == 529;
            let work = async {
                let mut agent = ai::agent("patient").start();
                let call =
                    if is_anthropic { anthropic.messages(ask_anthropic(&text)) } else { openai.chat(ask(&text)) };
                let answer =
                    agent
                        .run_async(async |_| {
                            if is_stream { call.stream().await.unwrap().finish().await } else { call.send().await }
                        })
                        .await;
                (answer.unwrap().text(), agent.end())
            };
            let ((said, totals), spans) = traced(work).await;
            assert_eq!(said, "word word word word word", "{status}");
            assert_eq!(spans.statuses(), [status, status, 200]);
            let (name, path) = match is_anthropic {
                true => ("chat claude-3-5-haiku-latest", "/messages"),
                false => ("chat gpt-4o-mini", "/chat/completions"),
            };
            let span = spans.only(name);
            assert_eq!((tokens(span), error(span)), ((Some(10), Some(5)), None));
            assert_eq!((totals.calls, totals.input_tokens, totals.output_tokens), (1, 10, 5));
            assert_eq!(Some(totals.cost.get()), cost(span), "{status}");
            assert_eq!(retry_events(&spans, path), 2);
        }
    }
}

#[tokio::test]
async fn two_retries_are_the_rule() {
    let server = ModelServer::start().await.unwrap();
    let client = TracedAnthropic::new(patient(&server)).unwrap();
    let (answer, spans) = traced(client.messages(ask_anthropic("Hi #status=529 #times=2")).send()).await;
    answer.unwrap();
    assert_eq!(spans.statuses(), [529, 529, 200]);
}

#[tokio::test]
async fn waits_are_as_the_provider_asks_and_the_attempts_are_seen() {
    for (asked, at_least) in [("#retry-after=1", 2000), ("#retry-after-ms=250 #retry-after=60", 500)] {
        let server = ModelServer::start().await.unwrap();
        let began = Instant::now();
        let text = format!("Hi #status=429 #times=2 {asked}");
        let (answer, spans) = traced(openai(&server).chat(ask(&text)).send()).await;
        answer.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(at_least), "it was asked for twice");
        assert_eq!(error(spans.only("chat gpt-4o-mini")), None);
        assert_eq!(spans.statuses(), [429, 429, 200]);
    }
}

#[tokio::test]
async fn what_asks_for_more_than_a_minute_is_told_at_once() {
    let server = ModelServer::start().await.unwrap();
    let client = TracedOpenAi::new(patient(&server)).unwrap();
    let (answer, spans) = traced(client.chat(ask("Hi #status=429 #retry-after=3600")).send()).await;
    let failed = answer.unwrap_err();
    assert_eq!(failed.retry_after(), Some(Duration::from_secs(3600)));
    assert!(failed.is_transient());
    assert_eq!(spans.statuses(), [429]);
}

#[tokio::test]
async fn the_provider_decides_what_is_sent_again() {
    let server = ModelServer::start().await.unwrap();
    for (status, said, attempts) in [(429, false, 1), (500, false, 1), (400, true, 3)] {
        let text = format!("Hi #status={status} #should-retry={said}");
        let (answer, spans) = traced(openai(&server).chat(ask(&text)).send()).await;
        let failed = answer.unwrap_err();
        assert_eq!((failed.kind(), failed.status(), failed.is_transient()), (ErrorKind::Status, Some(status), said));
        assert_eq!(spans.attempts().len(), attempts, "{status}");
    }
}

#[tokio::test]
async fn what_has_begun_is_not_repeated() {
    let server = ModelServer::start().await.unwrap();
    // Before the first text, after it, and a connection that breaks.
    for text in ["#error=1", "#error=4", "#break=2"] {
        let before = server.received().len();
        let text = format!("Hi #out=9 {text}");
        let work = async {
            let mut stream = anthropic(&server).messages(ask_anthropic(&text)).stream().await.unwrap();
            loop {
                if let Err(error) = stream.next().await {
                    return error;
                }
            }
        };
        let (failed, spans) = traced(work).await;
        assert_eq!((failed.kind(), failed.is_transient()), (ErrorKind::Stream, true));
        assert_eq!((server.received().len(), spans.attempts().len()), (before + 1, 1), "{text}");
        assert_eq!(failed.request_id(), Some(format!("req_{}", before + 1).as_str()));
    }
}
