//! One advertisement against the phrases and the minimum wage.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};

use crate::error::AdvertError;
use crate::fold::{Folded, Gap};
use crate::pay::{Pay, below, stated_hours, stated_pay};
use crate::phrases::{Effect, Hit, Phrase, PhraseBook};
use crate::workers::in_parts;

/// The rule that pay below the minimum breaks; it has no phrases.
pub const BELOW_MINIMUM: &str = "below_minimum_wage";

/// Letters that may stand between a demand and the verb that takes it back.
const NEGATION_REACH: usize = 14;

/// Places of one rule that are told of one field.
const PLACES: usize = 100;

/// What was decided about a place in an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Breaks the rule.
    Violation,
    /// Lawful on its day, and about to break the rule: somebody should look.
    Review,
    /// Looks like a violation and is none, for the reason that is given.
    Cleared,
}

impl Decision {
    /// As the tables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Review => "review",
            Self::Cleared => "cleared",
        }
    }
}

/// Part of an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The title.
    Title,
    /// The text.
    Text,
    /// The structured offer of pay; it has no span.
    Pay,
}

impl Field {
    /// As the tables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
            Self::Pay => "pay",
        }
    }
}

/// An advertisement to verify.
#[derive(Debug, Clone, Copy)]
pub struct Advertisement<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The lowest pay of its structured part.
    pub pay: Option<Pay>,
    /// Whether full-time hours may be assumed where none are stated.
    pub is_full_time: bool,
    /// First day on which it is open.
    pub opened_on: NaiveDate,
    /// Last day.
    pub closes_on: NaiveDate,
}

impl<'a> Advertisement<'a> {
    /// Without structured pay, open on one day.
    pub fn of(title: &'a str, text: &'a str, on: NaiveDate) -> Self {
        Self {
            title,
            text,
            pay: None,
            is_full_time: false,
            opened_on: on,
            closes_on: on,
        }
    }
}

/// What was found at a place of an advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// What was decided.
    pub decision: Decision,
    /// Where.
    pub field: Field,
    /// First byte of the span in the original.
    pub start: usize,
    /// End of the span.
    pub end: usize,
    /// The phrase of the list; never the text itself, which may name persons.
    pub phrase: String,
    /// Why.
    pub reason: String,
    /// The words were broken up or written with look-alikes.
    pub is_disguised: bool,
}

/// Phrases and minimum wages, ready for any number of advertisements.
pub struct Verifier {
    book: PhraseBook,
    minimum: BTreeMap<i32, u64>,
}

/// A hit with what became of it.
struct Judged {
    hit: Hit,
    cleared_by: Option<usize>,
}

impl Verifier {
    /// Takes the phrases and the hourly minimum in won by year.
    ///
    /// # Errors
    /// A phrase without letters or with an empty range.
    pub fn new(
        phrases: Vec<Phrase>,
        minimum: impl IntoIterator<Item = (i32, u64)>,
    ) -> Result<Self, AdvertError> {
        Ok(Self {
            book: PhraseBook::new(phrases)?,
            minimum: minimum.into_iter().collect(),
        })
    }

