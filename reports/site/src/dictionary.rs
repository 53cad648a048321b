//! Code lists that most reports need.

use crate::definition::{Members, TableDefinition};
use crate::language::Language;

/// Provinces and metropolitan cities: code, short Korean name, English name (행정표준코드관리시스템, 2024).
const SIDO: [(&str, &str, &str); 18] = [
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
];

/// The text for a code of a column; the code itself when the list does not have it.
pub(crate) fn member_text(
    table: &TableDefinition,
    column: &str,
    code: &str,
    language: Language,
) -> String {
    let found = match table.members.get(column) {
        Some(Members::List(members)) => members.get(code).map(|text| text.get(language)),
        Some(Members::Dictionary(name)) if name == "sido" => SIDO
            .iter()
            .find(|(known, short, _)| *known == code || *short == code)
            .map(|(_, korean, english)| match language {
                Language::Ko => *korean,
                Language::En => *english,
            }),
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
