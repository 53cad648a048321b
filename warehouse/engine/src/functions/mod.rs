//! Functions of ours, registered in every session.

mod business_days;
mod calendar;
mod codes;
mod dates;
mod documentation;
mod sum;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// The same day of the month so many months later, or that month's last day; days since 1970-01-01.
pub(crate) fn add_months(day: i32, months: i32) -> i32 {
    calendar::add_months(day, months)
}

/// Scalar functions of ours.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions: Vec<ScalarUDF> = dates::DateFunction::all()
        .map(ScalarUDF::new_from_impl)
        .collect();
    functions.extend(business_days::BusinessDayFunction::all().map(ScalarUDF::new_from_impl));
    functions.extend(codes::CodeLevel::all().map(ScalarUDF::new_from_impl));
    functions.push(ScalarUDF::new_from_impl(codes::NormaliseHangul::default()));
    functions.into_iter().map(Arc::new).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_documented_in_the_session_and_on_paper() {
        let page = include_str!("../../../../docs/sql.md");
        let functions = scalar_functions();
        assert_eq!(functions.len(), documentation::FUNCTIONS.len());
        for function in functions {
            assert!(function.documentation().is_some(), "{}", function.name());
            assert!(
                page.contains(&format!("`{}(", function.name())),
                "{}",
                function.name()
            );
        }
        for (name, ..) in crate::intervals::FUNCTIONS {
            assert!(page.contains(&format!("{name}(")), "{name}");
        }
    }
}
