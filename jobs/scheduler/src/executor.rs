//! One run under its lease: steps side by side as their inputs allow, everything written before it counts.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Result, SchedulerError};
use crate::ledger::{Claim, State, StepChange};
use crate::plan::Plan;
use crate::pools::Place;
use crate::schedule::local_time;
use crate::scheduler::{Event, Worker};
use crate::step::{StepAccount, StepContext, StepDone, StepError};

/// How a worker left a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It ended, and the ledger says how.
    Ended {
        /// Success, failed or cancelled.
        state: State,
        /// One word for why; empty after success.
        reason: &'static str,
        /// One line for people.
        detail: String,
    },
    /// Another worker has taken it over; nothing more was written.
    LeaseLost,
    /// This process stops; another may go on.
    GivenBack,
}

/// Longest time until a worker learns that its run was cancelled.
const LONGEST_HEARTBEAT: TimeDelta = TimeDelta::seconds(5);
/// Time between attempts to reach a ledger that is busy.
const LEDGER_RETRY: TimeDelta = TimeDelta::seconds(1);

type Outcome = std::result::Result<StepDone, StepError>;

struct Execution<'a> {
    worker: &'a Worker,
    plan: &'a Plan,
    claim: Claim,
    running: JoinSet<(usize, Outcome)>,
    changes: Vec<StepChange>,
    renew_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Why everything is to stop, once it is.
    stopping: Option<&'static str>,
}

enum Woken {
    Finished(usize, Outcome),
    Renew,
    TimedOut,
    Stop,
    Look,
}

/// Works on a run until it ended, its lease was lost, or `stop` turns true.
pub(crate) async fn execute(
    worker: &Worker,
    plan: &Plan,
    claim: Claim,
    stop: watch::Receiver<bool>,
) -> Result<RunEnd> {
    let now = worker.clock.now();
    let mut execution = Execution {
        worker,
        plan,
        renew_at: now + worker.heartbeat(),
        expires_at: claim.expires_at,
        claim,
        running: JoinSet::new(),
        changes: Vec::new(),
        stopping: None,
    };
    let end = execution.work(stop).await;
    // Steps still under way end here, whatever happened.
    execution.running.shutdown().await;
    match end {
        Err(error) if error.is_lease_lost() => Ok(RunEnd::LeaseLost),
        end => end,
    }
}

