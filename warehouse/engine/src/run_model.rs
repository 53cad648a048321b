//! Computes the stale partitions of one model and commits them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ident, lit};
use goyong_catalog::Model;
use goyong_store::{CommitDetails, CommitMode, TableSnapshot, TableWriter, WriteOptions};
use goyong_types::Month;

use crate::column_contract::check_columns;
use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::memo::{ModelMemo, PartitionMemo, WHOLE, content_hash_of};
use crate::planning_errors::{Written, explain};
use crate::policy::{SENSITIVITY_TAGS, Tags};
use crate::session::queries_only;
use crate::sorted_rows::SortedRows;
use crate::storage::{SORT_OPTIONS, stored_schema};
use crate::tables::{KnownTable, TableCache};
use crate::targets::{Target, Targets};

/// What computing a model came to.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    pub partitions_built: usize,
    pub partitions_unchanged: usize,
    pub rows_written: u64,
    /// Partitions whose rows a cluster computed.
    pub on_cluster: usize,
}

/// How far it is.
pub(crate) type OnPartition<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Computes and commits; on return the cache holds the new version and the memo of it.
pub(crate) async fn run_model(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    targets: &Targets,
    full_refresh: bool,
    on_partition: OnPartition<'_>,
) -> Result<Computed> {
    let permit = inner.slots.acquire().await;
    let first = attempt(
        inner,
        cache,
        model,
        targets,
        full_refresh,
        false,
        on_partition,
    )
    .await;
    drop(permit);
    match first {
        Err(error) if error.is_memory() => {
            // Alone, with joins that spill: slower, and it finishes.
            tracing::info!(model = %model.table, "memory ran out, planning joins that spill");
            let _all = inner.slots.acquire_many(inner.slot_count).await;
            attempt(
                inner,
                cache,
                model,
                targets,
                full_refresh,
                true,
                on_partition,
            )
            .await
        }
        result => result,
    }
}

async fn attempt(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    targets: &Targets,
    full_refresh: bool,
    sort_merge: bool,
    on_partition: OnPartition<'_>,
) -> Result<Computed> {
    let known = cache.get(&model.table).await?;
    if let Some(probe) = targets.stale_probe(&known) {
        return write_empty(inner, cache, model, probe).await;
    }
    let mut stale: Vec<&Target> = if full_refresh {
        targets.targets.iter().collect()
    } else {
        targets.stale(&known)
    };
    let vanished = targets.vanished(&known);

    // The first partition's plan tells the columns.
    let mut prepared = match stale.first() {
        Some(target) => Some(prepare(inner, model, target, sort_merge).await?),
        None => None,
    };
    let mut replace_all = model.partition_column().is_none();
    let schema = match (&prepared, &known.snapshot) {
        (Some((schema, _)), Some(snapshot)) if !same_layout(model, schema, snapshot) => {
            // Columns changed: every month is computed again and the table replaced.
            replace_all = true;
            stale = targets.targets.iter().collect();
            let first = stale.first().copied();
            prepared = match first {
                Some(target) => Some(prepare(inner, model, target, sort_merge).await?),
                None => None,
            };
            prepared.as_ref().map(|(schema, _)| Arc::clone(schema))
        }
        (Some((schema, _)), _) => Some(Arc::clone(schema)),
        (None, Some(snapshot)) => Some(Arc::clone(&snapshot.schema)),
        (None, None) => None,
    };
    let Some(schema) = schema else {
        return Ok(Computed::default());
    };

    let mut writer = inner
        .warehouse
        .writer(
            &model.table,
            Arc::clone(&schema),
            write_options(model, inner.tags_of(&model.table).await),
        )
        .await?;
    let mut on_cluster = 0;
    for (position, target) in stale.iter().enumerate() {
        let (schema, rows) = match prepared.take() {
            Some(prepared) => prepared,
            None => prepare(inner, model, target, sort_merge).await?,
        };
        on_cluster += usize::from(rows.on_cluster());
        let partition = target.month.map(|_| target.key.as_str());
        let threads = inner.slot_count as usize;
        let written = rows.write(model, partition, &schema, threads, &mut writer);
        if let Err(error) = written.await {
            writer.abort();
            return Err(error);
        }
        on_partition(position + 1, stale.len());
    }
    let finished = finish(
        inner,
        cache,
        model,
        &known,
        writer,
        &stale,
        vanished,
        replace_all,
    );
    Ok(Computed {
        on_cluster,
        ..finished.await?
    })
}

