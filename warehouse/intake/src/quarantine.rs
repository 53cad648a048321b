//! Quarantine: what broke a rule, and what people decide about it.
//!
//! A row leaves quarantine by being released (it keeps the contract now, after a correction or
//! because the contract changed) or discarded. Each decision is on the audit chain before it takes
//! effect, and `ops.deliveries` balances after it. The order of writes is identities, audit,
//! staging, quarantine, ledger; each is found done or done again when a command is repeated after
//! a crash, so that a row is staged once.

mod account;
mod correction;
mod release;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use goyong_catalog::contract::{Contract, RevisionRule};
use goyong_catalog::manifest::Period;
use goyong_types::nearest_name;
use zeroize::Zeroizing;

pub use correction::Corrections;
pub use release::{ReleaseReport, StillBad, release};
pub use table::{QuarantineEntry, RowState, quarantine_schema};
pub(crate) use table::{quarantine_batch, quarantine_options};

use crate::audit::{Access, AuditAction, AuditLog};
use crate::deliver::IntakeContext;
use crate::delivery::DeliveryOutcome;
use crate::error::IntakeError;
use crate::identity::{RecordKeys, open_record};
use crate::ledger::{deliveries, record_deliveries};
use crate::plan::Plan;
use crate::revision::in_place;
use crate::rows::StoredRecord;
use table::{Decision, decide, entries_of_delivery, for_each_entry};

/// How many rows of a delivery broke a rule, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineCount {
    /// The source.
    pub source: String,
    /// The delivery.
    pub delivery_id: String,
    /// Column whose values break the rule; `None` when records as a whole do.
    pub column: Option<String>,
    /// The rule.
    pub rule: String,
    /// Rows without a decision.
    pub open: u64,
    /// Rows released.
    pub released: u64,
    /// Rows discarded.
    pub discarded: u64,
    /// The delivery that took the place of this one; its open rows can no longer be released.
    pub superseded_by: Option<String>,
}

/// Counts by source, delivery, column and rule.
pub async fn quarantine_counts(
    context: &IntakeContext,
    source: Option<&str>,
) -> Result<Vec<QuarantineCount>, IntakeError> {
    if let Some(source) = source {
        contract_of(context, source)?;
    }
    let superseded: BTreeMap<String, Option<String>> = deliveries(&context.warehouse)
        .await?
        .into_iter()
        .map(|outcome| (outcome.delivery_id, outcome.superseded_by))
        .collect();
    let mut counts = Vec::new();
    for name in context.contracts.keys() {
        if source.is_some_and(|source| source != name) {
            continue;
        }
        let mut by_rule: BTreeMap<(String, Option<String>, String), [u64; 3]> = BTreeMap::new();
        for_each_entry(&context.warehouse, name, |entry| {
            let key = (entry.delivery_id, entry.column, entry.rule);
            by_rule.entry(key).or_default()[entry.state as usize] += 1;
            Ok(())
        })
        .await?;
        for ((delivery_id, column, rule), [open, released, discarded]) in by_rule {
            counts.push(QuarantineCount {
                source: name.clone(),
                superseded_by: superseded.get(&delivery_id).cloned().flatten(),
                delivery_id,
                column,
                rule,
                open,
                released,
                discarded,
            });
        }
    }
    Ok(counts)
}

/// The quarantined rows of a delivery, those of one record when it is named; values masked.
pub async fn quarantined_rows(
    context: &IntakeContext,
    delivery_id: &str,
    row_number: Option<u64>,
) -> Result<Vec<QuarantineEntry>, IntakeError> {
    let case = Case::open(context, delivery_id).await?;
    let entries: Vec<_> = case
        .entries
        .into_iter()
        .filter(|entry| row_number.is_none_or(|number| entry.row_number == number))
        .collect();
    match row_number {
        Some(number) if entries.is_empty() => Err(not_quarantined(delivery_id, number)),
        _ => Ok(entries),
    }
}

