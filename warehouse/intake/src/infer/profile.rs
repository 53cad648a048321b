//! What the values of one column have in common. Keeps counts; values only while they are few and
//! short.

use std::collections::BTreeMap;

use goyong_types::{BusinessNumber, ResidentNumber};

use crate::value::{self, TimeFormat};

/// Different values kept before a column counts as open.
const DISTINCT: usize = 24;
/// Longest value that may be one of few.
const SHORT: usize = 24;

/// Texts that often mean "missing".
const NULL_MARKERS: [&str; 8] = ["-", "--", "NULL", "null", "N/A", "NaN", "\\N", "."];

/// Date patterns, most telling first.
pub(super) const DATES: [&str; 4] = ["%Y-%m-%d", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d"];
pub(super) const MONTHS: [&str; 3] = ["%Y-%m", "%Y%m", "%Y.%m"];
pub(super) const MOMENTS: [&str; 4] = [
    "%Y-%m-%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
];

/// Family names that most Korean names begin with.
const FAMILY_NAMES: &str = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모";

/// Counts over the values of a column.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub rows: u64,
    pub empty: u64,
    pub markers: BTreeMap<&'static str, u64>,
    /// Values that are neither empty nor a marker.
    pub values: u64,
    pub integers: u64,
    pub with_commas: u64,
    pub decimals: u64,
    pub scale: usize,
    pub whole_digits: usize,
    pub floats: u64,
    pub leading_zeros: u64,
    pub digits_only: u64,
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    pub shortest: usize,
    pub longest: usize,
    pub resident: u64,
    pub resident_checked: u64,
    pub business: u64,
    pub business_checked: u64,
    pub phones: u64,
    pub emails: u64,
    pub names: u64,
    pub digests: u64,
    pub booleans: u64,
    pub spaces_around: u64,
    pub dates: [u64; DATES.len()],
    pub months: [u64; MONTHS.len()],
    pub moments: [u64; MOMENTS.len()],
    /// The different values, `None` once there are too many or too long ones.
    distinct: Option<BTreeMap<String, u64>>,
}

impl Profile {
    pub fn new() -> Self {
        Self {
            shortest: usize::MAX,
            distinct: Some(BTreeMap::new()),
            ..Self::default()
        }
    }

    pub fn add_missing(&mut self) {
        self.rows += 1;
        self.empty += 1;
    }

    pub fn add(&mut self, raw: &str) {
        self.rows += 1;
        let text = raw.trim();
        if text.is_empty() {
            self.empty += 1;
            return;
        }
        if let Some(marker) = NULL_MARKERS.iter().find(|marker| **marker == text) {
            *self.markers.entry(marker).or_default() += 1;
            return;
        }
        self.values += 1;
        self.spaces_around += u64::from(text.len() != raw.len());
        let length = text.chars().count();
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
        self.add_number(text);
        self.add_identity(text);
        let bytes = text.as_bytes();
        for (count, pattern) in self.dates.iter_mut().zip(DATES) {
            *count += u64::from(is_date(pattern, bytes));
        }
        for (count, pattern) in self.months.iter_mut().zip(MONTHS) {
            *count += u64::from(is_date(pattern, bytes));
        }
        for (count, pattern) in self.moments.iter_mut().zip(MOMENTS) {
            let format = TimeFormat::parse(pattern).ok();
            *count += u64::from(format.is_some_and(|format| format.timestamp(bytes).is_some()));
        }
        self.booleans += u64::from(value::boolean(bytes).is_some());
        if let Some(distinct) = &mut self.distinct {
            if length <= SHORT {
                *distinct.entry(text.to_owned()).or_default() += 1;
            }
            if length > SHORT || distinct.len() > DISTINCT {
                self.distinct = None;
            }
        }
    }

