//! The scores of a case in words: why the risk score is what it is, and how unusual its claims are.
//!
//! Reasons are computed from the release, with the version and the row of features that ranked the case. Where these do
//! not give the score again, the release holds other facts by now, and no reasons are told instead of wrong ones.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use goyong_cases::{Case, CaseScore, Evidence};
use goyong_catalog::DeclaredModel;
use goyong_catalog::contract::BilingualText;
use goyong_learn::{Contribution, ScoringArtefact};
use goyong_site::{AnomalyPlace, Bilingual, NamedFact, RiskPlace, RiskTheme, ThemeFact};
use goyong_types::TableName;

use crate::case_facts::{Desk, TERMS_OF_A_QUERY};
use crate::evaluate_against_truth::texts_of;
use crate::model_registry::Registry;
use crate::rank_cases::{OF_CLAIMS, OF_WORKPLACES};
use crate::train_models::completeness::titles_of;

const ANOMALY: &str = "alerts.claim_anomaly";
/// Contributions below this are summed in their theme and not listed.
const SMALLEST_SHOWN: f64 = 0.01;
/// The book keeps probabilities in billionths.
const ROUNDING: f64 = 2e-9;

/// What the release says about the scores of some cases.
#[derive(Debug, Default)]
pub(crate) struct ScoreFacts {
    /// Models of which a version serves.
    serving: BTreeSet<String>,
    /// Reasons by number of the case, or why there are none.
    reasons: BTreeMap<i64, Result<Vec<RiskTheme>, Bilingual>>,
    /// Rows scored now, by model and entity.
    scored: BTreeMap<(String, String), ScoredRow>,
    /// By claim.
    anomalies: BTreeMap<String, Anomaly>,
}

/// The newest row of an entity that a model was asked about.
#[derive(Debug, Default)]
struct ScoredRow {
    has_score: bool,
    /// What is not known of it, where it has none for that.
    missing: Bilingual,
}

#[derive(Debug)]
struct Anomaly {
    surprise: f64,
    as_strange_share: f64,
    facts: Vec<String>,
}

/// A row of features, by entity and day since when it runs.
type Rows = BTreeMap<(String, String), (RecordBatch, usize)>;

