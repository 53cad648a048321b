//! The notice of a case, in plain words: what is alleged, on which records of which agency, and how to answer. One letter
//! for each person, about that person's own periods, and one to the employer about what the employer was paid.

use std::collections::{BTreeMap, BTreeSet};

use goyong_cases::{Case, Evidence, FINDING};
use goyong_site::{Bilingual, Letter};

use crate::case_allegations::{allegation, allegation_of_employer};
use crate::case_members::CaseMembers;
use crate::trace_evidence::sources_of;

/// What the letters of a case have in common.
pub(crate) struct Notice<'a> {
    pub(crate) case: &'a Case,
    pub(crate) members: &'a CaseMembers,
    /// A source in words: what it is and which agency holds it.
    pub(crate) record: &'a dyn Fn(&str) -> Bilingual,
    /// The probability of the links that a row rests on, where some are not by number.
    pub(crate) link: &'a dyn Fn(&Evidence) -> Option<f64>,
}

impl Notice<'_> {
    /// Writes the letters. Only what is raised and undecided is alleged; where that is nothing, the letter says that there
    /// is none to send.
    pub(crate) fn letters(&self, evidence: &[Evidence]) -> Vec<Letter> {
        let mut of_members: BTreeMap<Option<usize>, Vec<&Evidence>> = BTreeMap::new();
        let mut of_employer: Vec<&Evidence> = Vec::new();
        for row in evidence {
            let member = self.members.number_of(row.evidence_no);
            // Of whom was forgotten nothing is alleged; a finding that names nobody is a question to the workplace.
            let is_to_send = member.is_some() || row.evidence_kind == FINDING;
            let is_open = row.withdrawn_on.is_none() && row.decided_in.is_none();
            if is_open && is_to_send {
                of_members.entry(member).or_default().push(row);
            }
            if is_open && alleged_of_employer(row).is_some() {
                of_employer.push(row);
            }
        }
        if of_members.is_empty() {
            return vec![self.nothing_to_send()];
        }
        let to_employer = (!of_employer.is_empty()).then(|| Letter {
            member: None,
            to_employer: true,
            evidence: numbers(&of_employer),
            text: self.letter(&of_employer, true),
        });
        let to_members = of_members.into_iter().map(|(member, rows)| Letter {
            member,
            to_employer: false,
            evidence: numbers(&rows),
            text: self.letter(&rows, false),
        });
        to_employer.into_iter().chain(to_members).collect()
    }

    fn nothing_to_send(&self) -> Letter {
        let case_no = self.case.case_no;
        Letter {
            member: None,
            to_employer: false,
            evidence: Vec::new(),
            text: Bilingual::new(
                format!(
                    "사건번호 {case_no}. 지금 문제로 삼은 기록이 없으므로 보낼 통지가 없습니다."
                ),
                format!(
                    "Case {case_no}. No record is in question at present, so there is no notice to send."
                ),
            ),
        }
    }

    fn letter(&self, rows: &[&Evidence], to_employer: bool) -> Bilingual {
        let alleges = |row: &Evidence| match to_employer {
            true => alleged_of_employer(row),
            false => Some(allegation(&row.rule_id, &row.evidence_kind)),
        };
        let case_no = self.case.case_no;
        let mut korean = vec![format!(
            "사건번호 {case_no}. 아래 내용을 확인하고 있습니다. 아직 아무것도 결정되지 않았습니다."
        )];
        let mut english = vec![format!(
            "Case {case_no}. We are looking into the following. Nothing has been decided."
        )];
        let mut ordered = rows.to_vec();
        ordered.sort_by_key(|row| (&row.rule_id, &row.evidence_kind));
        let mut said = BTreeSet::new();
        for (ko, en) in ordered.into_iter().filter_map(alleges) {
            if !said.insert(en) {
                continue;
            }
            korean.push(format!("· {ko}"));
            english.push(format!("· {en}"));
            let same = |row: &&&Evidence| alleges(row).is_some_and(|(_, said)| said == en);
            for row in rows.iter().filter(same) {
                let (ko, en) = self.period(row);
                korean.push(ko);
                english.push(en);
            }
        }
        if to_employer {
            korean.push(
                "누구의 채용인지는 고용센터에서 사업주임을 확인한 뒤 알려 드립니다.".to_owned(),
            );
            english.push(
                "Whose employment it is the centre tells you once it knows that you are the employer."
                    .to_owned(),
            );
        }
        let centre = &self.case.state.centre;
        let due = self.case.state.reply_due_on.map(|day| day.to_string());
        korean.push(format!(
            "사실과 다르면 {}까지 관할 고용센터({centre})에 말 또는 글로 의견을 내실 수 있습니다. 자료를 함께 내실 수 있고, 대리인에게 맡기실 수 있으며, 기록의 열람을 요청하실 수 있습니다(행정절차법 제21조·제27조·제37조).",
            due.as_deref().unwrap_or("통지에 적힌 날")
        ));
        english.push(format!(
            "If this is not so, you may answer in speech or writing to employment centre {centre} until {}. You may add documents, have somebody act for you, and ask to see the records (Administrative Procedures Act, articles 21, 27 and 37).",
            due.as_deref().unwrap_or("the day named in the letter")
        ));
        Bilingual::new(korean.join("\n"), english.join("\n"))
    }

    /// The line of a row: the days in question, the record and who holds it, the days of the record.
    fn period(&self, row: &Evidence) -> (String, String) {
        let (subject_ko, subject_en) = span(row.subject_from.as_ref(), row.subject_to.as_ref());
        let (days_ko, days_en) = span(row.evidence_from.as_ref(), row.evidence_to.as_ref());
        let records: Vec<Bilingual> = match row.evidence_kind.as_str() {
            FINDING => vec![Bilingual::new(
                "조사에서 확인한 자료(고용센터)",
                "what the investigation found (employment centre)",
            )],
            _ => sources_of(row).into_iter().map(self.record).collect(),
        };
        let both = |text: fn(&Bilingual) -> &str, between: &str| {
            let names: Vec<&str> = records.iter().map(text).collect();
            names.join(between)
        };
        let number = row.evidence_no;
        let (link_ko, link_en) = match (self.link)(row) {
            Some(probability) => {
                // Rounded down: no link that is not certain is told as certain.
                let percent = (probability * 1000.0).floor() / 10.0;
                (
                    format!(
                        " 이 기록은 번호가 아니라 상호·주소 등을 견주어 같은 사업체의 것으로 보았습니다(같을 확률 {percent:.1}%). 다른 사업체의 것이면 알려 주십시오."
                    ),
                    format!(
                        "; the record was taken to be of the same business by name and address, not by number (probability {percent:.1} %): say so if it is another's"
                    ),
                )
            }
            None => (String::new(), String::new()),
        };
        (
            format!(
                "  - 대상 기간 {subject_ko}. 근거 기록 {}, 기록의 기간 {days_ko} (증거 {number}번){link_ko}",
                both(|text| &text.ko, " · ")
            ),
            format!(
                "  - period in question {subject_en}; record: {}, period of the record {days_en} (evidence {number}){link_en}",
                both(|text| &text.en, " · ")
            ),
        )
    }
}

