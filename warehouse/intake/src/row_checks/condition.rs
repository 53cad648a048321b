//! Conditions over columns. A truth value is 0 for no, 1 for unknown, 2 for yes, so that `and` is
//! the smaller, `or` the greater and `not` the distance from 2: plain loops over bytes.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use goyong_catalog::contract::{Comparison, Expression, Literal, Operand};

use crate::error::IntakeError;

const NO: u8 = 0;
const UNKNOWN: u8 = 1;
const YES: u8 = 2;

/// A condition whose columns are positions in the batch.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Compare(Comparison, Value, Value),
    In(Value, Vec<Literal>),
    IsNull(usize),
    SameMonth(usize, usize),
    IsTrue(usize),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Column(usize),
    Literal(Literal),
    DaysBetween(usize, usize),
}

impl Condition {
    pub fn bind(
        expression: &Expression,
        position: &impl Fn(&str) -> Result<usize, IntakeError>,
    ) -> Result<Self, IntakeError> {
        let value = |operand: &Operand| {
            Ok::<_, IntakeError>(match operand {
                Operand::Column(name) => Value::Column(position(name)?),
                Operand::Literal(literal) => Value::Literal(literal.clone()),
                Operand::DaysBetween(from, to) => {
                    Value::DaysBetween(position(from)?, position(to)?)
                }
            })
        };
        let all = |parts: &[Expression]| {
            parts
                .iter()
                .map(|part| Self::bind(part, position))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match expression {
            Expression::Compare {
                comparison,
                left,
                right,
            } => Self::Compare(*comparison, value(left)?, value(right)?),
            Expression::In { operand, values } => Self::In(value(operand)?, values.clone()),
            Expression::IsNull(name) => Self::IsNull(position(name)?),
            Expression::SameMonth(left, right) => {
                Self::SameMonth(position(left)?, position(right)?)
            }
            Expression::IsTrue(name) => Self::IsTrue(position(name)?),
            Expression::And(parts) => Self::And(all(parts)?),
            Expression::Or(parts) => Self::Or(all(parts)?),
            Expression::Not(part) => Self::Not(Box::new(Self::bind(part, position)?)),
        })
    }

