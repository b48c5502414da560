//! What happens to those who hold it wrong: never undefined, never somebody else's loss.
//!
//! What the compiler refuses (a guard over an `.await` of a spawned task, a span
//! that escapes its closure, use from another thread) stands as `compile_fail`
//! examples at `Entered` and `with_span`.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use spandrel::testing::{capture, capture_async};
use spandrel::{self as tracing, InSpanExt, Span, SpanContext, Status, assert_trace};
use spandrel_plugin_api::{
    Attribute, Error, Event, Link, SpanStart, SpanState, StatusData, Timestamp, TracingProvider,
};

#[test]
fn a_forgotten_guard_costs_no_span() {
    let trace = capture(|| {
        tracing::with_span("outer", |_| {
            let mut span = tracing::start_span("forgotten");
            std::mem::forget(span.enter());
            // Still the current span, and still this thread's to write to.
            tracing::set_attribute("late", true);
            tracing::with_span("child", |_| ());
        });
        tracing::with_span("next", |_| ());
    });
    assert_trace!(trace, "outer" { "forgotten" ("late" = true) { "child" {} } } "next" {});
}

#[test]
fn a_guard_forgotten_over_the_end_of_its_span_is_swept_up_by_the_scope_around_it() {
    let trace = capture(|| {
        tracing::with_span("outer", |_| {
            let span = Box::leak(Box::new(tracing::start_span("leaked")));
            std::mem::forget(span.enter());
        });
        tracing::with_span("next", |_| ());
    });
    assert_trace!(trace, "outer" { "leaked" {} } "next" {});
}

#[test]
fn guards_dropped_out_of_order_leave_the_right_spans() {
    let trace = capture(|| {
        let mut first = tracing::start_span("first");
        let mut second = tracing::start_span("second");
        let first_guard = first.enter();
        let second_guard = second.enter();
        drop(first_guard);
        tracing::with_span("in second", |_| ());
        drop(second_guard);
        tracing::with_span("in none", |_| ());
        first.set_attribute("kept", 1);
        second.set_attribute("kept", 2);
    });
    assert_trace!(trace, "first" ("kept" = 1) {} "second" ("kept" = 2) { "in second" {} } "in none" {});
}

#[test]
fn a_span_may_end_before_its_children() {
    let trace = capture(|| {
        let parent = tracing::start_span("parent");
        let child = tracing::span("child").parent(parent.context()).start();
        parent.end();
        child.end();
    });
    assert_trace!(trace, "parent" { "child" {} });
}

#[test]
fn nested_block_on_keeps_the_chain() {
    let block_on = |future: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    };
    let trace = capture(|| {
        tracing::with_span("outer", |_| {
            block_on(Box::pin(tracing::with_span_async("task", async {
                tokio::task::yield_now().await;
                tracing::set_attribute("polled", true);
            })));
            tracing::set_attribute("back", true);
        });
    });
    assert_trace!(trace, "outer" ("back" = true) { "task" ("polled" = true) {} });
}

#[test]
fn a_future_dropped_between_polls_ends_its_span_and_drops_within_it() {
    struct WritesOnDrop;
    impl Drop for WritesOnDrop {
        fn drop(&mut self) {
            tracing::add_event("dropped here", &[]);
        }
    }
    let trace = capture(|| {
        let mut future = Box::pin(tracing::with_span_async("cancelled", async {
            let _writes = WritesOnDrop;
            std::future::pending::<()>().await;
        }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(tracing::current(), None, "not current between polls");
        drop(future);
        tracing::with_span("next", |_| ());
    });
    assert_trace!(trace, "cancelled" (status: unset) {} "next" {});
    assert!(trace.span("cancelled").event("dropped here").is_some());
}

#[test]
fn a_future_never_polled_still_has_its_span() {
    let trace = capture(|| drop(tracing::with_span_async("never polled", async {})));
    assert_trace!(trace, "never polled" {});
}

#[test]
fn a_panic_within_makes_the_status_an_error_and_restores_the_parent() {
    let trace = capture(|| {
        tracing::with_span("outer", |_| {
            let caught = catch_unwind(|| tracing::with_span("panics", |_| panic!("by the test")));
            assert!(caught.is_err());
            let mut guarded = tracing::start_span("guarded");
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _guard = guarded.enter();
                panic!("by the test")
            }));
            assert!(caught.is_err());
            drop(guarded);
            tracing::with_span("after", |_| ());
        });
        let mut future = pin!(tracing::with_span_async("future", async { panic!("by the test") }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context))).is_err());
        assert_eq!(tracing::current(), None);
    });
    assert_trace!(trace,
        "outer" (status: unset) { "panics" (status: error) {} "guarded" {} "after" {} }
        "future" (status: error) {}
    );
    assert_eq!(trace.span("panics").status, StatusData::Error("panicked".into()));
}

#[test]
fn an_error_that_panics_when_it_is_shown_leaves_the_spans_in_place() {
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("by the test");
        }
    }
    let trace = capture(|| {
        tracing::with_span("outer", |span| {
            let caught = catch_unwind(AssertUnwindSafe(|| span.record_error(&Unspeakable)));
            assert!(caught.is_err());
            span.set_attribute("still", "here");
        });
    });
    assert_trace!(trace, "outer" (status: unset, "still" = "here") {});
}

