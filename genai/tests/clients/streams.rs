//! Answers that come in parts, and those that stop coming.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use spandrel_genai::ErrorKind;
use spandrel_genai::clients::{ModelStream, TracedOpenAi};
use spandrel_model_server::ModelServer;

use crate::{Spans, anthropic, ask, ask_anthropic, cost, count, error, openai, options, text, tokens, traced};

const OPENAI: &str = "chat gpt-4o-mini";
const ANTHROPIC: &str = "chat claude-3-5-haiku-latest";

/// The texts until the end or an error, and the error.
async fn read(mut stream: ModelStream) -> (String, Option<ErrorKind>) {
    let mut all = String::new();
    loop {
        match stream.next_text().await {
            Ok(Some(text)) => all.push_str(&text),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error.kind())),
        }
    }
}

fn outcome(spans: &Spans, name: &str) -> String {
    text(spans.only(name), "spandrel.stream.outcome").unwrap().to_owned()
}

fn output(spans: &Spans, name: &str) -> String {
    text(spans.only(name), "gen_ai.output.messages").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_and_told_with_its_usage() {
    let server = ModelServer::start().await.unwrap();
    let work = async { read(openai(&server).chat(ask("Hi #in=1000 #out=5")).stream().await.unwrap()).await };
    let ((all, error_kind), spans) = traced(work).await;
    assert_eq!((all.as_str(), error_kind), ("word word word word word", None));
    let span = spans.only(OPENAI);
    // OpenAI tells usage in the last part alone.
    assert_eq!(tokens(span), (Some(1000), Some(5)));
    assert_eq!(cost(span), Some(153_000));
    assert_eq!(outcome(&spans, OPENAI), "completed");
    assert!(output(&spans, OPENAI).contains("word word word word word"));
    assert!(span.attribute("gen_ai.response.time_to_first_chunk").is_some());
    assert!(span.attribute("gen_ai.request.stream").is_some());
    assert_eq!(error(span), None);
    assert_eq!(error(spans.only("POST /chat/completions")), None);

    let body = &server.received()[0].body;
    assert_eq!((&body["stream"], &body["stream_options"]["include_usage"]), (&true.into(), &true.into()));
}

#[tokio::test]
async fn anthropic_and_responses_stream_as_well() {
    let server = ModelServer::start().await.unwrap();
    let work = async {
        let of_anthropic =
            anthropic(&server).messages(ask_anthropic("Hi #in=100 #out=5 #cached=40")).stream().await.unwrap();
        let mut request = ask("");
        request["messages"].take();
        request["input"] = "Hi #in=100 #out=5".into();
        let of_openai = openai(&server).responses(request).stream().await.unwrap();
        (read(of_anthropic).await, read(of_openai).await)
    };
    let ((first, second), spans) = traced(work).await;
    assert_eq!(first, ("word word word word word".to_owned(), None));
    assert_eq!(second, first);
    assert_eq!(tokens(spans.only(ANTHROPIC)), (Some(100), Some(5)));
    assert_eq!(count(spans.only(ANTHROPIC), "gen_ai.usage.cache_read.input_tokens"), Some(40));
    assert_eq!(tokens(spans.only(OPENAI)), (Some(100), Some(5)));
    for name in [ANTHROPIC, OPENAI] {
        assert_eq!(outcome(&spans, name), "completed");
        assert!(output(&spans, name).contains("word word word word word"));
    }
}

#[tokio::test]
async fn what_the_caller_says_of_usage_stays() {
    let server = ModelServer::start().await.unwrap();
    let mut request = ask("Hi #out=2");
    request["stream_options"] = serde_json::json!({ "include_usage": false });
    let work = async { read(openai(&server).chat(request).stream().await.unwrap()).await };
    let ((all, error_kind), spans) = traced(work).await;
    assert_eq!((all.as_str(), error_kind), ("word word", None));
    assert_eq!((tokens(spans.only(OPENAI)), cost(spans.only(OPENAI))), ((None, None), None));
}

#[tokio::test]
async fn without_usage_there_are_no_counts_and_no_cost() {
    let server = ModelServer::start().await.unwrap();
    let work = async {
        let of_openai = read(openai(&server).chat(ask("Hi #out=2 #usage=none")).stream().await.unwrap()).await;
        let of_anthropic =
            read(anthropic(&server).messages(ask_anthropic("Hi #out=2 #usage=none")).stream().await.unwrap()).await;
        [of_openai, of_anthropic]
    };
    let (read, spans) = traced(work).await;
    for (name, read) in [OPENAI, ANTHROPIC].iter().zip(read) {
        assert_eq!(read, ("word word".to_owned(), None));
        let span = spans.only(name);
        assert_eq!((tokens(span), cost(span), error(span)), ((None, None), None, None));
        assert_eq!(outcome(&spans, name), "completed");
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_keeps_what_came() {
    let server = ModelServer::start().await.unwrap();
    let work = async {
        let mut of_openai = openai(&server).chat(ask("Hi #out=50 #stall=4")).stream().await.unwrap();
        let mut of_anthropic =
            anthropic(&server).messages(ask_anthropic("Hi #in=30 #out=50 #stall=5")).stream().await.unwrap();
        for stream in [&mut of_openai, &mut of_anthropic] {
            for _ in 0..2 {
                assert_eq!(stream.next_text().await.unwrap().as_deref(), Some("word "));
            }
            assert_eq!(stream.answer().text(), "word word ");
        }
    };
    let ((), spans) = traced(work).await;
    for name in [OPENAI, ANTHROPIC] {
        let span = spans.only(name);
        assert_eq!(error(span), None, "to have had enough is no error");
        assert_eq!(outcome(&spans, name), "dropped");
        assert!(output(&spans, name).contains("word word "));
    }
    assert_eq!(tokens(spans.only(OPENAI)), (None, None));
    // Anthropic tells the input first, and that there was a token of output.
    assert_eq!(tokens(spans.only(ANTHROPIC)), (Some(30), Some(1)));
    for attempt in spans.attempts() {
        assert_eq!(error(attempt), None);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_keeps_what_came() {
    let server = ModelServer::start().await.unwrap();
    let work = async { read(openai(&server).chat(ask("Hi #out=50 #break=4")).stream().await.unwrap()).await };
    let ((all, error_kind), spans) = traced(work).await;
    assert_eq!(error_kind, Some(ErrorKind::Stream));
    let span = spans.only(OPENAI);
    assert_eq!((outcome(&spans, OPENAI).as_str(), text(span, "error.type")), ("failed", Some("body")));
    assert!(error(span).unwrap().contains("the body ended early"));
    // How much of it arrives is up to the network.
    assert!("word word word ".starts_with(&all), "{all}");
    assert!(all.is_empty() || output(&spans, OPENAI).contains(&all));
    assert_eq!(tokens(span), (None, None));
}

#[tokio::test]
async fn an_error_in_the_stream_has_the_words_of_the_provider() {
    let server = ModelServer::start().await.unwrap();
    let work = async {
        let of_openai = openai(&server).chat(ask("Hi #out=50 #error=4")).stream().await.unwrap();
        let of_anthropic = anthropic(&server).messages(ask_anthropic("Hi #out=50 #error=6")).stream().await.unwrap();
        [read(of_openai).await, read(of_anthropic).await]
    };
    let (read, spans) = traced(work).await;
    for ((name, code), read) in [(OPENAI, "server_error"), (ANTHROPIC, "overloaded_error")].into_iter().zip(read) {
        assert_eq!(read, ("word word word ".to_owned(), Some(ErrorKind::Stream)));
        let span = spans.only(name);
        assert_eq!((outcome(&spans, name).as_str(), text(span, "error.type")), ("failed", Some(code)));
        assert!(error(span).unwrap().ends_with(&format!("the provider broke the stream off ({code})")));
        assert!(output(&spans, name).contains("word word word "));
    }
}

#[tokio::test]
async fn an_end_without_an_end_is_an_error() {
    let server = ModelServer::start().await.unwrap();
    let work = async { read(openai(&server).chat(ask("Hi #out=50 #end=3")).stream().await.unwrap()).await };
    let ((all, error_kind), spans) = traced(work).await;
    assert_eq!((all.as_str(), error_kind), ("word word ", Some(ErrorKind::Stream)));
    let span = spans.only(OPENAI);
    assert_eq!((outcome(&spans, OPENAI).as_str(), text(span, "error.type")), ("failed", Some("stream")));
    assert!(error(span).unwrap().contains("the stream ended before the answer did"));
}

#[tokio::test]
async fn a_stream_that_stalls_ends_when_its_time_is_up() {
    let server = ModelServer::start().await.unwrap();
    let client = TracedOpenAi::new(options(&server).idle_timeout(Duration::from_secs(300))).unwrap();
    let work = async {
        let mut stream = client.chat(ask("Hi #out=50 #stall=4")).stream().await.unwrap();
        for _ in 0..3 {
            assert_eq!(stream.next_text().await.unwrap().as_deref(), Some("word "));
        }
        // From here on nothing comes, and the clock goes to the next thing that waits for it.
        tokio::time::pause();
        let failed = stream.next().await.unwrap_err();
        tokio::time::resume();
        assert_eq!(stream.next().await.unwrap(), None, "it has ended");
        failed
    };
    let (failed, spans) = traced(work).await;
    assert_eq!(failed.kind(), ErrorKind::Timeout);
    let span = spans.only(OPENAI);
    assert_eq!((outcome(&spans, OPENAI).as_str(), text(span, "error.type")), ("failed", Some("timeout")));
    assert!(output(&spans, OPENAI).contains("word word word "));
    assert_eq!(tokens(span), (None, None));
    assert_eq!(text(spans.only("POST /chat/completions"), "error.type"), Some("timeout"));
}

#[tokio::test]
async fn texts_are_a_stream_that_can_be_sent_elsewhere() {
    let server = ModelServer::start().await.unwrap();
    let openai = openai(&server);
    let work = async {
        let stream = openai.chat(ask("Hi #out=3")).stream().await.unwrap();
        let task = tokio::spawn(async move { stream.texts().map(Result::unwrap).collect::<Vec<String>>().await });
        task.await.unwrap()
    };
    let (texts, spans) = traced(work).await;
    assert_eq!(texts, ["word ", "word ", "word"]);
    // The body is read to its end, so that the connection is free for the next request.
    assert_eq!(outcome(&spans, OPENAI), "completed");
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_span() {
    let server = ModelServer::start().await.unwrap();
    let openai = openai(&server);
    let work = async {
        let call = openai.chat(ask("Hi")).send();
        assert!(call.now_or_never().is_none(), "it takes a network");
    };
    let ((), spans) = traced(work).await;
    assert_eq!(error(spans.only(OPENAI)), None);
}
