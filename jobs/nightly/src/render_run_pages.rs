//! Renders the run pages: what ran, what did not and why, from the ledger of runs and the records of nights by hand.
//!
//! Called when a run has ended, by whoever ran it, so that a page tells how its run ended, the step that rendered the
//! reports included. A warehouse that cannot be opened is no reason to leave the pages out: they are needed most then.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use goyong_site::{
    Attempt, Bilingual, LateSource, Occurrence, Outcome, PlanRuns, RUN_PAGES, ReleaseChange,
    RunPage, RunsInputs, RunsSummary, StepPage, TableChange,
};
use goyong_store::{LockGuard, Release, lock_in};
use goyong_types::TableName;

use crate::configuration::Configuration;
use crate::log_tail::{shown, shown_line};
use crate::night_journal::{BY_HAND, NightRecord, RecordedStep, newest_nights};
use crate::plan::PLAN;
use crate::project::{OpenProject, is_locked};
use crate::releases::{DIFFERENCE_HEADER, DifferenceOptions};
use crate::scheduled::run_pages::{LedgerRun, account_page, at};
use crate::scheduled::{ScheduledProject, has_ledger};
use crate::step::StepStatus;

/// Changes with anything that changes a page without changing its run.
const RENDERER: &str = "runs/1";
/// Runs that keep a page; older ones are listed only.
const PAGES: usize = 500;
/// Nights by hand that are listed.
const NIGHTS: usize = 1000;
/// Rows of a table that are compared one by one; a table with more is compared by its partitions.
const ROWS_COMPARED: u64 = 2_000_000;
/// How long to wait for whoever else writes the site.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Where nights by hand take place.
const PLACE: Tz = Tz::Asia__Seoul;

/// Renders the run pages of a project into `ops` of its site. Answers the first page's address and what was written.
pub async fn render_run_pages(folder: &Path) -> Result<(std::path::PathBuf, RunsSummary)> {
    let configuration = Configuration::load(folder)?;
    let out = configuration.site().join(RUN_PAGES);
    let _lock = lock_site(&configuration.warehouse).await?;
    let rendered = goyong_site::rendered_runs(&out);
    let mut work = Work {
        folder,
        project: None,
        now: Utc::now(),
    };
    let logs = configuration.warehouse.join("logs");
    let (nights, count) = newest_nights(&logs, NIGHTS)?;
    let scheduled = match has_ledger(&configuration)? {
        true => Some(ScheduledProject::open(folder).await?),
        false => None,
    };
    let (mut plans, ledger_runs) = match &scheduled {
        Some(scheduled) => scheduled.plan_runs().await?,
        None => (Vec::new(), Vec::new()),
    };
    if !nights.is_empty() {
        plans.push(nights_view(&nights, count));
    }

    let mut candidates: Vec<Candidate<'_>> = ledger_runs.iter().map(Candidate::Run).collect();
    candidates.extend(nights.iter().map(Candidate::Night));
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.began_at()));
    candidates.truncate(PAGES);
    let newest_over = candidates
        .iter()
        .find(|candidate| candidate.is_over())
        .map(|candidate| candidate.name().to_owned());
    let (mut runs, mut kept) = (Vec::new(), Vec::new());
    for candidate in &candidates {
        let fingerprint = format!("{RENDERER} {}", candidate.fingerprint(work.now));
        let name = candidate.name();
        if rendered.get(name) == Some(&fingerprint) {
            kept.push(name.to_owned());
            continue;
        }
        let mut page = match (candidate, &scheduled) {
            (Candidate::Run(run), Some(scheduled)) => {
                let mut page = scheduled.run_page(run).await?;
                for between in scheduled.published_between(run).await? {
                    page.release = work.release_between(between).await;
                }
                page
            }
            (Candidate::Run(_), None) => continue,
            (Candidate::Night(night), _) => {
                let mut page = night_page(night, work.now);
                if let Some(between) = published_by_hand(night) {
                    page.release = work.release_between(between).await;
                }
                page
            }
        };
        if newest_over.as_deref() == Some(name) {
            page.late_sources = work.late_sources().await;
        }
        page.fingerprint = fingerprint;
        runs.push(page);
    }
    let inputs = RunsInputs {
        project: configuration.project.clone(),
        notice: configuration.simulated.then(|| {
            Bilingual::new(
                "모의 국가의 실행 기록입니다.",
                "Runs of a simulated country.",
            )
        }),
        as_of: at(work.now, PLACE),
        site: configuration
            .site()
            .join("index.html")
            .is_file()
            .then(|| "..".to_owned()),
        plans,
        runs,
        kept,
    };
    let start = out.join("index.html");
    let summary =
        tokio::task::spawn_blocking(move || goyong_site::render_runs(&inputs, &out)).await??;
    Ok((start, summary))
}

