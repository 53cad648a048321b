//! Words for the codes of cases and rules, and the rules' own words for what clears a row, in Korean.

use crate::dictionary::Dictionary;
use crate::language::Language;

const WORDS: Dictionary = Dictionary(&[
    // what a case is about
    ("person", "사람", "person"),
    ("workplace", "사업장", "workplace"),
    ("ring", "조직", "ring"),
    // states
    ("pending", "대기", "pending"),
    ("investigating", "조사 중", "investigating"),
    (
        "awaiting_verification",
        "확인 대기",
        "awaiting verification",
    ),
    ("closed", "종결", "closed"),
    // severity
    ("low", "낮음", "low"),
    ("medium", "보통", "medium"),
    ("high", "높음", "high"),
    ("critical", "매우 높음", "critical"),
    // outcomes
    ("confirmed_fraud", "부정수급 확인", "confirmed fraud"),
    ("overpayment_error", "착오 과지급", "overpayment by error"),
    (
        "valuable_alert",
        "문제없음(볼 만했음)",
        "nothing wrong, worth a look",
    ),
    ("false_positive", "문제없음", "nothing wrong"),
    ("referred", "다른 기관에 이송", "referred"),
    // appeals
    ("none", "없음", "none"),
    ("filed", "이의 제기", "filed"),
    ("upheld", "처분 유지", "upheld"),
    ("overturned", "처분 취소", "overturned"),
    ("withdrawn", "이의 취하", "withdrawn"),
    // what happened
    ("open", "열림", "opened"),
    ("reopen", "다시 열림", "reopened"),
    ("update", "증거 갱신", "evidence updated"),
    ("assign", "담당 지정", "assigned"),
    ("move", "단계 이동", "moved on"),
    ("note", "메모", "note"),
    ("send_notice", "통지 발송", "notice sent"),
    ("receive_reply", "의견 접수", "answer received"),
    ("snooze", "보류", "snoozed"),
    ("wake", "보류 해제", "woken"),
    ("open_evidence", "증거 열람", "evidence opened"),
    ("find", "조사 결과 기록", "finding recorded"),
    ("close", "종결", "closed"),
    ("appeal", "이의", "appeal"),
    // lines of the picture
    ("insured", "피보험", "insured"),
    ("daily_work_days", "일용근로", "daily work"),
    ("certified", "실업인정", "certified"),
    ("paid", "급여 지급", "benefit paid"),
    ("abroad", "국외 체류", "abroad"),
    ("questioned", "문제가 된 날", "in question"),
    ("record", "근거 기록", "records"),
    ("no_days", "없음", "none"),
    // what is questioned
    ("round", "실업인정 회차", "certified round"),
    ("claim", "수급자격", "claim"),
    ("subsidy", "지원금 결정", "subsidy"),
    // what speaks for it
    (
        "finding",
        "조사에서 확인한 자료",
        "found in the investigation",
    ),
    ("insured_spell", "피보험 기간", "insured spell"),
    ("daily_work", "일용근로 신고", "reported daily work"),
    ("wage_statement", "지급명세서", "wage statement"),
    ("border_stay", "국외 체류", "stay abroad"),
    ("military_service", "병역 복무", "military service"),
    (
        "mass_rehire",
        "함께 이직 후 재고용",
        "left together, hired back",
    ),
    (
        "reason_changed",
        "이직 사유 변경",
        "changed reason of leaving",
    ),
    (
        "redundant_beside_hires",
        "감원과 채용이 함께 있음",
        "redundancy beside hires",
    ),
    ("no_wage_statement", "임금 신고 없음", "no wage statement"),
    ("late_loss", "늦은 상실 신고", "late report of the loss"),
    ("business", "사업자등록", "business registration"),
    ("shared_account", "함께 쓴 계좌", "shared account"),
    ("shared_device", "함께 쓴 기기", "shared device"),
    ("back_dated_hire", "소급한 채용 신고", "back-dated hire"),
    ("at_work_elsewhere", "다른 곳에서 근무", "at work elsewhere"),
    ("account", "함께 쓴 계좌", "shared account"),
    ("device", "함께 쓴 기기", "shared device"),
    ("rehired", "재고용", "hired back"),
    ("late_report", "늦은 신고", "late report"),
    ("unpaid", "임금 신고 없음", "never paid on record"),
    ("whole_staff", "직원 모두 수급", "the whole staff claims"),
    ("separation", "함께 이직", "left together"),
]);

