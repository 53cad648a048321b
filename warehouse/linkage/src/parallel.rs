//! Numbered tasks on several threads, their results in the order of the numbers.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// Results that may wait for an earlier one, for each thread.
const AHEAD: usize = 4;

struct State<T> {
    next: usize,
    consumed: usize,
    stopped: bool,
    results: BTreeMap<usize, T>,
}

/// Runs `tasks` tasks, each thread with a worker of its own, and hands the results over in order.
///
/// A thread waits when its result would be too far ahead of the one handed over, so only a few
/// results are held at any time.
///
/// # Errors
/// The first error of `consume`; remaining tasks are not begun.
pub(crate) fn run_ordered<W, T, E>(
    threads: usize,
    tasks: usize,
    make_worker: impl Fn() -> W + Sync,
    mut consume: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    W: FnMut(usize) -> T,
    T: Send,
{
    if threads <= 1 || tasks <= 1 {
        let mut worker = make_worker();
        for task in 0..tasks {
            consume(worker(task))?;
        }
        return Ok(());
    }
    let ahead = AHEAD * threads;
    let state = Mutex::new(State {
        next: 0,
        consumed: 0,
        stopped: false,
        results: BTreeMap::new(),
    });
    let changed = Condvar::new();
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(tasks) {
            scope.spawn(|| {
                let _stop = StopOnPanic {
                    state: &state,
                    changed: &changed,
                };
                let mut worker = make_worker();
                loop {
                    let task = {
                        let mut held = lock();
                        while !held.stopped
                            && held.next < tasks
                            && held.next >= held.consumed + ahead
                        {
                            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                        }
                        if held.stopped || held.next >= tasks {
                            return;
                        }
                        held.next += 1;
                        held.next - 1
                    };
                    let result = worker(task);
                    lock().results.insert(task, result);
                    changed.notify_all();
                }
            });
        }
        for task in 0..tasks {
            let result = {
                let mut held = lock();
                loop {
                    if let Some(result) = held.results.remove(&task) {
                        break result;
                    }
                    if held.stopped {
                        // a worker panicked; the scope passes the panic on
                        return Ok(());
                    }
                    held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                }
            };
            let consumed = consume(result);
            let mut held = lock();
            held.consumed = task + 1;
            held.stopped |= consumed.is_err();
            drop(held);
            changed.notify_all();
            consumed?;
        }
        Ok(())
    })
}

/// Wakes whoever waits for a worker that will not come back.
struct StopOnPanic<'a, T> {
    state: &'a Mutex<State<T>>,
    changed: &'a Condvar,
}

impl<T> Drop for StopOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            held.stopped = true;
            drop(held);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let mut seen = Vec::new();
            run_ordered(
                threads,
                100,
                || |task| task * task,
                |result| -> Result<(), ()> {
                    seen.push(result);
                    Ok(())
                },
            )
            .unwrap();
            let expected: Vec<usize> = (0..100).map(|task| task * task).collect();
            assert_eq!(seen, expected, "{threads} threads");
        }
    }

    #[test]
    fn an_error_of_the_consumer_ends_the_run() {
        let mut consumed = 0;
        let result = run_ordered(
            2,
            1000,
            || |task| task,
            |task| {
                consumed += 1;
                if task == 5 { Err("full") } else { Ok(()) }
            },
        );
        assert_eq!(result, Err("full"));
        assert_eq!(consumed, 6);
    }
}
