use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::Rates;
use crate::time::parse_date;

fn at(date: &str, hour: u64) -> SystemTime {
    let day = parse_date(date).and_then(|day| u64::try_from(day).ok()).unwrap();
    UNIX_EPOCH + Duration::from_secs(day * 86_400 + hour * 3600)
}

fn table(models: &str) -> PriceTable {
    let text = format!(
        r#"{{"schema_version": 1, "as_of": "2026-11-21", "currency": "USD", "source": {{"name": "test", "version": "1"}},
            "providers": [{{"id": "p", "models": [{models}]}}]}}"#
    );
    PriceTable::from_json(&text).unwrap()
}

fn cost_of(table: &PriceTable, model: &str, usage: &Usage) -> Option<Cost> {
    let mut call = Call::new("p", model, usage);
    call.at = at("2026-11-21", 12);
    table.cost(&call)
}

fn total(cost: Option<Cost>) -> Option<String> {
    cost.map(|cost| cost.total.to_string())
}

#[cfg(feature = "embedded")]
#[test]
fn the_check_values_hold() {
    let usage = Usage::new(1_000, 500);
    for (provider, model, usd) in [
        ("openai", "gpt-4o", "0.0075"),
        ("openai", "gpt-4o-mini", "0.00045"),
        ("openai", "gpt-4", "0.06"),
        ("anthropic", "claude-3-5-haiku-20241022", "0.0028"),
        ("anthropic", "claude-3-5-sonnet-20241022", "0.0105"),
    ] {
        let mut call = Call::new(provider, model, &usage);
        call.at = at("2026-11-21", 12);
        let cost = PriceTable::embedded().cost(&call).unwrap();
        assert_eq!(cost.total.to_string(), usd, "{model}");
        assert_eq!(cost.input + cost.output, cost.total);
        assert_eq!(cost.price_table(), "genai-prices 0.2.3, 2026-11-21");
    }
}

