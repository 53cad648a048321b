//! The crate on the project's own phrases.

#![allow(clippy::unwrap_used)]

use chrono::NaiveDate;
use rstest::rstest;

use crate::{
    Advertisement, Decision, DuplicateOptions, DuplicateText, Effect, Field, Finding, Folded, Pay,
    PayKind, Phrase, Terms, Verifier, attributes, find_duplicates, jaccard, mask_contacts,
    shingles,
};

fn phrases() -> Vec<Phrase> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    csv::Reader::from_reader(include_str!("../../../sql/seeds/ad_phrase.csv").as_bytes())
        .records()
        .map(|record| {
            let record = record.unwrap();
            Phrase {
                rule: record[0].to_owned(),
                text: record[1].to_owned(),
                effect: Effect::parse(&record[2]).unwrap(),
                at_word_start: &record[3] == "start",
                least: record[4].parse().unwrap(),
                most: record[5].parse().unwrap(),
                reason: record[6].to_owned(),
                valid_from: day(&record[7]),
                valid_to: day(&record[8]),
            }
        })
        .collect()
}

fn verifier() -> Verifier {
    Verifier::new(phrases(), [(2025, 10_030), (2026, 10_320)]).unwrap()
}

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, month, day).unwrap()
}

fn findings(text: &str) -> Vec<Finding> {
    verifier().verify(&Advertisement::of("사무원 모집", text, day(8, 31)))
}

fn violations(text: &str) -> Vec<String> {
    let violations = findings(text);
    let violations = violations.into_iter();
    let mut rules: Vec<String> = violations
        .filter(|one| one.decision == Decision::Violation)
        .map(|one| one.rule)
        .collect();
    rules.dedup();
    rules
}

#[rstest]
#[case("만 35세 이하만 지원", "age")]
#[case("만 3 5 세 이 하", "age")]
#[case("우대 35세", "age")]
#[case("여.ㅅㅓㅇ.만 지원", "sex")]
#[case("女性만 지원", "sex")]
#[case("용★모 단★정하신 분", "looks")]
#[case("키 165cm 이상", "looks")]
#[case("본-적이 우리 지역인 분", "origin")]
#[case("혼ㅇㅣㄴ 여부", "origin")]
#[case("부모님 직업을 적어 주세요", "family")]
#[case("교재 구입 후 활동", "false_ad")]
#[case("ㄷㅐㅍㅗㅌㅗㅇㅈㅏㅇ 모집", "banned_word")]
#[case("시급 9,000원", "below_minimum_wage")]
fn what_the_law_forbids_is_found(#[case] text: &str, #[case] rule: &str) {
    assert_eq!(violations(text), [rule], "{text}");
}

#[rstest]
#[case("청년일자리도약장려금 사업, 우대 35세 이하 청년")]
#[case("정년 60세까지")]
#[case("성별무관, 학력무관, 연령무관")]
#[case("신체 건강한 자")]
#[case("용모 단정 같은 조건은 보지 않습니다")]
#[case("기본적인 컴퓨터 활용")]
#[case("해 본 적이 있는 분")]
#[case("여성만을 위한 제품")]
#[case("보이스피싱 예방 교육")]
#[case("가입비를 내지 않아도 됩니다")]
#[case("")]
#[case("★☆♥!!! ~~~")]
fn what_only_looks_like_it_is_not_raised(#[case] text: &str) {
    assert_eq!(violations(text), [""; 0], "{text}");
}

#[test]
fn a_look_alike_is_decided_with_a_reason() {
    let found = findings("청년일자리도약장려금 사업, 우대 35세 이하 청년");
    assert!(!found.is_empty());
    for finding in found {
        assert_eq!(finding.decision, Decision::Cleared);
        assert!(finding.reason.contains("제4조의5"), "{}", finding.reason);
    }
}

#[test]
fn a_lawful_phrase_hides_no_unlawful_one() {
    assert_eq!(violations("여성만을 위한 제품을 팔며 여성만 지원"), ["sex"]);
    assert_eq!(violations("정년 60세, 만 35세 이하 지원"), ["age"]);
    assert_eq!(
        violations("용모 단정한 분, 학력은 보지 않습니다"),
        ["looks"],
        "the verb of another clause takes nothing back"
    );
}