/// A quarantined record as delivered, unmasked: column and value, `None` where nothing stood. The
/// look-up is on the audit chain before a value is opened.
pub async fn quarantined_record(
    context: &IntakeContext,
    delivery_id: &str,
    row_number: u64,
    access: &Access,
) -> Result<Vec<(String, Option<Zeroizing<String>>)>, IntakeError> {
    let case = Case::open(context, delivery_id).await?;
    if case.entry(row_number).is_none() {
        return Err(not_quarantined(delivery_id, row_number));
    }
    let action = AuditAction {
        action: "show_record",
        note: format!("row {row_number} of {delivery_id}"),
        ..AuditAction::default()
    };
    AuditLog::of(&context.warehouse)
        .append(access, &action)
        .await?;
    let keys = RecordKeys::new(&context.keys);
    let opened = open_record(context.vault.folder(), delivery_id, row_number, &keys)?;
    if opened.is_empty() {
        return Err(no_original(delivery_id, row_number));
    }
    let plan = Plan::new(case.contract)?;
    let shown = |raw: &[u8]| match plan.decoder.decode(raw) {
        Some(text) => Zeroizing::new(text),
        None => Zeroizing::new(raw.escape_ascii().to_string()),
    };
    let mut values = Vec::new();
    for plain in opened {
        let record = StoredRecord::parse(&plain)?;
        if let Some(whole) = &record.whole {
            values.push(("the whole record".to_owned(), Some(shown(whole))));
            continue;
        }
        for (column, raw) in record.values() {
            values.push((column.to_owned(), raw.map(shown)));
        }
    }
    Ok(values)
}

/// Who decides, when and why.
#[derive(Clone, Debug)]
pub struct DecisionBy {
    /// The account.
    pub account: String,
    /// Why.
    pub reason: String,
    /// The day of the decision; released rows become known on it.
    pub on: NaiveDate,
}

impl DecisionBy {
    fn access(&self, delivery_id: &str) -> Result<Access, IntakeError> {
        Access::new(&self.account, &self.reason, delivery_id)
    }

    fn decision(&self, state: RowState, won_released: Option<i128>) -> Decision {
        Decision {
            state,
            on: self.on,
            by: self.account.clone(),
            reason: self.reason.clone(),
            won_released,
        }
    }
}

/// Rejects open rows for good: the named ones, or all. Answers how many records, and the account
/// of the delivery.
pub async fn discard(
    context: &IntakeContext,
    delivery_id: &str,
    rows: Option<&BTreeSet<u64>>,
    by: &DecisionBy,
) -> Result<(u64, DeliveryOutcome), IntakeError> {
    let mut case = Case::open_for_decision(context, delivery_id, rows, by).await?;
    release::finish_interrupted(context, &mut case, by).await?;
    let open = case.open_rows(rows);
    if !open.is_empty() {
        let action = AuditAction {
            action: "discard",
            note: format!("{} rows of {delivery_id}", open.len()),
            ..AuditAction::default()
        };
        AuditLog::of(&context.warehouse)
            .append(&by.access(delivery_id)?, &action)
            .await?;
    }
    let decisions = open
        .iter()
        .map(|row| (*row, by.decision(RowState::Discarded, None)))
        .collect();
    let outcome = case.settle(context, &decisions).await?;
    Ok((open.len() as u64, outcome))
}

/// A delivery with its quarantined rows.
pub(crate) struct Case<'c> {
    pub contract: &'c Contract,
    pub outcome: DeliveryOutcome,
    pub entries: Vec<QuarantineEntry>,
}

