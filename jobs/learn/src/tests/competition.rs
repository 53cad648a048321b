//! Candidates that compete, and the model in use they have to beat.

use arrow_array::Array;
use chrono::{Days, NaiveDate};

use super::temporal::{as_of, plan, two_years};
use super::*;
use crate::dataset::date_of_day;
use crate::{
    BoostOptions, Calibrator, CalibratorKind, Candidate, Champion, Dataset, FitOptions,
    LogisticModel, PromotionCheck, PromotionLimits, PromotionReport, PromotionRequest, RankingEnd,
    ScoringArtefact, TrainingOutcome, TrainingPlan, Verdict, judge_training, train_with_folds,
    train_with_temporal_evaluation,
};

const THRESHOLD: f64 = 0.4;

fn candidates(threads: usize) -> Vec<Candidate> {
    vec![
        Candidate::Logistic(FitOptions {
            threads,
            ..FitOptions::default()
        }),
        Candidate::Boosting {
            options: BoostOptions {
                trees: 40,
                leaves: 6,
                learning_rate: 0.1,
                minimum_child_rows: 60,
                threads,
                ..BoostOptions::default()
            },
            max_rows: Some(500_000),
        },
    ]
}

fn contest(threads: usize) -> TrainingPlan {
    TrainingPlan {
        candidates: candidates(threads),
        calibrators: CalibratorKind::ALL.to_vec(),
        ..plan()
    }
}

/// Labels that become known after a day are null.
fn known_by(batch: &RecordBatch, day: NaiveDate) -> RecordBatch {
    let labels = batch.column_by_name("acquired").unwrap();
    let labels = labels.as_any().downcast_ref::<BooleanArray>().unwrap();
    let known = batch.column_by_name("known_on").unwrap();
    let known = known.as_any().downcast_ref::<Date32Array>().unwrap();
    let censored: BooleanArray = labels
        .iter()
        .zip(known.values())
        .map(|(label, known)| label.filter(|_| date_of_day(*known) <= day))
        .collect();
    with_column(batch, "acquired", Arc::new(censored))
}

/// Those between 26 and 46 find work and the others do not: no line over age tells them apart.
fn hump(rows: usize, seed: u64) -> RecordBatch {
    let batch = two_years(rows, seed).batch;
    let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
    let age = batch.column_by_name("age").unwrap();
    let age = age.as_any().downcast_ref::<Float64Array>().unwrap();
    let labels: BooleanArray = age
        .iter()
        .map(|age| {
            let inside = age.is_some_and(|age| (26.0..46.0).contains(&age));
            Some(random.random::<f64>() < if inside { 0.75 } else { 0.25 })
        })
        .collect();
    known_by(&with_column(&batch, "acquired", Arc::new(labels)), as_of())
}

fn dataset(batch: &RecordBatch) -> Dataset {
    Dataset::from_batches(std::slice::from_ref(batch), &spec()).unwrap()
}

#[test]
fn the_learner_with_the_least_regret_over_the_months_is_taken() {
    let lines = dataset(&two_years(20_000, 4).batch);
    let outcome = train_with_temporal_evaluation(&lines, &contest(2)).unwrap();
    assert_eq!(outcome.card.learner, "logistic");
    assert_eq!(outcome.model.kind(), "logistic");
    assert!(outcome.card.importance.is_empty() && !outcome.card.coefficients.is_empty());

    let humps = dataset(&hump(20_000, 4));
    let outcome = train_with_temporal_evaluation(&humps, &contest(2)).unwrap();
    let card = &outcome.card;
    assert_eq!(card.learner, "boosting");
    assert_eq!(outcome.model.kind(), "boosting");
    assert_eq!(card.importance[0].feature, "age");
    assert_eq!(card.candidates.len(), 2);
    for candidate in &card.candidates {
        assert_eq!(candidate.windows.len(), card.cutoffs.len());
        assert!(candidate.windows.iter().all(|window| window.regret >= 0.0));
    }
    let [lost, taken] = &card.candidates[..] else {
        panic!("two candidates")
    };
    assert!(taken.chosen && !lost.chosen && taken.mean_regret < lost.mean_regret);
    // What is told of the model is told of its calibrated probabilities.
    assert!(card.usable, "{:?}", card.gates);
    let json = card.to_json().unwrap();
    assert_eq!(crate::ModelCard::from_json(&json).unwrap(), *card);
}

#[test]
fn threads_and_the_order_of_batches_leave_no_trace_in_the_artefact() {
    let batch = hump(12_000, 5);
    let bytes = |threads: usize, batches: &[RecordBatch]| {
        let dataset = Dataset::from_batches(batches, &spec()).unwrap();
        let outcome = train_with_temporal_evaluation(&dataset, &contest(threads)).unwrap();
        let report = judge(&dataset, &contest(threads), &outcome, None);
        let mut card = outcome.card.clone();
        card.judge(report);
        (
            outcome.artefact(THRESHOLD).to_bytes().unwrap(),
            card.to_json().unwrap(),
        )
    };
    let one = bytes(1, std::slice::from_ref(&batch));
    let halves = [batch.slice(6_000, 6_000), batch.slice(0, 6_000)];
    assert_eq!(one, bytes(2, &halves));
}

