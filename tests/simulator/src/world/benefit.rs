//! Claims to the job-seeking benefit and their certifications, by the law's arithmetic.

use crate::calendar::{Day, NEVER, first_of, month_of, next_weekday};
use crate::deliver::Source;
use crate::law::{WAITING_DAYS, daily_benefit_won, entitled_days};
use crate::scenario::magnitude;
use crate::truth::{Measure, TruthFile};
use crate::world::fraud::Plan;
use crate::world::matching::number;
use crate::world::person::{Activity, NONE};
use crate::world::search::iso;
use crate::world::{Block, Flow, Number};

/// A granted claim.
pub(super) struct Claim {
    pub number: [u8; 13],
    pub person: u32,
    pub job: u32,
    pub applied: Day,
    pub separated: Day,
    pub daily_won: i64,
    pub entitled: i32,
    pub paid: i32,
    pub round: i32,
    /// First day of the next certified period, and the day of its certification.
    pub from: Day,
    pub due: Day,
    /// Last day on which the benefit could be paid without interruption.
    pub expected_end: Day,
    pub plan: Plan,
    /// First and last day the plan is carried out, once known.
    pub fraud_from: Day,
    pub fraud_to: Day,
    pub overpaid_won: i64,
    /// A round paid by fraud is among the deliveries.
    pub delivered: bool,
    pub account: u64,
    pub device: u64,
    /// The account or the device is shared with somebody.
    pub shares: bool,
    /// A delivered and paid round was certified from the device.
    pub used_device: bool,
    pub last_paid_month: i32,
    pub closed: bool,
    pub ring: u32,
}

/// One certification.
pub(super) struct Round {
    pub from: Day,
    pub to: Day,
    pub certified: Day,
    pub online: bool,
    pub declared_days: i32,
    pub declared_won: i64,
    /// Declares that a business is being prepared.
    pub prepares: bool,
    pub last: bool,
}

