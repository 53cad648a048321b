//! What the catalogue says of every table: the project's texts, the release's sizes, the results and lineage that the
//! build recorded. Metadata only; no row of a table is read but those of `ops` and of the calendar of deliveries.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use goyong_catalog::contract::{BilingualText, Contract};
use goyong_catalog::{Check, Model, Seed, Severity, TableOrigin};
use goyong_engine::ReadSession;
use goyong_site::{
    Bilingual, Catalog, CatalogChange, CatalogCheck, CatalogColumn, CatalogDefinition,
    CatalogTable, CatalogTest, PartitionSize, StoredTable, TestResult,
};
use goyong_store::{PartitionSpan, Release, TableSnapshot};
use goyong_types::TableName;

use crate::project::OpenProject;
use crate::recorded::{Recorded, recorded};

/// Tables that are known without being part of the release: views, and what was never delivered or built.
fn all_tables(project: &OpenProject, release: &Release) -> Result<BTreeSet<TableName>> {
    let mut names: BTreeSet<TableName> = release.tables.keys().cloned().collect();
    names.extend(project.project().models().keys().cloned());
    for source in project.project().contracts().keys() {
        names.insert(TableName::new("staging", source)?);
    }
    for seed in project.project().seeds().keys() {
        names.insert(TableName::new("seed", seed)?);
    }
    Ok(names)
}

/// The catalogue of a release. `releases` are all releases, oldest first.
pub(crate) async fn describe_catalog(
    project: &OpenProject,
    release: &Release,
    releases: &[Release],
    session: &ReadSession,
) -> Result<Catalog> {
    let known = recorded(session, release).await?;
    let mut tables = Vec::new();
    for name in all_tables(project, release)? {
        let mut table = CatalogTable {
            schema: name.schema().to_owned(),
            name: name.table().to_owned(),
            kind: "job".to_owned(),
            ..CatalogTable::default()
        };
        let snapshot = match release.tables.get(&name) {
            Some(released) => Some(
                project
                    .warehouse()
                    .snapshot_at(&name, released.version)
                    .await?
                    .with_context(|| format!("{name} lost version {}", released.version))?,
            ),
            None => None,
        };
        if let Some(snapshot) = &snapshot {
            let spans = project.warehouse().partition_history(&name).await?;
            table.description =
                Bilingual::same(snapshot.description.as_deref().unwrap_or_default());
            table.partition_by.clone_from(&snapshot.partition_column);
            table.stored = Some(stored(snapshot));
            table.history = history(&name, release, releases, &spans);
            table.columns = stored_columns(snapshot);
        }
        match project.project().origin(&name) {
            TableOrigin::Model(model) => describe_model(project, model, &known, &mut table),
            TableOrigin::Source(contract) => {
                describe_source(project, contract, &known, &mut table);
            }
            TableOrigin::Seed(seed) => describe_seed(project, seed, &mut table),
            TableOrigin::Elsewhere => {}
        }
        if table.tests.is_empty() {
            table.tests = known.tests(&name.to_string(), &[], false);
        }
        if snapshot.is_none() && table.kind == "view" {
            view_types(project, release, &name, &mut table).await;
        }
        tables.push(table);
    }
    Ok(Catalog {
        tables,
        checks: project
            .project()
            .checks()
            .values()
            .map(|check| describe_check(project, check, &known))
            .collect(),
        lineage: known.lineage,
    })
}

fn bilingual(text: &BilingualText) -> Bilingual {
    Bilingual::new(&text.ko, &text.en)
}

fn optional(text: Option<&BilingualText>) -> Bilingual {
    text.map(bilingual).unwrap_or_default()
}

fn plain(text: Option<&str>) -> Bilingual {
    Bilingual::same(text.unwrap_or_default())
}

fn definition(project: &OpenProject, path: &str, otherwise: &str) -> CatalogDefinition {
    match project.project().files().text(path) {
        Some(text) => CatalogDefinition {
            path: path.to_owned(),
            text: text.to_owned(),
        },
        // What the project generates stands in no file.
        None => CatalogDefinition {
            path: String::new(),
            text: otherwise.trim().to_owned(),
        },
    }
}

/// The YAML of a contract or seed, in whatever folder below it stands.
fn file_of(project: &OpenProject, folder: &str, stem: &str) -> Option<CatalogDefinition> {
    let name = format!("{stem}.yml");
    let (path, text) = project
        .project()
        .files()
        .below(folder, "yml")
        .find(|(path, _)| path.rsplit('/').next() == Some(name.as_str()))?;
    Some(CatalogDefinition {
        path: path.to_owned(),
        text: text.to_owned(),
    })
}

