//! What calls used counts once: in sums, budgets, metrics, and over the attributes of all spans.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Value as Json, json};
use spandrel::{OwnedValue, SpanData, StatusData};
use spandrel_genai::{self as ai, Totals, Usage};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

/// What 1,000 tokens in and 500 out cost in these tests, whose models nobody else has: the metrics are of all tests.
const COST: f64 = 0.002;

/// Calls `f` where these models have prices, and gives back what was recorded. One call may be made
/// in each session before its budget is crossed.
fn traced(models: &[&str], f: impl FnOnce()) -> Vec<SpanData> {
    let prices: String = models.iter().map(|model| format!("'{model}' = {{ input = 1, output = 2 }}\n")).collect();
    let config = format!("[ai]\ndialect = 'both'\n[ai.budget]\nsession_usd = 0.003\n[prices]\n{prices}");
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = spandrel::builder().default_config(config);
    let tracer = builder.exporter("memory", move || MemoryExporter::new(exported.clone())).build().unwrap();
    tracer.context().within(f);
    tracer.shutdown(Duration::from_secs(60)).unwrap();
    store.take()
}

fn number(span: &SpanData, key: &str) -> Option<f64> {
    match span.attribute(key) {
        Some(OwnedValue::F64(number)) => Some(*number),
        Some(OwnedValue::I64(number)) => Some(*number as f64),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

fn span<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name} in {spans:?}"))
}

/// The sum of what all spans say, as backends make it.
fn added_up(spans: &[SpanData], key: &str) -> f64 {
    spans.iter().filter_map(|span| number(span, key)).sum()
}

