//! What a commit does to a table.

use super::*;
use crate::StoreError;

const AUGUST: &str = "2024-08-01";
const SEPTEMBER: &str = "2024-09-01";

#[rstest]
#[tokio::test]
async fn same_rows_in_other_order_and_files_have_the_same_hash(#[values(Folder, S3)] place: Place) {
    let (first, second) = (Fixture::new(place).await, Fixture::new(place).await);
    let keys: Vec<i64> = (0..5000).collect();
    let backwards: Vec<i64> = keys.iter().rev().copied().collect();
    let plain = first
        .write(CommitMode::ReplaceAll, &[(AUGUST, &keys)])
        .await
        .unwrap();
    let small_files = WriteOptions {
        rows_per_file: 700,
        row_group_rows: 64,
        compression_level: 3,
        background: false,
        ..options()
    };
    let mut writer = second
        .warehouse
        .writer(&table(), schema(), small_files)
        .await
        .unwrap();
    for chunk in backwards.chunks(333) {
        writer.write(Some(AUGUST), &rows(chunk)).unwrap();
    }
    let rolled = writer
        .commit(CommitMode::Append, CommitDetails::default())
        .await
        .unwrap();
    assert_eq!(plain.files_added, 1);
    assert_eq!(rolled.files_added, 8);
    assert_eq!(plain.content_hash, rolled.content_hash);
}

#[rstest]
#[tokio::test]
async fn files_end_between_keys_that_are_kept_together(#[values(Folder, S3)] place: Place) {
    for chunk in [1, 2, 3, 10] {
        let fixture = Fixture::new(place).await;
        let by_key = WriteOptions {
            rows_per_file: 2,
            keep_together: some("person_key"),
            ..options()
        };
        let mut writer = fixture
            .warehouse
            .writer(&table(), schema(), by_key)
            .await
            .unwrap();
        for keys in [1, 1, 1, 2, 2, 3, 3, 3, 3, 4].chunks(chunk) {
            writer.write(Some(AUGUST), &rows(keys)).unwrap();
        }
        writer
            .commit(CommitMode::ReplaceAll, CommitDetails::default())
            .await
            .unwrap();
        let snapshot = fixture.snapshot().await;
        let mut sizes: Vec<(String, u64)> = snapshot
            .files
            .iter()
            .map(|file| (file.path.display().to_string(), file.rows))
            .collect();
        sizes.sort();
        let sizes: Vec<u64> = sizes.into_iter().map(|(_, rows)| rows).collect();
        assert_eq!(sizes, [3, 2, 4, 1], "batches of {chunk}");
    }
}

#[rstest]
#[tokio::test]
async fn appends_add_up_to_the_hash_of_one_write(#[values(Folder, S3)] place: Place) {
    let (pieces, whole) = (Fixture::new(place).await, Fixture::new(place).await);
    pieces
        .write(CommitMode::Append, &[(AUGUST, &[1, 2])])
        .await
        .unwrap();
    let last = pieces
        .write(CommitMode::Append, &[(SEPTEMBER, &[4]), (AUGUST, &[3])])
        .await
        .unwrap();
    let at_once = whole
        .write(
            CommitMode::ReplaceAll,
            &[(AUGUST, &[1, 2, 3]), (SEPTEMBER, &[4])],
        )
        .await
        .unwrap();
    assert_eq!((last.version, last.rows), (1, 4));
    assert_eq!(last.content_hash, at_once.content_hash);
}

#[rstest]
#[tokio::test]
async fn replaced_partitions_change_and_others_stay(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture
        .write(
            CommitMode::ReplaceAll,
            &[(AUGUST, &[1, 2]), (SEPTEMBER, &[3])],
        )
        .await
        .unwrap();
    let before = fixture.snapshot().await;
    let receipt = fixture
        .write(
            CommitMode::ReplacePartitions(vec![some(AUGUST), some("2024-10-01")]),
            &[(AUGUST, &[7])],
        )
        .await
        .unwrap();
    assert_eq!((receipt.files_removed, receipt.files_added), (1, 1));
    let after = fixture.snapshot().await;
    assert_eq!(
        after.partitions[&some(SEPTEMBER)],
        before.partitions[&some(SEPTEMBER)]
    );
    assert_eq!(after.partitions[&some(AUGUST)].rows, 1);
    assert_eq!(after.partitions[&some("2024-10-01")].rows, 0);
    assert_eq!(after.rows(), 2);
    assert_eq!(after.files_of(Some(SEPTEMBER)).count(), 1);

    let old = fixture
        .warehouse
        .snapshot_at(&table(), 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(old.files, before.files);
    assert_eq!(old.content_hash(), before.content_hash());
}

#[rstest]
#[tokio::test]
async fn built_but_empty_partition_does_not_change_the_table_hash(
    #[values(Folder, S3)] place: Place,
) {
    let (with, without) = (Fixture::new(place).await, Fixture::new(place).await);
    let first = with
        .write(
            CommitMode::ReplacePartitions(vec![some(AUGUST), some(SEPTEMBER)]),
            &[(AUGUST, &[1])],
        )
        .await
        .unwrap();
    let second = without
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1])])
        .await
        .unwrap();
    assert_eq!(first.content_hash, second.content_hash);
}