#[test]
fn a_span_is_the_place_in_the_original() {
    let text = "회사 소개 ♥ 여 성 만 ♥ 지원";
    let found = findings(text);
    assert_eq!(&text[found[0].start..found[0].end], "여 성 만");
    assert!(found[0].is_disguised);
}

#[test]
fn pay_that_the_new_year_will_forbid_is_for_review() {
    let advertisement = Advertisement {
        pay: Some(Pay {
            kind: PayKind::Hour,
            won: 10_030,
            is_full_time: true,
        }),
        closes_on: NaiveDate::from_ymd_opt(2026, 1, 20).unwrap(),
        ..Advertisement::of("판매원", "", day(12, 20))
    };
    let found = verifier().verify(&advertisement);
    assert_eq!(
        (found[0].decision, found[0].field),
        (Decision::Review, Field::Pay)
    );
}

#[test]
fn every_disguise_of_every_forbidden_phrase_is_looked_through() {
    let verifier = verifier();
    let mut missed = Vec::new();
    let mut tried = 0;
    for phrase in phrases()
        .iter()
        .filter(|one| one.effect == Effect::Violates)
    {
        let number = phrase.least.clamp(30, phrase.most).to_string();
        let plain = phrase.text.replacen('#', &number, 1).replace('#', &number);
        for disguise in DISGUISES {
            let text = format!("모집 {} 입니다", disguise(&plain));
            tried += 1;
            let found = verifier.verify(&Advertisement::of("", &text, day(8, 31)));
            if !found
                .iter()
                .any(|one| one.rule == phrase.rule && one.decision == Decision::Violation)
            {
                missed.push(text);
            }
        }
    }
    let recall = 1.0 - missed.len() as f64 / f64::from(tried);
    assert!(
        recall >= 0.995,
        "{recall} of {tried}: {:?}",
        &missed[..missed.len().min(20)]
    );
}

const DISGUISES: [fn(&str) -> String; 6] = [
    |text| text.to_owned(),
    |text| joined(text, " "),
    |text| joined(text, "★"),
    |text| joined(text, "\u{200b}"),
    |text| taken_apart(text, ""),
    |text| taken_apart(text, "·"),
];

fn joined(text: &str, sign: &str) -> String {
    let letters: Vec<String> = text
        .chars()
        .filter(|one| *one != ' ')
        .map(String::from)
        .collect();
    letters.join(sign)
}

fn taken_apart(text: &str, sign: &str) -> String {
    const INITIALS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
    const FINALS: &str = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
    let mut letters = Vec::new();
    for character in text.chars().filter(|one| *one != ' ') {
        match (character as u32)
            .checked_sub(0xac00)
            .filter(|code| *code < 11_172)
        {
            Some(code) => {
                letters.extend(INITIALS.chars().nth((code / 588) as usize));
                letters.extend(char::from_u32('ㅏ' as u32 + code % 588 / 28));
                letters.extend(
                    FINALS
                        .chars()
                        .nth((code % 28) as usize)
                        .filter(|one| *one != ' '),
                );
            }
            None => letters.push(character),
        }
    }
    let letters: Vec<String> = letters.into_iter().map(String::from).collect();
    letters.join(sign)
}

#[test]
fn hostile_texts_end_in_linear_time_and_without_a_panic() {
    let verifier = verifier();
    for text in [
        String::new(),
        "★".repeat(1_000_000),
        "\u{200b}".repeat(1_000_000),
        "ㄱ".repeat(500_000),
        "9".repeat(1_000_000),
        "9,999".repeat(200_000),
        "여성만 ".repeat(1_000_000),
        "a\u{0301}여\u{202e}ㅏΩ漢🙂\u{0}\r\n".repeat(50_000),
        "\u{1100}\u{1161}\u{11a8}".repeat(300_000),
        "십십십세".repeat(100_000),
    ] {
        let found = verifier.verify(&Advertisement::of(&text, &text, day(8, 31)));
        for one in &found {
            assert!(text.is_char_boundary(one.start) && text.is_char_boundary(one.end));
        }
        assert!(
            attributes(&text, &text)
                .iter()
                .all(|value| value.is_finite())
        );
        assert_eq!(mask_contacts(&text).chars().count(), text.chars().count());
    }
}