#[test]
fn the_sum_is_rounded_once_and_the_parts_add_up() {
    // Half a billionth for a token in, and half for one out.
    let table =
        table(r#"{"id": "m", "match": {"eq": ["m"]}, "prices": [{"usd": {"input": 0.0005, "output": 0.0005}}]}"#);
    for (input, output, [of_input, of_output, total]) in [
        (1, 1, [0, 1, 1]),
        (3, 1, [2, 0, 2]),
        (5, 0, [2, 0, 2]),
        (1, 0, [0, 0, 0]),
        (0, 3, [0, 2, 2]),
        (7, 4, [4, 2, 6]),
    ] {
        let cost = cost_of(&table, "m", &Usage::new(input, output)).unwrap();
        assert_eq!(
            [cost.input, cost.output, cost.total].map(NanoUsd::get),
            [of_input, of_output, total],
            "{input} and {output}"
        );
    }
}

#[test]
fn what_contradicts_itself_has_no_cost() {
    let table = table(
        r#"{"id": "m", "match": {"eq": ["m"]}, "prices": [{"usd": {"input": 1, "output": 2, "input_audio": 3, "output_audio": 4}}]}"#,
    );
    let fine = Usage::new(100, 50);
    assert!(cost_of(&table, "m", &fine).is_some());
    for usage in [
        fine.with_cache_read(101),
        fine.with_cache_read(60).with_cache_write(41),
        fine.with_cache_write(10).with_cache_write_1h(11),
        fine.with_reasoning(51),
        fine.with_audio(101, 0),
        fine.with_audio(0, 51),
        fine.with_reasoning(50).with_audio(0, 1),
        fine.with_cache_read(10).with_cache_read_audio(11),
        fine.with_cache_read(u64::MAX).with_cache_write(u64::MAX),
        Usage::new(u64::MAX, u64::MAX),
        Usage::input(100),
        Usage::default(),
    ] {
        assert_eq!(cost_of(&table, "m", &usage), None, "{usage:?}");
    }
    assert_eq!(cost_of(&table, "n", &fine), None);
}

#[test]
fn a_model_without_a_price_of_output_is_sold_by_its_input() {
    let table = table(
        r#"{"id": "embed", "match": {"eq": ["embed"]}, "prices": [{"usd": {"input": 0.02}}]},
           {"id": "free", "match": {"eq": ["free"]}, "prices": [], "free": true}"#,
    );
    assert_eq!(total(cost_of(&table, "embed", &Usage::input(8191))).as_deref(), Some("0.00016382"));
    assert_eq!(total(cost_of(&table, "embed", &Usage::new(8191, 7))).as_deref(), Some("0.00016382"));
    let free = cost_of(&table, "free", &Usage::default()).unwrap();
    assert_eq!((free.total, free.rule.as_str()), (NanoUsd::ZERO, "p/free, free"));
    // The price that somebody gave may be forgotten by half.
    let table = table.with_price("mine", Rates::from_texts([("input", "1")]).unwrap());
    assert_eq!(cost_of(&table, "mine", &Usage::new(10, 10)), None);
    assert_eq!(total(cost_of(&table, "mine", &Usage::input(10))).as_deref(), Some("0.00001"));
}

#[test]
fn thresholds_are_cliffs_and_the_highest_wins() {
    let table = table(
        r#"{"id": "m", "match": {"eq": ["m"]}, "prices": [{"usd": {"input": 1, "output": 1, "cache_read": 0.1},
            "tiers": [{"input_tokens_over": 2000, "usd": {"input": 3}}, {"input_tokens_over": 1000, "usd": {"input": 2, "output": 2}}]}],
            "variants": [{"when": {"service_tier": "flat"}, "usd": {"input": 5}}]}"#,
    );
    for (input, usd, rule) in [
        (1000, "0.001001", "p/m"),
        (1001, "0.002004", "p/m, over 1000"),
        (2000, "0.004002", "p/m, over 1000"),
        (2001, "0.006005", "p/m, over 2000"),
    ] {
        let cost = cost_of(&table, "m", &Usage::new(input, 1)).unwrap();
        assert_eq!((cost.total.to_string().as_str(), cost.rule.as_str()), (usd, rule), "{input}");
    }
    // All input counts for the threshold, also what came from the cache.
    assert_eq!(total(cost_of(&table, "m", &Usage::new(1001, 0).with_cache_read(1001))).as_deref(), Some("0.0001001"));
    // A variant that names a rate has its own thresholds for it, or none; those of other rates stay.
    let usage = Usage::new(2001, 1);
    let mut call = Call::new("p", "m", &usage);
    call.service_tier = Some("FLAT");
    let cost = table.cost(&call).unwrap();
    assert_eq!(
        (cost.total.to_string().as_str(), cost.rule.as_str()),
        ("0.010007", "p/m, over 2000, FLAT".replace("FLAT", "flat").as_str())
    );
}

