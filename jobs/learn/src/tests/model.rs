use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use rstest::rstest;

use super::{invented, spec, with_column};
use crate::encoding::Encoding;
use crate::metrics::auc;
use crate::{
    ColumnRole, Dataset, FeatureSpec, FitOptions, LearnError, LogisticModel, Monotone, Solver,
};

fn options(solver: Solver) -> FitOptions {
    FitOptions {
        solver,
        ..FitOptions::default()
    }
}

fn shuffled(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u64;
    let order: UInt32Array = (0..rows).map(|row| (row * 7_919 % rows) as u32).collect();
    let columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let taken = arrow_select::take::take(column, &order, None).unwrap();
            (field.name().clone(), taken)
        })
        .collect();
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn linfa_and_newton_find_the_same_optimum() {
    let data = invented(4_000, 300, 1);
    let dataset = Dataset::from_batches(&[data.batch], &spec()).unwrap();
    let linfa = LogisticModel::fit(&dataset, &options(Solver::Linfa)).unwrap();
    let newton = LogisticModel::fit(&dataset, &options(Solver::Newton)).unwrap();
    assert!(
        !linfa.training.solver.finished_by_newton,
        "{:?}",
        linfa.training.solver
    );
    for (left, right) in linfa.columns.iter().zip(&newton.columns) {
        let difference = (left.coefficient - right.coefficient).abs();
        assert!(difference < 1e-3, "{left:?} {right:?}");
        assert!(difference < 0.02 * right.standard_error);
    }
    assert!((linfa.intercept - newton.intercept).abs() < 1e-3);
}

#[test]
fn linfa_on_a_sample_of_the_rows_leads_to_the_same_optimum() {
    let data = invented(4_000, 300, 1);
    let dataset = Dataset::from_batches(&[data.batch], &spec()).unwrap();
    let sampled = FitOptions {
        linfa_rows: 600,
        ..options(Solver::Linfa)
    };
    let sampled = LogisticModel::fit(&dataset, &sampled).unwrap();
    let newton = LogisticModel::fit(&dataset, &options(Solver::Newton)).unwrap();
    assert!(sampled.training.solver.linfa_rows <= 600);
    assert!(
        sampled.training.solver.finished_by_newton,
        "{:?}",
        sampled.training.solver
    );
    for (left, right) in sampled.columns.iter().zip(&newton.columns) {
        let difference = (left.coefficient - right.coefficient).abs();
        assert!(
            difference < 0.02 * right.standard_error,
            "{left:?} {right:?}"
        );
    }
}

