//! Computes the stale partitions of one model and commits them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use goyong_catalog::Model;
use goyong_store::{
    CommitDetails, CommitMode, ContentHash, Merge, TableSnapshot, TableWriter, WriteOptions,
};
use goyong_types::{Month, TableName};

use crate::column_contract::check_columns;
use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::history::{check_day, with_history};
use crate::inputs::OnlyKeys;
use crate::keyed::{Keyed, Touched, stored_order};
use crate::memo::{ModelMemo, PartitionMemo, WHOLE};
use crate::planning;
use crate::planning_errors::{self, explain};
use crate::policy::{SENSITIVITY_TAGS, Tags};
use crate::resume;
use crate::sorted_rows::SortedRows;
use crate::storage::stored_schema;
use crate::tables::{KnownTable, TableCache};
use crate::targets::{Scope, Target, Targets};

/// Months committed together. Fewer would be more commits, more would be more to compute again
/// after a crash.
const MONTHS_PER_COMMIT: usize = 6;

/// What computing a model came to.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    pub partitions_built: usize,
    pub partitions_unchanged: usize,
    pub rows_written: u64,
    /// Partitions whose rows a cluster computed.
    pub on_cluster: usize,
    /// Keys computed again where not all were, summed over the months.
    pub keys_touched: u64,
    /// The inputs that touched them.
    pub touched_by: BTreeSet<TableName>,
    /// Why a model with a key was computed as a whole.
    pub whole_because: Option<String>,
}

impl Computed {
    fn add(&mut self, other: Self) {
        self.partitions_built += other.partitions_built;
        self.partitions_unchanged += other.partitions_unchanged;
        self.rows_written += other.rows_written;
        self.on_cluster += other.on_cluster;
        self.keys_touched += other.keys_touched;
        self.touched_by.extend(other.touched_by);
        self.whole_because = self.whole_because.take().or(other.whole_because);
    }
}

/// How far it is.
pub(crate) type OnPartition<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Computes and commits; on return the cache holds the new version and the memo of it. `sort_merge`
/// plans joins that spill.
pub(crate) async fn run_model(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    targets: &Targets,
    scope: &Scope,
    sort_merge: bool,
    on_partition: OnPartition<'_>,
) -> Result<Computed> {
    let known = cache.get(&model.table).await?;
    if let Some(probe) = targets.stale_probe(&known) {
        return write_empty(inner, cache, model, &known, probe, scope).await;
    }
    let mut stale = targets.to_compute(&known, scope);
    let vanished = targets.vanished(&known, scope);

    // The first partition's plan tells the columns, and whether keys stay apart. Where all its rows are computed for
    // certain it is planned to be run.
    let may_keep_keys = model.header.key.is_some() && !scope.forced;
    let mut ahead = Ahead::default();
    let first = match stale.first() {
        Some(target) if may_keep_keys => {
            Some(stored_columns(inner, model, &known, target, scope).await?)
        }
        Some(target) => {
            let rows = prepare(inner, model, &known, target, scope, sort_merge).await?;
            let schema = Arc::clone(&rows.schema);
            ahead.planned = Some((target.key.clone(), Ok(rows)));
            Some(schema)
        }
        None => None,
    };
    let keyed = match stale.first() {
        Some(target) => Keyed::of(inner, model, target).await?,
        None => None,
    };
    let mut replace_all = model.partition_column().is_none();
    let schema = match (first, &known.snapshot) {
        (Some(schema), Some(snapshot)) if !same_layout(model, &schema, snapshot) => {
            // Columns changed: every month is computed again and the table replaced.
            replace_all = true;
            stale = targets.targets.iter().collect();
            schema
        }
        (Some(schema), _) => schema,
        (None, Some(snapshot)) => Arc::clone(&snapshot.schema),
        (None, None) => return Ok(Computed::default()),
    };
    let run = Run {
        inner,
        cache,
        model,
        scope,
        keyed: keyed.filter(|_| !scope.forced),
        sort_merge,
        schema,
    };
    // What one commit replaces as a whole is one commit; months are committed in groups, so that a
    // build that dies late loses the last group and no more.
    let per_commit = if replace_all {
        usize::MAX
    } else {
        MONTHS_PER_COMMIT
    };
    let mut groups: Vec<&[&Target]> = stale.chunks(per_commit.min(stale.len().max(1))).collect();
    if groups.is_empty() {
        groups.push(&[]);
    }
    let last = groups.len() - 1;
    let mut computed = Computed::default();
    for (position, group) in groups.into_iter().enumerate() {
        let done = computed.partitions_built;
        let of = stale.len();
        let gone: &[String] = if position == last { &vanished } else { &[] };
        let on_target = |in_group: usize| on_partition(done + in_group, of);
        let group = run.group(group, gone, replace_all, &mut ahead, &on_target);
        computed.add(group.await?);
    }
    Ok(computed)
}

