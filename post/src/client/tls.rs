use std::path::Path;
use std::sync::Arc;

use spandrel_plugin_api::Error;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use crate::settings::{Settings, invalid};

/// Sets up TLS.
///
/// With a cryptography of its own, because what a program has installed as the default of
/// its process is not known here, and a plugin has none.
pub(crate) fn configure(
    builder: ConfigBuilder<AgentScope>,
    settings: &Settings,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    let roots = match &settings.certificate {
        Some(path) => RootCerts::new_with_certs(&authorities(path)?),
        None => RootCerts::PlatformVerifier,
    };
    let cryptography = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(cryptography).build();
    Ok(builder.tls_config(tls))
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let unusable = |error: &dyn std::fmt::Display| {
        invalid("certificate", "the file in `certificate` cannot be used")
            .with_context("path", path.display().to_string())
            .with_context("remedy", "name a readable file in the format PEM")
            .with_source(error.to_string())
    };
    let text = std::fs::read(path).map_err(|error| unusable(&error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(unusable(&error)),
        }
    }
    if certificates.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    Ok(certificates)
}
