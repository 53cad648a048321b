//! Arrow columns, of whatever type SQL returned, as numbers or categories.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use goyong_types::nearest_name;

use crate::error::LearnError;
use crate::feature::{FeatureKind, FeatureSpec};

/// The code of a missing category.
pub(crate) const MISSING: u32 = u32::MAX;

/// One column of a data set in compact form.
#[derive(Debug, Clone)]
pub(crate) enum ColumnData {
    /// Numbers, and booleans as 0 and 1; missing is NaN.
    Numbers(Vec<f64>),
    /// Categories as codes into `names`; missing is [`MISSING`].
    Categories {
        /// One code per row.
        codes: Vec<u32>,
        /// The text of each code; in text order once all rows are there.
        names: Vec<String>,
        /// The code of each text.
        index: BTreeMap<String, u32>,
    },
}

impl ColumnData {
    pub(crate) fn new(kind: FeatureKind) -> Self {
        match kind {
            FeatureKind::Numeric | FeatureKind::Boolean => ColumnData::Numbers(Vec::new()),
            FeatureKind::Categorical => ColumnData::Categories {
                codes: Vec::new(),
                names: Vec::new(),
                index: BTreeMap::new(),
            },
        }
    }

    /// Appends the rows of an Arrow column; a boolean feature goes through
    /// booleans so that `1`, `true` and `'true'` mean the same.
    pub(crate) fn append(
        &mut self,
        kind: FeatureKind,
        name: &str,
        array: &ArrayRef,
    ) -> Result<(), LearnError> {
        match self {
            ColumnData::Numbers(values) => {
                let source = if kind == FeatureKind::Boolean {
                    cast(name, array, &DataType::Boolean, "a boolean")?
                } else {
                    days_for_dates(name, array)?
                };
                let numbers = cast(name, &source, &DataType::Float64, "a number")?;
                let numbers = numbers.as_primitive::<Float64Type>();
                if numbers.null_count() == 0 {
                    values.extend(numbers.values().iter().copied().map(finite_or_missing));
                    return Ok(());
                }
                values.extend(numbers.iter().map(|value| match value {
                    Some(number) if number.is_finite() => number,
                    _ => f64::NAN,
                }));
            }
            ColumnData::Categories {
                codes,
                names,
                index,
            } => {
                let text = cast(name, array, &DataType::Utf8, "a category")?;
                for value in text.as_string::<i32>() {
                    codes.push(match value {
                        None => MISSING,
                        Some(value) => match index.get(value) {
                            Some(code) => *code,
                            None => {
                                let code = names.len() as u32;
                                names.push(value.to_owned());
                                index.insert(value.to_owned(), code);
                                code
                            }
                        },
                    });
                }
            }
        }
        Ok(())
    }

    /// Gives categories codes in text order, so that nothing depends on the order rows came in.
    pub(crate) fn order_categories(&mut self) {
        let ColumnData::Categories {
            codes,
            names,
            index,
        } = self
        else {
            return;
        };
        let mut ordered = vec![MISSING; names.len()];
        for (place, old) in index.values_mut().enumerate() {
            ordered[*old as usize] = place as u32;
            *old = place as u32;
        }
        for code in codes.iter_mut().filter(|code| **code != MISSING) {
            *code = ordered[*code as usize];
        }
        *names = index.keys().cloned().collect();
    }

    /// Reorders (and drops) rows: row `i` becomes the old row `order[i]`.
    pub(crate) fn select(&mut self, order: &[u32]) {
        match self {
            ColumnData::Numbers(values) => select(values, order),
            ColumnData::Categories { codes, .. } => select(codes, order),
        }
    }
}

/// Reorders a vector: element `i` becomes the old element `order[i]`.
pub(crate) fn select<T: Clone>(values: &mut Vec<T>, order: &[u32]) {
    *values = order
        .iter()
        .map(|row| values[*row as usize].clone())
        .collect();
}

