mod changes;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use spandrel::inspect::Configuration;
use spandrel_plugin_api::json::Object;
use spandrel_plugin_api::suggest::nearest;
use spandrel_prices::{Call, Cost, ErrorKind, Model, PriceTable, Rates, Usage};

use crate::config::{self, ConfigFile};
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::warnings;
use changes::Changes;

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
    /// Tokens of a call whose cost is shown, as 1300,50 or 1300,50,1000 (the last from the cache) or by name:
    /// input=1300,output=50,cache_read=1000,cache_write=200. What is read from the cache or written to it is part of the input
    #[arg(long, value_name = "TOKENS", requires = "model", value_parser = usage)]
    usage: Option<Box<Usage>>,
    /// A file of prices, instead of the `[prices]` of the configuration and of those of this program
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Args)]
pub(crate) struct Update {
    /// The new prices
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Where they go; TRACING_PRICES_FILE if left out
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Show(arguments) => show(arguments, output),
        Command::Check { file } => check(file, output),
        Command::Update(arguments) => update(arguments, output),
    }
}

/// A count of a call by its name.
type Count = (&'static str, fn(&mut Usage) -> &mut Option<u64>);

const COUNTS: [Count; 11] = [
    ("input", |usage| &mut usage.input_tokens),
    ("output", |usage| &mut usage.output_tokens),
    ("cache_read", |usage| &mut usage.cache_read_tokens),
    ("cache_write", |usage| &mut usage.cache_write_tokens),
    ("cache_write_1h", |usage| &mut usage.cache_write_1h_tokens),
    ("reasoning", |usage| &mut usage.reasoning_tokens),
    ("input_audio", |usage| &mut usage.input_audio_tokens),
    ("output_audio", |usage| &mut usage.output_audio_tokens),
    ("input_image", |usage| &mut usage.input_image_tokens),
    ("output_image", |usage| &mut usage.output_image_tokens),
    ("web_searches", |usage| &mut usage.web_searches),
];

fn usage(text: &str) -> Result<Box<Usage>, String> {
    let mut usage = Usage::default();
    if text.contains('=') {
        for pair in text.split(',') {
            set_count(&mut usage, pair)?;
        }
        return Ok(Box::new(usage));
    }
    let counts: Result<Vec<u64>, _> = text.split(',').map(|count| count.trim().parse()).collect();
    match counts.as_deref() {
        Ok(counts @ ([_, _] | [_, _, _])) => {
            counts.iter().zip(COUNTS).for_each(|(count, (_, field))| *field(&mut usage) = Some(*count));
            Ok(Box::new(usage))
        }
        _ => Err("write tokens in and out, such as 1000,500, or with those from the cache, 1000,500,800, \
                  or by name, such as input=1000,output=500,cache_write=200"
            .to_owned()),
    }
}

fn set_count(usage: &mut Usage, pair: &str) -> Result<(), String> {
    let (name, count) = pair.split_once('=').unwrap_or((pair, ""));
    let name = name.trim();
    let Some((_, field)) = COUNTS.into_iter().find(|(known, _)| *known == name) else {
        let names = COUNTS.map(|(name, _)| name);
        let meant = nearest(name, names).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        return Err(format!("there is no count `{name}`{meant} (known here: {})", names.join(", ")));
    };
    let parsed = count.trim().parse().map_err(|_| format!("write a whole number behind `{name}=`, not `{count}`"))?;
    match field(usage).replace(parsed) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is there twice")),
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
    let prices = match &arguments.file {
        Some(path) => Prices { table: read(path)?, configuration: None },
        None => Prices::in_force(&arguments.config)?,
    };
    let table = &prices.table;
    let models = found(table, arguments)?;
    let cost = |model: &Model| {
        let usage = arguments.usage.as_deref()?;
        let name = arguments.model.as_deref()?;
        let of = |provider| table.cost(&Call::new(provider, name, usage));
        // The name as it was asked for, by the one who was named: who resells has no variants.
        let provider = arguments.provider.as_deref().unwrap_or(model.provider());
        // A price of the configuration may be for one provider, who stands before its name.
        of(provider).or_else(|| of(model.id().split_once('/')?.0))
    };
    if output.json {
        return output.object(|document| {
            document.text("source", table.source());
            document.text("as_of", table.as_of());
            put_text(document, "origin", prices.origin("file"));
            document.array("models", |all| {
                for model in &models {
                    all.object(|object| write(model, prices.origin_of(model), cost(model), object));
                }
            });
        });
    }
    if arguments.model.is_none() {
        list(&prices, &models, output)?;
    }
    for model in models.iter().filter(|_| arguments.model.is_some()) {
        print(model, prices.origin_of(model), output)?;
        if let Some(usage) = &arguments.usage {
            print_cost(usage, cost(model), output)?;
        }
    }
    let count = if arguments.model.is_none() { format!("{} models, ", models.len()) } else { String::new() };
    let source = match models.iter().all(|model| prices.origin_of(model).is_some()) {
        true => "[prices] of the configuration".to_owned(),
        false => format!("{}, {}", table.source(), table.as_of()),
    };
    let origin = prices.origin("file").map(|origin| format!(" (set by {origin})")).unwrap_or_default();
    output.line(&[(Style::Dim, &format!("{count}{source}{origin}: US dollars per million tokens, not a bill"))])
}

/// A table of prices, and what set it.
struct Prices {
    table: PriceTable,
    /// `None` for a file of the command line.
    configuration: Option<Configuration>,
}

impl Prices {
    /// What a service here has.
    fn in_force(file: &ConfigFile) -> Result<Self, Failure> {
        let configuration = file.read()?;
        warnings::take().iter().for_each(|warning| eprintln!("warning: {warning}"));
        Ok(Self { table: config::prices(&configuration)?, configuration: Some(configuration) })
    }

    /// What set a key of `[prices]`.
    fn origin(&self, key: &str) -> Option<&str> {
        self.configuration.as_ref()?.section_origin(&format!("prices.{key}"))
    }

    /// What set the price of a model, if it is none of a file.
    fn origin_of(&self, model: &Model) -> Option<&str> {
        self.origin(model.id()).filter(|_| model.provider() == CONFIGURED)
    }
}

/// The provider of prices that the configuration has.
const CONFIGURED: &str = "configured";

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
            let own = |provider: &&str| {
                table.find(provider, model).filter(|found| [*provider, CONFIGURED].contains(&found.provider()))
            };
            let mut models: Vec<&Model> = Vec::new();
            // A price of the configuration is in the place of those of many providers.
            for found in providers.iter().filter_map(own) {
                if !models.iter().any(|known| std::ptr::eq(*known, found)) {
                    models.push(found);
                }
            }
            models
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
    let sold = providers.iter().filter(|provider| **provider != CONFIGURED).copied().collect::<Vec<_>>().join(", ");
    Err(Failure::NotWell(format!("{asked}; there are models of {sold}")))
}

