//! Releases pin versions.

use chrono::NaiveDate;

use super::*;
use crate::{ReleaseRequest, StoreError};

const AUGUST: &str = "2024-08-01";

fn request(version: i64) -> ReleaseRequest {
    ReleaseRequest {
        business_date: NaiveDate::from_ymd_opt(2024, 8, 31).unwrap(),
        tables: vec![(table(), version)],
        note: String::new(),
        ..ReleaseRequest::default()
    }
}

#[rstest]
#[tokio::test]
async fn release_stays_while_later_commits_happen(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1, 2])])
        .await
        .unwrap();
    let release = fixture.warehouse.publish(request(0)).await.unwrap();
    assert_eq!(release.id, "2024-08-31.1");
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[3])
        .await;
    let again = fixture.reopened().await.unwrap();
    assert_eq!(again.latest_release().await.unwrap(), Some(release.clone()));
    let pinned = &release.tables[&table()];
    let snapshot = again
        .snapshot_at(&table(), pinned.version)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(snapshot.rows(), 2);
    assert_eq!(snapshot.content_hash(), pinned.content_hash);
    assert!(
        again
            .verify(Some(&release))
            .await
            .unwrap()
            .problems
            .is_empty()
    );
}

#[rstest]
#[tokio::test]
async fn identical_release_is_not_published_twice(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[1, 2])
        .await;
    let ids = [
        fixture.warehouse.publish(request(0)).await.unwrap().id,
        fixture.warehouse.publish(request(0)).await.unwrap().id,
        fixture.warehouse.publish(request(1)).await.unwrap().id,
        // Rolling back is publishing the older versions again.
        fixture.warehouse.publish(request(0)).await.unwrap().id,
    ];
    assert_eq!(
        ids,
        [
            "2024-08-31.1",
            "2024-08-31.1",
            "2024-08-31.2",
            "2024-08-31.3"
        ]
    );
    let releases = fixture.warehouse.releases().await.unwrap();
    assert_eq!(releases.len(), 3);
    assert_eq!(releases[0].content_hash, releases[2].content_hash);
    assert_ne!(releases[0].content_hash, releases[1].content_hash);
    assert_eq!(
        fixture.warehouse.release("2024-08-31.2").await.unwrap(),
        Some(releases[1].clone())
    );
    assert_eq!(fixture.warehouse.release("nothing").await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn publication_refuses_unknown_versions_and_missing_files(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[1])
        .await;
    let error = fixture.warehouse.publish(request(7)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::UnknownVersion { version: 7, .. }),
        "{error}"
    );
    let snapshot = fixture.snapshot().await;
    fixture.remove(&snapshot.files[0].path).await;
    let error = fixture.warehouse.publish(request(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
    assert!(fixture.warehouse.latest_release().await.unwrap().is_none());
}

async fn versions(fixture: &Fixture, before: i64, after: i64) -> [TableSnapshot; 2] {
    let at = async |version| {
        let snapshot = fixture.warehouse.snapshot_at(&table(), version).await;
        snapshot.unwrap().unwrap()
    };
    [at(before).await, at(after).await]
}

const SEPTEMBER: &str = "2024-09-01";

#[rstest]
#[tokio::test]
async fn comparison_counts_rows_by_key_and_partitions_that_differ(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    fixture
        .write(
            CommitMode::ReplaceAll,
            &[(AUGUST, &[1, 2, 3]), (SEPTEMBER, &[1, 2])],
        )
        .await
        .unwrap();
    fixture
        .write(
            CommitMode::ReplacePartitions(vec![some(AUGUST)]),
            &[(AUGUST, &[2, 3, 4, 5])],
        )
        .await
        .unwrap();
    let [before, after] = versions(&fixture, 0, 1).await;
    let found = fixture
        .warehouse
        .compare(
            &before,
            &after,
            &["month".to_owned(), "person_key".to_owned()],
            100,
        )
        .unwrap();
    assert_eq!(
        found.rows,
        Some(crate::RowDifference {
            added: 2,
            removed: 1,
            changed: 0
        })
    );
    assert_eq!(
        found.partitions,
        [crate::PartitionDifference {
            partition: some(AUGUST),
            rows_before: Some(3),
            rows_after: Some(4),
        }]
    );
    assert_eq!(
        fixture
            .warehouse
            .compare(&before, &after, &[], 6)
            .unwrap()
            .rows,
        None,
        "limit"
    );
    let same = fixture.warehouse.compare(&before, &before, &[], 0).unwrap();
    assert_eq!(same.rows, Some(crate::RowDifference::default()));
    assert!(same.partitions.is_empty());
}

#[rstest]
#[tokio::test]
async fn comparison_tells_a_changed_row_from_a_new_one_and_names_columns(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    let write = async |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = fixture
            .warehouse
            .writer(&table(), batch.schema(), WriteOptions::default())
            .await
            .unwrap();
        writer.write(None, &batch).unwrap();
        let commit = writer.commit(CommitMode::ReplaceAll, CommitDetails::default());
        commit.await.unwrap();
    };
    let numbers = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    write(vec![
        ("key", numbers(&[1, 2, 3])),
        ("won", numbers(&[10, 20, 30])),
        ("gone", numbers(&[0, 0, 0])),
        ("kind", numbers(&[1, 1, 1])),
    ])
    .await;
    write(vec![
        ("key", numbers(&[2, 3, 4])),
        ("won", numbers(&[21, 30, 40])),
        ("kind", texts(&["a", "a", "a"])),
        ("new", numbers(&[0, 0, 0])),
    ])
    .await;
    let [before, after] = versions(&fixture, 0, 1).await;
    let found = fixture
        .warehouse
        .compare(&before, &after, &["key".to_owned()], 100)
        .unwrap();
    assert_eq!(found.columns_added, ["new"]);
    assert_eq!(found.columns_removed, ["gone"]);
    assert_eq!(found.columns_changed, ["kind: Int64 → Utf8"]);
    assert_eq!(
        found.rows,
        Some(crate::RowDifference {
            added: 1,
            removed: 1,
            changed: 1
        })
    );
    let without_key = fixture
        .warehouse
        .compare(&before, &after, &[], 100)
        .unwrap();
    assert_eq!(
        without_key.rows,
        Some(crate::RowDifference {
            added: 2,
            removed: 2,
            changed: 0
        })
    );
}

