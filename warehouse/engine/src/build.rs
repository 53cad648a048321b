//! Runs a plan: models whose inputs are done side by side, each followed by its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use goyong_catalog::{Materialized, Model, ProjectState, TestKind};
use goyong_types::TableName;
use tokio::sync::SemaphorePermit;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::checks::run_check;
use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::inputs::Inputs;
use crate::lineage::{ProjectLineage, write_lineage};
use crate::memo::{remember_project, remembered_state};
use crate::model_tests::test_model;
use crate::plan::{BuildMode, BuildPlan};
use crate::report::{BuildEvent, BuildReport, ModelReport, Outcome, Progress};
use crate::run_model::{Computed, run_model};
use crate::seeds::{build_seed, seed_table};
use crate::tables::TableCache;
use crate::targets::{Scope, Targets};
use crate::unit_tests;

/// What a task tells the loop that started it.
enum Message {
    Started(TableName, usize),
    Partition(TableName, usize, usize),
}

/// What the tasks of one build share.
struct Shared {
    inner: Arc<Inner>,
    cache: Arc<TableCache>,
    vars: goyong_catalog::Vars,
    scope: Scope,
    lineage: Arc<ProjectLineage>,
    mode: BuildMode,
    messages: UnboundedSender<Message>,
}

pub(crate) async fn build(
    inner: &Arc<Inner>,
    plan: &BuildPlan,
    progress: &dyn Progress,
) -> Result<BuildReport> {
    let began = Instant::now();
    let mut report = BuildReport::default();
    progress.event(BuildEvent::Planned {
        models: plan.seeds.len() + plan.models.len(),
    });
    let (messages, mut received) = unbounded_channel();
    let shared = Arc::new(Shared {
        lineage: Arc::clone(&plan.lineage),
        inner: Arc::clone(inner),
        cache: Arc::clone(&plan.cache),
        vars: plan.vars.clone(),
        scope: plan.scope.clone(),
        mode: plan.mode,
        messages,
    });

    let mut done: BTreeMap<TableName, ModelReport> = BTreeMap::new();
    if plan.mode.run {
        build_seeds(&shared, plan, progress, &mut done).await?;
    }
    let mut changed: BTreeSet<TableName> = done
        .values()
        .filter(|seed| seed.outcome == Outcome::Built)
        .map(|seed| seed.table.clone())
        .collect();

    let project = &inner.project;
    let mut unit_tested = match plan.mode.test {
        true => {
            unit_tests::run_changed(
                inner,
                &plan.lineage,
                &plan.models,
                inner.slot_count as usize,
            )
            .await?
        }
        false => BTreeMap::new(),
    };
    let mut waiting: Vec<&TableName> = plan.models.iter().collect();
    let mut running: JoinSet<Result<ModelReport>> = JoinSet::new();
    loop {
        // Start whatever has all its inputs; a model that cannot run is done at once.
        let mut settled = true;
        while settled {
            settled = false;
            let mut still_waiting = Vec::with_capacity(waiting.len());
            for table in waiting {
                let Some(model) = project.models().get(table) else {
                    continue;
                };
                let inputs = model.inputs.iter();
                let selected: Vec<&TableName> = inputs
                    .filter(|input| plan.models.contains(input) || done.contains_key(*input))
                    .collect();
                let stopped = plan.mode.fail_fast && has_failure(&done);
                let ready = selected.iter().all(|input| done.contains_key(*input))
                    && compared_before(model, &plan.models).all(|to| done.contains_key(to));
                if !stopped && !ready {
                    still_waiting.push(table);
                    continue;
                }
                let tested = unit_tested.remove(table).unwrap_or_default();
                let held = match stopped {
                    true => Some(ModelReport::new(
                        table,
                        Outcome::HeldBack,
                        "something failed before and --fail-fast was given",
                    )),
                    // Taking in the failure says which test it is.
                    false if !tested.failures.is_empty() => {
                        Some(ModelReport::new(table, Outcome::Failed, ""))
                    }
                    false => held_back(model, &selected, &done),
                };
                match held {
                    Some(mut report) => {
                        report.take(tested);
                        progress.event(BuildEvent::Finished { report: &report });
                        done.insert(table.clone(), report);
                        settled = true;
                    }
                    None => {
                        let targets = plan
                            .targets
                            .get(table)
                            .filter(|_| {
                                let inputs = Inputs::of_model(project, model);
                                !inputs.tables.keys().any(|input| changed.contains(input))
                            })
                            .cloned();
                        let shared = Arc::clone(&shared);
                        let model = model.clone();
                        running.spawn(async move {
                            let mut report = build_model(&shared, &model, targets).await?;
                            report.take(tested);
                            Ok(report)
                        });
                    }
                }
            }
            waiting = still_waiting;
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some(message) = received.recv() => tell(progress, &message),
            Some(finished) = running.join_next() => {
                let model = finished.map_err(|error| EngineError::Run(format!("a model stopped: {error}")))??;
                while let Ok(message) = received.try_recv() {
                    tell(progress, &message);
                }
                progress.event(BuildEvent::Finished { report: &model });
                if model.outcome == Outcome::Built && model.partitions_unchanged < model.partitions_built.max(1) {
                    changed.insert(model.table.clone());
                }
                done.insert(model.table.clone(), model);
            }
        }
    }

    let checks = plan.checks.iter().filter(|_| plan.mode.test);
    for name in checks {
        if let Some(check) = project.checks().get(name) {
            let can_run = !check
                .inputs
                .iter()
                .any(|input| done.get(input).is_some_and(|model| !model.is_usable()));
            run_check(
                inner,
                &shared.cache,
                check,
                &shared.vars,
                can_run,
                &mut report,
            )
            .await?;
        }
    }
    write_lineage(&inner.warehouse, &shared.lineage).await?;
    // Seeds and models in the order they were planned, whatever finished first.
    let order = plan.steps.iter().map(|step| &step.table);
    report.models = order.filter_map(|table| done.remove(table)).collect();
    if plan.mode.test {
        report.keep_tests(inner, &plan.cache, plan.as_of).await?;
    }
    if plan.mode.run && report.succeeded() {
        remember_state(inner, plan).await?;
    }
    report.elapsed_ms = elapsed(began);
    Ok(report)
}

