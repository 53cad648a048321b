//! Ridge-penalised logistic regression by Newton's method (iteratively reweighted
//! least squares), streaming over rows.
//!
//! Minimises `-log likelihood + ridge/2 * |coefficients|²`, the intercept not
//! penalised: the objective of linfa-logistic. A pass holds one Hessian per
//! stripe of rows and no design matrix. The stripes are fixed by the number of
//! rows, and their sums are added in order, so the number of threads does not
//! change a single bit of the result.
//!
//! A coefficient may be bound to one sign. A step is then taken among those that
//! zero does not hold, and its path is cut off at zero: projected Newton
//! (Bertsekas 1982, SIAM J. Control Optim. 20).

use crate::encoding::BoundEncoder;
use crate::error::LearnError;

const STRIPES: usize = 32;
const MAXIMUM_ITERATIONS: usize = 60;

/// A solution with what is needed to judge it.
#[derive(Debug, Clone)]
pub(crate) struct NewtonSolution {
    /// Coefficients, then the intercept.
    pub(crate) parameters: Vec<f64>,
    /// Standard errors in the same order, from the inverse penalised information.
    pub(crate) standard_errors: Vec<f64>,
    /// Passes over the rows.
    pub(crate) passes: usize,
    /// Largest absolute component of the gradient per row at the start.
    pub(crate) initial_gradient: f64,
    /// The same at the end.
    pub(crate) final_gradient: f64,
}

/// Rows to fit.
pub(crate) struct NewtonProblem<'a> {
    pub(crate) encoder: &'a BoundEncoder<'a>,
    pub(crate) rows: &'a [u32],
    pub(crate) labels: &'a [bool],
    pub(crate) ridge: f64,
    pub(crate) threads: usize,
    /// 1 or -1 for a column whose coefficient has that sign or is zero, 0 for others; may end
    /// before the last column.
    pub(crate) signs: Vec<i8>,
}

/// Rows that are added up one after the other, whatever thread does it.
struct Stripe<'a> {
    rows: &'a [u32],
    labels: &'a [bool],
    sums: Pass,
}

struct Pass {
    objective: f64,
    gradient: Vec<f64>,
    /// Upper triangle, row-major, of the full square.
    hessian: Vec<f64>,
}

impl NewtonProblem<'_> {
    /// Iterates from `start` (coefficients, then intercept) until the gradient per
    /// row is below `tolerance`.
    pub(crate) fn solve(
        &self,
        start: Vec<f64>,
        tolerance: f64,
    ) -> Result<NewtonSolution, LearnError> {
        let rows = self.rows.len() as f64;
        let size = self.encoder.width() + 1;
        let mut parameters = self.projected(start);
        let mut pass = self.pass(&parameters);
        let mut held = self.hold(&parameters, &mut pass);
        let mut passes = 1;
        let initial_gradient = largest(&pass.gradient) / rows;
        while largest(&pass.gradient) / rows > tolerance {
            if passes >= MAXIMUM_ITERATIONS {
                return Err(not_converged(passes));
            }
            let factor = cholesky(&pass.hessian, size)?;
            let step = solve_cholesky(&factor, &pass.gradient);
            let mut length = 1.0;
            loop {
                let candidate: Vec<f64> = parameters
                    .iter()
                    .zip(&step)
                    .map(|(parameter, step)| parameter - length * step)
                    .collect();
                let candidate = self.projected(candidate);
                let mut next = self.pass(&candidate);
                passes += 1;
                // Rounding of a sum over many rows must not look like an ascent.
                let slack = 1e-12 * pass.objective.abs();
                if next.objective <= pass.objective + slack {
                    held = self.hold(&candidate, &mut next);
                    parameters = candidate;
                    pass = next;
                    break;
                }
                length /= 2.0;
                if length < 1e-6 || passes >= MAXIMUM_ITERATIONS {
                    return Err(not_converged(passes));
                }
            }
        }
        let factor = cholesky(&pass.hessian, size)?;
        let standard_errors = (0..size)
            .map(|position| {
                if held.contains(&position) {
                    return 0.0;
                }
                let mut unit = vec![0.0; size];
                unit[position] = 1.0;
                solve_cholesky(&factor, &unit)[position].max(0.0).sqrt()
            })
            .collect();
        Ok(NewtonSolution {
            parameters,
            standard_errors,
            passes,
            initial_gradient,
            final_gradient: largest(&pass.gradient) / rows,
        })
    }

    fn projected(&self, mut parameters: Vec<f64>) -> Vec<f64> {
        for (parameter, sign) in parameters.iter_mut().zip(&self.signs) {
            if f64::from(*sign) * *parameter < 0.0 {
                *parameter = 0.0;
            }
        }
        parameters
    }

    /// Takes the columns that zero holds out of a pass, those whose descent leads to the sign they may not have, and
    /// answers which they are.
    fn hold(&self, parameters: &[f64], pass: &mut Pass) -> Vec<usize> {
        let size = parameters.len();
        let mut held = Vec::new();
        for (column, sign) in self.signs.iter().enumerate() {
            if *sign == 0 || parameters[column] != 0.0 {
                continue;
            }
            if f64::from(*sign) * pass.gradient[column] < 0.0 {
                continue;
            }
            held.push(column);
            pass.gradient[column] = 0.0;
            for other in 0..size {
                pass.hessian[column * size + other] = 0.0;
                pass.hessian[other * size + column] = 0.0;
            }
            pass.hessian[column * size + column] = 1.0;
        }
        held
    }

    /// Objective, gradient and Hessian at a point.
    fn pass(&self, parameters: &[f64]) -> Pass {
        let length = self.rows.len().div_ceil(STRIPES).max(1);
        let size = parameters.len();
        let mut stripes: Vec<Stripe<'_>> = self
            .rows
            .chunks(length)
            .zip(self.labels.chunks(length))
            .map(|(rows, labels)| Stripe {
                rows,
                labels,
                sums: Pass::zero(size),
            })
            .collect();
        let share = stripes.len().div_ceil(self.threads.max(1)).max(1);
        std::thread::scope(|scope| {
            for part in stripes.chunks_mut(share) {
                scope.spawn(move || {
                    for stripe in part {
                        self.add_up(stripe, parameters);
                    }
                });
            }
        });
        let mut total = Pass::zero(size);
        for Stripe { sums, .. } in stripes {
            total.objective += sums.objective;
            add(&mut total.gradient, &sums.gradient);
            add(&mut total.hessian, &sums.hessian);
        }
        for (position, coefficient) in parameters[..size - 1].iter().enumerate() {
            total.objective += 0.5 * self.ridge * coefficient * coefficient;
            total.gradient[position] += self.ridge * coefficient;
            total.hessian[position * size + position] += self.ridge;
        }
        total
    }

    fn add_up(&self, stripe: &mut Stripe<'_>, parameters: &[f64]) {
        let size = parameters.len();
        let intercept = parameters[size - 1];
        let pass = &mut stripe.sums;
        let mut values: Vec<(u32, f64)> = Vec::new();
        for (row, label) in stripe.rows.iter().zip(stripe.labels) {
            values.clear();
            let mut predictor = intercept;
            self.encoder.for_each_value(*row, |_, column, value| {
                predictor += parameters[column as usize] * value;
                values.push((column, value));
            });
            values.push(((size - 1) as u32, 1.0));
            let probability = logistic(predictor);
            pass.objective += softplus(if *label { -predictor } else { predictor });
            let residual = probability - f64::from(u8::from(*label));
            let weight = probability * (1.0 - probability);
            // Columns ascend within a row, so only the upper triangle is touched.
            for (position, (column, value)) in values.iter().enumerate() {
                pass.gradient[*column as usize] += residual * value;
                let line = &mut pass.hessian[*column as usize * size..][..size];
                let scaled = weight * value;
                for (other, other_value) in &values[position..] {
                    line[*other as usize] += scaled * other_value;
                }
            }
        }
    }
}

