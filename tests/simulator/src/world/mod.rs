//! One block of the country: its persons and workplaces, month by month.

mod benefit;
mod case_files;
mod closing;
mod earnings;
mod employer_fraud;
mod employment;
mod fraud;
mod hiring;
mod interfaces;
mod look_alikes;
mod matching;
mod person;
mod redundancy;
mod registers;
mod residents;
mod search;
mod services;
mod sharing;
mod subsidy_fraud;
mod surroundings;
mod survey;
mod vacancy_text;
mod workplace;

pub(crate) use registers::iso_or_empty;
pub(crate) use residents::Residents;

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::{Day, first_of};
use crate::deliver::BlockOutput;
use crate::random::Random;
use crate::run::FinishedBlock;
use crate::scenario::{NATION, Scenario};
use benefit::Claim;
use closing::LateClosings;
use earnings::{Business, Contract, DailyWork};
use employment::{Eligible, Job};
use matching::{Seeker, Vacancy};
use person::Person;
use redundancy::Redundancies;
use services::ServiceLog;
use sharing::Sharing;
use subsidy_fraud::BackDatedHire;
use workplace::Workplace;

/// A flow whose fractional parts are carried from month to month, so that small blocks neither
/// lose nor double it.
#[derive(Clone, Copy)]
enum Flow {
    Claims,
    Seekers,
    Openings,
    Departures,
    Enrolments,
    Courses,
    RepeatClaims,
    Detected,
    DetectedOrganised,
    DailyReported,
    Plans,
    Collusion,
    Fictitious,
    Defects,
    ReasonChanged,
    Corrected,
    LateLoss,
    Seasonal,
    FilesLate,
    BackDated,
    AtWorkElsewhere,
    Seconded,
    Replaced,
    FewerHired,
    UsualTurnover,
    PlantClosed,
    OneOfSeveralClosed,
}

const FLOWS: usize = 27;

/// The state of a block while it is played.
pub(crate) struct Block<'s> {
    scenario: &'s Scenario,
    index: u32,
    /// Persons of the block per resident of the nation.
    scale: f64,
    random: Random,
    /// Sigungu of the block, as indices of the reference.
    places: Vec<u16>,
    persons: Vec<Person>,
    workplaces: Vec<Workplace>,
    jobs: Vec<Job>,
    /// Jobs not ended.
    active_jobs: Vec<u32>,
    /// Jobs that ended in the month being played.
    ended_jobs: Vec<u32>,
    /// Separated persons who may claim.
    eligible: Vec<Eligible>,
    claims: Vec<Claim>,
    active_claims: Vec<u32>,
    /// Registrations whose seekers still look at vacancies.
    seekers: Vec<Seeker>,
    vacancies: Vec<Vacancy>,
    contracts: Vec<Contract>,
    /// Contracts that ended in the month being played.
    ended_contracts: Vec<Contract>,
    /// Months and persons whose contract paid less than the law asks for.
    low_paid_contracts: BTreeSet<(i32, u32)>,
    businesses: Vec<Business>,
    /// Businesses that closed in the month being played.
    closed_businesses: Vec<Business>,
    daily_pool: Vec<u32>,
    /// Day labour by work month, person and workplace, written when the block is finished.
    daily_work: BTreeMap<(i32, u32, u32), DailyWork>,
    /// Claims that still join the ring that shares an account, and the ring's number.
    ring: (u32, u32),
    carry: [f64; FLOWS],
    /// Hires whose subsidy is claimed for months before they began.
    back_dated: Vec<BackDatedHire>,
    redundancies: Redundancies,
    late_closings: LateClosings,
    sharing: Sharing,
    /// What the employment services saw, for their own records.
    service_log: ServiceLog,
    /// Numbers given out: businesses, claims, seekers, vacancies, courses.
    numbers: [u64; 5],
    out: BlockOutput,
}

/// Businesses that one block can number; two hundred years of openings.
const BUSINESSES: u64 = 40_000;

/// Kinds of numbers given out.
#[derive(Clone, Copy)]
enum Number {
    Business,
    Claim,
    Seeker,
    Vacancy,
    Course,
}

/// Plays one block from the start of the burn-in to the last month.
pub(crate) fn play(scenario: &Scenario, index: u32, persons: usize) -> FinishedBlock {
    let mut block = Block::settle(scenario, index, persons);
    for month in scenario.calendar() {
        block.play_month(month);
    }
    block.settle_open_frauds();
    block.note_fewer_hired();
    block.write_daily_work();
    block.record_services();
    block.record_subsidy_frauds();
    block.record_kiosks();
    block.settle_device_rings();
    FinishedBlock {
        residents: block.count_residents(),
        registers: block.register_workplaces(),
        output: block.out,
    }
}

