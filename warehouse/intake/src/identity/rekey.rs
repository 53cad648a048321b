//! The vault under other keys, and what each pseudonym becomes.

use std::fs;
use std::path::Path;

use goyong_store::files;

use super::hash::{OpaqueDigest, OpaqueInput, PersonDigest, opaque_text, person_key};
use super::keys::{
    FORGET, KEY_FILES, Keys, PEPPER, RECIPIENT, VAULT, create_private_folder, sync_folder,
    write_new_key, write_private, write_recipient,
};
use super::look_up::number_text;
use super::vault::Vault;
use crate::error::IntakeError;
use crate::rows::{DETAIL_BYTES, DetailEntry, Identities, OpaqueEntry, PersonEntry};

/// Where the keys of an unfinished rotation lie, below the key folder.
pub const NEXT: &str = "next";
/// Where the keys of before lie after a rotation, below the key folder.
pub const PREVIOUS: &str = "previous";

/// Entries handed on together.
const PART: usize = 65_536;

/// Which keys a rotation replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKeys {
    /// The pepper: every pseudonym changes.
    pub pepper: bool,
    /// The vault key: every entry of the vault is sealed anew.
    pub vault: bool,
    /// The archive's recipient: originals are encrypted to another from now on. `Some(None)` makes
    /// a new pair.
    pub recipient: Option<Option<String>>,
}

impl Keys {
    /// Makes the keys that follow these, in `next/` below the key folder: new ones as asked, copies
    /// of the others. Unfinished attempts are replaced; [`Keys::promote_next`] puts them in place.
    pub fn create_next(folder: &Path, new: &NewKeys) -> Result<Self, IntakeError> {
        let next = folder.join(NEXT);
        if next.exists() {
            fs::remove_dir_all(&next)
                .map_err(|error| IntakeError::file("remove unfinished keys", &next, error))?;
        }
        create_private_folder(&next)?;
        let copy = |name: &str| {
            let bytes =
                zeroize::Zeroizing::new(fs::read(folder.join(name)).map_err(|error| {
                    IntakeError::file("read key file", &folder.join(name), error)
                })?);
            write_private(&next.join(name), &bytes)
        };
        copy(FORGET)?;
        for (name, is_new) in [(PEPPER, new.pepper), (VAULT, new.vault)] {
            if is_new {
                write_new_key(&next.join(name))?;
            } else {
                copy(name)?;
            }
        }
        match &new.recipient {
            Some(recipient) => write_recipient(&next, recipient.as_deref())?,
            None => copy(RECIPIENT)?,
        }
        sync_folder(&next)?;
        sync_folder(folder)?;
        Self::load(&next)
    }

    /// Puts the keys of `next/` in place and those of before into `previous/`. Done again after a
    /// crash it goes on where it stopped.
    pub fn promote_next(folder: &Path) -> Result<(), IntakeError> {
        let (next, previous) = (folder.join(NEXT), folder.join(PREVIOUS));
        create_private_folder(&previous)?;
        let mut names = KEY_FILES.to_vec();
        names.push(super::keys::ARCHIVE_IDENTITY);
        for name in names {
            let (current, follower, kept) =
                (folder.join(name), next.join(name), previous.join(name));
            if !follower.exists() {
                continue;
            }
            if current.exists() && !kept.exists() {
                let bytes = zeroize::Zeroizing::new(
                    fs::read(&current)
                        .map_err(|error| IntakeError::file("read key file", &current, error))?,
                );
                write_private(&kept, &bytes)?;
                sync_folder(&previous)?;
            }
            files::rename(&follower, &current)
                .map_err(|error| IntakeError::file("replace key file", &current, error))?;
            sync_folder(folder)?;
        }
        if next.exists() {
            fs::remove_dir_all(&next)
                .map_err(|error| IntakeError::file("remove key folder", &next, error))?;
        }
        sync_folder(folder)
    }
}

/// What every pseudonym becomes: 16 bytes of memory for each person and each opaque digest.
pub struct Pseudonyms {
    persons: Vec<(u64, i64)>,
    opaques: Vec<(OpaqueDigest, OpaqueDigest)>,
}

impl Pseudonyms {
    /// The new person key.
    pub fn person(&self, key: i64) -> Option<i64> {
        let key = u64::from_be_bytes(key.to_be_bytes());
        let at = self
            .persons
            .binary_search_by_key(&key, |pair| pair.0)
            .ok()?;
        Some(self.persons[at].1)
    }