/// The sum of the lines of a metric that have this model, and this label.
fn metric(name: &str, model: &str, label: &str) -> f64 {
    let page = ai::prometheus();
    let begin = format!("{name}{{");
    let of_model = format!("model=\"{model}\"");
    let lines =
        page.lines().filter(|line| line.starts_with(&begin) && line.contains(&of_model) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

/// What a client that is traced does.
fn ask(model: &str) {
    ai::llm_call("openai", model).attribute("by", "client").run(|call| call.set_usage(Usage::new(1000, 500)));
}

/// All that counts says so many requests, and that so many of them used what [`ask`] uses.
fn assert_counted(spans: &[SpanData], models: &[&str], requests: u32, used: u32) {
    let used = f64::from(used);
    let metrics = |name: &str, label: &str| models.iter().map(|model| metric(name, model, label)).sum::<f64>();
    assert_eq!(metrics("ai_llm_requests_total", ""), f64::from(requests), "requests");
    assert_eq!(metrics("ai_llm_duration_seconds_count", ""), f64::from(requests), "durations");
    assert_eq!(metrics("ai_llm_tokens_total", "type=\"input\""), 1000.0 * used, "tokens of metrics");
    assert!(near(metrics("ai_llm_cost_dollars", ""), COST * used), "cost of metrics");
    for key in ["gen_ai.usage.input_tokens", "llm.token_count.prompt"] {
        assert_eq!(added_up(spans, key), 1000.0 * used, "{key} of all spans");
    }
    for key in ["spandrel.cost.total", "gen_ai.usage.cost", "llm.cost.total"] {
        assert!(near(added_up(spans, key), COST * used), "{key} of all spans");
    }
    let agent = span(spans, "invoke_agent planner");
    assert_eq!(number(agent, "spandrel.sum.model_calls"), Some(f64::from(requests)));
    assert_eq!(number(agent, "spandrel.sum.input_tokens"), Some(1000.0 * used));
    assert!(near(number(agent, "spandrel.sum.cost").unwrap(), COST * used));
    let crossed = spans.iter().flat_map(|span| &span.events).filter(|event| event.name == "spandrel.budget.crossed");
    // Of two calls the second one crosses it.
    assert_eq!(crossed.count(), usize::from(used > 1.0), "budget");
}

/// Within a session and an agent, with these models.
fn planned(session: &str, models: &[&str], f: impl FnOnce()) -> Vec<SpanData> {
    traced(models, || ai::with_session(session, || ai::agent("planner").run(|_| f())))
}

#[test]
fn a_wrapper_that_tells_the_usage_again_counts_nothing() {
    let spans = planned("count-again", &["count-again"], || {
        ai::llm_call("openai", "count-again").run(|call| {
            ask("count-again");
            call.set_answer(
                &json!({"model": "count-again-2026", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}),
            );
        });
    });
    assert_counted(&spans, &["count-again"], 1, 1);
    let wrapper = spans.iter().find(|span| span.name.starts_with("chat") && span.attribute("by").is_none()).unwrap();
    assert_eq!(wrapper.attribute("spandrel.cost.rule"), None);
    assert_eq!(number(wrapper, "spandrel.sum.input_tokens"), Some(1000.0), "the sum in place of its own");
    assert_eq!(number(wrapper, "spandrel.sum.cost"), Some(COST));
    assert!(wrapper.attribute("gen_ai.response.model").is_some(), "all else is as it was told");
}

#[test]
fn a_wrapper_that_tells_nothing_counts_nothing() {
    let spans = planned("count-silent", &["count-silent"], || {
        ai::llm_call("openai", "count-silent").run(|_| ask("count-silent"));
    });
    assert_counted(&spans, &["count-silent"], 1, 1);
    assert_eq!(metric("ai_llm_requests_without_usage_total", "count-silent", ""), 0.0);
}

#[test]
fn it_is_the_same_model_by_either_name() {
    let models = ["count-alias", "count-named"];
    let spans = planned("count-alias", &models, || {
        // Two wrappers; the outermost knows only its own name, and that of the answer.
        ai::llm_call("router", "count-alias").run(|outer| {
            ai::llm_call("router", "count-alias").run(|call| {
                ai::step(1).run(|_| ask("count-named"));
                call.set_response_model("count-named");
                call.set_usage(Usage::new(1000, 500));
            });
            outer.set_usage(Usage::new(1000, 500));
        });
    });
    assert_counted(&spans, &models, 1, 1);
}

#[test]
fn another_model_within_counts_as_well() {
    let models = ["count-big", "count-small"];
    let spans = planned("count-other", &models, || {
        ai::llm_call("openai", "count-big").run(|call| {
            ai::retrieval("handbook").run(|_| {
                ai::embeddings("openai", "count-small").run(|call| call.set_usage(Usage::new(1000, 500)));
            });
            call.set_usage(Usage::new(1000, 500));
        });
    });
    assert_counted(&spans, &models, 2, 2);
    assert_eq!(number(span(&spans, "chat count-big"), "spandrel.cost.total"), Some(COST));
}

#[test]
fn each_attempt_within_counts_for_itself() {
    let spans = planned("count-retry", &["count-retry"], || {
        ai::llm_call("openai", "count-retry").run(|call| {
            let _ = ai::llm_call("openai", "count-retry").try_run(|_| Err::<(), _>("503"));
            ask("count-retry");
            call.set_usage(Usage::new(1000, 500));
        });
    });
    assert_counted(&spans, &["count-retry"], 2, 1);
    assert_eq!(metric("ai_llm_errors_total", "count-retry", ""), 1.0);
    let agent = span(&spans, "invoke_agent planner");
    assert_eq!(agent.attribute("spandrel.sum.calls_without_usage"), None);
    assert_eq!(agent.attribute("spandrel.sum.unpriced_calls"), None);

    let spans = planned("count-twice", &["count-twice"], || {
        ai::llm_call("openai", "count-twice").run(|call| {
            ask("count-twice");
            ask("count-twice");
            call.set_usage(Usage::new(2000, 1000));
        });
    });
    assert_counted(&spans, &["count-twice"], 2, 2);
}

#[test]
fn an_agent_has_wrapped_calls_and_others() {
    let spans = planned("count-both", &["count-both"], || {
        ai::step(1).run(|_| {
            ai::llm_call("openai", "count-both").run(|call| {
                ask("count-both");
                call.set_usage(Usage::new(1000, 500));
            });
        });
        // One after the other is no wrapper.
        ask("count-both");
    });
    assert_counted(&spans, &["count-both"], 2, 2);
    assert_eq!(number(span(&spans, "agent_step 1"), "spandrel.sum.model_calls"), Some(1.0));
}

#[test]
fn what_only_the_wrapper_knows_counts_with_the_call_within() {
    let spans = planned("count-outer", &["count-outer"], || {
        ai::llm_call("openai", "count-outer").run(|call| {
            ai::llm_call("openai", "count-outer").run(|_| ());
            call.set_usage(Usage::new(1000, 500));
        });
    });
    assert_counted(&spans, &["count-outer"], 1, 1);
}

#[tokio::test]
async fn a_wrapper_that_returns_a_stream_ends_before_it() {
    let model = "count-late";
    let pieces = std::cell::RefCell::new(None);
    let spans = planned("count-late", &[model], || {
        ai::llm_call("openai", model).run(|_| {
            let chunks = [json!({"usage": {"prompt_tokens": 1000, "completion_tokens": 500}})];
            let running = ai::llm_call("openai", model).stream(true).start();
            let chunks = running.stream(stream::iter(chunks.map(Ok::<_, String>)), ai::Record::add_chunk);
            *pieces.borrow_mut() = Some(Box::pin(chunks));
        });
        assert_eq!(metric("ai_llm_requests_total", model, ""), 0.0, "the stream goes on");
        let mut pieces = pieces.borrow_mut().take().unwrap();
        while pieces.next().now_or_never().unwrap().is_some() {}
    });
    assert_counted(&spans, &[model], 1, 1);
}

#[spandrel::traced(llm(provider = "openai", model = model), genai = spandrel_genai, as call)]
async fn asked_by_a_function(model: &str) {
    tokio::task::yield_now().await;
    ask(model);
    call.set_usage(Usage::new(1000, 500));
}

/// Whatever is recorded, also if nothing is, an agent's sum has its calls once.
async fn totals_of(agent: ai::Builder<'_>, model: &str) -> Totals {
    let mut agent = agent.start();
    agent.within(|_| ai::llm_call("openai", model).trace(false).run(|_| ask(model)));
    agent.run_async(async |_| asked_by_a_function(model).await).await;
    agent
        .run_async(async |_| {
            let wrapper = ai::llm_call("openai", model).trace(false).start();
            let items = stream::once(async {
                ask(model);
                Ok::<_, String>(Usage::new(1000, 500))
            });
            let mut items = std::pin::pin!(wrapper.stream(items, |call, usage| call.set_usage(*usage)));
            while items.next().await.is_some() {}
        })
        .await;
    agent.end()
}

#[tokio::test]
async fn where_nothing_is_recorded_all_counts_the_same() {
    use spandrel::InSpanExt;

    let noop = spandrel::builder().build().unwrap();
    let off = totals_of(ai::agent("planner"), "gpt-4o-mini").await;
    let noop = totals_of(ai::agent("planner"), "gpt-4o-mini").in_context(noop.context()).await;
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let tracer = spandrel::builder().exporter("memory", move || MemoryExporter::new(exported.clone())).build().unwrap();
    let untraced = totals_of(ai::agent("planner").trace(false), "gpt-4o-mini").in_context(tracer.context()).await;
    let traced = totals_of(ai::agent("planner"), "gpt-4o-mini").in_context(tracer.context()).await;
    tracer.shutdown(Duration::from_secs(60)).unwrap();
    assert_eq!((traced.calls, traced.input_tokens, traced.cost.to_string().as_str()), (3, 3000, "0.00135"));
    assert_eq!([off, noop, untraced], [traced; 3]);
}

#[test]
fn calls_that_tell_nothing_are_counted_as_such() {
    let (priced, unknown) = ("count-untold", "count-untold-unknown");
    let mut totals = Totals::default();
    let spans = traced(&[priced], || {
        let mut agent = ai::agent("planner").start();
        agent.within(|_| {
            ask(priced);
            ask(unknown);
            for model in [priced, unknown] {
                ai::llm_call("openai", model).run(|_| ());
                let _ = ai::llm_call("openai", model).try_run(|_| Err::<(), _>("no"));
                let caught = std::panic::catch_unwind(|| ai::llm_call("openai", model).run(|_| panic!("on purpose")));
                assert!(caught.is_err());
            }
            // What is told to cost something, or nothing, tells enough.
            ai::llm_call("openai", unknown).run(ai::Record::set_served_from_cache);
        });
        totals = agent.end();
    });
    assert_eq!((totals.calls, totals.calls_without_usage, totals.unpriced_calls), (9, 2, 2));
    let agent = span(&spans, "invoke_agent planner");
    assert_eq!(number(agent, "spandrel.sum.model_calls"), Some(9.0));
    assert_eq!(number(agent, "spandrel.sum.calls_without_usage"), Some(2.0));
    assert_eq!(number(agent, "spandrel.sum.unpriced_calls"), Some(2.0));
    assert_eq!(number(agent, "spandrel.sum.cost"), Some(COST));
    for (model, name, expected) in [
        (priced, "ai_llm_requests_total", 4.0),
        (priced, "ai_llm_errors_total", 2.0),
        (priced, "ai_llm_unpriced_requests_total", 0.0),
        (priced, "ai_llm_requests_without_usage_total", 1.0),
        (unknown, "ai_llm_requests_total", 5.0),
        (unknown, "ai_llm_errors_total", 2.0),
        // The one that told its usage, and the one that did not and succeeded.
        (unknown, "ai_llm_unpriced_requests_total", 2.0),
        (unknown, "ai_llm_requests_without_usage_total", 1.0),
    ] {
        assert_eq!(metric(name, model, ""), expected, "{name} of {model}");
    }
}

#[test]
fn of_failed_calls_alone_there_is_a_count_and_no_sum() {
    let spans = planned("count-failed", &["count-failed"], || {
        let _ = ai::llm_call("openai", "count-failed").try_run(|_| Err::<(), _>("no"));
    });
    let agent = span(&spans, "invoke_agent planner");
    assert_eq!(number(agent, "spandrel.sum.model_calls"), Some(1.0));
    for key in ["cost", "input_tokens", "output_tokens", "unpriced_calls", "calls_without_usage"] {
        assert_eq!(agent.attribute(&format!("spandrel.sum.{key}")), None, "{key}");
    }
}

/// A stream of Anthropic of which so many events are read, and then what comes is an error, the end, or not waited for.
fn streamed(read: usize, then: Option<Result<(), &str>>) -> SpanData {
    let events = [
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 1000, "output_tokens": 1}}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}}),
        json!({"type": "message_stop"}),
    ];
    let mut items: Vec<Result<Json, &str>> = events.into_iter().take(read).map(Ok).collect();
    items.extend(then.and_then(Result::err).map(Err));
    let spans = traced(&[], || {
        let running = ai::llm_call("anthropic", "claude-3-5-haiku-20241022").stream(true).start();
        let mut items = Box::pin(running.stream(stream::iter(items), ai::Record::add_chunk));
        for _ in 0..read + usize::from(then.is_some()) {
            items.next().now_or_never().unwrap();
        }
    });
    spans.into_iter().next().unwrap()
}

