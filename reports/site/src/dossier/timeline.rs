//! The picture of days: a line for each kind of days, a bar for each stretch, months along the top.

use chrono::{Datelike, Months, NaiveDate};

use super::inputs::{Dossier, Lane};
use super::words::word;
use crate::chart::{Chart, Label, Rule, Shape, WIDTH, round, text_width};
use crate::language::Language;

const ROW_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 18.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 8.0;
const GAP: f64 = 10.0;
/// A single day of a long picture stays visible.
const NARROWEST_BAR: f64 = 2.0;
const MOST_TICKS: u32 = 8;
const TICK_MONTHS: [u32; 8] = [1, 2, 3, 6, 12, 24, 60, 120];

/// A stretch as it is drawn.
struct Bar {
    lane: Lane,
    from: NaiveDate,
    /// The day after the last.
    until: NaiveDate,
}

/// Lines of the picture of a case: a person's own days are shown even where there are none.
pub(super) fn lanes(dossier: &Dossier) -> Vec<Lane> {
    let is_about_person = dossier.about == "person";
    Lane::ALL
        .into_iter()
        .filter(|lane| !dossier.days_not_told.contains(lane))
        .filter(|lane| {
            (is_about_person && Lane::OF_PERSON.contains(lane))
                || dossier.days.iter().any(|days| days.lane == *lane)
        })
        .collect()
}

/// The picture; none where no day is in question.
pub(super) fn timeline(dossier: &Dossier, title: String, language: Language) -> Option<Chart> {
    let [first, last] = dossier.window.as_ref()?;
    let (first, last): (NaiveDate, NaiveDate) = (first.parse().ok()?, last.parse().ok()?);
    let end = last.succ_opt()?;
    let days = (end - first).num_days();
    if days <= 0 {
        return None;
    }
    let lanes = lanes(dossier);
    let names: Vec<String> = lanes
        .iter()
        .map(|lane| word(lane.code(), language))
        .collect();
    let widest = names
        .iter()
        .map(|name| text_width(name))
        .fold(0.0, f64::max);
    let left = round(16.0 + widest.min(WIDTH * 0.36));
    let right = WIDTH - 16.0;
    let x = |day: NaiveDate| {
        let share = (day - first).num_days() as f64 / days as f64;
        round(left + (right - left) * share.clamp(0.0, 1.0))
    };
    let bars = bars(dossier, first, end);
    let mut chart = Chart {
        id: "days".to_owned(),
        title,
        description: describe(&lanes, &bars, first, last, language),
        width: WIDTH,
        height: TOP + ROW_HEIGHT * lanes.len() as f64 + BOTTOM,
        rules: Vec::new(),
        labels: Vec::new(),
        shapes: Vec::new(),
    };
    draw_months(&mut chart, first, end, left, right, &x);
    for (index, (lane, name)) in lanes.iter().zip(names).enumerate() {
        let middle = TOP + ROW_HEIGHT * (index as f64 + 0.5);
        chart.labels.push(Label {
            class: "category",
            anchor: "end",
            x: round(left - GAP),
            y: round(middle + 4.5),
            text: name,
        });
        let mut is_empty = true;
        for bar in bars.iter().filter(|bar| bar.lane == *lane) {
            is_empty = false;
            let from = x(bar.from);
            chart.shapes.push(Shape::Rectangle {
                class: format!("days {}", lane.code()),
                x: from,
                y: round(middle - BAR_HEIGHT / 2.0),
                width: round((x(bar.until) - from).max(NARROWEST_BAR)),
                height: BAR_HEIGHT,
            });
        }
        if is_empty {
            chart.labels.push(Label {
                class: "tick",
                anchor: "start",
                x: round(left + GAP),
                y: round(middle + 4.5),
                text: word("no_days", language),
            });
        }
    }
    Some(chart)
}

/// What lies within the picture, cut to it.
fn bars(dossier: &Dossier, first: NaiveDate, end: NaiveDate) -> Vec<Bar> {
    let cut = dossier.days.iter().filter_map(|days| {
        let from: NaiveDate = days.from.parse().ok()?;
        let until = match &days.to {
            Some(to) => to.parse::<NaiveDate>().ok()?.succ_opt()?,
            None => end,
        };
        Some(Bar {
            lane: days.lane,
            from: from.max(first),
            until: until.min(end),
        })
    });
    cut.filter(|bar| bar.from < bar.until).collect()
}

fn draw_months(
    chart: &mut Chart,
    first: NaiveDate,
    end: NaiveDate,
    left: f64,
    right: f64,
    x: &impl Fn(NaiveDate) -> f64,
) {
    let bottom = chart.height - BOTTOM;
    let upright = |class, place| Rule {
        class,
        x1: place,
        y1: TOP,
        x2: place,
        y2: bottom,
    };
    for month in ticks(first, end) {
        let place = x(month);
        chart.rules.push(upright("grid", place));
        let text = month.format("%Y-%m").to_string();
        let half = text_width(&text) / 2.0;
        chart.labels.push(Label {
            class: "tick",
            anchor: "middle",
            x: round(place.clamp(left + half, right - half)),
            y: TOP - 10.0,
            text,
        });
    }
    chart.rules.push(upright("axis", left));
}

