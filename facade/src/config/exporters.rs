//! The variables of OpenTelemetry for formats older than its protocol, as settings of the
//! providers `zipkin` and `jaeger`.

use super::environment::Environment;
use crate::setup::Settings;

/// A variable, the provider, and the key that it sets.
const KEYS: [(&str, &str, &str); 6] = [
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "zipkin", "endpoint"),
    ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "zipkin", "timeout_ms"),
    ("OTEL_EXPORTER_JAEGER_ENDPOINT", "jaeger", "endpoint"),
    ("OTEL_EXPORTER_JAEGER_TIMEOUT", "jaeger", "timeout_ms"),
    ("OTEL_EXPORTER_JAEGER_USER", "jaeger", "user"),
    ("OTEL_EXPORTER_JAEGER_PASSWORD", "jaeger", "password"),
];

/// Writes them into the tables.
///
/// Source: OpenTelemetry specification, "Environment Variable Specification", that of Jaeger
/// before version 1.28.
pub(super) fn apply_environment(environment: &Environment<'_>, settings: &mut Settings) {
    for (variable, provider, key) in KEYS {
        if let Some(value) = environment.text(variable) {
            settings.providers.set(&[provider, key], value, variable);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::environment::apply;
    use crate::setup::Settings;

    #[test]
    fn they_reach_the_tables_and_ours_win() {
        let variables = [
            ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://z:9411/api/v2/spans"),
            ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "5000"),
            ("OTEL_EXPORTER_JAEGER_ENDPOINT", "http://j:14268/api/traces"),
            ("OTEL_EXPORTER_JAEGER_TIMEOUT", "1"),
            ("OTEL_EXPORTER_JAEGER_USER", "u"),
            ("OTEL_EXPORTER_JAEGER_PASSWORD", "007"),
            ("TRACING_PROVIDER__JAEGER__TIMEOUT_MS", "2"),
        ];
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut settings = Settings::default();
        apply(&variables, &mut settings).unwrap();
        assert_eq!(
            settings.providers.text("zipkin").unwrap(),
            "endpoint = \"http://z:9411/api/v2/spans\"\ntimeout_ms = 5000\n"
        );
        assert_eq!(
            settings.providers.text("jaeger").unwrap(),
            "endpoint = \"http://j:14268/api/traces\"\npassword = \"007\"\ntimeout_ms = 2\nuser = \"u\"\n"
        );
    }
}
