//! Quarantined records as delivered, sealed in the vault: `vault/records/<delivery>.records`.
//!
//! One file per delivery, written once and durably before the delivery's rows are visible. Each
//! frame carries in the clear the row number and the digests of the persons named, so that one
//! record is found and a person's records are dropped without opening the others. Frames are
//! sealed with XChaCha20-Poly1305 under a key derived from the vault key; the nonce is a keyed
//! hash of delivery, row and content, so that the same delivery gives the same bytes and a nonce
//! never seals two contents.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use goyong_store::files;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hash::PersonDigest;
use super::keys::{Keys, hex, sync_folder};
use crate::error::IntakeError;
use crate::rows::OriginalRecord;

const FOLDER: &str = "records";
const ENDING: &str = "records";
const MAGIC: &[u8; 16] = b"goyong records 1";
const FRAME: u8 = 1;
const END: u8 = 0;
const NONCE_BYTES: usize = 24;
/// No sealed record is longer: intake refuses longer ones before.
const SEALED_BYTES: u32 = 1 << 30;

/// The keys of sealed records, derived from the vault key.
pub(crate) struct RecordKeys {
    id: String,
    cipher: XChaCha20Poly1305,
    nonce: Hmac<Sha256>,
}

impl RecordKeys {
    /// Derives the keys.
    pub fn new(keys: &Keys) -> Self {
        Self {
            id: keys.vault_key_id(),
            cipher: XChaCha20Poly1305::new(&Key::from(*keys.derived(b"goyong records cipher"))),
            nonce: keys.keyed_by_derived(b"goyong records nonce"),
        }
    }

    fn seal(
        &self,
        header: &[u8],
        plain: &[u8],
    ) -> Result<([u8; NONCE_BYTES], Vec<u8>), IntakeError> {
        let mut state = self.nonce.clone();
        state.update(&(header.len() as u64).to_be_bytes());
        state.update(header);
        state.update(plain);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&state.finalize().into_bytes()[..NONCE_BYTES]);
        let payload = Payload {
            msg: plain,
            aad: header,
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| IntakeError::Vault {
                message: "a quarantined record could not be sealed".to_owned(),
            })?;
        Ok((nonce, sealed))
    }
}

/// The folder of a vault's sealed records.
pub(crate) fn records_folder(vault: &Path) -> PathBuf {
    vault.join(FOLDER)
}

fn path_of(folder: &Path, delivery_id: &str) -> PathBuf {
    let digest = hex(&Sha256::digest(delivery_id.as_bytes())[..16]);
    folder.join(format!("{digest}.{ENDING}"))
}

/// What stands before the sealed part of a frame; sealed content is bound to it.
fn frame_header(delivery_id: &str, row_number: u64, persons: &[PersonDigest]) -> Vec<u8> {
    let mut header = delivery_id.as_bytes().to_vec();
    header.extend_from_slice(&row_number.to_be_bytes());
    header.extend_from_slice(persons.as_flattened());
    header
}

/// Writes the sealed records of one delivery. Dropped unfinished, it leaves nothing.
pub(crate) struct RecordWriter {
    folder: PathBuf,
    delivery_id: String,
    keys: RecordKeys,
    file: Option<BufWriter<File>>,
    pending: PendingRecords,
}

/// Sealed records complete on the disk, not yet under their name.
pub(crate) struct PendingRecords {
    temporary: PathBuf,
    path: PathBuf,
    frames: u64,
}

impl RecordWriter {
    /// Starts the file with the first record; a delivery without any has none.
    pub fn new(vault: &Path, delivery_id: &str, keys: RecordKeys) -> Self {
        let folder = records_folder(vault);
        let path = path_of(&folder, delivery_id);
        Self {
            pending: PendingRecords {
                temporary: path.with_extension("new"),
                path,
                frames: 0,
            },
            folder,
            delivery_id: delivery_id.to_owned(),
            keys,
            file: None,
        }
    }

    /// Seals one record. Nothing is kept of a record of which nothing was taken down.
    pub fn add(&mut self, row_number: u64, original: &OriginalRecord) -> Result<(), IntakeError> {
        if original.plain.is_empty() {
            return Ok(());
        }
        self.add_plain(row_number, &original.persons, &original.plain)
    }

