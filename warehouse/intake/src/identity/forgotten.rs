//! Persons who are to be forgotten: the list, and how the vault forgets.
//!
//! The list holds digests of resident numbers under a key of its own, which is never rotated:
//! after a rotation nobody could hash the numbers again, because they are gone. It recognises a
//! person whose rows are delivered again, or come back with a restored backup.

use std::collections::HashSet;
use std::sync::Arc;

use goyong_types::{PersonKey, ResidentNumber};
use zeroize::Zeroizing;

use super::hash::{PersonHasher, person_key};
use super::look_up::number_text;
use super::vault::{FORGOTTEN_KEY, FORGOTTEN_PAYLOAD, PERSON_KEY_BYTES, Stores, Vault};
use crate::error::IntakeError;

/// Recognises the numbers of persons who are to be forgotten.
#[derive(Clone)]
pub struct Forgotten {
    hasher: PersonHasher,
    digests: Arc<HashSet<[u8; FORGOTTEN_KEY]>>,
}

impl Forgotten {
    /// Whether the person is on the list.
    pub fn contains(&self, digits: &[u8; 13]) -> bool {
        self.digests.contains(&self.hasher.person(digits))
    }
}

/// Who is to be forgotten: by number or by key. Wiped when dropped.
pub enum ForgetSubject {
    /// A resident number, known to the warehouse or not.
    Number(Zeroizing<[u8; 13]>),
    /// A person key the vault knows.
    Key(PersonKey),
}

impl ForgetSubject {
    /// Reads one line: a resident number. The error does not repeat the line.
    pub fn parse_number(line: &str) -> Result<Self, IntakeError> {
        match ResidentNumber::parse(line.trim().as_bytes()) {
            Ok(number) => Ok(Self::Number(Zeroizing::new(*number.digits()))),
            Err(error) => Err(IntakeError::Vault {
                message: format!(
                    "is no resident number ({error}): 13 digits, with or without a hyphen"
                ),
            }),
        }
    }
}

impl Vault {
    /// The list, `None` when nobody is on it. 16 bytes of memory for each person.
    pub fn forgotten(&self) -> Result<Option<Forgotten>, IntakeError> {
        let stores = self.stores();
        if stores.forgotten.entries() == 0 {
            return Ok(None);
        }
        let mut digests = HashSet::new();
        let mut walk = stores.forgotten.walk()?;
        while let Some((digest, _)) = walk.next()? {
            digests.insert(digest);
        }
        Ok(Some(Forgotten {
            hasher: self.shared.forget_hasher.clone(),
            digests: Arc::new(digests),
        }))
    }

    /// Days of the requests, days since 1970-01-01, and how many persons each day named.
    pub fn forget_requests(&self) -> Result<Vec<(i32, u64)>, IntakeError> {
        let mut days = std::collections::BTreeMap::new();
        let stores = self.stores();
        let mut walk = stores.forgotten.walk()?;
        while let Some((_, payload)) = walk.next()? {
            *days.entry(day_of(&payload)).or_default() += 1;
        }
        Ok(days.into_iter().collect())
    }

