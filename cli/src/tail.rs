use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use spandrel_plugin_api::{SpanKind, SpanReader, SpanView, Status};

use crate::failure::Failure;
use crate::filter::{Filter, service};
use crate::input::checked;
use crate::otlp_json;
use crate::output::{Output, Style};
use crate::show::{Part, is_error, print_cut, put_attributes, write_span};
use crate::text::{duration, moment, shown};

#[derive(Args)]
#[command(
    after_help = "A span is written when it has ended. A file that is rotated, or not there yet, is followed by its path."
)]
pub(crate) struct Arguments {
    /// The trace file, lines of OTLP/JSON; `-` is standard input, to its end
    #[arg(value_name = "FILE", default_value = "traces.jsonl")]
    file: PathBuf,
    /// How many of the spans that are there already are shown first
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    lines: usize,
    /// Columns of a line; 0 cuts nothing
    #[arg(long, value_name = "COLUMNS", default_value_t = 80)]
    width: usize,
    #[command(flatten)]
    filter: Filter,
}

/// Between two looks at the file.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let mut lines = Lines::default();
    if arguments.file.as_os_str() == "-" {
        let mut input = io::stdin().lock();
        while lines.read(&mut input).map_err(|error| Failure::reading(&arguments.file, &error))? > 0 {
            show_all(&mut lines, arguments, output)?;
        }
        return Ok(());
    }
    let mut file = Followed::open(&arguments.file)?;
    show_last(&mut file, &mut lines, arguments, output)?;
    loop {
        if file.read(&mut lines)? == 0 {
            std::thread::sleep(PAUSE);
        } else {
            show_all(&mut lines, arguments, output)?;
        }
    }
}

/// Shows the last spans of those that are there already.
fn show_last(
    file: &mut Followed,
    lines: &mut Lines,
    arguments: &Arguments,
    output: &mut Output,
) -> Result<(), Failure> {
    // No more batches than are needed, each with the number of its spans that fit.
    let mut last: VecDeque<(Vec<u8>, usize)> = VecDeque::new();
    let mut total = 0;
    while file.read(lines)? > 0 {
        while let Some(batch) = lines.next_batch() {
            let fitting = SpanReader::new(&[&batch]).flatten().filter(|span| arguments.filter.fits(span)).count();
            total += fitting;
            last.push_back((batch, fitting));
            while last.front().is_some_and(|(_, fitting)| total - fitting >= arguments.lines) {
                total -= last.pop_front().map_or(0, |(_, fitting)| fitting);
            }
        }
    }
    let mut surplus = total.saturating_sub(arguments.lines);
    for (batch, fitting) in last {
        show(&batch, surplus.min(fitting), arguments, output)?;
        surplus = surplus.saturating_sub(fitting);
    }
    output.flush()
}

fn show_all(lines: &mut Lines, arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    while let Some(batch) = lines.next_batch() {
        show(&batch, 0, arguments, output)?;
    }
    output.flush()
}

/// Shows the spans of a batch that fit, but for the first ones.
fn show(batch: &[u8], skip: usize, arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let parts = [batch];
    for span in SpanReader::new(&parts).flatten().filter(|span| arguments.filter.fits(span)).skip(skip) {
        match output.json {
            true => output.object(|object| write_span(object, &span))?,
            false => print_cut(&line(&span), arguments.width, output)?,
        }
    }
    Ok(())
}

fn line(span: &SpanView<'_>) -> Vec<Part> {
    let time = moment(span.end().unix_nanos(), 3);
    let mut line = vec![
        // The day is that of today, mostly.
        (Style::Dim, format!("{}  {:>8}  ", &time[11..23], duration(span.duration_nanos()))),
        (if is_error(span) { Style::Bad } else { Style::Bold }, shown(span.name())),
    ];
    if span.kind() != SpanKind::Internal {
        line.push((Style::Plain, format!("  {}", span.kind().as_str())));
    }
    let service = service(span);
    if !service.is_empty() {
        line.push((Style::Good, format!("  ({})", shown(&service))));
    }
    if let Status::Error(message) = span.status() {
        let message = if message.is_empty() { String::new() } else { format!(" {}", shown(message)) };
        line.push((Style::Bad, format!("  ✗{message}")));
    }
    put_attributes(span, &mut line);
    line
}

/// Bytes that become lines as they come.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Up to here they were taken.
    taken: usize,
}

impl Lines {
    /// Reads what is there; 0 if nothing is.
    fn read(&mut self, file: &mut dyn Read) -> io::Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let length = self.bytes.len();
        self.bytes.resize(length + 65_536, 0);
        let read = file.read(&mut self.bytes[length..]);
        self.bytes.truncate(length + *read.as_ref().unwrap_or(&0));
        read
    }

    /// The batch of the next whole line that is one; what is none is told.
    fn next_batch(&mut self) -> Option<Vec<u8>> {
        loop {
            let rest = &self.bytes[self.taken..];
            let length = rest.iter().position(|byte| *byte == b'\n')?;
            let line = &rest[..length];
            let batch = otlp_json::request(line).and_then(checked);
            let is_blank = line.trim_ascii().is_empty();
            self.taken += length + 1;
            match batch {
                Ok(batch) => return Some(batch),
                Err(error) if !is_blank => eprintln!("a line is left out: {error}"),
                Err(_) => {}
            }
        }
    }

    /// What is left belongs to no line that will ever end.
    fn forget(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }
}

/// A file by its path: when another one is there, that one.
struct Followed {
    path: PathBuf,
    file: Option<File>,
    position: u64,
}

impl Followed {
    fn open(path: &Path) -> Result<Self, Failure> {
        let mut followed = Self { path: path.to_owned(), file: None, position: 0 };
        followed.reopen()?;
        if followed.file.is_none() {
            eprintln!("{} is not there yet", path.display());
        }
        Ok(followed)
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        match File::open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                self.position = 0;
                Ok(())
            }
            // While it is rotated.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::reading(&self.path, &error)),
        }
    }

    /// Reads what has come; 0 if nothing has.
    fn read(&mut self, lines: &mut Lines) -> Result<usize, Failure> {
        let reading = |error: io::Error| Failure::reading(&self.path, &error);
        let Some(file) = &mut self.file else {
            self.reopen()?;
            return Ok(0);
        };
        // Looked at first: what was written into a file before another took its place is read.
        let is_other = match std::fs::metadata(&self.path) {
            Ok(there) => identity(&there) != identity(&file.metadata().map_err(reading)?),
            Err(_) => false,
        };
        let read = lines.read(file).map_err(reading)?;
        self.position += read as u64;
        let is_shorter = file.metadata().map_err(reading)?.len() < self.position;
        if read == 0 && (is_other || is_shorter) {
            lines.forget();
            self.reopen()?;
        }
        Ok(read)
    }
}

/// Which file it is, wherever it lies.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Option<std::time::SystemTime> {
    metadata.created().ok()
}
