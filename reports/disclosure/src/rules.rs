//! How a table is to be read and protected.

use serde::{Deserialize, Serialize};

/// The least number of contributors of a published cell unless a table asks for more.
pub const DEFAULT_MIN_COUNT: u64 = 5;

/// The roles of a table's columns and the thresholds to apply. Every column must have a role: a column that nobody
/// classified is refused, not published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rules {
    /// A shown cell has at least this many contributors.
    pub min_count: u64,
    /// Columns that say what a row is about; together they are the table's key.
    pub dimensions: Vec<Dimension>,
    /// Columns that count persons, workplaces or cases: each its own number of contributors.
    pub counts: Vec<String>,
    /// Columns of magnitudes: won, days, weighted estimates.
    pub measures: Vec<Measure>,
    /// Rates and means computed from other columns of the same row.
    pub derived: Vec<Derived>,
    /// Columns used here only (contributor counts, largest contributors) and not published.
    pub hidden: Vec<String>,
    /// The (n, k) and p % rules; applied to measures that give their largest contributors.
    pub dominance: Dominance,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            min_count: DEFAULT_MIN_COUNT,
            dimensions: Vec::new(),
            counts: Vec::new(),
            measures: Vec::new(),
            derived: Vec::new(),
            hidden: Vec::new(),
            dominance: Dominance::default(),
        }
    }
}

/// A column that says what a row is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dimension {
    /// Name of the column.
    pub column: String,
    /// Whether sums over its members are known to readers, from total rows of this table or from another publication.
    pub additive: bool,
    /// The member that stands for the total, where the table has total rows.
    pub total: Option<String>,
}

impl Dimension {
    /// A dimension over which nobody knows a total, such as the month of a stock.
    #[must_use]
    pub fn new(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            additive: false,
            total: None,
        }
    }

    /// A dimension whose members add up to a total that readers know.
    #[must_use]
    pub fn additive(column: impl Into<String>) -> Self {
        Self {
            additive: true,
            ..Self::new(column)
        }
    }

    /// The same dimension with the name of its total member.
    #[must_use]
    pub fn with_total(self, member: impl Into<String>) -> Self {
        Self {
            total: Some(member.into()),
            ..self
        }
    }
}

/// A column of magnitudes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Name of the column.
    pub column: String,
    /// The column that counts who contributes to it.
    pub contributors: String,
    /// Columns with the contribution of the largest contributor, the second largest and so on; may be empty.
    #[serde(default)]
    pub largest: Vec<String>,
}

/// A rate or mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Name of the column.
    pub column: String,
    /// The columns it is computed from.
    pub from: Vec<String>,
}

/// Dominance thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dominance {
    /// The n of the (n, k) rule: so many of the largest contributors …
    pub largest: usize,
    /// … may make up at most this many per cent of the cell (the k).
    pub share_percent: u32,
    /// The p of the p % rule: without the two largest, at least p per cent of the largest must remain.
    pub p_percent: u32,
}

impl Default for Dominance {
    fn default() -> Self {
        Self {
            largest: 2,
            share_percent: 85,
            p_percent: 10,
        }
    }
}
