//! Scores of many rows: several rows walk a tree side by side, each step the same
//! few instructions without a branch.

use super::tree::Tree;

/// Rows that walk together.
const ABREAST: usize = 16;
/// Rows whose bins stay in the first-level cache while all trees pass.
pub(crate) const TILE: usize = 256;

/// A node in eight bytes. A leaf leads to itself.
#[derive(Debug, Clone, Copy)]
struct WalkNode {
    feature: u16,
    low: u8,
    span: u8,
    children: [u16; 2],
}

#[derive(Debug)]
struct WalkTree {
    nodes: Vec<WalkNode>,
    values: Vec<f64>,
    depth: usize,
}

/// Trees laid out for scoring.
#[derive(Debug)]
pub(crate) struct Scorer {
    trees: Vec<WalkTree>,
    base: f64,
}

impl Scorer {
    pub(crate) fn new(base: f64, trees: &[Tree]) -> Self {
        let trees = trees
            .iter()
            .map(|tree| WalkTree {
                nodes: (0..tree.len())
                    .map(|node| WalkNode {
                        feature: tree.feature[node] as u16,
                        low: tree.low[node],
                        span: tree.span[node],
                        children: if tree.is_leaf(node) {
                            [node as u16; 2]
                        } else {
                            [tree.left[node] as u16, tree.right[node] as u16]
                        },
                    })
                    .collect(),
                values: tree.value.clone(),
                depth: tree.depth(),
            })
            .collect();
        Scorer { trees, base }
    }

    /// Log-odds of rows given as `width` bins each.
    pub(crate) fn score(&self, bins: &[u8], width: usize, scores: &mut [f64]) {
        scores.fill(self.base);
        for (bins, scores) in bins.chunks(TILE * width).zip(scores.chunks_mut(TILE)) {
            for tree in &self.trees {
                tree.add(bins, width, scores);
            }
        }
    }
}

impl WalkTree {
    fn add(&self, bins: &[u8], width: usize, scores: &mut [f64]) {
        for (bins, scores) in bins.chunks(ABREAST * width).zip(scores.chunks_mut(ABREAST)) {
            let mut at = [0_u16; ABREAST];
            for _ in 0..self.depth {
                let mut moved = 0;
                for (at, bins) in at.iter_mut().zip(bins.chunks_exact(width)) {
                    let node = &self.nodes[usize::from(*at)];
                    let bin = bins[usize::from(node.feature)];
                    let right = usize::from(bin.wrapping_sub(node.low) > node.span);
                    let next = node.children[right];
                    moved |= next ^ *at;
                    *at = next;
                }
                if moved == 0 {
                    break;
                }
            }
            for (score, at) in scores.iter_mut().zip(at) {
                *score += self.values[usize::from(at)];
            }
        }
    }
}
