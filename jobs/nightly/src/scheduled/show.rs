//! Plans and runs as rows for readers, in the time of each plan's place.

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use goyong_scheduler::due::upcoming;
use goyong_scheduler::{OccurrenceRow, RunRow, StepAccount, Triggered};

use super::ScheduledProject;

/// Columns of `goyong schedule next`.
pub const NEXT_HEADER: [&str; 5] = ["plan", "scheduled_at", "runs_at", "reason", "detail"];
/// Columns of `goyong runs ls`.
pub const RUNS_HEADER: [&str; 10] = [
    "run",
    "plan",
    "scheduled_at",
    "origin",
    "state",
    "reason",
    "detail",
    "attempt",
    "started_at",
    "seconds",
];
/// Columns of `goyong runs show`.
pub const RUN_HEADER: [&str; 14] = [
    "step",
    "state",
    "reason",
    "attempt",
    "started_at",
    "seconds",
    "not_before",
    "rows_in",
    "rows_out",
    "bytes_written",
    "partitions_rebuilt",
    "rows_quarantined",
    "gates_failed",
    "detail",
];
/// Columns of `goyong runs show --figures`.
pub const FIGURES_HEADER: [&str; 4] = ["step", "part", "figure", "value"];
/// Columns of what a trigger or a backfill queued.
pub const TRIGGERED_HEADER: [&str; 2] = ["run", "queued"];

impl ScheduledProject {
    /// Rows for `goyong schedule next`: the next occurrences of one plan or all, in order of time.
    pub async fn next(&self, plan: Option<&str>, count: usize) -> Result<Vec<Vec<String>>> {
        if plan.is_some() {
            self.plan(plan)?;
        }
        let paused = self.ledger.plans().await?;
        let now = self.clock.now();
        let mut rows: Vec<(DateTime<Utc>, Vec<String>)> = Vec::new();
        let wanted = |name: &str| plan.is_none_or(|wanted| wanted == name);
        for plan in self.plans.iter().filter(|plan| wanted(&plan.name)) {
            let calendar = plan
                .calendar
                .as_ref()
                .and_then(|name| self.calendars.get(name));
            let is_paused = paused
                .iter()
                .any(|row| row.plan == plan.name && row.paused_at.is_some());
            for next in upcoming(plan, calendar, now, count) {
                let at = |at| local(at, plan.timezone);
                let (runs_at, reason, detail) = match next.outcome {
                    _ if is_paused => (String::new(), "paused", String::new()),
                    Ok(runs_at) => (at(runs_at), "", String::new()),
                    Err(reason) => (String::new(), reason.code(), reason.detail()),
                };
                let row = vec![
                    plan.name.clone(),
                    at(next.scheduled_at),
                    runs_at,
                    reason.to_owned(),
                    detail,
                ];
                rows.push((next.scheduled_at, row));
            }
        }
        rows.sort();
        Ok(rows.into_iter().map(|(_, row)| row).take(count).collect())
    }

    /// Rows for `goyong runs ls`, newest first: runs, and occurrences that were not run with the reason.
    pub async fn list_runs(&self, plan: Option<&str>, limit: u32) -> Result<Vec<Vec<String>>> {
        let occurrences = self.ledger.occurrences(plan, limit).await?;
        Ok(occurrences.iter().map(|row| self.occurrence(row)).collect())
    }

    fn occurrence(&self, row: &OccurrenceRow) -> Vec<String> {
        let zone = self.timezone(&row.plan);
        let (run_id, state, reason, detail, attempt, started_at, seconds) = match &row.outcome {
            Ok(run) => (
                run.run_id.clone(),
                run.state.word(),
                run.reason.clone(),
                run.detail.clone(),
                run.attempt.to_string(),
                optional(run.started_at, zone),
                seconds(run.started_at, run.finished_at),
            ),
            Err((reason, detail)) => (
                String::new(),
                "skipped",
                reason.clone(),
                detail.clone(),
                String::new(),
                String::new(),
                String::new(),
            ),
        };
        let reason = match (reason.is_empty(), row.deadline_missed_at) {
            (true, Some(_)) => "deadline_missed".to_owned(),
            _ => reason,
        };
        vec![
            run_id,
            row.plan.clone(),
            local(row.scheduled_at, zone),
            row.origin.clone(),
            state.to_owned(),
            reason,
            detail,
            attempt,
            started_at,
            seconds,
        ]
    }

