//! Figures of the research data and code tables, computed here from the raw bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::collections::BTreeSet;
use std::io::Read;

use crate::real_files::{read_clean, shared, sum_of};
use crate::testing::Outcome;

/// Records of a delimited file without quotes.
fn records(bytes: &[u8], delimiter: char) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(!text.contains('"'));
    text.trim_start_matches('\u{FEFF}')
        .lines()
        .map(|line| line.split(delimiter).map(str::to_owned).collect())
        .collect()
}

/// One column of the raw file.
fn raw_column(records: &[Vec<String>], header: &str) -> Vec<String> {
    let position = records[0].iter().position(|name| name == header).unwrap();
    let rows = records.iter().skip(1);
    rows.map(|record| record[position].clone()).collect()
}

fn count_of(outcome: &Outcome, column: &str, value: &str) -> usize {
    let all = outcome.csv(&[column]);
    all.split(';').filter(|cell| *cell == value).count()
}

#[test]
fn jobless_spells_keep_length_and_censoring() {
    let Some((outcome, bytes)) = read_clean("jobless_spell", "outcomes/jobless.csv", &[]) else {
        return;
    };
    let records = records(&bytes, ',');
    let spells: i128 = raw_column(&records, "spell")
        .iter()
        .map(|spell| spell.parse::<i128>().unwrap())
        .sum();
    assert_eq!(sum_of(&outcome, "spell_two_weeks"), spells);
    for (column, header) in [
        ("reemployed_full_time", "censor1"),
        ("reemployed_part_time", "censor2"),
        ("reemployed_left_job", "censor3"),
        ("still_jobless", "censor4"),
    ] {
        let raw = raw_column(&records, header);
        let ones = raw.iter().filter(|flag| *flag == "1").count();
        assert_eq!(count_of(&outcome, column, "true"), ones, "{column}");
    }
}

#[test]
fn confirmed_fraud_and_numbered_headers_are_the_files() {
    let notice = ["`Days_Policy_Claim (2)`"];
    let path = "fraud/vehicle_claims.csv";
    let Some((outcome, bytes)) = read_clean("vehicle_claim", path, &notice) else {
        return;
    };
    let records = records(&bytes, ',');
    let frauds = raw_column(&records, "FraudFound_P");
    let confirmed = frauds.iter().filter(|flag| *flag == "1").count();
    assert_eq!(count_of(&outcome, "is_fraud", "true"), confirmed);
    // The second column of that name holds other values than the first.
    let last = records[0]
        .iter()
        .rposition(|name| name == "Days_Policy_Claim")
        .unwrap();
    for value in ["none", "1", "2 to 4", "more than 4"] {
        let raw = records
            .iter()
            .skip(1)
            .filter(|record| record[last] == value)
            .count();
        assert_eq!(count_of(&outcome, "past_claims", value), raw, "{value}");
    }
    assert_eq!(count_of(&outcome, "age", ""), 320);
}

#[test]
fn call_backs_by_name_are_the_files() {
    let Some((outcome, bytes)) = read_clean("resume_callback", "outcomes/resume.csv", &[]) else {
        return;
    };
    let records = records(&bytes, ',');
    let races = raw_column(&records, "race");
    let called = raw_column(&records, "received_callback");
    let of = |race: &str| {
        let pairs = races.iter().zip(&called);
        pairs
            .filter(|(other, call)| *other == race && *call == "1")
            .count()
    };
    let pairs = outcome.csv(&["race", "received_callback"]);
    for race in ["black", "white"] {
        let found = pairs
            .split(';')
            .filter(|pair| **pair == format!("{race},true"))
            .count();
        assert_eq!(found, of(race), "{race}");
        assert!(found > 0);
    }
}

