//! The spans of many files by their traces: in memory while they are few, and beyond
//! that in a temporary file.
//!
//! In memory are some 60 bytes for each trace, and 24 for each batch that has a part of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use spandrel_plugin_api::wire::{Field, Fields, field, len_field_len, put_bytes, put_len};
use spandrel_plugin_api::{SpanReader, SpanView, TraceId};

use crate::failure::Failure;

/// So many bytes of spans stay in memory.
const IN_MEMORY: usize = 32 << 20;
/// Read at once, as the spans of one trace were mostly written one after the other.
const WINDOW: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Store {
    traces: HashMap<TraceId, Kept>,
    parts: Vec<Part>,
    /// Those that are not in the file yet.
    bytes: Vec<u8>,
    file: Option<Spill>,
    /// Up to here they are.
    in_file: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// A trace that spans were kept of.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) id: TraceId,
    /// When its first span began.
    pub(crate) start: u64,
    /// Bytes of its spans.
    pub(crate) bytes: u64,
    fits: bool,
    last: u32,
}

/// A request with some spans of one trace.
struct Part {
    at: u64,
    length: u32,
    /// The part of the same trace before it.
    before: Option<u32>,
}

impl Store {
    /// Keeps the spans of a request that can be read. A trace counts if one of its spans fits.
    pub(crate) fn add(&mut self, request: &[u8], fits: impl Fn(&SpanView<'_>) -> bool) -> Result<(), Failure> {
        let parts = [request];
        // The reader goes through the spans in the order of their bytes.
        let mut views = SpanReader::new(&parts).flatten();
        for resource_spans in messages(request, field::REQUEST_RESOURCE_SPANS) {
            let resource = messages(resource_spans, field::RESOURCE_SPANS_RESOURCE).last().unwrap_or_default();
            for scope_spans in messages(resource_spans, field::RESOURCE_SPANS_SCOPE_SPANS) {
                let scope = messages(scope_spans, field::SCOPE_SPANS_SCOPE).last().unwrap_or_default();
                let spans = messages(scope_spans, field::SCOPE_SPANS_SPANS).zip(&mut views);
                let mut spans: Vec<(TraceId, &[u8], SpanView<'_>)> =
                    spans.map(|(span, view)| (view.trace_id(), span, view)).collect();
                // Stable, so that those of a trace stay in their order.
                spans.sort_by_key(|(trace, ..)| *trace);
                for of_trace in spans.chunk_by(|(a, ..), (b, ..)| a == b) {
                    self.add_part(resource, scope, of_trace, &fits)?;
                }
            }
        }
        Ok(())
    }

    fn add_part(
        &mut self,
        resource: &[u8],
        scope: &[u8],
        spans: &[(TraceId, &[u8], SpanView<'_>)],
        fits: &impl Fn(&SpanView<'_>) -> bool,
    ) -> Result<(), Failure> {
        let Some((id, ..)) = spans.first() else { return Ok(()) };
        let before = self.bytes.len();
        let of_spans: usize =
            spans.iter().map(|(_, span, _)| len_field_len(field::SCOPE_SPANS_SPANS, span.len())).sum();
        let of_scope = len_field_len(field::SCOPE_SPANS_SCOPE, scope.len()) + of_spans;
        let of_resource = len_field_len(field::RESOURCE_SPANS_RESOURCE, resource.len())
            + len_field_len(field::RESOURCE_SPANS_SCOPE_SPANS, of_scope);
        put_len(&mut self.bytes, field::REQUEST_RESOURCE_SPANS, of_resource);
        put_bytes(&mut self.bytes, field::RESOURCE_SPANS_RESOURCE, resource);
        put_len(&mut self.bytes, field::RESOURCE_SPANS_SCOPE_SPANS, of_scope);
        put_bytes(&mut self.bytes, field::SCOPE_SPANS_SCOPE, scope);
        for (_, span, _) in spans {
            put_bytes(&mut self.bytes, field::SCOPE_SPANS_SPANS, span);
        }
        let length = self.bytes.len() - before;
        let start = spans.iter().map(|(.., view)| view.start().unix_nanos()).min().unwrap_or(0);
        let too_many = || Failure::NotWell("there is more than can be shown at once; split the files".to_owned());
        let number = u32::try_from(self.parts.len()).map_err(|_| too_many())?;
        let mut part = Part {
            at: self.in_file + before as u64,
            length: u32::try_from(length).map_err(|_| too_many())?,
            before: None,
        };
        let new = Kept { id: *id, start, bytes: 0, fits: false, last: number };
        let kept = self.traces.entry(*id).and_modify(|kept| part.before = Some(kept.last)).or_insert(new);
        kept.last = number;
        kept.start = kept.start.min(start);
        kept.bytes += length as u64;
        kept.fits = kept.fits || spans.iter().any(|(.., view)| fits(view));
        self.parts.push(part);
        if self.bytes.len() >= IN_MEMORY { self.spill() } else { Ok(()) }
    }

    /// Moves what is in memory into the file.
    fn spill(&mut self) -> Result<(), Failure> {
        if self.file.is_none() {
            self.file = Some(Spill::new()?);
        }
        if let Some(spill) = &mut self.file {
            let written = spill.file.seek(SeekFrom::End(0)).and_then(|_| spill.file.write_all(&self.bytes));
            written.map_err(|error| Failure::writing(&spill.path, &error))?;
            self.in_file += self.bytes.len() as u64;
            self.bytes.clear();
        }
        Ok(())
    }

    /// The traces with a span that fits, by their start.
    pub(crate) fn traces(&self) -> Vec<Kept> {
        let mut traces: Vec<Kept> = self.traces.values().filter(|kept| kept.fits).copied().collect();
        traces.sort_unstable_by_key(|kept| (kept.start, kept.id));
        traces
    }

    /// The spans of a trace: requests in the order in which they came.
    pub(crate) fn read(&mut self, trace: &Kept) -> Result<Vec<Vec<u8>>, Failure> {
        let mut places = Vec::new();
        let mut next = Some(trace.last);
        while let Some(part) = next.and_then(|number| self.parts.get(number as usize)) {
            places.push((part.at, part.length as usize));
            next = part.before;
        }
        places.into_iter().rev().map(|(at, length)| self.bytes_at(at, length)).collect()
    }

    fn bytes_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, Failure> {
        if let Some(start) = at.checked_sub(self.in_file) {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            return Ok(self.bytes.get(start..start + length).unwrap_or_default().to_vec());
        }
        let Some(spill) = &mut self.file else { return Ok(Vec::new()) };
        let in_window = |window: &[u8], window_at: u64| {
            let start = usize::try_from(at.checked_sub(window_at)?).ok()?;
            Some(window.get(start..start.checked_add(length)?)?.to_vec())
        };
        if let Some(bytes) = in_window(&self.window, self.window_at) {
            return Ok(bytes);
        }
        self.window.clear();
        self.window_at = at;
        let read = spill
            .file
            .seek(SeekFrom::Start(at))
            .and_then(|_| (&mut spill.file).take(WINDOW.max(length) as u64).read_to_end(&mut self.window));
        read.map_err(|error| Failure::reading(&spill.path, &error))?;
        in_window(&self.window, self.window_at)
            .ok_or_else(|| Failure::reading(&spill.path, &io::ErrorKind::UnexpectedEof.into()))
    }
}

fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message).flatten().filter_map(move |(known, value)| match value {
        Field::Len(bytes) if known == number => Some(bytes),
        _ => None,
    })
}

/// A file that nobody else sees, and that is gone afterwards.
struct Spill {
    file: File,
    path: PathBuf,
}

impl Spill {
    fn new() -> Result<Self, Failure> {
        let dir = std::env::temp_dir();
        for number in 0_u32.. {
            let path = dir.join(format!("spandrel-{}-{number}.spans", std::process::id()));
            match options().open(&path) {
                Ok(file) => {
                    let spill = Self { file, path };
                    // Gone even if this process is killed, where the system can do so.
                    if cfg!(unix) {
                        spill.remove();
                    }
                    return Ok(spill);
                }
                // Left by a process that had the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot(&path, &error)),
            }
        }
        Err(cannot(&dir, &io::ErrorKind::AlreadyExists.into()))
    }

    fn remove(&self) {
        // If it is still there, it is in the way of nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if !cfg!(unix) {
            self.remove();
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Io(format!("cannot make {path}, for spans that are more than memory should hold: {error}; set TMPDIR"))
}

fn options() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
