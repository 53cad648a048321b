//! Folders of deliveries: what is there, in which order, and what was seen before.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use goyong_catalog::contract::Contract;
use goyong_catalog::manifest::{Manifest, Period};
use goyong_store::files;
use sha2::{Digest, Sha256};

use crate::crash;
use crate::deliver::{
    Ingested, IntakeContext, Parcel, children_of, ingest_children, ingest_parcel, refused_unread,
};
use crate::delivery::{DeliveryOutcome, DeliveryStatus, stated_by_name};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::glob::matches_glob;
use crate::identity::hex;
use crate::input::{not_a_file, open_regular};
use crate::ledger::record_deliveries;
use crate::shown::{may_hold_resident_number, shown_name};
use crate::store_access::store_error;

mod captures;

/// What happened in a call.
#[derive(Clone, Debug, Default)]
pub struct IntakeSummary {
    /// One for each file that was looked into, in the order of work.
    pub outcomes: Vec<DeliveryOutcome>,
    /// Files known from an earlier call.
    pub unchanged: u64,
    /// Files that no contract names.
    pub unknown: Vec<PathBuf>,
}

/// Progress of a call.
#[derive(Clone, Copy, Debug)]
pub enum IntakeEvent<'a> {
    /// What there is to do.
    Planned {
        /// Files to read.
        files: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// A file is being read.
    Started {
        /// The source.
        source: &'a str,
        /// The file.
        file_name: &'a str,
        /// Its bytes.
        bytes: u64,
    },
    /// A file is done.
    Finished(&'a DeliveryOutcome),
}

/// Receives [`IntakeEvent`]s.
pub type IntakeProgress<'p> = dyn FnMut(IntakeEvent<'_>) + Send + 'p;

const MANIFEST_ENDING: &str = ".manifest.json";
const SEEN_SCOPE: &str = "intake/seen";
/// What became of a file whose rows are stored.
const LOADED: &str = "loaded";
const PENDING_SCOPE: &str = "intake/pending";
const PENDING_KEY: &str = "deliveries";
/// Outcomes kept back before they are written to `ops.deliveries` together.
const PENDING_LIMIT: usize = 64;
const MANIFEST_BYTES: u64 = 1 << 20;

/// A file to be looked into.
struct Candidate {
    source: String,
    path: PathBuf,
    /// The file, or the pages of its capture in their order.
    pages: Vec<PathBuf>,
    bytes: u64,
    /// Size, time and manifest, to recognise the file next time.
    mark: String,
    manifest: Result<Option<Manifest>, Refusal>,
    order: (Option<Period>, u32, String),
}

/// Takes in `landing/<source>/<file>` with manifests beside them: sources by name, files by period
/// and revision. Files seen before are not read again.
///
/// The landing folder is an inbox: with an archive, a file leaves it once its rows are stored and
/// its encrypted original is kept. What was refused or superseded stays for the operator.
pub async fn ingest_landing(
    context: &IntakeContext,
    landing: &Path,
    progress: &mut IntakeProgress<'_>,
) -> Result<IntakeSummary, IntakeError> {
    let is_inbox = context.archive.is_some();
    let mut candidates = Vec::new();
    let mut unknown = Vec::new();
    for folder in entries(landing)? {
        let kind = kind_of(&folder)?;
        if kind.is_file() {
            unknown.push(folder);
            continue;
        }
        let source = name_of(&folder);
        if !kind.is_dir() {
            candidates.extend(candidate(&source, folder)?);
            continue;
        }
        let paths = entries(&folder)?;
        for path in &paths {
            let name = name_of(path);
            match name.strip_suffix(MANIFEST_ENDING) {
                None => candidates.extend(candidate(&source, path.clone())?),
                Some(file) if !paths.iter().any(|other| name_of(other) == file) => {
                    if is_inbox && is_of_loaded_file(context, &source, path, file).await? {
                        remove(path)?;
                    } else {
                        // Its file may still be on its way.
                        unknown.push(path.clone());
                    }
                }
                Some(_) => {}
            }
        }
    }
    ingest(context, candidates, unknown, is_inbox, progress).await
}

