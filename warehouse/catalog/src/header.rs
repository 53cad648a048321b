//! What stands in the first comment of a model or check.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::contract::BilingualText;
use crate::declared_test::{ColumnTest, ModelTest, Scalar, Severity};
use crate::problem::Problem;

/// How a model's rows are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Materialized {
    /// Not at all: its text is inlined where it is used.
    View,
    /// As one table, rebuilt as a whole.
    #[default]
    Table,
    /// As one table of months, each rebuilt on its own.
    Partitioned,
    /// As one table of which only the rows of touched keys are recomputed.
    Keyed,
    /// As the history of its rows: each version with the days it held.
    Snapshot,
}

impl Materialized {
    /// The word that stands in a header.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Table => "table",
            Self::Partitioned => "partitioned",
            Self::Keyed => "keyed",
            Self::Snapshot => "snapshot",
        }
    }
}

/// How the history of a `materialized: snapshot` model is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotHeader {
    /// The columns that tell one thing from another through all its versions.
    #[serde(deserialize_with = "one_or_many")]
    pub key: Vec<String>,
    /// The date column that says since when a row holds; without it the day of the build.
    #[serde(default)]
    pub valid_from: Option<String>,
}

/// What a model's columns promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnContract {
    /// Every column is listed with its type, and the select gives these and no other.
    #[serde(default)]
    pub enforced: bool,
}

/// What a model's header says of one column.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnHeader {
    /// Short name for people.
    #[serde(default)]
    pub title: Option<BilingualText>,
    /// What the values mean.
    #[serde(default)]
    pub description: Option<BilingualText>,
    /// Tests of this column.
    #[serde(default)]
    pub tests: Vec<ColumnTest>,
    /// Type as in a contract; the model does not build when its select gives another.
    #[serde(default, rename = "type")]
    pub column_type: Option<String>,
    /// Sensitivity and other tags, in addition to those its sources carry.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The unit of a number.
    #[serde(default)]
    pub unit: Option<String>,
}

/// Tags a column does not inherit, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declassification {
    /// The tags that are taken away.
    pub remove: Vec<String>,
    /// Why the column does not deserve them.
    pub reason: String,
}

/// The header of a model.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelHeader {
    /// Short name for people.
    #[serde(default)]
    pub title: Option<BilingualText>,
    /// What one row is.
    pub description: BilingualText,
    /// The columns that identify a row: always tested unique and not null.
    pub grain: Vec<String>,
    /// How rows are kept.
    #[serde(default)]
    pub materialized: Materialized,
    /// The month column of a partitioned model.
    #[serde(default)]
    pub partition_by: Option<String>,
    /// The inputs whose months are this model's months; without it all inputs of `reads`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub partitions_from: Vec<String>,
    /// First and last month relative to its own that a partition reads, by input.
    #[serde(default)]
    pub reads: BTreeMap<String, (i32, i32)>,
    /// First and last day of rows of histories, by input: a partition reads the rows whose days
    /// touch its month, cut to it. A last day that is null is open.
    #[serde(default)]
    pub during: BTreeMap<String, (String, String)>,
    /// The column whose values can be recomputed one without the other: a keyed or partitioned
    /// model recomputes only the rows of keys that new input touches.
    #[serde(default)]
    pub key: Option<String>,
    /// The key's column in inputs that call it otherwise.
    #[serde(default)]
    pub key_of: BTreeMap<String, String>,
    /// What a `materialized: snapshot` model keeps the history of.
    #[serde(default)]
    pub snapshot: Option<SnapshotHeader>,
    /// Order of the stored rows; without it the grain, person_key first.
    #[serde(default)]
    pub sort_by: Vec<String>,
    /// Tests of the whole model.
    #[serde(default)]
    pub tests: Vec<ModelTest>,
    /// What the columns promise to readers.
    #[serde(default)]
    pub contract: ColumnContract,
    /// What is to be said of single columns.
    #[serde(default, deserialize_with = "columns_with_defaults")]
    pub columns: BTreeMap<String, ColumnHeader>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Schema where it is not the folder's name.
    #[serde(default)]
    pub schema: Option<String>,
    /// Tags for selection and for all columns.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Anything else, kept and not read.
    #[serde(default)]
    pub meta: BTreeMap<String, serde_yaml_ng::Value>,
    /// Article of law this model applies.
    #[serde(default)]
    pub legal_basis: Option<BilingualText>,
    /// Version of the rule, for rules that alerts cite.
    #[serde(default)]
    pub version: Option<Scalar>,
    /// Columns made less sensitive than their sources, with the reason.
    #[serde(default)]
    pub declassify: BTreeMap<String, Declassification>,
    /// The date column that says since when a row is known; without it `known_on` or `_known_on`
    /// where the select has one.
    #[serde(default)]
    pub known_on: Option<String>,
    /// Whether it reads what became known after `as_of`, to be learned from: no feature may read it.
    #[serde(default)]
    pub label: bool,
    /// Column types of tables that Rust writes and that may not exist yet.
    #[serde(default)]
    pub expects: BTreeMap<String, BTreeMap<String, String>>,
    /// Rows of one data file, where the default does not fit.
    #[serde(default)]
    pub rows_per_file: Option<usize>,
}

/// The header of a check.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckHeader {
    /// Short name for people.
    pub title: Option<BilingualText>,
    /// What must hold.
    pub description: BilingualText,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Tags for selection.
    pub tags: Vec<String>,
    /// What a failure means.
    pub severity: Severity,
    /// Article of law behind it.
    pub legal_basis: Option<BilingualText>,
    /// Anything else, kept and not read.
    pub meta: BTreeMap<String, serde_yaml_ng::Value>,
}

