use goyong_database::{DatabaseError, MigrationError};

/// Why something about a case was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The rules of cases do not allow it; nothing was written.
    #[error("{0}")]
    Refused(String),
    /// There is no such case.
    #[error("no case {0}; `goyong alerts ls` lists them")]
    NoCase(i64),
    /// The database did not do what it was asked.
    #[error("cannot {operation} in the state database")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: DatabaseError,
    },
    /// The schema was not brought forward.
    #[error("the cases in the state database cannot be used")]
    Schema(#[from] MigrationError),
    /// A stored text is not what was written there.
    #[error("what the state database holds of {what} cannot be read: run `goyong audit verify`")]
    Stored {
        /// Of what.
        what: String,
    },
}

impl CaseError {
    pub(crate) fn database(operation: &'static str) -> impl Fn(DatabaseError) -> Self + Copy {
        move |source| Self::Database { operation, source }
    }

    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Database { source, .. } if source.is_retryable())
    }
}