fn list(prices: &Prices, models: &[&Model], output: &mut Output) -> Result<(), Failure> {
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
            (Style::Dim, &set_by(prices.origin_of(model))),
        ])?;
    }
    Ok(())
}

fn set_by(origin: Option<&str>) -> String {
    origin.map(|origin| format!("  set by {origin}")).unwrap_or_default()
}

fn print(model: &Model, origin: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    let mut facts = set_by(origin);
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
    let mut tokens = format!("  {} in, {} out", count(usage.input_tokens), count(usage.output_tokens));
    let mut counts = *usage;
    for (name, field) in &COUNTS[2..] {
        let Some(count) = *field(&mut counts) else { continue };
        tokens.push_str(&match *name {
            "cache_read" => format!(", {count} of them from the cache"),
            "cache_write" => format!(", {count} of them written to the cache"),
            name => format!(", {name} {count}"),
        });
    }
    match cost {
        Some(cost) => output.line(&[
            (Style::Plain, &format!("{tokens}: ")),
            (Style::Bold, &format!("{} USD", cost.total)),
            (Style::Plain, &parts(&cost)),
            (Style::Dim, &format!("  by {}", cost.rule)),
        ]),
        None => output.line(&[(Style::Bad, &format!("{tokens}: the cost cannot be known from these counts"))]),
    }
}

fn parts(cost: &Cost) -> String {
    let fees = if cost.fees.get() == 0 { String::new() } else { format!(", fees {}", cost.fees) };
    format!(" (input {}, output {}{fees})", cost.input, cost.output)
}

fn put_text(object: &mut Object<'_>, key: &str, text: Option<&str>) {
    match text {
        Some(text) => object.text(key, text),
        None => object.null(key),
    }
}

fn write(model: &Model, origin: Option<&str>, cost: Option<Cost>, object: &mut Object<'_>) {
    object.text("provider", model.provider());
    object.text("model", model.id());
    put_text(object, "origin", origin);
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
    if !arguments.dry_run {
        replace(&to, bytes.as_bytes()).map_err(|error| Failure::writing(&to, &error))?;
    }
    changes.tell(&to, !arguments.dry_run, old, &new, output)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_two_or_three_counts() {
        assert_eq!(usage("1000, 500"), Ok(Box::new(Usage::new(1000, 500))));
        assert_eq!(usage("1000,500,800"), Ok(Box::new(Usage::new(1000, 500).with_cache_read(800))));
        for text in ["", "1", "1,2,3,4", "1,x", "-1,2"] {
            assert!(usage(text).unwrap_err().starts_with("write tokens in and out, such as 1000,500"), "{text}");
        }
    }

    #[test]
    fn usage_is_counts_by_name() {
        let named = usage("input=1300, output=50,cache_read=1000,cache_write=200,web_searches=2").unwrap();
        let expected = Usage::new(1300, 50).with_cache_read(1000).with_cache_write(200).with_web_searches(2);
        assert_eq!(*named, expected);
        for (text, says) in [
            (
                "input=1,cache_rite=2",
                "there is no count `cache_rite`; did you mean `cache_write`? (known here: input, ",
            ),
            ("input=1,2", "there is no count `2` (known here: "),
            ("input=x", "write a whole number behind `input=`, not `x`"),
            ("input=1,input=2", "`input` is there twice"),
        ] {
            let error = usage(text).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
