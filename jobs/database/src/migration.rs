//! Schemas that only go forward: a table counts the migrations applied.

use crate::{Database, DatabaseError, Dialects};

/// One step of a schema.
#[derive(Debug, Clone, Copy)]
pub enum Migration {
    /// Statements both databases take.
    Same(&'static str),
    /// Statements for each.
    Each(Dialects),
}

/// The migrations of one part of the state, in order, and the statements about the table that counts them.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// Makes the table where it is not there.
    pub make_table: &'static str,
    /// Answers the newest number, 0 where there is none.
    pub newest: &'static str,
    /// Counts `$1`.
    pub count: &'static str,
    /// The steps; the first has number 1.
    pub steps: &'static [Migration],
}

/// Why a schema was not brought forward.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A newer program migrated it.
    #[error("schema {found} is newer than {known}, which this program knows")]
    Newer {
        /// Migrations applied.
        found: i64,
        /// Migrations known here.
        known: i64,
    },
}

impl Database {
    /// Applies what is not applied yet, all of it or nothing.
    ///
    /// # Errors
    /// A schema newer than the steps is left alone.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), MigrationError> {
        let mut transaction = self.begin().await?;
        transaction.script(migrations.make_table).await?;
        let rows = transaction.query(migrations.newest, &[]).await?;
        let found = rows.first().ok_or(DatabaseError::Column(0))?.integer(0)?;
        let known = migrations.steps.len() as i64;
        if found > known {
            return Err(MigrationError::Newer { found, known });
        }
        for (number, step) in (1i64..).zip(migrations.steps) {
            if number <= found {
                continue;
            }
            let text = match step {
                Migration::Same(text) => text,
                Migration::Each(dialects) => transaction.text_of(*dialects),
            };
            transaction.script(text).await?;
            transaction
                .execute(migrations.count, &[number.into()])
                .await?;
        }
        Ok(transaction.commit().await?)
    }
}
