use serde::Deserialize;

/// The table `[provider.memory]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// Most spans that are kept, at least 1; default 10,000.
    pub max_spans: std::num::NonZeroUsize,
}

impl MemoryConfig {
    /// The default of `max_spans`.
    pub const MAX_SPANS: std::num::NonZeroUsize = std::num::NonZeroUsize::new(10_000).unwrap();
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_spans: Self::MAX_SPANS }
    }
}
