//! The lineage picture of one table, ready for the macro that draws it.

use serde::Serialize;

use crate::analyse::Report;
use crate::chart::{round, text_width};
use crate::language::Language;

use super::graph::{CatalogGraph, Node};
use super::layout::{BOX_HEIGHT, layered};
use super::words::kind_text;

/// Left and right of a box's text.
const PADDING: f64 = 12.0;
const NARROWEST: f64 = 120.0;
/// Longest name that is written out.
const LONGEST_NAME: usize = 36;

/// Boxes and the lines between them, in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Picture {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<PictureBox>,
    pub lines: Vec<String>,
    pub left_out: usize,
}

/// A table or report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PictureBox {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub name: String,
    /// Schema and kind.
    pub note: String,
    /// `focus`, `source`, `report`, `view` or empty.
    pub class: &'static str,
    /// Address below the language's folder; `None` for the table itself.
    pub address: Option<String>,
}

/// The picture; `None` for a table that stands alone.
pub(crate) fn picture(
    graph: &CatalogGraph<'_>,
    reports: &[Report],
    focus: usize,
    language: Language,
) -> Option<Picture> {
    let around = graph.neighbourhood(focus);
    if around.nodes.len() < 2 {
        return None;
    }
    let mut boxes: Vec<PictureBox> = around
        .nodes
        .iter()
        .map(|node| match node {
            Node::Table(index) => table_box(graph, *index, *index == focus, language),
            Node::Report(index) => report_box(&reports[*index], language),
        })
        .collect();
    let widths: Vec<f64> = boxes
        .iter()
        .map(|shown| {
            let text = text_width(&shown.name).max(text_width(&shown.note));
            (text + 2.0 * PADDING).max(NARROWEST)
        })
        .collect();
    let layout = layered(&widths, &around.edges);
    for (shown, place) in boxes.iter_mut().zip(&layout.places) {
        shown.x = round(place.x);
        shown.y = round(place.y);
        shown.width = round(place.width);
    }
    Some(Picture {
        width: round(layout.width),
        height: round(layout.height),
        boxes,
        lines: layout
            .edges
            .iter()
            .filter(|points| points.len() > 1)
            .map(|points| line(points))
            .collect(),
        left_out: around.left_out,
    })
}

fn table_box(
    graph: &CatalogGraph<'_>,
    index: usize,
    is_focus: bool,
    language: Language,
) -> PictureBox {
    let table = graph.tables[index];
    PictureBox {
        x: 0.0,
        y: 0.0,
        width: 0.0,
        height: BOX_HEIGHT,
        name: shortened(&table.name),
        note: format!("{} · {}", table.schema, kind_text(&table.kind, language)),
        class: match table.kind.as_str() {
            _ if is_focus => "focus",
            "source" | "seed" => "source",
            "view" => "view",
            _ => "",
        },
        address: (!is_focus).then(|| format!("catalog/{}/{}/index.html", table.schema, table.name)),
    }
}

fn report_box(report: &Report, language: Language) -> PictureBox {
    PictureBox {
        x: 0.0,
        y: 0.0,
        width: 0.0,
        height: BOX_HEIGHT,
        name: shortened(report.definition.title.get(language)),
        note: kind_text("report", language),
        class: "report",
        address: Some(format!("reports/{}/index.html", report.definition.slug)),
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LONGEST_NAME - 1).collect();
    format!("{kept}…")
}

/// Curves between layers, straight lines past them.
fn line(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut previous: Option<(f64, f64)> = None;
    for (step, (x, y)) in points
        .iter()
        .map(|(x, y)| (round(*x), round(*y)))
        .enumerate()
    {
        path.push_str(&match previous {
            None => format!("M{x} {y}"),
            // Points come in pairs: from the end of one box to the beginning of the next item, then past that item.
            Some((from_x, from_y)) if step % 2 == 1 && from_y != y => {
                let middle = round((from_x + x) / 2.0);
                format!("C{middle} {from_y} {middle} {y} {x} {y}")
            }
            Some(_) => format!("H{x}"),
        });
        previous = Some((x, y));
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::{Catalog, CatalogTable};
    use super::*;

    fn table(schema: &str, name: &str, kind: &str, reads: &[&str]) -> CatalogTable {
        CatalogTable {
            schema: schema.into(),
            name: name.into(),
            kind: kind.into(),
            reads: reads.iter().map(|read| (*read).to_owned()).collect(),
            ..CatalogTable::default()
        }
    }

    #[test]
    fn every_box_but_the_table_itself_is_a_link() {
        let catalog = Catalog {
            tables: vec![
                table("core", "b", "table", &["staging.a"]),
                table("marts", "c", "view", &["core.b"]),
                table("staging", "a", "source", &[]),
            ],
            ..Catalog::default()
        };
        let graph = CatalogGraph::new(&catalog, &[]);
        let drawn = picture(&graph, &[], 0, Language::En).unwrap();
        let links: Vec<(&str, Option<&str>)> = drawn
            .boxes
            .iter()
            .map(|shown| (shown.class, shown.address.as_deref()))
            .collect();
        assert_eq!(
            links,
            [
                ("focus", None),
                ("source", Some("catalog/staging/a/index.html")),
                ("view", Some("catalog/marts/c/index.html")),
            ]
        );
        assert_eq!(drawn.lines.len(), 2);
    }

    #[test]
    fn a_table_that_stands_alone_has_no_picture() {
        let catalog = Catalog {
            tables: vec![table("seed", "sido", "seed", &[])],
            ..Catalog::default()
        };
        let graph = CatalogGraph::new(&catalog, &[]);
        assert_eq!(picture(&graph, &[], 0, Language::Ko), None);
    }

    #[test]
    fn lines_curve_between_layers_and_run_straight_past_them() {
        let points = [(10.0, 5.0), (20.0, 9.0), (30.0, 9.0), (40.0, 5.0)];
        assert_eq!(line(&points), "M10 5C15 5 15 9 20 9H30C35 9 35 5 40 5");
    }

    #[test]
    fn a_long_name_is_cut() {
        let cut = shortened(&"x".repeat(60));
        assert_eq!(cut.chars().count(), LONGEST_NAME);
        assert!(cut.ends_with('…'));
    }
}
