//! Ingests what lies in the landing folder, or files a person names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use goyong_intake::{
    ARCHIVE_IDENTITY, DeliveryOutcome, DeliveryStatus, IntakeContext, IntakeEvent, IntakeProgress,
    IntakeSummary as Intake, ReadLimits, deliveries, ingest_folder, ingest_landing, ingest_path,
};
use goyong_types::nearest_name;

use crate::figures::StepFigures;
use crate::plan::NightContext;
use crate::project::{LATEST_KNOWN_ON, OpenProject};
use crate::step::{NightEvent, StepOutcome};

/// Columns of an intake's result.
pub const DELIVERY_HEADER: [&str; 8] = [
    "file",
    "source",
    "period",
    "status",
    "delivered",
    "accepted",
    "quarantined",
    "notices",
];

/// What an intake may be told.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// A file or folder without manifests; the landing folder when absent.
    pub path: Option<PathBuf>,
    /// The contract of a single file.
    pub source: Option<String>,
    /// The day these files became known.
    pub known_on: Option<NaiveDate>,
}

/// What an intake did.
#[derive(Debug, Clone, Default)]
pub struct IntakeSummary {
    /// One per file looked into.
    pub outcomes: Vec<DeliveryOutcome>,
    /// Files known from before.
    pub unchanged: u64,
    /// Files no contract matches.
    pub unmatched: Vec<PathBuf>,
}

impl IntakeSummary {
    /// One row per delivery.
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.outcomes
            .iter()
            .map(|outcome| {
                let mut notices = outcome.notices.clone();
                notices.extend(outcome.reason.clone());
                vec![
                    outcome.file_name.clone(),
                    outcome.source.clone(),
                    outcome.period.clone().unwrap_or_default(),
                    outcome.status.as_str().to_owned(),
                    outcome.rows_delivered.to_string(),
                    outcome.rows_accepted.to_string(),
                    outcome.rows_quarantined.to_string(),
                    notices.join("; "),
                ]
            })
            .collect()
    }

    /// Deliveries that were refused.
    pub fn refused(&self) -> usize {
        self.count(DeliveryStatus::Refused)
    }

    /// One line of figures.
    pub fn summary(&self) -> String {
        let rows: u64 = self.outcomes.iter().map(|one| one.rows_accepted).sum();
        let quarantined: u64 = self.outcomes.iter().map(|one| one.rows_quarantined).sum();
        let persons: u64 = self.outcomes.iter().map(|one| one.new_persons).sum();
        format!(
            "{} deliveries accepted, {} refused, {} known before; {rows} rows, {quarantined} in quarantine, {persons} new persons",
            self.outcomes
                .iter()
                .filter(|one| one.status.is_accepted())
                .count(),
            self.refused(),
            self.count(DeliveryStatus::Duplicate) as u64 + self.unchanged,
        )
    }

    fn count(&self, status: DeliveryStatus) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.status == status)
            .count()
    }
}

impl From<Intake> for IntakeSummary {
    fn from(intake: Intake) -> Self {
        Self {
            outcomes: intake.outcomes,
            unchanged: intake.unchanged,
            unmatched: intake.unknown,
        }
    }
}

/// Ingests the landing folder. A refused delivery is reported and does not stop the night: the
/// tables hold what was accepted before, and the reports show the gap.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let intake = night
        .project
        .ingest_locked(&IngestOptions::default(), night.events)
        .await?;
    let details = intake
        .outcomes
        .iter()
        .filter(|outcome| outcome.status == DeliveryStatus::Refused)
        .map(|outcome| {
            format!(
                "refused: {} {}: {}",
                outcome.source,
                outcome.file_name,
                outcome.reason.as_deref().unwrap_or_default()
            )
        })
        .collect();
    Ok(if intake.outcomes.is_empty() {
        StepOutcome::nothing("no new delivery")
    } else {
        StepOutcome::done(intake.summary())
    }
    .with_details(details)
    .with_figures(StepFigures::of_intake(&intake.outcomes)))
}

