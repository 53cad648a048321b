//! Rows of a sheet, put together from its cells.

use std::cmp::Reverse;

use calamine::{DataRef, Dimensions};
use chrono::{Duration, NaiveDate};
use goyong_catalog::contract::{ColumnType, MergedCells, XlsxFormat};
use regex::Regex;

use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::format::{Batches, Envelope};
use crate::header::{FieldSource, Mapping, fill_header_lines, join_header_lines};
use crate::plan::Plan;
use crate::rows::Cell;

/// A cell as text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Empty,
    Text(String),
    /// A number, which in a date column may be a day count.
    Number(f64),
    /// `#REF!` and its kind, or a day that no calendar has.
    Broken(&'static str, String),
}

impl Value {
    pub fn of(cell: &DataRef<'_>) -> Self {
        match cell {
            DataRef::Empty => Self::Empty,
            DataRef::Int(number) => Self::Text(number.to_string()),
            DataRef::Float(number) => Self::Number(*number),
            DataRef::String(text) => Self::Text(text.clone()),
            DataRef::SharedString(text) => Self::Text((*text).to_owned()),
            DataRef::Bool(answer) => Self::Text(answer.to_string()),
            DataRef::DateTime(moment) if moment.is_datetime() => {
                let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
                let date = format!("{year:04}-{month:02}-{day:02}");
                if (hour, minute, second) == (0, 0, 0) {
                    Self::Text(date)
                } else {
                    Self::Text(format!("{date} {hour:02}:{minute:02}:{second:02}"))
                }
            }
            DataRef::DateTime(duration) => Self::Number(duration.as_f64()),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                Self::Text(text.replace('T', " "))
            }
            DataRef::Error(error) => Self::Broken("cell_error", error.to_string()),
        }
    }

    /// The text of the cell.
    fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Broken(_, text) => text.clone(),
            Self::Number(number) => number_text(*number),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Number(_) | Self::Broken(..) => false,
        }
    }
}

/// Whole numbers without a fraction; a workbook knows only floating point.
fn number_text(number: f64) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

/// A merged region.
struct Region {
    first: (u32, u32),
    last: (u32, u32),
    value: Value,
}

/// A rule of `drop_rows` on this sheet.
struct DropRule {
    field: usize,
    expression: Regex,
    /// As the contract writes it.
    text: String,
    dropped: u64,
}

/// Rows under work.
pub(super) struct SheetRows<'p> {
    plan: &'p Plan,
    format: &'p XlsxFormat,
    is_1904: bool,
    header: Vec<Vec<String>>,
    mapping: Option<Mapping>,
    drop_rules: Vec<DropRule>,
    /// For each field, whether a date column takes it.
    dates: Vec<bool>,
    /// Regions that begin below, the next one last.
    regions: Vec<Region>,
    /// Regions that reach into the row under work.
    open_regions: Vec<Region>,
    row: Vec<Value>,
    row_number: Option<u32>,
}

impl<'p> SheetRows<'p> {
    pub fn new(
        plan: &'p Plan,
        format: &'p XlsxFormat,
        is_1904: bool,
        merged: Vec<Dimensions>,
    ) -> Self {
        let mut regions: Vec<Region> = merged
            .into_iter()
            .filter(|_| format.merged == MergedCells::Fill)
            .map(|region| Region {
                first: region.start,
                last: region.end,
                value: Value::Empty,
            })
            .collect();
        regions.sort_by_key(|region| Reverse(region.first));
        Self {
            plan,
            format,
            is_1904,
            header: Vec::new(),
            mapping: None,
            drop_rules: Vec::new(),
            dates: Vec::new(),
            regions,
            open_regions: Vec::new(),
            row: Vec::new(),
            row_number: None,
        }
    }

    /// Whether the rest of the sheet lies behind the range that is read.
    pub fn is_behind(&self, row: u32) -> bool {
        let last = self.format.range.and_then(|range| range.last.0);
        last.is_some_and(|last| row > last)
    }

    /// Adds a cell; cells come row by row.
    pub fn add(
        &mut self,
        row: u32,
        column: u32,
        value: Value,
        batches: &mut Batches<'_, '_>,
    ) -> Result<(), IntakeError> {
        if self.row_number != Some(row) {
            self.finish_row(batches)?;
            self.row_number = Some(row);
        }
        if value == Value::Empty {
            return Ok(());
        }
        let column = column as usize;
        if self.row.len() <= column {
            self.row.resize(column + 1, Value::Empty);
        }
        self.row[column] = value;
        Ok(())
    }

