//! Spans that cannot be exported now, on disk.

mod crc;
mod folder;
mod segment;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spandrel_plugin_api::diagnostics::{Level, report};

use crate::config::SpoolConfig;
use folder::Folder;
use segment::Segment;

/// Batches in a folder of our own, the oldest first.
pub(crate) struct Spool {
    folder: Folder,
    max_bytes: u64,
    max_age: Duration,
    segments: VecDeque<Segment>,
    /// Number of the first one, from the first of this process on.
    first: u64,
    /// Number for the file of the next one.
    next_file: u64,
    /// The last segment may be appended to; those of earlier processes never are.
    is_writing: bool,
    in_hand: Option<InHand>,
    losses: SpoolLosses,
    buffer: Vec<u8>,
}

/// What a spool had to give up, in spans.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SpoolLosses {
    pub(crate) full: u64,
    pub(crate) expired: u64,
    pub(crate) damaged: u64,
}

/// The batch that is being exported.
struct InHand {
    segment: u64,
    end: u64,
    spans: u64,
}

/// Records that lie one behind the other, as the parts of one message.
pub(crate) struct SpooledBatch {
    payloads: Vec<Vec<u8>>,
    pub(crate) spans: u64,
}

impl SpooledBatch {
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        self.payloads.iter().map(Vec::as_slice).collect()
    }
}

const EXTENSION: &str = "spool";
const SEGMENT_BYTES: u64 = 8 << 20;
/// A batch may be larger; its memory is not kept.
const BUFFER_BYTES: usize = 1 << 20;

