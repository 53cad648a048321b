use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Date32Array};
use chrono::NaiveDate;
use rstest::rstest;

use super::{Invented, KNOWN_AFTER, START, invented, spec, with_column};
use crate::dataset::{date_of_day, day_of_date};
use crate::{
    BaselineSpec, Bilingual, Candidate, Dataset, EvaluationOptions, FeatureSpec, FitOptions,
    GateLimits, LearnError, ModelCard, SplitPlan, SplitRows, TrainingPlan, compare_with_oracle,
    temporal_splits, train_with_temporal_evaluation, verify_split,
};

const DAYS: i32 = 730;

pub(super) fn as_of() -> NaiveDate {
    date_of_day(START + DAYS)
}

/// Two years of registrations; outcomes not yet known are null.
pub(super) fn two_years(rows: usize, seed: u64) -> Invented {
    let mut data = invented(rows, DAYS, seed);
    let labels = data.batch.column_by_name("acquired").unwrap();
    let labels = labels.as_any().downcast_ref::<BooleanArray>().unwrap();
    let known = data.batch.column_by_name("known_on").unwrap();
    let known = known.as_any().downcast_ref::<Date32Array>().unwrap();
    let censored: BooleanArray = (0..rows)
        .map(|row| (known.value(row) <= START + DAYS).then(|| labels.value(row)))
        .collect();
    data.batch = with_column(&data.batch, "acquired", Arc::new(censored));
    data
}

pub(super) fn plan() -> TrainingPlan {
    TrainingPlan {
        target_title: Bilingual::new("6개월 내 취업", "work within six months"),
        population: Bilingual::new("구직 등록자", "registered job seekers"),
        intended_use: Bilingual::new("시험", "a test"),
        limits: vec![],
        version: "test".to_owned(),
        data_hash: "0".repeat(64),
        splits: SplitPlan::six_months(as_of()),
        candidates: vec![Candidate::Logistic(FitOptions::default())],
        calibrators: vec![],
        evaluation: EvaluationOptions::default(),
        baseline: BaselineSpec {
            columns: vec!["age_band".to_owned()],
            title: Bilingual::new("연령대별 취업률", "rate by age band"),
        },
        subgroups: vec!["sex".to_owned(), "age_band".to_owned()],
        gates: GateLimits::default(),
        top_coefficients: 20,
    }
}

#[test]
fn every_cutoff_trains_on_the_known_and_is_judged_on_the_unknown() {
    let dataset = Dataset::from_batches(&[two_years(12_000, 1).batch], &spec()).unwrap();
    let splits = temporal_splits(&dataset, &plan().splits).unwrap();
    assert_eq!(splits.len(), 6);
    // The last month whose labels are all in: 225 days before 2025-12-31.
    let last = splits.last().unwrap();
    assert_eq!(
        last.evaluation_from,
        NaiveDate::from_ymd_opt(2025, 4, 1).unwrap()
    );
    assert_eq!(last.cutoff, NaiveDate::from_ymd_opt(2025, 3, 31).unwrap());
    let mut before = 0;
    for split in &splits {
        let rows = split.rows(&dataset).unwrap();
        assert!(rows.training.len() > before, "windows expand");
        before = rows.training.len();
        let cutoff = day_of_date(split.cutoff);
        for row in &rows.training {
            assert!(dataset.entered_on[*row as usize] + KNOWN_AFTER <= cutoff);
        }
        for row in &rows.evaluation {
            assert!(dataset.entered_on[*row as usize] > cutoff);
        }
    }
}

#[test]
fn a_small_population_is_evaluated_on_longer_windows() {
    let dataset = Dataset::from_batches(&[two_years(3_000, 1).batch], &spec()).unwrap();
    let splits = temporal_splits(&dataset, &plan().splits).unwrap();
    let last = splits.last().unwrap();
    assert_eq!(
        last.evaluation_from,
        NaiveDate::from_ymd_opt(2025, 3, 1).unwrap()
    );
    assert_eq!(
        last.evaluation_until,
        NaiveDate::from_ymd_opt(2025, 5, 1).unwrap()
    );
}

