use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::crc::crc32c;
use super::folder::private;

/// One file of a spool: batches, one behind the other.
///
/// ```text
/// segment   "SPANDSP1"  acknowledged: u64  record*
/// record    length: u32  spans: u32  unix_ms: u64  sum of payload: u32  sum of the 20 bytes before: u32  payload
/// ```
///
/// Numbers are little-endian, sums CRC-32C, and a payload is one `ExportTraceServiceRequest`.
/// What lies before the position `acknowledged` was exported. A record is written in one
/// go, so that a process that is killed leaves at most the last one torn.
pub(super) struct Segment {
    path: PathBuf,
    /// Open only while it is read or written.
    file: Option<File>,
    /// Up to here records are whole.
    len: u64,
    acknowledged: u64,
    /// Spans behind `acknowledged`.
    spans: u64,
    /// When the last record was written, in milliseconds of Unix time.
    newest: u64,
}

/// A segment as an earlier process left it.
pub(super) struct Found {
    pub(super) segment: Segment,
    /// Bytes of a torn last record, which are cut off.
    pub(super) torn: u64,
    /// The spans in it, if that much was written.
    pub(super) torn_spans: u64,
}

/// One batch as it was written.
pub(super) struct Record {
    pub(super) spans: u64,
    pub(super) unix_ms: u64,
    /// `None` if the bytes are not those that were written.
    pub(super) payload: Option<Vec<u8>>,
    /// Where the next one begins.
    pub(super) end: u64,
}

struct Head {
    len: u32,
    spans: u32,
    unix_ms: u64,
    sum: u32,
}

const MAGIC: [u8; 8] = *b"SPANDSP1";
const START: u64 = 16;
const HEAD: usize = 24;

impl Segment {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(&path)?;
        let mut start = [0; START as usize];
        start[..8].copy_from_slice(&MAGIC);
        start[8..].copy_from_slice(&START.to_le_bytes());
        if let Err(error) = file.write_all(&start) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { path, file: Some(file), len: START, acknowledged: START, spans: 0, newest: 0 })
    }

    /// Reads where the records lie and cuts off a torn last one.
    ///
    /// `None` if it was not even begun, and is removed.
    pub(super) fn open(path: &Path) -> io::Result<Option<Found>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        let mut start = [0; START as usize];
        if size < START {
            fs::remove_file(path)?;
            return Ok(None);
        }
        file.read_exact(&mut start)?;
        if start[..8] != MAGIC {
            return Err(io::Error::new(ErrorKind::InvalidData, "not a segment of a spool, or one of another version"));
        }
        let acknowledged = u64::from_le_bytes(array(&start[8..]));
        let mut segment =
            Self { path: path.to_owned(), file: Some(file), len: START, acknowledged: START, spans: 0, newest: 0 };
        let (mut before, mut torn_spans) = (0, 0);
        while segment.len + HEAD as u64 <= size {
            if segment.len == acknowledged {
                before = segment.spans;
            }
            let Some(head) = segment.head(segment.len)? else { break };
            let end = segment.len + HEAD as u64 + u64::from(head.len);
            if end > size {
                torn_spans = u64::from(head.spans);
                break;
            }
            segment.len = end;
            segment.spans += u64::from(head.spans);
            segment.newest = head.unix_ms;
        }
        // A position that is none of a record says nothing.
        if acknowledged == segment.len {
            before = segment.spans;
        }
        if before > 0 {
            segment.acknowledged = acknowledged;
            segment.spans -= before;
        }
        let torn = size - segment.len;
        if torn > 0 {
            let len = segment.len;
            segment.file()?.set_len(len)?;
        }
        segment.close();
        Ok(Some(Found { segment, torn, torn_spans }))
    }

    /// Appends a record; on an error nothing of it stays.
    pub(super) fn append(&mut self, parts: &[&[u8]], spans: u64, unix_ms: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        let too_large = |_| io::Error::new(ErrorKind::InvalidInput, "the batch is too large for a spool");
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let head = Head {
            len: u32::try_from(len).map_err(too_large)?,
            spans: u32::try_from(spans).map_err(too_large)?,
            unix_ms,
            sum: parts.iter().fold(0, |sum, part| crc32c(sum, part)),
        };
        buffer.clear();
        buffer.extend_from_slice(&head.encode());
        parts.iter().for_each(|part| buffer.extend_from_slice(part));
        let at = self.len;
        let file = self.file()?;
        let written = file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(buffer));
        if let Err(error) = written {
            file.set_len(at)?;
            return Err(error);
        }
        self.len += buffer.len() as u64;
        self.spans += spans;
        self.newest = unix_ms;
        Ok(())
    }

    /// The record that begins here; `None` if nothing can be read from here on.
    pub(super) fn record(&mut self, at: u64) -> io::Result<Option<Record>> {
        if at + HEAD as u64 > self.len {
            return Ok(None);
        }
        let Some(head) = self.head(at)? else { return Ok(None) };
        let end = at + HEAD as u64 + u64::from(head.len);
        if end > self.len {
            return Ok(None);
        }
        let mut payload = vec![0; head.len as usize];
        let file = self.file()?;
        file.seek(SeekFrom::Start(at + HEAD as u64))?;
        file.read_exact(&mut payload)?;
        let is_whole = crc32c(0, &payload) == head.sum;
        let payload = is_whole.then_some(payload);
        Ok(Some(Record { spans: u64::from(head.spans), unix_ms: head.unix_ms, payload, end }))
    }

    /// These spans, up to this position, are done with.
    pub(super) fn acknowledge(&mut self, end: u64, spans: u64) -> io::Result<()> {
        self.acknowledged = end;
        self.spans = self.spans.saturating_sub(spans);
        let file = self.file()?;
        file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
        file.write_all(&end.to_le_bytes())
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(super) fn spans(&self) -> u64 {
        self.spans
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn is_done(&self) -> bool {
        self.acknowledged >= self.len
    }

    /// Nothing more is written to it; a power loss takes nothing of it any more.
    pub(super) fn seal(&mut self) {
        if let Some(file) = self.file.take() {
            // Best effort: what is promised is to survive the process.
            let _ = file.sync_data();
        }
    }

    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// A file that cannot be removed is found again by the next process, and sent again.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().read(true).write(true).open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("just opened"))
    }

    /// The head of the record that begins here, unless it is no head.
    fn head(&mut self, at: u64) -> io::Result<Option<Head>> {
        let mut bytes = [0; HEAD];
        let file = self.file()?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)?;
        Ok(Head::decode(&bytes))
    }
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&self.len.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.spans.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.unix_ms.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.sum.to_le_bytes());
        let sum = crc32c(0, &bytes[..20]);
        bytes[20..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEAD]) -> Option<Self> {
        let number = |at: usize| u32::from_le_bytes(array(&bytes[at..at + 4]));
        (crc32c(0, &bytes[..20]) == number(20)).then(|| Self {
            len: number(0),
            spans: number(4),
            unix_ms: u64::from_le_bytes(array(&bytes[8..16])),
            sum: number(16),
        })
    }
}

/// A slice of just this length.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