impl<'s> Block<'s> {
    /// People, workplaces and jobs on the first simulated day.
    fn settle(scenario: &'s Scenario, index: u32, persons: usize) -> Self {
        let mut block = Self {
            scenario,
            index,
            scale: persons as f64 / NATION,
            random: Random::new(scenario.seed, u64::from(index)),
            places: Vec::new(),
            persons: Vec::new(),
            workplaces: Vec::new(),
            jobs: Vec::new(),
            active_jobs: Vec::new(),
            ended_jobs: Vec::new(),
            eligible: Vec::new(),
            claims: Vec::new(),
            active_claims: Vec::new(),
            seekers: Vec::new(),
            vacancies: Vec::new(),
            contracts: Vec::new(),
            ended_contracts: Vec::new(),
            low_paid_contracts: BTreeSet::new(),
            businesses: Vec::new(),
            closed_businesses: Vec::new(),
            daily_pool: Vec::new(),
            daily_work: BTreeMap::new(),
            ring: (0, 0),
            carry: [0.0; FLOWS],
            back_dated: Vec::new(),
            redundancies: Redundancies::default(),
            late_closings: LateClosings::new(scenario, index),
            sharing: Sharing::new(scenario, index),
            service_log: ServiceLog::default(),
            numbers: [0; 5],
            out: BlockOutput::new(scenario, index),
        };
        for flow in &mut block.carry {
            *flow = block.random.unit();
        }
        block.settle_persons(persons);
        block.settle_workplaces();
        block.settle_work();
        block
    }

    /// The order matters: who separates may claim and register in the same month, who registers
    /// may find work in it, and what is left of the demand for labour is hired from the others.
    fn play_month(&mut self, month: i32) {
        self.ended_jobs.clear();
        self.ended_contracts.clear();
        self.low_paid_contracts.clear();
        self.closed_businesses.clear();
        self.open_and_close_workplaces(month);
        self.separate(month);
        self.stage_frauds(month);
        self.stage_redundancies(month);
        self.stage_closings(month);
        self.stage_late_closings(month);
        self.stage_back_dated_hires(month);
        self.open_vacancies(month);
        self.open_claims(month);
        self.stage_sharing(month);
        self.register_seekers(month);
        self.start_found_jobs(month);
        self.hire_the_rest(month);
        self.certify(month);
        self.look_at_vacancies(month);
        self.work_by_the_day(month);
        self.contract_work(month);
        self.run_businesses(month);
        self.pay_wages(month);
        self.cross_borders(month);
        self.serve(month);
        self.train(month);
        self.deliver_workplaces(month);
        self.survey(month);
        self.measure(month);
        self.note_services(month);
        self.active_jobs
            .retain(|job| self.jobs[*job as usize].last >= first_of(month + 1));
    }

    /// Whole number of a flow whose mean this month is `mean`, in the long run exactly the mean.
    fn flow(&mut self, flow: Flow, mean: f64) -> usize {
        let carry = &mut self.carry[flow as usize];
        *carry += mean.max(0.0);
        let whole = carry.floor();
        *carry -= whole;
        whole as usize
    }

    /// As [`flow`](Self::flow), for a fraud and what resembles it.
    fn fraud_flow(&mut self, flow: Flow, mean: f64) -> usize {
        self.flow(flow, mean * self.scenario.fraud_rate)
    }

    /// Gives out the next number of a kind.
    fn next_number(&mut self, kind: Number) -> u64 {
        let next = self.numbers[kind as usize];
        self.numbers[kind as usize] += 1;
        next
    }

    /// The number of the next business of the country; the last of a block's is the payer of its
    /// civil servants.
    fn business_ordinal(&mut self) -> u64 {
        u64::from(self.index) * BUSINESSES + self.next_number(Number::Business) % (BUSINESSES - 1)
    }

    /// A weekday from `from` to `to`, or `from` when there is none.
    fn weekday_between(&mut self, from: Day, to: Day) -> Day {
        let drawn = self.random.between(from, to.max(from));
        let weekday = crate::calendar::next_weekday(drawn);
        if weekday <= to {
            weekday
        } else {
            drawn.min(to).max(from)
        }
    }
}