impl Block<'_> {
    /// New claims of a month, drawn from the persons who may make one.
    pub(super) fn open_claims(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let mean = magnitude::CLAIMS * self.scale * self.scenario.claims_level(month);
        let count = self.flow(Flow::Claims, mean);
        self.forget_ineligible(from);
        self.lay_off_when_short(count, month);
        let mut candidates: Vec<(usize, f64)> = Vec::new();
        for (position, eligible) in self.eligible.iter().enumerate() {
            if eligible.from > to {
                continue;
            }
            let who = &self.persons[eligible.person as usize];
            let waited = f64::from((from - eligible.from).max(0)) / 30.0;
            let seasonal = if who.seasonal { 3.0 } else { 1.0 };
            let insured = self.insured_days_between(eligible.person, i32::MIN / 2, to);
            // Long service entitles to more and is claimed more often.
            let worth = 0.5 + f64::from(insured.min(3_650)) / 300.0;
            let hours = f64::from(self.jobs[eligible.job as usize].hours.min(40)) / 40.0;
            let worth = worth * hours * hours * hours;
            candidates.push((position, seasonal * worth / (1.0 + waited)));
        }
        let mut chosen = self.random.sample(&candidates, count);
        chosen.sort_unstable();
        for position in chosen.into_iter().rev() {
            let eligible = self.eligible.remove(position);
            let earliest = eligible.from.max(from);
            let late = self.weekday_between(earliest, (earliest + 14).min(to));
            // Without a weekday left in the month the claim is made on the next one.
            let applied = next_weekday(late);
            let who = &self.persons[eligible.person as usize];
            let here = who.abroad_until < applied;
            if here && (!who.searching(applied) || who.find_on > applied) {
                self.grant(eligible.person, eligible.job, applied, Plan::None, NONE);
            }
        }
    }

    fn forget_ineligible(&mut self, from: Day) {
        let (persons, jobs) = (&self.persons, &self.jobs);
        self.eligible.retain(|eligible| {
            let who = &persons[eligible.person as usize];
            let separated = jobs[eligible.job as usize].last;
            who.activity == Activity::Idle
                && who.job == NONE
                && who.last_job == eligible.job
                && who.claim == NONE
                && separated + 300 > from
                && !(who.searching(from) && who.find_on <= from)
        });
    }

    /// When fewer may claim than claim in such a month, employers lay off more.
    fn lay_off_when_short(&mut self, count: usize, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let ready = self.eligible.iter().filter(|one| one.from <= to).count();
        let mut short = (count + count / 8).saturating_sub(ready);
        let mut tries = 40 * short;
        while short > 0 && tries > 0 {
            tries -= 1;
            let position = self.random.below(self.active_jobs.len());
            let Some(index) = self.active_jobs.get(position).copied() else {
                return;
            };
            let job = &self.jobs[index as usize];
            let who = &self.persons[job.person as usize];
            let leaves = who.find_on <= to && who.searching(who.find_on);
            if !job.insured()
                || job.last != NEVER
                || job.fictitious
                || leaves
                || from - job.first < 240
            {
                continue;
            }
            let last = self.weekday_between(from, from + 16);
            self.end_job(index, last, 23);
            let job = &mut self.jobs[index as usize];
            job.lost_reported = (last + 3).max(job.acquired_reported);
            self.deliver_spell(index, true);
            self.note_eligible(index);
            short -= 1;
        }
    }

    /// Grants a claim and registers the person as a seeker.
    pub(super) fn grant(&mut self, person: u32, job: u32, applied: Day, plan: Plan, ring: u32) {
        let separation = &self.jobs[job as usize];
        let separated = separation.last;
        let insured_days = self.insured_days_between(person, i32::MIN / 2, separated);
        let who = &self.persons[person as usize];
        let entitled = entitled_days(&self.scenario.reference, insured_days, who.birth, separated);
        // Three months' pay over their days; bonuses are in the monthly pay.
        let base_daily_won = separation.wage_won * 3 / 91;
        let daily_won = daily_benefit_won(
            &self.scenario.reference,
            separated,
            base_daily_won,
            separation.hours,
        );
        let reason = separation.reason;
        let workplace = self.workplaces[separation.workplace as usize].number;
        let (home, household, rrn) = (who.place, who.household, who.rrn);
        let ordinal = self.next_number(Number::Claim);
        let claim_number = number(b'C', self.index, ordinal);
        let place = &self.scenario.reference.places[self.places[home as usize] as usize];
        let centre = &place.centres[household as usize % place.centres.len().max(1)];
        let month = month_of(applied);
        let row = self
            .out
            .row(self.scenario, Source::BenefitClaim, month, true);
        if let Some(row) = row {
            row.text(&claim_number)
                .text(&rrn)
                .day(applied)
                .day(separated)
                .text(&workplace)
                .number(i64::from(reason))
                .number(i64::from(insured_days))
                .number(base_daily_won)
                .number(daily_won)
                .number(i64::from(entitled))
                .text(centre.as_bytes())
                .finish(daily_won);
        }
        self.out
            .truth
            .add(self.scenario, month, Measure::NewClaims, 1);
        self.count_repeat(&claim_number, applied, month);
        if plan == Plan::None {
            self.join_family(person, applied);
        }
        self.deliver_household(person, applied);

        let end = (applied + WAITING_DAYS + entitled - 1).min(separated + 365);
        let claim_index = self.claims.len() as u32;
        let who = &mut self.persons[person as usize];
        who.last_claim_separation = separated;
        who.claim = claim_index;
        let fixed = self.planned_find(plan, job, applied, end);
        self.register(person, applied, Some((applied, end)), fixed);
        let plan = self.choose_plan(plan, person, job, applied, end);
        let (account, device, shared) = self.account_and_device(person, plan);
        let ring = if plan == Plan::Ring {
            self.ring.1
        } else {
            ring
        };
        self.claims.push(Claim {
            number: claim_number,
            person,
            job,
            applied,
            separated,
            daily_won,
            entitled,
            paid: 0,
            round: 0,
            from: applied + WAITING_DAYS,
            due: applied + 2 * WAITING_DAYS,
            expected_end: end,
            plan,
            fraud_from: NEVER,
            fraud_to: NEVER,
            overpaid_won: 0,
            delivered: false,
            account,
            device,
            shares: shared.is_some(),
            used_device: false,
            last_paid_month: 0,
            closed: false,
            ring,
        });
        self.active_claims.push(claim_index);
        if let Some(reason) = shared {
            self.note_look_alike(claim_index, "F10", reason, applied, end);
        }
        self.prepare_plan(claim_index);
    }

    fn count_repeat(&mut self, claim: &[u8; 13], applied: Day, month: i32) {
        // A fixed share of claims comes from persons with three and more in five years.
        let yearly = magnitude::CLAIMS * 13.3;
        let repeat = self.flow(Flow::RepeatClaims, magnitude::REPEAT_CLAIMS / yearly) > 0;
        let claims = if repeat {
            3 + self.random.below(3)
        } else {
            1 + usize::from(self.random.chance(0.2))
        };
        self.out.truth.add(
            self.scenario,
            month,
            Measure::RepeatClaims,
            i64::from(repeat),
        );
        if month >= self.scenario.start_month - 6 {
            self.out.truth.line(
                TruthFile::Claim,
                format_args!(
                    "{},{},{claims}",
                    String::from_utf8_lossy(claim),
                    iso(applied)
                ),
            );
        }
    }

    /// Certifications of a month.
    pub(super) fn certify(&mut self, month: i32) {
        let to = first_of(month + 1) - 1;
        for position in 0..self.active_claims.len() {
            let index = self.active_claims[position];
            while !self.claims[index as usize].closed && self.claims[index as usize].due <= to {
                self.certify_once(index);
            }
        }
        let claims = &self.claims;
        self.active_claims
            .retain(|index| !claims[*index as usize].closed);
    }

    fn certify_once(&mut self, index: u32) {
        let claim = &self.claims[index as usize];
        let (person, from, due) = (claim.person, claim.from, claim.due);
        let left = claim.entitled - claim.paid;
        let limit = claim.separated + 365;
        let mut to = due.min(from + left - 1).min(limit);
        let mut last = to == limit;
        if to < from {
            self.close_claim(index);
            return;
        }
        let mut certified = due;
        let (mut declared_days, mut declared_won) = (0, 0);
        let started = self.work_started(index, from, to);
        if let Some(started) = started
            && !self.hides_work(index, started, to)
        {
            last = true;
            if started > from && self.random.chance(0.6) {
                to = started - 1;
                certified = due.min(next_weekday(started + 2)).max(to);
            } else {
                declared_days = to - started + 1;
                let wage = self.persons[person as usize].job;
                let daily = if wage == NONE {
                    90_000
                } else {
                    self.jobs[wage as usize].wage_won / 30
                };
                declared_won = daily * i64::from(declared_days);
                self.note_look_alike(index, "F01", "declared_work", started, to);
            }
        } else if started.is_none() {
            (declared_days, declared_won) = self.casual_work(index, from, to, last);
        }
        let online =
            !matches!(self.claims[index as usize].round, 0 | 3) && self.random.chance(0.85);
        let mut round = Round {
            from,
            to,
            certified,
            online,
            declared_days,
            declared_won,
            prepares: false,
            last,
        };
        self.act_on_plan(index, &mut round);
        self.deliver_round(index, &round);
        let claim = &mut self.claims[index as usize];
        claim.from = round.to + 1;
        claim.due = due
            + if claim.round % 3 == 2 && claim.entitled > 180 {
                14
            } else {
                28
            };
        if round.last || claim.paid >= claim.entitled {
            self.close_claim(index);
        }
    }

    /// First day of work inside the certified days, in any job begun since the claim.
    fn work_started(&self, index: u32, from: Day, to: Day) -> Option<Day> {
        let claim = &self.claims[index as usize];
        let mut started = None;
        let mut next = self.persons[claim.person as usize].last_job;
        while next != NONE && next != claim.job {
            let job = &self.jobs[next as usize];
            if job.first <= to && job.last >= from && job.first > claim.applied {
                started = Some(job.first.max(from));
            }
            next = job.previous;
        }
        started
    }

    fn deliver_round(&mut self, index: u32, round: &Round) {
        let days = (round.to - round.from + 1 - round.declared_days).max(0);
        let activities = if self.claims[index as usize].round == 0 {
            1
        } else {
            self.random.between(1, 4)
        };
        let claim = &mut self.claims[index as usize];
        self.persons[claim.person as usize].certified_until = round.certified;
        let days = days.min(claim.entitled - claim.paid);
        let amount = claim.daily_won * i64::from(days);
        claim.paid += days;
        claim.round += 1;
        let month = month_of(round.certified);
        let (account, device) = (claim.account, claim.device);
        let person = &self.persons[claim.person as usize];
        if let Some(row) = self
            .out
            .row(self.scenario, Source::Certification, month, false)
        {
            let row = row
                .text(&claim.number)
                .text(&person.rrn)
                .number(i64::from(claim.round))
                .day(round.from)
                .day(round.to)
                .day(round.certified)
                .text(if round.online { b"online" } else { b"visit" })
                .text(if round.declared_days > 0 || round.prepares {
                    b"Y"
                } else {
                    b"N"
                })
                .number(i64::from(round.declared_days))
                .number(round.declared_won)
                .number(i64::from(activities))
                .number(i64::from(days))
                .number(amount)
                .text(&hex16(account));
            let row = if round.online {
                row.text(&hex16(device))
            } else {
                row.text(b"")
            };
            row.finish(amount);
            claim.used_device |= round.online && days > 0;
        }
        let truth = &mut self.out.truth;
        truth.add(self.scenario, month, Measure::BenefitWon, amount);
        truth.add(self.scenario, month, Measure::DaysPaid, i64::from(days));
        if claim.last_paid_month != month && amount > 0 {
            claim.last_paid_month = month;
            truth.add(self.scenario, month, Measure::Recipients, 1);
        }
    }

    pub(super) fn close_claim(&mut self, index: u32) {
        let claim = &mut self.claims[index as usize];
        claim.closed = true;
        let who = &mut self.persons[claim.person as usize];
        if who.claim == index {
            who.claim = NONE;
        }
        self.settle_fraud(index);
    }
}

/// Sixteen hexadecimal digits of an opaque account or device value.
pub(super) fn hex16(value: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|position| DIGITS[(value >> (60 - 4 * position) & 15) as usize])
}
