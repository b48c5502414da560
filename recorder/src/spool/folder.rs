use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A sub-directory that this spool alone has, for as long as it lives.
///
/// What says so is a lock on a file in it, which the system takes back when the process
/// ends, however it does. The file stays, so that there is never a second of its name.
pub(super) struct Folder {
    path: PathBuf,
    /// Closing it unlocks, but for a forked child, whose copy keeps the parent's lock.
    _lock: File,
}

impl Folder {
    /// The first sub-directory of this name, or this name and a number, that nobody has.
    pub(super) fn claim(base: &Path, name: &str) -> io::Result<Self> {
        /// More processes than that do not share a folder.
        const MOST: u32 = 10_000;
        for number in 1..=MOST {
            let path = match number {
                1 => base.join(name),
                _ => base.join(format!("{name}.{number}")),
            };
            make(&path)?;
            if let Some(folder) = Self::lock(path)? {
                return Ok(folder);
            }
        }
        Err(io::Error::other(format!("{MOST} processes have their spool here")))
    }

    /// The other sub-directories of this name that nobody has any more.
    pub(super) fn orphans(&self, base: &Path, name: &str) -> io::Result<Vec<Self>> {
        let mut orphans = Vec::new();
        for entry in fs::read_dir(base)? {
            let path = entry?.path();
            let text = path.file_name().and_then(|text| text.to_str()).unwrap_or_default();
            let rest = text.strip_prefix(name).unwrap_or("no");
            let number = rest.strip_prefix('.').map(str::parse::<u32>);
            if path != self.path && (rest.is_empty() || matches!(number, Some(Ok(_)))) {
                // One that may not be read is not ours.
                orphans.extend(Self::lock(path).ok().flatten());
            }
        }
        Ok(orphans)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The files in it that end so.
    pub(super) fn files(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.path()));
        let ours = |path: &io::Result<PathBuf>| {
            path.as_ref().map_or(true, |path| path.extension().is_some_and(|found| found == extension))
        };
        paths.filter(ours).collect()
    }

    fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        let lock = options.open(path.join("lock"))?;
        Ok(try_lock(&lock)?.then_some(Self { path, _lock: lock }))
    }
}

/// Spans tell much, so nobody else may read what is made here.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.recursive(true).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// False if somebody else has it.
#[cfg(unix)]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    match rustix::io::retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn try_lock(_: &File) -> io::Result<bool> {
    Err(io::Error::new(ErrorKind::Unsupported, "a spool needs a lock of Unix"))
}
