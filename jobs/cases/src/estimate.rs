//! What the random draw says: how frequent what is looked for is, how often the list is right, how much better than chance.
//!
//! Claims are weighted by the inverse of their probability to be drawn (Horvitz & Thompson 1952), as a ratio (Hájek 1971);
//! the interval is Wilson's (1927) at the effective number of claims under these weights (Kish 1965). The interval of
//! the lift is that of a ratio of two independent shares on the log scale (Katz and others 1978).

use crate::book::CaseBook;
use crate::error::CaseError;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

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

/// A claim that was drawn and decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecidedDraw {
    /// Its probability to be drawn.
    pub inclusion: f64,
    /// Whether the decision burdens the claimant.
    pub is_adverse: bool,
    /// Whether a rule spoke against it.
    pub is_alerted: bool,
}

/// A claim that was drawn, and what was decided about whom it led to.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnClaim {
    /// The claim.
    pub claim_no: String,
    /// The workplace, where the draw led to it and not to the claimant.
    pub workplace_no: Option<String>,
    /// The night that drew it.
    pub night: String,
    /// What was decided.
    pub decided: DecidedDraw,
}

/// What is known of alerts and claims.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estimates {
    /// Claims drawn that lead to their claimants, over all nights.
    pub drawn: u64,
    /// Those of them that are decided.
    pub drawn_decided: u64,
    /// Share of active claims with a ground to act.
    pub prevalence: Option<Interval>,
    /// Cases of rules that are decided.
    pub decided: u64,
    /// Share of them with a ground to act.
    pub precision: Option<Interval>,
    /// Share with a ground to act among the drawn claims against which a rule spoke.
    pub drawn_precision: Option<Interval>,
    /// Precision over prevalence.
    pub lift: Option<Interval>,
}

/// Wilson's interval of a share.
pub fn wilson(successes: f64, trials: f64) -> Option<Interval> {
    if trials <= 0.0 {
        return None;
    }
    let share = (successes / trials).clamp(0.0, 1.0);
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * trials)) / (1.0 + z2 / trials);
    let spread = share * (1.0 - share) / trials + z2 / (4.0 * trials * trials);
    let half = Z / (1.0 + z2 / trials) * spread.max(0.0).sqrt();
    Some(Interval {
        value: share,
        lower: (centre - half).clamp(0.0, share),
        upper: (centre + half).clamp(share, 1.0),
    })
}

/// The weighted share of adverse decisions, its interval, and the effective number of claims.
pub fn weighted_share(draws: &[DecidedDraw]) -> Option<(Interval, f64)> {
    let (mut weights, mut squares, mut adverse) = (0.0, 0.0, 0.0);
    for draw in draws.iter().filter(|draw| draw.inclusion > 0.0) {
        let weight = 1.0 / draw.inclusion;
        weights += weight;
        squares += weight * weight;
        if draw.is_adverse {
            adverse += weight;
        }
    }
    if weights <= 0.0 {
        return None;
    }
    let effective = weights * weights / squares;
    Some((wilson(adverse / weights * effective, effective)?, effective))
}

/// The ratio of two independent shares; none where one of them saw no success, as its logarithm has no variance then.
pub fn ratio(upper: (f64, f64), lower: (f64, f64)) -> Option<Interval> {
    let ((a, n), (b, m)) = (upper, lower);
    if a <= 0.0 || b <= 0.0 || n <= 0.0 || m <= 0.0 {
        return None;
    }
    let value = (a / n) / (b / m);
    let deviation = (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).max(0.0).sqrt();
    Some(Interval {
        value,
        lower: value * (-Z * deviation).exp(),
        upper: value * (Z * deviation).exp(),
    })
}

impl CaseBook {
    /// Estimates from what was drawn and decided. A decision that fell on appeal counts as no ground to act.
    pub async fn estimates(&self) -> Result<Estimates, CaseError> {
        let error = CaseError::database("read the decisions");
        let (drawn, claims) = self.draws("person").await?;
        let mut estimates = Estimates {
            drawn,
            ..Estimates::default()
        };
        let draws: Vec<DecidedDraw> = claims.iter().map(|claim| claim.decided).collect();
        estimates.drawn_decided = draws.len() as u64;
        let prevalence = weighted_share(&draws);
        let alerted: Vec<DecidedDraw> = draws
            .iter()
            .copied()
            .filter(|draw| draw.is_alerted)
            .collect();
        estimates.drawn_precision = weighted_share(&alerted).map(|(share, _)| share);
        estimates.prevalence = prevalence.map(|(share, _)| share);

        // Cases on the list for their evidence, not for the draw alone.
        let sql = "select d.outcome, coalesce(c.appeal, 'none') from case_decisions d \
             left join cases c on c.decision_no = d.decision_no \
             where exists (select 1 from case_evidence e where e.decided_in = d.decision_no \
             and e.evidence_kind <> 'finding')";
        let (mut right, mut all) = (0.0, 0.0);
        for row in self.rows("read the decisions", sql, &[]).await? {
            all += 1.0;
            let is_overturned = row.text(1).map_err(error)? == "overturned";
            if is_adverse(&row.text(0).map_err(error)?)? && !is_overturned {
                right += 1.0;
            }
        }
        estimates.decided = all as u64;
        estimates.precision = wilson(right, all);
        estimates.lift = prevalence.and_then(|(share, effective)| {
            ratio((right, all), (share.value * effective, effective))
        });
        Ok(estimates)
    }

