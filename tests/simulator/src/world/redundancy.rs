//! Redundancies beside hires for the same occupation (F06), and honest ones that resemble them.

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::{Day, NEVER, first_of, next_weekday};
use crate::scenario::magnitude;
use crate::world::benefit::Claim;
use crate::world::employment::{Cover, Job, Kind};
use crate::world::fraud::Plan;
use crate::world::person::NONE;
use crate::world::{Block, Flow};

/// Hires of this many days before and after a redundancy stand beside it.
const BEFORE: Day = 30;
const AFTER: Day = 60;
/// Redundancies of this many days before and after belong together.
const TOGETHER: Day = 45;

/// A workplace that always hires for an occupation.
struct HighTurnover {
    workplace: u32,
    occupation: u8,
    /// Month of the first hires.
    since: i32,
}

/// What the redundancies of a block need to remember.
#[derive(Default)]
pub(super) struct Redundancies {
    high_turnover: Vec<HighTurnover>,
    /// Workplaces and occupations that had theirs.
    staged: BTreeSet<(u32, u8)>,
}

impl Block<'_> {
    /// Employers who make people redundant, with and without hires for the same occupation.
    pub(super) fn stage_redundancies(&mut self, month: i32) {
        let claims = magnitude::CLAIMS * self.scale;
        for _ in 0..self.fraud_flow(Flow::Replaced, claims * 0.002 / 4.0) {
            self.stage_redundancy(month, Plan::Replaced);
        }
        for _ in 0..self.fraud_flow(Flow::FewerHired, claims * 0.001 / 4.0) {
            self.stage_redundancy(month, Plan::FewerHired);
        }
        for _ in 0..self.fraud_flow(Flow::UsualTurnover, claims * 0.001 / 4.0) {
            self.begin_high_turnover(month);
        }
        self.turn_over(month);
    }

    fn stage_redundancy(&mut self, month: i32, plan: Plan) {
        let Some((workplace, occupation)) = self.draw_occupation_of_staff(month, 3) else {
            return;
        };
        let made_redundant = self.make_redundant(month, plan, workplace, occupation);
        let hired = if plan == Plan::Replaced {
            self.random.between(made_redundant, 2 * made_redundant)
        } else {
            self.random.between(1, made_redundant - 2)
        };
        self.hire_for(month, workplace, occupation, hired, Kind::Regular);
    }

    /// Begins two years of hires for one occupation of a workplace, on contracts of a few months.
    fn begin_high_turnover(&mut self, month: i32) {
        if let Some((workplace, occupation)) = self.draw_occupation_of_staff(month, 4) {
            self.redundancies.high_turnover.push(HighTurnover {
                workplace,
                occupation,
                since: month,
            });
        }
    }

    /// Hires as every month, and after the first year makes some of those redundant who stayed.
    fn turn_over(&mut self, month: i32) {
        self.redundancies
            .high_turnover
            .retain(|one| month < one.since + 24);
        for position in 0..self.redundancies.high_turnover.len() {
            let one = &self.redundancies.high_turnover[position];
            let (workplace, occupation, since) = (one.workplace, one.occupation, one.since);
            if self.workplaces[workplace as usize].closed != NEVER {
                continue;
            }
            let hired = self.random.between(2, 4);
            self.hire_for(month, workplace, occupation, hired, Kind::FixedTerm);
            if month == since + 12 {
                self.make_redundant(month, Plan::UsualTurnover, workplace, occupation);
            }
        }
    }

    /// A workplace and an occupation in which it has enough staff who could claim, once each.
    fn draw_occupation_of_staff(&mut self, month: i32, at_least: usize) -> Option<(u32, u8)> {
        let mut staff: BTreeMap<(u32, u8), usize> = BTreeMap::new();
        for index in &self.active_jobs {
            let job = &self.jobs[*index as usize];
            let employer = &self.workplaces[job.workplace as usize];
            if employer.closed == NEVER && self.can_be_let_go(*index, month) {
                *staff.entry((job.workplace, job.occupation)).or_default() += 1;
            }
        }
        let staged = &self.redundancies.staged;
        staff.retain(|key, count| *count >= at_least && !staged.contains(key));
        let drawn = self.random.below(staff.len());
        let key = staff.into_keys().nth(drawn)?;
        self.redundancies.staged.insert(key);
        Some(key)
    }

    /// Ends three to five jobs of an occupation on one day, whose holders claim; returns how many.
    fn make_redundant(&mut self, month: i32, plan: Plan, workplace: u32, occupation: u8) -> i32 {
        let count = self.random.between(3, 5) as usize;
        let staff: Vec<u32> = self
            .active_jobs
            .iter()
            .copied()
            .filter(|index| {
                let job = &self.jobs[*index as usize];
                job.workplace == workplace
                    && job.occupation == occupation
                    && self.can_be_let_go(*index, month)
            })
            .take(count)
            .collect();
        if staff.len() < 3 {
            return 0;
        }
        let from = first_of(month);
        let last = self.weekday_between(from + 2, from + 9);
        for index in &staff {
            self.end_job(*index, last, 23);
            let job = &mut self.jobs[*index as usize];
            job.lost_reported = (last + 2).max(job.acquired_reported);
            let person = job.person;
            self.deliver_spell(*index, true);
            let applied = next_weekday(last + self.random.between(3, 8));
            self.grant(person, *index, applied, plan, NONE);
        }
        staff.len() as i32
    }

    /// Whether the holder of a job has worked long enough for a claim and has nothing else ahead.
    pub(super) fn can_be_let_go(&self, index: u32, month: i32) -> bool {
        let (from, job) = (first_of(month), &self.jobs[index as usize]);
        let who = &self.persons[job.person as usize];
        job.insured()
            && job.last == NEVER
            && !job.fictitious
            && from - job.first > 240
            && !who.searching(from)
            && who.claim == NONE
    }

    /// Hires for an occupation in a month, from those who were not at work.
    fn hire_for(&mut self, month: i32, workplace: u32, occupation: u8, count: i32, kind: Kind) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let free = self.draw_idle(4 * count as usize, from, [0.3, 1.2, 1.2, 1.0, 0.3, 0.0]);
        let hired: Vec<u32> = free
            .into_iter()
            .filter(|person| {
                let who = &self.persons[*person as usize];
                let worked_there =
                    who.last_job != NONE && self.jobs[who.last_job as usize].workplace == workplace;
                who.worked_until < from && who.age(from) < 64 && !worked_there
            })
            .take(count as usize)
            .collect();
        for person in hired {
            self.persons[person as usize].occupation = occupation;
            let first = self.weekday_between(from, to);
            let index = self.start_job(person, workplace, first, kind, Cover::Insured);
            if kind == Kind::FixedTerm {
                let months = self.random.between(4, 8);
                self.jobs[index as usize].contract_end = first_of(month + months) - 1;
            }
        }
    }

    /// Whether as many others were hired for the occupation as were made redundant, and their
    /// acquisitions were reported by a day.
    pub(super) fn replaced_by(&self, claim: &Claim, reported: Day) -> bool {
        let made_redundant = self
            .claims
            .iter()
            .filter(|other| {
                other.plan == Plan::Replaced
                    && self.is_beside(claim, &self.jobs[other.job as usize])
                    && (other.separated - claim.separated).abs() <= TOGETHER
            })
            .count();
        self.hired_beside(claim, reported) >= made_redundant
    }

    /// Tells which redundancies had fewer hires beside them, now that all hires are known: an
    /// employer who meant to hire fewer may have come to as many in the ordinary way.
    pub(super) fn note_fewer_hired(&mut self) {
        for index in 0..self.claims.len() as u32 {
            let claim = &self.claims[index as usize];
            let (applied, end) = (claim.applied, claim.expected_end);
            if claim.plan == Plan::FewerHired
                && self.hired_beside(claim, NEVER) < self.let_go(claim)
            {
                self.note_look_alike(index, "F06", "fewer_hired", applied, end);
            }
        }
    }

    fn is_beside(&self, claim: &Claim, other: &Job) -> bool {
        let job = &self.jobs[claim.job as usize];
        other.workplace == job.workplace && other.occupation == job.occupation
    }

    /// People hired for the occupation around a separation, reported by a day.
    fn hired_beside(&self, claim: &Claim, reported: Day) -> usize {
        let around = claim.separated - BEFORE..=claim.separated + AFTER;
        let hired: BTreeSet<u32> = self
            .jobs
            .iter()
            .filter(|other| self.is_beside(claim, other))
            .filter(|other| {
                other.insured()
                    && around.contains(&other.first)
                    && other.acquired_reported <= reported
            })
            .map(|other| other.person)
            .collect();
        hired.len()
    }

    /// People made redundant in the occupation around a separation, whether they claim or not.
    fn let_go(&self, claim: &Claim) -> usize {
        let around = claim.separated - TOGETHER..=claim.separated + TOGETHER;
        let let_go: BTreeSet<u32> = self
            .jobs
            .iter()
            .filter(|other| self.is_beside(claim, other))
            .filter(|other| other.insured() && other.reason == 23 && around.contains(&other.last))
            .map(|other| other.person)
            .collect();
        let_go.len()
    }
}
