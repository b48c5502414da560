//! In place of `metrics`, without the feature.

use std::time::Duration;

use reqwest::Url;

pub(crate) struct Measurement;

pub(crate) const fn describe() {}

impl Measurement {
    pub(crate) const fn start(_: &'static str, _: &Url, _: Option<&str>) -> Self {
        Self
    }

    pub(crate) const fn set_status(&mut self, _: u16) {}

    pub(crate) const fn set_protocol_version(&mut self, _: &'static str) {}

    pub(crate) const fn set_error(&mut self, _: &str) {}

    pub(crate) const fn record(&mut self, _: Duration) {}
}
