//! The labour-force survey and the figures of the truth.

use crate::calendar::{NEVER, first_of};
use crate::deliver::Source;
use crate::truth::{Coverage, Measure};
use crate::world::Block;
use crate::world::employment::{Cover, Kind};
use crate::world::person::Activity;

/// One household in this many is surveyed.
const HOUSEHOLDS: u32 = 40;

impl Block<'_> {
    /// A rotating sample of households; weights add up to the block's residents of 15 and over.
    pub(super) fn survey(&mut self, month: i32) {
        let Some(index) = self.scenario.index(month) else {
            return;
        };
        let middle = first_of(month) + 14;
        // Households stay three years in the sample; one thirty-sixth rotates every month.
        let sampled = |household: u32| {
            let slot = household % HOUSEHOLDS;
            let turn = (household / HOUSEHOLDS + index as u32) / 36;
            slot == turn % HOUSEHOLDS
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
            let (status, industry, insured) = self.status(index, month);
            let who = &self.persons[index];
            let place = &self.scenario.reference.places[self.places[who.place as usize] as usize];
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
                .text(status);
            let row = match industry {
                Some(section) => row.text(&[section]).text(if insured { b"Y" } else { b"N" }),
                None => row.text(b"").text(b""),
            };
            row.text(&weight_text).finish(weight);
        }
    }

    /// Survey status, industry section and whether insured.
    fn status(&self, index: usize, month: i32) -> (&'static [u8], Option<u8>, bool) {
        let who = &self.persons[index];
        let reference = &self.scenario.reference;
        match who.activity {
            Activity::Wage if !self.jobless(index) => {
                let job = &self.jobs[who.job as usize];
                let workplace = &self.workplaces[job.workplace as usize];
                let section = reference.industries[workplace.industry as usize].section;
                (b"employed_wage", Some(section), job.insured())
            }
            Activity::Civil => (b"employed_wage", Some(b'O'), false),
            Activity::Daily if index % 100 < (who.daily_share * 100.0) as usize => {
                (b"employed_wage", Some(b'F'), index % 13 < 6)
            }
            Activity::Contractor => (b"employed_self", Some(b'H'), index % 23 < 8),
            Activity::Owner => (b"employed_self", Some(b'G'), false),
            _ => {
                let looking =
                    who.registered > first_of(month) - 60 && who.searching(first_of(month));
                (
                    if looking || who.claim != u32::MAX {
                        b"unemployed"
                    } else {
                        b"inactive"
                    },
                    None,
                    false,
                )
            }
        }
    }

    /// The month's figures for the truth.
    pub(super) fn measure(&mut self, month: i32) {
        if self.scenario.index(month).is_none() {
            return;
        }
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let scenario = self.scenario;
        let mut figures: Vec<(Measure, i64)> = Vec::new();
        let mut classes: Vec<(Coverage, i64)> = Vec::new();
        let (mut insured, mut wage, mut regular) = (0, 0, 0);
        let mut by_size = [(0, 0); 3];
        let mut gap = [0; 3];
        let (mut hours, mut old, mut covered) = (0, 0, 0);
        for index in &self.active_jobs {
            let job = &self.jobs[*index as usize];
            if job.fictitious || job.first > to {
                continue;
            }
            let class = self.workplaces[job.workplace as usize].class as usize;
            if job.last >= from {
                match job.cover {
                    Cover::Insured => covered += 1,
                    Cover::Unreported => gap[class] += 1,
                    Cover::ExemptHours => hours += 1,
                    Cover::ExemptAge => old += 1,
                }
            }
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
        let daily: Vec<bool> = self
            .daily_work
            .range((month, 0, 0)..(month + 1, 0, 0))
            .map(|(_, work)| work.is_reported())
            .collect();
        let unreported = daily.iter().filter(|reported| !**reported).count() as i64;
        figures.extend([
            (Measure::Population, self.persons.len() as i64),
            (Measure::InsuredEmployees, insured),
            (Measure::InsuredContractors, contractors),
            (Measure::WageWorkers, wage + civil + daily.len() as i64),
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
        classes.extend([
            (
                Coverage::Insured,
                covered + contractors + daily.len() as i64 - unreported,
            ),
            (Coverage::UninsuredSmall, gap[0]),
            (Coverage::UninsuredMiddle, gap[1]),
            (Coverage::UninsuredLarge, gap[2]),
            (Coverage::DailyUnreported, unreported),
            (Coverage::ContractorOutside, outside),
            (Coverage::SelfEmployed, owners),
            (Coverage::ExemptCivil, civil),
            (Coverage::ExemptHours, hours),
            (Coverage::ExemptAge, old),
        ]);
        for (measure, amount) in figures {
            self.out.truth.add(scenario, month, measure, amount);
        }
        for (class, amount) in classes {
            self.out.truth.cover(scenario, month, class, amount);
        }
    }
}
