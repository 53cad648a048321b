#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::path::PathBuf;

use goyong_catalog::contract::{ColumnType, Encoding, FormatKind};
use goyong_types::ResidentNumber;
use rstest::rstest;

use super::*;

fn draft(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let first = infer_contract(&BTreeMap::new(), &path).unwrap_or_else(|error| panic!("{error}"));
    let second = infer_contract(&BTreeMap::new(), &path).unwrap();
    assert_eq!(first, second, "a draft is deterministic");
    first
}

fn parsed(text: &str) -> Contract {
    Contract::parse(text, "draft").unwrap()
}

fn types(text: &str) -> Vec<String> {
    parsed(text)
        .columns
        .iter()
        .map(|column| column.column_type.to_string())
        .collect()
}

fn number(serial: u32) -> String {
    let digits = format!("8001011{serial:05}");
    let mut twelve = [0; 12];
    twelve.copy_from_slice(digits.as_bytes());
    format!("{digits}{}", ResidentNumber::check_digit(&twelve) as char)
}

/// Forty rows with everything a register has.
fn register() -> String {
    let mut text =
        "주민등록번호,성명,연락처,사업장코드,취득일,보수액(원),비율,고용형태,비고\n".to_owned();
    for row in 0..40u32 {
        text.push_str(&format!(
            "{},김가{},010-0000-{:04},0{:04},202401{:02},\"{},000\",{}.5,{},{}\n",
            number(row),
            ['나', '다', '라', '마'][row as usize % 4],
            row,
            row,
            row % 28 + 1,
            row + 1,
            row,
            ["정규", "기간제"][row as usize % 2],
            if row % 10 == 0 {
                "-"
            } else {
                "자유로운 말"
            },
        ));
    }
    text
}

