//! Everything a delivery could change, and what is wrong with a change.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::bench::Case;
use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::identity::hex;

/// Everything a delivery could change.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    pub tables: BTreeMap<String, String>,
    pub files: BTreeMap<PathBuf, String>,
    pub landing: BTreeMap<PathBuf, String>,
    pub outside: BTreeMap<PathBuf, String>,
}

/// What is wrong with a refusal: its rule, its words, or that it is no line.
pub fn refused(outcome: &DeliveryOutcome, rule: &str, words: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let reason = outcome.reason.as_deref().unwrap_or_default();
    if outcome.status != DeliveryStatus::Refused || outcome.rule.as_deref() != Some(rule) {
        faults.push(format!("{:?} {:?}: {reason}", outcome.status, outcome.rule));
    }
    if !reason.contains(words) {
        faults.push(format!("the reason is: {reason}"));
    }
    let is_line = reason.chars().all(|letter| !letter.is_control()) && reason.len() < 4000;
    if !is_line || outcome.file_name.chars().any(char::is_control) {
        faults.push(format!("not one line: {reason:?} {:?}", outcome.file_name));
    }
    faults
}

/// Delivered = accepted + quarantined + rejected, in rows and in won.
pub fn unreconciled(outcome: &DeliveryOutcome) -> Vec<String> {
    let rows = outcome.rows_accepted + outcome.rows_quarantined + outcome.rows_rejected;
    let won = outcome.won_accepted + outcome.won_quarantined + outcome.won_rejected;
    if (outcome.rows_delivered, outcome.won_delivered) == (rows, won) {
        Vec::new()
    } else {
        vec![format!("not reconciled: {outcome:?}")]
    }
}

/// What changed beside what may: nothing for a refusal; for rows taken in the tables of the
/// source, the vault, one archive file and the file's leaving.
pub fn changes(
    case: &Case,
    outcome: &DeliveryOutcome,
    before: State,
    mut after: State,
) -> Vec<String> {
    let mut before = before;
    if outcome.status.is_accepted() {
        let tables = [
            format!("staging.{}", case.source),
            format!("quarantine.{}", case.source),
        ];
        let folders = [
            format!("lake/staging/{}", case.source),
            format!("lake/quarantine/{}", case.source),
            "vault".to_owned(),
        ];
        let archived = |path: &Path| path.starts_with(format!("archive/{}", case.source));
        let left = PathBuf::from(format!("{}/{}", case.source, case.file));
        let manifest = PathBuf::from(format!("{}.manifest.json", left.display()));
        let count = |state: &State| state.files.keys().filter(|path| archived(path)).count();
        if count(&after) != count(&before) + 1 {
            return vec!["the original is not archived".to_owned()];
        }
        for state in [&mut before, &mut after] {
            state.tables.retain(|name, _| !tables.contains(name));
            state.files.retain(|path, _| {
                !archived(path) && !folders.iter().any(|folder| path.starts_with(folder))
            });
        }
        before.landing.remove(&left);
        before.landing.remove(&manifest);
    }
    let mut faults = Vec::new();
    for (what, left, right) in [
        ("files", &before.files, &after.files),
        ("landing", &before.landing, &after.landing),
        ("outside", &before.outside, &after.outside),
    ] {
        let changed: Vec<_> = left
            .keys()
            .chain(right.keys())
            .filter(|path| left.get(*path) != right.get(*path))
            .collect();
        if !changed.is_empty() {
            faults.push(format!("{what} changed: {changed:?}"));
        }
    }
    if before.tables != after.tables {
        faults.push(format!("tables changed: {:?}", after.tables.keys()));
    }
    faults
}

/// Every file below a folder with its content's digest; what is no file by its kind, unopened.
pub fn digests(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in files(folder) {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        let digest = if kind.is_file() {
            hex(&Sha256::digest(fs::read(&path).unwrap()))
        } else {
            format!("{kind:?} {:?}", fs::read_link(&path).ok())
        };
        found.insert(path.strip_prefix(folder).unwrap().to_path_buf(), digest);
    }
    found
}

/// Everything below a folder that is no folder itself; links are not followed.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}
