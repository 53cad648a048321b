//! Every file of the folder of real extracts loads through its contracts, with its traps reported.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use goyong_catalog::contract::Contract;

use super::tests::Bench;
use super::{ingest_folder, walk};
use crate::delivery::{DeliveryOutcome, DeliveryStatus};

/// How the rows of a file are counted without reading it as its contract does.
enum Rows {
    /// Lines that are not blank, less the header's.
    Lines(usize),
    /// The same, each line as many rows.
    WideLines(usize, usize),
    /// Opening tags.
    Tags(&'static str),
    /// Elements of a JSON document, found by its own parser.
    Json(fn(&serde_json::Value) -> usize),
    /// Members of a gzip file, by lines without the header.
    GzipLines,
    /// A count that the folder's description states.
    Stated(u64),
    /// The delivery is refused before a row is read.
    Refused,
}

use Rows::{GzipLines, Json, Lines, Refused, Stated, Tags, WideLines};

/// File, source, rows, and words that the notices or the reason must hold, in any order. Files
/// without words have no notice.
const EXPECTED: &[(&str, &str, Rows, &[&str])] = &[
    (
        "alio/recruitment_detail.json",
        "alio_recruitment_detail",
        Stated(1),
        &[],
    ),
    (
        "alio/recruitment_detail.json",
        "alio_recruitment_step",
        Json(|json| length(json, "/steps")),
        &[],
    ),
    (
        "alio/recruitment_detail.json",
        "alio_recruitment_file",
        Json(|json| length(json, "/files")),
        &[],
    ),
    (
        "alio/recruitment_list.json",
        "alio_recruitment",
        Json(|json| length(json, "/result")),
        &["1 of 110693 delivered"],
    ),
    ("calendar/2024.csv", "gazette_holiday", Lines(1), &[]),
    ("calendar/2025.csv", "gazette_holiday", Lines(1), &[]),
    ("calendar/2026.csv", "gazette_holiday", Lines(1), &[]),
    ("calendar/2027.csv", "gazette_holiday", Lines(1), &[]),
    ("calendar/basic.json", "holiday_list", Json(holidays), &[]),
    ("codes/KSIC_09.csv.gz", "ksic_code", GzipLines, &[]),
    ("codes/KSIC_10.csv.gz", "ksic_code", GzipLines, &[]),
    (
        "codes/hdong.json",
        "admin_dong",
        Json(|json| json["행정동코드"].as_object().unwrap().len()),
        &["NaN, which is no JSON"],
    ),
    (
        "codes/keco_level_middle.csv",
        "keco_middle_code",
        Lines(1),
        &[],
    ),
    ("codes/keco_level_top.csv", "keco_top_code", Lines(1), &[]),
    ("codes/sido.csv", "sido_code", Lines(1), &[]),
    ("codes/sigungu.csv", "sigungu_code", Lines(1), &[]),
    (
        "eis/error_display.xml",
        "eis_insured",
        Refused,
        &["페이지 당 출력 건수"],
    ),
    (
        "eis/opia_jobseekers.xml",
        "eis_jobseekers",
        Tags("rqst"),
        &["declares EUC-KR"],
    ),
    (
        "eis/opib_insured.xml",
        "eis_insured",
        Tags("rqst"),
        &[
            "declares EUC-KR",
            "page 2 of 2 is missing: 20 of 30 delivered",
        ],
    ),
    (
        "eis/opic_benefits.xml",
        "eis_benefits",
        Tags("rqst"),
        &["declares EUC-KR"],
    ),
    (
        "fraud/vehicle_claims.csv",
        "vehicle_claim",
        Lines(1),
        &["`Days_Policy_Claim (2)`"],
    ),
    (
        "jaffle_shop/raw_customers.csv",
        "jaffle_customer",
        Lines(1),
        &[],
    ),
    ("jaffle_shop/raw_orders.csv", "jaffle_order", Lines(1), &[]),
    (
        "jaffle_shop/raw_payments.csv",
        "jaffle_payment",
        Lines(1),
        &[],
    ),
    (
        "keis/know_job_subclass_cp949.csv",
        "know_job",
        Lines(1),
        &[],
    ),
    (
        "keis/top_jobs_by_major_cp949.csv",
        "keis_major_job",
        Lines(1),
        &[],
    ),
    (
        "keis/wage_statistics_career_cp949.csv",
        "keis_wage",
        WideLines(1, 6),
        &["trailing delimiter"],
    ),
    (
        "kostat/career_break_women_by_sido.csv",
        "kosis_career_break",
        WideLines(2, 33),
        &[],
    ),
    (
        "kostat/minimum_wage.xlsx",
        "minimum_wage_kostat",
        Stated(24),
        &[],
    ),
    (
        "kostat/value_DT_1B8000G_births_202404_202504.json",
        "kosis_series",
        Json(|json| length(json, "/response")),
        &[],
    ),
    (
        "kostat/value_DT_1J22112_B01A01402_202405_202505.json",
        "kosis_series",
        Json(|json| length(json, "/response")),
        &[],
    ),
    ("linkage/D4_acm.csv", "dblp_acm_record", Lines(1), &[]),
    ("linkage/D4_dblp.csv", "dblp_acm_record", Lines(1), &[]),
    ("linkage/D4_gt.csv", "dblp_acm_match", Stated(2224), &[]),
    ("linkage/fake_1000.csv", "fake_person", Stated(1000), &[]),
    (
        "linkage/fake_1000_labels.csv",
        "fake_person_label",
        Stated(3176),
        &[],
    ),
    ("linkage/febrl_1.csv", "febrl", Stated(1000), &[]),
    ("linkage/febrl_2.csv", "febrl", Lines(1), &[]),
    ("linkage/febrl_3.csv", "febrl", Lines(1), &[]),
    ("linkage/febrl_4a.csv", "febrl", Lines(1), &[]),
    ("linkage/febrl_4b.csv", "febrl", Lines(1), &[]),
    (
        "nts/business_status.json",
        "nts_business_status",
        Json(|json| length(json, "/data")),
        &[],
    ),
    (
        "nts/wage_income_centile_2024_cp949.csv",
        "nts_wage_centile",
        Lines(1),
        &[],
    ),
    (
        "oddities/duplicate_header_col.csv",
        "oddity_duplicate_header",
        Lines(1),
        &["`a (2)`"],
    ),
    (
        "oddities/empty_header.csv",
        "oddity_empty_header",
        Lines(1),
        &["`column 1`, `column 2`, `column 3`"],
    ),
    (
        "oddities/leading_space_numerics.csv",
        "oddity_leading_space",
        Lines(0),
        &[],
    ),
    (
        "oddities/missing_many_col.csv",
        "oddity_many_columns",
        Lines(1),
        &["`column 13`", "`column 4` is not in the contract"],
    ),
    (
        "oddities/multi_column_string_mix_r_n.csv",
        "oddity_mixed_newlines",
        Stated(9),
        &[],
    ),
    (
        "oddities/quote_escape.csv",
        "oddity_quote_escape",
        Lines(0),
        &[],
    ),
    (
        "oddities/utf8bom.csv",
        "oddity_byte_order_mark",
        Lines(1),
        &[],
    ),
    (
        "oddities/varchar_multi_line.csv",
        "oddity_text_columns",
        Lines(0),
        &[],
    ),
    (
        "outcomes/Benefits.csv",
        "benefit_take_up",
        Stated(4877),
        &[],
    ),
    ("outcomes/job_corps.csv", "job_corps", Stated(9240), &[]),
    ("outcomes/jobless.csv", "jobless_spell", Stated(3343), &[]),
    ("outcomes/resume.csv", "resume_callback", Stated(4870), &[]),
    (
        "work24/go24_error_member.xml",
        "work24_vacancy",
        Refused,
        &["개인회원"],
    ),
    (
        "work24/go24_error_service.xml",
        "work24_vacancy",
        Refused,
        &["서비스가 존재하지"],
    ),
    (
        "work24/hrdnet_list.xml",
        "hrdnet_course",
        Tags("scn_list"),
        &[],
    ),
    (
        "work24/open_recruit_list.xml",
        "work24_open_recruitment",
        Tags("dhsOpenEmpInfo"),
        &[],
    ),
    (
        "work24/small_giants_list.xml",
        "work24_small_giant",
        Tags("smallGiant"),
        &[],
    ),
    (
        "work24/wanted_detail.xml",
        "work24_vacancy_detail",
        Tags("wantedDtl"),
        &["reperNm"],
    ),
    (
        "work24/wanted_empty_006.xml",
        "work24_vacancy",
        Stated(0),
        &[],
    ),
    (
        "work24/wanted_error_002.xml",
        "work24_vacancy",
        Refused,
        &["code 002"],
    ),
    (
        "work24/wanted_error_018.xml",
        "work24_vacancy",
        Refused,
        &["code 018"],
    ),
    (
        "work24/wanted_list.xml",
        "work24_vacancy",
        Tags("wanted"),
        &[],
    ),
    (
        "workplaces/kcomwel_workplaces.json",
        "kcomwel_workplace",
        Json(|json| length(json, "/response/body/items/item")),
        &["5 of 6464692 delivered"],
    ),
    (
        "workplaces/nps_workplaces_cp949.csv",
        "nps_workplace",
        Lines(1),
        &[],
    ),
];

/// Files that hold no data.
const NO_DATA: [&str; 2] = ["README.md", "calendar/LICENSE"];

fn length(json: &serde_json::Value, pointer: &str) -> usize {
    json.pointer(pointer).unwrap().as_array().unwrap().len()
}

fn holidays(json: &serde_json::Value) -> usize {
    let years = json.as_object().unwrap().values();
    years
        .flat_map(|days| days.as_object().unwrap().values())
        .map(|names| names.as_array().unwrap().len())
        .sum()
}

fn lines(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .count()
}

impl Rows {
    fn count(&self, bytes: &[u8]) -> u64 {
        let count = match self {
            Lines(header) => lines(bytes) - header,
            WideLines(header, width) => (lines(bytes) - header) * width,
            Tags(tag) => memchr::memmem::find_iter(bytes, &format!("<{tag}>")).count(),
            Json(count) => {
                let text = std::str::from_utf8(bytes).unwrap().replace("NaN", "null");
                count(&serde_json::from_str(&text).unwrap())
            }
            GzipLines => {
                let mut text = Vec::new();
                let mut expanded = flate2::read::MultiGzDecoder::new(bytes);
                std::io::Read::read_to_end(&mut expanded, &mut text).unwrap();
                lines(&text) - 1
            }
            Stated(rows) => return *rows,
            Refused => 0,
        };
        count as u64
    }
}

/// Contracts of the product and of the tests' curiosities.
fn contracts() -> BTreeMap<String, Contract> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut contracts = BTreeMap::new();
    for folder in ["sql/sources", "tests/data/contracts"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let contract = Contract::parse(&text, path.to_str().unwrap())
                .unwrap_or_else(|error| panic!("{error}"));
            contracts.insert(contract.source.clone(), contract);
        }
    }
    contracts
}

