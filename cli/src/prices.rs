use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use spandrel_plugin_api::AnyValue;
use spandrel_plugin_api::json::Object;
use spandrel_prices::{Call, Cost, ErrorKind, Model, PriceTable, Rates, Usage};

use crate::failure::Failure;
use crate::output::{Output, Style};

/// The file of prices in place of those of this program.
const FILE_VARIABLE: &str = "TRACING_PRICES_FILE";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what models cost, and what a call costs
    #[command(after_help = "Prices are US dollars per million tokens, indicative and not a bill.")]
    Show(Show),
    /// Read a file of prices and say what is wrong
    Check { file: PathBuf },
    /// Put a file of prices in place of another, and say what changes
    Update(Update),
}

#[derive(Args)]
pub(crate) struct Show {
    /// The model; all if left out
    model: Option<String>,
    /// By whom it is sold, in any of its names: openai, gcp.gemini, bedrock
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Tokens of a call whose cost is shown; what was read from the cache is part of the input
    #[arg(long, value_name = "IN,OUT[,CACHE_READ]", requires = "model", value_parser = usage)]
    usage: Option<Box<Usage>>,
    /// A file of prices, instead of TRACING_PRICES_FILE and of those of this program
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Update {
    /// The new prices
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Where they go; TRACING_PRICES_FILE if left out
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(crate) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Show(arguments) => show(arguments, output),
        Command::Check { file } => check(file, output),
        Command::Update(arguments) => update(arguments, output),
    }
}

fn usage(text: &str) -> Result<Box<Usage>, String> {
    let counts: Result<Vec<u64>, _> = text.split(',').map(|count| count.trim().parse()).collect();
    match counts.as_deref() {
        Ok(&[input, output]) => Ok(Box::new(Usage::new(input, output))),
        Ok(&[input, output, cache_read]) => Ok(Box::new(Usage::new(input, output).with_cache_read(cache_read))),
        _ => Err("write tokens in and out, such as 1000,500, or with those from the cache, 1000,500,800".to_owned()),
    }
}

fn variable() -> Option<PathBuf> {
    std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn read(path: &Path) -> Result<PriceTable, Failure> {
    PriceTable::from_file(path).map_err(|error| match error.kind() {
        ErrorKind::Read => Failure::Io(error.to_string()),
        _ => Failure::NotWell(error.to_string()),
    })
}

fn show(arguments: &Show, output: &mut Output) -> Result<(), Failure> {
    let own = match arguments.file.clone().or_else(variable) {
        Some(path) => Some(read(&path)?),
        None => None,
    };
    let table = own.as_ref().unwrap_or_else(|| PriceTable::embedded());
    let models = found(table, arguments)?;
    let cost = |model: &Model| {
        let usage = arguments.usage.as_deref()?;
        // The name as it was asked for, by the one who was named: who resells has no variants.
        let provider = arguments.provider.as_deref().unwrap_or(model.provider());
        table.cost(&Call::new(provider, arguments.model.as_deref()?, usage))
    };
    if output.json {
        return output.object(|document| {
            document.text("source", table.source());
            document.text("as_of", table.as_of());
            document.array("models", |all| {
                models.iter().for_each(|model| all.object(|object| write(model, cost(model), object)));
            });
        });
    }
    if arguments.model.is_none() {
        return list(table, &models, output);
    }
    for model in models {
        print(model, output)?;
        if let Some(usage) = &arguments.usage {
            print_cost(usage, cost(model), output)?;
        }
    }
    output.line(&[(
        Style::Dim,
        &format!("{}, {}: US dollars per million tokens, not a bill", table.source(), table.as_of()),
    )])
}

/// The models that are asked for, by every provider that has one of that name if none is named.
fn found<'a>(table: &'a PriceTable, arguments: &Show) -> Result<Vec<&'a Model>, Failure> {
    let mut providers: Vec<&str> = table.models().map(Model::provider).collect();
    providers.dedup();
    let models: Vec<&Model> = match (&arguments.model, &arguments.provider) {
        (None, None) => table.models().collect(),
        (None, Some(provider)) => {
            let is_of = |model: &&Model| {
                table.find(provider, model.id()).is_some_and(|found| found.provider() == model.provider())
            };
            table.models().filter(is_of).collect()
        }
        (Some(model), Some(provider)) => table.find(provider, model).into_iter().collect(),
        (Some(model), None) => {
            let own = |provider: &&str| table.find(provider, model).filter(|found| found.provider() == *provider);
            providers.iter().filter_map(own).collect()
        }
    };
    if !models.is_empty() {
        return Ok(models);
    }
    let asked = match (&arguments.model, &arguments.provider) {
        (Some(model), Some(provider)) => format!("no price for {model:?} of {provider:?}"),
        (Some(model), None) => format!("no price for {model:?}"),
        (None, provider) => format!("no prices of {:?}", provider.as_deref().unwrap_or_default()),
    };
    Err(Failure::NotWell(format!("{asked}; there are models of {}", providers.join(", "))))
}

