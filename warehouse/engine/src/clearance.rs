//! A reader's role at the door of a session: a query that would return too much is never run.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use goyong_catalog::{Role, is_person_column};
use goyong_types::TableName;

use crate::error::{EngineError, Result};
use crate::lineage::{Carry, ColumnRef, ProjectLineage, trace_plan};
use crate::policy::{SENSITIVITY_TAGS, Tags, arrows, inherited};
use crate::read_session::ReadSession;

/// What a role may receive, and what is known of the columns.
#[derive(Debug, Clone)]
pub struct Clearance {
    /// Name of the role.
    pub role: String,
    /// Its rules.
    pub rules: Role,
    /// The lineage of the project.
    pub lineage: Arc<ProjectLineage>,
}

impl Clearance {
    /// Refuses a plan that would hand out a column above the clearance, or that is no plain query:
    /// what `explain` tells of a plan are values as well.
    pub(crate) async fn check(&self, plan: &LogicalPlan, session: &ReadSession) -> Result<()> {
        let role = &self.role;
        let traced = trace_plan(plan)
            .map_err(|_| EngineError::Refused(format!("the role `{role}` may run queries only")))?;
        let tables: BTreeSet<&TableName> =
            traced.edges().map(|(_, source, _)| &source.table).collect();
        for table in tables {
            let schemas = &self.rules.schemas;
            let is_open = schemas.is_empty()
                || schemas.iter().any(|schema| schema == table.schema())
                || table.schema() == "information_schema";
            if !is_open {
                return Err(EngineError::Refused(format!(
                    "the role `{role}` may not read {table}, only {}",
                    schemas.join(", ")
                )));
            }
        }
        for column in &traced.columns {
            for (source, carry) in column.values() {
                let tags = self.tags_of(source, session).await?;
                let refused = inherited(&tags, carry)
                    .into_iter()
                    .find(|tag| !self.rules.allow.contains(tag));
                if let Some(tag) = refused {
                    let chain = self.lineage.chain(&source.table, &source.column, &tag);
                    return Err(EngineError::Refused(format!(
                        "the role `{role}` may not receive `{tag}`: {}; leave the column out or count it",
                        arrows(&column.name, &chain)
                    )));
                }
            }
        }
        Ok(())
    }

    /// By the project, by what stands beside the stored table, and by name: the release may be older
    /// than the project.
    async fn tags_of(&self, source: &ColumnRef, session: &ReadSession) -> Result<Tags> {
        let mut tags = self.lineage.tags(&source.table, &source.column);
        if is_person_column(&source.column) {
            tags.insert("pseudonym".into());
        }
        if source.table.schema() == "quarantine" {
            // Records as they came, checked by nobody.
            tags.insert("free_text".into());
        }
        if source.table.schema() == "information_schema" {
            return Ok(inherited(&tags, Carry::Whole));
        }
        let columns = session.describe(&source.table.to_string()).await?;
        let stored = columns
            .into_iter()
            .filter(|column| column.name == source.column)
            .flat_map(|column| column.tags)
            .filter(|tag| SENSITIVITY_TAGS.contains(&tag.as_str()));
        tags.extend(stored);
        Ok(tags)
    }
}
