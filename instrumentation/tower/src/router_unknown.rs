//! What is known of a request where no router says it.

use std::net::SocketAddr;

use http::{Extensions, Uri};

pub(crate) const fn route(_: &Extensions) -> Option<&str> {
    None
}

pub(crate) const fn original_uri(_: &Extensions) -> Option<&Uri> {
    None
}

/// The other end of the connection, if whoever accepted it has put it there.
pub(crate) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get().copied()
}
