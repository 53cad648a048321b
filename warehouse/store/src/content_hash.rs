//! The canonical content hash of a table.
//!
//! Two tables with the same rows have the same hash, whatever the order of their rows, the number and size of
//! their files, the compression, the number of threads that wrote them or the libraries' versions.
//!
//! **Rows.** Every row is encoded to bytes (format `goyong-rows-1`, below), hashed to 128 bits with XXH3
//! (seed 0), and the hashes of a partition are summed modulo 2^128: a hash of a multiset, to which an append
//! adds. It finds accidents, not forgers: the sum of a non-cryptographic hash can be steered on purpose.
//!
//! **Encoding of a row** (all numbers little-endian). First the columns of fixed width, then those of variable
//! width, each group ordered by column name (bytes); the partition column takes no part, its value stands
//! beside the hash. Each value starts with one byte, 1 for a value and 0 for null.
//! - Fixed: the value in its own width: boolean 1 byte, integers 1 to 8, date32 and timestamp (µs) 4 and 8,
//!   decimal128 16 (unscaled), floats as bits with -0 written as 0 and every NaN as the quiet NaN; null is zeros.
//! - Variable: length in 4 bytes, then the bytes (UTF-8 text or binary); null has length 0. A list is its count in
//!   4 bytes and its elements, a struct its fields in their order, each element encoded by these same rules; the
//!   outermost list or struct has its total length in 4 bytes before it, as text has.
//!
//! **Table.** SHA-256 over text: format, columns with types by name, partition column, and every partition
//! that has rows with its hash and row count, by value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

use crate::snapshot::PartitionState;

/// Rows encoded and hashed at a time: small enough that their bytes stay in the processor's cache.
const ROWS_PER_CHUNK: usize = 512;

/// A hash of a multiset of rows; hashes of disjoint sets add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentHash {
    /// Sum of the rows' 128-bit hashes, modulo 2^128.
    pub multiset: u128,
    /// Number of rows.
    pub rows: u64,
}

impl ContentHash {
    /// The hash of both sets of rows together.
    #[must_use]
    pub fn combined_with(self, other: Self) -> Self {
        Self {
            multiset: self.multiset.wrapping_add(other.multiset),
            rows: self.rows.wrapping_add(other.rows),
        }
    }

    /// The hash of what is left when the rows of `other`, all of which are here, leave.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            multiset: self.multiset.wrapping_sub(other.multiset),
            rows: self.rows.wrapping_sub(other.rows),
        }
    }
}

/// Hashes rows one by one, as they count in a [`ContentHash`].
#[derive(Debug)]
pub struct RowHashes(RowHasher);

impl RowHashes {
    /// For batches with exactly these columns in this order; a partition column is not among them.
    pub fn new(schema: &Schema) -> Self {
        Self(RowHasher::new(schema))
    }

    /// The hash of each row of a batch.
    pub fn of(&mut self, batch: &RecordBatch) -> Vec<u128> {
        let mut hashes = Vec::with_capacity(batch.num_rows());
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = ROWS_PER_CHUNK.min(batch.num_rows() - first);
            self.0
                .each_of_chunk(batch, first, rows, |hash| hashes.push(hash));
            first += rows;
        }
        hashes
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}:{}", self.multiset, self.rows)
    }
}

/// Text that is no content hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a content hash, expected 32 hexadecimal digits, a colon and a row count")]
pub struct ContentHashError(String);

impl FromStr for ContentHash {
    type Err = ContentHashError;

    fn from_str(text: &str) -> Result<Self, ContentHashError> {
        let error = || ContentHashError(text.to_owned());
        let (multiset, rows) = text.split_once(':').ok_or_else(error)?;
        Ok(Self {
            multiset: u128::from_str_radix(multiset, 16).map_err(|_| error())?,
            rows: rows.parse().map_err(|_| error())?,
        })
    }
}

/// The canonical hash of a table with these columns and partitions, as hexadecimal SHA-256.
pub(crate) fn table_hash(
    schema: &Schema,
    partition_column: Option<&str>,
    partitions: &BTreeMap<Option<String>, PartitionState>,
) -> String {
    let mut columns: Vec<_> = schema.fields().iter().collect();
    columns.sort_by(|left, right| left.name().cmp(right.name()));
    let mut text = String::from("goyong-table-1 goyong-rows-1\n");
    for column in columns {
        text.push_str(&format!(
            "column\t{}\t{}\n",
            column.name(),
            column.data_type()
        ));
    }
    text.push_str(&format!(
        "partitioned\t{}\n",
        partition_column.unwrap_or("")
    ));
    for (partition, state) in partitions {
        if state.rows > 0 {
            let value = partition.as_deref().unwrap_or("");
            text.push_str(&format!("partition\t{value}\t{}\n", state.content_hash));
        }
    }
    hex(&Sha256::digest(text.as_bytes()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hexadecimal SHA-256 of bytes.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes of a fixed-width type without the leading validity byte, `None` for variable width.
fn fixed_width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean | DataType::Int8 => Some(1),
        DataType::Int16 => Some(2),
        DataType::Int32 | DataType::Float32 | DataType::Date32 => Some(4),
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(8)
        }
        DataType::Decimal128(_, _) => Some(16),
        _ => None,
    }
}

