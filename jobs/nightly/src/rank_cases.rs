//! Scores of cases, by which cases of one severity are ordered. Nothing else follows from them: a case comes from
//! evidence, and an officer closes it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use goyong_cases::{CaseBook, CaseScore, DrawnClaim, IncomingScore};
use goyong_learn::{DrawnRow, PrevalenceCorrection};
use goyong_types::TableName;

use crate::project::OpenProject;

/// Scores claims.
pub(crate) const OF_CLAIMS: &str = "fraud_risk";
/// Scores the workplaces that claimants left.
pub(crate) const OF_WORKPLACES: &str = "workplace_risk";
const FROZEN: &str = "models.frozen_score";

/// The highest score of the claims in the evidence of each pivot; of a claim the newest score counts.
const CLAIM_QUERY: &str = "select pivot_key, claim_no as entity, cast(entered_on as varchar) as entered_on, \
    cast(probability as varchar) as probability, \
    model_version from (select e.pivot_key, s.claim_no, s.entered_on, s.probability, s.model_version, row_number() over (\
    partition by e.pivot_key order by s.probability desc, s.claim_no) as place \
    from (select distinct pivot_key, claim_no from alerts.evidence where not cleared and claim_no is not null) e \
    join (select claim_no, entered_on, probability, model_version, row_number() over (\
    partition by claim_no order by entered_on desc) as newest from models.fraud_risk \
    where purpose = 'current' and probability is not null) s \
    on s.claim_no = e.claim_no where s.newest = 1) ranked where place = 1";

/// The newest score of each workplace that is a pivot.
const WORKPLACE_QUERY: &str = "select pivot_key, workplace_no as entity, cast(entered_on as varchar) as entered_on, \
    cast(probability as varchar) as probability, model_version from (\
    select 'workplace/' || workplace_no as pivot_key, workplace_no, entered_on, probability, model_version, \
    row_number() over (partition by workplace_no order by entered_on desc) as newest \
    from models.workplace_risk where purpose = 'current' and probability is not null) s where newest = 1 \
    and pivot_key in (select pivot_key from alerts.candidate where pivot_kind = 'workplace')";

impl OpenProject {
    /// The score of each pivot with evidence, corrected to the true prevalence where the random draw suffices: of a
    /// workplace its own, of any other case the highest of its claims, as of a workplace that has none. No score where
    /// no version serves.
    pub(crate) async fn case_scores(&self, book: &CaseBook) -> Result<Vec<IncomingScore>> {
        let mut scores = BTreeMap::new();
        for (model, query) in [(OF_CLAIMS, CLAIM_QUERY), (OF_WORKPLACES, WORKPLACE_QUERY)] {
            if !self.is_stored(&format!("models.{model}")).await? {
                continue;
            }
            let correction = self.prevalence_correction(book, model).await?;
            let columns = [
                "pivot_key",
                "entity",
                "entered_on",
                "probability",
                "model_version",
            ];
            for [pivot_key, entity, entered_on, probability, model_version] in
                self.texts(query, columns).await?
            {
                let learned = number(model, &probability)?;
                let score = IncomingScore {
                    pivot_key: pivot_key.clone(),
                    model: model.to_owned(),
                    entity,
                    entered_on,
                    learned,
                    risk: correction.apply(learned),
                    model_version,
                    is_corrected: correction.is_corrected(),
                };
                scores.insert(pivot_key, score);
            }
        }
        Ok(scores.into_values().collect())
    }

    /// What the random draw says about each risk score, by model; nothing before the first case.
    pub async fn correct_risks(&self) -> Result<Vec<(&'static str, PrevalenceCorrection)>> {
        let mut corrections = Vec::new();
        if let Some(book) = self.existing_cases().await? {
            for model in [OF_CLAIMS, OF_WORKPLACES] {
                let correction = self.prevalence_correction(&book, model).await?;
                corrections.push((model, correction));
            }
        }
        Ok(corrections)
    }

    /// The scores of cases, by number.
    pub async fn list_scores(&self) -> Result<BTreeMap<i64, CaseScore>> {
        Ok(match self.existing_cases().await? {
            Some(book) => book.scores().await?,
            None => BTreeMap::new(),
        })
    }

    async fn prevalence_correction(
        &self,
        book: &CaseBook,
        model: &str,
    ) -> Result<PrevalenceCorrection> {
        let drawn = match model {
            OF_WORKPLACES => book.decided_workplace_draws().await?,
            _ => book.decided_draws().await?,
        };
        if drawn.is_empty() || !self.is_stored(FROZEN).await? {
            return Ok(PrevalenceCorrection::from_draw(&[]));
        }
        // The first score each was given in its newest stretch.
        let frozen = format!(
            "select entity, cast(probability as varchar) as probability from (\
             select entity, probability, row_number() over (partition by entity order by entered_on desc) as newest \
             from {FROZEN} where model = '{model}') scored where newest = 1"
        );
        let mut scores = BTreeMap::new();
        for [entity, probability] in self.texts(&frozen, ["entity", "probability"]).await? {
            scores.insert(entity, number(model, &probability)?);
        }
        let rows: Vec<DrawnRow> = drawn
            .iter()
            .filter_map(|claim| {
                Some(DrawnRow {
                    probability: *scores.get(looked_at(claim))?,
                    inclusion: claim.decided.inclusion,
                    is_positive: claim.decided.is_adverse,
                })
            })
            .collect();
        Ok(PrevalenceCorrection::from_draw(&rows))
    }

    async fn is_stored(&self, table: &str) -> Result<bool> {
        let table: TableName = table.parse()?;
        Ok(self.warehouse().snapshot(&table).await?.is_some())
    }
}

/// What a model scores of a claim that was drawn: the workplace where the draw led to it.
fn looked_at(claim: &DrawnClaim) -> &str {
    claim.workplace_no.as_deref().unwrap_or(&claim.claim_no)
}

fn number(model: &str, text: &str) -> Result<f64> {
    text.parse()
        .ok()
        .with_context(|| format!("the score `{text}` of {model} is no number"))
}
