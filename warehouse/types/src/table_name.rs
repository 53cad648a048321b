use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A table of the warehouse, `schema.table`, both lower-case ASCII words.
///
/// The restriction makes a name safe as a folder and as an SQL identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: String,
    table: String,
}

/// Text that is no table name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a table name, write schema.table in lower-case letters, digits and underscores"
)]
pub struct TableNameError(String);

impl TableName {
    /// A table of a schema.
    pub fn new(schema: &str, table: &str) -> Result<Self, TableNameError> {
        let is_word = |word: &str| {
            word.len() <= 100
                && word.starts_with(|first: char| first.is_ascii_lowercase())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if is_word(schema) && is_word(table) {
            Ok(Self {
                schema: schema.to_owned(),
                table: table.to_owned(),
            })
        } else {
            Err(TableNameError(format!("{schema}.{table}")))
        }
    }

    /// The schema, a folder of the lake.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table inside its schema.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.table)
    }
}

impl FromStr for TableName {
    type Err = TableNameError;

    fn from_str(text: &str) -> Result<Self, TableNameError> {
        match text.split_once('.') {
            Some((schema, table)) => Self::new(schema, table),
            None => Err(TableNameError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = TableNameError;

    fn try_from(text: String) -> Result<Self, TableNameError> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_lake_are_refused() {
        for text in [
            "core",
            "../etc.passwd",
            "core.a/b",
            "Core.person",
            "core.",
            ".x",
            "a.b.c",
        ] {
            assert!(text.parse::<TableName>().is_err(), "{text}");
        }
    }
}
