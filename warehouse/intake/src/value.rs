//! Numbers, days and times straight from bytes.

use std::ops::RangeInclusive;

/// A control value at or above it, in units of its scale, counts as unreadable: sums of any number
/// of rows then fit 128 bits, whatever their order.
pub(crate) const MOST_CONTROL: u128 = 10u128.pow(27);

/// An integer with optional sign; nothing else.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut magnitude: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// A decimal number times ten to the `scale`; digits beyond the scale must be zero.
pub fn decimal(text: &[u8], scale: u32) -> Option<i128> {
    let (negative, rest) = sign(text);
    let (whole, fraction) = match memchr::memchr(b'.', rest) {
        Some(point) => (&rest[..point], &rest[point + 1..]),
        None => (rest, &rest[..0]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    let mut push = |byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
        Some(())
    };
    for byte in whole {
        push(*byte)?;
    }
    let scale = scale as usize;
    for position in 0..scale {
        push(fraction.get(position).copied().unwrap_or(b'0'))?;
    }
    if fraction.iter().skip(scale).any(|byte| *byte != b'0') {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// A floating point number; no infinities, no NaN.
pub fn float(text: &[u8]) -> Option<f64> {
    let plain = text
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if !plain {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// Yes or no in the spellings providers use; `text` is UTF-8.
pub fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"Y" | b"y" | b"1" | b"true" | b"TRUE" | b"True" | b"yes" | b"Yes" => Some(true),
        b"N" | b"n" | b"0" | b"false" | b"FALSE" | b"False" | b"no" | b"No" => Some(false),
        _ if text == "예".as_bytes() => Some(true),
        _ if text == "아니오".as_bytes() || text == "아니요".as_bytes() => Some(false),
        _ => None,
    }
}

/// A compiled pattern of `strftime` letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year4,
    Year2,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(u8),
}

/// Fields of a moment as written; missing ones are the first possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

/// Years that a register of the living and the dead can hold, and the 9999 that means "open".
const YEARS: RangeInclusive<i32> = 1000..=9999;

impl TimeFormat {
    /// Compiles `%Y %y %m %d %H %M %S %F %T %%` and ASCII literals; the error names the rest.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                let mut buffer = [0; 4];
                for byte in letter.encode_utf8(&mut buffer).bytes() {
                    parts.push(Part::Literal(byte));
                }
                continue;
            }
            match letters.next() {
                Some('Y') => parts.push(Part::Year4),
                Some('y') => parts.push(Part::Year2),
                Some('m') => parts.push(Part::Month),
                Some('d') => parts.push(Part::Day),
                Some('H') => parts.push(Part::Hour),
                Some('M') => parts.push(Part::Minute),
                Some('S') => parts.push(Part::Second),
                Some('F') => parts.extend(Self::parse("%Y-%m-%d")?.parts),
                Some('T') => parts.extend(Self::parse("%H:%M:%S")?.parts),
                Some('%') => parts.push(Part::Literal(b'%')),
                other => {
                    let letter = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "`%{letter}` in `{pattern}` is not read, use %Y %y %m %d %H %M %S"
                    ));
                }
            }
        }
        Ok(Self { parts })
    }

    /// Days since 1970-01-01; a time of day, when the pattern reads one, must exist.
    pub fn date(&self, text: &[u8]) -> Option<i32> {
        let moment = self.moment(text)?;
        days_from_civil(moment.year, moment.month, moment.day)
    }

    /// Microseconds since 1970-01-01 00:00.
    pub fn timestamp(&self, text: &[u8]) -> Option<i64> {
        let moment = self.moment(text)?;
        let days = i64::from(days_from_civil(moment.year, moment.month, moment.day)?);
        let seconds = i64::from(moment.hour * 3600 + moment.minute * 60 + moment.second);
        Some((days * 86_400 + seconds) * 1_000_000)
    }

    fn moment(&self, text: &[u8]) -> Option<Moment> {
        let mut moment = Moment {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        };
        let mut rest = text;
        for part in &self.parts {
            match part {
                Part::Year4 => moment.year = digits(&mut rest, 4)? as i32,
                Part::Year2 => {
                    // The POSIX pivot: 69 to 99 are the last century.
                    let short = digits(&mut rest, 2)? as i32;
                    moment.year = if short >= 69 { 1900 } else { 2000 } + short;
                }
                Part::Month => moment.month = digits(&mut rest, 2)?,
                Part::Day => moment.day = digits(&mut rest, 2)?,
                Part::Hour => moment.hour = digits(&mut rest, 2)?,
                Part::Minute => moment.minute = digits(&mut rest, 2)?,
                Part::Second => moment.second = digits(&mut rest, 2)?,
                Part::Literal(byte) => {
                    let (first, tail) = rest.split_first()?;
                    if first != byte {
                        return None;
                    }
                    rest = tail;
                }
            }
        }
        let exists = rest.is_empty()
            && YEARS.contains(&moment.year)
            && moment.hour < 24
            && moment.minute < 60
            && moment.second < 60;
        exists.then_some(moment)
    }
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(count)?;
    let mut value = 0;
    for byte in head {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    *rest = tail;
    Some(value)
}

