//! What a feature is: its column, how it is read, and what it is called.

use serde::{Deserialize, Serialize};

/// A text in both languages of the report site.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bilingual {
    /// Korean.
    pub ko: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// A text in both languages.
    pub fn new(ko: impl Into<String>, en: impl Into<String>) -> Self {
        Bilingual {
            ko: ko.into(),
            en: en.into(),
        }
    }
}

/// How a feature's column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// A quantity: standardised, clamped to the range seen in training.
    Numeric,
    /// A code: one indicator per category, rare ones pooled.
    Categorical,
    /// True or false.
    Boolean,
}

/// One feature of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// The column.
    pub name: String,
    /// How it is read.
    pub kind: FeatureKind,
    /// What a counsellor calls it, in Korean.
    pub label_ko: String,
    /// What a counsellor calls it, in English.
    pub label_en: String,
}

impl FeatureSpec {
    /// A quantity.
    pub fn numeric(name: &str, label_ko: &str, label_en: &str) -> Self {
        FeatureSpec::of(name, FeatureKind::Numeric, label_ko, label_en)
    }

    /// A code.
    pub fn categorical(name: &str, label_ko: &str, label_en: &str) -> Self {
        FeatureSpec::of(name, FeatureKind::Categorical, label_ko, label_en)
    }

    /// True or false.
    pub fn boolean(name: &str, label_ko: &str, label_en: &str) -> Self {
        FeatureSpec::of(name, FeatureKind::Boolean, label_ko, label_en)
    }

    fn of(name: &str, kind: FeatureKind, label_ko: &str, label_en: &str) -> Self {
        FeatureSpec {
            name: name.to_owned(),
            kind,
            label_ko: label_ko.to_owned(),
            label_en: label_en.to_owned(),
        }
    }
}

/// The direction in which a prediction may move with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monotone {
    /// More of it never lowers the probability.
    Rising,
    /// More of it never raises the probability.
    Falling,
}

impl Monotone {
    /// 1 for rising, -1 for falling.
    pub(crate) fn sign(self) -> i8 {
        match self {
            Monotone::Rising => 1,
            Monotone::Falling => -1,
        }
    }
}
