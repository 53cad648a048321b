use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::*;
use crate::{BuildMode, ModelReport, run_unit_tests};

const HEADER: &str = "/*---\ndescription: d\ngrain: [person_key]\n---*/\n";

fn with(path: &str, text: &str) -> BTreeMap<String, String> {
    let mut files = sql();
    files.insert(path.to_owned(), text.to_owned());
    files
}

fn reason(report: &BuildReport, name: &str) -> String {
    let model = report
        .models
        .iter()
        .find(|model| model.table == table(name));
    model.unwrap().reason.clone()
}

async fn texts(fixture: &Fixture, files: &BTreeMap<String, String>, sql: &str) -> Vec<String> {
    let batches = fixture
        .engine(files, 1)
        .query_latest(sql, as_of())
        .await
        .unwrap();
    let rows = batches.iter().flat_map(|batch| {
        let column = batch.column(0).as_string::<i32>().clone();
        (0..batch.num_rows()).map(move |row| column.value(row).to_owned())
    });
    rows.collect()
}

#[test]
fn planning_errors_name_line_column_and_nearest_name_of_the_model_file() {
    let cases = [
        (
            "select person_key,\n  paid_wonn\nfrom {{ source('pay') }}",
            "marts/bad.sql:6:3: no column is called `paid_wonn`; did you mean `paid_won`?",
        ),
        (
            "select p.person_key\nfrom {{ source('pay') }} as p\nwhere p.periot is null",
            "marts/bad.sql:7:7: p has no column `periot`",
        ),
        (
            "select person_key\nfrom {{ source('pay') }} where q.paid_won > 0",
            "marts/bad.sql:6:32: `q` is not among what is selected from",
        ),
        (
            "select person_key,,\nfrom {{ source('pay') }}",
            "marts/bad.sql:5:19:",
        ),
        (
            "select person_key, month_star(_period) as m\nfrom {{ source('pay') }}",
            "marts/bad.sql:5:20: no function is called `month_star`; did you mean `month_start`?",
        ),
        (
            "with a as (select 1 as x),\nb as (\n  select x, x + interval '1 day' * true as y from a\n)\nselect person_key from {{ source('pay') }}, b",
            "marts/bad.sql:7:13:",
        ),
        (
            "select person_key\nfrom {{ source('pay') }}\n  cross join nothing_here",
            "marts/bad.sql:7:14: no table is called `core.nothing_here`",
        ),
        (
            "select person_key, sum(paid_won) as w\nfrom {{ source('pay') }}",
            "marts/bad.sql:5:8:",
        ),
    ];
    run(async move {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        for (body, expected) in cases {
            let report = fixture
                .build(&with("marts/bad.sql", &format!("{HEADER}{body}")))
                .await;
            assert_eq!(of(&report, "marts.bad").0, Outcome::Failed, "{body}");
            let reason = reason(&report, "marts.bad");
            assert!(reason.starts_with(expected), "{body}\n  {reason}");
        }
    });
}

#[test]
fn error_of_a_view_is_told_at_the_view_and_holds_its_readers_back() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let broken = EVERYONE.replace("select *", "select person_key, mont");
        let report = fixture.build(&with("core/everyone.sql", &broken)).await;
        assert_eq!(
            reason(&report, "core.everyone"),
            "core/everyone.sql:6:20: no column is called `mont`; did you mean `month`?"
        );
        assert_eq!(of(&report, "marts.total").0, Outcome::HeldBack);
    });
}

#[test]
fn error_inside_a_macro_is_told_at_the_call_and_in_the_macro() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = with(
            "marts/bad.sql",
            &format!(
                "{HEADER}select person_key,\n  {{{{ half('paid_won') }}}} as half\nfrom {{{{ source('pay') }}}}"
            ),
        );
        files.insert(
            "macros/half.sql".into(),
            "{% macro half(x) %}({{ x }} / no_such){% endmacro %}".into(),
        );
        let report = fixture.build(&files).await;
        let reason = reason(&report, "marts.bad");
        assert!(
            reason.starts_with("marts/bad.sql:6:3: no column is called `no_such` (in the macro at macros/half.sql:1:"),
            "{reason}"
        );
    });
}

