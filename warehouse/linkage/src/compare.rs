//! Pairs of rows → levels of agreement.

use crate::comparison::{Comparison, Condition, Cut, NULL_LEVEL, Registry, Slot};
use crate::dictionary::NULL;
use crate::records::{Column, Records};
use crate::similarity::{
    Codes, Pattern, Sets, damerau_levenshtein, distance_bound, jaro_bound, overlap, winkler,
};

/// What is worked out once for each distinct text.
#[derive(Debug)]
pub(crate) struct Derived {
    codes: Vec<Codes>,
    sets: Vec<Sets>,
    /// By column: days since 1970, [`i32::MIN`] for what is no date.
    dates: Vec<Vec<i32>>,
    /// By column: NaN for what is no number.
    numbers: Vec<Vec<f64>>,
    /// By column: how texts begin.
    starts: Vec<Vec<Start>>,
}

impl Derived {
    pub(crate) fn of(records: &Records, registry: &Registry) -> Self {
        let dictionary = |column: usize| &records.columns[column].dictionary;
        let mut dates = vec![Vec::new(); records.columns.len()];
        for &column in &registry.dates {
            dates[column] = dictionary(column).iter().map(days).collect();
        }
        let mut numbers = vec![Vec::new(); records.columns.len()];
        for &column in &registry.numbers {
            let parse = |text: &str| text.trim().parse().unwrap_or(f64::NAN);
            numbers[column] = dictionary(column).iter().map(parse).collect();
        }
        let mut starts = vec![Vec::new(); records.columns.len()];
        for &column in &registry.starts {
            starts[column] = dictionary(column).iter().map(Start::of).collect();
        }
        Self {
            starts,
            codes: registry
                .slots
                .iter()
                .map(|slot| Codes::of(dictionary(slot.column)))
                .collect(),
            sets: registry
                .sets
                .iter()
                .map(|&(column, cut)| match cut {
                    Cut::Words => Sets::words(dictionary(column)),
                    Cut::Qgrams(length) => Sets::qgrams(dictionary(column), length),
                })
                .collect(),
            dates,
            numbers,
        }
    }
}

/// A text of up to 15 ASCII letters in 16 bytes: a prefix is compared without a look at the text.
#[derive(Debug, Clone, Copy)]
struct Start {
    bytes: [u8; 15],
    /// [`Start::LONG`] for any other text.
    length: u8,
}

impl Start {
    const LONG: u8 = u8::MAX;

    fn of(text: &str) -> Self {
        let mut start = Self {
            bytes: [0; 15],
            length: Self::LONG,
        };
        if text.len() <= 15 && text.is_ascii() {
            start.bytes[..text.len()].copy_from_slice(text.as_bytes());
            start.length = text.len() as u8;
        }
        start
    }

    /// Whether the first `length` letters agree, `None` if the texts themselves must be asked.
    fn agree(self, other: Self, length: usize) -> Option<bool> {
        if self.length == Self::LONG || other.length == Self::LONG {
            return None;
        }
        let enough = usize::from(self.length.min(other.length)) >= length;
        Some(enough && self.bytes[..length] == other.bytes[..length])
    }

    fn one_begins_the_other(self, other: Self, least: usize) -> Option<bool> {
        let shorter = usize::from(self.length.min(other.length));
        let agree = self.agree(other, shorter)?;
        Some(agree && shorter >= least)
    }
}

/// Days since 1970 of a date written `2026-08-31`, `2026/08/31` or `20260831`.
fn days(text: &str) -> i32 {
    let text = text.trim();
    let date = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"]
        .iter()
        .find_map(|format| {
            chrono::NaiveDate::parse_from_str(text.get(..10).unwrap_or(text), format).ok()
        });
    date.map_or(i32::MIN, |date| {
        (date - chrono::NaiveDate::default()).num_days() as i32
    })
}

/// Compares pairs on one thread; a left text that stays the same is prepared once.
#[derive(Debug)]
pub(crate) struct Comparer<'a> {
    records: &'a Records,
    derived: &'a Derived,
    comparisons: &'a [Comparison],
    registry: &'a Registry,
    slots: Vec<SlotState>,
}

