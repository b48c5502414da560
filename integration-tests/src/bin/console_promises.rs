//! Keeps every promise with the provider `console` from a library, the first argument, in
//! a format, the second. What it prints is standard output.

use spandrel::provider::Plugin;
use spandrel_conformance::{PROMISES, Started, Subject};
use spandrel_plugin_api::{Host, Provider, ProviderFactory};
use spandrel_recorder::{Recorder, RecorderConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, library, format] = &arguments[..] else { return Err("not a library and a format".into()) };
    let (plugin, config) = (Plugin::load(library.as_ref())?, format!("format = '{format}'"));
    let subject = Subject::new(&format!("console with format {format}, loaded"), move |resource| {
        let Ok(Provider::Exporter(exporter)) = plugin.create(&config, &Host::new(resource)) else {
            panic!("console is an exporter")
        };
        let exporters = vec![("console".to_owned(), exporter)];
        Started::new(Box::new(Recorder::new(RecorderConfig::default(), resource, exporters)))
    });
    PROMISES.iter().for_each(|(_, promise)| promise(&subject));
    Ok(())
}
