//! What people do with the registry: list, show, compare, let a version serve, go back.

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use goyong_learn::{
    CandidateEvaluation, Estimate, Gate, ModelCard, PromotionGate, PromotionReport,
    SubgroupEvaluation,
};

use crate::model_registry::{Act, Decision, LINE, Registry, json_of};
use crate::project::OpenProject;
use crate::releases;
use crate::train_models::shadow;

/// Columns of the list of versions.
pub const VERSIONS_HEADER: [&str; 11] = [
    "model",
    "version",
    "state",
    "as_of",
    "evaluated_rows",
    "auc",
    "brier",
    "calibration_error",
    "calibration_slope",
    "threshold",
    "approved_by",
];
/// Columns of a version's page.
pub const VERSION_HEADER: [&str; 3] = ["section", "name", "value"];
/// Columns of a comparison.
pub const COMPARISON_HEADER: [&str; 4] = ["section", "name", "first", "second"];

/// How a decision about a version ended.
#[derive(Debug)]
pub enum ModelDecision {
    /// This version serves now, and scored so many rows.
    Serves {
        /// The version.
        version: String,
        /// Rows scored.
        scored: usize,
    },
    /// This version scores beside the one that serves.
    Shadows {
        /// The version.
        version: String,
        /// The version in use.
        in_use: String,
    },
    /// Gates that failed, each with its figure; nothing changed.
    Refused(Vec<String>),
}

impl OpenProject {
    /// Every version of the models named, all when none is; the newest first.
    pub async fn list_model_versions(&self, names: &[String]) -> Result<Vec<Vec<String>>> {
        for name in names {
            self.declared_model(name)?;
        }
        let registry = Registry::open(self).await?;
        let lines = registry.lines.iter().rev();
        let chosen = lines.filter(|line| names.is_empty() || names.contains(&line[0]));
        Ok(chosen
            .map(|line| {
                let [model, version, as_of, usable, figures @ ..] = line;
                let serves = registry.champion(model) == Some(version.as_str());
                let in_shadow = registry.shadow(model).map(|(version, _)| version);
                let state = match usable.as_str() {
                    _ if serves => "serves",
                    _ if in_shadow == Some(version.as_str()) => "shadow",
                    "true" => "passed",
                    _ => "refused",
                };
                let approved = registry.last_decision(model, version);
                let mut row = vec![
                    model.clone(),
                    version.clone(),
                    state.to_owned(),
                    as_of.clone(),
                ];
                row.extend(figures.iter().take(6).cloned());
                row.push(approved.map_or_else(String::new, |decision| decision[3].clone()));
                row
            })
            .collect())
    }

    /// Everything registered about a version; the one that serves, else the newest, when none is named.
    pub async fn show_model_version(
        &self,
        model: &str,
        version: Option<&str>,
        language: &str,
    ) -> Result<Vec<Vec<String>>> {
        let registry = Registry::open(self).await?;
        let version = self.version_meant(&registry, model, version)?;
        let mut rows = Vec::new();
        let mut tell = |section: &str, name: &str, value: String| {
            rows.push(vec![section.to_owned(), name.to_owned(), value]);
        };
        for (name, value) in LINE.iter().zip(registry.line(model, &version)?) {
            tell("version", name, value.clone());
        }
        if let Some([_, _, act, account, reason, on]) = registry.last_decision(model, &version) {
            tell("decision", act, format!("{on} by {account}: {reason}"));
        }
        for (section, column) in [("data", "data_json"), ("parameters", "parameters_json")] {
            let json: serde_json::Value =
                serde_json::from_str(&json_of(self, model, &version, column).await?)?;
            for (name, value) in json.as_object().into_iter().flatten() {
                tell(section, name, value.to_string());
            }
        }
        let features: Vec<serde_json::Value> =
            serde_json::from_str(&json_of(self, model, &version, "features_json").await?)?;
        for feature in &features {
            let text = |key: &str| feature[key].as_str().unwrap_or_default().to_owned();
            let value = format!("{}; {}", text("kind"), text("legal_basis"));
            tell("feature", &text("name"), value);
        }
        let card = card_of(self, model, &version).await?;
        for candidate in &card.candidates {
            tell("learner", &candidate.name, candidate_text(candidate));
        }
        if let Some(calibration) = &card.calibration {
            let tried = calibration.log_loss.iter();
            let tried: Vec<String> = tried
                .map(|(name, loss)| format!("{name} {loss:.5}"))
                .collect();
            let told = match tried.is_empty() {
                true => "too few rows to choose a map, or none declared".to_owned(),
                false => format!("log loss on the latest rows held out: {}", tried.join(", ")),
            };
            tell("calibration", calibration.chosen.name(), told);
        }
        for feature in card.importance.iter().take(TOLD_FEATURES) {
            let told = format!("{:.3} of the model; {}", feature.share, feature.label_en);
            tell("importance", &feature.feature, told);
        }
        for gate in &card.gates {
            tell("gate", &gate.name, gate_text(gate));
        }
        for gate in promotion_gates(&card) {
            tell(
                "promotion",
                &gate_name(gate),
                promotion_text(gate, language),
            );
        }
        for (name, value) in fairness(&card.subgroups) {
            tell("fairness", &name, value);
        }
        Ok(rows)
    }

