//! What stands in a cell, before and after the check.

use chrono::NaiveDate;
use serde::Serialize;

/// A value as it comes from a query: plain, exact, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub enum CellValue {
    /// No value.
    Null,
    /// Text, a code or a name.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal: `unscaled / 10^scale`.
    Decimal {
        /// The digits without the decimal point.
        unscaled: i128,
        /// How many of them stand behind it.
        scale: u8,
    },
    /// A floating-point number; only for ratios and estimates, never for money.
    Float(f64),
    /// A day; months are their first day.
    Date(NaiveDate),
}

impl CellValue {
    /// The value as a floating-point number, for charts and ratios; `None` for text, dates and nulls.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Decimal { unscaled, scale } => {
                Some(*unscaled as f64 / 10f64.powi(i32::from(*scale)))
            }
            Self::Float(value) => Some(*value),
            Self::Null | Self::Text(_) | Self::Date(_) => None,
        }
    }

    /// The value rounded to a whole number (half away from zero); `None` for text, dates, nulls and what is not finite.
    #[must_use]
    pub fn as_i128(&self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some(i128::from(*value)),
            Self::Decimal { unscaled, scale } => {
                let divisor = 10i128.checked_pow(u32::from(*scale))?;
                let half = divisor / 2 * unscaled.signum();
                Some(unscaled.checked_add(half)? / divisor)
            }
            Self::Float(value) if value.is_finite() => Some(value.round() as i128),
            _ => None,
        }
    }

    /// The value as plain text, locale-free: digits with a point, dates as `2025-12-31`, nothing for null.
    #[must_use]
    pub fn to_plain_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
            Self::Float(value) => format!("{value}"),
            Self::Date(date) => date.format("%Y-%m-%d").to_string(),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Integer(value) => *value == 0,
            Self::Decimal { unscaled, .. } => *unscaled == 0,
            Self::Float(value) => *value == 0.0,
            Self::Null | Self::Text(_) | Self::Date(_) => false,
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Float(value) if !value.is_finite())
    }
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let scale = usize::from(scale);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// A cell of a published table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A value that may be shown.
    Value(CellValue),
    /// Counted, and there is none.
    Zero,
    /// There is a figure, and it may not be shown.
    Suppressed,
    /// There is no figure.
    NotAvailable,
}

impl Cell {
    /// The number shown in this cell: the value, or zero; `None` where nothing may or can be shown.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Value(value) => value.as_f64(),
            Self::Zero => Some(0.0),
            Self::Suppressed | Self::NotAvailable => None,
        }
    }

    /// The text of a dimension cell, empty where there is none.
    #[must_use]
    pub fn to_plain_text(&self) -> String {
        match self {
            Self::Value(value) => value.to_plain_text(),
            Self::Zero => "0".to_owned(),
            Self::Suppressed | Self::NotAvailable => String::new(),
        }
    }
}

/// Why a cell was suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Fewer contributors than `min_count`.
    SmallCount,
    /// Its largest contributors could be estimated from it.
    Dominance,
    /// Not sensitive itself: it protects another cell from subtraction.
    Complementary,
    /// Made from a suppressed cell.
    Derived,
}

/// One suppressed cell: where and why. For the operator, never for a page: the reason itself narrows the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SuppressedCell {
    /// Position of the row in the table.
    pub row: usize,
    /// Name of the column.
    pub column: String,
    /// The rule that suppressed it.
    pub reason: Reason,
}

/// What was suppressed in a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SuppressionReport {
    /// The least number of contributors of a shown cell; `None` for open data.
    pub min_count: Option<u64>,
    /// Number of cells that could have been shown or suppressed (no dimensions, no missing values).
    pub cells: usize,
    /// The suppressed ones, in row and column order.
    pub suppressed: Vec<SuppressedCell>,
}

impl SuppressionReport {
    /// How many cells were suppressed for this reason.
    #[must_use]
    pub fn count(&self, reason: Reason) -> usize {
        self.suppressed
            .iter()
            .filter(|cell| cell.reason == reason)
            .count()
    }
}
