//! The seam between the scheduler and whatever steps do.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::ledger::Lease;
use crate::plan::Step;

/// What a step is told.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The plan.
    pub plan: String,
    /// The occurrence.
    pub scheduled_at: DateTime<Utc>,
    /// The occurrence's day on the plan's wall clock.
    pub day: chrono::NaiveDate,
    /// Where the run came from: schedule, catchup, trigger or backfill.
    pub origin: String,
    /// The step as the plan has it.
    pub step: Step,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The run with the token that whatever the step commits is fenced by.
    pub lease: Lease,
}

/// A step that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepDone {
    /// One word, such as `nothing_new`; mostly empty.
    pub reason: &'static str,
    /// One line: the figures that matter.
    pub summary: String,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The same may succeed later: it is tried again as often as the step allows.
    #[error("{message}")]
    Retryable {
        /// One word.
        reason: &'static str,
        /// One line for people.
        message: String,
    },
    /// Trying again would not help.
    #[error("{message}")]
    Final {
        /// One word.
        reason: &'static str,
        /// One line for people.
        message: String,
    },
}

/// Does what steps name. Dropping the future ends the step: at a time limit, when the run is cancelled, when the lease
/// was lost, and when the scheduler stops.
#[async_trait]
pub trait StepRunner: Debug + Send + Sync {
    /// Runs one attempt of a step.
    async fn run(&self, context: StepContext) -> Result<StepDone, StepError>;
}
