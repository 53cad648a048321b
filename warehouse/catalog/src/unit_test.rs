//! Tests of a model on rows written by hand: `<model>.test.yml` beside the model, with dbt's words.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::{Month, TableName};
use serde::Deserialize;

use crate::declared_test::Scalar;
use crate::files::{ProjectFiles, stem};
use crate::header::parse_yaml;
use crate::model::Model;
use crate::problem::Problem;
use crate::template::{Names, Vars};

const ENDING: &str = ".test.yml";

/// One row: values by column, null where nothing is said.
pub type UnitRow = BTreeMap<String, Option<Scalar>>;

/// One test: what the inputs hold and what the model must give.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTest {
    /// What is tested, in words.
    pub name: String,
    /// The model.
    pub model: TableName,
    /// Path of the file relative to the project.
    pub file: String,
    /// Line of the test in that file, where it was found.
    pub line: Option<usize>,
    /// Values of `var()`; `as_of` has a value where none is given.
    pub vars: Vars,
    /// The month that is computed of a partitioned model.
    pub month: Option<Month>,
    /// Rows of the inputs; what is not given is empty, a seed holds its own rows.
    pub given: Vec<Given>,
    /// The rows expected, in any order; columns that no row names are not compared.
    pub expect: Vec<UnitRow>,
}

