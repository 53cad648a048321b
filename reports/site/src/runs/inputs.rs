//! What the caller hands in. Plain values with instants on the wall clock of each plan's place.

use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::language::Bilingual;

/// A time as the plan's place writes it.
pub type LocalTime = DateTime<FixedOffset>;

/// Everything the run pages are made from.
#[derive(Debug, Clone)]
pub struct RunsInputs {
    /// Name of the project.
    pub project: String,
    /// A notice on top of every page.
    pub notice: Option<Bilingual>,
    /// When the ledger was read.
    pub as_of: LocalTime,
    /// Address of the public site's start page from the folder of the run pages; none where there is no site yet.
    pub site: Option<String>,
    /// The plans with what became of their occurrences.
    pub plans: Vec<PlanRuns>,
    /// Pages to be written, in any order.
    pub runs: Vec<RunPage>,
    /// Runs whose page was written before and stays; every other page is removed.
    pub kept: Vec<String>,
}

/// A plan, or the nights that somebody started by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRuns {
    /// Its name.
    pub name: String,
    /// What it is for, as its file says.
    pub description: String,
    /// Its cron expression; none for what is only started by hand.
    pub schedule: Option<String>,
    /// Its time zone.
    pub timezone: String,
    /// When it is due next.
    pub next: Option<LocalTime>,
    /// Since when it is paused, and why.
    pub paused: Option<(LocalTime, String)>,
    /// Newest first.
    pub occurrences: Vec<Occurrence>,
    /// Older occurrences that are not listed.
    pub left_out: u64,
}

/// A time a plan was due, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// When it was due.
    pub scheduled_at: LocalTime,
    /// `schedule`, `catchup`, `trigger`, `backfill` or `by_hand`.
    pub origin: String,
    /// The account that asked for it; empty where nobody did.
    pub requested_by: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How its deadline stands.
    pub deadline: Option<DeadlineState>,
}

/// Run or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was run, or waits to be.
    Run {
        /// The run.
        run: String,
        /// One of the states of a run.
        state: String,
        /// One word for why; may be empty.
        reason: String,
        /// One line.
        detail: String,
        /// How often it was taken up.
        attempt: u32,
        /// When it began.
        started_at: Option<LocalTime>,
        /// When it ended.
        finished_at: Option<LocalTime>,
    },
    /// It was not run.
    NotRun(NotRunReason),
}

/// Why an occurrence was not run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotRunReason {
    /// One word.
    pub code: String,
    /// What is to be said beside it, such as the name of a holiday.
    pub detail: String,
    /// The other time that the reason speaks of.
    pub at: Option<LocalTime>,
}

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineState {
    /// Success came before it.
    Met(LocalTime),
    /// It passed without success.
    Missed(LocalTime),
    /// It lies ahead.
    Open(LocalTime),
}

impl DeadlineState {
    /// The deadline itself.
    #[must_use]
    pub fn at(&self) -> LocalTime {
        match self {
            Self::Met(at) | Self::Missed(at) | Self::Open(at) => *at,
        }
    }
}

/// The page of one run.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// Its name, fit for an address.
    pub run: String,
    /// Its plan.
    pub plan: String,
    /// The plan's time zone.
    pub timezone: String,
    /// When it was due, how it stands, its deadline.
    pub occurrence: Occurrence,
    /// When it was queued.
    pub queued_at: Option<LocalTime>,
    /// Who held it last: machine and process.
    pub holder: String,
    /// The steps in their order.
    pub steps: Vec<StepPage>,
    /// What it published.
    pub release: Option<ReleaseChange>,
    /// Sources that had not delivered what was due.
    pub late_sources: Vec<LateSource>,
    /// When the ledger was read.
    pub as_of: LocalTime,
    /// Changes when the page would; remembered so that an unchanged run is not read again.
    pub fingerprint: String,
}

/// A step of a run.
#[derive(Debug, Clone, Default)]
pub struct StepPage {
    /// Its name.
    pub name: String,
    /// Why it runs, and why here.
    pub purpose: String,
    /// One of the states of a step.
    pub state: String,
    /// One word for why; may be empty.
    pub reason: String,
    /// One line: the figures that matter.
    pub detail: String,
    /// When it is tried again.
    pub not_before: Option<LocalTime>,
    /// Its attempts in their order.
    pub attempts: Vec<Attempt>,
    /// Figures by name, as the step told them.
    pub figures: Vec<Figure>,
    /// Figures of its parts, such as tables and sources, by name of the part.
    pub parts: Vec<(String, Vec<Figure>)>,
    /// Conditions it decided.
    pub gates: Vec<GateLine>,
    /// The end of its log.
    pub log: Option<LogTail>,
}

/// A figure with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// A word of the ledger.
    pub name: String,
    /// A count, or bytes.
    pub value: i64,
}

/// A condition that a step decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateLine {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What it was decided on.
    pub detail: String,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: LocalTime,
    /// When it ended; none while it runs.
    pub finished_at: Option<LocalTime>,
    /// How it ended.
    pub state: String,
    /// One word for why; may be empty.
    pub reason: String,
    /// One line.
    pub detail: String,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LogTail {
    /// Its last lines.
    pub lines: Vec<String>,
    /// Whether it has more lines before them.
    pub is_cut: bool,
}

/// What the run's release changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReleaseChange {
    /// The release.
    pub id: String,
    /// The release before it.
    pub before: Option<String>,
    /// One row per table that differs.
    pub tables: Vec<TableChange>,
    /// Tables with the same rows and columns.
    pub unchanged: usize,
    /// Why it could not be compared; empty when it was.
    pub problem: String,
}

/// How a table differs from the release before. Numbers are empty where they were not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TableChange {
    /// The table.
    pub table: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// Rows before.
    pub rows_before: String,
    /// Rows after.
    pub rows_after: String,
    /// Rows that are new.
    pub rows_added: String,
    /// Rows that are gone.
    pub rows_removed: String,
    /// Rows with the same key and other values.
    pub rows_changed: String,
    /// Partitions that differ.
    pub partitions: String,
    /// Columns that came, went or changed.
    pub columns: String,
}

/// A source that had not delivered what was due.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LateSource {
    /// The source.
    pub source: String,
    /// `overdue` or `never`.
    pub state: String,
    /// The day it was due.
    pub due_on: String,
    /// Days since then.
    pub days_late: String,
    /// The last day something of it became known.
    pub last_known_on: String,
}