/// What all partitions of one model share while they are computed.
struct Run<'a> {
    inner: &'a Inner,
    cache: &'a TableCache,
    model: &'a Model,
    scope: &'a Scope,
    /// Where only touched keys may be computed.
    keyed: Option<Keyed<'a>>,
    sort_merge: bool,
    schema: SchemaRef,
}

/// A target's stored columns and its rows, sorted, that nobody has begun to compute.
struct Ready {
    schema: SchemaRef,
    rows: SortedRows,
}

/// What was planned before its turn: planning takes one core, and of a small month longer than computing it.
#[derive(Default)]
struct Ahead {
    planned: Option<(String, Result<Ready>)>,
}

impl Ahead {
    /// The plan of a target, where it is the one that was planned.
    fn take(&mut self, target: &Target) -> Option<Result<Ready>> {
        let (key, ready) = self.planned.take()?;
        (key == target.key).then_some(ready)
    }
}

/// How a target's rows came to be in the table.
#[derive(Debug)]
enum Stored {
    /// All of them were computed and written.
    Whole,
    /// Those of some keys were merged into the stored files.
    Merged(Merge),
    /// No key was touched, or its rows came out as they were.
    Kept,
}

impl Run<'_> {
    /// Computes some targets and commits them together.
    async fn group(
        &self,
        group: &[&Target],
        vanished: &[String],
        replace_all: bool,
        ahead: &mut Ahead,
        on_target: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Computed> {
        let known = self.cache.get(&self.model.table).await?;
        let mut writer = self
            .inner
            .warehouse
            .writer(
                &self.model.table,
                Arc::clone(&self.schema),
                write_options(self.model, self.inner.tags_of(&self.model.table).await),
            )
            .await?;
        let mut written = Vec::with_capacity(group.len());
        let mut computed = Computed::default();
        for (position, target) in group.iter().enumerate() {
            let by_keys = self.some_keys(&known, target, replace_all, &mut writer, &mut computed);
            let stored = match by_keys.await {
                Ok(None) => {
                    let targets = &group[position..];
                    let whole = self.whole(&known, targets, ahead, &mut writer, &mut computed);
                    whole.await.map(|()| Stored::Whole)
                }
                Ok(Some(stored)) => Ok(stored),
                Err(error) => Err(error),
            };
            match stored {
                Ok(how) => written.push((*target, how)),
                Err(error) => {
                    writer.abort();
                    return Err(error);
                }
            }
            on_target(position + 1);
        }
        let only_merged = written
            .iter()
            .all(|(_, how)| matches!(how, Stored::Merged(_) | Stored::Kept));
        let replace_all = replace_all && (!only_merged || written.is_empty());
        let outcome = finish(self, &known, writer, &written, vanished, replace_all).await?;
        computed.add(outcome);
        Ok(computed)
    }

    /// Computes the rows of the keys that were touched; nothing where all rows have to be.
    async fn some_keys(
        &self,
        known: &KnownTable,
        target: &Target,
        replace_all: bool,
        writer: &mut TableWriter,
        computed: &mut Computed,
    ) -> Result<Option<Stored>> {
        let (inner, model) = (self.inner, self.model);
        let layout_kept = known
            .snapshot
            .as_ref()
            .filter(|snapshot| !replace_all || same_layout(model, &self.schema, snapshot));
        if let (Some(keyed), Some(snapshot)) = (&self.keyed, layout_kept) {
            match keyed.touched(known, target).await? {
                Touched::Keys(keys, _) if keys.is_empty() => return Ok(Some(Stored::Kept)),
                Touched::Keys(keys, by) => {
                    computed.keys_touched += keys.len() as u64;
                    computed.touched_by.extend(by);
                    let only = OnlyKeys {
                        keys: &keys,
                        columns: keyed.columns(),
                    };
                    let planned = planned(
                        inner,
                        model,
                        known,
                        target,
                        self.scope,
                        Some(&only),
                        self.sort_merge,
                    )
                    .await?;
                    let merged = keyed
                        .merge(
                            snapshot,
                            target,
                            &keys,
                            planned.rows,
                            &planned.schema,
                            writer,
                        )
                        .await?;
                    return Ok(Some(merged.map_or(Stored::Kept, Stored::Merged)));
                }
                Touched::Everything(why) => {
                    tracing::debug!(model = %model.table, partition = target.key, why, "all keys are computed");
                    computed.whole_because.get_or_insert(why);
                }
            }
        }
        Ok(None)
    }

    /// Computes all rows of the first of some targets, and plans the next one meanwhile.
    async fn whole(
        &self,
        known: &KnownTable,
        targets: &[&Target],
        ahead: &mut Ahead,
        writer: &mut TableWriter,
        computed: &mut Computed,
    ) -> Result<()> {
        let Some((target, following)) = targets.split_first() else {
            return Ok(());
        };
        let (inner, model) = (self.inner, self.model);
        let plan = |target| prepare(inner, model, known, target, self.scope, self.sort_merge);
        let Ready { schema, rows } = match ahead.take(target) {
            Some(ready) => ready?,
            None => plan(target).await?,
        };
        computed.on_cluster += usize::from(rows.on_cluster());
        let partition = target.month.map(|_| target.key.as_str());
        let threads = inner.slot_count as usize;
        let write = rows.write(model, partition, &schema, threads, writer);
        // Which rows of the next one are computed is not known yet where keys may stay.
        let next = following.first().filter(|_| self.keyed.is_none());
        let plan_next = async {
            match next {
                Some(next) => Some((next.key.clone(), plan(next).await)),
                None => None,
            }
        };
        let (read, planned) = tokio::join!(write, plan_next);
        ahead.planned = planned;
        inner.warehouse.count_rows_read(&model.table, read?);
        Ok(())
    }
}