#[test]
fn the_artefact_read_back_scores_as_the_training_did() {
    let batch = hump(12_000, 6);
    let dataset = dataset(&batch);
    let outcome = train_with_temporal_evaluation(&dataset, &contest(2)).unwrap();
    let bytes = outcome.artefact(THRESHOLD).to_bytes().unwrap();
    let served = ScoringArtefact::from_bytes(&bytes).unwrap();
    let expected = outcome.predict(&batch).unwrap();
    assert_eq!(served.predict(&batch).unwrap(), expected);
    // The rows of the data set are those of the batch in another order.
    let rows: Vec<u32> = (0..dataset.len() as u32).collect();
    let features = dataset.features_of(&rows).unwrap();
    let mut from_features = served.predict(&features).unwrap();
    let mut of_batch = expected;
    from_features.sort_by(f64::total_cmp);
    of_batch.sort_by(f64::total_cmp);
    assert_eq!(from_features, of_batch);
}

#[test]
fn data_without_time_compete_in_folds_and_are_calibrated_by_draw() {
    let dataset = dataset(&hump(12_000, 7));
    let outcome = train_with_folds(&dataset, 4, &contest(2)).unwrap();
    assert_eq!(outcome.card.learner, "boosting");
    assert_eq!(outcome.card.candidates[0].windows.len(), 4);
    assert!(outcome.card.cutoffs.is_empty());
    let calibration = outcome.card.calibration.as_ref().unwrap();
    assert_eq!(calibration.log_loss.len(), 4, "every map was tried");
    let report = judge(&dataset, &contest(2), &outcome, None);
    assert_eq!(
        report.verdict(PromotionCheck::Stability),
        Some(Verdict::CannotTest)
    );
}

fn judge(
    dataset: &Dataset,
    plan: &TrainingPlan,
    outcome: &TrainingOutcome,
    champion: Option<Champion<'_>>,
) -> PromotionReport {
    let open = dataset.rows_open_on(as_of()).len();
    let request = PromotionRequest {
        limits: PromotionLimits::default(),
        threshold_of_artefact: THRESHOLD,
        threshold_measured: THRESHOLD,
        end: RankingEnd::Lowest,
        groups: vec![("sex".to_owned(), vec![])],
        eligible: open,
        scored: open,
        known_after_entry: vec![],
        moving: vec![],
        champion,
    };
    judge_training(dataset, plan, outcome, &request).unwrap()
}

/// A regression that serves: trained on some of the features, and on what was known that day.
fn served(batch: &RecordBatch, day: NaiveDate, features: usize) -> ScoringArtefact {
    let mut spec = spec();
    spec.features.truncate(features);
    let dataset = Dataset::from_batches(&[known_by(batch, day)], &spec).unwrap();
    let model = LogisticModel::fit_known_by(&dataset, day, &FitOptions::default()).unwrap();
    ScoringArtefact {
        model: Box::new(model),
        calibrator: Calibrator::Identity,
        threshold: THRESHOLD,
        interval: None,
    }
}

#[test]
fn the_model_in_use_is_beaten_only_on_rows_it_had_not_seen_and_by_more_than_noise() {
    let batch = two_years(20_000, 8).batch;
    let dataset = dataset(&batch);
    let plan = plan();
    let outcome = train_with_temporal_evaluation(&dataset, &plan).unwrap();
    let day = as_of().checked_sub_days(Days::new(150)).unwrap();
    let beats = |artefact: &ScoringArtefact, known_by: NaiveDate| {
        let champion = Champion { artefact, known_by };
        let report = judge(&dataset, &plan, &outcome, Some(champion));
        let gate = report
            .gates
            .iter()
            .find(|gate| gate.check == PromotionCheck::BeatsChampion);
        gate.unwrap().clone()
    };
    let weak = served(&batch, day, 2);
    let gate = beats(&weak, day);
    assert_eq!(gate.verdict, Verdict::Passed, "{}", gate.reason.en);
    // The same procedure given the same rows is the same model, and no better than itself.
    let same = served(&batch, day, 4);
    let gate = beats(&same, day);
    assert_eq!(gate.verdict, Verdict::Refused, "{}", gate.reason.en);
    assert_eq!(gate.figure.unwrap().value, 0.0);
    // One of long ago meets what has been learned since, on rows out of time for both.
    let long_ago = as_of().checked_sub_days(Days::new(400)).unwrap();
    let gate = beats(&served(&batch, long_ago, 4), long_ago);
    assert_ne!(gate.verdict, Verdict::CannotTest, "{}", gate.reason.en);
    assert_ne!(gate.figure.unwrap().value, 0.0);
    // Nothing is left that this one had not seen.
    let gate = beats(&weak, as_of());
    assert_eq!(gate.verdict, Verdict::CannotTest, "{}", gate.reason.en);

    let report = judge(&dataset, &plan, &outcome, None);
    let refusals: Vec<_> = report.refusals().map(|gate| &gate.reason.en).collect();
    assert!(report.promoted, "{refusals:?}");
    assert_eq!(
        report.verdict(PromotionCheck::BeatsChampion),
        Some(Verdict::CannotTest)
    );
    assert_eq!(
        report.verdict(PromotionCheck::Stability),
        Some(Verdict::Passed)
    );
}
