#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Cursor, Write};

use rstest::rstest;
use zip::write::SimpleFileOptions;

use crate::testing::{limits, plan, read_text, read_with};

const ROWS: &[u8] = b"a,b\n1,x\n2,y\n";
const COLUMNS: &str = "columns:\n  - {name: a, type: int}\n  - {name: b, type: string}\n";

fn contract(format: &str) -> String {
    format!("format: {format}\n{COLUMNS}")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

#[rstest]
#[case::gzip("{kind: csv, compression: gzip}", gzip(ROWS))]
#[case::gzip_members("{kind: csv, compression: gzip}", joined(&[gzip(&ROWS[..6]), gzip(&ROWS[6..])]))]
#[case::zstd("{kind: csv, compression: zstd}", zstandard(ROWS))]
#[case::zstd_frames("{kind: csv, compression: zstd}", joined(&[zstandard(&ROWS[..5]), zstandard(&ROWS[5..])]))]
#[case::zip("{kind: csv, compression: zip}", archive(&[("data.csv", ROWS)]))]
#[case::zip_with_clutter(
    "{kind: csv, compression: zip}",
    archive(&[("__MACOSX/._data.csv", b"?"), ("in/.DS_Store", b"?"), ("in/data.csv", ROWS)])
)]
#[case::named_member(
    "{kind: csv, compression: zip, member: \"*.csv\"}",
    archive(&[("readme.txt", b"?"), ("in/data.csv", ROWS)])
)]
#[case::detected_gzip("{kind: csv, compression: detect}", gzip(ROWS))]
#[case::detected_zstd("{kind: csv, compression: detect}", zstandard(ROWS))]
#[case::detected_zip("{kind: csv, compression: detect}", archive(&[("data.csv", ROWS)]))]
#[case::detected_plain("{kind: csv, compression: detect}", ROWS.to_vec())]
fn compressed_files_are_read_as_their_content(#[case] format: &str, #[case] bytes: Vec<u8>) {
    let outcome = read_text(&plan(&contract(format)), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a", "b"]), "1,x;2,y");
    let tiny = read_with(&plan(&contract(format)), &bytes, limits(2, 5)).unwrap();
    assert_eq!(tiny.csv(&["a", "b"]), "1,x;2,y");
}

#[test]
fn every_text_layout_may_be_compressed() {
    let fixed = "format: {kind: fixed, record_bytes: 2, compression: zstd}
columns:
  - {name: a, type: int, at: [0, 1]}
  - {name: b, type: string, at: [1, 1]}
";
    let outcome = read_text(&plan(fixed), &zstandard(b"1x\n2y\n")).unwrap();
    assert_eq!(outcome.csv(&["a", "b"]), "1,x;2,y");
    let json = contract("{kind: json, compression: gzip}");
    let outcome = read_text(&plan(&json), &gzip(br#"[{"a":1,"b":"x"}]"#)).unwrap();
    assert_eq!(outcome.csv(&["a", "b"]), "1,x");
    let xml = contract("{kind: xml, record: /r/i, compression: zip}");
    let bytes = archive(&[("r.xml", b"<r><i><a>1</a><b>x</b></i></r>")]);
    let outcome = read_text(&plan(&xml), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a", "b"]), "1,x");
}

#[rstest]
#[case::slip(archive(&[("../data.csv", ROWS)]), "leads out")]
#[case::slip_backwards(archive(&[("in\\..\\..\\data.csv", ROWS)]), "leads out")]
#[case::absolute(archive(&[("/etc/data.csv", ROWS)]), "leads out")]
#[case::drive(archive(&[("c:data.csv", ROWS)]), "leads out")]
#[case::slip_beside_the_data(archive(&[("data.csv", ROWS), ("../x", b"")]), "leads out")]
#[case::several(archive(&[("a.csv", ROWS), ("b.csv", ROWS)]), "2 files, `a.csv`, `b.csv`")]
#[case::nothing(archive(&[]), "holds no file")]
#[case::nested(archive(&[("a.zip", &archive(&[("a.csv", ROWS)]))]), "a zip archive, the contract says csv")]
#[case::cut_off(archive(&[("a.csv", ROWS)])[..40].to_vec(), "not a readable zip")]
#[case::gzip_instead(gzip(ROWS), "a gzip file")]
#[case::text_instead(ROWS.to_vec(), "not compressed")]
fn archives_that_are_not_one_file_are_refused(#[case] bytes: Vec<u8>, #[case] reason: &str) {
    let format = "{kind: csv, compression: zip}";
    let refusal = read_text(&plan(&contract(format)), &bytes).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "malformed", "{refusal}");
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn links_and_encrypted_members_are_refused() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink("data.csv", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let plan = plan(&contract("{kind: csv, compression: zip}"));
    let refusal = read_text(&plan, &bytes).unwrap_err();
    assert!(refusal.message.contains("is a link"), "{refusal}");
    // The flag of encryption is the first bit of the flags, in the local and in the central header.
    let mut bytes = archive(&[("data.csv", ROWS)]);
    let central = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    bytes[6] |= 1;
    bytes[central + 8] |= 1;
    let refusal = read_text(&plan, &bytes).unwrap_err();
    assert!(refusal.message.contains("encrypted"), "{refusal}");
}

#[test]
fn directory_with_too_many_members_is_refused_unread() {
    let mut bytes = archive(&[("data.csv", ROWS)]);
    let end = memchr::memmem::rfind(&bytes, b"PK\x05\x06").unwrap();
    bytes[end + 8..end + 12].copy_from_slice(&[0x11, 0x27, 0x11, 0x27]);
    let plan = plan(&contract("{kind: csv, compression: zip}"));
    let refusal = read_text(&plan, &bytes).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "too_large", "{refusal}");
    assert!(refusal.message.contains("10001 members"), "{refusal}");
}

#[rstest]
#[case::gzip("gzip", gzip)]
#[case::zstd("zstd", zstandard)]
#[case::zip("zip", |bytes: &[u8]| archive(&[("data.csv", bytes)]))]
fn bombs_stop_at_the_limits(#[case] compression: &str, #[case] compress: fn(&[u8]) -> Vec<u8>) {
    let mut content = b"a,b\n".to_vec();
    content.extend(b"1,x\n".repeat(4 << 20));
    let bytes = compress(&content);
    let plan = plan(&contract(&format!(
        "{{kind: csv, compression: {compression}}}"
    )));
    // Ratio: 16 MiB out of some KiB.
    let mut thin = limits(2, 64 << 10);
    thin.expanded_ratio = 100;
    let Err(refusal) = read_with(&plan, &bytes, thin) else {
        panic!("the bomb was read");
    };
    assert_eq!(refusal.rule.as_str(), "too_large", "{refusal}");
    assert!(refusal.message.contains("100 times"), "{refusal}");
    // Size: the same without a limit to the ratio.
    let mut sized = limits(2, 64 << 10);
    sized.expanded_ratio = u64::MAX;
    sized.expanded_bytes = 1 << 20;
    let refusal = read_with(&plan, &bytes, sized).unwrap_err();
    assert_eq!(refusal.rule.as_str(), "too_large", "{refusal}");
    assert!(refusal.message.contains("1024 KiB"), "{refusal}");
}

#[rstest]
#[case::gzip("gzip", gzip)]
#[case::zstd("zstd", zstandard)]
fn damaged_streams_are_refused(#[case] compression: &str, #[case] compress: fn(&[u8]) -> Vec<u8>) {
    let mut content = b"a,b\n".to_vec();
    let mut state = 7u64;
    for row in 0..20_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        content.extend(format!("{row},{}\n", state >> 20).bytes());
    }
    let bytes = compress(&content);
    let plan = plan(&contract(&format!(
        "{{kind: csv, compression: {compression}}}"
    )));
    assert_eq!(read_text(&plan, &bytes).unwrap().delivered, 20_000);
    let cut = &bytes[..bytes.len() / 2];
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xFF);
    for damaged in [cut, &flipped] {
        let refusal = read_text(&plan, damaged).unwrap_err();
        assert_eq!(refusal.rule.as_str(), "truncated", "{refusal}");
    }
}

#[rstest]
#[case("{kind: csv}", &gzip(ROWS), "correct `compression`")]
#[case("{kind: csv}", b"<!DOCTYPE html><html>", "a web page")]
#[case("{kind: json}", b"%PDF-1.7", "a PDF")]
#[case("{kind: csv}", b"PAR1....", "correct `kind`")]
#[case(
    "{kind: xlsx}",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "without a password"
)]
#[case("{kind: csv, compression: gzip}", &gzip(b"<html></html>"), "a web page")]
#[case("{kind: csv, compression: detect}", b"<html></html>", "a web page")]
#[case("{kind: csv, compression: detect}", &gzip(b"<html></html>"), "a web page")]
fn other_content_than_agreed_is_named(
    #[case] format: &str,
    #[case] bytes: &[u8],
    #[case] reason: &str,
) {
    let refusal = read_text(&plan(&contract(format)), bytes).unwrap_err();
    let rule = refusal.rule.as_str();
    assert_eq!(rule == "encoding", reason.contains("mark of"), "{refusal}");
    assert!(rule == "encoding" || rule == "malformed", "{refusal}");
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn korean_member_names_are_matched_by_their_letters() {
    let mut bytes = archive(&[("ABCD.csv", ROWS)]);
    // The archiver of a Korean desktop writes CP949 and does not say so.
    let name = b"\xb0\xa1\xb3\xaa.csv";
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, b"ABCD.csv").collect();
    assert_eq!(places.len(), 2);
    for place in places {
        bytes[place..place + 8].copy_from_slice(name);
    }
    let format = "{kind: csv, compression: zip, member: \"가나.csv\"}";
    let outcome = read_text(&plan(&contract(format)), &bytes).unwrap();
    assert_eq!(outcome.csv(&["a"]), "1;2");
}

#[test]
fn damaged_archives_end_in_rows_or_a_refusal_never_in_a_failure() {
    let files: [(&str, Vec<u8>); 3] = [
        ("gzip", gzip(ROWS)),
        ("zstd", zstandard(ROWS)),
        (
            "zip",
            archive(&[("in/data.csv", ROWS), ("readme.txt", b"?")]),
        ),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut refused = 0;
    for (compression, bytes) in files {
        let member = match compression {
            "zip" => ", member: \"*.csv\"",
            _ => "",
        };
        let plan = plan(&contract(&format!(
            "{{kind: csv, compression: {compression}{member}}}"
        )));
        for _ in 0..150 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(3) {
                let place = random(damaged.len());
                damaged[place] = [0, 0xFF, 0x7F, b'P'][random(4)];
            }
            damaged.truncate(damaged.len() - random(2) * random(damaged.len()));
            match read_text(&plan, &damaged) {
                Ok(outcome) => assert_eq!(
                    outcome.delivered as usize,
                    outcome.accepted() + outcome.quarantined.len()
                ),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}
