#![allow(clippy::unwrap_used)]

use crate::testing::{limits, plan, read_text, read_with};
use rstest::rstest;

const THREE: &str = "format: {kind: csv}
columns:
  - {name: a, type: string, nullable: true}
  - {name: b, type: string, nullable: true}
  - {name: c, type: string, nullable: true}
";

fn bare(format: &str) -> String {
    THREE.replace("{kind: csv}", format)
}

#[rstest]
#[case::plain("a,b,c\n1,2,3\n", "1,2,3")]
#[case::no_last_newline("a,b,c\n1,2,3", "1,2,3")]
#[case::crlf("a,b,c\r\n1,2,3\r\n4,5,6\r\n", "1,2,3;4,5,6")]
#[case::carriage_returns_only("a,b,c\r1,2,3\r4,5,6\r", "1,2,3;4,5,6")]
#[case::mixed("a,b,c\n1,2,3\r4,5,6\r\n7,8,9", "1,2,3;4,5,6;7,8,9")]
#[case::blank_lines("a,b,c\n\n1,2,3\n\n", "1,2,3")]
#[case::quoted_newline("a,b,c\n\"1\n2\",\"x,y\",3\n4,5,6\n", "1\n2,x,y,3;4,5,6")]
#[case::doubled_quote("a,b,c\n\"say \"\"no\"\"\",\"\"\"\",3\n", "say \"no\",\",3")]
#[case::quote_inside_a_field("a,b,c\n5\" pipe,b,c\n1,2\"\",3\n", "5\" pipe,b,c;1,2\"\",3")]
#[case::empty_fields("a,b,c\n,,\n\"\",,3\n", ",,;,,3")]
#[case::mark_at_the_start("\u{FEFF}a,b,c\n1,2,3\n", "1,2,3")]
#[case::quoted_header("\"a\",\"b\",\"c\"\n1,2,3\n", "1,2,3")]
fn records_are_cut_as_written(#[case] text: &str, #[case] expected: &str) {
    let outcome = read_text(&plan(THREE), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), expected);
    assert!(outcome.quarantined.is_empty(), "{:?}", outcome.quarantined);
}

#[rstest]
#[case::pipe(
    "{kind: csv, delimiter: \"|\", header: false}",
    "1|2|\"a\"\"b\"\n",
    "1,2,a\"b"
)]
#[case::backslash(
    "{kind: csv, escape: backslash, header: false}",
    "\"1\\\"\",\"\\\\\",3\n",
    "1\",\\,3"
)]
#[case::no_quotes("{kind: csv, quote: none, header: false}", "\"1,2,3\"\n", "\"1,2,3\"")]
#[case::comments(
    "{kind: csv, comment: \"#\"}",
    "# x,\"y\na,b,c\n#1,2,3\n4,5,6\n",
    "4,5,6"
)]
#[case::percent("{kind: csv, delimiter: \"%\"}", "a%b%c\n1,5%2%\"3%4\"\n", "1,5,2,3%4")]
#[case::tab("{kind: csv, delimiter: \"\\t\"}", "a\tb\tc\n1\t\t3\n", "1,,3")]
#[case::semicolon("{kind: csv, delimiter: \";\"}", "a;b;c\n1,2;2;3\n", "1,2,2,3")]
#[case::single_quotes(
    "{kind: csv, quote: \"'\"}",
    "a,b,c\n'1,''x',\"2\",3\n",
    "1,'x,\"2\",3"
)]
#[case::backslash_before_newline(
    "{kind: csv, escape: backslash}",
    "a,b,c\n\"1\\\n\",2,3\n4,5,6\n",
    "1\n,2,3;4,5,6"
)]
#[case::comment_between_and_behind(
    "{kind: csv, comment: \"#\"}",
    "a,b,c\n1,2,3\n# \"\n4,#5,6\n#",
    "1,2,3;4,#5,6"
)]
#[case::header_of_merged_cells(
    "{kind: csv, header_lines: 2, header_fill: true}",
    "x,,y\n1,2,3\n7,8,9\n",
    "7,8,9"
)]
#[case::repeated_headers("{kind: csv, repeated_headers: number}", "a,,a\n1,2,3\n", "1,2,3")]
#[case::skipped("{kind: csv, skip_lines: 2}", "title\n\na,b,c\n1,2,3\n", "1,2,3")]
#[case::trimmed("{kind: csv, trim: true}", "a, b, c\n 1 , 2, 3\n", "1,2,3")]
fn contract_says_how_it_is_written(
    #[case] format: &str,
    #[case] text: &str,
    #[case] expected: &str,
) {
    let mut contract = bare(format);
    if format.contains("header_fill") {
        contract = renamed(&contract, ["x | 1", "x | 2", "y | 3"]);
    }
    if format.contains("repeated_headers") {
        contract = renamed(&contract, ["a", "column 2", "a (2)"]);
    }
    let outcome = read_text(&plan(&contract), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), expected);
    for part_bytes in [1, 7] {
        let parts = read_with(&plan(&contract), text.as_bytes(), limits(2, part_bytes)).unwrap();
        assert_eq!(parts.csv(&["a", "b", "c"]), expected, "{part_bytes} bytes");
    }
}

