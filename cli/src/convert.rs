use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use spandrel_plugin_api::json::write_batch;
use spandrel_plugin_api::wire::{Field, Fields, field, put_bytes};
use spandrel_plugin_api::{SpanBatch, SpanReader, SpanView};

use crate::failure::Failure;
use crate::filter::Filter;
use crate::input::Input;
use crate::output::Output;
use crate::{chrome, zipkin};

#[derive(Args)]
#[command(
    after_help = "Only spans that fit all filters are written. What a format has no place for is lost; docs/cli.md says what."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The format to write
    #[arg(long, value_name = "FORMAT")]
    to: To,
    /// Where to write to; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A line for each batch, as the provider `file` and the file exporter of the Collector write
    OtlpJson,
    /// Protobuf: one ExportTraceServiceRequest, as a receiver takes it in a POST to /v1/traces
    Otlp,
    /// Protobuf: requests, each behind its length (4 bytes, big-endian), as the file exporter of the Collector writes
    OtlpFramed,
    /// Zipkin JSON, version 2: an array of spans, as a server takes it in a POST to /api/v2/spans
    Zipkin,
    /// Trace events, for ui.perfetto.dev and chrome://tracing
    Chrome,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    if output.json {
        return Err(Failure::Usage("what is converted has the format of --to; leave --json out".to_owned()));
    }
    let path = &arguments.output;
    if arguments.input.files().contains(path) && path.as_os_str() != "-" {
        return Err(Failure::Usage(format!("{} cannot be read and written at the same time", path.display())));
    }
    let spans = if path.as_os_str() == "-" {
        let mut out = BufWriter::new(io::stdout());
        let spans = convert(arguments, &mut out, &Failure::from)?;
        out.flush()?;
        spans
    } else {
        write_file(arguments, path)?
    };
    match (spans, arguments.filter.is_empty()) {
        (0, false) => Err(Failure::NotWell("no span fits the filters".to_owned())),
        _ => Ok(()),
    }
}

/// Writes beside the file first, so that one that was there stays as it is if something goes wrong.
fn write_file(arguments: &Arguments, path: &Path) -> Result<u64, Failure> {
    let writing = |error: io::Error| Failure::writing(path, &error);
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    // A device or a pipe is written as it is.
    let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
    let target = if is_special { path } else { &part };
    let written = File::create(target).map_err(writing).and_then(|file| {
        let mut out = BufWriter::new(file);
        let spans = convert(arguments, &mut out, &writing)?;
        out.flush().map_err(writing)?;
        Ok(spans)
    });
    match written {
        Ok(spans) if !is_special => std::fs::rename(&part, path).map(|()| spans).map_err(writing),
        Err(failure) if !is_special => {
            // What is half written is of no use, and was ours.
            let _ = std::fs::remove_file(&part);
            Err(failure)
        }
        other => other,
    }
}

/// The number of spans that were written.
fn convert(arguments: &Arguments, out: &mut dyn Write, writing: &dyn Fn(io::Error) -> Failure) -> Result<u64, Failure> {
    let mut converted = 0;
    // Only Chrome's format has an order of all spans.
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut line = Vec::new();
    if arguments.to == To::Zipkin {
        out.write_all(b"[").map_err(writing)?;
    }
    arguments.input.read(&mut |batch| {
        let batch = chosen(batch, &arguments.filter);
        let parts = [&batch[..]];
        let spans: Vec<SpanView<'_>> = SpanReader::new(&parts).flatten().collect();
        if spans.is_empty() {
            return Ok(());
        }
        line.clear();
        match arguments.to {
            To::OtlpJson => {
                write_batch(&mut line, &SpanBatch::new(&parts, spans.len()))?;
                line.push(b'\n');
            }
            // Requests behind each other are one request.
            To::Otlp => line.extend_from_slice(&batch),
            To::OtlpFramed => {
                let length = u32::try_from(batch.len());
                let length = length.map_err(|_| Failure::NotWell("a batch has more than 4 GB".to_owned()))?;
                line.extend_from_slice(&length.to_be_bytes());
                line.extend_from_slice(&batch);
            }
            To::Zipkin => {
                for span in &spans {
                    line.extend_from_slice(if converted == 0 && line.is_empty() { b"\n" } else { b",\n" });
                    zipkin::write_span(&mut line, span);
                }
            }
            To::Chrome => {}
        }
        converted += spans.len() as u64;
        if arguments.to == To::Chrome {
            kept.push(batch);
        }
        out.write_all(&line).map_err(writing)
    })?;
    match arguments.to {
        To::Zipkin => out.write_all(b"\n]\n").map_err(writing)?,
        To::Chrome => {
            let parts: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
            let mut spans: Vec<SpanView<'_>> = SpanReader::new(&parts).flatten().collect();
            out.write_all(&chrome::write(&mut spans)).and_then(|()| out.write_all(b"\n")).map_err(writing)?;
        }
        _ => {}
    }
    Ok(converted)
}

/// The request without the spans that do not fit, and without what is empty then.
fn chosen(request: Vec<u8>, filter: &Filter) -> Vec<u8> {
    if filter.is_empty() {
        return request;
    }
    let parts = [&request[..]];
    // The reader goes through the spans in the order of their bytes.
    let mut fits = SpanReader::new(&parts).flatten().map(|span| filter.fits(&span));
    let mut scope_spans = |message: &[u8]| {
        kept(message, field::SCOPE_SPANS_SPANS, &mut |span| fits.next().unwrap_or(false).then(|| span.to_vec()))
    };
    let mut resource_spans = |message: &[u8]| kept(message, field::RESOURCE_SPANS_SCOPE_SPANS, &mut scope_spans);
    kept(&request, field::REQUEST_RESOURCE_SPANS, &mut resource_spans).unwrap_or_default()
}

/// A message in which a repeated field is changed or left out; `None` if nothing of the field is left.
fn kept(message: &[u8], number: u32, change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut is_empty = true;
    for (known, value) in Fields::new(message).flatten() {
        // Beside the spans there are only messages and texts.
        let Field::Len(bytes) = value else { continue };
        match known == number {
            false => put_bytes(&mut out, known, bytes),
            true => {
                if let Some(changed) = change(bytes) {
                    put_bytes(&mut out, known, &changed);
                    is_empty = false;
                }
            }
        }
    }
    (!is_empty).then_some(out)
}