/// Whether a crash came between taking a loaded file out of the inbox and taking its manifest out.
async fn is_of_loaded_file(
    context: &IntakeContext,
    source: &str,
    manifest: &Path,
    file_name: &str,
) -> Result<bool, IntakeError> {
    let (_, mark) = read_manifest(manifest)?;
    let key = seen_key(source, &manifest.with_file_name(file_name));
    let seen = look_up_seen(context, &key).await?;
    Ok(seen.is_some_and(|seen| seen.ends_with(&format!(":{mark} {LOADED}"))))
}

/// Takes in the files of a folder tree that a contract's `files` recognise; the others are listed.
pub async fn ingest_folder(
    context: &IntakeContext,
    folder: &Path,
    progress: &mut IntakeProgress<'_>,
) -> Result<IntakeSummary, IntakeError> {
    let mut files = Vec::new();
    walk(folder, &mut files, 0)?;
    let mut candidates = Vec::new();
    let mut unknown = Vec::new();
    for path in files {
        let file_name = name_of(&path);
        if file_name.ends_with(MANIFEST_ENDING) {
            continue;
        }
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let relative = relative.to_string_lossy().replace('\\', "/");
        let mut is_known = false;
        // One file may hold the records of several sources.
        for contract in context.contracts.values() {
            if recognises(contract, &relative, &file_name) {
                candidates.extend(candidate(&contract.source, path.clone())?);
                is_known = true;
            }
        }
        if !is_known {
            unknown.push(path);
        }
    }
    ingest(context, candidates, unknown, false, progress).await
}

/// Takes in one file by the contract named, or by the one whose `files` recognise its name; a
/// manifest beside it counts. `None` when no contract does.
pub async fn ingest_path(
    context: &IntakeContext,
    path: &Path,
    source: Option<&str>,
    progress: &mut IntakeProgress<'_>,
) -> Result<Option<IntakeSummary>, IntakeError> {
    let file_name = name_of(path);
    let source = source.or_else(|| {
        context
            .contracts
            .values()
            .find(|contract| recognises(contract, &file_name, &file_name))
            .map(|contract| contract.source.as_str())
    });
    let Some(source) = source else {
        return Ok(None);
    };
    let candidates = candidate(source, path.to_path_buf())?.into_iter().collect();
    let summary = ingest(context, candidates, Vec::new(), false, progress).await?;
    Ok(Some(summary))
}

fn recognises(contract: &Contract, relative: &str, file_name: &str) -> bool {
    contract
        .files
        .iter()
        .any(|glob| matches_glob(glob, relative) || matches_glob(glob, file_name))
}

async fn ingest(
    context: &IntakeContext,
    candidates: Vec<Candidate>,
    unknown: Vec<PathBuf>,
    is_inbox: bool,
    progress: &mut IntakeProgress<'_>,
) -> Result<IntakeSummary, IntakeError> {
    let mut candidates = captures::join_pages(context, candidates);
    candidates
        .sort_by(|left, right| (&left.source, &left.order).cmp(&(&right.source, &right.order)));
    let mut summary = IntakeSummary {
        unknown,
        ..IntakeSummary::default()
    };
    let mut due = Vec::new();
    let mut contract_marks = BTreeMap::new();
    for candidate in candidates {
        let contract_mark = contract_marks
            .entry(candidate.source.clone())
            .or_insert_with(|| contract_mark(context, &candidate.source))
            .clone();
        if let Some(seen) = was_seen(context, &candidate, &contract_mark).await? {
            summary.unchanged += 1;
            // A crash came between storing the rows and clearing the inbox.
            if is_inbox && seen == Seen::Loaded {
                clear(&candidate.pages)?;
            }
        } else {
            due.push((candidate, contract_mark));
        }
    }
    progress(IntakeEvent::Planned {
        files: due.len(),
        bytes: due.iter().map(|(candidate, _)| candidate.bytes).sum(),
    });
    let mut pending = load_pending(context).await?;
    for (candidate, contract_mark) in due {
        let file_name = shown_name(&name_of(&candidate.path));
        progress(IntakeEvent::Started {
            source: &candidate.source,
            file_name: &file_name,
            bytes: candidate.bytes,
        });
        let ingested = ingest_candidate(context, &candidate).await?;
        let outcome = &ingested.outcome;
        let children = ingest_children(context, &candidate.pages, outcome).await?;
        if let Some(reason) = &outcome.reason {
            tracing::warn!(
                source = %outcome.source,
                file = %outcome.file_name,
                status = %outcome.status,
                reason = %reason,
                "delivery not loaded"
            );
        }
        let is_complete = children
            .iter()
            .all(|child| child.outcome.status != DeliveryStatus::Refused);
        crash::point("file done").await;
        pending.push(outcome.clone());
        pending.extend(children.iter().map(|child| child.outcome.clone()));
        save_pending(context, &pending).await?;
        crash::point("outcome kept").await;
        remember(context, &candidate, &contract_mark, outcome, is_complete).await?;
        crash::point("file remembered").await;
        ingested.remember_bytes(context).await?;
        for child in &children {
            child.remember_bytes(context).await?;
        }
        crash::point("bytes remembered").await;
        if is_inbox
            && is_complete
            && matches!(
                outcome.status,
                DeliveryStatus::Accepted
                    | DeliveryStatus::AcceptedWithQuarantine
                    | DeliveryStatus::Duplicate
            )
        {
            clear(&candidate.pages)?;
        }
        if pending.len() >= PENDING_LIMIT {
            record(context, &mut pending).await?;
        }
        progress(IntakeEvent::Finished(outcome));
        summary.outcomes.push(ingested.outcome);
        let children = children.into_iter().map(|child| child.outcome);
        summary.outcomes.extend(children);
    }
    crash::point("inbox cleared").await;
    record(context, &mut pending).await?;
    Ok(summary)
}

