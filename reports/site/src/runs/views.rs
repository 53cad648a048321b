//! What templates are filled with: rows of lists and the parts of a run's page, in one language.

use serde_json::{Value, json};

use super::gantt::gantt;
use super::inputs::{
    Attempt, DeadlineState, Figure, LocalTime, Occurrence, Outcome, PlanRuns, ReleaseChange,
    RunPage, StepPage,
};
use super::time::{between, stamp};
use super::words::{class, mark, rank, word};
use crate::catalog::bytes_text;
use crate::language::Language;
use crate::number::grouped;

/// States of steps that were not carried out.
const NOT_DONE: [&str; 3] = ["skipped", "upstream_failed", "cancelled"];

/// A plan as its heading shows it.
pub(super) fn plan(plan: &PlanRuns) -> Value {
    json!({
        "name": plan.name,
        "description": plan.description,
        "schedule": plan.schedule,
        "timezone": plan.timezone,
        "next": plan.next.map(stamp),
        "paused": plan.paused.as_ref().map(|(since, _)| stamp(*since)),
        "paused_reason": plan.paused.as_ref().map(|(_, reason)| reason),
        "left_out": plan.left_out,
    })
}

/// A row of a list. `has_page` says whether a run has a page to lead to.
pub(super) fn occurrence(
    occurrence: &Occurrence,
    has_page: impl Fn(&str) -> bool,
    language: Language,
) -> Value {
    let common = json!({
        "scheduled_at": stamp(occurrence.scheduled_at),
        "origin": word(&occurrence.origin, language),
        "requested_by": occurrence.requested_by,
        "deadline": occurrence.deadline.map(|deadline| deadline_view(deadline, language)),
    });
    let outcome = match &occurrence.outcome {
        Outcome::Run {
            run,
            state,
            reason,
            detail,
            attempt,
            started_at,
            finished_at,
        } => json!({
            "run": run,
            "has_page": has_page(run),
            "state": state_view(state, language),
            "reason": said(reason, detail, language),
            "attempt": attempt,
            "started_at": started_at.map(stamp),
            "took": between(*started_at, *finished_at, language),
        }),
        Outcome::NotRun(reason) => {
            let mut text = said(&reason.code, &reason.detail, language);
            if let Some(at) = reason.at {
                text = format!("{text} ({})", stamp(at));
            }
            json!({
                "run": null,
                "has_page": false,
                "state": state_view("skipped", language),
                "reason": text,
                "attempt": 0,
                "started_at": null,
                "took": null,
            })
        }
    };
    merged(common, outcome)
}

/// A run's page.
pub(super) fn run(run: &RunPage, title: &str, language: Language) -> Value {
    let steps: Vec<Value> = run
        .steps
        .iter()
        .map(|step| step_view(step, language))
        .collect();
    let attempts: Vec<Value> = run
        .steps
        .iter()
        .flat_map(|step| {
            let views = step
                .attempts
                .iter()
                .map(|attempt| attempt_view(step, attempt, language));
            views.collect::<Vec<_>>()
        })
        .collect();
    let not_done: Vec<&Value> = steps
        .iter()
        .zip(&run.steps)
        .filter(|(_, step)| NOT_DONE.contains(&step.state.as_str()))
        .map(|(view, _)| view)
        .collect();
    let is_over = match &run.occurrence.outcome {
        Outcome::Run { finished_at, .. } => finished_at.is_some(),
        Outcome::NotRun(_) => true,
    };
    let late_sources: Vec<Value> = run
        .late_sources
        .iter()
        .map(|source| {
            json!({
                "source": source.source,
                "state": word(&source.state, language),
                "due_on": source.due_on,
                "days_late": source.days_late,
                "last_known_on": source.last_known_on,
            })
        })
        .collect();
    let own = json!({
        "plan": run.plan,
        "timezone": run.timezone,
        "queued_at": run.queued_at.map(stamp),
        "holder": run.holder,
        "finished_at": finished_at(run).map(stamp),
        "is_over": is_over,
        "page_as_of": stamp(run.as_of),
        "chart": gantt(run, title.to_owned(), language),
        "attempts": attempts,
        "not_done": not_done,
        "steps": steps,
        "has_logs": run.steps.iter().any(|step| step.log.is_some()),
        "release_change": run.release.as_ref().map(|release| release_view(release, language)),
        "late_sources": late_sources,
    });
    merged(occurrence(&run.occurrence, |_| true, language), own)
}

fn finished_at(run: &RunPage) -> Option<LocalTime> {
    match &run.occurrence.outcome {
        Outcome::Run { finished_at, .. } => *finished_at,
        Outcome::NotRun(_) => None,
    }
}

