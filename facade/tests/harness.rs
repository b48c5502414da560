//! The cases of the W3C harness (w3c/trace-context, test/test.py) that are about spans: what its
//! headers become is in the vectors of `spandrel-propagation`.

use std::collections::HashSet;

use spandrel as tracing;
use spandrel::testing::capture;

type Headers = Vec<(String, String)>;

/// One request, answered within a span, with three requests that follow from it.
fn callbacks(incoming: &[(&str, &str)]) -> Vec<String> {
    let mut sent = Vec::new();
    let _trace = capture(|| {
        let context = tracing::extract(&incoming);
        tracing::span("POST /test").parent(&context).run(|_| {
            for _ in 0..3 {
                tracing::with_span("callback", |_| {
                    let mut headers = Headers::new();
                    tracing::inject(&mut headers);
                    let parent = headers.iter().find(|(name, _)| name == "traceparent");
                    sent.push(parent.map(|(_, value)| value.clone()).unwrap_or_default());
                });
            }
        });
    });
    sent
}

fn part(headers: &[String], range: std::ops::Range<usize>) -> HashSet<&str> {
    headers.iter().map(|header| &header[range.clone()]).collect()
}

const TRACE_ID: &str = "12345678901234567890123456789012";

#[test]
fn multiple_requests_with_valid_traceparent() {
    let sent = callbacks(&[("traceparent", &format!("00-{TRACE_ID}-1234567890123456-01"))]);
    assert_eq!(part(&sent, 3..35), HashSet::from([TRACE_ID]));
    assert_eq!(part(&sent, 36..52).len(), 3);
    assert!(!part(&sent, 36..52).contains("1234567890123456"));
}

#[test]
fn multiple_requests_without_traceparent() {
    assert_eq!(part(&callbacks(&[]), 36..52).len(), 3);
}

#[test]
fn multiple_requests_with_illegal_traceparent() {
    let zero = "00000000000000000000000000000000";
    let sent = callbacks(&[("traceparent", &format!("00-{zero}-1234567890123456-01"))]);
    assert!(!part(&sent, 3..35).contains(zero));
    assert_eq!(part(&sent, 36..52).len(), 3);
}

#[test]
fn propagates_random_flag() {
    // Everything is recorded here, so all are sampled.
    for (incoming, flags) in [("02", "03"), ("03", "03"), ("00", "01"), ("01", "01")] {
        let sent = callbacks(&[("traceparent", &format!("00-{TRACE_ID}-1234567890123456-{incoming}"))]);
        assert_eq!(part(&sent, 53..55), HashSet::from([flags]), "{incoming}");
    }
}
