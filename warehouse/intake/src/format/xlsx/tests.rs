#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};

use crate::testing::{plan, read_text};
use rstest::rstest;

const CONTRACT: &str = "format: {kind: xlsx}
columns:
  - {name: number, from: 번호, type: int}
  - {name: day, from: 날짜, type: date, format: \"%Y%m%d\"}
  - {name: text, from: 내용, type: string, nullable: true}
";

/// A workbook with one sheet, made of the parts a reader needs.
fn workbook(sheet_data: &str) -> Vec<u8> {
    let parts = [
        ("[Content_Types].xml", r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#.to_owned()),
        ("_rels/.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml", r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="자료" sheetId="1" r:id="r1"/></sheets></workbook>"#.to_owned()),
        ("xl/_rels/workbook.xml.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#.to_owned()),
        ("xl/styles.xml", r#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#.to_owned()),
        ("xl/worksheets/sheet1.xml", format!(r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{sheet_data}</sheetData></worksheet>"#)),
    ];
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn text(reference: &str, text: &str) -> String {
    format!(r#"<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>"#)
}

fn number(reference: &str, number: &str) -> String {
    format!(r#"<c r="{reference}"><v>{number}</v></c>"#)
}

fn header() -> String {
    format!(
        "<row r=\"1\">{}{}{}</row>",
        text("A1", "번호"),
        text("B1", "날짜"),
        text("C1", "내용")
    )
}

#[test]
fn cells_of_every_kind_are_read() {
    let data = format!(
        "{}<row r=\"2\">{}{}{}</row><row r=\"4\">{}<c r=\"B4\" s=\"1\"><v>45351</v></c></row><row r=\"9\"><c r=\"A9\"/></row>",
        header(),
        number("A2", "1"),
        text("B2", "20240229"),
        text("C2", "가"),
        number("A4", "2"),
    );
    let outcome = read_text(&plan(CONTRACT), &workbook(&data)).unwrap();
    assert_eq!(
        outcome.csv(&["number", "day", "text"]),
        "1,2024-02-29,가;2,2024-02-29,"
    );
}

#[test]
fn errors_and_cells_behind_the_header_are_quarantined() {
    let data = format!(
        "{}<row r=\"2\"><c r=\"A2\" t=\"e\"><v>#REF!</v></c>{}</row><row r=\"3\">{}{}{}</row>",
        header(),
        text("B2", "20240101"),
        number("A3", "1"),
        text("B3", "20240101"),
        number("F3", "9"),
    );
    let outcome = read_text(&plan(CONTRACT), &workbook(&data)).unwrap();
    assert_eq!(outcome.rules(), ["cell_error", "field_count"]);
}

#[rstest]
#[case(b"PK\x03\x04 no zip".to_vec(), "malformed", "workbook")]
#[case(workbook(""), "header", "before its header")]
#[case(workbook(&header().replace("번호", "순번")), "header", "번호")]
#[case(workbook(&"<row r=\"1\"></row>".repeat(300_000)), "too_large", "expands")]
fn unreadable_workbooks_are_refused(
    #[case] bytes: Vec<u8>,
    #[case] rule: &str,
    #[case] reason: &str,
) {
    let refusal = read_text(&plan(CONTRACT), &bytes).unwrap_err();
    assert_eq!(refusal.rule.as_str(), rule, "{refusal}");
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn missing_sheet_is_named() {
    let contract = CONTRACT.replace("{kind: xlsx}", "{kind: xlsx, sheet: 자로}");
    let refusal = read_text(&plan(&contract), &workbook(&header())).unwrap_err();
    assert!(refusal.message.contains("did you mean `자료`"), "{refusal}");
}
