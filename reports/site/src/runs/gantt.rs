//! The steps of a run over time: one row per step, one bar per attempt, the deadline where it lies within the picture.

use chrono::TimeDelta;

use super::inputs::{Attempt, DeadlineState, LocalTime, RunPage, StepPage};
use super::time::{clock, length};
use super::words::{mark, word};
use crate::chart::time_rows::{Measures, TimeRows, left_of_rows};
use crate::chart::{Chart, WIDTH, text_width, widest};
use crate::language::Language;

const MEASURES: Measures = Measures {
    row: 30.0,
    bar: 16.0,
    top: 40.0,
    times_above: 8.0,
    gap: 9.0,
};
const MOST_TICKS: i64 = 6;
/// Seconds between two ticks.
const TICK_STEPS: [i64; 21] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000,
];

/// The picture; `None` for a run of which no step has begun.
pub(super) fn gantt(run: &RunPage, title: String, language: Language) -> Option<Chart> {
    let attempts = || run.steps.iter().flat_map(|step| &step.attempts);
    let first = attempts().map(|attempt| attempt.started_at).min()?;
    let last = attempts().map(|attempt| end_of(attempt, run.as_of)).max()?;
    // A run shorter than a second is drawn on an axis of one.
    let last = last.max(first + TimeDelta::seconds(1));
    let left = left_of_rows(run.steps.iter().map(|step| &step.name));
    let notes: Vec<String> = run
        .steps
        .iter()
        .map(|step| note(step, run.as_of, language))
        .collect();
    let right = (WIDTH - 16.0 - widest(notes.iter())).max(left + WIDTH * 0.2);
    let rows = TimeRows {
        measures: MEASURES,
        first,
        last,
        left,
        right,
        room: (0.0, WIDTH),
    };
    let description = describe(run, first, last, language);
    let mut chart = rows.chart("gantt", title, description, run.steps.len());
    let times = ticks(first, last).into_iter();
    rows.draw_times(&mut chart, times.map(|at| (at, clock(at, first))));
    draw_deadline(&mut chart, run, &rows, language);
    for (row, (step, note)) in run.steps.iter().zip(notes).enumerate() {
        rows.draw_name(&mut chart, row, shortened(&step.name, left - 15.0));
        let mut end = left;
        for attempt in &step.attempts {
            let class = format!("step {}", state_of(attempt));
            let times = (attempt.started_at, end_of(attempt, run.as_of));
            end = end.max(rows.draw_bar(&mut chart, row, class, times));
        }
        rows.draw_text(&mut chart, row, "value", end, note);
    }
    Some(chart)
}

fn end_of(attempt: &Attempt, as_of: LocalTime) -> LocalTime {
    attempt.finished_at.unwrap_or(as_of).max(attempt.started_at)
}

fn state_of(attempt: &Attempt) -> &'static str {
    match attempt.state.as_str() {
        "success" => "success",
        "running" => "running",
        "failed" | "up_for_retry" => "failed",
        _ => "other",
    }
}

/// What stands behind the last bar of a step: `✓ 8 min 3 s (2×)`.
fn note(step: &StepPage, as_of: LocalTime, language: Language) -> String {
    let state = mark(&step.state);
    if step.attempts.is_empty() {
        return format!("{state} {}", word(&step.state, language));
    }
    let worked: TimeDelta = step
        .attempts
        .iter()
        .map(|attempt| end_of(attempt, as_of) - attempt.started_at)
        .sum();
    let times = match step.attempts.len() {
        1 => String::new(),
        count => format!(" ({count}×)"),
    };
    format!("{state} {}{times}", length(worked, language))
}

/// Round times on the wall clock within the picture.
fn ticks(first: LocalTime, last: LocalTime) -> Vec<LocalTime> {
    let span = (last - first).num_seconds().max(1);
    let step = TICK_STEPS
        .into_iter()
        .find(|step| span / step < MOST_TICKS)
        .unwrap_or(TICK_STEPS[TICK_STEPS.len() - 1]);
    let wall = i64::from(first.offset().local_minus_utc());
    let from = first.timestamp() + wall;
    let offset = (step - from.rem_euclid(step)) % step;
    let begin = first.timestamp() + offset;
    let places = (0..).map(|index| begin + index * step);
    places
        .take_while(|at| *at <= last.timestamp())
        .filter_map(|at| chrono::DateTime::from_timestamp(at, 0))
        .map(|at| at.with_timezone(first.offset()))
        .filter(|at| *at >= first)
        .collect()
}

