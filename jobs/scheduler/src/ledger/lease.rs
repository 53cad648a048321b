//! Leases: who may commit a run, and everything a worker writes under one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::attempts;
use super::decide::{insert_step, request_cancel};
use super::tell::tell_of_progress;
use super::{Ledger, LedgerRow, State, account_text, after, commit, milliseconds, only};
use crate::error::{Result, SchedulerError};
use crate::plan::{Overlap, Plan};
use crate::step::StepAccount;
use goyong_database::{DatabaseError, Row, Statement, Transaction};

const CLAIM: &str = "take up a run";
const WRITE: &str = "write the progress of a run";
/// A step during which so many workers were lost is what kills them.
const MOST_WORKERS_LOST: u32 = 3;

/// The right to commit a run, until it expires or a newer token is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run_id: String,
    /// Larger than every token given before, for whichever run.
    pub token: i64,
}

/// A run that this worker has taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The right to commit it.
    pub lease: Lease,
    /// Its plan.
    pub plan: String,
    /// Its occurrence.
    pub scheduled_at: DateTime<Utc>,
    /// Where it came from: schedule, catchup, trigger or backfill.
    pub origin: String,
    /// How often it was taken up, this time included.
    pub attempt: u32,
    /// When the first worker took it up.
    pub started_at: DateTime<Utc>,
    /// Whether it was taken over from a worker that went silent.
    pub taken_over: bool,
    /// Until when the lease holds without a heartbeat.
    pub expires_at: DateTime<Utc>,
    /// Its steps, in the order of the plan.
    pub steps: Vec<StepProgress>,
}

/// How a step of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProgress {
    /// How it stands.
    pub state: State,
    /// Attempts begun.
    pub attempt: u32,
    /// Not to be tried again before.
    pub not_before: Option<DateTime<Utc>>,
}

/// What a worker writes of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepChange {
    /// The step.
    pub step: String,
    /// How it stands now.
    pub state: State,
    /// One word for why; empty when there is nothing to say.
    pub reason: &'static str,
    /// One line for people.
    pub detail: String,
    /// Attempts begun.
    pub attempt: u32,
    /// Not to be tried again before.
    pub not_before: Option<DateTime<Utc>>,
    /// What it did, in figures; empty until it ended.
    pub account: StepAccount,
}

/// What a worker learns when it renews its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Until when the lease holds now.
    pub expires_at: DateTime<Utc>,
    /// Why the run shall be cancelled, when it shall.
    pub cancel: Option<String>,
}

struct Candidate {
    run_id: String,
    plan: String,
    scheduled_at: DateTime<Utc>,
    state: State,
    attempt: u32,
    started_at: Option<DateTime<Utc>>,
    cancel_requested: bool,
    reason: String,
    origin: String,
}

impl Ledger {
    /// Takes up the oldest run that may begin, or goes on with one whose worker went silent. `only_run` names the
    /// one run to take up.
    pub async fn claim(
        &self,
        plans: &[&Plan],
        only_run: Option<&str>,
        holder: &str,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Claim>> {
        let error = SchedulerError::database(CLAIM);
        // Idle schedulers read only.
        if candidates(
            self.database
                .query(OPEN_RUNS, &[milliseconds(now).into()])
                .await,
        )
        .map_err(&error)?
        .is_empty()
        {
            return Ok(None);
        }
        let mut transaction = self.begin(CLAIM).await?;
        let claim = claim_within(&mut transaction, plans, only_run, holder, lease, now)
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)?;
        Ok(claim)
    }

