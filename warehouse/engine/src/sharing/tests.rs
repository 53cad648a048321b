#![allow(clippy::unwrap_used)]

use arrow_array::{Int64Array, StringArray};
use datafusion::catalog::{
    CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider,
};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{col, lit};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::SessionContext;
use tempfile::TempDir;

use super::*;
use crate::session::{Limits, Purpose, SessionFactory};

const PERSONS: i64 = 2_000;
const MONTHS: i64 = 20;

/// `paid`: persons with twenty months each, in two partitions and many batches; `person`: each person once.
fn session(folder: &TempDir, memory_bytes: usize) -> SessionContext {
    let limits = Limits {
        threads: 2,
        memory_bytes,
        spill_bytes: 1 << 30,
    };
    let spill = folder.path().join("spill");
    let factory = SessionFactory::without_lake(&spill, &limits, Purpose::Read).unwrap();
    let core: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
    let schemas = MemoryCatalogProvider::new();
    schemas.register_schema("core", Arc::clone(&core)).unwrap();
    let batch = |rows: std::ops::Range<i64>| {
        let person: Int64Array = rows.clone().map(|row| row / MONTHS).collect();
        let month: Int64Array = rows.clone().map(|row| row % MONTHS).collect();
        let amount: Int64Array = rows.clone().map(|row| row * 7919 % 10_007).collect();
        let payer = rows.map(|row| Some(format!("payer {}", row * 31 % 501)));
        arrow_array::RecordBatch::try_from_iter([
            ("person", Arc::new(person) as _),
            ("month", Arc::new(month) as _),
            ("amount", Arc::new(amount) as _),
            ("payer", Arc::new(payer.collect::<StringArray>()) as _),
        ])
        .unwrap()
    };
    let batches: Vec<_> = (0..PERSONS * MONTHS / 500)
        .map(|number| batch(number * 500..(number + 1) * 500))
        .collect();
    let (first, second) = batches.split_at(batches.len() / 2);
    let paid = MemTable::try_new(batches[0].schema(), vec![first.to_vec(), second.to_vec()]);
    core.register_table("paid".into(), Arc::new(paid.unwrap()))
        .unwrap();
    let person: Int64Array = (0..PERSONS).collect();
    let persons = arrow_array::RecordBatch::try_from_iter([("person", Arc::new(person) as _)]);
    let persons = persons.unwrap();
    let person = MemTable::try_new(persons.schema(), vec![vec![persons]]).unwrap();
    core.register_table("person".into(), Arc::new(person))
        .unwrap();
    factory.session(Arc::new(schemas), false)
}

fn lines(batches: &[arrow_array::RecordBatch]) -> Vec<String> {
    let text = datafusion::arrow::util::pretty::pretty_format_batches(batches);
    let mut lines: Vec<String> = text
        .unwrap()
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn text_of(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(false).to_string()
}

/// The plan that shares parts, after it ran, and its rows; they are those of the plan that does not.
async fn run(session: &SessionContext, sql: &str) -> (Arc<dyn ExecutionPlan>, Vec<String>) {
    let written = session.sql(sql).await.unwrap();
    let expected = lines(&written.clone().collect().await.unwrap());
    let shared = computed_once(written).unwrap();
    let plan = shared.create_physical_plan().await.unwrap();
    let rows = collect(Arc::clone(&plan), session.task_ctx())
        .await
        .unwrap();
    let rows = lines(&rows);
    assert_eq!(rows, expected, "{sql}\n{}", text_of(&plan));
    (plan, rows)
}

const YEARLY: &str = "with yearly as (
    select person, month / 10 as half, sum(amount) as amount, count(*) as months, max(payer) as payer
    from paid group by 1, 2
)";

#[tokio::test]
async fn a_group_by_what_determines_other_columns_stays_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let sql = "with busy as (
        select payer, count(distinct person) as persons from paid group by payer having count(distinct person) > 3
    ),
    use_of as (
        select busy.payer, busy.persons, paid.month, min(paid.amount) as least
        from busy inner join paid on paid.payer = busy.payer
        group by busy.payer, busy.persons, paid.month
    ),
    pattern as (select payer, min(least) as least from use_of group by payer)
    select use_of.payer, use_of.month, pattern.least, other.least as later
    from use_of inner join pattern on pattern.payer = use_of.payer
    left join use_of as other on other.payer = use_of.payer and other.month = use_of.month + 1";
    let (plan, rows) = run(&session, sql).await;
    assert!(rows.len() > 501, "{}", rows.len());
    let text = text_of(&plan);
    assert!(text.contains("shared by 2"), "{text}");
}

