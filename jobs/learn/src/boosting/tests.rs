//! Boosting against exhaustive searches and sums written down independently.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::learner::read_model;
use crate::metrics::auc;
use crate::{FeatureSpec, LogisticModel};

/// Rows with two numbers (the first sometimes missing), a category, a weight, a day
/// and an outcome that depends on an interaction of the numbers.
fn rows(count: usize, seed: u64) -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut columns: (Vec<Option<f64>>, Vec<f64>, Vec<String>) = Default::default();
    let (mut weights, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (first, second): (f64, f64) = (random.random(), random.random());
        let code = random.random_range(0..9_u32);
        let known = random.random::<f64>() > 0.1;
        let log_odds = if (first > 0.5) == (second > 0.4) {
            1.5
        } else {
            -1.5
        } + f64::from(code * 5 % 9) * 0.3
            - 1.2;
        columns.0.push(known.then_some(first));
        columns.1.push((second * 50.0).round() / 50.0);
        columns.2.push(format!("c{code}"));
        weights.push(f64::from(random.random_range(1..3_u32)));
        labels.push(random.random::<f64>() < logistic(log_odds));
    }
    RecordBatch::try_from_iter(vec![
        ("first", Arc::new(Float64Array::from(columns.0)) as ArrayRef),
        ("second", Arc::new(Float64Array::from(columns.1))),
        ("code", Arc::new(StringArray::from(columns.2))),
        ("weight", Arc::new(Float64Array::from(weights))),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(0..count as i32)),
        ),
        ("label", Arc::new(BooleanArray::from(labels))),
    ])
    .unwrap()
}

fn task() -> LearningTask {
    LearningTask::new(
        "label",
        vec![
            FeatureSpec::numeric("first", "첫째", "first"),
            FeatureSpec::numeric("second", "둘째", "second"),
            FeatureSpec::categorical("code", "코드", "code"),
        ],
    )
}

fn fit(batches: &[RecordBatch], task: &LearningTask, options: &BoostOptions) -> BoostedModel {
    BoostedModel::fit_batches(&batches, task, options).unwrap()
}

fn labels(batch: &RecordBatch) -> Vec<bool> {
    let labels = column::booleans("label", batch.column_by_name("label").unwrap()).unwrap();
    labels.values().iter().collect()
}

/// The bins of every row, by the model's own bins.
fn bins(model: &BoostedModel, batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut bins = vec![Vec::new(); batch.num_rows()];
    for feature in &model.features {
        let mut data = ColumnData::new(feature.spec.kind);
        let array = batch.column_by_name(&feature.spec.name).unwrap();
        data.append(feature.spec.kind, &feature.spec.name, array)
            .unwrap();
        let mut row = 0;
        feature
            .bin(&data, 0..batch.num_rows(), |bin| {
                bins[row].push(bin);
                row += 1;
            })
            .unwrap();
    }
    bins
}

