use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::RateLimit;
use spandrel_plugin_api::{
    Error, ErrorKind, Host, Provider, ProviderFactory, SpanBatch, SpanData, SpanExporter, SpanView, config,
};

use crate::config::{ConsoleConfig, Format, Output};
use crate::encode;
use crate::pending::{Pending, Trace};

/// Makes the provider `console`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsoleFactory;

impl ProviderFactory for ConsoleFactory {
    fn name(&self) -> &str {
        "console"
    }

    fn create(&self, config: &str, _host: &Host<'_>) -> Result<Provider, Error> {
        let config = config::parse(config)?;
        Ok(Provider::Exporter(Box::new(ConsoleExporter::new(&config))))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<ConsoleConfig>(config).map(drop)
    }
}

/// Prints finished spans.
pub struct ConsoleExporter {
    format: Format,
    is_colored: bool,
    pending: Pending,
    output: Box<dyn Write + Send>,
}

impl ConsoleExporter {
    /// Prints where the configuration says.
    #[must_use]
    pub fn new(config: &ConsoleConfig) -> Self {
        let no_color = std::env::var_os("NO_COLOR");
        let is_colored = |is_terminal| config.color.is_on(is_terminal, no_color.as_deref());
        match config.output {
            Output::Stdout => Self::with(config, is_colored(io::stdout().is_terminal()), Box::new(io::stdout())),
            Output::Stderr => Self::with(config, is_colored(io::stderr().is_terminal()), Box::new(io::stderr())),
        }
    }

    /// Prints into `output`, which is taken for something else than a terminal.
    #[must_use]
    pub fn to_writer(config: &ConsoleConfig, output: Box<dyn Write + Send>) -> Self {
        Self::with(config, config.color.is_on(false, None), output)
    }

    fn with(config: &ConsoleConfig, is_colored: bool, output: Box<dyn Write + Send>) -> Self {
        Self { format: config.format, is_colored, pending: Pending::new(config.max_pending_spans), output }
    }

    fn print_traces(&mut self, traces: &[Trace]) -> Result<(), Error> {
        let text: String = traces.iter().map(|trace| encode::tree(trace, self.is_colored)).collect();
        self.print(&text)
    }

    fn print(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        // One call, so that what other threads print stays outside; and not
        // `print!`, which panics when the reader of a pipe has gone.
        let printed = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        printed.map_err(|error| Error::new(ErrorKind::Io, "cannot print spans").with_source(error))
    }
}

impl SpanExporter for ConsoleExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        // Read to the end before anything is printed: a malformed batch counts as lost.
        let spans: Vec<SpanView<'_>> = batch.spans().collect::<Result<_, _>>()?;
        match self.format {
            Format::Tree => {
                self.pending.add(spans.iter().map(SpanData::from));
                let due = self.pending.take_due();
                self.print_traces(&due)
            }
            Format::Plain => self.print(&spans.iter().map(|span| encode::plain(&span.into())).collect::<String>()),
            Format::Json => self.print(&spans.iter().map(encode::json).collect::<String>()),
        }
    }

    fn flush(&mut self, _deadline: Duration) -> Result<(), Error> {
        let traces = self.pending.take_all();
        self.print_traces(&traces)
    }

    fn on_idle(&mut self) {
        static LIMIT: RateLimit = RateLimit::new();

        let due = self.pending.take_due();
        if let Err(error) = self.print_traces(&due) {
            LIMIT.warn(|| error.to_string());
        }
    }

    fn on_fork(&mut self) {
        // The parent process prints them; here they count as printed before.
        self.pending.take_all();
    }
}
