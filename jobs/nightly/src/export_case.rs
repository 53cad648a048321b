//! The dossier of a case: what is known, by which rule, what would clear it, what happened, and what to tell the person.
//!
//! One structure for the JSON an officer exports and the page an officer reads. It is computed from one release and from
//! the book of cases, and names nobody: who a pseudonym is, the vault tells, for a purpose and a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use chrono::NaiveDate;
use goyong_cases::{
    Appeal, Case, CaseBook, CaseFilter, CaseScore, CaseState, Evidence, FINDING, Outcome, State,
};
use goyong_engine::ReadSession;
use goyong_site::{
    Bilingual, CaseLine, CaseStanding, CasesInputs, ClearedRow, Clearing, ClosedCase, Dossier,
    DossierEvent, DossierEvidence, DossierRule, Reason, RiskPlace, render_cases, similar_cases,
};
use goyong_store::Release;
use goyong_types::TableName;
use serde_json::Value;

use crate::case_allegations::allegation;
use crate::case_days::{CaseDays, PersonDays};
use crate::case_members::CaseMembers;
use crate::case_notice::Notice;
use crate::evaluate_against_truth::texts_of;
use crate::project::OpenProject;
use crate::trace_evidence::{Asked, Traced};
use crate::work_on_cases::Officer;

/// The table of all evidence, cleared or not.
const EVIDENCE: &str = "alerts.evidence";
/// How a decision counts that fell on appeal.
const OVERTURNED: &str = "overturned";

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

/// What dossiers need in common: the release they are computed from and the cases that are closed.
pub(crate) struct Desk<'a> {
    project: &'a OpenProject,
    book: &'a CaseBook,
    session: Option<(ReadSession, Release)>,
    closed: Vec<Case>,
    scores: BTreeMap<i64, CaseScore>,
}

/// What the release says of some cases.
pub(crate) struct CaseFacts {
    /// What the rules raised about the same person, workplace or ring, cleared or not.
    raised: BTreeMap<String, BTreeMap<RowKey, Raised>>,
    delivered: BTreeMap<i64, Traced>,
    days: PersonDays,
}

/// What the release says of a row that a rule raised.
struct Raised {
    is_cleared: bool,
    cleared_by: String,
    overlap_days: Option<i64>,
    person_key: String,
    /// The day on which the rule turns.
    fact_on: Option<NaiveDate>,
}

/// Rule, kind and key of what is questioned, kind and key of what speaks for it.
type RowKey = [String; 5];

impl<'a> Desk<'a> {
    /// Opens the newest release.
    pub(crate) async fn open(project: &'a OpenProject, book: &'a CaseBook) -> Result<Self> {
        let session = match project.warehouse().latest_release().await? {
            Some(release) => Some(project.list_session(&release.id).await?),
            None => None,
        };
        let closed = CaseFilter {
            state: Some(State::Closed),
            limit: u32::MAX,
            ..CaseFilter::default()
        };
        Ok(Self {
            project,
            book,
            session,
            closed: book.cases(&closed).await?,
            scores: book.scores().await?,
        })
    }

