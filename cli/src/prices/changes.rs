//! What a file of prices changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use spandrel_plugin_api::AnyValue;
use spandrel_plugin_api::json::Object;
use spandrel_prices::{Model, PriceTable};

use super::put_text;
use crate::failure::Failure;
use crate::output::{Output, Style};

pub(super) struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<Changed>,
}

/// A model that costs something else.
struct Changed {
    name: String,
    /// Empty if all rates are as they were, and something else of the model is not.
    rates: Vec<Changing>,
}

/// A rate that is new, gone or another.
struct Changing {
    condition: String,
    rate: &'static str,
    before: Option<String>,
    after: Option<String>,
}

impl Changes {
    pub(super) fn between(old: &PriceTable, new: &PriceTable) -> Self {
        // Of two entries of one name both count.
        let by_name = |table: &PriceTable| {
            let mut models: BTreeMap<String, Vec<Model>> = BTreeMap::new();
            for model in table.models() {
                models.entry(format!("{}/{}", model.provider(), model.id())).or_default().push(model.clone());
            }
            models
        };
        let (old, new) = (by_name(old), by_name(new));
        let without = |these: &BTreeMap<String, Vec<Model>>, others: &BTreeMap<String, Vec<Model>>| {
            these.keys().filter(|name| !others.contains_key(*name)).cloned().collect()
        };
        let changed = new.iter().filter_map(|(name, models)| {
            let before = old.get(name).filter(|before| *before != models)?;
            Some(Changed { name: name.clone(), rates: rates_between(before, models) })
        });
        Self { added: without(&new, &old), removed: without(&old, &new), changed: changed.collect() }
    }

    /// `is_written`: whether the new prices are in place.
    pub(super) fn tell(
        &self,
        to: &Path,
        is_written: bool,
        old: &PriceTable,
        new: &PriceTable,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let Self { added, removed, changed } = self;
        if output.json {
            return output.object(|document| {
                document.display("file", &to.display());
                document.boolean("written", is_written);
                document.text("source", new.source());
                document.text("as_of", new.as_of());
                document.text("as_of_before", old.as_of());
                for (key, names) in [("added", added), ("removed", removed)] {
                    document.array(key, |all| names.iter().for_each(|name| all.value(AnyValue::Str(name))));
                }
                document.array("changed", |all| changed.iter().for_each(|one| all.object(|object| one.write(object))));
            });
        }
        let text =
            format!("{}: {}, {} (before {}, {})", to.display(), new.source(), new.as_of(), old.source(), old.as_of());
        let head = if is_written { (Style::Good, "wrote ") } else { (Style::Warning, "would write ") };
        output.line(&[head, (Style::Plain, &text)])?;
        // Dates are written so that their order is that of their texts.
        if new.as_of() < old.as_of() {
            output.line(&[(Style::Warning, "these prices are older than those before")])?;
        }
        for (mark, names) in [("+", added), ("-", removed)] {
            for name in names {
                output.line(&[(Style::Plain, &format!("{mark} {name}"))])?;
            }
        }
        changed.iter().try_for_each(|one| one.print(output))?;
        let (added, removed, changed) = (added.len(), removed.len(), changed.len());
        output.line(&[(Style::Plain, &format!("{added} added, {removed} removed, {changed} changed"))])
    }
}

impl Changed {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let other = if self.rates.is_empty() { "  not its rates: its names, context or state" } else { "" };
        output.line(&[(Style::Plain, &format!("~ {}", self.name)), (Style::Dim, other)])?;
        for Changing { condition, rate, before, after } in &self.rates {
            let condition = if condition.is_empty() { String::new() } else { format!("{condition}: ") };
            let [before, after] = [before, after].map(|rate| rate.as_deref().unwrap_or("none"));
            output.line(&[
                (Style::Dim, &format!("    {condition}")),
                (Style::Plain, &format!("{rate} {before} -> {after}")),
            ])?;
        }
        Ok(())
    }

    fn write(&self, object: &mut Object<'_>) {
        object.text("model", &self.name);
        object.array("rates", |all| {
            for Changing { condition, rate, before, after } in &self.rates {
                all.object(|object| {
                    object.text("condition", condition);
                    object.text("rate", rate);
                    put_text(object, "before", before.as_deref());
                    put_text(object, "after", after.as_deref());
                });
            }
        });
    }
}

/// The rates that differ, by their conditions.
fn rates_between(before: &[Model], after: &[Model]) -> Vec<Changing> {
    let (before, after) = (rates(before), rates(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changing = |key: &(usize, String, &'static str)| {
        let (before, after) = (before.get(key).cloned(), after.get(key).cloned());
        let (_, condition, rate) = key;
        (before != after).then(|| Changing { condition: condition.clone(), rate, before, after })
    };
    keys.into_iter().filter_map(changing).collect()
}

/// All rates of models of one name: by which of them has it, under which condition.
fn rates(models: &[Model]) -> BTreeMap<(usize, String, &'static str), String> {
    let conditions = models.iter().enumerate().flat_map(|(at, model)| {
        model.conditions().map(move |(condition, rates)| (at, condition, rates)).collect::<Vec<_>>()
    });
    let rates = conditions.flat_map(|(at, condition, rates)| {
        rates.iter().map(move |(rate, usd)| ((at, condition.clone(), rate), usd)).collect::<Vec<_>>()
    });
    rates.collect()
}