/// Stores a table that has columns and no rows.
async fn write_empty(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    known: &KnownTable,
    probe: &Target,
    scope: &Scope,
) -> Result<Computed> {
    Keyed::of(inner, model, probe).await?;
    let Ready { schema, .. } = prepare(inner, model, known, probe, scope, false).await?;
    let writer = inner
        .warehouse
        .writer(
            &model.table,
            schema,
            write_options(model, inner.tags_of(&model.table).await),
        )
        .await?;
    let empty = [("", probe.fingerprint.as_str())];
    let details = CommitDetails {
        operation: "build".into(),
        application: Some(resume::transaction(
            resume::job_of(model),
            scope.as_of,
            empty,
            None,
        )),
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
async fn finish(
    run: &Run<'_>,
    known: &KnownTable,
    writer: TableWriter,
    written: &[(&Target, Stored)],
    vanished: &[String],
    replace_all: bool,
) -> Result<Computed> {
    let (inner, cache, model) = (run.inner, run.cache, run.model);
    let before = |key: &str| {
        let partition = (key != WHOLE).then(|| key.to_owned());
        let snapshot = known.snapshot.as_ref();
        snapshot
            .and_then(|snapshot| snapshot.partitions.get(&partition))
            .map(|state| state.content_hash)
    };
    // Asked before the commit takes the writer, and so that no borrow of it crosses an await.
    let hashes: BTreeMap<&str, ContentHash> = written
        .iter()
        .map(|(target, how)| {
            let partition = target.month.map(|_| target.key.as_str());
            let was = before(&target.key).unwrap_or_default();
            let hash = match how {
                Stored::Whole => writer.content_hash(partition),
                Stored::Merged(merge) => was.without(merge.removed).combined_with(merge.added),
                Stored::Kept => was,
            };
            (target.key.as_str(), hash)
        })
        .collect();
    let hash_after = |key: &str| hashes.get(key).copied().unwrap_or_default();
    let unchanged: BTreeSet<&str> = written
        .iter()
        .map(|(target, _)| target.key.as_str())
        .filter(|key| before(key).is_some_and(|hash| hash == hash_after(key)))
        .collect();
    let columns_changed = replace_all && model.partition_column().is_some();
    let order_kept = known.sorted_by() == model.sort_by;
    let nothing_changed = unchanged.len() == written.len()
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
    for (target, _) in written {
        let content_hash = hash_after(&target.key).to_string();
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
            read: Some(target.read()),
        };
        memo.partitions.insert(target.key.clone(), partition);
    }
    let computed = Computed {
        partitions_built: written.len(),
        partitions_unchanged: unchanged.len(),
        rows_written: if nothing_changed {
            0
        } else {
            writer.rows_written()
        },
        ..Computed::default()
    };

    if model.header.snapshot.is_some() {
        memo.history_until = known.memo.history_until.max(Some(run.scope.as_of));
    }
    if nothing_changed {
        writer.abort();
        memo.sorted = known.memo.sorted.clone();
    } else {
        for key in vanished {
            memo.partitions.remove(key);
        }
        let as_partition = |key: &str| (key != WHOLE).then(|| key.to_owned());
        let fingerprints: BTreeMap<Option<String>, String> = written
            .iter()
            .filter(|(_, how)| !matches!(how, Stored::Kept))
            .map(|(target, _)| (as_partition(&target.key), target.fingerprint.clone()))
            .collect();
        let by_key = written.iter().any(|(_, how)| !matches!(how, Stored::Whole));
        let mode = if replace_all {
            CommitMode::ReplaceAll
        } else if by_key {
            let gone = vanished.iter().map(|key| (key.as_str(), &Stored::Whole));
            let targets = written
                .iter()
                .map(|(target, how)| (target.key.as_str(), how));
            CommitMode::MergePartitions(
                targets
                    .chain(gone)
                    .filter_map(|(key, how)| {
                        let merge = match how {
                            Stored::Kept => return None,
                            Stored::Merged(merge) => merge.clone(),
                            Stored::Whole => Merge {
                                rewritten: files_of(known, as_partition(key)),
                                removed: before(key).unwrap_or_default(),
                                added: hash_after(key),
                            },
                        };
                        Some((as_partition(key), merge))
                    })
                    .collect(),
            )
        } else {
            let gone = vanished.iter().map(|key| as_partition(key));
            CommitMode::ReplacePartitions(fingerprints.keys().cloned().chain(gone).collect())
        };
        // Files of months that stay keep the order they were written in.
        let all_in_order = replace_all
            || known
                .snapshot
                .as_ref()
                .is_none_or(|snapshot| snapshot.files.is_empty() || order_kept);
        let sorted_by = all_in_order.then_some(model.sort_by.as_slice());
        let inputs = written
            .iter()
            .map(|(target, _)| (target.key.as_str(), target.fingerprint.as_str()));
        let application =
            resume::transaction(resume::job_of(model), run.scope.as_of, inputs, sorted_by);
        let receipt = writer
            .commit(
                mode,
                CommitDetails {
                    operation: "build".into(),
                    application: Some(application),
                    fingerprints,
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

fn files_of(known: &KnownTable, partition: Option<String>) -> BTreeSet<std::path::PathBuf> {
    known
        .snapshot
        .iter()
        .flat_map(|snapshot| snapshot.files_of(partition.as_deref()))
        .map(|file| file.path.clone())
        .collect()
}

/// The columns a target would be stored with.
pub(crate) async fn stored_columns(
    inner: &Inner,
    model: &Model,
    known: &KnownTable,
    target: &Target,
    scope: &Scope,
) -> Result<SchemaRef> {
    let planned = planned(inner, model, known, target, scope, None, false).await?;
    if let Err(error) = planned
        .session
        .state()
        .optimize(planned.rows.logical_plan())
    {
        let written = written(inner, model, target);
        return Err(explain(&planned.session, &target.sql, written, error).await);
    }
    Ok(planned.schema)
}

/// A target's query before it is sorted.
struct Planned {
    session: SessionContext,
    schema: SchemaRef,
    rows: DataFrame,
}

/// The stored columns of a target and its rows in any order, all or those of some keys.
async fn planned(
    inner: &Inner,
    model: &Model,
    known: &KnownTable,
    target: &Target,
    scope: &Scope,
    only: Option<&OnlyKeys<'_>>,
    sort_merge: bool,
) -> Result<Planned> {
    let session = target
        .readable
        .session_of(
            match only {
                Some(_) => &inner.here,
                None => &inner.factory,
            },
            inner.warehouse.lake_base(),
            target.month,
            None,
            only,
            sort_merge,
        )
        .await?;
    let written = written(inner, model, target);
    let planned = planning::query(&session, &target.sql);
    let rows = match planned.await {
        Ok(rows) => rows,
        Err(error) => return Err(explain(&session, &target.sql, written, error).await),
    };
    let rows = match &model.header.snapshot {
        Some(snapshot) => {
            check_day(model, known.memo.history_until, scope.as_of)?;
            let stored = known.snapshot.as_ref();
            with_history(inner, model, snapshot, stored, scope.as_of, rows).await?
        }
        None => rows,
    };
    let schema = stored_schema(&model.table, rows.schema().as_arrow())?;
    check_columns(model, &schema)?;
    let rows = in_month(model, target.month, &schema, rows)?;
    for column in &model.sort_by {
        known_column(model, &schema, column)?;
    }
    Ok(Planned {
        session,
        schema,
        rows,
    })
}

/// The model's text, to say where in it something is wrong.
fn written<'a>(
    inner: &'a Inner,
    model: &'a Model,
    target: &'a Target,
) -> planning_errors::Written<'a> {
    planning_errors::Written {
        project: &inner.project,
        file: &model.file,
        body: &model.body,
        vars: &target.vars,
    }
}

/// Plans all rows of a target.
async fn prepare(
    inner: &Inner,
    model: &Model,
    known: &KnownTable,
    target: &Target,
    scope: &Scope,
    sort_merge: bool,
) -> Result<Ready> {
    let failed = |error| EngineError::of(error, &model.table.to_string());
    let planned = planned(inner, model, known, target, scope, None, sort_merge).await?;
    let rows = planned.rows.sort(stored_order(model)).map_err(failed)?;
    match SortedRows::plan(rows).await {
        Ok(rows) => Ok(Ready {
            schema: planned.schema,
            rows,
        }),
        Err(error) => {
            let written = written(inner, model, target);
            Err(explain(&planned.session, &target.sql, written, error).await)
        }
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
        // Files that follow each other by key can be read as ranges of it.
        keep_together: model.sort_by.first().cloned(),
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
