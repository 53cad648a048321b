//! Forgets what was recorded long ago.

use chrono::{DateTime, Utc};

use super::{Ledger, commit, milliseconds};
use crate::error::{Result, SchedulerError};
use goyong_database::{DatabaseError, Transaction};

const FORGET: &str = "forget old runs";
/// Occurrences that are forgotten in one transaction, so that no scheduler waits long.
const FORGOTTEN_TOGETHER: usize = 100;

/// An occurrence that may be forgotten: its run has ended, or it had none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldOccurrence {
    /// The plan.
    pub plan: String,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// Its run.
    pub run: Option<OldRun>,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldRun {
    /// Its name.
    pub run_id: String,
    /// When a worker took it up first; none when it was cancelled before.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

impl Ledger {
    /// Occurrences that ended, or were decided not to be run, before a moment. None that could be decided anew.
    pub async fn ended_before(&self, before: DateTime<Utc>) -> Result<Vec<OldOccurrence>> {
        let sql = "select o.plan, o.scheduled_at_ms, r.run_id, r.started_at_ms, r.finished_at_ms \
             from scheduler_occurrences o join scheduler_plans p on p.plan = o.plan \
             left join scheduler_runs r on r.plan = o.plan and r.scheduled_at_ms = o.scheduled_at_ms \
             where (o.scheduled_at_ms <= p.decided_through_ms or o.origin in ('trigger', 'backfill')) \
               and ((r.run_id is null and o.decided_at_ms < $1) \
                 or (r.state in ('success', 'failed', 'cancelled') and r.finished_at_ms < $1)) \
             order by o.scheduled_at_ms, o.plan";
        let values = [milliseconds(before).into()];
        self.list("look for old runs", sql, &values, |row| {
            let run = match row.optional_time(4)? {
                Some(finished_at) => Some(OldRun {
                    run_id: row.text(2)?,
                    started_at: row.optional_time(3)?,
                    finished_at,
                }),
                None => None,
            };
            Ok(OldOccurrence {
                plan: row.text(0)?,
                scheduled_at: row.time(1)?,
                run,
            })
        })
        .await
    }

    /// Forgets such occurrences with their runs, steps and attempts. One whose run was retried meanwhile stays. Notices
    /// and tokens stay: what was told is not told again, and no token is given twice.
    pub async fn forget(&self, old: &[OldOccurrence]) -> Result<()> {
        let error = SchedulerError::database(FORGET);
        for some in old.chunks(FORGOTTEN_TOGETHER) {
            let mut transaction = self.begin(FORGET).await?;
            for occurrence in some {
                forget(&mut transaction, occurrence).await.map_err(&error)?;
            }
            commit(transaction).await.map_err(&error)?;
        }
        Ok(())
    }

    /// The names of all runs.
    pub async fn run_ids(&self) -> Result<Vec<String>> {
        let sql = "select run_id from scheduler_runs order by run_id";
        self.list("list the runs", sql, &[], |row| row.text(0))
            .await
    }
}

async fn forget(
    transaction: &mut Transaction,
    occurrence: &OldOccurrence,
) -> Result<(), DatabaseError> {
    let key = [
        (&occurrence.plan).into(),
        milliseconds(occurrence.scheduled_at).into(),
    ];
    if let Some(run) = &occurrence.run {
        let id = [(&run.run_id).into()];
        let unchanged = transaction
            .query(
                "select 1 from scheduler_runs where run_id = $1 and finished_at_ms = $2",
                &[(&run.run_id).into(), milliseconds(run.finished_at).into()],
            )
            .await?;
        if unchanged.is_empty() {
            return Ok(());
        }
        for sql in [
            "delete from scheduler_step_attempts where run_id = $1",
            "delete from scheduler_step_runs where run_id = $1",
            "delete from scheduler_leases where run_id = $1",
            "delete from scheduler_runs where run_id = $1",
        ] {
            transaction.execute(sql, &id).await?;
        }
    }
    transaction
        .execute(
            "insert into scheduler_expired_occurrences (plan, reason, occurrences, deadlines_missed) \
             select plan, reason, 1, case when deadline_missed_at_ms is null then 0 else 1 end \
             from scheduler_occurrences where plan = $1 and scheduled_at_ms = $2 \
             on conflict (plan, reason) do update set \
             occurrences = scheduler_expired_occurrences.occurrences + 1, \
             deadlines_missed = scheduler_expired_occurrences.deadlines_missed + excluded.deadlines_missed",
            &key,
        )
        .await?;
    transaction
        .execute(
            "delete from scheduler_occurrences where plan = $1 and scheduled_at_ms = $2",
            &key,
        )
        .await?;
    Ok(())
}
