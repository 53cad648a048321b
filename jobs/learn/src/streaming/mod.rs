//! Ridge logistic regression on batches that are read again for every pass, so that
//! memory holds a sample and a few matrices, not the rows.
//!
//! The first pass takes means, deviations and a sample; Newton on the sample starts
//! the search near the optimum. The second pass takes the Hessian of all rows. From
//! there gradients alone are enough: each step with that Hessian shrinks the error by
//! the error itself, and the passes end when the gradient is as good as zero.

mod gram;
mod moments;
#[cfg(test)]
mod tests;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::column::{self, ColumnData};
use crate::error::LearnError;
use crate::feature::{FeatureKind, FeatureSpec};
use crate::learner::{Batches, Learner, LearningTask, ProbabilityModel, one_row};
use crate::logistic::{Contribution, Explanation, sort_contributions, value_text};
use crate::newton::{cholesky, logistic, solve_cholesky};
use crate::parallel;

use gram::{TILE, add_gram, dot};
use moments::{Moments, moments};

const FORMAT: &str = "goyong-streamed-logistic/1";
const MAXIMUM_PASSES: usize = 40;

/// How a logistic regression is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StreamedOptions {
    /// L2 penalty on the sum of losses, on standardised columns (scikit-learn's `1 / C`).
    pub ridge: f64,
    /// Largest component of the gradient per row at which to stop.
    pub tolerance: f64,
    /// Threads; the result does not depend on it.
    pub threads: usize,
    /// Seed of the sample.
    pub seed: u64,
}

impl Default for StreamedOptions {
    fn default() -> Self {
        StreamedOptions {
            ridge: 1.0,
            tolerance: 1e-9,
            threads: 2,
            seed: 20_240_101,
        }
    }
}

/// One standardised column with its coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamedColumn {
    /// The feature.
    #[serde(flatten)]
    pub spec: FeatureSpec,
    /// Mean of its known values; missing ones take it.
    pub mean: f64,
    /// Their standard deviation; 1 where they do not vary.
    pub scale: f64,
    /// Log-odds per standard deviation.
    pub coefficient: f64,
    /// Standard error of the coefficient.
    pub standard_error: f64,
}

/// A logistic regression on numbers and booleans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamedLogistic {
    format: String,
    /// The columns in the order of the task.
    pub columns: Vec<StreamedColumn>,
    /// Log-odds where every column has its mean.
    pub intercept: f64,
    /// Rows.
    pub rows: u64,
    /// Times the rows were read.
    pub passes: usize,
    /// Largest component of the gradient per row at the solution.
    pub gradient: f64,
}

/// What one part of the batches adds to a pass.
struct Sums {
    rows: u64,
    objective: f64,
    /// Width + 1, the intercept last.
    gradient: Vec<f64>,
    /// Lower triangle by columns, of the full square; empty where not asked for.
    hessian: Vec<f64>,
}

