#![allow(clippy::unwrap_used)]

use crate::testing::{plan, read_text};
use goyong_types::ResidentNumber;
use rstest::rstest;

/// A number that nobody has: its serial is zero, its check digit right.
fn number(birth_and_code: &[u8; 7], serial: &str) -> String {
    let mut twelve = [b'0'; 12];
    twelve[..7].copy_from_slice(birth_and_code);
    twelve[7..].copy_from_slice(serial.as_bytes());
    let check = ResidentNumber::check_digit(&twelve);
    format!("{}{}", std::str::from_utf8(&twelve).unwrap(), check as char)
}

fn wrong_check_digit(number: &str) -> String {
    let last = number.as_bytes()[12];
    format!(
        "{}{}",
        &number[..12],
        (b'0' + (last - b'0' + 1) % 10) as char
    )
}

const PERSON: &str = r#"
format: {kind: csv}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn, derive: [birth_date, sex, foreigner]}
  - {name: name, from: 성명, type: name, nullable: true}
  - {name: memo, from: 비고, type: string, nullable: true}
"#;

fn read_person(value: &str) -> crate::testing::Outcome {
    let text = format!("주민등록번호,성명,비고\n{value},가나다,x\n");
    read_text(&plan(PERSON), text.as_bytes()).unwrap()
}

#[test]
fn resident_number_becomes_pseudonym_and_attributes() {
    let valid = number(b"8002292", "00000");
    let outcome = read_person(&valid);
    assert_eq!(
        outcome.csv(&["birth_date", "sex", "foreigner"]),
        "1980-02-29,f,false"
    );
    assert!(outcome.flags.is_empty());
    let schema = outcome.batches[0].schema();
    assert!(schema.column_with_name("name").is_none());
}

#[rstest]
#[case::other_date(&number(b"8102291", "00000"), "rrn_birth_date")]
#[case::future(&number(b"9901013", "00000"), "rrn_birth_date")]
#[case::short("800101100000", "rrn_shape")]
#[case::letters("80010110000xx", "rrn_shape")]
#[case::missing("", "not_null")]
fn impossible_numbers_are_quarantined_masked(#[case] value: &str, #[case] rule: &str) {
    let outcome = read_person(value);
    assert_eq!(outcome.rules(), [rule]);
    assert_eq!(
        outcome.quarantined[0].raw_value.as_deref(),
        Some("[masked]")
    );
}

#[test]
fn wrong_check_digit_is_a_flag_and_none_after_october_2020() {
    let old = wrong_check_digit(&number(b"8001011", "00000"));
    assert_eq!(read_person(&old).flags, ["rrn_checksum"]);
    let recent = wrong_check_digit(&number(b"2011013", "00000"));
    let outcome = read_person(&recent);
    assert_eq!((outcome.accepted(), outcome.flags.len()), (1, 0));
}

#[test]
fn foreigner_is_told_and_birth_before_1900_is_a_flag() {
    let foreign = number(b"9101015", "00000");
    let outcome = read_person(&foreign);
    assert_eq!(
        outcome.csv(&["birth_date", "sex", "foreigner"]),
        "1991-01-01,m,true"
    );
    assert!(outcome.flags.is_empty());
    let wrong = wrong_check_digit(&foreign);
    assert_eq!(read_person(&wrong).flags, ["rrn_checksum"]);
    let old = number(b"9912319", "00000");
    assert_eq!(read_person(&old).flags, ["rrn_century"]);
    assert_eq!(read_person(&number(b"0001010", "00000")).accepted(), 1);
}

#[rstest]
#[case::not_a_leap_year(b"0002299")]
#[case::month_13(b"8013011")]
#[case::day_0(b"8001003")]
fn days_the_calendar_lacks_are_quarantined(#[case] birth_and_code: &[u8; 7]) {
    let outcome = read_person(&number(birth_and_code, "00000"));
    assert_eq!(outcome.rules(), ["rrn_birth_date"]);
}

