use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spandrel_plugin_api::diagnostics::RateLimit;
use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};

use crate::config::{FileConfig, Format};
use crate::encode::encode;
use crate::rotate::Rotator;
use crate::sync::Syncer;
use crate::trace_file::TraceFile;

/// Makes the provider `file`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileFactory;

impl ProviderFactory for FileFactory {
    fn name(&self) -> &str {
        "file"
    }

    fn create(&self, config: &str, _host: &Host<'_>) -> Result<Provider, Error> {
        let exporter = FileExporter::open(config::parse(config)?)?;
        Ok(Provider::Exporter(Box::new(exporter)))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<FileConfig>(config).map(drop)
    }
}

/// Appends finished spans to a file.
#[derive(Debug)]
pub struct FileExporter {
    path: PathBuf,
    format: Format,
    /// `None` after the file was rotated or removed, until the next batch.
    file: Option<TraceFile>,
    rotator: Rotator,
    syncer: Syncer,
    buffer: Vec<u8>,
}

impl FileExporter {
    /// Opens the file, and creates it and the directories above it if they are missing.
    ///
    /// A torn last line, left by a process that was killed while writing it, is
    /// cut off unless another process has the file open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] with the key in the context `key`;
    /// [`ErrorKind::Io`] if the path cannot be used.
    pub fn open(config: FileConfig) -> Result<Self, Error> {
        config.check()?;
        // The program may change its working directory later, and a rotation
        // is to rename the file itself, not a link to it.
        let path = std::path::absolute(&config.path)?;
        let path = fs::canonicalize(&path).unwrap_or(path);
        let syncer = Syncer::new(&config, Instant::now());
        Ok(Self {
            format: config.format,
            file: Some(open_file(&path, &syncer)?),
            rotator: Rotator::new(path.clone(), config.rotate),
            syncer,
            buffer: Vec::new(),
            path,
        })
    }

    /// The absolute path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets go of a file that was renamed or removed by others, and rotates one
    /// that is too old or too large for so many more bytes.
    fn leave_old_file(&mut self, incoming: usize) {
        let Some(file) = &self.file else { return };
        if !file.is_at(&self.path) {
            self.close_file();
            return;
        }
        match self.rotator.rotate_if_due(file, incoming as u64) {
            Ok(false) => {}
            Ok(true) => {
                self.close_file();
                if let Err(error) = self.rotator.tidy() {
                    self.warn("tidy the rotated copies of", error);
                }
            }
            // A file that is too large is better than a lost batch.
            Err(error) => self.warn("rotate", error),
        }
    }

    fn close_file(&mut self) {
        if let Some(file) = self.file.take()
            && let Err(error) = self.syncer.sync(&file, Instant::now())
        {
            self.warn("sync", error);
        }
    }

    fn warn(&self, verb: &str, error: io::Error) {
        static LIMIT: RateLimit = RateLimit::new();
        LIMIT.warn(|| failure(verb, &self.path, error).to_string());
    }
}

impl SpanExporter for FileExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        if batch.span_count() == 0 {
            return Ok(());
        }
        self.buffer.clear();
        encode(&mut self.buffer, self.format, batch)?;
        self.leave_old_file(self.buffer.len());
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(open_file(&self.path, &self.syncer)?),
        };
        file.append(&self.buffer).map_err(|error| failure("write to", &self.path, error))?;
        self.syncer.mark_written();
        self.syncer.sync_if_due(file, Instant::now()).map_err(|error| failure("sync", &self.path, error))
    }

    /// Takes as long as the disk does: a sync cannot be interrupted.
    fn flush(&mut self, _deadline: Duration) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        self.syncer.sync(file, Instant::now()).map_err(|error| failure("sync", &self.path, error))
    }

    fn on_idle(&mut self) {
        self.leave_old_file(0);
        if let Some(file) = &self.file
            && let Err(error) = self.syncer.sync_if_due(file, Instant::now())
        {
            self.warn("sync", error);
        }
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        let flushed = self.flush(deadline);
        self.file = None;
        flushed
    }
}

fn open_file(path: &Path, syncer: &Syncer) -> Result<TraceFile, Error> {
    let file = TraceFile::open(path).map_err(|error| failure("open", path, error))?;
    if syncer.is_on() {
        // The name of a new file is to survive a power loss, too. Not every
        // file system can do this, and then the lines are worth having still.
        let _ = File::open(path.parent().unwrap_or(path)).and_then(|directory| directory.sync_all());
    }
    Ok(file)
}

fn failure(verb: &str, path: &Path, error: io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or lower provider.file.rotate.max_bytes and rotate.keep"
        }
        _ => "set provider.file.path to a writable place",
    };
    Error::new(ErrorKind::Io, format!("cannot {verb} the trace file"))
        .with_context("path", path.display().to_string())
        .with_context("remedy", remedy)
        .with_source(error)
}
