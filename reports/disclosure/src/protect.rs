//! From a raw table to a safe one.

use std::collections::BTreeMap;

use crate::error::DisclosureError;
use crate::rules::{Dominance, Measure, Rules};
use crate::shape::{Shape, check_row_lengths};
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