#[test]
fn of_a_stream_that_broke_off_the_usage_is_partial() {
    for (read, then, outcome, tokens, is_partial) in [
        (2, Some(Err("reset")), "failed", 1.0, true),
        (2, None, "dropped", 1.0, true),
        (4, Some(Ok(())), "completed", 500.0, false),
        // All was told, though nobody waited for the end.
        (3, None, "dropped", 500.0, false),
    ] {
        let span = streamed(read, then);
        assert_eq!(span.attribute("spandrel.stream.outcome"), Some(&OwnedValue::Str(outcome.to_owned())));
        assert_eq!(number(&span, "gen_ai.usage.output_tokens"), Some(tokens), "{outcome}");
        let partial = span.attribute("spandrel.usage.partial");
        assert_eq!(partial, is_partial.then_some(&OwnedValue::Bool(true)), "{outcome} after {read}");
    }
    assert_eq!(streamed(0, None).attribute("spandrel.usage.partial"), None, "no usage was told");
}

#[test]
fn in_a_stream_that_is_read_by_hand_as_well() {
    let spans = traced(&[], || {
        ai::llm_call("anthropic", "claude-3-5-haiku-20241022").run(|call| {
            call.add_chunk(
                &json!({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}),
            );
            call.add_chunk(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}));
        });
    });
    assert_eq!(spans[0].status, StatusData::Error("Overloaded".to_owned()));
    assert_eq!(spans[0].attribute("spandrel.usage.partial"), Some(&OwnedValue::Bool(true)));
}

