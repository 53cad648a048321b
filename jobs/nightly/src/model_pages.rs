//! The pages of models: what the registry says of each version in use, with what the release knows of its features and
//! of what became of its scores.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use goyong_catalog::DeclaredModel;
use goyong_engine::ReadSession;
use goyong_learn::{Estimate, ModelCard, SubgroupEvaluation};
use goyong_site::{
    Bilingual, CalibrationGroup, Interval, ModelCandidate, ModelDecisionLine, ModelFeature,
    ModelGate, ModelGroup, ModelMetric, ModelStanding, ModelVersionPage, ModelWindow,
    RealisedMonth, TrainedTable,
};
use goyong_store::Release;
use serde_json::Value;

use crate::evaluate_against_truth::texts_of;
use crate::model_registry::{Registry, json_of};
use crate::project::OpenProject;
use crate::review_models::rate_difference;

/// What of the scores became known.
const REALISED: &str = "marts.predicted_realised";
/// The rule that every model has to beat.
const BASELINE: &str = "one_variable_rule";

/// What a release knows of a model whichever version serves.
struct OfModel<'a> {
    declared: &'a DeclaredModel,
    /// Share of rows in which each feature is known; empty where the release has no such table.
    coverage: BTreeMap<String, f64>,
    coverage_of: Option<String>,
    realised: Vec<RealisedMonth>,
}

/// The versions that serve, those that served, and the newest of each model.
pub(crate) async fn model_versions(
    project: &OpenProject,
    session: &ReadSession,
    release: &Release,
) -> Result<Vec<ModelVersionPage>> {
    let registry = Registry::open(project).await?;
    let mut pages = Vec::new();
    for (model, declared) in project.project().declared_models() {
        let shown = registry.versions_to_show(model);
        if shown.is_empty() {
            continue;
        }
        let has = |table: &goyong_types::TableName| release.tables.contains_key(table);
        let mut of_model = OfModel {
            declared,
            coverage: BTreeMap::new(),
            coverage_of: None,
            realised: Vec::new(),
        };
        if has(&declared.features) {
            of_model.coverage = coverage(session, declared).await?;
            of_model.coverage_of = Some(format!("{}, {}", declared.features, release.id));
        }
        if has(&REALISED.parse()?) {
            of_model.realised = realised(session, model).await?;
        }
        for version in shown {
            let page = page(project, &registry, &of_model, version).await;
            pages.push(page.with_context(|| format!("page of {model} {version}"))?);
        }
    }
    Ok(pages)
}

