//! Compares what the night found with what the simulator knows.
//!
//! The only reader of the truth folder; no step of the night calls it, and what it finds goes
//! to the person who asked, not into the warehouse.

use std::path::Path;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use goyong_learn::wilson;

use crate::project::OpenProject;

/// Columns of the evaluation.
pub const EVALUATION_HEADER: [&str; 4] = ["subject", "measure", "value", "detail"];

impl OpenProject {
    /// Precision of the alerts, loss against the oracle, lift of the ranking, error of the blind-spot estimate.
    pub async fn evaluate_against_truth(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let mut rows = self.evaluate_detection(truth).await?;
        rows.extend(self.evaluate_predictions(truth).await?);
        rows.extend(self.evaluate_ranking(truth).await?);
        rows.extend(self.evaluate_blind_spot(truth).await?);
        self.evaluate_linkage(truth, &mut rows).await?;
        Ok(rows)
    }

    /// The answer to a query on the latest tables, as text.
    pub(crate) async fn texts<const N: usize>(
        &self,
        sql: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>> {
        let mut batches = self.query_latest(sql).await?;
        let mut rows = Vec::new();
        while let Some(batch) = batches.next().await {
            texts_of(&batch?, columns, &mut rows)?;
        }
        Ok(rows)
    }
}

/// Adds the rows of a batch as text; what is null is empty.
pub(crate) fn texts_of<const N: usize>(
    batch: &RecordBatch,
    columns: [&str; N],
    rows: &mut Vec<[String; N]>,
) -> Result<()> {
    let options = FormatOptions::default();
    let formatters = columns
        .iter()
        .map(|name| {
            let column = batch
                .column_by_name(name)
                .with_context(|| format!("query returned no column {name}"))?;
            Ok(ArrayFormatter::try_new(column.as_ref(), &options)?)
        })
        .collect::<Result<Vec<_>>>()?;
    for index in 0..batch.num_rows() {
        rows.push(std::array::from_fn(|column| {
            formatters[column].value(index).to_string()
        }));
    }
    Ok(())
}

pub(crate) fn row(subject: &str, measure: &str, value: &str, detail: &str) -> Vec<String> {
    [subject, measure, value, detail]
        .map(str::to_owned)
        .to_vec()
}

pub(crate) fn share(successes: usize, trials: usize) -> String {
    match wilson(successes as f64, trials as f64) {
        Some(estimate) => format!(
            "{:.3} [{:.3}, {:.3}]",
            estimate.value, estimate.lower, estimate.upper
        ),
        None => "–".to_owned(),
    }
}

pub(crate) fn read_truth<const N: usize>(
    folder: &Path,
    file: &str,
    columns: [&str; N],
) -> Result<Vec<[String; N]>> {
    let path = folder.join(file);
    let mut reader =
        csv::Reader::from_path(&path).with_context(|| format!("read {}", path.display()))?;
    let headers = reader.headers()?.clone();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = headers
            .iter()
            .position(|header| header == column)
            .with_context(|| format!("{} has no column {column}", path.display()))?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("read {}", path.display()))?;
        rows.push(std::array::from_fn(|column| {
            record.get(places[column]).unwrap_or_default().to_owned()
        }));
    }
    Ok(rows)
}
