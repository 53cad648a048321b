//! Cron on the wall clocks of places that change them.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::{at, day};
use crate::schedule::{Schedule, local_time};

fn days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    std::iter::successors(Some(from), |day| day.checked_add_days(Days::new(1)))
        .take_while(move |day| *day < to)
}

/// For every local date of two years: how often a daily schedule comes on it.
fn runs_by_date(expression: &str, zone: Tz) -> BTreeMap<NaiveDate, usize> {
    let schedule = Schedule::parse(expression, zone).unwrap();
    let mut runs: BTreeMap<NaiveDate, usize> = days(day("2025-01-01"), day("2027-01-01"))
        .map(|day| (day, 0))
        .collect();
    for occurrence in schedule.between(at("2024-12-30T00:00:00Z"), at("2027-01-02T00:00:00Z")) {
        if let Some(count) = runs.get_mut(&local_time(zone, occurrence.at).date()) {
            *count += 1;
        }
    }
    runs
}

#[test]
fn each_local_date_of_two_years_has_one_run_whatever_the_clocks_do() {
    for zone in [
        Tz::America__New_York,
        Tz::America__Santiago,
        Tz::Asia__Seoul,
    ] {
        // Every half hour: also those that are skipped or come twice in New York (02:00, 01:00) and Santiago (00:00, 23:00).
        for half_hour in 0..48 {
            let expression = format!("{} {} * * *", half_hour % 2 * 30, half_hour / 2);
            for (date, runs) in runs_by_date(&expression, zone) {
                assert_eq!(runs, 1, "{zone} {expression} {date}");
            }
        }
    }
}

#[test]
fn a_local_time_that_does_not_exist_comes_at_the_first_instant_after() {
    let cases = [
        (
            Tz::America__New_York,
            "30 2 * * *",
            "2026-03-08T00:00:00Z",
            "2026-03-08T07:00:00Z",
        ),
        (
            Tz::America__New_York,
            "0 3 * * *",
            "2026-03-08T06:00:00Z",
            "2026-03-08T07:00:00Z",
        ),
        // Santiago goes from Saturday 23:59 to Sunday 01:00.
        (
            Tz::America__Santiago,
            "30 0 * * *",
            "2026-09-06T00:00:00Z",
            "2026-09-06T04:00:00Z",
        ),
        // Samoa had no 30 December 2011.
        (
            Tz::Pacific__Apia,
            "0 12 30 12 *",
            "2011-12-29T12:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
    ];
    for (zone, expression, after, expected) in cases {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let next = schedule.next_after(at(after)).unwrap();
        assert_eq!(next.at, at(expected), "{zone} {expression}");
    }
}

#[test]
fn a_local_time_that_exists_twice_comes_once() {
    let schedule = Schedule::parse("30 1 * * *", Tz::America__New_York).unwrap();
    let found = schedule.between(at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
    let instants: Vec<_> = found.iter().map(|occurrence| occurrence.at).collect();
    assert_eq!(instants, [at("2026-11-01T05:30:00Z")]);
    let schedule = Schedule::parse("30 23 * * *", Tz::America__Santiago).unwrap();
    let found = schedule.between(at("2026-04-05T00:00:00Z"), at("2026-04-05T12:00:00Z"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].at, at("2026-04-05T02:30:00Z"));
}

#[test]
fn local_times_inside_a_gap_are_one_run() {
    let schedule = Schedule::parse("*/20 * * * *", Tz::America__New_York).unwrap();
    let found = schedule.between(at("2026-03-08T06:30:00Z"), at("2026-03-08T07:30:00Z"));
    let instants: Vec<_> = found.iter().map(|occurrence| occurrence.at).collect();
    // 01:40, then 02:00, 02:20, 02:40 and 03:00 are one instant, then 03:20.
    assert_eq!(
        instants,
        [
            at("2026-03-08T06:40:00Z"),
            at("2026-03-08T07:00:00Z"),
            at("2026-03-08T07:20:00Z")
        ]
    );
    let walked: Vec<_> =
        std::iter::successors(schedule.next_after(at("2026-03-08T06:30:00Z")), |last| {
            schedule.next_after(last.at)
        })
        .take(3)
        .map(|occurrence| occurrence.at)
        .collect();
    assert_eq!(walked, instants);
}

#[test]
fn schedules_are_five_fields_that_come() {
    for wrong in [
        "",
        "* * * *",
        "0 0 2 * * *",
        "61 * * * *",
        "0 2 * * someday",
        "@daily",
        "0 0 30 2 *",
    ] {
        assert!(Schedule::parse(wrong, Tz::Asia__Seoul).is_err(), "{wrong}");
    }
    let schedule = Schedule::parse("0 6 * * MON-FRI", Tz::Asia__Seoul).unwrap();
    // Saturday.
    let next = schedule.next_after(at("2026-11-21T00:00:00Z")).unwrap();
    assert_eq!(next.at, at("2026-11-22T21:00:00Z"));
}
