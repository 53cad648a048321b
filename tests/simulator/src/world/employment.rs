use crate::calendar::{Day, NEVER, civil, day, first_of, month_of};
use crate::deliver::Source;
use crate::law::{QUALIFYING_CALENDAR_DAYS, delivery_month, report_due};
use crate::world::Block;
use crate::world::person::{Activity, NONE};

/// Kind of contract, named as the extracts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    FixedTerm,
    PartTime,
}

impl Kind {
    pub(super) fn code(self) -> &'static [u8] {
        match self {
            Self::Regular => b"regular",
            Self::FixedTerm => b"fixed_term",
            Self::PartTime => b"part_time",
        }
    }
}

/// Why a job is not insured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    Insured,
    /// Covered by law, not reported by the employer.
    Unreported,
    /// Fewer than 60 hours a month.
    ExemptHours,
    /// Hired at 65 or later.
    ExemptAge,
}

/// Employment of one person at one workplace, day labour excepted.
pub(super) struct Job {
    pub person: u32,
    pub workplace: u32,
    /// The person's job before this one.
    pub previous: u32,
    pub first: Day,
    /// Last day worked; the loss of the insurance is the day after.
    pub last: Day,
    pub contract_end: Day,
    pub wage_won: i64,
    pub hours: u8,
    pub occupation: u8,
    pub kind: Kind,
    pub cover: Cover,
    /// Begins and ends by plan. Exists on paper only, and no wage is ever paid, unless its
    /// workplace files late.
    pub fictitious: bool,
    pub reason: u8,
    pub acquired_reported: Day,
    pub lost_reported: Day,
}

impl Job {
    pub(super) fn insured(&self) -> bool {
        self.cover == Cover::Insured
    }
}

/// A separated person who fulfils the conditions of a claim.
pub(super) struct Eligible {
    pub person: u32,
    pub job: u32,
    /// First day on which the claim can be made.
    pub from: Day,
}

