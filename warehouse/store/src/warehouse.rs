//! The warehouse folder: tables, their versions, and how the ledger keeps up with the logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use goyong_types::TableName;
use object_store::ObjectStore;

use crate::activity::Activity;
use crate::commit::StoredMetadata;
use crate::content_hash::sha256_hex;
use crate::durable::create_directories;
use crate::encoder::absolute;
use crate::error::{LogDamage, Result, StoreError};
use crate::lake::{Claim, Lake, REQUESTS_TOGETHER, StoredFile, create_local, entry_of};
use crate::ledger::{Ledger, RecordedCommit};
use crate::snapshot::{DataFile, TableSnapshot};

/// Where the warehouse is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The warehouse folder.
    pub root: PathBuf,
    /// `s3://bucket/prefix` that holds the tables; `lake/` of the folder when absent. How the store is reached is told
    /// by the standard AWS variables.
    pub lake: Option<String>,
}

impl StoreConfig {
    /// A warehouse that lies in one folder.
    pub fn in_folder(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            lake: None,
        }
    }
}

/// A table's newest commit, to see later whether it still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestCommit {
    version: i64,
    file: StoredFile,
}

/// The tables of a warehouse folder and its state database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Warehouse {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    ledger: Ledger,
    lake: Lake,
    activity: Activity,
}

impl Warehouse {
    /// Makes the folders and the state database. A warehouse that exists is opened.
    pub async fn create(config: &StoreConfig) -> Result<Self> {
        Self::create_to(config, Claim::Open).await
    }

    pub(crate) async fn create_to(config: &StoreConfig, claim: Claim) -> Result<Self> {
        if config.lake.is_none() {
            create_local(&config.root)?;
        }
        let locks = config.root.join("state/locks");
        create_directories(&locks).map_err(StoreError::io("create", &locks))?;
        let warehouse = Self::open_ledger(config, true, claim).await?;
        warehouse.catch_up_all().await?;
        Ok(warehouse)
    }

