//! Work on several threads whose result does not depend on how many there are:
//! each task owns what it writes, and the caller adds results up in task order.

use std::sync::{Mutex, PoisonError};

/// Runs every task once; the caller's thread works too.
pub(crate) fn for_each<T: Send>(threads: usize, tasks: &mut [T], work: impl Fn(&mut T) + Sync) {
    if threads < 2 || tasks.len() < 2 {
        tasks.iter_mut().for_each(work);
        return;
    }
    let helpers = threads.min(tasks.len()) - 1;
    let queue = Mutex::new(tasks.iter_mut());
    let drain = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            match next {
                Some(task) => work(task),
                None => break,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(drain);
        }
        drain();
    });
}

/// A uniform 64-bit number for a position under a seed (splitmix64 finaliser,
/// Steele, Lea and Flood 2014).
pub(crate) fn mix(position: u64, seed: u64) -> u64 {
    crate::sampling::draw(
        u128::from(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        seed,
    )
}

/// Keeps the rows with the smallest draws, `columns` holding a value a row each (or
/// none at all); returns the largest draw kept.
pub(crate) fn keep_smallest(draws: &mut Vec<u64>, columns: &mut [Vec<f64>], count: usize) -> u64 {
    if draws.len() <= count {
        return u64::MAX;
    }
    let mut sorted = draws.clone();
    let threshold = *sorted.select_nth_unstable(count - 1).1;
    for values in columns.iter_mut().filter(|values| !values.is_empty()) {
        let mut draws = draws.iter();
        values.retain(|_| draws.next().is_some_and(|draw| *draw <= threshold));
    }
    draws.retain(|draw| *draw <= threshold);
    threshold
}
