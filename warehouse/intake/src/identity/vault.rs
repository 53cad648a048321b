use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use goyong_store::files;
use zeroize::{Zeroize, Zeroizing};

use super::hash::{OPAQUE_PAYLOAD, PersonDigest, PersonHasher};
use super::keys::Keys;
use super::run::Run;
use super::runs::RunSet;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::rows::{DETAIL_BYTES, DetailEntry, Identities, OpaqueEntry, PersonEntry};

/// A resident number as a number.
pub(super) const NUMBER_PAYLOAD: usize = 8;
/// Kind, length and text of a name or contact, filled up so that lengths do not show.
pub(super) const DETAIL_PAYLOAD: usize = DETAIL_BYTES + 2;
/// Person digest, then the keyed digest of the value.
pub(super) const DETAIL_KEY: usize = 32;
/// Bytes of the digest that make the person key.
pub(super) const PERSON_KEY_BYTES: usize = 8;
/// Resident numbers held back before they are compared with the vault: 24 bytes each.
const HELD_PERSONS: usize = 2_000_000;
const HELD_DETAILS: usize = 100_000;
const HELD_OPAQUES: usize = 250_000;
const OPAQUE_KEY: usize = 8;
/// Digest under the forget key.
pub(super) const FORGOTTEN_KEY: usize = 16;
/// Day of the request, days since 1970-01-01; whether the person key is of the pepper of today; the
/// person key, to find rows that come back with a backup after the number is gone.
pub(super) const FORGOTTEN_PAYLOAD: usize = 13;

/// Who stands behind a person key: resident number, names and contacts, sealed.
///
/// Keyed by the full 128-bit digest, so that two persons whose first 64 bits agree are noticed.
/// Writing a person again changes nothing.
#[derive(Clone)]
pub struct Vault {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    folder: PathBuf,
    pub(super) hasher: PersonHasher,
    pub(super) forget_hasher: PersonHasher,
    stores: Mutex<Stores>,
}

/// The parts of a vault, each a folder of its own.
pub(super) struct Stores {
    /// Resident numbers, by person digest.
    pub numbers: RunSet<16, NUMBER_PAYLOAD>,
    /// Names and contacts, by person digest and keyed digest of the value.
    pub details: RunSet<DETAIL_KEY, DETAIL_PAYLOAD>,
    /// Opaque digests as providers delivered them, by their keyed digest.
    pub opaques: RunSet<OPAQUE_KEY, OPAQUE_PAYLOAD>,
    /// Persons who are to be forgotten, by their digest under the forget key.
    pub forgotten: RunSet<FORGOTTEN_KEY, FORGOTTEN_PAYLOAD>,
}

/// Folder of the sealed records of quarantined rows, which the records re-seal themselves.
pub(super) const RECORDS: &str = "records";

/// Folders of the parts; what a vault holds beside them nothing here knows how to re-key.
pub(super) const PARTS: [&str; 4] = ["numbers", "details", "opaques", "forgotten"];

impl Stores {
    fn open(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        let [numbers, details, opaques, forgotten] = PARTS;
        Ok(Self {
            numbers: RunSet::open(&folder.join(numbers), numbers, keys.vault_cipher())?,
            details: RunSet::open(&folder.join(details), details, keys.vault_cipher())?,
            opaques: RunSet::open(&folder.join(opaques), opaques, keys.vault_cipher())?,
            forgotten: RunSet::open(&folder.join(forgotten), forgotten, keys.vault_cipher())?,
        })
    }

    fn open_to_read(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        let [numbers, details, opaques, forgotten] = PARTS;
        let cipher = || keys.vault_cipher();
        Ok(Self {
            numbers: RunSet::open_to_read(&folder.join(numbers), numbers, cipher())?,
            details: RunSet::open_to_read(&folder.join(details), details, cipher())?,
            opaques: RunSet::open_to_read(&folder.join(opaques), opaques, cipher())?,
            forgotten: RunSet::open_to_read(&folder.join(forgotten), forgotten, cipher())?,
        })
    }
}

