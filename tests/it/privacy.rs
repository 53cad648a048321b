//! No resident number, name or telephone number of a simulated person is in any file, log or
//! answer, in any form in which one would be found again.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use crate::secrets::{Search, Secret};
use crate::support::{MONTHS, PERSONS, SEED, demo, files, goyong_ok};

/// What the same seed delivers in the clear.
fn identities(persons: &str, months: &str) -> BTreeSet<Secret> {
    let folder = tempfile::tempdir().unwrap();
    let landing = folder.path().join("landing");
    let truth = folder.path().join("truth");
    goyong_ok(&[
        "simulate",
        "--seed",
        SEED,
        "--persons",
        persons,
        "--months",
        months,
        "--landing",
        landing.to_str().unwrap(),
        "--truth",
        truth.to_str().unwrap(),
    ]);
    let mut found = BTreeSet::new();
    for (source, headers) in [
        ("wn_seeker", &["주민등록번호", "성명", "연락처"][..]),
        ("ei_insured_spell", &["주민등록번호"]),
        ("nts_wage_statement", &["주민등록번호"]),
    ] {
        for path in files(&landing.join(source)) {
            if path.extension().is_none_or(|ending| ending != "csv") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let (text, _, _) = encoding_rs::EUC_KR.decode(&bytes);
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .from_reader(text.as_bytes());
            let columns: Vec<(usize, String)> = reader
                .headers()
                .unwrap()
                .iter()
                .enumerate()
                .filter(|(_, header)| headers.contains(header))
                .map(|(column, header)| (column, header.to_owned()))
                .collect();
            assert_eq!(columns.len(), headers.len(), "{source}");
            for record in reader.records() {
                let record = record.unwrap();
                for (column, header) in &columns {
                    let value = record.get(*column).unwrap_or_default();
                    found.extend(secret(header, value));
                }
            }
        }
    }
    found
}

/// The secret in a cell; damaged cells hold none that could be found.
fn secret(header: &str, value: &str) -> Option<Secret> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    match header {
        "주민등록번호" => (digits.len() == 13).then_some(Secret::ResidentNumber(digits)),
        "연락처" => ((9..=11).contains(&digits.len())).then_some(Secret::Telephone(digits)),
        _ => {
            let name = value.trim();
            (name.chars().count() >= 3).then(|| Secret::Name(name.to_owned()))
        }
    }
}

/// Everything in a project's folder; vault and archive hold secrets encrypted.
fn findings(search: &Search, folder: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    let mut searched = 0;
    let warehouse = folder.join("warehouse");
    for path in files(folder) {
        let is_sealed = ["vault", "archive"]
            .iter()
            .any(|part| path.starts_with(warehouse.join(part)));
        // The truth about the simulated country is beside the warehouse, for tests alone.
        if is_sealed || path.starts_with(folder.join("truth")) {
            continue;
        }
        searched += 1;
        findings.extend(search.in_file(&path));
    }
    assert!(searched > 100, "{searched} files");
    for part in ["vault", "archive"] {
        assert!(!files(&warehouse.join(part)).is_empty(), "{part}");
        findings.extend(search.in_sealed_folder(&warehouse.join(part)));
    }
    findings
}

#[test]
fn no_identity_of_a_person_is_in_any_file() {
    let folder = demo();
    let secrets = identities(PERSONS, MONTHS);
    assert!(secrets.len() > 5_000, "{} identities", secrets.len());
    let found = findings(&Search::new(&secrets), folder);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let inbox: Vec<_> = files(&folder.join("warehouse/landing"));
    assert!(
        inbox.is_empty(),
        "ingested files stay in the clear: {inbox:?}"
    );
}

