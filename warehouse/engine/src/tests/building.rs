use super::*;

#[test]
fn second_build_with_nothing_new_does_nothing() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100), (2, 200)]).await;
        fixture.deliver("2024-02-01", &[(1, 110)]).await;
        let first = fixture.build(&sql()).await;
        assert!(first.succeeded(), "{first:#?}");
        assert_eq!(of(&first, "core.income"), (Outcome::Built, 2, 0));
        let before = fixture.hashes().await;
        let second = fixture.build(&sql()).await;
        assert!(second.did_nothing(), "{second:#?}");
        assert_eq!(
            second
                .models
                .iter()
                .map(|model| model.tests_run)
                .sum::<usize>(),
            0
        );
        assert_eq!(fixture.hashes().await, before);
    });
}

#[test]
fn comment_and_layout_edits_rebuild_nothing() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = sql();
        fixture.build(&files).await;
        let edited = INCOME
            .replace("description: pay by month", "description: reworded")
            .replace("select person_key", "-- why\nSELECT person_key");
        files.insert("core/income.sql".into(), edited);
        assert!(fixture.build(&files).await.did_nothing());
    });
}

#[test]
fn text_that_means_the_same_rebuilds_nothing() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = sql();
        let written = "/*---\ndescription: d\ngrain: [person_key]\n---*/\n\
            select i.person_key, sum(i.paid_won) as won from {{ ref('income') }} as i\n\
            join {{ ref('everyone') }} as e on e.person_key = i.person_key group by i.person_key";
        files.insert("marts/won.sql".into(), written.to_owned());
        let view = "/*---\ndescription: d\ngrain: [person_key, month]\nmaterialized: view\n---*/\n\
            select i.* from {{ ref('income') }} as i";
        files.insert("core/everyone.sql".into(), view.to_owned());
        fixture.build(&files).await;
        let dressed = written
            .replace("i.", "pay.")
            .replace("as i", "as pay")
            .replace("e.person_key =", "(who.person_key) =")
            .replace("as e on", "as who on")
            .replace("join", "inner join");
        assert_ne!(dressed, written);
        files.insert("marts/won.sql".into(), dressed);
        let report = fixture.build(&files).await;
        assert!(report.did_nothing(), "{report:?}");

        // A view that is written otherwise means the same to those who read through it.
        let renamed = view
            .replace("i.*", "every_month.*")
            .replace("as i", "as every_month");
        assert_ne!(view, renamed);
        files.insert("core/everyone.sql".into(), renamed);
        let report = fixture.build(&files).await;
        assert!(report.did_nothing(), "{report:?}");

        let other = files["marts/won.sql"].replace("sum(pay.paid_won)", "max(pay.paid_won)");
        files.insert("marts/won.sql".into(), other);
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "marts.won").0, Outcome::Built);
    });
}

#[test]
fn new_month_rebuilds_only_what_reads_it() {
    run(async {
        let fixture = Fixture::new().await;
        for month in ["2024-01-01", "2024-02-01", "2024-03-01"] {
            fixture.deliver(month, &[(1, 100)]).await;
        }
        fixture.build(&sql()).await;
        fixture.deliver("2024-04-01", &[(1, 100), (3, 5)]).await;
        let report = fixture.build(&sql()).await;
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 1, 3));
        assert_eq!(of(&report, "marts.quarter"), (Outcome::Built, 1, 3));
        assert_eq!(of(&report, "marts.total"), (Outcome::Built, 1, 0));
        // February is read by February and March.
        fixture.deliver("2024-02-01", &[(1, 7)]).await;
        let report = fixture.build(&sql()).await;
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 1, 3));
        assert_eq!(of(&report, "marts.quarter"), (Outcome::Built, 2, 2));
        let rows = fixture
            .engine(&sql(), 2)
            .query_latest(
                "select paid_won from {{ ref('quarter') }} where month = date '2024-03-01' and person_key = 1",
                as_of(),
            )
            .await
            .unwrap();
        let won = rows[0]
            .column(0)
            .as_any()
            .downcast_ref::<Decimal128Array>()
            .unwrap();
        assert_eq!(won.value(0), 107);
    });
}

