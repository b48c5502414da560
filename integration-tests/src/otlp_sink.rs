//! A collector that keeps what it gets: OTLP over HTTP, protobuf and JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use spandrel_plugin_api::{SpanBatch, SpanData};

use crate::otlp_json;

/// Listens on a free port of this machine until it is dropped.
#[derive(Debug)]
pub struct OtlpSink {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<SpanData>>>,
    ended: Arc<AtomicBool>,
}

impl OtlpSink {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is a server, not a value")]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let (spans, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (all, end) = (Arc::clone(&spans), Arc::clone(&ended));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let all = Arc::clone(&all);
                thread::spawn(move || serve(stream.expect("a connection"), &all));
            }
        });
        Self { address, spans, ended }
    }

    /// Settings of the provider `otlp` that lead here, whatever the environment says.
    #[must_use]
    pub fn config(&self, protocol: &str) -> String {
        format!("endpoint = 'http://{}'\nproxy = 'none'\nprotocol = '{protocol}'\n", self.address)
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that the listener looks.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers requests until the connection ends.
fn serve(stream: TcpStream, all: &Mutex<Vec<SpanData>>) {
    let mut reader = BufReader::new(&stream);
    loop {
        let (mut len, mut is_json) = (0, false);
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(1..) => {}
                _ => return,
            }
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                len = value.parse().expect("a length");
            }
            is_json |= line == "content-type: application/json";
        }
        let mut body = vec![0; len];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let spans: Vec<SpanData> = if is_json {
            otlp_json::spans(&serde_json::from_slice(&body).expect("JSON"))
        } else {
            SpanBatch::new(&[&body], 0).spans().map(|span| SpanData::from(&span.expect("OTLP"))).collect()
        };
        all.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
        if (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}
