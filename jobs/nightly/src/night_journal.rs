//! What is kept of a night that somebody started by hand: one file, `logs/<night>/night.json`, written when the night
//! begins and after each step, so that one that died leaves what it got to. The only record of wall times beside the
//! ledger of runs; no job reads it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::step::{StepReport, StepStatus};

/// Names of nights start with it.
pub(crate) const BY_HAND: &str = "by-hand";
const FILE: &str = "night.json";

/// A night, as far as it got.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NightRecord {
    /// Its name, which is its folder's as well.
    pub night: String,
    pub started_at: DateTime<Utc>,
    /// None for one that runs, or died.
    pub finished_at: Option<DateTime<Utc>>,
    pub status: Option<StepStatus>,
    /// Why it could not go on.
    pub error: String,
    /// The release readers saw afterwards.
    pub release: Option<String>,
    pub steps: Vec<RecordedStep>,
}

/// A step that began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecordedStep {
    pub name: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// None for one that runs, died or could not run.
    pub report: Option<StepReport>,
}

/// Writes a record as its night goes on. A record that cannot be written is no reason to end the night.
#[derive(Debug)]
pub(crate) struct NightJournal {
    file: PathBuf,
    record: NightRecord,
}

impl NightJournal {
    pub(crate) fn begin(logs: &Path, now: DateTime<Utc>) -> Self {
        let night = format!("{BY_HAND}-{}Z", now.format("%Y%m%dT%H%M%S%3f"));
        let journal = Self {
            file: logs.join(&night).join(FILE),
            record: NightRecord {
                night,
                started_at: now,
                finished_at: None,
                status: None,
                error: String::new(),
                release: None,
                steps: Vec::new(),
            },
        };
        journal.write();
        journal
    }

    /// The night's name.
    pub(crate) fn night(&self) -> &str {
        &self.record.night
    }

    pub(crate) fn step_began(&mut self, name: &str, now: DateTime<Utc>) {
        self.record.steps.push(RecordedStep {
            name: name.to_owned(),
            started_at: now,
            finished_at: None,
            report: None,
        });
        self.write();
    }

    pub(crate) fn step_ended(&mut self, report: Option<StepReport>, now: DateTime<Utc>) {
        if let Some(step) = self.record.steps.last_mut() {
            step.finished_at = Some(now);
            step.report = report;
        }
        self.write();
    }

    pub(crate) fn ended(
        &mut self,
        outcome: Result<(StepStatus, Option<String>), String>,
        now: DateTime<Utc>,
    ) {
        self.record.finished_at = Some(now);
        match outcome {
            Ok((status, release)) => {
                self.record.status = Some(status);
                self.record.release = release;
            }
            Err(error) => {
                self.record.status = Some(StepStatus::Failed);
                self.record.error = error;
            }
        }
        self.write();
    }

    fn write(&self) {
        if let Err(error) = self.try_to_write() {
            tracing::warn!("the record of this night is not kept: {error:#}");
        }
    }

    fn try_to_write(&self) -> Result<()> {
        let written = || format!("write {}", self.file.display());
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder).with_context(written)?;
        }
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec_pretty(&self.record)?).with_context(written)?;
        std::fs::rename(&fresh, &self.file).with_context(written)
    }
}

/// Whether a folder of logs is of a night by hand.
pub(crate) fn is_by_hand(name: &str) -> bool {
    name.starts_with(BY_HAND)
}

/// The record in a night's folder.
pub(crate) fn read_night(folder: &Path) -> Result<NightRecord> {
    let file = folder.join(FILE);
    let cannot = || format!("cannot read {}", file.display());
    let bytes = std::fs::read(&file).with_context(cannot)?;
    serde_json::from_slice(&bytes).with_context(cannot)
}

/// The newest nights, newest first, and how many there are. A record that cannot be read is left out with a warning.
pub(crate) fn newest_nights(logs: &Path, limit: usize) -> Result<(Vec<NightRecord>, usize)> {
    if !logs.is_dir() {
        return Ok((Vec::new(), 0));
    }
    let listed = || format!("list {}", logs.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(logs).with_context(listed)? {
        let name = entry.with_context(listed)?.file_name();
        let name = name.to_string_lossy();
        if is_by_hand(&name) {
            names.push(name.into_owned());
        }
    }
    // The time stands in the name.
    names.sort_unstable_by(|left, right| right.cmp(left));
    let count = names.len();
    let mut nights = Vec::new();
    for name in names.iter().take(limit) {
        match read_night(&logs.join(name)) {
            Ok(night) => nights.push(night),
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
    Ok((nights, count))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_that_died_leaves_what_it_got_to_and_nights_are_listed_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        assert_eq!(newest_nights(&logs, 5).unwrap().1, 0);
        let mut first = NightJournal::begin(&logs, at("2026-11-22T17:30:00.250Z"));
        first.step_began("ingest_deliveries", at("2026-11-22T17:30:01Z"));
        drop(first);
        let mut second = NightJournal::begin(&logs, at("2026-11-22T18:30:00Z"));
        second.step_began("ingest_deliveries", at("2026-11-22T18:30:01Z"));
        second.step_ended(None, at("2026-11-22T18:30:02Z"));
        second.ended(Err("no space".to_owned()), at("2026-11-22T18:30:02Z"));
        std::fs::create_dir_all(logs.join("night-20261122T173000Z")).unwrap();

        let (nights, count) = newest_nights(&logs, 5).unwrap();
        let shown: Vec<_> = nights
            .iter()
            .map(|night| (night.night.as_str(), night.status, night.steps.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("by-hand-20261122T183000000Z", Some(StepStatus::Failed), 1),
                ("by-hand-20261122T173000250Z", None, 1),
            ]
        );
        assert_eq!(count, 2);
        assert!(nights[1].steps[0].finished_at.is_none());
        assert_eq!(newest_nights(&logs, 1).unwrap().0.len(), 1);
    }
}
