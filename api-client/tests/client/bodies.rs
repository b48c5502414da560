//! Bodies: the span is open to their end.

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use spandrel::{OwnedValue, assert_trace};
use spandrel_api_client::{ClientErrorKind, Event};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::server::{Server, answer};
use crate::{client, client_of, quick, raw, traced};

#[tokio::test]
async fn the_span_is_open_and_current_until_the_body_was_read() {
    let (parts, received) = mpsc::unbounded_channel::<&str>();
    let received = std::sync::Arc::new(tokio::sync::Mutex::new(received));
    let url = raw::start(move |mut connection| {
        let received = std::sync::Arc::clone(&received);
        async move {
            connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            while let Some(part) = received.lock().await.recv().await {
                connection.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
            }
            connection.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let client = client_of(&url).retry(quick(1)).build().unwrap();
    let (trace, ()) = traced(async {
        let mut response = client.get("/x").send().await.unwrap();
        for part in ["one", "two"] {
            parts.send(part).unwrap();
            assert_eq!(response.chunk().await.unwrap().unwrap(), part);
            spandrel::add_event(part, &[]);
        }
        drop(parts);
        assert_eq!(response.chunk().await.unwrap(), None);
        assert_eq!(response.chunk().await.unwrap(), None, "the end stays the end");
        spandrel::add_event("end", &[]);
    })
    .await;

    assert_trace!(trace, "call" {
        "call GET" (status: unset, "http.call.attempts" = 1, "http.call.wait" = 0.0) {
            "GET" (status: unset, "http.response.body.size" = 6) {}
        }
    });
    let (call, get) = (trace.span("call GET"), trace.span("GET"));
    let events = &trace.span("call").events;
    assert!(get.end >= events[1].time && get.end <= events[2].time, "it ends between the last part and the end");
    assert!(call.end >= get.end);
    assert!(matches!(get.attribute("http.client.body.duration"), Some(OwnedValue::F64(seconds)) if *seconds > 0.0));
}

#[tokio::test]
async fn a_body_dropped_early_is_no_error() {
    let url = raw::large(100).await;
    let client = client_of(&url).build().unwrap();
    let (trace, size) = traced(async {
        let mut response = client.get("/x").send().await.unwrap();
        response.chunk().await.unwrap().unwrap().len()
    })
    .await;

    assert_trace!(trace, "call" { "GET" (status: unset, "http.client.body.read_size" = size) {} });
    let span = trace.span("GET");
    assert!(span.attribute("http.response.body.size").is_none() && span.attribute("error.type").is_none());

    let (trace, _) = traced(async { client.get("/x").send().await.unwrap() }).await;
    assert_trace!(trace, "call" {});
    assert!(trace.spans().iter().all(|span| span.name != "GET"), "it is open as long as the response");
}

#[tokio::test]
async fn a_body_that_breaks_or_stops_is_an_error_of_the_span_and_of_the_caller() {
    let client = client_of(&raw::cut_off().await).retry(quick(1)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap().text().await.unwrap_err() }).await;
    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Body, 1));
    assert!(error.to_string().contains("/x failed: the body ended early: "), "{error}");
    assert_trace!(trace, "call" {
        "call GET" (status: error, "error.type" = "body") {
            "GET" (
                status: error,
                "error.type" = "body",
                "http.response.status_code" = 200,
                "http.client.body.read_size" = 10
            ) {}
        }
    });
    assert!(trace.span("GET").event("exception").is_some());

    let client = client_of(&raw::stuck().await).timeout(Duration::from_secs(3)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap().text().await.unwrap_err() }).await;
    assert_eq!(error.kind(), ClientErrorKind::Timeout);
    assert_trace!(trace, "call" { "GET" (status: error, "error.type" = "timeout") {} });
}

