//! The memory of all queries together: a fair share for whoever can spill, and a quarter that only others may take.
//!
//! The query engine's pool lets sorts fill all of it. A sort that has spilled then finds no room for the batches it
//! merges, which is memory that cannot be spilled, and the query ends although everything in it could have been done
//! with what there is.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// Of so many parts of the pool one is kept for what cannot spill.
const PARTS: usize = 4;

/// Shares a limit between consumers.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Consumers that can spill.
    spillers: usize,
    by_spillers: usize,
    by_others: usize,
}

impl SharedMemory {
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes,
            taken: Mutex::default(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SharedMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "shared({})", human_readable_size(self.bytes))
    }
}

impl MemoryPool for SharedMemory {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.taken().spillers += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut taken = self.taken();
            taken.spillers = taken.spillers.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut taken = self.taken();
        match reservation.consumer().can_spill() {
            true => taken.by_spillers += additional,
            false => taken.by_others += additional,
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut taken = self.taken();
        let taken = match reservation.consumer().can_spill() {
            true => &mut taken.by_spillers,
            false => &mut taken.by_others,
        };
        *taken = taken.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut taken = self.taken();
        let free = self.bytes.saturating_sub(taken.by_others);
        let can_spill = reservation.consumer().can_spill();
        let available = match can_spill {
            true => {
                let shared = free.min(self.bytes - self.bytes / PARTS);
                (shared / taken.spillers.max(1)).saturating_sub(reservation.size())
            }
            false => free.saturating_sub(taken.by_spillers),
        };
        if additional > available {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} asked for {} beside its {}; {} of {self} are left for it",
                reservation.consumer().name(),
                human_readable_size(additional),
                human_readable_size(reservation.size()),
                human_readable_size(available),
            )));
        }
        match can_spill {
            true => taken.by_spillers += additional,
            false => taken.by_others += additional,
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let taken = self.taken();
        taken.by_spillers + taken.by_others
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    fn consumer(pool: &Arc<dyn MemoryPool>, name: &str, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new(name)
            .with_can_spill(can_spill)
            .register(pool)
    }

    #[test]
    fn spillers_share_three_quarters_and_others_take_what_is_left() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedMemory::new(1_000));
        let first = consumer(&pool, "first sort", true);
        first.try_grow(750).unwrap();
        first.try_grow(1).unwrap_err();
        let merge = consumer(&pool, "merge", false);
        merge.try_grow(250).unwrap();
        let error = merge.try_grow(1).unwrap_err();
        assert!(matches!(error, DataFusionError::ResourcesExhausted(_)));
        assert_eq!(pool.reserved(), 1_000);
        // A second one halves what the first may have.
        drop(merge);
        let second = consumer(&pool, "second sort", true);
        second.try_grow(376).unwrap_err();
        first.shrink(375);
        second.try_grow(375).unwrap();
        drop((first, second));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_cannot_spill_may_have_everything_and_spillers_make_do_with_the_rest() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedMemory::new(1_000));
        let join = consumer(&pool, "join", false);
        join.try_grow(900).unwrap();
        let sort = consumer(&pool, "sort", true);
        sort.try_grow(101).unwrap_err();
        sort.try_grow(100).unwrap();
        join.try_grow(1).unwrap_err();
    }
}
