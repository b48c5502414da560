//! From files of any format to OTLP bytes, one batch after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::de::IgnoredAny;
use serde_json::Value;
use spandrel_plugin_api::SpanReader;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::{otlp_json, parallel, zipkin};

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

/// Makes something of a batch, or says why that cannot be.
type Take<'a, T> = dyn Fn(Vec<u8>) -> Result<T, String> + Sync + 'a;
type Each<'a, T> = dyn FnMut(T) -> Result<(), Failure> + 'a;

/// Bytes asked for at once.
const AT_ONCE: usize = 256 << 10;

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
        self.read_as(&checked, each)
    }

    /// Calls `each` with what `take` makes of every batch, mostly on other threads. `take` has
    /// to refuse a batch whose spans cannot all be read.
    pub(crate) fn read_as<T: Send>(&self, take: &Take<'_, T>, each: &mut Each<'_, T>) -> Result<(), Failure> {
        self.files.iter().try_for_each(|path| self.read_file(path, take, each))
    }

    fn read_file<T: Send>(&self, path: &Path, take: &Take<'_, T>, each: &mut Each<'_, T>) -> Result<(), Failure> {
        let reading = |error: io::Error| Failure::reading(path, &error);
        let mut file = open(path)?;
        let head = head(&mut file).map_err(reading)?;
        let format = match self.from {
            From::Auto => detect(&head).ok_or_else(|| {
                Failure::Io(format!("cannot tell the format of {}; name it with --from", path.display()))
            })?,
            given => given,
        };
        let mut rest: Box<dyn BufRead> = Box::new(BufReader::with_capacity(AT_ONCE, Cursor::new(head).chain(file)));
        let mut batches = Batches { path, take, each, good: 0, skipped: 0 };
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
struct Batches<'a, T> {
    path: &'a Path,
    take: &'a Take<'a, T>,
    each: &'a mut Each<'a, T>,
    good: u64,
    skipped: u64,
}

impl<T: Send> Batches<'_, T> {
    fn lines(&mut self, file: &mut dyn BufRead) -> Result<(), Failure> {
        let mut line = Vec::new();
        if !self.next_line(file, &mut line)? {
            return Ok(());
        }
        if serde_json::from_slice::<IgnoredAny>(&line).is_err_and(|error| error.is_eof()) && line.ends_with(b"\n") {
            // Perhaps not a line for each batch, but one document on many lines.
            let first = line.len();
            file.read_to_end(&mut line).map_err(|error| Failure::reading(self.path, &error))?;
            if serde_json::from_slice::<IgnoredAny>(&line).is_ok() {
                return self.line(read_line(&line, self.take), "");
            }
            let rest = line.split_off(first);
            self.line(read_line(&line, self.take), ":1")?;
            return self.more_lines(&mut &rest[..]);
        }
        self.line(read_line(&line, self.take), ":1")?;
        self.more_lines(file)
    }

    /// Reads from the second line on.
    fn more_lines(&mut self, file: &mut dyn BufRead) -> Result<(), Failure> {
        let (path, take) = (self.path, self.take);
        let blocks = std::iter::from_fn(|| block(file).map_err(|error| Failure::reading(path, &error)).transpose());
        let mut number = 1;
        parallel::map(
            blocks,
            |block| lines(&block).map(|line| read_line(line, take)).collect::<Vec<_>>(),
            |block| {
                block.into_iter().try_for_each(|read| {
                    number += 1;
                    self.line(read, &format!(":{number}"))
                })
            },
        )
    }

    fn line(&mut self, read: Result<Option<T>, String>, place: &str) -> Result<(), Failure> {
        match read {
            Ok(Some(taken)) => self.pass(taken)?,
            Ok(None) => {}
            Err(error) => self.skip(place, &error),
        }
        Ok(())
    }

    fn next_line(&self, file: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, Failure> {
        line.clear();
        let read = file.read_until(b'\n', line).map_err(|error| Failure::reading(self.path, &error))?;
        Ok(read > 0)
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

    /// Passes a batch on if its spans can all be read.
    fn batch(&mut self, bytes: Vec<u8>, place: &str) -> Result<(), Failure> {
        match (self.take)(bytes) {
            Ok(taken) => self.pass(taken),
            Err(error) => {
                self.skip(place, &error);
                Ok(())
            }
        }
    }

    fn pass(&mut self, taken: T) -> Result<(), Failure> {
        self.good += 1;
        (self.each)(taken)
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

/// Whole lines, so many that they are worth a thread's while; `None` at the end of the file.
fn block(file: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut block = Vec::with_capacity(2 * AT_ONCE);
    (&mut *file).take(AT_ONCE as u64).read_to_end(&mut block)?;
    file.read_until(b'\n', &mut block)?;
    Ok(Some(block).filter(|block| !block.is_empty()))
}

/// The lines of a block, each with its end.
fn lines(mut block: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let mut rest = block;
        // Bytes in memory can be read.
        let length = rest.skip_until(b'\n').ok().filter(|length| *length > 0)?;
        let line = &block[..length];
        block = rest;
        Some(line)
    })
}

/// What is taken of a line of OTLP/JSON; `None` of an empty one.
fn read_line<T>(line: &[u8], take: &Take<'_, T>) -> Result<Option<T>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let read = otlp_json::request(line).and_then(take).map(Some);
    read.map_err(|error| match line.ends_with(b"\n") || serde_json::from_slice::<IgnoredAny>(line).is_ok() {
        true => error,
        false => "the last line is torn: its writer was killed, or is at work".to_owned(),
    })
}

/// The batch, if its spans can all be read.
pub(crate) fn checked(batch: Vec<u8>) -> Result<Vec<u8>, String> {
    match SpanReader::new(&[&batch]).find_map(Result::err) {
        Some(error) => Err(error.message().to_owned()),
        None => Ok(batch),
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
