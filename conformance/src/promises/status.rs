use spandrel_plugin_api::{Status, StatusData};

use crate::fixture::record_with;
use crate::subject::Subject;

/// `Ok` is final, `Unset` is ignored, the last error wins, and only an error has
/// a text. An error without a text may keep that of an earlier one.
///
/// Source: [`set_span_status`](spandrel_plugin_api::TracingProvider::set_span_status);
/// OpenTelemetry specification, Trace API, "Set Status": "An attempt to set value
/// Unset SHOULD be ignored", "When span status is set to Ok it SHOULD be considered
/// final and any further attempts to change it SHOULD be ignored".
pub fn the_status_follows_the_rules(subject: &Subject) {
    subject.promises("the status follows the rules", |trial| {
        let (first, second) = (Status::Error("first, and longer"), Status::Error("second"));
        let error = |text: &str| StatusData::Error(text.to_owned());
        let cases: [(&[Status<'_>], StatusData); 12] = [
            (&[], StatusData::Unset),
            (&[Status::Unset], StatusData::Unset),
            (&[Status::Ok], StatusData::Ok),
            (&[Status::Ok, Status::Unset], StatusData::Ok),
            (&[Status::Ok, first], StatusData::Ok),
            (&[first], error("first, and longer")),
            (&[first, Status::Unset], error("first, and longer")),
            (&[first, second], error("second")),
            (&[Status::Error(""), second], error("second")),
            (&[first, Status::Ok], StatusData::Ok),
            (&[first, Status::Ok, second, Status::Unset], StatusData::Ok),
            (&[Status::Error("")], error("")),
        ];
        let provider = trial.provider();
        for (n, (set, _)) in (1..).zip(&cases) {
            record_with(provider, n, |span| set.iter().for_each(|status| provider.set_span_status(span, *status)));
        }
        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.len(), cases.len(), "spans delivered");
        for (span, (set, expected)) in spans.iter().zip(&cases) {
            assert_eq!(span.status, *expected, "after {set:?}");
        }
    });
}
