//! From files of any format to OTLP bytes, one batch after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;
use spandrel_plugin_api::{SpanReader, SpanView};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::{otlp_json, zipkin};

#[derive(Args)]
pub(crate) struct Input {
    /// Trace files, also compressed with zstd; `-` is standard input
    #[arg(value_name = "FILE", default_value = "traces.jsonl")]
    files: Vec<PathBuf>,
    /// The format of the files
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// By the first bytes of each file
    Auto,
    /// A line for each batch, as the provider `file` and the file exporter of the Collector write
    OtlpJson,
    /// Protobuf: one ExportTraceServiceRequest
    Otlp,
    /// Protobuf: requests, each behind its length (4 bytes, big-endian), as the file exporter of the Collector writes
    OtlpFramed,
    /// Zipkin JSON, version 2: arrays of spans
    Zipkin,
}

/// More than any batch has; a length beyond it is no length.
const MOST_BYTES: u32 = 256 << 20;

impl Input {
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Calls `each` with every batch, each a whole request whose spans can be read.
    ///
    /// What cannot be read is told on standard error and left out.
    pub(crate) fn read(&self, each: &mut dyn FnMut(Vec<u8>) -> Result<(), Failure>) -> Result<(), Failure> {
        self.files.iter().try_for_each(|path| self.read_file(path, each))
    }

    /// Calls `each` with every span.
    pub(crate) fn read_spans(&self, each: &mut dyn FnMut(&SpanView<'_>)) -> Result<(), Failure> {
        self.read(&mut |batch| {
            SpanReader::new(&[&batch]).flatten().for_each(|span| each(&span));
            Ok(())
        })
    }

    fn read_file(&self, path: &Path, each: &mut dyn FnMut(Vec<u8>) -> Result<(), Failure>) -> Result<(), Failure> {
        let reading = |error: io::Error| Failure::reading(path, &error);
        let mut file = open(path)?;
        let head = head(&mut file).map_err(reading)?;
        let format = match self.from {
            From::Auto => detect(&head).ok_or_else(|| {
                Failure::Io(format!("cannot tell the format of {}; name it with --from", path.display()))
            })?,
            given => given,
        };
        let mut rest: Box<dyn BufRead> = Box::new(BufReader::new(Cursor::new(head).chain(file)));
        let mut batches = Batches { path, each, good: 0, skipped: 0 };
        match format {
            From::Auto | From::OtlpJson => batches.lines(&mut rest),
            From::Otlp => batches.whole(&mut rest),
            From::OtlpFramed => batches.framed(&mut rest),
            From::Zipkin => batches.zipkin(&mut rest),
        }?;
        batches.judge()
    }
}

/// Opens a file or standard input, decompressed.
fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    let (file, length): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).map_err(|error| {
            let is_default = error.kind() == io::ErrorKind::NotFound && path.as_os_str() == "traces.jsonl";
            let remedy = if is_default { "; name the trace file, or `-` for standard input" } else { "" };
            Failure::Io(format!("cannot read {}: {error}{remedy}", path.display()))
        })?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let progress = Progress::new(format!("reading {}", path.display()), length);
    let mut file = Watched { file, progress };
    let head = head(&mut file).map_err(|error| Failure::reading(path, &error))?;
    let is_compressed = head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let file = Cursor::new(head).chain(file);
    if is_compressed { decompress(path, file) } else { Ok(Box::new(file)) }
}

#[cfg(feature = "zstd")]
fn decompress(path: &Path, file: impl Read + 'static) -> Result<Box<dyn Read>, Failure> {
    let decoder = zstd::stream::read::Decoder::new(file).map_err(|error| Failure::reading(path, &error))?;
    Ok(Box::new(decoder))
}

#[cfg(not(feature = "zstd"))]
fn decompress(path: &Path, _: impl Read + 'static) -> Result<Box<dyn Read>, Failure> {
    let path = path.display();
    Err(Failure::Io(format!("cannot read {path}: this command was built without the feature zstd; unpack it first")))
}