#[test]
fn numbers_that_may_be_somebodys_are_masked() {
    for (text, expected) in [
        ("문의 010-1234-5678", "문의 *************"),
        ("문의 010.1234.5678!", "문의 *************!"),
        ("문의 ０１０１２３４５６７８", "문의 ***********"),
        ("월 250만원, 09:00~18:00", "월 250만원, 09:00~18:00"),
        ("a.b@c.kr 로", "******** 로"),
    ] {
        assert_eq!(mask_contacts(text), expected);
    }
}

const TERMS: Terms = Terms {
    employer: 1,
    conditions: 1,
    opened: 100,
    closes: 130,
};

fn ad<'a>(terms: Terms, title: &'a str, text: &'a str) -> DuplicateText<'a> {
    DuplicateText { terms, title, text }
}

const FIRST: &str =
    "경리 사무원 업무 전반을 맡습니다. 주 5일 근무, 4대 보험 가입. 점심은 구내식당에서 드립니다.";
const REWORDED: &str =
    "★점심은 구내식당에서 드립니다. 주5일 근무, 4대보험 가입. 경리사무원 업무 전반을 담당합니다.";

#[test]
fn a_reworded_ad_of_the_same_job_is_its_duplicate() {
    let other = "물류센터에서 상하차와 분류를 합니다. 야간 수당과 통근버스가 있습니다.";
    let texts = [
        ad(TERMS, "경리 모집", FIRST),
        ad(TERMS, "물류 모집", other),
        ad(TERMS, "[급구] 경리 구합니다", REWORDED),
    ];
    let options = DuplicateOptions {
        least_similarity: 0.4,
        ..DuplicateOptions::default()
    };
    let found = find_duplicates(&texts, &options);
    assert_eq!(found.clusters.first_of, [0, 1, 0]);
    assert_eq!(found.clusters.similarity[1], 0.0);
    let exact = jaccard(
        &shingles(&Folded::new(&format!("경리 모집\n{FIRST}"))),
        &shingles(&Folded::new(&format!("[급구] 경리 구합니다\n{REWORDED}"))),
    );
    assert_eq!(found.pairs, [(0, 2, exact)]);
}

#[rstest]
#[case(Terms { employer: 2, ..TERMS })]
#[case(Terms { conditions: 2, ..TERMS })]
#[case(Terms { opened: 300, closes: 330, ..TERMS })]
fn other_terms_make_another_job(#[case] other: Terms) {
    let texts = [ad(TERMS, "경리 모집", FIRST), ad(other, "경리 모집", FIRST)];
    let found = find_duplicates(&texts, &DuplicateOptions::default());
    assert!(found.pairs.is_empty());
}

#[test]
fn an_empty_text_repeats_nothing() {
    let texts = [ad(TERMS, "", ""), ad(TERMS, "★", "!"), ad(TERMS, "", "")];
    let found = find_duplicates(&texts, &DuplicateOptions::default());
    assert!(found.pairs.is_empty());
    assert!(
        find_duplicates(&[], &DuplicateOptions::default())
            .pairs
            .is_empty()
    );
}

#[test]
fn threads_change_no_result_and_a_full_bucket_is_told() {
    let titles: Vec<String> = (0..600).map(|at| format!("사무원 {}", at % 40)).collect();
    let texts: Vec<DuplicateText<'_>> =
        titles.iter().map(|title| ad(TERMS, title, FIRST)).collect();
    let with = |threads, bucket_cap| {
        let options = DuplicateOptions {
            threads,
            bucket_cap,
            ..DuplicateOptions::default()
        };
        find_duplicates(&texts, &options)
    };
    let one = with(1, 1_000);
    assert_eq!(one, with(3, 1_000));
    assert_eq!(one.skipped, 0);
    let capped = with(2, 10);
    assert!(capped.skipped > 0);
    assert_eq!(capped.clusters.first_of, one.clusters.first_of);
}
