//! Exact Shapley values of a tree in polynomial time (TreeSHAP, algorithm 2 of
//! Lundberg, Erion and Lee 2018): what each feature adds to the log-odds, absent
//! features being averaged over the training rows of each branch.

use super::tree::Tree;

/// One feature on the way from the root, with the weights of the subsets that hold
/// it or not.
#[derive(Debug, Clone, Copy)]
struct Step {
    feature: Option<usize>,
    /// Share of the training rows that go on where the feature is absent.
    zero: f64,
    /// 1 where the row itself goes on, 0 where it does not.
    one: f64,
    weight: f64,
}

/// The mean of a tree over its training rows.
pub(crate) fn expected(tree: &Tree) -> f64 {
    let rows = f64::from(tree.rows[0].max(1));
    (0..tree.len())
        .filter(|node| tree.is_leaf(*node))
        .map(|node| tree.value[node] * f64::from(tree.rows[node]) / rows)
        .sum()
}

/// Adds the Shapley values of a tree for a row of bins.
pub(crate) fn add_shapley(tree: &Tree, bins: &[u8], values: &mut [f64]) {
    let root = Step {
        feature: None,
        zero: 1.0,
        one: 1.0,
        weight: 1.0,
    };
    visit(tree, bins, values, 0, &[], root);
}

fn visit(tree: &Tree, bins: &[u8], values: &mut [f64], node: usize, path: &[Step], step: Step) {
    let mut path = path.to_vec();
    extend(&mut path, step);
    if tree.is_leaf(node) {
        for position in 1..path.len() {
            let Step {
                feature, zero, one, ..
            } = path[position];
            if let Some(feature) = feature {
                let weight: f64 = unwound_sum(&path, position);
                values[feature] += weight * (one - zero) * tree.value[node];
            }
        }
        return;
    }
    let feature = tree.feature[node] as usize;
    let (mut zero, mut one) = (1.0, 1.0);
    if let Some(position) = path.iter().position(|step| step.feature == Some(feature)) {
        (zero, one) = (path[position].zero, path[position].one);
        unwind(&mut path, position);
    }
    let goes_left = tree.goes_left(node, bins[feature]);
    let rows = f64::from(tree.rows[node].max(1));
    for (child, taken) in [(tree.left[node], goes_left), (tree.right[node], !goes_left)] {
        let child = child as usize;
        let step = Step {
            feature: Some(feature),
            zero: zero * f64::from(tree.rows[child]) / rows,
            one: if taken { one } else { 0.0 },
            weight: 0.0,
        };
        visit(tree, bins, values, child, &path, step);
    }
}

fn extend(path: &mut Vec<Step>, step: Step) {
    let length = path.len();
    let Step { zero, one, .. } = step;
    path.push(Step {
        weight: if length == 0 { 1.0 } else { 0.0 },
        ..step
    });
    for position in (0..length).rev() {
        let weight = path[position].weight;
        path[position + 1].weight += one * weight * (position + 1) as f64 / (length + 1) as f64;
        path[position].weight = zero * weight * (length - position) as f64 / (length + 1) as f64;
    }
}

/// The weights as they would be without a step of the path.
fn unwound(path: &[Step], position: usize) -> Vec<f64> {
    let last = path.len() - 1;
    let Step { zero, one, .. } = path[position];
    let mut next = path[last].weight;
    let mut weights = vec![0.0; last];
    for index in (0..last).rev() {
        if one != 0.0 {
            let weight = next * (last + 1) as f64 / ((index + 1) as f64 * one);
            next = path[index].weight - weight * zero * (last - index) as f64 / (last + 1) as f64;
            weights[index] = weight;
        } else {
            weights[index] =
                path[index].weight * (last + 1) as f64 / (zero * (last - index) as f64);
        }
    }
    weights
}

fn unwound_sum(path: &[Step], position: usize) -> f64 {
    unwound(path, position).iter().sum()
}

fn unwind(path: &mut Vec<Step>, position: usize) {
    let weights = unwound(path, position);
    path.remove(position);
    for (step, weight) in path.iter_mut().zip(weights) {
        step.weight = weight;
    }
}