#[test]
fn select_that_breaks_its_contract_does_not_run_and_names_every_difference() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let header = "/*---\ndescription: d\ngrain: [person_key]\ncontract: {enforced: true}\n\
            columns: {person_key: {type: bigint}, paid_won: {type: bigint}, gone: {type: date}}\n---*/\n";
        let body = "select person_key, paid_won, 1 as extra from {{ source('pay') }}";
        let files = with("marts/promise.sql", &format!("{header}{body}"));
        let report = fixture.build(&files).await;
        let reason = reason(&report, "marts.promise");
        for part in [
            "marts/promise.sql",
            "`gone` is missing",
            "`paid_won` is",
            "not bigint",
            "`extra` bigint is not declared",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert!(!fixture.hashes().await.contains_key("marts.promise"));
        let kept = "select person_key, cast(paid_won as bigint) as paid_won, cast(null as date) as gone from {{ source('pay') }}";
        let files = with("marts/promise.sql", &format!("{header}{kept}"));
        assert!(fixture.build(&files).await.succeeded());
    });
}

#[test]
fn failing_rows_show_no_person_whatever_a_column_is_called() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(771, -5), (772, 3)]).await;
        let mut files = sql();
        let income = files["core/income.sql"]
            .replace("{tests: [{range: {min: 0}}]}", "{tags: [quasi_identifier]}");
        files.insert("core/income.sql".into(), income);
        let view = "/*---\ndescription: d\ngrain: [who]\nmaterialized: view\ncolumns:\n  paid_won: {tests: [{range: {min: 0}}]}\n---*/\n\
            select person_key as who, paid_won from {{ ref('income') }}";
        files.insert("marts/renamed.sql".into(), view.into());
        let mart = "/*---\ndescription: d\ngrain: [month]\nmaterialized: table\n---*/\n\
            select month, sum(paid_won) as total_won from {{ ref('income') }} group by month";
        files.insert("marts/by_month.sql".into(), mart.into());
        let check = "select count(*) as persons, person_key as who, concat('p', cast(person_key as varchar)) as tag, \
            max(paid_won) as most from {{ ref('income') }} group by person_key";
        files.insert("checks/nobody.sql".into(), check.into());
        let of_mart = "select month, total_won from {{ ref('by_month') }}";
        files.insert("checks/no_month.sql".into(), of_mart.into());
        let report = fixture.build(&files).await;
        let shown = |name: &str| {
            let failure = report
                .check_failures
                .iter()
                .find(|failure| failure.subject == name);
            failure
                .map(|failure| failure.examples.clone())
                .unwrap_or_default()
        };
        let masked = "persons = 1, who = [masked], tag = [masked], most = [masked]";
        assert_eq!(shown("nobody"), [masked, masked], "{report:#?}");
        assert_eq!(shown("no_month"), ["month = 2024-01-01, total_won = -2"]);
        let of_view = report
            .models
            .iter()
            .find_map(|model| model.test_failures.first());
        let of_view = of_view.unwrap();
        assert_eq!(of_view.examples, ["who = [masked], paid_won = [masked]"]);
        let rows = "select failing_row from ops.test_failures";
        let kept = texts(&fixture, &files, rows).await;
        assert!(
            kept.len() >= 4 && kept.iter().all(|row| !row.contains("77")),
            "{kept:?}"
        );
    });
}

#[test]
fn failing_rows_are_kept_masked_and_leave_when_the_test_passes() {
    run(async {
        let fixture = Fixture::new().await;
        fixture
            .deliver("2024-01-01", &[(771, -5), (772, 3), (773, -7)])
            .await;
        let report = fixture.build(&sql()).await;
        assert!(!report.succeeded());
        let rows = "select subject || ' ' || test || ' ' || failing_row from ops.test_failures order by row_number";
        let kept = texts(&fixture, &sql(), rows).await;
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(
            kept[0].starts_with("core.income range(paid_won) {"),
            "{kept:?}"
        );
        assert!(
            kept.iter()
                .all(|row| row.contains("[masked]") && !row.contains("77")),
            "{kept:?}"
        );
        let results =
            "select subject || ' ' || test || ' ' || result from ops.test_results order by 1";
        let found = texts(&fixture, &sql(), results).await;
        assert!(
            found.contains(&"core.income range(paid_won) fail".to_owned()),
            "{found:?}"
        );
        assert!(
            found.contains(&"core.income grain(person_key, month) pass".to_owned()),
            "{found:?}"
        );

        let many: Vec<(i64, i128)> = (0..30_000)
            .map(|row| (100_000 - row, i128::from(row % 701) - 700))
            .collect();
        fixture.deliver("2024-01-01", &many).await;
        let report = fixture.build(&sql()).await;
        let failing = |model: &ModelReport| Some(model.test_failures.first()?.failing_rows);
        assert_eq!(report.models.iter().find_map(failing), Some(29_958));
        let first = texts(&fixture, &sql(), rows).await;
        assert_eq!(first.len(), 50);

        fixture
            .deliver("2024-01-01", &[(771, 5), (772, 3), (773, 7)])
            .await;
        assert!(fixture.build(&sql()).await.succeeded());
        assert!(texts(&fixture, &sql(), rows).await.is_empty());
        let found = texts(&fixture, &sql(), results).await;
        assert!(found.iter().all(|row| row.ends_with(" pass")), "{found:?}");
        let before = fixture.hashes().await;
        assert!(fixture.build(&sql()).await.did_nothing());
        assert_eq!(
            fixture.hashes().await,
            before,
            "nothing new, nothing written"
        );
    });
}

