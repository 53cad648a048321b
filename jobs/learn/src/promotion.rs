//! Gates before a model replaces the one in use. Each is a typed result with its
//! figure, its limit and a sentence that says what was found; one refusal keeps the
//! model out.
//!
//! Calibration and drift have limits for many rows. Where a figure lies outside and
//! the rows are so few that its interval reaches the limits, or that chance alone
//! would put it there, the gate says that it cannot tell; the gates on the procedure (`gate.rs`) hold at any number of rows.

use serde::{Deserialize, Serialize};

use crate::calibration::{calibration_table, expected_calibration_error, recalibration};
use crate::drift::{
    FeatureDrift, FeatureSuspicion, decile_counts, ks, ks_by_chance, psi_by_chance, psi_of_counts,
    rank_correlation,
};
use crate::error::LearnError;
use crate::evaluation::{SUBGROUP_CLASS_ROWS, SUBGROUP_ROWS, check_input};
use crate::fairness::GroupFairness;
use crate::feature::Bilingual;
use crate::metrics::{Estimate, auc_difference, auc_with_interval, brier};

/// How a gate came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within its limit.
    Passed,
    /// Outside; the model is not promoted.
    Refused,
    /// There is too little to tell, or nothing to compare with; a person decides.
    CannotTest,
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionCheck {
    /// Enough rows of both outcomes.
    EnoughOutcomes,
    /// Ranks better than the model in use by more than noise.
    BeatsChampion,
    /// More accurate than the rate of the rows themselves.
    BeatsPrior,
    /// Calibration slope.
    CalibrationSlope,
    /// Expected calibration error.
    CalibrationError,
    /// AUC not above what is plausible.
    PlausibleAuc,
    /// No single feature nearly decides the outcome.
    SuspiciousFeature,
    /// No feature is dated after the entry it describes.
    PostOutcomeFeature,
    /// Distribution of the inputs.
    InputDrift,
    /// Distribution of the scores.
    ScoreDrift,
    /// Calibration within a group.
    GroupCalibration,
    /// Flags among a group's positives.
    TruePositiveRatio,
    /// Flags in a group.
    FlagRatio,
    /// Share of those eligible that get a score.
    Coverage,
    /// Ranking from one month's model to the next one's.
    Stability,
    /// How far scores move from the model in use.
    ScoreMovement,
    /// The threshold evaluated is the one of the artefact.
    Threshold,
}

impl PromotionCheck {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            PromotionCheck::EnoughOutcomes => "enough_outcomes",
            PromotionCheck::BeatsChampion => "beats_champion",
            PromotionCheck::BeatsPrior => "beats_prior",
            PromotionCheck::CalibrationSlope => "calibration_slope",
            PromotionCheck::CalibrationError => "calibration_error",
            PromotionCheck::PlausibleAuc => "plausible_auc",
            PromotionCheck::SuspiciousFeature => "suspicious_feature",
            PromotionCheck::PostOutcomeFeature => "post_outcome_feature",
            PromotionCheck::InputDrift => "input_drift",
            PromotionCheck::ScoreDrift => "score_drift",
            PromotionCheck::GroupCalibration => "group_calibration",
            PromotionCheck::TruePositiveRatio => "true_positive_ratio",
            PromotionCheck::FlagRatio => "flag_ratio",
            PromotionCheck::Coverage => "coverage",
            PromotionCheck::Stability => "stability",
            PromotionCheck::ScoreMovement => "score_movement",
            PromotionCheck::Threshold => "threshold",
        }
    }
}

impl Verdict {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Refused => "refused",
            Verdict::CannotTest => "cannot_test",
        }
    }
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionGate {
    /// What was looked at.
    pub check: PromotionCheck,
    /// The feature or group it is about, if it is about one.
    pub subject: Option<String>,
    /// The figure; with an interval where there is one.
    pub figure: Option<Estimate>,
    /// The least it may be.
    pub minimum: Option<f64>,
    /// The most it may be.
    pub maximum: Option<f64>,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub reason: Bilingual,
}

