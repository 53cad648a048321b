//! Sorted, append-only files of sealed records, found by key.
//!
//! `CURRENT` names the runs that count; a file it does not name is left over from a crash and is
//! removed. Runs of similar size are merged, so that their number stays logarithmic. Keys are
//! sets: writing a key again changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use chacha20poly1305::XChaCha20Poly1305;
use goyong_store::files;
use zeroize::Zeroize;

use super::run::{BLOCK, Collision, Entry, Run, RunWriter, Seal, Walk};
use crate::error::IntakeError;
use crate::identity::keys::sync_folder;

const CURRENT: &str = "CURRENT";
/// This many neighbouring runs within a factor of four in size become one.
const MERGE_WIDTH: usize = 4;

/// A folder of runs with keys of `K` bytes and payloads of `P` bytes.
pub(super) struct RunSet<const K: usize, const P: usize> {
    folder: PathBuf,
    /// What the entries are; part of what a block is sealed for.
    label: &'static str,
    cipher: XChaCha20Poly1305,
    runs: Vec<Run<K, P>>,
    next: u64,
}

impl<const K: usize, const P: usize> RunSet<K, P> {
    /// Opens the folder to write, made when missing, and removes what a crash left over. Only one
    /// process at a time may.
    pub fn open(
        folder: &Path,
        label: &'static str,
        cipher: XChaCha20Poly1305,
    ) -> Result<Self, IntakeError> {
        files::create_folders(folder)
            .map_err(|error| IntakeError::file("create vault folder", folder, error))?;
        let mut set = Self::open_to_read(folder, label, cipher)?;
        set.remove_leftovers()?;
        Ok(set)
    }

    /// Opens the folder and changes nothing, beside a process that may be writing.
    pub fn open_to_read(
        folder: &Path,
        label: &'static str,
        cipher: XChaCha20Poly1305,
    ) -> Result<Self, IntakeError> {
        let current = folder.join(CURRENT);
        let text = if current.exists() {
            fs::read_to_string(&current)
                .map_err(|error| IntakeError::file("read vault index", &current, error))?
        } else {
            String::new()
        };
        let mut set = Self {
            folder: folder.to_owned(),
            label,
            cipher,
            runs: Vec::new(),
            next: 1,
        };
        for line in text.lines() {
            let parsed = line
                .split_once(' ')
                .and_then(|(name, entries)| Some((name, entries.parse().ok()?)))
                .and_then(|(name, entries)| Some((name, entries, run_number(name)?)));
            let Some((name, entries, number)) = parsed else {
                return Err(IntakeError::Vault {
                    message: format!(
                        "vault index {} is damaged: restore the vault from its backup",
                        current.display()
                    ),
                });
            };
            set.runs.push(Run::open(&folder.join(name), name, entries)?);
            set.next = set.next.max(number + 1);
        }
        Ok(set)
    }

    fn remove_leftovers(&mut self) -> Result<(), IntakeError> {
        let error = |source| IntakeError::file("clean vault folder", &self.folder, source);
        for entry in fs::read_dir(&self.folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let counts = name == CURRENT || self.runs.iter().any(|run| run.name == name);
            if !counts {
                files::remove(&entry.path()).map_err(error)?;
            }
        }
        Ok(())
    }

    /// Entries in all runs; a key in two runs counts twice until they are merged.
    pub fn entries(&self) -> u64 {
        self.runs.iter().map(|run| run.entries as u64).sum()
    }