#[rstest]
#[tokio::test]
async fn publication_refuses_a_flipped_byte_that_keeps_the_length(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::Append, AUGUST, &[1, 2])
        .await;
    let snapshot = fixture.snapshot().await;
    fixture.flip_a_byte(&snapshot.files[0].path).await;
    let error = fixture.warehouse.publish(request(1)).await.unwrap_err();
    assert!(error.to_string().contains("goyong repair"), "{error}");
    // An older log entry than the newest is looked at as well.
    let error = match error {
        StoreError::Unsound { problems } => problems,
        other => panic!("{other}"),
    };
    assert_eq!(error.len(), 1);
    fixture.flip_a_byte(&snapshot.files[0].path).await;
    fixture.flip_a_byte(&fixture.log_entry(0)).await;
    assert!(fixture.warehouse.publish(request(1)).await.is_err());
    fixture.flip_a_byte(&fixture.log_entry(0)).await;
    fixture.warehouse.publish(request(1)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn rollback_says_who_why_and_what_it_republishes(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    for key in [1, 2] {
        fixture
            .write(CommitMode::ReplaceAll, &[(AUGUST, &[key])])
            .await
            .unwrap();
        fixture.warehouse.publish(request(key - 1)).await.unwrap();
    }
    let rollback = ReleaseRequest {
        note: "wrong delivery".to_owned(),
        account: "operator".to_owned(),
        republishes: Some("2024-08-31.1".to_owned()),
        ..request(0)
    };
    let release = fixture.warehouse.publish(rollback).await.unwrap();
    let again = fixture.reopened().await.unwrap().latest_release().await;
    assert_eq!(again.unwrap().as_ref(), Some(&release));
    assert_eq!(release.account, "operator");
    assert_eq!(release.republishes.as_deref(), Some("2024-08-31.1"));
    let bytes = fixture.warehouse.release_bytes().await.unwrap();
    assert_eq!(bytes["2024-08-31.1"], bytes["2024-08-31.3"]);
    assert!(bytes["2024-08-31.1"] > 0);
}
