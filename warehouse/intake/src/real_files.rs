//! Files that nobody here wrote: what a contract makes of them against what the bytes say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::path::{Path, PathBuf};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use goyong_catalog::contract::Contract;

use crate::chunks::ReadLimits;
use crate::error::Refusal;
use crate::plan::Plan;
use crate::testing::{Outcome, context, limits, read_path};

/// The folder of shared data, `None` with a visible notice when it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("GOYONG_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let file = folder.join(path);
    if !file.exists() {
        eprintln!("SKIPPED: {} is absent", file.display());
        return None;
    }
    Some(file)
}

fn read(source: &str, path: &Path) -> Result<Outcome, Refusal> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../sql/sources/{source}.yml"));
    let yaml = std::fs::read_to_string(&file).unwrap();
    let contract =
        Contract::parse(&yaml, file.to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let name = path.file_name().unwrap().to_str().unwrap();
    let plan = Plan::new(&contract).unwrap().for_file(name);
    let (_folder, _keys, context) = context();
    let limits = ReadLimits {
        record_bytes: 64 << 20,
        ..limits(2, 50_000)
    };
    read_path(&plan, path, &context, limits)
}

/// Everything is accepted; the notices hold the expected words.
pub(crate) fn read_clean(source: &str, path: &str, notices: &[&str]) -> Option<(Outcome, Vec<u8>)> {
    let path = shared(path)?;
    let outcome = read(source, &path).unwrap_or_else(|refusal| panic!("{source}: {refusal}"));
    assert!(
        outcome.quarantined.is_empty(),
        "{source}: {:?}",
        outcome.quarantined
    );
    assert_eq!(
        outcome.notices.len(),
        notices.len(),
        "{:?}",
        outcome.notices
    );
    for (notice, expected) in outcome.notices.iter().zip(notices) {
        assert!(notice.contains(expected), "{notice} lacks {expected}");
    }
    let bytes = std::fs::read(path).unwrap();
    Some((outcome, bytes))
}

pub(crate) fn sum_of(outcome: &Outcome, column: &str) -> i128 {
    let mut sum = 0;
    for batch in &outcome.batches {
        let array = batch.column_by_name(column).unwrap();
        sum += match array.data_type() {
            arrow_schema::DataType::Decimal128(..) => array
                .as_primitive::<Decimal128Type>()
                .iter()
                .flatten()
                .sum::<i128>(),
            arrow_schema::DataType::Int32 => array
                .as_primitive::<arrow_array::types::Int32Type>()
                .iter()
                .flatten()
                .map(i128::from)
                .sum(),
            _ => array
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .map(i128::from)
                .sum(),
        };
    }
    sum
}

/// Texts between `<tag>` and `</tag>`, found in the bytes.
fn tags(bytes: &[u8], tag: &str) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    text.split(&open)
        .skip(1)
        .map(|rest| rest.split(&close).next().unwrap().to_owned())
        .collect()
}

fn tag_sum(bytes: &[u8], tag: &str) -> i128 {
    tags(bytes, tag)
        .iter()
        .map(|text| text.parse::<i128>().unwrap())
        .sum()
}

fn cp949(bytes: &[u8]) -> String {
    let (text, _, had_errors) = encoding_rs::EUC_KR.decode(bytes);
    assert!(!had_errors);
    text.into_owned()
}

#[test]
fn eis_insured_keeps_all_rows_and_reports_the_missing_page() {
    let notices = ["declares EUC-KR", "20 of 30 delivered"];
    let Some((outcome, bytes)) = read_clean("eis_insured", "eis/opib_insured.xml", &notices) else {
        return;
    };
    assert_eq!(outcome.accepted(), tags(&bytes, "rqst").len());
    assert_eq!(outcome.accepted(), 20);
    assert_eq!(
        sum_of(&outcome, "insured_persons"),
        tag_sum(&bytes, "prtyIpnb")
    );
    assert_eq!(
        sum_of(&outcome, "acquired_persons"),
        tag_sum(&bytes, "prtyAcqsNmpr")
    );
    assert_eq!(
        sum_of(&outcome, "lost_persons"),
        tag_sum(&bytes, "prtyFrftNmpr")
    );
    assert!(
        outcome
            .csv(&["month", "sigungu_name", "age_name"])
            .starts_with("2024-01-01,서울특별시 종로구,17세 이하;")
    );
}

