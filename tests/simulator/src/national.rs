//! Registers that do not scale with the population: certified agencies and the recruitment of
//! public institutions.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};
use serde_json::json;

use crate::calendar::{day, first_of, next_weekday, text};
use crate::deliver::{Manifest, iso, write_delivery};
use crate::random::{Random, splitmix};
use crate::scenario::Scenario;
use crate::{SimulationConfig, SimulationError, SimulationSummary};

/// Certified private employment agencies.
const AGENCIES: usize = 469;

/// Public institutions that recruit.
pub(crate) const INSTITUTIONS: usize = 347;

/// Name of a public institution, counted from 0.
pub(crate) fn institution_name(institution: usize) -> String {
    format!("모의공공기관{:03}", institution + 1)
}

/// Writes the agencies of every year and the postings of every month.
pub(crate) fn write(
    scenario: &Scenario,
    config: &SimulationConfig,
    summary: &mut SimulationSummary,
) -> Result<(), SimulationError> {
    let mut agencies = 0;
    let first = scenario.start_month.div_euclid(12);
    let last = (scenario.start_month + scenario.months as i32 - 1).div_euclid(12);
    for year in first..=last {
        let path = config
            .landing
            .join("agency")
            .join(format!("agency_{year}_r1.xlsx"));
        let data = workbook(scenario, year).map_err(|source| SimulationError::Workbook {
            path: path.clone(),
            source,
        })?;
        let manifest = manifest("agency", year.to_string(), AGENCIES, iso(day(year, 2, 20)));
        deliver(&path, &data, manifest, summary)?;
        agencies += AGENCIES as u64;
    }
    crate::inventory::write(scenario, config, first..=last, summary)?;
    let mut postings = 0;
    let mut number = 300_000;
    for index in 0..scenario.months {
        let month = scenario.start_month + index as i32;
        let (data, rows) = recruitment(scenario, month, &mut number);
        let period = format!(
            "{:04}-{:02}",
            month.div_euclid(12),
            month.rem_euclid(12) + 1
        );
        let name = format!("alio_posting_{}_r1.json", period.replace('-', ""));
        let path = config.landing.join("alio_posting").join(name);
        let known = iso(first_of(month + 1) + 3);
        deliver(
            &path,
            &data,
            manifest("alio_posting", period, rows, known),
            summary,
        )?;
        postings += rows as u64;
    }
    summary.rows_by_source.push(("agency".to_owned(), agencies));
    summary
        .rows_by_source
        .push(("alio_posting".to_owned(), postings));
    Ok(())
}

pub(crate) fn manifest(source: &str, period: String, rows: usize, known_on: String) -> Manifest {
    Manifest {
        source: source.to_owned(),
        period,
        revision: 1,
        rows: rows as u64,
        control: serde_json::Map::new(),
        sha256: String::new(),
        known_on,
        file: String::new(),
    }
}

pub(crate) fn deliver(
    path: &std::path::Path,
    data: &[u8],
    manifest: Manifest,
    summary: &mut SimulationSummary,
) -> Result<(), SimulationError> {
    summary.deliveries += 1;
    summary.rows += manifest.rows;
    summary.bytes += data.len() as u64;
    write_delivery(path, data, manifest)
}

fn workbook(scenario: &Scenario, year: i32) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // The workbook's date of creation is part of its bytes.
    let created = ExcelDateTime::from_ymd(year as u16, 2, 15)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let sheet = workbook.add_worksheet();
    sheet.set_name("우수기관")?;
    for (column, header) in [
        "기관번호",
        "기관명",
        "시도코드",
        "인증일",
        "상담사수",
        "등급",
    ]
    .iter()
    .enumerate()
    {
        sheet.write_string(0, column as u16, *header)?;
    }
    for (index, agency) in agencies(scenario).iter().enumerate() {
        let row = index as u32 + 1;
        let certified = next_weekday(day(year - 1, 1, 1) - agency.certified_before);
        let counsellors = agency.counsellors + f64::from(year % 3);
        sheet.write_string(row, 0, &agency.number)?;
        sheet.write_string(row, 1, &agency.name)?;
        sheet.write_string(row, 2, String::from_utf8_lossy(&agency.sido))?;
        sheet.write_string(row, 3, String::from_utf8_lossy(text(certified)))?;
        sheet.write_number(row, 4, counsellors)?;
        sheet.write_string(row, 5, agency.grade)?;
    }
    workbook.save_to_buffer()
}

/// A certified private employment agency.
pub(crate) struct Agency {
    pub number: String,
    name: String,
    pub sido: [u8; 2],
    /// Days between its certification and the start of the year before the list's.
    certified_before: i32,
    counsellors: f64,
    grade: &'static str,
}