#[test]
fn columns_of_a_register_are_typed_and_personal_values_stay_unsaid() {
    let register = register();
    let (bytes, _, _) = encoding_rs::EUC_KR.encode(&register);
    let text = draft("register_202401.csv", &bytes);
    let contract = parsed(&text);
    assert_eq!(contract.format.encoding, Encoding::Cp949);
    assert_eq!(
        types(&text),
        [
            "rrn",
            "name",
            "contact",
            "code",
            "date",
            "won",
            "decimal(5,1)",
            "code",
            "code"
        ]
    );
    assert_eq!(contract.source, "register");
    let code = contract.column("column_8").unwrap();
    assert_eq!(code.domain, ["기간제", "정규"]);
    assert_eq!(contract.columns[5].strip, [","]);
    assert!(contract.columns[8].nullable);
    assert_eq!(contract.columns[8].null_values, ["", "-"]);
    assert_eq!(contract.columns[4].formats, ["%Y%m%d"]);
    for secret in [number(3).as_str(), "8001011", "김가나", "010-0000"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

#[rstest]
#[case::tab("a\tb\n1\tx y\n2\tz\n", b'\t', 1)]
#[case::semicolon("a;b\n1;x\n2;\"z;z\"\n", b';', 1)]
#[case::pipe("a|b\n1|x,y\n2|z,w\n", b'|', 1)]
#[case::no_header("1,2024-01-01\n2,2024-01-02\n3,2024-01-03\n", b',', 0)]
#[case::two_lines("지역,값,값\n지역,갑,을\n가,1,2\n나,3,4\n", b',', 2)]
fn delimiter_and_header_lines_are_found(
    #[case] text: &str,
    #[case] delimiter: u8,
    #[case] header_lines: usize,
) {
    let contract = parsed(&draft("table.csv", text.as_bytes()));
    let FormatKind::Csv(csv) = contract.format.kind else {
        panic!("not csv");
    };
    assert_eq!((csv.delimiter, csv.header_lines), (delimiter, header_lines));
}

#[test]
fn compression_utf_16_and_marks_are_recognised() {
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(b"a,b\n1,2\n3,4\n").unwrap();
    let text = draft("table.csv.gz", &compressed.finish().unwrap());
    assert!(text.contains("compression: gzip"), "{text}");
    let table = b"a,b\n1,2\n3,4\n".as_slice();
    let frame = zstd::stream::encode_all(table, 1).unwrap();
    assert!(draft("table.csv.zst", &frame).contains("compression: zstd"));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file("table.csv", zip::write::SimpleFileOptions::default())
        .unwrap();
    archive.write_all(table).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    assert!(draft("table.zip", &archive).contains("compression: zip"));
    let wide: Vec<u8> = "가,나\n1,2\n3,4\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        parsed(&draft("wide.csv", &wide)).format.encoding,
        Encoding::Utf16Le
    );
    let marked = [b"\xEF\xBB\xBF".as_slice(), "가,나\n1,2\n".as_bytes()].concat();
    let contract = parsed(&draft("marked.csv", &marked));
    assert_eq!(contract.columns[0].from, ["가"]);
}

#[rstest]
#[case::array(r#"{"body": {"items": [{"no": 1, "at": {"post": "04553"}, "list": [1]}, {"no": 2, "at": {"post": "04554"}}]}}"#)]
#[case::broken_off(r#"{"body": {"items": [{"no": 1, "at": {"post": "04553"}}, {"no": 2, "at": {"post": "04554"}}, {"no": 3, "at"#)]
fn json_records_are_found_by_their_path(#[case] text: &str) {
    let contract = parsed(&draft("answer.json", text.as_bytes()));
    let FormatKind::Json(json) = &contract.format.kind else {
        panic!("not json");
    };
    assert_eq!(json.record, ["body", "items"]);
    assert_eq!(contract.columns[1].from, ["at/post"]);
    assert_eq!(contract.columns[1].column_type, ColumnType::Code);
}

#[test]
fn json_lines_and_xml_are_told_apart() {
    let lines = parsed(&draft(
        "rows.ndjson",
        b"{\"a\": 1}\n{\"a\": 2, \"b\": null}\n",
    ));
    assert!(matches!(&lines.format.kind, FormatKind::Json(json) if json.lines));
    assert!(lines.columns[1].nullable);
    let xml = parsed(&draft(
        "answer.xml",
        b"<root><total>2</total><list><item no='1'><day>2024-01-01</day></item><item no='2'><day>2024-01-02</day></item></list></root>",
    ));
    let FormatKind::Xml(format) = &xml.format.kind else {
        panic!("not xml");
    };
    assert_eq!(format.record, ["root", "list", "item"]);
    assert_eq!(xml.columns[0].from, ["@no"]);
    assert_eq!(xml.columns[1].column_type, ColumnType::Date);
}

#[test]
fn resident_number_in_a_fixed_record_becomes_a_column_of_its_own() {
    let mut text = String::new();
    for row in 0..20u32 {
        text.push_str(&format!("{:06}{}{:05}ab  \n", row, number(row), row * 7));
    }
    let drafted = draft("fixed.dat", text.as_bytes());
    let contract = parsed(&drafted);
    let FormatKind::Fixed(fixed) = &contract.format.kind else {
        panic!("not fixed: {drafted}");
    };
    assert_eq!(fixed.record_bytes, 28);
    assert_eq!(contract.columns[1].column_type, ColumnType::ResidentNumber);
    assert_eq!(contract.columns[1].at, Some((6, 13)));
    assert!(!drafted.contains("8001011"), "{drafted}");
}

#[rstest]
#[case(b"", "empty")]
#[case(&[0xff, 0x80, 0xff, 0x00, 0xff, 0xfe, 0x81, 0x20, 0xff], "neither text")]
#[case(b"{\"a\": 1}", "no list of objects")]
#[case(b"PK\x03\x04 no archive", "damaged")]
fn files_that_cannot_be_drafted_are_explained(#[case] bytes: &[u8], #[case] reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let error = infer_contract(&BTreeMap::new(), &path).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn known_contracts_lend_their_names() {
    let known = crate::testing::contract(
        "source: lender\nformat: {kind: csv}\ncolumns:\n  - {name: acquired_on, from: 자격취득일, type: date}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.csv");
    std::fs::write(&path, "자격취득일,값\n20240101,1\n20240102,2\n").unwrap();
    let contracts = BTreeMap::from([("lender".to_owned(), known)]);
    let text = infer_contract(&contracts, &path).unwrap();
    assert!(text.contains("name: acquired_on"), "{text}");
    assert!(text.contains("named as in lender"), "{text}");
}
