//! Bars over time: a row for each name, upright rules with their time along the top.

use std::ops::Sub;

use chrono::TimeDelta;

use super::{Chart, Label, Rule, Shape, WIDTH, round, text_width, widest};

/// However short it is, a bar can be seen.
const NARROWEST_BAR: f64 = 2.0;
const BOTTOM: f64 = 8.0;

/// Heights and distances of a drawing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measures {
    pub row: f64,
    pub bar: f64,
    /// Room for the times above the rows.
    pub top: f64,
    /// From the line of the times to the rows.
    pub times_above: f64,
    /// Between a name and the first time, and between a bar and its text.
    pub gap: f64,
}

/// Where rows and times lie.
#[derive(Debug, Clone)]
pub(crate) struct TimeRows<Time> {
    pub measures: Measures,
    pub first: Time,
    pub last: Time,
    /// Where the first and the last time lie.
    pub left: f64,
    pub right: f64,
    /// Labels of times stay within.
    pub room: (f64, f64),
}

/// Where the first time lies, to the right of the names.
pub(crate) fn left_of_rows<'a>(names: impl Iterator<Item = &'a String>) -> f64 {
    round(16.0 + widest(names).min(WIDTH * 0.36))
}

impl<Time: Copy + Sub<Output = TimeDelta>> TimeRows<Time> {
    /// A drawing without rows so far.
    pub(crate) fn chart(&self, id: &str, title: String, description: String, rows: usize) -> Chart {
        Chart {
            id: id.to_owned(),
            title,
            description,
            width: WIDTH,
            height: self.measures.top + self.measures.row * rows as f64 + BOTTOM,
            ..Chart::default()
        }
    }

    pub(crate) fn x(&self, at: Time) -> f64 {
        let milliseconds = |from: Time, to: Time| (to - from).num_milliseconds() as f64;
        let share = milliseconds(self.first, at) / milliseconds(self.first, self.last);
        round(self.left + (self.right - self.left) * share.clamp(0.0, 1.0))
    }

    /// A rule through all rows at each time with the time above it, and one where the first time lies.
    pub(crate) fn draw_times(
        &self,
        chart: &mut Chart,
        times: impl Iterator<Item = (Time, String)>,
    ) {
        for (at, text) in times {
            self.draw_rule(chart, "grid", at, 0.0);
            self.draw_time(chart, "tick", at, self.measures.times_above, text);
        }
        self.draw_rule(chart, "axis", self.first, 0.0);
    }

    /// An upright rule that begins some way above the rows.
    pub(crate) fn draw_rule(&self, chart: &mut Chart, class: &'static str, at: Time, above: f64) {
        let place = self.x(at);
        chart.rules.push(Rule {
            class,
            x1: place,
            y1: self.measures.top - above,
            x2: place,
            y2: chart.height - BOTTOM,
        });
    }

    /// A text centred on a time, or as near to it as the room allows.
    pub(crate) fn draw_time(
        &self,
        chart: &mut Chart,
        class: &'static str,
        at: Time,
        above: f64,
        text: String,
    ) {
        let half = text_width(&text) / 2.0;
        let (from, to) = self.room;
        chart.labels.push(Label {
            class,
            anchor: "middle",
            x: round(self.x(at).clamp(from + half, to - half)),
            y: self.measures.top - above,
            text,
        });
    }

    /// The name of a row.
    pub(crate) fn draw_name(&self, chart: &mut Chart, row: usize, name: String) {
        let x = self.left - self.measures.gap;
        chart
            .labels
            .push(self.label(row, "category", "end", x, name));
    }

    /// A text in a row behind what ends at a place.
    pub(crate) fn draw_text(
        &self,
        chart: &mut Chart,
        row: usize,
        class: &'static str,
        end: f64,
        text: String,
    ) {
        let x = end + self.measures.gap;
        chart.labels.push(self.label(row, class, "start", x, text));
    }

    /// A bar in a row. Answers where it ends.
    pub(crate) fn draw_bar(
        &self,
        chart: &mut Chart,
        row: usize,
        class: String,
        (from, until): (Time, Time),
    ) -> f64 {
        let x = self.x(from);
        let width = (self.x(until) - x).max(NARROWEST_BAR);
        chart.shapes.push(Shape::Rectangle {
            class,
            x,
            y: round(self.middle(row) - self.measures.bar / 2.0),
            width: round(width),
            height: self.measures.bar,
        });
        x + width
    }

    fn label(
        &self,
        row: usize,
        class: &'static str,
        anchor: &'static str,
        x: f64,
        text: String,
    ) -> Label {
        Label {
            class,
            anchor,
            x: round(x),
            y: round(self.middle(row) + 4.5),
            text,
        }
    }

    fn middle(&self, row: usize) -> f64 {
        self.measures.top + self.measures.row * (row as f64 + 0.5)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Class, place and width of every bar.
    pub(crate) fn bars(chart: &Chart) -> Vec<(&str, f64, f64)> {
        let bars = chart.shapes.iter().map(|shape| match shape {
            Shape::Rectangle {
                class, x, width, ..
            } => (class.as_str(), *x, *width),
            _ => panic!("only bars"),
        });
        bars.collect()
    }
}