#[test]
fn reading_test_results_makes_nothing_stale() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 5)]).await;
        let header = "/*---\ndescription: d\ngrain: [tests]\nexpects: {ops.test_results: {subject: string}}\n---*/\n";
        let body = "select count(subject) as tests from {{ ops('test_results') }}";
        let files = with("marts/tested.sql", &format!("{header}{body}"));
        fixture.build(&files).await;
        // Once more, because the table did not exist when it was first read.
        fixture.build(&files).await;
        assert!(fixture.build(&files).await.did_nothing());
    });
}

#[test]
fn warning_is_reported_and_where_narrows_the_rows_tested() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, -5), (2, 3)]).await;
        let tests = |tests: &str| INCOME.replace("{range: {min: 0}}", tests);
        let files = with(
            "core/income.sql",
            &tests("{range: {min: 0}, severity: warn}"),
        );
        let report = fixture.build(&files).await;
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(of(&report, "marts.quarter").0, Outcome::Built);
        let model = report
            .models
            .iter()
            .find(|model| model.table == table("core.income"));
        assert!(model.unwrap().test_failures[0].warning);
        for (test, passes) in [
            ("{range: {min: 0}, where: \"person_key > 1\"}", true),
            ("{range: {min: 0}, where: \"person_key < 2\"}", false),
            ("{expression: \"paid_won > -9\"}", true),
            ("unique, where: \"person_key > 0\"", true),
        ] {
            let test = if test.starts_with('{') {
                test.to_owned()
            } else {
                format!("{{unique: , {}}}", &test[8..])
            };
            let report = fixture.build(&with("core/income.sql", &tests(&test))).await;
            assert_eq!(report.succeeded(), passes, "{test}: {report:#?}");
        }
    });
}

#[test]
fn test_that_cannot_run_is_told_with_its_line() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 5)]).await;
        let text = INCOME.replace("{range: {min: 0}}", "{expression: \"paid_wn > 0\"}");
        let report = fixture.build(&with("core/income.sql", &text)).await;
        let reason = reason(&report, "core.income");
        assert!(reason.contains("core/income.sql:8: "), "{reason}");
        assert!(reason.contains("did you mean"), "{reason}");
    });
}

#[test]
fn run_computes_without_tests_and_test_tests_without_computing() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, -5)]).await;
        let engine = fixture.engine(&sql(), 2);
        let mode = |run, test| BuildMode {
            run,
            test,
            fail_fast: false,
        };
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let report = engine
            .build(&plan.with_mode(mode(true, false)), &Silent)
            .await
            .unwrap();
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(of(&report, "marts.quarter").0, Outcome::Built);
        fixture.deliver("2024-01-01", &[(1, 5)]).await;
        let engine = fixture.engine(&sql(), 2);
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let report = engine
            .build(&plan.with_mode(mode(false, true)), &Silent)
            .await
            .unwrap();
        assert!(!report.succeeded(), "the stored rows are still wrong");
        assert!(
            report
                .models
                .iter()
                .all(|model| model.outcome != Outcome::Built)
        );
    });
}

