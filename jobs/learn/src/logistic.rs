//! The model: fit, predict, explain, serialise.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::column::{self, ColumnData, MISSING};
use crate::dataset::Dataset;
use crate::encoding::{BoundEncoder, ColumnRole, EncodedFeature, PoolingRule};
use crate::error::LearnError;
use crate::evaluation::Evaluation;
use crate::feature::{FeatureKind, Monotone};
use crate::learner::one_row;
use crate::linfa_solver;
use crate::newton::{NewtonProblem, logistic};
use crate::sampling;
use crate::split::entry_window;

const FORMAT: &str = "goyong-logistic/1";

/// Gradient per row below which a solution counts as converged. The columns are
/// standardised, so this moves a log-odds by far less than its standard error.
const ACCEPTED_GRADIENT: f64 = 2e-6;
const NEWTON_GRADIENT: f64 = 1e-10;

/// Who searches for the optimum. Both minimise the same objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// linfa-logistic (L-BFGS) on a dense matrix of the rows, or of every n-th of them; Newton
    /// finishes what it leaves.
    Linfa,
    /// Streaming Newton: no dense matrix, both cores.
    Newton,
}

/// How a model is fitted.
#[derive(Debug, Clone)]
pub struct FitOptions {
    /// L2 penalty on the sum of losses, as in linfa (`alpha`) and scikit-learn (`1 / C`).
    pub ridge: f64,
    /// When categories are pooled.
    pub pooling: PoolingRule,
    /// At most this many rows are used, drawn by month in proportion.
    pub max_rows: Option<usize>,
    /// Seed of the draw.
    pub seed: u64,
    /// Threads; the result does not depend on it.
    pub threads: usize,
    /// Who searches for the optimum.
    pub solver: Solver,
    /// With [`Solver::Linfa`], the most rows of its dense matrix of 8 bytes × rows × columns:
    /// it brings the search near the optimum, and Newton ends it on all rows in a few passes.
    pub linfa_rows: usize,
    /// Directions by name of feature: the coefficient of a number has that sign or is zero.
    pub monotone: BTreeMap<String, Monotone>,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            ridge: 1.0,
            pooling: PoolingRule {
                minimum_count: 50,
                maximum_categories: 100,
            },
            max_rows: Some(500_000),
            seed: 20_240_101,
            threads: 2,
            solver: Solver::Linfa,
            linfa_rows: 50_000,
            monotone: BTreeMap::new(),
        }
    }
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingFacts {
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
    /// Seed of the draw under a row budget.
    pub seed: u64,
    /// The hash of the training data, as given by the caller.
    pub data_hash: String,
    /// L2 penalty.
    pub ridge: f64,
    /// When categories were pooled.
    pub pooling: PoolingRule,
    /// How the optimum was found.
    pub solver: SolverReport,
}

/// How the optimum was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolverReport {
    /// The solver asked for.
    pub solver: Solver,
    /// Rows linfa saw; 0 when it was not asked.
    pub linfa_rows: usize,
    /// Largest component of the gradient per row, over all rows, where linfa stopped.
    pub linfa_gradient: Option<f64>,
    /// Whether Newton steps were needed after linfa.
    pub finished_by_newton: bool,
    /// Passes of the Newton check or search over the rows.
    pub newton_passes: usize,
    /// Largest component of the gradient per row at the solution.
    pub gradient: f64,
}

/// A column of the design with its coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedColumn {
    /// Position of its feature.
    pub feature: usize,
    /// What it stands for.
    pub role: ColumnRole,
    /// The category, if it stands for one.
    pub level: Option<String>,
    /// Mean over the training rows.
    pub mean: f64,
    /// Log-odds per unit of the column.
    pub coefficient: f64,
    /// Standard error of the coefficient.
    pub standard_error: f64,
}

