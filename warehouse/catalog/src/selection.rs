//! Which models a command is about, in dbt's graph syntax.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::{TableName, nearest_name};

use crate::project::Project;
use crate::project_state::ProjectState;

/// Ways to select other than by name, as `method:value`.
const METHODS: [&str; 8] = [
    "tag:",
    "path:",
    "source:",
    "seed:",
    "schema:",
    "owner:",
    "state:",
    "materialized:",
];

/// What a person wrote behind `--select` and `--exclude`.
///
/// A word is a name (`person`, `core.person`, `core.*`, `f0*`), `tag:…`, `path:…` (a folder or file
/// of the project), `source:…`, `seed:…`, `schema:…`, `owner:…`, `materialized:…`, `state:modified`
/// or `state:new`. `+` before it adds everything it reads, behind it everything that reads it, with
/// a number only so many steps (`2+name+1`); `@` before it adds what reads it and everything those
/// read. Words separated by space are united, by comma intersected. Nothing selected means every
/// model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Words to take; all models when empty.
    pub select: Vec<String>,
    /// Words to leave out.
    pub exclude: Vec<String>,
    /// The state that `state:` compares the project with.
    pub state: Option<ProjectState>,
}

/// A selection that means no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A word names nothing.
    #[error("no model matches `{word}`{advice}")]
    NoMatch {
        /// The word.
        word: String,
        /// `; did you mean …?` or nothing.
        advice: String,
    },
    /// `state:` without anything to compare with.
    #[error(
        "`{word}` compares with an earlier state, and there is none; run `goyong build` once or name a project folder with --state"
    )]
    NoState {
        /// The word.
        word: String,
    },
    /// Everything selected was excluded again, or an intersection is empty.
    #[error("nothing is selected; `goyong ls` lists the models")]
    Empty,
}

impl Selection {
    /// Every model.
    pub fn all() -> Self {
        Self::default()
    }

    /// Some models by words.
    pub fn of<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        Self {
            select: words.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Whether a word compares with an earlier state.
    pub fn needs_state(&self) -> bool {
        let words = self.select.iter().chain(&self.exclude);
        words.into_iter().any(|word| word.contains("state:"))
    }

    /// The models meant.
    pub fn resolve(&self, project: &Project) -> Result<BTreeSet<TableName>, SelectionError> {
        let mut selected = self.resolve_tables(project)?;
        selected.retain(|table| project.models().contains_key(table));
        if selected.is_empty() && !project.models().is_empty() {
            return Err(SelectionError::Empty);
        }
        Ok(selected)
    }

    /// The models, seeds and sources meant; without any word the models.
    pub fn resolve_tables(&self, project: &Project) -> Result<BTreeSet<TableName>, SelectionError> {
        let graph = Graph::of(project, self.state.as_ref());
        let mut selected = if self.select.is_empty() {
            project.models().keys().cloned().collect()
        } else {
            graph.union(&self.select)?
        };
        for table in graph.union(&self.exclude)? {
            selected.remove(&table);
        }
        if selected.is_empty() && !graph.tables.is_empty() {
            return Err(SelectionError::Empty);
        }
        Ok(selected)
    }
}

struct Graph<'a> {
    project: &'a Project,
    state: Option<&'a ProjectState>,
    /// Models, seeds and sources.
    tables: BTreeSet<TableName>,
    inputs: BTreeMap<&'a TableName, Vec<&'a TableName>>,
    dependants: BTreeMap<&'a TableName, Vec<&'a TableName>>,
}

impl<'a> Graph<'a> {
    fn of(project: &'a Project, state: Option<&'a ProjectState>) -> Self {
        let mut inputs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut dependants: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (table, model) in project.models() {
            for input in &model.inputs {
                inputs.entry(table).or_default().push(input);
                dependants.entry(input).or_default().push(table);
            }
        }
        let seeds = project
            .seeds()
            .keys()
            .map(|name| TableName::new("seed", name));
        let sources = project
            .contracts()
            .keys()
            .map(|name| TableName::new("staging", name));
        let tables = seeds
            .chain(sources)
            .flatten()
            .chain(project.models().keys().cloned())
            .collect();
        Self {
            project,
            state,
            tables,
            inputs,
            dependants,
        }
    }

    fn union(&self, words: &[String]) -> Result<BTreeSet<TableName>, SelectionError> {
        let mut result = BTreeSet::new();
        for word in words.iter().flat_map(|text| text.split_whitespace()) {
            let mut intersection: Option<BTreeSet<TableName>> = None;
            for part in word.split(',') {
                let found = self.matches(part)?;
                intersection = Some(match intersection {
                    None => found,
                    Some(earlier) => earlier.intersection(&found).cloned().collect(),
                });
            }
            result.extend(intersection.unwrap_or_default());
        }
        Ok(result)
    }