#[test]
fn same_rows_from_other_sql_stop_the_rebuild() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = sql();
        fixture.build(&files).await;
        let version = |fixture: &Fixture| {
            let warehouse = fixture.warehouse.clone();
            async move {
                warehouse
                    .snapshot(&table("core.income"))
                    .await
                    .unwrap()
                    .unwrap()
                    .version
            }
        };
        let before = version(&fixture).await;
        files.insert(
            "core/income.sql".into(),
            INCOME
                .replace(
                    "paid_won\nfrom",
                    "paid_won + 0 * paid_won as paid_won\nfrom",
                )
                .replace(
                    "paid_won + 0 * paid_won",
                    "cast(paid_won as decimal(18, 0))",
                ),
        );
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 1, 0));
        assert_eq!(of(&report, "marts.quarter"), (Outcome::Fresh, 0, 1));
        assert_eq!(version(&fixture).await, before, "nothing is committed");
        assert!(
            fixture.build(&files).await.did_nothing(),
            "and it is remembered"
        );
    });
}

#[test]
fn broken_grain_stores_nothing_and_holds_back_dependants_only() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = sql();
        files.insert(
            "marts/apart.sql".into(),
            "/*---\ndescription: independent\ngrain: [n]\n---*/\nselect count(*) as n from {{ source('pay') }}".into(),
        );
        fixture.build(&files).await;
        let before = fixture.hashes().await;
        fixture
            .deliver("2024-02-01", &[(771, 100), (771, 90)])
            .await;
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "core.income").0, Outcome::Failed);
        assert_eq!(of(&report, "marts.quarter").0, Outcome::HeldBack);
        assert_eq!(of(&report, "marts.total").0, Outcome::HeldBack);
        assert_eq!(of(&report, "marts.apart").0, Outcome::Built);
        assert_eq!(report.exit_code(), 1);
        let reason = &report
            .models
            .iter()
            .find(|m| m.table == table("core.income"))
            .unwrap()
            .reason;
        assert!(
            reason.contains("not unique") && reason.contains("[masked]"),
            "{reason}"
        );
        assert!(!reason.contains("771"), "{reason}");
        assert_eq!(fixture.hashes().await["core.income"], before["core.income"]);
        let again = fixture.build(&files).await;
        assert_eq!(
            of(&again, "core.income").0,
            Outcome::Failed,
            "and it stays failed"
        );
    });
}

#[test]
fn failing_column_test_holds_back_until_it_passes() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, -5), (2, 3)]).await;
        for _ in 0..2 {
            let report = fixture.build(&sql()).await;
            assert_eq!(of(&report, "core.income").0, Outcome::Failed);
            assert_eq!(of(&report, "marts.quarter").0, Outcome::HeldBack);
            let failure = report.failures().next().unwrap();
            assert_eq!(
                (failure.failing_rows, failure.test.as_str()),
                (1, "range(paid_won)")
            );
            assert!(
                failure.examples[0].contains("person_key = [masked]"),
                "{failure:?}"
            );
        }
        fixture.deliver("2024-01-01", &[(1, 5), (2, 3)]).await;
        assert!(fixture.build(&sql()).await.succeeded());
    });
}

#[test]
fn one_thread_and_two_give_the_same_tables() {
    run(async {
        let mut results = Vec::new();
        for threads in [1, 2] {
            let fixture = Fixture::new().await;
            let rows: Vec<(i64, i128)> = (0..20_000)
                .map(|n| (n * 7919 % 65_537, n as i128))
                .collect();
            fixture.deliver("2024-01-01", &rows).await;
            fixture.deliver("2024-02-01", &rows[..9_000]).await;
            let report = build(&fixture.engine(&sql(), threads)).await;
            assert!(report.succeeded(), "{report:#?}");
            results.push(fixture.hashes().await);
        }
        assert_eq!(results[0], results[1]);
    });
}

