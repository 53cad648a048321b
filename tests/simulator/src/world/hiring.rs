//! The demand for labour: stocks by size of workplace that hires fill up.

use crate::calendar::{Day, NEVER, first_of, is_weekday};
use crate::scenario::magnitude;
use crate::world::Block;
use crate::world::employment::{Cover, Kind};
use crate::world::person::{Activity, NONE};

/// Workplaces of one size class with cumulative weights for insured and uninsured hires.
struct Employers {
    workplaces: Vec<u32>,
    insured: Vec<f64>,
    uninsured: Vec<f64>,
}

impl Block<'_> {
    /// Employees wanted in a month, insured and not, by size class.
    fn wanted(&self, month: i32) -> [(usize, usize); 3] {
        let level = self.scenario.insured_level(month) * self.scale;
        [0, 1, 2].map(|class| {
            let insured = magnitude::EMPLOYEES[class] * magnitude::INSURED_SHARE[class];
            let uninsured = magnitude::EMPLOYEES[class] - insured;
            (
                (insured * level).round() as usize,
                (uninsured * level).round() as usize,
            )
        })
    }

    /// Insured and uninsured employees now, by size class.
    pub(super) fn employed(&self) -> [(usize, usize); 3] {
        let mut counts = [(0, 0); 3];
        for index in &self.active_jobs {
            let job = &self.jobs[*index as usize];
            if job.last != NEVER || job.fictitious {
                continue;
            }
            let count = &mut counts[self.workplaces[job.workplace as usize].class as usize];
            if job.insured() {
                count.0 += 1
            } else {
                count.1 += 1
            }
        }
        counts
    }

    fn employers(&self, on: Day) -> [Employers; 3] {
        let mut result = [0, 1, 2].map(|_| Employers {
            workplaces: Vec::new(),
            insured: Vec::new(),
            uninsured: Vec::new(),
        });
        let mut sums = [(0.0, 0.0); 3];
        for (index, workplace) in self.workplaces.iter().enumerate() {
            if workplace.fictitious || !workplace.open_on(on) || workplace.closed != NEVER {
                continue;
            }
            let class = workplace.class as usize;
            let employers = &mut result[class];
            sums[class].0 += workplace.size * workplace.insures;
            sums[class].1 += workplace.size * (1.0 - workplace.insures) + 0.001;
            employers.workplaces.push(index as u32);
            employers.insured.push(sums[class].0);
            employers.uninsured.push(sums[class].1);
        }
        result
    }

    fn pick(&mut self, employers: &Employers, insured: bool) -> Option<u32> {
        let cumulative = if insured {
            &employers.insured
        } else {
            &employers.uninsured
        };
        let point = self.random.unit() * cumulative.last().copied()?;
        let position = cumulative.partition_point(|sum| *sum <= point);
        employers.workplaces.get(position).copied()
    }

    /// A workplace that takes on an insured person, by size.
    pub(super) fn insured_employer(&mut self, on: Day) -> Option<u32> {
        let employers = self.employers(on);
        let weights = [0, 1, 2].map(|class: usize| {
            magnitude::EMPLOYEES[class] * magnitude::INSURED_SHARE[class] * [1.5, 1.2, 0.8][class]
        });
        let class = self.random.weighted(&weights);
        self.pick(&employers[class], true)
            .or_else(|| self.pick(&employers[0], true))
    }

    /// A small workplace that does not report.
    pub(super) fn uninsured_employer(&mut self, on: Day) -> Option<u32> {
        let employers = self.employers(on);
        self.pick(&employers[0], false)
    }

    /// A workplace that insures part of its staff and files wage statements for all.
    pub(super) fn filing_employer(&mut self, on: Day) -> Option<u32> {
        let employers = self.employers(on);
        self.pick(&employers[1], false)
    }

    pub(super) fn contract_kind(&mut self, insured: bool) -> Kind {
        let weights = if insured {
            [48.0, 33.0, 19.0]
        } else {
            [34.0, 22.0, 44.0]
        };
        [Kind::Regular, Kind::FixedTerm, Kind::PartTime][self.random.weighted(&weights)]
    }

    /// How an uninsured job is uninsured.
    fn gap(&mut self, person: u32, kind: Kind, on: Day) -> Cover {
        if self.persons[person as usize].age(on) >= 65 {
            Cover::ExemptAge
        } else if kind == Kind::PartTime && self.random.chance(0.45) {
            Cover::ExemptHours
        } else {
            Cover::Unreported
        }
    }

    fn start_day(&mut self, earliest: Day, from: Day, to: Day) -> Day {
        let from = from.max(earliest);
        if from > to {
            return from;
        }
        let first = crate::calendar::next_weekday(from);
        if self.random.chance(0.4) && first <= to {
            return first;
        }
        let day = self.weekday_between(from, to);
        if is_weekday(day) || self.random.chance(0.3) {
            day
        } else {
            first.min(to)
        }
    }

    /// Fills the stocks up to what is wanted, with persons whose next job no registration rules.
    pub(super) fn hire_the_rest(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let wanted = self.wanted(month);
        let employed = self.employed();
        let needed: usize = (0..3)
            .map(|class| {
                wanted[class].0.saturating_sub(employed[class].0)
                    + wanted[class].1.saturating_sub(employed[class].1)
            })
            .sum();
        let mut free: Vec<(u32, f64)> = Vec::new();
        for (index, who) in self.persons.iter().enumerate() {
            let age = (to - who.birth) / 365;
            if who.activity != Activity::Idle
                || !(16..80).contains(&age)
                || who.searching(from)
                || who.claim != NONE
                || who.job != NONE
                || who.worked_until >= to
            {
                continue;
            }
            let by_age = match age {
                16..=19 => 0.10,
                20..=24 => 0.8,
                25..=59 => 1.0,
                60..=64 => 0.6,
                65..=69 => 0.35,
                _ => 0.12,
            };
            let recent = if from - who.worked_until < 100 {
                6.0
            } else {
                1.0
            };
            let parent = if !who.male && who.child_at_home {
                0.6
            } else {
                1.0
            };
            free.push((index as u32, by_age * recent * parent));
        }
        let mut drawn = self
            .random
            .sample(&free, needed + needed / 2 + 20)
            .into_iter();
        let employers = self.employers(from);
        let mut old: Vec<u32> = Vec::new();
        for insured in [true, false] {
            for class in [2, 1, 0] {
                let (want, have) = if insured {
                    (wanted[class].0, employed[class].0)
                } else {
                    (wanted[class].1, employed[class].1)
                };
                for _ in have..want.max(have) {
                    let person = if insured {
                        loop {
                            match drawn.next() {
                                Some(person) if self.persons[person as usize].age(to) >= 65 => {
                                    old.push(person);
                                }
                                other => break other,
                            }
                        }
                    } else {
                        if self.random.chance(0.3) {
                            old.pop()
                        } else {
                            None
                        }
                        .or_else(|| drawn.next())
                    };
                    let Some(person) = person else { return };
                    self.hire(person, &employers[class], insured, (from, to));
                }
            }
        }
    }

    fn hire(&mut self, person: u32, employers: &Employers, insured: bool, (from, to): (Day, Day)) {
        let Some(workplace) = self.pick(employers, insured) else {
            return;
        };
        let who = &self.persons[person as usize];
        let last_workplace = match who.last_job {
            NONE => NONE,
            job => self.jobs[job as usize].workplace,
        };
        if last_workplace == workplace {
            return;
        }
        let earliest = who.worked_until + 1;
        let kind = self.contract_kind(insured);
        let first = self.start_day(earliest, from, to);
        let cover = if insured {
            Cover::Insured
        } else {
            self.gap(person, kind, first)
        };
        self.start_job(person, workplace, first, kind, cover);
    }

    /// Who has work on the first simulated day.
    pub(super) fn settle_work(&mut self) {
        let today = self.scenario.first_day;
        let wanted = self.wanted(self.scenario.start_month - crate::scenario::BURN_IN);
        let scale = self.scale;
        let count = |nation: f64| (nation * scale).round() as usize;
        let civil = count(magnitude::CIVIL);
        let owners = count(magnitude::OWN_ACCOUNT);
        let contractors = count(magnitude::CONTRACTORS_INSURED + magnitude::CONTRACTORS_OUTSIDE);
        let daily = count(magnitude::DAILY_IN_A_YEAR * 0.975);
        for person in self.draw_idle(civil, today, [0.1, 1.2, 1.4, 1.0, 0.0, 0.0]) {
            self.persons[person as usize].activity = Activity::Civil;
        }
        for person in self.draw_idle(owners, today, [0.02, 0.4, 1.0, 1.5, 1.2, 0.5]) {
            self.open_business(person, today, true);
        }
        for person in self.draw_idle(contractors, today, [0.3, 1.0, 1.0, 1.0, 0.5, 0.1]) {
            self.start_contract(person, today, true);
        }
        for person in self.draw_idle(daily, today, [0.3, 0.6, 0.8, 1.3, 1.0, 0.3]) {
            let share = 0.17 + 0.60 * self.random.unit();
            let who = &mut self.persons[person as usize];
            who.activity = Activity::Daily;
            who.daily_share = share;
            self.daily_pool.push(person);
        }
        let employers = self.employers(today);
        let total: usize = wanted
            .iter()
            .map(|(insured, uninsured)| insured + uninsured)
            .sum();
        let mut drawn = self
            .draw_idle(total + 40, today, [0.25, 1.2, 1.2, 1.0, 0.45, 0.12])
            .into_iter();
        for class in [2, 1, 0] {
            for position in 0..wanted[class].0 + wanted[class].1 {
                let Some(person) = drawn.next() else { return };
                let insured = position < wanted[class].0;
                let Some(workplace) = self.pick(&employers[class], insured) else {
                    return;
                };
                self.settle_job(person, workplace, insured, today);
            }
        }
    }

    /// A job that began before the simulation.
    fn settle_job(&mut self, person: u32, workplace: u32, insured: bool, today: Day) {
        let age_days = today - self.persons[person as usize].birth;
        let class = self.workplaces[workplace as usize].class;
        let weights = if insured {
            [66.0, 18.0, 16.0]
        } else {
            [36.0, 20.0, 44.0]
        };
        let kind = [Kind::Regular, Kind::FixedTerm, Kind::PartTime][self.random.weighted(&weights)];
        let mean = if kind == Kind::Regular {
            [900.0, 1_300.0, 2_300.0][class as usize]
        } else {
            330.0
        };
        let longest = (age_days - 18 * 365).clamp(10, 38 * 365);
        let tenure = ((self.random.exponential() * mean) as Day + 3).min(longest);
        let opened = self.workplaces[workplace as usize].established;
        let first = (today - tenure).max(opened.min(today - 3));
        let hired_old = self.persons[person as usize].age(first) >= 65;
        let cover = match (insured, hired_old) {
            (true, false) => Cover::Insured,
            (_, true) => Cover::ExemptAge,
            (false, false) => self.gap(person, kind, first),
        };
        let job = self.start_job(person, workplace, first, kind, cover);
        let ahead = self.random.between(0, 364);
        let job = &mut self.jobs[job as usize];
        if job.contract_end < today {
            job.contract_end = if ahead < 120 {
                first_of(self.scenario.start_month) - 1
            } else {
                first_of(crate::calendar::month_of(today + ahead) + 1) - 1
            };
        }
    }

    /// Idle adults drawn by age: weights for under 25, 25–34, 35–49, 50–59, 60–69, and older.
    pub(super) fn draw_idle(&mut self, count: usize, on: Day, weights: [f64; 6]) -> Vec<u32> {
        let mut free: Vec<(u32, f64)> = Vec::new();
        for (index, who) in self.persons.iter().enumerate() {
            let age = (on - who.birth) / 365;
            if who.activity != Activity::Idle || age < 18 || who.searching(on) || who.claim != NONE
            {
                continue;
            }
            let band = match age {
                18..=24 => 0,
                25..=34 => 1,
                35..=49 => 2,
                50..=59 => 3,
                60..=69 => 4,
                70..=79 => 5,
                _ => continue,
            };
            let parent = if !who.male && who.child_at_home {
                0.6
            } else {
                1.0
            };
            free.push((index as u32, weights[band] * parent));
        }
        self.random.sample(&free, count)
    }
}
