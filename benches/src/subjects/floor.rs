//! What no recorder can do without: the clock at the start and the end (and for an event), an
//! id, and a copy of the bytes that the span has in OTLP. Nothing is checked, nothing is
//! handed on. The clock is the raw counter of the processor, read with fastant.

use std::cell::{Cell as StdCell, RefCell};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use fastant::Instant;

use crate::Failure;
use crate::cell::{Cell, Nothing};
use crate::workloads::{Pending, Workload, block_on, cart, items, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::Off,
    Workload::OffAttrs,
    Workload::SampledOut,
    Workload::SampledOutAttrs,
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
];

/// Bytes of the spans in OTLP: ids, name and times; the same with a parent and 2 attributes;
/// with 4 attributes and an event.
const ROOT: usize = 66;
const CHILD: usize = 125;
const FULL: usize = 195;

static ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    static STATE: StdCell<u64> = const { StdCell::new(0x9e37_79b9_7f4a_7c15) };
    static CURRENT: StdCell<u64> = const { StdCell::new(0) };
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer { bytes: [0; 64 << 10], used: 0 }) };
}

struct Buffer {
    bytes: [u8; 64 << 10],
    used: usize,
}

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    ON.store(!matches!(cell.workload(), Workload::Off | Workload::OffAttrs), Ordering::SeqCst);
    match cell.workload() {
        Workload::Off => cell.measure(&Nothing, || span::<ROOT>(work)),
        Workload::OffAttrs => cell.measure(&Nothing, || span::<FULL>(attributes)),
        Workload::SampledOut => cell.measure(&Nothing, || sampled_out(work)),
        Workload::SampledOutAttrs => cell.measure(&Nothing, || sampled_out(attributes)),
        Workload::Root => cell.measure(&Nothing, || span::<ROOT>(work)),
        Workload::Full => cell.measure(&Nothing, full),
        Workload::Full2Threads => cell.measure_on_two_threads(&Nothing, full),
        Workload::Children10 => cell.measure(&Nothing, || children(10)),
        Workload::Children100 => cell.measure(&Nothing, || children(100)),
        Workload::Poll1 => cell.measure(&Nothing, || poll(1)),
        _ => cell.measure(&Nothing, || poll(10)),
    }
    Ok(())
}

#[inline(always)]
fn span<const BYTES: usize>(f: impl FnOnce()) {
    if !ON.load(Ordering::Relaxed) {
        return f();
    }
    let before = CURRENT.replace(id());
    let begin = Instant::now();
    f();
    copy::<BYTES>(begin, Instant::now());
    CURRENT.set(before);
}

fn sampled_out(f: impl FnOnce()) {
    if ON.load(Ordering::Relaxed) {
        let before = CURRENT.replace(id());
        f();
        CURRENT.set(before);
    }
}

fn full() {
    span::<FULL>(|| {
        attributes();
        black_box(Instant::now());
    });
}

#[inline(always)]
fn attributes() {
    cart();
    work();
}

fn children(count: i64) {
    span::<ROOT>(|| {
        items(count).for_each(|item| {
            span::<CHILD>(|| {
                black_box(item);
                work();
            });
        });
    });
}

fn poll(times: u32) {
    span::<ROOT>(|| {
        let mut future = Pending(times);
        block_on(std::future::poll_fn(|context| {
            let before = CURRENT.replace(1);
            let poll = std::pin::Pin::new(&mut future).poll(context);
            CURRENT.set(before);
            poll
        }));
    });
}

/// Trace and span: three steps of an xorshift generator.
#[inline(always)]
fn id() -> u64 {
    let mut state = STATE.get();
    for _ in 0..3 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    STATE.set(state);
    state
}

#[inline(always)]
fn copy<const BYTES: usize>(begin: Instant, end: Instant) {
    static TEMPLATE: [u8; 256] = [7; 256];
    BUFFER.with_borrow_mut(|buffer| {
        black_box((begin, end));
        if buffer.used + BYTES > buffer.bytes.len() {
            buffer.used = 0;
        }
        let to = &mut buffer.bytes[buffer.used..buffer.used + BYTES];
        to.copy_from_slice(&black_box(&TEMPLATE)[..BYTES]);
        buffer.used += BYTES;
    });
}
