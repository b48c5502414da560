use std::collections::BTreeMap;

use opentelemetry_sdk::trace::{
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE_DEFAULT, OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT, OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_SCHEDULE_DELAY_DEFAULT, Sampler, ShouldSample,
    SpanLimits,
};
use spandrel_plugin_api::config::{FromTable, Reader, Value};
use spandrel_plugin_api::{Error, ErrorKind};

/// The table `[provider.opentelemetry]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenTelemetryConfig {
    /// Where to send to; `None` is what the environment of the SDK says, or the default
    /// port on this machine. A URL without a path gets `/v1/traces`.
    pub endpoint: Option<String>,
    /// Sent with each request, as for authentication.
    pub headers: BTreeMap<String, String>,
    /// Most milliseconds for one request and its answer.
    pub timeout_ms: u64,
    /// URL of the proxy, or `none`; `None` is what the environment says.
    pub proxy: Option<String>,
    /// The queue of the SDK.
    pub batch: BatchLimits,
    /// Share of the traces to record that OpenTelemetry libraries begin by themselves;
    /// `None` is what `OTEL_TRACES_SAMPLER` says, or all.
    pub root_ratio: Option<f64>,
    /// Whether it becomes the global tracer provider of OpenTelemetry.
    pub set_global: bool,
}

/// The queue of the SDK: `[provider.opentelemetry.batch]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchLimits {
    /// Most spans that wait; more are dropped and counted.
    pub max_queue_spans: usize,
    /// Most spans in one request.
    pub max_batch_spans: usize,
    /// Longest time that a span waits, in milliseconds.
    pub delay_ms: u64,
}

impl OpenTelemetryConfig {
    /// Refuses what no type can rule out.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid =
            |key: &str, message: String| Error::new(ErrorKind::ConfigInvalid, message).with_context("key", key);
        if self.batch.max_queue_spans == 0 || self.batch.max_batch_spans == 0 {
            return Err(invalid("batch", "a queue or a batch without spans delivers none".to_owned())
                .with_context("remedy", "set max_queue_spans and max_batch_spans to at least 1, or leave them out"));
        }
        if self.timeout_ms == 0 {
            return Err(invalid("timeout_ms", "no request is answered in no time".to_owned())
                .with_context("remedy", "set it to 10000, the default, or leave it out"));
        }
        if let Some(ratio) = self.root_ratio.filter(|ratio| !(0.0..=1.0).contains(ratio)) {
            return Err(invalid("root_ratio", format!("`root_ratio` must be from 0 to 1, not {ratio}")));
        }
        match &self.endpoint {
            Some(endpoint) => check_endpoint("endpoint", endpoint),
            None => Ok(()),
        }
    }

    /// Refuses an endpoint of the environment that cannot be reached, where it counts.
    pub(crate) fn check_environment(&self) -> Result<(), Error> {
        match Environment::of_process().endpoint() {
            Some((name, endpoint)) if self.endpoint.is_none() => check_endpoint(name, &endpoint),
            _ => Ok(()),
        }
    }

    /// The URL as the SDK wants it, which appends nothing to it.
    pub(crate) fn url(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?;
        let (_, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
        Some(if rest.contains('/') { endpoint.to_owned() } else { format!("{endpoint}/v1/traces") })
    }
}

fn check_endpoint(key: &'static str, endpoint: &str) -> Result<(), Error> {
    let error = match endpoint.split_once("://").map(|(scheme, _)| scheme) {
        Some("http") => return Ok(()),
        Some("https") if cfg!(feature = "tls") => return Ok(()),
        Some("https") => Error::new(ErrorKind::ConfigInvalid, "this program was built without TLS").with_context(
            "remedy",
            "enable the cargo feature `tls` of spandrel-provider-opentelemetry, or use http://",
        ),
        _ => Error::new(ErrorKind::ConfigInvalid, format!("`{key}` must begin with http:// or https://")),
    };
    Err(error.with_context("key", key))
}

