//! Why there is no answer.

use std::io;

use spandrel_plugin_api::{Error, ErrorKind};

use super::Server;

/// In a sentence.
///
/// Whatever may pass by itself is tried again: a server may be started late, or be replaced.
pub(crate) fn explain(server: Server, error: &ureq::Error, timeout_ms: u64) -> Error {
    let Server { provider, name, usual, .. } = server;
    if is_timeout(error) {
        return Error::new(ErrorKind::Unavailable, format!("{name} did not answer within {timeout_ms} ms"))
            .with_context("remedy", format!("raise provider.{provider}.timeout_ms if it is only slow"));
    }
    let (kind, what, remedy) = match error {
        ureq::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => (
            ErrorKind::Unavailable,
            "cannot connect to",
            format!("start it there, or set provider.{provider}.endpoint; it is usually like {usual}"),
        ),
        ureq::Error::HostNotFound => (ErrorKind::Unavailable, "cannot connect to", host_remedy(provider)),
        ureq::Error::Io(io) if io.to_string().contains("lookup address") => {
            (ErrorKind::Unavailable, "cannot connect to", host_remedy(provider))
        }
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => (
            ErrorKind::Unavailable,
            "cannot connect to",
            format!("check provider.{provider}.proxy; the proxy must allow CONNECT to that port"),
        ),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => (
            ErrorKind::Malformed,
            "no HTTP comes from",
            format!("check the port of provider.{provider}.endpoint; one for TLS needs https://"),
        ),
        other if other.to_string().contains("ertificate") => (
            ErrorKind::Unavailable,
            "cannot trust",
            format!(
                "set provider.{provider}.certificate to the file of its authority, and use the name that the certificate is for"
            ),
        ),
        other if other.to_string().contains("InvalidContentType") || other.to_string().contains("corrupt message") => {
            (ErrorKind::Unavailable, "no TLS comes from", format!("use http:// in provider.{provider}.endpoint"))
        }
        _ => (
            ErrorKind::Unavailable,
            "no answer came from",
            format!("check that the server behind provider.{provider}.endpoint is {name}; one with TLS needs https://"),
        ),
    };
    Error::new(kind, format!("{what} {name}")).with_context("remedy", remedy).with_source(error.to_string())
}

fn host_remedy(provider: &str) -> String {
    format!("check the name of the host in provider.{provider}.endpoint")
}

fn is_timeout(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(io) => matches!(io.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock),
        _ => false,
    }
}