#[rstest]
#[tokio::test]
async fn replace_all_drops_partitions_that_are_not_written(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture
        .write(CommitMode::ReplaceAll, &[(AUGUST, &[1]), (SEPTEMBER, &[2])])
        .await
        .unwrap();
    fixture
        .commit_each(CommitMode::ReplaceAll, SEPTEMBER, &[5])
        .await;
    let snapshot = fixture.snapshot().await;
    assert_eq!(
        snapshot.partitions.keys().cloned().collect::<Vec<_>>(),
        [some(SEPTEMBER)]
    );
    assert_eq!(snapshot.files.len(), 1);
}

#[rstest]
#[tokio::test]
async fn fingerprints_live_as_long_as_the_rows_they_describe(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let details = |fingerprints: &[(&str, &str)]| CommitDetails {
        fingerprints: fingerprints
            .iter()
            .map(|(partition, text)| (some(partition), (*text).to_owned()))
            .collect(),
        ..CommitDetails::default()
    };
    let replace = |partition: &str| CommitMode::ReplacePartitions(vec![some(partition)]);
    let warehouse = &fixture.warehouse;
    write_to(
        warehouse,
        replace(AUGUST),
        &[(AUGUST, &[1])],
        details(&[(AUGUST, "one")]),
    )
    .await
    .unwrap();
    // Another partition is built: the first keeps its fingerprint. An empty one has one too.
    write_to(
        warehouse,
        replace(SEPTEMBER),
        &[],
        details(&[(SEPTEMBER, "two")]),
    )
    .await
    .unwrap();
    let snapshot = warehouse.snapshot(&table()).await.unwrap().unwrap();
    let fingerprint = |partition: &str| snapshot.partitions[&some(partition)].fingerprint.clone();
    assert_eq!(fingerprint(AUGUST).as_deref(), Some("one"));
    assert_eq!(fingerprint(SEPTEMBER).as_deref(), Some("two"));
    // Rows are appended without a word: what was said of the old rows no longer holds.
    write_to(
        warehouse,
        CommitMode::Append,
        &[(AUGUST, &[2])],
        details(&[]),
    )
    .await
    .unwrap();
    let snapshot = warehouse.snapshot(&table()).await.unwrap().unwrap();
    assert_eq!(snapshot.partitions[&some(AUGUST)].fingerprint, None);
    assert_eq!(snapshot.partitions[&some(AUGUST)].rows, 2);
}

#[rstest]
#[tokio::test]
async fn second_of_two_writers_gets_a_retryable_conflict_and_leaves_no_files(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[1])
        .await;
    let mut slow = fixture.writer().await;
    slow.write(Some(AUGUST), &rows(&[9])).unwrap();
    fixture.commit_each(CommitMode::Append, AUGUST, &[2]).await;
    let before = fixture.table_files(&table()).await;
    let error = slow
        .commit(CommitMode::Append, CommitDetails::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict { expected: 0, .. }),
        "{error}"
    );
    assert!(error.is_retryable());
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.rows(), 2);
    let after = fixture.table_files(&table()).await;
    assert!(after.len() <= before.len(), "{after:?}");
}

#[rstest]
#[tokio::test]
async fn dropped_writer_leaves_no_file(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let mut writer = fixture.writer().await;
    writer.write(Some(AUGUST), &rows(&[1, 2, 3])).unwrap();
    writer.abort();
    assert_eq!(fixture.table_files(&table()).await, Vec::<String>::new());
    assert!(
        fixture
            .warehouse
            .snapshot(&table())
            .await
            .unwrap()
            .is_none()
    );
}

#[rstest]
#[tokio::test]
async fn application_version_is_found_again(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let details = |version| CommitDetails {
        application: Some(("build core.person_month".to_owned(), version)),
        ..CommitDetails::default()
    };
    let name = table();
    let lookup = || {
        fixture
            .warehouse
            .application_version(&name, "build core.person_month")
    };
    assert_eq!(lookup().await.unwrap(), None);
    for version in [20_240_801, 20_240_802] {
        write_to(
            &fixture.warehouse,
            CommitMode::Append,
            &[(AUGUST, &[version])],
            details(version),
        )
        .await
        .unwrap();
    }
    assert_eq!(lookup().await.unwrap(), Some(20_240_802));
}