/// All gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionReport {
    /// The gates in the order they are asked.
    pub gates: Vec<PromotionGate>,
    /// None refused.
    pub promoted: bool,
}

/// Limits of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PromotionLimits {
    /// Rows of the rarer outcome at least.
    pub class_rows: usize,
    /// Calibration slope, least and most.
    pub slope: (f64, f64),
    /// Expected calibration error at most.
    pub calibration_error: f64,
    /// AUC at most.
    pub plausible_auc: f64,
    /// AUC of a single feature at most.
    pub single_feature_auc: f64,
    /// PSI of an input or of the scores at most.
    pub psi: f64,
    /// KS distance of an input or of the scores at most.
    pub ks: f64,
    /// Calibration slope within a group, least and most.
    pub group_slope: (f64, f64),
    /// Ratios between groups, least and most; a ratio is refused when its whole
    /// interval lies outside.
    pub group_ratio: (f64, f64),
    /// Share scored at least.
    pub coverage: f64,
    /// Rank correlation of consecutive models at least.
    pub rank_correlation: f64,
    /// Mean absolute change of a probability at most.
    pub score_movement: f64,
}

impl Default for PromotionLimits {
    fn default() -> Self {
        PromotionLimits {
            class_rows: 100,
            slope: (0.9, 1.1),
            calibration_error: 0.02,
            plausible_auc: 0.97,
            single_feature_auc: 0.9,
            psi: 0.25,
            ks: 0.2,
            group_slope: (0.85, 1.15),
            group_ratio: (0.8, 1.25),
            coverage: 0.95,
            rank_correlation: 0.8,
            score_movement: 0.1,
        }
    }
}

/// The model in use and the new one on rows whose outcome neither knew.
#[derive(Debug, Clone, Default)]
pub struct ChampionEvidence {
    /// Outcomes.
    pub labels: Vec<bool>,
    /// What the new procedure predicted.
    pub challenger: Vec<f64>,
    /// What the model in use predicted.
    pub champion: Vec<f64>,
}

/// Everything the gates are decided on.
#[derive(Debug, Clone, Default)]
pub struct PromotionEvidence {
    /// Outcomes out of time.
    pub labels: Vec<bool>,
    /// What the new model predicted for them.
    pub challenger: Vec<f64>,
    /// The model in use on rows it had not seen; `None` where there is no such model.
    pub champion: Option<ChampionEvidence>,
    /// What each feature alone tells ([`Dataset::suspicions`](crate::Dataset::suspicions)).
    pub suspicions: Vec<FeatureSuspicion>,
    /// Rows by feature whose value became known only after the entry.
    pub known_after_entry: Vec<(String, usize)>,
    /// Distance of the inputs of today ([`Dataset::drift`](crate::Dataset::drift)).
    pub input_drift: Vec<FeatureDrift>,
    /// The same of inputs that move by their nature, such as the state of the market: told, not
    /// judged.
    pub moving_inputs: Vec<FeatureDrift>,
    /// What the model as it will serve says of the rows it was judged on: scores of today are compared with the same
    /// model's, because models of earlier cut-offs have another floor.
    pub judged: Vec<f64>,
    /// The new model's scores of those to be scored today.
    pub current: Vec<f64>,
    /// What the model in use scores the same rows.
    pub champion_current: Option<Vec<f64>>,
    /// Fairness at the threshold ([`Dataset::fairness`](crate::Dataset::fairness)).
    pub fairness: Vec<GroupFairness>,
    /// Group columns and gates on them whose figures are told but not judged.
    pub told_only: Vec<(String, PromotionCheck)>,
    /// Those who should get a score today.
    pub eligible: usize,
    /// Those of them who get one.
    pub scored: usize,
    /// Scores of the same rows by the models of two consecutive cut-offs.
    pub consecutive: Option<(Vec<f64>, Vec<f64>)>,
    /// The threshold the artefact carries.
    pub threshold_of_artefact: f64,
    /// The threshold all of the above was measured at.
    pub threshold_measured: f64,
}

