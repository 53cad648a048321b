//! Layers from left to right for a small graph: what is computed from something stands right of it.
//!
//! Sugiyama's method in its plainest form: layers by the longest way to or from the focus, bends where an edge passes a
//! layer, a fixed number of barycentre sweeps against crossings. No randomness: the same graph gives the same picture.

use std::collections::BTreeMap;

/// Height of a box.
pub(crate) const BOX_HEIGHT: f64 = 44.0;
const BEND_HEIGHT: f64 = 12.0;
const ROW_GAP: f64 = 14.0;
const LAYER_GAP: f64 = 56.0;
const MARGIN: f64 = 6.0;
const SWEEPS: usize = 8;

/// Where a box stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
}

/// Boxes, and for each edge the points it passes: the end of its first box, both sides of each layer it crosses, the
/// beginning of its last box.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub places: Vec<Place>,
    pub edges: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// A box, or the place where an edge passes a layer.
#[derive(Debug, Clone, Copy)]
struct Item {
    layer: usize,
    /// The box it is; `None` for a bend.
    node: Option<usize>,
}

/// Places boxes of the given widths. The first node is the focus; every other one lies on a way to or from it.
pub(crate) fn layered(widths: &[f64], edges: &[(usize, usize)]) -> Layout {
    let layers = layers(widths.len(), edges);
    // An edge of a circle would run backwards; it is not drawn.
    let forward: Vec<Option<(usize, usize)>> = edges
        .iter()
        .map(|(from, to)| (layers[*from] < layers[*to]).then_some((*from, *to)))
        .collect();

    let mut items: Vec<Item> = layers
        .iter()
        .enumerate()
        .map(|(node, layer)| Item {
            layer: *layer,
            node: Some(node),
        })
        .collect();
    let mut chains: Vec<Vec<usize>> = Vec::with_capacity(edges.len());
    for edge in &forward {
        let Some((from, to)) = edge else {
            chains.push(Vec::new());
            continue;
        };
        let mut chain = vec![*from];
        for layer in layers[*from] + 1..layers[*to] {
            chain.push(items.len());
            items.push(Item { layer, node: None });
        }
        chain.push(*to);
        chains.push(chain);
    }

    let order = ordered(&items, &chains);
    placed(widths, &items, &chains, &order)
}

/// The longest way to the focus before it, from the focus behind it; the leftmost layer is 0.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let longest = |edges: &[(usize, usize)]| -> Vec<Option<usize>> {
        let mut distance: Vec<Option<usize>> = vec![None; count];
        if let Some(focus) = distance.first_mut() {
            *focus = Some(0);
        }
        // In a graph without circles this settles within as many rounds as there are nodes.
        for _ in 0..count {
            let mut settled = true;
            for (from, to) in edges {
                let Some(next) = distance[*from].map(|known| known + 1) else {
                    continue;
                };
                if *to != 0 && next < count && distance[*to].is_none_or(|known| known < next) {
                    distance[*to] = Some(next);
                    settled = false;
                }
            }
            if settled {
                break;
            }
        }
        distance
    };
    let backwards: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (*to, *from)).collect();
    let before = longest(&backwards);
    let after = longest(edges);
    let deepest = before.iter().flatten().copied().max().unwrap_or(0);
    before
        .iter()
        .zip(&after)
        .map(|(before, after)| match (before, after) {
            (_, Some(after)) => deepest + after,
            (Some(before), None) => deepest - before,
            (None, None) => deepest,
        })
        .collect()
}

/// The items of each layer from top to bottom, with few crossings.
fn ordered(items: &[Item], chains: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let count = items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, item) in items.iter().enumerate() {
        order[item.layer].push(index);
    }
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    let mut right: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        left[pair[1]].push(pair[0]);
        right[pair[0]].push(pair[1]);
    }
    let mut best = order.clone();
    let mut fewest = crossings(&order, &right);
    for sweep in 0..SWEEPS {
        let rightwards = sweep % 2 == 0;
        let neighbours = if rightwards { &left } else { &right };
        let sequence: Vec<usize> = if rightwards {
            (1..count).collect()
        } else {
            (0..count.saturating_sub(1)).rev().collect()
        };
        for layer in sequence {
            let position = positions(&order);
            let centre = |item: usize| {
                let near = &neighbours[item];
                if near.is_empty() {
                    position[&item] as f64
                } else {
                    near.iter().map(|other| position[other] as f64).sum::<f64>() / near.len() as f64
                }
            };
            // A stable sort: what is level stays in the order it has.
            order[layer].sort_by(|one, other| centre(*one).total_cmp(&centre(*other)));
        }
        let now = crossings(&order, &right);
        if now < fewest {
            fewest = now;
            best.clone_from(&order);
        }
    }
    best
}

fn positions(order: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    order
        .iter()
        .flat_map(|layer| layer.iter().enumerate().map(|(place, item)| (*item, place)))
        .collect()
}

/// Pairs of edges between neighbouring layers that cross.
fn crossings(order: &[Vec<usize>], right: &[Vec<usize>]) -> usize {
    let position = positions(order);
    order
        .iter()
        .map(|layer| {
            let lines: Vec<(usize, usize)> = layer
                .iter()
                .enumerate()
                .flat_map(|(place, item)| {
                    right[*item]
                        .iter()
                        .map(move |other| (place, other))
                        .collect::<Vec<_>>()
                })
                .map(|(place, other)| (place, position[other]))
                .collect();
            let mut crossing = 0;
            for (index, (from, to)) in lines.iter().enumerate() {
                crossing += lines[index + 1..]
                    .iter()
                    .filter(|(other_from, other_to)| {
                        (from < other_from && to > other_to) || (from > other_from && to < other_to)
                    })
                    .count();
            }
            crossing
        })
        .sum()
}