/// The lock of everybody who writes to the site's folder.
pub(crate) async fn lock_site(warehouse: &Path) -> Result<LockGuard> {
    let waiting_since = Instant::now();
    loop {
        match lock_in(warehouse, "site").map_err(anyhow::Error::from) {
            Err(error) if is_locked(&error) && waiting_since.elapsed() < PATIENCE => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

/// What may have a page.
enum Candidate<'a> {
    Run(&'a LedgerRun),
    Night(&'a NightRecord),
}

impl Candidate<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Run(run) => run.run_id(),
            Self::Night(night) => &night.night,
        }
    }

    fn began_at(&self) -> DateTime<Utc> {
        match self {
            Self::Run(run) => run.queued_at(),
            Self::Night(night) => night.started_at,
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Run(run) => run.is_over(),
            Self::Night(night) => night.finished_at.is_some(),
        }
    }

    fn fingerprint(&self, now: DateTime<Utc>) -> String {
        match self {
            Self::Run(run) => run.fingerprint(now),
            Self::Night(night) => {
                let changed_at = night.finished_at.unwrap_or(now);
                format!("{} {}", night.steps.len(), changed_at.timestamp_millis())
            }
        }
    }
}

/// The warehouse, opened when a page needs it.
struct Work<'a> {
    folder: &'a Path,
    project: Option<Result<OpenProject>>,
    now: DateTime<Utc>,
}

impl Work<'_> {
    async fn project(&mut self) -> Result<&OpenProject, String> {
        if self.project.is_none() {
            self.project = Some(OpenProject::open(self.folder, None).await);
        }
        match &self.project {
            Some(Ok(project)) => Ok(project),
            Some(Err(error)) => Err(shown_line(&format!("{error:#}"))),
            None => Err(String::new()),
        }
    }

    /// The release that was published in a span of time, with what it changed.
    async fn release_between(
        &mut self,
        between: (DateTime<Utc>, DateTime<Utc>),
    ) -> Option<ReleaseChange> {
        let project = self.project().await.ok()?;
        let releases = project.warehouse().releases().await.ok()?;
        let place = releases
            .iter()
            .position(|release| (between.0..=between.1).contains(&release.published_at))?;
        let before = place.checked_sub(1).map(|before| &releases[before]);
        Some(released(project, &releases[place], before).await)
    }

    /// Sources that are overdue; none where nothing was ever built.
    async fn late_sources(&mut self) -> Vec<LateSource> {
        match self.try_late_sources().await {
            Ok(sources) => sources,
            Err(error) => {
                tracing::warn!("sources that are overdue are left out: {error}");
                Vec::new()
            }
        }
    }

    async fn try_late_sources(&mut self) -> Result<Vec<LateSource>, String> {
        let project = self.project().await?;
        let text = |error: anyhow::Error| shown_line(&format!("{error:#}"));
        let calendar =
            TableName::new("seed", "source_calendar").map_err(|error| text(error.into()))?;
        // A check before the first build would build; pages only read.
        let built = project.warehouse().snapshot(&calendar).await;
        if built.map_err(|error| text(error.into()))?.is_none() {
            return Ok(Vec::new());
        }
        let summary = project.check_freshness(None).await.map_err(text)?;
        let late = summary.rows.into_iter().filter(|row| row[1] != "in_time");
        Ok(late
            .map(|row| LateSource {
                source: row[0].clone(),
                state: row[1].clone(),
                due_on: row[4].clone(),
                days_late: row[5].clone(),
                last_known_on: row[3].clone(),
            })
            .collect())
    }
}

async fn released(
    project: &OpenProject,
    release: &Release,
    before: Option<&Release>,
) -> ReleaseChange {
    let mut change = ReleaseChange {
        id: release.id.clone(),
        before: before.map(|before| before.id.clone()),
        ..ReleaseChange::default()
    };
    let Some(before) = before else {
        return change;
    };
    let options = DifferenceOptions {
        from: Some(before.id.clone()),
        to: Some(release.id.clone()),
        rows_compared: Some(ROWS_COMPARED),
        ..DifferenceOptions::default()
    };
    match project.compare_releases(&options).await {
        Ok(summary) => {
            change.unchanged = summary.unchanged;
            change.tables = summary.tables.iter().map(|row| table_change(row)).collect();
        }
        Err(error) => change.problem = shown_line(&format!("{error:#}")),
    }
    change
}

fn table_change(row: &[String]) -> TableChange {
    let cell = |name: &str| {
        let place = DIFFERENCE_HEADER.iter().position(|column| *column == name);
        place
            .and_then(|place| row.get(place))
            .cloned()
            .unwrap_or_default()
    };
    TableChange {
        table: cell("table"),
        change: cell("change"),
        rows_before: cell("rows_before"),
        rows_after: cell("rows_after"),
        rows_added: cell("rows_added"),
        rows_removed: cell("rows_removed"),
        rows_changed: cell("rows_changed"),
        partitions: cell("partitions"),
        columns: cell("columns"),
    }
}