/// Hashes batches of one schema. Reuses its buffers.
#[derive(Debug)]
pub(crate) struct RowHasher {
    /// Column index and offset in the row.
    fixed: Vec<(usize, usize)>,
    fixed_bytes: usize,
    variable: Vec<usize>,
    bytes: Vec<u8>,
    starts: Vec<usize>,
    cursors: Vec<usize>,
}

impl RowHasher {
    /// A hasher for batches with exactly these columns, in this order; the partition column is not among them.
    pub(crate) fn new(schema: &Schema) -> Self {
        let mut order: Vec<usize> = (0..schema.fields().len()).collect();
        order.sort_by(|&left, &right| schema.field(left).name().cmp(schema.field(right).name()));
        let (mut fixed, mut variable, mut fixed_bytes) = (Vec::new(), Vec::new(), 0);
        for index in order {
            match fixed_width(schema.field(index).data_type()) {
                Some(width) => {
                    fixed.push((index, fixed_bytes));
                    fixed_bytes += width + 1;
                }
                None => variable.push(index),
            }
        }
        Self {
            fixed,
            fixed_bytes,
            variable,
            bytes: Vec::new(),
            starts: Vec::new(),
            cursors: Vec::new(),
        }
    }

    /// The hash of a batch's rows.
    pub(crate) fn hash(&mut self, batch: &RecordBatch) -> ContentHash {
        let mut multiset = 0u128;
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = ROWS_PER_CHUNK.min(batch.num_rows() - first);
            multiset = multiset.wrapping_add(self.hash_chunk(batch, first, rows));
            first += rows;
        }
        ContentHash {
            multiset,
            rows: batch.num_rows() as u64,
        }
    }

    fn hash_chunk(&mut self, batch: &RecordBatch, first: usize, rows: usize) -> u128 {
        let mut sum = 0u128;
        self.each_of_chunk(batch, first, rows, |hash| sum = sum.wrapping_add(hash));
        sum
    }

    fn each_of_chunk(
        &mut self,
        batch: &RecordBatch,
        first: usize,
        rows: usize,
        mut take: impl FnMut(u128),
    ) {
        let columns: Vec<VariableColumn> = self
            .variable
            .iter()
            .map(|&index| VariableColumn::new(batch.column(index), first, rows))
            .collect();
        self.lay_out(&columns, rows);
        for &(index, offset) in &self.fixed {
            write_fixed(
                batch.column(index),
                first,
                &mut self.bytes,
                &self.starts[..rows],
                offset,
            );
        }
        for column in &columns {
            column.write(&mut self.bytes, &mut self.cursors[..rows]);
        }
        for row in 0..rows {
            take(xxh3_128(
                &self.bytes[self.starts[row]..self.starts[row + 1]],
            ));
        }
    }

    /// Computes where each row starts and where its variable part starts.
    fn lay_out(&mut self, columns: &[VariableColumn<'_>], rows: usize) {
        self.starts.clear();
        self.starts.resize(rows + 1, self.fixed_bytes);
        self.starts[0] = 0;
        for column in columns {
            for row in 0..rows {
                self.starts[row + 1] += 5 + column.value(row).map_or(0, <[u8]>::len);
            }
        }
        self.cursors.clear();
        for row in 0..rows {
            self.cursors.push(self.starts[row] + self.fixed_bytes);
            self.starts[row + 1] += self.starts[row];
        }
        self.bytes.resize(self.starts[rows], 0);
    }
}

/// A column of variable width, rows `first..first + rows` of a batch.
enum VariableColumn<'a> {
    Text(&'a arrow_array::StringArray, usize),
    Binary(&'a arrow_array::BinaryArray, usize),
    /// Lists and structs, encoded beforehand.
    Nested(Vec<Option<Vec<u8>>>),
}

impl<'a> VariableColumn<'a> {
    fn new(array: &'a ArrayRef, first: usize, rows: usize) -> Self {
        if let Some(text) = array.as_string_opt::<i32>() {
            return Self::Text(text, first);
        }
        if let Some(binary) = array.as_binary_opt::<i32>() {
            return Self::Binary(binary, first);
        }
        let encoded = (first..first + rows).map(|row| {
            array.is_valid(row).then(|| {
                let mut bytes = Vec::new();
                encode_nested(array, row, &mut bytes);
                bytes
            })
        });
        Self::Nested(encoded.collect())
    }

    #[inline]
    fn value(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Text(array, first) => array
                .is_valid(first + row)
                .then(|| array.value(first + row).as_bytes()),
            Self::Binary(array, first) => array
                .is_valid(first + row)
                .then(|| array.value(first + row)),
            Self::Nested(values) => values[row].as_deref(),
        }
    }

    fn write(&self, bytes: &mut [u8], cursors: &mut [usize]) {
        for (row, cursor) in cursors.iter_mut().enumerate() {
            let value = self.value(row);
            let content = value.unwrap_or_default();
            let target = &mut bytes[*cursor..*cursor + 5 + content.len()];
            target[0] = u8::from(value.is_some());
            target[1..5].copy_from_slice(&length_bytes(content.len()));
            target[5..].copy_from_slice(content);
            *cursor += target.len();
        }
    }
}

