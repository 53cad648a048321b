//! What templates are filled with: a line of the list and the parts of a dossier, in one language.

use serde_json::{Value, json};

use super::inputs::{
    AnomalyPlace, CaseLine, CaseStanding, Clearing, Dossier, DossierEvent, DossierEvidence,
    DossierRule, Letter, Reason, RiskPlace, RiskTheme, ThemeFact,
};
use super::similar::{Count, SimilarRow};
use super::timeline::{lanes, timeline};
use super::words::{cleared_by, word};
use crate::language::{Bilingual, Language};
use crate::number::{SUPPRESSED, fixed, grouped};

/// An open case in the list.
pub(super) fn line(line: &CaseLine, has_page: bool, language: Language) -> Value {
    let standing = &line.standing;
    json!({
        "case_no": line.case_no,
        "has_page": has_page,
        "about": word(&line.about, language),
        "state": word(&standing.state, language),
        "severity": word(&standing.severity, language),
        "severity_mark": severity_mark(&standing.severity),
        "centre": standing.centre,
        "rules": standing.rules.replace(',', ", "),
        "evidence": standing.evidence_count,
        "amount": won(standing.amount_at_risk_won),
        "known_on": standing.known_on,
        "investigator": standing.investigator,
        "is_listed": line.is_listed,
    })
}

/// A dossier.
pub(super) fn dossier(dossier: &Dossier, picture: String, language: Language) -> Value {
    let code = |text: &str| word(text, language);
    let days: Vec<Value> = dossier
        .days
        .iter()
        .map(|days| {
            json!({
                "lane": code(days.lane.code()),
                "from": days.from,
                "to": days.to,
                "kind": code(&days.kind),
            })
        })
        .collect();
    let without: Vec<String> = lanes(dossier)
        .into_iter()
        .filter(|lane| dossier.days.iter().all(|days| days.lane != *lane))
        .map(|lane| code(lane.code()))
        .collect();
    let not_told: Vec<String> = dossier
        .days_not_told
        .iter()
        .map(|lane| code(lane.code()))
        .collect();
    let cleared: Vec<Value> = dossier
        .cleared
        .iter()
        .map(|row| {
            json!({
                "rule": row.rule,
                "subject": named(&row.subject_kind, Some(&row.subject_key), language),
                "evidence": named(&row.evidence_kind, row.evidence_key.as_deref(), language),
                "by": cleared_by(&row.by, language),
            })
        })
        .collect();
    json!({
        "case_no": dossier.case_no,
        "about": code(&dossier.about),
        "opened_on": dossier.opened_on,
        "computed_from": dossier.release,
        "standing": standing(&dossier.state, language),
        "reasons": each(&dossier.reasons, |row| reason(row, language)),
        "rules": each(&dossier.rules, |row| rule(row, language)),
        "evidence": each(&dossier.evidence, |row| evidence(row, language)),
        "cleared": cleared,
        "risk": dossier.risk.as_ref().map(|place| risk(place, language)),
        "no_risk": dossier.no_risk.as_ref().map(|why| why.get(language)),
        "anomaly": dossier.anomaly.as_ref().map(|place| anomaly(place, language)),
        "no_anomaly": dossier.no_anomaly.as_ref().map(|why| why.get(language)),
        "scores_say": dossier.scores_say.get(language),
        "is_suspicion": dossier.evidence.iter().any(|row| {
            row.withdrawn_on.is_none() && row.decided_in.is_none()
        }),
        "chart": timeline(dossier, picture, language),
        "days": days,
        "without_days": without.join(", "),
        "not_told": not_told.join(", "),
        "window": dossier.window,
        "events": each(&dossier.events, |row| event(row, language)),
        "similar": similar(dossier, language),
        "min_count": dossier.similar.min_count,
        "letters": each(&dossier.letters, |row| letter(row, language)),
        "has_members": has_members(dossier),
    })
}

fn each<T>(rows: &[T], view: impl Fn(&T) -> Value) -> Vec<Value> {
    rows.iter().map(view).collect()
}

