//! Releasing rows: today's contract judges the original again, and what it accepts is staged.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::NaiveDate;
use goyong_catalog::contract::RevisionRule;
use goyong_store::{CommitDetails, CommitMode, TableWriter};

use super::correction::{Corrections, NewValues, read_values};
use super::{Case, DecisionBy, RowState, no_original, refuse};
use crate::audit::{AuditAction, AuditLog};
use crate::deliver::IntakeContext;
use crate::delivery::DeliveryOutcome;
use crate::error::IntakeError;
use crate::identity::{RecordKeys, RecordReader, VaultBatch, hex};
use crate::ledger::day;
use crate::plan::Plan;
use crate::read::{DeliveredFile, read_files};
use crate::revision::partition_of;
use crate::rows::{Cell, ParsedRows, RowBuilder, RowContext, StoredRecord, period_days};
use crate::staging::{RELEASED, RowStamp, staged_batch, staging_options};
use crate::store_access::{read_rows, store_error, table};
use crate::unique::{DUPLICATE_KEY, key_names, stored_key_hashes};
use crate::value;
use sha2::{Digest, Sha256};

/// Records checked together before they are written.
const CHUNK_RECORDS: usize = 8192;

/// What a release did.
#[derive(Clone, Debug)]
pub struct ReleaseReport {
    /// Records staged now.
    pub released: u64,
    /// Records named that had been released or discarded before.
    pub decided_before: u64,
    /// Records that still break a rule; they stay.
    pub still_bad: Vec<StillBad>,
    /// The account of the delivery.
    pub outcome: DeliveryOutcome,
}

/// A record that stays in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillBad {
    /// Record in the file, from 1.
    pub row_number: u64,
    /// Column, empty when the record as a whole breaks the rule.
    pub column: String,
    /// The rule.
    pub rule: &'static str,
}

/// Checks open rows of a delivery again and stages those that keep the contract: the named rows,
/// or all. Repeating it stages nothing twice.
///
/// A released row keeps its delivery and row number and is known from the day of the release:
/// before it, nobody could have used it. `_flags` names the release and the day its delivery
/// became known, which is what orders it among other rows of its key.
pub async fn release(
    context: &IntakeContext,
    delivery_id: &str,
    rows: Option<&BTreeSet<u64>>,
    corrections: &Corrections,
    by: &DecisionBy,
) -> Result<ReleaseReport, IntakeError> {
    let mut case = Case::open_for_decision(context, delivery_id, rows, by).await?;
    finish_interrupted(context, &mut case, by).await?;
    let open = case.open_rows(rows);
    let decided_before = rows.map_or(0, |rows| rows.len() as u64 - open.len() as u64);
    let plan = Plan::new(case.contract)?.for_file(&case.outcome.file_name);
    if plan.contract.unpivot.is_some() && !matches!(corrections, Corrections::None) {
        return Err(refuse(
            "a record of this source becomes several rows and cannot be corrected here: deliver a higher revision".to_owned(),
        ));
    }
    let mut batch = Batch::open(context, &case, &plan, by).await?;
    match corrections {
        Corrections::None => batch.check_originals(&open, &NewValues::new())?,
        Corrections::Values(path) => {
            let quarantined = case.entries.iter().map(|entry| entry.row_number).collect();
            let values = read_values(&plan, path, &quarantined)?;
            let open = open
                .iter()
                .copied()
                .filter(|row| values.contains_key(row))
                .collect();
            batch.check_originals(&open, &values)?;
        }
        Corrections::Records(path) => batch.check_records(&open, path)?,
    }
    let checked = batch.finish().await?;
    let decisions = checked
        .released
        .iter()
        .map(|(row, won)| (*row, by.decision(RowState::Released, *won)))
        .collect();
    let outcome = case.settle(context, &decisions).await?;
    Ok(ReleaseReport {
        released: checked.released.len() as u64,
        decided_before,
        still_bad: checked.still_bad,
        outcome,
    })
}

/// Brings quarantine and ledger up to what a release staged before it was interrupted.
pub(super) async fn finish_interrupted(
    context: &IntakeContext,
    case: &mut Case<'_>,
    by: &DecisionBy,
) -> Result<(), IntakeError> {
    let open = case.open_rows(None);
    if open.is_empty() {
        // The ledger may lack the last decision all the same.
        return case.settle(context, &BTreeMap::new()).await.map(drop);
    }
    let plan = Plan::new(case.contract)?;
    let staged = staged_releases(context, case, &plan).await?;
    let decisions = staged
        .into_iter()
        .filter(|(row, _)| open.contains(row))
        .map(|(row, (known_on, won))| {
            let mut decision = by.decision(RowState::Released, won);
            decision.on = known_on;
            (row, decision)
        })
        .collect();
    case.settle(context, &decisions).await.map(drop)
}

