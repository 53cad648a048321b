use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use goyong_types::TableName;

use crate::declared_test::{Range, Scalar, Severity};
use crate::header::{CheckHeader, Materialized, ModelHeader};

/// One table defined by a select.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The table it makes.
    pub table: TableName,
    /// Path relative to the project.
    pub file: String,
    /// What its header says.
    pub header: ModelHeader,
    /// The select before rendering, at the lines it has in the file.
    pub body: String,
    /// Every table its text names.
    pub inputs: BTreeSet<TableName>,
    /// The variables its text names.
    pub vars: BTreeSet<String>,
    /// First and last month, relative to a partition's own, read of these inputs.
    pub reads: BTreeMap<TableName, (i32, i32)>,
    /// The columns with the first and the last day of rows, of inputs read by the days of the month.
    pub during: BTreeMap<TableName, (String, String)>,
    /// The inputs whose months are the partitions.
    pub partitions_from: Vec<TableName>,
    /// The key's column in inputs that call it otherwise.
    pub key_of: BTreeMap<TableName, String>,
    /// Order of the stored rows: total, because it ends in what the grain adds.
    pub sort_by: Vec<String>,
    /// Everything tested beside the grain.
    pub tests: Vec<Test>,
    /// Column types of inputs that may not exist yet.
    pub expects: BTreeMap<TableName, BTreeMap<String, String>>,
}

impl Model {
    /// The month column where the model is partitioned.
    pub fn partition_column(&self) -> Option<&str> {
        match self.header.materialized {
            Materialized::Partitioned => self.header.partition_by.as_deref(),
            _ => None,
        }
    }

    /// Columns whose values identify a person, by the project's naming rule or by tag.
    pub fn is_person_column(&self, column: &str) -> bool {
        is_person_column(column)
            || self.header.columns.get(column).is_some_and(|header| {
                header
                    .tags
                    .iter()
                    .any(|tag| matches!(tag.as_str(), "pseudonym" | "direct_identifier"))
            })
    }
}

/// Whether a column's name says that it identifies a person.
pub fn is_person_column(column: &str) -> bool {
    column == "person_key" || column.ends_with("_person_key")
}

/// A statement about a model's rows that a build checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What is stated.
    pub kind: TestKind,
    /// What a failure means.
    pub severity: Severity,
    /// SQL condition on the rows it is stated of; all rows without it.
    pub condition: Option<String>,
}

/// What is stated of a model's rows.
#[derive(Debug, Clone, PartialEq)]
pub enum TestKind {
    /// The column has a value in every row.
    NotNull {
        /// The column.
        column: String,
    },
    /// No two rows agree in the columns; rows with a null in one of them are left out.
    Unique {
        /// The columns.
        columns: Vec<String>,
    },
    /// The column holds only these values.
    AcceptedValues {
        /// The column.
        column: String,
        /// The values.
        values: Vec<Scalar>,
    },
    /// Every value of the column occurs in another table.
    Relationship {
        /// The column.
        column: String,
        /// The other table.
        to: TableName,
        /// Its column.
        field: String,
    },
    /// The column's values lie between two bounds.
    Range {
        /// The column.
        column: String,
        /// The bounds.
        range: Range,
    },
    /// The condition is false on no row.
    Expression {
        /// The condition in SQL.
        condition: String,
    },
}

impl From<TestKind> for Test {
    fn from(kind: TestKind) -> Self {
        Self {
            kind,
            severity: Severity::Error,
            condition: None,
        }
    }
}

impl Test {
    /// Whether one row alone decides: such a test can be run on the changed months only.
    pub fn is_per_row(&self) -> bool {
        !matches!(
            self.kind,
            TestKind::Unique { .. } | TestKind::Relationship { .. }
        )
    }

    /// Whether a failure is reported and holds nothing back.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warn
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        match &self.condition {
            Some(condition) => write!(formatter, " where {condition}"),
            None => Ok(()),
        }
    }
}

impl TestKind {
    /// The word a header uses.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotNull { .. } => "not_null",
            Self::Unique { .. } => "unique",
            Self::AcceptedValues { .. } => "accepted_values",
            Self::Relationship { .. } => "relationships",
            Self::Range { .. } => "range",
            Self::Expression { .. } => "expression",
        }
    }
}

impl fmt::Display for TestKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull { column } => write!(formatter, "not_null({column})"),
            Self::Unique { columns } => write!(formatter, "unique({})", columns.join(", ")),
            Self::AcceptedValues { column, .. } => write!(formatter, "accepted_values({column})"),
            Self::Relationship { column, to, field } => {
                write!(formatter, "relationships({column} in {to}.{field})")
            }
            Self::Range { column, .. } => write!(formatter, "range({column})"),
            Self::Expression { condition } => write!(formatter, "expression({condition})"),
        }
    }
}

/// A query that must return no row.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// File stem.
    pub name: String,
    /// Path relative to the project.
    pub file: String,
    /// What its header says.
    pub header: CheckHeader,
    /// The select before rendering.
    pub body: String,
    /// Every table its text names.
    pub inputs: BTreeSet<TableName>,
    /// The variables its text names.
    pub vars: BTreeSet<String>,
}
