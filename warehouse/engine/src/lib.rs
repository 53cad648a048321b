//! The only crate that plans and runs SQL: models, tests, checks, and read-only sessions.
//!
//! A model is compiled by `goyong-catalog`, planned and run here over exact table versions of
//! `goyong-store`, and written back sorted. What a partition was computed from is remembered as a
//! fingerprint, so a build computes what changed and nothing else, and finds that out without
//! planning a query.
//!
//! *Invariants.* Nothing outside this crate and the server names DataFusion. A session reaches data
//! only through `SnapshotTable`: no `file://` store, no table factory, no DDL, no DML. A model cannot
//! ask the clock or chance. Rows that break a model's grain are never committed.
//!
//! ```no_run
//! use goyong_catalog::{Project, Selection};
//! use goyong_engine::{Engine, EngineConfig, Silent, block_on};
//! use goyong_store::{StoreConfig, Warehouse};
//!
//! let report = block_on(2, async {
//!     let warehouse = Warehouse::open(&StoreConfig::in_folder("warehouse")).await?;
//!     let engine = Engine::new(warehouse, Project::embedded()?, EngineConfig::default())?;
//!     let as_of = chrono::NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default();
//!     let plan = engine.plan(&Selection::of(["+labour_market_monthly"]), as_of).await?;
//!     engine.build(&plan, &Silent).await
//! })??;
//! assert!(report.succeeded());
//! # Ok::<(), goyong_engine::EngineError>(())
//! ```

mod build;
mod checks;
mod clearance;
mod cluster;
mod column_contract;
mod constant_order;
mod engine;
mod error;
mod failing_rows;
mod file_footers;
mod functions;
mod governance;
mod history;
mod input_changes;
mod inputs;
mod intervals;
mod key_ranges;
mod key_set;
mod key_windows;
mod keyed;
mod lake;
mod lake_files;
mod left_sides;
pub mod lineage;
mod locality;
mod masking;
mod meaning;
mod memo;
mod memory_pool;
mod model_tests;
mod month_days;
mod open_tables;
mod operator;
mod plan;
mod plan_details;
mod planned_schemas;
mod planning;
mod planning_errors;
pub mod policy;
mod provider;
mod range_sort;
mod read_session;
mod report;
mod resume;
mod rows;
mod rows_read;
mod run_model;
mod runtime;
mod seeds;
mod session;
mod sharing;
mod sorted_rows;
mod storage;
mod tables;
mod targets;
mod test_log;
mod unit_tests;

pub use clearance::Clearance;
pub use cluster::{
    Backend, Cluster, ExecutorOptions, SchedulerOptions, run_executor, run_scheduler,
};
pub use engine::{BuildScope, Engine, EngineConfig};
pub use error::{EngineError, Result};
pub use plan::{BuildMode, BuildPlan, PlannedStep};
pub use plan_details::StepDetail;
pub use read_session::{ColumnSummary, ReadLimits, ReadSession, TableSummary};
pub use report::{
    BuildEvent, BuildReport, ModelReport, Outcome, Progress, Silent, TestFailure, TestLine,
    TestResult,
};
pub use rows::Rows;
pub use runtime::{block_on, runtime};
pub use unit_tests::{UnitTestReport, run_unit_tests};

#[cfg(test)]
mod tests;
