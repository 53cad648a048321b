//! What can go wrong in the store, and whether trying again can help.

use std::path::{Path, PathBuf};

use goyong_types::TableName;

use crate::verify::VerifyProblem;

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// An error of the store. [`StoreError::is_retryable`] says whether running the whole step again can succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder holds no warehouse.
    #[error("no warehouse in {}: run `goyong init` there first", root.display())]
    NoWarehouse {
        /// The folder that was asked for.
        root: PathBuf,
    },
    /// The state database was written by a newer program.
    #[error(
        "the state database has format {found}, this program knows {known}: use the newer program that wrote it"
    )]
    NewerLedger {
        /// Format found in the database.
        found: i64,
        /// Newest format this program can read.
        known: i64,
    },
    /// A file operation failed.
    #[error("could not {operation} {}", path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// An object store that cannot hold the tables of this warehouse.
    #[error("lake {location}: {problem}")]
    Lake {
        /// Its URL, without credentials.
        location: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A statement on the state database failed.
    #[error("could not {operation} in the state database")]
    Ledger {
        /// What was attempted.
        operation: &'static str,
        /// The database's answer.
        #[source]
        source: sqlx::Error,
    },
    /// The Delta library refused.
    #[error("could not {operation} of table {table}")]
    Delta {
        /// What was attempted.
        operation: &'static str,
        /// The table.
        table: TableName,
        /// The library's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Parquet file could not be written.
    #[error("could not {operation} a data file of table {table}")]
    Parquet {
        /// What was attempted.
        operation: &'static str,
        /// The table.
        table: TableName,
        /// The library's answer.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Rows do not fit the table: a missing column, a type that cannot be converted, a null where none may be.
    #[error("column `{column}` of table {table}: {problem}")]
    Column {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A partition value that cannot be stored, or that the rows contradict.
    #[error("partition `{partition}` of table {table}: {problem}")]
    Partition {
        /// The table.
        table: TableName,
        /// The partition value as text, empty for none.
        partition: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The columns written differ from the table's.
    #[error("table {table} has other columns ({problem}): replace the whole table to change them")]
    SchemaChanged {
        /// The table.
        table: TableName,
        /// The first difference.
        problem: String,
    },
    /// Another commit came first; nothing was changed. Run the whole step again on the new version.
    #[error(
        "table {table} moved past version {expected} while it was being written: run the step again"
    )]
    Conflict {
        /// The table.
        table: TableName,
        /// The version the writer had read, -1 for a table that did not exist.
        expected: i64,
    },
    /// The commit's fate is unknown: storage failed after the entry may have become visible.
    #[error(
        "commit {version} of table {table} may or may not be stored: open the warehouse again, then look up the application version"
    )]
    UnknownOutcome {
        /// The table.
        table: TableName,
        /// The version attempted.
        version: i64,
        /// The storage's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Someone else holds the named lock.
    #[error("`{name}` is locked by another process: wait for it to end, then try again")]
    Locked {
        /// The lock.
        name: String,
    },
    /// A newer worker has taken the scheduled run over; nothing was committed.
    #[error(
        "run {run} was taken over by a newer worker (token {newest}, this one has {token}): nothing was committed, leave it to the newer one"
    )]
    Fenced {
        /// The run.
        run: String,
        /// This worker's token.
        token: i64,
        /// The newest worker's.
        newest: i64,
    },
    /// A commit of the log is missing, torn, changed or not ours.
    #[error(
        "commit {version} of table {table} {problem}: run `goyong verify`, then `goyong repair`"
    )]
    DamagedLog {
        /// The table.
        table: TableName,
        /// The version.
        version: i64,
        /// What was found, as a verb phrase.
        problem: LogDamage,
    },
    /// Files of a set of versions are not what was written.
    #[error("{}: run `goyong verify`, then `goyong repair`", first_of(problems))]
    Unsound {
        /// Every damaged file.
        problems: Vec<VerifyProblem>,
    },
    /// The table or the version does not exist.
    #[error("table {table} has no version {version}: `goyong ls` shows what exists")]
    UnknownVersion {
        /// The table.
        table: TableName,
        /// The version asked for.
        version: i64,
    },
    /// There is no such release.
    #[error("no release `{id}`: `goyong releases ls` lists them")]
    UnknownRelease {
        /// The release asked for.
        id: String,
    },
    /// A backup that cannot be written or read.
    #[error("backup {location}: {problem}")]
    Backup {
        /// Where it is.
        location: String,
        /// What is wrong.
        problem: String,
    },
    /// A restore would write over a file.
    #[error("{} is in the way: restore into an empty folder", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A version whose files have left the disk.
    #[error("table {table} has no version {version} any more: it expired, use a newer one")]
    Expired {
        /// The table.
        table: TableName,
        /// The version asked for.
        version: i64,
    },
    /// A commit says something the ledger cannot accept.
    #[error("commit {version} of table {table} contradicts the ledger: {problem}")]
    Contradiction {
        /// The table.
        table: TableName,
        /// The version.
        version: i64,
        /// What does not fit.
        problem: String,
    },
    /// A background task ended without an answer.
    #[error("the {task} stopped unexpectedly: run the step again")]
    Stopped {
        /// The task.
        task: &'static str,
    },
}

/// What is wrong with a log entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogDamage {
    /// The entry is gone although the ledger knows it.
    #[error("is missing although the ledger has it")]
    Missing,
    /// The entry has no bytes.
    #[error("has zero length")]
    ZeroLength,
    /// The entry ends before its end.
    #[error("is torn ({found} of {expected} bytes)")]
    Torn {
        /// Bytes found.
        found: u64,
        /// Bytes recorded.
        expected: u64,
    },
    /// The entry's bytes are not those that were committed.
    #[error("differs from what was committed")]
    Altered,
    /// The entry is no valid JSON.
    #[error("is torn or no Delta commit ({0})")]
    Unreadable(String),
    /// Another program wrote it: its rows have no content hash and no ledger entry.
    #[error("was written by another program")]
    Foreign,
}

/// The first problem and how many more there are.
fn first_of(problems: &[VerifyProblem]) -> String {
    let first = problems
        .first()
        .map_or_else(String::new, ToString::to_string);
    match problems.len() {
        0 | 1 => first,
        more => format!("{first} and {} more files are damaged", more - 1),
    }
}

impl StoreError {
    /// Whether running the whole step again, on a fresh snapshot, can succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Locked { .. } | Self::Stopped { .. } => true,
            Self::Ledger { source, .. } => {
                matches!(source, sqlx::Error::PoolTimedOut)
                    || source.as_database_error().is_some_and(|error| {
                        // SQLITE_BUSY and SQLITE_LOCKED, extended codes included.
                        error
                            .code()
                            .and_then(|code| code.parse::<i64>().ok())
                            .is_some_and(|code| matches!(code & 0xff, 5 | 6))
                    })
            }
            _ => false,
        }
    }

    /// Whether a newer worker has taken the run over, so that this one shall end.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. })
    }

    /// Whether a lock is held by someone else (exit code 75).
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    pub(crate) fn io(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    pub(crate) fn ledger(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Ledger { operation, source }
    }

    pub(crate) fn delta<E>(operation: &'static str, table: &TableName) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let table = table.clone();
        move |source| Self::Delta {
            operation,
            table,
            source: Box::new(source),
        }
    }

    pub(crate) fn parquet(
        operation: &'static str,
        table: &TableName,
    ) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let table = table.clone();
        move |source| Self::Parquet {
            operation,
            table,
            source,
        }
    }
}