#[test]
fn other_eis_answers_are_read() {
    if let Some((outcome, bytes)) = read_clean(
        "eis_jobseekers",
        "eis/opia_jobseekers.xml",
        &["declares EUC-KR"],
    ) {
        assert_eq!(outcome.accepted(), tags(&bytes, "rqst").len());
        assert_eq!(
            sum_of(&outcome, "new_seekers"),
            tag_sum(&bytes, "newJhntNmpr")
        );
        assert_eq!(sum_of(&outcome, "placements"), tag_sum(&bytes, "empmCt"));
    }
    if let Some((outcome, bytes)) = read_clean(
        "eis_benefits",
        "eis/opic_benefits.xml",
        &["declares EUC-KR"],
    ) {
        assert_eq!(sum_of(&outcome, "paid_won"), tag_sum(&bytes, "uepsPmam"));
        assert_eq!(outcome.control[0].accepted, 3_632_500);
    }
}

#[test]
fn error_answers_are_errors_and_the_empty_answer_is_empty() {
    let cases = [
        (
            "eis_insured",
            "eis/error_display.xml",
            "페이지 당 출력 건수",
        ),
        ("work24_vacancy", "work24/go24_error_member.xml", "개인회원"),
        (
            "work24_vacancy",
            "work24/go24_error_service.xml",
            "서비스가 존재하지",
        ),
        ("work24_vacancy", "work24/wanted_error_002.xml", "code 002"),
        ("work24_vacancy", "work24/wanted_error_018.xml", "code 018"),
    ];
    for (source, path, expected) in cases {
        let Some(path) = shared(path) else { return };
        let refusal = read(source, &path).unwrap_err();
        assert_eq!(refusal.rule.as_str(), "error_answer", "{refusal}");
        assert!(refusal.message.contains(expected), "{refusal}");
    }
    let Some((outcome, _)) = read_clean("work24_vacancy", "work24/wanted_empty_006.xml", &[])
    else {
        return;
    };
    assert_eq!(outcome.delivered, 0);
}

#[test]
fn work24_lists_are_read() {
    if let Some((outcome, bytes)) = read_clean("work24_vacancy", "work24/wanted_list.xml", &[]) {
        assert_eq!(outcome.accepted(), 2);
        assert_eq!(sum_of(&outcome, "min_wage_won"), tag_sum(&bytes, "minSal"));
        assert_eq!(sum_of(&outcome, "max_wage_won"), tag_sum(&bytes, "maxSal"));
        assert_eq!(
            outcome.csv(&[
                "opened_on",
                "closes_on",
                "closes_when_filled",
                "max_wage_won"
            ]),
            "2026-10-01,2026-11-30,채용시까지,;2026-09-17,2026-10-31,,3500000"
        );
    }
    let notice = ["reperNm"];
    if let Some((outcome, _)) =
        read_clean("work24_vacancy_detail", "work24/wanted_detail.xml", &notice)
    {
        assert_eq!(
            outcome.csv(&[
                "headcount",
                "capital_million_won",
                "occupation_code",
                "openings"
            ]),
            "25,453,155500,1"
        );
    }
    if let Some((outcome, _)) = read_clean("hrdnet_course", "work24/hrdnet_list.xml", &[]) {
        assert_eq!(
            outcome.csv(&["course_no", "fee_won", "ends_on"]),
            "AIG20250000524076,880000,2027-01-10"
        );
    }
    if let Some((outcome, _)) = read_clean(
        "work24_open_recruitment",
        "work24/open_recruit_list.xml",
        &[],
    ) {
        assert_eq!(
            outcome.csv(&["recruitment_no", "opens_on"]),
            "177320,2026-09-07"
        );
    }
    if let Some((outcome, _)) =
        read_clean("work24_small_giant", "work24/small_giants_list.xml", &[])
    {
        assert_eq!(outcome.csv(&["biz_no"]), "3038515748");
    }
}

#[test]
fn workplaces_are_read() {
    let notice = ["5 of 6464692 delivered"];
    if let Some((outcome, bytes)) = read_clean(
        "kcomwel_workplace",
        "workplaces/kcomwel_workplaces.json",
        &notice,
    ) {
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let items = json["response"]["body"]["items"]["item"]
            .as_array()
            .unwrap();
        let insured: i64 = items
            .iter()
            .map(|item| item["sangsiInwonCnt"].as_i64().unwrap())
            .sum();
        assert_eq!(outcome.accepted(), items.len());
        assert_eq!(sum_of(&outcome, "insured_persons"), i128::from(insured));
        assert_eq!(outcome.csv(&["post_code"]), "22786;04553;55801;41239;52939");
    }
    if let Some((outcome, bytes)) =
        read_clean("nps_workplace", "workplaces/nps_workplaces_cp949.csv", &[])
    {
        let text = cp949(&bytes);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect())
            .collect();
        assert_eq!(outcome.accepted(), rows.len());
        assert_eq!(rows.len(), 34);
        let members: i128 = rows
            .iter()
            .map(|row| row[13].parse::<i128>().unwrap())
            .sum();
        assert_eq!(sum_of(&outcome, "members"), members);
        let names = outcome.csv(&["workplace_name"]);
        for name in ["(주))현대개발", "주)대화종합건설"] {
            assert!(names.contains(name));
        }
        assert!(
            outcome
                .csv(&["tax_industry_name"])
                .contains("BIZ_NO미존재사업장")
        );
    }
}

