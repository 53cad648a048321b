//! Databases to test on: a SQLite file, and a PostgreSQL server that the tests start and stop.

#[path = "../../../../tests/postgres_server.rs"]
mod postgres_server;

use std::sync::Arc;

pub use postgres_server::Server;
use tempfile::TempDir;

use crate::{Ledger, Location};

/// An empty database; gone when dropped.
pub struct Place {
    pub location: Location,
    _keeps: (Option<TempDir>, Option<Arc<Server>>),
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            location: Location::Sqlite(folder.path().join("runs.db")),
            _keeps: (Some(folder), None),
        }
    }

    pub fn postgres() -> Self {
        let server = Server::shared();
        Self {
            location: Location::Postgres(server.new_database()),
            _keeps: (None, Some(server)),
        }
    }

    pub async fn ledger(&self) -> Arc<Ledger> {
        Arc::new(Ledger::open(&self.location).await.unwrap())
    }
}
