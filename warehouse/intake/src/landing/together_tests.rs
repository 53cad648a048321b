//! Pages and child records on their way through the inbox.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use super::tests::Bench;
use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::testing::contract;

const PAGED: &str = r#"
source: paged
files: ["paged_*.xml"]
revision: append
pages: {file: '_p(\d+)\.xml$', number: /r/page, size: /r/size, on_missing: report}
format: {kind: xml, record: /r/i, expected_count: /r/total}
columns:
  - {name: a, type: string}
"#;

const POSTS: &str = "
source: posts
files: [\"posts_*.json\"]
revision: append
format: {kind: json, record: /result}
columns:
  - {name: no, type: string}
";

const STEPS: &str = "
source: steps
child_of: posts
revision: append
format: {kind: json, record: /result/*/steps}
columns:
  - {name: post, from: ../no, type: string}
  - {name: step, from: no, type: int}
";

async fn bench(contracts: &[&str]) -> Bench {
    let mut bench = Bench::new().await;
    for text in contracts {
        let contract = contract(text);
        bench
            .context
            .contracts
            .insert(contract.source.clone(), contract);
    }
    bench
}

fn put_page(bench: &Bench, number: u64, rows: &[&str]) {
    let rows: String = rows
        .iter()
        .map(|row| format!("<i><a>{row}</a></i>"))
        .collect();
    let text = format!("<r><page>{number}</page><size>2</size><total>5</total>{rows}</r>");
    put(bench, "paged", &format!("paged_x_p{number}.xml"), &text);
}

fn put(bench: &Bench, source: &str, name: &str, text: &str) {
    let folder = bench.landing().join(source);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

fn lies_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn balance(outcome: &DeliveryOutcome) -> [u64; 4] {
    [
        outcome.rows_delivered,
        outcome.rows_accepted,
        outcome.rows_quarantined,
        outcome.rows_rejected,
    ]
}

#[tokio::test]
async fn pages_of_a_capture_are_one_delivery_and_leave_the_inbox_together() {
    let bench = bench(&[PAGED]).await;
    put_page(&bench, 1, &["a", "b"]);
    put_page(&bench, 3, &["e"]);
    put_page(&bench, 2, &["c", "d"]);
    let outcomes = bench.run().await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].file_name, "paged_x_p*.xml");
    assert_eq!(balance(&outcomes[0]), [5, 5, 0, 0]);
    assert_eq!(outcomes[0].rows_expected, Some(5));
    assert!(outcomes[0].notices.is_empty(), "{:?}", outcomes[0].notices);
    assert_eq!(
        bench.texts("staging.paged", "a").await,
        ["a", "b", "c", "d", "e"]
    );
    let ids = bench.texts("staging.paged", "_delivery_id").await;
    assert!(ids.iter().all(|id| *id == outcomes[0].delivery_id));
    assert_eq!(bench.numbers("staging.paged").await, [1, 2, 3, 4, 5]);
    assert_eq!(lies_in(&bench.landing().join("paged")), 0);
    let archive = bench.context.archive.clone().unwrap().join("paged");
    assert_eq!(lies_in(&archive), 3);
}

#[tokio::test]
async fn late_page_is_added_and_those_before_it_are_not_loaded_twice() {
    let bench = bench(&[PAGED]).await;
    put_page(&bench, 1, &["a", "b"]);
    let first = bench.run().await;
    assert_eq!(
        first[0].notices,
        ["pages 2, 3 of 3 are missing: 2 of 5 delivered"]
    );
    // The whole capture once more, now complete.
    put_page(&bench, 1, &["a", "b"]);
    put_page(&bench, 2, &["c", "d"]);
    put_page(&bench, 3, &["e"]);
    let second = bench.run().await;
    assert_eq!(balance(&second[0]), [3, 3, 0, 0]);
    let notices = second[0].notices.join("; ");
    assert!(
        notices.contains("`paged_x_p1.xml` came before"),
        "{notices}"
    );
    assert!(!notices.contains("missing"), "{notices}");
    assert_eq!(
        bench.texts("staging.paged", "a").await,
        ["a", "b", "c", "d", "e"]
    );
    // And only a part of it.
    put_page(&bench, 2, &["c", "d"]);
    let third = bench.run().await;
    assert_eq!(third[0].status, DeliveryStatus::Duplicate);
    assert_eq!(bench.count("staging.paged").await, 5);
}

#[tokio::test]
async fn incomplete_capture_is_refused_where_the_contract_says_so_and_waits() {
    let bench = bench(&[&PAGED.replace("report", "refuse")]).await;
    put_page(&bench, 1, &["a", "b"]);
    put_page(&bench, 3, &["e"]);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Refused);
    assert_eq!(balance(&outcomes[0]), [3, 0, 0, 3]);
    let reason = outcomes[0].reason.as_deref().unwrap();
    assert!(
        reason.contains("page 2 of 3 is missing: 3 of 5"),
        "{reason}"
    );
    assert_eq!(bench.count("staging.paged").await, 0);
    put_page(&bench, 2, &["c", "d"]);
    let outcomes = bench.run().await;
    assert_eq!(balance(&outcomes[0]), [5, 5, 0, 0]);
    assert_eq!(lies_in(&bench.landing().join("paged")), 0);
}

const TWO_POSTS: &str = r#"{"result": [{"no": "1", "steps": [{"no": 11}, {"no": "x"}]},
    {"no": "2", "steps": [{"no": 21}]}]}"#;

#[tokio::test]
async fn child_records_arrive_with_their_parents_as_deliveries_of_their_own() {
    let bench = bench(&[
        POSTS,
        &STEPS.replace("format:", "reject_threshold: 0.5\nformat:"),
    ])
    .await;
    put(&bench, "posts", "posts_1.json", TWO_POSTS);
    let outcomes = bench.run().await;
    assert_eq!(outcomes.len(), 2);
    assert_eq!(balance(&outcomes[0]), [2, 2, 0, 0]);
    assert_eq!(outcomes[1].source, "steps");
    assert_eq!(balance(&outcomes[1]), [3, 2, 1, 0]);
    assert_eq!(
        outcomes[1].delivery_id,
        outcomes[0].delivery_id.replace("posts", "steps")
    );
    assert!(outcomes[0].notices.is_empty(), "{:?}", outcomes[0].notices);
    assert_eq!(bench.texts("staging.steps", "post").await, ["1", "2"]);
    assert_eq!(bench.count("quarantine.steps").await, 1);
    assert_eq!(
        bench.texts("ops.deliveries", "source").await,
        ["posts", "steps"]
    );
    assert_eq!(lies_in(&bench.landing().join("posts")), 0);
    put(&bench, "posts", "posts_copy.json", TWO_POSTS);
    let again = bench.run().await;
    assert!(
        again
            .iter()
            .all(|outcome| outcome.status == DeliveryStatus::Duplicate),
        "{again:?}"
    );
    assert_eq!(bench.count("staging.steps").await, 2);
}

#[tokio::test]
async fn refused_child_keeps_its_file_until_its_contract_is_mended() {
    let mut bench = bench(&[POSTS, STEPS]).await;
    put(&bench, "posts", "posts_1.json", TWO_POSTS);
    let outcomes = bench.run().await;
    assert!(outcomes[0].status.is_accepted());
    assert_eq!(outcomes[1].status, DeliveryStatus::Refused);
    assert_eq!(balance(&outcomes[1]), [3, 0, 0, 3]);
    assert_eq!(lies_in(&bench.landing().join("posts")), 1);
    assert!(bench.run().await.is_empty());
    let mended = contract(&STEPS.replace("format:", "reject_threshold: 0.5\nformat:"));
    bench.context.contracts.insert("steps".to_owned(), mended);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Duplicate);
    assert_eq!(balance(&outcomes[1]), [3, 2, 1, 0]);
    assert_eq!(bench.count("staging.posts").await, 2);
    assert_eq!(bench.count("staging.steps").await, 2);
    assert_eq!(lies_in(&bench.landing().join("posts")), 0);
}

#[tokio::test]
async fn crash_between_parent_and_child_is_completed_by_the_next_run() {
    let bench = bench(&[POSTS, STEPS]).await;
    put(
        &bench,
        "posts",
        "posts_1.json",
        r#"{"result": [{"no": "1", "steps": [{"no": 11}]}]}"#,
    );
    // What a run does before it dies behind the parent's commit.
    let path = bench.landing().join("posts/posts_1.json");
    let parent = crate::deliver::ingest_file(
        &bench.context,
        &bench.context.contracts["posts"],
        &path,
        None,
    )
    .await
    .unwrap();
    parent.remember_bytes(&bench.context).await.unwrap();
    assert!(parent.outcome.status.is_accepted());
    assert_eq!(bench.count("staging.steps").await, 0);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Duplicate);
    assert_eq!(balance(&outcomes[1]), [1, 1, 0, 0]);
    assert_eq!(bench.count("staging.posts").await, 1);
    assert_eq!(bench.count("staging.steps").await, 1);
}

#[tokio::test]
async fn child_records_are_not_taken_without_their_parent() {
    let bench = bench(&[POSTS, STEPS]).await;
    put(&bench, "steps", "steps_1.json", TWO_POSTS);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Refused);
    let reason = outcomes[0].reason.as_deref().unwrap();
    assert!(reason.contains("inside the files of `posts`"), "{reason}");
}
