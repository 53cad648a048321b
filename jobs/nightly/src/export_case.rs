//! The dossier of a case: what is known, by which rule, what would clear it, what happened, and what to tell the person.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use goyong_cases::{Case, CaseFilter, Evidence, State};
use goyong_types::TableName;
use serde_json::{Value, json};

use crate::project::OpenProject;
use crate::work_on_cases::Officer;

/// Cases shown as similar.
const SIMILAR: usize = 10;

impl OpenProject {
    /// The dossier. Names nobody: who a pseudonym is, the vault tells, for a purpose and a case.
    pub async fn export_case(&self, case_no: i64, officer: &Officer) -> Result<Value> {
        let (case, evidence) = self.show_case(case_no, officer).await?;
        let book = self.open_cases().await?;
        let events: Vec<Value> = book
            .events(Some(case_no))
            .await?
            .iter()
            .map(|event| {
                json!({
                    "event_no": event.event_no,
                    "at": chrono::DateTime::from_timestamp_millis(event.at_ms).map(|at| at.to_rfc3339()),
                    "account": event.account,
                    "action": event.action,
                    "before": parsed(&event.before),
                    "after": parsed(&event.after),
                    "detail": parsed(&event.detail),
                    "hash": event.hash,
                })
            })
            .collect();
        let release = self.latest_release_id().await?;
        let mut rows = Vec::with_capacity(evidence.len());
        for row in &evidence {
            rows.push(evidence_json(row, self.trace_evidence(row).await?));
        }
        Ok(json!({
            "case_no": case.case_no,
            "about": case.pivot_kind,
            "opened_on": case.opened_on,
            "state": case.state,
            "release": release,
            "rules": self.rules_of(&evidence)?,
            "evidence": rows,
            "days": days(&evidence),
            "events": events,
            "similar": similar(&case, &book.cases(&closed()).await?),
            "notice": notice(&case, &evidence),
        }))
    }

