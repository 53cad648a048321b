//! A table's structure: roles of its columns, and the sums that readers know.

use std::collections::{BTreeMap, BTreeSet};

use crate::complementary::{Line, Weight, suppress_complements};
use crate::error::DisclosureError;
use crate::protect::RawTable;
use crate::rules::Rules;
use crate::value::Reason;

/// A table's structure under the rules: where the columns are and which sums readers know.
pub(crate) struct Shape<'a> {
    raw: &'a RawTable,
    positions: BTreeMap<&'a str, usize>,
    lines: Vec<Line>,
}

impl<'a> Shape<'a> {
    pub(crate) fn read(raw: &'a RawTable, rules: &Rules) -> Result<Self, DisclosureError> {
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

    pub(crate) fn position(&self, column: &str) -> Result<usize, DisclosureError> {
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
    pub(crate) fn contributors(&self, column: &str) -> Result<Vec<Option<u64>>, DisclosureError> {
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
    pub(crate) fn complete(
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

pub(crate) fn check_row_lengths(raw: &RawTable) -> Result<(), DisclosureError> {
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