    /// Ends the sheet.
    pub fn finish(
        mut self,
        sheet: &str,
        batches: &mut Batches<'_, '_>,
    ) -> Result<Envelope, IntakeError> {
        self.finish_row(batches)?;
        let Some(mapping) = self.mapping else {
            return Err(Refusal::new(
                RefusalRule::Header,
                format!("the sheet `{sheet}` ends before its header"),
            )
            .into());
        };
        let mut notices = mapping.notices;
        for rule in &self.drop_rules {
            if rule.dropped > 0 {
                notices.push(format!(
                    "{} rows are no data by the rule {} and were left out",
                    rule.dropped, rule.text
                ));
            }
        }
        Ok(Envelope {
            notices,
            columns: mapping.columns,
            ..Envelope::default()
        })
    }

    fn finish_row(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        let Some(number) = self.row_number.take() else {
            return Ok(());
        };
        let mut row = std::mem::take(&mut self.row);
        self.fill_merged(number, &mut row);
        let first_row = match self.format.range {
            Some(range) => {
                let last = row.len().min(range.last.1 as usize + 1);
                row.truncate(last);
                row.drain(..last.min(range.first.1 as usize));
                range.first.0 as usize
            }
            None => 0,
        };
        if (number as usize) < first_row + self.format.header_row {
            return Ok(());
        }
        if self.mapping.is_none() {
            self.header.push(row.iter().map(Value::text).collect());
            if self.header.len() >= self.format.header_lines.max(1) {
                self.read_header()?;
            }
            return Ok(());
        }
        self.push(row, batches)
    }

    fn read_header(&mut self) -> Result<(), IntakeError> {
        if self.format.fill_header {
            fill_header_lines(&mut self.header);
        }
        let headers = join_header_lines(&self.header);
        let mapping = Mapping::by_header(self.plan, &headers)?;
        for rule in &self.format.drop_rows {
            let field = headers
                .iter()
                .position(|header| header.trim() == rule.column)
                .ok_or_else(|| {
                    Refusal::new(
                        RefusalRule::Header,
                        format!(
                            "drop_rows looks at column `{}`, which the sheet lacks",
                            rule.column
                        ),
                    )
                })?;
            let expression = Regex::new(&rule.matches).map_err(|_| IntakeError::Contract {
                source_name: self.plan.source().to_owned(),
                message: "drop_rows is not a regular expression".to_owned(),
            })?;
            self.drop_rules.push(DropRule {
                field,
                expression,
                text: format!("`{}` matches `{}`", rule.column, rule.matches),
                dropped: 0,
            });
        }
        self.dates = vec![false; mapping.fields];
        for (column, source) in self.plan.columns.iter().zip(&mapping.sources) {
            let is_date = matches!(
                column.kind,
                ColumnType::Date | ColumnType::Month | ColumnType::Timestamp
            );
            match source {
                FieldSource::Field(field) if is_date => self.dates[*field] = true,
                FieldSource::WideField if is_date => {
                    for variant in &mapping.variants {
                        self.dates[variant.field] = true;
                    }
                }
                _ => {}
            }
        }
        self.mapping = Some(mapping);
        Ok(())
    }

    /// Copies the value of merged regions to their other cells. A row without a value of its own
    /// stays empty, however far a region reaches.
    fn fill_merged(&mut self, number: u32, row: &mut Vec<Value>) {
        self.open_regions.retain(|region| number <= region.last.0);
        while let Some(region) = self.regions.pop_if(|region| region.first.0 <= number) {
            // The first row of a region may have no cells, then the region is empty.
            if number <= region.last.0 {
                self.open_regions.push(region);
            }
        }
        if row.iter().all(Value::is_blank) {
            return;
        }
        let width = match &self.mapping {
            Some(mapping) => {
                mapping.fields + self.format.range.map_or(0, |range| range.first.1 as usize)
            }
            None => usize::MAX,
        };
        for region in &mut self.open_regions {
            let first = region.first.1 as usize;
            if number == region.first.0 {
                region.value = row.get(first).cloned().unwrap_or(Value::Empty);
            }
            let last = (region.last.1 as usize).min(width.saturating_sub(1));
            if region.value == Value::Empty || last < first {
                continue;
            }
            if row.len() <= last {
                row.resize(last + 1, Value::Empty);
            }
            for cell in &mut row[first..=last] {
                if *cell == Value::Empty {
                    cell.clone_from(&region.value);
                }
            }
        }
    }