impl StreamedLogistic {
    /// Fits on all rows. A categorical feature and weights are refused.
    pub fn fit(
        batches: &dyn Batches,
        task: &LearningTask,
        options: &StreamedOptions,
    ) -> Result<Self, LearnError> {
        if let Some(spec) = task
            .features
            .iter()
            .find(|spec| spec.kind == FeatureKind::Categorical)
        {
            return Err(LearnError::InvalidInput {
                operation: "streamed logistic",
                reason: format!("{} is a category; give it as indicators", spec.name),
            });
        }
        if let Some(weight) = &task.weight {
            return Err(LearnError::InvalidInput {
                operation: "streamed logistic",
                reason: format!("rows cannot be weighted by {weight}"),
            });
        }
        let moments = moments(batches, task, options)?;
        let (mean, scale) = moments.standardisation();
        let rows = moments.rows as f64;
        let width = mean.len();
        let mut parameters = start(&moments, &mean, &scale, options.ridge)?;
        drop(moments.sample);
        let pass = Pass {
            batches,
            task,
            options,
            mean: &mean,
            scale: &scale,
            rows,
        };
        let mut sums = pass.sums(&parameters, true)?;
        let mut factor = cholesky(&sums.hessian, width + 1)?;
        let mut passes = 2;
        let mut previous = f64::INFINITY;
        loop {
            let largest = sums
                .gradient
                .iter()
                .fold(0.0, |most: f64, g| most.max(g.abs()))
                / rows;
            if largest <= options.tolerance {
                let errors = standard_errors(&factor, width + 1);
                let columns = task.features.iter().enumerate();
                return Ok(StreamedLogistic {
                    format: FORMAT.to_owned(),
                    columns: columns
                        .map(|(position, spec)| StreamedColumn {
                            spec: spec.clone(),
                            mean: mean[position],
                            scale: scale[position],
                            coefficient: parameters[position],
                            standard_error: errors[position],
                        })
                        .collect(),
                    intercept: parameters[width],
                    rows: rows as u64,
                    passes,
                    gradient: largest,
                });
            }
            if passes >= MAXIMUM_PASSES {
                return Err(LearnError::Solver(format!(
                    "the gradient per row is still {largest:.1e} after {passes} passes"
                )));
            }
            let step = solve_cholesky(&factor, &sums.gradient);
            // A gradient that hardly falls says that the Hessian is too old.
            let renew = largest > 0.1 * previous;
            previous = largest;
            let objective = sums.objective;
            let mut length = 1.0;
            loop {
                let candidate: Vec<f64> = parameters
                    .iter()
                    .zip(&step)
                    .map(|(p, s)| p - length * s)
                    .collect();
                let next = pass.sums(&candidate, renew)?;
                passes += 1;
                if next.objective <= objective + 1e-12 * objective.abs() || length < 1e-4 {
                    parameters = candidate;
                    sums = next;
                    break;
                }
                length /= 2.0;
            }
            if renew {
                factor = cholesky(&sums.hessian, width + 1)?;
            }
        }
    }

    /// Reads a model back.
    pub fn from_json(json: &str) -> Result<Self, LearnError> {
        let model: StreamedLogistic = serde_json::from_str(json)?;
        if model.format != FORMAT {
            return Err(LearnError::UnknownFormat {
                found: model.format,
                expected: FORMAT.to_owned(),
            });
        }
        Ok(model)
    }

    /// What a column adds to the log-odds of each row of a batch.
    fn terms(&self, column: &StreamedColumn, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let values = numbers(batch, &column.spec.name, column.spec.kind)?;
        let term = |value: f64| {
            if value.is_nan() {
                0.0
            } else {
                column.coefficient * (value - column.mean) / column.scale
            }
        };
        Ok(values.into_iter().map(term).collect())
    }
}

impl ProbabilityModel for StreamedLogistic {
    fn kind(&self) -> &'static str {
        "streamed_logistic"
    }

    fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let mut scores = vec![self.intercept; batch.num_rows()];
        for column in &self.columns {
            for (score, term) in scores.iter_mut().zip(self.terms(column, batch)?) {
                *score += term;
            }
        }
        Ok(scores.into_iter().map(logistic).collect())
    }

    fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError> {
        let batch = one_row(batch, row)?;
        let mut contributions = Vec::with_capacity(self.columns.len());
        let mut score = self.intercept;
        for column in &self.columns {
            let log_odds = self.terms(column, &batch)?.iter().sum::<f64>();
            let values = numbers(&batch, &column.spec.name, column.spec.kind)?;
            score += log_odds;
            contributions.push(Contribution {
                feature: column.spec.name.clone(),
                label_ko: column.spec.label_ko.clone(),
                label_en: column.spec.label_en.clone(),
                value: value_text(&ColumnData::Numbers(values)),
                log_odds,
            });
        }
        Ok(Explanation {
            probability: logistic(score),
            average_log_odds: self.intercept,
            contributions: sort_contributions(contributions, top),
        })
    }

    fn to_json(&self) -> Result<String, LearnError> {
        Ok(serde_json::to_string(self)?)
    }
}

/// The learner that makes a [`StreamedLogistic`].
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamingLogistic {
    /// How it is streamed.
    pub options: StreamedOptions,
}

