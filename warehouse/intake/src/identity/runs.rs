//! Sorted, append-only files of sealed records, found by key.
//!
//! A run is one file of blocks, each the sorted keys of its entries in the clear and their payloads
//! sealed together; behind the blocks stands the first key of each. `CURRENT` names the runs that
//! count; a file it does not name is left over from a crash and is removed. Runs of similar size
//! are merged, so that their number stays logarithmic. Keys are sets: writing a key again changes
//! nothing.
//!
//! Keys are keyed digests; in the clear they tell how many entries there are and which entries of
//! two copies of a vault are the same, nothing about a person.
//!
//! A block is sealed with XChaCha20-Poly1305. The associated data are the set, the run, the
//! block's number and its keys, so that no block can take another's place, and their SHA-256 is
//! the nonce. A key stands for one payload only, so a nonce never seals two different blocks.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::IntakeError;
use crate::identity::keys::sync_folder;

const CURRENT: &str = "CURRENT";
const BLOCK: usize = 4096;
const TAG: usize = 16;
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

/// One sorted file.
pub(super) struct Run<const K: usize, const P: usize> {
    name: String,
    path: PathBuf,
    file: File,
    entries: usize,
    /// First key of every block.
    fences: Vec<[u8; K]>,
    block: Vec<[u8; K]>,
    block_number: Option<usize>,
}

/// Two keys share the bytes that must tell them apart.
#[derive(Debug)]
pub(super) struct Collision;

/// The first eight bytes decide nearly every comparison.
#[inline]
fn is_before<const K: usize>(left: &[u8; K], right: &[u8; K]) -> bool {
    let head = |key: &[u8; K]| {
        key.first_chunk()
            .map_or(0, |head| u64::from_be_bytes(*head))
    };
    let (left_head, right_head) = (head(left), head(right));
    left_head < right_head || (left_head == right_head && left < right)
}

/// What a block is sealed for, without its keys: set, run and number.
fn block_place(label: &str, run: &str, number: usize) -> Vec<u8> {
    format!("{label}/{run}/{number}\0").into_bytes()
}

fn nonce(associated: &[u8]) -> XNonce {
    let digest = Sha256::digest(associated);
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&digest[..24]);
    XNonce::from(nonce)
}

/// Bytes of a full block.
const fn block_bytes<const K: usize, const P: usize>() -> usize {
    BLOCK * (K + P) + TAG
}

impl<const K: usize, const P: usize> Run<K, P> {
    fn open(path: &Path, name: &str, entries: usize) -> Result<Self, IntakeError> {
        let error = |source| IntakeError::file("open vault run", path, source);
        let file = File::open(path).map_err(error)?;
        let blocks = entries.div_ceil(BLOCK);
        let fences_at = entries * (K + P) + blocks * TAG;
        let expected = (fences_at + blocks * K) as u64;
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
        file.read_exact_at(&mut bytes, fences_at as u64)
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

    /// Keys in a block.
    fn block_length(&self, number: usize) -> usize {
        BLOCK.min(self.entries - number * BLOCK)
    }

    fn load(&mut self, number: usize) -> Result<(), IntakeError> {
        if self.block_number == Some(number) {
            return Ok(());
        }
        let mut bytes = vec![0; self.block_length(number) * K];
        self.read_at(&mut bytes, number * block_bytes::<K, P>())?;
        self.block.clear();
        self.block.extend(bytes.chunks_exact(K).map(to_key::<K>));
        if self.block.first() != self.fences.get(number) {
            return Err(IntakeError::Vault {
                message: format!(
                    "vault file {} contradicts itself: restore the vault from its backup",
                    self.path.display()
                ),
            });
        }
        self.block_number = Some(number);
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], at: usize) -> Result<(), IntakeError> {
        self.file
            .read_exact_at(bytes, at as u64)
            .map_err(|source| IntakeError::file("read vault run", &self.path, source))
    }