#[test]
fn vanished_month_is_emptied() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        fixture.deliver("2024-02-01", &[(1, 100)]).await;
        fixture.build(&sql()).await;
        fixture.deliver("2024-02-01", &[]).await;
        let report = fixture.build(&sql()).await;
        assert!(report.succeeded(), "{report:#?}");
        let snapshot = fixture
            .warehouse
            .snapshot(&table("marts.quarter"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(snapshot.rows(), 1);
        assert!(fixture.build(&sql()).await.did_nothing());
    });
}

#[test]
fn new_column_replaces_the_table_with_all_its_months() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        fixture.deliver("2024-02-01", &[(1, 100)]).await;
        let mut files = sql();
        fixture.build(&files).await;
        files.insert(
            "core/income.sql".into(),
            INCOME.replace("paid_won\nfrom", "paid_won, 1 as statements\nfrom"),
        );
        let report = fixture.build(&files).await;
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 2, 0));
        assert!(fixture.build(&files).await.did_nothing());
    });
}

#[test]
fn source_without_delivery_is_an_empty_table() {
    run(async {
        let fixture = Fixture::new().await;
        let report = fixture.build(&sql()).await;
        assert_eq!(of(&report, "marts.total").0, Outcome::Built, "{report:#?}");
        assert!(report.succeeded(), "{report:#?}");
        assert!(fixture.build(&sql()).await.did_nothing());
        let rows = fixture
            .engine(&sql(), 2)
            .query_latest("select count(*) as n from staging.pay", as_of())
            .await
            .unwrap();
        assert_eq!(
            rows[0]
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap()
                .value(0),
            0
        );
    });
}

#[test]
fn table_of_a_job_that_has_not_run_holds_nothing_up() {
    run(async {
        let fixture = Fixture::new().await;
        let mut files = sql();
        let scored = |expects: &str| {
            format!(
                "/*---\ndescription: d\ngrain: [person_key]\n{expects}---*/\nselect person_key, score from {{{{ model('success') }}}}"
            )
        };
        files.insert("marts/scored.sql".into(), scored(""));
        files.insert(
            "marts/expected.sql".into(),
            scored("expects: {models.success: {person_key: bigint, score: float}}\n"),
        );
        files
            .remove("marts/scored.sql")
            .map(|text| files.insert("marts/scored.sql".into(), text));
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "marts.expected").0, Outcome::Built);
        assert_eq!(report.exit_code(), 0, "{report:#?}");
    });
}

#[test]
fn seeds_are_typed_checked_and_built_once() {
    run(async {
        let fixture = Fixture::new().await;
        let mut files = sql();
        let yaml = "seed: wage\norigin: a notice\nkey: [year]\ncolumns:\n  - {name: year, type: int}\n  - {name: hourly_won, type: won}\n";
        files.insert("seeds/wage.yml".into(), yaml.into());
        files.insert(
            "seeds/wage.csv".into(),
            "year,hourly_won\n2025,10030\n2024,9860\n".into(),
        );
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "seed.wage"), (Outcome::Built, 1, 0));
        assert_eq!(
            of(&fixture.build(&files).await, "seed.wage").0,
            Outcome::Fresh
        );
        files.insert(
            "seeds/wage.csv".into(),
            "year,hourly_won\n2025,10030\n2025,9860\n".into(),
        );
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "seed.wage").0, Outcome::Failed);
    });
}

#[test]
fn checks_report_rows_and_rest_when_nothing_changed() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = sql();
        files.insert(
            "checks/positive.sql".into(),
            "select person_key, paid_won from {{ ref('income') }} where paid_won > 150".into(),
        );
        let report = fixture.build(&files).await;
        assert_eq!(
            (report.checks_run, report.checks_fresh, report.exit_code()),
            (1, 0, 0)
        );
        let report = fixture.build(&files).await;
        assert_eq!((report.checks_run, report.checks_fresh), (0, 1));
        fixture.deliver("2024-02-01", &[(1, 200)]).await;
        let report = fixture.build(&files).await;
        assert_eq!(report.exit_code(), 1);
        assert_eq!(report.check_failures[0].failing_rows, 1);
        assert!(report.check_failures[0].examples[0].contains("[masked]"));
    });
}

