//! How numbers are written, in Korean and in English.
//!
//! Exact arithmetic on whole numbers wherever the value is exact; rounding is half away from zero, as in official tables.

use goyong_disclosure::{Cell, CellValue};

use crate::definition::Unit;
use crate::language::Language;

/// The mark of a suppressed cell, in pages and downloads.
pub(crate) const SUPPRESSED: &str = "x";
/// The mark of a figure that does not exist.
pub(crate) const NOT_AVAILABLE: &str = "…";
/// The same in downloads, where ASCII is safer.
pub(crate) const NOT_AVAILABLE_PLAIN: &str = "..";

/// A column of won is shown in this scale once one of its values is this large.
const LARGE_WON: f64 = 1e9;

/// How a column of a table is written: unit, and for won the scale common to the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnFormat {
    pub unit: Unit,
    pub large_won: bool,
    pub decimals: usize,
}

impl ColumnFormat {
    /// Chooses the scale for a column from its values.
    pub(crate) fn of<'a>(unit: Unit, cells: impl Iterator<Item = &'a Cell>) -> Self {
        let mut format = Self {
            unit,
            large_won: false,
            decimals: 0,
        };
        for cell in cells {
            let Cell::Value(value) = cell else { continue };
            let size = value.as_f64().unwrap_or_default().abs();
            format.large_won |= unit == Unit::Won && size >= LARGE_WON;
            let fractional = matches!(value, CellValue::Float(_))
                || matches!(value, CellValue::Decimal { unscaled, scale } if !is_whole(*unscaled, *scale));
            if unit == Unit::Number && fractional {
                format.decimals = format.decimals.max(if size < 10.0 { 3 } else { 1 });
            }
        }
        format
    }

    /// The unit in words for a column heading; empty for text.
    pub(crate) fn unit_text(self, language: Language) -> &'static str {
        let (ko, en) = match self.unit {
            Unit::Persons => ("명", "persons"),
            Unit::Cases => ("건", "number"),
            Unit::Places => ("개소", "number"),
            Unit::Won if self.large_won => ("백만 원", "KRW million"),
            Unit::Won => ("원", "KRW"),
            Unit::Days => ("일", "days"),
            Unit::Share | Unit::Percent => ("%", "%"),
            Unit::Number | Unit::Year | Unit::Month | Unit::Text => ("", ""),
        };
        match language {
            Language::Ko => ko,
            Language::En => en,
        }
    }

    /// The value as it stands in a table.
    pub(crate) fn text(self, value: &CellValue) -> String {
        match self.unit {
            Unit::Text => value.to_plain_text(),
            Unit::Year => value.to_plain_text(),
            Unit::Month => month_text(value),
            Unit::Share => value
                .as_f64()
                .map_or_else(String::new, |share| fixed(share * 100.0, 1)),
            Unit::Percent => value
                .as_f64()
                .map_or_else(String::new, |percent| fixed(percent, 1)),
            Unit::Won if self.large_won => value
                .as_i128()
                .map_or_else(String::new, |won| grouped(divide(won, 1_000_000))),
            Unit::Number if self.decimals > 0 => value.as_f64().map_or_else(
                || value.to_plain_text(),
                |number| fixed(number, self.decimals),
            ),
            _ => value
                .as_i128()
                .map_or_else(|| value.to_plain_text(), grouped),
        }
    }
}

/// A month from a date (its first day) or from text.
pub(crate) fn month_text(value: &CellValue) -> String {
    let text = value.to_plain_text();
    match value {
        CellValue::Date(_) => text.chars().take(7).collect(),
        _ => text,
    }
}

/// The value with its unit, as a headline writes it: `1,544만 5천명`, `15.445 million persons`.
pub(crate) fn headline(value: &CellValue, unit: Unit, language: Language) -> String {
    match unit {
        Unit::Share => format!(
            "{}%",
            value
                .as_f64()
                .map_or_else(String::new, |share| fixed(share * 100.0, 1))
        ),
        Unit::Percent => format!(
            "{}%",
            value
                .as_f64()
                .map_or_else(String::new, |percent| fixed(percent, 1))
        ),
        Unit::Won => value
            .as_i128()
            .map_or_else(String::new, |won| money(won, language)),
        Unit::Persons | Unit::Cases | Unit::Places | Unit::Days => value
            .as_i128()
            .map_or_else(String::new, |count| quantity(count, unit, language)),
        _ => ColumnFormat::of(unit, std::iter::once(&Cell::Value(value.clone()))).text(value),
    }
}

