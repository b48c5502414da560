use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use spandrel_plugin_api::config::Value;

use crate::failure::Failure;
use crate::output::{Output, Style};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The word that names the provider everywhere
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// What it gets
    #[arg(long, value_name = "KIND", default_value = "exporter")]
    kind: Kind,
    /// A checkout of Spandrel to build with, in place of the registry
    #[arg(long, value_name = "DIR")]
    spandrel_path: Option<PathBuf>,
    /// The directory to make; `spandrel-NAME` unless given
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Finished spans, in batches
    Exporter,
    /// Each call, as it happens
    Provider,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let dir = arguments.to.clone().unwrap_or_else(|| PathBuf::from(format!("spandrel-{}", arguments.name)));
    if dir.exists() {
        return Err(Failure::Io(format!("{} is there already; name another directory with --to", dir.display())));
    }
    let implementation = match arguments.kind {
        Kind::Exporter => ("src/exporter.rs", include_str!("new/exporter.rs.txt")),
        Kind::Provider => ("src/provider.rs", include_str!("new/provider.rs.txt")),
    };
    let files = [
        ("Cargo.toml", include_str!("new/Cargo.toml.txt")),
        (".gitignore", "/target\n"),
        ("README.md", include_str!("new/README.md.txt")),
        ("src/lib.rs", include_str!("new/lib.rs.txt")),
        ("src/config.rs", include_str!("new/config.rs.txt")),
        implementation,
    ];
    let dependency = dependency(arguments)?;
    for (name, template) in files {
        write(&dir.join(name), &filled(template, arguments, &dependency))?;
    }
    if output.json {
        return output.object(|object| object.display("dir", &dir.display()));
    }
    let dir = dir.display();
    output.line(&[(Style::Good, &format!("made {dir}"))])?;
    let next = format!(
        "next: cd {dir} && cargo build --release && spandrel plugin check --load target/release/{}",
        library(&arguments.name)
    );
    output.line(&[(Style::Plain, &next)])
}

fn filled(template: &str, arguments: &Arguments, dependency: &str) -> String {
    let kind = match arguments.kind {
        Kind::Exporter => "exporter",
        Kind::Provider => "provider",
    };
    let mut capital = arguments.name.split('_').fold(String::new(), |name, part| {
        let (first, rest) = part.split_at(1.min(part.len()));
        name + &first.to_uppercase() + rest
    });
    if capital.is_empty() {
        capital.push_str("Plugin");
    }
    template
        .replace("{name}", &arguments.name)
        .replace("{NAME}", &arguments.name.to_uppercase())
        .replace("{Name}", &capital)
        .replace("{kind}", kind)
        .replace("{library}", &library(&arguments.name))
        .replace("{dependency}", dependency)
}

/// Where the contracts come from.
fn dependency(arguments: &Arguments) -> Result<String, Failure> {
    let version = format!("version = \"{}.{}\"", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let Some(checkout) = &arguments.spandrel_path else { return Ok(version) };
    let api = std::path::absolute(checkout).map(|path| path.join("plugin-api"));
    let api = api.map_err(|error| Failure::reading(checkout, &error))?;
    if !api.join("Cargo.toml").is_file() {
        return Err(Failure::Io(format!("{} is no checkout of Spandrel: it has no plugin-api", checkout.display())));
    }
    Ok(format!("{version}, path = {}", Value::Text(api.display().to_string())))
}

fn library(name: &str) -> String {
    spandrel::inspect::Configuration::plugin_library(name)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir).and_then(|()| fs::write(path, text)).map_err(|error| Failure::writing(path, &error))
}

fn parse_name(name: &str) -> Result<String, String> {
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match is_word && name.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => Ok(name.to_owned()),
        // It is a part of the names of a crate and of a library, which allow no `-`.
        false => Err("a name has a-z, 0-9 and _ only, and begins with a letter".to_owned()),
    }
}
