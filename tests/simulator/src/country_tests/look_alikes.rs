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
        ("F07", "paid_on_leaving"),
        ("F07", "statements_filed_late"),
        ("F08", "closing_reported_late"),
        ("F08", "single_late_report"),
        ("F09", "declared_preparation"),
        ("F10", "centre_kiosk"),
        ("F10", "family_account"),
        ("F10", "family_device"),
        ("F10", "family_in_two_households"),
        ("F10", "institution_account"),
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

/// What a claim was certified with: accounts and devices.
#[derive(Default)]
struct Access {
    accounts: BTreeSet<String>,
    devices: BTreeSet<String>,
}

fn access() -> BTreeMap<String, Access> {
    let mut access: BTreeMap<String, Access> = BTreeMap::new();
    for row in rows(country(), "ei_certification") {
        let one = access.entry(row[0].clone()).or_default();
        one.accounts.insert(row[13].clone());
        if !row[14].is_empty() {
            one.devices.insert(row[14].clone());
        }
    }
    access
}

/// Claims of look-alikes by the account they are paid to.
fn by_account(reason: &str) -> Vec<Vec<String>> {
    let access = access();
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for claim in told(reason) {
        for account in access.get(&claim).into_iter().flat_map(|one| &one.accounts) {
            claims
                .entry(account.clone())
                .or_default()
                .push(claim.clone());
        }
    }
    claims.into_values().collect()
}

#[test]
fn a_ring_may_share_a_device_and_nothing_else() {
    let (access, claims) = (access(), claims());
    let mut rings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in truth(country(), "fraud.csv") {
        if row[6].contains("-device-") {
            assert_eq!(row[1], "F10");
            rings
                .entry(row[6].clone())
                .or_default()
                .push(row[0].clone());
        }
    }
    // Who was not paid yet is none of the truth's.
    let whole = rings.values().filter(|members| members.len() >= 4).count();
    assert!(whole >= 5 && whole * 5 >= rings.len() * 4, "{rings:?}");
    for (ring, members) in &rings {
        let of = |values: fn(&Access) -> &BTreeSet<String>| -> BTreeSet<&String> {
            let members = members.iter().filter_map(|claim| access.get(claim));
            members.flat_map(values).collect()
        };
        assert!(members.len() <= 7, "{ring}: {members:?}");
        assert!(of(|one| &one.devices).len() <= 1, "{ring}");
        assert_eq!(of(|one| &one.accounts).len(), members.len(), "{ring}");
        let separated: BTreeSet<(&String, i32)> = members
            .iter()
            .filter_map(|claim| claims.get(claim))
            .map(|claim| (&claim.workplace, claim.separated))
            .collect();
        assert!(separated.len() * 2 > members.len(), "{ring}: {separated:?}");
    }
}

#[test]
fn residents_of_an_institution_come_over_time_from_many_employers() {
    let (access, claims) = (access(), claims());
    let institutions = by_account("institution_account");
    assert!(!institutions.is_empty());
    for residents in institutions {
        let known: Vec<&ClaimRow> = residents.iter().filter_map(|one| claims.get(one)).collect();
        let employers: BTreeSet<&String> = known.iter().map(|claim| &claim.workplace).collect();
        let devices: BTreeSet<&String> = residents
            .iter()
            .flat_map(|one| &access[one].devices)
            .collect();
        let separated = known.iter().map(|claim| claim.separated);
        let span = separated.clone().max().unwrap() - separated.min().unwrap();
        assert!(residents.len() >= 10, "{residents:?}");
        assert!(
            employers.len() * 10 >= residents.len() * 9,
            "{} {}",
            employers.len(),
            residents.len()
        );
        // Some have certified in person so far.
        assert!(
            devices.len() * 3 >= residents.len(),
            "{} {}",
            devices.len(),
            residents.len()
        );
        assert!(span > 365, "{span}");
    }
}

#[test]
fn the_register_has_a_family_as_two_households_at_one_address() {
    let claims = claims();
    let mut registered = BTreeMap::new();
    for row in rows(country(), "mois_household") {
        registered.insert(row[0].clone(), (row[1].clone(), row[2].clone()));
    }
    let families = by_account("family_in_two_households");
    let whole: Vec<_> = families.iter().filter(|one| one.len() >= 3).collect();
    assert!(whole.len() >= 2, "{families:?}");
    for family in whole {
        let homes = family.iter().filter_map(|claim| claims.get(claim));
        let homes = homes.filter_map(|claim| registered.get(&claim.rrn));
        let (households, addresses): (BTreeSet<_>, BTreeSet<_>) = homes.cloned().unzip();
        assert_eq!((households.len(), addresses.len()), (2, 1), "{family:?}");
    }
}

#[test]
fn a_closing_is_reported_late_at_once_and_the_tax_office_knew() {
    let claims = claims();
    let told: BTreeSet<String> = told("closing_reported_late").into_iter().collect();
    let mut closed = BTreeSet::new();
    for row in rows(country(), "nts_business_registration") {
        if is_day(&row[4]) {
            closed.insert((row[0].clone(), date(&row[4])));
        }
    }
    let mut reported = BTreeMap::new();
    for row in rows(country(), "ei_insured_spell") {
        let days = (is_day(&row[3]), row.last().filter(|day| is_day(day)));
        if let (true, Some(day)) = days {
            reported.insert((row[0].clone(), row[1].clone()), date(day));
        }
    }
    let (mut known, mut claimed) = (0, 0);
    let mut days: BTreeMap<&String, BTreeSet<i32>> = BTreeMap::new();
    for claim in told.iter().filter_map(|claim| claims.get(claim)) {
        if let Some(day) = reported.get(&(claim.rrn.clone(), claim.workplace.clone())) {
            let waited = day - claim.separated;
            assert!((100..=150).contains(&waited), "{waited}");
            days.entry(&claim.workplace).or_default().insert(*day);
        }
        claimed += 1;
        known += usize::from(closed.contains(&(claim.workplace[..10].to_owned(), claim.separated)));
    }
    assert!(days.values().all(|days| days.len() == 1), "{days:?}");
    assert!(told.len() >= 5, "{told:?}");
    assert!(known * 10 >= claimed * 9, "{known} of {claimed}");
}

#[test]
fn who_is_paid_on_leaving_has_statements_of_that_day_for_all_months() {
    let claims = claims();
    let mut paid: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in rows(country(), "nts_wage_statement") {
        let key = (row[0].clone(), row[1].clone());
        paid.entry(key).or_default().insert(row[2].clone());
    }
    let mut with_statements = 0;
    for claim in told("paid_on_leaving")
        .iter()
        .filter_map(|claim| claims.get(claim))
    {
        let key = (claim.rrn.clone(), claim.workplace[..10].to_owned());
        let Some(months) = paid.get(&key) else {
            continue;
        };
        let (year, month, _) = crate::calendar::civil(claim.separated + 14);
        assert_eq!(months.len(), 1, "{months:?}");
        assert!(
            months.contains(&format!("{year}{month:02}")),
            "{months:?} {year} {month}"
        );
        with_statements += 1;
    }
    assert!(with_statements >= 10, "{with_statements}");
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
