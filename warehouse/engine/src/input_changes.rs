//! Which keys of a table changed between two of its versions, found in the files only one of them has.
//!
//! A key changed when the sum of its rows' hashes over the files that left differs from the sum over
//! those that came. So it does not matter whether rows were appended, replaced or only moved to other
//! files, and a change in a column nobody looks at is none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::catalog::MemoryCatalogProvider;
use datafusion::dataframe::DataFrame;
use futures::TryStreamExt;
use goyong_store::{DataFile, RowHashes, TableSnapshot, Warehouse};

use crate::error::{EngineError, Result};
use crate::key_set::{KeySet, NumberHash, is_key_type};
use crate::provider::SnapshotTable;
use crate::session::SessionFactory;

/// What reading files takes.
#[derive(Clone, Copy)]
pub(crate) struct FileReader<'a> {
    pub factory: &'a SessionFactory,
    pub warehouse: &'a Warehouse,
}

/// What became of a table between two versions.
#[derive(Debug, Clone)]
pub(crate) enum Changes {
    /// The keys whose rows changed.
    Keys(Arc<KeySet>),
    /// It cannot be told, because of this.
    Unknown(&'static str),
}

/// The rows by which the changed keys of two versions differ.
#[derive(Debug)]
pub(crate) struct ChangedRows {
    pub key: String,
    /// Rows only the version before has, and rows only the version after has.
    pub rows: Vec<(RecordBatch, Sign)>,
}

impl ChangedRows {
    /// The keys whose rows differ in what `seen` leaves of them.
    pub fn keys(&self, seen: impl Fn(&RecordBatch) -> Result<RecordBatch>) -> Result<KeySet> {
        let mut sums: Option<(Sums, RowHashes)> = None;
        for (rows, sign) in &self.rows {
            let rows = seen(rows)?;
            let keys = rows.column(rows.schema_ref().index_of(&self.key)?);
            let (sums, hashes) = sums.get_or_insert_with(|| {
                (
                    Sums::of(keys.data_type()),
                    RowHashes::new(rows.schema_ref()),
                )
            });
            sums.add(keys, &hashes.of(&rows), *sign);
        }
        Ok(sums.map_or_else(
            || KeySet::empty(&DataType::Int64),
            |(sums, _)| sums.changed(),
        ))
    }
}

/// Which versions, and what of them is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    /// `None` where the table did not exist.
    pub before: Option<&'a TableSnapshot>,
    pub after: Option<&'a TableSnapshot>,
    /// Only these partitions; all when absent.
    pub months: Option<&'a BTreeSet<String>>,
    /// The columns that count.
    pub columns: &'a BTreeSet<String>,
}

impl Between<'_> {
    /// Files only one of the versions has: those that left, those that came.
    fn files(&self) -> (Vec<DataFile>, Vec<DataFile>) {
        let of = |snapshot: Option<&TableSnapshot>| -> Vec<DataFile> {
            let files = snapshot.iter().flat_map(|snapshot| &snapshot.files);
            files
                .filter(|file| {
                    self.months.is_none_or(|months| {
                        file.partition
                            .as_ref()
                            .is_some_and(|value| months.contains(value))
                    })
                })
                .cloned()
                .collect()
        };
        let (mut left, mut came) = (of(self.before), of(self.after));
        let paths = |files: &[DataFile]| -> HashSet<_> {
            files.iter().map(|file| file.path.clone()).collect()
        };
        let (before, after) = (paths(&left), paths(&came));
        left.retain(|file| !after.contains(&file.path));
        came.retain(|file| !before.contains(&file.path));
        (left, came)
    }

    fn columns_differ(&self) -> bool {
        let (Some(before), Some(after)) = (self.before, self.after) else {
            return false;
        };
        self.columns.iter().any(|column| {
            let of = |snapshot: &TableSnapshot| {
                snapshot
                    .schema
                    .field_with_name(column)
                    .ok()
                    .map(|field| field.data_type().clone())
            };
            of(before) != of(after)
        })
    }
}

