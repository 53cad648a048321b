//! What is found after a crash or an accident on the disk.

use std::io::{Read, Seek, SeekFrom, Write};

use super::*;
use crate::{Damage, LogDamage, StoreError};

const AUGUST: &str = "2024-08-01";

async fn two_commits() -> Fixture {
    let fixture = Fixture::new().await;
    for key in [1, 2] {
        fixture
            .write(CommitMode::Append, &[(AUGUST, &[key])])
            .await
            .unwrap();
    }
    fixture
}

pub(super) fn flip_a_byte(path: &std::path::Path) {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

/// The process died after the log entry was durable and before the ledger knew.
#[tokio::test]
async fn ledger_catches_up_with_the_log_after_a_crash_between_them() {
    let fixture = two_commits().await;
    let before = fixture.warehouse.snapshot(&table()).await.unwrap().unwrap();
    fixture.warehouse.close().await;
    std::fs::remove_file(fixture.path("state/goyong.db")).unwrap();
    // A ledger that never heard of the table: it must be rebuilt from the log, to the same content.
    let rebuilt = Warehouse::create(&config(&fixture.folder)).await.unwrap();
    let after = rebuilt.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(after.version, before.version);
    assert_eq!(after.files, before.files);
    assert_eq!(after.partitions, before.partitions);
    assert_eq!(after.content_hash(), before.content_hash());
    assert!(rebuilt.verify(None).await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn running_process_sees_the_commit_of_another() {
    let fixture = two_commits().await;
    let other = fixture.reopened().await.unwrap();
    write_to(
        &other,
        CommitMode::Append,
        &[(AUGUST, &[3])],
        CommitDetails::default(),
    )
    .await
    .unwrap();
    let seen = fixture.warehouse.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!((seen.version, seen.rows()), (2, 3));
}

#[tokio::test]
async fn damaged_newest_commit_is_named_on_open_and_on_snapshot() {
    type Case = (fn(&std::path::Path), LogDamage);
    let damages: [Case; 3] = [
        (
            |path| std::fs::write(path, "").unwrap(),
            LogDamage::ZeroLength,
        ),
        (flip_a_byte, LogDamage::Altered),
        (
            |path| std::fs::remove_file(path).unwrap(),
            LogDamage::Missing,
        ),
    ];
    for (damage, expected) in damages {
        let fixture = two_commits().await;
        damage(&fixture.log_entry(1));
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

#[tokio::test]
async fn torn_newest_commit_is_told_from_a_changed_one() {
    let fixture = two_commits().await;
    let path = fixture.log_entry(1);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
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

#[tokio::test]
async fn unknown_newest_commit_is_never_taken_over() {
    for (content, name) in [
        ("", "zero length"),
        (
            "{\"commitInfo\":{\"operation\":\"WRITE\"}}",
            "another program",
        ),
        ("{\"commitInfo\":{\"oper", "torn"),
    ] {
        let fixture = two_commits().await;
        std::fs::write(fixture.log_entry(2), content).unwrap();
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

#[tokio::test]
async fn log_of_another_table_is_foreign() {
    let fixture = two_commits().await;
    let copy = fixture.path("lake/core/copied/_delta_log");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(
        fixture.log_entry(0),
        copy.join(fixture.log_entry(0).file_name().unwrap()),
    )
    .unwrap();
    let error = fixture.reopened().await.unwrap_err();
    assert!(error.to_string().contains("core.copied"), "{error}");
}

#[tokio::test]
async fn verify_names_exactly_the_damaged_data_file() {
    type Case = (fn(&std::path::Path), fn(&Damage) -> bool);
    let cases: [Case; 4] = [
        (flip_a_byte, |damage| *damage == Damage::Altered),
        (
            |path| std::fs::write(path, "").unwrap(),
            |damage| *damage == Damage::ZeroLength,
        ),
        (
            |path| std::fs::write(path, "PAR1").unwrap(),
            |damage| matches!(damage, Damage::Torn { found: 4, .. }),
        ),
        (
            |path| std::fs::remove_file(path).unwrap(),
            |damage| *damage == Damage::Missing,
        ),
    ];
    for (damage, expected) in cases {
        let fixture = two_commits().await;
        let snapshot = fixture.warehouse.snapshot(&table()).await.unwrap().unwrap();
        let report = fixture.warehouse.verify(None).await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!(report.files_checked, 4);
        let victim = &snapshot.files[0].path;
        damage(victim);
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
#[tokio::test]
async fn orphans_of_a_crashed_writer_are_harmless_and_listed() {
    let fixture = two_commits().await;
    let orphan =
        fixture.path("lake/core/person_month/month=2024-08-01/part-000002-dead-0000.zstd.parquet");
    std::fs::write(&orphan, "half a file").unwrap();
    let snapshot = fixture.warehouse.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(snapshot.files.len(), 2);
    let report = fixture.warehouse.verify(None).await.unwrap();
    assert!(report.problems.is_empty());
    assert_eq!(report.orphans, [orphan.canonicalize().unwrap()]);
}

#[tokio::test]
async fn opening_a_folder_without_warehouse_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Warehouse::open(&config(&folder)).await.unwrap_err();
    assert!(error.to_string().contains("goyong init"), "{error}");
}

#[tokio::test]
async fn lock_taken_twice_is_locked() {
    let fixture = Fixture::new().await;
    let guard = fixture.warehouse.lock("night").unwrap();
    let error = fixture.warehouse.lock("night").unwrap_err();
    assert!(error.is_locked() && error.is_retryable(), "{error}");
    fixture.warehouse.lock("other").unwrap();
    drop(guard);
    fixture.warehouse.lock("night").unwrap();
    assert!(fixture.warehouse.lock("../x").is_err());
}

#[tokio::test]
async fn memos_are_remembered_across_a_restart() {
    let fixture = Fixture::new().await;
    fixture.warehouse.memo_put("plan", "k", "1").await.unwrap();
    fixture.warehouse.memo_put("plan", "k", "2").await.unwrap();
    let again = fixture.reopened().await.unwrap();
    assert_eq!(
        again.memo_get("plan", "k").await.unwrap().as_deref(),
        Some("2")
    );
    assert_eq!(again.memo_get("plan", "other").await.unwrap(), None);
}