#[test]
fn tax_office_files_are_read() {
    if let Some((outcome, _)) = read_clean("nts_business_status", "nts/business_status.json", &[]) {
        assert_eq!(outcome.accepted(), 4);
        assert_eq!(
            outcome.csv(&["biz_no", "status_code"]),
            "1248100998,01;1018109147,01;1208147521,01;0000000000,"
        );
        assert!(outcome.flags.is_empty());
    }
    if let Some((outcome, bytes)) = read_clean(
        "nts_wage_centile",
        "nts/wage_income_centile_2024_cp949.csv",
        &[],
    ) {
        let text = cp949(&bytes);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect())
            .collect();
        assert_eq!(outcome.accepted(), rows.len());
        for (column, index) in [
            ("persons", 1),
            ("gross_pay_100m_won", 2),
            ("tax_100m_won", 6),
        ] {
            let sum: i128 = rows
                .iter()
                .map(|row| row[index].parse::<i128>().unwrap())
                .sum();
            assert_eq!(sum_of(&outcome, column), sum, "{column}");
        }
        assert!(
            outcome
                .csv(&["label", "top_percent"])
                .ends_with("상위 99%,99.0;상위 100%,100.0")
        );
    }
}

#[test]
fn keis_years_become_rows_and_the_phantom_column_is_reported() {
    let notices = ["trailing delimiter"];
    let Some((outcome, bytes)) = read_clean(
        "keis_wage",
        "keis/wage_statistics_career_cp949.csv",
        &notices,
    ) else {
        return;
    };
    let text = cp949(&bytes);
    let mut tenths = 0i128;
    let mut filled = 0;
    let mut rows = 0;
    for line in text.lines().skip(1) {
        rows += 1;
        let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        for field in &quoted[quoted.len() - 6..] {
            if field.is_empty() || *field == "-" {
                continue;
            }
            filled += 1;
            let (whole, fraction) = field.split_once('.').unwrap_or((field, "0"));
            tenths += whole.parse::<i128>().unwrap() * 10 + fraction.parse::<i128>().unwrap();
        }
    }
    assert_eq!(rows, 20_664);
    assert_eq!(outcome.records, 20_664);
    assert_eq!(outcome.accepted(), 20_664 * 6);
    assert_eq!(sum_of(&outcome, "amount"), tenths);
    let nulls: usize = outcome
        .batches
        .iter()
        .map(|batch| batch.column_by_name("amount").unwrap().null_count())
        .sum();
    assert_eq!(outcome.accepted() - nulls, filled);
}

#[test]
fn occupation_lists_are_read() {
    if let Some((outcome, bytes)) = read_clean("know_job", "keis/know_job_subclass_cp949.csv", &[])
    {
        assert_eq!(outcome.accepted(), cp949(&bytes).lines().count() - 1);
        assert_eq!(outcome.accepted(), 537);
        assert!(
            outcome
                .csv(&["major", "sub_unit", "occupation_name"])
                .starts_with("0,2,속기사;")
        );
    }
    if let Some((outcome, bytes)) =
        read_clean("keis_major_job", "keis/top_jobs_by_major_cp949.csv", &[])
    {
        assert_eq!(outcome.accepted(), cp949(&bytes).lines().count() - 1);
    }
}

#[test]
fn public_recruitment_is_read() {
    let notice = ["1 of 110693 delivered"];
    if let Some((outcome, _)) =
        read_clean("alio_recruitment", "alio/recruitment_list.json", &notice)
    {
        assert_eq!(
            outcome.csv(&["posting_no", "openings", "opens_on", "is_open"]),
            "301389,4,2026-06-05,true"
        );
    }
    if let Some((outcome, _)) =
        read_clean("alio_recruitment_step", "alio/recruitment_detail.json", &[])
    {
        assert_eq!(outcome.csv(&["step_no", "posting_no"]), "1255842,303953");
    }
    if let Some((outcome, _)) =
        read_clean("alio_recruitment_file", "alio/recruitment_detail.json", &[])
    {
        assert_eq!(outcome.csv(&["file_no", "file_kind"]), "3069638,A");
    }
}

