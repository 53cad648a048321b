//! What a template is given: texts in one language, made from safe tables only.

use goyong_disclosure::Cell;
use serde::Serialize;

use crate::analyse::{Headline, Report, Table};
use crate::catalog::{CatalogGraph, TestResult};
use crate::chart::{Bar, Chart, Series, bar_chart, calibration_chart, line_chart};
use crate::definition::{ChartDefinition, ChartKind, Unit};
use crate::dictionary::member_text;
use crate::download::column_label;
use crate::language::Language;
use crate::number::{ColumnFormat, NOT_AVAILABLE, SUPPRESSED, change, headline};
use crate::period::period_text;

/// A table on a page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TableView {
    pub id: String,
    pub title: String,
    pub note: Option<String>,
    pub caption: String,
    pub columns: Vec<ColumnView>,
    pub rows: Vec<Vec<CellView>>,
    pub downloads: Vec<DownloadView>,
    pub chart: Option<Chart>,
    /// Keys of the marks that occur: `suppressed`, `not_available`.
    pub marks: Vec<&'static str>,
    pub provenance: ProvenanceView,
}

/// A column's heading.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ColumnView {
    pub label: String,
    pub unit: &'static str,
    pub numeric: bool,
}

/// A cell as text.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CellView {
    pub text: String,
    /// `head`, `value`, `zero`, `suppressed` or `not_available`.
    pub kind: &'static str,
    pub numeric: bool,
}

/// A file beside a table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DownloadView {
    pub kind: &'static str,
    pub address: String,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProvenanceView {
    pub sql: String,
    pub reads: Vec<ReadView>,
    pub min_count: Option<u64>,
    pub cells: usize,
    pub suppressed: usize,
    pub public_reason: Option<String>,
}

/// A table that was read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReadView {
    pub name: String,
    /// Address of its catalogue page, when it has one.
    pub address: Option<String>,
    pub version: Option<i64>,
    pub content_hash: String,
    pub rows: String,
    pub tests: usize,
    pub passed: usize,
}

/// A figure at the head of a page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeadlineView {
    pub label: String,
    pub value: String,
    /// `value`, `zero`, `suppressed` or `not_available`.
    pub kind: &'static str,
    pub period: String,
    pub change: Option<String>,
    pub interval: Option<String>,
    /// Id of the table it stands in.
    pub table: String,
}

pub(crate) fn headline_view(headline: &Headline<'_>, language: Language) -> HeadlineView {
    let (value, kind) = match &headline.now {
        Cell::Value(value) => (
            crate::number::headline(value, headline.unit, language),
            "value",
        ),
        Cell::Zero => (
            crate::number::headline(
                &goyong_disclosure::CellValue::Integer(0),
                headline.unit,
                language,
            ),
            "zero",
        ),
        Cell::Suppressed => (SUPPRESSED.to_owned(), "suppressed"),
        Cell::NotAvailable => (NOT_AVAILABLE.to_owned(), "not_available"),
    };
    let now = match &headline.now {
        Cell::Value(value) => Some(value.clone()),
        Cell::Zero => Some(goyong_disclosure::CellValue::Integer(0)),
        _ => None,
    };
    let change = now
        .zip(headline.year_before.clone())
        .and_then(|(now, before)| change(&now, &before, headline.unit, language));
    let interval = headline.interval.as_ref().map(|(low, high)| {
        let text = |value| crate::number::headline(value, headline.unit, language);
        format!("{} – {}", text(low), text(high))
    });
    HeadlineView {
        label: headline.definition.label.get(language).to_owned(),
        value,
        kind,
        period: period_text(&headline.period, language),
        change,
        interval,
        table: headline.definition.table.clone(),
    }
}

