//! Pages of cases from made-up dossiers: the same facts as the JSON, in both languages, escaped, private, and gone with
//! their case.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

use goyong_site::{
    AnomalyPlace, Bilingual, CaseLine, CaseStanding, CasesInputs, ClearedRow, Clearing, ClosedCase,
    DeliveredRow, Dossier, DossierEvent, DossierEvidence, DossierRule, Lane, Letter, NamedFact,
    Reason, RiskPlace, RiskTheme, Stretch, ThemeFact, render_cases, rendered_cases, similar_cases,
};
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert(1)</script> \"&'";
const OUTCOMES: [&str; 2] = ["confirmed_fraud", "false_positive"];

fn stretch(lane: Lane, from: &str, to: Option<&str>, kind: &str) -> Stretch {
    Stretch {
        lane,
        from: from.into(),
        to: to.map(str::to_owned),
        kind: kind.into(),
    }
}

fn evidence() -> DossierEvidence {
    DossierEvidence {
        evidence_no: 31,
        member: Some(1),
        rule: "F01".into(),
        rule_version: 2,
        subject_kind: "round".into(),
        subject_key: "C000000017/3".into(),
        subject_from: Some("2025-06-02".into()),
        subject_to: Some("2025-06-29".into()),
        evidence_kind: "insured_spell".into(),
        evidence_key: Some("12345678901/2025-06-10".into()),
        evidence_from: Some("2025-06-10".into()),
        evidence_to: None,
        link_probability: Some(0.976),
        amount_at_risk_won: 1_284_000,
        known_on: "2025-07-15".into(),
        raised_on: "2025-07-16".into(),
        withdrawn_on: None,
        decided_in: None,
        opened_by: vec!["officer-7".into()],
        clearing: Clearing::NothingClears,
        delivered: vec![DeliveredRow {
            source: "ei_certification".into(),
            delivery: "ei_certification_2025-06_r1".into(),
            row: 4711,
            is_of_others: false,
        }],
        delivered_not_shown: 0,
    }
}

