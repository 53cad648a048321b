//! Models spoilt on purpose: each has to be refused by the gate made for it.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;

use super::*;
use crate::{
    BoostOptions, BoostedModel, Calibrator, ChampionEvidence, Dataset, FitOptions, LogisticModel,
    ProbabilityInterval, PromotionCheck, PromotionEvidence, PromotionLimits, PromotionReport,
    RankingEnd, ScoringArtefact, judge_promotion,
};

const THRESHOLD: f64 = 0.5;

fn options() -> BoostOptions {
    BoostOptions {
        trees: 60,
        leaves: 8,
        minimum_child_rows: 100,
        learning_rate: 0.1,
        ..BoostOptions::default()
    }
}

/// A champion that knows less, an honest challenger, and what is known of both on
/// rows that came later than those trained on.
fn honest() -> PromotionEvidence {
    evidence(&invented(30_000, 900, 3).batch, |_| {})
}

fn evidence(batch: &RecordBatch, spoil: impl Fn(&mut DatasetSpec)) -> PromotionEvidence {
    let mut spec = spec();
    spoil(&mut spec);
    let dataset = Dataset::from_batches(std::slice::from_ref(batch), &spec).unwrap();
    let weak = DatasetSpec {
        features: super::spec().features[..3].to_vec(),
        ..super::spec()
    };
    let weak = Dataset::from_batches(std::slice::from_ref(batch), &weak).unwrap();
    let rows: Vec<u32> = (0..dataset.len() as u32).collect();
    let (training, later) = rows.split_at(rows.len() * 2 / 3);
    let (earlier, _) = training.split_at(training.len() * 9 / 10);
    let challenger = BoostedModel::fit_rows(&dataset, training, &options()).unwrap();
    let before = BoostedModel::fit_rows(&dataset, earlier, &options()).unwrap();
    let champion = BoostedModel::fit_rows(&weak, training, &options()).unwrap();
    let predicted = challenger.predict_rows(&dataset, later).unwrap();
    let labels = dataset.labels_of(later);
    let in_use = champion.predict_rows(&weak, later).unwrap();
    PromotionEvidence {
        champion: Some(ChampionEvidence {
            labels: labels.clone(),
            challenger: predicted.clone(),
            champion: in_use.clone(),
        }),
        suspicions: dataset.suspicions(training),
        known_after_entry: vec![("age".into(), 0)],
        input_drift: dataset.drift(training, later),
        judged: predicted.clone(),
        current: predicted.clone(),
        champion_current: Some(in_use),
        fairness: dataset
            .fairness(
                "sex",
                later,
                &predicted,
                &labels,
                THRESHOLD,
                RankingEnd::Highest,
            )
            .unwrap(),
        moving_inputs: Vec::new(),
        told_only: Vec::new(),
        eligible: later.len(),
        scored: later.len(),
        consecutive: Some((
            before.predict_rows(&dataset, later).unwrap(),
            predicted.clone(),
        )),
        threshold_of_artefact: THRESHOLD,
        threshold_measured: THRESHOLD,
        challenger: predicted,
        labels,
    }
}

fn judge(evidence: &PromotionEvidence) -> PromotionReport {
    judge_promotion(evidence, &PromotionLimits::default()).unwrap()
}

/// Refused, by that gate, with a reason that holds some words.
fn assert_refused(evidence: &PromotionEvidence, check: PromotionCheck, words: &str) {
    let report = judge(evidence);
    assert!(!report.promoted);
    let found = report.refusals().find(|gate| gate.check == check);
    let gate = found.unwrap_or_else(|| panic!("{check:?} let it pass: {:#?}", report.gates));
    assert!(gate.reason.en.contains(words), "{}", gate.reason.en);
    assert!(!gate.reason.ko.is_empty());
}

#[test]
fn an_honest_better_model_is_promoted() {
    let report = judge(&honest());
    let refusals: Vec<_> = report
        .refusals()
        .map(|gate| gate.reason.en.clone())
        .collect();
    assert!(report.promoted, "{refusals:#?}");
    assert!(
        report.gates.iter().all(|gate| gate.figure.is_some()),
        "{report:#?}"
    );
}

