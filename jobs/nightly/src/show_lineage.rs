//! Where columns come from and go to, for a person at the command line and for other catalogues.

use anyhow::{Result, anyhow};
use goyong_engine::lineage::{ColumnRef, Direction, LineageStep, OpenLineageRun, ProjectLineage};
use goyong_engine::{Clearance, ReadSession};
use goyong_types::TableName;

use serde_json::Value;

use crate::figures::StepFigures;
use crate::project::OpenProject;
use crate::watch::TelemetryOptions;

/// Columns of a lineage.
pub const LINEAGE_HEADER: [&str; 8] = [
    "distance",
    "target",
    "source",
    "kind",
    "how",
    "field",
    "tags",
    "expression",
];

/// Columns of the list of declassified columns.
pub const DECLASSIFIED_HEADER: [&str; 4] = ["table", "column", "tag", "reason"];

/// What of a lineage is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineageView {
    /// To where values come from.
    Upstream,
    /// To where values go.
    Downstream,
    /// Both.
    Both,
}

impl OpenProject {
    /// The edges around a column, or around every column of a table.
    pub async fn lineage(&self, name: &str, view: LineageView) -> Result<Vec<Vec<String>>> {
        let lineage = self.engine().lineage().await?;
        let (table, column) = lineage.find(name).map_err(|message| anyhow!(message))?;
        if let Some(reason) = lineage.node(&table).and_then(|node| node.unplanned.clone()) {
            return Err(anyhow!("{table} could not be planned: {reason}"));
        }
        let columns = match column {
            Some(column) => vec![column],
            None => lineage
                .node(&table)
                .map(|node| node.columns.clone())
                .unwrap_or_default(),
        };
        let mut steps = Vec::new();
        for direction in [Direction::Upstream, Direction::Downstream] {
            let is_asked = match view {
                LineageView::Both => true,
                LineageView::Upstream => direction == Direction::Upstream,
                LineageView::Downstream => direction == Direction::Downstream,
            };
            if is_asked {
                steps.extend(walk(&lineage, &table, &columns, direction));
            }
        }
        Ok(steps.into_iter().map(row).collect())
    }

    /// A session that refuses what a role may not receive.
    pub async fn restricted_to(&self, session: ReadSession, role: &str) -> Result<ReadSession> {
        let found = self.project().role(role);
        let clearance = Clearance {
            role: role.to_owned(),
            rules: found.map_err(|problem| anyhow!("{problem}"))?,
            lineage: self.engine().lineage().await?,
        };
        Ok(session.with_clearance(clearance))
    }

    /// Every column that a header made less sensitive than its sources.
    pub async fn declassified(&self) -> Result<Vec<Vec<String>>> {
        let lineage = self.engine().lineage().await?;
        let nodes = lineage.nodes();
        Ok(nodes
            .flat_map(|(table, node)| {
                node.declassified.iter().map(|declassified| {
                    vec![
                        table.to_string(),
                        declassified.column.clone(),
                        declassified.tag.clone(),
                        declassified.reason.clone(),
                    ]
                })
            })
            .collect())
    }

    /// One OpenLineage event per model and report query, a line each.
    pub async fn open_lineage(&self) -> Result<Vec<String>> {
        let namespace = self.configuration().project.clone();
        let events = self.lineage_events(namespace).await?;
        Ok(events.iter().map(ToString::to_string).collect())
    }

    async fn lineage_events(&self, namespace: String) -> Result<Vec<Value>> {
        let lineage = self.engine().lineage().await?;
        let run = OpenLineageRun {
            namespace,
            as_of: self.as_of_or_latest(None).await?,
        };
        Ok(lineage.open_lineage(self.project(), &run))
    }

    /// Who is told of runs, by the variables of the environment.
    pub(crate) fn telemetry(&self) -> TelemetryOptions {
        let variable = |name: &str| std::env::var(name).ok();
        TelemetryOptions::from_environment(&self.configuration().project, variable)
    }

    /// Tells whoever `OPENLINEAGE_URL` names where the columns of the tables come from that a step computed. A receiver
    /// that is away holds no step up.
    pub(crate) async fn tell_lineage(&self, figures: &StepFigures) {
        let options = self.telemetry();
        let is_computed = |name: &str| {
            let table = figures.tables.get(name);
            table.is_some_and(|table| table.partitions_rebuilt.is_some_and(|count| count > 0))
        };
        if !options.wants_lineage() || !figures.tables.keys().any(|name| is_computed(name)) {
            return;
        }
        let told = async {
            let mut events = self.lineage_events(options.namespace().to_owned()).await?;
            events.retain(|event| event["job"]["name"].as_str().is_some_and(is_computed));
            options.post_lineage(&events).await
        };
        if let Err(error) = told.await {
            tracing::warn!("the lineage of the tables was not taken: {error:#}");
        }
    }
}

fn walk(
    lineage: &ProjectLineage,
    table: &TableName,
    columns: &[String],
    direction: Direction,
) -> Vec<LineageStep> {
    let mut steps: Vec<LineageStep> = Vec::new();
    for column in columns {
        for step in lineage.walk(&ColumnRef::new(table, column), direction) {
            // What influences all columns is said once.
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

fn row(step: LineageStep) -> Vec<String> {
    vec![
        step.distance.to_string(),
        step.target.to_string(),
        step.source.to_string(),
        step.kind.to_owned(),
        step.subtype.to_owned(),
        step.field,
        step.tags.join(" "),
        step.expression,
    ]
}
