//! Arrow batches to binned rows: once through for the bins, once to write them.
//! Never more than a sample of the values is held.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use super::BoostOptions;
use super::bins::{BinnedFeature, LANES, Matrix, pack};
use super::fit::TrainingRows;
use crate::column::{self, ColumnData, EntityKeys, MISSING};
use crate::dataset::Dataset;
use crate::error::LearnError;
use crate::feature::FeatureKind;
use crate::learner::{Batches, LearningTask, known_labels};
use crate::parallel;

/// Rows whose values decide the quantiles.
const SAMPLE_ROWS: usize = 100_000;

/// What the first reading of a part tells.
#[derive(Default)]
struct PartSummary {
    rows: usize,
    positives: usize,
    /// Draws of the sampled rows and their values by numeric feature.
    draws: Vec<u64>,
    values: Vec<Vec<f64>>,
    threshold: Option<u64>,
    /// Rows and positive rows by category, by feature.
    categories: Vec<BTreeMap<String, [f64; 2]>>,
}

/// The places of one part in the binned rows.
struct PartTarget<'a> {
    part: usize,
    rows: usize,
    words: &'a mut [u64],
    columns: Vec<&'a mut [u8]>,
    labels: &'a mut [bool],
    weights: Option<&'a mut [f32]>,
    groups: Option<&'a mut [u64]>,
    days: Option<&'a mut [i32]>,
}