/// Decides all gates.
pub fn judge_promotion(
    evidence: &PromotionEvidence,
    limits: &PromotionLimits,
) -> Result<PromotionReport, LearnError> {
    check_input(
        "judge_promotion",
        &evidence.challenger,
        evidence.labels.len(),
    )?;
    if let Some(contest) = &evidence.champion {
        check_input("judge_promotion", &contest.champion, contest.labels.len())?;
        check_input("judge_promotion", &contest.challenger, contest.labels.len())?;
    }
    if let Some(champion) = &evidence.champion_current {
        check_input("judge_promotion", champion, evidence.current.len())?;
    }
    let mut gates = accuracy(evidence, limits);
    gates.extend(leakage(evidence, limits));
    gates.extend(drift(evidence, limits));
    for group in &evidence.fairness {
        gates.extend(fairness(group, limits, &evidence.told_only));
    }
    gates.extend(serving(evidence, limits));
    Ok(PromotionReport {
        promoted: gates.iter().all(|gate| gate.verdict != Verdict::Refused),
        gates,
    })
}

impl PromotionReport {
    /// How the first gate of a kind came out.
    pub fn verdict(&self, check: PromotionCheck) -> Option<Verdict> {
        let gate = self.gates.iter().find(|gate| gate.check == check);
        gate.map(|gate| gate.verdict)
    }

    /// The gates that refuse.
    pub fn refusals(&self) -> impl Iterator<Item = &PromotionGate> {
        self.gates
            .iter()
            .filter(|gate| gate.verdict == Verdict::Refused)
    }
}

fn accuracy(evidence: &PromotionEvidence, limits: &PromotionLimits) -> Vec<PromotionGate> {
    let (labels, challenger) = (&evidence.labels, &evidence.challenger);
    let positives = labels.iter().filter(|label| **label).count();
    let rarer = positives.min(labels.len() - positives);
    let rate = positives as f64 / labels.len().max(1) as f64;
    let below_prior = brier(&vec![rate; labels.len()], labels)
        .zip(brier(challenger, labels))
        .map(|(prior, own)| prior.value - own.value);
    let contest = evidence.champion.as_ref();
    let difference = contest
        .filter(|contest| is_enough(&contest.labels))
        .and_then(|contest| {
            auc_difference(&contest.challenger, &contest.champion, &contest.labels)
        });
    let fit = recalibration(challenger, labels);
    let table = calibration_table(challenger, labels, 10);
    let error = expected_calibration_error(&table, 200, 1);
    vec![
        Draft::new(
            PromotionCheck::EnoughOutcomes,
            "드문 결과의 평가 행 수",
            "evaluated rows of the rarer outcome",
        )
        .figure(Some(rarer as f64))
        .at_least(limits.class_rows as f64)
        .decide(),
        Draft::new(
            PromotionCheck::BeatsChampion,
            "사용 중인 모형과의 AUC 차이(95 % 하한)",
            "AUC above that of the model in use (lower end of the 95 % interval)",
        )
        .estimate(difference)
        .decided_on(difference.map(|difference| difference.lower))
        .above(0.0)
        .decide(),
        Draft::new(
            PromotionCheck::BeatsPrior,
            "평균율 대비 브라이어 점수 개선",
            "fall of the Brier score against the overall rate",
        )
        .figure(below_prior)
        .above(0.0)
        .decide(),
        Draft::new(
            PromotionCheck::CalibrationSlope,
            "보정 기울기",
            "calibration slope",
        )
        .estimate(fit.map(|fit| fit.slope))
        .between(limits.slope)
        .unless_chance(fit.is_some_and(|fit| {
            fit.slope.upper >= limits.slope.0 && fit.slope.lower <= limits.slope.1
        }))
        .must_exist()
        .decide(),
        Draft::new(
            PromotionCheck::CalibrationError,
            "기대 보정오차",
            "expected calibration error",
        )
        .estimate(error)
        .at_most(limits.calibration_error)
        .unless_chance(error.is_some_and(|error| error.lower <= limits.calibration_error))
        .must_exist()
        .decide(),
    ]
}

