//! Opens what the checks have let through. A library is never closed: its code may
//! run at the end of any thread, and the texts that it handed out stay in use.
#![expect(unsafe_code, reason = "a symbol of a library has the type that the boundary gives it")]

use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use spandrel_plugin_api::abi::{ABI_MAJOR, Descriptor, ENTRY, Entry, MAGIC, copy_prefix, read_text};
use spandrel_plugin_api::{Error, ErrorKind, abi};

use super::candidate::Candidate;
use super::host;
use super::metadata::{Kind, Metadata};

/// An opened plugin.
pub(crate) struct Library {
    candidate: Candidate,
    descriptor: Descriptor,
    host: abi::Host,
    /// Plugins are not asked for two instances at the same time.
    creating: Mutex<()>,
}

static OPENED: Mutex<Vec<&'static Library>> = Mutex::new(Vec::new());

impl Library {
    /// Opens a library, or finds it among those that are open.
    pub(crate) fn open(candidate: Candidate) -> Result<&'static Self, Error> {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |library: &&&Self| library.candidate.open_path() == candidate.open_path();
        if let Some(library) = opened.iter().find(is_known) {
            return Ok(library);
        }
        let descriptor = load(&candidate)?;
        let library =
            Self { host: host::table(&candidate.metadata.name), candidate, descriptor, creating: Mutex::new(()) };
        let library: &'static Self = Box::leak(Box::new(library));
        opened.push(library);
        Ok(library)
    }

    /// All plugins that this process has opened.
    pub(crate) fn opened() -> Vec<&'static Self> {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.candidate.path
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.candidate.metadata
    }

    /// Makes an instance by `create`, the plugin's function of that name.
    pub(super) fn create(&'static self, arguments: &abi::CreateArguments) -> Result<abi::Instance, Error> {
        let Some(create) = self.descriptor.create else {
            return Err(self.broken("has no function `create`"));
        };
        // SAFETY: all zero is an instance in which everything is absent.
        let mut instance: abi::Instance = unsafe { std::mem::zeroed() };
        instance.size = size_of::<abi::Instance>();
        let mut error = abi::Error::EMPTY;
        let guard = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a function of a plugin whose descriptor was checked, with arguments as the
        // boundary says; the host table lives for ever, as the library does.
        let status = unsafe { create(arguments, &raw const self.host, &raw mut instance, &raw mut error) };
        drop(guard);
        // SAFETY: the error was empty before the call.
        unsafe { abi::take_error(status, error) }?;
        Ok(instance)
    }

    /// Whether `create` would accept the configuration.
    pub(super) fn validate_config(&self, arguments: &abi::CreateArguments) -> Result<(), Error> {
        let Some(validate_config) = self.descriptor.validate_config else {
            return Err(Error::new(ErrorKind::Unsupported, "this plugin cannot check its configuration by itself"));
        };
        let mut error = abi::Error::EMPTY;
        // SAFETY: as in `create`.
        unsafe {
            let status = validate_config(arguments, &raw const self.host, &raw mut error);
            abi::take_error(status, error)
        }
    }

    pub(super) fn broken(&self, what: &str) -> Error {
        Error::new(ErrorKind::Malformed, format!("the plugin {what}"))
            .with_context("path", self.path().display().to_string())
            .with_context("remedy", "tell its author, or install another version")
    }
}

/// Runs the first code of the library: its constructors, and the entry.
fn load(candidate: &Candidate) -> Result<Descriptor, Error> {
    let path = candidate.open_path();
    // SAFETY: runs the constructors of a file that says of itself, in its metadata, that it
    // is a plugin, and that has passed the checks. That it is trusted is up to
    // whoever put it there.
    let library = unsafe { open(&path) }.map_err(|error| refused(candidate, &error))?;
    // Stays open even if it is refused now: its constructors have run, and may have
    // started threads.
    let library = ManuallyDrop::new(library);
    // SAFETY: the symbol is a function of this type in every plugin, by its name.
    let entry = unsafe { library.get::<Entry>(ENTRY.as_bytes()) };
    let entry = match entry {
        Ok(entry) => *entry,
        Err(_) => {
            let message = format!("the plugin does not export {ENTRY}");
            return Err(Error::new(ErrorKind::Malformed, message)
                .with_context("path", candidate.path.display().to_string())
                .with_context("remedy", "build it for this version of the boundary"));
        }
    };
    // SAFETY: the entry has no arguments; the library stays open.
    let descriptor = unsafe { copy_prefix(entry()) };
    check(candidate, descriptor)
}