    /// Findings of many advertisements, in their order, on several threads.
    pub fn verify_all(
        &self,
        advertisements: &[Advertisement<'_>],
        threads: usize,
    ) -> Vec<Vec<Finding>> {
        in_parts(advertisements, threads, |_, part| {
            part.iter().map(|one| self.verify(one)).collect()
        })
    }

    /// Findings of one advertisement, by field and place. A rule that is lifted stays silent nowhere:
    /// what it would have said is cleared with the reason.
    pub fn verify(&self, advertisement: &Advertisement<'_>) -> Vec<Finding> {
        let title = Folded::new(advertisement.title);
        let text = Folded::new(advertisement.text);
        let day = advertisement.opened_on;
        let fields = [(Field::Title, &title), (Field::Text, &text)];
        let hits = fields.map(|(_, folded)| self.book.find(folded, day));
        let lifts: Vec<usize> = hits
            .iter()
            .flatten()
            .map(|hit| hit.phrase)
            .filter(|phrase| self.book.phrases[*phrase].effect == Effect::Lifts)
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .collect();
        let mut findings = Vec::new();
        for ((field, folded), hits) in fields.into_iter().zip(&hits) {
            for judged in self.judge(hits, &lifts, folded) {
                findings.push(self.finding(&judged, field, folded));
            }
        }
        self.judge_pay(advertisement, &text, &mut findings);
        findings.sort_by(|left, right| {
            (left.field, left.start, &left.rule).cmp(&(right.field, right.start, &right.rule))
        });
        findings
    }

    /// Violations of one field, the longest where they overlap, each with what clears it; of a rule the
    /// first [`PLACES`].
    fn judge(&self, hits: &[Hit], lifts: &[usize], folded: &Folded) -> Vec<Judged> {
        let phrase = |hit: &Hit| &self.book.phrases[hit.phrase];
        let of_effects = |wanted: &[Effect]| {
            let mut some: Vec<Hit> = hits
                .iter()
                .filter(|hit| wanted.contains(&phrase(hit).effect))
                .copied()
                .collect();
            some.sort_by_key(|hit| (hit.first, std::cmp::Reverse(hit.end), hit.phrase));
            some
        };
        let clearing = of_effects(&[Effect::Allows, Effect::Negates]);
        let longest = clearing.iter().map(|hit| hit.end - hit.first).max();
        let mut reached: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut judged = Vec::new();
        for hit in of_effects(&[Effect::Violates]) {
            let rule = phrase(&hit).rule.as_str();
            let (end, places) = reached.entry(rule).or_default();
            if hit.first < *end || *places >= PLACES {
                continue;
            }
            *places += 1;
            // What begins earlier or later cannot reach the place.
            let from = hit.first.saturating_sub(longest.unwrap_or_default());
            let near = clearing.partition_point(|other| other.first < from)
                ..clearing.partition_point(|other| other.first <= hit.end + NEGATION_REACH);
            let cleared_by = clearing[near]
                .iter()
                .filter(|other| phrase(other).rule == rule)
                .find(|other| match phrase(other).effect {
                    Effect::Allows => other.first < hit.end && hit.first < other.end,
                    _ => takes_back(folded, &hit, other),
                })
                .map(|other| other.phrase)
                .or_else(|| {
                    let lifted = |other: &&usize| self.book.phrases[**other].rule == rule;
                    lifts.iter().find(lifted).copied()
                });
            // A cleared place must not hide an unlawful one that begins inside it.
            if cleared_by.is_none() {
                *end = hit.end;
            }
            judged.push(Judged { hit, cleared_by });
        }
        judged
    }

    fn finding(&self, judged: &Judged, field: Field, folded: &Folded) -> Finding {
        let phrase = &self.book.phrases[judged.hit.phrase];
        let clearing = judged
            .cleared_by
            .map(|clearing| &self.book.phrases[clearing]);
        let (start, end) = span(folded, judged.hit.first, judged.hit.end);
        Finding {
            rule: phrase.rule.clone(),
            decision: match clearing {
                Some(_) => Decision::Cleared,
                None => Decision::Violation,
            },
            field,
            start,
            end,
            phrase: phrase.text.clone(),
            reason: clearing.unwrap_or(phrase).reason.clone(),
            is_disguised: judged.hit.is_disguised,
        }
    }

    fn judge_pay(
        &self,
        advertisement: &Advertisement<'_>,
        text: &Folded,
        findings: &mut Vec<Finding>,
    ) {
        let minimum_on = |day: NaiveDate| {
            let known = self.minimum.range(..=day.year()).next_back();
            known.map(|(_, won)| *won)
        };
        let Some(minimum) = minimum_on(advertisement.opened_on) else {
            return;
        };
        let later = minimum_on(advertisement.closes_on).unwrap_or(minimum);
        let hours = stated_hours(text);
        let mut judge = |pay: Pay, field, (start, end): (usize, usize), phrase: &str| {
            let now = below(pay, hours, minimum).map(|reason| (Decision::Violation, reason));
            let decided = now.or_else(|| {
                let reason = below(pay, hours, later)?;
                Some((
                    Decision::Review,
                    format!("lawful when opened; from the new year {reason}"),
                ))
            });
            if let Some((decision, reason)) = decided {
                findings.push(Finding {
                    rule: BELOW_MINIMUM.to_owned(),
                    decision,
                    field,
                    start,
                    end,
                    phrase: phrase.to_owned(),
                    reason,
                    is_disguised: false,
                });
            }
        };
        if let Some(pay) = advertisement.pay {
            judge(pay, Field::Pay, (0, 0), "");
        }
        for (pay, first, end) in stated_pay(text, advertisement.is_full_time)
            .into_iter()
            .take(PLACES)
        {
            judge(pay, Field::Text, span(text, first, end), "#원");
        }
    }
}

/// The verb stands a little after the demand, in the same clause.
fn takes_back(folded: &Folded, demand: &Hit, verb: &Hit) -> bool {
    verb.first >= demand.end
        && verb.first - demand.end <= NEGATION_REACH
        && folded.letters[demand.end..=verb.first]
            .iter()
            .all(|letter| letter.gap < Gap::Clause)
}

fn span(folded: &Folded, first: usize, end: usize) -> (usize, usize) {
    match (
        folded.letters.get(first),
        folded.letters.get(end.wrapping_sub(1)),
    ) {
        (Some(first), Some(last)) => (first.start, last.end),
        _ => (0, 0),
    }
}

/// Digits in a number of this length and more may be somebody's.
const CONTACT_DIGITS: usize = 7;

/// The text with numbers that may be a telephone's, and addresses of mail, made unreadable.
pub fn mask_contacts(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut masked = characters.clone();
    let is_digit = |at: usize| {
        let found = characters.get(at);
        found.is_some_and(|one| one.is_numeric() || matches!(one, 'O' | 'o' | 'l' | '공'))
    };
    let mut at = 0;
    while at < characters.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let (mut end, mut digits, mut apart) = (at, 0, 0);
        let mut last = at;
        while end < characters.len() && apart <= 3 {
            if is_digit(end) {
                digits += 1;
                apart = 0;
                last = end;
            } else if characters[end].is_alphabetic() || matches!(characters[end], ',' | '~') {
                break;
            } else {
                apart += 1;
            }
            end += 1;
        }
        if digits >= CONTACT_DIGITS {
            for place in &mut masked[at..=last] {
                *place = '*';
            }
        }
        at = last + 1;
    }
    for sign in (0..characters.len()).filter(|at| matches!(characters[*at], '@' | '＠')) {
        let is_part =
            |one: &char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-' | '+');
        let before = characters[..sign]
            .iter()
            .rev()
            .take_while(|one| is_part(one))
            .count();
        let after = characters[sign + 1..]
            .iter()
            .take_while(|one| is_part(one))
            .count();
        for place in &mut masked[sign - before..=sign + after] {
            *place = '*';
        }
    }
    masked.into_iter().collect()
}
