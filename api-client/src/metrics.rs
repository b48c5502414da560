//! The histogram of the conventions, through the crate `metrics`.

use std::time::Duration;

use metrics::{Label, Unit, describe_histogram, histogram};
use reqwest::Url;

use crate::{attributes, url};

const REQUEST_DURATION: &str = "http.client.request.duration";

/// One attempt, as the histogram will tell of it.
pub(crate) struct Measurement {
    labels: Vec<Label>,
}

/// Tells the recorder, if there is one yet, what the histogram is.
pub(crate) fn describe() {
    describe_histogram!(REQUEST_DURATION, Unit::Seconds, "Duration of HTTP client requests");
}

impl Measurement {
    pub(crate) fn start(method: &'static str, target: &Url, template: Option<&str>) -> Self {
        let mut labels = vec![
            Label::from_static_parts(attributes::REQUEST_METHOD, method),
            Label::new(attributes::SERVER_ADDRESS, url::host(target).to_owned()),
        ];
        if let Some(port) = target.port_or_known_default() {
            labels.push(Label::new(attributes::SERVER_PORT, port.to_string()));
        }
        if let Some(template) = template {
            labels.push(Label::new(attributes::URL_TEMPLATE, template.to_owned()));
        }
        Self { labels }
    }

    pub(crate) fn set_status(&mut self, status: u16) {
        self.labels.push(Label::new(attributes::RESPONSE_STATUS_CODE, status.to_string()));
    }

    pub(crate) fn set_protocol_version(&mut self, version: &'static str) {
        self.labels.push(Label::from_static_parts(attributes::NETWORK_PROTOCOL_VERSION, version));
    }

    pub(crate) fn set_error(&mut self, error: &str) {
        // A body may fail after a status that was an error already.
        self.labels.retain(|label| label.key() != attributes::ERROR_TYPE);
        self.labels.push(Label::new(attributes::ERROR_TYPE, error.to_owned()));
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        histogram!(REQUEST_DURATION, std::mem::take(&mut self.labels)).record(duration.as_secs_f64());
    }
}
