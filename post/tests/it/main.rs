//! Requests to real servers on this machine.

mod delivery;
mod failures;
mod requests;
mod tags;
#[cfg(feature = "tls")]
mod tls;

use spandrel_plugin_api::Error;
use spandrel_post::testing::settings;
use spandrel_post::{Client, Endpoint, Server, Settings};

const SERVER: Server =
    Server { provider: "test", name: "the test", usual: "http://localhost:1/spans", user_agent: "spandrel-test/1" };

fn client(url: &str, settings: &Settings) -> Result<Client, Error> {
    Client::new(SERVER, Endpoint::parse(url, SERVER.usual)?, settings)
}