impl Learner for StreamingLogistic {
    fn fit(
        &self,
        batches: &dyn Batches,
        task: &LearningTask,
    ) -> Result<Box<dyn ProbabilityModel>, LearnError> {
        Ok(Box::new(StreamedLogistic::fit(
            batches,
            task,
            &self.options,
        )?))
    }
}

/// Everything a pass over the rows needs.
struct Pass<'a> {
    batches: &'a dyn Batches,
    task: &'a LearningTask,
    options: &'a StreamedOptions,
    mean: &'a [f64],
    scale: &'a [f64],
    rows: f64,
}

impl Pass<'_> {
    /// Objective, gradient and, if asked for, Hessian at a point, over all rows.
    fn sums(&self, parameters: &[f64], hessian: bool) -> Result<Sums, LearnError> {
        let width = self.mean.len();
        let mut parts: Vec<(usize, Result<Sums, LearnError>)> = (0..self.batches.parts())
            .map(|part| (part, Ok(Sums::zero(width + 1, false))))
            .collect();
        parallel::for_each(self.options.threads, &mut parts, |(part, result)| {
            let mut sums = Sums::zero(width + 1, hessian);
            let read = self.batches.read(*part, &mut |batch| {
                self.add_batch(batch, parameters, &mut sums)
            });
            *result = read.map(|()| sums);
        });
        let mut total = Sums::zero(width + 1, hessian);
        for (_, part) in parts {
            total.add(&part?);
        }
        if total.rows as f64 != self.rows {
            return Err(LearnError::Source(
                "the rows changed between two readings".to_owned(),
            ));
        }
        let ridge = self.options.ridge;
        for (position, coefficient) in parameters[..width].iter().enumerate() {
            total.objective += 0.5 * ridge * coefficient * coefficient;
            total.gradient[position] += ridge * coefficient;
            if hessian {
                total.hessian[position * (width + 1) + position] += ridge;
            }
        }
        Ok(total)
    }

    fn add_batch(
        &self,
        batch: &RecordBatch,
        parameters: &[f64],
        sums: &mut Sums,
    ) -> Result<(), LearnError> {
        let columns = self
            .task
            .features
            .iter()
            .map(|spec| numbers(batch, &spec.name, spec.kind))
            .collect::<Result<Vec<_>, _>>()?;
        let labels = labels(batch, self.task)?;
        sums.rows += batch.num_rows() as u64;
        let width = columns.len();
        let mut tile = vec![0.0; (width + 1) * TILE];
        for first in (0..batch.num_rows()).step_by(TILE) {
            let count = TILE.min(batch.num_rows() - first);
            for (position, column) in columns.iter().enumerate() {
                let (mean, scale) = (self.mean[position], self.scale[position]);
                let target = &mut tile[position * TILE..][..TILE];
                for (target, value) in target.iter_mut().zip(&column[first..first + count]) {
                    *target = if value.is_nan() {
                        0.0
                    } else {
                        (value - mean) / scale
                    };
                }
                target[count..].fill(0.0);
            }
            tile[width * TILE..].fill(0.0);
            tile[width * TILE..][..count].fill(1.0);
            sums.add_tile(&tile, &labels[first..first + count], parameters);
        }
        Ok(())
    }
}

impl Sums {
    fn zero(size: usize, hessian: bool) -> Self {
        Sums {
            rows: 0,
            objective: 0.0,
            gradient: vec![0.0; size],
            hessian: if hessian {
                vec![0.0; size * size]
            } else {
                Vec::new()
            },
        }
    }

    fn add(&mut self, part: &Sums) {
        self.rows += part.rows;
        self.objective += part.objective;
        for (total, part) in self.gradient.iter_mut().zip(&part.gradient) {
            *total += part;
        }
        for (total, part) in self.hessian.iter_mut().zip(&part.hessian) {
            *total += part;
        }
    }

