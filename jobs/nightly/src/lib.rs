//! The jobs of a night and the one ordered list that runs them.
//!
//! One file per job, verb and noun; [`plan::PLAN`] orders them and gives each its reason. A job
//! unpacks its context and calls a crate that knows how; it takes stored state and `as_of`, and
//! nothing else: no job reads the clock.

mod build_tables;
mod configuration;
pub mod contracts;
mod evaluate_against_truth;
mod ingest_deliveries;
pub mod plan;
mod project;
mod publish_release;
mod render_reports;
mod report_pages;
mod retrain_employment_success;
mod step;

pub use build_tables::{BUILD_HEADER, BuildOptions, BuildSummary, PLAN_HEADER};
pub use configuration::{CONFIGURATION_FILE, Configuration};
pub use evaluate_against_truth::EVALUATION_HEADER;
pub use goyong_engine::ReadSession;
pub use ingest_deliveries::{DELIVERY_HEADER, IngestOptions, IntakeSummary};
pub use plan::{NightOptions, NightReport};
pub use project::{InitOptions, OpenProject, initialise_project, is_locked};
pub use step::{NightEvent, StepOutcome, StepReport, StepStatus};
