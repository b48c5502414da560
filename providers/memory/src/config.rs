use std::num::NonZeroUsize;

use spandrel_plugin_api::Error;
use spandrel_plugin_api::config::{FromTable, Reader};

/// The table `[provider.memory]`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// Most spans that are kept, at least 1; default 10,000.
    pub max_spans: NonZeroUsize,
}

impl MemoryConfig {
    /// The default of `max_spans`.
    pub const MAX_SPANS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
}

impl FromTable for MemoryConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let max_spans = table.integer("max_spans")?.map(NonZeroUsize::new);
        match max_spans {
            None => Ok(Self::default()),
            Some(Some(max_spans)) => Ok(Self { max_spans }),
            Some(None) => Err(table.error("max_spans", "`max_spans` must be at least 1")),
        }
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_spans: Self::MAX_SPANS }
    }
}