/// While it works and after, with everything logged that can be: temporary files, the folder it
/// was started in, what is spilled, and all it says.
#[test]
fn nothing_a_run_leaves_or_says_holds_an_identity() {
    let (persons, months) = ("3000", "18");
    let secrets = identities(persons, months);
    assert!(secrets.len() > 1_000, "{} identities", secrets.len());
    let search = Search::new(&secrets);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("demo");
    let (temporary, started_in) = (folder.path().join("tmp"), folder.path().join("started-in"));
    std::fs::create_dir_all(&temporary).unwrap();
    std::fs::create_dir_all(&started_in).unwrap();
    let spilled = project.join("warehouse/state/spill");
    let mut found = BTreeSet::new();
    let mut said = 0;
    let mut run = |arguments: &[&str], statement: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", project.to_str().unwrap(), "--log-format", "json"])
            .args(arguments)
            .current_dir(&started_in)
            .env_remove("GOYONG_DIR")
            .env("TMPDIR", &temporary)
            .env("GOYONG_LOG", "debug")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(statement.as_bytes())
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let answer = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).unwrap();
            bytes
        });
        // Each line it says is a moment in the middle of its work.
        for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
            let line = line.unwrap();
            said += 1;
            found.extend(
                search
                    .in_bytes(&line)
                    .map(|form| format!("{form} in the log of {arguments:?}")),
            );
            for place in [&temporary, &started_in, &spilled] {
                if place.is_dir() && said % 16 == 0 {
                    found.extend(search.in_folder(place));
                }
            }
        }
        let answer = answer.join().unwrap();
        found.extend(
            search
                .in_bytes(&answer)
                .map(|form| format!("{form} in the answer of {arguments:?}")),
        );
        child.wait().unwrap().code().unwrap()
    };
    let code = run(
        &[
            "demo",
            "--seed",
            SEED,
            "--persons",
            persons,
            "--months",
            months,
        ],
        "",
    );
    assert_eq!(code, 0);
    // A file that is refused with its persons, and one whose rows go to quarantine.
    let landing = project.join("warehouse/landing/wn_seeker");
    std::fs::create_dir_all(&landing).unwrap();
    let lines: String = secrets
        .iter()
        .take(200)
        .map(|secret| match secret {
            Secret::ResidentNumber(text) | Secret::Name(text) | Secret::Telephone(text) => {
                format!("{text},{text}\n")
            }
        })
        .collect();
    std::fs::write(landing.join("wn_seeker_202512_r1.csv"), &lines).unwrap();
    let loose = folder.path().join("loose.csv");
    std::fs::write(&loose, &lines).unwrap();
    let loose = loose.to_str().unwrap();
    for (arguments, statement, expected) in [
        (&["ingest"][..], "", 1),
        (&["ingest", loose, "--source", "wn_seeker"], "", 1),
        (&["ingest", loose, "--source", "febrl"], "", 1),
        (&["plan"], "", 0),
        (&["night"], "", 0),
        (&["build", "--full-refresh"], "", 0),
        (&["verify"], "", 0),
        (&["releases", "ls"], "", 0),
        (&["releases", "show"], "", 0),
        (&["evaluate"], "", 0),
        (
            &[
                "sql",
                "--format",
                "csv",
                "select * from quarantine.nts_wage_statement",
            ],
            "",
            0,
        ),
        (
            &["sql", "--format", "csv"],
            "select * from ops.deliveries;\nselect * from staging.wn_seeker;\n",
            0,
        ),
        (&["sql", "select nothing from nowhere"], "", 2),
    ] {
        let code = run(arguments, statement);
        assert_eq!(code, expected, "{arguments:?}");
    }
    assert!(said > 100, "{said} lines were said");
    std::fs::remove_dir_all(project.join("warehouse/landing")).unwrap();
    found.extend(findings(&search, &project));
    for place in [&temporary, &started_in] {
        found.extend(search.in_folder(place));
    }
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A search that finds nothing proves nothing unless it finds what is there.
#[test]
fn every_form_of_an_identity_is_found_where_it_is_planted() {
    // Nobody is born on the 41st of a month, and nobody is called or reached like this.
    let secrets = [
        Secret::ResidentNumber("8013411234567".to_owned()),
        Secret::Name("똠펲쏜".to_owned()),
        Secret::Telephone("01000009999".to_owned()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut planted = 0;
    for secret in &secrets {
        let search = Search::new(&BTreeSet::from([secret.clone()]));
        for (form, bytes) in secret.forms() {
            for before in 0..3 {
                let path = folder.path().join(format!("{planted}.bin"));
                let content = [&b"\x80xyz"[..before], &bytes, b"\x80rest"].concat();
                std::fs::write(&path, content).unwrap();
                assert_eq!(search.in_file(&path).len(), 1, "{form} of {secret:?}");
                assert_eq!(
                    search.in_folder(folder.path()).len(),
                    1,
                    "{form} of {secret:?}"
                );
                std::fs::remove_file(path).unwrap();
                planted += 1;
            }
        }
        // Base64 of a line in which the secret stands anywhere.
        for before in ["", "a", "ab", "abc"] {
            for text in secret.forms().iter().take(1) {
                let line = [before.as_bytes(), &text.1, b" and the rest"].concat();
                assert!(
                    search.in_bytes(&base64(&line)).is_some(),
                    "{before} {secret:?}"
                );
            }
        }
        let text = String::from_utf8(secret.forms()[0].1.clone()).unwrap();
        let sealed = folder.path().join("sealed");
        std::fs::create_dir_all(&sealed).unwrap();
        std::fs::write(sealed.join("x"), format!("x{text}x")).unwrap();
        assert_eq!(search.in_sealed_folder(&sealed).len(), 1, "{secret:?}");
        std::fs::remove_dir_all(sealed).unwrap();
        // Compressed, so that only a decoded column shows it.
        let column: ArrayRef = Arc::new(StringArray::from(vec![format!("at {text} end"); 100]));
        assert_eq!(
            planted_in_parquet(&search, folder.path(), column),
            1,
            "{secret:?}"
        );
        if let Secret::ResidentNumber(digits) = secret {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![digits.parse::<i64>().unwrap()]));
            assert!(planted_in_parquet(&search, folder.path(), column) > 0);
        }
        let other: ArrayRef = Arc::new(StringArray::from(vec!["nothing"]));
        assert_eq!(planted_in_parquet(&search, folder.path(), other), 0);
    }
    assert!(planted > 150, "{planted}");
}

