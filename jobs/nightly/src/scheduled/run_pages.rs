//! The ledger of runs as the run pages show it.

use anyhow::Result;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use goyong_scheduler::due::upcoming;
use goyong_scheduler::{AttemptRow, OccurrenceRow, PlanRow, RunRow, State, StepAccount, StepRow};
use goyong_site::{
    Attempt, DeadlineState, Figure, GateLine, LocalTime, NotRunReason, Occurrence, Outcome,
    PlanRuns, RunPage, StepPage,
};

use super::ScheduledProject;
use crate::log_tail::{log_tail, shown_line};
use crate::plan::PLAN;

/// Occurrences of a plan that are listed.
const LISTED: u32 = 3000;

/// A run with what decides whether its page has to be written.
#[derive(Debug, Clone)]
pub(crate) struct LedgerRun {
    row: OccurrenceRow,
    run: RunRow,
}

impl LedgerRun {
    pub(crate) fn run_id(&self) -> &str {
        &self.run.run_id
    }

    pub(crate) fn queued_at(&self) -> DateTime<Utc> {
        self.run.queued_at
    }

    pub(crate) fn is_over(&self) -> bool {
        self.run.state.is_final()
    }

    /// Changes with the run; always another one while it goes on.
    pub(crate) fn fingerprint(&self, now: DateTime<Utc>) -> String {
        let changed_at = if self.is_over() {
            self.run.finished_at
        } else {
            Some(now)
        };
        format!(
            "{} {} {} {}",
            self.run.state.word(),
            self.run.attempt,
            changed_at.map_or(0, |at| at.timestamp_millis()),
            self.row.deadline_missed_at.is_some()
        )
    }
}

impl ScheduledProject {
    /// Every plan with its occurrences, and the runs among them.
    pub(crate) async fn plan_runs(&self) -> Result<(Vec<PlanRuns>, Vec<LedgerRun>)> {
        let now = self.clock.now();
        let known = self.ledger.plans().await?;
        let mut names: Vec<&str> = self.plans.iter().map(|plan| plan.name.as_str()).collect();
        // Plans whose file is gone still have a history.
        names.extend(known.iter().map(|row| row.plan.as_str()));
        names.sort_unstable();
        names.dedup();
        let (mut plans, mut runs) = (Vec::new(), Vec::new());
        for name in names {
            let zone = self.timezone(name);
            let rows = self.ledger.occurrences(Some(name), LISTED).await?;
            let count = self.ledger.count_occurrences(name).await?;
            let left_out = count.saturating_sub(rows.len() as u64);
            let listed = rows.iter().map(|row| occurrence(row, zone, now)).collect();
            let state = known.iter().find(|row| row.plan == name);
            plans.push(self.plan_view(name, state, listed, left_out, now));
            for row in rows {
                if let Ok(run) = row.outcome.clone() {
                    runs.push(LedgerRun { row, run });
                }
            }
        }
        Ok((plans, runs))
    }

    fn plan_view(
        &self,
        name: &str,
        state: Option<&PlanRow>,
        occurrences: Vec<Occurrence>,
        left_out: u64,
        now: DateTime<Utc>,
    ) -> PlanRuns {
        let zone = self.timezone(name);
        let plan = self.plans.iter().find(|plan| plan.name == name);
        let paused =
            state.and_then(|row| Some((at(row.paused_at?, zone), row.pause_reason.clone())));
        let next = plan.filter(|_| paused.is_none()).and_then(|plan| {
            let calendar = plan.calendar.as_ref();
            let calendar = calendar.and_then(|name| self.calendars.get(name));
            // Holidays in a row are no reason to look further than a week.
            let coming = upcoming(plan, calendar, now, 7);
            coming.into_iter().find_map(|next| next.outcome.ok())
        });
        PlanRuns {
            name: name.to_owned(),
            description: plan.map_or_else(String::new, |plan| plan.description.clone()),
            schedule: plan
                .and_then(|plan| plan.schedule.as_ref())
                .map(goyong_scheduler::Schedule::expression),
            timezone: zone.name().to_owned(),
            next: next.map(|next| at(next, zone)),
            paused,
            occurrences,
            left_out,
        }
    }

