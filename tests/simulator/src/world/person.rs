use std::collections::BTreeMap;

use crate::calendar::{Day, NEVER, age_on};
use crate::identity::{SAME_BIRTHDAY, first_number_without_check, person_name, resident_number};
use crate::random::splitmix;
use crate::reference::cp949;
use crate::world::Block;
use crate::world::search::Search;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// What a person mainly does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// No paid work: children, pupils, homemakers, retired and jobless persons.
    Idle,
    /// Employed by a workplace, insured or not.
    Wage,
    /// Civil servant or teacher, exempt from the insurance.
    Civil,
    /// Works by the day.
    Daily,
    /// Contractor, artist or platform worker.
    Contractor,
    /// Own-account self-employed.
    Owner,
    /// Conscript.
    Service,
}

/// A resident.
pub(super) struct Person {
    pub birth: Day,
    pub rrn: [u8; 13],
    pub male: bool,
    pub household: u32,
    pub member: u8,
    /// Index in the block's places.
    pub place: u8,
    /// 0 middle … 4 graduate.
    pub education: u8,
    pub licences: u8,
    pub occupation: u8,
    pub career_months: i32,
    pub child_at_home: bool,
    /// Log wage not explained by anything recorded.
    pub ability: f64,
    /// Log of the job-finding hazard not explained by anything recorded.
    pub drive: f64,
    /// Log of the quit hazard.
    pub restless: f64,
    /// Works by season and claims often.
    pub seasonal: bool,
    pub activity: Activity,
    pub job: u32,
    pub last_job: u32,
    pub claim: u32,
    /// Last day on which the person was in work, and so the first day free is the next.
    pub worked_until: Day,
    pub last_claim_separation: Day,
    /// Last day of the 180 days after the latest registration.
    pub window_end: Day,
    pub registered: Day,
    pub search: Search,
    /// Day the next insured job starts when it lies within the window.
    pub find_on: Day,
    /// Daily workers: share of months worked.
    pub daily_share: f64,
    pub daily_year: i32,
    /// Last day of the latest stay abroad.
    pub abroad_until: Day,
    /// Day of the latest certification of a benefit.
    pub certified_until: Day,
    pub name: Box<[u8]>,
}

impl Person {
    pub(super) fn age(&self, on: Day) -> i32 {
        age_on(self.birth, on)
    }

    /// Whether a registration of less than 180 days ago rules what insured job comes next.
    pub(super) fn searching(&self, on: Day) -> bool {
        self.window_end >= on
    }
}

/// Five-year age groups from 0, per cent of residents; the last is 85 and over.
const AGE_GROUPS: [f64; 18] = [
    2.6, 3.6, 4.5, 4.4, 5.4, 6.8, 6.8, 6.4, 7.6, 7.7, 8.6, 8.2, 8.2, 6.6, 4.5, 3.4, 2.6, 2.1,
];

/// Sigungu of one block.
const PLACES: usize = 8;

impl Block<'_> {
    pub(super) fn settle_persons(&mut self, count: usize) {
        // A golden-ratio sequence spreads the sigungu of successive blocks evenly over the
        // population, so that few blocks already look like the country.
        let start = (splitmix(self.scenario.seed) % 1000) as f64 / 1000.0;
        for position in 0..PLACES {
            let step = f64::from(self.index) * PLACES as f64 + position as f64;
            let point = (start + step * 0.618_033_988_749_895).fract();
            self.places.push(self.scenario.reference.place_at(point));
        }
        let ages = self.ages_in_days(count);
        let mut birthdays: BTreeMap<(Day, bool, bool), u32> = BTreeMap::new();
        let occupation_weights: Vec<f64> = self
            .scenario
            .reference
            .occupations
            .iter()
            .map(|one| one.weight)
            .collect();
        let (mut household, mut member, mut size, mut place) = (0, 0, 0, 0);
        for age_in_days in ages {
            if member == size {
                household += 1;
                member = 0;
                size = 1 + self.random.weighted(&[35.0, 29.0, 19.0, 13.0, 4.0]) as u8;
                place = self.random.below(PLACES) as u8;
            }
            let male = self.random.chance(0.498);
            let foreigner = self.random.chance(0.037);
            let mut birth = self.scenario.first_day - age_in_days;
            let ordinal = loop {
                let taken = birthdays.entry((birth, male, foreigner)).or_default();
                if *taken < SAME_BIRTHDAY {
                    *taken += 1;
                    break *taken - 1;
                }
                birth -= 1;
            };
            let reissued = self.random.chance(if foreigner { 0.25 } else { 0.003 });
            let rrn = resident_number(
                self.scenario.seed,
                self.index,
                ordinal,
                birth,
                male,
                foreigner,
                birth < first_number_without_check() && !reissued,
            );
            let age = age_in_days / 365;
            let ability = self.random.normal();
            let education = self.education(age, ability);
            let occupation = self.random.weighted(&occupation_weights) as u8;
            let career = if age > 22 {
                self.random.unit() * f64::from((age - 20).min(35)) * 12.0
            } else {
                0.0
            };
            let licences =
                [0.3, 0.8, 1.2, 1.0, 0.8][education as usize] * self.random.exponential();
            let licences = self.random.round(licences) as u8;
            let name = cp949(&person_name(&mut self.random)).into_boxed_slice();
            self.persons.push(Person {
                birth,
                rrn,
                male,
                household,
                member,
                place,
                education,
                licences,
                occupation,
                career_months: career as i32,
                child_at_home: (28..44).contains(&age) && self.random.chance(0.45),
                ability,
                drive: 0.65 * self.random.normal(),
                restless: 0.4 * self.random.normal(),
                seasonal: self.random.chance(0.05),
                activity: Activity::Idle,
                job: NONE,
                last_job: NONE,
                claim: NONE,
                worked_until: self.scenario.first_day - 1 - self.random.between(30, 900),
                last_claim_separation: i32::MIN / 2,
                window_end: i32::MIN / 2,
                registered: i32::MIN / 2,
                search: Search::default(),
                find_on: NEVER,
                daily_share: 0.0,
                daily_year: 0,
                abroad_until: i32::MIN / 2,
                certified_until: i32::MIN / 2,
                name,
            });
            member += 1;
        }
    }

    /// Ages in days, stratified so that every block has the age structure of the nation.
    fn ages_in_days(&mut self, count: usize) -> Vec<i32> {
        let total: f64 = AGE_GROUPS.iter().sum();
        let mut ages = Vec::with_capacity(count);
        for position in 0..count {
            let mut point = (position as f64 + self.random.unit()) / count as f64 * total;
            let mut group = 0;
            while group + 1 < AGE_GROUPS.len() && point >= AGE_GROUPS[group] {
                point -= AGE_GROUPS[group];
                group += 1;
            }
            let years = if group + 1 == AGE_GROUPS.len() {
                85.0 + 14.0 * self.random.unit() * self.random.unit()
            } else {
                5.0 * (group as f64 + point / AGE_GROUPS[group])
            };
            ages.push((years * 365.25) as i32);
        }
        self.random.shuffle(&mut ages);
        ages
    }

    fn education(&mut self, age: i32, ability: f64) -> u8 {
        let weights = match age {
            i32::MIN..=17 => return 0,
            18..=39 => [0.02, 0.28, 0.20, 0.44, 0.06],
            40..=59 => [0.10, 0.40, 0.17, 0.27, 0.06],
            _ => [0.48, 0.36, 0.05, 0.09, 0.02],
        };
        let drawn = self.random.weighted(&weights) as f64 + 0.5 * ability;
        drawn.round().clamp(0.0, 4.0) as u8
    }
}
