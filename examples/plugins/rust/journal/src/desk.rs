use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use spandrel_plugin_api::diagnostics::{Level, RateLimit, report};
use spandrel_plugin_api::{BranchStats, Deadline, Error, ErrorKind, SpanStart, Stats};

use crate::encode::Service;
use crate::span::Span;
use crate::watch::Watch;

/// Where spans that have ended wait for a thread that writes them.
pub(crate) struct Desk {
    pub(crate) process: u32,
    file: File,
    service: Service,
    slow: Option<Duration>,
    state: Mutex<State>,
    /// The thread has something to do.
    work: Condvar,
    /// The thread has done something.
    progress: Condvar,
    losses: RateLimit,
}

struct State {
    waiting: Vec<Span>,
    recorded: u64,
    branch: BranchStats,
    /// Spans that could not be written, and that no flush has told of.
    untold: u64,
    watch: Watch,
    is_closed: bool,
    /// The thread is at its end.
    is_over: bool,
}

impl Desk {
    /// More spans than this do not wait.
    const ROOM: u64 = 16_384;

    pub(crate) fn open(
        file: File,
        service: Service,
        slow: Option<Duration>,
        is_closed: bool,
    ) -> Result<Arc<Self>, Error> {
        let mut branch = BranchStats::default();
        branch.name = "journal".to_owned();
        let watch = Watch::new(slow);
        let state = State { waiting: Vec::new(), recorded: 0, branch, untold: 0, watch, is_closed, is_over: false };
        let desk = Arc::new(Self {
            process: std::process::id(),
            file,
            service,
            slow,
            state: Mutex::new(state),
            work: Condvar::new(),
            progress: Condvar::new(),
            losses: RateLimit::new(),
        });
        let writer = Arc::clone(&desk);
        thread::Builder::new().name("journal".to_owned()).spawn(move || writer.work())?;
        Ok(desk)
    }

    /// The same for a forked child. It waits for no lock, as one that is held now is
    /// held for ever.
    pub(crate) fn after_fork(&self) -> Result<Arc<Self>, Error> {
        let is_closed = self.state.try_lock().is_ok_and(|state| state.is_closed);
        Self::open(self.file.try_clone()?, self.service.clone(), self.slow, is_closed)
    }

    pub(crate) fn start(&self, start: &SpanStart<'_>) -> Box<Span> {
        let mut span = Box::new(Span::start(start, self.process));
        if self.slow.is_some() {
            let mut state = self.lock();
            // Otherwise the thread looks in time, and then again.
            let is_first = state.watch.next().is_none();
            span.open = state.watch.start(start, Instant::now());
            drop(state);
            if is_first {
                self.work.notify_one();
            }
        }
        span
    }

    /// Takes a span that has ended, or counts why not.
    pub(crate) fn accept(&self, span: Span) {
        let mut state = self.lock();
        state.recorded += 1;
        if span.process != self.process {
            state.branch.dropped.forked += 1;
        } else if state.is_closed {
            state.branch.dropped.after_shutdown += 1;
        } else if state.branch.pending == Self::ROOM {
            state.branch.dropped.queue_full += 1;
            drop(state);
            self.losses.warn(|| "the disk is slower than the service: spans are dropped".to_owned());
        } else {
            state.branch.pending += 1;
            state.waiting.push(span);
            drop(state);
            self.work.notify_one();
        }
    }

    /// Waits until all that was accepted before is written.
    pub(crate) fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let state = self.lock();
        let accepted = state.settled() + state.branch.pending;
        self.wait(state, deadline, |state| state.settled() >= accepted)
    }

    /// Accepts no more, and waits until all that was is written.
    pub(crate) fn close(&self, deadline: Duration) -> Result<(), Error> {
        let mut state = self.lock();
        state.is_closed = true;
        self.work.notify_one();
        self.wait(state, deadline, |state| state.is_over)
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        let mut stats = Stats::default();
        stats.recorded = state.recorded;
        stats.branches.push(state.branch.clone());
        stats
    }

    fn wait(
        &self,
        state: MutexGuard<'_, State>,
        deadline: Duration,
        is_reached: impl Fn(&State) -> bool,
    ) -> Result<(), Error> {
        // No longer than a clock can say.
        let left = Deadline::after(deadline).left();
        let waited = self.progress.wait_timeout_while(state, left, |state| !is_reached(state));
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            let pending = state.branch.pending.to_string();
            return Err(Error::new(ErrorKind::Timeout, "the journal is not written yet").with_context("spans", pending));
        }
        match std::mem::take(&mut state.untold) {
            0 => Ok(()),
            lost => Err(Error::new(ErrorKind::SpansLost, format!("spans that could not be written: {lost}"))),
        }
    }

    /// What the thread does.
    fn work(&self) {
        let mut line = Vec::new();
        let mut state = self.lock();
        loop {
            let spans = std::mem::take(&mut state.waiting);
            let slow = if state.is_closed { None } else { state.watch.look(Instant::now()) };
            if spans.is_empty() && slow.is_none() {
                if state.is_closed {
                    break;
                }
                let left = state.watch.next().map(|next| next.saturating_duration_since(Instant::now()));
                let left = left.unwrap_or(Duration::MAX);
                state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            drop(state);
            if let Some(slow) = slow {
                report(Level::Warning, &slow);
            }
            let written = spans.iter().filter(|span| self.write(span, &mut line)).count() as u64;
            let failed = spans.len() as u64 - written;
            state = self.lock();
            state.branch.pending -= written + failed;
            state.branch.exported += written;
            state.branch.dropped.export_failed += failed;
            state.untold += failed;
            self.progress.notify_all();
        }
        state.is_over = true;
        self.progress.notify_all();
    }

    /// One call to the system for each line, so that those of several processes do
    /// not mix. `line` has what could not be written the last time.
    fn write(&self, span: &Span, line: &mut Vec<u8>) -> bool {
        let is_torn = !line.is_empty();
        line.clear();
        line.extend(is_torn.then_some(b'\n'));
        line.extend(self.service.line(span).to_string().into_bytes());
        line.push(b'\n');
        let written = (&self.file).write_all(line);
        match &written {
            Ok(()) => line.clear(),
            Err(error) => self.losses.warn(|| format!("cannot write to the journal: {error}")),
        }
        written.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many of the spans that were accepted are written or lost.
    const fn settled(&self) -> u64 {
        self.branch.exported + self.branch.dropped.export_failed
    }
}
