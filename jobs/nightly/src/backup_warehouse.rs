//! Backs a release, the vault and the state up, and restores them on an empty machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goyong_store::{BackupReport, BackupSource, BackupStore, RestoreReport, copy_database};

use crate::configuration::{CONFIGURATION_FILE, Configuration, SQL_FOLDER};
use crate::project::OpenProject;

/// Folders of the warehouse that belong to its state. Keys lie outside it and are never among them.
const STATE_FOLDERS: [&str; 3] = ["vault", "audit", "logs"];
const ARCHIVE_FOLDER: &str = "archive";
/// The ledger of runs and the cases, unless they are kept in PostgreSQL.
const STATE_FILES: [&str; 2] = ["scheduler.db", "cases.db"];

/// What is backed up.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// The release; the current one when absent.
    pub release: Option<String>,
    /// The encrypted originals too.
    pub with_archive: bool,
}

impl OpenProject {
    /// Sends a release, the newest tables, vault, audit chain, state database, configuration and models to a folder or
    /// object store, with the ledger of runs and the cases where they are files. Holds the night's lock.
    pub async fn back_up(&self, to: &str, options: &BackupOptions) -> Result<BackupReport> {
        let _lock = self.lock_night().await?;
        let store = BackupStore::open(to)?;
        let release = self.release(options.release.as_deref()).await?;
        let configuration = self.configuration();
        let mut sources = Vec::new();
        for folder in STATE_FOLDERS {
            let below = configuration.warehouse.join(folder);
            add_files(&below, &format!("warehouse/{folder}"), &mut sources)?;
        }
        if options.with_archive {
            let prefix = format!("warehouse/{ARCHIVE_FOLDER}");
            add_files(&configuration.archive(), &prefix, &mut sources)?;
        }
        let file = self.folder().join(CONFIGURATION_FILE);
        sources.push(BackupSource {
            path: format!("project/{CONFIGURATION_FILE}"),
            file,
            recorded: None,
        });
        if let Some(sql) = &configuration.sql {
            add_files(sql, &format!("project/{SQL_FOLDER}"), &mut sources)?;
        }
        let mut copies = Vec::new();
        for name in STATE_FILES {
            let file = configuration.warehouse.join("state").join(name);
            let copy = configuration.warehouse.join(format!("state/backup-{name}"));
            if file.is_file() {
                // Schedulers and officers may write to it meanwhile.
                copy_database(&file, &copy).await?;
                sources.push(BackupSource {
                    path: format!("warehouse/state/{name}"),
                    file: copy.clone(),
                    recorded: None,
                });
                copies.push(copy);
            }
        }
        refuse_keys(&sources, &configuration.keys)?;
        let sent = self.warehouse().backup(&store, &release, sources).await;
        // Copies are of no use once they were sent; the next backup makes new ones.
        for copy in copies {
            let _ = std::fs::remove_file(&copy);
        }
        Ok(sent?)
    }
}

/// Restores a backup into a project folder without a warehouse. Configuration and models that are there stay.
pub async fn restore_backup(
    folder: &Path,
    from: &str,
    name: Option<&str>,
) -> Result<RestoreReport> {
    let store = BackupStore::open(from)?;
    let manifest = store.manifest(name).await?;
    let configured = folder.join(CONFIGURATION_FILE);
    let (config, sql) = if configured.is_file() {
        let configuration = Configuration::load(folder)?;
        (configuration.store(), configuration.sql)
    } else {
        // What the backup is configured to says where its tables go.
        let path = format!("project/{CONFIGURATION_FILE}");
        let text = store.read(&manifest, &path).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        (Configuration::of_text(&text, folder)?.store(), None)
    };
    let warehouse = &config.root;
    if warehouse.join("state/goyong.db").exists() {
        bail!(
            "{} holds a warehouse already: restore into an empty folder, or name another with --dir",
            warehouse.display()
        );
    }
    let place = |path: &str| -> Option<PathBuf> {
        let below = path.strip_prefix("project/")?;
        let target = folder.join(below);
        let is_theirs = match below == CONFIGURATION_FILE {
            true => configured.is_file(),
            false => sql.is_some(),
        };
        (!is_theirs).then_some(target)
    };
    let report = store.restore(&manifest, &config, place).await?;
    let landing = Configuration::load(folder)?.landing();
    std::fs::create_dir_all(&landing).with_context(|| format!("create {}", landing.display()))?;
    Ok(report)
}

/// Adds the files below a folder, in order of their names.
fn add_files(folder: &Path, prefix: &str, sources: &mut Vec<BackupSource>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let listed = || format!("list {}", folder.display());
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .with_context(listed)?
        .collect::<std::io::Result<_>>()
        .with_context(listed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name
            .to_str()
            .with_context(|| format!("{} is no readable name", entry.path().display()))?;
        let path = format!("{prefix}/{name}");
        if entry.path().is_dir() {
            add_files(&entry.path(), &path, sources)?;
        } else {
            sources.push(BackupSource {
                path,
                file: entry.path(),
                recorded: None,
            });
        }
    }
    Ok(())
}

/// A backup that carried keys would open what it keeps sealed.
fn refuse_keys(sources: &[BackupSource], keys: &Path) -> Result<()> {
    let resolved = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let keys = resolved(keys);
    let key = sources
        .iter()
        .find(|source| resolved(&source.file).starts_with(&keys));
    match key {
        Some(key) => bail!(
            "{} lies in the keys folder: keys are never backed up with what they open, move them elsewhere",
            key.file.display()
        ),
        None => Ok(()),
    }
}

/// Opens nothing: the names of the backups in a place, oldest first.
pub async fn list_backups(from: &str) -> Result<Vec<String>> {
    Ok(BackupStore::open(from)?.names().await?)
}
