//! Looks for what would make the next night fail, or let it pass unseen, and says what to do. Changes nothing.

mod lake;
mod schedule;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use goyong_intake::ARCHIVE_IDENTITY;
use goyong_scheduler::{Clock, SystemClock};
use goyong_types::TableName;

use crate::configuration::Configuration;
use crate::project::OpenProject;
use crate::scheduled::ScheduledProject;

/// Columns of the examination.
pub const DOCTOR_HEADER: [&str; 4] = ["check", "state", "finding", "advice"];

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// The night runs, but somebody should look.
    Warn,
    /// The night fails, or nobody can rely on it.
    Fail,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// One row per check, in the order they were made.
    pub rows: Vec<Vec<String>>,
    /// Whether a check failed.
    pub failed: bool,
}

impl Examination {
    fn note(&mut self, check: &str, health: Health, finding: impl Into<String>, advice: &str) {
        self.failed |= health == Health::Fail;
        self.rows.push(vec![
            check.to_owned(),
            health.word().to_owned(),
            finding.into(),
            advice.to_owned(),
        ]);
    }

    /// A result as a row: what it says when it is good, and what to do when it is an error.
    fn outcome(&mut self, check: &str, outcome: Result<String>, advice: &str) {
        match outcome {
            Ok(finding) => self.note(check, Health::Ok, finding, ""),
            Err(error) => self.note(check, Health::Fail, format!("{error:#}"), advice),
        }
    }
}

/// Disk space below which a night is likely to fail half-way.
const LEAST_FREE_BYTES: u64 = 1 << 30;
/// Files that are looked at together: an object store answers each after a while.
const FILES_TOGETHER: usize = 16;
/// Sources that a line names.
const MOST_NAMED: usize = 5;
/// Part of the disk that should be free.
const LEAST_FREE_PERCENT: u64 = 10;

/// Examines a project folder. What cannot be looked at because something before it failed is left out.
pub async fn examine(folder: &Path) -> Examination {
    let mut found = Examination::default();
    let configuration = match Configuration::load(folder) {
        Ok(configuration) => {
            let finding = format!("project {}", configuration.project);
            found.note("configuration", Health::Ok, finding, "");
            configuration
        }
        Err(error) => {
            let advice = "correct goyong.toml, or name the project folder with --dir";
            found.note("configuration", Health::Fail, format!("{error:#}"), advice);
            return found;
        }
    };
    folders(&mut found, &configuration);
    disk(&mut found, &configuration.warehouse);
    let project = match lake::examine(&mut found, &configuration).await {
        true => Some(OpenProject::open(folder, Some(1)).await),
        false => None,
    };
    match &project {
        None => {}
        Some(Ok(project)) => {
            found.note(
                "warehouse",
                Health::Ok,
                "state database, logs and models open",
                "",
            );
            keys(&mut found, project).await;
            stores(&mut found, project).await;
            freshness(&mut found, project).await;
        }
        Some(Err(error)) => found.note(
            "warehouse",
            Health::Fail,
            format!("{error:#}"),
            "run `goyong verify`, then `goyong repair`; docs/recovery.md tells more",
        ),
    }
    match ScheduledProject::open(folder).await {
        Ok(scheduled) => {
            let (plans, targets) = (scheduled.plans().len(), configuration.notify.len());
            let finding = format!("{plans} plans, {targets} targets of notices");
            found.note("plans", Health::Ok, finding, "");
            let ledger = scheduled.ledger();
            let project = project.as_ref().and_then(|project| project.as_ref().ok());
            schedule::clock(&mut found, &configuration, ledger, project).await;
            schedule::calendars(&mut found, &scheduled);
            schedule::scheduler(&mut found, ledger, scheduled.plans()).await;
            schedule::secrets(&mut found, &configuration);
        }
        Err(error) => found.note(
            "plans",
            Health::Fail,
            format!("{error:#}"),
            "correct the plan, calendar or goyong.toml it names; a database must be running",
        ),
    }
    found
}

