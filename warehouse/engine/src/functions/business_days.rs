use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, ListArray};
use arrow_schema::{DataType, Field};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar;

/// Furthest a day may be moved: a typing error must not run for hours.
const FURTHEST: u64 = 10_000;
/// 1970-01-01 was a Thursday; with Monday as 0.
const EPOCH_WEEKDAY: i32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    IsBusinessDay,
    BusinessDaysBetween,
    AddBusinessDays,
}

/// One function over days that are neither Saturday, Sunday nor holiday. The holidays are the last
/// argument, a list of dates, so that a plan shows what it depends on. A null gives null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct BusinessDayFunction {
    kind: Kind,
    signature: Signature,
}

impl BusinessDayFunction {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [
            Kind::IsBusinessDay,
            Kind::BusinessDaysBetween,
            Kind::AddBusinessDays,
        ]
        .into_iter()
        .map(|kind| {
            let holidays = DataType::List(Arc::new(Field::new_list_field(DataType::Date32, true)));
            let mut arguments = vec![DataType::Date32];
            match kind {
                Kind::IsBusinessDay => {}
                Kind::BusinessDaysBetween => arguments.push(DataType::Date32),
                Kind::AddBusinessDays => arguments.push(DataType::Int64),
            }
            arguments.push(holidays);
            Self {
                kind,
                signature: Signature::exact(arguments, Volatility::Immutable),
            }
        })
    }

    fn evaluate(&self, arguments: &[ArrayRef], rows: usize, lists: &mut Lists) -> Result<ArrayRef> {
        let days = arguments[0].as_primitive::<Date32Type>();
        let name = self.name();
        let answer_at = |row: usize, lists: &mut Lists| -> Result<Option<i32>> {
            let known = arguments.iter().all(|argument| argument.is_valid(row));
            let (true, Some(holidays)) = (known, lists.at(row)) else {
                return Ok(None);
            };
            let day = days.value(row);
            holidays.check(name, day)?;
            Ok(Some(match self.kind {
                Kind::IsBusinessDay => i32::from(holidays.is_business_day(day)),
                Kind::BusinessDaysBetween => {
                    let to = arguments[1].as_primitive::<Date32Type>().value(row);
                    holidays.check(name, to)?;
                    holidays.between(day, to)
                }
                Kind::AddBusinessDays => {
                    let count = arguments[1].as_primitive::<Int64Type>().value(row);
                    if count.unsigned_abs() > FURTHEST {
                        return exec_err!(
                            "{name}: a day is moved by at most {FURTHEST} business days"
                        );
                    }
                    let moved = holidays.add(day, count);
                    holidays.check(name, moved)?;
                    moved
                }
            }))
        };
        let answers = (0..rows)
            .map(|row| answer_at(row, lists))
            .collect::<Result<Int32Array>>()?;
        Ok(match self.kind {
            Kind::IsBusinessDay => {
                let answers: BooleanArray = answers
                    .iter()
                    .map(|answer| answer.map(|answer| answer == 1))
                    .collect();
                Arc::new(answers)
            }
            Kind::BusinessDaysBetween => Arc::new(answers),
            Kind::AddBusinessDays => Arc::new(answers.reinterpret_cast::<Date32Type>()),
        })
    }
}

/// The list of each row; rows next to each other mostly have the same one.
struct Lists {
    lists: ListArray,
    /// One list for all rows.
    is_constant: bool,
    current: Option<(ArrayRef, Holidays)>,
}

impl Lists {
    fn at(&mut self, row: usize) -> Option<&Holidays> {
        let row = if self.is_constant { 0 } else { row };
        if self.lists.is_null(row) {
            return None;
        }
        let list = self.lists.value(row);
        let is_current = self
            .current
            .as_ref()
            .is_some_and(|(current, _)| self.is_constant || current.as_ref() == list.as_ref());
        if !is_current {
            let holidays = Holidays::new(&list);
            self.current = Some((list, holidays));
        }
        self.current.as_ref().map(|(_, holidays)| holidays)
    }
}

/// Holidays in order.
struct Holidays {
    /// Those that fall on Monday to Friday.
    weekdays: Vec<i32>,
    first_year: i32,
    last_year: i32,
}

impl Holidays {
    fn new(days: &ArrayRef) -> Self {
        let mut days: Vec<i32> = days.as_primitive::<Date32Type>().iter().flatten().collect();
        days.sort_unstable();
        days.dedup();
        let year = |day: Option<&i32>| day.map_or(0, |day| calendar::civil(*day).0);
        Self {
            first_year: year(days.first()),
            last_year: year(days.last()),
            weekdays: days.into_iter().filter(|day| weekday(*day) < 5).collect(),
        }
    }

