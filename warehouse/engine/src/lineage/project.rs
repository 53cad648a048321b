//! The lineage of a whole project: every model and report query planned in the order of the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use goyong_catalog::{Materialized, Model, Project, TableOrigin, Vars, normalise_sql};
use goyong_store::Warehouse;
use goyong_types::TableName;
use serde::{Deserialize, Serialize};

use super::classified::{classified, in_words};
use super::flow::{ColumnRef, TableLineage};
use super::planned::Planner;
use super::trace::trace_plan;
use crate::error::{EngineError, Result};
use crate::memo::Fingerprint;
use crate::policy::{
    Classified, Declassified, Knowledge, KnownBy, Leak, Tags, inherited, knowledge_of, leaks,
};
use crate::session::SessionFactory;
use crate::storage::stored_schema;
use crate::tables::{declared_schema, staging_schema};

/// Stands for `as_of` where a text is planned to be looked at: a date no text has by chance.
pub(crate) const AS_OF_MARK: &str = "1234-05-06";
const PARTITION_START_MARK: &str = "1234-05-01";
const PARTITION_END_MARK: &str = "1234-06-01";

/// Changes whenever the same text could get other edges.
const LINEAGE_FORMAT: &str = "goyong-lineage 2";
const MEMO_SCOPE: &str = "engine.lineage";
const MEMO_KEY: &str = "project";

/// Schema under which report queries stand in the graph.
pub const REPORT_SCHEMA: &str = "report";

/// What makes a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Deliveries, by a contract.
    Source,
    /// A CSV of the project.
    Seed,
    /// A select of the project.
    Model,
    /// A select that is opened up where it is read.
    View,
    /// A job.
    Job,
    /// A query of a report.
    Report,
}

/// A table of the graph, or a query of a report.
#[derive(Debug, Clone)]
pub struct LineageNode {
    /// What makes it.
    pub kind: NodeKind,
    /// The file that defines it, empty for a job's table.
    pub file: String,
    /// Columns in order.
    pub columns: Vec<String>,
    /// The provider's name of a column, for sources.
    pub fields: BTreeMap<String, String>,
    /// One step back; nothing for what no select makes.
    pub lineage: TableLineage,
    /// Why it could not be planned.
    pub unplanned: Option<String>,
    /// Sensitivity by column; columns without any are left out.
    pub tags: BTreeMap<String, Tags>,
    /// Tags the header takes away, with the reason.
    pub declassified: Vec<Declassified>,
    /// What the header or the query may not do.
    pub problems: Vec<String>,
    /// The classification and version that codes of a column are written in.
    pub classifications: BTreeMap<String, String>,
    pub(crate) knowledge: Knowledge,
    pub(crate) leaks: Vec<Leak>,
    pub(crate) depends_on_label: Option<TableName>,
    /// Whether disclosure control stands between the query and its readers.
    pub(crate) is_protected: bool,
    fingerprint: String,
    /// Digest of names and types of the columns.
    pub(crate) shape: String,
}

/// Every table of a project with the lineage and the sensitivity of its columns.
#[derive(Debug, Clone, Default)]
pub struct ProjectLineage {
    nodes: BTreeMap<TableName, LineageNode>,
    order: Vec<TableName>,
    pub(crate) digest: String,
}

/// A table of the warehouse that no text of the project makes.
#[derive(Debug, Clone)]
pub(crate) struct StoredTable {
    pub schema: SchemaRef,
    pub tags: BTreeMap<String, Tags>,
}

/// What planning a text gave; kept between runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Planned {
    fingerprint: String,
    columns: Vec<(String, String)>,
    lineage: TableLineage,
    leaks: Vec<Leak>,
    #[serde(default)]
    classifications: BTreeMap<String, String>,
    /// Where codes of two versions meet, in the words and at the place of the text.
    #[serde(default)]
    crossings: Vec<String>,
    unplanned: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    digest: String,
    planned: BTreeMap<TableName, Planned>,
}

impl ProjectLineage {
    /// A table.
    pub fn node(&self, table: &TableName) -> Option<&LineageNode> {
        self.nodes.get(table)
    }

    /// Every table, inputs first.
    pub fn nodes(&self) -> impl Iterator<Item = (&TableName, &LineageNode)> {
        let node = |table| self.nodes.get(table).map(|node| (table, node));
        self.order.iter().filter_map(node)
    }