/// Released rows of the delivery that its staging table holds, with their day and won.
async fn staged_releases(
    context: &IntakeContext,
    case: &Case<'_>,
    plan: &Plan,
) -> Result<BTreeMap<u64, (NaiveDate, Option<i128>)>, IntakeError> {
    let mut staged: BTreeMap<u64, (NaiveDate, Option<i128>)> = BTreeMap::new();
    let won_column = plan
        .reconciled_column()
        .map(|index| plan.columns[index].name.clone());
    let mut columns = vec!["_delivery_id", "_row_number", "_known_on", "_flags"];
    columns.extend(won_column.as_deref());
    let partition = partition_of(case.period()?.as_ref());
    let name = table("staging", &case.outcome.source)?;
    read_rows(
        &context.warehouse,
        &name,
        partition.as_deref(),
        &columns,
        |batch| {
            let (Some(ids), Some(numbers), Some(days), Some(flags)) = (
                batch.column_by_name("_delivery_id"),
                batch.column_by_name("_row_number"),
                batch.column_by_name("_known_on"),
                batch.column_by_name("_flags"),
            ) else {
                return Ok(());
            };
            let (ids, flags) = (ids.as_string::<i32>(), flags.as_string::<i32>());
            for row in 0..batch.num_rows() {
                if flags.is_null(row)
                    || !flags.value(row).starts_with(RELEASED)
                    || ids.value(row) != case.outcome.delivery_id
                {
                    continue;
                }
                let number = numbers.as_primitive::<Int64Type>().value(row);
                let known_on = day(days.as_primitive::<Date32Type>().value(row));
                if let (Ok(number), Some(known_on)) = (u64::try_from(number), known_on) {
                    let won = won_column
                        .as_deref()
                        .and_then(|name| won_at(&batch, name, row));
                    staged.insert(number, (known_on, won));
                }
            }
            Ok(())
        },
    )
    .await?;
    Ok(staged)
}

/// Hashes of the keys that the delivery's staged rows have; 16 bytes each.
async fn stored_keys(
    context: &IntakeContext,
    case: &Case<'_>,
    plan: &Plan,
) -> Result<HashSet<u128>, IntakeError> {
    let mut keys = HashSet::new();
    if plan.unique.is_empty() {
        return Ok(keys);
    }
    let columns: Vec<&str> = ["_delivery_id"]
        .into_iter()
        .chain(key_names(plan))
        .collect();
    let partition = partition_of(case.period()?.as_ref());
    let name = table("staging", &case.outcome.source)?;
    let mut take = |batch: RecordBatch| {
        let Some(ids) = batch.column_by_name("_delivery_id") else {
            return Ok(());
        };
        let ids = ids.as_string::<i32>();
        for (row, key) in stored_key_hashes(plan, &batch).into_iter().enumerate() {
            if key != 0 && ids.value(row) == case.outcome.delivery_id {
                keys.insert(key);
            }
        }
        Ok(())
    };
    read_rows(
        &context.warehouse,
        &name,
        partition.as_deref(),
        &columns,
        &mut take,
    )
    .await?;
    Ok(keys)
}

fn won_at(batch: &RecordBatch, column: &str, row: usize) -> Option<i128> {
    let array = batch.column_by_name(column)?;
    if array.is_null(row) {
        return Some(0);
    }
    match array.data_type() {
        DataType::Int32 => Some(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(..) => Some(array.as_primitive::<Decimal128Type>().value(row)),
        _ => None,
    }
}

/// Records under check and on their way to the staging table.
struct Batch<'b> {
    context: &'b IntakeContext,
    case: &'b Case<'b>,
    plan: &'b Plan,
    row_context: RowContext,
    by: &'b DecisionBy,
    partition: Option<String>,
    writer: TableWriter,
    identities: VaultBatch,
    /// Keys of the delivery's rows that stand already, when its contract wants them unique.
    keys: HashSet<u128>,
    checked: Checked,
}

#[derive(Default)]
struct Checked {
    /// Records accepted, with their won.
    released: BTreeMap<u64, Option<i128>>,
    still_bad: Vec<StillBad>,
}