fn folders(found: &mut Examination, configuration: &Configuration) {
    let warehouse = &configuration.warehouse;
    if !warehouse.is_dir() {
        let finding = format!("{} is no folder", warehouse.display());
        found.note("folders", Health::Fail, finding, "run `goyong init`");
        return;
    }
    let mut needed = vec!["landing", "state", "vault"];
    if configuration.lake.is_empty() {
        needed.push("lake");
    }
    for folder in needed {
        let path = warehouse.join(folder);
        let outcome = match path.is_dir() {
            true => write_and_sync(&path),
            false => Err(anyhow::anyhow!("{} is not there", path.display())),
        };
        if let Err(error) = outcome {
            let advice =
                "give the user that runs goyong the right to write there, or run `goyong init`";
            found.note("folders", Health::Fail, format!("{error:#}"), advice);
            return;
        }
    }
    found.note(
        "folders",
        Health::Ok,
        "there, writable, and the disk confirms what is written",
        "",
    );
    for folder in ["vault", "archive", "landing", "cases"] {
        let path = warehouse.join(folder);
        if is_open_to_everybody(&path) {
            let finding = format!("{} is open to every user of this machine", path.display());
            let advice = format!("chmod o-rwx {}", path.display());
            found.note("permissions", Health::Warn, finding, &advice);
        }
    }
}

/// Whether every user of the machine gets as far as a folder's content: no folder on the way there keeps them out.
fn is_open_to_everybody(folder: &Path) -> bool {
    let allows = |path: &Path, right: u32| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & right != 0)
    };
    let Ok(folder) = std::fs::canonicalize(folder) else {
        return false;
    };
    allows(&folder, 0o007) && folder.ancestors().skip(1).all(|above| allows(above, 0o001))
}

/// Writes a file, has the disk confirm it, and removes it.
fn write_and_sync(folder: &Path) -> Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let name = || format!("write and sync a file in {}", folder.display());
    let written = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(b"goyong")?;
            file.sync_all()
        });
    let removed = std::fs::remove_file(&path);
    written.with_context(name)?;
    removed.with_context(name)
}

