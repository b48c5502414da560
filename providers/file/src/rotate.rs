use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::compress::{compress, is_compressed};
use crate::config::{Compression, Rotation};
use crate::time::Utc;
use crate::trace_file::{TraceFile, try_lock_exclusive};

/// Moves a full trace file out of the way, and looks after those moved earlier.
#[derive(Debug)]
pub(crate) struct Rotator {
    path: PathBuf,
    rotation: Rotation,
    /// The time in the newest name, in milliseconds since 1970-01-01 UTC.
    newest: u64,
}

impl Rotator {
    pub(crate) const fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation, newest: 0 }
    }

    /// Gives the file at the path the name of a rotated one if it is too old,
    /// or too large for so many more bytes; false if it stays.
    ///
    /// Other writers may be between looking at the path and writing: their
    /// lines go into the file under its new name. Two that rotate at the same
    /// moment may also move the fresh file; no line is lost by that.
    pub(crate) fn rotate_if_due(&mut self, file: &TraceFile, incoming: u64) -> io::Result<bool> {
        let (len, birth) = file.size_and_birth()?;
        // A clock that was set back makes no file old.
        let is_due = self.is_due(len, incoming, birth.elapsed().unwrap_or_default());
        if is_due {
            self.move_away()?;
        }
        Ok(is_due)
    }

    /// Removes the oldest rotated files and compresses the others, as configured.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        let files = self.rotated_files()?;
        let surplus = if self.rotation.keep == 0 { 0 } else { files.len().saturating_sub(self.rotation.keep) };
        let (old, kept) = files.split_at(surplus);
        let removed = old.iter().map(|path| if_unused(path, |_| fs::remove_file(path)));
        let compresses = |path: &&PathBuf| self.rotation.compress == Compression::Zstd && !is_compressed(path);
        let compressed = kept.iter().filter(compresses).map(|path| if_unused(path, |file| compress(path, file)));
        // One file that cannot be seen to is no reason to leave the others.
        removed.chain(compressed).fold(Ok(()), io::Result::and)
    }

    fn is_due(&self, len: u64, incoming: u64, age: Duration) -> bool {
        let Rotation { max_bytes, max_age_s, .. } = self.rotation;
        let is_large = max_bytes > 0 && len + incoming > max_bytes;
        let is_old = max_age_s > 0 && age.as_secs() >= max_age_s;
        // There is nothing to gain from moving an empty file.
        len > 0 && (is_large || is_old)
    }

    fn move_away(&mut self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Later than the last one even within a millisecond, because the names
        // say which files are the oldest.
        self.newest = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(self.newest + 1);
        loop {
            match rename_new(&self.path, &self.rotated_path(self.newest)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.newest += 1,
                // Another writer was quicker.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                other => return other,
            }
        }
    }

    /// `traces.jsonl` becomes `traces-20250816T152707.073.jsonl`.
    fn rotated_path(&self, unix_ms: u64) -> PathBuf {
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push("-");
        name.push(Utc::from_unix_ms(unix_ms).to_stamp());
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    /// The rotated files, compressed or not, the oldest first.
    fn rotated_files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.path.parent().unwrap_or(Path::new(".")))? {
            let path = entry?.path();
            if self.is_rotated(&path) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Whether `path` is one that [`rotated_path`](Self::rotated_path) makes, perhaps compressed.
    fn is_rotated(&self, path: &Path) -> bool {
        let path = if is_compressed(path) { &path.with_extension("") } else { path };
        let stem = |path: &Path| path.file_stem().unwrap_or_default().as_encoded_bytes().to_owned();
        let stamp = stem(path).strip_prefix(&*stem(&self.path)).and_then(|rest| rest.strip_prefix(b"-")).map(is_stamp);
        path.extension() == self.path.extension() && stamp == Some(true)
    }
}

/// Does something to a rotated file unless a writer still has it open.
///
/// Such a writer moves over to the new file at its next batch, and the rotated
/// one is seen to at the next rotation.
fn if_unused(path: &Path, act: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let done = OpenOptions::new().read(true).append(true).open(path).and_then(|file| match try_lock_exclusive(&file) {
        Err(Errno::WOULDBLOCK) => Ok(()),
        // Where there are no locks, files still have to go.
        _ => act(&file),
    });
    match done {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Renames, but never onto an existing file.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it, such as NFS.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if to.exists() => Err(ErrorKind::AlreadyExists.into()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        other => Ok(other?),
    }
}

/// Whether this is the form of [`Utc::to_stamp`].
fn is_stamp(text: &[u8]) -> bool {
    const FORM: &[u8] = b"00000000T000000.000";
    let fits = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == FORM.len() && FORM.iter().zip(text).all(fits)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Rotation, Rotator};

    fn rotator(path: &str) -> Rotator {
        Rotator::new(path.into(), Rotation::default())
    }

    #[test]
    fn files_rotate_by_size_and_by_age() {
        let is_due = |max_bytes, max_age_s, len, incoming, age_s| {
            let rotation = Rotation { max_bytes, max_age_s, ..Rotation::default() };
            Rotator::new("x".into(), rotation).is_due(len, incoming, Duration::from_secs(age_s))
        };
        assert!(!is_due(10, 0, 5, 5, 0));
        assert!(is_due(10, 0, 5, 6, 0));
        assert!(!is_due(10, 0, 0, 11, 0), "an empty file stays, however large the batch");
        assert!(!is_due(0, 0, u64::MAX / 2, 1, 1_000_000));
        assert!(!is_due(0, 60, 1, 0, 59));
        assert!(is_due(0, 60, 1, 0, 60));
    }

    #[test]
    fn rotated_names_carry_the_time() {
        let rotated = |path, expected| {
            assert_eq!(rotator(path).rotated_path(1_755_358_027_073), Path::new(expected));
            assert!(rotator(path).is_rotated(Path::new(expected)), "{expected}");
        };
        rotated("/x/traces.jsonl", "/x/traces-20250816T152707.073.jsonl");
        rotated("/x/a.b.jsonl", "/x/a.b-20250816T152707.073.jsonl");
        assert!(rotator("/x/traces.jsonl").is_rotated(Path::new("/x/traces-20250816T152707.073.jsonl.zst")));
    }

    #[test]
    fn other_files_of_the_directory_are_not_ours() {
        let rotator = rotator("/x/traces.jsonl");
        for name in [
            "traces.jsonl",
            "traces-shop.jsonl",
            "traces-shop-20250816T152707.073.jsonl",
            "traces-20250816T152707.073.json",
            "traces-20250816T152707.073.jsonl.gz",
            "traces-20250816T152707.073.jsonl.zst.tmp",
            "traces-20250816T152707.07x.jsonl",
        ] {
            assert!(!rotator.is_rotated(&Path::new("/x").join(name)), "{name}");
        }
    }
}