/// The contract with other headers for its columns.
fn renamed(contract: &str, headers: [&str; 3]) -> String {
    let mut contract = contract.to_owned();
    for (name, header) in ["a", "b", "c"].into_iter().zip(headers) {
        contract = contract.replace(
            &format!("{{name: {name}, "),
            &format!("{{name: {name}, from: \"{header}\", "),
        );
    }
    contract
}

#[test]
fn numbered_headers_are_reported() {
    let format = bare("{kind: csv, repeated_headers: number}");
    let contract = renamed(&format, ["a", "a (2)", "a (3)"]);
    let outcome = read_text(&plan(&contract), b"a,a,a\n1,2,3\n").unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), "1,2,3");
    assert_eq!(
        outcome.notices,
        ["headers are repeated or empty, they were numbered: `a (2)`, `a (3)`"]
    );
}

#[test]
fn mixed_line_ends_are_cut_alike_at_every_part_size() {
    let mut text = "a,b,c\r\n".to_owned();
    let mut expected = Vec::new();
    for row in 0..200 {
        let end = ["\n", "\r\n", "\r"][row % 3];
        let inside = ["\r\n", "\n", "\r"][row % 3];
        text.push_str(&format!("{row},\"x{inside}y\",z{end}"));
        expected.push(format!("{row},x{inside}y,z"));
    }
    let expected = expected.join(";");
    for part_bytes in [1, 2, 3, 5, 8, 13, 21, 64, 1000, 1 << 20] {
        let outcome = read_with(&plan(THREE), text.as_bytes(), limits(2, part_bytes)).unwrap();
        assert_eq!(
            outcome.csv(&["a", "b", "c"]),
            expected,
            "{part_bytes} bytes"
        );
        assert_eq!(outcome.records, 200);
    }
}

#[rstest]
#[case::utf8("utf-8", "a,b,c\n가,\u{0}X,3\n나,5,6\n".as_bytes(), b"\xff\xb0")]
#[case::cp949("cp949", b"a,b,c\n\xb0\xa1,\0X,3\n\xb3\xaa,5,6\n", b"\xff\xff")]
#[case::cp949_half_a_letter("cp949", b"a,b,c\n1,\0X,3\n\xb3\xaa,5,6\n", b"ok\xb0")]
fn undecodable_bytes_quarantine_their_row_alone(
    #[case] encoding: &str,
    #[case] text: &[u8],
    #[case] broken: &[u8],
) {
    let place = memchr::memmem::find(text, b"\0X").unwrap();
    let bytes = [&text[..place], broken, &text[place + 2..]].concat();
    let contract = bare(&format!("{{kind: csv, encoding: {encoding}}}"));
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), "나,5,6");
    assert_eq!(outcome.rules(), ["encoding"]);
    assert_eq!(outcome.quarantined[0].column, "b");
}

