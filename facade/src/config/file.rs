use std::time::Duration;

use spandrel_plugin_api::config::{Positions, Reader, Table, Value};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_recorder::{OverflowPolicy, RecorderConfig, SpoolConfig};

use super::sampler::read_sampler;
use super::tables::SECTIONS;
use super::{Origin, Variable, aliases, plugins, set};
use crate::propagation::{ForcedTraces, TRUSTS};
use crate::setup::{Settings, split_names, unknown_propagator};

/// Writes what the TOML text says into the settings; `name` is for messages.
pub(super) fn apply(
    text: &str,
    name: &str,
    origin: Origin,
    variable: &Variable<'_>,
    settings: &mut Settings,
) -> Result<(), Error> {
    let (mut document, positions) = Table::parse(text, name).map_err(|error| with_quotes(error, text, name))?;
    document.try_map_texts(&mut |path, text| {
        expand(text, variable)
            .map_err(|message| Error::new(ErrorKind::ConfigInvalid, message).with_context("key", path))
            .map_err(|error| locate(error, &positions, name))
    })?;
    let place = |key: &str| place(key, &positions, name);
    let read = Reader::read(&document, |table| read(table, origin, &place, settings));
    read.map_err(|error| locate(error, &positions, name))?;
    for name in SECTIONS {
        if let Some(Value::Table(table)) = document.get(name) {
            settings.sections.merge(name, table.clone(), &positions);
        }
    }
    if let Some(Value::Table(tables)) = document.get("provider") {
        settings.providers.merge(tables.clone(), positions);
    }
    Ok(())
}

/// Says how to write a value that lacks its quotes, where that is the mistake.
fn with_quotes(error: Error, text: &str, name: &str) -> Error {
    let place = error.message().strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    let number = place.and_then(|place| place.split(':').next()?.parse::<usize>().ok());
    let line = number.and_then(|number| text.lines().nth(number.checked_sub(1)?));
    let Some((key, value)) = line.and_then(|line| line.split_once('=')) else { return error };
    let value = value.split('#').next().unwrap_or_default().trim();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-./:~".contains(c);
    if !value.starts_with(|c: char| c.is_ascii_alphabetic() || "/~.".contains(c)) || !value.chars().all(is_bare) {
        return error;
    }
    // What the parser says depends on the first letter: that of `file` could be `false`.
    let place = error.message().split(": ").next().unwrap_or_default();
    let message = format!("{place}: a text stands in quotes; write `{} = \"{value}\"`", key.trim());
    Error::new(error.kind(), message)
}

/// Puts before the message where the key of the error stands.
pub(crate) fn locate(error: Error, positions: &Positions, name: &str) -> Error {
    let position = place(error.context("key").unwrap_or_default(), positions, name);
    Error::new(error.kind(), format!("{position}: {}", error.message()))
}

fn place(key: &str, positions: &Positions, name: &str) -> String {
    positions.get(key).map_or(name, String::as_str).to_owned()
}

fn read(
    table: &mut Reader<'_>,
    origin: Origin,
    place: &dyn Fn(&str) -> String,
    settings: &mut Settings,
) -> Result<(), Error> {
    match aliases::types(table)? {
        None => {}
        Some((key, Value::Text(names))) => plugins::set_types(split_names(names), origin, &place(key), settings),
        Some((key, Value::List(_))) => {
            plugins::set_types(table.texts(key)?.unwrap_or_default(), origin, &place(key), settings);
        }
        Some((key, _)) => {
            return Err(table.error(key, format!("`{key}` must be the name of a provider or a list of names")));
        }
    }
    set(&mut settings.enabled, table.boolean("enabled")?);
    set(&mut settings.flush_on_signals, table.boolean("flush_on_signals")?);
    set(&mut settings.reload_on_sighup, table.boolean("reload_on_sighup")?);
    set(&mut settings.shutdown_timeout, table.integer("shutdown_timeout_ms")?.map(Duration::from_millis));
    set(&mut settings.debug_open_spans, table.boolean("debug_open_spans")?);
    set(&mut settings.noop_on_error, table.choice("on_error", &[("fail", false), ("noop", true)])?);
    aliases::read(table, place, settings)?;
    table.table("service", |service| read_service(service, settings))?;
    set(&mut settings.sampler, table.table("sampler", read_sampler)?.flatten());
    if let Some(names) = table.texts("propagators")? {
        if let Some(unknown) = names.iter().find(|name| spandrel_propagation::by_name(name).is_none()) {
            return Err(table.error("propagators", unknown_propagator(unknown).to_string()));
        }
        settings.propagators = names;
    }
    set(&mut settings.trust, table.choice("trust", &TRUSTS)?);
    if let Some(traces) = table.integer("forced_traces_per_second")? {
        settings.forced_traces = Some(ForcedTraces::new(traces));
    }
    plugins::read(table, origin, place, settings)?;
    table.table("limits", |limits| read_limits(limits, &mut settings.recorder))?;
    table.table("batch", |batch| read_batch(batch, &mut settings.recorder))?;
    table.table("spool", |spool| read_spool(spool, &mut settings.recorder))?;
    table.table("redaction", |redaction| {
        set(&mut settings.redaction, redaction.boolean("enabled")?);
        settings.redacted_keys.extend(redaction.texts("keys")?.unwrap_or_default());
        settings.rules.read(redaction)
    })?;
    for name in SECTIONS {
        if !matches!(table.value(name), None | Some(Value::Table(_))) {
            return Err(table.error(name, format!("`{name}` must be a table")));
        }
    }
    match table.value("provider") {
        None | Some(Value::Table(_)) => Ok(()),
        Some(_) => Err(table.error("provider", "`provider` must be a table with one table for each provider")),
    }
}

