//! From a file to committed tables: the only module that knows the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::slice;
use std::sync::Arc;

use chrono::NaiveDate;
use goyong_catalog::contract::{Contract, ManifestRule, PeriodRule, RevisionRule};
use goyong_catalog::manifest::{Manifest, Period};
use goyong_store::{CommitDetails, CommitMode, TableWriter, Warehouse};
use goyong_types::DeliveryId;
use regex::Regex;
use serde_json::json;

use crate::chunks::ReadLimits;
use crate::crash;
use crate::delivery::{DeliveryOutcome, DeliveryStatus, Tally, checksum_refusal, judge_manifest};
use crate::drift::Columns;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::identity::{Keys, RecordKeys, RecordWriter, Vault, VaultBatch};
use crate::input::sha256_of;
use crate::plan::Plan;
use crate::quarantine::{quarantine_batch, quarantine_options, quarantine_schema};
use crate::read::{DeliveredFile, FileReport, hash_of_hashes, read_files};
use crate::revision::{InPlace, in_place, partition_of};
use crate::rows::{ParsedRows, RowContext, period_days};
use crate::shown::{MASKED, may_hold_resident_number, shown_name, shown_notices};
use crate::staging::{RowStamp, staged_batch, staging_options};
pub(crate) use crate::store_access::{store_error, table};
use crate::unique::{KEYS_IN_MEMORY, UniqueKeys, repeated_keys};
use crate::value;

mod together;

pub(crate) use together::{Parcel, children_of, ingest_children};
use together::{child_delivery_id, counts_pages, remember_page, revision_of};

/// What intake works with.
#[derive(Clone)]
pub struct IntakeContext {
    /// The tables.
    pub warehouse: Warehouse,
    /// Who stands behind the pseudonyms.
    pub vault: Vault,
    /// Pepper and archive recipient.
    pub keys: Arc<Keys>,
    /// The contracts, by source.
    pub contracts: BTreeMap<String, Contract>,
    /// Day on which deliveries without a date of their own became known; where it is
    /// [`NaiveDate::MIN`], nobody knows it and such deliveries are refused.
    pub known_on: NaiveDate,
    /// Where originals are kept, encrypted; `None` keeps none.
    pub archive: Option<PathBuf>,
    /// Threads and sizes.
    pub limits: ReadLimits,
}

const BYTES_SCOPE: &str = "intake/bytes";
/// Column texts of the delivery accepted last, by source.
const HEADER_SCOPE: &str = "intake/header";
/// Most bytes of a delivery's name in the name of its archive; file systems allow 255 in all.
const ARCHIVED_NAME_BYTES: usize = 180;

/// [`ingest_parcel`] of one file.
#[cfg(test)]
pub(crate) async fn ingest_file(
    context: &IntakeContext,
    contract: &Contract,
    path: &Path,
    manifest: Option<&Manifest>,
) -> Result<Ingested, IntakeError> {
    let path = path.to_path_buf();
    let parcel = Parcel {
        paths: slice::from_ref(&path),
        manifest,
        parent: None,
    };
    ingest_parcel(context, contract, &parcel).await
}

/// Reads a delivery of a source and commits what it holds, or refuses it and changes nothing: a
/// file, several files, or records inside the files of another source.
///
/// Safe to repeat after a crash: each table is asked first whether it has the delivery.
/// Errors are those of the machine; everything wrong with the delivery is in the outcome.
pub(crate) async fn ingest_parcel(
    context: &IntakeContext,
    contract: &Contract,
    parcel: &Parcel<'_>,
) -> Result<Ingested, IntakeError> {
    let file_name = parcel.name(contract);
    let named = if may_hold_resident_number(&file_name) {
        MASKED
    } else {
        file_name.as_str()
    };
    let plan = Plan::new(contract)?
        .with_children(children_of(context, &contract.source))
        .for_file(named);
    let mut delivery = Delivery {
        context,
        plan: &plan,
        parcel,
        manifest: parcel.manifest,
        outcome: blank_outcome(context, contract, parcel, &file_name),
        file_name,
        hashes: Vec::new(),
        period: None,
        headers: Vec::new(),
    };
    match delivery.run().await {
        Ok(()) => {
            let is_new = delivery.outcome.status.is_accepted();
            Ok(Ingested {
                bytes_key: is_new.then(|| delivery.bytes_key()),
                outcome: delivery.outcome,
            })
        }
        Err(IntakeError::Refused(refusal)) => Ok(Ingested {
            outcome: delivery.refused(refusal),
            bytes_key: None,
        }),
        Err(error) => Err(error),
    }
}