#[tokio::test]
async fn rows_are_the_same_however_often_a_part_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let cases = [
        // A self-join.
        ("select a.person, b.amount - a.amount as more from yearly a join yearly b
          on a.person = b.person and a.half = 0 and b.half = 1", "shared by 2"),
        // Both sides of a union, each with columns and conditions of its own.
        ("select person, amount from yearly where half = 0
          union all select person, months from yearly where amount > 30000", "shared by 2"),
        ("select person from yearly union select person + 1 from yearly where half = 1
          union select months from yearly", "shared by 3"),
        // In subqueries.
        ("select (select max(amount) from yearly) as most, (select min(amount) from yearly) as least,
          count(*) as high from yearly where amount > (select avg(amount) from yearly)
          and exists (select 1 from yearly o where o.person = yearly.person + 1 and o.half = yearly.half)",
         "shared by 5"),
        ("select count(*) from yearly a left join yearly b on a.person = b.person + 1 and a.half = b.half
          where b.person is null or a.payer not in (select payer from yearly where amount > 60000)", "shared by 3"),
        // One reader stops early.
        ("select count(*) from yearly where person in (select 7 union all
          select person from (select person from yearly order by amount, person limit 3))", "shared by 2"),
        (
            "select * from (select count(*) as n from (select person from yearly limit 5))
             cross join (select sum(amount) as amount from yearly)",
            "shared by 2",
        ),
        // Rows are counted without any column.
        ("select * from (select count(*) as n from yearly) cross join (select count(*) as m from yearly)",
         "shared by 2"),
        ("select a.person, sum(b.amount) over (partition by a.person order by b.half) as so_far
          from yearly a full join yearly b on a.person = b.person and a.half <> b.half", "shared by 2"),
    ];
    for (query, expected) in cases {
        let (plan, rows) = run(&session, &format!("{YEARLY} {query}")).await;
        let text = text_of(&plan);
        assert!(text.contains(expected), "{text}");
        assert!(rows.len() > 4, "{rows:?}");
    }
}

#[tokio::test]
async fn parts_within_parts_are_shared_by_all_their_readers() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let (plan, _) = run(
        &session,
        &format!(
            "{YEARLY}, high as (select person, max(amount) as amount from yearly group by 1),
             low as (select person, min(amount) as amount from yearly group by 1)
             select h.person, h.amount - l.amount as spread, next.amount
             from high h join low l on l.person = h.person join high next on next.person = h.person + 1"
        ),
    )
    .await;
    let text = text_of(&plan);
    assert_eq!(text.matches("part=1, shared by 2").count(), 2, "{text}");
    // Its readers are `low` and what is shared as `high`.
    assert_eq!(text.matches("part=2, shared by 2").count(), 2, "{text}");
    // Each is computed in one place: three aggregates, each in two steps.
    assert_eq!(text.matches("AggregateExec").count(), 6, "{text}");
}

#[tokio::test]
async fn part_is_computed_with_the_columns_and_rows_of_all_readers() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let (plan, _) = run(
        &session,
        &format!(
            "{YEARLY} select a.person, b.amount from yearly a join yearly b on a.person = b.person + 1
             where a.person < 50 and b.half = 1 and a.half = 0"
        ),
    )
    .await;
    let text = text_of(&plan);
    assert!(!text.contains("max(paid.payer)"), "nobody reads it: {text}");
    assert!(
        text.contains("person@0 < 50") && text.contains("month@1 / 10 = 1"),
        "{text}"
    );
    let readers = "SharedExec: part=1, shared by 2";
    assert_eq!(text.matches(readers).count(), 2, "{text}");
    assert_eq!(text.matches("DataSourceExec").count(), 1, "{text}");
}

#[tokio::test]
async fn explain_shows_a_shared_part_once() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    for explain in ["explain", "explain analyze"] {
        let sql = format!(
            "{explain} {YEARLY} select * from yearly a join yearly b on a.person = b.amount"
        );
        let rows = computed_once(session.sql(&sql).await.unwrap()).unwrap();
        let text = lines(&rows.collect().await.unwrap()).join("\n");
        assert_eq!(
            text.matches("SharedExec: part=1, shared by 2").count(),
            2,
            "{text}"
        );
        assert_eq!(text.matches("mode=Partial").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn what_would_not_be_the_same_is_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let cases = [
        // Random numbers are each reader's own.
        "with drawn as (select person, max(random()) as number from paid group by 1)
         select * from drawn a join drawn b on a.person = b.person",
        // Reading a table twice is cheaper than keeping it.
        "with few as (select person from paid where month = 1)
         select * from few a join few b on a.person = b.person",
        // A reader alone.
        "with once as (select person, sum(amount) as amount from paid group by 1) select * from once",
        // Each step of a recursion reads other rows.
        "with recursive months as (
           select 1 as month union all
           select n.month + 1 from months n join (select max(month) as last from paid) l on n.month < l.last
         ) select count(*) from months a join months b on a.month = b.month",
        // The same words, for the columns of different queries around them.
        "select (select sum(q.amount) from (select p.person, max(p.amount) as amount from paid p
                 where p.person = o.number group by 1) q) as a from (select person as number from person) o
         union all
         select (select sum(q.amount) from (select p.person, max(p.amount) as amount from paid p
                 where p.person = o.number group by 1) q) as a
         from (select person + 1 as number from person) o",
    ];
    for sql in cases {
        let rows = computed_once(session.sql(sql).await.unwrap()).unwrap();
        let plan = rows.clone().create_physical_plan().await.unwrap();
        assert!(!text_of(&plan).contains("SharedExec"), "{}", text_of(&plan));
        rows.collect().await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let counted = |rows: std::ops::Range<i64>| {
        let values: Int64Array = rows.collect();
        let batch = arrow_array::RecordBatch::try_from_iter([("v", Arc::new(values) as _)]);
        let rows = session.read_batch(batch.unwrap()).unwrap();
        let counted = rows.aggregate(vec![], vec![count(col("v")).alias("n")]);
        counted.unwrap().alias("counted").unwrap()
    };
    let both = counted(0..3).union(counted(0..5)).unwrap();
    let rows = computed_once(both.filter(col("n").gt(lit(0))).unwrap()).unwrap();
    let rows = lines(&rows.collect().await.unwrap()).join("\n");
    assert!(rows.contains("| 3 |") && rows.contains("| 5 |"), "{rows}");
}

#[tokio::test]
async fn error_in_a_shared_part_ends_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    let sql =
        "with broken as (select person, sum(amount / (month - 7)) as amount from paid group by 1)
         select a.person, b.amount from broken a join broken b on a.person = b.person
         union all select person, amount from broken";
    let rows = computed_once(session.sql(sql).await.unwrap()).unwrap();
    let error = rows.collect().await.unwrap_err();
    assert!(error.to_string().contains("ivide by zero"), "{error}");
}

