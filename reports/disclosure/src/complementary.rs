//! Complementary suppression: which further cells must go so that nobody can subtract their way to a suppressed one.
//!
//! The totals that readers know form a linear system over the suppressed cells. A cell is recoverable exactly when its
//! unit vector lies in the row space of that system; it is then alone in a row of the reduced echelon form.

use std::collections::BTreeMap;

/// One known sum: the members add up to the total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The cells that are added.
    pub members: Vec<usize>,
    /// The cell that holds the sum; `None` when it is published elsewhere.
    pub total: Option<usize>,
}

impl Line {
    fn cells(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().copied().chain(self.total)
    }
}

/// What one cell weighs when a victim is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Number of contributors; what is lost when the cell is suppressed.
    pub contributors: u64,
    /// Missing values can neither protect nor be protected.
    pub missing: bool,
}

/// Suppresses further cells until nothing can be recomputed.
///
/// # Errors
/// The index of a line that cannot be protected because nothing is left to suppress in it.
pub(crate) fn suppress_complements(
    lines: &[Line],
    weights: &[Weight],
    suppressed: &mut [bool],
    min_count: u64,
) -> Result<(), usize> {
    let lines_of_cell = index_lines(lines);
    loop {
        let mut changed = false;
        for (index, line) in lines.iter().enumerate() {
            while line_gives_itself_away(line, weights, suppressed, min_count) {
                let victim =
                    choose_victim(line, lines, &lines_of_cell, weights, suppressed).ok_or(index)?;
                suppressed[victim] = true;
                changed = true;
            }
        }
        if changed {
            continue;
        }
        let Some(cell) = determined_cells(lines, suppressed).first().copied() else {
            return Ok(());
        };
        let candidates = lines_of_cell.get(&cell).map_or(&[][..], Vec::as_slice);
        let victim = candidates
            .iter()
            .find_map(|line| {
                choose_victim(&lines[*line], lines, &lines_of_cell, weights, suppressed)
            })
            .or_else(|| {
                // Every line of the cell is already fully suppressed: widen the search to the lines those cells touch.
                candidates
                    .iter()
                    .flat_map(|line| lines[*line].cells())
                    .filter_map(|neighbour| lines_of_cell.get(&neighbour))
                    .flatten()
                    .find_map(|line| {
                        choose_victim(&lines[*line], lines, &lines_of_cell, weights, suppressed)
                    })
            });
        match victim {
            Some(victim) => suppressed[victim] = true,
            None => return Err(candidates.first().copied().unwrap_or_default()),
        }
    }
}

/// The suppressed cells that the known totals determine exactly, in ascending order.
pub(crate) fn determined_cells(lines: &[Line], suppressed: &[bool]) -> Vec<usize> {
    let mut components = Components::new(suppressed.len());
    for line in lines {
        let mut hidden = line.cells().filter(|cell| suppressed[*cell]);
        if let Some(first) = hidden.next() {
            for other in hidden {
                components.join(first, other);
            }
        }
    }
    let mut lines_of_component: BTreeMap<usize, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        if let Some(first) = line.cells().find(|cell| suppressed[*cell]) {
            let root = components.root(first);
            lines_of_component.entry(root).or_default().push(line);
        }
    }
    let mut determined = Vec::new();
    for component in lines_of_component.values() {
        determined.extend(determined_in_component(component, suppressed));
    }
    determined.sort_unstable();
    determined
}

/// Arithmetic modulo a large prime: exact, no fractions. The system's entries are −1, 0 and 1, and the blocks are small,
/// so that a minor divisible by 2^61 − 1 cannot occur by size.
const PRIME: u64 = (1 << 61) - 1;

