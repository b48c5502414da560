//! One figure: a workload of a subject, in a process of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};

use crate::Failure;
use crate::allocations;
use crate::clock::{process_nanos, thread_nanos};
use crate::json::Measured;
use crate::subjects::Subject;
use crate::workloads::Workload;

/// What the process shall do.
#[derive(Debug)]
pub(crate) struct CellArguments {
    pub(crate) workload: Workload,
    pub(crate) subject: Subject,
    /// Only this many operations, and no clock: to count instructions, or to try it.
    pub(crate) operations: Option<u64>,
    /// The library of the subjects that load one.
    pub(crate) plugin: Option<PathBuf>,
}

/// Measures and writes the figures to standard output.
pub(crate) fn run(arguments: CellArguments) -> Result<(), Failure> {
    let subject = arguments.subject;
    let mut cell = Cell { arguments, measured: None };
    subject.run(&mut cell)?;
    println!("{}", cell.measured.ok_or("the subject measured nothing")?.to_json());
    Ok(())
}

/// Handed to the subject, which sets itself up and then calls one of the methods `measure`.
pub(crate) struct Cell {
    arguments: CellArguments,
    measured: Option<Measured>,
}

/// How finished spans are dealt with between the chunks, beside the clock.
pub(crate) trait Peer: Sync {
    /// Waits until what was recorded has been exported.
    fn flush(&self) {}

    /// Spans that the exporter was given; `None` if there is none.
    fn delivered(&self) -> Option<u64> {
        None
    }
}

/// A subject that keeps nothing.
pub(crate) struct Nothing;

impl Peer for Nothing {}

/// Chunks of a process: at least, at most, and nanoseconds after which it ends.
const CHUNKS: (usize, usize, f64) = (20, 200, 150_000_000.0);
const WARM_UP: (usize, usize, f64) = (5, 50, 30_000_000.0);
const CHUNKS_OF_ALLOCATIONS: u64 = 4;

/// Runs a number of operations and notes the nanoseconds that each took.
type Chunk<'a> = &'a mut dyn FnMut(u64, &mut Vec<f64>);

impl Cell {
    pub(crate) fn workload(&self) -> Workload {
        self.arguments.workload
    }

    /// The library to load.
    pub(crate) fn plugin(&self) -> Result<PathBuf, Failure> {
        self.arguments.plugin.clone().ok_or_else(|| "this subject needs `--plugin PATH`".into())
    }

    /// Measures on this thread.
    pub(crate) fn measure(&mut self, peer: &impl Peer, mut operation: impl FnMut()) {
        self.drive(peer, &mut |operations, nanos| nanos.push(timed(operations, &mut operation)));
    }

    /// Measures on two threads at once, each by its own clock.
    pub(crate) fn measure_on_two_threads(&mut self, peer: &impl Peer, operation: impl Fn() + Sync) {
        const THREADS: usize = 2;
        let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
        let to_do = AtomicU64::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        begin.wait();
                        let operations = to_do.load(Ordering::SeqCst);
                        if operations == 0 {
                            break;
                        }
                        let nanos = timed(operations, &mut || operation());
                        done.lock().unwrap_or_else(PoisonError::into_inner).push(nanos);
                        end.wait();
                    }
                });
            }
            self.drive(peer, &mut |operations, nanos| {
                to_do.store(operations, Ordering::SeqCst);
                begin.wait();
                end.wait();
                nanos.append(&mut done.lock().unwrap_or_else(PoisonError::into_inner));
            });
            to_do.store(0, Ordering::SeqCst);
            begin.wait();
        });
    }

    fn drive(&mut self, peer: &impl Peer, chunk: Chunk<'_>) {
        let usual = self.arguments.subject.operations(self.workload());
        let mut nanos = Vec::new();
        let mut total = 0;
        let mut chunk = |operations: u64, nanos: &mut Vec<f64>| {
            chunk(operations, nanos);
            peer.flush();
            total += operations;
        };
        let mut measured = Measured::default();
        if let Some(operations) = self.arguments.operations {
            let mut rest = operations;
            for _ in 0..2 {
                chunk(usual.min(operations), &mut nanos);
            }
            begin_counting();
            while rest > 0 {
                let next = rest.min(usual);
                chunk(next, &mut nanos);
                rest -= next;
            }
        } else {
            let mut until = |(least, most, budget): (usize, usize, f64), nanos: &mut Vec<f64>| {
                nanos.clear();
                let mut chunks = 0_usize;
                while chunks < least || (chunks < most && nanos.iter().sum::<f64>() * (usual as f64) < budget) {
                    chunk(usual, nanos);
                    chunks += 1;
                }
                chunks as u64 * usual
            };
            until(WARM_UP, &mut nanos);
            nanos.reserve(2 * CHUNKS.1);
            let before = process_nanos();
            let operations = until(CHUNKS, &mut nanos);
            measured.process_nanos = (process_nanos() - before) as f64 / operations as f64;
            let mut unused = Vec::with_capacity(16);
            let allocations = allocations::during(|| {
                for _ in 0..CHUNKS_OF_ALLOCATIONS {
                    chunk(usual, &mut unused);
                }
            });
            measured.allocations = allocations as f64 / (CHUNKS_OF_ALLOCATIONS * usual) as f64;
        }
        let threads = self.workload().threads();
        measured.process_nanos /= threads as f64;
        measured.allocations /= threads as f64;
        let recorded = total * self.workload().spans() * threads;
        measured.lost = peer.delivered().map_or(0, |delivered| recorded.saturating_sub(delivered));
        measured.nanos = nanos;
        self.measured = Some(measured);
    }
}

/// Nanoseconds of CPU time of this thread for each operation.
#[inline(never)]
fn timed(operations: u64, operation: &mut impl FnMut()) -> f64 {
    let begin = thread_nanos();
    for _ in 0..operations {
        operation();
    }
    (thread_nanos() - begin) as f64 / operations as f64
}

/// Where callgrind begins: what happens before, such as the calibration of clocks, is different
/// each time.
#[inline(never)]
fn begin_counting() {
    std::hint::black_box(());
}
