use std::thread;

/// `f` of each, on all processors.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(8);
    let size = items.len().div_ceil(processors).max(1);
    let (here, there) = items.split_at(size.min(items.len()));
    if there.is_empty() {
        return here.iter().map(f).collect();
    }
    let f = &f;
    thread::scope(|scope| {
        let others: Vec<_> =
            there.chunks(size).map(|chunk| scope.spawn(move || chunk.iter().map(f).collect::<Vec<R>>())).collect();
        let mut all: Vec<R> = here.iter().map(f).collect();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}
