//! `quarantine.<source>`: one row for each quarantined row, with what was decided about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use goyong_store::{CommitDetails, CommitMode, Warehouse, WriteOptions};

use crate::error::IntakeError;
use crate::ledger::day;
use crate::rows::QuarantinedRow;
use crate::staging::{repeated, row_numbers};
use crate::store_access::{read_rows, store_error, table};
use crate::value;

/// What was decided about a quarantined row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowState {
    /// Nothing yet.
    Open,
    /// It is in the staging table.
    Released,
    /// It is rejected for good.
    Discarded,
}

impl RowState {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Released => "released",
            Self::Discarded => "discarded",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Released, Self::Discarded]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A row of `quarantine.<source>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineEntry {
    /// The delivery it came in.
    pub delivery_id: String,
    /// Record in the file, from 1.
    pub row_number: u64,
    /// Column whose value breaks the rule; `None` when the record as a whole does.
    pub column: Option<String>,
    /// The rule.
    pub rule: String,
    /// The value, masked where it may identify a person.
    pub raw_value: Option<String>,
    /// Its won of the column that is reconciled; `None` when it cannot be read.
    pub won: Option<i128>,
    /// What was decided.
    pub state: RowState,
    /// The day of the decision.
    pub decided_on: Option<NaiveDate>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Its won as released, which a correction may have changed.
    pub won_released: Option<i128>,
}

/// A decision about one record of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub state: RowState,
    pub on: NaiveDate,
    pub by: String,
    pub reason: String,
    pub won_released: Option<i128>,
}

/// Schema of `quarantine.<source>`.
pub fn quarantine_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let won = |name: &str| Field::new(name, DataType::Decimal128(28, 0), true);
    Arc::new(Schema::new(vec![
        text("_delivery_id"),
        Field::new("_row_number", DataType::Int64, true),
        text("column"),
        text("rule"),
        text("raw_value"),
        won("won"),
        text("state"),
        Field::new("decided_on", DataType::Date32, true),
        text("decided_by"),
        text("reason"),
        won("won_released"),
    ]))
}

/// How the table is written and described.
pub(crate) fn quarantine_options(source: &str) -> WriteOptions {
    WriteOptions {
        description: Some(format!("rows of {source} that break a rule")),
        background: false,
        ..WriteOptions::default()
    }
}

/// Rows on their way into quarantine; `records_before` counts the records of earlier parts.
pub(crate) fn quarantine_batch(
    rows: &[QuarantinedRow],
    delivery_id: &str,
    records_before: u64,
) -> Result<RecordBatch, ArrowError> {
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let nothing = || text(vec![None; rows.len()]);
    let number = |row: &QuarantinedRow| records_before as i64 + 1 + i64::from(row.record);
    RecordBatch::try_new(
        quarantine_schema(),
        vec![
            repeated(delivery_id, rows.len())?,
            row_numbers(rows.iter().map(number)),
            text(
                rows.iter()
                    .map(|row| (!row.column.is_empty()).then_some(row.column.as_str()))
                    .collect(),
            ),
            text(rows.iter().map(|row| Some(row.rule)).collect()),
            text(rows.iter().map(|row| row.raw_value.as_deref()).collect()),
            won_array(rows.iter().map(|row| row.won))?,
            repeated(RowState::Open.as_str(), rows.len())?,
            Arc::new(PrimitiveArray::<Date32Type>::new_null(rows.len())),
            nothing(),
            nothing(),
            won_array(rows.iter().map(|_| None))?,
        ],
    )
}

fn won_array(values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef, ArrowError> {
    // A sum beyond 28 digits cannot be stored and counts as unreadable.
    let limit = 10i128.pow(28);
    let values = values.map(|value| value.filter(|value| value.abs() < limit));
    let array = PrimitiveArray::<Decimal128Type>::from_iter(values);
    Ok(Arc::new(array.with_precision_and_scale(28, 0)?))
}

fn entries_of(batch: &RecordBatch) -> Vec<QuarantineEntry> {
    (0..batch.num_rows())
        .filter_map(|row| {
            let column = |name: &str| {
                batch
                    .column_by_name(name)
                    .filter(|array| !array.is_null(row))
            };
            let text = |name: &str| {
                column(name).map(|array| array.as_string::<i32>().value(row).to_owned())
            };
            let won = |name: &str| {
                column(name).map(|array| array.as_primitive::<Decimal128Type>().value(row))
            };
            let number = column("_row_number")?
                .as_primitive::<Int64Type>()
                .value(row);
            Some(QuarantineEntry {
                delivery_id: text("_delivery_id")?,
                row_number: u64::try_from(number).ok()?,
                column: text("column"),
                rule: text("rule")?,
                raw_value: text("raw_value"),
                won: won("won"),
                state: RowState::parse(&text("state")?)?,
                decided_on: column("decided_on")
                    .and_then(|array| day(array.as_primitive::<Date32Type>().value(row))),
                decided_by: text("decided_by"),
                reason: text("reason"),
                won_released: won("won_released"),
            })
        })
        .collect()
}

fn batch_of(entries: &[QuarantineEntry]) -> Result<RecordBatch, ArrowError> {
    let text = |of: for<'a> fn(&'a QuarantineEntry) -> Option<&'a str>| -> ArrayRef {
        Arc::new(StringArray::from(
            entries.iter().map(of).collect::<Vec<Option<&str>>>(),
        ))
    };
    let days = entries
        .iter()
        .map(|entry| entry.decided_on.map(value::days_of));
    RecordBatch::try_new(
        quarantine_schema(),
        vec![
            text(|entry| Some(&entry.delivery_id)),
            row_numbers(entries.iter().map(|entry| entry.row_number as i64)),
            text(|entry| entry.column.as_deref()),
            text(|entry| Some(&entry.rule)),
            text(|entry| entry.raw_value.as_deref()),
            won_array(entries.iter().map(|entry| entry.won))?,
            text(|entry| Some(entry.state.as_str())),
            Arc::new(PrimitiveArray::<Date32Type>::from_iter(days)),
            text(|entry| entry.decided_by.as_deref()),
            text(|entry| entry.reason.as_deref()),
            won_array(entries.iter().map(|entry| entry.won_released))?,
        ],
    )
}

/// Hands the quarantined rows of a source to `each`, a part of the table at a time.
pub(crate) async fn for_each_entry(
    warehouse: &Warehouse,
    source: &str,
    mut each: impl FnMut(QuarantineEntry) -> Result<(), IntakeError>,
) -> Result<(), IntakeError> {
    let name = table("quarantine", source)?;
    read_rows(warehouse, &name, None, &[], |batch| {
        entries_of(&batch).into_iter().try_for_each(&mut each)
    })
    .await
}

/// The quarantined rows of one delivery, by row number.
pub(crate) async fn entries_of_delivery(
    warehouse: &Warehouse,
    source: &str,
    delivery_id: &str,
) -> Result<Vec<QuarantineEntry>, IntakeError> {
    let mut entries = Vec::new();
    for_each_entry(warehouse, source, |entry| {
        if entry.delivery_id == delivery_id {
            entries.push(entry);
        }
        Ok(())
    })
    .await?;
    entries.sort_by_key(|entry| entry.row_number);
    Ok(entries)
}

/// Writes decisions, by row number, on rows of a delivery that are still open. Repeating it
/// changes nothing.
pub(crate) async fn decide(
    warehouse: &Warehouse,
    source: &str,
    delivery_id: &str,
    decisions: &BTreeMap<u64, Decision>,
) -> Result<(), IntakeError> {
    if decisions.is_empty() {
        return Ok(());
    }
    let name = table("quarantine", source)?;
    let arrow = |error| IntakeError::Arrow {
        source_name: name.to_string(),
        source: error,
    };
    let mut writer = warehouse
        .writer(&name, quarantine_schema(), quarantine_options(source))
        .await
        .map_err(|error| store_error("open the quarantine table", error))?;
    let mut changed = 0u64;
    read_rows(warehouse, &name, None, &[], |batch| {
        let mut entries = entries_of(&batch);
        for entry in &mut entries {
            if entry.delivery_id != delivery_id || entry.state != RowState::Open {
                continue;
            }
            if let Some(decision) = decisions.get(&entry.row_number) {
                entry.state = decision.state;
                entry.decided_on = Some(decision.on);
                entry.decided_by = Some(decision.by.clone());
                entry.reason = Some(decision.reason.clone());
                entry.won_released = decision.won_released;
                changed += 1;
            }
        }
        let batch = batch_of(&entries).map_err(arrow)?;
        writer
            .write(None, &batch)
            .map_err(|error| store_error("write the quarantine table", error))
    })
    .await?;
    if changed == 0 {
        return Ok(());
    }
    let details = CommitDetails {
        operation: "decide on quarantined rows".to_owned(),
        metadata: serde_json::json!({"delivery_id": delivery_id, "rows": changed}),
        ..CommitDetails::default()
    };
    writer
        .commit(CommitMode::ReplaceAll, details)
        .await
        .map_err(|error| store_error("commit the quarantine table", error))?;
    Ok(())
}
