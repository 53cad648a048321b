//! For any generated delivery and any seeded corruption every record is accounted for, and every
//! accepted value is the one that stands in the file.
//!
//! What stands there is said by [`oracle`], which shares no code with the readers: it takes the
//! whole file at once, a byte at a time. A failure names its seed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod corruption;
mod generator;
mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use super::bench::{Bench, cp949, delimited, manifest};
use super::state::unreconciled;
use crate::error::Refusal;
use crate::rows::RowContext;
use crate::testing::{Outcome, limits, plan, read_stream};
use corruption::{Corruption, corrupt};
use generator::{Delivery, Layout, Random};
use oracle::{Exact, Reading};

/// Everything about an outcome that must not depend on how the file was cut.
fn told(outcome: &Result<Outcome, Refusal>, columns: &[&str]) -> String {
    match outcome {
        Err(refusal) => format!("{}: {refusal}", refusal.rule),
        Ok(outcome) => format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{}",
            outcome.cells(columns),
            outcome.numbers,
            outcome.quarantined,
            outcome.flags,
            outcome.notices,
            outcome.control,
            outcome.delivered
        ),
    }
}

/// Every record is in one place, none in two.
fn reconciles(outcome: &Outcome) -> bool {
    let quarantined = outcome.quarantined.iter().map(|row| u64::from(row.record));
    let places: BTreeSet<u64> = outcome.numbers.iter().copied().chain(quarantined).collect();
    places == (0..outcome.records).collect()
        && outcome.accepted() + outcome.quarantined.len() == outcome.records as usize
        && outcome.delivered == outcome.records
}

/// Checks one delivery as generated, and one corruption of it; tells where the latter ended.
fn check(layout: Layout, seed: u64) -> &'static str {
    let mut random = Random::new(seed);
    let delivery = Delivery::generate(layout, &mut random);
    let plan = plan(&delivery.contract);
    // No column is a person's, so there is nothing to hash.
    let context = RowContext {
        hasher: None,
        forgotten: None,
        period: None,
        known_on: 0,
    };
    let mut end = "";
    let columns: Vec<&str> = delivery
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    for corruption in [Corruption::None, Corruption::any(&mut random)] {
        let bytes = corrupt(&delivery, corruption, &mut random);
        let place = format!(
            "{layout:?} seed {seed} {corruption:?}\n{}",
            delivery.contract
        );
        let whole = read_stream(&plan, &bytes, &context, limits(1, 1 << 20));
        for _ in 0..2 {
            let most = 1 << (1 + random.below(16));
            let part_bytes = 1 + random.below(most) as usize;
            let cut = limits(1 + random.below(4) as usize, part_bytes);
            let again = read_stream(&plan, &bytes, &context, cut);
            assert_eq!(
                told(&again, &columns),
                told(&whole, &columns),
                "{place} {cut:?}"
            );
        }
        end = match &whole {
            Err(_) => "refused",
            Ok(outcome) if outcome.quarantined.is_empty() => "accepted",
            Ok(_) => "quarantined",
        };
        match oracle::read(&delivery, &bytes) {
            Reading::Exact(expected) => exact(&whole, expected, &columns, &place),
            Reading::Possible(records) => possible(&whole, &records, &columns, &place),
        }
        if corruption == Corruption::None {
            let outcome = whole.unwrap_or_else(|refusal| panic!("{refusal}: {place}"));
            assert_eq!(outcome.cells(&columns), delivery.accepted(), "{place}");
            assert_eq!(outcome.records, delivery.rows.len() as u64, "{place}");
        }
    }
    end
}

/// The oracle says of every record what becomes of it, `None` when the file is refused.
fn exact(
    outcome: &Result<Outcome, Refusal>,
    expected: Option<Exact>,
    columns: &[&str],
    place: &str,
) {
    let (outcome, expected) = match (outcome, expected) {
        (Err(_), None) => return,
        (Ok(outcome), Some(expected)) => (outcome, expected),
        (Err(refusal), Some(_)) => panic!("refused by {}: {refusal}: {place}", refusal.rule),
        (Ok(_), None) => panic!("not refused: {place}"),
    };
    assert!(reconciles(outcome), "not reconciled: {place}");
    let numbers = outcome.numbers.iter().copied();
    let accepted: Vec<(u64, Vec<String>)> = numbers.zip(outcome.cells(columns)).collect();
    assert_eq!(accepted, expected.accepted, "{place}");
    let quarantined: Vec<(u64, String)> = outcome
        .quarantined
        .iter()
        .map(|row| (u64::from(row.record), row.column.clone()))
        .collect();
    assert_eq!(quarantined, expected.quarantined, "{place}");
    let sum = outcome.control[0];
    let wanted = (
        expected.won_accepted,
        expected.won_quarantined,
        expected.unreadable,
    );
    assert_eq!(
        (sum.accepted, sum.quarantined, sum.unreadable),
        wanted,
        "{place}"
    );
}

