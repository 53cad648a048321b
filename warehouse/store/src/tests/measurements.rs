//! Limits on speed, with room for a busy machine; `--nocapture` prints the figures.

use std::time::Instant;

use arrow_array::{Decimal128Array, Int32Array};

use super::*;
use crate::content_hash::RowHasher;

/// Ten columns as a typical history table has them.
fn wide(rows: i64) -> RecordBatch {
    let mix = |row: i64, factor: i64| (row * factor) % 1_000_003;
    let integers = |factor: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            (0..rows).map(|row| mix(row, factor)),
        ))
    };
    let dates = |factor: i64| -> ArrayRef {
        Arc::new(Date32Array::from_iter((0..rows).map(|row| {
            (row % 5 != 0).then(|| i32::try_from(18_000 + mix(row, factor) % 2000).unwrap())
        })))
    };
    let text = |factor: i64, values: i64| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            (0..rows).map(|row| format!("{:05}", mix(row, factor) % values)),
        ))
    };
    let won = Decimal128Array::from_iter_values(
        (0..rows).map(|row| i128::from(2_000_000 + mix(row, 31) * 1000)),
    )
    .with_precision_and_scale(18, 0)
    .unwrap();
    RecordBatch::try_from_iter_with_nullable([
        ("person_key", integers(7919), false),
        ("workplace_no", text(104_729, 100_000), true),
        ("acquired_on", dates(17), true),
        ("lost_on", dates(19), true),
        ("loss_reason", text(23, 20), true),
        ("monthly_wage_won", Arc::new(won) as ArrayRef, true),
        (
            "weekly_hours",
            Arc::new(Int32Array::from_iter_values(
                (0..rows).map(|row| i32::try_from(15 + row % 30).unwrap()),
            )) as ArrayRef,
            true,
        ),
        ("occupation", text(29, 300), true),
        ("contract_kind", text(37, 3), true),
        ("row_number", integers(1), true),
    ])
    .unwrap()
}

#[test]
fn hashing_a_row_takes_well_under_a_microsecond() {
    let batch = wide(8192);
    let mut hasher = RowHasher::new(&batch.schema());
    let rounds = 60;
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                std::hint::black_box(hasher.hash(&batch));
            }
            start.elapsed().as_nanos() / (rounds * 8192)
        })
        .min()
        .unwrap();
    println!("hashing: {best} ns per row of 10 columns");
    if !cfg!(debug_assertions) {
        assert!(best < 600, "{best} ns per row");
    }
}

#[tokio::test]
async fn writing_reports_its_rate() {
    let fixture = Fixture::new().await;
    let batch = wide(8192);
    for background in [false, true] {
        let name: TableName = "core.measured".parse().unwrap();
        let mut writer = fixture
            .warehouse
            .writer(
                &name,
                batch.schema(),
                WriteOptions {
                    background,
                    ..WriteOptions::default()
                },
            )
            .await
            .unwrap();
        let batches = if cfg!(debug_assertions) { 4 } else { 120 };
        let start = Instant::now();
        for _ in 0..batches {
            writer.write(None, &batch).unwrap();
        }
        let receipt = writer
            .commit(CommitMode::ReplaceAll, CommitDetails::default())
            .await
            .unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let memory = (batch.get_array_memory_size() * batches) as f64 / 1e6;
        println!(
            "writing (background {background}): {:.2} M rows/s, {:.0} MB/s of Arrow, {} bytes",
            receipt.rows as f64 / seconds / 1e6,
            memory / seconds,
            receipt.bytes_added
        );
        assert_eq!(receipt.rows, 8192 * batches as u64);
    }
}

#[tokio::test]
async fn snapshots_of_a_hundred_tables_come_fast() {
    let fixture = Fixture::new().await;
    let months: Vec<String> = (1..=12)
        .map(|month| format!("2024-{month:02}-01"))
        .collect();
    let names: Vec<TableName> = (0..100)
        .map(|number| TableName::new("core", &format!("table_{number}")).unwrap())
        .collect();
    let start = Instant::now();
    for name in &names {
        let options = WriteOptions {
            background: false,
            ..options()
        };
        let mut writer = fixture
            .warehouse
            .writer(name, schema(), options)
            .await
            .unwrap();
        for month in &months {
            writer.write(Some(month), &rows(&[1])).unwrap();
        }
        writer
            .commit(CommitMode::ReplaceAll, CommitDetails::default())
            .await
            .unwrap();
    }
    println!("100 commits of 12 files: {:?}", start.elapsed());
    let start = Instant::now();
    let again = fixture.reopened().await.unwrap();
    let opened = start.elapsed();
    for name in &names {
        let snapshot = again.snapshot(name).await.unwrap().unwrap();
        assert_eq!(snapshot.files.len(), 12);
    }
    println!(
        "open: {opened:?}, with 100 snapshots: {:?}",
        start.elapsed()
    );
}
