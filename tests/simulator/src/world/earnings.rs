//! Income outside ordinary employment, and the tax statements of all income.

use crate::calendar::{Day, NEVER, civil, first_of, month_of};
use crate::deliver::Source;
use crate::identity::{business_number, put};
use crate::law::{self, PAID_AFTER_LEAVING, delivery_month, report_due};
use crate::scenario::magnitude;
use crate::truth::Measure;
use crate::world::employment::{Cover, Job};
use crate::world::person::Activity;
use crate::world::services::Registered;
use crate::world::{BUSINESSES, Block, Flow};

/// Day labour of one person at one workplace in one month.
pub(super) struct DailyWork {
    /// Bit 0 is the first of the month.
    days: u32,
    daily_won: i64,
    reported: bool,
    reported_on: Day,
}

impl DailyWork {
    /// Whether the insurance hears of it.
    pub(super) fn is_reported(&self) -> bool {
        self.reported
    }

    /// Whether any of the given days was worked; bit 0 is the first of the month.
    pub(super) fn on_any_of(&self, days: u32) -> bool {
        self.days & days != 0
    }
}

/// A contract of a contractor, artist or platform worker.
pub(super) struct Contract {
    person: u32,
    workplace: u32,
    kind: u8,
    industry: &'static [u8],
    from: Day,
    to: Day,
    insured: bool,
    monthly_won: i64,
}

impl Contract {
    pub(super) fn person(&self) -> u32 {
        self.person
    }

    pub(super) fn insured(&self) -> bool {
        self.insured
    }

    pub(super) fn workplace(&self) -> u32 {
        self.workplace
    }
}

/// A registered business of a person.
pub(super) struct Business {
    number: [u8; 10],
    person: u32,
    opened: Day,
    closed: Day,
}

/// Industry codes of withheld business income by kind: contractor, artist, platform, none.
const INDUSTRY: [(&[u8], u8, f64); 12] = [
    (b"940906", 0, 22.0),
    (b"940908", 0, 10.0),
    (b"940920", 0, 8.0),
    (b"940922", 0, 6.0),
    (b"940926", 0, 8.0),
    (b"940302", 1, 5.0),
    (b"940301", 1, 4.0),
    (b"940913", 2, 9.0),
    (b"940918", 2, 12.0),
    (b"940919", 2, 9.0),
    (b"940903", 3, 9.0),
    (b"940909", 3, 16.0),
];

/// Of the unreported jobs at workplaces of fewer than ten, those no statement tells of either.
const OFF_THE_BOOKS_PER_CENT: u32 = 12;

const KINDS: [&[u8]; 3] = [b"contractor", b"artist", b"platform"];

