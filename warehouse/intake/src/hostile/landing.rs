//! Names, links, pipes and manifests in the landing folder.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use arrow_array::Array;
use chrono::NaiveDate;
use rstest::rstest;

use super::bench::{Bench, Beside, Bin, Case, cp949, delimited, manifest, person, run};
use crate::delivery::DeliveryStatus;
use crate::testing::number_is_readable;

fn one_row() -> Vec<u8> {
    cp949(&delimited(&["서울,20240801,5"]))
}

const ONE_ROW: &str = "서울|2024-08-01|5";

/// Everything that can lie where a file should, none of it followed, opened or waited for.
#[tokio::test]
async fn what_is_no_file_is_refused_and_stays() {
    let bench = Bench::new().await;
    let folder = bench.landing().join("lines");
    fs::create_dir_all(&folder).unwrap();
    let secret = bench.outside().join("secret");
    symlink(&secret, folder.join("link.csv")).unwrap();
    symlink(bench.outside().join("nothing"), folder.join("dangling.csv")).unwrap();
    symlink("loop.csv", folder.join("loop.csv")).unwrap();
    symlink("/dev/zero", folder.join("device.csv")).unwrap();
    fs::create_dir(folder.join("folder.csv")).unwrap();
    fs::write(folder.join("folder.csv/inside.csv"), one_row()).unwrap();
    let _socket = UnixListener::bind(folder.join("socket.csv")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("pipe.csv"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    // A whole source folder that is somewhere else.
    symlink(bench.outside(), bench.landing().join("packed")).unwrap();
    let before = bench.state().await;
    let summary = bench.run().await;
    assert_eq!(bench.state().await, before);
    let found: Vec<(&str, &str, &str)> = summary
        .outcomes
        .iter()
        .map(|outcome| {
            assert_eq!(outcome.status, DeliveryStatus::Refused);
            (
                outcome.file_name.as_str(),
                outcome.rule.as_deref().unwrap(),
                outcome
                    .reason
                    .as_deref()
                    .unwrap()
                    .split(" lies")
                    .next()
                    .unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("dangling.csv", "not_a_file", "a link"),
            ("device.csv", "not_a_file", "a link"),
            ("folder.csv", "not_a_file", "a folder"),
            ("link.csv", "not_a_file", "a link"),
            ("loop.csv", "not_a_file", "a link"),
            ("pipe.csv", "not_a_file", "a pipe"),
            ("socket.csv", "not_a_file", "a device or socket"),
            ("packed", "not_a_file", "a link"),
        ]
    );
    // They were told once; nothing is read again until something changes.
    let again = bench.run().await;
    assert_eq!((again.outcomes.len(), again.unchanged), (0, 9));
}

#[tokio::test]
async fn manifest_that_is_no_file_is_refused_unopened() {
    let bench = Bench::new().await;
    let bytes = one_row();
    for name in ["wages_202408_r1.csv", "wages_202409_r1.csv"] {
        bench.put(&format!("wages/{name}"), &bytes, None);
    }
    let folder = bench.landing().join("wages");
    symlink(
        bench.outside().join("secret"),
        folder.join("wages_202408_r1.csv.manifest.json"),
    )
    .unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("wages_202409_r1.csv.manifest.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let before = bench.state().await;
    let summary = bench.run().await;
    assert_eq!(bench.state().await, before);
    let reasons: Vec<&str> = summary
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_deref().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "the manifest: a link lies where a file should: deliver the file itself",
            "the manifest: a pipe lies where a file should: deliver the file itself",
        ]
    );
}

#[tokio::test]
async fn odd_names_are_taken_or_refused_and_shown_harmless() {
    let text = delimited(&["서울,20240801,5"]);
    let named = |file: &str, bin: Bin| Case {
        name: "a name",
        source: "lines",
        file: file.to_owned(),
        bytes: text.clone().into_bytes(),
        beside: Beside::Nothing,
        bin,
    };
    run(vec![
        named("two\nlines.csv", Bin::Accepted(ONE_ROW)),
        named("\u{1B}[2J\u{1B}]0;x\u{7}.csv", Bin::Accepted(ONE_ROW)),
        named("a..b..csv", Bin::Accepted(ONE_ROW)),
        named("-rf.csv", Bin::Accepted(ONE_ROW)),
        named("%2e%2e%2fx;drop table.csv", Bin::Accepted(ONE_ROW)),
        named("𝟘🙂똠.csv", Bin::Accepted(ONE_ROW)),
        named("\u{202E}vsc.exe", Bin::Accepted(ONE_ROW)),
        named(&"가".repeat(85), Bin::Accepted(ONE_ROW)),
        named(&format!("{}.csv", person(5)), Bin::Accepted(ONE_ROW)),
    ])
    .await;
}

#[tokio::test]
async fn name_that_is_no_text_is_refused() {
    let bench = Bench::new().await;
    let folder = bench.landing().join("lines");
    fs::create_dir_all(&folder).unwrap();
    let text = delimited(&["서울,20240801,5"]);
    for name in [&b"a\xFF.csv"[..], b"a\xFE.csv"] {
        fs::write(folder.join(OsStr::from_bytes(name)), &text).unwrap();
    }
    let before = bench.state().await;
    let summary = bench.run().await;
    assert_eq!(bench.state().await, before);
    for outcome in &summary.outcomes {
        assert_eq!(outcome.rule.as_deref(), Some("not_a_file"), "{outcome:?}");
    }
    assert_eq!(summary.outcomes.len(), 2);
}

#[tokio::test]
async fn stray_files_are_listed_and_nothing_happens_to_them() {
    let bench = Bench::new().await;
    bench.put("at the top.csv", b"x", None);
    bench.put("wages/wages_202412_r1.csv.manifest.json", b"{}", None);
    let before = bench.state().await;
    let summary = bench.run().await;
    assert_eq!(bench.state().await, before);
    let unknown: Vec<_> = summary
        .unknown
        .iter()
        .map(|path| {
            path.strip_prefix(bench.landing())
                .unwrap()
                .to_str()
                .unwrap()
        })
        .collect();
    assert_eq!(
        unknown,
        ["at the top.csv", "wages/wages_202412_r1.csv.manifest.json"]
    );
}

#[tokio::test]
async fn manifests_that_lie_end_in_their_bin() {
    let deep = "[".repeat(100_000);
    let utf16: Vec<u8> = std::iter::once(0xFEFFu16)
        .chain(r#"{"source": "wages"}"#.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut broken = manifest(&one_row(), "wages_202408_r1.csv", 1, "5").into_bytes();
    broken[13] = 0xFF;
    let twice = format!(
        "{0}{0}",
        manifest(&one_row(), "wages_202408_r1.csv", 1, "5")
    );
    let case = |name, beside, bin| Case::wages(name, one_row(), beside, bin);
    let changed = |name, right, wrong, bin| case(name, Beside::Changed(1, "5", right, wrong), bin);
    let upper = {
        let text = manifest(&one_row(), "wages_202408_r1.csv", 1, "5");
        let at = text.find("sha256").unwrap() + 10;
        format!(
            "{}{}{}",
            &text[..at],
            text[at..at + 64].to_uppercase(),
            &text[at + 64..]
        )
    };
    run(vec![
        case("right", Beside::Manifest(1, "5"), Bin::Accepted(ONE_ROW)),
        case(
            "digest in upper case",
            Beside::Bytes(upper.into_bytes()),
            Bin::Accepted(ONE_ROW),
        ),
        case(
            "none",
            Beside::Nothing,
            Bin::Refused("manifest", "is missing"),
        ),
        case(
            "empty",
            Beside::Bytes(Vec::new()),
            Bin::Refused("manifest", "ends before it is complete"),
        ),
        case(
            "two megabytes",
            Beside::Bytes(vec![b' '; 2 << 20]),
            Bin::Refused("manifest", "too large"),
        ),
        case(
            "a hundred thousand levels",
            Beside::Bytes(deep.into_bytes()),
            Bin::Refused("manifest", "cannot be read"),
        ),
        case(
            "UTF-16",
            Beside::Bytes(utf16),
            Bin::Refused("manifest", "not JSON in UTF-8"),
        ),
        case(
            "an invalid byte",
            Beside::Bytes(broken),
            Bin::Refused("manifest", "cannot be read"),
        ),
        case(
            "two in one",
            Beside::Bytes(twice.into_bytes()),
            Bin::Refused("manifest", "not JSON"),
        ),
        case(
            "a list",
            Beside::Bytes(b"[]".to_vec()),
            Bin::Refused("manifest", "cannot be read"),
        ),
        changed(
            "rows as text",
            r#""rows": 1"#,
            r#""rows": "8001011000001""#,
            Bin::Refused("manifest", "wrong type"),
        ),
        changed(
            "negative rows",
            r#""rows": 1"#,
            r#""rows": -1"#,
            Bin::Refused("manifest", "wrong type"),
        ),
        changed(
            "rows beyond 64 bits",
            r#""rows": 1"#,
            r#""rows": 99999999999999999999"#,
            Bin::Refused("manifest", "wrong type"),
        ),
        changed(
            "a key missing",
            r#""rows": 1, "#,
            "",
            Bin::Refused("manifest", "missing field `rows`"),
        ),
        changed(
            "a key twice",
            r#""rows": 1"#,
            r#""rows": 1, "rows": 1"#,
            Bin::Refused("manifest", "duplicate field `rows`"),
        ),
        changed(
            "a sum twice",
            r#"{"won": "5"}"#,
            r#"{"won": "6", "won": "5"}"#,
            Bin::Refused("manifest", "duplicate sum"),
        ),
        changed(
            "a sum as a float",
            r#""won": "5""#,
            r#""won": 5.0"#,
            Bin::Refused("manifest", "wrong type"),
        ),
        changed(
            "a sum as a whole number",
            r#""won": "5""#,
            r#""won": 5"#,
            Bin::Accepted(ONE_ROW),
        ),
        changed(
            "a sum with an exponent",
            r#""won": "5""#,
            r#""won": "5e0""#,
            Bin::Refused("manifest", "is no number"),
        ),
        changed(
            "another file's",
            r#""known_on""#,
            r#""file": "wages_202407_r1.csv", "known_on""#,
            Bin::Refused("manifest", "about the file `wages_202407_r1.csv`"),
        ),
        changed(
            "another source's",
            r#""source": "wages""#,
            "\"source\": \"\\u001b[2J\"",
            Bin::Refused("manifest", "about `\\u{1b}[2J`"),
        ),
        changed(
            "another month's",
            "2024-08",
            "2024-07",
            Bin::Refused("manifest", "the file's name says period 2024-08"),
        ),
        changed(
            "the year 9999",
            "2024-08",
            "9999-12",
            Bin::Refused("manifest", "not a period"),
        ),
        changed(
            "month 13",
            "2024-08",
            "2024-13",
            Bin::Refused("manifest", "not a period"),
        ),
        changed(
            "known in the year 9999",
            "2024-09-10",
            "9999-12-31",
            Bin::Refused("manifest", "no such day"),
        ),
        changed(
            "known on 30 February",
            "2024-09-10",
            "2024-02-30",
            Bin::Refused("manifest", "cannot be read"),
        ),
        changed(
            "revision 0",
            r#""revision": 1"#,
            r#""revision": 0"#,
            Bin::Refused("manifest", "revision 0"),
        ),
        changed(
            "the last revision there can be",
            r#""revision": 1"#,
            r#""revision": 4294967295"#,
            Bin::Refused("manifest", "revision 4294967295"),
        ),
        changed(
            "a person's number as a period",
            "2024-08",
            "800101-1000001",
            Bin::Refused("manifest", "not a period"),
        ),
    ])
    .await;
}

/// Two files that claim to be the same delivery: the first stays in place.
#[tokio::test]
async fn second_file_for_a_revision_is_refused() {
    let bench = Bench::new().await;
    let case = Case::wages(
        "first",
        one_row(),
        Beside::Manifest(1, "5"),
        Bin::Accepted(ONE_ROW),
    );
    assert_eq!(bench.faults(&case).await, Vec::<String>::new());
    let second = Case {
        file: "other.csv".to_owned(),
        ..Case::wages(
            "second",
            cp949(&delimited(&["부산,20240801,5"])),
            Beside::Manifest(1, "5"),
            Bin::Refused("superseded", "revision 1 was delivered before"),
        )
    };
    assert_eq!(bench.faults(&second).await, Vec::<String>::new());
}

/// A provider may send another file of the same length and keep the time of change.
#[rstest]
#[case::stays(false)]
#[case::is_replaced(true)]
#[tokio::test]
async fn file_of_the_same_size_and_time_is_read_before_it_is_removed(#[case] replaced: bool) {
    let bench = Bench::new().await;
    let path = bench.landing().join("lines/a.csv");
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let put = |won: &str| {
        bench.put(
            "lines/a.csv",
            delimited(&[&format!("서울,,{won}")]).as_bytes(),
            None,
        );
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    };
    put("1");
    assert_eq!(bench.run().await.outcomes.len(), 1);
    assert!(!path.exists());
    put(if replaced { "2" } else { "1" });
    let outcomes = bench.run().await.outcomes;
    let wanted = if replaced {
        DeliveryStatus::Accepted
    } else {
        DeliveryStatus::Duplicate
    };
    assert_eq!(outcomes[0].status, wanted, "{outcomes:?}");
    assert_eq!(
        bench.rows("staging.lines").await.len(),
        1 + usize::from(replaced)
    );
    assert!(!number_is_readable(format!("{outcomes:?}")));
}

#[tokio::test]
async fn file_of_another_month_by_its_content_ends_in_its_bin() {
    let month = |name, rows: &[&str], bin| Case {
        file: "months_202408.csv".to_owned(),
        ..Case::bare(name, "months", delimited(rows), bin)
    };
    run(vec![
        month(
            "all of July",
            &["서울,20240701,1", "부산,20240731,2"],
            Bin::Refused("wrong_period", "2 of 2 rows have a day outside the period"),
        ),
        month(
            "two of three of September",
            &["서울,20240901,1", "부산,20240831,2", "대구,20240930,3"],
            Bin::Refused("wrong_period", "2 of 3 rows have a day outside the period"),
        ),
        month(
            "one of three of July",
            &["서울,20240801,1", "부산,20240731,2", "대구,20240831,3"],
            Bin::Quarantined(
                "서울|2024-08-01|1;대구|2024-08-31|3",
                &[(2, "day", "wrong_period")],
            ),
        ),
    ])
    .await;
}

/// No manifest, no earlier delivery, no word from the operator: the first day of the calendar
/// would be stored as the day on which the rows became known.
#[tokio::test]
async fn file_of_an_unknown_day_is_refused_until_the_day_is_said() {
    let mut bench = Bench::new().await;
    // It was refused before, and would be looked into again.
    fs::remove_file(bench.landing().join("wages/wages_202406_r1.csv")).unwrap();
    let said = bench.context.known_on;
    bench.context.known_on = NaiveDate::MIN;
    bench.put("lines/lines.csv", delimited(&["서울,,1"]).as_bytes(), None);
    let before = bench.state().await;
    let outcome = bench.run().await.outcomes.remove(0);
    let faults = super::state::refused(&outcome, "manifest", "--known-on");
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(bench.state().await, before);
    let ledger = bench.rows("ops.deliveries").await;
    let days = ledger.iter().map(|batch| {
        let days = batch.column_by_name("known_on").unwrap();
        days.null_count()
    });
    assert_eq!(days.sum::<usize>(), 1);
    assert!(bench.run().await.outcomes.is_empty(), "read again unasked");
    bench.context.known_on = said;
    let outcomes = bench.run().await.outcomes;
    let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, [DeliveryStatus::Accepted], "{outcomes:?}");
}
