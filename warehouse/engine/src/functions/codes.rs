use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};
use goyong_types::nearest_name;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Classification {
    Ksic,
    Keco,
}

/// The part of a classification code that names a level. What is no code, or too short for the
/// level, gives null, as a null does; an unknown level is an error of the statement.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CodeLevel {
    classification: Classification,
    signature: Signature,
}

/// Levels of the Korean Standard Industrial Classification with their digits; a section is a letter.
const KSIC_LEVELS: [(&str, usize); 5] = [
    ("section", 0),
    ("division", 2),
    ("group", 3),
    ("class", 4),
    ("subclass", 5),
];
/// Levels of the Worknet occupation codes, after the Korean Employment Classification of Occupations.
const KECO_LEVELS: [(&str, usize); 3] = [("major", 2), ("minor", 3), ("unit", 4)];

/// First and last division of each section, revision 10 of the classification.
const SECTIONS: [(u8, u8, &str); 21] = [
    (1, 3, "A"),
    (5, 8, "B"),
    (10, 34, "C"),
    (35, 35, "D"),
    (36, 39, "E"),
    (41, 42, "F"),
    (45, 47, "G"),
    (49, 52, "H"),
    (55, 56, "I"),
    (58, 63, "J"),
    (64, 66, "K"),
    (68, 68, "L"),
    (70, 73, "M"),
    (74, 76, "N"),
    (84, 84, "O"),
    (85, 85, "P"),
    (86, 87, "Q"),
    (90, 91, "R"),
    (94, 96, "S"),
    (97, 98, "T"),
    (99, 99, "U"),
];

impl CodeLevel {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Classification::Ksic, Classification::Keco]
            .into_iter()
            .map(|classification| Self {
                classification,
                signature: Signature::exact(
                    vec![DataType::Utf8, DataType::Utf8],
                    Volatility::Immutable,
                ),
            })
    }

    fn levels(&self) -> &'static [(&'static str, usize)] {
        match self.classification {
            Classification::Ksic => &KSIC_LEVELS,
            Classification::Keco => &KECO_LEVELS,
        }
    }

    fn digits(&self, level: &str) -> Result<usize> {
        let levels = self.levels();
        if let Some((_, digits)) = levels.iter().find(|(name, _)| *name == level) {
            return Ok(*digits);
        }
        let names: Vec<&str> = levels.iter().map(|(name, _)| *name).collect();
        let advice = nearest_name(level, names.iter().copied())
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        plan_err!(
            "{}: no level `{level}`, there are {}{advice}",
            self.name(),
            names.join(", ")
        )
    }

    fn part<'a>(&self, code: &'a str, digits: usize) -> Option<&'a str> {
        let code = code.trim();
        // KSIC codes are also written with the letter of their section before them.
        let code = match self.classification {
            Classification::Ksic => code.trim_start_matches(|c: char| c.is_ascii_uppercase()),
            Classification::Keco => code,
        };
        let longest = self.levels().last().map_or(0, |(_, digits)| *digits);
        let is_code = match self.classification {
            Classification::Ksic => {
                code.len() <= longest && code.bytes().all(|byte| byte.is_ascii_digit())
            }
            Classification::Keco => code.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        if !is_code || code.len() < digits.max(2) {
            return None;
        }
        if digits > 0 {
            return Some(&code[..digits]);
        }
        let division: u8 = code[..2].parse().ok()?;
        SECTIONS
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&division))
            .map(|(.., section)| *section)
    }
}

impl ScalarUDFImpl for CodeLevel {
    fn name(&self) -> &str {
        match self.classification {
            Classification::Ksic => "ksic_level",
            Classification::Keco => "keco_level",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _argument_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let [_, Some(ScalarValue::Utf8(Some(level)))] = arguments.scalar_arguments {
            self.digits(level)?;
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, true)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let level = match &call.args[1] {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(level))) => level.clone(),
            ColumnarValue::Scalar(_) => return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None))),
            ColumnarValue::Array(_) => {
                return exec_err!("{}: the level must be the same for all rows", self.name());
            }
        };
        let digits = self.digits(&level)?;
        Ok(match &call.args[0] {
            ColumnarValue::Scalar(code) => {
                let part = match code {
                    ScalarValue::Utf8(Some(code)) => self.part(code, digits),
                    _ => None,
                };
                ColumnarValue::Scalar(ScalarValue::Utf8(part.map(str::to_owned)))
            }
            ColumnarValue::Array(codes) => {
                let parts: StringArray = codes
                    .as_string::<i32>()
                    .iter()
                    .map(|code| self.part(code?, digits))
                    .collect();
                ColumnarValue::Array(Arc::new(parts))
            }
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        super::documentation::of(self.name())
    }
}

/// `normalise_hangul(text)`: one spelling for texts that look the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct NormaliseHangul {
    signature: Signature,
}

impl Default for NormaliseHangul {
    fn default() -> Self {
        Self {
            signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for NormaliseHangul {
    fn name(&self) -> &'static str {
        "normalise_hangul"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _argument_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = call.args.as_slice() else {
            return exec_err!("normalise_hangul: one argument is needed");
        };
        Ok(match text {
            ColumnarValue::Scalar(ScalarValue::Utf8(text)) => ColumnarValue::Scalar(
                ScalarValue::Utf8(text.as_deref().map(goyong_types::normalise_hangul)),
            ),
            ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::Utf8(None)),
            ColumnarValue::Array(texts) => {
                let texts = texts.as_string::<i32>();
                let mut settled =
                    StringBuilder::with_capacity(texts.len(), texts.value_data().len());
                for text in texts {
                    settled.append_option(text.map(goyong_types::normalise_hangul));
                }
                let settled: ArrayRef = Arc::new(settled.finish());
                ColumnarValue::Array(settled)
            }
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        super::documentation::of(self.name())
    }
}