#[test]
fn take_up_and_training_figures_are_the_files() {
    if let Some((outcome, bytes)) = read_clean("benefit_take_up", "outcomes/Benefits.csv", &[]) {
        let records = records(&bytes, ',');
        let drew = raw_column(&records, "ui");
        let drew = drew.iter().filter(|answer| *answer == "yes").count();
        assert_eq!(count_of(&outcome, "received_benefit", "true"), drew);
        let maximum: i128 = raw_column(&records, "statemb")
            .iter()
            .map(|amount| amount.parse::<i128>().unwrap())
            .sum();
        assert_eq!(sum_of(&outcome, "state_maximum_benefit"), maximum);
    }
    if let Some((outcome, bytes)) = read_clean("job_corps", "outcomes/job_corps.csv", &[]) {
        let records = records(&bytes, ',');
        let assigned = raw_column(&records, "assignment");
        let assigned = assigned.iter().filter(|flag| *flag == "1.0").count();
        assert_eq!(count_of(&outcome, "assignment", "1"), assigned);
    }
}

#[test]
fn dong_codes_keep_their_days_and_missing_values() {
    let notice = ["NaN, which is no JSON"];
    let Some((outcome, bytes)) = read_clean("admin_dong", "codes/hdong.json", &notice) else {
        return;
    };
    let text = String::from_utf8(bytes).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text.replace("NaN", "null")).unwrap();
    let missing = |column: &str| {
        let values = json[column].as_object().unwrap().values();
        values.filter(|value| value.is_null()).count()
    };
    for (name, header) in [
        ("abolished_on", "말소일자"),
        ("dong_name", "읍면동명"),
        ("sigungu_name", "시군구명"),
    ] {
        assert_eq!(count_of(&outcome, name, ""), missing(header), "{name}");
    }
    let notices = outcome.notices.join("; ");
    let nans = text.matches("NaN").count();
    assert!(
        notices.contains(&format!("stands {nans} times")),
        "{notices}"
    );
    let last = json["행정동코드"]["8508"].as_str().unwrap();
    assert!(outcome.csv(&["dong_code"]).ends_with(last));
}

#[test]
fn industry_codes_keep_leading_zeros_and_their_revision() {
    for (revision, path) in [
        ("09", "codes/KSIC_09.csv.gz"),
        ("10", "codes/KSIC_10.csv.gz"),
    ] {
        let Some((outcome, bytes)) = read_clean("ksic_code", path, &[]) else {
            return;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        let codes: BTreeSet<&str> = text
            .lines()
            .skip(1)
            .map(|line| line.split('"').nth(1).unwrap())
            .collect();
        let found = outcome.csv(&["code"]);
        let found: BTreeSet<&str> = found.split(';').collect();
        assert_eq!(found, codes);
        assert!(found.iter().any(|code| code.starts_with('0')));
        assert_eq!(
            count_of(&outcome, "classification_revision", revision),
            outcome.accepted()
        );
    }
}

#[test]
fn holidays_agree_between_both_files_and_one_day_stands_twice() {
    let Some((list, _)) = read_clean("holiday_list", "calendar/basic.json", &[]) else {
        return;
    };
    let list = list.csv(&["holiday_on", "holiday_name"]);
    let Some((year, _)) = read_clean("gazette_holiday", "calendar/2025.csv", &[]) else {
        return;
    };
    let year = year.csv(&["holiday_on", "holiday_name"]);
    let of_2025 = |text: &str| -> BTreeSet<String> {
        text.split(';')
            .filter(|row| row.starts_with("2025"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(of_2025(&list), of_2025(&year));
    let twice = of_2025(&year);
    let twice = twice.iter().filter(|row| row.starts_with("2025-05-05"));
    assert_eq!(twice.count(), 2);
}

#[test]
fn percent_separated_publications_show_what_quotes_swallowed() {
    let Some((outcome, bytes)) = read_clean("dblp_acm_record", "linkage/D4_acm.csv", &[]) else {
        return;
    };
    let text = String::from_utf8(bytes).unwrap();
    let swallowed = text.lines().filter(|line| line.ends_with("\"%%")).count();
    assert_eq!(count_of(&outcome, "year", ""), swallowed);
    assert_eq!(count_of(&outcome, "dataset", "acm"), outcome.accepted());
    assert!(shared("linkage/D4_dblp.csv").is_some());
}
