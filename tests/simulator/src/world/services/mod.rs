//! Records that the employment services keep of people and firms whose fate is already played:
//! support paid, counselling, agencies, feedback, the private portals' ads, and what public
//! interfaces answer.
//!
//! Everything here is written when the block is finished and draws from a stream of its own, so
//! no other delivery depends on it.

mod ad_text;
pub(super) mod guidance;
mod portal;
mod support;

use std::collections::BTreeMap;

use crate::calendar::{Day, first_of};
use crate::random::Random;
use crate::world::Block;
use crate::world::person::{Activity, NONE};
use crate::world::vacancy_text::Notice;

/// A registration, as counsellors look it up.
pub(super) struct Registration {
    pub number: [u8; 13],
    pub person: u32,
    pub on: Day,
    pub closed_on: Day,
    pub occupation: u8,
    /// A benefit is paid or about to be.
    pub has_benefit: bool,
}

/// A vacancy on the day it was opened.
pub(super) struct Offer {
    pub number: [u8; 13],
    pub workplace: u32,
    pub occupation: u8,
    pub opened: Day,
    pub closes: Day,
    pub openings: u8,
    /// The day on which the last opening was filled.
    pub filled: Option<Day>,
    pub notice: Notice,
}

/// A run of a training course.
pub(super) struct Course {
    pub number: [u8; 13],
    pub title: String,
    pub institution: String,
    /// Index in the reference's places.
    pub place: u16,
    pub fee_won: i64,
    pub starts: Day,
    pub ends: Day,
}

/// A registration of a business as the tax office last wrote it down.
pub(super) struct Registered {
    pub opened: Day,
    pub closed: Option<Day>,
}

/// What is noted while the block is played; noting draws nothing.
#[derive(Default)]
pub(super) struct ServiceLog {
    pub registrations: Vec<Registration>,
    /// By the ordinals of their numbers.
    pub offers: Vec<Offer>,
    pub courses: Vec<Course>,
    /// By business number.
    pub businesses: BTreeMap<[u8; 10], Registered>,
    /// Persons who lived on contracts in the months in which emergency support was paid.
    emergencies: Vec<(u8, i32, Vec<u32>)>,
}

/// Rounds of emergency support by delivered month, counted from 0: the recession begins with the
/// fourteenth.
const EMERGENCY_ROUNDS: [(u8, i32); 4] = [(1, 1), (2, 7), (3, 15), (4, 18)];

impl Block<'_> {
    /// Notes at the end of a month what cannot be told afterwards.
    pub(super) fn note_services(&mut self, month: i32) {
        let since = month - self.scenario.start_month;
        for (round, in_month) in EMERGENCY_ROUNDS {
            if since == in_month {
                let on_contracts = self
                    .contracts
                    .iter()
                    .map(|contract| contract.person())
                    .filter(|person| {
                        self.persons[*person as usize].activity == Activity::Contractor
                    })
                    .collect();
                self.service_log
                    .emergencies
                    .push((round, month, on_contracts));
            }
        }
    }

    /// Writes the records of all services.
    pub(super) fn record_services(&mut self) {
        let ordinary = std::mem::replace(
            &mut self.random,
            Random::new(self.scenario.seed, 0x5e7c_0000_0000 + u64::from(self.index)),
        );
        let log = std::mem::take(&mut self.service_log);
        self.record_subsidies();
        self.record_emergency_support(&log.emergencies);
        self.record_guidance(&log.registrations);
        self.record_portal_ads(&log.offers);
        self.random = Random::new(self.scenario.seed, 0x5e7d_0000_0000 + u64::from(self.index));
        self.answer_interfaces(&log);
        self.random = ordinary;
    }

    /// The first insured job that starts within 180 days of a day: workplace, first and last day.
    fn next_insured_job(&self, person: u32, on: Day) -> Option<(u32, Day, Day)> {
        let mut found = None;
        let mut index = self.persons[person as usize].last_job;
        while index != NONE {
            let job = &self.jobs[index as usize];
            if job.insured() && !job.fictitious && job.first > on && job.first <= on + 180 {
                found = Some((job.workplace, job.first, job.last));
            }
            index = job.previous;
        }
        found
    }

    /// The last day played.
    fn last_day(&self) -> Day {
        first_of(self.scenario.start_month + self.scenario.months as i32) - 1
    }
}

/// A date with hyphens, as the portals write it.
fn dashed(on: Day) -> String {
    crate::deliver::iso(on)
}
