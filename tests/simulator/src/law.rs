//! The arithmetic of the job-seeking benefit (구직급여) and of reporting duties.

use crate::calendar::{Day, age_on, civil, day};
use crate::reference::Reference;

/// Waiting period in days before the benefit starts (고용보험법 제49조).
pub(crate) const WAITING_DAYS: i32 = 7;

/// Insured days needed in the 18 months before separation (고용보험법 제40조 제1항 제1호).
///
/// The law counts paid days, of which a full week of work has six, so 180 of them stand in 210
/// calendar days of insurance.
pub(crate) const QUALIFYING_CALENDAR_DAYS: i32 = 210;

/// Days after leaving within which all pay is due (근로기준법 제36조).
pub(crate) const PAID_AFTER_LEAVING: Day = 14;

/// Daily benefit: 60 % of the base daily wage between floor and ceiling
/// (고용보험법 제45조 · 제46조). The floor is 80 % of the hourly minimum for the contractual hours
/// of a day, eight at most.
pub(crate) fn daily_benefit_won(
    reference: &Reference,
    separated_on: Day,
    base_daily_won: i64,
    weekly_hours: u8,
) -> i64 {
    let (year, _, _) = civil(separated_on);
    let (ceiling, rate_percent, floor_percent, floor_hours) = reference.benefit_rule(separated_on);
    let hours = (i64::from(weekly_hours) + 4) / 5;
    let floor = reference.minimum_wage(year) * hours.clamp(1, floor_hours) * floor_percent / 100;
    let replacement = base_daily_won * rate_percent / 100;
    replacement.max(floor).min(ceiling)
}

/// Entitled days by insured days and age at separation (고용보험법 별표 1).
pub(crate) fn entitled_days(
    reference: &Reference,
    insured_days: i32,
    birth: Day,
    separated_on: Day,
) -> i32 {
    reference.entitled_days(insured_days, age_on(birth, separated_on) >= 50)
}

/// Reports of acquisition, loss and daily work are due on the 15th of the next month.
pub(crate) fn report_due(event: Day) -> Day {
    let (year, month, _) = civil(event);
    if month == 12 {
        day(year + 1, 1, 15)
    } else {
        day(year, month + 1, 15)
    }
}

/// The month (counted from year 0) in whose delivery a report stands: reports that arrive until
/// the 15th of the next month belong to the month before.
pub(crate) fn delivery_month(reported: Day) -> i32 {
    let (year, month, day_of_month) = civil(reported);
    year * 12 + month as i32 - 1 - i32::from(day_of_month <= 15)
}

/// Monthly pay from which contractors and artists are insured, by kind of contract
/// (고용보험법 시행령 제104조의11, 제104조의5); none for services the law does not list.
pub(crate) fn contractor_pay_from_won(kind: Option<&[u8]>) -> Option<i64> {
    match kind? {
        b"artist" => Some(500_000),
        _ => Some(800_000),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn benefit_is_between_floor_and_ceiling() {
        let reference = Reference::load().unwrap();
        let in_2024 = day(2024, 6, 30);
        assert_eq!(daily_benefit_won(&reference, in_2024, 200_000, 40), 66_000);
        assert_eq!(daily_benefit_won(&reference, in_2024, 70_000, 40), 63_104);
        assert_eq!(daily_benefit_won(&reference, in_2024, 107_000, 40), 64_200);
        assert_eq!(daily_benefit_won(&reference, in_2024, 30_000, 20), 31_552);
        assert_eq!(
            daily_benefit_won(&reference, day(2026, 2, 1), 200_000, 40),
            68_100
        );
    }

    #[test]
    fn entitlement_follows_the_table() {
        let reference = Reference::load().unwrap();
        let separated = day(2024, 6, 30);
        let young = day(1990, 1, 1);
        let old = day(1970, 1, 1);
        assert_eq!(entitled_days(&reference, 200, young, separated), 120);
        assert_eq!(entitled_days(&reference, 200, old, separated), 120);
        assert_eq!(entitled_days(&reference, 365, young, separated), 150);
        assert_eq!(entitled_days(&reference, 1200, old, separated), 210);
        assert_eq!(entitled_days(&reference, 2000, young, separated), 210);
        assert_eq!(entitled_days(&reference, 5000, old, separated), 270);
    }

    #[test]
    fn reports_until_the_fifteenth_belong_to_the_month_before() {
        assert_eq!(report_due(day(2024, 12, 3)), day(2025, 1, 15));
        assert_eq!(delivery_month(day(2024, 3, 15)), 2024 * 12 + 1);
        assert_eq!(delivery_month(day(2024, 3, 16)), 2024 * 12 + 2);
    }
}
