//! How many steps run side by side in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The pools of a process, each with its places.
#[derive(Debug)]
pub(crate) struct Pools {
    places: BTreeMap<String, Arc<Semaphore>>,
    freed: watch::Sender<u64>,
}

/// A place in a pool, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    freed: watch::Sender<u64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // The place is free before anybody is told.
        self.permit.take();
        self.freed.send_modify(|count| *count += 1);
    }
}

impl Pools {
    pub(crate) fn new(sizes: &BTreeMap<String, usize>) -> Self {
        let places = sizes
            .iter()
            .map(|(name, size)| (name.clone(), Arc::new(Semaphore::new(*size))))
            .collect();
        Self {
            places,
            freed: watch::Sender::new(0),
        }
    }

    /// Changes whenever a place becomes free.
    pub(crate) fn freed(&self) -> watch::Receiver<u64> {
        self.freed.subscribe()
    }

    /// A place, when one is free.
    pub(crate) fn take(&self, pool: &str) -> Option<Place> {
        let permit = Arc::clone(self.places.get(pool)?)
            .try_acquire_owned()
            .ok()?;
        Some(Place {
            permit: Some(permit),
            freed: self.freed.clone(),
        })
    }
}
