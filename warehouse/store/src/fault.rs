//! Faults on request, to rehearse a crash or a broken disk on the real program.
//!
//! `GOYONG_FAULT=die@17` ends the process without any clean-up before its 17th durable operation: making a directory,
//! creating, syncing or naming a file, storing an object or a part of one, committing to the state database. Unset,
//! nothing is counted and nothing happens.
//!
//! | fault | what the 17th operation does |
//! |---|---|
//! | `die` | the process ends before it |
//! | `fail` | nothing, and answers an input/output error |
//! | `lost` | its work, and answers an input/output error |
//! | `full` | nothing, and answers that no space is left |
//! | `torn` | a file that was not synced yet loses its second half, and the process ends; objects and what is removed never do |

use std::future::Future;
use std::io::{Error, Result};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const VARIABLE: &str = "GOYONG_FAULT";
/// `EIO` and `ENOSPC` of Linux.
const INPUT_OUTPUT_ERROR: i32 = 5;
const NO_SPACE: i32 = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Die,
    Fail,
    Lost,
    Full,
    Torn,
}

fn parse(text: &str) -> Option<(Fault, u64)> {
    let (kind, number) = text.split_once('@')?;
    let kind = match kind {
        "die" => Fault::Die,
        "fail" => Fault::Fail,
        "lost" => Fault::Lost,
        "full" => Fault::Full,
        "torn" => Fault::Torn,
        _ => return None,
    };
    Some((kind, number.parse().ok()?))
}

/// The fault of the operation that begins now.
fn next() -> Option<Fault> {
    static PLAN: OnceLock<Option<(Fault, u64)>> = OnceLock::new();
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    let plan = PLAN.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?));
    let (fault, at) = (*plan)?;
    (BEGUN.fetch_add(1, Ordering::SeqCst) + 1 == at).then_some(fault)
}

/// Does one durable operation on a file or directory.
pub(crate) fn step<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    tearing(Some(path), work)
}

/// Removes a file whose bytes are on the disk: it is there whole or not at all.
pub(crate) fn removing(work: impl FnOnce() -> Result<()>) -> Result<()> {
    tearing(None, work)
}

fn tearing<T>(path: Option<&Path>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match next() {
        None => work(),
        Some(Fault::Die) => std::process::abort(),
        Some(Fault::Torn) => {
            if let Some(path) = path {
                tear(path);
            }
            std::process::abort()
        }
        Some(Fault::Fail) => Err(Error::from_raw_os_error(INPUT_OUTPUT_ERROR)),
        Some(Fault::Full) => Err(Error::from_raw_os_error(NO_SPACE)),
        Some(Fault::Lost) => {
            work()?;
            Err(Error::from_raw_os_error(INPUT_OUTPUT_ERROR))
        }
    }
}

/// Commits to the state database.
pub(crate) async fn committing(work: impl Future<Output = sqlx::Result<()>>) -> sqlx::Result<()> {
    answering(work, sqlx::Error::Io).await
}

/// Stores an object, or a part of one, in a store behind a network.
pub(crate) async fn storing<T>(
    work: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    let failed = |error| object_store::Error::Generic {
        store: "rehearsed",
        source: Box::new(error),
    };
    answering(work, failed).await
}

/// Does what is done whole or not at all.
async fn answering<T, E>(
    work: impl Future<Output = std::result::Result<T, E>>,
    failed: impl Fn(Error) -> E,
) -> std::result::Result<T, E> {
    let failed = |number| Err(failed(Error::from_raw_os_error(number)));
    match next() {
        None => work.await,
        Some(Fault::Die | Fault::Torn) => std::process::abort(),
        Some(Fault::Fail) => failed(INPUT_OUTPUT_ERROR),
        Some(Fault::Full) => failed(NO_SPACE),
        Some(Fault::Lost) => {
            work.await?;
            failed(INPUT_OUTPUT_ERROR)
        }
    }
}

/// What a power cut may do to bytes that were never synced.
fn tear(path: &Path) {
    let halved = || -> Result<()> {
        let file = std::fs::OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.is_file() {
            file.set_len(file.metadata()?.len() / 2)?;
        }
        Ok(())
    };
    // A directory cannot be opened to write: then the process only ends.
    let _ = halved();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_anything_else_is_none() {
        assert_eq!(parse("die@17"), Some((Fault::Die, 17)));
        assert_eq!(parse("torn@1"), Some((Fault::Torn, 1)));
        for text in ["", "die", "die@", "dies@3", "die@-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
