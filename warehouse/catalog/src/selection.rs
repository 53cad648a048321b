//! Which models a command is about, in dbt's graph syntax.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::{TableName, nearest_name};

use crate::project::Project;

/// What a person wrote behind `--select` and `--exclude`.
///
/// A word is `name`, `schema.name`, `schema.*`, `tag:…` or `path:…` (a folder or file of the
/// project), each with `+` before it for everything it reads, behind it for everything that reads
/// it, with a number for that many steps (`2+name`). Words separated by space are united, by comma
/// intersected. Nothing selected means every model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Words to take; all models when empty.
    pub select: Vec<String>,
    /// Words to leave out.
    pub exclude: Vec<String>,
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
            exclude: Vec::new(),
        }
    }

    /// The models meant.
    pub fn resolve(&self, project: &Project) -> Result<BTreeSet<TableName>, SelectionError> {
        let graph = Graph::of(project);
        let mut selected = if self.select.is_empty() {
            project.models().keys().cloned().collect()
        } else {
            graph.union(project, &self.select)?
        };
        if !self.exclude.is_empty() {
            for table in graph.union(project, &self.exclude)? {
                selected.remove(&table);
            }
        }
        if selected.is_empty() && !project.models().is_empty() {
            return Err(SelectionError::Empty);
        }
        Ok(selected)
    }
}

struct Graph<'a> {
    inputs: BTreeMap<&'a TableName, Vec<&'a TableName>>,
    dependants: BTreeMap<&'a TableName, Vec<&'a TableName>>,
}

impl<'a> Graph<'a> {
    fn of(project: &'a Project) -> Self {
        let mut inputs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut dependants: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (table, model) in project.models() {
            for input in &model.inputs {
                if project.models().contains_key(input) {
                    inputs.entry(table).or_default().push(input);
                }
                // A source or seed can be written as `source+`: its readers count.
                dependants.entry(input).or_default().push(table);
            }
        }
        Self { inputs, dependants }
    }

    fn union(
        &self,
        project: &Project,
        words: &[String],
    ) -> Result<BTreeSet<TableName>, SelectionError> {
        let mut result = BTreeSet::new();
        for word in words.iter().flat_map(|text| text.split_whitespace()) {
            let mut intersection: Option<BTreeSet<TableName>> = None;
            for part in word.split(',') {
                let found = self.matches(project, part)?;
                intersection = Some(match intersection {
                    None => found,
                    Some(earlier) => earlier.intersection(&found).cloned().collect(),
                });
            }
            result.extend(intersection.unwrap_or_default());
        }
        Ok(result)
    }

    fn matches(
        &self,
        project: &Project,
        part: &str,
    ) -> Result<BTreeSet<TableName>, SelectionError> {
        let (upstream, rest) = match part.split_once('+') {
            Some((steps, rest)) if steps.bytes().all(|byte| byte.is_ascii_digit()) => {
                (Some(steps.parse().unwrap_or(usize::MAX)), rest)
            }
            _ => (None, part),
        };
        let (core, downstream) = match rest.rsplit_once('+') {
            Some((core, steps)) if steps.bytes().all(|byte| byte.is_ascii_digit()) => {
                (core, Some(steps.parse().unwrap_or(usize::MAX)))
            }
            _ => (rest, None),
        };
        let starts = named(project, core);
        if starts.is_empty() {
            return Err(no_match(project, part, core));
        }
        let mut result = starts.clone();
        if let Some(steps) = upstream {
            walk(&self.inputs, &starts, steps, &mut result);
        }
        if let Some(steps) = downstream {
            walk(&self.dependants, &starts, steps, &mut result);
        }
        result.retain(|table| project.models().contains_key(table));
        if result.is_empty() {
            return Err(no_match(project, part, core));
        }
        Ok(result)
    }
}

fn named(project: &Project, core: &str) -> BTreeSet<TableName> {
    let models = project.models();
    let keep = |accept: &dyn Fn(&TableName) -> bool| -> BTreeSet<TableName> {
        models
            .keys()
            .filter(|table| accept(table))
            .cloned()
            .collect()
    };
    if let Some(tag) = core.strip_prefix("tag:") {
        return keep(&|table| models[table].header.tags.iter().any(|has| has == tag));
    }
    if let Some(path) = core.strip_prefix("path:") {
        let path = path.trim_start_matches("sql/").trim_end_matches('/');
        return keep(&|table| {
            let file = &models[table].file;
            file == path
                || file
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('/'))
        });
    }
    if let Some(schema) = core.strip_suffix(".*") {
        return keep(&|table| table.schema() == schema);
    }
    match project.resolve(core.strip_prefix("source:").unwrap_or(core)) {
        Ok(table) => BTreeSet::from([table]),
        Err(_) => BTreeSet::new(),
    }
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

fn no_match(project: &Project, word: &str, core: &str) -> SelectionError {
    let names: Vec<String> = project
        .models()
        .keys()
        .flat_map(|table| [table.table().to_owned(), table.to_string()])
        .collect();
    let advice = nearest_name(core, names.iter().map(String::as_str))
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default();
    SelectionError::NoMatch {
        word: word.to_owned(),
        advice,
    }
}
