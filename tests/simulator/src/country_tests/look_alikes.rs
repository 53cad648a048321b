//! Redundancies beside hires, and honest conduct that looks like a ring, in a country with many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::{Country, date, play_at_rate, rows, truth};

fn country() -> &'static Country {
    static COUNTRY: OnceLock<Country> = OnceLock::new();
    COUNTRY.get_or_init(|| play_at_rate(100_000, 24, 2, 20_240_801, 10.0))
}

struct ClaimRow {
    rrn: String,
    separated: i32,
    workplace: String,
}

fn claims() -> BTreeMap<String, ClaimRow> {
    rows(country(), "ei_benefit_claim")
        .into_iter()
        .map(|row| {
            let claim = ClaimRow {
                rrn: row[1].clone(),
                separated: date(&row[3]),
                workplace: row[4].clone(),
            };
            (row[0].clone(), claim)
        })
        .collect()
}

/// Claims that were told honest for a reason.
fn told(reason: &str) -> Vec<String> {
    truth(country(), "look_alikes.csv")
        .into_iter()
        .filter(|row| row[2] == reason)
        .map(|row| row[0].clone())
        .collect()
}

/// The first days of others in an occupation of a workplace, by person.
type Hires = BTreeMap<(String, String), BTreeMap<String, BTreeSet<i32>>>;

/// Claimants who left a workplace together, with the hires for their occupation there.
struct Leavers {
    separated: i32,
    persons: BTreeSet<String>,
    hired: Vec<i32>,
}

impl Leavers {
    fn hired_between(&self, from: i32, to: i32) -> usize {
        let days = self.separated + from..=self.separated + to;
        self.hired.iter().filter(|day| days.contains(day)).count()
    }

    fn hired_beside(&self) -> usize {
        self.hired_between(-30, 60)
    }
}

