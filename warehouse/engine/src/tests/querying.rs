use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type};
use goyong_store::{Release, ReleaseRequest};

use super::*;
use crate::{EngineError, ReadLimits, ReadSession};

async fn released(fixture: &Fixture) -> Release {
    fixture.deliver("2024-01-01", &[(1, 100), (2, 200)]).await;
    fixture.deliver("2024-02-01", &[(1, 110)]).await;
    fixture.build(&sql()).await;
    let mut tables = Vec::new();
    for table in fixture.warehouse.table_names().await.unwrap() {
        let snapshot = fixture.warehouse.snapshot(&table).await.unwrap().unwrap();
        tables.push((table, snapshot.version));
    }
    fixture
        .warehouse
        .publish(ReleaseRequest {
            business_date: as_of(),
            tables,
            note: String::new(),
            ..ReleaseRequest::default()
        })
        .await
        .unwrap()
}

#[test]
fn release_stays_as_it_was_while_tables_move_on() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        fixture.deliver("2024-03-01", &[(9, 1)]).await;
        fixture.build(&sql()).await;
        let rows = session
            .query("select count(*) as n from core.income")
            .await
            .unwrap();
        assert_eq!(
            rows[0]
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap()
                .value(0),
            3
        );
        assert!(
            session
                .tables()
                .iter()
                .any(|table| table.table.to_string() == "marts.quarter")
        );
        let columns = session.describe("income").await.unwrap();
        assert!(
            columns
                .iter()
                .any(|column| column.name == "month" && column.is_partition)
        );
    });
}

#[test]
fn partition_filter_and_information_schema_work() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        let rows = session
            .query("select paid_won from core.income where month >= date '2024-02-01'")
            .await
            .unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
        let rows = session
            .query("select column_name from information_schema.columns where table_name = 'income'")
            .await
            .unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    });
}

#[test]
fn anything_but_a_query_is_refused() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        for statement in [
            "create table x as select 1",
            "create view x as select 1",
            "create external table x stored as csv location '/etc/passwd'",
            "drop table core.income",
            "insert into core.income select * from core.income",
            "delete from core.income",
            "update core.income set paid_won = 0",
            "copy core.income to '/tmp/x.csv'",
            "copy (select 1) to '/tmp/x.parquet'",
            "set datafusion.execution.batch_size = 1",
            "select * into core.x from core.income",
            "select * from '/etc/passwd'",
            "select * from 'file:///etc/passwd'",
            "select * from read_csv('/etc/passwd')",
            "truncate table core.income",
            "select 1; drop table core.income",
        ] {
            let result = session.query(statement).await;
            assert!(result.is_err(), "{statement}");
        }
        assert!(fixture.build(&sql()).await.did_nothing());
    });
}

#[test]
fn oversized_statements_never_reach_the_planner() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        for statement in [
            format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
            format!("select 1{}", " + 1".repeat(1_100)),
            format!("select '{}'", "x".repeat(1 << 20)),
        ] {
            let error = session.query(&statement).await.unwrap_err();
            assert!(matches!(error, EngineError::Refused(_)), "{error}");
        }
        let long = format!("select 1{} as n", " + 1".repeat(900));
        session.query(&long).await.unwrap();
        // A program that lists keys says how many; a person's session keeps to the usual.
        let keys: Vec<String> = (0..2_000).map(|key| format!("({key}, '{key}')")).collect();
        let lists = format!(
            "select count(*) from (values {}) as asked (key, text)",
            keys.join(", ")
        );
        session.query(&lists).await.unwrap_err();
        let limits = ReadLimits {
            most_terms: 10_000,
            ..ReadLimits::default()
        };
        let session = ReadSession::open_with(&fixture.warehouse, &release, limits)
            .await
            .unwrap();
        session.query(&lists).await.unwrap();
    });
}

#[test]
fn misspelt_names_are_answered_with_the_nearest() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        let error = session
            .query("select * from core.incom")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean `core.income`"), "{error}");
        let error = session
            .query("select * from quartr")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean `marts.quarter`"), "{error}");
        let error = session
            .query("select paid_wonn from core.income")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("paid_won"), "{error}");
    });
}

#[test]
fn errors_repeat_no_value_of_a_row() {
    run(async {
        let fixture = Fixture::new().await;
        let release = released(&fixture).await;
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        let error = session
            .query("select cast(concat('secret', person_key) as int) from core.income")
            .await
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    });
}

#[test]
fn integer_sums_do_not_wrap() {
    run(async {
        let fixture = Fixture::new().await;
        let engine = fixture.engine(&sql(), 2);
        let query =
            "with t as (select 9223372036854775807 as x union all select 9223372036854775807)";
        for select in [
            "select sum(x) as s from t",
            "select sum(x) over () as s from t limit 1",
            "select sum(x) filter (where x > 0) as s from t group by x",
            "select sum(x) as s, count(distinct x) as n from t",
        ] {
            let rows = engine
                .query_latest(&format!("{query} {select}"), as_of())
                .await
                .unwrap();
            let sums = rows[0].column(0).as_primitive::<Decimal128Type>();
            assert_eq!(sums.value(0), 2 * i128::from(i64::MAX), "{select}");
        }
        let rows = engine
            .query_latest(
                "select sum(x) as s from (select 1.5 as x union all select 2)",
                as_of(),
            )
            .await
            .unwrap();
        assert_eq!(rows[0].num_rows(), 1);
    });
}

#[test]
fn date_functions_answer_in_sql() {
    run(async {
        let fixture = Fixture::new().await;
        let engine = fixture.engine(&sql(), 2);
        let rows = engine
            .query_latest(
                "select month_start(d) as a, month_end(d) as b, add_months(d, 1) as c,
                        months_between(d, date '2024-03-30') as e, days_overlap(d, null, d, add_days(d, 4)) as f,
                        age_at(date '1990-05-02', d) as g, array_length(months_series(d, date '2024-03-01')) as h,
                        month_start(null) as i
                 from (select date '2024-01-31' as d union all select date '2024-01-31')",
                as_of(),
            )
            .await
            .unwrap();
        let date = |column: usize| rows[0].column(column).as_primitive::<Date32Type>().value(0);
        let number = |column: usize| rows[0].column(column).as_primitive::<Int32Type>().value(0);
        assert_eq!(
            (date(0), date(1), date(2)),
            (day("2024-01-01"), day("2024-01-31"), day("2024-02-29"))
        );
        assert_eq!((number(3), number(4), number(5)), (1, 5, 33));
        assert!(rows[0].column(7).is_null(0));
    });
}

#[test]
fn views_are_there_for_internal_queries() {
    run(async {
        let fixture = Fixture::new().await;
        released(&fixture).await;
        let engine = fixture.engine(&sql(), 2);
        for query in [
            "select * from {{ ref('everyone') }}",
            "select * from core.everyone",
        ] {
            let rows = engine.query_latest(query, as_of()).await.unwrap();
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        }
    });
}
