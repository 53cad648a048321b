#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::crash::testing::{run_until, run_until_point};
use crate::ledger::deliveries;
use crate::testing::number_is_readable;
use crate::testing_warehouse::{TestDelivery, TestKeys, TestWarehouse, WAGES, number, on, wages};

const UNREADABLE: &str = "x";

fn delivery(revision: u32, rows: &[(u32, &'static str)]) -> TestDelivery {
    TestDelivery {
        source: "wages",
        period: "2024-08",
        revision,
        known_on: "2024-09-10",
        rows: rows.to_vec(),
    }
}

/// Four rows, of which 2 and 4 are out of range and 3 is unreadable.
async fn quarantined(keys: &TestKeys) -> (TestWarehouse<'_>, String) {
    let warehouse = TestWarehouse::new(keys, &[WAGES]).await;
    warehouse.put(&delivery(
        1,
        &[(1, "100"), (2, "2000000"), (3, UNREADABLE), (4, "3000000")],
    ));
    let outcomes = warehouse.run().await;
    assert_eq!(outcomes[0].rows_quarantined, 3, "{outcomes:?}");
    let id = outcomes[0].delivery_id.clone();
    (warehouse, id)
}

fn by(day: &str) -> DecisionBy {
    DecisionBy {
        account: "keeper".to_owned(),
        reason: "provider answered".to_owned(),
        on: on(day),
    }
}

fn corrections(warehouse: &TestWarehouse<'_>, text: &str) -> Corrections {
    let path = warehouse.path("corrections.csv");
    std::fs::write(&path, text).unwrap();
    Corrections::Values(path)
}

async fn account(warehouse: &TestWarehouse<'_>) -> DeliveryOutcome {
    let outcome = deliveries(&warehouse.context.warehouse)
        .await
        .unwrap()
        .remove(0);
    let rows = (
        outcome.rows_delivered,
        outcome.rows_accepted + outcome.rows_quarantined + outcome.rows_rejected,
    );
    assert_eq!(rows.0, rows.1, "{outcome:?}");
    let won = outcome.won_accepted + outcome.won_quarantined + outcome.won_rejected;
    assert_eq!(outcome.won_delivered, won, "{outcome:?}");
    outcome
}

const SHOWN: [&str; 4] = ["_row_number", "won", "_known_on", "_flags"];

#[tokio::test]
async fn corrected_rows_flow_on_once_and_the_ledger_balances() {
    let keys = TestKeys::new();
    let (warehouse, id) = quarantined(&keys).await;
    let context = &warehouse.context;
    let values = corrections(&warehouse, "row_number,column,value\n2,won,200\n3,금액,y\n");
    let report = release(context, &id, None, &values, &by("2024-10-01"))
        .await
        .unwrap();
    assert_eq!(report.released, 1);
    let still: Vec<_> = report
        .still_bad
        .iter()
        .map(|bad| (bad.row_number, bad.rule))
        .collect();
    assert_eq!(still, [(3, "type")]);
    assert_eq!(
        warehouse.rows("staging.wages", &SHOWN).await,
        ["1,100,2024-09-10,", "2,200,2024-10-01,released:2024-09-10"]
    );
    let outcome = account(&warehouse).await;
    assert_eq!(
        (
            outcome.rows_accepted,
            outcome.rows_quarantined,
            outcome.rows_released
        ),
        (2, 2, 1)
    );
    assert_eq!(
        (
            outcome.won_accepted,
            outcome.won_quarantined,
            outcome.won_rejected
        ),
        (300, 3_000_000, 1_999_800)
    );
    assert_eq!(context.vault.persons(), 2);
    assert_eq!(
        warehouse
            .rows(
                "quarantine.wages",
                &["_row_number", "state", "decided_on", "decided_by", "reason"]
            )
            .await,
        [
            "2,released,2024-10-01,keeper,provider answered",
            "3,open,,,",
            "4,open,,,"
        ]
    );

    let before = warehouse.hash("staging.wages").await;
    let again = release(context, &id, None, &values, &by("2024-10-02"))
        .await
        .unwrap();
    assert_eq!(again.released, 0);
    assert_eq!(warehouse.hash("staging.wages").await, before);

    let rest = discard(context, &id, None, &by("2024-10-03"))
        .await
        .unwrap();
    assert_eq!(rest.0, 2);
    let outcome = account(&warehouse).await;
    assert_eq!(outcome.status.as_str(), "accepted");
    assert_eq!(
        (
            outcome.rows_quarantined,
            outcome.rows_rejected,
            outcome.rows_discarded
        ),
        (0, 2, 2)
    );
    assert_eq!(
        (
            outcome.won_accepted,
            outcome.won_quarantined,
            outcome.won_rejected
        ),
        (300, 0, 4_999_800)
    );
    assert_eq!(
        discard(context, &id, None, &by("2024-10-03"))
            .await
            .unwrap()
            .0,
        0
    );
    let chain = std::fs::read_to_string(warehouse.path("warehouse/audit/chain.ndjson")).unwrap();
    assert_eq!(chain.lines().count(), 2, "{chain}");
    assert!(!chain.contains(&number(2)));
}

#[tokio::test]
async fn changed_rule_releases_what_keeps_it_now() {
    let keys = TestKeys::new();
    let (mut warehouse, id) = quarantined(&keys).await;
    warehouse
        .change_contract("[0, 1000000]", "[0, 2500000]")
        .await;
    let rows = BTreeSet::from([2, 4]);
    let report = release(
        &warehouse.context,
        &id,
        Some(&rows),
        &Corrections::None,
        &by("2024-10-01"),
    )
    .await
    .unwrap();
    assert_eq!((report.released, report.still_bad.len()), (1, 1));
    assert_eq!(
        warehouse
            .rows("staging.wages", &["_row_number", "won"])
            .await,
        ["1,100", "2,2000000"]
    );
    let outcome = account(&warehouse).await;
    assert_eq!((outcome.won_accepted, outcome.won_rejected), (2_000_100, 0));

    // The next revision replaces what was delivered and what was released of it.
    warehouse.put(&delivery(2, &[(1, "5")]));
    warehouse.run().await;
    assert_eq!(
        warehouse
            .rows("staging.wages", &["_row_number", "won"])
            .await,
        ["1,5"]
    );
    for refused in [
        release(
            &warehouse.context,
            &id,
            None,
            &Corrections::None,
            &by("2024-10-02"),
        )
        .await
        .err(),
        discard(&warehouse.context, &id, None, &by("2024-10-02"))
            .await
            .err(),
    ] {
        let message = refused.unwrap().to_string();
        assert!(
            message.contains("is superseded by wages/2024-08/r2/"),
            "{message}"
        );
    }
    let counts = quarantine_counts(&warehouse.context, Some("wages"))
        .await
        .unwrap();
    let shown: Vec<_> = counts
        .iter()
        .map(|count| {
            (
                count.rule.as_str(),
                count.open,
                count.released,
                count.superseded_by.is_some(),
            )
        })
        .collect();
    assert_eq!(shown, [("range", 1, 1, true), ("type", 1, 0, true)]);
}

#[tokio::test]
async fn rows_set_aside_behind_the_parser_have_their_originals_and_stay_unique() {
    let keys = TestKeys::new();
    let mut warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
    warehouse
        .change_contract(
            "columns:",
            "unique: [person_key]\nrules:\n  - {name: not_three_hundred, check: \"won <> 300\"}\ncolumns:",
        )
        .await;
    warehouse.put(&delivery(1, &[(1, "100"), (1, "200"), (2, "300")]));
    let outcome = warehouse.run().await.remove(0);
    assert_eq!(outcome.rows_quarantined, 2, "{outcome:?}");
    assert_eq!((outcome.won_accepted, outcome.won_quarantined), (100, 500));
    let id = outcome.delivery_id;
    assert_eq!(warehouse.context.vault.persons(), 1);

    let report = release(
        &warehouse.context,
        &id,
        None,
        &Corrections::None,
        &by("2024-10-01"),
    )
    .await
    .unwrap();
    let still: Vec<_> = report
        .still_bad
        .iter()
        .map(|bad| (bad.row_number, bad.rule))
        .collect();
    assert_eq!(still, [(2, "duplicate_key"), (3, "not_three_hundred")]);

    let values = corrections(&warehouse, "row_number,column,value\n3,won,250\n");
    let report = release(&warehouse.context, &id, None, &values, &by("2024-10-02"))
        .await
        .unwrap();
    assert_eq!(report.released, 1);
    assert_eq!(warehouse.context.vault.persons(), 2);

    warehouse
        .change_contract("unique: [person_key]\n", "")
        .await;
    let report = release(
        &warehouse.context,
        &id,
        None,
        &Corrections::None,
        &by("2024-10-03"),
    )
    .await
    .unwrap();
    assert_eq!((report.released, report.still_bad.len()), (1, 0));
    assert_eq!(
        warehouse
            .rows("staging.wages", &["_row_number", "won"])
            .await,
        ["1,100", "2,200", "3,250"]
    );
    account(&warehouse).await;
}

#[tokio::test]
async fn whole_records_are_delivered_again_for_named_rows() {
    let keys = TestKeys::new();
    let (warehouse, id) = quarantined(&keys).await;
    let path = warehouse.path("records.csv");
    std::fs::write(&path, wages(&[(3, "30"), (4, "40")])).unwrap();
    let records = Corrections::Records(path);
    let wrong = release(&warehouse.context, &id, None, &records, &by("2024-10-01")).await;
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("2 records for 3 open rows")
    );
    let rows = BTreeSet::from([3, 4]);
    let report = release(
        &warehouse.context,
        &id,
        Some(&rows),
        &records,
        &by("2024-10-01"),
    )
    .await
    .unwrap();
    assert_eq!(report.released, 2);
    assert_eq!(
        warehouse
            .rows("staging.wages", &["_row_number", "won"])
            .await,
        ["1,100", "3,30", "4,40"]
    );
    account(&warehouse).await;
}

#[tokio::test]
async fn release_that_dies_anywhere_is_finished_by_the_next_with_each_row_once() {
    let keys = TestKeys::new();
    let (whole, id) = quarantined(&keys).await;
    let text = "row_number,column,value\n2,won,200\n3,won,300\n";
    let values = corrections(&whole, text);
    release(&whole.context, &id, None, &values, &by("2024-10-01"))
        .await
        .unwrap();
    let mut deaths = 0;
    loop {
        let (mut warehouse, id) = quarantined(&keys).await;
        let values = corrections(&warehouse, text);
        let died = run_until(
            deaths,
            release(&warehouse.context, &id, None, &values, &by("2024-10-01")),
        )
        .await;
        warehouse.reopen().await;
        let is_last = died.is_ok();
        // Whoever comes next, with whatever in mind, finds the rows released.
        let none = BTreeSet::from([2]);
        if deaths % 2 == 0 {
            release(&warehouse.context, &id, None, &values, &by("2024-10-01"))
                .await
                .unwrap();
        } else {
            let other = corrections(&warehouse, "row_number,column,value\n2,won,999\n");
            release(
                &warehouse.context,
                &id,
                Some(&none),
                &other,
                &by("2024-10-01"),
            )
            .await
            .unwrap();
            let values = corrections(&warehouse, text);
            release(&warehouse.context, &id, None, &values, &by("2024-10-01"))
                .await
                .unwrap();
        }
        let numbers = warehouse.rows("staging.wages", &["_row_number"]).await;
        assert_eq!(numbers, ["1", "2", "3"], "after {deaths} points");
        account(&warehouse).await;
        if deaths % 2 == 0 {
            for table in ["staging.wages", "quarantine.wages", "ops.deliveries"] {
                assert_eq!(
                    warehouse.hash(table).await,
                    whole.hash(table).await,
                    "{table}"
                );
            }
        }
        if is_last {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 5, "{deaths}");
}

#[rstest::rstest]
#[case("deliveries recorded")]
#[case("file remembered")]
#[tokio::test]
async fn intake_interrupted_before_a_release_does_not_take_its_account_back(
    #[case] point: &'static str,
) {
    let keys = TestKeys::new();
    let mut warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
    let rows = [(1, "100"), (2, "2000000")];
    warehouse.put(&delivery(1, &rows));
    assert_eq!(
        run_until_point(point, warehouse.ingest()).await.err(),
        Some(point)
    );
    warehouse.reopen().await;
    if point == "file remembered" {
        warehouse.run().await;
    }
    let id = deliveries(&warehouse.context.warehouse).await.unwrap()[0]
        .delivery_id
        .clone();
    let values = corrections(&warehouse, "row_number,column,value\n2,won,200\n");
    release(&warehouse.context, &id, None, &values, &by("2024-10-01"))
        .await
        .unwrap();
    // The same bytes come again while the crash kept intake from knowing them.
    warehouse.put(&delivery(1, &rows));
    warehouse.run().await;
    let outcome = account(&warehouse).await;
    assert_eq!((outcome.rows_accepted, outcome.rows_released), (2, 1));
    assert_eq!(
        warehouse.rows("staging.wages", &["_row_number"]).await,
        ["1", "2"]
    );
}

#[tokio::test]
async fn original_is_shown_to_an_audited_access_only() {
    let keys = TestKeys::new();
    let (warehouse, id) = quarantined(&keys).await;
    let context = &warehouse.context;
    let shown = quarantined_rows(context, &id, Some(2)).await.unwrap();
    assert!(!format!("{shown:?}").contains(&number(2)));
    assert!(quarantined_rows(context, &id, Some(1)).await.is_err());
    assert!(Access::new("keeper", " ", "case 1").is_err());
    let access = Access::new("keeper", "provider asks back", "case 1").unwrap();
    let record = quarantined_record(context, &id, 2, &access).await.unwrap();
    let values: Vec<_> = record
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref().map(String::as_str)))
        .collect();
    let digits = number(2);
    assert_eq!(
        values,
        [
            ("person_key", Some(digits.as_str())),
            ("place", Some("서울")),
            ("won", Some("2000000"))
        ]
    );
    let chain = std::fs::read_to_string(warehouse.path("warehouse/audit/chain.ndjson")).unwrap();
    assert!(chain.contains("show_record") && chain.contains("case 1"));
    assert!(!chain.contains(&digits));
}

