//! Unit tests: a model on rows written by hand, without a warehouse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat_batches};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{MemTable, TableProvider};
use goyong_catalog::{Project, TableOrigin, UnitRow, UnitTest, normalise_sql};
use goyong_types::{TableName, nearest_name};
use serde::Serialize;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::lineage::ProjectLineage;
use crate::memo::{Fingerprint, PassedUnitTests};
use crate::model_tests::Tested;
use crate::month_days::Days;
use crate::planned_schemas::{PlannedSchemas, vars_for};
use crate::planning;
use crate::planning_errors::{Written, explain};
use crate::report::{TestFailure, TestResult};
use crate::run_model::in_month;
use crate::seeds::seed_rows;
use crate::storage::{stored_schema, to_stored};
use crate::test_log::TestRecord;

/// Differences shown of one test.
const MOST_DIFFERENCES: usize = 20;

/// What one unit test came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitTestReport {
    /// The model.
    pub model: TableName,
    /// What is tested, in words.
    pub name: String,
    /// File and line.
    pub place: String,
    /// Whether the model gave the expected rows.
    pub passed: bool,
    /// What is different, one line per row; or why the test could not run.
    pub differences: Vec<String>,
}

/// Runs the unit tests of some models; nothing but the project is needed.
pub async fn run_unit_tests(
    project: &Project,
    models: &BTreeSet<TableName>,
    threads: usize,
) -> Result<Vec<UnitTestReport>> {
    let selected: Vec<&UnitTest> = project
        .unit_tests()
        .iter()
        .filter(|test| models.contains(&test.model))
        .collect();
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    let mut schemas = PlannedSchemas::new(project, threads)?;
    let mut reports = Vec::with_capacity(selected.len());
    for test in selected {
        let differences = match run(&mut schemas, test).await {
            Ok(differences) => differences,
            Err(error) => vec![error.to_string()],
        };
        reports.push(UnitTestReport {
            model: test.model.clone(),
            name: test.name.clone(),
            place: place_of(test),
            passed: differences.is_empty(),
            differences,
        });
    }
    Ok(reports)
}

fn place_of(test: &UnitTest) -> String {
    match test.line {
        Some(line) => format!("{}:{line}", test.file),
        None => test.file.clone(),
    }
}

/// The kind of a unit test in `ops.test_results`.
pub(crate) const UNIT: &str = "unit";

