//! One text prepared for comparison with many others.

use super::{WORD, bucket};

const SLOTS: usize = 256;

/// The positions of each code unit of a text, as bits.
#[derive(Debug)]
pub(crate) struct Pattern {
    units: Vec<u16>,
    /// Open addressing by [`bucket`]; a slot without positions is free.
    slots: Box<[(u16, u64); SLOTS]>,
    used: Vec<usize>,
}

impl Default for Pattern {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            slots: Box::new([(0, 0); SLOTS]),
            used: Vec::new(),
        }
    }
}

impl Pattern {
    /// Replaces the text.
    pub(crate) fn set(&mut self, units: &[u16]) {
        for slot in self.used.drain(..) {
            self.slots[slot] = (0, 0);
        }
        self.units.clear();
        self.units.extend_from_slice(units);
        if units.len() > WORD {
            return;
        }
        for (position, &unit) in units.iter().enumerate() {
            let mut slot = bucket(unit);
            while self.slots[slot].1 != 0 && self.slots[slot].0 != unit {
                slot = (slot + 1) % SLOTS;
            }
            if self.slots[slot].1 == 0 {
                self.slots[slot].0 = unit;
                self.used.push(slot);
            }
            self.slots[slot].1 |= 1 << position;
        }
    }

    pub(crate) fn units(&self) -> &[u16] {
        &self.units
    }

