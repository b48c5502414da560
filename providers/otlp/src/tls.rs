use std::path::Path;
use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::invalid;

use crate::config::{OtlpConfig, Protocol};
use crate::endpoint::Endpoint;

/// Sets up TLS.
///
/// With a configuration of its own, because what a program has installed as the default
/// of its process is not known here, and a plugin has none.
pub(crate) fn configure(
    builder: ClientBuilder,
    config: &OtlpConfig,
    endpoint: &Endpoint,
) -> Result<ClientBuilder, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| internal("cannot set up TLS", error))?;
    let tls = match &config.certificate {
        Some(path) => tls.with_root_certificates(authorities(path)?),
        // The certificates of the system may be missing in a container, where nobody needs them.
        None if !is_needed(config, endpoint) => tls.with_root_certificates(RootCertStore::empty()),
        None => {
            let verifier = Verifier::new(provider).map_err(|error| {
                internal("cannot read the certificate authorities of the system", error)
                    .with_context("remedy", "install them, or set provider.otlp.certificate")
            })?;
            tls.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut tls = match (&config.client_certificate, &config.client_key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("client_certificate", certificate)?;
            let key_of = |error: &dyn std::fmt::Display| unusable("client_key", key, error);
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| key_of(&error))?;
            tls.with_client_auth_cert(chain, private).map_err(|error| key_of(&error))?
        }
        _ => tls.with_no_client_auth(),
    };
    let protocol = if config.protocol == Protocol::Grpc { "h2" } else { "http/1.1" };
    tls.alpn_protocols = vec![protocol.into()];
    Ok(builder.tls_backend_preconfigured(tls))
}

fn is_needed(config: &OtlpConfig, endpoint: &Endpoint) -> bool {
    endpoint.is_https() || config.proxy.as_deref().is_some_and(|proxy| proxy.starts_with("https:"))
}

fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("certificate", path)? {
        store.add(certificate).map_err(|error| unusable("certificate", path, &error))?;
    }
    Ok(store)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable(key, path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(key, path, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn unusable(key: &'static str, path: &Path, error: &dyn std::fmt::Display) -> Error {
    invalid(key, format!("the file in `{key}` cannot be used"))
        .with_context("path", path.display().to_string())
        .with_context("remedy", "name a readable file in the format PEM")
        .with_source(error.to_string())
}

fn internal(message: &str, error: rustls::Error) -> Error {
    Error::new(ErrorKind::Internal, message).with_source(error)
}