/// Remembers what the project said of what was built, for `state:modified`.
async fn remember_state(inner: &Inner, plan: &BuildPlan) -> Result<()> {
    let earlier = remembered_state(&inner.warehouse).await?;
    let state = match &earlier {
        _ if plan.everything => ProjectState::of(&inner.project),
        Some(earlier) => {
            let seeds = plan.seeds.iter().map(|name| TableName::new("seed", name));
            let built = plan.models.iter().cloned().chain(seeds.flatten());
            earlier.with(&inner.project, built)
        }
        None => return Ok(()),
    };
    if earlier.as_ref() == Some(&state) {
        return Ok(());
    }
    remember_project(&inner.warehouse, &state).await
}

async fn build_seeds(
    shared: &Shared,
    plan: &BuildPlan,
    progress: &dyn Progress,
    done: &mut BTreeMap<TableName, ModelReport>,
) -> Result<()> {
    for name in &plan.seeds {
        let Some(seed) = shared.inner.project.seeds().get(name) else {
            continue;
        };
        let began = Instant::now();
        let table = seed_table(seed)?;
        let built = build_seed(
            &shared.inner,
            &shared.cache,
            seed,
            shared.scope.refreshes_tables(),
        )
        .await;
        let mut report = match built {
            Ok(report) => report,
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => ModelReport::new(&table, Outcome::Failed, error.to_string()),
        };
        finish(shared, &mut report, began).await?;
        progress.event(BuildEvent::Finished { report: &report });
        done.insert(table, report);
    }
    Ok(())
}

