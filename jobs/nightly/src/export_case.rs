//! The dossier of a case: what is known, by which rule, what would clear it, what happened, and what to tell the person.
//!
//! One structure for the JSON an officer exports and the page an officer reads. It is computed from one release and from
//! the book of cases, and names nobody: who a pseudonym is, the vault tells, for a purpose and a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use chrono::NaiveDate;
use goyong_cases::{Appeal, Case, CaseState, Evidence, FINDING, Outcome};
use goyong_site::{
    Bilingual, CaseLine, CaseStanding, CasesInputs, Clearing, ClosedCase, Dossier, DossierEvent,
    DossierEvidence, DossierRule, render_cases, similar_cases,
};
use serde_json::Value;

use crate::case_days::CaseDays;
use crate::case_facts::{CaseFacts, Desk, EVIDENCE, Raised, RowKey, key_of};
use crate::case_members::CaseMembers;
use crate::case_notice::Notice;
use crate::case_rules::{cleared, reasons, shown_key};
use crate::project::OpenProject;
use crate::trace_evidence::Traced;
use crate::work_on_cases::Officer;

/// How a decision counts that fell on appeal.
const OVERTURNED: &str = "overturned";
/// What the scores of a case are for, and what not, in Korean and English.
const SCORES_SAY: [&str; 2] = [
    "위험 점수는 같은 중요도의 사건 순서만 정하고, 이상 점수는 얼마나 드문지만 말합니다. 둘 다 증거가 아니며 처분이나 통지의 근거가 될 수 없습니다. 까닭은 연관성일 뿐 원인이 아닙니다.",
    "The risk score orders cases of one severity, the anomaly score says how rare something is, and that is all. Neither is evidence, and no decision and no notice may rest on them. Reasons are associations, not causes.",
];

impl OpenProject {
    /// The dossier, kept as opened by the officer.
    pub async fn export_case(&self, case_no: i64, officer: &Officer) -> Result<Dossier> {
        let (case, evidence) = self.show_case(case_no, officer).await?;
        let book = self.open_cases().await?;
        let desk = Desk::open(self, &book).await?;
        let facts = desk.facts(&[(&case, evidence.as_slice())]).await?;
        desk.dossier(&case, &evidence, &facts).await
    }

    /// Writes a dossier's pages in both languages into a folder of its own.
    pub async fn export_case_pages(&self, dossier: &Dossier, out: &Path) -> Result<()> {
        let line = CaseLine {
            case_no: dossier.case_no,
            about: dossier.about.clone(),
            standing: dossier.state.clone(),
            is_listed: false,
        };
        let inputs = CasesInputs {
            project: self.configuration().project.clone(),
            notice: self.simulated_notice(),
            release: dossier.release.clone(),
            lines: vec![line],
            dossiers: vec![(dossier.clone(), String::new())],
            kept: Vec::new(),
        };
        let out = out.to_path_buf();
        tokio::task::spawn_blocking(move || render_cases(&inputs, &out)).await??;
        Ok(())
    }

    /// What stands on top of pages about a country that does not exist.
    pub(crate) fn simulated_notice(&self) -> Option<Bilingual> {
        self.configuration().simulated.then(|| {
            Bilingual::new(
                "모의 국가의 사건입니다. 실제 사람에 관한 것이 아닙니다.",
                "Cases of a simulated country; not about real people.",
            )
        })
    }
}

