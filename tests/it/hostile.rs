//! Files built to exhaust memory, taken in by the compiled binary under a cap on its memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write, repeat};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::support::{digests, goyong_ok};

/// Memory that the process may have, its threads' stacks included.
const CAP_KIB: u64 = 1536 << 10;

/// Format of each source; the columns are the same.
const SOURCES: &[(&str, &str)] = &[
    ("lines", "{kind: csv}"),
    ("packed", "{kind: csv, compression: gzip}"),
    ("answers", "{kind: json, record: /item}"),
    ("feed", "{kind: xml, record: /response/item}"),
    ("sheets", "{kind: xlsx}"),
    ("columnar", "{kind: parquet}"),
];

fn contract(source: &str, format: &str) -> String {
    format!(
        "source: {source}
title: {{ko: 시험, en: hostile files}}
provider: {{ko: 시험, en: test}}
cadence: irregular
manifest: none
revision: append
files: [\"{source}_*\"]
format: {format}
columns:
  - {{name: number, from: a, type: int}}
  - {{name: note, from: b, type: string, nullable: true}}
"
    )
}

/// A project with the contracts above.
fn project(folder: &Path) {
    let text = folder.to_str().unwrap();
    goyong_ok(&["--dir", text, "init"]);
    for (source, format) in SOURCES {
        let path = folder.join(format!("sql/sources/{source}.yml"));
        std::fs::write(path, contract(source, format)).unwrap();
    }
    let configuration = folder.join("goyong.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, format!("sql = \"sql\"\n{text}")).unwrap();
}