impl OpenProject {
    /// Ingests what a person names, or the landing folder.
    pub async fn ingest(
        &self,
        options: &IngestOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<IntakeSummary> {
        let _lock = self.lock_night().await?;
        self.ingest_locked(options, events).await
    }

    pub(crate) async fn ingest_locked(
        &self,
        options: &IngestOptions,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<IntakeSummary> {
        let context = self
            .intake_context(options.known_on, options.path.is_some())
            .await?;
        let mut done = 0;
        let mut planned = 0;
        let mut progress = |event: IntakeEvent<'_>| match event {
            IntakeEvent::Planned { files, .. } => planned = files,
            IntakeEvent::Started {
                file_name, bytes, ..
            } => events(NightEvent::Working(format!(
                "{done} of {planned} files, {file_name} ({:.1} MB)",
                bytes as f64 / 1e6
            ))),
            IntakeEvent::Finished(_) => done += 1,
        };
        let intake: IntakeSummary = match &options.path {
            None => {
                let landing = self.landing();
                if !landing.is_dir() {
                    bail!(
                        "landing folder {} not found; run `goyong init` again to make it",
                        landing.display()
                    );
                }
                ingest_landing(&context, &landing, &mut progress)
                    .await?
                    .into()
            }
            Some(path) if path.is_dir() => {
                ingest_folder(&context, path, &mut progress).await?.into()
            }
            Some(path) if path.is_file() => {
                ingest_one(&context, path, options.source.as_deref(), &mut progress)
                    .await?
                    .into()
            }
            Some(path) => bail!("{} not found; name a file or a folder", path.display()),
        };
        self.remember_latest_known_on().await?;
        Ok(intake)
    }

    pub(crate) async fn intake_context(
        &self,
        known_on: Option<NaiveDate>,
        needs_day: bool,
    ) -> Result<IntakeContext> {
        let keys = self.keys()?;
        let vault = self.vault(&keys)?;
        self.check_vault(&keys, &vault).await?;
        if keys.has_archive_identity() && !self.configuration().simulated {
            tracing::warn!(
                "{} opens the archive and lies beside the other keys: move it off this machine",
                keys.folder().join(ARCHIVE_IDENTITY).display()
            );
        }
        let known_on = match known_on {
            Some(day) => day,
            None => match (self.latest_known_on().await?, needs_day) {
                (Some(day), _) => day,
                // A delivery that brings no day of its own is then refused.
                (None, false) => NaiveDate::MIN,
                (None, true) => bail!(
                    "no delivery has said which day it is; tell when these files became known, such as --known-on 2026-11-01"
                ),
            },
        };
        Ok(IntakeContext {
            warehouse: self.warehouse().clone(),
            vault,
            keys: Arc::new(keys),
            contracts: self.project().contracts().clone(),
            known_on,
            archive: Some(self.configuration().archive()),
            limits: ReadLimits {
                threads: self.configuration().worker_threads(),
                ..ReadLimits::default()
            },
        })
    }

    /// Keeps the latest day on which something that was loaded became known. The ledger of deliveries says it, not this
    /// intake: one that died before may have recorded deliveries and not the day.
    async fn remember_latest_known_on(&self) -> Result<()> {
        let recorded = deliveries(self.warehouse()).await?;
        let newest = recorded
            .iter()
            .filter(|delivery| delivery.status.is_accepted() || delivery.rows_accepted > 0)
            .map(|delivery| delivery.known_on)
            .filter(|day| *day != NaiveDate::MIN)
            .max();
        match newest {
            Some(newest) => self.remember_known_on(newest).await,
            None => Ok(()),
        }
    }

    /// Keeps the day when nothing later became known before.
    pub(crate) async fn remember_known_on(&self, day: NaiveDate) -> Result<()> {
        if self
            .latest_known_on()
            .await?
            .is_none_or(|known| known < day)
        {
            let (scope, key) = LATEST_KNOWN_ON;
            self.warehouse()
                .memo_put(scope, key, &day.to_string())
                .await?;
        }
        Ok(())
    }
}

async fn ingest_one(
    context: &IntakeContext,
    path: &Path,
    source: Option<&str>,
    progress: &mut IntakeProgress<'_>,
) -> Result<Intake> {
    if let Some(source) = source
        && !context.contracts.contains_key(source)
    {
        let names = context.contracts.keys().map(String::as_str);
        match nearest_name(source, names) {
            Some(nearest) => bail!("no contract `{source}`; did you mean `{nearest}`?"),
            None => {
                bail!("no contract `{source}`; `goyong contract ls` lists them")
            }
        }
    }
    ingest_path(context, path, source, progress)
        .await?
        .with_context(|| {
            format!(
                "no contract recognises {} by its name; name one with --source",
                path.display()
            )
        })
}