async fn ingest_candidate(
    context: &IntakeContext,
    candidate: &Candidate,
) -> Result<Ingested, IntakeError> {
    let Some(contract) = context.contracts.get(&candidate.source) else {
        let names = context.contracts.keys().map(String::as_str);
        let hint = match goyong_types::nearest_name(&candidate.source, names) {
            Some(nearest) => format!(", did you mean `{nearest}`?"),
            None => ": write sql/sources/<source>.yml first".to_owned(),
        };
        let refusal = Refusal::new(
            RefusalRule::UnknownSource,
            format!("no contract is named `{}`{hint}", candidate.source),
        );
        return Ok(refused(context, candidate, &refusal));
    };
    match &candidate.manifest {
        Ok(manifest) => {
            let parcel = Parcel {
                paths: &candidate.pages,
                manifest: manifest.as_ref(),
                parent: None,
            };
            ingest_parcel(context, contract, &parcel).await
        }
        Err(refusal) => Ok(refused(context, candidate, refusal)),
    }
}

fn refused(context: &IntakeContext, candidate: &Candidate, refusal: &Refusal) -> Ingested {
    Ingested::refused(refused_unread(
        context,
        &candidate.source,
        &candidate.path,
        refusal,
    ))
}

/// What lies at a path; `None` when it is gone since the folder was listed.
fn candidate(source: &str, path: PathBuf) -> Result<Option<Candidate>, IntakeError> {
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IntakeError::file("read", &path, error)),
    };
    let file_name = name_of(&path);
    let manifest_path = path.with_file_name(format!("{file_name}{MANIFEST_ENDING}"));
    let (manifest, manifest_mark) = if !metadata.is_file() {
        (Err(not_a_file(metadata.file_type())), String::new())
    } else if path.file_name().is_some_and(|name| name.to_str().is_none()) {
        (Err(unwritable_name()), String::new())
    } else {
        read_manifest(&manifest_path)?
    };
    let by_name = stated_by_name(source, &file_name);
    let (period, revision) = match (&manifest, by_name) {
        (Ok(Some(manifest)), _) => (manifest.period.clone(), manifest.revision),
        (_, Some((period, revision))) => (Some(period), revision),
        _ => (None, 1),
    };
    let period = period.and_then(|text| Period::parse(&text).ok());
    // Size and time of change may be copied with a file; its place on the disk and the time of
    // its arrival there may not. An inbox removes what it knows.
    let mark = format!(
        "{}:{}:{}:{}.{:09}:{manifest_mark}",
        metadata.len(),
        metadata.mtime(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec()
    );
    Ok(Some(Candidate {
        source: source.to_owned(),
        bytes: metadata.len(),
        mark,
        manifest,
        order: (period, revision, file_name),
        pages: vec![path.clone()],
        path,
    }))
}