fn determined_in_component(lines: &[&Line], suppressed: &[bool]) -> Vec<usize> {
    let mut variable_of_cell: BTreeMap<usize, usize> = BTreeMap::new();
    for line in lines {
        for cell in line.cells().filter(|cell| suppressed[*cell]) {
            let next = variable_of_cell.len();
            variable_of_cell.entry(cell).or_insert(next);
        }
    }
    let width = variable_of_cell.len();
    let mut matrix: Vec<Vec<u64>> = lines
        .iter()
        .map(|line| {
            let mut row = vec![0; width];
            for member in line.members.iter().filter(|cell| suppressed[**cell]) {
                row[variable_of_cell[member]] = 1;
            }
            if let Some(total) = line.total.filter(|cell| suppressed[*cell]) {
                row[variable_of_cell[&total]] = PRIME - 1;
            }
            row
        })
        .collect();
    reduce(&mut matrix, width);
    let mut alone = vec![false; width];
    for row in &matrix {
        let mut filled = (0..width).filter(|column| row[*column] != 0);
        if let (Some(column), None) = (filled.next(), filled.next()) {
            alone[column] = true;
        }
    }
    variable_of_cell
        .into_iter()
        .filter_map(|(cell, variable)| alone[variable].then_some(cell))
        .collect()
}

/// Reduced row echelon form.
fn reduce(matrix: &mut [Vec<u64>], width: usize) {
    let mut next_row = 0;
    for column in 0..width {
        let Some(found) = (next_row..matrix.len()).find(|row| matrix[*row][column] != 0) else {
            continue;
        };
        matrix.swap(next_row, found);
        let inverse = power(matrix[next_row][column], PRIME - 2);
        for entry in &mut matrix[next_row] {
            *entry = multiply(*entry, inverse);
        }
        let pivot = matrix[next_row].clone();
        for (index, row) in matrix.iter_mut().enumerate() {
            let factor = row[column];
            if index == next_row || factor == 0 {
                continue;
            }
            for (entry, subtrahend) in row.iter_mut().zip(&pivot) {
                *entry = (*entry + PRIME - multiply(factor, *subtrahend)) % PRIME;
            }
        }
        next_row += 1;
    }
}

fn multiply(left: u64, right: u64) -> u64 {
    ((u128::from(left) * u128::from(right)) % u128::from(PRIME)) as u64
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

/// Whether a single line, read with common sense, gives a suppressed cell away: it is the only one hidden, or the hidden
/// members' sum is known and is itself too small, or is no more than one contributor for each of them.
fn line_gives_itself_away(
    line: &Line,
    weights: &[Weight],
    suppressed: &[bool],
    min_count: u64,
) -> bool {
    let hidden: Vec<usize> = line
        .members
        .iter()
        .copied()
        .filter(|cell| suppressed[*cell])
        .collect();
    let total_hidden = line.total.is_some_and(|cell| suppressed[cell]);
    if hidden.is_empty() && !total_hidden {
        return false;
    }
    if total_hidden {
        return hidden.is_empty();
    }
    if hidden.len() < 2 {
        return true;
    }
    let sum: u64 = hidden.iter().map(|cell| weights[*cell].contributors).sum();
    let hides_a_zero = hidden.iter().any(|cell| weights[*cell].contributors == 0);
    sum < min_count || (sum <= hidden.len() as u64 && !hides_a_zero)
}

/// The cell of the line that costs least: not the total, not a zero, one that leaves few new lines to protect, small.
fn choose_victim(
    line: &Line,
    lines: &[Line],
    lines_of_cell: &BTreeMap<usize, Vec<usize>>,
    weights: &[Weight],
    suppressed: &[bool],
) -> Option<usize> {
    line.cells()
        .filter(|cell| !suppressed[*cell] && !weights[*cell].missing)
        .min_by_key(|cell| {
            let opened = lines_of_cell.get(cell).map_or(0, |touching| {
                touching
                    .iter()
                    .filter(|line| !lines[**line].cells().any(|other| suppressed[other]))
                    .count()
            });
            let weight = weights[*cell];
            (
                line.total == Some(*cell),
                weight.contributors == 0,
                opened,
                weight.contributors,
                *cell,
            )
        })
}

fn index_lines(lines: &[Line]) -> BTreeMap<usize, Vec<usize>> {
    let mut lines_of_cell: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        for cell in line.cells() {
            lines_of_cell.entry(cell).or_default().push(index);
        }
    }
    lines_of_cell
}

/// Union of cells that stand in a common line.
struct Components(Vec<usize>);

impl Components {
    fn new(cells: usize) -> Self {
        Self((0..cells).collect())
    }

    fn root(&mut self, mut cell: usize) -> usize {
        while self.0[cell] != cell {
            self.0[cell] = self.0[self.0[cell]];
            cell = self.0[cell];
        }
        cell
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.0[left.max(right)] = left.min(right);
    }
}
