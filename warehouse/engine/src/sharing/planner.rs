//! Plans a query around its shared parts, and each part for all of its readers together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use super::exec::{SharedExec, SharedRows};
use super::part::{Part, part_of};

/// Plans shared parts, and leaves the rest to another planner.
#[derive(Debug)]
pub(super) struct SharingPlanner {
    rest: Arc<dyn QueryPlanner + Send + Sync>,
}

impl SharingPlanner {
    pub fn new(rest: Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self { rest }
    }
}

#[async_trait]
impl QueryPlanner for SharingPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut needs = BTreeMap::new();
        collect_needs(plan, &mut needs)?;
        if needs.is_empty() {
            return self.rest.create_physical_plan(plan, session).await;
        }
        let state = session.as_any().downcast_ref::<SessionState>();
        let state = state.ok_or_else(|| internal_datafusion_err!("a session of another kind"))?;
        // A part is read by the query and by parts with smaller numbers: once those are optimised, all is known that
        // its readers need of it.
        let mut optimised = Vec::new();
        while let Some((number, needed)) = needs.pop_first() {
            let plan = state.optimize(&needed.definition()?)?;
            collect_needs(&plan, &mut needs)?;
            optimised.push((number, needed, plan));
        }
        let mut planned = BTreeMap::new();
        for (number, needed, plan) in optimised.into_iter().rev() {
            let plan = with_planned(plan, &planned)?;
            let plan = self.rest.create_physical_plan(&plan, session).await?;
            planned.insert(number, Arc::new(PlannedPart::new(&needed, plan)?));
        }
        let plan = with_planned(plan.clone(), &planned)?;
        self.rest.create_physical_plan(&plan, session).await
    }
}

/// What the readers of a part need of it.
struct Needs {
    part: Arc<Part>,
    /// Positions of the columns that some reader reads.
    columns: BTreeSet<usize>,
    /// The condition of each reader; `None` once a reader wants all rows.
    conditions: Option<Vec<Expr>>,
}

fn collect_needs(plan: &LogicalPlan, needs: &mut BTreeMap<usize, Needs>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(part) = part_of(scan)
        {
            let needed = needs.entry(part.number).or_insert_with(|| Needs {
                part,
                columns: BTreeSet::new(),
                conditions: Some(Vec::new()),
            });
            needed.add(scan);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

impl Needs {
    fn add(&mut self, scan: &TableScan) {
        match &scan.projection {
            Some(columns) => self.columns.extend(columns),
            None => self.columns.extend(0..scan.source.schema().fields().len()),
        }
        let usable = scan.filters.iter().filter(|filter| is_plain(filter));
        match (conjunction(usable.cloned()), &mut self.conditions) {
            (Some(condition), Some(conditions)) if !conditions.contains(&condition) => {
                conditions.push(condition);
            }
            (Some(_), _) => {}
            (None, conditions) => *conditions = None,
        }
    }

    /// The part's rows and columns that some reader needs.
    fn definition(&self) -> Result<LogicalPlan> {
        let plan = self.part.plan()?;
        let schema = Arc::clone(plan.schema());
        // A leaf names the columns of its part alone, and in the part's order.
        let own = |expression: Expr| {
            expression.transform(|inner| match inner {
                Expr::Column(column) => {
                    let position = schema.inner().index_of(&column.name)?;
                    let own = Expr::Column(schema.qualified_field(position).into());
                    Ok(Transformed::yes(own))
                }
                inner => Ok(Transformed::no(inner)),
            })
        };
        let mut rows = LogicalPlanBuilder::from(plan.clone());
        if let Some(conditions) = &self.conditions
            && let Some(condition) = disjunction(conditions.iter().cloned())
        {
            rows = rows.filter(own(condition)?.data)?;
        }
        let columns = self.kept_columns();
        let columns = columns.map(|position| Expr::Column(schema.qualified_field(position).into()));
        rows.project(columns.collect::<Vec<_>>())?.build()
    }

    /// At least one column, as files of spilled rows hold no bare numbers of rows.
    fn kept_columns(&self) -> impl Iterator<Item = usize> + '_ {
        let first = self.columns.is_empty().then_some(0);
        self.columns.iter().copied().chain(first)
    }
}

/// Whether a condition of a reader may be tried on the part: it means the same there, and gives the same each time.
fn is_plain(condition: &Expr) -> bool {
    let foreign = condition.exists(|inner| {
        Ok(matches!(
            inner,
            Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
        ))
    });
    !condition.is_volatile() && matches!(foreign, Ok(false))
}

/// The plan with leaves that know how their parts are computed.
fn with_planned(
    plan: LogicalPlan,
    planned: &BTreeMap<usize, Arc<PlannedPart>>,
) -> Result<LogicalPlan> {
    let replaced = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            let Some(part) = part_of(&scan) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let missing = || internal_datafusion_err!("shared part {} is not planned", part.number);
            let planned = planned.get(&part.number).ok_or_else(missing)?;
            let provider: Arc<dyn TableProvider> = Arc::<PlannedPart>::clone(planned);
            scan.source = provider_as_source(provider);
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}

/// A part whose plan is known: every scan is one reader more.
#[derive(Debug)]
struct PlannedPart {
    schema: SchemaRef,
    /// Position in the plan's rows of each column that is there.
    positions: BTreeMap<usize, usize>,
    rows: Arc<SharedRows>,
}

impl PlannedPart {
    fn new(needs: &Needs, plan: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = needs.part.schema();
        let kept: Vec<usize> = needs.kept_columns().collect();
        let promised = Arc::new(schema.project(&kept)?);
        Ok(Self {
            schema,
            positions: kept.into_iter().zip(0..).collect(),
            rows: SharedRows::new(needs.part.number, promised, plan),
        })
    }
}

#[async_trait]
impl TableProvider for PlannedPart {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let reader: Arc<dyn ExecutionPlan> = Arc::new(SharedExec::reader(&self.rows)?);
        let all = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let as_kept = wanted
            .iter()
            .zip(0..)
            .all(|(column, at)| self.positions.get(column) == Some(&at));
        if as_kept && wanted.len() == self.positions.len() {
            return Ok(reader);
        }
        let columns = wanted.iter().map(|column| {
            let name = self.schema.field(*column).name();
            let missing = || internal_datafusion_err!("{name} is no column of the shared rows");
            let position = *self.positions.get(column).ok_or_else(missing)?;
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, position));
            Ok((column, name.clone()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, reader)?))
    }
}
