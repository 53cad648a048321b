//! Lineage against the engine itself: a value is changed, and nothing moves that lineage says cannot.
//!
//! The tables are random rows in the contracts' shapes, the models those of the built-in project. An
//! edit changes one value of one source; everything behind it is computed again, and the rows of each
//! model, without the columns that lineage lets change, must be the same rows as before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, SchemaRef};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::MemoryCatalogProvider;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use goyong_catalog::contract::Contract;
use goyong_catalog::{Project, Vars};
use goyong_types::TableName;

use super::{EVERY_COLUMN, NodeKind, ProjectLineage};
use crate::inputs::register;
use crate::seeds::seed_rows;
use crate::session::{Limits, Purpose, SessionFactory};
use crate::tables::{declared_schema, staging_schema};

const EDITS: usize = 500;
const ROWS_OF_A_SOURCE: usize = 30;

/// A linear generator is enough: the values only have to meet each other.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// How a column's values look, beside its type.
#[derive(Clone, Default)]
struct Shape {
    domain: Vec<String>,
    digits: usize,
    marks: bool,
    nullable: bool,
    is_month: bool,
}

fn shape(contract: &Contract, field: &Field) -> Shape {
    let mut shape = Shape {
        nullable: field.is_nullable(),
        is_month: field.name() == "_period" || field.name().ends_with("month"),
        ..Shape::default()
    };
    if let Some(column) = contract.column(field.name()) {
        shape.domain.clone_from(&column.domain);
        let pattern = column.pattern.as_deref().unwrap_or_default();
        shape.marks = pattern.contains("[01]");
        shape.digits = pattern
            .split(['{', '}'])
            .find_map(|part| part.parse().ok())
            .unwrap_or(3);
    }
    // The order of deliveries is read off these two.
    let samples: &[&str] = match field.name().as_str() {
        "_delivery_id" => &["s/2024-01/r1", "s/2024-02/r1", "s/2024-02/r2"],
        "_flags" => &["released:2024-02-10", "rule"],
        _ => &[],
    };
    shape
        .domain
        .extend(samples.iter().map(|text| (*text).to_owned()));
    if field.name() == "biz_no" || field.name().ends_with("_biz_no") {
        shape.digits = 10;
    }
    shape
}

/// A value as text, or none; every type takes its own from it.
fn value(random: &mut Random, shape: &Shape, kind: &DataType) -> Option<String> {
    if shape.nullable && random.below(6) == 0 {
        return None;
    }
    Some(match kind {
        DataType::Utf8 if !shape.domain.is_empty() => {
            let position = random.below(shape.domain.len() as u64) as usize;
            shape.domain[position].clone()
        }
        DataType::Utf8 if shape.marks => (0..31)
            .map(|_| if random.below(3) == 0 { '1' } else { '0' })
            .collect(),
        DataType::Utf8 => {
            let number = 1 + random.below(3);
            format!("{number:0>width$}", width = shape.digits.max(1))
        }
        DataType::Date32 if shape.is_month => {
            (19_723 + [0, 31, 60][random.below(3) as usize]).to_string()
        }
        DataType::Date32 => (19_723 + random.below(120)).to_string(),
        DataType::Timestamp(..) => ((19_723 + random.below(90)) * 86_400_000_000).to_string(),
        DataType::Boolean => random.below(2).to_string(),
        _ => (1 + random.below(6)).to_string(),
    })
}

