//! Since when the rows and columns of a model are known: inherited along its lineage.

use std::collections::BTreeSet;

use goyong_catalog::Model;
use goyong_types::nearest_name;

use super::point_in_time::{Knowledge, KnownBy};
use crate::lineage::{ColumnRef, How, LineageNode, ProjectLineage};

/// Names under which a select passes the day of knowledge through.
const PASSED_THROUGH: [&str; 2] = ["known_on", "_known_on"];

/// The knowledge of a model's table, and what is wrong with what its header says of it.
///
/// A row is known on the day in the column that the header names, or that passes `_known_on` through.
/// A column that comes from another table than the row's day, or from a column that is known later
/// than its row, is known on the day that the select carries beside it; without such a day no
/// feature can read it.
pub(crate) fn knowledge_of(
    model: &Model,
    node: &LineageNode,
    lineage: &ProjectLineage,
) -> (Knowledge, Option<String>) {
    let mut knowledge = Knowledge::default();
    let is_timed = |source: &ColumnRef| {
        let input = lineage.node(&source.table);
        input.is_some_and(|input| input.knowledge != Knowledge::default())
    };
    let every_source = || node.lineage.edges().map(|(_, source, _)| source);
    if node.unplanned.is_some() {
        knowledge.rows = KnownBy::Nothing;
        return (knowledge, None);
    }
    if !every_source().any(is_timed) {
        return (knowledge, None);
    }
    let mut problem = None;
    let named = model.header.known_on.as_deref();
    let is_day_of_rows = |name: &&str| {
        let days = node.lineage.values_of(name);
        days.keys().any(|source| is_day(source, lineage))
    };
    let passed = PASSED_THROUGH
        .into_iter()
        .filter(|name| node.lineage.column(name).is_some())
        .chain(node.columns.iter().map(String::as_str).filter(|name| {
            let sources = node.lineage.column(name).map(|column| &column.sources);
            sources.is_some_and(|sources| sources.iter().all(|(_, how)| *how == How::IDENTITY))
        }))
        .find(is_day_of_rows);
    let row_day = match (named, passed) {
        (Some(named), _) if node.lineage.column(named).is_some() => Some(named),
        (Some(named), _) => {
            let nearest = nearest_name(named, node.columns.iter().map(String::as_str));
            let advice = nearest
                .map(|nearest| format!("; did you mean `{nearest}`?"))
                .unwrap_or_default();
            problem = Some(format!(
                "{}: known_on names `{named}`, which is not selected{advice}",
                model.file
            ));
            None
        }
        (None, passed) => passed,
    };
    let Some(row_day) = row_day else {
        knowledge.rows = KnownBy::Nothing;
        return (knowledge, problem);
    };
    // The day must be one on which something its rows come from became known.
    let days = node.lineage.values_of(row_day);
    let of_days: BTreeSet<&ColumnRef> = days
        .keys()
        .copied()
        .filter(|source| is_day(source, lineage))
        .collect();
    if of_days.is_empty() {
        problem = Some(format!(
            "{}: known_on names `{row_day}`, which comes from no day of knowledge of an input",
            model.file
        ));
        knowledge.rows = KnownBy::Nothing;
        return (knowledge, problem);
    }
    // Rows that depend on what is known later than their day are not known on it.
    // Which delivery of a row is the latest is no such thing: the contract's day stands for all.
    let rows_later = node.lineage.rows.iter().any(|(source, _)| {
        !source.column.starts_with('_') && later_than_row(source, lineage).is_some()
    });
    knowledge.rows = if rows_later {
        KnownBy::Nothing
    } else {
        KnownBy::Column(row_day.to_owned())
    };
    for column in &node.lineage.columns {
        if column.name == row_day {
            continue;
        }
        let mut own: Option<KnownBy> = None;
        for (source, _) in &column.sources {
            let Some(by) = day_of(source, &of_days, lineage) else {
                continue;
            };
            let beside = match by {
                KnownBy::Column(day) => {
                    let day = ColumnRef::new(&source.table, &day);
                    node.lineage
                        .columns
                        .iter()
                        .find(|other| {
                            other.sources.contains(&(day.clone(), How::IDENTITY))
                                && other.sources.len() == 1
                        })
                        .map_or(KnownBy::Nothing, |other| {
                            KnownBy::Column(other.name.clone())
                        })
                }
                other => other,
            };
            own = Some(match own {
                // Two days of its own: only a column that carries the later would do.
                Some(earlier) if earlier != beside => KnownBy::Nothing,
                _ => beside,
            });
        }
        if let Some(own) = own
            && own != KnownBy::Always
            && own != knowledge.rows
        {
            knowledge.columns.insert(column.name.clone(), own);
        }
    }
    (knowledge, problem)
}

/// Whether a column is the day on which a row of its table, or a part of it, became known.
fn is_day(source: &ColumnRef, lineage: &ProjectLineage) -> bool {
    let Some(node) = lineage.node(&source.table) else {
        return false;
    };
    let by = KnownBy::Column(source.column.clone());
    node.knowledge.rows == by || source.column == "_known_on"
}

fn later_than_row(source: &ColumnRef, lineage: &ProjectLineage) -> Option<KnownBy> {
    let node = lineage.node(&source.table)?;
    node.knowledge.columns.get(&source.column).cloned()
}

/// The day of a source column, where it is not the row's.
fn day_of(
    source: &ColumnRef,
    row_days: &BTreeSet<&ColumnRef>,
    lineage: &ProjectLineage,
) -> Option<KnownBy> {
    if let Some(by) = later_than_row(source, lineage) {
        return Some(by);
    }
    let node = lineage.node(&source.table)?;
    match &node.knowledge.rows {
        KnownBy::Always => None,
        _ if row_days.iter().any(|day| day.table == source.table) => None,
        other => Some(other.clone()),
    }
}
