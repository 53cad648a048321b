//! The days of a case: what a person did on them as the records tell, and which of them are in question.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{Days, NaiveDate};
use goyong_site::{DossierEvidence, Lane, Stretch};
use goyong_types::TableName;

use crate::case_facts::Desk;

/// Days shown before the first and after the last day in question.
const AROUND: u64 = 90;
/// The end of what has not ended.
const OPEN_END: &str = "9999-12-31";

/// Kinds of days, the table that tells them, and its rows as person, kind of record, first and last day.
const SOURCES: [(Lane, &str, &str); 5] = [
    (
        Lane::Insured,
        "core.biography_spell",
        "select person_key, 'insured_spell' as kind, from_on, to_on from core.biography_spell \
         where state = 'insured'",
    ),
    (
        Lane::DailyWork,
        "core.biography_spell",
        "select person_key, 'daily_work' as kind, from_on, to_on from core.biography_spell \
         where state = 'daily'",
    ),
    (
        Lane::Certified,
        "core.certification",
        "select person_key, 'round' as kind, period_from as from_on, period_to as to_on from core.certification",
    ),
    (
        Lane::Paid,
        "core.certification",
        "select person_key, 'round' as kind, period_from as from_on, period_to as to_on from core.certification \
         where days_paid > 0",
    ),
    (
        Lane::Abroad,
        "core.border_stay",
        "select person_key, 'border_stay' as kind, left_on as from_on, abroad_until as to_on from core.border_stay",
    ),
];

/// Days of a case.
#[derive(Debug, Default)]
pub(crate) struct CaseDays {
    /// First and last day of the picture.
    pub(crate) window: Option<[String; 2]>,
    /// Stretches that touch it.
    pub(crate) days: Vec<Stretch>,
    /// Kinds of days of which the release has no table.
    pub(crate) not_told: Vec<Lane>,
}

/// What the records of persons tell, whenever it was.
#[derive(Debug, Default)]
pub(crate) struct PersonDays {
    by_person: BTreeMap<i64, Vec<Stretch>>,
    /// Kinds of days of which the release has no table.
    not_told: Vec<Lane>,
}

impl PersonDays {
    /// Reads the days of persons, one query for each kind.
    pub(crate) async fn read(desk: &Desk<'_>, persons: &[i64]) -> Result<Self> {
        let mut read = Self::default();
        if persons.is_empty() {
            return Ok(read);
        }
        let persons: Vec<String> = persons.iter().map(i64::to_string).collect();
        for (lane, table, sql) in SOURCES {
            if !desk.has(&table.parse::<TableName>()?) {
                read.not_told.push(lane);
                continue;
            }
            let sql = format!(
                "select cast(person_key as varchar) as person, kind, cast(from_on as varchar) as from_on, \
                 cast(to_on as varchar) as to_on from ({sql}) told \
                 where person_key in ({}) and from_on is not null and to_on is not null",
                persons.join(", ")
            );
            for [person, kind, from, to] in desk
                .texts(&sql, ["person", "kind", "from_on", "to_on"])
                .await?
            {
                let of_person = read.by_person.entry(person.parse()?).or_default();
                of_person.push(Stretch {
                    lane,
                    from,
                    to: (to != OPEN_END).then_some(to),
                    kind,
                });
            }
        }
        Ok(read)
    }
}

impl CaseDays {
    /// The days around those in question. `person` is whom the case is about, where it is about one.
    pub(crate) fn new(
        told: &PersonDays,
        evidence: &[DossierEvidence],
        in_question: (Option<NaiveDate>, Option<NaiveDate>),
        known_until: Option<NaiveDate>,
        person: Option<i64>,
    ) -> Self {
        let Some((first, last)) = window(evidence, in_question, known_until) else {
            return Self::default();
        };
        let mut days = of_evidence(evidence);
        let mut not_told = Vec::new();
        if let Some(person) = person {
            days.extend(told.by_person.get(&person).into_iter().flatten().cloned());
            not_told.clone_from(&told.not_told);
        }
        let (first, last) = (first.to_string(), last.to_string());
        days.retain(|days| days.from <= last && days.to.as_ref().is_none_or(|to| *to >= first));
        days.sort();
        days.dedup();
        Self {
            window: Some([first, last]),
            days,
            not_told,
        }
    }
}

/// What the evidence questions, and the records it rests on.
fn of_evidence(evidence: &[DossierEvidence]) -> Vec<Stretch> {
    let mut days = Vec::new();
    for row in evidence {
        let kinds = [
            (
                Lane::Questioned,
                &row.subject_kind,
                &row.subject_from,
                &row.subject_to,
            ),
            (
                Lane::Record,
                &row.evidence_kind,
                &row.evidence_from,
                &row.evidence_to,
            ),
        ];
        for (lane, kind, from, to) in kinds {
            if let Some(from) = from {
                days.push(Stretch {
                    lane,
                    from: from.clone(),
                    to: to.clone(),
                    kind: kind.clone(),
                });
            }
        }
    }
    days
}

/// The days in question with some around them; nothing is shown behind the last day anything is known of, unless it
/// is in question itself.
fn window(
    evidence: &[DossierEvidence],
    (first_on, last_on): (Option<NaiveDate>, Option<NaiveDate>),
    known_until: Option<NaiveDate>,
) -> Option<(NaiveDate, NaiveDate)> {
    let day = |text: &Option<String>| text.as_ref()?.parse::<NaiveDate>().ok();
    let subjects = || {
        evidence
            .iter()
            .map(|row| (day(&row.subject_from), day(&row.subject_to)))
    };
    let first = subjects()
        .filter_map(|(from, _)| from)
        .chain(first_on)
        .min()?;
    let last = subjects()
        .filter_map(|(_, to)| to)
        .chain(last_on)
        .max()
        .unwrap_or(first)
        .max(first);
    let from = first.checked_sub_days(Days::new(AROUND))?;
    let until = last.checked_add_days(Days::new(AROUND))?;
    let until = known_until
        .map_or(until, |known| until.min(known))
        .max(last);
    Some((from, until))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_picture_ends_where_knowledge_ends_but_never_before_what_is_in_question() {
        let question = (Some(day("2025-06-10")), Some(day("2025-06-29")));
        let shown = |known: &str| window(&[], question, Some(day(known))).unwrap();
        assert_eq!(shown("2026-01-01"), (day("2025-03-12"), day("2025-09-27")));
        assert_eq!(shown("2025-07-15").1, day("2025-07-15"));
        assert_eq!(shown("2025-06-01").1, day("2025-06-29"));
        assert_eq!(
            window(&[], (None, None), None),
            None,
            "a claim that was drawn"
        );
    }
}
