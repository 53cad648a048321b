//! Files that are one delivery, and records of one source inside the files of another.

use std::path::{Path, PathBuf};

use goyong_catalog::contract::{Contract, RevisionRule};
use goyong_catalog::manifest::Manifest;

use super::{Delivery, Ingested, IntakeContext, ingest_parcel, store_error, table};
use crate::archive::ArchiveWriter;
use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::error::IntakeError;
use crate::pages::PageName;
use crate::read::DeliveredFile;

/// What is delivered together.
pub(crate) struct Parcel<'a> {
    /// The file, or the pages of a capture in their order.
    pub paths: &'a [PathBuf],
    pub manifest: Option<&'a Manifest>,
    /// The delivery of the source whose records hold these.
    pub parent: Option<&'a DeliveryOutcome>,
}

impl Parcel<'_> {
    /// What the delivery is called: the file, or the capture with `*` for the page.
    pub fn name(&self, contract: &Contract) -> String {
        let first = name_of(&self.paths[0]);
        match &contract.pages {
            Some(pages) if self.paths.len() > 1 => PageName::of(pages, &first).capture,
            _ => first,
        }
    }
}

/// The contracts whose records stand inside those of a source.
pub(crate) fn children_of<'c>(
    context: &'c IntakeContext,
    source: &'c str,
) -> impl Iterator<Item = &'c Contract> {
    context
        .contracts
        .values()
        .filter(move |contract| contract.child_of.as_deref() == Some(source))
}

/// Takes the child records out of the files of a delivery that is in place. Each child asks its
/// own tables what they have, so repeating this after a crash completes what is missing.
pub(crate) async fn ingest_children(
    context: &IntakeContext,
    paths: &[PathBuf],
    parent: &DeliveryOutcome,
) -> Result<Vec<Ingested>, IntakeError> {
    let is_in_place = parent.status.is_accepted() || parent.status == DeliveryStatus::Duplicate;
    let mut outcomes = Vec::new();
    if !is_in_place {
        return Ok(outcomes);
    }
    for contract in children_of(context, &parent.source) {
        let parcel = Parcel {
            paths,
            manifest: None,
            parent: Some(parent),
        };
        let child = ingest_parcel(context, contract, &parcel).await?;
        // A child may hold records of its own; generations are bounded by the record's nesting.
        let grandchildren = Box::pin(ingest_children(context, paths, &child.outcome)).await?;
        outcomes.push(child);
        outcomes.extend(grandchildren);
    }
    Ok(outcomes)
}

/// Name of a child's delivery: the parent's, under the child's source.
pub(super) fn child_delivery_id(parent: &DeliveryOutcome, source: &str) -> String {
    match parent.delivery_id.strip_prefix(&parent.source) {
        Some(rest) => format!("{source}{rest}"),
        None => format!("{source}/{}", parent.delivery_id),
    }
}

/// Revision that a delivery's name states, as a parent that is a duplicate does not repeat it.
pub(super) fn revision_of(parent: &DeliveryOutcome) -> u32 {
    parent
        .delivery_id
        .rsplit('/')
        .nth(1)
        .and_then(|step| step.strip_prefix('r'))
        .and_then(|number| number.parse().ok())
        .unwrap_or(parent.revision)
}

impl Delivery<'_> {
    /// The files with the places of their encrypted copies. Records inside another source's files
    /// are archived with those.
    pub(super) async fn files(&self) -> Result<Vec<DeliveredFile>, IntakeError> {
        let mut files = Vec::new();
        for (position, path) in self.parcel.paths.iter().enumerate() {
            let earlier = match self.hashes.get(position) {
                Some(hash) if counts_pages(&self.plan.contract) => {
                    earlier_page(
                        self.context,
                        self.plan.source(),
                        &self.page_key(hash),
                        &self.outcome.delivery_id,
                    )
                    .await?
                }
                _ => None,
            };
            let archive = match (&self.context.archive, self.parcel.parent) {
                (Some(folder), None) if earlier.is_none() => Some(ArchiveWriter::create(
                    &folder.join(self.plan.source()),
                    &self.archive_name(position, &name_of(path)),
                    &self.context.keys,
                )?),
                _ => None,
            };
            files.push(DeliveredFile {
                path: path.clone(),
                archive,
                earlier,
            });
        }
        Ok(files)
    }

    pub(super) fn page_key(&self, hash: &str) -> String {
        format!("{}/{hash}", self.revision_key())
    }
}

const PAGE_SCOPE: &str = "intake/page";

/// Whether pages of a growing capture are told apart one by one, because what came before stays.
/// A child does not know whether its parent has pages, and tells its files apart in any case.
pub(super) fn counts_pages(contract: &Contract) -> bool {
    let may_grow = contract.pages.is_some() || contract.child_of.is_some();
    may_grow && contract.revision != RevisionRule::ReplacePeriod
}

/// Records and delivery of a page that is in place already. A page remembered by a delivery that
/// was never committed is not.
async fn earlier_page(
    context: &IntakeContext,
    source: &str,
    page_key: &str,
    delivery_id: &str,
) -> Result<Option<(u64, String)>, IntakeError> {
    let look_up = |error| store_error("look up a page", error);
    let known = context
        .warehouse
        .memo_get(PAGE_SCOPE, page_key)
        .await
        .map_err(look_up)?;
    let Some((records, earlier)) = known.as_deref().and_then(|text| text.split_once(' ')) else {
        return Ok(None);
    };
    let Ok(records) = records.parse() else {
        return Ok(None);
    };
    if earlier == delivery_id {
        return Ok(None);
    }
    let committed = context
        .warehouse
        .application_version(&table("staging", source)?, &format!("intake/{earlier}"))
        .await
        .map_err(look_up)?;
    Ok(committed.map(|_| (records, earlier.to_owned())))
}

/// Remembers a page before its delivery is committed.
pub(super) async fn remember_page(
    context: &IntakeContext,
    page_key: &str,
    records: u64,
    delivery_id: &str,
) -> Result<(), IntakeError> {
    context
        .warehouse
        .memo_put(PAGE_SCOPE, page_key, &format!("{records} {delivery_id}"))
        .await
        .map_err(|error| store_error("remember a page", error))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
