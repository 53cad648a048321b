//! The words of column lineage: what an edge says, and how edges of nested expressions combine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use goyong_types::TableName;
use serde::{Deserialize, Serialize};

/// Stands for every column: a source whose rows count whatever stands in them, or a target all of
/// whose columns are influenced.
pub const EVERY_COLUMN: &str = "*";

/// A column of a table, `*` for its rows as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnRef {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
}

impl ColumnRef {
    /// A column.
    pub fn new(table: &TableName, column: &str) -> Self {
        Self {
            table: table.clone(),
            column: column.to_owned(),
        }
    }
}

impl fmt::Display for ColumnRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.table, self.column)
    }
}

/// How a source column comes to a target column, in the words of OpenLineage's column lineage facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum How {
    /// Its values become values of the target (OpenLineage: DIRECT).
    Value(Transform, Carry),
    /// It decides which rows or which branch give the values (OpenLineage: INDIRECT).
    Influence(Influence),
}

/// What is done to a value on its way, the strongest step of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Taken as it is.
    Identity,
    /// Computed from values of the same row.
    Transformed,
    /// Computed over other rows by a window function.
    Windowed,
    /// Computed over a group of rows.
    Aggregated,
}

/// How much of a single source value can be read in the target, the least along the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carry {
    /// A value itself, or a function of one row's values.
    Whole,
    /// A figure of many values, which is the value itself where the group has one row.
    Total,
    /// How many values there are, or whether there is one.
    Count,
}

/// Why a column decides without giving its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Influence {
    /// Rows of two relations meet by it.
    Join,
    /// Rows are kept or dropped by it.
    Filter,
    /// Rows are put together by it.
    GroupBy,
    /// Rows are ordered by it.
    Sort,
    /// A window is parted or ordered by it.
    Window,
    /// A branch of `case` or `coalesce` is chosen by it.
    Conditional,
    /// The rows of the table count, whatever stands in them.
    Rows,
}

impl How {
    /// Taken as it is.
    pub const IDENTITY: Self = Self::Value(Transform::Identity, Carry::Whole);

    /// `value` or `influence`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Value(..) => "value",
            Self::Influence(_) => "influence",
        }
    }

    /// The transform or the influence, as a word.
    pub fn subtype(self) -> &'static str {
        match self {
            Self::Value(transform, _) => transform.as_str(),
            Self::Influence(influence) => influence.as_str(),
        }
    }

    /// Whether the source's value cannot be read in the target.
    pub fn is_masking(self) -> bool {
        matches!(self, Self::Value(_, Carry::Count))
    }

    /// The way of a value that went this way and then another.
    pub fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Value(first, kept), Self::Value(second, keeps)) => {
                Self::Value(first.max(second), kept.max(keeps))
            }
            (Self::Value(..), influence) => influence,
            (influence, _) => influence,
        }
    }
}

impl Transform {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Transformed => "transformed",
            Self::Windowed => "windowed",
            Self::Aggregated => "aggregated",
        }
    }
}

impl Carry {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Total => "total",
            Self::Count => "count",
        }
    }
}

impl Influence {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Filter => "filter",
            Self::GroupBy => "group_by",
            Self::Sort => "sort",
            Self::Window => "window",
            Self::Conditional => "conditional",
            Self::Rows => "rows",
        }
    }
}

/// Where something comes from: every source column with every way it takes.
pub type Sources = BTreeSet<(ColumnRef, How)>;

/// One column of a table and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnLineage {
    /// Name.
    pub name: String,
    /// The columns its values come from and those that choose between them.
    pub sources: Sources,
    /// The last expression that computed it; empty where it is only passed on.
    pub expression: String,
}

/// All columns of a table and where they come from, one step back: views are nodes of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLineage {
    /// The columns in order.
    pub columns: Vec<ColumnLineage>,
    /// What decides which rows there are, hence influences every column.
    pub rows: Sources,
}

impl TableLineage {
    /// A column.
    pub fn column(&self, name: &str) -> Option<&ColumnLineage> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Every edge: target column (`*` for all), source, way.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &ColumnRef, How)> {
        let of_columns = self.columns.iter().flat_map(|column| {
            let sources = column.sources.iter();
            sources.map(|(source, how)| (column.name.as_str(), source, *how))
        });
        let of_rows = self.rows.iter();
        of_columns.chain(of_rows.map(|(source, how)| (EVERY_COLUMN, source, *how)))
    }

    /// Source columns whose values a column holds, and how much of them.
    pub fn values_of(&self, column: &str) -> BTreeMap<&ColumnRef, Carry> {
        let column = self.column(column);
        column.map(ColumnLineage::values).unwrap_or_default()
    }
}

impl ColumnLineage {
    /// Source columns whose values the column holds, and how much of them.
    pub fn values(&self) -> BTreeMap<&ColumnRef, Carry> {
        let mut values = BTreeMap::new();
        for (source, how) in &self.sources {
            if let How::Value(_, carry) = how {
                let kept: &mut Carry = values.entry(source).or_insert(*carry);
                *kept = (*kept).min(*carry);
            }
        }
        values
    }
}
