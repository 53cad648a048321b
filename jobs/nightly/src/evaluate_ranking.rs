//! Holds the order that the risk score gives claims against the frauds that the simulator planted.
//!
//! Judged is what the newest version predicted out of time, of each claim its newest prediction: rows that the model had
//! not seen, later than those it learned from. A random draw of them stands for the draw of the night, whose decisions
//! nobody makes in a simulated country: it alone gives prevalence, interval of the lift and correction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use goyong_learn::{
    DrawnRow, Estimate, PrevalenceCorrection, RankingEnd, at_capacity, auc_with_interval,
    recalibration, risk_ratio,
};
use sha2::{Digest, Sha256};

use crate::evaluate_against_truth::{read_truth, row, share};
use crate::project::OpenProject;

/// Claims drawn at random and, in thought, decided; at most half of them.
const DRAWN: usize = 1000;
/// Shares of the claims that there may be room to look at.
const CAPACITIES: [f64; 3] = [0.01, 0.02, 0.05];
/// Members on both sides that a flag rate needs.
const GROUP_ROWS: f64 = 100.0;
/// Flagged members on both sides that a hit rate needs.
const GROUP_FLAGGED: f64 = 20.0;
const SUBJECT: &str = "fraud_risk";
const GROUPS: [&str; 4] = ["sex", "age_band", "sido", "foreign_registration"];

/// Of each claim what was predicted last, out of time.
const SCORES: &str = "select claim_no, cast(observed_on as varchar) as observed_on, cast(probability as varchar) as probability, \
    cast(label as varchar) as label, sex, age_band, sido, cast(foreign_registration as varchar) as foreign_registration from (\
    select f.*, s.probability, s.label, row_number() over (partition by s.claim_no order by s.entered_on desc) as newest \
    from models.fraud_risk s join features.fraud_risk f on f.claim_no = s.claim_no and f.entered_on = s.entered_on \
    where s.purpose = 'out_of_time') scored where newest = 1 order by claim_no";

const ANOMALIES: &str = "select claim_no, cast(surprise as varchar) as surprise, cast(is_alerted as varchar) as is_alerted \
    from alerts.claim_anomaly order by claim_no";

/// A claim with what was predicted and what is true.
#[derive(Debug, Clone, PartialEq)]
struct RankedClaim {
    claim_no: String,
    probability: f64,
    is_sanctioned: bool,
    is_fraud: bool,
    /// Values of [`GROUPS`].
    groups: [String; GROUPS.len()],
}

impl OpenProject {
    /// Lift at capacity with the interval of the random draw, calibration before and after the correction, flag and hit
    /// rates of groups against everybody else, and the anomaly score where no rule speaks.
    ///
    /// # Errors
    /// When a file of the truth cannot be read.
    pub async fn evaluate_ranking(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let frauds: Vec<(String, String)> = read_truth(truth, "fraud.csv", ["subject_no", "from"])?
            .into_iter()
            .map(|[claim_no, from]| (claim_no, from))
            .collect();
        let mut begun: BTreeMap<String, String> = BTreeMap::new();
        for (claim_no, from) in frauds {
            let first = begun.entry(claim_no).or_insert_with(|| from.clone());
            if from < *first {
                *first = from;
            }
        }
        let mut rows = match self.ranked_claims(&begun).await {
            Ok(claims) if !claims.is_empty() => describe_ranking(&claims),
            _ => vec![row(SUBJECT, "–", "–", "nothing was predicted out of time")],
        };
        rows.extend(self.evaluate_anomaly(&begun).await?);
        Ok(rows)
    }

    async fn ranked_claims(&self, begun: &BTreeMap<String, String>) -> Result<Vec<RankedClaim>> {
        let columns = [
            "claim_no",
            "observed_on",
            "probability",
            "label",
            GROUPS[0],
            GROUPS[1],
            GROUPS[2],
            GROUPS[3],
        ];
        let scores = self.texts(SCORES, columns).await?;
        Ok(scores
            .into_iter()
            .filter_map(|[claim_no, observed_on, probability, label, groups @ ..]| {
                Some(RankedClaim {
                    is_fraud: begun
                        .get(&claim_no)
                        .is_some_and(|from| *from <= observed_on),
                    probability: probability.parse().ok()?,
                    is_sanctioned: label == "true",
                    claim_no,
                    groups,
                })
            })
            .collect())
    }