fn is_day(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Groups of three and more among the claims.
fn leavers(of: &[String]) -> Vec<Leavers> {
    let claims = claims();
    let mut hires = Hires::new();
    let mut occupations = BTreeMap::new();
    for row in rows(country(), "ei_insured_spell") {
        if !is_day(&row[2]) {
            continue;
        }
        let key = (row[1].clone(), row[7].clone());
        let days = hires.entry(key).or_default().entry(row[0].clone());
        days.or_default().insert(date(&row[2]));
        if is_day(&row[3]) {
            let job = (row[0].clone(), row[1].clone(), date(&row[3]) - 1);
            occupations.insert(job, row[7].clone());
        }
    }
    let mut groups: BTreeMap<(String, String, i32), BTreeSet<String>> = BTreeMap::new();
    for claim in of.iter().filter_map(|claim| claims.get(claim)) {
        let job = (claim.rrn.clone(), claim.workplace.clone(), claim.separated);
        if let Some(occupation) = occupations.get(&job) {
            let key = (claim.workplace.clone(), occupation.clone(), claim.separated);
            groups.entry(key).or_default().insert(claim.rrn.clone());
        }
    }
    groups
        .into_iter()
        .filter(|(_, persons)| persons.len() >= 3)
        .map(|((workplace, occupation, separated), persons)| Leavers {
            separated,
            hired: hires[&(workplace, occupation)]
                .iter()
                .filter(|(person, _)| !persons.contains(*person))
                .flat_map(|(_, days)| days.iter().copied())
                .collect(),
            persons,
        })
        .collect()
}

/// At least nine of ten hold, the others stand at the edges or in rows with input errors.
fn assert_most(groups: &[Leavers], holds: impl Fn(&Leavers) -> bool) {
    let count = groups.iter().filter(|group| holds(group)).count();
    let seen: Vec<_> = groups
        .iter()
        .map(|group| (group.persons.len(), group.hired_beside()))
        .collect();
    assert!(
        groups.len() >= 5 && count * 10 >= groups.len() * 9,
        "{seen:?}"
    );
}

#[test]
fn every_kind_of_look_alike_is_planted() {
    let planted: BTreeSet<(String, String)> = truth(country(), "look_alikes.csv")
        .into_iter()
        .map(|row| (row[1].clone(), row[2].clone()))
        .collect();
    let expected = [
        ("F01", "declared_daily_work"),
        ("F01", "declared_work"),
        ("F02", "declared_work"),
        ("F03", "back_before_certification"),
        ("F03", "returned_that_day"),
        ("F03", "visit_then_departure"),
        ("F04", "reserve_training"),
        ("F05", "one_of_several_closed"),
        ("F05", "plant_closed"),
        ("F05", "seasonal_closure"),
        ("F06", "documented_correction"),
        ("F06", "fewer_hired"),
        ("F06", "usual_turnover"),
        ("F07", "statements_filed_late"),
        ("F08", "single_late_report"),
        ("F09", "declared_preparation"),
        ("F10", "centre_kiosk"),
        ("F10", "family_account"),
        ("F10", "family_device"),
        ("F10", "library_computer"),
        ("F11", "approved_secondment"),
    ]
    .map(|(typology, reason)| (typology.to_owned(), reason.to_owned()));
    assert_eq!(planted, BTreeSet::from(expected));
}

#[test]
fn as_many_are_hired_beside_a_fraudulent_redundancy_as_were_let_go() {
    let proven: Vec<String> = truth(country(), "fraud.csv")
        .into_iter()
        .filter(|row| row[1] == "F06" && row[7] == "1")
        .inspect(|row| assert!(row[6].is_empty(), "redundant together are no ring: {row:?}"))
        .map(|row| row[0].clone())
        .collect();
    assert_most(&leavers(&proven), |group| {
        (3..=5).contains(&group.persons.len()) && group.hired_beside() >= group.persons.len()
    });
}

#[test]
fn fewer_are_hired_beside_an_honest_redundancy() {
    assert_most(&leavers(&told("fewer_hired")), |group| {
        (1..group.persons.len()).contains(&group.hired_beside())
    });
}

#[test]
fn where_turnover_is_high_as_many_are_hired_at_any_time() {
    assert_most(&leavers(&told("usual_turnover")), |group| {
        let (before, beside) = (group.hired_between(-121, -31), group.hired_beside());
        beside >= group.persons.len() && before >= 4 && beside <= 2 * before
    });
}

#[test]
fn the_day_a_plant_closes_stands_in_both_registers() {
    let claims = claims();
    let mut closed = BTreeSet::new();
    for row in rows(country(), "ei_workplace") {
        if let Some(day) = row.iter().rev().nth(1).filter(|day| is_day(day)) {
            closed.insert((row[0].clone(), date(day)));
        }
    }
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut closed_by = BTreeMap::new();
    for row in rows(country(), "nts_business_registration") {
        owners
            .entry(row[1].clone())
            .or_default()
            .insert(row[0].clone());
        if is_day(&row[4]) {
            closed_by.insert((row[0].clone(), date(&row[4])), row[1].clone());
        }
    }
    for (reason, is_one_of_several) in [("plant_closed", false), ("one_of_several_closed", true)] {
        let told = told(reason);
        let mut registered = 0;
        let mut several = 0;
        for claim in told.iter().map(|claim| &claims[claim]) {
            let business = claim.workplace[..10].to_owned();
            let owner = closed_by.get(&(business, claim.separated));
            let day = (claim.workplace.clone(), claim.separated);
            registered += usize::from(closed.contains(&day) && owner.is_some());
            several += usize::from(owner.is_some_and(|owner| owners[owner].len() > 1));
        }
        assert!(told.len() >= 30, "{reason}: {}", told.len());
        assert!(registered * 10 >= told.len() * 9, "{reason}: {registered}");
        assert_eq!(several * 2 > told.len(), is_one_of_several, "{several}");
    }
}

#[test]
fn many_use_the_computer_of_a_library_and_each_has_an_account() {
    let told: BTreeSet<String> = told("library_computer").into_iter().collect();
    let mut users: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in rows(country(), "ei_certification") {
        if told.contains(&row[0]) && !row[14].is_empty() {
            let users = users.entry(row[14].clone()).or_default();
            users.insert(row[0].clone(), row[13].clone());
        }
    }
    let many = users.values().filter(|users| users.len() >= 4).count();
    assert!(many >= 5, "{users:?}");
    for users in users.values() {
        let accounts: BTreeSet<&String> = users.values().collect();
        assert!(accounts.len() * 10 >= users.len() * 9, "{users:?}");
    }
}

#[test]
fn some_come_back_when_the_season_opens_and_some_when_the_benefit_has_ended() {
    let claims = claims();
    let mut acquired: BTreeMap<(String, String), BTreeSet<i32>> = BTreeMap::new();
    for row in rows(country(), "ei_insured_spell") {
        if is_day(&row[2]) {
            let key = (row[0].clone(), row[1].clone());
            acquired.entry(key).or_default().insert(date(&row[2]));
        }
    }
    let (mut at_reopening, mut after_benefit) = (0, 0);
    for claim in told("seasonal_closure").iter().map(|claim| &claims[claim]) {
        let key = (claim.rrn.clone(), claim.workplace.clone());
        let back = acquired.get(&key).and_then(|days| {
            let waits = days.iter().map(|day| day - claim.separated);
            waits.filter(|wait| *wait > 0).min()
        });
        match back {
            // A weekday from the day after the quarter on which the plant was to be closed.
            Some(93..=95) => at_reopening += 1,
            Some(125..) => after_benefit += 1,
            _ => {}
        }
    }
    assert!(
        at_reopening >= 10 && after_benefit >= 10,
        "{at_reopening} {after_benefit}"
    );
}
