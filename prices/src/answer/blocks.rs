//! The blocks in which providers tell what was used, each turned into inclusive counts.

use serde_json::Value;

use super::json::{count, first, sum, text};
use crate::decimal::divide_half_even;
use crate::{NanoUsd, Usage};

/// Billionths of a dollar hold ten ticks of xAI each.
const TICKS: i128 = 10;

/// What a block tells.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) usage: Usage,
    pub(super) cost: Option<NanoUsd>,
    pub(super) service_tier: Option<String>,
    pub(super) speed: Option<String>,
}

/// Whether a field of this name has counts, or is beside fields that have.
pub(super) fn is_block(key: &str) -> bool {
    let own = [
        "prompt_eval_count",
        "eval_count",
        "inputTextTokenCount",
        "prompt_token_count",
        "generation_token_count",
        "predictions",
    ];
    let whole = ["usage", "usageMetadata", "x_groq", "meta", "amazon-bedrock-invocationMetrics"];
    whole.contains(&key) || own.contains(&key) || key.starts_with("x-amzn-bedrock-")
}

/// Reads the block of a part of an answer. `known` is what earlier parts told.
pub(super) fn read(provider: &str, part: &Value, known: Option<&Usage>) -> Option<Read> {
    let provider = provider.to_ascii_lowercase();
    let places = [&part["usage"], &part["x_groq"]["usage"], &part["choices"][0]["usage"]];
    let block = places.into_iter().find(|block| block.is_object());
    let mut read = match block {
        _ if part["usageMetadata"].is_object() => google(&part["usageMetadata"]),
        Some(block) => of_block(&provider, part, block, known),
        None if part["meta"].is_object() => Read::from(cohere(&part["meta"])),
        None => Read::from(beside_the_content(part)),
    };
    // Bedrock repeats what the model told itself, so it counts only where that did not.
    let mut usage = of_bedrock_itself(part);
    if let Some(known) = known {
        usage.update(known);
    }
    usage.update(&read.usage);
    read.usage = usage;
    let searches =
        part["output"].as_array().into_iter().flatten().filter(|item| item["type"] == "web_search_call").count();
    read.usage.web_searches = read.usage.web_searches.or(u64::try_from(searches).ok().filter(|&searches| searches > 0));
    (!read.usage.is_empty()).then_some(read)
}

fn of_block(provider: &str, part: &Value, block: &Value, known: Option<&Usage>) -> Read {
    let is_camel = !block["inputTokens"].is_null() || !block["outputTokens"].is_null();
    let usage = if is_camel {
        converse(block)
    } else if block["billed_units"].is_object() || block["tokens"].is_object() {
        cohere(block)
    } else if !block["total_input_tokens"].is_null() {
        interactions(block)
    } else if is_exclusive(block) {
        anthropic(block, known.filter(|_| part["type"] == "message_delta"))
    } else {
        openai(provider, part, block)
    };
    let tier = text(&block["service_tier"]).map(str::to_owned);
    Read { usage, cost: reported_cost(block), service_tier: tier, speed: text(&block["speed"]).map(str::to_owned) }
}

