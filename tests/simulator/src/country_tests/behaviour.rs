//! The people: law, magnitudes, oracle and frauds.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::{Month, ResidentNumber};

use super::{Country, country, date, rows, truth};
use crate::law::{daily_benefit_won, entitled_days};
use crate::reference::Reference;
use crate::{SimulationConfig, simulate};

struct ClaimRow {
    applied: i32,
    separated: i32,
    daily_won: i64,
    entitled: i32,
}

#[test]
fn certifications_obey_the_arithmetic_of_the_law() {
    let country = country();
    let reference = Reference::load().unwrap();
    let mut claims = BTreeMap::new();
    for row in rows(country, "ei_benefit_claim") {
        let claim = ClaimRow {
            applied: date(&row[2]),
            separated: date(&row[3]),
            daily_won: row[8].parse().unwrap(),
            entitled: row[9].parse().unwrap(),
        };
        let base: i64 = row[7].parse().unwrap();
        let possible: Vec<i64> = (1..=8)
            .map(|hours| daily_benefit_won(&reference, claim.separated, base, hours * 5))
            .collect();
        assert!(possible.contains(&claim.daily_won), "{row:?}");
        assert!(claim.daily_won <= reference.benefit_rule(claim.separated).0);
        assert!(claim.applied > claim.separated && claim.applied <= claim.separated + 365);
        let insured: i32 = row[6].parse().unwrap();
        assert!(insured >= 180);
        if let Ok(number) = ResidentNumber::parse(row[1].as_bytes()) {
            let birth = date(&number.birth_date().to_string());
            assert_eq!(
                claim.entitled,
                entitled_days(&reference, insured, birth, claim.separated)
            );
        }
        claims.insert(row[0].clone(), claim);
    }
    let mut last: BTreeMap<String, (i32, i32, i32)> = BTreeMap::new();
    let mut first_rounds = 0;
    for row in rows(country, "ei_certification") {
        let claim = &claims[&row[0]];
        let (from, to, certified) = (date(&row[3]), date(&row[4]), date(&row[5]));
        let round: i32 = row[2].parse().unwrap();
        let declared: i32 = row[8].parse().unwrap();
        let days: i32 = row[11].parse().unwrap();
        // An injected sign before the amount is an input error, not another amount.
        let amount = row[12].trim_start_matches('-');
        assert_eq!(
            amount.parse::<i64>().unwrap(),
            i64::from(days) * claim.daily_won
        );
        assert!(row[7] == "Y" || declared == 0);
        assert!(
            days <= to - from + 1 - declared && (0..28).contains(&(to - from)),
            "{row:?}"
        );
        assert!(certified >= to && to <= claim.separated + 365, "{row:?}");
        if round == 1 {
            first_rounds += 1;
            assert_eq!(from, claim.applied + 7);
        }
        let entry = last.entry(row[0].clone()).or_insert((round - 1, from, 0));
        assert_eq!((round, from), (entry.0 + 1, entry.1), "{row:?}");
        *entry = (round, to + 1, entry.2 + days);
        assert!(entry.2 <= claim.entitled);
    }
    assert!(first_rounds > 5_000);
}

/// Sum of a measure over all months, or over those of 2025.
fn measure(country: &Country, name: &str, months: impl Fn(&str) -> bool) -> f64 {
    truth(country, "marginals.csv")
        .iter()
        .filter(|row| row[1] == name && months(&row[0]))
        .map(|row| row[2].parse::<f64>().unwrap())
        .sum::<f64>()
}