fn list(table: &PriceTable, models: &[&Model], output: &mut Output) -> Result<(), Failure> {
    let now = SystemTime::now();
    output.line(&[(Style::Dim, &format!("{:>10} {:>10} {:>10}  model", "input", "output", "cache_read"))])?;
    for model in models {
        let rates = model.rates(now);
        let [input, out, cache] = ["input", "output", "cache_read"].map(|key| match rates {
            _ if model.is_free() => "free".to_owned(),
            rates => rates.and_then(|rates| rates.get(key)).unwrap_or_else(|| "-".to_owned()),
        });
        output.line(&[
            (Style::Plain, &format!("{input:>10} {out:>10} {cache:>10}  {}/", model.provider())),
            (Style::Bold, model.id()),
            (Style::Dim, if model.is_deprecated() { "  deprecated" } else { "" }),
        ])?;
    }
    let last = format!(
        "{} models, {}, {}: US dollars per million tokens, not a bill",
        models.len(),
        table.source(),
        table.as_of()
    );
    output.line(&[(Style::Dim, &last)])
}

fn print(model: &Model, output: &mut Output) -> Result<(), Failure> {
    let mut facts = String::new();
    if let Some(tokens) = model.context_window() {
        facts.push_str(&format!("  {tokens} tokens of context"));
    }
    if model.is_deprecated() {
        facts.push_str("  deprecated");
    }
    output.line(&[(Style::Bold, &format!("{}/{}", model.provider(), model.id())), (Style::Dim, &facts)])?;
    if model.is_free() {
        output.line(&[(Style::Plain, "  free")])?;
    }
    for (condition, rates) in model.conditions() {
        let condition = if condition.is_empty() { String::new() } else { format!("{condition}: ") };
        output.line(&[(Style::Dim, &format!("  {condition}")), (Style::Plain, &text(rates))])?;
    }
    Ok(())
}

fn text(rates: &Rates) -> String {
    let mut all: Vec<(&str, String)> = rates.iter().collect();
    // What everybody looks for comes first.
    all.sort_by_key(|(key, _)| ["input", "output"].iter().position(|first| first == key).unwrap_or(2));
    all.iter().map(|(key, usd)| format!("{key} {usd}")).collect::<Vec<_>>().join("  ")
}

fn print_cost(usage: &Usage, cost: Option<Cost>, output: &mut Output) -> Result<(), Failure> {
    let count = |count: Option<u64>| count.unwrap_or(0);
    let tokens = format!("  {} in, {} out", count(usage.input_tokens), count(usage.output_tokens));
    let cached = usage.cache_read_tokens.map(|cached| format!(", {cached} of them from the cache")).unwrap_or_default();
    match cost {
        Some(cost) => output.line(&[
            (Style::Plain, &format!("{tokens}{cached}: ")),
            (Style::Bold, &format!("{} USD", cost.total)),
            (Style::Plain, &parts(&cost)),
            (Style::Dim, &format!("  by {}", cost.rule)),
        ]),
        None => output.line(&[(Style::Bad, &format!("{tokens}{cached}: the cost cannot be known from these counts"))]),
    }
}

fn parts(cost: &Cost) -> String {
    let fees = if cost.fees.get() == 0 { String::new() } else { format!(", fees {}", cost.fees) };
    format!(" (input {}, output {}{fees})", cost.input, cost.output)
}

fn write(model: &Model, cost: Option<Cost>, object: &mut Object<'_>) {
    object.text("provider", model.provider());
    object.text("model", model.id());
    object.boolean("free", model.is_free());
    object.boolean("deprecated", model.is_deprecated());
    match model.context_window() {
        Some(tokens) => object.number("context_window", tokens),
        None => object.null("context_window"),
    }
    object.array("prices", |all| {
        for (condition, rates) in model.conditions() {
            all.object(|object| {
                object.text("condition", &condition);
                // Decimals as text, as a float is not what was written.
                object.object("usd", |usd| rates.iter().for_each(|(key, rate)| usd.text(key, &rate)));
            });
        }
    });
    match cost {
        Some(cost) => object.object("cost", |object| {
            object.display("input", &cost.input);
            object.display("output", &cost.output);
            object.display("fees", &cost.fees);
            object.display("total", &cost.total);
            object.text("rule", &cost.rule);
        }),
        None => object.null("cost"),
    }
}

