//! What tests found, kept as tables: `ops.test_results` and `ops.test_failures`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::MemoryCatalogProvider;
use goyong_store::{CommitDetails, CommitMode, WriteOptions};
use goyong_types::TableName;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::masking::Masks;
use crate::memo::Fingerprint;
use crate::provider::SnapshotTable;
use crate::report::TestResult;
use crate::tables::TableCache;

/// Failing rows kept of one test.
pub(crate) const KEPT_ROWS: usize = 50;

/// One row of `ops.test_results`, with the failing rows kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestRecord {
    pub subject: String,
    pub test: String,
    pub kind: String,
    pub is_warning: bool,
    pub result: TestResult,
    pub failing_rows: u64,
    /// Digest of the test and of everything it looked at.
    pub fingerprint: String,
    /// The message of a test that could not run.
    pub message: String,
    /// Failing rows as JSON objects, masked.
    pub rows: Vec<String>,
}

impl TestRecord {
    pub fn passed(subject: &str, test: impl ToString, kind: &str, fingerprint: String) -> Self {
        Self {
            subject: subject.to_owned(),
            test: test.to_string(),
            kind: kind.to_owned(),
            is_warning: false,
            result: TestResult::Pass,
            failing_rows: 0,
            fingerprint,
            message: String::new(),
            rows: Vec::new(),
        }
    }
}

type ResultRow = (
    String,
    String,
    String,
    String,
    String,
    i64,
    i32,
    String,
    String,
);
type FailureRow = (String, String, i32, i64, i64, String);

/// Replaces what is known of the subjects that were tested, forgets subjects the project does not
/// have any more, and commits nothing when nothing is different.
pub(crate) async fn keep(
    inner: &Inner,
    cache: &TableCache,
    as_of: NaiveDate,
    records: &[TestRecord],
) -> Result<()> {
    let project = &inner.project;
    let mut subjects: BTreeSet<String> = project.models().keys().map(ToString::to_string).collect();
    subjects.extend(project.checks().keys().cloned());
    let tested: BTreeSet<&str> = records
        .iter()
        .map(|record| record.subject.as_str())
        .collect();
    let stays = |subject: &str| subjects.contains(subject) && !tested.contains(subject);

    let results = table("test_results")?;
    let digest = digest_of(records);
    let version = cache
        .get(&results)
        .await?
        .snapshot
        .as_ref()
        .map(|found| found.version);
    let kept = inner.warehouse.memo_get(MEMO.0, MEMO.1).await?;
    if version.is_some() && kept.as_deref() == Some(at_version(&digest, version).as_str()) {
        return Ok(());
    }
    let before: BTreeMap<(String, String), ResultRow> = read(inner, cache, &results)
        .await?
        .iter()
        .flat_map(result_rows)
        .map(|row| ((row.0.clone(), row.1.clone()), row))
        .collect();
    let day = days(as_of);
    let mut after: BTreeMap<(String, String), ResultRow> = before
        .iter()
        .filter(|((subject, _), _)| stays(subject))
        .map(|(key, row)| (key.clone(), row.clone()))
        .collect();
    let mut failures: Vec<FailureRow> = Vec::new();
    for record in records {
        let key = (record.subject.clone(), record.test.clone());
        let severity = if record.is_warning { "warn" } else { "error" };
        let mut row: ResultRow = (
            record.subject.clone(),
            record.test.clone(),
            record.kind.clone(),
            severity.to_owned(),
            record.result.word().to_owned(),
            i64::try_from(record.failing_rows).unwrap_or(i64::MAX),
            day,
            record.fingerprint.clone(),
            record.message.clone(),
        );
        // The day is when the result was found, not when it was found again.
        if let Some(earlier) = before.get(&key) {
            let found = row.6;
            row.6 = earlier.6;
            if row != *earlier {
                row.6 = found;
            }
        }
        for (position, json) in record.rows.iter().enumerate() {
            failures.push((
                record.subject.clone(),
                record.test.clone(),
                row.6,
                position as i64 + 1,
                row.5,
                json.clone(),
            ));
        }
        after.insert(key, row);
    }
    if after != before {
        write(inner, cache, &results, results_batch(after.into_values())?).await?;
    }

    let kept = table("test_failures")?;
    let before: Vec<FailureRow> = read(inner, cache, &kept)
        .await?
        .iter()
        .flat_map(failure_rows)
        .collect();
    failures.extend(before.iter().filter(|row| stays(&row.0)).cloned());
    failures.sort();
    let mut sorted = before.clone();
    sorted.sort();
    if failures != sorted || cache.get(&kept).await?.snapshot.is_none() {
        write(inner, cache, &kept, failures_batch(failures)?).await?;
    }
    let version = cache
        .get(&results)
        .await?
        .snapshot
        .as_ref()
        .map(|found| found.version);
    let text = at_version(&digest, version);
    inner.warehouse.memo_put(MEMO.0, MEMO.1, &text).await?;
    Ok(())
}