fn standing(state: &CaseStanding, language: Language) -> Value {
    let code = |text: &str| word(text, language);
    json!({
        "state": code(&state.state),
        "severity": code(&state.severity),
        "severity_mark": severity_mark(&state.severity),
        "centre": state.centre,
        "rules": state.rules.replace(',', ", "),
        "evidence": state.evidence_count,
        "undecided": state.undecided_count,
        "amount": won(state.amount_at_risk_won),
        "first_on": state.first_on,
        "last_on": state.last_on,
        "known_on": state.known_on,
        "investigator": state.investigator,
        "verifier": state.verifier,
        "snoozed_until": state.snoozed_until,
        "notice_sent_on": state.notice_sent_on,
        "reply_due_on": state.reply_due_on,
        "reply_received_on": state.reply_received_on,
        "outcome": state.outcome.as_deref().map(code),
        "closed_on": state.closed_on,
        "appeal": (state.appeal != "none").then(|| code(&state.appeal)),
    })
}

fn risk(risk: &RiskPlace, language: Language) -> Value {
    let fact = |row: &ThemeFact| {
        json!({
            "title": row.title.get(language),
            "value": row.value,
            "log_odds": signed(row.log_odds),
        })
    };
    let theme = |row: &RiskTheme| {
        json!({
            "title": row.title.get(language),
            "raises": row.log_odds > 0.0,
            "log_odds": signed(row.log_odds),
            "facts": each(&row.facts, fact),
        })
    };
    json!({
        "percent": fixed(risk.probability * 100.0, 1),
        "model": risk.model,
        "title": risk.title.get(language),
        "entity": risk.entity,
        "entered_on": risk.entered_on,
        "scored_on": risk.scored_on,
        "model_version": risk.model_version,
        "is_corrected": risk.is_corrected,
        "reasons": each(&risk.reasons, theme),
        "no_reasons": risk.no_reasons.as_ref().map(|why| why.get(language)),
    })
}

fn anomaly(anomaly: &AnomalyPlace, language: Language) -> Value {
    let facts: Vec<&str> = anomaly
        .facts
        .iter()
        .map(|fact| fact.title.get(language))
        .collect();
    json!({
        "claim_no": anomaly.claim_no,
        "of_claims": anomaly.of_claims,
        "surprise": fixed(anomaly.surprise, 1),
        "percent": fixed(anomaly.as_strange_share * 100.0, 1),
        "facts": facts.join(" · "),
    })
}