fn dossier(case_no: i64) -> Dossier {
    let ended = |rules: &str, outcome: &str, count: usize| {
        let case = ClosedCase {
            rules: rules.into(),
            outcome: outcome.into(),
        };
        vec![case; count]
    };
    let mut closed = ended("F01", "confirmed_fraud", 41);
    closed.extend(ended("F01,F03", "false_positive", 3));
    let rules = BTreeSet::from(["F01".to_owned()]);
    Dossier {
        case_no,
        about: "person".into(),
        opened_on: "2025-07-16".into(),
        state: CaseStanding {
            state: "investigating".into(),
            centre: "110".into(),
            severity: "high".into(),
            rules: "F01".into(),
            evidence_count: 1,
            undecided_count: 1,
            amount_at_risk_won: 1_284_000,
            first_on: Some("2025-06-10".into()),
            last_on: Some("2025-06-29".into()),
            investigator: Some("officer-7".into()),
            appeal: "none".into(),
            ..CaseStanding::default()
        },
        release: Some("2025-07-16.1".into()),
        reasons: vec![Reason {
            rule: "F01".into(),
            rows: 1,
            overlap_days: Some(20),
            largest_amount_won: 1_284_000,
            text: Bilingual::new("F01 겹침", "F01: overlap"),
        }],
        risk: Some(RiskPlace {
            probability: 0.1234,
            model: "fraud_risk".into(),
            title: Bilingual::new("결정될 확률", "chance of a decision"),
            entity: "C000000017".into(),
            entered_on: "2025-06-01".into(),
            scored_on: "2025-07-16".into(),
            model_version: "2025-07-16-aabbccdd".into(),
            is_corrected: false,
            reasons: vec![RiskTheme {
                title: Bilingual::new("신고하지 않은 사실", "facts not declared"),
                log_odds: 1.25,
                facts: vec![
                    ThemeFact {
                        fact: "undeclared_insured_days".into(),
                        title: Bilingual::new("피보험일", "insured days not declared"),
                        value: Some("20".into()),
                        log_odds: 1.5,
                    },
                    ThemeFact {
                        fact: "declared_days".into(),
                        title: Bilingual::new("신고한 날", "days declared"),
                        value: None,
                        log_odds: -0.25,
                    },
                ],
            }],
            no_reasons: None,
        }),
        no_risk: None,
        anomaly: Some(AnomalyPlace {
            claim_no: "C000000017".into(),
            of_claims: 2,
            surprise: 7.25,
            as_strange_share: 0.0345,
            facts: vec![NamedFact {
                fact: "abroad_rounds".into(),
                title: Bilingual::new("해외 회차", "rounds while abroad"),
            }],
        }),
        no_anomaly: None,
        scores_say: Bilingual::new("둘 다 증거가 아닙니다.", "Neither is evidence."),
        rules: vec![DossierRule {
            rule: "F01".into(),
            version_of_evidence: 2,
            version_now: Some("3".into()),
            text: Bilingual::new("F01 겹침", "F01: overlap"),
            legal_basis: Some(Bilingual::same("고용보험법 제47조")),
            clears: vec![Bilingual::new(
                "그 회차에 신고함",
                "declared in that certification",
            )],
            clearing_checked: 1,
            rows: 1,
        }],
        evidence: vec![evidence()],
        cleared: vec![ClearedRow {
            rule: "F03".into(),
            subject_kind: "round".into(),
            subject_key: "C000000017/1".into(),
            evidence_kind: "border_stay".into(),
            evidence_key: Some("2025-05-02".into()),
            by: "entered on that day".into(),
        }],
        window: Some(["2025-02-01".into(), "2025-10-31".into()]),
        days: vec![
            stretch(Lane::Insured, "2025-06-10", None, "insured_spell"),
            stretch(Lane::Certified, "2025-06-02", Some("2025-06-29"), "round"),
            stretch(Lane::Questioned, "2025-06-02", Some("2025-06-29"), "round"),
        ],
        days_not_told: vec![Lane::Abroad],
        events: vec![DossierEvent {
            event_no: 5,
            at: Some("2025-07-17T01:02:03+00:00".into()),
            account: "officer-7".into(),
            action: "move".into(),
            before: json!({ "state": "pending" }),
            after: json!({ "state": "investigating" }),
            detail: json!({ "text": HOSTILE }),
            hash: "0123456789abcdef0123456789abcdef".into(),
        }],
        similar: similar_cases("person", &rules, &OUTCOMES, &closed).unwrap(),
        letters: vec![Letter {
            member: Some(1),
            to_employer: false,
            evidence: vec![31],
            text: Bilingual::new(
                "사건 12.\n  - 대상 기간",
                "Case 12.\n  - period in question",
            ),
        }],
    }
}

fn line(case_no: i64) -> CaseLine {
    CaseLine {
        case_no,
        about: "person".into(),
        standing: dossier(case_no).state,
        is_listed: true,
    }
}

fn inputs(lines: &[i64], dossiers: &[i64], kept: &[i64]) -> CasesInputs {
    CasesInputs {
        project: HOSTILE.into(),
        notice: None,
        release: Some("2025-07-16.1".into()),
        lines: lines.iter().copied().map(line).collect(),
        dossiers: dossiers
            .iter()
            .map(|case_no| (dossier(*case_no), format!("event of {case_no}")))
            .collect(),
        kept: kept.to_vec(),
    }
}

fn read(folder: &Path, address: &str) -> String {
    std::fs::read_to_string(folder.join(address)).unwrap_or_else(|_| panic!("no {address}"))
}

/// Every text and number of a JSON value.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn a_page_tells_every_fact_of_the_json_in_words() {
    let folder = tempfile::tempdir().unwrap();
    render_cases(&inputs(&[12], &[12], &[]), folder.path()).unwrap();
    let page = read(folder.path(), "en/12/index.html");
    let json = serde_json::to_value(dossier(12)).unwrap();
    let mut facts = Vec::new();
    for part in [
        "evidence",
        "cleared",
        "days",
        "window",
        "release",
        "opened_on",
    ] {
        leaves(&json[part], &mut facts);
    }
    let in_words = [
        ("round", "certified round"),
        ("insured_spell", "insured spell"),
        ("border_stay", "stay abroad"),
        ("nothing_clears", "nothing on record clears it"),
        ("1284000", "1,284,000"),
        ("questioned", "in question"),
        ("0.976", "97.6%"),
    ];
    for fact in facts {
        let said = in_words.iter().find(|(code, _)| *code == fact);
        let said = said.map_or(fact.as_str(), |(_, word)| *word);
        // The night that raised a row is told by the JSON alone.
        assert!(
            page.contains(said) || fact == "2025-07-16",
            "{fact} is not told"
        );
    }
    for expected in [
        "now 3",
        "고용보험법 제47조",
        "declared in that certification",
        "Yes, by the rule itself",
        "entered on that day",
        "pending → investigating",
        "0123456789ab",
        "days that overlap 20",
        "insured 144 days",
        "does not tell: abroad",
        "Case 12.",
        "lang=\"ko\"",
        "class=\"indented\"",
        "12.3%",
        "linked by name and address, not by number; probability 97.6%",
        "2025-07-16-aabbccdd",
        "not corrected to the true prevalence",
        "goyong alerts show 12",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    let korean = read(folder.path(), "ko/12/index.html");
    for expected in [
        "실업인정 회차",
        "그 회차에 신고함",
        "그날 입국함",
        "대기 → 조사 중",
        "피보험 144일",
    ] {
        assert!(korean.contains(expected), "{expected}");
    }
}

