//! Functions that are operations of `spandrel-genai`.

use spandrel::testing::{capture, capture_async};
use spandrel::{OwnedValue, SpanData, assert_trace, traced};
use spandrel_genai::Usage;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

struct Found {
    tokens: u64,
}

#[traced(tool, capture(args, result), err)]
fn search(query: &str, limit: usize, _secret: &str) -> Result<Vec<String>, String> {
    if query.is_empty() {
        return Err("nothing to look for".to_owned());
    }
    Ok(vec![query.to_uppercase(); limit])
}

#[traced("look_up", tool(id = call_id, description = "Looks things up."), record(call_id.len()), err)]
async fn renamed(call_id: &str) -> Result<(), std::num::ParseIntError> {
    tokio::task::yield_now().await;
    call_id.parse::<u8>().map(drop)
}

#[traced(llm(provider = "openai", model = model, temperature = 0.5), as call, capture(args, result))]
async fn ask(model: &str, prompt: String) -> String {
    tokio::task::yield_now().await;
    call.set_usage(Usage::new(1000, 500));
    drop(prompt);
    "An answer.".to_owned()
}

#[traced(llm(provider = "openai", model = format!("gpt-{}", "4o-mini")), as call)]
fn ask_now(found: &Found) -> u64 {
    call.set_usage(Usage::new(found.tokens, 0));
    found.tokens
}

#[traced(step(number = round))]
async fn round(round: u32, query: &str) -> usize {
    let found = search(query, 2, "").unwrap_or_default();
    ask("gpt-4o-mini", found.join(" ")).await.len()
}

#[traced(agent(role = "librarian", id = "a-1"), capture(args))]
async fn planner(task: &str) -> usize {
    let mut length = 0;
    for number in 1..=2 {
        length += round(number, task).await;
    }
    length
}

struct Toolbox {
    uses: u32,
}

#[async_trait::async_trait]
trait Lookup {
    async fn look(&mut self, key: &str) -> Option<&u32>;
}

#[async_trait::async_trait]
impl Lookup for Toolbox {
    #[traced(retrieval, capture(args, result, max_bytes = 8), as source)]
    async fn look(&mut self, key: &str) -> Option<&u32> {
        source.set_attribute("key.length", key.len());
        self.uses += 1;
        Some(&self.uses)
    }
}

impl Toolbox {
    #[traced(workflow)]
    fn both(&mut self) -> impl Future<Output = u32> + Send {
        async move { self.look("first").await.copied().unwrap_or(0) + self.look("second").await.copied().unwrap_or(0) }
    }

    #[traced(guardrail, as check)]
    fn check<'a>(&self, text: &'a str) -> &'a str {
        check.set_attribute("uses", self.uses);
        text
    }
}

fn with_content(f: impl FnOnce()) -> Vec<SpanData> {
    let store = MemoryStore::new(std::num::NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = spandrel::builder().default_config("[ai]\ncontent = true\n");
    let tracer = builder.exporter("memory", move || MemoryExporter::new(exported.clone())).build().unwrap();
    tracer.context().within(f);
    tracer.shutdown(std::time::Duration::from_secs(60)).unwrap();
    store.take()
}

#[track_caller]
fn text<'a>(span: &'a SpanData, key: &str) -> &'a str {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => text,
        other => panic!("{key} of {} is {other:?}", span.name),
    }
}

#[tokio::test]
async fn an_agent_with_steps_tools_and_a_model() {
    let trace = capture_async(planner("arches")).await;
    assert_trace!(trace, "invoke_agent planner" ("gen_ai.agent.id" = "a-1", "spandrel.sum.cost" = 0.0009) {
        "agent_step 1" { "execute_tool search" {} "chat gpt-4o-mini" ("gen_ai.usage.input_tokens" = 1000) {} }
        "agent_step 2" { "execute_tool search" {} "chat gpt-4o-mini" ("gen_ai.request.temperature" = 0.5) {} }
    });
    for span in trace.spans() {
        for key in ["input.value", "output.value", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"] {
            assert_eq!(span.attribute(key), None, "content is off: {}", span.name);
        }
    }
}

