//! Records of the employment services agree with what the registers say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{country, date, items, rows, truth};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_placement_is_an_insured_job_at_that_workplace() {
    let spells: BTreeSet<(String, String, String)> = rows(country(), "ei_insured_spell")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
        .collect();
    let placed: Vec<_> = rows(country(), "agency_placement")
        .into_iter()
        .filter(|row| !row[4].is_empty())
        .collect();
    let found = placed
        .iter()
        .filter(|row| spells.contains(&(row[1].clone(), row[5].clone(), row[4].clone())))
        .count();
    assert!(placed.len() > 300, "{} placements", placed.len());
    // Mistyped numbers, and spells struck by an input error or reported after the last month.
    assert!(
        found * 100 > placed.len() * 93,
        "{found} of {}",
        placed.len()
    );
    assert!(placed.iter().all(|row| row[4] >= row[3]));
}

#[test]
fn retention_is_told_half_a_year_after_the_placement() {
    let mut outcomes = BTreeMap::new();
    for row in rows(country(), "agency_placement") {
        *outcomes.entry(row[6].clone()).or_insert(0usize) += 1;
        assert!(row[6].is_empty() || !row[4].is_empty());
    }
    assert!(outcomes["Y"] > 50 && outcomes["N"] > 20, "{outcomes:?}");
}

#[test]
fn resumes_belong_to_registrations_and_name_nobody() {
    let seekers: BTreeSet<String> = rows(country(), "wn_seeker")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let names: BTreeSet<String> = rows(country(), "wn_seeker")
        .into_iter()
        .map(|row| row[2].clone())
        .collect();
    let resumes = items("wn_resume");
    assert!(resumes.len() > 10_000, "{} résumés", resumes.len());
    let known = resumes
        .iter()
        .filter(|item| seekers.contains(&text(&item["jobSeekerNo"])))
        .count();
    assert!(known * 100 > resumes.len() * 99, "{known}");
    for item in resumes.iter().take(300) {
        let words = text(&item["selfIntroduction"]);
        assert!(names.iter().all(|name| !words.contains(name.as_str())));
    }
}

#[test]
fn portal_ads_repeat_and_break_the_law_at_the_known_rates() {
    let stated = truth(country(), "portal_ad.csv");
    assert_eq!(stated.len(), items("portal_ad").len());
    let all = stated.len() as f64;
    let share = |keep: &dyn Fn(&Vec<String>) -> bool| {
        stated.iter().filter(|row| keep(row)).count() as f64 / all
    };
    let duplicates = share(&|row| !row[2].is_empty());
    assert!((0.21..0.27).contains(&duplicates), "{duplicates}");
    let defects = share(&|row| !row[3].is_empty());
    assert!((0.045..0.066).contains(&defects), "{defects}");
    assert!(share(&|row| row[4] == "1") > 0.005);
    let first: BTreeSet<&String> = stated
        .iter()
        .filter(|row| row[2].is_empty())
        .map(|row| &row[0])
        .collect();
    assert!(
        stated
            .iter()
            .filter(|row| !row[2].is_empty())
            .all(|row| first.contains(&row[2]))
    );
}

#[test]
fn subsidies_go_to_workplaces_that_are_listed() {
    let workplaces: BTreeSet<String> = rows(country(), "ei_workplace")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let paid = rows(country(), "ei_subsidy");
    let programmes: BTreeSet<&String> = paid.iter().map(|row| &row[2]).collect();
    assert_eq!(programmes.len(), 3, "{programmes:?}");
    assert!(paid.len() > 1_000, "{} subsidies", paid.len());
    assert!(paid.iter().all(|row| workplaces.contains(&row[1])));
    // Retention is paid in the recession only.
    assert!(
        paid.iter()
            .filter(|row| row[2] == "retention")
            .all(|row| ("202503".."202509").contains(&row[3].as_str()))
    );
}

#[test]
fn emergency_support_is_paid_once_a_round() {
    let mut seen = BTreeSet::new();
    let mut rounds = BTreeSet::new();
    for row in rows(country(), "ees_payment") {
        rounds.insert(row[1].clone());
        seen.insert((row[0].clone(), row[1].clone()));
        if !row[2].ends_with("0231") {
            assert!(date(&row[2]) <= date(&row[3]));
        }
    }
    assert_eq!(rounds.len(), 4);
    assert!(seen.len() > 2_000);
}

#[test]
fn public_institutions_own_what_is_listed_of_them() {
    let institutions: BTreeSet<String> = items("alio_institution")
        .iter()
        .map(|item| text(&item["instCd"]))
        .collect();
    assert_eq!(institutions.len(), 347);
    for source in ["alio_facility", "alio_business"] {
        let listed = items(source);
        assert!(listed.len() > 300, "{source}");
        assert!(
            listed
                .iter()
                .all(|item| institutions.contains(&text(&item["instCd"])))
        );
    }
    let policies = items("policy_programme");
    assert!(policies.iter().all(|item| item["conditions"].is_object()));
}
