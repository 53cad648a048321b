//! Takes rows out of a parsed part again, so that nothing of them stays behind: no identity, no
//! share in an accepted sum.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type};
use arrow_array::{Array, BooleanArray};
use arrow_schema::DataType;
use zeroize::Zeroize;

use super::checks::add_flag;
use super::{OriginalRecord, ParsedRows, QuarantinedRow};
use crate::error::IntakeError;
use crate::identity::PersonHasher;
use crate::plan::Plan;
use crate::row_checks::BrokenAt;

impl ParsedRows {
    /// Moves rows, given in row order and each once, from the accepted to the quarantined.
    pub(crate) fn set_aside(
        &mut self,
        plan: &Plan,
        hasher: Option<&PersonHasher>,
        broken: Vec<BrokenAt>,
    ) -> Result<(), IntakeError> {
        if broken.is_empty() {
            return Ok(());
        }
        let mut keep = vec![true; self.batch.num_rows()];
        for row in &broken {
            keep[row.row as usize] = false;
        }
        self.move_sums(plan, &broken);
        self.forget_identities(&keep);
        let mut renumbered = 0;
        let positions: Vec<u32> = keep
            .iter()
            .map(|kept| {
                let position = renumbered;
                renumbered += u32::from(*kept);
                position
            })
            .collect();
        self.flags.retain_mut(|(row, _)| {
            let kept = keep[*row as usize];
            *row = positions[*row as usize];
            kept
        });
        let reconciled = plan
            .reconciled_column()
            .and_then(|index| plan.columns[index].output);
        for row in broken {
            let number = row.row as usize;
            let cell = |column| self.raw_cells.cell(number, column);
            self.quarantined.push(QuarantinedRow {
                record: self.records[number],
                column: row.column,
                rule: row.rule,
                raw_value: row.raw_value,
                won: reconciled.map(|output| exact(self.batch.column(output).as_ref(), number)),
                original: OriginalRecord::new(plan, hasher, None, None, &cell),
            });
        }
        self.raw_cells.retain(&keep);
        self.quarantined.sort_by_key(|row| row.record);
        retain(&mut self.records, &keep);
        retain(&mut self.key_hashes, &keep);
        let mask = BooleanArray::from(keep);
        self.batch =
            arrow_select::filter::filter_record_batch(&self.batch, &mask).map_err(|error| {
                IntakeError::Arrow {
                    source_name: plan.source().to_owned(),
                    source: error,
                }
            })?;
        Ok(())
    }

    fn move_sums(&mut self, plan: &Plan, broken: &[BrokenAt]) {
        for (sum, index) in self.control.iter_mut().zip(&plan.control) {
            let Some(output) = plan.columns[*index].output else {
                continue;
            };
            let array = self.batch.column(output).as_ref();
            for row in broken {
                let value = exact(array, row.row as usize);
                sum.accepted -= value;
                sum.quarantined += value;
            }
        }
    }

    /// The vault must not learn a number whose row was not accepted.
    fn forget_identities(&mut self, keep: &[bool]) {
        if self.identity_ends.is_empty() {
            return;
        }
        let (mut persons, mut details, mut opaques) = (0, 0, 0);
        let mut ends = Vec::with_capacity(self.identity_ends.len());
        let (mut kept_persons, mut kept_details, mut kept_opaques) = (0, 0, 0);
        for (row, row_ends) in self.identity_ends.iter().enumerate() {
            let [persons_end, details_end, opaques_end] = row_ends.map(|end| end as usize);
            if keep[row] {
                for index in persons..persons_end {
                    self.identities.persons.swap(kept_persons, index);
                    kept_persons += 1;
                }
                for index in details..details_end {
                    self.identities.details.swap(kept_details, index);
                    kept_details += 1;
                }
                for index in opaques..opaques_end {
                    self.identities.opaques.swap(kept_opaques, index);
                    kept_opaques += 1;
                }
                ends.push([kept_persons, kept_details, kept_opaques].map(|end| end as u32));
            }
            persons = persons_end;
            details = details_end;
            opaques = opaques_end;
        }
        for person in self.identities.persons.drain(kept_persons..) {
            let mut number = person.number;
            number.zeroize();
        }
        for mut detail in self.identities.details.drain(kept_details..) {
            detail.value.zeroize();
        }
        self.identities.opaques.truncate(kept_opaques);
        self.identity_ends = ends;
    }

    /// Adds rule names, in row order, to the rows' flags.
    pub(crate) fn add_flags(&mut self, flags: Vec<(u32, &'static str)>) {
        if flags.is_empty() {
            return;
        }
        let earlier = std::mem::take(&mut self.flags);
        let mut merged: Vec<(u32, String)> = Vec::with_capacity(earlier.len() + flags.len());
        let mut add = |row: u32, flag: Cow<'_, str>| match merged.last_mut() {
            Some((last, text)) if *last == row => add_flag(text, &flag),
            _ => merged.push((row, flag.into_owned())),
        };
        let mut earlier = earlier.into_iter().peekable();
        for (row, flag) in flags {
            while let Some((before, text)) = earlier.next_if(|(before, _)| *before <= row) {
                add(before, text.into());
            }
            add(row, flag.into());
        }
        for (row, text) in earlier {
            add(row, text.into());
        }
        self.flags = merged;
    }
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    if values.is_empty() {
        return;
    }
    let mut kept = keep.iter();
    values.retain(|_| kept.next().copied().unwrap_or(true));
}

/// A value of a control column; a null counts as nothing.
fn exact(array: &dyn Array, row: usize) -> i128 {
    if array.is_null(row) {
        return 0;
    }
    match array.data_type() {
        DataType::Int32 => i128::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => i128::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        _ => 0,
    }
}
