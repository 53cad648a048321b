use std::sync::Arc;

use arrow_array::builder::{Date32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, PrimitiveArray};
use arrow_schema::{DataType, Field};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar;

/// Longest series of months one row may ask for: a typing error must not fill the memory.
const LONGEST_SERIES: i32 = 12 * 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    MonthStart,
    MonthEnd,
    AddMonths,
    AddDays,
    MonthsBetween,
    DaysBetween,
    DaysOverlap,
    AgeAt,
    MonthsSeries,
}

/// One function over dates. Every argument is a Date32 or, for a number of months or days, an Int64;
/// null in gives null out unless the function says otherwise.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateFunction {
    kind: Kind,
    signature: Signature,
}

impl DateFunction {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [
            Kind::MonthStart,
            Kind::MonthEnd,
            Kind::AddMonths,
            Kind::AddDays,
            Kind::MonthsBetween,
            Kind::DaysBetween,
            Kind::DaysOverlap,
            Kind::AgeAt,
            Kind::MonthsSeries,
        ]
        .into_iter()
        .map(|kind| {
            use DataType::{Date32, Int64};
            let arguments = match kind {
                Kind::MonthStart | Kind::MonthEnd => vec![Date32],
                Kind::AddMonths | Kind::AddDays => vec![Date32, Int64],
                Kind::MonthsBetween | Kind::DaysBetween | Kind::AgeAt | Kind::MonthsSeries => {
                    vec![Date32, Date32]
                }
                Kind::DaysOverlap => vec![Date32; 4],
            };
            Self {
                kind,
                signature: Signature::exact(arguments, Volatility::Immutable),
            }
        })
    }

    fn evaluate(&self, arguments: &[ArrayRef]) -> Result<ArrayRef> {
        let first = arguments[0].as_primitive::<Date32Type>();
        let date = |index: usize| arguments[index].as_primitive::<Date32Type>();
        let rows = first.len();
        Ok(match self.kind {
            Kind::MonthStart => {
                let result: Date32Array =
                    first.unary(|day| calendar::month_start(calendar::month_number(day)));
                Arc::new(result)
            }
            Kind::MonthEnd => {
                let result: Date32Array =
                    first.unary(|day| calendar::month_start(calendar::month_number(day) + 1) - 1);
                Arc::new(result)
            }
            Kind::AddMonths | Kind::AddDays => {
                let count = arguments[1].as_primitive::<Int64Type>();
                let mut result = Date32Builder::with_capacity(rows);
                for row in 0..rows {
                    let (Some(day), Some(count)) = (at(first, row), at(count, row)) else {
                        result.append_null();
                        continue;
                    };
                    let Ok(count) = i32::try_from(count) else {
                        return exec_err!("{}: the count is out of range", self.name());
                    };
                    result.append_value(match self.kind {
                        Kind::AddDays => day.saturating_add(count),
                        _ => calendar::add_months(day, count),
                    });
                }
                Arc::new(result.finish())
            }
            Kind::MonthsBetween => Arc::new(pairs(first, date(1), calendar::months_between)),
            Kind::DaysBetween => {
                Arc::new(pairs(first, date(1), |from, to| to.saturating_sub(from)))
            }
            Kind::AgeAt => Arc::new(pairs(first, date(1), calendar::age)),
            Kind::DaysOverlap => {
                let (first_to, second_from, second_to) = (date(1), date(2), date(3));
                let result: Int32Array = (0..rows)
                    .map(|row| {
                        calendar::days_overlap(
                            (at(first, row)?, at(first_to, row)),
                            (at(second_from, row)?, at(second_to, row)),
                        )
                    })
                    .collect();
                Arc::new(result)
            }
            Kind::MonthsSeries => {
                let to = date(1);
                let mut result = ListBuilder::new(Date32Builder::new())
                    .with_field(Arc::new(Field::new_list_field(DataType::Date32, true)));
                for row in 0..rows {
                    let (Some(from), Some(to)) = (at(first, row), at(to, row)) else {
                        result.append_null();
                        continue;
                    };
                    let months = calendar::month_number(from)..=calendar::month_number(to);
                    if months.end().saturating_sub(*months.start()) > LONGEST_SERIES {
                        return exec_err!(
                            "months_series: more than {LONGEST_SERIES} months; check the dates"
                        );
                    }
                    for month in months {
                        result.values().append_value(calendar::month_start(month));
                    }
                    result.append(true);
                }
                Arc::new(result.finish())
            }
        })
    }
}

fn at<T: arrow_array::ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

fn pairs(
    left: &Date32Array,
    right: &Date32Array,
    function: impl Fn(i32, i32) -> i32,
) -> Int32Array {
    left.iter()
        .zip(right.iter())
        .map(|(left, right)| Some(function(left?, right?)))
        .collect()
}

impl ScalarUDFImpl for DateFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::MonthStart => "month_start",
            Kind::MonthEnd => "month_end",
            Kind::AddMonths => "add_months",
            Kind::AddDays => "add_days",
            Kind::MonthsBetween => "months_between",
            Kind::DaysBetween => "days_between",
            Kind::DaysOverlap => "days_overlap",
            Kind::AgeAt => "age_at",
            Kind::MonthsSeries => "months_series",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn documentation(&self) -> Option<&Documentation> {
        super::documentation::of(self.name())
    }

    fn return_type(&self, _argument_types: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::MonthStart | Kind::MonthEnd | Kind::AddMonths | Kind::AddDays => DataType::Date32,
            Kind::MonthsBetween | Kind::DaysBetween | Kind::DaysOverlap | Kind::AgeAt => {
                DataType::Int32
            }
            Kind::MonthsSeries => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Date32, true)))
            }
        })
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { call.number_rows };
        let arguments = call
            .args
            .into_iter()
            .map(|argument| argument.into_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let result = self.evaluate(&arguments)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?));
        }
        Ok(ColumnarValue::Array(result))
    }
}
