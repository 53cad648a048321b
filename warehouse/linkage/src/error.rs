//! What can be wrong with settings and records.

use arrow_schema::ArrowError;
use thiserror::Error;

/// One line each: what is wrong where, and what to do.
#[derive(Debug, Error)]
pub enum LinkageError {
    /// The text is not YAML of the expected shape.
    #[error("linkage settings: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// A key holds a value that makes no sense.
    #[error("linkage settings, {place}: {problem}")]
    Settings {
        /// The comparison, level or key.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A rule is not SQL, or not the part of SQL that is understood.
    #[error("rule '{rule}': {problem}")]
    Rule {
        /// The rule as written.
        rule: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A source lacks a column the settings name.
    #[error("source {source_name} has no column {column}; it has {columns}")]
    Column {
        /// The source as named by the caller.
        source_name: String,
        /// The column the settings want.
        column: String,
        /// The columns that are there.
        columns: String,
    },
    /// The records cannot be linked as they stand.
    #[error("source {source_name}: {problem}")]
    Records {
        /// The source as named by the caller.
        source_name: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Parameters that belong to other settings.
    #[error("linkage parameters: {0}")]
    Parameters(String),
    /// A row number outside the records.
    #[error("row {0} is not among the records")]
    Row(u32),
    /// A column could not be read as text.
    #[error("reading a column as text: {0}")]
    Arrow(#[from] ArrowError),
}

impl LinkageError {
    pub(crate) fn settings(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Settings {
            place: place.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn rule(rule: &str, problem: impl Into<String>) -> Self {
        Self::Rule {
            rule: rule.to_owned(),
            problem: problem.into(),
        }
    }
}
