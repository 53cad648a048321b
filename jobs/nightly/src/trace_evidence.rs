//! From rows of evidence back to the delivered rows they rest on: source, delivery and row.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{Days, NaiveDate};
use goyong_cases::Evidence;
use goyong_site::DeliveredRow;
use goyong_types::TableName;

use crate::case_facts::Desk;

/// Rows of evidence that one query looks for.
const ROWS_OF_A_QUERY: usize = 1_000;
/// Delivered rows shown for a row of evidence, of one source each; the others are counted.
const MOST_ROWS: usize = 10;

/// A row of evidence, and the day on which its rule turns as the release has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) row: &'a Evidence,
    pub(crate) fact_on: Option<NaiveDate>,
}

/// The delivered rows behind a row of evidence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traced {
    pub(crate) rows: Vec<DeliveredRow>,
    /// Rows beyond those.
    pub(crate) not_shown: usize,
}

/// The rows of a source that a row of evidence rests on.
struct Place {
    source: &'static str,
    rows: Rows,
    /// What stands in them: a condition over their columns, `{}` for the value, and the value, both in SQL.
    keys: Vec<(&'static str, String)>,
}

/// Whose rows a place asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rows {
    /// What is questioned.
    Subject,
    /// Of whom the row of evidence is about.
    Own,
    /// Of the business of a workplace, whose number stands in `asked_workplace_no`.
    Business,
    /// Of other people; of their insured spells those that were not cancelled.
    Others,
}

