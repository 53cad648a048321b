//! Every answer is compared with one found by looking at each day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Draw, Row, answer, session, sorted, table};
use crate::tests::run;

/// An open end covers every day up to here in the oracle.
const HORIZON: i32 = 80;

fn days(row: &Row) -> std::ops::RangeInclusive<i32> {
    row.1..=row.2.unwrap_or(HORIZON)
}

fn shown<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn date(day: i32) -> String {
    (chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Days::new(day as u64))
        .to_string()
}

fn row_text(row: &Row) -> String {
    format!(
        "{} {} {} {}",
        shown(row.0),
        date(row.1),
        shown(row.2.map(date)),
        row.3
    )
}

/// Rows of each key, in order; rows with a null key are one group.
fn by_key(rows: &[Row]) -> BTreeMap<(bool, Option<i64>), Vec<Row>> {
    let mut keys: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for row in sorted(rows) {
        keys.entry((row.0.is_none(), row.0)).or_default().push(row);
    }
    keys
}

fn gaps(rows: &[Row]) -> Vec<String> {
    let mut expected = Vec::new();
    for rows in by_key(rows).values() {
        let mut covered = BTreeSet::new();
        let mut open = false;
        for (position, row) in rows.iter().enumerate() {
            let latest = covered.last().copied();
            let previous_end = latest.filter(|_| !open).map(date);
            let gap = latest.map(|latest: i32| (latest + 1..row.1).count());
            covered.extend(days(row));
            open |= row.2.is_none();
            let next = rows.get(position + 1).map(|next| next.1);
            let within = row.2.map(|end| next.is_some_and(|next| next <= end + 5));
            expected.push(format!(
                "{} {} {} {} {} {} {}",
                row_text(row),
                position + 1,
                shown(previous_end),
                shown(gap),
                shown((!open).then_some(covered.len())),
                shown(next.map(date)),
                shown(within)
            ));
        }
    }
    expected
}

fn end_text(day: i32) -> String {
    if day >= HORIZON {
        "-".to_owned()
    } else {
        date(day)
    }
}

fn merge(rows: &[Row], join_gap: i32) -> Vec<String> {
    let mut expected = Vec::new();
    for ((_, key), rows) in by_key(rows) {
        let mut stretches: Vec<(i32, i32, usize)> = Vec::new();
        for row in &rows {
            let (start, end) = (*days(row).start(), *days(row).end());
            match stretches.last_mut() {
                Some(last) if start <= last.1 + 1 + join_gap => {
                    last.1 = last.1.max(end);
                    last.2 += 1;
                }
                _ => stretches.push((start, end, 1)),
            }
        }
        for (start, end, spells) in stretches {
            expected.push(format!(
                "{} {} {} {spells}",
                shown(key),
                date(start),
                end_text(end)
            ));
        }
    }
    expected
}

/// The spells of every day, as runs of days with the same answer.
fn runs<T: PartialEq>(rows: &[Row], of: impl Fn(&[&Row]) -> T) -> Vec<(i32, i32, T)> {
    let mut runs: Vec<(i32, i32, T)> = Vec::new();
    for day in 0..=HORIZON {
        let running: Vec<&Row> = rows.iter().filter(|row| days(row).contains(&day)).collect();
        if running.is_empty() {
            continue;
        }
        let now = of(&running);
        match runs.last_mut() {
            Some(last) if last.1 == day - 1 && last.2 == now => last.1 = day,
            _ => runs.push((day, day, now)),
        }
    }
    runs
}

fn depth(rows: &[Row]) -> Vec<String> {
    let mut expected = Vec::new();
    for ((_, key), rows) in by_key(rows) {
        for (start, end, depth) in runs(&rows, |running| running.len()) {
            expected.push(format!(
                "{} {} {} {depth}",
                shown(key),
                date(start),
                end_text(end)
            ));
        }
    }
    expected
}

