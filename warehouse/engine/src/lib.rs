//! The only crate that plans and runs SQL: models, tests, checks, and read-only sessions.
//!
//! A model is compiled by `goyong-catalog`, planned and run here over exact table versions of
//! `goyong-store`, and written back sorted. What a partition was computed from is remembered as a
//! fingerprint, so a build computes what changed and nothing else, and finds that out without
//! planning a query.

mod build;
mod engine;
mod error;
mod functions;
mod inputs;
mod lake;
mod memo;
mod model_tests;
mod plan;
mod provider;
mod read_session;
mod report;
mod rows;
mod run_model;
mod runtime;
mod seeds;
mod session;
mod storage;
mod tables;
mod targets;

pub use engine::{Engine, EngineConfig};
pub use error::{EngineError, Result};
pub use plan::{BuildPlan, PlannedStep};
pub use read_session::{ColumnSummary, ReadLimits, ReadSession, TableSummary};
pub use report::{BuildEvent, BuildReport, ModelReport, Outcome, Progress, Silent, TestFailure};
pub use rows::Rows;
pub use runtime::{block_on, runtime};

#[cfg(test)]
mod tests;