/// What the rules say of cleared rows, in Korean.
const CLEARED_BY: [(&str, &str); 35] = [
    ("a call-up of no more than seven days", "7일 이하의 소집"),
    (
        "a layoff whose people nothing else ties",
        "달리 이어진 것이 없는 감원",
    ),
    ("a public computer", "공용 컴퓨터"),
    (
        "a seasonal closure that the centre knew of",
        "센터가 미리 안 계절 휴업",
    ),
    ("a single late report", "늦은 신고가 한 건뿐임"),
    ("an account of an institution", "기관의 계좌"),
    ("certified in person", "방문하여 실업인정을 받음"),
    ("closed on the day it opened", "개업한 날 폐업함"),
    (
        "declared in that certification or an earlier one",
        "그 회차나 그 전 회차에 신고함",
    ),
    ("declared in that certification", "그 회차에 신고함"),
    (
        "ended by the claim itself, loss not on record",
        "수급의 바탕이 된 이직으로 끝났으나 상실 기록이 없음",
    ),
    ("entered on that day", "그날 입국함"),
    ("fewer hired than made redundant", "채용이 감원보다 적음"),
    (
        "fewer than a tenth of the losses of the workplace",
        "사업장 상실 신고의 10분의 1 미만",
    ),
    (
        "fewer than three of these months have statements that are due and delivered",
        "제출 기한이 지나 들어온 명세서가 세 달분이 안 됨",
    ),
    (
        "followed by the employment the claim ended, loss not on record",
        "그 뒤의 취업에서 이직하여 수급하였고 앞의 상실 기록이 없음",
    ),
    (
        "hired back after the benefit could be paid",
        "급여를 받을 수 있는 기간이 지난 뒤 재고용됨",
    ),
    (
        "income declared in that certification",
        "그 회차에 소득을 신고함",
    ),
    ("left on that day", "그날 출국함"),
    (
        "linked to the business that hired with too little certainty",
        "채용한 사업장이 같은 사업주의 것이라는 연계가 확실하지 않음",
    ),
    (
        "more users than a ring has",
        "조직이라기에는 함께 쓴 사람이 많음",
    ),
    (
        "no more hired than the usual turnover",
        "평소의 이직·채용을 넘지 않음",
    ),
    (
        "no more households than chance gives",
        "우연으로 볼 수 있는 가구 수",
    ),
    (
        "no more of those who left than chance gives",
        "함께 이직한 사람 가운데 우연으로 볼 수 있는 수",
    ),
    ("one household", "한 가구"),
    (
        "others there were paid according to statements",
        "그곳의 다른 사람은 명세서에 임금이 있음",
    ),
    ("reserve training", "예비군 훈련"),
    ("secondment approved", "승인된 파견"),
    (
        "seen in person later, return not on record",
        "그 뒤 방문한 기록이 있어 입국 기록이 빠진 것으로 봄",
    ),
    ("the business closed", "사업장이 문을 닫음"),
    (
        "the business had closed",
        "그때 사업장이 이미 문을 닫은 것이 등록부에 있음",
    ),
    (
        "the claim follows a later employment",
        "그 뒤의 취업에서 이직하여 수급함",
    ),
    (
        "the statements for the pay due on leaving are not due yet",
        "이직하며 받을 임금의 명세서가 아직 제출 기한 전임",
    ),
    (
        "too few came back while the benefit could be paid",
        "급여를 받을 수 있는 동안 돌아온 사람이 적음",
    ),
    (
        "work declared in that certification",
        "그 회차에 근로를 신고함",
    ),
];

/// A document the rule names behind these words.
const DOCUMENT: (&str, &str) = ("corrected with a document: ", "서류로 정정함: ");

/// The word for a code; the code itself, without underscores, when it has none.
pub(super) fn word(code: &str, language: Language) -> String {
    WORDS.word(code, language)
}

/// What clears a row, in a reader's language; as the rule says it where nobody has translated it.
pub(super) fn cleared_by(text: &str, language: Language) -> String {
    match language {
        Language::En => text.to_owned(),
        Language::Ko => korean(text).unwrap_or_else(|| text.to_owned()),
    }
}

fn korean(text: &str) -> Option<String> {
    if let Some(document) = text.strip_prefix(DOCUMENT.0) {
        return Some(format!("{}{document}", DOCUMENT.1));
    }
    let (_, ko) = CLEARED_BY.iter().find(|(known, _)| *known == text)?;
    Some((*ko).to_owned())
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

    /// The rules as they are written.
    fn rules() -> Vec<(String, String)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/detect");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect()
    }

    /// What each rule says of the rows it clears, as it is written.
    fn reasons() -> Vec<(String, String)> {
        let mut reasons = Vec::new();
        for (name, text) in rules() {
            let parts: Vec<&str> = text.split("end as cleared_by").collect();
            // Behind the last one stands no reason any more.
            for part in &parts[..parts.len() - 1] {
                let expression = &part[part.rfind("case").unwrap()..];
                for said in expression.split("then '").skip(1) {
                    let said = said.split('\'').next().unwrap();
                    reasons.push((name.clone(), said.to_owned()));
                }
            }
        }
        assert!(reasons.len() >= 28, "{} reasons found", reasons.len());
        reasons
    }

    #[test]
    fn every_reason_a_rule_gives_for_clearing_a_row_is_there_in_korean() {
        for (name, said) in reasons() {
            assert!(korean(&said).is_some(), "{name} clears by {said:?}");
        }
    }

    #[test]
    fn every_reason_a_rule_gives_for_clearing_a_row_is_expected_by_a_unit_test() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/detect");
        for (name, said) in reasons() {
            let tests = std::fs::read_to_string(folder.join(format!("{name}.test.yml"))).unwrap();
            assert!(tests.contains(&said), "no test of {name} expects {said:?}");
        }
    }

    #[test]
    fn every_kind_of_evidence_has_words_in_both_languages() {
        let mut seen = 0;
        for (name, text) in rules() {
            let Some(line) = text
                .lines()
                .find(|line| line.trim().starts_with("evidence_kind: {tests"))
            else {
                continue;
            };
            let list = line.split('[').nth(2).unwrap().split(']').next().unwrap();
            for kind in list.split(',').map(str::trim) {
                assert!(WORDS.has(kind), "{name}: {kind}");
                seen += 1;
            }
        }
        assert!(seen >= 20, "{seen} kinds found");
    }

    #[test]
    fn a_document_is_named_in_both_languages() {
        assert_eq!(
            cleared_by("corrected with a document: 확인서", Language::Ko),
            "서류로 정정함: 확인서"
        );
        assert_eq!(cleared_by("a new reason", Language::Ko), "a new reason");
    }
}
