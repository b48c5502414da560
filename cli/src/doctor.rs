//! Whether traces arrive, and if not, why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use clap::Args;
use spandrel::inspect::Configuration;
use spandrel::provider::SpanBatch;
use spandrel::{Error, Sampler, SpanExporter};

use crate::checks::{Check, State, tell};
use crate::config::{ConfigFile, check_provider, settings, wrong_tables};
use crate::failure::{Failure, explained};
use crate::output::Output;
use crate::probe::{Probe, Step};
use crate::text::{duration, moment, now, parse_duration};
use crate::warnings;

#[derive(Args)]
#[command(after_help = "The span is called `spandrel doctor`, and goes where the spans of the service go.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Start the provider, but send no span
    #[arg(long)]
    no_span: bool,
    /// How long the span may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    timeout: u64,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let mut checks = Vec::new();
    match arguments.file.read() {
        Ok(configuration) => {
            check_configuration(&configuration, arguments, &mut checks)?;
            let healthy = check_providers(&configuration, &mut checks);
            let records = configuration.is_enabled() && configuration.types().iter().any(|name| name != "noop");
            if healthy && records {
                check_span(&configuration, arguments, &mut checks)?;
            }
        }
        Err(error) => checks.push(Check::failed("configuration", explained(&error))),
    }
    checks.push(clock());
    checks.push(Check::fine("versions", versions()));
    tell(&checks, output)
}

fn check_configuration(
    configuration: &Configuration,
    arguments: &Arguments,
    checks: &mut Vec<Check>,
) -> Result<(), Failure> {
    let settings = settings(configuration, arguments.file.path().as_deref())?;
    let mut variables: Vec<&str> = settings
        .iter()
        .flat_map(|setting| setting.origin.split(", "))
        .filter(|origin| ["TRACING_", "OTEL_", "SPANDREL_"].iter().any(|prefix| origin.starts_with(prefix)))
        .collect();
    variables.sort_unstable();
    variables.dedup();
    let from = match variables.is_empty() {
        true => String::new(),
        false => format!("; from the environment: {}", variables.join(", ")),
    };
    let is_default = |name: &str| settings.iter().any(|setting| setting.key == name && setting.origin == "default");
    let wrong: Vec<Check> = wrong_tables(configuration)
        .map(|(table, problem)| {
            let remedy =
                format!("a service starts, and goes on as if [{table}] were empty\nremedy: mend it as it says");
            Check::failed("configuration", format!("{problem}\n{remedy}"))
        })
        .collect();
    let is_something = arguments.file.path().is_some() || !variables.is_empty() || !is_default("type");
    if is_something && wrong.is_empty() {
        checks.push(Check::fine("configuration", format!("{}{from}", arguments.file.shown())));
    }
    checks.extend(wrong);
    checks.extend(warnings::take().into_iter().map(|warning| Check::warning("configuration", warning)));
    let origin = |key: &str| settings.iter().find(|setting| setting.key == key).map(|setting| setting.origin.clone());
    if !configuration.is_enabled() {
        let text = format!("nothing is recorded: enabled = false\nat: {}", origin("enabled").unwrap_or_default());
        checks.push(Check::warning("configuration", text));
    }
    let is_noop = configuration.types().iter().all(|name| name == "noop");
    match origin("type").unwrap_or_default() {
        origin if is_noop && origin == "default" => {
            // Nobody runs this to hear that all is well with nothing.
            let text = "nothing is recorded: no provider is configured, so it is noop\n\
                        remedy: `spandrel init` writes a configuration; or set `type` in it, or TRACING_TYPE, for example to `file`";
            checks.push(Check::failed("configuration", text));
        }
        origin if is_noop => {
            let text =
                format!("nothing is recorded: type = noop\nat: {origin}\nremedy: set another type, for example `file`");
            checks.push(Check::warning("configuration", text));
        }
        _ => {}
    }
    Ok(())
}

/// Whether all providers in use are there, and their settings can be used.
fn check_providers(configuration: &Configuration, checks: &mut Vec<Check>) -> bool {
    let mut healthy = true;
    for name in configuration.types() {
        let checked = check_provider(configuration, name).map(|()| match configuration.is_linked(name) {
            true => format!("{name}, linked into this command"),
            false => match configuration.plugin(name) {
                Ok(plugin) => {
                    format!("{} {}, the plugin {}", plugin.name, plugin.version, plugin.path.display())
                }
                Err(error) => error.to_string(),
            },
        });
        match checked {
            Ok(text) => checks.push(Check::fine("provider", text)),
            Err(error) => {
                healthy = false;
                checks.push(Check::failed("provider", explained(&error)));
            }
        }
    }
    healthy
}

