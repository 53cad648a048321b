//! Models with a key: which keys new input touches, and the merge of their new rows into the old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{SortExpr, ident, not};
use datafusion::physical_plan::collect;
use goyong_catalog::{Model, Project, TableOrigin};
use goyong_store::{ContentHash, DataFile, Merge, RowHashes, TableSnapshot, TableWriter};
use goyong_types::TableName;
use tokio::sync::Mutex;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::input_changes::{Between, ChangedRows, Changes, FileReader, Sign, Sums};
use crate::key_set::{KeySet, is_key_type};
use crate::locality::{KeyNames, Locality, Lookup, locality};
use crate::memo::{ReadMemo, content_hash_of};
use crate::planning;
use crate::rows_read::rows_read;
use crate::sharing::computed_once;
use crate::sorted_rows::SortedRows;
use crate::storage::{SORT_OPTIONS, to_stored};
use crate::tables::KnownTable;
use crate::targets::Target;

/// With more than this part of the stored rows touched, computing all of them is cheaper.
const MOST_TOUCHED: f64 = 0.4;

/// The keys whose rows are computed again.
#[derive(Debug, Clone)]
pub(crate) enum Touched {
    /// Only these, touched by these inputs.
    Keys(Arc<KeySet>, Vec<TableName>),
    /// All, because of this.
    Everything(String),
}

/// An input and its versions before and now.
type VersionPair = (TableName, Option<i64>, Option<i64>);

/// A key and what a model's plan shows about it.
pub(crate) struct Keyed<'a> {
    inner: &'a Inner,
    model: &'a Model,
    key: &'a str,
    locality: Locality,
    /// Changes between two versions of an input that is read whole, the same for every month.
    whole: Mutex<BTreeMap<VersionPair, Changes>>,
    /// What differs between two versions of an input of which a month reads its own days.
    rows: Mutex<BTreeMap<VersionPair, Arc<ChangedRows>>>,
    /// Versions inputs had at earlier builds, opened once for all months.
    before: Mutex<BTreeMap<(TableName, i64), Option<TableSnapshot>>>,
}

/// One input between its version at the last build and now.
struct InputChange<'a> {
    table: &'a TableName,
    before: Option<TableSnapshot>,
    after: Option<&'a TableSnapshot>,
    months: Option<BTreeSet<String>>,
}

impl InputChange<'_> {
    fn versions(&self) -> VersionPair {
        let version = |snapshot: Option<&TableSnapshot>| snapshot.map(|snapshot| snapshot.version);
        let before = version(self.before.as_ref());
        (self.table.clone(), before, version(self.after))
    }

    fn between<'b>(&'b self, columns: &'b BTreeSet<String>) -> Between<'b> {
        Between {
            before: self.before.as_ref(),
            after: self.after,
            months: self.months.as_ref(),
            columns,
        }
    }
}

impl<'a> Keyed<'a> {
    /// Checks that a model with a key keeps its rows apart by it; `None` for a model without key.
    pub async fn of(inner: &'a Inner, model: &'a Model, target: &Target) -> Result<Option<Self>> {
        let Some(key) = model.header.key.as_deref() else {
            return Ok(None);
        };
        let failed = |error| EngineError::of(error, &model.table.to_string());
        let session = target
            .readable
            .session(
                &inner.here,
                inner.warehouse.lake_base(),
                target.month,
                None,
                false,
            )
            .await?;
        let rows = planning::query(&session, &target.sql)
            .await
            .map_err(failed)?;
        let plan = session
            .state()
            .optimize(rows.logical_plan())
            .map_err(failed)?;
        let names = key_names(&inner.project, model, key, target);
        let locality = locality(&plan, &names).map_err(|problem| {
            EngineError::Plan(format!("{} ({}): {problem}", model.table, model.file))
        })?;
        Ok(Some(Self {
            inner,
            model,
            key,
            locality,
            whole: Mutex::default(),
            rows: Mutex::default(),
            before: Mutex::default(),
        }))
    }

