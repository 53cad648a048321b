//! Which sources have come in time, by the ledger and the calendar of deliveries.

use anyhow::{Context, Result};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use futures::StreamExt;

use crate::project::OpenProject;

/// Columns of the check.
pub const FRESHNESS_HEADER: [&str; 7] = [
    "source",
    "state",
    "last_period_from",
    "last_known_on",
    "due_on",
    "days_late",
    "periods_missing",
];

/// What the check found.
#[derive(Debug, Clone, Default)]
pub struct FreshnessSummary {
    /// One row per source, those that are late first.
    pub rows: Vec<Vec<String>>,
    /// Sources whose next period is overdue.
    pub overdue: usize,
}

impl OpenProject {
    /// Compares what was delivered with what was due, as of a day. Reads the ledger as it stands,
    /// built or not.
    pub async fn check_freshness(&self, as_of: Option<NaiveDate>) -> Result<FreshnessSummary> {
        let as_of = self.as_of_or_latest(as_of).await?;
        let model = self.engine().compile("source_freshness", as_of)?;
        let sql = format!(
            "select * from ({}) as freshness order by days_late desc, state desc, source",
            model.trim()
        );
        let mut batches = self.engine().stream_latest(&sql, as_of).await?;
        let mut summary = FreshnessSummary::default();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let columns = FRESHNESS_HEADER
                .iter()
                .map(|name| {
                    let column = batch
                        .column_by_name(name)
                        .with_context(|| format!("source_freshness has no column {name}"))?;
                    Ok(ArrayFormatter::try_new(
                        column.as_ref(),
                        &FormatOptions::default(),
                    )?)
                })
                .collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                summary.overdue += usize::from(cells[1] == "overdue");
                summary.rows.push(cells);
            }
        }
        Ok(summary)
    }
}
