//! Pay below the minimum wage, whatever it is paid for.

use crate::fold::{Folded, Gap};

/// What a sum is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayKind {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
    /// A piece.
    Piece,
}

impl PayKind {
    /// By the name the contracts use.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "year" => Self::Year,
            "piece" => Self::Piece,
            _ => return None,
        })
    }
}

/// The lowest pay that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pay {
    /// What the sum is for.
    pub kind: PayKind,
    /// Won.
    pub won: u64,
    /// Without stated hours, those of a full-time job may be assumed.
    pub is_full_time: bool,
}

/// Hours a text states, in minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StatedHours {
    pub of_day: Option<u64>,
    pub of_week: Option<u64>,
    pub of_month: Option<u64>,
    /// Pieces in an hour, where work is paid by the piece.
    pub pieces_an_hour: Option<u64>,
}

/// Paid hours of a month with weeks of 40 hours and a paid day of rest: (40 + 8) × 365 / 7 / 12,
/// 최저임금법 시행령 제5조.
const MONTHLY_HOURS: u64 = 209;

/// Why an offer lies below the hourly minimum; nothing when it does not, or when nobody can tell
/// because hours or pieces are not stated. Rests of 근로기준법 제55조 are paid from 15 hours a week.
pub fn below_minimum(pay: Pay, text: &Folded, hourly_won: u64) -> Option<String> {
    below(pay, stated_hours(text), hourly_won)
}

pub(crate) fn below(pay: Pay, hours: StatedHours, hourly_won: u64) -> Option<String> {
    let least_of_month = || {
        let minutes = match (hours.of_month, hours.of_week) {
            (Some(month), _) => month,
            (None, Some(week)) => month_of_week(week),
            (None, None) if pay.is_full_time => MONTHLY_HOURS * 60,
            (None, None) => return None,
        };
        Some((hourly_won * minutes / 60, minutes))
    };
    let (least, minutes) = match pay.kind {
        PayKind::Hour => (hourly_won, 60),
        PayKind::Day => {
            let minutes = match hours.of_day {
                Some(minutes) => minutes,
                None if pay.is_full_time => 8 * 60,
                None => return None,
            };
            (hourly_won * minutes / 60, minutes)
        }
        PayKind::Week => {
            let minutes = match hours.of_week {
                Some(week) => week_with_rest(week),
                None if pay.is_full_time => 48 * 60,
                None => return None,
            };
            (hourly_won * minutes / 60, minutes)
        }
        PayKind::Month => least_of_month()?,
        PayKind::Year => {
            let (least, minutes) = least_of_month()?;
            (least * 12, minutes * 12)
        }
        PayKind::Piece => {
            let pieces = hours.pieces_an_hour.filter(|pieces| *pieces > 0)?;
            (hourly_won.div_ceil(pieces), 60 / pieces)
        }
    };
    (pay.won < least).then(|| match pay.kind {
        PayKind::Hour => format!("{} won an hour, minimum {hourly_won}", pay.won),
        PayKind::Piece => format!(
            "{} won a piece, {least} needed to reach {hourly_won} an hour",
            pay.won
        ),
        _ => format!(
            "{} won for {}.{} hours, minimum {least} at {hourly_won} an hour",
            pay.won,
            minutes / 60,
            minutes % 60 / 6,
        ),
    })
}

fn week_with_rest(week: u64) -> u64 {
    // The paid rest is a fifth of the week, of 40 hours at most.
    if week < 15 * 60 {
        week
    } else {
        week + week.min(40 * 60) / 5
    }
}

/// Rounded as the law's 209 is: up to the full hour.
fn month_of_week(week: u64) -> u64 {
    (week_with_rest(week) * 365).div_ceil(7 * 12 * 60) * 60
}

/// Hours from phrases such as `주 40시간`, `1일 8시간`, `09:00~18:00`, `월 120시간`, `시간당 20건`.
pub(crate) fn stated_hours(text: &Folded) -> StatedHours {
    let mut hours = StatedHours::default();
    let characters: Vec<char> = text.text.chars().collect();
    let is = |from: usize, wanted: &str| {
        wanted
            .chars()
            .enumerate()
            .all(|(at, character)| characters.get(from + at) == Some(&character))
    };
    let ends_with = |end: usize, wanted: &str| {
        let length = wanted.chars().count();
        end >= length && is(end - length, wanted)
    };
    for (at, _) in characters
        .iter()
        .enumerate()
        .filter(|(_, one)| **one == '#')
    {
        let value = text.letters[at].number;
        // 이상, 이내 and 초과 bound the hours and do not state them.
        let is_bounded = ["이상", "초과", "이내", "미만"]
            .iter()
            .any(|one| is(at + 3, one));
        if is(at + 1, "시간") && !is_bounded {
            let minutes = value.saturating_mul(60);
            let after = |words: &[&str]| words.iter().any(|one| ends_with(at, one));
            if after(&["주", "주당", "주소정근로"]) && (1..=68).contains(&value) {
                hours.of_week.get_or_insert(minutes);
            } else if after(&["하루", "일"]) && (1..=24).contains(&value) {
                hours.of_day.get_or_insert(minutes);
            } else if after(&["월", "한달"]) && (10..=300).contains(&value) {
                hours.of_month.get_or_insert(minutes);
            }
        }
        if ends_with(at, "시간당") && (is(at + 1, "건") || is(at + 1, "개")) {
            hours.pieces_an_hour.get_or_insert(value);
        }
        if let Some(minutes) = shift(text, &characters, at) {
            hours.of_day.get_or_insert(minutes);
        }
    }
    hours
}