/// A file that was looked into.
pub(crate) struct Ingested {
    pub outcome: DeliveryOutcome,
    bytes_key: Option<String>,
}

impl Ingested {
    /// A file that was refused before it was read.
    pub fn refused(outcome: DeliveryOutcome) -> Self {
        Self {
            outcome,
            bytes_key: None,
        }
    }

    /// Lets the same bytes be known again. Only once the account of the delivery is kept: bytes
    /// that are known have been accounted for.
    pub async fn remember_bytes(&self, context: &IntakeContext) -> Result<(), IntakeError> {
        let Some(key) = &self.bytes_key else {
            return Ok(());
        };
        context
            .warehouse
            .memo_put(BYTES_SCOPE, key, &self.outcome.delivery_id)
            .await
            .map_err(|error| store_error("remember the delivery", error))
    }
}

/// An outcome for a file that is refused before a contract can read it.
pub(crate) fn refused_unread(
    context: &IntakeContext,
    source: &str,
    path: &Path,
    refusal: &Refusal,
) -> DeliveryOutcome {
    let file_name = path
        .file_name()
        .map(|name| shown_name(&name.to_string_lossy()))
        .unwrap_or_default();
    let source = shown_name(source);
    DeliveryOutcome {
        delivery_id: format!("{source}/-/r1/{file_name}"),
        source,
        period: None,
        revision: 1,
        known_on: context.known_on,
        file_name,
        sha256: String::new(),
        bytes: std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.len()),
        status: DeliveryStatus::Refused,
        rule: Some(refusal.rule.as_str().to_owned()),
        reason: Some(refusal.message.clone()),
        rows_delivered: 0,
        rows_accepted: 0,
        rows_quarantined: 0,
        rows_rejected: 0,
        rows_flagged: 0,
        rows_expected: None,
        control_name: None,
        won_delivered: 0,
        won_accepted: 0,
        won_quarantined: 0,
        won_rejected: 0,
        notices: Vec::new(),
        drift: Vec::new(),
        new_persons: 0,
        rows_released: 0,
        rows_discarded: 0,
        won_released: 0,
        won_discarded: 0,
        superseded_by: None,
    }
}

fn blank_outcome(
    context: &IntakeContext,
    contract: &Contract,
    parcel: &Parcel<'_>,
    file_name: &str,
) -> DeliveryOutcome {
    let nothing = Refusal::new(RefusalRule::Manifest, "");
    let mut outcome = refused_unread(context, &contract.source, &parcel.paths[0], &nothing);
    outcome.file_name = shown_name(file_name);
    outcome.rule = None;
    outcome.reason = None;
    if let Some(parent) = parcel.parent {
        outcome.period = parent.period.clone();
        outcome.revision = revision_of(parent);
        outcome.known_on = parent.known_on;
    }
    if let Some(manifest) = parcel.manifest {
        // What is no period may be anything; it is not stored.
        outcome.period = manifest
            .period
            .as_deref()
            .and_then(|text| Period::parse(text).ok())
            .map(|period| period.to_string());
        outcome.revision = manifest.revision;
        outcome.known_on = manifest.known_on.unwrap_or(context.known_on);
        outcome.rows_expected = Some(manifest.rows);
    }
    outcome
}

