//! The variables of OpenTelemetry for its protocol, as settings of the provider `otlp`.

use super::environment::Environment;
use crate::setup::Settings;

/// The end of a variable, and the key that it sets.
const KEYS: [(&str, &str); 9] = [
    ("ENDPOINT", "endpoint"),
    ("PROTOCOL", "protocol"),
    ("HEADERS", "headers"),
    ("COMPRESSION", "compression"),
    ("TIMEOUT", "timeout_ms"),
    ("CERTIFICATE", "certificate"),
    ("CLIENT_KEY", "client_key"),
    ("CLIENT_CERTIFICATE", "client_certificate"),
    ("INSECURE", "insecure"),
];

/// Writes them into the table; those for traces win over those for all signals.
///
/// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter".
pub(super) fn apply_environment(environment: &Environment<'_>, settings: &mut Settings) {
    for (prefix, endpoint) in
        [("OTEL_EXPORTER_OTLP_", base_endpoint as fn(&str) -> String), ("OTEL_EXPORTER_OTLP_TRACES_", own_endpoint)]
    {
        for (end, key) in KEYS {
            let variable = format!("{prefix}{end}");
            let Some(value) = environment.text(&variable) else { continue };
            let value = match key {
                "endpoint" => endpoint(value),
                "insecure" => value.to_lowercase(),
                _ => value.to_owned(),
            };
            settings.providers.set(&["otlp", key], &value, &variable);
        }
    }
}

/// That for all signals is a base, to which the path of traces is added.
fn base_endpoint(url: &str) -> String {
    format!("{}/v1/traces", url.trim_end_matches('/'))
}

/// That for traces is used as it is. The provider would add a path where there is none.
fn own_endpoint(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if rest.contains('/') { url.to_owned() } else { format!("{url}/") }
}

#[cfg(test)]
mod tests {
    use crate::config::environment::apply;
    use crate::setup::Settings;

    fn table(variables: &[(&str, &str)]) -> String {
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut settings = Settings::default();
        apply(&variables, &mut settings).unwrap();
        settings.providers.text("otlp").unwrap()
    }

    #[test]
    fn all_of_them_reach_the_table() {
        let all = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=x,b=%20"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "TRUE"),
        ];
        let expected = "certificate = \"/ca\"\nclient_certificate = \"/cert\"\nclient_key = \"/key\"\n\
                        compression = \"gzip\"\nendpoint = \"http://c:4318/v1/traces\"\nheaders = \"api-key=x,b=%20\"\n\
                        insecure = true\nprotocol = \"http/json\"\ntimeout_ms = 5000\n";
        assert_eq!(table(&all), expected);
        let traces = all.map(|(name, value)| (name.replace("OTLP_", "OTLP_TRACES_"), value));
        let traces = traces.each_ref().map(|(name, value)| (name.as_str(), *value));
        assert_eq!(table(&traces), expected.replace("/v1/traces", "/"));
    }

    #[test]
    fn they_are_no_reason_to_miss_the_provider() {
        let names = |name: &str| {
            let mut settings = Settings::default();
            apply(&[(name.to_owned(), "http://c".to_owned())], &mut settings).unwrap();
            settings.providers.names().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(names("OTEL_EXPORTER_OTLP_ENDPOINT").is_empty());
        assert_eq!(names("TRACING_PROVIDER__OTLP__ENDPOINT"), ["otlp"]);
    }

    #[test]
    fn those_for_traces_win_and_ours_over_them() {
        let general = ("OTEL_EXPORTER_OTLP_TIMEOUT", "1");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2");
        let ours = ("TRACING_PROVIDER__OTLP__TIMEOUT_MS", "3");
        assert_eq!(table(&[traces, general]), "timeout_ms = 2\n");
        assert_eq!(table(&[ours, traces, general]), "timeout_ms = 3\n");
        assert_eq!(table(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "")]), "");
    }

    #[test]
    fn a_base_gets_the_path_and_an_endpoint_of_traces_does_not() {
        for (general, traces, expected) in [
            ("http://c:4318", "", "http://c:4318/v1/traces"),
            ("http://c:4318/", "", "http://c:4318/v1/traces"),
            ("http://c/prefix/", "", "http://c/prefix/v1/traces"),
            ("c:4317", "", "c:4317/v1/traces"),
            ("http://c", "http://t:4318", "http://t:4318/"),
            ("", "https://t/custom", "https://t/custom"),
            ("", "t:4317", "t:4317/"),
        ] {
            let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", general), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces)];
            assert_eq!(table(&variables), format!("endpoint = \"{expected}\"\n"));
        }
    }
}
