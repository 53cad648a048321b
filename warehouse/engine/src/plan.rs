//! What a build would do, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use goyong_catalog::{Materialized, Model, Project, Selection, Vars};
use goyong_types::TableName;
use serde::Serialize;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::inputs::Inputs;
use crate::memo::WHOLE;
use crate::seeds::{seed_fingerprint, seed_table};
use crate::tables::{KnownTable, TableCache};
use crate::targets::{Targets, tables_behind};

/// What a build would do with one seed or model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The table.
    pub table: TableName,
    /// Months (or 1 for a whole table) that are computed for certain.
    pub partitions_stale: usize,
    /// Months (or 1) that stay unless an input changes.
    pub partitions_fresh: usize,
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
    pub(crate) full_refresh: bool,
    pub(crate) mode: BuildMode,
    /// Whether every model of the project was selected.
    pub(crate) everything: bool,
    pub(crate) cache: Arc<TableCache>,
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

    pub(crate) async fn make(
        inner: &Inner,
        selection: &Selection,
        as_of: NaiveDate,
        full_refresh: bool,
    ) -> Result<Self> {
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
        let mut plan = Self {
            as_of,
            steps: Vec::with_capacity(seeds.len() + models.len()),
            seeds,
            models,
            checks,
            vars: inner.vars_at(as_of),
            full_refresh,
            mode: BuildMode::default(),
            everything,
            cache,
            targets: BTreeMap::new(),
        };
        let lineage = inner.lineage(&plan.cache).await?;
        Inner::refuse_reports(&lineage)?;
        plan.plan_seeds(project).await?;
        plan.plan_models(project).await?;
        for step in &mut plan.steps {
            if let Some(problem) = lineage.problem_of(&step.table) {
                step.reason = problem;
            }
        }
        Ok(plan)
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
            let stale = !fresh || self.full_refresh;
            self.steps.push(PlannedStep {
                partitions_stale: usize::from(stale),
                partitions_fresh: usize::from(!stale),
                reason: stale_reason(self.full_refresh, &known, stale, "the file changed"),
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
                reason: String::new(),
                follows,
            };
            if model.header.materialized == Materialized::View {
                self.steps.push(step);
                continue;
            }
            match Targets::of(project, &self.cache, model, &self.vars).await {
                Ok(targets) => {
                    let stale = if self.full_refresh {
                        targets.targets.len()
                    } else {
                        targets.stale(&known).len()
                    };
                    let vanished = targets.vanished(&known).len()
                        + usize::from(targets.stale_probe(&known).is_some());
                    step.partitions_stale = stale + vanished;
                    step.partitions_fresh = targets.targets.len() - stale;
                    step.reason = stale_reason(
                        self.full_refresh,
                        &known,
                        stale + vanished > 0,
                        &what_changed(model, &known, stale, vanished),
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

fn what_changed(model: &Model, known: &KnownTable, stale: usize, vanished: usize) -> String {
    let new = stale.saturating_sub(known.memo.partitions.len());
    match (model.partition_column(), vanished) {
        (None, _) => "its SQL or an input changed".into(),
        (Some(_), 0) if new > 0 => format!("{stale} months are new or changed"),
        (Some(_), 0) => format!("its SQL or an input of {stale} months changed"),
        (Some(_), _) => format!("{stale} months changed, {vanished} have no input any more"),
    }
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
