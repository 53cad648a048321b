//! Rows of persons who are to be forgotten: neither accepted nor quarantined, but counted.

use goyong_catalog::contract::ColumnType;
use goyong_types::ResidentNumber;

use super::{Cell, RowBuilder};

impl RowBuilder<'_> {
    /// Takes back the row just read: a person in it is to be forgotten.
    pub(super) fn forget_row(&mut self) {
        for (sum, index) in self.control.iter_mut().zip(&self.plan.control) {
            if let Some(output) = self.plan.columns[*index].output {
                sum.forgotten += self.buffers[output].last_exact();
            }
        }
        self.take_back_row();
        self.forgotten += 1;
    }

    /// Whether a row that breaks a rule is of a person who is to be forgotten: it must not come to
    /// rest in quarantine either.
    pub(super) fn names_forgotten<'r>(&self, cell: &impl Fn(usize) -> Cell<'r>) -> bool {
        let Some(forgotten) = &self.context.forgotten else {
            return false;
        };
        let mut columns = self.plan.columns.iter().enumerate();
        columns.any(|(index, column)| {
            column.kind == ColumnType::ResidentNumber
                && matches!(cell(index), Cell::Raw(raw)
                    if ResidentNumber::parse(raw.trim_ascii())
                        .is_ok_and(|number| forgotten.contains(number.digits())))
        })
    }

    /// Counts it, with what can be read of its sums.
    pub(super) fn forget_broken_row<'r>(&mut self, cell: &impl Fn(usize) -> Cell<'r>) {
        let before = self.control.clone();
        self.count_control_of_quarantined(cell);
        for (sum, before) in self.control.iter_mut().zip(&before) {
            sum.forgotten += sum.quarantined - before.quarantined;
            sum.quarantined = before.quarantined;
        }
        self.forgotten += 1;
    }
}
