//! What can go wrong in the engine.

use datafusion::error::DataFusionError;
use goyong_catalog::{Problem, ProjectError, SelectionError};
use goyong_store::StoreError;
use goyong_types::TableName;

/// The result of an engine operation.
pub type Result<T> = std::result::Result<T, EngineError>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The project cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// One text of the project cannot be compiled.
    #[error("{0}")]
    Compile(Problem),
    /// The selection means no model.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement is refused before it is planned: too long, too deep, not a query.
    #[error("{0}")]
    Refused(String),
    /// A statement cannot be planned: an unknown name, a wrong type.
    #[error("{0}")]
    Plan(String),
    /// A statement failed while it ran.
    #[error("{0}")]
    Run(String),
    /// A statement wants more memory than it may have.
    #[error("{0}")]
    Memory(String),
    /// A query ran longer than it may.
    #[error("the query ran longer than {seconds} s and was stopped; narrow it down")]
    TimeLimit {
        /// The limit.
        seconds: u64,
    },
    /// Rows of a model break its grain; nothing was stored.
    #[error("{table}: {problem}")]
    Grain {
        /// The model.
        table: TableName,
        /// Which columns, and an example with person columns masked.
        problem: String,
    },
    /// A model produces a column that no table can store.
    #[error("{table}.{column}: {problem}")]
    Column {
        /// The model.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A model's select gives other columns than its header declares; nothing was computed.
    #[error("{file}: the select does not give the declared columns: {problem}")]
    Contract {
        /// The model's file.
        file: String,
        /// Each difference.
        problem: String,
    },
    /// A table that is read does not exist.
    #[error("{table} does not exist yet: {help}")]
    MissingTable {
        /// The table.
        table: TableName,
        /// What makes it.
        help: String,
    },
    /// A seed's CSV does not fit its description.
    #[error("{file}: {problem}")]
    Seed {
        /// The CSV.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The scheduler of a cluster does not answer.
    #[error(
        "no scheduler answers at {engine}: {problem}; start one with `goyong cluster scheduler`, or set `engine = \"local\"`"
    )]
    Unreachable {
        /// Its address.
        engine: String,
        /// What the network said.
        problem: String,
    },
    /// A node of a cluster cannot run.
    #[error("could not {operation}: {problem}")]
    Node {
        /// What was attempted.
        operation: &'static str,
        /// What was in the way.
        problem: String,
    },
    /// The machine refused something the engine needs.
    #[error("could not {operation}")]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl From<arrow_schema::ArrowError> for EngineError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Run(error.to_string())
    }
}

impl EngineError {
    /// Whether the same statement may succeed with less memory-hungry joins or alone.
    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Names the statement a plan or run error belongs to.
    pub(crate) fn of(error: DataFusionError, what: &str) -> Self {
        if is_memory(&error) {
            tracing::debug!(what, reason = short(&error), "memory ran out");
            return Self::Memory(format!(
                "{what} needs more memory than it may have; give it more or split it by month"
            ));
        }
        match error.find_root() {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_) => {
                Self::Plan(format!("{what}: {}", short(&error)))
            }
            _ => Self::Run(format!("{what}: {}", short(&error))),
        }
    }
}

/// Whether somewhere inside an error the memory ran out.
pub(crate) fn is_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// DataFusion's message on one line, without its prefixes and stack.
pub(crate) fn short(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    // An optimizer rule that failed wraps the error that says what is wrong.
    let mut text = text.rsplit("\ncaused by\n").next().unwrap_or(&text);
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "Schema error: ",
        "SQL error: ",
        "This feature is not implemented: ",
        "Arrow error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
