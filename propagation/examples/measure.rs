//! What reading and writing headers takes: `cargo run --release -p spandrel-propagation --example measure`.
//!
//! With a number it only passes a `traceparent` on that many times, and with a number and the
//! name of a case it only reads its header, to be counted by `valgrind --tool=callgrind`.

use std::hint::black_box;
use std::time::Instant;

use spandrel_plugin_api::{Carrier, CarrierMut};
use spandrel_propagation::{Extracted, NAMES, Outgoing, Propagator, by_name};

fn main() {
    if let Some(times) = std::env::args().nth(1) {
        let times: u32 = times.parse().expect("is a number");
        match std::env::args().nth(2) {
            None => pass_on("tracecontext", ("traceparent", PARENT), times),
            Some(wanted) => long_headers()
                .iter()
                .filter(|(case, _)| *case == wanted)
                .for_each(|(_, headers)| extract_all(headers, times)),
        }
        return;
    }
    let ids = [
        ("tracecontext", ("traceparent", PARENT)),
        ("b3", ("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1")),
        ("jaeger", ("uber-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1")),
        ("xray", ("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1")),
    ];
    println!("extract and inject of ids, ns:");
    for (name, header) in ids {
        println!("  {name:14}{:8.1}", best(20_000, |times| pass_on(name, header, times)));
    }
    println!("extract of headers of 8 KiB, ns:");
    for (case, headers) in long_headers() {
        println!("  {case:44}{:8.0}", best(100, |times| extract_all(&headers, times)));
    }
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Nanoseconds of one, in the best of many short rounds: the others were disturbed.
fn best(times: u32, work: impl Fn(u32)) -> f64 {
    let round = || {
        let start = Instant::now();
        work(times);
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..300).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn pass_on(name: &str, (header, value): (&'static str, &str), times: u32) {
    let propagator = by_name(name).expect("is a propagator");
    let incoming = [(header, value)];
    let mut outgoing = Last::default();
    for _ in 0..times {
        let mut extracted = Extracted::default();
        propagator.extract(black_box(&&incoming[..]), &mut extracted);
        let context = extracted.span_context.as_ref();
        propagator.inject(black_box(&Outgoing::new(context, &extracted.baggage)), &mut outgoing);
    }
    assert_eq!(&outgoing.value[..outgoing.len], value.as_bytes());
}

fn extract_all(headers: &[(&str, String)], times: u32) {
    let propagators: Vec<Box<dyn Propagator>> =
        NAMES.iter().map(|name| by_name(name).expect("is a propagator")).collect();
    let carrier: &dyn Carrier = &headers;
    for _ in 0..times {
        let mut extracted = Extracted::default();
        for propagator in &propagators {
            propagator.extract(black_box(carrier), &mut extracted);
        }
        black_box(extracted);
    }
}

fn long_headers() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let members = |n: usize, value: &str| (0..n).map(|i| format!("key{i:03}={value}")).collect::<Vec<_>>().join(",");
    let fill = |piece: &str| piece.repeat(8_192 / piece.len());
    let parent = || ("traceparent", PARENT.to_owned());
    vec![
        ("baggage, 64 members", vec![("baggage", members(64, &"v".repeat(119)))]),
        ("baggage, 64 members, percent-encoded", vec![("baggage", members(64, &"%C3%A9".repeat(19)))]),
        ("baggage, 64 members, invalid UTF-8", vec![("baggage", members(64, &"%ff".repeat(39)))]),
        ("baggage, one member", vec![("baggage", format!("k={}", "v".repeat(8_190)))]),
        ("baggage, 1,024 short members", vec![("baggage", fill("k=v,k=w,"))]),
        ("baggage, properties", vec![("baggage", format!("k=v{}", fill(";p=1")))]),
        ("baggage, commas", vec![("baggage", fill(","))]),
        ("baggage, blanks", vec![("baggage", fill(" "))]),
        ("tracestate, 32 members", vec![parent(), ("tracestate", members(32, &"v".repeat(247)))]),
        ("tracestate, commas", vec![parent(), ("tracestate", fill(","))]),
        ("tracestate, 32 lines", {
            let line = |i| ("tracestate", format!("key{i:03}={}", "v".repeat(247)));
            std::iter::once(parent()).chain((0..32).map(line)).collect()
        }),
        ("traceparent", vec![("traceparent", fill("00-"))]),
        ("b3", vec![("b3", fill("4bf9-"))]),
        ("uber-trace-id", vec![("uber-trace-id", fill("1%3A"))]),
        ("x-amzn-trace-id", vec![("x-amzn-trace-id", fill("Self=1;"))]),
        (
            "x-datadog-tags",
            vec![
                ("x-datadog-trace-id", "1".to_owned()),
                ("x-datadog-parent-id", "1".to_owned()),
                ("x-datadog-tags", fill("_dd.p.a=1,")),
            ],
        ),
    ]
}

/// A carrier that costs little by itself.
struct Last {
    value: [u8; 128],
    len: usize,
}

impl Default for Last {
    fn default() -> Self {
        Self { value: [0; 128], len: 0 }
    }
}

impl CarrierMut for Last {
    fn set(&mut self, _: &'static str, value: &str) {
        self.value[..value.len()].copy_from_slice(value.as_bytes());
        self.len = value.len();
    }
}
