//! The jobs of a night and the one ordered list that runs them.
//!
//! One file per job, verb and noun; [`plan::PLAN`] orders them and gives each its reason. A job
//! unpacks its context and calls a crate that knows how; it takes stored state and `as_of`, and
//! nothing else: no job reads the clock.

mod backup_warehouse;
mod build_tables;
mod case_allegations;
mod case_days;
mod case_facts;
mod case_members;
mod case_notice;
mod case_rules;
mod case_scores;
mod catalog_pages;
mod check_freshness;
mod configuration;
pub mod contracts;
mod doctor;
mod evaluate_advertisements;
mod evaluate_against_truth;
mod evaluate_blind_spot;
mod evaluate_detection;
mod evaluate_linkage;
mod evaluate_predictions;
mod evaluate_ranking;
mod evaluate_rings;
mod expire_history;
mod expire_runs;
mod explain_score;
mod export_case;
#[cfg(test)]
mod fence_tests;
mod figures;
mod forget_persons;
mod ingest_deliveries;
mod link_workplaces;
mod list_models;
mod log_tail;
mod look_up_person;
mod merge_cases;
mod mirror_cases;
mod model_pages;
mod model_registry;
mod night_journal;
mod override_score;
pub mod plan;
mod project;
mod publish_release;
mod rank_cases;
mod recorded;
mod releases;
mod render_cases;
mod render_reports;
mod render_run_pages;
mod repair_warehouse;
mod report_pages;
mod review_models;
mod review_quarantine;
mod rotate_keys;
pub mod scheduled;
mod show_lineage;
mod step;
mod test_tables;
mod trace_evidence;
mod train_models;
#[cfg(test)]
mod vault_tests;
mod verify_advertisements;
mod watch;
mod work_on_cases;

pub use backup_warehouse::{BackupOptions, list_backups, restore_backup};
pub use build_tables::{BUILD_HEADER, BuildOptions, BuildSummary, PLAN_HEADER, PlanSummary};
pub use check_freshness::{FRESHNESS_HEADER, FreshnessSummary};
pub use configuration::{CONFIGURATION_FILE, CaseSettings, Configuration, RetentionPolicy};
pub use doctor::{DOCTOR_HEADER, Examination, Health, examine};
pub use evaluate_against_truth::EVALUATION_HEADER;
pub use expire_history::ExpirySummary;
pub use expire_runs::ExpiredRuns;
pub use explain_score::{EXPLANATION_HEADER, Said, ScoreExplanation, WHAT_IF_HEADER};
pub use figures::{GateResult, SourceFigures, StepFigures, TableFigures, Totals};
pub use forget_persons::{FORGET_HEADER, ForgetOptions, ForgetSummary};
pub use goyong_cases::{
    Appeal, Case, CaseFilter, CaseScore, CaseState, Command as CaseCommand, Estimates, Evidence,
    Finding, Interval, Outcome, Scope, State as CaseStateWord, Suppression,
};
pub use goyong_engine::{
    BuildMode, Cluster, ExecutorOptions, ReadSession, SchedulerOptions, run_executor, run_scheduler,
};
pub use goyong_intake::{
    Access, AuditEntry, AuditReport, ForgetSubject, IdentifiedPerson, NewKeys, read_private_file,
};
pub use goyong_learn::{Estimate, PrevalenceCorrection};
pub use goyong_store::Fence;
pub use ingest_deliveries::{DELIVERY_HEADER, IngestOptions, IntakeSummary};
pub use list_models::{LIST_HEADER, list_models};
pub use override_score::{Decided, OVERRIDES_HEADER};
pub use plan::{NightOptions, NightReport};
pub use project::{InitOptions, OpenProject, initialise_project, is_locked, load_project};
pub use releases::{
    Act, DIFFERENCE_HEADER, DifferenceOptions, DifferenceSummary, PARTITION_DIFFERENCE_HEADER,
    Publication, RELEASE_HEADER, RELEASES_HEADER,
};
pub use render_run_pages::render_run_pages;
pub use repair_warehouse::{RepairSummary, is_damage, repair_warehouse, verify_warehouse};
pub use review_models::{COMPARISON_HEADER, ModelDecision, VERSION_HEADER, VERSIONS_HEADER};
pub use review_quarantine::{
    CorrectionFiles, DecisionSummary, QUARANTINE_HEADER, QUARANTINED_ROW_HEADER,
    QuarantineDecision, RECORD_HEADER, STILL_BAD_HEADER,
};
pub use rotate_keys::RotateOptions;
pub use show_lineage::{DECLASSIFIED_HEADER, LINEAGE_HEADER, LineageView};
pub use step::{NightEvent, StepOutcome, StepReport, StepStatus};
pub use test_tables::{TEST_HEADER, TestOptions, TestSummary, test_project};
pub use verify_advertisements::ADVERTISEMENT_HEADER;
pub use watch::{NoticeLanguage, NotifyTarget};
pub use work_on_cases::Officer;
