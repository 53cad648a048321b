//! Finds which rows of the insurance, pension and institution lists are one business.
//!
//! Equal business numbers come first. What has no full number, the pension's list above all, is
//! compared with the numbered businesses by name, place, date and size, each weighted as
//! `sql/linkage/workplace.yml` says and the data show. The error is measured from labels that
//! clerks gave, which are a delivery like any other.

mod entities;
mod measure;
mod records;
mod tables;

use anyhow::{Context, Result};
use futures::StreamExt;
use goyong_catalog::Selection;
use goyong_engine::{BuildMode, BuildScope};
use goyong_linkage::{LinkageError, Linker, PairBatch, Parameters, ScoredPair, Settings, Summary};
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::build_tables::{build, failures};
use crate::figures::StepFigures;
use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::{NightEvent, StepOutcome};
use entities::Entities;
use records::Prepared;
use tables::PairWriter;

/// Changes with anything in this step or in the linkage crate that changes a result.
const PROCEDURE: &str = "workplace/1";

const SETTINGS: &str = "linkage/workplace.yml";
const RECORDS: &str = "linkage.workplace_record";
const LABELS: &str = "linkage.workplace_label";
const PAIRS: &str = "linkage.workplace_pair";
const CLUSTERS: &str = "linkage.workplace_cluster";
const WEIGHTS: &str = "linkage.workplace_weight";
const ERRORS: &str = "linkage.workplace_error";

/// Links when a workplace, a label or the settings changed since the last time.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let Some(settings_text) = project.project().files().text(SETTINGS) else {
        return Ok(StepOutcome::nothing(format!("no sql/{SETTINGS}")));
    };
    let settings = Settings::from_yaml(settings_text).with_context(|| format!("sql/{SETTINGS}"))?;
    let built = build(
        project,
        &Selection::of([format!("+{RECORDS}"), format!("+{LABELS}")]),
        night.as_of().await?,
        BuildScope::default(),
        BuildMode::default(),
        night.events,
    )
    .await?;
    if !built.succeeded() {
        return Ok(StepOutcome::failed("the tables to link could not be built")
            .with_details(failures(&built))
            .with_figures(StepFigures::of_build(&built, project.project())));
    }
    let fingerprint = fingerprint(project, settings_text).await?;
    let memo = project.warehouse().memo_get("link", PROCEDURE).await?;
    if memo.as_deref() == Some(fingerprint.as_str()) && !night.options.full_refresh {
        return Ok(StepOutcome::nothing(
            "workplaces, labels and settings unchanged",
        ));
    }
    (night.events)(NightEvent::Working("reading workplaces".to_owned()));
    let mut pairs = PairWriter::open(project, &settings).await?;
    let prepared = records::prepare(project, &settings, &mut pairs).await?;
    (night.events)(NightEvent::Working(format!(
        "comparing {} workplaces of {} numbered businesses with {} others",
        prepared.numbered, prepared.businesses, prepared.others
    )));
    let (entities, found) = link(project, prepared, &mut pairs).await?;
    let rows = tables::write_clusters(project, &entities, &mut pairs).await?;
    pairs.commit().await?;
    tables::write_weights(project, found.parameters.as_ref()).await?;
    let errors = measure::measure(project).await?;
    tables::write_errors(project, &errors).await?;
    project
        .warehouse()
        .memo_put("link", PROCEDURE, &fingerprint)
        .await?;
    let mut figures = StepFigures::of_build(&built, project.project());
    figures.total.pairs_compared = Some(found.compared);
    figures.total.pairs_linked =
        Some(found.by_number + rows.by_institution_name + found.by_probability);
    Ok(StepOutcome::done(format!(
        "{} workplaces in {} businesses; {} pairs by number, {} by institution name, {} by probability of {} compared; {}",
        rows.workplaces,
        rows.businesses,
        found.by_number,
        rows.by_institution_name,
        found.by_probability,
        found.compared,
        measure::in_words(&errors),
    ))
    .with_details(found.details)
    .with_figures(figures))
}

async fn fingerprint(project: &OpenProject, settings: &str) -> Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(PROCEDURE);
    hasher.update(settings);
    for name in [RECORDS, LABELS] {
        let table: TableName = name.parse()?;
        if let Some(snapshot) = project.warehouse().snapshot(&table).await? {
            hasher.update(snapshot.content_hash());
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// What a linkage found, in figures.
#[derive(Default)]
struct Found {
    parameters: Option<Parameters>,
    by_number: u64,
    by_probability: u64,
    compared: u64,
    details: Vec<String>,
}

/// Weighs and clusters; without anything to compare, only numbers link.
async fn link(
    project: &OpenProject,
    prepared: Prepared,
    pairs: &mut PairWriter,
) -> Result<(Entities, Found)> {
    let mut found = Found {
        by_number: prepared.by_number,
        ..Found::default()
    };
    let Some(builder) = prepared.builder else {
        return Ok((Entities::without_linkage(), found));
    };
    let threads = project.configuration().worker_threads();
    let linked = tokio::task::block_in_place(|| -> Result<_> {
        let linker = builder.finish(threads)?;
        let parameters = match linker.estimate() {
            Ok(parameters) => parameters,
            // A young or tiny warehouse has too few pairs to learn from: a fact, not a failure.
            Err(error @ (LinkageError::Records { .. } | LinkageError::Parameters(_))) => {
                return Ok((linker, None, Vec::new(), Some(error.to_string())));
            }
            Err(error) => return Err(error.into()),
        };
        let (kept, summary) = weigh(&linker, &parameters, pairs)?;
        Ok((linker, Some((parameters, summary)), kept, None))
    })?;
    let (linker, learned, kept, problem) = linked;
    found
        .details
        .extend(problem.map(|problem| format!("not weighed: {problem}")));
    found.by_probability = kept.len() as u64;
    if let Some((parameters, summary)) = learned {
        found.compared = summary.rules.iter().map(|rule| rule.compared).sum();
        found.parameters = Some(parameters);
        if summary.skipped_pairs > 0 {
            found.details.push(format!(
                "{} pairs of {} blocks not compared: more than max_block_pairs of sql/{SETTINGS}",
                summary.skipped_pairs,
                summary.skipped_blocks.len()
            ));
        }
    }
    let clusters = linker.cluster(&kept)?;
    if !clusters.refused.is_empty() {
        found.details.push(format!(
            "{} joins refused: they would have made one of two numbered businesses",
            clusters.refused.len()
        ));
    }
    Ok((Entities::of(linker, &clusters, &kept), found))
}

fn weigh(
    linker: &Linker,
    parameters: &Parameters,
    pairs: &mut PairWriter,
) -> Result<(Vec<ScoredPair>, Summary)> {
    let mut kept = Vec::new();
    let summary = linker.link(
        parameters,
        |batch: PairBatch| -> Result<(), anyhow::Error> {
            kept.extend(batch.scored());
            pairs.weighed(&linker.record_batch(&batch)?)
        },
    )?;
    Ok((kept, summary))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The batches of a query on the newest tables, one after the other.
async fn for_each_batch(
    project: &OpenProject,
    sql: &str,
    mut take: impl FnMut(&arrow_array::RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut batches = project.query_latest(sql).await?;
    while let Some(batch) = batches.next().await {
        take(&batch?)?;
    }
    Ok(())
}
