//! Accepted rows as they were delivered, kept for as long as a row can still be set aside.

use zeroize::Zeroizing;

use super::Cell;

/// The cells of the rows of a part, in the order of the contract's columns.
#[derive(Default)]
pub(crate) struct RawCells {
    columns: usize,
    /// Where each kept row stands among those taken down; rows that were set aside are gone.
    rows: Vec<u32>,
    taken: u32,
    bytes: Zeroizing<Vec<u8>>,
    /// Behind each cell; [`MISSING`] marks one that holds nothing.
    ends: Vec<u32>,
    /// Cells that break a rule of the format, by position.
    broken: Vec<(usize, &'static str)>,
}

const MISSING: u32 = 1 << 31;

impl RawCells {
    /// Takes down a row that was accepted.
    pub fn push<'r>(&mut self, columns: usize, cell: &impl Fn(usize) -> Cell<'r>) {
        self.columns = columns;
        for column in 0..columns {
            let missing = match cell(column) {
                Cell::Missing => MISSING,
                Cell::Raw(raw) => {
                    self.bytes.extend_from_slice(raw);
                    0
                }
                Cell::Broken(rule, raw) => {
                    self.bytes.extend_from_slice(raw);
                    self.broken.push((self.ends.len(), rule));
                    0
                }
            };
            let end = u32::try_from(self.bytes.len()).unwrap_or(MISSING - 1);
            self.ends.push(end | missing);
        }
        self.rows.push(self.taken);
        self.taken += 1;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What stood in a column of a row.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let Some(taken) = self.rows.get(row) else {
            return Cell::Missing;
        };
        let position = *taken as usize * self.columns + column;
        let end = self.ends[position];
        if end & MISSING != 0 {
            return Cell::Missing;
        }
        let start = match position.checked_sub(1) {
            Some(before) => self.ends[before] & !MISSING,
            None => 0,
        };
        let raw = &self.bytes[start as usize..end as usize];
        match self.broken.binary_search_by_key(&position, |(at, _)| *at) {
            Ok(found) => Cell::Broken(self.broken[found].1, raw),
            Err(_) => Cell::Raw(raw),
        }
    }

    /// Forgets the rows that are not kept.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut kept = keep.iter();
        self.rows.retain(|_| kept.next().copied().unwrap_or(true));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_left_after_others_went_keep_their_cells() {
        let mut cells = RawCells::default();
        for row in 0..3u8 {
            let text = [b'a' + row];
            cells.push(3, &|column| match column {
                0 => Cell::Raw(&text),
                1 if row == 1 => Cell::Broken("nested", b"{}"),
                _ => Cell::Missing,
            });
        }
        cells.retain(&[false, true, true]);
        assert!(matches!(cells.cell(0, 0), Cell::Raw(b"b")));
        assert!(matches!(cells.cell(0, 1), Cell::Broken("nested", b"{}")));
        assert!(matches!(cells.cell(1, 0), Cell::Raw(b"c")));
        assert!(matches!(cells.cell(1, 2), Cell::Missing));
        assert!(matches!(cells.cell(2, 0), Cell::Missing));
    }
}
