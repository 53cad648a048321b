//! Sorted, append-only files of fixed-size records, found by key.
//!
//! A run is one file: `entries` sorted keys, then as many payloads, then the first key of every
//! block of keys. `CURRENT` names the runs that count; a file it does not name is left over from
//! a crash and is removed. Runs of similar size are merged, so that their number stays
//! logarithmic. Keys are sets: writing a key again changes nothing.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::IntakeError;
use crate::identity::keys::sync_folder;

const CURRENT: &str = "CURRENT";
const BLOCK: usize = 4096;
/// This many neighbouring runs within a factor of four in size become one.
const MERGE_WIDTH: usize = 4;

/// A folder of runs with keys of `K` bytes and payloads of `P` bytes.
pub(super) struct RunSet<const K: usize, const P: usize> {
    folder: PathBuf,
    runs: Vec<Run<K>>,
    next: u64,
}

/// One sorted file.
pub(super) struct Run<const K: usize> {
    name: String,
    path: PathBuf,
    file: File,
    entries: u64,
    /// First key of every block.
    fences: Vec<[u8; K]>,
    block: Vec<[u8; K]>,
    block_number: Option<usize>,
}

impl<const K: usize> Run<K> {
    fn open<const P: usize>(path: &Path, name: &str, entries: u64) -> Result<Self, IntakeError> {
        let error = |source| IntakeError::file("open vault run", path, source);
        let file = File::open(path).map_err(error)?;
        let blocks = (entries as usize).div_ceil(BLOCK);
        let expected = entries * (K + P) as u64 + (blocks * K) as u64;
        let length = file.metadata().map_err(error)?.len();
        if length != expected {
            return Err(IntakeError::Vault {
                message: format!(
                    "vault file {} has {length} bytes instead of {expected}: restore the vault from its backup",
                    path.display()
                ),
            });
        }
        let mut bytes = vec![0; blocks * K];
        file.read_exact_at(&mut bytes, entries * (K + P) as u64)
            .map_err(error)?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            file,
            entries,
            fences: bytes.chunks_exact(K).map(to_key).collect(),
            block: Vec::new(),
            block_number: None,
        })
    }

    fn load(&mut self, number: usize) -> Result<(), IntakeError> {
        if self.block_number == Some(number) {
            return Ok(());
        }
        let first = number * BLOCK;
        let count = BLOCK.min(self.entries as usize - first);
        let mut bytes = vec![0; count * K];
        self.file
            .read_exact_at(&mut bytes, (first * K) as u64)
            .map_err(|source| IntakeError::file("read vault run", &self.path, source))?;
        self.block = bytes.chunks_exact(K).map(to_key).collect();
        self.block_number = Some(number);
        Ok(())
    }

    /// Looks for the key and for another key with the same first `prefix` bytes.
    pub fn find(&mut self, key: &[u8; K], prefix: usize) -> Result<Found, IntakeError> {
        // Keys with the prefix may start in the block before the first fence that is above it.
        let start = self
            .fences
            .partition_point(|fence| fence[..prefix] < key[..prefix])
            .saturating_sub(1);
        let mut number = start;
        while number < self.fences.len() {
            if self.fences[number][..prefix] > key[..prefix] {
                break;
            }
            self.load(number)?;
            let first = self
                .block
                .partition_point(|entry| entry[..prefix] < key[..prefix]);
            for (offset, entry) in self.block[first..].iter().enumerate() {
                if entry[..prefix] != key[..prefix] {
                    return Ok(Found::Absent);
                }
                if entry == key {
                    return Ok(Found::Present((number * BLOCK + first + offset) as u64));
                }
                if prefix < K {
                    return Ok(Found::Collision);
                }
            }
            number += 1;
        }
        Ok(Found::Absent)
    }

    /// The payload of an entry.
    #[cfg(test)]
    pub fn payload<const P: usize>(&self, entry: u64) -> Result<[u8; P], IntakeError> {
        let mut payload = [0; P];
        self.file
            .read_exact_at(&mut payload, self.entries * K as u64 + entry * P as u64)
            .map_err(|source| IntakeError::file("read vault run", &self.path, source))?;
        Ok(payload)
    }
}

/// Result of a look-up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    Present(u64),
    /// Another key has the same prefix.
    Collision,
}

fn to_key<const K: usize>(bytes: &[u8]) -> [u8; K] {
    let mut key = [0; K];
    key.copy_from_slice(bytes);
    key
}

impl<const K: usize, const P: usize> RunSet<K, P> {
    /// Opens the folder, made when missing, and removes what a crash left over.
    pub fn open(folder: &Path) -> Result<Self, IntakeError> {
        fs::create_dir_all(folder)
            .map_err(|error| IntakeError::file("create vault folder", folder, error))?;
        let current = folder.join(CURRENT);
        let text = if current.exists() {
            fs::read_to_string(&current)
                .map_err(|error| IntakeError::file("read vault index", &current, error))?
        } else {
            String::new()
        };
        let mut set = Self {
            folder: folder.to_owned(),
            runs: Vec::new(),
            next: 1,
        };
        for line in text.lines() {
            let parsed = line
                .split_once(' ')
                .and_then(|(name, entries)| Some((name, entries.parse::<u64>().ok()?)))
                .and_then(|(name, entries)| Some((name, entries, run_number(name)?)));
            let Some((name, entries, number)) = parsed else {
                return Err(IntakeError::Vault {
                    message: format!(
                        "vault index {} is damaged: restore the vault from its backup",
                        current.display()
                    ),
                });
            };
            set.runs
                .push(Run::open::<P>(&folder.join(name), name, entries)?);
            set.next = set.next.max(number + 1);
        }
        set.remove_leftovers()?;
        Ok(set)
    }