impl FileReader<'_> {
    /// The keys of `column` whose rows changed.
    pub async fn changed_keys(self, between: Between<'_>, column: &str) -> Result<Changes> {
        let Some(known) = between.after.or(between.before) else {
            return Ok(Changes::Keys(Arc::new(KeySet::empty(&DataType::Int64))));
        };
        let data_type = match known.schema.field_with_name(column) {
            Ok(field) if is_key_type(field.data_type()) => field.data_type().clone(),
            _ => return Ok(Changes::Unknown("its key is neither a bigint nor text")),
        };
        let (left, came) = match self.files_that_differ(&between) {
            Ok(files) => files,
            Err(why) => return Ok(Changes::Unknown(why)),
        };
        let mut columns: BTreeSet<String> = between.columns.clone();
        columns.insert(column.to_owned());
        if left.is_empty() {
            // Rows were only added: every key among them changed.
            let mut keys = KeySet::empty(&data_type);
            if let (Some(after), false) = (between.after, came.is_empty()) {
                let only = BTreeSet::from([column.to_owned()]);
                self.each_batch(after, came, &only, |batch, _| {
                    keys.insert(batch.column(0), None);
                    Ok(())
                })
                .await?;
            }
            return Ok(Changes::Keys(Arc::new(keys)));
        }
        let mut sums = Sums::of(&data_type);
        for (snapshot, files, sign) in [
            (between.before, left, Sign::Minus),
            (between.after, came, Sign::Plus),
        ] {
            let Some(snapshot) = snapshot.filter(|_| !files.is_empty()) else {
                continue;
            };
            self.each_batch(snapshot, files, &columns, |batch, hashes| {
                let position = batch.schema_ref().index_of(column)?;
                sums.add(batch.column(position), &hashes.of(batch), sign);
                Ok(())
            })
            .await?;
        }
        Ok(Changes::Keys(Arc::new(sums.changed())))
    }

    /// The rows in which changed keys differ, to look at again by month.
    pub async fn changed_rows(
        self,
        between: Between<'_>,
        column: &str,
        keys: &KeySet,
    ) -> Result<ChangedRows> {
        let mut columns: BTreeSet<String> = between.columns.clone();
        columns.insert(column.to_owned());
        let (left, came) = between.files();
        let mut counts: HashMap<u128, i64> = HashMap::new();
        let mut read = Vec::new();
        for (snapshot, files, sign) in [
            (between.before, left, Sign::Minus),
            (between.after, came, Sign::Plus),
        ] {
            let Some(snapshot) = snapshot.filter(|_| !files.is_empty()) else {
                continue;
            };
            self.each_batch(snapshot, files, &columns, |batch, hashes| {
                let mask = keys.mask(batch.column(batch.schema_ref().index_of(column)?));
                let rows = filter_record_batch(batch, &mask)?;
                let of_rows = hashes.of(&rows);
                for hash in &of_rows {
                    *counts.entry(*hash).or_default() += sign.one();
                }
                read.push((rows, of_rows, sign));
                Ok(())
            })
            .await?;
        }
        // A row that left and came again is no difference.
        let mut rows = Vec::new();
        for (batch, hashes, sign) in read {
            let differs: BooleanArray = hashes
                .iter()
                .map(|hash| Some(counts.get(hash).is_some_and(|count| *count != 0)))
                .collect();
            let batch = filter_record_batch(&batch, &differs)?;
            if batch.num_rows() > 0 {
                rows.push((batch, sign));
            }
        }
        let key = column.to_owned();
        Ok(ChangedRows { key, rows })
    }

    /// Whether any row changed in the columns that count.
    pub async fn any_change(self, between: Between<'_>) -> Result<bool> {
        let Ok((left, came)) = self.files_that_differ(&between) else {
            return Ok(true);
        };
        let (mut sum, mut rows) = (0u128, 0i64);
        for (snapshot, files, sign) in [
            (between.before, left, Sign::Minus),
            (between.after, came, Sign::Plus),
        ] {
            let Some(snapshot) = snapshot.filter(|_| !files.is_empty()) else {
                continue;
            };
            self.each_batch(snapshot, files, between.columns, |batch, hashes| {
                for hash in hashes.of(batch) {
                    sum = sign.apply(sum, hash);
                }
                rows += sign.one() * batch.num_rows() as i64;
                Ok(())
            })
            .await?;
        }
        Ok(sum != 0 || rows != 0)
    }

    /// The values of `key` in the rows of a version whose `column` holds one of `values`.
    pub async fn keys_of_rows_with(
        self,
        snapshot: &TableSnapshot,
        months: Option<&BTreeSet<String>>,
        column: &str,
        values: &KeySet,
        key: &str,
    ) -> Result<KeySet> {
        let data_type = snapshot
            .schema
            .field_with_name(key)
            .map(|field| field.data_type().clone())?;
        let mut keys = KeySet::empty(&data_type);
        let no_columns = BTreeSet::new();
        let all = Between {
            before: None,
            after: Some(snapshot),
            months,
            columns: &no_columns,
        };
        let columns = BTreeSet::from([column.to_owned(), key.to_owned()]);
        self.each_batch(snapshot, all.files().1, &columns, |batch, _| {
            let schema = batch.schema_ref();
            let mask = values.mask(batch.column(schema.index_of(column)?));
            keys.insert(batch.column(schema.index_of(key)?), Some(&mask));
            Ok(())
        })
        .await?;
        Ok(keys)
    }

    fn files_that_differ(
        self,
        between: &Between<'_>,
    ) -> std::result::Result<(Vec<DataFile>, Vec<DataFile>), &'static str> {
        if between.columns_differ() {
            return Err("its columns changed");
        }
        let (left, came) = between.files();
        if !left.iter().all(|file| self.warehouse.has_file(&file.path)) {
            return Err("the files it was last read from are gone");
        }
        Ok((left, came))
    }

    /// Some files of a version as a table.
    pub fn table(
        self,
        snapshot: &TableSnapshot,
        files: Vec<DataFile>,
        sorted_by: &[String],
    ) -> Result<DataFrame> {
        let what = snapshot.table.to_string();
        let failed = |error| EngineError::of(error, &what);
        let mut some = snapshot.clone();
        some.files = files;
        let table = SnapshotTable::new(&some, self.warehouse.lake_base(), sorted_by, |_| true)
            .map_err(failed)?;
        self.factory
            .session(Arc::new(MemoryCatalogProvider::new()), false)
            .read_table(Arc::new(table))
            .map_err(failed)
    }

    async fn each_batch(
        self,
        snapshot: &TableSnapshot,
        files: Vec<DataFile>,
        columns: &BTreeSet<String>,
        mut take: impl FnMut(&RecordBatch, &mut RowHashes) -> Result<()>,
    ) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let what = snapshot.table.to_string();
        let failed = |error| EngineError::of(error, &what);
        let known = &snapshot.schema;
        let columns: Vec<&str> = columns
            .iter()
            .map(String::as_str)
            .filter(|column| known.index_of(column).is_ok())
            .collect();
        let rows = self
            .table(snapshot, files, &[])?
            .select_columns(&columns)
            .map_err(failed)?;
        let schema: SchemaRef = Arc::new(rows.schema().as_arrow().clone());
        let mut hashes = RowHashes::new(&schema);
        let mut stream = rows.execute_stream().await.map_err(failed)?;
        while let Some(batch) = stream.try_next().await.map_err(failed)? {
            take(&batch, &mut hashes)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    fn one(self) -> i64 {
        match self {
            Self::Plus => 1,
            Self::Minus => -1,
        }
    }

    fn apply(self, sum: u128, hash: u128) -> u128 {
        match self {
            Self::Plus => sum.wrapping_add(hash),
            Self::Minus => sum.wrapping_sub(hash),
        }
    }
}

