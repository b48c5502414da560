//! The histogram.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};

use crate::server::{self, Server};
use crate::{client, client_of, quick, raw};

#[derive(Default)]
struct Recorded {
    described: Mutex<Vec<(String, Option<Unit>)>>,
    values: Arc<Mutex<Vec<(String, f64)>>>,
}

struct One {
    labels: String,
    values: Arc<Mutex<Vec<(String, f64)>>>,
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.values.lock().unwrap().push((self.labels.clone(), value));
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push((key.as_str().to_owned(), unit));
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        assert_eq!(key.name(), "http.client.request.duration");
        let mut labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        Histogram::from_arc(Arc::new(One { labels: labels.join(" "), values: Arc::clone(&self.values) }))
    }
}

/// A runtime of one thread: the recorder is that of the thread.
#[tokio::test(flavor = "current_thread")]
async fn each_attempt_is_measured_to_the_end_of_its_body_whether_it_is_traced_or_not() {
    let recorder = Recorded::default();
    let _guard = set_default_local_recorder(&recorder);
    let server = Server::start(&[503, 200]).await;
    let client = client(&server).retry(quick(1)).tracing(false).build().unwrap();
    let response = client.get("/orders/7").url_template("/orders/{id}").send().await.unwrap();
    let read_late = Duration::from_millis(20);
    tokio::time::sleep(read_late).await;
    response.bytes().await.unwrap();
    let (_socket, deserted) = server::deserted();
    client_of(&deserted).build().unwrap().post("/x").send().await.unwrap_err();
    let broken = raw::cut_off().await;
    client_of(&broken).build().unwrap().get("/x").send().await.unwrap().bytes().await.unwrap_err();

    let described = recorder.described.lock().unwrap();
    assert_eq!(described[0], ("http.client.request.duration".to_owned(), Some(Unit::Seconds)));
    let values = recorder.values.lock().unwrap();
    let labels: Vec<&str> = values.iter().map(|(labels, _)| labels.as_str()).collect();
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let to = |port: &str| format!("server.address=127.0.0.1 server.port={port}");
    let orders = to(&server.port.to_string());
    assert_eq!(
        labels,
        [
            format!(
                "error.type=503 http.request.method=GET http.response.status_code=503 network.protocol.version=1.1 \
                 {orders} url.template=/orders/{{id}}"
            ),
            format!(
                "http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 {orders} \
                 url.template=/orders/{{id}}"
            ),
            format!("error.type=connect http.request.method=POST {}", to(&port(&deserted))),
            format!(
                "error.type=body http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 {}",
                to(&port(&broken))
            ),
        ]
    );
    assert!(values[1].1 >= read_late.as_secs_f64(), "{}", values[1].1);
}