/// A slot's left text as a pattern, and the similarity to the last right text.
#[derive(Debug)]
struct SlotState {
    pattern: Pattern,
    left: u32,
    right: u32,
    jaro: f64,
    signature: u64,
}

impl<'a> Comparer<'a> {
    pub(crate) fn new(
        records: &'a Records,
        derived: &'a Derived,
        comparisons: &'a [Comparison],
        registry: &'a Registry,
    ) -> Self {
        let slot = || SlotState {
            pattern: Pattern::default(),
            left: NULL,
            right: NULL,
            jaro: 0.0,
            signature: 0,
        };
        Self {
            records,
            derived,
            comparisons,
            registry,
            slots: registry.slots.iter().map(|_| slot()).collect(),
        }
    }

    /// The level of one comparison: its place in the settings, [`NULL_LEVEL`] if null.
    pub(crate) fn level(&mut self, comparison: usize, left: u32, right: u32) -> u8 {
        let comparisons = self.comparisons;
        let comparison = &comparisons[comparison];
        if comparison
            .nulls
            .iter()
            .any(|null| self.holds(null, left, right))
        {
            return NULL_LEVEL;
        }
        comparison
            .levels
            .iter()
            .position(|level| self.holds(&level.condition, left, right))
            .unwrap_or(comparison.levels.len()) as u8
    }

    /// All levels, four bits each, the first comparison lowest.
    pub(crate) fn pattern(&mut self, left: u32, right: u32) -> u64 {
        (0..self.comparisons.len()).fold(0, |pattern, comparison| {
            pattern | u64::from(self.level(comparison, left, right)) << (4 * comparison)
        })
    }

