//! Differences between the columns a file has and those expected, in words and as data.

use std::collections::{BTreeSet, HashSet};

use goyong_catalog::contract::{Contract, Drift, DriftAction, DriftKind, DriftPolicy, FormatKind};
use goyong_types::nearest_name;

use crate::error::{Refusal, RefusalRule};
use crate::shown::shown_name;

/// What a file's columns are, and where they are not the contract's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Texts in the file, in its order.
    pub headers: Vec<String>,
    pub drift: Vec<Drift>,
}

pub(crate) fn drift(kind: DriftKind, column: Option<&str>, header: Option<&str>) -> Drift {
    Drift {
        kind,
        column: column.map(str::to_owned),
        header: header.map(str::to_owned),
        is_new: None,
    }
}

/// Refuses what the contract refuses of columns that could all be found.
pub(crate) fn refuse_by_policy(policy: &DriftPolicy, found: &[Drift]) -> Result<(), Refusal> {
    for one in found {
        let (action, what, key) = match one.kind {
            DriftKind::Added => (
                policy.added,
                "has a column the contract does not name",
                "added",
            ),
            DriftKind::Duplicated => (policy.added, "names a column twice", "added"),
            DriftKind::Missing => (policy.missing, "lacks a column", "missing"),
            DriftKind::Renamed => (policy.renamed, "has a renamed column", "renamed"),
            DriftKind::Reordered => (
                policy.reordered,
                "has its columns in another order",
                "reordered",
            ),
        };
        if action == DriftAction::Refuse {
            let name = one.header.as_deref().or(one.column.as_deref());
            let name = name.map(|name| format!(", `{name}`")).unwrap_or_default();
            return Err(Refusal::new(
                RefusalRule::Drift,
                format!(
                    "the file {what}{name}, which the contract refuses: ask the provider, then correct the columns or `drift: {{{key}: report}}`"
                ),
            ));
        }
    }
    Ok(())
}

/// The unused text that most likely is the wanted one, written differently.
///
/// Nearer than a suggestion has to be, because its values are taken: the same letters but for
/// spaces and marks, one a lengthening of the other, or one letter in four changed.
pub(crate) fn renamed<'h>(wanted: &[String], unused: &[&'h str]) -> Option<&'h str> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let is_same = |left: &str, right: &str| {
        let (left, right) = (plain(left), plain(right));
        let (short, long) = if left.len() <= right.len() {
            (left, right)
        } else {
            (right, left)
        };
        let letters = short.chars().count();
        letters >= 2
            && (long.starts_with(&short)
                || long.ends_with(&short)
                || (letters >= 4 && edit_is_small(&short, &long, letters / 4)))
    };
    let mut candidates = unused
        .iter()
        .filter(|header| wanted.iter().any(|text| is_same(text, header)));
    match (candidates.next(), candidates.next()) {
        // Two candidates would be a guess.
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether so few letters differ at the same places; lengths must agree.
fn edit_is_small(left: &str, right: &str, limit: usize) -> bool {
    left.chars().count() == right.chars().count()
        && left
            .chars()
            .zip(right.chars())
            .filter(|(left, right)| left != right)
            .count()
            <= limit
}

/// A text to suggest in a message, where nothing is taken.
pub(crate) fn suggested<'h>(wanted: &[String], unused: &[&'h str]) -> Option<&'h str> {
    renamed(wanted, unused).or_else(|| {
        wanted
            .iter()
            .find_map(|text| nearest_name(text, unused.iter().copied()))
    })
}

impl Columns {
    /// Adds the columns of another answer of the delivery; what one lacks another may have.
    pub fn add(&mut self, other: Self) {
        let mut headers: HashSet<String> = self.headers.iter().cloned().collect();
        for header in other.headers {
            if headers.insert(header.clone()) {
                self.headers.push(header);
            }
        }
        let key = |one: &Drift| (one.kind.as_str(), one.column.clone(), one.header.clone());
        let mut known: HashSet<_> = self.drift.iter().map(key).collect();
        for one in other.drift {
            if known.insert(key(&one)) {
                self.drift.push(one);
            }
        }
        self.drift.retain(|one| {
            one.kind != DriftKind::Missing
                || one
                    .header
                    .as_ref()
                    .is_none_or(|header| !headers.contains(header))
        });
    }

    /// Makes texts from the file harmless before they are stored.
    pub fn make_shown(&mut self) {
        for header in &mut self.headers {
            *header = shown_name(header);
        }
        for header in self.drift.iter_mut().filter_map(|one| one.header.as_mut()) {
            *header = shown_name(header);
        }
    }

