//! Words for codes: the type that holds them, and the code lists that most reports need.

use crate::definition::{Members, TableDefinition};
use crate::language::Language;

/// Codes, each with its word in Korean and in English.
#[derive(Debug)]
pub(crate) struct Dictionary(pub &'static [(&'static str, &'static str, &'static str)]);

impl Dictionary {
    /// The word for a code, where it has one.
    pub(crate) fn get(&self, code: &str, language: Language) -> Option<&'static str> {
        let (_, ko, en) = self.0.get(self.rank(code))?;
        Some(match language {
            Language::Ko => ko,
            Language::En => en,
        })
    }

    /// The word for a code; the code itself, without underscores, when it has none.
    pub(crate) fn word(&self, code: &str, language: Language) -> String {
        let known = self.get(code, language);
        known.map_or_else(|| code.replace('_', " "), str::to_owned)
    }

    /// Where a code stands in the list; behind all of them when it is not there.
    pub(crate) fn rank(&self, code: &str) -> usize {
        let place = self.0.iter().position(|(known, _, _)| *known == code);
        place.unwrap_or(self.0.len())
    }

    /// Whether readers of both languages get a word for a code.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.rank(code) < self.0.len()
    }
}

/// Provinces and metropolitan cities: code, short Korean name, English name (행정표준코드관리시스템, 2024).
const SIDO: Dictionary = Dictionary(&[
    ("00", "미상", "Unknown"),
    ("11", "서울", "Seoul"),
    ("26", "부산", "Busan"),
    ("27", "대구", "Daegu"),
    ("28", "인천", "Incheon"),
    ("29", "광주", "Gwangju"),
    ("30", "대전", "Daejeon"),
    ("31", "울산", "Ulsan"),
    ("36", "세종", "Sejong"),
    ("41", "경기", "Gyeonggi"),
    ("43", "충북", "Chungbuk"),
    ("44", "충남", "Chungnam"),
    ("46", "전남", "Jeonnam"),
    ("47", "경북", "Gyeongbuk"),
    ("48", "경남", "Gyeongnam"),
    ("50", "제주", "Jeju"),
    ("51", "강원", "Gangwon"),
    ("52", "전북", "Jeonbuk"),
]);

/// The text for a code of a column; the code itself when the list does not have it.
pub(crate) fn member_text(
    table: &TableDefinition,
    column: &str,
    code: &str,
    language: Language,
) -> String {
    let found = match table.members.get(column) {
        Some(Members::List(members)) => members.get(code).map(|text| text.get(language)),
        Some(Members::Dictionary(name)) if name == "sido" => {
            let by_name = SIDO.0.iter().find(|(_, short, _)| *short == code);
            SIDO.get(by_name.map_or(code, |(known, _, _)| known), language)
        }
        _ => None,
    };
    match found {
        Some(text) => text.to_owned(),
        None if table.totals.get(column).is_some_and(|total| total == code) => match language {
            Language::Ko => "전국".to_owned(),
            Language::En => "Total".to_owned(),
        },
        None => code.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Fails unless every code stands there once and has a word in each language.
    pub(crate) fn assert_complete(words: &Dictionary) {
        for (index, (code, ko, en)) in words.0.iter().enumerate() {
            assert!(!ko.is_empty() && !en.is_empty(), "{code}");
            assert_eq!(words.rank(code), index, "{code} stands twice");
        }
    }

    #[test]
    fn every_province_has_one_word_in_each_language() {
        assert_complete(&SIDO);
    }

    #[test]
    fn a_code_without_a_word_is_shown_as_it_is() {
        assert_eq!(SIDO.word("11", Language::En), "Seoul");
        assert_eq!(SIDO.word("odd_code", Language::Ko), "odd code");
        assert!(!SIDO.has("odd_code") && SIDO.has("52"));
    }
}
