//! Contracts for people: which there are, what a file would do, a draft for a new source.
//!
//! Reads the project's contracts and the file named, nothing else: no warehouse, no keys.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use goyong_catalog::Project;
pub use goyong_intake::Examination;
use goyong_intake::{ReadLimits, examine_file, infer_contract};
use goyong_types::nearest_name;

use crate::configuration::{CONFIGURATION_FILE, Configuration};

/// Columns of the list of contracts.
pub const CONTRACT_HEADER: [&str; 6] = [
    "source", "format", "cadence", "revision", "columns", "title",
];

/// Contracts of the project in a folder; those of this build where there is no project.
fn project_of(folder: &Path) -> Result<Project> {
    if !folder.join(CONFIGURATION_FILE).exists() {
        return Ok(Project::embedded()?);
    }
    Ok(match Configuration::load(folder)?.sql {
        Some(sql) => Project::load(&sql)?,
        None => Project::embedded()?,
    })
}

/// One row per contract, by source.
pub fn list_contracts(folder: &Path, language: &str) -> Result<Vec<Vec<String>>> {
    Ok(project_of(folder)?
        .contracts()
        .values()
        .map(|contract| {
            let revision = match contract.revision {
                goyong_catalog::contract::RevisionRule::ReplacePeriod => "replace_period",
                goyong_catalog::contract::RevisionRule::Append => "append",
                goyong_catalog::contract::RevisionRule::Upsert => "upsert",
            };
            vec![
                contract.source.clone(),
                contract.format.kind.as_str().to_owned(),
                contract.cadence.as_str().to_owned(),
                revision.to_owned(),
                contract.columns.len().to_string(),
                contract.title.in_language(language).to_owned(),
            ]
        })
        .collect())
}

/// The text of a contract.
pub fn contract_text(folder: &Path, source: &str) -> Result<String> {
    let project = project_of(folder)?;
    let file = format!("sources/{source}.yml");
    match project.files().text(&file) {
        Some(text) => Ok(text.to_owned()),
        None => {
            let names = project.contracts().keys().map(String::as_str);
            match nearest_name(source, names) {
                Some(nearest) => bail!("no contract `{source}`; did you mean `{nearest}`?"),
                None => bail!("no contract `{source}`; `goyong contract ls` lists them"),
            }
        }
    }
}

/// What a file would do.
pub fn check_file(
    folder: &Path,
    file: &Path,
    source: Option<&str>,
    known_on: NaiveDate,
    threads: usize,
) -> Result<Examination> {
    refuse_missing(file)?;
    let project = project_of(folder)?;
    let limits = ReadLimits {
        threads,
        ..ReadLimits::default()
    };
    Ok(examine_file(
        project.contracts(),
        file,
        source,
        known_on,
        limits,
    )?)
}

/// A draft contract for a file, as YAML.
pub fn draft_contract(folder: &Path, file: &Path) -> Result<String> {
    refuse_missing(file)?;
    let project = project_of(folder)?;
    infer_contract(project.contracts(), file)
        .with_context(|| format!("draft a contract from {}", file.display()))
}

fn refuse_missing(file: &Path) -> Result<()> {
    if !file.is_file() {
        bail!("{} not found; name a data file", file.display());
    }
    Ok(())
}
