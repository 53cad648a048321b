//! A quarantined record as it was delivered, on its way to the vault and back.

use std::fmt;

use goyong_catalog::contract::ColumnType;
use goyong_types::ResidentNumber;
use zeroize::Zeroizing;

use super::Cell;
use crate::error::IntakeError;
use crate::identity::{PersonDigest, PersonHasher};
use crate::plan::{ColumnPlan, Plan};

/// What a record held: every column of the contract, or the bytes of one whose shape is broken.
/// It may name persons, so it is written sealed only and shows nothing of itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct OriginalRecord {
    /// Whose record it is, as far as numbers can be read.
    pub persons: Vec<PersonDigest>,
    /// [`StoredRecord`] as bytes; empty when nothing was kept.
    pub plain: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OriginalRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OriginalRecord(..)")
    }
}

impl OriginalRecord {
    /// Takes the record down; `broken` is the rule it breaks as a whole, so that none of its values
    /// is believed later, and `whole` its text where columns could not be told apart.
    pub fn new<'r>(
        plan: &Plan,
        hasher: Option<&PersonHasher>,
        broken: Option<&str>,
        whole: Option<&[u8]>,
        cell: &impl Fn(usize) -> Cell<'r>,
    ) -> Self {
        let mut plain = Zeroizing::new(Vec::new());
        let mut persons = Vec::new();
        let mut add_person = |raw: &[u8]| {
            if let (Some(hasher), Ok(number)) = (hasher, ResidentNumber::parse(raw)) {
                let digest = hasher.person(number.digits());
                if !persons.contains(&digest) {
                    persons.push(digest);
                }
            }
        };
        let count = u16::try_from(plan.columns.len()).unwrap_or(u16::MAX);
        plain.extend_from_slice(&count.to_be_bytes());
        for (index, column) in plan.columns.iter().enumerate().take(usize::from(count)) {
            put(&mut plain, column.name.as_bytes());
            match cell(index) {
                Cell::Missing => plain.push(MISSING),
                Cell::Raw(raw) => {
                    match broken {
                        None => plain.push(RAW),
                        Some(rule) => {
                            plain.push(BROKEN);
                            put(&mut plain, rule.as_bytes());
                        }
                    }
                    put(&mut plain, raw);
                    if column.kind == ColumnType::ResidentNumber {
                        add_person(raw.trim_ascii());
                    }
                }
                Cell::Broken(rule, raw) => {
                    plain.push(BROKEN);
                    put(&mut plain, rule.as_bytes());
                    put(&mut plain, raw);
                }
            }
        }
        if let Some(whole) = whole {
            put(&mut plain, whole);
            for candidate in number_candidates(whole) {
                add_person(candidate);
            }
        }
        // The same bytes for the same record, whatever the order of its persons.
        persons.sort_unstable();
        persons.truncate(usize::from(u8::MAX));
        Self { persons, plain }
    }
}

/// Stretches of digits, perhaps with one hyphen or blank, that may be a resident number.
fn number_candidates(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| !byte.is_ascii_digit() && !matches!(byte, b'-' | b' '))
        .map(<[u8]>::trim_ascii)
        .filter(|stretch| (13..=14).contains(&stretch.len()))
}

const MISSING: u8 = 0;
const RAW: u8 = 1;
const BROKEN: u8 = 2;

fn put(plain: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(&bytes[..length as usize]);
}

/// A record read back from the vault.
#[derive(Default)]
pub(crate) struct StoredRecord {
    cells: Vec<(String, StoredCell)>,
    /// The record's text where its columns could not be told apart.
    pub whole: Option<Zeroizing<Vec<u8>>>,
}

enum StoredCell {
    Missing,
    Raw(Zeroizing<Vec<u8>>),
    Broken(&'static str, Zeroizing<Vec<u8>>),
}

impl StoredRecord {
    /// Reads what [`OriginalRecord`] took down.
    pub fn parse(plain: &[u8]) -> Result<Self, IntakeError> {
        let mut bytes = Reader { bytes: plain };
        let parsed = (|| {
            let mut record = Self::default();
            let count = u16::from_be_bytes(bytes.take(2)?.try_into().ok()?);
            for _ in 0..count {
                let name = String::from_utf8(bytes.field()?.to_vec()).ok()?;
                let cell = match bytes.take(1)?[0] {
                    MISSING => StoredCell::Missing,
                    RAW => StoredCell::Raw(Zeroizing::new(bytes.field()?.to_vec())),
                    BROKEN => {
                        let rule = format_rule(bytes.field()?);
                        StoredCell::Broken(rule, Zeroizing::new(bytes.field()?.to_vec()))
                    }
                    _ => return None,
                };
                record.cells.push((name, cell));
            }
            if !bytes.bytes.is_empty() {
                record.whole = Some(Zeroizing::new(bytes.field()?.to_vec()));
            }
            Some(record)
        })();
        parsed.ok_or_else(|| IntakeError::Vault {
            message: "a sealed record cannot be read: restore the vault from its backup".to_owned(),
        })
    }

    /// Whether its columns could not be told apart, and none has been corrected.
    pub fn is_unread(&self) -> bool {
        let is_missing = |cell: &StoredCell| matches!(cell, StoredCell::Missing);
        self.whole.is_some() && self.cells.iter().all(|(_, cell)| is_missing(cell))
    }

