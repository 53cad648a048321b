//! What is due, with clocks moved by hand.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{at, calendar, plan};
use crate::due::{Decision, Due, History, NotRun, Verdict, due, upcoming};
use crate::{Calendar, Plan};

fn history(decided_through: &str) -> History {
    History {
        decided_through: at(decided_through),
        decided: BTreeSet::new(),
        paused_since: None,
        active: BTreeSet::new(),
    }
}

/// Scheduled day and hour in UTC with the word for what becomes of it.
fn shown(due: &Due) -> Vec<String> {
    due.decisions
        .iter()
        .map(|decision| {
            let verdict = match &decision.verdict {
                Verdict::Run { late: false } => "run",
                Verdict::Run { late: true } => "late",
                Verdict::NotRun(reason) => reason.code(),
            };
            format!("{} {verdict}", decision.scheduled_at.format("%d"))
        })
        .collect()
}

fn seoul_night(keys: &str) -> Plan {
    plan(&format!(
        "schedule = \"30 2 * * *\"\ntimezone = \"Asia/Seoul\"\n{keys}"
    ))
}

#[test]
fn nine_days_off_then_one_hour_back_lists_every_night_and_runs_by_the_policy() {
    // 02:30 in Seoul is 17:30 UTC of the day before. Off after the night of the 1st, back at noon of the 10th.
    let off = history("2026-06-01T18:00:00Z");
    let back = at("2026-06-10T18:00:00Z");
    let latest = due(&seoul_night("catchup = \"latest\""), &off, None, back);
    let mut expected: Vec<String> = (2..10).map(|day| format!("{day:02} superseded")).collect();
    expected.push("10 late".to_owned());
    assert_eq!(shown(&latest), expected);
    let all = due(&seoul_night("catchup = \"all\""), &off, None, back);
    assert_eq!(
        shown(&all),
        (2..11)
            .map(|day| format!("{day:02} late"))
            .collect::<Vec<_>>()
    );
    let window = due(
        &seoul_night("catchup = \"all\"\ncatchup_window = \"3d\""),
        &off,
        None,
        back,
    );
    let mut expected: Vec<String> = (2..8)
        .map(|day| format!("{day:02} outside_catchup_window"))
        .collect();
    expected.extend((8..11).map(|day| format!("{day:02} late")));
    assert_eq!(shown(&window), expected);
    let skip = due(&seoul_night("catchup = \"skip\""), &off, None, back);
    assert_eq!(
        shown(&skip),
        (2..11)
            .map(|day| format!("{day:02} missed"))
            .collect::<Vec<_>>()
    );

    // Everything is decided: an hour later there is nothing to do, and nothing is decided twice.
    for decided in [latest, all, window, skip] {
        assert_eq!(decided.decided_through, back);
        assert_eq!(decided.next, Some(at("2026-06-11T17:30:00Z")));
        let later = History {
            decided_through: decided.decided_through,
            ..off.clone()
        };
        let plan = seoul_night("");
        assert_eq!(
            due(&plan, &later, None, back + TimeDelta::hours(1)).decisions,
            []
        );
    }
}

/// Asks again at every full hour, as a scheduler would that never sleeps, and keeps what was decided.
fn hour_by_hour(plan: &Plan, calendar: Option<&Calendar>, from: &str, to: &str) -> Vec<Decision> {
    let mut history = history(from);
    let mut decisions = Vec::new();
    let mut now = at(from);
    while now < at(to) {
        now += TimeDelta::hours(1);
        let due = due(plan, &history, calendar, now);
        history.decided_through = due.decided_through;
        for decision in due.decisions {
            assert!(
                history.decided.insert(decision.scheduled_at),
                "decided twice: {decision:?}"
            );
            decisions.push(decision);
        }
    }
    decisions
}

#[test]
fn two_years_of_nights_are_decided_once_each_in_zones_that_change_their_clocks() {
    for zone in ["America/New_York", "America/Santiago"] {
        for time in ["30 0", "30 1", "30 2", "30 23"] {
            let plan = plan(&format!(
                "schedule = \"{time} * * *\"\ntimezone = \"{zone}\""
            ));
            let decisions =
                hour_by_hour(&plan, None, "2025-01-01T12:00:00Z", "2027-01-01T12:00:00Z");
            assert_eq!(decisions.len(), 730, "{zone} {time}");
            let dates: BTreeSet<_> = decisions
                .iter()
                .map(|decision| decision.run_at.with_timezone(&plan.timezone).date_naive())
                .collect();
            assert_eq!(dates.len(), 730, "{zone} {time}");
            assert!(
                decisions
                    .iter()
                    .all(|decision| matches!(decision.verdict, Verdict::Run { .. }))
            );
        }
    }
}

#[test]
fn a_year_of_business_days_runs_or_lists_each_date() {
    let free = calendar();
    let keys = "schedule = \"30 2 * * *\"\ncalendar = \"test\"\non_holiday = \"skip\"";
    let decisions = hour_by_hour(
        &plan(keys),
        Some(&free),
        "2024-12-31T16:00:00Z",
        "2025-12-31T16:00:00Z",
    );
    assert_eq!(decisions.len(), 365);
    let listed = decisions
        .iter()
        .filter(|decision| matches!(decision.verdict, Verdict::NotRun(NotRun::Holiday { .. })))
        .count();
    // 104 days of weekends, and three holidays that fall on none.
    assert_eq!(listed, 104 + 3);
}

