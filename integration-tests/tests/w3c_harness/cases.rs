//! What the harness sends, and what it has to get.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use spandrel::testing::capture_async;
use spandrel::{Context, Sampler, SpanKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Incoming, fill, serve, service, tracecontext};

/// Where the spans of the service go.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Recorded,
    /// Ids are made, spans are not.
    NotSampled,
    /// The provider `noop`: what comes in goes out as it is.
    Forwarded,
}

/// The context that goes out with a callback.
#[derive(Debug, PartialEq)]
struct Sent {
    trace_id: String,
    span_id: String,
    flags: u8,
    state: String,
}

/// The cases of the harness, in our table of vectors.
fn cases() -> impl Iterator<Item = &'static Incoming> {
    tracecontext::INCOMING.iter().filter(|case| name(case).is_some())
}

fn name(case: &Incoming) -> Option<&'static str> {
    case.source.strip_prefix("w3c/trace-context ")
}

fn callbacks(case: &Incoming) -> usize {
    if case.source.contains("test_multiple_requests") { 3 } else { 1 }
}

#[test]
fn the_table_has_each_test_of_the_harness() {
    let names: BTreeSet<_> = cases().map(name).collect();
    assert_eq!(names.len(), 41, "{names:#?}");
}

#[tokio::test]
async fn a_service_that_records_passes() {
    for case in cases() {
        let mut sent = Vec::new();
        let trace = capture_async(async { sent = answers(case, Context::current()).await }).await;
        check(case, &sent, Mode::Recorded);

        // What goes out are the spans that were recorded.
        let server = trace.span("POST /test");
        let parent = Sent::from_vector(&fill(case.expected)).map(|expected| expected.span_id);
        assert_eq!(server.parent_span_id.map(|id| id.to_string()), parent, "{}", case.source);
        let clients = trace.children(server);
        assert!(clients.iter().all(|client| client.kind == SpanKind::Client));
        let ids: Vec<String> = clients.iter().map(|client| client.span_id.to_string()).collect();
        assert_eq!(sent.iter().map(|sent| sent.as_ref().unwrap().span_id.clone()).collect::<Vec<_>>(), ids);
    }
}

#[tokio::test]
async fn a_service_that_samples_nothing_passes() {
    let tracer = spandrel::builder().provider_type("memory").sampler(Sampler::always_off()).build().unwrap();
    for case in cases() {
        check(case, &answers(case, tracer.context()).await, Mode::NotSampled);
    }
}

#[tokio::test]
async fn a_service_without_a_provider_forwards() {
    let noop = spandrel::builder().provider_type("noop").build().unwrap();
    for case in cases() {
        check(case, &answers(case, noop.context()).await, Mode::Forwarded);
    }
}

#[tokio::test]
async fn a_service_without_a_provider_passes_with_ids_of_its_own() {
    let config = "type = 'noop'\n[provider.noop]\nnew_ids = true";
    let noop = spandrel::builder().default_config(config).sampler(Sampler::always_on()).build().unwrap();
    for case in cases() {
        check(case, &answers(case, noop.context()).await, Mode::Recorded);
    }
}

fn check(case: &Incoming, sent: &[Option<Sent>], mode: Mode) {
    let what = case.source;
    assert_eq!(sent.len(), callbacks(case), "{what}");
    let expected = Sent::from_vector(&fill(case.expected));
    if mode == Mode::Forwarded {
        assert!(sent.iter().all(|sent| *sent == expected), "{what}: {sent:?} are not {expected:?}");
        return;
    }
    let sampled = u8::from(mode == Mode::Recorded);
    for sent in sent {
        let Some(sent) = sent else { panic!("{what}: a callback without a traceparent") };
        match &expected {
            Some(expected) => {
                assert_eq!((&sent.trace_id, &sent.state), (&expected.trace_id, &expected.state), "{what}");
                assert_ne!(sent.span_id, expected.span_id, "{what}");
                // The flag for random ids stays, that for recorded spans is ours.
                assert_eq!(sent.flags, expected.flags & 2 | sampled, "{what}");
            }
            None => {
                let came = case.headers.iter().any(|(_, value)| fill(value).contains(&sent.trace_id));
                assert!(!came && sent.state.is_empty(), "{what}: {sent:?} does not begin a trace");
                assert_eq!(sent.flags, 2 | sampled, "{what}");
            }
        }
    }
    let distinct: BTreeSet<_> = sent.iter().flatten().map(|sent| &sent.span_id).collect();
    assert_eq!(distinct.len(), sent.len(), "{what}: callbacks share a span");
}

/// What the service calls back with, if it is asked as the harness does.
async fn answers(case: &Incoming, context: Context) -> Vec<Option<Sent>> {
    let got = Arc::new(Mutex::new(Vec::new()));
    let listen =
        async |State(got): State<Arc<Mutex<Vec<HeaderMap>>>>, headers: HeaderMap| got.lock().unwrap().push(headers);
    let harness = Router::new().route("/callback", post(listen)).with_state(Arc::clone(&got));
    let harness = serve(harness, Context::default()).await;
    let service = serve(service::routes().unwrap(), context).await;

    let call = format!(r#"{{"url": "http://{harness}/callback", "arguments": []}}"#);
    let body = format!("[{}]", vec![call; callbacks(case)].join(","));
    let response = post_raw(service, case.headers, &body).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{}: {response}", case.source);
    let got = std::mem::take(&mut *got.lock().unwrap());
    got.iter().map(Sent::from_headers).collect()
}

/// Sends headers as they are: in any case, with blanks around, several of one name.
async fn post_raw(to: SocketAddr, headers: &[(&str, &str)], body: &str) -> String {
    let mut request = format!("POST /test HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}:{}\r\n", fill(value)));
    }
    let length = body.len();
    request.push_str(&format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"));
    let mut connection = TcpStream::connect(to).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    response
}

impl Sent {
    /// From `trace-span-flags state`, as vectors have it.
    fn from_vector(text: &str) -> Option<Self> {
        let (ids, state) = text.split_once(' ').unwrap_or((text, ""));
        Self::parse(ids, state.to_owned())
    }

    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let values = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        let parents = values("traceparent");
        assert!(parents.len() <= 1, "{parents:?}");
        let states = values("tracestate");
        assert!(!states.contains(&""), "an empty tracestate");
        let ids = parents.first()?.strip_prefix("00-")?;
        Self::parse(ids, states.join(","))
    }

    fn parse(ids: &str, state: String) -> Option<Self> {
        let mut parts = ids.split('-').map(str::to_owned);
        let (trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?);
        assert!(parts.next().is_none() && (trace_id.len(), span_id.len(), flags.len()) == (32, 16, 2), "{ids}");
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(&flags, 16).unwrap(), state })
    }
}