async fn page(
    project: &OpenProject,
    registry: &Registry,
    of_model: &OfModel<'_>,
    version: &str,
) -> Result<ModelVersionPage> {
    let declared = of_model.declared;
    let model = declared.model.as_str();
    let line = registry.line(model, version)?;
    let json = json_of(project, model, version, "card_json").await?;
    let card = ModelCard::from_json(&json)?;
    // What later versions of the card hold is read where it is there.
    let more: Value = serde_json::from_str(&json)?;
    let read = |column: &'static str| async move {
        let json = json_of(project, model, version, column).await?;
        Ok::<Value, anyhow::Error>(serde_json::from_str(&json)?)
    };
    let data = read("data_json").await?;
    let features = read("features_json").await?;
    let parameters = read("parameters_json").await?;
    let decisions: Vec<ModelDecisionLine> = registry
        .decisions_about(model, version)
        .map(|[_, _, act, account, reason, on]| ModelDecisionLine {
            act: act.clone(),
            account: account.clone(),
            reason: reason.clone(),
            decided_on: on.clone(),
        })
        .collect();
    let served = decisions
        .iter()
        .any(|decision| ["promote", "rollback"].contains(&decision.act.as_str()));
    let in_shadow = registry.shadow(model).map(|(version, _)| version);
    let standing = match registry.champion(model) {
        Some(champion) if champion == version => ModelStanding::Serves,
        _ if in_shadow == Some(version) => ModelStanding::Shadow,
        _ if served => ModelStanding::Served,
        _ if card.usable => ModelStanding::Passed,
        _ => ModelStanding::Refused,
    };
    let text = |value: &goyong_learn::Bilingual| Bilingual::new(&value.ko, &value.en);
    let trained_on = match (card.training.entered_from, card.training.entered_until) {
        (Some(from), Some(until)) => Some([from, until]),
        _ => None,
    };
    let last_judged = card.evaluated_until.pred_opt();
    Ok(ModelVersionPage {
        model: model.to_owned(),
        version: version.to_owned(),
        standing,
        target: text(&card.target_title),
        population: text(&card.population),
        intended_use: text(&card.intended_use),
        limits: card.limits.iter().map(text).collect(),
        decisions,
        as_of: card.as_of,
        release_before: data["release_before"].as_str().map(str::to_owned),
        tables: trained_tables(&data),
        learner: more["learner"].as_str().unwrap_or("logistic").to_owned(),
        training_rows: card.training.rows_used as u64,
        trained_on,
        evaluation_rows: card.pooled.rows as u64,
        evaluated_on: [
            card.evaluated_from,
            last_judged.unwrap_or(card.evaluated_until),
        ],
        threshold: line[9].parse().context("the threshold of a version")?,
        capacity: capacity(&parameters["capacity"]),
        artefact_sha256: line[10].clone(),
        code_version: line[11].clone(),
        unused_features: card.unused_features.clone(),
        metrics: metrics(&card, &parameters["capacity"]),
        windows: windows(&card),
        candidates: candidates(&more),
        gates: gates(&card, &more),
        calibration: card
            .pooled
            .calibration_table
            .iter()
            .map(|bin| CalibrationGroup {
                predicted: bin.mean_predicted,
                observed: interval(bin.observed),
                rows: bin.rows as u64,
            })
            .collect(),
        features: feature_rows(&card, &more, &features, &of_model.coverage),
        coverage_of: of_model.coverage_of.clone(),
        groups: groups(&card.subgroups),
        realised: of_model.realised.clone(),
    })
}

fn interval(estimate: Estimate) -> Interval {
    Interval {
        value: estimate.value,
        lower: estimate.lower,
        upper: estimate.upper,
    }
}

