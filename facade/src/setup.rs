use std::sync::Arc;
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{
    Error, ErrorKind, Host, Provider, ProviderFactory, Resource, SpanExporter, ToValue, TracingProvider,
};
use spandrel_recorder::{BatchConfig, Recorder, RecorderConfig, SpanLimits, fork};

use crate::accompanied::Accompanied;
use crate::builder::SCOPE;
#[cfg(feature = "config")]
use crate::config::{self, Source};
use crate::fanout::Fanout;
#[cfg(feature = "dylib")]
use crate::loader::LoaderSettings;
use crate::propagation::{ForcedTraces, Trust};
use crate::redaction::{Redaction, RuleSettings, Rules};
use crate::registry::Registry;
use crate::report::{Report, ShutdownError};
use crate::sampler::Sampler;
use crate::tracer::{Backend, Core, Tracer};
use crate::{exit, global, runtime};

/// Installs what `spandrel.toml` and the environment say.
///
/// Spans started earlier are not recorded. Keep the guard until the end of
/// `main`: dropping it delivers the last spans.
///
/// ```no_run
/// use spandrel as tracing;
///
/// fn main() -> Result<(), tracing::Error> {
///     let _guard = tracing::init()?;
///     tracing::with_span("work", |_| ());
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// [`ErrorKind::ConfigInvalid`] for a setting that cannot be used,
/// [`ErrorKind::ProviderNotFound`] for an unknown provider,
/// [`ErrorKind::AlreadyInstalled`] on the second call, or what the provider says.
#[cfg(feature = "config")]
pub fn init() -> Result<Guard, Error> {
    builder().read_configuration().install()
}

/// Sets tracing up by code; what it says wins over file and environment.
pub fn builder() -> Builder {
    Builder {
        registry: Registry::linked(),
        settings: Settings::default(),
        given: Vec::new(),
        #[cfg(feature = "config")]
        source: Source::default(),
        overrides: Vec::new(),
    }
}

/// Set-up by code. See [`builder`].
#[derive(Clone)]
#[must_use = "nothing is set up before `install` or `build`"]
pub struct Builder {
    registry: Registry,
    settings: Settings,
    /// Providers made by code, in place of those that the settings name.
    given: Vec<Arc<dyn ProviderFactory>>,
    #[cfg(feature = "config")]
    source: Source,
    overrides: Vec<Override>,
}

/// A setting made by code, applied after file and environment.
type Override = Arc<dyn Fn(&mut Settings) + Send + Sync>;

/// What file, environment and code say together.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Names of providers; several fan out.
    pub(crate) types: Vec<String>,
    /// They come from `OTEL_TRACES_EXPORTER`, which somebody may have set for all
    /// services alike: what this one does not have is left out.
    pub(crate) types_are_foreign: bool,
    pub(crate) enabled: bool,
    pub(crate) resource: Resource,
    pub(crate) sampler: Sampler,
    pub(crate) propagators: Vec<String>,
    pub(crate) trust: Trust,
    pub(crate) forced_traces: Option<ForcedTraces>,
    pub(crate) recorder: RecorderConfig,
    pub(crate) redaction: bool,
    pub(crate) redacted_keys: Vec<String>,
    /// What is redacted besides the values of keys.
    pub(crate) rules: RuleSettings,
    pub(crate) flush_on_signals: bool,
    pub(crate) reload_on_sighup: bool,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) debug_open_spans: bool,
    pub(crate) noop_on_error: bool,
    /// Where the configuration stands, for messages about providers.
    #[cfg(feature = "config")]
    pub(crate) providers: config::ProviderTables,
    /// Tables for crates on top of the facade.
    #[cfg(feature = "config")]
    pub(crate) sections: config::SectionTables,
    /// That of whichever providers take one.
    #[cfg(feature = "config")]
    pub(crate) endpoint: Option<config::Endpoint>,
    /// Which plugins may be loaded, and from where.
    #[cfg(feature = "dylib")]
    pub(crate) loader: LoaderSettings,
}