    /// The rows for which the condition is false.
    pub fn false_rows(&self, batch: &RecordBatch) -> impl Iterator<Item = u32> {
        let truth = self.evaluate(batch);
        let has_false = truth.contains(&NO);
        let length = if has_false { truth.len() } else { 0 };
        (0..length as u32).filter(move |row| truth[*row as usize] == NO)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Vec<u8> {
        match self {
            Self::Compare(comparison, left, right) => compare(*comparison, left, right, batch),
            Self::In(value, literals) => {
                let mut truth = vec![NO; batch.num_rows()];
                for literal in literals {
                    let literal = Value::Literal(literal.clone());
                    let one = compare(Comparison::Equal, value, &literal, batch);
                    join(&mut truth, &one, u8::max);
                }
                truth
            }
            Self::IsNull(column) => match batch.column(*column).nulls() {
                None => vec![NO; batch.num_rows()],
                Some(nulls) => nulls.iter().map(|valid| u8::from(!valid) * YES).collect(),
            },
            Self::SameMonth(left, right) => {
                let left = batch.column(*left).as_primitive::<Date32Type>();
                let right = batch.column(*right).as_primitive::<Date32Type>();
                let mut truth: Vec<u8> = left
                    .values()
                    .iter()
                    .zip(right.values())
                    .map(|(left, right)| u8::from(is_same_month(*left, *right)) * YES)
                    .collect();
                forget_nulls(&mut truth, left.nulls());
                forget_nulls(&mut truth, right.nulls());
                truth
            }
            Self::IsTrue(column) => {
                let array = batch.column(*column).as_boolean();
                let mut truth: Vec<u8> = array
                    .values()
                    .iter()
                    .map(|value| u8::from(value) * YES)
                    .collect();
                forget_nulls(&mut truth, array.nulls());
                truth
            }
            Self::And(parts) => joined(parts, batch, u8::min, YES),
            Self::Or(parts) => joined(parts, batch, u8::max, NO),
            Self::Not(part) => {
                let mut truth = part.evaluate(batch);
                for value in &mut truth {
                    *value = YES - *value;
                }
                truth
            }
        }
    }
}

fn joined(
    parts: &[Condition],
    batch: &RecordBatch,
    rule: fn(u8, u8) -> u8,
    neutral: u8,
) -> Vec<u8> {
    let mut parts = parts.iter();
    let Some(first) = parts.next() else {
        return vec![neutral; batch.num_rows()];
    };
    let mut truth = first.evaluate(batch);
    for part in parts {
        join(&mut truth, &part.evaluate(batch), rule);
    }
    truth
}

#[inline]
fn join(truth: &mut [u8], other: &[u8], rule: impl Fn(u8, u8) -> u8) {
    for (value, other) in truth.iter_mut().zip(other) {
        *value = rule(*value, *other);
    }
}

fn forget_nulls(truth: &mut [u8], nulls: Option<&NullBuffer>) {
    if let Some(nulls) = nulls {
        for (value, is_valid) in truth.iter_mut().zip(nulls.iter()) {
            if !is_valid {
                *value = UNKNOWN;
            }
        }
    }
}

/// Values ready for comparison: one for each row, or one for all.
enum Side<'a, T: Clone> {
    Rows(Cow<'a, [T]>),
    One(T),
}

fn compare(comparison: Comparison, left: &Value, right: &Value, batch: &RecordBatch) -> Vec<u8> {
    let rows = batch.num_rows();
    let mut truth = match Family::of(left, right, batch) {
        Family::Days => compare_sides(comparison, &days(left, batch), &days(right, batch), rows),
        Family::Whole => compare_sides(comparison, &whole(left, batch), &whole(right, batch), rows),
        Family::Exact(scale) => compare_sides(
            comparison,
            &exact(left, scale, batch),
            &exact(right, scale, batch),
            rows,
        ),
        Family::Float => compare_sides(comparison, &float(left, batch), &float(right, batch), rows),
        Family::Boolean => compare_sides(
            comparison,
            &boolean(left, batch),
            &boolean(right, batch),
            rows,
        ),
        Family::Text => compare_texts(comparison, left, right, batch),
    };
    for value in [left, right] {
        match value {
            Value::Column(column) => forget_nulls(&mut truth, batch.column(*column).nulls()),
            Value::DaysBetween(from, to) => {
                forget_nulls(&mut truth, batch.column(*from).nulls());
                forget_nulls(&mut truth, batch.column(*to).nulls());
            }
            Value::Literal(_) => {}
        }
    }
    truth
}

/// How two values are compared.
#[derive(Clone, Copy)]
enum Family {
    /// Days, as 32-bit integers.
    Days,
    /// 64-bit integers: whole numbers, moments, keys.
    Whole,
    /// Fixed point at this scale.
    Exact(u32),
    Float,
    Boolean,
    Text,
}

impl Family {
    fn of(left: &Value, right: &Value, batch: &RecordBatch) -> Self {
        match (Self::of_value(left, batch), Self::of_value(right, batch)) {
            (Self::Float, _) | (_, Self::Float) => Self::Float,
            (Self::Exact(left), Self::Exact(right)) => Self::Exact(left.max(right)),
            (Self::Exact(scale), Self::Whole) | (Self::Whole, Self::Exact(scale)) => {
                Self::Exact(scale)
            }
            (family, _) => family,
        }
    }

