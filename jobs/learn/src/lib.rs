//! Probability models: training, temporal evaluation, calibration, gates, model cards.
//!
//! Pure: Arrow batches in, models and figures out; no file, no clock, no table
//! name. Three decisions shape the crate.
//!
//! *Time.* A model is only ever judged on entities that came after its cut-off,
//! with labels dated by the day they became known. A label that could not have
//! been known is an error, not a warning ([`check_label_dates`], [`verify_split`]).
//!
//! *One optimum.* linfa-logistic searches, a streaming Newton checks: the gradient
//! at linfa's answer is measured, finished if need be, and reported, because
//! linfa's own stopping rule does not scale with the rows.
//!
//! *Bytes.* Rows are put into an order of their own, sums run in that order in
//! fixed stripes: the order and cutting of the batches and the number of threads
//! do not change a bit of the serialised model.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch};
//! use goyong_learn::{Dataset, DatasetSpec, FeatureSpec, FitOptions, LogisticModel};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = 0..400_i64;
//! let batch = RecordBatch::try_from_iter(vec![
//!     ("seeker", Arc::new(Int64Array::from_iter_values(keys.clone())) as ArrayRef),
//!     ("registered_on", Arc::new(Date32Array::from(vec![19_723; 400]))),
//!     ("found_work", Arc::new(keys.clone().map(|key| Some(key % 3 == 0)).collect::<BooleanArray>())),
//!     ("known_on", Arc::new(Date32Array::from(vec![19_948; 400]))),
//!     ("months", Arc::new(Float64Array::from_iter_values(keys.map(|key| (key % 7) as f64)))),
//! ])?;
//! let dataset = Dataset::from_batches(&[batch.clone()], &DatasetSpec {
//!     entity: "seeker".into(),
//!     entered_on: "registered_on".into(),
//!     label: "found_work".into(),
//!     label_known_on: "known_on".into(),
//!     features: vec![FeatureSpec::numeric("months", "경력개월", "months of experience")],
//!     groups: vec![],
//!     max_rows: None,
//!     seed: 1,
//! })?;
//! let model = LogisticModel::fit(&dataset, &FitOptions::default())?;
//! let probabilities = model.predict(&batch)?;
//! assert!((probabilities[0] - 1.0 / 3.0).abs() < 0.05);
//! assert_eq!(LogisticModel::from_json(&model.to_json()?)?.to_json()?, model.to_json()?);
//! # Ok(())
//! # }
//! ```

mod artefact;
mod baseline;
mod boosting;
mod bootstrap;
mod calibration;
mod calibrator;
mod candidate;
mod card;
mod column;
mod dataset;
mod drift;
mod encoding;
mod error;
mod evaluation;
mod fairness;
mod feature;
mod gate;
mod interval;
mod judging;
mod learner;
mod linfa_solver;
mod logistic;
mod metrics;
mod newton;
mod oracle;
mod parallel;
mod prevalence;
mod promotion;
mod ranking;
mod sampling;
mod shadow;
mod split;
mod streaming;
mod training;

#[cfg(test)]
mod tests;

pub use artefact::ScoringArtefact;
pub use baseline::BaselineSpec;
pub use boosting::{
    BinnedFeature, BoostFacts, BoostOptions, BoostedModel, Boosting, EarlyStopping, FeatureBins,
    Tree,
};
pub use bootstrap::average_precision;
pub use calibration::{
    CalibrationBin, Recalibration, calibration_table, expected_calibration_error, recalibration,
};
pub use calibrator::{
    Calibrator, CalibratorChoice, CalibratorKind, choose_calibrator, choose_calibrator_among,
};
pub use candidate::{Candidate, CandidateEvaluation, CandidateWindow, FittedModel};
pub use card::{
    BaselineEvaluation, CoefficientRow, CutoffEvaluation, FeatureShare, ModelCard, TrainedRows,
    coefficient_rows,
};
pub use dataset::{Dataset, DatasetBuilder, DatasetSpec, GroupSpec};
pub use drift::{FeatureDrift, FeatureSuspicion, ks, psi, psi_of_counts, rank_correlation};
pub use encoding::{ColumnRole, EncodedFeature, Encoding, PoolingRule};
pub use error::LearnError;
pub use evaluation::{
    Evaluation, EvaluationOptions, SubgroupEvaluation, evaluate, evaluate_persons,
};
pub use fairness::{GroupFairness, risk_ratio};
pub use feature::{Bilingual, FeatureKind, FeatureSpec, Monotone};
pub use gate::{Gate, GateLimits};
pub use interval::ProbabilityInterval;
pub use judging::{Champion, PromotionRequest, judge_training};
pub use learner::{BatchVisitor, Batches, Learner, LearningTask, ProbabilityModel, read_model};
pub use logistic::{
    Contribution, Explanation, FitOptions, FittedColumn, LogisticModel, Solver, SolverReport,
    TrainingFacts,
};
pub use metrics::{Estimate, auc, auc_difference, auc_with_interval, brier, log_loss, wilson};
pub use oracle::{OracleComparison, compare_with_oracle};
pub use prevalence::{DrawnRow, PrevalenceCorrection};
pub use promotion::{
    ChampionEvidence, PromotionCheck, PromotionEvidence, PromotionGate, PromotionLimits,
    PromotionReport, Verdict, judge_promotion,
};
pub use ranking::{CapacityMetric, RankingEnd, at_capacity};
pub use shadow::{ShadowReport, ShadowRow, judge_shadow};
pub use split::{
    SplitPlan, SplitRows, TemporalSplit, check_label_dates, temporal_splits, verify_split,
};
pub use streaming::{StreamedColumn, StreamedLogistic, StreamedOptions, StreamingLogistic};
pub use training::{
    TrainingOutcome, TrainingPlan, train_with_folds, train_with_temporal_evaluation,
};
