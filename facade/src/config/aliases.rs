//! Other names of settings, as `configure_tracing` of several frameworks has them.

use spandrel_plugin_api::config::{Reader, Value};
use spandrel_plugin_api::{Error, ErrorKind};

use super::ProviderTables;
use super::environment::{Environment, invalid};
use crate::plugins;
use crate::sampler::Sampler;
use crate::setup::Settings;

/// An `endpoint` that stands beside the `type`, not in the table of a provider. Whose it is,
/// is known when file, environment and code have said which providers there are.
#[derive(Clone)]
pub(crate) struct Endpoint {
    url: String,
    /// Where it stands: a place in the file, or a variable.
    origin: String,
    /// What it wins over: the tables of whatever is weaker than the file, or the variable, it stands in.
    weaker: ProviderTables,
    /// The providers at that time.
    beside: Vec<String>,
}

/// The providers that the file names in `type` or in `exporter`, and the key.
pub(super) fn types<'a>(table: &mut Reader<'a>) -> Result<Option<(&'static str, &'a Value)>, Error> {
    match (table.value("type"), table.value("exporter")) {
        (Some(_), Some(_)) => {
            Err(table.error("exporter", "`exporter` is another name for `type`; set one of them, not both"))
        }
        (Some(own), None) => Ok(Some(("type", own))),
        (None, other) => Ok(other.map(|other| ("exporter", other))),
    }
}

/// Reads the others; `place` says where a key stands. To be called before the keys with the
/// real names are read, which win.
pub(super) fn read(
    table: &mut Reader<'_>,
    place: &dyn Fn(&str) -> String,
    settings: &mut Settings,
) -> Result<(), Error> {
    for (key, attribute) in [
        ("service_name", "service.name"),
        ("service_version", "service.version"),
        ("environment", "deployment.environment.name"),
    ] {
        if let Some(text) = table.text(key)? {
            settings.resource.set(attribute, text);
        }
    }
    if let Some(rate) = table.float("sample_rate")? {
        settings.sampler = sampler(rate).map_err(|error| table.error("sample_rate", error.to_string()))?;
    }
    if let Some(url) = table.text("endpoint")? {
        settings.endpoint = Some(Endpoint::new(url, place("endpoint"), settings));
    }
    Ok(())
}

/// Reads those variables that are not called like the real ones anyway. To be called after
/// ours are read, but before those of providers.
pub(super) fn apply_environment(environment: &Environment<'_>, settings: &mut Settings) -> Result<(), Error> {
    let name = "TRACING_SAMPLE_RATE";
    if let Some(text) = environment.text(name)
        && environment.text("TRACING_SAMPLER").is_none()
    {
        let rate = text.parse().map_err(|_| invalid(name, text, "a number from 0 to 1"))?;
        let from = |error: Error| Error::new(ErrorKind::ConfigInvalid, format!("{name}: {error}"));
        settings.sampler = sampler(rate).map_err(from)?;
    }
    let name = "TRACING_ENDPOINT";
    if let Some(url) = environment.text(name) {
        settings.endpoint = Some(Endpoint::new(url, name.to_owned(), settings));
    }
    Ok(())
}

/// Writes the endpoint into the tables of the providers that take one.
pub(crate) fn place_endpoint(settings: &mut Settings) -> Result<(), Error> {
    let Some(endpoint) = settings.endpoint.take() else { return Ok(()) };
    let takers: Vec<String> = settings.types.iter().filter(|name| takes_endpoint(name, settings)).cloned().collect();
    // What was of use until somebody stronger chose another provider is no mistake.
    let was_of_use = endpoint.beside.iter().any(|name| takes_endpoint(name, settings));
    if takers.is_empty() && !was_of_use && settings.enabled && !settings.types_are_foreign {
        return Err(endpoint.useless(&settings.types));
    }
    for name in takers {
        // A table that is none is the provider's to refuse.
        settings.providers.text(&name)?;
        let own = settings.providers.origin(&name, "endpoint");
        if own.is_none() || own == endpoint.weaker.origin(&name, "endpoint") {
            settings.providers.set(&[&name, "endpoint"], &endpoint.url, &endpoint.origin);
        }
    }
    Ok(())
}