impl Spool {
    /// Opens a sub-directory of this name and takes over what earlier processes left in those
    /// of the same name. Also says how many spans that are.
    pub(crate) fn open(config: &SpoolConfig, name: &str) -> io::Result<(Self, u64)> {
        let name = file_name(name);
        let folder = Folder::claim(&config.dir, &name)?;
        let numbers = folder.files(EXTENSION)?.into_iter().filter_map(|path| number(&path));
        let mut next_file = numbers.max().map_or(0, |last| last + 1);
        for orphan in folder.orphans(&config.dir, &name)? {
            for path in orphan.files(EXTENSION)? {
                fs::rename(path, segment_path(folder.path(), next_file))?;
                next_file += 1;
            }
        }
        let mut spool = Self {
            max_bytes: config.max_bytes,
            max_age: config.max_age,
            segments: VecDeque::new(),
            first: 0,
            next_file,
            is_writing: false,
            in_hand: None,
            losses: SpoolLosses::default(),
            buffer: Vec::new(),
            folder,
        };
        let recovered = spool.recover()?;
        Ok((spool, recovered))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Writes a batch; if that takes more than `max_bytes`, the oldest ones go.
    ///
    /// # Errors
    ///
    /// What the disk says. Nothing was written then.
    pub(crate) fn append(&mut self, parts: &[&[u8]], spans: u64) -> io::Result<()> {
        self.expire();
        // About the head of a record besides.
        let len = parts.iter().map(|part| part.len() as u64).sum::<u64>() + 64;
        if len > self.max_bytes {
            self.losses.full += spans;
            return Ok(());
        }
        while self.segments.iter().map(Segment::len).sum::<u64>() + len > self.max_bytes {
            self.losses.full += self.drop_first();
        }
        let segment_bytes = SEGMENT_BYTES.min(self.max_bytes / 4);
        if self.is_writing && self.segments.back().is_some_and(|last| last.len() + len > segment_bytes) {
            self.segments.back_mut().into_iter().for_each(Segment::seal);
            self.is_writing = false;
        }
        if !self.is_writing {
            self.segments.push_back(Segment::create(segment_path(self.folder.path(), self.next_file))?);
            self.next_file += 1;
            self.is_writing = true;
        }
        let Some(last) = self.segments.back_mut() else { return Ok(()) };
        let written = last.append(parts, spans, unix_ms(), &mut self.buffer);
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
        if written.is_err() {
            // What comes later goes into a file that is surely whole.
            self.is_writing = false;
            if last.is_done() {
                self.drop_last();
            }
        }
        written
    }

    /// The oldest batch, about so large. It stays until [`done`](Self::done) is called.
    ///
    /// # Errors
    ///
    /// What the disk says; it may work later.
    pub(crate) fn read(&mut self, max_bytes: usize) -> io::Result<Option<SpooledBatch>> {
        self.expire();
        while let Some(segment) = self.segments.front_mut() {
            let mut batch = SpooledBatch { payloads: Vec::new(), spans: 0 };
            let (mut at, mut bytes) = (segment.acknowledged(), 0);
            while at < segment.len() {
                let record = match segment.record(at) {
                    Ok(Some(record)) => record,
                    Ok(None) => break,
                    // Somebody removed it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                };
                let is_old = age(record.unix_ms) > self.max_age;
                let Some(payload) = record.payload.filter(|_| !is_old) else {
                    if batch.payloads.is_empty() {
                        // Lost; if this cannot be written down, the next process finds it, too.
                        let _ = segment.acknowledge(record.end, record.spans);
                        *(if is_old { &mut self.losses.expired } else { &mut self.losses.damaged }) += record.spans;
                        at = record.end;
                        continue;
                    }
                    break;
                };
                if bytes > 0 && bytes + payload.len() > max_bytes {
                    break;
                }
                bytes += payload.len();
                batch.payloads.push(payload);
                batch.spans += record.spans;
                at = record.end;
            }
            if !batch.payloads.is_empty() {
                self.in_hand = Some(InHand { segment: self.first, end: at, spans: batch.spans });
                return Ok(Some(batch));
            }
            // Nothing more of it can be read.
            self.losses.damaged += self.drop_first();
        }
        Ok(None)
    }

    /// The batch that was read last is done with, or stays for another time.
    pub(crate) fn done(&mut self, is_done: bool) {
        let Some(InHand { segment, end, spans }) = self.in_hand.take() else { return };
        let Some(first) = self.segments.front_mut().filter(|_| self.first == segment) else {
            // Dropped in the meantime, without these.
            self.losses.full += if is_done { 0 } else { spans };
            return;
        };
        if is_done {
            // If it cannot be written down, a next process sends it again.
            let _ = first.acknowledge(end, spans);
            if first.is_done() {
                self.drop_first();
            }
        }
    }

    /// What was given up since the last time.
    pub(crate) fn take_losses(&mut self) -> SpoolLosses {
        std::mem::take(&mut self.losses)
    }

    /// Drops what is too old.
    pub(crate) fn expire(&mut self) {
        while self.segments.front().is_some_and(|first| age(first.newest()) > self.max_age) {
            self.losses.expired += self.drop_first();
        }
    }

    /// Removes the oldest segment; the spans in it that are not in hand.
    fn drop_first(&mut self) -> u64 {
        let Some(segment) = self.segments.pop_front() else { return 0 };
        let in_hand = self.in_hand.as_ref().filter(|batch| batch.segment == self.first).map_or(0, |batch| batch.spans);
        self.first += 1;
        self.is_writing &= !self.segments.is_empty();
        let spans = segment.spans().saturating_sub(in_hand);
        segment.remove();
        spans
    }

    fn drop_last(&mut self) {
        if let Some(segment) = self.segments.pop_back() {
            segment.remove();
        }
    }

    /// Reads what lies in the folder, and says how many spans that are.
    fn recover(&mut self) -> io::Result<u64> {
        let mut recovered = 0;
        let mut paths = self.folder.files(EXTENSION)?;
        paths.sort_by_key(|path| number(path));
        for path in paths {
            let text = match Segment::open(&path) {
                Ok(None) => continue,
                Ok(Some(found)) => {
                    recovered += found.segment.spans() + found.torn_spans;
                    self.losses.damaged += found.torn_spans;
                    if found.segment.is_done() {
                        found.segment.remove();
                    } else {
                        self.segments.push_back(found.segment);
                    }
                    match found.torn {
                        0 => continue,
                        torn => format!("cut off {torn} bytes of spans that were not written to their end"),
                    }
                }
                // Left where it is: it may be of a later version.
                Err(error) => format!("a file of the spool cannot be read and is left alone: {error}"),
            };
            report(Level::Warning, &format!("{text} (path: {})", path.display()));
        }
        let oldest_first = |segment: &Segment| segment.newest();
        self.segments.make_contiguous().sort_by_key(oldest_first);
        Ok(recovered)
    }
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.{EXTENSION}"))
}

fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The name of a provider as that of a directory; a plugin may be named by its path.
fn file_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that was set back makes nothing old.
fn age(unix_ms_then: u64) -> Duration {
    Duration::from_millis(unix_ms().saturating_sub(unix_ms_then))
}

#[cfg(all(test, not(miri)))]
mod tests;