/// The agencies, the same in every year.
pub(crate) fn agencies(scenario: &Scenario) -> Vec<Agency> {
    let mut random = Random::new(scenario.seed, 0x00a9_e4c7);
    (0..AGENCIES)
        .map(|agency| {
            let place = scenario.reference.place_at(random.unit());
            let place = &scenario.reference.places[place as usize];
            let certified_before = random.between(0, 900);
            let counsellors = 3.0 + (random.exponential() * 9.0).floor();
            let grade = ["A", "B", "C", "D"][random.weighted(&[20.0, 40.0, 30.0, 10.0])];
            Agency {
                number: format!("A{:05}", agency + 1),
                name: format!("모의{}직업소개{:03}", place.sido_name, agency + 1),
                sido: place.sido,
                certified_before,
                counsellors,
                grade,
            }
        })
        .collect()
}

const NCS: [&str; 6] = [
    "경영.회계.사무",
    "보건.의료",
    "정보통신",
    "연구",
    "건설",
    "사회복지.종교",
];
const HIRE: [&str; 4] = ["정규직", "비정규직", "무기계약직", "청년인턴"];

fn recruitment(scenario: &Scenario, month: i32, number: &mut i64) -> (Vec<u8>, usize) {
    let mut random = Random::new(scenario.seed, 0x0a11_0000 + month as u64);
    let mut result = Vec::new();
    for institution in 0..INSTITUTIONS {
        if !random.chance(0.6) {
            continue;
        }
        for _ in 0..1 + random.below(3) {
            *number += 1;
            let opened = next_weekday(first_of(month) + random.between(0, 26));
            let opened = opened.min(first_of(month + 1) - 1);
            let ncs = NCS[random.below(NCS.len())];
            let hire = HIRE[random.weighted(&[45.0, 30.0, 15.0, 10.0])];
            let place = scenario.reference.place_at(random.unit());
            let name = institution_name(institution);
            let mut posting = json!({
                "recrutPblntSn": *number,
                "instNm": name,
                "ncsCdNmLst": ncs,
                "hireTypeNmLst": hire,
                "workRgnNmLst": scenario.reference.places[place as usize].sido_name,
                "recrutSeNm": if random.chance(0.5) { "신입" } else { "경력" },
                "recrutNope": random.between(1, 12),
                "pbancBgngYmd": String::from_utf8_lossy(text(opened)),
                "pbancEndYmd": String::from_utf8_lossy(text(opened + random.between(7, 21))),
                "recrutPbancTtl": format!("{name} {ncs} {hire} 채용 공고"),
                "ongoingYn": "N",
                "files": attached(*number),
            });
            let openings = posting["recrutNope"].as_u64().unwrap_or(1);
            posting["steps"] = steps(*number, opened, openings);
            result.push(posting);
        }
    }
    let rows = result.len();
    let document = json!({
        "resultCode": 200,
        "resultMsg": "성공했습니다.",
        "totalCount": rows,
        "result": result,
    });
    let mut bytes = document.to_string().into_bytes();
    bytes.push(b'\n');
    (bytes, rows)
}

/// Selection steps of a posting: papers, for two of three a written test, an interview.
fn steps(posting: i64, opened: i32, openings: u64) -> serde_json::Value {
    let drawn = splitmix(posting as u64);
    let has_test = !drawn.is_multiple_of(3);
    let mut names = vec!["서류전형"];
    if has_test {
        names.push("필기전형");
    }
    names.push("면접전형");
    let mut applicants = openings * (5 + (drawn >> 16) % 60);
    let mut list = Vec::new();
    for (order, name) in names.iter().enumerate() {
        list.push(json!({
            "recrutStepSn": posting * 10 + order as i64,
            "recrutPbancTtl": name,
            "sortNo": order + 1,
            "aplyNope": applicants,
            "recrutNope": openings,
            "cmpttRt": format!("{:.1}", applicants as f64 / openings as f64),
            "rsnOcrnYmd": iso(opened + 14 * (order as i32 + 1)),
        }));
        applicants = (applicants / 4).max(openings);
    }
    list.into()
}

/// Attached files of a posting: notice, form, and mostly a job description.
fn attached(posting: i64) -> Vec<serde_json::Value> {
    let kinds = [
        ("A", "공고문.pdf"),
        ("B", "입사지원서.hwp"),
        ("C", "직무기술서.pdf"),
    ];
    let count = if splitmix(posting as u64).is_multiple_of(5) {
        2
    } else {
        3
    };
    kinds[..count]
        .iter()
        .enumerate()
        .map(|(order, (kind, name))| {
            json!({
                "recrutAtchFileNo": posting * 10 + order as i64,
                "atchFileNm": name,
                "atchFileType": kind,
                "sortNo": order + 1,
            })
        })
        .collect()
}
