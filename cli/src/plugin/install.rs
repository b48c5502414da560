use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use spandrel::inspect::Configuration;

use crate::config::ConfigFile;
use crate::failure::Failure;
use crate::output::{Output, Style};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The library
    #[arg(value_name = "FILE")]
    library: PathBuf,
    /// Where to put it; the directory of the user for plugins unless given
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let configuration = arguments.file.read()?;
    let library =
        std::path::absolute(&arguments.library).map_err(|error| Failure::reading(&arguments.library, &error))?;
    let checked = Configuration::plugin_file(&library)?;
    let dir = match &arguments.to {
        Some(dir) => std::path::absolute(dir).map_err(|error| Failure::writing(dir, &error))?,
        None => of_user(&configuration)?,
    };
    let target = dir.join(Configuration::plugin_library(&checked.name));
    if target.canonicalize().is_ok_and(|target| target == checked.path) {
        return Err(Failure::Usage(format!("{} is installed there already", target.display())));
    }
    put(&checked.path, &target)?;
    // What was checked is what is there now.
    let installed = Configuration::plugin_file(&target)?;
    if installed.sha256 != checked.sha256 {
        return Err(Failure::NotWell(format!("{} was changed while it was installed", target.display())));
    }
    let is_searched = configuration.plugin_places().iter().any(|place| place.dir.as_ref() == Ok(&dir));
    if output.json {
        return output.object(|object| {
            object.text("name", &installed.name);
            object.display("path", &target.display());
            object.text("sha256", &installed.sha256);
            object.boolean("is_searched", is_searched);
        });
    }
    let text = format!("installed {} {} as {}", installed.name, installed.version, target.display());
    output.line(&[(Style::Good, &text)])?;
    if !is_searched {
        let text = format!("services search there with plugin_dirs = [\"{}\"]", dir.display());
        output.line(&[(Style::Warning, &text)])?;
    }
    let pin = format!("to pin it:\n[plugin.{}]\nsha256 = \"{}\"", installed.name, installed.sha256);
    output.line(&[(Style::Plain, &pin)])
}

fn of_user(configuration: &Configuration) -> Result<PathBuf, Failure> {
    let place = configuration.plugin_places().into_iter().find(|place| place.origin == "of the user");
    let dir = place.map_or(Err("this system has none"), |place| place.dir);
    dir.map_err(|why| Failure::Io(format!("there is no directory of the user for plugins: {why}; name one with --to")))
}

/// Whole or not at all, and never into a file that a service has open: beside it first.
fn put(library: &Path, target: &Path) -> Result<(), Failure> {
    let bytes = fs::read(library).map_err(|error| Failure::reading(library, &error))?;
    let part = target.with_extension(format!("part-{}", std::process::id()));
    let written = (|| {
        if let Some(dir) = target.parent() {
            make_dirs(dir)?;
        }
        let mut file = options().open(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&part, target)?;
        // The name is on the disk, too.
        target.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    })();
    written.map_err(|error: io::Error| {
        // If it was never made there is nothing to remove.
        let _ = fs::remove_file(&part);
        Failure::writing(target, &error)
    })
}

/// Nobody else may write what is made, whatever the shell has set: it would be refused.
#[cfg(unix)]
fn make_dirs(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o644);
    options
}

#[cfg(not(unix))]
fn make_dirs(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    options
}
