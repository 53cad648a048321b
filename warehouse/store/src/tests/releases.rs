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
    }
}

#[tokio::test]
async fn release_stays_while_later_commits_happen() {
    let fixture = Fixture::new().await;
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1, 2])])
        .await
        .unwrap();
    let release = fixture.warehouse.publish(request(0)).await.unwrap();
    assert_eq!(release.id, "2024-08-31.1");
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[3])])
        .await
        .unwrap();
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

#[tokio::test]
async fn identical_release_is_not_published_twice() {
    let fixture = Fixture::new().await;
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1])])
        .await
        .unwrap();
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[2])])
        .await
        .unwrap();
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

#[tokio::test]
async fn publication_refuses_unknown_versions_and_missing_files() {
    let fixture = Fixture::new().await;
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1])])
        .await
        .unwrap();
    let error = fixture.warehouse.publish(request(7)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::UnknownVersion { version: 7, .. }),
        "{error}"
    );
    let snapshot = fixture.warehouse.snapshot(&table()).await.unwrap().unwrap();
    std::fs::remove_file(&snapshot.files[0].path).unwrap();
    let error = fixture.warehouse.publish(request(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
    assert!(fixture.warehouse.latest_release().await.unwrap().is_none());
}