#[test]
fn fail_fast_begins_nothing_after_a_failure() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, -5)]).await;
        let mut files = sql();
        for (path, text) in [
            (
                "marts/apart_a.sql",
                "select count(*) as person_key from {{ source('pay') }}",
            ),
            (
                "marts/apart_b.sql",
                "select 1 + person_key as person_key from {{ ref('apart_a') }}",
            ),
            (
                "marts/apart_c.sql",
                "select 1 + person_key as person_key from {{ ref('apart_b') }}",
            ),
        ] {
            files.insert(path.into(), format!("{HEADER}{text}"));
        }
        files.insert(
            "core/at_once.sql".into(),
            format!("{HEADER}select nothing as person_key"),
        );
        let engine = fixture.engine(&files, 1);
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let mode = BuildMode {
            fail_fast: true,
            ..BuildMode::default()
        };
        let report = engine.build(&plan.with_mode(mode), &Silent).await.unwrap();
        assert_eq!(
            of(&report, "marts.apart_c").0,
            Outcome::HeldBack,
            "{report:#?}"
        );
        assert!(report.models.len() >= 7);
    });
}

const UNIT: &str = "\
unit_tests:
  - name: two months are added
    month: 2024-02
    given:
      - input: ref('income')
        rows:
          - {person_key: 1, month: 2024-01-01, paid_won: 5}
          - {person_key: 1, month: 2024-02-01, paid_won: 6}
    expect:
      rows:
        - {person_key: 1, paid_won: WANTED}
";

#[test]
fn unit_tests_run_on_the_project_alone_and_tell_the_difference_by_row() {
    run(async {
        for (wanted, differences) in [
            ("11", vec![]),
            (
                "12",
                vec!["row person_key = 1: paid_won is 11, expected 12".to_owned()],
            ),
            ("x", vec!["expected rows: `paid_won` is".to_owned()]),
            (
                "11}\n        - {person_key: 2, paid_won: 3",
                vec!["expected, not found: person_key = 2, paid_won = 3".to_owned()],
            ),
        ] {
            let files = with("marts/quarter.test.yml", &UNIT.replace("WANTED", wanted));
            let project = Project::from_files(ProjectFiles::from_texts(files)).unwrap();
            let models = Selection::all().resolve(&project).unwrap();
            let reports = run_unit_tests(&project, &models, 1).await.unwrap();
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].passed, differences.is_empty(), "{reports:?}");
            for (found, expected) in reports[0].differences.iter().zip(&differences) {
                assert!(found.starts_with(expected.as_str()), "{found}");
            }
            assert_eq!(
                reports[0].differences.len(),
                differences.len(),
                "{reports:?}"
            );
        }
    });
}

#[test]
fn build_runs_unit_tests_that_changed_keeps_their_results_and_holds_the_model_back() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let results = "select subject || ' ' || result || ' ' || message from ops.test_results \
                       where kind = 'unit' order by subject, test";
        let unit = |wanted: &str| with("marts/quarter.test.yml", &UNIT.replace("WANTED", wanted));

        let wrong = unit("12");
        let report = fixture.build(&wrong).await;
        assert_eq!(of(&report, "marts.quarter").0, Outcome::Failed);
        let why = reason(&report, "marts.quarter");
        assert!(
            why.starts_with("unit: ") && why.ends_with("fails on 1 rows"),
            "{why}"
        );
        let kept = texts(&fixture, &wrong, results).await;
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert!(
            kept[0].starts_with("marts.quarter fail marts/quarter.test.yml:")
                && kept[0].ends_with("paid_won is 11, expected 12"),
            "{kept:?}"
        );

        let right = unit("11");
        let report = fixture.build(&right).await;
        assert_eq!(of(&report, "marts.quarter").0, Outcome::Built);
        let tests_run = |report: &BuildReport| {
            let mut models = report.models.iter();
            models
                .find(|model| model.table == table("marts.quarter"))
                .unwrap()
                .tests_run
        };
        assert!(tests_run(&report) > 0);
        assert_eq!(
            texts(&fixture, &right, results).await,
            ["marts.quarter pass "]
        );

        // Passed with the same texts: known, not run.
        let report = fixture.build(&right).await;
        assert_eq!(tests_run(&report), 0);
        assert_eq!(
            texts(&fixture, &right, results).await,
            ["marts.quarter pass "]
        );

        // A change elsewhere runs nothing here; one of the model itself does, and finds the fault before it is stored.
        let mut edited = right.clone();
        let total = edited["marts/total.sql"].replace("select", "select 1 as one,");
        edited.insert("marts/total.sql".into(), total);
        assert_eq!(tests_run(&fixture.build(&edited).await), 0);
        let quarter = edited["marts/quarter.sql"].replace("sum(", "max(");
        assert_ne!(quarter, edited["marts/quarter.sql"]);
        edited.insert("marts/quarter.sql".into(), quarter);
        let before = fixture.hashes().await;
        let report = fixture.build(&edited).await;
        assert_eq!(of(&report, "marts.quarter").0, Outcome::Failed);
        assert_eq!(
            before.get("marts.quarter"),
            fixture.hashes().await.get("marts.quarter")
        );
    });
}

