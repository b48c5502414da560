use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use spandrel_plugin_api::{SpanId, TraceId};
use spandrel_recorder::fork;

/// A new trace id; all of its bytes are random.
pub(crate) fn trace_id() -> TraceId {
    loop {
        let (high, low) = (random(), random());
        let id = TraceId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        if id.is_valid() {
            return id;
        }
    }
}

/// A new span id.
pub(crate) fn span_id() -> SpanId {
    loop {
        let id = SpanId::from_bytes(random().to_be_bytes());
        if id.is_valid() {
            return id;
        }
    }
}

/// Ids are not secrets: a quick generator for each thread, seeded from the
/// operating system once, and again in a forked child.
fn random() -> u64 {
    let next = |rng: &Cell<Rng>| {
        let mut state = rng.get();
        if state.generation != fork::generation() {
            state = Rng::seeded();
        }
        let value = state.next();
        rng.set(state);
        value
    };
    RNG.try_with(next).unwrap_or_else(|_| Rng::seeded().next())
}

thread_local! {
    static RNG: Cell<Rng> = const { Cell::new(Rng { words: [0; 4], generation: u64::MAX }) };
}

/// xoshiro256++ (Blackman and Vigna, 2019): so long a period that the sequences
/// of two threads do not meet.
#[derive(Clone, Copy)]
struct Rng {
    words: [u64; 4],
    generation: u64,
}

impl Rng {
    fn seeded() -> Self {
        static SEEDS: AtomicU64 = AtomicU64::new(0);
        // The keys of `RandomState` come from the operating system, but a forked
        // child inherits them; process id and time tell it from its parent.
        let keys = RandomState::new();
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now();
        let word = |i: u64| keys.hash_one((i, seed, std::process::id(), now, fork::generation()));
        Self { words: [word(0), word(1), word(2), word(3)], generation: fork::generation() }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.words;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c2, d2) = (c ^ a, d ^ b);
        self.words = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{Rng, span_id, trace_id};
    use std::collections::HashSet;

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        // First outputs of the reference implementation for the state 1, 2, 3, 4.
        let mut rng = Rng { words: [1, 2, 3, 4], generation: 0 };
        let first: Vec<u64> = (0..4).map(|_| rng.next()).collect();
        assert_eq!(first, [41943041, 58720359, 3588806011781223, 3591011842654386]);
    }

    #[test]
    fn ids_of_threads_differ() {
        let ids = || (0..1000).map(|_| (trace_id(), span_id())).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(ids)).collect();
        let all: HashSet<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(all.len(), 8000);
    }
}