/// Two names that differ in such bytes only would be one in every record of deliveries.
fn unwritable_name() -> Refusal {
    Refusal::new(
        RefusalRule::NotAFile,
        "the file's name is not UTF-8: rename it",
    )
}

/// The manifest beside a file, if there is one and it can be read.
pub(crate) fn read_manifest_beside(
    path: &Path,
) -> Result<Result<Option<Manifest>, Refusal>, IntakeError> {
    let manifest = path.with_file_name(format!("{}{MANIFEST_ENDING}", name_of(path)));
    Ok(read_manifest(&manifest)?.0)
}

type ReadManifest = (Result<Option<Manifest>, Refusal>, String);

fn read_manifest(path: &Path) -> Result<ReadManifest, IntakeError> {
    let error = |error| IntakeError::file("read manifest", path, error);
    let refuse = |message: &str| Err(Refusal::new(RefusalRule::Manifest, message));
    match fs::symlink_metadata(path) {
        // A data file may have a name that leaves no room for a manifest's.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ) =>
        {
            return Ok((Ok(None), String::new()));
        }
        Err(source) => return Err(error(source)),
        Ok(_) => {}
    }
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(IntakeError::Refused(refusal)) => {
            let message = format!("the manifest: {}", refusal.message);
            return Ok((refuse(&message), "not a file".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > MANIFEST_BYTES {
        return Ok((refuse("the manifest is too large"), "large".to_owned()));
    }
    let mark = hex(&Sha256::digest(&bytes)[..8]);
    let manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) => refuse(&format!(
            "the manifest cannot be read: {} in line {}, column {}",
            manifest_fault(&error),
            error.line(),
            error.column()
        )),
    };
    Ok((manifest, mark))
}

/// What is wrong with a manifest, without the value that is wrong: it may stand for a person.
fn manifest_fault(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let text = error.to_string();
    match error.classify() {
        Category::Data if text.starts_with("missing field") || text.starts_with("duplicate") => {
            text.split(" at line").next().unwrap_or_default().to_owned()
        }
        Category::Data => "a value of the wrong type".to_owned(),
        Category::Eof => "it ends before it is complete".to_owned(),
        Category::Syntax | Category::Io => "it is not JSON in UTF-8".to_owned(),
    }
}

/// Changes when a contract or one of its children does, and when a first day is known: a file that
/// was refused is then looked into again.
fn contract_mark(context: &IntakeContext, source: &str) -> String {
    let Some(contract) = context.contracts.get(source) else {
        return "-".to_owned();
    };
    let mut text = format!("{contract:?}");
    if context.known_on == NaiveDate::MIN {
        text.push_str("no day");
    }
    for child in children_of(context, source) {
        text.push_str(&format!("{child:?}"));
    }
    hex(&Sha256::digest(text.as_bytes())[..8])
}

fn seen_key(source: &str, path: &Path) -> String {
    // The folder only: the name itself may be a link.
    let resolved = path.parent().and_then(|folder| {
        let folder = fs::canonicalize(folder).ok()?;
        Some(folder.join(path.file_name()?))
    });
    let resolved = resolved.unwrap_or_else(|| path.to_path_buf());
    let path = resolved.to_string_lossy();
    if may_hold_resident_number(&path) {
        let digest = hex(&Sha256::digest(path.as_bytes())[..16]);
        return format!("{source}/{digest}");
    }
    format!("{source}/{path}")
}

/// The file's mark, and what became of it.
async fn look_up_seen(context: &IntakeContext, key: &str) -> Result<Option<String>, IntakeError> {
    context
        .warehouse
        .memo_get(SEEN_SCOPE, key)
        .await
        .map_err(|error| store_error("look up a file", error))
}

/// What became of a file when it was looked into before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Its rows are stored.
    Loaded,
    /// A higher revision was in place.
    Superseded,
    /// It was refused by the contract as it stands.
    Refused,
}