#[test]
fn a_feature_written_after_the_outcome_is_refused_by_name() {
    let invented = invented(30_000, 900, 3);
    let label = invented.batch.column_by_name("acquired").unwrap();
    let label = crate::column::booleans("acquired", label).unwrap();
    // A closing code that only those who found work have, with a few slips.
    let closed: StringArray = label
        .values()
        .iter()
        .enumerate()
        .map(|(row, label)| (label != (row % 50 == 0)).then_some("E1"))
        .collect();
    let batch = with_column(&invented.batch, "closing_code", Arc::new(closed));
    let mut spoilt = evidence(&batch, |spec| {
        spec.features.push(FeatureSpec::categorical(
            "closing_code",
            "종결코드",
            "closing code",
        ));
    });
    assert_refused(
        &spoilt,
        PromotionCheck::SuspiciousFeature,
        "closing_code: AUC of one feature",
    );
    assert_refused(&spoilt, PromotionCheck::PlausibleAuc, "AUC 0.9");
    spoilt
        .known_after_entry
        .push(("closing_code".into(), 9_000));
    assert_refused(
        &spoilt,
        PromotionCheck::PostOutcomeFeature,
        "closing_code: rows with a value",
    );
}

#[test]
fn a_model_of_shuffled_labels_is_refused() {
    let mut spoilt = honest();
    // The outcomes of other people: every label moves seven rows on.
    spoilt.labels.rotate_right(7);
    spoilt.champion.as_mut().unwrap().labels.rotate_right(7);
    assert_refused(
        &spoilt,
        PromotionCheck::BeatsChampion,
        "AUC above that of the model in use",
    );
    assert_refused(&spoilt, PromotionCheck::BeatsPrior, "Brier");
    assert_refused(
        &spoilt,
        PromotionCheck::CalibrationSlope,
        "calibration slope",
    );
}

#[test]
fn drifted_inputs_are_refused_by_name() {
    let invented = invented(30_000, 900, 3);
    let spec = spec();
    let dataset = Dataset::from_batches(&[invented.batch], &spec).unwrap();
    let rows: Vec<u32> = (0..dataset.len() as u32).collect();
    // Today only the long experienced come.
    let months = spec
        .features
        .iter()
        .position(|feature| feature.name == "career_months")
        .unwrap();
    let crate::column::ColumnData::Numbers(values) = &dataset.features[months] else {
        panic!("numbers expected")
    };
    let now: Vec<u32> = rows
        .iter()
        .copied()
        .filter(|row| values[*row as usize] > 150.0)
        .collect();
    let mut spoilt = honest();
    spoilt.input_drift = dataset.drift(&rows, &now);
    assert_refused(
        &spoilt,
        PromotionCheck::InputDrift,
        "career_months: PSI of an input",
    );
    let mut moved = honest();
    moved
        .current
        .iter_mut()
        .for_each(|score| *score = score.sqrt());
    assert_refused(&moved, PromotionCheck::ScoreDrift, "of the scores");
}

#[test]
fn rows_of_one_entity_are_no_evidence_of_drift_each() {
    let invented = invented(6_000, 900, 5);
    let repeated = Int64Array::from_iter_values((0..6_000).map(|row| row % 1_000));
    let batch = with_column(&invented.batch, "person_key", Arc::new(repeated));
    let drift = |batch: &RecordBatch| {
        let dataset = Dataset::from_batches(std::slice::from_ref(batch), &spec()).unwrap();
        dataset.drift(
            &(0..3_000).collect::<Vec<_>>(),
            &(3_000..6_000).collect::<Vec<_>>(),
        )
    };
    for (once, thrice) in drift(&invented.batch).iter().zip(drift(&batch)) {
        // Three rows of each person on both sides.
        assert!(
            (thrice.psi_by_chance / once.psi_by_chance - 3.0).abs() < 1e-9,
            "{thrice:?}"
        );
        assert!(
            (thrice.ks_by_chance / once.ks_by_chance).powi(2) > 2.0,
            "{thrice:?}"
        );
    }
    // One person on most days of each side is worth little more than one row, whatever the others are.
    let entered = invented.batch.column_by_name(&spec().entered_on).unwrap();
    let entered = entered.as_primitive::<Date32Type>().values();
    let mut seen = HashSet::new();
    let one = Int64Array::from_iter_values((0..6_000_i64).map(|row| {
        let side = row / 3_000;
        match seen.insert((side, entered[row as usize])) {
            true => -1 - side,
            false => row,
        }
    }));
    let batch = with_column(&invented.batch, "person_key", Arc::new(one));
    for (once, one) in drift(&invented.batch).iter().zip(drift(&batch)) {
        assert!(one.psi_by_chance / once.psi_by_chance > 50.0, "{one:?}");
    }
}

#[test]
fn a_worse_model_is_refused() {
    let mut spoilt = honest();
    let contest = spoilt.champion.as_mut().unwrap();
    std::mem::swap(&mut contest.challenger, &mut contest.champion);
    spoilt.challenger.clone_from(&contest.challenger);
    assert_refused(&spoilt, PromotionCheck::BeatsChampion, "wanted > 0");
    // The same model again is no better than itself.
    let mut same = honest();
    let contest = same.champion.as_mut().unwrap();
    contest.champion.clone_from(&contest.challenger);
    assert_refused(&same, PromotionCheck::BeatsChampion, "0.0000");
}

