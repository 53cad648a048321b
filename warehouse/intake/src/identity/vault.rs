use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use zeroize::{Zeroize, Zeroizing};

use super::hash::{PersonDigest, PersonHasher};
use super::keys::{Keys, sync_folder};
use super::runs::{Run, RunSet};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::rows::{DETAIL_BYTES, DetailEntry, Identities, PersonEntry};

/// A resident number as a number.
const NUMBER_PAYLOAD: usize = 8;
/// Kind, length and text of a name or contact, filled up so that lengths do not show.
const DETAIL_PAYLOAD: usize = DETAIL_BYTES + 2;
/// Person digest, then the keyed digest of the value.
const DETAIL_KEY: usize = 32;
/// Bytes of the digest that make the person key.
const PERSON_KEY_BYTES: usize = 8;
/// Resident numbers held back before they are compared with the vault: 24 bytes each.
const HELD_PERSONS: usize = 2_000_000;
const HELD_DETAILS: usize = 100_000;

/// Who stands behind a person key: resident number, names and contacts, sealed.
///
/// Keyed by the full 128-bit digest, so that two persons whose first 64 bits agree are noticed.
/// Writing a person again changes nothing.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    hasher: PersonHasher,
    stores: Mutex<Stores>,
}

struct Stores {
    numbers: RunSet<16, NUMBER_PAYLOAD>,
    details: RunSet<DETAIL_KEY, DETAIL_PAYLOAD>,
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
        fs::create_dir_all(folder)
            .map_err(|error| IntakeError::file("create vault folder", folder, error))?;
        let path = folder.join(KEY_IDS);
        if !path.exists() {
            let write = || -> std::io::Result<()> {
                let temporary = folder.join("KEYS.new");
                let mut file = fs::File::create(&temporary)?;
                file.write_all(key_ids(keys).as_bytes())?;
                file.sync_all()?;
                fs::rename(&temporary, &path)
            };
            write().map_err(|error| IntakeError::file("write vault key ids", &path, error))?;
            sync_folder(folder)?;
        }
        Self::open(folder, keys)
    }

    /// Opens the vault; refuses keys it was not made with.
    pub fn open(folder: &Path, keys: &Keys) -> Result<Self, IntakeError> {
        let path = folder.join(KEY_IDS);
        if !path.exists() {
            return Err(IntakeError::Vault {
                message: format!("no vault in {}: run `goyong init` first", folder.display()),
            });
        }
        let ids = fs::read_to_string(&path)
            .map_err(|error| IntakeError::file("read vault key ids", &path, error))?;
        if ids != key_ids(keys) {
            return Err(IntakeError::Vault {
                message: format!(
                    "the keys in {} are not those the vault {} was made with: use the right key folder",
                    keys.folder().display(),
                    folder.display()
                ),
            });
        }
        Ok(Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                hasher: keys.hasher(),
                stores: Mutex::new(Stores {
                    numbers: RunSet::open(&folder.join("numbers"), "numbers", keys.vault_cipher())?,
                    details: RunSet::open(&folder.join("details"), "details", keys.vault_cipher())?,
                }),
            }),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Persons known.
    pub fn persons(&self) -> u64 {
        self.stores().numbers.entries()
    }

    /// Starts collecting the identities of a delivery. Nothing counts until it is committed.
    pub fn begin(&self) -> VaultBatch {
        VaultBatch {
            vault: self.clone(),
            persons: Vec::new(),
            details: Vec::new(),
            pending_numbers: Vec::new(),
            pending_details: Vec::new(),
            receipt: VaultReceipt::default(),
        }
    }

    fn stores(&self) -> MutexGuard<'_, Stores> {
        match self.shared.stores.lock() {
            Ok(stores) => stores,
            // The stores are consistent between any two calls; a panic elsewhere changes nothing.
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    #[cfg(test)]
    pub(crate) fn number_of(&self, digest: &PersonDigest) -> Option<String> {
        let payload = self.stores().numbers.payload(digest).ok()??;
        Some(format!("{:013}", u64::from_be_bytes(*payload)))
    }
}

