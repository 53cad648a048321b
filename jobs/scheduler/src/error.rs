use goyong_database::DatabaseError;

/// What a plan, calendar or schedule says wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct Problem {
    /// The file as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what is meant, on one line.
    pub message: String,
}

/// An error of the scheduler. [`SchedulerError::is_retryable`] says whether trying again can help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// A plan or a calendar is written wrongly.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The database did not do what it was asked.
    #[error("cannot {operation} in the ledger of runs")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: DatabaseError,
    },
    /// Another version of this program has migrated the database.
    #[error(
        "the ledger of runs has schema {found}, this program knows {known}; use the newer program"
    )]
    NewerLedger {
        /// Migrations applied.
        found: i64,
        /// Migrations known here.
        known: i64,
    },
    /// A newer worker has taken the run over, or it was given up.
    #[error(
        "run {run} is no longer held under token {token}: another worker has taken it over; nothing was written"
    )]
    LeaseLost {
        /// The run.
        run: String,
        /// The token that is no longer valid.
        token: i64,
    },
    /// What was named does not exist.
    #[error("no {kind} `{name}`{hint}")]
    Unknown {
        /// Plan, run, step, pool or calendar.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// What to do, or the nearest name.
        hint: String,
    },
    /// The state of a run or plan does not allow it.
    #[error("{0}")]
    Refused(String),
}

/// The result of everything here that can fail.
pub type Result<T, E = SchedulerError> = std::result::Result<T, E>;

impl SchedulerError {
    pub(crate) fn database(operation: &'static str) -> impl Fn(DatabaseError) -> Self {
        move |source| Self::Database { operation, source }
    }

    pub(crate) fn unknown<'a>(
        kind: &'static str,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let hint = nearest(name, candidates).map_or_else(String::new, |nearest| {
            format!("; did you mean `{nearest}`?")
        });
        Self::Unknown {
            kind,
            name: name.to_owned(),
            hint,
        }
    }

    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Database { source, .. } if source.is_retryable())
    }

    /// Whether another worker holds the run now.
    pub fn is_lease_lost(&self) -> bool {
        matches!(self, Self::LeaseLost { .. })
    }
}

/// The candidate nearest to a misspelt name, when one is near enough to be meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (strsim::levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