/// A number with its sign.
fn signed(number: f64) -> String {
    let text = fixed(number.abs(), 2);
    match number {
        number if number < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

fn reason(reason: &Reason, language: Language) -> Value {
    json!({
        "rule": reason.rule,
        "rows": reason.rows,
        "overlap_days": reason.overlap_days,
        "largest": won(reason.largest_amount_won),
        "text": reason.text.get(language),
    })
}

fn rule(rule: &DossierRule, language: Language) -> Value {
    let texts = |list: &[Bilingual]| -> Vec<String> {
        list.iter()
            .map(|text| text.get(language).to_owned())
            .collect()
    };
    json!({
        "rule": rule.rule,
        "text": rule.text.get(language),
        "version_of_evidence": rule.version_of_evidence,
        "version_now": rule
            .version_now
            .as_ref()
            .filter(|now| **now != rule.version_of_evidence.to_string()),
        "legal_basis": rule.legal_basis.as_ref().map(|basis| basis.get(language)),
        "clears": texts(&rule.clears),
        "checked": rule.clearing_checked,
        "rows": rule.rows,
    })
}

fn evidence(row: &DossierEvidence, language: Language) -> Value {
    json!({
        "evidence_no": row.evidence_no,
        "rule": row.rule,
        "rule_version": row.rule_version,
        "subject": named(&row.subject_kind, Some(&row.subject_key), language),
        "subject_days": span(row.subject_from.as_deref(), row.subject_to.as_deref()),
        "evidence": named(&row.evidence_kind, row.evidence_key.as_deref(), language),
        "evidence_days": span(row.evidence_from.as_deref(), row.evidence_to.as_deref()),
        "link_percent": row.link_probability.map(|chance| fixed(chance * 100.0, 1)),
        "amount": won(row.amount_at_risk_won),
        "known_on": row.known_on,
        "raised_on": row.raised_on,
        "withdrawn_on": row.withdrawn_on,
        "decided_in": row.decided_in,
        "opened_by": row.opened_by.join(", "),
        "clearing": row.clearing.code(),
        "clearing_class": match row.clearing {
            Clearing::NothingClears => "not_run",
            Clearing::Cleared | Clearing::NotRaised => "passed",
            Clearing::NotChecked => "warned",
        },
        "member": row.member,
        "delivered": row.delivered,
        "delivered_not_shown": row.delivered_not_shown,
    })
}

fn event(event: &DossierEvent, language: Language) -> Value {
    let state = |value: &Value| value["state"].as_str().map(|code| word(code, language));
    let cited: Vec<String> = event.detail["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    json!({
        "event_no": event.event_no,
        "at": event.at,
        "account": event.account,
        "action": word(&event.action, language),
        "before": state(&event.before),
        "after": state(&event.after),
        "text": event.detail["text"].as_str(),
        "cited": cited.join(", "),
        "hash": event.hash.get(..12),
    })
}

fn similar(dossier: &Dossier, language: Language) -> Value {
    let mut outcomes: Vec<&String> = Vec::new();
    for outcome in dossier
        .similar
        .rules
        .iter()
        .flat_map(|row| row.outcomes.keys())
    {
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    let cells = |row: &SimilarRow| -> Vec<Value> {
        let counts = outcomes.iter().map(|outcome| row.outcomes.get(*outcome));
        counts
            .map(|count| count.map_or(Value::Null, |count| cell(*count)))
            .collect()
    };
    let rows: Vec<Value> = dossier
        .similar
        .rules
        .iter()
        .map(|row| json!({ "rule": row.rule, "cases": cell(row.cases), "outcomes": cells(row) }))
        .collect();
    let headings: Vec<String> = outcomes
        .iter()
        .map(|outcome| word(outcome, language))
        .collect();
    json!({ "headings": headings, "rows": rows })
}

fn cell(count: Count) -> Value {
    match count {
        Count::Known(count) => json!({ "text": grouped(i128::from(count)), "suppressed": false }),
        Count::Suppressed => json!({ "text": SUPPRESSED, "suppressed": true }),
    }
}

/// Whether a case is about several people, so that each is named by number.
fn has_members(dossier: &Dossier) -> bool {
    dossier.about != "person" && dossier.evidence.iter().any(|row| row.member.is_some())
}

fn letter(letter: &Letter, language: Language) -> Value {
    let evidence: Vec<String> = letter.evidence.iter().map(ToString::to_string).collect();
    json!({
        "member": letter.member,
        "to_employer": letter.to_employer,
        "evidence": evidence.join(", "),
        "text": letter_text(&letter.text, language),
        "other_text": letter_text(&letter.text, language.other()),
    })
}

/// A letter in lines; a line that is indented belongs to the one before.
fn letter_text(text: &Bilingual, language: Language) -> Value {
    let lines: Vec<Value> = text
        .get(language)
        .lines()
        .map(|line| json!({ "text": line.trim_start(), "indented": line.starts_with(' ') }))
        .collect();
    json!({ "lang": language.code(), "lines": lines })
}

/// A kind in words with the key behind it.
fn named(kind: &str, key: Option<&str>, language: Language) -> Value {
    json!({ "kind": word(kind, language), "key": key })
}

fn span(from: Option<&str>, to: Option<&str>) -> Option<String> {
    match (from, to) {
        (None, None) => None,
        (from, to) => Some(format!(
            "{} – {}",
            from.unwrap_or("?"),
            to.unwrap_or_default()
        )),
    }
}

fn won(amount: i64) -> String {
    grouped(i128::from(amount))
}

/// Tells severities apart without colour.
fn severity_mark(severity: &str) -> &'static str {
    match severity {
        "critical" => "●●●●",
        "high" => "●●●",
        "medium" => "●●",
        _ => "●",
    }
}