/// What a delivery added to the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VaultReceipt {
    /// Persons never seen before.
    pub new_persons: u64,
    /// Names and contacts never seen before with their person.
    pub new_details: u64,
}

const KEY_IDS: &str = "KEYS";

impl Vault {
    /// Makes the vault's folder for these keys; an existing vault must have been made with them.
    pub fn create(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        files::create_folders(folder)
            .map_err(|error| IntakeError::file("create vault folder", folder, error))?;
        let path = folder.join(KEY_IDS);
        if !path.exists() {
            files::replace(&path, key_ids(keys))
                .map_err(|error| IntakeError::file("write vault key ids", &path, error))?;
        }
        Self::open(folder, keys)
    }

    /// Opens the vault to write; refuses keys it was not made with. Only one process at a time may.
    pub fn open(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        check_key_ids(folder, keys)?;
        Ok(Self::with(folder, keys, Stores::open(folder, keys)?))
    }

    /// Opens the vault and changes nothing in it, beside a process that may be writing.
    pub fn open_to_read(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        check_key_ids(folder, keys)?;
        Ok(Self::with(
            folder,
            keys,
            Stores::open_to_read(folder, keys)?,
        ))
    }

    fn with(folder: &Path, keys: &Keys, stores: Stores) -> Self {
        Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                hasher: keys.hasher(),
                forget_hasher: keys.forget_hasher(),
                stores: Mutex::new(stores),
            }),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Persons known.
    pub fn persons(&self) -> u64 {
        self.stores().numbers.entries()
    }

    /// Whether two vaults make the same pseudonyms.
    pub(super) fn has_pepper_of(&self, other: &Self) -> bool {
        let probe = [b'0'; 13];
        self.shared.hasher.person(&probe) == other.shared.hasher.person(&probe)
    }

    /// Names everything in the vault's folder that none of its parts is.
    pub(super) fn unknown_parts(&self) -> Result<Vec<String>, IntakeError> {
        let folder = &self.shared.folder;
        let error = |source| IntakeError::file("list vault folder", folder, source);
        let mut unknown = Vec::new();
        for entry in fs::read_dir(folder).map_err(error)? {
            let name = entry.map_err(error)?.file_name();
            let name = name.to_string_lossy().into_owned();
            if name != KEY_IDS && name != RECORDS && !PARTS.contains(&name.as_str()) {
                unknown.push(name);
            }
        }
        Ok(unknown)
    }

    /// Starts collecting the identities of a delivery. Nothing counts until it is committed.
    pub fn begin(&self) -> VaultBatch {
        VaultBatch {
            vault: self.clone(),
            persons: Vec::new(),
            details: Vec::new(),
            opaques: Vec::new(),
            pending_numbers: Vec::new(),
            pending_details: Vec::new(),
            pending_opaques: Vec::new(),
            receipt: VaultReceipt::default(),
        }
    }

    pub(super) fn stores(&self) -> MutexGuard<'_, Stores> {
        match self.shared.stores.lock() {
            Ok(stores) => stores,
            // The stores are consistent between any two calls; a panic elsewhere changes nothing.
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    #[cfg(test)]
    pub(crate) fn number_of(&self, digest: &PersonDigest) -> Option<String> {
        let found = self.stores().numbers.with_prefix(digest).ok()?;
        let (_, payload) = found.first()?;
        Some(format!("{:013}", u64::from_be_bytes(**payload)))
    }
}

/// Refuses keys the vault was not made with.
fn check_key_ids(folder: &Path, keys: &Keys) -> Result<(), IntakeError> {
    let path = folder.join(KEY_IDS);
    let ids = match fs::read_to_string(&path) {
        Ok(ids) => ids,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            return Err(IntakeError::Vault {
                message: format!("no vault in {}: run `goyong init` first", folder.display()),
            });
        }
        Err(error) => return Err(IntakeError::file("read vault key ids", &path, error)),
    };
    if ids == key_ids(keys) {
        return Ok(());
    }
    Err(IntakeError::Vault {
        message: format!(
            "the keys in {} are not those the vault {} was made with: use the right key folder",
            keys.folder().display(),
            folder.display()
        ),
    })
}