fn shared_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("GOYONG_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return None;
    }
    Some(fs::canonicalize(folder).unwrap())
}

#[tokio::test]
async fn every_real_file_is_loaded_by_its_contracts_with_its_traps_reported() {
    let Some(folder) = shared_folder() else {
        return;
    };
    let mut bench = Bench::new().await;
    bench.context.contracts = contracts();
    bench.context.known_on = "2026-11-01".parse().unwrap();
    bench.context.limits.part_bytes = 1 << 20;
    let summary = ingest_folder(&bench.context, &folder, &mut |_| {})
        .await
        .unwrap();
    let relative = |path: &Path| {
        let path = path.strip_prefix(&folder).unwrap();
        path.to_string_lossy().into_owned()
    };
    let mut unknown: Vec<String> = summary.unknown.iter().map(|path| relative(path)).collect();
    unknown.sort();
    assert_eq!(unknown, NO_DATA);
    let mut files = Vec::new();
    walk(&folder, &mut files, 0).unwrap();
    let on_disk: BTreeSet<String> = files.iter().map(|path| relative(path)).collect();
    let named: BTreeSet<String> = EXPECTED
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .chain(NO_DATA.map(str::to_owned))
        .collect();
    assert_eq!(on_disk, named, "the table of this test names every file");
    let mut outcomes: BTreeMap<(String, String), DeliveryOutcome> = BTreeMap::new();
    for outcome in summary.outcomes {
        let key = (outcome.file_name.clone(), outcome.source.clone());
        assert!(outcomes.insert(key, outcome).is_none());
    }
    let mut wrong = Vec::new();
    for (path, source, rows, words) in EXPECTED {
        let name = path.rsplit('/').next().unwrap().to_owned();
        match outcomes.remove(&(name, (*source).to_owned())) {
            Some(outcome) => {
                let bytes = fs::read(folder.join(path)).unwrap();
                wrong.extend(fault(&outcome, &bytes, rows, words));
            }
            None => wrong.push(format!("{path} was not loaded as {source}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(outcomes.is_empty(), "loaded beside the table: {outcomes:?}");
    assert_eq!(
        bench
            .texts("staging.alio_recruitment_file", "posting_no")
            .await,
        bench
            .texts("staging.alio_recruitment_step", "posting_no")
            .await
    );
}

/// What an outcome has otherwise than its file says.
fn fault(outcome: &DeliveryOutcome, bytes: &[u8], rows: &Rows, words: &[&str]) -> Option<String> {
    let expected = rows.count(bytes);
    let balance = [
        outcome.rows_delivered,
        outcome.rows_accepted,
        outcome.rows_quarantined,
        outcome.rows_rejected,
    ];
    let said: Vec<&String> = outcome.notices.iter().chain(&outcome.reason).collect();
    let status = match rows {
        Refused => DeliveryStatus::Refused,
        _ => DeliveryStatus::Accepted,
    };
    let flagged = match outcome.source.as_str() {
        "vehicle_claim" => flagged_claims(bytes),
        _ => 0,
    };
    let is_reported = words
        .iter()
        .all(|word| said.iter().any(|text| text.contains(word)));
    let is_right = outcome.status == status
        && balance == [expected, expected, 0, 0]
        && outcome.rows_flagged == flagged
        && said.is_empty() == words.is_empty()
        && is_reported;
    (!is_right).then(|| {
        format!(
            "{} as {}: {} {balance:?}, {} flagged, {said:?}; the file has {expected} rows, {flagged} to flag, and {words:?} to report",
            outcome.file_name, outcome.source, outcome.status, outcome.rows_flagged
        )
    })
}

/// An age, weekday or month of 0 is no value.
fn flagged_claims(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    let records = text.lines().skip(1).map(|line| line.split(','));
    let flagged = records.filter(|fields| {
        let mut flags = fields.clone().enumerate();
        flags.any(|(field, value)| [5, 6, 10].contains(&field) && value == "0")
    });
    flagged.count() as u64
}
