use std::borrow::Cow;

use clap::Args;
use spandrel_plugin_api::{AnyValue, SpanView, Status};

use crate::text::{fits, parse_duration, parse_since};

/// Which spans are meant: those that fit everything given.
#[derive(Args, Default)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filter {
    /// Spans with this name; `*` stands for anything
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Spans of this trace, by the first digits of its id
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    trace: Option<String>,
    /// Spans of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Spans that failed
    #[arg(long)]
    errors: bool,
    /// Spans that took so long or longer, such as 250ms
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    min_duration: Option<u64>,
    /// Spans with this attribute, their own or of their resource; `*` in the value stands for anything
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = parse_attribute)]
    attribute: Vec<(String, Option<String>)>,
    /// Spans that ended since, such as 10m (so long ago) or 2025-08-16T15:27:07Z
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<u64>,
}

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { name, trace, service, errors, min_duration, attribute, since } = self;
        name.is_none()
            && trace.is_none()
            && service.is_none()
            && !errors
            && min_duration.is_none()
            && attribute.is_empty()
            && since.is_none()
    }

    pub(crate) fn fits(&self, span: &SpanView<'_>) -> bool {
        let all = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| fits(pattern, text));
        all(&self.name, span.name())
            && self.trace.as_ref().is_none_or(|id| span.trace_id().to_string().starts_with(id))
            && (self.service.is_none() || all(&self.service, &service_of(span)))
            && (!self.errors || matches!(span.status(), Status::Error(_)))
            && self.min_duration.is_none_or(|least| span.duration_nanos() >= least)
            && self.since.is_none_or(|since| span.end().unix_nanos() >= since)
            && self.attribute.iter().all(|(key, value)| {
                let mut found = span.attributes().into_iter().chain(span.resource()).filter(|(known, _)| known == key);
                found.any(|(_, found)| value.as_ref().is_none_or(|value| fits(value, &found.to_string())))
            })
    }
}

/// The name of the service that a span is from; may be empty.
pub(crate) fn service(span: &SpanView<'_>) -> String {
    service_of(span).into_owned()
}

/// The name of the service, without a copy where it is a text.
pub(crate) fn service_of<'a>(span: &SpanView<'a>) -> Cow<'a, str> {
    match span.resource().into_iter().find(|(key, _)| *key == "service.name") {
        Some((_, AnyValue::Str(name))) => Cow::Borrowed(name),
        Some((_, value)) => Cow::Owned(value.to_string()),
        None => Cow::Borrowed(""),
    }
}

fn parse_id(text: &str) -> Result<String, String> {
    match (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("a trace id has up to 32 hexadecimal digits".to_owned()),
    }
}

fn parse_attribute(text: &str) -> Result<(String, Option<String>), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("there is no key before the `=`".to_owned()),
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
        None => Ok((text.to_owned(), None)),
    }
}
