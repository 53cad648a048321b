//! The real extracts: counts and sums in the tables equal those computed here from the raw bytes.
//!
//! The folder is not part of the project; without it each test says so and passes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::{goyong, goyong_ok, query, query_one};

fn open_data() -> Option<PathBuf> {
    let folder = std::env::var_os("GOYONG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("SKIPPED: no real extracts in {}", folder.display());
        None
    }
}

/// A project that holds the real extracts and a release of them.
fn project() -> Option<&'static (PathBuf, Vec<Vec<String>>)> {
    static PROJECT: OnceLock<Option<(PathBuf, Vec<Vec<String>>)>> = OnceLock::new();
    PROJECT
        .get_or_init(|| {
            let data = open_data()?;
            let folder = tempfile::tempdir().unwrap().keep().join("project");
            let folder_text = folder.to_str().unwrap();
            goyong_ok(&["--dir", folder_text, "init"]);
            // Error answers lie among the files, so the command reports refusals.
            let output = goyong(&[
                "--dir",
                folder_text,
                "ingest",
                "--known-on",
                "2026-11-01",
                "--format",
                "csv",
                data.to_str().unwrap(),
            ]);
            assert_eq!(output.status.code(), Some(1));
            let text = String::from_utf8(output.stdout).unwrap();
            let rows = csv::Reader::from_reader(text.as_bytes())
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            goyong_ok(&["--dir", folder_text, "night"]);
            Some((folder, rows))
        })
        .as_ref()
}

fn raw(file: &str) -> Vec<u8> {
    std::fs::read(open_data().unwrap().join(file)).unwrap()
}

fn cp949(file: &str) -> String {
    let bytes = raw(file);
    let (text, _, failed) = encoding_rs::EUC_KR.decode(&bytes);
    assert!(!failed, "{file}");
    text.into_owned()
}

/// Sum over every `<tag>n</tag>` in a text.
fn sum_of_tag(text: &str, tag: &str) -> i64 {
    text.split(&format!("<{tag}>"))
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().parse::<i64>().unwrap())
        .sum()
}

fn delivery<'a>(rows: &'a [Vec<String>], file: &str) -> &'a [String] {
    rows.iter()
        .find(|row| row.iter().any(|cell| cell.ends_with(file)))
        .unwrap_or_else(|| panic!("{file} is not among the deliveries"))
}

#[test]
fn insured_persons_keep_all_rows_and_report_the_missing_page() {
    let Some((folder, rows)) = project() else {
        return;
    };
    let text = String::from_utf8(raw("eis/opib_insured.xml")).unwrap();
    assert_eq!(
        query_one(folder, "select count(*) from staging.eis_insured"),
        text.matches("<rqst>").count().to_string()
    );
    assert_eq!(
        query_one(
            folder,
            "select cast(sum(insured_persons) as bigint) from staging.eis_insured"
        ),
        sum_of_tag(&text, "prtyIpnb").to_string()
    );
    let notices = delivery(rows, "opib_insured.xml").join(" ");
    assert!(
        notices.contains("page 2 of 2 is missing: 20 of 30"),
        "{notices}"
    );
    assert!(notices.to_lowercase().contains("euc-kr"), "{notices}");
}

#[test]
fn error_answers_are_refused_and_empty_answers_are_not() {
    let Some((_, rows)) = project() else {
        return;
    };
    for file in [
        "error_display.xml",
        "wanted_error_002.xml",
        "wanted_error_018.xml",
        "go24_error_member.xml",
        "go24_error_service.xml",
    ] {
        let row = delivery(rows, file).join(" ");
        assert!(row.contains("refused"), "{row}");
    }
    let row = delivery(rows, "wanted_empty_006.xml").join(" ");
    assert!(
        row.contains("accepted") && !row.contains("refused"),
        "{row}"
    );
}

