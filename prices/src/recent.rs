use std::collections::HashMap;
use std::sync::RwLock;

/// How many answers are kept before all are forgotten.
const MOST: usize = 1024;

/// Longer names are not kept, as they may be anything.
const LONGEST: usize = 256;

/// The answers to questions of two texts that were asked lately.
///
/// It never waits: whoever finds it locked goes without. So a forked child cannot hang on a lock of its parent's either.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    answers: RwLock<Answers<T>>,
}

#[derive(Debug)]
struct Answers<T> {
    by_names: HashMap<Box<str>, HashMap<Box<str>, T>>,
    count: usize,
}

impl<T: Copy> Recent<T> {
    pub(crate) fn get_or_insert_with(&self, first: &str, second: &str, answer: impl FnOnce() -> T) -> T {
        let known = self.answers.try_read().ok().and_then(|answers| answers.by_names.get(first)?.get(second).copied());
        if let Some(known) = known {
            return known;
        }
        let answer = answer();
        let is_short = first.len() + second.len() <= LONGEST;
        if let Some(mut answers) = is_short.then(|| self.answers.try_write().ok()).flatten() {
            if answers.count >= MOST {
                *answers = Answers::default();
            }
            answers.by_names.entry(first.into()).or_default().insert(second.into(), answer);
            answers.count += 1;
        }
        answer
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { answers: RwLock::new(Answers::default()) }
    }
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { by_names: HashMap::new(), count: 0 }
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
        for number in 0..3 * MOST {
            recent.get_or_insert_with("n", &number.to_string(), || number);
            assert!(recent.answers.read().unwrap().count <= MOST);
        }
        assert_eq!(recent.get_or_insert_with("a", "b", || 4), 4);
        let long = "x".repeat(LONGEST);
        assert_eq!(recent.get_or_insert_with("a", &long, || 5), 5);
        assert_eq!(recent.get_or_insert_with("a", &long, || 6), 6);
    }

    #[test]
    fn a_locked_memory_is_done_without() {
        let recent = Recent::default();
        let _writing = recent.answers.write().unwrap();
        assert_eq!(recent.get_or_insert_with("a", "b", || 1), 1);
        assert_eq!(recent.get_or_insert_with("a", "b", || 2), 2);
    }
}
