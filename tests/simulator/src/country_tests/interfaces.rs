//! What interfaces answer agrees with what the registers say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use goyong_types::BusinessNumber;
use serde_json::Value;

use super::{country, documents, files, items, rows};

/// Contracts of data that others publish: code lists, statistics, research data. Real files of
/// them exist, the country has none. And records inside the files of another contract.
const PUBLISHED: [&str; 32] = [
    "admin_dong",
    "benefit_take_up",
    "dblp_acm_match",
    "dblp_acm_record",
    "eis_benefits",
    "eis_insured",
    "eis_jobseekers",
    "fake_person",
    "fake_person_label",
    "febrl",
    "gazette_holiday",
    "holiday_list",
    "job_corps",
    "jobless_spell",
    "keco_middle_code",
    "keco_top_code",
    "keis_major_job",
    "keis_wage",
    "know_job",
    "kosis_career_break",
    "kosis_series",
    "ksic_code",
    "minimum_wage_kostat",
    "nts_wage_centile",
    "resume_callback",
    "sido_code",
    "sigungu_code",
    "vehicle_claim",
    "alio_posting_file",
    "alio_posting_step",
    "alio_recruitment_file",
    "alio_recruitment_step",
];

/// Files of a source, without manifests.
fn deliveries(source: &str) -> Vec<std::path::PathBuf> {
    let folder = country().folder.join("landing").join(source);
    let mut files = files(&folder);
    files.retain(|path| !path.to_string_lossy().ends_with(".manifest.json"));
    files
}

/// Elements of a record, by name, in order.
fn elements(record: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in record.split('<').filter(|part| !part.starts_with('/')) {
        if let Some((name, value)) = part.split_once('>') {
            found.entry(name.to_owned()).or_insert(value.to_owned());
        }
    }
    found
}

/// The records of all XML deliveries of a source, one a line, with the name of their file.
pub(super) fn records(source: &str, open: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found = Vec::new();
    for path in deliveries(source) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(open));
        found.extend(lines.map(|line| (file.clone(), elements(line))));
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_contract_but_published_data_is_delivered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/sources");
    let mut missing = BTreeSet::new();
    for contract in files(&folder) {
        let source = contract.file_stem().unwrap().to_string_lossy().into_owned();
        if deliveries_exist(&source) || PUBLISHED.contains(&source.as_str()) {
            continue;
        }
        missing.insert(source);
    }
    assert!(missing.is_empty(), "nothing is delivered for {missing:?}");
}

fn deliveries_exist(source: &str) -> bool {
    country().folder.join("landing").join(source).exists() && !deliveries(source).is_empty()
}

#[test]
fn listed_vacancies_are_the_services_with_the_same_employer_pay_and_dates() {
    let mut registered: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (_, vacancy) in records("wn_vacancy", "<wanted>") {
        registered.insert(vacancy["wantedAuthNo"].clone(), vacancy);
    }
    let listed = records("work24_vacancy", "<wanted>");
    assert!(listed.len() > 8_000, "{} listed", listed.len());
    for (file, row) in &listed {
        let vacancy = &registered[&row["wantedAuthNo"]];
        assert_eq!(row["busino"], vacancy["bizplaceNo"][..10], "{row:?}");
        assert_eq!(row["minSal"], vacancy["minSal"]);
        assert_eq!(row["maxSal"], vacancy["maxSal"]);
        assert!(row["jobsCd"].starts_with(&vacancy["jobsCd"]));
        assert_eq!(row["regDt"].replace('-', ""), vacancy["regDt"][2..]);
        let closes = row["closeDt"].rsplit(' ').next().unwrap().replace('-', "");
        assert!(closes == "채용시까지" || closes == vacancy["closeDt"][2..]);
        assert!(row["title"].ends_with(&vacancy["title"]));
        // Open on the last day of the month of the list.
        let month = file.split('_').nth(2).unwrap();
        assert!(vacancy["regDt"][..6] <= *month && vacancy["closeDt"][..6] >= *month);
        if let Some(filled) = vacancy.get("fillDt") {
            assert!(filled[..6] > *month, "{row:?} was filled on {filled}");
        }
    }
    let shown = |name: &str| {
        listed
            .iter()
            .filter(|(_, row)| row.contains_key(name))
            .count()
    };
    assert!(shown("smodifyDtm") < listed.len() && shown("smodifyDtm") > listed.len() / 2);
}

#[test]
fn documents_of_vacancies_belong_to_rows_of_the_same_list() {
    let listed: BTreeSet<(String, String)> = records("work24_vacancy", "<wanted>")
        .into_iter()
        .map(|(file, row)| {
            let month = file.split('_').nth(2).unwrap().to_owned();
            (month, row["wantedAuthNo"].clone())
        })
        .collect();
    let mut seen = BTreeSet::new();
    for archive in deliveries("work24_vacancy_detail") {
        let name = archive.file_name().unwrap().to_string_lossy().into_owned();
        let month = name.split('_').nth(3).unwrap().to_owned();
        for document in documents(&archive) {
            let number = elements(&document)["wantedAuthNo"].clone();
            assert!(
                listed.contains(&(month.clone(), number.clone())),
                "{number}"
            );
            assert!(seen.insert(number), "a document comes once");
        }
    }
    let vacancies: BTreeSet<&String> = listed.iter().map(|(_, number)| number).collect();
    assert_eq!(seen.len(), vacancies.len());
}

