//! What the bytes of a library say, before any of its code runs.
//!
//! A truncated copy kills the process inside `dlopen`, a library for another
//! machine is answered with "No such file or directory", and a constructor runs
//! before its library can be asked anything. So the file is read first.

mod elf;
mod macho;
mod pe;
#[cfg(test)]
pub(super) mod samples;

use std::path::Path;

use spandrel_plugin_api::{Error, ErrorKind};

/// The metadata section of a plugin for this process.
///
/// # Errors
///
/// [`ErrorKind::Malformed`] for what is no intact library, [`ErrorKind::Unsupported`]
/// for one that this process cannot load or that is no plugin.
pub(super) fn metadata_section<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a [u8], Error> {
    section_for(bytes, &Target::HOST).map_err(|refusal| {
        Error::new(refusal.kind, format!("the plugin file {}", refusal.message))
            .with_context("path", path.display().to_string())
            .with_context("remedy", refusal.remedy)
    })
}

/// The words for the platform of this process, as manifests spell it.
pub(super) fn platform() -> String {
    let libc = if cfg!(target_env = "musl") { "-musl" } else { "" };
    format!("{}-{}{libc}", std::env::consts::OS, std::env::consts::ARCH)
}

fn section_for<'a>(bytes: &'a [u8], target: &Target) -> Result<&'a [u8], Refusal> {
    let format = Format::of(bytes)?;
    if format != target.format {
        return Err(Refusal::elsewhere(format!(
            "is {}, and this process needs {}",
            format.words(),
            target.format.words()
        )));
    }
    let library = match format {
        Format::Elf => elf::read(bytes, target),
        Format::MachO => macho::read(bytes, target),
        Format::Pe => pe::read(bytes, target),
    }?;
    match (library.metadata, library.entry) {
        (Some(metadata), _) if !metadata.is_empty() => Ok(metadata),
        (_, Some(entry)) => Err(Refusal {
            kind: ErrorKind::Unsupported,
            message: format!("exports {entry}, but has no metadata section"),
            remedy: "build it with the macro SPANDREL_METADATA of spandrel.h, or with export_exporter! or \
                     export_provider! of the Rust SDK"
                .to_owned(),
        }),
        (_, None) => Err(Refusal {
            kind: ErrorKind::Unsupported,
            message: "is a library, but not a Spandrel plugin".to_owned(),
            remedy: "name the file of a plugin, whose name usually begins with libspandrel_".to_owned(),
        }),
    }
}

/// What a library has to say.
struct Library<'a> {
    metadata: Option<&'a [u8]>,
    /// The name of the function that makes it a plugin.
    entry: Option<String>,
}

/// Why a file is not loaded, for behind "the plugin file".
#[derive(Debug)]
struct Refusal {
    kind: ErrorKind,
    message: String,
    remedy: String,
}

impl Refusal {
    /// A sound library for others.
    fn elsewhere(message: String) -> Self {
        let remedy = format!("install the build of the plugin for {}", platform());
        Self { kind: ErrorKind::Unsupported, message, remedy }
    }

    fn not_a_library(message: impl Into<String>) -> Self {
        let remedy = "name the file of a plugin, or install it anew".to_owned();
        Self { kind: ErrorKind::Malformed, message: message.into(), remedy }
    }

    fn object_file() -> Self {
        let remedy = "link it with -shared".to_owned();
        Self { remedy, ..Self::not_a_library("is an object file (.o), not a shared library") }
    }

    /// Part of it is missing.
    fn truncated(what: &str, needed: u64, bytes: &[u8]) -> Self {
        let message = format!("is cut off: {what} needs {needed} bytes, and the file has {}", bytes.len());
        Self { kind: ErrorKind::Malformed, message, remedy: REINSTALL.to_owned() }
    }

    fn damaged(what: &str) -> Self {
        Self { kind: ErrorKind::Malformed, message: format!("is damaged: {what}"), remedy: REINSTALL.to_owned() }
    }
}

const REINSTALL: &str = "install it anew: copy it under another name, then rename it";

/// What a process can load.
struct Target {
    format: Format,
    /// In the words of `std::env::consts::ARCH`.
    arch: &'static str,
    bits: u32,
    big_endian: bool,
}

impl Target {
    const HOST: Self = Self {
        format: if cfg!(windows) {
            Format::Pe
        } else if cfg!(target_vendor = "apple") {
            Format::MachO
        } else {
            Format::Elf
        },
        arch: std::env::consts::ARCH,
        bits: usize::BITS,
        big_endian: cfg!(target_endian = "big"),
    };