#[test]
fn marginals_are_the_nations_within_ten_per_cent() {
    let country = country();
    let scale = country.persons / 51_700_000.0;
    let all = |_: &str| true;
    let yearly = |name: &str| measure(country, name, all) / 2.0 / scale;
    let mean = |name: &str| measure(country, name, all) / 24.0 / scale;
    let in_month =
        |name: &str, month: &'static str| measure(country, name, move |one| one == month) / scale;
    let ordinary =
        |month: &str| !month.ends_with("-01") && !("2025-03".."2025-09").contains(&month);
    let quiet_claims = measure(country, "new_claims", ordinary) / 16.0 / scale;
    // Stocks and flows that the simulator steers hold in blocks of any size; the decisions on
    // fraud are some two hundred here and are compared over two years together.
    let figures = [
        (
            "insured employees 2024-11",
            in_month("insured_employees", "2024-11"),
            15_480_000.0,
        ),
        (
            "insured contractors 2025-06",
            in_month("insured_contractors", "2025-06"),
            850_000.0,
        ),
        ("wage workers", mean("wage_workers"), 22_100_000.0),
        (
            "regular wage workers",
            mean("regular_wage_workers"),
            13_700_000.0,
        ),
        (
            "non-regular wage workers",
            mean("wage_workers") - mean("regular_wage_workers"),
            8_500_000.0,
        ),
        ("workplaces", mean("workplaces"), 2_600_000.0),
        ("population", mean("population"), 51_700_000.0),
        ("new claims, ordinary month", quiet_claims, 89_500.0),
        (
            "new claims, January",
            (in_month("new_claims", "2024-01") + in_month("new_claims", "2025-01")) / 2.0,
            201_000.0,
        ),
        ("benefit a year", yearly("benefit_won"), 12e12),
        (
            "benefit by recipient and month",
            mean("benefit_won") / mean("recipients"),
            1_480_000.0,
        ),
        (
            "repeat claimants a year",
            yearly("repeat_claims"),
            112_000.0,
        ),
        (
            "ratio of openings to seekers",
            mean("openings") / mean("seekers_registered"),
            0.46,
        ),
        (
            "daily workers in a year",
            measure(country, "daily_first_of_year", |month| {
                month.starts_with("2025")
            }) / scale,
            5_100_000.0,
        ),
        (
            "daily work unreported",
            mean("daily_unreported") / mean("daily_workers"),
            0.538,
        ),
        (
            "daily workers outside",
            mean("daily_unreported"),
            1_250_000.0,
        ),
        (
            "insured share under 10",
            mean("insured_under_10") / mean("employees_under_10"),
            0.497,
        ),
        (
            "insured share 10 to 29",
            mean("insured_10_to_29") / mean("employees_10_to_29"),
            0.817,
        ),
        (
            "contractors and self-employed outside",
            mean("contractors_outside") + mean("own_account"),
            3_430_000.0,
        ),
        (
            "fraud decisions a year",
            yearly("sanctions_decided"),
            27_500.0,
        ),
        (
            "defective vacancies",
            mean("defective_vacancies") / mean("vacancies"),
            0.055,
        ),
    ];
    let misses: Vec<String> = figures
        .iter()
        .filter(|(_, have, want)| (have / want - 1.0).abs() > 0.10)
        .map(|(name, have, want)| format!("{name}: {have:.3} instead of {want:.3}"))
        .collect();
    assert!(misses.is_empty(), "{misses:#?}");
    let ranges = [
        ("recipients", mean("recipients"), 512_000.0, 614_000.0),
        ("openings", mean("openings"), 165_000.0, 236_000.0),
        ("seekers", mean("seekers_registered"), 339_000.0, 509_000.0),
        // Few decisions with very unequal amounts: their sum varies more than their number.
        ("fraud won a year", yearly("sanction_won"), 29e9, 31e9),
    ];
    for (name, have, low, high) in ranges {
        assert!((low * 0.9..high * 1.1).contains(&have), "{name}: {have:.0}");
    }
    assert!(yearly("frauds_begun") > 2.0 * yearly("sanctions_decided"));
}

/// Outcomes happen as often as the oracle says, in every band of it, and it leaves them uncertain.
fn assert_calibrated(rows: &[(f64, f64)]) {
    for (low, high) in [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)] {
        let part: Vec<_> = rows
            .iter()
            .filter(|(oracle, _)| (low..high).contains(oracle))
            .collect();
        let expected: f64 = part.iter().map(|(oracle, _)| oracle).sum();
        let variance: f64 = part.iter().map(|(oracle, _)| oracle * (1.0 - oracle)).sum();
        let happened: f64 = part.iter().map(|(_, outcome)| outcome).sum();
        // Registrations of one search share their outcome, hence the wide margin.
        assert!(
            (happened - expected).abs() < 5.0 * variance.sqrt(),
            "{low}: {happened} {expected}"
        );
    }
    let uncertain = rows
        .iter()
        .filter(|(oracle, _)| (0.1..0.9).contains(oracle))
        .count();
    assert!(uncertain * 2 > rows.len());
}

#[test]
fn oracle_is_calibrated_and_outcomes_keep_their_noise() {
    let rows: Vec<(f64, f64)> = truth(country(), "seeker_oracle.csv")
        .iter()
        .map(|row| (row[2].parse().unwrap(), row[4].parse().unwrap()))
        .collect();
    assert_calibrated(&rows);
}

