//! From rows to what a page says, before any language: safe tables, periods, headlines.

use chrono::NaiveDate;
use goyong_disclosure::{Cell, CellValue, RawTable, SafeTable, protect, publish_open_data};

use crate::definition::{Edition, HeadlineDefinition, ReportDefinition, TableDefinition, Unit};
use crate::inputs::{ReportInput, TableInput};
use crate::number::{ColumnFormat, month_text};
use crate::period::{month_of, year_before};
use crate::render::TableNotice;

/// A report whose tables have passed disclosure control.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub definition: ReportDefinition,
    pub tables: Vec<Table>,
    /// The period this edition is about.
    pub edition: String,
}

/// A safe table and how it is written.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub definition: TableDefinition,
    pub safe: SafeTable,
    pub formats: Vec<ColumnFormat>,
    /// Distinct periods, ascending; empty for tables without one.
    pub periods: Vec<String>,
    pub reads: Vec<String>,
    pub sql: String,
}

/// The figure of a headline in the latest period and a year before.
#[derive(Debug, Clone)]
pub(crate) struct Headline<'a> {
    pub definition: &'a HeadlineDefinition,
    pub unit: Unit,
    pub period: String,
    pub now: Cell,
    pub year_before: Option<CellValue>,
    pub interval: Option<(CellValue, CellValue)>,
}

impl Report {
    /// Passes every table through disclosure control. A table that is refused is left out and noted.
    pub(crate) fn from_input(
        input: ReportInput,
        as_of: NaiveDate,
        notices: &mut Vec<TableNotice>,
    ) -> Self {
        let ReportInput {
            definition,
            tables: answers,
        } = input;
        let mut tables = Vec::new();
        for table in &definition.tables {
            let Some(answer) = answers.iter().find(|answer| answer.name == table.name) else {
                continue;
            };
            // Nothing was asked, or nothing was delivered that could be asked about.
            let unknown = answer.rows.is_empty() && answer.columns.is_empty();
            if unknown || (answer.rows.is_empty() && table.hide_when_empty) {
                continue;
            }
            match Table::from_input(table.clone(), answer.clone()) {
                Ok(table) => tables.push(table),
                Err(reason) => notices.push(TableNotice {
                    report: definition.slug.clone(),
                    table: table.name.clone(),
                    reason,
                }),
            }
        }
        let latest = tables
            .iter()
            .filter_map(|table| table.periods.last())
            .max()
            .cloned();
        let edition = match definition.edition {
            Edition::LatestPeriod => latest.unwrap_or_else(|| month_of(as_of)),
            Edition::AsOf => month_of(as_of),
        };
        Self {
            definition,
            tables,
            edition,
        }
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.definition.name == name)
    }

    /// The figures the bulletin opens with.
    pub(crate) fn headlines(&self) -> Vec<Headline<'_>> {
        self.definition
            .headlines
            .iter()
            .filter_map(|headline| self.table(&headline.table)?.headline(headline))
            .collect()
    }
}

impl Table {
    fn from_input(definition: TableDefinition, input: TableInput) -> Result<Self, String> {
        let raw = RawTable {
            name: definition.name.clone(),
            columns: input.columns,
            rows: input.rows,
        };
        let safe = match definition.rules() {
            Some(rules) => protect(raw, &rules),
            None => publish_open_data(raw),
        }
        .map_err(|error| error.to_string())?;
        Ok(Self::from_safe(
            definition,
            safe,
            input.reads,
            input.compiled_sql,
        ))
    }

    pub(crate) fn from_safe(
        definition: TableDefinition,
        safe: SafeTable,
        reads: Vec<String>,
        sql: String,
    ) -> Self {
        let formats = safe
            .columns()
            .iter()
            .enumerate()
            .map(|(index, column)| {
                ColumnFormat::of(
                    definition.unit(column),
                    safe.rows().iter().map(|row| &row[index]),
                )
            })
            .collect();
        let mut table = Self {
            definition,
            safe,
            formats,
            periods: Vec::new(),
            reads,
            sql,
        };
        let mut periods: Vec<String> = (0..table.safe.rows().len())
            .filter_map(|row| table.period_of(row))
            .collect();
        periods.sort();
        periods.dedup();
        table.periods = periods;
        table
    }

    /// The period of a row.
    pub(crate) fn period_of(&self, row: usize) -> Option<String> {
        let column = self.safe.column(self.definition.period.as_deref()?)?;
        match &self.safe.rows()[row][column] {
            Cell::Value(value) => Some(month_text(value)),
            _ => None,
        }
    }

    /// The code in a dimension cell.
    pub(crate) fn code(&self, row: usize, column: &str) -> Option<String> {
        let index = self.safe.column(column)?;
        if self.definition.period.as_deref() == Some(column) {
            return self.period_of(row);
        }
        Some(self.safe.rows()[row][index].to_plain_text())
    }

    /// Whether a row has all these dimension values.
    pub(crate) fn matches(
        &self,
        row: usize,
        filter: &std::collections::BTreeMap<String, String>,
    ) -> bool {
        filter
            .iter()
            .all(|(column, wanted)| self.code(row, column).as_ref() == Some(wanted))
    }

    fn headline<'a>(&self, headline: &'a HeadlineDefinition) -> Option<Headline<'a>> {
        let column = self.safe.column(&headline.column)?;
        let rows: Vec<usize> = (0..self.safe.rows().len())
            .filter(|row| self.matches(*row, &headline.filter))
            .collect();
        let latest = match self.periods.last() {
            Some(period) => rows
                .iter()
                .copied()
                .find(|row| self.period_of(*row).as_ref() == Some(period))?,
            None => *rows.first()?,
        };
        let period = self.period_of(latest).unwrap_or_default();
        let year_before = year_before(&period)
            .and_then(|earlier| {
                rows.iter()
                    .copied()
                    .find(|row| self.period_of(*row).as_ref() == Some(&earlier))
            })
            .and_then(|row| number(&self.safe.rows()[row][column]));
        let interval = headline.interval.as_ref().and_then(|[low, high]| {
            let end = |name: &str| number(&self.safe.rows()[latest][self.safe.column(name)?]);
            Some((end(low)?, end(high)?))
        });
        Some(Headline {
            definition: headline,
            unit: self.definition.unit(&headline.column),
            period,
            now: self.safe.rows()[latest][column].clone(),
            year_before,
            interval,
        })
    }
}

fn number(cell: &Cell) -> Option<CellValue> {
    match cell {
        Cell::Value(value) => Some(value.clone()),
        Cell::Zero => Some(CellValue::Integer(0)),
        Cell::Suppressed | Cell::NotAvailable => None,
    }
}
