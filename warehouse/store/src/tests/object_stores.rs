//! What an S3-compatible store must do, and what is done with one.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::faults::{Fault, FaultyStore};
use super::*;
use crate::lake::Claim;
use crate::{BackupStore, ReleaseRequest, StoreError, probe_lake};

const AUGUST: &str = "2024-08-01";

/// What every commit rests on.
#[tokio::test]
async fn of_concurrent_conditional_puts_one_is_stored_and_the_others_are_told() {
    let fixture = Fixture::new(S3).await;
    for round in 0..3 {
        let path = fixture.in_table(&format!("race-{round}"));
        let puts = (0..8u8).map(|writer| {
            let (lake, path) = (fixture.warehouse.lake(), path.clone());
            async move {
                let put = lake.create(&path, Bytes::from(vec![writer; 1000])).await;
                (writer, put)
            }
        });
        let outcomes = futures::future::join_all(puts).await;
        let won: Vec<u8> = outcomes
            .iter()
            .filter(|(_, put)| put.is_ok())
            .map(|(writer, _)| *writer)
            .collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        for (_, put) in &outcomes {
            let is_told = matches!(put, Ok(()) | Err(object_store::Error::AlreadyExists { .. }));
            assert!(is_told, "{put:?}");
        }
        assert_eq!(fixture.read(&path).await, vec![won[0]; 1000]);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_race_and_every_one_commits_once(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let writers = (0..20i64).map(|key| {
        let warehouse = fixture.warehouse.clone();
        tokio::spawn(async move {
            loop {
                let keys = [key];
                let rows = [(AUGUST, keys.as_slice())];
                let details = CommitDetails::default();
                match write_to(&warehouse, CommitMode::Append, &rows, details).await {
                    Ok(receipt) => return receipt.version,
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
            }
        })
    });
    let mut versions: Vec<i64> = futures::future::try_join_all(writers).await.unwrap();
    versions.sort_unstable();
    assert_eq!(versions, (0..20).collect::<Vec<_>>());
    assert_eq!(fixture.snapshot().await.rows(), 20);
    fixture.is_sound().await;
}

/// Numbers that do not compress, about 12 MB of them.
fn many_rows() -> RecordBatch {
    let mut state = 1u64;
    let keys = (0..1_500_000).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 1) as i64
    });
    let keys: Int64Array = keys.collect::<Vec<_>>().into();
    RecordBatch::try_from_iter([("person_key", Arc::new(keys) as ArrayRef)]).unwrap()
}

async fn write_many(warehouse: &Warehouse) -> crate::Result<CommitReceipt> {
    let batch = many_rows();
    let options = WriteOptions::default();
    let mut writer = warehouse.writer(&table(), batch.schema(), options).await?;
    writer.write(None, &batch)?;
    writer
        .commit(CommitMode::ReplaceAll, CommitDetails::default())
        .await
}

#[tokio::test]
async fn large_file_travels_in_parts_and_has_the_hash_of_a_local_one() {
    let (local, remote) = (Fixture::new(Folder).await, Fixture::new(S3).await);
    let store = FaultyStore::new(&remote, Fault::FailBefore, u64::MAX);
    let expected = write_many(&local.warehouse).await.unwrap();
    let receipt = write_many(&remote.warehouse.with_store(store.clone())).await;
    let receipt = receipt.unwrap();
    assert_eq!(receipt.content_hash, expected.content_hash);
    assert_eq!(receipt.files_added, 1);
    assert_eq!(store.uploads[0].load(Ordering::SeqCst), 1);
    remote.is_sound().await;
}

#[tokio::test]
async fn upload_in_parts_that_fails_anywhere_is_given_up_and_leaves_no_file() {
    // The beginning, two parts, the completion.
    for at in 1..=4 {
        let fixture = Fixture::new(S3).await;
        let store = FaultyStore::new(&fixture, Fault::FailBefore, at);
        let failed = write_many(&fixture.warehouse.with_store(store.clone())).await;
        assert!(failed.is_err(), "at {at}: {failed:?}");
        let [begun, given_up] = &*store.uploads;
        let begun = begun.load(Ordering::SeqCst);
        assert_eq!(begun, u64::from(at > 1));
        assert_eq!(given_up.load(Ordering::SeqCst), begun, "at {at}");
        let left = fixture.table_files(&table()).await;
        assert_eq!(left, Vec::<String>::new(), "at {at}");
    }
}