/// The leaf values of one tree by trying every division of every leaf on the rows
/// themselves, always dividing where the loss falls most.
fn exhaustive_tree(bins: &[Vec<u8>], labels: &[bool], base: f64, leaves: usize) -> Vec<f64> {
    let (l2, minimum) = (1.0, 5);
    let rate = logistic(base);
    let gradient = |row: &usize| rate - f64::from(u8::from(labels[*row]));
    let curvature = rate * (1.0 - rate);
    let score = |rows: &[usize]| {
        rows.iter().map(gradient).sum::<f64>().powi(2) / (rows.len() as f64 * curvature + l2)
    };
    let mut parts: Vec<Vec<usize>> = vec![(0..labels.len()).collect()];
    while parts.len() < leaves {
        let mut best: Option<(f64, usize, Vec<usize>, Vec<usize>)> = None;
        for (position, part) in parts.iter().enumerate() {
            for feature in [0, 1, 2] {
                // Cuts with missing on either side, and for the category (the last
                // feature) each one against the others.
                let mut ranges: Vec<(u8, u8)> = Vec::new();
                for end in 0..=254 {
                    ranges.extend([(0, end), (1, end)]);
                    if feature == 2 {
                        ranges.push((end, end));
                    }
                }
                for (low, high) in ranges {
                    let (left, right): (Vec<usize>, Vec<usize>) = part
                        .iter()
                        .partition(|row| (low..=high).contains(&bins[**row][feature]));
                    if left.len() < minimum || right.len() < minimum {
                        continue;
                    }
                    let gain = score(&left) + score(&right) - score(part);
                    if best.as_ref().is_none_or(|(most, ..)| gain > most + 1e-9) {
                        best = Some((gain, position, left, right));
                    }
                }
            }
        }
        let (_, position, left, right) = best.unwrap();
        parts[position] = left;
        parts.push(right);
    }
    let mut values = vec![0.0; labels.len()];
    for part in parts {
        let sum: f64 = part.iter().map(gradient).sum();
        let value = -sum / (part.len() as f64 * curvature + l2);
        part.into_iter().for_each(|row| values[row] = value);
    }
    values
}

#[test]
fn one_tree_equals_the_exhaustive_search() {
    for seed in 1..6 {
        let batch = rows(300, seed);
        let options = BoostOptions {
            trees: 1,
            leaves: 6,
            learning_rate: 1.0,
            minimum_child_rows: 5,
            minimum_category_rows: 1,
            ..BoostOptions::default()
        };
        let model = fit(std::slice::from_ref(&batch), &task(), &options);
        let bins = bins(&model, &batch);
        let expected = exhaustive_tree(&bins, &labels(&batch), model.base_log_odds, 6);
        let tree = &model.trees[0];
        for (row, expected) in bins.iter().zip(expected) {
            let found = tree.value[tree.leaf_of(|feature| row[feature])];
            assert!(
                (found - expected).abs() < 1e-5,
                "seed {seed}: {found} {expected}"
            );
        }
    }
}

#[test]
fn threads_and_the_cutting_of_batches_change_no_byte() {
    // More rows than are added up in one part.
    let whole = rows(150_000, 7);
    let options = |threads| BoostOptions {
        trees: 4,
        row_share: 0.95,
        column_share: 0.7,
        early_stopping: Some(EarlyStopping {
            share: 0.02,
            rounds: 10,
        }),
        threads,
        ..BoostOptions::default()
    };
    let one = fit(std::slice::from_ref(&whole), &task(), &options(1))
        .to_json()
        .unwrap();
    for threads in [2, 3] {
        let again = fit(std::slice::from_ref(&whole), &task(), &options(threads));
        assert_eq!(again.to_json().unwrap(), one);
    }
    let small = whole.slice(0, 20_000);
    let pieces = [
        small.slice(0, 7),
        small.slice(7, 9_000),
        small.slice(9_007, 10_993),
    ];
    let cut_up = |batches: &[RecordBatch]| {
        let options = BoostOptions {
            row_share: 1.0,
            early_stopping: None,
            ..options(2)
        };
        fit(batches, &task(), &options).to_json().unwrap()
    };
    assert_eq!(cut_up(&pieces), cut_up(std::slice::from_ref(&small)));
}

