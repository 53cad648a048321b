#![allow(clippy::unwrap_used)]
use chacha20poly1305::{Key, KeyInit};

use super::*;
use crate::identity::run::block_bytes;

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
        let found = set.with_prefix(&key(number)).unwrap();
        assert_eq!(found.len(), 1, "{number}");
        assert_eq!(*found[0].1, (number as u32).to_be_bytes(), "{number}");
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
fn removed_entries_are_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = open(folder.path()).unwrap();
    let runs = vec![write(&mut set, 0..5000), write(&mut set, 5000..6000)];
    set.commit(runs).unwrap();
    let removed = set
        .remove(|entry| *entry == key(7) || *entry == key(4999))
        .unwrap();
    assert_eq!(removed, 2);
    assert_eq!(set.remove(|entry| *entry == key(7)).unwrap(), 0);
    let set = open(folder.path()).unwrap();
    assert_eq!(set.entries(), 5998);
    assert!(set.with_prefix(&key(7)).unwrap().is_empty());
    let mut walk = set.walk().unwrap();
    let mut seen = 0;
    while let Some((key_seen, _)) = walk.next().unwrap() {
        assert!(key_seen != key(7) && key_seen != key(4999));
        seen += 1;
    }
    assert_eq!(seen, 5998);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, &key(4999)).is_none());
    }
}

#[test]
fn blocks_that_changed_places_do_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = open(folder.path()).unwrap();
    let block = BLOCK as u64;
    let run = write(&mut set, 0..2 * block);
    let path = run.path.clone();
    set.commit(vec![run]).unwrap();
    assert_eq!(set.with_prefix(&key(1)).unwrap().len(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let (first, second) = bytes[..2 * block_bytes::<16, 4>()].split_at_mut(block_bytes::<16, 4>());
    first.swap_with_slice(second);
    fs::write(&path, &bytes).unwrap();
    assert!(set.with_prefix(&key(1)).is_err());
    assert!(set.with_prefix(&key(block + 1)).is_err());
    let renamed = RunSet::<16, 4>::open(folder.path(), "other", cipher()).unwrap();
    assert!(renamed.with_prefix(&key(1)).is_err());
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
    let error = set.with_prefix(&key(3)).err().unwrap();
    assert!(error.to_string().contains("run-00000001"), "{error}");
    bytes.truncate(50);
    fs::write(&path, &bytes).unwrap();
    let message = open(folder.path()).err().unwrap().to_string();
    assert!(message.contains("run-00000001"), "{message}");
}
