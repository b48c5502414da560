use crate::{Error, Resource, SpanExporter, TracingProvider};

/// Makes providers of one name from their configuration.
pub trait ProviderFactory: Send + Sync {
    /// The one word that names the provider: `TRACING_TYPE=<name>`, `[provider.<name>]`.
    fn name(&self) -> &str;

    /// Makes a provider.
    ///
    /// `config` is the user's table `[provider.<name>]` as TOML text, untouched
    /// but for expanded variables; empty if there is none.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](crate::ErrorKind::ConfigInvalid) with the key in the
    /// context `key`, or what kept the backend from starting.
    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error>;

    /// Whether [`create`](Self::create) would accept the configuration; touches
    /// nothing outside.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](crate::ErrorKind::ConfigInvalid) as `create` says it,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if that cannot be told.
    fn validate(&self, config: &str) -> Result<(), Error> {
        let _ = config;
        Err(Error::new(crate::ErrorKind::Unsupported, "this provider cannot check its configuration by itself"))
    }
}

/// What a factory makes, of the two contracts.
#[non_exhaustive]
pub enum Provider {
    /// Sees every call as it happens.
    Live(Box<dyn TracingProvider>),
    /// Gets finished spans from a recorder.
    Exporter(Box<dyn SpanExporter>),
    /// An exporter that takes part in more: `companion` hears of the start of each
    /// span, and is asked about propagation, sampling and health. It keeps
    /// nothing of a span, and is told nothing else of it.
    ExporterWith {
        /// Gets finished spans from a recorder.
        exporter: Box<dyn SpanExporter>,
        /// Hears and answers the rest.
        companion: Box<dyn TracingProvider>,
    },
}

/// What the host tells a provider when it is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Host<'a> {
    /// The service that is traced.
    pub resource: &'a Resource,
}

impl<'a> Host<'a> {
    /// A host with this resource.
    #[must_use]
    pub const fn new(resource: &'a Resource) -> Self {
        Self { resource }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Live(_) => "Live",
            Self::Exporter(_) => "Exporter",
            Self::ExporterWith { .. } => "ExporterWith",
        })
    }
}
