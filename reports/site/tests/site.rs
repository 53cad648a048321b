//! The whole site from a made-up release: addresses, marks, escaping, determinism, downloads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use goyong_site::{CellValue, ReportDefinition, SiteSummary, render};
use support::{HOSTILE, inputs};

/// Every file below a folder.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let address = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(address, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn text(files: &BTreeMap<String, Vec<u8>>, address: &str) -> String {
    String::from_utf8(
        files
            .get(address)
            .unwrap_or_else(|| panic!("no {address}"))
            .clone(),
    )
    .unwrap()
}

fn site() -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>, SiteSummary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = render(&inputs(), &folder.path().join("site")).unwrap();
    let files = files(&folder.path().join("site"));
    (folder, files, summary)
}

#[test]
fn every_report_stands_at_its_addresses_in_both_languages() {
    let (_folder, files, summary) = site();
    assert_eq!(summary.notices, []);
    assert_eq!(summary.files, files.len());
    assert!(files.contains_key("index.html"));
    for slug in [
        "labour-market",
        "claims",
        "blind-spot",
        "alerts-summary",
        "data-quality",
        "model-card",
    ] {
        for lang in ["ko", "en"] {
            assert!(
                files.contains_key(&format!("{lang}/reports/{slug}/index.html")),
                "{lang} {slug}"
            );
            assert!(
                files.contains_key(&format!("{lang}/reports/{slug}/2025-12/index.html")),
                "{lang} {slug}"
            );
        }
    }
    for page in [
        "releases",
        "revisions",
        "methods",
        "glossary",
        "accessibility",
        "catalog",
        "catalog/marts/claims_monthly",
        "catalog/checks",
        "catalog/storage",
    ] {
        assert!(
            files.contains_key(&format!("en/{page}/index.html")),
            "{page}"
        );
    }
    for kind in ["csv", "xlsx", "json"] {
        assert!(files.contains_key(&format!("data/claims/2025-12/months.{kind}")));
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_a_second_run_touches_nothing() {
    let (first, one, _) = site();
    let (_second, other, _) = site();
    assert_eq!(one, other);
    let again = render(&inputs(), &first.path().join("site")).unwrap();
    assert_eq!((again.written, again.unchanged), (0, one.len()));
}

#[test]
fn markup_in_data_is_text_on_every_page() {
    let (_folder, files, _) = site();
    let mut seen = 0;
    for (address, bytes) in files
        .iter()
        .filter(|(address, _)| address.ends_with(".html"))
    {
        let page = String::from_utf8(bytes.clone()).unwrap();
        let own = page.matches("<script src=\"../../assets/catalog-").count();
        assert_eq!(page.matches("<script").count(), own, "{address}");
        let is_list =
            ["ko/catalog/index.html", "en/catalog/index.html"].contains(&address.as_str());
        assert_eq!(own, if is_list { 2 } else { 0 }, "{address}");
        assert_eq!(page.contains("script-src 'none'"), !is_list, "{address}");
        assert!(!page.contains(HOSTILE), "{address}");
        seen += usize::from(page.contains("&lt;script&gt;"));
    }
    assert!(seen > 10, "{seen} pages show the hostile text escaped");
}

#[test]
fn pages_ask_for_nothing_outside_the_folder() {
    let (_folder, files, _) = site();
    for (address, bytes) in files
        .iter()
        .filter(|(address, _)| address.ends_with(".html"))
    {
        let page = String::from_utf8(bytes.clone()).unwrap();
        assert!(page.contains("default-src 'self'"), "{address}");
        for forbidden in ["http://", "https://", "src=\"//", "style=\""] {
            assert!(!page.contains(forbidden), "{address} contains {forbidden}");
        }
        // Every relative link leads to a file of the site.
        for part in page.split("href=\"").skip(1) {
            let link = part.split('"').next().unwrap();
            if let Some(target) = resolve(address, link) {
                assert!(files.contains_key(&target), "{address} links to {link}");
            }
        }
    }
}

fn resolve(address: &str, link: &str) -> Option<String> {
    if link.starts_with('#') {
        return None;
    }
    let mut parts: Vec<&str> = address.split('/').collect();
    parts.pop();
    for step in link.split('#').next()?.split('/') {
        match step {
            ".." => drop(parts.pop()),
            step => parts.push(step),
        }
    }
    Some(parts.join("/"))
}

#[test]
fn the_bulletin_opens_with_level_and_change_on_the_year() {
    let (_folder, files, _) = site();
    let page = text(&files, "ko/reports/labour-market/index.html");
    let (value, change) = (
        page.find("figure-value").unwrap(),
        page.find("전년동월대비").unwrap(),
    );
    assert!(value < change && change < page.find("<svg").unwrap());
    insta::assert_snapshot!(
        "headlines",
        section(
            &page,
            "<section aria-labelledby=\"key-figures\"",
            "</section>"
        )
    );
}

#[test]
fn every_chart_has_its_table_with_caption_and_scopes() {
    let (_folder, files, _) = site();
    let page = text(&files, "en/reports/claims/2025-12/index.html");
    assert_eq!(
        page.matches("<figure>").count(),
        page.matches("class=\"table-behind\"").count()
    );
    assert!(page.matches("<figure>").count() >= 3);
    insta::assert_snapshot!(
        "claims_block",
        section(
            &page,
            "<section class=\"block\" id=\"regions\"",
            "</section>"
        )
    );
}

#[test]
fn the_three_marks_differ() {
    let (_folder, files, _) = site();
    let page = text(&files, "en/reports/claims/2025-12/index.html");
    assert!(page.contains("<abbr title=\"not shown to protect confidentiality\">x</abbr>"));
    let csv = text(&files, "data/claims/2025-12/regions.csv");
    assert!(csv.lines().any(|line| line.contains(",x")), "{csv}");
    assert!(csv.lines().any(|line| line.contains(",0")), "{csv}");
}

#[test]
fn no_small_count_stands_in_any_download() {
    let (_folder, files, _) = site();
    let csv = text(&files, "data/labour-market/2025-12/regions.csv");
    for line in csv.lines().skip(1) {
        for cell in line.split(',').skip(2) {
            let small = cell
                .parse::<i64>()
                .is_ok_and(|count| (1..5).contains(&count));
            assert!(!small, "{line}");
        }
    }
}

#[test]
fn csv_has_a_byte_order_mark_and_neutral_formulas() {
    let (_folder, files, _) = site();
    let csv = text(&files, "data/data-quality/2025-12/sources.csv");
    assert!(csv.starts_with('\u{feff}'));
    assert!(csv.contains("\r\n'=1+1,"), "{csv}");
}

#[test]
fn other_figures_for_a_published_period_become_a_revision() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("site");
    render(&inputs(), &out).unwrap();
    let before = fs::read(out.join("data/claims/2025-12/months.csv")).unwrap();

    let mut later = inputs();
    later.release.id = "2026-01-01.1".into();
    let claims = later
        .reports
        .iter_mut()
        .find(|report| report.definition.slug == "claims")
        .unwrap();
    claims.tables[0].rows[0][1] = CellValue::Integer(77_777);
    render(&later, &out).unwrap();

    assert_eq!(
        fs::read(out.join("data/claims/2025-12/months.csv")).unwrap(),
        before
    );
    let revised = fs::read_to_string(out.join("data/claims/2025-12/r2/months.csv")).unwrap();
    assert!(revised.contains("77777"));
    assert!(out.join("ko/reports/claims/2025-12/r2/index.html").exists());
    assert!(out.join("ko/reports/claims/2025-12/index.html").exists());
    assert!(!out.join("data/labour-market/2025-12/r2").exists());
    let revisions = fs::read_to_string(out.join("en/revisions/index.html")).unwrap();
    assert!(revisions.contains("reports/claims/2025-12/r2/index.html"));
    // The same release again is the same revision.
    assert_eq!(render(&later, &out).unwrap().written, 0);
}

#[test]
fn a_table_that_cannot_be_published_is_left_out_and_noted() {
    let mut inputs = inputs();
    let claims = inputs
        .reports
        .iter_mut()
        .find(|report| report.definition.slug == "claims")
        .unwrap();
    claims.tables[0].columns[1] = "person_key".into();
    let folder = tempfile::tempdir().unwrap();
    let summary = render(&inputs, &folder.path().join("site")).unwrap();
    assert_eq!(summary.notices.len(), 1);
    assert_eq!(
        (
            summary.notices[0].report.as_str(),
            summary.notices[0].table.as_str()
        ),
        ("claims", "months")
    );
}

#[test]
fn a_definition_must_say_how_it_is_protected() {
    let yaml = "
slug: x
title: {ko: 가, en: a}
summary: {ko: 가, en: a}
tables:
  - {name: t, title: {ko: 가, en: a}, sql: select 1, dimensions: [month]}
";
    let error = ReportDefinition::parse(yaml, "x.yml").unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.yml: table t: say `disclosure:` or `public:` with the reason"
    );
}

