//! One sorted file of sealed records: reading, writing, walking.
//!
//! A run is blocks, each the sorted keys of its entries in the clear and their payloads sealed
//! together; behind the blocks stands the first key of each.
//!
//! Keys are keyed digests; in the clear they tell how many entries there are and which entries of
//! two copies of a vault are the same, nothing about a person.
//!
//! A block is sealed with XChaCha20-Poly1305. The associated data are the set, the run, the
//! block's number and its keys, so that no block can take another's place, and their SHA-256 is
//! the nonce. A key stands for one payload only, so a nonce never seals two different blocks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use goyong_store::files;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::IntakeError;

/// Entries of a full block.
pub(super) const BLOCK: usize = 4096;
const TAG: usize = 16;

/// One sorted file.
pub(super) struct Run<const K: usize, const P: usize> {
    pub(super) name: String,
    pub(super) path: PathBuf,
    file: File,
    pub(super) entries: usize,
    /// First key of every block.
    pub(super) fences: Vec<[u8; K]>,
    pub(super) block: Vec<[u8; K]>,
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
pub(super) const fn block_bytes<const K: usize, const P: usize>() -> usize {
    BLOCK * (K + P) + TAG
}

impl<const K: usize, const P: usize> Run<K, P> {
    pub fn open(path: &Path, name: &str, entries: usize) -> Result<Self, IntakeError> {
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

    /// Reads the keys of a block into `block`.
    pub fn load(&mut self, number: usize) -> Result<(), IntakeError> {
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
    fn open_block(&self, number: usize, seal: Seal<'_>) -> Result<Block<K>, IntakeError> {
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

    /// Entries whose key starts with these bytes. Reads the blocks they stand in.
    pub fn with_prefix(
        &self,
        prefix: &[u8],
        seal: Seal<'_>,
        found: &mut Vec<Entry<K, P>>,
    ) -> Result<(), IntakeError> {
        let first = self
            .fences
            .partition_point(|fence| &fence[..prefix.len()] < prefix)
            .saturating_sub(1);
        for number in first..self.fences.len() {
            if &self.fences[number][..prefix.len()] > prefix {
                break;
            }
            let (keys, payloads) = self.open_block(number, seal)?;
            for (key, payload) in keys.iter().zip(payloads.chunks_exact(P)) {
                if &key[..prefix.len()] == prefix {
                    let mut copy = Zeroizing::new([0; P]);
                    copy.copy_from_slice(payload);
                    found.push((*key, copy));
                }
            }
        }
        Ok(())
    }
}

/// The keys of a block and its opened payloads, one behind the other.
type Block<const K: usize> = (Vec<[u8; K]>, Zeroizing<Vec<u8>>);

/// A key and its opened payload.
pub(super) type Entry<const K: usize, const P: usize> = ([u8; K], Zeroizing<[u8; P]>);

/// What opens and seals blocks.
#[derive(Clone, Copy)]
pub(super) struct Seal<'a> {
    pub label: &'static str,
    pub cipher: &'a XChaCha20Poly1305,
}

fn to_key<const K: usize>(bytes: &[u8]) -> [u8; K] {
    let mut key = [0; K];
    key.copy_from_slice(bytes);
    key
}

/// Writes a run from keys in order.
pub(super) struct RunWriter<'a, const K: usize, const P: usize> {
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
    /// Starts the file.
    pub fn create(folder: &Path, name: String, seal: Seal<'a>) -> Result<Self, IntakeError> {
        let path = folder.join(&name);
        let output = files::create(&path)
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

    /// Adds an entry; keys come distinct and in order.
    pub fn push(&mut self, key: &[u8; K], payload: &[u8]) -> Result<(), IntakeError> {
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

    /// Completes the file on the disk.
    pub fn finish(mut self) -> Result<Run<K, P>, IntakeError> {
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
            files::sync(output.get_ref(), &path)
        };
        complete().map_err(|source| IntakeError::file("write vault run", &path, source))?;
        Run::open(&path, &name, entries)
    }
}

/// Walks several runs in key order.
pub(super) struct Walk<'r, const K: usize, const P: usize> {
    cursors: Vec<Cursor<'r, K, P>>,
}

impl<'r, const K: usize, const P: usize> Walk<'r, K, P> {
    /// Starts before the first entry.
    pub fn open(runs: &'r [Run<K, P>], seal: Seal<'r>) -> Result<Self, IntakeError> {
        let cursors = runs
            .iter()
            .map(|run| Cursor::open(run, seal))
            .collect::<Result<_, _>>()?;
        Ok(Self { cursors })
    }

    /// The next entry.
    pub fn next(&mut self) -> Result<Option<Entry<K, P>>, IntakeError> {
        let Some(smallest) = self.cursors.iter().filter_map(Cursor::key).min() else {
            return Ok(None);
        };
        let mut payload = None;
        for cursor in &mut self.cursors {
            if cursor.key() == Some(smallest) {
                if payload.is_none() {
                    let mut copy = Zeroizing::new([0; P]);
                    copy.copy_from_slice(cursor.payload());
                    payload = Some(copy);
                }
                cursor.advance()?;
            }
        }
        Ok(payload.map(|payload| (smallest, payload)))
    }
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