/// Bins of the features and the binned rows of batches.
pub(crate) fn bin_batches(
    batches: &dyn Batches,
    task: &LearningTask,
    options: &BoostOptions,
) -> Result<(Vec<BinnedFeature>, TrainingRows), LearnError> {
    let mut all = PartSummary::of(task);
    let mut sizes = Vec::with_capacity(batches.parts());
    // A few parts at a time: what a part's sample holds is let go before the next are read, and they draw no more than
    // still can be among the smallest.
    let numbers: Vec<usize> = (0..batches.parts()).collect();
    for round in numbers.chunks(2 * options.threads.max(1)) {
        let threshold = all.threshold;
        let mut parts: Vec<(usize, Result<PartSummary, LearnError>)> = round
            .iter()
            .map(|part| (*part, Ok(PartSummary::default())))
            .collect();
        parallel::for_each(options.threads, &mut parts, |(part, summary)| {
            *summary = summarise(batches, *part, task, options.seed, threshold);
        });
        for (_, summary) in parts {
            let summary = summary?;
            sizes.push(summary.rows);
            all.merge(summary);
        }
    }
    let features = all.features(task, options);
    let rows = sizes.iter().sum();
    if rows == 0 {
        return Err(LearnError::NoRows {
            purpose: "train on",
        });
    }
    let mut data = TrainingRows {
        matrix: Matrix::zeros(rows, features.len()),
        labels: vec![false; rows],
        weights: task.weight.as_ref().map(|_| vec![0.0; rows]),
        groups: task.group.as_ref().map(|_| vec![0; rows]),
        days: task.entered_on.as_ref().map(|_| vec![0; rows]),
    };
    let mut written: Vec<(PartTarget<'_>, Result<(), LearnError>)> = targets(&mut data, &sizes)
        .into_iter()
        .map(|target| (target, Ok(())))
        .collect();
    parallel::for_each(options.threads, &mut written, |(target, result)| {
        *result = write_part(batches, task, &features, target);
    });
    written.into_iter().try_for_each(|(_, result)| result)?;
    Ok((features, data))
}

/// The same for rows of a data set.
pub(crate) fn bin_dataset(
    dataset: &Dataset,
    rows: &[u32],
    options: &BoostOptions,
) -> Result<(Vec<BinnedFeature>, TrainingRows), LearnError> {
    let labels = dataset.labels_of(rows);
    let rate = share_of_positives(labels.iter().filter(|label| **label).count(), labels.len());
    let stride = rows.len().div_ceil(2 * SAMPLE_ROWS).max(1);
    let mut features: Vec<Result<BinnedFeature, usize>> =
        (0..dataset.features.len()).map(Err).collect();
    parallel::for_each(options.threads, &mut features, |feature| {
        let Err(position) = *feature else { return };
        let spec = &dataset.spec.features[position];
        *feature = Ok(match &dataset.features[position] {
            ColumnData::Numbers(values) => {
                let sampled = rows.iter().step_by(stride).map(|row| values[*row as usize]);
                BinnedFeature::of_numbers(spec, &mut sampled.collect())
            }
            ColumnData::Categories { codes, names, .. } => {
                let mut counts = vec![[0.0; 2]; names.len()];
                for (row, label) in rows.iter().zip(&labels) {
                    let code = codes[*row as usize];
                    if code != MISSING {
                        counts[code as usize][0] += 1.0;
                        counts[code as usize][1] += f64::from(u8::from(*label));
                    }
                }
                of_categories(spec, names.iter().zip(counts), rate, options)
            }
        });
    });
    let features: Vec<BinnedFeature> = features.into_iter().flatten().collect();
    let mut matrix = Matrix::zeros(rows.len(), features.len());
    let mut binned: Vec<(usize, &mut Vec<u8>, Result<(), LearnError>)> = matrix
        .columns
        .iter_mut()
        .enumerate()
        .map(|(position, column)| (position, column, Ok(())))
        .collect();
    parallel::for_each(
        options.threads,
        &mut binned,
        |(position, column, result)| {
            let data = &dataset.features[*position];
            let rows = rows.iter().map(|row| *row as usize);
            let mut bins = column.iter_mut();
            *result = features[*position].bin(data, rows, |bin| {
                if let Some(place) = bins.next() {
                    *place = bin;
                }
            });
        },
    );
    binned.into_iter().try_for_each(|(_, _, result)| result)?;
    let columns: Vec<&[u8]> = matrix.columns.iter().map(Vec::as_slice).collect();
    pack(&columns, matrix.width, &mut matrix.words);
    let days = rows
        .iter()
        .map(|row| dataset.entered_on[*row as usize])
        .collect();
    let data = TrainingRows {
        matrix,
        labels,
        weights: None,
        groups: None,
        days: Some(days),
    };
    Ok((features, data))
}

fn of_categories<'a>(
    spec: &crate::FeatureSpec,
    counts: impl Iterator<Item = (&'a String, [f64; 2])>,
    rate: f64,
    options: &BoostOptions,
) -> BinnedFeature {
    let minimum = options.minimum_category_rows as f64;
    BinnedFeature::of_categories(spec, counts, rate, options.category_smoothing, minimum)
}

fn share_of_positives(positives: usize, rows: usize) -> f64 {
    positives as f64 / rows.max(1) as f64
}

fn summarise(
    batches: &dyn Batches,
    part: usize,
    task: &LearningTask,
    seed: u64,
    threshold: Option<u64>,
) -> Result<PartSummary, LearnError> {
    let mut summary = PartSummary {
        threshold,
        ..PartSummary::of(task)
    };
    batches.read(part, &mut |batch| {
        let labels = known_labels(batch, task)?;
        let threshold = summary.threshold.unwrap_or(u64::MAX);
        let mut drawn = Vec::new();
        for row in 0..batch.num_rows() {
            let position = ((part as u64) << 40) + (summary.rows + row) as u64;
            let draw = parallel::mix(position, seed);
            if draw <= threshold {
                summary.draws.push(draw);
                drawn.push(row);
            }
        }
        summary.rows += batch.num_rows();
        summary.positives += labels.true_count();
        for (position, spec) in task.features.iter().enumerate() {
            let array = column::find(batch, &spec.name, "feature")?;
            if spec.kind == FeatureKind::Categorical {
                let mut data = ColumnData::new(spec.kind);
                data.append(spec.kind, &spec.name, array)?;
                count_categories(&data, &labels, &mut summary.categories[position]);
            } else {
                column::numbers_at(spec, array, &drawn, &mut summary.values[position])?;
            }
        }
        if summary.draws.len() > 2 * SAMPLE_ROWS {
            summary.keep_smallest_draws();
        }
        Ok(())
    })?;
    summary.keep_smallest_draws();
    Ok(summary)
}

fn count_categories(
    data: &ColumnData,
    labels: &arrow_array::BooleanArray,
    totals: &mut BTreeMap<String, [f64; 2]>,
) {
    let ColumnData::Categories { codes, names, .. } = data else {
        return;
    };
    let mut counts = vec![[0.0; 2]; names.len()];
    for (code, label) in codes.iter().zip(labels.values()) {
        if *code != MISSING {
            counts[*code as usize][0] += 1.0;
            counts[*code as usize][1] += f64::from(u8::from(label));
        }
    }
    for (name, [rows, positives]) in names.iter().zip(counts) {
        let total = totals.entry(name.clone()).or_default();
        total[0] += rows;
        total[1] += positives;
    }
}

impl PartSummary {
    fn of(task: &LearningTask) -> Self {
        PartSummary {
            values: vec![Vec::new(); task.features.len()],
            categories: vec![BTreeMap::new(); task.features.len()],
            ..PartSummary::default()
        }
    }

    fn keep_smallest_draws(&mut self) {
        if self.draws.len() > SAMPLE_ROWS {
            self.threshold = Some(parallel::keep_smallest(
                &mut self.draws,
                &mut self.values,
                SAMPLE_ROWS,
            ));
        }
    }

    /// Adds the summary of the next part; the sample stays uniform over all rows.
    fn merge(&mut self, mut part: PartSummary) {
        self.rows += part.rows;
        self.positives += part.positives;
        self.draws.append(&mut part.draws);
        for (values, part) in self.values.iter_mut().zip(&mut part.values) {
            values.append(part);
        }
        for (totals, part) in self.categories.iter_mut().zip(part.categories) {
            for (name, [rows, positives]) in part {
                let total = totals.entry(name).or_default();
                total[0] += rows;
                total[1] += positives;
            }
        }
        self.keep_smallest_draws();
    }

    /// The features with their bins.
    fn features(mut self, task: &LearningTask, options: &BoostOptions) -> Vec<BinnedFeature> {
        let rate = share_of_positives(self.positives, self.rows);
        task.features
            .iter()
            .zip(self.values.iter_mut().zip(&self.categories))
            .map(|(spec, (values, categories))| match spec.kind {
                FeatureKind::Categorical => {
                    let counts = categories.iter().map(|(name, counts)| (name, *counts));
                    of_categories(spec, counts, rate, options)
                }
                _ => BinnedFeature::of_numbers(spec, values),
            })
            .collect()
    }
}

/// Cuts the rows into the places of each part.
fn targets<'a>(data: &'a mut TrainingRows, sizes: &[usize]) -> Vec<PartTarget<'a>> {
    let width = data.matrix.width;
    let mut words = data.matrix.words.as_mut_slice();
    let mut columns: Vec<&mut [u8]> = data
        .matrix
        .columns
        .iter_mut()
        .map(Vec::as_mut_slice)
        .collect();
    let mut labels = data.labels.as_mut_slice();
    let mut weights = data.weights.as_deref_mut();
    let mut groups = data.groups.as_deref_mut();
    let mut days = data.days.as_deref_mut();
    sizes
        .iter()
        .enumerate()
        .map(|(part, rows)| PartTarget {
            part,
            rows: *rows,
            words: cut(&mut words, *rows * width),
            columns: columns
                .iter_mut()
                .map(|column| cut(column, *rows))
                .collect(),
            labels: cut(&mut labels, *rows),
            weights: weights.as_mut().map(|weights| cut(weights, *rows)),
            groups: groups.as_mut().map(|groups| cut(groups, *rows)),
            days: days.as_mut().map(|days| cut(days, *rows)),
        })
        .collect()
}

