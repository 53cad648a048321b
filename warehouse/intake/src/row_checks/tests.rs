#![allow(clippy::unwrap_used)]

use goyong_catalog::{Project, ProjectFiles};
use goyong_types::ResidentNumber;
use rstest::rstest;

use crate::plan::Plan;
use crate::testing::{plan, read_in_period, read_text};

/// The plan of a contract of a project with one code list.
fn plan_with_seed(yaml: &str) -> Plan {
    let seed = "region,from_day,to_day\n11110,,\n42110,,2023-06-10\n51110,2023-06-11,\n";
    let seed_yaml = "seed: region_code\norigin: test\nkey: [region]\ncolumns:\n  - {name: region, type: code}\n  - {name: from_day, type: date, nullable: true}\n  - {name: to_day, type: date, nullable: true}\n";
    let contract = format!(
        "source: areas\ntitle: 시험\nprovider: 시험\ncadence: monthly\nmanifest: none\nrevision: append\n{yaml}"
    );
    let project = Project::from_files(ProjectFiles::from_texts([
        ("seeds/region_code.csv", seed),
        ("seeds/region_code.yml", seed_yaml),
        ("sources/areas.yml", contract.as_str()),
    ]))
    .unwrap();
    Plan::new(&project.contracts()["areas"]).unwrap()
}

const AREAS: &str = r#"
format: {kind: csv}
columns:
  - name: region
    type: code
    nullable: true
    code_list: {seed: region_code, column: region, valid_from: from_day, valid_to: to_day, at: opened_on}
  - {name: opened_on, type: date, nullable: true}
"#;

#[rstest]
#[case("11110,2024-01-01", "")]
#[case("42110,2023-06-10", "")]
#[case("42110,2023-06-11", "code_not_valid_then")]
#[case("51110,2023-06-10", "code_not_valid_then")]
#[case("51110,", "")]
#[case(",2024-01-01", "")]
#[case("99999,2024-01-01", "unknown_code")]
#[case("99999,", "unknown_code")]
fn codes_are_judged_on_the_day_they_were_used(#[case] row: &str, #[case] rule: &str) {
    let text = format!("region,opened_on\n11110,2024-01-01\n{row}\n");
    let outcome = read_text(&plan_with_seed(AREAS), text.as_bytes()).unwrap();
    let expected: Vec<&str> = Some(rule)
        .filter(|rule| !rule.is_empty())
        .into_iter()
        .collect();
    assert_eq!(outcome.rules(), expected);
    assert_eq!(outcome.accepted(), 2 - expected.len());
    if let Some(quarantined) = outcome.quarantined.first() {
        assert_eq!(quarantined.column, "region");
        assert_eq!(quarantined.record, 1);
        assert_eq!(quarantined.raw_value.as_deref(), row.split(',').next());
    }
}

#[test]
fn code_that_ends_within_the_period_is_valid_in_it_and_a_flag_keeps_the_value() {
    let yaml = AREAS.replace("at: opened_on", "at: period, on_fail: flag");
    let yaml = format!("period: {{from: filename, pattern: '_(\\d{{6}})'}}\n{yaml}");
    let text = b"region,opened_on\n42110,\n51110,\n99999,\n";
    let outcome = read_in_period(&plan_with_seed(&yaml), text, "2023-06");
    assert_eq!(outcome.csv(&["region"]), "42110;51110;99999");
    assert_eq!(outcome.flags, ["region:unknown_code"]);
    let outcome = read_in_period(&plan_with_seed(&yaml), text, "2023-07");
    assert_eq!(
        outcome.flags,
        ["region:code_not_valid_then", "region:unknown_code"]
    );
}

#[test]
fn plan_without_the_project_says_that_codes_are_missing() {
    let error = Plan::new(&crate::testing::contract(AREAS)).unwrap_err();
    assert!(error.to_string().contains("region_code"), "{error}");
}

const PAID: &str = r#"
control_totals: [won]
rules:
  - {name: order, check: "paid_from <= paid_to"}
  - {name: in_month, check: "same_month(paid_to, paid_month)", on_fail: flag}
  - {name: earned, check: "won > 0.5 or kind in ('none', 'zero') or is_open", on_fail: flag}
  - {name: short, check: "not days_between(paid_from, paid_to) > 31"}
format: {kind: csv}
columns:
  - {name: paid_from, type: date}
  - {name: paid_to, type: date, nullable: true}
  - {name: paid_month, type: month}
  - {name: won, type: won, nullable: true}
  - {name: kind, type: code, nullable: true}
  - {name: is_open, type: boolean, nullable: true}
"#;

#[rstest]
#[case::holds("2024-08-01,2024-08-31,202408,5,a,n", "", "")]
#[case::order("2024-08-02,2024-08-01,202408,5,a,n", "order", "")]
#[case::flag("2024-07-31,2024-08-01,202407,5,a,n", "", "in_month")]
#[case::two_flags("2024-07-31,2024-08-01,202407,0,a,n", "", "in_month,earned")]
#[case::in_list("2024-08-01,2024-08-31,202408,0,zero,n", "", "")]
#[case::boolean("2024-08-01,2024-08-31,202408,0,a,y", "", "")]
#[case::null_is_no_breach("2024-08-01,,202408,,,", "", "")]
#[case::unknown_or_true("2024-08-01,2024-08-31,202408,,none,", "", "")]
#[case::unknown_or_false("2024-08-01,2024-08-31,202408,,a,n", "", "")]
#[case::days("2024-08-01,2024-09-02,202409,5,a,n", "short", "")]
#[case::first_rule_names_the_row("2024-10-01,2024-09-02,202409,5,a,n", "order", "")]
fn rules_between_columns_hold_or_are_named(
    #[case] row: &str,
    #[case] quarantined: &str,
    #[case] flags: &str,
) {
    let text = format!("paid_from,paid_to,paid_month,won,kind,is_open\n{row}\n");
    let outcome = read_text(&plan(PAID), text.as_bytes()).unwrap();
    assert_eq!(outcome.rules().join(","), quarantined);
    assert_eq!(outcome.flags.join(";"), flags);
    assert_eq!(outcome.delivered, 1);
}