    fn holds(&mut self, condition: &Condition, left: u32, right: u32) -> bool {
        let columns = &self.records.columns;
        let both = |column: usize| {
            let records = self.records;
            let (a, b) = (records.number(left, column), records.number(right, column));
            (a != NULL && b != NULL).then_some((a, b))
        };
        match condition {
            Condition::Exact(column) => both(*column).is_some_and(|(a, b)| a == b),
            Condition::Null(column) => both(*column).is_none(),
            Condition::JaroWinkler { slot, at_least } => {
                let Some((a, b)) = both(self.registry.slots[*slot].column) else {
                    return false;
                };
                let jaro = self.jaro(*slot, a, b);
                let codes = &self.derived.codes[*slot];
                winkler(jaro, codes.units(a), codes.units(b)) >= *at_least
            }
            Condition::Jaro { slot, at_least } => both(self.registry.slots[*slot].column)
                .is_some_and(|(a, b)| self.jaro(*slot, a, b) >= *at_least),
            Condition::Levenshtein { slot, at_most } => both(self.registry.slots[*slot].column)
                .is_some_and(|(a, b)| {
                    self.distance_possible(*slot, a, b, *at_most) && {
                        self.prepare(*slot, a);
                        let units = self.derived.codes[*slot].units(b);
                        self.slots[*slot].pattern.levenshtein(units) <= *at_most
                    }
                }),
            Condition::DamerauLevenshtein { slot, at_most } => {
                both(self.registry.slots[*slot].column).is_some_and(|(a, b)| {
                    self.distance_possible(*slot, a, b, *at_most) && {
                        let codes = &self.derived.codes[*slot];
                        damerau_levenshtein(codes.units(a), codes.units(b)) <= *at_most
                    }
                })
            }
            Condition::DateWithin { column, days } => both(*column).is_some_and(|(a, b)| {
                let dates = &self.derived.dates[*column];
                let (a, b) = (dates[a as usize], dates[b as usize]);
                a != i32::MIN && b != i32::MIN && f64::from(a.abs_diff(b)) <= *days
            }),
            Condition::NumberWithin {
                column,
                difference,
                ratio,
            } => both(*column).is_some_and(|(a, b)| {
                let values = &self.derived.numbers[*column];
                let (a, b) = (values[a as usize], values[b as usize]);
                let apart = (a - b).abs();
                apart <= *difference || apart <= ratio * a.abs().max(b.abs())
            }),
            Condition::Overlap { set, at_least } => {
                both(self.registry.sets[*set].0).is_some_and(|(a, b)| {
                    let sets = &self.derived.sets[*set];
                    a == b || overlap(sets.set(a), sets.set(b)) >= *at_least
                })
            }
            Condition::Prefix { column, length } => both(*column).is_some_and(|(a, b)| {
                let starts = &self.derived.starts[*column];
                starts[a as usize]
                    .agree(starts[b as usize], *length)
                    .unwrap_or_else(|| same_prefix(&columns[*column], a, b, *length))
            }),
            Condition::OneIsPrefix { column, length } => both(*column).is_some_and(|(a, b)| {
                let starts = &self.derived.starts[*column];
                starts[a as usize]
                    .one_begins_the_other(starts[b as usize], *length)
                    .unwrap_or_else(|| {
                        let (a, b) = (text(&columns[*column], a), text(&columns[*column], b));
                        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
                        long.starts_with(short) && short.chars().count() >= *length
                    })
            }),
            Condition::Reversed { column, other } => {
                let held = |column: usize, row: u32| columns[column].text(row);
                let crosses = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
                crosses(held(*column, left), held(*other, right))
                    && crosses(held(*other, left), held(*column, right))
            }
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, left, right)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, left, right)),
        }
    }

    /// Jaro, or 0 if it cannot reach what any level asks for.
    fn jaro(&mut self, slot: usize, left: u32, right: u32) -> f64 {
        if left == right {
            return 1.0;
        }
        let state = &self.slots[slot];
        if state.left == left && state.right == right {
            return state.jaro;
        }
        self.prepare(slot, left);
        let codes = &self.derived.codes[slot];
        let Slot { least_jaro, .. } = self.registry.slots[slot];
        let state = &mut self.slots[slot];
        let other = codes.units(right);
        let bound = jaro_bound(
            state.pattern.units(),
            state.signature,
            other,
            codes.signature(right),
        );
        state.right = right;
        state.jaro = if bound < least_jaro {
            0.0
        } else {
            state.pattern.jaro(other)
        };
        state.jaro
    }

    fn prepare(&mut self, slot: usize, left: u32) {
        let codes = &self.derived.codes[slot];
        let state = &mut self.slots[slot];
        if state.left != left {
            state.pattern.set(codes.units(left));
            state.signature = codes.signature(left);
            state.left = left;
            state.right = NULL;
        }
    }

    fn distance_possible(&self, slot: usize, a: u32, b: u32, at_most: u32) -> bool {
        let codes = &self.derived.codes[slot];
        let bound = distance_bound(
            codes.units(a),
            codes.signature(a),
            codes.units(b),
            codes.signature(b),
        );
        bound <= at_most
    }
}

fn text(column: &Column, number: u32) -> &str {
    column.dictionary.text(number)
}

fn same_prefix(column: &Column, a: u32, b: u32, length: usize) -> bool {
    let mut a = text(column, a).chars();
    let mut b = text(column, b).chars();
    (0..length).all(|_| match (a.next(), b.next()) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Start;

    #[rstest]
    #[case("123456", "1234567890", 6, Some(true), Some(true))]
    #[case("123456", "1234577890", 6, Some(false), Some(false))]
    #[case("12345", "1234567890", 6, Some(false), Some(false))]
    #[case("1234569", "1234567890", 6, Some(true), Some(false))]
    #[case("1234567890123456", "123456", 6, None, None)]
    #[case("가나다라마바", "가나다라마바사", 6, None, None)]
    fn short_ascii_texts_are_compared_by_their_bytes(
        #[case] a: &str,
        #[case] b: &str,
        #[case] length: usize,
        #[case] agree: Option<bool>,
        #[case] begins: Option<bool>,
    ) {
        let (a, b) = (Start::of(a), Start::of(b));
        assert_eq!(a.agree(b, length), agree);
        assert_eq!(b.one_begins_the_other(a, length), begins);
    }
}
