//! Whose tables an object store holds.
//!
//! A folder holds state and tables together; a bucket can be named by anybody. So the lake carries a marker with the
//! warehouse's identity, which the state database knows as well, and a warehouse opens no other lake. The marker is
//! stored by a conditional put, and then once more to see that the store refuses it: a store that ignores the condition
//! would let one commit overwrite another.

use std::io::ErrorKind;

use bytes::Bytes;
use uuid::Uuid;

use super::{Lake, as_io};
use crate::content_hash::sha256_hex;
use crate::error::{Result, StoreError};
use crate::ledger::Ledger;
use crate::warehouse::Warehouse;

const MARKER: &str = "_goyong_warehouse";
/// Scope and key of the identity and the URL.
const MEMO: (&str, &str) = ("lake", "claim");
const FOREIGN: &str = "belongs to another warehouse: name another prefix; if it is this one whose state database was \
                       lost, remove state/goyong.db and run `goyong repair`";

/// Why a lake is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// To work with it.
    Open,
    /// The state database was lost and is made anew from the logs.
    Rebuilt,
}

impl Warehouse {
    /// Makes sure that the lake is this warehouse's; takes one that is new.
    pub(crate) async fn claim_lake(&self, claim: Claim) -> Result<()> {
        let memo = known(self.ledger()).await?;
        let known = memo.split_once(' ');
        let lake = self.lake();
        let url = lake.base().to_string_lossy().into_owned();
        if !lake.is_remote() {
            return match known {
                Some((_, url)) => refused(
                    url,
                    "holds the tables of this warehouse, but `lake` is not set in goyong.toml: set it, or restore a backup \
                     into a new folder to move them",
                ),
                None => Ok(()),
            };
        }
        let tables = self.table_names().await?;
        match (marker(lake).await?, known) {
            (Some(found), Some((id, _))) if found == id => Ok(()),
            (Some(found), None) if claim == Claim::Rebuilt => {
                remember(self.ledger(), &found, &url).await
            }
            (Some(_), _) => refused(&url, FOREIGN),
            (None, Some((id, before))) => {
                let is_here = match tables.first() {
                    Some(table) => self.has_newest_commit(table).await?,
                    None => true,
                };
                if !is_here {
                    return refused(
                        &url,
                        &format!(
                            "does not hold the tables of this warehouse, which are in {before}"
                        ),
                    );
                }
                mark(lake, id, &url).await
            }
            (None, None) if claim == Claim::Open && !tables.is_empty() => refused(
                &url,
                "is set in goyong.toml, but the tables of this warehouse are in its folder: restore a backup into a new \
                 folder to move them",
            ),
            (None, None) if claim == Claim::Open && !self.is_lake_empty().await? => refused(
                &url,
                "is not empty: name another prefix; if its tables are this warehouse's, whose state database was lost, \
                 remove state/goyong.db and run `goyong repair`",
            ),
            (None, None) => {
                let id = Uuid::new_v4().to_string();
                // The database first: a marker that no database knows would be another warehouse's.
                remember(self.ledger(), &id, &url).await?;
                mark(lake, &id, &url).await
            }
        }
    }

    async fn is_lake_empty(&self) -> Result<bool> {
        let tables = self.lake().tables().await;
        let tables = tables.map_err(StoreError::io("list", self.lake().base()))?;
        Ok(tables.is_empty())
    }

    async fn has_newest_commit(&self, table: &goyong_types::TableName) -> Result<bool> {
        let Some(newest) = self.ledger().newest_commit(table).await? else {
            return Ok(true);
        };
        let path = self.commit_path(table, newest.version);
        match self.lake().read(&path).await {
            Ok(bytes) => Ok(sha256_hex(&bytes) == newest.sha256),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }
}

/// Lets a restored state database, which is not in its place yet, belong to the lake that its files are restored to.
/// Refused where that is another warehouse's; one that holds files of the backup is no other's.
pub(crate) async fn claim_for_restore(
    ledger: &Ledger,
    lake: &Lake,
    holds_files: bool,
) -> Result<()> {
    let memo = known(ledger).await?;
    if !lake.is_remote() {
        return match memo.is_empty() {
            true => Ok(()),
            false => ledger.memo_put(MEMO.0, MEMO.1, "").await,
        };
    }
    let url = lake.base().to_string_lossy().into_owned();
    match (marker(lake).await?, memo.split_once(' ')) {
        (Some(found), Some((id, _))) if found == id => remember(ledger, id, &url).await,
        (Some(found), _) if holds_files => remember(ledger, &found, &url).await,
        (Some(_), _) => refused(&url, FOREIGN),
        (None, Some((_, before))) if before == url => Ok(()),
        (None, _) => remember(ledger, &Uuid::new_v4().to_string(), &url).await,
    }
}

/// Identity and URL, empty for a lake in the warehouse folder.
async fn known(ledger: &Ledger) -> Result<String> {
    Ok(ledger.memo_get(MEMO.0, MEMO.1).await?.unwrap_or_default())
}

async fn remember(ledger: &Ledger, id: &str, url: &str) -> Result<()> {
    ledger
        .memo_put(MEMO.0, MEMO.1, &format!("{id} {url}"))
        .await
}

fn refused(location: &str, problem: &str) -> Result<()> {
    Err(StoreError::Lake {
        location: location.to_owned(),
        problem: problem.to_owned(),
    })
}

async fn marker(lake: &Lake) -> Result<Option<String>> {
    let path = lake.base().join(MARKER);
    match lake.read(&path).await {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", &path)(error)),
    }
}

async fn mark(lake: &Lake, id: &str, url: &str) -> Result<()> {
    let path = lake.base().join(MARKER);
    let bytes = Bytes::from(format!("{id}\n"));
    for _ in 0..2 {
        match lake.create(&path, bytes.clone()).await {
            Ok(()) => {}
            Err(object_store::Error::AlreadyExists { .. }) => {
                return match marker(lake).await? {
                    Some(found) if found == id => Ok(()),
                    _ => Err(StoreError::Lake {
                        location: url.to_owned(),
                        problem: "was taken by another warehouse a moment ago: name another prefix"
                            .to_owned(),
                    }),
                };
            }
            Err(error) => return Err(StoreError::io("store", &path)(as_io(error))),
        }
    }
    Err(StoreError::Lake {
        location: url.to_owned(),
        problem: "ignores If-None-Match, so one commit could overwrite another: use a store with conditional writes"
            .to_owned(),
    })
}
