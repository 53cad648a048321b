//! Tests as a header writes them, with dbt's words.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A single value written in YAML: compared with a column in a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// true or false
    Boolean(bool),
    /// a whole number
    Integer(i64),
    /// any other number
    Float(f64),
    /// text, a date as `2024-08-01`
    Text(String),
}

impl Scalar {
    /// The value as an SQL literal.
    pub fn to_sql(&self) -> String {
        match self {
            Self::Text(value) => format!("'{}'", value.replace('\'', "''")),
            other => other.to_text(),
        }
    }

    /// The value as text that a cast reads.
    pub fn to_text(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// How much a failed test or check weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The build has failed.
    #[default]
    Error,
    /// The build reports it.
    Warn,
}

/// The least and greatest value a column may hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// No value is below.
    #[serde(default)]
    pub min: Option<Scalar>,
    /// No value is above.
    #[serde(default)]
    pub max: Option<Scalar>,
}

/// The column another column's values must all occur in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    /// A model, source or seed as in `ref()`; also `schema.table`.
    pub to: String,
    /// Its column.
    pub field: String,
}

/// What is tested of one column. Null passes everything but `not_null`.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnTestKind {
    /// No row lacks a value.
    NotNull,
    /// No value occurs twice.
    Unique,
    /// Only these values occur.
    AcceptedValues(Vec<Scalar>),
    /// Every value occurs in another table's column.
    Relationships(Relationship),
    /// Every value lies between two bounds.
    Range(Range),
    /// The condition is false on no row.
    Expression(String),
}

/// What is tested of a whole model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelTestKind {
    /// No two rows agree in all of these columns.
    Unique(Vec<String>),
    /// None of these columns lacks a value in any row.
    NotNull(Vec<String>),
    /// A column's values lie between two bounds.
    Range(ModelRange),
    /// No row makes this condition false.
    Expression(String),
}

/// A range of a named column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRange {
    /// The column.
    pub column: String,
    /// No value is below.
    #[serde(default)]
    pub min: Option<Scalar>,
    /// No value is above.
    #[serde(default)]
    pub max: Option<Scalar>,
}

/// A test of one column, such as `not_null` or `{range: {min: 0}, severity: warn}`.
pub type ColumnTest = DeclaredTest<ColumnTestKind>;
/// A test of a whole model, such as `{expression: "a <= b", where: "not cancelled"}`.
pub type ModelTest = DeclaredTest<ModelTestKind>;

/// What is tested, on which rows, and how much a failure weighs.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredTest<Kind> {
    /// What is tested.
    pub kind: Kind,
    /// What a failure means.
    pub severity: Severity,
    /// SQL condition on the rows that are tested; all rows without it.
    pub condition: Option<String>,
}

/// The keys of a test written as a map; exactly one of the kinds is there.
trait Written: DeserializeOwned {
    type Kind;
    const WORDS: &'static [&'static str];
    fn of_word(word: &str) -> Option<Self::Kind>;
    fn read(self) -> (Vec<Self::Kind>, Severity, Option<String>);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumnTest {
    #[serde(default, deserialize_with = "present")]
    not_null: Option<()>,
    #[serde(default, deserialize_with = "present")]
    unique: Option<()>,
    accepted_values: Option<Vec<Scalar>>,
    relationships: Option<Relationship>,
    range: Option<Range>,
    expression: Option<String>,
    #[serde(default)]
    severity: Severity,
    #[serde(rename = "where")]
    condition: Option<String>,
}

