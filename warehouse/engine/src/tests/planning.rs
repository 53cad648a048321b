//! What a plan says, and builds limited to months.

use super::*;
use crate::BuildScope;
use goyong_types::Month;

fn months(from: &str, to: &str) -> Option<(Month, Month)> {
    Some((from.parse().unwrap(), to.parse().unwrap()))
}

async fn three_months() -> Fixture {
    let fixture = Fixture::new().await;
    for month in ["2024-01-01", "2024-02-01", "2024-03-01"] {
        fixture.deliver(month, &[(1, 100), (2, 50)]).await;
    }
    assert!(fixture.build(&sql()).await.succeeded());
    fixture
}

#[test]
fn plan_names_what_changed_the_months_and_what_it_costs() {
    run(async {
        let fixture = three_months().await;
        fixture.deliver("2024-02-01", &[(1, 7)]).await;
        fixture.deliver("2024-04-01", &[(1, 7)]).await;
        let mut files = sql();
        let total = TOTAL.replace(
            "sum(paid_won) as paid_won",
            "sum(paid_won) as won, max(paid_won) as paid_won",
        );
        files.insert("marts/total.sql".into(), total);
        let engine = fixture.engine(&files, 1);
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let details = engine.describe(&plan).await.unwrap();
        let of = |name: &str| {
            let position = plan
                .steps
                .iter()
                .position(|step| step.table == table(name))
                .unwrap();
            (&plan.steps[position], &details[position])
        };
        let (income, costs) = of("core.income");
        assert_eq!(
            income.reason,
            "1 new months; staging.pay changed for 1 months"
        );
        assert_eq!(income.partitions, ["2024-02", "2024-04"]);
        assert_eq!(costs.rows_to_read, 2, "one row each");
        assert_eq!(
            costs.rows_to_write,
            Some(4),
            "as many as stored, a new month counts as the mean"
        );
        assert!(costs.bytes_to_read > 0 && costs.bytes_to_write.is_some());
        assert_eq!(
            costs.affects,
            [
                table("core.everyone"),
                table("marts.quarter"),
                table("marts.total")
            ]
        );
        let (total, costs) = of("marts.total");
        assert_eq!(total.reason, "its SQL changed");
        assert_eq!(costs.columns.len(), 2, "{:?}", costs.columns);
        assert!(
            costs.columns[0].starts_with("~ paid_won Decimal128(28, 0)"),
            "{:?}",
            costs.columns
        );
        assert!(
            costs.columns[1].starts_with("+ won "),
            "{:?}",
            costs.columns
        );
        let (quarter, _) = of("marts.quarter");
        assert_eq!(quarter.follows, [table("core.income")]);
    });
}

#[test]
fn backfill_computes_its_months_again_and_no_others() {
    run(async {
        let fixture = three_months().await;
        fixture.deliver("2024-01-01", &[(1, 1)]).await;
        let engine = fixture.engine(&sql(), 1);
        let scope = |full_refresh, months| BuildScope {
            full_refresh,
            months,
        };
        // January is stale and stays outside; February and March are fresh and computed again.
        let backfill = scope(true, months("2024-02", "2024-04"));
        let plan = engine
            .plan_scope(&Selection::all(), as_of(), backfill)
            .await
            .unwrap();
        let (_, _, count) = plan.months().unwrap();
        assert_eq!(count, 2);
        let report = engine.build(&plan, &Silent).await.unwrap();
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 2, 1));
        assert_eq!(of(&report, "marts.total").0, Outcome::Fresh);
        // A build of January alone fills what is stale in it.
        let january = scope(false, months("2024-01", "2024-02"));
        let plan = engine
            .plan_scope(&Selection::all(), as_of(), january)
            .await
            .unwrap();
        let report = engine.build(&plan, &Silent).await.unwrap();
        assert_eq!(of(&report, "core.income"), (Outcome::Built, 1, 2));
        assert!(fixture.build(&sql()).await.succeeded());
        let before = fixture.hashes().await["core.income"].clone();
        let plan = engine
            .plan_full_refresh(&Selection::all(), as_of())
            .await
            .unwrap();
        engine.build(&plan, &Silent).await.unwrap();
        assert_eq!(fixture.hashes().await["core.income"], before);
    });
}

#[test]
fn interval_that_means_nothing_is_an_error_that_says_what_there_is() {
    run(async {
        let fixture = three_months().await;
        let engine = fixture.engine(&sql(), 1);
        for (select, interval, message) in [
            (
                "income",
                months("2024-03", "2024-03"),
                "the end is exclusive",
            ),
            (
                "income",
                months("2024-03", "2024-01"),
                "is not after its start",
            ),
            (
                "income",
                months("2023-01", "2023-06"),
                "their months go from 2024-01 to 2024-03",
            ),
            (
                "total",
                months("2024-01", "2024-06"),
                "none of the selected models is kept by month",
            ),
        ] {
            let scope = BuildScope {
                full_refresh: true,
                months: interval,
            };
            let refused = engine
                .plan_scope(&Selection::of([select]), as_of(), scope)
                .await;
            let error = refused.err().unwrap().to_string();
            assert!(error.contains(message), "{error}");
        }
    });
}