#[rstest]
#[tokio::test]
async fn changed_columns_are_refused_unless_the_table_is_replaced(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[1])
        .await;
    let wider = Arc::new(Schema::new(vec![
        Field::new("month", DataType::Date32, false),
        Field::new("person_key", DataType::Int64, false),
    ]));
    let batch = rows(&[4]).project(&[0]).unwrap();
    let attempt = async |mode| {
        let mut writer = fixture
            .warehouse
            .writer(&table(), wider.clone(), options())
            .await
            .unwrap();
        writer.write(Some(AUGUST), &batch).unwrap();
        writer.commit(mode, CommitDetails::default()).await
    };
    let error = attempt(CommitMode::Append).await.unwrap_err();
    assert!(error.to_string().contains("`sector` is missing"), "{error}");
    attempt(CommitMode::ReplaceAll).await.unwrap();
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.schema.fields().len(), 2);
    let old = fixture
        .warehouse
        .snapshot_at(&table(), 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(old.schema.fields().len(), 3);
}

#[rstest]
#[tokio::test]
async fn wrong_partitions_and_batches_are_refused_by_name(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let mut writer = fixture.writer().await;
    for partition in ["", "2024-8-1", "august", "2024-08-01 00:00", "../x"] {
        let error = writer.write(Some(partition), &rows(&[1])).unwrap_err();
        assert!(
            matches!(error, StoreError::Partition { .. }),
            "{partition}: {error}"
        );
    }
    let mut columns: Vec<(&str, ArrayRef)> = vec![("month", month_column(&[19_936, 19_967]))];
    let keys = rows(&[1, 2]);
    columns.push(("person_key", keys.column(0).clone()));
    columns.push(("sector", keys.column(1).clone()));
    let two_months = RecordBatch::try_from_iter(columns).unwrap();
    let error = writer.write(Some(AUGUST), &two_months).unwrap_err();
    assert!(error.to_string().contains("another `month`"), "{error}");
    writer.write(Some(AUGUST), &two_months.slice(0, 1)).unwrap();

    let nulls = RecordBatch::try_from_iter([
        (
            "person_key",
            Arc::new(Int64Array::from(vec![None])) as ArrayRef,
        ),
        ("sector", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
    ])
    .unwrap();
    let error = writer.write(Some(AUGUST), &nulls).unwrap_err();
    assert!(error.to_string().contains("`person_key`"), "{error}");
    let error = writer
        .commit(
            CommitMode::ReplacePartitions(vec![]),
            CommitDetails::default(),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not among those"), "{error}");
}

#[rstest]
#[tokio::test]
async fn engine_types_are_stored_as_delta_types(#[values(Folder, S3)] place: Place) {
    use arrow_array::{DictionaryArray, StringViewArray, UInt64Array};
    let fixture = Fixture::new(place).await;
    let name: TableName = "marts.counts".parse().unwrap();
    let dictionary: DictionaryArray<arrow_array::types::Int32Type> =
        ["a", "b", "a"].into_iter().collect();
    let from_engine = RecordBatch::try_from_iter([
        ("n", Arc::new(UInt64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("code", Arc::new(dictionary) as ArrayRef),
        (
            "label",
            Arc::new(StringViewArray::from(vec!["x", "y", "z"])) as ArrayRef,
        ),
    ])
    .unwrap();
    let plain = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        (
            "code",
            Arc::new(StringArray::from(vec!["a", "b", "a"])) as ArrayRef,
        ),
        (
            "label",
            Arc::new(StringArray::from(vec!["x", "y", "z"])) as ArrayRef,
        ),
    ])
    .unwrap();
    let mut hashes = Vec::new();
    for batch in [from_engine, plain] {
        let mut writer = fixture
            .warehouse
            .writer(&name, batch.schema(), WriteOptions::default())
            .await
            .unwrap();
        writer.write(None, &batch).unwrap();
        let receipt = writer
            .commit(CommitMode::ReplaceAll, CommitDetails::default())
            .await
            .unwrap();
        hashes.push(receipt.content_hash);
    }
    assert_eq!(hashes[0], hashes[1]);
    let overflow = RecordBatch::try_from_iter([(
        "n",
        Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef,
    )])
    .unwrap();
    let mut writer = fixture
        .warehouse
        .writer(
            &"marts.wide".parse().unwrap(),
            overflow.schema(),
            WriteOptions::default(),
        )
        .await
        .unwrap();
    let error = writer.write(None, &overflow).unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
}

#[rstest]
#[tokio::test]
async fn hundreds_of_partitions_can_be_open_at_once(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let months: Vec<String> = (0..240)
        .map(|month| format!("{}-{:02}-01", 2000 + month / 12, month % 12 + 1))
        .collect();
    let mut writer = fixture.writer().await;
    for round in 0..3 {
        for month in &months {
            writer.write(Some(month), &rows(&[round])).unwrap();
        }
    }
    let receipt = writer
        .commit(CommitMode::ReplaceAll, CommitDetails::default())
        .await
        .unwrap();
    assert_eq!(receipt.rows, 720);
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.partitions.len(), 240);
}

#[rstest]
#[tokio::test]
async fn columns_that_may_be_null_stay_so_whatever_a_later_batch_promises(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    let name: TableName = "core.optional".parse().unwrap();
    let field = |nullable| {
        Arc::new(Schema::new(vec![Field::new(
            "a",
            DataType::Int64,
            nullable,
        )]))
    };
    let batch = |schema: &SchemaRef, value| {
        let column = Arc::new(Int64Array::from(vec![value])) as ArrayRef;
        RecordBatch::try_new(schema.clone(), vec![column]).unwrap()
    };
    for (nullable, value) in [(false, Some(1)), (true, None), (false, Some(2))] {
        let schema = field(nullable);
        let mut writer = fixture
            .warehouse
            .writer(&name, schema.clone(), WriteOptions::default())
            .await
            .unwrap();
        writer.write(None, &batch(&schema, value)).unwrap();
        writer
            .commit(CommitMode::Append, CommitDetails::default())
            .await
            .unwrap();
    }
    for (version, nullable) in [(0, false), (1, true), (2, true)] {
        let snapshot = fixture
            .warehouse
            .snapshot_at(&name, version)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(snapshot.schema.field(0).is_nullable(), nullable);
    }
}

/// The caller gives up waiting while the log entry is on its way: the files must outlive it.
#[rstest]
#[tokio::test]
async fn abandoned_commit_leaves_a_sound_table(#[values(Folder, S3)] place: Place) {
    for polls in 0..12 {
        let fixture = Fixture::new(place).await;
        let mut writer = fixture.writer().await;
        writer.write(Some(AUGUST), &rows(&[1, 2])).unwrap();
        let mut commit = Box::pin(writer.commit(CommitMode::ReplaceAll, CommitDetails::default()));
        for _ in 0..polls {
            let _ = futures::poll!(commit.as_mut());
            tokio::task::yield_now().await;
        }
        drop(commit);
        // The entry, if it was on its way, is written by a blocking task: opening anew sees it or not, but soundly.
        let again = fixture.reopened().await.unwrap();
        again.snapshot(&table()).await.unwrap();
        let report = again.verify(None).await.unwrap();
        let missing = report
            .problems
            .iter()
            .any(|problem| problem.damage == crate::Damage::Missing);
        assert!(!missing, "{:?}", report.problems);
    }
}

#[rstest]
#[tokio::test]
async fn descriptions_stay_when_a_later_writer_gives_none(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let described = WriteOptions {
        description: Some("Months of persons".to_owned()),
        column_tags: [("person_key".to_owned(), vec!["pseudonym".to_owned()])].into(),
        ..options()
    };
    for options in [described, options()] {
        let mut writer = fixture
            .warehouse
            .writer(&table(), schema(), options)
            .await
            .unwrap();
        writer.write(Some(AUGUST), &rows(&[1])).unwrap();
        writer
            .commit(CommitMode::Append, CommitDetails::default())
            .await
            .unwrap();
    }
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.description.as_deref(), Some("Months of persons"));
    assert_eq!(snapshot.columns["person_key"].tags, ["pseudonym"]);
    let second = fixture.read(&fixture.log_entry(1)).await;
    let second = String::from_utf8(second).unwrap();
    assert!(!second.contains("metaData"), "{second}");
}

