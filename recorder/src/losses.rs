use std::time::{Duration, Instant};

/// Why a span never reached an exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossReason {
    QueueFull,
    TooLarge,
    ExportFailed,
    Panicked,
    AfterShutdown,
    Forked,
    SpoolFull,
    Expired,
    Damaged,
}

/// Tells when a branch begins to lose spans, and when it has stopped.
///
/// A period ends after ten seconds without a loss, so that one that comes and
/// goes is told at most so often. Whoever holds the lock only notes what is to be told.
#[derive(Default)]
pub(crate) struct LossPeriod {
    current: Option<Current>,
    notices: Vec<String>,
}

struct Current {
    began: Instant,
    last: Instant,
    spans: u64,
    losses: u64,
    told: Vec<LossReason>,
}

impl LossPeriod {
    pub(crate) const QUIET: Duration = Duration::from_secs(10);

    /// Notes a loss; the first of a reason in a period is told with this text.
    pub(crate) fn note(&mut self, reason: LossReason, spans: u64, now: Instant, text: impl FnOnce() -> String) {
        let begun = || Current { began: now, last: now, spans: 0, losses: 0, told: Vec::new() };
        let current = self.current.get_or_insert_with(begun);
        current.last = now;
        current.spans += spans;
        current.losses += 1;
        if !current.told.contains(&reason) {
            current.told.push(reason);
            self.notices.push(text());
        }
    }

    /// Ends the period if it was quiet for long enough, or if there is nothing to follow.
    pub(crate) fn end(&mut self, name: &str, now: Instant, is_last: bool) {
        let quiet = |current: &mut Current| is_last || now.duration_since(current.last) >= Self::QUIET;
        // After the last of all, a single loss is told already.
        if let Some(ended) = self.current.take_if(quiet).filter(|ended| !is_last || ended.losses > 1) {
            let (spans, seconds) = (ended.spans, ended.last.duration_since(ended.began).as_secs());
            let rest = if is_last { "" } else { ", and loses none now" };
            self.notices.push(format!("provider {name} lost {spans} span(s) within {seconds} s in all{rest}"));
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LossPeriod, LossReason};

    #[test]
    fn begin_and_end_are_told_once() {
        let mut period = LossPeriod::default();
        let at = |seconds| Instant::now().checked_add(Duration::from_secs(seconds)).unwrap();
        let begin = at(0);
        let after = |seconds| begin + Duration::from_secs(seconds);
        for second in 0..60 {
            period.note(LossReason::QueueFull, 2, after(second), || "full".into());
            period.end("p", after(second), false);
        }
        period.note(LossReason::ExportFailed, 1, after(60), || "failed".into());
        period.end("p", after(69), false);
        assert_eq!(period.take_notices(), ["full", "failed"]);
        period.end("p", after(70), false);
        period.end("p", after(90), false);
        assert_eq!(period.take_notices(), ["provider p lost 121 span(s) within 60 s in all, and loses none now"]);
        for losses in 1..3 {
            (0..losses).for_each(|_| period.note(LossReason::QueueFull, 1, after(91), || "full".into()));
            period.end("p", after(91), true);
        }
        assert_eq!(period.take_notices(), ["full", "full", "provider p lost 2 span(s) within 0 s in all"]);
    }
}
