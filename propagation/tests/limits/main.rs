//! What no header may do: make the service panic, allocate much, or write a control character.
//!
//! `SPANDREL_FUZZ_RUNS` and `SPANDREL_FUZZ_SEED` make the run longer, or another one:
//!
//! ```text
//! SPANDREL_FUZZ_RUNS=10000000 cargo test --release -p spandrel-propagation --test limits
//! ```

mod allocations;
mod hostile;

use std::sync::OnceLock;

use allocations::{Allocated, during};
use hostile::{Headers, Random};
use spandrel_plugin_api::{Carrier, CarrierMut};
use spandrel_propagation::{Baggage, Extracted, NAMES, Outgoing, Propagator, TraceContextPropagator, by_name};

/// Most bytes that may be allocated for one request, by all formats together.
const MAX_ALLOCATED: usize = 64 * 1024;

/// Most bytes that a header may have that is written.
const MAX_WRITTEN: usize = 8_192;

/// All formats, made once.
fn propagators() -> &'static [Box<dyn Propagator>] {
    static ALL: OnceLock<Vec<Box<dyn Propagator>>> = OnceLock::new();
    ALL.get_or_init(|| NAMES.iter().map(|name| by_name(name).expect("is a propagator")).collect())
}

/// Extracts by all formats, beginning with the one at `first`.
fn extract(first: usize, headers: &Headers) -> Extracted {
    let mut into = Extracted::default();
    for at in 0..NAMES.len() {
        propagators()[(first + at) % NAMES.len()].extract(headers, &mut into);
    }
    into
}

fn inject(extracted: &Extracted, carrier: &mut dyn CarrierMut) {
    let outgoing = Outgoing::new(extracted.span_context.as_ref(), &extracted.baggage);
    for propagator in propagators() {
        propagator.inject(&outgoing, carrier);
    }
}

/// Looks at what is written, and keeps none of it.
#[derive(Default)]
struct Suspicious {
    found: Option<String>,
}

impl CarrierMut for Suspicious {
    fn set(&mut self, name: &'static str, value: &str) {
        let is_harmless = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !is_harmless || value.is_empty() || value.len() > MAX_WRITTEN {
            self.found = Some(format!("{name}: {value:?}"));
        }
    }

