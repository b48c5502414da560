use reqwest::ClientBuilder;
use spandrel_plugin_api::Error;

use crate::config::OtlpConfig;
use crate::endpoint::Endpoint;

/// `OtlpConfig::check` refuses endpoints that need it.
pub(crate) fn configure(builder: ClientBuilder, _: &OtlpConfig, _: &Endpoint) -> Result<ClientBuilder, Error> {
    Ok(builder)
}
