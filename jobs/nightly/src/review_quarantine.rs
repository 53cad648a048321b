//! Quarantined rows: what there is, and what a person decides about it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};
use chrono::NaiveDate;
use goyong_intake::{
    Access, Corrections, DecisionBy, DeliveryOutcome, discard, quarantine_counts,
    quarantined_record, quarantined_rows, release,
};

use crate::project::OpenProject;

/// Columns of the list of quarantined rows.
pub const QUARANTINE_HEADER: [&str; 8] = [
    "source",
    "delivery",
    "column",
    "rule",
    "open",
    "released",
    "discarded",
    "superseded_by",
];

/// Columns of the quarantined rows of a delivery.
pub const QUARANTINED_ROW_HEADER: [&str; 9] = [
    "row",
    "column",
    "rule",
    "raw_value",
    "won",
    "state",
    "decided_on",
    "decided_by",
    "reason",
];

/// Columns of an original record.
pub const RECORD_HEADER: [&str; 2] = ["column", "value"];

/// Columns of a decision's result: what stays, and why.
pub const STILL_BAD_HEADER: [&str; 3] = ["row", "column", "rule"];

/// Which rows a decision is about, and who takes it.
#[derive(Debug, Clone)]
pub struct QuarantineDecision {
    /// The delivery.
    pub delivery_id: String,
    /// Row numbers; all open rows when empty.
    pub rows: Vec<u64>,
    /// The account.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The day of the decision; the latest known day when absent.
    pub on: Option<NaiveDate>,
}

/// Where corrected values come from.
#[derive(Debug, Clone, Default)]
pub struct CorrectionFiles {
    /// Row number, column and new value, as CSV.
    pub values: Option<PathBuf>,
    /// Whole records in the source's format.
    pub records: Option<PathBuf>,
}

/// What a decision did.
#[derive(Debug, Clone)]
pub struct DecisionSummary {
    /// Rows that stay in quarantine, with column and rule.
    pub still_bad: Vec<Vec<String>>,
    /// One line of figures.
    pub summary: String,
}

impl OpenProject {
    /// Rows for `goyong quarantine ls`.
    pub async fn list_quarantine(&self, source: Option<&str>) -> Result<Vec<Vec<String>>> {
        let context = self.intake_context(None, false).await?;
        let counts = quarantine_counts(&context, source).await?;
        Ok(counts
            .into_iter()
            .map(|count| {
                vec![
                    count.source,
                    count.delivery_id,
                    count.column.unwrap_or_default(),
                    count.rule,
                    count.open.to_string(),
                    count.released.to_string(),
                    count.discarded.to_string(),
                    count.superseded_by.unwrap_or_default(),
                ]
            })
            .collect())
    }

    /// Rows for `goyong quarantine show`, personal values masked.
    pub async fn show_quarantine(
        &self,
        delivery_id: &str,
        row: Option<u64>,
    ) -> Result<Vec<Vec<String>>> {
        let context = self.intake_context(None, false).await?;
        let rows = quarantined_rows(&context, delivery_id, row).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                vec![
                    row.row_number.to_string(),
                    row.column.unwrap_or_default(),
                    row.rule,
                    row.raw_value.unwrap_or_default(),
                    row.won.map(|won| won.to_string()).unwrap_or_default(),
                    row.state.as_str().to_owned(),
                    row.decided_on
                        .map(|day| day.to_string())
                        .unwrap_or_default(),
                    row.decided_by.unwrap_or_default(),
                    row.reason.unwrap_or_default(),
                ]
            })
            .collect())
    }

    /// A record as delivered, for an audited access.
    pub async fn show_quarantined_record(
        &self,
        delivery_id: &str,
        row: u64,
        (account, purpose, case): (&str, &str, &str),
    ) -> Result<Vec<Vec<String>>> {
        let _lock = self.lock_night().await?;
        let access = Access::new(account, purpose, case)?;
        let context = self.intake_context(None, false).await?;
        let record = quarantined_record(&context, delivery_id, row, &access).await?;
        Ok(record
            .into_iter()
            .map(|(column, value)| {
                vec![
                    column,
                    value.map(|value| value.to_string()).unwrap_or_default(),
                ]
            })
            .collect())
    }

    /// Checks rows again, perhaps corrected, and stages those that keep the contract.
    pub async fn release_quarantine(
        &self,
        decision: &QuarantineDecision,
        files: &CorrectionFiles,
    ) -> Result<DecisionSummary> {
        let _lock = self.lock_night().await?;
        let corrections = match (&files.values, &files.records) {
            (Some(_), Some(_)) => bail!("name either --correction or --records, not both"),
            (Some(path), None) => Corrections::Values(path.clone()),
            (None, Some(path)) => Corrections::Records(path.clone()),
            (None, None) => Corrections::None,
        };
        let context = self.intake_context(None, false).await?;
        let by = self.decision_by(decision).await?;
        let rows = rows_of(decision);
        let report = release(
            &context,
            &decision.delivery_id,
            rows.as_ref(),
            &corrections,
            &by,
        )
        .await?;
        self.remember_known_on(by.on).await?;
        Ok(DecisionSummary {
            summary: format!(
                "{} rows released, {} decided before, {} still break a rule; {}",
                report.released,
                report.decided_before,
                report.still_bad.len(),
                account(&report.outcome)
            ),
            still_bad: report
                .still_bad
                .into_iter()
                .map(|bad| vec![bad.row_number.to_string(), bad.column, bad.rule.to_owned()])
                .collect(),
        })
    }

    /// Rejects rows for good.
    pub async fn discard_quarantine(
        &self,
        decision: &QuarantineDecision,
    ) -> Result<DecisionSummary> {
        let _lock = self.lock_night().await?;
        let context = self.intake_context(None, false).await?;
        let by = self.decision_by(decision).await?;
        let rows = rows_of(decision);
        let (count, outcome) = discard(&context, &decision.delivery_id, rows.as_ref(), &by).await?;
        Ok(DecisionSummary {
            still_bad: Vec::new(),
            summary: format!("{count} rows discarded; {}", account(&outcome)),
        })
    }

    async fn decision_by(&self, decision: &QuarantineDecision) -> Result<DecisionBy> {
        Ok(DecisionBy {
            account: decision.by.clone(),
            reason: decision.reason.clone(),
            on: self.as_of_or_latest(decision.on).await?,
        })
    }
}

fn rows_of(decision: &QuarantineDecision) -> Option<BTreeSet<u64>> {
    (!decision.rows.is_empty()).then(|| decision.rows.iter().copied().collect())
}

fn account(outcome: &DeliveryOutcome) -> String {
    format!(
        "{}: {} delivered = {} accepted + {} quarantined + {} rejected",
        outcome.delivery_id,
        outcome.rows_delivered,
        outcome.rows_accepted,
        outcome.rows_quarantined,
        outcome.rows_rejected
    )
}