impl Block<'_> {
    pub(super) fn add_daily_work(&mut self, person: u32, workplace: u32, on: Day, daily_won: i64) {
        let month = month_of(on);
        let key = (month, person, workplace);
        let bit = 1u32 << (on - first_of(month));
        if let Some(work) = self.daily_work.get_mut(&key) {
            work.days |= bit;
            return;
        }
        let reported = self.flow(Flow::DailyReported, 1.0 - magnitude::DAILY_UNREPORTED) > 0;
        let due = report_due(on);
        let late = self.random.chance(0.05);
        let reported_on = if late {
            due + self.random.between(1, 40)
        } else {
            due - self.random.between(0, 12)
        };
        self.daily_work.insert(
            key,
            DailyWork {
                days: bit,
                daily_won,
                reported,
                reported_on,
            },
        );
        let truth = &mut self.out.truth;
        truth.add(self.scenario, month, Measure::DailyWorkers, 1);
        truth.add(
            self.scenario,
            month,
            Measure::DailyUnreported,
            i64::from(!reported),
        );
        let (year, _, _) = civil(on);
        let who = &mut self.persons[person as usize];
        if who.daily_year != year {
            who.daily_year = year;
            truth.add(self.scenario, month, Measure::DailyFirstOfYear, 1);
        }
    }

    /// Day labourers at work this month.
    pub(super) fn work_by_the_day(&mut self, month: i32) {
        const SEASON: [f64; 12] = [
            0.9, 0.92, 1.0, 1.05, 1.05, 1.05, 1.0, 0.98, 1.02, 1.05, 1.03, 0.95,
        ];
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let wanted = (magnitude::DAILY_IN_A_YEAR * 0.975 * self.scale).round() as usize;
        if self.daily_pool.len() < wanted {
            let missing = wanted - self.daily_pool.len();
            for person in self.draw_idle(missing, from, [0.5, 0.6, 0.8, 1.3, 1.0, 0.3]) {
                let share = 0.17 + 0.60 * self.random.unit();
                let who = &mut self.persons[person as usize];
                who.activity = Activity::Daily;
                who.daily_share = share;
                self.daily_pool.push(person);
            }
        }
        let mut sum = 0.0;
        let mut cumulative = Vec::with_capacity(self.workplaces.len());
        for workplace in &self.workplaces {
            if workplace.open_on(from) && workplace.open_on(to) && !workplace.fictitious {
                let industry = &self.scenario.reference.industries[workplace.industry as usize];
                sum += industry.daily * workplace.size.sqrt() + 0.01;
            }
            cumulative.push(sum);
        }
        if sum == 0.0 {
            return;
        }
        let season = SEASON[month.rem_euclid(12) as usize];
        for position in 0..self.daily_pool.len() {
            let person = self.daily_pool[position];
            let share = self.persons[person as usize].daily_share;
            if !self.random.chance((share * season).min(0.97)) {
                continue;
            }
            let point = self.random.unit() * sum;
            let workplace = cumulative.partition_point(|one| *one <= point) as u32;
            let daily_won =
                (95_000.0 + 25_000.0 * self.random.exponential()) as i64 / 1_000 * 1_000;
            let days = self.random.between(2, 20);
            let step = self.random.between(1, 2);
            let mut on = self.random.between(from, from + 6);
            for _ in 0..days {
                if on > to {
                    break;
                }
                self.add_daily_work(person, workplace, on, daily_won);
                on += step;
            }
        }
    }

    /// Writes all day labour: every month of it to the tax office, the reported part to the
    /// insurance.
    pub(super) fn write_daily_work(&mut self) {
        let work = std::mem::take(&mut self.daily_work);
        for ((month, person, workplace), daily) in work {
            let rrn = self.persons[person as usize].rrn;
            let who = &self.persons[person as usize];
            let employer = &self.workplaces[workplace as usize];
            let count = i64::from(daily.days.count_ones());
            let gross = count * daily.daily_won;
            if let Some(row) = self
                .out
                .row(self.scenario, Source::DailyStatement, month, false)
            {
                row.text(&rrn)
                    .text(employer.business_number())
                    .month(month)
                    .number(count)
                    .number(gross)
                    .finish(gross);
            }
            if !daily.reported {
                continue;
            }
            let name = &self.scenario.reference.occupations[who.occupation as usize].name_20;
            if let Some(mut row) = self.out.row(self.scenario, Source::DailyWork, month, false) {
                let bytes = row.bytes();
                let mut digits = [b'0'; 12];
                bytes.extend_from_slice(&rrn);
                bytes.extend_from_slice(&employer.number);
                put(
                    &mut digits[..6],
                    (month.div_euclid(12) * 100 + month.rem_euclid(12) + 1) as u64,
                );
                bytes.extend_from_slice(&digits[..6]);
                bytes.extend((0..31).map(|bit| b'0' + (daily.days >> bit & 1) as u8));
                put(&mut digits[..2], count as u64);
                bytes.extend_from_slice(&digits[..2]);
                put(&mut digits, gross as u64);
                bytes.extend_from_slice(&digits);
                bytes.extend_from_slice(crate::calendar::text(daily.reported_on));
                bytes.extend_from_slice(name);
                bytes.extend_from_slice(b"\r\n");
                row.finish(gross);
            }
        }
    }

    pub(super) fn start_contract(&mut self, person: u32, on: Day, stock: bool) {
        let weights = INDUSTRY.map(|(_, _, weight)| weight);
        let (industry, kind, _) = INDUSTRY[self.random.weighted(&weights)];
        let insured_now = self.contracts.iter().filter(|one| one.insured).count();
        let wanted = (magnitude::CONTRACTORS_INSURED * self.scale).round() as usize;
        let insured = kind < 3 && insured_now < wanted;
        let workplace = self.random.below(self.workplaces.len()) as u32;
        if !self.workplaces[workplace as usize].open_on(on) && !stock {
            return;
        }
        let log = 0.5 * self.random.normal() + 0.2 * self.persons[person as usize].ability;
        let from = if stock {
            on - (self.random.exponential() * 700.0) as Day - 1
        } else {
            on
        };
        let contract = Contract {
            person,
            workplace,
            kind,
            industry,
            from,
            to: NEVER,
            insured,
            monthly_won: ((1_900_000.0 * log.exp()) as i64 / 1_000 * 1_000).max(850_000),
        };
        self.persons[person as usize].activity = Activity::Contractor;
        self.contracts.push(contract);
        self.deliver_contract(self.contracts.len() - 1);
    }

    fn deliver_contract(&mut self, position: usize) {
        let contract = &self.contracts[position];
        if !contract.insured {
            return;
        }
        let ended = contract.to != NEVER;
        let event = if ended { contract.to } else { contract.from };
        let month = delivery_month(report_due(event));
        if let Some(row) = self
            .out
            .row(self.scenario, Source::ContractorSpell, month, true)
        {
            row.text(&self.persons[contract.person as usize].rrn)
                .text(&self.workplaces[contract.workplace as usize].number)
                .text(KINDS[contract.kind as usize])
                .day(contract.from)
                .day_or_empty(ended.then_some(contract.to + 1))
                .number(contract.monthly_won)
                .finish(contract.monthly_won);
        }
    }

    pub(super) fn end_contract_of(&mut self, person: u32, last: Day) {
        if let Some(position) = self.contracts.iter().position(|one| one.person == person) {
            self.end_contract(position, last);
        }
    }

    fn end_contract(&mut self, position: usize, last: Day) {
        let contract = &mut self.contracts[position];
        contract.to = last.max(contract.from);
        let person = contract.person;
        self.deliver_contract(position);
        let ended = self.contracts.remove(position);
        self.ended_contracts.push(ended);
        let who = &mut self.persons[person as usize];
        who.activity = Activity::Idle;
        who.worked_until = last;
    }

    /// Contractors come and go, and are paid.
    pub(super) fn contract_work(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        for position in (0..self.contracts.len()).rev() {
            let contract = &self.contracts[position];
            let closed = self.workplaces[contract.workplace as usize].closed <= to;
            let young = contract.from >= from;
            let searching = self.persons[contract.person as usize].searching(from);
            if closed || (!young && !searching && self.random.chance(0.025)) {
                let last = self.random.between(from, to);
                self.pay_contract(position, month);
                self.end_contract(position, last);
            }
        }
        let wanted = ((magnitude::CONTRACTORS_INSURED + magnitude::CONTRACTORS_OUTSIDE)
            * self.scale)
            .round();
        let missing = (wanted as usize).saturating_sub(self.contracts.len());
        for person in self.draw_idle(missing, from, [0.4, 1.0, 1.0, 0.8, 0.4, 0.1]) {
            let earliest = from.max(self.persons[person as usize].worked_until + 1);
            if earliest <= to {
                let on = self.weekday_between(earliest, to);
                self.start_contract(person, on, false);
            }
        }
        for position in 0..self.contracts.len() {
            self.pay_contract(position, month);
        }
    }

    fn pay_contract(&mut self, position: usize, month: i32) {
        let noise = (0.25 * self.random.normal()).exp();
        let contract = &self.contracts[position];
        let gross = (contract.monthly_won as f64 * noise) as i64 / 100 * 100;
        if law::contractor_pay_from_won(KINDS.get(contract.kind as usize).copied())
            .is_some_and(|least| gross < least)
        {
            self.low_paid_contracts.insert((month, contract.person));
        }
        if let Some(row) = self
            .out
            .row(self.scenario, Source::BusinessIncome, month, false)
        {
            row.text(&self.persons[contract.person as usize].rrn)
                .text(self.workplaces[contract.workplace as usize].business_number())
                .month(month)
                .text(contract.industry)
                .number(gross)
                .finish(gross);
        }
    }

    /// Contracts of a month, ended ones included.
    pub(super) fn contracts_in(&self, from: Day, to: Day) -> impl Iterator<Item = &Contract> {
        let all = self.contracts.iter().chain(&self.ended_contracts);
        all.filter(move |one| one.from <= to && one.to >= from)
    }

    /// The contract of a person between two days.
    pub(super) fn contract_between(&self, person: u32, from: Day, to: Day) -> Option<&Contract> {
        self.contracts_in(from, to).find(|one| one.person == person)
    }

    /// Owners of the businesses of a month, closed ones included.
    pub(super) fn owners_in(&self, from: Day, to: Day) -> impl Iterator<Item = u32> {
        let all = self.businesses.iter().chain(&self.closed_businesses);
        all.filter(move |one| one.opened <= to && one.closed >= from)
            .map(|one| one.person)
    }

    /// Contractors insured and outside.
    pub(super) fn contractors(&self) -> (i64, i64) {
        let insured = self.contracts.iter().filter(|one| one.insured).count();
        (insured as i64, (self.contracts.len() - insured) as i64)
    }

    /// A business that becomes what a person mainly does.
    pub(super) fn open_business(&mut self, person: u32, on: Day, stock: bool) {
        let opened = if stock {
            on - (self.random.exponential() * 2_200.0) as Day - 1
        } else {
            on
        };
        self.persons[person as usize].activity = Activity::Owner;
        self.register_business(person, opened);
    }

    /// A business registration.
    pub(super) fn register_business(&mut self, person: u32, opened: Day) {
        let ordinal = self.business_ordinal();
        let number = business_number(self.scenario.seed, ordinal);
        self.businesses.push(Business {
            number,
            person,
            opened,
            closed: NEVER,
        });
        self.deliver_business(self.businesses.len() - 1);
    }

    fn deliver_business(&mut self, position: usize) {
        let business = &self.businesses[position];
        let closed = (business.closed != NEVER).then_some(business.closed);
        let (number, person, opened) = (business.number, business.person, business.opened);
        self.deliver_registration(&number, person, opened, closed);
    }

    /// Writes a registration, or its closing, into the delivery of the month it happens.
    pub(super) fn deliver_registration(
        &mut self,
        number: &[u8],
        person: u32,
        opened: Day,
        closed: Option<Day>,
    ) {
        let month = month_of(closed.unwrap_or(opened));
        if let Ok(number) = number.try_into() {
            let registered = Registered { opened, closed };
            self.service_log.businesses.insert(number, registered);
        }
        if let Some(row) = self
            .out
            .row(self.scenario, Source::BusinessRegistration, month, true)
        {
            row.text(number)
                .text(&self.persons[person as usize].rrn)
                .day(opened)
                .text(if closed.is_some() {
                    b"closed"
                } else {
                    b"active"
                })
                .day_or_empty(closed)
                .finish(0);
        }
    }

    /// Own-account businesses close and open.
    pub(super) fn run_businesses(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        for position in (0..self.businesses.len()).rev() {
            if self.businesses[position].opened >= from || !self.random.chance(0.009) {
                continue;
            }
            self.businesses[position].closed = self.random.between(from, to);
            self.deliver_business(position);
            let business = self.businesses.swap_remove(position);
            let who = &mut self.persons[business.person as usize];
            if who.activity == Activity::Owner {
                who.activity = Activity::Idle;
                who.worked_until = business.closed;
            }
            self.closed_businesses.push(business);
        }
        let owners = self.owners();
        let wanted = (magnitude::OWN_ACCOUNT * self.scale).round() as usize;
        for person in self.draw_idle(
            wanted.saturating_sub(owners),
            from,
            [0.05, 0.5, 1.0, 1.2, 0.8, 0.2],
        ) {
            let earliest = from.max(self.persons[person as usize].worked_until + 1);
            if earliest <= to {
                let on = self.weekday_between(earliest, to);
                self.open_business(person, on, false);
            }
        }
    }

    pub(super) fn owners(&self) -> usize {
        self.persons
            .iter()
            .filter(|who| who.activity == Activity::Owner)
            .count()
    }

    /// Whether a job is paid in cash by a small employer who files no statement of it either.
    fn off_the_books(&self, job: &Job) -> bool {
        let small = self.workplaces[job.workplace as usize].class as usize == 0;
        job.cover == Cover::Unreported && small && job.person % 100 < OFF_THE_BOOKS_PER_CENT
    }

    /// Whether a firm that files late pays its short-lived staff when they leave: its statements
    /// are then due in the half-year of that day and not in those of the work.
    pub(super) fn pays_on_leaving(&self, workplace: u32) -> bool {
        self.workplaces[workplace as usize].files_late && workplace.is_multiple_of(2)
    }

    /// Wage statements of employees, insured or not, and of the civil service.
    pub(super) fn pay_wages(&mut self, month: i32) {
        if self.scenario.index(month).is_none() {
            return;
        }
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let length = i64::from(to - from + 1);
        for position in 0..self.active_jobs.len() {
            let job = &self.jobs[self.active_jobs[position] as usize];
            let files_late = self.workplaces[job.workplace as usize].files_late;
            let on_paper = job.fictitious && !files_late;
            if on_paper || job.first > to || job.last < from {
                continue;
            }
            let (paid_from, paid_to) = (job.first.max(from), job.last.min(to));
            let days = i64::from(paid_to - paid_from + 1);
            let extra = 1_000 + self.random.below(60) as i64;
            let gross = (job.wage_won * days / length * extra / 1_000 / 10 * 10).max(10);
            let (person, workplace, ended) = (job.person, job.workplace, job.last);
            let contract_end = job.contract_end;
            let off_the_books = self.off_the_books(job);
            // Some employers pay the last wage late: the statement names the days it is for.
            let arrears = ended <= to && self.random.chance(0.04);
            let paid_month = if files_late && self.pays_on_leaving(workplace) {
                // The pay of all months, when the job ends.
                month_of(contract_end + PAID_AFTER_LEAVING)
            } else if files_late {
                month + 2
            } else if arrears {
                month + self.random.between(1, 3)
            } else {
                month
            };
            if off_the_books {
                continue;
            }
            let row = self
                .out
                .row(self.scenario, Source::WageStatement, paid_month, false);
            let Some(row) = row else { continue };
            row.text(&self.persons[person as usize].rrn)
                .text(self.workplaces[workplace as usize].business_number())
                .month(paid_month)
                .day(paid_from)
                .day(paid_to)
                .number(gross)
                .finish(gross);
        }
        let payer = business_number(
            self.scenario.seed,
            u64::from(self.index) * BUSINESSES + BUSINESSES - 1,
        );
        let (year, _, _) = civil(from);
        for index in 0..self.persons.len() {
            if self.persons[index].activity != Activity::Civil {
                continue;
            }
            let who = &self.persons[index];
            let age = f64::from(who.age(from));
            let level = 3_900_000.0 * 1.025f64.powi(year - 2024) * (1.0 + 0.012 * (age - 40.0));
            let gross = (level * (0.12 * who.ability).exp()) as i64 / 10 * 10;
            if let Some(row) = self
                .out
                .row(self.scenario, Source::WageStatement, month, false)
            {
                row.text(&who.rrn)
                    .text(&payer)
                    .month(month)
                    .day(from)
                    .day(to)
                    .number(gross)
                    .finish(gross);
            }
        }
    }
}
