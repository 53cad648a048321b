//! From rows of evidence back to the delivered rows they rest on: source, delivery and row.

use std::collections::BTreeMap;

use anyhow::Result;
use goyong_cases::Evidence;
use goyong_site::DeliveredRow;
use goyong_types::TableName;

use crate::export_case::Desk;

/// Rows of evidence that one query looks for.
const ROWS_OF_A_QUERY: usize = 1_000;

/// A source, and what stands in its rows: an expression over its columns and the value, both in SQL.
struct Place {
    source: &'static str,
    keys: Vec<(&'static str, String)>,
}

impl Place {
    fn new<const N: usize>(
        source: &'static str,
        keys: [(&'static str, String); N],
    ) -> Option<Self> {
        Some(Self {
            source,
            keys: keys.into(),
        })
    }
}

impl Desk<'_> {
    /// The delivered rows behind each row of evidence, by its number, as the release has them: what is questioned, then
    /// what speaks for it. One query for the rows of a source and kind.
    pub(crate) async fn trace_evidence<'a>(
        &self,
        evidence: impl Iterator<Item = &'a Evidence> + Clone,
    ) -> Result<BTreeMap<i64, Vec<DeliveredRow>>> {
        let mut found: BTreeMap<i64, Vec<DeliveredRow>> = BTreeMap::new();
        for place_of in [subject, fact] {
            let mut asked: BTreeMap<(&str, Vec<&str>), Vec<String>> = BTreeMap::new();
            for row in evidence.clone() {
                let Some(place) = place_of(row) else { continue };
                let (columns, values): (Vec<&str>, Vec<String>) = place.keys.into_iter().unzip();
                let question = format!("({}, {})", row.evidence_no, values.join(", "));
                let of_place = asked.entry((place.source, columns)).or_default();
                of_place.push(question);
            }
            for ((source, columns), questions) in asked {
                if !self.has(&TableName::new("staging", source)?) {
                    continue;
                }
                for questions in questions.chunks(ROWS_OF_A_QUERY) {
                    for [evidence_no, delivery, row] in
                        self.rows_behind(source, &columns, questions).await?
                    {
                        let delivered = DeliveredRow {
                            source: source.to_owned(),
                            delivery,
                            row: row.parse().unwrap_or_default(),
                        };
                        found
                            .entry(evidence_no.parse()?)
                            .or_default()
                            .push(delivered);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Number of the evidence, delivery and row number of each row of a source that one of the questions asks for.
    async fn rows_behind(
        &self,
        source: &str,
        columns: &[&str],
        questions: &[String],
    ) -> Result<Vec<[String; 3]>> {
        let names: Vec<String> = (0..columns.len()).map(|at| format!("asked_{at}")).collect();
        let pairs = columns.iter().zip(&names);
        let same: Vec<String> = pairs
            .map(|(column, name)| format!("{column} = {name}"))
            .collect();
        let sql = format!(
            "select cast(evidence_no as varchar) as evidence_no, _delivery_id, \
             cast(_row_number as varchar) as row_number from staging.{source} \
             join (values {}) as asked (evidence_no, {}) on {} order by _delivery_id, _row_number",
            questions.join(", "),
            names.join(", "),
            same.join(" and ")
        );
        self.texts(&sql, ["evidence_no", "_delivery_id", "row_number"])
            .await
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
    match row.subject_kind.as_str() {
        "round" => {
            let [claim_no, round] = parts(&row.subject_key)?;
            let keys = [("claim_no", claim_no), ("cast(round as varchar)", round)];
            Place::new("ei_certification", keys)
        }
        "claim" => Place::new("ei_benefit_claim", [("claim_no", key)]),
        "subsidy" => Place::new("ei_subsidy", [("decision_no", key)]),
        _ => None,
    }
}

fn fact(row: &Evidence) -> Option<Place> {
    let person = ("person_key", row.person_key?.to_string());
    let key = quoted(&row.evidence_key);
    let acquisition = |workplace: String, acquired_on: String| {
        let keys = [
            person.clone(),
            ("workplace_no", workplace),
            ("cast(acquired_on as varchar)", acquired_on),
        ];
        Place::new("ei_insured_spell", keys)
    };
    match row.evidence_kind.as_str() {
        "insured_spell" | "no_wage_statement" | "late_loss" => {
            let [workplace, acquired_on] = parts(&row.evidence_key)?;
            acquisition(workplace, acquired_on)
        }
        "reason_changed" => {
            let [workplace, acquired_on, _] = parts(&row.evidence_key)?;
            acquisition(workplace, acquired_on)
        }
        "mass_rehire" => {
            let [workplace, _] = parts(&row.evidence_key)?;
            Place::new("ei_insured_spell", [person, ("workplace_no", workplace)])
        }
        "daily_work" => {
            let [workplace, month] = parts(&row.evidence_key)?;
            let month = ("cast(work_month as varchar)", month);
            Place::new(
                "ei_daily_work",
                [person, ("workplace_no", workplace), month],
            )
        }
        "wage_statement" => {
            let [payer, month] = parts(&row.evidence_key)?;
            let month = ("cast(paid_month as varchar)", month);
            Place::new(
                "nts_wage_statement",
                [person, ("payer_biz_no", payer), month],
            )
        }
        "border_stay" => Place::new("moj_border", [person, ("cast(left_on as varchar)", key)]),
        "military_service" => {
            let [kind, from] = parts(&row.evidence_key)?;
            let from = ("cast(service_from as varchar)", from);
            Place::new("mma_service", [person, ("kind", kind), from])
        }
        "business" => Place::new("nts_business_registration", [person, ("biz_no", key)]),
        "shared_account" => Place::new("ei_certification", [person, ("account_digest", key)]),
        "shared_device" => Place::new("ei_certification", [person, ("device_digest", key)]),
        "back_dated_hire" | "at_work_elsewhere" => {
            let decision = ("decision_no", quoted(&row.subject_key));
            Place::new("ei_subsidy_person", [person, decision])
        }
        _ => None,
    }
}
