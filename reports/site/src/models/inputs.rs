//! What a model's page is made from. Plain values; the night fills them from the registry.

use chrono::NaiveDate;

use crate::language::Bilingual;

/// A version of a model with everything that was registered about it. Counts pass disclosure control like any other.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersionPage {
    /// The declared model: `employment_success`.
    pub model: String,
    /// The version; part of the page's address.
    pub version: String,
    /// Whether it serves, served, passed, or was refused.
    pub standing: ModelStanding,
    /// What it predicts.
    pub target: Bilingual,
    /// Who or what is scored.
    pub population: Bilingual,
    /// What it is for, and what not.
    pub intended_use: Bilingual,
    /// What is not known about it.
    pub limits: Vec<Bilingual>,
    /// Who let it serve or took it out, in order.
    pub decisions: Vec<ModelDecisionLine>,
    /// Nothing known after this day was used.
    pub as_of: NaiveDate,
    /// The release readers saw when it was trained.
    pub release_before: Option<String>,
    /// Tables it was trained on.
    pub tables: Vec<TrainedTable>,
    /// The learner in words of its own: `logistic`, `boosting`.
    pub learner: String,
    /// Rows it was trained on, and the first and last day on which they entered.
    pub training_rows: u64,
    /// First and last entry trained on.
    pub trained_on: Option<[NaiveDate; 2]>,
    /// Rows judged, each entered later than what its model was trained on.
    pub evaluation_rows: u64,
    /// First and last entry judged.
    pub evaluated_on: [NaiveDate; 2],
    /// The probability at which a score is acted upon.
    pub threshold: f64,
    /// For whom there is room, in words.
    pub capacity: Bilingual,
    /// Digest of the bytes that predict.
    pub artefact_sha256: String,
    /// Program and procedure.
    pub code_version: String,
    /// Features that were left out because they do not vary.
    pub unused_features: Vec<String>,
    /// Figures of quality.
    pub metrics: Vec<ModelMetric>,
    /// Month by month, or cut-off by cut-off.
    pub windows: Vec<ModelWindow>,
    /// Learners that competed.
    pub candidates: Vec<ModelCandidate>,
    /// Gates, whatever they are, in the order they were asked.
    pub gates: Vec<ModelGate>,
    /// Predicted against observed.
    pub calibration: Vec<CalibrationGroup>,
    /// What it sees.
    pub features: Vec<ModelFeature>,
    /// Where the coverage of features was counted.
    pub coverage_of: Option<String>,
    /// Results by group.
    pub groups: Vec<ModelGroup>,
    /// Frozen scores and out-of-time ones beside what happened, of the model whichever version served.
    pub realised: Vec<RealisedMonth>,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStanding {
    /// Its scores are the ones in use.
    Serves,
    /// Its scores were in use.
    Served,
    /// It scores beside the version in use, which it may replace.
    Shadow,
    /// It passed, and was never put to use.
    Passed,
    /// A gate refused it.
    Refused,
}

impl ModelStanding {
    /// The word of it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Served => "served",
            Self::Shadow => "shadow",
            Self::Passed => "passed_unused",
            Self::Refused => "refused",
        }
    }
}

impl ModelVersionPage {
    /// Whose decision last let it serve.
    pub(super) fn approved_by(&self) -> Option<&str> {
        let mut newest_first = self.decisions.iter().rev();
        let approval = newest_first
            .find(|decision| matches!(decision.act.as_str(), "promote" | "rollback"))?;
        Some(&approval.account)
    }
}

/// A decision about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDecisionLine {
    /// `promote`, `rollback`, `shadow` or `withdraw`.
    pub act: String,
    /// Who.
    pub account: String,
    /// Why.
    pub reason: String,
    /// When.
    pub decided_on: String,
}

/// A table a version was trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedTable {
    /// Its name.
    pub name: String,
    /// Version.
    pub version: i64,
    /// Content hash.
    pub content_hash: String,
    /// Rows.
    pub rows: u64,
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// A figure of quality.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetric {
    /// Stable name: `auc`.
    pub name: String,
    /// What it is called.
    pub title: Bilingual,
    /// The model's.
    pub model: Interval,
    /// That of the rule to beat.
    pub baseline: Option<f64>,
    /// `larger`, `smaller`, or the value that is right.
    pub better: String,
}

/// Rows of one window of the evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelWindow {
    /// The first entries judged.
    pub from: NaiveDate,
    /// Rows.
    pub rows: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Share observed.
    pub observed: f64,
    /// Area under the curve.
    pub auc: Option<f64>,
    /// That of the rule to beat.
    pub baseline_auc: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: f64,
}

/// How a learner did that competed.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCandidate {
    /// The learner.
    pub learner: String,
    /// The window.
    pub window: String,
    /// Mean log loss.
    pub log_loss: f64,
    /// Above that of the best.
    pub regret: f64,
    /// Area under the curve.
    pub auc: Option<f64>,
    /// Calibration map.
    pub calibrator: String,
    /// Whether it was taken.
    pub is_chosen: bool,
}

/// A gate of promotion as the registry lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGate {
    /// Stable name.
    pub gate: String,
    /// The feature or group it is about; empty where it is about none.
    pub subject: String,
    /// What it asks for or what was found, in a sentence.
    pub text: Bilingual,
    /// The figure.
    pub figure: Option<f64>,
    /// Lower end of its interval.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// The least it may be.
    pub minimum: Option<f64>,
    /// The most it may be.
    pub maximum: Option<f64>,
    /// `passed`, `refused` or `cannot_test`.
    pub verdict: String,
}

/// Predictions of similar height and what came of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationGroup {
    /// Mean prediction.
    pub predicted: f64,
    /// Share observed.
    pub observed: Interval,
    /// Rows.
    pub rows: u64,
}

/// A feature.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFeature {
    /// Its column.
    pub name: String,
    /// What readers call it.
    pub title: Bilingual,
    /// `number`, `category`, `boolean`.
    pub kind: String,
    /// The law that allows its use.
    pub legal_basis: String,
    /// Share of rows in which it is known.
    pub coverage: Option<f64>,
    /// How much the model rests on it; only features that matter have one.
    pub influence: Option<f64>,
}

/// Results in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGroup {
    /// What groups differ in.
    pub attribute: String,
    /// What that is called.
    pub title: Bilingual,
    /// The group.
    pub group: String,
    /// Rows.
    pub rows: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Share observed.
    pub observed: Interval,
    /// Area under the curve within the group.
    pub auc: Option<f64>,
    /// Calibration slope within the group.
    pub slope: Option<f64>,
    /// Share observed above that of the largest group; none in that group and where it cannot be tested.
    pub difference: Option<Interval>,
    /// `reference`, `higher`, `lower`, `no_difference` or `cannot_test`.
    pub verdict: String,
}

/// A month's scores beside what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct RealisedMonth {
    /// `frozen` or `out_of_time`.
    pub basis: String,
    /// Month of entry.
    pub month: NaiveDate,
    /// What was cut out: `all`, `decile` or a group's column.
    pub cut: String,
    /// Which one.
    pub value: String,
    /// Rows.
    pub rows: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Share with the outcome of the label.
    pub strict: f64,
    /// Share with the outcome in the wider sense.
    pub loose: f64,
    /// Strict over predicted.
    pub ratio: Option<f64>,
    /// Further from the prediction than chance explains.
    pub is_alarm: bool,
}