    /// Sets `known` for each of the sorted keys that the run has. Another key with the same first
    /// `prefix` bytes is a collision.
    pub fn mark_known(
        &mut self,
        keys: &[[u8; K]],
        known: &mut [bool],
        prefix: usize,
    ) -> Result<Result<(), Collision>, IntakeError> {
        let mut number = 0;
        let mut at = 0;
        for (key, known) in keys.iter().zip(known) {
            // The block is the last one whose first key is not behind the key.
            let ahead = &self.fences[number..];
            let blocks = match ahead.get(1) {
                Some(next) if is_before(key, next) => 0,
                _ => ahead
                    .partition_point(|fence| !is_before(key, fence))
                    .saturating_sub(1),
            };
            if blocks > 0 {
                number += blocks;
                at = 0;
            }
            if number >= self.fences.len() {
                break;
            }
            self.load(number)?;
            while at < self.block.len() && is_before(&self.block[at], key) {
                at += 1;
            }
            // The key's place: an equal prefix stands right before it or right behind it.
            let before = match at.checked_sub(1) {
                Some(before) => Some(self.block[before]),
                None => None,
            };
            let behind = match self.block.get(at) {
                Some(behind) => Some(*behind),
                None => self.fences.get(number + 1).copied(),
            };
            if behind == Some(*key) {
                *known = true;
            } else if [before, behind]
                .iter()
                .flatten()
                .any(|other| other[..prefix] == key[..prefix])
                && prefix < K
            {
                return Ok(Err(Collision));
            }
        }
        Ok(Ok(()))
    }

    /// Keys and payloads of a block.
    fn open_block(
        &self,
        number: usize,
        seal: Seal<'_>,
    ) -> Result<(Vec<[u8; K]>, Zeroizing<Vec<u8>>), IntakeError> {
        let count = self.block_length(number);
        let mut bytes = vec![0; count * (K + P) + TAG];
        self.read_at(&mut bytes, number * block_bytes::<K, P>())?;
        let (keys, sealed) = bytes.split_at(count * K);
        let mut associated = block_place(seal.label, &self.name, number);
        associated.extend_from_slice(keys);
        let payload = Payload {
            msg: sealed,
            aad: &associated,
        };
        let plain = seal
            .cipher
            .decrypt(&nonce(&associated), payload)
            .map_err(|_| IntakeError::Vault {
                message: format!(
                    "vault file {} does not open: it is damaged or sealed with another key, restore the vault from its backup",
                    self.path.display()
                ),
            })?;
        let keys = keys.chunks_exact(K).map(to_key).collect();
        Ok((keys, Zeroizing::new(plain)))
    }

    /// The payload of a key. Reads one block.
    pub fn payload(
        &self,
        key: &[u8; K],
        seal: Seal<'_>,
    ) -> Result<Option<Zeroizing<[u8; P]>>, IntakeError> {
        let Some(number) = self
            .fences
            .partition_point(|fence| fence <= key)
            .checked_sub(1)
        else {
            return Ok(None);
        };
        let (keys, payloads) = self.open_block(number, seal)?;
        Ok(keys.binary_search(key).ok().map(|at| {
            let mut payload = Zeroizing::new([0; P]);
            payload.copy_from_slice(&payloads[at * P..(at + 1) * P]);
            payload
        }))
    }
}

/// What opens and seals blocks.
#[derive(Clone, Copy)]
pub(super) struct Seal<'a> {
    label: &'static str,
    cipher: &'a XChaCha20Poly1305,
}

fn to_key<const K: usize>(bytes: &[u8]) -> [u8; K] {
    let mut key = [0; K];
    key.copy_from_slice(bytes);
    key
}

/// Writes a run from keys in order.
struct RunWriter<'a, const K: usize, const P: usize> {
    seal: Seal<'a>,
    name: String,
    path: PathBuf,
    output: BufWriter<File>,
    fences: Vec<u8>,
    keys: Vec<u8>,
    payloads: Zeroizing<Vec<u8>>,
    entries: usize,
}

impl<'a, const K: usize, const P: usize> RunWriter<'a, K, P> {
    fn create(folder: &Path, name: String, seal: Seal<'a>) -> Result<Self, IntakeError> {
        let path = folder.join(&name);
        let output = File::create(&path)
            .map(|file| BufWriter::with_capacity(1 << 18, file))
            .map_err(|source| IntakeError::file("write vault run", &path, source))?;
        Ok(Self {
            seal,
            name,
            path,
            output,
            fences: Vec::new(),
            keys: Vec::with_capacity(BLOCK * K),
            payloads: Zeroizing::new(Vec::with_capacity(BLOCK * P + TAG)),
            entries: 0,
        })
    }

    fn push(&mut self, key: &[u8; K], payload: &[u8]) -> Result<(), IntakeError> {
        if self.entries.is_multiple_of(BLOCK) {
            self.fences.extend_from_slice(key);
        }
        self.keys.extend_from_slice(key);
        self.payloads.extend_from_slice(payload);
        self.entries += 1;
        if self.entries.is_multiple_of(BLOCK) {
            self.seal_block()?;
        }
        Ok(())
    }