/// The first bytes of a file, fewer only at its end.
fn head(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(64).read_to_end(&mut head)?;
    Ok(head)
}

fn detect(head: &[u8]) -> Option<From> {
    // A request of protobuf begins with the tag of field 1, which is a line end in a text.
    let text = head.trim_ascii_start();
    match (head, text.first()) {
        ([], _) => Some(From::OtlpJson),
        (_, None) => Some(From::OtlpJson),
        (_, Some(b'{')) if !is_request(head) => Some(From::OtlpJson),
        (_, Some(b'[')) if !is_request(head) => Some(From::Zipkin),
        ([0x0a, ..], _) => Some(From::Otlp),
        ([0, _, _, _, 0x0a, ..], _) => Some(From::OtlpFramed),
        // A first line that is damaged does not keep the others from being read.
        _ if !head.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) => Some(From::OtlpJson),
        _ => None,
    }
}

/// Whether bytes that begin with a line end are a request: behind its length
/// comes a resource or a list of spans.
fn is_request(head: &[u8]) -> bool {
    let [0x0a, rest @ ..] = head else { return false };
    let length = rest.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    matches!(rest.get(length), Some(0x0a | 0x12)) && !matches!(rest.get(length + 1), Some(b'"' | b' ' | b'{'))
}

/// Batches of one file on their way.
struct Batches<'a> {
    path: &'a Path,
    each: &'a mut dyn FnMut(Vec<u8>) -> Result<(), Failure>,
    good: u64,
    skipped: u64,
}

