//! Plans and calendars out of files, and what is wrong with them.

use std::time::Duration;

use super::{calendar, day};
use crate::{Calendar, Catchup, Deadline, HolidayKind, OnHoliday, Overlap, Plan};

const FULL: &str = r#"
description = "the night"
schedule = "30 2 * * *"
timezone = "Asia/Seoul"
calendar = "kr"
on_holiday = "next_business_day"
catchup = "all"
catchup_window = "7d"
overlap = "queue"
retries = 2
retry_backoff = "5m"
timeout = "4h"
pool = "heavy"
deadline = "06:00"
pause_on_failure = true
notify = ["operator"]

[[step]]
name = "load"
outputs = ["staging"]
retries = 5

[[step]]
name = "build"
job = "build_tables"
reason = "core from staging"
inputs = ["staging"]
outputs = ["core"]
pool = "default"
timeout = "1h30m"

[[step]]
name = "report"
inputs = ["core", "staging"]
"#;

#[test]
fn every_key_of_a_plan_is_read() {
    let plan = Plan::parse("night", "night.toml", FULL).unwrap();
    assert_eq!(plan.calendar.as_deref(), Some("kr"));
    assert_eq!(
        (plan.on_holiday, plan.catchup, plan.overlap),
        (OnHoliday::NextBusinessDay, Catchup::All, Overlap::Queue)
    );
    assert_eq!(plan.catchup_window, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(plan.timeout, Some(Duration::from_secs(4 * 3600)));
    assert!(matches!(plan.deadline, Some(Deadline::At(_))));
    assert!(plan.pause_on_failure);
    assert_eq!(plan.notify, ["operator"]);
    let [load, build, report] = plan.steps.as_slice() else {
        panic!("three steps");
    };
    assert_eq!((load.retries, build.retries), (5, 2));
    assert_eq!(
        (load.job.as_str(), build.job.as_str()),
        ("load", "build_tables")
    );
    assert_eq!(
        (load.pool.as_str(), build.pool.as_str()),
        ("heavy", "default")
    );
    assert_eq!(build.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(build.retry_backoff, Duration::from_secs(300));
    assert_eq!(build.backoff(3), Duration::from_secs(1200));
    assert_eq!(
        (build.upstream.as_slice(), report.upstream.as_slice()),
        (&[0][..], &[1, 0][..])
    );
}

#[test]
fn mistakes_are_told_with_line_and_nearest_name() {
    let cases = [
        (
            "retries",
            "retrys",
            "night.toml, line 10: unknown key `retrys`; did you mean `retries`?",
        ),
        (
            "timeout = \"1h30m\"",
            "timout = \"1h30m\"",
            "night.toml, line 30: unknown key `timout`; did you mean `timeout`?",
        ),
        (
            "Asia/Seoul",
            "Asia/Soul",
            "night.toml, line 4: no time zone `Asia/Soul`; did you mean `Asia/Seoul`?",
        ),
        (
            "\"5m\"",
            "\"5 minutes\"",
            "night.toml, line 11: `retry_backoff` is a length of time such as 90s, 5m, 1h30m or 7d, not `5 minutes`",
        ),
        (
            "\"queue\"",
            "\"que\"",
            "night.toml, line 9: `overlap` is one of skip, queue, replace, allow, not `que`",
        ),
        (
            "30 2 * * *",
            "30 2 * *",
            "night.toml, line 3: a schedule has five fields (minute, hour, day of month, month, day of week), `30 2 * *` has 4",
        ),
        (
            "\"06:00\"",
            "\"6 o'clock\"",
            "night.toml, line 14: `deadline` is a time of day such as 06:00 or a length of time such as 3h30m, not `6 o'clock`",
        ),
        (
            "inputs = [\"staging\"]",
            "inputs = [\"stagin\"]",
            "night.toml, line 27: no step puts out `stagin`; did you mean `staging`?",
        ),
        (
            "[\"core\"]\npool",
            "[\"staging\"]\npool",
            "night.toml, line 28: `staging` is put out by another step as well",
        ),
        (
            "name = \"build\"",
            "name = \"load\"",
            "night.toml, line 24: a second step `load`",
        ),
        (
            "outputs = [\"staging\"]",
            "outputs = [\"staging\"]\ninputs = [\"core\"]",
            "night.toml, line 21: step `load` needs, in the end, what it makes itself",
        ),
        (
            "retries = 2",
            "retries = -2",
            "night.toml, line 10: `retries` is a whole number, not below 0",
        ),
        (
            "calendar = \"kr\"",
            "",
            "night.toml, line 1: `on_holiday` needs a `calendar`",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(FULL.contains(from), "{from}");
        let problem = Plan::parse("night", "night.toml", &FULL.replacen(from, to, 1)).unwrap_err();
        assert_eq!(problem.to_string(), expected);
    }
    let problem = Plan::parse("night", "night.toml", "schedule = ").unwrap_err();
    assert_eq!(problem.line, 1, "{problem}");
    let problem = Plan::parse("../night", "night.toml", FULL).unwrap_err();
    assert!(problem.message.contains("lower-case"), "{problem}");
    assert!(Plan::parse("night", "night.toml", "").is_err());
}

#[test]
fn a_holiday_counts_from_the_day_it_became_known() {
    let calendar = calendar();
    let temporary = day("2025-01-27");
    assert_eq!(calendar.free_day(temporary, day("2025-01-13")), None);
    assert_eq!(
        calendar.free_day(temporary, day("2025-01-14")).as_deref(),
        Some("temporary holiday")
    );
    assert_eq!(
        calendar.next_business_day(day("2025-01-24"), day("2025-01-13")),
        Some(day("2025-01-27"))
    );
    assert_eq!(
        calendar.next_business_day(day("2025-01-24"), day("2025-01-24")),
        Some(day("2025-01-28"))
    );
    let kinds: Vec<HolidayKind> = calendar
        .holidays()
        .map(|(_, holiday)| holiday.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            HolidayKind::Fixed,
            HolidayKind::Temporary,
            HolidayKind::Substitute
        ]
    );
    assert_eq!(calendar.listed_until(), Some(day("2025-12-31")));
}

#[test]
fn mistakes_in_a_calendar_are_told_with_their_place() {
    let cases = [
        (
            "weekend = [\"satrday\"]",
            "kr.toml, line 1: `satrday` is no day of the week",
        ),
        (
            "[[date]]\ndate = 2025-01-32\nname = \"x\"\nkind = \"fixed\"",
            "kr.toml, line 2:",
        ),
        (
            "[[date]]\ndate = 2025-01-01",
            "kr.toml, line 1: 2025-01-01 has no `name`",
        ),
        (
            "[[date]]\ndate = 2025-01-01\nname = \"x\"\nkind = \"fixd\"",
            "kr.toml, line 4: `kind` is one of fixed, lunar, substitute, temporary, not `fixd`",
        ),
        (
            "dates_from = \"nowhere.csv\"",
            "kr.toml, line 1: `nowhere.csv` is not at hand",
        ),
        (
            "dates_from = \"days.csv\"",
            "days.csv, line 3: the day is written as 2026-01-01",
        ),
    ];
    for (text, expected) in cases {
        let days = |file: &str| {
            (file == "days.csv").then(|| "day,name\n2025-01-01,new year\ntoday,x\n".to_owned())
        };
        let problem = Calendar::parse("kr", "kr.toml", text, &days).unwrap_err();
        assert!(problem.to_string().starts_with(expected), "{problem}");
    }
}
