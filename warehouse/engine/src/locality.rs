//! Whether the rows of one key depend on input rows of that key alone, decided on the optimised plan.
//!
//! *What is shown.* Every row of every intermediate result either carries the key, and then depends
//! only on rows of keyed inputs that carry the same, or depends on no keyed input at all. A null key
//! matches nothing; rows that carry it never reach a row of another key. Whatever cannot be shown is
//! refused with the operator named: a keyed model that mixes keys does not compile.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchemaRef, DataFusionError, JoinType};
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, Union, Unnest};
use goyong_types::TableName;

use crate::intervals::{IntervalNode, Origin};

/// What a plan shows of a model that is keyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Locality {
    /// Columns of each input that the plan looks at.
    pub used: BTreeMap<TableName, BTreeSet<String>>,
    /// Inputs that carry the key, and in which column.
    pub keyed: BTreeMap<TableName, String>,
    /// Inputs of which a row matters only to the keys that name it.
    pub lookups: BTreeMap<TableName, Lookup>,
}

/// An input joined by its own single key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// Its key.
    pub column: String,
    /// The columns of keyed inputs whose values name its rows.
    pub named_by: BTreeSet<(TableName, String)>,
}

/// What is known of inputs before the plan is looked at.
#[derive(Debug, Default)]
pub(crate) struct KeyNames {
    /// The model's key column.
    pub key: String,
    /// The key's column in inputs that carry it.
    pub keyed: BTreeMap<TableName, String>,
    /// Inputs with a key of their own, which no two rows share.
    pub unique: BTreeMap<TableName, String>,
}

/// Where the values of a column come from, when they are taken over as they are; null counts as none.
type Origins = Option<BTreeSet<(TableName, String)>>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Rows belong to keys.
    Keyed,
    /// Rows of one input that has a key of its own.
    Lookup(TableName),
    /// Rows that depend on no keyed input.
    Free,
}

#[derive(Debug, Clone)]
struct Shape {
    kind: Kind,
    /// Per column: whether it holds the key (or null).
    is_key: Vec<bool>,
    origins: Vec<Origins>,
}

struct Analysis<'a> {
    names: &'a KeyNames,
    found: Locality,
    /// Inputs with a key of their own that are read in some other way than by it.
    not_followed: BTreeSet<TableName>,
}

/// Looks at a model's optimised plan; the message says what mixes keys and what to do.
pub(crate) fn locality(plan: &LogicalPlan, names: &KeyNames) -> Result<Locality, String> {
    let mut analysis = Analysis {
        names,
        found: Locality::default(),
        not_followed: BTreeSet::new(),
    };
    let shape = analysis.shape(plan)?;
    let key = &names.key;
    if shape.kind != Kind::Keyed {
        return Err(format!(
            "no input that carries `{key}` decides its rows; make it a table"
        ));
    }
    let position = plan
        .schema()
        .fields()
        .iter()
        .position(|field| field.name() == key);
    match position {
        None => Err(format!("the select has no column `{key}`")),
        Some(position) if !shape.is_key[position] => Err(format!(
            "the column `{key}` of the select is computed, not taken from an input's key"
        )),
        Some(_) => {
            let Analysis {
                mut found,
                not_followed,
                ..
            } = analysis;
            found
                .lookups
                .retain(|table, _| !not_followed.contains(table));
            Ok(found)
        }
    }
}

impl Shape {
    fn free(columns: usize) -> Self {
        Self {
            kind: Kind::Free,
            is_key: vec![false; columns],
            origins: vec![None; columns],
        }
    }

    fn is_keyed(&self) -> bool {
        self.kind == Kind::Keyed
    }
}

