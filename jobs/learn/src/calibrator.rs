//! Calibration maps, fitted on one period and chosen on a later one.

use serde::{Deserialize, Serialize};

use crate::calibration::logit;
use crate::error::LearnError;
use crate::evaluation::check_input;
use crate::metrics::{ascending, log_loss, tied_blocks};
use crate::newton::{cholesky, logistic, solve_cholesky};

/// Keeps an isotonic step from claiming certainty.
const MARGIN: f64 = 1e-4;

/// A map from a model's probability to a calibrated one; none of them changes the
/// order of two rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "map", rename_all = "snake_case")]
pub enum Calibrator {
    /// The probability as it is.
    Identity,
    /// `logit q = intercept + slope logit p` (Platt 1999).
    Platt {
        /// Added log-odds.
        intercept: f64,
        /// Factor on the log-odds.
        slope: f64,
    },
    /// `logit q = intercept + a ln p - b ln(1 - p)` with a and b at or above 0
    /// (Kull, Silva Filho and Flach 2017).
    Beta {
        /// Added log-odds.
        intercept: f64,
        /// Factor on `ln p`.
        a: f64,
        /// Factor on `-ln(1 - p)`.
        b: f64,
    },
    /// A rising line through the means of pooled neighbours (Zadrozny and Elkan 2002).
    Isotonic {
        /// Mean prediction of each pool, ascending.
        predicted: Vec<f64>,
        /// Its share of positive outcomes, ascending.
        observed: Vec<f64>,
    },
}

/// The maps that may be fitted; leaving probabilities as they are always competes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibratorKind {
    /// [`Calibrator::Platt`].
    Platt,
    /// [`Calibrator::Beta`].
    Beta,
    /// [`Calibrator::Isotonic`].
    Isotonic,
}

impl CalibratorKind {
    /// All of them, the simplest first.
    pub const ALL: [CalibratorKind; 3] = [
        CalibratorKind::Platt,
        CalibratorKind::Beta,
        CalibratorKind::Isotonic,
    ];

    fn fit(self, predicted: &[f64], labels: &[bool]) -> Option<Calibrator> {
        match self {
            CalibratorKind::Platt => Calibrator::platt(predicted, labels),
            CalibratorKind::Beta => Calibrator::beta(predicted, labels),
            CalibratorKind::Isotonic => Calibrator::isotonic(predicted, labels),
        }
    }
}

/// How the maps did on the later period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratorChoice {
    /// The map with the lowest log loss among those better than none by more than
    /// noise; of equal ones the simplest.
    pub chosen: Calibrator,
    /// Mean log loss on the later period, by name of map.
    pub log_loss: Vec<(String, f64)>,
}