impl Settings {
    fn redactor(&self) -> Result<Redaction, Error> {
        Ok(match self.redaction {
            true => Redaction::new(self.redacted_keys.iter().map(String::as_str)).with_rules(Rules::new(&self.rules)?),
            false => Redaction::off(),
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            types: vec!["noop".to_owned()],
            types_are_foreign: false,
            enabled: true,
            resource: Resource::new(),
            sampler: Sampler::default(),
            propagators: spandrel_propagation::DEFAULT_NAMES.iter().map(|name| (*name).to_owned()).collect(),
            trust: Trust::default(),
            forced_traces: None,
            recorder: RecorderConfig::default(),
            redaction: true,
            redacted_keys: Vec::new(),
            rules: RuleSettings::default(),
            flush_on_signals: false,
            reload_on_sighup: false,
            shutdown_timeout: Duration::from_secs(5),
            debug_open_spans: false,
            noop_on_error: false,
            #[cfg(feature = "config")]
            providers: config::ProviderTables::default(),
            #[cfg(feature = "config")]
            sections: config::SectionTables::default(),
            #[cfg(feature = "config")]
            endpoint: None,
            #[cfg(feature = "dylib")]
            loader: LoaderSettings::default(),
        }
    }
}

impl Builder {
    /// Reads `spandrel.toml`, or the file that `SPANDREL_CONFIG` names, and the
    /// environment, when it is installed or built.
    #[cfg(feature = "config")]
    pub fn read_configuration(mut self) -> Self {
        self.source = Source { file: config::FileSource::Standard, environment: true, ..self.source };
        self
    }

    /// Reads this file when it is installed or built, but not the environment.
    #[cfg(feature = "config")]
    pub fn config_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.source = Source { file: config::FileSource::Path(path.into()), ..self.source };
        self
    }

    /// Settings of the program itself as TOML text: what file and environment
    /// leave open. The other methods here win over both.
    #[cfg(feature = "config")]
    pub fn default_config(mut self, toml: impl Into<String>) -> Self {
        self.source = Source { defaults: Some(toml.into()), ..self.source };
        self
    }

    /// The name of the service, `service.name`.
    pub fn service(self, name: &str) -> Self {
        self.resource_attribute("service.name", name)
    }

    /// An attribute of what produces the spans.
    pub fn resource_attribute(self, key: &str, value: impl ToValue) -> Self {
        let attribute = spandrel_plugin_api::OwnedAttribute::new(key, value);
        self.set(move |settings| settings.resource.set(&attribute.key, &attribute.value))
    }

    /// The providers by name: `"file"`, or several with commas between.
    pub fn provider_type(self, names: &str) -> Self {
        let names = split_names(names);
        self.set(move |settings| settings.types.clone_from(&names))
    }

    /// Makes a provider available by its name, in place of a linked one.
    pub fn register(mut self, factory: impl ProviderFactory + 'static) -> Self {
        self.registry.register(Arc::new(factory));
        self
    }

