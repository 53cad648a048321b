//! A small night on a store that fails: whatever happens at whichever operation, the night after the restart ends as
//! one that nothing happened to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chrono::NaiveDate;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, UploadPart,
};

use super::*;
use crate::ReleaseRequest;

const AUGUST: &str = "2024-08-01";
const SEPTEMBER: &str = "2024-09-01";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operation does nothing and fails.
    FailBefore,
    /// It does its work, and the answer is lost.
    LoseResponse,
    /// Half of the bytes are stored under the name, and it fails: what a store without atomic puts does.
    Tear,
    /// No space is left from here on.
    Full,
    /// Nothing answers from here on.
    Die,
    /// Conditions of puts are not looked at: what a store without conditional puts does.
    IgnoreConditions,
    /// Every put is done twice, as by a client below that tries again by itself.
    PutTwice,
}

const FAULTS: [Fault; 5] = [
    Fault::FailBefore,
    Fault::LoseResponse,
    Fault::Tear,
    Fault::Full,
    Fault::Die,
];

/// Does what it is told to its `at`th operation that stores something, from 1.
#[derive(Debug)]
pub(super) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    at: u64,
    begun: Arc<AtomicU64>,
    /// Uploads in parts that were begun, and those that were given up.
    pub(super) uploads: Arc<[AtomicU64; 2]>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a store with {:?} at {}", self.fault, self.at)
    }
}