impl Batches<'_> {
    fn lines(&mut self, file: &mut dyn BufRead) -> Result<(), Failure> {
        let mut line = Vec::new();
        if !self.next_line(file, &mut line)? {
            return Ok(());
        }
        if serde_json::from_slice::<Value>(&line).is_err_and(|error| error.is_eof()) && line.ends_with(b"\n") {
            // Perhaps not a line for each batch, but one document on many lines.
            let first = line.len();
            file.read_to_end(&mut line).map_err(|error| Failure::reading(self.path, &error))?;
            if let Ok(document) = serde_json::from_slice(&line) {
                return self.document(&document, "");
            }
            let rest = line.split_off(first);
            self.line(&line, 1)?;
            return self.more_lines(&mut &rest[..], &mut line);
        }
        self.line(&line, 1)?;
        self.more_lines(file, &mut line)
    }

    /// Reads from the second line on.
    fn more_lines(&mut self, file: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<(), Failure> {
        let mut number = 1;
        while self.next_line(file, line)? {
            number += 1;
            self.line(line, number)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], number: u64) -> Result<(), Failure> {
        let place = format!(":{number}");
        match serde_json::from_slice::<Value>(line) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(document) => self.document(&document, &place)?,
            Err(_) if !line.ends_with(b"\n") => {
                self.skip(&place, "the last line is torn: its writer was killed, or is at work");
            }
            Err(error) => self.skip(&place, &error.to_string()),
        }
        Ok(())
    }

    fn next_line(&self, file: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, Failure> {
        line.clear();
        let read = file.read_until(b'\n', line).map_err(|error| Failure::reading(self.path, &error))?;
        Ok(read > 0)
    }

    fn document(&mut self, document: &Value, place: &str) -> Result<(), Failure> {
        match otlp_json::request(document) {
            Ok(bytes) => self.batch(bytes, place),
            Err(error) => {
                self.skip(place, &error);
                Ok(())
            }
        }
    }

    fn whole(&mut self, file: &mut dyn BufRead) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| Failure::reading(self.path, &error))?;
        self.batch(bytes, "")
    }

    fn framed(&mut self, mut file: &mut dyn BufRead) -> Result<(), Failure> {
        let reading = |error: io::Error| Failure::reading(self.path, &error);
        for number in 1_u64.. {
            let place = format!(": request {number}");
            let mut length = Vec::new();
            (&mut file).take(4).read_to_end(&mut length).map_err(reading)?;
            let length = match length[..] {
                [] => return Ok(()),
                [a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
                _ => 0,
            };
            if !(1..=MOST_BYTES).contains(&length) {
                self.skip(&place, "it has no length before it, so the rest is left out");
                return Ok(());
            }
            let mut bytes = Vec::new();
            (&mut file).take(length.into()).read_to_end(&mut bytes).map_err(reading)?;
            if bytes.len() < length as usize {
                self.skip(&place, "the last request is torn: its writer was killed, or is at work");
                return Ok(());
            }
            self.batch(bytes, &place)?;
        }
        Ok(())
    }

    fn zipkin(&mut self, file: &mut dyn BufRead) -> Result<(), Failure> {
        // One array after the other, on one line or on many.
        let mut documents = serde_json::Deserializer::from_reader(file).into_iter::<Value>();
        for number in 1_u64.. {
            let place = format!(": array {number}");
            match documents.next() {
                None => return Ok(()),
                Some(Ok(document)) => match zipkin::request(&document) {
                    Ok(bytes) => self.batch(bytes, &place)?,
                    Err(error) => self.skip(&place, &error),
                },
                Some(Err(error)) if error.is_io() => return Err(Failure::reading(self.path, &error.into())),
                Some(Err(error)) => {
                    self.skip(&place, &error.to_string());
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Passes a batch on whose spans can all be read.
    fn batch(&mut self, bytes: Vec<u8>, place: &str) -> Result<(), Failure> {
        if let Some(error) = SpanReader::new(&[&bytes]).find_map(Result::err) {
            self.skip(place, error.message());
            return Ok(());
        }
        self.good += 1;
        (self.each)(bytes)
    }

    fn skip(&mut self, place: &str, why: &str) {
        const TOLD: u64 = 5;
        self.skipped += 1;
        if self.skipped <= TOLD {
            eprintln!("{}{place}: left out: {why}", self.path.display());
        } else if self.skipped == TOLD + 1 {
            eprintln!("{}: more is left out, which is not told one by one", self.path.display());
        }
    }

    /// A file in which nothing is right is not what was meant.
    fn judge(&self) -> Result<(), Failure> {
        let path = self.path.display();
        match (self.good, self.skipped) {
            (0, 1..) => Err(Failure::Io(format!("nothing in {path} could be read; --from names its format"))),
            _ => Ok(()),
        }
    }
}

/// A file that tells how far it is read.
struct Watched {
    file: Box<dyn Read>,
    progress: Progress,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::{From, detect};

    #[test]
    fn formats_are_told_apart() {
        for (head, format) in [
            (&b"{\"resourceSpans\":[]}\n"[..], Some(From::OtlpJson)),
            (b"\n {\"resourceSpans\"", Some(From::OtlpJson)),
            (b"\n{\n\"resourceSpans\"", Some(From::OtlpJson)),
            (b"\n{\n  \"resourceSpans\"", Some(From::OtlpJson)),
            (b"", Some(From::OtlpJson)),
            (b"\n\n", Some(From::OtlpJson)),
            (b"[{\"traceId\"", Some(From::Zipkin)),
            (b"\x0a\x80\x02\x0a\x10\x0a", Some(From::Otlp)),
            (b"\x0a\x7b\x0a\x10\x0a\x0e", Some(From::Otlp)),
            (b"\x0a\x5b\x12\x10", Some(From::Otlp)),
            (b"\0\0\x01\x07\x0a\x10", Some(From::OtlpFramed)),
            (b"PK\x03\x04", None),
            (b"\x1f\x8b\x08", None),
            (b"rope\":1}\n{\"resourceSpans", Some(From::OtlpJson)),
        ] {
            assert_eq!(detect(head), format, "{head:?}");
        }
    }
}
