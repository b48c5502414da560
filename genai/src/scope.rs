use std::sync::Arc;

use spandrel::{Attribute, Context, OwnedAttribute, Value, attrs};

use crate::message::cut;
use crate::names::Attributes;
use crate::settings::in_force;
use crate::sum::Sum;

/// OpenTelemetry semantic conventions 1.44: session.
pub(crate) const SESSION_ID: &str = "session.id";
/// OpenTelemetry semantic conventions 1.44: user.
pub(crate) const USER_ID: &str = "user.id";
// OpenInference, spec/semantic_conventions.md of 2026-08.
const TAGS: &str = "tag.tags";
const METADATA: &str = "metadata";
const TEMPLATE: &str = "llm.prompt_template.template";
const TEMPLATE_VERSION: &str = "llm.prompt_template.version";
const TEMPLATE_VARIABLES: &str = "llm.prompt_template.variables";
/// What OpenTelemetry is about to call it.
const PROMPT_NAME: &str = "gen_ai.prompt.name";
const PROMPT_VERSION: &str = "gen_ai.prompt.version";

/// For whom work is done, and from which prompt; see [`scope`].
#[derive(Debug, Clone, Default)]
#[must_use = "a scope does nothing until something runs in it"]
pub struct Scope {
    attributes: Vec<OwnedAttribute>,
    baggage: Vec<(&'static str, String)>,
}

/// Begins to say for whom work is done; every span within gets it, across tasks as well.
///
/// ```
/// use spandrel_genai as ai;
///
/// ai::scope().session("s-1").user("u-7").tags(&["beta"]).within(|| {
///     ai::llm_call("openai", "gpt-4o-mini").run(|call| call.set_usage(ai::Usage::new(1000, 500)));
/// });
/// ```
pub fn scope() -> Scope {
    Scope::default()
}

impl Scope {
    /// The conversation.
    pub fn session(mut self, id: &str) -> Self {
        self.baggage.push((SESSION_ID, id.to_owned()));
        self.with(SESSION_ID, Value::Str(id))
    }

    /// The person.
    pub fn user(mut self, id: &str) -> Self {
        self.baggage.push((USER_ID, id.to_owned()));
        self.with(USER_ID, Value::Str(id))
    }

    /// Words to find the work by.
    pub fn tags(self, tags: &[&str]) -> Self {
        self.with(TAGS, Value::StrArray(tags.into()))
    }

    /// Anything else: each as an attribute `metadata.<key>`, and all as one JSON text.
    pub fn metadata(mut self, metadata: &[(&str, &str)]) -> Self {
        for (key, value) in metadata {
            self = self.with(&[METADATA, ".", key].concat(), Value::Str(value));
        }
        let all: serde_json::Map<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let json = serde_json::Value::Object(all).to_string();
        self.with(METADATA, Value::Str(&json))
    }

    /// The template of the prompt and its version. Variables are recorded only where content is.
    pub fn prompt_template(self, template: &str, version: &str, variables: &[(&str, &str)]) -> Self {
        let settings = &in_force().settings;
        if settings.hide.llm_prompts {
            return self.with(TEMPLATE_VERSION, Value::Str(version));
        }
        let template = cut(template, settings.max_content_bytes);
        let mut scope = self.with(TEMPLATE, Value::Str(&template)).with(TEMPLATE_VERSION, Value::Str(version));
        if settings.content && !settings.hide.inputs {
            let all: serde_json::Map<_, _> =
                variables.iter().map(|(k, v)| ((*k).to_owned(), cut(v, settings.max_content_bytes).into())).collect();
            let json = serde_json::Value::Object(all).to_string();
            scope = scope.with(TEMPLATE_VARIABLES, Value::Str(&json));
        }
        scope
    }

    /// The name of a prompt that is kept elsewhere, and its version.
    pub fn prompt(self, name: &str, version: &str) -> Self {
        self.with(PROMPT_NAME, Value::Str(name)).with(PROMPT_VERSION, Value::Str(version))
    }

    /// The current context with all of it, for work that goes on elsewhere.
    #[must_use]
    pub fn context(&self) -> Context {
        let attributes: Vec<Attribute<'_>> = self.attributes.iter().map(OwnedAttribute::as_attribute).collect();
        let mut context = Context::current().with_attributes(&attributes);
        if in_force().settings.baggage {
            for (key, value) in &self.baggage {
                // What baggage cannot carry stays here.
                context = context.clone().with_baggage_member(key, value).unwrap_or(context);
            }
        }
        context
    }

    /// Calls `f` within it. If no operation is around it, the current span gets the sums of the
    /// model calls within.
    pub fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        let summed = Summed::begin();
        let result = self.context().with_extension(Arc::clone(&summed.sum)).within_scope(f);
        summed.end();
        result
    }

    /// As [`within`](Self::within), for a future.
    pub async fn run_async<F: Future>(&self, future: F) -> F::Output {
        let summed = Summed::begin();
        let context = self.context().with_extension(Arc::clone(&summed.sum));
        let mut future = std::pin::pin!(future);
        let result = std::future::poll_fn(|cx| context.within_scope(|| future.as_mut().poll(cx))).await;
        summed.end();
        result
    }

    fn with(mut self, key: &str, value: Value<'_>) -> Self {
        self.attributes.retain(|known| known.key != key);
        self.attributes.push(Attribute { key, value }.to_owned());
        self
    }
}

/// Calls `f`; every span within belongs to this session.
pub fn with_session<R>(id: &str, f: impl FnOnce() -> R) -> R {
    scope().session(id).within(f)
}

/// Calls `f`; every span within belongs to this user.
pub fn with_user<R>(id: &str, f: impl FnOnce() -> R) -> R {
    scope().user(id).within(f)
}

/// Calls `f`; every span within belongs to this user and session and has these tags and metadata.
pub fn with_metadata<R>(
    user: &str,
    session: &str,
    tags: &[&str],
    metadata: &[(&str, &str)],
    f: impl FnOnce() -> R,
) -> R {
    scope().user(user).session(session).tags(tags).metadata(metadata).within(f)
}

/// Calls `f`; every span within comes from this template of a prompt.
pub fn with_prompt_template<R>(template: &str, version: &str, variables: &[(&str, &str)], f: impl FnOnce() -> R) -> R {
    scope().prompt_template(template, version, variables).within(f)
}

/// The context with session and user as the caller's baggage has them, where `[ai] baggage = true`.
#[must_use]
pub fn context_from_baggage(context: Context) -> Context {
    if !in_force().settings.baggage {
        return context;
    }
    let baggage = context.baggage();
    [SESSION_ID, USER_ID].iter().fold(context, |context, key| match baggage.get(key) {
        Some(value) => context.with_attributes(&attrs! { key => value }),
        None => context,
    })
}

/// A sum that the current span gets, if it is the outermost: what is not an operation of ours,
/// such as the span of a request, shows what it cost as well.
struct Summed {
    sum: Arc<Sum>,
}

impl Summed {
    fn begin() -> Self {
        Self { sum: Sum::begin(None) }
    }

    fn end(self) {
        self.sum.end();
        if !self.sum.is_within_another() && spandrel::is_recording() {
            let mut all = Attributes::new(&in_force().settings.dialect);
            self.sum.totals().put(&mut all);
            spandrel::set_attributes(&all.list);
        }
    }
}