#[test]
fn rows_on_the_wrong_side_of_a_cutoff_are_refused() {
    let dataset = Dataset::from_batches(&[two_years(12_000, 1).batch], &spec()).unwrap();
    let split = temporal_splits(&dataset, &plan().splits).unwrap()[0];
    let good = split.rows(&dataset).unwrap();
    let mut early = good.clone();
    early.training.push(good.evaluation[0]);
    assert!(matches!(
        verify_split(&dataset, split.cutoff, &early),
        Err(LearnError::TrainingLabelUnknown { rows: 1, .. })
    ));
    let late = SplitRows {
        evaluation: vec![good.training[0]],
        ..good
    };
    assert!(matches!(
        verify_split(&dataset, split.cutoff, &late),
        Err(LearnError::EvaluationRowKnown { rows: 1, .. })
    ));
}

#[test]
fn a_label_from_the_future_is_refused() {
    // All labels filled in, also those that nobody can know yet.
    let data = invented(4_000, DAYS, 1);
    let dataset = Dataset::from_batches(&[data.batch], &spec()).unwrap();
    let error = train_with_temporal_evaluation(&dataset, &plan()).unwrap_err();
    assert!(
        matches!(error, LearnError::LabelFromTheFuture { .. }),
        "{error}"
    );
}

#[test]
fn a_success_known_before_the_followup_is_over_is_refused() {
    let data = two_years(4_000, 1);
    let entered = data.batch.column_by_name("registered_on").unwrap();
    let entered = entered.as_any().downcast_ref::<Date32Array>().unwrap();
    let known: Date32Array = entered.iter().map(|day| day.map(|day| day + 30)).collect();
    let batch = with_column(&data.batch, "known_on", Arc::new(known));
    let dataset = Dataset::from_batches(&[batch], &spec()).unwrap();
    let error = temporal_splits(&dataset, &plan().splits).unwrap_err();
    assert!(
        matches!(error, LearnError::LabelKnownTooEarly { .. }),
        "{error}"
    );
}

#[test]
fn too_short_a_history_says_what_is_missing() {
    let data = invented(2_000, 150, 1);
    let labels = BooleanArray::from(vec![None; 2_000]);
    let batch = with_column(&data.batch, "acquired", Arc::new(labels));
    let dataset = Dataset::from_batches(&[batch], &spec()).unwrap();
    let error = temporal_splits(&dataset, &SplitPlan::six_months(date_of_day(START + 150)));
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("2024-01-01") && message.contains("500"),
        "{message}"
    );
}

