//! Input errors as real extracts have them.

use crate::deliver::layout::{Format, Source};
use crate::random::Random;

/// Kind of an injected error, named as the truth names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ErrorKind {
    /// Last digit of a resident number mistyped.
    RrnChecksum,
    /// Birth month 13 in a resident number.
    RrnBirthDate,
    /// A date that does not exist.
    Date,
    /// A sign before an amount.
    NegativeMoney,
    /// A byte that is no CP949.
    Undecodable,
    /// The same row twice.
    Duplicate,
}

impl ErrorKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RrnChecksum => "rrn_checksum",
            Self::RrnBirthDate => "rrn_birth_date",
            Self::Date => "bad_date",
            Self::NegativeMoney => "negative_money",
            Self::Undecodable => "undecodable_byte",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Errors per row, in all.
const RATE: f64 = 0.0016;

/// Share of each kind among errors.
const KINDS: [(ErrorKind, f64); 6] = [
    (ErrorKind::RrnChecksum, 5.0),
    (ErrorKind::RrnBirthDate, 2.0),
    (ErrorKind::Date, 2.0),
    (ErrorKind::NegativeMoney, 2.0),
    (ErrorKind::Undecodable, 1.0),
    (ErrorKind::Duplicate, 4.0),
];

/// Whether this row is struck, and by what; kinds the source cannot have strike nothing.
pub(crate) fn draw(random: &mut Random, source: Source) -> Option<ErrorKind> {
    if !random.chance(RATE) {
        return None;
    }
    let weights = KINDS.map(|(_, weight)| weight);
    let kind = KINDS[random.weighted(&weights)].0;
    let layout = source.layout();
    let possible = match kind {
        ErrorKind::RrnChecksum | ErrorKind::RrnBirthDate => layout.rrn_field.is_some(),
        ErrorKind::Date => layout.date_field.is_some(),
        ErrorKind::NegativeMoney => layout.money_field.is_some(),
        ErrorKind::Undecodable => layout.text_field.is_some(),
        ErrorKind::Duplicate => layout.duplicates,
    };
    possible.then_some(kind)
}

/// Bytes of a field of a row.
fn field(row: &[u8], source: Source, position: usize) -> Option<std::ops::Range<usize>> {
    if source.layout().format == Format::Fixed {
        const FIXED: [(usize, usize); 8] = [
            (0, 13),
            (13, 11),
            (24, 6),
            (30, 31),
            (61, 2),
            (63, 12),
            (75, 8),
            (83, 20),
        ];
        return FIXED.get(position).map(|(at, length)| *at..*at + *length);
    }
    let mut start = 0;
    for (index, part) in row
        .split(|byte| *byte == b',' || *byte == b'\n')
        .enumerate()
    {
        if index == position {
            return Some(start..start + part.len());
        }
        start += part.len() + 1;
    }
    None
}

/// Spoils the row that starts at `start` of `bytes`. Returns whether it could.
pub(crate) fn strike(bytes: &mut Vec<u8>, start: usize, source: Source, kind: ErrorKind) -> bool {
    let layout = source.layout();
    let position = match kind {
        ErrorKind::RrnChecksum | ErrorKind::RrnBirthDate => layout.rrn_field,
        ErrorKind::Date => layout.date_field,
        ErrorKind::NegativeMoney => layout.money_field,
        ErrorKind::Undecodable => layout.text_field,
        ErrorKind::Duplicate => None,
    };
    let Some(range) = position.and_then(|position| field(&bytes[start..], source, position)) else {
        return false;
    };
    let range = start + range.start..start + range.end;
    if range.is_empty() {
        return false;
    }
    match kind {
        ErrorKind::RrnChecksum => {
            let last = range.end - 1;
            bytes[last] = b'0' + (bytes[last] - b'0' + 3) % 10;
        }
        ErrorKind::RrnBirthDate => bytes[range.start + 2..range.start + 4].copy_from_slice(b"13"),
        ErrorKind::Date => bytes[range.end - 4..range.end].copy_from_slice(b"0231"),
        ErrorKind::NegativeMoney => {
            if bytes[range.start] == b'0' {
                return false;
            }
            bytes.insert(range.start, b'-');
        }
        ErrorKind::Undecodable => bytes[range.start] = 0xff,
        ErrorKind::Duplicate => return false,
    }
    true
}
