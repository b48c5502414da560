//! The fields of a span or an event, copied once, into memory that is used again.

use std::array::from_fn;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{Debug, Write};

use spandrel::{Attribute, OwnedAttribute, Span, SpanKind, Status, Value};
use tracing_core::Field;
use tracing_core::field::{FieldSet, Visit};

use crate::attributes::{EXCEPTION, EXCEPTION_MESSAGE};
use crate::spans::Late;
use crate::transport;

/// What was recorded: attributes, and the fields that mean something else.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// All texts, one after the other.
    text: String,
    list: Vec<(&'static str, Kept)>,
    /// Seldom: the errors behind those that were recorded.
    sources: Vec<Sources>,
    special: Special,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kept {
    Bool(bool),
    I64(i64),
    F64(f64),
    Static(&'static str),
    Text(Piece),
    Sources(usize),
}

#[derive(Debug)]
struct Sources {
    key: String,
    texts: Vec<String>,
}

/// What is no attribute.
#[derive(Debug, Clone, Copy, Default)]
struct Special {
    is_event: bool,
    is_chatter: bool,
    /// The fields that `tracing-opentelemetry` reads: `otel.name` and so on.
    kind: Option<SpanKind>,
    status: Option<Status<'static>>,
    name: Option<Piece>,
    description: Option<Piece>,
    /// The text of an event.
    message: Option<Piece>,
    /// The text of the field `error` of an event.
    error: Option<Piece>,
}

thread_local! {
    static SPARE: Cell<Option<Box<Fields>>> = const { Cell::new(None) };
}

/// Calls `f` with empty fields. Nothing is borrowed meanwhile: formatting a value is
/// somebody else's code, which may be traced as well.
#[inline]
pub(crate) fn with_fields<R>(f: impl FnOnce(&mut Fields) -> R) -> R {
    let mut fields = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = f(&mut fields);
    fields.clear();
    let _ = SPARE.try_with(|spare| spare.set(Some(fields)));
    result
}

/// The name of the fields with a meaning begins so.
const SPECIAL: &str = "otel.";

/// Whether a span with these fields cannot start before they are known.
#[inline]
pub(crate) fn decide_the_start(fields: &FieldSet) -> bool {
    fields.field(KIND).is_some()
}

const NAME: &str = "otel.name";
const KIND: &str = "otel.kind";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";

impl Fields {
    /// The memory that is kept for the next time.
    const KEPT_BYTES: usize = 16 * 1024;
    const MAX_SOURCES: usize = 16;

    #[inline]
    fn clear(&mut self) {
        self.text.clear();
        if self.text.capacity() > Self::KEPT_BYTES {
            self.text.shrink_to(Self::KEPT_BYTES);
        }
        self.list.clear();
        self.sources.clear();
        self.special = Special::default();
    }

    /// Reads `message` and `error` as an event has them.
    #[inline]
    pub(crate) fn of_event(&mut self) {
        self.special.is_event = true;
    }

    #[inline]
    pub(crate) fn push_static(&mut self, key: &'static str, text: &'static str) {
        self.list.push((key, Kept::Static(text)));
    }

    #[inline]
    pub(crate) fn push_text(&mut self, key: &'static str, text: &str) {
        let piece = self.keep(text);
        self.list.push((key, Kept::Text(piece)));
    }

    #[inline]
    pub(crate) fn push_number(&mut self, key: &'static str, number: u64) {
        // An attribute has no room for more, but a double comes near.
        let kept = i64::try_from(number).map_or(Kept::F64(number as f64), Kept::I64);
        self.list.push((key, kept));
    }

    #[inline]
    fn keep(&mut self, text: &str) -> Piece {
        let start = self.text.len();
        self.text.push_str(text);
        Piece { start, end: self.text.len() }
    }

    fn keep_formatted(&mut self, text: std::fmt::Arguments<'_>) -> Piece {
        let start = self.text.len();
        // A value that fails to be formatted leaves what it wrote until then.
        let _ = self.text.write_fmt(text);
        Piece { start, end: self.text.len() }
    }

    /// One field with a text, wherever it belongs.
    #[inline]
    fn put_text(&mut self, name: &'static str, text: Piece) {
        if name.starts_with(SPECIAL) {
            self.put_special(name, text);
        } else if self.special.is_event {
            self.put_text_of_event(name, text);
        } else {
            self.list.push((name, Kept::Text(text)));
        }
    }

    fn put_text_of_event(&mut self, name: &'static str, text: Piece) {
        match name {
            "message" => self.special.message = Some(text),
            _ if name.starts_with("log.") => self.put_log(name, text),
            "error" => {
                self.special.error = Some(text);
                // The message comes first, if there is one.
                let is_exception = self.special.message.is_none();
                self.list.push((if is_exception { EXCEPTION_MESSAGE } else { name }, Kept::Text(text)));
            }
            _ => self.list.push((name, Kept::Text(text))),
        }
    }

    #[cold]
    fn put_special(&mut self, name: &'static str, text: Piece) {
        let value = self.str(text);
        match name {
            NAME => self.special.name = Some(text),
            KIND => self.special.kind = kind(value).or(self.special.kind),
            STATUS_CODE => self.special.status = Some(status_code(value)),
            STATUS_DESCRIPTION => self.special.description = Some(text),
            _ => self.list.push((name, Kept::Text(text))),
        }
    }

    /// A record of the crate `log` has its origin in fields, which say what the
    /// metadata of other events does.
    #[cold]
    fn put_log(&mut self, name: &str, text: Piece) {
        self.special.is_chatter |= name == "log.target" && transport::is_transport(self.str(text));
    }

    #[inline]
    fn str(&self, piece: Piece) -> &str {
        &self.text[piece.start..piece.end]
    }

    /// The name that takes the place of the one in the code.
    pub(crate) fn name(&self) -> Option<&str> {
        self.special.name.map(|piece| self.str(piece))
    }

    pub(crate) fn kind(&self) -> Option<SpanKind> {
        self.special.kind
    }

    fn description(&self) -> &str {
        self.special.description.map_or("", |piece| self.str(piece))
    }

    fn status(&self) -> Status<'_> {
        match self.special.status {
            Some(Status::Ok) => Status::Ok,
            Some(Status::Error(_)) => Status::Error(self.description()),
            _ if self.special.description.is_some() => Status::Error(self.description()),
            _ => Status::Unset,
        }
    }

    /// The text of the field `error` of an event.
    pub(crate) fn error(&self) -> Option<&str> {
        self.special.error.map(|piece| self.str(piece))
    }

    /// Whether it is the record of a transport that came by way of `log`.
    pub(crate) fn is_chatter(&self) -> bool {
        self.special.is_chatter
    }

    /// What an event is called: its message, or what it says of an error, or where it is.
    #[inline]
    pub(crate) fn event_name<'a>(&'a self, metadata: &'a tracing_core::Metadata<'_>) -> &'a str {
        match (self.special.message, self.special.error) {
            (Some(message), _) => self.str(message),
            (None, Some(_)) => EXCEPTION,
            (None, None) => metadata.name(),
        }
    }

    #[inline]
    fn attribute(&self, at: usize) -> Attribute<'_> {
        let (key, kept) = &self.list[at];
        let value = match kept {
            Kept::Bool(value) => Value::Bool(*value),
            Kept::I64(value) => Value::I64(*value),
            Kept::F64(value) => Value::F64(*value),
            Kept::Static(text) => Value::Str(text),
            Kept::Text(piece) => Value::Str(self.str(*piece)),
            Kept::Sources(at) => return Attribute::new(&self.sources[*at].key, &self.sources[*at].texts),
        };
        Attribute { key, value }
    }

    /// Calls `f` with all attributes at once.
    #[inline]
    pub(crate) fn with_attributes<R>(&self, f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        macro_rules! on_the_stack {
            ($($n:literal)*) => {
                match self.list.len() {
                    0 => f(&[]),
                    $($n => f(&from_fn::<_, $n, _>(|at| self.attribute(at))),)*
                    len => f(&(0..len).map(|at| self.attribute(at)).collect::<Vec<_>>()),
                }
            };
        }
        on_the_stack!(1 2 3 4 5 6 7 8)
    }

    pub(crate) fn to_owned_attributes(&self) -> Vec<OwnedAttribute> {
        (0..self.list.len()).map(|at| self.attribute(at).to_owned()).collect()
    }

    /// A copy of all, to be written to a span later.
    #[cold]
    pub(crate) fn to_late(&self) -> Late {
        let attributes = self.to_owned_attributes();
        let name = self.name().map(str::to_owned);
        let (status, description) = (self.status(), self.description().to_owned());
        let (is_ok, is_error) = (status == Status::Ok, matches!(status, Status::Error(_)));
        Box::new(move |span| {
            for attribute in &attributes {
                span.set_attribute(&attribute.key, &attribute.value);
            }
            if let Some(name) = &name {
                span.set_name(name);
            }
            if is_ok {
                span.set_status(Status::Ok);
            } else if is_error {
                span.set_status(Status::Error(&description));
            }
        })
    }

    /// Writes all to a span, the kind excepted, which is as it began.
    #[inline]
    pub(crate) fn write_to(&self, span: &mut Span) {
        if !self.list.is_empty() {
            self.with_attributes(|attributes| span.set_attributes(attributes));
        }
        if let Some(name) = self.name() {
            span.set_name(name);
        }
        self.write_status_to(span);
    }

    #[inline]
    pub(crate) fn write_status_to(&self, span: &mut Span) {
        match self.status() {
            Status::Unset => {}
            status => span.set_status(status),
        }
    }
}

