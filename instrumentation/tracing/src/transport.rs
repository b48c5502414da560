use tracing_core::{Level, Metadata};

/// The crates that carry finished spans to a backend, and requests of everybody else.
///
/// What they say about themselves is of no use in a trace, and where an exporter
/// has threads of its own, it would be exported by the same crates again, for ever.
const CRATES: [&str; 9] = ["h2", "hyper", "hyper_util", "mio", "reqwest", "rustls", "tokio_util", "tonic", "tower"];

/// Whether it is the chatter of a transport. Warnings and errors are worth having.
#[inline]
pub(crate) fn is_chatter(metadata: &Metadata<'_>) -> bool {
    *metadata.level() > Level::WARN && is_transport(metadata.target())
}

#[inline]
pub(crate) fn is_transport(target: &str) -> bool {
    // Nearly all targets are out after one look at one byte.
    matches!(target.as_bytes().first(), Some(b'h' | b'm' | b'r' | b't')) && is_one_of_them(target)
}

fn is_one_of_them(target: &str) -> bool {
    CRATES.contains(&target.split_once("::").map_or(target, |(root, _)| root))
}

#[cfg(test)]
mod tests {
    use super::is_transport;

    #[test]
    fn whole_names_of_crates_count() {
        for target in ["h2", "hyper::proto::h1", "hyper_util::client", "reqwest::connect", "tonic", "tower::buffer"] {
            assert!(is_transport(target), "{target}");
        }
        for target in ["", "tower_http::trace", "reqwest_tracing", "sqlx::query", "http", "shop::hyper", "tokio"] {
            assert!(!is_transport(target), "{target}");
        }
    }
}