#[rstest]
#[case::newton(Solver::Newton)]
#[case::linfa(Solver::Linfa)]
fn a_coefficient_bound_to_a_sign_has_it_or_the_others_do_as_if_it_were_not_there(
    #[case] solver: Solver,
) {
    // `low` lowers the chance and goes with `high`, which raises it.
    let noise = |row: u32, salt: u32| {
        let mixed = (row * 2 + salt).wrapping_mul(2_654_435_761) >> 8;
        f64::from(mixed % 10_000) / 10_000.0
    };
    let high: Vec<f64> = (0..4_000).map(|row| noise(row, 0)).collect();
    let low: Vec<f64> = (0..4_000)
        .map(|row| high[row as usize] + 0.5 * noise(row, 1))
        .collect();
    let label: Vec<bool> = (0..4_000_u32)
        .map(|row| {
            let odds = 3.0 * high[row as usize] - 1.5 * low[row as usize];
            f64::from((row * 7_919) % 4_000) / 4_000.0 < crate::newton::logistic(odds)
        })
        .collect();
    let batch = with_column(
        &invented(4_000, 10, 1).batch,
        "high",
        Arc::new(Float64Array::from(high)),
    );
    let batch = with_column(&batch, "low", Arc::new(Float64Array::from(low)));
    let batch = with_column(&batch, "acquired", Arc::new(BooleanArray::from(label)));
    let fit = |names: &[&str], monotone: &[(&str, Monotone)]| {
        let mut spec = spec();
        spec.features = names
            .iter()
            .map(|name| FeatureSpec::numeric(name, name, name))
            .collect();
        let dataset = Dataset::from_batches(std::slice::from_ref(&batch), &spec).unwrap();
        let options = FitOptions {
            monotone: monotone
                .iter()
                .map(|(name, direction)| ((*name).to_owned(), *direction))
                .collect(),
            ..options(solver)
        };
        LogisticModel::fit(&dataset, &options)
    };
    let free = fit(&["high", "low"], &[]).unwrap();
    assert!(free.columns[0].coefficient > 0.1 && free.columns[1].coefficient < -0.1);
    let bound = fit(&["high", "low"], &[("low", Monotone::Rising)]).unwrap();
    assert_eq!(bound.columns[1].coefficient, 0.0);
    assert_eq!(bound.columns[1].standard_error, 0.0);
    let alone = fit(&["high"], &[]).unwrap();
    let apart = (bound.columns[0].coefficient - alone.columns[0].coefficient).abs();
    assert!(apart < 1e-3, "{apart}");
    // What has the sign anyway stays as it is.
    let same = fit(
        &["high", "low"],
        &[("low", Monotone::Falling), ("high", Monotone::Rising)],
    )
    .unwrap();
    for (left, right) in same.columns.iter().zip(&free.columns) {
        assert!((left.coefficient - right.coefficient).abs() < 1e-3);
    }
    let unknown = fit(&["high"], &[("law", Monotone::Rising)]).unwrap_err();
    assert!(
        unknown.to_string().contains("monotone names law"),
        "{unknown}"
    );
}

#[rstest]
#[case::rare(-3.0)]
#[case::balanced(0.0)]
#[case::frequent(3.0)]
fn true_is_the_positive_class_at_any_rate(#[case] shift: f64) {
    // The larger x, the more often true; the shift decides which class is larger.
    let x: Vec<f64> = (0..2_000)
        .map(|row| f64::from(row % 100) / 25.0 - 2.0)
        .collect();
    let labels: Vec<bool> = x
        .iter()
        .enumerate()
        .map(|(row, x)| (row * 37 % 100) as f64 / 100.0 < crate::newton::logistic(x + shift))
        .collect();
    let data = invented(2_000, 10, 1);
    let batch = with_column(&data.batch, "x", Arc::new(Float64Array::from(x.clone())));
    let batch = with_column(
        &batch,
        "acquired",
        Arc::new(BooleanArray::from(labels.clone())),
    );
    let mut spec = spec();
    spec.features = vec![FeatureSpec::numeric("x", "엑스", "x")];
    let dataset = Dataset::from_batches(std::slice::from_ref(&batch), &spec).unwrap();
    let model = LogisticModel::fit(&dataset, &options(Solver::Linfa)).unwrap();
    assert!(model.columns[0].coefficient > 0.0);
    let predicted = model.predict(&batch).unwrap();
    let mean = predicted.iter().sum::<f64>() / predicted.len() as f64;
    let rate = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    // The score equation of the intercept: predictions average to the rate.
    assert!((mean - rate).abs() < 1e-4, "{mean} {rate}");
    assert!(auc(&predicted, &labels).unwrap() > 0.6);
}

#[rstest]
#[case::linfa(Solver::Linfa)]
#[case::newton(Solver::Newton)]
fn order_of_rows_cutting_of_batches_and_threads_leave_no_trace(#[case] solver: Solver) {
    let data = invented(3_000, 300, 2);
    let one_batch = Dataset::from_batches(std::slice::from_ref(&data.batch), &spec()).unwrap();
    let mixed = shuffled(&data.batch);
    let cut: Vec<RecordBatch> = [(2_000, 1_000), (0, 7), (7, 1_993)]
        .iter()
        .map(|(from, rows)| mixed.slice(*from, *rows))
        .collect();
    let in_pieces = Dataset::from_batches(&cut, &spec()).unwrap();
    let json = |dataset: &Dataset, threads: usize| {
        let options = FitOptions {
            threads,
            max_rows: Some(2_000),
            ..options(solver)
        };
        LogisticModel::fit(dataset, &options)
            .unwrap()
            .to_json()
            .unwrap()
    };
    let expected = json(&one_batch, 1);
    assert_eq!(expected, json(&one_batch, 2));
    assert_eq!(expected, json(&in_pieces, 1));
    assert_eq!(expected, json(&in_pieces, 3));
}

