use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use spandrel_plugin_api::{Attribute, Error, ErrorKind, Link, SpanContext, SpanKind, ToValue, TraceId, suppression};

/// Decides which spans are recorded.
///
/// Asked for every span before it starts. A span that is not sampled keeps its
/// ids, so that the decision travels on with the request.
///
/// Source: OpenTelemetry specification, Trace SDK, "Sampling".
#[derive(Clone)]
pub struct Sampler(Kind);

#[derive(Clone)]
enum Kind {
    AlwaysOn,
    AlwaysOff,
    Ratio(u64),
    ParentBased(Arc<Sampler>),
    RateLimited(Arc<Bucket>),
    Rules(Arc<[SamplerRule]>, Arc<Sampler>),
    Custom(Arc<Custom>),
}

type Custom = dyn Fn(&SamplingInput<'_>) -> bool + Send + Sync;

/// What a sampler sees of a span that is about to start.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SamplingInput<'a> {
    /// The name of the span.
    pub name: &'a str,
    /// Its role.
    pub kind: SpanKind,
    /// The parent, local or remote.
    pub parent: Option<&'a SpanContext>,
    /// The trace that it belongs to or begins.
    pub trace_id: TraceId,
    /// The attributes given at the start, secrets replaced.
    pub attributes: &'a [Attribute<'a>],
    /// The links given at the start.
    pub links: &'a [Link<'a>],
}

/// A sampler that looks at no texts, so that it can be asked before they are looked at.
#[derive(Clone, Copy)]
pub(crate) struct IdSampler {
    follows_parent: bool,
    /// The upper 63 of the right-most 64 bits of a trace id are less, if it is sampled.
    below: u64,
}

/// A condition on a span and the sampler for the spans that fulfil it.
#[derive(Debug, Clone)]
pub struct SamplerRule {
    name: Option<String>,
    kind: Option<SpanKind>,
    attribute: Option<(String, Option<String>)>,
    sampler: Sampler,
}

impl Sampler {
    /// Records every span.
    #[must_use]
    pub const fn always_on() -> Self {
        Self(Kind::AlwaysOn)
    }

    /// Records no span.
    #[must_use]
    pub const fn always_off() -> Self {
        Self(Kind::AlwaysOff)
    }

    /// Records this share of the traces, from 0 to 1, chosen by the trace id as
    /// other OpenTelemetry SDKs choose (`TraceIdRatioBased`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] if the ratio is not from 0 to 1.
    pub fn ratio(ratio: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&ratio) {
            let message = format!("the sampling ratio must be a number from 0 to 1, not {ratio}");
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        // The upper 63 of the right-most 64 bits are compared, and 2^63 is exact.
        Ok(Self(Kind::Ratio((ratio * (1_u64 << 63) as f64) as u64)))
    }

    /// Follows the parent's decision, and asks `root` where there is no parent.
    #[must_use]
    pub fn parent_based(root: Self) -> Self {
        Self(Kind::ParentBased(Arc::new(root)))
    }

    /// Records at most this many spans a second; a burst may use up one second's worth.
    ///
    /// For whole traces, put it into [`parent_based`](Self::parent_based).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] if the number is negative or not finite.
    pub fn rate_limited(per_second: f64) -> Result<Self, Error> {
        if !per_second.is_finite() || per_second < 0.0 {
            let message = format!("the sampling rate must be a number of spans per second from 0 up, not {per_second}");
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        Ok(Self(Kind::RateLimited(Arc::new(Bucket::new(per_second)))))
    }

    /// Asks the sampler of the first rule that the span fulfils, or `otherwise`.
    #[must_use]
    pub fn rules(rules: impl IntoIterator<Item = SamplerRule>, otherwise: Self) -> Self {
        Self(Kind::Rules(rules.into_iter().collect(), Arc::new(otherwise)))
    }

    /// Asks a function of yours. A panic in it means no.
    ///
    /// ```
    /// use spandrel::Sampler;
    ///
    /// let sampler = Sampler::custom(|span| span.name.starts_with("checkout"));
    /// ```
    #[must_use]
    pub fn custom(decide: impl Fn(&SamplingInput<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::Custom(Arc::new(decide)))
    }

    /// The same decision from the ids alone, where they are all that it takes.
    pub(crate) fn by_ids(&self) -> Option<IdSampler> {
        let follows_parent = false;
        Some(match &self.0 {
            Kind::AlwaysOn => IdSampler { follows_parent, below: u64::MAX },
            Kind::AlwaysOff => IdSampler { follows_parent, below: 0 },
            Kind::Ratio(below) => IdSampler { follows_parent, below: *below },
            Kind::ParentBased(root) => IdSampler { follows_parent: true, ..root.by_ids()? },
            Kind::RateLimited(_) | Kind::Rules(..) | Kind::Custom(_) => return None,
        })
    }

    /// Whether the span shall be recorded.
    #[must_use]
    pub fn should_sample(&self, input: &SamplingInput<'_>) -> bool {
        match &self.0 {
            Kind::AlwaysOn => true,
            Kind::AlwaysOff => false,
            Kind::Ratio(below) => low_bits(input.trace_id) >> 1 < *below,
            Kind::ParentBased(root) => match input.parent {
                Some(parent) => parent.is_sampled(),
                None => root.should_sample(input),
            },
            Kind::RateLimited(bucket) => bucket.take(),
            Kind::Rules(rules, otherwise) => {
                let rule = rules.iter().find(|rule| rule.applies_to(input));
                rule.map_or(&**otherwise, |rule| &rule.sampler).should_sample(input)
            }
            Kind::Custom(decide) => {
                // A span started in there would ask again, and so on.
                let _suppressed = suppression::enter();
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decide(input))).unwrap_or(false)
            }
        }
    }
}

