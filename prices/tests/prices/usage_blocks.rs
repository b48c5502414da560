use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;
use spandrel_prices::{Answer, Call, NanoUsd, PriceTable, Usage};

use crate::independent::{self, Counts, Made};

/// Noon of 2026-11-21, UTC.
const AT: i64 = 1_795_262_400;

/// Answers as providers send them, with what they mean and what they cost, from their SDKs and from issues.
const BLOCKS: &str = include_str!("../data/usage-blocks.jsonl");

/// Where the sources leave open what is right, and what we do is not what was recorded.
const DECIDED: &[(&str, &str)] = &[
    ("anthropic-compaction", "compaction is billed and not in the sums above it, so it is added"),
    ("openrouter-byok", "with one's own key the cost is the fee and what the provider takes"),
    ("perplexity-deep", "citations have a rate, and are billed beside the output"),
    ("odd-huge", "some 184 billion dollars are no cost"),
];

#[derive(Debug, Deserialize)]
struct Block {
    id: String,
    provider: String,
    model: String,
    entry: Option<String>,
    is_fallback: bool,
    chunks: Vec<Value>,
    #[serde(default)]
    headers: Value,
    expect: BTreeMap<String, Value>,
    cost_nano_usd: Option<BTreeMap<String, Option<Value>>>,
}