async fn was_seen(
    context: &IntakeContext,
    candidate: &Candidate,
    contract_mark: &str,
) -> Result<Option<Seen>, IntakeError> {
    let key = seen_key(&candidate.source, &candidate.path);
    let seen = look_up_seen(context, &key).await?;
    Ok(seen.and_then(|seen| {
        let state = seen.strip_prefix(&candidate.mark)?.strip_prefix(' ')?;
        match state {
            LOADED => Some(Seen::Loaded),
            "superseded" => Some(Seen::Superseded),
            _ => (state.strip_prefix("refused ")? == contract_mark).then_some(Seen::Refused),
        }
    }))
}

async fn remember(
    context: &IntakeContext,
    candidate: &Candidate,
    contract_mark: &str,
    outcome: &DeliveryOutcome,
    is_complete: bool,
) -> Result<(), IntakeError> {
    let state = match outcome.status {
        // The file is looked into again once the contract of the refused child has changed.
        _ if !is_complete => format!("refused {contract_mark}"),
        DeliveryStatus::Refused => format!("refused {contract_mark}"),
        DeliveryStatus::Superseded => "superseded".to_owned(),
        DeliveryStatus::Accepted
        | DeliveryStatus::AcceptedWithQuarantine
        | DeliveryStatus::Duplicate => LOADED.to_owned(),
    };
    context
        .warehouse
        .memo_put(
            SEEN_SCOPE,
            &seen_key(&candidate.source, &candidate.path),
            &format!("{} {state}", candidate.mark),
        )
        .await
        .map_err(|error| store_error("remember a file", error))
}

/// Takes files and their manifests out of the inbox.
fn clear(paths: &[PathBuf]) -> Result<(), IntakeError> {
    for path in paths {
        let manifest = path.with_file_name(format!("{}{MANIFEST_ENDING}", name_of(path)));
        // In this order: a file without its manifest would be refused.
        remove(path)?;
        remove(&manifest)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), IntakeError> {
    match files::remove(path) {
        Ok(()) => Ok(()),
        // A name may leave no room for a manifest's.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(IntakeError::file("take out of the inbox", path, error)),
    }
}

/// Outcomes that a crash kept from `ops.deliveries`.
async fn load_pending(context: &IntakeContext) -> Result<Vec<DeliveryOutcome>, IntakeError> {
    let text = context
        .warehouse
        .memo_get(PENDING_SCOPE, PENDING_KEY)
        .await
        .map_err(|error| store_error("look up unrecorded deliveries", error))?;
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

async fn save_pending(
    context: &IntakeContext,
    pending: &[DeliveryOutcome],
) -> Result<(), IntakeError> {
    let text = serde_json::to_string(pending).unwrap_or_default();
    context
        .warehouse
        .memo_put(PENDING_SCOPE, PENDING_KEY, &text)
        .await
        .map_err(|error| store_error("remember deliveries", error))
}

/// Brings the outcomes into `ops.deliveries`.
async fn record(
    context: &IntakeContext,
    pending: &mut Vec<DeliveryOutcome>,
) -> Result<(), IntakeError> {
    if pending.is_empty() {
        return Ok(());
    }
    record_deliveries(&context.warehouse, &context.contracts, pending).await?;
    crash::point("deliveries recorded").await;
    pending.clear();
    save_pending(context, pending).await
}

/// Endings under which programs write a file before they give it its name.
const UNFINISHED_ENDINGS: [&str; 6] = [
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".tmp",
    ".temp",
];

fn is_unfinished(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    UNFINISHED_ENDINGS
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Entries of a folder by name; hidden and unfinished ones are left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, IntakeError> {
    let error = |error| IntakeError::file("list folder", folder, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let name = name_of(&path);
        if !name.starts_with('.') && !is_unfinished(&name) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), IntakeError> {
    const DEPTH: usize = 16;
    for path in entries(folder)? {
        // A link could lead anywhere, round in circles too.
        let kind = kind_of(&path)?;
        if kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            if depth < DEPTH {
                walk(&path, files, depth + 1)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What a path names, links not followed.
fn kind_of(path: &Path) -> Result<FileType, IntakeError> {
    fs::symlink_metadata(path)
        .map(|metadata| metadata.file_type())
        .map_err(|error| IntakeError::file("read", path, error))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod real_folder;
#[cfg(test)]
mod revision_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together_tests;