#[test]
fn a_row_budget_while_reading_does_not_depend_on_the_batches() {
    let data = invented(6_000, 300, 3);
    let mut spec = spec();
    spec.max_rows = Some(1_000);
    let keys = |batches: &[RecordBatch]| {
        let dataset = Dataset::from_batches(batches, &spec).unwrap();
        assert_eq!(dataset.rows_delivered(), 6_000);
        assert!((980..=1_000).contains(&dataset.len()), "{}", dataset.len());
        format!("{:?}", dataset.entities)
    };
    let mixed = shuffled(&data.batch);
    let pieces: Vec<RecordBatch> = (0..60).map(|piece| mixed.slice(piece * 100, 100)).collect();
    assert_eq!(keys(&[data.batch]), keys(&pieces));
}

#[test]
fn a_model_read_back_prints_the_same_bytes_and_predicts_the_same() {
    let data = invented(2_000, 300, 4);
    let dataset = Dataset::from_batches(std::slice::from_ref(&data.batch), &spec()).unwrap();
    let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    let json = model.to_json().unwrap();
    let back = LogisticModel::from_json(&json).unwrap();
    assert_eq!(back.to_json().unwrap(), json);
    assert_eq!(
        back.predict(&data.batch).unwrap(),
        model.predict(&data.batch).unwrap()
    );
}

#[test]
fn a_model_of_another_format_or_with_lost_columns_is_refused() {
    let data = invented(2_000, 300, 4);
    let dataset = Dataset::from_batches(&[data.batch], &spec()).unwrap();
    let mut model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    let json = model.to_json().unwrap();
    let other = json.replace("goyong-logistic/1", "goyong-logistic/9");
    assert!(matches!(
        LogisticModel::from_json(&other),
        Err(LearnError::UnknownFormat { .. })
    ));
    model.columns.pop();
    assert!(LogisticModel::from_json(&model.to_json().unwrap()).is_err());
}

#[test]
fn missing_values_have_an_indicator_and_rare_categories_a_pool() {
    let data = invented(2_000, 300, 5);
    let mut occupations: Vec<Option<String>> = data
        .batch
        .column_by_name("occupation")
        .unwrap()
        .as_any()
        .downcast_ref::<StringArray>()
        .unwrap()
        .iter()
        .map(|text| text.map(str::to_owned))
        .collect();
    for (row, occupation) in occupations.iter_mut().enumerate() {
        if row % 100 == 0 {
            *occupation = Some(format!("rare{row}"));
        } else if row % 10 == 1 {
            *occupation = None;
        }
    }
    let batch = with_column(
        &data.batch,
        "occupation",
        Arc::new(StringArray::from(occupations)),
    );
    let dataset = Dataset::from_batches(&[batch], &spec()).unwrap();
    let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    let roles = |feature: usize| -> Vec<ColumnRole> {
        let of_feature = model
            .columns
            .iter()
            .filter(|column| column.feature == feature);
        of_feature.map(|column| column.role).collect()
    };
    assert_eq!(roles(0), vec![ColumnRole::Value, ColumnRole::Missing]);
    assert_eq!(roles(1), vec![ColumnRole::Value]);
    assert!(roles(2).ends_with(&[ColumnRole::Category, ColumnRole::Pool, ColumnRole::Missing]));
    let Encoding::OneHot {
        pooled_categories, ..
    } = &model.features[2].encoding
    else {
        panic!("one-hot expected")
    };
    assert!(*pooled_categories >= 20);
    assert!(
        !model.to_json().unwrap().contains("rare"),
        "rare categories are not listed"
    );
}

