#![allow(clippy::unwrap_used)]
use std::collections::HashSet;
use std::fs;
use std::path::Path;

use goyong_store::{StoreConfig, Warehouse};
use goyong_types::PersonKey;
use zeroize::Zeroizing;

use super::hash::{OpaqueInput, opaque_text};
use super::*;
use crate::audit::{Access, AuditLog};
use crate::rows::{DETAIL_CONTACT, DETAIL_NAME, DetailEntry, Identities, OpaqueEntry, PersonEntry};

const PERSONS: u64 = 10_000;

fn digits(index: u64) -> [u8; 13] {
    let mut digits = [b'0'; 13];
    digits.copy_from_slice(format!("{:013}", 8_001_011_000_000u64 + index).as_bytes());
    digits
}

/// Persons with a name and a telephone number each, and some opaque digests.
fn fill(vault: &Vault, keys: &Keys) {
    let hasher = keys.hasher();
    let mut batch = vault.begin();
    for first in (0..PERSONS).step_by(1000) {
        let mut part = Identities::default();
        for index in first..first + 1000 {
            let digest = hasher.person(&digits(index));
            let number = 8_001_011_000_000u64 + index;
            part.persons.push(PersonEntry { digest, number });
            for (kind, value) in [
                (DETAIL_NAME, format!("이름{index}")),
                (DETAIL_CONTACT, format!("010-0000-{index:04}")),
            ] {
                part.details.push(DetailEntry {
                    person: digest,
                    kind,
                    value,
                });
            }
            let input = OpaqueInput::new(format!("account {}", index / 3).as_bytes());
            let digest = hasher.opaque(&input);
            part.opaques.push(OpaqueEntry { digest, input });
        }
        batch.add(part).unwrap();
    }
    batch.commit().unwrap();
}

fn vault(folder: &Path, name: &str) -> (Vault, Keys) {
    let keys = Keys::create(&folder.join(format!("{name}-keys"))).unwrap();
    let vault = Vault::create(&folder.join(name), &keys).unwrap();
    (vault, keys)
}

fn person_of(keys: &Keys, index: u64) -> PersonKey {
    PersonKey(person_key(&keys.hasher().person(&digits(index))))
}

#[tokio::test]
async fn look_up_is_in_the_audit_chain_whether_or_not_it_finds_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let (vault, keys) = vault(folder.path(), "vault");
    fill(&vault, &keys);
    let root = folder.path().join("warehouse");
    let warehouse = Warehouse::create(&StoreConfig::in_folder(&root))
        .await
        .unwrap();
    let audit = AuditLog::of(&warehouse);
    let access = Access::new("investigator", "recover an overpayment", "2026-17").unwrap();
    let found = vault
        .look_up(&audit, &access, person_of(&keys, 41))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.resident_number.as_bytes(), digits(41));
    assert_eq!(*found.names, [Zeroizing::new("이름41".to_owned())]);
    assert_eq!(
        *found.contacts,
        [Zeroizing::new("010-0000-0041".to_owned())]
    );
    let nobody = vault.look_up(&audit, &access, PersonKey(1)).await.unwrap();
    assert!(nobody.is_none());
    let report = audit.verify().await.unwrap();
    assert_eq!((report.entries, report.problems.len()), (2, 0));
    let chain = fs::read_to_string(root.join("audit/chain.ndjson")).unwrap();
    assert!(!chain.contains("이름") && !chain.contains("8001011000041"));
    assert!(!chain.contains(&person_of(&keys, 41).0.to_string()));
}

#[test]
fn copy_under_new_keys_is_the_vault_those_keys_would_have_made() {
    let folder = tempfile::tempdir().unwrap();
    let (old, old_keys) = vault(folder.path(), "old");
    fill(&old, &old_keys);
    let subject = ForgetSubject::Key(person_of(&old_keys, 5));
    old.put_on_forget_list(&[subject], 20_000).unwrap();
    let new = NewKeys {
        pepper: true,
        vault: true,
        recipient: None,
    };
    let keys = Keys::create_next(old_keys.folder(), &new).unwrap();
    assert_ne!(keys.pepper_id(), old_keys.pepper_id());
    assert_ne!(keys.vault_key_id(), old_keys.vault_key_id());
    assert_eq!(keys.recipient_id(), old_keys.recipient_id());

    let copy = Vault::create(&folder.path().join("copy"), &keys).unwrap();
    old.copy_to(&copy, &keys).unwrap();
    let fresh = Vault::create(&folder.path().join("fresh"), &keys).unwrap();
    fill(&fresh, &keys);
    assert_eq!(contents(&copy), contents(&fresh));
    assert_ne!(contents(&copy), contents(&old));
    assert!(copy.forgotten().unwrap().unwrap().contains(&digits(5)));

    let digest = |keys: &Keys, index| keys.hasher().person(&digits(index));
    for (index, expected) in [(9, Some(digest(&keys, 9))), (PERSONS, None)] {
        let found = old.digest_under(&digest(&old_keys, index), &keys).unwrap();
        assert_eq!(found, expected);
    }
    let pseudonyms = old.pseudonyms_under(&keys).unwrap();
    for index in [0, 1, PERSONS - 1] {
        let new_key = pseudonyms.person(person_of(&old_keys, index).0);
        assert_eq!(new_key, Some(person_of(&keys, index).0));
    }
    assert_eq!(pseudonyms.person(person_of(&keys, 0).0), None);
    let account = OpaqueInput::new(b"account 7");
    let text = opaque_text(&old_keys.hasher().opaque(&account));
    assert_eq!(
        pseudonyms.opaque(std::str::from_utf8(&text).unwrap()),
        Some(opaque_text(&keys.hasher().opaque(&account)))
    );
    assert_eq!(pseudonyms.opaque("no digest"), None);
}