    /// Renews a lease. Refused when the run was taken over.
    pub async fn heartbeat(
        &self,
        lease: &Lease,
        time: Duration,
        now: DateTime<Utc>,
    ) -> Result<Heartbeat> {
        let error = SchedulerError::database("renew a lease");
        let expires_at = after(now, time);
        let (transaction, rows) = self
            .begin_verified_with(
                lease,
                vec![
                    Statement {
                        sql: "update scheduler_leases set heartbeat_at_ms = $2, expires_at_ms = $3 where run_id = $1",
                        values: vec![
                            (&lease.run_id).into(),
                            milliseconds(now).into(),
                            milliseconds(expires_at).into(),
                        ],
                    },
                    Statement {
                        sql: "select cancel_requested_at_ms, reason from scheduler_runs where run_id = $1",
                        values: vec![(&lease.run_id).into()],
                    },
                ],
                "renew a lease",
            )
            .await?;
        let rows = rows.last().map(Vec::as_slice).unwrap_or_default();
        let row = only(rows).map_err(&error)?;
        let is_cancelled = row.optional_integer(0).map_err(&error)?.is_some();
        let reason = row.text(1).map_err(&error)?;
        commit(transaction).await.map_err(&error)?;
        Ok(Heartbeat {
            expires_at,
            cancel: is_cancelled.then_some(reason),
        })
    }

    /// A transaction of the ledger's database in which the lease holds until its end: what is written in it is
    /// committed by the run's only worker or not at all.
    pub async fn begin_verified(&self, lease: &Lease) -> Result<Transaction> {
        let verified = self.begin_verified_with(lease, Vec::new(), "verify a lease");
        Ok(verified.await?.0)
    }

    /// The same, with statements that are already run in it; answers the rows of each. When the lease is lost they are
    /// undone.
    async fn begin_verified_with(
        &self,
        lease: &Lease,
        mut statements: Vec<Statement>,
        operation: &'static str,
    ) -> Result<(Transaction, Vec<Vec<Row>>)> {
        let verify = Statement {
            sql: "select 1 from scheduler_leases l join scheduler_runs r on r.run_id = l.run_id \
                  where l.run_id = $1 and l.token = $2 and r.state = 'running'",
            values: vec![(&lease.run_id).into(), lease.token.into()],
        };
        statements.insert(0, verify);
        let (transaction, mut rows) = self
            .database
            .begin_with(&statements)
            .await
            .map_err(SchedulerError::database(operation))?;
        if rows.remove(0).is_empty() {
            return Err(SchedulerError::LeaseLost {
                run: lease.run_id.clone(),
                token: lease.token,
            });
        }
        Ok((transaction, rows))
    }

    /// Writes what became of steps, and of the run when it ended, in one transaction under the lease, with the notices
    /// that follow.
    pub async fn progress(
        &self,
        lease: &Lease,
        plan: &Plan,
        changes: &[StepChange],
        end: Option<(State, &'static str, &str)>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let error = SchedulerError::database(WRITE);
        let statements = progress(lease, changes, end, now).map_err(&error)?;
        let (mut transaction, _) = self.begin_verified_with(lease, statements, WRITE).await?;
        tell_of_progress(&mut transaction, plan, lease, changes, end, now)
            .await
            .map_err(&error)?;
        commit(transaction)
            .await
            .map_err(SchedulerError::database(WRITE))
    }

    /// Gives a run back unfinished, so that another worker may go on with it at once.
    pub async fn give_back(&self, lease: &Lease, now: DateTime<Utc>) -> Result<()> {
        let error = SchedulerError::database("give a run back");
        let mut transaction = self.begin_verified(lease).await?;
        transaction
            .execute(
                "update scheduler_step_runs set state = 'queued', reason = 'worker_stopped' \
                 where run_id = $1 and state = 'running'",
                &[(&lease.run_id).into()],
            )
            .await
            .map_err(&error)?;
        attempts::end_all(&mut transaction, &lease.run_id, "worker_stopped", now)
            .await
            .map_err(&error)?;
        transaction
            .execute(
                "update scheduler_leases set expires_at_ms = $2 where run_id = $1",
                &[(&lease.run_id).into(), milliseconds(now).into()],
            )
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)
    }
}

const OPEN_RUNS: &str = "select r.run_id, r.plan, r.scheduled_at_ms, r.state, r.attempt, r.started_at_ms, \
     r.cancel_requested_at_ms, r.reason, o.origin \
     from scheduler_runs r \
     join scheduler_occurrences o on o.plan = r.plan and o.scheduled_at_ms = r.scheduled_at_ms \
     left join scheduler_leases l on l.run_id = r.run_id \
     where r.state = 'queued' or (r.state = 'running' and (l.run_id is null or l.expires_at_ms <= $1)) \
     order by r.scheduled_at_ms, r.plan";