    fn seal_block(&mut self) -> Result<(), IntakeError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let number = (self.entries - 1) / BLOCK;
        let mut associated = block_place(self.seal.label, &self.name, number);
        associated.extend_from_slice(&self.keys);
        // In place: the plain payloads are overwritten by what they are sealed to.
        self.seal
            .cipher
            .encrypt_in_place(&nonce(&associated), &associated, &mut *self.payloads)
            .map_err(|_| IntakeError::Vault {
                message: "a block of the vault could not be sealed".to_owned(),
            })?;
        self.output
            .write_all(&self.keys)
            .and_then(|()| self.output.write_all(&self.payloads))
            .map_err(|source| IntakeError::file("write vault run", &self.path, source))?;
        self.keys.clear();
        self.payloads.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Run<K, P>, IntakeError> {
        self.seal_block()?;
        let Self {
            name,
            path,
            mut output,
            fences,
            entries,
            ..
        } = self;
        let mut complete = || -> std::io::Result<()> {
            output.write_all(&fences)?;
            output.flush()?;
            output.get_ref().sync_all()
        };
        complete().map_err(|source| IntakeError::file("write vault run", &path, source))?;
        Run::open(&path, &name, entries)
    }
}

impl<const K: usize, const P: usize> RunSet<K, P> {
    /// Opens the folder, made when missing, and removes what a crash left over.
    pub fn open(
        folder: &Path,
        label: &'static str,
        cipher: XChaCha20Poly1305,
    ) -> Result<Self, IntakeError> {
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
        self.runs.iter().map(|run| run.entries as u64).sum()
    }

