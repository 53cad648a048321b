//! `ops.deliveries`: one row for each delivery, the account of what became of its rows and won.
//!
//! A delivery judged again (after its contract changed, or after rows left quarantine) has its row
//! replaced; the same bytes delivered again get a row of their own, named after the file. Writing
//! the same accounts again changes nothing, so a crash is repaired by running again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use goyong_catalog::contract::{Contract, RevisionRule};
use goyong_store::{CommitDetails, CommitMode, Warehouse, WriteOptions};

use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::error::IntakeError;
use crate::store_access::{read_rows, store_error, table};
use crate::value;

/// Schema of `ops.deliveries`.
pub fn deliveries_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let won = |name: &str| Field::new(name, DataType::Decimal128(28, 0), true);
    Arc::new(Schema::new(vec![
        text("delivery_id"),
        text("source"),
        text("period"),
        count("revision"),
        Field::new("known_on", DataType::Date32, true),
        text("file_name"),
        text("sha256"),
        count("bytes"),
        text("status"),
        text("rule"),
        text("reason"),
        count("rows_delivered"),
        count("rows_accepted"),
        count("rows_quarantined"),
        count("rows_rejected"),
        count("rows_flagged"),
        count("rows_expected"),
        text("control_name"),
        won("won_delivered"),
        won("won_accepted"),
        won("won_quarantined"),
        won("won_rejected"),
        text("notices"),
        count("rows_released"),
        count("rows_discarded"),
        won("won_released"),
        won("won_discarded"),
        text("superseded_by"),
        text("drift"),
    ]))
}

/// The rows of `ops.deliveries`, in order of arrival.
pub async fn deliveries(warehouse: &Warehouse) -> Result<Vec<DeliveryOutcome>, IntakeError> {
    let mut outcomes = Vec::new();
    read_rows(
        warehouse,
        &table("ops", "deliveries")?,
        None,
        &[],
        |batch| {
            outcomes.extend((0..batch.num_rows()).filter_map(|row| outcome_of(&batch, row)));
            Ok(())
        },
    )
    .await?;
    Ok(outcomes)
}

/// Brings the accounts into `ops.deliveries`.
pub(crate) async fn record_deliveries(
    warehouse: &Warehouse,
    contracts: &BTreeMap<String, Contract>,
    accounts: &[DeliveryOutcome],
) -> Result<(), IntakeError> {
    let before = deliveries(warehouse).await?;
    let mut after = before.clone();
    for account in accounts {
        let mut account = account.clone();
        account.delivery_id = ledger_id(&account);
        // What is stored has lost what only the moment of arrival knew.
        account.new_persons = 0;
        match after
            .iter_mut()
            .find(|known| known.delivery_id == account.delivery_id)
        {
            // The same bytes judged again, after a crash, know nothing of what people decided.
            Some(known) if known.has_decisions() && !account.has_decisions() => {}
            Some(known) => *known = account,
            None => after.push(account),
        }
    }
    mark_superseded(contracts, &mut after);
    if after == before {
        return Ok(());
    }
    let arrow = |source| IntakeError::Arrow {
        source_name: "ops.deliveries".to_owned(),
        source,
    };
    let batch = deliveries_batch(&after).map_err(arrow)?;
    let options = WriteOptions {
        description: Some(
            "one row per delivery: rows and won delivered, accepted, quarantined, rejected"
                .to_owned(),
        ),
        background: false,
        ..WriteOptions::default()
    };
    let mut writer = warehouse
        .writer(&table("ops", "deliveries")?, deliveries_schema(), options)
        .await
        .map_err(|error| store_error("open ops.deliveries", error))?;
    writer
        .write(None, &batch)
        .map_err(|error| store_error("write ops.deliveries", error))?;
    let details = CommitDetails {
        operation: "record deliveries".to_owned(),
        ..CommitDetails::default()
    };
    writer
        .commit(CommitMode::ReplaceAll, details)
        .await
        .map_err(|error| store_error("commit ops.deliveries", error))?;
    Ok(())
}

