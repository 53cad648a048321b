//! What was learned: m and u of every level, and the weights that follow from them.

use serde::{Deserialize, Serialize};

use crate::comparison::{Comparison, Condition, NULL_LEVEL};
use crate::dictionary::NULL;
use crate::error::LinkageError;
use crate::records::Records;

/// A trained model; as JSON it can be stored and used on other records with the same settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The probability that two records drawn at random are one entity.
    pub prior: f64,
    /// In the order of the settings.
    pub comparisons: Vec<ComparisonParameters>,
    /// How m was learned, one for each rule.
    pub sessions: Vec<Session>,
}

/// The levels of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonParameters {
    /// As in the settings.
    pub name: String,
    /// Strongest first, "nothing agrees" last.
    pub levels: Vec<LevelParameters>,
}

/// The two probabilities of a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelParameters {
    /// The level in words.
    pub label: String,
    /// Probability of the level among pairs that are one entity.
    pub m: f64,
    /// Probability of the level among pairs that are not.
    pub u: f64,
}

impl LevelParameters {
    /// log2(m / u): what the level adds to the match weight.
    pub fn weight(&self) -> f64 {
        (self.m / self.u).log2()
    }
}

/// One estimation of m by expectation–maximisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The rule whose pairs were used.
    pub rule: String,
    /// Pairs looked at.
    pub pairs: u64,
    /// Iterations until nothing changed any more, or the limit.
    pub iterations: u32,
    /// Whether it settled before the limit.
    pub settled: bool,
    /// The share of true pairs among them.
    pub match_share: f64,
    /// The comparisons learned from; the rule itself looks at the others.
    pub comparisons: Vec<String>,
}

/// log2 odds of a probability.
pub fn weight_of_probability(probability: f64) -> f64 {
    (probability / (1.0 - probability)).log2()
}

/// The probability of a match weight (log2 odds).
pub fn probability_of_weight(weight: f64) -> f64 {
    1.0 / (1.0 + (-weight).exp2())
}

/// Weights by level, ready for look-up by the numbers of a packed vector of levels.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) prior: f64,
    pub(crate) comparisons: Vec<ComparisonWeights>,
}

#[derive(Debug)]
pub(crate) struct ComparisonWeights {
    pub(crate) levels: [f64; 16],
    pub(crate) term: Option<TermWeights>,
}

/// What term frequencies add.
#[derive(Debug)]
pub(crate) struct TermWeights {
    pub(crate) column: usize,
    pub(crate) by_level: [f64; 16],
    /// log2(u of exact agreement / frequency) of every distinct value.
    pub(crate) adjustments: Vec<f32>,
}

impl Weights {
    pub(crate) fn of(
        parameters: &Parameters,
        comparisons: &[Comparison],
        records: &Records,
    ) -> Result<Self, LinkageError> {
        let fits = parameters.comparisons.len() == comparisons.len()
            && parameters
                .comparisons
                .iter()
                .zip(comparisons)
                .all(|(p, c)| p.name == c.name && p.levels.len() == c.levels.len() + 1);
        if !fits {
            return Err(LinkageError::Parameters(
                "they were learned with other comparisons or levels, estimate them again"
                    .to_owned(),
            ));
        }
        let of_one = |(parameters, comparison): (&ComparisonParameters, &Comparison)| {
            let mut levels = [0.0; 16];
            for (weight, level) in levels.iter_mut().zip(&parameters.levels) {
                *weight = level.weight();
            }
            let term = comparison.term_frequency.as_ref().map(|term| {
                let mut by_level = [0.0; 16];
                for (weight, level) in by_level.iter_mut().zip(&comparison.levels) {
                    *weight = level.term_weight;
                }
                let exact = comparison
                    .levels
                    .iter()
                    .position(|level| level.condition == Condition::Exact(term.column))
                    .unwrap_or(0);
                let u = parameters.levels[exact].u;
                TermWeights {
                    column: term.column,
                    by_level,
                    adjustments: adjustments(records, term.column, u, term.minimum_u),
                }
            });
            ComparisonWeights { levels, term }
        };
        let weights = Self {
            prior: weight_of_probability(parameters.prior),
            comparisons: parameters
                .comparisons
                .iter()
                .zip(comparisons)
                .map(of_one)
                .collect(),
        };
        let finite = weights.prior.is_finite()
            && weights
                .comparisons
                .iter()
                .all(|c| c.levels.iter().all(|weight| weight.is_finite()));
        if finite {
            Ok(weights)
        } else {
            Err(LinkageError::Parameters(
                "the prior and every m and u must lie between 0 and 1".to_owned(),
            ))
        }
    }

    /// The weight of a pair by its packed levels, prior included.
    pub(crate) fn of_pair(&self, records: &Records, pattern: u64, left: u32, right: u32) -> f64 {
        let mut weight = self.prior;
        for (number, comparison) in self.comparisons.iter().enumerate() {
            let level = (pattern >> (4 * number) & 15) as u8;
            weight += comparison.levels[level as usize];
            weight += comparison.adjustment(records, level, left, right);
        }
        weight
    }
}

impl ComparisonWeights {
    /// What the term frequency adds at a level: the more frequent of two values counts.
    pub(crate) fn adjustment(&self, records: &Records, level: u8, left: u32, right: u32) -> f64 {
        let Some(term) = &self.term else { return 0.0 };
        let strength = term.by_level[level as usize];
        if strength == 0.0 || level == NULL_LEVEL {
            return 0.0;
        }
        let (a, b) = (
            records.number(left, term.column),
            records.number(right, term.column),
        );
        if a == NULL || b == NULL {
            return 0.0;
        }
        let least = term.adjustments[a as usize].min(term.adjustments[b as usize]);
        strength * f64::from(least)
    }

    /// The most a pair with this left record can get.
    pub(crate) fn most(&self, records: &Records, left: u32) -> f64 {
        let adjustment = match &self.term {
            None => None,
            Some(term) => match records.number(left, term.column) {
                NULL => None,
                value => Some((term, f64::from(term.adjustments[value as usize]))),
            },
        };
        let mut most = 0.0_f64;
        for (level, &weight) in self.levels.iter().enumerate() {
            let added = adjustment.map_or(0.0, |(term, value)| term.by_level[level] * value);
            most = most.max(weight + added.max(0.0));
        }
        most
    }
}

fn adjustments(records: &Records, column: usize, u: f64, minimum_u: f64) -> Vec<f32> {
    let column = &records.columns[column];
    let mut counts = vec![0_u32; column.dictionary.len()];
    let mut all = 0_u64;
    for &number in &column.numbers {
        if number != NULL {
            counts[number as usize] += 1;
            all += 1;
        }
    }
    let frequency = |count: u32| (f64::from(count) / all as f64).max(minimum_u);
    let counts = counts.into_iter();
    counts
        .map(|count| (u / frequency(count)).log2() as f32)
        .collect()
}