    /// Uses this provider, whatever the configuration names; twice for two.
    ///
    /// `make` is called when tracing is installed, and on [`reload`](crate::reload) again.
    pub fn provider<P: TracingProvider + 'static>(
        self,
        name: &str,
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        self.given(name, move || Provider::Live(Box::new(make())))
    }

    /// Uses a recorder over this exporter, whatever the configuration names;
    /// twice for two.
    ///
    /// `make` is called when tracing is installed, and on [`reload`](crate::reload) again.
    pub fn exporter<E: SpanExporter + 'static>(self, name: &str, make: impl Fn() -> E + Send + Sync + 'static) -> Self {
        self.given(name, move || Provider::Exporter(Box::new(make())))
    }

    /// Which spans are recorded; all that a parent does not forbid unless set.
    pub fn sampler(self, sampler: Sampler) -> Self {
        self.set(move |settings| settings.sampler = sampler.clone())
    }

    /// What traces that come in count for; they go on here unless set.
    pub fn trust(self, trust: Trust) -> Self {
        self.set(move |settings| settings.trust = trust)
    }

    /// How many traces a second may be recorded because the caller's sampled flag says so;
    /// no limit unless set.
    ///
    /// One second's worth may come at once. Beyond it the flag counts as not set, unless the
    /// sampler chooses the trace by its id.
    pub fn forced_traces_per_second(self, traces: u32) -> Self {
        self.set(move |settings| settings.forced_traces = Some(ForcedTraces::new(traces)))
    }

    /// What a span may hold.
    pub fn limits(self, limits: SpanLimits) -> Self {
        self.set(move |settings| settings.recorder.limits = limits.clone())
    }

    /// How finished spans travel to the exporters.
    ///
    /// ```
    /// use spandrel::{BatchConfig, OverflowPolicy};
    ///
    /// let mut batch = BatchConfig::default();
    /// batch.on_full = OverflowPolicy::Block;
    /// let builder = spandrel::builder().batch(batch);
    /// ```
    pub fn batch(self, batch: BatchConfig) -> Self {
        self.set(move |settings| settings.recorder.batch = batch.clone())
    }

    /// Keys whose values are redacted besides the default ones.
    pub fn redact<'a>(self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        self.set(move |settings| settings.redacted_keys.extend(keys.iter().cloned()))
    }

    /// Whether anything is redacted at all; yes unless set.
    pub fn redaction(self, on: bool) -> Self {
        self.set(move |settings| settings.redaction = on)
    }

    /// Delivers the last spans also on `std::process::exit`, SIGTERM and SIGINT.
    pub fn flush_on_signals(self, on: bool) -> Self {
        self.set(move |settings| settings.flush_on_signals = on)
    }

    /// Reads the configuration again on SIGHUP, as [`reload`](crate::reload) does, and says what
    /// came of it. What is wrong with it changes nothing.
    pub fn reload_on_sighup(self, on: bool) -> Self {
        self.set(move |settings| settings.reload_on_sighup = on)
    }

    /// How long dropping the guard may take; 5 seconds unless set.
    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self.set(move |settings| settings.shutdown_timeout = timeout)
    }

    /// Keeps a list of the open spans; see [`open_spans`](crate::open_spans).
    pub fn debug_open_spans(self, on: bool) -> Self {
        self.set(move |settings| settings.debug_open_spans = on)
    }

    /// Makes a tracer without installing it.
    ///
    /// # Errors
    ///
    /// Those of [`init`], [`ErrorKind::AlreadyInstalled`] aside.
    pub fn build(&self) -> Result<Tracer, Error> {
        self.build_from(&self.settings()?)
    }

    /// Makes a tracer and installs it for the whole program.
    ///
    /// # Errors
    ///
    /// Those of [`init`].
    pub fn install(self) -> Result<Guard, Error> {
        // Looked at first, so that a second call opens no second file.
        let installed = global::installed();
        if installed.current.is_some() {
            return Err(already_installed(&installed));
        }
        drop(installed);
        let settings = self.settings()?;
        let tracer = self.build_from(&settings)?;
        let mut installed = global::installed();
        if installed.current.is_some() {
            return Err(already_installed(&installed));
        }
        installed.current = Some(tracer);
        installed.all.push(tracer);
        installed.builder = Some(self);
        global::activate(Some(tracer));
        drop(installed);
        exit::install(exit::Wanted {
            flush: settings.flush_on_signals,
            timeout: settings.shutdown_timeout,
            reload: settings.reload_on_sighup,
        })?;
        Ok(Guard { timeout: settings.shutdown_timeout })
    }

    /// A tracer with these providers in place of those that the settings name.
    pub(crate) fn tracer_over(&self, providers: Vec<(String, Provider)>) -> Result<Tracer, Error> {
        assemble(&self.settings()?, providers)
    }

    fn settings(&self) -> Result<Settings, Error> {
        let mut settings = self.settings.clone();
        #[cfg(feature = "config")]
        self.source.apply(&mut settings)?;
        for change in &self.overrides {
            change(&mut settings);
        }
        #[cfg(feature = "config")]
        if self.given.is_empty() {
            config::place_endpoint(&mut settings)?;
        }
        if settings.resource.get("service.name").is_none() {
            settings.resource.set("service.name", unknown_service());
        }
        // Here already, as factories are told of the resource, too.
        let mut resource = Resource::new();
        let attributes: Vec<_> = settings.resource.attributes().collect();
        settings.redactor()?.attributes(&attributes, |clean| clean.iter().for_each(|a| resource.set(a.key, a.value)));
        settings.resource = resource;
        Ok(settings)
    }

    fn build_from(&self, settings: &Settings) -> Result<Tracer, Error> {
        let host = Host::new(&settings.resource);
        if !settings.enabled {
            return assemble(settings, vec![("noop".to_owned(), self.registry.create_linked("noop", &host)?)]);
        }
        let made: Result<Vec<_>, Error> = if self.given.is_empty() {
            self.types(settings).iter().map(|name| self.make(name, settings, &host)).collect()
        } else {
            self.given.iter().map(|f| Ok((f.name().to_owned(), f.create("", &host)?))).collect()
        };
        #[cfg(feature = "config")]
        if let Ok(made) = &made {
            self.warn_of_unknown_tables(settings, made);
        }
        match made {
            Ok(providers) => assemble(settings, providers),
            Err(error) if settings.noop_on_error => {
                report(Level::Warning, &format!("tracing is off because on_error = \"noop\": {error}"));
                assemble(settings, vec![("noop".to_owned(), self.registry.create_linked("noop", &host)?)])
            }
            Err(error) => Err(error),
        }
    }

    /// The names of the providers to make.
    fn types(&self, settings: &Settings) -> Vec<String> {
        let (known, unknown): (Vec<String>, Vec<String>) = settings
            .types
            .iter()
            .cloned()
            .partition(|name| !settings.types_are_foreign || self.registry.has(name, settings));
        if !unknown.is_empty() {
            let names = unknown.join(", ");
            report(
                Level::Warning,
                &format!(
                    "OTEL_TRACES_EXPORTER names providers that this program does not have, they are left out: {names}; set TRACING_TYPE to choose another"
                ),
            );
        }
        if known.is_empty() && settings.types_are_foreign { vec!["noop".to_owned()] } else { known }
    }

    /// Not an error: one file may serve several programs.
    #[cfg(feature = "config")]
    fn warn_of_unknown_tables(&self, settings: &Settings, made: &[(String, Provider)]) {
        let is_used = |name: &str| made.iter().any(|(made, _)| made == name);
        let unused = settings.providers.names().filter(|name| !is_used(name));
        for name in unused.filter(|name| !self.registry.has(name, settings)) {
            let in_use = made.iter().map(|(name, _)| name.as_str());
            let meant = self.registry.nearest(name, settings, in_use);
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            report(
                Level::Warning,
                &format!("there are settings for a provider `{name}`, which this program does not have{meant}"),
            );
        }
    }

    fn make(&self, name: &str, settings: &Settings, host: &Host<'_>) -> Result<(String, Provider), Error> {
        let factory = self.registry.factory(name, settings)?;
        // Not the path, if it is one: the provider's own word for itself.
        let name = factory.name().to_owned();
        #[cfg(feature = "config")]
        let made = {
            let table = settings.providers.text(&name)?;
            factory.create(&table, host).map_err(|error| settings.providers.locate(&name, error))
        };
        #[cfg(not(feature = "config"))]
        let made = factory.create("", host);
        Ok((name, made?))
    }

    fn given(mut self, name: &str, make: impl Fn() -> Provider + Send + Sync + 'static) -> Self {
        self.given.push(Arc::new(Given { name: name.to_owned(), make }));
        self
    }

    pub(crate) fn set(mut self, change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        self.overrides.push(Arc::new(change));
        self
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// The name of a service that nobody named.
///
/// Source: OpenTelemetry semantic conventions 1.44, `service.name`.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_ref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy());
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}

