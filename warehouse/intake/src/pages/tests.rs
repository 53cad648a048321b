#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use goyong_catalog::contract::{OnMissingPage, Pages};
use rstest::rstest;

use super::PageName;
use crate::error::Refusal;
use crate::testing::{Outcome, context, limits, plan, read_paths};

const CONTRACT: &str = r#"
pages: {file: '_p(\d+)\.xml$', number: /r/page, size: /r/size, on_missing: report}
format: {kind: xml, record: /r/i, expected_count: /r/total}
columns:
  - {name: a, type: int}
"#;

fn page(number: u64, total: u64, rows: &[u64]) -> String {
    let rows: String = rows
        .iter()
        .map(|row| format!("<i><a>{row}</a></i>"))
        .collect();
    format!("<r><page>{number}</page><size>2</size><total>{total}</total>{rows}</r>")
}

fn read(contract: &str, files: &[(&str, String)]) -> Result<Outcome, Refusal> {
    let (folder, _, context) = context();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    read_paths(&plan(contract), &paths, &context, limits(2, 64))
}

#[rstest]
#[case("x_p1.xml", "x_p*.xml", Some(1))]
#[case("x_p012.xml", "x_p*.xml", Some(12))]
#[case("x.xml", "x.xml", None)]
#[case("x_p99999999999999999999.xml", "x_p99999999999999999999.xml", None)]
fn names_tell_capture_and_page(
    #[case] name: &str,
    #[case] capture: &str,
    #[case] number: Option<u64>,
) {
    let pages = Pages {
        file: Some(r"_p(\d+)\.xml$".into()),
        number: None,
        size: None,
        on_missing: OnMissingPage::Report,
    };
    let found = PageName::of(&pages, name);
    assert_eq!((found.capture.as_str(), found.number), (capture, number));
}

#[test]
fn pages_are_one_delivery_with_rows_numbered_through() {
    let outcome = read(
        CONTRACT,
        &[
            ("x_p1.xml", page(1, 5, &[1, 2])),
            ("x_p2.xml", page(2, 5, &[3, 4])),
            ("x_p3.xml", page(3, 5, &[5])),
        ],
    )
    .unwrap();
    assert_eq!(outcome.csv(&["a"]), "1;2;3;4;5");
    assert_eq!(outcome.records, 5);
    assert!(outcome.notices.is_empty(), "{:?}", outcome.notices);
}

#[rstest]
#[case::gap(
    &[("x_p1.xml", page(1, 5, &[1, 2])), ("x_p3.xml", page(3, 5, &[5]))],
    "page 2 of 3 is missing: 3 of 5 delivered"
)]
#[case::end(
    &[("x_p1.xml", page(1, 9, &[1, 2]))],
    "pages 2, 3, 4, 5 of 5 are missing: 2 of 9 delivered"
)]
#[case::short(
    &[("x_p1.xml", page(1, 3, &[1])), ("x_p2.xml", page(2, 3, &[2]))],
    "2 of 3 delivered"
)]
#[case::moving(
    &[("x_p1.xml", page(1, 3, &[1, 2])), ("x_p2.xml", page(2, 4, &[3, 4]))],
    "different totals, 3 and 4"
)]
fn gaps_are_reported_or_refused(#[case] files: &[(&str, String)], #[case] expected: &str) {
    let outcome = read(CONTRACT, files).unwrap();
    assert!(
        outcome
            .notices
            .iter()
            .any(|notice| notice.contains(expected)),
        "{:?}",
        outcome.notices
    );
    if expected.contains("totals") {
        return;
    }
    let strict = CONTRACT.replace("report", "refuse");
    let refusal = read(&strict, files).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "row_count");
    assert!(refusal.message.contains(expected), "{refusal}");
}

#[rstest]
#[case(
    &[("x_p1.xml", page(1, 4, &[1, 2])), ("x_p01.xml", page(1, 4, &[1, 2]))],
    "`x_p1.xml` and `x_p01.xml` are both page 1"
)]
#[case(
    &[("x_p1.xml", page(2, 4, &[1, 2]))],
    "`x_p1.xml` is named page 1 and says it is page 2"
)]
#[case(
    &[("x_p1.xml", page(1, 4, &[1, 2])), ("x_p2.xml", "<r><i>".to_owned())],
    "x_p2.xml: the XML document ends"
)]
fn pages_that_contradict_are_refused(#[case] files: &[(&str, String)], #[case] reason: &str) {
    let refusal = read(CONTRACT, files).unwrap_err();
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn archive_of_pages_is_one_delivery() {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("x_p2.xml", page(2, 5, &[3, 4])),
        ("x_p1.xml", page(1, 5, &[1, 2])),
    ] {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let contract = CONTRACT.replace("{kind: xml,", "{kind: xml, compression: zip,");
    let outcome = crate::testing::read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a"]), "1;2;3;4");
    assert_eq!(
        outcome.notices,
        ["page 3 of 3 is missing: 4 of 5 delivered"]
    );
}
