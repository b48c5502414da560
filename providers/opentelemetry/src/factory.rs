use std::fmt;
use std::sync::Arc;

use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, Resource, config};

use crate::builder::PipelineBuilder;
use crate::config::OpenTelemetryConfig;
use crate::otlp;
use crate::pipeline::Pipeline;
use crate::provider::OpenTelemetryProvider;

/// Makes the provider `opentelemetry`.
#[derive(Clone, Default)]
pub struct OpenTelemetryFactory {
    customize: Option<Arc<Customize>>,
}

type Customize = dyn Fn(PipelineBuilder) -> PipelineBuilder + Send + Sync;

impl OpenTelemetryFactory {
    /// Spans go out over OTLP, as the configuration says.
    #[must_use]
    pub const fn new() -> Self {
        Self { customize: None }
    }

    /// Spans go where `customize` says; over OTLP if it adds neither an exporter nor a processor.
    ///
    /// Called for each pipeline: when tracing is installed, reloaded, and in a forked process.
    /// The builder has the resource of the service and what the configuration says.
    ///
    /// ```
    /// use spandrel_provider_opentelemetry::OpenTelemetryFactory;
    ///
    /// let factory = OpenTelemetryFactory::with(|builder| builder.with_global(true));
    /// let builder = spandrel::builder().register(factory).provider_type("opentelemetry");
    /// ```
    #[must_use]
    pub fn with(customize: impl Fn(PipelineBuilder) -> PipelineBuilder + Send + Sync + 'static) -> Self {
        Self { customize: Some(Arc::new(customize)) }
    }

    fn pipeline(&self, config: &OpenTelemetryConfig, resource: &Resource, is_forked: bool) -> Result<Pipeline, Error> {
        let mut builder =
            PipelineBuilder::new().with_resource(resource).with_batch(config.batch).with_global(config.set_global);
        if let Some(ratio) = config.root_ratio {
            builder = builder.with_root_ratio(ratio);
        }
        if let Some(customize) = &self.customize {
            builder = customize(builder);
        }
        if builder.is_empty() {
            builder = builder.with_exporter(NAME, otlp::exporter(config)?);
        }
        if is_forked {
            // The lock of OpenTelemetry may be one that the parent holds for ever.
            builder = builder.with_global(false);
        }
        Ok(builder.pipeline())
    }
}

const NAME: &str = "opentelemetry";

impl ProviderFactory for OpenTelemetryFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        let config = read(config)?;
        let pipeline = self.pipeline(&config, host.resource, false)?;
        let (factory, resource) = (self.clone(), host.resource.clone());
        let make = Box::new(move || factory.pipeline(&config, &resource, true));
        Ok(Provider::Live(Box::new(OpenTelemetryProvider::new(pipeline, Some(make)))))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        read(config).map(drop)
    }
}

fn read(config: &str) -> Result<OpenTelemetryConfig, Error> {
    let config: OpenTelemetryConfig = config::parse(config)?;
    config.check()?;
    Ok(config)
}

impl fmt::Debug for OpenTelemetryFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenTelemetryFactory(customized: {})", self.customize.is_some())
    }
}
