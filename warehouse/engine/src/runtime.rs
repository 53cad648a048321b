//! A tokio runtime whose threads survive deep plans.

use std::future::Future;

use crate::error::{EngineError, Result};

/// Planning recurses with the depth of a statement, and a 2 MiB stack ends at some hundred terms.
const STACK_BYTES: usize = 64 << 20;

/// A runtime for the engine: `threads` workers with large stacks.
pub fn runtime(threads: usize) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| EngineError::Io {
            operation: "start the engine's threads",
            source,
        })
}

/// Runs a future to its end on a worker with a large stack, not on the caller's.
pub fn block_on<F>(threads: usize, future: F) -> Result<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = runtime(threads)?;
    let task = runtime.spawn(future);
    runtime.block_on(task).map_err(|error| EngineError::Io {
        operation: "finish the task",
        source: std::io::Error::other(error.to_string()),
    })
}