/// Names between commas.
pub(crate) fn split_names(names: &str) -> Vec<String> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A provider made by code.
struct Given<F> {
    name: String,
    make: F,
}

impl<F: Fn() -> Provider + Send + Sync> ProviderFactory for Given<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn create(&self, _: &str, _: &Host<'_>) -> Result<Provider, Error> {
        Ok((self.make)())
    }
}

/// Puts a tracer together: one recorder for all exporters, beside live providers.
fn assemble(settings: &Settings, providers: Vec<(String, Provider)>) -> Result<Tracer, Error> {
    if providers.is_empty() {
        let message = "no provider is named; set TRACING_TYPE, for example to `file` or `noop`";
        return Err(Error::new(ErrorKind::ConfigInvalid, message));
    }
    let names: Vec<&str> = providers.iter().map(|(name, _)| name.as_str()).collect();
    let name = names.join(",");
    let mut live: Vec<Box<dyn TracingProvider>> = Vec::new();
    let (mut exporters, mut companions) = (Vec::new(), Vec::new());
    for (name, provider) in providers {
        match provider {
            Provider::Live(provider) => live.push(provider),
            Provider::Exporter(exporter) => exporters.push((name, exporter)),
            Provider::ExporterWith { exporter, companion } => {
                exporters.push((name, exporter));
                companions.push(companion);
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, "a kind of provider that this version does not know")),
        }
    }
    let record = |exporters| {
        let mut config = settings.recorder.clone();
        config.scope = SCOPE;
        Accompanied::new(Recorder::new(config, &settings.resource, exporters), companions)
    };
    let backend = match live.len() {
        0 => Backend::Recorder(record(exporters)),
        1 if exporters.is_empty() => Backend::Provider(live.swap_remove(0)),
        _ => {
            if !exporters.is_empty() {
                live.push(Box::new(record(exporters)));
            }
            Backend::Provider(Box::new(Fanout::new(live)))
        }
    };

    // Also for a provider without a recorder: a child must not make the ids of its parent.
    fork::install();
    let mut core = Core::new(name, backend);
    core.set_sampler(settings.sampler.clone());
    core.redaction = settings.redactor()?;
    if settings.debug_open_spans {
        core.list_open_spans();
    }
    for name in &settings.propagators {
        let propagator = spandrel_propagation::by_name(name);
        core.propagators.push(propagator.ok_or_else(|| unknown_propagator(name))?);
    }
    #[cfg(feature = "config")]
    {
        core.sections = settings.sections.texts();
    }
    core.trust = settings.trust;
    core.forced_traces.clone_from(&settings.forced_traces);
    // Lives until the process ends, and stays reachable if it was installed.
    Ok(Tracer(Box::leak(Box::new(core))))
}