#[rstest]
#[case("a,b,c\n1,2\n3,4,5\n", "field_count", "2 fields instead of 3")]
#[case("a,b,c\n1,2,3,4\n3,4,5\n", "field_count", "4 fields instead of 3")]
#[case("a,b,c\n\"1\"x,2,3\n3,4,5\n", "quoting", "")]
fn broken_records_are_quarantined_alone(
    #[case] text: &str,
    #[case] rule: &str,
    #[case] shown: &str,
) {
    let outcome = read_text(&plan(THREE), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), "3,4,5");
    assert_eq!(outcome.rules(), [rule]);
    assert_eq!(
        outcome.quarantined[0].raw_value.as_deref().unwrap_or(""),
        shown
    );
    assert_eq!(outcome.delivered, 2);
}

#[rstest]
#[case("a,b,c\n1,2,\"3\n4,5,6\n", "truncated", "never closes")]
#[case("", "truncated", "before its header")]
#[case("a,b,a\n1,2,3\n", "header", "`a` twice")]
#[case(",,\n1,2,3\n", "header", "is missing")]
#[case("\u{FEFF}", "truncated", "before its header")]
fn files_that_cannot_be_read_are_refused(
    #[case] text: &str,
    #[case] rule: &str,
    #[case] reason: &str,
) {
    let refusal = read_text(&plan(THREE), text.as_bytes()).unwrap_err();
    assert_eq!(refusal.rule.as_str(), rule, "{refusal}");
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn header_in_another_encoding_is_named() {
    let contract = "format: {kind: csv, encoding: cp949}\ncolumns:\n  - {name: a, from: 상실일, type: string}\n";
    let refusal = read_text(&plan(contract), "상실일\n가각갂\n".as_bytes()).unwrap_err();
    assert!(
        refusal.rule.as_str() == "encoding" || refusal.rule.as_str() == "header",
        "{refusal}"
    );
    let refusal = read_text(&plan(contract), b"\xff\xfea\x00").unwrap_err();
    assert!(refusal.message.contains("utf-16le"), "{refusal}");
}

#[test]
fn utf16_is_read_and_lone_surrogates_quarantine_their_row() {
    let contract = bare("{kind: csv, encoding: utf-16le}");
    let mut bytes = b"\xff\xfe".to_vec();
    for unit in "a,b,c\n가,2,3\n4,X,6\n".encode_utf16() {
        let unit = if unit == u16::from(b'X') {
            0xD800
        } else {
            unit
        };
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), "가,2,3");
    assert_eq!(outcome.rules(), ["encoding"]);
}

#[test]
fn phantom_column_is_dropped_only_when_empty() {
    let contract = bare("{kind: csv, phantom_last_column: drop}");
    let outcome = read_text(&plan(&contract), b"a,b,c,\n1,2,3,\n4,5,6,lost\n").unwrap();
    assert_eq!(outcome.csv(&["a", "b", "c"]), "1,2,3");
    assert_eq!(outcome.rules(), ["phantom_column"]);
    assert!(outcome.notices[0].contains("trailing delimiter"));
}

#[test]
fn wide_years_become_rows() {
    let contract = r#"
format: {kind: csv}
unpivot: {columns: "^(\\d{4}) 년$", name: year, value: wage}
columns:
  - {name: job, from: 직업, type: string}
  - {name: year, type: int}
  - {name: wage, type: int, nullable: true, null_values: ["", "-"]}
"#;
    let outcome = read_text(
        &plan(contract),
        "직업,2020 년,2021 년\n가,1,2\n나,-,x\n".as_bytes(),
    )
    .unwrap();
    assert_eq!(
        outcome.csv(&["job", "year", "wage"]),
        "가,2020,1;가,2021,2;나,2020,"
    );
    assert_eq!((outcome.delivered, outcome.records), (4, 2));
    assert_eq!(outcome.rules(), ["type"]);
}

