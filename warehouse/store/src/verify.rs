//! Verification: every log entry and data file hashed and compared with the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::commit::CommitRecord;
use crate::content_hash::hex;
use crate::encoder::absolute;
use crate::error::{LogDamage, Result, StoreError};
use crate::lake::{Lake, REQUESTS_TOGETHER, log_version};
use crate::release::Release;
use crate::warehouse::{StoreConfig, Warehouse};

/// Threads that hash files.
const THREADS: usize = 2;
const BUFFER_BYTES: usize = 1 << 20;

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// Log entries and data files compared.
    pub files_checked: u64,
    /// Their bytes.
    pub bytes_checked: u64,
    /// What is damaged, by table and path. Empty means sound.
    pub problems: Vec<VerifyProblem>,
    /// Files no version of a table knows: left by a writer that crashed, harmless. Looked for only when the whole
    /// warehouse is verified.
    pub orphans: Vec<PathBuf>,
}

/// One damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyProblem {
    /// The table the file belongs to; `None` for the state database.
    pub table: Option<TableName>,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It has no bytes.
    ZeroLength,
    /// It is shorter than it was.
    Torn {
        /// Bytes found.
        found: u64,
        /// Bytes recorded.
        expected: u64,
    },
    /// Its bytes are not those that were written.
    Altered,
    /// It cannot be read.
    Unreadable(String),
    /// A commit in the log that is not ours or does not follow the ledger.
    Foreign(String),
    /// The state database is damaged.
    Ledger(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(formatter, "is missing"),
            Self::ZeroLength => write!(formatter, "has zero length"),
            Self::Torn { found, expected } => {
                write!(formatter, "is torn ({found} of {expected} bytes)")
            }
            Self::Altered => write!(formatter, "differs from what was written"),
            Self::Unreadable(reason) => write!(formatter, "cannot be read ({reason})"),
            Self::Foreign(reason) | Self::Ledger(reason) => write!(formatter, "{reason}"),
        }
    }
}

impl fmt::Display for VerifyProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = &self.table {
            write!(formatter, "{table}: ")?;
        }
        write!(formatter, "{} {}", self.path.display(), self.damage)
    }
}

/// A file and what it should be.
struct Expected {
    table: TableName,
    path: PathBuf,
    sha256: String,
    bytes: u64,
}

impl Expected {
    fn problem(&self, damage: Damage) -> VerifyProblem {
        VerifyProblem {
            table: Some(self.table.clone()),
            path: self.path.clone(),
            damage,
        }
    }
}

impl Warehouse {
    /// Hashes every log entry and data file of a release, or of all versions, and compares them with the ledger.
    ///
    /// Works on a warehouse whose newest commits are damaged, as far as the ledger can be read.
    pub async fn verify(&self, release: Option<&Release>) -> Result<VerifyReport> {
        let mut report = self.verify_ledger().await?;
        let mut expected = Vec::new();
        let scope: BTreeMap<TableName, Option<i64>> = match release {
            Some(release) => release
                .tables
                .iter()
                .map(|(table, released)| (table.clone(), Some(released.version)))
                .collect(),
            None => self
                .table_names()
                .await?
                .into_iter()
                .chain(self.tables_in_lake().await?)
                .map(|table| (table, None))
                .collect(),
        };
        for (table, version) in &scope {
            expected.extend(self.expected_files(table, *version).await?);
            if version.is_none() {
                self.look_for_strays(table, &expected, &mut report).await?;
            }
        }
        self.compare_with_lake(expected, report).await
    }

    /// Hashes every log entry and data file that one of the releases pins, each once.
    pub(crate) async fn verify_all_of(&self, releases: &[Release]) -> Result<VerifyReport> {
        let report = self.verify_ledger().await?;
        let versions: BTreeSet<(&TableName, i64)> = releases
            .iter()
            .flat_map(|release| &release.tables)
            .map(|(table, released)| (table, released.version))
            .collect();
        let mut expected = BTreeMap::new();
        for (table, version) in versions {
            let files = self.expected_files(table, Some(version)).await?;
            expected.extend(files.into_iter().map(|file| (file.path.clone(), file)));
        }
        self.compare_with_lake(expected.into_values().collect(), report)
            .await
    }

