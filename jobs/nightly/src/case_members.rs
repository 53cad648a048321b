//! The people of a case, by numbers of their own: pages and letters hold no person key.

use std::collections::BTreeMap;

use goyong_cases::{Case, Evidence, FINDING};

/// Who is meant in the evidence of a case.
#[derive(Debug, Default)]
pub(crate) struct CaseMembers {
    /// Each person with the number, from 1, in the order in which the case came to know them.
    numbers: BTreeMap<i64, usize>,
    /// Whom each row of evidence is about, by its number.
    persons: BTreeMap<i64, i64>,
}

impl CaseMembers {
    pub(crate) fn of(case: &Case, evidence: &[Evidence]) -> Self {
        let claim = |row: &Evidence| match row.subject_key.split_once('/') {
            Some((claim, _)) => claim.to_owned(),
            None => row.subject_key.clone(),
        };
        let of_claims: BTreeMap<String, i64> = evidence
            .iter()
            .filter_map(|row| Some((claim(row), row.person_key?)))
            .collect();
        let mut rows: Vec<&Evidence> = evidence.iter().collect();
        rows.sort_by_key(|row| row.evidence_no);
        let mut members = Self::default();
        for row in rows {
            // What an investigator found in a case about a workplace names a claim and nobody.
            let of_claim = || match row.evidence_kind == FINDING {
                true => of_claims.get(&claim(row)).copied(),
                false => None,
            };
            if let Some(person) = row.person_key.or(case.person_key).or_else(of_claim) {
                let next = members.numbers.len() + 1;
                members.numbers.entry(person).or_insert(next);
                members.persons.insert(row.evidence_no, person);
            }
        }
        members
    }

    /// Whom a row of evidence is about.
    pub(crate) fn person_of(&self, evidence_no: i64) -> Option<i64> {
        self.persons.get(&evidence_no).copied()
    }

    /// The number of whom a row of evidence is about.
    pub(crate) fn number_of(&self, evidence_no: i64) -> Option<usize> {
        self.numbers.get(&self.person_of(evidence_no)?).copied()
    }
}
