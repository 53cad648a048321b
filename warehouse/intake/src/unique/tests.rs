#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;

use rstest::rstest;

use super::*;
use crate::chunks::ReadLimits;
use crate::delivery::Tally;
use crate::read::{DeliveredFile, read_files};
use crate::testing::{context, limits, plan, read_text, read_with};

const CONTRACT: &str = r#"
unique: [place, day]
control_totals: [won]
reject_threshold: 0.5
format: {kind: csv}
columns:
  - {name: place, type: code, nullable: true}
  - {name: day, type: date}
  - {name: won, type: won}
"#;

#[test]
fn later_rows_of_a_key_are_quarantined_with_the_row_of_the_first() {
    let outcome = read_text(
        &plan(CONTRACT),
        b"place,day,won\na,20240101,1\nb,20240101,2\na,20240101,3\nx,bad,9\na,20240102,4\na,20240101,5\n,20240101,6\n,20240101,7\n",
    )
    .unwrap();
    assert_eq!(outcome.csv(&["won"]), "1;2;4;6;7");
    assert_eq!(outcome.rules(), [DUPLICATE_KEY, "type", DUPLICATE_KEY]);
    assert_eq!(
        outcome.quarantined[0].raw_value.as_deref(),
        Some("place a, day 2024-01-01; first in row 1")
    );
    assert_eq!(outcome.quarantined[0].column, "place, day");
    assert_eq!(outcome.control[0].accepted, 20);
    assert_eq!(outcome.control[0].quarantined, 17);
}

/// Rows whose keys repeat with a period, some far apart.
fn repeating(rows: u32, different: u32) -> Vec<u8> {
    let mut text = b"place,day,won\n".to_vec();
    for row in 0..rows {
        writeln!(
            text,
            "p{},2024010{},1",
            row % different,
            row % different % 3 + 1
        )
        .unwrap();
    }
    text
}

#[rstest]
#[case(1, 100)]
#[case(1, 1 << 20)]
#[case(2, 100)]
#[case(2, 4096)]
fn outcome_is_the_same_for_any_threads_and_parts(#[case] threads: usize, #[case] part: usize) {
    let plan = plan(CONTRACT);
    let text = repeating(900, 700);
    let whole = read_text(&plan, &text).unwrap();
    let parts = read_with(&plan, &text, limits(threads, part)).unwrap();
    assert_eq!(whole.quarantined, parts.quarantined);
    assert_eq!(whole.csv(&["place"]), parts.csv(&["place"]));
    assert_eq!(whole.quarantined.len(), 200);
}

/// Reads with a small cap, twice when told to; returns what `deliver` would store.
fn read_spilling(plan: &Plan, text: &[u8], cap: usize) -> (Vec<(u64, String)>, u64, u32) {
    let (folder, _, context) = context();
    let path = folder.path().join("file");
    std::fs::write(&path, text).unwrap();
    let mut unique = UniqueKeys::new(plan, folder.path(), cap);
    for reading in 1.. {
        let mut tally = Tally::new(plan);
        let mut found = Vec::new();
        let reading_limits = ReadLimits {
            part_bytes: 200,
            ..limits(2, 200)
        };
        let files = vec![DeliveredFile {
            path: path.clone(),
            archive: None,
            earlier: None,
        }];
        let report = read_files(plan, files, &context, reading_limits, &mut |mut rows| {
            let before = tally.records;
            if let Some(unique) = &mut unique {
                unique.check(plan, None, &mut rows, before)?;
            }
            tally.add(&rows);
            for row in &rows.quarantined {
                let shown = row.raw_value.clone().unwrap_or_default();
                found.push((before + u64::from(row.record) + 1, shown));
            }
            Ok(())
        })
        .unwrap();
        match repeated_keys(plan, unique.take(), &report, &mut tally).unwrap() {
            Some(known) => unique = Some(UniqueKeys::with_known(known)),
            None => return (found, tally.quarantined, reading),
        }
    }
    unreachable!("a reading ends the loop")
}

#[rstest]
#[case::in_memory(1_000_000, 1)]
#[case::spilled_late(650, 2)]
#[case::spilled_before_any_repetition(100, 2)]
#[case::spilled_at_once(0, 2)]
fn spilling_finds_the_same_rows(#[case] cap: usize, #[case] readings: u32) {
    let plan = plan(CONTRACT);
    let text = repeating(900, 700);
    let (expected, count, _) = read_spilling(&plan, &text, usize::MAX);
    assert_eq!(count, 200);
    assert_eq!(
        read_spilling(&plan, &text, cap),
        (expected, count, readings)
    );
}

#[test]
fn spill_without_repetition_reads_once_and_leaves_no_file() {
    let plan = plan(CONTRACT);
    let (found, count, readings) = read_spilling(&plan, &repeating(300, 300), 10);
    assert_eq!((found.len(), count, readings), (0, 0, 1));
    let folder = tempfile::tempdir().unwrap();
    let mut buckets = Buckets::create(folder.path()).unwrap();
    buckets.put(1, 1).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn so_many_repetitions_that_the_delivery_is_refused_need_no_second_reading() {
    let plan = plan(CONTRACT);
    let (_, count, readings) = read_spilling(&plan, &repeating(900, 300), 10);
    assert_eq!((count, readings), (600, 1));
}

#[test]
fn rows_made_of_one_record_may_repeat_a_key_across_readings() {
    let contract = r#"
unique: [label]
reject_threshold: 0.9
unpivot: {columns: "^y(\\d)\\d$", name: label, value: won}
format: {kind: csv}
columns:
  - {name: label, type: code}
  - {name: won, type: won}
"#;
    let plan = plan(contract);
    let text = b"y11,y12,y20\n1,2,3\n4,5,6\n";
    let (expected, count, _) = read_spilling(&plan, text, usize::MAX);
    assert_eq!(count, 4);
    assert_eq!(read_spilling(&plan, text, 0), (expected, 4, 2));
}
