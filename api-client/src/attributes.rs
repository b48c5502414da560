//! Keys of the attributes, and what the conventions say of their values.
//!
//! Source: OpenTelemetry semantic conventions 1.44, HTTP client spans. Those below
//! `http.call`, `http.client` and `http.connection` are ours.
//!
//! What `spandrel-tower` has, too, is written in both: see `integration-tests/tests/conventions.rs`.

pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub(crate) const NETWORK_PEER_PORT: &str = "network.peer.port";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
pub(crate) const REQUEST_HEADER: &str = "http.request.header.";
pub(crate) const REQUEST_METHOD: &str = "http.request.method";
pub(crate) const REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const RESPONSE_BODY_SIZE: &str = "http.response.body.size";
pub(crate) const RESPONSE_HEADER: &str = "http.response.header.";
pub(crate) const RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const URL_FULL: &str = "url.full";
pub(crate) const URL_TEMPLATE: &str = "url.template";

/// How often a call was sent, and how long it waited in between, in seconds.
pub(crate) const CALL_ATTEMPTS: &str = "http.call.attempts";
pub(crate) const CALL_WAIT: &str = "http.call.wait";
/// In seconds.
pub(crate) const DNS_DURATION: &str = "http.client.dns.duration";
pub(crate) const CONNECT_DURATION: &str = "http.client.connect.duration";
pub(crate) const FIRST_BYTE_DURATION: &str = "http.client.first_byte.duration";
pub(crate) const BODY_DURATION: &str = "http.client.body.duration";
/// How much was read of a body that was not read to its end, if any.
pub(crate) const BODY_READ_SIZE: &str = "http.client.body.read_size";
pub(crate) const CONNECTION_REUSED: &str = "http.connection.reused";

pub(crate) const RETRY: &str = "http.retry";
/// There was a reason to send again, and none of what it takes.
pub(crate) const RETRY_GIVEN_UP: &str = "http.retry.given_up";
/// In seconds.
pub(crate) const RETRY_DELAY: &str = "http.retry.delay";
pub(crate) const RETRY_REASON: &str = "http.retry.reason";
/// What was used up: `attempts`, `deadline` or `budget`.
pub(crate) const RETRY_LIMIT: &str = "http.retry.limit";
pub(crate) const REDIRECT: &str = "http.redirect";

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