    /// Rows for `goyong runs show`, and lines about the run itself.
    pub async fn show_run(&self, run_id: &str) -> Result<(Vec<String>, Vec<Vec<String>>)> {
        let run = self.ledger.run(run_id).await?;
        let zone = self.timezone(&run.plan);
        let steps = self.ledger.steps(run_id).await?;
        let rows = steps.into_iter().map(|step| {
            vec![
                step.step,
                step.state.word().to_owned(),
                step.reason,
                step.attempt.to_string(),
                optional(step.started_at, zone),
                seconds(step.started_at, step.finished_at),
                optional(step.not_before, zone),
                figure(&step.account, "rows_in"),
                figure(&step.account, "rows_out"),
                figure(&step.account, "bytes_written"),
                figure(&step.account, "partitions_rebuilt"),
                figure(&step.account, "rows_quarantined"),
                gates_failed(&step.account),
                step.detail,
            ]
        });
        Ok((about(&run, zone), rows.collect()))
    }

    /// Rows for `goyong runs show --figures`: every figure of every step, of its parts and its gates.
    pub async fn show_figures(&self, run_id: &str) -> Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        for step in self.ledger.steps(run_id).await? {
            let mut row = |part: &str, figure: &str, value: String| {
                let name = step.step.clone();
                rows.push(vec![name, part.to_owned(), figure.to_owned(), value]);
            };
            for (figure, value) in &step.account.figures {
                row("", figure, value.to_string());
            }
            for (part, figures) in &step.account.parts {
                for (figure, value) in figures {
                    row(part, figure, value.to_string());
                }
            }
            for finding in &step.account.findings {
                let word = if finding.passed { "passed" } else { "failed" };
                row(&finding.name, "gate", format!("{word}: {}", finding.detail));
            }
        }
        Ok(rows)
    }

    pub(super) fn timezone(&self, plan: &str) -> Tz {
        self.plans
            .iter()
            .find(|known| known.name == plan)
            .map_or(Tz::Asia__Seoul, |plan| plan.timezone)
    }
}

/// Rows of what was queued.
impl ScheduledProject {
    /// Whether each run was queued, or had been decided before.
    pub fn triggered_rows(triggered: &[Triggered]) -> Vec<Vec<String>> {
        let word = |is_new| if is_new { "yes" } else { "no, decided before" };
        triggered
            .iter()
            .map(|triggered| vec![triggered.run_id.clone(), word(triggered.is_new).to_owned()])
            .collect()
    }
}

/// A figure; nothing where the step did not compute it.
fn figure(account: &StepAccount, name: &str) -> String {
    let figure = account.figures.get(name);
    figure.map(ToString::to_string).unwrap_or_default()
}

/// Names of the gates that did not hold; nothing for a step that decided none.
fn gates_failed(account: &StepAccount) -> String {
    let failed = account.findings.iter().filter(|finding| !finding.passed);
    let names: Vec<&str> = failed.map(|finding| finding.name.as_str()).collect();
    match account.findings.is_empty() {
        true => String::new(),
        false if names.is_empty() => "none".to_owned(),
        false => names.join(", "),
    }
}

fn about(run: &RunRow, zone: Tz) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} {} {} {}",
            run.run_id,
            run.state.word(),
            run.reason,
            run.detail
        )
        .trim_end()
        .to_owned(),
    ];
    lines.push(format!(
        "scheduled at {}, taken up {} times",
        local(run.scheduled_at, zone),
        run.attempt
    ));
    if let Some((holder, token, heartbeat)) = &run.lease {
        lines.push(format!(
            "last held by {holder} under token {token}, last heartbeat {}",
            local(*heartbeat, zone)
        ));
    }
    lines
}

fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn optional(at: Option<DateTime<Utc>>, zone: Tz) -> String {
    at.map_or_else(String::new, |at| local(at, zone))
}

fn seconds(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if to >= from => {
            format!("{:.1}", (to - from).num_milliseconds() as f64 / 1000.0)
        }
        _ => String::new(),
    }
}
