//! What the caller hands in for the catalogue: metadata of tables, never a value of a row.

use chrono::NaiveDate;
use serde::Serialize;

use crate::language::Bilingual;

/// Everything the catalogue pages are made from.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Tables and views of the project and of the release.
    pub tables: Vec<CatalogTable>,
    /// Queries that must return no row.
    pub checks: Vec<CatalogCheck>,
    /// Direct edges between columns; empty when none were recorded.
    pub lineage: Vec<LineageEdge>,
}

/// A table, view, seed or source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogTable {
    /// Schema: `marts`.
    pub schema: String,
    /// Name: `claims_monthly`.
    pub name: String,
    /// Short name for people; empty where none is written.
    pub title: Bilingual,
    /// What a row is.
    pub description: Bilingual,
    /// The key columns.
    pub grain: Vec<String>,
    /// `view`, `table`, `partitioned`, `keyed`, `snapshot`, `source`, `seed` or `job`.
    pub kind: String,
    /// Who answers for it.
    pub owner: Bilingual,
    /// The law that allows it, where one is needed.
    pub legal_basis: Bilingual,
    /// Where a seed's values come from.
    pub origin: Bilingual,
    /// Licence of open data and seeds.
    pub licence: String,
    /// Tags of the whole table.
    pub tags: Vec<String>,
    /// Column whose values are stored apart.
    pub partition_by: Option<String>,
    /// Columns in order.
    pub columns: Vec<CatalogColumn>,
    /// Tests of this table and their last result.
    pub tests: Vec<CatalogTest>,
    /// The text that defines it, as written.
    pub definition: Option<CatalogDefinition>,
    /// Qualified names of the tables it reads.
    pub reads: Vec<String>,
    /// What the release holds of it; `None` for views and for what was never delivered or built.
    pub stored: Option<StoredTable>,
    /// Changes of its content over the releases, newest first.
    pub history: Vec<CatalogChange>,
    /// How a source keeps its calendar.
    pub freshness: Option<Freshness>,
}

impl CatalogTable {
    /// `schema.name`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogColumn {
    /// Name.
    pub name: String,
    /// Type as SQL shows it; empty where it is not known.
    pub data_type: String,
    /// Short name for people.
    pub title: Bilingual,
    /// What it means.
    pub description: Bilingual,
    /// Unit of a number.
    pub unit: String,
    /// Names of the field in the provider's file.
    pub fields: Vec<String>,
    /// Effective tags: declared, or inherited along the lineage.
    pub tags: Vec<String>,
    /// Tags the column would inherit and does not, with the reason.
    pub declassified: Option<Declassification>,
}

/// A lowered sensitivity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declassification {
    /// The tags removed; empty means all.
    pub removed: Vec<String>,
    /// Why.
    pub reason: String,
}

/// A test and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogTest {
    /// Name: `not_null(person_key)`.
    pub name: String,
    /// How it ended the last time it ran.
    pub result: TestResult,
    /// Rows that failed.
    pub failing_rows: u64,
    /// The day the tested data were known.
    pub as_of: Option<NaiveDate>,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TestResult {
    /// No row failed.
    Passed,
    /// Rows failed.
    Failed,
    /// Rows failed, and the test only warns.
    Warned,
    /// It could not be run.
    Error,
    /// No result is recorded.
    #[default]
    NotRun,
}

impl TestResult {
    /// Key of the word in the dictionary.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Warned => "warned",
            Self::Error => "errored",
            Self::NotRun => "not_run",
        }
    }
}

/// A query that must return no row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogCheck {
    /// Name: `paid_won_balances`.
    pub name: String,
    /// What must hold.
    pub description: Bilingual,
    /// Who answers for it.
    pub owner: String,
    /// The law behind it.
    pub legal_basis: Bilingual,
    /// Whether a failure only warns.
    pub warns: bool,
    /// Qualified names of the tables it compares.
    pub reads: Vec<String>,
    /// How it ended the last time it ran.
    pub outcome: CatalogTest,
    /// Its text.
    pub definition: CatalogDefinition,
}

/// A text of the project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CatalogDefinition {
    /// Path below the project's folder; empty for what is generated.
    pub path: String,
    /// The text as written.
    pub text: String,
}

/// What a release holds of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredTable {
    /// Version of the table in this release.
    pub version: i64,
    /// Canonical content hash.
    pub content_hash: String,
    /// Number of rows.
    pub rows: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// Number of data files.
    pub files: u64,
    /// Size of each partition, in order; empty for a table without partitions.
    pub partitions: Vec<PartitionSize>,
}

/// The size of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionSize {
    /// Its value.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
}

/// A release in which a table's content was another than in the release before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogChange {
    /// The release.
    pub release: String,
    /// The day it was made for.
    pub business_date: NaiveDate,
    /// Version of the table.
    pub version: i64,
    /// Number of rows.
    pub rows: u64,
    /// Canonical content hash.
    pub content_hash: String,
    /// Partitions whose content changed; empty for a table without partitions.
    pub partitions: Vec<String>,
}

/// How a source keeps its calendar. Days and periods as text, empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freshness {
    /// `monthly`, `daily` …
    pub cadence: String,
    /// Days after the end of a period by which it is due.
    pub due_days: Option<u32>,
    /// `in_time`, `overdue`, `never`; empty for a source without a calendar.
    pub state: String,
    /// The last period delivered.
    pub last_period: String,
    /// The day the last delivery became known.
    pub last_known_on: String,
    /// The day the next period is due.
    pub due_on: String,
    /// Days since the due day.
    pub days_late: u64,
    /// Periods between the first and the last that never came.
    pub periods_missing: u64,
    /// Deliveries accepted.
    pub deliveries: u64,
}

/// What a column is computed from, one step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineageEdge {
    /// Qualified name of the table computed.
    pub target_table: String,
    /// Its column.
    pub target_column: String,
    /// Qualified name of the table read.
    pub source_table: String,
    /// Its column.
    pub source_column: String,
    /// Whether values flow, or only decide which rows or groups there are.
    pub influence: bool,
    /// `identity`, `transformation`, `aggregation`, `join`, `filter` …
    pub subtype: String,
    /// The expression; empty where it only passes the value on.
    pub expression: String,
}