    /// The sensitivity of a column; empty where nothing is known of it.
    pub fn tags(&self, table: &TableName, column: &str) -> Tags {
        let node = self.nodes.get(table);
        node.and_then(|node| node.tags.get(column))
            .cloned()
            .unwrap_or_default()
    }

    /// The way a tag came to a column: the column, then one source after the other.
    pub fn chain(&self, table: &TableName, column: &str, tag: &str) -> Vec<ColumnRef> {
        let mut chain = vec![ColumnRef::new(table, column)];
        while let Some(next) = chain.last().and_then(|last| self.source_with(last, tag)) {
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        chain
    }

    fn source_with(&self, target: &ColumnRef, tag: &str) -> Option<ColumnRef> {
        let node = self.nodes.get(&target.table)?;
        let values = node.lineage.values_of(&target.column);
        let found = values.iter().find(|(source, carry)| {
            inherited(&self.tags(&source.table, &source.column), **carry).contains(tag)
        });
        found.map(|(source, _)| (*source).clone())
    }

    /// Digest of everything that lineage is computed from.
    pub(crate) fn digest(
        project: &Project,
        vars: &Vars,
        stored: &BTreeMap<TableName, StoredTable>,
    ) -> String {
        let mut digest = Fingerprint::new().with("format", LINEAGE_FORMAT);
        for (path, text) in project.files().iter() {
            digest.add(path, text);
        }
        for (name, value) in vars {
            digest.add(name, value);
        }
        for (table, stored) in stored {
            digest.add("table", &table.to_string());
            for field in stored.schema.fields() {
                digest.add(field.name(), &field.data_type().to_string());
            }
            digest.add("tags", &format!("{:?}", stored.tags));
        }
        digest.finish()
    }

    /// The lineage of a project; `digest` is that of everything it is computed from.
    pub(crate) async fn of(
        project: &Project,
        factory: &SessionFactory,
        vars: &Vars,
        warehouse: &Warehouse,
        stored: &BTreeMap<TableName, StoredTable>,
        digest: String,
    ) -> Result<Self> {
        let text = warehouse.memo_get(MEMO_SCOPE, MEMO_KEY).await?;
        // What cannot be read any more is planned again.
        let remembered: Remembered = text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let known = remembered.digest == digest;
        let (lineage, planned) =
            Self::plan(project, factory, vars, stored, digest, remembered).await?;
        if !known {
            let text = serde_json::to_string(&planned).unwrap_or_default();
            warehouse.memo_put(MEMO_SCOPE, MEMO_KEY, &text).await?;
        }
        Ok(lineage)
    }

    /// Plans what is not remembered.
    async fn plan(
        project: &Project,
        factory: &SessionFactory,
        vars: &Vars,
        stored: &BTreeMap<TableName, StoredTable>,
        digest: String,
        remembered: Remembered,
    ) -> Result<(Self, Remembered)> {
        let mut planning = Planning {
            planner: None,
            factory,
            project,
            vars: marked(vars),
            unchanged: remembered.digest == digest,
            remembered: remembered.planned,
            schemas: BTreeMap::new(),
            planned: BTreeMap::new(),
            lineage: Self {
                digest: digest.clone(),
                ..Self::default()
            },
        };
        planning.add_tables_without_select(stored)?;
        for table in project.order() {
            if let Some(model) = project.models().get(table) {
                planning.add_model(model).await?;
            }
        }
        planning.add_reports().await?;
        let planned = Remembered {
            digest,
            planned: planning.planned,
        };
        Ok((planning.lineage, planned))
    }

    /// The same without a warehouse and without anything remembered.
    #[cfg(test)]
    pub(crate) async fn without_warehouse(
        project: &Project,
        factory: &SessionFactory,
    ) -> Result<Self> {
        let (vars, stored) = (Vars::new(), BTreeMap::new());
        let digest = Self::digest(project, &vars, &stored);
        let remembered = Remembered::default();
        let planned = Self::plan(project, factory, &vars, &stored, digest, remembered);
        Ok(planned.await?.0)
    }

    fn insert(&mut self, table: TableName, node: LineageNode) {
        self.order.push(table.clone());
        self.nodes.insert(table, node);
    }
}

/// Tables that texts of the project read and neither a contract, a seed nor a model makes.
pub(crate) fn tables_of_jobs(project: &Project) -> BTreeSet<TableName> {
    let models = project.models().values().flat_map(|model| &model.inputs);
    models
        .filter(|table| matches!(project.origin(table), TableOrigin::Elsewhere))
        .cloned()
        .collect()
}

struct Planning<'a> {
    /// Made when the first text has to be planned.
    planner: Option<Planner>,
    factory: &'a SessionFactory,
    project: &'a Project,
    vars: Vars,
    /// Whether nothing that is planned changed since it was remembered.
    unchanged: bool,
    remembered: BTreeMap<TableName, Planned>,
    schemas: BTreeMap<TableName, SchemaRef>,
    planned: BTreeMap<TableName, Planned>,
    lineage: ProjectLineage,
}