#[test]
fn arguments_and_results_where_content_is_recorded() {
    let spans = with_content(|| {
        search("ab", 2, "hunter2").unwrap();
        search("", 2, "hunter2").unwrap_err();
    });
    let [good, bad] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(text(good, "gen_ai.tool.call.arguments"), r#"{"limit":2,"query":"ab"}"#);
    assert_eq!(text(good, "input.value"), r#"{"limit":2,"query":"ab"}"#);
    assert_eq!(text(good, "gen_ai.tool.call.result"), r#"["AB","AB"]"#);
    assert_eq!(text(good, "output.value"), r#"["AB","AB"]"#);
    assert_eq!(text(bad, "error.type"), "_OTHER");
    assert_eq!(bad.attribute("output.value"), None, "an error is told by the status");
    assert_eq!(bad.status, spandrel::StatusData::Error("nothing to look for".to_owned()));

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let spans = with_content(|| {
        let told = runtime.block_on(ask("gpt-4o-mini", "a prompt".to_owned()));
        assert_eq!(told, "An answer.");
        runtime.block_on(Toolbox { uses: 1_000_000_000 }.look("a key that is long"));
    });
    let [answer, found] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(text(answer, "input.value"), r#"{"model":"gpt-4o-mini","prompt":"a prompt"}"#);
    assert_eq!(text(answer, "output.value"), "An answer.");
    assert_eq!(found.name, "retrieval look");
    assert_eq!(text(found, "input.value"), r#"{"key":"\"a ke…"}"#);
    assert_eq!(text(found, "output.value"), "Some(…");
}

#[test]
fn nothing_is_formatted_while_content_is_off() {
    #[derive(Clone, Copy)]
    struct Unspeakable;
    impl std::fmt::Debug for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            unreachable!("content is off")
        }
    }
    #[traced(tool, capture(args, result))]
    fn quiet(value: Unspeakable) -> Unspeakable {
        value
    }
    let trace = capture(|| quiet(Unspeakable));
    assert_trace!(trace, "execute_tool quiet" (status: unset) {});
}

#[tokio::test]
async fn functions_stay_what_they_were() {
    let trace = capture_async(async {
        assert_eq!(ask_now(&Found { tokens: 1000 }), 1000);
        assert!(renamed("1234").await.is_err());
        let mut toolbox = Toolbox { uses: 0 };
        let both = toolbox.both();
        assert_eq!(spandrel_is_send(both).await, 3);
        let text = String::from("text");
        assert_eq!(toolbox.check(&text), "text");
    })
    .await;
    assert_trace!(trace,
        "chat gpt-4o-mini" (kind: client, "spandrel.cost.total" = 0.00015) {}
        "execute_tool look_up" (
            status: error, "call_id.len" = 4, "gen_ai.tool.call.id" = "1234", "gen_ai.tool.description" = "Looks things up.",
            "error.type" = "core::num::error::ParseIntError"
        ) {}
        "invoke_workflow both" {
            "retrieval look" ("key.length" = 5, kind: client) {}
            "retrieval look" ("key.length" = 6) {}
        }
        "guardrail check" ("uses" = 2) {}
    );
}

fn spandrel_is_send<F: Send>(future: F) -> F {
    future
}

/// Under other paths, as a library that hands both on would have it.
mod outside {
    pub(crate) mod toolkit {
        pub(crate) use spandrel as tracing;
        pub(crate) use spandrel_genai as ai;
    }

    #[toolkit::tracing::traced(crate = toolkit::tracing, genai = toolkit::ai, tool, capture(args, result), record(a), err, as tool)]
    pub(crate) fn by_path(a: u32) -> Result<u32, String> {
        tool.set_attribute("b", a + 1);
        Ok(a)
    }
}

#[test]
fn both_crates_may_be_elsewhere() {
    let trace = capture(|| outside::by_path(1));
    assert_trace!(trace, "execute_tool by_path" ("a" = 1, "b" = 2) {});
}

#[test]
fn off_the_function_runs_all_the_same() {
    assert_eq!(ask_now(&Found { tokens: 7 }), 7);
    assert_eq!(search("a", 1, ""), Ok(vec!["A".to_owned()]));
}
