use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use spandrel_plugin_api::{ErrorKind, Host, Provider, ProviderFactory, Resource, SpanBatch, SpanExporter};

use super::WebhookFactory;

const LONG: Duration = Duration::from_secs(30);

/// The request line with the headers in lower case, and the body.
type Received = (String, Vec<u8>);

/// Answers each request with the next of these; keeps the connection open without
/// an answer when there is none.
fn server(answers: &'static [&str]) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1/traces?key=secret", listener.local_addr().unwrap());
    let (requests, received) = channel();
    thread::spawn(move || {
        let mut answers = answers.iter();
        let mut unanswered = Vec::new();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).unwrap();
            }
            let head = head.to_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            requests.send((head, body)).unwrap();
            match answers.next() {
                Some(status) => write!(stream.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap(),
                None => unanswered.push(stream),
            }
        }
    });
    (address, received)
}

fn exporter(config: &str) -> Box<dyn SpanExporter> {
    match WebhookFactory.create(config, &Host::new(&Resource::new())) {
        Ok(Provider::Exporter(exporter)) => exporter,
        other => panic!("webhook is an exporter: {other:?}"),
    }
}

#[test]
fn a_batch_is_one_request() {
    let (endpoint, received) = server(&["200 OK", "429 Slow Down", "400 Bad Request"]);
    let mut exporter = exporter(&format!("endpoint = '{endpoint}'\nheaders = {{ Authorization = 'Bearer x' }}"));
    let mut export = || exporter.export(&SpanBatch::new(&[b"one ", b"two"], 2));
    export().unwrap();
    let (head, body) = received.recv_timeout(LONG).unwrap();
    assert!(head.starts_with("post /v1/traces?key=secret http/1.1\r\n"), "{head}");
    for header in ["content-type: application/x-protobuf", "authorization: bearer x", "host: 127.0.0.1:"] {
        assert!(head.contains(&format!("\r\n{header}")), "{header} in {head}");
    }
    assert_eq!(body, b"one two");

    for (kind, text) in [(ErrorKind::Unavailable, "status: 429"), (ErrorKind::SpansLost, "status: 400")] {
        let error = export().unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(text) && !error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn it_works_wherever_it_is_called() {
    let (endpoint, received) = server(&["204 No Content"; 5]);
    let mut exporter = exporter(&format!("endpoint = '{endpoint}'"));
    let mut export = || {
        exporter.export(&SpanBatch::new(&[b"x"], 1)).unwrap();
        received.recv_timeout(LONG).unwrap();
    };
    export();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { export() });
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(async { export() });
    exporter.on_fork();
    exporter.export(&SpanBatch::new(&[b"x"], 1)).unwrap();
    // Dropped where tokio lets no runtime be dropped.
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { drop(exporter) });
}

#[test]
fn nothing_takes_longer_than_it_may() {
    let began = Instant::now();
    let (endpoint, _received) = server(&[]);
    let mut exporter = exporter(&format!("endpoint = '{endpoint}'\ntimeout_ms = 50"));
    let mut export = || exporter.export(&SpanBatch::new(&[b"x"], 1)).unwrap_err().kind();
    assert_eq!(export(), ErrorKind::Timeout);
    assert_eq!(export(), ErrorKind::Timeout);
    exporter.shutdown(LONG).unwrap();
    exporter.shutdown(Duration::ZERO).unwrap();
    assert_eq!(exporter.export(&SpanBatch::new(&[], 0)).unwrap_err().kind(), ErrorKind::Shutdown);
    assert!(began.elapsed() < LONG);
}

#[test]
fn an_endpoint_that_is_not_there_may_come_back() {
    // Bound without listening: nobody else gets the port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap();
    let mut exporter = exporter(&format!("endpoint = 'http://{closed}'"));
    let error = exporter.export(&SpanBatch::new(&[b"x"], 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("refused"), "{error}");
}