/// A fitted logistic regression. The positive class is always `true`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogisticModel {
    format: String,
    /// The label column it predicts.
    pub target: String,
    /// Version given by the caller, empty until set.
    pub version: String,
    /// Features with their encodings.
    pub features: Vec<EncodedFeature>,
    /// Log-odds where all columns are zero.
    pub intercept: f64,
    /// Columns of the design with their coefficients.
    pub columns: Vec<FittedColumn>,
    /// Where the model comes from.
    pub training: TrainingFacts,
    /// Out-of-time evaluation of the procedure that made it, if there was one.
    pub metrics: Option<Evaluation>,
}

/// What a feature adds to the log-odds of one row, against the average row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The feature's column.
    pub feature: String,
    /// Its name in Korean.
    pub label_ko: String,
    /// Its name in English.
    pub label_en: String,
    /// The row's value as text; `None` if missing.
    pub value: Option<String>,
    /// Log-odds against the mean of the training rows.
    pub log_odds: f64,
}

/// Why a row has its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The predicted probability.
    pub probability: f64,
    /// Log-odds of a row that has the mean of every column.
    pub average_log_odds: f64,
    /// Contributions, the largest in absolute size first. With all of them, the
    /// average log-odds plus their sum is the log-odds of the probability.
    pub contributions: Vec<Contribution>,
}

/// The sign of each design column, 0 where it may have either.
fn signs(
    features: &[EncodedFeature],
    monotone: &BTreeMap<String, Monotone>,
) -> Result<Vec<i8>, LearnError> {
    for name in monotone.keys() {
        let known = features.iter().find(|feature| feature.spec.name == *name);
        if known.is_none_or(|feature| feature.spec.kind == FeatureKind::Categorical) {
            return Err(LearnError::InvalidInput {
                operation: "logistic regression",
                reason: format!("monotone names {name}, which is no number among the features"),
            });
        }
    }
    let columns = features.iter().flat_map(|feature| {
        let sign = monotone
            .get(&feature.spec.name)
            .map_or(0, |direction| direction.sign());
        let is_value = |role| matches!(role, ColumnRole::Value | ColumnRole::Flag);
        let of_column = move |(role, _)| if is_value(role) { sign } else { 0 };
        feature.columns().into_iter().map(of_column)
    });
    Ok(columns.collect())
}

impl LogisticModel {
    /// Fits a model on all rows of a data set that have a label.
    ///
    /// For a model that will be used, prefer
    /// [`train_with_temporal_evaluation`](crate::train_with_temporal_evaluation).
    pub fn fit(dataset: &Dataset, options: &FitOptions) -> Result<Self, LearnError> {
        Self::fit_rows(dataset, &dataset.labelled_rows(), options)
    }

    /// Fits a model on the rows whose label was known on or before a day.
    pub fn fit_known_by(
        dataset: &Dataset,
        known_by: NaiveDate,
        options: &FitOptions,
    ) -> Result<Self, LearnError> {
        let mut model = Self::fit_rows(dataset, &dataset.rows_known_by(known_by), options)?;
        model.training.known_by = Some(known_by);
        Ok(model)
    }