/// First days of months, evenly apart, within the picture.
fn ticks(first: NaiveDate, end: NaiveDate) -> Vec<NaiveDate> {
    let months = |day: NaiveDate| day.year() as i64 * 12 + i64::from(day.month0());
    let span = u32::try_from(months(end) - months(first)).unwrap_or(0);
    let step = TICK_MONTHS
        .into_iter()
        .find(|step| span / step < MOST_TICKS)
        .unwrap_or(TICK_MONTHS[TICK_MONTHS.len() - 1]);
    let mut found = Vec::new();
    let mut month = first.with_day(1);
    while let Some(day) = month.filter(|day| *day < end) {
        if day >= first && (months(day) % i64::from(step)) == 0 {
            found.push(day);
        }
        month = day.checked_add_months(Months::new(1));
    }
    found
}

/// Days of a kind in the picture, each counted once.
fn count(bars: &[Bar], lane: Lane) -> i64 {
    let mut stretches: Vec<(NaiveDate, NaiveDate)> = bars
        .iter()
        .filter(|bar| bar.lane == lane)
        .map(|bar| (bar.from, bar.until))
        .collect();
    stretches.sort_unstable();
    let (mut days, mut reached) = (0, NaiveDate::MIN);
    for (from, until) in stretches {
        let from = from.max(reached);
        days += (until - from).num_days().max(0);
        reached = reached.max(until);
    }
    days
}

/// The picture in one or two sentences.
fn describe(
    lanes: &[Lane],
    bars: &[Bar],
    first: NaiveDate,
    last: NaiveDate,
    language: Language,
) -> String {
    let counted: Vec<String> = lanes
        .iter()
        .map(|lane| {
            let (name, days) = (word(lane.code(), language), count(bars, *lane));
            match language {
                Language::Ko => format!("{name} {days}일"),
                Language::En if days == 1 => format!("{name} 1 day"),
                Language::En => format!("{name} {days} days"),
            }
        })
        .collect();
    let counted = counted.join(", ");
    match language {
        Language::Ko => format!("{first}부터 {last}까지. {counted}."),
        Language::En => format!("From {first} to {last}. {counted}."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::Stretch;
    use super::super::tests::dossier;
    use super::*;

    fn stretch(lane: Lane, from: &str, to: Option<&str>) -> Stretch {
        Stretch {
            lane,
            from: from.into(),
            to: to.map(str::to_owned),
            kind: "insured_spell".into(),
        }
    }

    fn drawn(window: [&str; 2], days: Vec<Stretch>) -> Chart {
        let dossier = Dossier {
            window: Some(window.map(str::to_owned)),
            days,
            ..dossier()
        };
        timeline(&dossier, "days".into(), Language::En).unwrap()
    }

    fn rectangles(chart: &Chart) -> Vec<(&str, f64, f64)> {
        chart
            .shapes
            .iter()
            .map(|shape| match shape {
                Shape::Rectangle {
                    class, x, width, ..
                } => (class.as_str(), *x, *width),
                _ => panic!("only bars"),
            })
            .collect()
    }

    #[test]
    fn a_bar_is_as_long_as_its_days_and_stays_within_the_picture() {
        let chart = drawn(
            ["2025-01-01", "2025-04-10"],
            vec![
                stretch(Lane::Insured, "2024-03-01", Some("2025-01-10")),
                stretch(Lane::Certified, "2025-02-01", Some("2025-02-20")),
                stretch(Lane::Abroad, "2025-04-01", None),
                stretch(Lane::Paid, "2026-01-01", None),
            ],
        );
        let bars = rectangles(&chart);
        let classes: Vec<&str> = bars.iter().map(|(class, _, _)| *class).collect();
        assert_eq!(classes, ["days insured", "days certified", "days abroad"]);
        // A hundred days are drawn: ten insured ones, twenty certified ones, ten abroad and going on.
        let day = bars[0].2 / 10.0;
        assert!((bars[1].2 - 20.0 * day).abs() < 0.3, "{bars:?}");
        assert!((bars[2].2 - 10.0 * day).abs() < 0.3, "{bars:?}");
        assert!((bars[2].1 + bars[2].2 - (WIDTH - 16.0)).abs() < 0.3);
        assert!(
            chart.description.contains("insured 10 days"),
            "{}",
            chart.description
        );
        assert!(
            chart.description.contains("benefit paid 0 days"),
            "{}",
            chart.description
        );
        assert!(chart.labels.iter().any(|label| label.text == "none"));
    }

    #[test]
    fn days_told_twice_count_once() {
        let chart = drawn(
            ["2025-01-01", "2025-03-31"],
            vec![
                stretch(Lane::Insured, "2025-01-01", Some("2025-01-20")),
                stretch(Lane::Insured, "2025-01-11", Some("2025-01-31")),
                stretch(Lane::Insured, "2025-01-12", Some("2025-01-13")),
            ],
        );
        assert!(
            chart.description.contains("insured 31 days"),
            "{}",
            chart.description
        );
    }

    #[test]
    fn nothing_leaves_the_picture_and_months_stand_apart() {
        for last in ["2025-01-01", "2025-05-01", "2026-12-31", "2049-06-30"] {
            let chart = drawn(["2025-01-01", last], Vec::new());
            let mut ends = 0.0;
            for label in chart.labels.iter().filter(|label| label.anchor == "middle") {
                let half = text_width(&label.text) / 2.0;
                assert!(label.x - half >= ends, "{last}: {label:?}");
                ends = label.x + half;
            }
            assert!(ends <= chart.width, "{last}");
        }
    }

    #[test]
    fn a_case_in_which_no_day_is_in_question_has_no_picture() {
        let dossier = Dossier {
            window: None,
            ..dossier()
        };
        assert_eq!(timeline(&dossier, "days".into(), Language::Ko), None);
    }
}
