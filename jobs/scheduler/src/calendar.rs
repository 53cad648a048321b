//! Days on which a place does not work, as dated facts: which day, and since when it is known.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::document::{Document, Placed, Section};
use crate::error::Problem;

/// Why a day is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolidayKind {
    /// Of the solar calendar or of another law.
    Fixed,
    /// Of the lunar calendar.
    Lunar,
    /// Instead of a holiday that fell on a free day.
    Substitute,
    /// Declared for one occasion.
    Temporary,
}

impl HolidayKind {
    const WORDS: [(&'static str, Self); 4] = [
        ("fixed", Self::Fixed),
        ("lunar", Self::Lunar),
        ("substitute", Self::Substitute),
        ("temporary", Self::Temporary),
    ];
}

/// A free day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// What people call it.
    pub name: String,
    /// Why it is free.
    pub kind: HolidayKind,
    /// The day it became known; none when it follows from rules that were there before.
    pub known_on: Option<NaiveDate>,
}

/// The free days of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// What plans call it.
    pub name: String,
    weekend: Vec<Weekday>,
    holidays: BTreeMap<NaiveDate, Holiday>,
}

/// Days looked at before a calendar is held to have no business day at all.
const FURTHEST: u64 = 366;

impl Calendar {
    /// Reads a calendar. `dates_of` gives the text of a file that `dates_from` names: lines `day,name` under a header.
    pub fn parse(
        name: &str,
        file: &str,
        text: &str,
        dates_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let document = Document { file, text };
        let table = document.parse()?;
        let mut section = document.section(table.get_ref(), 0);
        let mut weekend = Vec::new();
        for day in section.texts("weekend")? {
            weekend.push(day.value.parse().map_err(|_| {
                section.problem(day.offset, format!("`{}` is no day of the week", day.value))
            })?);
        }
        let mut holidays = BTreeMap::new();
        let rules = kind_rules(section.sections("kind")?)?;
        if let Some(source) = section.text("dates_from")? {
            let text = dates_of(&source.value).ok_or_else(|| {
                section.problem(source.offset, format!("`{}` is not at hand", source.value))
            })?;
            read_dates(&source.value, &text, &rules, &mut holidays)?;
        }
        for date in section.sections("date")? {
            let (day, holiday) = read_date(date, &holidays)?;
            holidays.insert(day, holiday);
        }
        section.finish()?;
        Ok(Self {
            name: name.to_owned(),
            weekend,
            holidays,
        })
    }

    /// The holiday on a day, as far as it was known on another.
    pub fn holiday(&self, day: NaiveDate, known_on: NaiveDate) -> Option<&Holiday> {
        self.holidays
            .get(&day)
            .filter(|holiday| holiday.known_on.is_none_or(|since| since <= known_on))
    }

    /// All holidays, in order.
    pub fn holidays(&self) -> impl Iterator<Item = (NaiveDate, &Holiday)> {
        self.holidays.iter().map(|(day, holiday)| (*day, holiday))
    }

    /// Why a day is free, as far as it was known on another; none on a business day.
    pub fn free_day(&self, day: NaiveDate, known_on: NaiveDate) -> Option<String> {
        match self.holiday(day, known_on) {
            Some(holiday) => Some(holiday.name.clone()),
            None => self
                .weekend
                .contains(&day.weekday())
                .then(|| day.weekday().to_string()),
        }
    }

    /// The first business day after a day.
    pub fn next_business_day(&self, day: NaiveDate, known_on: NaiveDate) -> Option<NaiveDate> {
        (1..=FURTHEST)
            .filter_map(|days| day.checked_add_days(Days::new(days)))
            .find(|day| self.free_day(*day, known_on).is_none())
    }

    /// The last day of the last year that has any holiday: later ones are not listed yet.
    pub fn listed_until(&self) -> Option<NaiveDate> {
        let (last, _) = self.holidays.last_key_value()?;
        NaiveDate::from_ymd_opt(last.year(), 12, 31)
    }
}

struct KindRule {
    contains: String,
    kind: HolidayKind,
}

fn kind_rules(sections: Vec<Section<'_>>) -> Result<Vec<KindRule>, Problem> {
    let mut rules = Vec::new();
    for mut section in sections {
        let contains = required(&mut section, "name_contains")?.value;
        let kind = section
            .word("kind", &HolidayKind::WORDS)?
            .ok_or_else(|| section.lacks("a [[kind]] names a `kind`"))?;
        section.finish()?;
        rules.push(KindRule { contains, kind });
    }
    Ok(rules)
}

fn required(section: &mut Section<'_>, key: &'static str) -> Result<Placed<String>, Problem> {
    section
        .text(key)?
        .ok_or_else(|| section.lacks(format!("`{key}` is missing")))
}

fn read_dates(
    file: &str,
    text: &str,
    rules: &[KindRule],
    holidays: &mut BTreeMap<NaiveDate, Holiday>,
) -> Result<(), Problem> {
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        let wrong = |message: &str| Problem {
            file: file.to_owned(),
            line: number,
            message: message.to_owned(),
        };
        let (day, name) = line
            .trim_end()
            .split_once(',')
            .ok_or_else(|| wrong("a line is `day,name`"))?;
        let day = day
            .parse()
            .map_err(|_| wrong("the day is written as 2026-01-01"))?;
        if name.contains('"') {
            return Err(wrong("a name stands without quotes"));
        }
        let kind = rules
            .iter()
            .find(|rule| name.contains(&rule.contains))
            .map_or(HolidayKind::Fixed, |rule| rule.kind);
        let holiday = Holiday {
            name: name.to_owned(),
            kind,
            known_on: None,
        };
        holidays.insert(day, holiday);
    }
    Ok(())
}

/// A fact of its own, or more about a day that the list has already.
fn read_date(
    mut section: Section<'_>,
    listed: &BTreeMap<NaiveDate, Holiday>,
) -> Result<(NaiveDate, Holiday), Problem> {
    let text = required(&mut section, "date")?;
    let day: NaiveDate = text.value.parse().map_err(|_| {
        section.problem(
            text.offset,
            format!("`{}` is no day, write 2026-01-01", text.value),
        )
    })?;
    let known = listed.get(&day);
    let name = match (section.text("name")?, known) {
        (Some(name), _) => name.value,
        (None, Some(known)) => known.name.clone(),
        (None, None) => return Err(section.lacks(format!("{day} has no `name`"))),
    };
    let kind = section
        .word("kind", &HolidayKind::WORDS)?
        .or(known.map(|known| known.kind))
        .ok_or_else(|| section.lacks(format!("{day} has no `kind`")))?;
    let known_on = match section.text("known_on")? {
        None => None,
        Some(text) => Some(text.value.parse().map_err(|_| {
            section.problem(
                text.offset,
                format!("`{}` is no day, write 2026-01-01", text.value),
            )
        })?),
    };
    section.finish()?;
    let holiday = Holiday {
        name,
        kind,
        known_on,
    };
    Ok((day, holiday))
}