    /// The key's column in each input that carries it.
    pub fn columns(&self) -> &BTreeMap<TableName, String> {
        &self.locality.keyed
    }

    fn reader(&self) -> FileReader<'a> {
        FileReader {
            factory: &self.inner.here,
            warehouse: &self.inner.warehouse,
        }
    }

    /// The keys that changes of the inputs touch since a target was built.
    pub async fn touched(&self, known: &KnownTable, target: &Target) -> Result<Touched> {
        let everything = |why: &str| Ok(Touched::Everything(why.to_owned()));
        let Some(snapshot) = &known.snapshot else {
            return everything("it does not exist yet");
        };
        let memo = known.memo.partitions.get(&target.key);
        let stored = content_hash_of(snapshot, &target.key);
        let now = &target.read();
        let (Some(memo), Some(stored)) = (memo, stored) else {
            return everything("it was not built before");
        };
        let Some(earlier) = memo.read.as_ref().filter(|_| stored == memo.content_hash) else {
            return everything("its rows were not built by key");
        };
        if earlier.text != now.text {
            return everything("its SQL or the columns of an input changed");
        }
        if known.sorted_by() != self.model.sort_by {
            return everything("its files are not sorted");
        }
        let key_type = snapshot
            .schema
            .field_with_name(self.key)
            .map(|f| f.data_type().clone());
        let Ok(key_type) = key_type else {
            return everything("its columns changed");
        };
        let mut touched = KeySet::empty(&key_type);
        let mut by = Vec::new();
        for change in self.changed_inputs(earlier, now, target).await? {
            let change = match change {
                Ok(change) => change,
                Err(why) => return Ok(Touched::Everything(why)),
            };
            let table = change.table;
            let before = touched.len();
            match self.keys_touched_by(&change, target).await? {
                Ok(keys) => touched.extend(keys),
                Err(why) => return Ok(Touched::Everything(format!("{table}: {why}"))),
            }
            if touched.len() > before {
                by.push(table.clone());
            }
        }
        let rows = stored_rows(snapshot, &target.key);
        if touched.len() as f64 > rows as f64 * MOST_TOUCHED {
            return everything("most of its keys are touched");
        }
        Ok(Touched::Keys(Arc::new(touched), by))
    }

    /// The inputs whose rows differ from those the target was built from.
    async fn changed_inputs<'b>(
        &self,
        earlier: &ReadMemo,
        now: &'b ReadMemo,
        target: &'b Target,
    ) -> Result<Vec<std::result::Result<InputChange<'b>, String>>> {
        let mut changes = Vec::new();
        for (table, input) in &now.inputs {
            let Some(was) = earlier.inputs.get(table) else {
                changes.push(Err(format!("{table} was not read before")));
                continue;
            };
            if was.rows == input.rows {
                continue;
            }
            let after = target.readable.snapshot(table);
            let before = match was.version {
                None => None,
                Some(version) => match self.earlier(table, version).await {
                    Some(snapshot) => Some(snapshot),
                    None => {
                        let why = "the version it was last read at is kept no longer";
                        changes.push(Err(format!("{table}: {why}")));
                        continue;
                    }
                },
            };
            changes.push(Ok(InputChange {
                months: target.readable.months_read(table, target.month),
                table,
                before,
                after,
            }));
        }
        Ok(changes)
    }

    async fn earlier(&self, table: &TableName, version: i64) -> Option<TableSnapshot> {
        let mut opened = self.before.lock().await;
        let name = (table.clone(), version);
        if let Some(snapshot) = opened.get(&name) {
            return snapshot.clone();
        }
        let snapshot = self.inner.warehouse.snapshot_at(table, version).await;
        let snapshot = snapshot.ok().flatten();
        opened.insert(name, snapshot.clone());
        snapshot
    }

    /// The keys one changed input touches; the text says why it is all of them.
    async fn keys_touched_by(
        &self,
        change: &InputChange<'_>,
        target: &Target,
    ) -> Result<std::result::Result<KeySet, String>> {
        let nothing = BTreeSet::new();
        let columns = self.locality.used.get(change.table).unwrap_or(&nothing);
        if let Some(key) = self.locality.keyed.get(change.table) {
            let keys = match self.changed_keys(change, columns, key).await? {
                Changes::Keys(keys) => keys,
                Changes::Unknown(why) => return Ok(Err(why.to_owned())),
            };
            return Ok(Ok(
                match (target.readable.days(change.table), target.month) {
                    (Some(days), Some(month)) => {
                        let changed = self.changed_rows(change, columns, key, &keys).await?;
                        changed.keys(|rows| days.cut(change.table, rows, month))?
                    }
                    _ => (*keys).clone(),
                },
            ));
        }
        if !self.reader().any_change(change.between(columns)).await? {
            return Ok(Ok(no_keys()));
        }
        match self.locality.lookups.get(change.table) {
            Some(lookup) => self.keys_naming(change, columns, lookup, target).await,
            None => Ok(Err("every key may depend on it".to_owned())),
        }
    }

    async fn changed_keys(
        &self,
        change: &InputChange<'_>,
        columns: &BTreeSet<String>,
        key: &str,
    ) -> Result<Changes> {
        if change.months.is_some() {
            return self
                .reader()
                .changed_keys(change.between(columns), key)
                .await;
        }
        let name = change.versions();
        let mut whole = self.whole.lock().await;
        if let Some(changes) = whole.get(&name) {
            return Ok(changes.clone());
        }
        let changes = self
            .reader()
            .changed_keys(change.between(columns), key)
            .await?;
        whole.insert(name, changes.clone());
        Ok(changes)
    }

    async fn changed_rows(
        &self,
        change: &InputChange<'_>,
        columns: &BTreeSet<String>,
        key: &str,
        keys: &KeySet,
    ) -> Result<Arc<ChangedRows>> {
        let name = change.versions();
        let mut known = self.rows.lock().await;
        if let Some(rows) = known.get(&name) {
            return Ok(Arc::clone(rows));
        }
        let between = change.between(columns);
        let rows = Arc::new(self.reader().changed_rows(between, key, keys).await?);
        known.insert(name, Arc::clone(&rows));
        Ok(rows)
    }

    /// The keys of input rows that name a changed row of an input with a key of its own.
    async fn keys_naming(
        &self,
        change: &InputChange<'_>,
        columns: &BTreeSet<String>,
        lookup: &Lookup,
        target: &Target,
    ) -> Result<std::result::Result<KeySet, String>> {
        let changed = match self.changed_keys(change, columns, &lookup.column).await? {
            Changes::Keys(changed) => changed,
            Changes::Unknown(why) => return Ok(Err(why.to_owned())),
        };
        let mut keys: Option<KeySet> = None;
        for (table, column) in &lookup.named_by {
            let (Some(snapshot), Some(key)) = (
                target.readable.snapshot(table),
                self.locality.keyed.get(table),
            ) else {
                continue;
            };
            let same_type =
                snapshot
                    .schema
                    .field_with_name(column)
                    .is_ok_and(|field| match &*changed {
                        KeySet::Numbers(_) => *field.data_type() == DataType::Int64,
                        KeySet::Texts(_) => *field.data_type() == DataType::Utf8,
                    });
            if !same_type {
                return Ok(Err(format!(
                    "{table}.{column} is of another type than its key"
                )));
            }
            let months = target.readable.months_read(table, target.month);
            let named = self
                .reader()
                .keys_of_rows_with(snapshot, months.as_ref(), column, &changed, key)
                .await?;
            match &mut keys {
                Some(keys) => keys.extend(named),
                None => keys = Some(named),
            }
        }
        Ok(Ok(keys.unwrap_or_else(no_keys)))
    }

    /// Computes the rows of some keys and writes them into the files that hold these keys. `None`
    /// where the rows are what they were; then nothing was written.
    pub async fn merge(
        &self,
        snapshot: &TableSnapshot,
        target: &Target,
        keys: &Arc<KeySet>,
        new_rows: DataFrame,
        schema: &SchemaRef,
        writer: &mut TableWriter,
    ) -> Result<Option<Merge>> {
        let name = self.model.table.to_string();
        let failed = |error| EngineError::of(error, &name);
        let data_schema = data_schema(self.model, schema);
        let context = Arc::new(new_rows.task_ctx());
        let new_rows = computed_once(new_rows).map_err(failed)?;
        let plan = new_rows.create_physical_plan().await.map_err(failed)?;
        let new_rows = collect(Arc::clone(&plan), context).await.map_err(failed)?;
        let table = &self.model.table;
        let count = |rows| self.inner.warehouse.count_rows_read(table, rows);
        count(rows_read(&plan));
        let new_rows = stored_batches(&new_rows, schema)?;
        let partition = target.month.map(|_| target.key.as_str());
        let files: Vec<DataFile> = snapshot.files_of(partition).cloned().collect();
        let old_rows = match files.is_empty() {
            true => Vec::new(),
            false => {
                let old = self.reader().table(snapshot, files.clone(), &[])?;
                let old = old
                    .filter(keys.condition(ident(self.key)))
                    .map_err(failed)?;
                stored_batches(&old.collect().await.map_err(failed)?, schema)?
            }
        };
        let changed = self.really_changed(&old_rows, &new_rows, &data_schema)?;
        if changed.is_empty() {
            return Ok(None);
        }
        let (removed, _) = self.rows_of(&old_rows, &changed, &data_schema)?;
        let (added, new_rows) = self.rows_of(&new_rows, &changed, &data_schema)?;
        let rewritten = self.files_to_rewrite(snapshot, files, &changed).await?;
        let merge = Merge {
            rewritten: rewritten.iter().map(|file| file.path.clone()).collect(),
            removed,
            added,
        };
        let changed = Arc::new(changed);
        let sort = || stored_order(self.model);
        let kept = self
            .reader()
            .table(snapshot, rewritten, &self.model.sort_by)?
            .filter(not(changed.condition(ident(self.key))))
            .and_then(|kept| kept.select_columns(&column_names(schema)))
            .and_then(|kept| kept.sort(sort()))
            .map_err(failed)?;
        let new_rows = self
            .inner
            .here
            .session(
                Arc::new(datafusion::catalog::MemoryCatalogProvider::new()),
                false,
            )
            .read_batches(with_schema(new_rows, schema))
            .and_then(|new| new.sort(sort()))
            .map_err(failed)?;
        let rows = SortedRows::merged(kept, new_rows, &self.model.sort_by)
            .await
            .map_err(failed)?;
        count(rows.write(self.model, partition, schema, 1, writer).await?);
        Ok(Some(merge))
    }

    /// Of the computed keys those whose rows are not what they were.
    fn really_changed(
        &self,
        old_rows: &[RecordBatch],
        new_rows: &[RecordBatch],
        data_schema: &SchemaRef,
    ) -> Result<KeySet> {
        let key_type = data_schema.field_with_name(self.key)?.data_type().clone();
        let mut hashes = RowHashes::new(data_schema);
        let mut sums = Sums::of(&key_type);
        for (rows, sign) in [(old_rows, Sign::Minus), (new_rows, Sign::Plus)] {
            for batch in rows {
                let data = data_of(batch, data_schema)?;
                let keys: &ArrayRef = data.column(data_schema.index_of(self.key)?);
                if keys.null_count() > 0 {
                    return Err(EngineError::Grain {
                        table: self.model.table.clone(),
                        problem: format!("the key `{}` is null in a row", self.key),
                    });
                }
                sums.add(keys, &hashes.of(&data), sign);
            }
        }
        Ok(sums.changed())
    }

    /// The rows of some keys, and their hash.
    fn rows_of(
        &self,
        rows: &[RecordBatch],
        keys: &KeySet,
        data_schema: &SchemaRef,
    ) -> Result<(ContentHash, Vec<RecordBatch>)> {
        let mut hashes = RowHashes::new(data_schema);
        let mut total = ContentHash::default();
        let mut chosen = Vec::new();
        for batch in rows {
            let mask: BooleanArray =
                keys.mask(batch.column(batch.schema_ref().index_of(self.key)?));
            let batch = filter_record_batch(batch, &mask)?;
            for hash in hashes.of(&data_of(&batch, data_schema)?) {
                total = total.combined_with(ContentHash {
                    multiset: hash,
                    rows: 1,
                });
            }
            chosen.push(batch);
        }
        Ok((total, chosen))
    }

    /// The files with rows of some keys. At least one, so that files do not become more and more;
    /// all of them where the grain does not tell keys apart and must be seen as a whole.
    async fn files_to_rewrite(
        &self,
        snapshot: &TableSnapshot,
        files: Vec<DataFile>,
        keys: &KeySet,
    ) -> Result<Vec<DataFile>> {
        if files.len() < 2
            || !self
                .model
                .header
                .grain
                .iter()
                .any(|column| column == self.key)
        {
            return Ok(files);
        }
        let mut rewritten = Vec::new();
        for file in &files {
            let held = self
                .reader()
                .keys_of_rows_with(&only(snapshot, file), None, self.key, keys, self.key)
                .await?;
            if !held.is_empty() {
                rewritten.push(file.clone());
            }
        }
        if rewritten.is_empty() {
            rewritten.extend(files.into_iter().min_by_key(|file| file.rows));
        }
        Ok(rewritten)
    }
}

