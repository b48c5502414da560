//! `err`, and that nobody looks at a result without it.

use std::error::Error;
use std::fmt;

use spandrel::testing::{capture, capture_async};
use spandrel::{self as tracing, StatusData, assert_trace};

use crate::{keys, text};

#[derive(Debug)]
struct Declined {
    reason: &'static str,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined: {}", self.reason)
    }
}

impl Error for Declined {}

#[tracing::traced(err)]
fn early(amount: u32) -> Result<u32, Declined> {
    if amount > 10 {
        return Err(Declined { reason: "limit" });
    }
    Ok(amount)
}

#[tracing::traced(err)]
fn question_mark(amount: u32) -> Result<String, Box<dyn Error>> {
    Ok(early(amount)?.to_string())
}

#[tracing::traced]
fn not_asked(amount: u32) -> Result<u32, Declined> {
    early(amount)
}

#[tracing::traced(err)]
async fn later(amount: u32) -> Result<u32, Declined> {
    tokio::task::yield_now().await;
    let amount = early(amount)?;
    Ok(amount)
}

#[tracing::traced(err)]
fn text_only() -> Result<(), String> {
    Err("password=hunter2 is wrong".to_owned())
}

#[test]
fn errors_are_recorded_where_asked() {
    let trace = capture(|| {
        let _ = not_asked(11);
        let _ = question_mark(12);
        let _ = text_only();
        let _ = question_mark(1);
    });
    assert_trace!(trace,
        "not_asked" (status: unset) { "early" (status: error) {} }
        "question_mark" (status: error) { "early" (status: error) {} }
        "text_only" (status: error) {}
        "question_mark" (status: unset) { "early" (status: unset) {} }
    );
    let early = trace.span("early");
    assert_eq!(early.status, StatusData::Error("declined: limit".into()));
    assert!(text(&trace, "early", "error.type").ends_with("errors::Declined"));
    assert!(early.event("exception").is_some());
    assert!(trace.span("not_asked").attributes.is_empty() && trace.span("not_asked").events.is_empty());
    assert_eq!(text(&trace, "question_mark", "error.type"), "_OTHER");
    assert_eq!(trace.span("text_only").status, StatusData::Error("password=[REDACTED] is wrong".into()));
}

#[tokio::test]
async fn errors_of_futures() {
    let trace = capture_async(async {
        let _ = later(11).await;
        let _ = later(1).await;
    })
    .await;
    assert_trace!(trace,
        "later" (status: error) { "early" (status: error) {} } "later" (status: unset) { "early" {} }
    );
    assert_eq!(keys(&trace, "later"), ["error.type"]);
}

/// A `Result` by another name.
type Outcome<T> = Result<T, Declined>;

#[tracing::traced(err, capture(args, result))]
fn by_another_name(amount: &mut u32) -> Outcome<&u32> {
    *amount += 1;
    if *amount > 10 { Err(Declined { reason: "limit" }) } else { Ok(amount) }
}

#[test]
fn errors_and_captures_together() {
    let trace = capture(|| {
        assert!(by_another_name(&mut 10).is_err());
        assert!(by_another_name(&mut 1).is_ok());
    });
    assert_trace!(trace,
        "by_another_name" (status: error, "amount" = "10", "return" = "Err(Declined { reason: \"limit\" })") {}
        "by_another_name" (status: unset, "amount" = "1", "return" = "Ok(2)") {}
    );
}
