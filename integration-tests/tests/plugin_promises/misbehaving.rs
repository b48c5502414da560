//! `integration-tests/plugins/misbehaving.c`, which does what a test wants.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use spandrel::Tracer;
use spandrel::diagnostics::{self, Level};
use spandrel::provider::Plugin;
use spandrel_integration_tests::plugins::{c_plugin, root};
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::{
    Error, Host, InstrumentationScope, Provider, ProviderFactory, Resource, SpanContext, SpanExporter, SpanId,
    SpanKind, SpanStart, Timestamp, TraceFlags, TraceId, TracingProvider,
};

/// A library of its own, and what was called in it.
pub(crate) struct Misbehaving {
    folder: Folder,
    pub(crate) library: PathBuf,
    pub(crate) word: String,
}

impl Misbehaving {
    pub(crate) fn exporter(word: &str) -> Self {
        Self::with_macros(word, &[])
    }

    pub(crate) fn live(word: &str) -> Self {
        Self::with_macros(word, &[("LIVE", "")])
    }

    /// Both kinds.
    pub(crate) fn both(word: &str) -> [Self; 2] {
        [Self::exporter(word), Self::live(&format!("{word}_live"))]
    }

    /// What must be known before there is a configuration is said by macros.
    pub(crate) fn with_macros(word: &str, macros: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let source = folder.file("plugin.c");
        let mut text = format!("#define NAME \"{word}\"\n");
        for (name, value) in macros {
            let _ = writeln!(text, "#define {name} {value}");
        }
        let code = root().join("integration-tests/plugins/misbehaving.c");
        let _ = writeln!(text, "#include \"{}\"", code.display());
        fs::write(&source, text).unwrap();
        let library = c_plugin(&source, word, folder.path());
        Self { folder, library, word: word.to_owned() }
    }

    pub(crate) fn load(&self) -> Result<Plugin, Error> {
        Plugin::load(&self.library)
    }

    /// The table of an instance that behaves like this, and logs its calls in a file.
    pub(crate) fn config(&self, behaviour: &str) -> String {
        format!("log = \"{}\"\nbehaviour = \"{behaviour}\"\n", self.folder.file("calls").display())
    }

    pub(crate) fn create(&self, behaviour: &str) -> Result<Provider, Error> {
        self.load().unwrap().create(&self.config(behaviour), &Host::new(&Resource::new()))
    }

    pub(crate) fn create_live(&self, behaviour: &str) -> Box<dyn TracingProvider> {
        match self.create(behaviour) {
            Ok(Provider::Live(provider)) => provider,
            other => panic!("a live provider: {other:?}"),
        }
    }

    /// With what the plugin takes part in besides.
    pub(crate) fn create_exporter(&self, behaviour: &str) -> (Box<dyn SpanExporter>, Box<dyn TracingProvider>) {
        match self.create(behaviour) {
            Ok(Provider::ExporterWith { exporter, companion }) => (exporter, companion),
            other => panic!("an exporter with a companion: {other:?}"),
        }
    }

    /// A tracer over one instance.
    pub(crate) fn tracer(&self, behaviour: &str) -> Tracer {
        let config = format!("[provider.{}]\n{}", self.word, self.config(behaviour));
        let builder = spandrel::builder().register(self.load().unwrap()).provider_type(&self.word);
        builder.default_config(config).build().unwrap()
    }

    /// What was called so far, in its order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read(self.folder.file("calls")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// How often this was called.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls().iter().filter(|known| *known == call).count()
    }

    /// The folder with the library and the log of its calls, `calls`.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// What was said on behalf of this plugin; nothing goes to standard error any more.
pub(crate) fn messages(word: &str) -> Vec<(Level, String)> {
    let messages = all_messages();
    messages.iter().filter(|(_, text)| text.contains(word)).cloned().collect()
}

fn all_messages() -> MutexGuard<'static, Vec<(Level, String)>> {
    static MESSAGES: OnceLock<Mutex<Vec<(Level, String)>>> = OnceLock::new();
    let messages = MESSAGES.get_or_init(|| {
        diagnostics::set_handler(Box::new(|level, text| all_messages().push((level, text.to_owned()))));
        Mutex::default()
    });
    messages.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A span without anything.
pub(crate) fn start<'a>(name: &'a str, context: &'a SpanContext) -> SpanStart<'a> {
    SpanStart {
        name,
        context,
        parent: None,
        kind: SpanKind::Internal,
        time: Timestamp::from_unix_nanos(1_700_000_000_000_000_000),
        attributes: &[],
        links: &[],
        scope: InstrumentationScope::default(),
    }
}

pub(crate) fn context() -> SpanContext {
    SpanContext::new(TraceId::from_bytes([7; 16]), SpanId::from_bytes([8; 8]), TraceFlags::SAMPLED)
}
