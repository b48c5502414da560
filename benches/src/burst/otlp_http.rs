//! OTLP over HTTP/1.1 with nothing but a socket, until there is a provider for it.

use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use spandrel::provider::SpanBatch;
use spandrel::{Error, ErrorKind, SpanExporter};

/// Keeps one connection. The parts of a batch go to the kernel as they lie.
pub(super) struct OtlpHttp {
    address: String,
    stream: Option<TcpStream>,
    answer: Vec<u8>,
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl OtlpHttp {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None, answer: Vec::with_capacity(1 << 10) }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    fn post(&mut self, batch: &SpanBatch<'_>) -> std::io::Result<()> {
        let mut stream = self.stream.take().map_or_else(|| self.connect(), Ok)?;
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            self.address,
            batch.byte_count()
        );
        let parts = batch.parts().iter().map(|part| IoSlice::new(part));
        let mut slices: Vec<IoSlice<'_>> = std::iter::once(IoSlice::new(head.as_bytes())).chain(parts).collect();
        write_all(&mut stream, &mut slices)?;
        self.read_answer(&mut stream)?;
        // Only kept if all went well: otherwise nobody knows where in an answer it stands.
        self.stream = Some(stream);
        Ok(())
    }

    fn read_answer(&mut self, stream: &mut TcpStream) -> std::io::Result<()> {
        self.answer.clear();
        loop {
            let mut bytes = [0; 512];
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.answer.extend_from_slice(&bytes[..count]);
            if let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.answer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: u64 = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
                let rest = length.saturating_sub((self.answer.len() - end - 4) as u64);
                std::io::copy(&mut stream.take(rest), &mut std::io::sink())?;
                let accepted = head.split_whitespace().nth(1).is_some_and(|status| status.starts_with('2'));
                return if accepted { Ok(()) } else { Err(std::io::Error::other(head)) };
            }
        }
    }
}

impl SpanExporter for OtlpHttp {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        self.post(batch)
            .map_err(|error| Error::new(ErrorKind::Io, "the receiver did not take the spans").with_source(error))
    }
}

fn write_all(stream: &mut TcpStream, mut slices: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    while !slices.is_empty() {
        let written = stream.write_vectored(slices)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}