/// OpenAI, chat and responses, and the many that speak so: input contains what was cached, and output what was thought.
fn openai(provider: &str, part: &Value, block: &Value) -> Usage {
    let details = |keys: [&str; 3]| {
        keys.iter().map(|key| &block[*key]).find(|details| details.is_object()).unwrap_or(&Value::Null)
    };
    let of_input = details(["prompt_tokens_details", "input_tokens_details", "input_token_details"]);
    let of_output = details(["completion_tokens_details", "output_tokens_details", "output_token_details"]);
    let total = count(&block["total_tokens"]);
    let mut input = first(block, &["prompt_tokens", "input_tokens"]);
    let mut output = first(block, &["completion_tokens", "output_tokens"]);
    let reasoning =
        first(of_output, &["reasoning_tokens", "thinking_tokens"]).or_else(|| count(&block["reasoning_tokens"]));
    // The sum is the witness of what is told beside input and output: reasoning (xAI, chat) and what tools read (Mistral).
    let connectors = count(&block["connector_tokens"]).filter(|_| input.is_some());
    if connectors.is_some() && total.is_some() && total == sum([input, output, connectors]) {
        input = sum([input, connectors]);
    }
    if let Some(thought) = reasoning.filter(|&thought| thought > 0 && output.is_some()) {
        let is_beside = total.is_some() && total == sum([input, output, Some(thought)]);
        // Perplexity's sum is without it, and its field is not among the details.
        let is_perplexity = provider.contains("perplexity") && count(&block["reasoning_tokens"]).is_some();
        if is_beside || is_perplexity {
            output = sum([output, Some(thought)]);
        }
    }
    // Google's imitation leaves thoughts out of the output, and has them in the sum.
    let is_google = ["google", "gemini", "vertex", "gcp"].iter().any(|word| provider.contains(word));
    if let (true, Some(total), Some(all)) =
        (is_google, total, sum([input, output]).filter(|_| input.is_some() && output.is_some()))
    {
        output = output.and_then(|output| output.checked_add(total.saturating_sub(all)));
    }
    // Embeddings of some are told as a sum alone, which is all input.
    if input.is_none() && output.is_none() && part["object"] == "list" {
        input = total;
    }
    let cached = &of_input["cached_tokens_details"];
    let cache_read = first(of_input, &["cached_tokens", "cache_read_input_tokens"]);
    Usage {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: cache_read
            .or_else(|| first(block, &["cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"])),
        cache_write_tokens: first(
            of_input,
            &["cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens"],
        )
        .or_else(|| count(&block["cache_creation_input_tokens"])),
        cache_write_1h_tokens: count(&block["cache_creation"]["ephemeral_1h_input_tokens"]),
        reasoning_tokens: reasoning,
        input_audio_tokens: count(&of_input["audio_tokens"]),
        output_audio_tokens: count(&of_output["audio_tokens"]),
        cache_read_audio_tokens: count(&cached["audio_tokens"]),
        input_image_tokens: count(&of_input["image_tokens"]),
        output_image_tokens: count(&of_output["image_tokens"]),
        cache_read_image_tokens: count(&cached["image_tokens"]),
        citation_tokens: count(&block["citation_tokens"]),
        web_searches: web_searches(block),
    }
}

fn web_searches(block: &Value) -> Option<u64> {
    let told = count(&block["server_tool_use"]["web_search_requests"]).or_else(|| count(&block["num_search_queries"]));
    told.or_else(|| count(&block["tool_calls_details"]["search_web"]["invocation"]))
}

/// Whether input is told without what was read from the cache and written to it.
fn is_exclusive(block: &Value) -> bool {
    let is_anthropic =
        ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use", "iterations"];
    block["prompt_tokens"].is_null() && is_anthropic.iter().any(|key| !block[*key].is_null())
}

/// Anthropic: what is read from the cache and written to it comes on top of the input.
///
/// Source: docs of Anthropic, "Prompt caching", "Tracking cache performance". The last event of a stream may leave out what the first
/// said (`known`).
fn anthropic(block: &Value, known: Option<&Usage>) -> Usage {
    let one = |block: &Value, known: Option<&Usage>| {
        let by_time = &block["cache_creation"];
        let times = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"].map(|key| count(&by_time[key]));
        let read = count(&block["cache_read_input_tokens"]).or_else(|| known?.cache_read_tokens);
        let write =
            count(&block["cache_creation_input_tokens"]).or_else(|| sum(times)).or_else(|| known?.cache_write_tokens);
        let input = count(&block["input_tokens"]);
        Usage {
            input_tokens: input.and_then(|input| sum([Some(input), read, write])),
            output_tokens: count(&block["output_tokens"]),
            cache_read_tokens: read,
            cache_write_tokens: write,
            cache_write_1h_tokens: times[1],
            reasoning_tokens: first(&block["output_tokens_details"], &["thinking_tokens", "reasoning_tokens"]),
            web_searches: web_searches(block),
            ..Usage::default()
        }
    };
    let mut usage = one(block, known);
    // What it took to compact the conversation is billed, and not in the counts above; the rest of this list is.
    let compactions = block["iterations"].as_array().into_iter().flatten().filter(|item| item["type"] == "compaction");
    for more in compactions.map(|item| one(item, None)) {
        usage.input_tokens = sum([usage.input_tokens, more.input_tokens]);
        usage.output_tokens = sum([usage.output_tokens, more.output_tokens]);
        usage.cache_read_tokens = sum([usage.cache_read_tokens, more.cache_read_tokens]);
        usage.cache_write_tokens = sum([usage.cache_write_tokens, more.cache_write_tokens]);
        usage.cache_write_1h_tokens = sum([usage.cache_write_1h_tokens, more.cache_write_1h_tokens]);
    }
    usage
}