    /// Two versions of a model side by side: figures, gates, features.
    pub async fn compare_model_versions(
        &self,
        model: &str,
        first: &str,
        second: &str,
        language: &str,
    ) -> Result<Vec<Vec<String>>> {
        let registry = Registry::open(self).await?;
        self.declared_model(model)?;
        let lines = [registry.line(model, first)?, registry.line(model, second)?];
        let mut rows: Vec<Vec<String>> = LINE
            .iter()
            .enumerate()
            .skip(2)
            .map(|(place, name)| {
                vec![
                    "version".to_owned(),
                    (*name).to_owned(),
                    lines[0][place].clone(),
                    lines[1][place].clone(),
                ]
            })
            .collect();
        let cards = [
            card_of(self, model, first).await?,
            card_of(self, model, second).await?,
        ];
        let learners = [&cards[0], &cards[1]].map(|card| {
            let calibration = card.calibration.as_ref();
            let map = calibration.map_or("identity", |choice| choice.chosen.name());
            (card.learner.clone(), map.to_owned())
        });
        let [(first_learner, first_map), (second_learner, second_map)] = learners;
        for (name, one, other) in [
            ("learner", first_learner, second_learner),
            ("calibrator", first_map, second_map),
        ] {
            rows.push(vec!["version".to_owned(), name.to_owned(), one, other]);
        }
        let gates = [&cards[0].gates, &cards[1].gates];
        let mut names: Vec<&str> = gates
            .iter()
            .flat_map(|gates| gates.iter())
            .map(|gate| gate.name.as_str())
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        for name in names {
            let of = |gates: &[Gate]| {
                let gate = gates.iter().find(|gate| gate.name == name);
                gate.map_or_else(|| "–".to_owned(), gate_text)
            };
            rows.push(vec![
                "gate".to_owned(),
                name.to_owned(),
                of(gates[0]),
                of(gates[1]),
            ]);
        }
        let mut names: Vec<String> = cards
            .iter()
            .flat_map(promotion_gates)
            .map(gate_name)
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        for name in names {
            let of = |card: &ModelCard| {
                let mut gates = promotion_gates(card);
                let gate = gates.find(|gate| gate_name(gate) == name);
                gate.map_or_else(|| "–".to_owned(), |gate| promotion_text(gate, language))
            };
            let told = [of(&cards[0]), of(&cards[1])];
            let [one, other] = told;
            rows.push(vec!["promotion".to_owned(), name, one, other]);
        }
        let mut features = Vec::new();
        for version in [first, second] {
            let json = json_of(self, model, version, "features_json").await?;
            let list: Vec<serde_json::Value> = serde_json::from_str(&json)?;
            let names = list.iter().filter_map(|feature| feature["name"].as_str());
            features.push(
                names
                    .map(str::to_owned)
                    .collect::<std::collections::BTreeSet<_>>(),
            );
        }
        for name in features[0].symmetric_difference(&features[1]) {
            let has = |place: usize| match features[place].contains(name) {
                true => "seen".to_owned(),
                false => "–".to_owned(),
            };
            rows.push(vec!["feature".to_owned(), name.clone(), has(0), has(1)]);
        }
        Ok(rows)
    }

    /// Lets a version serve; refused when one of its gates failed.
    pub async fn promote_model(
        &self,
        model: &str,
        version: &str,
        act: &releases::Act,
        decided_on: NaiveDate,
    ) -> Result<ModelDecision> {
        let _lock = self.lock_night().await?;
        self.declared_model(model)?;
        let registry = Registry::open(self).await?;
        if let Some(failed) = refusals(self, &registry, model, version).await? {
            return Ok(ModelDecision::Refused(failed));
        }
        self.decide(
            registry,
            model,
            version.to_owned(),
            Act::Promote,
            act,
            decided_on,
        )
        .await
    }

