//! Three things that go wrong with tracing in production, each in a process of its own, here and there.

mod programs;

use std::net::TcpStream;
use std::process::{Command, ExitCode};

use crate::Failure;
use crate::burst::Receiver;

pub(crate) use programs::run;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pain {
    Return,
    Exit,
    Unreachable,
    Flavour,
}

/// Who has to bear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer {
    Otel,
    Spandrel,
}

/// The spans of each program.
pub(crate) const SPANS: u64 = 100;
const WORD: &str = "pain";

impl Pain {
    pub(crate) const ALL: [Self; 4] = [Self::Return, Self::Exit, Self::Unreachable, Self::Flavour];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Exit => "exit",
            Self::Unreachable => "unreachable",
            Self::Flavour => "flavour",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Return => "`main` returns, and nobody called shutdown",
            Self::Exit => "`std::process::exit(0)`",
            Self::Unreachable => "nobody listens at the endpoint; shutdown",
            Self::Flavour => "the asynchronous HTTP client, and no runtime; shutdown",
        }
    }
}

impl Bearer {
    pub(crate) const ALL: [Self; 2] = [Self::Otel, Self::Spandrel];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Otel => "otel",
            Self::Spandrel => "spandrel",
        }
    }
}

/// How one program ended.
struct Outcome {
    arrived: u64,
    /// What shutdown returned; empty if the program did not call it.
    returned: String,
    /// What was on standard error.
    printed: String,
}

/// Runs all of them and prints the table; a failure if it is ours that loses something, or
/// does not tell.
pub(crate) fn show() -> Result<ExitCode, Failure> {
    println!("| {SPANS} spans, and then | OpenTelemetry | shutdown returns | Spandrel | shutdown returns |");
    println!("| --- | ---: | --- | ---: | --- |");
    let (mut is_fine, mut printed) = (true, Vec::new());
    for pain in Pain::ALL {
        let [theirs, ours] = Bearer::ALL.map(|bearer| bear(pain, bearer));
        let (theirs, ours) = (theirs?, ours?);
        let cells = [&theirs, &ours].map(|outcome| format!("{} | {}", outcome.arrived, outcome.returned()));
        println!("| {} | {} |", pain.about(), cells.join(" | "));
        is_fine &= match pain {
            // Nothing can arrive, and shutdown says so.
            Pain::Unreachable => ours.returned.starts_with("Err"),
            _ => ours.arrived == SPANS && !ours.returned.starts_with("Err"),
        };
        for (bearer, outcome) in [(Bearer::Otel, theirs), (Bearer::Spandrel, ours)] {
            if !outcome.printed.is_empty() {
                printed.push(format!("{}, {}:\n{}", bearer.name(), pain.name(), outcome.printed));
            }
        }
    }
    println!("\nOn standard error:\n");
    printed.iter().for_each(|text| println!("{text}"));
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one program. Both find the endpoint where the specification of OpenTelemetry has it.
fn bear(pain: Pain, bearer: Bearer) -> Result<Outcome, Failure> {
    let receiver = Receiver::start()?;
    // The near end of a connection: a port that nobody else gets, and where nobody listens.
    let deaf = TcpStream::connect(receiver.address())?;
    let address = match pain {
        Pain::Unreachable => deaf.local_addr()?.to_string(),
        _ => receiver.address().to_owned(),
    };
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if ["TRACING_", "OTEL_", "SPANDREL_"].iter().any(|prefix| text.starts_with(prefix)) || text.ends_with("_PROXY")
        {
            command.env_remove(&name);
        }
    }
    command.args([WORD, pain.name(), bearer.name()]).current_dir(std::env::temp_dir());
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("TRACING_TYPE", "otlp")
        .env("RUST_BACKTRACE", "0");
    if pain == Pain::Exit {
        command.env("TRACING_FLUSH_ON_SIGNALS", "true");
    }
    let output = command.output()?;
    if !output.status.success() {
        let (name, bearer) = (pain.name(), bearer.name());
        return Err(format!("`{name}` of `{bearer}` failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let arrived = receiver.counts()?["spans"].as_u64().ok_or("the receiver has no number of spans")?;
    Ok(Outcome { arrived, returned: text(&output.stdout), printed: text(&output.stderr) })
}

impl Outcome {
    fn returned(&self) -> String {
        if self.returned.is_empty() { "not called".to_owned() } else { format!("`{}`", self.returned) }
    }
}