#[test]
fn statistics_are_read() {
    for path in [
        "kostat/value_DT_1B8000G_births_202404_202504.json",
        "kostat/value_DT_1J22112_B01A01402_202405_202505.json",
    ] {
        let Some((outcome, bytes)) = read_clean("kosis_series", path, &[]) else {
            return;
        };
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let rows = json["response"].as_array().unwrap();
        assert_eq!(outcome.accepted(), rows.len());
        let millionths: f64 = rows
            .iter()
            .map(|row| row["DT"].as_str().unwrap().parse::<f64>().unwrap() * 1e6)
            .sum();
        assert_eq!(sum_of(&outcome, "amount"), millionths.round() as i128);
    }
    if let Some((outcome, bytes)) = read_clean(
        "kosis_career_break",
        "kostat/career_break_women_by_sido.csv",
        &[],
    ) {
        let text = String::from_utf8(bytes).unwrap();
        let (mut cells, mut sum) = (0, 0i128);
        for line in text.lines().skip(2) {
            for cell in line.split(',').skip(1) {
                cells += 1;
                sum += cell.parse::<i128>().unwrap_or(0);
            }
        }
        assert_eq!(outcome.accepted(), cells);
        assert_eq!(sum_of(&outcome, "persons_thousand"), sum);
        assert!(outcome
            .csv(&["region", "year", "measure", "persons_thousand"])
            .starts_with("전국,2014,15 - 54세 기혼여성,9733;전국,2014,미취업여성,3957;전국,2014,경력단절여성,2164;"));
    }
    if let Some((outcome, _)) = read_clean("minimum_wage_kostat", "kostat/minimum_wage.xlsx", &[]) {
        let text = outcome.csv(&["year", "hourly_won"]);
        assert!(text.starts_with("2000,1600;2001,1865;") && text.ends_with(";2023,9620"));
        assert_eq!(outcome.accepted(), 24);
    }
}

#[test]
fn febrl_is_read_with_the_name_of_its_file() {
    for (part, rows) in [
        ("1", 1000),
        ("2", 5000),
        ("3", 5000),
        ("4a", 5000),
        ("4b", 5000),
    ] {
        let Some((outcome, bytes)) = read_clean("febrl", &format!("linkage/febrl_{part}.csv"), &[])
        else {
            return;
        };
        let lines = String::from_utf8(bytes).unwrap().lines().count() - 1;
        assert_eq!((outcome.accepted(), lines), (rows, rows));
        let first = outcome.csv(&["dataset", "rec_id"]);
        assert!(first.starts_with(&format!("{part},rec-")), "{part}");
    }
}

#[test]
fn oddities_are_read_or_refused_as_their_contract_says() {
    let cases = [
        ("duplicate_header_col.csv", "", "a,b", Err("`a` twice")),
        ("empty_header.csv", "", "a,b,c", Err("is missing")),
        (
            "leading_space_numerics.csv",
            ", header: false",
            "a:int,b,c",
            Ok("123,TEST3,text1;345,TEST3,text2;567,TEST3,text3"),
        ),
        ("missing_many_col.csv", "", "a", Ok("123;345")),
        (
            "multi_column_string_mix_r_n.csv",
            ", header: false, delimiter: \"|\"",
            "a,b,c,d",
            Ok(
                "1,6370,371,p1;10,214,465,p2;100,2403,160,p3;1000,1564,67,p4;10000,10617,138,p5;100000,430,181,p6;1000000,1904,658,p7;10000000,12845,370,p8;100000000,15519,785,p9",
            ),
        ),
        (
            "quote_escape.csv",
            ", header: false, delimiter: \"|\"",
            "a,b,c",
            Ok("123,TEST6,text1;345,TEST6,text\"2\"text;567,TEST6,text3"),
        ),
        ("utf8bom.csv", "", "id,name", Ok("1,Mark;2,Hannes")),
        (
            "varchar_multi_line.csv",
            ", header: false",
            "a,b,c",
            Ok("Alice,StreetA,TEST5;Bob,StreetB,TEST5"),
        ),
    ];
    for (file, options, columns, expected) in cases {
        let Some(path) = shared(&format!("oddities/{file}")) else {
            return;
        };
        let mut contract = format!("format: {{kind: csv{options}}}\ncolumns:\n");
        let mut names = Vec::new();
        for column in columns.split(',') {
            let (name, kind) = column.split_once(':').unwrap_or((column, "string"));
            names.push(name);
            contract.push_str(&format!("  - {{name: {name}, type: {kind}}}\n"));
        }
        let (_folder, _keys, context) = context();
        let plan = crate::testing::plan(&contract);
        let outcome = read_path(&plan, &path, &context, limits(2, 50_000));
        match (outcome, expected) {
            (Ok(outcome), Ok(rows)) => {
                assert_eq!(outcome.csv(&names), rows, "{file}");
                assert!(
                    outcome.quarantined.is_empty(),
                    "{file}: {:?}",
                    outcome.quarantined
                );
            }
            (Err(refusal), Err(reason)) => {
                assert!(refusal.message.contains(reason), "{file}: {refusal}");
            }
            (outcome, expected) => panic!("{file}: {outcome:?} instead of {expected:?}"),
        }
    }
}