#[tokio::test]
async fn rows_that_memory_is_refused_for_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 8 << 20);
    // The second reader starts when the first has read all, so all rows are kept at one time.
    let sql = "with ordered as (
         select person, month, amount, payer, row_number() over (partition by person order by month) as n,
           concat(payer, repeat('x', 300)) as note
         from paid
       )
       select count(*) as rows, max(length(b.note)) as longest, sum(b.amount) as amount, max(b.payer) as payer
       from (select max(amount) as amount, max(note) as note from ordered) a
       join ordered b on b.amount <= a.amount and b.note <= a.note";
    let (plan, _) = run(&session, sql).await;
    let mut spilled = 0;
    let mut plans = vec![plan];
    while let Some(plan) = plans.pop() {
        if plan.name() == "SharedExec" {
            spilled += plan.metrics().unwrap().spilled_rows().unwrap_or_default();
        }
        plans.extend(plan.children().into_iter().cloned());
    }
    assert!(spilled > 1_000, "{spilled} rows spilled");
    assert_eq!(session.task_ctx().memory_pool().reserved(), 0);
}

#[tokio::test]
async fn joins_that_sort_read_shared_parts_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder, 1 << 30);
    session
        .state_ref()
        .write()
        .config_mut()
        .options_mut()
        .optimizer
        .prefer_hash_join = false;
    let (plan, _) = run(
        &session,
        &format!("{YEARLY} select * from yearly a join yearly b on a.person = b.person and a.half < b.half"),
    )
    .await;
    let text = text_of(&plan);
    assert!(
        text.contains("SortMergeJoin") && text.contains("shared by 2"),
        "{text}"
    );
}
