//! Lists what a selection means.

use std::path::{Path, PathBuf};

use anyhow::Result;
use goyong_catalog::{Project, ProjectState, Selection, TableOrigin};

use crate::project::{OpenProject, load_project};

/// Columns of a listing.
pub const LIST_HEADER: [&str; 7] = [
    "name",
    "kind",
    "file",
    "tests",
    "unit_tests",
    "tags",
    "owner",
];

/// The models, seeds and sources a selection means, in the order of the graph.
pub async fn list_models(
    folder: &Path,
    select: &[String],
    exclude: &[String],
    state: Option<&PathBuf>,
) -> Result<Vec<Vec<String>>> {
    let (project, _) = load_project(folder)?;
    let mut selection = Selection {
        select: select.to_vec(),
        exclude: exclude.to_vec(),
        state: None,
    };
    if selection.needs_state() {
        selection.state = match state {
            Some(folder) => Some(ProjectState::of(&load_project(folder)?.0)),
            None => {
                OpenProject::open(folder, None)
                    .await?
                    .engine()
                    .last_state()
                    .await?
            }
        };
    }
    let selected = selection.resolve_tables(&project)?;
    let models = project
        .order()
        .iter()
        .filter(|table| selected.contains(*table));
    let others = selected
        .iter()
        .filter(|table| !project.models().contains_key(*table));
    Ok(others
        .chain(models)
        .map(|table| row(&project, table))
        .collect())
}

fn row(project: &Project, table: &goyong_types::TableName) -> Vec<String> {
    let unit_tests = project.unit_tests().iter();
    let unit_tests = unit_tests.filter(|test| test.model == *table).count();
    let (kind, file, tests, tags, owner) = match project.origin(table) {
        TableOrigin::Model(model) => (
            format!("{:?}", model.header.materialized).to_lowercase(),
            model.file.clone(),
            // The grain is always tested.
            model.tests.len() + 1,
            model.header.tags.join(" "),
            model.header.owner.clone().unwrap_or_default(),
        ),
        TableOrigin::Seed(seed) => (
            "seed".into(),
            seed.file.clone(),
            0,
            String::new(),
            String::new(),
        ),
        TableOrigin::Source(contract) => (
            "source".into(),
            format!("sources/{}.yml", contract.source),
            0,
            String::new(),
            contract.provider.en.clone(),
        ),
        TableOrigin::Elsewhere => Default::default(),
    };
    vec![
        table.to_string(),
        kind,
        file,
        tests.to_string(),
        unit_tests.to_string(),
        tags,
        owner,
    ]
}
