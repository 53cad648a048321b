//! The ledger for readers.

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerRow, State};
use crate::error::{Result, SchedulerError};
use crate::step::StepAccount;
use goyong_database::{DatabaseError, Row, Value};

/// A plan as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// Its name.
    pub plan: String,
    /// Every occurrence up to here has been decided.
    pub decided_through: DateTime<Utc>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why.
    pub pause_reason: String,
}

/// A time a plan was due, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccurrenceRow {
    /// The plan.
    pub plan: String,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// Where it came from: schedule, catchup, trigger or backfill.
    pub origin: String,
    /// Who asked for it; empty where a schedule brought it.
    pub requested_by: String,
    /// When it shall have succeeded.
    pub deadline: Option<DateTime<Utc>>,
    /// When it was seen not to have.
    pub deadline_missed_at: Option<DateTime<Utc>>,
    /// Its run; without one, why there is none.
    pub outcome: std::result::Result<RunRow, (String, String)>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its name.
    pub run_id: String,
    /// Its plan.
    pub plan: String,
    /// Its occurrence.
    pub scheduled_at: DateTime<Utc>,
    /// How it stands.
    pub state: State,
    /// One word for why.
    pub reason: String,
    /// One line for people.
    pub detail: String,
    /// How often it was taken up.
    pub attempt: u32,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// When a worker took it up first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who held it last, under which token, with the last heartbeat.
    pub lease: Option<(String, i64, DateTime<Utc>)>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Its name.
    pub step: String,
    /// How it stands.
    pub state: State,
    /// One word for why.
    pub reason: String,
    /// One line for people.
    pub detail: String,
    /// Attempts begun.
    pub attempt: u32,
    /// Not to be tried again before.
    pub not_before: Option<DateTime<Utc>>,
    /// When the last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it did, in figures; empty until it ended.
    pub account: StepAccount,
}

/// Columns of a run, as [`run_row`] reads them.
macro_rules! run_columns {
    () => {
        "r.run_id, r.plan, r.scheduled_at_ms, r.state, r.reason, r.detail, r.attempt, r.queued_at_ms, \
         r.started_at_ms, r.finished_at_ms, l.holder, l.token, l.heartbeat_at_ms"
    };
}

impl Ledger {
    /// Rows as they stand now, each read by `read`.
    pub(super) async fn list<T>(
        &self,
        operation: &'static str,
        sql: &'static str,
        values: &[Value],
        read: impl Fn(&Row) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>> {
        self.database
            .query(sql, values)
            .await
            .and_then(|rows| rows.iter().map(read).collect())
            .map_err(SchedulerError::database(operation))
    }

    /// The plans the ledger knows, by name.
    pub async fn plans(&self) -> Result<Vec<PlanRow>> {
        let sql = "select plan, decided_through_ms, paused_at_ms, pause_reason from scheduler_plans order by plan";
        self.list("list the plans", sql, &[], |row| {
            Ok(PlanRow {
                plan: row.text(0)?,
                decided_through: row.time(1)?,
                paused_at: row.optional_time(2)?,
                pause_reason: row.text(3)?,
            })
        })
        .await
    }

    /// Occurrences with their runs, newest first; of one plan or all, at most `limit`.
    pub async fn occurrences(&self, plan: Option<&str>, limit: u32) -> Result<Vec<OccurrenceRow>> {
        let sql = concat!(
            "select ",
            run_columns!(),
            ", o.plan, o.scheduled_at_ms, o.origin, o.deadline_missed_at_ms, o.reason, o.detail, o.deadline_ms, \
             o.requested_by \
             from scheduler_occurrences o \
             left join scheduler_runs r on r.plan = o.plan and r.scheduled_at_ms = o.scheduled_at_ms \
             left join scheduler_leases l on l.run_id = r.run_id \
             where $1 = '' or o.plan = $1 \
             order by o.scheduled_at_ms desc, o.plan limit $2"
        );
        let values = [plan.unwrap_or_default().into(), i64::from(limit).into()];
        self.list("list the runs", sql, &values, |row| {
            let is_run = !row.is_null(0);
            Ok(OccurrenceRow {
                plan: row.text(13)?,
                scheduled_at: row.time(14)?,
                origin: row.text(15)?,
                requested_by: row.text(20)?,
                deadline: row.optional_time(19)?,
                deadline_missed_at: row.optional_time(16)?,
                outcome: if is_run {
                    Ok(run_row(row)?)
                } else {
                    Err((row.text(17)?, row.text(18)?))
                },
            })
        })
        .await
    }

    /// A run by its name.
    pub async fn run(&self, run_id: &str) -> Result<RunRow> {
        let sql = concat!(
            "select ",
            run_columns!(),
            " from scheduler_runs r left join scheduler_leases l on l.run_id = r.run_id where r.run_id = $1"
        );
        let mut runs = self
            .list("look up a run", sql, &[run_id.into()], run_row)
            .await?;
        runs.pop().ok_or_else(|| SchedulerError::Unknown {
            kind: "run",
            name: run_id.to_owned(),
            hint: "; `runs ls` lists them".to_owned(),
        })
    }

    /// The newest run, of one plan or all.
    pub async fn newest_run(&self, plan: Option<&str>) -> Result<Option<RunRow>> {
        let sql = concat!(
            "select ",
            run_columns!(),
            " from scheduler_runs r left join scheduler_leases l on l.run_id = r.run_id \
             where $1 = '' or r.plan = $1 order by r.queued_at_ms desc, r.scheduled_at_ms desc limit 1"
        );
        let values = [plan.unwrap_or_default().into()];
        let mut runs = self
            .list("look up the newest run", sql, &values, run_row)
            .await?;
        Ok(runs.pop())
    }

    /// The newest successful run of a plan, by its end.
    pub async fn newest_success(&self, plan: &str) -> Result<Option<RunRow>> {
        let sql = concat!(
            "select ",
            run_columns!(),
            " from scheduler_runs r left join scheduler_leases l on l.run_id = r.run_id \
             where r.plan = $1 and r.state = 'success' order by r.finished_at_ms desc limit 1"
        );
        let mut runs = self
            .list("look up the newest success", sql, &[plan.into()], run_row)
            .await?;
        Ok(runs.pop())
    }

    /// The steps of a run, in order.
    pub async fn steps(&self, run_id: &str) -> Result<Vec<StepRow>> {
        let sql = "select step, state, reason, detail, attempt, not_before_ms, started_at_ms, finished_at_ms, account \
             from scheduler_step_runs where run_id = $1 order by position, step";
        self.list("list the steps of a run", sql, &[run_id.into()], |row| {
            Ok(StepRow {
                step: row.text(0)?,
                state: row.state(1)?,
                reason: row.text(2)?,
                detail: row.text(3)?,
                attempt: row.count(4)?,
                not_before: row.optional_time(5)?,
                started_at: row.optional_time(6)?,
                finished_at: row.optional_time(7)?,
                account: row.account(8)?,
            })
        })
        .await
    }
}

fn run_row(row: &Row) -> Result<RunRow, DatabaseError> {
    let lease = match row.optional_integer(11)? {
        Some(token) => Some((row.text(10)?, token, row.time(12)?)),
        None => None,
    };
    Ok(RunRow {
        run_id: row.text(0)?,
        plan: row.text(1)?,
        scheduled_at: row.time(2)?,
        state: row.state(3)?,
        reason: row.text(4)?,
        detail: row.text(5)?,
        attempt: row.count(6)?,
        queued_at: row.time(7)?,
        started_at: row.optional_time(8)?,
        finished_at: row.optional_time(9)?,
        lease,
    })
}
