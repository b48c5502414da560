//! Keys of the attributes, and what the conventions say of their values.
//!
//! Source: OpenTelemetry semantic conventions 1.44, HTTP server spans, gRPC server
//! spans, session and user.
//!
//! What `spandrel-api-client` has, too, is written in both: see `integration-tests/tests/conventions.rs`.

pub(crate) const CLIENT_ADDRESS: &str = "client.address";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub(crate) const NETWORK_PEER_PORT: &str = "network.peer.port";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// With the name of the header behind.
pub(crate) const REQUEST_HEADER: &str = "http.request.header";
pub(crate) const REQUEST_METHOD: &str = "http.request.method";
pub(crate) const REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
/// With the name of the header behind.
pub(crate) const RESPONSE_HEADER: &str = "http.response.header";
pub(crate) const RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const ROUTE: &str = "http.route";
pub(crate) const RPC_METHOD: &str = "rpc.method";
pub(crate) const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
pub(crate) const RPC_STATUS_CODE: &str = "rpc.response.status_code";
pub(crate) const RPC_SYSTEM: &str = "rpc.system.name";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const SESSION_ID: &str = "session.id";
pub(crate) const URL_PATH: &str = "url.path";
pub(crate) const URL_QUERY: &str = "url.query";
pub(crate) const URL_SCHEME: &str = "url.scheme";
pub(crate) const USER_AGENT: &str = "user_agent.original";
pub(crate) const USER_ID: &str = "user.id";

/// Ours: the conventions have no word for a request that nobody waits for any more.
pub(crate) const CANCELLED: &str = "spandrel.cancelled";

/// Methods that are their own attribute value.
pub(crate) const KNOWN_METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
/// The value for all others.
pub(crate) const OTHER: &str = "_OTHER";
/// The method in the name of their span.
pub(crate) const OTHER_METHOD_NAME: &str = "HTTP";

/// What a panic is as `error.type`.
pub(crate) const PANIC: &str = "panic";
/// What an error of the service in place of a response is.
pub(crate) const SERVICE_ERROR: &str = "service";
/// What an error within the response body is.
pub(crate) const BODY_ERROR: &str = "body";

/// What a status of gRPC is called, by its number.
pub(crate) const RPC_STATUS_CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Parameters of the query whose values are replaced in `url.query`.
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
