use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Calls `each` with `f` of every item, in their order.
///
/// `f` is at work on all processors while this thread gets the next items and hands on
/// what is done. After an item that is an error there are no more: it is returned once
/// those before it are handed on.
pub(crate) fn map<T: Send, R: Send, E>(
    mut items: impl Iterator<Item = Result<T, E>>,
    f: impl Fn(T) -> R + Sync,
    mut each: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(8);
    let (jobs, waiting) = mpsc::channel::<(T, mpsc::SyncSender<R>)>();
    let waiting = Mutex::new(waiting);
    let work = || {
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok((item, done)) = next() {
            // If nobody wants it any more, it is not needed.
            let _ = done.send(f(item));
        }
    };
    thread::scope(|scope| {
        // Gone at the end of this closure, however it ends; then the others end, too.
        let jobs = jobs;
        let mut workers = 0;
        let mut under_way = VecDeque::new();
        let mut ended = Ok(());
        loop {
            let next = if ended.is_ok() { items.next() } else { None };
            match next {
                Some(Ok(item)) => {
                    if workers < processors {
                        scope.spawn(work);
                        workers += 1;
                    }
                    let (done, result) = mpsc::sync_channel(1);
                    // It is received, as `waiting` outlives this.
                    let _ = jobs.send((item, done));
                    under_way.push_back(result);
                    // So many that no processor waits, and no more, as they need memory.
                    if under_way.len() <= 2 * processors {
                        continue;
                    }
                }
                Some(Err(error)) => ended = Err(error),
                None if under_way.is_empty() => return ended,
                None => {}
            }
            // A worker that panicked has no result; its panic goes on at the end of the scope.
            let Some(Ok(result)) = under_way.pop_front().map(|result| result.recv()) else { return ended };
            each(result)?;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let mut all = Vec::new();
        let done: Result<(), ()> = map(
            (0..1000).map(Ok),
            |item: u32| item * 2,
            |result| {
                all.push(result);
                Ok(())
            },
        );
        assert_eq!((done, all), (Ok(()), (0..1000).map(|item| item * 2).collect()));
    }

    #[test]
    fn an_error_comes_after_what_was_before_it() {
        let items = (0..).map(|item: u32| if item < 7 { Ok(item) } else { Err("no more") });
        let mut all = Vec::new();
        let done = map(
            items.take(9),
            |item| item,
            |result| {
                all.push(result);
                Ok(())
            },
        );
        assert_eq!((done, all), (Err("no more"), (0..7).collect()));
        let mut calls = 0;
        let done = map(
            (0..).map(Ok),
            |item: u32| item,
            |result| {
                calls += 1;
                if result < 3 { Ok(()) } else { Err("enough") }
            },
        );
        assert_eq!((done, calls), (Err("enough"), 4));
    }

    #[test]
    #[should_panic = "a scoped thread panicked"]
    fn a_panic_goes_on() {
        let _: Result<(), ()> = map((0..100).map(Ok), |item: u32| assert!(item < 50), Ok);
    }
}