impl IdSampler {
    /// Whether spans of the trace are recorded, whatever a caller's flag says.
    pub(crate) fn chooses(self, trace_id: TraceId) -> bool {
        !self.follows_parent || self.should_sample(None, trace_id)
    }

    #[inline]
    pub(crate) fn should_sample(self, parent: Option<&SpanContext>, trace_id: TraceId) -> bool {
        match parent {
            Some(parent) if self.follows_parent => parent.is_sampled(),
            _ => low_bits(trace_id) >> 1 < self.below,
        }
    }
}

impl Default for Sampler {
    /// Follows the parent, and records every new trace.
    fn default() -> Self {
        Self::parent_based(Self::always_on())
    }
}

impl SamplerRule {
    /// A rule without conditions, which every span fulfils.
    #[must_use]
    pub const fn new(sampler: Sampler) -> Self {
        Self { name: None, kind: None, attribute: None, sampler }
    }

    /// Only spans with a name like this; `*` stands for any text.
    #[must_use]
    pub fn with_name(mut self, pattern: impl Into<String>) -> Self {
        self.name = Some(pattern.into());
        self
    }

    /// Only spans of this kind.
    #[must_use]
    pub const fn with_kind(mut self, kind: SpanKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only spans that start with this attribute, with any value or one like
    /// `pattern`, in which `*` stands for any text.
    #[must_use]
    pub fn with_attribute(mut self, key: impl Into<String>, pattern: Option<&str>) -> Self {
        self.attribute = Some((key.into(), pattern.map(str::to_owned)));
        self
    }

    fn applies_to(&self, input: &SamplingInput<'_>) -> bool {
        let name = self.name.as_ref().is_none_or(|pattern| matches_pattern(pattern, input.name));
        let kind = self.kind.is_none_or(|kind| kind == input.kind);
        let attribute = self.attribute.as_ref().is_none_or(|(key, pattern)| {
            input.attributes.iter().filter(|a| a.key == key).any(|a| match pattern {
                None => true,
                Some(pattern) => matches_pattern(pattern, &plain(a.value.to_value())),
            })
        });
        name && kind && attribute
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::AlwaysOn => f.write_str("always_on"),
            Kind::AlwaysOff => f.write_str("always_off"),
            Kind::Ratio(below) => write!(f, "ratio({})", *below as f64 / (1_u64 << 63) as f64),
            Kind::ParentBased(root) => write!(f, "parent_based({root:?})"),
            Kind::RateLimited(bucket) => write!(f, "rate_limited({} per second)", bucket.per_second),
            Kind::Rules(rules, otherwise) => write!(f, "rules({} of them, otherwise {otherwise:?})", rules.len()),
            Kind::Custom(_) => f.write_str("custom"),
        }
    }
}

/// A token bucket that holds one second's worth, but at least one token.
///
/// Without a lock, which a forked child could inherit in the locked state: the
/// credit is the time since `used_up_to`, and a token costs `interval` of it.
pub(crate) struct Bucket {
    per_second: f64,
    interval: u64,
    capacity: u64,
    began: Instant,
    used_up_to: AtomicU64,
}

impl Bucket {
    const SECOND: u64 = 1_000_000_000;

    pub(crate) fn new(per_second: f64) -> Self {
        // A rate of 0 makes an interval that no credit reaches.
        let interval = (Self::SECOND as f64 / per_second) as u64;
        let capacity = if per_second == 0.0 { 0 } else { interval.max(Self::SECOND) };
        Self { per_second, interval, capacity, began: Instant::now(), used_up_to: AtomicU64::new(0) }
    }

