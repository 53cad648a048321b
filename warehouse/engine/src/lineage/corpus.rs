//! Cases derived by hand: what each construct of SQL does to the lineage of its columns.
//!
//! An expected edge is written `target < table.column how`; the target `*` stands for all columns.
//! `how` is the transform of a value, followed by `total` or `count` where less than the whole value
//! can be read, or the reason of an influence in parentheses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use goyong_types::TableName;

use super::flow::{Carry, How};
use super::planned::Planner;
use super::trace_plan;
use crate::session::{Limits, Purpose, SessionFactory};

struct Case {
    name: &'static str,
    sql: &'static str,
    edges: &'static [&'static str],
}

const fn case(name: &'static str, sql: &'static str, edges: &'static [&'static str]) -> Case {
    Case { name, sql, edges }
}

const CASES: &[Case] = &[
    // select lists
    case("column", "select a from t", &["a < t.a identity"]),
    case(
        "renamed column",
        "select a as b from t",
        &["b < t.a identity"],
    ),
    case(
        "star",
        "select * from s",
        &[
            "k < s.k identity",
            "z < s.z identity",
            "day < s.day identity",
        ],
    ),
    case(
        "star of one side",
        "select t.* from t cross join s",
        &[
            "a < t.a identity",
            "b < t.b identity",
            "k < t.k identity",
            "name < t.name identity",
            "* < s.* (rows)",
        ],
    ),
    case(
        "constant",
        "select 1 as one, a from t",
        &["a < t.a identity"],
    ),
    case(
        "constant alone keeps the table",
        "select 1 as one from t",
        &["* < t.* (rows)"],
    ),
    case("no table", "select 1 as one", &[]),
    case(
        "arithmetic",
        "select a + b * 2 as c from t",
        &["c < t.a transformed", "c < t.b transformed"],
    ),
    case(
        "cast",
        "select cast(a as varchar) as c from t",
        &["c < t.a transformed"],
    ),
    case(
        "nested calls",
        "select upper(trim(name)) as c from t",
        &["c < t.name transformed"],
    ),
    case(
        "concatenation",
        "select name || '-' || cast(a as varchar) as c from t",
        &["c < t.name transformed", "c < t.a transformed"],
    ),
    case(
        "presence",
        "select a is null as c from t",
        &["c < t.a transformed count"],
    ),
    case(
        "comparison",
        "select a > b as c from t",
        &["c < t.a transformed", "c < t.b transformed"],
    ),
    case(
        "between and in list",
        "select a between b and 9 as c, name in ('x', 'y') as d from t",
        &[
            "c < t.a transformed",
            "c < t.b transformed",
            "d < t.name transformed",
        ],
    ),
    case(
        "pattern",
        "select name like 'x%' as c from t",
        &["c < t.name transformed"],
    ),
    // branches
    case(
        "case passes its results and is chosen by its conditions",
        "select case when a > 0 then b else k end as c from t",
        &[
            "c < t.a (conditional)",
            "c < t.b identity",
            "c < t.k identity",
        ],
    ),
    case(
        "case over an operand",
        "select case name when 'x' then a end as c from t",
        &["c < t.name (conditional)", "c < t.a identity"],
    ),
    case(
        "case of constants",
        "select case when a > 0 then 'high' else 'low' end as c from t",
        &["c < t.a (conditional)"],
    ),
    case(
        "coalesce",
        "select coalesce(a, b) as c from t",
        &[
            "c < t.a identity",
            "c < t.a (conditional)",
            "c < t.b identity",
        ],
    ),
    case(
        "nullif",
        "select nullif(a, b) as c from t",
        &[
            "c < t.a identity",
            "c < t.a (conditional)",
            "c < t.b (conditional)",
        ],
    ),
    // rows
    case(
        "where",
        "select a from t where b > 0",
        &["a < t.a identity", "* < t.b (filter)"],
    ),
    case(
        "where with a computed column below",
        "select c from (select a + b as c, k from t) where k = 1",
        &[
            "c < t.a transformed",
            "c < t.b transformed",
            "* < t.k (filter)",
        ],
    ),
    case(
        "order by without limit",
        "select a from t order by b",
        &["a < t.a identity", "* < t.b (sort)"],
    ),
    case(
        "order by with limit",
        "select a from t order by b desc limit 3",
        &["a < t.a identity", "* < t.b (sort)"],
    ),
    case("limit", "select a from t limit 3", &["a < t.a identity"]),
    case(
        "distinct",
        "select distinct a, b from t",
        &[
            "a < t.a identity",
            "b < t.b identity",
            "* < t.a (group_by)",
            "* < t.b (group_by)",
        ],
    ),
    case(
        "distinct on",
        "select distinct on (k) k, a from t order by k, b",
        &[
            "k < t.k identity",
            "a < t.a identity",
            "* < t.k (group_by)",
            "* < t.k (sort)",
            "* < t.b (sort)",
        ],
    ),
    // joins
    case(
        "inner join",
        "select t.a, s.z from t inner join s on s.k = t.k",
        &[
            "a < t.a identity",
            "z < s.z identity",
            "* < t.k (join)",
            "* < s.k (join)",
        ],
    ),
    case(
        "left join",
        "select t.a, s.z from t left join s on s.k = t.k and s.z > t.b",
        &[
            "a < t.a identity",
            "z < s.z identity",
            "* < t.k (join)",
            "* < s.k (join)",
            "* < s.z (join)",
            "* < t.b (join)",
        ],
    ),
    case(
        "right join",
        "select s.z from t right join s on s.k = t.k",
        &["z < s.z identity", "* < t.k (join)", "* < s.k (join)"],
    ),
    case(
        "full join",
        "select coalesce(t.k, s.k) as k from t full join s on s.k = t.k",
        &[
            "k < t.k identity",
            "k < t.k (conditional)",
            "k < s.k identity",
            "* < t.k (join)",
            "* < s.k (join)",
        ],
    ),
    case(
        "cross join",
        "select t.a from t cross join s",
        &["a < t.a identity", "* < s.* (rows)"],
    ),
    case(
        "join by inequality",
        "select t.a from t inner join s on s.z < t.a",
        &["a < t.a identity", "* < s.z (join)", "* < t.a (join)"],
    ),
    case(
        "using",
        "select k, a, z from t inner join s using (k)",
        &[
            "k < t.k identity",
            "a < t.a identity",
            "z < s.z identity",
            "* < t.k (join)",
            "* < s.k (join)",
        ],
    ),
    case(
        "natural join",
        "select a, z from t natural join s",
        &[
            "a < t.a identity",
            "z < s.z identity",
            "* < t.k (join)",
            "* < s.k (join)",
        ],
    ),
    case(
        "self join",
        "select l.a, r.b from t as l inner join t as r on r.k = l.a",
        &[
            "a < t.a identity",
            "b < t.b identity",
            "* < t.a (join)",
            "* < t.k (join)",
        ],
    ),
    case(
        "left semi join",
        "select t.a from t left semi join s on s.k = t.k",
        &["a < t.a identity", "* < t.k (join)", "* < s.k (join)"],
    ),
    case(
        "left anti join",
        "select t.a from t left anti join s on s.k = t.k",
        &["a < t.a identity", "* < t.k (join)", "* < s.k (join)"],
    ),
    case(
        "filter below a join",
        "select t.a from t inner join (select k from s where z > 0) as s on s.k = t.k",
        &[
            "a < t.a identity",
            "* < s.z (filter)",
            "* < t.k (join)",
            "* < s.k (join)",
        ],
    ),
    // groups
    case(
        "group by",
        "select k, sum(a) as c from t group by k",
        &[
            "k < t.k identity",
            "c < t.a aggregated total",
            "* < t.k (group_by)",
        ],
    ),
    case(
        "group by an expression",
        "select a + 1 as g, count(b) as c from t group by a + 1",
        &[
            "g < t.a transformed",
            "c < t.b aggregated count",
            "* < t.a (group_by)",
        ],
    ),
    case(
        "count of rows",
        "select count(*) as c from t",
        &["* < t.* (rows)"],
    ),
    case(
        "count distinct",
        "select count(distinct a) as c from t",
        &["c < t.a aggregated count"],
    ),
    case(
        "minimum keeps the value",
        "select min(a) as low, max(name) as last from t",
        &["low < t.a aggregated", "last < t.name aggregated"],
    ),
    case(
        "average of an expression",
        "select avg(a * b) as c from t",
        &["c < t.a aggregated total", "c < t.b aggregated total"],
    ),
    case(
        "aggregate filter",
        "select sum(a) filter (where b > 0) as c, count(*) as n from t",
        &["c < t.a aggregated total", "c < t.b (filter)"],
    ),
    case(
        "conditional sum",
        "select sum(case when b > 0 then a else 0 end) as c from t",
        &["c < t.a aggregated total", "c < t.b (conditional)"],
    ),
    case(
        "ordered aggregate",
        "select first_value(a order by b) as c from t",
        &["c < t.a aggregated", "c < t.b (sort)"],
    ),
    case(
        "having",
        "select k from t group by k having sum(a) > 10",
        &["k < t.k identity", "* < t.k (group_by)", "* < t.a (filter)"],
    ),
    case(
        "arithmetic over aggregates",
        "select sum(a) / count(b) as c from t",
        &["c < t.a aggregated total", "c < t.b aggregated count"],
    ),
    case(
        "rollup",
        "select k, name, sum(a) as c from t group by rollup (k, name)",
        &[
            "k < t.k identity",
            "name < t.name identity",
            "c < t.a aggregated total",
            "* < t.k (group_by)",
            "* < t.name (group_by)",
        ],
    ),
    case(
        "grouping sets",
        "select k, sum(a) as c from t group by grouping sets ((k), ())",
        &[
            "k < t.k identity",
            "c < t.a aggregated total",
            "* < t.k (group_by)",
        ],
    ),
    // spell functions
    case(
        "gaps between spells",
        "select wage, gap_days, next_start from spell_gaps(p, who, since, until)",
        &[
            "wage < p.wage identity",
            "gap_days < p.since windowed",
            "gap_days < p.until windowed",
            "gap_days < p.who (window)",
            "next_start < p.since windowed",
            "next_start < p.who (window)",
            "* < p.who (window)",
            "* < p.since (window)",
            "* < p.until (window)",
        ],
    ),
    case(
        "merged spells",
        "select who, since, spells from spell_merge(p, who, since, until)",
        &[
            "who < p.who identity",
            "since < p.since windowed",
            "since < p.until windowed",
            "since < p.who (window)",
            "spells < p.since windowed",
            "spells < p.until windowed",
            "spells < p.who (window)",
            "* < p.who (window)",
            "* < p.since (window)",
            "* < p.until (window)",
        ],
    ),
    case(
        "days inside of spells",
        "select wage, z from spell_at((select k as who, day, z from s), p, who, day, since, until)",
        &[
            "wage < p.wage identity",
            "z < s.z identity",
            "* < s.k (join)",
            "* < s.day (join)",
            "* < p.who (join)",
            "* < p.since (join)",
            "* < p.until (join)",
        ],
    ),
    // windows
    case(
        "row number",
        "select a, row_number() over (partition by k order by b) as n from t",
        &["a < t.a identity", "n < t.k (window)", "n < t.b (window)"],
    ),
    case(
        "lag",
        "select lag(a) over (partition by k order by b) as c from t",
        &["c < t.a windowed", "c < t.k (window)", "c < t.b (window)"],
    ),
    case(
        "running sum",
        "select sum(a) over (order by b rows between unbounded preceding and current row) as c from t",
        &["c < t.a windowed total", "c < t.b (window)"],
    ),
    case(
        "window over a group",
        "select k, sum(sum(a)) over (order by k) as c from t group by k",
        &[
            "k < t.k identity",
            "c < t.a aggregated total",
            "c < t.k (window)",
            "* < t.k (group_by)",
        ],
    ),
    case(
        "latest row of a key",
        "select k, a from (select k, a, row_number() over (partition by k order by b desc) as n from t) where n = 1",
        &[
            "k < t.k identity",
            "a < t.a identity",
            "* < t.k (window)",
            "* < t.b (window)",
        ],
    ),
    case(
        "window of the whole table",
        "select a, count(*) over () as c from t",
        &["a < t.a identity"],
    ),
    // set operations
    case(
        "union all",
        "select a as c from t union all select z from s",
        &["c < t.a identity", "c < s.z identity"],
    ),
    case(
        "union",
        "select a as c from t union select z from s",
        &[
            "c < t.a identity",
            "c < s.z identity",
            "* < t.a (group_by)",
            "* < s.z (group_by)",
        ],
    ),
    case(
        "union with a marker",
        "select a as c, 'x' as origin from t union all select z, 'y' from s",
        &["c < t.a identity", "c < s.z identity"],
    ),
    case(
        "intersect",
        "select a from t intersect all select z from s",
        &["a < t.a identity", "* < t.a (join)", "* < s.z (join)"],
    ),
    case(
        "except",
        "select a from t except all select z from s",
        &["a < t.a identity", "* < t.a (join)", "* < s.z (join)"],
    ),
    // subqueries
    case(
        "scalar subquery",
        "select a, (select max(z) from s) as c from t",
        &["a < t.a identity", "c < s.z aggregated"],
    ),
    case(
        "correlated scalar subquery",
        "select (select max(s.z) from s where s.k = t.k) as c from t",
        &["c < s.z aggregated", "c < s.k (filter)", "c < t.k (filter)"],
    ),
    case(
        "exists",
        "select a from t where exists (select 1 from s where s.k = t.k)",
        &["a < t.a identity", "* < s.k (filter)", "* < t.k (filter)"],
    ),
    case(
        "exists without a condition",
        "select a from t where exists (select 1 from s)",
        &["a < t.a identity", "* < s.* (rows)"],
    ),
    case(
        "not exists",
        "select a from t where not exists (select z from s where s.k = t.k and s.z > 1)",
        &[
            "a < t.a identity",
            "* < s.k (filter)",
            "* < t.k (filter)",
            "* < s.z (filter)",
        ],
    ),
    case(
        "in subquery",
        "select a from t where k in (select k from s where z > 0)",
        &[
            "a < t.a identity",
            "* < t.k (filter)",
            "* < s.k (filter)",
            "* < s.z (filter)",
        ],
    ),
    case(
        "in subquery as a value",
        "select a in (select z from s) as c from t",
        &["c < t.a transformed", "c < s.z transformed"],
    ),
    case(
        "subquery in a comparison",
        "select a from t where b > (select avg(z) from s)",
        &["a < t.a identity", "* < t.b (filter)", "* < s.z (filter)"],
    ),
    case(
        "derived table",
        "select d.c from (select a + 1 as c from t) as d",
        &["c < t.a transformed"],
    ),
    case(
        "lateral join",
        "select t.a, d.z from t cross join lateral (select s.z from s where s.k = t.k) as d",
        &[
            "a < t.a identity",
            "z < s.z identity",
            "* < s.k (filter)",
            "* < t.k (filter)",
        ],
    ),
    // common table expressions
    case(
        "chain of expressions",
        "with x as (select a, b from t), y as (select a * 2 as c, b from x where b > 0) select c from y",
        &["c < t.a transformed", "* < t.b (filter)"],
    ),
    case(
        "expression used twice",
        "with x as (select k, a from t) select l.a, r.a as b from x as l inner join x as r on r.k = l.k",
        &["a < t.a identity", "b < t.a identity", "* < t.k (join)"],
    ),
    case(
        "expression that hides a table",
        "with t as (select z as a from s) select a from t",
        &["a < s.z identity"],
    ),
    case(
        "expression with named columns",
        "with x (c) as (select a from t) select c from x",
        &["c < t.a identity"],
    ),
    case(
        "recursion",
        "with recursive x as (select a as n, b from t union all select n + 1, b from x where n < 9) select n, b from x",
        &[
            "n < t.a identity",
            "n < t.a transformed",
            "b < t.b identity",
            "* < t.a (filter)",
        ],
    ),
    case(
        "recursion over another table",
        "with recursive x as (select k, a from t union all select s.z, x.a from x inner join s on s.k = x.k) select k, a from x",
        &[
            "k < t.k identity",
            "k < s.z identity",
            "a < t.a identity",
            "* < s.k (join)",
            "* < t.k (join)",
            "* < s.z (join)",
        ],
    ),
    // lists
    case(
        "values",
        "select v.x, t.a from t cross join (values (1), (2)) as v (x)",
        &["a < t.a identity"],
    ),
    case(
        "unnest of a list",
        "select unnest(list) as c, k from u",
        &[
            "c < u.list transformed",
            "k < u.k identity",
            "* < u.list (join)",
        ],
    ),
    case(
        "list of values",
        "select k, array_agg(a) as c from t group by k",
        &[
            "k < t.k identity",
            "c < t.a aggregated",
            "* < t.k (group_by)",
        ],
    ),
    // functions of the engine
    case(
        "dates of the engine",
        "select add_days(day, 3) as c, days_between(day, date '2024-01-01') as d from s",
        &["c < s.day transformed", "d < s.day transformed"],
    ),
    case(
        "a figure of a figure keeps the least",
        "select max(c) as c from (select k, count(a) as c from t group by k)",
        &["c < t.a aggregated count", "* < t.k (group_by)"],
    ),
];

