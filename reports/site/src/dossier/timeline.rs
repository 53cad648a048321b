//! The picture of days: a line for each kind of days, a bar for each stretch, months along the top.

use chrono::{Datelike, Months, NaiveDate};

use super::inputs::{Dossier, Lane};
use super::words::word;
use crate::chart::time_rows::{Measures, TimeRows, left_of_rows};
use crate::chart::{Chart, WIDTH};
use crate::language::Language;

const MEASURES: Measures = Measures {
    row: 34.0,
    bar: 18.0,
    top: 34.0,
    times_above: 10.0,
    gap: 10.0,
};
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
    if end <= first {
        return None;
    }
    let lanes = lanes(dossier);
    let names: Vec<String> = lanes
        .iter()
        .map(|lane| word(lane.code(), language))
        .collect();
    let (left, right) = (left_of_rows(names.iter()), WIDTH - 16.0);
    let rows = TimeRows {
        measures: MEASURES,
        first,
        last: end,
        left,
        right,
        room: (left, right),
    };
    let bars = bars(dossier, first, end);
    let description = describe(&lanes, &bars, first, last, language);
    let mut chart = rows.chart("days", title, description, lanes.len());
    let months = ticks(first, end).into_iter();
    rows.draw_times(
        &mut chart,
        months.map(|month| (month, month.format("%Y-%m").to_string())),
    );
    for (row, (lane, name)) in lanes.iter().zip(names).enumerate() {
        rows.draw_name(&mut chart, row, name);
        let mut is_empty = true;
        for bar in bars.iter().filter(|bar| bar.lane == *lane) {
            is_empty = false;
            let class = format!("days {}", lane.code());
            rows.draw_bar(&mut chart, row, class, (bar.from, bar.until));
        }
        if is_empty {
            rows.draw_text(&mut chart, row, "tick", left, word("no_days", language));
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
    use crate::chart::text_width;
    use crate::chart::time_rows::tests::bars;

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
        let bars = bars(&chart);
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