    pub(crate) fn take(&self) -> bool {
        let elapsed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // The bucket is full at the beginning.
        let now = elapsed.saturating_add(self.capacity);
        let take = |used: u64| {
            let used = used.max(now - self.capacity);
            (now - used >= self.interval).then(|| used + self.interval)
        };
        self.used_up_to.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[inline]
fn low_bits(id: TraceId) -> u64 {
    u128::from_be_bytes(id.to_bytes()) as u64
}

fn plain(value: spandrel_plugin_api::Value<'_>) -> String {
    use spandrel_plugin_api::Value;
    match value {
        Value::Str(v) => v.to_owned(),
        Value::Bool(v) => v.to_string(),
        Value::I64(v) => v.to_string(),
        Value::F64(v) => v.to_string(),
        other => format!("{other:?}"),
    }
}

/// Whether the text is the pattern, with any text for each `*`.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Sampler, SamplerRule, SamplingInput, matches_pattern};
    use crate::attrs;
    use crate::id;
    use spandrel_plugin_api::{SpanContext, SpanId, SpanKind, TraceFlags, TraceId};

    fn input(trace_id: TraceId) -> SamplingInput<'static> {
        SamplingInput { name: "op", kind: SpanKind::Internal, parent: None, trace_id, attributes: &[], links: &[] }
    }

    #[test]
    fn ratio_takes_its_share_by_the_trace_id() {
        let sampler = Sampler::ratio(0.25).unwrap();
        let taken = (0..20_000).filter(|_| sampler.should_sample(&input(id::root().0))).count();
        assert!((4_500..5_500).contains(&taken), "{taken}");
        let id = id::root().0;
        assert_eq!(sampler.should_sample(&input(id)), sampler.should_sample(&input(id)));
        assert!(Sampler::ratio(1.0).unwrap().should_sample(&input(TraceId::from_bytes([0xff; 16]))));
        assert!(!Sampler::ratio(0.0).unwrap().should_sample(&input(TraceId::from_bytes([1; 16]))));
        for bad in [-0.1, 1.1, f64::NAN] {
            assert!(Sampler::ratio(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_parent_decides_where_there_is_one() {
        let sampler = Sampler::parent_based(Sampler::always_off());
        for flags in [TraceFlags::SAMPLED, TraceFlags::default()] {
            let parent = SpanContext::new(id::root().0, SpanId::from_bytes([1; 8]), flags);
            let input = SamplingInput { parent: Some(&parent), ..input(parent.trace_id()) };
            assert_eq!(sampler.should_sample(&input), flags.is_sampled());
        }
        assert!(!sampler.should_sample(&input(id::root().0)));
    }

    #[test]
    fn ids_alone_make_the_same_decision() {
        let all = [Sampler::always_on(), Sampler::always_off(), Sampler::ratio(0.5).unwrap()];
        for sampler in all.clone().into_iter().chain(all.map(Sampler::parent_based)) {
            let by_ids = sampler.by_ids().unwrap();
            for flags in [None, Some(TraceFlags::SAMPLED), Some(TraceFlags::default())] {
                let trace_id = id::root().0;
                let parent = flags.map(|flags| SpanContext::new(trace_id, id::child(), flags));
                let input = SamplingInput { parent: parent.as_ref(), ..input(trace_id) };
                assert_eq!(
                    by_ids.should_sample(parent.as_ref(), trace_id),
                    sampler.should_sample(&input),
                    "{sampler:?}"
                );
            }
        }
        assert!(Sampler::parent_based(Sampler::custom(|_| true)).by_ids().is_none());
    }

    #[test]
    fn a_rate_lets_one_second_through_at_once() {
        let sampler = Sampler::rate_limited(5.0).unwrap();
        let taken = (0..100).filter(|_| sampler.should_sample(&input(id::root().0))).count();
        assert!((5..20).contains(&taken), "{taken}");
        assert!(!Sampler::rate_limited(0.0).unwrap().should_sample(&input(id::root().0)));
        assert!(Sampler::rate_limited(f64::INFINITY).is_err());
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let off = Sampler::always_off;
        let rules = [
            SamplerRule::new(off()).with_name("GET /health*"),
            SamplerRule::new(Sampler::always_on()).with_attribute("user.tier", Some("gold")),
            SamplerRule::new(off()).with_kind(SpanKind::Client),
        ];
        let sampler = Sampler::rules(rules, Sampler::always_on());
        let with = |name, kind, tier: &str| {
            let attributes = attrs! { "user.tier" => tier };
            sampler.should_sample(&SamplingInput { name, kind, attributes: &attributes, ..input(id::root().0) })
        };
        assert!(!with("GET /healthz", SpanKind::Server, "gold"));
        assert!(with("GET /x", SpanKind::Client, "gold"));
        assert!(!with("GET /x", SpanKind::Client, "iron"));
        assert!(with("GET /x", SpanKind::Server, "iron"));
    }

    #[test]
    fn a_custom_sampler_may_panic() {
        let sampler = Sampler::custom(|span| if span.name == "op" { panic!("by the user") } else { true });
        assert!(!sampler.should_sample(&input(id::root().0)));
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("*", "", true),
            ("ab", "abc", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), fits, "{pattern} {text}");
        }
    }
}
