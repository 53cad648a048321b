//! Chart geometry. Rust computes where everything goes; `charts.html` draws it, escaped like any other text.

mod bar;
mod calibration;
mod line;
mod scale;
pub(crate) mod time_rows;

use serde::Serialize;

pub(crate) use bar::{Bar, bar_chart};
pub(crate) use calibration::calibration_chart;
pub(crate) use line::{Series, line_chart};

/// Width of every drawing; the page scales it.
pub(crate) const WIDTH: f64 = 800.0;

/// A drawing, ready for the macro.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Unique on the page; ids of title and description start with it.
    pub id: String,
    pub title: String,
    pub description: String,
    pub width: f64,
    pub height: f64,
    pub rules: Vec<Rule>,
    pub labels: Vec<Label>,
    pub shapes: Vec<Shape>,
}

/// A straight line of the frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rule {
    pub class: &'static str,
    pub x1: f64,
    pub y1: f64,
    pub x2: f64,
    pub y2: f64,
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Label {
    pub class: &'static str,
    pub anchor: &'static str,
    pub x: f64,
    pub y: f64,
    pub text: String,
}

/// A mark that carries data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Shape {
    Path {
        class: String,
        path: String,
    },
    Rectangle {
        class: String,
        x: f64,
        y: f64,
        width: f64,
        height: f64,
    },
    Circle {
        class: String,
        x: f64,
        y: f64,
        radius: f64,
    },
}

/// One decimal of a user unit is finer than any screen, and keeps the bytes short and stable.
pub(crate) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Width of a text at the size of chart labels: a syllable is as wide as it is high, a Latin letter a little over half.
pub(crate) fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|character| if character.is_ascii() { 7.4 } else { 13.2 })
        .sum()
}

/// Width of the widest of some texts; zero where there is none.
pub(crate) fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> f64 {
    texts.map(|text| text_width(text)).fold(0.0, f64::max)
}
