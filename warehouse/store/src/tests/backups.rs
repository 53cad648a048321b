//! Backups are sent once, restored to identical tables, and never hold what is damaged.

use chrono::NaiveDate;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;

use super::*;
use crate::{BackupSource, BackupStore, Release, ReleaseRequest, StoreError};

const AUGUST: &str = "2024-08-01";

async fn released(fixture: &Fixture, version: i64) -> Release {
    let request = ReleaseRequest {
        business_date: NaiveDate::from_ymd_opt(2024, 8, 31).unwrap(),
        tables: vec![(table(), version)],
        ..ReleaseRequest::default()
    };
    fixture.warehouse.publish(request).await.unwrap()
}

async fn two_releases(place: Place) -> (Fixture, [Release; 2]) {
    let fixture = Fixture::new(place).await;
    let mut releases = Vec::new();
    for key in [1, 2] {
        fixture
            .write(CommitMode::ReplaceAll, &[(AUGUST, &[key])])
            .await
            .unwrap();
        releases.push(released(&fixture, key - 1).await);
    }
    (fixture, releases.try_into().unwrap())
}

/// A place for backups, in a folder or under a prefix.
fn backup_store(folder: &Path, place: Place) -> BackupStore {
    BackupStore::open(&match place {
        Folder => folder.join("b").display().to_string(),
        S3 => S3Server::shared().new_place(),
    })
    .unwrap()
}

async fn restore(from: &BackupStore, into: &StoreConfig) -> crate::Result<Warehouse> {
    let manifest = from.manifest(None).await?;
    from.restore(&manifest, into, |_| None).await?;
    Warehouse::open(into).await
}

/// An object of a backup.
struct Object<'a>(&'a BackupStore, ObjectPath);

impl Object<'_> {
    async fn read(&self) -> Vec<u8> {
        let found = self.0.store().get(&self.1).await.unwrap();
        found.bytes().await.unwrap().to_vec()
    }

    async fn put(&self, bytes: Vec<u8>) {
        self.0.store().put(&self.1, bytes.into()).await.unwrap();
    }

    async fn flip_a_byte(&self) {
        self.put(flipped(self.read().await)).await;
    }
}

#[rstest]
#[tokio::test]
async fn older_release_is_restored_with_its_rows_and_the_newest(
    #[values(Folder, S3)] place: Place,
) {
    let (fixture, [older, newer]) = two_releases(place).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_store(folder.path(), place);
    let vault = fixture.path("vault");
    std::fs::create_dir(&vault).unwrap();
    std::fs::write(vault.join("CURRENT"), "run 1").unwrap();
    let others = vec![BackupSource {
        path: "warehouse/vault/CURRENT".to_owned(),
        file: vault.join("CURRENT"),
        recorded: None,
    }];
    let report = fixture
        .warehouse
        .backup(&backup, &older, others)
        .await
        .unwrap();
    // Two log entries, two data files, the vault's file, the state database.
    assert_eq!((report.files, report.files_sent), (6, 6));
    let target = config(&folder.path().join("restored"), place);
    let restored = restore(&backup, &target).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(target.root.join("vault/CURRENT")).unwrap(),
        "run 1"
    );
    let current = restored.latest_release().await.unwrap().unwrap();
    assert_eq!(current, older);
    assert!(restored.release(&newer.id).await.unwrap().is_none());
    let newest = restored.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(
        newest.content_hash(),
        newer.tables[&table()].content_hash.clone()
    );
    // It goes on from there.
    let receipt = write_to(
        &restored,
        CommitMode::Append,
        &[(AUGUST, &[9])],
        CommitDetails::default(),
    );
    assert_eq!(receipt.await.unwrap().version, 2);
}

#[rstest]
#[tokio::test]
async fn second_backup_sends_what_is_new_and_an_interrupted_restore_goes_on(
    #[values(Folder, S3)] place: Place,
) {
    let (fixture, [_, release]) = two_releases(place).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_store(folder.path(), place);
    let first = fixture.warehouse.backup(&backup, &release, Vec::new());
    let first = first.await.unwrap();
    let second = fixture.warehouse.backup(&backup, &release, Vec::new());
    let second = second.await.unwrap();
    assert_eq!(second.files, first.files);
    assert_eq!(second.files_sent, 1, "the state database alone");
    assert_eq!(backup.names().await.unwrap().len(), 2);

    let target = config(&folder.path().join("restored"), place);
    let manifest = backup.manifest(None).await.unwrap();
    let data = |path: &str| path.ends_with(".parquet");
    let file = manifest.files.iter().find(|file| data(&file.path)).unwrap();
    let object = Object(&backup, backup.object(&file.sha256));
    let bytes = object.read().await;
    backup.store().delete(&object.1).await.unwrap();
    let error = restore(&backup, &target).await.unwrap_err();
    assert!(error.to_string().contains("is missing in it"), "{error}");
    let database = target.root.join("state/goyong.db");
    assert!(!database.exists(), "it comes last");
    object.put(bytes).await;
    let report = backup.restore(&manifest, &target, |_| None).await.unwrap();
    assert_eq!(report.tables, 1);

    // As if it had been stopped before its last two files.
    std::fs::remove_file(database).unwrap();
    let below = file.path.strip_prefix("warehouse/lake/").unwrap();
    let lake = crate::lake::Lake::open(&target.root, target.lake.as_deref()).unwrap();
    lake.remove(&[lake.base().join(below)]).await.unwrap();
    let report = backup.restore(&manifest, &target, |_| None).await.unwrap();
    assert_eq!(report.files_there, report.files - 2, "{report:?}");
}