    fn remove_leftovers(&mut self) -> Result<(), IntakeError> {
        let error = |source| IntakeError::file("clean vault folder", &self.folder, source);
        for entry in fs::read_dir(&self.folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let counts = name == CURRENT || self.runs.iter().any(|run| run.name == name);
            if !counts {
                fs::remove_file(entry.path()).map_err(error)?;
            }
        }
        Ok(())
    }

    /// Entries in all runs; a key in two runs counts twice until they are merged.
    pub fn entries(&self) -> u64 {
        self.runs.iter().map(|run| run.entries).sum()
    }

    pub fn runs_mut(&mut self) -> &mut [Run<K>] {
        &mut self.runs
    }

    /// Writes a run that does not count yet; `sorted` has distinct keys in order.
    pub fn write_pending(
        &mut self,
        sorted: impl ExactSizeIterator<Item = ([u8; K], [u8; P])> + Clone,
    ) -> Result<Run<K>, IntakeError> {
        let name = format!("run-{:08}", self.next);
        self.next += 1;
        let path = self.folder.join(&name);
        let entries = sorted.len() as u64;
        let write = || -> std::io::Result<()> {
            let mut writer = BufWriter::with_capacity(1 << 18, File::create(&path)?);
            for (key, _) in sorted.clone() {
                writer.write_all(&key)?;
            }
            for (_, payload) in sorted.clone() {
                writer.write_all(&payload)?;
            }
            for (key, _) in sorted.step_by(BLOCK) {
                writer.write_all(&key)?;
            }
            writer.into_inner()?.sync_all()
        };
        write().map_err(|error| IntakeError::file("write vault run", &path, error))?;
        Run::open::<P>(&path, &name, entries)
    }

