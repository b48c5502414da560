//! An OTLP/HTTP receiver that counts spans and keeps none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Failure;

static SPANS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Says its address on standard output, and serves until standard input ends.
pub(crate) fn run() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// One connection, request after request, until the other side closes it.
fn serve(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let mut body = Vec::new();
    loop {
        let (is_get, length) = read_head(&mut reader)?;
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        if is_get {
            let [spans, bytes, requests] = [&SPANS, &BYTES, &REQUESTS].map(|count| count.load(Ordering::SeqCst));
            let text = format!(r#"{{"spans":{spans},"bytes":{bytes},"requests":{requests}}}"#);
            write!(writer, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len())
                .ok()?;
            return Some(());
        }
        let answer: &[u8] = match count_spans(&body) {
            Some(spans) => {
                SPANS.fetch_add(spans, Ordering::SeqCst);
                BYTES.fetch_add(length as u64, Ordering::SeqCst);
                REQUESTS.fetch_add(1, Ordering::SeqCst);
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
            }
            None => b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        };
        writer.write_all(answer).ok()?;
    }
}

/// Whether it is a GET, and how long the body is.
fn read_head(reader: &mut impl BufRead) -> Option<(bool, usize)> {
    let (mut line, mut is_get, mut length) = (String::new(), None, 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Some((is_get?, length));
        }
        is_get = is_get.or(Some(text.starts_with("GET ")));
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
}

/// Field numbers on the way from a request to its spans: resource spans, scope spans, spans.
const PATH: [u64; 3] = [1, 2, 2];

/// Spans in an `ExportTraceServiceRequest`; `None` if it is malformed above the spans.
fn count_spans(request: &[u8]) -> Option<u64> {
    count(request, &PATH)
}

fn count(mut message: &[u8], path: &[u64]) -> Option<u64> {
    let Some((field, path)) = path.split_first() else { return Some(1) };
    let mut found = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => drop(varint(&mut message)?),
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (inner, rest) = message.split_at_checked(length)?;
                message = rest;
                if tag >> 3 == *field {
                    found += count(inner, path)?;
                }
            }
            _ => return None,
        }
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_below_their_scopes() {
        // Two resources: a resource message (field 1) and a scope with two empty spans; then
        // a scope with one span of three bytes, and a schema URL (field 3).
        let request =
            [&[0x0a, 8, 0x0a, 0, 0x12, 4, 0x12, 0, 0x12, 0][..], &[0x0a, 10, 0x12, 5, 0x12, 3, 1, 2, 3, 0x1a, 1, b'x']]
                .concat();
        assert_eq!(count_spans(&request), Some(3));
        assert_eq!(count_spans(&request[..11]), None);
        assert_eq!(count_spans(&[]), Some(0));
    }

    #[test]
    fn heads_are_read_to_the_empty_line() {
        let mut request = &b"POST /v1/traces HTTP/1.1\r\nContent-Length: 17\r\n\r\nrest"[..];
        assert_eq!(read_head(&mut request), Some((false, 17)));
        assert_eq!(request, b"rest");
        assert_eq!(read_head(&mut &b"GET /counts HTTP/1.1\r\n\r\n"[..]), Some((true, 0)));
        assert_eq!(read_head(&mut &b"GET"[..]), None);
    }
}
