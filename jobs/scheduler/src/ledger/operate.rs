//! What people do: trigger, backfill, pause, resume, cancel, retry.

use chrono::{DateTime, Utc};

use super::decide::{NewOccurrence, insert_occurrence, register, request_cancel};
use super::{Ledger, State, commit, milliseconds};
use crate::error::{Result, SchedulerError};
use crate::plan::Plan;
use goyong_database::DatabaseError;

/// What a trigger did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggered {
    /// The run.
    pub run_id: String,
    /// Whether it is new; false when the occurrence had been decided before, and nothing was changed.
    pub is_new: bool,
}

impl Ledger {
    /// Queues runs for occurrences that `requested_by` asks for, whatever calendar, overlap and pause say. One that was
    /// decided before stays.
    pub async fn trigger(
        &self,
        plan: &Plan,
        occurrences: &[DateTime<Utc>],
        origin: &'static str,
        requested_by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Triggered>> {
        let error = SchedulerError::database("trigger a run");
        let mut transaction = self.begin("trigger a run").await?;
        register(&mut transaction, plan, now)
            .await
            .map_err(&error)?;
        let mut triggered = Vec::new();
        for scheduled_at in occurrences {
            let occurrence = NewOccurrence {
                scheduled_at: *scheduled_at,
                run_at: *scheduled_at,
                origin,
                requested_by,
                not_run: None,
            };
            triggered.push(Triggered {
                run_id: plan.run_id(*scheduled_at),
                is_new: insert_occurrence(&mut transaction, plan, &occurrence, now)
                    .await
                    .map_err(&error)?,
            });
        }
        commit(transaction).await.map_err(&error)?;
        Ok(triggered)
    }

    /// Pauses a plan: what is due until it is resumed is listed as not run. Answers whether it was not paused yet.
    pub async fn pause(&self, plan: &Plan, reason: &str, now: DateTime<Utc>) -> Result<bool> {
        let error = SchedulerError::database("pause a plan");
        let mut transaction = self.begin("pause a plan").await?;
        register(&mut transaction, plan, now)
            .await
            .map_err(&error)?;
        let changed = transaction
            .execute(
                "update scheduler_plans set paused_at_ms = $2, pause_reason = $3 \
                 where plan = $1 and paused_at_ms is null",
                &[(&plan.name).into(), milliseconds(now).into(), reason.into()],
            )
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)?;
        Ok(changed > 0)
    }

    /// Ends a pause. Answers whether there was one.
    pub async fn resume(&self, plan: &Plan, now: DateTime<Utc>) -> Result<bool> {
        let error = SchedulerError::database("resume a plan");
        let mut transaction = self.begin("resume a plan").await?;
        register(&mut transaction, plan, now)
            .await
            .map_err(&error)?;
        let changed = transaction
            .execute(
                "update scheduler_plans set paused_at_ms = null, pause_reason = '' \
                 where plan = $1 and paused_at_ms is not null",
                &[(&plan.name).into()],
            )
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)?;
        Ok(changed > 0)
    }

    /// Cancels a run: at once while it waits, with its worker's next heartbeat while it runs.
    pub async fn cancel(&self, run_id: &str, now: DateTime<Utc>) -> Result<State> {
        let state = self.run(run_id).await?.state;
        if state.is_final() {
            return Err(SchedulerError::Refused(format!(
                "run {run_id} has ended already ({}), there is nothing to cancel",
                state.word()
            )));
        }
        let error = SchedulerError::database("cancel a run");
        let mut transaction = self.begin("cancel a run").await?;
        request_cancel(&mut transaction, run_id, "cancelled", now)
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)?;
        Ok(self.run(run_id).await?.state)
    }

    /// Queues a run again that failed or was cancelled. Steps that succeeded are not run again.
    pub async fn retry(&self, run_id: &str, now: DateTime<Utc>) -> Result<()> {
        let state = self.run(run_id).await?.state;
        if !matches!(state, State::Failed | State::Cancelled) {
            return Err(SchedulerError::Refused(format!(
                "run {run_id} is {}; only a failed or cancelled run is retried",
                state.word()
            )));
        }
        let error = SchedulerError::database("retry a run");
        let mut transaction = self.begin("retry a run").await?;
        let reset = async {
            let changed = transaction
                .execute(
                    "update scheduler_runs set state = 'queued', reason = 'retried', detail = '', queued_at_ms = $2, \
                     started_at_ms = null, finished_at_ms = null, cancel_requested_at_ms = null \
                     where run_id = $1 and state in ('failed', 'cancelled')",
                    &[run_id.into(), milliseconds(now).into()],
                )
                .await?;
            if changed > 0 {
                transaction
                    .execute(
                        "update scheduler_step_runs set state = 'queued', reason = 'retried', attempt = 0, \
                         workers_lost = 0, not_before_ms = null where run_id = $1 and state <> 'success'",
                        &[run_id.into()],
                    )
                    .await?;
            }
            Ok::<_, DatabaseError>(())
        };
        reset.await.map_err(&error)?;
        commit(transaction).await.map_err(&error)
    }
}
