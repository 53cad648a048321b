//! The whole of `sql/` as one checked graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use goyong_types::TableName;

use self::read::{
    check_reads, read_checks, read_contracts, read_generated, read_models, read_seeds,
    resolve_model,
};
use crate::contract::Contract;
use crate::declared_model::{self, DeclaredModel};
use crate::files::ProjectFiles;
use crate::graph;
use crate::model::{Check, Model};
use crate::problem::{Problem, ProjectError};
use crate::seed::Seed;
use crate::source_map::SourceMap;
use crate::template::{Compiled, Macros, Names, VarValues, Vars, render, source_map};
use crate::unit_test::{self, UnitTest};

mod code_lists;
mod read;
mod references;

/// Contracts, seeds, models and checks of one `sql/` folder, every name resolved.
#[derive(Debug, Clone)]
pub struct Project {
    files: ProjectFiles,
    names: Arc<Names>,
    macros: Macros,
    contracts: BTreeMap<String, Contract>,
    seeds: BTreeMap<String, Seed>,
    models: BTreeMap<TableName, Model>,
    checks: BTreeMap<String, Check>,
    unit_tests: Vec<UnitTest>,
    declared_models: BTreeMap<String, DeclaredModel>,
    order: Vec<TableName>,
}

/// Who writes a table.
#[derive(Debug, Clone, Copy)]
pub enum TableOrigin<'a> {
    /// A select of the project.
    Model(&'a Model),
    /// Intake, by a contract.
    Source(&'a Contract),
    /// The engine, from a CSV of the project.
    Seed(&'a Seed),
    /// A job: the project knows only its name.
    Elsewhere,
}

impl Project {
    /// Reads and checks the project in a folder.
    pub fn load(folder: &Path) -> Result<Self, ProjectError> {
        Self::from_files(ProjectFiles::read(folder)?)
    }

    /// Checks the project this build carries.
    pub fn embedded() -> Result<Self, ProjectError> {
        Self::from_files(ProjectFiles::embedded())
    }

    /// Checks a project given by its files; the error lists everything wrong.
    pub fn from_files(files: ProjectFiles) -> Result<Self, ProjectError> {
        let mut problems = Vec::new();
        let mut contracts = read_contracts(&files, &mut problems);
        let seeds = read_seeds(&files, &mut problems);
        code_lists::resolve(&files, &mut contracts, &seeds, &mut problems);
        references::check(&files, &contracts, &mut problems);
        let (mut drafts, unreadable) = read_models(&files, &mut problems);
        if let Some(text) = references::pending_model(&contracts) {
            read_generated(references::PENDING_FILE, &text, &mut drafts, &mut problems);
        }
        let names = Arc::new(Names {
            models: by_stem(drafts.keys().chain(&unreadable)),
            sources: contracts.keys().cloned().collect(),
            seeds: seeds.keys().cloned().collect(),
        });
        let macros = match Macros::read(files.below("macros", "sql")) {
            Ok(macros) => macros,
            // Whatever calls them cannot be read either.
            Err(found) => {
                problems.extend(found);
                return Err(ProjectError::of(problems));
            }
        };

        let mut models = BTreeMap::new();
        // Models with a problem of their own: nothing is said of those that only name them.
        let mut broken = unreadable;
        for (table, draft) in drafts {
            match resolve_model(draft, &macros, &names) {
                Ok(model) => {
                    models.insert(table, model);
                }
                Err(mut found) => {
                    problems.append(&mut found);
                    broken.insert(table);
                }
            }
        }
        let checks = read_checks(&files, &macros, &names, &mut problems);
        let unit_tests = unit_test::read_all(&files, &names, &models, &broken, &mut problems);
        let declared_models = declared_model::read_all(&files, &models, &broken, &mut problems);
        for model in models.values() {
            let text = files.text(&model.file).unwrap_or_default();
            check_reads(model, text, &models, &contracts, &mut problems);
        }
        ProjectError::from_problems(problems)?;
        let order = graph::order(&models)?;
        Ok(Self {
            files,
            names,
            macros,
            contracts,
            seeds,
            models,
            checks,
            unit_tests,
            declared_models,
            order,
        })
    }

    /// Writes the project's files into a folder, leaves those alone that exist.
    pub fn write_out(&self, folder: &Path) -> std::io::Result<usize> {
        self.files.write_out(folder)
    }

    /// The files the project was made of.
    pub fn files(&self) -> &ProjectFiles {
        &self.files
    }

    /// Contracts by source.
    pub fn contracts(&self) -> &BTreeMap<String, Contract> {
        &self.contracts
    }

    /// Seeds by name.
    pub fn seeds(&self) -> &BTreeMap<String, Seed> {
        &self.seeds
    }

    /// The columns that readers say a table of a job has, whichever of them says so; by column its type.
    pub fn expected_columns(&self, table: &TableName) -> Option<BTreeMap<&str, &str>> {
        let said = self
            .models()
            .values()
            .filter_map(|model| model.expects.get(table));
        let columns: BTreeMap<&str, &str> = said
            .flatten()
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
            .collect();
        (!columns.is_empty()).then_some(columns)
    }

    /// Models by table.
    pub fn models(&self) -> &BTreeMap<TableName, Model> {
        &self.models
    }

    /// Checks by name.
    pub fn checks(&self) -> &BTreeMap<String, Check> {
        &self.checks
    }

    /// Tests of models on rows written by hand, in file order.
    pub fn unit_tests(&self) -> &[UnitTest] {
        &self.unit_tests
    }

    /// Probability models by name, as `models/*.yml` declares them.
    pub fn declared_models(&self) -> &BTreeMap<String, DeclaredModel> {
        &self.declared_models
    }

    /// Every model after everything it reads; the same for the same project.
    pub fn order(&self) -> &[TableName] {
        &self.order
    }

    /// Who writes a table.
    pub fn origin(&self, table: &TableName) -> TableOrigin<'_> {
        if let Some(model) = self.models.get(table) {
            return TableOrigin::Model(model);
        }
        let of_schema = |schema| (table.schema() == schema).then(|| table.table());
        if let Some(contract) = of_schema("staging").and_then(|name| self.contracts.get(name)) {
            return TableOrigin::Source(contract);
        }
        match of_schema("seed").and_then(|name| self.seeds.get(name)) {
            Some(seed) => TableOrigin::Seed(seed),
            None => TableOrigin::Elsewhere,
        }
    }

    /// The table a person means by a name: a model's stem, a source, a seed or `schema.table`.
    pub fn resolve(&self, name: &str) -> Result<TableName, String> {
        self.names.any(name)
    }

    /// The model a person means by a name.
    pub fn model(&self, name: &str) -> Result<&Model, String> {
        let table = self.names.model(name)?;
        self.models
            .get(&table)
            .ok_or_else(|| format!("`{name}` is a seed, not a model"))
    }

    /// A model's SQL for the given variables.
    pub fn compile(&self, model: &Model, vars: &Vars) -> Result<Compiled, Problem> {
        let compiled = self.render(&model.file, &model.body, vars)?;
        if let Some(hidden) = compiled.inputs.difference(&model.inputs).next() {
            return Err(Problem::new(
                &model.file,
                format!(
                    "`{hidden}` is named only under a condition, so the graph does not know it"
                ),
            )
            .with_help("name it outside the condition as well, in a {% set %}"));
        }
        Ok(compiled)
    }

    /// A check's SQL for the given variables.
    pub fn compile_check(&self, check: &Check, vars: &Vars) -> Result<Compiled, Problem> {
        self.render(&check.file, &check.body, vars)
    }

    /// SQL of any other text that may use `ref()` and the like; `name` is used in messages.
    pub fn compile_text(&self, name: &str, text: &str, vars: &Vars) -> Result<Compiled, Problem> {
        self.render(name, text, vars)
    }

    /// Where the pieces of a compiled text were written: a model, a check or any other text of a file.
    pub fn source_map(&self, file: &str, body: &str, vars: &Vars) -> Option<SourceMap> {
        source_map(file, &self.macros, body, &self.names, vars)
    }

    /// A model's SQL with a placeholder for every variable that has no default.
    pub(crate) fn any_sql(&self, model: &Model) -> String {
        render(
            &model.file,
            &self.macros,
            &model.body,
            &self.names,
            VarValues::Any,
        )
        .map(|compiled| compiled.sql)
        .unwrap_or_default()
    }

    /// Refuses a value for a variable that nothing in the project asks for.
    pub fn check_var(&self, name: &str) -> Result<(), String> {
        if matches!(name, "as_of" | "partition_start" | "partition_end") {
            return Err(format!(
                "the variable `{name}` is the engine's own; --as-of sets the day"
            ));
        }
        let models = self.models.values().map(|model| &model.vars);
        let checks = self.checks.values().map(|check| &check.vars);
        let known: BTreeSet<&str> = models
            .chain(checks)
            .flatten()
            .map(String::as_str)
            .filter(|known| !matches!(*known, "as_of" | "partition_start" | "partition_end"))
            .collect();
        if known.contains(name) {
            return Ok(());
        }
        let advice = match goyong_types::nearest_name(name, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if known.is_empty() => "this project has no variables".to_owned(),
            None => format!(
                "there are {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(format!("no model asks for a variable `{name}`; {advice}"))
    }

    fn render(&self, file: &str, body: &str, vars: &Vars) -> Result<Compiled, Problem> {
        let vars = VarValues::Given(vars.clone());
        render(file, &self.macros, body, &self.names, vars)
    }
}

fn by_stem<'a>(tables: impl Iterator<Item = &'a TableName>) -> BTreeMap<String, Vec<TableName>> {
    let mut stems: BTreeMap<String, Vec<TableName>> = BTreeMap::new();
    for table in tables {
        let tables = stems.entry(table.table().to_owned()).or_default();
        tables.push(table.clone());
    }
    stems
}

#[cfg(test)]
mod tests;