impl Planning<'_> {
    fn add_tables_without_select(
        &mut self,
        stored: &BTreeMap<TableName, StoredTable>,
    ) -> Result<()> {
        let project = self.project;
        for (source, contract) in project.contracts() {
            let Ok(table) = TableName::new("staging", source) else {
                continue;
            };
            let mut node = LineageNode::new(NodeKind::Source, &format!("sources/{source}.yml"));
            for column in contract.staging_columns() {
                node.add_tags(&column.name, &column.tags);
                node.add_classification(&column.name, &column.tags);
            }
            for column in &contract.columns {
                let given = column.from.first().unwrap_or(&column.name);
                node.fields.insert(column.name.clone(), given.clone());
                for derived in &column.derive {
                    node.fields
                        .insert(derived.as_str().to_owned(), given.clone());
                }
                if let Some(known_on) = &column.known_on {
                    let by = KnownBy::Column(known_on.clone());
                    let known = &mut node.knowledge.columns;
                    known.insert(column.name.clone(), by.clone());
                    known.insert(known_on.clone(), by);
                }
            }
            let delivered = KnownBy::Column("_known_on".into());
            node.knowledge.rows = match &contract.known_on {
                Some(known_on) if known_on != "_known_on" => {
                    // The last delivery of a row tells of what came after its report.
                    node.knowledge.columns.insert("_known_on".into(), delivered);
                    KnownBy::Column(known_on.clone())
                }
                _ => delivered,
            };
            self.add(table, node, staging_schema(contract));
        }
        for (name, seed) in project.seeds() {
            let columns = &seed.header.columns;
            let declared = columns
                .iter()
                .map(|column| (column.name.as_str(), column.column_type.as_str()));
            let (Ok(table), Ok(schema)) = (TableName::new("seed", name), declared_schema(declared))
            else {
                continue;
            };
            let mut node = LineageNode::new(NodeKind::Seed, &seed.file);
            for column in columns {
                node.add_tags(&column.name, &column.tags);
                node.add_classification(&column.name, &column.tags);
            }
            self.add(table, node, schema);
        }
        let expected = project
            .models()
            .values()
            .flat_map(|model| model.expects.keys());
        let mut tables: BTreeMap<TableName, StoredTable> = expected
            .filter_map(|table| {
                let schema = declared_schema(project.expected_columns(table)?).ok()?;
                let tags = BTreeMap::new();
                Some((table.clone(), StoredTable { schema, tags }))
            })
            .collect();
        tables.extend(
            stored
                .iter()
                .map(|(name, table)| (name.clone(), table.clone())),
        );
        for (table, known) in tables {
            if self.lineage.nodes.contains_key(&table) || project.models().contains_key(&table) {
                continue;
            }
            let mut node = LineageNode::new(NodeKind::Job, "");
            for field in known.schema.fields() {
                node.add_tags(field.name(), &[]);
            }
            for (column, tags) in known.tags {
                node.tags.entry(column).or_default().extend(tags);
            }
            node.knowledge.rows = match known.schema.index_of("known_on") {
                Ok(_) => KnownBy::Column("known_on".into()),
                Err(_) => KnownBy::Nothing,
            };
            self.add(table, node, known.schema);
        }
        Ok(())
    }

    fn add(&mut self, table: TableName, mut node: LineageNode, schema: SchemaRef) {
        let fields = schema.fields().iter();
        node.columns = fields.map(|field| field.name().clone()).collect();
        let mut fingerprint = Fingerprint::new();
        for field in schema.fields() {
            fingerprint.add(field.name(), &field.data_type().to_string());
        }
        node.shape = fingerprint.clone().finish();
        fingerprint.add("knowledge", &format!("{:?}", node.knowledge));
        fingerprint.add("classifications", &format!("{:?}", node.classifications));
        node.fingerprint = fingerprint.finish();
        self.schemas.insert(table.clone(), schema);
        if let Some(planner) = &self.planner
            && let Some(schema) = self.schemas.get(&table)
        {
            // A name that cannot be registered is missed by whoever reads it.
            let _ = planner.add(&table, Arc::clone(schema));
        }
        self.lineage.insert(table, node);
    }

    async fn add_model(&mut self, model: &Model) -> Result<()> {
        let table = &model.table;
        let is_feature = table.schema() == "features";
        let planned = match self.remembered.remove(table) {
            Some(planned) if self.unchanged => planned,
            earlier => {
                let compiled = self.project.compile(model, &self.vars);
                let compiled = compiled.map_err(EngineError::Compile)?;
                let looks_ahead = is_feature && !model.header.label;
                let inputs = &compiled.inputs;
                let written = (model.file.as_str(), model.body.as_str());
                let text = Text {
                    sql: &compiled.sql,
                    written: Some(written),
                    looks_ahead,
                    is_stored: true,
                };
                self.planned_text(table, text, inputs, earlier).await?
            }
        };
        let kind = match model.header.materialized {
            Materialized::View => NodeKind::View,
            _ => NodeKind::Model,
        };
        let mut node = LineageNode::new(kind, &model.file);
        node.take(&planned);
        node.depends_on_label = self.label_behind(model);
        node.inherit_tags(model, &self.lineage);
        for (column, header) in &model.header.columns {
            node.add_classification(column, &header.tags);
        }
        let (knowledge, problem) = knowledge_of(model, &node, &self.lineage);
        node.knowledge = knowledge;
        node.problems.extend(problem);
        if is_feature && !model.header.label {
            node.add_point_in_time_problems(table);
            node.knowledge = Knowledge::default();
        }
        let schema = planned.schema();
        self.planned.insert(table.clone(), planned);
        self.add(table.clone(), node, schema);
        Ok(())
    }

    /// The label a model is computed from, at any distance.
    fn label_behind(&self, model: &Model) -> Option<TableName> {
        model.inputs.iter().find_map(|input| {
            let is_label = self
                .project
                .models()
                .get(input)
                .is_some_and(|input| input.header.label);
            if is_label {
                return Some(input.clone());
            }
            self.lineage.nodes.get(input)?.depends_on_label.clone()
        })
    }

    async fn add_reports(&mut self) -> Result<()> {
        let queries = self
            .project
            .report_queries()
            .map_err(EngineError::Compile)?;
        for query in queries {
            let name = format!("{}_{}", query.report, query.table).replace('-', "_");
            let Ok(table) = TableName::new(REPORT_SCHEMA, &name) else {
                continue;
            };
            let what = format!("report {} table {}", query.report, query.table);
            let planned = match self.remembered.remove(&table) {
                Some(planned) if self.unchanged => planned,
                earlier => {
                    let compiled = self.project.compile_text(&what, &query.sql, &self.vars);
                    let compiled = compiled.map_err(EngineError::Compile)?;
                    let inputs = &compiled.inputs;
                    let text = Text {
                        sql: &compiled.sql,
                        written: None,
                        looks_ahead: false,
                        is_stored: false,
                    };
                    self.planned_text(&table, text, inputs, earlier).await?
                }
            };
            let mut node = LineageNode::new(NodeKind::Report, &query.file);
            node.take(&planned);
            node.is_protected = query.is_protected;
            node.inherit_only(&self.lineage);
            self.lineage.insert(table.clone(), node);
            let place = match query.line {
                Some(line) => format!("{}:{line}: table {}", query.file, query.table),
                None => format!("{}: table {}", query.file, query.table),
            };
            let mut problems = self.lineage.report_problems(&table, &place);
            let crossings = planned.crossings.iter();
            problems.extend(crossings.map(|crossing| format!("{place}: {crossing}")));
            if let Some(node) = self.lineage.nodes.get_mut(&table) {
                node.problems = problems;
            }
            self.planned.insert(table, planned);
        }
        Ok(())
    }

    async fn planned_text(
        &mut self,
        table: &TableName,
        text: Text<'_>,
        inputs: &BTreeSet<TableName>,
        earlier: Option<Planned>,
    ) -> Result<Planned> {
        let mut fingerprint = Fingerprint::new()
            .with("format", LINEAGE_FORMAT)
            .with("sql", &normalise_sql(text.sql));
        for input in inputs {
            let node = self.lineage.nodes.get(input);
            let known = node.map_or("", |node| node.fingerprint.as_str());
            fingerprint.add(&input.to_string(), known);
        }
        let fingerprint = fingerprint.finish();
        if let Some(earlier) = earlier
            && earlier.fingerprint == fingerprint
            // What is wrong is told at its place, which lines above it may have moved.
            && earlier.crossings.is_empty()
        {
            return Ok(earlier);
        }
        let mut planned = Planned {
            fingerprint,
            columns: Vec::new(),
            lineage: TableLineage::default(),
            leaks: Vec::new(),
            classifications: BTreeMap::new(),
            crossings: Vec::new(),
            unplanned: None,
        };
        if let Some(missing) = inputs.iter().find(|input| !self.is_planned(input)) {
            planned.unplanned = Some(format!("the columns of {missing} are not known yet"));
            return Ok(planned);
        }
        if let Err(error) = self.plan_into(&mut planned, table, text).await {
            planned.unplanned = Some(error.to_string());
        }
        Ok(planned)
    }

    fn is_planned(&self, table: &TableName) -> bool {
        let node = self.lineage.nodes.get(table);
        node.is_some_and(|node| node.unplanned.is_none())
    }

    async fn plan_into(
        &mut self,
        planned: &mut Planned,
        table: &TableName,
        text: Text<'_>,
    ) -> Result<()> {
        let name = table.to_string();
        let planner = match self.planner.take() {
            Some(planner) => planner,
            None => {
                let planner = Planner::new(self.factory);
                for (table, schema) in &self.schemas {
                    planner.add(table, Arc::clone(schema))?;
                }
                planner
            }
        };
        let plan = planner.plan(text.sql, &name).await;
        self.planner = Some(planner);
        let plan = plan?;
        let failed = |error| EngineError::of(error, &name);
        let schema = if text.is_stored {
            stored_schema(table, plan.schema().as_arrow())?
        } else {
            Arc::new(plan.schema().as_arrow().clone())
        };
        planned.columns = schema
            .fields()
            .iter()
            .map(|field| (field.name().clone(), field.data_type().to_string()))
            .collect();
        planned.lineage = trace_plan(&plan).map_err(failed)?;
        let Classified { columns, crossings } =
            classified(&plan, self.project, &self.lineage.nodes);
        planned.classifications = planned
            .columns
            .iter()
            .zip(columns)
            .filter_map(|((column, _), class)| Some((column.clone(), class?)))
            .collect();
        planned.crossings = in_words(crossings, self.project, &self.vars, text.sql, text.written);
        if text.looks_ahead {
            let nodes = &self.lineage.nodes;
            let knowledge = |table: &TableName| {
                let node = nodes.get(table);
                node.map(|node| node.knowledge.clone()).unwrap_or_default()
            };
            planned.leaks = leaks(&plan, &knowledge).map_err(failed)?;
        }
        Ok(())
    }
}