impl Visit for Fields {
    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.list.push((field.name(), Kept::I64(value)));
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_number(field.name(), value);
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.list.push((field.name(), Kept::F64(value)));
    }

    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.list.push((field.name(), Kept::Bool(value)));
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.keep(value);
        self.put_text(field.name(), text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.keep_formatted(format_args!("{value:?}"));
        self.put_text(field.name(), text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let text = self.keep_formatted(format_args!("{value}"));
        if self.special.is_event {
            self.special.error = Some(text);
            self.list.push((EXCEPTION_MESSAGE, Kept::Text(text)));
        }
        self.list.push((field.name(), Kept::Text(text)));
        if value.source().is_some() {
            let sources = std::iter::successors(value.source(), |error: &&(dyn Error + 'static)| (*error).source());
            let texts = sources.take(Self::MAX_SOURCES).map(ToString::to_string).collect();
            self.list.push((field.name(), Kept::Sources(self.sources.len())));
            self.sources.push(Sources { key: format!("{}.chain", field.name()), texts });
        }
    }
}

/// Writes fields to a span at once, for a span that nobody else knows yet.
pub(crate) struct WriteTo<'a>(pub(crate) &'a mut Span);

impl Visit for WriteTo<'_> {
    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.set_attribute(field.name(), value);
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.set_attribute(field.name(), value);
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.set_attribute(field.name(), value);
    }

    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.set_attribute(field.name(), value);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name().starts_with(SPECIAL) {
            with_fields(|fields| {
                fields.record_str(field, value);
                fields.write_to(self.0);
            });
        } else {
            self.0.set_attribute(field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        with_fields(|fields| {
            fields.record_debug(field, value);
            fields.write_to(self.0);
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        with_fields(|fields| {
            fields.record_error(field, value);
            fields.write_to(self.0);
        });
    }
}

fn kind(text: &str) -> Option<SpanKind> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    [Server, Client, Producer, Consumer, Internal].into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str()))
}

fn status_code(text: &str) -> Status<'static> {
    match text {
        _ if text.eq_ignore_ascii_case("ok") => Status::Ok,
        _ if text.eq_ignore_ascii_case("error") => Status::Error(""),
        _ => Status::Unset,
    }
}