fn cut<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (front, back) = std::mem::take(rest).split_at_mut(count);
    *rest = back;
    front
}

fn write_part(
    batches: &dyn Batches,
    task: &LearningTask,
    features: &[BinnedFeature],
    target: &mut PartTarget<'_>,
) -> Result<(), LearnError> {
    let changed = || LearnError::Source("the rows changed between two readings".to_owned());
    let mut first = 0;
    batches.read(target.part, &mut |batch| {
        let rows = batch.num_rows();
        if first + rows > target.rows {
            return Err(changed());
        }
        for (position, feature) in features.iter().enumerate() {
            let array = column::find(batch, &feature.spec.name, "feature")?;
            let mut data = ColumnData::new(feature.spec.kind);
            data.append(feature.spec.kind, &feature.spec.name, array)?;
            let mut bins = target.columns[position][first..].iter_mut();
            feature.bin(&data, 0..rows, |bin| {
                if let Some(place) = bins.next() {
                    *place = bin;
                }
            })?;
        }
        let columns: Vec<&[u8]> = target
            .columns
            .iter()
            .map(|column| &column[first..])
            .collect();
        let width = features.len().div_ceil(LANES);
        pack(
            &columns,
            width,
            &mut target.words[first * width..][..rows * width],
        );
        let labels = known_labels(batch, task)?;
        for (target, label) in target.labels[first..].iter_mut().zip(labels.values()) {
            *target = label;
        }
        if let (Some(name), Some(weights)) = (&task.weight, &mut target.weights) {
            write_weights(name, batch, &mut weights[first..first + rows])?;
        }
        if let (Some(name), Some(groups)) = (&task.group, &mut target.groups) {
            let array = column::find(batch, name, "group")?;
            let mut keys = EntityKeys::new(array.data_type());
            keys.append(name, array)?;
            for (row, group) in groups[first..first + rows].iter_mut().enumerate() {
                *group = keys.hash(row);
            }
        }
        if let (Some(name), Some(days)) = (&task.entered_on, &mut target.days) {
            let dates = column::dates(name, column::find(batch, name, "entry date")?)?;
            column::refuse_nulls(name, &dates, "every row needs its entry date")?;
            days[first..first + rows].copy_from_slice(dates.values());
        }
        first += rows;
        Ok(())
    })?;
    if first == target.rows {
        Ok(())
    } else {
        Err(changed())
    }
}

fn write_weights(name: &str, batch: &RecordBatch, weights: &mut [f32]) -> Result<(), LearnError> {
    let mut data = ColumnData::new(FeatureKind::Numeric);
    data.append(
        FeatureKind::Numeric,
        name,
        column::find(batch, name, "weight")?,
    )?;
    let ColumnData::Numbers(values) = data else {
        return Ok(());
    };
    let refused = values
        .iter()
        .filter(|value| value.is_nan() || **value <= 0.0)
        .count();
    if refused > 0 {
        return Err(LearnError::InvalidInput {
            operation: "fit",
            reason: format!("{refused} weights in {name} are missing or not above 0"),
        });
    }
    for (weight, value) in weights.iter_mut().zip(values) {
        *weight = value as f32;
    }
    Ok(())
}
