//! Rows of a delivery that repeat a key: the first counts, later ones go to quarantine.
//!
//! Keys are kept as 128-bit hashes under a seed of the delivery, in the order of the file, so the
//! outcome depends neither on the seed nor on threads. Up to a cap they stand in memory and later
//! rows are set aside as they come. Beyond it they go to unnamed temporary files, bucket by bucket;
//! repetitions found there make the file be read a second time, with those rows known.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::delivery::Tally;
use crate::error::IntakeError;
use crate::identity::PersonHasher;
use crate::plan::Plan;
use crate::read::FileReport;
use crate::row_checks::{BrokenAt, shown_row};
use crate::rows::ParsedRows;

/// Keys held in memory: as many as a table of 2^22 places takes, about 140 MB.
pub(crate) const KEYS_IN_MEMORY: usize = (1 << 22) / 8 * 7;
/// Temporary files of a spill.
const BUCKETS: usize = 256;
const BUCKET_BUFFER: usize = 32 << 10;
/// Bytes of a key and its row number in a bucket.
const ENTRY_BYTES: usize = 24;

/// The rule of a repeated key.
pub(crate) const DUPLICATE_KEY: &str = "duplicate_key";

/// Hashes of the rows' keys; 0 where a column of the key is null, which repeats nothing.
pub(crate) fn key_hashes(plan: &Plan, batch: &RecordBatch) -> Vec<u128> {
    let columns: Vec<_> = plan
        .unique
        .iter()
        .map(|column| batch.column(*column).as_ref())
        .collect();
    let mut hashes = Vec::with_capacity(batch.num_rows());
    let mut bytes = Vec::with_capacity(64);
    for row in 0..batch.num_rows() {
        bytes.clear();
        let is_whole = columns
            .iter()
            .all(|column| append(*column, row, &mut bytes));
        hashes.push(if is_whole {
            xxh3_128_with_seed(&bytes, plan.key_seed).max(1)
        } else {
            0
        });
    }
    hashes
}

/// Appends a value so that no two keys have the same bytes; `false` for a null.
#[inline]
fn append(array: &dyn Array, row: usize, bytes: &mut Vec<u8>) -> bool {
    if array.is_null(row) {
        return false;
    }
    match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row).as_bytes();
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        DataType::Int32 => {
            bytes.extend_from_slice(&array.as_primitive::<Int32Type>().value(row).to_le_bytes());
        }
        DataType::Int64 => {
            bytes.extend_from_slice(&array.as_primitive::<Int64Type>().value(row).to_le_bytes());
        }
        DataType::Decimal128(..) => bytes.extend_from_slice(
            &array
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_le_bytes(),
        ),
        DataType::Float64 => {
            bytes.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_le_bytes())
        }
        DataType::Date32 => {
            bytes.extend_from_slice(&array.as_primitive::<Date32Type>().value(row).to_le_bytes());
        }
        DataType::Timestamp(..) => bytes.extend_from_slice(
            &array
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .to_le_bytes(),
        ),
        DataType::Boolean => bytes.push(u8::from(array.as_boolean().value(row))),
        _ => {}
    }
    true
}

/// A row that repeats the key of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repetition {
    row: u64,
    hash: u128,
    first: u64,
}

/// What the whole file told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Uniqueness {
    /// Every repetition was set aside as it came.
    Settled,
    /// Read the file again with these known.
    ReadAgain(Vec<Repetition>),
    /// So many rows repeat a key, besides those set aside, that the delivery cannot be accepted.
    TooMany(u64),
}

/// The keys seen so far.
pub(crate) struct UniqueKeys {
    cap: usize,
    folder: PathBuf,
    seen: HashMap<u128, u64, BuildHasherDefault<KeyIsHash>>,
    set_aside: Vec<Repetition>,
    buckets: Option<Buckets>,
    /// On the second reading: what to set aside, in row order.
    known: Option<Vec<Repetition>>,
    /// On the second reading: keys kept in the record under work.
    kept_in_record: (u64, Vec<u128>),
}

impl UniqueKeys {
    /// For a first reading; `None` when the contract asks for no uniqueness. Temporary files, when
    /// needed, have no name and lie in `folder`.
    pub fn new(plan: &Plan, folder: &Path, cap: usize) -> Option<Self> {
        (!plan.unique.is_empty()).then(|| Self {
            cap,
            folder: folder.to_owned(),
            seen: HashMap::default(),
            set_aside: Vec::new(),
            buckets: None,
            known: None,
            kept_in_record: (0, Vec::new()),
        })
    }

    /// For the second reading.
    pub fn with_known(known: Vec<Repetition>) -> Self {
        Self {
            cap: 0,
            folder: PathBuf::new(),
            seen: HashMap::default(),
            set_aside: Vec::new(),
            buckets: None,
            known: Some(known),
            kept_in_record: (0, Vec::new()),
        }
    }

    /// Sets aside the rows of a part that repeat a key; parts come in file order.
    pub fn check(
        &mut self,
        plan: &Plan,
        hasher: Option<&PersonHasher>,
        rows: &mut ParsedRows,
        records_before: u64,
    ) -> Result<(), IntakeError> {
        let mut broken = Vec::new();
        for (row, hash) in rows.key_hashes.iter().enumerate() {
            if *hash == 0 {
                continue;
            }
            let number = records_before + u64::from(rows.records[row]) + 1;
            if let Some(first) = self.first_of(*hash, number)? {
                let (column, value) = shown_row(plan, &rows.batch, row, &plan.unique);
                let value = value.unwrap_or_default();
                broken.push(BrokenAt {
                    row: row as u32,
                    column,
                    rule: DUPLICATE_KEY,
                    raw_value: Some(format!("{value}; first in row {first}")),
                });
            }
        }
        rows.set_aside(plan, hasher, broken)
    }

