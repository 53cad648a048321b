//! Other engines read what we write: the Delta library itself opens the tables.

use std::collections::BTreeSet;

use arrow_array::{
    BooleanArray, Decimal128Array, Float64Array, TimestampMicrosecondArray, cast::AsArray,
};
use deltalake_core::DeltaTableBuilder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::*;

/// The library opens the table's bytes in a folder.
async fn opened_by_the_library(fixture: &Fixture, folder: &Path) -> deltalake_core::DeltaTable {
    for file in fixture.table_files(&table()).await {
        let copy = folder.join(&file);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(copy, fixture.read(&fixture.in_table(&file)).await).unwrap();
    }
    let url = url::Url::from_directory_path(folder).unwrap();
    DeltaTableBuilder::from_url(url)
        .unwrap()
        .load()
        .await
        .unwrap()
}

fn everything() -> RecordBatch {
    let won = Decimal128Array::from(vec![Some(1), None, Some(900_719_925_474_099_312)])
        .with_precision_and_scale(18, 0)
        .unwrap();
    let wide = Decimal128Array::from(vec![-1, 5, 10i128.pow(27)])
        .with_precision_and_scale(28, 2)
        .unwrap();
    RecordBatch::try_from_iter_with_nullable([
        (
            "person_key",
            Arc::new(Int64Array::from(vec![3, 1, 2])) as ArrayRef,
            false,
        ),
        (
            "name",
            Arc::new(StringArray::from(vec![Some("다"), Some("가"), None])) as ArrayRef,
            true,
        ),
        ("won", Arc::new(won) as ArrayRef, true),
        ("wide", Arc::new(wide) as ArrayRef, true),
        (
            "rate",
            Arc::new(Float64Array::from(vec![0.25, 1e300, -2.0])) as ArrayRef,
            true,
        ),
        (
            "insured",
            Arc::new(BooleanArray::from(vec![true, false, true])) as ArrayRef,
            true,
        ),
        (
            "occurred_at",
            Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2])) as ArrayRef,
            true,
        ),
        ("month", month_column(&[19_936, 19_936, 19_936]), true),
    ])
    .unwrap()
}

#[rstest]
#[tokio::test]
async fn delta_library_sees_the_same_files_rows_and_columns(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let batch = everything();
    let options = WriteOptions {
        description: Some("Everything, once".to_owned()),
        column_descriptions: [("won".to_owned(), "Pay in won".to_owned())].into(),
        column_tags: [("person_key".to_owned(), vec!["pseudonym".to_owned()])].into(),
        ..options()
    };
    for mode in [CommitMode::Append, CommitMode::ReplaceAll] {
        let mut writer = fixture
            .warehouse
            .writer(&table(), batch.schema(), options.clone())
            .await
            .unwrap();
        writer.write(Some("2024-08-01"), &batch).unwrap();
        writer
            .write(
                None,
                &batch.slice(0, 1).project(&[0, 1, 2, 3, 4, 5, 6]).unwrap(),
            )
            .unwrap();
        writer.commit(mode, CommitDetails::default()).await.unwrap();
    }
    let ours = fixture.snapshot().await;
    let folder = tempfile::tempdir().unwrap();
    let theirs = opened_by_the_library(&fixture, folder.path()).await;
    assert_eq!(theirs.version(), Some(1));
    let state = theirs.snapshot().unwrap();
    assert_eq!(state.metadata().partition_columns(), &["month"]);
    assert_eq!(state.metadata().description(), Some("Everything, once"));
    let our_files: BTreeSet<_> = ours
        .files
        .iter()
        .map(|file| file.path.strip_prefix(fixture.in_table("")).unwrap())
        .map(|path| folder.path().join(path).display().to_string())
        .collect();
    let their_files: BTreeSet<_> = theirs
        .get_file_uris()
        .unwrap()
        .map(|uri| uri.trim_start_matches("file://").to_owned())
        .collect();
    assert_eq!(our_files, their_files);
    assert_eq!(rows_in_statistics(&fixture, 1).await, 4);
    let schema = state.schema();
    let field = schema.field("won").unwrap();
    assert_eq!(field.data_type().to_string(), "decimal(18,0)");
    assert_eq!(
        field.metadata().get("comment").map(ToString::to_string),
        Some("Pay in won".to_owned())
    );
    assert_eq!(ours.columns["person_key"].tags, ["pseudonym".to_owned()]);
    assert_eq!(ours.schema.field(7).name(), "month");
}

