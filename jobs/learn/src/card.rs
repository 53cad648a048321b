//! The model card: what the report site says about a model.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calibration::Recalibration;
use crate::calibrator::CalibratorChoice;
use crate::candidate::CandidateEvaluation;
use crate::encoding::{ColumnRole, Encoding};
use crate::error::LearnError;
use crate::evaluation::{Evaluation, SubgroupEvaluation};
use crate::feature::Bilingual;
use crate::gate::Gate;
use crate::logistic::LogisticModel;
use crate::metrics::{Estimate, NORMAL_975};
use crate::promotion::PromotionReport;
use crate::split::TemporalSplit;

/// Everything a reader needs to judge a model; free of personal data, but with
/// counts of small groups that disclosure control still has to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The label column.
    pub target: String,
    /// The target in words.
    pub target_title: Bilingual,
    /// Who is scored.
    pub population: Bilingual,
    /// What the model is for, and what not.
    pub intended_use: Bilingual,
    /// Version given by the caller.
    pub version: String,
    /// Nothing known after this day was used.
    pub as_of: NaiveDate,
    /// The learner that made it.
    #[serde(default = "logistic")]
    pub learner: String,
    /// The learners that competed; the first of equals was taken.
    #[serde(default)]
    pub candidates: Vec<CandidateEvaluation>,
    /// The calibration map of the model that is used, and how the others did.
    #[serde(default)]
    pub calibration: Option<CalibratorChoice>,
    /// The rows of the model that is used: everything known by `as_of`.
    pub training: TrainedRows,
    /// Rows of the feature table, before any row budget.
    pub rows_delivered: u64,
    /// Rows held after the row budget of the data set.
    pub rows_held: usize,
    /// First entry date evaluated out of time.
    pub evaluated_from: NaiveDate,
    /// End of the entries evaluated out of time, exclusive.
    pub evaluated_until: NaiveDate,
    /// All out-of-time rows together, each predicted by the model of its cut-off.
    pub pooled: Evaluation,
    /// Each cut-off by itself.
    pub cutoffs: Vec<CutoffEvaluation>,
    /// What had to be beaten, on the same rows.
    pub baselines: Vec<BaselineEvaluation>,
    /// By subgroup, out of time.
    pub subgroups: Vec<SubgroupEvaluation>,
    /// The most influential columns of a regression first.
    pub coefficients: Vec<CoefficientRow>,
    /// By feature, the share of the training loss its splits took away; of trees.
    #[serde(default)]
    pub importance: Vec<FeatureShare>,
    /// Features that were left out because they do not vary.
    pub unused_features: Vec<String>,
    /// What is not known about the model.
    pub limits: Vec<Bilingual>,
    /// The gates on the procedure: hard limits at any number of rows.
    pub gates: Vec<Gate>,
    /// The gates of promotion, where they were asked.
    #[serde(default)]
    pub promotion: Option<PromotionReport>,
    /// All gates passed, and promotion refuses nothing.
    pub usable: bool,
}

/// Rows a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedRows {
    /// First entry date among the rows used.
    pub entered_from: Option<NaiveDate>,
    /// Last entry date among the rows used.
    pub entered_until: Option<NaiveDate>,
    /// Labels known on or before this day were used, if a day was set.
    pub known_by: Option<NaiveDate>,
    /// Labelled rows there were.
    pub rows_available: usize,
    /// Labelled rows used, after the row budget.
    pub rows_used: usize,
    /// Positives among the rows used.
    pub positives: usize,
    /// Share of positives among the rows used.
    pub prior_rate: f64,
    /// The hash of the training data, as given by the caller.
    pub data_hash: String,
}

/// How much of a model rests on a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureShare {
    /// The feature's column.
    pub feature: String,
    /// Its name in Korean.
    pub label_ko: String,
    /// Its name in English.
    pub label_en: String,
    /// Between 0 and 1; all features together are 1.
    pub share: f64,
}

fn logistic() -> String {
    "logistic".to_owned()
}