#[test]
fn an_unseen_category_is_ordinary_input() {
    let data = invented(2_000, 300, 6);
    let dataset = Dataset::from_batches(std::slice::from_ref(&data.batch), &spec()).unwrap();
    let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    let row = data.batch.slice(0, 1);
    let unseen = with_column(&row, "occupation", Arc::new(StringArray::from(vec!["999"])));
    let missing = with_column(
        &row,
        "occupation",
        Arc::new(StringArray::from(vec![None::<&str>])),
    );
    for batch in [unseen, missing] {
        let probability = model.predict(&batch).unwrap()[0];
        assert!(probability > 0.0 && probability < 1.0);
    }
}

#[test]
fn all_missing_and_constant_columns_are_left_out_and_named() {
    let data = invented(2_000, 300, 7);
    let empty: ArrayRef = Arc::new(Float64Array::from(vec![None; 2_000]));
    let constant: ArrayRef = Arc::new(Int64Array::from(vec![40; 2_000]));
    let batch = with_column(&data.batch, "wage", empty);
    let batch = with_column(&batch, "weekly_hours", constant);
    let mut spec = spec();
    spec.features
        .push(FeatureSpec::numeric("wage", "임금", "wage"));
    spec.features.push(FeatureSpec::numeric(
        "weekly_hours",
        "주당시간",
        "weekly hours",
    ));
    spec.features
        .push(FeatureSpec::categorical("wage", "임금", "wage"));
    let dataset = Dataset::from_batches(std::slice::from_ref(&batch), &spec).unwrap();
    let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    assert_eq!(model.features[4].encoding, Encoding::AllMissing);
    assert_eq!(model.features[5].encoding, Encoding::Constant);
    assert_eq!(model.features[6].encoding, Encoding::AllMissing);
    assert_eq!(model.predict(&batch).unwrap().len(), 2_000);
}

#[test]
fn one_class_is_a_clear_error() {
    let data = invented(500, 300, 8);
    let batch = with_column(
        &data.batch,
        "acquired",
        Arc::new(BooleanArray::from(vec![true; 500])),
    );
    let dataset = Dataset::from_batches(&[batch], &spec()).unwrap();
    let error = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "all 500 labelled rows are positive; a model needs both outcomes"
    );
}

#[test]
fn a_repeated_entity_and_day_is_refused() {
    let data = invented(500, 300, 9);
    let twice = [data.batch.clone(), data.batch.slice(0, 3)];
    let error = Dataset::from_batches(&twice, &spec()).unwrap_err();
    assert!(
        matches!(error, LearnError::DuplicateRows { rows: 3 }),
        "{error}"
    );
}

#[test]
fn an_explanation_adds_up_to_the_prediction() {
    let data = invented(2_000, 300, 10);
    let dataset = Dataset::from_batches(std::slice::from_ref(&data.batch), &spec()).unwrap();
    let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
    let predicted = model.predict(&data.batch).unwrap();
    for row in [0, 17, 1_999] {
        let why = model.explain(&data.batch, row, 10).unwrap();
        assert_eq!(why.probability, predicted[row]);
        let sum: f64 = why.contributions.iter().map(|part| part.log_odds).sum();
        let rebuilt = crate::newton::logistic(why.average_log_odds + sum);
        assert!((rebuilt - predicted[row]).abs() < 1e-12);
        assert_eq!(why.contributions.len(), 4);
        let sizes: Vec<f64> = why
            .contributions
            .iter()
            .map(|part| part.log_odds.abs())
            .collect();
        assert!(sizes.is_sorted_by(|left, right| left >= right));
    }
    let top = model.explain(&data.batch, 0, 2).unwrap();
    assert_eq!(top.contributions.len(), 2);
    assert!(!top.contributions[0].label_ko.is_empty());
    assert!(model.explain(&data.batch, 2_000, 2).is_err());
}
