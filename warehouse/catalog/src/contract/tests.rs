#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const SPELLS: &str = r#"
source: ei_spell
title: {ko: 취득·상실, en: Spells}
provider: 근로복지공단
cadence: monthly
due_days: 15
manifest: required
period: {from: manifest}
revision: upsert
key: [person_key, acquired_on]
control_totals: [monthly_wage_won]
format: {kind: csv, encoding: cp949, delimiter: "|"}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn, tags: [pseudonym], derive: [birth_date, sex]}
  - {name: acquired_on, from: [취득일, 자격취득일], type: date, format: "%Y%m%d"}
  - {name: loss_reason, type: code, nullable: true, domain: [11, "12"]}
  - {name: monthly_wage_won, from: 월보수액, type: won, range: [0, 1000000000]}
"#;

const CHECKED: &str = r#"
unique: person_key
rules:
  - {name: paid, check: "monthly_wage_won > 0 or loss_reason is not null", on_fail: flag}
period_check: {column: acquired_on}
references:
  - {columns: [loss_reason], source: reasons, to: [reason]}
drift: {added: refuse}
"#;

fn checked(replaced: &str, by: &str) -> Result<Contract, ContractError> {
    assert!(
        CHECKED.contains(replaced) && !replaced.is_empty(),
        "{replaced}"
    );
    let text = format!("{SPELLS}{}", CHECKED.replace(replaced, by));
    Contract::parse(&text, "sql/sources/ei_spell.yml")
}

#[test]
fn checks_are_read_with_their_defaults() {
    let contract = checked("unique", "unique").unwrap();
    assert_eq!(contract.unique, ["person_key"]);
    assert_eq!(
        contract.rules[0].check.columns(),
        ["monthly_wage_won", "loss_reason"]
    );
    assert_eq!(contract.rules[0].on_fail, BrokenRow::Flag);
    let check = contract.period_check.unwrap();
    assert_eq!(
        (check.on_fail, check.refuse_above),
        (BrokenRow::Quarantine, 0.5)
    );
    assert_eq!(contract.references[0].to, ["reason"]);
    assert_eq!(
        contract.drift,
        DriftPolicy {
            added: DriftAction::Refuse,
            missing: DriftAction::Refuse,
            reordered: DriftAction::Report,
            renamed: DriftAction::Refuse,
        }
    );
}

#[test]
fn checks_that_cannot_work_name_the_place_and_the_nearest_word() {
    for (replaced, by, message, hint) in [
        (
            "unique: person_key",
            "unique: person",
            "`unique` names `person`, which is no column",
            "",
        ),
        (
            "monthly_wage_won >",
            "monthly_wage >",
            "rule `paid`: no column is called `monthly_wage`",
            "monthly_wage_won",
        ),
        (
            "name: paid,",
            "name: not_null,",
            "`not_null` cannot name a rule",
            "intake itself",
        ),
        (
            "column: acquired_on",
            "column: loss_reason",
            "`loss_reason` is no date or month",
            "",
        ),
        (
            "column: acquired_on",
            "column: acquired_no",
            "`period_check` names `acquired_no`",
            "acquired_on",
        ),
        (
            "to: [reason]",
            "to: [reason, x]",
            "does not pair each column",
            "",
        ),
        (
            "added: refuse",
            "added: ignore",
            "unknown variant `ignore`",
            "",
        ),
        (
            "references:",
            "reference:",
            "unknown field `reference`",
            "references",
        ),
    ] {
        let error = checked(replaced, by).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(error.line.is_some(), "{error}");
    }
}

#[test]
fn contract_is_read_whole() {
    let contract = Contract::parse(SPELLS, "sql/sources/ei_spell.yml").unwrap();
    assert_eq!(contract.title.ko, "취득·상실");
    assert_eq!(contract.provider.en, "근로복지공단");
    assert_eq!(contract.period, PeriodRule::Manifest);
    assert_eq!(contract.revision, RevisionRule::Upsert);
    assert_eq!(contract.columns[1].from, ["취득일", "자격취득일"]);
    assert_eq!(contract.columns[2].from, ["loss_reason"]);
    assert_eq!(contract.columns[2].domain, ["11", "12"]);
    assert_eq!(
        contract.columns[3]
            .range
            .as_ref()
            .unwrap()
            .maximum
            .as_deref(),
        Some("1000000000")
    );
    let FormatKind::Csv(csv) = &contract.format.kind else {
        panic!("not csv");
    };
    assert_eq!((csv.delimiter, csv.header_lines), (b'|', 1));
    let staging: Vec<_> = contract
        .staging_columns()
        .into_iter()
        .map(|column| column.name)
        .collect();
    assert_eq!(
        staging,
        [
            "person_key",
            "birth_date",
            "sex",
            "acquired_on",
            "loss_reason",
            "monthly_wage_won",
            "_delivery_id",
            "_row_number",
            "_known_on",
            "_flags",
            "_period"
        ]
    );
}