impl FromTable for OpenTelemetryConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let default = Self::default();
        Ok(Self {
            endpoint: table.text("endpoint")?.map(str::to_owned),
            headers: headers(table)?,
            timeout_ms: table.integer("timeout_ms")?.unwrap_or(default.timeout_ms),
            proxy: table.text("proxy")?.map(str::to_owned),
            batch: table.table("batch", BatchLimits::from_table)?.unwrap_or(default.batch),
            root_ratio: table.float("root_ratio")?,
            set_global: table.boolean("set_global")?.unwrap_or(default.set_global),
        })
    }
}

impl FromTable for BatchLimits {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let default = Environment::of_process().batch();
        Ok(Self {
            max_queue_spans: table.integer("max_queue_spans")?.unwrap_or(default.max_queue_spans),
            max_batch_spans: table.integer("max_batch_spans")?.unwrap_or(default.max_batch_spans),
            delay_ms: table.integer("delay_ms")?.unwrap_or(default.delay_ms),
        })
    }
}

/// No error shows a value, as it may be a secret.
fn headers(table: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Error> {
    let pairs = match table.value("headers") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Table(pairs)) => pairs,
        Some(_) => return Err(table.error("headers", "`headers` must be a table of texts")),
    };
    let header = |name: &str| match pairs.get(name) {
        Some(Value::Text(text)) => Ok((name.to_owned(), text.clone())),
        _ => Err(table.error("headers", format!("the value of the header `{name}` must be a text"))),
    };
    pairs.keys().map(header).collect()
}

impl Default for OpenTelemetryConfig {
    /// What the environment says of the queue and the timeout, and otherwise the defaults
    /// of the SDK.
    fn default() -> Self {
        let environment = Environment::of_process();
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            timeout_ms: environment.timeout_ms(),
            proxy: None,
            batch: environment.batch(),
            root_ratio: None,
            set_global: false,
        }
    }
}

/// The variables that the SDK would read itself where it is not told.
pub(crate) struct Environment(fn(&str) -> Option<String>);

impl Environment {
    pub(crate) const fn of_process() -> Self {
        Self(|name| std::env::var(name).ok())
    }

    pub(crate) fn batch(&self) -> BatchLimits {
        let delay = OTEL_BSP_SCHEDULE_DELAY_DEFAULT.as_millis() as u64;
        BatchLimits {
            max_queue_spans: self.number(OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT).max(1),
            max_batch_spans: self.number(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE_DEFAULT).max(1),
            delay_ms: self.number(OTEL_BSP_SCHEDULE_DELAY, delay),
        }
    }

    pub(crate) fn limits(&self) -> SpanLimits {
        let default = SpanLimits::default();
        SpanLimits {
            max_attributes_per_span: self.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", default.max_attributes_per_span),
            max_events_per_span: self.number("OTEL_SPAN_EVENT_COUNT_LIMIT", default.max_events_per_span),
            max_links_per_span: self.number("OTEL_SPAN_LINK_COUNT_LIMIT", default.max_links_per_span),
            ..default
        }
    }

    pub(crate) fn roots(&self) -> Box<dyn ShouldSample> {
        let ratio = || Sampler::TraceIdRatioBased(self.number("OTEL_TRACES_SAMPLER_ARG", 1.0));
        let parent_based = |root: Sampler| Sampler::ParentBased(Box::new(root));
        Box::new(match (self.0)("OTEL_TRACES_SAMPLER").as_deref() {
            Some("always_on") => Sampler::AlwaysOn,
            Some("always_off") => Sampler::AlwaysOff,
            Some("traceidratio") => ratio(),
            Some("parentbased_always_off") => parent_based(Sampler::AlwaysOff),
            Some("parentbased_traceidratio") => parent_based(ratio()),
            _ => parent_based(Sampler::AlwaysOn),
        })
    }