fn nights_view(nights: &[NightRecord], count: usize) -> PlanRuns {
    PlanRuns {
        name: BY_HAND.to_owned(),
        description: "goyong night".to_owned(),
        schedule: None,
        timezone: PLACE.name().to_owned(),
        next: None,
        paused: None,
        occurrences: nights.iter().map(night_occurrence).collect(),
        left_out: count.saturating_sub(NIGHTS) as u64,
    }
}

fn night_occurrence(night: &NightRecord) -> Occurrence {
    let (state, reason) = match night.status {
        None => ("unfinished", ""),
        Some(StepStatus::Done) => ("success", ""),
        Some(StepStatus::Nothing) => ("success", "nothing_new"),
        Some(StepStatus::Failed) if night.error.is_empty() => ("failed", "step_failed"),
        Some(StepStatus::Failed) => ("failed", "error"),
    };
    Occurrence {
        scheduled_at: at(night.started_at, PLACE),
        origin: "by_hand".to_owned(),
        requested_by: String::new(),
        outcome: Outcome::Run {
            run: night.night.clone(),
            state: state.to_owned(),
            reason: reason.to_owned(),
            detail: shown_line(&night.error),
            attempt: 1,
            started_at: Some(at(night.started_at, PLACE)),
            finished_at: night.finished_at.map(|finished| at(finished, PLACE)),
        },
        deadline: None,
    }
}

/// When the night's step that publishes worked, where it changed something.
fn published_by_hand(night: &NightRecord) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let step = night
        .steps
        .iter()
        .find(|step| step.name == "publish_release")?;
    let report = step.report.as_ref()?;
    (report.status == StepStatus::Done).then_some((step.started_at, step.finished_at?))
}

fn night_page(night: &NightRecord, now: DateTime<Utc>) -> RunPage {
    let steps = PLAN.iter().map(|planned| {
        let step = night.steps.iter().find(|step| step.name == planned.name);
        StepPage {
            name: planned.name.to_owned(),
            purpose: planned.reason.to_owned(),
            ..step.map_or_else(|| step_not_begun(night), |step| night_step(night, step))
        }
    });
    RunPage {
        run: night.night.clone(),
        plan: BY_HAND.to_owned(),
        timezone: PLACE.name().to_owned(),
        occurrence: night_occurrence(night),
        queued_at: None,
        holder: String::new(),
        steps: steps.collect(),
        release: None,
        late_sources: Vec::new(),
        as_of: at(now, PLACE),
        fingerprint: String::new(),
    }
}

fn step_not_begun(night: &NightRecord) -> StepPage {
    let (state, reason) = match night.status {
        None => ("queued", ""),
        Some(_) => ("upstream_failed", "upstream_failed"),
    };
    StepPage {
        state: state.to_owned(),
        reason: reason.to_owned(),
        ..StepPage::default()
    }
}

fn night_step(night: &NightRecord, step: &RecordedStep) -> StepPage {
    let (state, reason, detail) = match &step.report {
        Some(report) => {
            let (state, reason) = match report.status {
                StepStatus::Done => ("success", ""),
                StepStatus::Nothing => ("success", "nothing_new"),
                StepStatus::Failed => ("failed", "check_failed"),
            };
            (state, reason, report.summary.as_str())
        }
        None if step.finished_at.is_some() => ("failed", "error", night.error.as_str()),
        None => ("unfinished", "", ""),
    };
    let (reason, detail) = (reason.to_owned(), shown_line(detail));
    let attempt = Attempt {
        number: 1,
        started_at: at(step.started_at, PLACE),
        finished_at: step.finished_at.map(|finished| at(finished, PLACE)),
        state: state.to_owned(),
        reason: reason.clone(),
        detail: detail.clone(),
    };
    let told = step.report.as_ref().map(|report| {
        let lines: Vec<&str> = report.details.iter().map(String::as_str).collect();
        (report.figures.clone().into(), shown(&lines, false))
    });
    let (account, log) = told.unzip();
    StepPage {
        state: state.to_owned(),
        reason,
        detail,
        attempts: vec![attempt],
        log: log.filter(|log| !log.lines.is_empty()),
        ..account_page(&account.unwrap_or_default())
    }
}

/// Renders the run pages of whoever has just ended a run; what goes wrong is told and ends nothing.
pub(crate) async fn render_after_a_run(folder: &Path) {
    if let Err(error) = render_run_pages(folder)
        .await
        .context("render the run pages")
    {
        tracing::warn!("{error:#}; `goyong runs report` renders them again");
    }
}