    fn of_value(value: &Value, batch: &RecordBatch) -> Self {
        match value {
            Value::DaysBetween(..) => Self::Whole,
            Value::Literal(Literal::Number { unscaled, scale }) => {
                if *scale == 0 && i64::try_from(*unscaled).is_ok() {
                    Self::Whole
                } else {
                    Self::Exact(*scale)
                }
            }
            Value::Literal(Literal::Text(_)) => Self::Text,
            Value::Literal(Literal::Date(_)) => Self::Days,
            Value::Literal(Literal::Boolean(_)) => Self::Boolean,
            Value::Column(column) => match batch.column(*column).data_type() {
                DataType::Date32 => Self::Days,
                DataType::Int32 | DataType::Int64 | DataType::Timestamp(..) => Self::Whole,
                DataType::Decimal128(_, scale) => Self::Exact(u32::from(scale.unsigned_abs())),
                DataType::Float64 => Self::Float,
                DataType::Boolean => Self::Boolean,
                _ => Self::Text,
            },
        }
    }
}

fn days<'a>(value: &Value, batch: &'a RecordBatch) -> Side<'a, i32> {
    match value {
        Value::Column(column) => Side::Rows(Cow::Borrowed(
            batch.column(*column).as_primitive::<Date32Type>().values(),
        )),
        Value::Literal(Literal::Date(day)) => Side::One(*day),
        _ => Side::One(0),
    }
}

fn whole<'a>(value: &Value, batch: &'a RecordBatch) -> Side<'a, i64> {
    match value {
        Value::Column(column) => {
            let array = batch.column(*column);
            Side::Rows(match array.data_type() {
                DataType::Int64 => Cow::Borrowed(array.as_primitive::<Int64Type>().values()),
                DataType::Timestamp(..) => {
                    Cow::Borrowed(array.as_primitive::<TimestampMicrosecondType>().values())
                }
                _ => array
                    .as_primitive::<Int32Type>()
                    .values()
                    .iter()
                    .map(|value| i64::from(*value))
                    .collect(),
            })
        }
        Value::DaysBetween(from, to) => Side::Rows(
            batch
                .column(*from)
                .as_primitive::<Date32Type>()
                .values()
                .iter()
                .zip(batch.column(*to).as_primitive::<Date32Type>().values())
                .map(|(from, to)| i64::from(*to) - i64::from(*from))
                .collect(),
        ),
        Value::Literal(Literal::Number { unscaled, .. }) => {
            Side::One(i64::try_from(*unscaled).unwrap_or(i64::MAX))
        }
        Value::Literal(_) => Side::One(0),
    }
}

fn exact<'a>(value: &Value, scale: u32, batch: &'a RecordBatch) -> Side<'a, i128> {
    let raised = |value: i128, from: u32| value.saturating_mul(10i128.pow(scale - from.min(scale)));
    if let Value::Column(column) = value
        && let DataType::Decimal128(_, own) = batch.column(*column).data_type()
    {
        let values = batch
            .column(*column)
            .as_primitive::<Decimal128Type>()
            .values();
        let own = u32::from(own.unsigned_abs());
        return Side::Rows(if own == scale {
            Cow::Borrowed(values)
        } else {
            values.iter().map(|value| raised(*value, own)).collect()
        });
    }
    if let Value::Literal(Literal::Number {
        unscaled,
        scale: own,
    }) = value
    {
        return Side::One(raised(*unscaled, *own));
    }
    match whole(value, batch) {
        Side::One(value) => Side::One(raised(i128::from(value), 0)),
        Side::Rows(values) => Side::Rows(
            values
                .iter()
                .map(|value| raised(i128::from(*value), 0))
                .collect(),
        ),
    }
}

fn float<'a>(value: &Value, batch: &'a RecordBatch) -> Side<'a, f64> {
    if let Value::Column(column) = value
        && batch.column(*column).data_type() == &DataType::Float64
    {
        let values = batch.column(*column).as_primitive::<Float64Type>().values();
        return Side::Rows(Cow::Borrowed(values));
    }
    let scale = match Family::of_value(value, batch) {
        Family::Exact(scale) => scale,
        _ => 0,
    };
    let lowered = |value: i128| value as f64 / 10f64.powi(scale as i32);
    match exact(value, scale, batch) {
        Side::One(value) => Side::One(lowered(value)),
        Side::Rows(values) => Side::Rows(values.iter().map(|value| lowered(*value)).collect()),
    }
}