#[test]
fn a_score_stands_with_its_reasons_in_words_and_where_there_is_none_with_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = inputs(&[12], &[12], &[]);
    render_cases(&inputs, folder.path()).unwrap();
    let section = |language: &str| {
        let page = read(folder.path(), &format!("{language}/12/index.html"));
        let from = page.find("id=\"scores\"").unwrap();
        let to = page.find("id=\"days-heading\"").unwrap();
        page[from..to].to_owned()
    };
    let english = section("en");
    for expected in [
        "Neither is evidence.",
        "chance of a decision: <b>12.3%</b>",
        "stretch from 2025-06-01",
        "ranked in the night of 2025-07-16",
        "facts not declared: raises the score <span class=\"unit\">+1.25</span>",
        "insured days not declared: 20 <span class=\"unit\">+1.50</span>",
        "days declared: not on record <span class=\"unit\">−0.25</span>",
        "as strange or stranger: <b>3.5%</b>",
        "the strangest of the claims of this case, 2",
        "as much of: rounds while abroad",
    ] {
        assert!(english.contains(expected), "{expected}\n{english}");
    }
    let korean = section("ko");
    for expected in [
        "둘 다 증거가 아닙니다.",
        "피보험일: 20",
        "점수를 올림",
        "해외 회차",
    ] {
        assert!(korean.contains(expected), "{expected}\n{korean}");
    }

    let dossier = &mut inputs.dossiers[0].0;
    let risk = dossier.risk.as_mut().unwrap();
    risk.reasons.clear();
    risk.no_reasons = Some(Bilingual::new("다른 자료", "other facts by now"));
    dossier.anomaly = None;
    dossier.no_anomaly = Some(Bilingual::new("없는 까닭", "no claim is named"));
    render_cases(&inputs, folder.path()).unwrap();
    let english = section("en");
    assert!(english.contains("No reasons are told: other facts by now"));
    assert!(english.contains("no score: no claim is named"));
    let dossier = &mut inputs.dossiers[0].0;
    dossier.risk = None;
    dossier.no_risk = Some(Bilingual::new("판이 없음", "no version serves"));
    render_cases(&inputs, folder.path()).unwrap();
    assert!(section("en").contains("no score: no version serves"));
    assert!(section("ko").contains("점수 없음: 판이 없음"));
}

#[test]
fn where_no_evidence_is_open_nothing_is_alleged_and_no_notice_is_to_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = inputs(&[12], &[12], &[]);
    render_cases(&inputs, folder.path()).unwrap();
    let page = read(folder.path(), "en/12/index.html");
    assert!(page.contains("What follows is a suspicion") && !page.contains("no notice to send"));
    inputs.dossiers[0].0.evidence[0].withdrawn_on = Some("2025-08-01".into());
    render_cases(&inputs, folder.path()).unwrap();
    let page = read(folder.path(), "en/12/index.html");
    assert!(!page.contains("What follows is a suspicion"));
    assert!(page.contains("Nothing is alleged") && page.contains("no notice to send"));
}

