//! Several instances, libraries and providers in one process.

use std::time::Duration;

use spandrel::provider::Plugin;
use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::plugins::{foreign_plugin, plugin};
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanData};

use crate::misbehaving::Misbehaving;

const LONG: Duration = Duration::from_secs(30);

#[test]
fn two_instances_of_a_library_go_their_own_ways() {
    for plugin in Misbehaving::both("twice") {
        let [well, ill] = ["", "flush=3 shutdown=4711 decide=2 health=3"].map(|behaviour| plugin.tracer(behaviour));
        for tracer in [well, ill, well] {
            tracer.context().within(|| spandrel::with_span("op", |_| ()));
        }
        assert!(well.flush(LONG).is_ok() && ill.flush(LONG).is_err());
        assert!(well.health().is_ok() && ill.health().is_err());
        assert_eq!(plugin.count("started op"), 2, "the ill one has dropped its span");
        assert!(ill.shutdown(LONG).is_err() && well.flush(LONG).is_ok());
        well.context().within(|| spandrel::with_span("op", |_| ()));
        assert_eq!(plugin.count("started op"), 3, "the other one goes on");
        assert!(well.shutdown(LONG).is_ok());
    }
}

/// The plugin under another name.
struct Named(&'static str, Plugin);

impl ProviderFactory for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        self.1.create(config, host)
    }
}

#[test]
fn linked_and_loaded_providers_work_side_by_side() {
    let live = foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", "live_memory");
    let misbehaving = Misbehaving::exporter("beside");
    let folder = Folder::new();
    let names = ["file", "loaded_file", "live_memory", "again"];
    let mut config = format!("[provider.beside]\n{}", misbehaving.config("export=4711"));
    for name in names {
        config += &format!("[provider.{name}]\npath = '{}'\n", folder.file(name).display());
    }
    let tracer = spandrel::builder()
        .register(Named("loaded_file", Plugin::load(&plugin("file")).unwrap()))
        .register(Named("again", Plugin::load(&plugin("file")).unwrap()))
        .register(Plugin::load(&live).unwrap())
        .register(misbehaving.load().unwrap())
        .provider_type(&format!("{},beside", names.join(",")))
        .default_config(config)
        .build()
        .unwrap();
    tracer.context().within(|| {
        for i in 0..100 {
            spandrel::with_span("outer", |span| {
                span.set_attribute("i", i);
                spandrel::with_span("inner", |_| ());
            });
        }
    });
    assert!(tracer.flush(LONG).is_err(), "one of them fails");
    let read = |name| sorted(otlp_json::read(&folder.file(name)));
    let expected = read("file");
    assert_eq!(expected.len(), 200);
    for name in &names[1..] {
        assert!(read(name) == expected, "{name} has what file has");
    }
    let stats = tracer.stats();
    assert!(stats.is_balanced(), "{stats}");
    let exported: Vec<(&str, u64)> = stats.branches.iter().map(|b| (b.name.as_str(), b.exported)).collect();
    let all = [("live_memory", 200), ("file", 200), ("loaded_file", 200), ("again", 200), ("beside", 0)];
    assert_eq!(exported, all, "{stats}");
}

fn sorted(mut spans: Vec<SpanData>) -> Vec<SpanData> {
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    spans
}