    async fn evaluate_anomaly(&self, begun: &BTreeMap<String, String>) -> Result<Vec<Vec<String>>> {
        let subject = "claim_anomaly";
        let columns = ["claim_no", "surprise", "is_alerted"];
        let Ok(scores) = self.texts(ANOMALIES, columns).await else {
            return Ok(vec![row(subject, "–", "–", "not built")]);
        };
        let mut rows = Vec::new();
        for (of, with_alerts) in [
            ("all claims", true),
            ("claims against which no rule speaks", false),
        ] {
            let (mut surprise, mut labels) = (Vec::new(), Vec::new());
            for [claim_no, value, is_alerted] in &scores {
                if (with_alerts || is_alerted == "false")
                    && let Ok(value) = value.parse::<f64>()
                {
                    surprise.push(value);
                    labels.push(begun.contains_key(claim_no));
                }
            }
            rows.extend(anomaly_rows(subject, of, &surprise, &labels));
        }
        Ok(rows)
    }
}

/// How well the anomaly score orders some claims.
fn anomaly_rows(subject: &str, of: &str, surprise: &[f64], labels: &[bool]) -> Vec<Vec<String>> {
    let frauds = labels.iter().filter(|is_fraud| **is_fraud).count();
    let detail = format!("{frauds} frauds among {} {of}", labels.len());
    let enough = frauds as f64 >= GROUP_FLAGGED;
    let area = enough
        .then(|| auc_with_interval(surprise, labels))
        .flatten();
    let served = enough
        .then(|| at_capacity(surprise, labels, RankingEnd::Highest, 0.02))
        .flatten();
    let lift = served.map_or_else(
        || "cannot test".to_owned(),
        |served| format!("{:.2}", served.lift),
    );
    vec![
        row(subject, &format!("AUC, {of}"), &interval(area), &detail),
        row(subject, &format!("lift at 2 %, {of}"), &lift, &detail),
    ]
}

/// All figures about the order of claims.
fn describe_ranking(claims: &[RankedClaim]) -> Vec<Vec<String>> {
    let probabilities: Vec<f64> = claims.iter().map(|claim| claim.probability).collect();
    let frauds: Vec<bool> = claims.iter().map(|claim| claim.is_fraud).collect();
    let sanctions: Vec<bool> = claims.iter().map(|claim| claim.is_sanctioned).collect();
    let count = |labels: &[bool]| labels.iter().filter(|label| **label).count();
    let detail = format!(
        "{} claims out of time, {} fraudulent by then, {} decided so within 180 days",
        claims.len(),
        count(&frauds),
        count(&sanctions)
    );
    let mut rows = vec![
        row(
            SUBJECT,
            "prevalence",
            &share(count(&frauds), claims.len()),
            &detail,
        ),
        row(
            SUBJECT,
            "AUC against the truth",
            &interval(auc_with_interval(&probabilities, &frauds)),
            &detail,
        ),
        row(
            SUBJECT,
            "AUC against decisions",
            &interval(auc_with_interval(&probabilities, &sanctions)),
            &detail,
        ),
    ];
    let drawn = draw(claims);
    let draw_rows: Vec<DrawnRow> = drawn
        .iter()
        .map(|place| DrawnRow {
            probability: probabilities[*place],
            inclusion: drawn.len() as f64 / claims.len() as f64,
            is_positive: frauds[*place],
        })
        .collect();
    let correction = PrevalenceCorrection::from_draw(&draw_rows);
    let of_draw = format!(
        "{} of {} drawn at random are fraudulent",
        correction.positives, correction.rows
    );
    rows.push(row(
        SUBJECT,
        "prevalence by the draw",
        &interval(correction.prevalence),
        &of_draw,
    ));
    rows.extend(
        CAPACITIES
            .iter()
            .map(|capacity| lift(&probabilities, &frauds, *capacity, &correction)),
    );
    rows.extend(calibration(&probabilities, &frauds, &drawn, &correction));
    let threshold = threshold_at(&probabilities, CAPACITIES[CAPACITIES.len() - 1]);
    for (place, name) in GROUPS.iter().enumerate() {
        rows.extend(group_rows(claims, place, name, threshold));
    }
    rows
}

fn interval(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(
        || "cannot test".to_owned(),
        |estimate| {
            format!(
                "{:.3} [{:.3}, {:.3}]",
                estimate.value, estimate.lower, estimate.upper
            )
        },
    )
}

/// Places of the claims drawn: the same ones again for the same claims, and no ones that a score could know.
fn draw(claims: &[RankedClaim]) -> Vec<usize> {
    let mut order: Vec<(Vec<u8>, usize)> = claims
        .iter()
        .enumerate()
        .map(|(place, claim)| {
            let digest = Sha256::digest(format!("ranking draw/{}", claim.claim_no));
            (digest.to_vec(), place)
        })
        .collect();
    order.sort_unstable();
    order.truncate(DRAWN.min(claims.len() / 2));
    order.into_iter().map(|(_, place)| place).collect()
}

