//! The rules of a case in words: what each looks for and would be cleared by, why it contributes, and what a fact on
//! record explains.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use goyong_cases::Evidence;
use goyong_site::{Bilingual, ClearedRow, Clearing, DossierEvidence, DossierRule, Reason};
use goyong_types::TableName;
use serde_json::Value;

use crate::case_allegations::allegation;
use crate::case_facts::{Desk, Raised, RowKey, key_of};

impl Desk<'_> {
    /// The rules that contribute: text, version, law, what would clear a person, and for how many rows that was looked
    /// up.
    pub(crate) fn rules(&self, evidence: &[DossierEvidence]) -> Result<Vec<DossierRule>> {
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
}

/// The key of a record, unless it is the person the row is about.
pub(crate) fn shown_key(key: &str, person: Option<&str>) -> Option<String> {
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
pub(crate) fn cleared(
    raised: &BTreeMap<RowKey, Raised>,
    known: &BTreeSet<RowKey>,
) -> Vec<ClearedRow> {
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
pub(crate) fn reasons(
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