    /// Makes pending runs count, atomically and durably, then merges runs that have grown many.
    pub fn commit(&mut self, pending: Vec<Run<K>>) -> Result<(), IntakeError> {
        if pending.is_empty() {
            return Ok(());
        }
        self.runs.extend(pending);
        self.write_current()?;
        while let Some(first) = self.merge_candidate() {
            let merged = self.merge(first)?;
            let replaced: Vec<Run<K>> = self.runs.splice(first.., [merged]).collect();
            self.write_current()?;
            for run in replaced {
                fs::remove_file(&run.path).map_err(|error| {
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
            .all(|run| run.entries <= newest.saturating_mul(4).max(BLOCK as u64));
        similar.then_some(first)
    }

    fn write_current(&self) -> Result<(), IntakeError> {
        let path = self.folder.join(CURRENT);
        let temporary = self.folder.join("CURRENT.new");
        let mut text = String::new();
        for run in &self.runs {
            text.push_str(&format!("{} {}\n", run.name, run.entries));
        }
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| IntakeError::file("write vault index", &path, error))?;
        sync_folder(&self.folder)
    }

    /// Merges the runs from `first` on into a new file, payloads unread.
    fn merge(&mut self, first: usize) -> Result<Run<K>, IntakeError> {
        let name = format!("run-{:08}", self.next);
        self.next += 1;
        let path = self.folder.join(&name);
        let error = |source| IntakeError::file("merge vault runs", &path, source);

        let keys_path = self.folder.join("merge.keys");
        let mut keys_writer =
            BufWriter::with_capacity(1 << 18, File::create(&keys_path).map_err(error)?);
        let payload_path = self.folder.join("merge.payloads");
        let mut payload_writer =
            BufWriter::with_capacity(1 << 18, File::create(&payload_path).map_err(error)?);
        let mut cursors = self.runs[first..]
            .iter()
            .map(Cursor::<K, P>::open)
            .collect::<Result<Vec<_>, _>>()?;
        let mut fences: Vec<[u8; K]> = Vec::new();
        let mut entries = 0u64;
        while let Some(smallest) = cursors.iter().filter_map(|cursor| cursor.key).min() {
            let mut written = false;
            for cursor in &mut cursors {
                if cursor.key == Some(smallest) {
                    let payload = cursor.advance()?;
                    if !written {
                        keys_writer.write_all(&smallest).map_err(error)?;
                        payload_writer.write_all(&payload).map_err(error)?;
                        written = true;
                    }
                }
            }
            if (entries as usize).is_multiple_of(BLOCK) {
                fences.push(smallest);
            }
            entries += 1;
        }
        keys_writer.flush().map_err(error)?;
        payload_writer.flush().map_err(error)?;
        let assemble = || -> std::io::Result<()> {
            let mut output = BufWriter::with_capacity(1 << 18, File::create(&path)?);
            for part in [&keys_path, &payload_path] {
                std::io::copy(&mut File::open(part)?, &mut output)?;
            }
            for fence in &fences {
                output.write_all(fence)?;
            }
            output.into_inner()?.sync_all()?;
            fs::remove_file(&keys_path)?;
            fs::remove_file(&payload_path)
        };
        assemble().map_err(error)?;
        Run::open::<P>(&path, &name, entries)
    }

    /// Removes pending runs that will not count.
    pub fn discard(&self, pending: Vec<Run<K>>) {
        for run in pending {
            // A file that stays is removed when the vault is opened next.
            let _ = fs::remove_file(&run.path);
        }
    }
}

fn run_number(name: &str) -> Option<u64> {
    name.strip_prefix("run-")?.parse().ok()
}

/// Walks a run in key order.
struct Cursor<const K: usize, const P: usize> {
    keys: BufReader<File>,
    payloads: BufReader<File>,
    left: u64,
    key: Option<[u8; K]>,
    path: PathBuf,
}

impl<const K: usize, const P: usize> Cursor<K, P> {
    fn open(run: &Run<K>) -> Result<Self, IntakeError> {
        use std::io::{Seek, SeekFrom};
        let error = |source| IntakeError::file("read vault run", &run.path, source);
        let keys = BufReader::with_capacity(1 << 16, File::open(&run.path).map_err(error)?);
        let mut payload_file = File::open(&run.path).map_err(error)?;
        payload_file
            .seek(SeekFrom::Start(run.entries * K as u64))
            .map_err(error)?;
        let mut cursor = Self {
            keys,
            payloads: BufReader::with_capacity(1 << 16, payload_file),
            left: run.entries,
            key: None,
            path: run.path.clone(),
        };
        cursor.next_key()?;
        Ok(cursor)
    }

    fn next_key(&mut self) -> Result<(), IntakeError> {
        self.key = None;
        if self.left > 0 {
            let mut key = [0; K];
            self.keys
                .read_exact(&mut key)
                .map_err(|source| IntakeError::file("read vault run", &self.path, source))?;
            self.key = Some(key);
            self.left -= 1;
        }
        Ok(())
    }

    /// The payload of the current key; moves to the next.
    fn advance(&mut self) -> Result<[u8; P], IntakeError> {
        let mut payload = [0; P];
        self.payloads
            .read_exact(&mut payload)
            .map_err(|source| IntakeError::file("read vault run", &self.path, source))?;
        self.next_key()?;
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(number: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    fn write(set: &mut RunSet<16, 4>, numbers: impl Iterator<Item = u64>) -> Run<16> {
        let entries: Vec<_> = numbers
            .map(|number| (key(number), (number as u32).to_be_bytes()))
            .collect();
        set.write_pending(entries.into_iter()).unwrap()
    }

    #[test]
    fn runs_are_found_merged_and_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = RunSet::<16, 4>::open(folder.path()).unwrap();
        for part in 0..9u64 {
            let run = write(&mut set, (0..5000).map(|index| index * 9 + part));
            set.commit(vec![run]).unwrap();
        }
        assert!(set.runs.len() < MERGE_WIDTH + 2, "{} runs", set.runs.len());
        let mut set = RunSet::<16, 4>::open(folder.path()).unwrap();
        assert_eq!(set.entries(), 45_000);
        for number in [0, 1, 4095, 4096, 4097, 20_000, 44_999] {
            let found = set.runs_mut().iter_mut().find_map(|run| {
                match run.find(&key(number), 8).unwrap() {
                    Found::Present(entry) => Some(run.payload::<4>(entry).unwrap()),
                    _ => None,
                }
            });
            assert_eq!(found, Some((number as u32).to_be_bytes()), "{number}");
        }
        for run in set.runs_mut() {
            assert_eq!(run.find(&key(45_000), 8).unwrap(), Found::Absent);
        }
    }

    #[test]
    fn same_prefix_with_another_tail_is_a_collision() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = RunSet::<16, 4>::open(folder.path()).unwrap();
        let mut run = write(&mut set, 0..10_000);
        for number in [0, 4095, 4096, 9_999] {
            let mut other = key(number);
            other[15] = 1;
            assert_eq!(run.find(&other, 8).unwrap(), Found::Collision);
            assert_eq!(run.find(&other, 16).unwrap(), Found::Absent);
        }
        set.discard(vec![run]);
    }

    #[test]
    fn what_was_not_committed_is_gone_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = RunSet::<16, 4>::open(folder.path()).unwrap();
        let first = write(&mut set, 0..10);
        set.commit(vec![first]).unwrap();
        let _pending = write(&mut set, 10..20);
        drop(set);
        let set = RunSet::<16, 4>::open(folder.path()).unwrap();
        assert_eq!(set.entries(), 10);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn shortened_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = RunSet::<16, 4>::open(folder.path()).unwrap();
        let run = write(&mut set, 0..10);
        let path = run.path.clone();
        set.commit(vec![run]).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(50)
            .unwrap();
        let message = RunSet::<16, 4>::open(folder.path())
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("run-00000001"), "{message}");
    }
}
