//! What the tests of exporters share: a small HTTP server, and what goes to it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use spandrel_plugin_api::{Host, Provider, ProviderFactory, Resource, SpanBatch};

use crate::Settings;

/// Answers requests with what it was told, in this order, and after that with 202.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    requests: Receiver<Request>,
}

/// A request as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Method, path and query: `POST /x?y`.
    pub line: String,
    /// Names in small letters, with their values.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Vec<u8>,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
}

impl TestServer {
    /// Listens on a free port of this machine.
    ///
    /// An answer is all bytes of it, or empty, which closes the connection.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let answers = Arc::new(Mutex::new(answers));
        let (sender, requests) = channel();
        // They end with the program: nobody waits for them.
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (answers, sender) = (Arc::clone(&answers), sender.clone());
                thread::spawn(move || serve(stream, connection, &answers, &sender));
            }
        });
        Self { address, requests }
    }

    /// `http://` and the address, with this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    pub fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).expect("a request")
    }

    /// How many requests came that nobody has asked for yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.requests.try_iter().count()
    }
}

impl Request {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// As in a program whose environment says nothing of proxies, and with time.
#[must_use]
pub fn settings() -> Settings {
    Settings { proxy: Some("none".to_owned()), timeout_ms: 60_000, ..Settings::default() }
}

/// The request for a batch by the exporter that a factory makes of a table, which sends to this server.
///
/// # Panics
///
/// If it makes none, if the batch is not taken, or if the child of a fork shares the connection.
#[must_use]
pub fn sent_by(factory: &dyn ProviderFactory, table: &str, batch: &SpanBatch<'_>, server: &TestServer) -> Request {
    let table = format!("proxy = 'none'\ntimeout_ms = 60000\n{table}");
    factory.validate(&table).expect("a table that can be used");
    let resource = Resource::new();
    let Ok(Provider::Exporter(mut exporter)) = factory.create(&table, &Host::new(&resource)) else {
        panic!("no exporter of {table}");
    };
    exporter.export(batch).expect("the server takes it");
    let first = server.request();
    exporter.on_fork();
    exporter.export(batch).expect("the server takes it from the child");
    assert_eq!([first.connection, server.request().connection], [0, 1]);
    let agent = format!("spandrel-{}/", factory.name());
    assert!(first.header("user-agent").is_some_and(|value| value.starts_with(&agent)), "{first:?}");
    first
}

/// An answer with this status, headers (each with its line end) and body.
#[must_use]
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// Answers the requests of one connection until it is closed.
///
/// `None` if it broke off, which is the business of the test.
fn serve(
    stream: TcpStream,
    connection: usize,
    answers: &Mutex<VecDeque<String>>,
    sender: &Sender<Request>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return Some(());
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body).ok()?;
        let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
        let answer = answers.lock().ok()?.pop_front().unwrap_or_else(|| answer("202 Accepted", "", ""));
        sender.send(Request { line, headers, body, connection }).ok()?;
        if answer.is_empty() {
            return Some(());
        }
        stream.get_mut().write_all(answer.as_bytes()).ok()?;
        stream.get_mut().flush().ok()?;
    }
}
