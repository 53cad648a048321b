//! The ledger in figures, for whoever watches the scheduler.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerRow, State, milliseconds};
use crate::error::{Result, SchedulerError};

/// Steps among which figures are looked for, newest first.
const STEPS_LOOKED_AT: i64 = 60;

/// Counts over everything the ledger knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFigures {
    /// Runs by plan and state.
    pub runs: Vec<(String, State, i64)>,
    /// Occurrences by plan and reason; the reason is empty for those that were run.
    pub occurrences: Vec<(String, String, i64)>,
    /// Missed deadlines by plan.
    pub deadlines_missed: Vec<(String, i64)>,
    /// Last heartbeats of the runs under way, by plan.
    pub heartbeats: Vec<(String, DateTime<Utc>)>,
    /// Notices by kind: waiting, delivered, given up.
    pub notices: Vec<(String, i64, i64, i64)>,
}

/// A process that schedules or scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// Its name: machine, process number, a number by chance.
    pub holder: String,
    /// When it was first seen.
    pub started_at: DateTime<Utc>,
    /// When it was last seen to turn.
    pub seen_at: DateTime<Utc>,
    /// When it ended by itself; one that was killed has not.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A notice that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeliveredRow {
    /// What it tells.
    pub kind: String,
    /// The plan.
    pub plan: String,
    /// Who is told.
    pub target: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether no more attempts are made.
    pub is_given_up: bool,
    /// Why the last attempt failed.
    pub last_error: String,
}

impl Ledger {
    /// Counts of runs, occurrences, deadlines and notices, and the heartbeats.
    pub async fn figures(&self) -> Result<LedgerFigures> {
        let operation = "count runs";
        let runs = "select plan, state, count(*) from scheduler_runs group by plan, state order by plan, state";
        // Those that were forgotten count on: what only grows must not shrink.
        let occurrences = "select plan, reason, cast(sum(counted) as bigint) from ( \
               select plan, reason, count(*) as counted from scheduler_occurrences group by plan, reason \
               union all select plan, reason, occurrences from scheduler_expired_occurrences \
             ) as occurred group by plan, reason order by plan, reason";
        let deadlines = "select plan, cast(sum(counted) as bigint) from ( \
               select plan, count(*) as counted from scheduler_occurrences \
               where deadline_missed_at_ms is not null group by plan \
               union all select plan, deadlines_missed from scheduler_expired_occurrences where deadlines_missed > 0 \
             ) as missed group by plan order by plan";
        let heartbeats = "select r.plan, l.heartbeat_at_ms from scheduler_runs r \
             join scheduler_leases l on l.run_id = r.run_id where r.state = 'running' order by r.plan";
        let notices = "select kind, \
             count(case when delivered_at_ms is null and given_up_at_ms is null then 1 end), \
             count(delivered_at_ms), count(given_up_at_ms) from scheduler_notices group by kind order by kind";
        Ok(LedgerFigures {
            runs: self
                .list(operation, runs, &[], |row| {
                    Ok((row.text(0)?, row.state(1)?, row.integer(2)?))
                })
                .await?,
            occurrences: self
                .list(operation, occurrences, &[], |row| {
                    Ok((row.text(0)?, row.text(1)?, row.integer(2)?))
                })
                .await?,
            deadlines_missed: self
                .list(operation, deadlines, &[], |row| {
                    Ok((row.text(0)?, row.integer(1)?))
                })
                .await?,
            heartbeats: self
                .list(operation, heartbeats, &[], |row| {
                    Ok((row.text(0)?, row.time(1)?))
                })
                .await?,
            notices: self
                .list(operation, notices, &[], |row| {
                    Ok((
                        row.text(0)?,
                        row.integer(1)?,
                        row.integer(2)?,
                        row.integer(3)?,
                    ))
                })
                .await?,
        })
    }

    /// Processes seen since an instant, the newest sign of life first.
    pub async fn processes(&self, since: DateTime<Utc>) -> Result<Vec<ProcessRow>> {
        let sql = "select holder, started_at_ms, seen_at_ms, ended_at_ms from scheduler_processes \
             where seen_at_ms >= $1 order by seen_at_ms desc, holder";
        self.list(
            "list the processes",
            sql,
            &[milliseconds(since).into()],
            |row| {
                Ok(ProcessRow {
                    holder: row.text(0)?,
                    started_at: row.time(1)?,
                    seen_at: row.time(2)?,
                    ended_at: row.optional_time(3)?,
                })
            },
        )
        .await
    }

    /// Notices that were not delivered, oldest first.
    pub async fn undelivered(&self) -> Result<Vec<UndeliveredRow>> {
        let sql = "select kind, plan, target, decided_at_ms, attempts, given_up_at_ms, last_error \
             from scheduler_notices where delivered_at_ms is null order by decided_at_ms, notice";
        self.list("list the notices", sql, &[], |row| {
            Ok(UndeliveredRow {
                kind: row.text(0)?,
                plan: row.text(1)?,
                target: row.text(2)?,
                decided_at: row.time(3)?,
                attempts: row.count(4)?,
                is_given_up: row.optional_integer(5)?.is_some(),
                last_error: row.text(6)?,
            })
        })
        .await
    }

    /// Each figure of the parts whose names begin with a prefix, as the newest step that told it says, by part.
    pub async fn newest_parts(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
        let sql = "select account from scheduler_step_runs where account like $1 \
             order by finished_at_ms desc limit $2";
        let like = format!("%\"{prefix}%");
        let values = [(&like).into(), STEPS_LOOKED_AT.into()];
        let accounts = self
            .list("look up figures", sql, &values, |row| row.account(0))
            .await?;
        let mut parts: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for account in accounts {
            for (part, figures) in account.parts {
                if !part.starts_with(prefix) {
                    continue;
                }
                let known = parts.entry(part).or_default();
                for (figure, value) in figures {
                    known.entry(figure).or_insert(value);
                }
            }
        }
        Ok(parts)
    }

    /// What the database's clock shows, where it has one of its own.
    pub async fn database_time(&self) -> Result<Option<DateTime<Utc>>> {
        self.database
            .time()
            .await
            .map_err(SchedulerError::database("ask for the time"))
    }
}
