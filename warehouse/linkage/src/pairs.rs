//! Pairs as they are handed out.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, Int8Array, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema};

use crate::comparison::{Comparison, NULL_LEVEL};
use crate::error::LinkageError;
use crate::records::Records;

/// How a pair was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// By exact agreement on an identifying key.
    Deterministic,
    /// By weighing what agrees and what does not.
    Probabilistic,
}

impl Pass {
    /// The word in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deterministic => "deterministic",
            Self::Probabilistic => "probabilistic",
        }
    }
}

/// Two rows and how likely they are one entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredPair {
    /// The row with the smaller number.
    pub left: u32,
    /// The other row.
    pub right: u32,
    /// Probability that both are one entity.
    pub probability: f64,
    /// log2 odds of that, prior included.
    pub match_weight: f64,
}

/// Some pairs of one pass.
#[derive(Debug, Clone, PartialEq)]
pub struct PairBatch {
    /// How all of them were found.
    pub pass: Pass,
    /// The rows with the smaller numbers.
    pub left: Vec<u32>,
    /// The other rows.
    pub right: Vec<u32>,
    /// log2 odds, prior included.
    pub match_weight: Vec<f64>,
    /// Probability that both are one entity.
    pub probability: Vec<f64>,
    /// The number, from 1, of the rule of the pass that found the pair.
    pub rule: Vec<u8>,
    /// Levels of agreement, four bits for each comparison.
    pub(crate) patterns: Vec<u64>,
}

impl PairBatch {
    pub(crate) fn new(pass: Pass) -> Self {
        Self {
            pass,
            left: Vec::new(),
            right: Vec::new(),
            match_weight: Vec::new(),
            probability: Vec::new(),
            rule: Vec::new(),
            patterns: Vec::new(),
        }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The pairs one by one.
    pub fn scored(&self) -> impl Iterator<Item = ScoredPair> + '_ {
        (0..self.len()).map(|at| ScoredPair {
            left: self.left[at],
            right: self.right[at],
            probability: self.probability[at],
            match_weight: self.match_weight[at],
        })
    }

    pub(crate) fn push(&mut self, pair: ScoredPair, rule: u8, pattern: u64) {
        self.left.push(pair.left);
        self.right.push(pair.right);
        self.match_weight.push(pair.match_weight);
        self.probability.push(pair.probability);
        self.rule.push(rule);
        self.patterns.push(pattern);
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.left.append(&mut other.left);
        self.right.append(&mut other.right);
        self.match_weight.append(&mut other.match_weight);
        self.probability.append(&mut other.probability);
        self.rule.append(&mut other.rule);
        self.patterns.append(&mut other.patterns);
    }
}

/// The level of a comparison as users of Splink know it: -1 null, 0 nothing agrees, higher is stronger.
pub(crate) fn gamma(pattern: u64, comparison: usize, levels: usize) -> i8 {
    match (pattern >> (4 * comparison) & 15) as u8 {
        NULL_LEVEL => -1,
        level => levels as i8 - level as i8,
    }
}

/// The schema of [`crate::Linker::record_batch`].
pub(crate) fn schema(comparisons: &[Comparison]) -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let mut fields = vec![
        text("left_source"),
        text("left_id"),
        text("right_source"),
        text("right_id"),
        Field::new("match_weight", DataType::Float64, false),
        Field::new("probability", DataType::Float64, false),
        text("pass"),
        Field::new("rule", DataType::UInt8, false),
    ];
    fields.extend(
        comparisons.iter().map(|comparison| {
            Field::new(format!("level_{}", comparison.name), DataType::Int8, false)
        }),
    );
    Schema::new(fields)
}

pub(crate) fn record_batch(
    pairs: &PairBatch,
    records: &Records,
    comparisons: &[Comparison],
) -> Result<RecordBatch, LinkageError> {
    for &row in pairs.left.iter().chain(&pairs.right) {
        records.check_row(row)?;
    }
    let sources = |rows: &[u32]| -> ArrayRef {
        let name = |&row: &u32| {
            records.sources[records.source_of(row) as usize]
                .name
                .as_str()
        };
        Arc::new(StringArray::from_iter_values(rows.iter().map(name)))
    };
    let ids = |rows: &[u32]| -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 12);
        for &row in rows {
            builder.append_value(records.ids.text(row).unwrap_or_default());
        }
        Arc::new(builder.finish())
    };
    let pass = std::iter::repeat_n(pairs.pass.name(), pairs.len());
    let mut columns: Vec<ArrayRef> = vec![
        sources(&pairs.left),
        ids(&pairs.left),
        sources(&pairs.right),
        ids(&pairs.right),
        Arc::new(Float64Array::from(pairs.match_weight.clone())),
        Arc::new(Float64Array::from(pairs.probability.clone())),
        Arc::new(StringArray::from_iter_values(pass)),
        Arc::new(UInt8Array::from(pairs.rule.clone())),
    ];
    for (number, comparison) in comparisons.iter().enumerate() {
        let levels = pairs.patterns.iter();
        columns.push(Arc::new(Int8Array::from_iter_values(
            levels.map(|&pattern| gamma(pattern, number, comparison.levels.len())),
        )));
    }
    Ok(RecordBatch::try_new(
        Arc::new(schema(comparisons)),
        columns,
    )?)
}
