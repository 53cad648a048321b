//! The tests of a model's header, on the rows that changed since they last passed.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use goyong_catalog::{Materialized, Model, Test, TestKind, Vars, normalise_sql};
use goyong_types::TableName;

use crate::column_contract::check_columns;
use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::failing_rows::Failing;
use crate::inputs::{Inputs, Readable};
use crate::memo::{Fingerprint, ModelMemo};
use crate::planning;
use crate::planning_errors::{Written, explain, in_words, is_about_text};
use crate::report::{TestFailure, TestResult};
use crate::storage::{GrainCheck, stored_schema};
use crate::tables::{KnownTable, TableCache};
use crate::test_log::TestRecord;

/// What testing came to.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    pub tests_run: usize,
    pub failures: Vec<TestFailure>,
    /// The result of every test, run now or known to have passed.
    pub records: Vec<TestRecord>,
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
    if is_view {
        plan_view(inner, cache, model, vars, &mut memo).await?;
    } else {
        tested.records.extend(grain_record(model, &known));
    }
    let (per_row, whole): (Vec<Test>, Vec<Test>) =
        tests_of(model).into_iter().partition(Test::is_per_row);
    if !per_row.is_empty() {
        test_rows(
            inner,
            cache,
            model,
            vars,
            &known,
            &per_row,
            &mut memo,
            &mut tested,
        )
        .await?;
    }
    for test in &whole {
        test_whole(inner, cache, model, vars, test, &mut memo, &mut tested).await?;
    }
    if memo != known.memo {
        memo.write(&inner.warehouse, &model.table).await?;
        cache.reload(&model.table).await?;
    }
    Ok(tested)
}

