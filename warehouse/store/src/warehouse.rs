//! The warehouse folder: tables, their versions, and how the ledger keeps up with the logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use deltalake_core::logstore::{LogStoreRef, StorageConfig, logstore_with};
use goyong_types::TableName;
use object_store::ObjectStore;
use url::Url;

use crate::activity::Activity;
use crate::commit::StoredMetadata;
use crate::content_hash::sha256_hex;
use crate::durable::{DurableLocalStore, create_directories};
use crate::encoder::absolute;
use crate::error::{LogDamage, Result, StoreError};
use crate::ledger::{Ledger, RecordedCommit};
use crate::snapshot::{DataFile, TableSnapshot};

/// Where the warehouse is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The warehouse folder.
    pub root: PathBuf,
}

/// A table's newest commit, to see later whether it still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestCommit {
    version: i64,
    bytes: u64,
    modified: SystemTime,
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
    store: Arc<dyn ObjectStore>,
    activity: Activity,
}

impl Warehouse {
    /// Makes the folders and the state database. A warehouse that exists is opened.
    pub async fn create(config: &StoreConfig) -> Result<Self> {
        for folder in ["lake", "state/locks"] {
            let folder = config.root.join(folder);
            create_directories(&folder).map_err(StoreError::io("create", &folder))?;
        }
        let warehouse = Self::open_ledger(config, true).await?;
        warehouse.catch_up_all().await?;
        Ok(warehouse)
    }

