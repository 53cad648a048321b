//! Subsidies to employers and emergency support to persons.

use std::collections::BTreeMap;

use crate::calendar::{Day, first_of, month_of, next_weekday};
use crate::deliver::Source;
use crate::world::Block;
use crate::world::employment::Kind;
use crate::world::matching::number;

/// Share of workplaces under 10, from 10 to 29, and from 30 persons that apply for subsidies.
const TAKES_PART: [f64; 3] = [0.10, 0.22, 0.30];
/// Share of workplaces with 10 and more persons that keep their staff on support in a recession.
const RETAINS: f64 = 0.08;

/// Won for one person and month (고용보험법 시행령 제19조, 제25조의2, 제26조; amounts of 2024, check).
const YOUTH_MONTH_WON: i64 = 600_000;
const OLDER_MONTH_WON: i64 = 300_000;
const RETENTION_MONTH_WON: i64 = 1_380_000;

impl Block<'_> {
    /// Subsidies of every quarter, by the jobs that carry them.
    pub(super) fn record_subsidies(&mut self) {
        let mut by_workplace: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (index, job) in self.jobs.iter().enumerate() {
            if job.insured() && !job.fictitious {
                by_workplace
                    .entry(job.workplace)
                    .or_default()
                    .push(index as u32);
            }
        }
        let mut ordinal = 0;
        for (workplace, jobs) in by_workplace {
            let class = self.workplaces[workplace as usize].class as usize;
            let takes_part = self.random.chance(TAKES_PART[class]);
            let retains = class > 0 && self.random.chance(RETAINS);
            for month in
                self.scenario.start_month..self.scenario.start_month + self.scenario.months as i32
            {
                if takes_part && month.rem_euclid(3) == 2 {
                    let (youth, older) = self.subsidised(&jobs, month);
                    let rows: [(&[u8], Vec<u32>, i64); 2] = [
                        (b"youth_hire", youth, YOUTH_MONTH_WON),
                        (b"older_continued", older, OLDER_MONTH_WON),
                    ];
                    for (programme, persons, won) in rows {
                        if !persons.is_empty() {
                            let months = (month - 2, month);
                            let amount = persons.len() as i64 * 3 * won;
                            self.pay(workplace, programme, months, &persons, amount, &mut ordinal);
                        }
                    }
                }
                if retains && self.scenario.in_recession(month) {
                    let staff = self.at_work(&jobs, month);
                    let kept = &staff[..staff.len() / 5];
                    if !kept.is_empty() {
                        let amount = kept.len() as i64 * RETENTION_MONTH_WON;
                        let months = (month, month);
                        self.pay(workplace, b"retention", months, kept, amount, &mut ordinal);
                    }
                }
            }
        }
    }

    /// Young regular hires in their second half-year or later, up to 18 months, and persons kept
    /// on beyond 60, at the end of a quarter.
    fn subsidised(&self, jobs: &[u32], month: i32) -> (Vec<u32>, Vec<u32>) {
        let to = first_of(month + 1) - 1;
        let (mut youth, mut older) = (Vec::new(), Vec::new());
        for index in jobs {
            let job = &self.jobs[*index as usize];
            if job.first > to || job.last <= to {
                continue;
            }
            let age = self.persons[job.person as usize].age(job.first);
            let held = to - job.first;
            if job.kind == Kind::Regular && (15..35).contains(&age) && (182..548).contains(&held) {
                youth.push(job.person);
            }
            let age_now = self.persons[job.person as usize].age(to);
            if (60..63).contains(&age_now) && age < 60 {
                older.push(job.person);
            }
        }
        (youth, older)
    }

    fn at_work(&self, jobs: &[u32], month: i32) -> Vec<u32> {
        let to = first_of(month + 1) - 1;
        jobs.iter()
            .map(|index| &self.jobs[*index as usize])
            .filter(|job| job.first <= to && job.last > to)
            .map(|job| job.person)
            .collect()
    }

    fn pay(
        &mut self,
        workplace: u32,
        programme: &[u8],
        months: (i32, i32),
        persons: &[u32],
        amount: i64,
        ordinal: &mut u64,
    ) {
        let paid_on = next_weekday(first_of(months.1 + 1) + self.random.between(9, 24));
        *ordinal += 1;
        let decision = number(b'U', self.index, *ordinal);
        let workplace = self.workplaces[workplace as usize].number;
        let row = self
            .out
            .row(self.scenario, Source::Subsidy, month_of(paid_on), false);
        if let Some(row) = row {
            row.text(&decision)
                .text(&workplace)
                .text(programme)
                .month(months.0)
                .month(months.1)
                .number(persons.len() as i64)
                .number(amount)
                .day(paid_on)
                .finish(amount);
            self.name_subsidised(&decision, persons, months, false, paid_on);
        }
    }

    /// Emergency support to contractors and freelancers, more the first time.
    pub(super) fn record_emergency_support(&mut self, rounds: &[(u8, i32, Vec<u32>)]) {
        let mut supported: BTreeMap<u32, u8> = BTreeMap::new();
        for (round, month, persons) in rounds {
            for person in persons {
                if !self.random.chance(0.28) {
                    continue;
                }
                let again = supported.insert(*person, *round).is_some();
                let amount = if again { 500_000 } else { 1_000_000 };
                let applied = first_of(*month) + self.random.between(2, 12);
                let paid: Day = next_weekday(applied + self.random.between(5, 14));
                let trade: &[u8] = [
                    &b"delivery"[..],
                    b"sales",
                    b"instruction",
                    b"care",
                    b"arts",
                    b"other",
                ][self.random.below(6)];
                let row = self.out.row(
                    self.scenario,
                    Source::EmergencyPayment,
                    month_of(paid),
                    false,
                );
                if let Some(row) = row {
                    row.text(&self.persons[*person as usize].rrn)
                        .number(i64::from(*round))
                        .day(applied)
                        .day(paid)
                        .text(trade)
                        .number(amount)
                        .finish(amount);
                }
            }
        }
    }
}