    fn push(
        &mut self,
        mut row: Vec<Value>,
        batches: &mut Batches<'_, '_>,
    ) -> Result<(), IntakeError> {
        let Some(mapping) = &self.mapping else {
            return Ok(());
        };
        if row.iter().all(Value::is_blank) {
            return Ok(());
        }
        for rule in &mut self.drop_rules {
            let text = row.get(rule.field).map(Value::text).unwrap_or_default();
            if rule.expression.is_match(text.trim()) {
                rule.dropped += 1;
                return Ok(());
            }
        }
        if self.format.serial_dates {
            for (value, is_date) in row.iter_mut().zip(&self.dates) {
                if let (Value::Number(number), true) = (&*value, is_date) {
                    *value = day_of_serial(*number, self.is_1904);
                }
            }
        }
        let beyond = row
            .iter()
            .skip(mapping.fields)
            .any(|value| *value != Value::Empty);
        for value in &mut row {
            if let Value::Number(number) = value {
                *value = Value::Text(number_text(*number));
            }
        }
        let field = |index: usize| match row.get(index) {
            None | Some(Value::Empty | Value::Number(_)) => Cell::Missing,
            Some(Value::Text(text)) => Cell::Raw(text.as_bytes()),
            Some(Value::Broken(rule, text)) => Cell::Broken(rule, text.as_bytes()),
        };
        batches.push(|builder, number| {
            let variants: Vec<_> = if mapping.variants.is_empty() {
                vec![None]
            } else {
                mapping.variants.iter().map(Some).collect()
            };
            for variant in variants {
                if builder.is_overfull() {
                    return;
                }
                let cell = |column: usize| mapping.cell(column, variant, field);
                if beyond {
                    let shown = "cells behind the last header".to_owned();
                    builder.push_broken(number, "field_count", Some(shown), None, cell);
                } else {
                    builder.push(number, cell);
                }
            }
        })
    }
}

/// The day of a serial number. The calendar of 1900 counts a 29 February that never was; its
/// number is no day.
fn day_of_serial(serial: f64, is_1904: bool) -> Value {
    const LAST: f64 = 2_958_466.0;
    const PHANTOM_DAY: i64 = 60;
    let broken = || Value::Broken("serial_date", number_text(serial));
    if !(0.0..LAST).contains(&serial) {
        return broken();
    }
    let days = serial.floor() as i64;
    let seconds = ((serial - serial.floor()) * 86_400.0).round() as i64;
    let epoch = if is_1904 {
        NaiveDate::from_ymd_opt(1904, 1, 1)
    } else if days == PHANTOM_DAY || days == 0 {
        return broken();
    } else if days < PHANTOM_DAY {
        NaiveDate::from_ymd_opt(1899, 12, 31)
    } else {
        NaiveDate::from_ymd_opt(1899, 12, 30)
    };
    let moment = epoch
        .and_then(|epoch| epoch.and_hms_opt(0, 0, 0))
        .and_then(|start| start.checked_add_signed(Duration::days(days)))
        .and_then(|day| day.checked_add_signed(Duration::seconds(seconds)));
    match moment {
        None => broken(),
        Some(moment) if seconds == 0 => Value::Text(moment.format("%Y-%m-%d").to_string()),
        Some(moment) => Value::Text(moment.format("%Y-%m-%d %H:%M:%S").to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1.0, false, "1900-01-01")]
    #[case(59.0, false, "1900-02-28")]
    #[case(61.0, false, "1900-03-01")]
    #[case(45351.0, false, "2024-02-29")]
    #[case(45351.5, false, "2024-02-29 12:00:00")]
    #[case(0.0, true, "1904-01-01")]
    #[case(43889.0, true, "2024-02-29")]
    fn serial_numbers_are_days(#[case] serial: f64, #[case] is_1904: bool, #[case] day: &str) {
        assert_eq!(day_of_serial(serial, is_1904), Value::Text(day.to_owned()));
    }

    #[rstest]
    #[case(60.0)]
    #[case(0.0)]
    #[case(-1.0)]
    #[case(1e9)]
    #[case(f64::NAN)]
    fn numbers_of_no_day_are_broken(#[case] serial: f64) {
        assert!(matches!(
            day_of_serial(serial, false),
            Value::Broken("serial_date", _)
        ));
    }
}