#[test]
fn parts_and_threads_do_not_change_the_result() {
    let contract = "format: {kind: csv, encoding: cp949}
control_totals: [won]
columns:
  - {name: number, type: bigint}
  - {name: text, type: string, nullable: true}
  - {name: won, type: won, range: [0, 1000]}
";
    let mut bytes = b"number,text,won\n".to_vec();
    for row in 0..5000u32 {
        let text: &[u8] = match row % 5 {
            0 => b"\"\xb0\xa1\n\xb0\xa2\"",
            1 => b"\"a \"\"b\"\", c\"",
            2 => b"5\" x",
            3 => b"",
            _ => b"\"\"",
        };
        bytes.extend_from_slice(format!("{row},").as_bytes());
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(format!(",{}\r\n", row % 1003).as_bytes());
    }
    let plan = plan(contract);
    let whole = read_with(&plan, &bytes, limits(1, 1 << 20)).unwrap();
    assert_eq!(whole.delivered, 5000);
    let over = whole.quarantined.len();
    assert_eq!(over, (0..5000).filter(|row| row % 1003 > 1000).count());
    assert_eq!(
        whole.control[0].accepted + whole.control[0].quarantined,
        (0..5000i128).map(|row| row % 1003).sum::<i128>()
    );
    for threads in [1, 2, 3] {
        for part_bytes in [64, 100, 1000, 70_000] {
            let parts = read_with(&plan, &bytes, limits(threads, part_bytes)).unwrap();
            assert_eq!(
                parts.csv(&["number", "text", "won"]),
                whole.csv(&["number", "text", "won"]),
                "{threads} threads, {part_bytes} bytes"
            );
            assert_eq!(parts.quarantined, whole.quarantined);
            assert_eq!(parts.control, whole.control);
        }
    }
}

#[test]
fn endless_line_is_refused_in_bounded_memory() {
    let mut bytes = b"a,b,c\n".to_vec();
    bytes.resize(3 << 20, b'x');
    let refusal = read_with(&plan(THREE), &bytes, limits(2, 4096)).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "too_large", "{refusal}");
}

#[test]
fn damaged_gzip_is_refused_and_a_whole_one_is_read() {
    use std::io::Write;
    let contract = bare("{kind: csv, compression: gzip}");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"a,b,c\n").unwrap();
    for row in 0..20_000 {
        writeln!(encoder, "{row},{},{}", row * 7919 % 10_007, row * 31 % 997).unwrap();
    }
    let bytes = encoder.finish().unwrap();
    let outcome = read_text(&plan(&contract), &bytes).unwrap();
    assert_eq!(outcome.delivered, 20_000);
    let refusal = read_text(&plan(&contract), &bytes[..bytes.len() / 2]).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "truncated", "{refusal}");
}

#[test]
fn every_record_is_accepted_or_quarantined_whatever_the_bytes() {
    let contract = "format: {kind: csv, encoding: cp949}
columns:
  - {name: a, type: int}
  - {name: b, type: string, nullable: true}
";
    let plan = plan(contract);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..300 {
        let mut bytes = b"a,b\n".to_vec();
        for _ in 0..200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let palette = b"0123456789,,\n\n\"\r ab\xb0\xa1\xff";
            bytes.push(palette[(state % palette.len() as u64) as usize]);
        }
        let Ok(outcome) = read_with(&plan, &bytes, limits(2, 64)) else {
            continue;
        };
        assert_eq!(
            outcome.delivered as usize,
            outcome.accepted() + outcome.quarantined.len()
        );
        assert_eq!(outcome.delivered, outcome.records);
    }
}
