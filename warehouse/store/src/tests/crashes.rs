//! What is found after a crash or an accident on the disk.

use super::*;
use crate::{Damage, LogDamage, StoreError};

const AUGUST: &str = "2024-08-01";

async fn two_commits(place: Place) -> Fixture {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::Append, AUGUST, &[1, 2])
        .await;
    fixture
}

/// What happens to a file.
#[derive(Debug, Clone, Copy)]
enum Accident {
    Empty,
    Flip,
    Tear,
    Remove,
}

impl Fixture {
    async fn wreck(&self, path: &Path, accident: Accident) {
        match accident {
            Accident::Empty => self.put(path, "").await,
            Accident::Flip => self.flip_a_byte(path).await,
            Accident::Tear => self.put(path, "PAR1").await,
            Accident::Remove => self.remove(path).await,
        }
    }
}

/// The process died after the log entry was durable and before the ledger knew.
#[rstest]
#[tokio::test]
async fn ledger_catches_up_with_the_log_after_a_crash_between_them(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = two_commits(place).await;
    let before = fixture.snapshot().await;
    fixture.warehouse.close().await;
    std::fs::remove_file(fixture.path("state/goyong.db")).unwrap();
    // A ledger that never heard of the table: it must be rebuilt from the log, to the same content.
    let rebuilt = Warehouse::create_to(&fixture.config, crate::lake::Claim::Rebuilt)
        .await
        .unwrap();
    let after = rebuilt.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(after.version, before.version);
    assert_eq!(after.files, before.files);
    assert_eq!(after.partitions, before.partitions);
    assert_eq!(after.content_hash(), before.content_hash());
    assert!(rebuilt.verify(None).await.unwrap().problems.is_empty());
}

#[rstest]
#[tokio::test]
async fn running_process_sees_the_commit_of_another(#[values(Folder, S3)] place: Place) {
    let fixture = two_commits(place).await;
    let other = fixture.reopened().await.unwrap();
    write_to(
        &other,
        CommitMode::Append,
        &[(AUGUST, &[3])],
        CommitDetails::default(),
    )
    .await
    .unwrap();
    let seen = fixture.snapshot().await;
    assert_eq!((seen.version, seen.rows()), (2, 3));
}