    /// What stands in a column.
    pub fn cell(&self, column: &ColumnPlan) -> Cell<'_> {
        match self.cells.iter().find(|(name, _)| *name == column.name) {
            Some((_, StoredCell::Raw(raw))) => Cell::Raw(raw),
            Some((_, StoredCell::Broken(rule, raw))) => Cell::Broken(rule, raw),
            Some((_, StoredCell::Missing)) | None => Cell::Missing,
        }
    }

    /// Puts another value into a column, in the bytes the plan reads.
    pub fn correct(&mut self, column: &str, raw: Vec<u8>) {
        let raw = StoredCell::Raw(Zeroizing::new(raw));
        match self.cells.iter_mut().find(|(name, _)| name == column) {
            Some((_, cell)) => *cell = raw,
            None => self.cells.push((column.to_owned(), raw)),
        }
    }

    /// Column by column, what stands there; `None` where nothing does.
    pub fn values(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.cells.iter().map(|(name, cell)| {
            let raw = match cell {
                StoredCell::Missing => None,
                StoredCell::Raw(raw) | StoredCell::Broken(_, raw) => Some(raw.as_slice()),
            };
            (name.as_str(), raw)
        })
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<&'b [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        self.take(length as usize)
    }
}

/// A rule of a format by its name.
fn format_rule(name: &[u8]) -> &'static str {
    const RULES: [&str; 8] = [
        "cell_error",
        "encoding",
        "field_count",
        "mixed_content",
        "nested",
        "phantom_column",
        "quoting",
        "repeated_element",
    ];
    RULES
        .into_iter()
        .find(|rule| rule.as_bytes() == name)
        .unwrap_or("broken_value")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rows::RowBuilder;
    use crate::testing::{context, plan};
    use rstest::rstest;

    #[test]
    fn record_comes_back_and_shows_nothing_of_itself() {
        let plan = plan(
            "format: {kind: csv}
columns:
  - {name: person_key, from: 번호, type: rrn}
  - {name: won, from: 금액, type: won}
  - {name: memo, from: 비고, type: string}
",
        );
        let (_folder, keys, _) = context();
        let number = "8001011000000";
        let digits: Vec<u8> = number.bytes().collect();
        let digest = keys.hasher().person(digits.as_slice().try_into().unwrap());
        let cell = |index: usize| match index {
            0 => Cell::Raw(number.as_bytes()),
            1 => Cell::Broken("cell_error", b"#N/A"),
            _ => Cell::Missing,
        };
        let whole = format!("x,{number},y");
        let hasher = keys.hasher();
        let original =
            OriginalRecord::new(&plan, Some(&hasher), None, Some(whole.as_bytes()), &cell);
        assert_eq!(original.persons, [digest]);
        assert!(!format!("{original:?}").contains(number));

        let mut stored = StoredRecord::parse(&original.plain).unwrap();
        assert_eq!(stored.whole.as_ref().unwrap().as_slice(), whole.as_bytes());
        stored.correct("memo", b"x".to_vec());
        assert!(
            matches!(stored.cell(&plan.columns[0]), Cell::Raw(raw) if raw == number.as_bytes())
        );
        assert!(matches!(
            stored.cell(&plan.columns[1]),
            Cell::Broken("cell_error", b"#N/A")
        ));
        assert!(matches!(stored.cell(&plan.columns[2]), Cell::Raw(b"x")));
        for cut in 0..original.plain.len() - 1 {
            assert!(
                StoredRecord::parse(&original.plain[..cut]).is_err()
                    || cut >= original.plain.len() - whole.len() - 4
            );
        }
    }

    #[rstest]
    #[case("<r><a>1</a><a>2</a><b>x</b></r>", "repeated_element")]
    #[case("<r>x<a>1</a><b>x</b></r>", "mixed_content")]
    fn record_that_is_broken_as_a_whole_is_not_believed_later(
        #[case] record: &str,
        #[case] rule: &str,
    ) {
        let plan = plan(
            "format: {kind: xml, record: /rs/r}
columns:
  - {name: a, type: int}
  - {name: b, type: string}
",
        );
        let text = format!("<rs>{record}</rs>");
        let outcome = crate::testing::read_text(&plan, text.as_bytes()).unwrap();
        assert_eq!(outcome.rules(), [rule]);
        let mut stored = StoredRecord::parse(&outcome.quarantined[0].original.plain).unwrap();
        let (_folder, _, row_context) = context();
        let again = |stored: &StoredRecord| {
            let mut builder = RowBuilder::new(&plan, &row_context);
            builder.push(0, |column| stored.cell(&plan.columns[column]));
            let rows = builder.finish().unwrap();
            rows.quarantined.first().map(|row| row.rule)
        };
        assert_eq!(again(&stored), Some(rule));
        stored.correct("a", b"1".to_vec());
        assert_eq!(again(&stored), Some(rule));
        stored.correct("b", b"x".to_vec());
        assert_eq!(again(&stored), None);
    }

    #[test]
    fn record_whose_columns_were_not_told_apart_is_unread_until_it_is_corrected() {
        let plan =
            plan("format: {kind: csv}\ncolumns:\n  - {name: a, type: int, nullable: true}\n");
        let original = OriginalRecord::new(&plan, None, Some("field_count"), Some(b"1,2"), &|_| {
            Cell::Missing
        });
        let mut stored = StoredRecord::parse(&original.plain).unwrap();
        assert!(stored.is_unread());
        stored.correct("a", b"1".to_vec());
        assert!(!stored.is_unread());
    }
}
