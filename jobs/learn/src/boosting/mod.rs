//! Gradient boosting of trees on histograms (Friedman 2001; growth leaf by leaf as
//! in LightGBM, Ke et al. 2017), for P(label = true).
//!
//! Every feature becomes one byte a row, so 40 features of five million rows take
//! 200 MB. Every split is a range of bins with a side for missing values, so that
//! numbers, categories and missing values walk a tree by the same comparison.

mod bins;
mod fit;
mod grow;
mod histogram;
mod score;
mod shap;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use bins::{BinnedFeature, FeatureBins};
pub use tree::Tree;

use crate::column::{self, ColumnData};
use crate::dataset::Dataset;
use crate::error::LearnError;
use crate::feature::Monotone;
use crate::learner::{Batches, Learner, LearningTask, ProbabilityModel, one_row};
use crate::logistic::{Contribution, Explanation, sort_contributions, value_text};
use crate::newton::logistic;
use crate::parallel;

const FORMAT: &str = "goyong-boosting/1";
/// Rows scored by one task.
const SCORED_ROWS: usize = 1 << 13;

/// When to stop adding trees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// Share of the rows held out: the latest by entry date where there is one.
    pub share: f64,
    /// Trees without a lower log loss on them after which to stop; the trees after
    /// the lowest are dropped.
    pub rounds: usize,
}

/// How a model is boosted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostOptions {
    /// Trees at most.
    pub trees: usize,
    /// Leaves of a tree at most.
    pub leaves: usize,
    /// Levels of a tree at most.
    pub maximum_depth: Option<usize>,
    /// Share of its answer that each tree adds.
    pub learning_rate: f64,
    /// L2 penalty on the values of leaves.
    pub l2: f64,
    /// Sum of second derivatives a leaf needs.
    pub minimum_child_weight: f64,
    /// Rows a leaf needs.
    pub minimum_child_rows: usize,
    /// Fall of twice the loss a split needs.
    pub minimum_gain: f64,
    /// Share of the rows (or groups) each tree sees.
    pub row_share: f64,
    /// Share of the features each tree sees.
    pub column_share: f64,
    /// Directions by name of feature.
    pub monotone: BTreeMap<String, Monotone>,
    /// Rows of the mean mixed into the rate of a category before categories are ordered.
    pub category_smoothing: f64,
    /// Categories with fewer rows count as missing.
    pub minimum_category_rows: usize,
    /// When to stop adding trees; `None` adds all.
    pub early_stopping: Option<EarlyStopping>,
    /// Seed of all draws.
    pub seed: u64,
    /// Threads; the result does not depend on it.
    #[serde(skip, default = "default_threads")]
    pub threads: usize,
}

fn default_threads() -> usize {
    2
}

impl Default for BoostOptions {
    fn default() -> Self {
        BoostOptions {
            trees: 200,
            leaves: 31,
            maximum_depth: None,
            learning_rate: 0.05,
            l2: 1.0,
            minimum_child_weight: 1e-3,
            minimum_child_rows: 20,
            minimum_gain: 0.0,
            row_share: 1.0,
            column_share: 1.0,
            monotone: BTreeMap::new(),
            category_smoothing: 10.0,
            minimum_category_rows: 10,
            early_stopping: None,
            seed: 20_240_101,
            threads: default_threads(),
        }
    }
}

/// Where a boosted model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostFacts {
    /// Rows trees were grown on.
    pub rows_trained: usize,
    /// Rows held out to know when to stop.
    pub rows_held_out: usize,
    /// The lowest mean log loss on them.
    pub held_out_loss: Option<f64>,
    /// Labels known on or before this day were used, if a day was set.
    pub known_by: Option<NaiveDate>,
    /// How it was boosted.
    pub options: BoostOptions,
}

/// Boosted trees. The positive class is always `true`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostedModel {
    format: String,
    /// The label column it predicts.
    pub target: String,
    /// Version given by the caller, empty until set.
    pub version: String,
    /// Features with their bins.
    pub features: Vec<BinnedFeature>,
    /// Log-odds before the first tree.
    pub base_log_odds: f64,
    /// The trees, in order.
    pub trees: Vec<Tree>,
    /// Where the model comes from.
    pub training: BoostFacts,
}

/// The learner that makes a [`BoostedModel`].
#[derive(Debug, Clone, Default)]
pub struct Boosting {
    /// How it is boosted.
    pub options: BoostOptions,
}

impl Learner for Boosting {
    fn fit(
        &self,
        batches: &dyn Batches,
        task: &LearningTask,
    ) -> Result<Box<dyn ProbabilityModel>, LearnError> {
        Ok(Box::new(BoostedModel::fit_batches(
            batches,
            task,
            &self.options,
        )?))
    }
}

/// Some rows of a batch with the room for their scores.
struct ScoredRows<'a> {
    first: usize,
    scores: &'a mut [f64],
    result: Result<(), LearnError>,
}