fn boolean<'a>(value: &Value, batch: &'a RecordBatch) -> Side<'a, bool> {
    match value {
        Value::Column(column) => {
            Side::Rows(batch.column(*column).as_boolean().values().iter().collect())
        }
        Value::Literal(Literal::Boolean(value)) => Side::One(*value),
        _ => Side::One(false),
    }
}

/// One loop for each comparison, so that the loop holds no choice.
fn compare_sides<T: PartialOrd + Clone>(
    comparison: Comparison,
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
) -> Vec<u8> {
    match comparison {
        Comparison::Equal => over(left, right, rows, |left, right| left == right),
        Comparison::NotEqual => over(left, right, rows, |left, right| left != right),
        Comparison::Less => over(left, right, rows, |left, right| left < right),
        Comparison::LessOrEqual => over(left, right, rows, |left, right| left <= right),
        Comparison::Greater => over(left, right, rows, |left, right| left > right),
        Comparison::GreaterOrEqual => over(left, right, rows, |left, right| left >= right),
    }
}

#[inline]
fn over<T: Clone>(
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    holds: impl Fn(&T, &T) -> bool,
) -> Vec<u8> {
    let truth = |left: &T, right: &T| u8::from(holds(left, right)) * YES;
    match (left, right) {
        (Side::Rows(left), Side::Rows(right)) => left
            .iter()
            .zip(right.iter())
            .map(|(left, right)| truth(left, right))
            .collect(),
        (Side::Rows(left), Side::One(right)) => {
            left.iter().map(|left| truth(left, right)).collect()
        }
        (Side::One(left), Side::Rows(right)) => {
            right.iter().map(|right| truth(left, right)).collect()
        }
        (Side::One(left), Side::One(right)) => vec![truth(left, right); rows],
    }
}

fn compare_texts(
    comparison: Comparison,
    left: &Value,
    right: &Value,
    batch: &RecordBatch,
) -> Vec<u8> {
    let text = |value: &Value| -> Side<'_, &str> {
        match value {
            Value::Column(column) => {
                let array = batch.column(*column).as_string::<i32>();
                Side::Rows((0..array.len()).map(|row| array.value(row)).collect())
            }
            _ => Side::One(""),
        }
    };
    let literal = |value: &Value| match value {
        Value::Literal(Literal::Text(text)) => Some(text.clone()),
        _ => None,
    };
    match (literal(left), literal(right)) {
        (Some(left), _) => compare_sides(
            comparison,
            &Side::One(left.as_str()),
            &text(right),
            batch.num_rows(),
        ),
        (_, Some(right)) => compare_sides(
            comparison,
            &text(left),
            &Side::One(right.as_str()),
            batch.num_rows(),
        ),
        _ => compare_sides(comparison, &text(left), &text(right), batch.num_rows()),
    }
}

fn is_same_month(left: i32, right: i32) -> bool {
    // Days further apart than a month is long need no calendar.
    left.abs_diff(right) < 31 && month_of(left) == month_of(right)
}

/// Months since the year 0 of a day since 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn month_of(day: i32) -> i64 {
    let day = i64::from(day) + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (year_of_era + era * 400) * 12 + month_from_march
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::is_same_month;
    use chrono::{Datelike, NaiveDate};

    #[test]
    fn months_are_those_of_the_calendar() {
        let first = NaiveDate::from_ymd_opt(1899, 12, 1).unwrap();
        for offset in 0..80_000 {
            let day = first + chrono::Days::new(offset);
            for distance in [0, 1, 27, 28, 29, 30, 31] {
                let other = day + chrono::Days::new(distance);
                let days = |date: NaiveDate| date.num_days_from_ce() - 719_163;
                let expected = (day.year(), day.month()) == (other.year(), other.month());
                assert_eq!(
                    is_same_month(days(day), days(other)),
                    expected,
                    "{day} {other}"
                );
            }
        }
    }
}