impl FaultyStore {
    pub(super) fn new(fixture: &Fixture, fault: Fault, at: u64) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(fixture.warehouse.lake().store()),
            fault,
            at,
            begun: Arc::default(),
            uploads: Arc::default(),
        })
    }

    /// The fault of the operation that begins now.
    fn next(&self, is_write: bool) -> Option<Fault> {
        let number = match is_write {
            true => self.begun.fetch_add(1, Ordering::SeqCst) + 1,
            // What is read after a death is not answered either.
            false => self.begun.load(Ordering::SeqCst),
        };
        let lasts = match self.fault {
            Fault::Die => true,
            Fault::Full | Fault::PutTwice | Fault::IgnoreConditions => is_write,
            _ => false,
        };
        ((is_write && number == self.at) || (lasts && number >= self.at)).then_some(self.fault)
    }

    fn error(&self) -> Error {
        Error::Generic {
            store: "faulty",
            source: format!("{:?}", self.fault).into(),
        }
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        match self.next(true) {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::LoseResponse) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(self.error())
            }
            Some(Fault::Tear) => {
                let bytes: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
                let half = Bytes::from(bytes[..bytes.len() / 2].to_vec());
                self.inner.put_opts(location, half.into(), options).await?;
                Err(self.error())
            }
            Some(Fault::IgnoreConditions) => {
                let options = PutOptions::default();
                self.inner.put_opts(location, payload, options).await
            }
            Some(Fault::PutTwice) => {
                let (again, same) = (payload.clone(), options.clone());
                self.inner.put_opts(location, payload, options).await?;
                self.inner.put_opts(location, again, same).await
            }
            Some(_) => Err(self.error()),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        if self.next(true).is_some() {
            return Err(self.error());
        }
        let inner = self.inner.put_multipart_opts(location, options).await?;
        self.uploads[0].fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FaultyUpload {
            inner,
            store: Self {
                inner: Arc::clone(&self.inner),
                begun: Arc::clone(&self.begun),
                uploads: Arc::clone(&self.uploads),
                ..*self
            },
        }))
    }

    async fn get_opts(
        &self,
        location: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        match self.next(false) {
            None => self.inner.get_opts(location, options).await,
            Some(_) => Err(self.error()),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.next(false) {
            None => self.inner.list(prefix),
            Some(_) => futures::stream::iter([Err(self.error())]).boxed(),
        }
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        match self.next(false) {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(_) => Err(self.error()),
        }
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// An upload whose parts and completion count as operations.
#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.store.next(true) {
            None => self.inner.put_part(data),
            Some(_) => {
                let error = self.store.error();
                Box::pin(async { Err(error) })
            }
        }
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        match self.store.next(true) {
            None => self.inner.complete().await,
            Some(_) => Err(self.store.error()),
        }
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.store.uploads[1].fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

/// How rows are committed, and the rows of each partition.
type Step = (CommitMode, &'static [(&'static str, &'static [i64])]);

/// The steps of the night: each names its transaction, is skipped where that is committed, and depends on the last.
async fn night(warehouse: &Warehouse) -> crate::Result<()> {
    let steps: [Step; 4] = [
        (CommitMode::ReplaceAll, &[(AUGUST, &[1, 2])]),
        (CommitMode::Append, &[(AUGUST, &[3]), (SEPTEMBER, &[4])]),
        (
            CommitMode::ReplacePartitions(vec![some(SEPTEMBER)]),
            &[(SEPTEMBER, &[5, 6])],
        ),
        (CommitMode::Append, &[(AUGUST, &[7])]),
    ];
    for (number, (mode, rows)) in steps.into_iter().enumerate() {
        let application = format!("night/2024-09-30/step {number}/fingerprint");
        let known = warehouse
            .application_version(&table(), &application)
            .await?;
        if known.is_some() {
            continue;
        }
        let details = CommitDetails {
            application: Some((application, 1)),
            ..CommitDetails::default()
        };
        write_to(warehouse, mode, rows, details).await?;
    }
    let newest = warehouse.snapshot(&table()).await?.unwrap();
    let request = ReleaseRequest {
        business_date: NaiveDate::from_ymd_opt(2024, 9, 30).unwrap(),
        tables: vec![(table(), newest.version)],
        ..ReleaseRequest::default()
    };
    warehouse.publish(request).await.map(|_| ())
}

/// Everything that is the same in two nights: versions, rows, hashes, transactions, releases.
async fn facts(warehouse: &Warehouse) -> Vec<String> {
    let mut facts = Vec::new();
    for commit in warehouse
        .ledger()
        .commits(&table(), i64::MAX)
        .await
        .unwrap()
    {
        let version = commit.version;
        let snapshot = warehouse.snapshot_at(&table(), version).await.unwrap();
        let transaction = warehouse.transaction_of(&table(), version).await.unwrap();
        facts.push(format!(
            "{version} {} {transaction:?}",
            snapshot.unwrap().content_hash()
        ));
    }
    for release in warehouse.releases().await.unwrap() {
        facts.push(format!("{} {}", release.id, release.content_hash));
    }
    facts
}

/// A night with one fault, a restart, and the night again. Answers what the first attempt ended with.
async fn night_with(
    place: Place,
    fault: Fault,
    at: u64,
    clean: &[String],
) -> (crate::Result<()>, u64) {
    let fixture = Fixture::new(place).await;
    let store = FaultyStore::new(&fixture, fault, at);
    let first = night(&fixture.warehouse.with_store(store.clone())).await;
    let config = &fixture.config;
    let (report, warehouse) = Warehouse::verify_folder(config, None).await.unwrap();
    let warehouse = warehouse.unwrap();
    if !report.problems.is_empty() {
        // Only bytes that the store itself tore need a repair.
        assert_eq!(fault, Fault::Tear, "{:?}", report.problems);
        let repaired = warehouse.repair(&report, None).await.unwrap();
        assert!(repaired.left.is_empty(), "{:?}", repaired.left);
    }
    let restarted = fixture.reopened().await.unwrap();
    night(&restarted).await.unwrap();
    assert_eq!(facts(&restarted).await, clean, "{fault:?} at {at}");
    let verified = restarted.verify(None).await.unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    (first, store.begun.load(Ordering::SeqCst))
}

async fn clean_facts(place: Place) -> Vec<String> {
    let fixture = Fixture::new(place).await;
    night(&fixture.warehouse).await.unwrap();
    let clean = facts(&fixture.warehouse).await;
    assert_eq!(clean.len(), 5, "{clean:?}");
    clean
}

#[rstest]
#[tokio::test]
async fn night_with_any_fault_at_any_operation_ends_as_a_clean_one(
    #[values(Folder, S3)] place: Place,
) {
    let clean = clean_facts(place).await;
    for fault in FAULTS {
        let mut at = 1;
        loop {
            let (first, begun) = night_with(place, fault, at, &clean).await;
            if begun < at {
                // In an object store the data files are puts as well.
                let fewest = if place == S3 { 8 } else { 4 };
                assert!(
                    first.is_ok() && at > fewest,
                    "{fault:?} met {at} operations"
                );
                break;
            }
            at += 1;
        }
    }
}

/// The commit is there although the store said that it failed: nobody needs to start again.
#[rstest]
#[tokio::test]
async fn lost_response_is_resolved_by_looking_up(#[values(Folder, S3)] place: Place) {
    let clean = clean_facts(place).await;
    let (first, _) = night_with(place, Fault::LoseResponse, 2, &clean).await;
    first.unwrap();
}

/// A client below that tries again by itself meets its own entry.
#[rstest]
#[tokio::test]
async fn own_entry_met_by_a_second_attempt_is_no_conflict(#[values(Folder, S3)] place: Place) {
    let clean = clean_facts(place).await;
    let fixture = Fixture::new(place).await;
    let store = FaultyStore::new(&fixture, Fault::PutTwice, 1);
    night(&fixture.warehouse.with_store(store)).await.unwrap();
    assert_eq!(facts(&fixture.warehouse).await, clean);
}

/// Seeded: several nights in a row, each with a fault somewhere, each of another kind.
#[rstest]
#[tokio::test]
async fn seeded_faults_one_after_another_end_as_a_clean_night(#[values(Folder, S3)] place: Place) {
    let seed: u64 = std::env::var("GOYONG_FAULT_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_240_930);
    println!("GOYONG_FAULT_SEED={seed}");
    let clean = clean_facts(place).await;
    let mut state = seed;
    let mut draw = |below: u64| {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    };
    for _ in 0..8 {
        let fixture = Fixture::new(place).await;
        for _ in 0..4 {
            let fault = FAULTS[draw(5) as usize];
            let store = FaultyStore::new(&fixture, fault, draw(6) + 1);
            let warehouse = fixture.warehouse.with_store(store);
            if night(&warehouse).await.is_ok() {
                break;
            }
            let (report, opened) = Warehouse::verify_folder(&fixture.config, None)
                .await
                .unwrap();
            opened.unwrap().repair(&report, None).await.unwrap();
        }
        night(&fixture.warehouse).await.unwrap();
        assert_eq!(facts(&fixture.warehouse).await, clean, "seed {seed}");
    }
}

#[rstest]
#[tokio::test]
async fn step_run_twice_commits_once(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let details = |fingerprint: &str| CommitDetails {
        application: Some((format!("build/2024-09-30/{fingerprint}"), 1)),
        ..CommitDetails::default()
    };
    let write = async |mode: CommitMode, keys: &[i64], fingerprint: &str| {
        let rows = [(AUGUST, keys)];
        write_to(&fixture.warehouse, mode, &rows, details(fingerprint))
            .await
            .unwrap()
            .version
    };
    assert_eq!(write(CommitMode::ReplaceAll, &[1], "a").await, 0);
    assert_eq!(write(CommitMode::ReplaceAll, &[1], "a").await, 0);
    let files = fixture.table_files(&table()).await;
    assert_eq!(
        files.len(),
        2,
        "what was written in vain is gone: {files:?}"
    );
    // The same transaction with other rows is a repair, not a repetition.
    assert_eq!(write(CommitMode::ReplaceAll, &[2], "a").await, 1);
    assert_eq!(write(CommitMode::Append, &[3], "b").await, 2);
    assert_eq!(write(CommitMode::Append, &[3], "b").await, 2);
    // Back to what was once: the newest commit is another one.
    assert_eq!(write(CommitMode::ReplaceAll, &[1], "a").await, 3);
    assert!(
        fixture
            .warehouse
            .verify(None)
            .await
            .unwrap()
            .orphans
            .is_empty()
    );
}

#[tokio::test]
async fn failed_sync_of_the_directory_is_never_taken_for_success() {
    let error = std::io::Error::from_raw_os_error(5);
    let generic = Error::Generic {
        store: "durable local file system",
        source: Box::new(crate::durable::SyncFailed::wrap(error)),
    };
    assert!(crate::durable::SyncFailed::caused(&generic));
    let other = Error::Generic {
        store: "durable local file system",
        source: Box::new(std::io::Error::from_raw_os_error(5)),
    };
    assert!(!crate::durable::SyncFailed::caused(&other));
}