fn candidates(rows: Result<Vec<Row>, DatabaseError>) -> Result<Vec<Candidate>, DatabaseError> {
    rows?
        .iter()
        .map(|row| {
            Ok(Candidate {
                run_id: row.text(0)?,
                plan: row.text(1)?,
                scheduled_at: row.time(2)?,
                state: row.state(3)?,
                attempt: row.count(4)?,
                started_at: row.optional_time(5)?,
                cancel_requested: row.optional_integer(6)?.is_some(),
                reason: row.text(7)?,
                origin: row.text(8)?,
            })
        })
        .collect()
}

async fn claim_within(
    transaction: &mut Transaction,
    plans: &[&Plan],
    only_run: Option<&str>,
    holder: &str,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Option<Claim>, DatabaseError> {
    let open = candidates(
        transaction
            .query(OPEN_RUNS, &[milliseconds(now).into()])
            .await,
    )?;
    for candidate in open {
        let Some(plan) = plans.iter().find(|plan| plan.name == candidate.plan) else {
            continue;
        };
        if only_run.is_some_and(|run_id| run_id != candidate.run_id) {
            continue;
        }
        if candidate.cancel_requested {
            end_cancelled(transaction, &candidate, now).await?;
            continue;
        }
        if plan.overlap != Overlap::Allow && is_busy(transaction, &candidate).await? {
            continue;
        }
        return take_up(transaction, plan, candidate, holder, lease, now)
            .await
            .map(Some);
    }
    Ok(None)
}

/// A worker that was told to stop and died before it could.
async fn end_cancelled(
    transaction: &mut Transaction,
    candidate: &Candidate,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let reason: &'static str = if candidate.reason == "replaced" {
        "replaced"
    } else {
        "cancelled"
    };
    transaction
        .execute(
            "update scheduler_runs set state = 'queued' where run_id = $1",
            &[(&candidate.run_id).into()],
        )
        .await?;
    transaction
        .execute(
            "update scheduler_step_runs set state = 'queued' where run_id = $1 and state = 'running'",
            &[(&candidate.run_id).into()],
        )
        .await?;
    attempts::end_all(transaction, &candidate.run_id, reason, now).await?;
    request_cancel(transaction, &candidate.run_id, reason, now).await
}

/// Whether another run of the plan is under way, or an older one waits.
async fn is_busy(
    transaction: &mut Transaction,
    candidate: &Candidate,
) -> Result<bool, DatabaseError> {
    let others = transaction
        .query(
            "select 1 from scheduler_runs where plan = $1 and run_id <> $2 \
             and (state = 'running' or (state = 'queued' and scheduled_at_ms < $3)) limit 1",
            &[
                (&candidate.plan).into(),
                (&candidate.run_id).into(),
                milliseconds(candidate.scheduled_at).into(),
            ],
        )
        .await?;
    Ok(!others.is_empty())
}

