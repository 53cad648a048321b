//! A made-up version of a model with a gate nobody has heard of, a group too small to test and one too small to show.

use std::collections::BTreeMap;

use goyong_site::{
    Bilingual, CalibrationGroup, Interval, ModelCandidate, ModelDecisionLine, ModelFeature,
    ModelGate, ModelGroup, ModelMetric, ModelStanding, ModelVersionPage, ModelWindow,
    RealisedMonth, TrainedTable,
};

use super::{HOSTILE, day};

fn around(value: f64) -> Interval {
    Interval {
        value,
        lower: value - 0.01,
        upper: value + 0.01,
    }
}

fn gate(name: &str, subject: &str, verdict: &str) -> ModelGate {
    ModelGate {
        gate: name.into(),
        subject: subject.into(),
        text: Bilingual::new(format!("{name} 설명"), format!("{name} in words")),
        figure: Some(0.031),
        lower: Some(0.021),
        upper: None,
        minimum: None,
        maximum: Some(0.2),
        verdict: verdict.into(),
    }
}

fn group(name: &str, rows: u64, verdict: &str) -> ModelGroup {
    ModelGroup {
        attribute: "sex".into(),
        title: Bilingual::new("성별", "sex"),
        group: name.into(),
        rows,
        predicted: 0.53,
        observed: around(0.52),
        auc: (verdict != "cannot_test").then_some(0.741),
        slope: (verdict != "cannot_test").then_some(1.02),
        difference: (verdict == "higher").then(|| around(0.04)),
        verdict: verdict.into(),
    }
}

/// One in use, trained on data of which the page of the report knows nothing.
pub fn version() -> ModelVersionPage {
    ModelVersionPage {
        model: "employment_success".into(),
        version: "2025-12-31.1".into(),
        standing: ModelStanding::Serves,
        target: Bilingual::new("취업할 확률", "Probability of a job"),
        population: Bilingual::new("구직등록자", "Registered seekers"),
        intended_use: Bilingual::new("상담 순서", "Order of counselling"),
        limits: vec![Bilingual::same(HOSTILE)],
        decisions: vec![ModelDecisionLine {
            act: "promote".into(),
            account: "gates".into(),
            reason: "every gate passed".into(),
            decided_on: "2025-12-31".into(),
        }],
        as_of: day(2025, 12, 31),
        release_before: Some("2025-11-30.1".into()),
        tables: vec![TrainedTable {
            name: "features.employment_success".into(),
            version: 7,
            content_hash: "a87ff679a2f3e71d".into(),
            rows: 41_230,
        }],
        learner: "boosting".into(),
        training_rows: 41_230,
        trained_on: Some([day(2024, 1, 2), day(2025, 6, 30)]),
        evaluation_rows: 20_114,
        evaluated_on: [day(2025, 1, 1), day(2025, 6, 30)],
        threshold: 0.3125,
        capacity: Bilingual::new("확률이 낮은 20%", "the 20 % with the lowest probability"),
        artefact_sha256: "9f86d081884c7d659a2feaa0c55ad015".into(),
        code_version: "0.1.0 train_models/1".into(),
        unused_features: vec!["in_training".into()],
        metrics: vec![
            ModelMetric {
                name: "auc".into(),
                title: Bilingual::same("AUC"),
                model: around(0.741),
                baseline: Some(0.62),
                better: "larger".into(),
            },
            ModelMetric {
                name: "calibration_error".into(),
                title: Bilingual::same("ECE"),
                model: around(0.012),
                baseline: None,
                better: "smaller".into(),
            },
        ],
        windows: vec![ModelWindow {
            from: day(2025, 5, 1),
            rows: 9_000,
            predicted: 0.5,
            observed: 0.51,
            auc: Some(0.74),
            baseline_auc: Some(0.61),
            calibration_error: 0.011,
        }],
        candidates: vec![ModelCandidate {
            learner: "boosting".into(),
            window: "2025-04-30".into(),
            log_loss: 0.61,
            regret: 0.0,
            auc: Some(0.74),
            calibrator: "identity".into(),
            is_chosen: true,
        }],
        gates: vec![
            gate("calibration_error", "", "passed"),
            gate("input_drift", "age", "cannot_test"),
            gate("a_gate_of_tomorrow", "", "passed"),
        ],
        calibration: (0..10)
            .map(|bin| CalibrationGroup {
                predicted: 0.05 + 0.1 * f64::from(bin),
                observed: around(0.06 + 0.098 * f64::from(bin)),
                rows: 2_000,
            })
            .collect(),
        features: vec![ModelFeature {
            name: "idle_days".into(),
            title: Bilingual::new("쉰 날", "days without work"),
            kind: "number".into(),
            legal_basis: "고용보험법 제15조".into(),
            coverage: Some(0.973),
            influence: Some(0.31),
        }],
        coverage_of: Some("features.employment_success, 2025-12-31.1".into()),
        groups: vec![
            group("m", 9_000, "reference"),
            group("f", 8_000, "higher"),
            group("unknown", 120, "cannot_test"),
            group("other", 3, "cannot_test"),
        ],
        realised: vec![
            RealisedMonth {
                basis: "frozen".into(),
                month: day(2025, 3, 1),
                cut: "all".into(),
                value: "all".into(),
                rows: 3_211,
                predicted: 0.5,
                strict: 0.4,
                loose: 0.6,
                ratio: Some(0.8),
                is_alarm: true,
            },
            RealisedMonth {
                basis: "frozen".into(),
                month: day(2025, 3, 1),
                cut: "decile".into(),
                value: "04".into(),
                rows: 321,
                predicted: 0.5,
                strict: 0.4,
                loose: 0.6,
                ratio: Some(0.8),
                is_alarm: true,
            },
        ],
    }
}

/// The one in use, and one without anything that can be left out.
pub fn versions() -> Vec<ModelVersionPage> {
    let refused = ModelVersionPage {
        version: "2025-11-30-refused".into(),
        standing: ModelStanding::Refused,
        learner: "a_learner_of_tomorrow".into(),
        decisions: Vec::new(),
        release_before: None,
        trained_on: None,
        unused_features: Vec::new(),
        windows: Vec::new(),
        candidates: Vec::new(),
        gates: vec![gate("calibration_error", "", "refused")],
        features: Vec::new(),
        coverage_of: None,
        groups: Vec::new(),
        realised: Vec::new(),
        ..version()
    };
    vec![version(), refused]
}

/// What a page must say, by language.
pub fn said() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        (
            "en",
            vec![
                "In use",
                "Probability of a job",
                "Registered seekers",
                "It decides no payment",
                "2024-01-02 – 2025-06-30",
                "41,230 rows",
                "2025-11-30.1",
                "0.3125",
                "the 20 % with the lowest probability",
                "Boosted trees",
                "the gates (automatic)",
                "every gate passed",
                "a87ff679a2f3e71d",
                "0.731",
                "a_gate_of_tomorrow in words",
                "cannot test",
                "Drift of inputs",
                "days without work",
                "97.3",
                "고용보험법 제15조",
                "compared with",
                "Realised / predicted",
                "alarm",
                "Deciles and groups that raise an alarm",
            ],
        ),
        (
            "ko",
            vec![
                "쓰는 중",
                "취업할 확률",
                "판정할 수 없음",
                "a_gate_of_tomorrow 설명",
                "쉰 날",
                "입력의 변화",
                "경보를 낸 십분위와 집단",
            ],
        ),
    ])
}