fn planner(folder: &std::path::Path) -> Planner {
    let limits = Limits {
        threads: 1,
        memory_bytes: 64 << 20,
        spill_bytes: 1 << 20,
    };
    let factory = SessionFactory::without_lake(folder, &limits, Purpose::Build).unwrap();
    let planner = Planner::new(&factory);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    let tables: [(&str, Vec<(&str, DataType)>); 4] = [
        (
            "t",
            vec![
                ("a", DataType::Int64),
                ("b", DataType::Int64),
                ("k", DataType::Int64),
                ("name", DataType::Utf8),
            ],
        ),
        (
            "s",
            vec![
                ("k", DataType::Int64),
                ("z", DataType::Int64),
                ("day", DataType::Date32),
            ],
        ),
        ("u", vec![("k", DataType::Int64), ("list", list)]),
        (
            "p",
            vec![
                ("who", DataType::Int64),
                ("since", DataType::Date32),
                ("until", DataType::Date32),
                ("wage", DataType::Int64),
            ],
        ),
    ];
    for (table, columns) in tables {
        let fields: Vec<Field> = columns
            .into_iter()
            .map(|(name, kind)| Field::new(name, kind, true))
            .collect();
        let table = TableName::new("core", table).unwrap();
        planner.add(&table, Arc::new(Schema::new(fields))).unwrap();
    }
    planner
}

