#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::sync::Arc;

use super::*;
use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{
    BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
};
use arrow_schema::Field;

fn hash(batch: &RecordBatch) -> ContentHash {
    RowHasher::new(&batch.schema()).hash(batch)
}

fn people() -> RecordBatch {
    RecordBatch::try_from_iter([
        (
            "person_key",
            Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
        ),
        (
            "name",
            Arc::new(StringArray::from(vec![Some("가"), None, Some("")])) as ArrayRef,
        ),
        (
            "born",
            Arc::new(Date32Array::from(vec![Some(10), Some(20), None])) as ArrayRef,
        ),
        (
            "won",
            Arc::new(
                Decimal128Array::from(vec![100, 200, 300])
                    .with_precision_and_scale(18, 0)
                    .unwrap(),
            ) as ArrayRef,
        ),
        (
            "insured",
            Arc::new(BooleanArray::from(vec![true, false, true])) as ArrayRef,
        ),
        (
            "rate",
            Arc::new(Float64Array::from(vec![0.5, -0.0, 1.5])) as ArrayRef,
        ),
    ])
    .unwrap()
}

/// The documented format, spelled out by hand: changing it would change every hash ever published.
#[test]
fn rows_are_encoded_as_documented() {
    let batch = people();
    let mut row = vec![1u8];
    row.extend(10i32.to_le_bytes()); // born
    row.extend([1, 1]); // insured
    row.push(1);
    row.extend(1i64.to_le_bytes()); // person_key
    row.push(1);
    row.extend(0.5f64.to_le_bytes()); // rate
    row.push(1);
    row.extend(100i128.to_le_bytes()); // won
    row.push(1);
    row.extend(3u32.to_le_bytes());
    row.extend("가".as_bytes()); // name, of variable width, comes last
    assert_eq!(hash(&batch.slice(0, 1)).multiset, xxh3_128(&row));
}

#[test]
fn hash_does_not_depend_on_order_of_rows_or_columns_or_on_batches() {
    let batch = people();
    let whole = hash(&batch);
    let pieces = [2, 0, 1]
        .map(|row| hash(&batch.slice(row, 1)))
        .into_iter()
        .fold(ContentHash::default(), ContentHash::combined_with);
    assert_eq!(whole, pieces);
    let reversed = batch.project(&[5, 4, 3, 2, 1, 0]).unwrap();
    assert_eq!(whole, hash(&reversed));
}

#[test]
fn null_empty_and_zero_are_three_things() {
    let text = |value: Option<&str>| {
        hash(
            &RecordBatch::try_from_iter([(
                "a",
                Arc::new(StringArray::from(vec![value])) as ArrayRef,
            )])
            .unwrap(),
        )
    };
    assert_ne!(text(None), text(Some("")));
    let number = |value: Option<i32>| {
        hash(
            &RecordBatch::try_from_iter([(
                "a",
                Arc::new(Int32Array::from(vec![value])) as ArrayRef,
            )])
            .unwrap(),
        )
    };
    assert_ne!(number(None), number(Some(0)));
}

#[test]
fn text_boundaries_count() {
    let pair = |left: &str, right: &str| {
        hash(
            &RecordBatch::try_from_iter([
                ("a", Arc::new(StringArray::from(vec![left])) as ArrayRef),
                ("b", Arc::new(StringArray::from(vec![right])) as ArrayRef),
            ])
            .unwrap(),
        )
    };
    assert_ne!(pair("ab", "c"), pair("a", "bc"));
}

#[test]
fn a_null_hides_whatever_lies_beneath_it() {
    let nulls = Some(BooleanArray::from(vec![false]).values().clone());
    let array = |beneath: i64| {
        let values = arrow_array::PrimitiveArray::<Int64Type>::new(
            vec![beneath].into(),
            nulls.clone().map(Into::into),
        );
        hash(&RecordBatch::try_from_iter([("a", Arc::new(values) as ArrayRef)]).unwrap())
    };
    assert_eq!(array(7), array(0));
}

#[test]
fn every_row_counts_as_often_as_it_occurs() {
    let batch = people();
    let once = hash(&batch.slice(0, 1));
    assert_ne!(once, once.combined_with(once));
    assert_eq!(once.combined_with(once).rows, 2);
}

#[test]
fn negative_zero_and_nans_are_canonical() {
    let float = |value: f64| {
        hash(
            &RecordBatch::try_from_iter([(
                "a",
                Arc::new(Float64Array::from(vec![value])) as ArrayRef,
            )])
            .unwrap(),
        )
    };
    assert_eq!(float(0.0), float(-0.0));
    assert_eq!(float(f64::NAN), float(-f64::NAN));
    assert_ne!(float(0.0), float(f64::MIN_POSITIVE));
}

#[test]
fn lists_are_hashed_by_their_elements() {
    let list = |values: &[Option<i64>]| {
        let field = Field::new("element", DataType::Int64, true);
        let mut builder = ListBuilder::new(Int64Builder::new()).with_field(field);
        builder.append_value(values.iter().copied());
        hash(&RecordBatch::try_from_iter([("a", Arc::new(builder.finish()) as ArrayRef)]).unwrap())
    };
    assert_eq!(list(&[Some(1), None]), list(&[Some(1), None]));
    assert_ne!(list(&[Some(1), None]), list(&[None, Some(1)]));
    assert_ne!(list(&[]), list(&[None]));
}

#[test]
fn text_form_reads_back() {
    let value = hash(&people());
    assert_eq!(value.to_string().parse::<ContentHash>().unwrap(), value);
    assert!("xyz".parse::<ContentHash>().is_err());
}