    /// Claims that were drawn and lead to their claimants, and what was decided.
    pub async fn decided_draws(&self) -> Result<Vec<DrawnClaim>, CaseError> {
        Ok(self.draws("person").await?.1)
    }

    /// Claims that were drawn and lead to the workplace that was left, and what was decided about it.
    pub async fn decided_workplace_draws(&self) -> Result<Vec<DrawnClaim>, CaseError> {
        Ok(self.draws("workplace").await?.1)
    }

    /// How many claims were drawn that lead to cases of a kind, and those of them that are decided.
    async fn draws(&self, pivot_kind: &str) -> Result<(u64, Vec<DrawnClaim>), CaseError> {
        let error = CaseError::database("read the draws");
        // The newest decision about the claimant, and whether anything was ever raised.
        let sql = "select d.inclusion_ppb, \
             (select x.outcome from case_decisions x where x.case_no = d.case_no order by x.decision_no desc limit 1), \
             (select count(*) from case_evidence e where e.case_no = d.case_no and e.evidence_kind <> 'finding'), \
             c.appeal, d.claim_no, d.night, c.pivot_key \
             from case_draws d join cases c on c.case_no = d.case_no where c.pivot_kind = $1 \
             order by d.night, d.claim_no";
        let (mut drawn, mut decided) = (0, Vec::new());
        for row in self
            .rows("read the draws", sql, &[pivot_kind.into()])
            .await?
        {
            drawn += 1;
            let Some(outcome) = row.optional_text(1).map_err(error)? else {
                continue;
            };
            let is_overturned = row.text(3).map_err(error)? == "overturned";
            let pivot_key = row.text(6).map_err(error)?;
            decided.push(DrawnClaim {
                claim_no: row.text(4).map_err(error)?,
                workplace_no: pivot_key.strip_prefix("workplace/").map(str::to_owned),
                night: row.text(5).map_err(error)?,
                decided: DecidedDraw {
                    inclusion: row.integer(0).map_err(error)? as f64 / 1e9,
                    is_adverse: is_adverse(&outcome)? && !is_overturned,
                    is_alerted: row.integer(2).map_err(error)? > 0,
                },
            });
        }
        Ok((drawn, decided))
    }
}

fn is_adverse(outcome: &str) -> Result<bool, CaseError> {
    Ok(outcome.parse::<crate::Outcome>()?.is_adverse())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn draw(inclusion: f64, is_adverse: bool) -> DecidedDraw {
        DecidedDraw {
            inclusion,
            is_adverse,
            is_alerted: false,
        }
    }

    #[test]
    fn equal_probabilities_give_the_plain_share_and_wilsons_interval() {
        let draws: Vec<_> = (0..10).map(|number| draw(0.01, number < 2)).collect();
        let (share, effective) = weighted_share(&draws).unwrap();
        assert!((effective - 10.0).abs() < 1e-9);
        // Newcombe 1998, method 3, gives 0.0567 to 0.5098 for 2 of 10.
        assert!((share.value - 0.2).abs() < 1e-9);
        assert!((share.lower - 0.0567).abs() < 1e-4 && (share.upper - 0.5098).abs() < 1e-4);
    }

    #[test]
    fn a_rarely_drawn_claim_stands_for_many() {
        // One claim of a centre where one in a hundred is drawn, against one where every second is.
        let (share, effective) = weighted_share(&[draw(0.01, true), draw(0.5, false)]).unwrap();
        assert!((share.value - 100.0 / 102.0).abs() < 1e-9);
        assert!(effective < 1.05);
        assert!(share.lower < 0.3, "two unequal claims say little");
    }

    #[test]
    fn ratio_has_katz_interval_and_none_without_success() {
        let lift = ratio((30.0, 50.0), (3.0, 100.0)).unwrap();
        assert!((lift.value - 20.0).abs() < 1e-9);
        let deviation = (1.0 / 30.0 - 1.0 / 50.0 + 1.0 / 3.0 - 1.0 / 100.0_f64).sqrt();
        assert!((lift.lower - 20.0 * (-Z * deviation).exp()).abs() < 1e-9);
        assert_eq!(ratio((1.0, 2.0), (0.0, 10.0)), None);
    }
}