    fn add_plain(
        &mut self,
        row_number: u64,
        persons: &[PersonDigest],
        plain: &[u8],
    ) -> Result<(), IntakeError> {
        let header = frame_header(&self.delivery_id, row_number, persons);
        let (nonce, sealed) = self.keys.seal(&header, plain)?;
        let mut frame = vec![FRAME];
        frame.extend_from_slice(&row_number.to_be_bytes());
        frame.push(persons.len() as u8);
        frame.extend_from_slice(persons.as_flattened());
        frame.extend_from_slice(&nonce);
        frame.extend_from_slice(&(sealed.len() as u32).to_be_bytes());
        frame.extend_from_slice(&sealed);
        self.write(&frame)?;
        self.pending.frames += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), IntakeError> {
        let temporary = &self.pending.temporary;
        let error = |source| IntakeError::file("write sealed records", temporary, source);
        if self.file.is_none() {
            files::create_folders(&self.folder).map_err(error)?;
            let mut file = BufWriter::new(files::create(temporary).map_err(error)?);
            let id = self.delivery_id.as_bytes();
            let mut head = MAGIC.to_vec();
            head.extend_from_slice(self.keys.id.as_bytes());
            head.extend_from_slice(&(id.len() as u16).to_be_bytes());
            head.extend_from_slice(id);
            file.write_all(&head).map_err(error)?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(error),
            None => Ok(()),
        }
    }

    /// Completes the file on the disk; `None` when there was no record.
    pub fn finish(mut self) -> Result<Option<PendingRecords>, IntakeError> {
        if self.pending.frames == 0 {
            return Ok(None);
        }
        let mut end = vec![END];
        end.extend_from_slice(&self.pending.frames.to_be_bytes());
        self.write(&end)?;
        if let Some(file) = self.file.take() {
            let path = &self.pending.temporary;
            let finish = || files::sync(&file.into_inner()?, path);
            finish().map_err(|source| IntakeError::file("write sealed records", path, source))?;
        }
        Ok(Some(self.pending))
    }
}

impl PendingRecords {
    /// Gives the file its name, durably.
    pub fn keep(self) -> Result<(), IntakeError> {
        files::rename(&self.temporary, &self.path)
            .map_err(|source| IntakeError::file("name sealed records", &self.path, source))?;
        self.path.parent().map_or(Ok(()), sync_folder)
    }
}

impl Drop for PendingRecords {
    fn drop(&mut self) {
        // Nothing but sealed bytes; gone already when they were kept.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Reads the sealed records of one delivery, in row order.
pub(crate) struct RecordReader {
    path: PathBuf,
    file: BufReader<File>,
    delivery_id: String,
    key_id: String,
    frames: u64,
}

/// A frame; its content is sealed.
pub(crate) struct SealedRecord {
    pub row_number: u64,
    pub persons: Vec<PersonDigest>,
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
}

impl RecordReader {
    /// Opens a delivery's records; `None` when there are none.
    pub fn open(vault: &Path, delivery_id: &str) -> Result<Option<Self>, IntakeError> {
        let path = path_of(&records_folder(vault), delivery_id);
        if !path.exists() {
            return Ok(None);
        }
        Self::open_file(&path).map(Some)
    }

    fn open_file(path: &Path) -> Result<Self, IntakeError> {
        let file = File::open(path)
            .map_err(|source| IntakeError::file("open sealed records", path, source))?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            delivery_id: String::new(),
            key_id: String::new(),
            frames: 0,
        };
        if reader.bytes::<16>()? != *MAGIC {
            return Err(reader.damaged());
        }
        reader.key_id = String::from_utf8_lossy(&reader.bytes::<16>()?).into_owned();
        let length = u16::from_be_bytes(reader.bytes()?);
        let id = reader.vector(usize::from(length))?;
        reader.delivery_id = String::from_utf8(id).map_err(|_| reader.damaged())?;
        Ok(reader)
    }

    /// The next frame, `None` behind the last.
    pub fn next(&mut self) -> Result<Option<SealedRecord>, IntakeError> {
        if self.bytes::<1>()? == [END] {
            let frames = u64::from_be_bytes(self.bytes()?);
            return if frames == self.frames {
                Ok(None)
            } else {
                Err(self.damaged())
            };
        }
        self.frames += 1;
        let row_number = u64::from_be_bytes(self.bytes()?);
        let count = self.bytes::<1>()?[0];
        let mut persons = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            persons.push(self.bytes()?);
        }
        let nonce = self.bytes()?;
        let length = u32::from_be_bytes(self.bytes()?);
        if length > SEALED_BYTES {
            return Err(self.damaged());
        }
        let sealed = self.vector(length as usize)?;
        Ok(Some(SealedRecord {
            row_number,
            persons,
            nonce,
            sealed,
        }))
    }

