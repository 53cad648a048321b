//! Periods as they stand in addresses: `2025-12`, `2025`.

use chrono::NaiveDate;
use goyong_types::Month;

/// The same period a year earlier.
pub(crate) fn year_before(period: &str) -> Option<String> {
    if let Ok(month) = period.parse::<Month>() {
        return Some(month.plus(-12).to_string());
    }
    let year: i32 = period.parse().ok().filter(|_| period.len() == 4)?;
    Some((year - 1).to_string())
}

/// The month of a day.
pub(crate) fn month_of(day: NaiveDate) -> String {
    Month::of(day).to_string()
}

/// Whether a folder of this name holds a published period or a revision of one.
pub(crate) fn is_edition(folder: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match folder.split_once('-') {
        Some((year, month)) => year.len() == 4 && digits(year) && month.len() == 2 && digits(month),
        None => {
            (folder.len() == 4 && digits(folder)) || folder.strip_prefix('r').is_some_and(digits)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_year_before_is_known_for_months_and_years() {
        assert_eq!(year_before("2025-01").unwrap(), "2024-01");
        assert_eq!(year_before("2025").unwrap(), "2024");
        assert_eq!(year_before("spring"), None);
    }

    #[test]
    fn editions_are_periods_and_revisions() {
        assert!(is_edition("2025-12") && is_edition("2025") && is_edition("r2"));
        assert!(!is_edition("index.html") && !is_edition("r") && !is_edition("2025-1"));
    }
}
