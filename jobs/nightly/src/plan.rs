//! The night as one ordered list.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{NaiveDate, Utc};
use futures::future::BoxFuture;
use goyong_store::Fence;
use serde::Serialize;

use crate::figures::StepFigures;
use crate::night_journal::NightJournal;
use crate::project::{OpenProject, is_locked};
use crate::render_run_pages::render_after_a_run;
use crate::scheduled::{BUILT_IN_PLAN, StepVerdict, built_in_night};
use crate::step::{
    NightEvent, StepOutcome, StepReport, StepStatus, peak_memory_mib, reset_peak_memory,
};
use crate::watch::HandRun;
use crate::{
    build_tables, ingest_deliveries, link_workplaces, merge_cases, publish_release, render_cases,
    render_reports, train_models, verify_advertisements,
};

/// What a night may be told.
#[derive(Debug, Clone, Default)]
pub struct NightOptions {
    /// Run as known on this day; the latest day a delivery became known when absent.
    pub as_of: Option<NaiveDate>,
    /// Rebuild every partition, changed or not.
    pub full_refresh: bool,
}

/// What a step sees of the night.
pub struct NightContext<'a> {
    /// The project the night runs on.
    pub project: &'a OpenProject,
    /// What the night was told.
    pub options: &'a NightOptions,
    /// Where news goes.
    pub events: &'a (dyn Fn(NightEvent) + Sync + Send),
}

impl NightContext<'_> {
    /// The day the night knows: as told, or the latest day a delivery became known.
    pub async fn as_of(&self) -> Result<NaiveDate> {
        self.project.as_of_or_latest(self.options.as_of).await
    }
}

type StepFunction = for<'a> fn(&'a NightContext<'a>) -> BoxFuture<'a, Result<StepOutcome>>;

/// One step: a job with the reason why it stands where it does.
pub struct Step {
    /// The job's name, verb and noun.
    pub name: &'static str,
    /// Why it runs, and why here.
    pub reason: &'static str,
    /// The job.
    pub run: StepFunction,
}

/// Every step of the night, in order. A failed step ends the night: what follows would publish
/// what it did not check; readers stay on the release before.
pub const PLAN: [Step; 9] = [
    Step {
        name: "ingest_deliveries",
        reason: "everything later is computed from accepted rows only",
        run: |night| Box::pin(ingest_deliveries::run(night)),
    },
    Step {
        name: "link_workplaces",
        reason: "the tables that follow name the business a workplace belongs to",
        run: |night| Box::pin(link_workplaces::run(night)),
    },
    Step {
        name: "build_tables",
        reason: "core, marts, features, alerts: what changed, in graph order, with tests and checks",
        run: |night| Box::pin(build_tables::run(night)),
    },
    Step {
        name: "verify_advertisements",
        reason: "phrases, minimum wages and the versions of the ads in force are tables by then",
        run: |night| Box::pin(verify_advertisements::run(night)),
    },
    Step {
        name: "train_models",
        reason: "features and labels are complete up to as_of only after the build",
        run: |night| Box::pin(train_models::run(night)),
    },
    Step {
        name: "merge_cases",
        reason: "an alert becomes work once its tables passed their tests; the release carries what became of it",
        run: |night| Box::pin(merge_cases::run(night)),
    },
    Step {
        name: "publish_release",
        reason: "readers change over in one act, after everything that can fail",
        run: |night| Box::pin(publish_release::run(night)),
    },
    Step {
        name: "render_reports",
        reason: "a report quotes a release, so it needs one",
        run: |night| Box::pin(render_reports::run(night)),
    },
    Step {
        name: "render_cases",
        reason: "a dossier is computed from a release as well; last, because reports wait for no case",
        run: |night| Box::pin(render_cases::run(night)),
    },
];

/// A night that ended.
#[derive(Debug, Clone, Serialize)]
pub struct NightReport {
    /// The worst of its steps; `Nothing` when no step changed anything.
    pub status: StepStatus,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
    /// The release readers see now.
    pub release: Option<String>,
    /// Wall time of the whole night.
    pub elapsed_ms: u64,
}

impl NightReport {
    /// One line for the end of the log.
    pub fn closing_line(&self) -> String {
        let seconds = self.elapsed_ms as f64 / 1000.0;
        let release = self.release.as_deref().unwrap_or("none");
        match self.status {
            StepStatus::Done => format!("night done in {seconds:.1} s; release {release}"),
            StepStatus::Nothing => format!(
                "nothing new: no delivery, no table, no model, no report changed; release {release} stays ({seconds:.1} s)"
            ),
            StepStatus::Failed => {
                format!("night failed after {seconds:.1} s; readers stay on release {release}")
            }
        }
    }
}

