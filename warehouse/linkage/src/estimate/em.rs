//! Expectation–maximisation on counted vectors of levels, u held fixed.

use crate::parameters::Session;
use crate::rule::Rule;
use crate::settings::EstimateSettings;

use super::{LEAST, level_of};

/// m before anything is learned: the strongest level holds nearly always.
pub(super) fn first_m(levels: usize) -> Vec<f64> {
    let rest = 0.05 / (levels - 1) as f64;
    let mut m = vec![rest; levels];
    m[0] = 0.95;
    m
}

/// What one rule taught.
pub(super) struct Learned {
    pub(super) session: Session,
    /// By comparison; `None` for what the rule looks at.
    m: Vec<Option<Vec<f64>>>,
    /// Expected true pairs among those looked at.
    matches: f64,
}

/// Learns m of some comparisons; `None` without pairs.
#[allow(clippy::too_many_arguments)]
pub(super) fn learn(
    counts: &[(u64, u64)],
    start: f64,
    u: &[Vec<f64>],
    first: &[Vec<f64>],
    comparisons: &[usize],
    settings: &EstimateSettings,
    rule: &Rule,
    names: &[&str],
) -> Option<Learned> {
    let pairs: u64 = counts.iter().map(|(_, count)| count).sum();
    if pairs == 0 {
        return None;
    }
    let mut m = first.to_vec();
    let mut share = start;
    let (mut iterations, mut settled) = (0, false);
    while iterations < settings.em_iterations && !settled {
        iterations += 1;
        let mut sums: Vec<Vec<f64>> = m.iter().map(|m| vec![0.0; m.len()]).collect();
        let mut matches = 0.0;
        for &(pattern, count) in counts {
            let (mut is, mut is_not) = (share, 1.0 - share);
            for &number in comparisons {
                if let Some(level) = level_of(pattern, number) {
                    is *= m[number][level];
                    is_not *= u[number][level];
                }
            }
            let expected = count as f64 * is / (is + is_not);
            matches += expected;
            for &number in comparisons {
                if let Some(level) = level_of(pattern, number) {
                    sums[number][level] += expected;
                }
            }
        }
        let mut change = (matches / pairs as f64 - share).abs();
        share = (matches / pairs as f64).clamp(1e-9, 1.0 - 1e-9);
        for &number in comparisons {
            let all: f64 = sums[number].iter().sum();
            if all <= 0.0 {
                continue;
            }
            for (held, sum) in m[number].iter_mut().zip(&sums[number]) {
                let new = (sum / all).max(LEAST);
                change = change.max((new - *held).abs());
                *held = new;
            }
        }
        settled = change < settings.em_convergence;
    }
    let by_comparison = m.into_iter().enumerate();
    Some(Learned {
        matches: share * pairs as f64,
        m: by_comparison
            .map(|(number, m)| comparisons.contains(&number).then_some(m))
            .collect(),
        session: Session {
            rule: rule.text.clone(),
            pairs,
            iterations,
            settled,
            match_share: share,
            comparisons: comparisons.iter().map(|&c| names[c].to_owned()).collect(),
        },
    })
}

/// The mean of a comparison's estimates, weighted by expected true pairs.
pub(super) fn mean_m(learned: &[Learned], comparison: usize) -> Option<Vec<f64>> {
    let mut mean: Option<Vec<f64>> = None;
    for one in learned {
        let Some(m) = &one.m[comparison] else {
            continue;
        };
        let mean = mean.get_or_insert_with(|| vec![0.0; m.len()]);
        for (mean, m) in mean.iter_mut().zip(m) {
            *mean += one.matches * m;
        }
    }
    let mut mean = mean?;
    let all: f64 = mean.iter().sum();
    mean.iter_mut().for_each(|m| *m /= all);
    Some(mean)
}

/// The prior the sessions imply: the share of true pairs among a rule's pairs, without what
/// agreement on the rule itself says.
pub(super) fn mean_prior(learned: &[Learned], u: &[Vec<f64>], m: &[Vec<f64>]) -> Option<f64> {
    let mut sum = 0.0;
    for one in learned {
        let share = one.session.match_share;
        let mut odds = share / (1.0 - share);
        for (number, known) in one.m.iter().enumerate() {
            if known.is_none() {
                odds /= m[number][0] / u[number][0];
            }
        }
        sum += odds / (1.0 + odds);
    }
    (!learned.is_empty()).then(|| (sum / learned.len() as f64).clamp(1e-12, 1.0 - LEAST))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Two comparisons of two levels, counts drawn without noise from known parameters.
    #[test]
    fn known_parameters_are_found_again() {
        let (share, m, u) = (0.2, [0.9, 0.8], [0.1, 0.05]);
        let mut counts = Vec::new();
        for pattern in 0..8_u64 {
            let levels = [pattern & 1, pattern >> 1 & 1, pattern >> 2 & 1];
            let of = |m: &[f64]| -> f64 {
                let parts = levels.iter().zip(m);
                parts
                    .map(|(&level, &m)| if level == 0 { m } else { 1.0 - m })
                    .product()
            };
            let three = |of_two: [f64; 2]| [of_two[0], of_two[1], of_two[0]];
            let expected = share * of(&three(m)) + (1.0 - share) * of(&three(u));
            let packed = levels[0] | levels[1] << 4 | levels[2] << 8;
            counts.push((packed, (expected * 1e9) as u64));
        }
        let u = vec![vec![0.1, 0.9], vec![0.05, 0.95], vec![0.1, 0.9]];
        let first: Vec<Vec<f64>> = (0..3).map(|_| first_m(2)).collect();
        let settings = EstimateSettings {
            em_convergence: 1e-9,
            em_iterations: 10_000,
            ..EstimateSettings::default()
        };
        let rule = crate::rule::parse("l.a = r.a", &mut Default::default()).unwrap();
        let learned = learn(
            &counts,
            0.5,
            &u,
            &first,
            &[0, 1, 2],
            &settings,
            &rule,
            &["a", "b", "c"],
        );
        let learned = learned.unwrap();
        assert!((learned.session.match_share - 0.2).abs() < 1e-4);
        for (number, expected) in [0.9, 0.8, 0.9].into_iter().enumerate() {
            let found = learned.m[number].as_ref().unwrap()[0];
            assert!((found - expected).abs() < 1e-3, "{number}: {found}");
        }
    }
}