fn describe_model(
    project: &OpenProject,
    model: &Model,
    known: &Recorded,
    table: &mut CatalogTable,
) {
    let header = &model.header;
    let name = model.table.to_string();
    table.kind = serde_json::to_value(header.materialized)
        .ok()
        .and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default();
    table.title = optional(header.title.as_ref());
    table.description = bilingual(&header.description);
    table.grain.clone_from(&header.grain);
    table.owner = plain(header.owner.as_deref());
    table.legal_basis = optional(header.legal_basis.as_ref());
    table.tags.clone_from(&header.tags);
    table.reads = model.inputs.iter().map(ToString::to_string).collect();
    table.definition = Some(definition(project, &model.file, &model.body));
    if table.columns.is_empty() {
        table.columns = known
            .columns
            .get(&name)
            .into_iter()
            .flatten()
            .chain(header.columns.keys())
            .fold(Vec::new(), |mut columns: Vec<CatalogColumn>, column| {
                if !columns.iter().any(|known| known.name == *column) {
                    columns.push(CatalogColumn {
                        name: column.clone(),
                        tags: known.tags(&name, column),
                        ..CatalogColumn::default()
                    });
                }
                columns
            });
    }
    for column in &mut table.columns {
        if let Some(said) = header.columns.get(&column.name) {
            column.title = optional(said.title.as_ref());
            if let Some(description) = &said.description {
                column.description = bilingual(description);
            }
            column.unit = said.unit.clone().unwrap_or_default();
        }
        column.declassified = known.declassified(&name, &column.name).or_else(|| {
            let lowered = serde_json::to_value(header.declassify.get(&column.name)?).ok()?;
            crate::recorded::declassification(&lowered)
        });
    }
    // The grain is tested without being asked for.
    let names: Vec<String> = model.tests.iter().map(ToString::to_string).collect();
    table.tests = known.tests(&name, &names, table.stored.is_some());
}

fn describe_source(
    project: &OpenProject,
    contract: &Contract,
    known: &Recorded,
    table: &mut CatalogTable,
) {
    table.kind = "source".to_owned();
    table.title = bilingual(&contract.title);
    table.description = bilingual(&contract.description);
    table.grain.clone_from(&contract.key);
    table.owner = bilingual(&contract.provider);
    table.legal_basis = plain(contract.legal_basis.as_deref());
    table.licence = contract.licence.clone().unwrap_or_default();
    table.definition = file_of(project, "sources", &contract.source);
    if table.columns.is_empty() {
        table.columns = contract
            .staging_columns()
            .into_iter()
            .map(|column| CatalogColumn {
                data_type: format!("{:?}", column.staging_type),
                tags: column.tags,
                name: column.name,
                ..CatalogColumn::default()
            })
            .collect();
    }
    let texts: BTreeMap<String, BilingualText> = contract
        .staging_columns()
        .into_iter()
        .map(|column| (column.name, column.description))
        .collect();
    for column in &mut table.columns {
        if let Some(text) = texts.get(&column.name) {
            column.description = bilingual(text);
        }
        if let Some(said) = contract.column(&column.name) {
            let fields = said.from.iter().filter(|field| **field != column.name);
            column.fields = fields.cloned().collect();
        }
    }
    let mut freshness = known
        .freshness
        .get(&contract.source)
        .cloned()
        .unwrap_or_default();
    freshness.cadence = contract.cadence.as_str().to_owned();
    freshness.due_days = contract.due_days;
    table.freshness = Some(freshness);
}

fn describe_seed(project: &OpenProject, seed: &Seed, table: &mut CatalogTable) {
    let header = &seed.header;
    table.kind = "seed".to_owned();
    table.title = optional(header.title.as_ref());
    table.description = bilingual(&header.description);
    table.grain.clone_from(&header.key);
    table.origin = bilingual(&header.origin);
    table.licence = header.licence.clone().unwrap_or_default();
    table.definition = file_of(project, "seeds", &seed.name);
    if table.columns.is_empty() {
        table.columns = header
            .columns
            .iter()
            .map(|column| CatalogColumn {
                name: column.name.clone(),
                data_type: column.column_type.clone(),
                tags: column.tags.clone(),
                ..CatalogColumn::default()
            })
            .collect();
    }
    for column in &mut table.columns {
        let said = header
            .columns
            .iter()
            .find(|known| known.name == column.name);
        if let Some(text) = said.and_then(|said| said.description.as_ref()) {
            column.description = bilingual(text);
        }
    }
}

fn describe_check(project: &OpenProject, check: &Check, known: &Recorded) -> CatalogCheck {
    CatalogCheck {
        name: check.name.clone(),
        description: bilingual(&check.header.description),
        owner: check.header.owner.clone().unwrap_or_default(),
        legal_basis: optional(check.header.legal_basis.as_ref()),
        warns: check.header.severity == Severity::Warn,
        reads: check.inputs.iter().map(ToString::to_string).collect(),
        outcome: known
            .tests(&check.name, &[], false)
            .pop()
            .unwrap_or_else(|| CatalogTest {
                name: check.name.clone(),
                result: TestResult::NotRun,
                ..CatalogTest::default()
            }),
        definition: definition(project, &check.file, &check.body),
    }
}

