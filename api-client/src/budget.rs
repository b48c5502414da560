use std::sync::Mutex;

/// How many retries the calls of a client may have together: a bucket of tokens.
/// Each retry takes one, each call puts a share of one back.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: Mutex<f64>,
    most: f64,
    share: f64,
}

impl Budget {
    /// Full at first.
    pub(crate) fn new(tokens: u32, share: f64) -> Self {
        let most = f64::from(tokens);
        Self { tokens: Mutex::new(most), most, share }
    }

    pub(crate) fn add_call(&self) {
        let mut tokens = self.lock();
        *tokens = (*tokens + self.share).min(self.most);
    }

    /// False if it does not go that far.
    pub(crate) fn take_retry(&self) -> bool {
        let mut tokens = self.lock();
        let is_enough = *tokens >= 1.0;
        if is_enough {
            *tokens -= 1.0;
        }
        is_enough
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, f64> {
        // A number is whole even if its last writer panicked.
        self.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn when_it_is_used_up_every_fifth_call_may_retry() {
        let budget = Budget::new(3, 0.25);
        let calls = |n: u32| {
            (0..n)
                .filter(|_| {
                    budget.add_call();
                    budget.take_retry()
                })
                .count()
        };
        assert_eq!(calls(3), 3, "it is full at first");
        let rest = calls(400);
        assert!((98..=102).contains(&rest), "{rest} of 400 were retried");
        (0..1000).for_each(|_| budget.add_call());
        assert_eq!((0..10).filter(|_| budget.take_retry()).count(), 3, "it holds no more than at first");
    }
}