fn planted_in_parquet(search: &Search, folder: &Path, column: ArrayRef) -> usize {
    let batch = RecordBatch::try_from_iter([("place", column)]).unwrap();
    let path = folder.join("planted.parquet");
    let compressed = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(Default::default()))
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(compressed)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    // Small pages may stand uncompressed; what counts is that the column was decoded.
    let findings = search.in_file(&path);
    findings
        .iter()
        .filter(|found| found.contains("column place"))
        .count()
}

/// Base64 as any library writes it.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let value = group
            .iter()
            .fold(0usize, |value, byte| value << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for letter in 0..4 {
            text.push(if letter > group.len() {
                b'='
            } else {
                LETTERS[value >> (18 - 6 * letter) & 63]
            });
        }
    }
    text
}

/// Between a file and the vault, numbers stand in memory in the clear.
#[test]
fn a_crash_leaves_no_image_of_the_memory() {
    let folder = demo();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", folder.to_str().unwrap(), "sql", "--format", "csv"])
        .env("NO_COLOR", "1")
        .current_dir(elsewhere.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"select 41 + 1 as answer;\n").unwrap();
    // Once it answers, it has started.
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(answers.any(|line| line.unwrap().contains("42")));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = cores.split_whitespace().collect();
    assert_eq!(&words[4..6], ["0", "0"], "{cores}");
    let aborted = Command::new("kill")
        .args(["-ABRT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(aborted.success());
    assert!(!child.wait().unwrap().success());
    drop(input);
    let left: Vec<PathBuf> = files(elsewhere.path());
    assert!(left.is_empty(), "{left:?}");
}