#[test]
fn an_interaction_is_learned_that_a_logistic_cannot_see() {
    let (training, later) = (rows(20_000, 1), rows(20_000, 2));
    let model = fit(
        std::slice::from_ref(&training),
        &task(),
        &BoostOptions::default(),
    );
    let found = auc(&model.predict(&later).unwrap(), &labels(&later)).unwrap();
    assert!(found > 0.82, "{found}");
    let dataset = Dataset::from_batches(
        &[with_identity(&training)],
        &crate::DatasetSpec {
            entity: "row".into(),
            entered_on: "day".into(),
            label: "label".into(),
            label_known_on: "day".into(),
            features: task().features,
            groups: vec![],
            max_rows: None,
            seed: 1,
        },
    )
    .unwrap();
    let plain = LogisticModel::fit(&dataset, &crate::FitOptions::default()).unwrap();
    let linear = auc(&plain.predict(&later).unwrap(), &labels(&later)).unwrap();
    assert!(found > linear + 0.1, "{found} {linear}");
    // A data set and its batches teach the same.
    let of_dataset = BoostedModel::fit(&dataset, &BoostOptions::default()).unwrap();
    assert_eq!(
        of_dataset.predict(&later).unwrap(),
        model.predict(&later).unwrap()
    );
    let rows: Vec<u32> = (0..100).collect();
    assert_eq!(
        of_dataset.predict_rows(&dataset, &rows).unwrap(),
        of_dataset.predict(&training.slice(0, 100)).unwrap()
    );
}

fn with_identity(batch: &RecordBatch) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| (field.name().clone(), array.clone()))
        .collect();
    let keys = arrow_array::Int64Array::from_iter_values(0..batch.num_rows() as i64);
    columns.push(("row".to_owned(), Arc::new(keys)));
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn a_row_of_weight_two_counts_as_two_rows() {
    let batch = rows(800, 3);
    let mut weights = Vec::new();
    let every: Vec<usize> = (0..batch.num_rows()).collect();
    let spec = FeatureSpec::numeric("weight", "", "");
    column::numbers_at(
        &spec,
        batch.column_by_name("weight").unwrap(),
        &every,
        &mut weights,
    )
    .unwrap();
    let twice: Vec<RecordBatch> = (0..batch.num_rows())
        .flat_map(|row| std::iter::repeat_n(batch.slice(row, 1), weights[row] as usize))
        .collect();
    let options = BoostOptions {
        trees: 5,
        minimum_child_rows: 1,
        minimum_child_weight: 1.0,
        minimum_category_rows: 1,
        category_smoothing: 0.0,
        ..BoostOptions::default()
    };
    let numbers = LearningTask {
        features: task().features[1..2].to_vec(),
        ..task()
    };
    let weighted = LearningTask {
        weight: Some("weight".into()),
        ..numbers.clone()
    };
    let weighted = fit(std::slice::from_ref(&batch), &weighted, &options)
        .predict(&batch)
        .unwrap();
    let plain = fit(std::slice::from_ref(&batch), &numbers, &options)
        .predict(&batch)
        .unwrap();
    let repeated = fit(&twice, &numbers, &options).predict(&batch).unwrap();
    let apart = |other: &[f64]| {
        repeated
            .iter()
            .zip(other)
            .map(|(one, two)| (one - two).abs())
            .fold(0.0, f64::max)
    };
    assert!(apart(&weighted) < 1e-6, "{}", apart(&weighted));
    assert!(apart(&plain) > 1e-3, "{}", apart(&plain));
}

#[test]
fn a_rising_feature_never_lowers_the_probability() {
    let batch = rows(5_000, 4);
    let fitted = |monotone: BTreeMap<String, Monotone>| {
        fit(
            std::slice::from_ref(&batch),
            &task(),
            &BoostOptions {
                monotone,
                trees: 60,
                ..BoostOptions::default()
            },
        )
    };
    let falls = |model: &BoostedModel| {
        let mut falls = 0;
        for first in [0.2, 0.5, 0.8] {
            for code in ["c0", "c7", "never seen"] {
                let grid = RecordBatch::try_from_iter(vec![
                    (
                        "first",
                        Arc::new(Float64Array::from(vec![first; 101])) as ArrayRef,
                    ),
                    (
                        "second",
                        Arc::new(
                            (0..101)
                                .map(|step| Some(f64::from(step) / 100.0))
                                .collect::<Float64Array>(),
                        ),
                    ),
                    ("code", Arc::new(StringArray::from(vec![code; 101]))),
                ])
                .unwrap();
                let predicted = model.predict(&grid).unwrap();
                falls += predicted
                    .windows(2)
                    .filter(|pair| pair[1] < pair[0])
                    .count();
            }
        }
        falls
    };
    assert!(falls(&fitted(BTreeMap::new())) > 0);
    assert_eq!(
        falls(&fitted(BTreeMap::from([(
            "second".into(),
            Monotone::Rising
        )]))),
        0
    );
    let category = BTreeMap::from([("code".to_owned(), Monotone::Rising)]);
    let options = BoostOptions {
        monotone: category,
        ..BoostOptions::default()
    };
    let error = BoostedModel::fit_batches(&std::slice::from_ref(&batch), &task(), &options);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("monotone names code")
    );
}