impl<'b> Batch<'b> {
    async fn open(
        context: &'b IntakeContext,
        case: &'b Case<'b>,
        plan: &'b Plan,
        by: &'b DecisionBy,
    ) -> Result<Self, IntakeError> {
        let writer = context
            .warehouse
            .writer(
                &table("staging", plan.source())?,
                plan.staging_schema.clone(),
                staging_options(&plan.contract),
            )
            .await
            .map_err(|error| store_error("open the staging table", error))?;
        Ok(Self {
            context,
            case,
            plan,
            row_context: RowContext {
                hasher: Some(context.keys.hasher()),
                forgotten: context.vault.forgotten()?,
                known_on: value::days_of(by.on),
                period: case.period()?.as_ref().map(period_days),
            },
            by,
            partition: partition_of(case.period()?.as_ref()),
            writer,
            identities: context.vault.begin(),
            keys: stored_keys(context, case, plan).await?,
            checked: Checked::default(),
        })
    }

    /// Checks the sealed originals of rows, with new values put in.
    fn check_originals(
        &mut self,
        rows: &BTreeSet<u64>,
        corrections: &NewValues,
    ) -> Result<(), IntakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        let delivery_id = &self.case.outcome.delivery_id;
        let keys = RecordKeys::new(&self.context.keys);
        let mut reader = RecordReader::open(self.context.vault.folder(), delivery_id)?;
        let mut found = BTreeSet::new();
        let mut chunk: Vec<(u64, Vec<StoredRecord>)> = Vec::new();
        while let Some(open) = &mut reader {
            let Some(sealed) = open.next()? else {
                break;
            };
            if !rows.contains(&sealed.row_number) {
                continue;
            }
            found.insert(sealed.row_number);
            let mut record = StoredRecord::parse(&open.unseal(&keys, &sealed)?)?;
            for (column, value) in corrections.get(&sealed.row_number).into_iter().flatten() {
                record.correct(column, value.to_vec());
            }
            match chunk.last_mut() {
                // One record of the file that became several rows.
                Some((row, records)) if *row == sealed.row_number => records.push(record),
                _ => {
                    if chunk.len() >= CHUNK_RECORDS {
                        self.check_chunk(&std::mem::take(&mut chunk))?;
                    }
                    chunk.push((sealed.row_number, vec![record]));
                }
            }
        }
        self.check_chunk(&chunk)?;
        match rows.difference(&found).next() {
            Some(row) => Err(no_original(delivery_id, *row)),
            None => Ok(()),
        }
    }

    /// A record is released as a whole: all its rows, or none.
    fn check_chunk(&mut self, chunk: &[(u64, Vec<StoredRecord>)]) -> Result<(), IntakeError> {
        let mut trial = RowBuilder::new(self.plan, &self.row_context);
        let mut accepted = RowBuilder::new(self.plan, &self.row_context);
        let mut numbers = Vec::new();
        for (row_number, records) in chunk {
            for record in records {
                push(&mut trial, self.plan, 0, record);
            }
            let judged = trial.finish()?;
            if let Some(bad) = judged.quarantined.first() {
                self.checked.still_bad.push(StillBad {
                    row_number: *row_number,
                    column: bad.column.clone(),
                    rule: bad.rule,
                });
                continue;
            }
            if judged.forgotten > 0 {
                self.checked.still_bad.push(StillBad {
                    row_number: *row_number,
                    column: String::new(),
                    rule: "forgotten",
                });
                continue;
            }
            if judged.key_hashes.iter().any(|key| self.keys.contains(key)) {
                self.checked.still_bad.push(StillBad {
                    row_number: *row_number,
                    column: key_names(self.plan).collect::<Vec<_>>().join(", "),
                    rule: DUPLICATE_KEY,
                });
                continue;
            }
            // A key with a null in it is no key.
            self.keys
                .extend(judged.key_hashes.iter().filter(|key| **key != 0));
            for record in records {
                push(&mut accepted, self.plan, numbers.len() as u32, record);
            }
            numbers.push(*row_number);
        }
        let rows = accepted.finish()?;
        self.stage(rows, |record| numbers[record as usize])
    }

    /// Checks records delivered again in the source's format: the first for the first open row.
    fn check_records(&mut self, rows: &BTreeSet<u64>, path: &Path) -> Result<(), IntakeError> {
        let numbers: Vec<u64> = rows.iter().copied().collect();
        let mut parts = Vec::new();
        let mut records = 0u64;
        let file = DeliveredFile {
            path: path.to_path_buf(),
            archive: None,
            earlier: None,
        };
        let report = read_files(
            self.plan,
            vec![file],
            &self.row_context,
            self.context.limits,
            &mut |rows| {
                let before = records;
                records += rows.record_count;
                if records <= numbers.len() as u64 {
                    parts.push((before, rows));
                }
                Ok(())
            },
        )?;
        if let Some(refusal) = report.refusal {
            return Err(refusal.into());
        }
        if records != numbers.len() as u64 {
            return Err(refuse(format!(
                "{} holds {records} records for {} open rows: name the rows it corrects with --row",
                path.display(),
                numbers.len()
            )));
        }
        for (before, part) in parts {
            let number = |record: u32| numbers[(before + u64::from(record)) as usize];
            for bad in &part.quarantined {
                self.checked.still_bad.push(StillBad {
                    row_number: number(bad.record),
                    column: bad.column.clone(),
                    rule: bad.rule,
                });
            }
            self.stage(part, number)?;
        }
        Ok(())
    }

    fn stage(
        &mut self,
        mut rows: ParsedRows,
        number: impl Fn(u32) -> u64,
    ) -> Result<(), IntakeError> {
        if rows.batch.num_rows() == 0 {
            return Ok(());
        }
        let stamp = RowStamp {
            delivery_id: &self.case.outcome.delivery_id,
            known_on: value::days_of(self.by.on),
            released_from: Some(self.case.outcome.known_on),
        };
        let batch = staged_batch(self.plan, &rows, &stamp, |record| number(record) as i64)
            .map_err(|source| IntakeError::Arrow {
                source_name: self.plan.source().to_owned(),
                source,
            })?;
        let won_column = self.plan.reconciled_column();
        for (row, record) in rows.records.iter().enumerate() {
            let won =
                won_column.and_then(|index| won_at(&batch, &self.plan.columns[index].name, row));
            let total = self.checked.released.entry(number(*record)).or_default();
            *total = match (*total, won) {
                (Some(total), Some(won)) => Some(total + won),
                (total, won) => total.or(won),
            };
        }
        self.identities.add(std::mem::take(&mut rows.identities))?;
        self.writer
            .write(self.partition.as_deref(), &batch)
            .map_err(|error| store_error("write the staging table", error))
    }

    /// Identities, audit and staging, in this order.
    async fn finish(mut self) -> Result<Checked, IntakeError> {
        let delivery_id = &self.case.outcome.delivery_id;
        if self.checked.released.is_empty() {
            return Ok(self.checked);
        }
        let application = self.application();
        self.identities.prepare()?;
        self.identities.commit()?;
        crate::crash::point("released identities known").await;
        let count = self.checked.released.len();
        let action = AuditAction {
            action: "release",
            note: format!("{count} rows of {delivery_id}"),
            ..AuditAction::default()
        };
        AuditLog::of(&self.context.warehouse)
            .append(&self.by.access(delivery_id)?, &action)
            .await?;
        crate::crash::point("release audited").await;
        let mut details = CommitDetails {
            operation: "release from quarantine".to_owned(),
            application: Some((application, 1)),
            metadata: serde_json::json!({"delivery_id": delivery_id, "rows": count}),
            ..CommitDetails::default()
        };
        if self.plan.contract.revision == RevisionRule::ReplacePeriod {
            // The delivery in place stays the same.
            details
                .fingerprints
                .insert(self.partition.clone(), delivery_id.clone());
        }
        self.writer
            .commit(CommitMode::Append, details)
            .await
            .map_err(|error| store_error("commit the staging table", error))?;
        crate::crash::point("release staged").await;
        Ok(self.checked)
    }

    /// Names the release in the commit by what it releases.
    fn application(&self) -> String {
        let mut state = Sha256::new();
        for row in self.checked.released.keys() {
            state.update(row.to_be_bytes());
        }
        let rows = hex(&state.finalize()[..8]);
        format!("release/{}/{rows}", self.case.outcome.delivery_id)
    }
}

fn push(builder: &mut RowBuilder<'_>, plan: &Plan, number: u32, record: &StoredRecord) {
    if record.is_unread() {
        // Where every column may be empty, an empty row would keep the contract.
        builder.push_broken(number, "unread_record", None, None, |_| Cell::Missing);
        return;
    }
    builder.push(number, |column| record.cell(&plan.columns[column]));
}
