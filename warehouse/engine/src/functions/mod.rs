//! Functions of ours, registered in every session.

mod calendar;
mod dates;
mod sum;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Scalar functions of ours.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    dates::DateFunction::all()
        .map(|function| Arc::new(ScalarUDF::new_from_impl(function)))
        .collect()
}

/// Aggregate functions of ours, which replace built-in ones of the same name.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![Arc::new(AggregateUDF::new_from_impl(
        sum::ExactSum::default(),
    ))]
}

/// Functions whose result is not a function of the data: no model may call one.
pub(crate) const NOT_REPRODUCIBLE: [&str; 9] = [
    "now",
    "current_timestamp",
    "current_date",
    "today",
    "current_time",
    "random",
    "rand",
    "uuid",
    "version",
];