#[test]
fn prices_have_dates_and_times_of_day() {
    let table = table(
        r#"{"id": "m", "match": {"eq": ["m"]}, "prices": [{"usd": {"input": 10}}, {"from": "2025-06-10", "usd": {"input": 2}},
              {"daily_utc": {"start": "22:00:00", "end": "02:00:00"}, "usd": {"input": 1}}],
            "variants": [{"when": {"processing": "batch"}, "from": "2026-10-14", "usd": {"input": 0.5}}, {"when": {"weather": "fine"}, "usd": {"input": 9}}]},
           {"id": "late", "match": {"eq": ["late"]}, "prices": [{"from": "2030-01-01", "usd": {"input": 7}}]}"#,
    );
    let usage = Usage::input(1_000_000);
    for (model, date, hour, batch, usd, rule) in [
        ("m", "2025-06-09", 12, false, "10", "p/m"),
        ("m", "2025-06-10", 12, false, "2", "p/m, from 2025-06-10"),
        ("m", "2025-06-10", 23, false, "1", "p/m, 22:00 to 02:00 UTC"),
        ("m", "2025-06-10", 1, false, "1", "p/m, 22:00 to 02:00 UTC"),
        ("m", "2025-06-10", 2, false, "2", "p/m, from 2025-06-10"),
        ("m", "2026-10-13", 12, true, "2", "p/m, from 2025-06-10"),
        ("m", "2026-10-14", 12, true, "0.5", "p/m, from 2025-06-10, batch, from 2026-10-14"),
        // Before the first price there is no other.
        ("late", "2026-10-14", 12, false, "7", "p/late, from 2030-01-01"),
    ] {
        let mut call = Call::new("p", model, &usage);
        (call.at, call.batch) = (at(date, hour), batch);
        let cost = table.cost(&call).unwrap();
        assert_eq!((cost.total.to_string().as_str(), cost.rule.as_str()), (usd, rule), "{date} {hour}");
    }
    let mut call = Call::new("p", "m", &usage);
    (call.at, call.service_tier) = (at("2026-11-01", 12), Some("Batch"));
    assert_eq!(total(table.cost(&call)).as_deref(), Some("0.5"));
    call.at = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(total(table.cost(&call)).as_deref(), Some("1"));
}

#[test]
fn fees_are_beside_input_and_output() {
    let table = table(
        r#"{"id": "m", "match": {"eq": ["m"]}, "prices": [{"usd": {"input": 1, "output": 1, "per_1k_web_searches": 10, "per_1k_requests": 5, "output_citation": 2}}]}"#,
    );
    let mut usage = Usage::new(1000, 1000).with_web_searches(3);
    let cost = cost_of(&table, "m", &usage).unwrap();
    assert_eq!(
        [cost.input, cost.output, cost.fees, cost.total].map(|usd| usd.to_string()),
        ["0.001", "0.001", "0.035", "0.037"]
    );
    usage.citation_tokens = Some(500);
    assert_eq!(total(cost_of(&table, "m", &usage)).as_deref(), Some("0.038"));
}

#[test]
fn every_kind_of_token_has_its_rate_or_the_next_best() {
    let rates = r#""input": 1, "output": 10, "cache_read": 0.1, "cache_write": 2, "cache_write_1h": 3, "output_reasoning": 20,
        "input_audio": 4, "cache_read_audio": 0.4, "output_audio": 40, "input_image": 5, "output_image": 50"#;
    let table = table(&format!(
        r#"{{"id": "all", "match": {{"eq": ["all"]}}, "prices": [{{"usd": {{{rates}}}}}]}},
           {{"id": "two", "match": {{"eq": ["two"]}}, "prices": [{{"usd": {{"input": 1, "output": 10}}}}]}}"#
    ));
    let all = Usage::new(1_000_000, 1_000_000);
    for (usage, with_all, with_two) in [
        (all, "11", "11"),
        (all.with_cache_read(500_000), "10.55", "11"),
        (all.with_cache_write(500_000), "11.5", "11"),
        (all.with_cache_write(500_000).with_cache_write_1h(250_000), "11.75", "11"),
        (all.with_cache_write_1h(500_000), "12", "11"),
        (all.with_reasoning(500_000), "16", "11"),
        (all.with_audio(500_000, 0), "12.5", "11"),
        (all.with_audio(500_000, 500_000), "27.5", "11"),
        (all.with_images(500_000, 500_000), "33", "11"),
        // Of 500,000 tokens of audio half is cached, and of the cache half is audio.
        (all.with_audio(500_000, 0).with_cache_read(500_000).with_cache_read_audio(250_000), "11.375", "11"),
    ] {
        assert_eq!(total(cost_of(&table, "all", &usage)).as_deref(), Some(with_all), "{usage:?}");
        assert_eq!(total(cost_of(&table, "two", &usage)).as_deref(), Some(with_two), "{usage:?}");
    }
}