fn read_service(table: &mut Reader<'_>, settings: &mut Settings) -> Result<(), Error> {
    let resource = &mut settings.resource;
    for (key, attribute) in
        [("name", "service.name"), ("version", "service.version"), ("environment", "deployment.environment.name")]
    {
        if let Some(text) = table.text(key)? {
            resource.set(attribute, text);
        }
    }
    let attributes = match table.value("attributes") {
        None => return Ok(()),
        Some(Value::Table(attributes)) => attributes,
        Some(_) => return Err(table.error("attributes", "`attributes` must be a table of resource attributes")),
    };
    for key in attributes.keys() {
        match attributes.get(key) {
            Some(Value::Text(v)) => resource.set(key, v),
            Some(Value::Integer(v)) => resource.set(key, v),
            Some(Value::Float(v)) => resource.set(key, v),
            Some(Value::Boolean(v)) => resource.set(key, v),
            _ => {
                let message = format!("the resource attribute `{key}` must be a text, a number or a boolean");
                return Err(table.error(&format!("attributes.{key}"), message));
            }
        }
    }
    Ok(())
}

fn read_limits(table: &mut Reader<'_>, config: &mut RecorderConfig) -> Result<(), Error> {
    let limits = &mut config.limits;
    set(&mut limits.attributes, table.integer("attributes")?);
    set(&mut limits.events, table.integer("events")?);
    set(&mut limits.links, table.integer("links")?);
    set(&mut limits.event_attributes, table.integer("event_attributes")?);
    set(&mut limits.link_attributes, table.integer("link_attributes")?);
    set(&mut limits.value_chars, table.integer("value_chars")?);
    Ok(())
}

fn read_batch(table: &mut Reader<'_>, config: &mut RecorderConfig) -> Result<(), Error> {
    let batch = &mut config.batch;
    set(&mut batch.max_bytes, table.integer("max_bytes")?);
    set(&mut batch.delay, table.integer("delay_ms")?.map(Duration::from_millis));
    set(&mut batch.queue_bytes, table.integer("queue_bytes")?);
    set(&mut batch.on_full, table.choice("on_full", &POLICIES)?);
    if let Some(limit) = table.integer("block_ms")? {
        batch.block_limit = Some(limit).filter(|ms| *ms > 0).map(Duration::from_millis);
    }
    set(&mut batch.retry_first, table.integer("retry_ms")?.map(Duration::from_millis));
    set(&mut batch.retry_max, table.integer("retry_max_ms")?.map(Duration::from_millis));
    for (key, value, least) in [
        ("max_bytes", batch.max_bytes, 1),
        ("queue_bytes", batch.queue_bytes, 65_536),
        ("delay_ms", batch.delay.as_millis() as usize, 1),
        ("retry_ms", batch.retry_first.as_millis() as usize, 1),
        ("retry_max_ms", batch.retry_max.as_millis() as usize, 1),
    ] {
        if value < least {
            return Err(table.error(key, format!("`{key}` must be at least {least}, not {value}")));
        }
    }
    Ok(())
}

/// What `on_full` may say.
pub(super) const POLICIES: [(&str, OverflowPolicy); 3] =
    [("drop", OverflowPolicy::Drop), ("drop_oldest", OverflowPolicy::DropOldest), ("block", OverflowPolicy::Block)];

fn read_spool(table: &mut Reader<'_>, config: &mut RecorderConfig) -> Result<(), Error> {
    /// Less is filled by a few batches.
    const LEAST: u64 = 1 << 20;
    let mut spool = config.spool.take().unwrap_or_else(|| SpoolConfig::new(""));
    set(&mut spool.dir, table.text("dir")?.map(Into::into));
    set(&mut spool.max_bytes, table.integer("max_bytes")?);
    set(&mut spool.max_age, table.integer("max_age_s")?.map(Duration::from_secs));
    if spool.max_bytes < LEAST {
        return Err(table.error("max_bytes", format!("`max_bytes` must be at least {LEAST}, not {}", spool.max_bytes)));
    }
    config.spool = Some(spool);
    Ok(())
}