/// Days since 1970-01-01 of a day that exists in the Gregorian calendar.
///
/// Counts in eras of 400 years that start on 1 March, so that the leap day is the last of a year.
pub fn days_from_civil(year: i32, month: u32, day: u32) -> Option<i32> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = *LENGTHS.get((month as usize).checked_sub(1)?)? + u32::from(is_leap && month == 2);
    if day == 0 || day > length {
        return None;
    }
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let march_month = (month as i32 + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Days since 1970-01-01 of a calendar date.
pub fn days_of(date: chrono::NaiveDate) -> i32 {
    use chrono::Datelike;
    date.num_days_from_ce() - 719_163
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", Some(0))]
    #[case("-7", Some(-7))]
    #[case("+7", Some(7))]
    #[case("9223372036854775807", Some(i64::MAX))]
    #[case("-9223372036854775808", Some(i64::MIN))]
    #[case("9223372036854775808", None)]
    #[case("99999999999999999999", None)]
    #[case("", None)]
    #[case("-", None)]
    #[case("1,000", None)]
    #[case("1.0", None)]
    #[case(" 1", None)]
    fn integers(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(integer(text.as_bytes()), expected);
    }

    #[rstest]
    #[case("176.7", 2, Some(17670))]
    #[case("-0.5", 1, Some(-5))]
    #[case("1000.00", 0, Some(1000))]
    #[case("1000.01", 0, None)]
    #[case(".5", 1, Some(5))]
    #[case("5.", 1, Some(50))]
    #[case(".", 1, None)]
    #[case("1e3", 0, None)]
    #[case("", 0, None)]
    fn decimals(#[case] text: &str, #[case] scale: u32, #[case] expected: Option<i128>) {
        assert_eq!(decimal(text.as_bytes(), scale), expected);
    }

    #[rstest]
    #[case("1.5", Some(1.5))]
    #[case("-2e3", Some(-2000.0))]
    #[case("inf", None)]
    #[case("NaN", None)]
    #[case("1e999", None)]
    #[case("", None)]
    fn floats(#[case] text: &str, #[case] expected: Option<f64>) {
        assert_eq!(float(text.as_bytes()), expected);
    }

    #[rstest]
    #[case("%Y%m%d", "20240229", Some("2024-02-29"))]
    #[case("%Y%m%d", "19000229", None)]
    #[case("%Y%m%d", "20240230", None)]
    #[case("%Y%m%d", "00000000", None)]
    #[case("%Y%m%d", "2024022", None)]
    #[case("%Y%m%d", "202402290", None)]
    #[case("%Y-%m-%d", "2024-12-31", Some("2024-12-31"))]
    #[case("%y-%m-%d", "26-10-01", Some("2026-10-01"))]
    #[case("%y-%m-%d", "88-01-01", Some("1988-01-01"))]
    #[case("%Y%m", "202408", Some("2024-08-01"))]
    #[case("%Y년 %m월", "2024년 08월", Some("2024-08-01"))]
    #[case("%Y", "2024", Some("2024-01-01"))]
    #[case("%F", "9999-12-31", Some("9999-12-31"))]
    fn dates(#[case] format: &str, #[case] text: &str, #[case] expected: Option<&str>) {
        let days = TimeFormat::parse(format).unwrap().date(text.as_bytes());
        let expected = expected.map(|date| days_of(date.parse().unwrap()));
        assert_eq!(days, expected);
    }

    #[test]
    fn times_of_day_must_exist() {
        let format = TimeFormat::parse("%Y-%m-%d %H:%M:%S").unwrap();
        assert_eq!(
            format.timestamp(b"1970-01-02 00:00:01"),
            Some(86_401_000_000)
        );
        assert_eq!(format.timestamp(b"2024-01-01 24:00:00"), None);
        assert_eq!(format.timestamp(b"2024-01-01 23:60:00"), None);
        assert!(TimeFormat::parse("%Q").is_err());
    }

    #[test]
    fn every_day_of_four_centuries_counts_as_the_calendar_does() {
        let mut day = chrono::NaiveDate::from_ymd_opt(1799, 12, 25).unwrap();
        for _ in 0..150_000 {
            use chrono::Datelike;
            assert_eq!(
                days_from_civil(day.year(), day.month(), day.day()),
                Some(days_of(day))
            );
            day = day.succ_opt().unwrap();
        }
    }

    #[test]
    fn yes_and_no_in_both_languages() {
        assert_eq!(boolean("예".as_bytes()), Some(true));
        assert_eq!(boolean("아니오".as_bytes()), Some(false));
        assert_eq!(boolean(b"Y"), Some(true));
        assert_eq!(boolean(b"No"), Some(false));
        assert_eq!(boolean(b"2"), None);
    }
}
