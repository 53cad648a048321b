//! Events of the scheduler as lines of its log.

use goyong_scheduler::{Event, RunEnd, State};

/// The plan a run is of: what stands before the time in its name.
fn plan_of(run_id: &str) -> &str {
    run_id.rsplit_once('-').map_or(run_id, |(plan, _)| plan)
}

pub(super) fn write_to_log(event: &Event) {
    match event {
        Event::Turned { .. } => {}
        Event::NoticeSent { notice, problem } => match problem {
            None => tracing::info!(
                plan = %notice.plan, notice = notice.kind.word(), target_name = %notice.target,
                attempt = notice.attempts, "notice delivered"
            ),
            Some(problem) => tracing::warn!(
                plan = %notice.plan, notice = notice.kind.word(), target_name = %notice.target,
                attempt = notice.attempts, "notice not delivered, tried again later: {problem}"
            ),
        },
        Event::Decided { plan, decision } => match &decision.verdict {
            goyong_scheduler::due::Verdict::Run { late } => {
                tracing::info!(%plan, scheduled_at = %decision.scheduled_at, late, "due");
            }
            goyong_scheduler::due::Verdict::NotRun(reason) => {
                tracing::warn!(%plan, scheduled_at = %decision.scheduled_at, reason = reason.code(), "not run {}", reason.detail());
            }
        },
        Event::RunStarted(claim) => tracing::info!(
            run_id = %claim.lease.run_id, plan = %claim.plan, token = claim.lease.token, attempt = claim.attempt,
            taken_over = claim.taken_over, "run taken up"
        ),
        Event::Step { run_id, change } => {
            let (state, step, attempt) = (change.state.word(), &change.step, change.attempt);
            let plan = plan_of(run_id);
            if matches!(change.state, State::Failed | State::UpForRetry) {
                tracing::warn!(%run_id, plan, %step, attempt, state, reason = change.reason, "{}", change.detail);
            } else {
                tracing::info!(%run_id, plan, %step, attempt, state, "{}", change.detail);
            }
        }
        Event::RunEnded { run_id, end } => match end {
            RunEnd::Ended {
                state: State::Success,
                ..
            } => tracing::info!(%run_id, plan = plan_of(run_id), "run succeeded"),
            RunEnd::Ended {
                state,
                reason,
                detail,
            } => {
                tracing::error!(%run_id, plan = plan_of(run_id), state = state.word(), reason, "run ended without success {detail}");
            }
            RunEnd::LeaseLost => {
                tracing::warn!(%run_id, plan = plan_of(run_id), "another worker has taken the run over")
            }
            RunEnd::GivenBack => tracing::info!(%run_id, plan = plan_of(run_id), "run given back"),
        },
        Event::DeadlineMissed(missed) => tracing::error!(
            plan = %missed.plan, scheduled_at = %missed.scheduled_at, deadline = %missed.deadline,
            standing = %missed.standing, "deadline missed"
        ),
        Event::PlanPaused { plan, run_id } => {
            tracing::error!(%plan, %run_id, "the failed run paused its plan; `goyong schedule resume {plan}` ends the pause");
        }
    }
}
