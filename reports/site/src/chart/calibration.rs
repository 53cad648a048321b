//! Predicted against observed shares, with the diagonal of a perfectly calibrated model.

use crate::language::Language;

use super::{Chart, Label, Rule, Shape, round};

const SIZE: f64 = 440.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const SIDE: f64 = 360.0;

/// A chart of (predicted, observed) points; `None` when there is none.
pub(crate) fn calibration_chart(
    id: String,
    title: String,
    points: &[(f64, f64)],
    axes: (String, String),
    language: Language,
) -> Option<Chart> {
    if points.is_empty() {
        return None;
    }
    let base = TOP + SIDE;
    let x = |share: f64| round(LEFT + SIDE * share.clamp(0.0, 1.0));
    let y = |share: f64| round(base - SIDE * share.clamp(0.0, 1.0));
    let gap = points
        .iter()
        .map(|(predicted, observed)| (predicted - observed).abs())
        .fold(0.0, f64::max);
    let description = match language {
        Language::Ko => format!(
            "{}개 구간의 예측 확률과 실제 비율. 대각선에서 가장 먼 구간의 차이는 {:.1}%p.",
            points.len(),
            gap * 100.0
        ),
        Language::En => format!(
            "Predicted and observed shares in {} bins. The bin furthest from the diagonal is {:.1} percentage points off.",
            points.len(),
            gap * 100.0
        ),
    };
    let mut chart = Chart {
        id,
        title,
        description,
        width: SIZE,
        height: SIZE,
        ..Chart::default()
    };
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let class = if tick == 0.0 { "axis" } else { "grid" };
        chart.rules.push(Rule {
            class,
            x1: LEFT,
            y1: y(tick),
            x2: LEFT + SIDE,
            y2: y(tick),
        });
        chart.rules.push(Rule {
            class,
            x1: x(tick),
            y1: TOP,
            x2: x(tick),
            y2: base,
        });
        let text = format!("{}%", tick * 100.0);
        chart.labels.push(Label {
            class: "tick",
            anchor: "end",
            x: LEFT - 8.0,
            y: y(tick) + 4.5,
            text: text.clone(),
        });
        chart.labels.push(Label {
            class: "tick",
            anchor: "middle",
            x: x(tick),
            y: base + 20.0,
            text,
        });
    }
    chart.rules.push(Rule {
        class: "diagonal",
        x1: x(0.0),
        y1: y(0.0),
        x2: x(1.0),
        y2: y(1.0),
    });
    chart.labels.push(Label {
        class: "name",
        anchor: "middle",
        x: LEFT + SIDE / 2.0,
        y: base + 44.0,
        text: axes.0,
    });
    chart.labels.push(Label {
        class: "name",
        anchor: "start",
        x: LEFT + 8.0,
        y: TOP + 18.0,
        text: axes.1,
    });
    let mut path = String::new();
    for (index, (predicted, observed)) in points.iter().enumerate() {
        path.push_str(&format!(
            "{}{} {}",
            if index == 0 { "M" } else { "L" },
            x(*predicted),
            y(*observed)
        ));
    }
    chart.shapes.push(Shape::Path {
        class: "line s1".into(),
        path,
    });
    for (predicted, observed) in points {
        chart.shapes.push(Shape::Circle {
            class: "dot s1".into(),
            x: x(*predicted),
            y: y(*observed),
            radius: 4.5,
        });
    }
    Some(chart)
}
