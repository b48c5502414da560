//! Operations as services use them, and what is written of them.

use std::time::Duration;

use spandrel::testing::{Trace, capture, capture_async};
use spandrel::{Context, OwnedValue, SpanData, SpanKind, StatusData, assert_trace};
use spandrel_genai::{self as ai, Message, NanoUsd, Part, Usage};

/// Calls `f` with this table `[ai]`, and gives back what was recorded.
fn with_config(config: &str, f: impl FnOnce()) -> Vec<SpanData> {
    let store = spandrel_provider_memory::MemoryStore::new(std::num::NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = spandrel::builder().default_config(config);
    let tracer = builder
        .exporter("memory", move || spandrel_provider_memory::MemoryExporter::new(exported.clone()))
        .build()
        .unwrap();
    tracer.context().within(f);
    tracer.shutdown(Duration::from_secs(60)).unwrap();
    store.take()
}

fn text(span: &SpanData, key: &str) -> Option<String> {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => Some(text.clone()),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

fn count(span: &SpanData, key: &str) -> Option<i64> {
    match span.attribute(key) {
        Some(OwnedValue::I64(count)) => Some(*count),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

fn usd(span: &SpanData, key: &str) -> Option<f64> {
    match span.attribute(key) {
        Some(OwnedValue::F64(usd)) => Some(*usd),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

/// A call with all that it can have.
fn full_call() {
    ai::llm_call("openai", "gpt-4o")
        .temperature(0.5)
        .top_p(0.9)
        .top_k(40)
        .max_tokens(150)
        .seed(7)
        .stop_sequences(&["END", "STOP"])
        .stream(false)
        .server("api.openai.com", 443)
        .input_messages(|| vec![Message::system("Be brief."), Message::user("What is a spandrel?")])
        .attribute("feature", "chat")
        .run(|call| {
            call.set_usage(Usage::new(1000, 500).with_cache_read(200).with_reasoning(100));
            call.set_response_model("gpt-4o-2024-08-06");
            call.set_response_id("chatcmpl-1");
            call.set_finish_reasons(["stop"]);
            call.set_output_messages(|| vec![Message::assistant("A triangle.").with_finish_reason("stop")]);
        });
}

#[test]
fn a_call_has_the_names_of_opentelemetry() {
    let trace = capture(full_call);
    let span = trace.span("chat gpt-4o");
    assert_eq!(span.kind, SpanKind::Client);
    assert_eq!(text(span, "gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(text(span, "gen_ai.provider.name").as_deref(), Some("openai"));
    assert_eq!(text(span, "gen_ai.request.model").as_deref(), Some("gpt-4o"));
    assert_eq!(text(span, "gen_ai.response.model").as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!(text(span, "server.address").as_deref(), Some("api.openai.com"));
    assert_eq!(count(span, "server.port"), Some(443));
    assert_eq!(usd(span, "gen_ai.request.top_k"), Some(40.0));
    assert_eq!(count(span, "gen_ai.request.max_tokens"), Some(150));
    assert_eq!(count(span, "gen_ai.usage.input_tokens"), Some(1000));
    assert_eq!(count(span, "gen_ai.usage.output_tokens"), Some(500));
    assert_eq!(count(span, "gen_ai.usage.cache_read.input_tokens"), Some(200));
    assert_eq!(count(span, "gen_ai.usage.reasoning.output_tokens"), Some(100));
    let reasons = span.attribute("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&OwnedValue::StrArray(vec!["stop".to_owned()])));
    // 800 x 2.50 + 200 x 1.25 + 500 x 10 for a million.
    assert_eq!(usd(span, "spandrel.cost.total"), Some(0.00725));
    assert_eq!(usd(span, "spandrel.cost.input"), Some(0.00225));
    assert_eq!(usd(span, "spandrel.cost.output"), Some(0.005));
    assert!(text(span, "spandrel.cost.rule").unwrap().starts_with("openai/gpt-4o"));
    assert!(text(span, "spandrel.cost.price_table").unwrap().contains("2026-11-21"));
    let content = ["gen_ai.input.messages", "gen_ai.output.messages", "llm.model_name", "openinference.span.kind"];
    for key in content {
        assert_eq!(span.attribute(key), None, "content is off, and so are other dialects: {key}");
    }
}

#[test]
fn both_dialects_come_from_one_call() {
    let spans = with_config("[ai]\ndialect = 'both'\ncontent = true\n", full_call);
    let span = &spans[0];
    assert_eq!(text(span, "openinference.span.kind").as_deref(), Some("LLM"));
    assert_eq!(text(span, "llm.model_name").as_deref(), Some("gpt-4o-2024-08-06"), "the one that answered");
    assert_eq!(text(span, "llm.request.model_name").as_deref(), Some("gpt-4o"));
    assert_eq!(text(span, "llm.system").as_deref(), Some("openai"));
    assert_eq!(count(span, "llm.token_count.prompt"), count(span, "gen_ai.usage.input_tokens"));
    assert_eq!(count(span, "llm.token_count.total"), Some(1500));
    assert_eq!(usd(span, "llm.cost.total"), Some(0.00725));
    assert_eq!(text(span, "llm.finish_reason").as_deref(), Some("stop"));
    let parameters = text(span, "llm.invocation_parameters").unwrap();
    assert_eq!(
        parameters,
        r#"{"max_tokens":150,"seed":7,"stop":["END","STOP"],"temperature":0.5,"top_k":40.0,"top_p":0.9}"#
    );
    assert_eq!(text(span, "llm.input_messages.1.message.content").as_deref(), Some("What is a spandrel?"));
    assert_eq!(text(span, "llm.output_messages.0.message.role").as_deref(), Some("assistant"));
    assert_eq!(
        text(span, "gen_ai.output.messages").as_deref(),
        Some(r#"[{"finish_reason":"stop","parts":[{"content":"A triangle.","type":"text"}],"role":"assistant"}]"#)
    );
    let mut keys: Vec<&str> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "no name twice: {keys:?}");
}

#[test]
fn the_names_of_the_seeds() {
    let call = || {
        ai::llm_call("openai", "gpt-4o-mini").temperature(0.7).run(|call| {
            call.set_usage(Usage::new(159, 237));
            call.set_finish_reasons(["stop"]);
        });
    };
    let of = |dialect: &str| with_config(&format!("[ai]\ndialect = 'legacy-{dialect}'\n"), call).remove(0);

    let span = of("ai-infra");
    assert_eq!(span.name, "llm.generate");
    assert_eq!(count(&span, "ai.total_tokens"), Some(396));
    assert_eq!(text(&span, "ai.provider").as_deref(), Some("openai"));
    assert!(usd(&span, "ai.cost").is_some() && usd(&span, "ai.duration_ms").is_some());

    let span = of("ai-storefront");
    assert_eq!(span.name, "openai.chat.completions.create");
    assert_eq!(text(&span, "llm.vendor").as_deref(), Some("openai"));
    assert_eq!(count(&span, "llm.usage.prompt_tokens"), Some(159));
    assert_eq!(usd(&span, "llm.request.temperature"), Some(0.7));
    assert_eq!(text(&span, "response.finish_reason").as_deref(), Some("stop"));

    let span = of("cost-katana");
    assert_eq!(text(&span, "type").as_deref(), Some("llm"));
    assert_eq!(count(&span, "tokens.input"), Some(159));
    assert_eq!(usd(&span, "costUSD"), Some(0.000_166_05));

    let span = of("arize");
    assert_eq!(count(&span, "cost.completion_tokens"), Some(237));
    assert_eq!(usd(&span, "cost.total_usd"), Some(0.000_166_05));
    assert!(usd(&span, "performance.latency_ms").is_some());
    assert!(span.attribute("gen_ai.request.model").is_none());
}

fn priced(tokens_in: u64, tokens_out: u64) {
    ai::llm_call("openai", "gpt-4o-mini").run(|call| call.set_usage(Usage::new(tokens_in, tokens_out)));
}

#[test]
fn what_calls_cost_adds_up_to_the_root_once() {
    let trace = capture(|| {
        ai::agent("planner").run(|_| {
            ai::step(1).run(|_| {
                priced(1000, 500);
                ai::tool("search").run(|_| {
                    priced(1000, 500);
                });
            });
            // A wrapper that tells the usage of the call within it once more.
            ai::llm_call("openai", "gpt-4o-mini").run(|call| {
                priced(1000, 500);
                call.set_usage(Usage::new(1000, 500));
            });
            // A price that nobody knows is told as such, and not as 0.
            ai::llm_call("openai", "my-own-model").run(|call| call.set_usage(Usage::new(10, 1)));
        });
    });
    let agent = trace.span("invoke_agent planner");
    assert_eq!(usd(agent, "spandrel.sum.cost"), Some(0.00135), "three times 0.00045\n{trace}");
    assert_eq!(count(agent, "spandrel.sum.input_tokens"), Some(3010));
    assert_eq!(count(agent, "spandrel.sum.model_calls"), Some(4));
    assert_eq!(count(agent, "spandrel.sum.unpriced_calls"), Some(1));
    assert_eq!(usd(trace.span("agent_step 1"), "spandrel.sum.cost"), Some(0.0009));
    assert_eq!(usd(trace.span("execute_tool search"), "spandrel.sum.cost"), Some(0.00045));
    let unknown = trace.span("chat my-own-model");
    assert_eq!(unknown.attribute("spandrel.cost.total"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tasks_cost_counts_for_the_agent_that_started_them() {
    let trace = capture_async(async {
        let mut agent = ai::agent("planner").start();
        agent
            .run_async(async |_| {
                let tasks: Vec<_> = (0..10)
                    .map(|_| {
                        spandrel::spawn(async {
                            ai::llm_call("openai", "gpt-4o-mini")
                                .run_async(async |call| {
                                    tokio::task::yield_now().await;
                                    call.set_usage(Usage::new(1000, 500));
                                })
                                .await;
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            })
            .await;
        assert_eq!(agent.totals().cost, "0.0045".parse::<NanoUsd>().unwrap());
        assert_eq!(agent.end().calls, 10);
    })
    .await;
    assert_eq!(usd(trace.span("invoke_agent planner"), "spandrel.sum.cost"), Some(0.0045));
    let agent = trace.span("invoke_agent planner");
    assert_eq!(trace.children(agent).len(), 10);
}

#[test]
fn a_span_that_is_no_operation_shows_the_sum_of_its_scope() {
    let trace = capture(|| {
        spandrel::with_span("POST /chat", |_| {
            ai::with_session("s-1", || {
                ai::with_user("u-7", || priced(1000, 500));
                priced(1000, 500);
            });
        });
    });
    assert_eq!(usd(trace.span("POST /chat"), "spandrel.sum.cost"), Some(0.0009));
    assert_eq!(count(trace.span("POST /chat"), "spandrel.sum.model_calls"), Some(2));
}

#[test]
fn who_pays_for_the_call_can_say_so() {
    let cost = |f: &dyn Fn(&mut ai::Record)| {
        let trace = capture(|| ai::llm_call("openai", "gpt-4o-mini").run(|call| f(call)));
        let span = trace.spans()[0].clone();
        (usd(&span, "spandrel.cost.total"), text(&span, "spandrel.cost.rule"))
    };
    let used = |call: &mut ai::Record| call.set_usage(Usage::new(1000, 500));
    let (total, rule) = cost(&|call| {
        used(call);
        call.set_cost("0.03".parse().unwrap());
    });
    assert_eq!((total, rule.as_deref()), (Some(0.03), Some("given by the program")));
    let (total, rule) = cost(&|call| {
        used(call);
        call.set_served_from_cache();
    });
    assert_eq!((total, rule.as_deref()), (Some(0.0), Some("served from cache")));
    assert_eq!(cost(&|_| ()).0, None, "without a usage nothing is known");
}

#[test]
fn prices_of_the_configuration_win_over_ours() {
    let config = "[prices]\n'gpt-4o-mini' = { input = 1, output = 2.5 }\n'my-own' = { input = '0.1', output = 0 }\n";
    let spans = with_config(config, || {
        priced(1000, 1000);
        ai::llm_call("self", "my-own").run(|call| call.set_usage(Usage::new(1000, 1000)));
        ai::llm_call("openai", "gpt-4o").run(|call| call.set_usage(Usage::new(1000, 500)));
    });
    let costs: Vec<_> = spans.iter().map(|span| usd(span, "spandrel.cost.total")).collect();
    assert_eq!(costs, [Some(0.0035), Some(0.0001), Some(0.0075)]);
    assert_eq!(text(&spans[0], "spandrel.cost.price_table").as_deref(), Some("configuration"));
}

#[test]
fn everything_within_belongs_to_session_user_and_prompt() {
    let trace = capture(|| {
        let metadata = [("call_id", "call789"), ("customer", "Acme Corp")];
        ai::with_metadata("user123", "session456", &["production", "v2"], &metadata, || {
            ai::with_prompt_template("Analyze: {transcript}", "2.0", &[("transcript", "secret talk")], || {
                ai::chat_turn("continue_thread").run(|_| {
                    priced(1, 1);
                    let context = Context::current();
                    std::thread::spawn(move || context.within(|| spandrel::with_span("elsewhere", |_| ())))
                        .join()
                        .unwrap();
                });
            });
        });
    });
    assert_trace!(trace, "chat_turn continue_thread" { "chat gpt-4o-mini" {} "elsewhere" {} });
    for span in trace.spans() {
        assert_eq!(text(span, "session.id").as_deref(), Some("session456"), "{}", span.name);
        assert_eq!(text(span, "user.id").as_deref(), Some("user123"));
        assert_eq!(text(span, "metadata.customer").as_deref(), Some("Acme Corp"));
        assert_eq!(text(span, "metadata").as_deref(), Some(r#"{"call_id":"call789","customer":"Acme Corp"}"#));
        assert_eq!(span.attribute("tag.tags"), Some(&OwnedValue::StrArray(vec!["production".into(), "v2".into()])));
        assert_eq!(text(span, "llm.prompt_template.version").as_deref(), Some("2.0"));
        assert_eq!(span.attribute("llm.prompt_template.variables"), None, "they are content");
    }
    let call = trace.span("chat gpt-4o-mini");
    assert_eq!(text(call, "gen_ai.conversation.id").as_deref(), Some("session456"));
    assert_eq!(trace.span("elsewhere").attribute("gen_ai.conversation.id"), None);
}

#[test]
fn within_a_scope_the_span_around_it_is_written_to() {
    let trace = capture(|| {
        spandrel::with_span("POST /chat", |_| {
            ai::with_session("s-1", || {
                assert!(spandrel::is_recording());
                spandrel::set_attribute("set", "inside");
                ai::record_message("user", "hello");
            });
            spandrel::with_span("afterwards", |_| ());
        });
    });
    let request = trace.span("POST /chat");
    assert_eq!(text(request, "set").as_deref(), Some("inside"));
    assert_eq!(request.events.len(), 1);
    assert_eq!(trace.span("afterwards").attribute("session.id"), None, "the scope has ended");
}

#[tokio::test]
async fn within_a_scope_of_a_future_as_well() {
    let trace = capture_async(async {
        spandrel::with_span_async("POST /chat", async {
            let work = async {
                tokio::task::yield_now().await;
                spandrel::set_attribute("set", "inside");
                spandrel::with_span("below", |_| ());
            };
            ai::scope().session("s-1").run_async(work).await;
            spandrel::with_span("afterwards", |_| ());
        })
        .await;
    })
    .await;
    assert_eq!(text(trace.span("POST /chat"), "set").as_deref(), Some("inside"));
    assert_eq!(text(trace.span("below"), "session.id").as_deref(), Some("s-1"));
    assert_eq!(trace.span("afterwards").attribute("session.id"), None);
}

#[test]
fn session_and_user_travel_only_if_they_may() {
    let headers = || {
        let mut headers = std::collections::HashMap::<String, String>::new();
        ai::with_session("s-1", || spandrel::with_span("call", |_| spandrel::inject(&mut headers)));
        headers.get("baggage").cloned()
    };
    let mut seen = Vec::new();
    with_config("", || seen.push(headers()));
    with_config("[ai]\nbaggage = true\n", || {
        seen.push(headers());
        let came = spandrel::extract(&[("baggage", "session.id=s-9,user.id=u-2")].as_slice());
        ai::context_from_baggage(came).within(|| {
            let session = spandrel::ambient_attribute("session.id", OwnedValue::clone);
            assert_eq!(session, Some(OwnedValue::Str("s-9".to_owned())));
        });
    });
    assert_eq!(seen, [None, Some("session.id=s-1".to_owned())]);
}

#[test]
fn content_is_recorded_where_it_is_wanted_and_not_hidden() {
    let work = || {
        ai::agent("helper").id("a-1").role("assistant").input(|| "What now?").run(|agent| {
            agent.record_message("user", "What now?");
            ai::tool("search").id("c-1").arguments(|| r#"{"q":"now"}"#).run(|tool| {
                tool.set_tool_result(|| "later");
            });
            ai::record_message("assistant", "Later.");
            agent.set_output(|| "Later.");
        });
    };
    let trace = capture(work);
    let all = format!("{:?}", trace.spans());
    assert!(!all.contains("What now") && !all.to_lowercase().contains("\"later"), "{all}");

    let spans = with_config("[ai]\ncontent = true\ndialect = 'both'\n", work);
    let [tool, agent] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(text(tool, "gen_ai.tool.call.arguments").as_deref(), Some(r#"{"q":"now"}"#));
    assert_eq!(text(tool, "gen_ai.tool.call.result").as_deref(), Some("later"));
    assert_eq!(text(tool, "input.mime_type").as_deref(), Some("application/json"));
    assert_eq!(text(agent, "input.value").as_deref(), Some("What now?"));
    assert_eq!(text(agent, "output.value").as_deref(), Some("Later."));
    let said: Vec<_> = agent.events.iter().map(|event| (event.name.as_str(), event.attributes.len())).collect();
    assert_eq!(said, [("gen_ai.message", 2), ("gen_ai.message", 2)]);

    let hidden = with_config("[ai]\ncontent = true\n[ai.hide]\noutputs = true\n", work);
    assert_eq!(text(&hidden[1], "input.value").as_deref(), Some("What now?"));
    assert_eq!(hidden[1].attribute("output.value"), None);
    assert!(!format!("{hidden:?}").to_lowercase().contains("later"));

    let cut = with_config("[ai]\ncontent = true\nmax_content_bytes = 4\n", work);
    assert_eq!(text(&cut[1], "input.value").as_deref(), Some("What… [5 bytes more]"));
}

#[test]
fn errors_and_panics_end_the_span_with_what_is_known() {
    let trace = capture(|| {
        let failed = ai::llm_call("openai", "gpt-4o").try_run(|call| {
            call.set_usage(Usage::new(10, 1));
            call.set_error("429", "rate limited");
            Err::<(), _>("ignored, as it was told better")
        });
        assert!(failed.is_err());
        let parsed = ai::tool("parse").try_run(|_| "x".parse::<u8>());
        assert!(parsed.is_err());
        let caught = std::panic::catch_unwind(|| ai::tool("panics").run(|_| panic!("on purpose")));
        assert!(caught.is_err());
    });
    assert_trace!(trace,
        "chat gpt-4o" (status: error, "error.type" = "429") {}
        "execute_tool parse" (status: error, "error.type" = "core::num::error::ParseIntError") {}
        "execute_tool panics" (status: error) {}
    );
    assert_eq!(trace.span("chat gpt-4o").status, StatusData::Error("rate limited".to_owned()));
    assert_eq!(count(trace.span("chat gpt-4o"), "gen_ai.usage.input_tokens"), Some(10));
}

#[test]
fn operations_are_related_by_links() {
    let trace = capture(|| {
        let first = ai::agent("classify").start();
        let to = first.context().unwrap();
        first.end();
        ai::agent("analyze").link(&to, "related_analysis").start().end();
    });
    let link = &trace.span("invoke_agent analyze").links[0];
    assert_eq!(link.span_id, trace.span("invoke_agent classify").span_id);
    assert_eq!(link.attributes[0].value, OwnedValue::Str("related_analysis".to_owned()));
}

#[test]
fn without_a_span_cost_is_counted_all_the_same() {
    let trace = capture(|| {
        ai::agent("planner").run(|_| {
            ai::llm_call("openai", "gpt-4o-mini").trace(false).run(|call| call.set_usage(Usage::new(1000, 500)));
        });
    });
    assert_eq!(trace.spans().len(), 1);
    assert_eq!(usd(&trace.spans()[0], "spandrel.sum.cost"), Some(0.00045));
}

#[test]
fn a_budget_that_is_crossed_is_told_once() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = std::sync::Arc::clone(&told);
    ai::on_budget(move |crossed| {
        tell.lock().unwrap().push((crossed.scope, crossed.id.clone(), crossed.spent.to_string()));
    });
    let spans = with_config("[ai.budget]\nsession_usd = 0.001\nuser_usd = 0.0017\n", || {
        ai::with_session("budget-1", || {
            ai::with_user("budget-user", || (0..5).for_each(|_| priced(1000, 500)));
        });
        ai::with_session("budget-2", || priced(1000, 500));
    });
    let session = ("session", "budget-1".to_owned(), "0.00135".to_owned());
    let user = ("user", "budget-user".to_owned(), "0.0018".to_owned());
    assert_eq!(*told.lock().unwrap(), [session, user]);
    let events: Vec<usize> = spans.iter().map(|span| span.events.len()).collect();
    assert_eq!(events, [0, 0, 1, 1, 0, 0]);
    assert_eq!(spans[2].events[0].name, "spandrel.budget.crossed");
}

#[test]
fn metrics_count_what_is_not_sampled_and_name_nobody() {
    let tracer = spandrel::builder().sampler(spandrel::Sampler::always_off()).build().unwrap();
    tracer.context().within(|| {
        ai::with_session("s-metrics", || {
            ai::llm_call("openai", "gpt-4.1-nano").run(|call| {
                call.set_usage(Usage::new(1000, 500));
                call.count_chunk();
            });
            let _ = ai::llm_call("openai", "gpt-4.1-nano").try_run(|_| Err::<(), _>("no"));
        });
    });
    let page = ai::prometheus();
    let of_model: Vec<&str> = page.lines().filter(|line| line.contains("gpt-4.1-nano")).collect();
    let labels = r#"operation="chat",provider="openai",model="gpt-4.1-nano""#;
    for line in [
        format!(r#"ai_llm_requests_total{{{labels},status="ok"}} 1"#),
        format!(r#"ai_llm_requests_total{{{labels},status="error"}} 1"#),
        format!(r#"ai_llm_tokens_total{{{labels},type="input"}} 1000"#),
        format!(r#"ai_llm_cost_dollars{{{labels}}} 0.0003"#),
        format!(r#"ai_llm_unpriced_requests_total{{{labels}}} 0"#),
        format!(r#"ai_llm_requests_without_usage_total{{{labels}}} 0"#),
        format!(r#"ai_llm_duration_seconds_count{{{labels}}} 2"#),
    ] {
        assert!(of_model.contains(&line.as_str()), "{line} is not in\n{}", of_model.join("\n"));
    }
    assert!(page.contains("gen_ai_client_operation_time_to_first_chunk_seconds_count{"), "{page}");
    assert!(!page.contains("s-metrics"));
}

#[test]
fn mistakes_in_the_configuration_are_told() {
    let check = |config: &str| {
        let tracer = spandrel::builder().default_config(config).build().unwrap();
        tracer.context().within(ai::check).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(check("[ai]\ncontent = true\n"), "");
    let error = check("[ai]\ncontents = true\n");
    let meant = "[ai]: unknown configuration key `contents`; did you mean `content`? (known here: dialect, ";
    assert!(error.starts_with(meant), "{error}");
    let error = check("[ai]\ndialect = 'openinfrence'\n");
    assert!(error.contains("there is no dialect `openinfrence`; did you mean `openinference`?"), "{error}");
    let error = check("[prices]\n'm' = { inptu = 1 }\n");
    assert!(error.contains("there is no rate \"inptu\"; did you mean `input`? there are input, "), "{error}");
    let error = check("[prices]\nfile = '/nowhere/prices.json'\n");
    assert!(error.contains("/nowhere/prices.json"), "{error}");
}

#[test]
fn tool_calls_of_a_model_are_in_its_messages() {
    let spans = with_config("[ai]\ncontent = true\n", || {
        ai::llm_call("anthropic", "claude-3-5-haiku-20241022").run(|call| {
            let arguments = r#"{"city":"Ulm"}"#.to_owned();
            let part = Part::ToolCall { id: "t1".into(), name: "weather".into(), arguments };
            call.set_output_messages(|| vec![Message::assistant("Let me look.").with_part(part)]);
        });
    });
    let json = text(&spans[0], "gen_ai.output.messages").unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed[0]["parts"][1]["arguments"]["city"], "Ulm");
}

#[test]
fn off_nothing_is_asked_for() {
    ai::llm_call("openai", "gpt-4o")
        .input_messages(|| unreachable!("content is off"))
        .run(|call| call.set_output_messages(|| unreachable!("nothing is recorded")));
    let trace: Trace = capture(|| ());
    assert!(trace.spans().is_empty());
}