impl NightContext<'_> {
    async fn run_step(&self, index: usize, step: &Step) -> Result<StepReport> {
        let events = self.events;
        events(NightEvent::StepStarted {
            position: index + 1,
            total: PLAN.len(),
            name: step.name,
            reason: step.reason,
        });
        reset_peak_memory();
        StepFigures::begin(self.project.warehouse());
        let started = Instant::now();
        let outcome = (step.run)(self)
            .await
            .with_context(|| format!("step {}", step.name))?;
        let report = StepReport {
            position: index + 1,
            total: PLAN.len(),
            name: step.name.to_owned(),
            status: outcome.status,
            summary: outcome.summary,
            details: outcome.details,
            figures: outcome.figures.with_activity(self.project.warehouse()),
            elapsed_ms: started.elapsed().as_millis() as u64,
            peak_memory_mib: peak_memory_mib(),
        };
        self.project.tell_lineage(&report.figures).await;
        events(NightEvent::StepFinished(Box::new(report.clone())));
        Ok(report)
    }
}

/// How long a scheduled step waits for whoever holds the lock of the night.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at the lock.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl OpenProject {
    /// Runs one step for a scheduled run, whose fence is raised first: a worker that was paused meanwhile commits
    /// nothing more. Holds the night's lock while it runs, and waits a while for it.
    pub async fn run_step(
        &self,
        job: &str,
        fence: &Fence,
        options: &NightOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<StepReport> {
        let (index, step) = PLAN
            .iter()
            .enumerate()
            .find(|(_, step)| step.name == job)
            .with_context(|| format!("no job `{job}`"))?;
        self.warehouse().raise_fence(fence).await?;
        let waiting_since = Instant::now();
        let _lock = loop {
            match self.lock_night().await {
                Err(error) if is_locked(&error) && waiting_since.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                outcome => break outcome?,
            }
        };
        // A newer worker may have come while this one waited.
        self.warehouse().raise_fence(fence).await?;
        let night = NightContext {
            project: self,
            options,
            events,
        };
        night.run_step(index, step).await
    }

    /// Runs the plan; holds the night's lock, so a second night at the same time is refused. What became of it is kept
    /// and stands on the run pages.
    pub async fn run_night(
        &self,
        options: &NightOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<NightReport> {
        let lock = self.lock_night().await?;
        let mut journal = NightJournal::begin(&self.logs(), Utc::now());
        let plan = (BUILT_IN_PLAN.0, built_in_night().ok());
        let told = HandRun::begin(self.telemetry(), plan, journal.night(), Utc::now());
        let outcome = self.run_steps(options, events, &mut journal, &told).await;
        let ended = match &outcome {
            Ok(report) => Ok((report.status, report.release.clone())),
            Err(error) => Err(format!("{error:#}")),
        };
        journal.ended(ended, Utc::now());
        drop(lock);
        let has_succeeded = matches!(&outcome, Ok(report) if report.status != StepStatus::Failed);
        told.ended(has_succeeded, Utc::now()).await;
        render_after_a_run(self.folder()).await;
        outcome
    }

    async fn run_steps(
        &self,
        options: &NightOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
        journal: &mut NightJournal,
        told: &HandRun,
    ) -> Result<NightReport> {
        let night = NightContext {
            project: self,
            options,
            events,
        };
        let started = Instant::now();
        let mut steps: Vec<StepReport> = Vec::with_capacity(PLAN.len());
        for (index, step) in PLAN.iter().enumerate() {
            journal.step_began(step.name, Utc::now());
            told.step_began(step.name, Utc::now());
            let outcome = night.run_step(index, step).await;
            told.step_ended(step.name, StepVerdict::of(&outcome), Utc::now());
            journal.step_ended(outcome.as_ref().ok().cloned(), Utc::now());
            let report = outcome?;
            let failed = report.status == StepStatus::Failed;
            steps.push(report);
            if failed {
                break;
            }
        }
        let status = if steps.iter().any(|step| step.status == StepStatus::Failed) {
            StepStatus::Failed
        } else if steps.iter().all(|step| step.status == StepStatus::Nothing) {
            StepStatus::Nothing
        } else {
            StepStatus::Done
        };
        Ok(NightReport {
            status,
            steps,
            release: self.latest_release_id().await?,
            elapsed_ms: started.elapsed().as_millis() as u64,
        })
    }
}
