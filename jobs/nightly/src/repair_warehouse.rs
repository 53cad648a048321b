//! Verifies and repairs: log entries from the ledger's copies, data files from a backup or by computing them again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goyong_catalog::Selection;
use goyong_engine::{BuildMode, BuildScope};
use goyong_store::{
    BackupStore, CommitDetails, CommitMode, Damage, LostFile, StoreConfig, StoreError,
    VerifyReport, Warehouse, WriteOptions,
};
use goyong_types::TableName;

use crate::build_tables::{build, failures};
use crate::configuration::Configuration;
use crate::project::{OpenProject, of_store};
use crate::step::NightEvent;

/// What a repair did.
#[derive(Debug, Clone, Default)]
pub struct RepairSummary {
    /// Files that are again what was written, byte for byte.
    pub restored: Vec<PathBuf>,
    /// Tables whose rows were computed again, with the same content hash.
    pub rebuilt: Vec<TableName>,
    /// Where damaged files went.
    pub set_aside: Vec<PathBuf>,
    /// What is still damaged, and what to do about it.
    pub left: Vec<String>,
}

/// Compares every file with the ledger: those of a release, or all. Works on a warehouse that cannot be opened.
pub async fn verify_warehouse(folder: &Path, release: Option<&str>) -> Result<VerifyReport> {
    let config = Configuration::load(folder)?.store();
    let (report, warehouse) = Warehouse::verify_folder(&config, release).await?;
    if let Some(warehouse) = warehouse {
        warehouse.close().await;
    }
    Ok(report)
}