#[tokio::test]
async fn no_number_of_a_quarantined_row_lies_in_the_clear() {
    let keys = TestKeys::new();
    let (warehouse, id) = quarantined(&keys).await;
    let values = corrections(&warehouse, "row_number,column,value\n2,won,200\n");
    release(&warehouse.context, &id, None, &values, &by("2024-10-01"))
        .await
        .unwrap();
    let mut folders: Vec<PathBuf> = vec![warehouse.path("warehouse")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!number_is_readable(&bytes), "{}", path.display());
        }
    }
    assert!(files > 10);
    assert_eq!(warehouse.files("vault/records").len(), 1);
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong_and_change_nothing() {
    let keys = TestKeys::new();
    let (warehouse, id) = quarantined(&keys).await;
    let context = &warehouse.context;
    let before = warehouse.hash("quarantine.wages").await;
    let header = "row_number,column,value\n";
    for (text, expected) in [
        ("row,column,value\n2,won,1\n", "line 1: the header must be"),
        ("row_number,column,value\n", "there is no correction"),
        (
            &format!("{header}1,won,1\n"),
            "line 2: row 1 was not quarantined",
        ),
        (&format!("{header}2,wom,1\n"), "did you mean `won`"),
        (
            &format!("{header}2,won,1\n2,won,2\n"),
            "line 3: won of row 2 is corrected twice",
        ),
        (
            &format!("{header}2,won\n"),
            "line 2: does not have three fields",
        ),
        (
            &format!("{header}2,place,😀\n"),
            "line 2: the value cannot be written",
        ),
    ] {
        let values = corrections(&warehouse, text);
        let error = release(context, &id, None, &values, &by("2024-10-01")).await;
        let message = error.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let none = Corrections::None;
    for (id, rows, day, expected) in [
        (
            "wages/2024-08/r1/0",
            None,
            "2024-10-01",
            "`goyong quarantine ls` lists them",
        ),
        (
            "wage/2024-08/r1/0",
            None,
            "2024-10-01",
            "did you mean `wages`",
        ),
        (
            id.as_str(),
            Some(BTreeSet::from([7])),
            "2024-10-01",
            "row 7",
        ),
        (
            id.as_str(),
            None,
            "2024-09-09",
            "became known on 2024-09-10",
        ),
    ] {
        let error = release(context, id, rows.as_ref(), &none, &by(day)).await;
        let message = error.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut nobody = by("2024-10-01");
    nobody.reason = String::new();
    assert!(discard(context, &id, None, &nobody).await.is_err());
    assert_eq!(warehouse.hash("quarantine.wages").await, before);
}
