//! Subsidies drawn for people who were not at work there (F11), and the secondments that look
//! like them.

use crate::calendar::{Day, first_of, month_of, next_weekday};
use crate::deliver::Source;
use crate::random::Random;
use crate::scenario::magnitude;
use crate::truth::TruthFile;
use crate::world::employment::{Cover, Kind};
use crate::world::matching::number;
use crate::world::search::iso;
use crate::world::{Block, Flow};

/// Decisions of this block that other programmes do not number.
const FIRST_DECISION: u64 = 500_000;
const YOUTH_MONTH_WON: i64 = 600_000;

/// Hires reported as if they had begun months before.
pub(super) struct BackDatedHire {
    workplace: u32,
    /// Month in which the hires really began.
    month: i32,
    persons: Vec<u32>,
}

/// A decision to pay for people.
struct Decision<'d> {
    workplace: u32,
    /// First of three subsidised months.
    from: i32,
    persons: &'d [u32],
    seconded: bool,
}

impl Block<'_> {
    /// Employers who hire and report the hire as four months old.
    pub(super) fn stage_back_dated_hires(&mut self, month: i32) {
        let mean = magnitude::CLAIMS * self.scale * 0.001;
        for _ in 0..self.fraud_flow(Flow::BackDated, mean) {
            let from = first_of(month);
            let acquired = first_of(month - 4);
            let Some(workplace) = self.uninsured_employer(acquired) else {
                continue;
            };
            let free = self.draw_idle(12, from, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
            let persons: Vec<u32> = free
                .into_iter()
                .filter(|person| {
                    let who = &self.persons[*person as usize];
                    who.worked_until < acquired && who.certified_until < acquired
                })
                .take(2)
                .collect();
            for person in &persons {
                let index =
                    self.start_job(*person, workplace, from, Kind::Regular, Cover::Unreported);
                let reported = from + self.random.between(3, 12);
                let job = &mut self.jobs[index as usize];
                job.cover = Cover::Insured;
                job.first = acquired;
                job.acquired_reported = reported;
                self.workplaces[workplace as usize].insured_now += 1;
                self.deliver_spell(index, false);
            }
            if !persons.is_empty() {
                self.back_dated.push(BackDatedHire {
                    workplace,
                    month,
                    persons,
                });
            }
        }
    }

    /// Writes the subsidies of frauds and of approved secondments, from a stream of their own.
    pub(super) fn record_subsidy_frauds(&mut self) {
        let ordinary = std::mem::replace(
            &mut self.random,
            Random::new(self.scenario.seed, 0x5e7d_0000_0000 + u64::from(self.index)),
        );
        let mut ordinal = FIRST_DECISION;
        for hire in std::mem::take(&mut self.back_dated) {
            let decision = Decision {
                workplace: hire.workplace,
                from: hire.month - 3,
                persons: &hire.persons,
                seconded: false,
            };
            self.subsidise(&decision, &mut ordinal);
        }
        let mean = magnitude::CLAIMS * self.scale * 0.001;
        for month in self.scenario.calendar() {
            for (flow, seconded) in [(Flow::AtWorkElsewhere, false), (Flow::Seconded, true)] {
                for _ in 0..self.fraud_flow(flow, mean) {
                    self.subsidise_people_elsewhere(month, seconded, &mut ordinal);
                }
            }
        }
        self.random = ordinary;
    }

    /// A subsidy to one employer for people who work for another through all its months.
    fn subsidise_people_elsewhere(&mut self, month: i32, seconded: bool, ordinal: &mut u64) {
        let (from, to) = (first_of(month - 2), first_of(month + 1) - 1);
        let Some(workplace) = self.uninsured_employer(from) else {
            return;
        };
        let mut persons = Vec::new();
        for _ in 0..400 {
            let job = &self.jobs[self.random.below(self.jobs.len())];
            let who = &self.persons[job.person as usize];
            let fits = job.insured()
                && !job.fictitious
                && job.workplace != workplace
                && job.first <= from
                && job.last > to
                && who.age(from) < 35
                && !persons.contains(&job.person);
            if fits {
                persons.push(job.person);
            }
            if persons.len() == 3 {
                break;
            }
        }
        if !persons.is_empty() {
            let decision = Decision {
                workplace,
                from: month - 2,
                persons: &persons,
                seconded,
            };
            self.subsidise(&decision, ordinal);
        }
    }

    fn subsidise(&mut self, decision: &Decision<'_>, ordinal: &mut u64) {
        *ordinal += 1;
        let no = number(b'U', self.index, *ordinal);
        let workplace = self.workplaces[decision.workplace as usize].number;
        let heads = decision.persons.len() as i64;
        let amount = heads * 3 * YOUTH_MONTH_WON;
        let months = (decision.from, decision.from + 2);
        let paid_on: Day = next_weekday(first_of(months.1 + 1) + self.random.between(9, 24));
        let row = self
            .out
            .row(self.scenario, Source::Subsidy, month_of(paid_on), false);
        let Some(row) = row else { return };
        row.text(&no)
            .text(&workplace)
            .text(b"youth_hire")
            .month(months.0)
            .month(months.1)
            .number(heads)
            .number(amount)
            .day(paid_on)
            .finish(amount);
        self.name_subsidised(&no, decision.persons, months, decision.seconded, paid_on);
        let (from, to) = (iso(first_of(months.0)), iso(first_of(months.1 + 1) - 1));
        let no = String::from_utf8_lossy(&no).into_owned();
        if decision.seconded {
            self.out.truth.line(
                TruthFile::LookAlike,
                format_args!("{no},F11,approved_secondment,{from},{to}"),
            );
        } else {
            let evident = u8::from(months.0 >= self.scenario.start_month);
            self.out.truth.frauds += 1;
            self.out.truth.line(
                TruthFile::Fraud,
                format_args!("{no},F11,{from},{to},{amount},0,,{evident}"),
            );
        }
    }

    /// Names the persons a subsidy is paid for.
    pub(super) fn name_subsidised(
        &mut self,
        decision: &[u8],
        persons: &[u32],
        months: (i32, i32),
        seconded: bool,
        paid_on: Day,
    ) {
        for person in persons {
            let rrn = self.persons[*person as usize].rrn;
            let row = self.out.row(
                self.scenario,
                Source::SubsidyPerson,
                month_of(paid_on),
                false,
            );
            if let Some(row) = row {
                row.text(decision)
                    .text(&rrn)
                    .month(months.0)
                    .month(months.1)
                    .text(if seconded { b"Y" } else { b"N" })
                    .finish(0);
            }
        }
    }
}
