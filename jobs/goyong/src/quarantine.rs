//! `goyong quarantine` and `goyong freshness`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use goyong_nightly::{
    CorrectionFiles, DecisionSummary, FRESHNESS_HEADER, QUARANTINE_HEADER, QUARANTINED_ROW_HEADER,
    QuarantineDecision, RECORD_HEADER, STILL_BAD_HEADER,
};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Count quarantined rows by source, delivery, column and rule
    Ls {
        /// Only this source
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Show the quarantined rows of a delivery, personal values masked
    Show(ShowArguments),
    /// Check rows again, perhaps corrected, and let in those that keep the contract
    Release(ReleaseArguments),
    /// Reject rows for good
    Discard(DecisionArguments),
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The delivery, as `goyong quarantine ls` names it
    delivery: String,
    /// Only this row
    #[arg(long)]
    row: Option<u64>,
    /// The record as delivered, unmasked; the look-up is audited
    #[arg(long, requires_all = ["row", "account", "purpose", "case"])]
    record: bool,
    /// Who looks
    #[arg(long)]
    account: Option<String>,
    /// What for
    #[arg(long)]
    purpose: Option<String>,
    /// In which case
    #[arg(long)]
    case: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct DecisionArguments {
    /// The delivery, as `goyong quarantine ls` names it
    delivery: String,
    /// Only these rows [default: every row without a decision]
    #[arg(long = "row", value_delimiter = ',')]
    rows: Vec<u64>,
    /// Who decides
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// The day of the decision, on which released rows become known [default: the latest known day]
    #[arg(long)]
    on: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub struct ReleaseArguments {
    #[command(flatten)]
    decision: DecisionArguments,
    /// A CSV file in UTF-8 with row_number, column, value
    #[arg(long)]
    correction: Option<PathBuf>,
    /// Corrected records in the source's own format, one for each row in the order of row numbers
    #[arg(long, conflicts_with = "correction")]
    records: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct FreshnessArguments {
    /// As known on this day [default: the latest day a delivery became known]
    #[arg(long)]
    as_of: Option<NaiveDate>,
    #[command(flatten)]
    output: OutputArguments,
}

impl DecisionArguments {
    fn decision(&self) -> QuarantineDecision {
        QuarantineDecision {
            delivery_id: self.delivery.clone(),
            rows: self.rows.clone(),
            by: self.by.clone(),
            reason: self.reason.clone(),
            on: self.on,
        }
    }
}

/// Runs a subcommand of `goyong quarantine`.
pub async fn run(common: &CommonArguments, command: &QuarantineCommand) -> Result<u8> {
    let project = open(common).await?;
    let mut out = output::stdout();
    match command {
        QuarantineCommand::Ls { source, output } => {
            let rows = project.list_quarantine(source.as_deref()).await?;
            output::write_rows(&QUARANTINE_HEADER, &rows, output.format, &mut out)?;
            Ok(0)
        }
        QuarantineCommand::Show(show) if show.record => {
            let (Some(row), Some(account), Some(purpose), Some(case)) =
                (show.row, &show.account, &show.purpose, &show.case)
            else {
                bail!("--record needs --row, --account, --purpose and --case");
            };
            let rows = project
                .show_quarantined_record(&show.delivery, row, (account, purpose, case))
                .await?;
            output::write_rows(&RECORD_HEADER, &rows, show.output.format, &mut out)?;
            Ok(0)
        }
        QuarantineCommand::Show(show) => {
            let rows = project.show_quarantine(&show.delivery, show.row).await?;
            output::write_rows(&QUARANTINED_ROW_HEADER, &rows, show.output.format, &mut out)?;
            Ok(0)
        }
        QuarantineCommand::Release(release) => {
            let files = CorrectionFiles {
                values: release.correction.clone(),
                records: release.records.clone(),
            };
            let done = project
                .release_quarantine(&release.decision.decision(), &files)
                .await?;
            output::write_rows(
                &STILL_BAD_HEADER,
                &done.still_bad,
                release.output.format,
                &mut out,
            )?;
            Ok(close(common, &done))
        }
        QuarantineCommand::Discard(discard) => {
            let done = project.discard_quarantine(&discard.decision()).await?;
            Ok(close(common, &done))
        }
    }
}

/// Rows that still break a rule are a check that failed.
fn close(common: &CommonArguments, done: &DecisionSummary) -> u8 {
    Console::new(common.quiet).say(&done.summary);
    if done.still_bad.is_empty() {
        0
    } else {
        CHECK_FAILED
    }
}

/// Runs `goyong freshness`.
pub async fn run_freshness(common: &CommonArguments, arguments: &FreshnessArguments) -> Result<u8> {
    let project = open(common).await?;
    let freshness = project.check_freshness(arguments.as_of).await?;
    output::write_rows(
        &FRESHNESS_HEADER,
        &freshness.rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    Ok(if freshness.overdue > 0 {
        CHECK_FAILED
    } else {
        0
    })
}
