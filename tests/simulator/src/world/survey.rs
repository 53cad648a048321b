//! The labour-force survey and the figures of the truth.

use crate::calendar::{Day, NEVER, first_of, month_of, weekday};
use crate::deliver::Source;
use crate::reference::Place;
use crate::truth::{Coverage, Measure};
use crate::world::Block;
use crate::world::employment::{Cover, Job, Kind};
use crate::world::person::{Activity, NONE};
use crate::world::workplace::Workplace;

/// What a respondent says.
struct Answer {
    status: &'static [u8],
    /// Kind of work; empty without work.
    kind: &'static [u8],
    industry: Option<u8>,
    insured: Option<bool>,
    workplace: Option<u32>,
}

impl Answer {
    fn at_work(
        status: &'static [u8],
        kind: &'static [u8],
        industry: Option<u8>,
        insured: bool,
        workplace: Option<u32>,
    ) -> Self {
        Self {
            status,
            kind,
            industry,
            insured: Some(insured),
            workplace,
        }
    }

    fn without_work(status: &'static [u8]) -> Self {
        Self {
            status,
            kind: b"",
            industry: None,
            insured: None,
            workplace: None,
        }
    }
}

/// Size classes of the establishment census.
fn size_class(persons: f64) -> &'static str {
    match persons {
        persons if persons < 5.0 => "1-4",
        persons if persons < 10.0 => "5-9",
        persons if persons < 30.0 => "10-29",
        persons if persons < 100.0 => "30-99",
        persons if persons < 300.0 => "100-299",
        _ => "300+",
    }
}

/// The age bands of `sql/seeds/age_band.csv`.
fn age_band(age: i32) -> &'static str {
    match age {
        i32::MIN..=14 => "0-14",
        15..=29 => "15-29",
        30..=39 => "30-39",
        40..=49 => "40-49",
        50..=59 => "50-59",
        60..=64 => "60-64",
        _ => "65+",
    }
}