    fn positions(&self, unit: u16) -> u64 {
        let mut slot = bucket(unit);
        loop {
            let (held, positions) = self.slots[slot];
            if positions == 0 || held == unit {
                return positions;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Jaro similarity: matches inside half the longer text, transpositions rounded down.
    pub(crate) fn jaro(&self, other: &[u16]) -> f64 {
        let (length, other_length) = (self.units.len(), other.len());
        if length == 0 || other_length == 0 {
            return if length == other_length { 1.0 } else { 0.0 };
        }
        if length > WORD || other_length > WORD {
            return long_jaro(&self.units, other);
        }
        let reach = (length.max(other_length) / 2).saturating_sub(1);
        let (mut mine, mut theirs) = (0_u64, 0_u64);
        for (position, &unit) in other.iter().enumerate() {
            let low = position.saturating_sub(reach);
            let high = position + reach + 1;
            let below_high = if high >= WORD { !0 } else { (1 << high) - 1 };
            let window = below_high & (!0 << low.min(WORD - 1));
            let free = self.positions(unit) & window & !mine;
            if free != 0 {
                mine |= free & free.wrapping_neg();
                theirs |= 1 << position;
            }
        }
        let matches = mine.count_ones();
        if matches == 0 {
            return 0.0;
        }
        let mut displaced = 0;
        let (mut mine_left, mut theirs_left) = (mine, theirs);
        while theirs_left != 0 {
            let position = theirs_left.trailing_zeros() as usize;
            if self.units[mine_left.trailing_zeros() as usize] != other[position] {
                displaced += 1;
            }
            mine_left &= mine_left - 1;
            theirs_left &= theirs_left - 1;
        }
        jaro_of(matches, displaced, length, other_length)
    }

    /// Levenshtein distance by Myers' bit vectors as given by Hyyrö (2003).
    pub(crate) fn levenshtein(&self, other: &[u16]) -> u32 {
        let length = self.units.len();
        if length > WORD {
            return strsim::generic_levenshtein(&self.units, &other.to_vec()) as u32;
        }
        if length == 0 {
            return other.len() as u32;
        }
        let last = 1_u64 << (length - 1);
        let (mut positive, mut negative) = (!0_u64, 0_u64);
        let mut distance = length as u32;
        for &unit in other {
            let matches = self.positions(unit);
            let diagonal =
                (((matches & positive).wrapping_add(positive)) ^ positive) | matches | negative;
            let mut horizontal_up = negative | !(diagonal | positive);
            let mut horizontal_down = diagonal & positive;
            if horizontal_up & last != 0 {
                distance += 1;
            }
            if horizontal_down & last != 0 {
                distance -= 1;
            }
            horizontal_up = horizontal_up << 1 | 1;
            horizontal_down <<= 1;
            positive = horizontal_down | !(diagonal | horizontal_up);
            negative = horizontal_up & diagonal;
        }
        distance
    }
}

fn jaro_of(matches: u32, displaced: u32, length: usize, other_length: usize) -> f64 {
    let matches = f64::from(matches);
    let transpositions = f64::from(displaced / 2);
    (matches / length as f64 + matches / other_length as f64 + (matches - transpositions) / matches)
        / 3.0
}

/// Jaro of texts longer than a machine word.
fn long_jaro(a: &[u16], b: &[u16]) -> f64 {
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut a_matched = vec![false; a.len()];
    let mut b_matched = vec![false; b.len()];
    for (position, unit) in b.iter().enumerate() {
        let low = position.saturating_sub(reach);
        let high = (position + reach + 1).min(a.len());
        if let Some(found) = (low..high).find(|&at| !a_matched[at] && a[at] == *unit) {
            a_matched[found] = true;
            b_matched[position] = true;
        }
    }
    let matched = |units: &[u16], flags: &[bool]| -> Vec<u16> {
        let pairs = units.iter().zip(flags);
        pairs
            .filter(|(_, flag)| **flag)
            .map(|(unit, _)| *unit)
            .collect()
    };
    let (a_units, b_units) = (matched(a, &a_matched), matched(b, &b_matched));
    if a_units.is_empty() {
        return 0.0;
    }
    let displaced = a_units.iter().zip(&b_units).filter(|(x, y)| x != y).count() as u32;
    jaro_of(a_units.len() as u32, displaced, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rstest::rstest;

    use super::super::{distance_bound, jaro_bound, signature, winkler};
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn pattern(text: &str) -> Pattern {
        let mut pattern = Pattern::default();
        pattern.set(&units(text));
        pattern
    }

    /// The pairs of Winkler (1990) and some Hangul.
    #[rstest]
    #[case("MARTHA", "MARHTA", 0.944444, 0.961111)]
    #[case("DIXON", "DICKSONX", 0.766667, 0.813333)]
    #[case("DWAYNE", "DUANE", 0.822222, 0.84)]
    #[case("가나다", "가나다", 1.0, 1.0)]
    #[case("가나다라", "가나라다", 0.916667, 0.933333)]
    #[case("abc", "xyz", 0.0, 0.0)]
    #[case("", "", 1.0, 1.0)]
    #[case("a", "", 0.0, 0.0)]
    fn known_pairs_have_the_published_similarity(
        #[case] a: &str,
        #[case] b: &str,
        #[case] jaro: f64,
        #[case] jaro_winkler: f64,
    ) {
        let found = pattern(a).jaro(&units(b));
        assert!((found - jaro).abs() < 1e-6, "{a} {b}: {found}");
        let found = winkler(found, &units(a), &units(b));
        assert!((found - jaro_winkler).abs() < 1e-6, "{a} {b}: {found}");
    }

    #[test]
    fn the_bits_agree_with_the_plain_algorithms_on_random_texts_of_every_length() {
        let mut draw = ChaCha8Rng::seed_from_u64(7);
        let mut prepared = Pattern::default();
        for round in 0..4000 {
            let longest = [5, 12, 64, 90][round % 4];
            let mut text = |alphabet: u16| -> Vec<u16> {
                let length = draw.random_range(0..=longest);
                (0..length)
                    .map(|_| 0xac00 + 256 * draw.random_range(0..alphabet))
                    .collect()
            };
            let alphabet = [2, 4, 30][round % 3];
            let (a, b) = (text(alphabet), text(alphabet));
            prepared.set(&a);
            if !a.is_empty() && !b.is_empty() {
                assert_eq!(prepared.jaro(&b), long_jaro(&a, &b), "{a:?} {b:?}");
                let bound = jaro_bound(&a, signature(&a), &b, signature(&b));
                assert!(prepared.jaro(&b) <= bound, "{a:?} {b:?}");
            }
            let distance = strsim::generic_levenshtein(&a, &b) as u32;
            assert_eq!(prepared.levenshtein(&b), distance, "{a:?} {b:?}");
            let bound = distance_bound(&a, signature(&a), &b, signature(&b));
            assert!(bound <= distance, "{a:?} {b:?}");
        }
    }
}
