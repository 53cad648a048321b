//! Sums of gradients by bin. They are kept in f64: in f32 millions of rows lose the
//! small differences that decide between splits, and nothing tells.

use super::bins::{LANES, Matrix};

/// Bins a feature has room for.
pub(crate) const BINS: usize = 256;
/// Cells from one feature to the next. At a distance of 4096 bytes a load would be
/// taken for one of the value just stored for the feature before, and wait for it.
pub(crate) const LANE_CELLS: usize = BINS + 8;
/// Cells of one block of features.
pub(crate) const BLOCK_CELLS: usize = LANES * LANE_CELLS;

/// Sum of first and second derivatives.
pub(crate) type Cell = [f64; 2];

/// Rows that are fetched together, before anything is added up.
const FETCHED_ROWS: usize = 1024;

/// Adds rows, in the order given, to the cells of the blocks of features that are wanted.
///
/// The rows of a leaf lie far apart. Fetching alone has nothing to wait for, so the
/// processor asks for many rows at once; what is added up afterwards is near.
pub(crate) fn accumulate(
    matrix: &Matrix,
    wanted: impl Fn(usize) -> bool,
    rows: &[u32],
    gradients: &[[f32; 2]],
    cells: &mut [Cell],
) {
    let width = matrix.width;
    let mut words = vec![0_u64; width * FETCHED_ROWS];
    let mut of_rows = vec![[0.0_f32; 2]; FETCHED_ROWS];
    for rows in rows.chunks(FETCHED_ROWS) {
        for (place, row) in rows.iter().enumerate() {
            let row = *row as usize;
            of_rows[place] = gradients[row];
            let bins = &matrix.words[row * width..][..width];
            for (block, word) in bins.iter().enumerate() {
                words[block * FETCHED_ROWS + place] = *word;
            }
        }
        let blocks = words.chunks_exact(FETCHED_ROWS);
        for (block, (words, cells)) in blocks.zip(cells.chunks_exact_mut(BLOCK_CELLS)).enumerate() {
            if wanted(block) {
                add_rows(&words[..rows.len()], &of_rows, cells);
            }
        }
    }
}

/// Adds rows to the cells of one block, which fit the first-level cache.
fn add_rows(words: &[u64], gradients: &[[f32; 2]], cells: &mut [Cell]) {
    let (lanes, _) = cells.as_chunks_mut::<LANE_CELLS>();
    let Ok(lanes) = <&mut [[Cell; LANE_CELLS]; LANES]>::try_from(lanes) else {
        return;
    };
    for (word, [first, second]) in words.iter().zip(gradients) {
        let (first, second) = (f64::from(*first), f64::from(*second));
        for (lane, cells) in lanes.iter_mut().enumerate() {
            let cell = &mut cells[usize::from((word >> (8 * lane)) as u8)];
            cell[0] += first;
            cell[1] += second;
        }
    }
}

/// Adds one block of cells to another.
pub(crate) fn add(total: &mut [Cell], part: &[Cell]) {
    for (total, part) in total.iter_mut().zip(part) {
        total[0] += part[0];
        total[1] += part[1];
    }
}

/// What is left of a parent when one child is taken away.
pub(crate) fn subtract(parent: &mut [Cell], child: &[Cell]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        parent[0] -= child[0];
        parent[1] -= child[1];
    }
}
