//! From a row of evidence back to the delivered rows it rests on: source, delivery and row.

use anyhow::Result;
use goyong_cases::Evidence;
use goyong_site::DeliveredRow;
use goyong_types::TableName;

use crate::export_case::Desk;

/// A source and what its rows must fulfil.
type Place = (&'static str, String);

impl Desk<'_> {
    /// The delivered rows behind a row of evidence, as the release has them: what is questioned, and what speaks for it.
    pub(crate) async fn trace_evidence(&self, row: &Evidence) -> Result<Vec<DeliveredRow>> {
        let mut found = Vec::new();
        for (source, condition) in [subject(row), fact(row)].into_iter().flatten() {
            if !self.has(&TableName::new("staging", source)?) {
                continue;
            }
            let sql = format!(
                "select _delivery_id, cast(_row_number as varchar) as row_number from staging.{source} \
                 where {condition} order by _delivery_id, _row_number"
            );
            for [delivery, row_number] in self.texts(&sql, ["_delivery_id", "row_number"]).await? {
                found.push(DeliveredRow {
                    source: source.to_owned(),
                    delivery,
                    row: row_number.parse().unwrap_or_default(),
                });
            }
        }
        Ok(found)
    }
}

/// A text in SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The parts of a key, as many as are asked for.
fn parts<const N: usize>(key: &str) -> Option<[String; N]> {
    let parts: Vec<String> = key.splitn(N, '/').map(quoted).collect();
    parts.try_into().ok()
}

fn subject(row: &Evidence) -> Option<Place> {
    let key = quoted(&row.subject_key);
    Some(match row.subject_kind.as_str() {
        "round" => {
            let [claim_no, round] = parts(&row.subject_key)?;
            let condition = format!("claim_no = {claim_no} and cast(round as varchar) = {round}");
            ("ei_certification", condition)
        }
        "claim" => ("ei_benefit_claim", format!("claim_no = {key}")),
        "subsidy" => ("ei_subsidy", format!("decision_no = {key}")),
        _ => return None,
    })
}

fn fact(row: &Evidence) -> Option<Place> {
    let person = format!("person_key = {}", row.person_key?);
    let key = quoted(&row.evidence_key);
    let day = |column: &str, day: &str| format!("cast({column} as varchar) = {day}");
    let (source, condition) = match row.evidence_kind.as_str() {
        "insured_spell" | "no_wage_statement" | "late_loss" => {
            let [workplace, acquired_on] = parts(&row.evidence_key)?;
            let condition = format!(
                "workplace_no = {workplace} and {}",
                day("acquired_on", &acquired_on)
            );
            ("ei_insured_spell", condition)
        }
        "reason_changed" => {
            let [workplace, acquired_on, _] = parts(&row.evidence_key)?;
            let condition = format!(
                "workplace_no = {workplace} and {}",
                day("acquired_on", &acquired_on)
            );
            ("ei_insured_spell", condition)
        }
        "mass_rehire" => {
            let [workplace, _] = parts(&row.evidence_key)?;
            ("ei_insured_spell", format!("workplace_no = {workplace}"))
        }
        "daily_work" => {
            let [workplace, month] = parts(&row.evidence_key)?;
            (
                "ei_daily_work",
                format!(
                    "workplace_no = {workplace} and {}",
                    day("work_month", &month)
                ),
            )
        }
        "wage_statement" => {
            let [payer, month] = parts(&row.evidence_key)?;
            let condition = format!("payer_biz_no = {payer} and {}", day("paid_month", &month));
            ("nts_wage_statement", condition)
        }
        "border_stay" => ("moj_border", day("left_on", &key)),
        "military_service" => {
            let [kind, service_from] = parts(&row.evidence_key)?;
            (
                "mma_service",
                format!("kind = {kind} and {}", day("service_from", &service_from)),
            )
        }
        "business" => ("nts_business_registration", format!("biz_no = {key}")),
        "shared_account" => ("ei_certification", format!("account_digest = {key}")),
        "shared_device" => ("ei_certification", format!("device_digest = {key}")),
        "back_dated_hire" | "at_work_elsewhere" => {
            let condition = format!("decision_no = {}", quoted(&row.subject_key));
            ("ei_subsidy_person", condition)
        }
        _ => return None,
    };
    Some((source, format!("{person} and {condition}")))
}
