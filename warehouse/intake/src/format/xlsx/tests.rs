#![allow(clippy::unwrap_used, clippy::panic)]

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
fn workbook_that_lists_a_million_sheets_is_refused_unopened() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("xl/workbook.xml", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(b"<workbook><sheets>").unwrap();
    for _ in 0..10_000 {
        writer
            .write_all(b"<sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/>")
            .unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let refusal = read_text(&plan(CONTRACT), &bytes).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "too_large", "{refusal}");
}

#[test]
fn missing_sheet_is_named() {
    let contract = CONTRACT.replace("{kind: xlsx}", "{kind: xlsx, sheet: 자로}");
    let refusal = read_text(&plan(&contract), &workbook(&header())).unwrap_err();
    assert!(refusal.message.contains("did you mean `자료`"), "{refusal}");
}

/// A sheet of rows of texts and, behind `=`, numbers; an empty text is no cell.
fn sheet(rows: &[&[&str]]) -> String {
    let mut data = String::new();
    for (offset, cells) in rows.iter().enumerate() {
        let row = offset + 1;
        data.push_str(&format!("<row r=\"{row}\">"));
        for (column, cell) in cells.iter().enumerate() {
            let reference = format!("{}{row}", char::from(b'A' + column as u8));
            data.push_str(&match cell.strip_prefix('=') {
                Some(written) => number(&reference, written),
                None if cell.is_empty() => String::new(),
                None => text(&reference, cell),
            });
        }
        data.push_str("</row>");
    }
    data
}

fn with_merges(sheet_data: &str, merges: &str) -> Vec<u8> {
    let merges: String = merges
        .split(' ')
        .map(|reference| format!("<mergeCell ref=\"{reference}\"/>"))
        .collect();
    workbook(&format!(
        "{sheet_data}</sheetData><mergeCells>{merges}</mergeCells><sheetData>"
    ))
}

const TOTALS: &str = "format: {kind: xlsx, merged: fill, header_lines: 2, drop_rows: [{column: 지역, matches: \"^(합계|소계)$\"}]}
columns:
  - {name: region, from: 지역, type: string}
  - {name: sex, from: 성별, type: string}
  - {name: first, from: 2024 | 상반기, type: int, strip: \",\"}
  - {name: second, from: 2024 | 하반기, type: int, strip: \",\"}
";

#[test]
fn merged_cells_are_filled_and_totals_are_left_out_and_counted() {
    let data = sheet(&[
        &["지역", "성별", "2024", ""],
        &["", "", "상반기", "하반기"],
        &["합계", "", "1,600", "=4"],
        &["서울", "남", "1,000", "=1"],
        &["", "여", "=600", "=3"],
        &["", "", "", ""],
        &["소계", "", "1,600", "=4"],
    ]);
    let bytes = with_merges(&data, "A1:A2 B1:B2 C1:D1 A4:A6 A3:B3");
    let outcome = read_text(&plan(TOTALS), &bytes).unwrap();
    assert_eq!(
        outcome.csv(&["region", "sex", "first", "second"]),
        "서울,남,1000,1;서울,여,600,3"
    );
    assert_eq!(outcome.delivered, 2);
    assert_eq!(
        outcome.notices,
        ["2 rows are no data by the rule `지역` matches `^(합계|소계)$` and were left out"]
    );
}

#[test]
fn merged_cells_stay_as_stored_without_the_rule() {
    let contract = TOTALS.replace("merged: fill, ", "header_fill: true, ");
    let data = sheet(&[
        &["지역", "성별", "2024", ""],
        &["지역", "성별", "상반기", "하반기"],
        &["서울", "남", "=1", "=1"],
        &["", "여", "=2", "=3"],
    ]);
    let bytes = with_merges(&data, "C1:D1 A3:A4");
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["region", "first"]), "서울,1");
    assert_eq!(outcome.rules(), ["not_null"]);
}

#[rstest]
#[case("B3:D5", "1,2024-02-29,가;2,2024-03-01,나")]
#[case("B3:D", "1,2024-02-29,가;2,2024-03-01,나;3,2024-03-02,다")]
fn range_leaves_out_what_stands_around_it(#[case] range: &str, #[case] rows: &str) {
    let contract = CONTRACT.replace(
        "{kind: xlsx}",
        &format!("{{kind: xlsx, range: \"{range}\"}}"),
    );
    let bytes = workbook(&sheet(&[
        &["제목", "", "", "", ""],
        &[],
        &["", "번호", "날짜", "내용", ""],
        &["비고", "=1", "20240229", "가", "옆"],
        &["", "=2", "20240301", "나", ""],
        &["", "=3", "20240302", "다", ""],
    ]));
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["number", "day", "text"]), rows);
    assert!(outcome.quarantined.is_empty(), "{:?}", outcome.quarantined);
}

