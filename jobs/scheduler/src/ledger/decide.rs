//! What becomes of occurrences, written down.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::tell::{Fact, tell};
use super::{Ledger, commit, milliseconds, only};
use crate::calendar::Calendar;
use crate::due::{Due, History, NotRun, Verdict, due};
use crate::error::{Result, SchedulerError};
use crate::notice::NoticeKind;
use crate::plan::Plan;
use goyong_database::{DatabaseError, Transaction};

const DECIDE: &str = "decide what is due";

/// A run that should have succeeded by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedDeadline {
    /// The plan.
    pub plan: String,
    /// The occurrence.
    pub scheduled_at: DateTime<Utc>,
    /// When it should have succeeded.
    pub deadline: DateTime<Utc>,
    /// How its run stands, or why there is none.
    pub standing: String,
}

impl Ledger {
    /// Decides every occurrence of a plan that is due and writes it down, with the runs that follow. A plan seen
    /// for the first time begins now.
    pub async fn decide(
        &self,
        plan: &Plan,
        calendar: Option<&Calendar>,
        now: DateTime<Utc>,
    ) -> Result<Due> {
        let mut transaction = self.begin(DECIDE).await?;
        let decided = self
            .decide_within(&mut transaction, plan, calendar, now)
            .await
            .map_err(SchedulerError::database(DECIDE))?;
        commit(transaction)
            .await
            .map_err(SchedulerError::database(DECIDE))?;
        Ok(decided)
    }

    async fn decide_within(
        &self,
        transaction: &mut Transaction,
        plan: &Plan,
        calendar: Option<&Calendar>,
        now: DateTime<Utc>,
    ) -> Result<Due, DatabaseError> {
        register(transaction, plan, now).await?;
        let history = history(transaction, plan).await?;
        let decided = due(plan, &history, calendar, now);
        for decision in &decided.decisions {
            let occurrence = NewOccurrence {
                scheduled_at: decision.scheduled_at,
                run_at: decision.run_at,
                requested_by: "",
                origin: match &decision.verdict {
                    Verdict::Run { late: true } => "catchup",
                    Verdict::Run { late: false } | Verdict::NotRun(_) => "schedule",
                },
                not_run: match &decision.verdict {
                    Verdict::Run { .. } => None,
                    Verdict::NotRun(reason) => Some(reason),
                },
            };
            insert_occurrence(transaction, plan, &occurrence, now).await?;
        }
        for scheduled_at in &decided.replaced {
            request_cancel(transaction, &plan.run_id(*scheduled_at), "replaced", now).await?;
        }
        transaction
            .execute(
                "update scheduler_plans set decided_through_ms = $2 where plan = $1",
                &[
                    (&plan.name).into(),
                    milliseconds(decided.decided_through).into(),
                ],
            )
            .await?;
        Ok(decided)
    }

    /// Marks the deadlines that have passed without success, with the notices that follow, and answers those not marked
    /// before.
    pub async fn miss_deadlines(
        &self,
        plans: &[&Plan],
        now: DateTime<Utc>,
    ) -> Result<Vec<MissedDeadline>> {
        let error = SchedulerError::database("look for missed deadlines");
        let missed = "select o.plan, o.scheduled_at_ms, o.deadline_ms, coalesce(r.state, o.reason) \
             from scheduler_occurrences o \
             left join scheduler_runs r on r.plan = o.plan and r.scheduled_at_ms = o.scheduled_at_ms \
             where o.deadline_ms <= $1 and o.deadline_missed_at_ms is null \
               and (r.state is null or r.state <> 'success' or r.finished_at_ms > o.deadline_ms) \
             order by o.deadline_ms, o.plan";
        let parameters = [milliseconds(now).into()];
        // Nearly always there is none; then nobody is kept from writing.
        if self
            .database
            .query(missed, &parameters)
            .await
            .map_err(&error)?
            .is_empty()
        {
            return Ok(Vec::new());
        }
        let mut transaction = self.database.begin().await.map_err(&error)?;
        let mut found = Vec::new();
        for row in transaction
            .query(missed, &parameters)
            .await
            .map_err(&error)?
        {
            let deadline = MissedDeadline {
                plan: row.text(0).map_err(&error)?,
                scheduled_at: row.time(1).map_err(&error)?,
                deadline: row.time(2).map_err(&error)?,
                standing: row.text(3).map_err(&error)?,
            };
            transaction
                .execute(
                    "update scheduler_occurrences set deadline_missed_at_ms = $3 \
                     where plan = $1 and scheduled_at_ms = $2",
                    &[
                        (&deadline.plan).into(),
                        milliseconds(deadline.scheduled_at).into(),
                        milliseconds(now).into(),
                    ],
                )
                .await
                .map_err(&error)?;
            if let Some(plan) = plans.iter().find(|plan| plan.name == deadline.plan) {
                tell_of_deadline(&mut transaction, plan, &deadline, now)
                    .await
                    .map_err(&error)?;
            }
            found.push(deadline);
        }
        commit(transaction).await.map_err(&error)?;
        Ok(found)
    }
}

async fn tell_of_deadline(
    transaction: &mut Transaction,
    plan: &Plan,
    missed: &MissedDeadline,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let fact = Fact {
        kind: NoticeKind::DeadlineMissed,
        key: &format!("{}:{}", plan.name, milliseconds(missed.scheduled_at)),
        scheduled_at: missed.scheduled_at,
        run_id: None,
        facts: BTreeMap::from([
            ("deadline", missed.deadline.to_rfc3339()),
            ("standing", missed.standing.clone()),
        ]),
    };
    let everybody = plan.notify.iter().map(String::as_str);
    tell(transaction, &plan.name, everybody, &fact, now).await
}