/// Replaces `${VAR}` and `${VAR:-default}`; `$$` is a dollar sign.
fn expand(text: &str, variable: &Variable<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((reference, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            let (name, default) = reference.split_once(":-").map_or((reference, None), |(n, d)| (n, Some(d)));
            let value = variable(name).or_else(|| default.map(str::to_owned));
            out.push_str(&value.ok_or_else(|| {
                format!("the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
            })?);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use spandrel_recorder::OverflowPolicy;

    use super::{apply, expand};
    use crate::config::Origin;
    use crate::setup::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        let variable = |name: &str| (name == "HOME").then(|| "/home/x".to_owned());
        let mut settings = Settings::default();
        apply(text, "spandrel.toml", Origin::Starter, &variable, &mut settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_whole_file_is_read() {
        let settings = read(
            r#"
            type = ["console", "file"]
            flush_on_signals = true
            shutdown_timeout_ms = 250
            [service]
            name = "orders"
            attributes = { shard = 3, beta = true }
            [sampler]
            type = "parent_ratio"
            ratio = 0.5
            [batch]
            on_full = "drop_oldest"
            block_ms = 5
            retry_ms = 20
            [spool]
            dir = "${HOME}/spool"
            max_age_s = 60
            [limits]
            events = 7
            [redaction]
            keys = ["iban"]
            [provider.file]
            path = "${HOME}/traces.jsonl"
            "#,
        )
        .unwrap();
        assert_eq!(settings.types, ["console", "file"]);
        assert_eq!(settings.resource.service_name(), "orders");
        assert_eq!(format!("{:?}", settings.sampler), "parent_based(ratio(0.5))");
        assert_eq!(settings.recorder.limits.events, 7);
        let batch = &settings.recorder.batch;
        assert_eq!((batch.on_full, batch.block_limit), (OverflowPolicy::DropOldest, Some(Duration::from_millis(5))));
        assert_eq!(batch.retry_first, Duration::from_millis(20));
        let spool = settings.recorder.spool.unwrap();
        assert_eq!((spool.dir.as_path(), spool.max_age.as_secs()), (Path::new("/home/x/spool"), 60));
        assert_eq!(settings.providers.text("file").unwrap(), "path = \"/home/x/traces.jsonl\"\n");
    }

    #[test]
    fn mistakes_are_answered_with_line_column_and_remedy() {
        for (text, message) in [
            (
                "\ntpye = 'file'",
                "spandrel.toml:2:1: unknown configuration key `tpye`; did you mean `type`? (known here: type, ",
            ),
            ("[sampler]\nratio = 1.5", "spandrel.toml:2:1: the sampling ratio must be a number from 0 to 1, not 1.5"),
            ("[sampler]\ntype = 'raito'", "spandrel.toml:2:1: there is no sampler `raito`; did you mean `ratio`?"),
            ("type = ", "spandrel.toml:1:8: "),
            ("type = file", "spandrel.toml:1:8: a text stands in quotes; write `type = \"file\"`"),
            (
                "\n[provider.file]\n path = /var/log/x.jsonl # here",
                "spandrel.toml:3:9: a text stands in quotes; write `path = \"/var/log/x.jsonl\"`",
            ),
            ("type = 'file", "spandrel.toml:1:13: invalid literal string, expected `'`"),
            ("type = 3", "spandrel.toml:1:1: `type` must be the name of a provider or a list of names"),
            (
                "[batch]\non_full = 'wait'",
                "spandrel.toml:2:1: `on_full` must be \"drop\" or \"drop_oldest\" or \"block\", not \"wait\"",
            ),
            ("[spool]\nmax_bytes = 1", "spandrel.toml:2:1: `max_bytes` must be at least 1048576, not 1"),
            (
                "[provider.file]\npath = '${NOPE}/x'",
                "spandrel.toml:2:1: the environment variable NOPE is not set; set it, or write ${NOPE:-default}",
            ),
            ("[batch]\nqueue_bytes = 0", "spandrel.toml:2:1: `queue_bytes` must be at least 65536, not 0"),
            ("trust = 'no'", "spandrel.toml:1:1: `trust` must be \"continue\" or \"link\" or \"ignore\", not \"no\""),
            ("propagators = ['b4']", "spandrel.toml:1:1: there is no propagator `b4`; did you mean `b3`?"),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert!(error.starts_with(message), "{text:?}\n  {error}\n  {message}");
        }
    }

    #[test]
    fn variables_expand() {
        let variable = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expanded) in
            [("${A}b", "1b"), ("${B:-x y}", "x y"), ("${B:-}", ""), ("$$A $5 $", "$A $5 $"), ("${A", "${A")]
        {
            assert_eq!(expand(text, &variable).as_deref(), Ok(expanded), "{text}");
        }
        assert!(expand("${B}", &variable).is_err());
    }
}
