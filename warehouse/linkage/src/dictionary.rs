//! Distinct texts, each held once and known by a number.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Stands for "no value" wherever a number of a text is expected.
pub(crate) const NULL: u32 = u32::MAX;

/// Texts numbered in the order in which they were first seen.
#[derive(Default)]
pub(crate) struct Dictionary {
    bytes: String,
    ends: Vec<u64>,
    numbers: HashTable<(u32, u32)>,
}

/// Texts may be personal: only their number is shown.
impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} texts", self.ends.len())
    }
}

impl Dictionary {
    /// The number of the text, a new one if it has none.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        // half of the hash is kept beside the number, so that growing reads no text again
        let hash = xxh3_64(text.as_bytes()) as u32;
        let spread = mix(u64::from(hash));
        if let Some(&(number, _)) = self.numbers.find(spread, |&(number, other)| {
            other == hash && slice(&self.bytes, &self.ends, number) == text
        }) {
            return number;
        }
        let number = self.ends.len() as u32;
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u64);
        self.numbers
            .insert_unique(spread, (number, hash), |&(_, hash)| mix(u64::from(hash)));
        number
    }

    /// Gives up the memory that only new texts need.
    pub(crate) fn freeze(&mut self) {
        self.numbers = HashTable::new();
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        slice(&self.bytes, &self.ends, number)
    }

    /// The text of a number, `None` for [`NULL`].
    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        (number != NULL).then(|| self.text(number))
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|number| self.text(number))
    }
}

fn slice<'a>(bytes: &'a str, ends: &[u64], number: u32) -> &'a str {
    let start = match number {
        0 => 0,
        number => ends[number as usize - 1] as usize,
    };
    &bytes[start..ends[number as usize] as usize]
}

/// A number for each combination of two numbers; [`NULL`] on either side gives [`NULL`].
#[derive(Debug, Default)]
pub(crate) struct PairDictionary {
    numbers: HashTable<(u64, u32)>,
}

impl PairDictionary {
    pub(crate) fn intern(&mut self, first: u32, second: u32) -> u32 {
        if first == NULL || second == NULL {
            return NULL;
        }
        let key = u64::from(first) << 32 | u64::from(second);
        let hash = mix(key);
        if let Some(&(_, number)) = self.numbers.find(hash, |&(other, _)| other == key) {
            return number;
        }
        let number = self.numbers.len() as u32;
        self.numbers
            .insert_unique(hash, (key, number), |&(key, _)| mix(key));
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The finaliser of SplitMix64: spreads close numbers over all bits.
pub(crate) fn mix(key: u64) -> u64 {
    let mut hash = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_and_is_found_by_it() {
        let mut dictionary = Dictionary::default();
        let numbers: Vec<u32> = ["가", "", "b", "가", "b"]
            .iter()
            .map(|text| dictionary.intern(text))
            .collect();
        assert_eq!(numbers, [0, 1, 2, 0, 2]);
        dictionary.freeze();
        assert_eq!(dictionary.text(0), "가");
        assert_eq!(dictionary.get(NULL), None);
    }

    #[test]
    fn a_combination_with_a_null_is_null() {
        let mut pairs = PairDictionary::default();
        assert_eq!(pairs.intern(1, 2), 0);
        assert_eq!(pairs.intern(2, 1), 1);
        assert_eq!(pairs.intern(1, 2), 0);
        assert_eq!(pairs.intern(NULL, 2), NULL);
        assert_eq!(pairs.len(), 2);
    }
}
