//! Registers that do not scale with the population: certified agencies, public institutions and
//! what they do.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use crate::calendar::{day, next_weekday, text};
use crate::deliver::{Manifest, iso, write_delivery};
use crate::random::Random;
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

/// Writes the agencies of every year and what belongs to public institutions.
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
    crate::recruitment::write(scenario, config, summary)?;
    summary.rows_by_source.push(("agency".to_owned(), agencies));
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
