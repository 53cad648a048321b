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
