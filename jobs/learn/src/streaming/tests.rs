//! The streamed regression against Newton on all rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::gram::add_gram;
use super::*;
use crate::learner::read_model;
use crate::{Dataset, DatasetSpec, FitOptions, LogisticModel, Solver};

fn rows(count: usize) -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); 7];
    let mut labels = Vec::new();
    for _ in 0..count {
        let mut score = -0.7;
        for (position, column) in columns.iter_mut().enumerate() {
            let value = 3.0 * position as f64 + 2.0 * random.random::<f64>();
            score += (position as f64 - 3.0) * 0.4 * (value - 3.0 * position as f64 - 1.0);
            column.push(value);
        }
        labels.push(random.random::<f64>() < logistic(score));
    }
    let mut named: Vec<(String, ArrayRef)> = columns
        .into_iter()
        .enumerate()
        .map(|(at, values)| {
            (
                format!("x{at}"),
                Arc::new(Float64Array::from(values)) as ArrayRef,
            )
        })
        .collect();
    let keys = 0..count as i64;
    named.push(("key".into(), Arc::new(Int64Array::from_iter_values(keys))));
    named.push(("day".into(), Arc::new(Date32Array::from(vec![0; count]))));
    named.push(("label".into(), Arc::new(BooleanArray::from(labels))));
    RecordBatch::try_from_iter(named).unwrap()
}

fn features() -> Vec<FeatureSpec> {
    (0..7)
        .map(|at| FeatureSpec::numeric(&format!("x{at}"), "", ""))
        .collect()
}

#[test]
fn coefficients_equal_those_of_newton_on_all_rows_whatever_the_parts_and_threads() {
    // More rows than the sample of the start holds.
    let batch = rows(130_000);
    let dataset = Dataset::from_batches(
        std::slice::from_ref(&batch),
        &DatasetSpec {
            entity: "key".into(),
            entered_on: "day".into(),
            label: "label".into(),
            label_known_on: "day".into(),
            features: features(),
            groups: vec![],
            max_rows: None,
            seed: 1,
        },
    )
    .unwrap();
    let options = FitOptions {
        solver: Solver::Newton,
        max_rows: None,
        ..FitOptions::default()
    };
    let exact = LogisticModel::fit(&dataset, &options).unwrap();
    let pieces: Vec<RecordBatch> = (0..13)
        .map(|piece| batch.slice(piece * 10_000, 10_000))
        .collect();
    let task = LearningTask::new("label", features());
    let fitted = |threads| {
        let options = StreamedOptions {
            threads,
            ..StreamedOptions::default()
        };
        StreamedLogistic::fit(&pieces.as_slice(), &task, &options).unwrap()
    };
    let model = fitted(2);
    for (found, expected) in model.columns.iter().zip(&exact.columns) {
        assert!(
            (found.coefficient - expected.coefficient).abs() < 1e-7,
            "{found:?}"
        );
        assert!((found.standard_error / expected.standard_error - 1.0).abs() < 1e-2);
    }
    assert!((model.intercept - exact.intercept).abs() < 1e-7);
    assert!(model.passes <= 6, "{}", model.passes);
    assert_eq!(fitted(1), model);
    assert_eq!(fitted(3), model);
}

#[test]
fn contributions_sum_to_the_log_odds_and_bytes_come_back_equal() {
    let batch = rows(2_000);
    let task = LearningTask::new("label", features());
    let model = StreamingLogistic::default()
        .fit(&std::slice::from_ref(&batch), &task)
        .unwrap();
    let explained = model.explain(&batch, 17, 7).unwrap();
    let sum: f64 = explained
        .contributions
        .iter()
        .map(|found| found.log_odds)
        .sum();
    let predicted = model.predict(&batch).unwrap()[17];
    assert!((logistic(explained.average_log_odds + sum) - predicted).abs() < 1e-12);
    let bytes = model.to_bytes().unwrap();
    assert_eq!(read_model(&bytes).unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn products_of_columns_equal_those_added_one_by_one() {
    let size = 11;
    let tile: Vec<f64> = (0..size * TILE)
        .map(|at| (at * 37 % 101) as f64 - 50.0)
        .collect();
    let mut gram = vec![0.0; size * size];
    add_gram(&tile, size, &mut gram);
    for first in 0..size {
        for second in first..size {
            let expected: f64 = (0..TILE)
                .map(|row| tile[first * TILE + row] * tile[second * TILE + row])
                .sum();
            assert_eq!(gram[first * size + second], expected, "{first} {second}");
        }
    }
}
