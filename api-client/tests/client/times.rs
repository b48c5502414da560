//! What the parts of an attempt took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use spandrel::testing::Trace;
use spandrel::{OwnedValue, SpanData};
use spandrel_api_client::ApiClient;
use spandrel_api_client::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::server::Server;
use crate::{attempts, client, client_of, direct, traced};

/// Knows one name, after a while.
struct OneName(u16);

const LOOKUP: Duration = Duration::from_millis(30);

impl Resolve for OneName {
    fn resolve(&self, name: Name) -> Resolving {
        let port = self.0;
        Box::pin(async move {
            tokio::time::sleep(LOOKUP).await;
            match name.as_str() {
                "orders.test" => Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], port)))) as Addrs),
                _ => Err("there is no such name".into()),
            }
        })
    }
}

fn seconds(span: &SpanData, part: &str) -> Option<f64> {
    match span.attribute(&format!("http.client.{part}.duration")) {
        Some(OwnedValue::F64(seconds)) => Some(*seconds),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn reused(trace: &Trace) -> Vec<Option<&OwnedValue>> {
    attempts(trace).iter().map(|span| span.attribute("http.connection.reused")).collect()
}

#[tokio::test]
async fn a_new_connection_says_what_it_took_and_one_from_the_pool_does_not() {
    let server = Server::start(&[200]).await;
    let url = format!("http://orders.test:{}", server.port);
    let client = client_of(&url).dns_resolver(OneName(server.port)).build().unwrap();
    let (trace, ()) = traced(async {
        let response = client.get("/x").send().await.unwrap();
        let timings = response.timings();
        assert_eq!(timings.connection_reused, Some(false));
        assert!(timings.dns.unwrap() >= LOOKUP && timings.connect.is_some());
        assert!(timings.first_byte.unwrap() >= timings.dns.unwrap() + timings.connect.unwrap());
        response.bytes().await.unwrap();
        client.get("/x").send().await.unwrap().bytes().await.unwrap();
    })
    .await;

    assert_eq!(reused(&trace), [Some(&OwnedValue::Bool(false)), Some(&OwnedValue::Bool(true))]);
    let [first, second] = attempts(&trace)[..] else { panic!("{trace}") };
    assert!(seconds(first, "dns").unwrap() >= LOOKUP.as_secs_f64());
    assert!(seconds(first, "connect").is_some() && seconds(first, "first_byte").is_some());
    assert!(seconds(first, "body").is_some());
    assert_eq!((seconds(second, "dns"), seconds(second, "connect")), (None, None));
    assert!(seconds(second, "first_byte").is_some());
}

#[tokio::test]
async fn no_name_is_looked_up_for_an_address() {
    let server = Server::start(&[200]).await;
    let client = client(&server).dns_resolver(OneName(1)).build().unwrap();
    let (trace, ()) = traced(async { drop(client.get("/x").send().await.unwrap()) }).await;
    assert_eq!(seconds(trace.span("GET"), "dns"), None);
    assert!(seconds(trace.span("GET"), "connect").is_some());
}

#[tokio::test]
async fn a_lookup_that_fails_has_its_own_kind_and_its_time() {
    let client = client_of("http://nobody.test").dns_resolver(OneName(1)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;
    assert_eq!(error.kind().as_str(), "dns");
    assert!(error.to_string().ends_with("there is no such name"), "{error}");
    let span = trace.span("GET");
    assert!(seconds(span, "dns").unwrap() >= LOOKUP.as_secs_f64());
    assert_eq!((seconds(span, "connect"), seconds(span, "first_byte")), (None, None));
}

#[tokio::test]
async fn the_resolver_of_a_given_client_is_left_alone() {
    let server = Server::start(&[200]).await;
    let http = direct().dns_resolver(OneName(server.port));
    let client = ApiClient::builder().reqwest(http).build().unwrap();
    let url = format!("http://orders.test:{}/x", server.port);
    let (trace, ()) = traced(async { drop(client.get(&url).send().await.unwrap()) }).await;
    assert_eq!(seconds(trace.span("GET"), "dns"), None);
    assert!(seconds(trace.span("GET"), "connect").unwrap() >= LOOKUP.as_secs_f64(), "it has to be somewhere");
}

/// Lets one lookup through for each permit.
struct Gate(Arc<Semaphore>);

impl Resolve for Gate {
    fn resolve(&self, _: Name) -> Resolving {
        let gate = Arc::clone(&self.0);
        Box::pin(async move {
            gate.acquire().await?.forget();
            Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0)))) as Addrs)
        })
    }
}

#[tokio::test]
async fn a_connection_that_another_request_opened_does_not_count() {
    let server = Server::start(&[200]).await;
    let gate = Arc::new(Semaphore::new(1));
    let url = format!("http://orders.test:{}", server.port);
    let client = client_of(&url).dns_resolver(Gate(Arc::clone(&gate))).build().unwrap();
    let (trace, ()) = traced(async {
        // The first has a connection. The second begins to open one, and gets that of the first
        // before: its own is not open until later, when the third finds two.
        let first = client.get("/x").span_name("first").send().await.unwrap();
        let second = tokio::spawn(client.get("/x").span_name("second").send());
        while gate.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        first.bytes().await.unwrap();
        let second = second.await.unwrap().unwrap();
        assert_eq!(second.timings().connection_reused, Some(true));
        assert_eq!((second.timings().dns, second.timings().connect), (None, None));
        gate.add_permits(1);
        second.bytes().await.unwrap();
    })
    .await;
    assert_eq!(trace.span("first").attribute("http.connection.reused"), Some(&OwnedValue::Bool(false)));
}
