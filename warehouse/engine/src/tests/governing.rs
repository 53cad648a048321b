use std::sync::Arc;

use arrow_array::cast::AsArray;
use goyong_catalog::Role;
use goyong_store::ReleaseRequest;

use super::*;
use crate::{Clearance, EngineError, ReadSession};

const PAY_OF_PERSONS: &str = "\
/*---
description: pay by person
grain: [person_key]
columns: {person_key: {tags: [key]}}
---*/
select person_key, sum(paid_won) as paid_won, count(*) as months from {{ ref('income') }} group by person_key
";

fn governed() -> BTreeMap<String, String> {
    let mut files = sql();
    let pay = PAY.replace(
        "name: person_key, type: bigint",
        "name: person_key, type: bigint, tags: [pseudonym]",
    );
    files.insert("sources/pay.yml".into(), pay);
    files.insert("marts/pay_of_persons.sql".into(), PAY_OF_PERSONS.into());
    files
}

async fn text(fixture: &Fixture, sql: &str) -> Vec<String> {
    let engine = fixture.engine(&governed(), 2);
    let batches = engine.query_latest(sql, as_of()).await.unwrap();
    let mut lines = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| column.as_string::<i32>().value(row));
            lines.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

#[test]
fn build_writes_the_direct_edges_and_a_second_one_writes_nothing() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100), (2, 200)]).await;
        fixture.build(&governed()).await;
        let query = "select target_table, target_column, source_table, source_column, kind, subtype \
                     from ops.lineage where target_table = 'marts.pay_of_persons' order by 1, 2, 3, 4, 5, 6";
        assert_eq!(
            text(&fixture, query).await,
            [
                "marts.pay_of_persons * core.income person_key influence group_by",
                "marts.pay_of_persons paid_won core.income paid_won value aggregated",
                "marts.pay_of_persons person_key core.income person_key value identity",
            ]
        );
        let table: TableName = "ops.lineage".parse().unwrap();
        let version = fixture
            .warehouse
            .snapshot(&table)
            .await
            .unwrap()
            .unwrap()
            .version;
        fixture.build(&governed()).await;
        let again = fixture
            .warehouse
            .snapshot(&table)
            .await
            .unwrap()
            .unwrap()
            .version;
        assert_eq!(version, again);
    });
}

#[test]
fn inherited_tags_stand_beside_the_stored_columns() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        fixture.build(&governed()).await;
        let table: TableName = "marts.pay_of_persons".parse().unwrap();
        let snapshot = fixture.warehouse.snapshot(&table).await.unwrap().unwrap();
        assert_eq!(snapshot.columns["person_key"].tags, ["key", "pseudonym"]);
        assert!(
            snapshot
                .columns
                .get("months")
                .is_none_or(|note| note.tags.is_empty())
        );
    });
}

#[test]
fn model_that_breaks_a_rule_fails_and_its_dependants_are_held_back() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = governed();
        files.insert(
            "marts/pay_of_persons.sql".into(),
            PAY_OF_PERSONS.replace(
                "columns:",
                "declassify: {months: {remove: [pseudonym], reason: a count}}\ncolumns:",
            ),
        );
        let engine = fixture.engine(&files, 2);
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let step = plan
            .steps
            .iter()
            .find(|step| step.table.table() == "pay_of_persons")
            .unwrap();
        assert!(
            step.reason.contains("does not have the tag `pseudonym`"),
            "{}",
            step.reason
        );
        let report = engine.build(&plan, &Silent).await.unwrap();
        let model = report
            .models
            .iter()
            .find(|model| model.table.table() == "pay_of_persons")
            .unwrap();
        assert_eq!(model.outcome, Outcome::Failed);
        assert_eq!(model.version, None);
    });
}

#[test]
fn report_above_its_clearance_stops_plan_and_build() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let mut files = governed();
        files.insert(
            "reports/pay.yml".into(),
            "slug: pay\ntables:\n  - name: list\n    sql: select person_key from {{ ref('pay_of_persons') }}\n    disclosure: {}\n".into(),
        );
        let engine = fixture.engine(&files, 2);
        let error = engine.plan(&Selection::all(), as_of()).await.unwrap_err();
        assert!(
            error.to_string().contains("person_key ← marts.pay_of_persons.person_key ← core.income.person_key ← staging.pay.person_key"),
            "{error}"
        );
    });
}

#[test]
fn role_receives_counts_and_no_person() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100), (2, 200)]).await;
        fixture.build(&governed()).await;
        let mut tables = Vec::new();
        for table in fixture.warehouse.table_names().await.unwrap() {
            let snapshot = fixture.warehouse.snapshot(&table).await.unwrap().unwrap();
            tables.push((table, snapshot.version));
        }
        let request = ReleaseRequest {
            business_date: as_of(),
            tables,
            note: String::new(),
            ..ReleaseRequest::default()
        };
        let release = fixture.warehouse.publish(request).await.unwrap();
        let lineage = fixture.engine(&governed(), 2).lineage().await.unwrap();
        let clearance = |schemas: &[&str]| Clearance {
            role: "analyst".into(),
            rules: Role {
                schemas: schemas.iter().map(|schema| (*schema).to_owned()).collect(),
                ..Role::default()
            },
            lineage: Arc::clone(&lineage),
        };
        let open = async |schemas: &[&str]| {
            let session = ReadSession::open(&fixture.warehouse, &release)
                .await
                .unwrap();
            session.with_clearance(clearance(schemas))
        };
        let session = open(&[]).await;
        for allowed in [
            "select count(distinct person_key) as n from marts.pay_of_persons",
            "select sum(paid_won) as won from income where person_key > 0",
            "select count(*) as n from core.income as a inner join core.income as b on a.person_key = b.person_key",
            "select table_name from information_schema.tables",
        ] {
            session
                .query(allowed)
                .await
                .unwrap_or_else(|error| panic!("{allowed}: {error}"));
        }
        for refused in [
            "select person_key from marts.pay_of_persons",
            "select * from income",
            "select max(person_key) + 1 as x from warehouse.core.income",
            "with p as (select person_key as k from core.income) select case when k > 1 then k end as x from p",
            "select (select min(person_key) from core.income) as x",
            "select a.paid_won, b.person_key from core.income as a, lateral (select i.person_key from core.income as i where i.person_key = a.person_key) as b",
            "select array_agg(person_key) as x from core.income",
            "select paid_won as x from core.income union all select person_key from core.income",
        ] {
            let error = session.query(refused).await.unwrap_err();
            assert!(
                matches!(&error, EngineError::Refused(text) if text.contains("may not receive `pseudonym`")),
                "{refused}: {error}"
            );
        }
        for refused in [
            "explain select 1",
            "explain analyze select * from core.income",
        ] {
            let error = session.query(refused).await.unwrap_err();
            assert!(
                matches!(&error, EngineError::Refused(text) if text.contains("queries only")),
                "{refused}: {error}"
            );
        }
        let session = open(&["marts"]).await;
        session
            .query("select count(*) as n from marts.total")
            .await
            .unwrap();
        let error = session
            .query("select count(*) as n from core.income")
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("may not read core.income, only marts"),
            "{error}"
        );
    });
}
