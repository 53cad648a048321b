//! Removes what is kept only for a time: superseded versions of tables and their releases, encrypted originals, and what
//! was recorded of runs. What was forgotten leaves the disk with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use goyong_store::{ExpireReport, Release, Retention};
use goyong_types::{Month, nearest_name};

use crate::configuration::RetentionPolicy;
use crate::expire_runs::{ExpiredRuns, expire_runs};
use crate::project::OpenProject;

/// What an expiry removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpirySummary {
    /// Releases and files of tables.
    pub history: ExpireReport,
    /// Encrypted originals.
    pub originals: Vec<PathBuf>,
    /// Releases that stay although they are older, by the policy.
    pub kept: Vec<String>,
    /// What was recorded of runs.
    pub recorded: ExpiredRuns,
}

impl OpenProject {
    /// Removes what is older than the configuration keeps and the policy does not name. `now` is told, because
    /// retention is a matter of the calendar and not of what was delivered. A rehearsal removes nothing.
    ///
    /// The policy keeps no release from before the last erasure: it holds the rows of persons who were erased.
    pub async fn expire_history(
        &self,
        now: DateTime<Utc>,
        is_rehearsal: bool,
    ) -> Result<ExpirySummary> {
        let _lock = self.lock_night().await?;
        let days_ago = |days: u32| {
            now.checked_sub_days(Days::new(u64::from(days)))
                .context("the horizon lies before the calendar")
        };
        let configuration = self.configuration();
        let before = days_ago(configuration.history_days)?;
        let releases = self.warehouse().releases().await?;
        let cleared = self.cleared_release().await?;
        let kept = kept_releases(&configuration.retention, &releases, cleared.as_deref())?;
        let longest_run = Duration::hours(i64::from(configuration.retention.longest_run_hours));
        let retention = Retention {
            before,
            kept: kept.clone(),
            orphans_before: now - longest_run,
            is_rehearsal,
        };
        let history = self.warehouse().expire(&retention).await?;
        let mut originals = Vec::new();
        let archive = configuration.archive();
        if archive.is_dir() {
            let horizon = days_ago(configuration.archive_days)?;
            remove_older(&archive, horizon, is_rehearsal, &mut originals)?;
        }
        let remain = |release: &&Release| !history.releases.contains(&release.id);
        let released: Vec<&Release> = releases.iter().filter(remain).collect();
        let before_run = days_ago(configuration.run_days)?;
        let recorded = expire_runs(configuration, before_run, &released, is_rehearsal).await?;
        let is_older = |release: &&Release| release.published_at < before;
        let kept = releases
            .iter()
            .filter(is_older)
            .filter(|release| kept.contains(&release.id))
            .map(|release| release.id.clone());
        Ok(ExpirySummary {
            history,
            originals,
            kept: kept.collect(),
            recorded,
        })
    }
}

/// The releases a policy names, of those since the last erasure; `releases` are in the order of publication.
fn kept_releases(
    policy: &RetentionPolicy,
    releases: &[Release],
    cleared: Option<&str>,
) -> Result<BTreeSet<String>> {
    for id in &policy.releases {
        let ids = releases.iter().map(|release| release.id.as_str());
        if !releases.iter().any(|release| release.id == *id) {
            match nearest_name(id, ids) {
                Some(near) => {
                    bail!(
                        "[retention] keeps release `{id}`, which does not exist, did you mean `{near}`?"
                    )
                }
                None => bail!("[retention] keeps release `{id}`, which does not exist"),
            }
        }
    }
    // Later releases of a date or a month win.
    let mut by_night: BTreeMap<NaiveDate, &str> = BTreeMap::new();
    let mut by_month: BTreeMap<Month, (NaiveDate, &str)> = BTreeMap::new();
    for release in releases {
        let date = release.business_date;
        by_night.insert(date, &release.id);
        let last = by_month
            .entry(Month::of(date))
            .or_insert((date, &release.id));
        if date >= last.0 {
            *last = (date, &release.id);
        }
    }
    let nights = by_night.values().rev().take(policy.nights).copied();
    let months = by_month.values().rev().take(policy.month_ends);
    let named = policy.releases.iter().map(String::as_str);
    let mut kept: BTreeSet<String> = nights
        .chain(months.map(|(_, id)| *id))
        .chain(named)
        .map(str::to_owned)
        .collect();
    let since = cleared.and_then(|id| releases.iter().position(|release| release.id == id));
    for release in &releases[..since.unwrap_or(0)] {
        kept.remove(&release.id);
    }
    Ok(kept)
}

/// Removes the files of a folder tree that were written before a moment.
fn remove_older(
    folder: &Path,
    before: DateTime<Utc>,
    is_rehearsal: bool,
    removed: &mut Vec<PathBuf>,
) -> Result<()> {
    let listed = || format!("list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(listed)? {
        let entry = entry.with_context(listed)?;
        let path = entry.path();
        let metadata = entry.metadata().with_context(listed)?;
        if metadata.is_dir() {
            remove_older(&path, before, is_rehearsal, removed)?;
        } else if DateTime::<Utc>::from(metadata.modified().with_context(listed)?) < before {
            if !is_rehearsal {
                std::fs::remove_file(&path)
                    .with_context(|| format!("remove {}", path.display()))?;
            }
            removed.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn releases(ids: &[&str]) -> Vec<Release> {
        ids.iter()
            .map(|id| Release {
                id: (*id).to_owned(),
                business_date: id.split_once('.').unwrap().0.parse().unwrap(),
                ..Release::default()
            })
            .collect()
    }

    fn kept(policy: &RetentionPolicy, cleared: Option<&str>) -> Vec<String> {
        let releases = releases(&[
            "2024-06-29.1",
            "2024-06-30.1",
            "2024-07-30.1",
            "2024-07-31.1",
            "2024-07-31.2",
            "2024-08-01.1",
        ]);
        let kept = kept_releases(policy, &releases, cleared).unwrap();
        kept.into_iter().collect()
    }

    #[test]
    fn policy_keeps_nights_month_ends_and_named_releases() {
        let policy = RetentionPolicy {
            nights: 2,
            month_ends: 3,
            releases: vec!["2024-06-29.1".to_owned()],
            ..RetentionPolicy::default()
        };
        assert_eq!(
            kept(&policy, None),
            [
                "2024-06-29.1",
                "2024-06-30.1",
                "2024-07-31.2",
                "2024-08-01.1"
            ]
        );
        assert!(kept(&RetentionPolicy::default(), None).is_empty());
    }

    #[test]
    fn policy_keeps_nothing_from_before_an_erasure() {
        let policy = RetentionPolicy {
            month_ends: 3,
            releases: vec!["2024-06-29.1".to_owned()],
            ..RetentionPolicy::default()
        };
        assert_eq!(
            kept(&policy, Some("2024-07-31.2")),
            ["2024-07-31.2", "2024-08-01.1"]
        );
    }

    #[test]
    fn misspelt_release_of_the_policy_is_answered_with_the_nearest() {
        let policy = RetentionPolicy {
            releases: vec!["2024-06-31.1".to_owned()],
            ..RetentionPolicy::default()
        };
        let error = kept_releases(&policy, &releases(&["2024-06-30.1"]), None).unwrap_err();
        assert!(
            error.to_string().contains("did you mean `2024-06-30.1`"),
            "{error}"
        );
    }
}