    /// The page of a run, without what its release changed.
    pub(crate) async fn run_page(&self, of: &LedgerRun) -> Result<RunPage> {
        let now = self.clock.now();
        let run = &of.run;
        let zone = self.timezone(&run.plan);
        let attempts = self.ledger.attempts(&run.run_id).await?;
        let mut steps = Vec::new();
        for step in self.ledger.steps(&run.run_id).await? {
            let file = self
                .logs()
                .join(&run.run_id)
                .join(format!("{}.log", step.step));
            let of_step = attempts.iter().filter(|attempt| attempt.step == step.step);
            steps.push(StepPage {
                purpose: self.purpose(&run.plan, &step.step),
                log: log_tail(&file)?,
                attempts: of_step.map(|row| attempt(row, zone)).collect(),
                ..step_page(&step, zone)
            });
        }
        Ok(RunPage {
            run: run.run_id.clone(),
            plan: run.plan.clone(),
            timezone: zone.name().to_owned(),
            occurrence: occurrence(&of.row, zone, now),
            queued_at: Some(at(run.queued_at, zone)),
            holder: run
                .lease
                .as_ref()
                .map_or_else(String::new, |(holder, _, _)| holder.clone()),
            steps,
            release: None,
            late_sources: Vec::new(),
            as_of: at(now, zone),
            fingerprint: String::new(),
        })
    }

    /// When the run's steps that publish worked.
    pub(crate) async fn published_between(
        &self,
        run: &LedgerRun,
    ) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>> {
        let steps = self.ledger.steps(run.run_id()).await?;
        let publishing = steps.into_iter().filter(|step| {
            step.state == State::Success && self.job(&run.run.plan, &step.step) == "publish_release"
        });
        Ok(publishing
            .filter_map(|step| Some((step.started_at?, step.finished_at?)))
            .collect())
    }

    /// The job a step names; its own name where the plan no longer has it.
    fn job<'a>(&'a self, plan: &str, step: &'a str) -> &'a str {
        let plan = self.plans.iter().find(|known| known.name == plan);
        plan.and_then(|plan| plan.steps.iter().find(|known| known.name == step))
            .map_or(step, |step| step.job.as_str())
    }

    fn purpose(&self, plan: &str, step: &str) -> String {
        let job = self.job(plan, step);
        let known = self.plans.iter().find(|known| known.name == plan);
        let own = known
            .and_then(|plan| plan.steps.iter().find(|known| known.name == step))
            .map(|step| step.reason.clone())
            .filter(|reason| !reason.is_empty());
        own.or_else(|| {
            let built_in = PLAN.iter().find(|step| step.name == job);
            built_in.map(|step| step.reason.to_owned())
        })
        .unwrap_or_default()
    }
}

/// An instant on the wall clock of a place.
pub(crate) fn at(instant: DateTime<Utc>, zone: Tz) -> LocalTime {
    instant.with_timezone(&zone).fixed_offset()
}

/// How a deadline stands for a run that succeeded at some time, or has not yet.
pub(crate) fn deadline_state(
    deadline: LocalTime,
    succeeded_at: Option<DateTime<Utc>>,
    is_missed: bool,
    now: DateTime<Utc>,
) -> DeadlineState {
    match succeeded_at {
        _ if is_missed => DeadlineState::Missed(deadline),
        Some(succeeded_at) if succeeded_at <= deadline => DeadlineState::Met(deadline),
        Some(_) => DeadlineState::Missed(deadline),
        None if deadline <= now => DeadlineState::Missed(deadline),
        None => DeadlineState::Open(deadline),
    }
}

fn occurrence(row: &OccurrenceRow, zone: Tz, now: DateTime<Utc>) -> Occurrence {
    let succeeded_at = match &row.outcome {
        Ok(run) if run.state == State::Success => run.finished_at,
        _ => None,
    };
    let deadline = row.deadline.map(|deadline| {
        let is_missed = row.deadline_missed_at.is_some();
        deadline_state(at(deadline, zone), succeeded_at, is_missed, now)
    });
    Occurrence {
        scheduled_at: at(row.scheduled_at, zone),
        origin: row.origin.clone(),
        requested_by: shown_line(&row.requested_by),
        outcome: match &row.outcome {
            Ok(run) => Outcome::Run {
                run: run.run_id.clone(),
                state: run.state.word().to_owned(),
                reason: run.reason.clone(),
                detail: shown_line(&run.detail),
                attempt: run.attempt,
                started_at: run.started_at.map(|started| at(started, zone)),
                finished_at: run.finished_at.map(|finished| at(finished, zone)),
            },
            Err((code, detail)) => Outcome::NotRun(not_run(code, detail, zone)),
        },
        deadline,
    }
}