/// The same bytes again are an event of their own and not the delivery.
fn ledger_id(outcome: &DeliveryOutcome) -> String {
    match outcome.status {
        DeliveryStatus::Duplicate if !outcome.delivery_id.contains("/duplicate/") => {
            format!("{}/duplicate/{}", outcome.delivery_id, outcome.file_name)
        }
        _ => outcome.delivery_id.clone(),
    }
}

/// Of the deliveries of a period that replace each other, the highest revision stands.
fn mark_superseded(contracts: &BTreeMap<String, Contract>, outcomes: &mut [DeliveryOutcome]) {
    let replaces = |outcome: &DeliveryOutcome| {
        contracts
            .get(&outcome.source)
            .is_some_and(|contract| contract.revision == RevisionRule::ReplacePeriod)
    };
    let mut standing: BTreeMap<(String, Option<String>), (u32, String)> = BTreeMap::new();
    for outcome in outcomes.iter() {
        if outcome.status.is_accepted() && replaces(outcome) {
            let highest = standing
                .entry((outcome.source.clone(), outcome.period.clone()))
                .or_default();
            if outcome.revision > highest.0 {
                *highest = (outcome.revision, outcome.delivery_id.clone());
            }
        }
    }
    for outcome in outcomes {
        let was_loaded =
            outcome.status.is_accepted() || outcome.status == DeliveryStatus::Superseded;
        if !was_loaded || !replaces(outcome) {
            continue;
        }
        let key = (outcome.source.clone(), outcome.period.clone());
        if let Some((revision, delivery)) = standing.get(&key)
            && *revision > outcome.revision
        {
            outcome.superseded_by = Some(delivery.clone());
        }
    }
}

pub(crate) fn deliveries_batch(outcomes: &[DeliveryOutcome]) -> Result<RecordBatch, ArrowError> {
    let text = |of: for<'a> fn(&'a DeliveryOutcome) -> Option<&'a str>| -> ArrayRef {
        let values: Vec<Option<&str>> = outcomes.iter().map(of).collect();
        Arc::new(StringArray::from(values))
    };
    let count = |of: fn(&DeliveryOutcome) -> Option<u64>| -> ArrayRef {
        let values = outcomes
            .iter()
            .map(|outcome| of(outcome).and_then(|value| i64::try_from(value).ok()));
        Arc::new(PrimitiveArray::<Int64Type>::from_iter(values))
    };
    let won = |of: fn(&DeliveryOutcome) -> i128| -> Result<ArrayRef, ArrowError> {
        let values = outcomes.iter().map(|outcome| {
            let is_known = outcome.control_name.is_some();
            // A sum that does not fit is missing rather than wrong.
            is_known
                .then(|| of(outcome))
                .filter(|sum| sum.unsigned_abs() < 10 * value::MOST_CONTROL)
        });
        let array = PrimitiveArray::<Decimal128Type>::from_iter(values);
        Ok(Arc::new(array.with_precision_and_scale(28, 0)?))
    };
    let notices: Vec<Option<String>> = outcomes
        .iter()
        .map(|outcome| (!outcome.notices.is_empty()).then(|| outcome.notices.join(NOTICE_BREAK)))
        .collect();
    let drift: Vec<Option<String>> = outcomes
        .iter()
        .map(|outcome| {
            (!outcome.drift.is_empty())
                .then(|| serde_json::to_string(&outcome.drift).unwrap_or_default())
        })
        .collect();
    let known_on = outcomes.iter().map(|outcome| {
        let is_known = outcome.known_on != NaiveDate::MIN;
        is_known.then(|| value::days_of(outcome.known_on))
    });
    RecordBatch::try_new(
        deliveries_schema(),
        vec![
            text(|outcome| Some(&outcome.delivery_id)),
            text(|outcome| Some(&outcome.source)),
            text(|outcome| outcome.period.as_deref()),
            count(|outcome| Some(u64::from(outcome.revision))),
            Arc::new(PrimitiveArray::<Date32Type>::from_iter(known_on)),
            text(|outcome| Some(&outcome.file_name)),
            text(|outcome| (!outcome.sha256.is_empty()).then_some(outcome.sha256.as_str())),
            count(|outcome| Some(outcome.bytes)),
            text(|outcome| Some(outcome.status.as_str())),
            text(|outcome| outcome.rule.as_deref()),
            text(|outcome| outcome.reason.as_deref()),
            count(|outcome| Some(outcome.rows_delivered)),
            count(|outcome| Some(outcome.rows_accepted)),
            count(|outcome| Some(outcome.rows_quarantined)),
            count(|outcome| Some(outcome.rows_rejected)),
            count(|outcome| Some(outcome.rows_flagged)),
            count(|outcome| outcome.rows_expected),
            text(|outcome| outcome.control_name.as_deref()),
            won(|outcome| outcome.won_delivered)?,
            won(|outcome| outcome.won_accepted)?,
            won(|outcome| outcome.won_quarantined)?,
            won(|outcome| outcome.won_rejected)?,
            Arc::new(StringArray::from(notices)),
            count(|outcome| Some(outcome.rows_released)),
            count(|outcome| Some(outcome.rows_discarded)),
            won(|outcome| outcome.won_released)?,
            won(|outcome| outcome.won_discarded)?,
            text(|outcome| outcome.superseded_by.as_deref()),
            Arc::new(StringArray::from(drift)),
        ],
    )
}