fn disk(found: &mut Examination, warehouse: &Path) {
    let Ok(space) = rustix::fs::statvfs(warehouse) else {
        return;
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let total = space.f_blocks.saturating_mul(space.f_frsize).max(1);
    let percent = free.saturating_mul(100) / total;
    let finding = format!(
        "{:.1} GiB free, {percent} % of the disk",
        free as f64 / (1u64 << 30) as f64
    );
    let advice = "free space or move the warehouse; `goyong releases expire` removes old versions";
    match (free < LEAST_FREE_BYTES, percent < LEAST_FREE_PERCENT) {
        (true, _) => found.note("disk", Health::Fail, finding, advice),
        (false, true) => found.note("disk", Health::Warn, finding, advice),
        (false, false) => found.note("disk", Health::Ok, finding, ""),
    }
}

async fn keys(found: &mut Examination, project: &OpenProject) {
    let keys = match project.keys() {
        Ok(keys) => keys,
        Err(error) => {
            let advice = "put the key files back from their copy with `chmod 600`, or name them by GOYONG_*_KEY_FILE";
            found.note("keys", Health::Fail, format!("{error:#}"), advice);
            return;
        }
    };
    let fits = async {
        let vault = project.vault(&keys)?;
        project.check_vault(&keys, &vault).await?;
        Ok(format!(
            "present, private, and those of this vault ({} persons)",
            vault.persons()
        ))
    };
    let advice = "these are not the keys this vault was made with: put the right ones back; never make new ones";
    found.outcome("keys", fits.await, advice);
    if keys.has_archive_identity() && !project.configuration().simulated {
        let finding = format!(
            "{} opens the archive and lies beside the other keys",
            keys.folder().join(ARCHIVE_IDENTITY).display()
        );
        found.note(
            "keys",
            Health::Warn,
            finding,
            "move it off this machine, nothing here needs it",
        );
    }
    let unfinished = async {
        project.refuse_unfinished_rotation().await?;
        project.refuse_unfinished_erasure().await
    };
    if let Err(error) = unfinished.await {
        found.note(
            "keys",
            Health::Fail,
            format!("{error:#}"),
            "finish it before the next night",
        );
    }
}

async fn stores(found: &mut Examination, project: &OpenProject) {
    found.outcome(
        "release",
        last_release(project).await,
        "run `goyong verify`, then `goyong repair`",
    );
    let finding = match project.lock_vault_work() {
        Ok(_free) => "free; the system releases it with its holder, none is left over",
        Err(error) if crate::is_locked(&error) => "held: a night or a build works now",
        Err(error) => {
            let advice = "give the user that runs goyong the right to write in state/locks";
            found.note("lock", Health::Fail, format!("{error:#}"), advice);
            return;
        }
    };
    found.note("lock", Health::Ok, finding, "");
}

/// The newest release with its files: there, and as long as they were written.
async fn last_release(project: &OpenProject) -> Result<String> {
    let warehouse = project.warehouse();
    let Some(release) = warehouse.latest_release().await? else {
        return Ok("none yet; the first night makes one".to_owned());
    };
    let mut files = 0u64;
    for (name, table) in &release.tables {
        let snapshot = warehouse
            .snapshot_at(name, table.version)
            .await?
            .with_context(|| format!("version {} of {name} is gone", table.version))?;
        if snapshot.commit_sha256 != table.commit_sha256 {
            bail!(
                "version {} of {name} is not the one that was released",
                table.version
            );
        }
        let looked_at = snapshot.files.iter().map(|file| async move {
            let length = warehouse.length_of(&file.path).await?;
            Ok::<_, anyhow::Error>((file, length))
        });
        let mut looked_at = futures::stream::iter(looked_at).buffered(FILES_TOGETHER);
        while let Some((file, length)) = looked_at.try_next().await? {
            if length != file.size {
                bail!(
                    "{} has {length} bytes and should have {}",
                    file.path.display(),
                    file.size
                );
            }
            files += 1;
        }
    }
    Ok(format!(
        "{}: {} tables, {files} files, all there; `goyong verify` hashes them",
        release.id,
        release.tables.len()
    ))
}

async fn freshness(found: &mut Examination, project: &OpenProject) {
    let overdue = async {
        let calendar = TableName::new("seed", "source_calendar")?;
        if project.warehouse().snapshot(&calendar).await?.is_none() {
            return Ok(None);
        }
        // Deliveries are due by the calendar of Seoul, whatever the machine's.
        let today = SystemClock
            .now()
            .with_timezone(&chrono_tz::Tz::Asia__Seoul)
            .date_naive();
        Ok::<_, anyhow::Error>(Some(project.check_freshness(Some(today)).await?))
    };
    match overdue.await {
        Ok(None) => found.note(
            "deliveries",
            Health::Warn,
            "nothing was ever built, so nobody knows what is due",
            "run `goyong night`",
        ),
        Ok(Some(summary)) if summary.overdue == 0 => {
            let finding = format!("{} sources, none overdue today", summary.rows.len());
            found.note("deliveries", Health::Ok, finding, "");
        }
        Ok(Some(summary)) => {
            let late = summary.rows.iter().filter(|row| row[1] == "overdue");
            let names: Vec<&str> = late.take(MOST_NAMED).map(|row| row[0].as_str()).collect();
            let more = if summary.overdue > names.len() {
                " …"
            } else {
                ""
            };
            let finding = format!("{} overdue: {}{more}", summary.overdue, names.join(", "));
            let advice = "ask the providers; `goyong freshness` tells which periods";
            found.note("deliveries", Health::Warn, finding, advice);
        }
        Err(error) => found.note(
            "deliveries",
            Health::Fail,
            format!("{error:#}"),
            "run `goyong freshness`",
        ),
    }
}
