//! Compares what the night found with what the simulator knows.
//!
//! The only reader of the truth folder; no step of the night calls it, and what it finds goes
//! to the person who asked, not into the warehouse.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use futures::StreamExt;
use goyong_learn::{compare_with_oracle, wilson};

use crate::project::OpenProject;

/// Columns of the evaluation.
pub const EVALUATION_HEADER: [&str; 4] = ["subject", "measure", "value", "detail"];

/// Estimates of one class of coverage beside the truth, summed over months.
#[derive(Default)]
struct ClassComparison {
    months: usize,
    months_covered: usize,
    has_interval: bool,
    estimated: f64,
    actual: f64,
}

impl OpenProject {
    /// Precision of the alerts, loss against the oracle, error of the blind-spot estimate.
    pub async fn evaluate_against_truth(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let mut rows = self.evaluate_detection(truth).await?;
        self.evaluate_scores(truth, &mut rows).await?;
        self.evaluate_blind_spot(truth, &mut rows).await?;
        self.evaluate_linkage(truth, &mut rows).await?;
        Ok(rows)
    }

    async fn evaluate_scores(&self, truth: &Path, rows: &mut Vec<Vec<String>>) -> Result<()> {
        let oracle: BTreeMap<(String, String), f64> = read_truth(
            truth,
            "seeker_oracle.csv",
            ["seeker_no", "registered_on", "oracle_probability"],
        )?
        .into_iter()
        .filter_map(|[seeker, on, probability]| Some(((seeker, on), probability.parse().ok()?)))
        .collect();
        let scores = self
            .texts(
                "select seeker_no, registered_on, probability, label from models.employment_success \
                 where purpose = 'out_of_time' order by seeker_no, registered_on",
                ["seeker_no", "registered_on", "probability", "label"],
            )
            .await;
        let Ok(scores) = scores else {
            rows.push(row("employment_success", "–", "–", "no model was trained"));
            return Ok(());
        };
        let (mut predicted, mut true_probability, mut labels) =
            (Vec::new(), Vec::new(), Vec::new());
        let mut unmatched = 0usize;
        for [seeker, on, probability, label] in scores {
            match (oracle.get(&(seeker, on)), probability.parse()) {
                (Some(oracle), Ok(probability)) => {
                    predicted.push(probability);
                    true_probability.push(*oracle);
                    labels.push(label == "true");
                }
                _ => unmatched += 1,
            }
        }
        let Ok(comparison) = compare_with_oracle(&predicted, &true_probability, &labels) else {
            rows.push(row(
                "employment_success",
                "–",
                "–",
                &format!(
                    "{} scored registrations are too few to compare",
                    labels.len()
                ),
            ));
            return Ok(());
        };
        let detail = format!(
            "{} registrations out of time, {unmatched} without oracle; the oracle knows every trait, observed or not",
            comparison.rows
        );
        for (measure, model, oracle) in [
            ("AUC", comparison.model_auc, comparison.oracle_auc),
            ("Brier", comparison.model_brier, comparison.oracle_brier),
        ] {
            rows.push(row(
                "employment_success",
                measure,
                &format!(
                    "{:.3} [{:.3}, {:.3}]",
                    model.value, model.lower, model.upper
                ),
                &detail,
            ));
            rows.push(row(
                "oracle",
                measure,
                &format!(
                    "{:.3} [{:.3}, {:.3}]",
                    oracle.value, oracle.lower, oracle.upper
                ),
                "the best any model could do",
            ));
        }
        Ok(())
    }

    async fn evaluate_blind_spot(&self, truth: &Path, rows: &mut Vec<Vec<String>>) -> Result<()> {
        let mut actual: BTreeMap<(String, String), f64> = BTreeMap::new();
        for [month, class, persons] in
            read_truth(truth, "coverage_gap.csv", ["month", "class", "persons"])?
        {
            let persons: f64 = persons.parse().context("persons in coverage_gap.csv")?;
            *actual
                .entry((month.get(..7).unwrap_or(&month).to_owned(), class))
                .or_default() += persons;
        }
        let mut classes: BTreeMap<String, ClassComparison> = BTreeMap::new();
        for [month, class, estimate, low, high] in self
            .texts(
                "select month, class, estimate_persons, estimate_low, estimate_high from marts.blind_spot_monthly",
                ["month", "class", "estimate_persons", "estimate_low", "estimate_high"],
            )
            .await?
        {
            let month = month.get(..7).unwrap_or(&month).to_owned();
            let (Some(actual), Ok(estimate), Ok(low), Ok(high)) = (
                actual.get(&(month, class.clone())),
                estimate.parse::<f64>(),
                low.parse::<f64>(),
                high.parse::<f64>(),
            ) else {
                continue;
            };
            let entry = classes.entry(class).or_default();
            entry.months += 1;
            entry.months_covered += usize::from((low..=high).contains(actual));
            entry.has_interval |= low < high;
            entry.estimated += estimate;
            entry.actual += actual;
        }
        for (class, found) in classes {
            let inside = if found.has_interval {
                format!("truth inside the interval in {}", found.months_covered)
            } else {
                "counted, not estimated".to_owned()
            };
            rows.push(row(
                &format!("blind spot {class}"),
                "estimate / truth",
                &format!("{:.3}", found.estimated / found.actual.max(1.0)),
                &format!(
                    "{} months, mean {:.0} persons estimated, {:.0} true; {inside}",
                    found.months,
                    found.estimated / found.months as f64,
                    found.actual / found.months as f64
                ),
            ));
        }
        Ok(())
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
            let batch = batch?;
            let formatters = columns
                .iter()
                .map(|name| {
                    let column = batch
                        .column_by_name(name)
                        .with_context(|| format!("query returned no column {name}"))?;
                    Ok(arrow_cast::display::ArrayFormatter::try_new(
                        column.as_ref(),
                        &arrow_cast::display::FormatOptions::default(),
                    )?)
                })
                .collect::<Result<Vec<_>>>()?;
            for index in 0..batch.num_rows() {
                rows.push(std::array::from_fn(|column| {
                    formatters[column].value(index).to_string()
                }));
            }
        }
        Ok(rows)
    }
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