    /// Puts persons on the list, durably; those on it stay with their earlier day. Answers how many
    /// are new.
    ///
    /// # Errors
    ///
    /// A person key the vault does not know: nothing was put on the list.
    pub fn put_on_forget_list(
        &self,
        subjects: &[ForgetSubject],
        day: i32,
    ) -> Result<u64, IntakeError> {
        let mut stores = self.stores();
        let mut digests = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let (digest, key) = match subject {
                ForgetSubject::Number(digits) => (
                    self.shared.forget_hasher.person(digits),
                    person_key(&self.shared.hasher.person(digits)),
                ),
                ForgetSubject::Key(key) => {
                    let found = stores.numbers.with_prefix(&key.0.to_be_bytes())?;
                    let Some((_, number)) = found.first() else {
                        return Err(IntakeError::Vault {
                            message: format!(
                                "the vault knows nobody by the person key {}: look the key up again, nothing was changed",
                                key.0
                            ),
                        });
                    };
                    (self.forget_digest(u64::from_be_bytes(**number)), key.0)
                }
            };
            digests.push((digest, payload_of(day, key)));
        }
        digests.sort_unstable();
        digests.dedup_by_key(|(digest, _)| *digest);
        add_to_list(&mut stores, &digests)
    }

    fn forget_digest(&self, number: u64) -> [u8; FORGOTTEN_KEY] {
        let mut digits = Zeroizing::new([b'0'; 13]);
        digits.copy_from_slice(number_text(number).as_bytes());
        self.shared.forget_hasher.person(&digits)
    }

    /// Takes over the list of another copy of this vault, such as the one before a restore.
    pub fn merge_forget_list(&self, other: &Self) -> Result<u64, IntakeError> {
        self.take_over_list(other, true)
    }

    /// Takes over a list; person keys of another pepper are of no use.
    pub(super) fn take_over_list(
        &self,
        other: &Self,
        is_same_pepper: bool,
    ) -> Result<u64, IntakeError> {
        let mut digests = Vec::new();
        let theirs = other.stores();
        let mut walk = theirs.forgotten.walk()?;
        while let Some((digest, payload)) = walk.next()? {
            let mut payload = *payload;
            if !is_same_pepper {
                payload[4..].fill(0);
            }
            digests.push((digest, payload));
        }
        drop(walk);
        drop(theirs);
        add_to_list(&mut self.stores(), &digests)
    }

    /// Person keys of those on the list: whose numbers the vault still has, and those remembered
    /// from the request.
    pub fn forgotten_keys(&self) -> Result<HashSet<i64>, IntakeError> {
        let mut keys = HashSet::new();
        let Some(forgotten) = self.forgotten()? else {
            return Ok(keys);
        };
        let stores = self.stores();
        let mut walk = stores.forgotten.walk()?;
        while let Some((_, payload)) = walk.next()? {
            keys.extend(key_of(&payload));
        }
        let mut walk = stores.numbers.walk()?;
        while let Some((digest, number)) = walk.next()? {
            if forgotten
                .digests
                .contains(&self.forget_digest(u64::from_be_bytes(*number)))
            {
                keys.insert(person_key(&digest));
            }
        }
        Ok(keys)
    }

    /// Removes numbers, names and contacts of persons from every file of the vault, durably. Called
    /// last: without the number nobody finds the person's rows again.
    pub fn remove_persons(&self, keys: &HashSet<i64>) -> Result<u64, IntakeError> {
        let is_removed = |digest: &[u8]| {
            let mut bytes = [0; PERSON_KEY_BYTES];
            bytes.copy_from_slice(&digest[..PERSON_KEY_BYTES]);
            keys.contains(&i64::from_be_bytes(bytes))
        };
        let mut stores = self.stores();
        stores.details.remove(|key| is_removed(key))?;
        stores.numbers.remove(|key| is_removed(key))
    }
}

/// Puts sorted, distinct entries on the list, durably; those on it stay as they are.
fn add_to_list(
    stores: &mut Stores,
    entries: &[([u8; FORGOTTEN_KEY], [u8; FORGOTTEN_PAYLOAD])],
) -> Result<u64, IntakeError> {
    let digests: Vec<_> = entries.iter().map(|(digest, _)| *digest).collect();
    let known = stores
        .forgotten
        .known(&mut [], &digests, FORGOTTEN_KEY)?
        // Whole keys are compared, so none can share a part of another.
        .unwrap_or_else(|_| vec![false; digests.len()]);
    let new: Vec<_> = entries
        .iter()
        .zip(&known)
        .filter_map(|((digest, payload), known)| (!known).then_some((digest, *payload)))
        .collect();
    let count = new.len() as u64;
    if count > 0 {
        let run = stores.forgotten.write_pending(new.into_iter())?;
        stores.forgotten.commit(vec![run])?;
    }
    Ok(count)
}

fn payload_of(day: i32, key: i64) -> [u8; FORGOTTEN_PAYLOAD] {
    let mut payload = [0; FORGOTTEN_PAYLOAD];
    payload[..4].copy_from_slice(&day.to_be_bytes());
    payload[4] = 1;
    payload[5..].copy_from_slice(&key.to_be_bytes());
    payload
}

fn day_of(payload: &[u8; FORGOTTEN_PAYLOAD]) -> i32 {
    let mut day = [0; 4];
    day.copy_from_slice(&payload[..4]);
    i32::from_be_bytes(day)
}

fn key_of(payload: &[u8; FORGOTTEN_PAYLOAD]) -> Option<i64> {
    let mut key = [0; 8];
    key.copy_from_slice(&payload[5..]);
    (payload[4] == 1).then(|| i64::from_be_bytes(key))
}