#[test]
fn plain_numbers_in_date_columns_are_days_where_agreed() {
    let bytes = workbook(&sheet(&[
        &["번호", "날짜", "내용"],
        &["=1", "=45351", "=45351"],
        &["=2", "=60", "가"],
    ]));
    let agreed = CONTRACT.replace("{kind: xlsx}", "{kind: xlsx, serial_dates: true}");
    let outcome = read_text(&plan(&agreed), &bytes).unwrap();
    assert_eq!(
        outcome.csv(&["number", "day", "text"]),
        "1,2024-02-29,45351"
    );
    assert_eq!(outcome.rules(), ["serial_date"]);
    let outcome = read_text(&plan(CONTRACT), &bytes).unwrap();
    assert_eq!(outcome.rules(), ["type", "type"]);
}

#[rstest]
#[case("자*", None)]
#[case("?료", None)]
#[case("표*", Some("no sheet matching `표*`; the workbook has 1"))]
fn sheets_are_found_by_glob(#[case] glob: &str, #[case] reason: Option<&str>) {
    let contract = CONTRACT.replace(
        "{kind: xlsx}",
        &format!("{{kind: xlsx, sheet: \"{glob}\"}}"),
    );
    match (read_text(&plan(&contract), &workbook(&header())), reason) {
        (Ok(outcome), None) => assert_eq!(outcome.delivered, 0),
        (Err(refusal), Some(reason)) => assert!(refusal.message.contains(reason), "{refusal}"),
        (found, _) => panic!("{found:?}"),
    }
}

#[test]
fn dropping_rule_on_an_unknown_column_is_refused() {
    let contract = CONTRACT.replace(
        "{kind: xlsx}",
        "{kind: xlsx, drop_rows: [{column: 구분, matches: 계}]}",
    );
    let refusal = read_text(&plan(&contract), &workbook(&header())).unwrap_err();
    assert!(refusal.message.contains("`구분`"), "{refusal}");
}

#[test]
fn region_over_the_whole_sheet_and_empty_rows_cost_nothing() {
    let mut data = header();
    for row in 2..40_000 {
        data.push_str(&format!("<row r=\"{row}\"/>"));
    }
    data.push_str(&format!(
        "<row r=\"40000\">{}{}</row>",
        number("A40000", "1"),
        text("B40000", "20240101")
    ));
    let contract = CONTRACT.replace("{kind: xlsx}", "{kind: xlsx, merged: fill}");
    let bytes = with_merges(&data, "C1:C1048576");
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["number", "text"]), "1,내용");
}

#[rstest]
#[case::gzip("gzip")]
#[case::zip("zip")]
fn workbook_may_be_compressed_once_more(#[case] compression: &str) {
    let data = format!(
        "{}<row r=\"2\">{}{}</row>",
        header(),
        number("A2", "1"),
        text("B2", "20240101")
    );
    let workbook = workbook(&data);
    let bytes = if compression == "gzip" {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&workbook).unwrap();
        encoder.finish().unwrap()
    } else {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .start_file("표.xlsx", zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&workbook).unwrap();
        writer.finish().unwrap().into_inner()
    };
    let contract = CONTRACT.replace(
        "{kind: xlsx}",
        &format!("{{kind: xlsx, compression: {compression}}}"),
    );
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["number"]), "1");
}

#[test]
fn damaged_sheets_end_in_rows_or_a_refusal_never_in_a_failure() {
    let data = sheet(&[
        &["번호", "날짜", "내용"],
        &["=1", "20240101", "가"],
        &["=2", "=45351", ""],
    ]);
    let contract = CONTRACT.replace(
        "{kind: xlsx}",
        "{kind: xlsx, merged: fill, serial_dates: true}",
    );
    let plan = plan(&contract);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..200 {
        let mut text = data.clone().into_bytes();
        for _ in 0..=random(4) {
            let place = random(text.len());
            if text[place].is_ascii() {
                text[place] = b"<>\"/ A9=&"[random(9)];
            }
        }
        let Ok(text) = String::from_utf8(text) else {
            continue;
        };
        if let Ok(outcome) = read_text(&plan, &with_merges(&text, "A2:A3 C2:C3")) {
            assert_eq!(
                outcome.delivered as usize,
                outcome.accepted() + outcome.quarantined.len()
            );
        }
    }
}
