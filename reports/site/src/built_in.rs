//! Tables this crate makes itself, from model cards and from the tests of the release. They take the same way as the
//! others: raw rows, disclosure control, page.

use std::collections::BTreeMap;

use goyong_disclosure::CellValue;

use crate::catalog::{Catalog, TestResult};
use crate::definition::{Members, PageKind, TableDefinition};
use crate::inputs::{ModelCardPage, ReportInput, TableInput};
use crate::render::SiteError;

/// Adds the built-in tables that the report's kind asks for.
pub(crate) fn complete(
    report: &mut ReportInput,
    cards: &[ModelCardPage],
    catalog: &Catalog,
) -> Result<(), SiteError> {
    match report.definition.page {
        PageKind::Standard => {}
        PageKind::DataQuality => add(
            report,
            "checks",
            "checks".into(),
            checks(catalog),
            BTreeMap::new(),
            Vec::new(),
        )?,
        PageKind::ModelCard => {
            for card in cards {
                let reads: Vec<String> = card.trained_from.keys().cloned().collect();
                let tables = [
                    ("metrics", metrics(card)),
                    ("calibration", calibration(card)),
                    ("fairness", fairness(card)),
                    ("features", features(card)),
                    ("gates", gates(card)),
                ];
                for (kind, rows) in tables {
                    let name = format!("{}_{kind}", card.name);
                    let members = if kind == "features" {
                        feature_titles(card)
                    } else {
                        BTreeMap::new()
                    };
                    add(report, kind, name, rows, members, reads.clone())?;
                }
            }
        }
    }
    Ok(())
}

fn add(
    report: &mut ReportInput,
    kind: &'static str,
    name: String,
    rows: Vec<Vec<CellValue>>,
    members: BTreeMap<String, Members>,
    reads: Vec<String>,
) -> Result<(), SiteError> {
    let definitions: Vec<TableDefinition> =
        serde_yaml_ng::from_str(include_str!("../templates/built_in.yml")).map_err(|source| {
            SiteError::Embedded {
                name: "built_in.yml",
                reason: source.to_string(),
            }
        })?;
    let Some(mut definition) = definitions
        .into_iter()
        .find(|definition| definition.name == kind)
    else {
        return Err(SiteError::Embedded {
            name: "built_in.yml",
            reason: format!("there is no table {kind}"),
        });
    };
    let columns = definition
        .dimensions
        .iter()
        .chain(&definition.counts)
        .chain(definition.derived.iter().map(|derived| &derived.column))
        .chain(
            definition
                .columns
                .keys()
                .filter(|_| definition.public.is_some()),
        )
        .fold(Vec::new(), |mut columns: Vec<String>, column| {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
            columns
        });
    definition.name.clone_from(&name);
    definition.members.extend(members);
    report.definition.tables.push(definition);
    report.tables.push(TableInput {
        name,
        columns,
        rows,
        reads,
        compiled_sql: String::new(),
    });
    Ok(())
}

fn text(value: impl Into<String>) -> CellValue {
    CellValue::Text(value.into())
}

fn count(value: u64) -> CellValue {
    i64::try_from(value).map_or(CellValue::Null, CellValue::Integer)
}

fn optional(value: Option<f64>) -> CellValue {
    value.map_or(CellValue::Null, CellValue::Float)
}

fn checks(catalog: &Catalog) -> Vec<Vec<CellValue>> {
    let mut rows: Vec<(String, usize, usize, String)> = catalog
        .tables
        .iter()
        .filter(|table| table.stored.is_some())
        .filter(|table| !table.tests.is_empty())
        .map(|table| {
            let with = |results: &[TestResult]| -> Vec<&str> {
                table
                    .tests
                    .iter()
                    .filter(|test| results.contains(&test.result))
                    .map(|test| test.name.as_str())
                    .collect()
            };
            let failed = with(&[TestResult::Failed, TestResult::Warned, TestResult::Error]);
            (
                table.qualified_name(),
                table.tests.len(),
                with(&[TestResult::Passed]).len(),
                failed.join(", "),
            )
        })
        .collect();
    rows.sort();
    rows.into_iter()
        .map(|(name, tests, passed, failed)| {
            let failed = if failed.is_empty() {
                CellValue::Text("–".into())
            } else {
                text(failed)
            };
            vec![
                text(name),
                failed,
                count(passed as u64),
                count(tests as u64),
            ]
        })
        .collect()
}

fn metrics(card: &ModelCardPage) -> Vec<Vec<CellValue>> {
    card.metrics
        .iter()
        .map(|metric| {
            vec![
                text(&metric.name),
                optional(metric.baseline),
                text(if metric.larger_is_better {
                    "larger"
                } else {
                    "smaller"
                }),
                CellValue::Float(metric.model),
                optional(metric.oracle),
            ]
        })
        .collect()
}

fn calibration(card: &ModelCardPage) -> Vec<Vec<CellValue>> {
    card.calibration
        .iter()
        .enumerate()
        .map(|(index, bin)| {
            vec![
                text((index + 1).to_string()),
                count(bin.count),
                CellValue::Float(bin.predicted),
                CellValue::Float(bin.observed),
            ]
        })
        .collect()
}

fn fairness(card: &ModelCardPage) -> Vec<Vec<CellValue>> {
    card.fairness
        .iter()
        .map(|group| {
            vec![
                text(&group.attribute),
                text(&group.group),
                count(group.count),
                CellValue::Float(group.predicted),
                CellValue::Float(group.observed),
                optional(group.auc),
            ]
        })
        .collect()
}

/// What readers call the features, by name.
fn feature_titles(card: &ModelCardPage) -> BTreeMap<String, Members> {
    let titles = card
        .features
        .iter()
        .map(|feature| (feature.name.clone(), feature.title.clone()))
        .collect();
    BTreeMap::from([("feature".to_owned(), Members::List(titles))])
}

fn features(card: &ModelCardPage) -> Vec<Vec<CellValue>> {
    card.features
        .iter()
        .map(|feature| vec![text(&feature.name), CellValue::Float(feature.effect)])
        .collect()
}

fn gates(card: &ModelCardPage) -> Vec<Vec<CellValue>> {
    card.gates
        .iter()
        .map(|gate| {
            vec![
                text(&gate.name),
                text(&gate.detail),
                text(if gate.passed { "passed" } else { "failed" }),
            ]
        })
        .collect()
}