/// The change between two values: with sign, and per cent of the earlier one where it is not zero.
pub(crate) fn change(
    now: &CellValue,
    before: &CellValue,
    unit: Unit,
    language: Language,
) -> Option<String> {
    if matches!(unit, Unit::Share | Unit::Percent) {
        let factor = if unit == Unit::Share { 100.0 } else { 1.0 };
        let points = (now.as_f64()? - before.as_f64()?) * factor;
        let unit_text = match language {
            Language::Ko => "%p",
            Language::En => " percentage points",
        };
        return Some(format!(
            "{}{unit_text}",
            signed(&fixed(points.abs(), 1), points)
        ));
    }
    if unit == Unit::Number {
        let (now, before) = (now.as_f64()?, before.as_f64()?);
        let difference = now - before;
        let decimals = if now.abs() < 10.0 { 3 } else { 1 };
        let level = signed(&fixed(difference.abs(), decimals), difference);
        let percent = difference / before * 100.0;
        return Some(match percent.is_finite() {
            true => format!("{level} ({}%)", signed(&fixed(percent.abs(), 1), percent)),
            false => level,
        });
    }
    let (now, before) = (now.as_i128()?, before.as_i128()?);
    let difference = now - before;
    let size = headline(&whole(difference.abs()), unit, language);
    let level = signed(&size, difference as f64);
    if before == 0 {
        return Some(level);
    }
    // Tenths of a per cent, exact.
    let tenths = divide(difference.saturating_mul(1000), before.abs());
    let percent = signed(
        &format!("{}.{}%", tenths.abs() / 10, tenths.abs() % 10),
        tenths as f64,
    );
    Some(format!("{level} ({percent})"))
}

fn whole(value: i128) -> CellValue {
    CellValue::Decimal {
        unscaled: value,
        scale: 0,
    }
}

fn signed(size: &str, value: f64) -> String {
    if value > 0.0 {
        format!("+{size}")
    } else if value < 0.0 {
        format!("−{size}")
    } else {
        size.to_owned()
    }
}

fn quantity(count: i128, unit: Unit, language: Language) -> String {
    match language {
        Language::Ko => {
            let counter = match unit {
                Unit::Persons => "명",
                Unit::Places => "개소",
                Unit::Days => "일",
                _ => "건",
            };
            let size = count.abs();
            let minus = if count < 0 { "−" } else { "" };
            if size < 100_000 {
                return format!("{minus}{}{counter}", grouped(size));
            }
            // 만 and 천: the last three digits are noise in a headline.
            let thousands = divide(size, 1_000);
            let (man, cheon) = (thousands / 10, thousands % 10);
            if cheon == 0 {
                format!("{minus}{}만{counter}", grouped(man))
            } else {
                format!("{minus}{}만 {cheon}천{counter}", grouped(man))
            }
        }
        Language::En => {
            let number = if count.abs() < 1_000_000 {
                grouped(count)
            } else {
                let thousands = divide(count.abs(), 1_000);
                let minus = if count < 0 { "−" } else { "" };
                format!(
                    "{minus}{}.{:03} million",
                    grouped(thousands / 1_000),
                    thousands % 1_000
                )
            };
            match unit {
                Unit::Days => format!("{number} days"),
                _ => number,
            }
        }
    }
}

fn money(won: i128, language: Language) -> String {
    let size = won.abs();
    let minus = if won < 0 { "−" } else { "" };
    match language {
        Language::Ko => {
            const EOK: i128 = 100_000_000;
            let eok = divide(size, EOK);
            if eok >= 10_000 {
                let (jo, rest) = (eok / 10_000, eok % 10_000);
                if rest == 0 {
                    format!("{minus}{}조 원", grouped(jo))
                } else {
                    format!("{minus}{}조 {}억 원", grouped(jo), grouped(rest))
                }
            } else if size >= 100 * EOK {
                format!("{minus}{}억 원", grouped(eok))
            } else if size >= EOK {
                let tenths = divide(size, EOK / 10);
                format!("{minus}{}.{}억 원", grouped(tenths / 10), tenths % 10)
            } else if size >= 100_000 {
                format!("{minus}{}만 원", grouped(divide(size, 10_000)))
            } else {
                format!("{minus}{}원", grouped(size))
            }
        }
        Language::En => {
            let (scale, word) = if size >= 1_000_000_000_000 {
                (1_000_000_000_000, " trillion")
            } else if size >= 1_000_000_000 {
                (1_000_000_000, " billion")
            } else if size >= 1_000_000 {
                (1_000_000, " million")
            } else {
                return format!("{minus}KRW {}", grouped(size));
            };
            let hundredths = divide(size, scale / 100);
            format!(
                "{minus}KRW {}.{:02}{word}",
                grouped(hundredths / 100),
                hundredths % 100
            )
        }
    }
}