/// One file on its way.
struct Delivery<'a> {
    context: &'a IntakeContext,
    plan: &'a Plan,
    parcel: &'a Parcel<'a>,
    manifest: Option<&'a Manifest>,
    /// As it is on the disk; the outcome has it as it may be shown.
    file_name: String,
    outcome: DeliveryOutcome,
    /// Hashes of the files, when no manifest states one.
    hashes: Vec<String>,
    period: Option<Period>,
    /// The file's column texts, to be remembered.
    headers: Vec<String>,
}

/// The two tables a delivery writes, each unless it already has the delivery.
struct Writers {
    staging: Option<TableWriter>,
    quarantine: Option<TableWriter>,
    has_quarantined: bool,
}

/// Where the rows of a delivery go while it is read.
struct Sinks<'s> {
    writers: &'s mut Writers,
    tally: &'s mut Tally,
    identities: &'s mut VaultBatch,
    records: &'s mut RecordWriter,
    unique: Option<&'s mut UniqueKeys>,
}

impl Delivery<'_> {
    async fn run(&mut self) -> Result<(), IntakeError> {
        let contract = &self.plan.contract;
        if let (Some(parent), None) = (&contract.child_of, self.parcel.parent) {
            return Err(Refusal::new(
                RefusalRule::Manifest,
                format!("its records arrive inside the files of `{parent}`: deliver them there"),
            )
            .into());
        }
        if let Some(manifest) = self.manifest {
            judge_manifest(contract, manifest, &self.file_name)?;
        } else if contract.manifest == ManifestRule::Required {
            return Err(Refusal::new(
                RefusalRule::Manifest,
                format!(
                    "the manifest `{}.manifest.json` is missing: ask the provider for it",
                    self.file_name
                ),
            )
            .into());
        }
        if self.outcome.known_on == NaiveDate::MIN {
            return Err(Refusal::new(
                RefusalRule::Manifest,
                "nobody has said when the file became known: ingest again and say it, such as --known-on 2026-11-01",
            )
            .into());
        }
        self.find_period()?;
        let sha256 = match self.manifest {
            Some(manifest) => manifest.sha256.to_ascii_lowercase(),
            None => {
                for path in self.parcel.paths {
                    self.hashes.push(sha256_of(path)?);
                }
                hash_of_hashes(self.hashes.clone())
            }
        };
        self.outcome.sha256 = sha256;
        if self.is_duplicate().await? || self.is_superseded().await? {
            return Ok(());
        }
        self.outcome.delivery_id = self.delivery_id();
        self.load().await
    }

    fn find_period(&mut self) -> Result<(), IntakeError> {
        let contract = &self.plan.contract;
        let text = match &contract.period {
            PeriodRule::None => return Ok(()),
            PeriodRule::Manifest => self.manifest.and_then(|manifest| manifest.period.clone()),
            PeriodRule::Filename { pattern } => Regex::new(pattern).ok().and_then(|expression| {
                let captures = expression.captures(&self.file_name)?;
                Some(captures.get(1)?.as_str().to_owned())
            }),
        };
        let Some(text) = text else {
            return Err(Refusal::new(
                RefusalRule::Manifest,
                "neither manifest nor file name says which period it is",
            )
            .into());
        };
        let period = Period::parse(&text)
            .map_err(|error| Refusal::new(RefusalRule::Manifest, error.to_string()))?;
        self.outcome.period = Some(period.to_string());
        self.period = Some(period);
        Ok(())
    }

    /// The same bytes again change nothing.
    ///
    /// Where revisions are kept apart by the manifest (replaced periods and upserts), the same
    /// bytes under another revision are another delivery: a correction may bring back what an
    /// earlier revision said. Appended rows are events, and the same events again are none.
    async fn is_duplicate(&mut self) -> Result<bool, IntakeError> {
        let earlier = self
            .context
            .warehouse
            .memo_get(BYTES_SCOPE, &self.bytes_key())
            .await
            .map_err(|error| store_error("look up the delivery", error))?;
        let Some(earlier) = earlier else {
            return Ok(false);
        };
        // A parent that brought old content back under a new revision brings its children back too.
        if self.parcel.parent.is_some() && earlier != self.delivery_id() {
            return Ok(false);
        }
        if self.manifest.is_some() {
            // The manifest may claim the hash of a file that is not this one.
            let found = sha256_of(&self.parcel.paths[0])?;
            if found != self.outcome.sha256 {
                return Err(checksum_refusal(&self.outcome.sha256, &found).into());
            }
        }
        self.outcome.status = DeliveryStatus::Duplicate;
        self.outcome.reason = Some(format!("the same bytes as delivery {earlier}"));
        self.outcome.delivery_id = earlier;
        Ok(true)
    }

    /// A period keeps its highest revision, whatever the order of arrival.
    async fn is_superseded(&mut self) -> Result<bool, IntakeError> {
        if self.is_upsert_by_manifest() {
            return self.refuse_same_revision_of_an_upsert().await;
        }
        let Some(current) = self.current().await? else {
            return Ok(false);
        };
        let is_child = self.parcel.parent.is_some();
        let is_same = is_child || current.has_bytes(&self.outcome.sha256);
        if self.manifest.is_none() && !is_child {
            // Without manifests the order of arrival is the order of revisions. The bytes in
            // place come again only when a crash kept them from being remembered.
            self.outcome.revision = current.revision + u32::from(!is_same);
            return Ok(false);
        }
        if self.outcome.revision > current.revision
            || (self.outcome.revision == current.revision && is_same)
        {
            return Ok(false);
        }
        if self.outcome.revision == current.revision {
            return Err(self.other_content(&current.delivery_id).into());
        }
        self.outcome.status = DeliveryStatus::Superseded;
        self.outcome.rule = Some(RefusalRule::Superseded.as_str().to_owned());
        self.outcome.reason = Some(format!(
            "revision {} of this period is in place, as {}",
            current.revision, current.delivery_id
        ));
        self.outcome.delivery_id = self.delivery_id();
        Ok(true)
    }

    /// Rows of one revision are told apart by their number, so a revision is one file.
    async fn refuse_same_revision_of_an_upsert(&self) -> Result<bool, IntakeError> {
        let (application, version) = self.application();
        let staging_table = table("staging", self.plan.source())?;
        let known = self
            .context
            .warehouse
            .application_version(&staging_table, &application)
            .await
            .map_err(|error| store_error("look up the revision", error))?;
        match known {
            Some(known) if known != version => Err(self.other_content(&application).into()),
            _ => Ok(false),
        }
    }

    fn other_content(&self, delivery: &str) -> Refusal {
        Refusal::new(
            RefusalRule::Superseded,
            format!(
                "revision {} was delivered before with other content, as {}: deliver corrections under a higher revision",
                self.outcome.revision,
                delivery.trim_start_matches("intake/")
            ),
        )
    }

    /// The delivery in place, for sources whose revisions replace a period.
    async fn current(&self) -> Result<Option<InPlace>, IntakeError> {
        if self.plan.contract.revision != RevisionRule::ReplacePeriod {
            return Ok(None);
        }
        let warehouse = &self.context.warehouse;
        in_place(warehouse, self.plan.source(), self.period.as_ref()).await
    }

    fn is_upsert_by_manifest(&self) -> bool {
        self.plan.contract.revision == RevisionRule::Upsert && self.manifest.is_some()
    }

    fn delivery_id(&self) -> String {
        if let Some(parent) = self.parcel.parent {
            return child_delivery_id(parent, self.plan.source());
        }
        DeliveryId::new(
            self.plan.source(),
            self.outcome.period.as_deref(),
            self.outcome.revision,
            &self.outcome.sha256,
        )
        .to_string()
    }

    fn revision_key(&self) -> String {
        let period = self.outcome.period.as_deref().unwrap_or("-");
        format!("{}/{period}", self.plan.source())
    }

    fn bytes_key(&self) -> String {
        let keeps_revisions_apart =
            self.manifest.is_some() && self.plan.contract.revision != RevisionRule::Append;
        let revision = match keeps_revisions_apart {
            true => format!("/r{}", self.outcome.revision),
            false => String::new(),
        };
        format!("{}{revision}/{}", self.revision_key(), self.outcome.sha256)
    }

    async fn load(&mut self) -> Result<(), IntakeError> {
        let spill = self.context.warehouse.root();
        let mut unique = UniqueKeys::new(self.plan, spill, KEYS_IN_MEMORY);
        let (writers, tally, mut identities, records, mut report) = loop {
            let files = self.files().await?;
            if let Some((_, earlier)) = files.iter().find_map(|file| file.earlier.as_ref())
                && files.iter().all(|file| file.earlier.is_some())
            {
                self.outcome.status = DeliveryStatus::Duplicate;
                self.outcome.reason =
                    Some(format!("its pages came before, with delivery {earlier}"));
                self.outcome.delivery_id = earlier.clone();
                return Ok(());
            }
            let mut writers = self.open_writers().await?;
            let mut tally = Tally::new(self.plan);
            let mut identities = self.context.vault.begin();
            let mut records = RecordWriter::new(
                self.context.vault.folder(),
                &self.outcome.delivery_id,
                RecordKeys::new(&self.context.keys),
            );
            let sinks = Sinks {
                writers: &mut writers,
                tally: &mut tally,
                identities: &mut identities,
                records: &mut records,
                unique: unique.as_mut(),
            };
            let report = self.read(files, sinks)?;
            // Nothing is committed yet, so the whole reading can be repeated.
            if let Some(known) = repeated_keys(self.plan, unique.take(), &report, &mut tally)? {
                unique = Some(UniqueKeys::with_known(known));
                continue;
            }
            break (writers, tally, identities, records, report);
        };
        self.outcome.bytes = report.bytes;
        self.outcome.rows_expected = report.expected.or(self.outcome.rows_expected);
        self.compare_columns(&mut report.columns, &mut report.notices)
            .await?;
        self.outcome.notices = shown_notices(std::mem::take(&mut report.notices));
        let verdict = match report.refusal {
            // A file that is not the one described explains its damage better than the damage.
            Some(refusal) => match self.manifest {
                Some(manifest) if !manifest.sha256.eq_ignore_ascii_case(&report.sha256) => {
                    Err(checksum_refusal(&manifest.sha256, &report.sha256))
                }
                _ => Err(refusal),
            },
            None => tally.judge(
                self.plan,
                self.manifest,
                &report.sha256,
                &mut self.outcome.notices,
            ),
        };
        if self.manifest.is_none() && verdict.is_ok() && report.sha256 != self.outcome.sha256 {
            return Err(Refusal::new(
                RefusalRule::Checksum,
                "the file changed while it was read: deliver it again when it is complete",
            )
            .into());
        }
        self.outcome.sha256 = report.sha256;
        let prepared = match verdict {
            Ok(()) => match identities.prepare() {
                Err(IntakeError::Refused(refusal)) => Err(refusal),
                other => {
                    other?;
                    Ok(())
                }
            },
            refused => refused,
        };
        if let Err(refusal) = prepared {
            self.outcome.status = DeliveryStatus::Refused;
            tally.account(self.plan, self.manifest, &mut self.outcome);
            return Err(refusal.into());
        }
        // The vault first: no pseudonym is ever visible whose person it does not know.
        self.outcome.new_persons = identities.commit()?.new_persons;
        crash::point("identities known").await;
        for archive in report.archives {
            archive.keep()?;
        }
        crash::point("original archived").await;
        if let Some(records) = records.finish()? {
            records.keep()?;
        }
        crash::point("records sealed").await;
        if counts_pages(&self.plan.contract) {
            for (hash, records) in &report.files {
                let key = self.page_key(hash);
                remember_page(self.context, &key, *records, &self.outcome.delivery_id).await?;
            }
        }
        self.outcome.status = if tally.quarantined == 0 {
            DeliveryStatus::Accepted
        } else {
            DeliveryStatus::AcceptedWithQuarantine
        };
        tally.account(self.plan, self.manifest, &mut self.outcome);
        self.commit(writers).await
    }

    /// Says what is new since the delivery accepted before.
    async fn compare_columns(
        &mut self,
        columns: &mut Columns,
        notices: &mut Vec<String>,
    ) -> Result<(), IntakeError> {
        columns.make_shown();
        let previous = self
            .context
            .warehouse
            .memo_get(HEADER_SCOPE, self.plan.source())
            .await
            .map_err(|error| store_error("look up the columns", error))?;
        let previous: Option<Vec<String>> =
            previous.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(previous) = previous.filter(|_| !columns.headers.is_empty()) {
            columns.compare_with(&self.plan.contract, &previous, notices);
        }
        self.headers = std::mem::take(&mut columns.headers);
        self.outcome.drift = std::mem::take(&mut columns.drift);
        Ok(())
    }

    async fn remember_columns(&self) -> Result<(), IntakeError> {
        if self.headers.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_string(&self.headers).unwrap_or_default();
        self.context
            .warehouse
            .memo_put(HEADER_SCOPE, self.plan.source(), &text)
            .await
            .map_err(|error| store_error("remember the columns", error))
    }

    async fn open_writers(&self) -> Result<Writers, IntakeError> {
        let warehouse = &self.context.warehouse;
        let (application, version) = self.application();
        let staging_table = table("staging", self.plan.source())?;
        let quarantine_table = table("quarantine", self.plan.source())?;
        let look_up = |error| store_error("look up the delivery", error);
        let has_staged = warehouse
            .application_version(&staging_table, &application)
            .await
            .map_err(look_up)?
            == Some(version);
        let has_quarantined = warehouse
            .application_version(&quarantine_table, &application)
            .await
            .map_err(look_up)?
            == Some(version);
        let contract = &self.plan.contract;
        let staging = if has_staged {
            None
        } else {
            let options = staging_options(contract);
            let schema = self.plan.staging_schema.clone();
            Some(
                warehouse
                    .writer(&staging_table, schema, options)
                    .await
                    .map_err(|error| store_error("open the staging table", error))?,
            )
        };
        let quarantine = if has_quarantined {
            None
        } else {
            let options = quarantine_options(&contract.source);
            Some(
                warehouse
                    .writer(&quarantine_table, quarantine_schema(), options)
                    .await
                    .map_err(|error| store_error("open the quarantine table", error))?,
            )
        };
        Ok(Writers {
            staging,
            quarantine,
            has_quarantined: false,
        })
    }

    fn read(&self, files: Vec<DeliveredFile>, sinks: Sinks<'_>) -> Result<FileReport, IntakeError> {
        let Sinks {
            writers,
            tally,
            identities,
            records,
            mut unique,
        } = sinks;
        let partition = partition_of(self.period.as_ref());
        let known_on = value::days_of(self.outcome.known_on);
        let stamp = RowStamp {
            delivery_id: &self.outcome.delivery_id,
            known_on,
            released_from: None,
        };
        let row_context = RowContext {
            hasher: Some(self.context.keys.hasher()),
            forgotten: self.context.vault.forgotten()?,
            known_on,
            period: self.period.as_ref().map(period_days),
        };
        let arrow = |error| IntakeError::Arrow {
            source_name: self.plan.source().to_owned(),
            source: error,
        };
        let mut write = |mut rows: ParsedRows| -> Result<(), IntakeError> {
            let before = tally.records;
            if let Some(unique) = &mut unique {
                unique.check(self.plan, row_context.hasher.as_ref(), &mut rows, before)?;
            }
            tally.add(&rows);
            identities.add(std::mem::take(&mut rows.identities))?;
            if let Some(staging) = &mut writers.staging {
                let number = |record: u32| before as i64 + 1 + i64::from(record);
                let batch = staged_batch(self.plan, &rows, &stamp, number).map_err(arrow)?;
                staging
                    .write(partition.as_deref(), &batch)
                    .map_err(|error| store_error("write the staging table", error))?;
            }
            for row in &rows.quarantined {
                records.add(before + 1 + u64::from(row.record), &row.original)?;
            }
            if let Some(quarantine) = &mut writers.quarantine
                && !rows.quarantined.is_empty()
            {
                writers.has_quarantined = true;
                let batch = quarantine_batch(&rows.quarantined, stamp.delivery_id, before)
                    .map_err(arrow)?;
                quarantine
                    .write(None, &batch)
                    .map_err(|error| store_error("write the quarantine table", error))?;
            }
            Ok(())
        };
        read_files(
            self.plan,
            files,
            &row_context,
            self.context.limits,
            &mut write,
        )
    }

    async fn commit(&self, writers: Writers) -> Result<(), IntakeError> {
        let details = |operation: &str| CommitDetails {
            operation: operation.to_owned(),
            application: Some(self.application()),
            fingerprints: BTreeMap::new(),
            metadata: json!({
                "delivery_id": self.outcome.delivery_id,
                "status": self.outcome.status.as_str(),
                "rows_delivered": self.outcome.rows_delivered,
                "rows_accepted": self.outcome.rows_accepted,
                "rows_quarantined": self.outcome.rows_quarantined,
            }),
        };
        if let Some(quarantine) = writers.quarantine
            && writers.has_quarantined
        {
            quarantine
                .commit(CommitMode::Append, details("quarantine"))
                .await
                .map_err(|error| store_error("commit the quarantine table", error))?;
        }
        crash::point("quarantine committed").await;
        if let Some(staging) = writers.staging {
            let partition = partition_of(self.period.as_ref());
            let mut details = details("ingest");
            let mode = match self.plan.contract.revision {
                RevisionRule::ReplacePeriod => {
                    let delivery = self.outcome.delivery_id.clone();
                    details.fingerprints.insert(partition.clone(), delivery);
                    match partition {
                        Some(partition) => CommitMode::ReplacePartitions(vec![Some(partition)]),
                        None => CommitMode::ReplaceAll,
                    }
                }
                RevisionRule::Append | RevisionRule::Upsert => CommitMode::Append,
            };
            staging
                .commit(mode, details)
                .await
                .map_err(|error| store_error("commit the staging table", error))?;
        }
        crash::point("staging committed").await;
        self.remember_columns().await
    }

    /// Names the delivery in the commits of its tables.
    ///
    /// Of an upsert's revision there is one, so the revision is the application and the bytes are
    /// its version: other bytes are noticed whether or not anything else remembers the first.
    fn application(&self) -> (String, i64) {
        let id = self.delivery_id();
        match id.rsplit_once('/') {
            Some((revision, digest)) if self.is_upsert_by_manifest() => (
                format!("intake/{revision}"),
                i64::from_str_radix(digest, 16).unwrap_or_default(),
            ),
            _ => (format!("intake/{id}"), 1),
        }
    }

    /// Two deliveries may share a file name; their archives must not.
    fn archive_name(&self, position: usize, file_name: &str) -> String {
        let digest = self.outcome.sha256.get(..12).unwrap_or_default();
        let mut name = shown_name(file_name);
        if self.parcel.paths.len() > 1 && name != file_name {
            // What told the pages apart may have been cut off or masked.
            name = format!("{position}_{name}");
        }
        let end = (0..=ARCHIVED_NAME_BYTES.min(name.len()))
            .rev()
            .find(|end| name.is_char_boundary(*end))
            .unwrap_or(0);
        format!("{digest}_{}", &name[..end])
    }

    fn refused(mut self, refusal: Refusal) -> DeliveryOutcome {
        self.outcome.status = DeliveryStatus::Refused;
        self.outcome.rule = Some(refusal.rule.as_str().to_owned());
        self.outcome.reason = Some(refusal.message);
        self.outcome
    }
}
