//! In the place of `metrics.rs` where nothing is measured.

use http::StatusCode;

use crate::request::Head;

pub(crate) struct Meter;

impl Meter {
    pub(crate) const fn start(_: &Head<'_>) -> Self {
        Self
    }

    pub(crate) const fn finish(&self, _: Option<StatusCode>, _: Option<&str>) {}
}
