//! A fitted tree.

use serde::{Deserialize, Serialize};

use super::bins::Matrix;

/// A binary tree in parallel vectors; node 0 is the root and children come after
/// their parent. A node without children (`left` is 0) is a leaf.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tree {
    /// The feature a node asks for; 0 at a leaf.
    pub(crate) feature: Vec<u32>,
    /// Rows whose bin lies in `low..=low + span` go left.
    pub(crate) low: Vec<u8>,
    pub(crate) span: Vec<u8>,
    pub(crate) left: Vec<u32>,
    pub(crate) right: Vec<u32>,
    /// Log-odds a leaf adds.
    pub(crate) value: Vec<f64>,
    /// Training rows that passed a node.
    pub(crate) rows: Vec<u32>,
    /// Fall of the loss by a node's split.
    pub(crate) gain: Vec<f64>,
}

impl Tree {
    pub(crate) fn len(&self) -> usize {
        self.feature.len()
    }

    pub(crate) fn push_leaf(&mut self, rows: usize) -> u32 {
        self.feature.push(0);
        self.low.push(0);
        self.span.push(u8::MAX);
        self.left.push(0);
        self.right.push(0);
        self.value.push(0.0);
        self.rows.push(rows as u32);
        self.gain.push(0.0);
        (self.len() - 1) as u32
    }

    pub(crate) fn is_leaf(&self, node: usize) -> bool {
        self.left[node] == 0
    }

    pub(crate) fn goes_left(&self, node: usize, bin: u8) -> bool {
        bin.wrapping_sub(self.low[node]) <= self.span[node]
    }

    /// The leaf a row of bins falls into.
    pub(crate) fn leaf_of(&self, bin_of: impl Fn(usize) -> u8) -> usize {
        let mut node = 0;
        while !self.is_leaf(node) {
            let left = self.goes_left(node, bin_of(self.feature[node] as usize));
            node = if left {
                self.left[node]
            } else {
                self.right[node]
            } as usize;
        }
        node
    }

    pub(crate) fn leaf_of_row(&self, matrix: &Matrix, row: usize) -> usize {
        self.leaf_of(|feature| matrix.columns[feature][row])
    }

    /// Levels below the root.
    pub(crate) fn depth(&self) -> usize {
        let mut depth = vec![0; self.len()];
        for node in 0..self.len() {
            if !self.is_leaf(node) {
                depth[self.left[node] as usize] = depth[node] + 1;
                depth[self.right[node] as usize] = depth[node] + 1;
            }
        }
        depth.into_iter().max().unwrap_or(0)
    }

    /// Whether it is a tree over that many features: every node but the root is
    /// the child of one earlier node.
    pub(crate) fn is_sound(&self, features: usize) -> bool {
        let nodes = self.len();
        let lengths = [
            self.low.len(),
            self.span.len(),
            self.left.len(),
            self.right.len(),
            self.value.len(),
            self.rows.len(),
            self.gain.len(),
        ];
        if nodes == 0
            || nodes > usize::from(u16::MAX)
            || lengths.iter().any(|length| *length != nodes)
        {
            return false;
        }
        let mut parents = vec![0_u8; nodes];
        for node in 0..nodes {
            if !self.value[node].is_finite() || self.feature[node] as usize >= features.max(1) {
                return false;
            }
            if self.is_leaf(node) {
                if self.right[node] != 0 {
                    return false;
                }
                continue;
            }
            for child in [self.left[node] as usize, self.right[node] as usize] {
                if child <= node || child >= nodes {
                    return false;
                }
                parents[child] = parents[child].saturating_add(1);
            }
        }
        parents[0] == 0 && parents[1..].iter().all(|parents| *parents == 1)
    }
}
