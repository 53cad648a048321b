use serde::{Deserialize, Serialize};

use crate::figures::StepFigures;

/// How a step of the night ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It changed something.
    Done,
    /// Nothing to do: every input is what it was.
    Nothing,
    /// Something checked did not hold; what depends on it did not run.
    Failed,
}

/// What a job says of its work.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// How it ended.
    pub status: StepStatus,
    /// One line: the figures that matter.
    pub summary: String,
    /// Lines a reader needs only when something is odd.
    pub details: Vec<String>,
    /// What it did, in figures.
    pub figures: StepFigures,
}

impl StepOutcome {
    /// A step that changed something.
    pub fn done(summary: impl Into<String>) -> Self {
        Self::new(StepStatus::Done, summary)
    }

    /// A step that had nothing to do.
    pub fn nothing(summary: impl Into<String>) -> Self {
        Self::new(StepStatus::Nothing, summary)
    }

    /// A step whose checks failed.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::new(StepStatus::Failed, summary)
    }

    /// The same outcome with lines of detail.
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The same outcome with figures.
    pub fn with_figures(mut self, figures: StepFigures) -> Self {
        self.figures = figures;
        self
    }

    fn new(status: StepStatus, summary: impl Into<String>) -> Self {
        Self {
            status,
            summary: summary.into(),
            details: Vec::new(),
            figures: StepFigures::default(),
        }
    }
}

/// A step that ended, with what it cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepReport {
    /// Place in the plan, from 1.
    pub position: usize,
    /// Steps in the plan.
    pub total: usize,
    /// Name of the job.
    pub name: String,
    /// How it ended.
    pub status: StepStatus,
    /// One line of figures.
    pub summary: String,
    /// Further lines.
    pub details: Vec<String>,
    /// What it did, in figures.
    pub figures: StepFigures,
    /// Wall time.
    pub elapsed_ms: u64,
    /// Largest resident memory of the process during the step.
    pub peak_memory_mib: u64,
}

/// News from a running night.
#[derive(Debug, Clone)]
pub enum NightEvent {
    /// A step begins.
    StepStarted {
        /// Place in the plan, from 1.
        position: usize,
        /// Steps in the plan.
        total: usize,
        /// Name of the job.
        name: &'static str,
        /// Why the step stands where it does.
        reason: &'static str,
    },
    /// What the step is at, many times a second.
    Working(String),
    /// Something the reader should keep.
    Notice(String),
    /// A step ended.
    StepFinished(Box<StepReport>),
}

/// Resets the kernel's record of this process's peak memory, where the system has one.
pub(crate) fn reset_peak_memory() {
    // Linux: 5 resets VmHWM (proc(5), clear_refs). Elsewhere the peak is the whole run's.
    let _unsupported = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak resident memory since the last reset, in MiB; 0 where the system does not tell.
pub(crate) fn peak_memory_mib() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))
                .and_then(|line| line.trim().strip_suffix("kB"))
                .and_then(|kib| kib.trim().parse::<u64>().ok())
        })
        .map_or(0, |kib| kib / 1024)
}
