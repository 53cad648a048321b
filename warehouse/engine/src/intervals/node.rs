//! The logical node of a spell function and its way to the operator.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, internal_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{
    Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::exec::IntervalExec;
use super::settings::{Operation, Origin, OutputColumn, Positions, Settings};

/// Columns of one input, by name so that they survive the pruning of others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SpellColumns {
    pub key: Vec<Column>,
    pub start: Column,
    pub end: Column,
    pub continues: Option<Column>,
}

impl SpellColumns {
    fn all(&self) -> impl Iterator<Item = &Column> {
        let key = self.key.iter();
        key.chain([&self.start, &self.end]).chain(&self.continues)
    }
}

/// A spell function over one or two inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct IntervalNode {
    pub(super) settings: Settings,
    inputs: Vec<LogicalPlan>,
    columns: Vec<SpellColumns>,
    schema: DFSchemaRef,
}

impl IntervalNode {
    /// Checks types and names; the error is for the author of the SQL.
    pub fn try_new(
        settings: Settings,
        inputs: Vec<LogicalPlan>,
        columns: Vec<SpellColumns>,
    ) -> Result<Self> {
        let mut node = Self {
            schema: Arc::new(DFSchema::empty()),
            settings,
            inputs,
            columns,
        };
        node.check_types()?;
        node.schema = Arc::new(node.make_schema()?);
        Ok(node)
    }

    /// The columns of the result and where their values come from.
    pub fn output(&self) -> Result<Vec<OutputColumn>> {
        let fields: Vec<Vec<FieldRef>> = self
            .inputs
            .iter()
            .map(|input| input.schema().fields().iter().cloned().collect())
            .collect();
        let fields: Vec<&[FieldRef]> = fields.iter().map(Vec::as_slice).collect();
        self.settings.output(&fields, &self.positions()?)
    }

    /// Positions of key and dates in the inputs: they decide which rows come out.
    pub fn positions(&self) -> Result<Vec<Positions>> {
        self.inputs
            .iter()
            .zip(&self.columns)
            .map(|(input, columns)| {
                let schema = input.schema();
                Ok(Positions {
                    key: columns
                        .key
                        .iter()
                        .map(|column| schema.index_of_column(column))
                        .collect::<Result<_>>()?,
                    start: schema.index_of_column(&columns.start)?,
                    end: schema.index_of_column(&columns.end)?,
                    continues: columns
                        .continues
                        .as_ref()
                        .map(|column| schema.index_of_column(column))
                        .transpose()?,
                })
            })
            .collect()
    }

    fn check_types(&self) -> Result<()> {
        let name = self.settings.name();
        let positions = self.positions()?;
        for (input, at) in self.inputs.iter().zip(&positions) {
            for column in [at.start, at.end] {
                let field = input.schema().field(column);
                if *field.data_type() != DataType::Date32 {
                    return plan_err!(
                        "{name}: `{}` is {}, not a date; cast({} as date)",
                        field.name(),
                        field.data_type(),
                        field.name()
                    );
                }
            }
        }
        if let [left, right] = positions.as_slice() {
            for (&left_key, &right_key) in left.key.iter().zip(&right.key) {
                let left = self.inputs[0].schema().field(left_key);
                let right = self.inputs[1].schema().field(right_key);
                if left.data_type() != right.data_type() {
                    return plan_err!(
                        "{name}: `{}` is {} in the first table and {} in the second; cast one of them",
                        left.name(),
                        left.data_type(),
                        right.data_type()
                    );
                }
            }
        }
        Ok(())
    }

    fn make_schema(&self) -> Result<DFSchema> {
        let keeps_qualifiers = self.inputs.len() == 1;
        let fields = self
            .output()?
            .into_iter()
            .map(|column| {
                let qualifier = match column.origin {
                    Origin::Column { input, column } if keeps_qualifiers => self.inputs[input]
                        .schema()
                        .qualified_field(column)
                        .0
                        .cloned(),
                    _ => None,
                };
                (qualifier, column.field)
            })
            .collect();
        DFSchema::new_with_metadata(fields, HashMap::new())
    }
}

impl PartialOrd for IntervalNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for IntervalNode {
    fn name(&self) -> &str {
        self.settings.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.columns
            .iter()
            .flat_map(SpellColumns::all)
            .map(|column| Expr::Column(column.clone()))
            .collect()
    }

    /// What holds for a key holds for all its rows, so conditions on it may run first; no other may.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let is_key = |name: &str| {
            self.columns
                .iter()
                .all(|columns| columns.key.iter().any(|key| key.name == name))
        };
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .filter(|name| !is_key(name))
            .collect()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.settings.name())?;
        for columns in &self.columns {
            let key: Vec<&str> = columns.key.iter().map(Column::name).collect();
            write!(
                formatter,
                " key=[{}] interval=[{}, {}]",
                key.join(", "),
                columns.start.name,
                columns.end.name
            )?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(
        &self,
        expressions: Vec<Expr>,
        inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let mut columns = expressions.into_iter().map(|expression| match expression {
            Expr::Column(column) => Ok(column),
            other => internal_err!("{other} is no column"),
        });
        let mut next = || match columns.next() {
            Some(column) => column,
            None => internal_err!("too few expressions"),
        };
        let columns = self
            .columns
            .iter()
            .map(|earlier| {
                Ok(SpellColumns {
                    key: earlier.key.iter().map(|_| next()).collect::<Result<_>>()?,
                    start: next()?,
                    end: next()?,
                    continues: earlier.continues.as_ref().map(|_| next()).transpose()?,
                })
            })
            .collect::<Result<_>>()?;
        Self::try_new(self.settings.clone(), inputs, columns)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let output = self.output().ok()?;
        let mut needed: Vec<Vec<usize>> = vec![Vec::new(); self.inputs.len()];
        for &position in output_columns {
            if let Origin::Column { input, column } = output.get(position)?.origin {
                needed[input].push(column);
            }
        }
        for (needed, at) in needed.iter_mut().zip(self.positions().ok()?) {
            needed.extend(at.all());
            needed.sort_unstable();
            needed.dedup();
        }
        Some(needed)
    }
}

/// DataFusion's planner, which knows the spell functions as well.
#[derive(Debug)]
pub(crate) struct SpellQueryPlanner;

#[async_trait]
impl QueryPlanner for SpellQueryPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(SpellPlanner)])
            .create_physical_plan(logical_plan, session)
            .await
    }
}

/// Makes the operator of a node.
#[derive(Debug)]
pub(crate) struct SpellPlanner;

#[async_trait]
impl ExtensionPlanner for SpellPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _planning: &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<IntervalNode>() else {
            return Ok(None);
        };
        let plan = IntervalExec::plan(
            node.settings.clone(),
            physical_inputs.to_vec(),
            node.positions()?,
        )?;
        Ok(Some(Arc::new(plan)))
    }
}

/// Whether rows are handed on one for one.
pub(super) fn keeps_rows(operation: &Operation) -> bool {
    matches!(operation, Operation::Gaps { .. })
}