impl Place {
    fn new<const N: usize>(
        source: &'static str,
        rows: Rows,
        keys: [(&'static str, String); N],
    ) -> Option<Self> {
        let keys = keys.into();
        Some(Self { source, rows, keys })
    }
}

/// The sources that a row of evidence rests on, without what is questioned.
pub(crate) fn sources_of(row: &Evidence) -> Vec<&'static str> {
    let mut sources = Vec::new();
    for place in facts(Asked { row, fact_on: None }) {
        if !sources.contains(&place.source) {
            sources.push(place.source);
        }
    }
    sources
}

impl Desk<'_> {
    /// The delivered rows behind each row of evidence, by its number, as the release has them: what is questioned, then
    /// what speaks for it. One query for the rows of a source and kind.
    pub(crate) async fn trace_evidence(
        &self,
        evidence: &[Asked<'_>],
    ) -> Result<BTreeMap<i64, Traced>> {
        let mut asked: BTreeMap<(Rows, &str, Vec<&str>), Vec<String>> = BTreeMap::new();
        for one in evidence {
            for place in subject(one.row).into_iter().chain(facts(*one)) {
                let (conditions, values): (Vec<&str>, Vec<String>) = place.keys.into_iter().unzip();
                let question = format!("({}, {})", one.row.evidence_no, values.join(", "));
                let of_place = asked.entry((place.rows, place.source, conditions));
                of_place.or_default().push(question);
            }
        }
        let mut found: BTreeMap<i64, Traced> = BTreeMap::new();
        for ((rows, source, conditions), questions) in asked {
            let is_told =
                |source| Ok::<_, anyhow::Error>(self.has(&TableName::new("staging", source)?));
            if !is_told(source)? || (rows == Rows::Business && !is_told("ei_workplace")?) {
                continue;
            }
            for questions in questions.chunks(ROWS_OF_A_QUERY) {
                let sql = rows_behind(rows, source, &conditions, questions);
                let columns = ["evidence_no", "_delivery_id", "row_number", "all_rows"];
                for [evidence_no, delivery, row, all] in self.texts(&sql, columns).await? {
                    let delivered = DeliveredRow {
                        source: source.to_owned(),
                        delivery,
                        row: row.parse().unwrap_or_default(),
                        is_of_others: rows == Rows::Others,
                    };
                    let traced = found.entry(evidence_no.parse()?).or_default();
                    let all: usize = all.parse().unwrap_or_default();
                    traced.not_shown += all.saturating_sub(MOST_ROWS);
                    if !traced.rows.contains(&delivered) {
                        traced.rows.push(delivered);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Number of the evidence, delivery and row number of the first rows of a source that the questions ask for, and how
/// many there are in all, told by the first.
fn rows_behind(rows: Rows, source: &str, conditions: &[&str], questions: &[String]) -> String {
    let names: Vec<String> = (0..conditions.len())
        .map(|at| format!("asked_{at}"))
        .collect();
    let same: Vec<String> = conditions
        .iter()
        .zip(&names)
        .map(|(condition, name)| condition.replace("{}", name))
        .collect();
    let table = match rows {
        Rows::Business => format!(
            "(select told.*, workplace.workplace_no as asked_workplace_no from staging.{source} told join \
             (select distinct workplace_no, biz_no from staging.ei_workplace) workplace \
             on workplace.biz_no = told.biz_no)"
        ),
        _ => format!("staging.{source}"),
    };
    let is_cancelled = match (rows, source) {
        (Rows::Others, "ei_insured_spell") => {
            "max(case when lost_on <= acquired_on then 1 else 0 end) over (\
             partition by evidence_no, person_key, workplace_no, acquired_on)"
        }
        _ => "0",
    };
    format!(
        "with found as (select evidence_no, _delivery_id, _row_number, {is_cancelled} as is_cancelled from {table} told \
         join (values {}) as asked (evidence_no, {}) on {}), \
         placed as (select evidence_no, _delivery_id, _row_number, \
         row_number() over (partition by evidence_no order by _delivery_id, _row_number) as place, \
         count(*) over (partition by evidence_no) as all_rows from found where is_cancelled = 0) \
         select cast(evidence_no as varchar) as evidence_no, _delivery_id, cast(_row_number as varchar) as row_number, \
         case when place = 1 then cast(all_rows as varchar) else '' end as all_rows \
         from placed where place <= {MOST_ROWS} order by evidence_no, place",
        questions.join(", "),
        names.join(", "),
        same.join(" and ")
    )
}

/// A text in SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A day in SQL.
fn dated(day: NaiveDate) -> String {
    format!("date '{day}'")
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
            let keys = [
                ("claim_no = {}", claim_no),
                ("cast(round as varchar) = {}", round),
            ];
            Place::new("ei_certification", Rows::Subject, keys)
        }
        "claim" => Place::new("ei_benefit_claim", Rows::Subject, [("claim_no = {}", key)]),
        "subsidy" => Place::new("ei_subsidy", Rows::Subject, [("decision_no = {}", key)]),
        _ => None,
    }
}

/// What speaks for a row of evidence. A kind of evidence that stands in no source has none.
fn facts(asked: Asked<'_>) -> Vec<Place> {
    let Some(person) = asked.row.person_key else {
        return Vec::new();
    };
    let own = OwnRows {
        row: asked.row,
        person: person.to_string(),
    };
    let key = &asked.row.evidence_key;
    let found = match asked.row.evidence_kind.as_str() {
        "insured_spell" | "late_loss" => vec![own.acquisition()],
        "no_wage_statement" => vec![
            own.acquisition(),
            own.closed_workplace(),
            own.closed_business(),
        ],
        "reason_changed" => vec![own.acquisition(), own.correction()],
        "mass_rehire" | "rehired" => vec![own.separation(), own.rehire(asked.fact_on)],
        "late_report" | "unpaid" | "whole_staff" | "separation" => vec![own.separation()],
        "redundant_beside_hires" => {
            let mut found = vec![own.separation()];
            found.extend(own.beside_hires());
            found
        }
        "daily_work" => vec![own.of_month(
            "ei_daily_work",
            [WORKPLACE, "cast(work_month as varchar) = {}"],
        )],
        "wage_statement" => vec![own.of_month(
            "nts_wage_statement",
            ["payer_biz_no = {}", "cast(paid_month as varchar) = {}"],
        )],
        "border_stay" => vec![own.place(
            "moj_border",
            [("cast(left_on as varchar) = {}", quoted(key))],
        )],
        "military_service" => vec![own.of_month(
            "mma_service",
            ["kind = {}", "cast(service_from as varchar) = {}"],
        )],
        "business" => vec![own.place("nts_business_registration", [("biz_no = {}", quoted(key))])],
        "shared_account" | "account" => own.shared("account_digest = {} and days_paid > 0"),
        "shared_device" | "device" => {
            own.shared("device_digest = {} and days_paid > 0 and channel = 'online'")
        }
        "back_dated_hire" => vec![own.named_for_subsidy(), own.back_dated()],
        "at_work_elsewhere" => vec![own.named_for_subsidy(), own.paid_elsewhere()],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

const PERSON: &str = "person_key = {}";
const OTHERS: &str = "person_key <> {}";
const WORKPLACE: &str = "workplace_no = {}";
const ACQUIRED: &str = "cast(acquired_on as varchar) = {}";

/// The rows of whom a row of evidence is about, and those of others beside them.
struct OwnRows<'a> {
    row: &'a Evidence,
    person: String,
}

impl OwnRows<'_> {
    fn place<const N: usize>(
        &self,
        source: &'static str,
        keys: [(&'static str, String); N],
    ) -> Option<Place> {
        let mut place = Place::new(source, Rows::Own, keys)?;
        place.keys.insert(0, (PERSON, self.person.clone()));
        Some(place)
    }

    /// By a key of two parts behind the person.
    fn of_month(&self, source: &'static str, conditions: [&'static str; 2]) -> Option<Place> {
        let [first, month] = parts(&self.row.evidence_key)?;
        self.place(source, [(conditions[0], first), (conditions[1], month)])
    }

    /// Workplace and day of acquisition, where they begin the key.
    fn spell_key(&self) -> Option<[(&'static str, String); 2]> {
        let mut parts = self.row.evidence_key.split('/').map(quoted);
        Some([(WORKPLACE, parts.next()?), (ACQUIRED, parts.next()?)])
    }

    fn acquisition(&self) -> Option<Place> {
        self.place("ei_insured_spell", self.spell_key()?)
    }

    fn correction(&self) -> Option<Place> {
        self.place("ei_correction", self.spell_key()?)
    }

    /// The report of the loss; the record of these kinds begins on the last insured day.
    fn separation(&self) -> Option<Place> {
        let lost_on = day(self.row.evidence_from.as_ref())?.succ_opt()?;
        self.place("ei_insured_spell", [("lost_on = {}", dated(lost_on))])
    }

    fn rehire(&self, rehired_on: Option<NaiveDate>) -> Option<Place> {
        self.place(
            "ei_insured_spell",
            [("acquired_on = {}", dated(rehired_on?))],
        )
    }

    fn closed_workplace(&self) -> Option<Place> {
        let [workplace, _] = parts(&self.row.evidence_key)?;
        let keys = [("workplace_no = {} and closed_on is not null", workplace)];
        Place::new("ei_workplace", Rows::Own, keys)
    }

    fn closed_business(&self) -> Option<Place> {
        let [workplace, _] = parts(&self.row.evidence_key)?;
        let keys = [(
            "asked_workplace_no = {} and closed_on is not null",
            workplace,
        )];
        Place::new("nts_business_registration", Rows::Business, keys)
    }

    /// Others made redundant in the occupation at the time, and those hired for it: the days are those of F06.
    fn beside_hires(&self) -> [Option<Place>; 2] {
        let of_days = |conditions: [&'static str; 2], [from, to]: [i64; 2]| {
            let [workplace, separated_on, occupation] = parts(&self.row.evidence_key)?;
            let separated_on: NaiveDate = separated_on.trim_matches('\'').parse().ok()?;
            let keys = [
                (OTHERS, self.person.clone()),
                (WORKPLACE, workplace),
                ("occupation = {}", occupation),
                (conditions[0], dated(shifted(separated_on, from)?)),
                (conditions[1], dated(shifted(separated_on, to)?)),
            ];
            Place::new("ei_insured_spell", Rows::Others, keys)
        };
        [
            // The day of the loss is the one behind the last insured day.
            of_days(
                ["loss_reason = '23' and lost_on >= {}", "lost_on <= {}"],
                [-44, 46],
            ),
            of_days(["acquired_on >= {}", "acquired_on <= {}"], [-30, 60]),
        ]
    }

    /// Certifications with one account or device: the person's, and those of the others that share it.
    fn shared(&self, condition: &'static str) -> Vec<Option<Place>> {
        let key = || quoted(&self.row.evidence_key);
        let of_others = [(OTHERS, self.person.clone()), (condition, key())];
        vec![
            self.place("ei_certification", [(condition, key())]),
            Place::new("ei_certification", Rows::Others, of_others),
        ]
    }

    fn named_for_subsidy(&self) -> Option<Place> {
        let decision = quoted(&self.row.subject_key);
        self.place("ei_subsidy_person", [("decision_no = {}", decision)])
    }

    fn back_dated(&self) -> Option<Place> {
        let acquired_on = dated(day(self.row.evidence_from.as_ref())?);
        self.place("ei_insured_spell", [("acquired_on = {}", acquired_on)])
    }

    fn paid_elsewhere(&self) -> Option<Place> {
        let [from, to] =
            [&self.row.evidence_from, &self.row.evidence_to].map(|on| day(on.as_ref()));
        let keys = [
            ("paid_to >= {}", dated(from?)),
            ("paid_from <= {}", dated(to?)),
        ];
        self.place("nts_wage_statement", keys)
    }
}

fn day(text: Option<&String>) -> Option<NaiveDate> {
    text?.parse().ok()
}

fn shifted(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    let by = Days::new(days.unsigned_abs());
    if days < 0 {
        day.checked_sub_days(by)
    } else {
        day.checked_add_days(by)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::case_allegations::tests::kinds_of_rules;
    use crate::case_notice::tests::evidence;

    #[test]
    fn every_kind_of_evidence_leads_to_a_source() {
        for (rule, kind) in kinds_of_rules() {
            let row = evidence(1, &rule, &kind, 7);
            assert!(!sources_of(&row).is_empty(), "{rule} {kind}");
        }
    }

    #[test]
    fn hires_beside_a_redundancy_are_those_of_others_for_the_same_occupation() {
        let row = evidence(1, "F06", "redundant_beside_hires", 7);
        let places = facts(Asked {
            row: &row,
            fact_on: None,
        });
        let of_others: Vec<_> = places
            .iter()
            .filter(|place| place.rows == Rows::Others)
            .collect();
        assert_eq!(of_others.len(), 2);
        let hires = of_others[1];
        assert_eq!(hires.keys[0], (OTHERS, "7".to_owned()));
        // The key names 2025-06-09.
        assert_eq!(hires.keys[3].1, "date '2025-05-10'");
        assert_eq!(hires.keys[4].1, "date '2025-08-08'");
        let sql = rows_behind(
            Rows::Others,
            hires.source,
            &["acquired_on >= {}"],
            &["(1, 2)".into()],
        );
        assert!(sql.contains("acquired_on >= asked_0") && sql.contains("lost_on <= acquired_on"));
    }

    #[test]
    fn a_row_about_nobody_rests_on_no_record() {
        let mut row = evidence(1, "F06", "redundant_beside_hires", 7);
        row.person_key = None;
        assert!(sources_of(&row).is_empty());
    }
}