    fn seal(&self) -> Seal<'_> {
        Seal {
            label: self.label,
            cipher: &self.cipher,
        }
    }

    /// Entries whose key starts with these bytes, in order, each once.
    pub fn with_prefix(&self, prefix: &[u8]) -> Result<Vec<Entry<K, P>>, IntakeError> {
        let mut found = Vec::new();
        for run in &self.runs {
            run.with_prefix(prefix, self.seal(), &mut found)?;
        }
        found.sort_by_key(|(key, _)| *key);
        found.dedup_by_key(|(key, _)| *key);
        Ok(found)
    }

    /// All entries in order, each once; one block of each run in memory.
    pub fn walk(&self) -> Result<Walk<'_, K, P>, IntakeError> {
        Walk::open(&self.runs, self.seal())
    }

    /// Removes the entries whose key the function names, from every file, durably.
    pub fn remove(&mut self, is_removed: impl Fn(&[u8; K]) -> bool) -> Result<u64, IntakeError> {
        let mut removed = 0;
        let mut kept = Vec::new();
        let mut obsolete = Vec::new();
        for mut run in std::mem::take(&mut self.runs) {
            let mut count = 0;
            for number in 0..run.fences.len() {
                run.load(number)?;
                count += run.block.iter().filter(|key| is_removed(key)).count();
            }
            if count == 0 {
                kept.push(run);
                continue;
            }
            removed += count as u64;
            let name = self.next_name();
            let mut writer = RunWriter::<K, P>::create(&self.folder, name, self.seal())?;
            let mut walk = Walk::open(std::slice::from_ref(&run), self.seal())?;
            while let Some((key, payload)) = walk.next()? {
                if !is_removed(&key) {
                    writer.push(&key, &*payload)?;
                }
            }
            drop(walk);
            kept.push(writer.finish()?);
            obsolete.push(run);
        }
        self.runs = kept;
        if obsolete.is_empty() {
            return Ok(0);
        }
        self.write_current()?;
        for run in obsolete {
            files::remove(&run.path)
                .map_err(|error| IntakeError::file("remove vault run", &run.path, error))?;
        }
        sync_folder(&self.folder)?;
        Ok(removed)
    }

    /// Which of the sorted, distinct keys are in the runs or in the pending ones.
    pub fn known(
        &mut self,
        pending: &mut [Run<K, P>],
        keys: &[[u8; K]],
        prefix: usize,
    ) -> Result<Result<Vec<bool>, Collision>, IntakeError> {
        let mut known = vec![false; keys.len()];
        for run in self.runs.iter_mut().chain(pending) {
            if let Err(collision) = run.mark_known(keys, &mut known, prefix)? {
                return Ok(Err(collision));
            }
        }
        Ok(Ok(known))
    }

    /// Writes a run that does not count yet; keys are distinct and in order.
    pub fn write_pending<'e>(
        &mut self,
        sorted: impl Iterator<Item = (&'e [u8; K], [u8; P])>,
    ) -> Result<Run<K, P>, IntakeError> {
        let name = self.next_name();
        let mut writer = RunWriter::<K, P>::create(&self.folder, name, self.seal())?;
        for (key, mut payload) in sorted {
            writer.push(key, &payload)?;
            payload.zeroize();
        }
        writer.finish()
    }

    fn next_name(&mut self) -> String {
        let name = format!("run-{:08}", self.next);
        self.next += 1;
        name
    }

    /// Makes pending runs count, atomically and durably, then merges runs that have grown many.
    pub fn commit(&mut self, pending: Vec<Run<K, P>>) -> Result<(), IntakeError> {
        if pending.is_empty() {
            return Ok(());
        }
        self.runs.extend(pending);
        self.write_current()?;
        while let Some(first) = self.merge_candidate() {
            let merged = self.merge(first)?;
            let replaced: Vec<Run<K, P>> = self.runs.splice(first.., [merged]).collect();
            self.write_current()?;
            for run in replaced {
                files::remove(&run.path).map_err(|error| {
                    IntakeError::file("remove merged vault run", &run.path, error)
                })?;
            }
        }
        Ok(())
    }

    /// First of the newest runs that should become one.
    fn merge_candidate(&self) -> Option<usize> {
        let first = self.runs.len().checked_sub(MERGE_WIDTH)?;
        let newest = self.runs.last()?.entries;
        let similar = self.runs[first..]
            .iter()
            .all(|run| run.entries <= newest.saturating_mul(4).max(BLOCK));
        similar.then_some(first)
    }

    fn write_current(&self) -> Result<(), IntakeError> {
        let path = self.folder.join(CURRENT);
        let mut text = String::new();
        for run in &self.runs {
            text.push_str(&format!("{} {}\n", run.name, run.entries));
        }
        files::replace(&path, text)
            .map_err(|error| IntakeError::file("write vault index", &path, error))
    }

    /// Merges the runs from `first` on into a new file.
    fn merge(&mut self, first: usize) -> Result<Run<K, P>, IntakeError> {
        let name = self.next_name();
        let mut writer = RunWriter::<K, P>::create(&self.folder, name, self.seal())?;
        let mut walk = Walk::open(&self.runs[first..], self.seal())?;
        while let Some((key, payload)) = walk.next()? {
            writer.push(&key, &*payload)?;
        }
        writer.finish()
    }

    /// Removes pending runs that will not count.
    pub fn discard(&self, pending: Vec<Run<K, P>>) {
        for run in pending {
            // A file that stays is removed when the vault is opened next.
            let _ = fs::remove_file(&run.path);
        }
    }
}

fn run_number(name: &str) -> Option<u64> {
    name.strip_prefix("run-")?.parse().ok()
}

#[cfg(test)]
mod tests;