#[test]
fn row_set_aside_takes_its_sum_its_flag_and_its_person_with_it() {
    let yaml = r#"
control_totals: [won]
rules:
  - {name: order, check: "won <= high"}
  - {name: odd, check: "won <> 7", on_fail: flag}
format: {kind: csv}
columns:
  - {name: person_key, from: rrn, type: rrn}
  - {name: phone, type: contact, nullable: true}
  - {name: won, type: won}
  - {name: high, type: won}
"#;
    let person = |serial: u32| {
        let mut twelve = [b'0'; 12];
        twelve.copy_from_slice(format!("8001011{serial:05}").as_bytes());
        format!(
            "8001011{serial:05}{}",
            ResidentNumber::check_digit(&twelve) as char
        )
    };
    let mut text = "rrn,phone,won,high\n".to_owned();
    for (serial, won, high) in [
        (1, 7, 9),
        (2, 7, 5),
        (3, 1, 2),
        (4, 9, 3),
        (5, 7, 7),
        (6, 8, 8),
    ] {
        text.push_str(&format!("{},000-{serial},{won},{high}\n", person(serial)));
    }
    let outcome = read_text(&plan(yaml), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["won"]), "7;1;7;8");
    assert_eq!(outcome.rules(), ["order", "order"]);
    assert_eq!(
        outcome
            .quarantined
            .iter()
            .map(|row| row.record)
            .collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(
        outcome.quarantined[0].raw_value.as_deref(),
        Some("won 7, high 5")
    );
    assert_eq!(outcome.quarantined[0].column, "won, high");
    assert_eq!(outcome.control[0].accepted, 23);
    assert_eq!(outcome.control[0].quarantined, 16);
    assert_eq!(outcome.flags, ["odd", "odd"]);
    assert_eq!(outcome.persons, 4);
    assert_eq!(outcome.delivered, 6);
}

#[test]
fn personal_columns_of_a_broken_rule_are_masked() {
    let yaml = "rules:\n  - {name: grown, check: \"birth_date > joined_on\"}\nformat: {kind: csv}\ncolumns:\n  - {name: person_key, from: rrn, type: rrn, derive: [birth_date]}\n  - {name: joined_on, type: date}\n";
    let mut twelve = *b"800101100001";
    twelve[11] = b'1';
    let number = format!(
        "{}{}",
        std::str::from_utf8(&twelve).unwrap(),
        ResidentNumber::check_digit(&twelve) as char
    );
    let text = format!("rrn,joined_on\n{number},2024-01-01\n");
    let outcome = read_text(&plan(yaml), text.as_bytes()).unwrap();
    assert_eq!(
        outcome.quarantined[0].raw_value.as_deref(),
        Some("birth_date [masked], joined_on 2024-01-01")
    );
}

#[rstest]
#[case("quarantine", "2024-08-31;2024-08-01", 3, &["wrong_period", "wrong_period", "wrong_period"])]
#[case("flag", "2024-07-31;2024-08-31;2024-09-01;2024-08-01;2023-08-05", 3, &[])]
fn days_outside_the_period_are_counted(
    #[case] on_fail: &str,
    #[case] accepted: &str,
    #[case] outside: u64,
    #[case] rules: &[&str],
) {
    let yaml = format!(
        "period: {{from: filename, pattern: '_(\\d{{6}})'}}\nperiod_check: {{column: day, on_fail: {on_fail}}}\nformat: {{kind: csv}}\ncolumns:\n  - {{name: day, type: date}}\n"
    );
    let text = b"day\n2024-07-31\n2024-08-31\n2024-09-01\n2024-08-01\n2023-08-05\n";
    let outcome = read_in_period(&plan(&yaml), text, "2024-08");
    assert_eq!(outcome.csv(&["day"]), accepted);
    assert_eq!(outcome.outside_period, outside);
    assert_eq!(outcome.rules(), rules);
}

#[test]
fn numbers_of_different_types_are_compared_by_value() {
    let yaml = "rules:\n  - {name: same, check: \"small = large and large = exact and exact = broken and broken >= 2.5\"}\nformat: {kind: csv}\ncolumns:\n  - {name: small, type: \"decimal(6,2)\"}\n  - {name: large, type: \"decimal(18,4)\"}\n  - {name: exact, type: \"decimal(9,1)\"}\n  - {name: broken, type: float}\n";
    let outcome = read_text(
        &plan(yaml),
        b"small,large,exact,broken\n2.50,2.5000,2.5,2.5\n2.50,2.5001,2.5,2.5\n2.40,2.4,2.4,2.4\n",
    )
    .unwrap();
    assert_eq!(outcome.csv(&["small"]), "2.50");
    assert_eq!(outcome.rules(), ["same", "same"]);
}
