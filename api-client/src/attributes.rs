//! Keys of the attributes, and what the conventions say of their values.
//!
//! Source: OpenTelemetry semantic conventions 1.44, HTTP client spans.

pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
pub(crate) const REQUEST_METHOD: &str = "http.request.method";
pub(crate) const REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const URL_FULL: &str = "url.full";
pub(crate) const URL_TEMPLATE: &str = "url.template";

/// Methods that are their own attribute value.
pub(crate) const KNOWN_METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
/// The value for all others.
pub(crate) const OTHER_METHOD: &str = "_OTHER";
/// The method in the name of their span.
pub(crate) const OTHER_METHOD_NAME: &str = "HTTP";

/// Parameters of the query whose values are replaced in `url.full`.
pub(crate) const SECRET_PARAMETERS: [&str; 7] = [
    "AWSAccessKeyId",
    "Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
    "sig",
];
/// What takes their place.
pub(crate) const REDACTED: &str = "REDACTED";
