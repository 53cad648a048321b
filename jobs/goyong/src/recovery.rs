//! `goyong verify`, `repair`, `backup` and `restore`.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use goyong_nightly::{
    BackupOptions, is_damage, list_backups, repair_warehouse, restore_backup, verify_warehouse,
};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Only the files of this release [default: every file]
    #[arg(long)]
    pub release: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct RepairArguments {
    /// A backup to take data files from
    #[arg(long, value_name = "FOLDER|URL")]
    pub from: Option<String>,
}

#[derive(Debug, Args)]
pub struct BackupArguments {
    /// A folder or the URL of an object store
    #[arg(value_name = "FOLDER|URL")]
    pub to: String,
    /// The release [default: the current one]
    #[arg(long)]
    pub release: Option<String>,
    /// The encrypted originals too
    #[arg(long)]
    pub with_archive: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// A folder or the URL of an object store
    #[arg(value_name = "FOLDER|URL")]
    pub from: String,
    /// The backup, as --list names it [default: the newest]
    #[arg(long)]
    pub name: Option<String>,
    /// List the backups and restore nothing
    #[arg(long, conflicts_with = "name")]
    pub list: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Names each damaged file; exit code 1 when there is one.
pub async fn verify(common: &CommonArguments, arguments: &VerifyArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let report = verify_warehouse(&common.dir, arguments.release.as_deref()).await?;
    let rows: Vec<Vec<String>> = report
        .problems
        .iter()
        .map(|problem| {
            vec![
                problem
                    .table
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                problem.path.display().to_string(),
                problem.damage.to_string(),
            ]
        })
        .collect();
    let header = ["table", "file", "problem"];
    let mut out = output::stdout();
    output::write_rows(&header, &rows, arguments.output.format, &mut out)?;
    for orphan in &report.orphans {
        console.say(&format!(
            "{}: no version knows this file; a writer that ended early left it, `goyong releases expire` removes it",
            orphan.display()
        ));
    }
    console.say(&format!(
        "{} files checked ({:.1} MB), {} problems",
        report.files_checked,
        report.bytes_checked as f64 / 1e6,
        report.problems.len()
    ));
    if report.problems.is_empty() {
        return Ok(0);
    }
    console.say("`goyong repair` restores what it can");
    Ok(CHECK_FAILED)
}

/// Exit code 1 when something is still damaged.
pub async fn repair(common: &CommonArguments, arguments: &RepairArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let summary = repair_warehouse(
        &common.dir,
        common.threads,
        arguments.from.as_deref(),
        &|event| console.show(&event),
    )
    .await?;
    console.finish();
    let mut out = output::stdout();
    for file in &summary.restored {
        writeln!(out, "restored {}", file.display())?;
    }
    for table in &summary.rebuilt {
        writeln!(out, "computed {table} again, its rows are the same")?;
    }
    for file in &summary.set_aside {
        writeln!(out, "set aside {}", file.display())?;
    }
    for line in &summary.left {
        writeln!(out, "{line}")?;
    }
    if summary.left.is_empty() {
        writeln!(out, "every file is as it was written")?;
        return Ok(0);
    }
    Ok(CHECK_FAILED)
}

pub async fn back_up(common: &CommonArguments, arguments: &BackupArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let options = BackupOptions {
        release: arguments.release.clone(),
        with_archive: arguments.with_archive,
    };
    let report = match project.back_up(&arguments.to, &options).await {
        Ok(report) => report,
        Err(error) if is_damage(&error) => {
            tracing::error!("{error:#}; no backup was made");
            return Ok(CHECK_FAILED);
        }
        Err(error) => return Err(error),
    };
    writeln!(output::stdout(), "{}", report.name)?;
    console.say(&format!(
        "{} files, {:.1} MB; {} of them new, {:.1} MB sent",
        report.files,
        report.bytes as f64 / 1e6,
        report.files_sent,
        report.bytes_sent as f64 / 1e6
    ));
    console.say(&format!(
        "the keys in {} are not in it: without a copy of them the vault cannot be read",
        project.configuration().keys.display()
    ));
    Ok(0)
}

pub async fn restore(common: &CommonArguments, arguments: &RestoreArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    if arguments.list {
        let names = list_backups(&arguments.from).await?;
        let rows: Vec<Vec<String>> = names.into_iter().map(|name| vec![name]).collect();
        let mut out = output::stdout();
        output::write_rows(&["backup"], &rows, arguments.output.format, &mut out)?;
        return Ok(0);
    }
    let report = restore_backup(&common.dir, &arguments.from, arguments.name.as_deref()).await?;
    console.say(&format!(
        "release {} restored: {} files ({} were there), {:.1} MB fetched; {} tables have the content hashes of the backup",
        report.release,
        report.files,
        report.files_there,
        report.bytes_fetched as f64 / 1e6,
        report.tables
    ));
    console.say(
        "next: put the keys where goyong.toml says, then `goyong vault forget --replay` if somebody was erased since the backup",
    );
    Ok(0)
}