/// Rows of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The table.
    pub input: TableName,
    /// Its rows.
    pub rows: Vec<UnitRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    unit_tests: Vec<WrittenTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest {
    name: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    #[allow(dead_code)]
    description: Option<String>,
    #[serde(default)]
    vars: BTreeMap<String, Scalar>,
    #[serde(default)]
    month: Option<String>,
    #[serde(default)]
    given: Vec<WrittenGiven>,
    expect: WrittenRows,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGiven {
    input: String,
    rows: Vec<UnitRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRows {
    rows: Vec<UnitRow>,
}

/// Reads every file of unit tests; names must be models and inputs of theirs.
pub(crate) fn read_all(
    files: &ProjectFiles,
    names: &Names,
    models: &BTreeMap<TableName, Model>,
    broken: &BTreeSet<TableName>,
    problems: &mut Vec<Problem>,
) -> Vec<UnitTest> {
    let mut tests: Vec<UnitTest> = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(ENDING)) {
        let written: WrittenFile = match parse_yaml(path, "", text) {
            Ok(written) => written,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        for test in written.unit_tests {
            let line = line_of(text, &test.name);
            let of_model = names.model(test.model.as_deref().unwrap_or(stem(path)));
            if of_model.is_ok_and(|table| broken.contains(&table)) {
                continue;
            }
            let name = test.name.clone();
            let at = |message: String| Problem::new(path, message).at_word(text, &name);
            match resolve(path, test, names, models) {
                Ok(test) if tests.iter().any(|earlier| is_same(earlier, &test)) => {
                    problems.push(at(format!(
                        "two tests of {} are called `{}`",
                        test.model, test.name
                    )));
                }
                Ok(test) => tests.push(UnitTest { line, ..test }),
                Err(message) => problems.push(at(message)),
            }
        }
    }
    tests
}

fn is_same(one: &UnitTest, other: &UnitTest) -> bool {
    one.model == other.model && one.name == other.name
}

/// The line on which a test is named.
fn line_of(text: &str, name: &str) -> Option<usize> {
    let found = text
        .lines()
        .position(|line| line.contains("name:") && line.contains(name));
    found.map(|line| line + 1)
}

fn resolve(
    path: &str,
    test: WrittenTest,
    names: &Names,
    models: &BTreeMap<TableName, Model>,
) -> Result<UnitTest, String> {
    let WrittenTest {
        name,
        model,
        vars,
        month,
        given,
        expect,
        ..
    } = test;
    let wrong = |message: String| format!("`{name}`: {message}");
    let table = names
        .model(model.as_deref().unwrap_or(stem(path)))
        .map_err(wrong)?;
    let Some(model) = models.get(&table) else {
        return Err(wrong(format!("{table} is not a model of the project")));
    };
    let month = match (month, model.partition_column()) {
        (None, None) => None,
        (Some(text), Some(_)) => Some(
            text.parse::<Month>()
                .map_err(|_| wrong(format!("`{text}` is no month; write it as 2024-08")))?,
        ),
        (None, Some(_)) => {
            return Err(wrong(format!(
                "{table} is built by month; say which with `month: 2024-08`"
            )));
        }
        (Some(_), None) => return Err(wrong(format!("{table} is not built by month"))),
    };
    let mut inputs: Vec<Given> = Vec::with_capacity(given.len());
    for WrittenGiven { input, rows } in given {
        let input = names.any(bare_name(&input)).map_err(wrong)?;
        if !model.inputs.contains(&input) {
            return Err(wrong(format!("{table} does not read {input}")));
        }
        if inputs.iter().any(|earlier| earlier.input == input) {
            return Err(wrong(format!("{input} is given twice")));
        }
        inputs.push(Given { input, rows });
    }
    for row in &expect.rows {
        if row.is_empty() {
            return Err(wrong("an expected row names no column".into()));
        }
    }
    Ok(UnitTest {
        model: table,
        file: path.to_owned(),
        line: None,
        vars: vars
            .into_iter()
            .map(|(name, value)| (name, value.to_text()))
            .collect(),
        month,
        given: inputs,
        expect: expect.rows,
        name,
    })
}

/// `ref('person')` and `source('pay')` mean what they mean in a model; so does the name alone.
fn bare_name(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner
        .unwrap_or(text)
        .trim()
        .trim_matches(|letter| letter == '\'' || letter == '"')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use crate::{Project, ProjectError, ProjectFiles};

    fn project(test: &str) -> Result<Project, ProjectError> {
        let header = "/*---\ndescription: x\ngrain: [a]\n---*/\n";
        Project::from_files(ProjectFiles::from_texts([
            ("core/a.sql", format!("{header}select 1 as a, 2 as b")),
            (
                "core/m.sql",
                format!(
                    "{header}select a from {{{{ ref('a') }}}} where b > {{{{ var('least', '0') }}}}"
                ),
            ),
            ("core/m.test.yml", test.to_owned()),
        ]))
    }

    #[test]
    fn given_and_expected_rows_are_read() {
        let project = project(
            "unit_tests:\n  - name: small ones are left out\n    vars: {least: 3}\n    given:\n      - input: ref('a')\n        rows:\n          - {a: 1, b: 2}\n          - {a: 2}\n    expect: {rows: [{a: ~}]}\n",
        )
        .unwrap();
        let [test] = project.unit_tests() else {
            panic!("one test");
        };
        assert_eq!(test.model.to_string(), "core.m");
        assert_eq!((test.line, test.given[0].rows.len()), (Some(2), 2));
        assert_eq!(test.vars["least"], "3");
        assert_eq!(test.expect[0]["a"], None);
    }

    #[test]
    fn wrong_names_are_refused_with_their_line() {
        for (test, message) in [
            (
                "  - {name: t, model: mm, expect: {rows: []}}",
                "core/m.test.yml:2:12: `t`: no model is called `mm`; did you mean `m`?",
            ),
            (
                "  - {name: t, given: [{input: b, rows: []}], expect: {rows: []}}",
                "no model is called `b`",
            ),
            (
                "  - {name: t, model: a, given: [{input: m, rows: []}], expect: {rows: []}}",
                "core.a does not read core.m",
            ),
            (
                "  - {name: t, month: 2024-01, expect: {rows: []}}",
                "core.m is not built by month",
            ),
            (
                "  - {name: t, expects: {rows: []}}",
                "did you mean `expect`?",
            ),
            (
                "  - {name: t, expect: {rows: []}}\n  - {name: t, expect: {rows: []}}",
                "two tests",
            ),
        ] {
            let error = project(&format!("unit_tests:\n{test}\n"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