#[test]
fn number_that_strayed_into_another_column_is_masked() {
    let stray = number(b"8001011", "00000");
    let contract = PERSON.replace(
        "name: memo, from: 비고, type: string",
        "name: memo, from: 비고, type: int",
    );
    for written in [stray.clone(), format!("{}-{}", &stray[..6], &stray[6..])] {
        let text = format!("주민등록번호,성명,비고\n{stray},가,{written}\n");
        let outcome = read_text(&plan(&contract), text.as_bytes()).unwrap();
        assert_eq!(
            outcome.quarantined[0].raw_value.as_deref(),
            Some("[masked]")
        );
        assert!(!format!("{:?}", outcome.quarantined).contains(&stray));
    }
}

#[rstest]
#[case("type: int, range: [1, 9]", "5", "5", "")]
#[case("type: int, range: [1, 9]", "10", "", "range")]
#[case("type: int", "3000000000", "", "range")]
#[case("type: int", "x", "", "type")]
#[case("type: int", " 7 ", "7", "")]
#[case("type: int", "", "", "not_null")]
#[case("type: won", "-1", "-1", "")]
#[case("type: won, range: [0, null]", "-1", "", "range")]
#[case("type: won", "9000000000000000000", "", "range")]
#[case("type: won", "999999999999999999", "999999999999999999", "")]
#[case("type: \"decimal(6,2)\"", "12.5", "12.50", "")]
#[case("type: \"decimal(6,2)\"", "12.555", "", "type")]
#[case("type: float, range: [0, 1]", "0.25", "0.25", "")]
#[case("type: float, range: [0, 1]", "1.5", "", "range")]
#[case("type: date, format: \"%Y%m%d\"", "20240229", "2024-02-29", "")]
#[case("type: date, format: \"%Y%m%d\"", "19000229", "", "type")]
#[case("type: date, range: [\"2024-01-01\", null]", "2023-12-31", "", "range")]
#[case("type: month", "202408", "2024-08-01", "")]
#[case("type: month, format: \"%Y-%m-%d\"", "2024-08-31", "2024-08-01", "")]
#[case("type: timestamp", "2024-08-31 23:59:59", "2024-08-31 23:59:59", "")]
#[case("type: boolean", "예", "true", "")]
#[case("type: boolean", "maybe", "", "type")]
#[case("type: code, domain: [a, b]", "b", "b", "")]
#[case("type: code, domain: [a, b]", "c", "", "domain")]
#[case("type: code, pattern: \"^[0-9]{2}$\"", "123", "", "pattern")]
#[case("type: biz_no", "124-81-00998", "1248100998", "")]
#[case("type: biz_no", "12481009", "", "biz_no")]
#[case("type: won, strip: [\"만원\", \".\"]", "4.100만원", "4100", "")]
#[case(
    "type: date, format: \"%y-%m-%d\", capture: \"(\\\\d{2}-\\\\d{2}-\\\\d{2})$\"",
    "채용시까지  26-11-30",
    "2026-11-30",
    ""
)]
#[case(
    "type: date, format: \"%y-%m-%d\", capture: \"(\\\\d{2}-\\\\d{2}-\\\\d{2})$\"",
    "채용시까지",
    "",
    "capture"
)]
#[case("type: int, on_fail: null", "x", "", "")]
#[case("type: int, nullable: true, null_values: [\"-\"]", "-", "", "")]
#[case("type: int, nullable: true, null_values: [\"-\"]", "", "", "")]
#[case("type: string, nullable: true, null_values: [\"-\"]", "-", "", "")]
fn values_are_read_or_quarantined(
    #[case] column: &str,
    #[case] value: &str,
    #[case] expected: &str,
    #[case] rule: &str,
) {
    let contract = format!(
        "format: {{kind: csv}}\ncolumns:\n  - {{name: v, {column}}}\n  - {{name: w, type: int}}\n"
    );
    let outcome = read_text(&plan(&contract), format!("v,w\n{value},1\n").as_bytes()).unwrap();
    if rule.is_empty() {
        assert_eq!(outcome.csv(&["v", "w"]), format!("{expected},1"));
    } else {
        assert_eq!(outcome.rules(), [rule]);
        assert_eq!(outcome.quarantined[0].column, "v");
        let shown = outcome.quarantined[0].raw_value.as_deref();
        assert_eq!(shown, Some(value.trim()).or(Some(value)));
    }
}