/// A test without arguments is there when its key is, as in `{unique: , severity: warn}`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    de::IgnoredAny::deserialize(deserializer)?;
    Ok(Some(()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenModelTest {
    unique: Option<Vec<String>>,
    not_null: Option<Vec<String>>,
    range: Option<ModelRange>,
    expression: Option<String>,
    #[serde(default)]
    severity: Severity,
    #[serde(rename = "where")]
    condition: Option<String>,
}

impl Written for WrittenColumnTest {
    type Kind = ColumnTestKind;
    const WORDS: &'static [&'static str] = &["not_null", "unique"];

    fn of_word(word: &str) -> Option<ColumnTestKind> {
        match word {
            "not_null" => Some(ColumnTestKind::NotNull),
            "unique" => Some(ColumnTestKind::Unique),
            _ => None,
        }
    }

    fn read(self) -> (Vec<ColumnTestKind>, Severity, Option<String>) {
        let kinds = [
            self.not_null.map(|()| ColumnTestKind::NotNull),
            self.unique.map(|()| ColumnTestKind::Unique),
            self.accepted_values.map(ColumnTestKind::AcceptedValues),
            self.relationships.map(ColumnTestKind::Relationships),
            self.range.map(ColumnTestKind::Range),
            self.expression.map(ColumnTestKind::Expression),
        ];
        let kinds = kinds.into_iter().flatten().collect();
        (kinds, self.severity, self.condition)
    }
}

impl Written for WrittenModelTest {
    type Kind = ModelTestKind;
    const WORDS: &'static [&'static str] = &[];

    fn of_word(_word: &str) -> Option<ModelTestKind> {
        None
    }

    fn read(self) -> (Vec<ModelTestKind>, Severity, Option<String>) {
        let kinds = [
            self.unique.map(ModelTestKind::Unique),
            self.not_null.map(ModelTestKind::NotNull),
            self.range.map(ModelTestKind::Range),
            self.expression.map(ModelTestKind::Expression),
        ];
        let kinds = kinds.into_iter().flatten().collect();
        (kinds, self.severity, self.condition)
    }
}

impl<'de> Deserialize<'de> for ColumnTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TestVisitor::<WrittenColumnTest>::new())
    }
}

impl<'de> Deserialize<'de> for ModelTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TestVisitor::<WrittenModelTest>::new())
    }
}

/// Reads a word or a map without buffering it, so that errors keep their line.
struct TestVisitor<W>(std::marker::PhantomData<W>);

impl<W> TestVisitor<W> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, W: Written> Visitor<'de> for TestVisitor<W> {
    type Value = DeclaredTest<W::Kind>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a test, such as `{expression: \"a <= b\"}`")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        match W::of_word(word) {
            Some(kind) => Ok(DeclaredTest {
                kind,
                severity: Severity::Error,
                condition: None,
            }),
            None => Err(E::unknown_variant(word, W::WORDS)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let written = W::deserialize(MapAccessDeserializer::new(map))?;
        let (mut kinds, severity, condition) = written.read();
        match (kinds.pop(), kinds.is_empty()) {
            (Some(kind), true) => Ok(DeclaredTest {
                kind,
                severity,
                condition,
            }),
            (None, _) => Err(de::Error::custom("a test without its kind")),
            (Some(_), false) => Err(de::Error::custom(
                "two tests in one: write each as an entry of its own",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn read(yaml: &str) -> Result<Vec<ColumnTest>, String> {
        serde_yaml_ng::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn tests_are_words_or_maps_with_severity_and_rows() {
        let tests = read(
            "- not_null\n- {accepted_values: [a, 3]}\n- {range: {min: 0}, severity: warn, where: \"a > 0\"}\n- {expression: \"a = b\"}\n",
        )
        .unwrap();
        assert_eq!(tests[0].kind, ColumnTestKind::NotNull);
        assert_eq!(tests[2].severity, Severity::Warn);
        assert_eq!(tests[2].condition.as_deref(), Some("a > 0"));
        assert_eq!(tests[3].kind, ColumnTestKind::Expression("a = b".into()));
    }

    #[test]
    fn unknown_doubled_and_missing_kinds_are_refused() {
        for (yaml, message) in [
            ("- notnull", "unknown variant `notnull`"),
            ("- {rang: {min: 0}}", "unknown field `rang`"),
            ("- {severity: warn}", "without its kind"),
            (
                "- {unique: , range: {min: 0}, expression: a}",
                "two tests in one",
            ),
        ] {
            let error = read(yaml).unwrap_err();
            assert!(error.contains(message), "{yaml}: {error}");
            assert!(
                error.contains("line 1") || error.contains("[0]"),
                "{yaml}: {error}"
            );
        }
    }
}
