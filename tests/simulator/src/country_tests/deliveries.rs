//! The files: bytes, headers, manifests, numbers and injected errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use encoding_rs::EUC_KR;
use goyong_types::ResidentNumber;
use sha2::{Digest, Sha256};

use super::{country, documents, files, fingerprint, play, rows, truth};
use crate::deliver::Source;

#[test]
fn same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let one = fingerprint(&play(23_000, 4, 1, 7));
    assert_eq!(one, fingerprint(&play(23_000, 4, 2, 7)));
    assert_eq!(one, fingerprint(&play(23_000, 4, 3, 7)));
    assert_ne!(one, fingerprint(&play(23_000, 4, 2, 8)));
}

#[test]
fn headers_are_those_of_the_contracts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/sources");
    for source in Source::ALL {
        let layout = source.layout();
        let contract = fs::read_to_string(folder.join(format!("{}.yml", layout.name))).unwrap();
        let columns: Vec<&str> = contract
            .lines()
            .filter(|line| line.trim_start().starts_with("- {name: "))
            .filter_map(|line| line.split("from: ").nth(1))
            .filter_map(|rest| rest.split([',', '}']).next())
            .collect();
        if !layout.header.is_empty() {
            assert_eq!(columns, layout.header, "{}", layout.name);
        }
        if let Some(control) = layout.control {
            assert!(
                contract.contains(&format!("control_totals: [{control}]")),
                "{}",
                layout.name
            );
        }
    }
}

#[test]
fn manifests_state_rows_sums_and_hashes_of_their_files() {
    let country = play(12_000, 7, 2, 3);
    let mut deliveries = 0;
    for path in files(&country.folder.join("landing")) {
        let name = path.to_string_lossy().into_owned();
        let Some(data) = name.strip_suffix(".manifest.json") else {
            continue;
        };
        deliveries += 1;
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let bytes = fs::read(data).unwrap();
        assert_eq!(
            manifest["sha256"],
            format!("{:x}", Sha256::digest(&bytes)),
            "{data}"
        );
        assert!(data.ends_with(manifest["file"].as_str().unwrap()));
        let rows = manifest["rows"].as_u64().unwrap() as usize;
        let source = manifest["source"].as_str().unwrap();
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let counted = match data.rsplit('.').next().unwrap() {
            "csv" => lines - 1,
            "dat" if source == "wn_assessment" => bytes.len() / 69,
            "dat" => bytes.len() / 105,
            "xml" => {
                let text = String::from_utf8(bytes.clone()).unwrap();
                [
                    "<wanted>",
                    "<participation>",
                    "<scn_list>",
                    "<dhsOpenEmpInfo>",
                    "<smallGiant>",
                ]
                .map(|record| text.matches(record).count())
                .iter()
                .sum()
            }
            "zip" => documents(Path::new(data)).len(),
            "json" if source == "nts_business_status" => {
                let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(document["request_cnt"], rows, "{data}");
                document["data"].as_array().unwrap().len()
            }
            "json" if source != "kcomwel_workplace" => {
                let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(document["totalCount"], rows, "{data}");
                ["items", "result"]
                    .iter()
                    .filter_map(|list| document[*list].as_array())
                    .map(Vec::len)
                    .sum()
            }
            _ => continue,
        };
        assert_eq!(counted, rows, "{data}");
        let Some(layout) = Source::ALL
            .iter()
            .map(|one| one.layout())
            .find(|one| one.name == source)
        else {
            // Lists of other agencies state no sums.
            assert!(
                ["nps_workplace", "linkage_label", "policy_programme"].contains(&source)
                    || source.starts_with("alio_"),
                "{source}"
            );
            continue;
        };
        let (Some(control), false) = (layout.control, layout.header.is_empty()) else {
            continue;
        };
        let contract = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../sql/sources")
            .join(format!("{source}.yml"));
        let position = fs::read_to_string(contract)
            .unwrap()
            .lines()
            .skip_while(|line| *line != "columns:")
            .filter(|line| line.trim_start().starts_with("- {name: "))
            .position(|line| line.contains(&format!("{{name: {control},")))
            .unwrap();
        let text = EUC_KR.decode(&bytes).0;
        let sum: f64 = text
            .lines()
            .skip(1)
            .map(|line| {
                line.split(',')
                    .nth(position)
                    .unwrap()
                    .parse::<f64>()
                    .unwrap()
            })
            .sum();
        let stated: f64 = manifest["control"][control]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((sum - stated).abs() < 0.01, "{data}: {sum} {stated}");
    }
    assert_eq!(deliveries, country.summary.deliveries);
    assert!(
        country
            .folder
            .join("landing/nts_daily_statement/nts_daily_statement_202403_r2.csv")
            .exists()
    );
}

#[test]
fn resident_numbers_are_valid_but_for_the_injected_errors() {
    let country = country();
    let mut injected: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in truth(country, "injected_errors.csv") {
        *injected
            .entry((row[0].clone(), row[2].clone()))
            .or_default() += row[3].parse::<usize>().unwrap();
    }
    let mut wrong_digit = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (source, field) in [
        ("ei_insured_spell", 0),
        ("wn_seeker", 1),
        ("nts_wage_statement", 0),
    ] {
        let mut impossible = 0;
        for row in rows(country, source) {
            match ResidentNumber::parse(row[field].as_bytes()) {
                Ok(number) => {
                    seen.insert(*number.digits());
                    if !number.check_digit_is_right() && !number.is_foreigner() {
                        wrong_digit.insert(*number.digits());
                    }
                }
                Err(_) => impossible += 1,
            }
        }
        let expected = injected.get(&(source.to_owned(), "rrn_birth_date".to_owned()));
        assert_eq!(impossible, expected.copied().unwrap_or(0), "{source}");
    }
    // Without a right check digit: three in a thousand re-issued numbers, and mistyped ones.
    let mistyped: usize = injected
        .iter()
        .filter(|((_, kind), _)| kind == "rrn_checksum")
        .map(|(_, count)| count)
        .sum();
    assert!(wrong_digit.len() <= seen.len() / 200 + mistyped);
    assert!(mistyped > 100);
}

#[test]
fn injected_errors_stay_far_below_the_reject_threshold() {
    let country = country();
    let mut totals: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in truth(country, "injected_errors.csv") {
        *totals.entry((row[0].clone(), row[1].clone())).or_default() +=
            row[3].parse::<u64>().unwrap();
    }
    let mut kinds = BTreeSet::new();
    truth(country, "injected_errors.csv")
        .iter()
        .for_each(|row| {
            kinds.insert(row[2].clone());
        });
    assert_eq!(kinds.len(), 6);
    for ((source, period), errors) in totals {
        let name = format!("{source}_{}_r1", period.replace('-', ""));
        let extension = if source == "ei_daily_work" {
            "dat"
        } else {
            "csv"
        };
        let path = country
            .folder
            .join("landing")
            .join(&source)
            .join(format!("{name}.{extension}.manifest.json"));
        let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert!(
            errors * 40 <= manifest["rows"].as_u64().unwrap().max(40),
            "{name}"
        );
    }
}

#[test]
fn daily_work_records_have_the_length_and_days_of_the_contract() {
    let country = country();
    for path in files(&country.folder.join("landing/ei_daily_work")) {
        if !path.to_string_lossy().ends_with(".dat") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for record in bytes.chunks(105) {
            assert_eq!(&record[103..], b"\r\n");
            let worked = record[30..61].iter().filter(|byte| **byte == b'1').count();
            let days: usize = std::str::from_utf8(&record[61..63])
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(worked, days);
        }
    }
}
