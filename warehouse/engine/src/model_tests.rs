//! The tests of a model's header, on the rows that changed since they last passed.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use datafusion::prelude::SessionContext;
use goyong_catalog::{Materialized, Model, Test, Vars};
use goyong_types::TableName;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::inputs::{Inputs, Readable};
use crate::memo::Fingerprint;
use crate::report::TestFailure;
use crate::session::queries_only;
use crate::storage::{GrainCheck, display_value};
use crate::tables::TableCache;

/// Failing rows shown of one test.
const EXAMPLES: usize = 3;

/// What testing came to.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    pub tests_run: usize,
    pub failures: Vec<TestFailure>,
}

/// Runs what has to be run and remembers what passed.
pub(crate) async fn test_model(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    vars: &Vars,
) -> Result<Tested> {
    let mut tested = Tested::default();
    let is_view = model.header.materialized == Materialized::View;
    let known = cache.get(&model.table).await?;
    if known.snapshot.is_none() && !is_view {
        return Ok(tested);
    }
    let mut memo = known.memo.clone();
    let (per_row, whole): (Vec<Test>, Vec<Test>) =
        tests_of(model).into_iter().partition(Test::is_per_row);

    if !per_row.is_empty() {
        let readable = readable(inner, cache, &[&model.table], vars).await?;
        let mut digest = Fingerprint::new();
        for test in &per_row {
            digest.add("violation", &violation(test));
        }
        if is_view {
            // A view keeps no months of its own: its tests depend on all it reads.
            readable.add_to(&mut digest, None);
        }
        let digest = digest.finish();
        let untested: BTreeSet<String> = memo
            .partitions
            .iter()
            .filter(|(_, partition)| partition.rows_tested.as_ref() != Some(&digest))
            .map(|(key, _)| key.clone())
            .collect();
        let view_passed = memo.tests.get("rows") == Some(&digest);
        if (is_view && !view_passed) || (!is_view && !untested.is_empty()) {
            tested.tests_run += per_row.len();
            let keep = (!is_view).then_some((&model.table, &untested));
            let session = readable
                .session(&inner.factory, inner.warehouse.root(), None, keep, false)
                .await?;
            let failures = row_tests(&session, model, &per_row).await;
            if failures.is_empty() {
                for key in &untested {
                    if let Some(partition) = memo.partitions.get_mut(key) {
                        partition.rows_tested = Some(digest.clone());
                    }
                }
                if is_view {
                    memo.tests.insert("rows".into(), digest);
                }
            }
            tested.failures.extend(failures);
        }
    }

    for test in &whole {
        let mut tables = vec![&model.table];
        if let Test::Relationship { to, .. } = test {
            tables.push(to);
        }
        let readable = match readable(inner, cache, &tables, vars).await {
            Ok(readable) => readable,
            // The other table has not been written yet: tested when it is.
            Err(EngineError::MissingTable { .. }) => continue,
            Err(error) => return Err(error),
        };
        let query = whole_table_query(&model.table, test);
        let mut digest = Fingerprint::new().with("query", &query);
        readable.add_to(&mut digest, None);
        let digest = digest.finish();
        let name = test.to_string();
        if memo.tests.get(&name) == Some(&digest) {
            continue;
        }
        tested.tests_run += 1;
        let session = readable
            .session(&inner.factory, inner.warehouse.root(), None, None, false)
            .await?;
        match failing_rows(&session, model, &query).await {
            Ok((0, _)) => {
                memo.tests.insert(name, digest);
            }
            Ok((failing_rows, examples)) => {
                tested
                    .failures
                    .push(failure(model, test, failing_rows, examples));
            }
            Err(error) => tested.failures.push(broken(model, test, &error)),
        }
    }
    if memo != known.memo {
        memo.write(&inner.warehouse, &model.table).await?;
        cache.reload(&model.table).await?;
    }
    Ok(tested)
}

/// The header's tests, and of the grain what was not already seen while writing.
fn tests_of(model: &Model) -> Vec<Test> {
    let mut tests = model.tests.clone();
    let grain = &model.header.grain;
    let covers_months = model
        .partition_column()
        .is_none_or(|column| grain.iter().any(|name| name == column));
    let is_view = model.header.materialized == Materialized::View;
    let seen = GrainCheck::is_possible(model) && !is_view;
    if !seen || !covers_months {
        tests.push(Test::Unique {
            columns: grain.clone(),
        });
    }
    if !seen {
        tests.extend(grain.iter().map(|column| Test::NotNull {
            column: column.clone(),
        }));
    }
    tests
}

async fn readable(
    inner: &Inner,
    cache: &TableCache,
    tables: &[&TableName],
    vars: &Vars,
) -> Result<Readable> {
    let named: BTreeSet<TableName> = tables.iter().map(|table| (*table).clone()).collect();
    let inputs = Inputs::of_tables(&inner.project, &named);
    let opened = inputs.open_tables(&inner.project, cache, None).await?;
    let views = inputs.compile_views(&inner.project, vars)?;
    Ok(Readable::new(opened, views))
}

