//! Opens a file that says which code runs here, if nobody but trusted users can change it.
//!
//! That guards against accidents and planted paths. It does not guard against
//! the author of a plugin, who has all rights of the process anyway.

#[cfg(unix)]
mod owner;
#[cfg(not(unix))]
#[path = "permissions/owner_unsupported.rs"]
mod owner;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use spandrel_plugin_api::{Error, ErrorKind};

use super::settings::LoaderSettings;
use super::trace;

/// More than any plugin has, even with debug information. A larger file would be
/// a mistake that costs the process its memory.
const MOST_BYTES: u64 = 512 << 20;

/// A file that passed the checks; `what` it is goes into messages.
#[derive(Debug)]
pub(super) struct Opened {
    /// Without symbolic links.
    pub(super) path: PathBuf,
    what: &'static str,
    file: File,
    length: u64,
}

/// Opens the file once and checks it on its descriptor, and the directories above it.
///
/// # Errors
///
/// [`ErrorKind::Io`] if it cannot be opened or somebody else may change it,
/// [`ErrorKind::ConfigInvalid`] if it lies outside `plugin_allowed_dirs`.
pub(super) fn open(path: &Path, what: &'static str, settings: &LoaderSettings) -> Result<Opened, Error> {
    let cannot = |error: io::Error| {
        let (message, remedy) = match error.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => {
                (format!("the {what} is a symbolic link that leads nowhere"), "correct the link, or remove it")
            }
            io::ErrorKind::NotFound => (format!("there is no {what} at this path"), "correct the path, or install it"),
            io::ErrorKind::PermissionDenied => {
                (format!("cannot open the {what}"), "make it readable for the user of this process")
            }
            _ => (format!("cannot open the {what}"), "correct the path, or install it anew"),
        };
        let error = if error.kind() == io::ErrorKind::NotFound { None } else { Some(error) };
        let made = refused(message, path, remedy);
        match error {
            Some(error) => made.with_source(error),
            None => made,
        }
    };
    let canonical = path.canonicalize().map_err(cannot)?;
    check_place(&canonical, what, settings)?;
    let file = options().open(&canonical).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        let (kind, remedy) = match metadata.is_dir() {
            true => ("a directory", "name a file; directories to search are named by `plugin_dirs`"),
            false => ("a device, a pipe or a socket", "name a regular file"),
        };
        return Err(refused(format!("the {what} is {kind}, not a regular file"), &canonical, remedy));
    }
    let length = metadata.len();
    if length > MOST_BYTES {
        let message = format!("the {what} has {length} bytes, and more than {MOST_BYTES} are not read");
        return Err(refused(message, &canonical, "strip its debug information"));
    }
    owner::check(&canonical, what, &metadata, settings)?;
    trace::note(|| format!("{}: owner, mode and directories of the {what} are fine", canonical.display()));
    Ok(Opened { path: canonical, what, file, length })
}

impl Opened {
    /// All its bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it cannot be read.
    pub(super) fn read(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let read = bytes.try_reserve_exact(length).map_err(io::Error::from);
        // No more than was looked at, should the file grow meanwhile.
        let read = read.and_then(|()| (&mut self.file).take(self.length).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(bytes),
            Err(error) => {
                let message = format!("cannot read the {}", self.what);
                Err(refused(message, &self.path, "try again, or install it anew").with_source(error))
            }
        }
    }
}