/// Sums of row hashes by key.
pub(crate) enum Sums {
    Numbers(HashMap<i64, u128, NumberHash>),
    Texts(HashMap<String, u128>),
}

impl Sums {
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Numbers(HashMap::default()),
            _ => Self::Texts(HashMap::new()),
        }
    }

    /// Adds or subtracts rows; those without a key do not count.
    pub fn add(&mut self, keys: &ArrayRef, hashes: &[u128], sign: Sign) {
        match self {
            Self::Numbers(sums) => {
                let Some(keys) = keys.as_primitive_opt::<Int64Type>() else {
                    return;
                };
                for (row, hash) in hashes
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| keys.is_valid(*row))
                {
                    let sum = sums.entry(keys.value(row)).or_default();
                    *sum = sign.apply(*sum, *hash);
                }
            }
            Self::Texts(sums) => {
                let Some(keys) = keys.as_string_opt::<i32>() else {
                    return;
                };
                for (row, hash) in hashes
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| keys.is_valid(*row))
                {
                    match sums.get_mut(keys.value(row)) {
                        Some(sum) => *sum = sign.apply(*sum, *hash),
                        None => {
                            sums.insert(keys.value(row).to_owned(), sign.apply(0, *hash));
                        }
                    }
                }
            }
        }
    }

    /// The keys whose sum is not zero.
    pub fn changed(self) -> KeySet {
        match self {
            Self::Numbers(sums) => KeySet::Numbers(
                sums.into_iter()
                    .filter(|(_, sum)| *sum != 0)
                    .map(|(key, _)| key)
                    .collect(),
            ),
            Self::Texts(sums) => KeySet::Texts(
                sums.into_iter()
                    .filter(|(_, sum)| *sum != 0)
                    .map(|(key, _)| key)
                    .collect(),
            ),
        }
    }
}
