//! Why a table cannot be published.

use thiserror::Error;

/// Why a table cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// A rule names a column the query does not return.
    #[error(
        "table {table} has no column {column}: name it in the query or take it out of the rules"
    )]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column is neither dimension nor count, measure, derived or hidden.
    #[error("column {column} of table {table} has no role: declare it before it can be published")]
    Unclassified {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A row is shorter or longer than the list of columns.
    #[error("row {row} of table {table} has {found} values for {expected} columns")]
    RowLength {
        /// The table.
        table: String,
        /// Position of the row.
        row: usize,
        /// Values in the row.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
    /// Two rows have the same dimensions.
    #[error(
        "rows {first} and {second} of table {table} have the same dimensions: state the grain in the query"
    )]
    RepeatedKey {
        /// The table.
        table: String,
        /// Position of the earlier row.
        first: usize,
        /// Position of the later row.
        second: usize,
    },
    /// A count or a contributor count is negative or not a whole number.
    #[error("row {row} of table {table}: column {column} is not a count")]
    NotACount {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Position of the row.
        row: usize,
    },
    /// Nothing is left to suppress, and a figure could still be recomputed.
    #[error("table {table} cannot be protected in column {column}: publish it at a coarser grain")]
    CannotProtect {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}