/// The order of the stored rows.
pub(crate) fn stored_order(model: &Model) -> Vec<SortExpr> {
    let order = model.sort_by.iter();
    order
        .map(|column| ident(column).sort(!SORT_OPTIONS.descending, SORT_OPTIONS.nulls_first))
        .collect()
}

fn only(snapshot: &TableSnapshot, file: &DataFile) -> TableSnapshot {
    let mut one = snapshot.clone();
    one.files = vec![file.clone()];
    one
}

/// No key of any type: adding it to a set adds nothing.
fn no_keys() -> KeySet {
    KeySet::Numbers(Default::default())
}

fn stored_rows(snapshot: &TableSnapshot, key: &str) -> u64 {
    let partition = (key != crate::memo::WHOLE).then(|| key.to_owned());
    snapshot
        .partitions
        .get(&partition)
        .map_or(0, |state| state.rows)
}

/// Which inputs carry the key, and which have one of their own.
fn key_names(project: &Project, model: &Model, key: &str, target: &Target) -> KeyNames {
    let mut names = KeyNames {
        key: key.to_owned(),
        ..KeyNames::default()
    };
    for (table, schema) in target.readable.schemas() {
        let column = model.key_of.get(table).map_or(key, String::as_str);
        let carries = schema
            .field_with_name(column)
            .is_ok_and(|field| is_key_type(field.data_type()));
        if carries {
            names.keyed.insert(table.clone(), column.to_owned());
            continue;
        }
        let own: &[String] = match project.origin(table) {
            TableOrigin::Model(other) => &other.header.grain,
            TableOrigin::Seed(seed) => &seed.header.key,
            _ => &[],
        };
        if let [own] = own {
            names.unique.insert(table.clone(), own.clone());
        }
    }
    names
}

fn column_names(schema: &SchemaRef) -> Vec<&str> {
    schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect()
}

/// The columns that stand in the files.
fn data_schema(model: &Model, schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .filter(|field| Some(field.name().as_str()) != model.partition_column())
        .cloned()
        .collect();
    Arc::new(arrow_schema::Schema::new(fields))
}

fn data_of(batch: &RecordBatch, data_schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = data_schema
        .fields()
        .iter()
        .map(|field| batch.schema_ref().index_of(field.name()))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(batch.project(&columns)?)
}

/// Batches with the stored columns in the stored order and types.
fn stored_batches(batches: &[RecordBatch], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    batches
        .iter()
        .map(|batch| to_stored(&data_of(batch, schema)?, schema))
        .collect()
}

/// An empty batch where there is none, so that the columns are known.
fn with_schema(mut batches: Vec<RecordBatch>, schema: &SchemaRef) -> Vec<RecordBatch> {
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(Arc::clone(schema)));
    }
    batches
}
