//! Values by category: horizontal bars with their value written out, and a whisker where there is an interval.

use crate::language::Language;

use super::{Chart, Label, Rule, Shape, WIDTH, round, text_width, widest};

const ROW_HEIGHT: f64 = 27.0;
const BAR_HEIGHT: f64 = 17.0;
const TOP: f64 = 8.0;

/// One category.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub label: String,
    /// `None` where it is suppressed or missing; `text` is then the mark.
    pub value: Option<f64>,
    pub text: String,
    pub interval: Option<(f64, f64)>,
}

/// A chart of the bars in the given order; `None` when there is nothing to draw.
pub(crate) fn bar_chart(
    id: String,
    title: String,
    bars: &[Bar],
    language: Language,
) -> Option<Chart> {
    let largest = bars
        .iter()
        .flat_map(|bar| {
            bar.value
                .into_iter()
                .chain(bar.interval.map(|(_, high)| high))
        })
        .fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    let left = 16.0 + widest(bars.iter().map(|bar| &bar.label)).min(WIDTH * 0.42);
    let right = WIDTH - 16.0 - widest(bars.iter().map(|bar| &bar.text));
    let height = TOP * 2.0 + ROW_HEIGHT * bars.len() as f64;
    let length = |value: f64| round((right - left) * value.max(0.0) / largest);
    let mut chart = Chart {
        id,
        title,
        description: describe(bars, language),
        width: WIDTH,
        height,
        rules: vec![Rule {
            class: "axis",
            x1: round(left),
            y1: TOP,
            x2: round(left),
            y2: height - TOP,
        }],
        ..Chart::default()
    };
    let limit = left - 16.0;
    for (index, bar) in bars.iter().enumerate() {
        let middle = TOP + ROW_HEIGHT * (index as f64 + 0.5);
        chart.labels.push(Label {
            class: "category",
            anchor: "end",
            x: round(left - 9.0),
            y: round(middle + 4.5),
            text: shortened(&bar.label, limit),
        });
        let mut end = left;
        if let Some(value) = bar.value {
            chart.shapes.push(Shape::Rectangle {
                class: "bar".into(),
                x: round(left),
                y: round(middle - BAR_HEIGHT / 2.0),
                width: length(value),
                height: BAR_HEIGHT,
            });
            end += length(value);
        }
        if let Some((low, high)) = bar.interval {
            let (from, to) = (round(left + length(low)), round(left + length(high)));
            let (above, below) = (round(middle - 4.0), round(middle + 4.0));
            let middle = round(middle);
            let path = format!(
                "M{from} {above}L{from} {below}M{from} {middle}L{to} {middle}M{to} {above}L{to} {below}"
            );
            // A light edge keeps it visible on the bar.
            for class in ["whisker edge", "whisker"] {
                chart.shapes.push(Shape::Path {
                    class: class.into(),
                    path: path.clone(),
                });
            }
            end = end.max(to);
        }
        chart.labels.push(Label {
            class: "value",
            anchor: "start",
            x: round(end + 7.0),
            y: round(middle + 4.5),
            text: bar.text.clone(),
        });
    }
    Some(chart)
}

/// The full text stands in the table behind the chart.
fn shortened(text: &str, limit: f64) -> String {
    if text_width(text) <= limit + 0.5 {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        if text_width(&short) + 27.0 > limit {
            break;
        }
        short.push(character);
    }
    short.push('…');
    short
}

fn describe(bars: &[Bar], language: Language) -> String {
    let mut known: Vec<&Bar> = bars.iter().filter(|bar| bar.value.is_some()).collect();
    known.sort_by(|left, right| {
        right
            .value
            .unwrap_or(0.0)
            .total_cmp(&left.value.unwrap_or(0.0))
    });
    let listed: Vec<String> = known
        .iter()
        .take(3)
        .map(|bar| format!("{} {}", bar.label, bar.text))
        .collect();
    match language {
        Language::Ko => format!(
            "{}개 항목 중 가장 큰 값: {}.",
            bars.len(),
            listed.join(", ")
        ),
        Language::En => format!(
            "{} categories; the largest are {}.",
            bars.len(),
            listed.join(", ")
        ),
    }
}
