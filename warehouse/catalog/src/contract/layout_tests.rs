#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::contract::format::CellRange;

const JSON: &str = r#"
source: post
title: posts
provider: somebody
cadence: daily
manifest: none
revision: append
format: {kind: json, record: "/result/*/steps"}
columns:
  - {name: post_no, from: ../post_no, type: code}
"#;

const CSV: &str = r#"
source: post
title: posts
provider: somebody
cadence: daily
manifest: none
revision: append
format: {kind: csv}
columns:
  - {name: post_no, type: code}
"#;

#[test]
fn layouts_are_read() {
    let yaml = JSON
        .replace(
            "revision:",
            "pages: {file: '_p(\\d+)', number: /page, on_missing: refuse}\nrevision:",
        )
        .replace(
            "{kind: json,",
            "{kind: json, compression: zip, member: \"*.json\",",
        );
    let contract = Contract::parse(&yaml, "post.yml").unwrap();
    assert_eq!(contract.format.compression, Compression::Zip);
    assert_eq!(contract.format.member.as_deref(), Some("*.json"));
    let pages = contract.pages.unwrap();
    assert_eq!(pages.number.unwrap(), ["page"]);
    assert_eq!(pages.on_missing, OnMissingPage::Refuse);
}

#[test]
fn layouts_that_cannot_be_are_explained() {
    let cases = [
        (
            CSV,
            "{kind: csv}",
            "{kind: csv, member: x}",
            "`member` does not belong",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: csv, delimiter: \"||\"}",
            "not one ASCII character",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: csv, delimiter: x}",
            "three different marks",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: csv, comment: \",\"}",
            "three different marks",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: csv, merged: fill}",
            "`merged` does not belong",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: parquet, compression: gzip}",
            "parquet compresses itself",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: xlsx, range: B4}",
            "not a range of cells",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: xlsx, range: \"H4:B20\"}",
            "not a range of cells",
        ),
        (
            CSV,
            "{kind: csv}",
            "{kind: xlsx, drop_rows: [{column: a, matches: \"(\"}]}",
            "not a regular expression",
        ),
        (
            CSV,
            "manifest: none",
            "manifest: none\npages: {}",
            "only answers in xml and json",
        ),
        (
            CSV,
            "manifest: none",
            "manifest: none\nchild_of: other",
            "only records in xml and json",
        ),
        (
            JSON,
            "manifest: none",
            "manifest: required\npages: {}",
            "exclude each other",
        ),
        (
            JSON,
            "manifest: none",
            "manifest: none\npages: {file: x}",
            "one group",
        ),
        (
            JSON,
            "manifest: none",
            "manifest: none\nchild_of: post",
            "its own child",
        ),
        (
            JSON,
            "manifest: none",
            "manifest: required\nchild_of: other",
            "not with files of their own",
        ),
        (
            JSON,
            "from: ../post_no",
            "from: ../../../post_no",
            "3 levels above the record, which has 2",
        ),
        (
            JSON,
            "from: ../post_no",
            "from: $key2",
            "did you mean `$key1`?",
        ),
    ];
    for (yaml, from, to, expected) in cases {
        let text = yaml.replace(from, to);
        assert_ne!(text, yaml, "{from}");
        let error = Contract::parse(&text, "post.yml").unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn ranges_count_from_nought() {
    let range = CellRange::parse("B4:AA20").unwrap();
    assert_eq!((range.first, range.last), ((3, 1), (Some(19), 26)));
    let open = CellRange::parse("A1:H").unwrap();
    assert_eq!((open.first, open.last), ((0, 0), (None, 7)));
    for text in [
        "",
        "B4",
        "b4:c5",
        "B0:C1",
        "4:5",
        "B:C4",
        "B4:C4:D4",
        "B4:C99999999999",
    ] {
        assert_eq!(CellRange::parse(text), None, "{text}");
    }
}
