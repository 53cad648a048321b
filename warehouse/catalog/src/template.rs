//! minijinja over SQL: `ref`, `source`, `seed`, `model`, `ops`, `table` and `var`, all strict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use goyong_types::{TableName, nearest_name};
use minijinja::value::Rest;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use crate::problem::{Problem, position_of};
use crate::source_map::{Marked, SourceMap};

/// Values of `var()`, by name.
pub type Vars = BTreeMap<String, String>;

/// SQL text ready for the planner, and what it took from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The text.
    pub sql: String,
    /// The variables the text used and their values.
    pub vars: Vars,
    /// The tables the text named.
    pub inputs: BTreeSet<TableName>,
}

/// Which names a template may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Models by file stem; more than one where schemas share a stem.
    pub models: BTreeMap<String, Vec<TableName>>,
    pub sources: BTreeSet<String>,
    pub seeds: BTreeSet<String>,
}

/// The macros of a project.
#[derive(Debug, Clone, Default)]
pub(crate) struct Macros {
    /// Path and text, each ending in a line break.
    files: Vec<(String, String)>,
    /// The file of a name that a file sets or defines.
    file_of: BTreeMap<String, usize>,
    /// The files each one names, itself included, directly or through others.
    behind: Vec<BTreeSet<usize>>,
}

/// The macro files that stand before one text: those it names.
struct Prelude<'a> {
    files: Vec<&'a (String, String)>,
}

impl Macros {
    /// Reads macro files. One that is no template is a problem of that file, whoever would name it.
    pub fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let files: Vec<(String, String)> = files
            .map(|(path, text)| (path.to_owned(), format!("{text}\n")))
            .collect();
        let mut file_of = BTreeMap::new();
        for (number, (path, text)) in files.iter().enumerate() {
            if let Err(error) = Environment::new().template_from_str(text) {
                let problem = Problem::new(path, message_of(&error)).at_line(error.line());
                problems.push(at_column_of(problem, text, &error));
            }
            for name in names_given(text) {
                file_of.insert(name.to_owned(), number);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut macros = Self {
            behind: vec![BTreeSet::new(); files.len()],
            files,
            file_of,
        };
        macros.behind = (0..macros.files.len())
            .map(|number| macros.reached_from(number))
            .collect();
        Ok(macros)
    }

    fn named_in(&self, text: &str) -> impl Iterator<Item = usize> {
        words(text).filter_map(|word| self.file_of.get(word).copied())
    }

    fn reached_from(&self, number: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([number]);
        let mut waiting = vec![number];
        while let Some(next) = waiting.pop() {
            let text = self.files.get(next).map_or("", |(_, text)| text.as_str());
            waiting.extend(self.named_in(text).filter(|named| reached.insert(*named)));
        }
        reached
    }

    /// What has to stand before a text. Reading every macro costs more than most texts.
    fn before(&self, body: &str) -> Prelude<'_> {
        let mut needed = BTreeSet::new();
        for named in self.named_in(body) {
            needed.extend(self.behind.get(named).into_iter().flatten().copied());
        }
        Prelude {
            files: needed
                .into_iter()
                .filter_map(|number| self.files.get(number))
                .collect(),
        }
    }
}

impl Prelude<'_> {
    fn text(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(_, text)| text.as_str())
    }

    fn lines(&self) -> usize {
        self.text().map(|text| text.matches('\n').count()).sum()
    }

    /// Where a body first names something of a macro file, as `:line:column`; empty where only another macro does.
    fn call_of(&self, place: &str, body: &str) -> String {
        let file = self.files.iter().find(|(path, _)| path == place);
        let names = file.into_iter().flat_map(|(_, text)| names_given(text));
        let first = names.filter_map(|name| position_of(body, name)).min();
        first.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"))
    }

    /// The macro file that has a line of all of them together, and the lines before it.
    fn file_of_line(&self, line: usize) -> Option<(&str, usize)> {
        let mut before = 0;
        for (path, text) in &self.files {
            let lines = text.matches('\n').count();
            if line <= before + lines {
                return Some((path, before));
            }
            before += lines;
        }
        None
    }
}

/// Everything in a text that could be a name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}

/// The names that a macro file's tags give: of macros, and of what they set.
fn names_given(text: &str) -> impl Iterator<Item = &str> {
    text.split("{%").skip(1).filter_map(|tag| {
        let mut words = words(tag);
        matches!(words.next()?, "macro" | "set").then(|| words.next())?
    })
}