/// Appends the numbers of some rows of an Arrow column; missing is NaN.
pub(crate) fn numbers_at(
    feature: &FeatureSpec,
    array: &ArrayRef,
    rows: &[usize],
    values: &mut Vec<f64>,
) -> Result<(), LearnError> {
    if let Some(numbers) = array.as_primitive_opt::<Float64Type>()
        && numbers.null_count() == 0
    {
        values.extend(
            rows.iter()
                .map(|row| finite_or_missing(numbers.value(*row))),
        );
        return Ok(());
    }
    let mut data = ColumnData::new(feature.kind);
    data.append(feature.kind, &feature.name, array)?;
    if let ColumnData::Numbers(numbers) = data {
        values.extend(rows.iter().map(|row| numbers[*row]));
    }
    Ok(())
}

fn finite_or_missing(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::NAN }
}

/// Finds a column by name, naming the nearest one when it is absent.
pub(crate) fn find<'a>(
    batch: &'a RecordBatch,
    column: &str,
    role: &'static str,
) -> Result<&'a ArrayRef, LearnError> {
    batch
        .column_by_name(column)
        .ok_or_else(|| LearnError::MissingColumn {
            column: column.to_owned(),
            role,
            nearest: nearest_name(
                column,
                batch
                    .schema_ref()
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str()),
            )
            .map(str::to_owned),
        })
}

/// Days since 1970-01-01 of a date column; `None` for null.
pub(crate) fn dates(name: &str, array: &ArrayRef) -> Result<Date32Array, LearnError> {
    let array = cast(name, array, &DataType::Date32, "a date")?;
    Ok(array.as_primitive::<Date32Type>().clone())
}

/// A boolean column, from booleans, 0/1 or text.
pub(crate) fn booleans(name: &str, array: &ArrayRef) -> Result<BooleanArray, LearnError> {
    let array = cast(name, array, &DataType::Boolean, "a boolean")?;
    Ok(array.as_boolean().clone())
}

/// 64 bits that equal values share; none where there is no value.
pub(crate) fn hashes(name: &str, array: &ArrayRef) -> Result<Vec<Option<u64>>, LearnError> {
    let texts = cast(name, array, &DataType::Utf8, "a key")?;
    let texts = texts.as_string::<i32>();
    Ok(texts.iter().map(|text| text.map(hash_of_text)).collect())
}

fn hash_of_text(text: &str) -> u64 {
    text.bytes()
        .fold(0, |hash, byte| crate::parallel::mix(hash, u64::from(byte)))
}

/// Entity keys: whole numbers stay numbers, everything else becomes text.
#[derive(Debug, Clone)]
pub(crate) enum EntityKeys {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

impl EntityKeys {
    pub(crate) fn new(data_type: &DataType) -> Self {
        if value_type(data_type).is_integer() {
            EntityKeys::Numbers(Vec::new())
        } else {
            EntityKeys::Texts(Vec::new())
        }
    }

    pub(crate) fn append(&mut self, name: &str, array: &ArrayRef) -> Result<(), LearnError> {
        match self {
            EntityKeys::Numbers(keys) => {
                let array = cast(name, array, &DataType::Int64, "a whole number")?;
                refuse_nulls(name, array.as_ref(), "every row needs its entity key")?;
                keys.extend(array.as_primitive::<Int64Type>().values());
            }
            EntityKeys::Texts(keys) => {
                let array = cast(name, array, &DataType::Utf8, "text")?;
                refuse_nulls(name, array.as_ref(), "every row needs its entity key")?;
                keys.extend(array.as_string::<i32>().iter().flatten().map(str::to_owned));
            }
        }
        Ok(())
    }

    /// 64 bits that equal keys share.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        match self {
            EntityKeys::Numbers(keys) => crate::parallel::mix(keys[row] as u64, 0),
            EntityKeys::Texts(keys) => hash_of_text(&keys[row]),
        }
    }

    pub(crate) fn select(&mut self, order: &[u32]) {
        match self {
            EntityKeys::Numbers(keys) => select(keys, order),
            EntityKeys::Texts(keys) => select(keys, order),
        }
    }
}

/// Refuses nulls in a column that every row needs.
pub(crate) fn refuse_nulls(
    name: &str,
    array: &dyn Array,
    requirement: &'static str,
) -> Result<(), LearnError> {
    match array.null_count() {
        0 => Ok(()),
        rows => Err(LearnError::UnexpectedNull {
            column: name.to_owned(),
            rows,
            requirement,
        }),
    }
}

fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

