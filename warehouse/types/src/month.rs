use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// A calendar month, ordered, counted from January of year 0.
///
/// In tables a month is the `Date32` of its first day; in partition values and text it is
/// `2024-08-01` and `2024-08`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(i32);

/// Text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month, write it as 2024-08")]
pub struct MonthError(String);

impl Month {
    /// The month of a year, `month` from 1 to 12.
    pub fn new(year: i32, month: u32) -> Result<Self, MonthError> {
        if (1..=12).contains(&month) && (1000..=9999).contains(&year) {
            Ok(Self(year * 12 + month as i32 - 1))
        } else {
            Err(MonthError(format!("{year}-{month}")))
        }
    }

    /// The month a day falls in.
    pub fn of(day: NaiveDate) -> Self {
        Self(day.year() * 12 + day.month0() as i32)
    }

    /// Calendar year.
    pub fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// Month of the year, 1 to 12.
    pub fn month(self) -> u32 {
        self.0.rem_euclid(12) as u32 + 1
    }

    /// This month moved by a number of months, backwards when negative.
    pub fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    /// The month after this one.
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// Months from `earlier` to this one.
    pub fn since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// The first day.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), self.month(), 1).unwrap_or(NaiveDate::MIN)
    }

    /// The last day.
    pub fn last_day(self) -> NaiveDate {
        self.next().first_day() - Days::new(1)
    }

    /// Number of days in the month.
    pub fn days(self) -> u32 {
        self.last_day().day()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year(), self.month())
    }
}

impl FromStr for Month {
    type Err = MonthError;

    /// Reads `2024-08`, `202408` and `2024-08-01`.
    fn from_str(text: &str) -> Result<Self, MonthError> {
        let error = || MonthError(text.to_owned());
        let digits: String = match text.len() {
            6 => text.to_owned(),
            7 if text.as_bytes()[4] == b'-' => text.replacen('-', "", 1),
            10 if text.ends_with("-01") && text.as_bytes()[4] == b'-' => {
                text[..7].replacen('-', "", 1)
            }
            _ => return Err(error()),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let year = digits[..4].parse().map_err(|_| error())?;
        let month = digits[4..].parse().map_err(|_| error())?;
        Self::new(year, month).map_err(|_| error())
    }
}

impl TryFrom<String> for Month {
    type Error = MonthError;

    fn try_from(text: String) -> Result<Self, MonthError> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn months_cross_years_in_both_directions() {
        let january = Month::new(2024, 1).unwrap();
        assert_eq!(january.plus(-1).to_string(), "2023-12");
        assert_eq!(january.plus(24).to_string(), "2026-01");
        assert_eq!(january.plus(1).last_day().to_string(), "2024-02-29");
        assert_eq!(january.plus(1).days(), 29);
        assert_eq!(january.plus(14).since(january), 14);
    }

    #[test]
    fn text_that_is_no_month_is_refused() {
        for text in [
            "2024-13",
            "2024",
            "24-08",
            "2024-08-02",
            "2024/08",
            "20240a",
            "년월을쓰다",
        ] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
        assert_eq!(
            "202408".parse::<Month>().unwrap(),
            "2024-08-01".parse().unwrap()
        );
    }
}
