use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Replaces a rotated file by its compressed form; `file` is the open file.
pub(crate) fn compress(path: &Path, file: &File) -> io::Result<()> {
    // A killed process leaves the original and perhaps an unfinished copy,
    // which the next attempt writes anew.
    let unfinished = &with_suffix(path, ".zst.tmp");
    let copied = File::create(unfinished).and_then(|copy| {
        copy_compressed(file, &copy)?;
        copy.sync_all()
    });
    if let Err(error) = copied {
        let _ = fs::remove_file(unfinished);
        return Err(error);
    }
    fs::rename(unfinished, with_suffix(path, ".zst"))?;
    fs::remove_file(path)
}

/// Whether [`compress`] made this file.
pub(crate) fn is_compressed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("zst"))
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(feature = "zstd")]
fn copy_compressed(from: &File, to: &File) -> io::Result<()> {
    zstd::stream::copy_encode(from, to, zstd::DEFAULT_COMPRESSION_LEVEL)
}

/// Never called: `FileConfig::check` refuses the setting.
#[cfg(not(feature = "zstd"))]
fn copy_compressed(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