    /// Whether the release has a table.
    pub(crate) fn has(&self, table: &TableName) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|(_, release)| release.tables.contains_key(table))
    }

    /// The day up to which the release knows.
    pub(crate) fn known_until(&self) -> Option<NaiveDate> {
        self.session
            .as_ref()
            .map(|(_, release)| release.business_date)
    }

    /// The answer to a query on the release, as text; nothing before the first one.
    pub(crate) async fn texts<const N: usize>(
        &self,
        sql: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>> {
        let mut rows = Vec::new();
        if let Some((session, _)) = &self.session {
            for batch in session.query(sql).await? {
                texts_of(&batch, columns, &mut rows)?;
            }
        }
        Ok(rows)
    }

    /// Reads what the release says of cases, in as many queries as for one.
    pub(crate) async fn facts(&self, cases: &[(&Case, &[Evidence])]) -> Result<CaseFacts> {
        let pivots: BTreeSet<&str> = cases
            .iter()
            .map(|(case, _)| case.pivot_key.as_str())
            .collect();
        let persons: BTreeSet<i64> = cases
            .iter()
            .filter_map(|(case, _)| case.person_key)
            .collect();
        let raised = self.raised(&pivots).await?;
        let mut asked = Vec::new();
        for (case, rows) in cases {
            let raised = raised.get(&case.pivot_key);
            for row in *rows {
                let fact_on = raised.and_then(|rows| rows.get(&key_of(row))?.fact_on);
                asked.push(Asked { row, fact_on });
            }
        }
        let delivered = self.trace_evidence(&asked).await?;
        Ok(CaseFacts {
            raised,
            delivered,
            days: PersonDays::read(self, &Vec::from_iter(persons)).await?,
        })
    }

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
        }
        .letters(evidence);
        Ok(Dossier {
            case_no: case.case_no,
            about: case.pivot_kind.clone(),
            opened_on: case.opened_on.clone(),
            release: self.session.as_ref().map(|(_, release)| release.id.clone()),
            reasons: reasons(&rules, evidence, raised),
            risk: self.scores.get(&case.case_no).map(|score| RiskPlace {
                probability: score.risk,
                model: score.model.clone(),
                entity: score.entity.clone(),
                model_version: score.model_version.clone(),
                is_corrected: score.is_corrected,
            }),
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

    async fn raised(
        &self,
        pivots: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, BTreeMap<RowKey, Raised>>> {
        let mut found: BTreeMap<String, BTreeMap<RowKey, Raised>> = BTreeMap::new();
        if pivots.is_empty() || !self.has(&EVIDENCE.parse()?) {
            return Ok(found);
        }
        let pivots: Vec<String> = pivots
            .iter()
            .map(|pivot| format!("'{}'", pivot.replace('\'', "''")))
            .collect();
        let sql = format!(
            "select pivot_key, rule_id, subject_kind, subject_key, evidence_kind, evidence_key, \
             cast(cleared as varchar) as cleared, coalesce(cleared_by, '') as cleared_by, \
             coalesce(cast(overlap_days as varchar), '') as overlap_days, \
             coalesce(cast(person_key as varchar), '') as person_key, \
             coalesce(cast(fact_on as varchar), '') as fact_on \
             from {EVIDENCE} where pivot_key in ({})",
            pivots.join(", ")
        );
        let columns = [
            "pivot_key",
            "rule_id",
            "subject_kind",
            "subject_key",
            "evidence_kind",
            "evidence_key",
            "cleared",
            "cleared_by",
            "overlap_days",
            "person_key",
            "fact_on",
        ];
        for row in self.texts(&sql, columns).await? {
            let [
                pivot,
                rule,
                subject_kind,
                subject,
                kind,
                key,
                cleared,
                by,
                overlap,
                person,
                fact_on,
            ] = row;
            let raised = Raised {
                is_cleared: cleared == "true",
                cleared_by: by,
                overlap_days: overlap.parse().ok(),
                person_key: person,
                fact_on: fact_on.parse().ok(),
            };
            let of_pivot = found.entry(pivot).or_default();
            of_pivot.insert([rule, subject_kind, subject, kind, key], raised);
        }
        Ok(found)
    }

    /// The rules that contribute: text, version, law, what would clear a person, and for how many rows that was looked
    /// up.
    fn rules(&self, evidence: &[DossierEvidence]) -> Result<Vec<DossierRule>> {
        let mut rules: BTreeMap<&str, DossierRule> = BTreeMap::new();
        for row in evidence {
            let rule = rules.entry(&row.rule).or_insert_with(|| DossierRule {
                rule: row.rule.clone(),
                version_of_evidence: row.rule_version,
                version_now: None,
                text: Bilingual::default(),
                legal_basis: None,
                clears: Vec::new(),
                clearing_checked: 0,
                rows: 0,
            });
            rule.rows += 1;
            rule.clearing_checked += usize::from(row.clearing != Clearing::NotChecked);
            rule.version_of_evidence = rule.version_of_evidence.max(row.rule_version);
        }
        let mut shown = Vec::with_capacity(rules.len());
        for mut rule in rules.into_values() {
            let table: TableName = format!("detect.{}", rule.rule.to_lowercase()).parse()?;
            if let Some(model) = self.project.project().models().get(&table) {
                let header = &model.header;
                let both = |text: &goyong_catalog::contract::BilingualText| {
                    Bilingual::new(text.in_language("ko"), text.in_language("en"))
                };
                rule.version_now = header.version.as_ref().map(plain).transpose()?;
                rule.text = both(&header.description);
                rule.legal_basis = header.legal_basis.as_ref().map(both);
                rule.clears = match header.meta.get("clears") {
                    Some(clears) => texts(&serde_json::to_value(clears)?),
                    None => Vec::new(),
                };
            }
            shown.push(rule);
        }
        Ok(shown)
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
                detail: parsed(&event.detail),
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

fn key_of(row: &Evidence) -> RowKey {
    [
        row.rule_id.clone(),
        row.subject_kind.clone(),
        row.subject_key.clone(),
        row.evidence_kind.clone(),
        row.evidence_key.clone(),
    ]
}

/// The key of a record, unless it is the person the row is about.
fn shown_key(key: &str, person: Option<&str>) -> Option<String> {
    (person != Some(key)).then(|| key.to_owned())
}

/// A version as it is written in a header.
fn plain(version: &impl serde::Serialize) -> Result<String> {
    let value = serde_json::to_value(version)?;
    Ok(value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned))
}

/// A text, or each text of a list: in both languages, or the same in both.
fn texts(value: &Value) -> Vec<Bilingual> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![Bilingual::same(text)],
        Value::Object(both) => {
            let text = |language: &str| both.get(language).and_then(Value::as_str);
            match (text("ko"), text("en")) {
                (Some(ko), Some(en)) => vec![Bilingual::new(ko, en)],
                (Some(text), None) | (None, Some(text)) => vec![Bilingual::same(text)],
                (None, None) => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// Rows that a fact on record explains and that never became evidence of the case.
fn cleared(raised: &BTreeMap<RowKey, Raised>, known: &BTreeSet<RowKey>) -> Vec<ClearedRow> {
    raised
        .iter()
        .filter(|(key, row)| row.is_cleared && !known.contains(*key))
        .map(
            |([rule, subject_kind, subject_key, kind, key], row)| ClearedRow {
                rule: rule.clone(),
                subject_kind: subject_kind.clone(),
                subject_key: subject_key.clone(),
                evidence_kind: kind.clone(),
                evidence_key: shown_key(key, Some(&row.person_key)),
                by: row.cleared_by.clone(),
            },
        )
        .collect()
}

/// Why each rule contributes: its rows that are raised and that nobody decided.
fn reasons(
    rules: &[DossierRule],
    evidence: &[Evidence],
    raised: &BTreeMap<RowKey, Raised>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for rule in rules {
        let open: Vec<&Evidence> = evidence
            .iter()
            .filter(|row| row.rule_id == rule.rule)
            .filter(|row| row.withdrawn_on.is_none() && row.decided_in.is_none())
            .collect();
        let Some(largest) = open.iter().map(|row| row.amount_at_risk_won).max() else {
            continue;
        };
        let overlaps = open
            .iter()
            .filter_map(|row| raised.get(&key_of(row))?.overlap_days);
        let text = if rule.text.is_empty() {
            let kinds: BTreeSet<&str> = open.iter().map(|row| row.evidence_kind.as_str()).collect();
            let (ko, en): (Vec<_>, Vec<_>) = kinds
                .into_iter()
                .map(|kind| allegation(&rule.rule, kind))
                .unzip();
            Bilingual::new(ko.join(" "), en.join(" "))
        } else {
            rule.text.clone()
        };
        reasons.push(Reason {
            rule: rule.rule.clone(),
            rows: open.len(),
            overlap_days: overlaps.reduce(|sum, days| sum + days),
            largest_amount_won: largest,
            text,
        });
    }
    reasons
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
    fn a_rule_may_say_what_clears_in_both_languages_or_in_one() {
        let said = texts(&json!([{ "ko": "한 가구", "en": "one household" }, "a season"]));
        assert_eq!(
            said,
            [
                Bilingual::new("한 가구", "one household"),
                Bilingual::same("a season")
            ]
        );
    }

    #[test]
    fn the_key_of_a_record_that_is_the_person_is_not_shown() {
        assert_eq!(shown_key("4711", Some("4711")), None);
        assert_eq!(shown_key("4711", Some("4712")).as_deref(), Some("4711"));
        assert_eq!(shown_key("4711", None).as_deref(), Some("4711"));
    }
}
