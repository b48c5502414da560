//! Durations and running requests, for the facade `metrics`.
//!
//! Source: OpenTelemetry semantic conventions 1.44, HTTP server metrics.

use std::time::Instant;

use http::StatusCode;
use metrics::{Gauge, Label, Unit};

use crate::attributes;
use crate::request::Head;

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";

/// Measures one request.
pub(crate) struct Meter {
    started: Instant,
    active: Gauge,
    labels: Vec<Label>,
}

impl Meter {
    pub(crate) fn start(head: &Head<'_>) -> Self {
        metrics::describe_histogram!(DURATION, Unit::Seconds, "Duration of HTTP server requests.");
        metrics::describe_gauge!(ACTIVE, Unit::Count, "Number of active HTTP server requests.");
        let mut labels = vec![
            Label::from_static_parts(attributes::REQUEST_METHOD, head.method_name()),
            Label::from_static_parts(attributes::URL_SCHEME, head.scheme()),
        ];
        let active = metrics::gauge!(ACTIVE, labels.iter());
        active.increment(1.0);
        if let Some(route) = head.route() {
            labels.push(Label::new(attributes::ROUTE, route.to_owned()));
        }
        if let Some(version) = head.protocol_version() {
            labels.push(Label::from_static_parts(attributes::NETWORK_PROTOCOL_VERSION, version));
        }
        Self { started: Instant::now(), active, labels }
    }

    /// The request has ended, with this error if there was one.
    pub(crate) fn finish(&mut self, status: Option<StatusCode>, error: Option<&'static str>) {
        self.active.decrement(1.0);
        let mut labels = std::mem::take(&mut self.labels);
        if let Some(status) = status {
            labels.push(Label::new(attributes::RESPONSE_STATUS_CODE, status.as_str().to_owned()));
        }
        let failed = status.filter(StatusCode::is_server_error).map(|status| status.as_str().to_owned());
        if let Some(error) = error.map(str::to_owned).or(failed) {
            labels.push(Label::new(attributes::ERROR_TYPE, error));
        }
        metrics::histogram!(DURATION, labels).record(self.started.elapsed());
    }
}