/// Division rounded half away from zero.
fn divide(value: i128, divisor: i128) -> i128 {
    let half = divisor / 2 * value.signum();
    (value + half) / divisor
}

/// Whether nothing but zeros stands behind the decimal point.
fn is_whole(unscaled: i128, scale: u8) -> bool {
    10i128
        .checked_pow(u32::from(scale))
        .is_none_or(|divisor| unscaled % divisor == 0)
}

/// Thousands separated by commas, a true minus sign.
pub(crate) fn grouped(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if value < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A fixed number of decimals, thousands separated.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let grouped_whole = whole
        .parse::<i128>()
        .map_or_else(|_| whole.to_owned(), grouped);
    let is_zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    let minus = if value < 0.0 && !is_zero { "−" } else { "" };
    if fraction.is_empty() {
        format!("{minus}{grouped_whole}")
    } else {
        format!("{minus}{grouped_whole}.{fraction}")
    }
}

/// A short form for chart axes, in a scale common to the axis: `1,200만`, `1.2m`. `largest` is its largest tick.
pub(crate) fn axis(value: f64, largest: f64, unit: Unit, language: Language) -> String {
    match unit {
        Unit::Share => return format!("{}%", trimmed(value * 100.0)),
        Unit::Percent => return format!("{}%", trimmed(value)),
        _ => {}
    }
    let steps: &[(f64, f64, &str)] = match language {
        Language::Ko => &[(1e12, 1e12, "조"), (1e8, 1e8, "억"), (1e5, 1e4, "만")],
        Language::En => &[
            (1e12, 1e12, "tn"),
            (1e9, 1e9, "bn"),
            (1e6, 1e6, "m"),
            (1e5, 1e3, "k"),
        ],
    };
    match steps.iter().find(|(from, _, _)| largest.abs() >= *from) {
        Some((_, divisor, word)) if value != 0.0 => format!("{}{word}", trimmed(value / divisor)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = fixed(value, 3);
    match text.split_once('.') {
        Some((whole, fraction)) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{fraction}")
            }
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn persons(count: i64, language: Language) -> String {
        headline(&CellValue::Integer(count), Unit::Persons, language)
    }

    #[test]
    fn counts_are_written_in_ten_thousands_and_in_millions() {
        assert_eq!(persons(15_445_123, Language::Ko), "1,544만 5천명");
        assert_eq!(persons(220_000, Language::Ko), "22만명");
        assert_eq!(persons(9_999_600, Language::Ko), "1,000만명");
        assert_eq!(persons(12_345, Language::Ko), "12,345명");
        assert_eq!(persons(15_445_123, Language::En), "15.445 million");
        assert_eq!(persons(999_999, Language::En), "999,999");
    }

    #[test]
    fn won_are_written_in_eok_and_jo_and_in_billions() {
        let won = |value: i128, language| headline(&whole(value), Unit::Won, language);
        assert_eq!(won(1_234_567_890_000, Language::Ko), "1조 2,346억 원");
        assert_eq!(won(999_999_999_999, Language::Ko), "1조 원");
        assert_eq!(won(1_230_000_000, Language::Ko), "12.3억 원");
        assert_eq!(won(660_000, Language::Ko), "66만 원");
        assert_eq!(won(66_000, Language::Ko), "66,000원");
        assert_eq!(won(1_234_567_890_000, Language::En), "KRW 1.23 trillion");
        assert_eq!(won(-1_230_000_000, Language::En), "−KRW 1.23 billion");
    }

    #[test]
    fn changes_carry_sign_level_and_per_cent() {
        let change = |now, before| {
            change(
                &CellValue::Integer(now),
                &CellValue::Integer(before),
                Unit::Persons,
                Language::Ko,
            )
        };
        assert_eq!(change(15_445_000, 15_225_000).unwrap(), "+22만명 (+1.4%)");
        assert_eq!(change(90, 100).unwrap(), "−10명 (−10.0%)");
        assert_eq!(change(100, 100).unwrap(), "0명 (0.0%)");
        assert_eq!(change(5, 0).unwrap(), "+5명");
    }

    #[test]
    fn shares_change_in_points() {
        let text = change(
            &CellValue::Float(0.31),
            &CellValue::Float(0.3),
            Unit::Share,
            Language::En,
        )
        .unwrap();
        assert_eq!(text, "+1.0 percentage points");
    }

    #[test]
    fn a_rounded_zero_has_no_sign() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-1234.56, 1), "−1,234.6");
    }
}
