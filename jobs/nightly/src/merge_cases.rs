//! Merges the alerts of the night into cases, lists what each centre is to do, and mirrors the cases for analysts.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use goyong_cases::{ActiveClaim, Incoming, IncomingCandidate, IncomingEvidence, MergeSummary};
use goyong_types::TableName;

use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::StepOutcome;

const EVIDENCE: &str = "alerts.evidence";
/// A claim is active when a round that ended in these days before the night was paid.
const ACTIVE_DAYS: u32 = 62;
/// The centre of what names no claim.
const NO_CENTRE: &str = "none";

/// What a row of evidence is for its case. An empty text stands for nothing.
const EVIDENCE_QUERY: &str = "select pivot_key, rule_id, cast(rule_version as varchar) as rule_version, subject_kind, \
    subject_key, evidence_kind, evidence_key, cast(person_key as varchar) as person_key, claim_no, severity, \
    cast(subject_from as varchar) as subject_from, cast(subject_to as varchar) as subject_to, \
    cast(evidence_from as varchar) as evidence_from, cast(evidence_to as varchar) as evidence_to, \
    cast(cast(amount_at_risk_won as bigint) as varchar) as amount_won, cast(known_on as varchar) as known_on \
    from alerts.evidence where not cleared";

const CANDIDATE_QUERY: &str = "select pivot_key, pivot_kind, cast(person_key as varchar) as person_key, rules, severity, \
    cast(cast(amount_at_risk_won as bigint) as varchar) as amount_won, cast(first_on as varchar) as first_on, \
    cast(last_on as varchar) as last_on, cast(known_on as varchar) as known_on from alerts.candidate";

/// The centre with most of the claims in a pivot's evidence; of several the first.
const CENTRE_QUERY: &str = "select pivot_key, centre from (select e.pivot_key, c.centre, row_number() over (\
    partition by e.pivot_key order by count(distinct e.claim_no) desc, c.centre) as place \
    from alerts.evidence e join core.claim c on c.claim_no = e.claim_no where not e.cleared \
    group by e.pivot_key, c.centre) ranked where place = 1";

/// Merges, and mirrors what changed since the last mirror.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let table: TableName = EVIDENCE.parse()?;
    if project.warehouse().snapshot(&table).await?.is_none() {
        return Ok(StepOutcome::nothing(format!("{EVIDENCE} is not built yet")));
    }
    let as_of = night.as_of().await?;
    let book = project.open_cases().await?;
    let mut incoming = project.incoming_cases(as_of).await?;
    incoming.scores = project.case_scores(&book).await?;
    let before = book.head().await?;
    let merged = book.merge(&incoming).await?;
    let after = book.head().await?;
    if before != after {
        project.write_down(&after, as_of).await?;
    }
    let mirrored = project.mirror_cases(&book).await?;
    book.close().await;
    let summary = summary(&merged);
    Ok(if before == after && !mirrored && merged.drawn == 0 {
        StepOutcome::nothing(summary)
    } else {
        StepOutcome::done(summary)
    })
}

fn summary(merged: &MergeSummary) -> String {
    let MergeSummary {
        opened,
        reopened,
        updated,
        evidence,
        withdrawn,
        listed,
        suppressed,
        ..
    } = merged;
    // How many were drawn at random stands in the data only.
    format!(
        "{opened} cases opened, {reopened} reopened, {updated} updated; {evidence} rows of evidence new, {withdrawn} \
         withdrawn; {listed} cases listed, {suppressed} suppressed"
    )
}

fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn day(text: &str) -> Result<Option<NaiveDate>> {
    optional(text)
        .map(|day| {
            day.parse::<NaiveDate>()
                .with_context(|| format!("`{day}` is no day"))
        })
        .transpose()
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N> {
    text.parse::<N>()
        .ok()
        .with_context(|| format!("`{text}` is no whole number"))
}

fn key(text: &str) -> Result<Option<i64>> {
    optional(text).map(|key| number(&key)).transpose()
}

impl OpenProject {
    async fn incoming_cases(&self, as_of: NaiveDate) -> Result<Incoming> {
        let mut evidence = Vec::new();
        let columns = [
            "pivot_key",
            "rule_id",
            "rule_version",
            "subject_kind",
            "subject_key",
            "evidence_kind",
            "evidence_key",
            "person_key",
            "claim_no",
            "severity",
            "subject_from",
            "subject_to",
            "evidence_from",
            "evidence_to",
            "amount_won",
            "known_on",
        ];
        for row in self.texts(EVIDENCE_QUERY, columns).await? {
            evidence.push(incoming_evidence(&row).context("read alerts.evidence")?);
        }
        let centres: BTreeMap<String, String> = self
            .texts(CENTRE_QUERY, ["pivot_key", "centre"])
            .await?
            .into_iter()
            .map(|[pivot, centre]| (pivot, centre))
            .collect();
        let mut candidates = Vec::new();
        let columns = [
            "pivot_key",
            "pivot_kind",
            "person_key",
            "rules",
            "severity",
            "amount_won",
            "first_on",
            "last_on",
            "known_on",
        ];
        for row in self.texts(CANDIDATE_QUERY, columns).await? {
            let [
                pivot_key,
                pivot_kind,
                person_key,
                rules,
                severity,
                amount_won,
                dates @ ..,
            ] = &row;
            let [first_on, last_on, known_on] = dates;
            let centre = centres.get(pivot_key).map_or(NO_CENTRE, String::as_str);
            candidates.push(IncomingCandidate {
                pivot_key: pivot_key.clone(),
                pivot_kind: pivot_kind.clone(),
                person_key: key(person_key)?,
                centre: centre.to_owned(),
                rules: rules.clone(),
                severity: severity.parse()?,
                amount_at_risk_won: number(amount_won)?,
                first_on: day(first_on)?,
                last_on: day(last_on)?,
                known_on: day(known_on)?,
            });
        }
        Ok(Incoming {
            as_of,
            evidence,
            candidates,
            active_claims: self.active_claims(as_of).await?,
            capacity: self.configuration().cases.capacity(),
            secret: self.case_secret()?,
            scores: Vec::new(),
        })
    }

    async fn active_claims(&self, as_of: NaiveDate) -> Result<Vec<ActiveClaim>> {
        let from = as_of - chrono::Days::new(ACTIVE_DAYS.into());
        let sql = format!(
            "select claim.claim_no, cast(claim.person_key as varchar) as person_key, claim.centre, claim.workplace_no \
             from core.claim claim \
             where claim.claim_no in (select claim_no from core.certification \
             where days_paid > 0 and period_to between date '{from}' and date '{as_of}')"
        );
        let rows = self
            .texts(&sql, ["claim_no", "person_key", "centre", "workplace_no"])
            .await?;
        rows.into_iter()
            .map(|[claim_no, person_key, centre, workplace_no]| {
                Ok(ActiveClaim {
                    claim_no,
                    person_key: number(&person_key)?,
                    centre: optional(&centre).unwrap_or_else(|| NO_CENTRE.to_owned()),
                    workplace_no: optional(&workplace_no),
                })
            })
            .collect()
    }
}

fn incoming_evidence(row: &[String; 16]) -> Result<IncomingEvidence> {
    Ok(IncomingEvidence {
        pivot_key: row[0].clone(),
        rule_id: row[1].clone(),
        rule_version: number(&row[2])?,
        subject_kind: row[3].clone(),
        subject_key: row[4].clone(),
        evidence_kind: row[5].clone(),
        evidence_key: row[6].clone(),
        person_key: key(&row[7])?,
        claim_no: optional(&row[8]),
        severity: row[9].clone(),
        subject_from: day(&row[10])?,
        subject_to: day(&row[11])?,
        evidence_from: day(&row[12])?,
        evidence_to: day(&row[13])?,
        amount_at_risk_won: number(&row[14])?,
        known_on: day(&row[15])?.context("it does not say since when it is known")?,
    })
}