#[rstest]
#[tokio::test]
async fn damage_is_never_backed_up_nor_restored(#[values(Folder, S3)] place: Place) {
    let (fixture, [_, release]) = two_releases(place).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_store(folder.path(), place);
    let newest = fixture.snapshot().await;
    fixture.flip_a_byte(&newest.files[0].path).await;
    let failed = fixture.warehouse.backup(&backup, &release, Vec::new());
    let error = failed.await.unwrap_err();
    assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
    assert!(backup.names().await.unwrap().is_empty());
    fixture.flip_a_byte(&newest.files[0].path).await;
    let made = fixture.warehouse.backup(&backup, &release, Vec::new());
    let made = made.await.unwrap();

    // A file of the warehouse is restored from it, byte for byte.
    fixture.put(&newest.files[0].path, "PAR1").await;
    let report = fixture.warehouse.verify(None).await.unwrap();
    let repaired = fixture.warehouse.repair(&report, Some(&backup)).await;
    assert_eq!(repaired.unwrap().restored, [newest.files[0].path.clone()]);
    let report = fixture.warehouse.verify(None).await.unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);

    let manifest = backup.manifest(None).await.unwrap();
    let object = Object(&backup, backup.object(&manifest.files[0].sha256));
    object.flip_a_byte().await;
    let error = restore(&backup, &config(&folder.path().join("r"), place)).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let manifest = backup.manifests().join(format!("{}.json", made.name));
    Object(&backup, manifest).flip_a_byte().await;
    let error = backup.manifest(None).await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert!(backup.manifest(Some("none")).await.is_err());
}

#[rstest]
#[tokio::test]
async fn manifest_that_leads_out_of_the_folder_is_refused(#[values(Folder, S3)] place: Place) {
    let (fixture, [_, release]) = two_releases(place).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_store(folder.path(), place);
    let made = fixture.warehouse.backup(&backup, &release, Vec::new());
    made.await.unwrap();
    for path in ["warehouse/../../x", "/etc/x", "elsewhere/x"] {
        let mut manifest = backup.manifest(None).await.unwrap();
        manifest.files[0].path = path.to_owned();
        let target = config(&folder.path().join("r"), place);
        let error = backup.restore(&manifest, &target, |_| None).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("leads elsewhere"), "{error}");
        assert!(!target.root.exists());
    }
    let error = BackupStore::open("ftp://host/x").unwrap_err();
    assert!(error.to_string().contains("file://"), "{error}");
}

#[rstest]
#[tokio::test]
async fn lost_state_database_comes_back_from_its_copy_and_the_logs(
    #[values(Folder, S3)] place: Place,
) {
    let (fixture, releases) = two_releases(place).await;
    fixture.warehouse.memo_put("a", "b", "c").await.unwrap();
    let release = released(&fixture, 0).await;
    fixture.commit_each(CommitMode::Append, AUGUST, &[3]).await;
    fixture.warehouse.close().await;
    for damage in ["missing", "torn"] {
        let database = fixture.path("state/goyong.db");
        match damage {
            "missing" => std::fs::remove_file(&database).unwrap(),
            _ => std::fs::write(&database, "SQLite format 3").unwrap(),
        }
        let config = &fixture.config;
        let (report, warehouse) = Warehouse::verify_folder(config, None).await.unwrap();
        assert!(warehouse.is_none());
        assert_eq!(report.problems.len(), 1);
        assert_eq!(report.problems[0].path, database);
        let (_, copy) = Warehouse::rebuild_ledger(config).await.unwrap();
        assert!(copy.is_some());
        let warehouse = fixture.reopened().await.unwrap();
        let ids: Vec<String> = warehouse
            .releases()
            .await
            .unwrap()
            .into_iter()
            .map(|release| release.id)
            .collect();
        let expected = [&releases[0], &releases[1], &release].map(|release| release.id.clone());
        assert_eq!(ids, expected);
        let newest = warehouse.snapshot(&table()).await.unwrap().unwrap();
        assert_eq!((newest.version, newest.rows()), (2, 2));
        let memo = warehouse.memo_get("a", "b").await.unwrap();
        assert_eq!(memo.as_deref(), Some("c"));
        warehouse.close().await;
    }
}
