//! The catalogue's pages from a made-up release: what they show, where they lead, how large they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;

use goyong_site::render;
use support::inputs;

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        render(&inputs(), folder.path()).unwrap();
        Self(folder)
    }

    fn page(&self, address: &str) -> String {
        fs::read_to_string(self.0.path().join(address)).unwrap_or_else(|_| panic!("no {address}"))
    }

    fn spell(&self) -> String {
        self.page("en/catalog/core/employment_spell/index.html")
    }
}

/// From a heading's id to the end of its section.
fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("aria-labelledby=\"{id}\"")).unwrap();
    let end = page[start..].find("</section>").unwrap();
    &page[start..start + end]
}

#[test]
fn the_list_has_every_table_with_rows_owner_and_last_change() {
    let site = Site::new();
    let page = site.page("ko/catalog/index.html");
    let row = page
        .lines()
        .find(|line| line.contains("catalog/core/employment_spell/index.html"))
        .unwrap();
    for shown in ["고용 기간", "19,000", "core", "2025-12-30", "가명"] {
        assert!(row.contains(shown), "{shown} in {row}");
    }
    for table in [
        "core/spell_month",
        "seed/sido",
        "staging/open_positions",
        "ops/deliveries",
    ] {
        assert!(
            page.contains(&format!("catalog/{table}/index.html")),
            "{table}"
        );
    }
}

#[test]
fn the_search_data_are_a_script_beside_the_pages() {
    let site = Site::new();
    let script = site.page("assets/catalog-index.js");
    assert!(script.starts_with("globalThis.goyongCatalog={"));
    for text in [
        "주민등록번호",
        "고용보험 피보험자격",
        "Employment insurance spells",
        "spells_never_overlap",
    ] {
        assert!(script.contains(text), "{text}");
    }
    let list = site.page("en/catalog/index.html");
    assert!(
        list.contains("role=\"search\" hidden"),
        "hidden until the script shows it"
    );
}

#[test]
fn columns_show_type_unit_fields_and_where_tags_and_descriptions_come_from() {
    let site = Site::new();
    let columns = part(&site.spell(), "columns").to_owned();
    let row = |name: &str| {
        let id = format!("<tr id=\"column-{name}\">");
        columns
            .lines()
            .find(|line| line.starts_with(&id))
            .unwrap()
            .to_owned()
    };
    let key = row("person_key");
    assert!(
        key.contains("pseudonym")
            && key.contains("staging/ei_insured_spell/index.html#column-person_key")
    );
    assert!(
        key.contains("key of the person") && key.contains("described by"),
        "{key}"
    );
    let birth = row("birth_year");
    assert!(
        birth.contains("declassified") && birth.contains("quasi-identifier: only the year is kept")
    );
    assert!(birth.contains("<span class=\"unit\">year</span>"));
    let source = site.page("ko/catalog/staging/ei_insured_spell/index.html");
    assert!(source.contains("파일의 항목: 주민등록번호"));
}

#[test]
fn every_test_shows_its_last_result_and_checks_are_linked() {
    let site = Site::new();
    let page = site.spell();
    let tests = part(&page, "tests");
    for (name, word, rows) in [
        ("unique(person_key, from_on)", "passed", "0"),
        ("not_null(person_key)", "failed", "4"),
        ("range(birth_year)", "could not run", "0"),
        ("expression(to_on &gt;= from_on)", "not recorded", "–"),
    ] {
        let row = tests.lines().find(|line| line.contains(name)).unwrap();
        assert!(row.contains(&format!(">{word}<")), "{row}");
        assert!(
            row.contains(&format!("<td class=\"number\">{rows}</td>")),
            "{row}"
        );
    }
    assert!(tests.contains("catalog/checks/index.html#check-spells_never_overlap"));
    let checks = site.page("en/catalog/checks/index.html");
    assert!(checks.contains("id=\"check-spells_never_overlap\""));
    assert!(checks.contains(">warning<") && checks.contains("select 1 where false"));
}

#[test]
fn the_lineage_picture_has_its_text_and_both_lead_to_the_same_pages() {
    let site = Site::new();
    let page = site.spell();
    insta::assert_snapshot!("lineage", part(&page, "lineage"));
    let lineage = part(&page, "lineage");
    let (picture, words) = lineage.split_once("</svg>").unwrap();
    for target in [
        "catalog/staging/ei_insured_spell/index.html",
        "catalog/core/spell_month/index.html",
        "catalog/marts/labour_market_monthly/index.html",
        "catalog/marts/blind_spot_monthly/index.html",
        "reports/labour-market/index.html",
    ] {
        assert!(picture.contains(target), "{target} in the picture");
        let from_here = match target.strip_prefix("catalog/") {
            Some(table) => format!("\"../../{table}"),
            None => format!("\"../../../{target}"),
        };
        assert!(words.contains(&from_here), "{target} in words");
    }
}

#[test]
fn influence_on_all_columns_is_one_line_and_no_origin() {
    let site = Site::new();
    let page = site.spell();
    let influences = &page[page.find("id=\"influences\"").unwrap()..];
    let influences = &influences[..influences.find("</section>").unwrap()];
    assert_eq!(influences.matches("acquired_on is not null").count(), 1);
    assert!(influences.contains("from_on, person_key"));
}

