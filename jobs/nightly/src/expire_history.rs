//! Removes what is kept only for a time: superseded versions of tables and their releases, and
//! encrypted originals. What was forgotten leaves the disk with them.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Days, Utc};
use goyong_store::ExpireReport;

use crate::project::OpenProject;

/// What an expiry removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpirySummary {
    /// Releases and files of tables.
    pub history: ExpireReport,
    /// Encrypted originals.
    pub originals: u64,
}

impl OpenProject {
    /// Removes what is older than the configuration keeps. `now` is told, because retention is a
    /// matter of the calendar and not of what was delivered.
    pub async fn expire_history(&self, now: DateTime<Utc>) -> Result<ExpirySummary> {
        let _lock = self.lock_night().await?;
        let before = |days: u32| {
            now.checked_sub_days(Days::new(u64::from(days)))
                .context("the horizon lies before the calendar")
        };
        let configuration = self.configuration();
        let history = self
            .warehouse()
            .expire(before(configuration.history_days)?)
            .await?;
        let mut originals = 0;
        let archive = configuration.archive();
        if archive.is_dir() {
            remove_older(
                &archive,
                before(configuration.archive_days)?,
                &mut originals,
            )?;
        }
        Ok(ExpirySummary { history, originals })
    }
}

/// Removes the files of a folder tree that were written before a moment.
fn remove_older(folder: &Path, before: DateTime<Utc>, removed: &mut u64) -> Result<()> {
    let listed = || format!("list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(listed)? {
        let entry = entry.with_context(listed)?;
        let path = entry.path();
        let metadata = entry.metadata().with_context(listed)?;
        if metadata.is_dir() {
            remove_older(&path, before, removed)?;
        } else if DateTime::<Utc>::from(metadata.modified().with_context(listed)?) < before {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
            *removed += 1;
        }
    }
    Ok(())
}