fn written(target: &str, source: &super::ColumnRef, how: How) -> String {
    let how = match how {
        How::Influence(influence) => format!("({})", influence.as_str()),
        How::Value(transform, Carry::Whole) => transform.as_str().to_owned(),
        How::Value(transform, carry) => format!("{} {}", transform.as_str(), carry.as_str()),
    };
    format!(
        "{target} < {}.{} {how}",
        source.table.table(),
        source.column
    )
}

#[tokio::test]
async fn every_construct_gives_the_edges_derived_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let planner = planner(folder.path());
    let mut wrong = Vec::new();
    for case in CASES {
        let plan = match planner.plan(case.sql, case.name).await {
            Ok(plan) => plan,
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let lineage = trace_plan(&plan).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let found: BTreeSet<String> = lineage
            .edges()
            .map(|(target, source, how)| written(target, source, how))
            .collect();
        let expected: BTreeSet<String> = case.edges.iter().map(|edge| (*edge).to_owned()).collect();
        for edge in expected.difference(&found) {
            wrong.push(format!("{}: not found: {edge}", case.name));
        }
        for edge in found.difference(&expected) {
            wrong.push(format!("{}: not expected: {edge}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(CASES.len() >= 60);
}

#[test]
fn no_two_cases_have_the_same_name() {
    let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), CASES.len());
}
