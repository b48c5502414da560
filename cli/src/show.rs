use clap::Args;
use spandrel_plugin_api::json::Object;
use spandrel_plugin_api::{AnyValue, SpanKind, SpanReader, SpanView, Status, TraceId};

use crate::failure::Failure;
use crate::filter::{Filter, service};
use crate::input::Input;
use crate::output::{Output, Style};
use crate::parallel;
use crate::progress::Progress;
use crate::store::{Kept, Store};
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
    let mut store = Store::default();
    arguments.input.read(&mut |batch| store.add(&batch, |span| arguments.filter.fits(span)))?;
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
    const AT_A_TIME: usize = 1 << 20;
    let total = traces.iter().map(|trace| trace.bytes).sum();
    // On a terminal, what is shown is progress enough.
    let mut progress = Progress::new("writing".to_owned(), Some(total));
    let mut all = traces.iter();
    let mut is_first = true;
    loop {
        let mut some = Vec::new();
        let mut bytes = 0;
        while let Some(trace) = (bytes < AT_A_TIME).then(|| all.next()).flatten() {
            let requests = store.read(trace)?;
            bytes += requests.iter().map(Vec::len).sum::<usize>();
            some.push((trace.id, requests));
        }
        if some.is_empty() {
            return Ok(());
        }
        let out = &*output;
        let pages = parallel::map(&some, |(id, requests)| out.page(|page| show(*id, requests, arguments, page)));
        for page in pages {
            if !std::mem::take(&mut is_first) {
                output.text(if output.json { "," } else { "\n" })?;
            }
            output.bytes(&page?)?;
        }
        if !output.is_terminal {
            progress.advance(bytes as u64);
        }
    }
}

fn show(id: TraceId, requests: &[Vec<u8>], arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let parts: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
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
    let services: Vec<String> = trace.nodes.iter().map(|node| service(&node.span)).collect();
    for (node, own) in trace.nodes.iter().zip(&services) {
        let above = node.parent.map(|parent| services[parent].as_str());
        let mut line = line(node, own, above);
        // Below it, all attributes are listed.
        if !arguments.full {
            put_attributes(&node.span, &mut line);
        }
        print_cut(&line, arguments.width, output)?;
        if arguments.full {
            print_details(node, output)?;
        }
    }
    Ok(())
}

pub(crate) type Part = (Style, String);

/// What a line says of a span: how long it took, its place, name, kind and service,
/// and what went wrong.
fn line(node: &Node<'_>, own: &str, above: Option<&str>) -> Vec<Part> {
    let span = &node.span;
    let mut line = vec![(Style::Dim, format!("{:>8}  {}", duration(span.duration_nanos()), node.branch()))];
    line.push((if is_error(span) { Style::Bad } else { Style::Bold }, shown(span.name())));
    if span.kind() != SpanKind::Internal {
        line.push((Style::Plain, format!("  {}", span.kind().as_str())));
    }
    if !own.is_empty() && above.is_none_or(|above| above != own) {
        line.push((Style::Good, format!("  ({})", shown(own))));
    }
    if let Status::Error(message) = span.status() {
        let message = if message.is_empty() { String::new() } else { format!(" {}", shown(message)) };
        line.push((Style::Bad, format!("  ✗{message}")));
    }
    if node.parent.is_none() && span.parent_span_id().is_some() {
        line.push((Style::Warning, "  (parent not here)".to_owned()));
    }
    line
}

/// Adds the attributes, those first that say most.
pub(crate) fn put_attributes(span: &SpanView<'_>, line: &mut Vec<Part>) {
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
    let part =
        |(key, value): (&str, AnyValue<'_>)| (Style::Dim, format!("  {}={}", shown(key), shown(&value.to_string())));
    line.extend(attributes.into_iter().map(part));
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