pub(super) async fn register(
    transaction: &mut Transaction,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    transaction
        .execute(
            "insert into scheduler_plans (plan, decided_through_ms, paused_at_ms, pause_reason) \
             values ($1, $2, null, '') on conflict (plan) do nothing",
            &[(&plan.name).into(), milliseconds(now).into()],
        )
        .await?;
    Ok(())
}

async fn history(transaction: &mut Transaction, plan: &Plan) -> Result<History, DatabaseError> {
    let rows = transaction
        .query(
            "select decided_through_ms, paused_at_ms from scheduler_plans where plan = $1",
            &[(&plan.name).into()],
        )
        .await?;
    let row = only(&rows)?;
    let decided_through = row.time(0)?;
    let paused_since = row.optional_time(1)?;
    let decided = transaction
        .query(
            "select scheduled_at_ms from scheduler_occurrences where plan = $1 and scheduled_at_ms > $2",
            &[(&plan.name).into(), milliseconds(decided_through).into()],
        )
        .await?;
    let active = transaction
        .query(
            "select scheduled_at_ms from scheduler_runs \
             where plan = $1 and state in ('queued', 'running', 'up_for_retry')",
            &[(&plan.name).into()],
        )
        .await?;
    Ok(History {
        decided_through,
        decided: decided
            .iter()
            .map(|row| row.time(0))
            .collect::<Result<_, _>>()?,
        paused_since,
        active: active
            .iter()
            .map(|row| row.time(0))
            .collect::<Result<_, _>>()?,
    })
}

/// An occurrence as it is written down.
pub(super) struct NewOccurrence<'a> {
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) run_at: DateTime<Utc>,
    pub(super) origin: &'static str,
    pub(super) requested_by: &'a str,
    pub(super) not_run: Option<&'a NotRun>,
}

/// Writes an occurrence and its run. Answers false, and changes nothing, when it is there already.
pub(super) async fn insert_occurrence(
    transaction: &mut Transaction,
    plan: &Plan,
    occurrence: &NewOccurrence<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let is_run = occurrence.not_run.is_none();
    let is_awaited = occurrence.not_run.is_none_or(NotRun::misses_deadline);
    let deadline = plan.deadline_of(occurrence.run_at).filter(|_| is_awaited);
    let written = transaction
        .execute(
            "insert into scheduler_occurrences (plan, scheduled_at_ms, origin, run_at_ms, decision, reason, \
             detail, decided_at_ms, deadline_ms, requested_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             on conflict (plan, scheduled_at_ms) do nothing",
            &[
                (&plan.name).into(),
                milliseconds(occurrence.scheduled_at).into(),
                occurrence.origin.into(),
                milliseconds(occurrence.run_at).into(),
                if is_run { "run" } else { "not_run" }.into(),
                occurrence.not_run.map_or("", NotRun::code).into(),
                (&occurrence.not_run.map_or_else(String::new, NotRun::detail)).into(),
                milliseconds(now).into(),
                deadline.map(milliseconds).into(),
                occurrence.requested_by.into(),
            ],
        )
        .await?;
    if written == 0 || !is_run {
        return Ok(written > 0);
    }
    let run_id = plan.run_id(occurrence.scheduled_at);
    transaction
        .execute(
            "insert into scheduler_runs (run_id, plan, scheduled_at_ms, state, reason, detail, attempt, queued_at_ms) \
             values ($1, $2, $3, 'queued', '', '', 0, $4)",
            &[
                (&run_id).into(),
                (&plan.name).into(),
                milliseconds(occurrence.scheduled_at).into(),
                milliseconds(now).into(),
            ],
        )
        .await?;
    for (position, step) in (1i64..).zip(&plan.steps) {
        insert_step(transaction, &run_id, &step.name, position).await?;
    }
    Ok(true)
}

/// Writes a step of a run; one that is there stays as it is.
pub(super) async fn insert_step(
    transaction: &mut Transaction,
    run_id: &str,
    step: &str,
    position: i64,
) -> Result<(), DatabaseError> {
    transaction
        .execute(
            "insert into scheduler_step_runs (run_id, step, position, state, reason, detail, attempt, workers_lost) \
             values ($1, $2, $3, 'queued', '', '', 0, 0) on conflict (run_id, step) do nothing",
            &[run_id.into(), step.into(), position.into()],
        )
        .await?;
    Ok(())
}

/// A run that nobody holds is cancelled at once; a worker learns of it with its next heartbeat.
pub(super) async fn request_cancel(
    transaction: &mut Transaction,
    run_id: &str,
    reason: &'static str,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let at = milliseconds(now);
    transaction
        .execute(
            "update scheduler_step_runs set state = 'cancelled', reason = $2, finished_at_ms = $3 \
             where run_id = $1 and state in ('queued', 'up_for_retry') \
               and exists (select 1 from scheduler_runs r where r.run_id = $1 and r.state = 'queued')",
            &[run_id.into(), reason.into(), at.into()],
        )
        .await?;
    transaction
        .execute(
            "update scheduler_runs set state = 'cancelled', reason = $2, finished_at_ms = $3, \
             cancel_requested_at_ms = $3 where run_id = $1 and state = 'queued'",
            &[run_id.into(), reason.into(), at.into()],
        )
        .await?;
    transaction
        .execute(
            "update scheduler_runs set cancel_requested_at_ms = $3, reason = $2 \
             where run_id = $1 and state = 'running' and cancel_requested_at_ms is null",
            &[run_id.into(), reason.into(), at.into()],
        )
        .await?;
    Ok(())
}
