//! Manifests: what a provider says a delivery holds.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize};

/// What stands in `<data file>.manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Source the file belongs to.
    pub source: String,
    /// Period, see [`Period`].
    #[serde(default)]
    pub period: Option<String>,
    /// Revision of the period, from 1.
    #[serde(default = "first_revision")]
    pub revision: u32,
    /// Records in the file.
    pub rows: u64,
    /// Sums of the control columns, as text so that they are exact.
    #[serde(default, deserialize_with = "sums_as_text")]
    pub control: BTreeMap<String, String>,
    /// SHA-256 of the file as it lies there, hexadecimal.
    pub sha256: String,
    /// Day on which the content became known.
    #[serde(default)]
    pub known_on: Option<NaiveDate>,
    /// Name of the data file.
    #[serde(default)]
    pub file: Option<String>,
}

fn first_revision() -> u32 {
    1
}

fn sums_as_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct TextOrNumber(String);

    impl<'de> Deserialize<'de> for TextOrNumber {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct SumVisitor;

            impl serde::de::Visitor<'_> for SumVisitor {
                type Value = TextOrNumber;

                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str("a whole number, better written as text")
                }

                fn visit_str<E>(self, text: &str) -> Result<TextOrNumber, E> {
                    Ok(TextOrNumber(text.to_owned()))
                }

                fn visit_i64<E>(self, number: i64) -> Result<TextOrNumber, E> {
                    Ok(TextOrNumber(number.to_string()))
                }

                fn visit_u64<E>(self, number: u64) -> Result<TextOrNumber, E> {
                    Ok(TextOrNumber(number.to_string()))
                }
            }

            deserializer.deserialize_any(SumVisitor)
        }
    }

    struct SumsVisitor;

    impl<'de> serde::de::Visitor<'de> for SumsVisitor {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("sums by column")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut sums = BTreeMap::new();
            while let Some((column, TextOrNumber(sum))) = map.next_entry()? {
                // Which of two sums counts is for the provider to say.
                if sums.insert(column, sum).is_some() {
                    return Err(serde::de::Error::custom("duplicate sum of a column"));
                }
            }
            Ok(sums)
        }
    }

    deserializer.deserialize_map(SumsVisitor)
}

/// The period a delivery is about: a year, half-year, quarter, month or day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    first_day: NaiveDate,
    text: String,
}

/// Text that is no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a period, write 2024, 2024-H1, 2024-Q1, 2024-08 or 2024-08-31")]
pub struct PeriodError(String);

impl Period {
    /// Reads a period with or without dashes: `2024-08`, `202408`, `2024-H1`, `2024H1`, `2024`.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError(text.to_owned());
        let compact: String = text.chars().filter(|letter| *letter != '-').collect();
        if !compact.is_ascii() || compact.len() < 4 {
            return Err(error());
        }
        let (year_text, rest) = compact.split_at(4);
        if !compact.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(error());
        }
        let year: i32 = year_text.parse().map_err(|_| error())?;
        if !(1900..=2199).contains(&year) {
            return Err(error());
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| error());
        let (month, day, canonical) = match (rest.len(), rest.as_bytes().first()) {
            (0, _) => (1, 1, format!("{year:04}")),
            (2, Some(b'H')) => {
                let half = number(&rest[1..])?;
                let month = match half {
                    1 => 1,
                    2 => 7,
                    _ => return Err(error()),
                };
                (month, 1, format!("{year:04}-H{half}"))
            }
            (2, Some(b'Q')) => {
                let quarter = number(&rest[1..])?;
                if !(1..=4).contains(&quarter) {
                    return Err(error());
                }
                (quarter * 3 - 2, 1, format!("{year:04}-Q{quarter}"))
            }
            (2, _) => {
                let month = number(rest)?;
                (month, 1, format!("{year:04}-{month:02}"))
            }
            (4, _) => {
                let (month, day) = (number(&rest[..2])?, number(&rest[2..])?);
                (month, day, format!("{year:04}-{month:02}-{day:02}"))
            }
            _ => return Err(error()),
        };
        let first_day = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(error)?;
        Ok(Self {
            first_day,
            text: canonical,
        })
    }

    /// First day of the period; the value of `_period`.
    pub fn first_day(&self) -> NaiveDate {
        self.first_day
    }

    /// Last day of the period.
    pub fn last_day(&self) -> NaiveDate {
        let months = match self.text.len() {
            4 => 12,
            7 if self.text.as_bytes()[5] == b'H' => 6,
            7 if self.text.as_bytes()[5] == b'Q' => 3,
            7 => 1,
            _ => return self.first_day,
        };
        self.first_day
            .checked_add_months(Months::new(months))
            .and_then(|next| next.pred_opt())
            .unwrap_or(self.first_day)
    }

    /// Canonical text, such as `2024-08` or `2024-H1`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn periods_of_every_length_know_their_first_and_last_day() {
        let cases = [
            ("2024", "2024-01-01", "2024-12-31", "2024"),
            ("2024-H2", "2024-07-01", "2024-12-31", "2024-H2"),
            ("2024H1", "2024-01-01", "2024-06-30", "2024-H1"),
            ("2024-Q3", "2024-07-01", "2024-09-30", "2024-Q3"),
            ("2024-02", "2024-02-01", "2024-02-29", "2024-02"),
            ("202408", "2024-08-01", "2024-08-31", "2024-08"),
            ("2024-08-31", "2024-08-31", "2024-08-31", "2024-08-31"),
            ("20240831", "2024-08-31", "2024-08-31", "2024-08-31"),
        ];
        for (text, first_day, last_day, canonical) in cases {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.first_day().to_string(), first_day);
            assert_eq!(period.last_day().to_string(), last_day);
            assert_eq!(period.as_str(), canonical);
        }
    }

    #[test]
    fn text_that_is_no_period_is_refused() {
        for text in [
            "",
            "24-08",
            "2024-13",
            "2024-H3",
            "2024-Q5",
            "2024-02-30",
            "연월",
            "2024-8",
        ] {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn control_sums_are_read_from_text_and_from_numbers() {
        let manifest: Manifest = serde_yaml_ng::from_str(
            r#"{"source": "a", "rows": 2, "sha256": "00", "control": {"x": "12345678901234567890123", "y": -3}}"#,
        )
        .unwrap();
        assert_eq!(manifest.revision, 1);
        assert_eq!(manifest.control["x"], "12345678901234567890123");
        assert_eq!(manifest.control["y"], "-3");
    }
}
