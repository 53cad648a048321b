//! Gates: conditions on the out-of-time evaluation without which a model is not used.

use serde::{Deserialize, Serialize};

use crate::evaluation::Evaluation;
use crate::feature::Bilingual;
use crate::metrics::Estimate;

/// Limits of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GateLimits {
    /// Calibration slope above.
    pub slope_minimum: f64,
    /// Calibration slope at most.
    pub slope_maximum: f64,
    /// Expected calibration error at most.
    pub calibration_error_maximum: f64,
    /// An AUC above this is more likely a leak than a success.
    pub auc_plausible_maximum: f64,
    /// Rows of each outcome in the evaluation: more than.
    pub class_rows_minimum: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        GateLimits {
            slope_minimum: 0.8,
            slope_maximum: 1.25,
            calibration_error_maximum: 0.05,
            auc_plausible_maximum: 0.97,
            class_rows_minimum: 100,
        }
    }
}

/// A condition with the figure it was decided on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Stable name.
    pub name: String,
    /// What it asks for.
    pub title: Bilingual,
    /// The figure; `None` where it could not be computed, which fails the gate.
    pub value: Option<f64>,
    /// The value has to be above this, if there is such a limit.
    pub minimum: Option<f64>,
    /// The value has to be this or below, if there is such a limit.
    pub maximum: Option<f64>,
    /// Whether it passed.
    pub passed: bool,
}

/// Decides all gates.
pub(crate) fn decide(
    pooled: &Evaluation,
    auc_above_baseline: Option<Estimate>,
    brier_below_prior: f64,
    limits: &GateLimits,
) -> Vec<Gate> {
    let rarer = pooled.positives.min(pooled.rows - pooled.positives);
    vec![
        gate(
            "enough_outcomes",
            "평가 기간의 성공·실패 건수가 충분하다",
            "enough rows of both outcomes in the evaluation",
            Some(rarer as f64),
            Some(limits.class_rows_minimum as f64),
            None,
        ),
        // The lower end of the interval, so that noise does not pass for progress.
        gate(
            "beats_one_variable_rule",
            "단일변수 규칙보다 AUC가 유의하게 높다 (95% 하한)",
            "AUC above the one-variable rule's (lower end of the 95 % interval)",
            auc_above_baseline.map(|difference| difference.lower),
            Some(0.0),
            None,
        ),
        gate(
            "beats_prior_rate",
            "과거 평균율보다 브라이어 점수가 낮다",
            "Brier score below that of the prior rate",
            Some(brier_below_prior),
            Some(0.0),
            None,
        ),
        gate(
            "calibration_slope",
            "보정 기울기가 한계 안에 있다",
            "calibration slope within limits",
            pooled.recalibration.map(|fit| fit.slope.value),
            Some(limits.slope_minimum),
            Some(limits.slope_maximum),
        ),
        gate(
            "calibration_error",
            "기대 보정오차(ECE)가 한계 이하다",
            "expected calibration error within its limit",
            Some(pooled.expected_calibration_error.value),
            None,
            Some(limits.calibration_error_maximum),
        ),
        gate(
            "plausible_auc",
            "AUC가 정보 누출을 의심할 만큼 높지 않다",
            "AUC not so high that a leak must be suspected",
            pooled.auc.map(|auc| auc.value),
            None,
            Some(limits.auc_plausible_maximum),
        ),
    ]
}

fn gate(
    name: &str,
    ko: &str,
    en: &str,
    value: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
) -> Gate {
    Gate {
        name: name.to_owned(),
        title: Bilingual::new(ko, en),
        value,
        minimum,
        maximum,
        passed: value.is_some_and(|value| {
            minimum.is_none_or(|minimum| value > minimum)
                && maximum.is_none_or(|maximum| value <= maximum)
        }),
    }
}