/// Types and order of a view's columns, where it can be planned: a view may read what was never built.
async fn view_types(
    project: &OpenProject,
    release: &Release,
    name: &TableName,
    table: &mut CatalogTable,
) {
    let sql = format!("select * from \"{}\".\"{}\"", name.schema(), name.table());
    let Ok(rows) = project
        .engine()
        .stream_latest(&sql, release.business_date)
        .await
    else {
        return;
    };
    let mut said: BTreeMap<String, CatalogColumn> = table
        .columns
        .drain(..)
        .map(|column| (column.name.clone(), column))
        .collect();
    table.columns = rows
        .schema()
        .fields()
        .iter()
        .map(|field| CatalogColumn {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            ..said.remove(field.name()).unwrap_or_default()
        })
        .collect();
}

fn stored_columns(snapshot: &TableSnapshot) -> Vec<CatalogColumn> {
    snapshot
        .schema
        .fields()
        .iter()
        .map(|field| {
            let note = snapshot.columns.get(field.name());
            CatalogColumn {
                name: field.name().clone(),
                data_type: field.data_type().to_string(),
                description: plain(note.and_then(|note| note.description.as_deref())),
                tags: note.map(|note| note.tags.clone()).unwrap_or_default(),
                ..CatalogColumn::default()
            }
        })
        .collect()
}

fn stored(snapshot: &TableSnapshot) -> StoredTable {
    let partitions = match snapshot.partition_column {
        None => Vec::new(),
        Some(_) => snapshot
            .partitions
            .iter()
            .map(|(partition, state)| PartitionSize {
                name: partition.as_deref().unwrap_or("–").to_owned(),
                rows: state.rows,
            })
            .collect(),
    };
    StoredTable {
        version: snapshot.version,
        content_hash: snapshot.content_hash(),
        rows: snapshot.rows(),
        bytes: snapshot.files.iter().map(|file| file.size).sum(),
        files: snapshot.files.len() as u64,
        partitions,
    }
}

/// The releases up to this one in which the table's content was another than in the one before, newest first.
fn history(
    name: &TableName,
    release: &Release,
    releases: &[Release],
    spans: &[PartitionSpan],
) -> Vec<CatalogChange> {
    let end = releases
        .iter()
        .position(|other| other.id == release.id)
        .map_or(releases.len(), |place| place + 1);
    let mut changes: Vec<CatalogChange> = Vec::new();
    let mut before: Option<(i64, &str)> = None;
    for other in &releases[..end] {
        let Some(table) = other.tables.get(name) else {
            continue;
        };
        if before.is_some_and(|(_, hash)| hash == table.content_hash) {
            continue;
        }
        changes.push(CatalogChange {
            release: other.id.clone(),
            business_date: other.business_date,
            version: table.version,
            rows: table.rows,
            content_hash: table.content_hash.clone(),
            partitions: before.map_or_else(Vec::new, |(version, _)| {
                changed_partitions(spans, version, table.version)
            }),
        });
        before = Some((table.version, &table.content_hash));
    }
    changes.reverse();
    changes
}

/// Partitions whose content is another at the second version.
fn changed_partitions(spans: &[PartitionSpan], before: i64, after: i64) -> Vec<String> {
    let at = |version: i64| -> BTreeMap<&str, &str> {
        spans
            .iter()
            .filter(|span| span.holds_at(version))
            .filter_map(|span| Some((span.partition.as_deref()?, span.content_hash.as_str())))
            .collect()
    };
    let (old, new) = (at(before), at(after));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    names
        .into_iter()
        .filter(|name| old.get(name) != new.get(name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use chrono::NaiveDate;
    use goyong_store::ReleasedTable;

    fn span(partition: &str, from: i64, until: Option<i64>, hash: &str) -> PartitionSpan {
        PartitionSpan {
            partition: Some(partition.into()),
            from_version: from,
            until_version: until,
            content_hash: hash.into(),
        }
    }

    fn release(day: u32, version: i64, hash: &str) -> Release {
        let released = ReleasedTable {
            version,
            commit_sha256: String::new(),
            content_hash: hash.into(),
            rows: 10 + u64::from(day),
        };
        Release {
            id: format!("2025-12-{day:02}.1"),
            business_date: NaiveDate::from_ymd_opt(2025, 12, day).unwrap(),
            tables: [("core.x".parse().unwrap(), released)].into(),
            ..Release::default()
        }
    }

    #[test]
    fn history_names_the_releases_that_changed_the_content_and_the_partitions_that_did() {
        let spans = [
            span("2025-10", 0, None, "a"),
            span("2025-11", 0, Some(2), "b"),
            span("2025-11", 2, Some(3), "c"),
            span("2025-12", 2, None, "d"),
        ];
        let releases = [
            release(1, 0, "one"),
            release(2, 1, "one"),
            release(3, 2, "two"),
            release(4, 3, "three"),
        ];
        let name = "core.x".parse().unwrap();
        let changes = history(&name, &releases[2], &releases, &spans);
        let shown: Vec<(&str, Vec<&str>)> = changes
            .iter()
            .map(|change| {
                let partitions = change.partitions.iter().map(String::as_str).collect();
                (change.release.as_str(), partitions)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("2025-12-03.1", vec!["2025-11", "2025-12"]),
                ("2025-12-01.1", vec![]),
            ],
            "a later release does not belong to this one's page"
        );
        assert_eq!(changed_partitions(&spans, 2, 3), ["2025-11"], "dropped");
    }
}
