#![allow(clippy::unwrap_used)]
use super::*;
use rstest::rstest;

fn columns() -> Vec<(String, ValueKind)> {
    [
        ("paid_from", ValueKind::Date),
        ("paid_to", ValueKind::Date),
        ("won", ValueKind::Number),
        ("kind", ValueKind::Text),
        ("open", ValueKind::Boolean),
        ("person_key", ValueKind::Key),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .to_vec()
}

#[rstest]
#[case("paid_from <= paid_to", &["paid_from", "paid_to"])]
#[case("won > -1.5 and (kind in ('a', 'o''b') or open)", &["won", "kind", "open"])]
#[case("not kind is null or kind is not null", &["kind"])]
#[case("same_month(paid_from, paid_to) and days_between(paid_from, paid_to) < 31", &["paid_from", "paid_to"])]
#[case("'2024-01-01' <= paid_from", &["paid_from"])]
#[case("paid_from >= date '2024-01-01' AND kind NOT IN ('x')", &["paid_from", "kind"])]
#[case("person_key <> person_key", &["person_key"])]
#[case("open = false", &["open"])]
fn conditions_are_read(#[case] text: &str, #[case] names: &[&str]) {
    let parsed = Expression::parse(text, &columns()).unwrap();
    assert_eq!(parsed.columns(), names);
}

#[rstest]
#[case("paid_form <= paid_to", "no column is called `paid_form`")]
#[case("paid_from <= won", "a date is compared with a number")]
#[case("won = 'x'", "a number is compared with a text")]
#[case("paid_from <= '2024-02-30'", "is no date")]
#[case("kind = null", "write `is null`")]
#[case("won >", "ends where a column or value is expected")]
#[case("won > 1 won", "stands behind the end")]
#[case("won", "a comparison")]
#[case("1 < 2", "names no column")]
#[case("person_key < person_key", "has no order")]
#[case(
    "same_months(paid_from, paid_to)",
    "no function is called `same_months`"
)]
#[case("same_month(paid_from, won)", "takes date columns")]
#[case("(won > 1", "`)` is expected")]
#[case("kind in (won)", "lists values")]
#[case("won > 1 ; drop", "`;` means nothing here")]
#[case("kind = 'a", "never closed")]
#[case("", "ends where")]
fn conditions_that_cannot_be_meant_are_explained(#[case] text: &str, #[case] reason: &str) {
    let error = Expression::parse(text, &columns()).unwrap_err();
    assert!(error.message.contains(reason), "{error}");
}

#[test]
fn misspelt_column_names_its_nearest() {
    let error = Expression::parse("paid_form is null", &columns()).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `paid_from`?"));
}

#[test]
fn and_binds_stronger_than_or_and_not_strongest() {
    let parsed = Expression::parse("open or not open and won > 1", &columns()).unwrap();
    let Expression::Or(parts) = parsed else {
        unreachable!("or is outermost");
    };
    assert_eq!(parts[0], Expression::IsTrue("open".into()));
    assert!(matches!(&parts[1], Expression::And(inner) if matches!(inner[0], Expression::Not(_))));
}

#[test]
fn endless_nesting_is_refused_and_does_not_overflow() {
    let text = format!("{}open{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(Expression::parse(&text, &columns()).is_err());
}