    /// Verifies a folder whatever state it is in: a state database that cannot be opened is a problem of the report.
    pub async fn verify_folder(
        config: &StoreConfig,
        release: Option<&str>,
    ) -> Result<(VerifyReport, Option<Self>)> {
        let database = config.root.join("state/goyong.db");
        let unusable = |damage| VerifyReport {
            problems: vec![VerifyProblem {
                table: None,
                path: database.clone(),
                damage,
            }],
            ..VerifyReport::default()
        };
        let warehouse = match Self::open_unchecked(config).await {
            Ok(warehouse) => warehouse,
            Err(StoreError::NoWarehouse { .. }) if has_lake(config).await? => {
                return Ok((unusable(Damage::Missing), None));
            }
            Err(StoreError::Ledger { source, .. }) => {
                return Ok((unusable(Damage::Ledger(source.to_string())), None));
            }
            Err(error) => return Err(error),
        };
        match warehouse.verify_as_far_as_possible(release).await {
            Ok(report) => Ok((report, Some(warehouse))),
            Err(StoreError::Ledger { source, .. }) => {
                Ok((unusable(Damage::Ledger(source.to_string())), None))
            }
            Err(error) => Err(error),
        }
    }

    async fn verify_as_far_as_possible(&self, release: Option<&str>) -> Result<VerifyReport> {
        // A crash may have left the ledger behind the log; damage is named below.
        for table in self.tables_in_lake().await? {
            match self.catch_up(&table).await {
                Ok(_) | Err(StoreError::DamagedLog { .. } | StoreError::Contradiction { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match release {
            None => self.verify(None).await,
            Some(id) => match self.release(id).await? {
                Some(release) => self.verify(Some(&release)).await,
                None => Err(StoreError::UnknownRelease { id: id.to_owned() }),
            },
        }
    }

    async fn verify_ledger(&self) -> Result<VerifyReport> {
        let database = self.root().join("state/goyong.db");
        let mut report = VerifyReport::default();
        let problems = self.ledger().integrity_problems().await?.into_iter();
        report
            .problems
            .extend(problems.map(|problem| VerifyProblem {
                table: None,
                path: database.clone(),
                damage: Damage::Ledger(problem),
            }));
        report.problems.extend(self.damaged_copies().await?);
        Ok(report)
    }

    async fn expected_files(
        &self,
        table: &TableName,
        version: Option<i64>,
    ) -> Result<Vec<Expected>> {
        let directory = self.table_directory(table);
        let commits = self
            .ledger()
            .commits(table, version.unwrap_or(i64::MAX))
            .await?;
        let files = match version {
            Some(version) => self.ledger().files(table, version).await?,
            None => self.ledger().all_files(table).await?,
        };
        let commits = commits.into_iter().map(|commit| Expected {
            table: table.clone(),
            path: self.commit_path(table, commit.version),
            sha256: commit.sha256,
            bytes: commit.bytes,
        });
        let files = files.into_iter().map(|file| Expected {
            table: table.clone(),
            path: absolute(&directory, &file.path),
            sha256: file.sha256,
            bytes: file.bytes,
        });
        Ok(commits.chain(files).collect())
    }

    /// Commits beyond the ledger, and files that belong to nothing.
    async fn look_for_strays(
        &self,
        table: &TableName,
        expected: &[Expected],
        report: &mut VerifyReport,
    ) -> Result<()> {
        let known: BTreeSet<&Path> = expected.iter().map(|file| file.path.as_path()).collect();
        let directory = self.table_directory(table);
        let found = self.lake().list(&directory).await;
        for file in found.map_err(StoreError::io("list", &directory))? {
            let path = file.path;
            if known.contains(path.as_path()) {
                continue;
            }
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let in_log = path
                .parent()
                .is_some_and(|parent| parent.ends_with("_delta_log"));
            if !in_log || log_version(&name).is_none() {
                report.orphans.push(path);
                continue;
            }
            let bytes = self.lake().read(&path).await;
            let bytes = bytes.map_err(StoreError::io("read", &path))?;
            let damage = match CommitRecord::parse(table, &bytes) {
                Err(LogDamage::ZeroLength) => Damage::ZeroLength,
                Err(damage) => Damage::Foreign(damage.to_string()),
                Ok(_) => {
                    Damage::Foreign("is not in the ledger, open the warehouse again".to_owned())
                }
            };
            report.problems.push(VerifyProblem {
                table: Some(table.clone()),
                path,
                damage,
            });
        }
        Ok(())
    }

    async fn compare_with_lake(
        &self,
        expected: Vec<Expected>,
        mut report: VerifyReport,
    ) -> Result<VerifyReport> {
        report.files_checked = expected.len() as u64;
        report.bytes_checked = expected.iter().map(|file| file.bytes).sum();
        let damaged = match self.lake().is_remote() {
            true => compare_remote(self.lake(), &expected).await,
            false => tokio::task::spawn_blocking(move || compare_all(&expected))
                .await
                .map_err(|_| StoreError::Stopped {
                    task: "verification",
                })?,
        };
        report.problems.extend(damaged);
        report
            .problems
            .sort_by(|left, right| (&left.table, &left.path).cmp(&(&right.table, &right.path)));
        report.orphans.sort();
        Ok(report)
    }
}

/// Whether the lake of a configuration holds anything.
async fn has_lake(config: &StoreConfig) -> Result<bool> {
    if config.lake.is_none() {
        return Ok(config.root.join("lake").is_dir());
    }
    let lake = Lake::open(&config.root, config.lake.as_deref())?;
    let tables = lake.tables().await;
    let tables = tables.map_err(StoreError::io("list", lake.base()))?;
    Ok(!tables.is_empty())
}

/// Hashes files of an object store while they arrive, several at a time.
async fn compare_remote(lake: &Lake, expected: &[Expected]) -> Vec<VerifyProblem> {
    let work: Vec<_> = expected
        .iter()
        .map(|file| compare_one(lake, file))
        .collect();
    let mut compared = futures::stream::iter(work).buffer_unordered(REQUESTS_TOGETHER);
    let mut problems = Vec::new();
    while let Some(problem) = compared.next().await {
        problems.extend(problem);
    }
    problems
}

async fn compare_one(lake: &Lake, file: &Expected) -> Option<VerifyProblem> {
    let damage = damage_of(file, lake.hash(&file.path).await)?;
    Some(file.problem(damage))
}

fn compare_all(expected: &[Expected]) -> Vec<VerifyProblem> {
    let next = AtomicUsize::new(0);
    let problems = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut buffer = vec![0; BUFFER_BYTES];
                while let Some(file) = expected.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = hash_file(&file.path, &mut buffer);
                    if let Some(damage) = damage_of(file, found) {
                        problems
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push(file.problem(damage));
                    }
                }
            });
        }
    });
    problems
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What length and digest, or the failure to read them, say of a file.
fn damage_of(file: &Expected, found: std::io::Result<(u64, String)>) -> Option<Damage> {
    match found {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Damage::Missing),
        Err(error) => Some(Damage::Unreadable(error.to_string())),
        Ok((0, _)) => Some(Damage::ZeroLength),
        Ok((found, _)) if found < file.bytes => Some(Damage::Torn {
            found,
            expected: file.bytes,
        }),
        Ok((_, sha256)) if sha256 != file.sha256 => Some(Damage::Altered),
        Ok(_) => None,
    }
}

/// Length and hexadecimal SHA-256 of a file.
pub(crate) fn hash_of(path: &Path) -> std::io::Result<(u64, String)> {
    hash_file(path, &mut vec![0; BUFFER_BYTES])
}

fn hash_file(path: &Path, buffer: &mut [u8]) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut length) = (Sha256::new(), 0);
    loop {
        let read = file.read(buffer)?;
        if read == 0 {
            return Ok((length, hex(&hasher.finalize())));
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
}
