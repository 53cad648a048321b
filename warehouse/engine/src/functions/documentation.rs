//! What each function of ours does, as `information_schema.routines` and the documentation show it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

/// Name, form and meaning.
pub(crate) const FUNCTIONS: [(&str, &str, &str); 15] = [
    ("month_start", "month_start(day)", "first day of the month"),
    ("month_end", "month_end(day)", "last day of the month"),
    (
        "add_months",
        "add_months(day, n)",
        "the same day n months later, or that month's last day",
    ),
    ("add_days", "add_days(day, n)", "n days later"),
    (
        "months_between",
        "months_between(from, to)",
        "whole months from one day to another; negative when the second is earlier",
    ),
    (
        "days_between",
        "days_between(from, to)",
        "days from one day to another, to minus from",
    ),
    (
        "days_overlap",
        "days_overlap(from1, to1, from2, to2)",
        "days two closed intervals share; a null end is open, two open ends give null",
    ),
    (
        "age_at",
        "age_at(birth_date, day)",
        "full years of life on a day (Civil Act, article 158)",
    ),
    (
        "months_series",
        "months_series(from, to)",
        "list of the first days of every month from one day to another",
    ),
    (
        "is_business_day",
        "is_business_day(day, holidays)",
        "whether a day is neither Saturday, Sunday nor in the list of holidays",
    ),
    (
        "business_days_between",
        "business_days_between(from, to, holidays)",
        "business days after one day up to and with another; negative when the second is earlier",
    ),
    (
        "add_business_days",
        "add_business_days(day, n, holidays)",
        "the n-th business day after a day, before it for a negative n; for 0 the day or the next business day",
    ),
    (
        "ksic_level",
        "ksic_level(code, 'section' | 'division' | 'group' | 'class' | 'subclass')",
        "part of an industry code (KSIC revision 10) at a level; null when the code does not reach it",
    ),
    (
        "keco_level",
        "keco_level(code, 'major' | 'minor' | 'unit')",
        "part of an occupation code (KECO) at a level; null when the code does not reach it",
    ),
    (
        "normalise_hangul",
        "normalise_hangul(text)",
        "one spelling: composed syllables, half-width letters and digits, single blanks, no invisible characters",
    ),
];

static DOCUMENTATION: LazyLock<BTreeMap<&str, Documentation>> = LazyLock::new(|| {
    let section = DocSection {
        include: true,
        label: "Functions of the warehouse",
        description: None,
    };
    FUNCTIONS
        .iter()
        .map(|(name, form, meaning)| {
            let built = Documentation::builder(section.clone(), *meaning, *form).build();
            (*name, built)
        })
        .collect()
});

pub(super) fn of(function: &str) -> Option<&'static Documentation> {
    DOCUMENTATION.get(function)
}
