use spandrel_plugin_api::config::Reader;
use spandrel_plugin_api::{Error, ErrorKind, SpanKind};

use crate::sampler::{Sampler, SamplerRule};

/// The sampler that the table `[sampler]` describes; none if there is nothing in it, as in a
/// file that `spandrel init` wrote.
pub(super) fn read_sampler(table: &mut Reader<'_>) -> Result<Option<Sampler>, Error> {
    let name = table.text("type")?;
    let ratio = table.float("ratio")?;
    let per_second = table.float("per_second")?;
    let parent_based = table.boolean("parent_based")?;
    let rules = table.tables("rules", read_rule)?.unwrap_or_default();
    if (name, ratio, per_second, parent_based) == (None, None, None, None) && rules.is_empty() {
        return Ok(None);
    }
    let name = name.unwrap_or(match (&rules[..], ratio, per_second) {
        ([_, ..], _, _) => "rules",
        (_, _, Some(_)) => "rate_limited",
        (_, Some(_), _) => "parent_ratio",
        _ => "parent_always_on",
    });
    if !rules.is_empty() && !name.ends_with("rules") {
        return Err(table.error("rules", format!("the sampler `{name}` takes no rules; set its type to \"rules\"")));
    }
    named_sampler(name, ratio, per_second, rules, parent_based).map(Some).map_err(|error| {
        let key = match name.contains("rate_limited") {
            _ if error.message().starts_with("there is no sampler") => "type",
            true => "per_second",
            false => "ratio",
        };
        table.error(key, error.to_string())
    })
}

/// One rule: conditions, and either `ratio` or `per_second`.
fn read_rule(table: &mut Reader<'_>) -> Result<SamplerRule, Error> {
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let name = table.text("name")?;
    let kind = table.choice("kind", &kinds.map(|kind| (kind.as_str(), kind)))?;
    let attribute = table.text("attribute")?;
    let value = table.text("value")?;
    let sampler = match (table.float("ratio")?, table.float("per_second")?) {
        (Some(ratio), None) => Sampler::ratio(ratio).map_err(|error| table.error("ratio", error.to_string()))?,
        (None, Some(rate)) => {
            Sampler::rate_limited(rate).map_err(|error| table.error("per_second", error.to_string()))?
        }
        _ => return Err(table.error("ratio", "a sampler rule needs either `ratio` (0 to 1) or `per_second`")),
    };
    let mut rule = SamplerRule::new(sampler);
    if let Some(name) = name {
        rule = rule.with_name(name);
    }
    if let Some(kind) = kind {
        rule = rule.with_kind(kind);
    }
    if let Some(key) = attribute {
        rule = rule.with_attribute(key, value);
    }
    Ok(rule)
}

/// The sampler with this name, in our spelling or that of `OTEL_TRACES_SAMPLER`.
pub(super) fn named_sampler(
    name: &str,
    ratio: Option<f64>,
    per_second: Option<f64>,
    rules: Vec<SamplerRule>,
    parent_based: Option<bool>,
) -> Result<Sampler, Error> {
    const NAMES: [&str; 10] = [
        "always_on",
        "always_off",
        "ratio",
        "rate_limited",
        "rules",
        "parent_always_on",
        "parent_always_off",
        "parent_ratio",
        "parent_rate_limited",
        "parent_rules",
    ];
    let prefix = name.strip_prefix("parentbased_").or_else(|| name.strip_prefix("parent_"));
    let base = prefix.unwrap_or(name);
    let sampler = match base {
        "always_on" => Sampler::always_on(),
        "always_off" => Sampler::always_off(),
        "ratio" | "traceidratio" => Sampler::ratio(ratio.unwrap_or(1.0))?,
        "rate_limited" => {
            let rate = per_second.ok_or_else(|| {
                let message = "the sampler `rate_limited` needs `per_second`, a number of traces";
                Error::new(ErrorKind::ConfigInvalid, message)
            })?;
            Sampler::rate_limited(rate)?
        }
        "rules" => {
            let otherwise = match (per_second, ratio) {
                (Some(rate), _) => Sampler::rate_limited(rate)?,
                (None, ratio) => Sampler::ratio(ratio.unwrap_or(1.0))?,
            };
            Sampler::rules(rules, otherwise)
        }
        _ => {
            let meant = spandrel_plugin_api::suggest::nearest(name, NAMES);
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let message = format!("there is no sampler `{name}`{meant}");
            return Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("available", NAMES.join(", ")));
        }
    };
    // A limit or a rule is meant for traces, not for single spans.
    let for_traces = matches!(base, "rate_limited" | "rules");
    let parent_based = parent_based.unwrap_or(prefix.is_some() || for_traces);
    Ok(if parent_based { Sampler::parent_based(sampler) } else { sampler })
}
