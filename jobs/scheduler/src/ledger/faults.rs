//! Faults of commits, for tests: the fault strikes what the task that asked for it commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use goyong_database::DatabaseError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before the commit.
    Die,
    /// The commit fails.
    Fail,
    /// It succeeds, and nobody is told.
    Lost,
}

#[derive(Debug)]
struct Injected {
    fault: Fault,
    at: usize,
    begun: AtomicUsize,
    is_hit: watch::Sender<bool>,
}

tokio::task_local! {
    static INJECTED: Arc<Injected>;
}

/// Does work whose commit number `at` meets the fault. Answers whether it came so far; what a process that dies would
/// leave is left, and `after_hit` is called again and again once the fault has struck.
pub(crate) async fn during(
    fault: Fault,
    at: usize,
    work: impl Future<Output = ()>,
    mut after_hit: impl FnMut(),
) -> bool {
    let injected = Arc::new(Injected {
        fault,
        at,
        begun: AtomicUsize::new(0),
        is_hit: watch::Sender::new(false),
    });
    let mut is_hit = injected.is_hit.subscribe();
    let struck = async {
        // The sender lives as long as this future.
        let _closed = is_hit.wait_for(|is_hit| *is_hit).await;
        if fault == Fault::Die {
            return;
        }
        loop {
            after_hit();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = INJECTED.scope(Arc::clone(&injected), work) => {}
        () = struck => {}
    }
    *injected.is_hit.borrow()
}

/// The fault of the commit that begins now, if its work is to be done first.
pub(super) async fn before_commit() -> Result<Option<Fault>, DatabaseError> {
    let Ok(injected) = INJECTED.try_with(Arc::clone) else {
        return Ok(None);
    };
    if injected.begun.fetch_add(1, Ordering::SeqCst) + 1 != injected.at {
        return Ok(None);
    }
    injected.is_hit.send_replace(true);
    match injected.fault {
        Fault::Die => std::future::pending().await,
        Fault::Fail => Err(DatabaseError::Lost),
        Fault::Lost => Ok(Some(Fault::Lost)),
    }
}

pub(super) fn after_commit(fault: Option<Fault>) -> Result<(), DatabaseError> {
    fault.map_or(Ok(()), |_| Err(DatabaseError::Lost))
}