fn blocks() -> Vec<Block> {
    BLOCKS.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

fn is_decided(block: &Block) -> bool {
    DECIDED.iter().any(|(id, _)| *id == block.id)
}

fn answer(block: &Block) -> Answer {
    let mut answer = Answer::default();
    if block.headers.is_object() {
        answer.add_chunk(&block.provider, &block.headers);
    }
    for chunk in &block.chunks {
        answer.add_chunk(&block.provider, chunk);
    }
    answer
}

/// As the recorded answers name counts.
fn counts(usage: &Usage) -> Counts {
    let all = [
        ("input_tokens", usage.input_tokens),
        ("output_tokens", usage.output_tokens),
        ("cache_read", usage.cache_read_tokens),
        ("cache_write", usage.cache_write_tokens),
        ("cache_write_1h", usage.cache_write_1h_tokens),
        ("reasoning", usage.reasoning_tokens),
        ("input_audio", usage.input_audio_tokens),
        ("output_audio", usage.output_audio_tokens),
        ("cache_read_audio", usage.cache_read_audio_tokens),
        ("input_image", usage.input_image_tokens),
        ("output_image", usage.output_image_tokens),
        ("cache_read_image", usage.cache_read_image_tokens),
        ("citation_tokens", usage.citation_tokens),
        ("web_searches", usage.web_searches),
    ];
    all.into_iter().filter_map(|(key, count)| Some((key.to_owned(), count?))).collect()
}

/// `default` and its kind are one word in what was recorded.
fn tier(answer: &Answer) -> Option<&str> {
    answer.service_tier.as_deref().map(|tier| if tier == "default" || tier == "on_demand" { "standard" } else { tier })
}

#[test]
fn every_answer_is_read_as_it_is_meant() {
    let mut wrong = Vec::new();
    for block in blocks().iter().filter(|block| !is_decided(block)) {
        let answer = answer(block);
        let text = |key: &str| block.expect.get(key).and_then(Value::as_str);
        let expected: Counts =
            block.expect.iter().filter_map(|(key, value)| Some((key.clone(), value.as_u64()?))).collect();
        let mut read = answer.usage.as_ref().map(counts).unwrap_or_default();
        // What an SDK declares and recorded answers do not always repeat: no images at all.
        read.retain(|key, count| *count > 0 || !key.contains("image") || expected.contains_key(key));
        let cost = text("vendor_cost_usd").map(|usd| usd.parse::<NanoUsd>().unwrap());
        if read != expected {
            wrong.push(format!("{}: read {read:?}, expected {expected:?}", block.id));
        }
        let facts = (answer.model.as_deref(), tier(&answer), answer.speed.as_deref(), answer.reported_cost);
        let expected = (text("response_model"), text("service_tier"), text("speed"), cost);
        if facts != expected {
            wrong.push(format!("{}: told {facts:?}, expected {expected:?}", block.id));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(blocks().len() >= 200);
}

#[test]
fn every_answer_costs_what_two_other_calculations_say() {
    let table: Value = serde_json::from_str(include_str!("../../model-prices.json")).unwrap();
    let prices = PriceTable::embedded();
    let mut priced = 0;
    for block in blocks() {
        let answer = answer(&block);
        let Some(usage) = answer.usage else {
            assert_eq!(block.cost_nano_usd, None, "{}", block.id);
            continue;
        };
        let named = [answer.model.as_deref(), Some(&*block.model)];
        let model = named.into_iter().flatten().find(|model| prices.find(&block.provider, model).is_some());
        let at: SystemTime = UNIX_EPOCH + Duration::from_secs(AT as u64);
        let cost = model.and_then(|model| {
            let mut call = Call::new(&block.provider, model, &usage);
            (call.at, call.service_tier, call.speed) = (at, answer.service_tier.as_deref(), answer.speed.as_deref());
            prices.cost(&call)
        });
        let entry = model
            .and_then(|model| prices.find(&block.provider, model))
            .map(|found| format!("{}/{}", found.provider(), found.id()));
        assert_eq!(entry, block.entry, "{}", block.id);
        let Some(entry) = entry else {
            assert_eq!((cost, block.cost_nano_usd), (None, None), "{}", block.id);
            continue;
        };

        let mut facts = BTreeMap::new();
        match tier(&answer) {
            Some("batch") => facts.extend([("processing".to_owned(), "batch".to_owned())]),
            tier => facts.extend(tier.map(|tier| ("service_tier".to_owned(), tier.to_owned()))),
        }
        facts.extend(answer.speed.clone().map(|speed| ("speed".to_owned(), speed)));
        let counts = counts(&usage);
        let second = independent::cost(
            &table,
            &entry,
            &Made { counts: &counts, facts: &facts, at: AT, is_resold: block.is_fallback },
        );
        let fits = |total: i128| i64::try_from(total + second.fees).is_ok();
        assert_eq!(cost.is_some(), second.total.is_some_and(fits), "{}: {cost:?} {second:?}", block.id);
        let Some(cost) = cost else { continue };
        priced += 1;
        let nano = |amount: NanoUsd| i128::from(amount.get());
        assert_eq!(Some(nano(cost.input)), second.input, "{}", block.id);
        assert_eq!(Some(nano(cost.total) - second.fees), second.total, "{}", block.id);
        assert_eq!(nano(cost.fees), second.fees, "{}", block.id);
        assert_eq!(cost.input + cost.output + cost.fees, cost.total, "{}", block.id);
        let apart = nano(cost.output) - second.output.unwrap();
        assert!(apart.abs() <= 1, "{}: {apart}", block.id);
        if !is_decided(&block) {
            let recorded = block.cost_nano_usd.unwrap_or_else(|| panic!("{} has a cost: {cost:?}", block.id));
            let of =
                |key: &str| recorded.get(key).cloned().flatten().and_then(|amount| amount.as_i64()).map(i128::from);
            assert_eq!((of("input"), of("total")), (second.input, second.total), "{}", block.id);
            assert_eq!(of("fees").unwrap_or(0), second.fees, "{}", block.id);
        }
    }
    assert!(priced >= 150, "only {priced} were priced");
}

/// What sources leave open and we decided otherwise is tested by itself.
#[test]
fn decisions_are_held() {
    let usage = |id: &str| answer(blocks().iter().find(|block| block.id == id).unwrap());
    let compacted = usage("anthropic-compaction").usage.unwrap();
    assert_eq!((compacted.input_tokens, compacted.output_tokens), (Some(5600), Some(1600)));
    assert_eq!(usage("openrouter-byok").reported_cost, Some(NanoUsd::new(128_900)));
    let deep = usage("perplexity-deep").usage.unwrap();
    assert_eq!((deep.input_tokens, deep.output_tokens, deep.citation_tokens), (Some(108), Some(76_504), Some(7_299)));
    let huge = usage("odd-huge").usage.unwrap();
    assert_eq!((huge.input_tokens, huge.output_tokens), (Some(9_007_199_254_740_993), Some(u64::MAX)));
}

/// Streams may end anywhere, and anything may stand in a body.
#[test]
fn no_part_of_an_answer_does_harm() {
    for block in blocks() {
        for provider in ["", "openai", "anthropic", "google", "perplexity", "aws.bedrock", "unknown"] {
            let mut answer = Answer::default();
            for chunk in block.chunks.iter().chain(&block.chunks) {
                answer.add_chunk(provider, chunk);
                for (_, part) in chunk.as_object().into_iter().flatten() {
                    answer.add_chunk(provider, part);
                }
            }
            let usage = answer.usage.unwrap_or_default();
            for (provider, model) in
                [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-flash")]
            {
                let cost = PriceTable::embedded().cost(&Call::new(provider, model, &usage));
                assert!(cost.is_none_or(|cost| cost.total.get() >= 0 && cost.output.get() >= 0), "{}", block.id);
            }
        }
    }
}
