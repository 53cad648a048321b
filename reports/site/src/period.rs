//! Periods as they stand in addresses: `2025-12`, `2025`.

use chrono::NaiveDate;
use goyong_types::Month;

use crate::language::Language;

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

/// The period as a sentence writes it: `2025년 12월`, `December 2025`.
pub(crate) fn period_text(period: &str, language: Language) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    match (period.parse::<Month>(), language) {
        (Ok(month), Language::Ko) => format!("{}년 {}월", month.year(), month.month()),
        (Ok(month), Language::En) => {
            let name = MONTHS
                .get(month.month() as usize - 1)
                .copied()
                .unwrap_or_default();
            format!("{name} {}", month.year())
        }
        (Err(_), Language::Ko) if period.len() == 4 => format!("{period}년"),
        (Err(_), _) => period.to_owned(),
    }
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
    fn periods_are_written_out_in_both_languages() {
        assert_eq!(period_text("2025-12", Language::Ko), "2025년 12월");
        assert_eq!(period_text("2025-12", Language::En), "December 2025");
        assert_eq!(period_text("2023", Language::Ko), "2023년");
    }

    #[test]
    fn editions_are_periods_and_revisions() {
        assert!(is_edition("2025-12") && is_edition("2025") && is_edition("r2"));
        assert!(!is_edition("index.html") && !is_edition("r") && !is_edition("2025-1"));
    }
}