/// How strict `var()` is.
#[derive(Debug, Clone)]
pub(crate) enum VarValues {
    /// Only these, or the default written in the template.
    Given(Vars),
    /// Any name: the text is rendered only to see what it names.
    Any,
}

/// Stands for any variable when a template is rendered only to see what it names.
const PLACEHOLDER: &str = "2000-01-01";

impl Names {
    /// What `ref('name')` means: a model by stem or `schema.table`, or a seed.
    pub fn model(&self, name: &str) -> Result<TableName, String> {
        self.find_model(name)
            .unwrap_or_else(|| Err(self.unknown("model", name)))
    }

    fn find_model(&self, name: &str) -> Option<Result<TableName, String>> {
        if let Some((_, stem)) = name.split_once('.') {
            let found = self.models.get(stem).into_iter().flatten();
            if let Some(table) = found.into_iter().find(|table| table.to_string() == name) {
                return Some(Ok(table.clone()));
            }
        }
        match self.models.get(name).map(Vec::as_slice) {
            Some([only]) => Some(Ok(only.clone())),
            Some(several) => Some(Err(format!(
                "`{name}` is a model of several schemas; write one of {}",
                several
                    .iter()
                    .map(|table| format!("`{table}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
            None if self.seeds.contains(name) => Some(in_schema("seed", name)),
            None => None,
        }
    }

    /// What a name outside a template means: a model, a source, a seed or `schema.table`.
    pub fn any(&self, name: &str) -> Result<TableName, String> {
        match self.find_model(name) {
            Some(Ok(table)) => Ok(table),
            _ if self.sources.contains(name) => in_schema("staging", name),
            found => match name.parse::<TableName>() {
                Ok(table) if is_written_elsewhere(table.schema()) => Ok(table),
                Ok(table) if table.schema() == "staging" => self.source(table.table()),
                Ok(table) if table.schema() == "seed" => self.seed(table.table()),
                // The nearest name is looked for only where there is somebody to tell it to.
                _ => found.unwrap_or_else(|| Err(self.unknown("model", name))),
            },
        }
    }

    fn source(&self, name: &str) -> Result<TableName, String> {
        if self.sources.contains(name) {
            in_schema("staging", name)
        } else {
            Err(self.unknown("source", name))
        }
    }

    fn seed(&self, name: &str) -> Result<TableName, String> {
        if self.seeds.contains(name) {
            in_schema("seed", name)
        } else {
            Err(self.unknown("seed", name))
        }
    }

    fn unknown(&self, kind: &str, name: &str) -> String {
        let same_kind: Vec<&str> = match kind {
            "model" => self.models.keys().map(String::as_str).collect(),
            "source" => self.sources.iter().map(String::as_str).collect(),
            _ => self.seeds.iter().map(String::as_str).collect(),
        };
        let advice = match nearest_name(name, same_kind) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None if self.sources.contains(name) => format!("; write source('{name}')"),
            None if self.seeds.contains(name) => format!("; write seed('{name}')"),
            None if self.models.contains_key(name) => format!("; write ref('{name}')"),
            None => String::new(),
        };
        format!("no {kind} is called `{name}`{advice}")
    }
}

/// Schemas whose tables Rust writes.
pub(crate) fn is_written_elsewhere(schema: &str) -> bool {
    matches!(
        schema,
        "models" | "ops" | "quarantine" | "alerts" | "linkage"
    )
}

fn in_schema(schema: &str, table: &str) -> Result<TableName, String> {
    TableName::new(schema, table).map_err(|error| error.to_string())
}

/// Renders a template; macros stand before the body without moving its lines.
pub(crate) fn render(
    file: &str,
    macros: &Macros,
    body: &str,
    names: &Arc<Names>,
    vars: VarValues,
) -> Result<Compiled, Problem> {
    // Most questions are plain SQL, and reading every macro costs more than many of their answers.
    if !["{{", "{%", "{#"].iter().any(|mark| body.contains(mark)) {
        return Ok(Compiled {
            sql: statement(body).to_owned(),
            ..Compiled::default()
        });
    }
    let recorded = Arc::new(Mutex::new(Compiled::default()));
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    add_table_functions(&mut environment, names, &recorded);
    add_var(&mut environment, vars, &recorded);

    let prelude = macros.before(body);
    let text: String = prelude.text().chain([body]).collect();
    let sql = environment
        .render_str(&text, ())
        .map_err(|error| problem_of(file, &prelude, body, &text, &error))?;
    let mut compiled = recorded
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    compiled.sql = statement(&sql).to_owned();
    Ok(compiled)
}

/// A rendered text as the planner gets it.
pub(crate) fn statement(rendered: &str) -> &str {
    rendered.trim().trim_end_matches(';').trim_end()
}

/// Where each piece of a rendered text comes from; `None` where the text does something with its own
/// length or letters that marks would change.
pub(crate) fn source_map(
    file: &str,
    macros: &Macros,
    body: &str,
    names: &Arc<Names>,
    vars: &Vars,
) -> Option<SourceMap> {
    let plain = render(file, macros, body, names, VarValues::Given(vars.clone())).ok()?;
    let mut files = macros.files.clone();
    files.push((file.to_owned(), body.to_owned()));
    let marked = Marked::new(files);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let recorded = Arc::default();
    add_table_functions(&mut environment, names, &recorded);
    add_var(&mut environment, VarValues::Given(vars.clone()), &recorded);
    let map = marked.render(&environment)?;
    (map.sql() == plain.sql).then_some(map)
}

fn add_table_functions(
    environment: &mut Environment<'_>,
    names: &Arc<Names>,
    recorded: &Arc<Mutex<Compiled>>,
) {
    type Resolve = fn(&Names, &str, Option<&str>) -> Result<TableName, String>;
    let functions: [(&'static str, Resolve); 6] = [
        ("ref", |names, name, _| names.model(name)),
        ("source", |names, name, schema| match schema {
            None | Some("staging") => names.source(name),
            Some("quarantine") => names
                .source(name)
                .and_then(|table| in_schema("quarantine", table.table())),
            Some(other) => Err(format!(
                "a source has no schema `{other}`; write source('{name}') or source('{name}', 'quarantine')"
            )),
        }),
        ("seed", |names, name, _| names.seed(name)),
        ("model", |_, name, _| in_schema("models", name)),
        ("ops", |_, name, _| in_schema("ops", name)),
        ("table", |names, name, _| names.any(name)),
    ];
    for (function, resolve) in functions {
        let names = Arc::clone(names);
        let recorded = Arc::clone(recorded);
        environment.add_function(
            function,
            move |name: String, rest: Rest<String>| -> Result<String, Error> {
                let table = resolve(&names, &name, rest.first().map(String::as_str))
                    .map_err(|message| Error::new(ErrorKind::InvalidOperation, message))?;
                let quoted = format!("\"{}\".\"{}\"", table.schema(), table.table());
                let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
                recorded.inputs.insert(table);
                Ok(quoted)
            },
        );
    }
}

fn add_var(environment: &mut Environment<'_>, vars: VarValues, recorded: &Arc<Mutex<Compiled>>) {
    let recorded = Arc::clone(recorded);
    environment.add_function(
        "var",
        move |name: String, default: Rest<String>| -> Result<String, Error> {
            let value = match (&vars, default.first()) {
                (VarValues::Given(values), default) => match (values.get(&name), default) {
                    (Some(value), _) => value.clone(),
                    (None, Some(default)) => default.clone(),
                    (None, None) => {
                        let nearest = nearest_name(&name, values.keys().map(String::as_str))
                            .map(|nearest| format!("; did you mean `{nearest}`?"))
                            .unwrap_or_default();
                        return Err(Error::new(
                            ErrorKind::InvalidOperation,
                            format!("no variable is called `{name}`{nearest}"),
                        ));
                    }
                },
                (VarValues::Any, Some(default)) => default.clone(),
                (VarValues::Any, None) => PLACEHOLDER.to_owned(),
            };
            let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
            recorded.vars.insert(name, value.clone());
            Ok(value)
        },
    );
}

fn problem_of(file: &str, prelude: &Prelude<'_>, body: &str, text: &str, error: &Error) -> Problem {
    let message = message_of(error);
    let Some(line) = error.line() else {
        return Problem::new(file, message);
    };
    let problem = match prelude.file_of_line(line) {
        Some((place, first_line)) => Problem::new(place, message)
            .at_line(line - first_line)
            .with_help(format!(
                "the macro is called by {file}{}",
                prelude.call_of(place, body)
            )),
        None => Problem::new(file, message).at_line(line - prelude.lines()),
    };
    at_column_of(problem, text, error)
}

fn message_of(error: &Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

fn at_column_of(problem: Problem, text: &str, error: &Error) -> Problem {
    match error.range() {
        Some(range) if range.start <= text.len() => {
            let before = text.get(..range.start).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            problem.at_column(1 + before[line_start..].chars().count())
        }
        _ => problem,
    }
}