fn episodes(rows: &[Row]) -> Vec<String> {
    let mut expected = Vec::new();
    for rows in by_key(rows).values() {
        let stretches = runs(rows, |running| {
            running.iter().map(|row| **row).collect::<Vec<Row>>()
        });
        for (number, (start, end, running)) in stretches.into_iter().enumerate() {
            for row in &running {
                expected.push(format!(
                    "{} {} {} {} {}",
                    row_text(row),
                    number + 1,
                    date(start),
                    end_text(end),
                    running.len()
                ));
            }
        }
    }
    expected
}

/// Like [`episodes`], but a day cuts only where some number begins more or less often than it ends.
fn continued_episodes(rows: &[Row], number: impl Fn(&Row) -> Option<i64>) -> Vec<String> {
    let mut expected = Vec::new();
    for rows in by_key(rows).values() {
        let cuts = |day: i32| {
            let mut balance: BTreeMap<i64, i32> = BTreeMap::new();
            let mut alone = false;
            for row in rows {
                let begins = i32::from(row.1 == day);
                let ends = i32::from(row.2.is_some_and(|end| end + 1 == day));
                match number(row) {
                    Some(number) => *balance.entry(number).or_default() += begins - ends,
                    None => alone |= begins + ends > 0,
                }
            }
            alone || balance.values().any(|balance| *balance != 0)
        };
        let covered: Vec<i32> = (0..=HORIZON)
            .filter(|day| rows.iter().any(|row| days(row).contains(day)))
            .collect();
        let mut stretches: Vec<(i32, i32)> = Vec::new();
        for day in covered {
            match stretches.last_mut() {
                Some(last) if last.1 == day - 1 && !cuts(day) => last.1 = day,
                _ => stretches.push((day, day)),
            }
        }
        for (position, (start, end)) in stretches.into_iter().enumerate() {
            let running: Vec<&Row> = rows
                .iter()
                .filter(|row| row.1 <= end && *days(row).end() >= start)
                .collect();
            for row in &running {
                expected.push(format!(
                    "{} {} {} {} {}",
                    row_text(row),
                    position + 1,
                    date(start),
                    end_text(end),
                    running.len()
                ));
            }
        }
    }
    expected
}

fn join(left: &[Row], right: &[Row], keeps_left: bool, point: bool) -> Vec<String> {
    let mut expected = Vec::new();
    for left in left {
        let covered = if point { left.1..=left.1 } else { days(left) };
        let mut matched = false;
        for right in right
            .iter()
            .filter(|right| left.0.is_some() && left.0 == right.0)
        {
            let shared: Vec<i32> = covered
                .clone()
                .filter(|day| days(right).contains(day))
                .collect();
            let (Some(first), Some(last)) = (shared.first(), shared.last()) else {
                continue;
            };
            matched = true;
            let mut text = format!("{} {}", left.3, right.3);
            if !point {
                let is_open = left.2.is_none() && right.2.is_none();
                let days = (!is_open).then_some(shared.len());
                let end = if is_open { "-".to_owned() } else { date(*last) };
                text += &format!(" {} {end} {}", date(*first), shown(days));
            }
            expected.push(text);
        }
        if !matched && keeps_left {
            expected.push(format!("{} -{}", left.3, if point { "" } else { " - - -" }));
        }
    }
    expected.sort();
    expected
}

