//! Many rows in one statement: they travel as one JSON text, which the database takes apart.

use std::fmt::Write;

use crate::{DatabaseError, Transaction, Value};

/// Rows that travel together at most: a text of about a megabyte.
const ROWS: usize = 4_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Texts.
    Text,
}

/// How rows get into a table. Kept in a `static`, so that its texts stay prepared.
#[derive(Debug)]
pub struct Load {
    columns: usize,
    sqlite: String,
    postgres: String,
}

impl Load {
    /// Rows with these columns into a table; the names are written into the statement as they are.
    pub fn into(table: &str, columns: &[(&str, ColumnKind)]) -> Self {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let (mut sqlite, mut postgres) = (Vec::new(), Vec::new());
        for (position, (_, kind)) in columns.iter().enumerate() {
            let mut text = String::new();
            // Writing to a text does not fail.
            let _ = write!(text, "json_extract(value, '$[{position}]')");
            sqlite.push(text);
            postgres.push(match kind {
                ColumnKind::Integer => format!("(value ->> {position})::bigint"),
                ColumnKind::Text => format!("value ->> {position}"),
            });
        }
        let insert = format!("insert into {table} ({}) select ", names.join(", "));
        Self {
            columns: columns.len(),
            sqlite: format!("{insert}{} from json_each($1)", sqlite.join(", ")),
            postgres: format!(
                "{insert}{} from jsonb_array_elements($1::text::jsonb)",
                postgres.join(", ")
            ),
        }
    }
}

impl Transaction {
    /// Inserts rows. Their order is kept in no column.
    ///
    /// # Errors
    /// A row of another length than the columns.
    pub async fn load(
        &mut self,
        load: &'static Load,
        rows: &[Vec<Value>],
    ) -> Result<(), DatabaseError> {
        let sql = self.text_of(crate::Dialects {
            sqlite: &load.sqlite,
            postgres: &load.postgres,
        });
        for some in rows.chunks(ROWS) {
            if some.iter().any(|row| row.len() != load.columns) {
                return Err(DatabaseError::Column(load.columns));
            }
            let text = serde_json::to_string(some)?;
            self.execute(sql, &[Value::Text(text)]).await?;
        }
        Ok(())
    }
}