/// The oracle knows every record that can be meant; what is accepted is one of them.
fn possible(
    outcome: &Result<Outcome, Refusal>,
    records: &BTreeSet<Vec<String>>,
    columns: &[&str],
    place: &str,
) {
    let Ok(outcome) = outcome else { return };
    assert!(reconciles(outcome), "not reconciled: {place}");
    for row in outcome.cells(columns) {
        assert!(
            records.contains(&row),
            "{row:?} does not stand in the file: {place}"
        );
    }
}

/// Checks a layout under many seeds, of which some end in every bin.
fn check_all(layout: Layout, seeds: u64) {
    let mut ends = BTreeMap::new();
    for seed in 0..seeds {
        *ends.entry(check(layout, seed)).or_insert(0) += 1;
    }
    for end in ["refused", "accepted", "quarantined"] {
        assert!(ends.get(end) > Some(&(seeds / 50)), "{layout:?}: {ends:?}");
    }
}

#[test]
fn delimited_text_is_accounted_for_under_any_corruption() {
    check_all(Layout::Csv, 1500);
}

#[test]
fn fixed_width_text_is_accounted_for_under_any_corruption() {
    // A fixed-width file says nothing about itself that could be wrong, so none is refused.
    for seed in 0..1000 {
        assert_ne!(check(Layout::Fixed, seed), "refused", "seed {seed}");
    }
}

#[test]
fn json_is_accounted_for_under_any_corruption() {
    check_all(Layout::Json, 500);
    check_all(Layout::Lines, 500);
}

#[test]
fn xml_is_accounted_for_under_any_corruption() {
    check_all(Layout::Xml, 500);
}

/// Through the whole of intake: the hash is that of the corrupted file, rows and sum are those of
/// the file before.
#[tokio::test]
async fn corrupted_deliveries_are_reconciled_in_the_ledger() {
    let bench = Bench::new().await;
    let mut ends = BTreeSet::new();
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let amounts: Vec<u64> = (0..20).map(|_| random.below(1_000_000)).collect();
        let rows: Vec<String> = amounts
            .iter()
            .map(|won| format!("서울,20240801,{won}"))
            .collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let mut bytes = cp949(&delimited(&rows));
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(4) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes.truncate(at),
            2 => {
                // The last digit of the last amount.
                let last = bytes.len() - 2;
                bytes[last] = b'0' + (bytes[last] - b'0' + 1) % 10;
            }
            _ => bytes.insert(at, b','),
        }
        let sum = amounts.iter().sum::<u64>().to_string();
        let file = format!("wages_{}_r1.csv", 190_001 + 100 * seed);
        let manifest =
            manifest(&bytes, &file, 20, &sum).replace("2024-08", &format!("{}-01", 1900 + seed));
        bench.put(&format!("wages/{file}"), &bytes, Some(manifest.as_bytes()));
        let outcomes = bench.run().await.outcomes;
        assert_eq!(outcomes.len(), 1, "seed {seed}");
        let outcome = &outcomes[0];
        assert_eq!(unreconciled(outcome), Vec::<String>::new(), "seed {seed}");
        ends.insert(
            outcome
                .rule
                .clone()
                .unwrap_or_else(|| outcome.status.to_string()),
        );
        // What is accepted or quarantined adds up to what the provider says it delivered.
        if outcome.status.is_accepted() {
            assert_eq!(
                outcome.won_delivered.to_string(),
                sum,
                "seed {seed} {outcome:?}"
            );
            assert_eq!(outcome.rows_delivered, 20, "seed {seed} {outcome:?}");
        }
        assert_eq!(
            bench.leaks(outcome).await,
            Vec::<String>::new(),
            "seed {seed}"
        );
    }
    for end in [
        "accepted_with_quarantine",
        "row_count",
        "control_total",
        "header",
    ] {
        assert!(ends.contains(end), "{end} is not in {ends:?}");
    }
}