    fn add_number(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let unsigned = text.trim_start_matches(['-', '+']);
        let is_digits = !text.is_empty() && bytes.iter().all(u8::is_ascii_digit);
        self.digits_only += u64::from(is_digits);
        self.leading_zeros += u64::from(is_digits && text.len() > 1 && text.starts_with('0'));
        let plain = text.replace(',', "");
        if let Some(number) = value::integer(plain.as_bytes()) {
            if plain.len() != text.len() {
                if !has_thousands(unsigned) {
                    return;
                }
                self.with_commas += 1;
            }
            self.integers += 1;
            self.minimum = Some(self.minimum.map_or(number, |least| least.min(number)));
            self.maximum = Some(self.maximum.map_or(number, |most| most.max(number)));
            self.whole_digits = self.whole_digits.max(unsigned.len());
        } else if let Some((whole, fraction)) = plain.trim_start_matches(['-', '+']).split_once('.')
            && fraction.bytes().all(|byte| byte.is_ascii_digit())
            && whole.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.decimals += 1;
            self.scale = self.scale.max(fraction.len());
            self.whole_digits = self.whole_digits.max(whole.len());
        } else if value::float(bytes).is_some() {
            self.floats += 1;
        }
    }

    fn add_identity(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if let Ok(number) = ResidentNumber::parse(bytes) {
            self.resident += 1;
            self.resident_checked += u64::from(number.check_digit_is_right());
        }
        if let Ok(number) = BusinessNumber::parse(bytes) {
            self.business += 1;
            self.business_checked += u64::from(number.check_digit_is_right());
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let is_dialled = text
            .chars()
            .all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | ' ' | '(' | ')' | '.'));
        self.phones +=
            u64::from(is_dialled && digits.starts_with('0') && (9..=11).contains(&digits.len()));
        self.emails += u64::from(
            text.split_once('@')
                .is_some_and(|(who, place)| !who.is_empty() && place.contains('.')),
        );
        self.names += u64::from(is_korean_name(text));
        self.digests += u64::from(
            matches!(text.len(), 16 | 32 | 40 | 64)
                && text.bytes().all(|byte| byte.is_ascii_hexdigit())
                && text.bytes().any(|byte| byte.is_ascii_alphabetic()),
        );
    }

    /// Whether nearly all values count; a sample may hold the errors of its source.
    pub fn mostly(&self, count: u64) -> bool {
        self.values > 0 && count * 100 >= self.values * 98
    }

    /// The different values, when they are few and come often enough to be a code list.
    pub fn few_values(&self) -> Option<Vec<&str>> {
        let distinct = self.distinct.as_ref()?;
        let is_list = !distinct.is_empty()
            && distinct.len() <= DISTINCT
            && self.values >= 8 * distinct.len() as u64;
        is_list.then(|| distinct.keys().map(String::as_str).collect())
    }

    /// Digits of every value where all have the same number of them.
    pub fn fixed_digits(&self) -> Option<usize> {
        (self.values > 0 && self.digits_only == self.values && self.shortest == self.longest)
            .then_some(self.longest)
    }
}

fn is_date(pattern: &str, bytes: &[u8]) -> bool {
    // 1900 to 2100, so that numbers are not taken for dates.
    const PLAUSIBLE: std::ops::Range<i32> = -25_567..47_847;
    TimeFormat::parse(pattern)
        .ok()
        .and_then(|format| format.date(bytes))
        .is_some_and(|day| PLAUSIBLE.contains(&day))
}

fn has_thousands(text: &str) -> bool {
    let mut groups = text.split(',');
    groups
        .next()
        .is_some_and(|first| (1..=3).contains(&first.len()))
        && groups.all(|group| group.len() == 3)
}

/// Two to four Hangul syllables that begin with a family name.
fn is_korean_name(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next();
    (2..=4).contains(&text.chars().count())
        && text.chars().all(|letter| ('가'..='힣').contains(&letter))
        && first.is_some_and(|letter| FAMILY_NAMES.contains(letter))
}
