//! Days as whole numbers and their eight-digit text, precomputed: the simulator writes tens of
//! millions of dates.

use std::sync::OnceLock;

/// Days since 1970-01-01.
pub(crate) type Day = i32;

/// A day that never comes: an open end.
pub(crate) const NEVER: Day = i32::MAX / 2;

const FIRST_YEAR: i32 = 1900;
const LAST_YEAR: i32 = 2099;

struct Table {
    first: Day,
    text: Vec<[u8; 8]>,
}

/// The day of a calendar date (Hinnant's days_from_civil).
pub(crate) fn day(year: i32, month: u32, day_of_month: u32) -> Day {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year - era * 400;
    let month_index = (month as i32 + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day_of_month as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day.
pub(crate) fn civil(of: Day) -> (i32, u32, u32) {
    let shifted = of + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year, month as u32, day_of_month as u32)
}

/// Months since year 0 of a day.
pub(crate) fn month_of(of: Day) -> i32 {
    let (year, month, _) = civil(of);
    year * 12 + month as i32 - 1
}

/// First day of a month counted from year 0.
pub(crate) fn first_of(month: i32) -> Day {
    day(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1)
}

/// Completed years of age.
pub(crate) fn age_on(birth: Day, on: Day) -> i32 {
    let (birth_year, birth_month, birth_day) = civil(birth);
    let (year, month, day_of_month) = civil(on);
    year - birth_year - i32::from((month, day_of_month) < (birth_month, birth_day))
}

/// 0 Monday … 6 Sunday.
pub(crate) fn weekday(of: Day) -> u32 {
    (of + 3).rem_euclid(7) as u32
}

/// Whether it is neither Saturday nor Sunday.
pub(crate) fn is_weekday(of: Day) -> bool {
    weekday(of) < 5
}

/// The day itself or the first weekday after it.
pub(crate) fn next_weekday(of: Day) -> Day {
    match weekday(of) {
        5 => of + 2,
        6 => of + 1,
        _ => of,
    }
}

/// `YYYYMMDD`.
pub(crate) fn text(of: Day) -> &'static [u8; 8] {
    static TABLE: OnceLock<Table> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let first = day(FIRST_YEAR, 1, 1);
        let last = day(LAST_YEAR, 12, 31);
        let text = (first..=last)
            .map(|of| {
                let (year, month, day_of_month) = civil(of);
                let mut digits = [b'0'; 8];
                let mut number = year as u32 * 10_000 + month * 100 + day_of_month;
                for digit in digits.iter_mut().rev() {
                    *digit = b'0' + (number % 10) as u8;
                    number /= 10;
                }
                digits
            })
            .collect();
        Table { first, text }
    });
    let index = (of - table.first).clamp(0, table.text.len() as i32 - 1);
    &table.text[index as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        for of in day(1900, 1, 1)..day(2050, 1, 1) {
            let (year, month, day_of_month) = civil(of);
            assert_eq!(day(year, month, day_of_month), of);
        }
        assert_eq!(text(day(2024, 2, 29)), b"20240229");
        assert_eq!(weekday(day(2026, 11, 22)), 6);
        assert_eq!(first_of(2024 * 12), day(2024, 1, 1));
    }

    #[test]
    fn age_changes_on_the_birthday() {
        let birth = day(1980, 5, 2);
        assert_eq!(age_on(birth, day(2024, 5, 1)), 43);
        assert_eq!(age_on(birth, day(2024, 5, 2)), 44);
    }
}