#[test]
fn unit_tests_of_the_project_pass() {
    run(async {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql");
        let project = Project::load(std::path::Path::new(folder)).unwrap();
        let models = Selection::all().resolve(&project).unwrap();
        let reports = run_unit_tests(&project, &models, 2).await.unwrap();
        let failed: Vec<String> = reports
            .iter()
            .filter(|report| !report.passed)
            .map(|report| {
                format!(
                    "{} {}: {}",
                    report.place,
                    report.name,
                    report.differences.join("\n  ")
                )
            })
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        let tested: std::collections::BTreeSet<&TableName> =
            reports.iter().map(|report| &report.model).collect();
        assert!(tested.len() >= 8, "{tested:?}");
    });
}

#[test]
fn state_of_the_last_build_selects_what_was_edited() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 5)]).await;
        assert_eq!(fixture.engine(&sql(), 1).last_state().await.unwrap(), None);
        fixture.build(&sql()).await;
        let files = with(
            "marts/total.sql",
            &TOTAL.replace("sum(paid_won)", "max(paid_won)"),
        );
        let engine = fixture.engine(&files, 1);
        let selection = Selection {
            select: vec!["state:modified".into()],
            state: engine.last_state().await.unwrap(),
            ..Selection::default()
        };
        let selected = selection.resolve(engine.project()).unwrap();
        assert_eq!(selected, [table("marts.total")].into());
        let plan = engine.plan(&selection, as_of()).await.unwrap();
        assert!(engine.build(&plan, &Silent).await.unwrap().succeeded());
        let after = engine.last_state().await.unwrap();
        let nothing = Selection {
            state: after,
            ..selection
        };
        assert!(nothing.resolve(engine.project()).is_err());
    });
}

#[test]
fn counts_of_results_are_numbers() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, -5), (2, -6)]).await;
        fixture.build(&sql()).await;
        let batches = fixture
            .engine(&sql(), 1)
            .query_latest(
                "select max(failing_rows) as n from ops.test_results",
                as_of(),
            )
            .await
            .unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 2);
    });
}

#[test]
fn jaffle_shop_gives_the_known_results_of_the_public_project() {
    run(async {
        let fixture = Fixture::new().await;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/jaffle_shop");
        let files = ProjectFiles::read(std::path::Path::new(folder)).unwrap();
        let files: BTreeMap<String, String> = files
            .iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .collect();
        let report = fixture.build(&files).await;
        assert!(report.succeeded(), "{:?}", report.failures().next());
        assert_eq!(report.checks_run, 1);
        for (sql, expected) in [
            (
                "select concat_ws(' ', count(*), count(first_order), sum(number_of_orders), sum(customer_lifetime_value)) from {{ ref('customers') }}",
                "100 62 99 1672.00",
            ),
            (
                "select concat_ws(' ', first_order, most_recent_order, number_of_orders, customer_lifetime_value) from {{ ref('customers') }} where customer_id = 1",
                "2018-01-01 2018-02-10 2 33.00",
            ),
            (
                "select concat_ws(' ', sum(credit_card_amount), sum(coupon_amount), sum(bank_transfer_amount), sum(gift_card_amount)) from {{ ref('orders') }}",
                "871 185 411 205",
            ),
            (
                "select concat_ws(' ', count(*) filter (where status = 'completed'), count(*) filter (where status = 'returned')) from {{ ref('orders') }}",
                "67 4",
            ),
        ] {
            let found = texts(&fixture, &files, sql).await;
            let plain = found[0].replace(".000000", "").replace(".00", "");
            assert_eq!(plain, expected.replace(".00", ""), "{sql}");
        }
    });
}