impl Calibrator {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Calibrator::Identity => "identity",
            Calibrator::Platt { .. } => "platt",
            Calibrator::Beta { .. } => "beta",
            Calibrator::Isotonic { .. } => "isotonic",
        }
    }

    /// The calibrated probability.
    pub fn apply(&self, probability: f64) -> f64 {
        match self {
            Calibrator::Identity => probability,
            Calibrator::Platt { intercept, slope } => {
                logistic(intercept + slope * logit(probability))
            }
            Calibrator::Beta { intercept, a, b } => {
                let [up, down] = beta_terms(probability);
                logistic(intercept + a * up + b * down)
            }
            Calibrator::Isotonic {
                predicted,
                observed,
            } => {
                let above = predicted.partition_point(|value| *value < probability);
                match (above.checked_sub(1), predicted.get(above)) {
                    (None, _) => observed.first().copied().unwrap_or(probability),
                    (Some(below), None) => observed[below],
                    (Some(below), Some(upper)) => {
                        let (from, to) = (observed[below], observed[above]);
                        let width = upper - predicted[below];
                        from + (to - from) * (probability - predicted[below]) / width
                    }
                }
            }
        }
    }

    /// Platt's map, unless the outcomes have one class or the slope would turn the
    /// order round.
    pub fn platt(predicted: &[f64], labels: &[bool]) -> Option<Self> {
        let terms = |probability: f64| [logit(probability), 0.0];
        let [slope, _, intercept] = fit_terms(predicted, labels, terms, [true, false])?;
        (slope > 0.0).then_some(Calibrator::Platt { intercept, slope })
    }

    /// The beta map; a factor below 0 is set to 0 and the other fitted again.
    pub fn beta(predicted: &[f64], labels: &[bool]) -> Option<Self> {
        let [mut a, mut b, mut intercept] = fit_terms(predicted, labels, beta_terms, [true, true])?;
        if a < 0.0 || b < 0.0 {
            let free = [a >= 0.0, b >= 0.0];
            [a, b, intercept] = fit_terms(predicted, labels, beta_terms, free)?;
        }
        (a >= 0.0 && b >= 0.0 && a + b > 0.0).then_some(Calibrator::Beta { intercept, a, b })
    }

    /// The isotonic map by pooling neighbours that are out of order.
    pub fn isotonic(predicted: &[f64], labels: &[bool]) -> Option<Self> {
        let order = ascending(predicted);
        // Sum of predictions, positives, rows.
        let mut pools: Vec<[f64; 3]> = Vec::new();
        for block in tied_blocks(predicted, &order) {
            let rows = block.len() as f64;
            let positives = block.iter().filter(|row| labels[**row as usize]).count() as f64;
            let mut pool = [predicted[*block.first()? as usize] * rows, positives, rows];
            while let Some(below) = pools.last()
                && below[1] * pool[2] >= pool[1] * below[2]
            {
                for (sum, part) in pool.iter_mut().zip(below) {
                    *sum += part;
                }
                pools.pop();
            }
            pools.push(pool);
        }
        let share = |pool: &[f64; 3]| (pool[1] / pool[2]).clamp(MARGIN, 1.0 - MARGIN);
        (pools.len() > 1).then(|| Calibrator::Isotonic {
            predicted: pools.iter().map(|pool| pool[0] / pool[2]).collect(),
            observed: pools.iter().map(share).collect(),
        })
    }
}

/// Fits every map on `fitted` and takes the one that does best on `later`, rows of
/// a later period that neither the model nor the maps have seen. Each is a pair of
/// predictions and outcomes.
pub fn choose_calibrator(
    fitted: (&[f64], &[bool]),
    later: (&[f64], &[bool]),
) -> Result<CalibratorChoice, LearnError> {
    choose_calibrator_among(&CalibratorKind::ALL, fitted, later)
}

/// The same among some of the maps. A map is taken only where it lowers the log loss
/// by more than the noise of `later` (a one-sided paired test at 5 %).
pub fn choose_calibrator_among(
    kinds: &[CalibratorKind],
    fitted: (&[f64], &[bool]),
    later: (&[f64], &[bool]),
) -> Result<CalibratorChoice, LearnError> {
    check_input("choose_calibrator", fitted.0, fitted.1.len())?;
    check_input("choose_calibrator", later.0, later.1.len())?;
    let loss_of = |predicted: &[f64]| {
        log_loss(predicted, later.1)
            .map(|loss| loss.value)
            .ok_or(LearnError::NoRows {
                purpose: "choose a calibration on",
            })
    };
    let unmapped = loss_of(later.0)?;
    let mut chosen = (Calibrator::Identity, unmapped);
    let mut losses = vec![(Calibrator::Identity.name().to_owned(), unmapped)];
    for kind in kinds {
        let Some(candidate) = kind.fit(fitted.0, fitted.1) else {
            continue;
        };
        let calibrated: Vec<f64> = later
            .0
            .iter()
            .map(|value| candidate.apply(*value))
            .collect();
        let loss = loss_of(&calibrated)?;
        losses.push((candidate.name().to_owned(), loss));
        if loss < chosen.1 && gains_more_than_noise(later.0, &calibrated, later.1) {
            chosen = (candidate, loss);
        }
    }
    Ok(CalibratorChoice {
        chosen: chosen.0,
        log_loss: losses,
    })
}

