//! Sessions for people: read-only, on one release, within limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use goyong_store::{Release, Warehouse};
use goyong_types::{TableName, nearest_name};
use serde::Serialize;

use crate::clearance::Clearance;
use crate::error::{EngineError, Result, is_memory, short};
use crate::lake::{LakeCatalog, Versions};
use crate::planning;
use crate::rows::Rows;
use crate::session::{Limits, Purpose, SessionFactory, queries_only};
use crate::sharing::computed_once;

/// Longest statement that is planned.
const LONGEST_STATEMENT_BYTES: usize = 256 << 10;
/// Deepest nesting of parentheses that is planned.
const DEEPEST_NESTING: usize = 100;
/// Most operators and commas: a chain of terms nests as deep as it is long, and planning one takes
/// time with the square of its length.
const MOST_TERMS: usize = 1_000;

/// What one session of a person may use.
#[derive(Debug, Clone)]
pub struct ReadLimits {
    /// Threads of one query.
    pub threads: usize,
    /// Memory of the session's queries together.
    pub memory_limit_bytes: usize,
    /// Most bytes spilled at one time.
    pub spill_limit_bytes: u64,
    /// Longest run of one query.
    pub time_limit: Option<Duration>,
    /// Most operators and commas of a statement; a program that asks for long lists raises it.
    pub most_terms: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            memory_limit_bytes: 2 << 30,
            spill_limit_bytes: 50 << 30,
            time_limit: None,
            most_terms: MOST_TERMS,
        }
    }
}

/// A table of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSummary {
    /// The table.
    pub table: TableName,
    /// Rows.
    pub rows: u64,
    /// Version.
    pub version: i64,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnSummary {
    /// Name.
    pub name: String,
    /// SQL type.
    pub data_type: String,
    /// What the values mean.
    pub description: String,
    /// Sensitivity and other tags.
    pub tags: Vec<String>,
    /// Whether the table is stored by its values.
    pub is_partition: bool,
}

/// A read-only session on one release. Nothing a statement can say leads to a file or a write.
#[derive(Debug)]
pub struct ReadSession {
    warehouse: Warehouse,
    release: Arc<Release>,
    session: SessionContextBox,
    limits: ReadLimits,
    clearance: Option<Clearance>,
}

/// `SessionContext` has no `Debug` of its own.
struct SessionContextBox(SessionContext);

impl std::fmt::Debug for SessionContextBox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionContext")
    }
}

impl ReadSession {
    /// Opens a release with the default limits.
    pub async fn open(warehouse: &Warehouse, release: &Release) -> Result<Self> {
        Self::open_with(warehouse, release, ReadLimits::default()).await
    }

    /// Opens a release.
    pub async fn open_with(
        warehouse: &Warehouse,
        release: &Release,
        limits: ReadLimits,
    ) -> Result<Self> {
        let factory = SessionFactory::new(
            warehouse.lake_files()?,
            &warehouse.root().join("state/spill"),
            &Limits {
                threads: limits.threads.max(1),
                memory_bytes: limits.memory_limit_bytes,
                spill_bytes: limits.spill_limit_bytes,
            },
            Purpose::Read,
        )?;
        let release = Arc::new(release.clone());
        let catalog = LakeCatalog::new(warehouse, Versions::Released(Arc::clone(&release)));
        Ok(Self {
            session: SessionContextBox(factory.session(Arc::new(catalog), false)),
            warehouse: warehouse.clone(),
            release,
            limits,
            clearance: None,
        })
    }

    /// The same session for a role: what the role may not receive is refused before it is read.
    pub fn with_clearance(mut self, clearance: Clearance) -> Self {
        self.clearance = Some(clearance);
        self
    }

