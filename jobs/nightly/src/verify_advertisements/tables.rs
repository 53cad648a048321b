//! The tables of the verification: findings, duplicates, the list of suspected advertisements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray,
};
use chrono::NaiveDate;
use goyong_advert::{Decision, Field, mask_contacts};
use goyong_store::{CommitDetails, CommitMode, WriteOptions};

use super::Found;
use super::adequacy::Adequacy;
use super::read::Posting;
use crate::project::OpenProject;

const FINDINGS: &str = "alerts.ad_finding";
const DUPLICATES: &str = "alerts.ad_duplicate";
const LIST: &str = "alerts.ad_verification";
/// Columns that may be null, whether they are on this night or not.
const NULLABLE: [&str; 3] = ["span_start", "span_end", "auc"];

/// Writes `alerts.ad_finding`: one row for each place that breaks a rule, or looks as if it did.
pub(super) async fn write_findings(
    project: &OpenProject,
    postings: &[Posting],
    found: &Found,
) -> Result<()> {
    let rows: Vec<_> = postings
        .iter()
        .zip(&found.findings)
        .flat_map(|(posting, findings)| findings.iter().map(move |finding| (posting, finding)))
        .collect();
    // A pay offer has no place in a text.
    let place = |field: Field, at: usize| (field != Field::Pay).then_some(at as i32);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "ad_source",
            texts(rows.iter().map(|(one, _)| one.ad_source.as_str())),
        ),
        (
            "ad_no",
            texts(rows.iter().map(|(one, _)| one.ad_no.as_str())),
        ),
        ("opened_on", days(rows.iter().map(|(one, _)| one.opened_on))),
        ("rule", texts(rows.iter().map(|(_, one)| one.rule.as_str()))),
        (
            "decision",
            texts(rows.iter().map(|(_, one)| one.decision.as_str())),
        ),
        (
            "field",
            texts(rows.iter().map(|(_, one)| one.field.as_str())),
        ),
        (
            "span_start",
            Arc::new(
                rows.iter()
                    .map(|(_, one)| place(one.field, one.start))
                    .collect::<Int32Array>(),
            ),
        ),
        (
            "span_end",
            Arc::new(
                rows.iter()
                    .map(|(_, one)| place(one.field, one.end))
                    .collect::<Int32Array>(),
            ),
        ),
        (
            "phrase",
            texts(rows.iter().map(|(_, one)| one.phrase.as_str())),
        ),
        (
            "reason",
            texts(rows.iter().map(|(_, one)| one.reason.as_str())),
        ),
        (
            "is_disguised",
            Arc::new(
                rows.iter()
                    .map(|(_, one)| Some(one.is_disguised))
                    .collect::<BooleanArray>(),
            ),
        ),
    ];
    write(
        project,
        FINDINGS,
        "places of advertisements that break a rule, and those that look like it with the reason why they do not; spans are bytes of the delivered title or text",
        columns,
    )
    .await
}

/// Writes `alerts.ad_duplicate`: the advertisements that are one job, by group.
pub(super) async fn write_duplicates(
    project: &OpenProject,
    postings: &[Posting],
    found: &Found,
) -> Result<()> {
    let clusters = &found.clusters;
    let members: Vec<usize> = (0..postings.len())
        .filter(|at| clusters.similarity[*at] > 0.0)
        .collect();
    let first = |at: &usize| &postings[clusters.first_of[*at] as usize];
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "ad_source",
            texts(members.iter().map(|at| postings[*at].ad_source.as_str())),
        ),
        (
            "ad_no",
            texts(members.iter().map(|at| postings[*at].ad_no.as_str())),
        ),
        (
            "opened_on",
            days(members.iter().map(|at| postings[*at].opened_on)),
        ),
        (
            "first_source",
            texts(members.iter().map(|at| first(at).ad_source.as_str())),
        ),
        (
            "first_no",
            texts(members.iter().map(|at| first(at).ad_no.as_str())),
        ),
        (
            "is_first",
            Arc::new(
                members
                    .iter()
                    .map(|at| Some(clusters.first_of[*at] as usize == *at))
                    .collect::<BooleanArray>(),
            ),
        ),
        (
            "similarity",
            Arc::new(
                members
                    .iter()
                    .map(|at| Some(clusters.similarity[*at]))
                    .collect::<Float64Array>(),
            ),
        ),
    ];
    write(
        project,
        DUPLICATES,
        "advertisements of one job of one employer, with the first of the group and the Jaccard index to the most similar other one",
        columns,
    )
    .await
}

