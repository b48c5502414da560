use std::collections::HashMap;

use clap::Args;
use spandrel_plugin_api::json::Object;
use spandrel_plugin_api::{AnyValue, SpanKind, SpanReader, SpanView, Status, TraceId};

use crate::failure::Failure;
use crate::filter::{Filter, service};
use crate::input::Input;
use crate::output::{Output, Style};
use crate::text::{duration, moment, shown};
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
    let mut batches = Vec::new();
    arguments.input.read(&mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    let parts: Vec<&[u8]> = batches.iter().map(Vec::as_slice).collect();
    let traces = traces(SpanReader::new(&parts).flatten(), arguments);
    if output.json {
        output.object(|document| {
            document.array("traces", |all| traces.iter().for_each(|trace| all.object(|object| write(object, trace))));
        })?;
    } else {
        for (number, trace) in traces.iter().enumerate() {
            if number > 0 {
                output.text("\n")?;
            }
            print(trace, arguments, output)?;
        }
    }
    if traces.is_empty() {
        let what = if arguments.filter.is_empty() { "there is no trace" } else { "no trace fits the filters" };
        return Err(Failure::NotWell(what.to_owned()));
    }
    Ok(())
}

/// The traces with a span that fits, by their start.
fn traces<'a>(spans: impl Iterator<Item = SpanView<'a>>, arguments: &Arguments) -> Vec<Trace<'a>> {
    let mut by_id: HashMap<TraceId, (bool, Vec<SpanView<'a>>)> = HashMap::new();
    for span in spans {
        let (fits, of_trace) = by_id.entry(span.trace_id()).or_default();
        *fits = *fits || arguments.filter.fits(&span);
        of_trace.push(span);
    }
    let chosen = by_id.into_iter().filter(|(_, (fits, _))| *fits);
    let mut traces: Vec<_> = chosen.map(|(id, (_, spans))| Trace::new(id, spans)).collect();
    traces.sort_by_key(|trace| (trace.start(), trace.id));
    if let Some(last) = arguments.last {
        traces.drain(..traces.len().saturating_sub(last));
    }
    traces
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
    for node in &trace.nodes {
        let line = line(node, trace);
        print_cut(&line, arguments.width, output)?;
        if arguments.full {
            print_details(node, output)?;
        }
    }
    Ok(())
}

type Part = (Style, String);

/// What a line says of a span: how long it took, its place, name, kind and service,
/// what went wrong, and its attributes.
fn line(node: &Node<'_>, trace: &Trace<'_>) -> Vec<Part> {
    let span = &node.span;
    let mut line = vec![(Style::Dim, format!("{:>8}  {}", duration(span.duration_nanos()), node.branch()))];
    line.push((if is_error(span) { Style::Bad } else { Style::Bold }, shown(span.name())));
    if span.kind() != SpanKind::Internal {
        line.push((Style::Plain, format!("  {}", span.kind().as_str())));
    }
    let own = service(span);
    let above = node.parent.map(|parent| service(&trace.nodes[parent].span));
    if !own.is_empty() && above.is_none_or(|above| above != own) {
        line.push((Style::Good, format!("  ({})", shown(&own))));
    }
    if let Status::Error(message) = span.status() {
        let message = if message.is_empty() { String::new() } else { format!(" {}", shown(message)) };
        line.push((Style::Bad, format!("  ✗{message}")));
    }
    if node.parent.is_none() && span.parent_span_id().is_some() {
        line.push((Style::Warning, "  (parent not here)".to_owned()));
    }
    line.extend(key_attributes(span).into_iter().map(|(key, value)| {
        let value = shown(&value.to_string());
        (Style::Dim, format!("  {}={value}", shown(key)))
    }));
    line
}

/// The attributes, those first that say most.
pub(crate) fn key_attributes<'a>(span: &SpanView<'a>) -> Vec<(&'a str, AnyValue<'a>)> {
    const FIRST: [&str; 11] = [
        "error.type",
        "http.response.status_code",
        "http.request.resend_count",
        "url.full",
        "url.path",
        "rpc.method",
        "db.query.summary",
        "messaging.destination.name",
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    ];
    let mut attributes: Vec<_> = span.attributes().into_iter().collect();
    // Stable, so that the others stay in their order.
    attributes.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    attributes
}

/// Prints a line of at most so many characters.
pub(crate) fn print_cut(parts: &[Part], width: usize, output: &mut Output) -> Result<(), Failure> {
    let total: usize = parts.iter().map(|(_, text)| text.chars().count()).sum();
    if width == 0 || total <= width {
        let parts: Vec<_> = parts.iter().map(|(style, text)| (*style, text.as_str())).collect();
        return output.line(&parts);
    }
    let mut left = width.saturating_sub(1);
    let mut cut = Vec::new();
    for (style, text) in parts {
        let end = text.char_indices().nth(left).map_or(text.len(), |(end, _)| end);
        left = left.saturating_sub(text.chars().count());
        cut.push((*style, &text[..end]));
    }
    cut.push((Style::Dim, "…"));
    output.line(&cut)
}

fn print_details(node: &Node<'_>, output: &mut Output) -> Result<(), Failure> {
    let span = &node.span;
    let margin = format!("{:10}{}   ", "", node.below());
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
    object.text("service", &service(span));
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
