//! Words and q-grams as sets.

use xxhash_rust::xxh3::xxh3_64;

use crate::dictionary::Dictionary;

/// A sorted set of hashed parts for every text of a dictionary.
#[derive(Debug)]
pub(crate) struct Sets {
    parts: Vec<u32>,
    ends: Vec<u32>,
}

impl Sets {
    /// The words of each text, in lower case; whatever is no letter or digit separates.
    pub(crate) fn words(dictionary: &Dictionary) -> Self {
        Self::build(dictionary, |text, parts| {
            let words = text.split(|c: char| !c.is_alphanumeric());
            parts.extend(
                words
                    .filter(|word| !word.is_empty())
                    .map(|word| xxh3_64(word.to_lowercase().as_bytes()) as u32),
            );
        })
    }

    /// The q-grams of each text; a text shorter than q is one gram.
    pub(crate) fn qgrams(dictionary: &Dictionary, length: usize) -> Self {
        Self::build(dictionary, |text, parts| {
            let characters: Vec<char> = text.chars().collect();
            let mut gram = String::new();
            for window in characters.windows(length.min(characters.len()).max(1)) {
                gram.clear();
                gram.extend(window);
                parts.push(xxh3_64(gram.as_bytes()) as u32);
            }
        })
    }

    fn build(dictionary: &Dictionary, split: impl Fn(&str, &mut Vec<u32>)) -> Self {
        let mut sets = Self {
            parts: Vec::new(),
            ends: Vec::with_capacity(dictionary.len()),
        };
        let mut parts = Vec::new();
        for text in dictionary.iter() {
            parts.clear();
            split(text, &mut parts);
            parts.sort_unstable();
            parts.dedup();
            sets.parts.extend_from_slice(&parts);
            sets.ends.push(sets.parts.len() as u32);
        }
        sets.parts.shrink_to_fit();
        sets
    }

    pub(crate) fn set(&self, number: u32) -> &[u32] {
        let number = number as usize;
        let start = match number {
            0 => 0,
            number => self.ends[number - 1] as usize,
        };
        &self.parts[start..self.ends[number] as usize]
    }
}

/// Jaccard's coefficient of two sorted sets; empty sets overlap nothing.
pub(crate) fn overlap(a: &[u32], b: &[u32]) -> f64 {
    let (mut at, mut other, mut common) = (0, 0, 0_usize);
    while at < a.len() && other < b.len() {
        match a[at].cmp(&b[other]) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                at += 1;
                other += 1;
            }
        }
    }
    let all = a.len() + b.len() - common;
    if all == 0 {
        return 0.0;
    }
    common as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_share_of_common_parts() {
        let mut dictionary = Dictionary::default();
        for text in ["data base systems", "Base, data", "가나다", "가나", "-"] {
            dictionary.intern(text);
        }
        let words = Sets::words(&dictionary);
        assert_eq!(overlap(words.set(0), words.set(1)), 2.0 / 3.0);
        assert_eq!(overlap(words.set(4), words.set(4)), 0.0);
        let grams = Sets::qgrams(&dictionary, 2);
        assert_eq!(overlap(grams.set(2), grams.set(3)), 0.5);
    }
}
