//! Loads plugins, makes instances, exports through them and takes them apart, again and
//! again, and prints what the process holds after the first hundred cycles, half way from
//! there, and at the end.
//!
//! `cycles COUNT LIBRARY...`, in a folder where the plugins may write.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use spandrel::provider::{Plugin, ProviderFactory};
use spandrel_plugin_api::{
    Attribute, Host, InstrumentationScope, Provider, Resource, SpanContext, SpanId, SpanKind, SpanStart, Status,
    Timestamp, TraceFlags, TraceId, TracingProvider,
};
use spandrel_recorder::{Recorder, RecorderConfig};

const DEADLINE: Duration = Duration::from_secs(60);
const FIRST: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().ok_or("no number of cycles")?.parse()?;
    let libraries: Vec<String> = arguments.collect();
    // Now, so that the buffer of the output is there when it is measured.
    println!("bytes kilobytes files threads");
    for n in 0..count {
        cycle(Path::new(&libraries[n % libraries.len()]))?;
        if [FIRST, FIRST.midpoint(count), count].contains(&(n + 1)) {
            println!("{}", held()?);
        }
    }
    Ok(())
}

fn cycle(library: &Path) -> Result<(), Box<dyn Error>> {
    let plugin = Plugin::load(library)?;
    let config = match plugin.name() {
        "console" => "output = 'stderr'\n".to_owned(),
        "noop" => String::new(),
        // That plugins in C read it, too.
        name => format!("path = \"{name}.txt\"\n"),
    };
    let mut resource = Resource::new();
    resource.set("service.name", "cycles");
    let name = plugin.name().to_owned();
    let provider: Box<dyn TracingProvider> = match plugin.create(&config, &Host::new(&resource))? {
        Provider::Live(provider) => provider,
        Provider::Exporter(exporter) => recorder(&resource, vec![(name, exporter)]),
        Provider::ExporterWith { exporter, companion } => {
            companion.health()?;
            recorder(&resource, vec![(name, exporter)])
        }
        other => return Err(format!("another kind of provider: {other:?}").into()),
    };
    record(&*provider);
    provider.force_flush(DEADLINE)?;
    provider.shutdown(DEADLINE)?;
    Ok(())
}

fn recorder(
    resource: &Resource,
    exporters: Vec<(String, Box<dyn spandrel_plugin_api::SpanExporter>)>,
) -> Box<dyn TracingProvider> {
    Box::new(Recorder::new(RecorderConfig::default(), resource, exporters))
}

fn record(provider: &dyn TracingProvider) {
    let context = SpanContext::new(TraceId::from_bytes([1; 16]), SpanId::from_bytes([2; 8]), TraceFlags::SAMPLED);
    let start = SpanStart {
        name: "cycle",
        context: &context,
        parent: None,
        kind: SpanKind::Internal,
        time: Timestamp::from_unix_nanos(1),
        attributes: &[Attribute::new("step", &7)],
        links: &[],
        scope: InstrumentationScope { name: "cycles", version: "" },
    };
    let mut span = provider.start_span(&start);
    provider.add_span_attributes(&mut span, &[Attribute::new("text", "of some length, so that it is on the heap")]);
    provider.set_span_status(&mut span, Status::Error("by the test"));
    provider.end_span(span, Timestamp::from_unix_nanos(2));
}

/// Bytes from the allocator, kilobytes of memory, open files, threads.
fn held() -> Result<String, Box<dyn Error>> {
    let threads = || -> Result<u64, Box<dyn Error>> { number("/proc/self/status", "Threads:") };
    // The worker of a recorder may still be on its way out.
    let end = std::time::Instant::now() + DEADLINE;
    while threads()? > 1 && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    // SAFETY: only reads counters of the allocator.
    let allocator = unsafe { libc::mallinfo2() };
    let bytes = allocator.uordblks + allocator.hblkhd;
    let kilobytes = number("/proc/self/status", "VmRSS:")?;
    // One of them is the folder that is being read.
    let files = std::fs::read_dir("/proc/self/fd")?.count() - 1;
    Ok(format!("{bytes} {kilobytes} {files} {}", threads()?))
}

fn number(file: &str, key: &str) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