    /// Opens a warehouse and brings the ledger up to the logs.
    ///
    /// A damaged newest commit is an error that names its table; [`Warehouse::open_unchecked`] opens nevertheless.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        let warehouse = Self::open_unchecked(config).await?;
        warehouse.catch_up_all().await?;
        Ok(warehouse)
    }

    /// Opens a warehouse without looking at the logs, to verify one that is damaged.
    pub async fn open_unchecked(config: &StoreConfig) -> Result<Self> {
        if !config.root.join("state/goyong.db").is_file() {
            return Err(StoreError::NoWarehouse {
                root: config.root.clone(),
            });
        }
        Self::open_ledger(config, false).await
    }

    async fn open_ledger(config: &StoreConfig, create: bool) -> Result<Self> {
        let root = std::path::absolute(&config.root)
            .and_then(std::fs::canonicalize)
            .map_err(StoreError::io("find", &config.root))?;
        let ledger = Ledger::open(&root.join("state/goyong.db"), create).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                ledger,
                store: Arc::new(DurableLocalStore::new()),
                activity: Activity::default(),
            }),
        })
    }

    /// The same warehouse with logs behind another store, to see what faults of it do.
    #[cfg(test)]
    pub(crate) fn with_store(&self, store: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner: Arc::new(Inner {
                root: self.inner.root.clone(),
                ledger: self.inner.ledger.clone(),
                store,
                activity: Activity::default(),
            }),
        }
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.inner.activity
    }

    async fn catch_up_all(&self) -> Result<()> {
        let mut tables = self.tables_on_disk()?;
        // A table whose whole folder is gone is known to the ledger alone.
        tables.extend(self.table_names().await?);
        for table in tables.into_iter().collect::<BTreeSet<_>>() {
            self.catch_up(&table).await?;
        }
        self.keep_missing_copies().await
    }

    /// Copies the commits that an older program recorded without a copy, those whose log entry is sound.
    async fn keep_missing_copies(&self) -> Result<()> {
        let mut copies = Vec::new();
        for (table, version, sha256) in self.inner.ledger.without_copy().await? {
            if let Ok(bytes) = std::fs::read(self.commit_path(&table, version))
                && sha256_hex(&bytes) == sha256
            {
                copies.push((table, version, bytes));
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
        self.check_commit(table, &commit)?;
        self.load(table, commit).await.map(Some)
    }

    /// A version's commit as it lies on disk, `None` when the version is not the newest or its commit is not there.
    pub fn newest_commit(&self, table: &TableName, version: i64) -> Option<NewestCommit> {
        if self.commit_path(table, version + 1).exists() {
            return None;
        }
        let file = std::fs::metadata(self.commit_path(table, version)).ok()?;
        Some(NewestCommit {
            version,
            bytes: file.len(),
            modified: file.modified().ok()?,
        })
    }

    /// Whether nothing was committed to a table since then. Reads neither the log nor the ledger.
    pub fn is_still_newest(&self, table: &TableName, commit: &NewestCommit) -> bool {
        self.newest_commit(table, commit.version).as_ref() == Some(commit)
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

    pub(crate) fn table_directory(&self, table: &TableName) -> PathBuf {
        self.inner
            .root
            .join("lake")
            .join(table.schema())
            .join(table.table())
    }

    /// The Delta log of a table, through the syncing store.
    pub(crate) fn log_store(&self, table: &TableName) -> Result<LogStoreRef> {
        let directory = self.table_directory(table);
        let location = Url::from_directory_path(&directory).map_err(|()| {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            StoreError::io("use as a table folder", &directory)(source)
        })?;
        let store = Arc::clone(&self.inner.store);
        logstore_with(store, &location, StorageConfig::default())
            .map_err(StoreError::delta("open the log", table))
    }

    pub(crate) fn commit_path(&self, table: &TableName, version: i64) -> PathBuf {
        self.table_directory(table)
            .join("_delta_log")
            .join(format!("{version:020}.json"))
    }

    /// Tables that have a log folder, by name.
    pub(crate) fn tables_on_disk(&self) -> Result<Vec<TableName>> {
        let mut tables = Vec::new();
        for schema in directory_names(&self.inner.root.join("lake"))? {
            for table in directory_names(&self.inner.root.join("lake").join(&schema))? {
                if let Ok(name) = TableName::new(&schema, &table)
                    && self.table_directory(&name).join("_delta_log").is_dir()
                {
                    tables.push(name);
                }
            }
        }
        tables.sort();
        Ok(tables)
    }

    /// Records the commits the ledger does not have yet and checks the newest; answers it.
    pub(crate) async fn catch_up(&self, table: &TableName) -> Result<Option<RecordedCommit>> {
        let on_disk = newest_log_version(&self.table_directory(table).join("_delta_log"))?;
        let recorded = self.inner.ledger.newest_commit(table).await?;
        let recorded_version = recorded.as_ref().map_or(-1, |commit| commit.version);
        let on_disk_version = on_disk.unwrap_or(-1);
        if on_disk_version < recorded_version {
            return Err(StoreError::DamagedLog {
                table: table.clone(),
                version: recorded_version,
                problem: LogDamage::Missing,
            });
        }
        if let Some(commit) = &recorded {
            self.check_commit(table, commit)?;
        }
        if on_disk_version == recorded_version {
            return Ok(recorded);
        }
        for version in recorded_version + 1..=on_disk_version {
            let bytes = self.read_commit(table, version)?;
            tracing::info!(%table, version, "the ledger takes over a commit from the log");
            self.inner.ledger.record(table, version, &bytes).await?;
        }
        self.inner.ledger.newest_commit(table).await
    }

    /// Compares a log entry with what was recorded.
    pub(crate) fn check_commit(&self, table: &TableName, commit: &RecordedCommit) -> Result<()> {
        let bytes = self.read_commit(table, commit.version)?;
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

    fn read_commit(&self, table: &TableName, version: i64) -> Result<Vec<u8>> {
        let path = self.commit_path(table, version);
        std::fs::read(&path).map_err(|source| {
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

fn directory_names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(StoreError::io("list", directory))? {
        let entry = entry.map_err(StoreError::io("list", directory))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// The highest version that has a JSON entry in a log folder.
pub(crate) fn newest_log_version(log: &Path) -> Result<Option<i64>> {
    let entries = match std::fs::read_dir(log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("list", log)(error)),
    };
    let mut newest = None;
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", log))?;
        newest = newest.max(log_version(&entry.file_name().to_string_lossy()));
    }
    Ok(newest)
}

/// The version a log entry's file name stands for.
pub(crate) fn log_version(file_name: &str) -> Option<i64> {
    let digits = file_name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
