//! Code tables from the project's CSV files.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_csv::ReaderBuilder;
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::{
    SortColumn, concat_batches, lexsort_to_indices, partition, take_record_batch,
};
use goyong_catalog::Seed;
use goyong_store::{CommitDetails, CommitMode, WriteOptions};
use goyong_types::TableName;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::memo::{Fingerprint, ModelMemo, PartitionMemo, WHOLE};
use crate::report::{ModelReport, Outcome};
use crate::tables::{TableCache, declared_schema};

/// The table a seed fills.
pub(crate) fn seed_table(seed: &Seed) -> Result<TableName> {
    TableName::new("seed", &seed.name).map_err(|error| wrong(seed, error.to_string()))
}

/// What a seed's table is made from.
pub(crate) fn seed_fingerprint(seed: &Seed) -> String {
    let mut fingerprint = Fingerprint::new().with("csv", &seed.csv);
    for column in &seed.header.columns {
        fingerprint.add(&column.name, &column.column_type);
        fingerprint.add("nullable", &column.nullable.to_string());
        fingerprint.add("domain", &column.domain.join("\n"));
    }
    fingerprint.add("key", &seed.header.key.join(","));
    fingerprint.finish()
}

/// Fills a seed's table where its file changed.
pub(crate) async fn build_seed(
    inner: &Inner,
    cache: &TableCache,
    seed: &Seed,
    full_refresh: bool,
) -> Result<ModelReport> {
    let table = seed_table(seed)?;
    let fingerprint = seed_fingerprint(seed);
    let known = cache.get(&table).await?;
    let is_fresh = known
        .memo
        .is_fresh(known.snapshot.as_ref(), WHOLE, &fingerprint);
    if is_fresh && !full_refresh {
        let mut report = ModelReport::new(&table, Outcome::Fresh, "the file is unchanged");
        report.partitions_fresh = 1;
        return Ok(report);
    }
    let rows = seed_rows(seed)?;
    let mut options = WriteOptions {
        description: Some(seed.header.description.en.clone()),
        ..WriteOptions::default()
    };
    for column in &seed.header.columns {
        if let Some(description) = &column.description {
            options
                .column_descriptions
                .insert(column.name.clone(), description.en.clone());
        }
        if !column.tags.is_empty() {
            options
                .column_tags
                .insert(column.name.clone(), column.tags.clone());
        }
    }
    let mut writer = inner
        .warehouse
        .writer(&table, rows.schema(), options)
        .await?;
    writer.write(None, &rows)?;
    let mut memo = ModelMemo::default();
    memo.partitions.insert(
        WHOLE.to_owned(),
        PartitionMemo {
            fingerprint: fingerprint.clone(),
            content_hash: writer.content_hash(None).to_string(),
            rows_tested: None,
            read: None,
        },
    );
    writer
        .commit(
            CommitMode::ReplaceAll,
            CommitDetails {
                operation: "seed".into(),
                application: Some((format!("seed/{fingerprint}"), 1)),
                fingerprints: [(None, fingerprint)].into(),
                ..CommitDetails::default()
            },
        )
        .await?;
    memo.write(&inner.warehouse, &table).await?;
    cache.reload(&table).await?;
    let mut report = ModelReport::new(&table, Outcome::Built, "the file changed");
    report.partitions_built = 1;
    report.rows_written = rows.num_rows() as u64;
    Ok(report)
}

/// A seed's rows, checked and sorted by its key.
pub(crate) fn seed_rows(seed: &Seed) -> Result<RecordBatch> {
    let columns = seed.header.columns.iter();
    let schema =
        declared_schema(columns.map(|column| (column.name.as_str(), column.column_type.as_str())))
            .map_err(|problem| wrong(seed, problem))?;
    let text = seed.csv.trim_start_matches('\u{feff}');
    let reader = ReaderBuilder::new(SchemaRef::clone(&schema))
        .with_header(true)
        .build(Cursor::new(text.as_bytes()))
        .map_err(|error| wrong(seed, error.to_string()))?;
    let batches = reader
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| wrong(seed, error.to_string()))?;
    let rows = concat_batches(&schema, &batches).map_err(|error| wrong(seed, error.to_string()))?;
    for (column, values) in seed.header.columns.iter().zip(rows.columns()) {
        if !column.nullable
            && let Some(row) = (0..values.len()).find(|row| values.is_null(*row))
        {
            // Line 1 is the header.
            return Err(wrong(
                seed,
                format!(
                    "line {}: `{}` is empty; say nullable: true if it may be",
                    row + 2,
                    column.name
                ),
            ));
        }
        if !column.domain.is_empty()
            && let Some(texts) = values.as_string_opt::<i32>()
            && let Some((row, value)) = texts.iter().enumerate().find_map(|(row, value)| {
                let value = value?;
                (!column.domain.iter().any(|allowed| allowed == value)).then_some((row, value))
            })
        {
            return Err(wrong(
                seed,
                format!("line {}: `{}` may not be `{value}`", row + 2, column.name),
            ));
        }
    }
    sorted_by_key(seed, rows)
}

fn sorted_by_key(seed: &Seed, rows: RecordBatch) -> Result<RecordBatch> {
    if seed.header.key.is_empty() || rows.num_rows() == 0 {
        return Ok(rows);
    }
    let failed = |error: arrow_schema::ArrowError| wrong(seed, error.to_string());
    let sort: Vec<SortColumn> = seed
        .header
        .key
        .iter()
        .filter_map(|key| rows.column_by_name(key))
        .map(|values| SortColumn {
            values: Arc::clone(values),
            options: None,
        })
        .collect();
    let order = lexsort_to_indices(&sort, None).map_err(failed)?;
    let rows = take_record_batch(&rows, &order).map_err(failed)?;
    let keys: Vec<_> = seed
        .header
        .key
        .iter()
        .filter_map(|key| rows.column_by_name(key).cloned())
        .collect();
    if partition(&keys).map_err(failed)?.len() < rows.num_rows() {
        return Err(wrong(
            seed,
            format!("the key {} is not unique", seed.header.key.join(", ")),
        ));
    }
    Ok(rows)
}

fn wrong(seed: &Seed, problem: String) -> EngineError {
    EngineError::Seed {
        file: seed.file.clone(),
        problem,
    }
}