fn key_ids(keys: &Keys) -> String {
    format!(
        "pepper {}\nvault {}\nforget {}\n",
        keys.pepper_id(),
        keys.vault_key_id(),
        keys.forget_key_id()
    )
}

/// The identities of one delivery on their way into the vault.
///
/// Bounded: what exceeds the limit is compared with the vault, sealed and written to files that
/// do not count yet.
pub struct VaultBatch {
    vault: Vault,
    persons: Vec<PersonEntry>,
    details: Vec<DetailEntry>,
    opaques: Vec<OpaqueEntry>,
    pending_numbers: Vec<Run<16, NUMBER_PAYLOAD>>,
    pending_details: Vec<Run<DETAIL_KEY, DETAIL_PAYLOAD>>,
    pending_opaques: Vec<Run<OPAQUE_KEY, OPAQUE_PAYLOAD>>,
    receipt: VaultReceipt,
}

impl VaultBatch {
    /// Takes over the identities of a part of the delivery.
    pub(crate) fn add(&mut self, mut identities: Identities) -> Result<(), IntakeError> {
        self.persons.extend_from_slice(&identities.persons);
        self.details.append(&mut identities.details);
        self.opaques.append(&mut identities.opaques);
        if self.persons.len() >= HELD_PERSONS {
            self.flush_persons()?;
        }
        if self.details.len() >= HELD_DETAILS {
            self.flush_details()?;
        }
        if self.opaques.len() >= HELD_OPAQUES {
            self.flush_opaques()?;
        }
        Ok(())
    }

    /// Makes the identities count, durably. Done again after a crash it changes nothing.
    pub fn commit(mut self) -> Result<VaultReceipt, IntakeError> {
        self.prepare()?;
        let numbers = std::mem::take(&mut self.pending_numbers);
        let details = std::mem::take(&mut self.pending_details);
        let opaques = std::mem::take(&mut self.pending_opaques);
        let vault = self.vault.clone();
        let mut stores = vault.stores();
        stores.numbers.commit(numbers)?;
        stores.details.commit(details)?;
        stores.opaques.commit(opaques)?;
        Ok(self.receipt)
    }

    /// Compares and seals everything held back; finds a key collision before anything counts.
    pub fn prepare(&mut self) -> Result<(), IntakeError> {
        self.flush_persons()?;
        self.flush_details()?;
        self.flush_opaques()
    }

    fn flush_persons(&mut self) -> Result<(), IntakeError> {
        if self.persons.is_empty() {
            return Ok(());
        }
        self.persons
            .sort_unstable_by_key(|entry| u128::from_be_bytes(entry.digest));
        self.persons.dedup_by_key(|entry| entry.digest);
        for pair in self.persons.windows(2) {
            if pair[0].digest[..PERSON_KEY_BYTES] == pair[1].digest[..PERSON_KEY_BYTES] {
                return Err(collision());
            }
        }
        let keys: Vec<PersonDigest> = self.persons.iter().map(|entry| entry.digest).collect();
        let vault = self.vault.clone();
        let mut stores = vault.stores();
        let known = stores
            .numbers
            .known(&mut self.pending_numbers, &keys, PERSON_KEY_BYTES)?
            .map_err(|_| collision())?;
        let new = known.iter().filter(|known| !**known).count();
        if new > 0 {
            let entries = self.persons.iter().zip(&known);
            let run = stores.numbers.write_pending(
                entries
                    .filter(|(_, known)| !**known)
                    .map(|(entry, _)| (&entry.digest, entry.number.to_be_bytes())),
            )?;
            self.pending_numbers.push(run);
            self.receipt.new_persons += new as u64;
        }
        self.wipe_persons();
        Ok(())
    }