/// The ledger's detail speaks of another time in UTC (`by 2026-11-23T17:30:00Z`), or names a holiday.
fn not_run(code: &str, detail: &str, zone: Tz) -> NotRunReason {
    let other = detail
        .rsplit(' ')
        .next()
        .and_then(|word| DateTime::parse_from_rfc3339(word).ok());
    NotRunReason {
        code: code.to_owned(),
        detail: if other.is_some() {
            String::new()
        } else {
            detail.to_owned()
        },
        at: other.map(|other| at(other.to_utc(), zone)),
    }
}

fn attempt(row: &AttemptRow, zone: Tz) -> Attempt {
    Attempt {
        number: row.number,
        started_at: at(row.started_at, zone),
        finished_at: row.finished_at.map(|finished| at(finished, zone)),
        state: row.state.word().to_owned(),
        reason: row.reason.clone(),
        detail: shown_line(&row.detail),
    }
}

fn step_page(step: &StepRow, zone: Tz) -> StepPage {
    StepPage {
        name: step.step.clone(),
        state: step.state.word().to_owned(),
        reason: step.reason.clone(),
        detail: shown_line(&step.detail),
        not_before: step.not_before.map(|time| at(time, zone)),
        ..account_page(&step.account)
    }
}

/// The figures of a step as its page shows them.
pub(crate) fn account_page(account: &StepAccount) -> StepPage {
    let figures = |figures: &std::collections::BTreeMap<String, i64>| -> Vec<Figure> {
        let named = figures.iter().map(|(name, value)| Figure {
            name: name.clone(),
            value: *value,
        });
        named.collect()
    };
    let parts = account.parts.iter();
    StepPage {
        figures: figures(&account.figures),
        parts: parts
            .map(|(name, part)| (name.clone(), figures(part)))
            .collect(),
        gates: account
            .findings
            .iter()
            .map(|finding| GateLine {
                name: finding.name.clone(),
                passed: finding.passed,
                detail: shown_line(&finding.detail),
            })
            .collect(),
        ..StepPage::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use goyong_scheduler::due::NotRun;
    use goyong_site::has_word;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_reason_that_speaks_of_another_time_tells_it_in_the_plans_place() {
        let by = utc("2026-11-22T17:30:00Z");
        let reason = NotRun::Superseded { by };
        let told = not_run(reason.code(), &reason.detail(), Tz::Asia__Seoul);
        assert_eq!((told.detail.as_str(), told.at.unwrap().to_utc()), ("", by));
        assert_eq!(told.at.unwrap().to_rfc3339(), "2026-11-23T02:30:00+09:00");
        let holiday = NotRun::Holiday {
            name: "삼일절 대체공휴일".into(),
        };
        let told = not_run(holiday.code(), &holiday.detail(), Tz::Asia__Seoul);
        assert_eq!((told.detail.as_str(), told.at), ("삼일절 대체공휴일", None));
    }

    #[test]
    fn every_reason_and_state_of_the_ledger_has_words() {
        let time = utc("2026-11-22T17:30:00Z");
        let reasons = [
            NotRun::Paused { since: time },
            NotRun::Holiday {
                name: String::new(),
            },
            NotRun::MovedOnto { scheduled_at: time },
            NotRun::OutsideWindow,
            NotRun::Superseded { by: time },
            NotRun::Missed,
            NotRun::Overlap { active: time },
        ];
        let states = [
            State::Queued,
            State::Running,
            State::Success,
            State::Failed,
            State::UpForRetry,
            State::Skipped,
            State::UpstreamFailed,
            State::Cancelled,
        ];
        let codes = reasons
            .iter()
            .map(NotRun::code)
            .chain(states.iter().map(|state| state.word()));
        for code in codes {
            assert!(has_word(code), "{code}");
        }
    }

    #[test]
    fn a_deadline_is_met_missed_or_open() {
        let now = utc("2026-11-22T21:30:00Z");
        let at = |text: &str| at(utc(text), Tz::Asia__Seoul);
        let (past, coming) = (at("2026-11-22T21:00:00Z"), at("2026-11-22T22:00:00Z"));
        let early = Some(utc("2026-11-22T20:00:00Z"));
        assert_eq!(
            deadline_state(past, early, false, now),
            DeadlineState::Met(past)
        );
        assert_eq!(
            deadline_state(past, Some(utc("2026-11-22T21:10:00Z")), false, now),
            DeadlineState::Missed(past)
        );
        assert_eq!(
            deadline_state(past, None, false, now),
            DeadlineState::Missed(past)
        );
        assert_eq!(
            deadline_state(coming, None, false, now),
            DeadlineState::Open(coming)
        );
    }
}
