//! Commits that take rows out of some files and put others in.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{ContentHash, Merge, RowHashes, StoreError};

const AUGUST: &str = "2024-08-01";
const SEPTEMBER: &str = "2024-09-01";

fn hash_of(keys: &[i64]) -> ContentHash {
    let rows = rows(keys);
    let hashes = RowHashes::new(rows.schema_ref()).of(&rows);
    hashes
        .into_iter()
        .fold(ContentHash::default(), |sum, multiset| {
            sum.combined_with(ContentHash { multiset, rows: 1 })
        })
}

/// Two files in August, one in September.
async fn three_files(place: Place) -> Fixture {
    let fixture = Fixture::new(place).await;
    for rows in [
        (AUGUST, [1, 2, 3].as_slice()),
        (AUGUST, &[4, 5, 6]),
        (SEPTEMBER, &[7]),
    ] {
        fixture.write(CommitMode::Append, &[rows]).await.unwrap();
    }
    fixture
}

/// The files of August, the one with the key first.
async fn files_of_august(fixture: &Fixture) -> Vec<PathBuf> {
    let snapshot = fixture.snapshot().await;
    snapshot
        .files_of(Some(AUGUST))
        .map(|file| file.path.clone())
        .collect()
}

#[rstest]
#[tokio::test]
async fn merged_rows_have_the_hash_of_one_write_and_other_files_stay(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = three_files(place).await;
    let files = files_of_august(&fixture).await;
    let merge = Merge {
        rewritten: BTreeSet::from([files[0].clone()]),
        removed: hash_of(&[2]),
        added: hash_of(&[20, 21]),
    };
    let mode = CommitMode::MergePartitions(BTreeMap::from([(some(AUGUST), merge)]));
    let receipt = fixture
        .write(mode, &[(AUGUST, &[1, 3, 20, 21])])
        .await
        .unwrap();
    assert_eq!((receipt.files_removed, receipt.files_added), (1, 1));
    assert!(files_of_august(&fixture).await.contains(&files[1]));
    let whole = Fixture::new(place).await;
    let rows: [(&str, &[i64]); 2] = [(AUGUST, &[1, 3, 4, 5, 6, 20, 21]), (SEPTEMBER, &[7])];
    let at_once = whole.write(CommitMode::ReplaceAll, &rows).await.unwrap();
    assert_eq!(receipt.content_hash, at_once.content_hash);
    assert_eq!(receipt.rows, 8);
    let problems = fixture.warehouse.verify(None).await.unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
}

#[rstest]
#[tokio::test]
async fn merge_whose_rows_do_not_add_up_changes_nothing(#[values(Folder, S3)] place: Place) {
    let fixture = three_files(place).await;
    let files = files_of_august(&fixture).await;
    let before = fixture.snapshot().await;
    let merge = |removed: &[i64], added: &[i64]| Merge {
        rewritten: BTreeSet::from([files[0].clone()]),
        removed: hash_of(removed),
        added: hash_of(added),
    };
    let cases: [(Merge, &str, &[i64]); 3] = [
        // A row of the rewritten file is missing.
        (merge(&[2], &[]), AUGUST, &[1]),
        // A row nobody spoke of.
        (merge(&[2], &[]), AUGUST, &[1, 3, 9]),
        // Another month.
        (merge(&[], &[]), SEPTEMBER, &[1]),
    ];
    for (merge, partition, rows) in cases {
        let mode = CommitMode::MergePartitions(BTreeMap::from([(some(AUGUST), merge)]));
        let refused = fixture.write(mode, &[(partition, rows)]).await;
        assert!(
            matches!(refused, Err(StoreError::Partition { .. })),
            "{refused:?}"
        );
    }
    let after = fixture.snapshot().await;
    assert_eq!(after.version, before.version);
    assert_eq!(files_of_august(&fixture).await, files);
}

#[rstest]
#[tokio::test]
async fn merge_of_files_that_another_commit_rewrote_is_a_conflict(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = three_files(place).await;
    let files = files_of_august(&fixture).await;
    let merge = |added: &[i64]| Merge {
        rewritten: BTreeSet::from([files[0].clone()]),
        removed: hash_of(&[2]),
        added: hash_of(added),
    };
    let write = async |rows: &[i64], added: &[i64]| {
        let merges = BTreeMap::from([(some(AUGUST), merge(added))]);
        let mode = CommitMode::MergePartitions(merges);
        fixture.write(mode, &[(AUGUST, rows)]).await
    };
    write(&[1, 3, 20], &[20]).await.unwrap();
    let after = fixture.snapshot().await;
    let late = write(&[1, 3, 30], &[30]).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let now = fixture.snapshot().await;
    assert_eq!(now.version, after.version);
}

#[test]
fn hashes_of_parts_subtract() {
    let all = hash_of(&[1, 2, 3]);
    assert_eq!(all.without(hash_of(&[2])), hash_of(&[3, 1]));
    assert_eq!(all.without(all), ContentHash::default());
}
