//! Growing columns that can forget their last row.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

/// One column of a batch under construction.
pub(crate) struct ColumnBuffer {
    pub values: Values,
    /// Validity of each row; stays empty until the first null.
    validity: Vec<bool>,
    nulls: usize,
}

pub(crate) enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>, u8, i8),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Boolean(Vec<bool>),
    Utf8 { ends: Vec<i32>, data: Vec<u8> },
}

impl ColumnBuffer {
    pub fn new(data_type: &DataType) -> Self {
        let values = match data_type {
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal(Vec::new(), *precision, *scale)
            }
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(..) => Values::Timestamp(Vec::new()),
            DataType::Boolean => Values::Boolean(Vec::new()),
            _ => Values::Utf8 {
                ends: Vec::new(),
                data: Vec::new(),
            },
        };
        Self {
            values,
            validity: Vec::new(),
            nulls: 0,
        }
    }

    pub fn len(&self) -> usize {
        match &self.values {
            Values::Int32(values) | Values::Date(values) => values.len(),
            Values::Int64(values) | Values::Timestamp(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Decimal(values, ..) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Utf8 { ends, .. } => ends.len(),
        }
    }

    /// Called once behind every value that was pushed onto `values`.
    #[inline]
    pub fn mark_valid(&mut self) {
        if self.nulls > 0 {
            self.validity.push(true);
        }
    }

    pub fn push_null(&mut self) {
        if self.nulls == 0 {
            self.validity.clear();
            self.validity.resize(self.len(), true);
        }
        self.validity.push(false);
        self.nulls += 1;
        match &mut self.values {
            Values::Int32(values) | Values::Date(values) => values.push(0),
            Values::Int64(values) | Values::Timestamp(values) => values.push(0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal(values, ..) => values.push(0),
            Values::Boolean(values) => values.push(false),
            Values::Utf8 { ends, data } => ends.push(data.len() as i32),
        }
    }

    /// Forgets every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        if self.nulls > 0 && self.validity.len() > rows {
            let forgotten = self.validity[rows..]
                .iter()
                .filter(|valid| !**valid)
                .count();
            self.validity.truncate(rows);
            self.nulls -= forgotten;
        }
        match &mut self.values {
            Values::Int32(values) | Values::Date(values) => values.truncate(rows),
            Values::Int64(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Decimal(values, ..) => values.truncate(rows),
            Values::Boolean(values) => values.truncate(rows),
            Values::Utf8 { ends, data } => {
                ends.truncate(rows);
                data.truncate(ends.last().copied().unwrap_or(0) as usize);
            }
        }
    }

    /// The last row as an exact number, 0 when null, for control totals.
    pub fn last_exact(&self) -> i128 {
        match &self.values {
            Values::Int32(values) => values.last().copied().map_or(0, i128::from),
            Values::Int64(values) => values.last().copied().map_or(0, i128::from),
            Values::Decimal(values, ..) => values.last().copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// Bytes of text held.
    pub fn text_bytes(&self) -> usize {
        match &self.values {
            Values::Utf8 { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// The finished array; the buffer starts again empty.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = (self.nulls > 0)
            .then(|| NullBuffer::new(BooleanBuffer::from(self.validity.as_slice())));
        self.validity.clear();
        self.nulls = 0;
        Ok(match &mut self.values {
            Values::Int32(values) => Arc::new(PrimitiveArray::<Int32Type>::try_new(
                ScalarBuffer::from(std::mem::take(values)),
                nulls,
            )?),
            Values::Int64(values) => Arc::new(PrimitiveArray::<Int64Type>::try_new(
                ScalarBuffer::from(std::mem::take(values)),
                nulls,
            )?),
            Values::Float64(values) => Arc::new(PrimitiveArray::<Float64Type>::try_new(
                ScalarBuffer::from(std::mem::take(values)),
                nulls,
            )?),
            Values::Decimal(values, precision, scale) => Arc::new(
                PrimitiveArray::<Decimal128Type>::try_new(
                    ScalarBuffer::from(std::mem::take(values)),
                    nulls,
                )?
                .with_precision_and_scale(*precision, *scale)?,
            ),
            Values::Date(values) => Arc::new(PrimitiveArray::<Date32Type>::try_new(
                ScalarBuffer::from(std::mem::take(values)),
                nulls,
            )?),
            Values::Timestamp(values) => {
                Arc::new(PrimitiveArray::<TimestampMicrosecondType>::try_new(
                    ScalarBuffer::from(std::mem::take(values)),
                    nulls,
                )?)
            }
            Values::Boolean(values) => Arc::new(BooleanArray::new(
                BooleanBuffer::from(std::mem::take(values).as_slice()),
                nulls,
            )),
            Values::Utf8 { ends, data } => {
                let mut offsets = Vec::with_capacity(ends.len() + 1);
                offsets.push(0);
                offsets.append(ends);
                Arc::new(StringArray::try_new(
                    OffsetBuffer::new(ScalarBuffer::from(offsets)),
                    Buffer::from_vec(std::mem::take(data)),
                    nulls,
                )?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    fn push_text(buffer: &mut ColumnBuffer, text: &str) {
        if let Values::Utf8 { ends, data } = &mut buffer.values {
            data.extend_from_slice(text.as_bytes());
            ends.push(data.len() as i32);
        }
        buffer.mark_valid();
    }

    #[test]
    fn forgotten_rows_leave_no_trace() {
        let mut buffer = ColumnBuffer::new(&DataType::Utf8);
        push_text(&mut buffer, "가");
        buffer.push_null();
        push_text(&mut buffer, "bad");
        buffer.truncate(1);
        push_text(&mut buffer, "나");
        buffer.push_null();
        let array = buffer.finish().unwrap();
        let strings = array.as_string::<i32>();
        assert_eq!(
            strings.iter().collect::<Vec<_>>(),
            [Some("가"), Some("나"), None]
        );
        assert_eq!(array.null_count(), 1);
        assert_eq!(buffer.len(), 0);
    }
}