    /// The endpoint that the SDK takes, with the name of its variable.
    fn endpoint(&self) -> Option<(&'static str, String)> {
        ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
            .into_iter()
            .find_map(|name| (self.0)(name).filter(|endpoint| !endpoint.is_empty()).map(|endpoint| (name, endpoint)))
    }

    fn timeout_ms(&self) -> u64 {
        let general = self.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000);
        self.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", general).max(1)
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        (self.0)(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::ErrorKind;
    use spandrel_plugin_api::config::parse;

    use super::{BatchLimits, Environment, OpenTelemetryConfig};

    #[test]
    fn settings_are_read() {
        let text = "endpoint = 'http://collector:4318'\nheaders = { api-key = 'x' }\ntimeout_ms = 5\nproxy = 'none'\n\
                    root_ratio = 0.5\nset_global = true\n\
                    [batch]\nmax_queue_spans = 1\nmax_batch_spans = 2\ndelay_ms = 3";
        let config: OpenTelemetryConfig = parse(text).unwrap();
        config.check().unwrap();
        assert_eq!(config.url().as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(config.headers.get("api-key").map(String::as_str), Some("x"));
        assert_eq!((config.timeout_ms, config.root_ratio, config.set_global), (5, Some(0.5), true));
        assert_eq!(config.batch, BatchLimits { max_queue_spans: 1, max_batch_spans: 2, delay_ms: 3 });
        let config: OpenTelemetryConfig = parse("endpoint = 'http://x/'").unwrap();
        assert_eq!((config.url().as_deref(), config.set_global), (Some("http://x/"), false));
    }

    #[test]
    fn errors_name_the_key_and_no_secret() {
        for (text, key, message) in [
            ("endpoint = 'collector:4317'", "endpoint", "`endpoint` must begin with http:// or https://"),
            ("root_ratio = 2", "root_ratio", "`root_ratio` must be from 0 to 1, not 2"),
            ("timeout_ms = 0", "timeout_ms", "no request is answered in no time"),
            ("[batch]\nmax_queue_spans = 0", "batch", "a queue or a batch without spans delivers none"),
            ("headers = { api-key = ['hush'] }", "headers", "the value of the header `api-key` must be a text"),
            ("headers = 'api-key=hush'", "headers", "`headers` must be a table of texts"),
        ] {
            let error = parse::<OpenTelemetryConfig>(text).and_then(|config| config.check()).unwrap_err();
            assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some(key)), "{text}");
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn tls_without_its_feature_is_refused() {
        let config: OpenTelemetryConfig = parse("endpoint = 'https://x'").unwrap();
        let error = config.check().unwrap_err();
        assert!(error.to_string().contains("cargo feature `tls`"), "{error}");
    }

    #[test]
    fn the_variables_of_the_sdk_count() {
        let environment = Environment(|name| match name {
            "OTEL_BSP_MAX_QUEUE_SIZE" => Some("7".to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" => Some("nonsense".to_owned()),
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" => Some("3".to_owned()),
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("20".to_owned()),
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://x".to_owned()),
            "OTEL_TRACES_SAMPLER" => Some("parentbased_traceidratio".to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some("0.25".to_owned()),
            _ => None,
        });
        let expected = BatchLimits { max_queue_spans: 7, max_batch_spans: 512, delay_ms: 5000 };
        assert_eq!(environment.batch(), expected);
        assert_eq!((environment.limits().max_attributes_per_span, environment.limits().max_links_per_span), (3, 128));
        assert_eq!(environment.timeout_ms(), 20);
        assert_eq!(format!("{:?}", environment.roots()), "ParentBased(TraceIdRatioBased(0.25))");
        assert_eq!(environment.endpoint(), Some(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x".to_owned())));
        let default = Environment(|_| None);
        assert_eq!(format!("{:?}", default.roots()), "ParentBased(AlwaysOn)");
        assert_eq!(default.timeout_ms(), 10_000);
    }
}