    /// The rules that contribute: text, version, law, and what would clear the person, which each rule computes.
    fn rules_of(&self, evidence: &[Evidence]) -> Result<Vec<Value>> {
        let mut rules = BTreeMap::new();
        for row in evidence {
            rules.entry(row.rule_id.clone()).or_insert(row.rule_version);
        }
        let mut shown = Vec::new();
        for (rule, version) in rules {
            let table: TableName = format!("detect.{}", rule.to_lowercase()).parse()?;
            let Some(model) = self.project().models().get(&table) else {
                shown.push(json!({ "rule": rule, "version_of_evidence": version }));
                continue;
            };
            let header = &model.header;
            shown.push(json!({
                "rule": rule,
                "version_of_evidence": version,
                "version_now": header.version,
                "ko": header.description.in_language("ko"),
                "en": header.description.in_language("en"),
                "legal_basis": header.legal_basis,
                "meta": header.meta,
                // A row that something clears is no evidence; each row here was looked at.
                "clearing_checked": true,
            }));
        }
        Ok(shown)
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn closed() -> CaseFilter {
    CaseFilter {
        state: Some(State::Closed),
        limit: u32::MAX,
        ..CaseFilter::default()
    }
}

fn evidence_json(row: &Evidence, delivered: Vec<Value>) -> Value {
    json!({
        "evidence_no": row.evidence_no,
        "rule": row.rule_id,
        "rule_version": row.rule_version,
        "subject": format!("{} {}", row.subject_kind, row.subject_key),
        "subject_from": row.subject_from,
        "subject_to": row.subject_to,
        "evidence": format!("{} {}", row.evidence_kind, row.evidence_key),
        "evidence_from": row.evidence_from,
        "evidence_to": row.evidence_to,
        "amount_at_risk_won": row.amount_at_risk_won,
        "known_on": row.known_on,
        "raised_on": row.first_seen_on,
        "withdrawn_on": row.withdrawn_on,
        "decided_in": row.decided_in,
        "delivered": delivered,
    })
}

/// Stretches of days, for a picture: what was certified, paid or subsidised, and what the evidence covers.
fn days(evidence: &[Evidence]) -> Vec<Value> {
    let mut stretches = BTreeSet::new();
    for row in evidence {
        let kinds = [
            (
                row.subject_kind.as_str(),
                &row.subject_from,
                &row.subject_to,
            ),
            (
                row.evidence_kind.as_str(),
                &row.evidence_from,
                &row.evidence_to,
            ),
        ];
        for (kind, from, to) in kinds {
            if let Some(from) = from {
                stretches.insert((from.clone(), to.clone(), kind));
            }
        }
    }
    stretches
        .into_iter()
        .map(|(from, to, kind)| json!({ "from": from, "to": to, "kind": kind }))
        .collect()
}

/// Closed cases with the same rules, the nearest amount first, and how all of these ended.
fn similar(case: &Case, closed: &[Case]) -> Value {
    let mut same: Vec<&Case> = closed
        .iter()
        .filter(|other| other.case_no != case.case_no && other.state.rules == case.state.rules)
        .collect();
    same.sort_by_key(|other| {
        let distance = other
            .state
            .amount_at_risk_won
            .abs_diff(case.state.amount_at_risk_won);
        (distance, other.case_no)
    });
    let mut outcomes = BTreeMap::<String, u64>::new();
    for other in &same {
        if let Some(outcome) = other.state.outcome {
            *outcomes.entry(outcome.to_string()).or_default() += 1;
        }
    }
    let nearest: Vec<Value> = same
        .iter()
        .take(SIMILAR)
        .map(|other| {
            json!({
                "case_no": other.case_no,
                "outcome": other.state.outcome,
                "appeal": other.state.appeal,
                "closed_on": other.state.closed_on,
                "amount_at_risk_won": other.state.amount_at_risk_won,
            })
        })
        .collect();
    json!({ "outcomes": outcomes, "nearest": nearest })
}

/// What a rule alleges, in words for whom it is about.
fn allegation(rule: &str) -> (&'static str, &'static str) {
    match rule {
        "F01" => (
            "실업인정을 받은 날에 취업했거나 일용근로를 한 것으로 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "You are on record as employed, or as having worked by the day, on days you reported as unemployed, and the claim form does not say so.",
        ),
        "F02" => (
            "실업인정을 받은 날에 해당하는 소득이 국세청에 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "Income for days you reported as unemployed was reported to the tax office, and the claim form does not say so.",
        ),
        "F03" => (
            "국외에 계신 동안 온라인으로 실업인정을 신청한 기록이 있습니다.",
            "A claim was certified online while you are on record as being abroad.",
        ),
        "F04" => (
            "실업인정을 받은 날이 병역 복무 기간과 겹칩니다.",
            "Days you reported as unemployed overlap military service.",
        ),
        "F05" => (
            "같은 날 함께 이직한 뒤 같은 사업주에게 다시 고용된 기록이 있습니다.",
            "People who left on the same day were hired back by the same business while the benefit could be paid.",
        ),
        "F06" => (
            "이직 사유가 나중에 수급이 가능한 사유로 바뀌었습니다.",
            "The reason of leaving was later changed to one that entitles to the benefit.",
        ),
        "F07" => (
            "피보험 기간에 해당하는 임금 신고가 없는 사업장에서 이직한 것으로 되어 있습니다.",
            "You left a workplace that reported no wages for the insured months.",
        ),
        "F08" => (
            "상실 신고가 석 달 넘게 늦은 사업장에서 이직한 것으로 되어 있습니다.",
            "The workplace reported your leaving three months late or more.",
        ),
        "F09" => (
            "실업인정을 받은 기간에 사업자등록을 한 기록이 있습니다.",
            "A business was registered to you on days you reported as unemployed.",
        ),
        "F10" => (
            "같은 계좌나 기기로 여러 수급자가 지급받거나 실업인정을 받은 기록이 있습니다.",
            "Several claimants were paid into one account or certified from one device.",
        ),
        "F11" => (
            "지원금을 받은 근로자에게 임금을 지급한 기록이 없거나 채용이 소급하여 신고되었습니다.",
            "A subsidy names people to whom no wages were reported, or whose hiring was reported back-dated.",
        ),
        "R01" => (
            "여러 수급자의 기록이 우연으로 보기 어려울 만큼 서로 이어져 있습니다.",
            "Records of several claimants are tied to each other more than chance would tie them.",
        ),
        _ => (
            "기록을 확인할 필요가 있습니다.",
            "Some records need to be checked.",
        ),
    }
}

/// A notice in plain words: what is alleged, on which records, and how to answer.
fn notice(case: &Case, evidence: &[Evidence]) -> Value {
    let open: Vec<&Evidence> = evidence
        .iter()
        .filter(|row| row.withdrawn_on.is_none() && row.decided_in.is_none())
        .collect();
    let rules: BTreeSet<&str> = open.iter().map(|row| row.rule_id.as_str()).collect();
    let span = |from: &Option<String>, to: &Option<String>| {
        let text = |day: &Option<String>| day.clone().unwrap_or_default();
        format!("{} ~ {}", text(from), text(to))
    };
    let (mut korean, mut english) = (Vec::new(), Vec::new());
    korean.push(format!(
        "사건번호 {}. 아래 내용을 확인하고 있습니다. 아직 아무것도 결정되지 않았습니다.",
        case.case_no
    ));
    english.push(format!(
        "Case {}. We are looking into the following. Nothing has been decided.",
        case.case_no
    ));
    for rule in rules {
        let (ko, en) = allegation(rule);
        korean.push(format!("· {ko}"));
        english.push(format!("· {en}"));
        for row in open.iter().filter(|row| row.rule_id == rule) {
            let (subject, days) = (
                span(&row.subject_from, &row.subject_to),
                span(&row.evidence_from, &row.evidence_to),
            );
            korean.push(format!(
                "  - 대상 기간 {subject}, 근거 기록의 기간 {days} (증거 {}번)",
                row.evidence_no
            ));
            english.push(format!(
                "  - period in question {subject}, period of the record {days} (evidence {})",
                row.evidence_no
            ));
        }
    }
    let due = case.state.reply_due_on.map(|day| day.to_string());
    korean.push(format!(
        "사실과 다르면 {}까지 관할 고용센터({})에 말 또는 글로 의견을 내실 수 있습니다. 자료를 함께 내실 수 있고, 대리인에게 맡기실 수 있으며, 기록의 열람을 요청하실 수 있습니다(행정절차법 제21조·제27조·제37조).",
        due.as_deref().unwrap_or("통지에 적힌 날"), case.state.centre
    ));
    english.push(format!(
        "If this is not so, you may answer in speech or writing to employment centre {} until {}. You may add documents, have somebody act for you, and ask to see the records (Administrative Procedures Act, articles 21, 27 and 37).",
        case.state.centre, due.as_deref().unwrap_or("the day named in the letter")
    ));
    json!({ "ko": korean.join("\n"), "en": english.join("\n") })
}