    /// Adds [`TILE`] rows given column by column; those beyond the labels are zero.
    fn add_tile(&mut self, tile: &[f64], labels: &[bool], parameters: &[f64]) {
        let mut scores = [0.0; TILE];
        for (column, parameter) in tile.chunks_exact(TILE).zip(parameters) {
            for (score, value) in scores.iter_mut().zip(column) {
                *score += parameter * value;
            }
        }
        let mut residuals = [0.0; TILE];
        let mut roots = [0.0; TILE];
        for (row, label) in labels.iter().enumerate() {
            // One exponential gives probability and loss.
            let score = scores[row];
            let small = (-score.abs()).exp();
            let of_sign = 1.0 / (1.0 + small);
            let probability = if score >= 0.0 {
                of_sign
            } else {
                small * of_sign
            };
            let towards = if *label { -score } else { score };
            self.objective += towards.max(0.0) + small.ln_1p();
            residuals[row] = probability - f64::from(u8::from(*label));
            roots[row] = (probability * (1.0 - probability)).sqrt();
        }
        for (total, column) in self.gradient.iter_mut().zip(tile.chunks_exact(TILE)) {
            *total += dot(column, &residuals);
        }
        if !self.hessian.is_empty() {
            let weighted: Vec<f64> = tile
                .chunks_exact(TILE)
                .flat_map(|column| column.iter().zip(&roots).map(|(value, root)| value * root))
                .collect();
            add_gram(&weighted, parameters.len(), &mut self.hessian);
        }
    }
}

fn numbers(batch: &RecordBatch, name: &str, kind: FeatureKind) -> Result<Vec<f64>, LearnError> {
    let mut data = ColumnData::new(kind);
    data.append(kind, name, column::find(batch, name, "feature")?)?;
    Ok(match data {
        ColumnData::Numbers(values) => values,
        ColumnData::Categories { .. } => Vec::new(),
    })
}

fn labels(batch: &RecordBatch, task: &LearningTask) -> Result<Vec<bool>, LearnError> {
    Ok(crate::learner::known_labels(batch, task)?
        .values()
        .iter()
        .collect())
}

/// The optimum on the sample, its penalty in proportion.
fn start(
    moments: &Moments,
    mean: &[f64],
    scale: &[f64],
    ridge: f64,
) -> Result<Vec<f64>, LearnError> {
    let width = mean.len();
    let rate = moments.positives as f64 / moments.rows as f64;
    let mut parameters = vec![0.0; width + 1];
    parameters[width] = (rate / (1.0 - rate)).ln();
    let rows = moments.draws.len();
    let ridge = (ridge * rows as f64 / moments.rows as f64).max(1e-6);
    for _ in 0..12 {
        let mut sums = Sums::zero(width + 1, true);
        let mut tile = vec![0.0; (width + 1) * TILE];
        for first in (0..rows).step_by(TILE) {
            let count = TILE.min(rows - first);
            tile.fill(0.0);
            for position in 0..width {
                let values = &moments.sample[position][first..first + count];
                for (target, value) in tile[position * TILE..].iter_mut().zip(values) {
                    *target = if value.is_nan() {
                        0.0
                    } else {
                        (value - mean[position]) / scale[position]
                    };
                }
            }
            tile[width * TILE..][..count].fill(1.0);
            let labels: Vec<bool> = moments.sample[width][first..first + count]
                .iter()
                .map(|label| *label > 0.5)
                .collect();
            sums.add_tile(&tile, &labels, &parameters);
        }
        for (position, coefficient) in parameters[..width].iter().enumerate() {
            sums.gradient[position] += ridge * coefficient;
            sums.hessian[position * (width + 1) + position] += ridge;
        }
        let step = solve_cholesky(&cholesky(&sums.hessian, width + 1)?, &sums.gradient);
        let largest = step
            .iter()
            .fold(0.0, |most: f64, step| most.max(step.abs()));
        let length = (4.0 / largest).min(1.0);
        for (parameter, step) in parameters.iter_mut().zip(&step) {
            *parameter -= length * step;
        }
        if largest < 1e-4 {
            break;
        }
    }
    Ok(parameters)
}

fn standard_errors(factor: &[f64], size: usize) -> Vec<f64> {
    (0..size)
        .map(|position| {
            let mut unit = vec![0.0; size];
            unit[position] = 1.0;
            solve_cholesky(factor, &unit)[position].max(0.0).sqrt()
        })
        .collect()
}
