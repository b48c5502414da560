//! The cost of a call, calculated a second time: from the JSON as it is and the formula of the README, without the crate.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) type Counts = BTreeMap<String, u64>;

/// In billionths of a dollar; `None` is not known. `total` is without fees.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) input: Option<i128>,
    pub(crate) output: Option<i128>,
    pub(crate) total: Option<i128>,
    pub(crate) fees: i128,
}

pub(crate) struct Made<'a> {
    pub(crate) counts: &'a Counts,
    /// How the call was made: `processing`, `service_tier`, `speed`.
    pub(crate) facts: &'a BTreeMap<String, String>,
    /// Seconds since 1970.
    pub(crate) at: i64,
    /// By a provider that sells the models of another.
    pub(crate) is_resold: bool,
}

/// `entry` is the provider and the model, as the table calls them: `openai/gpt-4o`.
pub(crate) fn cost(table: &Value, entry: &str, made: &Made<'_>) -> Expected {
    let (provider, id) = entry.split_once('/').unwrap();
    let by_id = |list: &Value, id: &str| list.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone();
    let model = by_id(&by_id(&table["providers"], provider)["models"], id);
    let rate = rates(&model, made);
    let count = |key: &str| i128::from(made.counts.get(key).copied().unwrap_or(0));
    let has = |key: &str| rate.contains_key(key);
    let price = |keys: &[&str]| keys.iter().find_map(|key| rate.get(*key).copied()).unwrap_or(0);

    let [audio, image] = ["audio", "image"].map(|kind| {
        let (all, cached) = (count(&format!("input_{kind}")), count(&format!("cache_read_{kind}")));
        (if has(&format!("input_{kind}")) && all > 0 { all - cached } else { 0 }, cached)
    });
    let (read, write, hour) = (count("cache_read"), count("cache_write"), count("cache_write_1h"));
    let input_parts = [
        (count("input_tokens") - read - write - audio.0 - image.0, price(&["input"])),
        (audio.0, price(&["input_audio"])),
        (image.0, price(&["input_image"])),
        (read - audio.1 - image.1, price(&["cache_read", "input"])),
        (audio.1, price(&["cache_read_audio", "cache_read", "input"])),
        (image.1, price(&["cache_read_image", "cache_read", "input"])),
        (write - hour, price(&["cache_write_5m", "cache_write", "input"])),
        (hour, price(&["cache_write_1h", "cache_write", "input"])),
    ];
    let told = |kind: &str| if has(kind) { count(kind) } else { 0 };
    let (sound, picture, thought) = (told("output_audio"), told("output_image"), count("reasoning"));
    let output_parts = [
        (count("output_tokens") - sound - picture - thought, price(&["output"])),
        (sound, price(&["output_audio"])),
        (picture, price(&["output_image"])),
        (thought, price(&["output_reasoning", "output"])),
        (count("citation_tokens"), price(&["output_citation"])),
    ];
    let sum = |parts: &[(i128, i128)]| {
        let is_possible = parts.iter().all(|(tokens, _)| *tokens >= 0);
        is_possible.then(|| parts.iter().map(|(tokens, price)| tokens * price).sum::<i128>())
    };
    let input = made.counts.contains_key("input_tokens").then(|| sum(&input_parts)).flatten();
    let output = if !has("output") && model["free"] != true {
        Some(0)
    } else {
        made.counts.contains_key("output_tokens").then(|| sum(&output_parts)).flatten()
    };
    Expected {
        input: input.map(|sum| rounded(sum, 1_000_000)),
        output: output.map(|sum| rounded(sum, 1_000_000)),
        total: input.zip(output).map(|(input, output)| rounded(input + output, 1_000_000)),
        fees: rounded(price(&["per_1k_requests"]) + count("web_searches") * price(&["per_1k_web_searches"]), 1000),
    }
}

fn rates(model: &Value, made: &Made<'_>) -> BTreeMap<String, i128> {
    let holds = |entry: &Value| {
        let is_begun = entry["from"].as_str().is_none_or(|from| date(made.at).as_str() >= from);
        let clock = made.at.rem_euclid(86_400);
        let now = format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
        let is_hour = entry["daily_utc"]["start"].as_str().is_none_or(|start| {
            let end = entry["daily_utc"]["end"].as_str().unwrap();
            if start <= end {
                start <= now.as_str() && now.as_str() < end
            } else {
                start <= now.as_str() || now.as_str() < end
            }
        });
        is_begun && is_hour
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut rates = BTreeMap::new();
    let put = |entry: &Value, rates: &mut BTreeMap<String, i128>| {
        let mut all = vec![(0, &entry["usd"])];
        let tiers = list(&entry["tiers"]);
        all.extend(tiers.iter().map(|tier| (tier["input_tokens_over"].as_u64().unwrap() + 1, &tier["usd"])));
        all.sort_by_key(|(from, _)| *from);
        for (_, usd) in
            all.into_iter().filter(|(from, _)| made.counts.get("input_tokens").copied().unwrap_or(0) >= *from)
        {
            rates.extend(usd.as_object().unwrap().iter().map(|(key, usd)| (key.clone(), decimal(&usd.to_string()))));
        }
    };
    let prices = list(&model["prices"]);
    if let Some(price) = prices.iter().rev().find(|entry| holds(entry)).or(prices.first()) {
        put(price, &mut rates);
    }
    for variant in list(&model["variants"]).iter().rev().filter(|_| !made.is_resold) {
        let when = variant["when"].as_object().unwrap();
        if holds(variant) && when.iter().all(|(key, value)| made.facts.get(key).map(String::as_str) == value.as_str()) {
            put(variant, &mut rates);
        }
    }
    rates
}

/// A decimal in billionths.
pub(crate) fn decimal(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 9, "{text}");
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

fn rounded(value: i128, divisor: i128) -> i128 {
    let (double, even) = (2 * (value % divisor), (value / divisor) % 2 == 0);
    value / divisor + i128::from(double > divisor || double == divisor && !even)
}

/// Counted day by day, as nothing else is as simple.
fn date(at: i64) -> String {
    let (mut day, mut year, mut month) = (at.div_euclid(86_400), 1970, 1);
    loop {
        let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        let days = [31, 28 + i64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        if day < days {
            return format!("{year}-{month:02}-{:02}", day + 1);
        }
        day -= days;
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
}