fn alleged_of_employer(row: &Evidence) -> Option<(&'static str, &'static str)> {
    allegation_of_employer(&row.rule_id, &row.evidence_kind)
}

fn numbers(rows: &[&Evidence]) -> Vec<i64> {
    rows.iter().map(|row| row.evidence_no).collect()
}

/// Days from one to another in Korean and English.
fn span(from: Option<&String>, to: Option<&String>) -> (String, String) {
    match (from, to) {
        (Some(from), Some(to)) => (format!("{from} ~ {to}"), format!("{from} to {to}")),
        (Some(from), None) => (format!("{from}부터 계속"), format!("from {from} on")),
        (None, Some(to)) => (format!("{to}까지"), format!("until {to}")),
        (None, None) => ("정해지지 않음".to_owned(), "not known".to_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::render_cases::tests::case;

    /// A row of evidence of a kind about a person.
    pub(crate) fn evidence(evidence_no: i64, rule: &str, kind: &str, person: i64) -> Evidence {
        Evidence {
            evidence_no,
            case_no: 7,
            rule_id: rule.into(),
            rule_version: 1,
            subject_kind: "claim".into(),
            subject_key: format!("C{person}"),
            evidence_kind: kind.into(),
            evidence_key: "11111111111/2025-06-09/062".into(),
            person_key: Some(person),
            severity: "high".into(),
            subject_from: Some(format!("2025-0{person}-01")),
            subject_to: None,
            evidence_from: Some("2025-06-09".into()),
            evidence_to: Some("2025-06-16".into()),
            amount_at_risk_won: person,
            known_on: "2025-07-08".into(),
            first_seen_on: "2025-07-09".into(),
            withdrawn_on: None,
            decided_in: None,
            opened_by: String::new(),
        }
    }

    fn letters(rows: &[Evidence]) -> Vec<Letter> {
        let case = Case {
            pivot_kind: "workplace".into(),
            ..case(7)
        };
        let members = CaseMembers::of(&case, rows);
        Notice {
            case: &case,
            members: &members,
            record: &|source| {
                Bilingual::new(format!("{source}(기관)"), format!("{source} (agency)"))
            },
            link: &|row| (row.rule_id == "F05").then_some(0.97654),
        }
        .letters(rows)
    }

    #[test]
    fn where_nothing_is_in_question_nothing_is_alleged() {
        let mut row = evidence(31, "F06", "redundant_beside_hires", 2);
        row.withdrawn_on = Some("2025-08-01".into());
        for rows in [&[][..], &[row][..]] {
            let letters = letters(rows);
            assert_eq!(letters.len(), 1);
            assert!(letters[0].text.en.contains("no notice to send"));
            assert!(!letters[0].text.ko.contains("아래 내용을 확인"));
        }
    }

    #[test]
    fn what_an_employer_was_paid_is_alleged_of_the_employer_who_is_told_no_person() {
        let mut decided = evidence(34, "F11", "back_dated_hire", 3);
        decided.decided_in = Some(1);
        let rows = [
            evidence(31, "F11", "at_work_elsewhere", 5),
            evidence(32, "F06", "redundant_beside_hires", 2),
            evidence(33, "F11", "back_dated_hire", 2),
            decided,
        ];
        let letters = letters(&rows);
        let [employer, persons @ ..] = letters.as_slice() else {
            panic!("no letter");
        };
        assert!(employer.to_employer && employer.member.is_none());
        assert_eq!(employer.evidence, [31, 33]);
        for said in ["paid by somebody else", "reported back-dated", "2025-05-01"] {
            assert!(employer.text.en.contains(said), "{}", employer.text.en);
        }
        assert!(!employer.text.en.contains("same occupation"));
        assert!(employer.text.ko.contains("소급하여 신고"));
        assert!(persons.iter().all(|letter| !letter.to_employer));
        assert_eq!(persons.len(), 2, "people are asked too");
    }

    #[test]
    fn a_record_that_was_not_linked_by_number_can_be_contested_as_another_business() {
        let linked = &letters(&[evidence(31, "F05", "mass_rehire", 2)])[0].text;
        assert!(
            linked.en.contains("not by number (probability 97.6 %)"),
            "{}",
            linked.en
        );
        assert!(linked.ko.contains("같을 확률 97.6%"), "{}", linked.ko);
        let by_number = &letters(&[evidence(31, "F06", "redundant_beside_hires", 2)])[0].text;
        assert!(!by_number.en.contains("probability"), "{}", by_number.en);
    }

    #[test]
    fn each_person_of_a_workplace_gets_a_letter_about_their_own_periods_alone() {
        let rows = [
            evidence(31, "F06", "redundant_beside_hires", 5),
            evidence(32, "F06", "redundant_beside_hires", 2),
            evidence(33, "R01", "late_report", 5),
        ];
        let letters = letters(&rows);
        assert_eq!(letters.len(), 2);
        assert_eq!(
            (letters[0].member, &letters[0].evidence[..]),
            (Some(1), &[31, 33][..])
        );
        assert_eq!(
            (letters[1].member, &letters[1].evidence[..]),
            (Some(2), &[32][..])
        );
        for text in [&letters[0].text.ko, &letters[0].text.en] {
            assert!(
                text.contains("2025-05-01") && !text.contains("2025-02-01"),
                "{text}"
            );
            assert!(text.contains("ei_insured_spell"), "{text}");
        }
        assert!(
            letters[0]
                .text
                .en
                .contains("hiring for the same occupation")
        );
        assert!(letters[0].text.en.contains("three months late"));
        assert!(!letters[1].text.en.contains("three months late"));
        assert!(
            letters
                .iter()
                .all(|letter| !letter.text.en.contains("changed"))
        );
    }

    #[test]
    fn what_two_rules_say_alike_is_said_once() {
        let rows = [
            evidence(31, "F10", "shared_account", 5),
            evidence(32, "R01", "account", 5),
        ];
        let letters = letters(&rows);
        assert_eq!(letters[0].text.en.matches("The account").count(), 1);
        assert!(
            letters[0].text.en.contains("(evidence 31)")
                && letters[0].text.en.contains("(evidence 32)")
        );
    }

    #[test]
    fn a_finding_that_names_nobody_accuses_nobody() {
        let mut finding = evidence(31, "F06", FINDING, 5);
        finding.person_key = None;
        let alone = letters(&[finding.clone()]);
        assert_eq!(alone[0].member, None);
        assert!(alone[0].text.en.contains("employment centre)"));
        // Another row tells whose claim it is.
        let beside = letters(&[finding, evidence(32, "F06", "redundant_beside_hires", 5)]);
        assert_eq!((beside.len(), beside[0].member), (1, Some(1)));
    }

    #[test]
    fn nothing_is_alleged_of_whom_was_forgotten() {
        let mut row = evidence(31, "F06", "redundant_beside_hires", 2);
        row.person_key = None;
        assert!(letters(&[row])[0].text.en.contains("no notice to send"));
    }
}