/// Every entry of a vault, opened.
fn contents(vault: &Vault) -> Vec<(Vec<u8>, Vec<u8>)> {
    let stores = vault.stores();
    let mut found = Vec::new();
    let mut walk = stores.numbers.walk().unwrap();
    while let Some((key, payload)) = walk.next().unwrap() {
        found.push((key.to_vec(), payload.to_vec()));
    }
    let mut walk = stores.details.walk().unwrap();
    while let Some((key, payload)) = walk.next().unwrap() {
        found.push((key.to_vec(), payload.to_vec()));
    }
    let mut walk = stores.opaques.walk().unwrap();
    while let Some((key, payload)) = walk.next().unwrap() {
        found.push((key.to_vec(), payload.to_vec()));
    }
    found
}

#[test]
fn keys_change_places_whole_whenever_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys")).unwrap();
    let new = NewKeys {
        pepper: true,
        vault: true,
        recipient: Some(None),
    };
    let next = Keys::create_next(keys.folder(), &new).unwrap();
    // A crash after the first file was put in place.
    let before = fs::read(keys.folder().join("pepper.key")).unwrap();
    fs::create_dir(keys.folder().join(PREVIOUS)).unwrap();
    keys::write_private(&keys.folder().join(PREVIOUS).join("pepper.key"), &before).unwrap();
    fs::rename(
        keys.folder().join(NEXT).join("pepper.key"),
        keys.folder().join("pepper.key"),
    )
    .unwrap();
    Keys::promote_next(keys.folder()).unwrap();
    Keys::promote_next(keys.folder()).unwrap();
    let now = Keys::load(keys.folder()).unwrap();
    let previous = Keys::load(&keys.folder().join(PREVIOUS)).unwrap();
    assert_eq!(now.pepper_id(), next.pepper_id());
    assert_eq!(now.vault_key_id(), next.vault_key_id());
    assert_eq!(now.recipient_id(), next.recipient_id());
    assert_eq!(previous.pepper_id(), keys.pepper_id());
    assert_eq!(previous.vault_key_id(), keys.vault_key_id());
    assert!(!keys.folder().join(NEXT).exists());
}

#[test]
fn forgotten_person_leaves_the_vault_and_is_recognised_when_the_number_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (vault, keys) = vault(folder.path(), "vault");
    fill(&vault, &keys);
    assert!(vault.forgotten().unwrap().is_none());
    let subjects = [
        ForgetSubject::Key(person_of(&keys, 7)),
        ForgetSubject::Number(Zeroizing::new(digits(8))),
        ForgetSubject::Number(Zeroizing::new(digits(PERSONS + 1))),
    ];
    assert_eq!(vault.put_on_forget_list(&subjects, 20_000).unwrap(), 3);
    assert_eq!(vault.put_on_forget_list(&subjects, 20_001).unwrap(), 0);
    assert_eq!(vault.forget_requests().unwrap(), [(20_000, 3)]);
    let found = vault.forgotten_keys().unwrap();
    let expected = [7, 8, PERSONS + 1].map(|index| person_of(&keys, index).0);
    assert_eq!(found, HashSet::from(expected));
    assert_eq!(vault.remove_persons(&found).unwrap(), 2);
    assert_eq!(vault.persons(), PERSONS - 2);
    // The key stays known, for rows that come back with a backup.
    assert_eq!(vault.forgotten_keys().unwrap(), found);
    let forgotten = vault.forgotten().unwrap().unwrap();
    for (index, expected) in [(7, true), (8, true), (PERSONS + 1, true), (9, false)] {
        assert_eq!(forgotten.contains(&digits(index)), expected, "{index}");
    }
    let unknown = [ForgetSubject::Key(PersonKey(3))];
    assert!(vault.put_on_forget_list(&unknown, 20_002).is_err());
    let digest = keys.hasher().person(&digits(7));
    for part in ["numbers", "details"] {
        for entry in fs::read_dir(vault.folder().join(part)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(memchr::memmem::find(&bytes, &digest[..8]).is_none());
        }
    }
}

#[test]
fn line_that_is_no_number_is_not_repeated_in_the_error() {
    let message = ForgetSubject::parse_number("001301-1000001").err().unwrap();
    assert!(!message.to_string().contains("001301"), "{message}");
    assert!(ForgetSubject::parse_number(" 800101-1000001\n").is_ok());
}
