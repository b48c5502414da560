//! What the model calls within a piece of work used and cost, added up once.

use std::sync::{Arc, Mutex};

use spandrel::Value;
use spandrel_prices::{NanoUsd, Usage};

use crate::names::{Attributes, Fact};
use crate::settings::lock;

/// What model calls used and cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many there were.
    pub calls: u64,
    /// How many of them have no known price; `cost` is without them.
    pub unpriced_calls: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// In US dollars.
    pub cost: NanoUsd,
}

impl Totals {
    pub(crate) fn of_call(usage: &Usage, cost: Option<NanoUsd>) -> Self {
        Self {
            calls: 1,
            unpriced_calls: u64::from(cost.is_none()),
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
            cost: cost.unwrap_or_default(),
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.unpriced_calls += other.unpriced_calls;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost += other.cost;
    }

    pub(crate) fn put(self, attributes: &mut Attributes<'_, '_>) {
        if self.calls == 0 {
            return;
        }
        attributes.count(Fact::SumCalls, Some(self.calls));
        attributes.count(Fact::SumInputTokens, Some(self.input_tokens));
        attributes.count(Fact::SumOutputTokens, Some(self.output_tokens));
        // Of nothing but unknown prices there is no sum, rather than a sum of 0.
        if self.unpriced_calls < self.calls {
            attributes.put(Fact::SumCost, Value::F64(self.cost.as_usd()));
        }
        if self.unpriced_calls > 0 {
            attributes.count(Fact::SumUnpriced, Some(self.unpriced_calls));
        }
    }
}

/// Where a piece of work stands among others, handed down by the context.
///
/// What a call used counts where it is told first from the outside in: a wrapper that tells the
/// usage of a call, and the call within that tells it again, count once.
#[derive(Debug)]
pub(crate) struct Sum {
    parent: Option<Arc<Sum>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    totals: Totals,
    has_ended: bool,
}

impl Sum {
    /// One within that of the current context.
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self { parent: spandrel::extension(), state: Mutex::default() })
    }

    /// Whether there is one around it.
    pub(crate) const fn is_within_another(&self) -> bool {
        self.parent.is_some()
    }

    pub(crate) fn totals(&self) -> Totals {
        lock(&self.state).totals
    }

    /// Ends it with what it used by itself, if it did, and tells those around it.
    pub(crate) fn end(&self, own: Option<Totals>) -> Totals {
        let mut state = lock(&self.state);
        if let Some(own) = own {
            state.totals = own;
        }
        state.has_ended = true;
        let totals = state.totals;
        drop(state);
        self.tell(totals);
        totals
    }

    /// What ends after the work around it counts for what is around that.
    fn tell(&self, totals: Totals) {
        let mut next = self.parent.as_deref();
        while let Some(sum) = next {
            let mut state = lock(&sum.state);
            if !state.has_ended {
                state.totals.add(totals);
                return;
            }
            drop(state);
            next = sum.parent.as_deref();
        }
    }
}
