//! Published error: how often a linkage is wrong, by group and by threshold.

use std::collections::{BTreeMap, BTreeSet};

/// A pair and the probability it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<K> {
    /// One record.
    pub left: K,
    /// The other.
    pub right: K,
    /// Probability that both are one entity.
    pub probability: f64,
}

/// What is known to be true.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels<K> {
    /// A sample judged by people: pairs outside it count nowhere.
    Sample(Vec<Label<K>>),
    /// Every true pair: any other pair is false.
    Complete(Vec<(K, K)>),
}

/// The judgement of one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label<K> {
    /// One record.
    pub left: K,
    /// The other.
    pub right: K,
    /// Whether both are one entity.
    pub is_match: bool,
}

/// Counts of right and wrong decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Error {
    /// True pairs that were linked.
    pub true_positives: u64,
    /// Linked pairs that are not true.
    pub false_positives: u64,
    /// True pairs that were not linked.
    pub false_negatives: u64,
}

impl Error {
    /// The share of linked pairs that are true, `None` if nothing was linked.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positives, self.false_positives)
    }

    /// The share of true pairs that were linked, `None` if none is true.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.false_negatives)
    }

    /// The harmonic mean of precision and recall, `None` if nothing is true or linked.
    pub fn f1(&self) -> Option<f64> {
        share(
            2 * self.true_positives,
            self.false_positives + self.false_negatives,
        )
    }
}

fn share(part: u64, rest: u64) -> Option<f64> {
    (part + rest > 0).then(|| part as f64 / (part + rest) as f64)
}

/// The error inside one group of pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupError {
    /// The group's name.
    pub group: String,
    /// Its counts.
    pub error: Error,
}

/// The error at one threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdError {
    /// Pairs of at least this probability are linked.
    pub threshold: f64,
    /// All counts.
    pub error: Error,
}

/// The error at a threshold by the group of each pair, in the order of the groups' names.
///
/// The order of the two records of a pair does not matter, and a pair given twice counts once,
/// with its highest probability. A pair labelled both ways counts as a match.
pub fn error_by_group<K: Ord + Clone>(
    predictions: &[Prediction<K>],
    labels: &Labels<K>,
    threshold: f64,
    group: impl Fn(&K, &K) -> String,
) -> Vec<GroupError> {
    let mut groups: BTreeMap<String, Error> = BTreeMap::new();
    for judged in judge(predictions, labels) {
        let linked = judged.probability.is_some_and(|p| p >= threshold);
        let (left, right) = &judged.pair;
        let error = groups.entry(group(left, right)).or_default();
        count(error, judged.is_match, linked);
    }
    let groups = groups.into_iter();
    groups
        .map(|(group, error)| GroupError { group, error })
        .collect()
}

/// The error at each threshold, over all pairs.
pub fn error_by_threshold<K: Ord + Clone>(
    predictions: &[Prediction<K>],
    labels: &Labels<K>,
    thresholds: &[f64],
) -> Vec<ThresholdError> {
    let judged = judge(predictions, labels);
    let at = |&threshold: &f64| {
        let mut error = Error::default();
        for judged in &judged {
            let linked = judged.probability.is_some_and(|p| p >= threshold);
            count(&mut error, judged.is_match, linked);
        }
        ThresholdError { threshold, error }
    };
    thresholds.iter().map(at).collect()
}

/// The threshold with the highest F1, the highest of equals; `None` without predictions.
pub fn best_threshold<K: Ord + Clone>(
    predictions: &[Prediction<K>],
    labels: &Labels<K>,
) -> Option<ThresholdError> {
    let mut judged = judge(predictions, labels);
    let matches = judged.iter().filter(|judged| judged.is_match).count() as u64;
    judged.retain(|judged| judged.probability.is_some());
    judged.sort_by(|a, b| {
        b.probability
            .unwrap_or(0.0)
            .total_cmp(&a.probability.unwrap_or(0.0))
    });
    let mut best: Option<ThresholdError> = None;
    let mut error = Error {
        false_negatives: matches,
        ..Error::default()
    };
    for (at, one) in judged.iter().enumerate() {
        if one.is_match {
            error.true_positives += 1;
            error.false_negatives -= 1;
        } else {
            error.false_positives += 1;
        }
        let next = judged.get(at + 1).and_then(|next| next.probability);
        if next == one.probability {
            continue;
        }
        if best
            .as_ref()
            .is_none_or(|best| error.f1() > best.error.f1())
        {
            best = Some(ThresholdError {
                threshold: one.probability.unwrap_or(0.0),
                error,
            });
        }
    }
    best
}

