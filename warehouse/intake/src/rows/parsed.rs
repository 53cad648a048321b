//! What comes out of reading a part of a file: rows, quarantine, control sums and identities.

use arrow_array::RecordBatch;
use zeroize::Zeroize;

use super::{OriginalRecord, RawCells};
use crate::identity::{OpaqueDigest, OpaqueInput, PersonDigest};

/// A record that went to quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Record number in its chunk, from 0.
    pub(crate) record: u32,
    /// Column whose value breaks the rule, empty when the record as a whole does.
    pub column: String,
    /// The rule.
    pub rule: &'static str,
    /// The value as delivered; `[masked]` where it may identify a person.
    pub raw_value: Option<String>,
    /// Its value of the column whose sums are reconciled, when it could be read.
    pub(crate) won: Option<i128>,
    /// The record as delivered, for the vault.
    pub(crate) original: OriginalRecord,
}

/// Sums of one control column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlSum {
    /// Over accepted rows.
    pub accepted: i128,
    /// Over quarantined rows whose value could be read.
    pub quarantined: i128,
    /// Over rows of persons who are to be forgotten.
    pub forgotten: i128,
    /// Quarantined rows whose value could not be read.
    pub unreadable: u64,
}

/// A resident number on its way to the vault.
#[derive(Clone, Copy)]
pub(crate) struct PersonEntry {
    pub digest: PersonDigest,
    /// The 13 digits as a number.
    pub number: u64,
}

/// A name or contact on its way to the vault.
#[derive(Clone)]
pub(crate) struct DetailEntry {
    pub person: PersonDigest,
    pub kind: u8,
    pub value: String,
}

/// A provider's opaque digest on its way to the vault.
#[derive(Clone, Copy)]
pub(crate) struct OpaqueEntry {
    pub digest: OpaqueDigest,
    pub input: OpaqueInput,
}

/// Kinds of [`DetailEntry`].
pub(crate) const DETAIL_NAME: u8 = 1;
pub(crate) const DETAIL_CONTACT: u8 = 2;
/// Longest name or contact the vault stores, in bytes of UTF-8.
pub(crate) const DETAIL_BYTES: usize = 254;

/// Personal values on their way to the vault; wiped when dropped.
#[derive(Default)]
pub(crate) struct Identities {
    pub persons: Vec<PersonEntry>,
    pub details: Vec<DetailEntry>,
    pub opaques: Vec<OpaqueEntry>,
}

impl Drop for Identities {
    fn drop(&mut self) {
        for person in &mut self.persons {
            person.number.zeroize();
        }
        for detail in &mut self.details {
            detail.value.zeroize();
        }
    }
}

/// Typed rows of a part of a file with everything that did not become a row.
pub(crate) struct ParsedRows {
    /// Columns of the plan's value schema.
    pub batch: RecordBatch,
    /// Record number in the chunk of each accepted row.
    pub records: Vec<u32>,
    /// Rule names of accepted rows, by row.
    pub flags: Vec<(u32, String)>,
    pub quarantined: Vec<QuarantinedRow>,
    pub control: Vec<ControlSum>,
    pub identities: Identities,
    /// Rows of persons who are to be forgotten: neither accepted nor quarantined.
    pub forgotten: u64,
    /// Rows offered, accepted or not.
    pub delivered: u64,
    /// Records of the file that were read; unpivot makes several rows of one.
    pub record_count: u64,
    /// Rows whose day lies outside the delivery's period, whatever became of them.
    pub outside_period: u64,
    /// Hash of each accepted row's key, empty when nothing must be unique.
    pub key_hashes: Vec<u128>,
    /// Persons, details and digests up to each accepted row, empty when no row can be set aside.
    pub identity_ends: Vec<[u32; 3]>,
    /// The accepted rows as delivered, empty when no row can be set aside any more.
    pub raw_cells: RawCells,
}
