#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Whole countries, small ones, checked on the files they deliver.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use encoding_rs::EUC_KR;
use goyong_types::Month;
use sha2::{Digest, Sha256};

use crate::calendar::day;
use crate::{SimulationConfig, SimulationSummary, simulate};

mod behaviour;
mod deliveries;
mod interfaces;
mod look_alikes;
mod registers;
mod services;

struct Country {
    folder: PathBuf,
    persons: f64,
    summary: SimulationSummary,
    _keep: tempfile::TempDir,
}

fn play(persons: u64, months: u32, threads: usize, seed: u64) -> Country {
    play_at_rate(persons, months, threads, seed, 1.0)
}

fn play_at_rate(persons: u64, months: u32, threads: usize, seed: u64, fraud_rate: f64) -> Country {
    let keep = tempfile::tempdir().unwrap();
    let config = SimulationConfig {
        seed,
        persons,
        start: Month::new(2024, 1).unwrap(),
        months,
        landing: keep.path().join("landing"),
        truth: keep.path().join("truth"),
        threads,
        fraud_rate,
        survey_one_in: 40,
    };
    let summary = simulate(&config, &|_| {}).unwrap();
    Country {
        folder: keep.path().to_owned(),
        persons: persons as f64,
        summary,
        _keep: keep,
    }
}

/// A country large enough for its marginals, shared by the tests that only read it.
fn country() -> &'static Country {
    static COUNTRY: OnceLock<Country> = OnceLock::new();
    COUNTRY.get_or_init(|| play(200_000, 24, 2, 20_240_801))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

fn fingerprint(country: &Country) -> String {
    let mut hash = Sha256::new();
    for path in files(&country.folder) {
        hash.update(
            path.strip_prefix(&country.folder)
                .unwrap()
                .to_string_lossy()
                .as_bytes(),
        );
        hash.update(fs::read(path).unwrap());
    }
    format!("{:x}", hash.finalize())
}

/// Rows of all first revisions of a source, bad bytes replaced.
fn rows(country: &Country, source: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for path in files(&country.folder.join("landing").join(source)) {
        if path.to_string_lossy().ends_with(".csv") {
            let bytes = fs::read(path).unwrap();
            let text = EUC_KR.decode(&bytes).0;
            rows.extend(
                text.lines()
                    .skip(1)
                    .map(|line| line.split(',').map(str::to_owned).collect()),
            );
        }
    }
    rows
}

/// The members of an archive, in their order.
fn documents(archive: &Path) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    (0..archive.len())
        .map(|index| std::io::read_to_string(archive.by_index(index).unwrap()).unwrap())
        .collect()
}

/// The records of all JSON deliveries of a source.
fn items(source: &str) -> Vec<serde_json::Value> {
    let mut items = Vec::new();
    for path in files(&country().folder.join("landing").join(source)) {
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".json") && !name.ends_with(".manifest.json") {
            let document: serde_json::Value =
                serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let list = ["items", "result", "data"]
                .iter()
                .find_map(|list| document.get(*list))
                .unwrap();
            items.extend(list.as_array().unwrap().iter().cloned());
        }
    }
    items
}

fn truth(country: &Country, file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(country.folder.join("truth").join(file)).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

/// Day of `YYYYMMDD` or `YYYY-MM-DD`; nothing for a day that does not exist.
fn date(text: &str) -> i32 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    day(
        digits[..4].parse().unwrap(),
        digits[4..6].parse().unwrap(),
        digits[6..].parse().unwrap(),
    )
}