/// A date is a number of days, a timestamp a number of its units.
fn days_for_dates(name: &str, array: &ArrayRef) -> Result<ArrayRef, LearnError> {
    match value_type(array.data_type()) {
        DataType::Date32 => {
            let plain = cast(name, array, &DataType::Date32, "a date")?;
            cast(name, &plain, &DataType::Int32, "a number of days")
        }
        DataType::Timestamp(_, _) | DataType::Date64 => {
            cast(name, array, &DataType::Int64, "a number")
        }
        _ => Ok(array.clone()),
    }
}

/// Strict cast: a value that does not fit is an error, not a silent null. The
/// error of the cast itself would print the value, so it is not passed on.
fn cast(
    name: &str,
    array: &ArrayRef,
    to: &DataType,
    wanted: &'static str,
) -> Result<ArrayRef, LearnError> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let refused = || LearnError::UnsupportedType {
        column: name.to_owned(),
        data_type: array.data_type().clone(),
        wanted,
    };
    // Not every decimal, date or view casts from a dictionary in one step.
    let plain = match array.data_type() {
        DataType::Dictionary(_, value) => {
            cast_with_options(array, value, &options).map_err(|_| refused())?
        }
        _ => array.clone(),
    };
    cast_with_options(&plain, to, &options).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
        StringViewArray,
    };
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::int32(Arc::new(Int32Array::from(vec![Some(7), None])), 7.0)]
    #[case::int64(Arc::new(Int64Array::from(vec![Some(7), None])), 7.0)]
    #[case::float(Arc::new(Float64Array::from(vec![Some(7.5), None])), 7.5)]
    #[case::decimal(Arc::new(Decimal128Array::from(vec![Some(725), None]).with_precision_and_scale(18, 2).unwrap()), 7.25)]
    #[case::boolean(Arc::new(BooleanArray::from(vec![Some(true), None])), 1.0)]
    #[case::date(Arc::new(Date32Array::from(vec![Some(19_723), None])), 19_723.0)]
    #[case::text(Arc::new(StringArray::from(vec![Some("7.5"), None])), 7.5)]
    #[case::dictionary(Arc::new(vec![Some("7.5"), None].into_iter().collect::<DictionaryArray<Int32Type>>()), 7.5)]
    fn every_type_sql_returns_becomes_a_number(#[case] array: ArrayRef, #[case] expected: f64) {
        let mut column = ColumnData::new(FeatureKind::Numeric);
        column.append(FeatureKind::Numeric, "x", &array).unwrap();
        let ColumnData::Numbers(values) = column else {
            panic!("numbers expected")
        };
        assert_eq!(values[0], expected);
        assert!(values[1].is_nan());
    }

    #[rstest]
    #[case::utf8(Arc::new(StringArray::from(vec![Some("a"), None, Some("b")])))]
    #[case::view(Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b")])))]
    #[case::dictionary(Arc::new(vec![Some("a"), None, Some("b")].into_iter().collect::<DictionaryArray<Int32Type>>()))]
    #[case::date(Arc::new(Date32Array::from(vec![Some(1), None, Some(2)])))]
    #[case::number(Arc::new(Int32Array::from(vec![Some(1), None, Some(2)])))]
    fn every_type_sql_returns_becomes_a_category(#[case] array: ArrayRef) {
        let mut column = ColumnData::new(FeatureKind::Categorical);
        column
            .append(FeatureKind::Categorical, "x", &array)
            .unwrap();
        let ColumnData::Categories { codes, names, .. } = column else {
            panic!("categories expected")
        };
        assert_eq!(codes, vec![0, MISSING, 1]);
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn text_that_is_no_number_is_refused_without_printing_it() {
        let array: ArrayRef = Arc::new(StringArray::from(vec!["홍길동"]));
        let mut column = ColumnData::new(FeatureKind::Numeric);
        let error = column
            .append(FeatureKind::Numeric, "wage", &array)
            .unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("wage") && !message.contains("홍길동"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_column_suggests_the_nearest_name() {
        let batch = RecordBatch::try_from_iter(vec![(
            "weekly_hours",
            Arc::new(Int32Array::from(vec![1])) as ArrayRef,
        )])
        .unwrap();
        let message = find(&batch, "weekly_hour", "feature")
            .unwrap_err()
            .to_string();
        assert!(message.contains("did you mean weekly_hours?"), "{message}");
    }
}
