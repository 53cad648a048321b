//! From a file to committed tables: the only module that knows the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use goyong_catalog::contract::{Contract, ManifestRule, PeriodRule, RevisionRule};
use goyong_catalog::manifest::{Manifest, Period};
use goyong_store::{CommitDetails, CommitMode, TableWriter, Warehouse, WriteOptions};
use goyong_types::{DeliveryId, TableName};
use regex::Regex;
use serde_json::json;

use crate::archive::ArchiveWriter;
use crate::chunks::ReadLimits;
use crate::delivery::{DeliveryOutcome, DeliveryStatus, Tally, checksum_refusal, judge_manifest};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::identity::{Keys, Vault, VaultBatch};
use crate::input::sha256_of;
use crate::plan::Plan;
use crate::read::{FileReport, read_file};
use crate::rows::{ParsedRows, RowContext};
use crate::shown::{MASKED, may_hold_resident_number, shown_name, shown_notices};
use crate::staging::{RowStamp, quarantine_batch, quarantine_schema, staged_batch};
use crate::value;

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
    /// Day on which deliveries without a date of their own became known.
    pub known_on: NaiveDate,
    /// Where originals are kept, encrypted; `None` keeps none.
    pub archive: Option<PathBuf>,
    /// Threads and sizes.
    pub limits: ReadLimits,
}

const BYTES_SCOPE: &str = "intake/bytes";
const REVISION_SCOPE: &str = "intake/revision";
/// Most bytes of a delivery's name in the name of its archive; file systems allow 255 in all.
const ARCHIVED_NAME_BYTES: usize = 180;

/// Reads one file of a source and commits what it holds, or refuses it and changes nothing.
///
/// Safe to repeat after a crash: each table is asked first whether it has the delivery.
/// Errors are those of the machine; everything wrong with the delivery is in the outcome.
pub async fn ingest_file(
    context: &IntakeContext,
    contract: &Contract,
    path: &Path,
    manifest: Option<&Manifest>,
) -> Result<DeliveryOutcome, IntakeError> {
    let file_name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let named = if may_hold_resident_number(&file_name) {
        MASKED
    } else {
        file_name.as_str()
    };
    let plan = Plan::new(contract)?.for_file(named);
    let mut delivery = Delivery {
        context,
        plan: &plan,
        path,
        manifest,
        outcome: blank_outcome(context, contract, path, manifest),
        file_name,
        period: None,
    };
    match delivery.run().await {
        Ok(()) => Ok(delivery.outcome),
        Err(IntakeError::Refused(refusal)) => Ok(delivery.refused(refusal)),
        Err(error) => Err(error),
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
        new_persons: 0,
    }
}