fn has_failure(done: &BTreeMap<TableName, ModelReport>) -> bool {
    done.values()
        .any(|report| report.outcome == Outcome::Failed)
}

/// The tables a model's tests compare with that stand before it in the order: they are built first,
/// so that a test does not depend on which of two steps was quicker.
fn compared_before<'a>(
    model: &'a Model,
    order: &'a [TableName],
) -> impl Iterator<Item = &'a TableName> {
    let earlier = order.iter().take_while(|table| **table != model.table);
    earlier.filter(|table| {
        model
            .tests
            .iter()
            .any(|test| matches!(&test.kind, TestKind::Relationship { to, .. } if to == *table))
    })
}

/// The report of a model that cannot run because of what it reads.
fn held_back(
    model: &Model,
    selected: &[&TableName],
    done: &BTreeMap<TableName, ModelReport>,
) -> Option<ModelReport> {
    let unusable = selected
        .iter()
        .filter_map(|input| done.get(*input))
        .filter(|report| !report.is_usable());
    let (mut missing, mut failed) = (None, None);
    for report in unusable {
        match report.outcome {
            Outcome::InputMissing => missing = missing.or(Some(report)),
            _ => failed = failed.or(Some(report)),
        }
    }
    match (failed, missing) {
        (Some(input), _) => Some(ModelReport::new(
            &model.table,
            Outcome::HeldBack,
            format!("{} failed or is held back", input.table),
        )),
        (None, Some(input)) => Some(ModelReport::new(
            &model.table,
            Outcome::InputMissing,
            format!("{} cannot be built yet: {}", input.table, input.reason),
        )),
        (None, None) => None,
    }
}

/// Computes what is stale and tests it. Only an error that concerns the whole warehouse is one here.
async fn build_model(
    shared: &Shared,
    model: &Model,
    targets: Option<Arc<Targets>>,
) -> Result<ModelReport> {
    // Computing and testing take the place of one; without it the memory of all would be too little.
    let mut slot = shared.inner.slots.acquire().await.ok();
    let began = Instant::now();
    let mut report = match compute(shared, model, targets, &mut slot).await {
        Ok(report) => report,
        Err(error @ EngineError::Store(_)) => return Err(error),
        Err(error @ EngineError::MissingTable { .. }) => {
            ModelReport::new(&model.table, Outcome::InputMissing, error.to_string())
        }
        Err(error) => ModelReport::new(&model.table, Outcome::Failed, error.to_string()),
    };
    if report.is_usable() && shared.mode.test {
        match test_model(&shared.inner, &shared.cache, model, &shared.vars).await {
            Ok(tested) => {
                report.take(tested);
            }
            Err(error @ EngineError::Store(_)) => return Err(error),
            // A view over a table that does not exist yet cannot be tested, nor read.
            Err(error @ EngineError::MissingTable { .. }) => {
                report = ModelReport::new(&model.table, Outcome::InputMissing, error.to_string());
            }
            Err(error) => {
                report.outcome = Outcome::Failed;
                report.reason = error.to_string();
            }
        }
    }
    finish(shared, &mut report, began).await?;
    Ok(report)
}