#[test]
fn a_better_but_miscalibrated_model_is_refused() {
    let mut spoilt = honest();
    let extreme = Calibrator::Platt {
        intercept: 0.0,
        slope: 2.5,
    };
    spoilt
        .challenger
        .iter_mut()
        .for_each(|score| *score = extreme.apply(*score));
    spoilt.current.clone_from(&spoilt.challenger);
    let contest = spoilt.champion.as_mut().unwrap();
    contest.challenger.clone_from(&spoilt.challenger);
    let report = judge(&spoilt);
    let better = report
        .gates
        .iter()
        .find(|gate| gate.check == PromotionCheck::BeatsChampion);
    assert_eq!(better.unwrap().verdict, crate::Verdict::Passed);
    assert_refused(
        &spoilt,
        PromotionCheck::CalibrationSlope,
        "wanted 0.9 – 1.1",
    );
    assert_refused(
        &spoilt,
        PromotionCheck::CalibrationError,
        "expected calibration error",
    );
}

#[test]
fn a_biased_model_is_refused_with_the_group_and_a_small_group_cannot_be_tested() {
    let invented = invented(30_000, 900, 3);
    let dataset = Dataset::from_batches(&[invented.batch], &spec()).unwrap();
    let rows: Vec<u32> = (0..dataset.len() as u32).collect();
    let model = BoostedModel::fit_rows(&dataset, &rows, &options()).unwrap();
    let mut predicted = model.predict_rows(&dataset, &rows).unwrap();
    let labels = dataset.labels_of(&rows);
    let (_, crate::column::ColumnData::Categories { codes, names, .. }) =
        dataset.group("sex").unwrap()
    else {
        panic!("a group expected")
    };
    let women = names.iter().position(|name| name == "f").unwrap() as u32;
    for (row, score) in predicted.iter_mut().enumerate() {
        if codes[row] == women {
            *score = Calibrator::Platt {
                intercept: -0.8,
                slope: 0.7,
            }
            .apply(*score);
        }
    }
    let mut spoilt = honest();
    spoilt.fairness = dataset
        .fairness(
            "sex",
            &rows,
            &predicted,
            &labels,
            THRESHOLD,
            RankingEnd::Highest,
        )
        .unwrap();
    assert_refused(
        &spoilt,
        PromotionCheck::FlagRatio,
        "sex=f: ratio of flag rates",
    );
    assert_refused(
        &spoilt,
        PromotionCheck::TruePositiveRatio,
        "sex=f: ratio of true-positive",
    );
    assert_refused(
        &spoilt,
        PromotionCheck::GroupCalibration,
        "sex=f: calibration slope",
    );

    let few = &rows[..300];
    let fairness = dataset.fairness(
        "sex",
        few,
        &predicted[..300],
        &labels[..300],
        THRESHOLD,
        RankingEnd::Highest,
    );
    let mut small = honest();
    small.fairness = fairness.unwrap();
    let report = judge(&small);
    let untested: Vec<_> = report
        .gates
        .iter()
        .filter(|gate| gate.check == PromotionCheck::FlagRatio)
        .collect();
    assert_eq!(untested.len(), 2);
    for gate in untested {
        assert_eq!(gate.verdict, crate::Verdict::CannotTest);
        assert!(gate.reason.en.contains("cannot test"), "{}", gate.reason.en);
    }
}

#[test]
fn missing_coverage_an_unstable_ranking_and_leaping_scores_are_refused() {
    let mut thin = honest();
    thin.eligible *= 2;
    assert_refused(&thin, PromotionCheck::Coverage, "0.5000");
    let mut unstable = honest();
    if let Some((first, _)) = &mut unstable.consecutive {
        first.rotate_left(11);
    }
    assert_refused(&unstable, PromotionCheck::Stability, "rank correlation");
    let mut leaping = honest();
    let champion = leaping.champion_current.as_mut().unwrap();
    champion.iter_mut().for_each(|score| *score = 1.0 - *score);
    assert_refused(
        &leaping,
        PromotionCheck::ScoreMovement,
        "mean change of a score",
    );
}

