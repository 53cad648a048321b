//! Trains every model the project declares, and scores with the version that serves.
//!
//! A procedure is evaluated on rows it was not trained on, later ones where the data have time; the
//! gates decide whether the version may serve. Every version goes into the registry either way.

pub(crate) mod alternatives;
pub(crate) mod completeness;
pub(crate) mod scores;
pub(crate) mod shadow;
mod training_set;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::{Array, Float64Array, RecordBatch};
use chrono::NaiveDate;
use goyong_catalog::{DeclaredModel, End, Promotion, Selection};
use goyong_engine::{BuildMode, BuildReport, BuildScope};
use goyong_learn::{
    Champion, Dataset, Gate, LearnError, ModelCard, PromotionCheck, PromotionGate, PromotionReport,
    PromotionRequest, ScoringArtefact, TrainingOutcome, TrainingPlan, Verdict, judge_training,
    train_with_folds, train_with_temporal_evaluation,
};
use goyong_types::{TableName, nearest_name};
use sha2::{Digest, Sha256};

use crate::build_tables::{build, failures};
use crate::figures::{GateResult, StepFigures};
use crate::model_registry::{Act, Artefact, Decision, Registry, Version};
use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::{NightEvent, StepOutcome};
use scores::Served;

/// Changes with anything here or in the learner that changes a result.
const PROCEDURE: &str = "train_models/4";

/// How one declared model fared.
struct Trained {
    line: String,
    changed: bool,
    refused: bool,
    gates: Vec<GateResult>,
}

impl Trained {
    fn nothing(line: String) -> Self {
        Self {
            line,
            changed: false,
            refused: false,
            gates: Vec::new(),
        }
    }
}

/// Trains and serves every declared model whose features, labels or declaration changed.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let as_of = night.as_of().await?;
    let names: Vec<String> = night
        .project
        .project()
        .declared_models()
        .keys()
        .cloned()
        .collect();
    train_all(night.project, &names, as_of, night.events).await
}

impl OpenProject {
    /// Trains and serves the declared models named, all when none is: what the night does, by
    /// command. Holds the night's lock.
    pub async fn train_models(
        &self,
        names: &[String],
        as_of: Option<NaiveDate>,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<StepOutcome> {
        let _lock = self.lock_night().await?;
        let as_of = self.as_of_or_latest(as_of).await?;
        let mut chosen = Vec::new();
        for name in names {
            chosen.push(self.declared_model(name)?.model.clone());
        }
        if chosen.is_empty() {
            chosen = self.project().declared_models().keys().cloned().collect();
        }
        train_all(self, &chosen, as_of, events).await
    }

    /// A declared model by name; the error names the nearest.
    pub(crate) fn declared_model(&self, name: &str) -> Result<&DeclaredModel> {
        let declared = self.project().declared_models();
        let Some(model) = declared.get(name) else {
            let nearest = nearest_name(name, declared.keys().map(String::as_str));
            let advice = match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "declare it in sql/models/<name>.yml".to_owned(),
            };
            bail!("no model `{name}` is declared; {advice}");
        };
        Ok(model)
    }

    /// Scores with the version that serves now, after a decision about it.
    pub(crate) async fn serve_again(&self, model: &str) -> Result<usize> {
        let declared = self.declared_model(model)?;
        let as_of = self.as_of_or_latest(None).await?;
        let registry = Registry::open(self).await?;
        let served = scores::serve(self, declared, &registry, as_of).await?;
        alternatives::serve(self, declared, &registry, as_of).await?;
        Ok(served.scored)
    }
}