impl Block<'_> {
    /// Monthly pay of a full-time or part-time job, from what is recorded and what is not.
    pub(super) fn wage(&mut self, person: u32, workplace: u32, hours: u8, on: Day) -> i64 {
        let reference = &self.scenario.reference;
        let who = &self.persons[person as usize];
        let age = f64::from(who.age(on));
        let log = reference.occupations[who.occupation as usize].log_wage
            + self.workplaces[workplace as usize].log_wage
            + 0.22 * who.ability
            + 0.07 * (f64::from(who.education) - 2.0)
            - 0.0005 * (age - 47.0) * (age - 47.0)
            + if who.male { 0.09 } else { -0.09 };
        let (year, _, _) = civil(on);
        let noise = 0.10 * self.random.normal();
        let level = 3_350_000.0 * 1.03f64.powi(year - 2024) * f64::from(hours) / 40.0;
        let minimum = reference.minimum_wage(year) * 209 * i64::from(hours) / 40;
        let won = (level * (log + noise).exp()) as i64 / 1_000 * 1_000;
        won.max((minimum + 9) / 10 * 10)
    }

    /// Starts a job and reports its acquisition when it is insured.
    pub(super) fn start_job(
        &mut self,
        person: u32,
        workplace: u32,
        first: Day,
        kind: Kind,
        cover: Cover,
    ) -> u32 {
        let hours = match (kind, cover) {
            (_, Cover::ExemptHours) => self.random.between(6, 14) as u8,
            (Kind::PartTime, _) => [15, 20, 25, 30, 30, 35][self.random.below(6)],
            _ => 40,
        };
        let contract_end = if kind == Kind::Regular {
            NEVER
        } else {
            self.contract_end(first)
        };
        let wage_won = self.wage(person, workplace, hours, first);
        let due = report_due(first);
        let acquired_reported = if self.random.chance(0.93) {
            (first + 1 + (self.random.exponential() * 9.0) as Day).min(due)
        } else {
            due + 1 + (self.random.exponential() * 25.0) as Day
        };
        let who = &mut self.persons[person as usize];
        let job = Job {
            person,
            workplace,
            previous: who.last_job,
            first,
            last: NEVER,
            contract_end,
            wage_won,
            hours,
            occupation: who.occupation,
            kind,
            cover,
            fictitious: false,
            reason: 0,
            acquired_reported,
            lost_reported: NEVER,
        };
        who.activity = Activity::Wage;
        let index = self.jobs.len() as u32;
        who.job = index;
        who.last_job = index;
        self.jobs.push(job);
        self.active_jobs.push(index);
        if cover == Cover::Insured {
            self.workplaces[workplace as usize].insured_now += 1;
            self.deliver_spell(index, false);
            use crate::truth::Measure::Acquisitions;
            self.out
                .truth
                .add(self.scenario, month_of(first), Acquisitions, 1);
        }
        index
    }

    /// Contracts of fixed term end at the end of the year or after some months.
    fn contract_end(&mut self, first: Day) -> Day {
        let (year, month, _) = civil(first);
        if month < 11 && self.random.chance(0.30) {
            return day(year, 12, 31);
        }
        let months = [6, 8, 11, 12, 12, 12, 12, 18, 24][self.random.below(9)];
        first_of(month_of(first) + months) - 1
    }

    /// Ends a job and reports the loss when it is insured. The person is free the next day.
    pub(super) fn end_job(&mut self, index: u32, last: Day, reason: u8) {
        let late = self.random.chance(0.09);
        let draw = self.random.exponential();
        let job = &mut self.jobs[index as usize];
        let last = last.max(job.first);
        job.last = last;
        job.reason = reason;
        let due = report_due(last + 1);
        let reported = if late {
            due + 1 + (draw * 24.0) as Day
        } else {
            (last + 1 + (draw * 7.0) as Day).min(due)
        };
        job.lost_reported = reported.max(job.acquired_reported);
        let (person, workplace, insured) = (job.person, job.workplace, job.insured());
        self.ended_jobs.push(index);
        let who = &mut self.persons[person as usize];
        if who.job == index {
            who.job = NONE;
            who.activity = Activity::Idle;
            who.worked_until = last;
        }
        if insured {
            self.workplaces[workplace as usize].insured_now -= 1;
            use crate::truth::Measure::Losses;
            self.out.truth.add(self.scenario, month_of(last), Losses, 1);
        }
    }

    /// Ends a job, delivers the loss, and notes the person as eligible when the law allows a
    /// claim.
    pub(super) fn separate_job(&mut self, index: u32, last: Day, reason: u8) {
        self.end_job(index, last, reason);
        if !self.jobs[index as usize].insured() {
            return;
        }
        let entitling = match reason {
            22 | 23 | 31 | 32 => true,
            12 => self.random.chance(0.6),
            26 => self.random.chance(0.4),
            _ => false,
        };
        self.deliver_spell(index, true);
        if entitling {
            self.note_eligible(index);
        }
    }

    pub(super) fn note_eligible(&mut self, index: u32) {
        let job = &self.jobs[index as usize];
        let (person, last, reported) = (job.person, job.last, job.lost_reported);
        let window = self.insured_days_between(person, last - 547, last);
        if window >= QUALIFYING_CALENDAR_DAYS && self.persons[person as usize].job == NONE {
            self.eligible.push(Eligible {
                person,
                job: index,
                from: reported.max(last + 1),
            });
        }
    }

    /// Insured calendar days of a person from one day to another, both included, since the last
    /// claim.
    pub(super) fn insured_days_between(&self, person: u32, from: Day, to: Day) -> i32 {
        let who = &self.persons[person as usize];
        let from = from.max(who.last_claim_separation + 1);
        let mut days = 0;
        let mut index = who.last_job;
        while index != NONE {
            let job = &self.jobs[index as usize];
            if job.last < from {
                break;
            }
            if job.insured() {
                days += (job.last.min(to) - job.first.max(from) + 1).max(0);
            }
            index = job.previous;
        }
        days
    }

    /// Writes a spell into the delivery of the month in which its report arrives.
    pub(super) fn deliver_spell(&mut self, index: u32, lost: bool) {
        let job = &self.jobs[index as usize];
        let reported = if lost {
            job.lost_reported
        } else {
            job.acquired_reported
        };
        let reason = job.reason;
        self.deliver_spell_as(index, lost, reason, reported);
    }

    /// As [`deliver_spell`](Self::deliver_spell), with a loss reason and a day of report of its
    /// own: corrections are delivered like this.
    pub(super) fn deliver_spell_as(&mut self, index: u32, lost: bool, reason: u8, reported: Day) {
        let job = &self.jobs[index as usize];
        let month = delivery_month(reported);
        let Some(row) = self
            .out
            .row(self.scenario, Source::InsuredSpell, month, true)
        else {
            return;
        };
        let row = row
            .text(&self.persons[job.person as usize].rrn)
            .text(&self.workplaces[job.workplace as usize].number)
            .day(job.first)
            .day_or_empty(lost.then_some(job.last + 1));
        let row = if lost {
            row.number(i64::from(reason))
        } else {
            row.text(b"")
        };
        row.number(job.wage_won)
            .number(i64::from(job.hours))
            .text(
                self.scenario.reference.occupations[job.occupation as usize]
                    .code
                    .as_bytes(),
            )
            .text(job.kind.code())
            .day(job.acquired_reported)
            .day_or_empty(lost.then_some(reported))
            .finish(job.wage_won);
    }

    /// Everyone who leaves a job this month.
    pub(super) fn separate(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let recession = self.scenario.in_recession(month);
        if month.rem_euclid(12) == 0 {
            self.raise_wages(from);
        }
        for position in 0..self.active_jobs.len() {
            let index = self.active_jobs[position];
            let job = &self.jobs[index as usize];
            // Persons whose next job is already drawn leave when it starts.
            let who = &self.persons[job.person as usize];
            let leaves = who.find_on <= to && who.searching(who.find_on);
            if job.last != NEVER || job.fictitious || leaves {
                continue;
            }
            let workplace = &self.workplaces[job.workplace as usize];
            if workplace.closed <= to {
                let last = workplace.closed.max(job.first);
                self.separate_job(index, last, 22);
                continue;
            }
            if job.contract_end <= to {
                if self.random.chance(0.40) {
                    let job = &mut self.jobs[index as usize];
                    job.contract_end = first_of(month + 13) - 1;
                } else {
                    let last = job.contract_end;
                    self.separate_job(index, last, 32);
                }
                continue;
            }
            let Some(reason) = self.draw_reason(index, from, to, recession) else {
                continue;
            };
            let first = self.jobs[index as usize].first;
            let earliest = from.max(first);
            let last = if self.random.chance(0.35) || reason == 31 {
                to
            } else {
                self.weekday_between(earliest, to)
            };
            self.separate_job(index, last, reason);
        }
    }

    fn draw_reason(&mut self, index: u32, from: Day, to: Day, recession: bool) -> Option<u8> {
        let job = &self.jobs[index as usize];
        let who = &self.persons[job.person as usize];
        let class = self.workplaces[job.workplace as usize].class;
        if class == 2 && job.kind == Kind::Regular && who.age(from) < 60 && who.age(to + 1) >= 60 {
            return self.random.chance(0.6).then_some(31);
        }
        if !job.insured() {
            return self.random.chance(0.035).then_some(11);
        }
        let tenure = f64::from(from - job.first) / 365.0;
        let by_tenure = if tenure < 1.0 {
            1.9
        } else if tenure < 3.0 {
            1.0
        } else {
            0.4
        };
        let by_age = if who.age(from) < 35 { 1.4 } else { 0.85 };
        let by_size = [1.35, 1.15, 0.8][class as usize];
        let by_kind = if job.kind == Kind::PartTime { 1.5 } else { 1.0 };
        let quit = 0.0150 * by_tenure * by_age * by_size * by_kind * who.restless.exp();
        let slump = if recession { 1.35 } else { 1.0 };
        let hazards = [
            (11, quit),
            (12, 0.0010 * by_size),
            (23, 0.0030 * by_size * slump),
            (26, 0.0008),
            (41, 0.0002),
            (42, 0.0003),
        ];
        let mut point = self.random.unit();
        for (reason, hazard) in hazards {
            point -= hazard;
            if point < 0.0 {
                return Some(reason);
            }
        }
        None
    }

    fn raise_wages(&mut self, on: Day) {
        let (year, _, _) = civil(on);
        let minimum = self.scenario.reference.minimum_wage(year) * 209;
        for index in &self.active_jobs {
            let job = &mut self.jobs[*index as usize];
            let raised = job.wage_won * 103 / 100 / 1_000 * 1_000;
            job.wage_won = raised.max((minimum * i64::from(job.hours) / 40 + 9) / 10 * 10);
        }
    }
}
