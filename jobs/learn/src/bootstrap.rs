//! Intervals of the figures of predictions by resampling whoever they are of: each cluster of rows counts as often as a
//! Poisson draw with mean 1 says (the Poisson bootstrap; Efron 1979, Hanley and MacGibbon 2006), so that several rows of
//! one person are no evidence of their own.

use crate::calibration::{Recalibration, logit};
use crate::metrics::{Estimate, ascending, tied_blocks};
use crate::newton::logistic;
use crate::parallel::{for_each, mix};
use crate::ranking::{CapacityMetric, RankingEnd};

/// Figures of one weighting of the rows; `NaN` where a figure does not exist.
#[derive(Debug, Clone, Default)]
struct Figures {
    auc: f64,
    average_precision: f64,
    brier: f64,
    log_loss: f64,
    slope: f64,
    intercept: f64,
    in_the_large: f64,
    /// Precision and recall of each capacity.
    capacities: Vec<(f64, f64)>,
}

/// What is measured with intervals.
#[derive(Debug, Clone)]
pub(crate) struct Intervals {
    pub auc: Option<Estimate>,
    pub average_precision: Option<Estimate>,
    pub brier: Option<Estimate>,
    pub log_loss: Option<Estimate>,
    pub recalibration: Option<Recalibration>,
    pub at_capacity: Vec<CapacityMetric>,
}

/// Predictions in order, with what every replicate adds up.
struct Sorted {
    /// Row numbers, highest prediction first.
    order: Vec<u32>,
    /// Where each run of equal predictions ends in `order`.
    ends: Vec<usize>,
    terms: Vec<Terms>,
}

/// What a row adds to sums, in the order of `Sorted`.
struct Terms {
    is_positive: bool,
    brier: f64,
    log_loss: f64,
    logit: f64,
    /// Residual and variance at the fitted slope and intercept.
    joint: [f64; 2],
    /// The same with the slope held at 1.
    large: [f64; 2],
}

/// Replaces the intervals of figures by those of `replicates` weightings; the figures stay as they are.
///
/// `clusters` names for each row whom it is of. Slope and intercept of a replicate are one Newton step away from
/// `recalibration` (Pregibon 1981).
pub(crate) fn resampled(
    (predicted, labels): (&[f64], &[bool]),
    clusters: &[u64],
    recalibration: Option<Recalibration>,
    capacities: Vec<CapacityMetric>,
    (replicates, seed, threads): (usize, u64, usize),
) -> Intervals {
    let sorted = Sorted::new(predicted, labels, recalibration);
    let once = vec![1.0; labels.len()];
    let value = sorted.figures(&once, recalibration, &capacities);
    let mut found: Vec<(u64, Figures)> = (0..replicates as u64)
        .map(|number| (number, Figures::default()))
        .collect();
    for_each(threads, &mut found, |(number, figures)| {
        let seed = mix(*number, seed);
        let weights: Vec<f64> = clusters
            .iter()
            .map(|cluster| poisson(mix(*cluster, seed)))
            .collect();
        *figures = sorted.figures(&weights, recalibration, &capacities);
    });
    let estimate = |of: &dyn Fn(&Figures) -> f64, value: f64| {
        let drawn = found.iter().map(|(_, figures)| of(figures)).collect();
        percentiles(value, drawn)
    };
    let exists = |value: f64| value.is_finite().then_some(value);
    Intervals {
        auc: exists(value.auc).map(|value| estimate(&|of| of.auc, value)),
        average_precision: exists(value.average_precision)
            .map(|value| estimate(&|of| of.average_precision, value)),
        brier: exists(value.brier).map(|value| estimate(&|of| of.brier, value)),
        log_loss: exists(value.log_loss).map(|value| estimate(&|of| of.log_loss, value)),
        recalibration: recalibration.map(|fit| Recalibration {
            slope: estimate(&|of| of.slope, fit.slope.value),
            intercept: estimate(&|of| of.intercept, fit.intercept.value),
            in_the_large: estimate(&|of| of.in_the_large, fit.in_the_large.value),
        }),
        at_capacity: capacities
            .into_iter()
            .enumerate()
            .map(|(place, metric)| CapacityMetric {
                precision: estimate(&|of| of.capacities[place].0, metric.precision.value),
                recall: estimate(&|of| of.capacities[place].1, metric.recall.value),
                ..metric
            })
            .collect(),
    }
}

/// Area under the precision-recall curve as the mean precision over the positives, ties counted as one step. `None`
/// without a positive.
pub fn average_precision(predicted: &[f64], labels: &[bool]) -> Option<f64> {
    let once = vec![1.0; labels.len()];
    let figures = Sorted::new(predicted, labels, None).figures(&once, None, &[]);
    figures
        .average_precision
        .is_finite()
        .then_some(figures.average_precision)
}