    /// The release.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// All rows of a query.
    pub async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.stream(sql).await?.collect().await
    }

    /// A query's rows batch by batch; dropping them stops the query.
    pub async fn stream(&self, sql: &str) -> Result<Rows> {
        refuse_oversized(sql, self.limits.most_terms)?;
        let session = &self.session.0;
        let plan = match planning::logical_plan(&session.state(), sql).await {
            Ok(plan) => plan,
            Err(error) => return Err(self.explain_plan_error(&error)),
        };
        queries_only().verify_plan(&plan).map_err(|_| read_only())?;
        if let Some(clearance) = &self.clearance {
            clearance.check(&plan, self).await?;
        }
        let limits = self.limits.clone();
        let explain = move |error: DataFusionError| explain_run_error(&error, &limits);
        let rows = async {
            let rows = session.execute_logical_plan(plan).await?;
            computed_once(rows)?.execute_stream().await
        };
        let rows = rows
            .await
            .map_err(|error| self.explain_plan_error(&error))?;
        let rows = Rows::with_errors(rows, explain);
        Ok(match self.limits.time_limit {
            Some(limit) => rows.until(limit),
            None => rows,
        })
    }

    /// The tables of the release.
    pub fn tables(&self) -> Vec<TableSummary> {
        self.release
            .tables
            .iter()
            .map(|(table, released)| TableSummary {
                table: table.clone(),
                rows: released.rows,
                version: released.version,
            })
            .collect()
    }

    /// The columns of a table of the release, named with or without its schema.
    pub async fn describe(&self, name: &str) -> Result<Vec<ColumnSummary>> {
        let table = self.find(name)?;
        let version = self.release.tables[table].version;
        let snapshot = self.warehouse.snapshot_at(table, version).await?;
        let snapshot = snapshot.ok_or_else(|| crate::tables::missing(table))?;
        let nothing = goyong_store::ColumnNote::default();
        Ok(snapshot
            .schema
            .fields()
            .iter()
            .map(|field| {
                let note = snapshot.columns.get(field.name()).unwrap_or(&nothing);
                ColumnSummary {
                    name: field.name().clone(),
                    data_type: sql_type(field.data_type()),
                    description: note.description.clone().unwrap_or_default(),
                    tags: note.tags.clone(),
                    is_partition: snapshot.partition_column.as_ref() == Some(field.name()),
                }
            })
            .collect())
    }

    fn find(&self, name: &str) -> Result<&TableName> {
        let mut found = self
            .release
            .tables
            .keys()
            .filter(|table| table.to_string() == name || table.table() == name);
        match (found.next(), found.next()) {
            (Some(table), None) => Ok(table),
            (Some(first), Some(second)) => Err(EngineError::Plan(format!(
                "`{name}` is in several schemas; write `{first}` or `{second}`"
            ))),
            _ => Err(EngineError::Plan(self.no_table(name))),
        }
    }

    fn no_table(&self, name: &str) -> String {
        let names: Vec<String> = self
            .release
            .tables
            .keys()
            .flat_map(|table| [table.to_string(), table.table().to_owned()])
            .collect();
        let full_names: BTreeMap<&str, String> = self
            .release
            .tables
            .keys()
            .map(|table| (table.table(), table.to_string()))
            .collect();
        let nearest = nearest_name(name, names.iter().map(String::as_str));
        let advice = nearest.map_or_else(
            || "; `\\dt` lists the tables".to_owned(),
            |nearest| {
                let nearest = full_names.get(nearest).map_or(nearest, String::as_str);
                format!("; did you mean `{nearest}`?")
            },
        );
        format!("no table `{name}` in release {}{advice}", self.release.id)
    }

    /// What a person can do about a statement that cannot be planned.
    fn explain_plan_error(&self, error: &DataFusionError) -> EngineError {
        if is_memory(error) {
            return explain_run_error(error, &self.limits);
        }
        let text = short(error);
        if let Some(rest) = text.split("table '").nth(1)
            && let Some((name, _)) = rest.split_once("' not found")
        {
            let prefix = format!("{}.", crate::session::CATALOG);
            let name = name.strip_prefix(&prefix).unwrap_or(name);
            // A name without schema was looked up in the default one.
            let shown = match name.strip_prefix("core.") {
                Some(bare) if !text.contains(&format!("core.{bare} ")) => bare,
                _ => name,
            };
            return EngineError::Plan(self.no_table(shown));
        }
        match error.find_root() {
            DataFusionError::External(_)
            | DataFusionError::IoError(_)
            | DataFusionError::ObjectStore(_) => EngineError::Run(
                "a table of the release could not be opened; `goyong verify` looks for damage"
                    .into(),
            ),
            _ => EngineError::Plan(text),
        }
    }
}

/// A message that repeats no value of a row: a person may see less than the query has read.
fn explain_run_error(error: &DataFusionError, limits: &ReadLimits) -> EngineError {
    tracing::debug!(error = %error.strip_backtrace().lines().next().unwrap_or_default().len(), "a query failed");
    let megabytes = limits.memory_limit_bytes >> 20;
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => EngineError::Memory(format!(
            "the query needs more than its {megabytes} MiB of memory; filter earlier or select fewer columns"
        )),
        DataFusionError::ArrowError(arrow, _) => EngineError::Run(match arrow.as_ref() {
            arrow_schema::ArrowError::CastError(_) | arrow_schema::ArrowError::ParseError(_) => {
                "a value cannot be converted to the type asked for; try_cast gives null instead"
                    .into()
            }
            arrow_schema::ArrowError::DivideByZero => {
                "division by zero; nullif(divisor, 0) gives null instead".into()
            }
            arrow_schema::ArrowError::ArithmeticOverflow(_) => {
                "a number left the range of its type; cast it to a wider one".into()
            }
            _ => "the query failed on the rows it read".into(),
        }),
        DataFusionError::Plan(_) | DataFusionError::NotImplemented(_) => {
            EngineError::Plan(short(error))
        }
        DataFusionError::External(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::ObjectStore(_) => EngineError::Run(
            "a data file could not be read; `goyong verify` looks for damage".into(),
        ),
        _ => EngineError::Run("the query failed on the rows it read".into()),
    }
}

fn read_only() -> EngineError {
    EngineError::Refused("this session is read-only: only queries are allowed".into())
}

/// Deep or huge statements overflow the planner's stack, so they never reach it.
fn refuse_oversized(sql: &str, most_terms: usize) -> Result<()> {
    if sql.len() > LONGEST_STATEMENT_BYTES {
        return Err(EngineError::Refused(format!(
            "the statement has {} bytes, at most {LONGEST_STATEMENT_BYTES} are planned",
            sql.len()
        )));
    }
    let text = goyong_catalog::normalise_sql(sql);
    let (mut depth, mut deepest, mut terms) = (0usize, 0usize, 0usize);
    for token in text.split(' ') {
        match token {
            "(" | "[" | "case" => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ")" | "]" | "end" => depth = depth.saturating_sub(1),
            "," | "and" | "or" | "not" | "+" | "-" | "*" | "/" | "%" | "|" | "union"
            | "intersect" | "except" | "join" | "when" => terms += 1,
            _ => {}
        }
    }
    if deepest > DEEPEST_NESTING || terms > most_terms {
        return Err(EngineError::Refused(format!(
            "the statement is too complex ({terms} terms, {deepest} deep); at most {most_terms} terms and depth {DEEPEST_NESTING} are planned"
        )));
    }
    Ok(())
}

pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "real".into(),
        DataType::Float64 => "double".into(),
        DataType::Date32 => "date".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string(),
    }
}