fn check(file: &Path, output: &mut Output) -> Result<(), Failure> {
    let table = read(file)?;
    let models = table.models().count();
    if output.json {
        return output.object(|document| {
            document.display("file", &file.display());
            document.text("source", table.source());
            document.text("as_of", table.as_of());
            document.number("models", models as u64);
        });
    }
    let text = format!("{}: {models} models, {}, {}", file.display(), table.source(), table.as_of());
    output.line(&[(Style::Good, "ok  "), (Style::Plain, &text)])
}

fn update(arguments: &Update, output: &mut Output) -> Result<(), Failure> {
    let Some(to) = arguments.to.clone().or_else(variable) else {
        let text = format!("where to? give --to FILE, or set {FILE_VARIABLE}, which services read as well");
        return Err(Failure::Usage(text));
    };
    // Read once, so that what is written is what was checked.
    let bytes = fs::read_to_string(&arguments.from).map_err(|error| Failure::reading(&arguments.from, &error))?;
    let new = PriceTable::from_json(&bytes)
        .map_err(|error| Failure::NotWell(format!("{}: {error}", arguments.from.display())))?;
    // What was in force until now: the file, or what this program has.
    let old = match PriceTable::from_file(&to) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::Read => None,
        Err(error) => {
            eprintln!("warning: {error}; it is replaced, and compared with are the prices of this program");
            None
        }
    };
    let old = old.as_ref().unwrap_or_else(|| PriceTable::embedded());
    let changes = Changes::between(old, &new);
    replace(&to, bytes.as_bytes()).map_err(|error| Failure::writing(&to, &error))?;
    changes.tell(&to, old, &new, output)
}

/// Writes a file next to its place and moves it there, so that who reads it sees the old one or the new one.
fn replace(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = to.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&part, to));
    if moved.is_err() {
        let _ = fs::remove_file(&part);
    }
    moved
}

struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Changes {
    fn between(old: &PriceTable, new: &PriceTable) -> Self {
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
        let is_changed =
            |(name, models): &(&String, &Vec<Model>)| old.get(*name).is_some_and(|before| before != *models);
        Self {
            added: without(&new, &old),
            removed: without(&old, &new),
            changed: new.iter().filter(is_changed).map(|(name, _)| name.clone()).collect(),
        }
    }

    fn tell(&self, to: &Path, old: &PriceTable, new: &PriceTable, output: &mut Output) -> Result<(), Failure> {
        let lists = [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        if output.json {
            return output.object(|document| {
                document.display("file", &to.display());
                document.text("source", new.source());
                document.text("as_of", new.as_of());
                document.text("as_of_before", old.as_of());
                for (key, names) in lists {
                    document.array(key, |all| names.iter().for_each(|name| all.value(AnyValue::Str(name))));
                }
            });
        }
        let text =
            format!("{}: {}, {} (before {}, {})", to.display(), new.source(), new.as_of(), old.source(), old.as_of());
        output.line(&[(Style::Good, "wrote "), (Style::Plain, &text)])?;
        // Dates are written so that their order is that of their texts.
        if new.as_of() < old.as_of() {
            output.line(&[(Style::Warning, "these prices are older than those before")])?;
        }
        for (mark, (_, names)) in ["+", "-", "~"].into_iter().zip(lists) {
            for name in names {
                output.line(&[(Style::Plain, &format!("{mark} {name}"))])?;
            }
        }
        let [added, removed, changed] = lists.map(|(_, names)| names.len());
        output.line(&[(Style::Plain, &format!("{added} added, {removed} removed, {changed} changed"))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_two_or_three_counts() {
        assert_eq!(usage("1000, 500"), Ok(Box::new(Usage::new(1000, 500))));
        assert_eq!(usage("1000,500,800"), Ok(Box::new(Usage::new(1000, 500).with_cache_read(800))));
        for text in ["", "1", "1,2,3,4", "1,x", "-1,2"] {
            assert!(usage(text).is_err(), "{text}");
        }
    }
}