impl<'c> Case<'c> {
    async fn open(context: &'c IntakeContext, delivery_id: &str) -> Result<Self, IntakeError> {
        let source = delivery_id.split('/').next().unwrap_or_default();
        let contract = contract_of(context, source)?;
        let known = deliveries(&context.warehouse).await?;
        let Some(outcome) = known
            .iter()
            .find(|outcome| outcome.delivery_id == delivery_id)
        else {
            let names = known.iter().map(|outcome| outcome.delivery_id.as_str());
            let hint = match nearest_name(delivery_id, names) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "`goyong quarantine ls` lists them".to_owned(),
            };
            return Err(refuse(format!("no delivery `{delivery_id}`; {hint}")));
        };
        Ok(Self {
            contract,
            outcome: outcome.clone(),
            entries: entries_of_delivery(&context.warehouse, source, delivery_id).await?,
        })
    }

    /// Opens a delivery whose rows are to be decided on; refuses one that no longer counts.
    pub async fn open_for_decision(
        context: &'c IntakeContext,
        delivery_id: &str,
        rows: Option<&BTreeSet<u64>>,
        by: &DecisionBy,
    ) -> Result<Self, IntakeError> {
        by.access(delivery_id)?;
        let case = Self::open(context, delivery_id).await?;
        let outcome = &case.outcome;
        if !outcome.status.is_accepted() {
            let reason = outcome
                .reason
                .as_deref()
                .unwrap_or("nothing of it was loaded");
            return Err(refuse(format!(
                "delivery {delivery_id} is {}: {reason}",
                outcome.status
            )));
        }
        if case.contract.revision == RevisionRule::ReplacePeriod {
            let period = case.period()?;
            let current = in_place(&context.warehouse, &outcome.source, period.as_ref()).await?;
            if let Some(current) = current
                && current.delivery_id != delivery_id
            {
                return Err(refuse(format!(
                    "delivery {delivery_id} is superseded by {}: decide on the rows of that one",
                    current.delivery_id
                )));
            }
        }
        if by.on < outcome.known_on {
            return Err(refuse(format!(
                "the rows cannot be decided on {}, the delivery became known on {}",
                by.on, outcome.known_on
            )));
        }
        for row in rows.into_iter().flatten() {
            if case.entry(*row).is_none() {
                return Err(not_quarantined(delivery_id, *row));
            }
        }
        Ok(case)
    }

    fn period(&self) -> Result<Option<Period>, IntakeError> {
        self.outcome
            .period
            .as_deref()
            .map(Period::parse)
            .transpose()
            .map_err(|error| refuse(error.to_string()))
    }

    fn entry(&self, row_number: u64) -> Option<&QuarantineEntry> {
        self.entries
            .iter()
            .find(|entry| entry.row_number == row_number)
    }

    /// Records without a decision, of those named or of all.
    pub fn open_rows(&self, rows: Option<&BTreeSet<u64>>) -> BTreeSet<u64> {
        self.entries
            .iter()
            .filter(|entry| entry.state == RowState::Open)
            .map(|entry| entry.row_number)
            .filter(|number| rows.is_none_or(|rows| rows.contains(number)))
            .collect()
    }

    /// Writes the decisions, then the account that follows from all decisions so far.
    pub async fn settle(
        &mut self,
        context: &IntakeContext,
        decisions: &BTreeMap<u64, Decision>,
    ) -> Result<DeliveryOutcome, IntakeError> {
        let warehouse = &context.warehouse;
        let source = self.outcome.source.clone();
        let delivery_id = self.outcome.delivery_id.clone();
        decide(warehouse, &source, &delivery_id, decisions).await?;
        crate::crash::point("quarantine decided").await;
        self.entries = entries_of_delivery(warehouse, &source, &delivery_id).await?;
        account::settle(&mut self.outcome, &self.entries)?;
        record_deliveries(
            warehouse,
            &context.contracts,
            std::slice::from_ref(&self.outcome),
        )
        .await?;
        Ok(self.outcome.clone())
    }
}

fn contract_of<'c>(context: &'c IntakeContext, source: &str) -> Result<&'c Contract, IntakeError> {
    context.contracts.get(source).ok_or_else(|| {
        let names = context.contracts.keys().map(String::as_str);
        let hint = nearest_name(source, names)
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        refuse(format!("no contract is named `{source}`{hint}"))
    })
}

pub(crate) fn refuse(message: String) -> IntakeError {
    IntakeError::Quarantine { message }
}

fn not_quarantined(delivery_id: &str, row_number: u64) -> IntakeError {
    refuse(format!(
        "row {row_number} of {delivery_id} was not quarantined; `goyong quarantine show {delivery_id}` lists those that were"
    ))
}

pub(crate) fn no_original(delivery_id: &str, row_number: u64) -> IntakeError {
    refuse(format!(
        "no original of row {row_number} of {delivery_id} is kept; deliver the corrected record with --records"
    ))
}

#[cfg(test)]
mod tests;