    /// Refuses a library for another machine. One of `known` is the name of ours,
    /// or this process runs on a machine too rare to judge.
    fn check_machine(&self, machine: Option<&str>, number: u32, known: &[&str]) -> Result<(), Refusal> {
        if !known.contains(&self.arch) || machine == Some(self.arch) {
            return Ok(());
        }
        let machine = machine.map_or_else(|| format!("machine {number:#x}"), str::to_owned);
        Err(Refusal::elsewhere(format!("is built for {machine}, and this process is {}", self.arch)))
    }

    fn check_bits(&self, bits: u32) -> Result<(), Refusal> {
        if bits == self.bits {
            return Ok(());
        }
        Err(Refusal::elsewhere(format!("is a {bits}-bit library, and this process is {}-bit", self.bits)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Elf,
    MachO,
    Pe,
}

impl Format {
    /// The format that the first bytes announce.
    fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        const KNOWN: [(&[u8], Result<Format, &str>); 12] = [
            (b"\x7fELF", Ok(Format::Elf)),
            (b"\xcf\xfa\xed\xfe", Ok(Format::MachO)),
            (b"\xce\xfa\xed\xfe", Ok(Format::MachO)),
            (b"\xfe\xed\xfa\xcf", Ok(Format::MachO)),
            (b"\xfe\xed\xfa\xce", Ok(Format::MachO)),
            (b"\xca\xfe\xba\xbe", Ok(Format::MachO)),
            (b"MZ", Ok(Format::Pe)),
            (b"!<arch>\n", Err("a static library (an archive)")),
            (b"\0asm", Err("a WebAssembly module")),
            (b"PK\x03\x04", Err("a ZIP archive")),
            (b"\x1f\x8b", Err("a file compressed with gzip")),
            (b"version https://git-lfs", Err("a pointer of Git LFS")),
        ];
        if bytes.is_empty() {
            return Err(Refusal { remedy: REINSTALL.to_owned(), ..Refusal::not_a_library("is empty") });
        }
        match KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            Some((_, Ok(format))) => Ok(*format),
            Some((_, Err(what))) => Err(Refusal::not_a_library(format!("is {what}, not a shared library"))),
            None if is_text(bytes) => Err(Refusal::not_a_library("is a text file, not a shared library")),
            None => {
                let first: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                Err(Refusal::not_a_library(format!("is not a shared library: it begins with {}", first.join(" "))))
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Elf => "a Linux or BSD library (ELF)",
            Self::MachO => "a macOS library (Mach-O)",
            Self::Pe => "a Windows library (PE)",
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    start.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace()) && {
        // A character may be cut at the end.
        std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true)
    }
}

/// Numbers and ranges of a file; `None` for what lies outside.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    all: &'a [u8],
    big_endian: bool,
}

impl<'a> Bytes<'a> {
    fn range(self, at: u64, length: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(length)?).ok()?;
        self.all.get(start..end)
    }

    fn number<const N: usize>(self, at: u64) -> Option<u64> {
        let bytes = self.range(at, N as u64)?;
        let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, digit) } else { bytes.iter().rev().fold(0, digit) })
    }

    fn u16(self, at: u64) -> Option<u16> {
        self.number::<2>(at).map(|number| number as u16)
    }

    fn u32(self, at: u64) -> Option<u32> {
        self.number::<4>(at).map(|number| number as u32)
    }

    fn u64(self, at: u64) -> Option<u64> {
        self.number::<8>(at)
    }

    /// A number of 32 or 64 bits.
    fn word(self, at: u64, bits: u32) -> Option<u64> {
        if bits == 64 { self.u64(at) } else { self.u32(at).map(u64::from) }
    }
}

/// The name of the entry function in a table of names that end with NUL.
fn entry_in(names: &[u8]) -> Option<String> {
    const PREFIX: &[u8] = b"spandrel_plugin_v";
    // Mach-O puts an underscore before each name.
    let plain = |name: &&[u8]| name.strip_prefix(b"_").unwrap_or(name).starts_with(PREFIX);
    let name = names.split(|byte| *byte == 0).find(plain)?;
    Some(String::from_utf8_lossy(name.strip_prefix(b"_").unwrap_or(name)).into_owned())
}

/// A name in a field of fixed length, padded with NUL.
fn padded(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

#[cfg(test)]
mod tests;
