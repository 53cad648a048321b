//! The risk score of a case: it orders cases of one severity, and does nothing else. It is no part of a case's state, raises
//! none, closes none and stands in no event.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use goyong_database::{ColumnKind, Load, Transaction, Value};

use crate::book::CaseBook;
use crate::error::CaseError;

const BILLION: f64 = 1e9;

/// The score a night brings for a pivot.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingScore {
    /// The case it is about.
    pub pivot_key: String,
    /// The probability, from 0 to 1.
    pub risk: f64,
    /// The model it is of.
    pub model: String,
    /// What it is of: a claim in the evidence, or the workplace of the case.
    pub entity: String,
    /// Since when the row of it runs that the model saw.
    pub entered_on: String,
    /// What the model said before the correction to the true prevalence.
    pub learned: f64,
    /// The version of the model.
    pub model_version: String,
    /// Whether the random draw sufficed to correct it to the true prevalence.
    pub is_corrected: bool,
}

/// The score of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseScore {
    /// The night that ranked by it.
    pub scored_on: String,
    /// The probability, from 0 to 1.
    pub risk: f64,
    /// The model it is of.
    pub model: String,
    /// What it is of: a claim in the evidence, or the workplace of the case.
    pub entity: String,
    /// Since when the row of it runs that the model saw.
    pub entered_on: String,
    /// What the model said before the correction to the true prevalence.
    pub learned: f64,
    /// The version of the model.
    pub model_version: String,
    /// Whether the random draw sufficed to correct it.
    pub is_corrected: bool,
}

static INCOMING_SCORES: LazyLock<Load> = LazyLock::new(|| {
    use ColumnKind::{Integer, Text};
    Load::into(
        "case_incoming_scores",
        &[
            ("pivot_key", Text),
            ("risk_ppb", Integer),
            ("model", Text),
            ("entity", Text),
            ("entered_on", Text),
            ("scored_on", Text),
            ("learned_ppb", Integer),
            ("model_version", Text),
            ("is_corrected", Integer),
        ],
    )
});

/// Puts the scores of the night in place of those before.
pub(crate) async fn keep(
    transaction: &mut Transaction,
    scores: &[IncomingScore],
    scored_on: &str,
) -> Result<(), CaseError> {
    let error = CaseError::database("keep the scores");
    transaction
        .execute("delete from case_incoming_scores", &[])
        .await
        .map_err(error)?;
    let rows: Vec<Vec<Value>> = scores
        .iter()
        .map(|score| {
            vec![
                (&score.pivot_key).into(),
                billionths(score.risk).into(),
                (&score.model).into(),
                (&score.entity).into(),
                (&score.entered_on).into(),
                scored_on.into(),
                billionths(score.learned).into(),
                (&score.model_version).into(),
                i64::from(score.is_corrected).into(),
            ]
        })
        .collect();
    transaction
        .load(&INCOMING_SCORES, &rows)
        .await
        .map_err(error)?;
    for sql in [
        "delete from case_scores",
        "insert into case_scores (case_no, risk_ppb, model, entity, entered_on, scored_on, learned_ppb, model_version, \
         is_corrected) select c.case_no, i.risk_ppb, i.model, i.entity, i.entered_on, i.scored_on, i.learned_ppb, \
         i.model_version, i.is_corrected \
         from case_incoming_scores i join cases c on c.pivot_key = i.pivot_key",
        "delete from case_incoming_scores",
    ] {
        transaction.execute(sql, &[]).await.map_err(error)?;
    }
    Ok(())
}

fn billionths(probability: f64) -> i64 {
    (probability.clamp(0.0, 1.0) * BILLION).round() as i64
}

impl CaseBook {
    /// The scores of all cases that have one, by number of the case.
    pub async fn scores(&self) -> Result<BTreeMap<i64, CaseScore>, CaseError> {
        let error = CaseError::database("read the scores");
        let sql = "select case_no, risk_ppb, model, entity, model_version, is_corrected, entered_on, scored_on, \
                   learned_ppb from case_scores";
        let mut scores = BTreeMap::new();
        for row in self.rows("read the scores", sql, &[]).await? {
            let score = CaseScore {
                risk: row.integer(1).map_err(error)? as f64 / BILLION,
                model: row.text(2).map_err(error)?,
                entity: row.text(3).map_err(error)?,
                model_version: row.text(4).map_err(error)?,
                is_corrected: row.integer(5).map_err(error)? == 1,
                entered_on: row.text(6).map_err(error)?,
                scored_on: row.text(7).map_err(error)?,
                learned: row.integer(8).map_err(error)? as f64 / BILLION,
            };
            scores.insert(row.integer(0).map_err(error)?, score);
        }
        Ok(scores)
    }
}
