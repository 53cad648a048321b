//! What each kind of evidence alleges, in words for whom it is about.

use goyong_cases::FINDING;

/// What a row of evidence alleges in Korean and English. It follows the rule and the kind of evidence: a rule may have
/// several, and they allege different things.
pub(crate) fn allegation(rule: &str, evidence_kind: &str) -> (&'static str, &'static str) {
    known_allegation(rule, evidence_kind).unwrap_or((
        "기록을 확인할 필요가 있습니다.",
        "Some records need to be checked.",
    ))
}

/// What a row of evidence alleges of the employer, where it is the employer who was paid.
pub(crate) fn allegation_of_employer(
    rule: &str,
    evidence_kind: &str,
) -> Option<(&'static str, &'static str)> {
    match (rule, evidence_kind) {
        ("F11", "back_dated_hire") => Some((
            "지원금을 받은 기간의 채용이 그 기간이 지난 뒤에 소급하여 신고되었고, 그 기간에 임금을 지급한 기록이 없습니다.",
            "A hire for which you received a subsidy was reported back-dated, after the subsidised time, and no wages for \
             that time are on record.",
        )),
        ("F11", "at_work_elsewhere") => Some((
            "지원금의 대상인 사람이 지원 기간에 다른 곳에서 임금을 받은 기록이 있습니다.",
            "Somebody for whose employment you received a subsidy is on record as paid by somebody else in that time.",
        )),
        _ => None,
    }
}

