use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};
use spandrel::{OwnedAttribute, Status};

use crate::ids::{SPAN_ID, TRACE_FLAGS, TRACE_ID, ids};

/// A logger that tells the one behind it which span a record belongs to.
///
/// The ids are key-values of the record: `trace_id`, `span_id`, `trace_flags`. Any
/// logger that writes key-values writes them. Records outside of spans stay as they are.
///
/// ```
/// use log::LevelFilter;
/// # let env_logger = log::logger();
/// spandrel_log::Logger::new(env_logger)
///     .with_events(LevelFilter::Warn) // warnings and errors become span events, too
///     .install(LevelFilter::Info)
///     .unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a logger does nothing until it is installed"]
pub struct Logger<L> {
    inner: L,
    events: LevelFilter,
    targets: Option<Vec<String>>,
    except: Vec<String>,
    marks_errors: bool,
}

/// What says nothing of the program: the crates that carry requests.
const TRANSPORT: [&str; 9] = ["h2", "hyper", "hyper_util", "mio", "reqwest", "rustls", "tokio_util", "tonic", "tower"];

impl<L: Log> Logger<L> {
    /// A logger in front of `inner`. Records do not become events unless asked.
    pub fn new(inner: L) -> Self {
        let except = TRANSPORT.map(str::to_owned).to_vec();
        Self { inner, events: LevelFilter::Off, targets: None, except, marks_errors: false }
    }

    /// Makes records of this level, or a more serious one, events of the current span,
    /// with their key-values as attributes. The logger behind decides for itself what it writes.
    pub const fn with_events(mut self, level: LevelFilter) -> Self {
        self.events = level;
        self
    }

    /// Makes events of records with these targets only: crates or modules, with all
    /// modules in them.
    pub fn with_event_targets<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets = Some(targets.into_iter().map(Into::into).collect());
        self
    }

    /// Makes no events of records with these targets. Until this is called they are the crates
    /// that carry requests: `hyper`, `h2`, `reqwest`, `tonic`, `tower`, ….
    pub fn with_events_except<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.except = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a record of level `Error` that becomes an event makes the status of
    /// its span an error. Not by default.
    pub const fn with_error_status(mut self, marks_errors: bool) -> Self {
        self.marks_errors = marks_errors;
        self
    }

    /// Makes it the logger of the program, and `level` the most verbose level that
    /// is logged at all.
    ///
    /// # Errors
    ///
    /// [`SetLoggerError`] if there is one already.
    pub fn install(self, level: LevelFilter) -> Result<(), SetLoggerError>
    where
        L: 'static,
    {
        log::set_boxed_logger(Box::new(self))?;
        log::set_max_level(level);
        Ok(())
    }

    fn makes_event(&self, metadata: &Metadata<'_>) -> bool {
        let is_in = |targets: &[String]| targets.iter().any(|target| is_within(metadata.target(), target));
        metadata.level() <= self.events
            && self.targets.as_deref().is_none_or(is_in)
            && !is_in(&self.except)
            && spandrel::is_recording()
    }

    fn add_event(&self, record: &Record<'_>) {
        let mut attributes = Attributes(vec![OwnedAttribute::new("level", record.level().as_str())]);
        // Whatever an attribute cannot be made of is left out.
        let _ = record.key_values().visit(&mut attributes);
        let attributes: Vec<_> = attributes.0.iter().map(OwnedAttribute::as_attribute).collect();
        match record.args().as_str() {
            Some(message) => spandrel::add_event(message, &attributes),
            None => spandrel::add_event(&record.args().to_string(), &attributes),
        }
        if self.marks_errors && record.level() == Level::Error {
            spandrel::set_status(Status::Error(""));
        }
    }
}

impl<L: Log> Log for Logger<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata) || self.makes_event(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.makes_event(record.metadata()) {
            self.add_event(record);
        }
        if !self.inner.enabled(record.metadata()) {
            return;
        }
        let ids = ids();
        if ids.is_empty() {
            return self.inner.log(record);
        }
        let both = Both { ids: &ids, own: record.key_values() };
        self.inner.log(&record.to_builder().key_values(&both).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// Whether a target is that of a crate or module, or of one in it.
fn is_within(target: &str, outer: &str) -> bool {
    target.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The ids, then what the record has itself. Its own ids, if it has any, stand back: in
/// JSON a key must not come twice.
struct Both<'a> {
    ids: &'a dyn Source,
    own: &'a dyn Source,
}

impl Source for Both<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.ids.visit(visitor)?;
        self.own.visit(&mut Others(visitor))
    }

    fn get(&self, key: Key<'_>) -> Option<Value<'_>> {
        self.ids.get(key.clone()).or_else(|| self.own.get(key))
    }
}

struct Others<'a, 'kvs>(&'a mut dyn VisitSource<'kvs>);

impl<'kvs> VisitSource<'kvs> for Others<'_, 'kvs> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match key.as_str() {
            TRACE_ID | SPAN_ID | TRACE_FLAGS => Ok(()),
            _ => self.0.visit_pair(key, value),
        }
    }
}

/// Key-values as attributes.
struct Attributes(Vec<OwnedAttribute>);

impl<'kvs> VisitSource<'kvs> for Attributes {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let key = key.as_str();
        // Numbers become each other on request, so the order matters.
        self.0.push(if let Some(value) = value.to_borrowed_str() {
            OwnedAttribute::new(key, value)
        } else if let Some(value) = value.to_bool() {
            OwnedAttribute::new(key, value)
        } else if let Some(value) = value.to_i64() {
            OwnedAttribute::new(key, value)
        } else if let Some(value) = value.to_u64() {
            OwnedAttribute::new(key, value)
        } else if let Some(value) = value.to_f64() {
            OwnedAttribute::new(key, value)
        } else {
            OwnedAttribute::new(key, value.to_string())
        });
        Ok(())
    }
}