    fn seal(&self) -> Seal<'_> {
        Seal {
            label: self.label,
            cipher: &self.cipher,
        }
    }

    /// The payload of a key. Reads one block of each run.
    pub fn payload(&self, key: &[u8; K]) -> Result<Option<Zeroizing<[u8; P]>>, IntakeError> {
        for run in &self.runs {
            if let Some(payload) = run.payload(key, self.seal())? {
                return Ok(Some(payload));
            }
        }
        Ok(None)
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
            .all(|run| run.entries <= newest.saturating_mul(4).max(BLOCK));
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

    /// Merges the runs from `first` on into a new file.
    fn merge(&mut self, first: usize) -> Result<Run<K, P>, IntakeError> {
        let name = self.next_name();
        let mut writer = RunWriter::<K, P>::create(&self.folder, name, self.seal())?;
        let mut cursors = self.runs[first..]
            .iter()
            .map(|run| Cursor::open(run, self.seal()))
            .collect::<Result<Vec<_>, _>>()?;
        while let Some(smallest) = cursors.iter().filter_map(Cursor::key).min() {
            let mut written = false;
            for cursor in &mut cursors {
                if cursor.key() != Some(smallest) {
                    continue;
                }
                if !written {
                    writer.push(&smallest, cursor.payload())?;
                    written = true;
                }
                cursor.advance()?;
            }
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

/// Walks a run in key order.
struct Cursor<'r, const K: usize, const P: usize> {
    run: &'r Run<K, P>,
    seal: Seal<'r>,
    block_number: usize,
    keys: Vec<[u8; K]>,
    payloads: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<'r, const K: usize, const P: usize> Cursor<'r, K, P> {
    fn open(run: &'r Run<K, P>, seal: Seal<'r>) -> Result<Self, IntakeError> {
        let (keys, payloads) = if run.entries == 0 {
            (Vec::new(), Zeroizing::new(Vec::new()))
        } else {
            run.open_block(0, seal)?
        };
        Ok(Self {
            run,
            seal,
            block_number: 0,
            keys,
            payloads,
            at: 0,
        })
    }

    fn key(&self) -> Option<[u8; K]> {
        self.keys.get(self.at).copied()
    }

    fn payload(&self) -> &[u8] {
        &self.payloads[self.at * P..(self.at + 1) * P]
    }

    fn advance(&mut self) -> Result<(), IntakeError> {
        self.at += 1;
        if self.at == self.keys.len() && self.block_number + 1 < self.run.fences.len() {
            self.block_number += 1;
            (self.keys, self.payloads) = self.run.open_block(self.block_number, self.seal)?;
            self.at = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chacha20poly1305::{Key, KeyInit};

    fn cipher() -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from([7; 32]))
    }

    fn open(folder: &Path) -> Result<RunSet<16, 4>, IntakeError> {
        RunSet::open(folder, "test", cipher())
    }

    fn key(number: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    fn write(set: &mut RunSet<16, 4>, numbers: impl Iterator<Item = u64>) -> Run<16, 4> {
        let entries: Vec<_> = numbers
            .map(|number| (key(number), (number as u32).to_be_bytes()))
            .collect();
        set.write_pending(entries.iter().map(|(key, payload)| (key, *payload)))
            .unwrap()
    }

    #[test]
    fn runs_are_found_merged_and_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = open(folder.path()).unwrap();
        for part in 0..9u64 {
            let run = write(&mut set, (0..5000).map(|index| index * 9 + part));
            set.commit(vec![run]).unwrap();
        }
        assert!(set.runs.len() < MERGE_WIDTH + 2, "{} runs", set.runs.len());
        let mut set = open(folder.path()).unwrap();
        assert_eq!(set.entries(), 45_000);
        for number in [0, 1, 4095, 4096, 4097, 20_000, 44_999] {
            let payload = set.payload(&key(number)).unwrap().unwrap();
            assert_eq!(*payload, (number as u32).to_be_bytes(), "{number}");
        }
        let asked: Vec<[u8; 16]> = [0, 1, 4095, 4096, 4097, 30_000, 44_999, 45_000, 99_999]
            .map(key)
            .to_vec();
        let known = set.known(&mut [], &asked, 8).unwrap().unwrap();
        let expected: Vec<bool> = (0..9).map(|index| index < 7).collect();
        assert_eq!(known, expected);
        let all: Vec<[u8; 16]> = (0..46_000).map(key).collect();
        let known = set.known(&mut [], &all, 8).unwrap().unwrap();
        assert_eq!(known.iter().filter(|known| **known).count(), 45_000);
    }

    #[test]
    fn same_prefix_with_another_tail_is_a_collision() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = open(folder.path()).unwrap();
        let entries: Vec<_> = (0..10_000)
            .map(|number| {
                let mut key = key(number);
                key[15] = 5;
                (key, [0; 4])
            })
            .collect();
        let run = set
            .write_pending(entries.iter().map(|(key, payload)| (key, *payload)))
            .unwrap();
        let mut pending = [run];
        for number in [0, 1, 4095, 4096, 8191, 8192, 9_999] {
            for tail in [4, 6] {
                let mut other = key(number);
                other[15] = tail;
                assert!(
                    set.known(&mut pending, &[other], 8).unwrap().is_err(),
                    "{number}"
                );
                assert_eq!(
                    set.known(&mut pending, &[other], 16).unwrap().unwrap(),
                    [false]
                );
            }
        }
        set.discard(Vec::from(pending));
    }

    #[test]
    fn what_was_not_committed_is_gone_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = open(folder.path()).unwrap();
        let first = write(&mut set, 0..10);
        set.commit(vec![first]).unwrap();
        let _pending = write(&mut set, 10..20);
        drop(set);
        let set = open(folder.path()).unwrap();
        assert_eq!(set.entries(), 10);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn blocks_that_changed_places_do_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = open(folder.path()).unwrap();
        let block = BLOCK as u64;
        let run = write(&mut set, 0..2 * block);
        let path = run.path.clone();
        set.commit(vec![run]).unwrap();
        assert!(set.payload(&key(1)).unwrap().is_some());
        let mut bytes = fs::read(&path).unwrap();
        let (first, second) =
            bytes[..2 * block_bytes::<16, 4>()].split_at_mut(block_bytes::<16, 4>());
        first.swap_with_slice(second);
        fs::write(&path, &bytes).unwrap();
        assert!(set.payload(&key(1)).is_err());
        assert!(set.payload(&key(block + 1)).is_err());
        let renamed = RunSet::<16, 4>::open(folder.path(), "other", cipher()).unwrap();
        assert!(renamed.payload(&key(1)).is_err());
    }

    #[test]
    fn shortened_or_changed_runs_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = open(folder.path()).unwrap();
        let run = write(&mut set, 0..10);
        let path = run.path.clone();
        set.commit(vec![run]).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[16 * 10] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = set.payload(&key(3)).err().unwrap();
        assert!(error.to_string().contains("run-00000001"), "{error}");
        bytes.truncate(50);
        fs::write(&path, &bytes).unwrap();
        let message = open(folder.path()).err().unwrap().to_string();
        assert!(message.contains("run-00000001"), "{message}");
    }
}
