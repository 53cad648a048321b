//! Every attempt of a step, for readers: the ledger's step itself knows the last one only.

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerRow, State, milliseconds};
use crate::error::{Result, SchedulerError};
use goyong_database::{DatabaseError, Statement, Transaction};

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// The step.
    pub step: String,
    /// From 1, over all times the run was taken up or retried.
    pub number: u32,
    /// How it ended.
    pub state: State,
    /// One word for why.
    pub reason: String,
    /// One line for people.
    pub detail: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or was seen to have; none while it runs.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// The attempts of a run's steps, in the order of their beginning.
    pub async fn attempts(&self, run_id: &str) -> Result<Vec<AttemptRow>> {
        let sql = "select step, number, state, reason, detail, started_at_ms, finished_at_ms \
             from scheduler_step_attempts where run_id = $1 order by started_at_ms, step, number";
        self.list("list the attempts of a run", sql, &[run_id.into()], |row| {
            Ok(AttemptRow {
                step: row.text(0)?,
                number: row.count(1)?,
                state: row.state(2)?,
                reason: row.text(3)?,
                detail: row.text(4)?,
                started_at: row.time(5)?,
                finished_at: row.optional_time(6)?,
            })
        })
        .await
    }

    /// How many occurrences of a plan were decided.
    pub async fn count_occurrences(&self, plan: &str) -> Result<u64> {
        let sql = "select count(*) from scheduler_occurrences where plan = $1";
        let rows = self
            .list("count the occurrences", sql, &[plan.into()], |row| {
                row.integer(0)
            })
            .await?;
        let count = rows.first().copied().unwrap_or_default();
        u64::try_from(count).map_err(|_| {
            SchedulerError::database("count the occurrences")(DatabaseError::Column(0))
        })
    }
}

/// Begins the next attempt of a step.
pub(super) fn begin(run_id: &str, step: &str, now: DateTime<Utc>) -> Statement {
    Statement {
        sql: "insert into scheduler_step_attempts (run_id, step, number, state, reason, detail, started_at_ms, \
              finished_at_ms) select $1, $2, coalesce(max(number), 0) + 1, 'running', '', '', $3, null \
              from scheduler_step_attempts where run_id = $1 and step = $2",
        values: vec![run_id.into(), step.into(), milliseconds(now).into()],
    }
}

/// Ends the attempt of a step that is under way; a step that has none stays as it is.
pub(super) fn end(
    run_id: &str,
    step: &str,
    (state, reason, detail): (State, &str, &str),
    now: DateTime<Utc>,
) -> Statement {
    Statement {
        sql: "update scheduler_step_attempts set state = $3, reason = $4, detail = $5, finished_at_ms = $6 \
              where run_id = $1 and step = $2 and finished_at_ms is null",
        values: vec![
            run_id.into(),
            step.into(),
            state.word().into(),
            reason.into(),
            detail.into(),
            milliseconds(now).into(),
        ],
    }
}

/// Ends every attempt of a run that is under way: its worker is gone.
pub(super) async fn end_all(
    transaction: &mut Transaction,
    run_id: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    transaction
        .execute(
            "update scheduler_step_attempts set state = 'cancelled', reason = $2, finished_at_ms = $3 \
             where run_id = $1 and finished_at_ms is null",
            &[run_id.into(), reason.into(), milliseconds(now).into()],
        )
        .await?;
    Ok(())
}
