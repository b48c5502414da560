//! Providers in dynamic libraries: what is there, and whether it is fit to be loaded.

mod install;
mod new;

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use spandrel::inspect::{Configuration, FoundPlugin};
use spandrel::{Error, ErrorKind};
use spandrel_plugin_api::json::Object;

use crate::checks::{Check, tell};
use crate::config::ConfigFile;
use crate::doctor::of_steps;
use crate::failure::{Failure, explained};
use crate::output::{Output, Style};
use crate::probe::Probe;
use crate::text::{parse_duration, shown};
use crate::warnings;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the plugins that are found; none of their code runs
    List(ConfigFile),
    /// Show what a plugin says about itself; none of its code runs
    Info(Named),
    /// Check whether a plugin would be loaded, and with --load, whether it works
    Check(CheckArguments),
    /// Show where plugins are searched, in this order
    Path(ConfigFile),
    /// Check a library, and put it where it is found
    Install(install::Arguments),
    /// Make a crate for a new plugin
    New(new::Arguments),
}

#[derive(Args)]
pub(crate) struct Named {
    #[command(flatten)]
    file: ConfigFile,
    /// Its name, or the path of its library
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
}

#[derive(Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    named: Named,
    /// Load it in a process of its own, with its settings, and send it one span
    #[arg(long)]
    load: bool,
    /// How long the span may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    timeout: u64,
}

pub(crate) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::List(file) => list(&file.read()?, output),
        Command::Info(named) => info(named, output),
        Command::Check(arguments) => check(arguments, output),
        Command::Path(file) => path(&file.read()?, output),
        Command::Install(arguments) => install::run(arguments, output),
        Command::New(arguments) => new::run(arguments, output),
    }
}

fn list(configuration: &Configuration, output: &mut Output) -> Result<(), Failure> {
    let names = configuration.plugin_names();
    let plugins: Vec<(String, Result<FoundPlugin, Error>)> =
        names.into_iter().map(|name| (name.clone(), configuration.plugin(&name))).collect();
    if output.json {
        return output.object(|document| {
            document.array("plugins", |all| {
                for (name, plugin) in &plugins {
                    all.object(|object| match plugin {
                        Ok(plugin) => {
                            object.boolean("ok", true);
                            write(object, plugin);
                        }
                        Err(error) => {
                            object.boolean("ok", false);
                            object.text("name", name);
                            object.display("error", error);
                        }
                    });
                }
            });
        });
    }
    if plugins.is_empty() {
        return output.line(&[(Style::Plain, "no plugins; `spandrel plugin path` says where they are searched")]);
    }
    for (name, plugin) in &plugins {
        match plugin {
            Ok(plugin) => {
                let abi = format!("{}.{}", plugin.abi.0, plugin.abi.1);
                let columns = format!("{:<10} {:<8}  ABI {abi}  ", shown(&plugin.version), plugin.kind);
                let path = plugin.path.display().to_string();
                output.line(&[
                    (Style::Bold, &format!("{name:<14} ")),
                    (Style::Plain, &columns),
                    (Style::Dim, &path),
                ])?;
            }
            Err(error) => {
                let text = shown(error.message());
                output.line(&[(Style::Bold, &format!("{name:<14} ")), (Style::Bad, &format!("unusable: {text}"))])?;
            }
        }
    }
    Ok(())
}

impl Named {
    /// The plugin; a relative path is what whoever types it means.
    fn word(&self) -> String {
        let path = Path::new(&self.plugin);
        // No name has a point.
        let is_path = path.components().count() > 1 || self.plugin.contains('.');
        match is_path.then(|| std::path::absolute(path)) {
            Some(Ok(path)) => path.display().to_string(),
            _ => self.plugin.clone(),
        }
    }
}

fn info(named: &Named, output: &mut Output) -> Result<(), Failure> {
    let plugin = named.file.read()?.plugin(&named.word())?;
    for warning in warnings::take() {
        eprintln!("warning: {warning}");
    }
    if output.json {
        return output.object(|object| write(object, &plugin));
    }
    let abi = format!("{}.{}, from {}.{} on", plugin.abi.0, plugin.abi.1, plugin.abi_min.0, plugin.abi_min.1);
    let build = if plugin.debug_build { "debug" } else { "release" };
    let panic = if plugin.panic_aborts { "abort: a panic in it ends the service" } else { "unwind" };
    let size = format!("{} bytes", plugin.bytes);
    let path = plugin.path.display().to_string();
    let known = [
        ("name", Some(plugin.name.as_str())),
        ("version", Some(&plugin.version)),
        ("kind", Some(plugin.kind)),
        ("description", plugin.description.as_deref()),
        ("vendor", plugin.vendor.as_deref()),
        ("license", plugin.license.as_deref()),
        ("ABI", Some(&abi)),
        ("target", plugin.target.as_deref()),
        ("build", Some(build)),
        ("panic", Some(panic)),
        ("file", Some(&path)),
        ("size", Some(&size)),
        ("sha256", Some(&plugin.sha256)),
        ("pinned", plugin.pinned.as_deref()),
    ];
    for (key, value) in known {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            output.line(&[(Style::Dim, &format!("{key:<12}")), (Style::Plain, &shown(value))])?;
        }
    }
    Ok(())
}