impl Sorted {
    fn new(predicted: &[f64], labels: &[bool], recalibration: Option<Recalibration>) -> Self {
        let mut order = ascending(predicted);
        order.reverse();
        let ends = tied_blocks(predicted, &order)
            .scan(0, |end, block| {
                *end += block.len();
                Some(*end)
            })
            .collect();
        let fit = recalibration.map_or([0.0, 1.0, 0.0], |fit| {
            [fit.intercept.value, fit.slope.value, fit.in_the_large.value]
        });
        let terms = order.iter().map(|row| {
            let (probability, is_positive) = (predicted[*row as usize], labels[*row as usize]);
            let outcome = f64::from(u8::from(is_positive));
            let logit = logit(probability);
            let at = |fitted: f64| {
                let fitted = logistic(fitted);
                [outcome - fitted, fitted * (1.0 - fitted)]
            };
            let said = match is_positive {
                true => probability,
                false => 1.0 - probability,
            };
            Terms {
                is_positive,
                brier: (probability - outcome).powi(2),
                log_loss: -said.clamp(1e-15, 1.0 - 1e-15).ln(),
                logit,
                joint: at(fit[0] + fit[1] * logit),
                large: at(fit[2] + logit),
            }
        });
        Self {
            terms: terms.collect(),
            order,
            ends,
        }
    }

    /// The figures where each row counts as often as its weight says.
    fn figures(
        &self,
        weights: &[f64],
        recalibration: Option<Recalibration>,
        capacities: &[CapacityMetric],
    ) -> Figures {
        // Positives and negatives of each run of equal predictions.
        let mut blocks: Vec<[f64; 2]> = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        let (mut rows, mut brier, mut log_loss) = (0.0, 0.0, 0.0);
        let mut joint = [0.0; 5];
        let mut large = [0.0; 2];
        for end in &self.ends {
            let mut block = [0.0; 2];
            for place in start..*end {
                let weight = weights[self.order[place] as usize];
                if weight == 0.0 {
                    continue;
                }
                let terms = &self.terms[place];
                block[usize::from(!terms.is_positive)] += weight;
                rows += weight;
                brier += weight * terms.brier;
                log_loss += weight * terms.log_loss;
                let ([residual, variance], x) = (terms.joint, terms.logit);
                joint[0] += weight * residual;
                joint[1] += weight * residual * x;
                joint[2] += weight * variance;
                joint[3] += weight * variance * x;
                joint[4] += weight * variance * x * x;
                large[0] += weight * terms.large[0];
                large[1] += weight * terms.large[1];
            }
            blocks.push(block);
            start = *end;
        }
        let positives: f64 = blocks.iter().map(|block| block[0]).sum();
        let negatives = rows - positives;
        let (mut above, mut all_above) = (0.0, 0.0);
        let (mut wins, mut precision) = (0.0, 0.0);
        for [here, others] in &blocks {
            wins += others * (above + here / 2.0);
            above += here;
            all_above += here + others;
            if *here > 0.0 {
                precision += here * above / all_above;
            }
        }
        let [g0, g1, a, b, c] = joint;
        let determinant = a * c - b * b;
        let fit = recalibration.map(|fit| {
            [
                fit.intercept.value + (c * g0 - b * g1) / determinant,
                fit.slope.value + (a * g1 - b * g0) / determinant,
                fit.in_the_large.value + large[0] / large[1],
            ]
        });
        let [intercept, slope, in_the_large] = fit.unwrap_or([f64::NAN; 3]);
        let at_capacity = |metric: &CapacityMetric| match metric.end {
            RankingEnd::Highest => served(blocks.iter(), 0, metric.share * rows, positives),
            RankingEnd::Lowest => served(blocks.iter().rev(), 1, metric.share * rows, negatives),
        };
        Figures {
            auc: wins / (positives * negatives),
            average_precision: precision / positives,
            brier: brier / rows,
            log_loss: log_loss / rows,
            slope,
            intercept,
            in_the_large,
            capacities: capacities.iter().map(at_capacity).collect(),
        }
    }
}

/// Precision and recall of the first rows, runs of equal predictions shared out.
fn served<'a>(
    blocks: impl Iterator<Item = &'a [f64; 2]>,
    sought: usize,
    capacity: f64,
    total: f64,
) -> (f64, f64) {
    let (mut found, mut left) = (0.0, capacity);
    for block in blocks {
        let rows = block[0] + block[1];
        if rows > 0.0 {
            let share = (left / rows).min(1.0);
            found += block[sought] * share;
            left -= rows * share;
        }
        if left <= 0.0 {
            break;
        }
    }
    (found / capacity, found / total)
}

/// A Poisson draw with mean 1 from a uniform number, by the inverse of its distribution.
fn poisson(uniform: u64) -> f64 {
    let uniform = (uniform >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut count, mut term) = (0.0, (-1.0_f64).exp());
    let mut sum = term;
    while uniform >= sum && count < 20.0 {
        count += 1.0;
        term /= count;
        sum += term;
    }
    count
}

