//! Features as columns of a design: standardised numbers, indicators of categories.
//!
//! A row is written sparsely, as the pairs (column, value) that are not zero. The
//! dense matrix that linfa needs, the streaming Newton and prediction all read
//! rows through the same function, so they cannot disagree.

use serde::{Deserialize, Serialize};

use crate::column::{ColumnData, MISSING};
use crate::error::LearnError;
use crate::feature::{FeatureKind, FeatureSpec};

/// How a feature was turned into columns, learned on the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "encoding", rename_all = "snake_case")]
pub enum Encoding {
    /// `(value - mean) / scale`, the value first clamped to the training range.
    /// A missing value becomes the mean, and 1 in the indicator if there is one.
    Standardised {
        /// Mean of the known training values.
        mean: f64,
        /// Their standard deviation; 1 if they are all equal.
        scale: f64,
        /// Smallest training value.
        minimum: f64,
        /// Largest training value.
        maximum: f64,
        /// Whether a column says that the value is missing.
        missing_indicator: bool,
    },
    /// 1 for true. A missing value becomes the share of true, and 1 in the
    /// indicator if there is one.
    Flag {
        /// Share of true among the known training values.
        share: f64,
        /// Whether a column says that the value is missing.
        missing_indicator: bool,
    },
    /// One indicator per category but the reference.
    OneHot {
        /// The most frequent category; it has no column. `None`: the pool.
        reference: Option<String>,
        /// Categories with a column of their own, in text order.
        categories: Vec<String>,
        /// Whether there is a column for the pool of rare and unseen categories.
        /// Without one, an unseen category counts as the reference.
        pool: bool,
        /// How many categories of the training rows were pooled.
        pooled_categories: usize,
        /// Whether a column says that the value is missing.
        missing_indicator: bool,
    },
    /// Not used: missing in every training row.
    AllMissing,
    /// Not used: the same in every training row.
    Constant,
}

/// A feature with its encoding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedFeature {
    /// The feature.
    #[serde(flatten)]
    pub spec: FeatureSpec,
    /// How it becomes columns.
    #[serde(flatten)]
    pub encoding: Encoding,
}

/// When categories are pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolingRule {
    /// Categories with fewer training rows are pooled.
    pub minimum_count: usize,
    /// At most this many categories, the most frequent, keep their own column.
    pub maximum_categories: usize,
}

/// What a design column stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// A standardised number.
    Value,
    /// A boolean.
    Flag,
    /// A category, named by `level`.
    Category,
    /// The pool of rare and unseen categories.
    Pool,
    /// The indicator of a missing value.
    Missing,
}

impl EncodedFeature {
    /// Learns the encoding on some rows.
    pub(crate) fn learn(
        spec: &FeatureSpec,
        data: &ColumnData,
        rows: &[u32],
        pooling: PoolingRule,
    ) -> Self {
        let encoding = match data {
            ColumnData::Numbers(values) => learn_numbers(spec.kind, values, rows),
            ColumnData::Categories { codes, names, .. } => {
                learn_categories(codes, names, rows, pooling)
            }
        };
        EncodedFeature {
            spec: spec.clone(),
            encoding,
        }
    }

    /// The design columns of this feature: role and, for a category, its text.
    pub(crate) fn columns(&self) -> Vec<(ColumnRole, Option<String>)> {
        let (mut columns, missing) = match &self.encoding {
            Encoding::Standardised {
                missing_indicator, ..
            } => (vec![(ColumnRole::Value, None)], *missing_indicator),
            Encoding::Flag {
                missing_indicator, ..
            } => (vec![(ColumnRole::Flag, None)], *missing_indicator),
            Encoding::OneHot {
                categories,
                pool,
                missing_indicator,
                ..
            } => {
                let mut columns: Vec<_> = categories
                    .iter()
                    .map(|name| (ColumnRole::Category, Some(name.clone())))
                    .collect();
                if *pool {
                    columns.push((ColumnRole::Pool, None));
                }
                (columns, *missing_indicator)
            }
            Encoding::AllMissing | Encoding::Constant => (Vec::new(), false),
        };
        if missing {
            columns.push((ColumnRole::Missing, None));
        }
        columns
    }
}

