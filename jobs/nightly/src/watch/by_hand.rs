//! Runs that somebody started by hand, told as a scheduler tells its own.

use chrono::{DateTime, Utc};
use goyong_scheduler::{
    Claim, Event, Lease, Plan, RunEnd, State, StepAccount, StepChange, StepError,
};

use super::telemetry::{Telemetry, TelemetryEnd, TelemetryOptions};
use crate::scheduled::StepVerdict;

/// Tells whoever the environment names of one run and its steps; nobody is told where it names nobody.
pub(crate) struct HandRun(Option<Told>);

struct Told {
    run_id: String,
    telemetry: Telemetry,
    end: TelemetryEnd,
}

impl HandRun {
    /// Tells that a run of `plan` begins. `known` says which tables its steps read and write; `run_id` names no other.
    pub(crate) fn begin(
        options: TelemetryOptions,
        (plan, known): (&str, Option<Plan>),
        run_id: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let plans = known.into_iter().collect();
        Self(Telemetry::start(options, plans).map(|(telemetry, end)| {
            let claim = Claim {
                // No scheduler gave it a token.
                lease: Lease {
                    run_id: run_id.to_owned(),
                    token: 0,
                },
                plan: plan.to_owned(),
                scheduled_at: now,
                origin: "by_hand".to_owned(),
                attempt: 1,
                started_at: now,
                taken_over: false,
                expires_at: now,
                steps: Vec::new(),
            };
            telemetry.hear(&Event::RunStarted(claim), now);
            Told {
                run_id: run_id.to_owned(),
                telemetry,
                end,
            }
        }))
    }

    pub(crate) fn step_began(&self, step: &str, now: DateTime<Utc>) {
        self.changed(step, (State::Running, ""), StepAccount::default(), now);
    }

    pub(crate) fn step_ended(&self, step: &str, verdict: StepVerdict, now: DateTime<Utc>) {
        let (end, account) = match verdict.into_outcome() {
            Ok(done) => ((State::Success, done.reason), done.account),
            Err(StepError::Final {
                reason, account, ..
            }) => ((State::Failed, reason), account),
            Err(StepError::Retryable { reason, .. }) => {
                ((State::Failed, reason), StepAccount::default())
            }
        };
        self.changed(step, end, account, now);
    }

    fn changed(
        &self,
        step: &str,
        (state, reason): (State, &'static str),
        account: StepAccount,
        now: DateTime<Utc>,
    ) {
        let Some(told) = &self.0 else { return };
        let change = StepChange {
            step: step.to_owned(),
            state,
            reason,
            detail: String::new(),
            attempt: 1,
            not_before: None,
            account,
        };
        let run_id = told.run_id.clone();
        told.telemetry.hear(&Event::Step { run_id, change }, now);
    }

    /// Tells that it is over, and waits a moment for what was not sent yet.
    pub(crate) async fn ended(self, has_succeeded: bool, now: DateTime<Utc>) {
        let Some(told) = self.0 else { return };
        let state = match has_succeeded {
            true => State::Success,
            false => State::Failed,
        };
        let end = RunEnd::Ended {
            state,
            reason: "",
            detail: String::new(),
        };
        let run_id = told.run_id;
        told.telemetry.hear(&Event::RunEnded { run_id, end }, now);
        drop(told.telemetry);
        told.end.finish().await;
    }
}