#[tokio::test]
async fn store_that_ignores_conditions_is_refused() {
    let fixture = Fixture::new(S3).await;
    let lake = fixture.warehouse.lake();
    fixture.remove(&lake.base().join("_goyong_warehouse")).await;
    let careless = FaultyStore::new(&fixture, Fault::IgnoreConditions, 1);
    let careless = fixture.warehouse.with_store(careless);
    let error = careless.claim_lake(Claim::Open).await.unwrap_err();
    assert!(error.to_string().contains("If-None-Match"), "{error}");
}

async fn refused(config: &StoreConfig, because: &str) {
    let error = Warehouse::create(config).await.unwrap_err();
    assert!(matches!(error, StoreError::Lake { .. }), "{error}");
    assert!(error.to_string().contains(because), "{error}");
}

#[tokio::test]
async fn lake_is_opened_by_its_own_warehouse_alone() {
    let (ours, theirs) = (Fixture::new(S3).await, Fixture::new(Folder).await);
    for fixture in [&ours, &theirs] {
        let rows = [(AUGUST, [1].as_slice())];
        fixture.write(CommitMode::Append, &rows).await.unwrap();
    }
    let at = |fixture: &Fixture, lake: Option<String>| StoreConfig {
        lake,
        ..fixture.config.clone()
    };
    let elsewhere = || Some(S3Server::shared().new_place());
    let lake = ours.config.lake.clone();
    refused(&at(&theirs, lake), "belongs to another warehouse").await;
    refused(&at(&theirs, elsewhere()), "are in its folder").await;
    refused(&at(&ours, elsewhere()), "does not hold the tables").await;
    refused(&at(&ours, None), "`lake` is not set").await;
    refused(&at(&ours, Some("s3:/x".to_owned())), "s3://bucket/prefix").await;

    // The state was lost: only a repair may take the tables over.
    let empty = tempfile::tempdir().unwrap();
    let without_state = StoreConfig {
        root: empty.path().to_path_buf(),
        ..ours.config.clone()
    };
    refused(&without_state, "goyong repair").await;
    std::fs::remove_dir_all(empty.path().join("state")).unwrap();
    let (_, copy) = Warehouse::rebuild_ledger(&without_state).await.unwrap();
    assert_eq!(copy, None);
    let rebuilt = Warehouse::open(&without_state).await.unwrap();
    let table = rebuilt.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(table.content_hash(), ours.snapshot().await.content_hash());

    // A marker that was lost is put back where the tables are those of the state.
    let marker = ours.warehouse.lake().base().join("_goyong_warehouse");
    let bytes = ours.read(&marker).await;
    ours.remove(&marker).await;
    ours.reopened().await.unwrap();
    assert_eq!(ours.read(&marker).await, bytes);
}

/// Tables move between a folder and an object store by a backup.
#[rstest]
#[tokio::test]
async fn backup_of_one_kind_of_lake_is_restored_to_the_other(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let rows: [(&str, &[i64]); 2] = [(AUGUST, &[1, 2]), ("2024-09-01", &[3])];
    fixture.write(CommitMode::Append, &rows).await.unwrap();
    let request = ReleaseRequest {
        business_date: chrono::NaiveDate::from_ymd_opt(2024, 9, 30).unwrap(),
        tables: vec![(table(), 0)],
        ..ReleaseRequest::default()
    };
    let release = fixture.warehouse.publish(request).await.unwrap();
    let backup = BackupStore::open(&S3Server::shared().new_place()).unwrap();
    let made = fixture.warehouse.backup(&backup, &release, Vec::new());
    made.await.unwrap();
    let other = if place == S3 { Folder } else { S3 };
    let folder = tempfile::tempdir().unwrap();
    let target = config(&folder.path().join("restored"), other);
    let manifest = backup.manifest(None).await.unwrap();
    backup.restore(&manifest, &target, |_| None).await.unwrap();
    let restored = Warehouse::open(&target).await.unwrap();
    assert_eq!(restored.latest_release().await.unwrap(), Some(release));
    let moved = restored.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(
        moved.content_hash(),
        fixture.snapshot().await.content_hash()
    );
    let added = [(AUGUST, [9].as_slice())];
    let details = CommitDetails::default();
    let receipt = write_to(&restored, CommitMode::Append, &added, details).await;
    assert_eq!(receipt.unwrap().version, 1);
    // The original is untouched by what happens to its copy.
    assert_eq!(fixture.snapshot().await.version, 0);
}