/// A table with everything around it. `data` is the address of its downloads without the extension.
pub(crate) fn table_view(
    report: &Report,
    table: &Table,
    data: &str,
    catalog: &CatalogGraph<'_>,
    language: Language,
) -> TableView {
    let title = table.definition.title.get(language).to_owned();
    let shown: Vec<usize> = (0..table.safe.rows().len())
        .filter(|row| {
            !table.definition.latest_only
                || table.periods.is_empty()
                || table.period_of(*row).as_ref() == table.periods.last()
        })
        .collect();
    // A table of one period says so in its caption; the column would only repeat it.
    let columns: Vec<usize> = (0..table.safe.columns().len())
        .filter(|column| {
            !table.definition.latest_only
                || table.definition.period.as_ref() != Some(&table.safe.columns()[*column])
        })
        .collect();
    let mut marks = Vec::new();
    let rows = shown
        .iter()
        .map(|row| row_view(table, *row, &columns, language, &mut marks))
        .collect();
    marks.sort_unstable();
    marks.dedup();
    let written = |period: &String| period_text(period, language);
    let caption = match (table.periods.first(), table.periods.last()) {
        (_, Some(last)) if table.definition.latest_only => format!("{title}, {}", written(last)),
        (Some(first), Some(last)) if first != last => {
            format!("{title}, {} – {}", written(first), written(last))
        }
        (_, Some(last)) => format!("{title}, {}", written(last)),
        _ => title.clone(),
    };

    TableView {
        id: table.definition.name.clone(),
        note: table
            .definition
            .note
            .as_ref()
            .map(|note| note.get(language).to_owned()),
        caption,
        columns: columns
            .iter()
            .map(|column| {
                let (name, format) = (&table.safe.columns()[*column], table.formats[*column]);
                ColumnView {
                    label: column_label(table, name, language),
                    unit: format.unit_text(language),
                    numeric: is_numeric(format) && !table.definition.dimensions.contains(name),
                }
            })
            .collect(),
        rows,
        downloads: ["csv", "xlsx", "json"]
            .into_iter()
            .map(|kind| DownloadView {
                kind,
                address: format!("{data}.{kind}"),
            })
            .collect(),
        chart: table
            .definition
            .chart
            .as_ref()
            .and_then(|chart| chart_of(report, table, chart, &title, language)),
        marks,
        provenance: provenance(table, catalog, language),
        title,
    }
}

fn is_numeric(format: ColumnFormat) -> bool {
    !matches!(format.unit, Unit::Text | Unit::Month | Unit::Year)
}

fn row_view(
    table: &Table,
    row: usize,
    columns: &[usize],
    language: Language,
    marks: &mut Vec<&'static str>,
) -> Vec<CellView> {
    columns
        .iter()
        .map(|column| {
            let index = *column;
            let cell = &table.safe.rows()[row][index];
            let name = &table.safe.columns()[index];
            let is_dimension = table.definition.dimensions.contains(name);
            let numeric = is_numeric(table.formats[index]) && !is_dimension;
            let (text, kind) = match cell {
                Cell::Value(value) if is_dimension => {
                    let code = table.formats[index].text(value);
                    (
                        member_text(&table.definition, name, &code, language),
                        "head",
                    )
                }
                Cell::Value(value) => {
                    let text = table.formats[index].text(value);
                    (
                        member_text(&table.definition, name, &text, language),
                        "value",
                    )
                }
                Cell::Zero => ("0".to_owned(), if is_dimension { "head" } else { "zero" }),
                Cell::Suppressed => {
                    marks.push("suppressed");
                    (SUPPRESSED.to_owned(), "suppressed")
                }
                Cell::NotAvailable if is_dimension => (NOT_AVAILABLE.to_owned(), "head"),
                Cell::NotAvailable => {
                    marks.push("not_available");
                    (NOT_AVAILABLE.to_owned(), "not_available")
                }
            };
            CellView {
                text,
                kind,
                numeric,
            }
        })
        .collect()
}

fn provenance(table: &Table, catalog: &CatalogGraph<'_>, language: Language) -> ProvenanceView {
    let report = table.safe.report();
    let reads = table
        .reads
        .iter()
        .map(|name| match catalog.get(name) {
            Some(known) => ReadView {
                name: name.clone(),
                address: Some(format!(
                    "{}/catalog/{}/{}/index.html",
                    language.code(),
                    known.schema,
                    known.name
                )),
                version: known.stored.as_ref().map(|stored| stored.version),
                content_hash: known
                    .stored
                    .as_ref()
                    .map_or_else(String::new, |stored| stored.content_hash.clone()),
                rows: known.stored.as_ref().map_or_else(String::new, |stored| {
                    crate::number::grouped(i128::from(stored.rows))
                }),
                tests: known.tests.len(),
                passed: known
                    .tests
                    .iter()
                    .filter(|test| test.result == TestResult::Passed)
                    .count(),
            },
            None => ReadView {
                name: name.clone(),
                address: None,
                version: None,
                content_hash: String::new(),
                rows: String::new(),
                tests: 0,
                passed: 0,
            },
        })
        .collect();
    ProvenanceView {
        sql: table.sql.clone(),
        reads,
        min_count: report.min_count,
        cells: report.cells,
        suppressed: report.suppressed.len(),
        public_reason: table
            .definition
            .public
            .as_ref()
            .map(|reason| reason.get(language).to_owned()),
    }
}