#[rstest]
#[tokio::test]
async fn a_partitions_history_tells_from_which_version_it_held_what(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    let months: [(&str, &[i64]); 3] = [(AUGUST, &[1, 2]), (SEPTEMBER, &[3]), (AUGUST, &[1])];
    for (month, keys) in months {
        let mode = CommitMode::ReplacePartitions(vec![some(month)]);
        fixture.write(mode, &[(month, keys)]).await.unwrap();
    }
    let history = fixture.warehouse.partition_history(&table()).await.unwrap();
    let spans: Vec<(Option<&str>, i64, Option<i64>)> = history
        .iter()
        .map(|span| {
            (
                span.partition.as_deref(),
                span.from_version,
                span.until_version,
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            (Some(AUGUST), 0, Some(2)),
            (Some(AUGUST), 2, None),
            (Some(SEPTEMBER), 1, None),
        ]
    );
    assert!(history[0].holds_at(1) && !history[0].holds_at(2));
    assert!(history[1].holds_at(2) && history[1].holds_at(9));
    assert_ne!(history[0].content_hash, history[1].content_hash);
    let unknown = "core.unknown".parse().unwrap();
    assert!(
        fixture
            .warehouse
            .partition_history(&unknown)
            .await
            .unwrap()
            .is_empty()
    );
}
