use std::fmt::Write;

use clap::Args;
use spandrel_plugin_api::json::Object;
use spandrel_plugin_api::{AnyValue, SpanKind, SpanReader, SpanView, Status, TraceId};

use crate::calls::{Facts, Noted};
use crate::failure::Failure;
use crate::filter::{Filter, service_of};
use crate::input::Input;
use crate::output::{Output, Style};
use crate::parallel;
use crate::progress::Progress;
use crate::store::{Kept, Sorted, Store};
use crate::text::{duration, moment, put_shown, shown};
use crate::tree::{Node, Trace};

#[derive(Args)]
#[command(after_help = "A trace is shown as a whole if one of its spans fits all filters.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Only the last traces
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
    /// All attributes, events and links, below each span
    #[arg(long)]
    full: bool,
    /// Columns of a line; 0 cuts nothing
    #[arg(long, value_name = "COLUMNS", default_value_t = 80)]
    width: usize,
    #[command(flatten)]
    filter: Filter,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let mut store = Store::default();
    let sorted = |batch: Vec<u8>| Sorted::new(&batch, |span| arguments.filter.fits(span));
    arguments.input.read_as(&sorted, &mut |batch| store.add(&batch))?;
    let mut traces = store.traces();
    if let Some(last) = arguments.last {
        traces.drain(..traces.len().saturating_sub(last));
    }
    if output.json {
        output.text("{\"traces\":[")?;
    }
    show_all(&traces, &mut store, arguments, output)?;
    if output.json {
        output.text("]}\n")?;
    }
    if traces.is_empty() {
        let what = if arguments.filter.is_empty() { "there is no trace" } else { "no trace fits the filters" };
        return Err(Failure::NotWell(what.to_owned()));
    }
    Ok(())
}

/// Shows some at a time, as all of them may be more than memory should hold.
fn show_all(traces: &[Kept], store: &mut Store, arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    const AT_A_TIME: usize = 256 << 10;
    let total = traces.iter().map(|trace| trace.bytes).sum();
    // On a terminal, what is shown is progress enough.
    let mut progress = Progress::new("writing".to_owned(), Some(total));
    let mut all = traces.iter().peekable();
    let some = std::iter::from_fn(|| {
        all.peek()?;
        let mut bytes = Vec::with_capacity(AT_A_TIME);
        let mut ends = Vec::new();
        while let Some(trace) = all.next_if(|_| bytes.len() < AT_A_TIME) {
            if let Err(failure) = store.read(trace, &mut bytes) {
                return Some(Err(failure));
            }
            ends.push((trace.id, bytes.len()));
        }
        Some(Ok((bytes, ends)))
    });
    let page = output.page();
    let between = if output.json { "," } else { "\n" };
    let mut is_first = true;
    parallel::map(
        some,
        |(bytes, ends)| {
            let mut page = page.page();
            let mut start = 0;
            for (id, end) in ends {
                if start > 0 {
                    page.text(between)?;
                }
                show(id, &bytes[start..end], arguments, &mut page)?;
                start = end;
            }
            Ok((page.into_bytes(), bytes.len()))
        },
        |shown: Result<_, Failure>| {
            let (page, bytes) = shown?;
            if !std::mem::take(&mut is_first) {
                output.text(between)?;
            }
            output.bytes(&page)?;
            if !output.is_terminal {
                progress.advance(bytes as u64);
            }
            Ok(())
        },
    )
}

fn show(id: TraceId, request: &[u8], arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let parts = [request];
    let trace = Trace::new(id, SpanReader::new(&parts).flatten().collect());
    if output.json {
        return output.bare_object(|object| write(object, &trace));
    }
    print(&trace, arguments, output)
}

fn print(trace: &Trace<'_>, arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let failed = trace.nodes.iter().filter(|node| is_error(&node.span)).count();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let errors = if failed > 0 { format!(", {}", count(failed, "error")) } else { String::new() };
    let start = moment(trace.start(), 0);
    let spans = count(trace.nodes.len(), "span");
    output.line(&[
        (Style::Dim, "trace "),
        (Style::Bold, &trace.id.to_string()),
        (Style::Plain, &format!("  {start}  {spans}")),
        (Style::Bad, &errors),
    ])?;
    let services: Vec<_> = trace.nodes.iter().map(|node| service_of(&node.span)).collect();
    // Below a line, all attributes are listed.
    let attributes = if arguments.full { Attributes::default() } else { Attributes::of(trace) };
    let mut line = Line::default();
    for (at, (node, own)) in trace.nodes.iter().zip(&services).enumerate() {
        let above = node.parent.map(|parent| &*services[parent]);
        line.clear();
        put_span(node, own, above, &mut line);
        let above = node.parent.map(|parent| attributes.at(parent)).unwrap_or_default();
        put_own(node.span.name(), attributes.at(at), above, line.part(Style::Dim));
        line.print(arguments.width, output)?;
        if arguments.full {
            print_details(node, output)?;
        }
    }
    Ok(())
}

type Attribute<'a> = (&'a str, AnyValue<'a>);