fn key_ids(keys: &Keys) -> String {
    format!(
        "pepper {}\nvault {}\n",
        keys.pepper_id(),
        keys.vault_key_id()
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
    pending_numbers: Vec<Run<16, NUMBER_PAYLOAD>>,
    pending_details: Vec<Run<DETAIL_KEY, DETAIL_PAYLOAD>>,
    receipt: VaultReceipt,
}

impl VaultBatch {
    /// Takes over the identities of a part of the delivery.
    pub(crate) fn add(&mut self, mut identities: Identities) -> Result<(), IntakeError> {
        self.persons.extend_from_slice(&identities.persons);
        self.details.append(&mut identities.details);
        if self.persons.len() >= HELD_PERSONS {
            self.flush_persons()?;
        }
        if self.details.len() >= HELD_DETAILS {
            self.flush_details()?;
        }
        Ok(())
    }

    /// Makes the identities count, durably. Done again after a crash it changes nothing.
    pub fn commit(mut self) -> Result<VaultReceipt, IntakeError> {
        self.prepare()?;
        let numbers = std::mem::take(&mut self.pending_numbers);
        let details = std::mem::take(&mut self.pending_details);
        let vault = self.vault.clone();
        let mut stores = vault.stores();
        stores.numbers.commit(numbers)?;
        stores.details.commit(details)?;
        Ok(self.receipt)
    }

    /// Compares and seals everything held back; finds a key collision before anything counts.
    pub fn prepare(&mut self) -> Result<(), IntakeError> {
        self.flush_persons()?;
        self.flush_details()
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
        keyed.sort_by(|left, right| left.0.cmp(&right.0));
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
        if numbers.is_empty() && details.is_empty() {
            return;
        }
        let stores = self.vault.stores();
        stores.numbers.discard(numbers);
        stores.details.discard(details);
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rows::DETAIL_NAME;

    fn numbers(range: std::ops::Range<u64>) -> Vec<[u8; 13]> {
        range
            .map(|index| {
                let mut digits = [b'0'; 13];
                digits.copy_from_slice(format!("{:013}", 8_001_011_000_000u64 + index).as_bytes());
                digits
            })
            .collect()
    }

    fn identities(hasher: &PersonHasher, digits: &[[u8; 13]]) -> Identities {
        let mut identities = Identities::default();
        for number in digits {
            let digest = hasher.person(number);
            identities.persons.push(PersonEntry {
                digest,
                number: std::str::from_utf8(number).unwrap().parse().unwrap(),
            });
            identities.details.push(DetailEntry {
                person: digest,
                kind: DETAIL_NAME,
                value: "가나다".to_owned(),
            });
        }
        identities
    }

    #[test]
    fn persons_are_kept_once_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let hasher = keys.hasher();
        let vault = Vault::create(&folder.path().join("vault"), &keys).unwrap();
        let first = numbers(0..5000);
        let mut batch = vault.begin();
        batch.add(identities(&hasher, &first)).unwrap();
        batch.add(identities(&hasher, &first[..100])).unwrap();
        let receipt = batch.commit().unwrap();
        assert_eq!((receipt.new_persons, receipt.new_details), (5000, 5000));

        let mut batch = vault.begin();
        batch
            .add(identities(&hasher, &numbers(4990..5010)))
            .unwrap();
        assert_eq!(batch.commit().unwrap().new_persons, 10);

        let vault = Vault::open(&folder.path().join("vault"), &keys).unwrap();
        assert_eq!(vault.persons(), 5010);
        for number in [first[0], first[4999]] {
            let text = String::from_utf8(number.to_vec()).unwrap();
            assert_eq!(vault.number_of(&hasher.person(&number)), Some(text));
        }
    }

    #[test]
    fn refused_delivery_leaves_the_vault_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let vault = Vault::create(&folder.path().join("vault"), &keys).unwrap();
        let mut batch = vault.begin();
        batch
            .add(identities(&keys.hasher(), &numbers(0..10)))
            .unwrap();
        batch.prepare().unwrap();
        drop(batch);
        assert_eq!(vault.persons(), 0);
        assert_eq!(
            fs::read_dir(folder.path().join("vault/numbers"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn two_digests_with_one_person_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let vault = Vault::create(&folder.path().join("vault"), &keys).unwrap();
        let entry = |tail: u8| {
            let mut digest = [7; 16];
            digest[15] = tail;
            let mut identities = Identities::default();
            identities.persons.push(PersonEntry { digest, number: 1 });
            identities
        };
        let mut batch = vault.begin();
        batch.add(entry(1)).unwrap();
        batch.commit().unwrap();
        let mut batch = vault.begin();
        batch.add(entry(2)).unwrap();
        let error = batch.commit().unwrap_err();
        assert!(matches!(
            error,
            IntakeError::Refused(Refusal {
                rule: RefusalRule::KeyCollision,
                ..
            })
        ));
        assert_eq!(vault.persons(), 1);
    }

    #[test]
    fn other_keys_are_refused_and_no_number_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let other = Keys::create(&folder.path().join("other")).unwrap();
        let path = folder.path().join("vault");
        let vault = Vault::create(&path, &keys).unwrap();
        let mut batch = vault.begin();
        batch
            .add(identities(&keys.hasher(), &numbers(0..1)))
            .unwrap();
        batch.commit().unwrap();
        assert!(Vault::open(&path, &other).is_err());
        for part in ["numbers", "details"] {
            for entry in fs::read_dir(path.join(part)).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                assert!(memchr::memmem::find(&bytes, b"8001011000000").is_none());
                assert!(memchr::memmem::find(&bytes, "가나다".as_bytes()).is_none());
                let packed = 8_001_011_000_000u64.to_be_bytes();
                assert!(memchr::memmem::find(&bytes, &packed[2..]).is_none());
            }
        }
    }
}
