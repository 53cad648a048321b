//! Grows one tree leaf by leaf, always where the loss falls most.
//!
//! Only the smaller child of a split is added up; the larger one is what is left
//! of the parent. Rows are cut into parts by their number alone and parts are
//! added in order, so the number of threads changes nothing.

use super::bins::{LANES, Matrix};
use super::histogram::{BINS, BLOCK_CELLS, Cell, LANE_CELLS, accumulate, add, subtract};
use super::split::{LeafState, Limits, Searched, Split, best_of_feature};
use super::tree::Tree;
use crate::parallel;

/// Leaves with at least this many rows are added up in [`PARTS`] parts; for smaller
/// ones a second thread costs more than it brings.
const ROWS_FOR_PARTS: usize = 1 << 13;
const PARTS: usize = 4;
/// Rows from which a leaf is divided by two threads.
const ROWS_FOR_DIVIDING: usize = 1 << 16;

/// Everything that stays the same while a tree grows.
pub(crate) struct Ground<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) gradients: &'a [[f32; 2]],
    /// By block, the features to search.
    pub(crate) searched: &'a [Vec<Searched>],
    pub(crate) limits: Limits,
    pub(crate) leaves: usize,
    pub(crate) maximum_depth: usize,
    pub(crate) threads: usize,
}

/// A leaf of the growing tree: a range of the order of rows.
struct Leaf {
    node: u32,
    from: usize,
    until: usize,
    depth: usize,
    state: LeafState,
    cells: Vec<Cell>,
    best: Option<Split>,
}

/// Buffers used again from tree to tree.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) scratch: Vec<u32>,
    free: Vec<Vec<Cell>>,
    parts: Vec<Vec<Cell>>,
}

/// A block of features of one or two leaves.
struct BlockTask<'a> {
    block: usize,
    small: &'a mut [Cell],
    /// The parent's cells, which become the larger child's.
    large: Option<&'a mut [Cell]>,
    best_small: Option<Split>,
    best_large: Option<Split>,
}