#[tokio::test]
async fn after_an_error_the_body_is_at_its_end() {
    let client = client_of(&raw::cut_off().await).build().unwrap();
    let mut response = client.get("/x").send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "0123456789");
    assert_eq!(response.chunk().await.unwrap_err().kind(), ClientErrorKind::Body);
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn json_is_parsed_and_its_errors_stay_out_of_the_trace() {
    let server = Server::answering(|_, _| answer(200, ("x", ""), r#"["hush"]"#)).await;
    let client = client(&server).build().unwrap();
    let (trace, error) = traced(async { client.get_json::<Vec<u32>>("/x").await.unwrap_err() }).await;

    assert_eq!(error.kind(), ClientErrorKind::Decode);
    let expected = "GET URL/x failed: the body is not the JSON that was expected: invalid type: string \"hush\", \
                    expected u32 at line 1 column 7";
    assert_eq!(error.to_string().replace(&server.url, "URL"), expected);
    assert_trace!(trace, "call" { "GET" (status: error, "error.type" = "decode") {} });
    assert!(!format!("{:?}", trace.spans()).contains("hush"));

    assert_eq!(client.get_json::<Vec<String>>("/x").await.unwrap(), ["hush"]);
    let posted: Vec<String> = client.post_json("/x", &7).await.unwrap();
    assert_eq!((posted, server.methods().last().unwrap().as_str()), (vec!["hush".to_owned()], "POST"));
    assert_eq!(client.get("/x").send().await.unwrap().bytes().await.unwrap(), r#"["hush"]"#);
}

#[tokio::test]
async fn events_come_as_they_are_sent() {
    let (parts, received) = mpsc::unbounded_channel::<&str>();
    let received = std::sync::Arc::new(tokio::sync::Mutex::new(received));
    let url = raw::start(move |mut connection| {
        let received = std::sync::Arc::clone(&received);
        async move {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await.unwrap();
            while let Some(part) = received.lock().await.recv().await {
                connection.write_all(part.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = client_of(&url).build().unwrap();
    let (trace, ()) = traced(async {
        let mut events = client.get("/x").send().await.unwrap().events();
        assert!(events.response().timings().first_byte.is_some());
        parts.send("id: 1\nevent: delta\ndata: {\"a\"").unwrap();
        parts.send(":1}\r\n\r\n").unwrap();
        let Event { event, data, id, .. } = events.next().await.unwrap().unwrap();
        assert_eq!((event.as_str(), data.as_str(), id.as_str()), ("delta", "{\"a\":1}", "1"));
        parts.send("data: 2\n\ndata: 3\n\ndata: never").unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().data, "2");
        assert_eq!(events.next().await.unwrap().unwrap().data, "3");
        drop(parts);
        assert_eq!(events.next().await.unwrap(), None);
        assert_eq!(events.next().await.unwrap(), None);
    })
    .await;
    assert_trace!(trace, "call" { "GET" (status: unset) {} });
}

#[tokio::test]
async fn an_event_that_is_too_large_ends_the_events() {
    let client = client_of(&raw::large(4).await).build().unwrap();
    let (trace, error) = traced(async {
        let mut events = client.get("/x").send().await.unwrap().events();
        let error = events.next().await.unwrap_err();
        assert_eq!(events.next().await.unwrap(), None);
        error
    })
    .await;

    let text = error.to_string();
    assert!(
        text.ends_with("failed: an event has more than 1048576 bytes; `max_event_bytes` raises the limit"),
        "{text}"
    );
    assert_trace!(trace, "call" { "GET" (status: error, "error.type" = "decode") {} });

    let mut events = client.get("/x").send().await.unwrap().events().max_event_bytes(100);
    assert_eq!(events.next().await.unwrap_err().kind(), ClientErrorKind::Decode);
}

#[tokio::test]
async fn what_is_handed_over_to_reqwest_ends_the_span() {
    let server = Server::start(&[200]).await;
    let client = client(&server).build().unwrap();
    let (trace, text) = traced(async {
        let response = client.get("/x").send().await.unwrap().into_inner();
        spandrel::add_event("handed over", &[]);
        response.text().await.unwrap()
    })
    .await;
    assert_eq!(text, "[1,2]");
    assert!(trace.span("GET").end <= trace.span("call").events[0].time);
}

#[tokio::test]
async fn responses_and_events_are_streams() {
    async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
    }
    let server = Server::answering(|_, _| answer(200, ("x", ""), "data: 1\n\n")).await;
    let client = client(&server).build().unwrap();
    let mut response = client.get("/x").send().await.unwrap();
    assert_eq!(next(&mut response).await.unwrap().unwrap(), "data: 1\n\n");
    assert!(next(&mut response).await.is_none());
    let mut events = client.get("/x").send().await.unwrap().events();
    assert_eq!(next(&mut events).await.unwrap().unwrap().data, "1");
    assert!(next(&mut events).await.is_none());
}