#[test]
fn the_oracle_of_vacancies_is_calibrated_and_deliveries_say_the_same_day() {
    let truth = truth(country(), "vacancy_oracle.csv");
    let rows: Vec<(f64, f64)> = truth
        .iter()
        .map(|row| (row[3].parse().unwrap(), row[5].parse().unwrap()))
        .collect();
    assert_calibrated(&rows);
    let filled_on: BTreeMap<&str, &str> = truth
        .iter()
        .map(|row| (row[0].as_str(), row[4].as_str()))
        .collect();
    let mut filled = 0;
    for (_, vacancy) in super::interfaces::records("wn_vacancy", "<wanted>") {
        let (Some(day), Some(stated)) = (
            vacancy.get("fillDt"),
            filled_on.get(vacancy["wantedAuthNo"].as_str()),
        ) else {
            continue;
        };
        assert_eq!(*day, stated.replace('-', ""), "{vacancy:?}");
        filled += 1;
    }
    assert!(filled > 100, "{filled}");
}

#[test]
fn every_typology_has_frauds_and_honest_look_alikes() {
    let country = country();
    let claims: BTreeSet<String> = rows(country, "ei_benefit_claim")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let frauds = truth(country, "fraud.csv");
    let typologies: BTreeSet<&str> = frauds.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(
        typologies,
        BTreeSet::from([
            "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09", "F10", "F11"
        ])
    );
    let decisions: BTreeSet<String> = rows(country, "ei_subsidy")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    for row in &frauds {
        let subjects = if row[1] == "F11" { &decisions } else { &claims };
        assert!(subjects.contains(&row[0]) && row[2] <= row[3], "{row:?}");
    }
    let look_alikes = truth(country, "look_alikes.csv");
    let resembled: BTreeSet<&str> = look_alikes.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(resembled, typologies);
}

#[test]
fn fraud_evidence_stands_in_the_deliveries() {
    let country = country();
    let mut certifications: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for row in rows(country, "ei_certification") {
        certifications.entry(row[0].clone()).or_default().push(row);
    }
    let mut stays: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for row in rows(country, "moj_border") {
        stays.entry(row[0].clone()).or_default().push(row);
    }
    let mut abroad = (0, 0);
    for fraud in truth(country, "fraud.csv")
        .iter()
        .filter(|row| row[1] == "F03")
    {
        abroad.0 += 1;
        let Some(rounds) = certifications.get(&fraud[0]) else {
            continue;
        };
        abroad.1 += usize::from(rounds.iter().any(|round| {
            let stays = stays.get(&round[1]).map(Vec::as_slice).unwrap_or_default();
            round[6] == "online"
                && stays
                    .iter()
                    .any(|stay| stay[1] < round[5] && (stay[2].is_empty() || round[5] < stay[2]))
        }));
    }
    // Some stand at the edges of the delivered months or in rows with input errors.
    assert!(abroad.0 > 20 && abroad.1 * 10 >= abroad.0 * 8, "{abroad:?}");
}

#[test]
fn parameters_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = |persons, months| SimulationConfig {
        seed: 1,
        persons,
        start: Month::new(2024, 1).unwrap(),
        months,
        landing: folder.path().join("landing"),
        truth: folder.path().join("truth"),
        threads: 1,
        fraud_rate: 1.0,
        survey_one_in: 40,
    };
    for (persons, months) in [(10, 24), (70_000_000, 24), (10_000, 0), (10_000, 999)] {
        let error = simulate(&config(persons, months), &|_| {})
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("cannot simulate: "), "{error}");
    }
}

#[test]
fn parts_of_the_coverage_truth_add_up_to_its_classes() {
    let country = country();
    let mut classes: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in truth(country, "coverage_gap.csv") {
        *classes.entry((row[0].clone(), row[1].clone())).or_default() +=
            row[3].parse::<i64>().unwrap();
    }
    let mut by_sex: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in truth(country, "coverage_by.csv") {
        if row[2] == "sex" {
            *by_sex.entry((row[0].clone(), row[1].clone())).or_default() +=
                row[4].parse::<i64>().unwrap();
        }
    }
    classes.retain(|_, persons| *persons > 0);
    assert!(classes.len() > 24);
    assert_eq!(by_sex, classes);
}

#[test]
fn respondents_at_work_say_what_kind_of_work_it_is_and_others_do_not() {
    let country = country();
    let survey = rows(country, "kostat_lfs");
    let at_work = |row: &&Vec<String>| row[6].starts_with("employed");
    assert!(survey.iter().any(|row| at_work(&row)));
    assert!(survey.iter().any(|row| !at_work(&row)));
    for row in &survey {
        assert_eq!(at_work(&row), !row[11].is_empty(), "{row:?}");
        // civil servants and owners have no workplace that the insurance lists
        assert_eq!(row[12].is_empty(), row[13].is_empty(), "{row:?}");
        assert!(!row[10].is_empty());
    }
}