/// Header text and body of an SQL file.
pub(crate) struct SplitFile<'a> {
    pub header: Option<&'a str>,
    /// What stands before the header's YAML.
    pub before_header: &'a str,
    /// The file with its header blanked out, so that lines stay where they are.
    pub body: String,
}

/// Separates the header from the body.
pub(crate) fn split_file<'a>(file: &str, text: &'a str) -> Result<SplitFile<'a>, Problem> {
    let text = text.trim_start_matches('\u{feff}');
    let Some(start) = text.find("/*---") else {
        return Ok(SplitFile {
            header: None,
            before_header: "",
            body: text.to_owned(),
        });
    };
    if !text[..start].trim().is_empty() {
        return Err(
            Problem::new(file, "the header must be the first thing in the file")
                .at_line(line_of(text, start)),
        );
    }
    let yaml_start = start + "/*---".len();
    let Some(length) = text[yaml_start..].find("---*/") else {
        return Err(
            Problem::new(file, "the header that begins with /*--- never ends")
                .at_line(line_of(text, start))
                .with_help("end it with ---*/"),
        );
    };
    let body_start = yaml_start + length + "---*/".len();
    let blank = "\n".repeat(text[..body_start].matches('\n').count());
    Ok(SplitFile {
        header: Some(&text[yaml_start..yaml_start + length]),
        before_header: &text[..yaml_start],
        body: format!("{blank}{}", &text[body_start..]),
    })
}

/// Reads YAML that stands after other text in a file; errors name the place in the file and the nearest key.
pub(crate) fn parse_yaml<T: DeserializeOwned>(
    file: &str,
    before: &str,
    yaml: &str,
) -> Result<T, Problem> {
    serde_yaml_ng::from_str(yaml).map_err(|error| {
        // A struct's missing field is reported where the struct begins.
        let (line, column) = match error.location().map(|at| (at.line(), at.column())) {
            Some((1, column)) => {
                let line_start = before.rfind('\n').map_or(0, |at| at + 1);
                (1, Some(column + before[line_start..].chars().count()))
            }
            Some((line, column)) => (line, Some(column)),
            None => (1, None),
        };
        let line = line + before.matches('\n').count();
        let message = error.to_string();
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        let problem = Problem::new(file, message.clone())
            .at_line(line)
            .at_column(column);
        match unknown_and_known(&message) {
            Some((unknown, known)) => problem.with_nearest(unknown, known),
            None => problem,
        }
    })
}

/// The wrong and the right names in serde's "unknown field" and "unknown variant" messages.
fn unknown_and_known(message: &str) -> Option<(&str, Vec<&str>)> {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    Some((unknown, quoted.collect()))
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text[..position].matches('\n').count()
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "one name or a list of names")]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::One(name) => vec![name],
        Either::Many(names) => names,
    })
}

/// A column named without anything said of it (`person_key:`) is allowed.
fn columns_with_defaults<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ColumnHeader>, D::Error> {
    let columns = BTreeMap::<String, Option<ColumnHeader>>::deserialize(deserializer)?;
    Ok(columns
        .into_iter()
        .map(|(name, header)| (name, header.unwrap_or_default()))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::declared_test::ColumnTestKind;

    const HEADER: &str = "\
description: one row per person and month
grain: [person_key, month]
materialized: partitioned
partition_by: month
partitions_from: income_month
reads: {income_month: [-2, 0]}
tests: [{expression: 'a <= b'}, {unique: [a, b]}]
columns:
  person_key: {tests: [not_null]}
  month:
  kind: {tests: [{accepted_values: [regular, 3]}, {relationships: {to: person, field: person_key}}]}
  uninsured_won: {description: {ko: 미가입 소득, en: uninsured}, tests: [{range: {min: 0}}]}
";

    #[test]
    fn header_with_every_kind_of_test_is_read() {
        let header: ModelHeader = parse_yaml("core/x.sql", "", HEADER).unwrap();
        assert_eq!(header.reads["income_month"], (-2, 0));
        assert_eq!(header.partitions_from, ["income_month"]);
        assert_eq!(header.tests.len(), 2);
        assert_eq!(
            header.columns["person_key"].tests[0].kind,
            ColumnTestKind::NotNull
        );
        assert_eq!(header.columns["month"], ColumnHeader::default());
        assert_eq!(header.columns["kind"].tests.len(), 2);
    }

    #[test]
    fn misspelt_key_is_named_with_its_line_and_the_nearest_key() {
        let text = format!("/*---\n{HEADER}materialised: table\n---*/\nselect 1");
        let split = split_file("core/x.sql", &text).unwrap();
        let problem =
            parse_yaml::<ModelHeader>("core/x.sql", split.before_header, split.header.unwrap())
                .unwrap_err();
        assert_eq!(
            (problem.line, problem.column),
            (Some(14), Some(1)),
            "{problem}"
        );
        assert_eq!(
            problem.help.as_deref(),
            Some("did you mean `materialized`?")
        );
    }

    #[test]
    fn body_keeps_its_line_numbers() {
        let split = split_file("x.sql", "/*---\na: 1\n---*/\nselect 1").unwrap();
        assert_eq!(split.body, "\n\n\nselect 1");
        assert_eq!(split.header, Some("\na: 1\n"));
        assert!(split_file("x.sql", "/*---\na: 1\nselect 1").is_err());
        assert!(split_file("x.sql", "select 1 /*---\n---*/").is_err());
    }

    #[test]
    fn quotes_in_a_value_cannot_end_the_literal() {
        assert_eq!(Scalar::Text("o'clock".into()).to_sql(), "'o''clock'");
    }
}
