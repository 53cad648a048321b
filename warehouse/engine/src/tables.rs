//! Tables at the versions a build sees, loaded once each.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::{StreamExt, TryStreamExt, stream};
use goyong_catalog::contract::{ColumnType, Contract, StagingType};
use goyong_store::{TableSnapshot, Warehouse};
use goyong_types::TableName;

use crate::error::{EngineError, Result};
use crate::masking::is_test_log;
use crate::memo::ModelMemo;
use crate::resume;

/// Snapshots are opened this many at a time.
const OPENED_TOGETHER: usize = 8;

/// A table's newest version and what the engine remembers of building it.
#[derive(Debug)]
pub(crate) struct KnownTable {
    pub snapshot: Option<TableSnapshot>,
    pub memo: ModelMemo,
}

/// The newest version of each table as a build knows it; a commit of the build itself replaces one.
#[derive(Debug)]
pub(crate) struct TableCache {
    warehouse: Warehouse,
    tables: RwLock<BTreeMap<TableName, Arc<KnownTable>>>,
}

impl TableCache {
    pub fn new(warehouse: &Warehouse) -> Self {
        Self {
            warehouse: warehouse.clone(),
            tables: RwLock::default(),
        }
    }

    pub async fn get(&self, table: &TableName) -> Result<Arc<KnownTable>> {
        let known = self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
            .cloned();
        match known {
            Some(known) => Ok(known),
            None => self.reload(table).await,
        }
    }

    pub async fn reload(&self, table: &TableName) -> Result<Arc<KnownTable>> {
        let snapshot = self.warehouse.snapshot(table).await?;
        let mut memo = ModelMemo::read(&self.warehouse, table).await?;
        resume::catch_up(&mut memo, snapshot.as_ref(), &self.warehouse).await?;
        let known = Arc::new(KnownTable { snapshot, memo });
        self.tables
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(table.clone(), Arc::clone(&known));
        Ok(known)
    }

    /// Opens many tables side by side.
    pub async fn load(&self, tables: impl IntoIterator<Item = TableName>) -> Result<()> {
        stream::iter(tables)
            .map(|table| async move { self.get(&table).await })
            .buffer_unordered(OPENED_TOGETHER)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
    }
}

impl KnownTable {
    /// Whether it holds test results, whose rows make nothing stale.
    pub fn is_test_log(&self) -> bool {
        let snapshot = self.snapshot.as_ref();
        snapshot.is_some_and(|snapshot| is_test_log(&snapshot.table))
    }

    /// The declared order of the newest version's files.
    pub fn sorted_by(&self) -> &[String] {
        match &self.snapshot {
            Some(snapshot) => self.memo.sorted_by(snapshot.version),
            None => &[],
        }
    }
}

/// The Arrow schema of `staging.<source>`, used before the first delivery.
pub(crate) fn staging_schema(contract: &Contract) -> SchemaRef {
    let fields: Vec<Field> = contract
        .staging_columns()
        .into_iter()
        .map(|column| {
            Field::new(
                column.name,
                arrow_type(column.staging_type),
                column.nullable,
            )
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// The Arrow schema of columns named with contract types.
pub(crate) fn declared_schema<'a>(
    columns: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> std::result::Result<SchemaRef, String> {
    let mut fields = Vec::new();
    for (name, type_text) in columns {
        fields.push(Field::new(name, declared_type(type_text)?, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

pub(crate) fn declared_type(text: &str) -> std::result::Result<DataType, String> {
    let column_type: ColumnType = text.parse().map_err(|()| {
        let advice = goyong_types::nearest_name(text, ColumnType::WORDS)
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        format!("`{text}` is no column type{advice}")
    })?;
    match column_type.staging_type() {
        Some(staging_type) => Ok(arrow_type(staging_type)),
        None => Err(format!("`{text}` is kept in the vault only")),
    }
}

fn arrow_type(staging_type: StagingType) -> DataType {
    match staging_type {
        StagingType::Utf8 => DataType::Utf8,
        StagingType::Int32 => DataType::Int32,
        StagingType::Int64 => DataType::Int64,
        StagingType::Float64 => DataType::Float64,
        StagingType::Decimal128(precision, scale) => DataType::Decimal128(precision, scale),
        StagingType::Date32 => DataType::Date32,
        StagingType::TimestampMicrosecond => DataType::Timestamp(TimeUnit::Microsecond, None),
        StagingType::Boolean => DataType::Boolean,
    }
}

/// A missing table and what makes it.
pub(crate) fn missing(table: &TableName) -> EngineError {
    let help = match table.schema() {
        "models" | "alerts" | "linkage" => {
            "the job that writes it has not run; `goyong night` runs it"
        }
        "ops" | "quarantine" => "nothing has been ingested yet; `goyong ingest` writes it",
        "seed" => "`goyong build` writes seeds",
        _ => "build it first, `goyong build --select +<model>` builds what it reads as well",
    };
    EngineError::MissingTable {
        table: table.clone(),
        help: help.into(),
    }
}