impl Ground<'_> {
    /// Grows a tree on the rows in `order`, which is rearranged; returns it with
    /// each leaf's node and range of `order`.
    pub(crate) fn grow(
        &self,
        order: &mut [u32],
        buffers: &mut Buffers,
    ) -> (Tree, Vec<(u32, std::ops::Range<usize>)>) {
        let mut tree = Tree::default();
        let node = tree.push_leaf(order.len());
        let mut root = Leaf {
            node,
            from: 0,
            until: order.len(),
            depth: 0,
            state: LeafState {
                sums: self.total(order),
                rows: order.len(),
                lowest: f64::NEG_INFINITY,
                highest: f64::INFINITY,
            },
            cells: self.take(buffers),
            best: None,
        };
        self.search(&mut root, None, order, buffers);
        let mut leaves = vec![root];
        while leaves.len() < self.leaves {
            let chosen = leaves
                .iter()
                .enumerate()
                .filter_map(|(position, leaf)| Some((position, leaf.best?.gain)))
                .reduce(|first, second| if second.1 > first.1 { second } else { first });
            let Some((position, _)) = chosen else { break };
            if let Some(right) = self.split(&mut leaves[position], &mut tree, order, buffers) {
                leaves.push(right);
            }
        }
        let ranges = leaves
            .into_iter()
            .map(|leaf| {
                tree.value[leaf.node as usize] = leaf.state.value(leaf.state.sums, self.limits.l2);
                buffers.free.push(leaf.cells);
                (leaf.node, leaf.from..leaf.until)
            })
            .collect();
        (tree, ranges)
    }

    /// Splits a leaf in place and returns its right half; `None` where the rows
    /// of a half turn out too few, and the leaf stays whole.
    fn split(
        &self,
        leaf: &mut Leaf,
        tree: &mut Tree,
        order: &mut [u32],
        buffers: &mut Buffers,
    ) -> Option<Leaf> {
        let split = leaf.best.take()?;
        let rows = &mut order[leaf.from..leaf.until];
        let left_rows = self.divide(rows, &split, &mut buffers.scratch);
        let right_rows = rows.len() - left_rows;
        if (left_rows.min(right_rows) as f64) < self.limits.minimum_rows.max(1.0) {
            return None;
        }
        let parent = leaf.node as usize;
        let (left_node, right_node) = (tree.push_leaf(left_rows), tree.push_leaf(right_rows));
        tree.feature[parent] = split.feature;
        tree.low[parent] = split.low;
        tree.span[parent] = split.span;
        tree.gain[parent] = split.gain;
        (tree.left[parent], tree.right[parent]) = (left_node, right_node);

        let mut left_state = LeafState {
            sums: split.left,
            rows: left_rows,
            ..leaf.state
        };
        let mut right_state = LeafState {
            sums: split.right,
            rows: right_rows,
            ..leaf.state
        };
        if split.monotone != 0 {
            let l2 = self.limits.l2;
            let middle =
                (leaf.state.value(split.left, l2) + leaf.state.value(split.right, l2)) / 2.0;
            let (lower, upper) = if split.monotone > 0 {
                (&mut left_state, &mut right_state)
            } else {
                (&mut right_state, &mut left_state)
            };
            lower.highest = middle;
            upper.lowest = middle;
        }
        let middle = leaf.from + left_rows;
        let cells = self.take(buffers);
        let mut right = Leaf {
            node: right_node,
            from: middle,
            until: leaf.until,
            depth: leaf.depth + 1,
            state: right_state,
            cells,
            best: None,
        };
        leaf.node = left_node;
        leaf.until = middle;
        leaf.depth += 1;
        leaf.state = left_state;
        if left_rows <= right_rows {
            // The parent's cells go to the larger child.
            std::mem::swap(&mut leaf.cells, &mut right.cells);
            self.search(leaf, Some(&mut right), order, buffers);
        } else {
            self.search(&mut right, Some(leaf), order, buffers);
        }
        Some(right)
    }

    /// Adds up the smaller leaf, subtracts it from what the larger one holds, and
    /// finds the best split of both.
    fn search(
        &self,
        small: &mut Leaf,
        mut large: Option<&mut Leaf>,
        order: &[u32],
        buffers: &mut Buffers,
    ) {
        let rows = &order[small.from..small.until];
        let blocks = self.matrix.width;
        self.add_up(&mut small.cells, rows, &mut buffers.parts);
        let (small_state, small_open) = (small.state, self.may_split(small));
        let large_state = large
            .as_ref()
            .map(|leaf| (leaf.state, self.may_split(leaf)));
        let large_cells: Vec<Option<&mut [Cell]>> = match &mut large {
            Some(leaf) => leaf.cells.chunks_exact_mut(BLOCK_CELLS).map(Some).collect(),
            None => (0..blocks).map(|_| None).collect(),
        };
        let mut tasks: Vec<BlockTask<'_>> = small
            .cells
            .chunks_exact_mut(BLOCK_CELLS)
            .zip(large_cells)
            .enumerate()
            .filter(|(block, _)| !self.searched[*block].is_empty())
            .map(|(block, (small, large))| BlockTask {
                block,
                small,
                large,
                best_small: None,
                best_large: None,
            })
            .collect();
        let threads = if rows.len() < ROWS_FOR_PARTS {
            1
        } else {
            self.threads
        };
        parallel::for_each(threads, &mut tasks, |task| {
            if small_open {
                task.best_small = self.best_of_block(task.block, task.small, &small_state);
            }
            if let (Some(large), Some((state, open))) = (&mut task.large, &large_state) {
                subtract(large, task.small);
                if *open {
                    task.best_large = self.best_of_block(task.block, large, state);
                }
            }
        });
        let best_small = best(tasks.iter().map(|task| task.best_small));
        let best_large = best(tasks.iter().map(|task| task.best_large));
        drop(tasks);
        small.best = best_small;
        if let Some(large) = large {
            large.best = best_large;
        }
    }

    /// Adds up rows; many of them in parts, which are added in order.
    fn add_up(&self, cells: &mut [Cell], rows: &[u32], spare: &mut Vec<Vec<Cell>>) {
        let parts = if rows.len() >= ROWS_FOR_PARTS {
            PARTS
        } else {
            1
        };
        spare.resize_with(PARTS - 1, || vec![[0.0; 2]; cells.len()]);
        let mut tasks: Vec<(&[u32], &mut [Cell])> = rows
            .chunks(rows.len().div_ceil(parts).max(1))
            .zip(std::iter::once(&mut *cells).chain(spare.iter_mut().map(Vec::as_mut_slice)))
            .collect();
        parallel::for_each(self.threads, &mut tasks, |(rows, cells)| {
            cells.fill([0.0; 2]);
            let wanted = |block: usize| !self.searched[block].is_empty();
            accumulate(self.matrix, wanted, rows, self.gradients, cells);
        });
        drop(tasks);
        for part in &spare[..parts - 1] {
            add(cells, part);
        }
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        leaf.depth < self.maximum_depth && leaf.state.rows as f64 >= 2.0 * self.limits.minimum_rows
    }

    fn best_of_block(&self, block: usize, cells: &[Cell], leaf: &LeafState) -> Option<Split> {
        best(self.searched[block].iter().map(|searched| {
            let lane = searched.feature as usize % LANES;
            let cells = &cells[lane * LANE_CELLS..][..BINS];
            best_of_feature(cells, searched, leaf, &self.limits)
        }))
    }

    /// Moves the rows that go left to the front, both sides in their order.
    fn divide(&self, rows: &mut [u32], split: &Split, scratch: &mut Vec<u32>) -> usize {
        let length = rows.len();
        scratch.resize(scratch.len().max(length), 0);
        let half = if length >= ROWS_FOR_DIVIDING {
            length / 2
        } else {
            length
        };
        let (first, second) = rows.split_at_mut(half);
        let (first_aside, second_aside) = scratch[..length].split_at_mut(half);
        let mut halves = [(first, first_aside, 0), (second, second_aside, 0)];
        parallel::for_each(
            self.threads.min(halves.len()),
            &mut halves,
            |(rows, aside, left)| {
                *left = self.divide_part(rows, aside, split);
            },
        );
        let (first_left, second_left) = (halves[0].2, halves[1].2);
        rows.copy_within(half..half + second_left, first_left);
        let left = first_left + second_left;
        let first_right = half - first_left;
        rows[left..left + first_right].copy_from_slice(&scratch[..first_right]);
        rows[left + first_right..].copy_from_slice(&scratch[half..length - second_left]);
        left
    }

    fn divide_part(&self, rows: &mut [u32], aside: &mut [u32], split: &Split) -> usize {
        let bins = self.matrix.columns[split.feature as usize].as_slice();
        let (mut left, mut right) = (0, 0);
        for position in 0..rows.len() {
            let row = rows[position];
            let goes_left = bins[row as usize].wrapping_sub(split.low) <= split.span;
            rows[left] = row;
            aside[right] = row;
            left += usize::from(goes_left);
            right += usize::from(!goes_left);
        }
        left
    }

    fn total(&self, order: &[u32]) -> Cell {
        let mut parts: Vec<(&[u32], Cell)> =
            order.chunks(1 << 16).map(|rows| (rows, [0.0; 2])).collect();
        let threads = if order.len() < ROWS_FOR_PARTS {
            1
        } else {
            self.threads
        };
        parallel::for_each(threads, &mut parts, |(rows, sum)| {
            for row in rows.iter() {
                let [first, second] = self.gradients[*row as usize];
                sum[0] += f64::from(first);
                sum[1] += f64::from(second);
            }
        });
        parts.iter().fold([0.0; 2], |total, (_, sum)| {
            [total[0] + sum[0], total[1] + sum[1]]
        })
    }

    fn take(&self, buffers: &mut Buffers) -> Vec<Cell> {
        let cells = self.matrix.width * BLOCK_CELLS;
        buffers.free.pop().unwrap_or_else(|| vec![[0.0; 2]; cells])
    }
}

fn best(found: impl Iterator<Item = Option<Split>>) -> Option<Split> {
    found.flatten().reduce(|first, second| {
        if second.gain > first.gain {
            second
        } else {
            first
        }
    })
}