fn blank_outcome(
    context: &IntakeContext,
    contract: &Contract,
    path: &Path,
    manifest: Option<&Manifest>,
) -> DeliveryOutcome {
    let nothing = Refusal::new(RefusalRule::Manifest, "");
    let mut outcome = refused_unread(context, &contract.source, path, &nothing);
    outcome.rule = None;
    outcome.reason = None;
    if let Some(manifest) = manifest {
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
    path: &'a Path,
    manifest: Option<&'a Manifest>,
    /// As it is on the disk; the outcome has it as it may be shown.
    file_name: String,
    outcome: DeliveryOutcome,
    period: Option<Period>,
}

/// The two tables a delivery writes, each unless it already has the delivery.
struct Writers {
    staging: Option<TableWriter>,
    quarantine: Option<TableWriter>,
    has_quarantined: bool,
}

impl Delivery<'_> {
    async fn run(&mut self) -> Result<(), IntakeError> {
        let contract = &self.plan.contract;
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
        self.find_period()?;
        let sha256 = match self.manifest {
            Some(manifest) => manifest.sha256.to_ascii_lowercase(),
            None => sha256_of(self.path)?,
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

    /// The same bytes again for the same period change nothing.
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
        if let Some(manifest) = self.manifest {
            // A correction may bring back what an earlier revision said.
            if let Some((current, _)) = self.current_revision().await?
                && manifest.revision > current
            {
                return Ok(false);
            }
            // The manifest may claim the hash of a file that is not this one.
            let found = sha256_of(self.path)?;
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
        let Some((current, delivery)) = self.current_revision().await? else {
            return Ok(false);
        };
        if self.manifest.is_none() {
            // Without manifests the order of arrival is the order of revisions.
            self.outcome.revision = current + 1;
            return Ok(false);
        }
        if self.outcome.revision > current {
            return Ok(false);
        }
        if self.outcome.revision == current {
            return Err(Refusal::new(
                RefusalRule::Superseded,
                format!(
                    "revision {current} was delivered before with other content, as {delivery}: deliver corrections under a higher revision"
                ),
            )
            .into());
        }
        self.outcome.status = DeliveryStatus::Superseded;
        self.outcome.rule = Some(RefusalRule::Superseded.as_str().to_owned());
        self.outcome.reason = Some(format!(
            "revision {current} of this period is in place, as {delivery}"
        ));
        self.outcome.delivery_id = self.delivery_id();
        Ok(true)
    }

    /// Revision and delivery in place, for sources whose revisions replace a period.
    async fn current_revision(&self) -> Result<Option<(u32, String)>, IntakeError> {
        if self.plan.contract.revision != RevisionRule::ReplacePeriod {
            return Ok(None);
        }
        let current = self
            .context
            .warehouse
            .memo_get(REVISION_SCOPE, &self.revision_key())
            .await
            .map_err(|error| store_error("look up the revision", error))?;
        Ok(current.as_deref().and_then(|text| {
            let (revision, delivery) = text.split_once(' ')?;
            Some((revision.parse().ok()?, delivery.to_owned()))
        }))
    }

    fn delivery_id(&self) -> String {
        DeliveryId::new(
            self.plan.source(),
            self.outcome.period.as_deref(),
            self.outcome.revision,
            &self.outcome.sha256,
        )
        .to_string()
    }

    fn bytes_key(&self) -> String {
        format!("{}/{}", self.revision_key(), self.outcome.sha256)
    }

    fn revision_key(&self) -> String {
        let period = self.outcome.period.as_deref().unwrap_or("-");
        format!("{}/{period}", self.plan.source())
    }

    async fn load(&mut self) -> Result<(), IntakeError> {
        let mut writers = self.open_writers().await?;
        let archive = match &self.context.archive {
            Some(folder) => Some(ArchiveWriter::create(
                &folder.join(self.plan.source()),
                &self.archive_name(),
                &self.context.keys,
            )?),
            None => None,
        };
        let mut tally = Tally::new(self.plan);
        let mut identities = self.context.vault.begin();
        let report = self.read(archive, &mut writers, &mut tally, &mut identities)?;
        self.outcome.bytes = report.bytes;
        self.outcome.rows_expected = report.expected.or(self.outcome.rows_expected);
        self.outcome.notices = shown_notices(report.notices);
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
        if let Some(archive) = report.archive {
            archive.keep()?;
        }
        self.outcome.status = if tally.quarantined == 0 {
            DeliveryStatus::Accepted
        } else {
            DeliveryStatus::AcceptedWithQuarantine
        };
        tally.account(self.plan, self.manifest, &mut self.outcome);
        self.commit(writers).await
    }

    async fn open_writers(&self) -> Result<Writers, IntakeError> {
        let warehouse = &self.context.warehouse;
        let application = self.application();
        let staging_table = table("staging", self.plan.source())?;
        let quarantine_table = table("quarantine", self.plan.source())?;
        let look_up = |error| store_error("look up the delivery", error);
        let has_staged = warehouse
            .application_version(&staging_table, &application)
            .await
            .map_err(look_up)?
            .is_some();
        let has_quarantined = warehouse
            .application_version(&quarantine_table, &application)
            .await
            .map_err(look_up)?
            .is_some();
        let contract = &self.plan.contract;
        let staging = if has_staged {
            None
        } else {
            let columns = contract.staging_columns();
            let options = WriteOptions {
                partition_column: self.period.as_ref().map(|_| "_period".to_owned()),
                description: Some(contract.title.en.clone()),
                column_descriptions: columns
                    .iter()
                    .filter(|column| !column.description.is_empty())
                    .map(|column| (column.name.clone(), column.description.en.clone()))
                    .collect(),
                column_tags: columns
                    .iter()
                    .filter(|column| !column.tags.is_empty())
                    .map(|column| (column.name.clone(), column.tags.clone()))
                    .collect(),
                ..WriteOptions::default()
            };
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
            let options = WriteOptions {
                description: Some(format!("rows of {} that break a rule", contract.source)),
                background: false,
                ..WriteOptions::default()
            };
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

    fn read(
        &self,
        archive: Option<ArchiveWriter>,
        writers: &mut Writers,
        tally: &mut Tally,
        identities: &mut VaultBatch,
    ) -> Result<FileReport, IntakeError> {
        let partition = self
            .period
            .as_ref()
            .map(|period| period.first_day().to_string());
        let known_on = value::days_of(self.outcome.known_on);
        let stamp = RowStamp {
            delivery_id: &self.outcome.delivery_id,
            known_on,
        };
        let row_context = RowContext {
            hasher: Some(self.context.keys.hasher()),
            known_on,
        };
        let arrow = |error| IntakeError::Arrow {
            source_name: self.plan.source().to_owned(),
            source: error,
        };
        let mut write = |mut rows: ParsedRows| -> Result<(), IntakeError> {
            let before = tally.records;
            tally.add(&rows);
            identities.add(std::mem::take(&mut rows.identities))?;
            if let Some(staging) = &mut writers.staging {
                let batch = staged_batch(self.plan, &rows, &stamp, before).map_err(arrow)?;
                staging
                    .write(partition.as_deref(), &batch)
                    .map_err(|error| store_error("write the staging table", error))?;
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
        read_file(
            self.plan,
            self.path,
            &row_context,
            self.context.limits,
            archive,
            &mut write,
        )
    }

    async fn commit(&self, writers: Writers) -> Result<(), IntakeError> {
        let details = |operation: &str| CommitDetails {
            operation: operation.to_owned(),
            application: Some((self.application(), 1)),
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
        if let Some(staging) = writers.staging {
            let mode = match (self.plan.contract.revision, &self.period) {
                (RevisionRule::ReplacePeriod, Some(period)) => {
                    CommitMode::ReplacePartitions(vec![Some(period.first_day().to_string())])
                }
                (RevisionRule::ReplacePeriod, None) => CommitMode::ReplaceAll,
                _ => CommitMode::Append,
            };
            staging
                .commit(mode, details("ingest"))
                .await
                .map_err(|error| store_error("commit the staging table", error))?;
        }
        let remember = |error| store_error("remember the delivery", error);
        let warehouse = &self.context.warehouse;
        if self.plan.contract.revision == RevisionRule::ReplacePeriod {
            let current = format!("{} {}", self.outcome.revision, self.outcome.delivery_id);
            warehouse
                .memo_put(REVISION_SCOPE, &self.revision_key(), &current)
                .await
                .map_err(remember)?;
        }
        warehouse
            .memo_put(BYTES_SCOPE, &self.bytes_key(), &self.outcome.delivery_id)
            .await
            .map_err(remember)
    }

    fn application(&self) -> String {
        format!("intake/{}", self.outcome.delivery_id)
    }

    /// Two deliveries may share a file name; their archives must not.
    fn archive_name(&self) -> String {
        let digest = self.outcome.sha256.get(..12).unwrap_or_default();
        let name = &self.outcome.file_name;
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

pub(crate) fn table(schema: &str, name: &str) -> Result<TableName, IntakeError> {
    TableName::new(schema, name).map_err(|error| IntakeError::Name {
        message: error.to_string(),
    })
}

pub(crate) fn store_error(operation: &str, error: goyong_store::StoreError) -> IntakeError {
    IntakeError::Store {
        operation: operation.to_owned(),
        source: Box::new(error),
    }
}