/// Google: what tools read is input on top of the prompt, and thoughts are output on top of the candidates.
fn google(block: &Value) -> Read {
    let prompt = sum([count(&block["promptTokenCount"]), count(&block["toolUsePromptTokenCount"])]);
    let input = prompt.filter(|_| count(&block["promptTokenCount"]).is_some());
    let candidates = first(block, &["candidatesTokenCount", "responseTokenCount"]);
    let thoughts = count(&block["thoughtsTokenCount"]);
    // Some endpoints count them among the candidates; the sum tells.
    let total = count(&block["totalTokenCount"]);
    let is_within = candidates.is_some() && total.is_some() && total == sum([input, candidates]);
    let output = if is_within { candidates } else { sum([candidates, thoughts]) };
    let modality = |lists: &[&str], names: &[&str]| {
        let entries = lists.iter().flat_map(|list| block[*list].as_array().into_iter().flatten());
        sum(entries
            .filter(|entry| names.iter().any(|name| entry["modality"] == *name))
            .map(|entry| count(&entry["tokenCount"])))
    };
    let (of_input, of_output) =
        (["promptTokensDetails", "toolUsePromptTokensDetails"], ["candidatesTokensDetails", "responseTokensDetails"]);
    // Pages of documents are read, and sold, as images.
    let images = ["IMAGE", "DOCUMENT"];
    let usage = Usage {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: count(&block["cachedContentTokenCount"]),
        reasoning_tokens: thoughts,
        input_audio_tokens: modality(&of_input, &["AUDIO"]),
        output_audio_tokens: modality(&of_output, &["AUDIO"]),
        cache_read_audio_tokens: modality(&["cacheTokensDetails"], &["AUDIO"]),
        input_image_tokens: modality(&of_input, &images),
        output_image_tokens: modality(&of_output, &images),
        cache_read_image_tokens: modality(&["cacheTokensDetails"], &images),
        ..Usage::default()
    };
    let tier = text(&block["serviceTier"]).map(str::to_lowercase).or_else(|| {
        let traffic = text(&block["trafficType"])?.to_lowercase();
        Some(
            traffic
                .strip_prefix("on_demand")
                .map_or(traffic.as_str(), |rest| rest.strip_prefix('_').unwrap_or("standard"))
                .to_owned(),
        )
    });
    Read { service_tier: tier, ..Read::from(usage) }
}

/// The interactions of Google: the same sums under other names.
fn interactions(block: &Value) -> Usage {
    let input = count(&block["total_input_tokens"]);
    let thoughts = count(&block["total_thought_tokens"]);
    Usage {
        input_tokens: input.and_then(|input| sum([Some(input), count(&block["total_tool_use_tokens"])])),
        output_tokens: sum([count(&block["total_output_tokens"]), thoughts]),
        cache_read_tokens: count(&block["total_cached_tokens"]),
        reasoning_tokens: thoughts,
        ..Usage::default()
    }
}

