//! What is answered, and what that takes.

use serde_json::{Map, Value as Json, json};

use crate::asked::{Asked, Role, Tool};
use crate::wire::Vendor;

/// An answer, whichever form it gets.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What was thought before.
    pub(crate) thought: String,
    pub(crate) text: String,
    pub(crate) call: Option<Call>,
    pub(crate) tokens: Tokens,
}

/// A tool that is to be called.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Json,
}

/// Counts in which parts are contained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) written: u64,
    pub(crate) reasoning: u64,
}

/// Smaller than those of the vendors, so that short conversations are cached, too.
const CACHE_STEP: u64 = 64;

impl Reply {
    pub(crate) fn to(asked: &Asked, vendor: Vendor) -> Self {
        let call = asked.tools.iter().find(|tool| is_wanted(tool, asked)).map(|tool| Call {
            id: format!("call_{}", asked.messages.len()),
            name: tool.name.clone(),
            arguments: arguments(&tool.schema, first_line(&asked.text)),
        });
        let text = match (&call, asked.script.output) {
            (Some(_), _) => String::new(),
            (None, Some(words)) => vec!["word"; words as usize].join(" "),
            (None, None) => text(asked),
        };
        let tokens = Tokens::of(asked, vendor, &text, call.as_ref());
        Self { thought: vec!["thought"; asked.script.thought as usize].join(" "), text, call, tokens }
    }
}

fn is_wanted(tool: &Tool, asked: &Asked) -> bool {
    let text = first_line(&asked.text).to_lowercase();
    let was_called = asked.since_user().iter().any(|message| message.calls.contains(&tool.name));
    !was_called && tool.name.split('_').any(|word| word.len() > 3 && text.contains(word))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn arguments(schema: &Json, text: &str) -> Json {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let all = properties.map(|(name, property)| (name.clone(), argument(property, text)));
    Json::Object(all.collect::<Map<_, _>>())
}

fn argument(property: &Json, text: &str) -> Json {
    let words = || {
        text.lines().next().unwrap_or_default().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
    };
    if let Some(values) = property["enum"].as_array() {
        let text = text.to_lowercase();
        let named =
            values.iter().find(|value| value.as_str().is_some_and(|value| text.contains(&value.to_lowercase())));
        return named.or(values.first()).cloned().unwrap_or_default();
    }
    match property["type"].as_str() {
        Some("integer" | "number") => words().find_map(|word| word.parse::<u64>().ok()).unwrap_or(1).into(),
        _ => match text.split('"').nth(1) {
            Some(quoted) => quoted.into(),
            None => words().next_back().unwrap_or_default().into(),
        },
    }
}

fn text(asked: &Asked) -> String {
    let results =
        asked.since_user().iter().filter(|message| message.role == Role::Tool).map(|message| message.text.as_str());
    let results: Vec<&str> = results.filter(|text| !text.is_empty()).collect();
    if !results.is_empty() {
        return format!("This is what I found: {}", results.join("; "));
    }
    let mut lines = asked.text.lines();
    let question = lines.next().unwrap_or_default().to_lowercase();
    let asked_for: Vec<&str> = question.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).collect();
    let shared = |line: &str| {
        let line = line.to_lowercase();
        asked_for.iter().filter(|word| line.contains(**word)).count()
    };
    // The first of equals, which `max_by_key` alone would not give.
    let best = lines.map(|line| (shared(line), line)).rev().max_by_key(|(count, _)| *count);
    match best {
        Some((1.., line)) => line.trim().to_owned(),
        _ => "I have understood what you said, and have nothing to add.".to_owned(),
    }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

impl Tokens {
    fn of(asked: &Asked, vendor: Vendor, text: &str, call: Option<&Call>) -> Self {
        let tools: u64 = asked.tools.iter().map(|tool| 1 + words(&tool.description)).sum();
        let fixed = tools + words(&asked.system);
        let of_message = |message: &crate::asked::Message| words(&message.text) + message.calls.len() as u64;
        let all: u64 = fixed + asked.messages.iter().map(of_message).sum::<u64>();
        let last_answer = asked.messages.iter().rposition(|message| message.role == Role::Assistant);
        let (mut cached, mut written) = (0, 0);
        match (vendor, last_answer) {
            (Vendor::OpenAi, Some(at)) => {
                let before = fixed + asked.messages[..at].iter().map(of_message).sum::<u64>();
                cached = before / CACHE_STEP * CACHE_STEP;
            }
            (Vendor::Anthropic, Some(_)) if asked.has_cache_marks => cached = fixed,
            (Vendor::Anthropic, None) if asked.has_cache_marks => written = fixed,
            _ => {}
        }
        let script = &asked.script;
        let reasoning = script.reasoning.unwrap_or(0);
        let said = words(text) + call.map_or(0, |call| 1 + words(&call.arguments.to_string())) + reasoning;
        Self {
            input: script.input.unwrap_or(all),
            output: script.output.unwrap_or(said),
            cached: script.cached.unwrap_or(cached),
            written: script.written.unwrap_or(written),
            reasoning,
        }
    }
}

/// A vector for a text: texts that share words are near to each other.
pub(crate) fn vector(text: &str) -> Vec<f64> {
    let mut vector = vec![0.0_f64; 64];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3) {
        // FNV-1a, so that it is the same in every build.
        let hash = word
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        vector[(hash % 64) as usize] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
    vector.iter().map(|x| x / length).collect()
}

/// The model as it answers: with its date, where it has one.
pub(crate) fn dated(model: &str) -> String {
    match model {
        "gpt-4o-mini" => "gpt-4o-mini-2024-07-18".to_owned(),
        "gpt-4o" => "gpt-4o-2024-08-06".to_owned(),
        "claude-3-5-haiku-latest" => "claude-3-5-haiku-20241022".to_owned(),
        model => model.to_owned(),
    }
}

/// The usage of OpenAI's chat.
pub(crate) fn openai_usage(tokens: Tokens) -> Json {
    let Tokens { input, output, cached, reasoning, .. } = tokens;
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": { "cached_tokens": cached, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": reasoning, "audio_tokens": 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::{arguments, vector};
    use serde_json::json;

    #[test]
    fn arguments_come_from_the_text() {
        let schema = json!({ "properties": {
            "count": { "type": "integer" }, "day": { "type": "string", "enum": ["monday", "friday"] }, "part": { "type": "string" },
        } });
        let found = arguments(&schema, "Order 3 of \"brake pads\" for Friday");
        assert_eq!(found, json!({ "count": 3, "day": "friday", "part": "brake pads" }));
        assert_eq!(arguments(&schema, "Look for a chain!")["part"], "chain");
    }

    #[test]
    fn texts_with_the_same_words_are_near() {
        let near = |a: &str, b: &str| vector(a).iter().zip(vector(b)).map(|(x, y)| x * y).sum::<f64>();
        assert!(near("chains need oil", "which chains need oil") > near("chains need oil", "brakes stop wheels"));
    }
}
