//! What a text reads once its views are opened up, and the session in which it can be planned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::datasource::view::ViewTable;
use datafusion::logical_expr::{LogicalPlanBuilder, ident};
use datafusion::prelude::SessionContext;
use goyong_catalog::{Materialized, Model, Project, TableOrigin, Vars, normalise_sql};
use goyong_store::TableSnapshot;
use goyong_types::{Month, TableName};

use crate::error::{EngineError, Result};
use crate::key_set::KeySet;
use crate::memo::{Fingerprint, InputMemo, content_hash_of};
use crate::month_days::Days;
use crate::planning;
use crate::provider::SnapshotTable;
use crate::session::SessionFactory;
use crate::tables::{KnownTable, TableCache, declared_schema, missing, staging_schema};

/// The stored tables behind a text, and the views between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// Tables, with the months read of them where a window is declared; `None` is all rows.
    pub tables: BTreeMap<TableName, Option<(i32, i32)>>,
    /// Views, each after the views it reads.
    pub views: Vec<TableName>,
}

/// One table as a text will see it.
#[derive(Debug, Clone)]
pub(crate) struct InputTable {
    known: Arc<KnownTable>,
    /// Columns where no version exists.
    empty: Option<SchemaRef>,
    window: Option<(i32, i32)>,
    /// Its days, where only those of the month are read.
    days: Option<Days>,
    /// Digest of the columns.
    columns: String,
    /// Digest of the columns and, where no window is declared, of all rows.
    digest: String,
}

/// Only the rows of some keys, of the inputs that carry the key.
#[derive(Debug)]
pub(crate) struct OnlyKeys<'a> {
    pub keys: &'a Arc<KeySet>,
    /// The key's column by input.
    pub columns: &'a BTreeMap<TableName, String>,
}

/// Tables and views ready to be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readable {
    tables: BTreeMap<TableName, InputTable>,
    /// Views and their texts, each after the views it reads.
    views: Vec<(TableName, String)>,
}

impl Inputs {
    /// The inputs of a model.
    pub fn of_model(project: &Project, model: &Model) -> Self {
        let mut inputs = Self::of_tables(project, &model.inputs);
        for (table, window) in &model.reads {
            // A table that is read through a view as well is read whole.
            let through_view = inputs.views.iter().any(|view| {
                project
                    .models()
                    .get(view)
                    .is_some_and(|view| view.inputs.contains(table))
            });
            if !through_view {
                inputs.tables.insert(table.clone(), Some(*window));
            }
        }
        inputs
    }

    /// The inputs of a text that names these tables.
    pub fn of_tables(project: &Project, named: &BTreeSet<TableName>) -> Self {
        let mut inputs = Self::default();
        let mut seen = BTreeSet::new();
        for table in named {
            inputs.open(project, table, &mut seen);
        }
        inputs
    }

    fn open(&mut self, project: &Project, table: &TableName, seen: &mut BTreeSet<TableName>) {
        if !seen.insert(table.clone()) {
            return;
        }
        match project.models().get(table) {
            Some(model) if model.header.materialized == Materialized::View => {
                for input in &model.inputs {
                    self.open(project, input, seen);
                }
                self.views.push(table.clone());
            }
            _ => {
                self.tables.insert(table.clone(), None);
            }
        }
    }

    /// Opens every table; the error names the first that does not exist.
    pub async fn open_tables(
        &self,
        project: &Project,
        cache: &TableCache,
        reader: Option<&Model>,
    ) -> Result<BTreeMap<TableName, InputTable>> {
        let mut tables = BTreeMap::new();
        for (table, window) in &self.tables {
            let known = cache.get(table).await?;
            let empty = if known.snapshot.is_some() {
                None
            } else {
                Some(match project.origin(table) {
                    TableOrigin::Source(contract) => staging_schema(contract),
                    _ => {
                        let columns = project
                            .expected_columns(table)
                            .ok_or_else(|| missing(table))?;
                        declared_schema(columns).map_err(|problem| {
                            EngineError::Plan(format!("expects of {table}: {problem}"))
                        })?
                    }
                })
            };
            let days = reader.and_then(|reader| reader.during.get(table));
            let days = days.map(|(first, last)| Days {
                first: first.clone(),
                last: last.clone(),
            });
            tables.insert(table.clone(), InputTable::new(known, empty, *window, days));
        }
        Ok(tables)
    }

    /// The texts of the views for some variables.
    pub fn compile_views(
        &self,
        project: &Project,
        vars: &Vars,
    ) -> Result<Vec<(TableName, String)>> {
        let mut views = Vec::with_capacity(self.views.len());
        for view in &self.views {
            if let Some(model) = project.models().get(view) {
                let compiled = project.compile(model, vars).map_err(EngineError::Compile)?;
                views.push((view.clone(), compiled.sql));
            }
        }
        Ok(views)
    }
}

