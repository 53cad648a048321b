//! CSV, XLSX and JSON beside every table.

use chrono::{Datelike, NaiveDate};
use goyong_disclosure::{Cell, CellValue};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};
use serde_json::{Map, Value, json};

use crate::analyse::{Report, Table};
use crate::definition::Unit;
use crate::dictionary::member_text;
use crate::language::Language;
use crate::number::{NOT_AVAILABLE_PLAIN, SUPPRESSED, month_text};

/// UTF-8 with a byte order mark (spreadsheets then read Korean), CRLF, quoted where needed, and no text that a
/// spreadsheet would run as a formula. Headings are the column names, values are unrounded.
pub(crate) fn csv(table: &Table) -> Vec<u8> {
    let mut text = String::from("\u{feff}");
    let names: Vec<String> = table
        .safe
        .columns()
        .iter()
        .map(|name| csv_text(name))
        .collect();
    text.push_str(&names.join(","));
    text.push_str("\r\n");
    for row in table.safe.rows() {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(index, cell)| match cell {
                Cell::Zero => "0".to_owned(),
                Cell::Suppressed => SUPPRESSED.to_owned(),
                Cell::NotAvailable => NOT_AVAILABLE_PLAIN.to_owned(),
                Cell::Value(CellValue::Text(value)) => csv_text(value),
                Cell::Value(value) if table.formats[index].unit == Unit::Month => month_text(value),
                Cell::Value(value) => value.to_plain_text(),
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn csv_text(text: &str) -> String {
    let dangerous = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let neutral = if dangerous {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if neutral.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", neutral.replace('"', "\"\""))
    } else {
        neutral
    }
}

/// The table and its description for programs. Marks stand apart from the values, which are null there.
pub(crate) fn json(report: &Report, table: &Table) -> Vec<u8> {
    let columns: Vec<Value> = table
        .safe
        .columns()
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let text = |language| column_label(table, name, language);
            json!({
                "name": name,
                "ko": text(Language::Ko),
                "en": text(Language::En),
                "unit": table.formats[index].unit,
                "dimension": table.definition.dimensions.contains(name),
            })
        })
        .collect();
    let mut marks: Vec<Value> = Vec::new();
    let rows: Vec<Value> = table
        .safe
        .rows()
        .iter()
        .enumerate()
        .map(|(row_index, row)| {
            let mut object = Map::new();
            for (index, (name, cell)) in table.safe.columns().iter().zip(row).enumerate() {
                let mark = match cell {
                    Cell::Suppressed => Some("suppressed"),
                    Cell::NotAvailable => Some("not_available"),
                    _ => None,
                };
                if let Some(mark) = mark {
                    marks.push(json!({"row": row_index, "column": name, "mark": mark}));
                }
                let value = match cell {
                    Cell::Value(value) if table.formats[index].unit == Unit::Month => {
                        month_text(value).into()
                    }
                    cell => json_value(cell),
                };
                object.insert(name.clone(), value);
            }
            Value::Object(object)
        })
        .collect();
    let document = json!({
        "report": report.definition.slug,
        "table": table.definition.name,
        "period": report.edition,
        "title": table.definition.title,
        "columns": columns,
        "rows": rows,
        "marks": marks,
    });
    let mut text = document.to_string();
    text.push('\n');
    text.into_bytes()
}

fn json_value(cell: &Cell) -> Value {
    match cell {
        Cell::Zero => json!(0),
        Cell::Suppressed | Cell::NotAvailable => Value::Null,
        Cell::Value(CellValue::Integer(value)) => json!(value),
        Cell::Value(CellValue::Float(value)) => json!(value),
        Cell::Value(CellValue::Decimal { unscaled, scale: 0 }) => match i64::try_from(*unscaled) {
            Ok(value) => json!(value),
            Err(_) => json!(unscaled.to_string()),
        },
        // Exact digits: a reader decides whether binary floating point is good enough.
        Cell::Value(value) => json!(value.to_plain_text()),
    }
}

/// A workbook with the table on its first sheet and its notes, as a table too, on the second. The document's dates are
/// the day of the data, so that the same table gives the same bytes.
pub(crate) fn xlsx(
    report: &Report,
    table: &Table,
    as_of: NaiveDate,
    notes: &[(&str, String, String)],
) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let created = ExcelDateTime::from_ymd(
        u16::try_from(as_of.year()).unwrap_or(2000),
        u8::try_from(as_of.month()).unwrap_or(1),
        u8::try_from(as_of.day()).unwrap_or(1),
    )?;
    let properties = DocProperties::new()
        .set_title(format!(
            "{} / {}",
            table.definition.title.ko, table.definition.title.en
        ))
        .set_subject(format!("{} {}", report.definition.slug, report.edition))
        .set_creation_datetime(&created);
    workbook.set_properties(&properties);
    let heading = Format::new().set_bold();
    let number = Format::new().set_num_format("#,##0");
    let fraction = Format::new().set_num_format("#,##0.000");

    let sheet = workbook.add_worksheet();
    sheet.set_name(sheet_name(&table.definition.name))?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, name) in (0u16..).zip(table.safe.columns()) {
        let label = format!(
            "{} / {}",
            column_label(table, name, Language::Ko),
            column_label(table, name, Language::En)
        );
        sheet.write_string_with_format(0, column, &label, &heading)?;
        sheet.set_column_width(column, label.chars().count().clamp(12, 40) as f64 * 1.2)?;
    }
    for (row, cells) in (1u32..).zip(table.safe.rows()) {
        for (index, (column, cell)) in (0u16..).zip(cells).enumerate() {
            let name = &table.safe.columns()[index];
            match cell {
                Cell::Zero => sheet.write_number_with_format(row, column, 0.0, &number)?,
                Cell::Suppressed => sheet.write_string(row, column, SUPPRESSED)?,
                Cell::NotAvailable => sheet.write_string(row, column, NOT_AVAILABLE_PLAIN)?,
                Cell::Value(value) => match (table.formats[index].unit, value, value.as_f64()) {
                    (Unit::Month, value, _) => {
                        sheet.write_string(row, column, month_text(value))?
                    }
                    (Unit::Text, value, _) => {
                        let text = value.to_plain_text();
                        sheet.write_string(
                            row,
                            column,
                            member_text(&table.definition, name, &text, Language::Ko),
                        )?
                    }
                    (Unit::Year, _, Some(year)) => sheet.write_number(row, column, year)?,
                    (_, CellValue::Float(_), Some(value)) => {
                        sheet.write_number_with_format(row, column, value, &fraction)?
                    }
                    (_, _, Some(value)) => {
                        sheet.write_number_with_format(row, column, value, &number)?
                    }
                    (_, value, None) => sheet.write_string(row, column, value.to_plain_text())?,
                },
            };
        }
    }

    let sheet = workbook.add_worksheet();
    sheet.set_name("notes")?;
    for (column, text) in (0u16..).zip(["item", "한국어", "English"]) {
        sheet.write_string_with_format(0, column, text, &heading)?;
        sheet.set_column_width(column, if column == 0 { 18.0 } else { 70.0 })?;
    }
    for (row, (item, korean, english)) in (1u32..).zip(notes) {
        for (column, text) in (0u16..).zip([*item, korean, english]) {
            sheet.write_string(row, column, text)?;
        }
    }
    workbook.save_to_buffer()
}

/// Excel allows 31 characters and no brackets or slashes; table names have none.
fn sheet_name(name: &str) -> String {
    name.chars().take(31).collect()
}

/// The heading of a column: its declared text, or its name.
pub(crate) fn column_label(table: &Table, name: &str, language: Language) -> String {
    let declared = table
        .definition
        .columns
        .get(name)
        .map(|text| match language {
            Language::Ko => text.ko.clone(),
            Language::En => text.en.clone(),
        });
    let known = match (name, language) {
        ("month", Language::Ko) => Some("월"),
        ("month", Language::En) => Some("Month"),
        ("sido", Language::Ko) => Some("시도"),
        ("sido", Language::En) => Some("Region"),
        _ => None,
    };
    declared
        .or_else(|| known.map(str::to_owned))
        .unwrap_or_else(|| name.to_owned())
}