/// A file whose real path lies inside an allowed directory.
fn check_place(canonical: &Path, what: &str, settings: &LoaderSettings) -> Result<(), Error> {
    let inside = |dir: &PathBuf| dir.canonicalize().is_ok_and(|dir| canonical.starts_with(dir));
    if settings.allowed_dirs.is_empty() || settings.allowed_dirs.iter().any(inside) {
        return Ok(());
    }
    let allowed: Vec<String> = settings.allowed_dirs.iter().map(|dir| dir.display().to_string()).collect();
    Err(Error::new(ErrorKind::ConfigInvalid, format!("the {what} lies outside `plugin_allowed_dirs`"))
        .with_context("path", canonical.display().to_string())
        .with_context("allowed", allowed.join(", "))
        .with_context("remedy", "move it into one of them, or add its directory to `plugin_allowed_dirs`"))
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // A pipe must not make the process wait. The path has no links anymore, so one
    // that is there was put there in this moment.
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

fn refused(message: String, path: &Path, remedy: impl Into<String>) -> Error {
    Error::new(ErrorKind::Io, message).with_context("path", path.display().to_string()).with_context("remedy", remedy)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::super::settings::LoaderSettings;
    use super::super::testing::Folder;
    use super::open;

    fn refusal(path: &Path, settings: &LoaderSettings) -> String {
        open(path, "plugin file", settings).map(|opened| opened.path).unwrap_err().to_string()
    }

    #[test]
    fn a_file_of_this_user_is_read_through_its_link() {
        let folder = Folder::new();
        let file = folder.file("x.so", b"content");
        symlink(&file, folder.path().join("link")).unwrap();
        let opened = open(&folder.path().join("link"), "plugin file", &LoaderSettings::default()).unwrap();
        assert_eq!(opened.path, file);
        assert_eq!(opened.read().unwrap(), b"content");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = Folder::new();
        let settings = LoaderSettings::default();
        let here = folder.path();
        let gone = here.join("gone");
        symlink(&gone, here.join("link")).unwrap();
        assert_eq!(
            refusal(&gone, &settings),
            format!(
                "there is no plugin file at this path (path: {}; remedy: correct the path, or install it)",
                gone.display()
            )
        );
        assert_eq!(
            refusal(&here.join("link"), &settings),
            format!(
                "the plugin file is a symbolic link that leads nowhere (path: {}/link; remedy: correct the link, or \
                 remove it)",
                here.display()
            )
        );
        for (path, kind, remedy) in [
            (here, "a directory", "name a file; directories to search are named by `plugin_dirs`"),
            (Path::new("/dev/null"), "a device, a pipe or a socket", "name a regular file"),
        ] {
            assert_eq!(
                refusal(path, &settings),
                format!("the plugin file is {kind}, not a regular file (path: {}; remedy: {remedy})", path.display())
            );
        }
        let below_a_file = folder.file("f", b"").join("x");
        assert_eq!(
            refusal(&below_a_file, &settings),
            format!(
                "cannot open the plugin file (path: {}; remedy: correct the path, or install it anew): {}",
                below_a_file.display(),
                std::io::Error::from_raw_os_error(libc::ENOTDIR)
            )
        );
    }

    #[test]
    fn what_others_may_write_is_refused_with_the_command() {
        let folder = Folder::new();
        let inner = folder.folder("inner");
        let file = inner.join("x.so");
        std::fs::write(&file, b"x").unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let settings = LoaderSettings::default();
        mode(&file, 0o666);
        assert_eq!(
            refusal(&file, &settings),
            format!("the plugin file can be written by every user (path: {0}; remedy: chmod go-w {0})", file.display())
        );
        mode(&file, 0o644);
        mode(&inner, 0o777);
        assert_eq!(
            refusal(&file, &settings),
            format!(
                "the directory {1}, above the plugin file, can be written by every user (path: {0}; remedy: chmod go-w {1})",
                file.display(),
                inner.display()
            )
        );
        mode(&inner, 0o755);
        assert!(open(&file, "plugin file", &settings).is_ok());
    }

    #[test]
    fn only_allowed_directories_count_by_their_real_path() {
        let folder = Folder::new();
        let (inside, outside) = (folder.folder("inside"), folder.folder("outside"));
        let file = folder.file("outside/x.so", b"x");
        symlink(&file, inside.join("x.so")).unwrap();
        let settings = LoaderSettings { allowed_dirs: vec![inside.clone()], ..LoaderSettings::default() };
        assert_eq!(
            refusal(&inside.join("x.so"), &settings),
            format!(
                "the plugin file lies outside `plugin_allowed_dirs` (path: {}; allowed: {}; remedy: move it into one \
                 of them, or add its directory to `plugin_allowed_dirs`)",
                file.display(),
                inside.display()
            )
        );
        let settings = LoaderSettings { allowed_dirs: vec![inside, outside], ..LoaderSettings::default() };
        assert!(open(&file, "plugin file", &settings).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_huge_file_is_not_read() {
        let folder = Folder::new();
        let path = folder.file("x.so", b"");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(
            refusal(&path, &LoaderSettings::default()),
            format!(
                "the plugin file has 1099511627776 bytes, and more than 536870912 are not read (path: {}; remedy: \
                 strip its debug information)",
                path.display()
            )
        );
    }
}