fn learn_numbers(kind: FeatureKind, values: &[f64], rows: &[u32]) -> Encoding {
    let known = || {
        rows.iter()
            .map(|row| values[*row as usize])
            .filter(|value| !value.is_nan())
    };
    let count = known().count();
    if count == 0 {
        return Encoding::AllMissing;
    }
    let missing_indicator = count < rows.len();
    let mean = known().sum::<f64>() / count as f64;
    let minimum = known().fold(f64::INFINITY, f64::min);
    let maximum = known().fold(f64::NEG_INFINITY, f64::max);
    if minimum == maximum && !missing_indicator {
        return Encoding::Constant;
    }
    if kind == FeatureKind::Boolean {
        return Encoding::Flag {
            share: mean,
            missing_indicator,
        };
    }
    let variance = known().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
    let constant = minimum == maximum;
    Encoding::Standardised {
        mean: if constant { minimum } else { mean },
        scale: if constant || variance <= 0.0 {
            1.0
        } else {
            variance.sqrt()
        },
        minimum,
        maximum,
        missing_indicator,
    }
}

fn learn_categories(
    codes: &[u32],
    names: &[String],
    rows: &[u32],
    pooling: PoolingRule,
) -> Encoding {
    let mut counts = vec![0_usize; names.len()];
    let mut missing = 0_usize;
    for row in rows {
        match codes[*row as usize] {
            MISSING => missing += 1,
            code => counts[code as usize] += 1,
        }
    }
    // Most frequent first, text order among equals: codes depend on the order of
    // the batches and must not decide anything.
    let mut ranked: Vec<(usize, &String)> = counts
        .iter()
        .zip(names)
        .filter(|(count, _)| **count > 0)
        .map(|(count, name)| (*count, name))
        .collect();
    ranked.sort_unstable_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    if ranked.is_empty() {
        return Encoding::AllMissing;
    }
    let kept = ranked
        .iter()
        .take(pooling.maximum_categories)
        .take_while(|(count, _)| *count >= pooling.minimum_count)
        .count();
    let pooled_categories = ranked.len() - kept;
    let missing_indicator = missing > 0;
    if kept + usize::from(pooled_categories > 0) + usize::from(missing_indicator) < 2 {
        return Encoding::Constant;
    }
    let mut categories: Vec<String> = ranked[..kept]
        .iter()
        .map(|(_, name)| (*name).clone())
        .collect();
    let reference = (!categories.is_empty()).then(|| categories.remove(0));
    categories.sort_unstable();
    Encoding::OneHot {
        pool: pooled_categories > 0 && reference.is_some(),
        reference,
        categories,
        pooled_categories,
        missing_indicator,
    }
}

/// Encodings bound to the columns of one data set or batch.
#[derive(Debug)]
pub(crate) struct BoundEncoder<'a> {
    features: Vec<BoundFeature<'a>>,
    width: usize,
}

#[derive(Debug)]
enum BoundFeature<'a> {
    Number {
        values: &'a [f64],
        mean: f64,
        scale: f64,
        minimum: f64,
        maximum: f64,
        column: u32,
        missing_column: Option<u32>,
    },
    Flag {
        values: &'a [f64],
        share: f64,
        column: u32,
        missing_column: Option<u32>,
    },
    Category {
        codes: &'a [u32],
        /// The design column of each code; `None` is the reference.
        columns: Vec<Option<u32>>,
        missing_column: Option<u32>,
    },
    Unused,
}

impl<'a> BoundEncoder<'a> {
    /// Binds encodings to columns in the same order.
    pub(crate) fn new(
        features: &[EncodedFeature],
        data: &'a [ColumnData],
    ) -> Result<Self, LearnError> {
        let mut width = 0_u32;
        let mut bound = Vec::with_capacity(features.len());
        for (feature, data) in features.iter().zip(data) {
            let first = width;
            let columns = feature.columns();
            width += columns.len() as u32;
            let missing_column = columns
                .iter()
                .position(|(role, _)| *role == ColumnRole::Missing)
                .map(|position| first + position as u32);
            bound.push(bind(feature, data, first, missing_column)?);
        }
        Ok(BoundEncoder {
            features: bound,
            width: width as usize,
        })
    }