/// Precision of the first claims over the prevalence of the draw.
fn lift(
    probabilities: &[f64],
    frauds: &[bool],
    capacity: f64,
    correction: &PrevalenceCorrection,
) -> Vec<String> {
    let measure = format!("lift at {:.0} %", capacity * 100.0);
    let Some(served) = at_capacity(probabilities, frauds, RankingEnd::Highest, capacity) else {
        return row(SUBJECT, &measure, "cannot test", "no fraud, or no place");
    };
    let hits = (served.precision.value * served.rows as f64).round();
    let by_draw = (correction.positives > 0)
        .then(|| {
            risk_ratio(
                [hits, served.rows as f64],
                [correction.positives as f64, correction.rows as f64],
            )
        })
        .flatten();
    let detail = format!(
        "{hits} of {} first claims are fraudulent, precision {:.3} [{:.3}, {:.3}]; against all claims {:.2}, the most \
         possible is {:.2}",
        served.rows,
        served.precision.value,
        served.precision.lower,
        served.precision.upper,
        served.lift,
        most_possible(frauds, served.rows),
    );
    row(SUBJECT, &measure, &interval(by_draw), &detail)
}

/// The lift of an order that puts every fraud first.
fn most_possible(frauds: &[bool], served: usize) -> f64 {
    let all = frauds.iter().filter(|is_fraud| **is_fraud).count();
    let found = all.min(served) as f64;
    found / served as f64 * frauds.len() as f64 / all as f64
}

/// Calibration against the truth, on claims that were not drawn.
fn calibration(
    probabilities: &[f64],
    frauds: &[bool],
    drawn: &[usize],
    correction: &PrevalenceCorrection,
) -> Vec<Vec<String>> {
    let drawn: BTreeSet<usize> = drawn.iter().copied().collect();
    let others: Vec<usize> = (0..frauds.len())
        .filter(|place| !drawn.contains(place))
        .collect();
    let labels: Vec<bool> = others.iter().map(|place| frauds[*place]).collect();
    let as_learned: Vec<f64> = others.iter().map(|place| probabilities[*place]).collect();
    let corrected: Vec<f64> = as_learned
        .iter()
        .map(|probability| correction.apply(*probability))
        .collect();
    let detail = format!("{} claims that were not drawn", others.len());
    let mut rows = Vec::new();
    for (name, predicted) in [("as learned", &as_learned), ("corrected", &corrected)] {
        let fit = recalibration(predicted, &labels);
        let slope = interval(fit.map(|fit| fit.slope));
        let level = interval(fit.map(|fit| fit.in_the_large));
        rows.push(row(
            SUBJECT,
            &format!("calibration slope, {name}"),
            &slope,
            &detail,
        ));
        rows.push(row(
            SUBJECT,
            &format!("calibration in the large, {name}"),
            &level,
            &detail,
        ));
    }
    let corrected_by = match (&correction.line, &correction.shift, &correction.reason) {
        (Some((intercept, slope)), ..) => format!("log-odds × {:.3} {intercept:+.3}", slope.value),
        (None, Some(shift), _) => format!(
            "log-odds {:+.3} [{:+.3}, {:+.3}]",
            shift.value, shift.lower, shift.upper
        ),
        (None, None, Some(reason)) => reason.en.clone(),
        (None, None, None) => "not corrected".to_owned(),
    };
    rows.push(row(
        SUBJECT,
        "correction by the draw",
        &corrected_by,
        "fitted on the drawn claims alone",
    ));
    rows
}

/// The lowest probability that is served.
fn threshold_at(probabilities: &[f64], capacity: f64) -> f64 {
    let mut sorted = probabilities.to_vec();
    sorted.sort_by(f64::total_cmp);
    let served = ((sorted.len() as f64 * capacity).round() as usize).max(1);
    sorted
        .len()
        .checked_sub(served)
        .and_then(|place| sorted.get(place).copied())
        .unwrap_or(f64::INFINITY)
}

