//! Equal work on several threads, results in the order of the input.

/// `work` on consecutive parts of `items`, one thread for each of at most `threads` at a time; the
/// results stand in the order of the items, whatever the number of threads.
pub(crate) fn in_parts<I: Sync, R: Send>(
    items: &[I],
    threads: usize,
    work: impl Fn(usize, &[I]) -> Vec<R> + Sync,
) -> Vec<R> {
    let threads = threads.max(1);
    let size = items.len().div_ceil(threads).max(1);
    if items.len() <= size {
        return work(0, items);
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = items
            .chunks(size)
            .enumerate()
            .map(|(part, items)| {
                let work = &work;
                scope.spawn(move || work(part * size, items))
            })
            .collect();
        let mut results = Vec::new();
        for thread in running {
            match thread.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}
