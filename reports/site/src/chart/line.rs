//! Values over time: up to six lines, told apart by colour, dash and a label at their end.

use crate::definition::Unit;
use crate::language::Language;
use crate::number::axis;

use super::scale::Scale;
use super::{Chart, Label, Rule, Shape, WIDTH, round, widest};

const HEIGHT: f64 = 340.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 34.0;
/// Labels at the ends of lines keep this distance.
const LABEL_HEIGHT: f64 = 17.0;
const SERIES_CLASSES: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];
const LABEL_CLASSES: [&str; 6] = ["end t1", "end t2", "end t3", "end t4", "end t5", "end t6"];

/// One line: a value, or none, for each position on the axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub name: String,
    pub values: Vec<Option<f64>>,
    /// Ends of an interval at each position.
    pub interval: Vec<Option<(f64, f64)>>,
}

/// A chart over `periods`; `None` when there is nothing to draw.
pub(crate) fn line_chart(
    id: String,
    title: String,
    periods: &[String],
    series: &[Series],
    unit: Unit,
    language: Language,
) -> Option<Chart> {
    let values = series
        .iter()
        .flat_map(|line| line.values.iter().flatten().copied())
        .chain(series.iter().flat_map(|line| {
            line.interval
                .iter()
                .flatten()
                .flat_map(|(low, high)| [*low, *high])
        }));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if periods.len() < 2 || !low.is_finite() {
        return None;
    }
    let scale = Scale::covering(low, high, 5);
    let largest = scale.ticks.last().copied().unwrap_or_default();
    let tick_texts: Vec<String> = scale
        .ticks
        .iter()
        .map(|tick| axis(*tick, largest, unit, language))
        .collect();
    let left = 14.0 + widest(tick_texts.iter());
    let names = series
        .iter()
        .take(SERIES_CLASSES.len())
        .map(|line| &line.name);
    let right = WIDTH - 22.0 - widest(names).min(WIDTH * 0.3);
    let base = HEIGHT - BOTTOM;
    let x = |index: usize| round(left + (right - left) * index as f64 / (periods.len() - 1) as f64);
    let y = |value: f64| round(base - (base - TOP) * scale.position(value));

    let mut chart = Chart {
        id,
        title,
        description: describe(periods, series, unit, language),
        width: WIDTH,
        height: HEIGHT,
        ..Chart::default()
    };
    for (tick, text) in scale.ticks.iter().zip(tick_texts) {
        let class = if *tick == 0.0 { "axis" } else { "grid" };
        chart.rules.push(Rule {
            class,
            x1: left,
            y1: y(*tick),
            x2: right,
            y2: y(*tick),
        });
        chart.labels.push(Label {
            class: "tick",
            anchor: "end",
            x: left - 8.0,
            y: y(*tick) + 4.5,
            text,
        });
    }
    let every = periods.len().div_ceil(9).max(1);
    for (index, period) in periods.iter().enumerate() {
        // Counted from the end, so that the latest period always has its label.
        if (periods.len() - 1 - index).is_multiple_of(every) {
            chart.rules.push(Rule {
                class: "grid",
                x1: x(index),
                y1: base,
                x2: x(index),
                y2: base + 5.0,
            });
            chart.labels.push(Label {
                class: "tick",
                anchor: "middle",
                x: x(index),
                y: base + 21.0,
                text: period.clone(),
            });
        }
    }
    let mut ends = Vec::new();
    for (index, line) in series.iter().take(SERIES_CLASSES.len()).enumerate() {
        draw_interval(&mut chart, line, index, &x, &y);
        draw_line(&mut chart, line, index, &x, &y);
        if let Some((position, value)) = last_value(line) {
            ends.push((y(value), index, x(position), line.name.clone()));
        }
    }
    chart.labels.extend(spread(ends, base));
    Some(chart)
}

fn last_value(line: &Series) -> Option<(usize, f64)> {
    line.values
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, value)| value.map(|value| (index, value)))
}

/// A line breaks where a value is suppressed or missing; a value without neighbours becomes a dot.
fn draw_line(
    chart: &mut Chart,
    line: &Series,
    index: usize,
    x: &dyn Fn(usize) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let dot = |position: usize, value: f64| Shape::Circle {
        class: format!("dot {}", SERIES_CLASSES[index]),
        x: x(position),
        y: y(value),
        radius: 3.5,
    };
    let mut path = String::new();
    for (position, value) in line.values.iter().enumerate() {
        let Some(value) = value else { continue };
        let joined = position > 0 && line.values[position - 1].is_some();
        let continued = line.values.get(position + 1).is_some_and(Option::is_some);
        path.push_str(&format!(
            "{}{} {}",
            if joined { "L" } else { "M" },
            x(position),
            y(*value)
        ));
        if !joined && !continued {
            chart.shapes.push(dot(position, *value));
        }
    }
    if !path.is_empty() {
        chart.shapes.push(Shape::Path {
            class: format!("line {}", SERIES_CLASSES[index]),
            path,
        });
    }
    if let Some((position, value)) = last_value(line) {
        chart.shapes.push(dot(position, value));
    }
}

fn draw_interval(
    chart: &mut Chart,
    line: &Series,
    index: usize,
    x: &dyn Fn(usize) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let ends: Vec<(usize, f64, f64)> = line
        .interval
        .iter()
        .enumerate()
        .filter_map(|(position, ends)| ends.map(|(low, high)| (position, low, high)))
        .collect();
    if ends.is_empty() {
        return;
    }
    let mut path = String::new();
    for (step, (position, _, high)) in ends.iter().enumerate() {
        path.push_str(&format!(
            "{}{} {}",
            if step == 0 { "M" } else { "L" },
            x(*position),
            y(*high)
        ));
    }
    for (position, low, _) in ends.iter().rev() {
        path.push_str(&format!("L{} {}", x(*position), y(*low)));
    }
    path.push('Z');
    chart.shapes.push(Shape::Path {
        class: format!("band {}", SERIES_CLASSES[index]),
        path,
    });
}

/// Labels at the ends of the lines, pushed apart where the lines end close together.
fn spread(mut ends: Vec<(f64, usize, f64, String)>, base: f64) -> Vec<Label> {
    ends.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    for index in 1..ends.len() {
        ends[index].0 = ends[index].0.max(ends[index - 1].0 + LABEL_HEIGHT);
    }
    let mut limit = base - 5.0;
    for end in ends.iter_mut().rev() {
        end.0 = end.0.min(limit);
        limit = end.0 - LABEL_HEIGHT;
    }
    ends.into_iter()
        .map(|(y, index, x, text)| Label {
            class: LABEL_CLASSES[index],
            anchor: "start",
            x: round(x + 9.0),
            y: round(y + 4.5),
            text,
        })
        .collect()
}

fn describe(periods: &[String], series: &[Series], unit: Unit, language: Language) -> String {
    let mut sentences = Vec::new();
    for line in series {
        let mut known = line
            .values
            .iter()
            .enumerate()
            .filter_map(|(index, value)| value.map(|value| (index, value)));
        let (Some(first), last) = (known.next(), known.next_back()) else {
            continue;
        };
        let last = last.unwrap_or(first);
        let (from, to) = (
            axis(first.1, first.1, unit, language),
            axis(last.1, last.1, unit, language),
        );
        let (start, end) = (&periods[first.0], &periods[last.0]);
        sentences.push(match language {
            Language::Ko => format!("{}: {start} {from}, {end} {to}.", line.name),
            Language::En => format!("{}: {from} in {start}, {to} in {end}.", line.name),
        });
    }
    sentences.join(" ")
}