/// Runs the unit tests of a build, but for those that passed with the same texts; by model what they came to.
pub(crate) async fn run_changed(
    inner: &Inner,
    lineage: &ProjectLineage,
    models: &[TableName],
    threads: usize,
) -> Result<BTreeMap<TableName, Tested>> {
    let project = &inner.project;
    let before = PassedUnitTests::read(&inner.warehouse).await?;
    let mut passed = before.clone();
    if passed.project != lineage.digest {
        let now = digests(project, lineage)?;
        passed
            .models
            .retain(|model, digest| now.get(model) == Some(digest));
        passed.project.clone_from(&lineage.digest);
    }
    let mut found: BTreeMap<TableName, Tested> = BTreeMap::new();
    let mut planned: Option<(PlannedSchemas<'_>, BTreeMap<TableName, String>)> = None;
    for test in project.unit_tests() {
        if !models.contains(&test.model) {
            continue;
        }
        let tested = found.entry(test.model.clone()).or_default();
        if let Some(digest) = passed.models.get(&test.model) {
            tested.add_unit_test(test, digest.clone(), None);
            continue;
        }
        let (schemas, digests) = match &mut planned {
            Some(planned) => planned,
            None => planned.insert((
                PlannedSchemas::new(project, threads)?,
                digests(project, lineage)?,
            )),
        };
        let digest = digests.get(&test.model).cloned().unwrap_or_default();
        let outcome = run(schemas, test).await;
        tested.tests_run += 1;
        tested.add_unit_test(test, digest, Some(outcome));
    }
    if let Some((_, digests)) = planned {
        let all_passed = |table: &&TableName| {
            let tested = found.get(*table);
            tested.is_some_and(|tested| tested.failures.is_empty())
        };
        for table in models.iter().filter(all_passed) {
            if let Some(digest) = digests.get(table) {
                passed.models.insert(table.clone(), digest.clone());
            }
        }
    }
    if passed != before {
        passed.write(&inner.warehouse).await?;
    }
    Ok(found)
}

/// For each model with unit tests the digest of all that they depend on: their rows, the model's text, the columns
/// of its inputs and the rows of seeds.
fn digests(project: &Project, lineage: &ProjectLineage) -> Result<BTreeMap<TableName, String>> {
    let mut digests: BTreeMap<TableName, Fingerprint> = BTreeMap::new();
    for test in project.unit_tests() {
        let Some(model) = project.models().get(&test.model) else {
            continue;
        };
        let digest = digests.entry(test.model.clone()).or_insert_with(|| {
            let mut digest = Fingerprint::new().with("during", &format!("{:?}", model.during));
            for input in &model.inputs {
                let shape = lineage.node(input).map_or("", |node| node.shape.as_str());
                let name = input.to_string();
                match project.origin(input) {
                    TableOrigin::Seed(seed) => digest.add(&name, &seed.csv),
                    // A test knows of it what its readers say, whether it is stored or not.
                    TableOrigin::Elsewhere => {
                        let columns = project.expected_columns(input);
                        digest.add(&name, &format!("{columns:?}"));
                    }
                    TableOrigin::Model(_) | TableOrigin::Source(_) => digest.add(&name, shape),
                }
            }
            digest
        });
        let vars = vars_for(model, &test.vars, test.month);
        let compiled = project.compile(model, &vars);
        let compiled = compiled.map_err(EngineError::Compile)?;
        digest.add(&test.name, &normalise_sql(&compiled.sql));
        let rows = (&test.month, &test.given, &test.expect);
        digest.add("rows", &format!("{rows:?}"));
    }
    let finished = digests.into_iter();
    Ok(finished
        .map(|(model, digest)| (model, digest.finish()))
        .collect())
}

impl Tested {
    /// Adds what a unit test came to; `None` where it is known to have passed.
    fn add_unit_test(
        &mut self,
        test: &UnitTest,
        fingerprint: String,
        outcome: Option<Result<Vec<String>>>,
    ) {
        let subject = test.model.to_string();
        let name = format!("unit: {}", test.name);
        let mut record = TestRecord::passed(&subject, &name, UNIT, fingerprint);
        let mut failure = TestFailure {
            subject,
            test: name,
            failing_rows: 0,
            examples: Vec::new(),
            warning: false,
        };
        match outcome {
            Some(Ok(differences)) if !differences.is_empty() => {
                record.result = TestResult::Fail;
                record.failing_rows = differences.len() as u64;
                record.message = format!("{}: {}", place_of(test), differences.join("\n"));
                failure.failing_rows = record.failing_rows;
                failure.examples = differences;
                self.failures.push(failure);
            }
            Some(Err(error)) => {
                record.result = TestResult::Error;
                record.message = format!("{}: {error}", place_of(test));
                failure.examples = vec![record.message.clone()];
                self.failures.push(failure);
            }
            Some(Ok(_)) | None => {}
        }
        self.records.push(record);
    }
}

/// The differences between what a model gives and what is expected.
async fn run(schemas: &mut PlannedSchemas<'_>, test: &UnitTest) -> Result<Vec<String>> {
    let project = schemas.project;
    let Some(model) = project.models().get(&test.model) else {
        return Ok(vec![format!("{} is not a model", test.model)]);
    };
    let mut tables: Vec<(TableName, Arc<dyn TableProvider>)> = Vec::new();
    for input in &model.inputs {
        let schema = nullable(&schemas.schema_of(input).await?);
        let given = test.given.iter().find(|given| given.input == *input);
        let rows = match (given, project.origin(input)) {
            (Some(given), _) => rows_of(input, &schema, &given.rows)?,
            (None, TableOrigin::Seed(seed)) => seed_rows(seed)?.with_schema(Arc::clone(&schema))?,
            (None, _) => RecordBatch::new_empty(Arc::clone(&schema)),
        };
        let table = MemTable::try_new(schema, vec![vec![rows]])
            .map_err(|error| EngineError::of(error, &input.to_string()))?;
        let mut table: Arc<dyn TableProvider> = Arc::new(table);
        if let (Some((first, last)), Some(month)) = (model.during.get(input), test.month) {
            let days = Days {
                first: first.clone(),
                last: last.clone(),
            };
            table = days.view(input, table, month)?;
        }
        tables.push((input.clone(), table));
    }
    let session = schemas.session(tables)?;
    let vars = vars_for(model, &test.vars, test.month);
    let compiled = project
        .compile(model, &vars)
        .map_err(EngineError::Compile)?;
    let written = Written {
        project,
        file: &model.file,
        body: &model.body,
        vars: &vars,
    };
    let planned = planning::query(&session, &compiled.sql).await;
    let frame = match planned {
        Ok(frame) => frame,
        Err(error) => return Err(explain(&session, &compiled.sql, written, error).await),
    };
    let schema = stored_schema(&model.table, frame.schema().as_arrow())?;
    let frame = in_month(model, test.month, &schema, frame)?;
    let batches = match frame.collect().await {
        Ok(batches) => batches,
        Err(error) => return Err(explain(&session, &compiled.sql, written, error).await),
    };
    let batches = batches
        .iter()
        .map(|batch| to_stored(batch, &schema))
        .collect::<Result<Vec<_>>>()?;
    let found = concat_batches(&schema, &batches)?;
    compare(&found, &test.expect)
}

/// The same columns, each of which may be null: a row written by hand says only what matters.
fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Vec<Field> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Rows written by hand in the columns of a table.
fn rows_of(table: &TableName, schema: &SchemaRef, rows: &[UnitRow]) -> Result<RecordBatch> {
    for row in rows {
        for column in row.keys() {
            known(schema, column).map_err(|message| {
                EngineError::Plan(format!("given rows of {table}: {message}"))
            })?;
        }
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let texts: StringArray = rows.iter().map(|row| text_of(row, field.name())).collect();
            cast(texts, field.data_type()).map_err(|problem| {
                EngineError::Plan(format!(
                    "given rows of {table}: `{}` {problem}",
                    field.name()
                ))
            })
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn text_of(row: &UnitRow, column: &str) -> Option<String> {
    Some(row.get(column)?.as_ref()?.to_text())
}

fn cast(texts: StringArray, data_type: &DataType) -> std::result::Result<ArrayRef, String> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let texts: ArrayRef = Arc::new(texts);
    cast_with_options(&texts, data_type, &options).map_err(|error| {
        let message = error.to_string();
        format!(
            "is {data_type}: {}",
            message.trim_start_matches("Cast error: ")
        )
    })
}

fn known(schema: &SchemaRef, column: &str) -> std::result::Result<(), String> {
    if schema.index_of(column).is_ok() {
        return Ok(());
    }
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let advice = nearest_name(column, names)
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default();
    Err(format!("there is no column `{column}`{advice}"))
}

/// One row as the texts of the compared columns.
type Texts = Vec<String>;

/// Rows found and expected in the columns that expected rows name, in any order.
fn compare(found: &RecordBatch, expected: &[UnitRow]) -> Result<Vec<String>> {
    let schema = found.schema();
    let named: BTreeSet<&String> = expected.iter().flat_map(|row| row.keys()).collect();
    for column in &named {
        if let Err(message) = known(&schema, column) {
            return Ok(vec![format!("expected rows: {message}")]);
        }
    }
    let columns: Vec<usize> = (0..schema.fields().len())
        .filter(|at| named.is_empty() || named.contains(schema.field(*at).name()))
        .collect();
    let names: Vec<&str> = columns
        .iter()
        .map(|at| schema.field(*at).name().as_str())
        .collect();
    let mut wanted = Vec::with_capacity(columns.len());
    for at in &columns {
        let field = schema.field(*at);
        let texts: StringArray = expected
            .iter()
            .map(|row| text_of(row, field.name()))
            .collect();
        match cast(texts, field.data_type()) {
            Ok(values) => wanted.push(values),
            Err(problem) => {
                return Ok(vec![format!("expected rows: `{}` {problem}", field.name())]);
            }
        }
    }
    let found: Vec<ArrayRef> = columns
        .iter()
        .map(|at| Arc::clone(found.column(*at)))
        .collect();
    Ok(differences(&names, texts(&found)?, texts(&wanted)?))
}

fn texts(columns: &[ArrayRef]) -> Result<Vec<Texts>> {
    let options = FormatOptions::default().with_null("null");
    let formatters = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, |column| column.len());
    Ok((0..rows)
        .map(|row| {
            formatters
                .iter()
                .map(|column| column.value(row).to_string())
                .collect()
        })
        .collect())
}

/// One line per row that is on one side only; rows that agree in most columns are told together.
fn differences(names: &[&str], found: Vec<Texts>, wanted: Vec<Texts>) -> Vec<String> {
    let mut counts: BTreeMap<&Texts, i64> = BTreeMap::new();
    for row in &found {
        *counts.entry(row).or_default() += 1;
    }
    for row in &wanted {
        *counts.entry(row).or_default() -= 1;
    }
    let times = |sign: i64| {
        counts
            .iter()
            .flat_map(move |(row, count)| {
                let times = usize::try_from(count * sign).unwrap_or_default();
                std::iter::repeat_n(*row, times)
            })
            .collect::<Vec<_>>()
    };
    let (mut extra, missing) = (times(1), times(-1));
    let mut lines = Vec::new();
    for row in missing {
        let equal = |other: &Texts| row.iter().zip(other).filter(|(a, b)| a == b).count();
        let near = extra
            .iter()
            .enumerate()
            .map(|(at, other)| (equal(other), at))
            .max_by_key(|(equal, at)| (*equal, usize::MAX - at))
            .filter(|(equal, _)| equal * 2 >= names.len().max(2));
        match near {
            Some((_, at)) => {
                let other = extra.remove(at);
                let (mut same, mut unlike) = (Vec::new(), Vec::new());
                for ((name, wanted), found) in names.iter().zip(row).zip(other) {
                    if wanted == found {
                        same.push(format!("{name} = {wanted}"));
                    } else {
                        unlike.push(format!("{name} is {found}, expected {wanted}"));
                    }
                }
                lines.push(format!("row {}: {}", same.join(", "), unlike.join("; ")));
            }
            None => lines.push(format!("expected, not found: {}", told(names, row))),
        }
    }
    lines.extend(
        extra
            .into_iter()
            .map(|row| format!("found, not expected: {}", told(names, row))),
    );
    if lines.len() > MOST_DIFFERENCES {
        let more = lines.len() - MOST_DIFFERENCES;
        lines.truncate(MOST_DIFFERENCES);
        lines.push(format!("and {more} rows more"));
    }
    lines
}

fn told(names: &[&str], row: &[String]) -> String {
    let cells = names.iter().zip(row);
    cells
        .map(|(name, value)| format!("{name} = {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}
