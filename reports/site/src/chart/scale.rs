//! Round tick values.

/// A linear axis from the first to the last tick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub ticks: Vec<f64>,
}

impl Scale {
    /// About `count` round ticks that cover the values. The axis starts at zero when the values come near it, so that a
    /// small change does not look large.
    pub(super) fn covering(low: f64, high: f64, count: usize) -> Self {
        let (mut low, mut high) = (low.min(high), high.max(low));
        if low > 0.0 && low < high * 0.7 {
            low = 0.0;
        }
        if high <= low {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            low -= if low > 0.0 { margin } else { 0.0 };
            high += margin;
        }
        let raw = (high - low) / count.max(1) as f64;
        let magnitude = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * magnitude)
            .find(|step| *step >= raw * 0.999)
            .unwrap_or(10.0 * magnitude);
        let first = (low / step + 1e-9).floor() as i64;
        let last = (high / step - 1e-9).ceil() as i64;
        Self {
            ticks: (first..=last).map(|index| index as f64 * step).collect(),
        }
    }

    /// Where a value lies: 0 at the first tick, 1 at the last.
    pub(super) fn position(&self, value: f64) -> f64 {
        match (self.ticks.first(), self.ticks.last()) {
            (Some(first), Some(last)) if last > first => (value - first) / (last - first),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(
            Scale::covering(0.0, 4_321.0, 5).ticks,
            [0.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]
        );
        assert_eq!(
            Scale::covering(980.0, 1_010.0, 4).ticks,
            [980.0, 990.0, 1_000.0, 1_010.0]
        );
        assert_eq!(Scale::covering(0.0, 0.0, 4).ticks.first(), Some(&0.0));
    }
}
