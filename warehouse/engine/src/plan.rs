//! What a build would do, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use goyong_catalog::{Materialized, Model, Project, Selection, Vars};
use goyong_types::{Month, TableName};
use serde::Serialize;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::inputs::Inputs;
use crate::lineage::ProjectLineage;
use crate::memo::WHOLE;
use crate::seeds::{seed_fingerprint, seed_table};
use crate::tables::{KnownTable, TableCache};
use crate::targets::{Scope, Target, Targets, tables_behind};

/// What a build would do with one seed or model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The table.
    pub table: TableName,
    /// Months (or 1 for a whole table) that are computed for certain.
    pub partitions_stale: usize,
    /// Months (or 1) that stay unless an input changes.
    pub partitions_fresh: usize,
    /// The months that are computed for certain, as `2024-08`.
    pub partitions: Vec<String>,
    /// Why; empty when nothing is to do.
    pub reason: String,
    /// Inputs computed in the same build: when their rows change, more months follow.
    pub follows: Vec<TableName>,
}

/// What is done with the models of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildMode {
    /// Compute what is stale.
    pub run: bool,
    /// Test what is there.
    pub test: bool,
    /// Begin nothing more once something failed.
    pub fail_fast: bool,
}

impl Default for BuildMode {
    fn default() -> Self {
        Self {
            run: true,
            test: true,
            fail_fast: false,
        }
    }
}

/// What a build would do, and the versions it was decided on.
#[derive(Debug)]
pub struct BuildPlan {
    /// The day up to which things are known.
    pub as_of: NaiveDate,
    /// Seeds first, then models in the order of the graph.
    pub steps: Vec<PlannedStep>,
    pub(crate) seeds: Vec<String>,
    pub(crate) models: Vec<TableName>,
    pub(crate) checks: Vec<String>,
    pub(crate) vars: Vars,
    pub(crate) scope: Scope,
    pub(crate) mode: BuildMode,
    /// Whether every model of the project was selected.
    pub(crate) everything: bool,
    pub(crate) cache: Arc<TableCache>,
    pub(crate) lineage: Arc<ProjectLineage>,
    pub(crate) targets: BTreeMap<TableName, Arc<Targets>>,
}

impl BuildPlan {
    /// Whether nothing is to be computed. Tests and checks that have not passed yet still run.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.reason.is_empty())
    }

    /// The same plan, to be run or tested only.
    #[must_use]
    pub fn with_mode(mut self, mode: BuildMode) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) async fn make(inner: &Inner, selection: &Selection, scope: Scope) -> Result<Self> {
        let project = &inner.project;
        let selected = selection.resolve(project)?;
        let everything = selected.len() == project.models().len();
        let models: Vec<TableName> = project
            .order()
            .iter()
            .filter(|table| selected.contains(*table))
            .cloned()
            .collect();
        let behind = tables_behind(project, &models);
        let seeds = seeds_read(project, &models, everything);
        let checks: Vec<String> = project
            .checks()
            .values()
            .filter(|check| everything || check.inputs.iter().any(|input| selected.contains(input)))
            .map(|check| check.name.clone())
            .collect();

        let cache = Arc::new(TableCache::new(&inner.warehouse));
        cache.load(behind).await?;
        let lineage = inner.lineage(&cache).await?;
        Inner::refuse_reports(&lineage)?;
        let mut plan = Self {
            as_of: scope.as_of,
            steps: Vec::with_capacity(seeds.len() + models.len()),
            seeds,
            models,
            checks,
            vars: inner.vars_at(scope.as_of),
            scope,
            mode: BuildMode::default(),
            everything,
            cache,
            lineage: Arc::clone(&lineage),
            targets: BTreeMap::new(),
        };
        plan.plan_seeds(project).await?;
        plan.plan_models(project).await?;
        for step in &mut plan.steps {
            if let Some(problem) = lineage.problem_of(&step.table) {
                step.reason = problem;
            }
        }
        plan.check_months(project)?;
        Ok(plan)
    }

    /// The months the build is limited to and how many of them some selected model has.
    pub fn months(&self) -> Option<(Month, Month, usize)> {
        let (from, to) = self.scope.months?;
        let targets = self.targets.values().flat_map(|targets| &targets.targets);
        let months: BTreeSet<Month> = targets
            .filter_map(|target| target.month)
            .filter(|month| self.scope.holds(Some(*month)))
            .collect();
        Some((from, to, months.len()))
    }

    /// An interval that means nothing is an error, not a build of nothing.
    fn check_months(&self, project: &Project) -> Result<()> {
        let Some((from, to, 0)) = self.months() else {
            return Ok(());
        };
        let by_month = |table: &&TableName| {
            let model = project.models().get(*table);
            model.is_some_and(|model| model.partition_column().is_some())
        };
        if !self.models.iter().any(|table| by_month(&table)) {
            return Err(EngineError::Refused(
                "none of the selected models is kept by month, so an event time means nothing to them; \
                 leave it out or select a partitioned model"
                    .into(),
            ));
        }
        let targets = self.targets.values().flat_map(|targets| &targets.targets);
        let all: BTreeSet<Month> = targets.filter_map(|target| target.month).collect();
        let known = match (all.first(), all.last()) {
            (Some(first), Some(last)) => format!("their months go from {first} to {last}"),
            _ => "they have no month yet".to_owned(),
        };
        Err(EngineError::Refused(format!(
            "no selected model has a month from {from} to before {to}; {known}"
        )))
    }

    async fn plan_seeds(&mut self, project: &Project) -> Result<()> {
        for seed in self
            .seeds
            .iter()
            .filter_map(|name| project.seeds().get(name))
        {
            let table = seed_table(seed)?;
            let known = self.cache.get(&table).await?;
            let fingerprint = seed_fingerprint(seed);
            let fresh = known
                .memo
                .is_fresh(known.snapshot.as_ref(), WHOLE, &fingerprint);
            let stale = !fresh || self.scope.refreshes_tables();
            self.steps.push(PlannedStep {
                partitions_stale: usize::from(stale),
                partitions_fresh: usize::from(!stale),
                partitions: Vec::new(),
                reason: stale_reason(
                    self.scope.refreshes_tables(),
                    &known,
                    stale,
                    "the file changed",
                ),
                follows: Vec::new(),
                table,
            });
        }
        Ok(())
    }

    async fn plan_models(&mut self, project: &Project) -> Result<()> {
        let mut computed: BTreeSet<TableName> = self
            .steps
            .iter()
            .filter(|step| !step.reason.is_empty())
            .map(|step| step.table.clone())
            .collect();
        for table in &self.models {
            let Some(model) = project.models().get(table) else {
                continue;
            };
            let known = self.cache.get(table).await?;
            let inputs = Inputs::of_model(project, model);
            let follows: Vec<TableName> = inputs
                .tables
                .keys()
                .filter(|input| computed.contains(*input))
                .cloned()
                .collect();
            let mut step = PlannedStep {
                table: table.clone(),
                partitions_stale: 0,
                partitions_fresh: 0,
                partitions: Vec::new(),
                reason: String::new(),
                follows,
            };
            if model.header.materialized == Materialized::View {
                self.steps.push(step);
                continue;
            }
            match Targets::of(project, &self.cache, model, &self.vars).await {
                Ok(targets) => {
                    let stale = targets.to_compute(&known, &self.scope);
                    let vanished = targets.vanished(&known, &self.scope).len()
                        + usize::from(targets.stale_probe(&known).is_some());
                    step.partitions_stale = stale.len() + vanished;
                    step.partitions_fresh = targets.targets.len() - stale.len();
                    step.partitions = stale
                        .iter()
                        .filter_map(|target| Some(target.month?.to_string()))
                        .collect();
                    step.reason = stale_reason(
                        self.scope.forced,
                        &known,
                        stale.len() + vanished > 0,
                        &what_changed(model, &known, &stale, vanished),
                    );
                    self.targets.insert(table.clone(), Arc::new(targets));
                }
                Err(EngineError::MissingTable { table: missing, .. }) => {
                    step.reason = format!("{missing} does not exist yet");
                }
                Err(error @ EngineError::Store(_)) => return Err(error),
                Err(error) => step.reason = error.to_string(),
            }
            if !step.reason.is_empty() || !step.follows.is_empty() {
                computed.insert(table.clone());
            }
            self.steps.push(step);
        }
        Ok(())
    }
}

