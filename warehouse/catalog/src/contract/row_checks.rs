//! Checks beyond a single value's type: code lists, rules between columns, the delivery's period,
//! uniqueness, references to other sources.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::expression::Expression;

/// What happens to a row that breaks a check. The values stay as they were delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenRow {
    /// The row goes to quarantine.
    #[default]
    Quarantine,
    /// The row is accepted and `_flags` names the rule.
    Flag,
}

/// A condition over the columns of one row; a row for which it is false breaks it, an unknown
/// answer (because of a null) does not, as in an SQL `check`.
#[derive(Clone, Debug)]
pub struct RowRule {
    /// Name in quarantine and in `_flags`.
    pub name: String,
    /// The condition.
    pub check: Expression,
    /// What happens to a row that breaks it.
    pub on_fail: BrokenRow,
}

/// The days of a delivery must lie in its period.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodCheck {
    /// The date or month column.
    pub column: String,
    /// What happens to a row outside.
    pub on_fail: BrokenRow,
    /// Share of rows outside above which the file is one of another period and refused.
    pub refuse_above: f64,
}

/// Rows that wait for a row of another source. Late is not wrong: such a row is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Columns of this source.
    pub columns: Vec<String>,
    /// The other source.
    pub source: String,
    /// Its columns, in the same order.
    pub to: Vec<String>,
}

/// Where the day stands on which a code must be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeDay {
    /// Any day of the delivery's period; without a period, the day it became known.
    Period,
    /// A date or month column of the row; no value, no question.
    Column(String),
}

/// A column's values are codes of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeList {
    /// The seed.
    pub seed: String,
    /// Its column that holds the codes.
    pub column: String,
    /// Its column with the first valid day.
    pub valid_from: Option<String>,
    /// Its column with the last valid day.
    pub valid_to: Option<String>,
    /// On which day the code must be valid.
    pub at: CodeDay,
    /// What happens to a row with another code.
    pub on_fail: BrokenRow,
    /// The codes, once the project's seeds are known.
    pub codes: Option<Arc<Codes>>,
}

/// Codes with the days on which each is valid, first and last, since 1970-01-01.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// By code; a code that came back has several spans.
    pub spans: BTreeMap<String, Vec<(i32, i32)>>,
}

impl fmt::Debug for Codes {
    /// Short, and different for every other list: contracts are compared by this text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.spans.hash(&mut hasher);
        write!(
            formatter,
            "{} codes {:016x}",
            self.spans.len(),
            hasher.finish()
        )
    }
}