impl<'s> Block<'s> {
    fn place(&self, place: u8) -> &'s Place {
        &self.scenario.reference.places[self.places[place as usize] as usize]
    }

    /// A rotating sample of households; weights add up to the block's residents of 15 and over.
    pub(super) fn survey(&mut self, month: i32) {
        let Some(index) = self.scenario.index(month) else {
            return;
        };
        let middle = first_of(month) + 14;
        // The reference week, Sunday to Saturday around the 15th.
        let sunday = middle - ((weekday(middle) + 1) % 7) as Day;
        let week = (sunday, sunday + 6);
        let one_in = self.scenario.survey_one_in;
        // Households stay three years in the sample; one thirty-sixth rotates every month.
        let sampled = |household: u32| {
            let slot = household % one_in;
            let turn = (household / one_in + index as u32) / 36;
            slot == turn % one_in
        };
        let adults = self
            .persons
            .iter()
            .filter(|who| who.age(middle) >= 15)
            .count() as i64;
        let members: Vec<usize> = (0..self.persons.len())
            .filter(|index| {
                let who = &self.persons[*index];
                sampled(who.household) && who.age(middle) >= 15
            })
            .collect();
        if members.is_empty() {
            return;
        }
        let each = adults * 10_000 / members.len() as i64;
        let mut rest = adults * 10_000 - each * members.len() as i64;
        for index in members {
            let weight = each + i64::from(rest > 0);
            rest -= 1;
            let answer = self.survey_answer(index as u32, month, week);
            let who = &self.persons[index];
            let place = self.place(who.place);
            let work = answer
                .workplace
                .map(|index| &self.workplaces[index as usize]);
            let work_place = work.map(|workplace| self.place(workplace.place));
            let size = work.map(|workplace| size_class(workplace.size));
            let household = u64::from(self.index) * 20_000 + u64::from(who.household);
            let Some(row) = self
                .out
                .row(self.scenario, Source::LabourForceSurvey, month, false)
            else {
                return;
            };
            let mut weight_text = Vec::with_capacity(12);
            crate::deliver::push_number(&mut weight_text, weight / 10_000);
            let mut decimals = *b".0000";
            crate::identity::put(&mut decimals[1..], (weight % 10_000) as u64);
            weight_text.extend_from_slice(&decimals);
            let row = row
                .number(household as i64 + 1_000_000)
                .number(i64::from(who.member) + 1)
                .month(month)
                .text(&place.sido)
                .text(if who.male { b"m" } else { b"f" })
                .number(i64::from(who.age(middle)))
                .text(answer.status);
            let row = match answer.industry {
                Some(section) => row.text(&[section]),
                None => row.text(b""),
            };
            let row = match answer.insured {
                Some(true) => row.text(b"Y"),
                Some(false) => row.text(b"N"),
                None => row.text(b""),
            };
            row.text(&weight_text)
                .number(i64::from(self.index) + 1)
                .text(answer.kind)
                .text(size.unwrap_or_default().as_bytes())
                .text(work_place.map_or(b"".as_slice(), |place| place.sido.as_slice()))
                .finish(weight);
        }
    }

    /// What a person tells the interviewer about the reference week.
    fn survey_answer(&self, person: u32, month: i32, (from, to): (Day, Day)) -> Answer {
        let who = &self.persons[person as usize];
        if let Some(job) = self.job_between(person, from, to) {
            let workplace = &self.workplaces[job.workplace as usize];
            return Answer::at_work(
                b"employed_wage",
                b"regular",
                Some(self.section(workplace)),
                job.insured(),
                Some(job.workplace),
            );
        }
        if who.activity == Activity::Civil {
            return Answer::at_work(b"employed_wage", b"regular", Some(b'O'), false, None);
        }
        let first = first_of(month);
        let days = ((1u32 << (to - from + 1)) - 1) << (from - first);
        let mut daily = self
            .daily_work
            .range((month, person, 0)..=(month, person, u32::MAX))
            .filter(|(_, work)| work.on_any_of(days));
        if let Some(((_, _, workplace), work)) = daily.next() {
            let reported = work.is_reported() || daily.any(|(_, work)| work.is_reported());
            let section = self.section(&self.workplaces[*workplace as usize]);
            return Answer::at_work(
                b"employed_wage",
                b"daily",
                Some(section),
                reported,
                Some(*workplace),
            );
        }
        if let Some(contract) = self.contract_between(person, from, to) {
            let section = self.section(&self.workplaces[contract.workplace() as usize]);
            return Answer::at_work(
                b"employed_self",
                b"contractor",
                Some(section),
                contract.insured(),
                Some(contract.workplace()),
            );
        }
        if who.activity == Activity::Owner {
            return Answer::at_work(b"employed_self", b"owner", Some(b'G'), false, None);
        }
        let looking = who.registered > first - 60 && who.searching(first);
        if looking || who.claim != u32::MAX {
            Answer::without_work(b"unemployed")
        } else {
            Answer::without_work(b"inactive")
        }
    }

    /// KSIC section of a workplace.
    fn section(&self, workplace: &Workplace) -> u8 {
        self.scenario.reference.industries[workplace.industry as usize].section
    }

    /// The latest job of a person with a day of work between two days.
    fn job_between(&self, person: u32, from: Day, to: Day) -> Option<&Job> {
        let who = &self.persons[person as usize];
        let mut at = if who.job == NONE {
            who.last_job
        } else {
            who.job
        };
        while at != NONE {
            let job = &self.jobs[at as usize];
            if job.last < from {
                return None;
            }
            if job.first <= to && !job.fictitious {
                return Some(job);
            }
            at = job.previous;
        }
        None
    }

    /// The month's figures for the truth.
    pub(super) fn measure(&mut self, month: i32) {
        if self.scenario.index(month).is_none() {
            return;
        }
        let to = first_of(month + 1) - 1;
        let scenario = self.scenario;
        let mut figures: Vec<(Measure, i64)> = Vec::new();
        let (mut insured, mut wage, mut regular) = (0, 0, 0);
        let mut by_size = [(0, 0); 3];
        for index in &self.active_jobs {
            let job = &self.jobs[*index as usize];
            if job.fictitious || job.first > to {
                continue;
            }
            let class = self.workplaces[job.workplace as usize].class as usize;
            if job.last == NEVER || job.last > to {
                wage += 1;
                regular += i64::from(job.kind == Kind::Regular);
                insured += i64::from(job.insured());
                by_size[class].0 += 1;
                by_size[class].1 += i64::from(job.insured());
            }
        }
        let civil = self
            .persons
            .iter()
            .filter(|who| who.activity == Activity::Civil)
            .count() as i64;
        let (contractors, outside) = self.contractors();
        let owners = self.owners() as i64;
        let open = self.workplaces.iter().filter(|one| one.open_on(to)).count() as i64;
        let daily = self
            .daily_work
            .range((month, 0, 0)..(month + 1, 0, 0))
            .count() as i64;
        figures.extend([
            (Measure::Population, self.persons.len() as i64),
            (Measure::InsuredEmployees, insured),
            (Measure::InsuredContractors, contractors),
            (Measure::WageWorkers, wage + civil + daily),
            (Measure::RegularWageWorkers, regular + civil),
            (Measure::Workplaces, open),
            (Measure::SmallEmployees, by_size[0].0),
            (Measure::SmallInsured, by_size[0].1),
            (Measure::MiddleEmployees, by_size[1].0),
            (Measure::MiddleInsured, by_size[1].1),
            (Measure::LargeEmployees, by_size[2].0),
            (Measure::LargeInsured, by_size[2].1),
            (Measure::ContractorsOutside, outside),
            (Measure::OwnAccount, owners),
        ]);
        for (measure, amount) in figures {
            self.out.truth.add(scenario, month, measure, amount);
        }
        let first = first_of(month);
        for (person, known) in self.coverage(month).into_iter().enumerate() {
            let Some((class, workplace)) = known else {
                continue;
            };
            let who = &self.persons[person];
            let mut members = vec![
                ("sex", if who.male { "m" } else { "f" }.to_owned()),
                ("age_band", age_band(who.age(first)).to_owned()),
            ];
            if let Some(workplace) = workplace {
                let workplace = &self.workplaces[workplace as usize];
                let sigungu = self.place(workplace.place).code.clone();
                members.push(("sigungu", sigungu));
                let section = char::from(self.section(workplace));
                members.push(("industry", section.to_string()));
            }
            self.out.truth.cover(scenario, month, class);
            self.out.truth.cover_by(scenario, month, class, members);
        }
    }

    /// The one class of each person in a month and the workplace it is for, by the most protected kind of work, as the law
    /// has it and not as the records show it.
    fn coverage(&self, month: i32) -> Vec<Option<(Coverage, Option<u32>)>> {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let mut classes: Vec<Option<(Coverage, Option<u32>)>> = self
            .persons
            .iter()
            .map(|who| (who.activity == Activity::Civil).then_some((Coverage::ExemptCivil, None)))
            .collect();
        let mut mark = |person: u32, class: Coverage, workplace: Option<u32>| {
            let known = &mut classes[person as usize];
            if known.is_none_or(|(best, _)| class < best) {
                *known = Some((class, workplace));
            }
        };
        for index in &self.active_jobs {
            let job = &self.jobs[*index as usize];
            if job.fictitious || job.first > to || job.last < from {
                continue;
            }
            let gap = match self.workplaces[job.workplace as usize].class {
                0 => Coverage::UninsuredSmall,
                1 => Coverage::UninsuredMiddle,
                _ => Coverage::UninsuredLarge,
            };
            let class = match job.cover {
                Cover::Insured => Coverage::Insured,
                Cover::Unreported => gap,
                // Short hours are covered from the third month on.
                Cover::ExemptHours if month_of(job.first) <= month - 2 => gap,
                Cover::ExemptHours => Coverage::ExemptHours,
                Cover::ExemptAge => Coverage::ExemptAge,
            };
            mark(job.person, class, Some(job.workplace));
        }
        let daily = self.daily_work.range((month, 0, 0)..(month + 1, 0, 0));
        for ((_, person, workplace), work) in daily {
            let class = if work.is_reported() {
                Coverage::Insured
            } else if self.persons[*person as usize].age(from) >= 65 {
                Coverage::ExemptAge
            } else {
                Coverage::DailyUnreported
            };
            mark(*person, class, Some(*workplace));
        }
        for contract in self.contracts_in(from, to) {
            let class = if contract.insured() {
                Coverage::Insured
            } else if self.persons[contract.person() as usize].age(from) >= 65 {
                Coverage::ExemptAge
            } else if self
                .low_paid_contracts
                .contains(&(month, contract.person()))
            {
                Coverage::ExemptPay
            } else {
                Coverage::ContractorOutside
            };
            mark(contract.person(), class, Some(contract.workplace()));
        }
        for person in self.owners_in(from, to) {
            mark(person, Coverage::SelfEmployed, None);
        }
        classes
    }
}