/// Scope and key of what the tables were last written from.
const MEMO: (&str, &str) = ("engine.tests", "last");

fn at_version(digest: &str, version: Option<i64>) -> String {
    format!("{digest} {}", version.unwrap_or(-1))
}

fn digest_of(records: &[TestRecord]) -> String {
    let mut digest = Fingerprint::new();
    for record in records {
        digest.add(&record.subject, &record.test);
        digest.add(record.result.word(), &record.fingerprint);
        digest.add(&record.message, &record.rows.join("\n"));
        digest.add(
            &record.is_warning.to_string(),
            &record.failing_rows.to_string(),
        );
    }
    digest.finish()
}

/// Rows as JSON objects, values of masked columns left out of sight.
pub(crate) fn json_rows(rows: &RecordBatch, masks: &Masks) -> Vec<String> {
    let schema = rows.schema();
    let described = (0..rows.num_rows()).map(|row| {
        let values = schema.fields().iter().zip(rows.columns());
        let object: serde_json::Map<String, serde_json::Value> = values
            .map(|(field, column)| {
                let masked = masks.is_masked(field.name());
                (field.name().clone(), json_value(column, row, masked))
            })
            .collect();
        serde_json::Value::Object(object).to_string()
    });
    described.collect()
}

fn json_value(column: &ArrayRef, row: usize, masked: bool) -> serde_json::Value {
    if column.is_null(row) {
        return serde_json::Value::Null;
    }
    if masked {
        return "[masked]".into();
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        _ => match ArrayFormatter::try_new(column, &FormatOptions::default()) {
            Ok(formatter) => formatter.value(row).to_string().into(),
            Err(_) => "?".into(),
        },
    }
}

fn table(name: &str) -> Result<TableName> {
    TableName::new("ops", name).map_err(|error| EngineError::Plan(error.to_string()))
}

fn days(day: NaiveDate) -> i32 {
    i32::try_from((day - NaiveDate::default()).num_days()).unwrap_or_default()
}

async fn read(inner: &Inner, cache: &TableCache, table: &TableName) -> Result<Vec<RecordBatch>> {
    let known = cache.get(table).await?;
    let Some(snapshot) = &known.snapshot else {
        return Ok(Vec::new());
    };
    let failed = |error| EngineError::of(error, &table.to_string());
    let provider =
        SnapshotTable::new(snapshot, inner.warehouse.lake_base(), &[], |_| true).map_err(failed)?;
    let session = inner
        .factory
        .session(Arc::new(MemoryCatalogProvider::new()), false);
    session
        .read_table(Arc::new(provider))
        .map_err(failed)?
        .collect()
        .await
        .map_err(failed)
}