impl BoostedModel {
    /// Fits on batches, which are read twice.
    pub fn fit_batches(
        batches: &dyn Batches,
        task: &LearningTask,
        options: &BoostOptions,
    ) -> Result<Self, LearnError> {
        options.check()?;
        let (features, data) = source::bin_batches(batches, task, options)?;
        let boosted = fit::boost(&data, &features, options)?;
        Ok(BoostedModel::assemble(
            &task.label,
            features,
            boosted,
            options,
        ))
    }

    /// Fits on all rows of a data set that have a label.
    pub fn fit(dataset: &Dataset, options: &BoostOptions) -> Result<Self, LearnError> {
        Self::fit_rows(dataset, &dataset.labelled_rows(), options)
    }

    /// Fits on the rows whose label was known on or before a day.
    pub fn fit_known_by(
        dataset: &Dataset,
        known_by: NaiveDate,
        options: &BoostOptions,
    ) -> Result<Self, LearnError> {
        let mut model = Self::fit_rows(dataset, &dataset.rows_known_by(known_by), options)?;
        model.training.known_by = Some(known_by);
        Ok(model)
    }

    /// Fits on labelled rows of a data set, in ascending order.
    pub fn fit_rows(
        dataset: &Dataset,
        rows: &[u32],
        options: &BoostOptions,
    ) -> Result<Self, LearnError> {
        options.check()?;
        let (features, data) = source::bin_dataset(dataset, rows, options)?;
        let boosted = fit::boost(&data, &features, options)?;
        Ok(BoostedModel::assemble(
            &dataset.spec.label,
            features,
            boosted,
            options,
        ))
    }

    fn assemble(
        label: &str,
        features: Vec<BinnedFeature>,
        boosted: fit::Boosted,
        options: &BoostOptions,
    ) -> Self {
        BoostedModel {
            format: FORMAT.to_owned(),
            target: label.to_owned(),
            version: String::new(),
            features,
            base_log_odds: boosted.base,
            trees: boosted.trees,
            training: BoostFacts {
                rows_trained: boosted.rows_trained,
                rows_held_out: boosted.rows_held_out,
                held_out_loss: boosted.held_out_loss,
                known_by: None,
                options: options.clone(),
            },
        }
    }