    fn matches(&self, part: &str) -> Result<BTreeSet<TableName>, SelectionError> {
        let steps = |text: &str| text.parse().unwrap_or(usize::MAX);
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (with_parents, rest) = match part.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, part),
        };
        let (upstream, rest) = match rest.split_once('+') {
            Some((number, rest)) if is_number(number) => (Some(steps(number)), rest),
            _ => (None, rest),
        };
        let (core, downstream) = match rest.rsplit_once('+') {
            Some((core, number)) if is_number(number) => (core, Some(steps(number))),
            _ => (rest, None),
        };
        let starts = self.named(part, core)?;
        // Nothing modified is an answer; a name that means nothing is a mistake.
        if starts.is_empty() && !core.starts_with("state:") {
            return Err(self.no_match(part, core));
        }
        let mut result = starts.clone();
        if let Some(steps) = upstream {
            walk(&self.inputs, &starts, steps, &mut result);
        }
        if let Some(steps) = downstream {
            walk(&self.dependants, &starts, steps, &mut result);
        }
        if with_parents {
            walk(&self.dependants, &starts, usize::MAX, &mut result);
            let reached = result.clone();
            walk(&self.inputs, &reached, usize::MAX, &mut result);
        }
        result.retain(|table| self.tables.contains(table));
        Ok(result)
    }

    fn named(&self, word: &str, core: &str) -> Result<BTreeSet<TableName>, SelectionError> {
        let models = self.project.models();
        let keep = |accept: &dyn Fn(&TableName) -> bool| -> BTreeSet<TableName> {
            self.tables
                .iter()
                .filter(|table| accept(table))
                .cloned()
                .collect()
        };
        let of_model = |accept: &dyn Fn(&crate::model::Model) -> bool| {
            keep(&|table| models.get(table).is_some_and(accept))
        };
        let (method, value) = METHODS
            .iter()
            .find_map(|method| Some((*method, core.strip_prefix(method)?)))
            .unwrap_or(("", core));
        Ok(match method {
            "tag:" => of_model(&|model| model.header.tags.iter().any(|tag| glob(value, tag))),
            "owner:" => of_model(&|model| {
                let owner = model.header.owner.as_deref();
                owner.is_some_and(|owner| glob(value, owner))
            }),
            "materialized:" => of_model(&|model| {
                let kept = format!("{:?}", model.header.materialized);
                kept.to_lowercase() == value
            }),
            "path:" => {
                let path = value.trim_start_matches("sql/").trim_end_matches('/');
                keep(&|table| {
                    self.file_of(table).is_some_and(|file| {
                        let below = file.strip_prefix(path);
                        glob(path, &file) || below.is_some_and(|rest| rest.starts_with('/'))
                    })
                })
            }
            "schema:" => keep(&|table| glob(value, table.schema())),
            "source:" => keep(&|table| {
                table.schema() == "staging"
                    && (glob(value, table.table()) || glob(value, &table.to_string()))
            }),
            "seed:" => keep(&|table| {
                table.schema() == "seed"
                    && (glob(value, table.table()) || glob(value, &table.to_string()))
            }),
            "state:" => {
                let Some(earlier) = self.state else {
                    return Err(SelectionError::NoState {
                        word: word.to_owned(),
                    });
                };
                let now = ProjectState::of(self.project);
                match value {
                    "modified" => now.modified_since(earlier),
                    "new" => now.new_since(earlier),
                    _ => {
                        return Err(SelectionError::NoMatch {
                            word: word.to_owned(),
                            advice: "; write state:modified or state:new".into(),
                        });
                    }
                }
            }
            _ if value.contains('*') => {
                keep(&|table| glob(value, table.table()) || glob(value, &table.to_string()))
            }
            _ => self.project.resolve(value).into_iter().collect(),
        })
    }

    fn file_of(&self, table: &TableName) -> Option<String> {
        match (self.project.models().get(table), table.schema()) {
            (Some(model), _) => Some(model.file.clone()),
            (None, "seed") => self
                .project
                .seeds()
                .get(table.table())
                .map(|seed| seed.file.clone()),
            (None, _) => Some(format!("sources/{}.yml", table.table())),
        }
    }

    fn no_match(&self, word: &str, core: &str) -> SelectionError {
        let models = self.project.models();
        let (method, value) = core.split_once(':').unwrap_or(("", core));
        let names: BTreeSet<String> = match method {
            "tag" => models
                .values()
                .flat_map(|model| model.header.tags.clone())
                .collect(),
            "owner" => models
                .values()
                .filter_map(|model| model.header.owner.clone())
                .collect(),
            "source" => self.project.contracts().keys().cloned().collect(),
            "seed" => self.project.seeds().keys().cloned().collect(),
            "path" => self
                .tables
                .iter()
                .filter_map(|table| self.file_of(table))
                .collect(),
            "schema" => models
                .keys()
                .map(|table| table.schema().to_owned())
                .collect(),
            "materialized" => {
                let words = ["view", "table", "partitioned", "keyed"];
                words.map(str::to_owned).into()
            }
            "" => models
                .keys()
                .flat_map(|table| [table.table().to_owned(), table.to_string()])
                .collect(),
            _ => METHODS
                .map(|method| method.trim_end_matches(':').to_owned())
                .into(),
        };
        let is_method = method.is_empty() || METHODS.contains(&format!("{method}:").as_str());
        let wanted = if is_method { value } else { method };
        let advice = nearest_name(wanted, names.iter().map(String::as_str))
            .map(|nearest| match (method, is_method) {
                ("", _) => format!("; did you mean `{nearest}`?"),
                (_, true) => format!("; did you mean `{method}:{nearest}`?"),
                (_, false) => format!("; did you mean `{nearest}:{value}`?"),
            })
            .unwrap_or_default();
        SelectionError::NoMatch {
            word: word.to_owned(),
            advice,
        }
    }
}

/// Whether a text has the shape of a pattern in which `*` stands for any letters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.into_iter().any(|at| glob(rest, &text[at..]))
}

/// Adds everything reached in so many steps.
fn walk(
    edges: &BTreeMap<&TableName, Vec<&TableName>>,
    starts: &BTreeSet<TableName>,
    steps: usize,
    result: &mut BTreeSet<TableName>,
) {
    let mut visited = starts.clone();
    let mut frontier = starts.clone();
    let mut left = steps;
    while left > 0 && !frontier.is_empty() {
        let mut next = BTreeSet::new();
        for table in &frontier {
            for neighbour in edges.get(table).into_iter().flatten() {
                if visited.insert((*neighbour).clone()) {
                    next.insert((*neighbour).clone());
                }
            }
        }
        frontier = next;
        left -= 1;
    }
    result.append(&mut visited);
}