    /// Fits on labelled rows in ascending order.
    pub(crate) fn fit_rows(
        dataset: &Dataset,
        available: &[u32],
        options: &FitOptions,
    ) -> Result<Self, LearnError> {
        let rows = within_budget(dataset, available, options.max_rows, options.seed);
        let labels = dataset.labels_of(&rows);
        let positives = labels.iter().filter(|label| **label).count();
        if rows.is_empty() {
            return Err(LearnError::NoRows {
                purpose: "train on",
            });
        }
        if positives == 0 || positives == rows.len() {
            return Err(LearnError::OneClass {
                rows: rows.len(),
                positive: positives > 0,
            });
        }
        let prior_rate = positives as f64 / rows.len() as f64;
        let features: Vec<EncodedFeature> = dataset
            .spec
            .features
            .iter()
            .zip(&dataset.features)
            .map(|(spec, data)| EncodedFeature::learn(spec, data, &rows, options.pooling))
            .collect();
        let encoder = BoundEncoder::new(&features, &dataset.features)?;
        if encoder.width() == 0 {
            return Err(LearnError::NoUsableFeature { rows: rows.len() });
        }

        let mut start = vec![0.0; encoder.width() + 1];
        start[encoder.width()] = (prior_rate / (1.0 - prior_rate)).ln();
        let problem = NewtonProblem {
            encoder: &encoder,
            rows: &rows,
            labels: &labels,
            ridge: options.ridge,
            threads: options.threads,
            signs: signs(&features, &options.monotone)?,
        };
        let (solution, solver) = match options.solver {
            Solver::Newton => {
                let solution = problem.solve(start, NEWTON_GRADIENT)?;
                let report = SolverReport {
                    solver: Solver::Newton,
                    linfa_rows: 0,
                    linfa_gradient: None,
                    finished_by_newton: false,
                    newton_passes: solution.passes,
                    gradient: solution.final_gradient,
                };
                (solution, report)
            }
            Solver::Linfa => {
                // Where the search starts need not be fair to every row: Newton ends it on all.
                let stride = rows.len().div_ceil(options.linfa_rows.max(1));
                let sample: Vec<u32> = rows.iter().step_by(stride).copied().collect();
                let sample_labels: Vec<bool> = labels.iter().step_by(stride).copied().collect();
                let ridge = options.ridge / stride as f64;
                // A sample of one class or a line search that fails leaves the start to Newton.
                let found = linfa_solver::fit(&encoder, &sample, &sample_labels, ridge, &start)
                    .unwrap_or(start);
                let solution = problem.solve(found, ACCEPTED_GRADIENT)?;
                let report = SolverReport {
                    solver: Solver::Linfa,
                    linfa_rows: sample.len(),
                    linfa_gradient: Some(solution.initial_gradient),
                    finished_by_newton: solution.passes > 1,
                    newton_passes: solution.passes,
                    gradient: solution.final_gradient,
                };
                (solution, report)
            }
        };

        let means = column_means(&encoder, &rows);
        let columns = features
            .iter()
            .enumerate()
            .flat_map(|(feature, encoded)| {
                encoded
                    .columns()
                    .into_iter()
                    .map(move |(role, level)| (feature, role, level))
            })
            .enumerate()
            .map(|(column, (feature, role, level))| FittedColumn {
                feature,
                role,
                level,
                mean: means[column],
                coefficient: solution.parameters[column],
                standard_error: solution.standard_errors[column],
            })
            .collect();
        let window = entry_window(dataset, &rows);
        Ok(LogisticModel {
            format: FORMAT.to_owned(),
            target: dataset.spec.label.clone(),
            version: String::new(),
            intercept: solution.parameters[encoder.width()],
            features,
            columns,
            training: TrainingFacts {
                entered_from: window.map(|(from, _)| from),
                entered_until: window.map(|(_, until)| until),
                known_by: None,
                rows_available: available.len(),
                rows_used: rows.len(),
                positives,
                prior_rate,
                seed: options.seed,
                data_hash: String::new(),
                ridge: options.ridge,
                pooling: options.pooling,
                solver,
            },
            metrics: None,
        })
    }