const NOTICE_BREAK: &str = "; ";

/// A row read back; `None` when it is not one of ours.
fn outcome_of(batch: &RecordBatch, row: usize) -> Option<DeliveryOutcome> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .filter(|array| !array.is_null(row))
    };
    let text =
        |name: &str| column(name).map(|array| array.as_string::<i32>().value(row).to_owned());
    let count = |name: &str| {
        column(name)
            .and_then(|array| u64::try_from(array.as_primitive::<Int64Type>().value(row)).ok())
    };
    let won = |name: &str| {
        column(name).map_or(0, |array| array.as_primitive::<Decimal128Type>().value(row))
    };
    Some(DeliveryOutcome {
        delivery_id: text("delivery_id")?,
        source: text("source")?,
        period: text("period"),
        revision: u32::try_from(count("revision")?).ok()?,
        known_on: match column("known_on") {
            Some(days) => day(days.as_primitive::<Date32Type>().value(row))?,
            // A refused file of which nobody said when it became known.
            None => NaiveDate::MIN,
        },
        file_name: text("file_name").unwrap_or_default(),
        sha256: text("sha256").unwrap_or_default(),
        bytes: count("bytes")?,
        status: DeliveryStatus::parse(&text("status")?)?,
        rule: text("rule"),
        reason: text("reason"),
        rows_delivered: count("rows_delivered")?,
        rows_accepted: count("rows_accepted")?,
        rows_quarantined: count("rows_quarantined")?,
        rows_rejected: count("rows_rejected")?,
        rows_flagged: count("rows_flagged")?,
        rows_expected: count("rows_expected"),
        control_name: text("control_name"),
        won_delivered: won("won_delivered"),
        won_accepted: won("won_accepted"),
        won_quarantined: won("won_quarantined"),
        won_rejected: won("won_rejected"),
        notices: text("notices").into_iter().collect(),
        new_persons: 0,
        rows_released: count("rows_released").unwrap_or_default(),
        rows_discarded: count("rows_discarded").unwrap_or_default(),
        won_released: won("won_released"),
        won_discarded: won("won_discarded"),
        superseded_by: text("superseded_by"),
        drift: text("drift")
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
    })
}

/// The day of a number of days since 1970-01-01.
pub(crate) fn day(days: i32) -> Option<NaiveDate> {
    const FIRST: i32 = 719_163;
    NaiveDate::from_num_days_from_ce_opt(days + FIRST)
}
