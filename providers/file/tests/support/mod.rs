//! Batches built by hand, and directories that go away.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use spandrel_plugin_api::wire::{field, put_bytes, put_fixed64, put_uint};
use spandrel_plugin_api::{Error, SpanBatch, SpanExporter};
use spandrel_provider_file::{FileConfig, FileExporter};

/// A directory of its own for each test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("spandrel-file-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                // Left by a process that was killed and had the same id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)).unwrap(),
            }
        }
    }

    pub(crate) fn trace_file(&self) -> PathBuf {
        self.0.join("traces.jsonl")
    }

    /// The rotated files, the oldest first.
    pub(crate) fn rotated(&self) -> Vec<PathBuf> {
        let paths = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut rotated: Vec<PathBuf> = paths.filter(|path| *path != self.trace_file()).collect();
        rotated.sort();
        rotated
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn open(path: &Path, change: impl FnOnce(&mut FileConfig)) -> FileExporter {
    let mut config = FileConfig::new(path);
    change(&mut config);
    FileExporter::open(config).unwrap()
}

/// The lines of a file, each of which must be a JSON object.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of all spans in lines of OTLP/JSON.
pub(crate) fn span_names(lines: &[Value]) -> Vec<String> {
    let spans = lines.iter().map(|line| &line["resourceSpans"][0]["scopeSpans"][0]["spans"]);
    let names = spans.flat_map(|spans| spans.as_array().unwrap()).map(|span| &span["name"]);
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Exports a batch with one span of this name.
pub(crate) fn export(exporter: &mut FileExporter, name: &str) -> Result<(), Error> {
    let request = request(&[], &span(name));
    exporter.export(&SpanBatch::new(&[&request], 1))
}

/// A request with one resource, one scope and one span.
pub(crate) fn request(resource: &[u8], span: &[u8]) -> Vec<u8> {
    let scope_spans = message(|out| {
        let scope = message(|out| {
            put_bytes(out, field::SCOPE_NAME, b"shop");
            put_bytes(out, field::SCOPE_VERSION, b"1.2.3");
        });
        put_bytes(out, field::SCOPE_SPANS_SCOPE, &scope);
        put_bytes(out, field::SCOPE_SPANS_SPANS, span);
    });
    let resource_spans = message(|out| {
        put_bytes(out, field::RESOURCE_SPANS_RESOURCE, resource);
        put_bytes(out, field::RESOURCE_SPANS_SCOPE_SPANS, &scope_spans);
    });
    message(|out| put_bytes(out, field::REQUEST_RESOURCE_SPANS, &resource_spans))
}

/// A span of kind server that took 4283 ms.
pub(crate) fn span(name: &str) -> Vec<u8> {
    message(|out| {
        put_bytes(out, field::SPAN_TRACE_ID, &[0x4b; 16]);
        put_bytes(out, field::SPAN_SPAN_ID, &[0x0a; 8]);
        put_bytes(out, field::SPAN_NAME, name.as_bytes());
        put_uint(out, field::SPAN_KIND, 2);
        put_fixed64(out, field::SPAN_START, 1_755_358_022_790_000_000);
        put_fixed64(out, field::SPAN_END, 1_755_358_027_073_000_000);
    })
}

pub(crate) fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut out);
    out
}