    /// Probabilities of `true`, one per row of the batch.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let data = self.read(batch)?;
        let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
        self.predict_columns(&data, &rows)
    }

    /// Probabilities for rows of a data set with the same features.
    pub(crate) fn predict_rows(
        &self,
        dataset: &Dataset,
        rows: &[u32],
    ) -> Result<Vec<f64>, LearnError> {
        self.predict_columns(&dataset.features, rows)
    }

    fn predict_columns(&self, data: &[ColumnData], rows: &[u32]) -> Result<Vec<f64>, LearnError> {
        let encoder = BoundEncoder::new(&self.features, data)?;
        let coefficients = self.coefficients();
        Ok(rows
            .iter()
            .map(|row| logistic(encoder.linear_predictor(*row, self.intercept, &coefficients)))
            .collect())
    }

    /// The `top` largest contributions to the log-odds of one row of a batch.
    pub fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError> {
        let data = self.read(&one_row(batch, row)?)?;
        let encoder = BoundEncoder::new(&self.features, &data)?;
        let coefficients = self.coefficients();
        let mut log_odds = vec![0.0; self.features.len()];
        for column in &self.columns {
            log_odds[column.feature] -= column.coefficient * column.mean;
        }
        let average_log_odds = self.intercept - log_odds.iter().sum::<f64>();
        encoder.for_each_value(0, |feature, column, value| {
            log_odds[feature] += coefficients[column as usize] * value;
        });
        let contributions = self
            .features
            .iter()
            .zip(&data)
            .zip(&log_odds)
            .map(|((feature, data), log_odds)| Contribution {
                feature: feature.spec.name.clone(),
                label_ko: feature.spec.label_ko.clone(),
                label_en: feature.spec.label_en.clone(),
                value: value_text(data),
                log_odds: *log_odds,
            })
            .collect();
        Ok(Explanation {
            probability: logistic(encoder.linear_predictor(0, self.intercept, &coefficients)),
            average_log_odds,
            contributions: sort_contributions(contributions, top),
        })
    }

    /// JSON with a stable field order and floats in their shortest exact form:
    /// equal models give equal bytes.
    pub fn to_json(&self) -> Result<String, LearnError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Reads a model back; printing it again gives the same bytes.
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
        let model: LogisticModel = serde_json::from_str(json)?;
        let expected: Vec<_> = model
            .features
            .iter()
            .enumerate()
            .flat_map(|(position, feature)| {
                feature
                    .columns()
                    .into_iter()
                    .map(move |(role, level)| (position, role, level))
            })
            .collect();
        let found: Vec<_> = model
            .columns
            .iter()
            .map(|column| (column.feature, column.role, column.level.clone()))
            .collect();
        if expected != found {
            return Err(LearnError::InvalidInput {
                operation: "from_json",
                reason: "the columns do not belong to the features".to_owned(),
            });
        }
        Ok(model)
    }

    fn coefficients(&self) -> Vec<f64> {
        self.columns
            .iter()
            .map(|column| column.coefficient)
            .collect()
    }

    fn read(&self, batch: &RecordBatch) -> Result<Vec<ColumnData>, LearnError> {
        self.features
            .iter()
            .map(|feature| {
                let mut data = ColumnData::new(feature.spec.kind);
                let array = column::find(batch, &feature.spec.name, "feature")?;
                data.append(feature.spec.kind, &feature.spec.name, array)?;
                Ok(data)
            })
            .collect()
    }
}

/// The rows themselves, or a draw of them by month in proportion where they are too many.
pub(crate) fn within_budget(
    dataset: &Dataset,
    available: &[u32],
    max_rows: Option<usize>,
    seed: u64,
) -> Vec<u32> {
    let Some(budget) = max_rows else {
        return available.to_vec();
    };
    let mut totals = BTreeMap::new();
    for row in available {
        *totals.entry(dataset.month(*row)).or_default() += 1;
    }
    sampling::stratified_by_month(
        available,
        budget,
        |row| dataset.month(row),
        |row| dataset.draw(row, seed),
        &totals,
    )
}

fn column_means(encoder: &BoundEncoder<'_>, rows: &[u32]) -> Vec<f64> {
    let mut means = vec![0.0; encoder.width()];
    for row in rows {
        encoder.for_each_value(*row, |_, column, value| means[column as usize] += value);
    }
    for mean in &mut means {
        *mean /= rows.len() as f64;
    }
    means
}

/// The `top` largest; a stable sort leaves equal sizes in the order of the features.
pub(crate) fn sort_contributions(
    mut contributions: Vec<Contribution>,
    top: usize,
) -> Vec<Contribution> {
    contributions.sort_by(|left, right| right.log_odds.abs().total_cmp(&left.log_odds.abs()));
    contributions.truncate(top);
    contributions
}

pub(crate) fn value_text(data: &ColumnData) -> Option<String> {
    match data {
        ColumnData::Numbers(values) => values
            .first()
            .filter(|value| !value.is_nan())
            .map(|value| value.to_string()),
        ColumnData::Categories { codes, names, .. } => codes
            .first()
            .filter(|code| **code != MISSING)
            .and_then(|code| names.get(*code as usize).cloned()),
    }
}