fn write(object: &mut Object<'_>, plugin: &FoundPlugin) {
    object.text("name", &plugin.name);
    object.text("version", &plugin.version);
    object.text("kind", plugin.kind);
    object.display("abi", &format_args!("{}.{}", plugin.abi.0, plugin.abi.1));
    object.display("abi_min", &format_args!("{}.{}", plugin.abi_min.0, plugin.abi_min.1));
    for (key, value) in [
        ("target", &plugin.target),
        ("vendor", &plugin.vendor),
        ("license", &plugin.license),
        ("description", &plugin.description),
        ("pinned", &plugin.pinned),
    ] {
        match value {
            Some(value) => object.text(key, value),
            None => object.null(key),
        }
    }
    object.boolean("panic_aborts", plugin.panic_aborts);
    object.boolean("debug_build", plugin.debug_build);
    object.display("path", &plugin.path.display());
    object.number("bytes", plugin.bytes);
    object.text("sha256", &plugin.sha256);
}

fn check(arguments: &CheckArguments, output: &mut Output) -> Result<(), Failure> {
    let named = &arguments.named;
    let word = named.word();
    let mut checks = Vec::new();
    let plugin = named.file.read().and_then(|configuration| configuration.plugin(&word));
    match &plugin {
        Ok(plugin) => {
            checks.push(Check::fine("file", format!("{}, {} bytes", plugin.path.display(), plugin.bytes)));
            let (major, minor) = plugin.abi;
            let text = format!("{} {}, {}, plugin boundary {major}.{minor}", plugin.name, plugin.version, plugin.kind);
            checks.push(Check::fine("metadata", text));
            if plugin.debug_build {
                checks.push(Check::warning("build", "a debug build: slow, and large"));
            }
        }
        Err(error) => {
            let what = if error.kind() == ErrorKind::ProviderNotFound { "search" } else { "file" };
            checks.push(Check::failed(what, explained(error)));
        }
    }
    // That of a plugin whose panics end the process, for one.
    checks.extend(warnings::take().into_iter().map(|warning| Check::warning("build", warning)));
    if arguments.load && plugin.is_ok() {
        let probe = Probe {
            config: named.file.config.clone(),
            provider: Some(&word),
            no_span: false,
            timeout: Duration::from_nanos(arguments.timeout),
        };
        checks.extend(of_steps(&probe.run()?));
    }
    tell(&checks, output)
}

fn path(configuration: &Configuration, output: &mut Output) -> Result<(), Failure> {
    let places = configuration.plugin_places();
    if output.json {
        return output.object(|document| {
            document.array("places", |all| {
                for place in &places {
                    all.object(|object| {
                        object.text("origin", place.origin);
                        match &place.dir {
                            Ok(dir) => object.display("dir", &dir.display()),
                            Err(_) => object.null("dir"),
                        }
                        object.text("state", &state(place.dir.as_deref()));
                    });
                }
            });
        });
    }
    for place in &places {
        let dir = place.dir.as_ref().map(|dir| dir.display().to_string()).unwrap_or_default();
        let origin = if place.origin.is_empty() { String::new() } else { format!("{}  ", place.origin) };
        let state = state(place.dir.as_deref());
        let space = if dir.is_empty() { "" } else { "  " };
        output.line(&[(Style::Bold, &dir), (Style::Plain, space), (Style::Plain, &origin), (Style::Dim, &state)])?;
    }
    Ok(())
}

fn state(dir: Result<&Path, &&'static str>) -> String {
    let dir = match dir {
        Ok(dir) => dir,
        Err(why) => return (*why).to_owned(),
    };
    match dir.read_dir() {
        Ok(files) => {
            let is_plugin = |name: &str| name.ends_with(".toml") || name.ends_with(std::env::consts::DLL_SUFFIX);
            let count = files.flatten().filter(|file| file.file_name().to_str().is_some_and(is_plugin)).count();
            format!("{count} plugin files")
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such directory".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    }
}
