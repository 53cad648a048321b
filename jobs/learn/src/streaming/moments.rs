//! What the first pass takes of the rows: means, deviations and a sample.

use arrow_array::RecordBatch;

use super::{StreamedOptions, labels, numbers};
use crate::error::LearnError;
use crate::learner::{Batches, LearningTask};
use crate::parallel;

/// Rows of the sample on which the search starts.
const SAMPLE_ROWS: usize = 50_000;

/// Means, deviations and a sample of one part.
#[derive(Default)]
pub(super) struct Moments {
    pub(super) rows: u64,
    pub(super) positives: u64,
    known: Vec<f64>,
    mean: Vec<f64>,
    squares: Vec<f64>,
    pub(super) draws: Vec<u64>,
    threshold: Option<u64>,
    /// Row after row, the label last.
    pub(super) sample: Vec<Vec<f64>>,
}

pub(super) fn moments(
    batches: &dyn Batches,
    task: &LearningTask,
    options: &StreamedOptions,
) -> Result<Moments, LearnError> {
    let width = task.features.len();
    let mut total = Moments::of_width(width);
    // A few parts at a time: what a part's sample holds is let go before the next are read, and they draw no more than
    // still can be among the smallest.
    let numbers: Vec<usize> = (0..batches.parts()).collect();
    for round in numbers.chunks(2 * options.threads.max(1)) {
        let threshold = total.threshold;
        let mut parts: Vec<(usize, Result<Moments, LearnError>)> = round
            .iter()
            .map(|part| (*part, Ok(Moments::default())))
            .collect();
        parallel::for_each(options.threads, &mut parts, |(part, result)| {
            let mut moments = Moments::of_width(width);
            moments.threshold = threshold;
            let read = batches.read(*part, &mut |batch| {
                moments.add_batch(batch, *part, task, options)
            });
            *result = read.map(|()| moments);
        });
        for (_, part) in parts {
            total.merge(part?);
        }
    }
    if total.rows == 0 {
        return Err(LearnError::NoRows {
            purpose: "train on",
        });
    }
    if total.positives == 0 || total.positives == total.rows {
        return Err(LearnError::OneClass {
            rows: total.rows as usize,
            positive: total.positives > 0,
        });
    }
    Ok(total)
}

impl Moments {
    fn of_width(width: usize) -> Self {
        Moments {
            known: vec![0.0; width],
            mean: vec![0.0; width],
            squares: vec![0.0; width],
            sample: vec![Vec::new(); width + 1],
            ..Moments::default()
        }
    }

    fn add_batch(
        &mut self,
        batch: &RecordBatch,
        part: usize,
        task: &LearningTask,
        options: &StreamedOptions,
    ) -> Result<(), LearnError> {
        let threshold = self.threshold.unwrap_or(u64::MAX);
        let drawn: Vec<usize> = (0..batch.num_rows())
            .filter(|row| {
                let position = ((part as u64) << 40) + self.rows + *row as u64;
                let draw = parallel::mix(position, options.seed);
                let taken = draw <= threshold;
                if taken {
                    self.draws.push(draw);
                }
                taken
            })
            .collect();
        let labels = labels(batch, task)?;
        for (position, spec) in task.features.iter().enumerate() {
            let values = numbers(batch, &spec.name, spec.kind)?;
            let known = || values.iter().filter(|value| !value.is_nan());
            let count = known().count() as f64;
            if count > 0.0 {
                let mean = known().sum::<f64>() / count;
                let squares = known().map(|value| (value - mean).powi(2)).sum();
                self.merge_column(position, count, mean, squares);
            }
            self.sample[position].extend(drawn.iter().map(|row| values[*row]));
        }
        let of_label = |row: &usize| f64::from(u8::from(labels[*row]));
        if let Some(sampled) = self.sample.last_mut() {
            sampled.extend(drawn.iter().map(of_label));
        }
        self.rows += batch.num_rows() as u64;
        self.positives += labels.iter().filter(|label| **label).count() as u64;
        if self.draws.len() > 2 * SAMPLE_ROWS {
            self.keep_smallest_draws();
        }
        Ok(())
    }

    /// Chan, Golub and LeVeque (1979).
    fn merge_column(&mut self, position: usize, count: f64, mean: f64, squares: f64) {
        let total = self.known[position] + count;
        let distance = mean - self.mean[position];
        self.squares[position] +=
            squares + distance * distance * self.known[position] * count / total;
        self.mean[position] += distance * count / total;
        self.known[position] = total;
    }

    fn merge(&mut self, mut part: Moments) {
        for position in 0..part.known.len() {
            if part.known[position] > 0.0 {
                let (count, mean) = (part.known[position], part.mean[position]);
                self.merge_column(position, count, mean, part.squares[position]);
            }
        }
        self.rows += part.rows;
        self.positives += part.positives;
        self.draws.append(&mut part.draws);
        for (all, part) in self.sample.iter_mut().zip(&mut part.sample) {
            all.append(part);
        }
        if self.draws.len() > SAMPLE_ROWS {
            self.keep_smallest_draws();
        }
    }

    fn keep_smallest_draws(&mut self) {
        self.threshold = Some(parallel::keep_smallest(
            &mut self.draws,
            &mut self.sample,
            SAMPLE_ROWS,
        ));
    }

    /// Means and deviations of the columns.
    pub(super) fn standardisation(&self) -> (Vec<f64>, Vec<f64>) {
        let scale = self
            .squares
            .iter()
            .zip(&self.known)
            .map(|(squares, known)| {
                let deviation = (squares / known.max(1.0)).sqrt();
                if deviation > 0.0 { deviation } else { 1.0 }
            });
        (self.mean.clone(), scale.collect())
    }
}
