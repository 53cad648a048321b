//! Holds what the models predicted out of time against the probabilities that the simulator drew from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use goyong_learn::{
    Estimate, OracleComparison, calibration_table, compare_with_oracle, expected_calibration_error,
    recalibration,
};

use crate::evaluate_against_truth::{read_truth, row};
use crate::project::OpenProject;

/// Rows and outcomes of each kind that a group's slope needs.
const GROUP_ROWS: usize = 200;
const GROUP_OUTCOMES: usize = 50;
/// Groups of the calibration error.
const BINS: usize = 10;

/// A model whose true probabilities the simulator states.
struct KnownModel {
    model: &'static str,
    file: &'static str,
    entity: &'static str,
    entered_on: &'static str,
    /// The column that ranks by all traits but the unrecorded one.
    ceiling: &'static str,
    /// Columns of the features that make the groups in which calibration is looked at.
    groups: [&'static str; 2],
}

const KNOWN_MODELS: [KnownModel; 2] = [
    KnownModel {
        model: "employment_success",
        file: "seeker_oracle.csv",
        entity: "seeker_no",
        entered_on: "registered_on",
        ceiling: "probability_without_drive",
        groups: ["sex", "age_band"],
    },
    KnownModel {
        model: "hiring_success",
        file: "vacancy_oracle.csv",
        entity: "vacancy_no",
        entered_on: "opened_on",
        ceiling: "probability_without_appeal",
        groups: ["insured_band", "contract_kind"],
    },
];

/// What was predicted of rows that have an oracle.
#[derive(Default)]
struct Predicted {
    probability: Vec<f64>,
    oracle: Vec<f64>,
    ceiling: Vec<f64>,
    label: Vec<bool>,
    group: Vec<String>,
    /// Rows without an oracle.
    unmatched: usize,
}

impl OpenProject {
    /// Loss against the oracle and calibration of each model whose truth is known.
    ///
    /// # Errors
    /// When a file of the truth cannot be read.
    pub async fn evaluate_predictions(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        for known in &KNOWN_MODELS {
            match self.predicted(truth, known).await? {
                Some(predicted) => rows.extend(describe(known, &predicted)),
                None => rows.push(row(known.model, "–", "–", "no model was trained")),
            }
        }
        Ok(rows)
    }

