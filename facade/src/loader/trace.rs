//! `SPANDREL_LOADER_DEBUG=1` tells each decision of the loader.

use std::sync::OnceLock;

use spandrel_plugin_api::diagnostics::{Level, report};

use super::privileged;

/// Tells a decision, one line, if they were asked for.
pub(super) fn note(decision: impl FnOnce() -> String) {
    static ON: OnceLock<bool> = OnceLock::new();
    let on = ON.get_or_init(|| {
        // Decisions show which files exist where the user who started it may not look.
        !privileged::is_elevated() && is_on(std::env::var("SPANDREL_LOADER_DEBUG").ok().as_deref())
    });
    if *on {
        report(Level::Info, &format!("loader: {}", decision()));
    }
}

fn is_on(value: Option<&str>) -> bool {
    !matches!(value.map(|value| value.trim().to_lowercase()).as_deref(), None | Some("" | "0" | "false" | "no" | "off"))
}

#[cfg(test)]
mod tests {
    use super::is_on;

    #[test]
    fn anything_but_a_no_is_a_yes() {
        for (value, expected) in
            [(None, false), (Some(""), false), (Some("0"), false), (Some("Off"), false), (Some("1"), true)]
        {
            assert_eq!(is_on(value), expected, "{value:?}");
        }
    }
}
