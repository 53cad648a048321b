//! Old versions leave the disk and nothing else does.

use chrono::{NaiveDate, Utc};

use super::*;
use crate::{ReleaseRequest, Retention, StoreError};

const AUGUST: &str = "2024-08-01";

async fn publish(fixture: &Fixture, version: i64) -> String {
    let request = ReleaseRequest {
        business_date: NaiveDate::from_ymd_opt(2024, 8, 31).unwrap(),
        tables: vec![(table(), version)],
        note: String::new(),
        ..ReleaseRequest::default()
    };
    fixture.warehouse.publish(request).await.unwrap().id
}

fn before(moment: chrono::DateTime<Utc>) -> Retention {
    Retention {
        before: moment,
        orphans_before: moment,
        ..Retention::default()
    }
}

async fn data_files(fixture: &Fixture) -> usize {
    let files = fixture.table_files(&table()).await;
    files
        .iter()
        .filter(|file| file.ends_with(".parquet"))
        .count()
}

async fn replaced_twice(place: Place) -> Fixture {
    let fixture = Fixture::new(place).await;
    for key in [1, 2, 3] {
        fixture
            .write(CommitMode::ReplaceAll, &[(AUGUST, &[key])])
            .await
            .unwrap();
        publish(&fixture, key - 1).await;
    }
    fixture
}

#[rstest]
#[tokio::test]
async fn superseded_versions_and_their_releases_leave_the_newest_stays(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = replaced_twice(place).await;
    let orphan = fixture.in_table("part-orphan.parquet");
    fixture.put(&orphan, "left by a crash").await;
    assert_eq!(data_files(&fixture).await, 4);
    let report = fixture.warehouse.expire(&before(Utc::now())).await.unwrap();
    assert_eq!(report.releases, ["2024-08-31.1", "2024-08-31.2"]);
    assert_eq!((report.removed.len(), data_files(&fixture).await), (3, 1));
    let releases = fixture.warehouse.releases().await.unwrap();
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0].id, "2024-08-31.3");
    assert!(
        fixture
            .warehouse
            .release("2024-08-31.1")
            .await
            .unwrap()
            .is_none()
    );
    let verified = fixture.warehouse.verify(None).await.unwrap();
    assert!(verified.problems.is_empty() && verified.orphans.is_empty());
    let error = fixture
        .warehouse
        .snapshot_at(&table(), 0)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Expired { version: 0, .. }),
        "{error}"
    );
    let newest = fixture.snapshot().await;
    assert_eq!(newest.rows(), 1);
    // A later release of the day takes a number nobody had.
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[4])
        .await;
    assert_eq!(publish(&fixture, 3).await, "2024-08-31.4");
}

#[rstest]
#[tokio::test]
async fn what_was_superseded_after_the_moment_stays(#[values(Folder, S3)] place: Place) {
    let fixture = replaced_twice(place).await;
    let long_ago = "2000-01-01T00:00:00Z".parse().unwrap();
    let report = fixture.warehouse.expire(&before(long_ago)).await.unwrap();
    assert!(report.releases.is_empty() && report.removed.is_empty());
    assert_eq!(report.releases_verified, 3);
    assert_eq!(data_files(&fixture).await, 3);
    assert_eq!(
        fixture
            .warehouse
            .snapshot_at(&table(), 0)
            .await
            .unwrap()
            .unwrap()
            .rows(),
        1
    );
}

/// The process died after the ledger was told and before the files were removed.
#[rstest]
#[tokio::test]
async fn interrupted_expiry_leaves_no_hole_and_ends_when_run_again(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = replaced_twice(place).await;
    fixture
        .warehouse
        .ledger()
        .expire(Utc::now(), &Default::default(), false)
        .await
        .unwrap();
    assert_eq!(data_files(&fixture).await, 3);
    let verified = fixture.warehouse.verify(None).await.unwrap();
    assert!(verified.problems.is_empty());
    assert_eq!(verified.orphans.len(), 2);
    let report = fixture.warehouse.expire(&before(Utc::now())).await.unwrap();
    assert_eq!((report.removed.len(), data_files(&fixture).await), (2, 1));
}

#[rstest]
#[tokio::test]
async fn rehearsal_tells_what_would_leave_and_removes_nothing(#[values(Folder, S3)] place: Place) {
    let fixture = replaced_twice(place).await;
    let orphan = fixture.in_table("part-orphan.parquet");
    fixture.put(&orphan, "left by a crash").await;
    let rehearsal = Retention {
        is_rehearsal: true,
        ..before(Utc::now())
    };
    let told = fixture.warehouse.expire(&rehearsal).await.unwrap();
    assert_eq!((told.removed.len(), told.orphans), (3, 1));
    assert_eq!(data_files(&fixture).await, 4);
    assert_eq!(fixture.warehouse.releases().await.unwrap().len(), 3);
    let done = fixture.warehouse.expire(&before(Utc::now())).await.unwrap();
    assert_eq!(
        (done.releases, done.removed, done.bytes),
        (told.releases, told.removed, told.bytes)
    );
}

#[rstest]
#[tokio::test]
async fn kept_release_keeps_its_files_and_is_verified_afterwards(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = replaced_twice(place).await;
    let retention = Retention {
        kept: ["2024-08-31.1".to_owned()].into(),
        ..before(Utc::now())
    };
    let report = fixture.warehouse.expire(&retention).await.unwrap();
    assert_eq!(report.releases, ["2024-08-31.2"]);
    assert_eq!((report.removed.len(), report.releases_verified), (1, 2));
    let kept = fixture.warehouse.snapshot_at(&table(), 0).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept.rows(), 1);
    // The proof can fail: a kept file that is damaged is named.
    fixture.put(&kept.files[0].path, "PAR1").await;
    let error = fixture.warehouse.expire(&retention).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
}

/// A running writer's files are known to no version, and are younger than the longest run.
#[rstest]
#[tokio::test]
async fn young_orphans_stay(#[values(Folder, S3)] place: Place) {
    let fixture = replaced_twice(place).await;
    let orphan = fixture.in_table("part-running.parquet");
    fixture.put(&orphan, "being written").await;
    let retention = Retention {
        orphans_before: Utc::now() - chrono::Duration::hours(24),
        ..before(Utc::now())
    };
    let report = fixture.warehouse.expire(&retention).await.unwrap();
    assert_eq!((report.removed.len(), report.orphans), (2, 0));
    assert_eq!(fixture.read(&orphan).await, b"being written");
}
