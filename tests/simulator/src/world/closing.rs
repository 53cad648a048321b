//! Plants that close for good: the whole staff leaves on one day, and those who may claim do.

use crate::calendar::{Day, NEVER, first_of, next_weekday};
use crate::law::QUALIFYING_CALENDAR_DAYS;
use crate::random::Random;
use crate::scenario::{Scenario, magnitude};
use crate::world::employment::{Cover, Kind};
use crate::world::fraud::Plan;
use crate::world::person::NONE;
use crate::world::{Block, Flow};

/// Plants whose owner reports what closed only months later, from a stream of random numbers of
/// their own.
pub(super) struct LateClosings {
    random: Random,
    due: f64,
}

impl LateClosings {
    pub(super) fn new(scenario: &Scenario, index: u32) -> Self {
        let mut random = Random::new(scenario.seed, 0xc105_0000_0000 + u64::from(index));
        let due = random.unit();
        Self { random, due }
    }
}

impl Block<'_> {
    /// Closings that resemble late reports made for the benefit.
    pub(super) fn stage_late_closings(&mut self, month: i32) {
        if month < self.scenario.start_month {
            return;
        }
        let claims = magnitude::CLAIMS * self.scale;
        self.late_closings.due += claims * 0.001 / 10.0 * self.scenario.fraud_rate;
        while self.late_closings.due >= 1.0 {
            self.late_closings.due -= 1.0;
            std::mem::swap(&mut self.random, &mut self.late_closings.random);
            self.close_plant(month, Plan::ReportsClosingLate);
            std::mem::swap(&mut self.random, &mut self.late_closings.random);
        }
    }

    /// Closings that resemble collusion.
    pub(super) fn stage_closings(&mut self, month: i32) {
        let claims = magnitude::CLAIMS * self.scale;
        for _ in 0..self.fraud_flow(Flow::PlantClosed, claims * 0.004 / 10.0) {
            self.close_plant(month, Plan::PlantClosed);
        }
        for _ in 0..self.fraud_flow(Flow::OneOfSeveralClosed, claims * 0.002 / 10.0) {
            self.close_plant(month, Plan::OneOfSeveralClosed);
        }
    }

    fn close_plant(&mut self, month: i32, plan: Plan) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let plants = self.open_workplaces(from, 1, 8..i32::MAX);
        let Some(plant) = plants.get(self.random.below(plants.len())).copied() else {
            return;
        };
        let last = self.weekday_between(from + 3, to - 12);
        let owner = self.random.below(self.persons.len()) as u32;
        self.register_owner(plant, owner, None);
        self.register_owner(plant, owner, Some(last));
        if plan == Plan::OneOfSeveralClosed {
            // So small that the plant was nearly all the owner had.
            let others = self.open_workplaces(from, 0, 1..3);
            if let Some(other) = others.get(self.random.below(others.len())).copied() {
                self.register_owner(other, owner, None);
                self.move_one(plant, other, last);
            }
        }
        let employer = &mut self.workplaces[plant as usize];
        employer.closed = last;
        let (class, size) = (employer.class, employer.size);
        let opened = self.weekday_between(from, to);
        self.found_workplace(class, size, Some(opened));
        self.let_all_go(plant, last, plan);
    }

    /// Workplaces of a class and of so many insured that have been open for a year.
    fn open_workplaces(&self, on: Day, class: u8, insured: std::ops::Range<i32>) -> Vec<u32> {
        (0..self.workplaces.len() as u32)
            .filter(|index| {
                let one = &self.workplaces[*index as usize];
                one.closed == NEVER
                    && !one.fictitious
                    && one.established < on - 365
                    && one.class == class
                    && insured.contains(&one.insured_now)
            })
            .collect()
    }

    /// One of the staff works for the owner's other business from the next weekday.
    fn move_one(&mut self, plant: u32, other: u32, last: Day) {
        let stays = self.staff_of(plant).into_iter().find(|index| {
            let job = &self.jobs[*index as usize];
            job.insured() && job.first < last && !self.persons[job.person as usize].searching(last)
        });
        let Some(index) = stays else { return };
        let person = self.jobs[index as usize].person;
        self.end_job(index, last, 22);
        self.deliver_spell(index, true);
        let first = next_weekday(last + 1);
        self.start_job(person, other, first, Kind::Regular, Cover::Insured);
    }

    fn let_all_go(&mut self, plant: u32, last: Day, plan: Plan) {
        let reports_late = plan == Plan::ReportsClosingLate;
        let reported = if reports_late {
            last + self.random.between(100, 150)
        } else {
            last + 2
        };
        for index in self.staff_of(plant) {
            let job = &self.jobs[index as usize];
            let (person, who) = (job.person, &self.persons[job.person as usize]);
            if who.searching(last) && who.find_on <= last {
                continue;
            }
            let claims = job.insured()
                && job.first < last
                && !who.searching(last)
                && who.claim == NONE
                && self.insured_days_between(person, last - 547, last) >= QUALIFYING_CALENDAR_DAYS;
            let told_late = reports_late && job.insured();
            if !(claims || told_late) {
                self.separate_job(index, last, 22);
                continue;
            }
            self.end_job(index, last, 22);
            let job = &mut self.jobs[index as usize];
            job.lost_reported = reported.max(job.acquired_reported);
            self.deliver_spell(index, true);
            if !claims {
                self.note_eligible(index);
                continue;
            }
            let known = if reports_late { reported } else { last };
            let applied = next_weekday(known + self.random.between(3, 10));
            self.grant(person, index, applied, plan, NONE);
        }
    }

    fn staff_of(&self, workplace: u32) -> Vec<u32> {
        self.active_jobs
            .iter()
            .copied()
            .filter(|index| {
                let job = &self.jobs[*index as usize];
                job.workplace == workplace && job.last == NEVER
            })
            .collect()
    }
}
