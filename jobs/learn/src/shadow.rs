//! What a version did beside the one in use, before it may take its place.

use serde::{Deserialize, Serialize};

use crate::feature::Bilingual;
use crate::metrics::Estimate;
use crate::promotion::{PromotionLimits, Verdict};

/// A row that both versions scored before its outcome was known.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowRow {
    /// What is scored; rows of one entity are not independent.
    pub entity: String,
    /// The probability of the version in its shadow.
    pub probability: f64,
    /// That of the version in use.
    pub in_use: f64,
    /// What happened, where it is known by now.
    pub label: Option<bool>,
}

/// How a shadow period ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Rows that both scored.
    pub rows: usize,
    /// Mean distance of their probabilities.
    pub movement: f64,
    /// Rows whose outcome is known by now.
    pub known: usize,
    /// Brier of the version less that of the one in use on these rows, below 0 is better; its
    /// interval counts entities, not rows.
    pub brier_difference: Option<Estimate>,
    /// Refused is what moved further than allowed, or is worse by more than chance.
    pub verdict: Verdict,
    /// The figures in words.
    pub reason: Bilingual,
}

/// Compares two versions on the rows of a shadow period, in the order of their entities: the mean difference of their
/// squared errors with its standard error (Diebold and Mariano 1995, for squared loss), summed by entity.
pub fn judge_shadow(rows: &[ShadowRow], limits: &PromotionLimits) -> ShadowReport {
    let distances = rows.iter().map(|row| (row.probability - row.in_use).abs());
    let movement = distances.sum::<f64>() / (rows.len() as f64).max(1.0);
    let errors: Vec<(&str, f64)> = rows
        .iter()
        .filter_map(|row| {
            let outcome = f64::from(u8::from(row.label?));
            let difference = (row.probability - outcome).powi(2) - (row.in_use - outcome).powi(2);
            Some((row.entity.as_str(), difference))
        })
        .collect();
    let of_class = |class: bool| rows.iter().filter(|row| row.label == Some(class)).count();
    let rarer = of_class(true).min(of_class(false));
    let known = errors.len();
    let brier_difference = (rarer > 0).then(|| clustered_mean(&errors));
    let moved = movement > limits.score_movement;
    let is_worse = rarer >= limits.class_rows
        && brier_difference.is_some_and(|difference| difference.lower > 0.0);
    let verdict = match (moved || is_worse, rarer >= limits.class_rows) {
        (true, _) => Verdict::Refused,
        (false, true) => Verdict::Passed,
        (false, false) => Verdict::CannotTest,
    };
    let most = limits.score_movement;
    let (ko, en) = match brier_difference {
        Some(Estimate {
            value,
            lower,
            upper,
        }) => (
            format!(
                "결과를 아는 {known}건의 브라이어 점수 차이 {value:+.4} [{lower:+.4}, {upper:+.4}]"
            ),
            format!(
                "Brier score {value:+.4} [{lower:+.4}, {upper:+.4}] against it on {known} rows whose outcome is known"
            ),
        ),
        None => (
            "결과를 아는 것은 아직 비교할 만큼 없음".to_owned(),
            "too few outcomes are known to compare".to_owned(),
        ),
    };
    ShadowReport {
        rows: rows.len(),
        movement,
        known,
        brier_difference,
        verdict,
        reason: Bilingual::new(
            format!(
                "쓰는 판과 함께 {}건을 점수 매김, 평균 차이 {movement:.4}(허용 {most}); {ko}",
                rows.len()
            ),
            format!(
                "scored {} rows beside the version in use, mean distance {movement:.4} (at most {most}); {en}",
                rows.len()
            ),
        ),
    }
}

/// The mean of values whose neighbours of one name belong together.
fn clustered_mean(values: &[(&str, f64)]) -> Estimate {
    let count = values.len() as f64;
    let mean = values.iter().map(|(_, value)| value).sum::<f64>() / count;
    let mut squares = 0.0;
    let mut clusters = 0.0;
    for of_entity in values.chunk_by(|left, right| left.0 == right.0) {
        let deviation: f64 = of_entity.iter().map(|(_, value)| value - mean).sum();
        squares += deviation * deviation;
        clusters += 1.0;
    }
    let variance = match clusters > 1.0 {
        true => squares / (count * count) * clusters / (clusters - 1.0),
        false => f64::INFINITY,
    };
    Estimate::normal(mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with the outcome in three of ten; each version says one probability for all.
    fn rows(count: usize, probability: f64, in_use: f64) -> Vec<ShadowRow> {
        (0..count)
            .map(|row| ShadowRow {
                entity: format!("{row:06}"),
                probability,
                in_use,
                label: Some(row * 7 % 10 < 3),
            })
            .collect()
    }

    #[test]
    fn version_that_is_worse_by_more_than_chance_is_refused() {
        let limits = PromotionLimits::default();
        let worse = judge_shadow(&rows(2_000, 0.39, 0.3), &limits);
        assert_eq!(worse.verdict, Verdict::Refused, "{worse:?}");
        // The difference of two constants is (p − c)(p + c − 2·rate).
        let found = worse.brier_difference.map_or(0.0, |found| found.value);
        assert!((found - 0.09 * 0.09).abs() < 1e-4, "{worse:?}");
        assert!(worse.reason.en.contains("on 2000 rows"), "{worse:?}");
        let better = judge_shadow(&rows(2_000, 0.3, 0.39), &limits);
        assert_eq!(better.verdict, Verdict::Passed);
    }

    #[test]
    fn what_moves_further_than_allowed_is_refused_without_an_outcome() {
        let mut rows = rows(300, 0.45, 0.3);
        rows.iter_mut().for_each(|row| row.label = None);
        let report = judge_shadow(&rows, &PromotionLimits::default());
        assert_eq!(report.verdict, Verdict::Refused);
        assert_eq!((report.known, report.brier_difference), (0, None));
    }

    #[test]
    fn few_outcomes_are_no_verdict() {
        let report = judge_shadow(&rows(200, 0.39, 0.3), &PromotionLimits::default());
        assert_eq!(report.verdict, Verdict::CannotTest, "{report:?}");
        let nothing = judge_shadow(&[], &PromotionLimits::default());
        assert_eq!((nothing.verdict, nothing.rows), (Verdict::CannotTest, 0));
    }

    #[test]
    fn rows_of_one_entity_widen_the_interval() {
        let single = rows(4_000, 0.34, 0.3);
        let mut repeated = single.clone();
        for (place, row) in repeated.iter_mut().enumerate() {
            row.entity = format!("{:06}", place / 40);
            row.label = Some(place / 40 % 10 < 3);
        }
        let limits = PromotionLimits::default();
        let width = |rows: &[ShadowRow]| {
            let difference = judge_shadow(rows, &limits).brier_difference;
            difference.map_or(0.0, |found| found.upper - found.lower)
        };
        assert!(width(&repeated) > 5.0 * width(&single));
    }
}
