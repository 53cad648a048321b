//! Rules evaluated on records: one number per record, equal numbers agree.

use crate::dictionary::{Dictionary, NULL, PairDictionary};
use crate::records::Records;
use crate::rule::{Measure, Operator, Residual, Rule, Side};
use crate::similarity::{Pattern, damerau_levenshtein, winkler};
use crate::text::Text;

/// The keys of a rule.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) left: Vec<u32>,
    /// `None` if a record has the same key on either side.
    pub(crate) right: Option<Vec<u32>>,
    /// Keys are below this number.
    pub(crate) count: usize,
}

impl Keys {
    pub(crate) fn right(&self) -> &[u32] {
        self.right.as_deref().unwrap_or(&self.left)
    }

    /// Evaluates the equalities and what is required of a rule on every record.
    pub(crate) fn of(rule: &Rule, records: &Records) -> Self {
        let symmetric = rule.equalities.iter().all(|(left, right)| left == right)
            && rule.required.iter().all(|(side, text)| {
                let other = match side {
                    Side::Left => Side::Right,
                    Side::Right => Side::Left,
                };
                let twin = rule.required.iter().any(|(s, t)| *s == other && t == text);
                twin || rule.equalities.iter().any(|(left, _)| left == text)
            });
        let mut left: Option<Vec<u32>> = None;
        let mut right: Option<Vec<u32>> = None;
        let mut count = 0;
        for (left_text, right_text) in &rule.equalities {
            let mut terms = Terms::default();
            let left_term = terms.of(left_text, records, left_text == right_text);
            let right_term = match symmetric {
                true => None,
                false => Some(terms.of(right_text, records, left_text == right_text)),
            };
            let mut pairs = PairDictionary::default();
            let mut join = |whole: &mut Option<Vec<u32>>, term: Vec<u32>| match whole {
                None => *whole = Some(term),
                Some(whole) => {
                    for (key, term) in whole.iter_mut().zip(term) {
                        *key = pairs.intern(*key, term);
                    }
                }
            };
            let first = left.is_none();
            join(&mut left, left_term);
            if let Some(term) = right_term {
                join(&mut right, term);
            }
            count = match first {
                true => terms.count,
                false => pairs.len(),
            };
        }
        let mut keys = Self {
            left: left.unwrap_or_default(),
            right,
            count,
        };
        for (side, text) in &rule.required {
            let keys = match (side, &mut keys.right) {
                (Side::Right, Some(right)) => right,
                _ => &mut keys.left,
            };
            for (row, key) in keys.iter_mut().enumerate() {
                if *key != NULL && value(text, records, row as u32).is_none() {
                    *key = NULL;
                }
            }
        }
        keys
    }
}

fn value<'a>(text: &'a Text, records: &'a Records, row: u32) -> Option<std::borrow::Cow<'a, str>> {
    text.value(&|column| records.columns[column].text(row))
}

/// The values of an expression, numbered; both sides of an equality share the numbers.
#[derive(Default)]
struct Terms {
    dictionary: Dictionary,
    count: usize,
}

impl Terms {
    fn of(&mut self, text: &Text, records: &Records, same: bool) -> Vec<u32> {
        if let (Text::Column(column), true) = (text, same) {
            let column = &records.columns[*column];
            self.count = column.dictionary.len();
            return column.numbers.clone();
        }
        let mut columns = Vec::new();
        text.columns(&mut columns);
        let numbers = match columns[..] {
            [column] => {
                let column = &records.columns[column];
                let by_value: Vec<u32> = column
                    .dictionary
                    .iter()
                    .map(|held| self.number(text.value(&|_| Some(held)).as_deref()))
                    .collect();
                let rows = column.numbers.iter();
                rows.map(|&number| match number {
                    NULL => NULL,
                    number => by_value[number as usize],
                })
                .collect()
            }
            _ => (0..records.len() as u32)
                .map(|row| {
                    let found = value(text, records, row);
                    self.number(found.as_deref())
                })
                .collect(),
        };
        self.count = self.dictionary.len();
        numbers
    }

    fn number(&mut self, value: Option<&str>) -> u32 {
        match value {
            Some(text) if !text.is_empty() => self.dictionary.intern(text),
            _ => NULL,
        }
    }
}

/// What of a rule is looked at pair by pair.
#[derive(Debug, Default)]
pub(crate) struct PairCheck {
    pattern: Pattern,
    left: Vec<u16>,
    right: Vec<u16>,
}

impl PairCheck {
    /// Whether all residual conditions hold.
    pub(crate) fn holds(&mut self, rule: &Rule, records: &Records, left: u32, right: u32) -> bool {
        rule.residuals.iter().all(|residual| {
            let (Some(a), Some(b)) = (
                value(&residual.left, records, left),
                value(&residual.right, records, right),
            ) else {
                return false;
            };
            self.measure(residual, &a, &b)
                .is_some_and(|found| compare(found, residual.operator, residual.bound))
        })
    }

    fn measure(&mut self, residual: &Residual, a: &str, b: &str) -> Option<f64> {
        if residual.measure == Measure::Inequality {
            return Some(if a == b { 0.0 } else { 1.0 });
        }
        if residual.measure == Measure::AbsoluteDifference {
            let (a, b): (f64, f64) = (a.parse().ok()?, b.parse().ok()?);
            return Some((a - b).abs());
        }
        self.left.clear();
        self.left.extend(a.encode_utf16());
        self.right.clear();
        self.right.extend(b.encode_utf16());
        self.pattern.set(&self.left);
        Some(match residual.measure {
            Measure::Levenshtein => f64::from(self.pattern.levenshtein(&self.right)),
            Measure::DamerauLevenshtein => f64::from(damerau_levenshtein(&self.left, &self.right)),
            Measure::Jaro => self.pattern.jaro(&self.right),
            _ => winkler(self.pattern.jaro(&self.right), &self.left, &self.right),
        })
    }
}

fn compare(value: f64, operator: Operator, bound: f64) -> bool {
    match operator {
        Operator::Less => value < bound,
        Operator::LessOrEqual => value <= bound,
        Operator::Greater => value > bound,
        Operator::GreaterOrEqual => value >= bound,
        Operator::Equal => value == bound,
    }
}