#[cfg(unix)]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // All symbols at once, so that a missing one is an error now and not a crash
    // later; and none of them in the way of the program's own.
    // SAFETY: as for the caller.
    Ok(unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?.into())
}

#[cfg(not(unix))]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: as for the caller.
    unsafe { libloading::Library::new(path) }
}

/// What the system's linker has to say, with what it means.
fn refused(candidate: &Candidate, error: &libloading::Error) -> Error {
    let said = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let remedy = if said.contains("GLIBC") {
        "the plugin was built on a system with a newer C library: build it on an older one, or update this one"
    } else if said.contains("undefined symbol") || said.contains("symbol not found") {
        "link the library that has it into the plugin"
    } else if said.contains("failed to map segment") {
        "move the plugin to a file system that is not mounted with noexec, or pin its `sha256`"
    } else if said.contains("cannot open shared object file") || said.contains("Error loading shared library") {
        "install the library that the plugin depends on; `ldd` on the plugin shows which"
    } else {
        "`ldd` on the plugin shows what it needs"
    };
    Error::new(ErrorKind::Io, format!("the system cannot load the plugin: {said}"))
        .with_context("path", candidate.path.display().to_string())
        .with_context("remedy", remedy)
}

/// Whether code and metadata tell the same story.
fn check(candidate: &Candidate, descriptor: Option<Descriptor>) -> Result<Descriptor, Error> {
    let metadata = &candidate.metadata;
    let wrong = |what: String| {
        Error::new(ErrorKind::Malformed, format!("the plugin {what}"))
            .with_context("path", candidate.path.display().to_string())
            .with_context("remedy", "tell its author, or install another version")
    };
    let descriptor = descriptor.ok_or_else(|| wrong(format!("returns no descriptor from {ENTRY}")))?;
    if descriptor.magic != MAGIC {
        return Err(wrong(format!("returns from {ENTRY} what is not a descriptor")));
    }
    let (major, minor) = (descriptor.abi_major, descriptor.abi_minor);
    if major != ABI_MAJOR || (major, minor) != metadata.abi {
        let (said_major, said_minor) = metadata.abi;
        return Err(wrong(format!(
            "says {said_major}.{said_minor} in its metadata and {major}.{minor} in its descriptor for its plugin ABI"
        )));
    }
    // The metadata may be silent about it.
    let needs = Metadata { abi_min_minor: descriptor.abi_minor_min, ..metadata.clone() };
    needs.check_abi(&candidate.path)?;
    // SAFETY: from the descriptor of a library that is never unloaded.
    unsafe { abi::check_layout(descriptor.layout) }.map_err(|what| {
        Error::new(ErrorKind::Malformed, what)
            .with_context("path", candidate.path.display().to_string())
            .with_context("remedy", "build the plugin for this version of the boundary")
    })?;
    let kind = match metadata.kind {
        Kind::Exporter => abi::KIND_EXPORTER,
        Kind::Provider => abi::KIND_PROVIDER,
    };
    // SAFETY: the texts of a descriptor live as long as the library.
    let name = unsafe { read_text(descriptor.name) };
    if name != metadata.name.as_str() || descriptor.kind != kind {
        return Err(wrong(format!(
            "is `{}`, {}, in its metadata, and `{name}`, {}, in its descriptor",
            metadata.name,
            kind_name(kind),
            kind_name(descriptor.kind)
        )));
    }
    if descriptor.create.is_none() {
        return Err(wrong("has no function `create`".to_owned()));
    }
    Ok(descriptor)
}

fn kind_name(kind: u16) -> &'static str {
    match kind {
        abi::KIND_EXPORTER => "an exporter",
        abi::KIND_PROVIDER => "a live provider",
        _ => "of an unknown kind",
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({})", self.path().display())
    }
}
