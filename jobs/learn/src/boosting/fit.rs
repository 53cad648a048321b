//! The boosting loop: gradients, a tree, scores, and when to stop.

use super::BoostOptions;
use super::bins::{BinnedFeature, LANES, Matrix};
use super::grow::{Buffers, Ground};
use super::split::{Limits, Searched};
use super::tree::Tree;
use crate::error::LearnError;
use crate::newton::logistic;
use crate::parallel;

/// Rows whose gradients are computed by one task.
const CHUNK: usize = 1 << 15;

/// Binned rows with what is known of each.
pub(crate) struct TrainingRows {
    pub(crate) matrix: Matrix,
    pub(crate) labels: Vec<bool>,
    pub(crate) weights: Option<Vec<f32>>,
    /// What belongs together, as a hash.
    pub(crate) groups: Option<Vec<u64>>,
    /// Day of entry.
    pub(crate) days: Option<Vec<i32>>,
}

/// Trees with what is known of their making.
pub(crate) struct Boosted {
    pub(crate) base: f64,
    pub(crate) trees: Vec<Tree>,
    pub(crate) rows_trained: usize,
    pub(crate) rows_held_out: usize,
    pub(crate) held_out_loss: Option<f64>,
}

/// The state of some rows that follow each other.
struct RowChunk<'a> {
    first: usize,
    scores: &'a mut [f64],
    gradients: &'a mut [[f32; 2]],
    /// Sum of loss and of weights of the rows held out.
    held_out: [f64; 2],
}

impl TrainingRows {
    fn weight(&self, row: usize) -> f64 {
        self.weights
            .as_ref()
            .map_or(1.0, |weights| f64::from(weights[row]))
    }

    /// What is drawn for a row; rows of a group draw the same.
    fn draw(&self, row: usize, seed: u64) -> u64 {
        let key = self
            .groups
            .as_ref()
            .map_or(row as u64, |groups| groups[row]);
        parallel::mix(key, seed)
    }

    /// Which rows are held out: the latest days, or groups drawn by the seed.
    pub(super) fn hold_out(&self, share: f64, seed: u64) -> Vec<bool> {
        let rows = self.labels.len();
        match &self.days {
            Some(days) => {
                let mut sorted = days.clone();
                sorted.sort_unstable();
                let first = ((1.0 - share) * rows as f64) as usize;
                // A day is held out whole; where one day is all there is, nothing is.
                let from = sorted.get(first).copied().unwrap_or(i32::MAX);
                let from = if sorted.first() == Some(&from) {
                    i32::MAX
                } else {
                    from
                };
                days.iter().map(|day| *day >= from).collect()
            }
            None => (0..rows)
                .map(|row| is_drawn(self.draw(row, seed ^ 0x51), share))
                .collect(),
        }
    }

    /// Adds the latest tree to the scores and takes the gradients there; returns the
    /// mean log loss of the rows held out, if there are any.
    #[allow(clippy::too_many_arguments)]
    fn step(
        &self,
        latest: &Tree,
        leaf_of: &[u16],
        walks: &[bool],
        held: &[bool],
        scores: &mut [f64],
        gradients: &mut [[f32; 2]],
        options: &BoostOptions,
    ) -> Option<f64> {
        let mut chunks: Vec<RowChunk<'_>> = scores
            .chunks_mut(CHUNK)
            .zip(gradients.chunks_mut(CHUNK))
            .enumerate()
            .map(|(position, (scores, gradients))| RowChunk {
                first: position * CHUNK,
                scores,
                gradients,
                held_out: [0.0; 2],
            })
            .collect();
        parallel::for_each(options.threads, &mut chunks, |chunk| {
            let rows = chunk.scores.iter_mut().zip(chunk.gradients.iter_mut());
            for (row, (score, gradient)) in (chunk.first..).zip(rows) {
                let leaf = if walks[row] {
                    latest.leaf_of_row(&self.matrix, row)
                } else {
                    usize::from(leaf_of[row])
                };
                *score += latest.value[leaf];
                let (label, weight) = (self.labels[row], self.weight(row));
                let probability = logistic(*score);
                let residual = probability - f64::from(u8::from(label));
                let curvature = probability * (1.0 - probability);
                *gradient = [
                    (residual * weight) as f32,
                    (curvature * weight).max(1e-16) as f32,
                ];
                if held[row] {
                    let of_label = if label {
                        probability
                    } else {
                        1.0 - probability
                    };
                    chunk.held_out[0] -= weight * of_label.max(1e-15).ln();
                    chunk.held_out[1] += weight;
                }
            }
        });
        let [loss, weight] = chunks.iter().fold([0.0; 2], |total, chunk| {
            [total[0] + chunk.held_out[0], total[1] + chunk.held_out[1]]
        });
        (weight > 0.0).then(|| loss / weight)
    }
}