#[rstest]
#[tokio::test]
async fn damaged_newest_commit_is_named_on_open_and_on_snapshot(
    #[values(Folder, S3)] place: Place,
) {
    let damages = [
        (Accident::Empty, LogDamage::ZeroLength),
        (Accident::Flip, LogDamage::Altered),
        (Accident::Remove, LogDamage::Missing),
    ];
    for (accident, expected) in damages {
        let fixture = two_commits(place).await;
        fixture.wreck(&fixture.log_entry(1), accident).await;
        let on_snapshot = fixture.warehouse.snapshot(&table()).await.unwrap_err();
        let on_open = fixture.reopened().await.unwrap_err();
        for error in [on_snapshot, on_open] {
            match &error {
                StoreError::DamagedLog {
                    table: named,
                    version: 1,
                    problem,
                } => {
                    assert_eq!((named, problem), (&table(), &expected));
                }
                other => panic!("{other}"),
            }
            assert!(!error.is_retryable());
            assert!(error.to_string().contains("core.person_month"), "{error}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn torn_newest_commit_is_told_from_a_changed_one(#[values(Folder, S3)] place: Place) {
    let fixture = two_commits(place).await;
    let path = fixture.log_entry(1);
    let bytes = fixture.read(&path).await;
    fixture.put(&path, &bytes[..bytes.len() / 2]).await;
    let error = fixture.warehouse.snapshot(&table()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::DamagedLog {
                problem: LogDamage::Torn { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[rstest]
#[tokio::test]
async fn unknown_newest_commit_is_never_taken_over(#[values(Folder, S3)] place: Place) {
    for (content, name) in [
        ("", "zero length"),
        (
            "{\"commitInfo\":{\"operation\":\"WRITE\"}}",
            "another program",
        ),
        ("{\"commitInfo\":{\"oper", "torn"),
    ] {
        let fixture = two_commits(place).await;
        fixture.put(&fixture.log_entry(2), content).await;
        let error = fixture.warehouse.snapshot(&table()).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.to_string().contains("commit 2"), "{error}");
        let report = fixture.warehouse.verify(None).await.unwrap();
        assert_eq!(report.problems.len(), 1);
        assert_eq!(
            report.problems[0].path.file_name(),
            fixture.log_entry(2).file_name()
        );
    }
}

#[rstest]
#[tokio::test]
async fn log_of_another_table_is_foreign(#[values(Folder, S3)] place: Place) {
    let fixture = two_commits(place).await;
    let copied = "core.copied".parse().unwrap();
    let copy = fixture.warehouse.commit_path(&copied, 0);
    fixture
        .put(&copy, fixture.read(&fixture.log_entry(0)).await)
        .await;
    let error = fixture.reopened().await.unwrap_err();
    assert!(error.to_string().contains("core.copied"), "{error}");
}

#[rstest]
#[tokio::test]
async fn verify_names_exactly_the_damaged_data_file(#[values(Folder, S3)] place: Place) {
    type Case = (Accident, fn(&Damage) -> bool);
    let cases: [Case; 4] = [
        (Accident::Flip, |damage| *damage == Damage::Altered),
        (Accident::Empty, |damage| *damage == Damage::ZeroLength),
        (Accident::Tear, |damage| {
            matches!(damage, Damage::Torn { found: 4, .. })
        }),
        (Accident::Remove, |damage| *damage == Damage::Missing),
    ];
    for (accident, expected) in cases {
        let fixture = two_commits(place).await;
        let snapshot = fixture.snapshot().await;
        let report = fixture.warehouse.verify(None).await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!(report.files_checked, 4);
        let victim = &snapshot.files[0].path;
        fixture.wreck(victim, accident).await;
        let report = fixture.warehouse.verify(None).await.unwrap();
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        assert_eq!(&report.problems[0].path, victim);
        assert!(
            expected(&report.problems[0].damage),
            "{:?}",
            report.problems
        );
    }
}

/// The process died after writing data files and before the commit.
#[rstest]
#[tokio::test]
async fn orphans_of_a_crashed_writer_are_harmless_and_listed(#[values(Folder, S3)] place: Place) {
    let fixture = two_commits(place).await;
    let orphan = fixture.in_table("month=2024-08-01/part-000002-dead-0000.zstd.parquet");
    fixture.put(&orphan, "half a file").await;
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.files.len(), 2);
    let report = fixture.warehouse.verify(None).await.unwrap();
    assert!(report.problems.is_empty());
    assert_eq!(report.orphans, [orphan]);
}

#[tokio::test]
async fn opening_a_folder_without_warehouse_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Warehouse::open(&config(folder.path(), Folder))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("goyong init"), "{error}");
}

#[rstest]
#[tokio::test]
async fn lock_taken_twice_is_locked(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let guard = fixture.warehouse.lock("night").unwrap();
    let error = fixture.warehouse.lock("night").unwrap_err();
    assert!(error.is_locked() && error.is_retryable(), "{error}");
    fixture.warehouse.lock("other").unwrap();
    drop(guard);
    fixture.warehouse.lock("night").unwrap();
    assert!(fixture.warehouse.lock("../x").is_err());
}

#[rstest]
#[tokio::test]
async fn memos_are_remembered_across_a_restart(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture.warehouse.memo_put("plan", "k", "1").await.unwrap();
    fixture.warehouse.memo_put("plan", "k", "2").await.unwrap();
    let again = fixture.reopened().await.unwrap();
    assert_eq!(
        again.memo_get("plan", "k").await.unwrap().as_deref(),
        Some("2")
    );
    assert_eq!(again.memo_get("plan", "other").await.unwrap(), None);
}
