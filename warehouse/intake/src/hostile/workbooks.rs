//! Workbooks and columnar files that claim, hide or expand more than they hold.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::bench::{Bin, Case, NAME, person, run};

const SPREADSHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const DOCUMENT: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A zip of parts as they are given.
fn zip(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A workbook with these sheets, data and further parts.
fn workbook(sheets: &str, data: &str, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut parts = vec![
        ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#.into()),
        ("_rels/.rels", format!(r#"<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#).into_bytes()),
        ("xl/workbook.xml", format!(r#"<workbook xmlns="{SPREADSHEET}" xmlns:r="{DOCUMENT}"><sheets>{sheets}</sheets></workbook>"#).into_bytes()),
        ("xl/_rels/workbook.xml.rels", format!(r#"<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r3" Type="{DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#).into_bytes()),
        ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="{SPREADSHEET}"><sheetData>{data}</sheetData></worksheet>"#).into_bytes()),
    ];
    parts.extend(more.iter().cloned());
    zip(&parts)
}

const ONE_SHEET: &str = r#"<sheet name="자료" sheetId="1" r:id="r1"/>"#;

fn text(text: &str) -> String {
    format!(r#"<c t="inlineStr"><is><t>{text}</t></is></c>"#)
}

fn header() -> String {
    let cells: String = ["주민등록번호", "성명", "지역", "날짜", "금액"]
        .map(text)
        .concat();
    format!("<row>{cells}</row>")
}

/// A row; the last cell as written.
fn row(index: u32, won: &str) -> String {
    format!(
        "<row>{}{}{}<c/>{won}</row>",
        text(&person(index)),
        text(NAME),
        text("서울")
    )
}

fn number(number: &str) -> String {
    format!("<c><v>{number}</v></c>")
}

#[tokio::test]
async fn workbooks_end_in_their_bin() {
    let good = header() + &row(1, &number("1"));
    let cells = header()
        + &row(1, r#"<c><f>1+1</f><v>2</v></c>"#)
        + &row(
            2,
            r#"<c t="str"><f>WEBSERVICE("http://127.0.0.1:9")</f><v>3</v></c>"#,
        )
        + &row(3, r#"<c><f>1+1</f></c>"#)
        + &row(4, &number("1e400"))
        + &row(5, &number("NaN"))
        + &row(6, r##"<c t="e"><v>#REF!</v></c>"##)
        + &row(7, &number("5"))
        + &row(8, &number("6"))
        + &row(9, &number("7"));
    let million_sheets: String = (0..1_000_000)
        .map(|sheet| format!(r#"<sheet name="s{sheet}" sheetId="{sheet}" r:id="r1"/>"#))
        .collect();
    let many_parts: Vec<(String, Vec<u8>)> = (0..20_000)
        .map(|part| (format!("xl/worksheets/s{part}.xml"), Vec::new()))
        .collect();
    let many_parts: Vec<(&str, Vec<u8>)> = many_parts
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let far = header() + r#"<row r="2"><c r="XFE2"><v>1</v></c></row>"#;
    let far_row = header() + r#"<row r="4294967295"><c r="A4294967295"><v>1</v></c></row>"#;
    let bomb = workbook(ONE_SHEET, &good, &[("xl/media/x.bin", vec![0; 33 << 20])]);
    // Shared texts, which are held in memory, may take a quarter of what a workbook expands to.
    let strings = |texts: usize| {
        let empty = "<si/>".repeat(texts);
        let part = format!(r#"<sst xmlns="{SPREADSHEET}">{empty}</sst>"#);
        ("xl/sharedStrings.xml", part.into_bytes())
    };
    let outside = workbook(
        ONE_SHEET,
        &good,
        &[("../../outside/secret", b"changed".to_vec())],
    );
    let mut cut = workbook(ONE_SHEET, &good, &[]);
    cut.truncate(cut.len() - 30);
    run(vec![
        Case::bare(
            "right",
            "sheets",
            workbook(ONE_SHEET, &good, &[]),
            Bin::Accepted("서울||1"),
        ),
        Case::bare(
            "formulas, errors, no numbers",
            "sheets",
            workbook(ONE_SHEET, &cells, &[]),
            Bin::Quarantined(
                "서울||2;서울||3;서울||5;서울||6;서울||7",
                &[
                    (3, "won", "not_null"),
                    (4, "won", "type"),
                    (5, "won", "type"),
                    (6, "won", "cell_error"),
                ],
            ),
        ),
        Case::bare(
            "a million sheets",
            "sheets",
            workbook(&million_sheets, &good, &[]),
            Bin::Refused("too_large", "workbook"),
        ),
        Case::bare(
            "twenty thousand parts",
            "sheets",
            workbook(ONE_SHEET, &good, &many_parts),
            Bin::Refused("too_large", "20005 members"),
        ),
        Case::bare(
            "a part that expands",
            "sheets",
            bomb,
            Bin::Refused("too_large", "more than 32 MiB"),
        ),
        Case::bare(
            "three million empty texts",
            "sheets",
            workbook(ONE_SHEET, &good, &[strings(3 << 20)]),
            Bin::Refused("too_large", "more than 32 MiB"),
        ),
        Case::bare(
            "a million empty texts",
            "sheets",
            workbook(ONE_SHEET, &good, &[strings(1 << 20)]),
            Bin::Accepted("서울||1"),
        ),
        Case::bare(
            "a part that leads outside",
            "sheets",
            outside,
            Bin::Accepted("서울||1"),
        ),
        Case::bare(
            "a cell beyond the sheet",
            "sheets",
            workbook(ONE_SHEET, &far, &[]),
            Bin::Refused("malformed", "outside the sheet"),
        ),
        Case::bare(
            "a row beyond the sheet",
            "sheets",
            workbook(ONE_SHEET, &far_row, &[]),
            Bin::Refused("threshold", "rrn_shape in 1"),
        ),
        Case::bare(
            "cut off",
            "sheets",
            cut,
            Bin::Refused("malformed", "not a readable workbook"),
        ),
        Case::bare(
            "an empty file",
            "sheets",
            "",
            Bin::Refused("malformed", "not a readable workbook"),
        ),
        Case::bare(
            "a zip of something else",
            "sheets",
            zip(&[("a.txt", b"x".to_vec())]),
            Bin::Refused("malformed", "not a readable workbook"),
        ),
    ])
    .await;
}

/// A Parquet file of text columns except `won`.
fn columnar(places: Vec<Option<&str>>, won: ArrayRef) -> Vec<u8> {
    let count = places.len();
    let numbers: Vec<String> = (0..count as u32).map(person).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "주민등록번호",
            Arc::new(StringArray::from(numbers)) as ArrayRef,
            true,
        ),
        ("성명", Arc::new(StringArray::from(vec![NAME; count])), true),
        ("지역", Arc::new(StringArray::from(places)), true),
        (
            "날짜",
            Arc::new(StringArray::from(vec![None::<&str>; count])),
            true,
        ),
        ("금액", won, true),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn columnar_files_end_in_their_bin() {
    let won = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let places = || vec![Some("서울"), None];
    let good = columnar(places(), won());
    let end = good.len();
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let truth = columnar(places(), Arc::new(BooleanArray::from(vec![true, false])));
    // One text, written once in a dictionary, stands for every row.
    let long = "가".repeat(400_000);
    let repeated = columnar(
        vec![Some(long.as_str()); 300],
        Arc::new(Int64Array::from(vec![1; 300])),
    );
    let without_won = {
        let batch = RecordBatch::try_from_iter([("금액", won())]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    run(vec![
        Case::bare(
            "right",
            "columnar",
            good.clone(),
            Bin::Accepted("서울||1;||2"),
        ),
        Case::bare(
            "truth values as amounts",
            "columnar",
            truth,
            Bin::Refused("threshold", "won type in 2"),
        ),
        Case::bare(
            "columns of another file",
            "columnar",
            without_won,
            Bin::Refused("header", "is missing"),
        ),
        Case::bare(
            "no footer",
            "columnar",
            good[..end - 8].to_vec(),
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "a footer larger than the file",
            "columnar",
            changed(end - 8, &u32::MAX.to_le_bytes()),
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "a damaged footer",
            "columnar",
            changed(end - 200, &[0xFF; 64]),
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "a damaged page",
            "columnar",
            changed(4, &[0xFF; 24]),
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "an empty file",
            "columnar",
            "",
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "text",
            "columnar",
            "a,b\n1,2\n",
            Bin::Refused("malformed", "not a readable Parquet file"),
        ),
        Case::bare(
            "a dictionary that stands for gibibytes",
            "columnar",
            repeated,
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
    ])
    .await;
}
