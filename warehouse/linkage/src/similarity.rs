//! How alike two texts are.
//!
//! Texts are compared as UTF-16 code units, so a Hangul syllable counts one. Up to 64 units
//! the positions of each unit are one machine word and the whole comparison runs on bits
//! (Hyyrö 2003 for the distances, the same idea for Jaro's window); longer texts go to `strsim`.

mod pattern;
mod sets;

pub(crate) use pattern::Pattern;
pub(crate) use sets::{Sets, overlap};

use crate::dictionary::Dictionary;

/// The longest text compared on bits.
pub(crate) const WORD: usize = 64;

/// The code units of every text of a dictionary, with a signature of which units occur.
#[derive(Debug)]
pub(crate) struct Codes {
    units: Vec<u16>,
    ends: Vec<u32>,
    signatures: Vec<u64>,
}

impl Codes {
    pub(crate) fn of(dictionary: &Dictionary) -> Self {
        let mut codes = Self {
            units: Vec::new(),
            ends: Vec::with_capacity(dictionary.len()),
            signatures: Vec::with_capacity(dictionary.len()),
        };
        for text in dictionary.iter() {
            let start = codes.units.len();
            codes.units.extend(text.encode_utf16());
            codes.ends.push(codes.units.len() as u32);
            codes.signatures.push(signature(&codes.units[start..]));
        }
        codes.units.shrink_to_fit();
        codes
    }

    pub(crate) fn units(&self, number: u32) -> &[u16] {
        let number = number as usize;
        let start = match number {
            0 => 0,
            number => self.ends[number - 1] as usize,
        };
        &self.units[start..self.ends[number] as usize]
    }

    pub(crate) fn signature(&self, number: u32) -> u64 {
        self.signatures[number as usize]
    }
}

/// One bit for each class of code units that occurs.
pub(crate) fn signature(units: &[u16]) -> u64 {
    units
        .iter()
        .fold(0, |bits, &unit| bits | 1 << (bucket(unit) & 63))
}

/// Spreads code units, neighbours in ASCII and in Hangul alike.
pub(crate) fn bucket(unit: u16) -> usize {
    (u32::from(unit).wrapping_mul(0x9e37_79b1) >> 24) as usize
}

/// An upper bound of Jaro: units of one text that the other cannot have match nothing.
pub(crate) fn jaro_bound(a: &[u16], a_signature: u64, b: &[u16], b_signature: u64) -> f64 {
    let a_matches = a.len() - (a_signature & !b_signature).count_ones() as usize;
    let b_matches = b.len() - (b_signature & !a_signature).count_ones() as usize;
    let matches = a_matches.min(b_matches) as f64;
    if matches == 0.0 {
        return 0.0;
    }
    (matches / a.len() as f64 + matches / b.len() as f64 + 1.0) / 3.0
}

/// A lower bound of the edit distances.
pub(crate) fn distance_bound(a: &[u16], a_signature: u64, b: &[u16], b_signature: u64) -> u32 {
    let apart = (a_signature & !b_signature)
        .count_ones()
        .max((b_signature & !a_signature).count_ones());
    apart.max(a.len().abs_diff(b.len()) as u32)
}

/// Winkler's (1990) boost of a Jaro similarity above 0.7 for a common prefix of up to four units.
pub(crate) fn winkler(jaro: f64, a: &[u16], b: &[u16]) -> f64 {
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    jaro + 0.1 * prefix as f64 * (1.0 - jaro)
}

/// The Damerau–Levenshtein distance.
pub(crate) fn damerau_levenshtein(a: &[u16], b: &[u16]) -> u32 {
    strsim::generic_damerau_levenshtein(a, b) as u32
}
