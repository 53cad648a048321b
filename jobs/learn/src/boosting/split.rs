//! The best split of a leaf, found in its histogram.

use super::histogram::Cell;

/// What a split has to respect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) l2: f64,
    pub(crate) minimum_weight: f64,
    pub(crate) minimum_rows: f64,
    pub(crate) minimum_gain: f64,
}

/// A feature as the search sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Searched {
    pub(crate) feature: u32,
    /// Bins of values, without the one of missing values.
    pub(crate) bins: usize,
    pub(crate) has_missing: bool,
    /// Also tries one category against all others.
    pub(crate) one_against_rest: bool,
    /// 1: the prediction may not fall as the value rises; -1: may not rise; 0: free.
    pub(crate) monotone: i8,
}

/// Sums of a leaf and the range its value may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafState {
    pub(crate) sums: Cell,
    pub(crate) rows: usize,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// Rows whose bin lies in `low..=low + span` go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    pub(crate) gain: f64,
    pub(crate) feature: u32,
    pub(crate) low: u8,
    pub(crate) span: u8,
    pub(crate) left: Cell,
    pub(crate) right: Cell,
    pub(crate) monotone: i8,
}

impl LeafState {
    /// The value that minimises the loss, kept in range.
    pub(crate) fn value(&self, sums: Cell, l2: f64) -> f64 {
        (-sums[0] / (sums[1] + l2)).clamp(self.lowest, self.highest)
    }

    fn is_free(&self) -> bool {
        self.lowest == f64::NEG_INFINITY && self.highest == f64::INFINITY
    }

    /// Twice the fall of the loss at a value.
    fn score(sums: Cell, l2: f64, value: f64) -> f64 {
        -(2.0 * sums[0] * value + (sums[1] + l2) * value * value)
    }
}

/// The best split of one feature; of equal ones the first.
pub(crate) fn best_of_feature(
    cells: &[Cell],
    searched: &Searched,
    leaf: &LeafState,
    limits: &Limits,
) -> Option<Split> {
    let mut search = Search {
        searched,
        leaf,
        limits,
        free: searched.monotone == 0 && leaf.is_free(),
        // A leaf's rows share its second derivatives about evenly.
        rows_per_weight: leaf.rows as f64 / leaf.sums[1],
        own: LeafState::score(leaf.sums, limits.l2, leaf.value(leaf.sums, limits.l2)),
        best: None,
    };
    let known = &cells[1..=searched.bins];
    let missing = cells[0];
    let mut below = [0.0; 2];
    for (position, cell) in known[..known.len().saturating_sub(1)].iter().enumerate() {
        below[0] += cell[0];
        below[1] += cell[1];
        if searched.has_missing {
            search.consider(1, position as u8, below);
            search.consider(0, position as u8 + 1, plus(below, missing));
        } else {
            // Nothing is known about a missing value: it goes with the larger side.
            let larger = 2.0 * below[1] >= leaf.sums[1];
            let (low, span) = if larger {
                (0, position as u8 + 1)
            } else {
                (1, position as u8)
            };
            search.consider(low, span, below);
        }
    }
    if searched.has_missing && searched.monotone == 0 {
        search.consider(0, 0, missing);
    }
    if searched.one_against_rest && known.len() > 2 {
        for (position, cell) in known.iter().enumerate() {
            search.consider(position as u8 + 1, 0, *cell);
        }
    }
    search.best
}

struct Search<'a> {
    searched: &'a Searched,
    leaf: &'a LeafState,
    limits: &'a Limits,
    free: bool,
    rows_per_weight: f64,
    own: f64,
    best: Option<Split>,
}

impl Search<'_> {
    #[inline]
    fn consider(&mut self, low: u8, span: u8, left: Cell) {
        let limits = self.limits;
        let total = self.leaf.sums;
        let right = [total[0] - left[0], total[1] - left[1]];
        let smaller = left[1].min(right[1]);
        if smaller < limits.minimum_weight
            || smaller * self.rows_per_weight < limits.minimum_rows - 0.5
        {
            return;
        }
        let (left_weight, right_weight) = (left[1] + limits.l2, right[1] + limits.l2);
        let both = if self.free {
            (left[0] * left[0] * right_weight + right[0] * right[0] * left_weight)
                / (left_weight * right_weight)
        } else {
            let (low, high) = (
                self.leaf.value(left, limits.l2),
                self.leaf.value(right, limits.l2),
            );
            if f64::from(self.searched.monotone) * (high - low) < 0.0 {
                return;
            }
            LeafState::score(left, limits.l2, low) + LeafState::score(right, limits.l2, high)
        };
        let gain = both - self.own;
        let beaten = self.best.map_or(limits.minimum_gain, |best| best.gain);
        if gain > beaten {
            self.best = Some(Split {
                gain,
                feature: self.searched.feature,
                low,
                span,
                left,
                right,
                monotone: self.searched.monotone,
            });
        }
    }
}

fn plus(left: Cell, right: Cell) -> Cell {
    [left[0] + right[0], left[1] + right[1]]
}
