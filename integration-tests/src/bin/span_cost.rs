//! What a span costs through a provider, linked or loaded.
//!
//! `span_cost linked|loaded PLUGIN KIND WORKLOAD SPANS`: prints nanoseconds of thread CPU time per
//! span, the least of ten rounds. Under callgrind, the difference between two
//! numbers of spans is what counts.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use spandrel::provider::Plugin;
use spandrel_provider_file::FileFactory;

#[path = "../../plugins/counting/src/counting.rs"]
mod counting;

fn main() -> Result<(), spandrel::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [side, plugin, kind, workload, spans] = &arguments[..] else {
        panic!("usage: span_cost linked|loaded PLUGIN counting|file root|full SPANS")
    };
    let spans: u64 = spans.parse().expect("a number of spans");
    let builder = spandrel::builder().service("cost").default_config("[provider.file]\npath = '/dev/null'");
    let builder = match (side.as_str(), kind.as_str()) {
        ("linked", "counting") => builder.register(counting::CountingFactory),
        ("linked", _) => builder.register(FileFactory),
        _ => builder.register(Plugin::load(Path::new(plugin))?),
    };
    let tracer = builder.provider_type(kind).build()?;
    let run: fn() = match workload.as_str() {
        "root" => root,
        _ => full,
    };
    let mut best = u64::MAX;
    for _ in 0..10 {
        let begin = thread_nanos();
        tracer.context().within(|| (0..spans).for_each(|_| run()));
        best = best.min((thread_nanos() - begin) / spans.max(1));
        tracer.flush(Duration::from_secs(30))?;
    }
    println!("{best}");
    Ok(())
}

fn root() {
    spandrel::with_span(black_box("checkout"), |_| ());
}

fn full() {
    spandrel::with_span(black_box("checkout"), |span| {
        span.set_attribute("http.request.method", "GET");
        span.set_attribute("cart.id", black_box("0123456789abcdefghijklm"));
        span.set_attribute("cart.items", black_box(3));
        span.set_attribute("cart.total", black_box(9.75));
        span.add_event("paid", &[]);
    });
}

/// CPU time of this thread.
fn thread_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is written to during the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