    /// The row that had the key before, when it has to be set aside now.
    fn first_of(&mut self, hash: u128, row: u64) -> Result<Option<u64>, IntakeError> {
        if let Some(known) = &self.known {
            let start = known.partition_point(|one| (one.row, one.hash) < (row, hash));
            let Some(found) = known
                .get(start)
                .filter(|one| one.row == row && one.hash == hash)
            else {
                return Ok(None);
            };
            // A record may make several rows; the key's first row can be one of them.
            if self.kept_in_record.0 != row {
                self.kept_in_record = (row, Vec::new());
            }
            if found.first == row && !self.kept_in_record.1.contains(&hash) {
                self.kept_in_record.1.push(hash);
                return Ok(None);
            }
            return Ok(Some(found.first));
        }
        if let Some(buckets) = &mut self.buckets {
            buckets.put(hash, row)?;
            return Ok(None);
        }
        if let Some(first) = self.seen.get(&hash) {
            let first = *first;
            self.set_aside.push(Repetition { row, hash, first });
            return Ok(Some(first));
        }
        if self.seen.len() >= self.cap {
            let mut buckets = Buckets::create(&self.folder)?;
            for (hash, row) in std::mem::take(&mut self.seen) {
                buckets.put(hash, row)?;
            }
            buckets.put(hash, row)?;
            self.buckets = Some(buckets);
            return Ok(None);
        }
        self.seen.insert(hash, row);
        Ok(None)
    }

    /// Says what remains to be done; `limit` rows more may be set aside before the delivery is
    /// refused anyway.
    pub fn settle(self, limit: u64) -> Result<Uniqueness, IntakeError> {
        let Some(buckets) = self.buckets else {
            return Ok(Uniqueness::Settled);
        };
        let (count, mut found) = buckets.repetitions(limit)?;
        if count == 0 {
            return Ok(Uniqueness::Settled);
        }
        if count > limit {
            return Ok(Uniqueness::TooMany(count));
        }
        found.extend(self.set_aside);
        found.sort_unstable();
        found.dedup();
        Ok(Uniqueness::ReadAgain(found))
    }
}

/// Ends a reading: the repetitions with which the file has to be read again, if any.
pub(crate) fn repeated_keys(
    plan: &Plan,
    unique: Option<UniqueKeys>,
    report: &FileReport,
    tally: &mut Tally,
) -> Result<Option<Vec<Repetition>>, IntakeError> {
    let Some(unique) = unique.filter(|_| report.refusal.is_none()) else {
        return Ok(None);
    };
    Ok(match unique.settle(tally.tolerated(plan))? {
        Uniqueness::Settled => None,
        Uniqueness::ReadAgain(known) => Some(known),
        Uniqueness::TooMany(count) => {
            tally.add_repeated(plan, count);
            None
        }
    })
}

/// Keys and rows on disk, apart by the key's first bits; gone when dropped, whatever happens.
struct Buckets {
    files: Vec<BufWriter<File>>,
}

impl Buckets {
    fn create(folder: &Path) -> Result<Self, IntakeError> {
        let files = (0..BUCKETS)
            .map(|_| {
                tempfile::tempfile_in(folder)
                    .map(|file| BufWriter::with_capacity(BUCKET_BUFFER, file))
                    .map_err(|error| IntakeError::file("write temporary keys in", folder, error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    fn put(&mut self, hash: u128, row: u64) -> Result<(), IntakeError> {
        let mut entry = [0; ENTRY_BYTES];
        entry[..16].copy_from_slice(&hash.to_le_bytes());
        entry[16..].copy_from_slice(&row.to_le_bytes());
        let bucket = (hash >> 120) as usize;
        self.files[bucket].write_all(&entry).map_err(spill_error)
    }

    /// How many rows repeat a key, and which, as long as they are not more than `limit`.
    fn repetitions(self, limit: u64) -> Result<(u64, Vec<Repetition>), IntakeError> {
        let mut count = 0;
        let mut found = Vec::new();
        for writer in self.files {
            let mut file = writer
                .into_inner()
                .map_err(|error| spill_error(error.into_error()))?;
            file.seek(SeekFrom::Start(0)).map_err(spill_error)?;
            let mut entries = read_entries(file).map_err(spill_error)?;
            entries.sort_unstable();
            let mut first: Option<(u128, u64)> = None;
            for (hash, row) in entries {
                match first {
                    Some((same, first)) if same == hash => {
                        count += 1;
                        if count <= limit {
                            found.push(Repetition { row, hash, first });
                        }
                    }
                    _ => first = Some((hash, row)),
                }
            }
        }
        Ok((count, found))
    }
}

fn read_entries(file: File) -> io::Result<Vec<(u128, u64)>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0) / ENTRY_BYTES;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut entries = Vec::with_capacity(length);
    let mut entry = [0; ENTRY_BYTES];
    for _ in 0..length {
        reader.read_exact(&mut entry)?;
        let (hash, row) = entry.split_at(16);
        let mut hash_bytes = [0; 16];
        hash_bytes.copy_from_slice(hash);
        let mut row_bytes = [0; 8];
        row_bytes.copy_from_slice(row);
        entries.push((
            u128::from_le_bytes(hash_bytes),
            u64::from_le_bytes(row_bytes),
        ));
    }
    Ok(entries)
}

fn spill_error(source: io::Error) -> IntakeError {
    IntakeError::Stream { source }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Default)]
struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
mod tests;