pub(crate) fn unknown_propagator(name: &str) -> Error {
    let known = spandrel_propagation::NAMES;
    let meant = spandrel_plugin_api::suggest::nearest(name, known.iter().copied());
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    let message = format!("there is no propagator `{name}`{meant}");
    Error::new(ErrorKind::ConfigInvalid, message).with_context("available", known.join(", "))
}

fn already_installed(installed: &global::Installed) -> Error {
    let message = if installed.is_shut_down {
        "tracing was installed and shut down; it cannot be installed again"
    } else {
        "tracing is installed already; call `init` once, and `reload` or `set_provider` to change it later"
    };
    Error::new(ErrorKind::AlreadyInstalled, message)
}

/// Delivers the last spans when it is dropped; keep it until the end of `main`.
#[derive(Debug)]
#[must_use = "dropping the guard shuts tracing down: keep it, `let _guard = ...`, not `let _ = ...`"]
pub struct Guard {
    timeout: Duration,
}

impl Guard {
    /// Delivers the last spans and says what became of all of them.
    ///
    /// # Errors
    ///
    /// Those of [`shutdown`](crate::shutdown).
    pub fn shutdown(self, deadline: Duration) -> Result<Report, ShutdownError> {
        std::mem::forget(self);
        runtime::shutdown(deadline)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = runtime::shutdown(self.timeout) {
            report(Level::Warning, &error.to_string());
        }
    }
}
