use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use spandrel_prices::{Call, NanoUsd, PriceTable, Usage};

use crate::independent::{self, Counts, Made, decimal};

/// What the library that the prices are from computes itself: all its models, variants, dates and times of day.
const CASES: &str = include_str!("../data/genai-prices.tsv");

struct Case {
    provider: &'static str,
    model: &'static str,
    at: i64,
    /// `processing=batch`, or nothing.
    made: Option<(&'static str, &'static str)>,
    counts: Counts,
    /// In billionths of a dollar, exact, with another nine decimals.
    input: i128,
    total: i128,
    /// Why we differ, if we do.
    reason: &'static str,
}

fn cases() -> Vec<Case> {
    let usages = CASES.lines().filter_map(|line| line.strip_prefix("# usage "));
    let usages: Vec<Counts> = usages.map(|usage| serde_json::from_str(usage).unwrap()).collect();
    let rows = CASES.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let fields: Vec<&'static str> = row.split('\t').collect();
        let [provider, model, at, made, usage, input, _output, total, reason] = fields[..] else { panic!("{row}") };
        let (at, usage): (i64, usize) = (at.parse().unwrap(), usage.parse().unwrap());
        let (input, total) = (decimal_18(input), decimal_18(total));
        Case { provider, model, at, made: made.split_once('='), counts: usages[usage].clone(), input, total, reason }
    })
    .collect()
}

/// A decimal of at most 18 places.
fn decimal_18(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    decimal(whole) * 1_000_000_000 + format!("{fraction:0<18}").parse::<i128>().unwrap()
}

fn usage(counts: &Counts) -> Usage {
    let count = |key: &str| counts.get(key).copied();
    let mut usage = Usage::new(counts["input_tokens"], counts["output_tokens"]);
    usage.cache_read_tokens = count("cache_read");
    usage.cache_write_tokens = count("cache_write");
    usage.cache_write_1h_tokens = count("cache_write_1h");
    usage.reasoning_tokens = count("reasoning");
    usage
}

#[test]
fn costs_agree_with_the_library_that_the_prices_are_from() {
    let prices = PriceTable::embedded();
    let table: Value = serde_json::from_str(include_str!("../../model-prices.json")).unwrap();
    let base: usize = CASES.lines().find_map(|line| line.strip_prefix("# base ")).unwrap().parse().unwrap();
    let (mut agree, mut wrong) = (0, Vec::new());
    for (at, case) in cases().into_iter().enumerate() {
        let usage = usage(&case.counts);
        let mut call = Call::new(case.provider, case.model, &usage);
        call.at = UNIX_EPOCH + Duration::from_secs(case.at as u64);
        match case.made {
            Some(("processing", _)) => call.batch = true,
            Some(("service_tier", tier)) => call.service_tier = Some(tier),
            Some(("speed", speed)) => call.speed = Some(speed),
            _ => {}
        }
        let name = format!("{}/{} at {} {:?}", case.provider, case.model, case.at, case.made);
        let cost = prices.cost(&call);
        if !case.reason.is_empty() {
            assert_eq!(cost, None, "{name}: {}", case.reason);
            continue;
        }
        let Some(cost) = cost else {
            wrong.push(format!("{name}: no cost"));
            continue;
        };
        // Theirs are exact and ours are rounded, half to even.
        let rounded = |exact: i128| {
            let (nano, rest) = (exact / 1_000_000_000, exact % 1_000_000_000);
            nano + i128::from(rest > 500_000_000 || rest == 500_000_000 && nano % 2 == 1)
        };
        let nano = |amount: NanoUsd| i128::from(amount.get());
        if (nano(cost.input), nano(cost.total)) != (rounded(case.input), rounded(case.total)) {
            wrong.push(format!("{name}: {} of {}, theirs {} of {}", cost.input, cost.total, case.input, case.total));
            continue;
        }
        agree += usize::from(at < base);
        // And a second time by ourselves.
        let found = prices.find(case.provider, case.model).unwrap();
        let entry = format!("{}/{}", found.provider(), found.id());
        let facts: BTreeMap<_, _> =
            case.made.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let is_resold = cost.rule.contains(" by ");
        let second =
            independent::cost(&table, &entry, &Made { counts: &case.counts, facts: &facts, at: case.at, is_resold });
        if found.is_free() {
            assert_eq!(cost.total, NanoUsd::ZERO, "{name}");
        } else {
            assert_eq!(
                (Some(nano(cost.input)), Some(nano(cost.total) - second.fees)),
                (second.input, second.total),
                "{name}"
            );
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(agree >= 950, "{agree} of {base} agree");
    println!("{agree} of {base} agree");
}
