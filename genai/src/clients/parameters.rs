//! What a request says about itself.

use serde_json::Value as Json;

use super::content;
use crate::content::as_text;
use crate::{Builder, Operation};

/// The operation with what stands in the JSON of its request. Names are those of OpenAI, Anthropic, Mistral and
/// all that took theirs; content is asked for only where it is recorded.
pub(super) fn described<'a>(mut call: Builder<'a>, request: &'a Json) -> Builder<'a> {
    let number = |name: &str| request[name].as_f64();
    let count = |names: &[&str]| names.iter().find_map(|name| request[*name].as_u64());
    call = with(call, number("temperature"), Builder::temperature);
    call = with(call, number("top_p"), Builder::top_p);
    call = with(call, count(&["top_k"]), Builder::top_k);
    call = with(call, count(&["max_completion_tokens", "max_output_tokens", "max_tokens"]), Builder::max_tokens);
    call = with(call, number("frequency_penalty"), Builder::frequency_penalty);
    call = with(call, number("presence_penalty"), Builder::presence_penalty);
    call = with(call, count(&["seed", "random_seed"]), Builder::seed);
    // The conventions have it only if it is not one.
    call = with(call, count(&["n"]).filter(|count| *count != 1), Builder::choice_count);
    let levels = [&request["reasoning_effort"], &request["reasoning"]["effort"], &request["output_config"]["effort"]];
    call = with(call, levels.into_iter().find_map(Json::as_str), Builder::reasoning_level);
    let stops: Vec<&str> = match [&request["stop"], &request["stop_sequences"]].into_iter().find(|stop| !stop.is_null())
    {
        Some(Json::Array(stops)) => stops.iter().filter_map(Json::as_str).collect(),
        Some(stop) => stop.as_str().into_iter().collect(),
        None => Vec::new(),
    };
    if !stops.is_empty() {
        call = call.stop_sequences(&stops);
    }
    if call.operation() != Operation::Chat {
        return if request["input"].is_null() { call } else { call.input(|| as_text(&request["input"])) };
    }
    if content::system(request).is_some() {
        call = call.system_instructions(|| content::system(request).unwrap_or_default());
    }
    if request["tools"].is_array() {
        call = call.tool_definitions(|| request["tools"].to_string());
    }
    call.input_messages(|| content::inputs(request))
}

fn with<'a, T>(call: Builder<'a>, value: Option<T>, set: impl FnOnce(Builder<'a>, T) -> Builder<'a>) -> Builder<'a> {
    match value {
        Some(value) => set(call, value),
        None => call,
    }
}