#[test]
fn references_of_a_query_are_found() {
    let blind_spot = support::definitions()
        .into_iter()
        .find(|report| report.slug == "blind-spot")
        .unwrap();
    let names: Vec<String> = blind_spot.tables[0]
        .references()
        .into_iter()
        .map(|reference| reference.name)
        .collect();
    assert_eq!(names, ["blind_spot_monthly", "coverage_class"]);
}

fn section(page: &str, from: &str, to: &str) -> String {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from}"));
    let end = page[start..].find(to).unwrap() + start + to.len();
    page[start..end].to_owned()
}

#[test]
fn a_version_s_page_says_what_it_learned_how_it_was_judged_and_who_approved() {
    let (_folder, files, _) = site();
    for (language, expected) in support::models::said() {
        let address = format!("{language}/models/employment_success/2025-12-31.1/index.html");
        let page = text(&files, &address);
        for part in expected {
            assert!(page.contains(part), "{address} does not say {part}");
        }
        let list = text(&files, &format!("{language}/models/index.html"));
        assert!(list.contains("models/employment_success/2025-11-30-refused/index.html"));
        assert!(list.contains("0.741 [0.731, 0.751]"), "{list}");
    }
    let report = text(&files, "en/reports/model-card/index.html");
    assert!(report.contains("en/models/employment_success/2025-12-31.1/index.html"));
}

#[test]
fn a_version_s_page_lists_every_gate_and_hides_groups_of_three() {
    let (_folder, files, _) = site();
    let data = "data/models/employment_success/2025-12-31.1";
    let gates = text(&files, &format!("{data}/gates.csv"));
    for gate in support::models::version().gates {
        assert!(gates.contains(&gate.gate), "{gates}");
    }
    let drift = text(&files, &format!("{data}/drift.csv"));
    assert!(
        drift.contains("input_drift") && !drift.contains("a_gate_of_tomorrow"),
        "{drift}"
    );
    let groups = text(&files, &format!("{data}/fairness.csv"));
    let other = groups
        .lines()
        .find(|line| line.contains(",other,"))
        .unwrap();
    assert!(other.starts_with("sex,other,x,x,x"), "{other}");
}

#[test]
fn a_version_that_was_not_measured_says_so() {
    let (_folder, files, _) = site();
    let page = text(
        &files,
        "en/models/employment_success/2025-11-30-refused/index.html",
    );
    for expected in [
        "Refused by a gate",
        "It was never put to use",
        "The registry lists no gate of drift",
        "no month in which the scores",
        "before the first release",
        "a_learner_of_tomorrow",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}
