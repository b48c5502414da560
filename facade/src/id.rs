use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use spandrel_plugin_api::{SpanId, TraceId};
use spandrel_recorder::fork;

/// A new trace id, all of whose bytes are random, and the id of its first span.
#[inline]
pub(crate) fn root() -> (TraceId, SpanId) {
    with_random(|random| (trace_id(random), span_id(random)))
}

/// A new span id.
#[inline]
pub(crate) fn child() -> SpanId {
    with_random(span_id)
}

#[inline]
fn trace_id(random: &mut Random) -> TraceId {
    loop {
        let (high, low) = (random.next(), random.next());
        if high | low != 0 {
            return TraceId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        }
    }
}

#[inline]
fn span_id(random: &mut Random) -> SpanId {
    loop {
        let id = random.next();
        if id != 0 {
            return SpanId::from_bytes(id.to_be_bytes());
        }
    }
}

/// Ids are not secrets: a quick generator for each thread, seeded from the
/// operating system once, and again in a forked child.
#[inline(always)]
fn with_random<R>(make: impl FnOnce(&mut Random) -> R) -> R {
    let mut random = RANDOM.with(Cell::get);
    if random.generation != fork::generation() {
        random = Random::seeded();
    }
    let made = make(&mut random);
    RANDOM.with(|cell| cell.set(random));
    made
}

thread_local! {
    static RANDOM: Cell<Random> = const { Cell::new(Random { state: 0, generation: u64::MAX }) };
}

/// A multiplicative congruential generator with a state of 128 bits, of which the
/// upper half is the number: its period of 2^126 is so long that the sequences of
/// two threads do not meet.
///
/// Source of the multiplier: Steele and Vigna, "Computationally easy, spectrally
/// good multipliers for congruential pseudorandom number generators", 2021.
#[derive(Clone, Copy)]
struct Random {
    /// Odd.
    state: u128,
    generation: u64,
}

const MULTIPLIER: u128 = 0xda94_2042_e4dd_58b5;

impl Random {
    #[cold]
    fn seeded() -> Self {
        static SEEDS: AtomicU64 = AtomicU64::new(0);
        // The keys of `RandomState` come from the operating system, but a forked
        // child inherits them; process id and time tell it from its parent.
        let keys = RandomState::new();
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now();
        let word = |i: u64| keys.hash_one((i, seed, std::process::id(), now, fork::generation()));
        let state = u128::from(word(0)) << 64 | u128::from(word(1)) | 1;
        Self { state, generation: fork::generation() }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(MULTIPLIER);
        (self.state >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, child, root};
    use std::collections::HashSet;

    #[test]
    fn the_generator_is_the_one_of_the_paper() {
        // The upper halves of the powers of the multiplier modulo 2^128.
        let mut random = Random { state: 1, generation: 0 };
        let first: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(first, [0, 13447920729462039988, 15814042893181868240, 6573358403997055337]);
    }

    #[test]
    fn each_bit_of_an_id_is_set_in_half_of_them() {
        let mut counts = [0_u32; 192];
        for _ in 0..4_000 {
            let (trace, span) = root();
            let bytes = trace.to_bytes().into_iter().chain(span.to_bytes());
            for (i, byte) in bytes.enumerate() {
                for bit in 0..8 {
                    counts[i * 8 + bit] += u32::from(byte >> bit & 1);
                }
            }
        }
        // Six standard deviations of a fair coin.
        assert!(counts.iter().all(|count| (1_810..2_190).contains(count)), "{counts:?}");
    }

    #[test]
    fn ids_of_threads_differ() {
        let ids = || (0..1000).flat_map(|_| [root().1, child()]).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(ids)).collect();
        let all: HashSet<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(all.len(), 16_000);
    }
}