async fn take_up(
    transaction: &mut Transaction,
    plan: &Plan,
    candidate: Candidate,
    holder: &str,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Claim, DatabaseError> {
    let run_id = candidate.run_id;
    transaction
        .execute(
            "update scheduler_tokens set last = last + 1 where name = 'lease'",
            &[],
        )
        .await?;
    let rows = transaction
        .query(
            "select last from scheduler_tokens where name = 'lease'",
            &[],
        )
        .await?;
    let token = only(&rows)?.integer(0)?;
    let expires_at = after(now, lease);
    transaction
        .execute(
            "insert into scheduler_leases (run_id, token, holder, acquired_at_ms, heartbeat_at_ms, expires_at_ms) \
             values ($1, $2, $3, $4, $4, $5) on conflict (run_id) do update set token = excluded.token, \
             holder = excluded.holder, acquired_at_ms = excluded.acquired_at_ms, \
             heartbeat_at_ms = excluded.heartbeat_at_ms, expires_at_ms = excluded.expires_at_ms",
            &[
                (&run_id).into(),
                token.into(),
                holder.into(),
                milliseconds(now).into(),
                milliseconds(expires_at).into(),
            ],
        )
        .await?;
    let started_at = candidate.started_at.unwrap_or(now);
    transaction
        .execute(
            "update scheduler_runs set state = 'running', reason = '', detail = '', attempt = attempt + 1, \
             started_at_ms = $2, finished_at_ms = null where run_id = $1",
            &[(&run_id).into(), milliseconds(started_at).into()],
        )
        .await?;
    attempts::end_all(transaction, &run_id, "worker_lost", now).await?;
    let steps = resumed_steps(transaction, plan, &run_id).await?;
    Ok(Claim {
        lease: Lease { run_id, token },
        plan: candidate.plan,
        scheduled_at: candidate.scheduled_at,
        origin: candidate.origin,
        attempt: candidate.attempt + 1,
        started_at,
        taken_over: candidate.state == State::Running,
        expires_at,
        steps,
    })
}

/// The steps as the plan has them now. What had succeeded stays; what a lost worker was at is done again.
async fn resumed_steps(
    transaction: &mut Transaction,
    plan: &Plan,
    run_id: &str,
) -> Result<Vec<StepProgress>, DatabaseError> {
    transaction
        .execute(
            "update scheduler_step_runs set workers_lost = workers_lost + 1, reason = 'worker_lost', \
             state = case when workers_lost + 1 >= $2 then 'failed' else 'queued' end \
             where run_id = $1 and state = 'running'",
            &[run_id.into(), i64::from(MOST_WORKERS_LOST).into()],
        )
        .await?;
    for (position, step) in (1i64..).zip(&plan.steps) {
        insert_step(transaction, run_id, &step.name, position).await?;
    }
    let rows = transaction
        .query(
            "select step, state, attempt, not_before_ms from scheduler_step_runs where run_id = $1",
            &[run_id.into()],
        )
        .await?;
    let mut steps = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        for row in &rows {
            if row.text(0)? == step.name {
                steps.push(StepProgress {
                    state: row.state(1)?,
                    attempt: row.count(2)?,
                    not_before: row.optional_time(3)?,
                });
            }
        }
    }
    for row in &rows {
        let name = row.text(0)?;
        if !row.state(1)?.is_final() && !plan.steps.iter().any(|step| step.name == name) {
            transaction
                .execute(
                    "update scheduler_step_runs set state = 'skipped', reason = 'not_in_plan' \
                     where run_id = $1 and step = $2",
                    &[run_id.into(), (&name).into()],
                )
                .await?;
        }
    }
    Ok(steps)
}

/// What a worker writes of steps, and of the run when it ended.
fn progress(
    lease: &Lease,
    changes: &[StepChange],
    end: Option<(State, &'static str, &str)>,
    now: DateTime<Utc>,
) -> Result<Vec<Statement>, DatabaseError> {
    let at = milliseconds(now);
    let run_id = &lease.run_id;
    let mut statements = Vec::with_capacity(changes.len() * 2 + 2);
    for change in changes {
        let is_running = change.state == State::Running;
        let has_ended = !is_running && change.state != State::Queued;
        statements.push(Statement {
            sql: "update scheduler_step_runs set state = $3, reason = $4, detail = $5, attempt = $6, \
                  not_before_ms = $7, started_at_ms = coalesce($8, started_at_ms), finished_at_ms = $9, account = $10 \
                  where run_id = $1 and step = $2",
            values: vec![
                run_id.into(),
                (&change.step).into(),
                change.state.word().into(),
                change.reason.into(),
                (&change.detail).into(),
                i64::from(change.attempt).into(),
                change.not_before.map(milliseconds).into(),
                is_running.then_some(at).into(),
                has_ended.then_some(at).into(),
                account_text(&change.account)?.as_str().into(),
            ],
        });
        if is_running {
            statements.push(attempts::begin(run_id, &change.step, now));
        } else if has_ended {
            let end = (change.state, change.reason, change.detail.as_str());
            statements.push(attempts::end(run_id, &change.step, end, now));
        }
    }
    if let Some((state, reason, detail)) = end {
        statements.push(Statement {
            sql: "update scheduler_runs set state = $2, reason = $3, detail = $4, finished_at_ms = $5 \
                  where run_id = $1",
            values: vec![
                run_id.into(),
                state.word().into(),
                reason.into(),
                detail.into(),
                at.into(),
            ],
        });
    }
    Ok(statements)
}