/// Whether the mean fall of the log loss exceeds 1.645 of its standard errors.
fn gains_more_than_noise(before: &[f64], after: &[f64], labels: &[bool]) -> bool {
    let rows = labels.len() as f64;
    let likelihood = |probability: f64, label: bool| {
        let probability = if label {
            probability
        } else {
            1.0 - probability
        };
        probability.clamp(1e-15, 1.0 - 1e-15).ln()
    };
    let gains: Vec<f64> = before
        .iter()
        .zip(after)
        .zip(labels)
        .map(|((before, after), label)| likelihood(*after, *label) - likelihood(*before, *label))
        .collect();
    let mean = gains.iter().sum::<f64>() / rows;
    let spread = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>();
    let variance = spread / (rows - 1.0).max(1.0);
    mean > 1.645 * (variance / rows).sqrt()
}

fn beta_terms(probability: f64) -> [f64; 2] {
    let probability = probability.clamp(1e-9, 1.0 - 1e-9);
    [probability.ln(), -(1.0 - probability).ln()]
}

/// Coefficients of two terms, those not free being 0, and the intercept, by Newton
/// with a whisper of ridge so that collinear terms share.
fn fit_terms(
    predicted: &[f64],
    labels: &[bool],
    terms: impl Fn(f64) -> [f64; 2],
    free: [bool; 2],
) -> Option<[f64; 3]> {
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 || positives == labels.len() {
        return None;
    }
    let ridge = 1e-9 * labels.len() as f64;
    let mut parameters = [0.0; 3];
    for _ in 0..100 {
        let mut gradient = [ridge * parameters[0], ridge * parameters[1], 0.0];
        let mut hessian = [ridge, 0.0, 0.0, 0.0, ridge, 0.0, 0.0, 0.0, 0.0];
        for (value, label) in predicted.iter().zip(labels) {
            let [first, second] = terms(*value);
            let row = [
                if free[0] { first } else { 0.0 },
                if free[1] { second } else { 0.0 },
                1.0,
            ];
            let score: f64 = row.iter().zip(parameters).map(|(x, b)| x * b).sum();
            let probability = logistic(score);
            let residual = probability - f64::from(u8::from(*label));
            let weight = probability * (1.0 - probability);
            for line in 0..3 {
                gradient[line] += residual * row[line];
                for column in line..3 {
                    hessian[line * 3 + column] += weight * row[line] * row[column];
                }
            }
        }
        let step = solve_cholesky(&cholesky(&hessian, 3).ok()?, &gradient);
        let largest = step
            .iter()
            .fold(0.0, |most: f64, step| most.max(step.abs()));
        // Far from the answer the quadratic is no guide beyond a few log-odds.
        let length = (4.0 / largest).min(1.0);
        for (parameter, step) in parameters.iter_mut().zip(&step) {
            *parameter -= length * step;
        }
        if !parameters.iter().all(|parameter| parameter.is_finite()) {
            return None;
        }
        if largest < 1e-9 {
            return Some(parameters);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Predictions spread evenly and outcomes drawn with what is true of them.
    fn drawn(rows: usize, seed: u64, truth: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..rows)
            .map(|_| {
                let predicted = 0.02 + 0.96 * random.random::<f64>();
                (predicted, random.random::<f64>() < truth(predicted))
            })
            .unzip()
    }

    fn chosen_for(truth: impl Fn(f64) -> f64 + Copy) -> CalibratorChoice {
        let (fitted, later) = (drawn(40_000, 1, truth), drawn(40_000, 2, truth));
        choose_calibrator((&fitted.0, &fitted.1), (&later.0, &later.1)).unwrap()
    }

    #[test]
    fn platt_and_beta_recover_the_map_that_made_the_outcomes() {
        let (predicted, labels) = drawn(200_000, 3, |p| logistic(-0.5 + 0.6 * logit(p)));
        let Some(Calibrator::Platt { intercept, slope }) = Calibrator::platt(&predicted, &labels)
        else {
            panic!("a map expected")
        };
        assert!((intercept + 0.5).abs() < 0.03 && (slope - 0.6).abs() < 0.02);
        // Platt's map is the beta map with equal factors.
        let Some(Calibrator::Beta { intercept, a, b }) = Calibrator::beta(&predicted, &labels)
        else {
            panic!("a map expected")
        };
        assert!((intercept + 0.5).abs() < 0.1 && (a - 0.6).abs() < 0.05 && (b - 0.6).abs() < 0.05);
    }

    #[test]
    fn pools_of_the_isotonic_map_equal_those_made_by_hand() {
        // .2 and .3 are out of order (1, 0) and pool to one half.
        let map = Calibrator::isotonic(&[0.1, 0.2, 0.3, 0.9], &[false, true, false, true]).unwrap();
        let Calibrator::Isotonic {
            predicted,
            observed,
        } = &map
        else {
            panic!("isotonic expected")
        };
        assert_eq!(predicted, &[0.1, 0.25, 0.9]);
        assert_eq!(observed, &[MARGIN, 0.5, 1.0 - MARGIN]);
        assert_eq!(map.apply(0.0), MARGIN);
        assert_eq!(map.apply(0.25), 0.5);
        assert!((map.apply(0.575) - (0.5 + (1.0 - MARGIN)) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_map_is_chosen_by_the_later_period() {
        let step = chosen_for(|p| if p < 0.5 { 0.1 } else { 0.6 });
        assert_eq!(step.chosen.name(), "isotonic");
        assert_eq!(step.log_loss.len(), 4);
        let loss = |name: &str| {
            step.log_loss
                .iter()
                .find(|(found, _)| found == name)
                .unwrap()
                .1
        };
        assert!(loss("isotonic") < loss("beta") && loss("beta") < loss("identity"));
        let steep = chosen_for(|p| logistic(0.3 + 2.0 * logit(p)));
        assert!(
            ["platt", "beta"].contains(&steep.chosen.name()),
            "{steep:?}"
        );
    }

    #[test]
    fn a_map_that_held_no_longer_is_not_taken() {
        let before = drawn(20_000, 1, |p| logistic(2.0 + logit(p)));
        let later = drawn(20_000, 2, |p| p);
        let choice = choose_calibrator((&before.0, &before.1), (&later.0, &later.1)).unwrap();
        assert_eq!(choice.chosen, Calibrator::Identity);
    }

    #[test]
    fn a_gain_within_noise_leaves_the_probabilities_as_they_are() {
        // The predictions are right: whatever a map gains on 200 rows is luck.
        let taken = (1..=40).filter(|seed| {
            let (fitted, later) = (drawn(200, *seed, |p| p), drawn(200, seed + 100, |p| p));
            let choice = choose_calibrator((&fitted.0, &fitted.1), (&later.0, &later.1));
            choice.unwrap().chosen != Calibrator::Identity
        });
        assert!(taken.count() <= 4);
        // Only the maps allowed are tried.
        let (fitted, later) = (drawn(5_000, 1, |p| p * p), drawn(5_000, 2, |p| p * p));
        let choice = choose_calibrator_among(
            &[CalibratorKind::Platt],
            (&fitted.0, &fitted.1),
            (&later.0, &later.1),
        );
        let choice = choice.unwrap();
        assert_eq!(choice.log_loss.len(), 2);
        assert_eq!(choice.chosen.name(), "platt");
    }

    #[test]
    fn one_class_leaves_the_probabilities_as_they_are() {
        let choice =
            choose_calibrator((&[0.2, 0.4], &[true, true]), (&[0.3, 0.5], &[true, false])).unwrap();
        assert_eq!(choice.chosen, Calibrator::Identity);
    }
}