/// Tests that one row alone decides, on the months that have not passed them.
#[allow(clippy::too_many_arguments)]
async fn test_rows(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    vars: &Vars,
    known: &KnownTable,
    tests: &[Test],
    memo: &mut ModelMemo,
    tested: &mut Tested,
) -> Result<()> {
    let is_view = model.header.materialized == Materialized::View;
    let readable = readable(inner, cache, &[&model.table], vars).await?;
    let mut digest = Fingerprint::new();
    for test in tests {
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
    let mut failures: Vec<Option<Failed>> = tests.iter().map(|_| None).collect();
    if (is_view && !view_passed) || (!is_view && !untested.is_empty()) {
        tested.tests_run += tests.len();
        let keep = (!is_view).then_some((&model.table, &untested));
        let lake = inner.warehouse.lake_base();
        let session = readable
            .session(&inner.factory, lake, None, keep, false)
            .await?;
        failures = row_tests(inner, &session, cache, model, tests).await;
        if failures.iter().all(Option::is_none) {
            for key in &untested {
                if let Some(partition) = memo.partitions.get_mut(key) {
                    partition.rows_tested = Some(digest.clone());
                }
            }
            if is_view {
                memo.tests.insert("rows".into(), digest.clone());
            }
        }
    }
    let content = match &known.snapshot {
        Some(snapshot) => snapshot.content_hash(),
        None => digest,
    };
    for (test, failed) in tests.iter().zip(failures) {
        let fingerprint = Fingerprint::new()
            .with("test", &violation(test))
            .with("content", &content)
            .finish();
        tested.add(inner, model, test, fingerprint, failed);
    }
    Ok(())
}

/// A test that only all rows together decide.
async fn test_whole(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    vars: &Vars,
    test: &Test,
    memo: &mut ModelMemo,
    tested: &mut Tested,
) -> Result<()> {
    let mut tables = vec![&model.table];
    if let TestKind::Relationship { to, .. } = &test.kind {
        tables.push(to);
    }
    let readable = match readable(inner, cache, &tables, vars).await {
        Ok(readable) => readable,
        // The other table has not been written yet: tested when it is.
        Err(EngineError::MissingTable { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let query = whole_table_query(&model.table, test);
    let mut digest = Fingerprint::new().with("query", &query);
    readable.add_to(&mut digest, None);
    let digest = digest.finish();
    let name = test.to_string();
    if memo.tests.get(&name) == Some(&digest) {
        tested.add(inner, model, test, digest, None);
        return Ok(());
    }
    tested.tests_run += 1;
    let lake = inner.warehouse.lake_base();
    let session = readable
        .session(&inner.factory, lake, None, None, false)
        .await?;
    let failed = match failing_rows(inner, &session, cache, &query).await {
        Ok(failing) if failing.rows == 0 => {
            memo.tests.insert(name, digest.clone());
            None
        }
        Ok(failing) => Some(Ok(failing)),
        Err(error) => Some(Err(error)),
    };
    tested.add(inner, model, test, digest, failed);
    Ok(())
}

/// Rows that fail, or why a test could not run.
type Failed = Result<Failing>;

impl Tested {
    fn add(
        &mut self,
        inner: &Inner,
        model: &Model,
        test: &Test,
        fingerprint: String,
        failed: Option<Failed>,
    ) {
        let subject = model.table.to_string();
        let mut record = TestRecord {
            is_warning: test.is_warning(),
            ..TestRecord::passed(&subject, test, test.kind.word(), fingerprint)
        };
        let mut failure = TestFailure {
            subject,
            test: test.to_string(),
            failing_rows: 0,
            examples: Vec::new(),
            warning: test.is_warning(),
        };
        match failed {
            None => {
                self.records.push(record);
                return;
            }
            Some(Ok(failing)) => {
                record.result = TestResult::Fail;
                record.failing_rows = failing.rows;
                record.rows = failing.kept;
                failure.failing_rows = failing.rows;
                failure.examples = failing.examples;
            }
            Some(Err(error)) => {
                record.result = TestResult::Error;
                record.message = at_header(inner, model, test, &error);
                failure.examples = vec![record.message.clone()];
            }
        }
        self.records.push(record);
        self.failures.push(failure);
    }
}

/// The message of a test that cannot run, at the line of the header that asks for it.
fn at_header(inner: &Inner, model: &Model, test: &Test, error: &EngineError) -> String {
    let wanted = match &test.kind {
        TestKind::Expression { condition } => condition.clone(),
        TestKind::NotNull { column }
        | TestKind::AcceptedValues { column, .. }
        | TestKind::Range { column, .. }
        | TestKind::Relationship { column, .. } => format!("{column}:"),
        TestKind::Unique { columns } => columns.join(", "),
    };
    let text = inner.project.files().text(&model.file).unwrap_or_default();
    let line = text.lines().position(|line| line.contains(&wanted));
    match line {
        Some(line) => format!("{}:{}: {error}", model.file, line + 1),
        None => format!("{}: {error}", model.file),
    }
}

/// A view is never computed: that it can be planned, and gives the columns it promises, is seen here.
async fn plan_view(
    inner: &Inner,
    cache: &TableCache,
    model: &Model,
    vars: &Vars,
    memo: &mut ModelMemo,
) -> Result<()> {
    let project = &inner.project;
    let compiled = project.compile(model, vars).map_err(EngineError::Compile)?;
    let inputs = Inputs::of_tables(project, &model.inputs);
    let opened = inputs.open_tables(project, cache, Some(model)).await?;
    let readable = Readable::new(opened, inputs.compile_views(project, vars)?);
    let mut digest = Fingerprint::new()
        .with("view", &compiled.sql)
        .with("contract", &format!("{:?}", model.header.columns));
    readable.add_schemas_to(&mut digest, normalise_sql);
    let digest = digest.finish();
    if memo.tests.get("plan") == Some(&digest) {
        return Ok(());
    }
    let lake = inner.warehouse.lake_base();
    let session = readable
        .session(&inner.factory, lake, None, None, false)
        .await?;
    let planned = planning::query(&session, &compiled.sql).await;
    let written = Written {
        project,
        file: &model.file,
        body: &model.body,
        vars,
    };
    let rows = match planned {
        Ok(rows) => rows,
        Err(error) => return Err(explain(&session, &compiled.sql, written, error).await),
    };
    if let Err(error) = session.state().optimize(rows.logical_plan()) {
        return Err(explain(&session, &compiled.sql, written, error).await);
    }
    check_columns(
        model,
        stored_schema(&model.table, rows.schema().as_arrow())?.as_ref(),
    )?;
    memo.tests.insert("plan".into(), digest);
    Ok(())
}

/// The grain of a stored table, which was seen to hold while it was written.
fn grain_record(model: &Model, known: &KnownTable) -> Option<TestRecord> {
    let snapshot = known.snapshot.as_ref()?;
    let fingerprint = Fingerprint::new()
        .with("grain", &model.header.grain.join(","))
        .with("content", &snapshot.content_hash())
        .finish();
    let name = format!("grain({})", model.header.grain.join(", "));
    Some(TestRecord::passed(
        &model.table.to_string(),
        name,
        "grain",
        fingerprint,
    ))
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
        tests.push(Test::from(TestKind::Unique {
            columns: grain.clone(),
        }));
    }
    if !seen {
        tests.extend(grain.iter().map(|column| {
            Test::from(TestKind::NotNull {
                column: column.clone(),
            })
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
async fn row_tests(
    inner: &Inner,
    session: &SessionContext,
    cache: &TableCache,
    model: &Model,
    tests: &[Test],
) -> Vec<Option<Failed>> {
    let counts: Vec<String> = tests
        .iter()
        .map(|test| format!("count(*) filter (where {})", violation(test)))
        .collect();
    let query = format!("select {} from {}", counts.join(", "), quoted(&model.table));
    let counted = match run(session, &query).await {
        Ok(batches) => batches,
        // One test with a wrong column must not hide the others: run them one by one.
        Err(error) if tests.len() == 1 => return vec![Some(Err(error))],
        Err(_) => {
            let mut failures = Vec::new();
            for test in tests {
                let alone = std::slice::from_ref(test);
                failures.extend(Box::pin(row_tests(inner, session, cache, model, alone)).await);
            }
            return failures;
        }
    };
    let mut failures = Vec::with_capacity(tests.len());
    for (position, test) in tests.iter().enumerate() {
        let failing: i64 = counted
            .iter()
            .filter_map(|batch| batch.column(position).as_primitive_opt::<Int64Type>())
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.value(0))
            .sum();
        if failing == 0 {
            failures.push(None);
            continue;
        }
        let query = format!(
            "select * from {} where {}",
            quoted(&model.table),
            violation(test)
        );
        failures.push(Some(failing_rows(inner, session, cache, &query).await));
    }
    failures
}

/// The condition that is true on a row that breaks a per-row test.
fn violation(test: &Test) -> String {
    let violation = match &test.kind {
        TestKind::NotNull { column } => format!("{} is null", name(column)),
        TestKind::AcceptedValues { column, values } => {
            let values: Vec<String> = values.iter().map(|value| value.to_sql()).collect();
            format!("{} not in ({})", name(column), values.join(", "))
        }
        TestKind::Range { column, range } => {
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
        TestKind::Expression { condition } => format!("not ({condition})"),
        TestKind::Unique { .. } | TestKind::Relationship { .. } => "false".into(),
    };
    match &test.condition {
        Some(condition) => format!("({violation}) and ({condition})"),
        None => violation,
    }
}

/// A query whose rows are what breaks a test of the whole table.
fn whole_table_query(table: &TableName, test: &Test) -> String {
    let rows = match &test.condition {
        Some(condition) => format!("(select * from {} where {condition})", quoted(table)),
        None => quoted(table),
    };
    match &test.kind {
        TestKind::Unique { columns } => {
            let columns: Vec<String> = columns.iter().map(|column| name(column)).collect();
            let not_null: Vec<String> =
                columns.iter().map(|c| format!("{c} is not null")).collect();
            let columns = columns.join(", ");
            format!(
                "select {columns}, count(*) as rows from {rows} as tested where {} group by {columns} having count(*) > 1",
                not_null.join(" and ")
            )
        }
        TestKind::Relationship { column, to, field } => {
            let (column, field) = (name(column), name(field));
            format!(
                "select {column}, count(*) as rows from {rows} as tested where {column} is not null \
                 and not exists (select 1 from {} as other where other.{field} = tested.{column}) group by {column}",
                quoted(to)
            )
        }
        _ => format!("select * from {} where {}", quoted(table), violation(test)),
    }
}

/// Rows a query returns, counted, and a few of them.
async fn failing_rows(
    inner: &Inner,
    session: &SessionContext,
    cache: &TableCache,
    query: &str,
) -> Result<Failing> {
    let query = planning::query(session, query).await.map_err(failed)?;
    Failing::of(inner, cache, query).await.map_err(failed)
}

async fn run(session: &SessionContext, query: &str) -> Result<Vec<RecordBatch>> {
    let rows = planning::query(session, query).await.map_err(failed)?;
    rows.collect().await.map_err(failed)
}

fn failed(error: DataFusionError) -> EngineError {
    match is_about_text(&error) {
        true => {
            let (message, help) = in_words(&error);
            let help = help.map(|help| format!("; {help}")).unwrap_or_default();
            EngineError::Plan(message + &help)
        }
        false => EngineError::of(error, "the test"),
    }
}

fn quoted(table: &TableName) -> String {
    format!("\"{}\".\"{}\"", table.schema(), table.table())
}

fn name(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}
