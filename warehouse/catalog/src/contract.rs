//! Data contracts: what a provider delivers, how it is written, and what becomes of it.
//!
//! A contract is data (`sql/sources/<source>.yml`); a new delimited, fixed-width, XML, JSON, XLSX
//! or Parquet source needs no code. This module reads and checks the text; intake executes it.

mod check;
mod column;
mod drift;
mod error;
mod expression;
mod format;
mod row_checks;
mod staging;
mod text;

pub use column::{Column, ColumnType, Derived, OnFail, Range};
pub use drift::{Drift, DriftAction, DriftKind, DriftPolicy};
pub use error::ContractError;
pub use expression::{Comparison, Expression, ExpressionError, Literal, Operand, ValueKind};
pub use format::{
    CellRange, Compression, CsvFormat, DropRows, Encoding, ErrorAnswer, FixedFormat, Format,
    FormatKind, JsonFormat, JsonLayout, JsonSuccess, MergedCells, Newline, OnMissingPage, Pages,
    QuoteEscape, Sheet, Unpivot, XlsxFormat, XmlFormat,
};
pub use row_checks::{BrokenRow, CodeDay, CodeList, Codes, PeriodCheck, Reference, RowRule};
pub use staging::{StagingColumn, StagingType, TECHNICAL_COLUMNS};
pub use text::BilingualText;

use serde::Deserialize;

/// One source: who delivers it, in which form, and the columns it becomes.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Name of the source, of its file and of its table `staging.<source>`.
    pub source: String,
    /// Short title for people.
    pub title: BilingualText,
    /// What a row is and what to know about it.
    pub description: BilingualText,
    /// The organisation that delivers.
    pub provider: BilingualText,
    /// Article of law that permits the processing.
    pub legal_basis: Option<String>,
    /// The date column that says since when a row is known, where it is not the day of its delivery.
    pub known_on: Option<String>,
    /// How often a delivery is due.
    pub cadence: Cadence,
    /// Days after the end of the period by which the delivery is due.
    pub due_days: Option<u32>,
    /// Licence of open data.
    pub licence: Option<String>,
    /// Globs that recognise a file delivered without a manifest.
    pub files: Vec<String>,
    /// Whether a delivery comes with a manifest.
    pub manifest: ManifestRule,
    /// Where the period of a delivery stands.
    pub period: PeriodRule,
    /// What a later delivery does to an earlier one.
    pub revision: RevisionRule,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Share of quarantined rows above which the whole delivery is refused.
    pub reject_threshold: f64,
    /// Columns whose sums the manifest states.
    pub control_totals: Vec<String>,
    /// How the file is written.
    pub format: Format,
    /// The source whose files hold these records inside its own; they arrive with it.
    pub child_of: Option<String>,
    /// Files that are pages of one delivery.
    pub pages: Option<Pages>,
    /// Wide headers that become rows.
    pub unpivot: Option<Unpivot>,
    /// The columns, in the order of the staging table.
    pub columns: Vec<Column>,
    /// What is done when the file's columns are not those.
    pub drift: DriftPolicy,
    /// Conditions over the columns of one row.
    pub rules: Vec<RowRule>,
    /// The column whose days must lie in the delivery's period.
    pub period_check: Option<PeriodCheck>,
    /// Columns no two rows of a delivery may agree in; empty asks nothing.
    pub unique: Vec<String>,
    /// Rows of other sources that rows of this one belong to.
    pub references: Vec<Reference>,
}

/// How often a source is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every quarter.
    Quarterly,
    /// Twice a year.
    HalfYearly,
    /// Every year.
    Yearly,
    /// Without a calendar.
    Irregular,
}

impl Cadence {
    /// The word written in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::HalfYearly => "half_yearly",
            Self::Yearly => "yearly",
            Self::Irregular => "irregular",
        }
    }
}

/// Whether a delivery comes with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestRule {
    /// A file without its manifest is refused.
    Required,
    /// The provider writes none.
    None,
}

/// Where the period of a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeriodRule {
    /// The source has no period; its table is not partitioned.
    None,
    /// In the manifest.
    Manifest,
    /// In the file name, captured by the first group of the pattern.
    Filename {
        /// Regular expression with one group, such as `_(\d{6})\.`.
        pattern: String,
    },
}

impl PeriodRule {
    /// Whether staging rows carry `_period`.
    pub fn is_partitioned(&self) -> bool {
        *self != Self::None
    }
}

/// What a later delivery does to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionRule {
    /// The highest revision of a period is the period's content.
    ReplacePeriod,
    /// Rows are added.
    Append,
    /// Rows are added; the latest by key counts.
    Upsert,
}

impl Contract {
    /// Reads and checks a contract. `file_name` is used in messages, and its stem must be the
    /// source's name.
    pub fn parse(yaml: &str, file_name: &str) -> Result<Self, ContractError> {
        check::parse(yaml, file_name)
    }

    /// The column of that staging name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether rows carry a resident number.
    pub fn has_identity(&self) -> bool {
        self.columns
            .iter()
            .any(|column| column.column_type.is_direct_identifier())
    }
}

#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod tests;
