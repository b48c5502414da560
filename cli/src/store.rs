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
/// Read and written at once, as the spans of one trace were mostly written one after the other.
const WINDOW: usize = 256 << 10;

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
    /// Keeps the spans of a batch.
    pub(crate) fn add(&mut self, batch: &Sorted) -> Result<(), Failure> {
        let too_many = || Failure::NotWell("there is more than can be shown at once; split the files".to_owned());
        let mut at = self.in_file + self.bytes.len() as u64;
        self.bytes.extend_from_slice(&batch.bytes);
        for of_trace in &batch.requests {
            let number = u32::try_from(self.parts.len()).map_err(|_| too_many())?;
            let length = u32::try_from(of_trace.bytes).map_err(|_| too_many())?;
            let new = Kept { last: number, ..*of_trace };
            let kept = self.traces.entry(of_trace.id);
            let mut before = None;
            kept.and_modify(|kept| {
                before = Some(kept.last);
                kept.last = number;
                kept.start = kept.start.min(of_trace.start);
                kept.bytes += of_trace.bytes;
                kept.fits |= of_trace.fits;
            })
            .or_insert(new);
            self.parts.push(Part { at, length, before });
            at += of_trace.bytes;
        }
        // What comes after the first in the file goes there soon, so that the memory stays free.
        let most = if self.file.is_none() { IN_MEMORY } else { WINDOW };
        if self.bytes.len() >= most { self.spill() } else { Ok(()) }
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
            self.bytes = Vec::new();
        }
        Ok(())
    }

    /// The traces with a span that fits, by their start.
    pub(crate) fn traces(&self) -> Vec<Kept> {
        let mut traces: Vec<Kept> = self.traces.values().filter(|kept| kept.fits).copied().collect();
        traces.sort_unstable_by_key(|kept| (kept.start, kept.id));
        traces
    }

    /// Appends the spans of a trace to a request, in the order in which they came.
    pub(crate) fn read(&mut self, trace: &Kept, request: &mut Vec<u8>) -> Result<(), Failure> {
        let mut places = Vec::new();
        let mut next = Some(trace.last);
        while let Some(part) = next.and_then(|number| self.parts.get(number as usize)) {
            places.push((part.at, part.length as usize));
            next = part.before;
        }
        places.into_iter().rev().try_for_each(|(at, length)| {
            request.extend_from_slice(self.bytes_at(at, length)?);
            Ok(())
        })
    }

    fn bytes_at(&mut self, at: u64, length: usize) -> Result<&[u8], Failure> {
        // What is not there is empty, and there is nothing that is not there.
        let of = |bytes: &[u8], first: u64| {
            let start = usize::try_from(at.checked_sub(first)?).ok()?;
            Some(start..start.checked_add(length)?).filter(|range| range.end <= bytes.len())
        };
        if at >= self.in_file {
            return Ok(of(&self.bytes, self.in_file).map_or(&[], |range| &self.bytes[range]));
        }
        let Some(spill) = &mut self.file else { return Ok(&[]) };
        if of(&self.window, self.window_at).is_none() {
            self.window.clear();
            self.window_at = at;
            let read = spill
                .file
                .seek(SeekFrom::Start(at))
                .and_then(|_| (&mut spill.file).take(WINDOW.max(length) as u64).read_to_end(&mut self.window));
            read.map_err(|error| Failure::reading(&spill.path, &error))?;
        }
        let range = of(&self.window, self.window_at)
            .ok_or_else(|| Failure::reading(&spill.path, &io::ErrorKind::UnexpectedEof.into()))?;
        Ok(&self.window[range])
    }
}

/// A batch whose spans stand together by their traces.
pub(crate) struct Sorted {
    /// Requests, one behind the other.
    bytes: Vec<u8>,
    /// Of each, what it adds to what is kept of its trace.
    requests: Vec<Kept>,
}

impl Sorted {
    /// Sorts the spans of a request, if all can be read. A trace counts if one of its spans fits.
    pub(crate) fn new(request: &[u8], fits: impl Fn(&SpanView<'_>) -> bool) -> Result<Self, String> {
        let parts = [request];
        let views: Result<Vec<SpanView<'_>>, _> = SpanReader::new(&parts).collect();
        let views = views.map_err(|error| error.message().to_owned())?;
        // The reader goes through the spans in the order of their bytes.
        let mut views = views.iter();
        // The resource and the scope are written again for each trace.
        let mut sorted = Self { bytes: Vec::with_capacity(request.len() * 5 / 4), requests: Vec::new() };
        for resource_spans in messages(request, field::REQUEST_RESOURCE_SPANS) {
            let resource = messages(resource_spans, field::RESOURCE_SPANS_RESOURCE).last().unwrap_or_default();
            for scope_spans in messages(resource_spans, field::RESOURCE_SPANS_SCOPE_SPANS) {
                let scope = messages(scope_spans, field::SCOPE_SPANS_SCOPE).last().unwrap_or_default();
                let spans = messages(scope_spans, field::SCOPE_SPANS_SPANS).zip(&mut views);
                let mut spans: Vec<(&[u8], &SpanView<'_>)> = spans.collect();
                // Stable, so that those of a trace stay in their order.
                spans.sort_by_key(|(_, view)| view.trace_id());
                let start = |spans: &&[(&[u8], &SpanView<'_>)]| spans.iter().map(|(_, view)| view.start()).min();
                let mut traces: Vec<_> = spans.chunk_by(|(_, a), (_, b)| a.trace_id() == b.trace_id()).collect();
                // As they are shown, so that they are mostly read one after the other.
                traces.sort_by_key(start);
                for of_trace in traces {
                    sorted.add(resource, scope, of_trace, &fits);
                }
            }
        }
        Ok(sorted)
    }

    fn add(
        &mut self,
        resource: &[u8],
        scope: &[u8],
        spans: &[(&[u8], &SpanView<'_>)],
        fits: &impl Fn(&SpanView<'_>) -> bool,
    ) {
        let Some((_, first)) = spans.first() else { return };
        let before = self.bytes.len();
        let of_spans: usize = spans.iter().map(|(span, _)| len_field_len(field::SCOPE_SPANS_SPANS, span.len())).sum();
        let of_scope = len_field_len(field::SCOPE_SPANS_SCOPE, scope.len()) + of_spans;
        let of_resource = len_field_len(field::RESOURCE_SPANS_RESOURCE, resource.len())
            + len_field_len(field::RESOURCE_SPANS_SCOPE_SPANS, of_scope);
        put_len(&mut self.bytes, field::REQUEST_RESOURCE_SPANS, of_resource);
        put_bytes(&mut self.bytes, field::RESOURCE_SPANS_RESOURCE, resource);
        put_len(&mut self.bytes, field::RESOURCE_SPANS_SCOPE_SPANS, of_scope);
        put_bytes(&mut self.bytes, field::SCOPE_SPANS_SCOPE, scope);
        for (span, _) in spans {
            put_bytes(&mut self.bytes, field::SCOPE_SPANS_SPANS, span);
        }
        self.requests.push(Kept {
            id: first.trace_id(),
            start: spans.iter().map(|(_, view)| view.start().unix_nanos()).min().unwrap_or(0),
            bytes: (self.bytes.len() - before) as u64,
            fits: spans.iter().any(|(_, view)| fits(view)),
            last: 0,
        });
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
