use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use spandrel_plugin_api::config::Value;

use crate::failure::Failure;
use crate::output::{Output, Style};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to write to; `-` is standard output
    #[arg(value_name = "FILE", default_value = "spandrel.toml")]
    file: PathBuf,
    /// The provider
    #[arg(long = "type", value_name = "NAME", default_value = "file")]
    provider: String,
    /// The name of the service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let text = text(arguments);
    let path = &arguments.file;
    if path.as_os_str() == "-" {
        return output.text(&text);
    }
    let mut options = File::options();
    options.write(true).create(true);
    // Looked at and made in one step, so that no other program's file is lost.
    if arguments.force {
        options.truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::Io(format!("{} is there already; --force replaces it", path.display()))
        }
        _ => Failure::writing(path, &error),
    })?;
    if output.json {
        return output.object(|document| document.display("file", &path.display()));
    }
    output.line(&[(Style::Good, &format!("wrote {}", path.display()))])?;
    output.line(&[(Style::Plain, "next: `spandrel doctor` tries it, and sends one span")])
}

fn text(arguments: &Arguments) -> String {
    let quoted = |text: &str| Value::Text(text.to_owned()).to_string();
    let service = match &arguments.service {
        Some(name) => format!("name = {}", quoted(name)),
        None => "# name = \"orders\"".to_owned(),
    };
    include_str!("init/spandrel.toml").replace("{type}", &quoted(&arguments.provider)).replace("{service}", &service)
}
