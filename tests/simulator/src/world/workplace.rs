use crate::calendar::{Day, NEVER, first_of};
use crate::deliver::Source;
use crate::identity::{business_number, firm_name};
use crate::random::Random;
use crate::reference::cp949;
use crate::scenario::magnitude;
use crate::world::Block;

/// A workplace under the insurance.
pub(super) struct Workplace {
    /// Business number followed by 0.
    pub number: [u8; 11],
    pub name: Box<[u8]>,
    pub industry: u16,
    /// Index in the block's places.
    pub place: u8,
    pub established: Day,
    pub closed: Day,
    /// 0 under 10, 1 from 10 to 29, 2 from 30 persons.
    pub class: u8,
    /// Persons it wants to employ.
    pub size: f64,
    /// Share of its employees it insures.
    pub insures: f64,
    pub log_wage: f64,
    /// What draws applicants to it, on the log scale; nothing records it.
    pub appeal: f64,
    /// Insured persons now and when last delivered.
    pub insured_now: i32,
    pub delivered_headcount: i32,
    /// Kept off the ordinary labour market: exists on paper only.
    pub fictitious: bool,
    /// Its planned jobs are real, and their wage statements come months late.
    pub files_late: bool,
}

impl Workplace {
    pub(super) fn business_number(&self) -> &[u8] {
        &self.number[..10]
    }

    pub(super) fn open_on(&self, day: Day) -> bool {
        self.established <= day && day <= self.closed
    }
}

/// Sizes of workplaces with 30 and more persons in a block of ten thousand residents.
const LARGE: [f64; 16] = [
    34.0, 320.0, 48.0, 62.0, 150.0, 38.0, 95.0, 560.0, 42.0, 75.0, 31.0, 210.0, 55.0, 120.0, 35.0,
    180.0,
];

impl Block<'_> {
    pub(super) fn settle_workplaces(&mut self) {
        let scale = self.scale;
        let mut left = magnitude::EMPLOYEES[2] * scale;
        let mut made = 0;
        let mut template = LARGE.iter().cycle();
        while left > 0.0 {
            let size = template.next().copied().unwrap_or(30.0).min(left).max(30.0);
            self.found_workplace(2, size, None);
            left -= size;
            made += 1;
        }
        let middle = (magnitude::EMPLOYEES[1] * scale / 17.0).round().max(1.0) as usize;
        for position in 0..middle {
            let size = 10.0 + 14.0 * (position as f64 + 0.5) / middle as f64;
            self.found_workplace(1, size, None);
        }
        let all = (magnitude::WORKPLACES * scale).round() as usize;
        for position in 0..all.saturating_sub(made + middle).max(3) {
            let point = (position as f64 + 0.5) / all as f64;
            self.found_workplace(0, 1.0 + 6.0 * point * point * point, None);
        }
    }

    /// A new workplace; `opened` is its first day, or a random one before the simulation.
    pub(super) fn found_workplace(&mut self, class: u8, size: f64, opened: Option<Day>) -> u32 {
        let weights: Vec<f64> = self
            .scenario
            .reference
            .industries
            .iter()
            .map(|one| one.weight)
            .collect();
        let industry = self.random.weighted(&weights) as u16;
        let ordinal = self.business_ordinal();
        let mut number = [b'0'; 11];
        number[..10].copy_from_slice(&business_number(self.scenario.seed, ordinal));
        let age = self.random.exponential() * 3_300.0 + 30.0;
        let established = opened.unwrap_or(self.scenario.first_day - age as Day);
        let draw = self.random.unit();
        let insures = match class {
            0 if draw < 0.30 => 0.0,
            0 if draw < 0.70 => 0.5,
            1 if draw < 0.36 => 0.5,
            2 => 0.99,
            _ => 1.0,
        };
        let place = self.random.below(self.places.len()) as u8;
        let workplace = Workplace {
            number,
            name: cp949(&firm_name(&mut self.random)).into_boxed_slice(),
            industry,
            place,
            established,
            closed: NEVER,
            class,
            size,
            insures,
            log_wage: 0.12 * self.random.normal() + [-0.14, 0.0, 0.14][class as usize],
            // From a stream of its own: the country around it stays as it is.
            appeal: 0.35 * Random::new(self.scenario.seed, 0x00a9_9ea1 ^ (ordinal << 24)).normal(),
            insured_now: 0,
            delivered_headcount: -1,
            fictitious: false,
            files_late: false,
        };
        self.workplaces.push(workplace);
        self.workplaces.len() as u32 - 1
    }

    /// Small workplaces close more often, more so in the recession; a new one opens for each.
    pub(super) fn open_and_close_workplaces(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let recession = if self.scenario.in_recession(month) {
            1.4
        } else {
            1.0
        };
        for index in 0..self.workplaces.len() {
            let workplace = &self.workplaces[index];
            if workplace.closed != NEVER || workplace.fictitious || workplace.established >= from {
                continue;
            }
            let hazard = [0.008, 0.003, 0.0][workplace.class as usize] * recession;
            if !self.random.chance(hazard) {
                // Firms drift: some grow, some shrink.
                let drift = 1.0 + 0.02 * self.random.normal();
                let workplace = &mut self.workplaces[index];
                workplace.size = (workplace.size * drift).clamp(0.7, 2_000.0);
                continue;
            }
            let last = if self.random.chance(0.5) {
                to
            } else {
                self.weekday_between(from, to)
            };
            let workplace = &mut self.workplaces[index];
            workplace.closed = last;
            let (class, size) = (workplace.class, workplace.size);
            let opened = self.weekday_between(from, to);
            self.found_workplace(class, size, Some(opened));
        }
    }

    /// Delivers workplaces that are new, closed or changed in size.
    pub(super) fn deliver_workplaces(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let opening = month <= self.scenario.start_month;
        for workplace in &mut self.workplaces {
            let headcount = workplace.insured_now;
            let changed = (headcount - workplace.delivered_headcount).abs();
            let closes = (from..=to).contains(&workplace.closed);
            let known = workplace.established <= to && month >= self.scenario.start_month;
            let first = workplace.delivered_headcount < 0;
            let due = changed * 5 > workplace.delivered_headcount.max(10);
            let closed_before = workplace.closed < from && !first;
            if !known || closed_before || !(first || due || closes) {
                continue;
            }
            let industry = &self.scenario.reference.industries[workplace.industry as usize];
            let place =
                &self.scenario.reference.places[self.places[workplace.place as usize] as usize];
            let Some(row) = self
                .out
                .row(self.scenario, Source::Workplace, month, opening)
            else {
                continue;
            };
            workplace.delivered_headcount = headcount;
            row.text(&workplace.number)
                .text(workplace.business_number())
                .text(&workplace.name)
                .text(industry.ksic.as_bytes())
                .text(b"10")
                .text(place.code.as_bytes())
                .day(workplace.established)
                .day_or_empty((workplace.closed <= to).then_some(workplace.closed))
                .number(i64::from(headcount))
                .finish(0);
        }
    }
}