/// The attributes of all spans of a trace, read once.
#[derive(Default)]
struct Attributes<'a> {
    all: Vec<Attribute<'a>>,
    /// Where those of each span end.
    ends: Vec<usize>,
}

impl<'a> Attributes<'a> {
    fn of(trace: &Trace<'a>) -> Self {
        let mut attributes = Self::default();
        for node in &trace.nodes {
            attributes.all.extend(node.span.attributes());
            attributes.ends.push(attributes.all.len());
        }
        attributes
    }

    /// Those of a span by its place in the trace.
    fn at(&self, place: usize) -> &[Attribute<'a>] {
        let end = |place| self.ends.get(place).copied().unwrap_or(0);
        &self.all[place.checked_sub(1).map_or(0, end)..end(place)]
    }
}

/// A line on its way: its text, and where each part of it begins.
#[derive(Default)]
struct Line {
    text: String,
    parts: Vec<(Style, usize)>,
}

impl Line {
    fn clear(&mut self) {
        self.text.clear();
        self.parts.clear();
    }

    /// Begins a part, to which is appended what it says.
    fn part(&mut self, style: Style) -> &mut String {
        self.parts.push((style, self.text.len()));
        &mut self.text
    }

    /// Prints at most so many characters of it.
    fn print(&self, width: usize, output: &mut Output) -> Result<(), Failure> {
        let at = |characters: usize| self.text.char_indices().nth(characters).map(|(at, _)| at);
        let is_cut = width > 0 && self.text.len() > width && at(width).is_some();
        let end = if is_cut { at(width - 1) } else { None }.unwrap_or(self.text.len());
        let ends = self.parts.iter().skip(1).map(|(_, start)| *start).chain([end]);
        let parts = self.parts.iter().zip(ends).map(|((style, start), next)| (*style, start.min(&end), next.min(end)));
        let parts = parts.map(|(style, start, end)| (style, &self.text[*start..end]));
        output.line_of(parts.chain(is_cut.then_some((Style::Dim, "…"))))
    }
}

/// Puts what a line says of a span: how long it took, its place, name, kind and service,
/// and what went wrong.
fn put_span(node: &Node<'_>, own: &str, above: Option<&str>, line: &mut Line) {
    let span = &node.span;
    let took = line.part(Style::Dim);
    put(took, format_args!("{:>8}  ", duration(span.duration_nanos())));
    node.put_branch(took);
    put_shown(line.part(if is_error(span) { Style::Bad } else { Style::Bold }), span.name());
    if span.kind() != SpanKind::Internal {
        let kind = line.part(Style::Plain);
        kind.push_str("  ");
        kind.push_str(span.kind().as_str());
    }
    if !own.is_empty() && above.is_none_or(|above| above != own) {
        let service = line.part(Style::Good);
        service.push_str("  (");
        put_shown(service, own);
        service.push(')');
    }
    if let Status::Error(message) = span.status() {
        let wrong = line.part(Style::Bad);
        wrong.push_str(if message.is_empty() { "  ✗" } else { "  ✗ " });
        put_shown(wrong, message);
    }
    if node.parent.is_none() && span.parent_span_id().is_some() {
        line.part(Style::Warning).push_str("  (parent not here)");
    }
}

/// Appends what the attributes say: tokens, cost and model, then what says most, then the others but for
/// those that stand in the same words on the line above, as what is inherited does.
fn put_own(name: &str, own: &[Attribute<'_>], above: &[Attribute<'_>], out: &mut String) {
    const FIRST: [&str; 8] = [
        "error.type",
        "http.response.status_code",
        "http.request.resend_count",
        "url.full",
        "url.path",
        "rpc.method",
        "db.query.summary",
        "messaging.destination.name",
    ];
    let mut facts = Facts::default();
    let mut attributes: Vec<(usize, &Attribute<'_>)> = Vec::with_capacity(own.len());
    for attribute in own {
        let (key, value) = *attribute;
        if facts.note(key, value) == Noted::Told {
            continue;
        }
        match FIRST.iter().position(|first| *first == key) {
            Some(rank) => attributes.push((rank, attribute)),
            None if above.iter().any(|(known, other)| *known == key && is_same(value, *other)) => {}
            None => attributes.push((FIRST.len(), attribute)),
        }
    }
    facts.put(name, out);
    // Stable, so that the others stay in their order.
    attributes.sort_by_key(|(rank, _)| *rank);
    attributes.iter().for_each(|(_, (key, value))| put_attribute(out, key, *value));
}

fn is_same(value: AnyValue<'_>, other: AnyValue<'_>) -> bool {
    match (value, other) {
        (AnyValue::Str(value), AnyValue::Str(other)) => value == other,
        (AnyValue::Bool(value), AnyValue::Bool(other)) => value == other,
        (AnyValue::I64(value), AnyValue::I64(other)) => value == other,
        (AnyValue::F64(value), AnyValue::F64(other)) => value.to_bits() == other.to_bits(),
        (AnyValue::Str(_) | AnyValue::Bool(_) | AnyValue::I64(_) | AnyValue::F64(_), _) => false,
        (value, other) => value.to_string() == other.to_string(),
    }
}

fn put_attribute(out: &mut String, key: &str, value: AnyValue<'_>) {
    out.push_str("  ");
    put_shown(out, key);
    out.push('=');
    put_value(out, value);
}

fn put_value(out: &mut String, value: AnyValue<'_>) {
    match value {
        AnyValue::Str(text) => put_shown(out, text),
        AnyValue::Bool(_) | AnyValue::I64(_) | AnyValue::F64(_) => put(out, format_args!("{value}")),
        value => put_shown(out, &value.to_string()),
    }
}

/// Appends what is formatted.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into memory does not fail.
    let _ = out.write_fmt(text);
}

