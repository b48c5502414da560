//! Plugins that have a say in what is recorded, and hear of what starts.

use std::time::Duration;

use spandrel::{Sampler, Tracer};

use crate::misbehaving::Misbehaving;

const LONG: Duration = Duration::from_secs(30);
const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn what_follows_a_dropped_root_is_dropped_without_being_asked_for() {
    for plugin in Misbehaving::both("dropping") {
        let tracer = plugin.tracer("decide=2 extract=2");
        serve(tracer);
        tracer.flush(LONG).unwrap();
        let calls = plugin.calls();
        let asked: Vec<&String> = calls.iter().filter(|call| call.starts_with("asked ")).collect();
        assert_eq!(asked, ["asked op root", "asked op remote"], "without a span id, and not for children");
        assert_eq!((plugin.count("start_span"), plugin.count("on_start"), plugin.count("export")), (0, 0, 0));
        assert_eq!(tracer.stats().recorded, 0);
    }
}

#[test]
fn every_other_decision_records() {
    for plugin in Misbehaving::both("recording") {
        // No opinion, yes, a number of the future; no answer at all, whatever was written.
        for behaviour in ["decide=0", "decide=1", "decide=77", "sample=2 decide=2", "sample=7 decide=2"] {
            let tracer = plugin.tracer(&format!("{behaviour} extract=2"));
            let before = plugin.calls().len();
            serve(tracer);
            tracer.flush(LONG).unwrap();
            let calls = &plugin.calls()[before..];
            assert_eq!(calls.iter().filter(|call| call.starts_with("started ")).count(), 4, "{behaviour}: {calls:?}");
        }
    }
}

#[test]
fn the_configured_sampler_is_asked_first() {
    let plugin = Misbehaving::live("second");
    let config = format!("[provider.second]\n{}", plugin.config("decide=1"));
    let builder = spandrel::builder().register(plugin.load().unwrap()).provider_type("second");
    let tracer = builder.default_config(config).sampler(Sampler::always_off()).build().unwrap();
    serve(tracer);
    assert_eq!((plugin.count("asked op root"), plugin.count("start_span")), (0, 0));
}

#[test]
fn an_exporter_hears_of_each_start_at_once() {
    let plugin = Misbehaving::exporter("hearing");
    let tracer = plugin.tracer("");
    tracer.context().within(|| {
        spandrel::with_span("long", |_| {
            assert_eq!((plugin.count("started long"), plugin.count("export")), (1, 0));
            spandrel::with_span("child", |_| ());
            assert_eq!(plugin.count("started child"), 1);
        });
    });
    tracer.flush(LONG).unwrap();
    assert_eq!(plugin.count("spans 2"), 1, "{:?}", plugin.calls());
}

/// A root and one that comes from elsewhere, each with a child.
fn serve(tracer: Tracer) {
    tracer.context().within(|| {
        spandrel::with_span("op", |_| spandrel::with_span("child", |_| ()));
        let context = spandrel::extract(&vec![("traceparent", W3C)]);
        spandrel::span("op").parent(&context).run(|_| spandrel::with_span("child", |_| ()));
    });
}