    /// Lets a version score beside the one that serves; refused when one of its gates failed.
    pub async fn shadow_model(
        &self,
        model: &str,
        version: &str,
        act: &releases::Act,
        decided_on: NaiveDate,
    ) -> Result<ModelDecision> {
        let _lock = self.lock_night().await?;
        let declared = self.declared_model(model)?;
        let mut registry = Registry::open(self).await?;
        if let Some(failed) = refusals(self, &registry, model, version).await? {
            return Ok(ModelDecision::Refused(failed));
        }
        let in_use = match registry.champion(model) {
            Some(in_use) if in_use == version => bail!("{model} {version} serves already"),
            Some(in_use) => in_use.to_owned(),
            None => {
                bail!("no version of {model} serves to score beside; `goyong models promote` it")
            }
        };
        let shadow = registry.shadow(model).map(|(version, _)| version);
        if shadow != Some(version) {
            let decision = Decision {
                model: model.to_owned(),
                version: version.to_owned(),
                act: Act::Shadow,
                account: act.account.clone(),
                reason: act.reason.clone(),
                decided_on,
            };
            registry.decide(self, decision).await?;
        }
        let as_of = self.as_of_or_latest(None).await?;
        shadow::score(self, declared, &registry, as_of).await?;
        Ok(ModelDecision::Shadows {
            version: version.to_owned(),
            in_use,
        })
    }

    /// Lets the version before the one that serves serve again, with the same bytes.
    pub async fn roll_model_back(
        &self,
        model: &str,
        act: &releases::Act,
        decided_on: NaiveDate,
    ) -> Result<ModelDecision> {
        let _lock = self.lock_night().await?;
        self.declared_model(model)?;
        let registry = Registry::open(self).await?;
        let Some(version) = registry.before_champion(model).map(str::to_owned) else {
            bail!(
                "{model} has no version that served before; `goyong models ls {model}` lists what there is"
            );
        };
        self.decide(registry, model, version, Act::Rollback, act, decided_on)
            .await
    }

    async fn decide(
        &self,
        mut registry: Registry,
        model: &str,
        version: String,
        decided: Act,
        act: &releases::Act,
        decided_on: NaiveDate,
    ) -> Result<ModelDecision> {
        let already = decided == Act::Promote && registry.champion(model) == Some(version.as_str());
        if !already {
            let decision = Decision {
                model: model.to_owned(),
                version: version.clone(),
                act: decided,
                account: act.account.clone(),
                reason: act.reason.clone(),
                decided_on,
            };
            registry.decide(self, decision).await?;
        }
        // After a decision that was recorded by a process which then died, this scores again.
        let scored = self.serve_again(model).await?;
        Ok(ModelDecision::Serves { version, scored })
    }

    fn version_meant(
        &self,
        registry: &Registry,
        model: &str,
        version: Option<&str>,
    ) -> Result<String> {
        self.declared_model(model)?;
        let newest = || {
            let of_model = registry.lines.iter().rev().find(|line| line[0] == model);
            of_model.map(|line| line[1].as_str())
        };
        let meant = version.or_else(|| registry.champion(model)).or_else(newest);
        let meant = meant.with_context(|| {
            format!(
                "{model} was never trained; run `goyong night` or `goyong models train {model}`"
            )
        })?;
        Ok(registry.line(model, meant)?[1].clone())
    }
}

/// The gates that keep a version from serving, each with its figure.
async fn refusals(
    project: &OpenProject,
    registry: &Registry,
    model: &str,
    version: &str,
) -> Result<Option<Vec<String>>> {
    let usable = registry.line(model, version)?[3] == "true";
    let card = card_of(project, model, version).await?;
    let failed = card.gates.iter().filter(|gate| !gate.passed);
    let failed = failed.map(|gate| format!("gate {}: {}", gate.name, gate_text(gate)));
    let refused = card.promotion.iter().flat_map(PromotionReport::refusals);
    let refused =
        refused.map(|gate| format!("gate {}: {}", gate_name(gate), promotion_text(gate, "en")));
    let failed: Vec<String> = failed.chain(refused).collect();
    Ok((!usable || !failed.is_empty()).then_some(failed))
}