fn step_view(step: &StepPage, language: Language) -> Value {
    let parts: Vec<Value> = step
        .parts
        .iter()
        .map(|(name, figures)| json!({ "name": name, "figures": figures_view(figures, language) }))
        .collect();
    json!({
        "name": step.name,
        "purpose": step.purpose,
        "state": state_view(&step.state, language),
        "has_failed": step.state == "failed",
        "reason": said(&step.reason, "", language),
        "detail": step.detail,
        "not_before": step.not_before.map(stamp),
        "attempts": step.attempts.len(),
        "figures": figures_view(&step.figures, language),
        "parts": parts,
        "gates": step.gates,
        "log": step.log,
    })
}

fn figures_view(figures: &[Figure], language: Language) -> Vec<Value> {
    let mut ordered: Vec<&Figure> = figures.iter().collect();
    ordered.sort_by_key(|figure| rank(&figure.name));
    let shown = ordered.into_iter().map(|figure| {
        let value = if figure.name.starts_with("bytes") {
            bytes_text(figure.value.unsigned_abs())
        } else {
            grouped(i128::from(figure.value))
        };
        json!({ "name": word(&figure.name, language), "value": value })
    });
    shown.collect()
}

fn attempt_view(step: &StepPage, attempt: &Attempt, language: Language) -> Value {
    json!({
        "step": step.name,
        "number": attempt.number,
        "started_at": stamp(attempt.started_at),
        "finished_at": attempt.finished_at.map(stamp),
        "took": between(Some(attempt.started_at), attempt.finished_at, language),
        "state": state_view(&attempt.state, language),
        "reason": said(&attempt.reason, &attempt.detail, language),
    })
}

fn release_view(release: &ReleaseChange, language: Language) -> Value {
    let tables: Vec<Value> = release
        .tables
        .iter()
        .map(|table| {
            let change = json!({ "change_text": word(&table.change, language) });
            merged(json!(table), change)
        })
        .collect();
    json!({
        "id": release.id,
        "before": release.before,
        "tables": tables,
        "unchanged": release.unchanged,
        "problem": release.problem,
    })
}

fn state_view(state: &str, language: Language) -> Value {
    json!({ "text": word(state, language), "mark": mark(state), "class": class(state) })
}

fn deadline_view(deadline: DeadlineState, language: Language) -> Value {
    let (code, class) = match deadline {
        DeadlineState::Met(_) => ("met", "passed"),
        DeadlineState::Missed(_) => ("deadline_missed", "failed"),
        DeadlineState::Open(_) => ("open", "not_run"),
    };
    json!({ "at": stamp(deadline.at()), "text": word(code, language), "class": class })
}

/// A reason in words with what is to be said beside it.
fn said(code: &str, detail: &str, language: Language) -> String {
    match (code.is_empty(), detail.is_empty()) {
        (true, _) => detail.to_owned(),
        (false, true) => word(code, language),
        (false, false) => format!("{}: {detail}", word(code, language)),
    }
}

fn merged(mut first: Value, second: Value) -> Value {
    if let (Some(first), Value::Object(second)) = (first.as_object_mut(), second) {
        first.extend(second);
    }
    first
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::NotRunReason;
    use super::*;

    fn at(text: &str) -> LocalTime {
        text.parse().unwrap()
    }

    #[test]
    fn an_occurrence_that_was_not_run_says_why_in_words_and_in_its_place_s_time() {
        let row = Occurrence {
            scheduled_at: at("2026-11-22T02:30:00+09:00"),
            origin: "schedule".into(),
            requested_by: String::new(),
            outcome: Outcome::NotRun(NotRunReason {
                code: "superseded".into(),
                detail: String::new(),
                at: Some(at("2026-11-23T02:30:00+09:00")),
            }),
            deadline: None,
        };
        let view = occurrence(&row, |_| false, Language::En);
        assert_eq!(
            view["reason"],
            "a later one was run instead (2026-11-23 02:30:00 +09:00)"
        );
        assert_eq!(view["state"]["text"], "skipped");
        let view = occurrence(&row, |_| false, Language::Ko);
        assert_eq!(
            view["reason"],
            "더 늦은 회차가 대신 실행됨 (2026-11-23 02:30:00 +09:00)"
        );
    }

    #[test]
    fn a_holiday_is_named() {
        assert_eq!(said("holiday", "추석", Language::En), "holiday: 추석");
        assert_eq!(said("", "3 rows", Language::En), "3 rows");
        assert_eq!(said("nothing_new", "", Language::Ko), "새로 할 일이 없었음");
    }
}
