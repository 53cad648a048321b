//! References between sources: checked against each other, and the table of rows that still wait.

use std::collections::BTreeMap;
use std::fmt::Write;

use goyong_types::nearest_name;

use crate::contract::{Contract, Reference, StagingType};
use crate::files::ProjectFiles;
use crate::problem::Problem;

/// Where the generated table would stand if it were written by hand.
pub(super) const PENDING_FILE: &str = "ops/pending_references.sql";

/// Every reference must lead to columns of the same type in a source of the project.
pub(super) fn check(
    files: &ProjectFiles,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Vec<Problem>,
) {
    for contract in contracts.values() {
        for reference in &contract.references {
            if let Err((message, help)) = check_one(contract, reference, contracts) {
                let file = format!("sources/{}.yml", contract.source);
                let text = files.text(&file).unwrap_or_default();
                let problem = Problem::new(&file, message).at_word(text, "references");
                problems.push(match help {
                    Some(help) => problem.with_help(help),
                    None => problem,
                });
            }
        }
    }
}

fn check_one(
    contract: &Contract,
    reference: &Reference,
    contracts: &BTreeMap<String, Contract>,
) -> Result<(), (String, Option<String>)> {
    let nearest = |name: &str, known: Vec<&str>| {
        nearest_name(name, known).map(|nearest| format!("did you mean `{nearest}`?"))
    };
    let Some(target) = contracts.get(&reference.source) else {
        return Err((
            format!(
                "a reference leads to `{}`, which is no source",
                reference.source
            ),
            nearest(
                &reference.source,
                contracts.keys().map(String::as_str).collect(),
            ),
        ));
    };
    for (name, to) in reference.columns.iter().zip(&reference.to) {
        let Some(to_type) = type_of(target, to) else {
            let columns = target.columns.iter().map(|column| column.name.as_str());
            return Err((
                format!(
                    "a reference leads to `{}.{to}`, which is no column",
                    target.source
                ),
                nearest(to, columns.collect()),
            ));
        };
        if type_of(contract, name) != Some(to_type) {
            return Err((
                format!(
                    "the reference `{name}` has another type than `{}.{to}`",
                    target.source
                ),
                Some("give both columns the same type".into()),
            ));
        }
    }
    Ok(())
}

fn type_of(contract: &Contract, name: &str) -> Option<StagingType> {
    contract
        .staging_columns()
        .iter()
        .find(|column| column.name == name)
        .map(|column| column.staging_type)
}

/// The model `ops.pending_references`, `None` when no contract refers to another source.
pub(super) fn pending_model(contracts: &BTreeMap<String, Contract>) -> Option<String> {
    let mut selects = Vec::new();
    for contract in contracts.values() {
        for reference in &contract.references {
            selects.push(pending_select(&contract.source, reference));
        }
    }
    if selects.is_empty() {
        return None;
    }
    let header = "/*---
description:
  ko: 다른 원천의 행을 기다리는 행. 늦은 것이지 틀린 것이 아니다. 계약의 references에서 만들어진다.
  en: rows that wait for a row of another source, late and not wrong; generated from the contracts' references
grain: [source, reference_columns, to_source, to_columns]
materialized: table
owner: operations
columns:
  rows_waiting: {description: rows whose reference leads nowhere yet}
  waiting_since: {description: day on which the oldest of them became known}
---*/
";
    Some(format!("{header}{}\n", selects.join("\nunion all\n")))
}

fn pending_select(source: &str, reference: &Reference) -> String {
    let mut conditions = String::new();
    let mut matches = String::new();
    for (position, (name, to)) in reference.columns.iter().zip(&reference.to).enumerate() {
        let lead = if position == 0 { "" } else { " and " };
        // Writing to a string cannot fail.
        let _ = write!(conditions, "{lead}waiting.{name} is not null");
        let _ = write!(matches, "{lead}target.{to} = waiting.{name}");
    }
    format!(
        "select
  '{source}' as source,
  '{columns}' as reference_columns,
  '{target}' as to_source,
  '{to}' as to_columns,
  count(*) as rows_waiting,
  min(waiting._known_on) as waiting_since
from {{{{ source('{source}') }}}} as waiting
where {conditions}
  and not exists (select 1 from {{{{ source('{target}') }}}} as target where {matches})",
        columns = reference.columns.join(", "),
        target = reference.source,
        to = reference.to.join(", "),
    )
}
