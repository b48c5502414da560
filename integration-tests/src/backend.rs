//! A backend that takes OTLP over HTTP, and can be told to be away, to hang or to be slow.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spandrel_plugin_api::SpanBatch;

/// A server on a port of this machine, which keeps the names of the spans that it took.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    /// How often each span came, by its name.
    spans: BTreeMap<String, u32>,
    refused: u64,
}

/// How the backend answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// 200.
    Healthy,
    /// 503.
    Away,
    /// Not at all.
    Hung,
    /// A byte at a time, and never all of them.
    Dripping,
}

impl Backend {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    #[must_use]
    pub fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(Mutex::new(State { mood, spans: BTreeMap::new(), refused: 0 }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It answers so from the next request on.
    pub fn set_mood(&self, mood: Mood) {
        lock(&self.state).mood = mood;
    }

    /// How often each span came, by its name.
    #[must_use]
    pub fn spans(&self) -> BTreeMap<String, u32> {
        lock(&self.state).spans.clone()
    }

    /// How many different spans came.
    #[must_use]
    pub fn span_count(&self) -> usize {
        lock(&self.state).spans.len()
    }

    /// Requests that were answered with 503.
    #[must_use]
    pub fn refused(&self) -> u64 {
        lock(&self.state).refused
    }
}

/// One connection, request after request, until the other side closes it.
fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut body = vec![0; read_head(&mut reader)?];
        reader.read_exact(&mut body).ok()?;
        let mut state = lock(state);
        match state.mood {
            Mood::Healthy => {
                let parts: [&[u8]; 1] = [&body];
                for span in SpanBatch::new(&parts, 0).spans() {
                    *state.spans.entry(span.ok()?.name().to_owned()).or_default() += 1;
                }
                drop(state);
                write!(writer, "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                    .ok()?;
            }
            Mood::Away => {
                state.refused += 1;
                drop(state);
                write!(writer, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").ok()?;
            }
            Mood::Hung => {
                drop(state);
                // Until the other side has had enough.
                let _ = reader.read(&mut [0]);
                return None;
            }
            Mood::Dripping => {
                drop(state);
                write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").ok()?;
                loop {
                    writer.write_all(b"x").ok()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
}

/// How long the body is.
fn read_head(reader: &mut impl BufRead) -> Option<usize> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            None if line.trim_end().is_empty() => return Some(length),
            _ => {}
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
