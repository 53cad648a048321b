//! Correction of a score that was learned from selected labels, by a random draw.
//!
//! Labels of fraud are those of cases somebody chose to look at, so the probabilities of a model
//! trained on them are those of being found, not of being there. Rows drawn at random and decided
//! say how frequent the outcome is. The log-odds of the model are shifted until their weighted mean
//! probability over the draw is that frequency: the intercept of a logistic regression with the
//! score as offset (King and Zeng 2001, prior correction). With enough outcomes the slope is fitted
//! as well (Cox 1958), because what is found more easily is also scored too far apart. Neither
//! changes the order of rows.

use serde::{Deserialize, Serialize};

use crate::calibration::logit;
use crate::feature::Bilingual;
use crate::metrics::{Estimate, wilson};
use crate::newton::logistic;

/// Outcomes of each kind that a shift needs.
const SHIFT_OUTCOMES: usize = 5;
/// Outcomes of each kind that a slope needs.
const SLOPE_OUTCOMES: usize = 30;
/// A shift beyond this is an error of the data.
const LARGEST_SHIFT: f64 = 30.0;

/// A row that was drawn at random and decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnRow {
    /// What the model said.
    pub probability: f64,
    /// Its probability to be drawn.
    pub inclusion: f64,
    /// What was found.
    pub is_positive: bool,
}

/// What a draw says about a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrevalenceCorrection {
    /// Rows drawn and decided.
    pub rows: usize,
    /// Those of them with the outcome.
    pub positives: usize,
    /// Share with the outcome in the population; rows are weighted by the inverse of their
    /// probability to be drawn, the interval is Wilson's at Kish's effective number.
    pub prevalence: Option<Estimate>,
    /// Mean probability of the model in the population, weighted alike.
    pub mean_predicted: Option<f64>,
    /// What is added to the log-odds; its ends lead to the ends of the prevalence's interval.
    pub shift: Option<Estimate>,
    /// Intercept and slope on the log-odds, where the draw has enough outcomes for both.
    pub line: Option<(f64, Estimate)>,
    /// Why there is no shift, where there is none.
    pub reason: Option<Bilingual>,
}

impl PrevalenceCorrection {
    /// What the rows of a draw say. Rows that could not be drawn are left out.
    pub fn from_draw(draw: &[DrawnRow]) -> Self {
        let rows: Vec<&DrawnRow> = draw.iter().filter(|row| row.inclusion > 0.0).collect();
        let positives = rows.iter().filter(|row| row.is_positive).count();
        let negatives = rows.len() - positives;
        let mut correction = PrevalenceCorrection {
            rows: rows.len(),
            positives,
            prevalence: None,
            mean_predicted: None,
            shift: None,
            line: None,
            reason: None,
        };
        let (total, squares) = rows.iter().fold((0.0, 0.0), |(total, squares), row| {
            let weight = 1.0 / row.inclusion;
            (total + weight, squares + weight * weight)
        });
        if total > 0.0 {
            let share = |value: &dyn Fn(&DrawnRow) -> f64| {
                rows.iter()
                    .map(|row| value(row) / row.inclusion)
                    .sum::<f64>()
                    / total
            };
            let effective = total * total / squares;
            let found = share(&|row| f64::from(u8::from(row.is_positive)));
            correction.prevalence = wilson(found * effective, effective);
            correction.mean_predicted = Some(share(&|row| row.probability));
        }
        if positives < SHIFT_OUTCOMES || negatives < SHIFT_OUTCOMES {
            correction.reason = Some(Bilingual::new(
                format!(
                    "무작위로 뽑아 결정한 {}건 중 {positives}건에 사유가 있어, 각 {SHIFT_OUTCOMES}건에 못 미쳐 보정하지 않았다",
                    rows.len()
                ),
                format!(
                    "{positives} of {} drawn and decided had a ground; at least {SHIFT_OUTCOMES} with \
                     and without are needed, so nothing is corrected",
                    rows.len()
                ),
            ));
            return correction;
        }
        let scores: Vec<Weighted> = rows.iter().map(|row| Weighted::of(row, total)).collect();
        correction.shift = correction.prevalence.and_then(|prevalence| {
            Some(Estimate {
                value: shift_to(&scores, prevalence.value)?,
                lower: shift_to(&scores, prevalence.lower)?,
                upper: shift_to(&scores, prevalence.upper)?,
            })
        });
        if positives >= SLOPE_OUTCOMES && negatives >= SLOPE_OUTCOMES {
            let effective = total * total / squares;
            // A draw that turns the ranking round does not support it; then only the shift counts.
            correction.line = line(&scores, effective).filter(|(_, slope)| slope.lower > 0.0);
        }
        correction
    }

