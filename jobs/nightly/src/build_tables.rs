//! Builds the tables that changed, in graph order, with their tests and the checks across tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::Result;
use chrono::{NaiveDate, Utc};
use goyong_catalog::{ProjectState, Selection, Vars};
use goyong_engine::{
    BuildEvent, BuildMode, BuildPlan, BuildReport, BuildScope, ModelReport, Outcome, PlannedStep,
    Progress, StepDetail,
};
use goyong_types::{Month, TableName};

use crate::figures::StepFigures;
use crate::plan::NightContext;
use crate::project::{OpenProject, load_project};
use crate::scheduled::StepVerdict;
use crate::step::{NightEvent, StepOutcome, StepStatus};
use crate::watch::HandRun;

/// What a build by hand is called where runs are told of, and its one step.
const BUILD: &str = "build";
const STEP: &str = "build_tables";

/// Columns of a build's result.
pub const BUILD_HEADER: [&str; 6] = [
    "table",
    "outcome",
    "partitions",
    "rows",
    "seconds",
    "reason",
];

/// Columns of a plan.
pub const PLAN_HEADER: [&str; 13] = [
    "table",
    "build",
    "keep",
    "follows",
    "why",
    "months",
    "rows_to_read",
    "bytes_to_read",
    "rows_to_write",
    "bytes_to_write",
    "columns",
    "affects",
    "reports",
];

/// What a build may be told.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Models to build, in graph syntax; all when empty.
    pub select: Vec<String>,
    /// Models to leave out.
    pub exclude: Vec<String>,
    /// As known on this day.
    pub as_of: Option<NaiveDate>,
    /// Rebuild every partition.
    pub full_refresh: bool,
    /// What is done with the models.
    pub mode: BuildMode,
    /// A project folder that `state:` compares with instead of the last build.
    pub state: Option<PathBuf>,
    /// Only these months of models kept by month, the second excluded.
    pub event_time: Option<(Month, Month)>,
}

impl BuildOptions {
    fn scope(&self) -> BuildScope {
        BuildScope {
            full_refresh: self.full_refresh,
            months: self.event_time,
        }
    }
}

/// A build that ended.
#[derive(Debug, Clone)]
pub struct BuildSummary {
    /// One row per table, then one per failed test or check.
    pub rows: Vec<Vec<String>>,
    /// Whether a model, test or check failed.
    pub failed: bool,
}

/// What a build would do.
#[derive(Debug, Clone)]
pub struct PlanSummary {
    /// One row per table.
    pub rows: Vec<Vec<String>>,
    /// The months the build would be limited to, in words.
    pub interval: Option<String>,
    /// Whether a table cannot be planned.
    pub failed: bool,
}

/// Builds everything that changed.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let as_of = night.as_of().await?;
    let report = build(
        night.project,
        &Selection::all(),
        as_of,
        BuildScope {
            full_refresh: night.options.full_refresh,
            months: None,
        },
        BuildMode::default(),
        night.events,
    )
    .await?;
    let details = failures(&report);
    let rows: u64 = report.models.iter().map(|model| model.rows_written).sum();
    let summary = format!(
        "{} tables built ({rows} rows), {} unchanged, {} without input; {} tests and {} checks run, as of {as_of}",
        report.count(&Outcome::Built),
        report.count(&Outcome::Fresh),
        report.count(&Outcome::InputMissing),
        report
            .models
            .iter()
            .map(|model| model.tests_run)
            .sum::<usize>(),
        report.checks_run,
    );
    Ok(match status(&report) {
        StepStatus::Failed => StepOutcome::failed(summary),
        StepStatus::Nothing => {
            StepOutcome::nothing(format!("every table unchanged, as of {as_of}"))
        }
        StepStatus::Done => StepOutcome::done(summary),
    }
    .with_details(details)
    .with_figures(StepFigures::of_build(&report, night.project.project())))
}

fn status(report: &BuildReport) -> StepStatus {
    if !report.succeeded() {
        StepStatus::Failed
    } else if report.did_nothing() {
        StepStatus::Nothing
    } else {
        StepStatus::Done
    }
}

