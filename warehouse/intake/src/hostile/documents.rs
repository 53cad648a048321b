//! JSON, XML and compressed text built to exhaust, deceive or escape their readers.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use super::bench::{Bin, Case, NAME, delimited, person, run};
use crate::chunks::ReadLimits;
use crate::read::read_text;
use crate::testing::{context, plan};

/// A record of JSON; `rest` are place, day and won as written.
fn object(index: u32, rest: &str) -> String {
    let number = person(index);
    format!(r#"{{"주민등록번호": "{number}", "성명": "{NAME}", {rest}}}"#)
}

fn answer(records: &[String]) -> String {
    format!(r#"{{"body": {{"item": [{}]}}}}"#, records.join(","))
}

/// An element of XML; `rest` are place, day and won as written.
fn element(index: u32, rest: &str) -> String {
    let number = person(index);
    format!("<item><주민등록번호>{number}</주민등록번호><성명>{NAME}</성명>{rest}</item>")
}

fn feed(prologue: &str, records: &[String]) -> String {
    format!("{prologue}<response>{}</response>", records.concat())
}

const GOOD: &str = r#""지역": "서울", "금액": 1"#;
const GOOD_XML: &str = "<지역>서울</지역><금액>1</금액>";

#[tokio::test]
async fn json_ends_in_its_bin() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let many_keys = {
        let keys: String = (0..70_000).map(|key| format!(r#""k{key}":1,"#)).collect();
        answer(&[object(1, &format!("{keys}{GOOD}")), object(2, GOOD)])
    };
    let long_text = answer(&[object(
        1,
        &format!(r#""지역": "{}", "금액": 1"#, "x".repeat(2 << 20)),
    )]);
    let envelope_text = format!(r#"{{"note": "{}"}}"#, "x".repeat(2 << 20));
    let numbers = [
        r#""지역": "서울", "금액": 1e400"#,
        r#""지역": "서울", "금액": NaN"#,
        r#""지역": "서울", "금액": -0"#,
        r#""지역": "서울", "금액": 1.0"#,
        r#""지역": "서울", "금액": "9223372036854775808""#,
        r#""지역": "서울", "금액": 12345678901234567"#,
        r#""지역": "서울", "금액": 3"#,
    ];
    let numbers: Vec<String> = numbers.iter().map(|rest| object(1, rest)).collect();
    let repeated = [
        object(1, r#""지역": "서울", "금액": 1, "금액": 2"#),
        object(2, r#""\uc9c0역": "서울", "지역": "부산", "금액": 3"#),
        object(3, GOOD),
        object(4, GOOD),
    ];
    let escapes = [
        object(1, r#""지역": "\ud800", "금액": 1"#),
        object(2, r#""지역": "\ub620\u0000", "금액": 1"#),
    ];
    run(vec![
        Case::bare(
            "a hundred thousand levels",
            "answers",
            deep,
            Bin::Refused("malformed", "too deep"),
        ),
        Case::bare(
            "a hundred thousand objects",
            "answers",
            deep_objects,
            Bin::Refused("malformed", "too deep"),
        ),
        Case::bare(
            "a deep record",
            "answers",
            answer(&[object(
                1,
                &format!(
                    r#""지역": {}1{}, "금액": 1"#,
                    "[".repeat(100),
                    "]".repeat(100)
                ),
            )]),
            Bin::Refused("malformed", "too deep"),
        ),
        Case::bare(
            "nested where a text is agreed",
            "answers",
            answer(&[object(1, r#""지역": ["서울"], "금액": 1"#), object(2, GOOD)]),
            Bin::Quarantined("서울||1", &[(1, "place", "nested")]),
        ),
        Case::bare(
            "seventy thousand keys",
            "answers",
            many_keys,
            Bin::Quarantined("서울||1", &[(1, "", "json")]),
        ),
        Case::bare(
            "a text beyond the longest record",
            "answers",
            long_text,
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a text beyond it in the envelope",
            "answers",
            envelope_text,
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "numbers no won can be",
            "answers",
            answer(&numbers),
            Bin::Quarantined(
                "서울||0;서울||1;서울||12345678901234567;서울||3",
                &[(1, "won", "type"), (2, "", "json"), (5, "won", "range")],
            ),
        ),
        Case::bare(
            "repeated keys",
            "answers",
            answer(&repeated),
            Bin::Quarantined(
                "서울||1;서울||1",
                &[(1, "", "repeated_field"), (2, "", "repeated_field")],
            ),
        ),
        Case::bare(
            "half a character and a zero",
            "answers",
            answer(&escapes),
            Bin::Quarantined("똠\0||1", &[(1, "place", "encoding")]),
        ),
        Case::bare(
            "cut off",
            "answers",
            answer(&[object(1, GOOD)]).replace("]}}", ""),
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "text behind the end",
            "answers",
            answer(&[object(1, GOOD)]) + "[]",
            Bin::Refused("malformed", "behind the end"),
        ),
        Case::bare(
            "an empty file",
            "answers",
            "",
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "zeros",
            "answers",
            vec![0u8; 4096],
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "lines, one of them cut",
            "ndjson",
            format!("{}\n{}\n", object(1, GOOD), &object(2, GOOD)[..60]),
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "lines, one of them another thing",
            "ndjson",
            format!("{}\n\"x\"\n{}\n", object(1, GOOD), object(2, GOOD)),
            Bin::Quarantined("서울||1;서울||1", &[(2, "", "json")]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn xml_ends_in_its_bin() {
    let deep = "<a>".repeat(100_000);
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>"#;
    let external = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>"#;
    let remote = r#"<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">"#;
    let entity = "<지역>&a;</지역><금액>1</금액>";
    let attributes: String = (0..5000).map(|index| format!(" a{index}=\"\"")).collect();
    run(vec![
        Case::bare(
            "a hundred thousand levels",
            "feed",
            deep,
            Bin::Refused("malformed", "too deep"),
        ),
        Case::bare(
            "a bomb of entities",
            "feed",
            feed(bomb, &[element(1, "<지역>&c;</지역><금액>1</금액>")]),
            Bin::Refused("malformed", "unknown entity"),
        ),
        Case::bare(
            "an external entity",
            "feed",
            feed(external, &[element(1, entity)]),
            Bin::Refused("malformed", "unknown entity"),
        ),
        Case::bare(
            "a remote definition is not fetched",
            "feed",
            feed(remote, &[element(1, GOOD_XML)]),
            Bin::Accepted("서울||1"),
        ),
        Case::bare(
            "a character that is none",
            "feed",
            feed("", &[element(1, "<지역>&#0;&#xD800;</지역><금액>1</금액>")]),
            Bin::Refused("malformed", "unknown entity"),
        ),
        Case::bare(
            "an element twice",
            "feed",
            feed(
                "",
                &[
                    element(1, "<금액>1</금액><금액>2</금액>"),
                    element(2, GOOD_XML),
                ],
            ),
            Bin::Quarantined("서울||1", &[(1, "", "repeated_element")]),
        ),
        Case::bare(
            "five thousand attributes",
            "feed",
            feed("", &[format!("<item{attributes}></item>")]),
            Bin::Refused("malformed", "attribute"),
        ),
        Case::bare(
            "a text beyond the longest record",
            "feed",
            feed(
                "",
                &[element(
                    1,
                    &format!("<지역>{}</지역><금액>1</금액>", "x".repeat(2 << 20)),
                )],
            ),
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a text beyond it in the envelope",
            "feed",
            format!("<response>{}</response>", "x".repeat(2 << 20)),
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a comment beyond it",
            "feed",
            format!("<response><!--{}--></response>", "x".repeat(2 << 20)),
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a tag beyond it",
            "feed",
            format!("<{}>", "x".repeat(2 << 20)),
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "tags that do not match",
            "feed",
            "<response><item></response></item>",
            Bin::Refused("malformed", "not well-formed"),
        ),
        Case::bare(
            "cut off",
            "feed",
            feed("", &[element(1, GOOD_XML)]).replace("</response>", ""),
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "a second root",
            "feed",
            feed("", &[element(1, GOOD_XML)]) + "<response/>",
            Bin::Refused("malformed", "second root"),
        ),
        Case::bare(
            "an empty file",
            "feed",
            "",
            Bin::Refused("truncated", "ends before"),
        ),
        Case::bare(
            "a page that says sorry",
            "feed",
            "<html><body>점검 중</body></html>",
            Bin::Refused("malformed", "a web page"),
        ),
        Case::bare(
            "an answer of another kind",
            "feed",
            "<notice>점검 중</notice>",
            Bin::Refused("malformed", "nothing stands at"),
        ),
    ])
    .await;
}

fn gzip(reader: &mut impl Read) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(reader, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    archives(&[(name, bytes)])
}

fn archives(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn compressed_text_ends_in_its_bin() {
    let text = delimited(&["서울,,1", "부산,,2"]);
    let whole = gzip(&mut text.as_bytes());
    let cut = whole[..whole.len() - 9].to_vec();
    let mut two_members = whole.clone();
    two_members.extend(gzip(&mut format!("{},,대구,,3\n", person(8)).as_bytes()));
    let mut garbage = whole.clone();
    garbage.extend(b"and more");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    // Lines within the longest record: it is the ratio that stops the reading.
    let zeros = text.clone() + &format!("{}\n", "0".repeat(1 << 16)).repeat(1 << 10);
    let gzip_bomb = gzip(&mut zeros.as_bytes());
    let zstd_bomb = zstd::stream::encode_all(zeros.as_bytes(), 3).unwrap();
    let zip_bomb = archive("data.csv", zeros.as_bytes());
    let mut digits = 7u64;
    let line: String = (0..200_000)
        .map(|_| {
            digits = digits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{digits:020}")
        })
        .collect();
    let line = gzip(&mut text.as_bytes().chain(line.as_bytes()));
    let zip = archive("data.csv", text.as_bytes());
    let slip = archive("../../outside/secret", text.as_bytes());
    let person_named = {
        let name = format!("{}.csv", person(1));
        archives(&[(&name, text.as_bytes()), ("other.csv", text.as_bytes())])
    };
    let zstd = zstd::stream::encode_all(text.as_bytes(), 3).unwrap();
    run(vec![
        Case::bare("whole", "packed", whole, Bin::Accepted("서울||1;부산||2")),
        Case::bare(
            "two members",
            "packed",
            two_members,
            Bin::Accepted("서울||1;부산||2;대구||3"),
        ),
        Case::bare(
            "cut off",
            "packed",
            cut,
            Bin::Refused("truncated", "cut off or damaged"),
        ),
        Case::bare(
            "garbage behind the end",
            "packed",
            garbage,
            Bin::Refused("truncated", "cut off or damaged"),
        ),
        Case::bare(
            "a flipped bit",
            "packed",
            flipped,
            Bin::Refused("truncated", "cut off or damaged"),
        ),
        Case::bare(
            "not compressed",
            "packed",
            text.clone(),
            Bin::Refused("malformed", "not compressed"),
        ),
        Case::bare(
            "a line beyond the longest record",
            "packed",
            line,
            Bin::Refused("too_large", "longer than 1 MiB"),
        ),
        Case::bare(
            "a bomb of gzip",
            "packed",
            gzip_bomb,
            Bin::Refused("too_large", "more than 400 times"),
        ),
        Case::bare(
            "a bomb of zstd",
            "pressed",
            zstd_bomb,
            Bin::Refused("too_large", "more than 400 times"),
        ),
        Case::bare(
            "a bomb in a zip",
            "zipped",
            zip_bomb,
            Bin::Refused("too_large", "more than 400 times"),
        ),
        Case::bare(
            "a member that leads out of the archive",
            "zipped",
            slip,
            Bin::Refused("malformed", "leads out of the archive"),
        ),
        Case::bare(
            "two members, one named like a person's number",
            "zipped",
            person_named,
            Bin::Refused("malformed", "2 files, `[masked]`, `other.csv`"),
        ),
        Case::bare("zip", "zipped", zip, Bin::Accepted("서울||1;부산||2")),
        Case::bare("zstd", "pressed", zstd, Bin::Accepted("서울||1;부산||2")),
    ])
    .await;
}

/// Text that stays within a reader's buffers is one thing, what its rows become another, whether
/// they are accepted, quarantined or kept until all keys are known.
#[rstest]
#[case::accepted("", "string", "")]
#[case::quarantined("", "string", "?")]
#[case::unique("unique: [year]\n", "int, nullable: true, on_fail: \"null\"", "")]
fn wide_records_that_become_many_long_rows_are_refused(
    #[case] checks: &str,
    #[case] note: &str,
    #[case] won: &str,
) {
    let plan = plan(&format!(
        "format: {{kind: csv}}
{checks}unpivot: {{columns: '^y(\\d+)$', name: year, value: won}}
columns:
  - {{name: note, from: 내용, type: {note}}}
  - {{name: year, type: int}}
  - {{name: won, type: won, nullable: true}}
"
    ));
    let (_folder, _, context) = context();
    let mut text = b"\xEB\x82\xB4\xEC\x9A\xA9".to_vec();
    for year in 0..4000 {
        write!(text, ",y{year}").unwrap();
    }
    text.push(b'\n');
    for _ in 0..4 {
        text.extend([b'x'; 1 << 20]);
        text.extend(format!(",{won}").repeat(4000).into_bytes());
        text.push(b'\n');
    }
    let outcome = read_text(
        &plan,
        &context,
        ReadLimits::default(),
        &mut text.as_slice(),
        &mut |_| Ok(()),
    );
    let message = outcome.map(|_| ()).map_err(|error| error.to_string());
    assert!(
        message
            .as_ref()
            .is_err_and(|text| text.contains("256 MiB of text")),
        "{message:?}"
    );
}