    /// Compares with the delivery accepted before and says what is new.
    pub fn compare_with(
        &mut self,
        contract: &Contract,
        previous: &[String],
        notices: &mut Vec<String>,
    ) {
        // An optional field of a record may come and go without anything having changed.
        let has_header = !matches!(
            contract.format.kind,
            FormatKind::Xml(_) | FormatKind::Json(_)
        );
        let counts = |header: &&str| {
            has_header
                || !contract
                    .columns
                    .iter()
                    .any(|column| column.from.iter().any(|from| from == *header))
        };
        let before: BTreeSet<&str> = previous.iter().map(String::as_str).filter(counts).collect();
        let now: BTreeSet<&str> = self
            .headers
            .iter()
            .map(String::as_str)
            .filter(counts)
            .collect();
        for one in &mut self.drift {
            one.is_new = Some(match (one.kind, &one.header) {
                (DriftKind::Added | DriftKind::Renamed | DriftKind::Duplicated, Some(header)) => {
                    !before.contains(header.as_str())
                }
                (DriftKind::Reordered, _) => {
                    let order = |list: &[String], both: &BTreeSet<&str>| -> Vec<String> {
                        list.iter()
                            .filter(|header| both.contains(header.as_str()))
                            .cloned()
                            .collect()
                    };
                    order(previous, &now) != order(&self.headers, &before)
                }
                (_, Some(header)) => before.contains(header.as_str()),
                (_, None) => true,
            });
        }
        let quoted = |names: Vec<&&str>| {
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let gone: Vec<&&str> = before
            .difference(&now)
            .filter(|name| !name.is_empty())
            .collect();
        let come: Vec<&&str> = now
            .difference(&before)
            .filter(|name| !name.is_empty())
            .collect();
        if !come.is_empty() {
            notices.push(format!("new since the last delivery: {}", quoted(come)));
        }
        let told: HashSet<String> = self
            .drift
            .iter()
            .filter(|one| one.kind == DriftKind::Missing)
            .filter_map(|one| one.header.clone())
            .collect();
        for header in &gone {
            if !told.contains(**header) {
                self.drift.push(Drift {
                    is_new: Some(true),
                    ..drift(DriftKind::Missing, None, Some(header))
                });
            }
        }
        if !gone.is_empty() {
            notices.push(format!("gone since the last delivery: {}", quoted(gone)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("상실일", &["상실일자"], Some("상실일자"))]
    #[case("상실일", &["상실 일"], Some("상실 일"))]
    #[case("paid_from", &["PaidFrom"], Some("PaidFrom"))]
    #[case("성명", &["번호"], None)]
    #[case("상실일", &["취득일"], None)]
    #[case("상실일", &["상실일자", "상실일시"], None)]
    #[case("사업장관리번호", &["사업장관리법호"], Some("사업장관리법호"))]
    fn only_one_similar_text_is_taken_for_a_renamed_column(
        #[case] wanted: &str,
        #[case] unused: &[&str],
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(renamed(&[wanted.to_owned()], unused), expected);
    }

    #[test]
    fn optional_field_of_a_record_comes_and_goes_without_a_word() {
        let contract = crate::testing::contract(
            "format: {kind: json}\ncolumns:\n  - {name: a, type: int, nullable: true}\n",
        );
        let mut notices = Vec::new();
        let mut columns = Columns {
            headers: vec!["b".to_owned()],
            drift: vec![drift(DriftKind::Missing, Some("a"), Some("a"))],
        };
        columns.compare_with(&contract, &["a".to_owned(), "b".to_owned()], &mut notices);
        assert!(notices.is_empty(), "{notices:?}");
        assert_eq!(columns.drift.len(), 1);
    }

    #[test]
    fn what_came_and_went_since_the_last_delivery_is_told_once() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut columns = Columns {
            headers: texts(&["a", "b", "c"]),
            drift: vec![
                drift(DriftKind::Added, None, Some("b")),
                drift(DriftKind::Added, None, Some("c")),
            ],
        };
        let mut notices = Vec::new();
        let previous: Vec<String> = texts(&["a", "b", "x"]);
        let contract =
            crate::testing::contract("format: {kind: csv}\ncolumns:\n  - {name: a, type: int}\n");
        columns.compare_with(&contract, &previous, &mut notices);
        let new: Vec<_> = columns
            .drift
            .iter()
            .map(|one| (one.kind, one.is_new))
            .collect();
        assert_eq!(
            new,
            [
                (DriftKind::Added, Some(false)),
                (DriftKind::Added, Some(true)),
                (DriftKind::Missing, Some(true))
            ]
        );
        assert_eq!(
            notices,
            [
                "new since the last delivery: `c`",
                "gone since the last delivery: `x`"
            ]
        );
    }
}