    /// Opens a frame of this file.
    pub fn unseal(
        &self,
        keys: &RecordKeys,
        record: &SealedRecord,
    ) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
        if keys.id != self.key_id {
            return Err(IntakeError::Vault {
                message: format!(
                    "{} was sealed with another vault key: finish `goyong vault rotate`, or use the right key folder",
                    self.path.display()
                ),
            });
        }
        let header = frame_header(&self.delivery_id, record.row_number, &record.persons);
        let payload = Payload {
            msg: &record.sealed,
            aad: &header,
        };
        keys.cipher
            .decrypt(&XNonce::from(record.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| self.damaged())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], IntakeError> {
        let mut bytes = [0; N];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(self.damaged()),
        }
    }

    fn vector(&mut self, length: usize) -> Result<Vec<u8>, IntakeError> {
        let mut bytes = Vec::new();
        match (&mut self.file).take(length as u64).read_to_end(&mut bytes) {
            Ok(read) if read == length => Ok(bytes),
            _ => Err(self.damaged()),
        }
    }

    fn damaged(&self) -> IntakeError {
        IntakeError::Vault {
            message: format!(
                "sealed records {} are damaged: restore the vault from its backup",
                self.path.display()
            ),
        }
    }
}

/// Opens the records of one row; several where a record became several rows.
pub(crate) fn open_record(
    vault: &Path,
    delivery_id: &str,
    row_number: u64,
    keys: &RecordKeys,
) -> Result<Vec<Zeroizing<Vec<u8>>>, IntakeError> {
    let mut found = Vec::new();
    let Some(mut reader) = RecordReader::open(vault, delivery_id)? else {
        return Ok(found);
    };
    while let Some(record) = reader.next()? {
        if record.row_number == row_number {
            found.push(reader.unseal(keys, &record)?);
        }
    }
    Ok(found)
}

/// Seals every record under other keys and gives every person's digest under the other pepper;
/// answers how many files were rewritten. Files under the new key are left alone, so that running
/// again after a crash goes on.
///
/// # Errors
///
/// A file sealed with neither key is damage.
pub fn reseal_records(
    vault: &Path,
    from: &Keys,
    to: &Keys,
    person: &dyn Fn(&PersonDigest) -> Option<PersonDigest>,
) -> Result<u64, IntakeError> {
    let new_id = RecordKeys::new(to).id;
    rewrite(vault, from, |reader, records| {
        if reader.key_id == new_id {
            return Ok(None);
        }
        let mut writer = RecordWriter::new(vault, &reader.delivery_id, RecordKeys::new(to));
        while let Some(record) = reader.next()? {
            let plain = reader.unseal(records, &record)?;
            let mut persons: Vec<_> = record.persons.iter().filter_map(person).collect();
            persons.sort_unstable();
            writer.add_plain(record.row_number, &persons, &plain)?;
        }
        Ok(Some(writer))
    })
}

/// Drops the records that name a person; answers how many files changed.
pub fn forget_records(
    vault: &Path,
    keys: &Keys,
    is_forgotten: &dyn Fn(&PersonDigest) -> bool,
) -> Result<u64, IntakeError> {
    rewrite(vault, keys, |reader, records| {
        let mut writer = RecordWriter::new(vault, &reader.delivery_id, RecordKeys::new(keys));
        let mut dropped = false;
        while let Some(record) = reader.next()? {
            if record.persons.iter().any(is_forgotten) {
                dropped = true;
                continue;
            }
            let plain = reader.unseal(records, &record)?;
            writer.add_plain(record.row_number, &record.persons, &plain)?;
        }
        Ok(dropped.then_some(writer))
    })
}

type Rewrite<'r> =
    dyn FnMut(&mut RecordReader, &RecordKeys) -> Result<Option<RecordWriter>, IntakeError> + 'r;