#[test]
fn wages_by_occupation_drop_the_phantom_column_and_keep_every_figure() {
    let Some((folder, rows)) = project() else {
        return;
    };
    let text = cp949("keis/wage_statistics_career_cp949.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let (mut figures, mut sum) = (0u64, 0f64);
    for record in reader.records() {
        let record = record.unwrap();
        for value in record.iter().skip(5).take(6) {
            if let Ok(value) = value.trim().replace(',', "").parse::<f64>() {
                figures += 1;
                sum += value;
            }
        }
    }
    let row = &query(
        folder,
        "select count(amount), cast(sum(amount) as double) from staging.keis_wage",
    )[0];
    assert_eq!(row[0], figures.to_string());
    assert!(
        (row[1].parse::<f64>().unwrap() - sum).abs() < 0.5,
        "{row:?} {sum}"
    );
    let notices = delivery(rows, "wage_statistics_career_cp949.csv").join(" ");
    assert!(notices.contains("column"), "{notices}");
}

#[test]
fn pension_workplaces_keep_odd_names_and_leading_digits() {
    let Some((folder, _)) = project() else {
        return;
    };
    let text = cp949("workplaces/nps_workplaces_cp949.csv");
    let lines = text.lines().skip(1).filter(|line| !line.is_empty()).count();
    assert_eq!(
        query_one(folder, "select count(*) from staging.nps_workplace"),
        lines.to_string()
    );
    for name in ["(주))현대개발", "주)대화종합건설"] {
        let found = query_one(
            folder,
            &format!(
                "select count(*) from staging.nps_workplace where strpos(workplace_name, '{name}') > 0"
            ),
        );
        assert_ne!(found, "0", "{name}");
    }
}

#[test]
fn tax_centiles_add_up() {
    let Some((folder, _)) = project() else {
        return;
    };
    let text = cp949("nts/wage_income_centile_2024_cp949.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let persons: i64 = reader
        .records()
        .map(|record| {
            record
                .unwrap()
                .get(1)
                .unwrap()
                .trim()
                .replace(',', "")
                .parse::<i64>()
                .unwrap()
        })
        .sum();
    assert_eq!(
        query_one(
            folder,
            "select cast(sum(persons) as bigint) from staging.nts_wage_centile"
        ),
        persons.to_string()
    );
}

#[test]
fn workplaces_keep_the_leading_zero_of_a_post_code() {
    let Some((folder, _)) = project() else {
        return;
    };
    let parsed: serde_json::Value =
        serde_json::from_slice(&raw("workplaces/kcomwel_workplaces.json")).unwrap();
    let items = parsed
        .pointer("/response/body/items/item")
        .unwrap()
        .as_array()
        .unwrap();
    assert_eq!(
        query_one(folder, "select count(*) from staging.kcomwel_workplace"),
        items.len().to_string()
    );
    let with_zero = items
        .iter()
        .filter(|item| {
            item["post"]
                .as_str()
                .is_some_and(|post| post.starts_with('0'))
        })
        .count();
    assert_eq!(
        query_one(
            folder,
            "select count(*) from staging.kcomwel_workplace where starts_with(post_code, '0')"
        ),
        with_zero.to_string()
    );
}

#[test]
fn steps_and_files_arrive_with_their_recruitment_notice() {
    let Some((folder, rows)) = project() else {
        return;
    };
    let joined = "select count(*) from staging.alio_recruitment_detail d \
        join staging.alio_recruitment_step s on s.posting_no = d.posting_no \
        join staging.alio_recruitment_file f on f.posting_no = d.posting_no";
    assert_eq!(query_one(folder, joined), "1");
    let of_detail = rows
        .iter()
        .filter(|row| row[0] == "recruitment_detail.json")
        .count();
    assert_eq!(of_detail, 3);
    let unbalanced = "select count(*) from ops.deliveries \
        where rows_delivered <> rows_accepted + rows_quarantined + rows_rejected";
    assert_eq!(query_one(folder, unbalanced), "0");
}

#[test]
fn vacancies_with_missing_tags_are_kept() {
    let Some((folder, _)) = project() else {
        return;
    };
    let text = String::from_utf8(raw("work24/wanted_list.xml")).unwrap();
    assert_eq!(
        query_one(folder, "select count(*) from staging.work24_vacancy"),
        text.matches("<wanted>").count().to_string()
    );
}

#[test]
fn the_open_data_page_shows_the_real_figures() {
    let Some((folder, _)) = project() else {
        return;
    };
    let text = String::from_utf8(raw("eis/opib_insured.xml")).unwrap();
    let insured = sum_of_tag(&text, "prtyIpnb");
    assert!(insured > 0);
    for language in ["ko", "en"] {
        let page = folder
            .join("warehouse/site")
            .join(language)
            .join("reports/open-data/index.html");
        let html = std::fs::read_to_string(&page).unwrap();
        assert!(html.contains("국가데이터 공개자료") || language == "en");
        assert!(html.contains("<table"), "{}", page.display());
    }
}

#[test]
fn the_same_files_again_change_nothing() {
    let Some((folder, _)) = project() else {
        return;
    };
    let count = "select count(*) from staging.eis_insured";
    let before = query_one(folder, count);
    goyong(&[
        "--dir",
        folder.to_str().unwrap(),
        "ingest",
        open_data().unwrap().to_str().unwrap(),
    ]);
    goyong_ok(&["--dir", folder.to_str().unwrap(), "night"]);
    assert_eq!(query_one(folder, count), before);
}
