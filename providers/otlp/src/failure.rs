use std::error::Error as StdError;
use std::io;

use reqwest::StatusCode;
use spandrel_plugin_api::{Error, ErrorKind};

use crate::config::{OtlpConfig, Protocol};
use crate::endpoint::Endpoint;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// None came in time.
    Timeout,
    /// It is larger than what a collector has to say.
    AnswerTooLarge(StatusCode),
    /// The connection failed.
    Transport(reqwest::Error),
}

impl Failure {
    /// In a sentence.
    ///
    /// Whatever may pass by itself is tried again, as the protocol asks for: a server may
    /// be started late, or be replaced.
    pub(crate) fn into_error(self, config: &OtlpConfig, endpoint: &Endpoint) -> Error {
        match self {
            Self::Timeout => {
                let message = format!("the collector did not answer within {} ms", config.timeout_ms);
                Error::new(ErrorKind::Unavailable, message)
                    .with_context("remedy", "raise provider.otlp.timeout_ms if it is only slow")
            }
            Self::AnswerTooLarge(status) => {
                let message = format!("the collector answered {status} with more than 4 MiB, which were not read");
                Error::new(ErrorKind::Internal, message).with_context("remedy", "check provider.otlp.endpoint")
            }
            Self::Transport(error) => transport(&error.without_url(), config.protocol, endpoint.is_https()),
        }
    }
}

fn transport(error: &reqwest::Error, protocol: Protocol, is_https: bool) -> Error {
    // The last cause is the one that says something.
    let cause = causes(error).last().map_or_else(String::new, ToString::to_string);
    let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    // What the libraries below tell apart they show in their texts alone; tests hold them.
    let all: String = causes(error).map(|cause| format!("{cause:?} {cause} ")).collect();
    let says = |text| all.contains(text);
    let is_malformed = match protocol {
        Protocol::Grpc => says("FRAME_SIZE_ERROR"),
        _ => says("Parse(") || says("UnexpectedMessage"),
    };
    let remedy = if io == Some(io::ErrorKind::ConnectionRefused) {
        "start a collector there, or set provider.otlp.endpoint; the usual port is 4318 for HTTP and 4317 for gRPC"
    } else if says("dns error") {
        "check the name of the host in provider.otlp.endpoint"
    } else if says("InvalidContentType") {
        "nothing there speaks TLS; use http:// in provider.otlp.endpoint"
    } else if says("invalid peer certificate") {
        "set provider.otlp.certificate to the file of its authority, and use the name that the certificate is for"
    } else if says("received fatal alert") || is_https && !error.is_connect() {
        // With TLS 1.3 the server looks at the certificate of the client when that takes the handshake for done.
        "check provider.otlp.client_certificate if the server asks for one, and that what listens there is for this provider.otlp.protocol"
    } else if error.is_connect() {
        "check provider.otlp.endpoint and provider.otlp.proxy"
    } else if protocol == Protocol::Grpc {
        "check what listens there: the port for gRPC is usually 4317, one for TLS needs https://, and one for OTLP over \
         HTTP provider.otlp.protocol = \"http/protobuf\""
    } else {
        "check what listens there: the port for OTLP over HTTP is usually 4318, one for TLS needs https://, and one for \
         gRPC provider.otlp.protocol = \"grpc\""
    };
    let kind = if is_malformed { ErrorKind::Malformed } else { ErrorKind::Unavailable };
    let what = if error.is_connect() {
        "cannot connect to the collector"
    } else if is_malformed {
        "what answered is no collector for this protocol"
    } else {
        "the connection to the collector failed"
    };
    Error::new(kind, what).with_context("remedy", remedy).with_source(cause)
}

/// The error, what caused it, and so on.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |error| (*error).source())
}
