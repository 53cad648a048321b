//! How closed cases of a kind ended, by rule, with small counts suppressed: how three people's cases ended is nobody's
//! business who works on a fourth.

use std::collections::{BTreeMap, BTreeSet};

use goyong_disclosure::{Cell, CellValue, DEFAULT_MIN_COUNT, Dimension, RawTable, Rules, protect};
use serde::{Serialize, Serializer};

use crate::render::SiteError;

/// The member of the outcomes that stands for all of them.
const ALL: &str = "all";

/// A closed case as far as another dossier may count it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedCase {
    /// Rules that contributed, joined by commas.
    pub rules: String,
    /// How it ended.
    pub outcome: String,
}

/// Closed cases of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimilarCases {
    /// `person`, `workplace` or `ring`.
    pub about: String,
    /// A count that is shown has at least so many cases.
    pub min_count: u64,
    /// One row for each rule of the case.
    pub rules: Vec<SimilarRow>,
}

/// Closed cases to which a rule contributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimilarRow {
    /// The rule.
    pub rule: String,
    /// All of them.
    pub cases: Count,
    /// By outcome.
    pub outcomes: BTreeMap<String, Count>,
}

/// A count that may be too small to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Known(u64),
    /// There are some, and the number may not be shown.
    Suppressed,
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(count) => to.serialize_u64(*count),
            Self::Suppressed => to.serialize_str("suppressed"),
        }
    }
}

/// Counts closed cases of a kind for each rule, by outcome. A case counts for every rule that contributed to it.
///
/// # Errors
/// When the counts cannot be protected.
pub fn similar_cases(
    about: &str,
    rules: &BTreeSet<String>,
    outcomes: &[&str],
    closed: &[ClosedCase],
) -> Result<SimilarCases, SiteError> {
    let mut raw = RawTable {
        name: "similar_cases".to_owned(),
        columns: ["rule", "outcome", "cases"].map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    for rule in rules {
        let of_rule: Vec<&ClosedCase> = closed
            .iter()
            .filter(|case| case.rules.split(',').any(|contributed| contributed == rule))
            .collect();
        let mut add = |outcome: &str, count: usize| {
            raw.rows.push(vec![
                CellValue::Text(rule.clone()),
                CellValue::Text(outcome.to_owned()),
                CellValue::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
            ]);
        };
        for outcome in outcomes {
            let ended = of_rule.iter().filter(|case| case.outcome == *outcome);
            add(outcome, ended.count());
        }
        add(ALL, of_rule.len());
    }
    let protection = Rules {
        dimensions: vec![
            Dimension::new("rule"),
            Dimension::additive("outcome").with_total(ALL),
        ],
        counts: vec!["cases".to_owned()],
        ..Rules::default()
    };
    let safe = protect(raw, &protection).map_err(SiteError::Similar)?;
    let mut shown: BTreeMap<String, SimilarRow> = BTreeMap::new();
    for row in safe.rows() {
        let [rule, outcome, cases] = row.as_slice() else {
            continue;
        };
        let (rule, outcome) = (rule.to_plain_text(), outcome.to_plain_text());
        let count = match cases {
            Cell::Value(value) => value
                .as_i128()
                .and_then(|count| u64::try_from(count).ok())
                .map_or(Count::Suppressed, Count::Known),
            Cell::Zero => Count::Known(0),
            Cell::Suppressed | Cell::NotAvailable => Count::Suppressed,
        };
        let line = shown.entry(rule.clone()).or_insert_with(|| SimilarRow {
            rule,
            cases: Count::Suppressed,
            outcomes: BTreeMap::new(),
        });
        if outcome == ALL {
            line.cases = count;
        } else {
            line.outcomes.insert(outcome, count);
        }
    }
    Ok(SimilarCases {
        about: about.to_owned(),
        min_count: DEFAULT_MIN_COUNT,
        rules: shown.into_values().collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const OUTCOMES: [&str; 3] = ["confirmed_fraud", "overpayment_error", "false_positive"];

    fn closed(rules: &str, outcome: &str, count: usize) -> Vec<ClosedCase> {
        let case = ClosedCase {
            rules: rules.to_owned(),
            outcome: outcome.to_owned(),
        };
        vec![case; count]
    }

    fn rules(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_case_counts_for_each_rule_that_contributed_to_it() {
        let mut cases = closed("F01", "confirmed_fraud", 9);
        cases.extend(closed("F01,F03", "false_positive", 7));
        let found = similar_cases("person", &rules(&["F01", "F03"]), &OUTCOMES, &cases).unwrap();
        let [first, third] = found.rules.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(first.cases, Count::Known(16));
        assert_eq!(first.outcomes["confirmed_fraud"], Count::Known(9));
        assert_eq!(third.cases, Count::Known(7));
        assert_eq!(third.outcomes["false_positive"], Count::Known(7));
        assert_eq!(third.outcomes["confirmed_fraud"], Count::Known(0));
    }

    #[test]
    fn a_small_count_is_hidden_and_cannot_be_had_by_subtraction() {
        let mut cases = closed("F01", "confirmed_fraud", 20);
        cases.extend(closed("F01", "overpayment_error", 8));
        cases.extend(closed("F01", "false_positive", 2));
        let found = similar_cases("person", &rules(&["F01"]), &OUTCOMES, &cases).unwrap();
        let row = &found.rules[0];
        assert_eq!(row.outcomes["false_positive"], Count::Suppressed);
        let hidden = row
            .outcomes
            .values()
            .filter(|count| **count == Count::Suppressed);
        assert!(
            hidden.count() >= 2 || row.cases == Count::Suppressed,
            "30 − 20 − 8 would give it away: {row:?}"
        );
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["rules"][0]["outcomes"]["false_positive"], "suppressed");
    }

    #[test]
    fn nothing_closed_is_nothing_and_not_hidden() {
        let found = similar_cases("ring", &rules(&["F10"]), &OUTCOMES, &[]).unwrap();
        assert_eq!(found.rules[0].cases, Count::Known(0));
        let none = similar_cases("person", &rules(&[]), &OUTCOMES, &[]).unwrap();
        assert!(none.rules.is_empty(), "a claim that was drawn has no rule");
    }
}