/// A compiled text and how it is looked at.
#[derive(Clone, Copy)]
struct Text<'a> {
    sql: &'a str,
    /// Its file and what is written there, where the file holds nothing else.
    written: Option<(&'a str, &'a str)>,
    looks_ahead: bool,
    is_stored: bool,
}

impl Planned {
    fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|(name, kind)| Field::new(name, kind.parse().unwrap_or(DataType::Null), true))
            .collect();
        Arc::new(Schema::new(fields))
    }
}

impl LineageNode {
    fn new(kind: NodeKind, file: &str) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            columns: Vec::new(),
            fields: BTreeMap::new(),
            lineage: TableLineage::default(),
            unplanned: None,
            tags: BTreeMap::new(),
            declassified: Vec::new(),
            problems: Vec::new(),
            classifications: BTreeMap::new(),
            knowledge: Knowledge::default(),
            leaks: Vec::new(),
            depends_on_label: None,
            is_protected: false,
            fingerprint: String::new(),
            shape: String::new(),
        }
    }

    fn take(&mut self, planned: &Planned) {
        self.columns = planned
            .columns
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        self.lineage = planned.lineage.clone();
        self.unplanned.clone_from(&planned.unplanned);
        self.leaks.clone_from(&planned.leaks);
        self.classifications.clone_from(&planned.classifications);
        self.problems.extend(planned.crossings.iter().cloned());
    }
}

/// The variables with dates that can be told from all others.
fn marked(vars: &Vars) -> Vars {
    let mut vars = vars.clone();
    for (name, mark) in [
        ("as_of", AS_OF_MARK),
        ("partition_start", PARTITION_START_MARK),
        ("partition_end", PARTITION_END_MARK),
    ] {
        vars.insert(name.to_owned(), mark.to_owned());
    }
    vars
}