fn placed(widths: &[f64], items: &[Item], chains: &[Vec<usize>], order: &[Vec<usize>]) -> Layout {
    let height_of = |item: &usize| match items[*item].node {
        Some(_) => BOX_HEIGHT,
        None => BEND_HEIGHT,
    };
    let heights: Vec<f64> = order
        .iter()
        .map(|layer| {
            let boxes: f64 = layer.iter().map(height_of).sum();
            boxes + ROW_GAP * layer.len().saturating_sub(1) as f64
        })
        .collect();
    let tallest = heights.iter().copied().fold(0.0, f64::max);
    let mut left = MARGIN;
    // For each item its left end, its right end and its middle.
    let mut at: Vec<(f64, f64, f64)> = vec![(0.0, 0.0, 0.0); items.len()];
    for (layer, height) in order.iter().zip(&heights) {
        let widest = layer
            .iter()
            .filter_map(|item| items[*item].node)
            .map(|node| widths[node])
            .fold(0.0, f64::max);
        let mut top = MARGIN + (tallest - height) / 2.0;
        for item in layer {
            at[*item] = (left, left + widest, top + height_of(item) / 2.0);
            top += height_of(item) + ROW_GAP;
        }
        left += widest + LAYER_GAP;
    }
    let places = (0..widths.len())
        .map(|node| {
            let (from, to, middle) = at[node];
            Place {
                x: from,
                y: middle - BOX_HEIGHT / 2.0,
                width: to - from,
            }
        })
        .collect();
    let edges = chains
        .iter()
        .map(|chain| {
            let mut points = Vec::new();
            for (step, item) in chain.iter().enumerate() {
                let (from, to, middle) = at[*item];
                if step > 0 {
                    points.push((from, middle));
                }
                if step + 1 < chain.len() {
                    points.push((to, middle));
                }
            }
            points
        })
        .collect();
    Layout {
        places,
        edges,
        width: left - LAYER_GAP + MARGIN,
        height: tallest + 2.0 * MARGIN,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const WIDTH: f64 = 100.0;

    fn laid_out(count: usize, edges: &[(usize, usize)]) -> Layout {
        layered(&vec![WIDTH; count], edges)
    }

    #[test]
    fn every_edge_runs_from_left_to_right() {
        // 1 and 2 before the focus 0, 2 also before 1; 3 and 4 behind it.
        let edges = [(1, 0), (2, 0), (2, 1), (0, 3), (3, 4), (2, 4)];
        let layout = laid_out(5, &edges);
        for (from, to) in edges {
            let (start, end) = (layout.places[from], layout.places[to]);
            assert!(start.x + start.width < end.x, "{from} to {to}");
        }
        for points in &layout.edges {
            assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        }
    }

    #[test]
    fn inputs_stand_next_to_the_focus_not_at_the_far_left() {
        // 1 has a long way behind it, 2 has none: both are read by the focus.
        let layout = laid_out(4, &[(1, 0), (2, 0), (3, 1)]);
        assert_eq!(layout.places[1].x, layout.places[2].x);
        assert!(layout.places[3].x < layout.places[1].x);
    }

    #[test]
    fn boxes_never_overlap() {
        let edges: Vec<(usize, usize)> = (1..=12)
            .map(|node| (node, 0))
            .chain((1..=6).map(|node| (node + 6, node)))
            .chain((13..20).map(|node| (0, node)))
            .collect();
        let layout = laid_out(20, &edges);
        for (index, one) in layout.places.iter().enumerate() {
            assert!(one.x >= 0.0 && one.x + one.width <= layout.width);
            assert!(one.y >= 0.0 && one.y + BOX_HEIGHT <= layout.height);
            for other in &layout.places[index + 1..] {
                let apart = one.x + one.width <= other.x
                    || other.x + other.width <= one.x
                    || one.y + BOX_HEIGHT <= other.y
                    || other.y + BOX_HEIGHT <= one.y;
                assert!(apart, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn an_edge_over_a_layer_passes_between_its_boxes() {
        // 2 is read by 1 and by the focus: the edge 2 to 0 passes the layer of 1.
        let layout = laid_out(3, &[(1, 0), (2, 0), (2, 1)]);
        let long = &layout.edges[1];
        assert_eq!(long.len(), 4);
        let passed = layout.places[1];
        let (_, height) = long[1];
        assert!(height < passed.y || height > passed.y + BOX_HEIGHT);
    }

    #[test]
    fn sweeps_remove_a_crossing() {
        // Layers {3, 4} → {1, 2} → 0 with the edges 3→2 and 4→1, crossed in the order given.
        let edges = [(1, 0), (2, 0), (3, 2), (4, 1)];
        let layout = laid_out(5, &edges);
        let same_side =
            (layout.places[3].y < layout.places[4].y) == (layout.places[2].y < layout.places[1].y);
        assert!(same_side);
    }

    #[test]
    fn a_circle_ends_and_its_backward_edge_is_not_drawn() {
        let layout = laid_out(2, &[(1, 0), (0, 1)]);
        assert_eq!(
            layout.edges.iter().filter(|edge| edge.is_empty()).count(),
            1
        );
    }

    #[test]
    fn a_table_alone_is_one_box() {
        let layout = laid_out(1, &[]);
        assert_eq!(layout.places.len(), 1);
        assert_eq!(layout.width, WIDTH + 2.0 * MARGIN);
    }
}
