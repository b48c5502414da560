use spandrel_plugin_api::Error;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::settings::Settings;

/// Never called: `Client::check` refuses endpoints that need it.
pub(crate) fn configure(builder: ConfigBuilder<AgentScope>, _: &Settings) -> Result<ConfigBuilder<AgentScope>, Error> {
    Ok(builder)
}