/// A length as the encoding writes it. Arrow's 32-bit offsets keep text and binary below 2^31.
fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn write_fixed(array: &ArrayRef, first: usize, bytes: &mut [u8], starts: &[usize], offset: usize) {
    macro_rules! primitive {
        ($kind:ty, $width:literal, $canonical:expr) => {
            write_primitive::<$kind, $width>(array, first, bytes, starts, offset, $canonical)
        };
    }
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            for (row, start) in starts.iter().enumerate() {
                let valid = values.is_valid(first + row);
                bytes[start + offset] = u8::from(valid);
                bytes[start + offset + 1] = u8::from(valid && values.value(first + row));
            }
        }
        DataType::Int8 => primitive!(Int8Type, 1, i8::to_le_bytes),
        DataType::Int16 => primitive!(Int16Type, 2, i16::to_le_bytes),
        DataType::Int32 => primitive!(Int32Type, 4, i32::to_le_bytes),
        DataType::Int64 => primitive!(Int64Type, 8, i64::to_le_bytes),
        DataType::Date32 => primitive!(Date32Type, 4, i32::to_le_bytes),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType, 8, i64::to_le_bytes)
        }
        DataType::Decimal128(_, _) => primitive!(Decimal128Type, 16, i128::to_le_bytes),
        DataType::Float32 => primitive!(Float32Type, 4, canonical_f32),
        DataType::Float64 => primitive!(Float64Type, 8, canonical_f64),
        // `fixed_width` names no other type.
        _ => {}
    }
}

fn canonical_f32(value: f32) -> [u8; 4] {
    let canonical = if value.is_nan() {
        f32::NAN
    } else {
        value + 0.0
    };
    canonical.to_le_bytes()
}

fn canonical_f64(value: f64) -> [u8; 8] {
    let canonical = if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    };
    canonical.to_le_bytes()
}

#[inline]
fn write_primitive<T: ArrowPrimitiveType, const WIDTH: usize>(
    array: &ArrayRef,
    first: usize,
    bytes: &mut [u8],
    starts: &[usize],
    offset: usize,
    encode: impl Fn(T::Native) -> [u8; WIDTH],
) {
    let array = array.as_primitive::<T>();
    let values = &array.values()[first..first + starts.len()];
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (start, value) in starts.iter().zip(values) {
                let target = &mut bytes[start + offset..start + offset + 1 + WIDTH];
                target[0] = 1;
                target[1..].copy_from_slice(&encode(*value));
            }
        }
        Some(nulls) => {
            for (row, (start, value)) in starts.iter().zip(values).enumerate() {
                let target = &mut bytes[start + offset..start + offset + 1 + WIDTH];
                let valid = nulls.is_valid(first + row);
                target[0] = u8::from(valid);
                target[1..].copy_from_slice(&if valid { encode(*value) } else { [0; WIDTH] });
            }
        }
    }
}

/// Encodes a valid list or struct value.
fn encode_nested(array: &ArrayRef, row: usize, bytes: &mut Vec<u8>) {
    match array.data_type() {
        DataType::List(_) => {
            let values = array.as_list::<i32>().value(row);
            bytes.extend(length_bytes(values.len()));
            for index in 0..values.len() {
                encode_value(&values, index, bytes);
            }
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                encode_value(column, row, bytes);
            }
        }
        // `columns::stored_type` lets no other type in.
        _ => {}
    }
}

/// Encodes one value inside a list or struct, by the same rules as a value of a row.
fn encode_value(array: &ArrayRef, row: usize, bytes: &mut Vec<u8>) {
    if let Some(width) = fixed_width(array.data_type()) {
        let start = bytes.len();
        bytes.resize(start + width + 1, 0);
        write_fixed(array, row, bytes, &[start], 0);
        return;
    }
    if matches!(array.data_type(), DataType::List(_) | DataType::Struct(_)) {
        bytes.push(u8::from(array.is_valid(row)));
        if array.is_valid(row) {
            encode_nested(array, row, bytes);
        }
        return;
    }
    let column = VariableColumn::new(array, row, 1);
    let content = column.value(0);
    bytes.push(u8::from(content.is_some()));
    bytes.extend(length_bytes(content.map_or(0, <[u8]>::len)));
    bytes.extend(content.unwrap_or_default());
}

#[cfg(test)]
#[path = "content_hash_tests.rs"]
mod tests;