/// Writes `alerts.ad_verification`, one row for each suspected advertisement, and returns how many.
pub(super) async fn write_list(
    project: &OpenProject,
    postings: &[Posting],
    found: &Found,
    adequacy: &Adequacy,
    rules: &BTreeMap<String, String>,
    as_of: NaiveDate,
) -> Result<usize> {
    let mut rows: Vec<[String; 9]> = Vec::new();
    for (at, posting) in postings.iter().enumerate() {
        let mut suspected: BTreeSet<&str> = found.findings[at]
            .iter()
            .filter(|one| one.decision == Decision::Violation)
            .map(|one| one.rule.as_str())
            .collect();
        let first = found.clusters.first_of[at] as usize;
        if first != at {
            suspected.insert("duplicate");
        }
        if adequacy.is_suspected(at) {
            suspected.insert("adequacy");
        }
        if suspected.is_empty() {
            continue;
        }
        let named: Vec<String> = suspected
            .iter()
            .map(|rule| {
                let name = rules.get(*rule).map_or(*rule, String::as_str);
                match *rule {
                    "duplicate" => format!("{name}({})", postings[first].ad_no),
                    _ => name.to_owned(),
                }
            })
            .collect();
        let is_open = posting.opened_on <= as_of && as_of <= posting.open_until;
        let (contract, other) = match posting.contract_kind.as_str() {
            "regular" => ("정규직", ""),
            "fixed_term" => ("계약직", ""),
            _ => ("기타", "시간제"),
        };
        rows.push([
            posting.ad_source.clone(),
            if is_open { "게시" } else { "마감" }.to_owned(),
            posting.agency.clone(),
            posting.ad_no.clone(),
            mask_contacts(&posting.title),
            posting.region.clone(),
            contract.to_owned(),
            other.to_owned(),
            named.join("; "),
        ]);
    }
    let names = [
        "ad_source",
        "posting_state",
        "agency",
        "ad_no",
        "title",
        "region",
        "contract",
        "contract_other",
        "suspicion",
    ];
    let columns = names
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, texts(rows.iter().map(|row| row[at].as_str()))))
        .collect();
    write(
        project,
        LIST,
        "suspected advertisements in the columns of the ministry's form; titles without contacts",
        columns,
    )
    .await?;
    Ok(rows.len())
}

pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn days(values: impl Iterator<Item = NaiveDate>) -> ArrayRef {
    let days = values.map(|day| (day - NaiveDate::default()).num_days() as i32);
    Arc::new(Date32Array::from_iter_values(days))
}

/// Replaces a table in one commit.
pub(super) async fn write(
    project: &OpenProject,
    table: &str,
    description: &str,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<()> {
    let columns = columns.into_iter().map(|(name, values)| {
        let is_nullable = NULLABLE.contains(&name);
        (name, values, is_nullable)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
    let options = WriteOptions {
        description: Some(description.to_owned()),
        ..WriteOptions::default()
    };
    let mut writer = project
        .warehouse()
        .writer(&table.parse()?, batch.schema(), options)
        .await?;
    writer.write(None, &batch)?;
    let details = CommitDetails {
        operation: "verify advertisements".to_owned(),
        application: Some(("verify_advertisements".to_owned(), 1)),
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::ReplaceAll, details).await?;
    Ok(())
}
