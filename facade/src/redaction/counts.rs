//! How much was redacted, of all tracers together.

use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_redaction::Category;

const ALL: [Category; 12] = [
    Category::Key,
    Category::Mail,
    Category::Phone,
    Category::Ssn,
    Category::Card,
    Category::Iban,
    Category::Ip,
    Category::Jwt,
    Category::ApiKey,
    Category::PrivateKey,
    Category::Password,
    Category::Rule,
];

static COUNTS: [AtomicU64; ALL.len()] = [const { AtomicU64::new(0) }; ALL.len()];
static FUNCTION: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// How many secrets were redacted so far, by category; `key` are those that a key told, `rule` those of rules,
/// `function` what a function changed, and `failed` are values that went as a whole since a look at them panicked.
///
/// Those that never occurred are not there.
#[must_use]
pub fn redactions() -> BTreeMap<&'static str, u64> {
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let found = ALL.iter().zip(&COUNTS).map(|(category, count)| (category.name(), of(count)));
    found.chain([("function", of(&FUNCTION)), ("failed", of(&FAILED))]).filter(|(_, count)| *count > 0).collect()
}

pub(super) fn count(category: Category) {
    if let Some((_, count)) = ALL.iter().zip(&COUNTS).find(|(known, _)| **known == category) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(feature = "patterns")]
pub(super) fn count_function() {
    FUNCTION.fetch_add(1, Ordering::Relaxed);
}

/// Counts a value that nobody could look at, and says so once.
pub(super) fn count_failure(message: &str) {
    static TOLD: Once = Once::new();
    FAILED.fetch_add(1, Ordering::Relaxed);
    TOLD.call_once(|| report(Level::Warning, message));
}