impl InputTable {
    fn new(
        known: Arc<KnownTable>,
        empty: Option<SchemaRef>,
        window: Option<(i32, i32)>,
        days: Option<Days>,
    ) -> Self {
        let mut digest = Fingerprint::new();
        let schema = match (&known.snapshot, &empty) {
            (Some(snapshot), _) => Some(&snapshot.schema),
            (None, empty) => empty.as_ref(),
        };
        for field in schema.into_iter().flat_map(|schema| schema.fields()) {
            digest.add(field.name(), &field.data_type().to_string());
        }
        let columns = digest.clone().finish();
        if window.is_none() && !known.is_test_log() {
            let hash = known
                .snapshot
                .as_ref()
                .map(|snapshot| snapshot.content_hash());
            digest.add("rows", hash.as_deref().unwrap_or("none yet"));
        }
        Self {
            digest: digest.finish(),
            columns,
            known,
            empty,
            window,
            days,
        }
    }

    /// The months that have rows.
    pub fn months(&self) -> impl Iterator<Item = String> {
        let partitions = self
            .known
            .snapshot
            .iter()
            .flat_map(|snapshot| &snapshot.partitions);
        partitions
            .filter(|(_, state)| state.rows > 0)
            .filter_map(|(value, _)| value.clone())
    }

    /// Adds to a fingerprint what a partition reads of the table.
    fn add_to(&self, fingerprint: &mut Fingerprint, table: &TableName, month: Option<Month>) {
        fingerprint.add(&table.to_string(), &self.digest);
        for month in self.window_months(month).into_iter().flatten() {
            let hash = self
                .known
                .snapshot
                .as_ref()
                .and_then(|snapshot| content_hash_of(snapshot, &month))
                .unwrap_or_default();
            // A month without rows is a month that does not exist.
            if !hash.ends_with(":0") {
                fingerprint.add(&month, &hash);
            }
        }
    }

    /// What is read of the table, to be compared with what was read before.
    fn memo(&self, table: &TableName, month: Option<Month>) -> InputMemo {
        let mut rows = Fingerprint::new();
        self.add_to(&mut rows, table, month);
        InputMemo {
            version: self
                .known
                .snapshot
                .as_ref()
                .map(|snapshot| snapshot.version),
            rows: rows.finish(),
        }
    }

    fn schema(&self) -> Option<&SchemaRef> {
        match &self.known.snapshot {
            Some(snapshot) => Some(&snapshot.schema),
            None => self.empty.as_ref(),
        }
    }

    fn window_months(&self, month: Option<Month>) -> Option<Vec<String>> {
        let (from, to) = self.window?;
        let month = month?;
        Some(
            (from..=to)
                .map(|offset| month.plus(offset).first_day().to_string())
                .collect(),
        )
    }

    fn provider(
        &self,
        table: &TableName,
        lake_base: &Path,
        month: Option<Month>,
        keep: Option<&BTreeSet<String>>,
    ) -> Result<Arc<dyn TableProvider>> {
        let stored = self.stored(lake_base, month, keep)?;
        match (&self.days, month) {
            (Some(days), Some(month)) => days.view(table, stored, month),
            _ => Ok(stored),
        }
    }

    fn stored(
        &self,
        lake_base: &Path,
        month: Option<Month>,
        keep: Option<&BTreeSet<String>>,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some(snapshot) = &self.known.snapshot else {
            let schema = self
                .empty
                .clone()
                .unwrap_or_else(|| SchemaRef::new(arrow_schema::Schema::empty()));
            return Ok(Arc::new(EmptyTable::new(schema)));
        };
        let window = self.window_months(month);
        let table = SnapshotTable::new(snapshot, lake_base, self.known.sorted_by(), |partition| {
            let in_window = window.as_ref().is_none_or(|months| {
                partition.is_some_and(|value| months.iter().any(|month| month == value))
            });
            in_window && keep.is_none_or(|keep| keep.contains(partition.unwrap_or_default()))
        })
        .map_err(|error| EngineError::of(error, &snapshot.table.to_string()))?;
        Ok(Arc::new(table))
    }
}

impl Readable {
    pub fn new(tables: BTreeMap<TableName, InputTable>, views: Vec<(TableName, String)>) -> Self {
        Self { tables, views }
    }

    /// Digest of everything a text reads through this, for one month or for all rows.
    pub fn add_to(&self, fingerprint: &mut Fingerprint, month: Option<Month>) {
        for (view, sql) in &self.views {
            fingerprint.add(&view.to_string(), &normalise_sql(sql));
        }
        for (table, input) in &self.tables {
            input.add_to(fingerprint, table, month);
        }
    }

    /// Digest of all but the rows: what the views say, the columns of the tables, the months read.
    /// `reduced` says which texts are one.
    pub fn add_schemas_to(&self, fingerprint: &mut Fingerprint, reduced: fn(&str) -> String) {
        for (view, sql) in &self.views {
            fingerprint.add(&view.to_string(), &reduced(sql));
        }
        for (table, input) in &self.tables {
            fingerprint.add(&table.to_string(), &input.columns);
            fingerprint.add("window", &format!("{:?}", input.window));
        }
    }