impl Analysis<'_> {
    fn shape(&mut self, plan: &LogicalPlan) -> Result<Shape, String> {
        self.look_into_subqueries(plan)?;
        let columns = plan.schema().fields().len();
        match plan {
            LogicalPlan::TableScan(_) => self.scan(plan),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => Ok(Shape::free(columns)),
            LogicalPlan::SubqueryAlias(alias) => self.shape(&alias.input),
            LogicalPlan::Subquery(subquery) => self.shape(&subquery.subquery),
            LogicalPlan::Repartition(repartition) => self.shape(&repartition.input),
            LogicalPlan::Filter(filter) => self.shape(&filter.input),
            LogicalPlan::Projection(projection) => {
                let input = self.shape(&projection.input)?;
                Ok(project(&projection.expr, projection.input.schema(), &input))
            }
            LogicalPlan::Sort(sort) => match sort.fetch {
                None => self.shape(&sort.input),
                Some(_) => self.all_or_nothing(&sort.input, "a limit"),
            },
            LogicalPlan::Limit(limit) => self.all_or_nothing(&limit.input, "a limit"),
            LogicalPlan::Window(window) => self.window(plan, &window.input, &window.window_expr),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Extension(extension) => {
                match extension.node.as_any().downcast_ref::<IntervalNode>() {
                    Some(node) => self.intervals(node),
                    None => self.other(plan),
                }
            }
            other => self.other(other),
        }
    }

    /// An operator of which only its inputs are known.
    fn other(&mut self, plan: &LogicalPlan) -> Result<Shape, String> {
        let operator = format!("the operator {}", name(plan));
        for input in plan.inputs() {
            self.all_or_nothing(input, &operator)?;
        }
        Ok(Shape::free(plan.schema().fields().len()))
    }

    /// A spell function looks at the rows of one key of its own at a time.
    fn intervals(&mut self, node: &IntervalNode) -> Result<Shape, String> {
        let mut inputs = Vec::new();
        for input in node.inputs() {
            inputs.push(self.shape(input)?);
        }
        let unreadable = |problem: DataFusionError| problem.to_string();
        let output = node.output().map_err(unreadable)?;
        let mut shape = Shape::free(output.len());
        if !inputs.iter().any(Shape::is_keyed) {
            for input in inputs {
                self.freed(input);
            }
            return Ok(shape);
        }
        let positions = node.positions().map_err(unreadable)?;
        let parts = positions.first().map_or(0, |at| at.key.len());
        let apart = (0..parts).any(|part| {
            let mut sides = inputs.iter().zip(&positions);
            sides.all(|(input, at)| input.is_keyed() && input.is_key[at.key[part]])
        });
        if !apart {
            let operator = format!("{}, whose key does not hold it,", node.name());
            return Err(self.mixes(&operator));
        }
        shape.kind = Kind::Keyed;
        for (position, column) in output.into_iter().enumerate() {
            if let Origin::Column { input, column } = column.origin {
                shape.is_key[position] = inputs[input].is_key[column];
                shape.origins[position] = inputs[input].origins[column].clone();
            }
        }
        Ok(shape)
    }

    fn scan(&mut self, plan: &LogicalPlan) -> Result<Shape, String> {
        let LogicalPlan::TableScan(scan) = plan else {
            return Ok(Shape::free(plan.schema().fields().len()));
        };
        let fields = scan.projected_schema.fields();
        let schema = scan.table_name.schema().unwrap_or("core");
        let Ok(table) = TableName::new(schema, scan.table_name.table()) else {
            return Ok(Shape::free(fields.len()));
        };
        let used = self.found.used.entry(table.clone()).or_default();
        used.extend(fields.iter().map(|field| field.name().clone()));
        let filtered = scan.filters.iter().flat_map(Expr::column_refs);
        used.extend(filtered.map(|column| column.name.clone()));
        let origin = |name: &str| Some(BTreeSet::from([(table.clone(), name.to_owned())]));
        let mut shape = Shape {
            kind: Kind::Free,
            is_key: vec![false; fields.len()],
            origins: fields.iter().map(|field| origin(field.name())).collect(),
        };
        if let Some(key) = self.names.keyed.get(&table) {
            if scan.fetch.is_some() {
                return Err(self.mixes("a limit"));
            }
            self.found.keyed.insert(table.clone(), key.clone());
            shape.kind = Kind::Keyed;
            shape.is_key = fields.iter().map(|field| field.name() == key).collect();
        } else if let Some(column) = self.names.unique.get(&table) {
            let lookup = self.found.lookups.entry(table.clone()).or_default();
            lookup.column.clone_from(column);
            shape.kind = Kind::Lookup(table);
        }
        Ok(shape)
    }

    /// A subquery that is still one must depend on no keyed input.
    fn look_into_subqueries(&mut self, plan: &LogicalPlan) -> Result<(), String> {
        let mut subqueries = Vec::new();
        for expression in plan.expressions() {
            let _ = expression.apply(|part| {
                let subquery = match part {
                    Expr::ScalarSubquery(subquery) => Some(subquery),
                    Expr::Exists(exists) => Some(&exists.subquery),
                    Expr::InSubquery(within) => Some(&within.subquery),
                    Expr::SetComparison(comparison) => Some(&comparison.subquery),
                    _ => None,
                };
                subqueries.extend(subquery.cloned());
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            });
        }
        for subquery in subqueries {
            let shape = self.shape(&subquery.subquery)?;
            if shape.is_keyed() || !subquery.outer_ref_columns.is_empty() {
                return Err(self.mixes("a subquery that is no join"));
            }
            self.not_followed_any_more(&shape);
        }
        Ok(())
    }

    /// An operator over all rows together: fine where no row carries a key.
    fn all_or_nothing(&mut self, input: &LogicalPlan, operator: &str) -> Result<Shape, String> {
        let shape = self.shape(input)?;
        if shape.is_keyed() {
            return Err(self.mixes(operator));
        }
        Ok(self.freed(shape))
    }

    fn window(
        &mut self,
        plan: &LogicalPlan,
        input: &LogicalPlan,
        windows: &[Expr],
    ) -> Result<Shape, String> {
        let mut shape = self.shape(input)?;
        if shape.is_keyed() {
            for window in windows {
                let partitioned = match unaliased(window) {
                    Expr::WindowFunction(window) => &window.params.partition_by,
                    _ => return Err(self.mixes("a window")),
                };
                if !partitioned
                    .iter()
                    .any(|expression| column_of(expression, input.schema(), &shape).0)
                {
                    return Err(self.mixes(&format!(
                        "the window {}, which is not partitioned by it",
                        shown(window)
                    )));
                }
            }
        } else {
            shape = self.freed(shape);
        }
        let columns = plan.schema().fields().len();
        shape.is_key.resize(columns, false);
        shape.origins.resize(columns, None);
        Ok(shape)
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Shape, String> {
        let input = self.shape(&aggregate.input)?;
        let columns = aggregate.schema.fields().len();
        let grouping_sets = matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_)));
        let mut shape = if grouping_sets {
            Shape::free(columns)
        } else {
            project(&aggregate.group_expr, aggregate.input.schema(), &input)
        };
        shape.is_key.resize(columns, false);
        shape.origins.resize(columns, None);
        match &input.kind {
            Kind::Keyed => {
                if !shape.is_key.contains(&true) {
                    return Err(
                        self.mixes("an aggregate, or a distinct, that does not group by it")
                    );
                }
                shape.kind = Kind::Keyed;
            }
            Kind::Lookup(table) if self.holds_its_key(table, &shape) => {
                shape.kind = input.kind.clone();
            }
            _ => {
                shape = self.freed(Shape {
                    kind: input.kind,
                    ..shape
                })
            }
        }
        Ok(shape)
    }

    fn distinct(&mut self, distinct: &Distinct) -> Result<Shape, String> {
        match distinct {
            Distinct::All(input) => {
                let shape = self.shape(input)?;
                if shape.is_keyed() && !shape.is_key.contains(&true) {
                    return Err(self.mixes("a distinct without it"));
                }
                Ok(match &shape.kind {
                    Kind::Lookup(table) if !self.holds_its_key(table, &shape) => self.freed(shape),
                    _ => shape,
                })
            }
            Distinct::On(on) => {
                let input = self.shape(&on.input)?;
                let schema = on.input.schema();
                let by_key = on
                    .on_expr
                    .iter()
                    .any(|expression| column_of(expression, schema, &input).0);
                if input.is_keyed() && !by_key {
                    return Err(self.mixes("a distinct on other columns"));
                }
                let shape = project(&on.select_expr, schema, &input);
                Ok(if shape.is_keyed() {
                    shape
                } else {
                    self.freed(shape)
                })
            }
        }
    }

    fn union(&mut self, union: &Union) -> Result<Shape, String> {
        let mut shapes = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            shapes.push(self.shape(input)?);
        }
        let columns = union.schema.fields().len();
        if shapes.iter().any(Shape::is_keyed) {
            if !shapes.iter().all(Shape::is_keyed) {
                return Err(self.mixes("a union with rows that carry no key"));
            }
            let is_key = (0..columns)
                .map(|column| shapes.iter().all(|shape| shape.is_key[column]))
                .collect();
            let origins = (0..columns)
                .map(|column| {
                    shapes.iter().try_fold(BTreeSet::new(), |mut all, shape| {
                        all.extend(shape.origins[column].clone()?);
                        Some(all)
                    })
                })
                .collect();
            return Ok(Shape {
                kind: Kind::Keyed,
                is_key,
                origins,
            });
        }
        for shape in shapes {
            self.freed(shape);
        }
        Ok(Shape::free(columns))
    }

    fn join(&mut self, join: &Join) -> Result<Shape, String> {
        let left = self.shape(&join.left)?;
        let right = self.shape(&join.right)?;
        let pairs: Vec<_> = join
            .on
            .iter()
            .map(|(one, other)| {
                (
                    column_of(one, join.left.schema(), &left),
                    column_of(other, join.right.schema(), &right),
                )
            })
            .collect();
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi};
        use JoinType::{Right, RightAnti, RightMark, RightSemi};
        let kind = match (left.is_keyed(), right.is_keyed()) {
            (true, true) => {
                // `not in` over a set with a null is true for no row, whatever the row's key.
                let equated = pairs.iter().any(|((one, _), (other, _))| *one && *other);
                if !equated || join.null_aware {
                    return Err(self.mixes("a join that does not equate it on both sides"));
                }
                Kind::Keyed
            }
            (true, false) => {
                if !matches!(
                    join.join_type,
                    Inner | Left | LeftSemi | LeftAnti | LeftMark
                ) {
                    return Err(self.mixes("a join that keeps rows of an input without it"));
                }
                let named: Vec<_> = pairs
                    .iter()
                    .map(|(one, other)| (&one.1, &other.1))
                    .collect();
                self.follow(&right, &named);
                Kind::Keyed
            }
            (false, true) => {
                if !matches!(
                    join.join_type,
                    Inner | Right | RightSemi | RightAnti | RightMark
                ) {
                    return Err(self.mixes("a join that keeps rows of an input without it"));
                }
                let named: Vec<_> = pairs
                    .iter()
                    .map(|(one, other)| (&other.1, &one.1))
                    .collect();
                self.follow(&left, &named);
                Kind::Keyed
            }
            (false, false) => {
                self.not_followed_any_more(&left);
                self.not_followed_any_more(&right);
                Kind::Free
            }
        };
        let (mut is_key, mut origins) = match join.join_type {
            LeftSemi | LeftAnti | LeftMark => (left.is_key, left.origins),
            RightSemi | RightAnti | RightMark => (right.is_key, right.origins),
            _ => (
                [left.is_key, right.is_key].concat(),
                [left.origins, right.origins].concat(),
            ),
        };
        let columns = join.schema.fields().len();
        is_key.resize(columns, false);
        origins.resize(columns, None);
        Ok(Shape {
            kind,
            is_key,
            origins,
        })
    }

    fn unnest(&mut self, unnest: &Unnest) -> Result<Shape, String> {
        let input = self.shape(&unnest.input)?;
        let unnested: BTreeSet<usize> = unnest
            .list_type_columns
            .iter()
            .map(|(column, _)| *column)
            .chain(unnest.struct_type_columns.iter().copied())
            .collect();
        let mut shape = Shape::free(unnest.dependency_indices.len());
        shape.kind = input.kind.clone();
        for (position, source) in unnest.dependency_indices.iter().enumerate() {
            if !unnested.contains(source) {
                shape.is_key[position] = input.is_key[*source];
                shape.origins[position] = input.origins[*source].clone();
            }
        }
        Ok(if shape.is_keyed() {
            shape
        } else {
            self.freed(shape)
        })
    }

    /// Notes which columns name the rows of a looked-up input; what is not named stays unfollowed.
    fn follow(&mut self, side: &Shape, pairs: &[(&Origins, &Origins)]) {
        let Kind::Lookup(table) = &side.kind else {
            return self.not_followed_any_more(side);
        };
        let Some(lookup) = self.found.lookups.get(table) else {
            return;
        };
        let own = Some(BTreeSet::from([(table.clone(), lookup.column.clone())]));
        let names = pairs
            .iter()
            .filter(|(_, looked_up)| **looked_up == own)
            .find_map(|(named, _)| named.as_ref())
            .filter(|named| {
                !named.is_empty()
                    && named
                        .iter()
                        .all(|(table, _)| self.names.keyed.contains_key(table))
            })
            .cloned();
        match (names, self.found.lookups.get_mut(table)) {
            (Some(names), Some(lookup)) => lookup.named_by.extend(names),
            _ => self.not_followed_any_more(side),
        }
    }

    fn freed(&mut self, shape: Shape) -> Shape {
        self.not_followed_any_more(&shape);
        Shape {
            kind: Kind::Free,
            ..shape
        }
    }

    fn not_followed_any_more(&mut self, shape: &Shape) {
        if let Kind::Lookup(table) = &shape.kind {
            self.not_followed.insert(table.clone());
        }
    }

    fn holds_its_key(&self, table: &TableName, shape: &Shape) -> bool {
        let column = self
            .found
            .lookups
            .get(table)
            .map(|lookup| lookup.column.clone());
        let own = column.map(|column| BTreeSet::from([(table.clone(), column)]));
        own.is_some() && shape.origins.contains(&own)
    }

    fn mixes(&self, operator: &str) -> String {
        format!(
            "it is keyed by `{key}`, but {operator} mixes rows of different {key}; move that part \
             into a model of its own, or make this one a table",
            key = self.names.key
        )
    }
}

