//! `goyong releases`: what readers see, what changed, and going back.

use anyhow::Result;
use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};
use goyong_nightly::{
    Act, DIFFERENCE_HEADER, DifferenceOptions, PARTITION_DIFFERENCE_HEADER, Publication,
    RELEASE_HEADER, RELEASES_HEADER,
};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Subcommand)]
pub enum ReleasesCommand {
    /// One line per release, newest first, which is the one readers see
    Ls {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// The tables of a release, with versions, rows, commit and content hashes
    Show {
        /// The release [default: the current one]
        release: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Rows and columns that differ between two releases, per table
    Diff(DiffArguments),
    /// Publish the newest tables: refused unless everything is built, tested and sound
    Publish {
        /// The business date [default: the latest day a delivery became known]
        #[arg(long)]
        as_of: Option<NaiveDate>,
        #[command(flatten)]
        act: ActArguments,
    },
    /// Publish an older release again; readers see its tables from then on
    Rollback {
        /// The release to go back to
        release: String,
        #[command(flatten)]
        act: ActArguments,
    },
    /// Remove releases, superseded files, what crashed writers left, and originals kept no longer
    Expire {
        /// List what would be removed and remove nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
}

#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The earlier release [default: the one before the later]
    #[arg(requires = "to")]
    pub from: Option<String>,
    /// The later release [default: the current one]
    pub to: Option<String>,
    /// Only these tables
    #[arg(short, long = "table", value_name = "TABLE", num_args = 1..)]
    pub tables: Vec<String>,
    /// One line per partition instead of per table
    #[arg(long)]
    pub partitions: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Who publishes and why; both stand in the ledger with the release.
#[derive(Debug, Args)]
pub struct ActArguments {
    /// Why, without any personal value
    #[arg(long)]
    pub reason: String,
    /// The account that publishes
    #[arg(long, env = "USER")]
    pub account: String,
}

impl ActArguments {
    pub(crate) fn act(&self) -> Act {
        Act {
            account: self.account.clone(),
            reason: self.reason.clone(),
        }
    }
}

pub async fn run(common: &CommonArguments, command: &ReleasesCommand) -> Result<u8> {
    let project = open(common).await?;
    let console = Console::new(common.quiet);
    let print = |header: &[&str], rows: &[Vec<String>], output: &OutputArguments| {
        output::write_rows(header, rows, output.format, &mut output::stdout())
    };
    match command {
        ReleasesCommand::Ls { output } => {
            print(&RELEASES_HEADER, &project.list_releases().await?, output)?;
        }
        ReleasesCommand::Show { release, output } => {
            let rows = project.show_release(release.as_deref()).await?;
            print(&RELEASE_HEADER, &rows, output)?;
        }
        ReleasesCommand::Diff(arguments) => {
            let options = DifferenceOptions {
                from: arguments.from.clone(),
                to: arguments.to.clone(),
                tables: arguments.tables.clone(),
                rows_compared: None,
            };
            let found = project.compare_releases(&options).await?;
            match arguments.partitions {
                true => print(
                    &PARTITION_DIFFERENCE_HEADER,
                    &found.partitions,
                    &arguments.output,
                )?,
                false => print(&DIFFERENCE_HEADER, &found.tables, &arguments.output)?,
            }
            console.say(&format!(
                "from {} to {}: {} tables differ, {} have the same rows",
                found.from,
                found.to,
                found.tables.len(),
                found.unchanged
            ));
        }
        ReleasesCommand::Publish { as_of, act } => {
            let publication = project
                .publish_by_hand(*as_of, &act.act(), &|event| console.show(&event))
                .await?;
            console.finish();
            return Ok(told(&console, &publication));
        }
        ReleasesCommand::Expire { dry_run, output } => {
            let summary = project.expire_history(Utc::now(), *dry_run).await?;
            let history = &summary.history;
            let files = history.removed.iter().chain(&summary.originals);
            let files = files.chain(&summary.recorded.logs);
            let releases = history.releases.iter().map(|id| ["release", id.as_str()]);
            let runs = summary.recorded.runs.iter().map(|id| ["run", id.as_str()]);
            let mut rows: Vec<Vec<String>> = releases
                .chain(runs)
                .map(|row| row.map(str::to_owned).to_vec())
                .collect();
            rows.extend(files.map(|path| vec!["file".to_owned(), path.display().to_string()]));
            print(&["kind", "name"], &rows, output)?;
            console.say(&format!(
                "{}: {} releases, {} files of tables ({:.1} MB, {} of them left by writers that ended early), {} originals, \
                 {} runs; {} older releases stay by policy{}",
                if *dry_run { "would be removed" } else { "removed" },
                history.releases.len(),
                history.removed.len(),
                history.bytes as f64 / 1e6,
                history.orphans,
                summary.originals.len(),
                summary.recorded.runs.len(),
                summary.kept.len(),
                match dry_run {
                    true => String::new(),
                    false => format!("; {} releases verified afterwards", history.releases_verified),
                }
            ));
        }
        ReleasesCommand::Rollback { release, act } => {
            let publication = project.roll_back(release, &act.act()).await?;
            return Ok(told(&console, &publication));
        }
    }
    Ok(0)
}

/// Says how a publication ended, and the exit code for it.
fn told(console: &Console, publication: &Publication) -> u8 {
    match publication {
        Publication::Published(release) => {
            let origin = release
                .republishes
                .as_ref()
                .map(|older| format!(", which publishes {older} again"))
                .unwrap_or_default();
            console.say(&format!(
                "readers see release {}{origin}; `goyong report` renders its pages",
                release.id
            ));
            0
        }
        Publication::Unchanged(release) => {
            console.say(&format!(
                "readers see release {} already, nothing published",
                release.id
            ));
            0
        }
        Publication::Refused(reasons) => {
            for reason in reasons {
                tracing::error!("{reason}");
            }
            tracing::error!("nothing published; readers stay where they are");
            CHECK_FAILED
        }
    }
}