async fn card_of(project: &OpenProject, model: &str, version: &str) -> Result<ModelCard> {
    let json = json_of(project, model, version, "card_json").await?;
    Ok(ModelCard::from_json(&json)?)
}

/// Features told of a model of trees.
const TOLD_FEATURES: usize = 20;

fn promotion_gates(card: &ModelCard) -> impl Iterator<Item = &PromotionGate> {
    card.promotion.iter().flat_map(|report| &report.gates)
}

/// Its name, with the feature or group it is about.
fn gate_name(gate: &PromotionGate) -> String {
    let name = gate.check.name();
    match &gate.subject {
        Some(subject) => format!("{name}/{subject}"),
        None => name.to_owned(),
    }
}

fn promotion_text(gate: &PromotionGate, language: &str) -> String {
    let reason = match language {
        "ko" => &gate.reason.ko,
        _ => &gate.reason.en,
    };
    format!("{}: {reason}", gate.verdict.name())
}

fn candidate_text(candidate: &CandidateEvaluation) -> String {
    let verdict = match candidate.chosen {
        true => "taken",
        false => "not taken",
    };
    format!(
        "{verdict}: mean regret {:.5}, worst {:.5} over {} windows; {}",
        candidate.mean_regret,
        candidate.worst_regret,
        candidate.windows.len(),
        candidate.settings
    )
}

/// Each group beside the largest of its column: rates with intervals, and the difference that the
/// column makes among rows that the model cannot tell apart by it (Newcombe 1998, method 10).
fn fairness(groups: &[SubgroupEvaluation]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for group in groups {
        let of_column = groups.iter().filter(|other| other.column == group.column);
        // The last of equals.
        let Some(reference) = of_column.max_by_key(|other| other.rows) else {
            continue;
        };
        let value =
            |group: &SubgroupEvaluation| group.value.clone().unwrap_or_else(|| "–".to_owned());
        let rate = group.observed_rate;
        let mut text = format!(
            "{} rows, predicted {:.4}, observed {:.4} [{:.4}, {:.4}]",
            group.rows, group.mean_predicted, rate.value, rate.lower, rate.upper
        );
        if !group.tested {
            text.push_str("; too few to test");
        } else if value(group) != value(reference) {
            let difference = rate_difference(rate, reference.observed_rate);
            let verdict = match (difference.lower > 0.0, difference.upper < 0.0) {
                (true, _) => "higher",
                (_, true) => "lower",
                (false, false) => "no difference shown",
            };
            text.push_str(&format!(
                "; against {}: {:+.4} [{:+.4}, {:+.4}], {verdict}",
                value(reference),
                difference.value,
                difference.lower,
                difference.upper
            ));
        }
        lines.push((format!("{} = {}", group.column, value(group)), text));
    }
    lines
}

/// The difference of two shares with its interval (Newcombe 1998, method 10).
pub(crate) fn rate_difference(one: Estimate, other: Estimate) -> Estimate {
    let value = one.value - other.value;
    let below = (one.value - one.lower).hypot(other.upper - other.value);
    let above = (one.upper - one.value).hypot(other.value - other.lower);
    Estimate {
        value,
        lower: value - below,
        upper: value + above,
    }
}

fn gate_text(gate: &Gate) -> String {
    let verdict = if gate.passed { "passed" } else { "failed" };
    let value = gate
        .value
        .map_or_else(|| "not computed".to_owned(), |value| format!("{value:.4}"));
    let limits = match (gate.minimum, gate.maximum) {
        (Some(low), Some(high)) => format!(", wanted above {low} and at most {high}"),
        (Some(low), None) => format!(", wanted above {low}"),
        (None, Some(high)) => format!(", wanted at most {high}"),
        (None, None) => String::new(),
    };
    format!("{verdict}: {value}{limits}; {}", gate.title.en)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use goyong_learn::wilson;

    use super::*;

    #[test]
    fn a_difference_of_rates_has_newcombes_interval() {
        // Newcombe (1998), table II, (a) by method 10: 56/70 against 48/80.
        let found = rate_difference(wilson(56.0, 70.0).unwrap(), wilson(48.0, 80.0).unwrap());
        assert!((found.value - 0.2).abs() < 1e-12);
        assert!((found.lower - 0.0524).abs() < 1e-4, "{found:?}");
        assert!((found.upper - 0.3339).abs() < 1e-4, "{found:?}");
    }
}