fn trained_tables(data: &Value) -> Vec<TrainedTable> {
    let tables = data["tables"].as_object().into_iter().flatten();
    tables
        .map(|(name, described)| TrainedTable {
            name: name.clone(),
            version: described["version"].as_i64().unwrap_or_default(),
            content_hash: described["content_hash"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            rows: described["rows"].as_u64().unwrap_or_default(),
        })
        .collect()
}

/// For whom there is room: `the 20 % with the lowest probability`.
fn capacity(capacity: &Value) -> Bilingual {
    let percent = percent(capacity["share"].as_f64().unwrap_or_default());
    match capacity["end"].as_str() {
        Some("highest") => Bilingual::new(
            format!("확률이 높은 {percent}%"),
            format!("the {percent} % with the highest probability"),
        ),
        _ => Bilingual::new(
            format!("확률이 낮은 {percent}%"),
            format!("the {percent} % with the lowest probability"),
        ),
    }
}

fn percent(share: f64) -> String {
    let percent = (share * 1_000.0).round() / 10.0;
    format!("{percent}")
}

fn metrics(card: &ModelCard, capacity: &Value) -> Vec<ModelMetric> {
    let baseline = card
        .baselines
        .iter()
        .find(|baseline| baseline.name == BASELINE);
    let mut metrics = Vec::new();
    let mut add = |name: &str,
                   ko: &str,
                   en: &str,
                   model: Option<Estimate>,
                   baseline: Option<Estimate>,
                   better: &str| {
        if let Some(model) = model {
            metrics.push(ModelMetric {
                name: name.to_owned(),
                title: Bilingual::new(ko, en),
                model: interval(model),
                baseline: baseline.map(|estimate| estimate.value),
                better: better.to_owned(),
            });
        }
    };
    let pooled = &card.pooled;
    let of_rule =
        |of: fn(&goyong_learn::BaselineEvaluation) -> Option<Estimate>| baseline.and_then(of);
    add(
        "auc",
        "AUC",
        "AUC",
        pooled.auc,
        of_rule(|rule| rule.auc),
        "larger",
    );
    add(
        "average_precision",
        "평균 정밀도",
        "Average precision",
        pooled.average_precision,
        of_rule(|rule| rule.average_precision),
        "larger",
    );
    add(
        "brier",
        "브라이어 점수",
        "Brier score",
        Some(pooled.brier),
        of_rule(|rule| Some(rule.brier)),
        "smaller",
    );
    add(
        "log_loss",
        "로그 손실",
        "Log loss",
        Some(pooled.log_loss),
        of_rule(|rule| Some(rule.log_loss)),
        "smaller",
    );
    add(
        "calibration_error",
        "보정 오차(ECE)",
        "Expected calibration error",
        Some(pooled.expected_calibration_error),
        of_rule(|rule| Some(rule.expected_calibration_error)),
        "smaller",
    );
    let fit = pooled.recalibration;
    add(
        "calibration_slope",
        "보정 기울기",
        "Calibration slope",
        fit.map(|fit| fit.slope),
        None,
        "one",
    );
    add(
        "calibration_intercept",
        "보정 절편",
        "Calibration intercept",
        fit.map(|fit| fit.intercept),
        None,
        "zero",
    );
    for at in &pooled.at_capacity {
        let end = serde_json::to_value(at.end).unwrap_or_default();
        if end != capacity["end"] {
            continue;
        }
        let share = percent(at.share);
        let (ko, en) = match end.as_str() {
            Some("highest") => ("높은", "highest"),
            _ => ("낮은", "lowest"),
        };
        add(
            &format!("precision_{share}"),
            &format!("확률이 {ko} {share}%의 정밀도"),
            &format!("Precision in the {en} {share} %"),
            Some(at.precision),
            None,
            "larger",
        );
        add(
            &format!("recall_{share}"),
            &format!("확률이 {ko} {share}%의 재현율"),
            &format!("Recall in the {en} {share} %"),
            Some(at.recall),
            None,
            "larger",
        );
    }
    metrics
}

fn windows(card: &ModelCard) -> Vec<ModelWindow> {
    card.cutoffs
        .iter()
        .map(|cutoff| ModelWindow {
            from: cutoff.split.evaluation_from,
            rows: cutoff.rows as u64,
            predicted: cutoff.mean_predicted,
            observed: cutoff.observed_rate.value,
            auc: cutoff.auc.map(|auc| auc.value),
            baseline_auc: cutoff.baseline_auc.map(|auc| auc.value),
            calibration_error: cutoff.expected_calibration_error.value,
        })
        .collect()
}

fn list<'a>(card: &'a Value, keys: &[&str]) -> impl Iterator<Item = &'a Value> {
    let found = keys.iter().fold(card, |value, key| &value[*key]);
    found.as_array().into_iter().flatten()
}