fn draw_deadline(chart: &mut Chart, run: &RunPage, rows: &TimeRows<LocalTime>, language: Language) {
    let Some(deadline) = run.occurrence.deadline.map(|deadline| deadline.at()) else {
        return;
    };
    if deadline < rows.first || deadline > rows.last {
        return;
    }
    rows.draw_rule(chart, "deadline", deadline, 24.0);
    let time = clock(deadline, rows.first);
    let text = match language {
        Language::Ko => format!("기한 {time}"),
        Language::En => format!("deadline {time}"),
    };
    rows.draw_time(chart, "end", deadline, 28.0, text);
}

/// The picture in one or two sentences.
fn describe(run: &RunPage, first: LocalTime, last: LocalTime, language: Language) -> String {
    let in_state = |state: &str| -> Vec<&str> {
        let steps = run.steps.iter().filter(|step| step.state == state);
        steps.map(|step| step.name.as_str()).collect()
    };
    let (failed, waiting) = (in_state("failed"), in_state("upstream_failed"));
    let (from, to, count) = (clock(first, first), clock(last, first), run.steps.len());
    let mut text = match language {
        Language::Ko => format!(
            "{count}개 단계, {from}부터 {to}까지, {}.",
            length(last - first, language)
        ),
        Language::En => format!(
            "{count} steps from {from} to {to}, {}.",
            length(last - first, language)
        ),
    };
    for (names, ko, en) in [
        (failed, "실패한 단계", "Failed"),
        (
            waiting,
            "앞 단계의 실패로 실행하지 않은 단계",
            "Not run because a step before failed",
        ),
    ] {
        if !names.is_empty() {
            let what = match language {
                Language::Ko => ko,
                Language::En => en,
            };
            text.push_str(&format!(" {what}: {}.", names.join(", ")));
        }
    }
    if let Some(DeadlineState::Missed(at)) = run.occurrence.deadline {
        text.push_str(&match language {
            Language::Ko => format!(" 기한 {}을 넘겼습니다.", clock(at, first)),
            Language::En => format!(" The deadline of {} was missed.", clock(at, first)),
        });
    }
    text
}