fn known_allegation(rule: &str, evidence_kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match (rule, evidence_kind) {
        (_, FINDING) => (
            "조사에서 확인한 자료에 따라 이 기간의 수급이 맞는지 확인하고 있습니다.",
            "What the investigation found makes us ask whether the benefit of this time was due.",
        ),
        ("F01", "insured_spell") => (
            "실업인정을 받은 날에 취업해 있었던 것으로 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "You are on record as employed on days you reported as unemployed, and the claim form does not say so.",
        ),
        ("F01", "daily_work") => (
            "실업인정을 받은 날에 일용근로를 한 것으로 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "You are on record as having worked by the day on days you reported as unemployed, and the claim form does not \
             say so.",
        ),
        ("F02", "wage_statement") => (
            "실업인정을 받은 날에 해당하는 소득이 국세청에 신고되어 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "Income for days you reported as unemployed was reported to the tax office, and the claim form does not say so.",
        ),
        ("F03", "border_stay") => (
            "국외에 계신 동안 온라인으로 실업인정을 신청한 기록이 있습니다.",
            "A claim was certified online while you are on record as being abroad.",
        ),
        ("F04", "military_service") => (
            "실업인정을 받은 날이 병역 복무 기간과 겹칩니다.",
            "Days you reported as unemployed overlap military service.",
        ),
        ("F05", "mass_rehire") => (
            "같은 날 함께 이직하여 수급한 사람들 가운데 여럿이, 급여를 받을 수 있는 동안 같은 사업주에게 다시 고용된 기록이 있습니다. 귀하도 그 가운데 한 분으로 기록되어 있습니다.",
            "Several of those who left on the same day and claimed were hired back by the same business while the benefit \
             could be paid. You are on record as one of them.",
        ),
        ("F06", "reason_changed") => (
            "이직 사유가 나중에 수급이 가능한 사유로 바뀌었습니다.",
            "The reason of leaving was later changed to one that entitles to the benefit.",
        ),
        ("F06", "redundant_beside_hires") => (
            "경영상 감원으로 이직한 것으로 신고되어 있으나, 그 무렵 같은 사업장이 같은 직종의 사람을 새로 채용한 기록이 있습니다.",
            "You are on record as made redundant, and at that time the same workplace is on record as hiring for the same \
             occupation.",
        ),
        ("F07", "no_wage_statement") => (
            "피보험 기간에 해당하는 임금 신고(국세청 지급명세서)가 한 건도 없고 곧 문을 닫은 사업장에서 이직한 것으로 되어 있습니다.",
            "You are on record as having left a workplace that reported no wages to the tax office for the insured months \
             and closed soon after.",
        ),
        ("F08", "late_loss") => (
            "사업장이 상실을 석 달 이상 늦게 신고하였고, 그 신고 직후에 수급자격을 신청한 기록이 있습니다.",
            "The workplace reported your leaving three months late or more, and you applied right after that report.",
        ),
        ("F09", "business") => (
            "실업인정을 받은 기간에 사업자등록을 한 기록이 있으나, 실업인정 신청서에는 적혀 있지 않습니다.",
            "A business was registered to you on days you reported as unemployed, and the claim form does not say so.",
        ),
        ("F10", "shared_account") | ("R01", "account") => (
            "귀하의 급여가 지급된 계좌로 다른 여러 수급자의 급여도 지급된 기록이 있습니다.",
            "The account your benefit was paid into is on record as that of several other claimants as well.",
        ),
        ("F10", "shared_device") | ("R01", "device") => (
            "귀하의 온라인 실업인정에 쓰인 기기로 다른 여러 수급자도 실업인정을 신청한 기록이 있습니다.",
            "The device from which you certified online is on record as used by several other claimants as well.",
        ),
        ("F11", "back_dated_hire") => (
            "사업주가 귀하의 고용을 이유로 지원금을 받았으나, 채용이 그 기간이 지난 뒤에 소급하여 신고되었고 그 기간에 임금을 지급한 기록이 없습니다.",
            "An employer received a subsidy for employing you. Your hiring was reported back-dated, after the subsidised \
             time, and no wages for that time are on record.",
        ),
        ("F11", "at_work_elsewhere") => (
            "사업주가 귀하의 고용을 이유로 지원금을 받았으나, 그 기간에 귀하가 다른 곳에서 임금을 받은 기록이 있습니다.",
            "An employer received a subsidy for employing you, and wages for that time are on record from somebody else.",
        ),
        ("R01", "rehired") => (
            "가까운 때에 함께 이직하여 수급한 사람들이, 급여를 받을 수 있는 동안 같은 사업주에게 다시 고용된 일이 우연으로 보기 어려울 만큼 많습니다. 귀하도 그 가운데 한 분으로 기록되어 있습니다.",
            "Of those who left at about one time and claimed, more were hired back by the same business while the benefit \
             could be paid than chance explains. You are on record as one of them.",
        ),
        ("R01", "late_report") => (
            "같은 사업주가 상실을 석 달 이상 늦게 신고한 뒤 곧바로 수급한 일이 우연으로 보기 어려울 만큼 많습니다. 귀하의 상실 신고도 그 가운데 하나입니다.",
            "The same business reported more losses three months late or more, with claims right after them, than chance \
             explains. The report of your leaving is one of them.",
        ),
        ("R01", "unpaid") => (
            "같은 사업주에게서 가까운 때에 이직하여 수급한 사람들 가운데, 임금 신고(국세청 지급명세서)가 없는 사람이 우연으로 보기 어려울 만큼 많습니다. 귀하의 피보험 기간에도 그 사업주의 임금 신고가 없습니다.",
            "Of those who left the same business at about one time and claimed, more have no wages reported to the tax \
             office than chance explains. None are on record for your insured months there either.",
        ),
        ("R01", "whole_staff") => (
            "한 사업주의 직원이 거의 모두 가까운 때에 이직하여 수급한 기록이 있습니다. 귀하도 그 가운데 한 분으로 기록되어 있습니다.",
            "Nearly all staff of one business left at about one time and claimed. You are on record as one of them.",
        ),
        ("R01", "separation") => (
            "같은 사업주에게서 가까운 때에 이직하여 수급한 사람이 우연으로 보기 어려울 만큼 많습니다. 귀하도 그 가운데 한 분으로 기록되어 있습니다.",
            "More people left the same business at about one time and claimed than chance explains. You are on record as \
             one of them.",
        ),
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Each rule with each kind of evidence that its header declares.
    pub(crate) fn kinds_of_rules() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/detect");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "sql") {
                continue;
            }
            let rule = path.file_stem().unwrap().to_str().unwrap().to_uppercase();
            let text = std::fs::read_to_string(&path).unwrap();
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with("evidence_kind:"));
            let Some(line) = line else { continue };
            let (_, kinds) = line.split_once("accepted_values: [").unwrap();
            let (kinds, _) = kinds.split_once(']').unwrap();
            found.extend(
                kinds
                    .split(", ")
                    .map(|kind| (rule.clone(), kind.to_owned())),
            );
        }
        found.sort();
        let rules: BTreeSet<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(rules.len(), 12, "{found:?}");
        found
    }

    #[test]
    fn every_kind_of_evidence_of_every_rule_has_its_own_words_in_both_languages() {
        let mut by_rule = BTreeSet::new();
        for (rule, kind) in kinds_of_rules() {
            let (korean, english) = known_allegation(&rule, &kind)
                .unwrap_or_else(|| panic!("no words for {rule} {kind}"));
            assert!(
                korean.ends_with("다.") && english.ends_with('.'),
                "{rule} {kind}"
            );
            assert!(korean.chars().any(|letter| ('가'..='힣').contains(&letter)));
            assert!(
                by_rule.insert((rule.clone(), korean)),
                "{rule} {kind} says the same"
            );
            assert!(
                by_rule.insert((rule.clone(), english)),
                "{rule} {kind} says the same"
            );
        }
    }

    #[test]
    fn a_redundancy_beside_hires_is_no_changed_reason() {
        let (korean, english) = allegation("F06", "redundant_beside_hires");
        assert!(korean.contains("감원") && !korean.contains("바뀌"));
        assert!(english.contains("redundant") && !english.contains("changed"));
    }
}
