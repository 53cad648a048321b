//! The statistics Delta keeps for each file, taken from the Parquet footer.
//!
//! Numbers are written as text by hand: a decimal of 18 digits would lose its last ones in a 64-bit float.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

/// Delta's `stats` of a file: row count, minimum, maximum and null count per column of a simple type.
///
/// `withheld` columns get no minimum and maximum: the log outlives the files, and a pseudonym in it would
/// outlive the person's rows.
pub(crate) fn file_statistics(
    schema: &Schema,
    metadata: &ParquetMetaData,
    withheld: &BTreeSet<String>,
) -> String {
    let (mut minimums, mut maximums, mut null_counts) = (Vec::new(), Vec::new(), Vec::new());
    let descriptor = metadata.file_metadata().schema_descr();
    for leaf in 0..descriptor.num_columns() {
        // A nested column's leaves have longer paths; Delta does not need their statistics.
        let path = descriptor.column(leaf).path().parts().to_vec();
        let [name] = path.as_slice() else { continue };
        let Ok(field) = schema.field_with_name(name) else {
            continue;
        };
        let Some(column) = ColumnRange::of(field.data_type(), metadata, leaf) else {
            continue;
        };
        let is_withheld = withheld.contains(name);
        let name = json_text(name);
        null_counts.push(format!("{name}:{}", column.nulls));
        if let Some((minimum, maximum)) = column.range.filter(|_| !is_withheld) {
            minimums.push(format!("{name}:{}", minimum.to_json()));
            maximums.push(format!("{name}:{}", maximum.to_json()));
        }
    }
    format!(
        "{{\"numRecords\":{},\"minValues\":{{{}}},\"maxValues\":{{{}}},\"nullCount\":{{{}}}}}",
        metadata.file_metadata().num_rows(),
        minimums.join(","),
        maximums.join(","),
        null_counts.join(",")
    )
}

struct ColumnRange {
    nulls: u64,
    range: Option<(Bound, Bound)>,
}

impl ColumnRange {
    /// The range over all row groups, or nothing when a group has no statistics.
    fn of(data_type: &DataType, metadata: &ParquetMetaData, leaf: usize) -> Option<Self> {
        let mut nulls = 0;
        let mut range: Option<(Bound, Bound)> = None;
        let mut has_range = true;
        for group in metadata.row_groups() {
            let statistics = group.column(leaf).statistics()?;
            let group_nulls = statistics.null_count_opt()?;
            nulls += group_nulls;
            if group_nulls == u64::try_from(group.num_rows()).unwrap_or_default() {
                continue;
            }
            match bounds(data_type, statistics) {
                None => has_range = false,
                Some((low, high)) => {
                    range = Some(match range.take() {
                        None => (low, high),
                        Some((lowest, highest)) => (lowest.smaller(low), highest.larger(high)),
                    });
                }
            }
        }
        Some(Self {
            nulls,
            range: range.filter(|_| has_range),
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Integer(i128),
    Float(f64),
    Text(String),
    Date(i128),
    Timestamp { microseconds: i128, utc: bool },
    Decimal { unscaled: i128, scale: u8 },
}

impl Bound {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            _ => self.number().cmp(&other.number()),
        }
    }

    fn number(&self) -> i128 {
        match self {
            Self::Integer(value) | Self::Date(value) => *value,
            Self::Timestamp { microseconds, .. } => *microseconds,
            Self::Decimal { unscaled, .. } => *unscaled,
            Self::Float(_) | Self::Text(_) => 0,
        }
    }

    fn smaller(self, other: Self) -> Self {
        if other.compare(&self).is_lt() {
            other
        } else {
            self
        }
    }

    fn larger(self, other: Self) -> Self {
        if other.compare(&self).is_gt() {
            other
        } else {
            self
        }
    }

    fn to_json(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(value) => json_text(value),
            Self::Date(days) => json_text(&date_text(*days)),
            Self::Timestamp { microseconds, utc } => {
                json_text(&timestamp_text(*microseconds, *utc))
            }
            Self::Decimal { unscaled, scale } => decimal_text(*unscaled, usize::from(*scale)),
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn date_text(days: i128) -> String {
    let epoch = chrono::NaiveDate::default();
    i64::try_from(days)
        .ok()
        .and_then(chrono::Duration::try_days)
        .and_then(|offset| epoch.checked_add_signed(offset))
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string()
}

fn timestamp_text(microseconds: i128, utc: bool) -> String {
    let moment = i64::try_from(microseconds)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_micros)
        .unwrap_or_default();
    let text = moment.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    if utc { text + "Z" } else { text }
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn bounds(data_type: &DataType, statistics: &Statistics) -> Option<(Bound, Bound)> {
    let low = bound(data_type, statistics.min_bytes_opt()?)?;
    let high = bound(data_type, statistics.max_bytes_opt()?)?;
    Some((low, high))
}

/// A bound from the bytes of a Parquet statistic: little-endian numbers, big-endian long decimals, UTF-8.
fn bound(data_type: &DataType, bytes: &[u8]) -> Option<Bound> {
    let little_endian = || -> Option<i128> {
        Some(match bytes.len() {
            4 => i128::from(i32::from_le_bytes(bytes.try_into().ok()?)),
            8 => i128::from(i64::from_le_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    };
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            little_endian().map(Bound::Integer)
        }
        DataType::Date32 => little_endian().map(Bound::Date),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            little_endian().map(|microseconds| Bound::Timestamp {
                microseconds,
                utc: zone.is_some(),
            })
        }
        DataType::Decimal128(precision, scale) => {
            let unscaled = if *precision <= 18 {
                little_endian()?
            } else {
                big_endian(bytes)?
            };
            Some(Bound::Decimal {
                unscaled,
                scale: u8::try_from(*scale).ok()?,
            })
        }
        DataType::Float32 => {
            let value = f32::from_le_bytes(bytes.try_into().ok()?);
            value.is_finite().then(|| Bound::Float(f64::from(value)))
        }
        DataType::Float64 => {
            let value = f64::from_le_bytes(bytes.try_into().ok()?);
            value.is_finite().then_some(Bound::Float(value))
        }
        DataType::Utf8 => String::from_utf8(bytes.to_vec()).ok().map(Bound::Text),
        _ => None,
    }
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [fill; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(
            decimal_text(123_456_789_012_345_678, 0),
            "123456789012345678"
        );
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(1234, 2), "12.34");
        assert_eq!(decimal_text(0, 2), "0.00");
    }

    #[test]
    fn dates_and_timestamps_are_iso() {
        assert_eq!(date_text(19_936), "2024-08-01");
        assert_eq!(date_text(-1), "1969-12-31");
        assert_eq!(
            timestamp_text(1_000_001, false),
            "1970-01-01T00:00:01.000001"
        );
        assert_eq!(timestamp_text(0, true), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn long_decimals_are_read_with_their_sign() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
    }
}