    /// What is read of each table.
    pub fn memos(&self, month: Option<Month>) -> BTreeMap<TableName, InputMemo> {
        self.tables
            .iter()
            .map(|(table, input)| (table.clone(), input.memo(table, month)))
            .collect()
    }

    /// The version of a table that is read, `None` where there is none.
    pub fn snapshot(&self, table: &TableName) -> Option<&TableSnapshot> {
        self.tables.get(table)?.known.snapshot.as_ref()
    }

    /// The days of a table's rows, where only those of the month are read.
    pub fn days(&self, table: &TableName) -> Option<&Days> {
        self.tables.get(table)?.days.as_ref()
    }

    /// The months of a table that are read; `None` is all of them.
    pub fn months_read(&self, table: &TableName, month: Option<Month>) -> Option<BTreeSet<String>> {
        let months = self.tables.get(table)?.window_months(month)?;
        Some(months.into_iter().collect())
    }

    /// Rows and bytes of the files that are read.
    pub fn size(&self, month: Option<Month>) -> (u64, u64) {
        let (mut rows, mut bytes) = (0, 0);
        for (table, input) in &self.tables {
            let months = self.months_read(table, month);
            let files = input
                .known
                .snapshot
                .iter()
                .flat_map(|snapshot| &snapshot.files);
            for file in files.filter(|file| {
                months.as_ref().is_none_or(|months| {
                    file.partition
                        .as_ref()
                        .is_some_and(|value| months.contains(value))
                })
            }) {
                rows += file.rows;
                bytes += file.size;
            }
        }
        (rows, bytes)
    }

    /// The columns of every table.
    pub fn schemas(&self) -> impl Iterator<Item = (&TableName, &SchemaRef)> {
        self.tables
            .iter()
            .filter_map(|(table, input)| Some((table, input.schema()?)))
    }

    /// A session in which exactly these tables and views exist.
    ///
    /// `keep` restricts one table to some of its partitions, for tests of what has changed.
    pub async fn session(
        &self,
        factory: &SessionFactory,
        lake_base: &Path,
        month: Option<Month>,
        keep: Option<(&TableName, &BTreeSet<String>)>,
        sort_merge: bool,
    ) -> Result<SessionContext> {
        self.session_of(factory, lake_base, month, keep, None, sort_merge)
            .await
    }

    /// The same over the rows of some keys only.
    pub async fn session_of(
        &self,
        factory: &SessionFactory,
        lake_base: &Path,
        month: Option<Month>,
        keep: Option<(&TableName, &BTreeSet<String>)>,
        only: Option<&OnlyKeys<'_>>,
        sort_merge: bool,
    ) -> Result<SessionContext> {
        let schemas = Arc::new(MemoryCatalogProvider::new());
        for (table, input) in &self.tables {
            let keep = keep
                .filter(|(kept, _)| *kept == table)
                .map(|(_, keep)| keep);
            let provider = input.provider(table, lake_base, month, keep)?;
            let provider = match only.and_then(|only| Some((only.keys, only.columns.get(table)?))) {
                Some((keys, column)) => with_keys(table, provider, keys, column)?,
                None => provider,
            };
            register(&schemas, table, provider)?;
        }
        let context = factory.session(schemas.clone(), sort_merge);
        for (view, sql) in &self.views {
            // A view reads all rows, whatever window its reader declares for the same table.
            let plan = planning::query(&context, sql)
                .await
                .map_err(|error| EngineError::of(error, &view.to_string()))?
                .into_unoptimized_plan();
            register(&schemas, view, Arc::new(ViewTable::new(plan, None)))?;
        }
        Ok(context)
    }
}

/// The rows of a table whose key is one of a set.
fn with_keys(
    table: &TableName,
    provider: Arc<dyn TableProvider>,
    keys: &Arc<KeySet>,
    column: &str,
) -> Result<Arc<dyn TableProvider>> {
    let name = TableReference::partial(table.schema(), table.table());
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(provider), None)
        .and_then(|scan| scan.filter(keys.condition(ident(column))))
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| EngineError::of(error, &table.to_string()))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

pub(crate) fn register(
    schemas: &MemoryCatalogProvider,
    table: &TableName,
    provider: Arc<dyn TableProvider>,
) -> Result<()> {
    let failed = |error| EngineError::of(error, &table.to_string());
    let schema = match schemas.schema(table.schema()) {
        Some(schema) => schema,
        None => {
            let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
            schemas
                .register_schema(table.schema(), Arc::clone(&schema))
                .map_err(failed)?;
            schema
        }
    };
    schema
        .register_table(table.table().to_owned(), provider)
        .map_err(failed)?;
    Ok(())
}