#[test]
fn a_case_about_several_people_has_a_letter_for_each_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = inputs(&[12], &[12], &[]);
    render_cases(&inputs, folder.path()).unwrap();
    let page = read(folder.path(), "en/12/index.html");
    assert!(!page.contains("Person 1") && !page.contains("--evidence"));
    let dossier = &mut inputs.dossiers[0].0;
    dossier.about = "workplace".into();
    let mut other = dossier.evidence[0].clone();
    (other.evidence_no, other.member) = (32, Some(2));
    other.delivered[0].is_of_others = true;
    other.delivered_not_shown = 8;
    dossier.evidence.push(other);
    dossier.letters.push(Letter {
        member: Some(2),
        to_employer: false,
        evidence: vec![32],
        text: Bilingual::new("둘째 글", "the second letter"),
    });
    dossier.letters.push(Letter {
        member: None,
        to_employer: true,
        evidence: vec![33],
        text: Bilingual::new("사업주 글", "what the employer was paid"),
    });
    render_cases(&inputs, folder.path()).unwrap();
    let page = read(folder.path(), "en/12/index.html");
    for expected in [
        "Person 2",
        "the second letter",
        "The employer",
        "what the employer was paid",
        "둘째 글",
        "about others",
        "Rows not listed: 8",
        "goyong vault look-up --case 12 --evidence",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert_eq!(page.matches("class=\"next-letter\"").count(), 2);
}

#[test]
fn small_counts_of_similar_cases_are_hidden_and_texts_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    render_cases(&inputs(&[12], &[12], &[]), folder.path()).unwrap();
    for page in [
        "en/12/index.html",
        "ko/12/index.html",
        "en/index.html",
        "index.html",
    ] {
        let page = read(folder.path(), page);
        assert!(!page.contains("<script"), "markup from data");
        assert!(page.contains("script-src 'none'"));
    }
    let page = read(folder.path(), "en/12/index.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#39;"));
    let similar = &page[page.find("id=\"similar\"").unwrap()..page.find("id=\"events\"").unwrap()];
    assert!(similar.contains(">x</abbr>"), "{similar}");
    assert!(!similar.contains(">3<"), "three cases are too few to show");
}

#[test]
fn a_page_stays_while_its_case_is_kept_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cases");
    let first = render_cases(&inputs(&[12, 13, 14], &[12, 13], &[]), &out).unwrap();
    assert_eq!((first.dossiers, first.removed), (2, 0));
    assert_eq!(rendered_cases(&out)[&12], "event of 12");
    let list = read(&out, "en/index.html");
    assert!(
        list.contains("en/13/index.html") && !list.contains("en/14/index.html"),
        "no dead link"
    );
    assert!(list.contains("without a page so far: <b>1</b>"));
    let again = render_cases(&inputs(&[12, 13, 14], &[], &[12, 13]), &out).unwrap();
    assert_eq!((again.dossiers, again.written, again.removed), (0, 0, 0));
    let closed = render_cases(&inputs(&[13, 14], &[], &[13]), &out).unwrap();
    assert_eq!(closed.removed, 2, "in each language");
    assert!(!out.join("ko/12").exists() && out.join("ko/13/index.html").is_file());
    assert_eq!(rendered_cases(&out).into_keys().collect::<Vec<_>>(), [13]);
}

#[test]
fn the_same_dossiers_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        let out = folder.path().join(name);
        render_cases(&inputs(&[12], &[12], &[]), &out).unwrap();
        ["ko/12/index.html", "en/12/index.html", "ko/index.html"].map(|page| read(&out, page))
    });
    assert_eq!(one, other);
}

#[test]
fn a_long_list_stands_on_pages_of_a_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<i64> = (1..=250).collect();
    render_cases(&inputs(&many, &[], &[]), folder.path()).unwrap();
    let rows = |address: &str| {
        read(folder.path(), address)
            .matches("<tr><th scope=\"row\"")
            .count()
    };
    assert_eq!(rows("ko/index.html"), 100);
    assert_eq!(rows("ko/list/3/index.html"), 50);
    render_cases(&inputs(&many[..150], &[], &[]), folder.path()).unwrap();
    assert!(!folder.path().join("en/list/3").exists());
    let last = read(folder.path(), "en/list/2/index.html");
    assert!(last.contains("../../../en/index.html") && !last.contains("list/3"));
}

#[cfg(unix)]
#[test]
fn only_its_owner_enters_a_folder_made_here_and_an_operator_may_open_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cases");
    let mode = || std::fs::metadata(&out).unwrap().permissions().mode() & 0o777;
    render_cases(&inputs(&[12], &[12], &[]), &out).unwrap();
    assert_eq!(mode(), 0o700);
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o750)).unwrap();
    render_cases(&inputs(&[12], &[12], &[]), &out).unwrap();
    assert_eq!(mode(), 0o750);
}
