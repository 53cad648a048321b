//! The ledger of plans, occurrences, runs, steps and leases.
//!
//! Every change is one transaction that has the writer's place from its first statement, so a decision still holds
//! when it is written, however many schedulers there are.

mod attempts;
mod decide;
mod expire;
#[cfg(test)]
pub(crate) mod faults;
mod lease;
mod list;
mod operate;
mod tell;
mod watch;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use attempts::AttemptRow;
pub use decide::MissedDeadline;
pub use expire::{OldOccurrence, OldRun};
pub use lease::{Claim, Heartbeat, Lease, StepChange, StepProgress};
pub use list::{OccurrenceRow, PlanRow, RunRow, StepRow};
pub use operate::Triggered;
pub(crate) use tell::SIGN_OF_LIFE;
pub use watch::{LedgerFigures, ProcessRow, UndeliveredRow};

use crate::error::{Result, SchedulerError};
use crate::step::StepAccount;
use goyong_database::{
    Database, DatabaseError, Location, Migration, MigrationError, Migrations, Row, Transaction,
};

/// The schema, forward only.
const MIGRATIONS: Migrations = Migrations {
    make_table: "create table if not exists scheduler_migrations (number bigint primary key)",
    newest: "select coalesce(max(number), 0) from scheduler_migrations",
    count: "insert into scheduler_migrations (number) values ($1)",
    steps: &[
        Migration::Same(include_str!("0001_plans_and_runs.sql")),
        Migration::Same(include_str!("0002_accounts_of_steps.sql")),
        Migration::Same(include_str!("0003_attempts_of_steps.sql")),
        Migration::Same(include_str!("0004_notices_and_processes.sql")),
        Migration::Same(include_str!("0005_expired_occurrences.sql")),
    ],
};

/// How a run or a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for a worker, a pool or other steps.
    Queued,
    /// A worker is at it.
    Running,
    /// It is done.
    Success,
    /// It failed and will not be tried again by itself.
    Failed,
    /// It failed and is tried again later.
    UpForRetry,
    /// It is not run, on purpose.
    Skipped,
    /// A step it needs failed.
    UpstreamFailed,
    /// Somebody cancelled it.
    Cancelled,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::UpForRetry,
        Self::Skipped,
        Self::UpstreamFailed,
        Self::Cancelled,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::UpForRetry => "up_for_retry",
            Self::Skipped => "skipped",
            Self::UpstreamFailed => "upstream_failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::UpForRetry)
    }
}

/// The ledger in its database.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) database: Database,
}

impl Ledger {
    /// Opens the ledger, makes it where it is not there, and applies the migrations it lacks.
    pub async fn open(location: &Location) -> Result<Self> {
        let error = SchedulerError::database("open");
        let ledger = Self {
            database: Database::open(location).await.map_err(error)?,
        };
        ledger.migrate().await?;
        Ok(ledger)
    }

    async fn migrate(&self) -> Result<()> {
        match self.database.migrate(&MIGRATIONS).await {
            Ok(()) => Ok(()),
            Err(MigrationError::Newer { found, known }) => {
                Err(SchedulerError::NewerLedger { found, known })
            }
            Err(MigrationError::Database(source)) => {
                Err(SchedulerError::database("migrate")(source))
            }
        }
    }

    /// Closes the connections. Optional; a crash instead loses nothing.
    pub async fn close(&self) {
        self.database.close().await;
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Transaction> {
        let error = SchedulerError::database(operation);
        self.database.begin().await.map_err(error)
    }
}

fn only(rows: &[Row]) -> Result<&Row, DatabaseError> {
    rows.first().ok_or(DatabaseError::Column(0))
}

/// An account as it is kept: JSON, nothing where it says nothing.
fn account_text(account: &StepAccount) -> Result<String, DatabaseError> {
    if account.is_empty() {
        return Ok(String::new());
    }
    Ok(serde_json::to_string(account)?)
}

fn milliseconds(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn after(at: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(time)
        .ok()
        .and_then(|time| at.checked_add_signed(time))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Commits, unless a test made it fail.
async fn commit(transaction: Transaction) -> Result<(), DatabaseError> {
    #[cfg(test)]
    let fault = faults::before_commit().await?;
    transaction.commit().await?;
    #[cfg(test)]
    faults::after_commit(fault)?;
    Ok(())
}

/// What the columns of the ledger hold besides numbers and texts.
trait LedgerRow {
    fn state(&self, column: usize) -> Result<State, DatabaseError>;
    fn account(&self, column: usize) -> Result<StepAccount, DatabaseError>;
}

impl LedgerRow for Row {
    fn state(&self, column: usize) -> Result<State, DatabaseError> {
        let word = self.text(column)?;
        State::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or(DatabaseError::Column(column))
    }

    fn account(&self, column: usize) -> Result<StepAccount, DatabaseError> {
        match self.text(column)?.as_str() {
            "" => Ok(StepAccount::default()),
            text => Ok(serde_json::from_str(text)?),
        }
    }
}