#[test]
fn model_that_asks_the_clock_is_refused() {
    run(async {
        let fixture = Fixture::new().await;
        let mut files = sql();
        files.insert(
            "marts/clock.sql".into(),
            "/*---\ndescription: d\ngrain: [d]\n---*/\nselect current_date() as d".into(),
        );
        let report = fixture.build(&files).await;
        assert_eq!(of(&report, "marts.clock").0, Outcome::Failed, "{report:#?}");
    });
}

#[test]
fn every_model_of_the_project_is_planned_without_a_delivery() {
    run(async {
        let fixture = Fixture::new().await;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql");
        let files = ProjectFiles::read(std::path::Path::new(folder)).unwrap();
        let files = files
            .iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()));
        let engine = fixture.engine(&files.collect(), 2);
        let report = build(&engine).await;
        let failed: Vec<String> = report
            .models
            .iter()
            .filter(|model| matches!(model.outcome, Outcome::Failed | Outcome::HeldBack))
            .map(|model| format!("{}: {}", model.table, model.reason))
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        assert!(build(&engine).await.did_nothing());
    });
}

#[test]
fn deciding_that_nothing_is_to_do_plans_no_query() {
    run(async {
        let fixture = Fixture::new().await;
        for month in 1..=12 {
            let rows: Vec<(i64, i128)> = (0..100).map(|person| (person, 100)).collect();
            fixture.deliver(&format!("2024-{month:02}-01"), &rows).await;
        }
        let mut files = sql();
        for number in 0..40 {
            let text = QUARTER.replace("sum(paid_won)", &format!("sum(paid_won + {number})"));
            files.insert(format!("marts/quarter_{number}.sql"), text);
        }
        let report = fixture.build(&files).await;
        assert!(report.succeeded(), "{report:#?}");
        let engine = fixture.engine(&files, 2);
        assert!(build(&engine).await.did_nothing());
    });
}

#[test]
fn join_that_does_not_fit_the_memory_is_planned_again_and_spills() {
    const PAIRED: &str = "select a.person_key, a.paid_won as one, b.paid_won as two, a._delivery_id as text\n\
         from {{ source('pay') }} as a join {{ source('pay') }} as b on a.person_key = b.person_key";
    run(async {
        let fixture = Fixture::new().await;
        let rows: Vec<(i64, i128)> = (0..3_200_000)
            .map(|n| (n * 7_919 % 3_200_003, n as i128))
            .collect();
        fixture.deliver("2024-01-01", &rows).await;
        let mut files = sql();
        let header = "/*---\ndescription: d\ngrain: [person_key]\n---*/\n";
        files.insert("marts/paired.sql".into(), format!("{header}{PAIRED}"));
        let project = Project::from_files(ProjectFiles::from_texts(files)).unwrap();
        let config = EngineConfig {
            threads: 2,
            memory_limit_bytes: 80 << 20,
            ..EngineConfig::default()
        };
        let engine = Engine::new(fixture.warehouse.clone(), project, config).unwrap();
        let once =
            format!("select count(one), count(two), count(text), max(person_key) from ({PAIRED})");
        let error = engine.query_latest(&once, as_of()).await.unwrap_err();
        assert!(error.is_memory(), "planned once, it does not fit: {error}");
        let plan = engine
            .plan(&Selection::of(["paired"]), as_of())
            .await
            .unwrap();
        let report = engine.build(&plan, &Silent).await.unwrap();
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(report.models[0].rows, 3_200_000);
        let spill = fixture.warehouse.root().join("state/spill");
        for folder in std::fs::read_dir(spill).unwrap() {
            let left = std::fs::read_dir(folder.unwrap().path()).unwrap().count();
            assert_eq!(left, 0, "no spilled row stays");
        }
    });
}