    /// A year without a holiday is a year that the list does not know.
    fn check(&self, function: &str, day: i32) -> Result<()> {
        let (year, ..) = calendar::civil(day);
        if (self.first_year..=self.last_year).contains(&year) {
            return Ok(());
        }
        exec_err!(
            "{function}: a day lies outside of the years whose holidays are known, {} to {}; add them to the list of holidays",
            self.first_year,
            self.last_year
        )
    }

    fn is_business_day(&self, day: i32) -> bool {
        weekday(day) < 5 && self.weekdays.binary_search(&day).is_err()
    }

    /// Business days after `from` up to and with `to`; mirrored when `to` is earlier.
    fn between(&self, from: i32, to: i32) -> i32 {
        if to < from {
            return -self.between(to, from);
        }
        self.up_to(to) - self.up_to(from)
    }

    /// Business days up to and with a day, counted from a Monday long ago.
    fn up_to(&self, day: i32) -> i32 {
        let since_monday = day.saturating_add(EPOCH_WEEKDAY);
        let (weeks, left) = (since_monday.div_euclid(7), since_monday.rem_euclid(7));
        let weekdays = weeks * 5 + (left + 1).min(5);
        weekdays - self.weekdays.partition_point(|holiday| *holiday <= day) as i32
    }

    fn add(&self, from: i32, count: i64) -> i32 {
        let step = if count < 0 { -1 } else { 1 };
        let mut day = from;
        if count == 0 {
            while !self.is_business_day(day) {
                day += 1;
            }
            return day;
        }
        let mut left = count.abs();
        while left > 0 {
            day += step;
            left -= i64::from(self.is_business_day(day));
        }
        day
    }
}

/// Monday is 0.
fn weekday(day: i32) -> i32 {
    (day.saturating_add(EPOCH_WEEKDAY)).rem_euclid(7)
}

impl ScalarUDFImpl for BusinessDayFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::IsBusinessDay => "is_business_day",
            Kind::BusinessDaysBetween => "business_days_between",
            Kind::AddBusinessDays => "add_business_days",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _argument_types: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::IsBusinessDay => DataType::Boolean,
            Kind::BusinessDaysBetween => DataType::Int32,
            Kind::AddBusinessDays => DataType::Date32,
        })
    }

    fn invoke_with_args(&self, mut call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = call.number_rows;
        let (lists, is_constant) = match call.args.pop() {
            Some(ColumnarValue::Scalar(ScalarValue::List(list))) => (list.as_ref().clone(), true),
            Some(ColumnarValue::Array(lists)) => (lists.as_list::<i32>().clone(), false),
            _ => return exec_err!("{}: the holidays must be a list of dates", self.name()),
        };
        let arguments = call
            .args
            .into_iter()
            .map(|argument| argument.into_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let mut lists = Lists {
            lists,
            is_constant,
            current: None,
        };
        let answers = self.evaluate(&arguments, rows, &mut lists)?;
        Ok(ColumnarValue::Array(answers))
    }

    fn documentation(&self) -> Option<&Documentation> {
        super::documentation::of(self.name())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Date32Array;

    use super::*;
    use calendar::days;

    #[test]
    fn counting_agrees_with_looking_at_every_day() {
        let list = [
            days(2024, 1, 1),
            days(2024, 2, 9),
            days(2024, 2, 12),
            days(2024, 3, 1),
            days(2024, 9, 14),
        ];
        let holidays: ArrayRef = Arc::new(Date32Array::from(list.to_vec()));
        let holidays = Holidays::new(&holidays);
        for from in days(2024, 1, 1)..days(2024, 3, 20) {
            let mut counted = 0;
            for to in from..days(2024, 3, 25) {
                let is_business = weekday(to) < 5 && !list.contains(&to);
                counted += i32::from(to > from && is_business);
                assert_eq!(holidays.between(from, to), counted);
                assert_eq!(holidays.between(to, from), -counted);
                if to > from && is_business {
                    assert_eq!(holidays.add(from, i64::from(counted)), to);
                }
            }
        }
    }

    #[test]
    fn monday_is_the_first_day_of_the_week() {
        assert_eq!(weekday(days(2024, 1, 1)), 0);
        assert_eq!(weekday(days(2024, 1, 7)), 6);
        assert_eq!(weekday(days(1969, 12, 28)), 6);
    }
}
