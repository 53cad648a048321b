use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use goyong_types::Month;

use crate::ads::AdsCommand;
use crate::alerts::AlertsCommand;
use crate::cluster::ClusterCommand;
use crate::contract::ContractCommand;
use crate::lineage::LineageArguments;
use crate::models::ModelsCommand;
use crate::quarantine::{FreshnessArguments, QuarantineCommand};
use crate::recovery::{BackupArguments, RepairArguments, RestoreArguments, VerifyArguments};
use crate::releases::ReleasesCommand;
use crate::runs::RunsCommand;
use crate::schedule::{ScheduleCommand, StepArguments};
use crate::vault::{AuditCommand, VaultCommand};

/// An employment data warehouse and nightly batch for a public employment service.
#[derive(Debug, Parser)]
#[command(
    name = "goyong",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 success · 1 something checked failed (model, test, verify, gate) · \
                  2 could not run · 75 another run holds the lock · 130 interrupted\n\n\
                  Start with: goyong demo"
)]
pub struct Arguments {
    #[command(flatten)]
    pub common: CommonArguments,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct CommonArguments {
    /// Project folder, the one that holds goyong.toml
    #[arg(long, global = true, env = "GOYONG_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Worker threads; 0 takes every core
    #[arg(long, global = true)]
    pub threads: Option<usize>,
    /// Language of messages for people
    #[arg(long, global = true, env = "GOYONG_LANG", value_enum, default_value_t = Language::En)]
    pub lang: Language,
    /// Shape of the log on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Print results only: no progress, no notices
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Ko,
    En,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Table,
    Csv,
    Json,
    Ndjson,
}

#[derive(Debug, Args)]
pub struct OutputArguments {
    /// Shape of the result on standard output
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub format: OutputFormat,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a project: configuration, warehouse folders, key files
    Init(InitArguments),
    /// Write the deliveries of a simulated country, and the truth beside them
    Simulate(SimulateArguments),
    /// Check, pseudonymise and store deliveries
    Ingest(IngestArguments),
    /// List, show, release or discard rows that broke a rule
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Compare what was delivered with what was due
    Freshness(FreshnessArguments),
    /// List, show and draft contracts, and check a file against one without loading it
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Build the tables that changed, and run their tests
    Build(BuildArguments),
    /// Compute some months of models kept by month again, and run their tests
    Backfill(BuildArguments),
    /// Compute the tables that changed, without their tests
    Run(BuildArguments),
    /// Run tests only: on rows written by hand, and on what is stored
    Test(TestArguments),
    /// List models, seeds and sources
    Ls(ListArguments),
    /// Print what a build would do, and why
    Plan(BuildArguments),
    /// Print the SQL of a model as the engine gets it, names and variables filled in
    Show(ShowArguments),
    /// Show where a column comes from and where it goes
    Lineage(LineageArguments),
    /// Run the whole night: ingest, build, retrain, release, reports
    Night(NightArguments),
    /// Run plans by the clock; show, pause, trigger and fill them back
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// List, show, cancel and retry runs of plans, and print their logs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// One step of a scheduled run
    #[command(hide = true)]
    RunStep(StepArguments),
    /// Look for what would make the next night fail, and say what to do
    Doctor {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Print the advertisements that break a rule or repeat another one
    #[command(subcommand)]
    Ads(AdsCommand),
    /// Query the release: one statement, or an interactive shell
    Sql(SqlArguments),
    /// List, show, compare, publish and roll back releases
    #[command(subcommand)]
    Releases(ReleasesCommand),
    /// List, show, compare, train, promote and roll back probability models; explain a score
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Hash every log entry and data file, and compare with the ledger
    Verify(VerifyArguments),
    /// Restore damaged files from the ledger, a backup, or by computing them again
    Repair(RepairArguments),
    /// Send a release, vault and state to a folder or object store; keys are never among them
    Backup(BackupArguments),
    /// Restore a backup into an empty project folder
    Restore(RestoreArguments),
    /// Rotate keys, erase persons, look a person up
    #[command(subcommand)]
    Vault(VaultCommand),
    /// List, show, assign and close cases of alerts, and try capacities
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Check the audit chain and the events of cases, or print it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Run a scheduler or an executor, for builds on several processes
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Render the report site of the latest release
    Report(ReportArguments),
    /// Compare alerts and scores with the simulator's truth (the only command that reads it)
    Evaluate(EvaluateArguments),
    /// The whole main job in one folder: init, simulate, ingest, night, evaluate
    Demo(DemoArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether the command heeds an interrupt itself, to give back what it works on.
    pub fn ends_by_itself(&self) -> bool {
        matches!(self, Self::Schedule(_))
    }
}

#[derive(Debug, Args)]
pub struct InitArguments {
    /// Keep to the contracts and models of this binary, which follow it, instead of writing them to
    /// DIR/sql to be edited
    #[arg(long)]
    pub built_in_sql: bool,
    /// Encrypt originals to this recipient (age1…), whose secret is kept elsewhere
    #[arg(long, value_name = "AGE1")]
    pub archive_recipient: Option<String>,
}

#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// Seed of every random draw
    #[arg(long, default_value_t = 20_240_101)]
    pub seed: u64,
    /// Number of persons in the country
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub persons: u64,
    /// Number of months
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub months: u32,
    /// First month
    #[arg(long, default_value = "2024-01")]
    pub start: Month,
    /// Frauds per fraud of the nation; more than 1 to evaluate rules on a small country
    #[arg(long, default_value_t = 1.0)]
    pub fraud_rate: f64,
    /// One household in this many answers the labour-force survey
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub survey_one_in: u32,
    /// Where deliveries go [default: the project's landing folder]
    #[arg(long)]
    pub landing: Option<PathBuf>,
    /// Where the truth goes, a folder no job reads [default: DIR/truth]
    #[arg(long)]
    pub truth: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct IngestArguments {
    /// A file or folder without manifests; the landing folder when absent
    pub path: Option<PathBuf>,
    /// The contract of a single file, when its name does not tell
    #[arg(long)]
    pub source: Option<String>,
    /// The day these files became known, for files without manifest [default: the latest known day]
    #[arg(long)]
    pub known_on: Option<NaiveDate>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct SelectArguments {
    /// Models, in dbt's graph syntax: `+blind_spot_monthly`, `2+m+1`, `@m`, `tag:…`, `path:marts`,
    /// `source:…+`, `state:modified+`; words are united, commas intersect
    #[arg(short, long, num_args = 1..)]
    pub select: Vec<String>,
    /// Models to leave out, same syntax
    #[arg(long, num_args = 1..)]
    pub exclude: Vec<String>,
    /// The project folder `state:` compares with [default: the state of the last build]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    pub selection: SelectArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct TestArguments {
    #[command(flatten)]
    pub selection: SelectArguments,
    /// Test as known on this day [default: the latest day a delivery became known]
    #[arg(long)]
    pub as_of: Option<NaiveDate>,
    /// Only tests on rows written by hand, which need no warehouse
    #[arg(long)]
    pub unit: bool,
    /// A value of var(), wins over goyong.toml
    #[arg(long, value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// Begin nothing more once something failed
    #[arg(short = 'x', long)]
    pub fail_fast: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct BuildArguments {
    #[command(flatten)]
    pub selection: SelectArguments,
    /// A value of var(), wins over goyong.toml
    #[arg(long, value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// Begin nothing more once something failed
    #[arg(short = 'x', long)]
    pub fail_fast: bool,
    /// Print what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Build as known on this day [default: the latest day a delivery became known]
    #[arg(long)]
    pub as_of: Option<NaiveDate>,
    /// Rebuild every partition, changed or not
    #[arg(long)]
    pub full_refresh: bool,
    /// Of models kept by month only those from this month on, `2024-01` or `2024-01-01`
    #[arg(long, value_name = "MONTH", requires = "event_time_end", value_parser = event_month)]
    pub event_time_start: Option<Month>,
    /// The month before which to stop; it is excluded itself
    #[arg(long, value_name = "MONTH", requires = "event_time_start", value_parser = event_month)]
    pub event_time_end: Option<Month>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// A month, or the first day of one.
fn event_month(text: &str) -> Result<Month, String> {
    if let Ok(month) = text.parse::<Month>() {
        return Ok(month);
    }
    match text.parse::<NaiveDate>() {
        Ok(day) if Month::of(day).first_day() == day => Ok(Month::of(day)),
        Ok(day) => Err(format!(
            "models are kept by whole months: write {} for the month of {day}",
            Month::of(day)
        )),
        Err(_) => Err("is no month, write 2024-01 or 2024-01-01".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The model, with or without its schema
    pub model: String,
    /// As known on this day; a partitioned model is shown for its month [default: the latest day
    /// a delivery became known]
    #[arg(long)]
    pub as_of: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub struct NightArguments {
    /// Run as known on this day [default: the latest day a delivery became known]
    #[arg(long)]
    pub as_of: Option<NaiveDate>,
    /// Rebuild every table, changed or not
    #[arg(long)]
    pub full_refresh: bool,
}

#[derive(Debug, Args)]
pub struct SqlArguments {
    /// The statement; an interactive shell when absent
    pub statement: Option<String>,
    /// Read the statement from a file
    #[arg(short, long, conflicts_with = "statement")]
    pub file: Option<PathBuf>,
    /// The release to read [default: the latest]
    #[arg(long)]
    pub release: Option<String>,
    /// Receive only what a role of roles.yml may [default: everything]
    #[arg(long, env = "GOYONG_ROLE")]
    pub role: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Where the site goes [default: the warehouse's site folder]
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvaluationSubject {
    /// Alerts, scores, the blind spot and linkage
    All,
    /// The alerts of each rule
    Detection,
    /// Estimates of the insurance blind spot and their intervals
    BlindSpot,
    /// Duplicates, words and terms of advertisements
    Advertisements,
    /// Scores of seekers and vacancies: loss against the oracle, calibration, groups
    Predictions,
    /// The order that the risk score gives claims: lift, calibration, groups
    Ranking,
}

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// What to compare
    #[arg(value_enum, default_value_t = EvaluationSubject::All)]
    pub subject: EvaluationSubject,
    /// The truth folder [default: DIR/truth]
    #[arg(long)]
    pub truth: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Seed of every random draw
    #[arg(long, default_value_t = 20_240_101)]
    pub seed: u64,
    /// Number of persons in the country
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub persons: u64,
    /// Number of months
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub months: u32,
    /// A folder of real open data to ingest beside the simulated deliveries
    #[arg(long)]
    pub open_data: Option<PathBuf>,
}
