//! A set of key values, and the condition that a column holds one of them.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use datafusion::common::{Result as PlanResult, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Spreads numbers that may lie close together: one multiplication by an odd constant.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte) ^ self.0);
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number as u64);
    }
}

pub(crate) type NumberHash = BuildHasherDefault<NumberHasher>;

/// Values of one column; null is never among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySet {
    Numbers(HashSet<i64, NumberHash>),
    Texts(HashSet<String>),
}

/// Whether values of a type can be keys.
pub(crate) fn is_key_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::Utf8)
}

impl KeySet {
    /// An empty set of keys of a type that can be one.
    pub fn empty(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Numbers(HashSet::default()),
            _ => Self::Texts(HashSet::default()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(keys) => keys.len(),
            Self::Texts(keys) => keys.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the values of the rows that `chosen` names, all when it is absent.
    pub fn insert(&mut self, column: &ArrayRef, chosen: Option<&BooleanArray>) {
        let is_chosen =
            |row: usize| column.is_valid(row) && chosen.is_none_or(|chosen| chosen.value(row));
        match self {
            Self::Numbers(keys) => {
                if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
                    let rows = (0..numbers.len()).filter(|row| is_chosen(*row));
                    keys.extend(rows.map(|row| numbers.value(row)));
                }
            }
            Self::Texts(keys) => {
                if let Some(texts) = column.as_string_opt::<i32>() {
                    for row in (0..texts.len()).filter(|row| is_chosen(*row)) {
                        if !keys.contains(texts.value(row)) {
                            keys.insert(texts.value(row).to_owned());
                        }
                    }
                }
            }
        }
    }

    /// Adds all of another set of the same type.
    pub fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Numbers(keys), Self::Numbers(others)) => keys.extend(others),
            (Self::Texts(keys), Self::Texts(others)) => keys.extend(others),
            _ => {}
        }
    }

    /// Which values of a column are in the set; never null.
    pub fn mask(&self, column: &ArrayRef) -> BooleanArray {
        match self {
            Self::Numbers(keys) => match column.as_primitive_opt::<Int64Type>() {
                Some(numbers) => (0..numbers.len())
                    .map(|row| Some(numbers.is_valid(row) && keys.contains(&numbers.value(row))))
                    .collect(),
                None => BooleanArray::from(vec![false; column.len()]),
            },
            Self::Texts(keys) => match column.as_string_opt::<i32>() {
                Some(texts) => (0..texts.len())
                    .map(|row| Some(texts.is_valid(row) && keys.contains(texts.value(row))))
                    .collect(),
                None => BooleanArray::from(vec![false; column.len()]),
            },
        }
    }

    /// The condition that a column holds a value of the set.
    pub fn condition(self: &Arc<Self>, column: Expr) -> Expr {
        ScalarUDF::new_from_impl(IsKey(Arc::clone(self))).call(vec![column])
    }
}

/// Membership as a function of SQL plans; equal only to itself.
#[derive(Debug)]
struct IsKey(Arc<KeySet>);

impl PartialEq for IsKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for IsKey {}

impl std::hash::Hash for IsKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl ScalarUDFImpl for IsKey {
    fn name(&self) -> &str {
        "is_touched_key"
    }

    fn signature(&self) -> &Signature {
        static SIGNATURE: std::sync::OnceLock<Signature> = std::sync::OnceLock::new();
        SIGNATURE.get_or_init(|| Signature::any(1, Volatility::Immutable))
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let Some(column) = arguments.args.first() else {
            return exec_err!("is_touched_key takes a column");
        };
        let column = column.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(self.0.mask(&column))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};

    #[test]
    fn null_is_never_a_key() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-7)]));
        let mut keys = KeySet::empty(&DataType::Int64);
        keys.insert(&numbers, None);
        assert_eq!(keys.len(), 2);
        let mask = keys.mask(&numbers);
        assert_eq!(mask, BooleanArray::from(vec![true, false, true]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let mut keys = KeySet::empty(&DataType::Utf8);
        keys.insert(&texts, Some(&BooleanArray::from(vec![false, true, true])));
        assert_eq!(
            keys.mask(&texts),
            BooleanArray::from(vec![false, false, true])
        );
    }
}
