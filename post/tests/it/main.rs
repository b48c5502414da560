//! Requests to real servers on this machine.

mod delivery;
mod failures;
mod requests;
mod tags;
#[cfg(feature = "tls")]
mod tls;

use spandrel_plugin_api::Error;
use spandrel_post::{Client, Endpoint, Server, Settings};

const SERVER: Server =
    Server { provider: "test", name: "the test", usual: "http://localhost:1/spans", user_agent: "spandrel-test/1" };

/// As in a program whose environment says nothing of proxies.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.proxy = Some("none".to_owned());
    settings.timeout_ms = 60_000;
    settings
}

fn client(url: &str, settings: &Settings) -> Result<Client, Error> {
    Client::new(SERVER, Endpoint::parse(url, SERVER.usual)?, settings)
}
