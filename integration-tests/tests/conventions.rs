//! What several crates write each for itself is the same in all of them.
//!
//! The HTTP client and the layer for servers are used without each other, and see nothing of ours but the public API of
//! the facade. A home for a dozen names would have to be there, hidden, and promise to stay; and the provider `otlp` is
//! below it. The conventions fix the names, so that they do not change in one place alone; should it happen, this says so.

#[expect(dead_code, reason = "most are its own")]
#[path = "../../api-client/src/attributes.rs"]
mod client;
#[expect(dead_code, reason = "most are its own")]
#[path = "../../instrumentation/tower/src/attributes.rs"]
mod server;

#[test]
fn client_and_server_call_the_same_thing_by_the_same_name() {
    for (client, server) in [
        (client::ERROR_TYPE, server::ERROR_TYPE),
        (client::NETWORK_PEER_ADDRESS, server::NETWORK_PEER_ADDRESS),
        (client::NETWORK_PEER_PORT, server::NETWORK_PEER_PORT),
        (client::NETWORK_PROTOCOL_VERSION, server::NETWORK_PROTOCOL_VERSION),
        (client::REQUEST_METHOD, server::REQUEST_METHOD),
        (client::REQUEST_METHOD_ORIGINAL, server::REQUEST_METHOD_ORIGINAL),
        (client::RESPONSE_STATUS_CODE, server::RESPONSE_STATUS_CODE),
        (client::SERVER_ADDRESS, server::SERVER_ADDRESS),
        (client::SERVER_PORT, server::SERVER_PORT),
        (client::OTHER_METHOD, server::OTHER),
        (client::OTHER_METHOD_NAME, server::OTHER_METHOD_NAME),
        (client::REDACTED, server::REDACTED),
        // The client appends the name of the header, the server puts the dot before it.
        (client::REQUEST_HEADER.trim_end_matches('.'), server::REQUEST_HEADER),
        (client::RESPONSE_HEADER.trim_end_matches('.'), server::RESPONSE_HEADER),
    ] {
        assert_eq!(client, server);
    }
    assert_eq!(client::KNOWN_METHODS, server::KNOWN_METHODS);
    assert_eq!(client::SECRET_PARAMETERS, server::SECRET_PARAMETERS, "a secret kept on one side alone is none");
}

#[test]
fn the_status_of_grpc_is_called_the_same_by_the_server_and_the_provider_otlp() {
    let list: String = server::RPC_STATUS_CODES.map(|name| format!("    \"{name}\",\n")).concat();
    let provider = include_str!("../../providers/otlp/src/grpc.rs");
    assert!(provider.contains(&format!("const NAMES: [&str; 17] = [\n{list}];")), "they are not:\n{list}");
}
