//! From a raw table to a safe one.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::complementary::{Line, Weight, suppress_complements};
use crate::rules::{Dominance, Measure, Rules};
use crate::value::{Cell, CellValue, Reason, SuppressedCell, SuppressionReport};

/// A query's result, not yet checked. Never give this to a template.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTable {
    /// Name of the table, for messages.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<CellValue>>,
}

/// A table that may be published. Only this crate makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeTable {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    report: SuppressionReport,
}

impl SafeTable {
    /// Name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the published columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Rows, each as long as the columns.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// What was suppressed and why; for the operator.
    #[must_use]
    pub fn report(&self) -> &SuppressionReport {
        &self.report
    }

    /// Position of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Why a table cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// A rule names a column the query does not return.
    #[error(
        "table {table} has no column {column}: name it in the query or take it out of the rules"
    )]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column is neither dimension nor count, measure, derived or hidden.
    #[error("column {column} of table {table} has no role: declare it before it can be published")]
    Unclassified {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A row is shorter or longer than the list of columns.
    #[error("row {row} of table {table} has {found} values for {expected} columns")]
    RowLength {
        /// The table.
        table: String,
        /// Position of the row.
        row: usize,
        /// Values in the row.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
    /// Two rows have the same dimensions.
    #[error(
        "rows {first} and {second} of table {table} have the same dimensions: state the grain in the query"
    )]
    RepeatedKey {
        /// The table.
        table: String,
        /// Position of the earlier row.
        first: usize,
        /// Position of the later row.
        second: usize,
    },
    /// A count or a contributor count is negative or not a whole number.
    #[error("row {row} of table {table}: column {column} is not a count")]
    NotACount {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Position of the row.
        row: usize,
    },
    /// Nothing is left to suppress, and a figure could still be recomputed.
    #[error("table {table} cannot be protected in column {column}: publish it at a coarser grain")]
    CannotProtect {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

/// Checks a table of figures about persons or workplaces and suppresses what may not be shown.
///
/// # Errors
/// When the table does not fit the rules, or cannot be protected at this grain.
pub fn protect(raw: RawTable, rules: &Rules) -> Result<SafeTable, DisclosureError> {
    let shape = Shape::read(&raw, rules)?;
    let mut reasons: BTreeMap<usize, Vec<Option<Reason>>> = BTreeMap::new();

    for name in &rules.counts {
        let column = shape.position(name)?;
        let contributors = shape.contributors(name)?;
        let primary = small_counts(&contributors, rules.min_count);
        let pattern = shape.complete(name, column, &contributors, primary, rules.min_count)?;
        reasons.insert(column, pattern);
    }
    for measure in &rules.measures {
        let column = shape.position(&measure.column)?;
        let contributors = shape.contributors(&measure.contributors)?;
        let mut primary = small_counts(&contributors, rules.min_count);
        for (row, mine) in primary.iter_mut().enumerate() {
            // Nobody is known to stand behind a magnitude that is there: unknown is not safe.
            let unfounded = contributors[row].unwrap_or_default() == 0;
            if unfounded && !raw.rows[row][column].is_zero() {
                *mine = Some(Reason::SmallCount);
            }
        }
        // The published number of contributors and the magnitude must not give each other away: same pattern to start.
        if let Some(pattern) = reasons.get(&shape.position(&measure.contributors)?) {
            for (mine, theirs) in primary.iter_mut().zip(pattern) {
                *mine = mine.or(*theirs);
            }
        }
        let largest = largest_columns(&shape, measure)?;
        for (row, mine) in primary.iter_mut().enumerate() {
            if mine.is_none() && is_dominated(&raw.rows[row], column, &largest, &rules.dominance) {
                *mine = Some(Reason::Dominance);
            }
        }
        let pattern = shape.complete(
            &measure.column,
            column,
            &contributors,
            primary,
            rules.min_count,
        )?;
        reasons.insert(column, pattern);
    }
    for derived in &rules.derived {
        let column = shape.position(&derived.column)?;
        let mut pattern = vec![None; raw.rows.len()];
        for source in &derived.from {
            let source = shape.position(source)?;
            if let Some(theirs) = reasons.get(&source) {
                for (mine, theirs) in pattern.iter_mut().zip(theirs) {
                    if theirs.is_some() {
                        *mine = Some(Reason::Derived);
                    }
                }
            }
        }
        reasons.insert(column, pattern);
    }
    Ok(build(raw, rules, &reasons))
}

/// Takes over figures that their provider has already published (open data, law tables, delivery statistics of this
/// warehouse): nothing is suppressed, and the caller answers for the claim.
///
/// # Errors
/// When a row does not fit the columns.
pub fn publish_open_data(raw: RawTable) -> Result<SafeTable, DisclosureError> {
    check_row_lengths(&raw)?;
    let mut cells = 0;
    let rows = raw
        .rows
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|value| {
                    cells += usize::from(!value.is_missing());
                    shown(value)
                })
                .collect()
        })
        .collect();
    Ok(SafeTable {
        name: raw.name,
        columns: raw.columns,
        rows,
        report: SuppressionReport {
            min_count: None,
            cells,
            suppressed: Vec::new(),
        },
    })
}