    fn set_named(&mut self, name: &str, value: &str) {
        let is_harmless = [name, value].iter().all(|text| text.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
        if !is_harmless || value.len() > MAX_WRITTEN {
            self.found = Some(format!("{name}: {value:?}"));
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("is a number"))
}

/// Runs with the limits of the diagnostics: a message in ten seconds costs an allocation.
#[test]
fn no_header_does_harm() {
    let runs = setting("SPANDREL_FUZZ_RUNS", 40_000);
    let mut random = Random::new(setting("SPANDREL_FUZZ_SEED", 5));
    let mut headers = Headers::new();
    let (mut most, mut understood) = (Allocated::default(), 0_u64);
    for run in 0..runs {
        hostile::fill(&mut headers, &mut random);
        let first = random.below(NAMES.len());
        let (allocated, extracted) = during(|| extract(first, &headers));
        assert!(allocated.bytes <= MAX_ALLOCATED, "run {run}: {allocated:?} for {headers:?}");
        if allocated.bytes > most.bytes {
            most = allocated;
        }
        understood += u64::from(extracted.span_context.is_some());
        if let Some(context) = &extracted.span_context {
            assert!(context.is_valid() && context.is_remote(), "run {run}: {headers:?}");
        }
        let mut carrier = Suspicious::default();
        inject(&extracted, &mut carrier);
        if let Some((key, value)) = headers.first().filter(|_| run % 8 == 0)
            && let Ok(baggage) = extracted.baggage.with(key, value)
        {
            // An application may set any value.
            let outgoing = Outgoing::new(None, &baggage);
            propagators()[1].inject(&outgoing, &mut carrier);
        }
        assert_eq!(carrier.found, None, "run {run}: {headers:?}");
    }
    println!("{runs} runs, {understood} with a span context, at most {most:?}");
    assert!(understood > runs / 10, "most headers must be nearly well-formed: {understood} of {runs}");
}

/// One header, in place.
struct Fixed {
    name: &'static str,
    value: [u8; 128],
    len: usize,
}

impl Fixed {
    fn new(name: &'static str, value: &str) -> Self {
        let mut fixed = Self { name, value: [0; 128], len: 0 };
        fixed.set(name, value);
        fixed
    }

    fn value(&self) -> &str {
        std::str::from_utf8(&self.value[..self.len]).expect("is text")
    }
}

impl Carrier for Fixed {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        if name == self.name {
            each(self.value());
        }
    }
}

impl CarrierMut for Fixed {
    fn set(&mut self, name: &'static str, value: &str) {
        if name == self.name {
            self.value[..value.len()].copy_from_slice(value.as_bytes());
            self.len = value.len();
        }
    }
}

#[test]
fn ids_are_read_and_written_without_allocating() {
    let ids = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (name, header, value) in [
        ("tracecontext", "traceparent", format!("00-{}-{}-01", ids.0, ids.1)),
        ("b3", "b3", format!("{}-{}-1", ids.0, ids.1)),
        ("jaeger", "uber-trace-id", format!("{}:{}:0:1", ids.0, ids.1)),
        ("xray", "x-amzn-trace-id", format!("Root=1-{}-{};Parent={};Sampled=1", &ids.0[..8], &ids.0[8..], ids.1)),
    ] {
        let propagator = by_name(name).expect("is a propagator");
        let incoming = Fixed::new(header, &value);
        let mut outgoing = Fixed::new(header, "");
        let (allocated, ()) = during(|| {
            let mut extracted = Extracted::default();
            propagator.extract(&incoming, &mut extracted);
            let context = extracted.span_context.as_ref();
            propagator.inject(&Outgoing::new(context, &extracted.baggage), &mut outgoing);
        });
        assert_eq!(outgoing.value(), value, "{name}");
        assert_eq!(allocated, Allocated::default(), "{name}");
    }
}

#[test]
fn a_request_without_context_costs_no_allocation() {
    let headers: Headers = vec![("accept".into(), "*/*".into()), ("host".into(), "example".into())];
    // Makes the propagators.
    let _ = propagators();
    let (allocated, extracted) = during(|| extract(0, &headers));
    assert!(extracted.span_context.is_none() && extracted.baggage.is_empty());
    assert_eq!(allocated, Allocated::default());
}

/// The largest headers that are still taken, all at once.
#[test]
fn the_largest_headers_stay_within_the_limit() {
    let state: Vec<String> = (0..32).map(|i| format!("k{i:02}={}", "v".repeat(250))).collect();
    let members: Vec<String> = (0..64).map(|i| format!("k{i:02}={};p", "%ff".repeat(40))).collect();
    let long_value = vec![format!("k={}", "%c3".repeat(2_730))];
    for members in [members, long_value, vec![format!("k=1;{}", "p;".repeat(4_000))]] {
        let mut headers: Headers =
            vec![("traceparent".into(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into())];
        headers.extend(state.chunks(4).map(|lines| ("tracestate".to_owned(), lines.join(","))));
        headers.extend(members.chunks(4).map(|lines| ("baggage".to_owned(), lines.join(","))));
        let (allocated, extracted) = during(|| extract(0, &headers));
        assert!(!extracted.baggage.is_empty());
        assert_eq!(extracted.span_context.map(|context| context.trace_state().members().count()), Some(32));
        assert!(allocated.bytes <= MAX_ALLOCATED, "{allocated:?}");
    }
}

/// Megabytes are not copied, and not looked at to their end.
#[test]
fn far_too_long_headers_cost_next_to_nothing() {
    let names: Vec<&str> = propagators().iter().flat_map(|propagator| propagator.fields()).copied().collect();
    // The first message about a limit is a text.
    let _ = extract(0, &vec![("b3".to_owned(), "x".repeat(1_000))]);
    for filler in ["a=1,", ",", " ", "-", "%ff", "a=1;p;"] {
        let headers: Headers =
            names.iter().map(|name| ((*name).to_owned(), filler.repeat(1_000_000 / filler.len()))).collect();
        let (allocated, extracted) = during(|| extract(0, &headers));
        assert!(extracted.span_context.is_none());
        assert!(allocated.bytes <= MAX_ALLOCATED, "{filler}: {allocated:?}");
    }
}

#[test]
fn a_baggage_of_the_application_is_cut_where_it_is_written() {
    let mut baggage = Baggage::new();
    for i in 0..100 {
        baggage = baggage.with(&format!("k{i}"), &"\r\n".repeat(i)).expect("is a token");
    }
    let mut carrier = Suspicious::default();
    propagators()[1].inject(&Outgoing::new(None, &baggage), &mut carrier);
    assert_eq!(carrier.found, None);
}

#[test]
fn the_facade_may_share_propagators_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Box<dyn Propagator>>();
    is_shared::<TraceContextPropagator>();
}