fn rewrite(
    vault: &Path,
    keys: &Keys,
    mut each: impl FnMut(&mut RecordReader, &RecordKeys) -> Result<Option<RecordWriter>, IntakeError>,
) -> Result<u64, IntakeError> {
    let each: &mut Rewrite<'_> = &mut each;
    let folder = records_folder(vault);
    let keys = RecordKeys::new(keys);
    let mut changed = 0;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(IntakeError::file("list", &folder, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| IntakeError::file("list", &folder, error))?
            .path();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ENDING) => paths.push(path),
            // What a crash left half written.
            _ => files::remove(&path).map_err(|error| IntakeError::file("remove", &path, error))?,
        }
    }
    paths.sort();
    for path in paths {
        let mut reader = RecordReader::open_file(&path)?;
        let Some(writer) = each(&mut reader, &keys)? else {
            continue;
        };
        match writer.finish()? {
            Some(pending) => pending.keep()?,
            None => {
                files::remove(&path).map_err(|error| IntakeError::file("remove", &path, error))?;
                sync_folder(&folder)?;
            }
        }
        changed += 1;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DELIVERY: &str = "wages/2024-08/r1/0123456789ab";

    fn original(person: u8, text: &str) -> OriginalRecord {
        OriginalRecord {
            persons: vec![[person; 16]],
            plain: Zeroizing::new(text.as_bytes().to_vec()),
        }
    }

    fn write(vault: &Path, keys: &Keys) -> Vec<u8> {
        let mut writer = RecordWriter::new(vault, DELIVERY, RecordKeys::new(keys));
        writer.add(3, &original(1, "8001011000001,three")).unwrap();
        writer.add(9, &original(2, "8001011000002,nine")).unwrap();
        writer
            .add(9, &original(2, "8001011000002,nine again"))
            .unwrap();
        writer.add(10, &OriginalRecord::default()).unwrap();
        writer.finish().unwrap().unwrap().keep().unwrap();
        fs::read(path_of(&records_folder(vault), DELIVERY)).unwrap()
    }

    fn texts(vault: &Path, row: u64, keys: &Keys) -> Vec<String> {
        open_record(vault, DELIVERY, row, &RecordKeys::new(keys))
            .unwrap()
            .into_iter()
            .map(|plain| String::from_utf8(plain.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn record_is_opened_by_its_row_and_the_same_delivery_gives_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let vault = folder.path().join("vault");
        let bytes = write(&vault, &keys);
        assert_eq!(write(&vault, &keys), bytes);
        assert!(!crate::testing::number_is_readable(&bytes));
        assert_eq!(texts(&vault, 9, &keys).len(), 2);
        assert_eq!(texts(&vault, 3, &keys), ["8001011000001,three"]);
        assert!(texts(&vault, 10, &keys).is_empty());
        let other = Keys::create(&folder.path().join("other")).unwrap();
        assert!(open_record(&vault, DELIVERY, 3, &RecordKeys::new(&other)).is_err());
    }

    #[test]
    fn changed_or_cut_file_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let vault = folder.path().join("vault");
        let bytes = write(&vault, &keys);
        let path = path_of(&records_folder(&vault), DELIVERY);
        let read_all = || -> Result<(), IntakeError> {
            let keys = RecordKeys::new(&keys);
            let mut reader = RecordReader::open_file(&path)?;
            while let Some(record) = reader.next()? {
                reader.unseal(&keys, &record)?;
            }
            Ok(())
        };
        read_all().unwrap();
        for cut in [5, 40, 100, bytes.len() - 9, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert!(read_all().is_err(), "cut at {cut}");
        }
        for at in [70, 90, bytes.len() - 20, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(read_all().is_err(), "changed at {at}");
        }
    }

    #[test]
    fn records_are_sealed_again_under_other_keys_once() {
        let folder = tempfile::tempdir().unwrap();
        let old = Keys::create(&folder.path().join("old")).unwrap();
        let new = Keys::create(&folder.path().join("new")).unwrap();
        let vault = folder.path().join("vault");
        write(&vault, &old);
        let mapped = |person: &PersonDigest| Some([person[0] + 100; 16]);
        assert_eq!(reseal_records(&vault, &old, &new, &mapped).unwrap(), 1);
        assert_eq!(reseal_records(&vault, &old, &new, &mapped).unwrap(), 0);
        assert_eq!(texts(&vault, 3, &new), ["8001011000001,three"]);
        assert!(open_record(&vault, DELIVERY, 3, &RecordKeys::new(&old)).is_err());
        assert_eq!(
            forget_records(&vault, &new, &|person| *person == [101; 16]).unwrap(),
            1
        );
        assert!(texts(&vault, 3, &new).is_empty());
        assert_eq!(texts(&vault, 9, &new).len(), 2);
        assert_eq!(
            forget_records(&vault, &new, &|person| *person == [102; 16]).unwrap(),
            1
        );
        assert_eq!(fs::read_dir(records_folder(&vault)).unwrap().count(), 0);
    }
}