impl OpenProject {
    /// Builds a selection, for a person at the command line. Whoever the environment names is told of it as of a run of
    /// one step.
    pub async fn build(
        &self,
        options: &BuildOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<BuildSummary> {
        let lock = self.lock_night().await?;
        let began = Utc::now();
        let run_id = format!("{BUILD}-{}Z", began.format("%Y%m%dT%H%M%S%3f"));
        let told = HandRun::begin(self.telemetry(), (BUILD, None), &run_id, began);
        told.step_began(STEP, began);
        StepFigures::begin(self.warehouse());
        let outcome = self.build_selection(options, events).await;
        let verdict = match &outcome {
            Ok(report) => {
                let figures = StepFigures::of_build(report, self.project());
                let figures = figures.with_activity(self.warehouse());
                self.tell_lineage(&figures).await;
                StepVerdict::ended(status(report), "", figures)
            }
            Err(error) => StepVerdict::broken_off(error),
        };
        drop(lock);
        told.step_ended(STEP, verdict, Utc::now());
        let has_succeeded = outcome.as_ref().is_ok_and(BuildReport::succeeded);
        told.ended(has_succeeded, Utc::now()).await;
        let report = outcome?;
        let mut rows: Vec<Vec<String>> = report.models.iter().map(model_row).collect();
        rows.extend(failures(&report).into_iter().map(|failure| {
            let mut row = vec![String::new(); BUILD_HEADER.len()];
            row[1] = "test".to_owned();
            row[BUILD_HEADER.len() - 1] = failure;
            row
        }));
        Ok(BuildSummary {
            rows,
            failed: !report.succeeded(),
        })
    }

    async fn build_selection(
        &self,
        options: &BuildOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<BuildReport> {
        let as_of = self.as_of_or_latest(options.as_of).await?;
        let selection = selection(self, options).await?;
        let (scope, mode) = (options.scope(), options.mode);
        build(self, &selection, as_of, scope, mode, events).await
    }

    /// The SQL of a model as the engine gets it; a partitioned one for the month of `as_of`.
    pub async fn compile(&self, model: &str, as_of: Option<NaiveDate>) -> Result<String> {
        let as_of = self.as_of_or_latest(as_of).await?;
        Ok(self.engine().compile(model, as_of)?)
    }

    /// What a build of a selection would do, and why.
    pub async fn plan(&self, options: &BuildOptions) -> Result<PlanSummary> {
        let as_of = self.as_of_or_latest(options.as_of).await?;
        let engine = self.engine();
        let plan = engine
            .plan_scope(&selection(self, options).await?, as_of, options.scope())
            .await?;
        let details = engine.describe(&plan).await?;
        let reports = self.reports_by_table();
        let rows = plan.steps.iter().zip(&details);
        Ok(PlanSummary {
            interval: interval(&plan),
            failed: details.iter().any(|detail| detail.is_refused),
            rows: rows
                .map(|(step, detail)| plan_row(step, detail, &reports))
                .collect(),
        })
    }

    /// The reports that read each table.
    fn reports_by_table(&self) -> BTreeMap<TableName, BTreeSet<String>> {
        let mut reports: BTreeMap<TableName, BTreeSet<String>> = BTreeMap::new();
        let project = self.project();
        for (path, text) in project.files().below("reports", "yml") {
            // A report that cannot be read is told when it is rendered.
            let Ok(compiled) = project.compile_text(path, text, &Vars::new()) else {
                continue;
            };
            let name = path.rsplit('/').next().unwrap_or(path);
            let name = name.strip_suffix(".yml").unwrap_or(name);
            for table in compiled.inputs {
                reports.entry(table).or_default().insert(name.to_owned());
            }
        }
        reports
    }
}

/// One row of a plan.
fn plan_row(
    step: &PlannedStep,
    detail: &StepDetail,
    reports: &BTreeMap<TableName, BTreeSet<String>>,
) -> Vec<String> {
    let words = |tables: &[TableName]| {
        let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let is_stale = step.partitions_stale > 0;
    let read_by: BTreeSet<&str> = std::iter::once(&step.table)
        .chain(&detail.affects)
        .filter(|_| !step.reason.is_empty())
        .filter_map(|table| reports.get(table))
        .flatten()
        .map(String::as_str)
        .collect();
    vec![
        step.table.to_string(),
        step.partitions_stale.to_string(),
        step.partitions_fresh.to_string(),
        words(&step.follows),
        step.reason.clone(),
        months_in_words(&step.partitions),
        number(is_stale.then_some(detail.rows_to_read)),
        number(is_stale.then_some(detail.bytes_to_read)),
        number(detail.rows_to_write),
        number(detail.bytes_to_write),
        detail.columns.join(", "),
        words(&detail.affects),
        read_by.into_iter().collect::<Vec<_>>().join(" "),
    ]
}

/// `2024-01..2024-03 2024-08`: runs of months that follow each other.
fn months_in_words(months: &[String]) -> String {
    let mut runs: Vec<(Month, Month)> = Vec::new();
    for month in months
        .iter()
        .filter_map(|month| month.parse::<Month>().ok())
    {
        match runs.last_mut() {
            Some((_, last)) if last.next() == month => *last = month,
            _ => runs.push((month, month)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}..{last}"),
        })
        .collect();
    words.join(" ")
}

/// The months a build is limited to, with their end, which is excluded.
fn interval(plan: &BuildPlan) -> Option<String> {
    let (from, to, months) = plan.months()?;
    Some(format!(
        "event time from {} to before {}: {months} months",
        from.first_day(),
        to.first_day()
    ))
}

/// The selection, with the state its words compare with.
pub(crate) async fn selection(project: &OpenProject, options: &BuildOptions) -> Result<Selection> {
    let mut selection = Selection {
        select: options.select.clone(),
        exclude: options.exclude.clone(),
        state: None,
    };
    if selection.needs_state() {
        selection.state = match &options.state {
            Some(folder) => Some(ProjectState::of(&load_project(folder)?.0)),
            None => project.engine().last_state().await?,
        };
    }
    Ok(selection)
}

pub(crate) async fn build(
    project: &OpenProject,
    selection: &Selection,
    as_of: NaiveDate,
    scope: BuildScope,
    mode: BuildMode,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<BuildReport> {
    let engine = project.engine();
    let plan = engine
        .plan_scope(selection, as_of, scope)
        .await?
        .with_mode(mode);
    if let Some(interval) = interval(&plan) {
        events(NightEvent::Notice(interval));
    }
    let progress = TableProgress {
        events,
        counts: Mutex::new((0, plan.steps.len())),
    };
    Ok(engine.build(&plan, &progress).await?)
}

struct TableProgress<'a> {
    events: &'a (dyn Fn(NightEvent) + Sync + Send),
    /// Tables finished, tables planned.
    counts: Mutex<(usize, usize)>,
}

impl Progress for TableProgress<'_> {
    fn event(&self, event: BuildEvent<'_>) {
        let Ok(mut counts) = self.counts.lock() else {
            return;
        };
        match event {
            BuildEvent::Planned { models } => counts.1 = models,
            BuildEvent::Started { table, .. } => (self.events)(NightEvent::Working(format!(
                "{} of {} tables, {table}",
                counts.0, counts.1
            ))),
            BuildEvent::Partition { table, done, of } => {
                (self.events)(NightEvent::Working(format!(
                    "{} of {} tables, {table} partition {done} of {of}",
                    counts.0, counts.1
                )));
            }
            BuildEvent::Finished { .. } => counts.0 += 1,
        }
    }
}

fn model_row(model: &ModelReport) -> Vec<String> {
    let outcome = match model.outcome {
        Outcome::Built => "built",
        Outcome::Fresh => "unchanged",
        Outcome::View => "view",
        Outcome::InputMissing => "input missing",
        Outcome::Failed => "FAILED",
        Outcome::HeldBack => "held back",
    };
    vec![
        model.table.to_string(),
        outcome.to_owned(),
        format!(
            "{} of {}",
            model.partitions_built,
            model.partitions_built + model.partitions_unchanged + model.partitions_fresh
        ),
        model.rows.to_string(),
        format!("{:.1}", model.elapsed_ms as f64 / 1000.0),
        match model.ran_on() {
            Some(place) if model.ran_on_cluster > 0 => format!("{}; ran on {place}", model.reason),
            _ => model.reason.clone(),
        },
    ]
}

/// One line per failed model, test or check.
pub(crate) fn failures(report: &BuildReport) -> Vec<String> {
    let models = report
        .models
        .iter()
        .filter(|model| matches!(model.outcome, Outcome::Failed | Outcome::HeldBack))
        .map(|model| format!("{}: {}", model.table, model.reason));
    let tests = report.failures().map(|failure| {
        format!(
            "{} {}: {} rows fail{}",
            failure.subject,
            failure.test,
            failure.failing_rows,
            failure
                .examples
                .first()
                .map(|example| format!(", such as {example}"))
                .unwrap_or_default()
        )
    });
    models.chain(tests).collect()
}