#[test]
fn a_weekly_run_moves_to_the_next_business_day_and_two_moved_ones_are_one() {
    let free = calendar();
    // Saturdays at 03:00 in Seoul, which is Friday 18:00 UTC.
    let weekly =
        plan("schedule = \"0 3 * * SAT\"\ncalendar = \"test\"\non_holiday = \"next_business_day\"");
    let decisions = hour_by_hour(
        &weekly,
        Some(&free),
        "2025-01-20T00:00:00Z",
        "2025-02-01T00:00:00Z",
    );
    // Monday the 27th was declared free on the 14th, so the run comes on Tuesday.
    assert_eq!(decisions[0].scheduled_at, at("2025-01-24T18:00:00Z"));
    assert_eq!(decisions[0].run_at, at("2025-01-27T18:00:00Z"));
    assert_eq!(decisions[0].verdict, Verdict::Run { late: false });

    let both = plan(
        "schedule = \"0 3 * * SAT,SUN\"\ncalendar = \"test\"\non_holiday = \"next_business_day\"",
    );
    let decisions = hour_by_hour(
        &both,
        Some(&free),
        "2025-03-07T00:00:00Z",
        "2025-03-11T00:00:00Z",
    );
    let codes: Vec<_> = decisions.iter().map(|decision| &decision.verdict).collect();
    let sunday = at("2025-03-08T18:00:00Z");
    assert_eq!(
        codes,
        [
            &Verdict::NotRun(NotRun::MovedOnto {
                scheduled_at: sunday
            }),
            &Verdict::Run { late: false }
        ]
    );

    let daily =
        plan("schedule = \"0 3 * * *\"\ncalendar = \"test\"\non_holiday = \"next_business_day\"");
    let decisions = hour_by_hour(
        &daily,
        Some(&free),
        "2025-03-07T00:00:00Z",
        "2025-03-11T00:00:00Z",
    );
    let runs = decisions
        .iter()
        .filter(|decision| matches!(decision.verdict, Verdict::Run { .. }));
    // Monday's and Tuesday's; Saturday and Sunday are listed as moved onto Monday.
    assert_eq!((decisions.len(), runs.count()), (4, 2));
}

#[test]
fn a_holiday_declared_after_the_decision_changes_nothing_that_was_decided() {
    let free = calendar();
    let monthly = plan("schedule = \"0 3 27 1 *\"\ncalendar = \"test\"\non_holiday = \"skip\"");
    let before = upcoming(&monthly, Some(&free), at("2025-01-10T00:00:00Z"), 1);
    let after = upcoming(&monthly, Some(&free), at("2025-01-20T00:00:00Z"), 1);
    assert!(before[0].outcome.is_ok());
    assert_eq!(
        after[0].outcome,
        Err(NotRun::Holiday {
            name: "temporary holiday".to_owned()
        })
    );
}

#[test]
fn overlap_skips_queues_replaces_or_allows() {
    let running = at("2026-06-01T17:30:00Z");
    let busy = |at: DateTime<Utc>| History {
        active: [running].into(),
        ..history_at(at)
    };
    fn history_at(at: DateTime<Utc>) -> History {
        History {
            decided_through: at,
            decided: BTreeSet::new(),
            paused_since: None,
            active: BTreeSet::new(),
        }
    }
    let now = at("2026-06-02T17:31:00Z");
    let decide = |overlap: &str| {
        due(
            &seoul_night(&format!("overlap = \"{overlap}\"")),
            &busy(running),
            None,
            now,
        )
    };
    let skipped = decide("skip");
    assert_eq!(
        skipped.decisions[0].verdict,
        Verdict::NotRun(NotRun::Overlap { active: running })
    );
    for overlap in ["queue", "allow"] {
        let decided = decide(overlap);
        assert_eq!(
            (shown(&decided), decided.replaced),
            (vec!["02 run".to_owned()], vec![])
        );
    }
    let decided = decide("replace");
    assert_eq!(
        (shown(&decided), decided.replaced),
        (vec!["02 run".to_owned()], vec![running])
    );
}

#[test]
fn a_paused_plan_lists_what_it_did_not_run() {
    let paused = History {
        paused_since: Some(at("2026-06-02T00:00:00Z")),
        ..history("2026-06-01T18:00:00Z")
    };
    let decided = due(&seoul_night(""), &paused, None, at("2026-06-03T18:00:00Z"));
    assert_eq!(shown(&decided), ["02 paused", "03 paused"]);
}

#[test]
fn a_deadline_is_a_time_of_day_or_a_length_of_time() {
    let due_at = at("2026-06-01T17:30:00Z");
    let deadline = |text: &str| seoul_night(&format!("deadline = \"{text}\"")).deadline_of(due_at);
    assert_eq!(deadline("06:00"), Some(at("2026-06-01T21:00:00Z")));
    assert_eq!(deadline("02:00"), Some(at("2026-06-02T17:00:00Z")));
    assert_eq!(deadline("90m"), Some(at("2026-06-01T19:00:00Z")));
    assert_eq!(seoul_night("").deadline_of(due_at), None);
}