    /// Probabilities of `true`, one per row of the batch, on as many threads as
    /// the options of the training said.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let scorer = score::Scorer::new(self.base_log_odds, &self.trees);
        self.score_rows(batch.num_rows(), &scorer, |first, rows, feature, write| {
            let spec = &feature.spec;
            let array = column::find(batch, &spec.name, "feature")?.slice(first, rows);
            let mut data = ColumnData::new(spec.kind);
            data.append(spec.kind, &spec.name, &array)?;
            feature.bin(&data, 0..rows, write)
        })
    }

    /// Probabilities for rows of a data set with the same features.
    pub fn predict_rows(&self, dataset: &Dataset, rows: &[u32]) -> Result<Vec<f64>, LearnError> {
        let columns = self
            .features
            .iter()
            .map(|feature| {
                let position = dataset
                    .spec
                    .features
                    .iter()
                    .position(|spec| spec.name == feature.spec.name);
                let position = position.ok_or_else(|| LearnError::MissingColumn {
                    column: feature.spec.name.clone(),
                    role: "feature",
                    nearest: None,
                })?;
                Ok((feature.spec.name.as_str(), &dataset.features[position]))
            })
            .collect::<Result<BTreeMap<&str, &ColumnData>, LearnError>>()?;
        let scorer = score::Scorer::new(self.base_log_odds, &self.trees);
        self.score_rows(rows.len(), &scorer, |first, count, feature, write| {
            let Some(data) = columns.get(feature.spec.name.as_str()) else {
                return Ok(());
            };
            let rows = rows[first..first + count].iter().map(|row| *row as usize);
            feature.bin(data, rows, write)
        })
    }

    fn score_rows(
        &self,
        rows: usize,
        scorer: &score::Scorer,
        bin: impl Fn(usize, usize, &BinnedFeature, &mut dyn FnMut(u8)) -> Result<(), LearnError> + Sync,
    ) -> Result<Vec<f64>, LearnError> {
        let mut scores = vec![0.0; rows];
        let width = self.features.len();
        let mut tasks: Vec<ScoredRows<'_>> = scores
            .chunks_mut(SCORED_ROWS)
            .enumerate()
            .map(|(position, scores)| ScoredRows {
                first: position * SCORED_ROWS,
                scores,
                result: Ok(()),
            })
            .collect();
        parallel::for_each(self.training.options.threads, &mut tasks, |task| {
            let mut bins = vec![0_u8; task.scores.len() * width];
            for (position, feature) in self.features.iter().enumerate() {
                let mut places = bins[position..].iter_mut().step_by(width);
                let written = bin(task.first, task.scores.len(), feature, &mut |bin| {
                    if let Some(place) = places.next() {
                        *place = bin;
                    }
                });
                if written.is_err() {
                    task.result = written;
                    return;
                }
            }
            scorer.score(&bins, width, task.scores);
            task.scores
                .iter_mut()
                .for_each(|score| *score = logistic(*score));
        });
        tasks.into_iter().try_for_each(|task| task.result)?;
        Ok(scores)
    }

    /// The `top` largest Shapley values of one row of a batch, in log-odds.
    pub fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError> {
        let batch = one_row(batch, row)?;
        let mut bins = Vec::with_capacity(self.features.len());
        let mut values = Vec::with_capacity(self.features.len());
        for BinnedFeature { spec, .. } in &self.features {
            let array = column::find(&batch, &spec.name, "feature")?;
            let mut data = ColumnData::new(spec.kind);
            data.append(spec.kind, &spec.name, array)?;
            values.push(data);
        }
        for (feature, data) in self.features.iter().zip(&values) {
            feature.bin(data, 0..1, |bin| bins.push(bin))?;
        }
        let mut log_odds = vec![0.0; self.features.len()];
        let mut average = self.base_log_odds;
        let mut score = self.base_log_odds;
        for tree in &self.trees {
            average += shap::expected(tree);
            score += tree.value[tree.leaf_of(|feature| bins[feature])];
            shap::add_shapley(tree, &bins, &mut log_odds);
        }
        let contributions = self
            .features
            .iter()
            .zip(values.iter().zip(&log_odds))
            .map(|(feature, (data, log_odds))| Contribution {
                feature: feature.spec.name.clone(),
                label_ko: feature.spec.label_ko.clone(),
                label_en: feature.spec.label_en.clone(),
                value: value_text(data),
                log_odds: *log_odds,
            })
            .collect();
        Ok(Explanation {
            probability: logistic(score),
            average_log_odds: average,
            contributions: sort_contributions(contributions, top),
        })
    }

    /// By feature, the share of the fall of the training loss its splits brought,
    /// the largest first.
    pub fn importance(&self) -> Vec<(&BinnedFeature, f64)> {
        let mut gains = vec![0.0; self.features.len()];
        for tree in &self.trees {
            for (feature, gain) in tree.feature.iter().zip(&tree.gain) {
                gains[*feature as usize] += gain;
            }
        }
        let total = gains.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut shares: Vec<_> = self
            .features
            .iter()
            .zip(gains.iter().map(|gain| gain / total))
            .collect();
        shares.sort_by(|left, right| right.1.total_cmp(&left.1));
        shares
    }

    /// JSON with a stable field order and floats in their shortest exact form:
    /// equal models give equal bytes.
    pub fn to_json(&self) -> Result<String, LearnError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads a model back and checks that its trees are trees over its features.
    pub fn from_json(json: &str) -> Result<Self, LearnError> {
        #[derive(Deserialize)]
        struct Format {
            #[serde(default)]
            format: String,
        }
        let Format { format } = serde_json::from_str(json)?;
        if format != FORMAT {
            return Err(LearnError::UnknownFormat {
                found: format,
                expected: FORMAT.to_owned(),
            });
        }
        let model: BoostedModel = serde_json::from_str(json)?;
        let features = model.features.len();
        if !model.base_log_odds.is_finite()
            || !model.features.iter().all(BinnedFeature::is_sound)
            || !model.trees.iter().all(|tree| tree.is_sound(features))
        {
            return Err(LearnError::InvalidInput {
                operation: "from_json",
                reason: "the trees do not belong to the features".to_owned(),
            });
        }
        Ok(model)
    }
}

impl ProbabilityModel for BoostedModel {
    fn kind(&self) -> &'static str {
        "boosting"
    }

    fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        BoostedModel::predict(self, batch)
    }

    fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError> {
        BoostedModel::explain(self, batch, row, top)
    }

    fn to_json(&self) -> Result<String, LearnError> {
        BoostedModel::to_json(self)
    }
}

impl BoostOptions {
    fn check(&self) -> Result<(), LearnError> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let stopping = self
            .early_stopping
            .is_none_or(|stopping| share(stopping.share) && stopping.share < 1.0);
        let reason = if !share(self.row_share) || !share(self.column_share) {
            "row_share and column_share lie above 0 and at most at 1"
        } else if !stopping {
            "the share held out lies between 0 and 1"
        } else if !(self.learning_rate > 0.0 && self.l2 >= 0.0) {
            "learning_rate lies above 0 and l2 at or above 0"
        } else if self.leaves < 2 {
            "a tree needs at least 2 leaves"
        } else {
            return Ok(());
        };
        Err(LearnError::InvalidInput {
            operation: "boosting",
            reason: reason.to_owned(),
        })
    }
}
