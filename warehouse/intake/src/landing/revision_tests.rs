//! Any order of arrival and any crash end in the same tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rstest::rstest;

use crate::delivery::DeliveryStatus;
use crate::testing_warehouse::{EVENTS, SPELLS, TestDelivery, TestKeys, TestWarehouse, WAGES};

/// Deliveries of three periods with corrections; the third revision of July brings back the first.
fn deliveries(source: &'static str) -> Vec<TestDelivery> {
    let delivery = |period, revision, known_on, rows: &[(u32, &'static str)]| TestDelivery {
        source,
        period,
        revision,
        known_on,
        rows: rows.to_vec(),
    };
    let first: &[(u32, &'static str)] = &[(1, "100"), (2, "200"), (3, "x"), (4, "400")];
    let mut all = vec![
        delivery("2024-07", 1, "2024-08-10", first),
        delivery(
            "2024-07",
            2,
            "2024-09-12",
            &[(1, "110"), (2, "2000000"), (9, "1")],
        ),
        delivery("2024-08", 1, "2024-09-10", &[(1, "150"), (5, "500")]),
        delivery(
            "2024-08",
            2,
            "2024-10-10",
            &[(5, "510"), (6, "600"), (7, "y")],
        ),
        delivery("2024-09", 1, "2024-10-10", &[(1, "170"), (8, "800")]),
    ];
    // An event delivered twice is one event, so an append has no such correction.
    if source != "events" {
        all.push(delivery("2024-07", 3, "2024-11-10", first));
    }
    all
}

/// A small generator of its own: the permutations of a failing run can be had again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

async fn deliver_one_by_one(
    keys: &TestKeys,
    contract: &str,
    order: &[TestDelivery],
    crashes: Option<&mut Draw>,
) -> (TestWarehouseState, Vec<DeliveryStatus>) {
    let mut warehouse = TestWarehouse::new(keys, &[contract]).await;
    let mut statuses = Vec::new();
    let mut crashes = crashes;
    for delivery in order {
        warehouse.put(delivery);
        if let Some(draw) = &mut crashes {
            // Not every crash is repaired before the next file arrives.
            let died = warehouse.dies_after(draw.below(10)).await;
            if died && draw.below(3) == 0 {
                continue;
            }
        }
        statuses.extend(warehouse.run().await.iter().map(|outcome| outcome.status));
    }
    statuses.extend(warehouse.run().await.iter().map(|outcome| outcome.status));
    let source = order[0].source;
    let state = TestWarehouseState {
        staging: warehouse.hash(&format!("staging.{source}")).await,
        rows: warehouse
            .rows(
                &format!("staging.{source}"),
                &["_delivery_id", "_row_number", "won"],
            )
            .await,
        quarantine: warehouse.hash(&format!("quarantine.{source}")).await,
        unbalanced: unbalanced(&warehouse).await,
        recorded: warehouse
            .rows(
                "ops.deliveries",
                &["delivery_id", "status", "superseded_by"],
            )
            .await,
    };
    (state, statuses)
}

struct TestWarehouseState {
    staging: Option<String>,
    rows: Vec<String>,
    quarantine: Option<String>,
    unbalanced: usize,
    recorded: Vec<String>,
}

async fn unbalanced(warehouse: &TestWarehouse<'_>) -> usize {
    crate::ledger::deliveries(&warehouse.context.warehouse)
        .await
        .unwrap()
        .iter()
        .filter(|outcome| {
            outcome.rows_delivered
                != outcome.rows_accepted + outcome.rows_quarantined + outcome.rows_rejected
                || outcome.won_delivered
                    != outcome.won_accepted + outcome.won_quarantined + outcome.won_rejected
        })
        .count()
}

#[rstest]
#[case::replace_period(WAGES, "wages")]
#[case::upsert(SPELLS, "spells")]
#[case::append(EVENTS, "events")]
#[tokio::test]
async fn any_order_of_arrival_with_crashes_ends_in_the_same_tables(
    #[case] contract: &str,
    #[case] source: &'static str,
) {
    let keys = TestKeys::new();
    let in_order = deliveries(source);
    let (expected, _) = deliver_one_by_one(&keys, contract, &in_order, None).await;
    assert!(expected.rows.len() >= 4, "{:?}", expected.rows);
    assert_eq!(expected.unbalanced, 0);
    for seed in 1..=12 {
        let mut draw = Draw(seed);
        let mut order = in_order.clone();
        draw.shuffle(&mut order);
        let crashes = (seed % 3 != 0).then_some(&mut draw);
        let (found, statuses) = deliver_one_by_one(&keys, contract, &order, crashes).await;
        let shown: Vec<_> = order
            .iter()
            .map(|delivery| (delivery.period, delivery.revision))
            .collect();
        assert!(
            !statuses.contains(&DeliveryStatus::Refused),
            "seed {seed} {shown:?} {statuses:?}"
        );
        assert_eq!(found.rows, expected.rows, "seed {seed} {shown:?}");
        assert_eq!(found.staging, expected.staging, "seed {seed} {shown:?}");
        assert_eq!(found.unbalanced, 0, "seed {seed}");
        assert_eq!(
            found.recorded.len(),
            in_order.len(),
            "seed {seed} {:?}",
            found.recorded
        );
        if source == "wages" {
            for (period, standing) in [("2024-07", "r3"), ("2024-08", "r2")] {
                for row in &found.recorded {
                    let replaced = row.starts_with(&format!("wages/{period}/"))
                        && !row.starts_with(&format!("wages/{period}/{standing}"));
                    let by = format!(",wages/{period}/{standing}/");
                    assert_eq!(row.contains(&by), replaced, "seed {seed} {row}");
                }
            }
        } else {
            // What replaces nothing is quarantined in any order.
            assert_eq!(found.quarantine, expected.quarantine, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn process_that_dies_anywhere_is_repaired_by_running_again() {
    let keys = TestKeys::new();
    let delivery = TestDelivery {
        source: "wages",
        period: "2024-08",
        revision: 1,
        known_on: "2024-09-10",
        rows: vec![(1, "100"), (2, "2000000"), (3, "300")],
    };
    let tables = ["staging.wages", "quarantine.wages", "ops.deliveries"];
    let whole = TestWarehouse::new(&keys, &[WAGES]).await;
    whole.put(&delivery);
    whole.run().await;
    let mut deaths = 0;
    loop {
        let mut warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
        warehouse.put(&delivery);
        let died = warehouse.dies_after(deaths).await;
        warehouse.run().await;
        for table in tables {
            assert_eq!(
                warehouse.hash(table).await,
                whole.hash(table).await,
                "{table} after {deaths} points"
            );
        }
        assert_eq!(warehouse.context.vault.persons(), 2);
        for folder in ["archive", "vault/records"] {
            assert_eq!(warehouse.files(folder), whole.files(folder), "{folder}");
        }
        assert!(warehouse.files("../landing").is_empty());
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 10, "{deaths}");
}

#[tokio::test]
async fn older_revision_never_replaces_a_newer_one_whose_commit_was_not_remembered() {
    let keys = TestKeys::new();
    let all = deliveries("wages");
    for points in 0..12 {
        let mut warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
        warehouse.put(&all[1]);
        warehouse.dies_after(points).await;
        warehouse.put(&all[0]);
        warehouse.run().await;
        let ids = warehouse.rows("staging.wages", &["_delivery_id"]).await;
        assert!(ids.iter().all(|id| id.contains("/r2/")), "{points} {ids:?}");
    }
}

#[tokio::test]
async fn rewritten_table_still_says_which_revision_is_in_place() {
    let keys = TestKeys::new();
    let warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
    let all = deliveries("wages");
    warehouse.put(&all[1]);
    warehouse.run().await;
    // What a maintenance step does that knows nothing of deliveries.
    let name = "staging.wages".parse().unwrap();
    let contract = &warehouse.context.contracts["wages"];
    let plan = crate::plan::Plan::new(contract).unwrap();
    let options = crate::staging::staging_options(contract);
    let store = &warehouse.context.warehouse;
    let mut writer = store
        .writer(&name, plan.staging_schema.clone(), options)
        .await
        .unwrap();
    for batch in warehouse.batches("staging.wages").await {
        writer.write(Some("2024-07-01"), &batch).unwrap();
    }
    let mode = goyong_store::CommitMode::ReplaceAll;
    writer
        .commit(mode, goyong_store::CommitDetails::default())
        .await
        .unwrap();
    warehouse.put(&all[0]);
    let outcomes = warehouse.run().await;
    assert_eq!(
        outcomes[0].status,
        DeliveryStatus::Superseded,
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn upsert_brings_back_earlier_content_and_has_one_file_per_revision() {
    let keys = TestKeys::new();
    let warehouse = TestWarehouse::new(&keys, &[SPELLS]).await;
    let delivery = |revision, won| TestDelivery {
        source: "spells",
        period: "2024-08",
        revision,
        known_on: "2024-09-10",
        rows: vec![(1, won)],
    };
    for (revision, won, status) in [
        (1, "1", DeliveryStatus::Accepted),
        (2, "2", DeliveryStatus::Accepted),
        (3, "1", DeliveryStatus::Accepted),
        (3, "1", DeliveryStatus::Duplicate),
        (3, "9", DeliveryStatus::Refused),
    ] {
        warehouse.put(&delivery(revision, won));
        let outcomes = warehouse.run().await;
        assert_eq!(outcomes[0].status, status, "{outcomes:?}");
    }
    assert_eq!(
        warehouse.rows("staging.spells", &["won"]).await,
        ["1", "1", "2"]
    );
}

#[tokio::test]
async fn events_delivered_again_under_another_revision_are_no_new_events() {
    let keys = TestKeys::new();
    let warehouse = TestWarehouse::new(&keys, &[EVENTS]).await;
    for revision in [1, 2] {
        warehouse.put(&TestDelivery {
            source: "events",
            period: "2024-08",
            revision,
            known_on: "2024-09-10",
            rows: vec![(1, "1")],
        });
        let outcomes = warehouse.run().await;
        let is_first = revision == 1;
        assert_eq!(outcomes[0].status == DeliveryStatus::Accepted, is_first);
    }
    assert_eq!(warehouse.rows("staging.events", &["won"]).await, ["1"]);
    let recorded = warehouse
        .rows("ops.deliveries", &["delivery_id", "status"])
        .await;
    assert_eq!(recorded.len(), 2);
    assert!(
        recorded[1].ends_with("/duplicate/events_202408_r2.csv,duplicate"),
        "{recorded:?}"
    );
}

#[tokio::test]
async fn refused_delivery_that_is_taken_later_has_one_row_in_the_ledger() {
    let keys = TestKeys::new();
    let mut warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
    warehouse
        .change_contract("reject_threshold: 0.9", "reject_threshold: 0.1")
        .await;
    let delivery = &deliveries("wages")[0];
    warehouse.put(delivery);
    assert_eq!(warehouse.run().await[0].status, DeliveryStatus::Refused);
    warehouse
        .change_contract("reject_threshold: 0.1", "reject_threshold: 0.9")
        .await;
    assert!(warehouse.run().await[0].status.is_accepted());
    let recorded = warehouse
        .rows("ops.deliveries", &["status", "rows_rejected", "rule"])
        .await;
    assert_eq!(recorded, ["accepted_with_quarantine,0,"]);
}

#[tokio::test]
async fn file_still_being_written_waits() {
    let keys = TestKeys::new();
    let warehouse = TestWarehouse::new(&keys, &[WAGES]).await;
    let delivery = &deliveries("wages")[2];
    warehouse.put(delivery);
    let landing = warehouse.path("landing/wages");
    let name = landing.join("wages_202408_r1.csv");
    let whole = std::fs::read(&name).unwrap();
    for unfinished in [
        "wages_202408_r1.csv.part",
        ".wages_202408_r1.csv",
        "x.filepart",
    ] {
        std::fs::rename(&name, landing.join(unfinished)).unwrap();
        assert!(warehouse.run().await.is_empty(), "{unfinished}");
        std::fs::rename(landing.join(unfinished), &name).unwrap();
    }
    // Under its name already, but half there: the manifest tells, and the whole file is taken.
    std::fs::write(&name, &whole[..whole.len() - 20]).unwrap();
    let outcomes = warehouse.run().await;
    assert_eq!(outcomes[0].rule.as_deref(), Some("checksum"));
    std::fs::write(&name, &whole).unwrap();
    assert!(warehouse.run().await[0].status.is_accepted());
    let recorded = warehouse.rows("ops.deliveries", &["status"]).await;
    assert_eq!(recorded, ["accepted"]);
}
