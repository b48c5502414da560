//! The hand-over of finished spans in every order that threads can run in.
//!
//! The block, and what is taken of it, are the recorder's own code over the atomics,
//! locks and counters of loom, which is told of each access to the bytes. What the
//! recorder's core does with them is written down here again, in short: who holds
//! which lock, and when blocks are collected and sealed.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p spandrel-recorder --test loom`
#![cfg(loom)]

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../src/block.rs"]
mod block;
#[allow(dead_code, reason = "nor here")]
#[path = "../../src/live.rs"]
mod live;
mod sync;

use crate::block::{BLOCK_BYTES, BlockWriter, Pool, lock};
use crate::live::{Chunk, LiveBlock};
use crate::sync::{Arc, Mutex};

/// As the core of a recorder: blocks that are written to, and chunks on their way.
struct Core {
    pool: Arc<Pool>,
    live: Mutex<Vec<LiveBlock>>,
    queue: Mutex<Vec<Chunk>>,
}

/// A span is so many bytes of its number.
const SPAN_BYTES: usize = 3;

impl Core {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            pool: Arc::new(Pool::new(4 * BLOCK_BYTES)),
            live: Mutex::new(Vec::new()),
            queue: Mutex::new(Vec::new()),
        })
    }

    fn new_block(&self) -> BlockWriter {
        let writer = BlockWriter::new(&self.pool, BLOCK_BYTES);
        lock(&self.live).push(LiveBlock::new(writer.block()));
        writer
    }

    fn seal(&self, writer: &BlockWriter) {
        let mut live = lock(&self.live);
        let index = live.iter().position(|live| Arc::ptr_eq(&live.block, writer.block()));
        let mut sealed = live.swap_remove(index.expect("it was there since it was made"));
        self.queue(sealed.take());
    }

    fn collect(&self) {
        for live in lock(&self.live).iter_mut() {
            self.queue(live.take());
        }
    }

    fn queue(&self, chunk: Option<Chunk>) {
        lock(&self.queue).extend(chunk.map(|chunk| chunk.lean(&self.pool)));
    }

    /// The spans in blocks, as a reader of statistics counts them.
    fn in_blocks(&self) -> u64 {
        lock(&self.live).iter().map(LiveBlock::waiting).sum()
    }

    /// Takes what is queued, and the numbers of the spans in it.
    fn export(&self) -> Vec<u8> {
        let chunks = std::mem::take(&mut *lock(&self.queue));
        chunks.iter().flat_map(numbers).collect()
    }
}

/// The numbers of the spans in a chunk.
fn numbers(chunk: &Chunk) -> Vec<u8> {
    let mut numbers = Vec::new();
    for (scope, range) in chunk.block.runs(chunk.range.clone()) {
        for span in chunk.block.read(range).chunks(SPAN_BYTES) {
            assert_eq!(span, [span[0]; SPAN_BYTES], "a span is there as a whole");
            assert_eq!(scope, scope_of(span[0]));
            numbers.push(span[0]);
        }
    }
    assert_eq!(numbers.len() as u64, chunk.spans, "as many spans as were counted");
    numbers
}

fn scope_of(number: u8) -> u32 {
    u32::from(number == 2)
}

fn append(writer: &mut BlockWriter, number: u8) {
    writer.append(scope_of(number), &[number; SPAN_BYTES]);
}

/// Every order with at most so many switches that no thread asked for.
fn check(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(run);
}

#[test]
fn a_writer_a_worker_and_a_flush_lose_nothing_and_see_whole_spans() {
    check(3, || {
        let core = Core::new();
        let mut writer = core.new_block();
        append(&mut writer, 1);
        let service = loom::thread::spawn({
            let core = Arc::clone(&core);
            move || {
                append(&mut writer, 2);
                // Full: the next one may get memory that was exported.
                core.seal(&writer);
                writer = core.new_block();
                append(&mut writer, 3);
                writer
            }
        });
        let worker = loom::thread::spawn({
            let core = Arc::clone(&core);
            move || {
                core.collect();
                core.export()
            }
        });
        assert!(core.in_blocks() <= 2);
        core.collect();
        let mut seen = core.export();
        seen.extend(worker.join().unwrap());
        let writer = service.join().unwrap();
        core.seal(&writer);
        seen.extend(core.export());
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
    });
}

#[test]
fn memory_is_written_again_only_after_its_last_reader() {
    check(3, || {
        let core = Core::new();
        let mut writer = core.new_block();
        append(&mut writer, 1);
        core.seal(&writer);
        let workers = [(); 2].map(|()| {
            let core = Arc::clone(&core);
            loom::thread::spawn(move || core.export())
        });
        drop(writer);
        let mut again = core.new_block();
        append(&mut again, 2);
        let mut seen: Vec<u8> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        core.seal(&again);
        seen.extend(core.export());
        assert_eq!(seen, [1, 2]);
    });
}