#[tokio::test]
async fn newest_commit_is_told_apart_without_reading_it() {
    let fixture = Fixture::new(S3).await;
    let rows = [(AUGUST, [1].as_slice())];
    fixture.write(CommitMode::Append, &rows).await.unwrap();
    let warehouse = &fixture.warehouse;
    let seen = warehouse.newest_commit(&table(), 0).await.unwrap();
    assert!(warehouse.is_still_newest(&table(), &seen).await);
    fixture.write(CommitMode::Append, &rows).await.unwrap();
    assert!(!warehouse.is_still_newest(&table(), &seen).await);
    assert_eq!(warehouse.newest_commit(&table(), 0).await, None);
}

/// Engines read files by ranges and list nothing.
#[tokio::test]
async fn files_are_read_by_ranges_below_the_base() {
    let fixture = Fixture::new(S3).await;
    let rows = [(AUGUST, [1, 2, 3].as_slice())];
    fixture.write(CommitMode::Append, &rows).await.unwrap();
    let path = fixture.snapshot().await.files[0].path.clone();
    let whole = fixture.read(&path).await;
    let below = path.strip_prefix(fixture.warehouse.lake_base()).unwrap();
    let object = object_store::path::Path::from(below.to_str().unwrap());
    let files = fixture.warehouse.lake_files().unwrap();
    let ranges = [0..4, 4..20, 100..120];
    let found = files.get_ranges(&object, &ranges).await.unwrap();
    for (range, bytes) in ranges.iter().zip(found) {
        assert_eq!(bytes, whole[range.start as usize..range.end as usize]);
    }
    assert_eq!(files.head(&object).await.unwrap().size, whole.len() as u64);
}

/// Objects of probes that are still there.
async fn probes_left(fixture: &Fixture) -> usize {
    let lake = fixture.warehouse.lake();
    let folder = lake.base().join("_goyong_probe");
    lake.list(&folder).await.unwrap().len()
}

#[rstest]
#[tokio::test]
async fn sound_lake_answers_a_probe_and_keeps_nothing_of_it(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let probe = probe_lake(&fixture.config).await;
    assert_eq!(probe.faults, []);
    assert_eq!(probe.is_remote, place == S3);
    // Both run on this machine.
    let ahead = probe.clock_ahead.unwrap();
    assert!(ahead.num_seconds().abs() < 60, "{ahead}");
    assert_eq!(probes_left(&fixture).await, 0);
    assert_eq!(fixture.warehouse.table_names().await.unwrap(), []);
    fixture.is_sound().await;
}

#[rstest]
#[tokio::test]
async fn probe_of_a_store_that_fails_names_the_fault_and_removes_its_object(
    #[values(Folder, S3)] place: Place,
) {
    use crate::LakeFault;
    type Expected = fn(&LakeFault) -> bool;
    let unreachable: Expected = |fault| matches!(fault, LakeFault::Unreachable(_));
    let cases: [(Fault, u64, Expected); 5] = [
        (Fault::IgnoreConditions, 1, |fault| {
            *fault == LakeFault::IgnoresConditions
        }),
        (Fault::FailBefore, 1, unreachable),
        (Fault::LoseResponse, 1, unreachable),
        (Fault::Full, 1, unreachable),
        (Fault::FailBefore, 2, unreachable),
    ];
    for (kind, at, expected) in cases {
        let fixture = Fixture::new(place).await;
        let store = FaultyStore::new(&fixture, kind, at);
        let faulty = fixture.warehouse.with_store(store);
        let probe = faulty.lake().probe().await;
        let is_named = matches!(probe.faults.as_slice(), [fault] if expected(fault));
        assert!(is_named, "{kind:?} at {at}: {:?}", probe.faults);
        assert_eq!(probes_left(&fixture).await, 0, "{kind:?} at {at}");
    }
    // What is torn is read back.
    let fixture = Fixture::new(place).await;
    let store = FaultyStore::new(&fixture, Fault::Tear, 1);
    let probe = fixture.warehouse.with_store(store).lake().probe().await;
    assert_eq!(probe.faults.len(), 1, "{:?}", probe.faults);
    assert_eq!(probes_left(&fixture).await, 0);
}

#[tokio::test]
async fn folder_that_is_not_there_is_not_made_by_a_probe() {
    let folder = tempfile::tempdir().unwrap();
    let probe = probe_lake(&StoreConfig::in_folder(folder.path())).await;
    assert_eq!(probe.faults, [crate::LakeFault::Missing]);
    assert!(!folder.path().join("lake").exists());
    let other = StoreConfig {
        lake: Some("s3://no-such-bucket-of-the-tests/x".to_owned()),
        ..StoreConfig::in_folder(folder.path())
    };
    let probe = probe_lake(&other).await;
    assert_eq!(probe.faults, [crate::LakeFault::Missing]);
}