/// Rows that can tell two models apart.
pub(crate) fn is_enough(labels: &[bool]) -> bool {
    let positives = labels.iter().filter(|label| **label).count();
    labels.len() >= SUBGROUP_ROWS && positives.min(labels.len() - positives) >= SUBGROUP_CLASS_ROWS
}

fn leakage(evidence: &PromotionEvidence, limits: &PromotionLimits) -> Vec<PromotionGate> {
    let alone = |found: &&FeatureSuspicion| found.auc.max(found.missing_auc);
    let worst = evidence
        .suspicions
        .iter()
        .max_by(|left, right| alone(left).total_cmp(&alone(right)));
    let late = evidence
        .known_after_entry
        .iter()
        .max_by_key(|(_, rows)| *rows);
    vec![
        Draft::new(PromotionCheck::PlausibleAuc, "AUC", "AUC")
            .estimate(auc_with_interval(&evidence.challenger, &evidence.labels))
            .at_most(limits.plausible_auc)
            .decide(),
        Draft::new(
            PromotionCheck::SuspiciousFeature,
            "단일 변수의 AUC",
            "AUC of one feature alone",
        )
        .about(worst.map(|found| found.feature.clone()))
        .figure(worst.as_ref().map(alone))
        .at_most(limits.single_feature_auc)
        .decide(),
        Draft::new(
            PromotionCheck::PostOutcomeFeature,
            "진입 이후에야 알려진 값의 행 수",
            "rows with a value known only after the entry",
        )
        .about(
            late.filter(|(_, rows)| *rows > 0)
                .map(|(feature, _)| feature.clone()),
        )
        .figure(late.map(|(_, rows)| *rows as f64))
        .at_most(0.0)
        .decide(),
    ]
}

fn drift(evidence: &PromotionEvidence, limits: &PromotionLimits) -> Vec<PromotionGate> {
    let excess = |found: &FeatureDrift| (found.psi / limits.psi).max(found.ks / limits.ks);
    let worst_of = |inputs: &[FeatureDrift]| {
        let worst = inputs
            .iter()
            .max_by(|left, right| excess(left).total_cmp(&excess(right)));
        worst.cloned()
    };
    let worst = worst_of(&evidence.input_drift);
    let worst = worst.as_ref();
    let about = worst.map(|found| found.feature.clone());
    let (before, now) = (&evidence.judged, &evidence.current);
    let (counts_before, counts_now) = decile_counts(before, now);
    let compared = |figure: f64| (!now.is_empty()).then_some(figure);
    let gate = |check, ko: &str, en: &str, figure: Option<f64>, limit: f64, chance: f64| {
        Draft::new(check, ko, en)
            .figure(figure)
            .at_most(limit)
            .unless_chance(figure.is_some_and(|figure| figure <= chance))
    };
    let input = PromotionCheck::InputDrift;
    let score = PromotionCheck::ScoreDrift;
    let mut gates = vec![
        gate(
            input,
            "입력 변수의 PSI",
            "PSI of an input",
            worst.map(|found| found.psi),
            limits.psi,
            worst.map_or(0.0, |found| found.psi_by_chance),
        )
        .about(about.clone())
        .decide(),
        gate(
            input,
            "입력 변수의 KS 거리",
            "KS distance of an input",
            worst.map(|found| found.ks),
            limits.ks,
            worst.map_or(0.0, |found| found.ks_by_chance),
        )
        .about(about)
        .decide(),
        gate(
            score,
            "점수의 PSI",
            "PSI of the scores",
            compared(psi_of_counts(&counts_before, &counts_now)),
            limits.psi,
            psi_by_chance(&counts_before, &counts_now),
        )
        .decide(),
        gate(
            score,
            "점수의 KS 거리",
            "KS distance of the scores",
            compared(ks(before, now)),
            limits.ks,
            ks_by_chance(before.len() as f64, now.len() as f64),
        )
        .decide(),
    ];
    if let Some(moving) = worst_of(&evidence.moving_inputs) {
        let told = Draft::new(
            input,
            "본래 움직이는 입력 변수의 PSI",
            "PSI of an input that moves by its nature",
        );
        gates.push(
            told.about(Some(moving.feature))
                .figure(Some(moving.psi))
                .decide(),
        );
    }
    gates
}