async fn rows_in_statistics(fixture: &Fixture, version: i64) -> i64 {
    added(fixture, version)
        .await
        .iter()
        .map(|add| statistics(add)["numRecords"].as_i64().unwrap())
        .sum()
}

async fn added(fixture: &Fixture, version: i64) -> Vec<Value> {
    let entry = fixture.read(&fixture.log_entry(version)).await;
    String::from_utf8(entry)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|action| action.get("add").cloned())
        .collect()
}

fn statistics(add: &Value) -> Value {
    serde_json::from_str(add["stats"].as_str().unwrap()).unwrap()
}

#[rstest]
#[tokio::test]
async fn file_statistics_are_exact(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let batch = everything();
    let mut writer = fixture
        .warehouse
        .writer(
            &table(),
            batch.schema(),
            WriteOptions {
                row_group_rows: 1,
                ..options()
            },
        )
        .await
        .unwrap();
    writer.write(Some("2024-08-01"), &batch).unwrap();
    writer
        .commit(CommitMode::Append, CommitDetails::default())
        .await
        .unwrap();
    let add = &added(&fixture, 0).await[0];
    assert_eq!(add["partitionValues"]["month"], "2024-08-01");
    let text = add["stats"].as_str().unwrap();
    assert!(text.contains("\"won\":900719925474099312"), "{text}");
    let found = statistics(add);
    // The log outlives a forgotten person's rows.
    assert!(found["minValues"].get("person_key").is_none());
    assert!(found["maxValues"].get("person_key").is_none());
    assert_eq!(found["nullCount"]["person_key"], 0);
    assert_eq!(found["minValues"]["name"], "가");
    assert_eq!(found["nullCount"]["name"], 1);
    assert_eq!(found["nullCount"]["won"], 1);
    assert_eq!(found["minValues"]["wide"].to_string(), "-0.01");
    assert_eq!(
        found["maxValues"]["occurred_at"],
        "1970-01-01T00:00:00.000002"
    );
    assert!(found["minValues"].get("month").is_none());
}

#[rstest]
#[tokio::test]
async fn plain_table_needs_only_the_first_protocol(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    fixture
        .write(CommitMode::ReplaceAll, &[("2024-08-01", &[1])])
        .await
        .unwrap();
    let log = fixture.read(&fixture.log_entry(0)).await;
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}"),
        "{log}"
    );
}

#[rstest]
#[tokio::test]
async fn rows_read_back_are_the_rows_written(#[values(Folder, S3)] place: Place) {
    let fixture = Fixture::new(place).await;
    let batch = everything();
    let mut writer = fixture
        .warehouse
        .writer(&table(), batch.schema(), options())
        .await
        .unwrap();
    writer.write(Some("2024-08-01"), &batch).unwrap();
    writer
        .commit(CommitMode::ReplaceAll, CommitDetails::default())
        .await
        .unwrap();
    let snapshot = fixture.snapshot().await;
    let read = read_back(&fixture, &snapshot);
    assert_eq!(read.num_columns(), 7);
    for column in read.schema().fields() {
        let name = column.name();
        assert_eq!(
            read.column_by_name(name).unwrap(),
            batch.column_by_name(name).unwrap(),
            "{name}"
        );
        assert_eq!(
            snapshot.schema.field_with_name(name).unwrap().data_type(),
            column.data_type(),
            "{name}"
        );
    }
    assert_eq!(read.column(1).as_string::<i32>().value(0), "다");
}

fn read_back(fixture: &Fixture, snapshot: &TableSnapshot) -> RecordBatch {
    let file = fixture.warehouse.open_file(&snapshot.files[0].path);
    let file = file.unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    reader.next().unwrap().unwrap()
}
