//! Fences: a worker whose run was taken over by a newer one can commit nothing more.
//!
//! A scheduler gives every worker a token that is larger than all before. The worker raises the fence of its run to
//! its token before it writes anything. Every commit is made while the database's only writer's place is held and the
//! fence is seen to stand where this worker put it, so no commit of an older worker can follow the raising by a newer
//! one, however long it was paused in between.

use std::fmt;
use std::str::FromStr;

use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::error::{Result, StoreError};
use crate::ledger::Ledger;
use crate::warehouse::Warehouse;

const OPERATION: &str = "look at a fence";

/// A run and the token of the worker that may commit it; as text `run:token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The run.
    pub run: String,
    /// The worker's token.
    pub token: i64,
}

impl fmt::Display for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.run, self.token)
    }
}

impl FromStr for Fence {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("`{text}` is no run and token, such as night-20260101T173000Z:17");
        let (run, token) = text.rsplit_once(':').ok_or_else(wrong)?;
        match token.parse() {
            Ok(token) if !run.is_empty() => Ok(Self {
                run: run.to_owned(),
                token,
            }),
            _ => Err(wrong()),
        }
    }
}

impl Warehouse {
    /// Raises the fence of a run; everything this handle and its clones commit from here on is committed under it.
    ///
    /// Refused with [`StoreError::Fenced`] when a newer worker raised it further. A handle keeps its first fence.
    pub async fn raise_fence(&self, fence: &Fence) -> Result<()> {
        self.ledger().raise_fence(fence).await
    }
}

impl Ledger {
    async fn raise_fence(&self, fence: &Fence) -> Result<()> {
        let error = StoreError::ledger;
        let fence = self.fence.get_or_init(|| fence.clone());
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error(OPERATION))?;
        sqlx::query(
            "insert into fences (run, token) values (?1, ?2) \
             on conflict (run) do update set token = max(token, excluded.token)",
        )
        .bind(&fence.run)
        .bind(fence.token)
        .execute(&mut *transaction)
        .await
        .map_err(error(OPERATION))?;
        self.check_fence(&mut transaction).await?;
        transaction.commit().await.map_err(error(OPERATION))
    }

    /// Holds the writer's place while the fence stands where it was put; nothing for a handle without one.
    pub(crate) async fn hold_fence(&self) -> Result<Option<Transaction<'static, Sqlite>>> {
        if self.fence.get().is_none() {
            return Ok(None);
        }
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(StoreError::ledger(OPERATION))?;
        self.check_fence(&mut transaction).await?;
        Ok(Some(transaction))
    }

    /// Whether this handle's worker is still the newest of its run.
    pub(crate) async fn check_fence(&self, connection: &mut SqliteConnection) -> Result<()> {
        let Some(fence) = self.fence.get() else {
            return Ok(());
        };
        let newest: i64 = sqlx::query_scalar("select token from fences where run = ?1")
            .bind(&fence.run)
            .fetch_one(connection)
            .await
            .map_err(StoreError::ledger(OPERATION))?;
        if newest == fence.token {
            return Ok(());
        }
        Err(StoreError::Fenced {
            run: fence.run.clone(),
            token: fence.token,
            newest,
        })
    }
}