async fn train_all(
    project: &OpenProject,
    names: &[String],
    as_of: NaiveDate,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<StepOutcome> {
    if names.is_empty() {
        return Ok(StepOutcome::nothing("no model is declared in sql/models"));
    }
    let mut lines = Vec::new();
    let mut idle = Vec::new();
    let mut figures = StepFigures::default();
    let mut refused = false;
    let mut registry = Registry::open(project).await?;
    for name in names {
        let declared = project.declared_model(name)?;
        let trained = train_one(project, declared, &mut registry, as_of, events)
            .await
            .with_context(|| format!("model {name}"))?;
        refused |= trained.refused;
        figures.gates.extend(trained.gates);
        let line = format!("{name}: {}", trained.line);
        if trained.changed || trained.refused {
            lines.push(line);
        } else {
            idle.push(line);
        }
    }
    if !lines.is_empty() && !refused {
        let built = build_readers(project, as_of, events).await?;
        if let Some(built) = built.filter(|built| !built.succeeded()) {
            return Ok(
                StepOutcome::failed("what reads the scores could not be built")
                    .with_details(failures(&built))
                    .with_figures(figures),
            );
        }
    }
    let outcome = match (refused, lines.is_empty()) {
        (true, _) => StepOutcome::failed(lines.join("; ")),
        (false, true) => StepOutcome::nothing(idle.join("; ")),
        (false, false) => StepOutcome::done(lines.join("; ")),
    };
    Ok(outcome.with_details(idle).with_figures(figures))
}

/// Builds what reads scores, so that it is of this night and not of the next.
async fn build_readers(
    project: &OpenProject,
    as_of: NaiveDate,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<Option<BuildReport>> {
    let models = project.project().models().values();
    let readers: Vec<String> = models
        .filter(|model| model.inputs.iter().any(|input| input.schema() == "models"))
        .map(|model| format!("{}+", model.table))
        .collect();
    if readers.is_empty() {
        return Ok(None);
    }
    let selection = Selection::of(readers);
    let (scope, mode) = (BuildScope::default(), BuildMode::default());
    let report = build(project, &selection, as_of, scope, mode, events).await?;
    Ok(Some(report))
}

async fn train_one(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &mut Registry,
    as_of: NaiveDate,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<Trained> {
    let Some(inputs) = Inputs::of(project, declared, as_of).await? else {
        return Ok(Trained::nothing(format!(
            "no rows in {} yet",
            declared.features
        )));
    };
    let memo = project
        .warehouse()
        .memo_get("retrain", &declared.model)
        .await?;
    let ended = shadow::end(project, declared, registry, as_of).await?;
    if memo.as_deref() == Some(inputs.hash.as_str()) {
        return keep_serving(project, declared, registry, as_of, ended).await;
    }
    let remember = || async {
        project
            .warehouse()
            .memo_put("retrain", &declared.model, &inputs.hash)
            .await
    };
    let features = training_set::feature_specs(project, declared).await?;
    let dataset = Arc::new(training_set::read(project, declared, &features).await?);
    events(NightEvent::Working(format!(
        "training {} on {} of {} rows, {} features",
        declared.model,
        dataset.len(),
        dataset.rows_delivered(),
        features.len()
    )));
    let threads = project.configuration().worker_threads();
    let plan = Arc::new(training_set::plan(declared, as_of, &inputs.hash, threads));
    let folds = declared.evaluation.folds;
    let (rows, procedure) = (dataset.clone(), plan.clone());
    let trained = tokio::task::spawn_blocking(move || match folds {
        Some(folds) => train_with_folds(&rows, folds, &procedure),
        None => train_with_temporal_evaluation(&rows, &procedure),
    })
    .await?;
    let mut outcome = match trained {
        Ok(outcome) => outcome,
        // A young or tiny warehouse has no months to judge a model on; that is a fact to report,
        // not a failure of the night.
        Err(
            error @ (LearnError::NoRows { .. }
            | LearnError::OneClass { .. }
            | LearnError::NoTemporalSplit { .. }),
        ) => {
            remember().await?;
            return Ok(Trained {
                changed: true,
                ..Trained::nothing(format!("no model: {error}"))
            });
        }
        Err(error) => return Err(error.into()),
    };
    let threshold = match declared.threshold {
        Some(threshold) => threshold,
        None => threshold_at_capacity(declared, &outcome.out_of_time)?,
    };
    let champion = registry.champion(&declared.model);
    let champion = champion.filter(|version| *version != plan.version);
    let champion = match champion {
        Some(version) => Some(registry.artefact(project, &declared.model, version).await?),
        None => None,
    };
    let contested = champion.is_some();
    let rivals = Rivals {
        declared: declared.clone(),
        dataset,
        plan,
        facts: training_set::facts(project, declared, as_of).await?,
        threshold,
        champion,
    };
    let (report, judged) =
        tokio::task::spawn_blocking(move || rivals.judge(&outcome).map(|report| (report, outcome)))
            .await??;
    outcome = judged;
    outcome.card.judge(report.clone());
    let version = version_of(declared, &inputs, &features, &outcome, threshold)?;
    registry.register(project, &version).await?;
    registry
        .register_judgement(project, &version, &report, &outcome.card.candidates)
        .await?;
    let undecided = registry.decisions_on(&declared.model, &version.version) == 0;
    // A night replaces what serves by what was shown to be better; less than that a person decides.
    let shown_better =
        !contested || report.verdict(PromotionCheck::BeatsChampion) == Some(Verdict::Passed);
    let by_gates = declared.promotion == Promotion::Gates;
    if outcome.card.usable && undecided && by_gates && shown_better {
        if contested && declared.shadow_days > 0 {
            shadow::begin(project, declared, registry, &version.version, as_of).await?;
        } else {
            let reason = match contested {
                true => "no gate refused, and better than the version that served",
                false => "no gate refused, and no version served",
            };
            let decision = Decision {
                model: declared.model.clone(),
                version: version.version.clone(),
                act: Act::Promote,
                account: "gates".to_owned(),
                reason: reason.to_owned(),
                decided_on: as_of,
            };
            registry.decide(project, decision).await?;
        }
    }
    scores::write_out_of_time(project, declared, &version, &outcome).await?;
    let procedure = outcome.card.gates.iter();
    let promotion = report.gates.iter();
    let gates = procedure
        .map(|gate| gate_result(&declared.model, gate))
        .chain(promotion.map(|gate| promotion_result(&declared.model, gate)))
        .collect();
    let (scored, refused) = match scores::serve(project, declared, registry, as_of).await {
        Ok(scored) => (Ok(scored), false),
        Err(error) if error.is::<scores::ThresholdDiffers>() => (Err(error), true),
        Err(error) => return Err(error),
    };
    if !refused {
        shadow::score(project, declared, registry, as_of).await?;
        alternatives::serve(project, declared, registry, as_of).await?;
        remember().await?;
    }
    let mut line = match scored {
        Ok(scored) => summary(&outcome.card, registry, &version, scored),
        Err(error) => error.to_string(),
    };
    if let Some(ended) = ended {
        line = format!("{ended}; {line}");
    }
    Ok(Trained {
        line,
        changed: true,
        refused,
        gates,
    })
}

/// Nothing to train: what serves by the decisions is what scored, also after a process that died between the two.
async fn keep_serving(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &Registry,
    as_of: NaiveDate,
    ended: Option<String>,
) -> Result<Trained> {
    let served = scores::served(project, declared).await?;
    let is_late = served.as_deref() != registry.champion(&declared.model);
    if is_late {
        scores::serve(project, declared, registry, as_of).await?;
    }
    let other_terms = alternatives::serve(project, declared, registry, as_of).await?;
    let mut line = "features and labels unchanged".to_owned();
    if other_terms {
        line.push_str("; alternatives scored");
    }
    Ok(Trained {
        changed: is_late || other_terms || ended.is_some(),
        ..Trained::nothing(ended.unwrap_or(line))
    })
}

/// A trained model, the one in use, and what is to be decided between them.
struct Rivals {
    declared: DeclaredModel,
    dataset: Arc<Dataset>,
    plan: Arc<TrainingPlan>,
    facts: training_set::Facts,
    threshold: f64,
    champion: Option<Artefact>,
}

impl Rivals {
    fn judge(self, outcome: &TrainingOutcome) -> Result<PromotionReport> {
        let champion = match &self.champion {
            Some(artefact) => {
                let known_by = artefact
                    .trained_as_of()
                    .with_context(|| format!("version {} names no day", artefact.version))?;
                Some((artefact.scoring()?, known_by))
            }
            None => None,
        };
        // Judged is what will serve: the threshold is read back from the bytes.
        let bytes = outcome.artefact(self.threshold).to_bytes()?;
        let threshold_of_artefact = ScoringArtefact::from_bytes(&bytes)?.threshold;
        let groups = self.declared.groups.iter();
        let request = PromotionRequest {
            limits: training_set::promotion_limits(&self.declared),
            threshold_of_artefact,
            threshold_measured: self.threshold,
            end: training_set::ranking_end(&self.declared),
            groups: groups
                .map(|group| (group.column.clone(), training_set::told_only(group)))
                .collect(),
            eligible: self.facts.eligible,
            scored: self.facts.scored,
            known_after_entry: self.facts.known_after_entry,
            moving: self.declared.moving.clone(),
            champion: champion.as_ref().map(|(artefact, known_by)| Champion {
                artefact,
                known_by: *known_by,
            }),
        };
        Ok(judge_training(
            &self.dataset,
            &self.plan,
            outcome,
            &request,
        )?)
    }
}

/// What a training is a function of.
struct Inputs {
    hash: String,
    /// The release readers saw, and the versions and content hashes of both tables.
    described: serde_json::Value,
}

impl Inputs {
    async fn of(
        project: &OpenProject,
        declared: &DeclaredModel,
        as_of: NaiveDate,
    ) -> Result<Option<Self>> {
        let mut hasher = Sha256::new();
        hasher.update(PROCEDURE);
        hasher.update(as_of.to_string());
        hasher.update(&declared.text);
        let mut tables = serde_json::Map::new();
        for table in [&declared.features, &declared.labels] {
            match project.warehouse().snapshot(table).await? {
                Some(snapshot) if snapshot.rows() > 0 => {
                    hasher.update(snapshot.content_hash());
                    let described = serde_json::json!({
                        "version": snapshot.version,
                        "content_hash": snapshot.content_hash(),
                        "rows": snapshot.rows(),
                    });
                    tables.insert(table.to_string(), described);
                }
                _ => return Ok(None),
            }
        }
        let digest = hasher.finalize();
        Ok(Some(Self {
            hash: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            described: serde_json::json!({
                "release_before": project.latest_release_id().await?,
                "as_of": as_of,
                "tables": tables,
            }),
        }))
    }
}

fn version_of(
    declared: &DeclaredModel,
    inputs: &Inputs,
    features: &[goyong_learn::FeatureSpec],
    outcome: &TrainingOutcome,
    threshold: f64,
) -> Result<Version> {
    let card = &outcome.card;
    let artefact = Artefact {
        format: Artefact::FORMAT.to_owned(),
        model: declared.model.clone(),
        version: card.version.clone(),
        entity: declared.entity.clone(),
        entered_on: declared.entered_on.clone(),
        threshold,
        capacity: declared.capacity,
        fitted: String::from_utf8(outcome.artefact(threshold).to_bytes()?)?,
    };
    let parameters = serde_json::json!({
        "learner": card.learner,
        "learners": declared.learners().collect::<Vec<_>>(),
        "calibrator": outcome.calibrator,
        "calibrators": declared.calibrators,
        "gates": declared.gates,
        "evaluation": declared.evaluation,
        "capacity": declared.capacity,
        "threshold": threshold,
        "label_gap_days": declared.label_gap_days,
        "promotion": declared.promotion,
    });
    let feature_list: Vec<_> = features
        .iter()
        .map(|feature| {
            let basis = declared
                .uses
                .iter()
                .find(|allowed| allowed.columns.contains(&feature.name));
            serde_json::json!({
                "name": feature.name,
                "kind": feature.kind,
                "legal_basis": basis.map(|allowed| &allowed.legal_basis),
            })
        })
        .collect();
    Ok(Version {
        model: declared.model.clone(),
        version: card.version.clone(),
        as_of: card.as_of,
        usable: card.usable,
        evaluated_rows: card.pooled.rows as i64,
        auc: card.pooled.auc.map(|auc| auc.value),
        brier: card.pooled.brier.value,
        calibration_error: card.pooled.expected_calibration_error.value,
        calibration_slope: card.pooled.recalibration.map(|fit| fit.slope.value),
        threshold,
        code_version: format!("{} {PROCEDURE}", env!("CARGO_PKG_VERSION")),
        data: inputs.described.to_string(),
        parameters: parameters.to_string(),
        feature_list: serde_json::to_string(&feature_list)?,
        gates: serde_json::json!({
            "procedure": card.gates,
            "promotion": card.promotion.as_ref().map(|report| &report.gates),
        })
        .to_string(),
        card: card.to_json()?,
        declaration: declared.text.clone(),
        artefact: artefact.to_json()?,
    })
}

/// The probability at which as many rows are acted upon as there is room for, out of time.
fn threshold_at_capacity(declared: &DeclaredModel, out_of_time: &RecordBatch) -> Result<f64> {
    let column = out_of_time
        .column_by_name("probability")
        .context("the learner returned no column probability")?;
    let column = column
        .as_any()
        .downcast_ref::<Float64Array>()
        .context("the learner's probabilities are no numbers")?;
    let mut sorted: Vec<f64> = column.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    let room = (declared.capacity.share * sorted.len() as f64)
        .round()
        .max(1.0) as usize;
    let room = room.min(sorted.len().max(1));
    let place = match declared.capacity.end {
        End::Lowest => room - 1,
        End::Highest => sorted.len().saturating_sub(room),
    };
    sorted
        .get(place)
        .copied()
        .context("nothing was predicted out of time")
}

fn gate_result(model: &str, gate: &Gate) -> GateResult {
    let figure = |figure: Option<f64>| {
        figure.map_or_else(
            || "not computed".to_owned(),
            |figure| format!("{figure:.4}"),
        )
    };
    let mut detail = figure(gate.value);
    if let Some(minimum) = gate.minimum {
        detail.push_str(&format!(", above {minimum} wanted"));
    }
    if let Some(maximum) = gate.maximum {
        detail.push_str(&format!(", at most {maximum} wanted"));
    }
    GateResult {
        name: format!("{model}/{}", gate.name),
        passed: gate.passed,
        detail,
    }
}

fn promotion_result(model: &str, gate: &PromotionGate) -> GateResult {
    let mut name = format!("{model}/promotion/{}", gate.check.name());
    if let Some(subject) = &gate.subject {
        name.push_str(&format!("/{subject}"));
    }
    GateResult {
        name,
        passed: gate.verdict != Verdict::Refused,
        detail: gate.reason.en.clone(),
    }
}

fn summary(card: &ModelCard, registry: &Registry, version: &Version, served: Served) -> String {
    let auc = card
        .pooled
        .auc
        .map_or_else(|| "–".to_owned(), |auc| format!("{:.3}", auc.value));
    let baseline = card
        .baselines
        .iter()
        .find(|baseline| baseline.name == "one_variable_rule")
        .and_then(|baseline| baseline.auc)
        .map_or_else(|| "–".to_owned(), |auc| format!("{:.3}", auc.value));
    let failed = card.gates.iter().filter(|gate| !gate.passed);
    let mut failed: Vec<&str> = failed.map(|gate| gate.name.as_str()).collect();
    let refused = card.promotion.iter().flat_map(PromotionReport::refusals);
    failed.extend(refused.map(|gate| gate.check.name()));
    failed.dedup();
    let champion = registry.champion(&version.model);
    let verdict = match champion {
        Some(champion) if champion == version.version => served.to_string(),
        _ => {
            let in_shadow = registry.shadow(&version.model).map(|(version, _)| version);
            let why = match card.usable {
                true if in_shadow == Some(version.version.as_str()) => {
                    "passed, and scores beside the version that serves".to_owned()
                }
                true => "passed, and waits for `goyong models promote`".to_owned(),
                false => format!("not used, gates failed: {}", failed.join(", ")),
            };
            match champion {
                Some(champion) => {
                    format!("{why}; {champion} stays: {served}")
                }
                None => why,
            }
        }
    };
    format!(
        "{} out of time on {} rows: AUC {auc} (one-variable rule {baseline}), Brier {:.4}, ECE {:.4}; {verdict}",
        card.learner,
        card.pooled.rows,
        card.pooled.brier.value,
        card.pooled.expected_calibration_error.value
    )
}

/// The columns of a table as it is stored now.
async fn columns_of(project: &OpenProject, table: &TableName) -> Result<Arc<arrow_schema::Schema>> {
    Ok(project
        .warehouse()
        .snapshot(table)
        .await?
        .with_context(|| format!("{table} vanished during the night"))?
        .schema)
}
