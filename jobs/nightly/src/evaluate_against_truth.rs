//! Compares what the night found with what the simulator knows.
//!
//! The only reader of the truth folder; no step of the night calls it, and what it finds goes
//! to the person who asked, not into the warehouse.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use goyong_learn::{Estimate, compare_with_oracle, wilson};

use crate::project::OpenProject;

/// Columns of the evaluation.
pub const EVALUATION_HEADER: [&str; 4] = ["subject", "measure", "value", "detail"];

/// A model whose true probabilities the simulator states.
struct KnownModel {
    model: &'static str,
    file: &'static str,
    entity: &'static str,
    entered_on: &'static str,
    /// The column that ranks by all traits but the unrecorded one.
    ceiling: &'static str,
}

const KNOWN_MODELS: [KnownModel; 2] = [
    KnownModel {
        model: "employment_success",
        file: "seeker_oracle.csv",
        entity: "seeker_no",
        entered_on: "registered_on",
        ceiling: "probability_without_drive",
    },
    KnownModel {
        model: "hiring_success",
        file: "vacancy_oracle.csv",
        entity: "vacancy_no",
        entered_on: "opened_on",
        ceiling: "probability_without_appeal",
    },
];

impl OpenProject {
    /// Precision of the alerts, loss against the oracle, lift of the ranking, error of the blind-spot estimate.
    pub async fn evaluate_against_truth(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let mut rows = self.evaluate_detection(truth).await?;
        for known in &KNOWN_MODELS {
            self.evaluate_scores(truth, known, &mut rows).await?;
        }
        rows.extend(self.evaluate_ranking(truth).await?);
        rows.extend(self.evaluate_blind_spot(truth).await?);
        self.evaluate_linkage(truth, &mut rows).await?;
        Ok(rows)
    }

    async fn evaluate_scores(
        &self,
        truth: &Path,
        known: &KnownModel,
        rows: &mut Vec<Vec<String>>,
    ) -> Result<()> {
        let KnownModel {
            model,
            file,
            entity,
            entered_on,
            ceiling,
        } = *known;
        let oracle: BTreeMap<(String, String), [f64; 2]> = read_truth(
            truth,
            file,
            [entity, entered_on, "oracle_probability", ceiling],
        )?
        .into_iter()
        .filter_map(|[entity, on, probability, ceiling]| {
            Some((
                (entity, on),
                [probability.parse().ok()?, ceiling.parse().ok()?],
            ))
        })
        .collect();
        let sql = format!(
            "select {entity}, {entered_on}, probability, label from models.{model} \
             where purpose = 'out_of_time' order by {entity}, {entered_on}"
        );
        let scores = self
            .texts(&sql, [entity, entered_on, "probability", "label"])
            .await;
        let Ok(scores) = scores else {
            rows.push(row(model, "–", "–", "no model was trained"));
            return Ok(());
        };
        let (mut predicted, mut true_probability, mut best_seen, mut labels) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut unmatched = 0usize;
        for [entity, on, probability, label] in scores {
            match (oracle.get(&(entity, on)), probability.parse()) {
                (Some([oracle, ceiling]), Ok(probability)) => {
                    predicted.push(probability);
                    true_probability.push(*oracle);
                    best_seen.push(*ceiling);
                    labels.push(label == "true");
                }
                _ => unmatched += 1,
            }
        }
        let Ok(comparison) = compare_with_oracle(&predicted, &true_probability, &labels) else {
            let detail = format!("{} scored rows are too few to compare", labels.len());
            rows.push(row(model, "–", "–", &detail));
            return Ok(());
        };
        let detail = format!(
            "{} rows out of time, {unmatched} without oracle; the oracle knows every trait, observed or not",
            comparison.rows
        );
        let interval = |estimate: Estimate| {
            format!(
                "{:.3} [{:.3}, {:.3}]",
                estimate.value, estimate.lower, estimate.upper
            )
        };
        let oracle_name = format!("{model} oracle");
        for (measure, model_figure, oracle_figure) in [
            ("AUC", comparison.model_auc, comparison.oracle_auc),
            ("Brier", comparison.model_brier, comparison.oracle_brier),
        ] {
            rows.push(row(model, measure, &interval(model_figure), &detail));
            let detail = "the best any model could do that saw every trait";
            rows.push(row(&oracle_name, measure, &interval(oracle_figure), detail));
        }
        if let Ok(seen) = compare_with_oracle(&best_seen, &true_probability, &labels) {
            let detail = "the ranking by every trait but the one that nothing records";
            rows.push(row(
                &format!("{model} ceiling"),
                "AUC",
                &interval(seen.model_auc),
                detail,
            ));
        }
        let ratio = format!("{:.3}", comparison.auc_ratio);
        rows.push(row(model, "AUC / oracle", &ratio, &detail));
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
