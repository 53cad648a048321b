//! The notice of a case, in plain words: what is alleged, on which records, and how to answer.

use std::collections::BTreeSet;

use goyong_site::{Bilingual, DossierEvidence};

/// Writes the notice. Only what is raised and undecided is alleged.
pub(crate) fn notice(
    case_no: i64,
    centre: &str,
    reply_due_on: Option<&str>,
    evidence: &[DossierEvidence],
) -> Bilingual {
    let open: Vec<&DossierEvidence> = evidence
        .iter()
        .filter(|row| row.withdrawn_on.is_none() && row.decided_in.is_none())
        .collect();
    let rules: BTreeSet<&str> = open.iter().map(|row| row.rule.as_str()).collect();
    let span = |from: &Option<String>, to: &Option<String>| {
        let text = |day: &Option<String>| day.clone().unwrap_or_default();
        format!("{} ~ {}", text(from), text(to))
    };
    let (mut korean, mut english) = (Vec::new(), Vec::new());
    if rules.is_empty() {
        return Bilingual::new(
            format!("사건번호 {case_no}. 지금 문제로 삼은 기록이 없으므로 보낼 통지가 없습니다."),
            format!(
                "Case {case_no}. No record is in question at present, so there is no notice to send."
            ),
        );
    }
    korean.push(format!(
        "사건번호 {case_no}. 아래 내용을 확인하고 있습니다. 아직 아무것도 결정되지 않았습니다."
    ));
    english.push(format!(
        "Case {case_no}. We are looking into the following. Nothing has been decided."
    ));
    for rule in rules {
        let (ko, en) = allegation(rule);
        korean.push(format!("· {ko}"));
        english.push(format!("· {en}"));
        for row in open.iter().filter(|row| row.rule == rule) {
            let (subject, days) = (
                span(&row.subject_from, &row.subject_to),
                span(&row.evidence_from, &row.evidence_to),
            );
            korean.push(format!(
                "  - 대상 기간 {subject}, 근거 기록의 기간 {days} (증거 {}번)",
                row.evidence_no
            ));
            english.push(format!(
                "  - period in question {subject}, period of the record {days} (evidence {})",
                row.evidence_no
            ));
        }
    }
    korean.push(format!(
        "사실과 다르면 {}까지 관할 고용센터({centre})에 말 또는 글로 의견을 내실 수 있습니다. 자료를 함께 내실 수 있고, 대리인에게 맡기실 수 있으며, 기록의 열람을 요청하실 수 있습니다(행정절차법 제21조·제27조·제37조).",
        reply_due_on.unwrap_or("통지에 적힌 날")
    ));
    english.push(format!(
        "If this is not so, you may answer in speech or writing to employment centre {centre} until {}. You may add documents, have somebody act for you, and ask to see the records (Administrative Procedures Act, articles 21, 27 and 37).",
        reply_due_on.unwrap_or("the day named in the letter")
    ));
    Bilingual::new(korean.join("\n"), english.join("\n"))
}

/// What a rule alleges, in words for whom it is about.
pub(crate) fn allegation(rule: &str) -> (&'static str, &'static str) {
    match rule {
        "F01" => (
            "실업인정을 받은 날에 취업했거나 일용근로를 한 것으로 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "You are on record as employed, or as having worked by the day, on days you reported as unemployed, and the claim form does not say so.",
        ),
        "F02" => (
            "실업인정을 받은 날에 해당하는 소득이 국세청에 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "Income for days you reported as unemployed was reported to the tax office, and the claim form does not say so.",
        ),
        "F03" => (
            "국외에 계신 동안 온라인으로 실업인정을 신청한 기록이 있습니다.",
            "A claim was certified online while you are on record as being abroad.",
        ),
        "F04" => (
            "실업인정을 받은 날이 병역 복무 기간과 겹칩니다.",
            "Days you reported as unemployed overlap military service.",
        ),
        "F05" => (
            "같은 날 함께 이직한 뒤 같은 사업주에게 다시 고용된 기록이 있습니다.",
            "People who left on the same day were hired back by the same business while the benefit could be paid.",
        ),
        "F06" => (
            "이직 사유가 나중에 수급이 가능한 사유로 바뀌었습니다.",
            "The reason of leaving was later changed to one that entitles to the benefit.",
        ),
        "F07" => (
            "피보험 기간에 해당하는 임금 신고가 없는 사업장에서 이직한 것으로 되어 있습니다.",
            "You left a workplace that reported no wages for the insured months.",
        ),
        "F08" => (
            "상실 신고가 석 달 넘게 늦은 사업장에서 이직한 것으로 되어 있습니다.",
            "The workplace reported your leaving three months late or more.",
        ),
        "F09" => (
            "실업인정을 받은 기간에 사업자등록을 한 기록이 있습니다.",
            "A business was registered to you on days you reported as unemployed.",
        ),
        "F10" => (
            "같은 계좌나 기기로 여러 수급자가 지급받거나 실업인정을 받은 기록이 있습니다.",
            "Several claimants were paid into one account or certified from one device.",
        ),
        "F11" => (
            "지원금을 받은 근로자에게 임금을 지급한 기록이 없거나 채용이 소급하여 신고되었습니다.",
            "A subsidy names people to whom no wages were reported, or whose hiring was reported back-dated.",
        ),
        "R01" => (
            "여러 수급자의 기록이 우연으로 보기 어려울 만큼 서로 이어져 있습니다.",
            "Records of several claimants are tied to each other more than chance would tie them.",
        ),
        _ => (
            "기록을 확인할 필요가 있습니다.",
            "Some records need to be checked.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_in_question_nothing_is_alleged() {
        let letter = notice(7, "110", None, &[]);
        assert!(letter.en.contains("no notice to send"));
        assert!(!letter.ko.contains("아래 내용을 확인"));
    }
}