fn project(expressions: &[Expr], schema: &DFSchemaRef, input: &Shape) -> Shape {
    let (is_key, origins) = expressions
        .iter()
        .map(|expression| column_of(expression, schema, input))
        .unzip();
    Shape {
        kind: input.kind.clone(),
        is_key,
        origins,
    }
}

/// Whether an expression is the key, and where its values come from.
fn column_of(expression: &Expr, schema: &DFSchemaRef, input: &Shape) -> (bool, Origins) {
    match expression {
        Expr::Column(column) => position(column, schema).map_or((false, None), |at| {
            (input.is_key[at], input.origins[at].clone())
        }),
        Expr::Alias(alias) => column_of(&alias.expr, schema, input),
        Expr::Literal(value, _) if value.is_null() => (false, Some(BTreeSet::new())),
        // Whichever branch is taken, it is the key.
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then);
            let mut branches = branches.chain(&case.else_expr);
            let is_key = branches.all(|branch| column_of(branch, schema, input).0);
            (is_key, None)
        }
        Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
            let is_key = call
                .args
                .iter()
                .all(|part| column_of(part, schema, input).0);
            (is_key, None)
        }
        _ => (false, None),
    }
}

fn position(column: &Column, schema: &DFSchemaRef) -> Option<usize> {
    schema.index_of_column(column).ok()
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// An expression in few words.
fn shown(expression: &Expr) -> String {
    let text = unaliased(expression).to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn name(plan: &LogicalPlan) -> String {
    let text = plan.display().to_string();
    text.split([':', ' ']).next().unwrap_or_default().to_owned()
}