#[test]
fn a_good_model_passes_its_gates_near_the_oracle() {
    let data = two_years(20_000, 2);
    let dataset = Dataset::from_batches(std::slice::from_ref(&data.batch), &spec()).unwrap();
    let outcome = train_with_temporal_evaluation(&dataset, &plan()).unwrap();
    let card = &outcome.card;
    assert!(card.usable, "{:?}", card.gates);
    assert_eq!(card.cutoffs.len(), 6);
    assert_eq!(card.pooled.calibration_table.len(), 10);
    let names: Vec<&str> = card
        .baselines
        .iter()
        .map(|baseline| baseline.name.as_str())
        .collect();
    assert_eq!(names, ["prior_rate", "first_come", "one_variable_rule"]);
    // The order of entry tells nothing here, and its probabilities are the overall rate.
    let (prior, first_come) = (&card.baselines[0], &card.baselines[1]);
    let auc = first_come.auc.unwrap();
    assert!(auc.lower < 0.5 && auc.upper > 0.5, "{auc:?}");
    assert!((first_come.brier.value - prior.brier.value).abs() < 0.01);
    assert!(first_come.auc_difference.unwrap().lower > 0.0);
    assert!(
        card.subgroups
            .iter()
            .any(|group| group.value.as_deref() == Some("f") && group.tested)
    );
    assert_eq!(card.training.known_by, Some(as_of()));
    assert_eq!(outcome.out_of_time.num_rows(), card.pooled.rows);
    let model = outcome.model.as_logistic().unwrap();
    assert_eq!(model.metrics.as_ref(), Some(&card.pooled));
    let json = card.to_json().unwrap();
    assert_eq!(
        ModelCard::from_json(&json).unwrap().to_json().unwrap(),
        json
    );

    // The evaluation command joins oracle probabilities by key.
    let keys = data.batch.column_by_name("person_key").unwrap();
    let keys = keys
        .as_any()
        .downcast_ref::<arrow_array::Int64Array>()
        .unwrap();
    let oracle_of: std::collections::BTreeMap<i64, f64> =
        keys.values().iter().copied().zip(data.oracle).collect();
    let scored = &outcome.out_of_time;
    let scored_keys = scored.column(0);
    let scored_keys = scored_keys
        .as_any()
        .downcast_ref::<arrow_array::Int64Array>()
        .unwrap();
    let oracle: Vec<f64> = scored_keys
        .values()
        .iter()
        .map(|key| oracle_of[key])
        .collect();
    let predicted = scored.column_by_name("probability").unwrap();
    let predicted = predicted
        .as_any()
        .downcast_ref::<arrow_array::Float64Array>()
        .unwrap();
    let labels = scored.column_by_name("label").unwrap();
    let labels = labels.as_any().downcast_ref::<BooleanArray>().unwrap();
    let labels: Vec<bool> = labels.values().iter().collect();
    let comparison = compare_with_oracle(predicted.values(), &oracle, &labels).unwrap();
    assert!(comparison.auc_ratio > 0.97, "{comparison:?}");
    assert!(comparison.log_odds_correlation.unwrap() > 0.9);
}

#[derive(Clone, Copy)]
enum Sabotage {
    ShuffledLabels,
    PostOutcomeFeature,
}

#[rstest]
#[case::shuffled_labels(Sabotage::ShuffledLabels, "beats_one_variable_rule")]
#[case::post_outcome_feature(Sabotage::PostOutcomeFeature, "plausible_auc")]
fn a_sabotaged_model_is_stopped_by_its_gate(#[case] sabotage: Sabotage, #[case] gate: &str) {
    let data = two_years(12_000, 3);
    let labels = data.batch.column_by_name("acquired").unwrap();
    let labels = labels.as_any().downcast_ref::<BooleanArray>().unwrap();
    let mut spec = spec();
    let batch = match sabotage {
        Sabotage::ShuffledLabels => {
            let shuffled: BooleanArray = (0..labels.len())
                .map(|row| labels.is_valid(row).then(|| row * 7_919 % 13 < 6))
                .collect();
            with_column(&data.batch, "acquired", Arc::new(shuffled))
        }
        Sabotage::PostOutcomeFeature => {
            spec.features
                .push(FeatureSpec::boolean("wage_paid", "임금지급", "wage paid"));
            with_column(&data.batch, "wage_paid", Arc::new(labels.clone()))
        }
    };
    let dataset = Dataset::from_batches(&[batch], &spec).unwrap();
    let card = train_with_temporal_evaluation(&dataset, &plan())
        .unwrap()
        .card;
    assert!(!card.usable);
    let failed = card.gates.iter().find(|found| found.name == gate).unwrap();
    assert!(!failed.passed, "{:?}", card.gates);
}

#[test]
fn an_unknown_group_column_is_named() {
    let dataset = Dataset::from_batches(&[two_years(4_000, 1).batch], &spec()).unwrap();
    let mut plan = plan();
    plan.subgroups.push("region".to_owned());
    let error = train_with_temporal_evaluation(&dataset, &plan).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("region is not among the group columns")
    );
}
