//! Roles, marks and thresholds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use goyong_disclosure::{
    Cell, CellValue, Derived, Dimension, DisclosureError, Measure, RawTable, Reason, Rules,
    protect, publish_open_data,
};
use rstest::rstest;

fn claims(rows: Vec<(&str, CellValue, i128, i64)>) -> RawTable {
    RawTable {
        name: "claims".into(),
        columns: ["sido", "recipients", "paid_won", "largest_won"]
            .map(Into::into)
            .to_vec(),
        rows: rows
            .into_iter()
            .map(|(sido, recipients, paid, largest)| {
                vec![
                    CellValue::Text(sido.into()),
                    recipients,
                    CellValue::Decimal {
                        unscaled: paid,
                        scale: 0,
                    },
                    CellValue::Integer(largest),
                ]
            })
            .collect(),
    }
}

fn rules() -> Rules {
    Rules {
        dimensions: vec![Dimension::new("sido")],
        counts: vec!["recipients".into()],
        measures: vec![Measure {
            column: "paid_won".into(),
            contributors: "recipients".into(),
            largest: vec!["largest_won".into()],
        }],
        hidden: vec!["largest_won".into()],
        ..Rules::default()
    }
}

#[rstest]
#[case::no_contributor(0, Cell::Zero)]
#[case::one(1, Cell::Suppressed)]
#[case::below_the_threshold(4, Cell::Suppressed)]
#[case::at_the_threshold(5, Cell::Value(CellValue::Integer(5)))]
fn counts_below_the_threshold_are_suppressed(#[case] persons: i64, #[case] expected: Cell) {
    let raw = claims(vec![(
        "11",
        CellValue::Integer(persons),
        i128::from(persons) * 100,
        0,
    )]);
    let safe = protect(raw, &rules()).unwrap();
    assert_eq!(safe.rows()[0][1], expected);
}

#[test]
fn missing_is_not_zero_and_not_suppressed() {
    let mut raw = claims(vec![("11", CellValue::Null, 0, 0)]);
    raw.rows[0][2] = CellValue::Null;
    let safe = protect(raw, &rules()).unwrap();
    assert_eq!(
        safe.rows()[0][1..],
        [Cell::NotAvailable, Cell::NotAvailable]
    );
}

#[test]
fn a_magnitude_without_known_contributors_is_suppressed() {
    let raw = claims(vec![("11", CellValue::Null, 5_000_000, 0)]);
    let safe = protect(raw, &rules()).unwrap();
    assert_eq!(safe.rows()[0][2], Cell::Suppressed);
}

#[rstest]
#[case::one_holds_nearly_all(10_000, 9_000, true)]
#[case::evenly_spread(10_000, 1_000, false)]
fn a_dominated_magnitude_is_suppressed_and_its_count_is_not(
    #[case] paid: i128,
    #[case] largest: i64,
    #[case] dominated: bool,
) {
    let raw = claims(vec![("11", CellValue::Integer(20), paid, largest)]);
    let safe = protect(raw, &rules()).unwrap();
    assert_eq!(safe.rows()[0][2] == Cell::Suppressed, dominated);
    assert_eq!(
        safe.report().count(Reason::Dominance),
        usize::from(dominated)
    );
    assert_eq!(safe.rows()[0][1], Cell::Value(CellValue::Integer(20)));
}

#[test]
fn columns_used_for_control_only_are_not_published() {
    let safe = protect(claims(vec![]), &rules()).unwrap();
    assert_eq!(safe.columns(), ["sido", "recipients", "paid_won"]);
}

#[test]
fn a_rate_follows_its_parts() {
    let raw = RawTable {
        name: "fill".into(),
        columns: ["month", "hires", "openings", "fill_rate"]
            .map(Into::into)
            .to_vec(),
        rows: vec![vec![
            CellValue::Text("2025-12".into()),
            CellValue::Integer(2),
            CellValue::Integer(90),
            CellValue::Float(0.022),
        ]],
    };
    let rules = Rules {
        dimensions: vec![Dimension::new("month")],
        counts: vec!["hires".into(), "openings".into()],
        derived: vec![Derived {
            column: "fill_rate".into(),
            from: vec!["hires".into(), "openings".into()],
        }],
        ..Rules::default()
    };
    let safe = protect(raw, &rules).unwrap();
    assert_eq!(safe.rows()[0][3], Cell::Suppressed);
    assert_eq!(safe.report().count(Reason::Derived), 1);
}

#[test]
fn a_column_without_a_role_is_refused() {
    let mut rules = rules();
    rules.hidden.clear();
    let error = protect(claims(vec![]), &rules).unwrap_err();
    assert!(
        matches!(error, DisclosureError::Unclassified { column, .. } if column == "largest_won")
    );
}

#[test]
fn a_rule_for_a_column_that_is_not_there_is_refused() {
    let mut rules = rules();
    rules.counts.push("persons".into());
    let error = protect(claims(vec![]), &rules).unwrap_err();
    assert!(matches!(error, DisclosureError::MissingColumn { column, .. } if column == "persons"));
}

#[test]
fn rows_that_repeat_the_key_are_refused() {
    let row = || ("11", CellValue::Integer(9), 900, 100);
    let error = protect(claims(vec![row(), row()]), &rules()).unwrap_err();
    assert!(matches!(
        error,
        DisclosureError::RepeatedKey {
            first: 0,
            second: 1,
            ..
        }
    ));
}

#[test]
fn a_negative_count_is_refused() {
    let error = protect(claims(vec![("11", CellValue::Integer(-3), 0, 0)]), &rules()).unwrap_err();
    assert!(matches!(error, DisclosureError::NotACount { row: 0, .. }));
}

#[test]
fn open_data_keeps_every_value_and_both_marks() {
    let raw = claims(vec![("11", CellValue::Integer(1), 0, 3)]);
    let safe = publish_open_data(raw).unwrap();
    assert_eq!(safe.rows()[0][1], Cell::Value(CellValue::Integer(1)));
    assert_eq!(safe.rows()[0][2], Cell::Zero);
    assert_eq!(safe.report().min_count, None);
}