/// Fits trees to binned rows.
pub(crate) fn boost(
    data: &TrainingRows,
    features: &[BinnedFeature],
    options: &BoostOptions,
) -> Result<Boosted, LearnError> {
    let rows = data.labels.len();
    let held = match &options.early_stopping {
        Some(stopping) => data.hold_out(stopping.share, options.seed),
        None => vec![false; rows],
    };
    let training: Vec<u32> = (0..rows as u32)
        .filter(|row| !held[*row as usize])
        .collect();
    let base = base_log_odds(data, &training)?;
    let searched = searched(data, features, options)?;
    let mut scores = vec![base; rows];
    let mut gradients = vec![[0.0_f32; 2]; rows];
    let mut leaf_of = vec![0_u16; rows];
    let mut order: Vec<u32> = Vec::with_capacity(training.len());
    let mut buffers = Buffers::default();
    let mut trees: Vec<Tree> = Vec::new();
    let mut best: Option<(f64, usize)> = None;
    // Before the first tree every row stands in the one leaf of a tree of value 0.
    let mut latest = Tree::default();
    latest.push_leaf(rows);
    let sampled = options.row_share < 1.0;
    // Rows the latest tree was not grown on find their leaf by walking it.
    let mut walks = vec![false; rows];
    loop {
        let loss = data.step(
            &latest,
            &leaf_of,
            &walks,
            &held,
            &mut scores,
            &mut gradients,
            options,
        );
        if let (Some(stopping), Some(loss)) = (&options.early_stopping, loss) {
            if best.is_none_or(|(least, _)| loss < least) {
                best = Some((loss, trees.len()));
            } else if best.is_some_and(|(_, count)| trees.len() >= count + stopping.rounds) {
                break;
            }
        }
        if trees.len() == options.trees {
            break;
        }
        let seed = options.seed.wrapping_add(trees.len() as u64);
        order.clear();
        if sampled {
            let drawn = |row: &u32| is_drawn(data.draw(*row as usize, seed), options.row_share);
            order.extend(training.iter().copied().filter(drawn));
            walks.fill(true);
            order.iter().for_each(|row| walks[*row as usize] = false);
        } else {
            order.extend_from_slice(&training);
            walks.clone_from(&held);
        }
        let columns = drawn_columns(&searched, options.column_share, seed);
        let ground = Ground {
            matrix: &data.matrix,
            gradients: &gradients,
            searched: &columns,
            limits: Limits {
                l2: options.l2,
                minimum_weight: options.minimum_child_weight.max(1e-9),
                minimum_rows: options.minimum_child_rows as f64,
                minimum_gain: options.minimum_gain.max(1e-9),
            },
            leaves: options.leaves.clamp(2, usize::from(u16::MAX) / 2),
            maximum_depth: options.maximum_depth.unwrap_or(usize::MAX),
            threads: options.threads,
        };
        let (mut tree, leaves) = ground.grow(&mut order, &mut buffers);
        if tree.len() == 1 && !sampled && options.column_share >= 1.0 {
            // No split helps any more; none will.
            break;
        }
        for value in &mut tree.value {
            *value *= options.learning_rate;
        }
        for (node, range) in leaves {
            for row in &order[range] {
                leaf_of[*row as usize] = node as u16;
            }
        }
        latest = tree.clone();
        trees.push(tree);
    }
    if let Some((_, count)) = best {
        trees.truncate(count);
    }
    Ok(Boosted {
        base,
        trees,
        rows_trained: training.len(),
        rows_held_out: rows - training.len(),
        held_out_loss: best.map(|(loss, _)| loss),
    })
}

fn is_drawn(draw: u64, share: f64) -> bool {
    (draw >> 11) as f64 / (1_u64 << 53) as f64 <= share
}

fn base_log_odds(data: &TrainingRows, training: &[u32]) -> Result<f64, LearnError> {
    if training.is_empty() {
        return Err(LearnError::NoRows {
            purpose: "train on",
        });
    }
    let (mut positive, mut total) = (0.0, 0.0);
    for row in training {
        let row = *row as usize;
        let weight = data.weight(row);
        total += weight;
        positive += weight * f64::from(u8::from(data.labels[row]));
    }
    if positive <= 0.0 || positive >= total {
        return Err(LearnError::OneClass {
            rows: training.len(),
            positive: positive > 0.0,
        });
    }
    Ok((positive / (total - positive)).ln())
}

/// The features worth searching, by block of the matrix.
fn searched(
    data: &TrainingRows,
    features: &[BinnedFeature],
    options: &BoostOptions,
) -> Result<Vec<Vec<Searched>>, LearnError> {
    for name in options.monotone.keys() {
        let known = features.iter().find(|feature| feature.spec.name == *name);
        if known.is_none_or(|feature| feature.bins.is_category()) {
            return Err(LearnError::InvalidInput {
                operation: "boosting",
                reason: format!("monotone names {name}, which is no number among the features"),
            });
        }
    }
    let mut blocks: Vec<Vec<Searched>> = vec![Vec::new(); data.matrix.width];
    for (position, feature) in features.iter().enumerate() {
        let has_missing = data.matrix.columns[position].contains(&0);
        let bins = feature.bins.count();
        if bins < 2 && !(bins == 1 && has_missing) {
            continue;
        }
        blocks[position / LANES].push(Searched {
            feature: position as u32,
            bins,
            has_missing,
            one_against_rest: feature.bins.is_category(),
            monotone: options
                .monotone
                .get(&feature.spec.name)
                .map_or(0, |direction| direction.sign()),
        });
    }
    if blocks.iter().all(Vec::is_empty) {
        return Err(LearnError::NoUsableFeature {
            rows: data.matrix.rows,
        });
    }
    Ok(blocks)
}

/// The features with the smallest draws, at least one.
fn drawn_columns(searched: &[Vec<Searched>], share: f64, seed: u64) -> Vec<Vec<Searched>> {
    let mut draws: Vec<(u64, u32)> = searched
        .iter()
        .flatten()
        .map(|feature| {
            (
                parallel::mix(u64::from(feature.feature), seed ^ 0xc0),
                feature.feature,
            )
        })
        .collect();
    draws.sort_unstable();
    draws.truncate(((draws.len() as f64 * share).round() as usize).max(1));
    let kept = |feature: &&Searched| draws.iter().any(|(_, drawn)| *drawn == feature.feature);
    searched
        .iter()
        .map(|block| block.iter().filter(kept).copied().collect())
        .collect()
}
