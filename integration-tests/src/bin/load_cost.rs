//! How long it takes to load a plugin and to create an instance: `load_cost PLUGIN [CONFIG]`
//! prints microseconds for each. A process can do this once, so run it several times.

use std::path::Path;
use std::time::Instant;

use spandrel::provider::{Host, Plugin, ProviderFactory, Resource};

fn main() -> Result<(), spandrel::Error> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("usage: load_cost PLUGIN [CONFIG]");
    let config = arguments.next().unwrap_or_default();
    let resource = Resource::new();
    let begin = Instant::now();
    let plugin = Plugin::load(Path::new(&path))?;
    let loaded = begin.elapsed().as_micros();
    let made = plugin.create(&config, &Host::new(&resource))?;
    println!("load {loaded} create {} µs", begin.elapsed().as_micros() - loaded);
    drop(made);
    Ok(())
}