    fn flush_details(&mut self) -> Result<(), IntakeError> {
        if self.details.is_empty() {
            return Ok(());
        }
        let vault = self.vault.clone();
        let mut keyed: Vec<([u8; DETAIL_KEY], DetailEntry)> = self
            .details
            .drain(..)
            .map(|entry| {
                let mut key = [0; DETAIL_KEY];
                key[..16].copy_from_slice(&entry.person);
                let value = vault
                    .shared
                    .hasher
                    .detail(entry.kind, entry.value.as_bytes());
                key[16..].copy_from_slice(&value);
                (key, entry)
            })
            .collect();
        keyed.sort_by_key(|(key, _)| *key);
        keyed.dedup_by_key(|(key, _)| *key);
        let keys: Vec<[u8; DETAIL_KEY]> = keyed.iter().map(|(key, _)| *key).collect();
        let mut stores = vault.stores();
        let known = stores
            .details
            .known(&mut self.pending_details, &keys, DETAIL_KEY)?
            .map_err(|_| collision())?;
        let new = known.iter().filter(|known| !**known).count();
        if new > 0 {
            let entries = keyed.iter().zip(&known);
            let run = stores.details.write_pending(
                entries
                    .filter(|(_, known)| !**known)
                    .map(|((key, entry), _)| (key, *detail_payload(entry))),
            )?;
            self.pending_details.push(run);
            self.receipt.new_details += new as u64;
        }
        for (_, entry) in &mut keyed {
            entry.value.zeroize();
        }
        Ok(())
    }

    fn flush_opaques(&mut self) -> Result<(), IntakeError> {
        if self.opaques.is_empty() {
            return Ok(());
        }
        self.opaques.sort_unstable_by_key(|entry| entry.digest);
        self.opaques.dedup_by_key(|entry| entry.digest);
        let keys: Vec<[u8; OPAQUE_KEY]> = self.opaques.iter().map(|entry| entry.digest).collect();
        let vault = self.vault.clone();
        let mut stores = vault.stores();
        let known = stores
            .opaques
            .known(&mut self.pending_opaques, &keys, OPAQUE_KEY)?
            .map_err(|_| collision())?;
        if known.contains(&false) {
            let entries = self.opaques.iter().zip(&known);
            let run = stores.opaques.write_pending(
                entries
                    .filter(|(_, known)| !**known)
                    .map(|(entry, _)| (&entry.digest, entry.input.to_payload())),
            )?;
            self.pending_opaques.push(run);
        }
        self.opaques.clear();
        Ok(())
    }

    fn wipe_persons(&mut self) {
        for entry in &mut self.persons {
            entry.number.zeroize();
        }
        self.persons.clear();
    }
}

impl Drop for VaultBatch {
    fn drop(&mut self) {
        self.wipe_persons();
        for entry in &mut self.details {
            entry.value.zeroize();
        }
        let numbers = std::mem::take(&mut self.pending_numbers);
        let details = std::mem::take(&mut self.pending_details);
        let opaques = std::mem::take(&mut self.pending_opaques);
        if numbers.is_empty() && details.is_empty() && opaques.is_empty() {
            return;
        }
        let stores = self.vault.stores();
        stores.numbers.discard(numbers);
        stores.details.discard(details);
        stores.opaques.discard(opaques);
    }
}

fn detail_payload(entry: &DetailEntry) -> Zeroizing<[u8; DETAIL_PAYLOAD]> {
    let mut payload = Zeroizing::new([0; DETAIL_PAYLOAD]);
    let length = entry.value.len().min(DETAIL_BYTES);
    payload[0] = entry.kind;
    payload[1] = length as u8;
    payload[2..2 + length].copy_from_slice(&entry.value.as_bytes()[..length]);
    payload
}

fn collision() -> IntakeError {
    Refusal::new(
        RefusalRule::KeyCollision,
        "two persons would share one 64-bit person key: nothing was loaded; rotate the pepper key",
    )
    .into()
}

#[cfg(test)]
mod tests;