#[test]
fn listed_courses_are_those_of_the_trainees() {
    let courses: BTreeMap<String, Vec<String>> = rows(country(), "hrd_course")
        .into_iter()
        .map(|row| (row[0].clone(), row))
        .collect();
    let attended: BTreeSet<String> = rows(country(), "hrd_enrolment")
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    let listed = records("hrdnet_course", "<scn_list>");
    assert_eq!(listed.len(), courses.len());
    let mut with_trainees = 0;
    for (_, row) in &listed {
        let course = &courses[&row["trprId"]];
        assert_eq!(row["courseMan"], course[4]);
        assert_eq!(row["trngAreaCd"], course[5]);
        assert_eq!(row["traStartDate"].replace('-', ""), course[7]);
        assert_eq!(row["traEndDate"].replace('-', ""), course[8]);
        with_trainees += usize::from(attended.contains(&row["trprId"]));
    }
    // Courses at the end go on after the last delivery.
    assert!(with_trainees * 100 > listed.len() * 70, "{with_trainees}");
}

#[test]
fn business_status_follows_openings_and_closings() {
    let mut closings: BTreeMap<String, String> = BTreeMap::new();
    for row in rows(country(), "ei_workplace") {
        closings.insert(row[1].clone(), row[7].clone());
    }
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut latest: BTreeMap<String, Value> = BTreeMap::new();
    for answer in items("nts_business_status") {
        *states.entry(text(&answer["b_stt_cd"])).or_default() += 1;
        let number = text(&answer["b_no"]);
        let parsed = BusinessNumber::parse(number.as_bytes()).unwrap();
        let is_registered = answer["b_stt_cd"] != "";
        assert_eq!(parsed.check_digit_is_right(), is_registered, "{number}");
        assert_eq!(
            answer["end_dt"] != "",
            answer["b_stt_cd"] == "03",
            "{number}"
        );
        latest.insert(number, answer);
    }
    assert_eq!(
        states.keys().map(String::as_str).collect::<Vec<_>>(),
        ["", "01", "02", "03"]
    );
    let mut closed = 0;
    for (number, closing) in closings {
        let Some(answer) = latest.get(&number) else {
            continue;
        };
        if answer["b_stt_cd"] == "03" {
            assert_eq!(text(&answer["end_dt"]), closing, "{number}");
            closed += 1;
        }
        if closing.is_empty() {
            assert_eq!(answer["b_stt_cd"], "01", "{number}");
        }
    }
    assert!(closed > 300, "{closed} closed");
}

#[test]
fn the_interface_tells_of_the_notices_of_the_monthly_lists_and_of_newer_ones() {
    let monthly: BTreeMap<i64, Value> = items("alio_posting")
        .into_iter()
        .map(|item| (item["recrutPblntSn"].as_i64().unwrap(), item))
        .collect();
    let listed = items("alio_recruitment");
    let last = monthly.keys().next_back().unwrap();
    let mut newer = 0;
    for row in &listed {
        let number = row["recrutPblntSn"].as_i64().unwrap();
        match monthly.get(&number) {
            Some(notice) => {
                for name in [
                    "instNm",
                    "ncsCdNmLst",
                    "workRgnNmLst",
                    "recrutNope",
                    "pbancEndYmd",
                ] {
                    assert_eq!(row[name], notice[name], "{number}");
                }
            }
            None => {
                assert!(number > *last);
                newer += 1;
            }
        }
    }
    assert!(newer > 100, "{newer} newer notices");
    // Open at first, closed when it is listed again.
    assert!(listed.iter().any(|row| row["ongoingYn"] == "Y"));
    let numbers: BTreeSet<i64> = listed
        .iter()
        .map(|row| row["recrutPblntSn"].as_i64().unwrap())
        .collect();
    assert!(numbers.len() < listed.len());
    for archive in deliveries("alio_recruitment_detail") {
        for document in documents(&archive) {
            let document: Value = serde_json::from_str(&document).unwrap();
            let number = document["steps"][0]["recrutPblntSn"].as_i64().unwrap();
            assert!(numbers.contains(&number));
            for file in document["files"].as_array().unwrap() {
                assert_eq!(file["recrutAtchFileNo"].as_i64().unwrap() / 10, number);
            }
        }
    }
}

#[test]
fn strong_small_firms_and_open_recruitment_are_of_listed_workplaces() {
    let workplaces: BTreeSet<String> = rows(country(), "ei_workplace")
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    let giants = records("work24_small_giant", "<smallGiant>");
    assert!(giants.len() > 20, "{} giants", giants.len());
    assert!(
        giants
            .iter()
            .all(|(_, row)| workplaces.contains(&row["busiNo"]))
    );
    let recruiting = records("work24_open_recruitment", "<dhsOpenEmpInfo>");
    let numbers: BTreeSet<&String> = recruiting.iter().map(|(_, row)| &row["empSeqno"]).collect();
    assert!(recruiting.len() > 20 && numbers.len() == recruiting.len());
}