fn words(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn candidates(more: &Value) -> Vec<ModelCandidate> {
    let mut found = Vec::new();
    for candidate in list(more, &["candidates"]) {
        for window in list(candidate, &["windows"]) {
            let (Some(log_loss), Some(regret)) =
                (window["log_loss"].as_f64(), window["regret"].as_f64())
            else {
                continue;
            };
            found.push(ModelCandidate {
                learner: words(candidate, "name"),
                window: words(window, "window"),
                log_loss,
                regret,
                auc: window["auc"].as_f64(),
                calibrator: words(window, "calibrator"),
                is_chosen: candidate["chosen"].as_bool().unwrap_or_default(),
            });
        }
    }
    found
}

/// Every gate that was registered: those on the procedure, then those of promotion where they were asked.
fn gates(card: &ModelCard, more: &Value) -> Vec<ModelGate> {
    let mut gates: Vec<ModelGate> = card
        .gates
        .iter()
        .map(|gate| ModelGate {
            gate: gate.name.clone(),
            subject: String::new(),
            text: Bilingual::new(&gate.title.ko, &gate.title.en),
            figure: gate.value,
            lower: None,
            upper: None,
            minimum: gate.minimum,
            maximum: gate.maximum,
            verdict: if gate.passed { "passed" } else { "refused" }.to_owned(),
        })
        .collect();
    for gate in list(more, &["promotion", "gates"]) {
        let figure = &gate["figure"];
        gates.push(ModelGate {
            gate: words(gate, "check"),
            subject: words(gate, "subject"),
            text: Bilingual::new(words(&gate["reason"], "ko"), words(&gate["reason"], "en")),
            figure: figure["value"].as_f64(),
            lower: figure["lower"].as_f64(),
            upper: figure["upper"].as_f64(),
            minimum: gate["minimum"].as_f64(),
            maximum: gate["maximum"].as_f64(),
            verdict: words(gate, "verdict"),
        });
    }
    gates
}

/// Each feature with its law, its coverage and how much the model rests on it: of a regression the largest influence of
/// its columns, of trees the share of the loss its splits took away.
fn feature_rows(
    card: &ModelCard,
    more: &Value,
    features: &Value,
    coverage: &BTreeMap<String, f64>,
) -> Vec<ModelFeature> {
    let mut known: BTreeMap<String, (Bilingual, f64)> = BTreeMap::new();
    for row in &card.coefficients {
        let entry = known
            .entry(row.feature.clone())
            .or_insert_with(|| (Bilingual::new(&row.label_ko, &row.label_en), 0.0));
        entry.1 = entry.1.max(row.influence);
    }
    for row in list(more, &["importance"]) {
        let title = Bilingual::new(words(row, "label_ko"), words(row, "label_en"));
        let share = row["share"].as_f64().unwrap_or_default();
        known.insert(words(row, "feature"), (title, share));
    }
    features
        .as_array()
        .into_iter()
        .flatten()
        .map(|feature| {
            let name = words(feature, "name");
            let found = known.get(&name);
            ModelFeature {
                title: found.map_or_else(|| Bilingual::same(&name), |(title, _)| title.clone()),
                kind: words(feature, "kind"),
                legal_basis: words(feature, "legal_basis"),
                coverage: coverage.get(&name).copied(),
                influence: found.map(|(_, influence)| *influence),
                name,
            }
        })
        .collect()
}

/// Each group beside the largest of its column (Newcombe 1998, method 10); one that is too small is not judged.
fn groups(groups: &[SubgroupEvaluation]) -> Vec<ModelGroup> {
    let value = |group: &SubgroupEvaluation| group.value.clone().unwrap_or_else(|| "–".to_owned());
    groups
        .iter()
        .map(|group| {
            let of_column = groups.iter().filter(|other| other.column == group.column);
            // The last of equals.
            let reference = of_column.max_by_key(|other| other.rows).unwrap_or(group);
            let difference = (group.tested && reference.tested && value(group) != value(reference))
                .then(|| rate_difference(group.observed_rate, reference.observed_rate));
            let verdict = match difference {
                None if group.tested && value(group) == value(reference) => "reference",
                None => "cannot_test",
                Some(difference) if difference.lower > 0.0 => "higher",
                Some(difference) if difference.upper < 0.0 => "lower",
                Some(_) => "no_difference",
            };
            ModelGroup {
                attribute: group.column.clone(),
                title: Bilingual::new(&group.label_ko, &group.label_en),
                group: value(group),
                rows: group.rows as u64,
                predicted: group.mean_predicted,
                observed: interval(group.observed_rate),
                auc: group.auc.map(|auc| auc.value),
                slope: group.recalibration.map(|fit| fit.slope.value),
                difference: difference.map(interval),
                verdict: verdict.to_owned(),
            }
        })
        .collect()
}

/// Share of rows in which each feature is known.
async fn coverage(
    session: &ReadSession,
    declared: &DeclaredModel,
) -> Result<BTreeMap<String, f64>> {
    let names: Vec<&str> = declared.feature_columns().collect();
    let counts: Vec<String> = names
        .iter()
        .map(|name| format!("cast(count(\"{name}\") as varchar)"))
        .collect();
    let sql = format!(
        "select concat_ws(' ', cast(count(*) as varchar), {}) as counts from {}",
        counts.join(", "),
        declared.features
    );
    let mut rows: Vec<[String; 1]> = Vec::new();
    for batch in session.query(&sql).await? {
        texts_of(&batch, ["counts"], &mut rows)?;
    }
    let counted = rows.first().map_or("", |[counted]| counted.as_str());
    let mut counted = counted
        .split(' ')
        .filter_map(|count| count.parse::<f64>().ok());
    let whole = counted.next().filter(|whole| *whole > 0.0);
    Ok(whole.map_or_else(BTreeMap::new, |whole| {
        names
            .iter()
            .zip(counted)
            .map(|(name, count)| ((*name).to_owned(), count / whole))
            .collect()
    }))
}

/// Months of a model's scores beside what happened, and the deciles and groups that raise an alarm.
async fn realised(session: &ReadSession, model: &str) -> Result<Vec<RealisedMonth>> {
    let sql = format!(
        "select basis, cast(month as varchar) as month, cut, value, \
         cast(persons_or_vacancies as varchar) as entries, cast(predicted as varchar) as predicted, \
         cast(realised_strict as varchar) as strict, cast(realised_loose as varchar) as loose, \
         coalesce(cast(ratio_strict as varchar), '') as ratio, cast(alarm as varchar) as alarm \
         from {REALISED} where model = '{model}' and (cut = 'all' or alarm) order by basis, month, cut, value"
    );
    let columns = [
        "basis",
        "month",
        "cut",
        "value",
        "entries",
        "predicted",
        "strict",
        "loose",
        "ratio",
        "alarm",
    ];
    let mut rows = Vec::new();
    for batch in session.query(&sql).await? {
        texts_of(&batch, columns, &mut rows)?;
    }
    let mut found = Vec::with_capacity(rows.len());
    for [
        basis,
        month,
        cut,
        value,
        entries,
        predicted,
        strict,
        loose,
        ratio,
        alarm,
    ] in rows
    {
        let number = |text: &str| text.parse::<f64>().context("a share of predicted_realised");
        found.push(RealisedMonth {
            month: month
                .parse::<NaiveDate>()
                .context("a month of predicted_realised")?,
            rows: entries.parse().context("a count of predicted_realised")?,
            predicted: number(&predicted)?,
            strict: number(&strict)?,
            loose: number(&loose)?,
            ratio: ratio.parse().ok(),
            is_alarm: alarm == "true",
            basis,
            cut,
            value,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use goyong_learn::wilson;
    use serde_json::json;

    use super::*;

    fn group(value: &str, rows: usize, positives: f64, tested: bool) -> SubgroupEvaluation {
        SubgroupEvaluation {
            column: "sex".into(),
            label_ko: "성별".into(),
            label_en: "sex".into(),
            value: Some(value.into()),
            rows,
            positives: positives as usize,
            tested,
            mean_predicted: 0.5,
            observed_rate: wilson(positives, rows as f64).unwrap(),
            auc: None,
            expected_calibration_error: None,
            recalibration: None,
        }
    }

    #[test]
    fn a_group_is_held_against_the_largest_and_a_small_one_against_none() {
        let rows = [
            group("m", 1_000, 500.0, true),
            group("f", 900, 540.0, true),
            group("x", 800, 400.0, true),
            group("unknown", 12, 1.0, false),
        ];
        let judged: Vec<(String, String, bool)> = groups(&rows)
            .into_iter()
            .map(|group| (group.group, group.verdict, group.difference.is_some()))
            .collect();
        let of =
            |name: &str, verdict: &str, differs| (name.to_owned(), verdict.to_owned(), differs);
        assert_eq!(
            judged,
            [
                of("m", "reference", false),
                of("f", "higher", true),
                of("x", "no_difference", true),
                of("unknown", "cannot_test", false),
            ]
        );
    }

    #[test]
    fn capacity_is_said_in_words_of_the_end_it_takes() {
        let said = capacity(&json!({ "share": 0.2, "end": "lowest" }));
        assert_eq!(said.en, "the 20 % with the lowest probability");
        let said = capacity(&json!({ "share": 0.125, "end": "highest" }));
        assert_eq!(said.ko, "확률이 높은 12.5%");
    }

    #[test]
    fn candidates_of_a_later_card_are_read_and_an_earlier_card_has_none() {
        let card = json!({ "candidates": [{
            "name": "boosting", "chosen": true,
            "windows": [{ "window": "2024-01-31", "rows": 9, "log_loss": 0.6, "auc": null,
                          "calibrator": "platt", "regret": 0.01 }],
        }]});
        let [candidate] = candidates(&card).try_into().unwrap();
        assert_eq!(candidate.learner, "boosting");
        assert_eq!((candidate.auc, candidate.is_chosen), (None, true));
        assert!(candidates(&json!({})).is_empty());
    }
}