impl Desk<'_> {
    /// Reads what dossiers tell about scores.
    pub(crate) async fn score_facts(&self, cases: &[(&Case, &[Evidence])]) -> Result<ScoreFacts> {
        let registry = Registry::open(self.project).await?;
        let mut facts = ScoreFacts::default();
        for model in [OF_CLAIMS, OF_WORKPLACES] {
            if registry.champion(model).is_some() {
                facts.serving.insert(model.to_owned());
            }
        }
        self.read_reasons(&registry, cases, &mut facts).await?;
        self.read_unscored(cases, &mut facts).await?;
        let claims = cases.iter().flat_map(|(_, evidence)| claims_of(evidence));
        self.read_anomalies(&claims.collect(), &mut facts).await?;
        Ok(facts)
    }

    async fn read_reasons(
        &self,
        registry: &Registry,
        cases: &[(&Case, &[Evidence])],
        facts: &mut ScoreFacts,
    ) -> Result<()> {
        let mut by_version: BTreeMap<(&str, &str), Vec<(i64, &CaseScore)>> = BTreeMap::new();
        for (case, _) in cases {
            if let Some(score) = self.scores.get(&case.case_no) {
                let of_version = by_version.entry((&score.model, &score.model_version));
                of_version.or_default().push((case.case_no, score));
            }
        }
        for ((model, version), scores) in by_version {
            let declared = self.project.project().declared_models().get(model);
            let (Some(declared), true) = (declared, registry.line(model, version).is_ok()) else {
                let why = Bilingual::new(
                    format!("프로젝트에 {model} {version}이(가) 더는 없습니다."),
                    format!("the project has {model} {version} no more"),
                );
                let none = scores
                    .iter()
                    .map(|(case_no, _)| (*case_no, Err(why.clone())));
                facts.reasons.extend(none);
                continue;
            };
            let artefact = registry.artefact(self.project, model, version).await?;
            let scoring = artefact.scoring()?;
            let entities = scores.iter().map(|(_, score)| score.entity.as_str());
            let rows = self.feature_rows(declared, &entities.collect()).await?;
            for (case_no, score) in scores {
                let key = (score.entity.clone(), score.entered_on.clone());
                let reasons = match rows.get(&key) {
                    Some((batch, row)) => reasons_of(declared, &scoring, score, batch, *row)?,
                    None => Err(other_facts(score)),
                };
                facts.reasons.insert(case_no, reasons);
            }
        }
        Ok(())
    }

    /// The rows of features of entities, as the release has them.
    async fn feature_rows(
        &self,
        declared: &DeclaredModel,
        entities: &BTreeSet<&str>,
    ) -> Result<Rows> {
        let mut found = Rows::new();
        let Some((session, _)) = &self.session else {
            return Ok(found);
        };
        if !self.has(&declared.features) {
            return Ok(found);
        }
        let (entity, entered_on) = (&declared.entity, &declared.entered_on);
        for listed in lists(entities) {
            let sql = format!(
                "select * from {} where cast({entity} as varchar) in ({listed})",
                declared.features
            );
            for batch in session.query(&sql).await? {
                let mut keys = Vec::new();
                texts_of(&batch, [entity, entered_on], &mut keys)?;
                for (row, [entity, entered_on]) in keys.into_iter().enumerate() {
                    found.insert((entity, entered_on), (batch.clone(), row));
                }
            }
        }
        Ok(found)
    }

    /// The newest rows of entities without a score, for the reason.
    async fn read_unscored(
        &self,
        cases: &[(&Case, &[Evidence])],
        facts: &mut ScoreFacts,
    ) -> Result<()> {
        let mut asked: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (case, evidence) in cases {
            if !self.scores.contains_key(&case.case_no) {
                asked
                    .entry(OF_CLAIMS)
                    .or_default()
                    .extend(claims_of(evidence));
                let workplace = workplace_of(case).map(str::to_owned);
                asked.entry(OF_WORKPLACES).or_default().extend(workplace);
            }
        }
        for (model, entities) in asked {
            let declared = self.project.project().declared_models().get(model);
            let table = TableName::new("models", model)?;
            let Some(declared) = declared.filter(|_| self.has(&table)) else {
                continue;
            };
            let (entity, entered_on) = (&declared.entity, &declared.entered_on);
            for listed in lists(&entities) {
                let sql = format!(
                    "select {entity}, case when probability is null then '' else 'yes' end as has_score, \
                     coalesce(missing_ko, '') as missing_ko, coalesce(missing_en, '') as missing_en from {table} \
                     where purpose = 'current' and {entity} in ({listed}) order by {entered_on}"
                );
                let columns = [entity.as_str(), "has_score", "missing_ko", "missing_en"];
                for [entity, has_score, korean, english] in self.texts(&sql, columns).await? {
                    let row = ScoredRow {
                        has_score: !has_score.is_empty(),
                        missing: Bilingual::new(korean, english),
                    };
                    facts.scored.insert((model.to_owned(), entity), row);
                }
            }
        }
        Ok(())
    }

    async fn read_anomalies(
        &self,
        claims: &BTreeSet<String>,
        facts: &mut ScoreFacts,
    ) -> Result<()> {
        if !self.has(&ANOMALY.parse()?) {
            return Ok(());
        }
        for listed in lists(claims) {
            let sql = format!(
                "select claim_no, cast(surprise as varchar) as surprise, \
                 cast(as_strange_share as varchar) as share, coalesce(strange_facts, '') as facts \
                 from {ANOMALY} where claim_no in ({listed})"
            );
            let columns = ["claim_no", "surprise", "share", "facts"];
            for [claim_no, surprise, share, strange] in self.texts(&sql, columns).await? {
                let number = |text: &str| {
                    text.parse::<f64>()
                        .context("the anomaly score is no number")
                };
                let names = strange.split(',').filter(|name| !name.is_empty());
                let anomaly = Anomaly {
                    surprise: number(&surprise)?,
                    as_strange_share: number(&share)?,
                    facts: names.map(str::to_owned).collect(),
                };
                facts.anomalies.insert(claim_no, anomaly);
            }
        }
        Ok(())
    }

    /// The score that ranks a case with its reasons, or why it has none.
    pub(crate) fn risk(
        &self,
        case: &Case,
        evidence: &[Evidence],
        facts: &ScoreFacts,
    ) -> (Option<RiskPlace>, Option<Bilingual>) {
        let Some(score) = self.scores.get(&case.case_no) else {
            return (None, Some(self.why_no_risk(case, evidence, facts)));
        };
        let declared = self.project.project().declared_models().get(&score.model);
        let title = declared.map_or_else(|| Bilingual::same(&score.model), |m| both(&m.title));
        let reasons = facts.reasons.get(&case.case_no).cloned();
        let (reasons, no_reasons) = match reasons.unwrap_or_else(|| Err(other_facts(score))) {
            Ok(reasons) => (reasons, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let place = RiskPlace {
            probability: score.risk,
            model: score.model.clone(),
            title,
            entity: score.entity.clone(),
            entered_on: score.entered_on.clone(),
            scored_on: score.scored_on.clone(),
            model_version: score.model_version.clone(),
            is_corrected: score.is_corrected,
            reasons,
            no_reasons,
        };
        (Some(place), None)
    }

    fn why_no_risk(&self, case: &Case, evidence: &[Evidence], facts: &ScoreFacts) -> Bilingual {
        let claims = claims_of(evidence);
        let workplace = workplace_of(case);
        if claims.is_empty() && workplace.is_none() {
            return Bilingual::new(
                "점수는 증거가 가리키는 수급자격이나 사업장에 매깁니다. 이 사건에는 그런 증거가 없습니다.",
                "a score is of a claim or workplace that the evidence names; this case has no such evidence",
            );
        }
        let mut entities: Vec<(&str, String)> = Vec::new();
        entities.extend(workplace.map(|workplace| (OF_WORKPLACES, workplace.to_owned())));
        entities.extend(claims.into_iter().map(|claim| (OF_CLAIMS, claim)));
        let models: BTreeSet<&str> = entities.iter().map(|(model, _)| *model).collect();
        if models.iter().all(|model| !facts.serving.contains(*model)) {
            let models = Vec::from_iter(models).join(", ");
            return Bilingual::new(
                format!("서비스 중인 모델 판이 없습니다: {models}."),
                format!("no version of {models} serves"),
            );
        }
        let rows = entities
            .into_iter()
            .filter_map(|(model, entity)| facts.scored.get(&(model.to_owned(), entity)));
        let rows: Vec<&ScoredRow> = rows.collect();
        if rows.iter().any(|row| row.has_score) {
            return Bilingual::new(
                "사건의 순서를 매긴 밤 뒤에 점수가 나왔습니다. 다음 밤에 순서에 들어갑니다.",
                "it was scored after the night that ranked the cases; the next night ranks it",
            );
        }
        match rows.iter().find(|row| !row.missing.en.is_empty()) {
            Some(ScoredRow { missing, .. }) => Bilingual::new(
                format!(
                    "필요한 정보가 빠져 점수를 내지 않습니다. 빠진 항목: {}.",
                    missing.ko
                ),
                format!("the file is incomplete; not known: {}", missing.en),
            ),
            None => Bilingual::new(
                "모델이 지금 점수를 매기는 대상이 아닙니다. 신청한 달이 지나지 않았거나, 모델이 예측하는 결정이 이미 났거나, 그 기간이 지났습니다.",
                "it is none of those the model scores now: the month of the application is not over, or the decision \
                 that the model predicts was taken, or its time is over",
            ),
        }
    }

    /// The strangest of the claims in the evidence, or why there is none.
    pub(crate) fn anomaly(
        &self,
        evidence: &[Evidence],
        facts: &ScoreFacts,
    ) -> (Option<AnomalyPlace>, Option<Bilingual>) {
        let claims = claims_of(evidence);
        let told: Vec<(&String, &Anomaly)> = claims
            .iter()
            .filter_map(|claim| facts.anomalies.get_key_value(claim))
            .collect();
        let strangest = told
            .iter()
            .max_by(|left, right| left.1.surprise.total_cmp(&right.1.surprise));
        if let Some((claim_no, anomaly)) = strangest {
            let features = self.project.project().declared_models().get(OF_CLAIMS);
            let features = features.and_then(|m| self.project.project().models().get(&m.features));
            let named = |name: &String| {
                let (korean, english) = titles_of(features, name);
                NamedFact {
                    fact: name.clone(),
                    title: Bilingual::new(korean, english),
                }
            };
            let place = AnomalyPlace {
                claim_no: (*claim_no).clone(),
                of_claims: told.len(),
                surprise: anomaly.surprise,
                as_strange_share: anomaly.as_strange_share,
                facts: anomaly.facts.iter().map(named).collect(),
            };
            return (Some(place), None);
        }
        let why = match (claims.is_empty(), self.has_anomalies()) {
            (true, _) => Bilingual::new(
                "수급자격을 가리키는 증거가 없습니다.",
                "no evidence names a claim",
            ),
            (_, false) => Bilingual::new(
                format!("발표본에 {ANOMALY}이(가) 없습니다."),
                format!("the release has no {ANOMALY}"),
            ),
            _ => Bilingual::new(
                "지금 진행 중인 석 달에 지급된 회차가 있는 수급자격에만 매깁니다. 이 사건의 수급자격은 그렇지 않습니다.",
                "only claims that were paid and whose three months run today have one; those of this case do not",
            ),
        };
        (None, Some(why))
    }

    fn has_anomalies(&self) -> bool {
        ANOMALY.parse().is_ok_and(|table| self.has(&table))
    }
}

/// Why a row has the score that ranked a case, by theme; an error where the row gives another score by now.
fn reasons_of(
    declared: &DeclaredModel,
    scoring: &ScoringArtefact,
    score: &CaseScore,
    batch: &RecordBatch,
    row: usize,
) -> Result<Result<Vec<RiskTheme>, Bilingual>> {
    let explained = scoring.model.explain(batch, row, usize::MAX)?;
    let probability = scoring.calibrator.apply(explained.probability);
    if (probability - score.learned).abs() > ROUNDING {
        return Ok(Err(other_facts(score)));
    }
    Ok(Ok(by_theme(declared, explained.contributions)))
}

/// Contributions summed by theme, the largest sum first; beneath each its facts, the largest first. What no theme names
/// stands under one of its own.
fn by_theme(declared: &DeclaredModel, contributions: Vec<Contribution>) -> Vec<RiskTheme> {
    let mut themes: Vec<RiskTheme> = Vec::new();
    for one in contributions {
        let theme = declared.theme_of(&one.feature);
        let title = theme.map_or_else(
            || Bilingual::new("그 밖", "other"),
            |theme| both(&theme.title),
        );
        let place = themes.iter().position(|theme| theme.title == title);
        let place = place.unwrap_or_else(|| {
            themes.push(RiskTheme {
                title,
                log_odds: 0.0,
                facts: Vec::new(),
            });
            themes.len() - 1
        });
        themes[place].log_odds += one.log_odds;
        if one.log_odds.abs() >= SMALLEST_SHOWN {
            themes[place].facts.push(ThemeFact {
                fact: one.feature,
                title: Bilingual::new(one.label_ko, one.label_en),
                value: one.value,
                log_odds: one.log_odds,
            });
        }
    }
    let size = |log_odds: f64| -log_odds.abs();
    for theme in &mut themes {
        let facts = &mut theme.facts;
        facts.sort_by(|left, right| size(left.log_odds).total_cmp(&size(right.log_odds)));
    }
    themes.sort_by(|left, right| size(left.log_odds).total_cmp(&size(right.log_odds)));
    themes
}

fn other_facts(score: &CaseScore) -> Bilingual {
    let CaseScore {
        scored_on, entity, ..
    } = score;
    Bilingual::new(
        format!(
            "이 발표본의 자료로는 {scored_on} 밤에 {entity}에 매긴 점수가 다시 나오지 않아 까닭을 적지 않습니다. 다음 밤에 새로 매깁니다."
        ),
        format!(
            "the facts in this release do not give the score of {entity} that ranked the case in the night of {scored_on}; \
             the next night ranks it anew"
        ),
    )
}

/// The claims that evidence which is still raised names.
fn claims_of(evidence: &[Evidence]) -> BTreeSet<String> {
    evidence
        .iter()
        .filter(|row| row.withdrawn_on.is_none())
        .filter(|row| matches!(row.subject_kind.as_str(), "claim" | "round"))
        .map(|row| match row.subject_key.split_once('/') {
            Some((claim, _)) => claim.to_owned(),
            None => row.subject_key.clone(),
        })
        .collect()
}

/// The workplace that a case is about.
fn workplace_of(case: &Case) -> Option<&str> {
    case.pivot_key.strip_prefix("workplace/")
}

fn both(text: &BilingualText) -> Bilingual {
    Bilingual::new(text.in_language("ko"), text.in_language("en"))
}

/// Texts as lists in SQL, each as long as one query takes.
fn lists<Text: AsRef<str>>(texts: &BTreeSet<Text>) -> Vec<String> {
    let texts: Vec<String> = texts
        .iter()
        .map(|text| format!("'{}'", text.as_ref().replace('\'', "''")))
        .collect();
    let lists = texts.chunks(TERMS_OF_A_QUERY);
    lists.map(|texts| texts.join(", ")).collect()
}