#[test]
fn a_star_is_all_columns_and_a_query_of_a_report_is_its_table_there() {
    let site = Site::new();
    let page = site.page("en/catalog/marts/labour_market_monthly/index.html");
    let start = page.find("id=\"influences\"").unwrap();
    let row = page[start..]
        .lines()
        .find(|line| line.contains("<th scope=\"row\">"))
        .unwrap();
    assert!(
        row.contains(
            "<a href=\"../../core/employment_spell/index.html\">core.employment_spell</a>"
        ),
        "{row}"
    );
    assert!(row.contains("all columns"), "{row}");
    assert!(page.contains("../../../reports/labour-market/index.html#insured"));
}

#[test]
fn freshness_names_the_source_that_is_late_down_to_the_mart() {
    let site = Site::new();
    let source = site.page("en/catalog/staging/ei_insured_spell/index.html");
    let freshness = part(&source, "freshness");
    for shown in [
        "monthly · due within 15 days",
        "overdue · 3 days late",
        "2025-12",
        "2026-02-15",
    ] {
        assert!(freshness.contains(shown), "{shown}");
    }
    let mart = site.page("en/catalog/marts/blind_spot_monthly/index.html");
    let row = part(&mart, "freshness")
        .lines()
        .find(|line| line.contains("staging/ei_insured_spell"))
        .unwrap()
        .to_owned();
    assert!(
        row.contains("overdue") && row.contains("2026-01-15"),
        "{row}"
    );
}

#[test]
fn bytes_and_files_stand_on_a_page_of_their_own() {
    let site = Site::new();
    let storage = site.page("en/catalog/storage/index.html");
    let row = storage
        .lines()
        .find(|line| line.contains("<tr id=\"staging.ei_insured_spell\">"))
        .unwrap();
    for shown in ["20,000", "620 kB", "31.0", "<td class=\"number\">3</td>"] {
        assert!(row.contains(shown), "{shown} in {row}");
    }
    for page in [
        "en/catalog/index.html",
        "en/catalog/staging/ei_insured_spell/index.html",
    ] {
        assert!(
            !site.page(page).contains("620 kB"),
            "{page} depends on the layout"
        );
    }
    assert!(
        !storage.contains("core.spell_month"),
        "a view takes up nothing"
    );
}

#[test]
fn size_and_history_follow_the_releases() {
    let site = Site::new();
    let page = site.page("en/catalog/staging/ei_insured_spell/index.html");
    let size = part(&page, "size");
    for shown in [
        "20,000",
        "<th scope=\"row\" class=\"short\">2025-10</th>",
        "6,666",
    ] {
        assert!(size.contains(shown), "{shown}");
    }
    let history = part(&page, "history");
    let newest = history
        .lines()
        .find(|line| line.contains("2025-12-31.1"))
        .unwrap();
    assert!(
        newest.contains("<td class=\"number\">+7</td>") && newest.contains("2025-12"),
        "{newest}"
    );
}

#[test]
fn what_is_not_stored_says_so() {
    let site = Site::new();
    let view = site.page("en/catalog/core/spell_month/index.html");
    assert!(part(&view, "size").contains("A view is not stored"));
    let source = site.page("en/catalog/staging/open_positions/index.html");
    assert!(part(&source, "size").contains("Not in this release yet"));
    assert!(part(&source, "columns").contains("No column is known"));
}

#[test]
fn figures_of_a_report_lead_to_their_tables() {
    let site = Site::new();
    let report = site.page("en/reports/claims/index.html");
    let caption = report
        .lines()
        .find(|line| line.contains("<p class=\"figures-from\">"))
        .unwrap();
    assert!(
        caption.contains("catalog/marts/claims_monthly/index.html"),
        "{caption}"
    );
    let table = site.page("en/catalog/marts/claims_monthly/index.html");
    assert!(table.contains("reports/claims/index.html"), "and back");
}

fn sizes(models: usize) -> (Vec<u64>, u64, u64) {
    let mut inputs = inputs();
    inputs.reports.clear();
    inputs.catalog = support::catalog::large(models);
    let folder = tempfile::tempdir().unwrap();
    render(&inputs, folder.path()).unwrap();
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let pages = (0..models)
        .map(|index| {
            let path = format!("ko/catalog/core/model_{index:03}/index.html");
            size(&folder.path().join(path))
        })
        .collect();
    let list = size(&folder.path().join("ko/catalog/index.html"));
    let script = size(&folder.path().join("assets/catalog-index.js"));
    (pages, list, script)
}

#[test]
fn a_catalogue_of_three_hundred_tables_stays_small() {
    let (pages, list, script) = sizes(300);
    let (some, _, _) = sizes(60);
    let largest = *pages.iter().max().unwrap();
    assert!(largest < 120_000, "the largest page has {largest} bytes");
    // A page does not grow with the number of tables.
    assert!(largest <= some.iter().max().unwrap() * 21 / 20);
    assert!(list < 400_000, "the list has {list} bytes");
    assert!(script < 400_000, "the search data have {script} bytes");
}
