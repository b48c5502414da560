use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use spandrel_plugin_api::diagnostics::{Level, report};

use crate::recover::{Tail, mend_tail};

/// The open trace file, which other processes may append to as well.
///
/// A shared lock says that it has a writer. Whoever gets the exclusive one is
/// alone with the file, and may cut, compress or remove it.
#[derive(Debug)]
pub(crate) struct TraceFile {
    file: File,
    id: FileId,
    opened: SystemTime,
}

/// Device and inode.
type FileId = (u64, u64);

impl TraceFile {
    /// Opens the file for appending, creates what is missing and cuts off a torn last line.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // After this many attempts the file system is one where a path and its
        // open file never show the same inode.
        const ATTEMPTS: usize = 10;
        let mut attempt = 1;
        loop {
            let file = Self::open_once(path)?;
            // While it waited for the lock another process may have rotated it.
            if file.is_at(path) || attempt == ATTEMPTS {
                return Ok(file);
            }
            attempt += 1;
        }
    }

    fn open_once(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if try_lock_exclusive(&file).is_ok() {
            report_tail(path, mend_tail(&file)?);
        }
        // Waits only while another process does the same or removes the file.
        // Where there are no locks, appending works without them.
        let _ = lock(&file, FlockOperation::LockShared);
        let id = file_id(&file.metadata()?);
        Ok(Self { file, id, opened: SystemTime::now() })
    }

    /// Whether the path still leads to this file; false once it was rotated or removed.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        match fs::metadata(path) {
            Ok(metadata) => file_id(&metadata) == self.id,
            // A directory that became unreadable says nothing about the file.
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    /// Its length and when it was created.
    ///
    /// Only regular files have a length; devices and pipes are always empty.
    pub(crate) fn size_and_birth(&self) -> io::Result<(u64, SystemTime)> {
        let metadata = self.file.metadata()?;
        let len = if metadata.is_file() { metadata.len() } else { 0 };
        Ok((len, metadata.created().unwrap_or(self.opened)))
    }

    /// Appends whole lines with one system call, so that they stay together
    /// whoever else appends. On an error nothing of them stays in the file.
    pub(crate) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        let written = loop {
            match file.write(lines) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if written == lines.len() {
            return Ok(());
        }
        let left = match self.take_back(written as u64) {
            Ok(true) => "",
            Ok(false) | Err(_) => ", and they could not be taken back",
        };
        let message = format!("only {written} of {} bytes were written{left}", lines.len());
        Err(io::Error::new(ErrorKind::StorageFull, message))
    }

    /// Cuts off what the last write wrote, unless somebody else has appended since.
    fn take_back(&self, written: u64) -> io::Result<bool> {
        // In append mode the position is where the last write of this handle ended.
        let mut file = &self.file;
        let end = file.stream_position()?;
        let is_last = file.metadata()?.len() == end;
        if is_last && written > 0 {
            file.set_len(end - written)?;
        }
        Ok(is_last || written == 0)
    }

    /// Forces the file to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.file.sync_data() {
            // A pipe or a device has no disk.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }
}

/// Gets the exclusive lock if nobody else has the file open for writing.
pub(crate) fn try_lock_exclusive(file: &File) -> rustix::io::Result<()> {
    lock(file, FlockOperation::NonBlockingLockExclusive)
}

fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}

fn file_id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

fn report_tail(path: &Path, tail: Tail) {
    let path = path.display();
    match tail {
        Tail::Whole => {}
        Tail::Cut(bytes) => {
            report(Level::Warning, &format!("cut off {bytes} bytes of a torn last line (path: {path})"));
        }
        Tail::Foreign(bytes) => report(
            Level::Warning,
            &format!(
                "the trace file ends with {bytes} bytes that are not a trace; is it meant for traces? (path: {path})"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use super::TraceFile;

    fn temporary(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("spandrel-file-{name}-{}", std::process::id()));
        // Left by a process that was killed and had the same id.
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn half_a_line_is_taken_back() {
        let path = temporary("take-back");
        fs::write(&path, "{}\n").unwrap();
        let file = TraceFile::open(&path).unwrap();
        (&file.file).write_all(b"{half").unwrap();
        assert!(file.take_back(5).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn half_a_line_stays_if_another_writer_has_appended() {
        let path = temporary("keep-half");
        let file = TraceFile::open(&path).unwrap();
        let other = TraceFile::open(&path).unwrap();
        (&file.file).write_all(b"{half").unwrap();
        other.append(b"{}\n").unwrap();
        assert!(!file.take_back(5).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{half{}\n");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_torn_line_is_left_alone_while_there_is_another_writer() {
        let path = temporary("live-writer");
        let writer = TraceFile::open(&path).unwrap();
        (&writer.file).write_all(b"{half").unwrap();
        let second = TraceFile::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{half");
        drop((writer, second));
        TraceFile::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        fs::remove_file(&path).unwrap();
    }
}