#[test]
fn missing_values_and_unseen_codes_are_ordinary_input() {
    let model = fit(&[rows(3_000, 5)], &task(), &BoostOptions::default());
    let odd = |code: Option<&str>, first: Option<f64>| {
        RecordBatch::try_from_iter(vec![
            (
                "first",
                Arc::new(Float64Array::from(vec![first])) as ArrayRef,
            ),
            ("second", Arc::new(Float64Array::from(vec![0.3]))),
            ("code", Arc::new(StringArray::from(vec![code]))),
        ])
        .unwrap()
    };
    let unseen = model.predict(&odd(Some("new"), None)).unwrap();
    assert_eq!(unseen, model.predict(&odd(None, Some(f64::NAN))).unwrap());
    assert!(unseen[0] > 0.0 && unseen[0] < 1.0);
}

/// Shapley values by their definition: over all orders of arrival, with absent
/// features averaged over the training rows of both branches.
fn shapley_by_definition(tree: &Tree, bins: &[u8]) -> Vec<f64> {
    fn value(tree: &Tree, bins: &[u8], present: usize, node: usize) -> f64 {
        if tree.is_leaf(node) {
            return tree.value[node];
        }
        let (left, right) = (tree.left[node] as usize, tree.right[node] as usize);
        let feature = tree.feature[node] as usize;
        if present >> feature & 1 == 1 {
            let child = if tree.goes_left(node, bins[feature]) {
                left
            } else {
                right
            };
            return value(tree, bins, present, child);
        }
        let share = |child: usize| f64::from(tree.rows[child]) / f64::from(tree.rows[node]);
        share(left) * value(tree, bins, present, left)
            + share(right) * value(tree, bins, present, right)
    }
    let count = bins.len();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..count)
        .map(|feature| {
            (0..1 << count)
                .filter(|subset| subset >> feature & 1 == 0)
                .map(|subset: usize| {
                    let size = subset.count_ones() as usize;
                    let weight = factorial(size) * factorial(count - size - 1) / factorial(count);
                    let with = value(tree, bins, subset | 1 << feature, 0);
                    weight * (with - value(tree, bins, subset, 0))
                })
                .sum()
        })
        .collect()
}

#[test]
fn shapley_values_equal_their_definition_and_sum_to_the_log_odds() {
    let batch = rows(4_000, 6);
    let model = fit(
        std::slice::from_ref(&batch),
        &task(),
        &BoostOptions {
            trees: 20,
            ..BoostOptions::default()
        },
    );
    for (row, bins) in bins(&model, &batch).iter().enumerate().take(25) {
        let mut expected = vec![0.0; 3];
        for tree in &model.trees {
            let values = shapley_by_definition(tree, bins);
            expected
                .iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        }
        let explanation = model.explain(&batch, row, 3).unwrap();
        for (feature, expected) in model.features.iter().zip(expected) {
            let found = explanation
                .contributions
                .iter()
                .find(|contribution| contribution.feature == feature.spec.name)
                .unwrap();
            assert!(
                (found.log_odds - expected).abs() < 1e-9,
                "{found:?} {expected}"
            );
        }
        let sum: f64 = explanation
            .contributions
            .iter()
            .map(|found| found.log_odds)
            .sum();
        let whole = logistic(explanation.average_log_odds + sum);
        assert!((whole - explanation.probability).abs() < 1e-12);
        let scored = model.predict(&batch.slice(row, 1)).unwrap()[0];
        assert!((scored - explanation.probability).abs() < 1e-12);
    }
}