pub(crate) type Part = (Style, String);

/// Adds what the attributes say, with what says most first.
pub(crate) fn put_attributes(span: &SpanView<'_>, line: &mut Vec<Part>) {
    let mut text = String::new();
    put_own(span.name(), &span.attributes().into_iter().collect::<Vec<_>>(), &[], &mut text);
    line.push((Style::Dim, text));
}

/// Prints a line of at most so many characters.
pub(crate) fn print_cut(parts: &[Part], width: usize, output: &mut Output) -> Result<(), Failure> {
    let mut line = Line::default();
    parts.iter().for_each(|(style, text)| line.part(*style).push_str(text));
    line.print(width, output)
}

fn print_details(node: &Node<'_>, output: &mut Output) -> Result<(), Failure> {
    let span = &node.span;
    let mut margin = " ".repeat(10);
    node.put_below(&mut margin);
    margin.push_str("   ");
    let mut detail = |text: String| output.line(&[(Style::Dim, &margin), (Style::Plain, &text)]);
    detail(format!("span {} at {}", span.span_id(), moment(span.start().unix_nanos(), 6)))?;
    for (key, value) in span.attributes() {
        detail(format!("{} = {}", shown(key), shown(&value.to_string())))?;
    }
    for event in span.events() {
        let after = event.time().unix_nanos().saturating_sub(span.start().unix_nanos());
        let attributes = listed(event.attributes());
        detail(format!("event {} after {}{attributes}", shown(event.name()), duration(after)))?;
    }
    for link in span.links() {
        let attributes = listed(link.attributes());
        detail(format!("link to span {} of trace {}{attributes}", link.span_id(), link.trace_id()))?;
    }
    let (attributes, events, links) = span.dropped_counts();
    if attributes + events + links > 0 {
        detail(format!("dropped: {attributes} attributes, {events} events, {links} links"))?;
    }
    if node.parent.is_none() {
        detail(format!("resource{}", listed(span.resource())))?;
    }
    Ok(())
}

fn listed(attributes: spandrel_plugin_api::Attributes<'_>) -> String {
    let attribute = |(key, value): (&str, AnyValue<'_>)| format!("  {}={}", shown(key), shown(&value.to_string()));
    attributes.into_iter().map(attribute).collect()
}

pub(crate) fn is_error(span: &SpanView<'_>) -> bool {
    matches!(span.status(), Status::Error(_))
}

fn write(object: &mut Object<'_>, trace: &Trace<'_>) {
    object.display("trace_id", &trace.id);
    object.number("start_unix_nano", trace.start());
    object.number("end_unix_nano", trace.end());
    object.number("duration_ns", trace.end().saturating_sub(trace.start()));
    object.number("errors", trace.nodes.iter().filter(|node| is_error(&node.span)).count() as u64);
    object.array("spans", |spans| {
        for node in &trace.nodes {
            spans.object(|object| {
                object.number("depth", node.depth as u64);
                write_span(object, &node.span);
            });
        }
    });
}

/// The keys of a span, everywhere where there is `--json`.
pub(crate) fn write_span(object: &mut Object<'_>, span: &SpanView<'_>) {
    object.display("trace_id", &span.trace_id());
    object.display("span_id", &span.span_id());
    match span.parent_span_id() {
        Some(parent) => object.display("parent_span_id", &parent),
        None => object.null("parent_span_id"),
    }
    object.text("name", span.name());
    object.text("kind", span.kind().as_str());
    object.text("service", &service_of(span));
    object.number("start_unix_nano", span.start().unix_nanos());
    object.number("end_unix_nano", span.end().unix_nanos());
    object.number("duration_ns", span.duration_nanos());
    let (status, message) = match span.status() {
        Status::Unset => ("unset", None),
        Status::Ok => ("ok", None),
        Status::Error(message) => ("error", Some(message)),
    };
    object.text("status", status);
    match message {
        Some(message) => object.text("status_message", message),
        None => object.null("status_message"),
    }
    object.attributes("attributes", &[span.attributes()]);
    object.array("events", |events| {
        for event in span.events() {
            events.object(|object| {
                object.text("name", event.name());
                object.number("time_unix_nano", event.time().unix_nanos());
                object.attributes("attributes", &[event.attributes()]);
            });
        }
    });
    object.array("links", |links| {
        for link in span.links() {
            links.object(|object| {
                object.display("trace_id", &link.trace_id());
                object.display("span_id", &link.span_id());
                object.attributes("attributes", &[link.attributes()]);
            });
        }
    });
    object.attributes("resource", &[span.resource()]);
}