fn check_span(configuration: &Configuration, arguments: &Arguments, checks: &mut Vec<Check>) -> Result<(), Failure> {
    let probe = Probe {
        config: arguments.file.config.clone(),
        provider: None,
        no_span: arguments.no_span,
        timeout: Duration::from_nanos(arguments.timeout),
    };
    let steps = probe.run()?;
    let mut found = of_steps(&steps);
    for check in &mut found {
        if check.state == State::Failed && check.what == "span" {
            check.text.push_str(&proxies(configuration));
        }
        // A service goes on without, so the recorder only warns.
        if check.state == State::Warning && check.text.contains("cannot open its spool") {
            check.state = State::Failed;
            check.text.push_str("\nremedy: set spool.dir to a folder that the user of the service can write to");
        }
    }
    checks.extend(found);
    // With on_error = "noop" it starts all the same.
    let started = steps.iter().find(|step| step.name == "start").and_then(|step| step.result.as_ref().ok());
    if started.is_some_and(|name| name == "noop") {
        checks
            .push(Check::failed("start", "the provider cannot start, and on_error = \"noop\" goes on without traces"));
    }
    Ok(())
}

/// What stands between this command and a backend, for a span that has not arrived.
fn proxies(configuration: &Configuration) -> String {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let variables =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"].into_iter().filter(is_set);
    let settings = configuration.provider_settings().unwrap_or_default();
    let keys = settings.iter().filter(|(key, value, _)| key.ends_with(".proxy") && value != "\"none\"");
    // Not their values, which may have a password.
    let names: Vec<String> = keys.map(|(key, ..)| key.clone()).chain(variables.map(str::to_owned)).collect();
    let is_remote = |name: &String| ["otlp", "zipkin", "jaeger"].contains(&configuration.provider_of(name));
    if names.is_empty() || !configuration.types().iter().any(is_remote) {
        return String::new();
    }
    let names = names.join(", ");
    format!(
        "\nproxy: set by {names}\nremedy: if the backend is not behind that proxy, set `proxy = \"none\"` of the provider, \
         or NO_PROXY to its host; otherwise check the proxy"
    )
}

/// The steps of a probe as findings.
pub(crate) fn of_steps(steps: &[Step]) -> Vec<Check> {
    let mut checks = Vec::new();
    let trace = steps.iter().find(|step| step.name == "span").and_then(|step| step.result.clone().ok());
    for step in steps {
        let time = duration(u64::try_from(step.time.as_nanos()).unwrap_or(u64::MAX));
        let what = if step.name == "flush" { "span" } else { &step.name };
        match (&step.result, &*step.name) {
            (Err(text), _) => {
                // A warning may have said the same in more words, as will all that comes after.
                let cause = text.lines().find_map(|line| line.trim().strip_prefix("last error: "));
                let others = step.warnings.iter().filter(|warning| cause.is_none_or(|cause| !warning.contains(cause)));
                checks.extend(others.map(|warning| Check::warning(what, warning)));
                checks.push(Check::failed(what, text));
                break;
            }
            (Ok(text), "start") => checks.push(Check::fine(what, format!("{text}, after {time}"))),
            (Ok(_), "span") => {}
            (Ok(text), "flush") => {
                let trace = trace.as_deref().unwrap_or_default();
                let text = format!("sent, and acknowledged after {time}: trace {trace}\n{text}");
                checks.push(Check::fine(what, text));
            }
            (Ok(_), _) => checks.push(Check::fine(what, format!("after {time}"))),
        }
        checks.extend(step.warnings.iter().map(|warning| Check::warning(what, warning)));
    }
    checks
}

/// Whether the clock of spans is that of the system, and that of the system is possible.
fn clock() -> Check {
    // Nothing of this version was ever run before.
    const RELEASED: u64 = 1_735_689_600_000_000_000;
    const TOLERANCE: u64 = 50_000_000;

    struct Starts(Arc<Mutex<Vec<u64>>>);

    impl SpanExporter for Starts {
        fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
            let mut starts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            batch.spans().try_for_each(|span| span.map(|span| starts.push(span.start().unix_nanos())))
        }
    }

    let starts = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&starts);
    let builder = spandrel::builder().exporter("clock", move || Starts(Arc::clone(&kept)));
    let measured = builder.sampler(Sampler::always_on()).build().and_then(|tracer| {
        let before = now();
        tracer.context().within(|| spandrel::with_span("clock", |_| ()));
        let after = now();
        tracer.shutdown(Duration::from_secs(10)).map(|()| (before, after))
    });
    let (before, after) = match measured {
        Ok(range) => range,
        Err(error) => return Check::failed("clock", explained(&error)),
    };
    let start = starts.lock().unwrap_or_else(PoisonError::into_inner).first().copied().unwrap_or(0);
    let off = if start < before { before - start } else { start.saturating_sub(after) };
    let time = moment(before, 0);
    let newest = SystemTime::now() + Duration::from_secs(3600);
    let is_behind = before < RELEASED
        || std::env::current_exe().and_then(|path| path.metadata()?.modified()).is_ok_and(|made| made > newest);
    if is_behind {
        let text =
            format!("the system says {time}, which is past\nremedy: set the clock; services must agree on the time");
        return Check::failed("clock", text);
    }
    if off > TOLERANCE {
        let off = duration(off);
        return Check::warning("clock", format!("{time}; the clock of spans is off by {off}, so it was set just now"));
    }
    Check::fine("clock", format!("{time}; the clock of spans agrees"))
}

fn versions() -> String {
    let (major, minor) = Configuration::plugin_abi();
    format!(
        "spandrel {}, plugin boundary {major}.{minor}, {}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