/// A table's structure under the rules: where the columns are and which sums readers know.
struct Shape<'a> {
    raw: &'a RawTable,
    positions: BTreeMap<&'a str, usize>,
    lines: Vec<Line>,
}

impl<'a> Shape<'a> {
    fn read(raw: &'a RawTable, rules: &Rules) -> Result<Self, DisclosureError> {
        check_row_lengths(raw)?;
        let positions: BTreeMap<&str, usize> = raw
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| (column.as_str(), index))
            .collect();
        let mut shape = Self {
            raw,
            positions,
            lines: Vec::new(),
        };
        shape.check_roles(rules)?;
        shape.lines = shape.known_sums(rules)?;
        Ok(shape)
    }

    fn position(&self, column: &str) -> Result<usize, DisclosureError> {
        self.positions
            .get(column)
            .copied()
            .ok_or_else(|| DisclosureError::MissingColumn {
                table: self.raw.name.clone(),
                column: column.to_owned(),
            })
    }

    fn check_roles(&self, rules: &Rules) -> Result<(), DisclosureError> {
        let mut classified: BTreeSet<&str> = BTreeSet::new();
        classified.extend(
            rules
                .dimensions
                .iter()
                .map(|dimension| dimension.column.as_str()),
        );
        classified.extend(rules.counts.iter().map(String::as_str));
        classified.extend(rules.measures.iter().map(|measure| measure.column.as_str()));
        classified.extend(rules.derived.iter().map(|derived| derived.column.as_str()));
        classified.extend(rules.hidden.iter().map(String::as_str));
        for column in &classified {
            self.position(column)?;
        }
        match self
            .raw
            .columns
            .iter()
            .find(|column| !classified.contains(column.as_str()))
        {
            Some(column) => Err(DisclosureError::Unclassified {
                table: self.raw.name.clone(),
                column: column.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Every sum over additive dimensions that readers may know. Where the table has total rows, they are part of the
    /// sum; where it has none, the total is taken to be published elsewhere, over each set of additive dimensions.
    fn known_sums(&self, rules: &Rules) -> Result<Vec<Line>, DisclosureError> {
        let mut keys = Vec::with_capacity(rules.dimensions.len());
        for dimension in &rules.dimensions {
            let column = self.position(&dimension.column)?;
            keys.push(
                self.raw
                    .rows
                    .iter()
                    .map(|row| row[column].to_plain_text())
                    .collect::<Vec<_>>(),
            );
        }
        self.check_grain(&keys)?;
        let has_totals: Vec<bool> = rules
            .dimensions
            .iter()
            .zip(&keys)
            .map(|(dimension, members)| {
                dimension
                    .total
                    .as_ref()
                    .is_some_and(|total| members.contains(total))
            })
            .collect();
        let additive: Vec<usize> = (0..rules.dimensions.len())
            .filter(|index| rules.dimensions[*index].additive)
            .collect();

        let mut lines = Vec::new();
        for subset in 1..1usize << additive.len() {
            let summed: Vec<usize> = additive
                .iter()
                .enumerate()
                .filter(|(bit, _)| subset >> bit & 1 == 1)
                .map(|(_, dimension)| *dimension)
                .collect();
            // Sums over several dimensions follow from the total rows, where there are any.
            if summed.len() > 1 && summed.iter().any(|dimension| has_totals[*dimension]) {
                continue;
            }
            let mut groups: BTreeMap<Vec<&str>, Line> = BTreeMap::new();
            for row in 0..self.raw.rows.len() {
                let group: Vec<&str> = (0..keys.len())
                    .filter(|dimension| !summed.contains(dimension))
                    .map(|dimension| keys[dimension][row].as_str())
                    .collect();
                let line = groups.entry(group).or_insert(Line {
                    members: Vec::new(),
                    total: None,
                });
                let is_total = summed.iter().any(|dimension| {
                    rules.dimensions[*dimension].total.as_deref()
                        == Some(keys[*dimension][row].as_str())
                });
                if is_total {
                    line.total = Some(row);
                } else {
                    line.members.push(row);
                }
            }
            lines.extend(groups.into_values().filter(|line| !line.members.is_empty()));
        }
        Ok(lines)
    }

    fn check_grain(&self, keys: &[Vec<String>]) -> Result<(), DisclosureError> {
        let mut seen: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
        for row in 0..self.raw.rows.len() {
            let key: Vec<&str> = keys.iter().map(|members| members[row].as_str()).collect();
            if let Some(first) = seen.insert(key, row) {
                return Err(DisclosureError::RepeatedKey {
                    table: self.raw.name.clone(),
                    first,
                    second: row,
                });
            }
        }
        Ok(())
    }

    /// Number of contributors of each row by this column; `None` where it is missing.
    fn contributors(&self, column: &str) -> Result<Vec<Option<u64>>, DisclosureError> {
        let position = self.position(column)?;
        self.raw
            .rows
            .iter()
            .enumerate()
            .map(|(row, values)| {
                let value = &values[position];
                if value.is_missing() {
                    return Ok(None);
                }
                value
                    .as_i128()
                    .and_then(|count| u64::try_from(count).ok())
                    .map(Some)
                    .ok_or_else(|| DisclosureError::NotACount {
                        table: self.raw.name.clone(),
                        column: column.to_owned(),
                        row,
                    })
            })
            .collect()
    }

    /// Adds complementary suppression to the primary one.
    fn complete(
        &self,
        name: &str,
        column: usize,
        contributors: &[Option<u64>],
        primary: Vec<Option<Reason>>,
        min_count: u64,
    ) -> Result<Vec<Option<Reason>>, DisclosureError> {
        let weights: Vec<Weight> = contributors
            .iter()
            .enumerate()
            .map(|(row, count)| Weight {
                contributors: count.unwrap_or_default(),
                missing: self.raw.rows[row][column].is_missing(),
            })
            .collect();
        // A total published elsewhere is suppressed there by the same rule when it is small; it then tells nothing.
        let lines: Vec<Line> = self
            .lines
            .iter()
            .filter(|line| {
                let sum: u64 = line
                    .members
                    .iter()
                    .map(|cell| weights[*cell].contributors)
                    .sum();
                line.total.is_some() || sum >= min_count
            })
            .cloned()
            .collect();
        let mut suppressed: Vec<bool> = (0..weights.len())
            .map(|row| primary[row].is_some() && !weights[row].missing)
            .collect();
        suppress_complements(&lines, &weights, &mut suppressed, min_count).map_err(|_| {
            DisclosureError::CannotProtect {
                table: self.raw.name.clone(),
                column: name.to_owned(),
            }
        })?;
        Ok(suppressed
            .into_iter()
            .zip(primary)
            .map(|(suppressed, primary)| {
                suppressed.then_some(primary.unwrap_or(Reason::Complementary))
            })
            .collect())
    }
}

fn check_row_lengths(raw: &RawTable) -> Result<(), DisclosureError> {
    match raw
        .rows
        .iter()
        .position(|row| row.len() != raw.columns.len())
    {
        Some(row) => Err(DisclosureError::RowLength {
            table: raw.name.clone(),
            row,
            found: raw.rows[row].len(),
            expected: raw.columns.len(),
        }),
        None => Ok(()),
    }
}

fn small_counts(contributors: &[Option<u64>], min_count: u64) -> Vec<Option<Reason>> {
    contributors
        .iter()
        .map(|count| match count {
            Some(count) if *count > 0 && *count < min_count => Some(Reason::SmallCount),
            _ => None,
        })
        .collect()
}

fn largest_columns(shape: &Shape<'_>, measure: &Measure) -> Result<Vec<usize>, DisclosureError> {
    measure
        .largest
        .iter()
        .map(|column| shape.position(column))
        .collect()
}

/// The (n, k) rule and the p % rule on one cell; `false` when the largest contributors are not given.
fn is_dominated(row: &[CellValue], column: usize, largest: &[usize], rule: &Dominance) -> bool {
    let Some(total) = row[column].as_f64().filter(|total| *total > 0.0) else {
        return false;
    };
    let contributions: Vec<f64> = largest
        .iter()
        .map(|position| row[*position].as_f64().unwrap_or_default())
        .collect();
    let Some(first) = contributions.first().copied() else {
        return false;
    };
    let top: f64 = contributions.iter().take(rule.largest).sum();
    let second = contributions.get(1).copied().unwrap_or_default();
    let remainder = total - first - second;
    top * 100.0 > f64::from(rule.share_percent) * total
        || remainder * 100.0 < f64::from(rule.p_percent) * first
}

fn shown(value: CellValue) -> Cell {
    if value.is_missing() {
        Cell::NotAvailable
    } else if value.is_zero() {
        Cell::Zero
    } else {
        Cell::Value(value)
    }
}

fn build(
    raw: RawTable,
    rules: &Rules,
    reasons: &BTreeMap<usize, Vec<Option<Reason>>>,
) -> SafeTable {
    let published: Vec<usize> = (0..raw.columns.len())
        .filter(|index| !rules.hidden.contains(&raw.columns[*index]))
        .collect();
    let mut report = SuppressionReport {
        min_count: Some(rules.min_count),
        ..SuppressionReport::default()
    };
    let mut rows = Vec::with_capacity(raw.rows.len());
    for (index, mut values) in raw.rows.into_iter().enumerate() {
        let mut row = Vec::with_capacity(published.len());
        for column in &published {
            let value = std::mem::replace(&mut values[*column], CellValue::Null);
            let Some(pattern) = reasons.get(column) else {
                row.push(if value.is_missing() {
                    Cell::NotAvailable
                } else {
                    Cell::Value(value)
                });
                continue;
            };
            report.cells += usize::from(!value.is_missing());
            match pattern[index] {
                Some(reason) if !value.is_missing() => {
                    report.suppressed.push(SuppressedCell {
                        row: index,
                        column: raw.columns[*column].clone(),
                        reason,
                    });
                    row.push(Cell::Suppressed);
                }
                _ => row.push(shown(value)),
            }
        }
        rows.push(row);
    }
    SafeTable {
        name: raw.name,
        columns: published
            .iter()
            .map(|index| raw.columns[*index].clone())
            .collect(),
        rows,
        report,
    }
}
