//! A made-up release, large enough to fill every page: the project's own report definitions with invented rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

pub mod catalog;
pub mod models;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use goyong_site::{
    Bilingual, CalibrationBin, CellValue, FairnessGroup, FeatureEffect, Gate, MetricRow,
    ModelCardPage, ReleaseEntry, ReleasePage, ReportDefinition, ReportInput, SiteInputs,
    TableDefinition, TableInput, Unit,
};

pub const HOSTILE: &str = "</td><script>alert('x')</script>\" onload=\"y";

const REGIONS: [&str; 6] = ["11", "26", "36", "41", "50", "00"];
const CLASSES: [&str; 5] = [
    "covered_uninsured",
    "daily_unreported",
    "contractor_outside",
    "self_employed",
    "exempt",
];

pub fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// Every definition in `sql/reports`, by file name.
pub fn definitions() -> Vec<ReportDefinition> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/reports");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let report = ReportDefinition::parse(&text, &path.display().to_string()).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), report.slug);
            report
        })
        .collect()
}

/// A release with rows for every table of every definition.
pub fn inputs() -> SiteInputs {
    let reports = definitions()
        .into_iter()
        .map(|definition| ReportInput {
            tables: definition.tables.iter().map(answer).collect(),
            definition,
        })
        .collect();
    SiteInputs {
        release: ReleasePage {
            id: "2025-12-31.1".into(),
            business_date: day(2025, 12, 31),
            content_hash: "5d41402abc4b2a76b9719d911017c592".into(),
            earlier: vec![ReleaseEntry {
                id: "2025-11-30.1".into(),
                business_date: day(2025, 11, 30),
                content_hash: "7d793037a0760186574b0282f2f435e7".into(),
                note: "first night".into(),
            }],
        },
        as_of: day(2025, 12, 31),
        reports,
        catalog: catalog::catalog(),
        model_cards: vec![model_card()],
        model_versions: models::versions(),
        notice: Some(Bilingual::new(
            "모의 국가의 자료입니다. 실제 인구에 관한 수치가 아닙니다.",
            "Data of a simulated country; not figures about real people.",
        )),
        publisher: Bilingual::new("공공고용서비스", "Public Employment Service"),
        contact: Bilingual::new("통계 담당", "Statistics desk"),
    }
}

/// Invented rows for a query, shaped by the definition: every dimension gets members, every figure a plausible value,
/// and the smallest region figures below the threshold.
pub fn answer(table: &TableDefinition) -> TableInput {
    let columns = columns_of(table);
    let periods: Vec<CellValue> = match &table.period {
        Some(period) if table.unit(period) == Unit::Year => {
            (2016..2026).map(CellValue::Integer).collect()
        }
        Some(_) => (0..24)
            .map(|index| CellValue::Date(day(2024 + index / 12, (index % 12) as u32 + 1, 1)))
            .collect(),
        None => vec![CellValue::Null],
    };
    let other = table
        .dimensions
        .iter()
        .find(|column| Some(*column) != table.period.as_ref());
    let members: Vec<String> = match other.map(String::as_str) {
        Some("sido") => REGIONS.map(str::to_owned).to_vec(),
        Some("class") => CLASSES.map(str::to_owned).to_vec(),
        Some("severity") => ["critical", "high", "medium", "low"]
            .map(str::to_owned)
            .to_vec(),
        Some("rules") => ["F01", "F01,F02", "F02", "F03"].map(str::to_owned).to_vec(),
        Some("scope") => vec!["all".into()],
        Some("band") => (1..=5).map(|band: i32| band.to_string()).collect(),
        Some(_) => vec!["ei_insured_spell".into(), HOSTILE.into(), "=1+1".into()],
        None => vec![String::new()],
    };
    let mut rows = Vec::new();
    for (time, period) in periods.iter().enumerate() {
        for (place, member) in members.iter().enumerate() {
            let row = columns
                .iter()
                .enumerate()
                .map(|(index, column)| {
                    if Some(column) == table.period.as_ref() {
                        period.clone()
                    } else if table.dimensions.contains(column) {
                        CellValue::Text(member.clone())
                    } else {
                        figure(table, column, time, place, index)
                    }
                })
                .collect();
            rows.push(row);
        }
    }
    TableInput {
        name: table.name.clone(),
        columns,
        rows,
        reads: table
            .references()
            .iter()
            .map(|reference| format!("marts.{}", reference.name))
            .collect(),
        compiled_sql: table.sql.clone(),
    }
}

