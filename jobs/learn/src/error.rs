//! What can go wrong between a table and a trained model.
//!
//! No message carries a value of the data: rows are persons, so an error names
//! columns, counts and dates only.

use arrow_schema::DataType;
use chrono::NaiveDate;
use thiserror::Error;

/// Errors of training, evaluation and scoring. None is worth retrying: the same
/// input gives the same error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A column named in the specification is not in the batch.
    #[error("column {column} ({role}) is not in the batch{}", suggestion(.nearest))]
    MissingColumn {
        /// The name looked for.
        column: String,
        /// What the column is needed for.
        role: &'static str,
        /// The most similar name present, if any is similar.
        nearest: Option<String>,
    },
    /// A column has a type that cannot serve its role.
    #[error("column {column} has type {data_type}, which cannot be read as {wanted}")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its Arrow type.
        data_type: DataType,
        /// What it should become.
        wanted: &'static str,
    },
    /// A key, date or label column is null where it must not be.
    #[error("column {column} is null in {rows} rows; {requirement}")]
    UnexpectedNull {
        /// The column.
        column: String,
        /// How many rows.
        rows: usize,
        /// Why it must not be null.
        requirement: &'static str,
    },
    /// The grain (entity, entry date) is not unique.
    #[error(
        "{rows} rows repeat an (entity, entry date) pair; make the grain of the feature table unique"
    )]
    DuplicateRows {
        /// Rows beyond the first of each pair.
        rows: usize,
    },
    /// A label is present although it is known only after the date of training.
    #[error(
        "leakage: {rows} rows carry a label that becomes known after {as_of}; set it to null until then"
    )]
    LabelFromTheFuture {
        /// Offending rows.
        rows: usize,
        /// The date up to which knowledge may be used.
        as_of: NaiveDate,
    },
    /// A label claims to be known before its follow-up period is over. Rows whose
    /// success is known early but whose failure is not would bias the training set.
    #[error(
        "leakage: {rows} rows carry a label known earlier than {horizon_days} days after entry; \
         use entry + follow-up + reporting lag as the knowledge date of every row"
    )]
    LabelKnownTooEarly {
        /// Offending rows.
        rows: usize,
        /// The follow-up period of the target.
        horizon_days: i64,
    },
    /// A training row's label was not known at the cut-off.
    #[error("leakage: {rows} training rows have a label not yet known at the cut-off {cutoff}")]
    TrainingLabelUnknown {
        /// Offending rows.
        rows: usize,
        /// The cut-off of the split.
        cutoff: NaiveDate,
    },
    /// An evaluation row was already known, or had already entered, at the cut-off.
    #[error("leakage: {rows} evaluation rows entered or were known before the cut-off {cutoff}")]
    EvaluationRowKnown {
        /// Offending rows.
        rows: usize,
        /// The cut-off of the split.
        cutoff: NaiveDate,
    },
    /// No cut-off leaves enough labelled rows on both sides.
    #[error("no temporal split is possible: {reason}")]
    NoTemporalSplit {
        /// What is missing.
        reason: String,
    },
    /// All labels are equal: there is nothing to learn.
    #[error(
        "all {rows} labelled rows are {}; a model needs both outcomes",
        class_word(*.positive)
    )]
    OneClass {
        /// Labelled rows.
        rows: usize,
        /// The class that all rows have.
        positive: bool,
    },
    /// No labelled rows at all.
    #[error("no labelled rows to {purpose}")]
    NoRows {
        /// What the rows were needed for.
        purpose: &'static str,
    },
    /// No feature varies in the training rows.
    #[error("every feature is constant or missing in the {rows} training rows")]
    NoUsableFeature {
        /// Training rows.
        rows: usize,
    },
    /// A group column named in a plan is not in the data set.
    #[error(
        "{column} is not among the group columns of the data set; add it to DatasetSpec::groups"
    )]
    UnknownGroup {
        /// The name looked for.
        column: String,
    },
    /// Two parallel inputs differ in length, or one has a value out of range.
    #[error("invalid input to {operation}: {reason}")]
    InvalidInput {
        /// The function.
        operation: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The batches could not be read, or not twice the same.
    #[error("the training rows cannot be read: {0}")]
    Source(String),
    /// The solver gave up.
    #[error("the logistic solver failed: {0}")]
    Solver(String),
    /// A serialised model cannot be read.
    #[error("the model file cannot be read")]
    Json(#[from] serde_json::Error),
    /// A serialised model of another format.
    #[error("the model file has format {found}; this program reads {expected}")]
    UnknownFormat {
        /// What the file says.
        found: String,
        /// What is understood.
        expected: String,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default()
}

fn class_word(positive: bool) -> &'static str {
    if positive { "positive" } else { "negative" }
}
