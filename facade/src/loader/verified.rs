//! Bytes that were compared with a pin, kept so that exactly they are loaded.
//!
//! On Linux they are copied into sealed memory, which nobody can change, and the
//! library is opened from there. Debuggers then show no path for it, and two
//! processes do not share its pages, so this is for pinned files only. Elsewhere
//! the file is opened by its path after the comparison.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "memory without a name and its seals are asked for in C")
)]

#[cfg(target_os = "linux")]
pub(super) use linux::keep;

#[cfg(not(target_os = "linux"))]
pub(super) fn keep(
    _: &[u8],
    _: &super::digest::Digest,
    path: &std::path::Path,
) -> Result<std::path::PathBuf, spandrel_plugin_api::Error> {
    Ok(path.to_owned())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    use spandrel_plugin_api::{Error, ErrorKind};

    use super::super::digest::Digest;
    use super::super::trace;

    /// Never closed. The C library knows a library by the path it was opened with:
    /// were the number of a descriptor used again, the next plugin with that
    /// number would be answered with the first one. And whoever loads the same bytes
    /// again gets the same library, not one more.
    static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

    struct Kept {
        digest: Digest,
        memory: File,
        /// Which file the descriptor was when it was opened.
        identity: (u64, u64),
    }

    /// Copies the bytes to where nobody can change them; the path opens that copy.
    pub(in super::super) fn keep(bytes: &[u8], digest: &Digest, path: &Path) -> Result<PathBuf, Error> {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        // A program may close descriptors that it does not know, and get their numbers for others.
        let known = kept.iter().find(|known| known.digest == *digest && known.is_intact());
        let number = match known {
            Some(known) => known.memory.as_raw_fd(),
            None => {
                let above = kept.iter().map(|known| known.memory.as_raw_fd() + 1).max().unwrap_or(0);
                let new = seal(bytes, above).and_then(|memory| {
                    let metadata = memory.metadata()?;
                    Ok(Kept { digest: *digest, identity: (metadata.dev(), metadata.ino()), memory })
                });
                let new = new.map_err(|error| {
                    refused("cannot keep the verified bytes of the plugin in memory", path).with_source(error)
                })?;
                let number = new.memory.as_raw_fd();
                kept.push(new);
                number
            }
        };
        let copy = PathBuf::from(format!("/proc/self/fd/{number}"));
        if !copy.exists() {
            return Err(refused("/proc is not mounted, so the verified bytes of the plugin cannot be opened", path));
        }
        trace::note(|| format!("{}: its bytes are kept sealed at {}", path.display(), copy.display()));
        Ok(copy)
    }

    impl Kept {
        fn is_intact(&self) -> bool {
            self.memory.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
        }
    }

    fn refused(message: &str, path: &Path) -> Error {
        Error::new(ErrorKind::Io, message)
            .with_context("path", path.display().to_string())
            .with_context("remedy", "allow memfd_create and mount /proc, or remove the `sha256` of the plugin")
    }

    /// Sealed memory with these bytes, whose descriptor has at least this number.
    fn seal(bytes: &[u8], least: i32) -> io::Result<File> {
        // That nobody can execute it as a program is what some systems insist on; old ones do not know it.
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let mut memory = create(flags | libc::MFD_NOEXEC_SEAL).or_else(|_| create(flags))?;
        memory.write_all(bytes)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
        // SAFETY: the descriptor is open, and the call takes one number.
        if unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        if memory.as_raw_fd() >= least {
            return Ok(memory);
        }
        // SAFETY: the descriptor is open, and the call takes one number.
        own(unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })
    }

    fn create(flags: libc::c_uint) -> io::Result<File> {
        // SAFETY: the name ends with NUL.
        own(unsafe { libc::memfd_create(c"spandrel-plugin".as_ptr(), flags) })
    }

    fn own(descriptor: libc::c_int) -> io::Result<File> {
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it, so nothing else owns it.
        Ok(unsafe { File::from_raw_fd(descriptor) })
    }

    #[cfg(test)]
    mod tests {
        use std::fs::OpenOptions;
        use std::io::Write;
        use std::os::fd::AsRawFd;
        use std::path::Path;

        use super::super::super::digest;
        use super::{keep, seal};

        #[test]
        fn nobody_can_change_the_copy() {
            let (bytes, path) = (b"verified bytes", Path::new("/x.so"));
            let copy = keep(bytes, &digest::of(bytes), path).unwrap();
            assert_eq!(std::fs::read(&copy).unwrap(), bytes);
            let written = OpenOptions::new().write(true).open(&copy).and_then(|mut file| file.write_all(b"other"));
            assert!(written.is_err(), "sealed");
            let cut = OpenOptions::new().write(true).open(&copy).and_then(|file| file.set_len(3));
            assert!(cut.is_err(), "sealed");
            assert_eq!(std::fs::read(&copy).unwrap(), bytes);
        }

        #[test]
        fn the_same_bytes_have_one_path_and_others_have_others() {
            let path = Path::new("/x.so");
            let copy = |bytes: &[u8]| keep(bytes, &digest::of(bytes), path).unwrap();
            let first = copy(b"first");
            assert_eq!(copy(b"first"), first);
            assert_ne!(copy(b"second"), first);
            assert!(seal(b"third", 200).unwrap().as_raw_fd() >= 200, "no number is used twice");
        }
    }
}
