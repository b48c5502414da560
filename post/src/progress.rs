use std::hash::{DefaultHasher, Hasher};

use spandrel_plugin_api::{Error, ErrorKind, SpanBatch};

/// How far a batch has come that may need several requests.
#[derive(Debug, Default)]
pub struct Progress {
    /// The first so many spans were sent, or given up.
    done: usize,
    lost: u64,
    /// Why the first of them were lost.
    error: Option<Error>,
}

/// What was done of a batch that is to be tried again.
#[derive(Debug, Default)]
pub struct Unfinished(Option<(u64, Progress)>);

impl Progress {
    /// How many spans, from the first on, need no attempt any more.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.done
    }

    /// The next so many spans arrived.
    pub const fn took(&mut self, spans: usize) {
        self.done += spans;
    }

    /// The next so many spans are given up.
    pub fn lose(&mut self, spans: usize, error: Error) {
        self.done += spans;
        self.refuse(spans as u64, error);
    }

    /// Of the spans that arrived so many were refused.
    pub fn refuse(&mut self, spans: u64, error: Error) {
        self.lost += spans;
        self.error.get_or_insert(error);
    }

    /// What became of a batch of so many spans.
    ///
    /// # Errors
    ///
    /// Why spans were lost, and how many; the kind is [`ErrorKind::SpansLost`] if others arrived.
    pub fn finish(self, spans: usize) -> Result<(), Error> {
        let Self { lost, error, .. } = self;
        match error {
            None => Ok(()),
            Some(error) if error.spans_lost() == Some(lost) => Err(error),
            Some(error) if lost == spans as u64 && error.spans_lost().is_none() => Err(error.with_spans_lost(lost)),
            Some(error) => {
                let message = format!("{lost} of {spans} spans were not taken");
                Err(Error::new(ErrorKind::SpansLost, message).with_spans_lost(lost).with_source(error))
            }
        }
    }
}

impl Unfinished {
    /// How far this batch came; a batch that did not come before is at its beginning.
    pub fn resume(&mut self, batch: &SpanBatch<'_>) -> Progress {
        match self.0.take() {
            Some((of, progress)) if of == fingerprint(batch) => progress,
            _ => Progress::default(),
        }
    }

    /// Keeps what was done until the batch comes again.
    pub fn keep(&mut self, batch: &SpanBatch<'_>, progress: Progress) {
        if progress.done > 0 {
            self.0 = Some((fingerprint(batch), progress));
        }
    }
}

/// Tells batches apart; only those that were sent by halves need it.
fn fingerprint(batch: &SpanBatch<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    batch.parts().iter().for_each(|part| hasher.write(part));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::{Error, ErrorKind};

    use super::Progress;

    #[test]
    fn only_what_was_lost_is_counted_and_the_first_reason_told() {
        let bad = || Error::new(ErrorKind::Internal, "bad");
        let old = || Error::new(ErrorKind::SpansLost, "too old").with_spans_lost(2);
        let ended = |fill: &dyn Fn(&mut Progress)| {
            let mut progress = Progress::default();
            fill(&mut progress);
            let error = progress.finish(10).unwrap_err();
            (error.kind(), error.spans_lost().unwrap(), error.to_string())
        };
        for (found, expected) in [
            (ended(&|all| all.lose(10, bad())), (ErrorKind::Internal, 10, "bad (spans_lost: 10)")),
            (
                ended(&|all| {
                    all.lose(4, bad());
                    all.lose(6, old());
                }),
                (ErrorKind::Internal, 10, "bad (spans_lost: 10)"),
            ),
            (
                ended(&|all| {
                    all.took(6);
                    all.lose(4, bad());
                }),
                (ErrorKind::SpansLost, 4, "4 of 10 spans were not taken (spans_lost: 4): bad"),
            ),
            (
                ended(&|all| {
                    all.took(10);
                    all.refuse(2, old());
                }),
                (ErrorKind::SpansLost, 2, "too old (spans_lost: 2)"),
            ),
            (
                ended(&|all| {
                    all.took(5);
                    all.refuse(2, old());
                    all.lose(5, bad());
                }),
                (ErrorKind::SpansLost, 7, "7 of 10 spans were not taken (spans_lost: 7): too old (spans_lost: 2)"),
            ),
        ] {
            assert_eq!((found.0, found.1, found.2.as_str()), expected);
        }
        Progress::default().finish(0).unwrap();
    }
}
