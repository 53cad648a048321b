//! Shingles of a text: what two advertisements are compared by.

use crate::fold::Folded;

/// Letters in a shingle.
const LENGTH: usize = 3;

/// Different runs of three letters of the folded text, as sorted numbers; numbers in the text count
/// with their value. A text of fewer letters has one, an empty one none.
pub fn shingles(folded: &Folded) -> Box<[u32]> {
    let letters: Vec<u64> = folded
        .text
        .chars()
        .zip(&folded.letters)
        .map(|(character, letter)| match character {
            '#' => mixed(letter.number ^ 0x5bd1_e995),
            other => u64::from(other as u32),
        })
        .collect();
    if letters.is_empty() {
        return Box::default();
    }
    let number = |run: &[u64]| {
        let hash = run
            .iter()
            .fold(0x9e37_79b9_7f4a_7c15, |hash, letter| mixed(hash ^ letter));
        (hash >> 32) as u32
    };
    let mut found: Vec<u32> = match letters.len() {
        0..LENGTH => vec![number(&letters)],
        _ => letters.windows(LENGTH).map(number).collect(),
    };
    found.sort_unstable();
    found.dedup();
    found.into_boxed_slice()
}

/// Share of the shingles of both that both have; of two empty sets nothing is alike.
pub fn jaccard(left: &[u32], right: &[u32]) -> f64 {
    let (mut at, mut other, mut common) = (0, 0, 0_usize);
    while let (Some(one), Some(two)) = (left.get(at), right.get(other)) {
        match one.cmp(two) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                at += 1;
                other += 1;
            }
        }
    }
    match left.len() + right.len() - common {
        0 => 0.0,
        all => common as f64 / all as f64,
    }
}

/// SplitMix64's finisher (Steele, Lea and Flood 2014).
pub(crate) fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Box<[u32]> {
        shingles(&Folded::new(text))
    }

    #[test]
    fn spacing_and_signs_change_no_shingle() {
        assert_eq!(of("사무원을 모집합니다."), of("사무원을★모집 합니다"));
        assert_ne!(of("시급 10,320원"), of("시급 10,330원"));
    }

    #[test]
    fn the_share_is_that_of_the_sets() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[1], &[1]), 1.0);
        assert_eq!(jaccard(&[], &[]), 0.0);
        assert_eq!(jaccard(&of(""), &of("가나다")), 0.0);
    }
}