fn fairness(
    group: &GroupFairness,
    limits: &PromotionLimits,
    told_only: &[(String, PromotionCheck)],
) -> Vec<PromotionGate> {
    let subject = format!("{}={}", group.column, group.value.as_deref().unwrap_or("–"));
    let slope = group.calibration.map(|fit| fit.slope);
    // The whole interval has to lie outside: a small group is not condemned by noise.
    let outside = |estimate: Option<Estimate>, (least, most): (f64, f64)| {
        estimate.map(|found| {
            if found.upper < least {
                found.upper
            } else if found.lower > most {
                found.lower
            } else {
                found.value.clamp(least, most)
            }
        })
    };
    let gate = |check, ko: &str, en: &str, estimate: Option<Estimate>, range| {
        let draft = Draft::new(check, ko, en)
            .about(Some(subject.clone()))
            .estimate(estimate);
        let judged = !told_only
            .iter()
            .any(|(column, told)| *column == group.column && *told == check);
        let draft = match judged {
            true => draft.decided_on(outside(estimate, range)).between(range),
            false => draft,
        };
        draft.decide()
    };
    vec![
        gate(
            PromotionCheck::GroupCalibration,
            "집단 내 보정 기울기",
            "calibration slope within the group",
            slope,
            limits.group_slope,
        ),
        gate(
            PromotionCheck::TruePositiveRatio,
            "집단의 참양성률 비",
            "ratio of true-positive rates",
            group.true_positive_ratio,
            limits.group_ratio,
        ),
        gate(
            PromotionCheck::FlagRatio,
            "집단의 선정률 비",
            "ratio of flag rates",
            group.flag_ratio,
            limits.group_ratio,
        ),
    ]
}

fn serving(evidence: &PromotionEvidence, limits: &PromotionLimits) -> Vec<PromotionGate> {
    let coverage =
        (evidence.eligible > 0).then(|| evidence.scored as f64 / evidence.eligible as f64);
    let stability = evidence
        .consecutive
        .as_ref()
        .filter(|(first, second)| first.len() == second.len())
        .and_then(|(first, second)| rank_correlation(first, second));
    let in_use = evidence.champion_current.as_ref();
    let movement = in_use.filter(|scores| !scores.is_empty()).map(|scores| {
        let moved = scores
            .iter()
            .zip(&evidence.current)
            .map(|(old, new)| (new - old).abs());
        moved.sum::<f64>() / scores.len() as f64
    });
    vec![
        Draft::new(
            PromotionCheck::Coverage,
            "점수를 받는 대상의 비율",
            "share of those eligible who get a score",
        )
        .figure(coverage)
        .at_least(limits.coverage)
        .decide(),
        Draft::new(
            PromotionCheck::Stability,
            "연속한 두 모형의 순위상관",
            "rank correlation of two consecutive models",
        )
        .figure(stability)
        .at_least(limits.rank_correlation)
        .decide(),
        Draft::new(
            PromotionCheck::ScoreMovement,
            "사용 중인 모형 대비 평균 점수 변화",
            "mean change of a score from the model in use",
        )
        .figure(movement)
        .at_most(limits.score_movement)
        .decide(),
        Draft::new(
            PromotionCheck::Threshold,
            "평가한 임계값과 산출물 임계값의 차이",
            "distance of the threshold measured at from the artefact's",
        )
        .figure(Some(
            (evidence.threshold_measured - evidence.threshold_of_artefact).abs(),
        ))
        .at_most(0.0)
        .decide(),
    ]
}

/// A gate before its verdict.
struct Draft {
    gate: PromotionGate,
    what: Bilingual,
    /// The number held against the limits, where it is not the figure itself.
    decided_on: Option<f64>,
    strict: bool,
    must_exist: bool,
    /// Chance alone explains a figure outside the limits.
    chance: bool,
}

