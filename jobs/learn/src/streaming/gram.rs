//! Products of columns, the costly part of a Hessian.

/// Rows that are turned around and multiplied together.
pub(super) const TILE: usize = 256;

/// Adds the products of every two columns of a tile to the upper triangle, a square
/// of 2 × 4 columns at a time so that a loaded value is used several times.
pub(super) fn add_gram(tile: &[f64], size: usize, gram: &mut [f64]) {
    let column = |position: usize| &tile[position * TILE..][..TILE];
    for first in (0..size).step_by(2) {
        for second in (first..size).step_by(4) {
            if first + 2 <= size && second + 4 <= size {
                let left = [column(first), column(first + 1)];
                let right = [
                    column(second),
                    column(second + 1),
                    column(second + 2),
                    column(second + 3),
                ];
                let products = square(left, right);
                for (line, products) in products.iter().enumerate() {
                    for (offset, product) in products.iter().enumerate() {
                        gram[(first + line) * size + second + offset] += product;
                    }
                }
                continue;
            }
            for line in first..(first + 2).min(size) {
                for other in second..(second + 4).min(size) {
                    gram[line * size + other] += dot(column(line), column(other));
                }
            }
        }
    }
}

/// Products of 2 × 4 columns, each with two running sums that fit one register.
#[inline]
fn square(left: [&[f64]; 2], right: [&[f64]; 4]) -> [[f64; 4]; 2] {
    let mut sums = [[[0.0_f64; 2]; 4]; 2];
    let [left_a, left_b] = left.map(|column| column.as_chunks::<2>().0);
    let right = right.map(|column| column.as_chunks::<2>().0);
    for position in 0..TILE / 2 {
        let lefts = [left_a[position], left_b[position]];
        for (offset, column) in right.iter().enumerate() {
            let value = column[position];
            for (line, left) in lefts.iter().enumerate() {
                sums[line][offset][0] += left[0] * value[0];
                sums[line][offset][1] += left[1] * value[1];
            }
        }
    }
    sums.map(|line| line.map(|pair| pair[0] + pair[1]))
}

pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (left, right) = (left.as_chunks::<4>().0, right.as_chunks::<4>().0);
    for (left, right) in left.iter().zip(right) {
        for (sum, (x, y)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += x * y;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}
