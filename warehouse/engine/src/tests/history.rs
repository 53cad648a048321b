//! Slowly changing history as a materialisation.

use super::*;

const FIRM_SEED: &str = "\
seed: firm_list
title: firms
description: firms
origin: made up
key: [firm_no]
columns:
  - {name: firm_no, type: code}
  - {name: sido, type: code}
  - {name: size, type: bigint}
  - {name: changed_on, type: date}
";

/// Without the log of tests, which says when they ran.
fn models_of(mut hashes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    hashes.retain(|table, _| !table.starts_with("ops."));
    hashes
}

fn project(rows: &str, snapshot: &str) -> BTreeMap<String, String> {
    let model = format!(
        "/*---\ndescription: firms through time\ngrain: [firm_no, valid_from]\nmaterialized: snapshot\n\
         snapshot: {snapshot}\n---*/\nselect * from {{{{ seed('firm_list') }}}}"
    );
    [
        ("seeds/firm_list.yml", FIRM_SEED.to_owned()),
        (
            "seeds/firm_list.csv",
            format!("firm_no,sido,size,changed_on\n{rows}"),
        ),
        ("core/firm_history.sql", model),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text))
    .collect()
}

async fn build_on(fixture: &Fixture, files: &BTreeMap<String, String>, day: &str) -> BuildReport {
    let engine = fixture.engine(files, 2);
    let plan = engine
        .plan(&Selection::all(), day.parse().unwrap())
        .await
        .unwrap();
    engine.build(&plan, &Silent).await.unwrap()
}

/// `firm size from to`, one version a line.
async fn versions(fixture: &Fixture, files: &BTreeMap<String, String>) -> Vec<String> {
    let rows = fixture
        .engine(files, 1)
        .query_latest(
            "select concat_ws(' ', firm_no, size, valid_from, coalesce(cast(valid_to as varchar), case when is_current then 'now' end)) as line \
             from core.firm_history order by firm_no, valid_from",
            as_of(),
        )
        .await
        .unwrap();
    let mut lines = Vec::new();
    for batch in rows {
        let texts = batch
            .column(0)
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap();
        lines.extend(texts.iter().map(|line| line.unwrap().to_owned()));
    }
    lines
}

#[test]
fn versions_are_closed_opened_and_left_alone() {
    run(async {
        let fixture = Fixture::new().await;
        let key = "{key: firm_no}";
        let first = project("A,11,1,2024-01-01\nB,11,2,2024-01-01\n", key);
        assert!(build_on(&fixture, &first, "2024-01-10").await.succeeded());
        let again = build_on(&fixture, &first, "2024-01-11").await;
        assert!(again.did_nothing(), "{again:#?}");
        // A grows, B is gone, C is new.
        let second = project("A,11,5,2024-01-01\nC,11,3,2024-01-01\n", key);
        assert!(build_on(&fixture, &second, "2024-02-01").await.succeeded());
        let expected = [
            "A 1 2024-01-10 2024-02-01",
            "A 5 2024-02-01 now",
            "B 2 2024-01-10 2024-02-01",
            "C 3 2024-02-01 now",
        ];
        assert_eq!(versions(&fixture, &second).await, expected);
        // Computed anew on the same day, and on a later one with nothing new: the same versions.
        let hashes = models_of(fixture.hashes().await);
        for day in ["2024-02-01", "2024-02-20"] {
            let engine = fixture.engine(&second, 2);
            let plan = engine
                .plan_full_refresh(&Selection::all(), day.parse().unwrap())
                .await
                .unwrap();
            assert!(engine.build(&plan, &Silent).await.unwrap().succeeded());
            assert_eq!(models_of(fixture.hashes().await), hashes, "{day}");
        }
        // B is back after a gap.
        let third = project(
            "A,11,5,2024-01-01\nB,11,2,2024-01-01\nC,11,3,2024-01-01\n",
            key,
        );
        assert!(build_on(&fixture, &third, "2024-03-01").await.succeeded());
        let lines = versions(&fixture, &third).await;
        assert!(
            lines.contains(&"B 2 2024-03-01 now".to_owned()),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 5);
    });
}

#[test]
fn late_correction_replaces_what_was_said_of_the_days_since() {
    run(async {
        let fixture = Fixture::new().await;
        let by_day = "{key: [firm_no], valid_from: changed_on}";
        for (rows, day) in [
            ("A,11,1,2024-01-01\n", "2024-01-10"),
            ("A,11,2,2024-03-01\n", "2024-03-05"),
            ("A,11,3,2024-05-01\n", "2024-05-05"),
        ] {
            assert!(
                build_on(&fixture, &project(rows, by_day), day)
                    .await
                    .succeeded()
            );
        }
        let files = project("A,11,3,2024-05-01\n", by_day);
        assert_eq!(
            versions(&fixture, &files).await,
            [
                "A 1 2024-01-01 2024-03-01",
                "A 2 2024-03-01 2024-05-01",
                "A 3 2024-05-01 now"
            ]
        );
        // It becomes known that the firm had 9 since February.
        let corrected = project("A,11,9,2024-02-01\n", by_day);
        assert!(
            build_on(&fixture, &corrected, "2024-06-01")
                .await
                .succeeded()
        );
        assert_eq!(
            versions(&fixture, &corrected).await,
            ["A 1 2024-01-01 2024-02-01", "A 9 2024-02-01 now"]
        );
    });
}

#[test]
fn build_as_of_an_earlier_day_is_refused_and_changes_nothing() {
    run(async {
        let fixture = Fixture::new().await;
        let key = "{key: firm_no}";
        build_on(&fixture, &project("A,11,1,2024-01-01\n", key), "2024-03-01").await;
        let before = versions(&fixture, &project("A,11,1,2024-01-01\n", key)).await;
        let files = project("A,11,2,2024-01-01\n", key);
        let report = build_on(&fixture, &files, "2024-02-01").await;
        let model = report
            .models
            .iter()
            .find(|model| model.table == table("core.firm_history"))
            .unwrap();
        assert_eq!(model.outcome, Outcome::Failed);
        assert!(
            model.reason.contains("--as-of 2024-03-01 or later"),
            "{}",
            model.reason
        );
        assert_eq!(versions(&fixture, &files).await, before);
    });
}

#[test]
fn wrong_columns_of_a_snapshot_are_named() {
    run(async {
        for (snapshot, message) in [
            (
                "{key: firm_no, valid_from: changed_at}",
                "did you mean `changed_on`",
            ),
            ("{key: firm_no, valid_from: size}", "must be a date"),
        ] {
            let fixture = Fixture::new().await;
            let report = build_on(
                &fixture,
                &project("A,11,1,2024-01-01\n", snapshot),
                "2024-03-01",
            )
            .await;
            let model = report
                .models
                .iter()
                .find(|model| model.table == table("core.firm_history"))
                .unwrap();
            assert!(model.reason.contains(message), "{}", model.reason);
        }
    });
}