#[test]
fn few_rows_are_no_verdict_on_calibration_or_drift_and_a_told_figure_none_on_fairness() {
    // The honest model, seen on 150 of its rows: whatever lies outside is luck.
    let mut few = honest();
    few.labels.truncate(150);
    few.challenger.truncate(150);
    few.judged.truncate(150);
    few.current.truncate(60);
    few.champion_current = None;
    if let Some(contest) = &mut few.champion {
        contest.labels.truncate(150);
        contest.challenger.truncate(150);
        contest.champion.truncate(150);
    }
    few.input_drift = vec![crate::FeatureDrift {
        feature: "occupation".to_owned(),
        psi: 0.3,
        ks: 0.1,
        psi_by_chance: 0.4,
        ks_by_chance: 0.2,
    }];
    let report = judge(&few);
    let verdict = |check| report.verdict(check).unwrap();
    for check in [
        PromotionCheck::CalibrationError,
        PromotionCheck::InputDrift,
        PromotionCheck::BeatsChampion,
        PromotionCheck::ScoreMovement,
    ] {
        assert_eq!(verdict(check), crate::Verdict::CannotTest, "{check:?}");
    }
    let gate = |check| {
        report
            .gates
            .iter()
            .find(|gate| gate.check == check)
            .unwrap()
    };
    let reason = &gate(PromotionCheck::InputDrift).reason;
    assert!(reason.en.contains("too few rows to tell"), "{}", reason.en);

    // Drift of what moves by its nature is told.
    let mut market = honest();
    market.moving_inputs = vec![crate::FeatureDrift {
        feature: "tightness".to_owned(),
        psi: 2.0,
        ks: 0.9,
        psi_by_chance: 0.0,
        ks_by_chance: 0.0,
    }];
    let report = judge(&market);
    assert!(report.promoted);
    let told = report
        .gates
        .iter()
        .filter(|gate| gate.subject.as_deref() == Some("tightness"));
    assert_eq!(told.count(), 1);

    // A figure that is told without a limit refuses nothing.
    let mut told = honest();
    let ratio = crate::Estimate {
        value: 3.0,
        lower: 2.8,
        upper: 3.2,
    };
    told.fairness[0].flag_ratio = Some(ratio);
    assert_refused(&told, PromotionCheck::FlagRatio, "ratio of flag rates");
    told.told_only = vec![("sex".to_owned(), PromotionCheck::FlagRatio)];
    let report = judge(&told);
    assert!(report.promoted);
    let mut gates = report.gates.iter();
    let gate = gates.find(|gate| gate.check == PromotionCheck::FlagRatio);
    assert!(gate.unwrap().reason.en.contains("told without a limit"));
}

#[test]
fn a_changed_threshold_is_refused_when_judged_when_served_and_when_read() {
    let mut spoilt = honest();
    spoilt.threshold_measured = 0.3;
    assert_refused(
        &spoilt,
        PromotionCheck::Threshold,
        "distance of the threshold",
    );

    let invented = invented(3_000, 300, 1);
    let dataset = Dataset::from_batches(std::slice::from_ref(&invented.batch), &spec()).unwrap();
    let clusters: Vec<u64> = (0..100).collect();
    let artefact = ScoringArtefact {
        model: Box::new(BoostedModel::fit(&dataset, &options()).unwrap()),
        calibrator: Calibrator::Platt {
            intercept: 0.1,
            slope: 0.9,
        },
        threshold: THRESHOLD,
        interval: ProbabilityInterval::measure(&[0.5; 100], &[true; 100], &clusters),
    };
    let flagged = artefact.flag(&invented.batch, THRESHOLD).unwrap();
    let expected = artefact.predict(&invented.batch).unwrap();
    assert!(
        flagged
            .iter()
            .zip(expected)
            .all(|(flag, score)| *flag == (score >= THRESHOLD))
    );
    let error = artefact.flag(&invented.batch, 0.3).unwrap_err().to_string();
    assert!(
        error.contains("judged at threshold 0.5, not 0.3"),
        "{error}"
    );

    let bytes = artefact.to_bytes().unwrap();
    let again = ScoringArtefact::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    let text = String::from_utf8(bytes).unwrap();
    for (judged, claimed) in [
        ("\"threshold\":0.5", "\"threshold\":0.3"),
        ("\"predicted\":[0.5]", "\"predicted\":[0.4]"),
    ] {
        let moved = text.replacen(judged, claimed, 1);
        assert_ne!(moved, text);
        let error = ScoringArtefact::from_bytes(moved.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains("changed after it was judged"), "{error}");
    }
}

#[test]
fn an_artefact_from_before_intervals_is_read_and_has_none() {
    let invented = invented(500, 50, 1);
    let dataset = Dataset::from_batches(std::slice::from_ref(&invented.batch), &spec()).unwrap();
    let artefact = ScoringArtefact {
        model: Box::new(LogisticModel::fit(&dataset, &FitOptions::default()).unwrap()),
        calibrator: Calibrator::Identity,
        threshold: THRESHOLD,
        interval: None,
    };
    let bytes = artefact.to_bytes().unwrap();
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap();
    assert!(!String::from_utf8_lossy(head).contains("interval"));
    assert_eq!(ScoringArtefact::from_bytes(&bytes).unwrap().interval, None);
}