#[test]
fn flagged_rows_are_kept_with_a_null() {
    let contract = "format: {kind: csv}\ncolumns:\n  - {name: v, type: int, range: [0, 9], on_fail: flag}\n  - {name: b, type: biz_no}\n";
    let outcome = read_text(&plan(contract), b"v,b\n10,1248100990\n1,1248100998\n").unwrap();
    assert_eq!(outcome.csv(&["v"]), ";1");
    assert_eq!(outcome.flags, ["v:range,biz_no_checksum"]);
}

#[test]
fn digests_are_keyed_again() {
    let contract = "format: {kind: csv}\ncolumns:\n  - {name: d, type: digest}\n";
    let outcome = read_text(&plan(contract), b"d\nabc\nabc\nabd\n").unwrap();
    let text = outcome.csv(&["d"]);
    let parts: Vec<_> = text.split(';').collect();
    assert!(parts.iter().all(|part| part.len() == 16 && *part != "abc"));
    assert_eq!(parts[0], parts[1]);
    assert_ne!(parts[0], parts[2]);
}

#[test]
fn won_of_quarantined_rows_is_still_counted() {
    let contract = "format: {kind: csv}\ncontrol_totals: [won]\ncolumns:\n  - {name: a, type: int}\n  - {name: won, type: won, range: [0, 100]}\n";
    let outcome = read_text(&plan(contract), b"a,won\n1,10\nx,20\n2,300\n3,abc\n4,5\n").unwrap();
    assert_eq!(outcome.control[0].accepted, 15);
    assert_eq!(outcome.control[0].quarantined, 320);
    assert_eq!(outcome.control[0].unreadable, 1);
}

#[test]
fn one_undecodable_byte_quarantines_its_row_only() {
    let contract = "format: {kind: csv, encoding: cp949}\ncolumns:\n  - {name: a, type: string}\n";
    let outcome = read_text(
        &plan(contract),
        b"a\n\xb0\xa1\n\xb0\n\x8c\x63\xb9\xe6\xb0\xa2\xc7\xcf\n",
    )
    .unwrap();
    assert_eq!(outcome.csv(&["a"]), "가;똠방각하");
    assert_eq!(outcome.rules(), ["encoding"]);
    assert_eq!(outcome.quarantined[0].raw_value.as_deref(), Some("\\xb0"));
}

#[test]
fn rows_of_forgotten_persons_are_rejected_whether_or_not_they_break_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let (_keys_folder, keys, mut context) = crate::testing::context();
    let vault = crate::Vault::create(&folder.path().join("vault"), &keys).unwrap();
    let (forgotten, other) = (number(b"8002292", "00000"), number(b"8002292", "00001"));
    let subject = crate::ForgetSubject::parse_number(&forgotten).unwrap();
    vault.put_on_forget_list(&[subject], 20_000).unwrap();
    context.forgotten = vault.forgotten().unwrap();
    let plan = plan(
        r#"
control_totals: [won]
format: {kind: csv}
columns:
  - {name: place, type: code, domain: ["1"]}
  - {name: person_key, from: rrn, type: rrn}
  - {name: won, type: won}
"#,
    );
    let mut text = "place,rrn,won\n".to_owned();
    for (place, person, won) in [
        ("1", &forgotten, 10),
        ("1", &other, 20),
        ("2", &forgotten, 40),
        ("2", &other, 80),
    ] {
        text.push_str(&format!("{place},{person},{won}\n"));
    }
    let path = folder.path().join("file");
    std::fs::write(&path, text).unwrap();
    let limits = crate::testing::limits(2, 64 << 10);
    let outcome = crate::testing::read_path(&plan, &path, &context, limits).unwrap();
    assert_eq!((outcome.delivered, outcome.accepted()), (4, 1));
    assert_eq!(outcome.rules(), ["domain"]);
    assert_eq!(outcome.forgotten, 2);
    let sum = outcome.control[0];
    assert_eq!((sum.accepted, sum.quarantined, sum.forgotten), (20, 80, 50));
}
