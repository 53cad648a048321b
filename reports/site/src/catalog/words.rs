//! Words of the catalogue that come from codes: kinds, cadences, states, ways of computing; and sizes.

use crate::dictionary::Dictionary;
use crate::language::Language;

const WORDS: Dictionary = Dictionary(&[
    // kinds
    ("view", "뷰", "view"),
    ("table", "표", "table"),
    ("partitioned", "기간별 표", "partitioned table"),
    ("keyed", "키별 표", "keyed table"),
    ("snapshot", "이력 표", "history table"),
    ("source", "원천", "source"),
    ("seed", "코드표", "seed"),
    ("job", "작업 결과", "written by a job"),
    ("report", "보고서", "report"),
    ("check", "대조 검사", "check"),
    // cadences
    ("daily", "매일", "daily"),
    ("weekly", "매주", "weekly"),
    ("monthly", "매월", "monthly"),
    ("quarterly", "분기", "quarterly"),
    ("half_yearly", "반기", "half-yearly"),
    ("yearly", "매년", "yearly"),
    ("irregular", "부정기", "irregular"),
    // states of a source
    ("in_time", "제때", "in time"),
    ("overdue", "늦음", "overdue"),
    ("never", "받은 적 없음", "never delivered"),
    // tags
    ("direct_identifier", "직접 식별자", "direct identifier"),
    ("quasi_identifier", "간접 식별자", "quasi-identifier"),
    ("sensitive", "민감", "sensitive"),
    ("free_text", "자유 서술", "free text"),
    ("pseudonym", "가명", "pseudonym"),
    ("firm", "사업체", "firm"),
    // ways of computing
    ("identity", "그대로", "as it is"),
    ("transformation", "변환", "transformed"),
    ("transformed", "변환", "transformed"),
    ("aggregation", "집계", "aggregated"),
    ("aggregated", "집계", "aggregated"),
    ("windowed", "창 함수", "window function"),
    ("join", "결합 조건", "join condition"),
    ("filter", "거르는 조건", "filter"),
    ("group_by", "묶는 기준", "grouping"),
    ("sort", "정렬", "order"),
    ("window", "창의 범위", "window"),
    ("conditional", "조건", "condition"),
    ("rows", "행의 수", "the rows count"),
]);

/// The word for a code; the code itself when it has none.
pub(crate) fn kind_text(code: &str, language: Language) -> String {
    let known = WORDS.get(&code.to_lowercase(), language);
    known.unwrap_or(code).to_owned()
}

/// Bytes in the unit a reader would use, with three digits: `0 B`, `12.3 kB`, `1.41 GB` (powers of a thousand).
pub(crate) fn bytes_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    // What would be rounded up to a thousand belongs to the next unit.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::dictionary::tests::assert_complete;

    #[test]
    fn every_code_has_one_word_in_each_language() {
        assert_complete(&WORDS);
    }

    #[test]
    fn bytes_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (12_345, "12.3 kB"),
            (999_949, "1.00 MB"),
            (1_414_000_000, "1.41 GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(bytes_text(bytes), text);
        }
    }

    #[test]
    fn a_code_without_a_word_stays_as_it_is() {
        assert_eq!(kind_text("half_yearly", Language::Ko), "반기");
        assert_eq!(kind_text("IDENTITY", Language::En), "as it is");
        assert_eq!(kind_text("odd", Language::En), "odd");
    }
}
