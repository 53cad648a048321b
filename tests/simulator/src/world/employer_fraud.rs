//! Frauds that begin with an employer, and what resembles them.

use crate::calendar::{Day, NEVER, first_of, next_weekday};
use crate::random::splitmix;
use crate::scenario::magnitude;
use crate::world::employment::{Cover, Kind};
use crate::world::fraud::Plan;
use crate::world::person::NONE;
use crate::world::{Block, Flow};

impl Block<'_> {
    /// Frauds that begin with an employer.
    pub(super) fn stage_frauds(&mut self, month: i32) {
        let claims = magnitude::CLAIMS * self.scale;
        for _ in 0..self.fraud_flow(Flow::Collusion, claims * 0.004 / 5.0) {
            self.lay_off_together(month, Plan::Collusion, 23);
        }
        for _ in 0..self.fraud_flow(Flow::Seasonal, claims * 0.006 / 5.0) {
            self.lay_off_together(month, Plan::Seasonal, 32);
        }
        for _ in 0..self.fraud_flow(Flow::LateLoss, claims * 0.002 / 3.0) {
            self.lay_off_together(month, Plan::LateLoss, 23);
        }
        for _ in 0..self.fraud_flow(Flow::ReasonChanged, claims * 0.004) {
            self.change_reason(Plan::ReasonChanged);
        }
        for _ in 0..self.fraud_flow(Flow::Corrected, claims * 0.005) {
            self.change_reason(Plan::Corrected);
        }
        for _ in 0..self.fraud_flow(Flow::Fictitious, claims * 0.004 / 4.0) {
            self.employ_by_plan(month, false);
        }
        for _ in 0..self.fraud_flow(Flow::FilesLate, claims * 0.002 / 4.0) {
            self.employ_by_plan(month, true);
        }
        self.end_planned_employment(month);
    }

    fn lay_off_together(&mut self, month: i32, plan: Plan, reason: u8) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        for _ in 0..30 {
            let workplace = self.random.below(self.workplaces.len()) as u32;
            let employer = &self.workplaces[workplace as usize];
            if employer.closed != NEVER || employer.insured_now < 6 || employer.class == 2 {
                continue;
            }
            let staff: Vec<u32> = self
                .active_jobs
                .iter()
                .copied()
                .filter(|index| {
                    self.jobs[*index as usize].workplace == workplace
                        && self.can_be_let_go(*index, month)
                })
                .take(5)
                .collect();
            if staff.len() < 3 {
                continue;
            }
            if plan == Plan::LateLoss {
                self.report_losses_late(&staff[..3], from, to);
                return;
            }
            let last = self.weekday_between(from + 3, to - 12);
            let ring = self.claims.len() as u32;
            if plan == Plan::Seasonal {
                self.deliver_closure(workplace, last);
            }
            for index in staff {
                self.end_job(index, last, reason);
                let job = &mut self.jobs[index as usize];
                job.lost_reported = (last + 2).max(job.acquired_reported);
                let person = job.person;
                self.deliver_spell(index, true);
                let applied = next_weekday(last + self.random.between(3, 8));
                self.grant(person, index, applied, plan, ring);
            }
            return;
        }
    }

    /// Staff who leave in one month, whose employer reports it a season later, and who claim then.
    fn report_losses_late(&mut self, staff: &[u32], from: Day, to: Day) {
        let ring = self.claims.len() as u32;
        for index in staff {
            let last = self.weekday_between(from + 3, to - 3);
            self.end_job(*index, last, 23);
            let reported = last + self.random.between(100, 170);
            let job = &mut self.jobs[*index as usize];
            job.lost_reported = reported;
            let person = job.person;
            self.deliver_spell(*index, true);
            self.grant(
                person,
                *index,
                next_weekday(reported + 4),
                Plan::LateLoss,
                ring,
            );
        }
    }

    fn change_reason(&mut self, plan: Plan) {
        let quits: Vec<u32> = self
            .ended_jobs
            .iter()
            .copied()
            .filter(|index| {
                let job = &self.jobs[*index as usize];
                let who = &self.persons[job.person as usize];
                job.insured()
                    && job.reason == 11
                    && who.job == NONE
                    && who.claim == NONE
                    && !who.searching(job.last)
                    && job.lost_reported - job.last < 60
                    && self.insured_days_between(job.person, job.last - 547, job.last)
                        >= crate::law::QUALIFYING_CALENDAR_DAYS
            })
            .collect();
        let Some(index) = quits.get(self.random.below(quits.len())).copied() else {
            return;
        };
        let wait = if plan == Plan::Corrected {
            4
        } else {
            self.random.between(25, 55)
        };
        let job = &mut self.jobs[index as usize];
        job.reason = if plan == Plan::Corrected { 32 } else { 23 };
        let (person, reported, reason) = (job.person, job.lost_reported + wait, job.reason);
        self.deliver_spell_as(index, true, reason, reported);
        let documents: [&[u8]; 3] = [b"contract", b"resignation_letter", b"ruling"];
        let document = if plan == Plan::Corrected {
            documents[self.random.below(3)]
        } else {
            b"none"
        };
        self.deliver_correction(index, 11, reported, document);
        self.grant(person, index, next_weekday(reported + 3), plan, NONE);
    }

    /// A new firm whose staff leaves after seven months: on paper only, or a real one that files
    /// its wage statements late.
    fn employ_by_plan(&mut self, month: i32, files_late: bool) {
        let from = first_of(month);
        let workplace = self.found_workplace(0, 1.0, Some(from - 20));
        let employer = &mut self.workplaces[workplace as usize];
        employer.fictitious = true;
        employer.files_late = files_late;
        self.register_paper_business(workplace, None);
        let persons = self.draw_idle(4, from, [0.3, 1.0, 1.0, 1.0, 0.3, 0.0]);
        for person in persons {
            let first = self.weekday_between(from, from + 6);
            if self.persons[person as usize].age(first) >= 64
                || self.persons[person as usize].worked_until >= first
            {
                continue;
            }
            let job = self.start_job(person, workplace, first, Kind::Regular, Cover::Insured);
            let job = &mut self.jobs[job as usize];
            job.fictitious = true;
            job.contract_end = first + 214;
        }
    }

    /// The tax office sees the business of a workplace on paper open and close.
    fn register_paper_business(&mut self, workplace: u32, closed: Option<Day>) {
        let owner = (splitmix(u64::from(workplace)) % self.persons.len() as u64) as u32;
        self.register_owner(workplace, owner, closed);
    }

    /// The tax office sees whose business a workplace is.
    pub(super) fn register_owner(&mut self, workplace: u32, owner: u32, closed: Option<Day>) {
        let employer = &self.workplaces[workplace as usize];
        let (number, opened) = (employer.number, employer.established);
        self.deliver_registration(&number[..10], owner, opened, closed);
    }

    fn end_planned_employment(&mut self, month: i32) {
        let to = first_of(month + 1) - 1;
        let due: Vec<u32> = self
            .active_jobs
            .iter()
            .copied()
            .filter(|index| {
                let job = &self.jobs[*index as usize];
                job.fictitious && job.last == NEVER && job.contract_end <= to
            })
            .collect();
        for index in due {
            let job = &self.jobs[index as usize];
            let (person, last) = (job.person, job.contract_end);
            self.end_job(index, last, 23);
            self.deliver_spell(index, true);
            let applied = next_weekday(self.jobs[index as usize].lost_reported + 3);
            let workplace = self.jobs[index as usize].workplace;
            if self.workplaces[workplace as usize].closed == NEVER {
                self.workplaces[workplace as usize].closed = last + 20;
                self.register_paper_business(workplace, Some(last + 20));
            }
            if self.insured_days_between(person, last - 547, last) >= 180 {
                let plan = if self.workplaces[workplace as usize].files_late {
                    Plan::FilesLate
                } else {
                    Plan::Fictitious
                };
                self.grant(person, index, applied, plan, NONE);
            }
        }
    }
}
