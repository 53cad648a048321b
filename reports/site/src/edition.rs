//! Editions: a period's figures keep their address; other figures for the same period become a revision beside them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The record that stands beside the downloads of an edition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EditionRecord {
    pub slug: String,
    pub period: String,
    pub revision: u32,
    pub release: String,
    pub as_of: String,
    /// Table name to SHA-256 of its CSV.
    pub tables: BTreeMap<String, String>,
}

impl EditionRecord {
    /// `2025-12` or `2025-12/r2`.
    pub(crate) fn folder(&self) -> String {
        folder(&self.period, self.revision)
    }

    /// Decides the revision by what is already published at `out`: the same figures are the same edition.
    pub(crate) fn decide(mut self, out: &Path) -> io::Result<Self> {
        for revision in 1.. {
            self.revision = revision;
            let Some(published) = read(out, &self.slug, &self.period, revision)? else {
                break;
            };
            let is_last = read(out, &self.slug, &self.period, revision + 1)?.is_none();
            if is_last && published.tables == self.tables {
                // The first release that carried these figures stays the one that is cited.
                return Ok(published);
            }
        }
        Ok(self)
    }
}

/// Every edition published at `out`, by slug, period and revision.
pub(crate) fn published(out: &Path) -> io::Result<Vec<EditionRecord>> {
    let mut records = Vec::new();
    for slug in subfolders(&out.join("data"))? {
        for period in subfolders(&out.join("data").join(&slug))? {
            for revision in 1.. {
                match read(out, &slug, &period, revision)? {
                    Some(record) => records.push(record),
                    None => break,
                }
            }
        }
    }
    Ok(records)
}

fn folder(period: &str, revision: u32) -> String {
    if revision == 1 {
        period.to_owned()
    } else {
        format!("{period}/r{revision}")
    }
}

fn read(out: &Path, slug: &str, period: &str, revision: u32) -> io::Result<Option<EditionRecord>> {
    let path = out
        .join("data")
        .join(slug)
        .join(folder(period, revision))
        .join("edition.json");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {source}", path.display()),
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn subfolders(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    match fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    names.sort();
    Ok(names)
}