/// Counts the rows breaking each test in one pass, then looks at a few of each that has any.
async fn row_tests(session: &SessionContext, model: &Model, tests: &[Test]) -> Vec<TestFailure> {
    let counts: Vec<String> = tests
        .iter()
        .map(|test| format!("count(*) filter (where {})", violation(test)))
        .collect();
    let query = format!("select {} from {}", counts.join(", "), quoted(&model.table));
    let counted = match run(session, &query).await {
        Ok(batches) => batches,
        // One test with a wrong column must not hide the others: run them one by one.
        Err(error) if tests.len() == 1 => return vec![broken(model, &tests[0], &error)],
        Err(_) => {
            let mut failures = Vec::new();
            for test in tests {
                failures
                    .extend(Box::pin(row_tests(session, model, std::slice::from_ref(test))).await);
            }
            return failures;
        }
    };
    let mut failures = Vec::new();
    for (position, test) in tests.iter().enumerate() {
        let failing: i64 = counted
            .iter()
            .filter_map(|batch| batch.column(position).as_primitive_opt::<Int64Type>())
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.value(0))
            .sum();
        if failing > 0 {
            let query = format!(
                "select * from {} where {} limit {EXAMPLES}",
                quoted(&model.table),
                violation(test)
            );
            let examples = match run(session, &query).await {
                Ok(batches) => describe(model, &batches),
                Err(error) => vec![error.to_string()],
            };
            failures.push(failure(model, test, failing as u64, examples));
        }
    }
    failures
}

/// The condition that is true on a row that breaks a per-row test.
fn violation(test: &Test) -> String {
    match test {
        Test::NotNull { column } => format!("{} is null", name(column)),
        Test::AcceptedValues { column, values } => {
            let values: Vec<String> = values.iter().map(|value| value.to_sql()).collect();
            format!("{} not in ({})", name(column), values.join(", "))
        }
        Test::Range { column, range } => {
            let below = range
                .min
                .iter()
                .map(|min| format!("{} < {}", name(column), min.to_sql()));
            let above = range
                .max
                .iter()
                .map(|max| format!("{} > {}", name(column), max.to_sql()));
            below.chain(above).collect::<Vec<_>>().join(" or ")
        }
        Test::Expression { condition } => format!("not ({condition})"),
        Test::Unique { .. } | Test::Relationship { .. } => "false".into(),
    }
}

/// A query whose rows are what breaks a test of the whole table.
fn whole_table_query(table: &TableName, test: &Test) -> String {
    let table = quoted(table);
    match test {
        Test::Unique { columns } => {
            let columns: Vec<String> = columns.iter().map(|column| name(column)).collect();
            let not_null: Vec<String> =
                columns.iter().map(|c| format!("{c} is not null")).collect();
            let columns = columns.join(", ");
            format!(
                "select {columns}, count(*) as rows from {table} where {} group by {columns} having count(*) > 1",
                not_null.join(" and ")
            )
        }
        Test::Relationship { column, to, field } => {
            let (column, field) = (name(column), name(field));
            format!(
                "select {column}, count(*) as rows from {table} as tested where {column} is not null \
                 and not exists (select 1 from {} as other where other.{field} = tested.{column}) group by {column}",
                quoted(to)
            )
        }
        per_row => format!("select * from {table} where {}", violation(per_row)),
    }
}

/// Rows a query returns: how many, and a few described.
pub(crate) async fn failing_rows(
    session: &SessionContext,
    model: &Model,
    query: &str,
) -> Result<(u64, Vec<String>)> {
    let batches = run(session, query).await?;
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok((rows, describe(model, &batches)))
}

async fn run(session: &SessionContext, query: &str) -> Result<Vec<RecordBatch>> {
    let failed = |error| EngineError::of(error, "the test");
    session
        .sql_with_options(query, queries_only())
        .await
        .map_err(failed)?
        .collect()
        .await
        .map_err(failed)
}

fn describe(model: &Model, batches: &[RecordBatch]) -> Vec<String> {
    describe_rows(batches, |column| model.is_person_column(column))
}

/// A few rows as `column = value`, person columns masked.
pub(crate) fn describe_rows(
    batches: &[RecordBatch],
    is_masked: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            if rows.len() == EXAMPLES {
                return rows;
            }
            let values: Vec<String> = batch
                .schema()
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| {
                    let masked = is_masked(field.name());
                    format!("{} = {}", field.name(), display_value(column, row, masked))
                })
                .collect();
            rows.push(values.join(", "));
        }
    }
    rows
}

fn failure(model: &Model, test: &Test, failing_rows: u64, examples: Vec<String>) -> TestFailure {
    TestFailure {
        subject: model.table.to_string(),
        test: test.to_string(),
        failing_rows,
        examples,
        warning: false,
    }
}

fn broken(model: &Model, test: &Test, error: &EngineError) -> TestFailure {
    failure(model, test, 0, vec![error.to_string()])
}

fn quoted(table: &TableName) -> String {
    format!("\"{}\".\"{}\"", table.schema(), table.table())
}

fn name(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}