/// Stores a table that has columns and no rows.
async fn write_empty(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    probe: &Target,
) -> Result<Computed> {
    let (schema, _) = prepare(inner, model, probe, false).await?;
    let writer = inner
        .warehouse
        .writer(
            &model.table,
            schema,
            write_options(model, inner.tags_of(&model.table).await),
        )
        .await?;
    let details = CommitDetails {
        operation: "build".into(),
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::ReplaceAll, details).await?;
    let memo = ModelMemo {
        probe: Some(probe.fingerprint.clone()),
        ..ModelMemo::default()
    };
    memo.write(&inner.warehouse, &model.table).await?;
    cache.reload(&model.table).await?;
    Ok(Computed::default())
}

/// Commits where rows changed, and remembers either way what they were computed from.
#[allow(clippy::too_many_arguments)]
async fn finish(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    known: &KnownTable,
    writer: TableWriter,
    stale: &[&Target],
    vanished: Vec<String>,
    replace_all: bool,
) -> Result<Computed> {
    // Asked before the commit takes the writer, and so that no borrow of it crosses an await.
    let hashes: BTreeMap<&str, String> = stale
        .iter()
        .map(|target| {
            let partition = target.month.map(|_| target.key.as_str());
            (
                target.key.as_str(),
                writer.content_hash(partition).to_string(),
            )
        })
        .collect();
    let hash_after = |key: &str| hashes.get(key).cloned().unwrap_or_default();
    let before = |key: &str| {
        known
            .snapshot
            .as_ref()
            .and_then(|snapshot| content_hash_of(snapshot, key))
    };
    let unchanged: BTreeSet<&str> = stale
        .iter()
        .map(|target| target.key.as_str())
        .filter(|key| before(key).is_some_and(|hash| hash == hash_after(key)))
        .collect();
    let columns_changed = replace_all && model.partition_column().is_some();
    let order_kept = known.sorted_by() == model.sort_by;
    let nothing_changed = unchanged.len() == stale.len()
        && vanished.is_empty()
        && known.snapshot.is_some()
        && order_kept
        && !columns_changed;

    let mut memo = if replace_all {
        ModelMemo {
            tests: known.memo.tests.clone(),
            ..ModelMemo::default()
        }
    } else {
        known.memo.clone()
    };
    for target in stale {
        let content_hash = hash_after(&target.key);
        let rows_tested = known
            .memo
            .partitions
            .get(&target.key)
            .filter(|earlier| earlier.content_hash == content_hash)
            .and_then(|earlier| earlier.rows_tested.clone());
        let partition = PartitionMemo {
            fingerprint: target.fingerprint.clone(),
            content_hash,
            rows_tested,
        };
        memo.partitions.insert(target.key.clone(), partition);
    }
    let computed = Computed {
        partitions_built: stale.len(),
        partitions_unchanged: unchanged.len(),
        rows_written: if nothing_changed {
            0
        } else {
            writer.rows_written()
        },
        on_cluster: 0,
    };

    if nothing_changed {
        writer.abort();
        memo.sorted = known.memo.sorted.clone();
    } else {
        for key in &vanished {
            memo.partitions.remove(key);
        }
        let as_partition = |key: &String| (key != WHOLE).then(|| key.clone());
        let written: BTreeMap<Option<String>, String> = stale
            .iter()
            .map(|target| (as_partition(&target.key), target.fingerprint.clone()))
            .collect();
        let mode = if replace_all {
            CommitMode::ReplaceAll
        } else {
            let all = written
                .keys()
                .cloned()
                .chain(vanished.iter().map(as_partition));
            CommitMode::ReplacePartitions(all.collect())
        };
        // Files of months that stay keep the order they were written in.
        let all_in_order = replace_all
            || known
                .snapshot
                .as_ref()
                .is_none_or(|snapshot| snapshot.files.is_empty() || order_kept);
        let receipt = writer
            .commit(
                mode,
                CommitDetails {
                    operation: "build".into(),
                    fingerprints: written,
                    ..CommitDetails::default()
                },
            )
            .await?;
        memo.sorted = all_in_order.then(|| (receipt.version, model.sort_by.clone()));
    }
    memo.write(&inner.warehouse, &model.table).await?;
    cache.reload(&model.table).await?;
    Ok(computed)
}