impl Draft {
    fn new(check: PromotionCheck, ko: &str, en: &str) -> Self {
        Draft {
            gate: PromotionGate {
                check,
                subject: None,
                figure: None,
                minimum: None,
                maximum: None,
                verdict: Verdict::CannotTest,
                reason: Bilingual::default(),
            },
            what: Bilingual::new(ko, en),
            decided_on: None,
            strict: false,
            must_exist: false,
            chance: false,
        }
    }

    fn about(mut self, subject: Option<String>) -> Self {
        self.gate.subject = subject;
        self
    }

    fn figure(self, figure: Option<f64>) -> Self {
        self.estimate(figure.map(|value| Estimate {
            value,
            lower: value,
            upper: value,
        }))
    }

    fn estimate(mut self, figure: Option<Estimate>) -> Self {
        self.gate.figure = figure;
        self.decided_on = figure.map(|figure| figure.value);
        self
    }

    fn decided_on(mut self, number: Option<f64>) -> Self {
        self.decided_on = number;
        self
    }

    fn at_least(mut self, minimum: f64) -> Self {
        self.gate.minimum = Some(minimum);
        self
    }

    fn above(mut self, minimum: f64) -> Self {
        self.strict = true;
        self.at_least(minimum)
    }

    fn at_most(mut self, maximum: f64) -> Self {
        self.gate.maximum = Some(maximum);
        self
    }

    fn between(self, (minimum, maximum): (f64, f64)) -> Self {
        self.at_least(minimum).at_most(maximum)
    }

    /// A figure that does not exist refuses.
    fn must_exist(mut self) -> Self {
        self.must_exist = true;
        self
    }

    /// A figure outside its limits that chance explains is not told from one inside.
    fn unless_chance(mut self, chance: bool) -> Self {
        self.chance = chance;
        self
    }

    fn decide(self) -> PromotionGate {
        let mut gate = self.gate;
        gate.verdict = match self.decided_on {
            None if self.must_exist => Verdict::Refused,
            None => Verdict::CannotTest,
            Some(number) => {
                let enough = gate.minimum.is_none_or(|least| {
                    if self.strict {
                        number > least
                    } else {
                        number >= least
                    }
                });
                if enough && gate.maximum.is_none_or(|most| number <= most) {
                    Verdict::Passed
                } else if self.chance {
                    Verdict::CannotTest
                } else {
                    Verdict::Refused
                }
            }
        };
        let subject = gate
            .subject
            .as_ref()
            .map(|name| format!("{name}: "))
            .unwrap_or_default();
        let figure = gate.figure.map(|found| {
            if found.lower == found.upper {
                format!("{:.4}", found.value)
            } else {
                format!(
                    "{:.4} ({:.4} – {:.4})",
                    found.value, found.lower, found.upper
                )
            }
        });
        let limit = match (gate.minimum, gate.maximum) {
            (Some(least), Some(most)) => format!("{least} – {most}"),
            (Some(least), None) if self.strict => format!("> {least}"),
            (Some(least), None) => format!("≥ {least}"),
            (None, Some(most)) => format!("≤ {most}"),
            (None, None) => String::new(),
        };
        let few = gate.verdict == Verdict::CannotTest && figure.is_some();
        let sentence = |what: &str, [none, wanted, unjudged, chance]: [&str; 4]| {
            let wanted = match limit.is_empty() {
                true => unjudged.to_owned(),
                false => format!("{wanted} {limit}"),
            };
            let found = match &figure {
                Some(figure) => format!("{subject}{what} {figure}, {wanted}"),
                None => format!("{subject}{what}: {none}, {wanted}"),
            };
            match few {
                true => format!("{found}; {chance}"),
                false => found,
            }
        };
        gate.reason = Bilingual::new(
            sentence(
                &self.what.ko,
                [
                    "검정할 수 없음",
                    "기준",
                    "기준 없음",
                    "행이 적어 우연과 구별할 수 없음",
                ],
            ),
            sentence(
                &self.what.en,
                [
                    "cannot test",
                    "wanted",
                    "told without a limit",
                    "too few rows to tell it from chance",
                ],
            ),
        );
        gate
    }
}