async fn compute<'a>(
    shared: &'a Shared,
    model: &Model,
    targets: Option<Arc<Targets>>,
    slot: &mut Option<SemaphorePermit<'a>>,
) -> Result<ModelReport> {
    if let Some(problem) = shared.lineage.problem_of(&model.table) {
        return Err(EngineError::Refused(problem));
    }
    if model.header.materialized == Materialized::View {
        return Ok(ModelReport::new(&model.table, Outcome::View, ""));
    }
    if !shared.mode.run {
        let known = shared.cache.get(&model.table).await?;
        return Ok(match known.snapshot {
            Some(_) => ModelReport::new(&model.table, Outcome::Fresh, ""),
            None => ModelReport::new(&model.table, Outcome::InputMissing, "it was never built"),
        });
    }
    let targets = match targets {
        Some(targets) => targets,
        None => {
            let project = &shared.inner.project;
            Arc::new(Targets::of(project, &shared.cache, model, &shared.vars).await?)
        }
    };
    let known = shared.cache.get(&model.table).await?;
    let stale = targets.to_compute(&known, &shared.scope).len();
    let vanished = targets.vanished(&known, &shared.scope).len();
    let mut report = ModelReport::new(&model.table, Outcome::Fresh, "");
    report.partitions_fresh = targets.targets.len() - stale;
    if stale + vanished == 0 && targets.stale_probe(&known).is_none() {
        return Ok(report);
    }
    let table = model.table.clone();
    // The receiver lives as long as the build; a lost message is lost progress, nothing else.
    let _ = shared.messages.send(Message::Started(table.clone(), stale));
    let messages = shared.messages.clone();
    let on_partition = move |done: usize, of: usize| {
        let _ = messages.send(Message::Partition(table.clone(), done, of));
    };
    let inner = &shared.inner;
    let run = |sort_merge| {
        let (cache, scope) = (&shared.cache, &shared.scope);
        run_model(
            inner,
            cache,
            model,
            &targets,
            scope,
            sort_merge,
            &on_partition,
        )
    };
    let computed = match run(false).await {
        Err(error) if error.is_memory() => {
            // Alone, with joins that spill: slower, and it finishes.
            tracing::info!(model = %model.table, "memory ran out, planning joins that spill");
            slot.take();
            *slot = inner.slots.acquire_many(inner.slot_count).await.ok();
            run(true).await?
        }
        result => result?,
    };
    report.outcome = Outcome::Built;
    report.partitions_built = computed.partitions_built;
    report.partitions_unchanged = computed.partitions_unchanged;
    report.partitions_fresh = targets
        .targets
        .len()
        .saturating_sub(computed.partitions_built);
    report.rows_written = computed.rows_written;
    report.ran_on_cluster = computed.on_cluster;
    report.keys_touched = computed.keys_touched;
    report.reason = why_built(model, &computed, vanished);
    Ok(report)
}

fn why_built(model: &Model, computed: &Computed, vanished: usize) -> String {
    let mut reason = match (model.partition_column(), vanished) {
        (None, _) => "its SQL or an input changed".to_owned(),
        (Some(_), 0) => format!("{} months were new or changed", computed.partitions_built),
        (Some(_), _) => format!(
            "{} months were new or changed, {vanished} were emptied",
            computed.partitions_built
        ),
    };
    if let (Some(key), true) = (&model.header.key, computed.keys_touched > 0) {
        let inputs: Vec<String> = computed
            .touched_by
            .iter()
            .map(ToString::to_string)
            .collect();
        reason.push_str(&format!(
            "; {} values of {key} touched by {}",
            computed.keys_touched,
            inputs.join(", ")
        ));
    }
    if let Some(why) = &computed.whole_because {
        reason.push_str(&format!("; computed whole: {why}"));
    }
    reason
}

/// Adds the size of the table and the time.
async fn finish(shared: &Shared, report: &mut ModelReport, began: Instant) -> Result<()> {
    let known = shared.cache.get(&report.table).await?;
    if let Some(snapshot) = &known.snapshot {
        report.version = Some(snapshot.version);
        report.rows = snapshot.rows();
        report.bytes = snapshot.files.iter().map(|file| file.size).sum();
    }
    report.elapsed_ms = elapsed(began);
    Ok(())
}

fn tell(progress: &dyn Progress, message: &Message) {
    match message {
        Message::Started(table, partitions) => progress.event(BuildEvent::Started {
            table,
            partitions: *partitions,
        }),
        Message::Partition(table, done, of) => progress.event(BuildEvent::Partition {
            table,
            done: *done,
            of: *of,
        }),
    }
}

fn elapsed(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