impl Pass {
    fn zero(size: usize) -> Self {
        Pass {
            objective: 0.0,
            gradient: vec![0.0; size],
            hessian: vec![0.0; size * size],
        }
    }
}

/// `1 / (1 + exp(-x))` without overflow.
#[inline]
pub(crate) fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let exponential = x.exp();
        exponential / (1.0 + exponential)
    }
}

/// `ln(1 + exp(x))` without overflow.
#[inline]
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn not_converged(passes: usize) -> LearnError {
    LearnError::Solver(format!("Newton did not converge in {passes} passes"))
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn add(total: &mut [f64], part: &[f64]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// Lower Cholesky factor of a symmetric matrix given by its upper triangle.
pub(crate) fn cholesky(upper: &[f64], size: usize) -> Result<Vec<f64>, LearnError> {
    let mut factor = vec![0.0; size * size];
    for row in 0..size {
        for column in 0..=row {
            let dot: f64 = (0..column)
                .map(|k| factor[row * size + k] * factor[column * size + k])
                .sum();
            let value = upper[column * size + row] - dot;
            if row == column {
                // A column of zeros or an exact copy of others, without ridge.
                if value <= 1e-12 * upper[row * size + row].abs().max(1e-300) {
                    return Err(LearnError::Solver(
                        "the features are collinear; set a ridge above 0".to_owned(),
                    ));
                }
                factor[row * size + row] = value.sqrt();
            } else {
                factor[row * size + column] = value / factor[column * size + column];
            }
        }
    }
    Ok(factor)
}

pub(crate) fn solve_cholesky(factor: &[f64], right: &[f64]) -> Vec<f64> {
    let size = right.len();
    let mut solution = right.to_vec();
    for row in 0..size {
        let dot: f64 = (0..row).map(|k| factor[row * size + k] * solution[k]).sum();
        solution[row] = (solution[row] - dot) / factor[row * size + row];
    }
    for row in (0..size).rev() {
        let dot: f64 = (row + 1..size)
            .map(|k| factor[k * size + row] * solution[k])
            .sum();
        solution[row] = (solution[row] - dot) / factor[row * size + row];
    }
    solution
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn cholesky_solves_a_known_system() {
        // [[4, 2], [2, 3]] x = [2, 5] has x = [-0.5, 2].
        let factor = cholesky(&[4.0, 2.0, 0.0, 3.0], 2).unwrap();
        let solution = solve_cholesky(&factor, &[2.0, 5.0]);
        assert!((solution[0] + 0.5).abs() < 1e-12 && (solution[1] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_singular_matrix_is_refused() {
        assert!(cholesky(&[1.0, 1.0, 0.0, 1.0], 2).is_err());
    }

    #[test]
    fn extreme_predictors_stay_finite() {
        assert_eq!(logistic(-800.0), 0.0);
        assert_eq!(logistic(800.0), 1.0);
        assert_eq!(softplus(800.0), 800.0);
        assert_eq!(softplus(-800.0), 0.0);
    }
}
