//! What `/metrics` shows: the ledger of runs and the accounts of steps, in Prometheus' text format.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use goyong_scheduler::due::upcoming;
use goyong_scheduler::{Calendar, Ledger, LedgerFigures, Plan, RunRow, State, StepRow};

use super::exposition::{Exposition, Kind, Sample};
use crate::figures::SOURCE_PREFIX;

/// What a page is made of.
pub(crate) struct Watched<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) plans: &'a [Plan],
    pub(crate) calendars: &'a BTreeMap<String, Calendar>,
    pub(crate) now: DateTime<Utc>,
    /// When the scheduler's loop last turned.
    pub(crate) turned_at: Option<DateTime<Utc>>,
}

/// The newest successful run of a plan, with its steps.
struct Success {
    plan: String,
    run: RunRow,
    steps: Vec<StepRow>,
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

/// The page.
pub(crate) async fn page(watched: &Watched<'_>) -> Result<String> {
    let ledger = watched.ledger;
    let figures = ledger.figures().await?;
    let paused: Vec<String> = ledger
        .plans()
        .await?
        .into_iter()
        .filter(|plan| plan.paused_at.is_some())
        .map(|plan| plan.plan)
        .collect();
    let mut successes = Vec::new();
    for plan in watched.plans {
        if let Some(run) = ledger.newest_success(&plan.name).await? {
            successes.push(Success {
                plan: plan.name.clone(),
                steps: ledger.steps(&run.run_id).await?,
                run,
            });
        }
    }
    let sources = ledger.newest_parts(SOURCE_PREFIX).await?;
    let mut page = Exposition::default();
    process(&mut page, watched);
    plans(&mut page, watched, &paused);
    runs(&mut page, watched, &figures, &successes);
    steps(&mut page, &successes);
    of_sources(&mut page, &sources);
    notices(&mut page, &figures);
    Ok(page.into_text())
}

fn process(page: &mut Exposition, watched: &Watched<'_>) {
    page.family(
        "goyong_build_info",
        Kind::Gauge,
        "The version of the program; always 1.",
        [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    );
    page.family(
        "goyong_scheduler_last_turn_timestamp_seconds",
        Kind::Gauge,
        "When the scheduler's loop last turned.",
        watched.turned_at.map(|at| (Vec::new(), seconds(at))),
    );
    page.family(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory of the scheduler that is in use.",
        resident_bytes().map(|bytes| (Vec::new(), bytes)),
    );
}

/// Linux tells it in KiB (proc(5), `VmRSS`); other systems do not.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn plans(page: &mut Exposition, watched: &Watched<'_>, paused: &[String]) {
    let next: Vec<(&str, DateTime<Utc>)> = watched
        .plans
        .iter()
        .filter_map(|plan| {
            let calendar = plan
                .calendar
                .as_ref()
                .and_then(|name| watched.calendars.get(name));
            let mut coming = upcoming(plan, calendar, watched.now, 32).into_iter();
            Some((
                plan.name.as_str(),
                coming.find_map(|next| next.outcome.ok())?,
            ))
        })
        .collect();
    page.family(
        "goyong_plan_next_run_timestamp_seconds",
        Kind::Gauge,
        "When the plan runs next.",
        next.iter()
            .map(|(plan, at)| (vec![("plan", *plan)], seconds(*at))),
    );
    page.family(
        "goyong_plan_paused",
        Kind::Gauge,
        "1 while the plan is paused.",
        watched.plans.iter().map(|plan| {
            let is_paused = paused.contains(&plan.name);
            (
                vec![("plan", plan.name.as_str())],
                f64::from(u8::from(is_paused)),
            )
        }),
    );
}

fn runs(
    page: &mut Exposition,
    watched: &Watched<'_>,
    figures: &LedgerFigures,
    successes: &[Success],
) {
    page.family(
        "goyong_run_last_success_timestamp_seconds",
        Kind::Gauge,
        "When the newest successful run of the plan ended.",
        successes.iter().filter_map(|success| {
            let at = success.run.finished_at?;
            Some((vec![("plan", success.plan.as_str())], seconds(at)))
        }),
    );
    page.family(
        "goyong_run_last_success_duration_seconds",
        Kind::Gauge,
        "How long the newest successful run of the plan took, waits between attempts included.",
        successes.iter().filter_map(|success| {
            let took = success.run.finished_at? - success.run.started_at?;
            let took = took.num_milliseconds() as f64 / 1000.0;
            Some((vec![("plan", success.plan.as_str())], took))
        }),
    );
    // A plan without a run of some state has none of them, which is a figure.
    let states = [
        State::Queued,
        State::Running,
        State::Success,
        State::Failed,
        State::Cancelled,
    ];
    page.family(
        "goyong_runs",
        Kind::Gauge,
        "Runs of the plan by state.",
        watched.plans.iter().flat_map(|plan| {
            states.map(|state| {
                let found = figures
                    .runs
                    .iter()
                    .find(|(of, is, _)| *of == plan.name && *is == state);
                let labels = vec![("plan", plan.name.as_str()), ("state", state.word())];
                (labels, found.map_or(0.0, |(_, _, count)| *count as f64))
            })
        }),
    );
    page.family(
        "goyong_occurrences_total",
        Kind::Counter,
        "Times the plan was due, by what became of them: run, or the reason why not.",
        figures.occurrences.iter().map(|(plan, reason, count)| {
            let outcome = if reason.is_empty() { "run" } else { reason };
            (
                vec![("plan", plan.as_str()), ("outcome", outcome)],
                *count as f64,
            )
        }),
    );
    page.family(
        "goyong_deadlines_missed_total",
        Kind::Counter,
        "Runs that had not succeeded by their deadline, also those that never started.",
        watched.plans.iter().map(|plan| {
            let found = figures
                .deadlines_missed
                .iter()
                .find(|(of, _)| *of == plan.name);
            (
                vec![("plan", plan.name.as_str())],
                found.map_or(0.0, |(_, count)| *count as f64),
            )
        }),
    );
    let mut oldest: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    for (plan, at) in &figures.heartbeats {
        let entry = oldest.entry(plan).or_insert(*at);
        *entry = (*entry).min(*at);
    }
    page.family(
        "goyong_lease_age_seconds",
        Kind::Gauge,
        "Time since the last heartbeat of the plan's run under way, the oldest one.",
        oldest.into_iter().map(|(plan, at)| {
            let age = (watched.now - at).num_milliseconds() as f64 / 1000.0;
            (vec![("plan", plan)], age)
        }),
    );
}

/// Metrics of a step: name, figure of its account, help.
const OF_STEPS: [(&str, &str, &str); 6] = [
    (
        "goyong_step_rows_in",
        "rows_in",
        "Rows delivered to or read by the step in the newest successful run.",
    ),
    (
        "goyong_step_rows_out",
        "rows_out",
        "Rows accepted or written by the step in the newest successful run.",
    ),
    (
        "goyong_step_written_bytes",
        "bytes_written",
        "Data files written by the step in the newest successful run.",
    ),
    (
        "goyong_step_partitions_rebuilt",
        "partitions_rebuilt",
        "Partitions computed by the step in the newest successful run.",
    ),
    (
        "goyong_step_rows_quarantined",
        "rows_quarantined",
        "Rows put into quarantine by the step in the newest successful run.",
    ),
    (
        "goyong_step_deliveries_refused",
        "deliveries_refused",
        "Deliveries refused by the step in the newest successful run.",
    ),
];

fn steps(page: &mut Exposition, successes: &[Success]) {
    let steps = || {
        successes.iter().flat_map(|success| {
            let plan = success.plan.as_str();
            success.steps.iter().map(move |step| (plan, step))
        })
    };
    page.family(
        "goyong_step_duration_seconds",
        Kind::Gauge,
        "How long the last attempt of the step took in the newest successful run.",
        steps().filter_map(|(plan, step)| {
            let took = step.finished_at? - step.started_at?;
            let labels = vec![("plan", plan), ("step", step.step.as_str())];
            Some((labels, took.num_milliseconds() as f64 / 1000.0))
        }),
    );
    for (name, figure, help) in OF_STEPS {
        page.family(
            name,
            Kind::Gauge,
            help,
            steps().filter_map(|(plan, step)| {
                let value = *step.account.figures.get(figure)?;
                let labels = vec![("plan", plan), ("step", step.step.as_str())];
                Some((labels, value as f64))
            }),
        );
    }
    page.family(
        "goyong_gate_passed",
        Kind::Gauge,
        "1 where the gate held in the newest successful run, 0 where it did not.",
        steps().flat_map(|(plan, step)| {
            step.account.findings.iter().map(move |finding| {
                let labels = vec![
                    ("plan", plan),
                    ("step", step.step.as_str()),
                    ("gate", finding.name.as_str()),
                ];
                (labels, f64::from(u8::from(finding.passed)))
            })
        }),
    );
}

/// Metrics of a source: name, figure of its part, help.
const OF_SOURCES: [(&str, &str, &str); 4] = [
    (
        "goyong_source_last_known_timestamp_seconds",
        "last_known_on_s",
        "The day on which the newest delivery of the source became known, its beginning in Seoul.",
    ),
    (
        "goyong_source_periods_missing",
        "periods_missing",
        "Periods of the source that were due on the run's business date and had not come.",
    ),
    (
        "goyong_source_overdue",
        "is_overdue",
        "1 where the source's next period was overdue on the run's business date.",
    ),
    (
        "goyong_source_rows_quarantined",
        "rows_quarantined",
        "Rows of the source put into quarantine by the newest run that took deliveries of it.",
    ),
];

fn of_sources(page: &mut Exposition, sources: &BTreeMap<String, BTreeMap<String, i64>>) {
    for (name, figure, help) in OF_SOURCES {
        page.family(
            name,
            Kind::Gauge,
            help,
            sources
                .iter()
                .filter_map(|(part, figures)| -> Option<Sample<'_>> {
                    let source = part.strip_prefix(SOURCE_PREFIX)?;
                    Some((vec![("source", source)], *figures.get(figure)? as f64))
                }),
        );
    }
}

fn notices(page: &mut Exposition, figures: &LedgerFigures) {
    let of = |count: fn(&(String, i64, i64, i64)) -> i64| {
        figures
            .notices
            .iter()
            .map(move |notice| (vec![("kind", notice.0.as_str())], count(notice) as f64))
            .collect::<Vec<_>>()
    };
    let waiting: i64 = figures.notices.iter().map(|notice| notice.1).sum();
    page.family(
        "goyong_notices_waiting",
        Kind::Gauge,
        "Notices that were decided and not delivered yet.",
        [(Vec::new(), waiting as f64)],
    );
    page.family(
        "goyong_notices_delivered_total",
        Kind::Counter,
        "Notices delivered.",
        of(|notice| notice.2),
    );
    page.family(
        "goyong_notices_given_up_total",
        Kind::Counter,
        "Notices that could not be delivered for days and are not tried again.",
        of(|notice| notice.3),
    );
}
