use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use spandrel_plugin_api::config::{self, FromTable, Reader};
use spandrel_plugin_api::{Error, ErrorKind, abi};

/// Counts the calls of each entry, tells them in a file, and panics from one on.
pub(crate) struct Trap {
    settings: Settings,
    calls: Mutex<BTreeMap<&'static str, u64>>,
    told: Option<File>,
}

/// The table `[provider.panicking]`.
pub(crate) struct Settings {
    /// The entry that panics, by its name in the table of functions.
    entry: String,
    /// From which of its calls on.
    from: u64,
    how: How,
    /// Switches tracing off before a panic.
    suppresses: bool,
    /// The exporter comes with a companion.
    pub(crate) has_companion: bool,
    /// Where calls are told, one a line.
    path: Option<String>,
}

#[derive(Clone, Copy)]
enum How {
    /// With a text.
    Text,
    /// With a payload that panics when it is dropped.
    Bomb,
    /// Not at once: with an error whose cause panics when it is shown.
    WhenShown,
    /// Not at once: with an error whose cause panics when it is dropped.
    WhenDropped,
}

impl Trap {
    pub(crate) fn new(config: &str) -> Result<Self, Error> {
        let settings: Settings = config::parse(config)?;
        let open = |path: &String| File::options().create(true).append(true).open(path);
        let told = settings.path.as_ref().map(open).transpose()?;
        Ok(Self { settings, calls: Mutex::default(), told })
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Called first in each entry.
    pub(crate) fn call(&self, entry: &'static str) -> Result<(), Error> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(entry).or_default();
        *count += 1;
        let panics = entry == self.settings.entry && *count >= self.settings.from;
        drop(calls);
        if let Some(mut told) = self.told.as_ref() {
            // In one piece, as several threads write.
            let line = format!("{entry}{}\n", if panics { " panics" } else { "" });
            told.write_all(line.as_bytes())?;
        }
        if !panics {
            return Ok(());
        }
        if self.settings.suppresses {
            suppress();
        }
        let refused = |cause| Err(Error::new(ErrorKind::Io, "refused by the test").with_source(cause));
        match self.settings.how {
            How::Text => panic!("{entry}, by the test"),
            How::Bomb => std::panic::panic_any(Bomb),
            How::WhenShown => refused(Cause { when_shown: true }),
            How::WhenDropped => refused(Cause { when_shown: false }),
        }
    }
}

fn suppress() {
    if let Some(host) = abi::host()
        && let Some(suppress_tracing) = host.suppress_tracing
    {
        // SAFETY: the host's function with the host's data.
        unsafe { suppress_tracing(host.data, 1) };
    }
}

impl FromTable for Settings {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let hows = [
            ("text", How::Text),
            ("bomb", How::Bomb),
            ("when shown", How::WhenShown),
            ("when dropped", How::WhenDropped),
        ];
        Ok(Self {
            entry: table.text("entry")?.unwrap_or_default().to_owned(),
            from: table.integer("from")?.unwrap_or(1),
            how: table.choice("how", &hows)?.unwrap_or(How::Text),
            suppresses: table.boolean("suppresses")?.unwrap_or(false),
            has_companion: table.boolean("has_companion")?.unwrap_or(true),
            path: table.text("path")?.map(str::to_owned),
        })
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("payload dropped, by the test");
    }
}

#[derive(Debug)]
struct Cause {
    when_shown: bool,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.when_shown, "cause shown, by the test");
        f.write_str("a cause")
    }
}

impl std::error::Error for Cause {}

impl Drop for Cause {
    fn drop(&mut self) {
        assert!(self.when_shown, "cause dropped, by the test");
    }
}