#[test]
fn early_stopping_holds_out_the_latest_days() {
    let mut task = task();
    task.entered_on = Some("day".into());
    let stopping = EarlyStopping {
        share: 0.25,
        rounds: 15,
    };
    let options = BoostOptions {
        trees: 3_000,
        learning_rate: 0.3,
        early_stopping: Some(stopping),
        ..BoostOptions::default()
    };
    let batch = rows(4_000, 8);
    let model = fit(std::slice::from_ref(&batch), &task, &options);
    assert_eq!(
        (model.training.rows_trained, model.training.rows_held_out),
        (3_000, 1_000)
    );
    assert!(model.trees.len() < 200, "{}", model.trees.len());
    let latest = batch.slice(3_000, 1_000);
    let loss = crate::log_loss(&model.predict(&latest).unwrap(), &labels(&latest))
        .unwrap()
        .value;
    assert!((loss - model.training.held_out_loss.unwrap()).abs() < 1e-9);
}

#[test]
fn a_group_is_held_out_whole() {
    let mut task = task();
    task.group = Some("second".into());
    let data = source::bin_batches(
        &[rows(2_000, 9)].as_slice(),
        &task,
        &BoostOptions::default(),
    )
    .unwrap()
    .1;
    let held = data.hold_out(0.3, 1);
    let groups = data.groups.as_ref().unwrap();
    let mut of_group = BTreeMap::new();
    for (group, held) in groups.iter().zip(&held) {
        assert_eq!(of_group.entry(group).or_insert(held), &held);
    }
    assert!(of_group.len() > 40 && held.contains(&true) && held.contains(&false));
}

#[test]
fn bytes_come_back_equal_and_changed_ones_are_refused() {
    let model = fit(
        &[rows(1_000, 10)],
        &task(),
        &BoostOptions {
            trees: 3,
            ..BoostOptions::default()
        },
    );
    let bytes = model.to_bytes().unwrap();
    assert_eq!(read_model(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let mut changed = bytes.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    assert!(
        read_model(&changed)
            .unwrap_err()
            .to_string()
            .contains("checksum differs")
    );
    assert!(read_model(&bytes[..bytes.len() / 2]).is_err());
    assert!(read_model(b"").is_err());
    let mut looped = model.clone();
    let inner = looped.trees[0].left[0];
    looped.trees[0].left[inner as usize] = inner;
    let error = BoostedModel::from_json(&looped.to_json().unwrap()).unwrap_err();
    assert!(error.to_string().contains("trees do not belong"), "{error}");
}

#[test]
fn what_cannot_be_learned_is_refused_with_a_reason() {
    let batch = rows(50, 11);
    let refused = |task: LearningTask, options: BoostOptions| {
        let batches = std::slice::from_ref(&batch);
        BoostedModel::fit_batches(&batches, &task, &options)
            .unwrap_err()
            .to_string()
    };
    let constant = |name: &str| LearningTask {
        features: vec![FeatureSpec::numeric(name, name, name)],
        ..task()
    };
    assert!(refused(constant("secnd"), BoostOptions::default()).contains("did you mean second?"));
    let shares = BoostOptions {
        row_share: 0.0,
        ..BoostOptions::default()
    };
    assert!(refused(task(), shares).contains("row_share"));
    let mut unknown = labels(&batch).into_iter().map(Some).collect::<Vec<_>>();
    unknown[3] = None;
    let mut columns = batch.columns().to_vec();
    columns[5] = Arc::new(BooleanArray::from(unknown));
    let schema = arrow_schema::Schema::new(
        batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
    );
    let censored = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let error =
        BoostedModel::fit_batches(&[censored].as_slice(), &task(), &BoostOptions::default());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("they are not negative")
    );
}
