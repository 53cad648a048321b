//! Whether groups are treated alike: calibration within each, and how often members
//! are flagged, against everybody else.

use serde::{Deserialize, Serialize};

use crate::calibration::{Recalibration, recalibration};
use crate::column::{ColumnData, MISSING};
use crate::dataset::Dataset;
use crate::error::LearnError;
use crate::evaluation::{SUBGROUP_CLASS_ROWS, SUBGROUP_ROWS, check_input};
use crate::metrics::{Estimate, NORMAL_975};
use crate::ranking::RankingEnd;

/// One group against everybody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupFairness {
    /// The group column.
    pub column: String,
    /// The value of the group; `None` where it is missing.
    pub value: Option<String>,
    /// Rows of the group.
    pub rows: usize,
    /// Rows with a positive outcome.
    pub positives: usize,
    /// Rows at the threshold or beyond it, on the side that is acted upon.
    pub flagged: usize,
    /// The rest is `None` where the group or everybody else is too small to test.
    pub tested: bool,
    /// Calibration within the group.
    pub calibration: Option<Recalibration>,
    /// Share flagged among those with the outcome sought, divided by that of everybody else.
    pub true_positive_ratio: Option<Estimate>,
    /// Share flagged, divided by that of everybody else.
    pub flag_ratio: Option<Estimate>,
}

/// Counts of some rows.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    rows: f64,
    positives: f64,
    flagged: f64,
    sought: f64,
    flagged_sought: f64,
}

impl Dataset {
    /// Fairness at a threshold by the values of a group column; `rows[i]` is the row
    /// to which `predicted[i]` and `labels[i]` belong. Flagged are the rows at the
    /// threshold and towards `end`; sought is a positive outcome at the highest end, a
    /// negative one at the lowest. In text order, missing last.
    pub fn fairness(
        &self,
        column: &str,
        rows: &[u32],
        predicted: &[f64],
        labels: &[bool],
        threshold: f64,
        end: RankingEnd,
    ) -> Result<Vec<GroupFairness>, LearnError> {
        check_input("fairness", predicted, labels.len())?;
        check_input("fairness", predicted, rows.len())?;
        let (_, ColumnData::Categories { codes, names, .. }) = self.group(column)? else {
            return Ok(Vec::new());
        };
        let slot = |row: u32| match codes[row as usize] {
            MISSING => names.len(),
            code => code as usize,
        };
        let mut members: Vec<(Vec<f64>, Vec<bool>)> = vec![Default::default(); names.len() + 1];
        for ((row, probability), label) in rows.iter().zip(predicted).zip(labels) {
            let member = &mut members[slot(*row)];
            member.0.push(*probability);
            member.1.push(*label);
        }
        let all = Counts::of(predicted, labels, threshold, end);
        let values = names.iter().cloned().map(Some).chain([None]);
        let mut found: Vec<GroupFairness> = values
            .zip(members)
            .filter(|(_, (predicted, _))| !predicted.is_empty())
            .map(|(value, (predicted, labels))| {
                let own = Counts::of(&predicted, &labels, threshold, end);
                let others = all.without(own);
                let tested = own.is_enough() && others.is_enough();
                let ratio = |own: [f64; 2], others: [f64; 2]| {
                    tested.then(|| risk_ratio(own, others)).flatten()
                };
                GroupFairness {
                    column: column.to_owned(),
                    value,
                    rows: labels.len(),
                    positives: own.positives as usize,
                    flagged: own.flagged as usize,
                    tested,
                    calibration: tested.then(|| recalibration(&predicted, &labels)).flatten(),
                    true_positive_ratio: ratio(
                        [own.flagged_sought, own.sought],
                        [others.flagged_sought, others.sought],
                    ),
                    flag_ratio: ratio([own.flagged, own.rows], [others.flagged, others.rows]),
                }
            })
            .collect();
        found.sort_by_key(|group| (group.value.is_none(), group.value.clone()));
        Ok(found)
    }
}

impl Counts {
    fn of(predicted: &[f64], labels: &[bool], threshold: f64, end: RankingEnd) -> Self {
        let mut counts = Counts::default();
        let one = |yes: bool| f64::from(u8::from(yes));
        for (probability, label) in predicted.iter().zip(labels) {
            let (sought, flagged) = match end {
                RankingEnd::Highest => (one(*label), one(*probability >= threshold)),
                RankingEnd::Lowest => (one(!label), one(*probability <= threshold)),
            };
            counts.rows += 1.0;
            counts.positives += one(*label);
            counts.flagged += flagged;
            counts.sought += sought;
            counts.flagged_sought += sought * flagged;
        }
        counts
    }

    fn without(self, part: Counts) -> Self {
        Counts {
            rows: self.rows - part.rows,
            positives: self.positives - part.positives,
            flagged: self.flagged - part.flagged,
            sought: self.sought - part.sought,
            flagged_sought: self.flagged_sought - part.flagged_sought,
        }
    }

    fn is_enough(self) -> bool {
        self.rows >= SUBGROUP_ROWS as f64
            && self.positives >= SUBGROUP_CLASS_ROWS as f64
            && self.rows - self.positives >= SUBGROUP_CLASS_ROWS as f64
    }
}

/// Ratio of two shares, each given as (successes, trials), with the interval of Katz
/// et al. (1978); half a success is added to both where one has none. `None` where
/// nobody at all succeeds.
pub fn risk_ratio(own: [f64; 2], others: [f64; 2]) -> Option<Estimate> {
    if own[1] <= 0.0 || others[1] <= 0.0 || own[0] + others[0] <= 0.0 {
        return None;
    }
    let correction = if own[0] == 0.0 || others[0] == 0.0 {
        0.5
    } else {
        0.0
    };
    let (a, b) = (own[0] + correction, others[0] + correction);
    let (n, m) = (own[1] + correction, others[1] + correction);
    let value = (a / n) / (b / m);
    let error = (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).max(0.0).sqrt();
    Some(Estimate {
        value,
        lower: value * (-NORMAL_975 * error).exp(),
        upper: value * (NORMAL_975 * error).exp(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn at_the_lowest_end_those_below_the_threshold_are_flagged_and_failures_sought() {
        let (predicted, labels) = ([0.1, 0.2, 0.8, 0.9], [false, true, false, true]);
        let low = Counts::of(&predicted, &labels, 0.2, RankingEnd::Lowest);
        assert_eq!(
            [low.flagged, low.sought, low.flagged_sought, low.positives],
            [2.0, 2.0, 1.0, 2.0]
        );
        let high = Counts::of(&predicted, &labels, 0.9, RankingEnd::Highest);
        assert_eq!(
            [high.flagged, high.sought, high.flagged_sought],
            [1.0, 2.0, 1.0]
        );
    }

    #[test]
    fn the_ratio_and_its_interval_equal_the_hand_computed_ones() {
        // 20 of 100 against 40 of 100: ratio .5, error sqrt(.05 - .01 + .025 - .01).
        let ratio = risk_ratio([20.0, 100.0], [40.0, 100.0]).unwrap();
        assert!((ratio.value - 0.5).abs() < 1e-12);
        assert!((ratio.lower - 0.5 * (-NORMAL_975 * 0.055_f64.sqrt()).exp()).abs() < 1e-12);
        assert_eq!(risk_ratio([0.0, 10.0], [0.0, 10.0]), None);
        assert!(risk_ratio([0.0, 10.0], [5.0, 10.0]).unwrap().value < 0.2);
    }
}
