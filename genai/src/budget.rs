//! What may be spent, and who is told when it was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use spandrel::diagnostics::{Level, report};
use spandrel::{OwnedValue, attrs};
use spandrel_prices::NanoUsd;

use crate::settings::lock;

/// The table `[ai.budget]`: US dollars that this process may spend; no limits unless set.
///
/// Nothing is refused when one is crossed: the span gets an event, and who called [`on_budget`] is told.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Budgets {
    /// For each session.
    pub session_usd: Option<f64>,
    /// For each user and day.
    pub user_usd: Option<f64>,
    /// For all calls of a day, which ends at midnight UTC.
    pub day_usd: Option<f64>,
}

/// A budget that was crossed by a call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BudgetCrossed {
    /// `session`, `user` or `day`.
    pub scope: &'static str,
    /// The session or the user; empty for a day.
    pub id: String,
    /// What may be spent, in US dollars.
    pub limit_usd: f64,
    /// What was, with the call that crossed it.
    pub spent: NanoUsd,
}

type Callback = Arc<dyn Fn(&BudgetCrossed) + Send + Sync>;

static CALLBACK: RwLock<Option<Callback>> = RwLock::new(None);

/// Calls `f` whenever a budget is crossed, on the thread of the call that did it, once for each
/// session, user or day. It takes the place of an earlier one.
pub fn on_budget(f: impl Fn(&BudgetCrossed) + Send + Sync + 'static) {
    *CALLBACK.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(f));
}

/// Sessions and users whose spending is remembered; beyond it the oldest half is forgotten.
const MOST: usize = 20_000;

#[derive(Default)]
struct Ledger {
    day: u64,
    spent: HashMap<(&'static str, String), (NanoUsd, u64)>,
    /// Counts entries, so that old ones can be told.
    entries: u64,
}

impl Ledger {
    /// Adds to what was spent; says so if that crossed the limit.
    fn spend(&mut self, scope: &'static str, id: &str, limit: f64, cost: NanoUsd) -> Option<BudgetCrossed> {
        if self.spent.len() >= MOST {
            let middle = self.entries - MOST as u64 / 2;
            self.spent.retain(|_, (_, entry)| *entry > middle);
        }
        self.entries += 1;
        let spent = self.spent.entry((scope, id.to_owned())).or_insert((NanoUsd::default(), self.entries));
        let before = spent.0;
        spent.0 += cost;
        let most = NanoUsd::new((limit * 1e9).round() as i64);
        let crossed = before <= most && spent.0 > most;
        crossed.then(|| BudgetCrossed { scope, id: id.to_owned(), limit_usd: limit, spent: spent.0 })
    }
}

/// Counts what a call cost and says which budgets that crossed.
pub(crate) fn spend(budgets: &Budgets, cost: NanoUsd) -> Vec<BudgetCrossed> {
    static LEDGER: OnceLock<Mutex<Ledger>> = OnceLock::new();
    if *budgets == Budgets::default() || cost == NanoUsd::default() {
        return Vec::new();
    }
    let id = |key: &str| spandrel::ambient_attribute(key, text).flatten();
    let (session, user) = (id(crate::scope::SESSION_ID), id(crate::scope::USER_ID));
    let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let mut ledger = lock(LEDGER.get_or_init(Mutex::default));
    if ledger.day != day {
        ledger.day = day;
        ledger.spent.retain(|(scope, _), _| *scope == "session");
    }
    let of = |scope, id: Option<String>, limit: Option<f64>| Some((scope, id?, limit?));
    let all = [
        of("session", session, budgets.session_usd),
        of("user", user, budgets.user_usd),
        of("day", Some(String::new()), budgets.day_usd),
    ];
    let crossed = all.into_iter().flatten().filter_map(|(scope, id, limit)| ledger.spend(scope, &id, limit, cost));
    let crossed: Vec<BudgetCrossed> = crossed.collect();
    drop(ledger);
    crossed.iter().for_each(tell);
    crossed
}

fn text(value: &OwnedValue) -> Option<String> {
    match value {
        OwnedValue::Str(text) => Some(text.clone()),
        _ => None,
    }
}

fn tell(crossed: &BudgetCrossed) {
    let callback = CALLBACK.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let Some(callback) = callback else { return };
    let call = std::panic::AssertUnwindSafe(|| callback(crossed));
    if std::panic::catch_unwind(call).is_err() {
        report(Level::Warning, "the callback of `on_budget` panicked");
    }
}

impl BudgetCrossed {
    /// As an event of the span of the call.
    pub(crate) fn with_event(&self, add: impl FnOnce(&str, &[spandrel::Attribute<'_>])) {
        let (limit, spent) = (self.limit_usd, self.spent.as_usd());
        add(
            "spandrel.budget.crossed",
            &attrs! {
                "spandrel.budget.scope" => self.scope,
                "spandrel.budget.id" => self.id,
                "spandrel.budget.limit_usd" => limit,
                "spandrel.budget.spent_usd" => spent
            },
        );
    }
}
