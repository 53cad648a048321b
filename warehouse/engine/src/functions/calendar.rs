//! The proleptic Gregorian calendar on days since 1970-01-01, as Date32 counts them.
//!
//! Days from a date and back by counting in eras of 400 years that begin on 1 March, so that the
//! leap day is the last of its year (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").

/// Days between 1 March 0000 and 1 January 1970.
const EPOCH_OFFSET: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// Year, month 1–12 and day 1–31 of a day.
pub(super) fn civil(day: i32) -> (i32, u32, u32) {
    let shifted = i64::from(day) + EPOCH_OFFSET;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day_of_month as u32)
}

/// The day of a year, month 1–12 and day of the month.
pub(super) fn days(year: i32, month: u32, day: u32) -> i32 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * DAYS_PER_ERA + day_of_era - EPOCH_OFFSET) as i32
}

/// Months since year 0.
pub(super) fn month_number(day: i32) -> i32 {
    let (year, month, _) = civil(day);
    year * 12 + month as i32 - 1
}

/// First day of a month counted from year 0.
pub(super) fn month_start(month_number: i32) -> i32 {
    days(
        month_number.div_euclid(12),
        month_number.rem_euclid(12) as u32 + 1,
        1,
    )
}

/// The same day of the month so many months later, or that month's last day.
pub(super) fn add_months(day: i32, months: i32) -> i32 {
    let (_, _, day_of_month) = civil(day);
    let target = month_number(day).saturating_add(months);
    let start = month_start(target);
    let length = month_start(target.saturating_add(1)) - start;
    start + (day_of_month as i32).min(length) - 1
}

/// The largest number of months that can be added to `from` without passing `to`.
pub(super) fn months_between(from: i32, to: i32) -> i32 {
    if to < from {
        return -months_between(to, from);
    }
    let months = month_number(to) - month_number(from);
    if add_months(from, months) > to {
        months - 1
    } else {
        months
    }
}

/// Full years of life on a day: one more on the birthday (Civil Act, article 158). Someone born on
/// 29 February turns a year older on 1 March of a year without that day.
pub(super) fn age(birth: i32, on: i32) -> i32 {
    let (birth_year, birth_month, birth_day) = civil(birth);
    let (year, month, day) = civil(on);
    year - birth_year - i32::from((month, day) < (birth_month, birth_day))
}

/// Days common to two closed intervals; `None` as an end is open.
pub(super) fn days_overlap(first: (i32, Option<i32>), second: (i32, Option<i32>)) -> Option<i32> {
    let from = first.0.max(second.0);
    let to = match (first.1, second.1) {
        (Some(first), Some(second)) => first.min(second),
        (Some(end), None) | (None, Some(end)) => end,
        (None, None) => return None,
    };
    Some((to.saturating_sub(from).saturating_add(1)).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_six_centuries_comes_back() {
        let mut previous = civil(days(1799, 12, 31));
        for day in days(1800, 1, 1)..days(2400, 1, 1) {
            let (year, month, day_of_month) = civil(day);
            assert_eq!(days(year, month, day_of_month), day);
            assert!((year, month, day_of_month) > previous);
            previous = (year, month, day_of_month);
        }
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
    }

    #[test]
    fn months_are_clamped_to_their_last_day() {
        assert_eq!(add_months(days(2024, 1, 31), 1), days(2024, 2, 29));
        assert_eq!(add_months(days(2023, 1, 31), 1), days(2023, 2, 28));
        assert_eq!(add_months(days(2024, 3, 31), -1), days(2024, 2, 29));
        assert_eq!(add_months(days(2024, 11, 15), 14), days(2026, 1, 15));
    }

    #[test]
    fn months_between_counts_whole_months() {
        for (from, to, months) in [
            ((2024, 1, 15), (2024, 2, 14), 0),
            ((2024, 1, 15), (2024, 2, 15), 1),
            ((2024, 1, 31), (2024, 2, 29), 1),
            ((2024, 1, 31), (2024, 2, 28), 0),
            ((2024, 2, 15), (2024, 1, 15), -1),
            ((2020, 1, 1), (2025, 12, 31), 71),
        ] {
            let day = |(year, month, day): (i32, u32, u32)| days(year, month, day);
            assert_eq!(
                months_between(day(from), day(to)),
                months,
                "{from:?} {to:?}"
            );
        }
    }

    #[test]
    fn age_changes_on_the_birthday() {
        assert_eq!(age(days(1990, 5, 2), days(2024, 5, 1)), 33);
        assert_eq!(age(days(1990, 5, 2), days(2024, 5, 2)), 34);
        assert_eq!(age(days(2000, 2, 29), days(2023, 2, 28)), 22);
        assert_eq!(age(days(2000, 2, 29), days(2023, 3, 1)), 23);
    }

    #[test]
    fn overlap_counts_both_ends_and_takes_open_ends() {
        assert_eq!(days_overlap((1, Some(5)), (5, Some(9))), Some(1));
        assert_eq!(days_overlap((1, Some(4)), (5, Some(9))), Some(0));
        assert_eq!(days_overlap((1, None), (5, Some(9))), Some(5));
        assert_eq!(days_overlap((1, None), (5, None)), None);
    }
}