fn column(values: &[Option<String>], kind: &DataType) -> ArrayRef {
    let number = |text: &String| text.parse::<i64>().unwrap();
    macro_rules! built {
        ($builder:expr, $convert:expr) => {{
            let mut builder = $builder;
            for value in values {
                builder.append_option(value.as_ref().map($convert));
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    match kind {
        DataType::Utf8 => built!(StringBuilder::new(), |text: &String| text.clone()),
        DataType::Int32 => built!(Int32Builder::new(), |text| number(text) as i32),
        DataType::Int64 => built!(Int64Builder::new(), number),
        DataType::Float64 => built!(Float64Builder::new(), |text| number(text) as f64),
        DataType::Date32 => built!(Date32Builder::new(), |text| number(text) as i32),
        DataType::Boolean => built!(BooleanBuilder::new(), |text| number(text) == 1),
        DataType::Timestamp(..) => built!(TimestampMicrosecondBuilder::new(), number),
        DataType::Decimal128(precision, scale) => {
            let builder = Decimal128Builder::new()
                .with_precision_and_scale(*precision, *scale)
                .unwrap();
            built!(builder, |text| i128::from(number(text)))
        }
        other => panic!("no values of type {other}"),
    }
}

/// A source: its shapes, and its values as text, column by column.
struct Source {
    schema: SchemaRef,
    shapes: Vec<Shape>,
    values: Vec<Vec<Option<String>>>,
}

impl Source {
    fn new(schema: SchemaRef, shapes: Vec<Shape>, random: &mut Random) -> Self {
        let fields = schema.fields().iter().zip(&shapes);
        let values = fields
            .map(|(field, shape)| {
                let rows = 0..ROWS_OF_A_SOURCE;
                rows.map(|_| value(random, shape, field.data_type()))
                    .collect()
            })
            .collect();
        Self {
            schema,
            shapes,
            values,
        }
    }

    fn rows(&self) -> RecordBatch {
        let fields = self.schema.fields().iter();
        let columns = fields
            .zip(&self.values)
            .map(|(field, values)| column(values, field.data_type()))
            .collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).unwrap()
    }
}

struct Country {
    context: SessionContext,
    tables: BTreeMap<TableName, Arc<MemTable>>,
    sources: BTreeMap<TableName, Source>,
    /// Models that can be computed, inputs first.
    models: Vec<(TableName, LogicalPlan)>,
}

impl Country {
    async fn set(&self, table: &TableName, rows: RecordBatch) {
        *self.tables[table].batches[0].write().await = vec![rows];
    }

    async fn compute(&self, plan: &LogicalPlan) -> Option<RecordBatch> {
        let physical = self.context.state().query_planner().clone();
        let state = self.context.state();
        let physical = physical.create_physical_plan(plan, &state).await.ok()?;
        let schema = physical.schema();
        let batches = collect(physical, self.context.task_ctx()).await.ok()?;
        concat_batches(&schema, &batches).ok()
    }
}

/// The rows without some columns, in an order of their own.
fn rows_without(rows: &RecordBatch, left_out: &BTreeSet<String>) -> Vec<String> {
    let options = FormatOptions::default().with_null("∅");
    let schema = rows.schema();
    let kept: Vec<ArrayFormatter<'_>> = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, _)| !left_out.contains(field.name()))
        .map(|(_, column)| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    let mut lines: Vec<String> = (0..rows.num_rows())
        .map(|row| {
            let cells = kept.iter().map(|column| column.value(row).to_string());
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    lines.sort();
    lines
}

async fn country(project: &Project, lineage: &ProjectLineage, factory: &SessionFactory) -> Country {
    let mut random = Random(2024);
    let schemas = Arc::new(MemoryCatalogProvider::new());
    let context = factory.session(schemas.clone(), false);
    let (mut tables, mut sources) = (BTreeMap::new(), BTreeMap::new());
    let add =
        |tables: &mut BTreeMap<TableName, Arc<MemTable>>, table: &TableName, rows: RecordBatch| {
            let memory = Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap());
            register(&schemas, table, memory.clone()).unwrap();
            tables.insert(table.clone(), memory);
        };
    for (name, contract) in project.contracts() {
        let table = TableName::new("staging", name).unwrap();
        let schema = staging_schema(contract);
        let shapes = schema
            .fields()
            .iter()
            .map(|field| shape(contract, field))
            .collect();
        let source = Source::new(schema, shapes, &mut random);
        add(&mut tables, &table, source.rows());
        sources.insert(table, source);
    }
    for seed in project.seeds().values() {
        let table = TableName::new("seed", &seed.name).unwrap();
        add(&mut tables, &table, seed_rows(seed).unwrap());
    }
    let expected: BTreeSet<&TableName> = project
        .models()
        .values()
        .flat_map(|model| model.expects.keys())
        .collect();
    for table in expected {
        let schema = declared_schema(project.expected_columns(table).unwrap()).unwrap();
        let shapes = vec![
            Shape {
                digits: 3,
                ..Shape::default()
            };
            schema.fields().len()
        ];
        let source = Source::new(schema, shapes, &mut random);
        add(&mut tables, table, source.rows());
        sources.insert(table.clone(), source);
    }
    let vars: Vars = [
        ("as_of", "2024-06-30"),
        ("partition_start", "2024-02-01"),
        ("partition_end", "2024-03-01"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let mut country = Country {
        context,
        tables: BTreeMap::new(),
        sources,
        models: Vec::new(),
    };
    for (table, node) in lineage.nodes() {
        if !matches!(node.kind, NodeKind::Model | NodeKind::View) || node.unplanned.is_some() {
            continue;
        }
        let sql = project
            .compile(&project.models()[table], &vars)
            .unwrap()
            .sql;
        let state = country.context.state();
        // A model behind one that cannot be computed on random rows finds no table.
        let Ok(plan) = state.create_logical_plan(&sql).await else {
            continue;
        };
        let plan = state.optimize(&plan).unwrap();
        if let Some(rows) = country.compute(&plan).await {
            add(&mut tables, table, rows);
            country.models.push((table.clone(), plan));
        }
    }
    country.tables = tables;
    country
}

/// What lineage lets change in a table.
#[derive(Clone)]
enum Change {
    /// Values of these columns, in the same rows.
    Columns(BTreeSet<String>),
    /// Which rows there are, hence everything, here and in whatever reads the table.
    Rows,
}

/// What lineage lets change in a model where its inputs may change so.
fn may_change(
    lineage: &ProjectLineage,
    project: &Project,
    table: &TableName,
    changing: &BTreeMap<TableName, Change>,
) -> Change {
    let inputs = &project.models()[table].inputs;
    let has_other_rows = |input| matches!(changing.get(input), Some(Change::Rows));
    if inputs.iter().any(has_other_rows) {
        return Change::Rows;
    }
    let node = lineage.node(table).unwrap();
    let mut columns = BTreeSet::new();
    for (target, source, _) in node.lineage.edges() {
        let changes = match changing.get(&source.table) {
            Some(Change::Columns(changing)) => changing.contains(&source.column),
            Some(Change::Rows) => true,
            None => false,
        };
        if changes && target == EVERY_COLUMN {
            return Change::Rows;
        }
        if changes {
            columns.insert(target.to_owned());
        }
    }
    Change::Columns(columns)
}

#[tokio::test]
async fn no_column_changes_that_lineage_says_cannot() {
    let project = Project::embedded().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        threads: 1,
        memory_bytes: 256 << 20,
        spill_bytes: 1 << 20,
    };
    let factory = SessionFactory::without_lake(folder.path(), &limits, Purpose::Build).unwrap();
    let lineage = ProjectLineage::without_warehouse(&project, &factory)
        .await
        .unwrap();
    let mut country = country(&project, &lineage, &factory).await;
    let planned = lineage
        .nodes()
        .filter(|(_, node)| matches!(node.kind, NodeKind::Model | NodeKind::View))
        .count();
    assert!(
        country.models.len() * 10 >= planned * 8,
        "only {} of {planned} models can be computed on random rows",
        country.models.len()
    );

    let read: BTreeSet<&TableName> = country
        .models
        .iter()
        .flat_map(|(table, _)| &project.models()[table].inputs)
        .collect();
    let edited: Vec<TableName> = country
        .sources
        .keys()
        .filter(|table| read.contains(table))
        .cloned()
        .collect();
    let mut random = Random(7);
    let (mut wrong, mut moved, mut checked) = (Vec::new(), 0_usize, 0_usize);
    for _ in 0..EDITS {
        let table = edited[random.below(edited.len() as u64) as usize].clone();
        let source = country.sources.get_mut(&table).unwrap();
        let position = random.below(source.shapes.len() as u64) as usize;
        let row = random.below(ROWS_OF_A_SOURCE as u64) as usize;
        let field = source.schema.field(position).clone();
        let before = source.values[position][row].clone();
        let mut after = before.clone();
        for _ in 0..20 {
            after = value(&mut random, &source.shapes[position], field.data_type());
            if after != before {
                break;
            }
        }
        if after == before {
            continue;
        }
        source.values[position][row] = after;
        let rows = source.rows();
        country.sources.get_mut(&table).unwrap().values[position][row] = before;
        let original = country.sources[&table].rows();
        country.set(&table, rows).await;

        let edited_column = BTreeSet::from([field.name().clone()]);
        let mut changing = BTreeMap::from([(table.clone(), Change::Columns(edited_column))]);
        let mut changed: BTreeMap<TableName, RecordBatch> = BTreeMap::new();
        let mut dirty: BTreeSet<TableName> = [table.clone()].into();
        for (model, plan) in &country.models {
            let allowed = may_change(&lineage, &project, model, &changing);
            changing.insert(model.clone(), allowed.clone());
            let inputs = &project.models()[model].inputs;
            if !inputs.iter().any(|input| dirty.contains(input)) {
                continue;
            }
            // A value that makes the model fail, by a cast say, shows nothing.
            let Some(now) = country.compute(plan).await else {
                continue;
            };
            let then = country.tables[model].batches[0].read().await[0].clone();
            if let Change::Columns(allowed) = &allowed {
                checked += 1;
                if rows_without(&then, allowed) != rows_without(&now, allowed) {
                    wrong.push(format!(
                        "{table}.{} moved {model} beyond {allowed:?}",
                        field.name()
                    ));
                }
            }
            let nothing = BTreeSet::new();
            if rows_without(&then, &nothing) != rows_without(&now, &nothing) {
                moved += 1;
                dirty.insert(model.clone());
                changed.insert(model.clone(), then);
                country.set(model, now).await;
            }
        }
        country.set(&table, original).await;
        for (model, then) in changed {
            country.set(&model, then).await;
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Edits that move nothing show nothing, nor do those that may move everything.
    assert!(moved >= EDITS / 3, "only {moved} tables moved");
    assert!(
        checked >= EDITS / 2,
        "only {checked} tables could show anything"
    );
}
