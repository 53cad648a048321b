//! Row budgets: which rows are used when there are more than memory allows.
//!
//! A row is drawn by a hash of its entity key, so the draw depends neither on
//! the order of the batches nor on the number of threads, and a person who is in
//! the sample stays in it when rows of others are added.

use std::collections::BTreeMap;

/// Mixes a row's identity with a seed into a uniform 64-bit number (splitmix64
/// finaliser, Steele, Lea and Flood 2014).
pub(crate) fn draw(identity: u128, seed: u64) -> u64 {
    let mut mixed = (identity as u64) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The largest draw kept while a stream of `seen` rows is cut to about `budget`
/// rows. It only falls as more rows are seen, so a row that is kept in the end
/// was never dropped before. Half as much again is kept, so that quotas by
/// month can still be filled.
pub(crate) fn streaming_threshold(seen: u64, budget: usize) -> u64 {
    let share = 1.5 * budget as f64 / seen.max(1) as f64;
    if share >= 1.0 {
        u64::MAX
    } else {
        (share * u64::MAX as f64) as u64
    }
}

/// Cuts `rows` to `budget` rows with each month represented in proportion to
/// `month_totals`; within a month the rows with the smallest draws are kept.
/// The result is in ascending row order.
pub(crate) fn stratified_by_month(
    rows: &[u32],
    budget: usize,
    month_of: impl Fn(u32) -> i32,
    draw_of: impl Fn(u32) -> u64,
    month_totals: &BTreeMap<i32, u64>,
) -> Vec<u32> {
    if rows.len() <= budget {
        return rows.to_vec();
    }
    let quotas = proportional_quotas(month_totals, budget);
    let mut by_month: BTreeMap<i32, Vec<(u64, u32)>> = BTreeMap::new();
    for row in rows {
        by_month
            .entry(month_of(*row))
            .or_default()
            .push((draw_of(*row), *row));
    }
    let mut kept = Vec::with_capacity(budget);
    for (month, mut candidates) in by_month {
        let quota = quotas.get(&month).copied().unwrap_or(0);
        if quota < candidates.len() {
            candidates.sort_unstable();
            candidates.truncate(quota);
        }
        kept.extend(candidates.into_iter().map(|(_, row)| row));
    }
    kept.sort_unstable();
    kept
}

/// Hamilton's method: floors first, the remaining seats to the largest
/// remainders, earlier months first among equals.
fn proportional_quotas(totals: &BTreeMap<i32, u64>, budget: usize) -> BTreeMap<i32, usize> {
    let total: u64 = totals.values().sum();
    if total == 0 {
        return BTreeMap::new();
    }
    let mut quotas = BTreeMap::new();
    let mut remainders = Vec::with_capacity(totals.len());
    let mut given = 0;
    for (month, rows) in totals {
        let exact = u128::from(*rows) * budget as u128;
        let floor = (exact / u128::from(total)) as usize;
        given += floor;
        quotas.insert(*month, floor);
        remainders.push((std::cmp::Reverse(exact % u128::from(total)), *month));
    }
    remainders.sort_unstable();
    for (_, month) in remainders.into_iter().take(budget.saturating_sub(given)) {
        if let Some(quota) = quotas.get_mut(&month) {
            *quota += 1;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_sum_to_the_budget_and_follow_the_months() {
        let totals = BTreeMap::from([(1, 500), (2, 300), (3, 201)]);
        let quotas = proportional_quotas(&totals, 100);
        assert_eq!(quotas, BTreeMap::from([(1, 50), (2, 30), (3, 20)]));
        assert_eq!(quotas.values().sum::<usize>(), 100);
    }

    #[test]
    fn a_sample_is_proportional_by_month_and_depends_on_the_seed() {
        let rows: Vec<u32> = (0..1_000).collect();
        let month_of = |row: u32| i32::from(row >= 750);
        let totals = BTreeMap::from([(0, 750), (1, 250)]);
        let sample = |seed| {
            stratified_by_month(
                &rows,
                100,
                month_of,
                |row| draw(u128::from(row), seed),
                &totals,
            )
        };
        let first = sample(1);
        assert_eq!(first.len(), 100);
        assert_eq!(first.iter().filter(|row| **row >= 750).count(), 25);
        assert_eq!(first, sample(1));
        assert_ne!(first, sample(2));
    }
}