async fn write(
    inner: &Inner,
    cache: &TableCache,
    table: &TableName,
    rows: RecordBatch,
) -> Result<()> {
    let description = match table.table() {
        "test_results" => "the last result of every test and check",
        _ => "rows that failed a test when it last ran, a few of each, personal columns masked",
    };
    let options = WriteOptions {
        description: Some(description.to_owned()),
        ..WriteOptions::default()
    };
    let mut writer = inner
        .warehouse
        .writer(table, rows.schema(), options)
        .await?;
    writer.write(None, &rows)?;
    let details = CommitDetails {
        operation: "test".into(),
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::ReplaceAll, details).await?;
    cache.reload(table).await?;
    Ok(())
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields: Vec<Field> = fields
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn results_batch(rows: impl Iterator<Item = ResultRow>) -> Result<RecordBatch> {
    let rows: Vec<ResultRow> = rows.collect();
    let text = |of: fn(&ResultRow) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let schema = schema(&[
        ("subject", DataType::Utf8),
        ("test", DataType::Utf8),
        ("kind", DataType::Utf8),
        ("severity", DataType::Utf8),
        ("result", DataType::Utf8),
        ("failing_rows", DataType::Int64),
        ("as_of", DataType::Date32),
        ("fingerprint", DataType::Utf8),
        ("message", DataType::Utf8),
    ]);
    let columns: Vec<ArrayRef> = vec![
        text(|row| &row.0),
        text(|row| &row.1),
        text(|row| &row.2),
        text(|row| &row.3),
        text(|row| &row.4),
        Arc::new(rows.iter().map(|row| Some(row.5)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.6)).collect::<Date32Array>()),
        text(|row| &row.7),
        text(|row| &row.8),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn failures_batch(rows: Vec<FailureRow>) -> Result<RecordBatch> {
    let text = |of: fn(&FailureRow) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let schema = schema(&[
        ("subject", DataType::Utf8),
        ("test", DataType::Utf8),
        ("as_of", DataType::Date32),
        ("row_number", DataType::Int64),
        ("failing_rows", DataType::Int64),
        ("failing_row", DataType::Utf8),
    ]);
    let columns: Vec<ArrayRef> = vec![
        text(|row| &row.0),
        text(|row| &row.1),
        Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.4)).collect::<Int64Array>()),
        text(|row| &row.5),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Rows as they were written; a table of another shape counts as empty and is replaced.
fn result_rows(batch: &RecordBatch) -> Vec<ResultRow> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>().cloned();
    let read = || {
        let texts = [
            "subject",
            "test",
            "kind",
            "severity",
            "result",
            "fingerprint",
            "message",
        ]
        .map(text)
        .into_iter()
        .collect::<Option<Vec<StringArray>>>()?;
        let failing = batch
            .column_by_name("failing_rows")?
            .as_primitive_opt::<Int64Type>()?;
        let as_of = batch
            .column_by_name("as_of")?
            .as_primitive_opt::<Date32Type>()?;
        let rows = (0..batch.num_rows()).map(|row| {
            let text = |column: usize| texts[column].value(row).to_owned();
            (
                text(0),
                text(1),
                text(2),
                text(3),
                text(4),
                failing.value(row),
                as_of.value(row),
                text(5),
                text(6),
            )
        });
        Some(rows.collect())
    };
    read().unwrap_or_default()
}

fn failure_rows(batch: &RecordBatch) -> Vec<FailureRow> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>().cloned();
    let number = |name: &str| {
        batch
            .column_by_name(name)?
            .as_primitive_opt::<Int64Type>()
            .cloned()
    };
    let read = || {
        let (subject, test, json) = (text("subject")?, text("test")?, text("failing_row")?);
        let (position, failing) = (number("row_number")?, number("failing_rows")?);
        let as_of = batch
            .column_by_name("as_of")?
            .as_primitive_opt::<Date32Type>()?;
        let rows = (0..batch.num_rows()).map(|row| {
            (
                subject.value(row).to_owned(),
                test.value(row).to_owned(),
                as_of.value(row),
                position.value(row),
                failing.value(row),
                json.value(row).to_owned(),
            )
        });
        Some(rows.collect())
    };
    read().unwrap_or_default()
}