impl Desk<'_> {
    /// The dossier of a case.
    pub(crate) async fn dossier(
        &self,
        case: &Case,
        evidence: &[Evidence],
        facts: &CaseFacts,
    ) -> Result<Dossier> {
        let nothing = BTreeMap::new();
        let raised = facts.raised.get(&case.pivot_key).unwrap_or(&nothing);
        let members = CaseMembers::of(case, evidence);
        let mut rows = Vec::with_capacity(evidence.len());
        for row in evidence {
            let delivered = facts.delivered.get(&row.evidence_no);
            let delivered = delivered.cloned().unwrap_or_default();
            let member = members.number_of(row.evidence_no);
            rows.push(self.evidence(row, raised.get(&key_of(row)), member, delivered)?);
        }
        let known: BTreeSet<RowKey> = evidence.iter().map(key_of).collect();
        let rules = self.rules(&rows)?;
        let in_question = (case.state.first_on, case.state.last_on);
        let known_until = self.known_until();
        let days = CaseDays::new(
            &facts.days,
            &rows,
            in_question,
            known_until,
            case.person_key,
        );
        let state = standing(&case.state);
        let letters = Notice {
            case,
            members: &members,
            record: &|source| self.record(source),
            link: &|row| raised.get(&key_of(row))?.link_probability,
        }
        .letters(evidence);
        let (risk, no_risk) = self.risk(case, evidence, &facts.scores);
        let (anomaly, no_anomaly) = self.anomaly(evidence, &facts.scores);
        Ok(Dossier {
            case_no: case.case_no,
            about: case.pivot_kind.clone(),
            opened_on: case.opened_on.clone(),
            release: self.session.as_ref().map(|(_, release)| release.id.clone()),
            reasons: reasons(&rules, evidence, raised),
            risk,
            no_risk,
            anomaly,
            no_anomaly,
            scores_say: Bilingual::new(SCORES_SAY[0], SCORES_SAY[1]),
            cleared: cleared(raised, &known),
            window: days.window,
            days: days.days,
            days_not_told: days.not_told,
            events: self.events(case.case_no).await?,
            similar: self.similar(case, &rules)?,
            letters,
            rules,
            evidence: rows,
            state,
        })
    }

    fn evidence(
        &self,
        row: &Evidence,
        raised: Option<&Raised>,
        member: Option<usize>,
        delivered: Traced,
    ) -> Result<DossierEvidence> {
        let clearing = match raised {
            _ if !self.has(&EVIDENCE.parse()?) => Clearing::NotChecked,
            _ if row.evidence_kind == FINDING => Clearing::NotChecked,
            None => Clearing::NotRaised,
            Some(raised) if raised.is_cleared => Clearing::Cleared,
            Some(_) => Clearing::NothingClears,
        };
        let person = row.person_key.map(|key| key.to_string());
        let opened = row
            .opened_by
            .split(',')
            .filter(|account| !account.is_empty());
        Ok(DossierEvidence {
            evidence_no: row.evidence_no,
            member,
            rule: row.rule_id.clone(),
            rule_version: row.rule_version,
            subject_kind: row.subject_kind.clone(),
            subject_key: row.subject_key.clone(),
            subject_from: row.subject_from.clone(),
            subject_to: row.subject_to.clone(),
            evidence_kind: row.evidence_kind.clone(),
            evidence_key: shown_key(&row.evidence_key, person.as_deref()),
            evidence_from: row.evidence_from.clone(),
            evidence_to: row.evidence_to.clone(),
            link_probability: raised.and_then(|raised| raised.link_probability),
            amount_at_risk_won: row.amount_at_risk_won,
            known_on: row.known_on.clone(),
            raised_on: row.first_seen_on.clone(),
            withdrawn_on: row.withdrawn_on.clone(),
            decided_in: row.decided_in,
            opened_by: opened.map(str::to_owned).collect(),
            clearing,
            delivered: delivered.rows,
            delivered_not_shown: delivered.not_shown,
        })
    }

    /// A source in words: what it is, and which agency holds it.
    fn record(&self, source: &str) -> Bilingual {
        match self.project.project().contracts().get(source) {
            Some(contract) => {
                let text = |language: &str| {
                    let title = contract.title.in_language(language);
                    format!("{title} ({})", contract.provider.in_language(language))
                };
                Bilingual::new(text("ko"), text("en"))
            }
            None => Bilingual::same(source),
        }
    }

    async fn events(&self, case_no: i64) -> Result<Vec<DossierEvent>> {
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let events = self.book.events(Some(case_no)).await?;
        Ok(events
            .into_iter()
            .map(|event| DossierEvent {
                event_no: event.event_no,
                at: chrono::DateTime::from_timestamp_millis(event.at_ms).map(|at| at.to_rfc3339()),
                account: event.account,
                action: event.action,
                before: parsed(&event.before),
                after: parsed(&event.after),
                detail: without_digests(parsed(&event.detail)),
                hash: event.hash,
            })
            .collect())
    }

    /// How the other closed cases about the same kind of thing ended.
    fn similar(&self, case: &Case, rules: &[DossierRule]) -> Result<goyong_site::SimilarCases> {
        let others = self
            .closed
            .iter()
            .filter(|other| other.case_no != case.case_no && other.pivot_kind == case.pivot_kind);
        let closed: Vec<ClosedCase> = others
            .filter_map(|other| {
                let outcome = match other.state.appeal {
                    Appeal::Overturned => OVERTURNED,
                    _ => other.state.outcome?.word(),
                };
                Some(ClosedCase {
                    rules: other.state.rules.clone(),
                    outcome: outcome.to_owned(),
                })
            })
            .collect();
        let mut outcomes: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
        outcomes.push(OVERTURNED);
        let rules: BTreeSet<String> = rules.iter().map(|rule| rule.rule.clone()).collect();
        Ok(similar_cases(&case.pivot_kind, &rules, &outcomes, &closed)?)
    }
}

/// What was said, without the digests of rows: they guard the chain and tell a reader nothing. `goyong audit verify` reads them.
fn without_digests(mut detail: Value) -> Value {
    if let Some(detail) = detail.as_object_mut() {
        detail.remove("rows");
    }
    detail
}

/// A state as pages and JSON tell it.
pub(crate) fn standing(state: &CaseState) -> CaseStanding {
    let day = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    CaseStanding {
        state: state.state.to_string(),
        centre: state.centre.clone(),
        severity: state.severity.to_string(),
        rules: state.rules.clone(),
        evidence_count: state.evidence_count,
        undecided_count: state.undecided_count,
        amount_at_risk_won: state.amount_at_risk_won,
        first_on: day(state.first_on),
        last_on: day(state.last_on),
        known_on: day(state.known_on),
        investigator: state.investigator.clone(),
        worked_by: state.worked_by.clone(),
        verifier: state.verifier.clone(),
        snoozed_until: day(state.snoozed_until),
        notice_sent_on: day(state.notice_sent_on),
        reply_due_on: day(state.reply_due_on),
        reply_received_on: day(state.reply_received_on),
        outcome: state.outcome.map(|outcome| outcome.to_string()),
        closed_on: day(state.closed_on),
        decision_no: state.decision_no,
        appeal: state.appeal.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn digests_of_rows_are_no_part_of_what_was_said() {
        let detail = json!({ "text": "said", "evidence": [31], "rows": { "evidence/31": "0a" } });
        assert_eq!(
            without_digests(detail),
            json!({ "text": "said", "evidence": [31] })
        );
        assert_eq!(without_digests(Value::Null), Value::Null);
    }
}
