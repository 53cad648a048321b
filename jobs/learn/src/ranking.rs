//! Precision and recall where only the first `k` of a ranking can be served.

use serde::{Deserialize, Serialize};

use crate::metrics::{Estimate, ascending, tied_blocks, wilson};

/// Which end of the ranking is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankingEnd {
    /// The highest probabilities; what is sought is a positive outcome.
    Highest,
    /// The lowest probabilities, as for those who need help most; what is sought
    /// is a negative outcome.
    Lowest,
}

/// Precision and recall at a capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityMetric {
    /// The end of the ranking that is served.
    pub end: RankingEnd,
    /// Capacity as a share of the rows.
    pub share: f64,
    /// Capacity in rows.
    pub rows: usize,
    /// Share of the served rows that have the outcome sought.
    pub precision: Estimate,
    /// Share of all rows with the outcome sought that are served.
    pub recall: Estimate,
    /// Precision against that of a random choice.
    pub lift: f64,
}

/// Precision and recall of the first rows of a ranking. Rows tied at the boundary
/// count with the share of them that fits: what a random order of the tie gives
/// on average. `None` when nothing has the outcome sought or the capacity is 0.
pub fn at_capacity(
    predicted: &[f64],
    labels: &[bool],
    end: RankingEnd,
    share: f64,
) -> Option<CapacityMetric> {
    let rows = ((predicted.len() as f64 * share).round() as usize).min(predicted.len());
    let sought = |row: &u32| labels[*row as usize] == (end == RankingEnd::Highest);
    let mut order = ascending(predicted);
    let total = order.iter().filter(|row| sought(row)).count();
    if rows == 0 || total == 0 {
        return None;
    }
    if end == RankingEnd::Highest {
        order.reverse();
    }
    let mut found = 0.0;
    let mut left = rows;
    for block in tied_blocks(predicted, &order) {
        if left == 0 {
            break;
        }
        let served = left.min(block.len());
        let hits = block.iter().filter(|row| sought(row)).count();
        found += hits as f64 * served as f64 / block.len() as f64;
        left -= served;
    }
    let precision = wilson(found, rows as f64)?;
    Some(CapacityMetric {
        end,
        share,
        rows,
        lift: precision.value * predicted.len() as f64 / total as f64,
        precision,
        recall: wilson(found, total as f64)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn precision_and_recall_equal_the_hand_computed_ones() {
        let predicted = [0.9, 0.8, 0.7, 0.2, 0.1];
        let labels = [true, false, true, true, false];
        let high = at_capacity(&predicted, &labels, RankingEnd::Highest, 0.4).unwrap();
        assert_eq!(high.rows, 2);
        assert!((high.precision.value - 0.5).abs() < 1e-12);
        assert!((high.recall.value - 1.0 / 3.0).abs() < 1e-12);
        assert!((high.lift - 0.5 / 0.6).abs() < 1e-12);
        let low = at_capacity(&predicted, &labels, RankingEnd::Lowest, 0.2).unwrap();
        assert!((low.precision.value - 1.0).abs() < 1e-12);
        assert!((low.recall.value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_tie_at_the_boundary_is_shared_out() {
        // One place for two tied rows, one of which is positive.
        let metric = at_capacity(&[0.5, 0.5], &[true, false], RankingEnd::Highest, 0.5).unwrap();
        assert!((metric.precision.value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn no_capacity_or_nothing_sought_gives_no_figure() {
        assert!(at_capacity(&[0.5], &[true], RankingEnd::Highest, 0.0).is_none());
        assert!(at_capacity(&[0.5], &[false], RankingEnd::Highest, 1.0).is_none());
    }
}