/// The middle 95 % of what replicates gave; replicates without the figure count for nothing.
fn percentiles(value: f64, mut drawn: Vec<f64>) -> Estimate {
    drawn.retain(|value| value.is_finite());
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * drawn.len().saturating_sub(1) as f64).round() as usize;
        drawn.get(place).copied().unwrap_or(value)
    };
    Estimate {
        value,
        lower: at(0.025).min(value),
        upper: at(0.975).max(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::calibration::recalibration;
    use crate::metrics::{auc, auc_with_interval, brier, log_loss};
    use crate::ranking::at_capacity;

    /// Predictions between 0 and 1, outcomes that follow them.
    fn sample(rows: u64) -> (Vec<f64>, Vec<bool>) {
        let uniform = |number: u64| (mix(number, 7) >> 11) as f64 / (1_u64 << 53) as f64;
        let predicted: Vec<f64> = (0..rows)
            .map(|row| (0.05 + 0.9 * uniform(2 * row) * 50.0).round() / 50.0)
            .map(|value| value.clamp(0.02, 0.98))
            .collect();
        let labels = (0..rows)
            .zip(&predicted)
            .map(|(row, probability)| uniform(2 * row + 1) < *probability);
        let labels = labels.collect();
        (predicted, labels)
    }

    fn of(sample: &(Vec<f64>, Vec<bool>), clusters: &[u64], threads: usize) -> Intervals {
        let (predicted, labels) = (&sample.0, &sample.1);
        let capacities = [RankingEnd::Highest, RankingEnd::Lowest]
            .into_iter()
            .filter_map(|end| at_capacity(predicted, labels, end, 0.1));
        resampled(
            (predicted, labels),
            clusters,
            recalibration(predicted, labels),
            capacities.collect(),
            (200, 3, threads),
        )
    }

    #[test]
    fn average_precision_equals_the_hand_computed_one() {
        // Precision 1, 2/3 and 3/4 at the positives.
        let found = average_precision(&[0.9, 0.8, 0.7, 0.6], &[true, false, true, true]);
        assert!((found.unwrap() - (1.0 + 2.0 / 3.0 + 0.75) / 3.0).abs() < 1e-12);
        // A tie is one step: both positives come at precision 2/3.
        let tied = average_precision(&[0.5, 0.5, 0.5], &[true, true, false]);
        assert!((tied.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(average_precision(&[0.5], &[false]), None);
    }

    #[test]
    fn figures_are_those_measured_otherwise_and_independent_rows_give_the_known_intervals() {
        let sample = sample(4_000);
        let (predicted, labels) = (&sample.0, &sample.1);
        let clusters: Vec<u64> = (0..4_000).collect();
        let found = of(&sample, &clusters, 1);
        let near = |found: Estimate, known: Estimate| {
            assert!(
                (found.value - known.value).abs() < 1e-9,
                "{found:?} {known:?}"
            );
            let (width, wanted) = (found.upper - found.lower, known.upper - known.lower);
            assert!((width / wanted - 1.0).abs() < 0.25, "{found:?} {known:?}");
        };
        near(
            found.auc.unwrap(),
            auc_with_interval(predicted, labels).unwrap(),
        );
        near(found.brier.unwrap(), brier(predicted, labels).unwrap());
        near(
            found.log_loss.unwrap(),
            log_loss(predicted, labels).unwrap(),
        );
        let fit = recalibration(predicted, labels).unwrap();
        let resampled = found.recalibration.unwrap();
        near(resampled.slope, fit.slope);
        near(resampled.intercept, fit.intercept);
        near(resampled.in_the_large, fit.in_the_large);
        for metric in &found.at_capacity {
            let known = at_capacity(predicted, labels, metric.end, metric.share).unwrap();
            near(metric.precision, known.precision);
        }
        assert!((found.auc.unwrap().value - auc(predicted, labels).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn rows_of_one_person_are_no_evidence_of_their_own() {
        let once = sample(1_000);
        let alone: Vec<u64> = (0..1_000).collect();
        let mut twice = once.clone();
        for _ in 0..3 {
            twice.0.extend(&once.0);
            twice.1.extend(&once.1);
        }
        let persons: Vec<u64> = alone.iter().cycle().take(4_000).copied().collect();
        let (one, four) = (of(&once, &alone, 1), of(&twice, &persons, 1));
        for (one, four) in [
            (one.auc, four.auc),
            (one.average_precision, four.average_precision),
            (one.brier, four.brier),
        ] {
            let (one, four) = (one.unwrap(), four.unwrap());
            for (one, four) in [
                (one.value, four.value),
                (one.lower, four.lower),
                (one.upper, four.upper),
            ] {
                assert!((one - four).abs() < 1e-9, "{one} {four}");
            }
        }
    }

    #[test]
    fn one_thread_and_two_give_the_same() {
        let sample = sample(700);
        let clusters: Vec<u64> = (0..700).map(|row| row / 3).collect();
        let (one, two) = (of(&sample, &clusters, 1), of(&sample, &clusters, 2));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
    }
}
