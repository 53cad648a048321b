//! Removes what was recorded of runs: rows of the ledger, logs, records of nights by hand. The run that a kept release
//! came from stays as long as the release.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use goyong_scheduler::{Ledger, OldOccurrence};
use goyong_store::Release;

use crate::configuration::Configuration;
use crate::night_journal::{NightRecord, is_by_hand, read_night};
use crate::scheduled::open_ledger;

/// What an expiry of runs removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpiredRuns {
    /// Runs by name, those by hand included.
    pub runs: Vec<String>,
    /// Folders of logs.
    pub logs: Vec<PathBuf>,
}

/// Removes runs that ended before a moment. `released` are the releases that stay. The caller holds the night's lock, so
/// that no night by hand is under way.
pub(crate) async fn expire_runs(
    configuration: &Configuration,
    before: DateTime<Utc>,
    released: &[&Release],
    is_rehearsal: bool,
) -> Result<ExpiredRuns> {
    let mut expired = ExpiredRuns::default();
    let published: Vec<DateTime<Utc>> = released.iter().map(|it| it.published_at).collect();
    let ledger = open_ledger(configuration).await?;
    let remaining = match &ledger {
        Some(ledger) => of_ledger(ledger, before, &published, is_rehearsal, &mut expired).await?,
        None => BTreeSet::new(),
    };
    // Rows first: a folder whose run is forgotten goes now or with the next expiry.
    of_logs(
        &configuration.warehouse.join("logs"),
        before,
        &published,
        &remaining,
        &mut expired,
    )?;
    if !is_rehearsal {
        for folder in &expired.logs {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    Ok(expired)
}

/// Forgets old runs of the ledger; answers the names of those that stay.
async fn of_ledger(
    ledger: &Ledger,
    before: DateTime<Utc>,
    published: &[DateTime<Utc>],
    is_rehearsal: bool,
    expired: &mut ExpiredRuns,
) -> Result<BTreeSet<String>> {
    let mut old = ledger.ended_before(before).await?;
    old.retain(|occurrence| match &occurrence.run {
        Some(run) => !made_one_of(published, run.started_at, Some(run.finished_at)),
        None => true,
    });
    let named = |occurrence: &OldOccurrence| Some(occurrence.run.as_ref()?.run_id.clone());
    let forgotten: BTreeSet<String> = old.iter().filter_map(named).collect();
    if !is_rehearsal {
        ledger.forget(&old).await?;
    }
    let mut remaining: BTreeSet<String> = ledger.run_ids().await?.into_iter().collect();
    if is_rehearsal {
        remaining.retain(|run| !forgotten.contains(run));
    }
    // One that was retried in between is no longer old.
    expired
        .runs
        .extend(forgotten.into_iter().filter(|run| !remaining.contains(run)));
    Ok(remaining)
}

/// Finds the logs of runs that are forgotten, and nights by hand that are old.
fn of_logs(
    logs: &Path,
    before: DateTime<Utc>,
    published: &[DateTime<Utc>],
    remaining: &BTreeSet<String>,
    expired: &mut ExpiredRuns,
) -> Result<()> {
    if !logs.is_dir() {
        return Ok(());
    }
    let listed = || format!("list {}", logs.display());
    for entry in std::fs::read_dir(logs).with_context(listed)? {
        let folder = entry.with_context(listed)?.path();
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !folder.is_dir() || remaining.contains(name) || newest_change(&folder)? >= before {
            continue;
        }
        if is_by_hand(name) {
            let night = read_night(&folder);
            let is_needed = |night: &NightRecord| {
                made_one_of(published, Some(night.started_at), night.finished_at)
            };
            if night.as_ref().is_ok_and(is_needed) {
                continue;
            }
            expired.runs.push(name.to_owned());
        }
        expired.logs.push(folder);
    }
    expired.runs.sort_unstable();
    expired.logs.sort_unstable();
    Ok(())
}

/// Whether one of some releases was published while a run went on. One that died went on for who knows how long, but
/// published nothing after the next began; it is taken to have made what was published within a day.
fn made_one_of(
    published: &[DateTime<Utc>],
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> bool {
    let Some(from) = from else { return false };
    let to = to.unwrap_or(from + chrono::TimeDelta::days(1));
    published.iter().any(|at| (from..=to).contains(at))
}

/// When something below a folder was written last.
fn newest_change(folder: &Path) -> Result<DateTime<Utc>> {
    let looked_at = || format!("look at {}", folder.display());
    let changed = std::fs::metadata(folder).and_then(|found| found.modified());
    let mut newest = changed.with_context(looked_at)?;
    for entry in std::fs::read_dir(folder).with_context(looked_at)? {
        let changed = entry.and_then(|entry| entry.metadata()?.modified());
        newest = newest.max(changed.with_context(looked_at)?);
    }
    Ok(newest.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::SystemTime;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// A folder of logs that was written on a day.
    fn logged(logs: &Path, name: &str, file: &str, text: &str, written: &str) {
        let folder = logs.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(file);
        std::fs::write(&path, text).unwrap();
        let written = SystemTime::from(at(written));
        for path in [path, folder] {
            std::fs::File::open(path)
                .unwrap()
                .set_modified(written)
                .unwrap();
        }
    }

    #[test]
    fn old_logs_go_but_not_those_of_recorded_runs_and_kept_releases() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path();
        let night = |started: &str, finished: &str| {
            format!(
                r#"{{"night":"x","started_at":"{started}","finished_at":{finished},"status":null,"error":"","release":null,"steps":[]}}"#
            )
        };
        let (old, young) = ("2025-01-02T00:00:00Z", "2026-01-02T00:00:00Z");
        let by_hand = |name: &str, started: &str, finished: &str| {
            logged(logs, name, "night.json", &night(started, finished), old);
        };
        by_hand(
            "by-hand-1",
            "2025-01-01T17:30:00Z",
            "\"2025-01-01T18:00:00Z\"",
        );
        by_hand(
            "by-hand-2",
            "2025-01-01T19:30:00Z",
            "\"2025-01-01T20:00:00Z\"",
        );
        by_hand("by-hand-died", "2024-06-01T19:30:00Z", "null");
        logged(logs, "by-hand-torn", "night.json", "{", old);
        logged(logs, "night-forgotten", "step.log", "x", old);
        logged(logs, "night-recorded", "step.log", "x", old);
        logged(logs, "night-young", "step.log", "x", young);
        std::fs::write(logs.join("a-file"), "x").unwrap();
        let remaining = BTreeSet::from(["night-recorded".to_owned()]);
        let mut expired = ExpiredRuns::default();
        let published = [at("2025-01-01T17:59:00Z")];
        let before = at("2025-06-01T00:00:00Z");
        of_logs(logs, before, &published, &remaining, &mut expired).unwrap();
        assert_eq!(expired.runs, ["by-hand-2", "by-hand-died", "by-hand-torn"]);
        let names = |name: &str| logs.join(name);
        let expected = [
            "by-hand-2",
            "by-hand-died",
            "by-hand-torn",
            "night-forgotten",
        ];
        assert_eq!(expired.logs, expected.map(names));
    }
}