fn stale_reason(full_refresh: bool, known: &KnownTable, stale: bool, changed: &str) -> String {
    match (stale, full_refresh, &known.snapshot) {
        (false, ..) => String::new(),
        (true, _, None) => "it does not exist yet".into(),
        (true, true, Some(_)) => "a full refresh was asked for".into(),
        (true, false, Some(_)) => changed.to_owned(),
    }
}

/// Names the SQL or the inputs that changed, and the months.
fn what_changed(model: &Model, known: &KnownTable, stale: &[&Target], vanished: usize) -> String {
    let mut causes: BTreeSet<String> = BTreeSet::new();
    let mut new_months = 0;
    for target in stale {
        let earlier = known.memo.partitions.get(&target.key);
        let Some(earlier) = earlier else {
            new_months += 1;
            continue;
        };
        match &earlier.read {
            Some(read) if read.text == target.text() => {
                let changed = target.inputs.iter().filter(|(table, input)| {
                    read.inputs
                        .get(*table)
                        .is_none_or(|was| was.rows != input.rows)
                });
                causes.extend(changed.map(|(table, _)| table.to_string()));
            }
            Some(_) => {
                causes.insert("its SQL".to_owned());
            }
            None => {
                causes.insert("its SQL or an input".to_owned());
            }
        }
    }
    let causes: Vec<String> = causes.into_iter().collect();
    let mut parts = Vec::new();
    if model.partition_column().is_none() {
        let causes = if causes.is_empty() {
            "what is stored".to_owned()
        } else {
            causes.join(", ")
        };
        parts.push(format!("{causes} changed"));
    } else {
        if new_months > 0 {
            parts.push(format!("{new_months} new months"));
        }
        let old = stale.len() - new_months;
        if old > 0 {
            let causes = if causes.is_empty() {
                "what is stored".to_owned()
            } else {
                causes.join(", ")
            };
            parts.push(format!("{causes} changed for {old} months"));
        }
        if vanished > 0 {
            parts.push(format!("{vanished} months have no input any more"));
        }
    }
    if let Some(key) = &model.header.key {
        let by_key =
            stale.len() > new_months && !causes.iter().any(|cause| cause.starts_with("its SQL"));
        if by_key {
            parts.push(format!("only touched values of {key}"));
        }
    }
    parts.join("; ")
}

/// The seeds some models read, through their views and tests as well; all of them for a whole build.
fn seeds_read(project: &Project, models: &[TableName], everything: bool) -> Vec<String> {
    if everything {
        return project.seeds().keys().cloned().collect();
    }
    let mut seeds = BTreeSet::new();
    for model in models
        .iter()
        .filter_map(|table| project.models().get(table))
    {
        let inputs = Inputs::of_model(project, model);
        let compared = model.tests.iter().filter_map(|test| match &test.kind {
            goyong_catalog::TestKind::Relationship { to, .. } => Some(to),
            _ => None,
        });
        for table in inputs.tables.keys().chain(compared) {
            if table.schema() == "seed" {
                seeds.insert(table.table().to_owned());
            }
        }
    }
    seeds.into_iter().collect()
}