    /// Number of design columns, without the intercept.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Calls `write(feature, column, value)` for the non-zero columns of a row.
    #[inline]
    pub(crate) fn for_each_value(&self, row: u32, mut write: impl FnMut(usize, u32, f64)) {
        let row = row as usize;
        for (position, feature) in self.features.iter().enumerate() {
            match feature {
                BoundFeature::Number {
                    values,
                    mean,
                    scale,
                    minimum,
                    maximum,
                    column,
                    missing_column,
                } => {
                    let value = values[row];
                    if value.is_nan() {
                        if let Some(missing) = missing_column {
                            write(position, *missing, 1.0);
                        }
                    } else {
                        let clamped = value.max(*minimum).min(*maximum);
                        write(position, *column, (clamped - mean) / scale);
                    }
                }
                BoundFeature::Flag {
                    values,
                    share,
                    column,
                    missing_column,
                } => {
                    let value = values[row];
                    if value.is_nan() {
                        write(position, *column, *share);
                        if let Some(missing) = missing_column {
                            write(position, *missing, 1.0);
                        }
                    } else if value != 0.0 {
                        write(position, *column, value);
                    }
                }
                BoundFeature::Category {
                    codes,
                    columns,
                    missing_column,
                } => {
                    let column = match codes[row] {
                        MISSING => *missing_column,
                        code => columns[code as usize],
                    };
                    if let Some(column) = column {
                        write(position, column, 1.0);
                    }
                }
                BoundFeature::Unused => {}
            }
        }
    }

    /// Intercept plus the row's values times the coefficients.
    #[inline]
    pub(crate) fn linear_predictor(&self, row: u32, intercept: f64, coefficients: &[f64]) -> f64 {
        let mut sum = intercept;
        self.for_each_value(row, |_, column, value| {
            sum += coefficients[column as usize] * value;
        });
        sum
    }
}

fn bind<'a>(
    feature: &EncodedFeature,
    data: &'a ColumnData,
    first: u32,
    missing_column: Option<u32>,
) -> Result<BoundFeature<'a>, LearnError> {
    Ok(match (&feature.encoding, data) {
        (
            Encoding::Standardised {
                mean,
                scale,
                minimum,
                maximum,
                ..
            },
            ColumnData::Numbers(values),
        ) => BoundFeature::Number {
            values,
            mean: *mean,
            scale: *scale,
            minimum: *minimum,
            maximum: *maximum,
            column: first,
            missing_column,
        },
        (Encoding::Flag { share, .. }, ColumnData::Numbers(values)) => BoundFeature::Flag {
            values,
            share: *share,
            column: first,
            missing_column,
        },
        (
            Encoding::OneHot {
                reference,
                categories,
                pool,
                ..
            },
            ColumnData::Categories { codes, names, .. },
        ) => {
            let pool_column = pool.then_some(first + categories.len() as u32);
            let columns = names
                .iter()
                .map(|name| match categories.binary_search(name) {
                    Ok(position) => Some(first + position as u32),
                    Err(_) if Some(name) == reference.as_ref() => None,
                    Err(_) => pool_column,
                })
                .collect();
            BoundFeature::Category {
                codes,
                columns,
                // Missing in none of the training rows: nothing was learned about
                // it, so it counts like an unseen category.
                missing_column: missing_column.or(pool_column),
            }
        }
        (Encoding::AllMissing | Encoding::Constant, _) => BoundFeature::Unused,
        (_, _) => {
            return Err(LearnError::InvalidInput {
                operation: "encoding",
                reason: format!(
                    "feature {} was encoded as another kind of column",
                    feature.spec.name
                ),
            });
        }
    })
}