#[test]
fn a_drop_during_unwinding_does_not_blame_the_spans_in_it() {
    struct TracesOnDrop;
    impl Drop for TracesOnDrop {
        fn drop(&mut self) {
            tracing::with_span("cleanup", |_| ());
        }
    }
    let trace = capture(|| {
        let _ = catch_unwind(|| {
            let _traces = TracesOnDrop;
            panic!("by the test");
        });
    });
    assert_trace!(trace, "cleanup" (status: unset) {});
}

#[test]
fn spans_in_destructors_of_thread_locals_are_recorded() {
    struct TracesAtExit(RefCell<Option<(tracing::Context, Span)>>);
    impl Drop for TracesAtExit {
        fn drop(&mut self) {
            if let Some((context, span)) = self.0.take() {
                context.within(|| tracing::with_span("cannot be entered any more", |_| ()));
                drop(span);
            }
        }
    }
    thread_local!(static AT_EXIT: TracesAtExit = const { TracesAtExit(RefCell::new(None)) });

    let trace = capture(|| {
        let context = tracing::Context::current();
        let worker = std::thread::spawn(move || {
            // Registered first, so destroyed after everything of the facade.
            AT_EXIT.with(|at_exit| {
                let span = context.within(|| tracing::start_span("held until exit"));
                *at_exit.0.borrow_mut() = Some((context.clone(), span));
            });
            context.within(|| tracing::with_span("in time", |_| ()));
        });
        worker.join().unwrap();
    });
    let names: Vec<&str> = trace.spans().iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"held until exit") && names.contains(&"in time"), "{names:?}");
}

#[test]
fn a_span_moved_to_another_thread_while_entered_stays_sound() {
    let trace = capture(|| {
        let mut span = tracing::start_span("moved");
        std::mem::forget(span.enter());
        let context = tracing::Context::current();
        std::thread::spawn(move || {
            context.within(|| {
                span.set_attribute("from elsewhere", 1);
                drop(span);
                tracing::with_span("elsewhere", |_| ());
            });
        })
        .join()
        .unwrap();
        assert!(tracing::is_recording(), "its live half is still here");
    });
    let moved = trace.span("moved");
    assert_eq!(moved.attribute("from elsewhere"), None, "attributes are what a forgotten guard costs");
    assert_eq!(trace.span("elsewhere").parent_span_id, Some(moved.span_id));
}

#[test]
fn a_guard_forgotten_on_a_thread_that_starts_nothing_costs_no_span() {
    let trace = capture(|| {
        let mut span = tracing::start_span("moved");
        let span = std::thread::spawn(move || {
            std::mem::forget(span.enter());
            span
        });
        drop(span.join().unwrap());
    });
    assert_trace!(trace, "moved" {});
}

/// A provider that traces in every method, as an HTTP client that it uses might.
struct CallsBack {
    calls: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl CallsBack {
    fn call_back(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!(tracing::current(), None);
        tracing::with_span("from the provider", |span| {
            assert!(!span.is_recording());
            tracing::set_attribute("a", 1);
            tracing::set_status(Status::Ok);
        });
        drop(tracing::extract(&vec![("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]));
    }
}

impl TracingProvider for CallsBack {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        self.call_back();
        self.seen.lock().unwrap().push(start.name.to_owned());
        SpanState::token(1)
    }
    fn end_span(&self, _: SpanState, _: Timestamp) {
        self.call_back();
    }
    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {
        self.call_back();
    }
    fn set_span_name(&self, _: &mut SpanState, _: &str) {
        self.call_back();
    }
    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {
        self.call_back();
    }
    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {
        self.call_back();
    }
    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {
        self.call_back();
    }
    fn keeps_context(&self) -> bool {
        true
    }
    fn enter_span(&self, _: &mut SpanState) {
        self.call_back();
    }
    fn exit_span(&self, _: &mut SpanState) {
        self.call_back();
    }
    fn current_context(&self) -> Option<SpanContext> {
        self.call_back();
        None
    }
    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        self.call_back();
        Ok(())
    }
    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        self.call_back();
        Ok(())
    }
}

#[test]
fn a_provider_that_calls_back_finds_tracing_off() {
    let (calls, seen) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<String>>>::default());
    let (c, s) = (Arc::clone(&calls), Arc::clone(&seen));
    let builder =
        tracing::builder().provider("back", move || CallsBack { calls: Arc::clone(&c), seen: Arc::clone(&s) });
    let tracer = builder.build().unwrap();
    tracer.context().within(|| {
        tracing::with_span("outer", |span| {
            span.set_attribute("a", 1);
            span.set_status(Status::Ok);
            span.set_name("other");
            span.add_event("e", &[]);
            let context = span.context().unwrap();
            span.add_link(&context, &[]);
            tracing::with_span("inner", |_| ());
        });
    });
    tracer.flush(Duration::from_secs(1)).unwrap();
    tracer.shutdown(Duration::from_secs(1)).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["outer", "inner"]);
    assert_eq!(tracer.stats().panics, 0);
    assert!(calls.load(Ordering::Relaxed) >= 15);
}

#[tokio::test]
async fn a_lent_span_can_be_written_to_afterwards() {
    let trace = capture_async(async {
        let mut span = tracing::start_span("request");
        let answer = async { 503 }.in_span_mut(&mut span).await;
        span.set_attribute("http.response.status_code", answer);
        span.set_status(Status::Error("unavailable"));
    })
    .await;
    assert_trace!(trace, "request" (status: error, "http.response.status_code" = 503) {});
}
