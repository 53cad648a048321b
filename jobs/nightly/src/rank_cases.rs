//! Scores of cases, by which cases of one severity are ordered. Nothing else follows from them: a case comes from
//! evidence, and an officer closes it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use goyong_cases::{CaseBook, CaseScore, IncomingScore};
use goyong_learn::{DrawnRow, PrevalenceCorrection};
use goyong_types::TableName;

use crate::project::OpenProject;

const MODEL: &str = "fraud_risk";
const SCORES: &str = "models.fraud_risk";
const FROZEN: &str = "models.frozen_score";

/// The highest score of the claims in the evidence of each pivot; of a claim the newest score counts.
const RISK_QUERY: &str = "select pivot_key, claim_no, cast(probability as varchar) as probability, model_version from (\
    select e.pivot_key, s.claim_no, s.probability, s.model_version, row_number() over (\
    partition by e.pivot_key order by s.probability desc, s.claim_no) as place \
    from (select distinct pivot_key, claim_no from alerts.evidence where not cleared and claim_no is not null) e \
    join (select claim_no, probability, model_version, row_number() over (\
    partition by claim_no order by entered_on desc) as newest from models.fraud_risk where purpose = 'current') s \
    on s.claim_no = e.claim_no where s.newest = 1) ranked where place = 1";

/// The first score each claim was given in its newest stretch.
const FROZEN_QUERY: &str = "select entity, cast(probability as varchar) as probability from (\
    select entity, probability, row_number() over (partition by entity order by entered_on desc) as newest \
    from models.frozen_score where model = 'fraud_risk') scored where newest = 1";

impl OpenProject {
    /// The score of each pivot with evidence, corrected to the true prevalence where the random draw suffices; none
    /// where no version of the model serves.
    pub(crate) async fn case_scores(&self, book: &CaseBook) -> Result<Vec<IncomingScore>> {
        if !self.is_stored(SCORES).await? {
            return Ok(Vec::new());
        }
        let correction = self.prevalence_correction(book).await?;
        let columns = ["pivot_key", "claim_no", "probability", "model_version"];
        let mut scores = Vec::new();
        for [pivot_key, claim_no, probability, model_version] in
            self.texts(RISK_QUERY, columns).await?
        {
            scores.push(IncomingScore {
                pivot_key,
                claim_no,
                risk: correction.apply(number(&probability)?),
                model_version,
                is_corrected: correction.is_corrected(),
            });
        }
        Ok(scores)
    }

    /// What the random draw says about the risk score.
    pub async fn correct_risk(&self) -> Result<Option<PrevalenceCorrection>> {
        match self.existing_cases().await? {
            Some(book) => Ok(Some(self.prevalence_correction(&book).await?)),
            None => Ok(None),
        }
    }

    /// The scores of cases, by number.
    pub async fn list_scores(&self) -> Result<BTreeMap<i64, CaseScore>> {
        Ok(match self.existing_cases().await? {
            Some(book) => book.scores().await?,
            None => BTreeMap::new(),
        })
    }

    async fn prevalence_correction(&self, book: &CaseBook) -> Result<PrevalenceCorrection> {
        if !self.is_stored(FROZEN).await? {
            return Ok(PrevalenceCorrection::from_draw(&[]));
        }
        let drawn = book.decided_draws().await?;
        if drawn.is_empty() {
            return Ok(PrevalenceCorrection::from_draw(&[]));
        }
        let mut scores = BTreeMap::new();
        for [claim_no, probability] in self.texts(FROZEN_QUERY, ["entity", "probability"]).await? {
            scores.insert(claim_no, number(&probability)?);
        }
        let rows: Vec<DrawnRow> = drawn
            .iter()
            .filter_map(|claim| {
                Some(DrawnRow {
                    probability: *scores.get(&claim.claim_no)?,
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

fn number(text: &str) -> Result<f64> {
    text.parse()
        .ok()
        .with_context(|| format!("the score `{text}` of {MODEL} is no number"))
}