/// The stored columns of a target and its rows, sorted.
async fn prepare(
    inner: &Inner,
    model: &Model,
    target: &Target,
    sort_merge: bool,
) -> Result<(SchemaRef, SortedRows)> {
    let name = model.table.to_string();
    let failed = |error| EngineError::of(error, &name);
    let session = target
        .readable
        .session(
            &inner.factory,
            inner.warehouse.root(),
            target.month,
            None,
            sort_merge,
        )
        .await?;
    let written = Written {
        project: &inner.project,
        file: &model.file,
        body: &model.body,
        vars: &target.vars,
    };
    let planned = session.sql_with_options(&target.sql, queries_only());
    let rows = match planned.await {
        Ok(rows) => rows,
        Err(error) => return Err(explain(&session, &target.sql, written, error).await),
    };
    let schema = stored_schema(&model.table, rows.schema().as_arrow())?;
    check_columns(model, &schema)?;
    let rows = in_month(model, target.month, &schema, rows)?;
    let sort = model
        .sort_by
        .iter()
        .map(|column| {
            known_column(model, &schema, column)?;
            Ok(ident(column).sort(!SORT_OPTIONS.descending, SORT_OPTIONS.nulls_first))
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = rows.sort(sort).map_err(failed)?;
    match SortedRows::plan(rows).await {
        Ok(rows) => Ok((schema, rows)),
        Err(error) => Err(explain(&session, &target.sql, written, error).await),
    }
}

/// Only the rows of the month that is being computed.
pub(crate) fn in_month(
    model: &Model,
    month: Option<Month>,
    schema: &SchemaRef,
    rows: DataFrame,
) -> Result<DataFrame> {
    let (Some(month), Some(column)) = (month, model.partition_column()) else {
        return Ok(rows);
    };
    known_column(model, schema, column)?;
    let data_type = schema
        .field_with_name(column)
        .map(|field| field.data_type().clone());
    if !matches!(data_type, Ok(DataType::Date32)) {
        return Err(EngineError::Column {
            table: model.table.clone(),
            column: column.to_owned(),
            problem: "is the partition and must be a date: the first day of the month".into(),
        });
    }
    let first_day = ScalarValue::try_from_string(month.first_day().to_string(), &DataType::Date32)
        .map_err(|error| EngineError::of(error, "the month"))?;
    rows.filter(ident(column).eq(lit(first_day)))
        .map_err(|error| EngineError::of(error, &model.table.to_string()))
}

fn known_column(model: &Model, schema: &SchemaRef, column: &str) -> Result<()> {
    if schema.index_of(column).is_ok() {
        return Ok(());
    }
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let advice = goyong_types::nearest_name(column, names)
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default();
    Err(EngineError::Column {
        table: model.table.clone(),
        column: column.to_owned(),
        problem: format!(
            "is named in the header of {} but not selected{advice}",
            model.file
        ),
    })
}

fn write_options(model: &Model, tags: BTreeMap<String, Tags>) -> WriteOptions {
    let header = &model.header;
    let mut options = WriteOptions {
        partition_column: model.partition_column().map(str::to_owned),
        description: Some(header.description.en.clone()),
        ..WriteOptions::default()
    };
    if let Some(rows) = header.rows_per_file {
        options.rows_per_file = rows;
    }
    for (name, column) in &header.columns {
        if let Some(description) = &column.description {
            options
                .column_descriptions
                .insert(name.clone(), description.en.clone());
        }
        // Sensitivity is inherited; of what the header says only remarks are left.
        let mut remarks = column.tags.clone();
        remarks.extend(header.tags.iter().cloned());
        remarks.retain(|tag| !SENSITIVITY_TAGS.contains(&tag.as_str()));
        if !remarks.is_empty() {
            options.column_tags.insert(name.clone(), remarks);
        }
    }
    for (name, tags) in tags {
        options.column_tags.entry(name).or_default().extend(tags);
    }
    options
}

/// Whether rows of these columns can be put beside those that are stored.
fn same_layout(model: &Model, schema: &SchemaRef, snapshot: &TableSnapshot) -> bool {
    let columns = |schema: &SchemaRef| -> BTreeMap<String, DataType> {
        schema
            .fields()
            .iter()
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect()
    };
    columns(schema) == columns(&snapshot.schema)
        && snapshot.partition_column.as_deref() == model.partition_column()
}