    /// The new text of an opaque digest.
    pub fn opaque(&self, text: &str) -> Option<[u8; 16]> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 {
            return None;
        }
        let mut digest: OpaqueDigest = [0; 8];
        for (byte, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            let nibble = |byte: u8| (byte as char).to_digit(16);
            *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
        }
        let at = self
            .opaques
            .binary_search_by_key(&digest, |pair| pair.0)
            .ok()?;
        Some(opaque_text(&self.opaques[at].1))
    }
}

impl Vault {
    /// What this vault's pseudonyms become under the keys of another.
    pub fn pseudonyms_under(&self, keys: &Keys) -> Result<Pseudonyms, IntakeError> {
        let hasher = keys.hasher();
        let stores = self.stores();
        let mut persons = Vec::with_capacity(stores.numbers.entries() as usize);
        let mut walk = stores.numbers.walk()?;
        while let Some((digest, number)) = walk.next()? {
            let old = u64::from_be_bytes(person_key(&digest).to_be_bytes());
            let new = hasher.person(&digits_of(u64::from_be_bytes(*number)));
            persons.push((old, person_key(&new)));
        }
        let mut opaques = Vec::with_capacity(stores.opaques.entries() as usize);
        let mut walk = stores.opaques.walk()?;
        while let Some((digest, payload)) = walk.next()? {
            let input = OpaqueInput::from_payload(&payload);
            opaques.push((digest, hasher.opaque(&input)));
        }
        Ok(Pseudonyms { persons, opaques })
    }

    /// What one person's digest becomes; `None` for a person the vault does not know.
    pub fn digest_under(
        &self,
        digest: &PersonDigest,
        keys: &Keys,
    ) -> Result<Option<PersonDigest>, IntakeError> {
        let found = self.stores().numbers.with_prefix(digest)?;
        Ok(found.first().map(|(_, number)| {
            keys.hasher()
                .person(&digits_of(u64::from_be_bytes(**number)))
        }))
    }

    /// Writes everything into an empty vault made with other keys. A crash leaves a vault that is
    /// to be removed and written again.
    ///
    /// # Errors
    ///
    /// A folder in the vault that nobody here knows how to re-key; a key collision under the new
    /// pepper: make another.
    pub fn copy_to(&self, other: &Self, keys: &Keys) -> Result<(), IntakeError> {
        let unknown = self.unknown_parts()?;
        if !unknown.is_empty() {
            return Err(IntakeError::Vault {
                message: format!(
                    "the vault holds {} beside its known parts, which a rotation cannot re-key: move it away",
                    unknown.join(", ")
                ),
            });
        }
        let hasher = keys.hasher();
        let stores = self.stores();
        let mut batch = other.begin();
        let mut part = Identities::default();
        let mut numbers = stores.numbers.walk()?;
        while let Some((_, number)) = numbers.next()? {
            let number = u64::from_be_bytes(*number);
            let digest = hasher.person(&digits_of(number));
            part.persons.push(PersonEntry { digest, number });
            if part.persons.len() >= PART {
                batch.add(std::mem::take(&mut part))?;
            }
        }
        // Details stand in the order of their persons: both are walked side by side.
        let mut numbers = stores.numbers.walk()?;
        let mut person = numbers.next()?;
        let mut details = stores.details.walk()?;
        while let Some((key, payload)) = details.next()? {
            while person
                .as_ref()
                .is_some_and(|(digest, _)| digest[..] < key[..16])
            {
                person = numbers.next()?;
            }
            let Some((_, number)) = person
                .as_ref()
                .filter(|(digest, _)| digest[..] == key[..16])
            else {
                return Err(IntakeError::Vault {
                    message: "the vault has a name without its resident number: restore the vault from its backup".to_owned(),
                });
            };
            let length = usize::from(payload[1]).min(DETAIL_BYTES);
            part.details.push(DetailEntry {
                person: hasher.person(&digits_of(u64::from_be_bytes(**number))),
                kind: payload[0],
                value: String::from_utf8_lossy(&payload[2..2 + length]).into_owned(),
            });
            if part.details.len() >= PART {
                batch.add(std::mem::take(&mut part))?;
            }
        }
        let mut opaques = stores.opaques.walk()?;
        while let Some((_, payload)) = opaques.next()? {
            let input = OpaqueInput::from_payload(&payload);
            let digest = hasher.opaque(&input);
            part.opaques.push(OpaqueEntry { digest, input });
            if part.opaques.len() >= PART {
                batch.add(std::mem::take(&mut part))?;
            }
        }
        batch.add(part)?;
        batch.commit()?;
        drop(stores);
        other.take_over_list(self, self.has_pepper_of(other))?;
        Ok(())
    }
}

fn digits_of(number: u64) -> [u8; 13] {
    let mut digits = [b'0'; 13];
    digits.copy_from_slice(number_text(number).as_bytes());
    digits
}