#[test]
fn mistakes_name_line_and_neighbour() {
    let cases = [
        (
            "cadence: monthly",
            "cadense: monthly",
            6,
            "did you mean `cadence`?",
        ),
        ("type: won", "type: wonn", 18, "did you mean `won`?"),
        (
            "key: [person_key,",
            "key: [person_kye,",
            11,
            "did you mean `person_key`?",
        ),
        (
            "revision: upsert",
            "revision: upsertt",
            10,
            "did you mean `upsert`?",
        ),
        (
            "kind: csv,",
            "kind: csv, record: /a/b,",
            13,
            "remove it or change `kind`",
        ),
        ("cadence: monthly", "cadence: [", 6, ""),
    ];
    for (right, wrong, line, hint) in cases {
        let error = Contract::parse(&SPELLS.replacen(right, wrong, 1), "ei_spell.yml").unwrap_err();
        assert!(
            error.line.is_none_or(|found| found.abs_diff(line) <= 1),
            "{wrong}: {error}"
        );
        assert!(error.to_string().contains(hint), "{wrong}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn contradictions_are_refused() {
    let cases = [
        (
            "source: ei_spell",
            "source: ei_spells",
            "give both the same name",
        ),
        (
            "manifest: required",
            "manifest: none",
            "provider does not write",
        ),
        ("{from: manifest}", "{from: filename}", "no pattern"),
        (
            "control_totals: [monthly_wage_won]",
            "control_totals: [acquired_on]",
            "exact number",
        ),
        (
            "name: loss_reason, type: code",
            "name: sex, type: code",
            "stands twice",
        ),
        (
            "name: loss_reason, type: code",
            "name: _flags, type: code",
            "cannot name a column",
        ),
        (
            "type: rrn,",
            "type: rrn, on_fail: null,",
            "always quarantined",
        ),
        (
            "type: code,",
            "type: code, capture: \"[0-9]+\",",
            "no group",
        ),
        (
            "type: code,",
            "type: code, pattern: \"([0-9]+\",",
            "not a regular expression",
        ),
        (
            "type: rrn, tags: [pseudonym], derive: [birth_date, sex]",
            "type: name",
            "whose it is",
        ),
        ("range: [0, 1000000000]", "range: [0]", "not two values"),
        (
            "delimiter: \"|\"",
            "delimiter: \"||\"",
            "one ASCII character",
        ),
    ];
    for (right, wrong, expected) in cases {
        let yaml = SPELLS.replacen(right, wrong, 1);
        let error = Contract::parse(&yaml, "ei_spell.yml").unwrap_err();
        assert!(error.to_string().contains(expected), "{wrong}: {error}");
    }
}

#[test]
fn types_read_back_what_they_write() {
    for word in ColumnType::WORDS.into_iter().chain(["decimal(12,4)"]) {
        let column_type: ColumnType = word.parse().unwrap();
        assert_eq!(column_type.to_string(), word);
    }
    for word in [
        "decimal",
        "decimal(0,0)",
        "decimal(5,6)",
        "decimal(39,2)",
        "integer",
    ] {
        assert!(word.parse::<ColumnType>().is_err(), "{word}");
    }
}

#[test]
fn xml_and_json_paths_are_split_into_steps() {
    let xml = SPELLS.replace(
        "{kind: csv, encoding: cp949, delimiter: \"|\"}",
        "{kind: xml, record: /wantedRoot/wanted, expected_count: /wantedRoot/total, \
             errors: [/GO24/error, {code: /wantedRoot/messageCd, empty: [\"006\"]}]}",
    );
    let contract = Contract::parse(&xml, "ei_spell.yml").unwrap();
    let FormatKind::Xml(format) = &contract.format.kind else {
        panic!("not xml");
    };
    assert_eq!(format.record, ["wantedRoot", "wanted"]);
    assert_eq!(format.errors[1].empty, ["006"]);

    let json = SPELLS.replace(
        "{kind: csv, encoding: cp949, delimiter: \"|\"}",
        "{kind: json, record: /a~1b/c, success: {at: /code, equals: [200], empty: [3]}}",
    );
    let contract = Contract::parse(&json, "ei_spell.yml").unwrap();
    let FormatKind::Json(format) = &contract.format.kind else {
        panic!("not json");
    };
    assert_eq!(format.record, ["a/b", "c"]);
    assert_eq!(format.success.as_ref().unwrap().equals, ["200"]);
}

#[test]
fn every_contract_of_the_project_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/sources");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            let yaml = std::fs::read_to_string(&path).unwrap();
            let contract = Contract::parse(&yaml, path.to_str().unwrap())
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(!contract.staging_columns().is_empty());
            read += 1;
        }
    }
    assert!(read > 0, "no contracts in {folder}");
}