/// Bedrock, converse: as Anthropic, the cache comes on top.
fn converse(block: &Value) -> Usage {
    let read = first(block, &["cacheReadInputTokens", "cacheReadInputTokenCount"]);
    let write = first(block, &["cacheWriteInputTokens", "cacheWriteInputTokenCount"]);
    let hour = block["cacheDetails"].as_array().map(|details| {
        let of_hour = details.iter().filter(|entry| entry["ttl"] == "1h").map(|entry| count(&entry["inputTokens"]));
        sum(of_hour).unwrap_or(0)
    });
    Usage {
        input_tokens: count(&block["inputTokens"]).and_then(|input| sum([Some(input), read, write])),
        output_tokens: count(&block["outputTokens"]),
        cache_read_tokens: read,
        cache_write_tokens: write,
        cache_write_1h_tokens: hour,
        ..Usage::default()
    }
}

/// What Bedrock tells of a model of any maker, at the end of a stream and in headers.
fn of_bedrock_itself(part: &Value) -> Usage {
    let metrics = &part["amazon-bedrock-invocationMetrics"];
    let told = |metric: &str, header: &str| {
        let header = || part[format!("x-amzn-bedrock-{header}-token-count")].as_str()?.parse().ok();
        count(&metrics[metric]).or_else(header)
    };
    let read = told("cacheReadInputTokenCount", "cache-read-input");
    let write = told("cacheWriteInputTokenCount", "cache-write-input");
    let input = told("inputTokenCount", "input");
    Usage {
        input_tokens: input.and_then(|input| sum([Some(input), read, write])),
        output_tokens: told("outputTokenCount", "output"),
        cache_read_tokens: read,
        cache_write_tokens: write,
        ..Usage::default()
    }
}

/// Cohere: what is billed, before what was counted. Images are told beside the input.
fn cohere(block: &Value) -> Usage {
    let units = if block["billed_units"].is_object() { &block["billed_units"] } else { &block["tokens"] };
    let images = count(&units["image_tokens"]);
    Usage {
        input_tokens: sum([count(&units["input_tokens"]), images]),
        output_tokens: count(&units["output_tokens"]),
        cache_read_tokens: count(&block["cached_tokens"]),
        input_image_tokens: images,
        ..Usage::default()
    }
}

/// Counts without a block of their own: Ollama; Llama, Titan and others on Bedrock; watsonx; embeddings on Vertex.
fn beside_the_content(part: &Value) -> Usage {
    let of_each =
        |list: &str, key: &str| sum(part[list].as_array().into_iter().flatten().map(|item| count(&item[key])));
    let predictions = part["predictions"].as_array().into_iter().flatten();
    let embedded = sum(predictions.map(|item| count(&item["embeddings"]["statistics"]["token_count"])));
    let input = first(part, &["prompt_eval_count", "inputTextTokenCount", "prompt_token_count"]);
    let output = first(part, &["eval_count", "generation_token_count"]);
    Usage {
        input_tokens: input.or_else(|| of_each("results", "input_token_count")).or(embedded),
        output_tokens: output
            .or_else(|| of_each("results", "tokenCount"))
            .or_else(|| of_each("results", "generated_token_count")),
        cache_read_tokens: count(&part["prompt_eval_cached_count"]),
        ..Usage::default()
    }
}

/// What the provider says it charged.
fn reported_cost(block: &Value) -> Option<NanoUsd> {
    if let Some(ticks) = count(&block["cost_in_usd_ticks"]) {
        return i64::try_from(divide_half_even(i128::from(ticks), TICKS)).ok().map(NanoUsd::new);
    }
    let usd = |value: &Value| value.as_f64().and_then(NanoUsd::reported);
    let told = usd(&block["cost"]).or_else(|| usd(&block["cost"]["total_cost"]))?;
    // With a key of one's own OpenRouter takes a fee, and the provider the rest.
    if block["is_byok"] == true {
        return Some(told + usd(&block["cost_details"]["upstream_inference_cost"])?);
    }
    Some(told)
}

impl From<Usage> for Read {
    fn from(usage: Usage) -> Self {
        Self { usage, ..Self::default() }
    }
}
