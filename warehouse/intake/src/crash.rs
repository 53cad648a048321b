//! Where a process may die between two durable writes; tests let it die there.

/// Marks a place between two durable writes.
#[cfg(not(test))]
pub(crate) async fn point(_name: &str) {}

/// Marks a place between two durable writes. Where a test wants the process dead, it goes no
/// further and nothing of it is cleaned up.
#[cfg(test)]
pub(crate) async fn point(name: &'static str) {
    if testing::dies_at(name) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::cell::{Cell, RefCell};
    use std::future::Future;
    use std::task::Poll;

    thread_local! {
        static POINTS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
        static DEADLY: Cell<Option<&'static str>> = const { Cell::new(None) };
        static DIED_AT: RefCell<Option<&'static str>> = const { RefCell::new(None) };
    }

    pub(super) fn dies_at(name: &'static str) -> bool {
        if DEADLY.get() == Some(name) {
            DIED_AT.set(Some(name));
            return true;
        }
        match POINTS_LEFT.get() {
            None => false,
            Some(0) => {
                DIED_AT.set(Some(name));
                true
            }
            Some(left) => {
                POINTS_LEFT.set(Some(left - 1));
                false
            }
        }
    }

    /// Runs `work` until it passed `points` places and reaches the next, then leaves it as a
    /// killed process would: nothing is dropped. Answers the result, or where it died.
    pub async fn run_until<F: Future>(points: usize, work: F) -> Result<F::Output, &'static str> {
        POINTS_LEFT.set(Some(points));
        let outcome = run(work).await;
        POINTS_LEFT.set(None);
        outcome
    }

    /// Runs `work` until it reaches a place; see [`run_until`].
    pub async fn run_until_point<F: Future>(
        name: &'static str,
        work: F,
    ) -> Result<F::Output, &'static str> {
        DEADLY.set(Some(name));
        let outcome = run(work).await;
        DEADLY.set(None);
        outcome
    }

    async fn run<F: Future>(work: F) -> Result<F::Output, &'static str> {
        DIED_AT.set(None);
        let mut work = Box::pin(work);
        let outcome = std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => match DIED_AT.take() {
                Some(name) => Poll::Ready(Err(name)),
                None => Poll::Pending,
            },
        })
        .await;
        if outcome.is_err() {
            std::mem::forget(work);
        }
        outcome
    }
}