fn columns_of(table: &TableDefinition) -> Vec<String> {
    let mut columns: Vec<String> = table.dimensions.clone();
    columns.extend(table.counts.iter().cloned());
    columns.extend(table.measures.iter().map(|measure| measure.column.clone()));
    columns.extend(table.derived.iter().map(|derived| derived.column.clone()));
    columns.extend(table.hidden.iter().cloned());
    if table.public.is_some() {
        // A public table's columns stand in its query only.
        columns.extend(
            table
                .columns
                .keys()
                .filter(|column| table.sql.contains(column.as_str()))
                .filter(|column| !table.dimensions.contains(column))
                .cloned(),
        );
        for extra in table.chart.iter().flat_map(|chart| &chart.series) {
            if !columns.contains(extra) {
                columns.push(extra.clone());
            }
        }
    }
    columns
}

fn figure(
    table: &TableDefinition,
    column: &str,
    time: usize,
    place: usize,
    index: usize,
) -> CellValue {
    let season = [9, 3, 1, 2, 4, 3, 2, 1, 2, 4, 5, 6][time % 12];
    let base = 48_000 / (place as i64 * place as i64 * 40 + 1) + 37 * time as i64 + 211 * season;
    let base = base / (index as i64 + 1);
    // The last region and class are small.
    let small =
        place + 1 >= REGIONS.len() - 1 && table.dimensions.iter().any(|column| column == "sido");
    let count = if small {
        (time as i64 + index as i64) % 7
    } else {
        base
    };
    match table.unit(column) {
        Unit::Share => CellValue::Float(0.97 + time as f64 / 1_000.0),
        Unit::Won if column == "largest_won" => CellValue::Decimal {
            unscaled: i128::from(count) * 9_000,
            scale: 0,
        },
        Unit::Won => CellValue::Decimal {
            unscaled: i128::from(count) * 1_480_000,
            scale: 0,
        },
        Unit::Text => CellValue::Text("2025-12-10".into()),
        Unit::Number => CellValue::Float(0.46 + season as f64 / 40.0),
        _ if column.ends_with("_low") => CellValue::Integer(base * 8 / 10 * i64::from(!small)),
        _ if column.ends_with("_high") => CellValue::Integer(base * 14 / 10),
        _ if column == "unbalanced" || column == "late" => CellValue::Integer(0),
        _ => CellValue::Integer(count),
    }
}

pub fn model_card() -> ModelCardPage {
    ModelCardPage {
        name: "employment_success".into(),
        version: "2025-12-31.1".into(),
        target: Bilingual::new(
            "구직 등록 후 여섯 달 안의 피보험자격 취득",
            "an insured spell acquired within six months of registration",
        ),
        intended_use: Bilingual::new("상담 순서와 지원 배분", "order of counselling and support"),
        algorithm: Bilingual::new(
            "로지스틱 회귀",
            "logistic regression on standardised and one-hot variables",
        ),
        trained_on: ["2024-01".into(), "2024-12".into()],
        evaluated_on: ["2025-01".into(), "2025-06".into()],
        training_rows: 41_230,
        evaluation_rows: 20_114,
        base_rate: 0.531,
        metrics: vec![
            MetricRow {
                name: "AUC".into(),
                model: 0.741,
                baseline: Some(0.62),
                oracle: Some(0.78),
                larger_is_better: true,
            },
            MetricRow {
                name: "Brier".into(),
                model: 0.201,
                baseline: Some(0.24),
                oracle: None,
                larger_is_better: false,
            },
        ],
        calibration: (0..10)
            .map(|bin| CalibrationBin {
                predicted: 0.05 + 0.1 * f64::from(bin),
                observed: 0.06 + 0.098 * f64::from(bin),
                count: if bin == 9 { 3 } else { 2_000 },
            })
            .collect(),
        features: vec![
            FeatureEffect {
                name: "career_months".into(),
                title: Bilingual::new("경력 개월", "months of career"),
                effect: 0.42,
            },
            FeatureEffect {
                name: "months_since_last_spell".into(),
                title: Bilingual::new("마지막 가입 후 개월", "months since the last insured job"),
                effect: -0.31,
            },
        ],
        fairness: ["m", "f"]
            .into_iter()
            .map(|group| FairnessGroup {
                attribute: "sex".into(),
                group: group.into(),
                count: 9_000,
                predicted: 0.53,
                observed: 0.529,
                auc: Some(0.74),
            })
            .collect(),
        gates: vec![Gate {
            name: "better_than_baseline".into(),
            passed: true,
            detail: "0.741 > 0.620".into(),
        }],
        promoted: true,
        content_hash: "c4ca4238a0b923820dcc509a6f75849b".into(),
        trained_from: BTreeMap::from([(
            "features.employment_success".into(),
            "a87ff679a2f3e71d".into(),
        )]),
        limits: vec![Bilingual::new(
            "불황기의 자료가 적습니다.",
            "Few months of recession in the data.",
        )],
    }
}
