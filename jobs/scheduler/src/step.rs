//! The seam between the scheduler and whatever steps do.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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

/// What a step says of its work in figures. What they mean is between the step and who reads them; here they are
/// kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepAccount {
    /// Figures of the whole step by name. A figure that was not computed is absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, i64>,
    /// Figures of its parts, such as tables, by name of the part.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, BTreeMap<String, i64>>,
    /// Conditions it decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A condition that a step decided, such as a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// What it was decided on, one line.
    pub detail: String,
}

impl StepAccount {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A step that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepDone {
    /// One word, such as `nothing_new`; mostly empty.
    pub reason: &'static str,
    /// One line: the figures that matter.
    pub summary: String,
    /// The figures.
    pub account: StepAccount,
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
        /// The figures of what it did before.
        account: StepAccount,
    },
}

/// Does what steps name. Dropping the future ends the step: at a time limit, when the run is cancelled, when the lease
/// was lost, and when the scheduler stops.
#[async_trait]
pub trait StepRunner: Debug + Send + Sync {
    /// Runs one attempt of a step.
    async fn run(&self, context: StepContext) -> Result<StepDone, StepError>;
}
