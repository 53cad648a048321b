//! Checks of rows and columns, through to the tables.

use super::*;

const PAID: &str = r#"
source: wages
manifest: required
period: {from: manifest}
revision: replace_period
control_totals: [won]
reject_threshold: 0.5
unique: [person_key, paid_month]
rules:
  - {name: earned, check: "won > 0"}
period_check: {column: paid_month}
format: {kind: csv, encoding: cp949}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn}
  - {name: paid_month, from: 지급년월, type: month}
  - {name: won, from: 금액, type: won}
"#;

async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    bench
        .context
        .contracts
        .insert("wages".into(), contract(PAID));
    bench
}

fn deliver(bench: &Bench, revision: u32, rows: &[(u32, &str, i64)]) {
    let mut text = "주민등록번호,지급년월,금액\n".to_owned();
    let mut sum = 0;
    for (index, month, won) in rows {
        text.push_str(&format!("{},{month},{won}\n", person(*index)));
        sum += won;
    }
    let bytes = encoding_rs::EUC_KR.encode(&text).0.into_owned();
    let manifest = manifest(
        &bytes,
        "2024-08",
        revision,
        rows.len() as u64,
        &sum.to_string(),
    );
    put(
        &bench.landing().join("wages"),
        &format!("wages_202408_r{revision}.csv"),
        &bytes,
        Some(&manifest),
    );
}

#[tokio::test]
async fn file_of_another_month_is_refused_and_the_table_stays() {
    let bench = bench().await;
    deliver(&bench, 1, &[(1, "202408", 10), (2, "202408", 20)]);
    bench.run().await;
    deliver(
        &bench,
        2,
        &[(3, "202407", 10), (4, "202407", 20), (5, "202408", 5)],
    );
    let outcome = bench.run().await.remove(0);
    assert_eq!(outcome.rule.as_deref(), Some("wrong_period"), "{outcome:?}");
    assert_eq!((outcome.rows_rejected, outcome.won_rejected), (3, 35));
    assert_eq!(bench.count("staging.wages").await, 2);
    assert_eq!(bench.count("quarantine.wages").await, 0);
    assert_eq!(bench.context.vault.persons(), 2);
}

#[tokio::test]
async fn repeated_and_broken_rows_reconcile_and_leave_no_identity() {
    let bench = bench().await;
    deliver(
        &bench,
        1,
        &[
            (1, "202408", 10),
            (2, "202408", 20),
            (1, "202408", 30),
            (3, "202408", 0),
            (4, "202409", 7),
            (5, "202408", 8),
        ],
    );
    let outcome = bench.run().await.remove(0);
    assert_eq!(
        outcome.status,
        DeliveryStatus::AcceptedWithQuarantine,
        "{outcome:?}"
    );
    assert_eq!(
        (
            outcome.rows_delivered,
            outcome.rows_accepted,
            outcome.rows_quarantined
        ),
        (6, 3, 3)
    );
    assert_eq!(
        (
            outcome.won_delivered,
            outcome.won_accepted,
            outcome.won_quarantined
        ),
        (75, 38, 37)
    );
    assert_eq!(
        bench.texts("quarantine.wages", "rule").await,
        ["duplicate_key", "earned", "wrong_period"]
    );
    assert_eq!(
        bench.texts("quarantine.wages", "raw_value").await,
        [
            "person_key [masked], paid_month 2024-08-01; first in row 1",
            "0",
            "2024-09-01"
        ]
    );
    assert_eq!(bench.context.vault.persons(), 3);
}

#[tokio::test]
async fn column_that_is_new_since_the_last_delivery_is_told_once() {
    let bench = Bench::new().await;
    let landing = bench.landing().join("notes");
    let mut told = Vec::new();
    for (name, text) in [
        ("notes_1.csv", "a\n1\n"),
        ("notes_2.csv", "a,b\n2,2\n"),
        ("notes_3.csv", "a,b\n3,3\n"),
        ("notes_4.csv", "b,a\n4,4\n"),
        ("notes_5.csv", "c\n5\n"),
    ] {
        put(&landing, name, text.as_bytes(), None);
        let outcome = bench.run().await.remove(0);
        let drift: Vec<String> = outcome
            .drift
            .iter()
            .map(|one| format!("{} {:?}", one.kind.as_str(), one.is_new))
            .collect();
        let since = outcome
            .notices
            .iter()
            .filter(|notice| notice.contains("since the last"))
            .count();
        told.push((outcome.status, drift.join(", "), since));
    }
    use DeliveryStatus::{Accepted, Refused};
    let expected = [
        (Accepted, "", 0),
        (Accepted, "added Some(true)", 1),
        (Accepted, "added Some(false)", 0),
        (Accepted, "added Some(false)", 0),
        (Refused, "", 0),
    ];
    for (told, (status, drift, since)) in told.iter().zip(expected) {
        assert_eq!((told.0, told.1.as_str(), told.2), (status, drift, since));
    }
    assert_eq!(
        bench.texts("ops.deliveries", "drift").await[1],
        r#"[{"kind":"added","column":null,"header":"b","is_new":true}]"#
    );
}