/// How often members of each group are flagged, and how often rightly, against everybody else.
fn group_rows(
    claims: &[RankedClaim],
    place: usize,
    name: &str,
    threshold: f64,
) -> Vec<Vec<String>> {
    let mut counts: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    let mut all = [0.0; 3];
    for claim in claims {
        let flagged = claim.probability >= threshold;
        let counted = counts.entry(&claim.groups[place]).or_default();
        for sums in [&mut all, counted] {
            sums[0] += 1.0;
            sums[1] += f64::from(u8::from(flagged));
            sums[2] += f64::from(u8::from(flagged && claim.is_fraud));
        }
    }
    let mut rows = Vec::new();
    for (value, [members, flagged, hits]) in counts {
        let (others, others_flagged, others_hits) =
            (all[0] - members, all[1] - flagged, all[2] - hits);
        let subject = format!("{SUBJECT}, {name} = {value}");
        let can_flag = members >= GROUP_ROWS && others >= GROUP_ROWS;
        let flag = can_flag
            .then(|| risk_ratio([flagged, members], [others_flagged, others]))
            .flatten();
        let can_hit = flagged >= GROUP_FLAGGED && others_flagged >= GROUP_FLAGGED;
        let hit = can_hit
            .then(|| risk_ratio([hits, flagged], [others_hits, others_flagged]))
            .flatten();
        rows.push(row(
            &subject,
            "flag-rate ratio",
            &interval(flag),
            &format!("{flagged} of {members} flagged, {others_flagged} of {others} others"),
        ));
        rows.push(row(
            &subject,
            "hit-rate ratio",
            &interval(hit),
            &format!("{hits} of {flagged} flagged are fraudulent, {others_hits} of {others_flagged} others"),
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// Claims of which each tenth is fraudulent. Four in five of these are scored higher, and so are 200 in 5000 honest
    /// ones.
    fn claims(count: usize) -> Vec<RankedClaim> {
        (0..count)
            .map(|number| {
                let is_fraud = number % 10 == 0;
                let is_seen = is_fraud && number % 50 != 0;
                RankedClaim {
                    claim_no: format!("C{number:06}"),
                    probability: if is_seen || number % 25 == 7 {
                        0.3
                    } else {
                        0.02
                    },
                    is_sanctioned: is_seen && number % 30 == 0,
                    is_fraud,
                    groups: [
                        if number % 2 == 0 { "f" } else { "m" }.to_owned(),
                        "30-39".to_owned(),
                        if number < 40 { "50" } else { "11" }.to_owned(),
                        "false".to_owned(),
                    ],
                }
            })
            .collect()
    }

    fn found(rows: &[Vec<String>], subject: &str, measure: &str) -> String {
        rows.iter()
            .find(|row| row[0] == subject && row[1] == measure)
            .unwrap_or_else(|| panic!("no {subject} {measure}: {rows:?}"))[2]
            .clone()
    }

    #[test]
    fn lift_calibration_and_groups_are_those_counted_by_hand() {
        let claims = claims(5_000);
        let rows = describe_ranking(&claims);
        assert!(found(&rows, SUBJECT, "prevalence").starts_with("0.100 "));
        // Two thirds of the 600 with the higher score are fraudulent; 5 % of 5000 are 250 of them.
        let drawn = draw(&claims);
        assert_eq!(drawn.len(), DRAWN);
        let share = drawn
            .iter()
            .filter(|place| claims[**place].is_fraud)
            .count() as f64
            / DRAWN as f64;
        let expected = format!("{:.3} ", (167.0 / 250.0) / share);
        assert!(
            found(&rows, SUBJECT, "lift at 5 %").starts_with(&expected),
            "{rows:?}"
        );
        let learned = found(&rows, SUBJECT, "calibration in the large, as learned");
        let corrected = found(&rows, SUBJECT, "calibration in the large, corrected");
        let figure = |text: &str| text.split(' ').next().unwrap().parse::<f64>().unwrap();
        assert!(figure(&learned).abs() > 0.5, "{learned}");
        assert!(figure(&corrected).abs() < 0.35, "{corrected}");
        // 500 of 2500 against 100 of 2500; all of the latter are honest. `50` has 40 members.
        assert_eq!(
            found(&rows, "fraud_risk, sido = 50", "flag-rate ratio"),
            "cannot test"
        );
        assert_eq!(
            figure(&found(&rows, "fraud_risk, sex = f", "flag-rate ratio")),
            5.0
        );
        assert!(figure(&found(&rows, "fraud_risk, sex = m", "hit-rate ratio")) < 0.01);
    }

    #[test]
    fn a_draw_does_not_depend_on_scores_or_order() {
        let mut claims = claims(2_000);
        let names = |claims: &[RankedClaim]| -> BTreeSet<String> {
            draw(claims)
                .into_iter()
                .map(|place| claims[place].claim_no.clone())
                .collect()
        };
        let before = names(&claims);
        claims.reverse();
        for claim in &mut claims {
            claim.probability = 1.0 - claim.probability;
        }
        assert_eq!(names(&claims), before);
    }
}