impl Execution<'_> {
    async fn work(&mut self, mut stop: watch::Receiver<bool>) -> Result<RunEnd> {
        let mut freed = self.worker.pools.freed();
        loop {
            freed.borrow_and_update();
            let started = match self.stopping {
                None => {
                    self.spread_failures();
                    self.ready()
                }
                Some(reason) => {
                    self.give_up(reason);
                    Vec::new()
                }
            };
            let began = self.now();
            for (index, _) in &started {
                let mut change = self.change(*index, State::Running);
                change.attempt += 1;
                self.set(*index, change);
            }
            let end = self.end();
            if !self.changes.is_empty() || end.is_some() {
                self.write(end.as_ref()).await?;
            }
            if let Some((state, reason, detail)) = end {
                return Ok(RunEnd::Ended {
                    state,
                    reason,
                    detail,
                });
            }
            for (index, place) in started {
                self.spawn(index, place, began);
            }
            match self.wait(&mut stop, &mut freed).await {
                Woken::Finished(index, outcome) => {
                    self.finished(index, outcome);
                    // Whatever ended meanwhile goes into the same transaction.
                    while let Some(Ok((index, outcome))) = self.running.try_join_next() {
                        self.finished(index, outcome);
                    }
                }
                Woken::Renew => self.renew().await?,
                Woken::TimedOut => self.stopping = Some("timed_out"),
                Woken::Stop => {
                    self.running.shutdown().await;
                    let lease = &self.claim.lease;
                    self.worker.ledger.give_back(lease, self.now()).await?;
                    return Ok(RunEnd::GivenBack);
                }
                Woken::Look => {}
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.worker.clock.now()
    }

    fn set(&mut self, index: usize, change: StepChange) {
        let step = &mut self.claim.steps[index];
        step.state = change.state;
        step.attempt = change.attempt;
        step.not_before = change.not_before;
        self.changes.push(change);
    }

    /// A change of a step to a state, at the attempt it is at, with nothing to say about it.
    fn change(&self, index: usize, state: State) -> StepChange {
        StepChange {
            step: self.plan.steps[index].name.clone(),
            state,
            reason: "",
            detail: String::new(),
            attempt: self.claim.steps[index].attempt,
            not_before: None,
            account: StepAccount::default(),
        }
    }

    /// A step that needs one that failed will never run.
    fn spread_failures(&mut self) {
        loop {
            let hit = (0..self.plan.steps.len()).find_map(|index| {
                if self.claim.steps[index].state.is_final() {
                    return None;
                }
                let upstream = self.plan.steps[index].upstream.iter();
                upstream
                    .copied()
                    .find(|up| {
                        let state = self.claim.steps[*up].state;
                        state.is_final() && state != State::Success
                    })
                    .map(|up| (index, up))
            });
            let Some((index, up)) = hit else {
                return;
            };
            let change = StepChange {
                reason: "upstream_failed",
                detail: format!("step {} did not succeed", self.plan.steps[up].name),
                ..self.change(index, State::UpstreamFailed)
            };
            self.set(index, change);
        }
    }

    /// Steps whose inputs are there, whose time has come and whose pool has a place.
    fn ready(&self) -> Vec<(usize, Place)> {
        let now = self.now();
        let mut ready = Vec::new();
        for (index, step) in self.plan.steps.iter().enumerate() {
            let progress = &self.claim.steps[index];
            let waits = matches!(progress.state, State::Queued | State::UpForRetry)
                && progress
                    .not_before
                    .is_none_or(|not_before| not_before <= now);
            let has_inputs = step
                .upstream
                .iter()
                .all(|up| self.claim.steps[*up].state == State::Success);
            if waits
                && has_inputs
                && let Some(place) = self.worker.pools.take(&step.pool)
            {
                ready.push((index, place));
            }
        }
        ready
    }

    /// Everything that did not end yet is cancelled, or failed when the run took too long.
    fn give_up(&mut self, reason: &'static str) {
        self.running.abort_all();
        for index in 0..self.plan.steps.len() {
            let progress = &self.claim.steps[index];
            if progress.state.is_final() {
                continue;
            }
            let state = match (reason, progress.state) {
                ("timed_out", State::Running) => State::Failed,
                _ => State::Cancelled,
            };
            let change = StepChange {
                reason,
                ..self.change(index, state)
            };
            self.set(index, change);
        }
    }

    /// How the run ended, once every step has.
    fn end(&self) -> Option<(State, &'static str, String)> {
        if !self.claim.steps.iter().all(|step| step.state.is_final()) {
            return None;
        }
        let names = |state: State| -> Vec<&str> {
            let steps = self.plan.steps.iter().zip(&self.claim.steps);
            steps
                .filter(|(_, progress)| progress.state == state)
                .map(|(step, _)| step.name.as_str())
                .collect()
        };
        let failed = names(State::Failed);
        Some(match self.stopping {
            Some("timed_out") => (State::Failed, "timed_out", String::new()),
            Some(reason) => (State::Cancelled, reason, String::new()),
            None if !failed.is_empty() => (
                State::Failed,
                "step_failed",
                format!("step {}", failed.join(", ")),
            ),
            None if !names(State::Cancelled).is_empty() => {
                (State::Cancelled, "cancelled", String::new())
            }
            None => (State::Success, "", String::new()),
        })
    }

    /// Writes what changed; a ledger that is busy is asked again for as long as the lease holds.
    async fn write(&mut self, end: Option<&(State, &'static str, String)>) -> Result<()> {
        loop {
            let written = self
                .worker
                .ledger
                .progress(
                    &self.claim.lease,
                    self.plan,
                    &self.changes,
                    end.map(|(state, reason, detail)| (*state, *reason, detail.as_str())),
                    self.now(),
                )
                .await;
            match written {
                Ok(()) => break,
                Err(error) => self.wait_for_ledger(error).await?,
            }
        }
        for change in self.changes.drain(..) {
            self.worker.tell(&Event::Step {
                run_id: self.claim.lease.run_id.clone(),
                change,
            });
        }
        Ok(())
    }

    async fn wait_for_ledger(&self, error: SchedulerError) -> Result<()> {
        let later = self.now() + LEDGER_RETRY;
        if !error.is_retryable() || later >= self.expires_at {
            return Err(error);
        }
        tracing::warn!("the ledger of runs does not answer, trying again: {error}");
        self.worker.clock.sleep_until(later).await;
        Ok(())
    }

    async fn renew(&mut self) -> Result<()> {
        let renewed = self
            .worker
            .ledger
            .heartbeat(&self.claim.lease, self.worker.lease, self.now())
            .await;
        match renewed {
            Ok(heartbeat) => {
                self.expires_at = heartbeat.expires_at;
                if let Some(reason) = heartbeat.cancel {
                    self.stopping = Some(if reason == "replaced" {
                        "replaced"
                    } else {
                        "cancelled"
                    });
                }
            }
            Err(error) => self.wait_for_ledger(error).await?,
        }
        self.renew_at = self.now() + self.worker.heartbeat();
        Ok(())
    }

    fn spawn(&mut self, index: usize, place: Place, began: DateTime<Utc>) {
        let step = self.plan.steps[index].clone();
        let clock = Arc::clone(&self.worker.clock);
        let runner = Arc::clone(&self.worker.runner);
        let context = StepContext {
            plan: self.plan.name.clone(),
            scheduled_at: self.claim.scheduled_at,
            day: local_time(self.plan.timezone, self.claim.scheduled_at).date(),
            origin: self.claim.origin.clone(),
            attempt: self.claim.steps[index].attempt,
            lease: self.claim.lease.clone(),
            step,
        };
        self.running.spawn(async move {
            let limit = context.step.timeout;
            let work = AssertUnwindSafe(runner.run(context)).catch_unwind();
            let outcome = match limit.and_then(|limit| TimeDelta::from_std(limit).ok()) {
                None => work.await,
                Some(limit) => tokio::select! {
                    outcome = work => outcome,
                    () = clock.sleep_until(began + limit) => Ok(Err(StepError::Retryable {
                        reason: "timed_out",
                        message: format!("took longer than {} s", limit.num_seconds()),
                    })),
                },
            };
            drop(place);
            let panicked = |_| {
                Err(StepError::Final {
                    reason: "panicked",
                    message: "the step panicked, its log says where".to_owned(),
                    account: StepAccount::default(),
                })
            };
            (index, outcome.unwrap_or_else(panicked))
        });
    }

    fn finished(&mut self, index: usize, outcome: Outcome) {
        // An outcome that crossed with the decision to stop is kept.
        let step = &self.plan.steps[index];
        let attempt = self.claim.steps[index].attempt;
        let change = match outcome {
            Ok(done) => StepChange {
                reason: done.reason,
                detail: done.summary,
                account: done.account,
                ..self.change(index, State::Success)
            },
            Err(StepError::Retryable { reason, message }) if attempt <= step.retries => {
                let wait = TimeDelta::from_std(step.backoff(attempt)).unwrap_or_default();
                StepChange {
                    reason,
                    detail: message,
                    not_before: Some(self.now() + wait),
                    ..self.change(index, State::UpForRetry)
                }
            }
            Err(StepError::Retryable { reason, message }) => StepChange {
                reason,
                detail: message,
                ..self.change(index, State::Failed)
            },
            Err(StepError::Final {
                reason,
                message,
                account,
            }) => StepChange {
                reason,
                detail: message,
                account,
                ..self.change(index, State::Failed)
            },
        };
        self.set(index, change);
    }

    async fn wait(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        freed: &mut watch::Receiver<u64>,
    ) -> Woken {
        if *stop.borrow_and_update() {
            return Woken::Stop;
        }
        let clock = &self.worker.clock;
        let retry_at = self
            .claim
            .steps
            .iter()
            .filter(|step| step.state == State::UpForRetry)
            .filter_map(|step| step.not_before)
            .min();
        let limit = self
            .plan
            .timeout
            .and_then(|limit| TimeDelta::from_std(limit).ok());
        let time_out_at = limit.and_then(|limit| self.claim.started_at.checked_add_signed(limit));
        let at = |at: Option<DateTime<Utc>>| match at {
            Some(at) => clock.sleep_until(at),
            None => futures::future::pending().boxed(),
        };
        tokio::select! {
            Some(joined) = self.running.join_next() => match joined {
                Ok((index, outcome)) => Woken::Finished(index, outcome),
                // Only a task that was aborted ends like this.
                Err(_) => Woken::Look,
            },
            () = clock.sleep_until(self.renew_at) => Woken::Renew,
            () = at(time_out_at) => Woken::TimedOut,
            () = at(retry_at) => Woken::Look,
            Ok(()) = freed.changed() => Woken::Look,
            Ok(()) = stop.changed() => Woken::Stop,
        }
    }
}

impl Worker {
    /// Time between two heartbeats.
    pub(crate) fn heartbeat(&self) -> TimeDelta {
        TimeDelta::from_std(self.lease / 3)
            .unwrap_or(LONGEST_HEARTBEAT)
            .min(LONGEST_HEARTBEAT)
    }
}