    async fn predicted(&self, truth: &Path, known: &KnownModel) -> Result<Option<Predicted>> {
        let KnownModel {
            model,
            file,
            entity,
            entered_on,
            ceiling,
            groups: [one, other],
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
            "select s.{entity}, s.{entered_on}, s.probability, s.label, concat_ws(' ', f.{one}, f.{other}) as member \
             from models.{model} s left join features.{model} f \
             on f.{entity} = s.{entity} and f.{entered_on} = s.{entered_on} \
             where s.purpose = 'out_of_time' order by s.{entity}, s.{entered_on}"
        );
        let columns = [entity, entered_on, "probability", "label", "member"];
        let Ok(scores) = self.texts(&sql, columns).await else {
            return Ok(None);
        };
        let mut predicted = Predicted::default();
        for [entity, on, probability, label, group] in scores {
            match (oracle.get(&(entity, on)), probability.parse()) {
                (Some([oracle, ceiling]), Ok(probability)) => {
                    predicted.probability.push(probability);
                    predicted.oracle.push(*oracle);
                    predicted.ceiling.push(*ceiling);
                    predicted.label.push(label == "true");
                    predicted.group.push(group);
                }
                _ => predicted.unmatched += 1,
            }
        }
        Ok(Some(predicted))
    }
}

/// All figures about a model.
fn describe(known: &KnownModel, predicted: &Predicted) -> Vec<Vec<String>> {
    let model = known.model;
    let Predicted {
        probability,
        oracle,
        ceiling,
        label,
        ..
    } = predicted;
    let Ok(comparison) = compare_with_oracle(probability, oracle, label) else {
        let detail = format!("{} scored rows are too few to compare", label.len());
        return vec![row(model, "–", "–", &detail)];
    };
    let detail = format!(
        "{} rows out of time, {} without oracle; the oracle knows every trait, observed or not",
        comparison.rows, predicted.unmatched
    );
    let mut rows = against_oracle(model, &comparison, &detail);
    if let Ok(seen) = compare_with_oracle(ceiling, oracle, label) {
        let detail = "the ranking by every trait but the one that nothing records";
        let subject = format!("{model} ceiling");
        rows.push(row(&subject, "AUC", &interval(seen.model_auc), detail));
    }
    let ratio = format!("{:.3}", comparison.auc_ratio);
    rows.push(row(model, "AUC / oracle", &ratio, &detail));
    let table = calibration_table(probability, label, BINS);
    if let Some(error) = expected_calibration_error(&table, 200, 1) {
        let detail = format!("over {} groups of equal size", table.len());
        rows.push(row(model, "calibration error", &interval(error), &detail));
    }
    if let Some(fit) = recalibration(probability, label) {
        rows.push(row(
            model,
            "calibration slope",
            &interval(fit.slope),
            &detail,
        ));
    }
    rows.extend(slopes_of_groups(known, predicted));
    rows
}

fn against_oracle(model: &str, comparison: &OracleComparison, detail: &str) -> Vec<Vec<String>> {
    let oracle_name = format!("{model} oracle");
    let mut rows = Vec::new();
    for (measure, model_figure, oracle_figure) in [
        ("AUC", comparison.model_auc, comparison.oracle_auc),
        ("Brier", comparison.model_brier, comparison.oracle_brier),
    ] {
        rows.push(row(model, measure, &interval(model_figure), detail));
        let detail = "the best any model could do that saw every trait";
        rows.push(row(&oracle_name, measure, &interval(oracle_figure), detail));
    }
    rows
}

/// The calibration slope of each group that is large enough, in order of its name.
fn slopes_of_groups(known: &KnownModel, predicted: &Predicted) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<&str, (Vec<f64>, Vec<bool>)> = BTreeMap::new();
    for ((group, probability), label) in predicted
        .group
        .iter()
        .zip(&predicted.probability)
        .zip(&predicted.label)
    {
        let (probabilities, labels) = groups.entry(group).or_default();
        probabilities.push(*probability);
        labels.push(*label);
    }
    let measure = format!("slope in {} × {}", known.groups[0], known.groups[1]);
    groups
        .into_iter()
        .map(|(group, (probabilities, labels))| {
            let positives = labels.iter().filter(|label| **label).count();
            let enough = labels.len() >= GROUP_ROWS
                && positives.min(labels.len() - positives) >= GROUP_OUTCOMES;
            let slope = enough
                .then(|| recalibration(&probabilities, &labels))
                .flatten();
            let figure = slope.map_or_else(|| "cannot test".to_owned(), |fit| interval(fit.slope));
            let detail = format!("{} rows, {positives} with the outcome", labels.len());
            row(
                &format!("{}, {group}", known.model),
                &measure,
                &figure,
                &detail,
            )
        })
        .collect()
}

fn interval(estimate: Estimate) -> String {
    format!(
        "{:.3} [{:.3}, {:.3}]",
        estimate.value, estimate.lower, estimate.upper
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_group_that_is_predicted_too_far_apart_shows_and_a_small_one_cannot_be_tested() {
        let mut predicted = Predicted::default();
        for number in 0..40_000_u32 {
            // Three of ten with 0.3, seven of ten with 0.7; in group b the score says 0.1 and 0.9.
            let is_high = number % 2 == 0;
            let share = if is_high { 7 } else { 3 };
            let is_b = number % 4 >= 2;
            let far = if is_high { 0.9 } else { 0.1 };
            let near = f64::from(share) / 10.0;
            predicted.probability.push(if is_b { far } else { near });
            predicted.oracle.push(near);
            predicted.ceiling.push(near);
            predicted.label.push((number / 4) % 10 < share);
            predicted.group.push(
                if number < 40 {
                    "few"
                } else if is_b {
                    "b"
                } else {
                    "a"
                }
                .to_owned(),
            );
        }
        let rows = describe(&KNOWN_MODELS[0], &predicted);
        let figure = |subject: &str, measure: &str| {
            let found = rows
                .iter()
                .find(|row| row[0] == subject && row[1] == measure);
            found.unwrap()[2].clone()
        };
        let measure = "slope in sex × age_band";
        assert!(figure("employment_success, a", measure).starts_with("1.00"));
        // log(7/3) over log(9)
        assert!(figure("employment_success, b", measure).starts_with("0.38"));
        assert_eq!(figure("employment_success, few", measure), "cannot test");
        assert!(figure("employment_success", "calibration error").starts_with("0.10"));
        assert_eq!(
            figure("employment_success ceiling", "AUC"),
            figure("employment_success oracle", "AUC")
        );
    }
}