/// Restores what can be restored exactly, computes again what models made, and says of the rest what to do.
pub async fn repair_warehouse(
    folder: &Path,
    threads: Option<usize>,
    backup: Option<&str>,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<RepairSummary> {
    let config = Configuration::load(folder)?.store();
    let backup = backup.map(BackupStore::open).transpose()?;
    let mut summary = RepairSummary::default();
    let (mut found, mut warehouse) = Warehouse::verify_folder(&config, None).await?;
    let is_database = |damage: &Damage| matches!(damage, Damage::Ledger(_) | Damage::Missing);
    let database = config.root.join("state/goyong.db");
    if found
        .problems
        .iter()
        .any(|problem| problem.path == database && is_database(&problem.damage))
    {
        if let Some(warehouse) = warehouse.take() {
            warehouse.close().await;
        }
        let (aside, copy) = Warehouse::rebuild_ledger(&config).await?;
        summary.set_aside.extend(aside);
        match copy {
            Some(_) => summary.restored.push(database),
            None => summary.left.push(format!(
                "{} was made anew from the logs: no copy of it was sound, so releases and what intake remembers are lost; \
                 restore a backup instead, or run `goyong night`, which publishes a release",
                database.display()
            )),
        }
        (found, warehouse) = Warehouse::verify_folder(&config, None).await?;
    }
    let warehouse = warehouse.context("the state database cannot be opened: restore a backup")?;
    let lock = warehouse.lock("night")?;
    let mut report = warehouse.repair(&found, backup.as_ref()).await?;
    summary.restored.append(&mut report.restored);
    summary.set_aside.append(&mut report.set_aside);
    let lost = warehouse.lost_files(&report.left).await?;
    let tables = rebuildable(folder, threads, &lost).await;
    drop(lock);
    warehouse.close().await;
    if !lost.is_empty() {
        compute_again(folder, threads, &lost, tables, events, &mut summary).await?;
    }
    describe_rest(&config, &mut summary).await?;
    Ok(summary)
}

/// The tables of lost files that a model computes from what is stored, or a seed's file fills.
async fn rebuildable(
    folder: &Path,
    threads: Option<usize>,
    lost: &[LostFile],
) -> Result<Vec<TableName>> {
    let project = OpenProject::open(folder, threads).await?;
    let mut tables: Vec<TableName> = Vec::new();
    for file in lost {
        let model = project.project().models().get(&file.table);
        // A history is made of nights that are gone.
        let is_model = model.is_some_and(|model| model.header.snapshot.is_none());
        if (is_model || file.table.schema() == "seed") && !tables.contains(&file.table) {
            tables.push(file.table.clone());
        }
    }
    Ok(tables)
}

/// Empties the damaged partitions, has the models compute them, and requires the content hashes of before.
async fn compute_again(
    folder: &Path,
    threads: Option<usize>,
    lost: &[LostFile],
    tables: Result<Vec<TableName>>,
    events: &(dyn Fn(NightEvent) + Sync + Send),
    summary: &mut RepairSummary,
) -> Result<()> {
    let tables = match tables {
        Ok(tables) => tables,
        Err(error) => {
            summary
                .left
                .push(format!("nothing was computed again: {error:#}"));
            return Ok(());
        }
    };
    if tables.is_empty() {
        return Ok(());
    }
    let project = OpenProject::open(folder, threads).await?;
    let _lock = project.lock_night().await?;
    let mut before = Vec::new();
    for table in &tables {
        let snapshot = project.warehouse().snapshot(table).await?;
        let snapshot = snapshot.with_context(|| format!("table {table} is gone"))?;
        before.push((table.clone(), snapshot.content_hash()));
        let partitions = lost.iter().filter(|file| file.table == *table);
        let partitions = partitions.map(|file| file.partition.clone());
        let options = WriteOptions {
            partition_column: snapshot.partition_column.clone(),
            ..WriteOptions::default()
        };
        let writer = project
            .warehouse()
            .writer(table, snapshot.schema.clone(), options)
            .await?;
        let details = CommitDetails {
            operation: "repair: damaged rows leave to be computed again".to_owned(),
            ..CommitDetails::default()
        };
        writer
            .commit(CommitMode::ReplacePartitions(partitions.collect()), details)
            .await?;
        project.engine().forget(table).await?;
    }
    // Seeds are filled by any build, and what is fresh costs nothing.
    let selection = match tables.iter().any(|table| table.schema() == "seed") {
        true => Selection::all(),
        false => Selection {
            select: tables.iter().map(ToString::to_string).collect(),
            ..Selection::all()
        },
    };
    let as_of = match project.latest_known_on().await? {
        Some(day) => day,
        None => project.release(None).await?.business_date,
    };
    let mode = BuildMode {
        run: true,
        test: false,
        fail_fast: false,
    };
    let report = build(
        &project,
        &selection,
        as_of,
        BuildScope::default(),
        mode,
        events,
    )
    .await?;
    if !report.succeeded() {
        bail!(
            "what was damaged could not be computed again: {}",
            failures(&report).join("; ")
        );
    }
    for (table, hash) in before {
        let snapshot = project.warehouse().snapshot(&table).await?;
        if snapshot.is_some_and(|snapshot| snapshot.content_hash() == hash) {
            summary.rebuilt.push(table);
        } else {
            summary.left.push(format!(
                "{table} was computed again and has other rows than before: its inputs have changed since; \
                 `goyong releases diff` shows how after the next night"
            ));
        }
    }
    for file in lost {
        if tables.contains(&file.table) && project.warehouse().restore_from_newest(file).await? {
            summary.restored.push(file.path.clone());
        }
    }
    Ok(())
}

/// Verifies once more; what is still damaged is told with what to do.
async fn describe_rest(config: &StoreConfig, summary: &mut RepairSummary) -> Result<()> {
    let (report, warehouse) = Warehouse::verify_folder(config, None).await?;
    let Some(warehouse) = warehouse else {
        bail!("the state database cannot be opened: restore a backup");
    };
    let newest = warehouse.lost_files(&report.problems).await?;
    for problem in &report.problems {
        let advice = if newest.iter().any(|file| file.path == problem.path) {
            "restore it with `goyong repair --from BACKUP`; staging can also be delivered again from the encrypted \
             archive by whoever holds its identity"
                .to_owned()
        } else {
            let releases = warehouse.releases_with(&problem.path).await?;
            match releases.as_slice() {
                [] => "no release and no newest version needs it".to_owned(),
                ids => format!(
                    "the newest rows are sound; only releases {} need it: `goyong repair --from BACKUP` restores it, \
                     `goyong releases publish` gives readers the newest rows",
                    ids.join(", ")
                ),
            }
        };
        summary.left.push(format!("{problem}: {advice}"));
    }
    warehouse.close().await;
    Ok(())
}

/// Whether an error says that files are damaged, so that a repair may help.
pub fn is_damage(error: &anyhow::Error) -> bool {
    of_store(error).any(|error| {
        matches!(
            error,
            StoreError::Unsound { .. } | StoreError::DamagedLog { .. }
        )
    })
}