struct Judged<K> {
    pair: (K, K),
    is_match: bool,
    probability: Option<f64>,
}

/// Every pair that counts, with what is true and what was predicted.
fn judge<K: Ord + Clone>(predictions: &[Prediction<K>], labels: &Labels<K>) -> Vec<Judged<K>> {
    let mut predicted: BTreeMap<(K, K), f64> = BTreeMap::new();
    for prediction in predictions {
        let held = predicted
            .entry(ordered(&prediction.left, &prediction.right))
            .or_insert(0.0);
        *held = held.max(prediction.probability);
    }
    let judged = |pair: (K, K), is_match: bool| Judged {
        probability: predicted.get(&pair).copied(),
        pair,
        is_match,
    };
    match labels {
        Labels::Sample(sample) => {
            let mut truth: BTreeMap<(K, K), bool> = BTreeMap::new();
            for label in sample {
                *truth.entry(ordered(&label.left, &label.right)).or_default() |= label.is_match;
            }
            let truth = truth.into_iter();
            truth
                .map(|(pair, is_match)| judged(pair, is_match))
                .collect()
        }
        Labels::Complete(pairs) => {
            let truth: BTreeSet<(K, K)> = pairs.iter().map(|(a, b)| ordered(a, b)).collect();
            let mut all: Vec<Judged<K>> = truth
                .iter()
                .map(|pair| judged(pair.clone(), true))
                .collect();
            let others = predicted.keys().filter(|pair| !truth.contains(*pair));
            all.extend(others.map(|pair| judged(pair.clone(), false)));
            all
        }
    }
}

fn ordered<K: Ord + Clone>(a: &K, b: &K) -> (K, K) {
    if a <= b {
        (a.clone(), b.clone())
    } else {
        (b.clone(), a.clone())
    }
}

fn count(error: &mut Error, is_match: bool, linked: bool) {
    match (is_match, linked) {
        (true, true) => error.true_positives += 1,
        (false, true) => error.false_positives += 1,
        (true, false) => error.false_negatives += 1,
        (false, false) => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn predictions() -> Vec<Prediction<u32>> {
        let one = |left, right, probability| Prediction {
            left,
            right,
            probability,
        };
        vec![
            one(1, 11, 0.9),
            one(12, 2, 0.8),
            one(3, 14, 0.7),
            one(2, 12, 0.1),
            one(9, 19, 0.2),
        ]
    }

    #[test]
    fn a_complete_truth_counts_every_other_pair_as_false() {
        let labels = Labels::Complete(vec![(1, 11), (2, 12), (3, 13)]);
        let groups = error_by_group(&predictions(), &labels, 0.5, |left, _| {
            (if *left == 1 { "small" } else { "large" }).to_owned()
        });
        let names: Vec<&str> = groups.iter().map(|group| group.group.as_str()).collect();
        assert_eq!(names, ["large", "small"]);
        let large = groups[0].error;
        let counts = (
            large.true_positives,
            large.false_positives,
            large.false_negatives,
        );
        assert_eq!(counts, (1, 1, 1));
        assert_eq!(large.f1(), Some(0.5));
        assert_eq!(groups[1].error.precision(), Some(1.0));
    }

    #[test]
    fn a_sample_counts_labelled_pairs_only() {
        let label = |left, right, is_match| Label {
            left,
            right,
            is_match,
        };
        let labels = Labels::Sample(vec![
            label(11, 1, true),
            label(9, 19, false),
            label(4, 14, true),
        ]);
        let errors = error_by_threshold(&predictions(), &labels, &[0.1, 0.5]);
        let counts: Vec<(u64, u64, u64)> = errors
            .iter()
            .map(|e| {
                (
                    e.error.true_positives,
                    e.error.false_positives,
                    e.error.false_negatives,
                )
            })
            .collect();
        assert_eq!(counts, [(1, 1, 1), (1, 0, 1)]);
        assert_eq!(errors[1].error.recall(), Some(0.5));
    }

    #[test]
    fn the_best_threshold_has_the_highest_f1() {
        let labels = Labels::Complete(vec![(1, 11), (2, 12), (3, 13)]);
        let best = best_threshold(&predictions(), &labels).unwrap();
        assert_eq!(best.threshold, 0.8);
        assert_eq!(best.error.false_negatives, 1);
        assert_eq!(best_threshold(&[], &labels), None);
    }

    #[test]
    fn shares_without_pairs_are_unknown() {
        let none = Error::default();
        assert_eq!(
            (none.precision(), none.recall(), none.f1()),
            (None, None, None)
        );
    }
}