    /// The corrected probability; the model's own where the draw does not suffice. Higher stays
    /// higher.
    pub fn apply(&self, probability: f64) -> f64 {
        match (&self.line, &self.shift) {
            (Some((intercept, slope)), _) => logistic(intercept + slope.value * logit(probability)),
            (None, Some(shift)) => logistic(logit(probability) + shift.value),
            (None, None) => probability,
        }
    }

    /// Whether the draw suffices.
    pub fn is_corrected(&self) -> bool {
        self.shift.is_some()
    }
}

/// A drawn row with its share of the weights.
struct Weighted {
    log_odds: f64,
    weight: f64,
    outcome: f64,
}

impl Weighted {
    fn of(row: &DrawnRow, total: f64) -> Self {
        Weighted {
            log_odds: logit(row.probability),
            weight: 1.0 / row.inclusion / total,
            outcome: f64::from(u8::from(row.is_positive)),
        }
    }
}

/// The shift at which the mean probability is `share`, by bisection: the mean only grows with it.
fn shift_to(scores: &[Weighted], share: f64) -> Option<f64> {
    let mean = |shift: f64| {
        scores
            .iter()
            .map(|row| row.weight * logistic(row.log_odds + shift))
            .sum::<f64>()
    };
    let (mut low, mut high) = (-LARGEST_SHIFT, LARGEST_SHIFT);
    if !(mean(low) < share && share < mean(high)) {
        return None;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if mean(middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// Intercept and slope by Newton's method. The weights sum to the effective number of rows, so that
/// the interval of the slope does not count a rarely drawn row as many.
fn line(scores: &[Weighted], effective: f64) -> Option<(f64, Estimate)> {
    let (mut intercept, mut slope) = (0.0_f64, 1.0_f64);
    for _ in 0..100 {
        let (mut gradient, mut information) = ([0.0; 2], [0.0; 3]);
        for row in scores {
            let weight = row.weight * effective;
            let probability = logistic(intercept + slope * row.log_odds);
            let residual = weight * (row.outcome - probability);
            let curvature = weight * probability * (1.0 - probability);
            gradient[0] += residual;
            gradient[1] += residual * row.log_odds;
            information[0] += curvature;
            information[1] += curvature * row.log_odds;
            information[2] += curvature * row.log_odds * row.log_odds;
        }
        let [a, b, c] = information;
        let determinant = a * c - b * b;
        if determinant.is_nan() || determinant <= 1e-12 * a * c {
            return None;
        }
        let steps = [
            (c * gradient[0] - b * gradient[1]) / determinant,
            (a * gradient[1] - b * gradient[0]) / determinant,
        ];
        // Steps of more than 2 overshoot where the score is far off.
        intercept += steps[0].clamp(-2.0, 2.0);
        slope += steps[1].clamp(-2.0, 2.0);
        if steps[0].abs().max(steps[1].abs()) < 1e-10 {
            let error = (a / determinant).sqrt();
            return Some((intercept, Estimate::normal(slope, error)));
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

    fn row(probability: f64, inclusion: f64, is_positive: bool) -> DrawnRow {
        DrawnRow {
            probability,
            inclusion,
            is_positive,
        }
    }

    #[test]
    fn equal_scores_are_shifted_to_the_share_found() {
        // Ten of forty have a ground where the model says 5 %: log-odds of 1/4 less those of 5 %.
        let draw: Vec<_> = (0..40).map(|number| row(0.05, 0.1, number < 10)).collect();
        let correction = PrevalenceCorrection::from_draw(&draw);
        let expected = (0.25_f64 / 0.75).ln() - (0.05_f64 / 0.95).ln();
        let shift = correction.shift.unwrap();
        assert!((shift.value - expected).abs() < 1e-9, "{shift:?}");
        assert!(shift.lower < shift.value && shift.value < shift.upper);
        assert!((correction.apply(0.05) - 0.25).abs() < 1e-9);
        assert!(
            (correction.apply(0.05) - correction.prevalence.unwrap().value).abs() < 1e-9,
            "the mean is the prevalence"
        );
    }

    #[test]
    fn a_draw_of_few_outcomes_corrects_nothing_and_says_why() {
        let draw: Vec<_> = (0..200).map(|number| row(0.02, 0.01, number < 4)).collect();
        let correction = PrevalenceCorrection::from_draw(&draw);
        assert!(!correction.is_corrected());
        assert_eq!(correction.apply(0.3), 0.3);
        let reason = correction.reason.unwrap();
        assert!(reason.en.contains("4 of 200"), "{}", reason.en);
        assert!(reason.ko.contains("200건 중 4건"), "{}", reason.ko);
        assert!(correction.prevalence.is_some(), "the share is still said");
        assert_eq!(PrevalenceCorrection::from_draw(&[]).prevalence, None);
    }

    #[test]
    fn rows_of_a_centre_that_draws_rarely_count_as_many() {
        // Half of the drawn have a ground, but those stand for one each and the others for nine.
        let draw: Vec<_> = (0..40)
            .map(|number| row(0.2, if number < 20 { 0.9 } else { 0.1 }, number < 20))
            .collect();
        let correction = PrevalenceCorrection::from_draw(&draw);
        assert!((correction.prevalence.unwrap().value - 0.1).abs() < 1e-9);
        assert!((correction.apply(0.2) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn outcomes_that_the_ranking_gets_wrong_fit_no_slope() {
        let draw: Vec<_> = (0..200)
            .map(|number| {
                row(
                    if number % 2 == 0 { 0.4 } else { 0.1 },
                    0.5,
                    number % 2 == 1,
                )
            })
            .collect();
        let correction = PrevalenceCorrection::from_draw(&draw);
        assert_eq!(correction.line, None);
        assert!(correction.apply(0.4) > correction.apply(0.1));
    }

    #[test]
    fn a_score_learned_from_a_third_of_the_frauds_comes_true_again() {
        // True log-odds are 1.5 times the model's and 1.1 higher.
        let mut random = ChaCha8Rng::seed_from_u64(4711);
        let draw: Vec<_> = (0..4000)
            .map(|_| {
                let log_odds = -2.5 + 1.5 * (random.random::<f64>() - 0.5) * 4.0;
                let is_positive = random.random::<f64>() < logistic(1.1 + 1.5 * log_odds);
                row(logistic(log_odds), 0.2, is_positive)
            })
            .collect();
        let correction = PrevalenceCorrection::from_draw(&draw);
        let (intercept, slope) = correction.line.unwrap();
        assert!((intercept - 1.1).abs() < 0.4, "{intercept}");
        assert!(slope.lower < 1.5 && 1.5 < slope.upper, "{slope:?}");
        for probability in [0.01, 0.1, 0.4] {
            let expected = logistic(1.1 + 1.5 * logit(probability));
            assert!((correction.apply(probability) - expected).abs() < 0.06);
        }
    }
}