#[test]
fn every_function_agrees_with_looking_at_each_day() {
    run(async {
        for seed in 0..24 {
            let mut draw = Draw::new(seed + 1);
            let count = [0, 1, 2, 9, 40, 120][seed as usize % 6];
            let (rows, others) = (draw.rows(count), draw.rows(count / 2 + 1));
            let size = [1, 2, 7, 8192][seed as usize % 4];
            for in_order in [false, true] {
                let threads = if seed % 3 == 0 { 1 } else { 2 };
                let session = session(threads, size, 64 << 20);
                let parts = if in_order { 1 } else { threads };
                let (rows, others) = if in_order {
                    (sorted(&rows), sorted(&others))
                } else {
                    (rows.clone(), others.clone())
                };
                for (name, rows) in [("spell", &rows), ("other", &others)] {
                    let table = Arc::new(table(rows, size, parts, in_order));
                    session
                        .register_table(format!("core.{name}"), table)
                        .unwrap();
                }
                let cases = [
                    (
                        "select * from spell_gaps(core.spell, person, from_on, to_on, next_within_days => 5)",
                        gaps(&rows),
                    ),
                    (
                        "select * from spell_merge(core.spell, 'person', 'from_on', 'to_on')",
                        merge(&rows, 0),
                    ),
                    (
                        "select * from spell_merge(core.spell, person, from_on, to_on, join_gap_days => 4)",
                        merge(&rows, 4),
                    ),
                    ("select * from spell_depth(core.spell, person, from_on, to_on)", depth(&rows)),
                    (
                        "select * from spell_episodes(core.spell, person, from_on, to_on)",
                        episodes(&rows),
                    ),
                    (
                        "select person, from_on, to_on, no, episode_no, episode_start, episode_end, concurrent
                         from spell_episodes(
                           (select *, case when no % 4 > 0 then no % 4 end as number from core.spell),
                           person, from_on, to_on, continues => number)",
                        continued_episodes(&rows, |row| Some(row.3 % 4).filter(|number| *number > 0)),
                    ),
                    (
                        "select no, other_no, overlap_start, overlap_end, overlap_days from spell_join(
                           core.spell, (select person, from_on as f, to_on as t, no as other_no from core.other),
                           person, from_on, to_on, f, t)",
                        join(&rows, &others, false, false),
                    ),
                    (
                        "select no, other_no, overlap_start, overlap_end, overlap_days from spell_join(
                           core.spell, (select person, from_on as f, to_on as t, no as other_no from core.other),
                           person, from_on, to_on, f, t, kind => 'left')",
                        join(&rows, &others, true, false),
                    ),
                    (
                        "select no, other_no from spell_at(
                           core.spell, (select person, from_on as f, to_on as t, no as other_no from core.other),
                           person, from_on, f, t, kind => 'left')",
                        join(&rows, &others, true, true),
                    ),
                ];
                for (sql, mut expected) in cases {
                    let mut found = answer(&session, sql).await.unwrap();
                    found.sort();
                    expected.sort();
                    assert_eq!(found, expected, "seed {seed}, in order {in_order}: {sql}");
                }
            }
        }
    });
}

#[test]
fn exclusive_ends_are_the_inclusive_ones_a_day_later() {
    run(async {
        let rows = sorted(&Draw::new(5).rows(60));
        let shifted: Vec<Row> = rows
            .iter()
            .map(|row| (row.0, row.1, row.2.map(|end| end + 1), row.3))
            .collect();
        let session = session(2, 7, 64 << 20);
        for (name, rows) in [("inclusive", &rows), ("exclusive", &shifted)] {
            let table = Arc::new(table(rows, 7, 1, true));
            session
                .register_table(format!("core.{name}"), table)
                .unwrap();
        }
        for (call, columns) in [
            (
                "spell_gaps",
                "no, spell_no, gap_days, tenure_days, next_start, add_days(previous_end, shift)",
            ),
            (
                "spell_episodes",
                "no, episode_no, episode_start, concurrent, add_days(episode_end, shift)",
            ),
            (
                "spell_merge",
                "person, from_on, spells, add_days(to_on, shift)",
            ),
            (
                "spell_depth",
                "person, from_on, depth, add_days(to_on, shift)",
            ),
        ] {
            let ask = |table: &str, option: &str, shift: &str| {
                format!(
                    "select {} from {call}(core.{table}, person, from_on, to_on{option})",
                    columns.replace("shift", shift)
                )
            };
            let mut inclusive = answer(&session, &ask("inclusive", "", "1")).await.unwrap();
            let exclusive = ask("exclusive", ", end_is => 'exclusive'", "0");
            let mut exclusive = answer(&session, &exclusive).await.unwrap();
            inclusive.sort();
            exclusive.sort();
            assert_eq!(inclusive, exclusive, "{call}");
        }
    });
}
