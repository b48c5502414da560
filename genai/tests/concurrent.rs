//! Many calls at once: each has its own session, user and prompt.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use spandrel::{InSpanExt, OwnedValue, SpanData};
use spandrel_genai as ai;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const CALLS: usize = 10_000;
const SESSIONS: usize = 100;

/// A model without a network, which lets others run while it thinks.
async fn answer(call: usize) -> ai::Usage {
    for _ in 0..=call % 7 {
        tokio::task::yield_now().await;
    }
    ai::Usage::new(1 + call as u64, 2 * call as u64)
}

async fn one_call(call: usize) {
    let session = call % SESSIONS;
    let scope = ai::scope().session(&format!("session-{session}")).user(&format!("user-{session}")).prompt_template(
        "Say {word}",
        &format!("v{call}"),
        &[],
    );
    let work = async {
        // Across a task, as a service may have it.
        let context = spandrel::Context::current();
        let work = async move {
            let model = format!("model-{call}");
            let operation = ai::llm_call("openai", &model).attribute("call", call as i64);
            operation.run_async(async |record: &mut ai::Record| record.set_usage(answer(call).await)).await;
        };
        tokio::spawn(work.in_context(context)).await.unwrap();
    };
    scope.run_async(work).await;
}

fn text<'a>(span: &'a SpanData, key: &str) -> &'a str {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => text,
        other => panic!("{key} of {} is {other:?}", span.name),
    }
}

fn count(span: &SpanData, key: &str) -> usize {
    match span.attribute(key) {
        Some(OwnedValue::I64(count)) => usize::try_from(*count).unwrap(),
        other => panic!("{key} of {} is {other:?}", span.name),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_calls_at_once_are_not_mixed_up() {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let tracer = spandrel::builder()
        .default_config("[batch]\nqueue_bytes = 268435456")
        .exporter("test", move || MemoryExporter::new(exported.clone()))
        .build()
        .unwrap();
    let calls = (0..CALLS).map(|call| tokio::spawn(one_call(call).in_context(tracer.context())));
    let calls: Vec<_> = calls.collect();
    for call in calls {
        call.await.unwrap();
    }
    tracer.shutdown(Duration::from_secs(60)).unwrap();

    let spans = store.take();
    assert_eq!(spans.len(), CALLS);
    let mut seen = HashSet::new();
    for span in &spans {
        let call = count(span, "call");
        assert!(seen.insert(call), "call {call} has two spans");
        assert_eq!(span.name, format!("chat model-{call}"));
        assert_eq!(text(span, "session.id"), format!("session-{}", call % SESSIONS));
        assert_eq!(text(span, "gen_ai.conversation.id"), format!("session-{}", call % SESSIONS));
        assert_eq!(text(span, "user.id"), format!("user-{}", call % SESSIONS));
        assert_eq!(text(span, "llm.prompt_template.version"), format!("v{call}"));
        assert_eq!(text(span, "gen_ai.request.model"), format!("model-{call}"));
        assert_eq!(count(span, "gen_ai.usage.input_tokens"), 1 + call);
        assert_eq!(count(span, "gen_ai.usage.output_tokens"), 2 * call);
        assert_eq!(span.parent_span_id, None, "each is a trace of its own");
    }
    assert_eq!(seen.len(), CALLS);
}