fn shortened(name: &str, room: f64) -> String {
    if text_width(name) <= room {
        return name.to_owned();
    }
    let mut kept = String::new();
    for letter in name.chars() {
        kept.push(letter);
        if text_width(&kept) + 13.2 > room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::{Occurrence, Outcome};
    use super::*;
    use crate::chart::time_rows::tests::bars;

    fn at(text: &str) -> LocalTime {
        text.parse().unwrap()
    }

    fn attempt(number: u32, from: &str, to: Option<&str>, state: &str) -> Attempt {
        let day = |time: &str| at(&format!("2026-11-23T{time}+09:00"));
        Attempt {
            number,
            started_at: day(from),
            finished_at: to.map(day),
            state: state.into(),
            reason: String::new(),
            detail: String::new(),
        }
    }

    fn step(name: &str, state: &str, attempts: Vec<Attempt>) -> StepPage {
        StepPage {
            name: name.into(),
            state: state.into(),
            attempts,
            ..StepPage::default()
        }
    }

    fn run(steps: Vec<StepPage>, deadline: Option<DeadlineState>) -> RunPage {
        RunPage {
            run: "night-1".into(),
            plan: "night".into(),
            timezone: "Asia/Seoul".into(),
            occurrence: Occurrence {
                scheduled_at: at("2026-11-23T02:30:00+09:00"),
                origin: "schedule".into(),
                requested_by: String::new(),
                outcome: Outcome::NotRun(super::super::inputs::NotRunReason::default()),
                deadline,
            },
            queued_at: None,
            holder: String::new(),
            steps,
            release: None,
            late_sources: Vec::new(),
            as_of: at("2026-11-23T02:40:00+09:00"),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn each_attempt_is_a_bar_as_long_as_it_took_and_a_running_one_ends_at_the_time_of_reading() {
        let drawn = gantt(
            &run(
                vec![
                    step(
                        "first",
                        "success",
                        vec![
                            attempt(1, "02:30:00", Some("02:31:00"), "up_for_retry"),
                            attempt(2, "02:32:00", Some("02:34:00"), "success"),
                        ],
                    ),
                    step(
                        "second",
                        "running",
                        vec![attempt(1, "02:35:00", None, "running")],
                    ),
                    step("third", "queued", vec![]),
                ],
                None,
            ),
            "steps".into(),
            Language::En,
        )
        .unwrap();
        let bars = bars(&drawn);
        let classes: Vec<&str> = bars.iter().map(|(class, _, _)| *class).collect();
        assert_eq!(classes, ["step failed", "step success", "step running"]);
        // Ten minutes are drawn: the second attempt took two of them, the running step has five.
        let minute = bars[0].2;
        assert!((bars[1].2 - 2.0 * minute).abs() < 0.3, "{bars:?}");
        assert!((bars[2].2 - 5.0 * minute).abs() < 0.3, "{bars:?}");
        assert!(
            (bars[1].1 - bars[0].1 - 2.0 * minute).abs() < 0.3,
            "{bars:?}"
        );
        let texts: Vec<&str> = drawn
            .labels
            .iter()
            .map(|label| label.text.as_str())
            .collect();
        for expected in [
            "✓ 3 min (2×)",
            "▸ 5 min",
            "· queued",
            "02:30:00",
            "02:40:00",
        ] {
            assert!(texts.contains(&expected), "{expected} in {texts:?}");
        }
        assert_eq!(
            drawn.description,
            "3 steps from 02:30:00 to 02:40:00, 10 min."
        );
    }

    #[test]
    fn nothing_leaves_the_picture() {
        let long = "a_step_with_a_very_long_name_that_nobody_would_type_twice_in_a_row";
        let steps = vec![step(
            long,
            "failed",
            vec![attempt(1, "02:30:00", Some("02:39:59"), "failed")],
        )];
        let drawn = gantt(&run(steps, None), "steps".into(), Language::Ko).unwrap();
        for label in &drawn.labels {
            let width = text_width(&label.text);
            let (from, to) = match label.anchor {
                "end" => (label.x - width, label.x),
                "middle" => (label.x - width / 2.0, label.x + width / 2.0),
                _ => (label.x, label.x + width),
            };
            assert!(
                from >= -1.0 && to <= drawn.width + 1.0,
                "{label:?} {from} {to}"
            );
        }
        assert!(drawn.labels.iter().any(|label| label.text.ends_with('…')));
    }

    #[test]
    fn a_deadline_is_drawn_where_it_was_passed_and_said_in_the_description() {
        let missed = DeadlineState::Missed(at("2026-11-23T02:33:00+09:00"));
        let steps = || {
            vec![step(
                "one",
                "failed",
                vec![attempt(1, "02:30:00", Some("02:36:00"), "failed")],
            )]
        };
        let drawn = gantt(&run(steps(), Some(missed)), "steps".into(), Language::En).unwrap();
        let rule = drawn
            .rules
            .iter()
            .find(|rule| rule.class == "deadline")
            .unwrap();
        let (_, from, width) = bars(&drawn)[0];
        assert!((rule.x1 - from - width / 2.0).abs() < 0.3);
        assert!(
            drawn
                .description
                .ends_with("Failed: one. The deadline of 02:33:00 was missed.")
        );
        let later = DeadlineState::Met(at("2026-11-23T06:00:00+09:00"));
        let drawn = gantt(&run(steps(), Some(later)), "steps".into(), Language::En).unwrap();
        assert!(drawn.rules.iter().all(|rule| rule.class != "deadline"));
    }

    #[test]
    fn ticks_are_round_on_the_wall_clock_of_the_place() {
        // A zone half an hour off: whole hours there are none in UTC.
        let times = ticks(
            at("2026-11-23T02:10:07+05:30"),
            at("2026-11-23T06:55:00+05:30"),
        );
        let shown: Vec<String> = times
            .iter()
            .map(|at| at.format("%H:%M:%S").to_string())
            .collect();
        assert_eq!(shown, ["03:00:00", "04:00:00", "05:00:00", "06:00:00"]);
        let second = ticks(
            at("2026-11-23T02:10:07+09:00"),
            at("2026-11-23T02:10:08+09:00"),
        );
        assert_eq!(second.len(), 2);
    }

    #[test]
    fn a_run_that_has_not_begun_has_no_picture() {
        let waiting = run(vec![step("one", "queued", vec![])], None);
        assert_eq!(gantt(&waiting, "steps".into(), Language::Ko), None);
    }
}
