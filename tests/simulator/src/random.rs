//! The random numbers of a simulation.
//!
//! The generator is written out here (xoshiro256++ of Blackman and Vigna, seeded through
//! splitmix64) because the bytes of a simulated country must never change with a dependency.

/// A stream of random numbers that depends on nothing but its seed and stream number.
pub(crate) struct Random {
    state: [u64; 4],
}

/// Scrambles a counter into 64 independent-looking bits.
pub(crate) fn splitmix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream numbered `stream` of a seed; streams of one seed are independent.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let base = splitmix(seed) ^ splitmix(stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self {
            state: [
                splitmix(base),
                splitmix(base.wrapping_add(1)),
                splitmix(base.wrapping_add(2)),
                splitmix(base.wrapping_add(3)),
            ],
        }
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ shifted, d.rotate_left(45)];
        result
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform below `limit`; 0 when the limit is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// Uniform from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).max(1) as usize) as i32
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// An index drawn with probability proportional to its weight; 0 when all weights are 0.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let total: f64 = weights.iter().sum();
        let mut remaining = self.unit() * total;
        for (index, weight) in weights.iter().enumerate() {
            remaining -= weight;
            if remaining < 0.0 {
                return index;
            }
        }
        0
    }

    /// A whole number with the given mean, one of its two neighbours.
    pub(crate) fn round(&mut self, mean: f64) -> usize {
        let floor = mean.max(0.0).floor();
        floor as usize + usize::from(self.unit() < mean.max(0.0) - floor)
    }

    /// Shuffles in place.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Draws `count` of the candidates without replacement, each by its weight (Efraimidis and
    /// Spirakis: the smallest exponential waiting times), in random order.
    pub(crate) fn sample<T: Copy>(&mut self, candidates: &[(T, f64)], count: usize) -> Vec<T> {
        let mut keyed: Vec<(f64, usize)> = candidates
            .iter()
            .enumerate()
            .filter(|(_, (_, weight))| *weight > 0.0)
            .map(|(index, (_, weight))| (self.exponential() / weight, index))
            .collect();
        if count < keyed.len() && count > 0 {
            keyed.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        keyed.truncate(count);
        keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        keyed
            .into_iter()
            .map(|(_, index)| candidates[index].0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let first: Vec<u64> = (0..4)
            .map({
                let mut random = Random::new(7, 1);
                move |_| random.bits()
            })
            .collect();
        let again: Vec<u64> = (0..4)
            .map({
                let mut random = Random::new(7, 1);
                move |_| random.bits()
            })
            .collect();
        assert_eq!(first, again);
        assert_ne!(first[0], Random::new(7, 2).bits());
        assert_ne!(first[0], Random::new(8, 1).bits());
    }

    #[test]
    fn moments_are_right() {
        let mut random = Random::new(1, 1);
        let draws: Vec<f64> = (0..50_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03);
        let share = (0..50_000).filter(|_| random.chance(0.3)).count();
        assert!((14_500..15_500).contains(&share));
    }

    #[test]
    fn sample_draws_without_replacement_and_by_weight() {
        let mut random = Random::new(1, 2);
        let candidates: Vec<(usize, f64)> = (0..100)
            .map(|index| (index, if index < 50 { 9.0 } else { 1.0 }))
            .collect();
        let mut drawn = random.sample(&candidates, 20);
        assert!(drawn.iter().filter(|index| **index < 50).count() > 10);
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 20);
    }
}