/// Minutes of a shift written as four numbers, less the rest the law asks for (근로기준법 제54조:
/// half an hour in four hours, an hour in eight).
fn shift(text: &Folded, characters: &[char], at: usize) -> Option<u64> {
    let is_time = |at: usize| characters.get(at) == Some(&'#');
    if !(at..at + 4).all(is_time) || at > 0 && is_time(at - 1) {
        return None;
    }
    let number = |at: usize| text.letters.get(at).map(|letter| letter.number);
    let gap = |at: usize| text.letters.get(at).map(|letter| letter.gap);
    if [at + 1, at + 2, at + 3]
        .iter()
        .any(|at| gap(*at) != Some(Gap::Symbol))
    {
        return None;
    }
    let (from, from_minute, to, to_minute) = (
        number(at)?,
        number(at + 1)?,
        number(at + 2)?,
        number(at + 3)?,
    );
    if from > 24 || to > 24 || from_minute > 59 || to_minute > 59 {
        return None;
    }
    let length = (to * 60 + to_minute + 24 * 60 - from * 60 - from_minute) % (24 * 60);
    Some(match length {
        540.. => length - 60,
        270.. => length - 30,
        _ => length,
    })
}

/// Words that say what a sum is for; the sum follows.
const SUMS: [(&str, PayKind); 14] = [
    ("시급", PayKind::Hour),
    ("시간당", PayKind::Hour),
    ("일급", PayKind::Day),
    ("일당", PayKind::Day),
    ("주급", PayKind::Week),
    ("월급", PayKind::Month),
    ("월급여", PayKind::Month),
    ("월기본급", PayKind::Month),
    ("연봉", PayKind::Year),
    ("건당", PayKind::Piece),
    ("개당", PayKind::Piece),
    ("시급은", PayKind::Hour),
    ("일급은", PayKind::Day),
    ("월급은", PayKind::Month),
];

/// Sums that the text itself offers, with the letters that say so.
pub(crate) fn stated_pay(text: &Folded, is_full_time: bool) -> Vec<(Pay, usize, usize)> {
    let characters: Vec<char> = text.text.chars().collect();
    let mut found = Vec::new();
    for (at, _) in characters
        .iter()
        .enumerate()
        .filter(|(_, one)| **one == '#')
    {
        let word = SUMS.iter().find(|(word, _)| {
            let length = word.chars().count();
            at >= length && word.chars().eq(characters[at - length..at].iter().copied())
        });
        let Some((word, kind)) = word else { continue };
        let (factor, used) = match (characters.get(at + 1), characters.get(at + 2)) {
            (Some('원'), _) => (1, 2),
            (Some('만'), Some('원')) => (10_000, 3),
            (Some('천'), Some('원')) => (1_000, 3),
            _ => continue,
        };
        let won = text.letters[at].number.saturating_mul(factor);
        let pay = Pay {
            kind: *kind,
            won,
            is_full_time,
        };
        found.push((pay, at - word.chars().count(), at + used));
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HOURLY: u64 = 10_320;

    #[rstest]
    #[case(PayKind::Hour, 10_319, true, "", true)]
    #[case(PayKind::Hour, 10_320, true, "", false)]
    #[case(PayKind::Day, 82_559, true, "", true)]
    #[case(PayKind::Day, 82_560, true, "", false)]
    #[case(PayKind::Day, 41_280, true, "1일 4시간", false)]
    #[case(PayKind::Day, 41_279, false, "하루 4시간", true)]
    #[case(PayKind::Day, 82_559, true, "09:00~18:00", true)]
    #[case(PayKind::Day, 82_560, true, "09:00~18:00", false)]
    #[case(PayKind::Week, 495_359, true, "", true)]
    #[case(PayKind::Week, 495_360, true, "", false)]
    #[case(PayKind::Week, 144_479, false, "주 14시간", true)]
    #[case(PayKind::Week, 144_480, false, "주 14시간", false)]
    #[case(PayKind::Month, 2_156_879, true, "", true)]
    #[case(PayKind::Month, 2_156_880, true, "", false)]
    #[case(PayKind::Month, 1_000_000, false, "", false)]
    #[case(PayKind::Month, 1_083_599, false, "주 20시간", true)]
    #[case(PayKind::Month, 1_083_600, false, "주 20시간", false)]
    #[case(PayKind::Month, 1_000_000, false, "월 100시간", true)]
    #[case(PayKind::Year, 25_882_559, true, "", true)]
    #[case(PayKind::Year, 25_882_560, true, "", false)]
    #[case(PayKind::Piece, 500, true, "", false)]
    #[case(PayKind::Piece, 515, true, "시간당 20건", true)]
    #[case(PayKind::Piece, 516, true, "시간당 20건", false)]
    fn each_kind_of_pay_has_its_own_minimum(
        #[case] kind: PayKind,
        #[case] won: u64,
        #[case] is_full_time: bool,
        #[case] text: &str,
        #[case] expected: bool,
    ) {
        let pay = Pay {
            kind,
            won,
            is_full_time,
        };
        let found = below_minimum(pay, &Folded::new(text), HOURLY);
        assert_eq!(found.is_some(), expected, "{found:?}");
    }

    #[test]
    fn an_ordinary_week_makes_the_month_of_the_law() {
        assert_eq!(month_of_week(40 * 60), MONTHLY_HOURS * 60);
    }

    #[test]
    fn hours_that_are_bounds_are_not_stated() {
        let hours = stated_hours(&Folded::new("주 52시간 이내, 주 15시간 이상"));
        assert_eq!(hours, StatedHours::default());
    }
}