#[test]
fn an_answer_that_is_an_error_makes_the_call_one() {
    let quota =
        json!({"error": {"message": "You exceeded your quota", "type": "insufficient", "code": "insufficient_quota"}});
    let model = "count-refused";
    let of = |f: &dyn Fn(&mut ai::Record)| {
        let spans = traced(&[], || {
            let _ = ai::llm_call("openai", model).try_run(|call| {
                f(call);
                Ok::<_, String>(())
            });
        });
        (spans[0].status.clone(), spans[0].attribute("error.type").map(|kind| format!("{kind:?}")).unwrap_or_default())
    };
    let (status, kind) = of(&|call| call.set_answer(&quota));
    assert_eq!(status, StatusData::Error("You exceeded your quota".to_owned()));
    assert!(kind.contains("insufficient_quota"), "{kind}");
    assert_eq!(metric("ai_llm_errors_total", model, "error_type=\"insufficient_quota\""), 1.0);
    assert_eq!(metric("ai_llm_requests_without_usage_total", model, ""), 0.0);

    let (status, kind) = of(&|call| {
        call.set_error("429", "too many");
        call.set_answer(&quota);
    });
    assert_eq!(status, StatusData::Error("too many".to_owned()));
    assert!(kind.contains("429"), "{kind}");

    let (status, _) = of(&|call| {
        call.set_answer(&quota);
        call.set_answer(&json!({"error": null, "choices": []}));
    });
    assert_eq!(status, StatusData::Unset, "the second attempt did better");
}