impl Endpoint {
    fn new(url: &str, origin: String, settings: &Settings) -> Self {
        Self { url: url.to_owned(), origin, weaker: settings.providers.clone(), beside: settings.types.clone() }
    }

    fn useless(&self, types: &[String]) -> Error {
        let path = types.iter().find(|name| is_path(name));
        let name = path.map(|path| format!(" (the name is in the library: `spandrel plugin info {path}`)"));
        let message = format!(
            "{}: an endpoint is for a provider that sends to one, such as otlp, zipkin or jaeger, and the type is `{}`; \
             set the type to one of these, set `endpoint` in a table `[provider.<name>]`{}, or remove it",
            self.origin,
            types.join(", "),
            name.unwrap_or_default()
        );
        Error::new(ErrorKind::ConfigInvalid, message)
    }
}

/// Not known of a path: the name of its table is in the library.
fn takes_endpoint(name: &str, settings: &Settings) -> bool {
    !is_path(name) && !["console", "file", "memory", "noop"].contains(&plugins::provider_of(name, settings))
}

fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(std::env::consts::DLL_SUFFIX)
}

/// As `parent_ratio`.
fn sampler(rate: f64) -> Result<Sampler, Error> {
    Sampler::ratio(rate).map(Sampler::parent_based)
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory};
    use spandrel_provider_noop::NoopProvider;

    use super::place_endpoint;
    use crate::config::{Origin, environment, file};
    use crate::setup::Settings;

    /// Defaults of the program, file, and variables as `A=1 B=2`.
    fn read(defaults: &str, text: &str, variables: &str) -> Result<Settings, String> {
        let mut settings = Settings::default();
        let variables: Vec<_> = variables
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut apply = || {
            file::apply(defaults, "defaults", Origin::Program, &|_| None, &mut settings)?;
            file::apply(text, "x.toml", Origin::Starter, &|_| None, &mut settings)?;
            environment::apply(&variables, &mut settings)?;
            place_endpoint(&mut settings)
        };
        apply().map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn all_of_them_mean_what_the_real_names_mean() {
        let file = "exporter = 'otlp'\nendpoint = 'http://jaeger:4317'\nservice_name = 'shop'\nservice_version = '1.0.0'\n\
                    environment = 'production'\nsample_rate = 0.1\nenabled = false\npropagators = ['tracecontext', 'b3']";
        let environment = "TRACING_EXPORTER=otlp TRACING_ENDPOINT=http://jaeger:4317 TRACING_SERVICE_NAME=shop \
                           TRACING_SERVICE_VERSION=1.0.0 TRACING_ENVIRONMENT=production TRACING_SAMPLE_RATE=0.1 \
                           TRACING_ENABLED=false TRACING_PROPAGATORS=tracecontext,b3";
        for settings in [read("", file, ""), read("", "", environment)] {
            let settings = settings.unwrap();
            let text = |key| settings.resource.get(key).map(|value| format!("{value:?}"));
            assert_eq!((settings.types.join(","), settings.enabled), ("otlp".to_owned(), false));
            assert_eq!(settings.providers.text("otlp").unwrap(), "endpoint = \"http://jaeger:4317\"\n");
            assert_eq!(settings.resource.service_name(), "shop");
            assert_eq!(text("service.version").as_deref(), Some("Str(\"1.0.0\")"));
            assert_eq!(text("deployment.environment.name").as_deref(), Some("Str(\"production\")"));
            assert_eq!(format!("{:?}", settings.sampler), "parent_based(ratio(0.1))");
            assert_eq!(settings.propagators, ["tracecontext", "b3"]);
        }
        assert_eq!(read("", "exporter = ['console', 'file']", "").unwrap().types, ["console", "file"]);
    }

    #[test]
    fn real_names_win_beside_them_and_the_environment_over_the_file() {
        for (text, variables, expected) in [
            ("type = 'console'", "TRACING_EXPORTER=file", "file"),
            ("exporter = 'console'", "TRACING_TYPE=file", "file"),
            ("", "TRACING_EXPORTER=console TRACING_TYPE=file", "file"),
            ("", "TRACING_EXPORTER=file OTEL_TRACES_EXPORTER=console", "file"),
            ("exporter = 'console'", "OTEL_TRACES_EXPORTER=file", "file"),
        ] {
            assert_eq!(read("", text, variables).unwrap().types, [expected], "{text} {variables}");
        }
        for (text, variables, expected) in [
            ("sample_rate = 0.1\n[sampler]\ntype = 'always_off'", "", "always_off"),
            // As `spandrel init` writes it.
            ("sample_rate = 0.1\n[sampler]", "", "parent_based(ratio(0.1))"),
            ("[sampler]\ntype = 'always_off'", "TRACING_SAMPLE_RATE=0.1", "parent_based(ratio(0.1))"),
            ("sample_rate = 0.1", "TRACING_SAMPLER=always_off", "always_off"),
            ("", "TRACING_SAMPLE_RATE=0.1 TRACING_SAMPLER=always_off", "always_off"),
            ("", "TRACING_SAMPLE_RATE=0.1 OTEL_TRACES_SAMPLER=always_off", "parent_based(ratio(0.1))"),
            ("sample_rate = 0.1", "OTEL_TRACES_SAMPLER=always_off", "always_off"),
        ] {
            let sampler = format!("{:?}", read("", text, variables).unwrap().sampler);
            assert_eq!(sampler, expected, "{text} {variables}");
        }
        let names = "service_name = 'a'\nservice_version = '1'\n[service]\nname = 'b'";
        let settings = read("", names, "").unwrap();
        assert_eq!(settings.resource.service_name(), "b");
        assert!(settings.resource.get("service.version").is_some());
    }

    #[test]
    fn the_endpoint_is_that_of_each_provider_which_takes_one() {
        let real = "[provider.otlp]\nendpoint = 'real'";
        for (defaults, text, variables, expected) in [
            ("", "endpoint = 'alias'", "", "alias"),
            ("", &*format!("endpoint = 'alias'\n{real}"), "", "real"),
            ("", "", "TRACING_ENDPOINT=alias", "alias"),
            ("", real, "TRACING_ENDPOINT=alias", "alias"),
            ("", "endpoint = 'file'", "TRACING_ENDPOINT=alias", "alias"),
            ("", "endpoint = 'alias'", "TRACING_PROVIDER__OTLP__ENDPOINT=real", "real"),
            ("", "", "TRACING_ENDPOINT=alias TRACING_PROVIDER__OTLP__ENDPOINT=real", "real"),
            ("", "", "TRACING_ENDPOINT=alias OTEL_EXPORTER_OTLP_ENDPOINT=http://o", "alias"),
            ("", "endpoint = 'alias'", "OTEL_EXPORTER_OTLP_ENDPOINT=http://o", "http://o/v1/traces"),
            (real, "endpoint = 'alias'", "", "alias"),
            ("endpoint = 'alias'", real, "", "real"),
            ("endpoint = 'alias'", "", "", "alias"),
        ] {
            let settings = read(&format!("type = 'otlp'\n{defaults}"), text, variables).unwrap();
            let table = settings.providers.text("otlp").unwrap();
            assert_eq!(table, format!("endpoint = \"{expected}\"\n"), "{defaults} {text} {variables}");
        }
        let settings = read("", "exporter = ['console', 'zipkin', 'own']\nendpoint = 'e'", "").unwrap();
        let tables = ["console", "zipkin", "own"].map(|name| settings.providers.text(name).unwrap());
        assert_eq!(tables, ["", "endpoint = \"e\"\n", "endpoint = \"e\"\n"]);
        assert_eq!(settings.providers.origin("zipkin", "endpoint"), Some("x.toml:2:1"));
        let settings = read("", "exporter = 'jaeger'", "TRACING_ENDPOINT=e").unwrap();
        assert_eq!(settings.providers.origin("jaeger", "endpoint"), Some("TRACING_ENDPOINT"));
    }

    #[cfg(feature = "dylib")]
    #[test]
    fn a_second_one_of_a_provider_takes_what_the_first_takes() {
        let text = "exporter = ['audit', 'far']\nendpoint = 'e'\n[plugin.audit]\nprovider = 'file'\n[plugin.far]\nprovider = 'otlp'";
        let settings = read("", text, "").unwrap();
        assert_eq!(["audit", "far"].map(|name| settings.providers.text(name).unwrap()), ["", "endpoint = \"e\"\n"]);
    }

    #[test]
    fn an_endpoint_nobody_takes_is_refused_unless_somebody_stronger_chose_the_provider() {
        let refused =
            "an endpoint is for a provider that sends to one, such as otlp, zipkin or jaeger, and the type is";
        for (text, variables, expected) in [
            ("endpoint = 'e'", "", format!("x.toml:1:1: {refused} `noop`;")),
            ("exporter = 'file'", "TRACING_ENDPOINT=e", format!("TRACING_ENDPOINT: {refused} `file`;")),
            ("endpoint = 'e'", "TRACING_TYPE=console,file", format!("x.toml:1:1: {refused} `console, file`;")),
            ("type = '/x/liby.so'\nendpoint = 'e'", "", format!("x.toml:2:1: {refused} `/x/liby.so`;")),
        ] {
            let error = read("", text, variables).err().unwrap_or_default();
            assert!(error.starts_with(&expected), "{text} {variables}\n{error}");
        }
        for (text, variables) in [
            ("exporter = 'otlp'\nendpoint = 'e'", "TRACING_TYPE=console"),
            ("endpoint = 'e'", "TRACING_ENABLED=false"),
            ("endpoint = 'e'", "OTEL_TRACES_EXPORTER=none"),
        ] {
            assert_eq!(read("", text, variables).err(), None, "{text} {variables}");
        }
    }

    #[test]
    fn a_library_by_its_path_is_told_where_its_name_stands() {
        let error = read("", "", "TRACING_TYPE=/x/liby.so TRACING_ENDPOINT=e").err().unwrap_or_default();
        let expected = "in a table `[provider.<name>]` (the name is in the library: `spandrel plugin info /x/liby.so`), or remove it";
        assert!(error.ends_with(expected), "{error}");
    }

    struct Own;

    impl ProviderFactory for Own {
        fn name(&self) -> &'static str {
            "own"
        }

        fn create(&self, table: &str, _: &Host<'_>) -> Result<Provider, Error> {
            Err(Error::new(ErrorKind::ConfigInvalid, table).with_context("key", "endpoint"))
        }
    }

    #[test]
    fn the_provider_may_be_chosen_by_code_and_is_told_where_it_stands() {
        let builder =
            || crate::builder().default_config("exporter = 'file'\nsample_rate = 1\nendpoint = 'e'").register(Own);
        let error = builder().provider_type("own").build().unwrap_err();
        assert_eq!((error.message(), error.context("at")), ("endpoint = \"e\"\n", Some("defaults of the program:3:1")));
        let error = builder().build().unwrap_err();
        assert!(error.message().starts_with("defaults of the program:3:1: an endpoint is for"), "{error}");
        // What code gives takes the place of the types, so the endpoint is nobody's.
        builder().provider("given", NoopProvider::new).build().unwrap();
    }

    #[test]
    fn mistakes_name_the_key_or_the_variable() {
        for (text, variables, expected) in [
            (
                "type = 'otlp'\nexporter = 'otlp'",
                "",
                "x.toml:2:1: `exporter` is another name for `type`; set one of them, not both",
            ),
            ("exporter = 3", "", "x.toml:1:1: `exporter` must be the name of a provider or a list of names"),
            ("sample_rate = 1.5", "", "x.toml:1:1: the sampling ratio must be a number from 0 to 1, not 1.5"),
            ("sample_rate = '1'", "", "x.toml:1:1: `sample_rate` must be a number, not \"1\""),
            ("endpoint = 4317", "", "x.toml:1:1: `endpoint` must be a text, not 4317"),
            (
                "",
                "TRACING_SAMPLE_RATE=7",
                "TRACING_SAMPLE_RATE: the sampling ratio must be a number from 0 to 1, not 7",
            ),
            (
                "",
                "TRACING_SAMPLE_RATE=1%",
                "the environment variable TRACING_SAMPLE_RATE must be a number from 0 to 1, not `1%`",
            ),
            ("type = 'otlp'\nendpoint = 'e'\n[provider]\notlp = 1", "", "`provider.otlp` must be a table of settings"),
        ] {
            assert_eq!(read("", text, variables).err().as_deref(), Some(expected), "{text} {variables}");
        }
    }
}