fn chart_of(
    report: &Report,
    table: &Table,
    chart: &ChartDefinition,
    title: &str,
    language: Language,
) -> Option<Chart> {
    let id = format!("{}-{}", report.definition.slug, table.definition.name);
    let rows: Vec<usize> = (0..table.safe.rows().len())
        .filter(|row| table.matches(*row, &chart.filter))
        .collect();
    let unit = table.definition.unit(chart.series.first()?);
    match chart.kind {
        ChartKind::Line => {
            let mut periods: Vec<String> = rows
                .iter()
                .filter_map(|row| table.code(*row, &chart.x))
                .collect();
            periods.sort();
            periods.dedup();
            let series = match &chart.split_by {
                Some(dimension) => split_series(table, chart, dimension, &rows, &periods, language),
                None => chart
                    .series
                    .iter()
                    .map(|column| {
                        let name = column_label(table, column, language);
                        one_series(table, chart, column, name, &rows, &periods)
                    })
                    .collect(),
            };
            line_chart(id, title.to_owned(), &periods, &series, unit, language)
        }
        ChartKind::Bar => {
            let column = chart.series.first()?;
            let index = table.safe.column(column)?;
            let mut bars: Vec<Bar> = rows
                .iter()
                .filter(|row| {
                    table.periods.is_empty()
                        || table.period_of(**row).as_ref() == table.periods.last()
                })
                .filter_map(|row| {
                    let cell = &table.safe.rows()[*row][index];
                    let code = table.code(*row, &chart.x)?;
                    Some(Bar {
                        label: member_text(&table.definition, &chart.x, &code, language),
                        value: cell.as_f64(),
                        text: match cell {
                            Cell::Value(value) => headline(value, unit, language),
                            Cell::Zero => "0".to_owned(),
                            Cell::Suppressed => SUPPRESSED.to_owned(),
                            Cell::NotAvailable => NOT_AVAILABLE.to_owned(),
                        },
                        interval: interval_of(table, chart, *row),
                    })
                })
                .collect();
            if let Some(largest) = chart.largest {
                bars.sort_by(|left, right| {
                    let value = |bar: &Bar| bar.value.unwrap_or(-1.0);
                    value(right)
                        .total_cmp(&value(left))
                        .then(left.label.cmp(&right.label))
                });
                bars.truncate(largest);
            }
            bar_chart(id, title.to_owned(), &bars, language)
        }
        ChartKind::Calibration => {
            let [predicted, observed] = [chart.series.first()?, chart.series.get(1)?];
            let (x, y) = (table.safe.column(predicted)?, table.safe.column(observed)?);
            let points: Vec<(f64, f64)> = rows
                .iter()
                .filter_map(|row| {
                    let cells = &table.safe.rows()[*row];
                    Some((cells[x].as_f64()?, cells[y].as_f64()?))
                })
                .collect();
            let axes = (
                column_label(table, predicted, language),
                column_label(table, observed, language),
            );
            calibration_chart(id, title.to_owned(), &points, axes, language)
        }
    }
}

fn interval_of(table: &Table, chart: &ChartDefinition, row: usize) -> Option<(f64, f64)> {
    let [low, high] = chart.interval.as_ref()?;
    let end = |name: &str| table.safe.rows()[row][table.safe.column(name)?].as_f64();
    Some((end(low)?, end(high)?))
}

fn one_series(
    table: &Table,
    chart: &ChartDefinition,
    column: &str,
    name: String,
    rows: &[usize],
    periods: &[String],
) -> Series {
    let row_at: Vec<Option<usize>> = periods
        .iter()
        .map(|period| {
            rows.iter()
                .copied()
                .find(|row| table.code(*row, &chart.x).as_ref() == Some(period))
        })
        .collect();
    let value = |row: usize| table.safe.rows()[row][table.safe.column(column)?].as_f64();
    Series {
        name,
        values: row_at.iter().map(|row| value((*row)?)).collect(),
        interval: row_at
            .iter()
            .map(|row| interval_of(table, chart, (*row)?))
            .collect(),
    }
}

/// One series for each member, in the order of the rows.
fn split_series(
    table: &Table,
    chart: &ChartDefinition,
    dimension: &str,
    rows: &[usize],
    periods: &[String],
    language: Language,
) -> Vec<Series> {
    let mut members: Vec<(String, Vec<usize>)> = Vec::new();
    for row in rows {
        let Some(code) = table.code(*row, dimension) else {
            continue;
        };
        match members.iter_mut().find(|(member, _)| *member == code) {
            Some((_, rows)) => rows.push(*row),
            None => members.push((code, vec![*row])),
        }
    }
    members
        .into_iter()
        .filter_map(|(code, rows)| {
            let name = member_text(&table.definition, dimension, &code, language);
            Some(one_series(
                table,
                chart,
                chart.series.first()?,
                name,
                &rows,
                periods,
            ))
        })
        .collect()
}