    /// Opens a warehouse and brings the ledger up to the logs.
    ///
    /// A damaged newest commit is an error that names its table; [`Warehouse::open_unchecked`] opens nevertheless.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        Self::open_to(config, Claim::Open).await
    }

    pub(crate) async fn open_to(config: &StoreConfig, claim: Claim) -> Result<Self> {
        let warehouse = Self::open_existing(config, claim).await?;
        warehouse.catch_up_all().await?;
        Ok(warehouse)
    }

    /// Opens a warehouse without looking at the logs, to verify one that is damaged.
    pub async fn open_unchecked(config: &StoreConfig) -> Result<Self> {
        Self::open_existing(config, Claim::Open).await
    }

    async fn open_existing(config: &StoreConfig, claim: Claim) -> Result<Self> {
        if !config.root.join("state/goyong.db").is_file() {
            return Err(StoreError::NoWarehouse {
                root: config.root.clone(),
            });
        }
        Self::open_ledger(config, false, claim).await
    }

    async fn open_ledger(config: &StoreConfig, create: bool, claim: Claim) -> Result<Self> {
        let root = std::path::absolute(&config.root)
            .and_then(std::fs::canonicalize)
            .map_err(StoreError::io("find", &config.root))?;
        let lake = Lake::open(&root, config.lake.as_deref())?;
        let ledger = Ledger::open(&root.join("state/goyong.db"), create).await?;
        let warehouse = Self {
            inner: Arc::new(Inner {
                root,
                ledger,
                lake,
                activity: Activity::default(),
            }),
        };
        warehouse.claim_lake(claim).await?;
        Ok(warehouse)
    }

    /// The same warehouse with its lake behind another store, to see what faults of it do.
    #[cfg(test)]
    pub(crate) fn with_store(&self, store: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner: Arc::new(Inner {
                root: self.inner.root.clone(),
                ledger: self.inner.ledger.clone(),
                lake: self.inner.lake.with_store(store),
                activity: Activity::default(),
            }),
        }
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.inner.activity
    }

    async fn catch_up_all(&self) -> Result<()> {
        let mut tables = self.tables_in_lake().await?;
        // A table whose whole folder is gone is known to the ledger alone.
        tables.extend(self.table_names().await?);
        let tables: BTreeSet<_> = tables.into_iter().collect();
        let work: Vec<_> = tables.iter().map(|table| self.catch_up(table)).collect();
        let mut caught_up = futures::stream::iter(work).buffered(REQUESTS_TOGETHER);
        while caught_up.try_next().await?.is_some() {}
        self.keep_missing_copies().await
    }

    /// Copies the commits that an older program recorded without a copy, those whose log entry is sound.
    async fn keep_missing_copies(&self) -> Result<()> {
        let mut copies = Vec::new();
        for (table, version, sha256) in self.inner.ledger.without_copy().await? {
            if let Ok(bytes) = self.lake().read(&self.commit_path(&table, version)).await
                && sha256_hex(&bytes) == sha256
            {
                copies.push((table, version, bytes.to_vec()));
            }
        }
        if copies.is_empty() {
            return Ok(());
        }
        self.inner.ledger.keep_copies(&copies).await
    }

    /// The warehouse folder, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Closes the state database. Optional; a crash instead loses nothing.
    pub async fn close(&self) {
        self.inner.ledger.close().await;
    }

    /// All tables, by name.
    pub async fn table_names(&self) -> Result<Vec<TableName>> {
        self.inner.ledger.table_names().await
    }

    /// A table at its newest version, `None` when there is no such table.
    ///
    /// The newest log entry is compared with the ledger: a missing, torn, changed or foreign one is an error.
    pub async fn snapshot(&self, table: &TableName) -> Result<Option<TableSnapshot>> {
        match self.catch_up(table).await? {
            None => Ok(None),
            Some(newest) => self.load(table, newest).await.map(Some),
        }
    }

    /// A table at an older version, `None` when the table or the version does not exist.
    pub async fn snapshot_at(
        &self,
        table: &TableName,
        version: i64,
    ) -> Result<Option<TableSnapshot>> {
        let commit = match self.inner.ledger.commit(table, version).await? {
            Some(commit) => commit,
            // The log may be ahead of the ledger.
            None => {
                self.catch_up(table).await?;
                match self.inner.ledger.commit(table, version).await? {
                    Some(commit) => commit,
                    None => return Ok(None),
                }
            }
        };
        self.check_commit(table, &commit).await?;
        self.load(table, commit).await.map(Some)
    }

    /// A version's commit as it lies in the lake, `None` when the version is not the newest or its commit cannot be
    /// seen.
    pub async fn newest_commit(&self, table: &TableName, version: i64) -> Option<NewestCommit> {
        let lake = self.lake();
        let next = self.commit_path(table, version + 1);
        let this = self.commit_path(table, version);
        let (next, this) = futures::join!(lake.stat(&next), lake.stat(&this));
        let is_newest = next.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let file = this.ok().filter(|_| is_newest)?;
        Some(NewestCommit { version, file })
    }

    /// Whether nothing was committed to a table since then. Reads neither the log nor the ledger.
    pub async fn is_still_newest(&self, table: &TableName, commit: &NewestCommit) -> bool {
        self.newest_commit(table, commit.version).await.as_ref() == Some(commit)
    }

    /// The newest version an application committed to a table, to look up before a step is run again.
    pub async fn application_version(
        &self,
        table: &TableName,
        application: &str,
    ) -> Result<Option<i64>> {
        self.catch_up(table).await?;
        self.inner
            .ledger
            .application_version(table, application)
            .await
    }

    /// Whether the newest commit of a table is an application's transaction: then running its step again would only
    /// repeat it. Answers that version.
    pub async fn newest_is_of(
        &self,
        table: &TableName,
        application: &(String, i64),
    ) -> Result<Option<i64>> {
        let newest = self.catch_up(table).await?.map(|commit| commit.version);
        let found = self
            .inner
            .ledger
            .application_commit(table, application)
            .await?;
        Ok(found.filter(|found| Some(*found) == newest))
    }

    /// The application whose transaction a commit is.
    pub async fn transaction_of(&self, table: &TableName, version: i64) -> Result<Option<String>> {
        self.inner.ledger.transaction_of(table, version).await
    }

    /// A small value remembered between runs.
    pub async fn memo_get(&self, scope: &str, key: &str) -> Result<Option<String>> {
        self.inner.ledger.memo_get(scope, key).await
    }

    /// Remembers a small value. Never put personal data here.
    pub async fn memo_put(&self, scope: &str, key: &str, value: &str) -> Result<()> {
        self.inner.ledger.memo_put(scope, key, value).await
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.inner.lake
    }

    /// What the path of every data file begins with: `lake` in the warehouse folder, or the URL of an object store.
    pub fn lake_base(&self) -> &Path {
        self.inner.lake.base()
    }

    /// Bytes that a file of the lake has.
    pub async fn length_of(&self, file: &Path) -> Result<u64> {
        let found = self.lake().stat(file).await;
        Ok(found.map_err(StoreError::io("look at", file))?.bytes)
    }

    /// The files of the lake by their paths below [`Warehouse::lake_base`], for whoever reads them.
    pub fn lake_files(&self) -> Result<Arc<dyn ObjectStore>> {
        files_of(self.lake())
    }

    pub(crate) fn table_directory(&self, table: &TableName) -> PathBuf {
        self.inner.lake.table_directory(table)
    }

    pub(crate) fn commit_path(&self, table: &TableName, version: i64) -> PathBuf {
        entry_of(&self.table_directory(table), version)
    }

    /// Tables whose files are in the lake, by name.
    pub(crate) async fn tables_in_lake(&self) -> Result<Vec<TableName>> {
        let lake = self.lake();
        let tables = lake.tables().await;
        tables.map_err(StoreError::io("list", lake.base()))
    }

    /// Records the commits the ledger does not have yet and checks the newest; answers it.
    pub(crate) async fn catch_up(&self, table: &TableName) -> Result<Option<RecordedCommit>> {
        let recorded = self.inner.ledger.newest_commit(table).await?;
        let recorded_version = recorded.as_ref().map_or(-1, |commit| commit.version);
        let found = self.lake().newest_version(table, recorded_version).await;
        let found_version = found.map_err(StoreError::io("list", self.table_directory(table)))?;
        if found_version < recorded_version {
            return Err(StoreError::DamagedLog {
                table: table.clone(),
                version: recorded_version,
                problem: LogDamage::Missing,
            });
        }
        if let Some(commit) = &recorded {
            self.check_commit(table, commit).await?;
        }
        if found_version == recorded_version {
            return Ok(recorded);
        }
        for version in recorded_version + 1..=found_version {
            let bytes = self.read_commit(table, version).await?;
            tracing::info!(%table, version, "the ledger takes over a commit from the log");
            self.inner.ledger.record(table, version, &bytes).await?;
        }
        self.inner.ledger.newest_commit(table).await
    }

    /// Compares a log entry with what was recorded.
    pub(crate) async fn check_commit(
        &self,
        table: &TableName,
        commit: &RecordedCommit,
    ) -> Result<()> {
        let bytes = self.read_commit(table, commit.version).await?;
        let found = bytes.len() as u64;
        let problem = if found == 0 {
            LogDamage::ZeroLength
        } else if found < commit.bytes {
            LogDamage::Torn {
                found,
                expected: commit.bytes,
            }
        } else if sha256_hex(&bytes) != commit.sha256 {
            LogDamage::Altered
        } else {
            return Ok(());
        };
        Err(StoreError::DamagedLog {
            table: table.clone(),
            version: commit.version,
            problem,
        })
    }

    async fn read_commit(&self, table: &TableName, version: i64) -> Result<Bytes> {
        let path = self.commit_path(table, version);
        self.lake().read(&path).await.map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                StoreError::DamagedLog {
                    table: table.clone(),
                    version,
                    problem: LogDamage::Missing,
                }
            } else {
                StoreError::io("read", &path)(source)
            }
        })
    }

    async fn load(&self, table: &TableName, commit: RecordedCommit) -> Result<TableSnapshot> {
        let ledger = &self.inner.ledger;
        let version = commit.version;
        if ledger.is_expired(table, version).await? {
            return Err(StoreError::Expired {
                table: table.clone(),
                version,
            });
        }
        let metadata =
            ledger
                .metadata(table, version)
                .await?
                .ok_or_else(|| StoreError::Contradiction {
                    table: table.clone(),
                    version,
                    problem: "no commit up to it names the columns".to_owned(),
                })?;
        let metadata = StoredMetadata::parse(table, &metadata)?;
        let directory = self.table_directory(table);
        let files = ledger
            .files(table, version)
            .await?
            .into_iter()
            .map(|file| DataFile {
                path: absolute(&directory, &file.path),
                size: file.bytes,
                rows: file.rows,
                partition: file.partition,
                sha256: file.sha256,
            })
            .collect();
        let partitions: BTreeMap<_, _> = ledger
            .partitions(table, version)
            .await?
            .into_iter()
            .collect();
        Ok(TableSnapshot {
            table: table.clone(),
            version,
            schema: Arc::new(metadata.schema),
            partition_column: metadata.partition_column,
            files,
            partitions,
            description: metadata.description,
            columns: metadata.notes,
            commit_sha256: commit.sha256,
        })
    }
}

/// The files of a configuration's lake by their paths below its base, for a reader who opens no warehouse.
pub fn lake_files(config: &StoreConfig) -> Result<Arc<dyn ObjectStore>> {
    files_of(&Lake::open(&config.root, config.lake.as_deref())?)
}

fn files_of(lake: &Lake) -> Result<Arc<dyn ObjectStore>> {
    let opened = lake.reader().map_err(std::io::Error::other);
    opened.map_err(StoreError::io("open", lake.base()))
}