/// One cut-off: the model of that day on those who came after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CutoffEvaluation {
    /// Cut-off and entries evaluated.
    #[serde(flatten)]
    pub split: TemporalSplit,
    /// Labelled rows known at the cut-off.
    pub training_rows_available: usize,
    /// Rows trained on.
    pub training_rows_used: usize,
    /// First and last entry date trained on.
    pub training_entered: Option<(NaiveDate, NaiveDate)>,
    /// Share of positives trained on.
    pub training_rate: f64,
    /// Rows evaluated.
    pub rows: usize,
    /// Rows evaluated that have a positive outcome.
    pub positives: usize,
    /// Share of positive outcomes.
    pub observed_rate: Estimate,
    /// Mean prediction.
    pub mean_predicted: f64,
    /// Area under the ROC curve.
    pub auc: Option<Estimate>,
    /// Brier score.
    pub brier: Estimate,
    /// Log loss.
    pub log_loss: Estimate,
    /// Expected calibration error.
    pub expected_calibration_error: Estimate,
    /// Calibration slope and intercept.
    pub recalibration: Option<Recalibration>,
    /// Area under the ROC curve of the one-variable rule.
    pub baseline_auc: Option<Estimate>,
}

/// A baseline on the pooled out-of-time rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineEvaluation {
    /// Stable name: `prior_rate` or `one_variable_rule`.
    pub name: String,
    /// What it is called.
    pub title: Bilingual,
    /// Its area under the ROC curve.
    pub auc: Option<Estimate>,
    /// Its area under the precision-recall curve; none in older cards.
    #[serde(default)]
    pub average_precision: Option<Estimate>,
    /// Its Brier score.
    pub brier: Estimate,
    /// Its log loss.
    pub log_loss: Estimate,
    /// Its expected calibration error.
    pub expected_calibration_error: Estimate,
    /// The model's AUC minus this one, paired interval.
    pub auc_difference: Option<Estimate>,
}

/// A coefficient in terms a reader can use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoefficientRow {
    /// The feature's column.
    pub feature: String,
    /// Its name in Korean.
    pub label_ko: String,
    /// Its name in English.
    pub label_en: String,
    /// What the column stands for.
    pub role: ColumnRole,
    /// The category.
    pub level: Option<String>,
    /// The category it is compared with; `None` for the pool of rare ones.
    pub reference: Option<String>,
    /// For a number: how much of it the odds ratio is for (one standard deviation).
    pub per_units: Option<f64>,
    /// Log-odds.
    pub coefficient: f64,
    /// Odds ratio with a Wald interval.
    pub odds_ratio: Estimate,
    /// Standard deviation of the column's log-odds over the training rows.
    pub influence: f64,
}

impl ModelCard {
    /// JSON with a stable field order: equal cards give equal bytes.
    pub fn to_json(&self) -> Result<String, LearnError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Writes the gates of promotion down; one refusal makes the model unusable.
    pub fn judge(&mut self, report: PromotionReport) {
        self.usable = self.gates.iter().all(|gate| gate.passed) && report.promoted;
        self.promotion = Some(report);
    }

    /// Reads a card back.
    pub fn from_json(json: &str) -> Result<Self, LearnError> {
        Ok(serde_json::from_str(json)?)
    }
}

/// The `top` most influential columns of a model.
pub fn coefficient_rows(model: &LogisticModel, top: usize) -> Vec<CoefficientRow> {
    let mut rows: Vec<CoefficientRow> = model
        .columns
        .iter()
        .map(|column| {
            let feature = &model.features[column.feature];
            let (reference, per_units, spread) = match &feature.encoding {
                Encoding::Standardised { scale, .. } if column.role == ColumnRole::Value => {
                    (None, Some(*scale), 1.0)
                }
                Encoding::OneHot { reference, .. } => {
                    (reference.clone(), None, indicator_spread(column.mean))
                }
                _ => (None, None, indicator_spread(column.mean)),
            };
            let half = NORMAL_975 * column.standard_error;
            CoefficientRow {
                feature: feature.spec.name.clone(),
                label_ko: feature.spec.label_ko.clone(),
                label_en: feature.spec.label_en.clone(),
                role: column.role,
                level: column.level.clone(),
                reference,
                per_units,
                coefficient: column.coefficient,
                odds_ratio: Estimate {
                    value: column.coefficient.exp(),
                    lower: (column.coefficient - half).exp(),
                    upper: (column.coefficient + half).exp(),
                },
                influence: column.coefficient.abs() * spread,
            }
        })
        .collect();
    rows.sort_by(|left, right| right.influence.total_cmp(&left.influence));
    rows.truncate(top);
    rows
}

fn indicator_spread(share: f64) -> f64 {
    (share * (1.0 - share)).max(0.0).sqrt()
}
