//! Turns the files of a project into contracts, seeds, models and checks, one file at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use goyong_types::{TableName, nearest_name};

use crate::contract::{ColumnType, Contract, ContractError};
use crate::declared_test::{ColumnTestKind, ModelRange, ModelTestKind, Range, Severity};
use crate::files::{ProjectFiles, stem};
use crate::header::{CheckHeader, Materialized, ModelHeader, parse_yaml, split_file};
use crate::model::{Check, Model, Test, TestKind};
use crate::problem::Problem;
use crate::seed::{Seed, SeedHeader};
use crate::template::{Macros, Names, VarValues, is_written_elsewhere, render};

/// Folders of a project that hold no models.
const OTHER_FOLDERS: [&str; 5] = ["sources", "seeds", "checks", "macros", "reports"];

pub(super) fn read_contracts(
    files: &ProjectFiles,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Contract> {
    let mut contracts = BTreeMap::new();
    for (path, text) in files.below("sources", "yml") {
        match Contract::parse(text, path) {
            Ok(contract) => {
                contracts.insert(contract.source.clone(), contract);
            }
            Err(ContractError {
                file,
                line,
                column,
                message,
                hint,
            }) => problems.push(Problem {
                file,
                line,
                column,
                message,
                help: hint,
            }),
        }
    }
    check_children(files, &contracts, problems);
    contracts
}

/// A child is read from its parent's files, so what is said of the files must be said of both.
fn check_children(
    files: &ProjectFiles,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Vec<Problem>,
) {
    for child in contracts.values() {
        let Some(name) = &child.child_of else {
            continue;
        };
        let file = format!("sources/{}.yml", child.source);
        let text = files.text(&file).unwrap_or_default();
        let Some(parent) = contracts.get(name) else {
            problems.push(
                Problem::new(
                    &file,
                    format!("`child_of` names `{name}`, which is no source"),
                )
                .at_word(text, "child_of")
                .with_nearest(name, contracts.keys().map(String::as_str)),
            );
            continue;
        };
        let (own, around) = (&child.format, &parent.format);
        let differs = [
            ("kind", own.kind.as_str() != around.kind.as_str()),
            ("encoding", own.encoding != around.encoding),
            ("compression", own.compression != around.compression),
            ("member", own.member != around.member),
            ("revision", child.revision != parent.revision),
            (
                "period",
                child.period.is_partitioned() && !parent.period.is_partitioned(),
            ),
        ];
        for (key, _) in differs.iter().filter(|(_, differs)| *differs) {
            problems.push(
                Problem::new(&file, format!("`{key}` differs from that of `{name}`"))
                    .at_word(text, key)
                    .with_help("a child stands in its parent's files: write the same in both"),
            );
        }
    }
}

pub(super) fn read_seeds(
    files: &ProjectFiles,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Seed> {
    let mut seeds = BTreeMap::new();
    for (path, csv) in files.below("seeds", "csv") {
        let name = stem(path);
        let yaml_path = format!("{}yml", path.trim_end_matches("csv"));
        let Some(yaml) = files.text(&yaml_path) else {
            problems.push(
                Problem::new(path, "has no description beside it").with_help(format!(
                    "write {yaml_path} with its origin and column types"
                )),
            );
            continue;
        };
        match parse_yaml::<SeedHeader>(&yaml_path, "", yaml) {
            Ok(header) if header.seed == name => {
                check_seed(&header, (path, csv), (&yaml_path, yaml), problems);
                let seed = Seed {
                    name: name.to_owned(),
                    header,
                    csv: csv.to_owned(),
                    file: path.to_owned(),
                };
                seeds.insert(name.to_owned(), seed);
            }
            Ok(header) => {
                let message = format!("calls the seed `{}`, its file `{name}`", header.seed);
                problems.push(Problem::new(&yaml_path, message).at_word(yaml, &header.seed));
            }
            Err(problem) => problems.push(problem),
        }
    }
    seeds
}

fn check_seed(
    header: &SeedHeader,
    (csv_path, csv): (&str, &str),
    (yaml_path, yaml): (&str, &str),
    problems: &mut Vec<Problem>,
) {
    let first = csv.trim_start_matches('\u{feff}').lines().next();
    let in_csv: Vec<&str> = first
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .collect();
    let declared: Vec<&str> = header.columns.iter().map(|c| c.name.as_str()).collect();
    if in_csv != declared {
        problems.push(
            Problem::new(csv_path, format!("has the columns {}", in_csv.join(", ")))
                .at_line(1)
                .with_help(format!("{yaml_path} declares {}", declared.join(", "))),
        );
    }
    for column in &header.columns {
        if column.format.as_deref().is_some_and(|f| f != "%Y-%m-%d") {
            let message = format!("{}: dates of a seed are written 2024-08-01", column.name);
            let problem = Problem::new(yaml_path, message).at_word(yaml, "format");
            problems.push(problem.with_help("remove `format`"));
        }
    }
    for key in &header.key {
        if !declared.contains(&key.as_str()) {
            let problem = Problem::new(yaml_path, format!("key names no column `{key}`"));
            let problem = problem.at_word(yaml, "key");
            problems.push(problem.with_nearest(key, declared.iter().copied()));
        }
    }
}

/// A model whose names are not resolved yet.
pub(super) struct Draft {
    table: TableName,
    file: String,
    header: ModelHeader,
    /// The file up to the header's end, to find words of the header in.
    written: String,
    body: String,
}

/// The models by the table they make, and the tables of those whose header cannot be read.
pub(super) fn read_models(
    files: &ProjectFiles,
    problems: &mut Vec<Problem>,
) -> (BTreeMap<TableName, Draft>, BTreeSet<TableName>) {
    let mut drafts: BTreeMap<TableName, Draft> = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for (path, text) in files.iter() {
        let Some((folder, _)) = path.split_once('/') else {
            continue;
        };
        if OTHER_FOLDERS.contains(&folder) || !path.ends_with(".sql") {
            continue;
        }
        match read_model(path, folder, text) {
            Ok(draft) => {
                if let Some(earlier) = drafts.get(&draft.table) {
                    let message = format!("makes {}, as {} does", draft.table, earlier.file);
                    problems.push(Problem::new(path, message));
                } else {
                    drafts.insert(draft.table.clone(), draft);
                }
            }
            Err(problem) => {
                problems.push(problem);
                unreadable.extend(TableName::new(folder, stem(path)));
            }
        }
    }
    (drafts, unreadable)
}

/// Adds a model that the project writes itself, into a schema no file may write to.
pub(super) fn read_generated(
    path: &str,
    text: &str,
    drafts: &mut BTreeMap<TableName, Draft>,
    problems: &mut Vec<Problem>,
) {
    let folder = path.split_once('/').map_or("", |(folder, _)| folder);
    match draft_of(path, folder, text) {
        Ok(draft) => {
            drafts.insert(draft.table.clone(), draft);
        }
        Err(problem) => problems.push(problem),
    }
}

fn read_model(path: &str, folder: &str, text: &str) -> Result<Draft, Problem> {
    let draft = draft_of(path, folder, text)?;
    let schema = draft.table.schema();
    let is_shared = matches!(schema, "alerts" | "linkage");
    if is_written_elsewhere(schema) && !is_shared || matches!(schema, "staging" | "seed") {
        return Err(Problem::new(
            path,
            format!("the schema `{schema}` is not a model's to write"),
        )
        .at_word(&draft.written, "schema"));
    }
    Ok(draft)
}

fn draft_of(path: &str, folder: &str, text: &str) -> Result<Draft, Problem> {
    let split = split_file(path, text)?;
    let Some(yaml) = split.header else {
        return Err(Problem::new(path, "has no header")
            .at_line(1)
            .with_help("begin it with /*--- description: … grain: […] ---*/, see sql/README.md"));
    };
    let header: ModelHeader = parse_yaml(path, split.before_header, yaml)?;
    let schema = header.schema.as_deref().unwrap_or(folder);
    let table = TableName::new(schema, stem(path))
        .map_err(|error| Problem::new(path, error.to_string()))?;
    Ok(Draft {
        table,
        file: path.to_owned(),
        header,
        written: format!("{}{yaml}", split.before_header),
        body: split.body,
    })
}

pub(super) fn resolve_model(
    draft: Draft,
    macros: &Macros,
    names: &Arc<Names>,
) -> Result<Model, Vec<Problem>> {
    let Draft {
        table,
        file,
        header,
        written,
        body,
    } = draft;
    let rendered = render(&file, macros, &body, names, VarValues::Any).map_err(|p| vec![p])?;
    let mut problems = Vec::new();
    let mut wrong = |word: &str, message: String| {
        problems.push(Problem::new(&file, message).at_word(&written, word));
    };

    if header.description.is_empty() {
        wrong("description", "description says nothing".into());
    }
    if header.grain.is_empty() {
        wrong("grain", "grain names no column".into());
    }
    let partitioned = header.materialized == Materialized::Partitioned;
    if partitioned != header.partition_by.is_some() {
        let word = ["partition_by", "materialized"][usize::from(partitioned)];
        wrong(
            word,
            "`materialized: partitioned` and `partition_by` belong together".into(),
        );
    }
    let by_month = [
        header.reads.is_empty(),
        header.during.is_empty(),
        header.partitions_from.is_empty(),
    ];
    if !partitioned && by_month.contains(&false) {
        let keys = ["reads", "during", "partitions_from"]
            .into_iter()
            .zip(by_month);
        for (key, _) in keys.filter(|(_, absent)| !absent) {
            wrong(key, format!("`{key}` is for `materialized: partitioned`"));
        }
    }
    if partitioned && header.reads.is_empty() && header.partitions_from.is_empty() {
        wrong(
            "materialized",
            "a partitioned model says in `reads` or `partitions_from` where its months come from"
                .into(),
        );
    }

    for (word, message) in check_key(&header) {
        wrong(word, message);
    }

    let inputs = &rendered.inputs;
    let input = |name: &str| -> Result<TableName, String> {
        let table = names.any(name)?;
        if inputs.contains(&table) {
            return Ok(table);
        }
        let known: Vec<String> = inputs.iter().map(ToString::to_string).collect();
        let nearest = nearest_name(&table.to_string(), known.iter().map(String::as_str))
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        Err(format!("the select does not read `{name}`{nearest}"))
    };
    let mut reads = BTreeMap::new();
    for (name, window) in &header.reads {
        match input(name) {
            Ok(table) if window.0 <= window.1 => {
                reads.insert(table, *window);
            }
            Ok(_) => wrong(name, format!("reads: `{name}` ends before it begins")),
            Err(message) => wrong(name, format!("reads: {message}")),
        }
    }
    let mut during = BTreeMap::new();
    for (name, days) in &header.during {
        match input(name) {
            Ok(table) if reads.contains_key(&table) => {
                let message =
                    format!("`{name}` is in `reads` and in `during`; a table is read in one way");
                wrong("during", message);
            }
            Ok(table) => {
                during.insert(table, days.clone());
            }
            Err(message) => wrong(name, format!("during: {message}")),
        }
    }
    let mut partitions_from = Vec::new();
    for name in &header.partitions_from {
        match input(name) {
            Ok(table) => partitions_from.push(table),
            Err(message) => wrong(name, format!("partitions_from: {message}")),
        }
    }
    let mut key_of = BTreeMap::new();
    for (name, column) in &header.key_of {
        match input(name) {
            Ok(table) => {
                key_of.insert(table, column.clone());
            }
            Err(message) => wrong(name, format!("key_of: {message}")),
        }
    }
    if partitions_from.is_empty() {
        partitions_from = reads.keys().cloned().collect();
    }

    let mut tests = Vec::new();
    for (column, described) in &header.columns {
        for test in &described.tests {
            match column_test(column, &test.kind, names) {
                Ok(kind) => tests.push(Test {
                    kind,
                    severity: test.severity,
                    condition: test.condition.clone(),
                }),
                Err(message) => wrong(column, format!("tests of {column}: {message}")),
            }
        }
    }
    for test in &header.tests {
        match model_test(&test.kind) {
            Ok(kinds) => tests.extend(kinds.into_iter().map(|kind| Test {
                kind,
                severity: test.severity,
                condition: test.condition.clone(),
            })),
            Err(message) => wrong("tests", format!("tests: {message}")),
        }
    }
    check_types(&header, &mut wrong);
    if let Some(key) = header
        .key
        .as_ref()
        .filter(|key| !header.grain.contains(key))
    {
        // Rows without a key would belong to nobody and never be computed again.
        tests.push(Test {
            kind: TestKind::NotNull {
                column: key.clone(),
            },
            severity: Severity::Error,
            condition: None,
        });
    }
    let mut expects = BTreeMap::new();
    for (name, columns) in &header.expects {
        match input(name) {
            Ok(table) => {
                expects.insert(table, columns.clone());
            }
            Err(message) => wrong(name, format!("expects: {message}")),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Model {
        sort_by: total_order(&header),
        vars: rendered.vars.into_keys().collect(),
        inputs: rendered.inputs,
        table,
        file,
        body,
        reads,
        during,
        partitions_from,
        key_of,
        tests,
        expects,
        header,
    })
}

/// What is wrong with `key` and `snapshot`, each with the key of the header it is about.
fn check_key(header: &ModelHeader) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    match (header.materialized, &header.key) {
        (Materialized::Keyed, None) => {
            problems.push((
                "materialized",
                "a keyed model names its column in `key`".into(),
            ));
        }
        (Materialized::View | Materialized::Table | Materialized::Snapshot, Some(_)) => {
            problems.push((
                "key",
                "`key` is for `materialized: keyed` or `partitioned`".into(),
            ));
        }
        _ => {}
    }
    if header.key.is_none() && !header.key_of.is_empty() {
        problems.push(("key_of", "`key_of` needs `key`".into()));
    }
    match (header.materialized, &header.snapshot) {
        (Materialized::Snapshot, None) => {
            problems.push((
                "materialized",
                "a snapshot says `snapshot: {key: […], valid_from: …}`".into(),
            ));
        }
        (Materialized::Snapshot, Some(snapshot)) => {
            let mut grain: Vec<&str> = header.grain.iter().map(String::as_str).collect();
            let mut wanted: Vec<&str> = snapshot.key.iter().map(String::as_str).collect();
            wanted.push("valid_from");
            grain.sort_unstable();
            wanted.sort_unstable();
            if snapshot.key.is_empty() {
                problems.push(("snapshot", "snapshot: key names no column".into()));
            } else if grain != wanted {
                let message = format!(
                    "the grain of a snapshot is its key and valid_from: [{}, valid_from]",
                    snapshot.key.join(", ")
                );
                problems.push(("grain", message));
            }
        }
        (_, Some(_)) => problems.push((
            "snapshot",
            "`snapshot` is for `materialized: snapshot`".into(),
        )),
        (_, None) => {}
    }
    problems
}

/// `sort_by`, or the grain with the person first; then what the grain adds, so that no tie is left.
fn total_order(header: &ModelHeader) -> Vec<String> {
    let mut order = header.sort_by.clone();
    let mut grain = header.grain.clone();
    grain.sort_by_key(|column| column != "person_key");
    for column in grain {
        if !order.contains(&column) {
            order.push(column);
        }
    }
    order
}

fn column_test(column: &str, test: &ColumnTestKind, names: &Names) -> Result<TestKind, String> {
    let column = column.to_owned();
    Ok(match test {
        ColumnTestKind::NotNull => TestKind::NotNull { column },
        ColumnTestKind::Unique => TestKind::Unique {
            columns: vec![column],
        },
        ColumnTestKind::AcceptedValues(values) if values.is_empty() => {
            return Err("accepted_values lists no value".into());
        }
        ColumnTestKind::AcceptedValues(values) => TestKind::AcceptedValues {
            column,
            values: values.clone(),
        },
        ColumnTestKind::Relationships(relationship) => TestKind::Relationship {
            column,
            to: names.any(&relationship.to)?,
            field: relationship.field.clone(),
        },
        ColumnTestKind::Range(range) => range_test(column, range.clone())?,
        ColumnTestKind::Expression(condition) => TestKind::Expression {
            condition: condition.clone(),
        },
    })
}

fn model_test(test: &ModelTestKind) -> Result<Vec<TestKind>, String> {
    Ok(match test {
        ModelTestKind::Unique(columns) if columns.is_empty() => {
            return Err("unique names no column".into());
        }
        ModelTestKind::Unique(columns) => vec![TestKind::Unique {
            columns: columns.clone(),
        }],
        ModelTestKind::NotNull(columns) => columns
            .iter()
            .map(|column| TestKind::NotNull {
                column: column.clone(),
            })
            .collect(),
        ModelTestKind::Range(ModelRange { column, min, max }) => {
            let range = Range {
                min: min.clone(),
                max: max.clone(),
            };
            vec![range_test(column.clone(), range)?]
        }
        ModelTestKind::Expression(condition) => vec![TestKind::Expression {
            condition: condition.clone(),
        }],
    })
}

fn range_test(column: String, range: Range) -> Result<TestKind, String> {
    if range.min.is_none() && range.max.is_none() {
        return Err("range has neither min nor max".into());
    }
    Ok(TestKind::Range { column, range })
}

/// Declared types are words of a contract, and an enforced contract declares all of them.
fn check_types(header: &ModelHeader, wrong: &mut impl FnMut(&str, String)) {
    for (column, described) in &header.columns {
        match &described.column_type {
            Some(text) if text.parse::<ColumnType>().is_err() => {
                let advice = nearest_name(text, ColumnType::WORDS)
                    .map(|nearest| format!("; did you mean `{nearest}`?"))
                    .unwrap_or_default();
                let message = format!("type of {column}: `{text}` is no column type{advice}");
                wrong(column, message);
            }
            None if header.contract.enforced => {
                let message = format!(
                    "contract: {column} has no type; an enforced contract gives every column one"
                );
                wrong(column, message);
            }
            _ => {}
        }
    }
    if header.contract.enforced && header.columns.is_empty() {
        wrong(
            "contract",
            "contract: enforced, but `columns` lists none".into(),
        );
    }
}

/// Restricting an input to months needs an input that is stored by month; restricting it to days, that no view shows
/// the rest of it.
pub(super) fn check_reads(
    model: &Model,
    text: &str,
    models: &BTreeMap<TableName, Model>,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Vec<Problem>,
) {
    for input in model.during.keys() {
        if let Some(view) = view_over(model, input, models) {
            problems.push(
                Problem::new(
                    &model.file,
                    format!("during names {input}, which the model also reads through {view}"),
                )
                .at_word(text, "during")
                .with_help("read the table only, or leave it out of `during`"),
            );
        }
    }
    let by_month: BTreeSet<&TableName> = model.reads.keys().chain(&model.partitions_from).collect();
    for input in by_month {
        let stored_by_month = match models.get(input) {
            Some(other) => other.header.materialized == Materialized::Partitioned,
            None if input.schema() == "staging" => contracts
                .get(input.table())
                .is_some_and(|contract| contract.period.is_partitioned()),
            None => input.schema() != "seed",
        };
        if !stored_by_month {
            problems.push(
                Problem::new(
                    &model.file,
                    format!("reads or partitions_from names {input}, which is not stored by month"),
                )
                .at_word(text, input.table())
                .with_help("leave it out of `reads` (it is then read whole) or partition it"),
            );
        }
    }
}

/// A view behind a model that reads a table.
fn view_over<'a>(
    model: &Model,
    table: &TableName,
    models: &'a BTreeMap<TableName, Model>,
) -> Option<&'a TableName> {
    let mut waiting: Vec<&TableName> = model.inputs.iter().collect();
    while let Some(name) = waiting.pop() {
        let view = models
            .get_key_value(name)
            .filter(|(_, view)| view.header.materialized == Materialized::View);
        if let Some((name, view)) = view {
            if view.inputs.contains(table) {
                return Some(name);
            }
            waiting.extend(&view.inputs);
        }
    }
    None
}

pub(super) fn read_checks(
    files: &ProjectFiles,
    macros: &Macros,
    names: &Arc<Names>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Check> {
    let mut checks = BTreeMap::new();
    for (path, text) in files.below("checks", "sql") {
        match read_check(path, text, macros, names) {
            Ok(check) => {
                checks.insert(check.name.clone(), check);
            }
            Err(problem) => problems.push(problem),
        }
    }
    checks
}

fn read_check(
    path: &str,
    text: &str,
    macros: &Macros,
    names: &Arc<Names>,
) -> Result<Check, Problem> {
    let split = split_file(path, text)?;
    let header: CheckHeader = match split.header {
        Some(yaml) => parse_yaml(path, split.before_header, yaml)?,
        None => CheckHeader::default(),
    };
    let rendered = render(path, macros, &split.body, names, VarValues::Any)?;
    Ok(Check {
        name: stem(path).to_owned(),
        file: path.to_owned(),
        header,
        body: split.body,
        inputs: rendered.inputs,
        vars: rendered.vars.into_keys().collect(),
    })
}
