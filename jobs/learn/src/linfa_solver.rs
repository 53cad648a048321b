//! linfa-logistic as the search for the optimum.
//!
//! Three properties of linfa-logistic 0.8 shape this file. Its loss is a sum, so
//! a tolerance on the gradient has to grow with the rows or is never reached. It
//! calls the more frequent class positive. And its gradient multiplies with the
//! transposed matrix row by row, so the matrix is stored column by column.

use linfa::DatasetBase;
use linfa::prelude::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder};

use crate::encoding::BoundEncoder;
use crate::error::LearnError;

const GRADIENT_PER_ROW: f64 = 1e-6;
const MAXIMUM_ITERATIONS: u64 = 300;

/// Coefficients, then the intercept, of P(label = true).
pub(crate) fn fit(
    encoder: &BoundEncoder<'_>,
    rows: &[u32],
    labels: &[bool],
    ridge: f64,
    start: &[f64],
) -> Result<Vec<f64>, LearnError> {
    let width = encoder.width();
    let mut design = Array2::<f64>::zeros((rows.len(), width).f());
    for (line, row) in rows.iter().enumerate() {
        encoder.for_each_value(*row, |_, column, value| {
            design[[line, column as usize]] = value;
        });
    }
    // linfa's start is in terms of the class it will call positive.
    let positives = labels.iter().filter(|label| **label).count();
    let true_is_positive = match (2 * positives).cmp(&labels.len()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => labels.first() == Some(&true),
    };
    let sign = if true_is_positive { 1.0 } else { -1.0 };
    let initial: Array1<f64> = start.iter().map(|parameter| sign * parameter).collect();

    let targets: Array1<bool> = labels.iter().copied().collect();
    let fitted = LogisticRegression::default()
        .alpha(ridge)
        .max_iterations(MAXIMUM_ITERATIONS)
        .gradient_tolerance(GRADIENT_PER_ROW * rows.len() as f64)
        .initial_params(initial)
        .fit(&DatasetBase::new(design, targets))
        .map_err(|error| LearnError::Solver(error.to_string()))?;

    // Asked, not assumed: the sign of the answer comes from the fitted model.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let mut parameters: Vec<f64> = fitted
        .params()
        .iter()
        .map(|parameter| sign * parameter)
        .collect();
    parameters.push(sign * fitted.intercept());
    if parameters.iter().any(|parameter| !parameter.is_finite()) {
        return Err(LearnError::Solver(
            "linfa left the finite numbers".to_owned(),
        ));
    }
    Ok(parameters)
}
