//! Rules that a model has to beat before anyone may use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::column::ColumnData;
use crate::dataset::Dataset;
use crate::error::LearnError;
use crate::feature::Bilingual;

/// Rows of the prior mixed into the rate of each group, so that a group of three
/// rows does not claim certainty.
const PRIOR_ROWS: f64 = 20.0;

/// A one-variable rule: the rate of each group, learned on the training rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineSpec {
    /// Group columns; several are crossed, as in occupation × region.
    pub columns: Vec<String>,
    /// What the rule is called.
    pub title: Bilingual,
}

/// The rule with its rates.
#[derive(Debug)]
pub(crate) struct GroupRates<'a> {
    codes: Vec<&'a [u32]>,
    rates: BTreeMap<Vec<u32>, f64>,
    prior: f64,
}

impl<'a> GroupRates<'a> {
    pub(crate) fn learn(
        dataset: &'a Dataset,
        columns: &[String],
        rows: &[u32],
    ) -> Result<Self, LearnError> {
        let mut codes: Vec<&[u32]> = Vec::with_capacity(columns.len());
        for column in columns {
            if let (_, ColumnData::Categories { codes: found, .. }) = dataset.group(column)? {
                codes.push(found);
            }
        }
        let labels = dataset.labels_of(rows);
        let positives = labels.iter().filter(|label| **label).count();
        let prior = positives as f64 / rows.len().max(1) as f64;
        let mut counts: BTreeMap<Vec<u32>, (usize, usize)> = BTreeMap::new();
        for (row, label) in rows.iter().zip(labels) {
            let count = counts.entry(key(&codes, *row)).or_default();
            count.0 += 1;
            count.1 += usize::from(label);
        }
        let rates = counts
            .into_iter()
            .map(|(key, (rows, positives))| {
                let rate = (positives as f64 + PRIOR_ROWS * prior) / (rows as f64 + PRIOR_ROWS);
                (key, rate)
            })
            .collect();
        Ok(GroupRates {
            codes,
            rates,
            prior,
        })
    }

    /// Share of positives among the training rows.
    pub(crate) fn prior(&self) -> f64 {
        self.prior
    }

    /// The rate of each row's group; the prior for a group not seen in training.
    pub(crate) fn predict(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter()
            .map(|row| {
                let rate = self.rates.get(&key(&self.codes, *row));
                rate.copied().unwrap_or(self.prior)
            })
            .collect()
    }
}

/// Probabilities that rank by the day of entry, the earliest first, and say the overall rate of everybody: what an
/// office does that serves who comes first. The differences are too small to count as more than an order.
pub(crate) fn first_come(dataset: &Dataset, rows: &[u32], rate: f64) -> Vec<f64> {
    let days = || rows.iter().map(|row| dataset.entered_on[*row as usize]);
    let (first, last) = (days().min().unwrap_or(0), days().max().unwrap_or(0));
    let span = f64::from(last - first).max(1.0);
    days()
        .map(|day| rate * (1.0 - 1e-6 * f64::from(day - first) / span))
        .collect()
}

fn key(codes: &[&[u32]], row: u32) -> Vec<u32> {
    codes.iter().map(|codes| codes[row as usize]).collect()
}
