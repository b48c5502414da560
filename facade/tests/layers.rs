//! What crates on top of the facade are handed: extensions of contexts and tracers, their tables.

use std::sync::Arc;

use spandrel::testing::capture;
use spandrel::{self as tracing, Context, InSpanExt, OwnedValue};

#[derive(Debug, PartialEq)]
struct Hops(u32);

#[test]
fn a_context_hands_a_value_down_and_no_provider_sees_it() {
    let trace = capture(|| {
        let context = Context::current().with_extension(Arc::new(Hops(1))).with_extension(Arc::new("another type"));
        let outer = context.clone();
        context.within(|| {
            tracing::with_span("work", |_| {
                assert_eq!(tracing::extension::<Hops>().as_deref(), Some(&Hops(1)));
                let inner = Context::current().with_extension(Arc::new(Hops(2)));
                let seen = std::thread::spawn(move || inner.within(tracing::extension::<Hops>)).join().unwrap();
                assert_eq!(seen.as_deref(), Some(&Hops(2)), "on another thread, and the inner one wins");
            });
        });
        assert_eq!(outer.extension::<&str>().as_deref(), Some(&"another type"));
        assert_eq!(tracing::extension::<Hops>(), None, "it ends with the context");
    });
    assert!(trace.span("work").attributes.is_empty());
}

#[tokio::test]
async fn a_span_carries_the_extensions_of_its_parent_context() {
    let context = Context::current().with_extension(Arc::new(Hops(3)));
    let tracer = tracing::builder().provider_type("noop").build().unwrap();
    let span = tracer.context().within(|| tracing::span("work").parent(&context).start());
    let seen = async { tracing::extension::<Hops>() }.in_span(span).await;
    assert_eq!(seen, None, "a provider that only forwards starts no span");

    let trace = spandrel::testing::capture_async(async {
        let context = Context::current().with_extension(Arc::new(Hops(3)));
        let span = tracing::span("work").parent(&context).start();
        let seen = async {
            tokio::task::yield_now().await;
            tracing::extension::<Hops>()
        };
        assert_eq!(seen.in_span(span).await.as_deref(), Some(&Hops(3)));
    });
    assert_eq!(trace.await.spans().len(), 1);
}

#[test]
fn ambient_attributes_can_be_read() {
    capture(|| {
        assert_eq!(tracing::ambient_attribute("session.id", OwnedValue::clone), None);
        tracing::with_attributes(&tracing::attrs! { "session.id" => "s-1" }, || {
            let session = tracing::ambient_attribute("session.id", OwnedValue::clone);
            assert_eq!(session, Some(OwnedValue::Str("s-1".to_owned())));
            assert_eq!(tracing::ambient_attribute("user.id", OwnedValue::clone), None);
        });
    });
}

#[test]
fn tables_for_crates_on_top_are_kept_as_they_are() {
    let config = "[ai]\ncontent = true\nhide.inputs = true\n[prices]\n\"my-model\" = { input = 0.25, output = 1 }\n";
    let tracer = tracing::builder().default_config(config).build().unwrap();
    assert_eq!(tracer.section("ai"), "content = true\nhide = { inputs = true }\n");
    assert!(tracer.section("prices").contains("my-model"), "{}", tracer.section("prices"));
    assert_eq!(tracer.section("redaction"), "", "the facade's own are its own");
    let error = tracing::builder().default_config("ai = 3").build().unwrap_err();
    assert_eq!(error.message(), "defaults of the program:1:1: `ai` must be a table");
}

#[test]
fn a_tracer_keeps_one_value_of_a_type() {
    let tracer = tracing::builder().build().unwrap();
    let first = tracer.extension(|tracer| Hops(tracer.section("ai").len() as u32));
    let second = tracer.extension(|_| -> Hops { unreachable!("it is there already") });
    assert!(std::ptr::eq(first, second));
    assert_eq!(tracer.extension(|_| 17_u8), &17);
    assert_ne!(tracer, tracing::builder().build().unwrap());
}

#[test]
fn attributes_may_be_borrowed_at_the_start() {
    let trace = capture(|| {
        let text = String::from("borrowed");
        let _span = tracing::span("work").attribute("copied", 1).start_with(&tracing::attrs! { "text" => text });
    });
    let span = trace.span("work");
    assert_eq!(span.attribute("text"), Some(&OwnedValue::Str("borrowed".to_owned())));
    assert_eq!(span.attribute("copied"), Some(&OwnedValue::I64(1)));
}
