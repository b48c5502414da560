//! What the model calls within a piece of work used and cost, added up once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use spandrel::Value;
use spandrel_prices::NanoUsd;

use crate::metrics::Call;
use crate::names::{Attributes, Fact};
use crate::settings::lock;

/// What model calls used and cost together.
///
/// A call that only wraps another one for the same model is not counted; see [the rule](crate#tokens-and-money).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many there were, failed ones included.
    pub calls: u64,
    /// How many of them have no known price; `cost` is without them.
    pub unpriced_calls: u64,
    /// How many of them succeeded, or were streams that were dropped, and did not tell what they used; tokens and `cost` are without them.
    pub calls_without_usage: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// In US dollars.
    pub cost: NanoUsd,
    /// Whether one told its tokens, and whether one has a cost: of nothing there is no sum, rather than a sum of 0.
    has_tokens: bool,
    has_cost: bool,
}

impl Totals {
    pub(crate) fn of_call(call: &Call<'_>) -> Self {
        Self {
            calls: u64::from(!call.is_counted),
            unpriced_calls: u64::from(call.is_unpriced),
            calls_without_usage: u64::from(call.is_without_usage),
            input_tokens: call.usage.and_then(|usage| usage.input_tokens).unwrap_or(0),
            output_tokens: call.usage.and_then(|usage| usage.output_tokens).unwrap_or(0),
            cost: call.cost.unwrap_or_default(),
            has_tokens: call.usage.is_some(),
            has_cost: call.cost.is_some(),
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.unpriced_calls += other.unpriced_calls;
        self.calls_without_usage += other.calls_without_usage;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost += other.cost;
        self.has_tokens |= other.has_tokens;
        self.has_cost |= other.has_cost;
    }

    pub(crate) fn put(self, attributes: &mut Attributes<'_, '_>) {
        if self.calls == 0 {
            return;
        }
        attributes.count(Fact::SumCalls, Some(self.calls));
        attributes.count(Fact::SumInputTokens, Some(self.input_tokens).filter(|_| self.has_tokens));
        attributes.count(Fact::SumOutputTokens, Some(self.output_tokens).filter(|_| self.has_tokens));
        if self.has_cost {
            attributes.put(Fact::SumCost, Value::F64(self.cost.as_usd()));
        }
        attributes.count(Fact::SumUnpriced, Some(self.unpriced_calls).filter(|calls| *calls > 0));
        attributes.count(Fact::SumWithoutUsage, Some(self.calls_without_usage).filter(|calls| *calls > 0));
    }
}

/// Where a piece of work stands among others, handed down by the context.
#[derive(Debug)]
pub(crate) struct Sum {
    parent: Option<Arc<Sum>>,
    /// Whether this is a model call, or within one: then it matters which models are called within.
    is_in_call: bool,
    state: Mutex<State>,
    /// The models of the calls within, where there are any.
    models: OnceLock<Box<Mutex<BTreeMap<String, Counted>>>>,
}

#[derive(Debug, Default)]
struct State {
    totals: Totals,
    has_ended: bool,
}

/// What the calls within have counted already of a call around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    Nothing,
    /// That it happened: a call for the same model runs or ran within, and told nothing of its usage.
    Call,
    /// And what it used.
    Usage,
}

impl Sum {
    /// One within that of the current context; of a call of this model.
    pub(crate) fn begin(model: Option<&str>) -> Arc<Self> {
        let parent: Option<Arc<Self>> = spandrel::extension();
        let is_within_call = parent.as_ref().is_some_and(|parent| parent.is_in_call);
        let sum = Arc::new(Self {
            parent,
            is_in_call: model.is_some() || is_within_call,
            state: Mutex::default(),
            models: OnceLock::new(),
        });
        if let Some(model) = model.filter(|_| is_within_call) {
            // Told now: what is around may end before it, as around a stream.
            sum.tell_models(model, None, Counted::Call);
        }
        sum
    }

    /// Whether there is one around it.
    pub(crate) const fn is_within_another(&self) -> bool {
        self.parent.is_some()
    }

    pub(crate) fn totals(&self) -> Totals {
        lock(&self.state).totals
    }

    /// What of a call of this model, which answered by that name, the calls within have counted.
    pub(crate) fn counted(&self, model: &str, answered: Option<&str>) -> Counted {
        let Some(models) = self.models.get() else { return Counted::Nothing };
        let models = lock(models);
        let of = |model: &str| models.get(model).copied().unwrap_or(Counted::Nothing);
        of(model).max(answered.map_or(Counted::Nothing, of))
    }

    /// Whether a model call is around it.
    pub(crate) fn is_within_call(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.is_in_call)
    }

    /// Tells the calls around it of one by these names of its model.
    #[cold]
    pub(crate) fn tell_models(&self, model: &str, answered: Option<&str>, counted: Counted) {
        self.tell_model(model, counted);
        answered.into_iter().for_each(|model| self.tell_model(model, counted));
    }

    fn tell_model(&self, model: &str, counted: Counted) {
        let mut next = self.parent.as_deref().filter(|parent| parent.is_in_call);
        while let Some(sum) = next {
            let mut models = lock(sum.models.get_or_init(Box::default));
            match models.get_mut(model) {
                Some(known) => *known = counted.max(*known),
                None => drop(models.insert(model.to_owned(), counted)),
            }
            next = sum.parent.as_deref().filter(|parent| parent.is_in_call);
        }
    }

    /// Adds what a call used by itself.
    pub(crate) fn add(&self, call: &Call<'_>) {
        lock(&self.state).totals.add(Totals::of_call(call));
    }

    /// Ends it, and tells those around it.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.has_ended = true;
        if self.parent.is_some() {
            let totals = state.totals;
            drop(state);
            self.tell(totals);
        }
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
