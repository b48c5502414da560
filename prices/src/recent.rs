use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::RwLock;

use rustc_hash::FxHasher;

/// How many answers are kept at most.
const MOST: usize = 1024;

/// Longer names are not kept, as they may be anything.
const LONGEST: usize = 256;

/// The answers to questions of two texts that were asked lately. Each has its place by the hash of the texts, and the later one
/// takes it.
///
/// It never waits: whoever finds it locked goes without. So a forked child cannot hang on a lock of its parent's either.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    /// None before the first answer, then [`MOST`].
    places: RwLock<Vec<Option<Box<Known<T>>>>>,
}

#[derive(Debug)]
struct Known<T> {
    first: Box<str>,
    second: Box<str>,
    answer: T,
}

impl<T: Copy> Recent<T> {
    pub(crate) fn get_or_insert_with(&self, first: &str, second: &str, answer: impl FnOnce() -> T) -> T {
        let place = BuildHasherDefault::<FxHasher>::default().hash_one((first, second)) as usize % MOST;
        let of = |known: &Known<T>| (*known.first == *first && *known.second == *second).then_some(known.answer);
        let known = self.places.try_read().ok().and_then(|places| places.get(place)?.as_deref().and_then(of));
        if let Some(known) = known {
            return known;
        }
        let answer = answer();
        let is_short = first.len() + second.len() <= LONGEST;
        if let Some(mut places) = is_short.then(|| self.places.try_write().ok()).flatten() {
            places.resize_with(MOST, || None);
            places[place] = Some(Box::new(Known { first: first.into(), second: second.into(), answer }));
        }
        answer
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { places: RwLock::default() }
    }
}

/// Begins with nothing: what is known of one table says nothing about another.
impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_and_the_number_of_them_is_bounded() {
        let recent = Recent::default();
        assert_eq!(recent.get_or_insert_with("a", "b", || 1), 1);
        assert_eq!(recent.get_or_insert_with("a", "b", || 2), 1);
        assert_eq!(recent.get_or_insert_with("a", "c", || 3), 3);
        for number in 0..30 * MOST {
            assert_eq!(recent.get_or_insert_with("n", &number.to_string(), || number), number);
            assert_eq!(recent.places.read().unwrap().len(), MOST);
        }
        assert_eq!(recent.get_or_insert_with("a", "b", || 4), 4, "others came into its place");
        let long = "x".repeat(LONGEST);
        assert_eq!(recent.get_or_insert_with("a", &long, || 5), 5);
        assert_eq!(recent.get_or_insert_with("a", &long, || 6), 6);
    }

    #[test]
    fn a_locked_memory_is_done_without() {
        let recent = Recent::default();
        let _writing = recent.places.write().unwrap();
        assert_eq!(recent.get_or_insert_with("a", "b", || 1), 1);
        assert_eq!(recent.get_or_insert_with("a", "b", || 2), 2);
    }
}
