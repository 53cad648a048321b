//! Delimited text that lies about itself.

use std::io::{Read, repeat};

use super::bench::{Beside, Bin, Case, NAME, cp949, delimited, person, run};
use crate::chunks::ReadLimits;
use crate::read::read_text;
use crate::testing::{context, plan};

const THREE: [&str; 3] = ["서울,20240801,1", "부산,20240802,2", "대구,20240803,34"];
const THREE_ROWS: &str = "서울|2024-08-01|1;부산|2024-08-02|2;대구|2024-08-03|34";
const FIRST_TWO: &str = "서울|2024-08-01|1;부산|2024-08-02|2";

fn three() -> Vec<u8> {
    cp949(&delimited(&THREE))
}

/// The three rows without the last so many bytes; the hash is that of what is left.
fn cut(bytes: usize) -> Vec<u8> {
    let mut whole = three();
    whole.truncate(whole.len() - bytes);
    whole
}

#[tokio::test]
async fn damaged_deliveries_with_right_hashes_end_in_their_bin() {
    let invalid = {
        let mut bytes = three();
        let place = cp949("부산");
        let at = memchr::memmem::find(&bytes, &place).unwrap_or_default();
        bytes[at + 1] = 0xFF;
        bytes
    };
    run(vec![
        Case::wages(
            "right",
            three(),
            Beside::Manifest(3, "37"),
            Bin::Accepted(THREE_ROWS),
        ),
        Case::wages(
            "cut inside the date",
            cut(8),
            Beside::Manifest(3, "37"),
            Bin::Quarantined(FIRST_TWO, &[(3, "", "field_count")]),
        ),
        Case::wages(
            "cut inside the amount",
            cut(2),
            Beside::Manifest(3, "37"),
            Bin::Refused("control_total", "sum of won is 6, the manifest says 37"),
        ),
        Case::wages(
            "cut behind a record",
            cut(42),
            Beside::Manifest(3, "37"),
            Bin::Refused("row_count", "2 rows, the manifest says 3"),
        ),
        Case::wages(
            "cut inside quotes",
            cp949(&delimited(&["서울,20240801,1", "\"부산,20240802"])),
            Beside::Manifest(2, "1"),
            Bin::Refused("truncated", "never closes"),
        ),
        Case::wages(
            "a row too many",
            three(),
            Beside::Manifest(2, "37"),
            Bin::Refused("row_count", "3 rows, the manifest says 2"),
        ),
        Case::wages(
            "a row too few",
            three(),
            Beside::Manifest(4, "37"),
            Bin::Refused("row_count", "3 rows, the manifest says 4"),
        ),
        Case::wages(
            "one invalid byte",
            invalid,
            Beside::Manifest(3, "37"),
            Bin::Quarantined(
                "서울|2024-08-01|1;대구|2024-08-03|34",
                &[(2, "place", "encoding")],
            ),
        ),
        Case::wages(
            "letters outside of EUC-KR",
            cp949(&delimited(&["똠방각하,20240801,1"])),
            Beside::Manifest(1, "1"),
            Bin::Accepted("똠방각하|2024-08-01|1"),
        ),
        Case::wages(
            "quoted newlines",
            cp949(&delimited(&["\"서\n\r\n울\",20240801,1", "부산,,2"])),
            Beside::Manifest(2, "3"),
            Bin::Accepted("서\n\r\n울|2024-08-01|1;부산||2"),
        ),
        Case::wages(
            "an empty file",
            "",
            Beside::Manifest(0, "0"),
            Bin::Refused("truncated", "before its header"),
        ),
        Case::wages(
            "a header only",
            cp949(&delimited(&[])),
            Beside::Manifest(0, "0"),
            Bin::Accepted(""),
        ),
        Case::wages(
            "a header only, rows promised",
            cp949(&delimited(&[])),
            Beside::Manifest(1, "0"),
            Bin::Refused("row_count", "0 rows"),
        ),
        Case::wages(
            "29 February 1900",
            cp949(&delimited(&["서울,19000229,1", "부산,20240229,2"])),
            Beside::Manifest(2, "3"),
            Bin::Quarantined("부산|2024-02-29|2", &[(1, "day", "type")]),
        ),
        Case::wages(
            "UTF-8 where CP949 is agreed",
            delimited(&THREE),
            Beside::Manifest(3, "37"),
            Bin::Refused("encoding", "it reads as utf-8"),
        ),
        Case::wages(
            "a mark of UTF-16",
            b"\xff\xfea\x00".to_vec(),
            Beside::Manifest(0, "0"),
            Bin::Refused("encoding", "utf-16le"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn amounts_at_the_ends_of_their_range_are_summed_exactly() {
    // The sum is beyond 64 bits.
    let large: Vec<&str> = vec!["서울,,999999999999999999"; 20];
    const LARGE_ROWS: &str = "서울||999999999999999999";
    static ROWS: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| [LARGE_ROWS; 20].join(";"));
    // 128 bits hold one of these values, not two.
    let huge = "1".repeat(39);
    let huge = [
        format!("서울,,{huge}"),
        format!("부산,,{huge}"),
        "대구,,1".to_owned(),
        "광주,,2".to_owned(),
    ];
    let huge: Vec<&str> = huge.iter().map(String::as_str).collect();
    run(vec![
        Case::wages(
            "negative",
            cp949(&delimited(&["서울,,-7", "부산,,5"])),
            Beside::Manifest(2, "-2"),
            Bin::Accepted("서울||-7;부산||5"),
        ),
        Case::wages(
            "nine times ten to the eighteenth",
            cp949(&delimited(&["서울,,9000000000000000000", "부산,,5"])),
            Beside::Manifest(2, "9000000000000000005"),
            Bin::Quarantined("부산||5", &[(1, "won", "range")]),
        ),
        Case::wages(
            "a sum beyond 64 bits",
            cp949(&delimited(&large)),
            Beside::Manifest(20, "19999999999999999980"),
            Bin::Accepted(&ROWS),
        ),
        Case::wages(
            "values beyond 128 bits together",
            cp949(&delimited(&huge)),
            Beside::Manifest(4, "3"),
            Bin::Quarantined(
                "대구||1;광주||2",
                &[(1, "won", "range"), (2, "won", "range")],
            ),
        ),
        Case::wages(
            "a sum no rows can have",
            cp949(&delimited(&["서울,,5"])),
            Beside::Manifest(1, "-170141183460469231731687303715884105727"),
            Bin::Refused("manifest", "is no number"),
        ),
        Case::wages(
            "exponent, fraction, separators",
            cp949(&delimited(&[
                "서울,,1e400",
                "부산,,1.5",
                "대구,,\"1,000\"",
                "광주,,5",
                "울산,,6",
                "세종,,7.0",
            ])),
            Beside::Manifest(6, "18"),
            Bin::Quarantined(
                "광주||5;울산||6;세종||7",
                &[(1, "won", "type"), (2, "won", "type"), (3, "won", "type")],
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn bytes_that_are_hardly_text_end_in_their_bin() {
    let carriage_returns = delimited(&["서울,20240801,1", "부산,20240802,2"]).replace('\n', "\r");
    let zeros = {
        let mut bytes = delimited(&["서울,,1"]).into_bytes();
        bytes.extend([0; 5000]);
        bytes
    };
    let many_columns = {
        let mut text = "주민등록번호,성명,지역,날짜,금액".to_owned();
        for column in 5..10_000 {
            text.push_str(&format!(",열{column}"));
        }
        text + "\n" + &person(1) + ",,서울,20240801,1" + &",x".repeat(9_995) + "\n"
    };
    let too_many_columns = ",".repeat(70_000) + "\n";
    let long_header = "열".repeat(600_000) + "," + &delimited(&["서울,20240801,1"]);
    let delimiters = delimited(&["서울,20240801,1"]) + &",".repeat(300_000) + "\n";
    let long_field = delimited(&[&format!("{},,1", "가".repeat(400_000))]);
    run(vec![
        Case::bare(
            "an empty file",
            "lines",
            "",
            Bin::Refused("truncated", "before its header"),
        ),
        Case::bare(
            "a mark only",
            "lines",
            "\u{FEFF}",
            Bin::Refused("truncated", "before its header"),
        ),
        Case::bare(
            "newlines only",
            "lines",
            "\n\r\n\n\r",
            Bin::Refused("truncated", "before its header"),
        ),
        Case::bare(
            "carriage returns only",
            "lines",
            carriage_returns,
            Bin::Accepted(FIRST_TWO),
        ),
        Case::bare(
            "zeros behind the last record",
            "lines",
            zeros,
            Bin::Quarantined("서울||1", &[(2, "", "field_count")]),
        ),
        Case::bare(
            "a zero in a number and in a text",
            "lines",
            delimited(&["서울,,1\0", "부\0산,,2"]),
            Bin::Quarantined("부\0산||2", &[(1, "won", "type")]),
        ),
        Case::bare(
            "ten thousand columns",
            "lines",
            many_columns,
            Bin::Accepted("서울|2024-08-01|1"),
        ),
        Case::bare(
            "more columns than are read",
            "lines",
            too_many_columns,
            Bin::Refused("too_large", "too many columns"),
        ),
        Case::bare(
            "a header without end",
            "lines",
            long_header,
            Bin::Refused("too_large", "header line does not end"),
        ),
        Case::bare(
            "a line of delimiters",
            "lines",
            delimiters,
            Bin::Quarantined("서울|2024-08-01|1", &[(2, "", "field_count")]),
        ),
        Case::bare(
            "a field beyond the longest record",
            "lines",
            long_field,
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a quote that swallows the rest",
            "lines",
            delimited(&["\"서울,20240801,1", "부산,20240802,2"]),
            Bin::Refused("truncated", "never closes"),
        ),
        Case::bare(
            "no header, a person's record first",
            "lines",
            format!("{},{NAME},서울,20240801,1\n", person(1)),
            Bin::Refused("header", "the header is missing"),
        ),
        Case::bare(
            "no header, a repeated text",
            "lines",
            format!("{},{NAME},{NAME},20240801,1\n", person(1)),
            Bin::Refused("header", "no text of the first line is in the contract"),
        ),
        Case::bare(
            "a person's number as a header",
            "lines",
            delimited(&["서울,20240801,1,x"]).replacen('\n', &format!(",{}\n", person(7)), 1),
            Bin::Accepted("서울|2024-08-01|1"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn letters_that_look_like_others_are_not_taken_for_them() {
    let full_width: String = person(9)
        .chars()
        .filter_map(|digit| char::from_u32(digit as u32 - 0x30 + 0xFF10))
        .collect();
    run(vec![
        Case::bare(
            "full-width digits",
            "lines",
            delimited(&["서울,,１２", "부산,２０２４0801,3", "대구,,4", "광주,,5"]),
            Bin::Quarantined("대구||4;광주||5", &[(1, "won", "type"), (2, "day", "type")]),
        ),
        Case::bare(
            "marks of direction and joiners",
            "lines",
            delimited(&[
                "서\u{202E}울,,1",
                "부산,,\u{200B}2",
                "대구,,3\u{FEFF}",
                "광주,,4",
            ]),
            Bin::Quarantined(
                "서\u{202E}울||1;광주||4",
                &[(2, "won", "type"), (3, "won", "type")],
            ),
        ),
        Case::bare(
            "formulas",
            "lines",
            delimited(&["=HYPERLINK(\"\"x\"\"),,1", "부산,,=1+1", "@x,,3"]),
            Bin::Quarantined("=HYPERLINK(\"\"x\"\")||1;@x||3", &[(2, "won", "type")]),
        ),
        Case::bare(
            "a number in full-width digits",
            "lines",
            format!(
                "{}{full_width},{NAME},서울,,5\n",
                delimited(&["서울,,1", "부산,,2"])
            ),
            Bin::Quarantined("서울||1;부산||2", &[(3, "person_key", "rrn_shape")]),
        ),
        Case::bare(
            "a person's number where a date should be",
            "lines",
            delimited(&[
                "서울,,1",
                &format!("부산,{},2", person(3)),
                &format!("부산,{full_width},2"),
                "대구,,3",
            ]),
            Bin::Quarantined("서울||1;대구||3", &[(2, "day", "type"), (3, "day", "type")]),
        ),
    ])
    .await;
}

#[test]
fn line_of_a_gibibyte_is_refused_before_it_is_read() {
    let plan = plan("format: {kind: csv}\ncolumns:\n  - {name: a, type: string}\n");
    let (_folder, _, context) = context();
    let mut counted = Counted {
        inner: b"a\n".chain(repeat(b'x').take(1 << 30)),
        read: 0,
    };
    let limits = ReadLimits::default();
    let refusal = read_text(&plan, &context, limits, &mut counted, &mut |_| Ok(()));
    let message = refusal.map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(
        message,
        Err(
            "a record is longer than 64 MiB: a quote is never closed or newlines are missing"
                .to_owned()
        )
    );
    assert!(counted.read <= 65 << 20, "{} bytes", counted.read);
}

/// Counts what passes.
struct Counted<R> {
    inner: R,
    read: usize,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read;
        Ok(read)
    }
}