/// A zip in which parts may be large: each is written by a closure.
fn workbook(path: &Path, strings: impl Fn(&mut dyn Write)) {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    const DOCUMENT: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let cell = |text: &str| format!(r#"<c t="inlineStr"><is><t>{text}</t></is></c>"#);
    let parts = [
        (
            "[Content_Types].xml",
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#
                .to_owned(),
        ),
        (
            "_rels/.rels",
            format!(
                r#"<Relationships xmlns="{LINKS}"><Relationship Id="r1" Type="{DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}"><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{LINKS}"><Relationship Id="r1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r3" Type="{DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(
                r#"<worksheet xmlns="{MAIN}"><sheetData><row>{}{}</row><row><c><v>1</v></c></row></sheetData></worksheet>"#,
                cell("a"),
                cell("b")
            ),
        ),
    ];
    let mut writer = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in parts {
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.start_file("xl/sharedStrings.xml", options).unwrap();
    write!(writer, r#"<sst xmlns="{MAIN}">"#).unwrap();
    strings(&mut writer);
    writer.write_all(b"</sst>").unwrap();
    writer.finish().unwrap();
}

/// One text, written once, that stands for so many rows.
fn dictionary(path: &Path, text_bytes: usize, rows: usize) {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(text_bytes)]));
    let column = DictionaryArray::new(Int32Array::from(vec![0; rows]), text);
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(Int32Array::from(vec![1; rows])) as ArrayRef),
        ("b", Arc::new(column)),
    ])
    .unwrap();
    let options = WriterProperties::builder()
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_dictionary_page_size_limit(1 << 30)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(options)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Every file with where it has to end; few of them are large on the disk.
fn files(folder: &Path) -> BTreeMap<&'static str, &'static str> {
    std::fs::create_dir_all(folder).unwrap();
    let create = |name: &str| BufWriter::new(File::create(folder.join(name)).unwrap());
    let fill = |writer: &mut dyn Write, unit: &[u8], times: usize| {
        let block = unit.repeat(4096);
        for _ in 0..times / 4096 {
            writer.write_all(&block).unwrap();
        }
    };
    // A line of a gibibyte: zeros that take no room on the disk.
    let mut line = File::create(folder.join("lines_gibibyte.csv")).unwrap();
    line.write_all(b"a,b\n1,x\n").unwrap();
    line.set_len(1 << 30).unwrap();

    let mut field = create("lines_field.csv");
    field.write_all(b"a,b\n1,").unwrap();
    fill(&mut field, b"x", 60 << 20);
    field.write_all(b"\n2,y\n").unwrap();

    let mut delimiters = create("lines_delimiters.csv");
    delimiters.write_all(b"a,b\n").unwrap();
    fill(&mut delimiters, b",", 60 << 20);
    delimiters.write_all(b"\n").unwrap();
    for _ in 0..30 {
        delimiters.write_all(b"2,y\n").unwrap();
    }

    let mut quotes = create("lines_quotes.csv");
    quotes.write_all(b"a,b\n1,\"").unwrap();
    fill(&mut quotes, b"\"\"", 40 << 20);

    for (name, unit) in [
        ("packed_line.csv.gz", b'0'),
        ("packed_newlines.csv.gz", b'\n'),
    ] {
        let mut packed = GzEncoder::new(create(name), Compression::fast());
        packed.write_all(b"a,b\n1,x\n2,").unwrap();
        std::io::copy(&mut repeat(unit).take(1 << 30), &mut packed).unwrap();
        packed.finish().unwrap();
    }

    let mut keys = create("answers_keys.json");
    keys.write_all(b"{\"item\": [{\"a\": 1").unwrap();
    fill(&mut keys, b",\"\":1", 12 << 20);
    keys.write_all(b"}]}").unwrap();

    let mut levels = create("answers_levels.json");
    fill(&mut levels, b"[", 40 << 20);

    let mut text = create("feed_text.xml");
    text.write_all(b"<response><item><a>1</a><b>").unwrap();
    fill(&mut text, b"x", 200 << 20);

    let mut tags = create("feed_attributes.xml");
    tags.write_all(b"<response><item").unwrap();
    fill(&mut tags, b" q=''", 12 << 20);
    tags.write_all(b"></item></response>").unwrap();

    workbook(&folder.join("sheets_strings.xlsx"), |writer| {
        fill(writer, b"<si/>", 100 << 20);
    });
    dictionary(&folder.join("columnar_dictionary.parquet"), 1 << 20, 1_500);
    dictionary(&folder.join("columnar_long.parquet"), 80 << 20, 100);
    let footer = {
        let mut bytes = Vec::new();
        let batch =
            RecordBatch::try_from_iter([("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])
                .unwrap();
        let mut writer =
            ArrowWriter::try_new(Cursor::new(&mut bytes), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let end = bytes.len();
        bytes[end - 8..end - 4].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
        bytes
    };
    std::fs::write(folder.join("columnar_footer.parquet"), footer).unwrap();
    BTreeMap::from([
        ("lines_gibibyte.csv", "refused: longer than 64 MiB"),
        ("lines_field.csv", "accepted"),
        ("lines_delimiters.csv", "accepted_with_quarantine"),
        ("lines_quotes.csv", "refused: longer than 64 MiB"),
        ("packed_line.csv.gz", "refused: longer than 64 MiB"),
        ("packed_newlines.csv.gz", "accepted"),
        ("answers_keys.json", "refused: stands in no record"),
        ("answers_levels.json", "refused: too deep"),
        ("feed_text.xml", "refused: longer than 64 MiB"),
        ("feed_attributes.xml", "refused: attribute"),
        ("sheets_strings.xlsx", "refused: workbook"),
        ("columnar_dictionary.parquet", "accepted"),
        ("columnar_long.parquet", "refused: longer than 64 MiB"),
        (
            "columnar_footer.parquet",
            "refused: not a readable Parquet file",
        ),
    ])
}

#[test]
fn files_built_to_exhaust_memory_end_in_their_bin_under_a_cap() {
    let folder = tempfile::tempdir().unwrap();
    let (project_folder, data) = (folder.path().join("project"), folder.path().join("data"));
    project(&project_folder);
    let expected = files(&data);
    let before: BTreeMap<_, _> = expected
        .keys()
        .map(|name| (*name, std::fs::metadata(data.join(name)).unwrap().len()))
        .collect();
    let vault = digests(&project_folder.join("warehouse/vault"));
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -d {CAP_KIB} && exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", project_folder.to_str().unwrap(), "--threads", "2"])
        .args(["ingest", "--known-on", "2026-11-01", "--format", "csv"])
        .arg(&data)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{:?} {said}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        let record = record.unwrap();
        found.insert(
            record[0].to_owned(),
            (record[3].to_owned(), record[7].to_owned()),
        );
    }
    let mut faults = Vec::new();
    for (name, wanted) in &expected {
        let Some((status, notices)) = found.get(*name) else {
            faults.push(format!("{name}: nothing is said"));
            continue;
        };
        let (wanted_status, words) = wanted.split_once(": ").unwrap_or((wanted, ""));
        let is_right = status == wanted_status && notices.contains(words);
        if !is_right {
            faults.push(format!("{name}: {status}: {notices}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // The files are somebody else's, and there was nobody to get to know.
    let after: BTreeMap<_, _> = expected
        .keys()
        .map(|name| (*name, std::fs::metadata(data.join(name)).unwrap().len()))
        .collect();
    assert_eq!(after, before);
    let mut known = digests(&project_folder.join("warehouse/vault"));
    // What went to quarantine is kept, sealed.
    known.retain(|name, _| !name.starts_with("records/"));
    assert_eq!(known, vault);
}
