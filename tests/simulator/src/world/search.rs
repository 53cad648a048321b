//! Registration of job seekers and the hazard of their next insured job.

use crate::calendar::{Day, NEVER, first_of, month_of};
use crate::deliver::BlockOutput;
use crate::deliver::Source;
use crate::identity::phone;
use crate::scenario::{Scenario, magnitude};
use crate::truth::{Measure, TruthFile};
use crate::world::employment::{Cover, Kind};
use crate::world::matching::Seeker;
use crate::world::person::{Activity, NONE};
use crate::world::services::Registration;
use crate::world::{Block, Flow, Number};

/// Days in which an insured job counts as the success of a registration.
pub(super) const WINDOW: Day = 180;

/// The hazard of a person's next insured job: a rate times the calendar's weights times the
/// effect of the benefit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    pub rate: f64,
    pub benefit_from: Day,
    pub benefit_to: Day,
    /// The outcome is planned, not drawn.
    pub planned: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            rate: 0.0,
            benefit_from: NEVER,
            benefit_to: NEVER,
            planned: false,
        }
    }
}

impl Search {
    /// Stretches of constant benefit effect: end day and factor.
    fn stretches(&self) -> [(Day, f64); 4] {
        [
            (self.benefit_from - 1, 1.0),
            ((self.benefit_to - 30).max(self.benefit_from), 0.26),
            (self.benefit_to, 0.85),
            (NEVER, 1.30),
        ]
    }

    /// Cumulative hazard of the days after `from` up to and including `to`.
    pub(super) fn cumulative(&self, scenario: &Scenario, from: Day, to: Day) -> f64 {
        let mut start = from;
        let mut sum = 0.0;
        for (end, factor) in self.stretches() {
            let end = end.min(to);
            if end > start {
                sum += factor * scenario.effort(start, end);
                start = end;
            }
        }
        self.rate * sum
    }

    /// The day after `from` on which the cumulative hazard reaches `threshold`.
    fn reached(&self, scenario: &Scenario, from: Day, threshold: f64) -> Day {
        if self.rate <= 0.0 {
            return NEVER;
        }
        let mut left = threshold / self.rate;
        let mut start = from;
        for (end, factor) in self.stretches() {
            if end <= start {
                continue;
            }
            let available = factor * scenario.effort(start, end);
            if left <= available {
                return scenario
                    .effort_reached(start, left / factor)
                    .unwrap_or(NEVER);
            }
            left -= available;
            start = end;
        }
        NEVER
    }
}

/// What a seeker states on registration.
#[derive(Clone, Copy)]
struct Wishes {
    occupation: u8,
    wage_won: i64,
    place: u16,
    kind: Kind,
}

const EDUCATION: [&[u8]; 5] = [b"middle", b"high", b"college", b"university", b"graduate"];

impl Block<'_> {
    fn wishes(&mut self, person: u32, on: Day) -> (Wishes, f64) {
        let workplace = self.random.below(self.workplaces.len()) as u32;
        let market = self.wage(person, workplace, 40, on);
        let ratio = (0.18 * self.random.normal() + 0.02).exp();
        let who = &self.persons[person as usize];
        let home = self.places[who.place as usize];
        let own = who.occupation;
        let changes = self.random.chance(0.22);
        let moves = self.random.chance(0.15);
        let occupation = if changes {
            self.random.below(self.scenario.reference.occupations.len()) as u8
        } else {
            own
        };
        let place = if moves {
            self.places[self.random.below(self.places.len())]
        } else {
            home
        };
        let kind = [Kind::Regular, Kind::FixedTerm, Kind::PartTime]
            [self.random.weighted(&[70.0, 14.0, 16.0])];
        let wage_won = (market as f64 * ratio) as i64 / 10_000 * 10_000;
        (
            Wishes {
                occupation,
                wage_won,
                place,
                kind,
            },
            ratio,
        )
    }

    /// Rate of the hazard: observed traits, and the drive that nothing records.
    fn rate(&self, person: u32, wishes: &Wishes, ratio: f64, on: Day) -> f64 {
        let who = &self.persons[person as usize];
        let reference = &self.scenario.reference;
        let age = f64::from(who.age(on));
        let idle_months = f64::from((on - who.worked_until).clamp(0, 3650)) / 30.0;
        let place = &reference.places[wishes.place as usize];
        let sido = u64::from(place.sido[0]) * 10 + u64::from(place.sido[1]);
        let region = (crate::random::splitmix(sido) % 100) as f64 / 100.0 - 0.5;
        let mut log = -5.28
            + reference.occupations[wishes.occupation as usize].log_finding
            + [-0.45, -0.10, 0.12, 0.25, 0.30][who.education as usize]
            + 0.16 * f64::from(who.licences.min(4))
            + 0.22 * (1.0 + f64::from(who.career_months) / 12.0).ln()
            - 0.042 * (age - 36.0).max(0.0)
            - 0.05 * (25.0 - age).max(0.0)
            - 2.2 * ratio.ln()
            - 0.42 * (1.0 + idle_months).ln()
            + 0.5 * region
            + who.drive;
        if !who.male && who.child_at_home {
            log -= 0.45;
        }
        if wishes.occupation != who.occupation {
            log -= 0.35;
        }
        log += match wishes.kind {
            Kind::Regular => 0.0,
            Kind::FixedTerm => 0.30,
            Kind::PartTime => 0.15,
        };
        if who.activity == Activity::Wage {
            log -= 0.2;
        }
        if who.age(on + 2 * WINDOW) >= 65 {
            // New hires of 65 and over are not insured.
            return 0.0;
        }
        log.exp()
    }

    /// Registers a person as a seeker. `benefit` is the span in which a benefit granted today is
    /// paid; `planned` overrides the drawn outcome.
    pub(super) fn register(
        &mut self,
        person: u32,
        on: Day,
        benefit: Option<(Day, Day)>,
        planned: Option<Day>,
    ) {
        let (wishes, ratio) = self.wishes(person, on);
        if !self.persons[person as usize].searching(on) {
            let mut search = Search {
                rate: self.rate(person, &wishes, ratio, on),
                ..Search::default()
            };
            if let Some((from, to)) = benefit {
                search.benefit_from = from;
                search.benefit_to = to;
            }
            let threshold = self.random.exponential();
            let mut find_on = search.reached(self.scenario, on, threshold);
            if let Some(day) = planned {
                search.planned = true;
                find_on = day;
            }
            let who = &mut self.persons[person as usize];
            who.search = search;
            who.find_on = find_on;
        }
        let who = &mut self.persons[person as usize];
        who.registered = on;
        who.window_end = on + WINDOW;
        let (search, find_on) = (who.search, who.find_on);
        let hazard = search.cumulative(self.scenario, on, on + WINDOW);
        let drive = self.persons[person as usize].drive;
        let without_drive = 1.0 - (-hazard * (-drive).exp()).exp();
        let oracle = if search.planned {
            f64::from(u8::from(find_on <= on + WINDOW))
        } else {
            1.0 - (-hazard).exp()
        };
        let stays = if benefit.is_some() { 180 } else { 90 };
        let closed_on = find_on.min(on + stays);
        self.deliver_seeker(person, on, closed_on, &wishes, [oracle, without_drive]);
    }

    fn deliver_seeker(
        &mut self,
        person: u32,
        on: Day,
        closed_on: Day,
        wishes: &Wishes,
        probabilities: [f64; 2],
    ) {
        let month = month_of(on);
        let ordinal = self.next_number(Number::Seeker);
        let number = crate::world::matching::number(b'S', self.index, ordinal);
        let who = &self.persons[person as usize];
        let phone = phone(self.scenario.seed, self.index, person);
        let reference = &self.scenario.reference;
        for (delivered, closed) in [(month, None), (month_of(closed_on), Some(closed_on))] {
            let opening = closed_on >= first_of(self.scenario.start_month);
            let row = self
                .out
                .row(self.scenario, Source::Seeker, delivered, opening);
            let Some(row) = row else { continue };
            row.text(&number)
                .text(&who.rrn)
                .text(&who.name)
                .text(&phone)
                .day(on)
                .day_or_empty(closed)
                .text(
                    reference.occupations[wishes.occupation as usize]
                        .code
                        .as_bytes(),
                )
                .number(wishes.wage_won)
                .text(reference.places[wishes.place as usize].code.as_bytes())
                .text(EDUCATION[who.education as usize])
                .number(i64::from(who.licences))
                .number(i64::from(who.career_months.clamp(0, 720)))
                .text(wishes.kind.code())
                .finish(0);
        }
        let has_benefit = who.claim != NONE;
        let success = who.find_on <= on + WINDOW;
        self.state_oracle(&number, on, probabilities, success.then_some(who.find_on));
        let major = reference.occupations[wishes.occupation as usize]
            .code
            .as_bytes()[1];
        self.service_log.registrations.push(Registration {
            number,
            person,
            on,
            closed_on,
            occupation: wishes.occupation,
            has_benefit,
        });
        self.seekers.push(Seeker {
            number,
            registered: on,
            until: closed_on.min(on + 90),
            major,
            place: wishes.place,
        });
    }

    fn state_oracle(
        &mut self,
        number: &[u8; 13],
        on: Day,
        [oracle, without_drive]: [f64; 2],
        found: Option<Day>,
    ) {
        let month = month_of(on);
        let scenario = self.scenario;
        let BlockOutput { truth, .. } = &mut self.out;
        truth.add(scenario, month, Measure::SeekersRegistered, 1);
        truth.add(
            scenario,
            month,
            Measure::RegistrationsSucceeding,
            i64::from(found.is_some()),
        );
        if on < first_of(scenario.start_month - 6) {
            return;
        }
        let found_text = found.map(iso).unwrap_or_default();
        truth.line(
            TruthFile::SeekerOracle,
            format_args!(
                "{},{},{oracle:.6},{found_text},{},{without_drive:.6}",
                String::from_utf8_lossy(number),
                iso(on),
                u8::from(found.is_some()),
            ),
        );
    }

    /// Registrations of a month beyond those that claims bring.
    pub(super) fn register_seekers(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        // Recipients keep their registration alive while the benefit lasts.
        let mut registered = 0;
        for position in 0..self.active_claims.len() {
            let claim = &self.claims[self.active_claims[position] as usize];
            let (person, last) = (claim.person, claim.expected_end);
            if claim.applied >= from {
                registered += 1;
                continue;
            }
            let who = &self.persons[person as usize];
            if who.window_end < to && who.job == NONE && last > to && who.activity == Activity::Idle
            {
                let earliest = from.max(who.window_end + 1).max(who.worked_until + 1);
                if earliest > to {
                    continue;
                }
                let on = self.weekday_between(earliest, to);
                self.register(person, on, Some((from, last)), None);
                registered += 1;
            }
        }
        let mean = magnitude::SEEKERS * self.scale * self.scenario.seekers_level(month);
        let count = self.flow(Flow::Seekers, mean).saturating_sub(registered);
        let mut free: Vec<(u32, f64)> = Vec::new();
        for (index, who) in self.persons.iter().enumerate() {
            let age = (to - who.birth) / 365;
            if !(17..75).contains(&age) || who.claim != NONE || who.worked_until >= to {
                continue;
            }
            let again = who.searching(from);
            if again && (from - who.registered < 90 || who.find_on <= from) {
                continue;
            }
            let weight = match who.activity {
                Activity::Idle if again => 3.0,
                Activity::Idle => 1.0,
                Activity::Wage => {
                    let job = &self.jobs[who.job as usize];
                    let idle = job.last == NEVER && !job.fictitious && from - job.first > 90;
                    if idle {
                        if job.insured() { 0.035 } else { 0.12 }
                    } else {
                        0.0
                    }
                }
                Activity::Daily | Activity::Contractor => 0.12,
                _ => 0.0,
            };
            let by_age = match age {
                17..=19 => 0.3,
                20..=34 => 1.5,
                35..=59 => 1.0,
                60..=64 => 0.9,
                _ => 0.3,
            };
            let recent = if from - who.worked_until < 120 {
                4.0
            } else {
                1.0
            };
            free.push((index as u32, weight * by_age * recent));
        }
        for person in self.random.sample(&free, count) {
            let earliest = from.max(self.persons[person as usize].worked_until + 1);
            let on = self.weekday_between(earliest, to);
            // Who has started by then does not register again. To look further ahead would
            // choose by the outcome and break the oracle.
            let who = &self.persons[person as usize];
            if !who.searching(on) || who.find_on > on {
                self.register(person, on, None, None);
            }
        }
    }

    /// Jobs that registered persons have found and that start this month.
    pub(super) fn start_found_jobs(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        for index in 0..self.persons.len() as u32 {
            let who = &self.persons[index as usize];
            let first = who.find_on;
            if first > to || first < from || first > who.window_end {
                continue;
            }
            let planned = who.search.planned;
            self.leave_for_new_job(index, first - 1);
            let workplace = match self.planned_employer(index, planned) {
                Some(workplace) => Some(workplace),
                None => self.employer_through_vacancy(index, first),
            };
            let Some(workplace) = workplace else { continue };
            let kind = self.contract_kind(true);
            self.start_job(index, workplace, first, kind, Cover::Insured);
            let who = &mut self.persons[index as usize];
            who.window_end = first - 1;
            who.find_on = NEVER;
        }
    }

    /// Ends whatever a person does until now.
    fn leave_for_new_job(&mut self, person: u32, last: Day) {
        let who = &self.persons[person as usize];
        match who.activity {
            Activity::Wage if who.job != NONE => {
                let job = who.job;
                self.end_job(job, last, 11);
                if self.jobs[job as usize].insured() {
                    self.deliver_spell(job, true);
                }
            }
            Activity::Contractor => self.end_contract_of(person, last),
            Activity::Daily => self.daily_pool.retain(|one| *one != person),
            _ => {}
        }
        self.persons[person as usize].activity = Activity::Idle;
    }
}

pub(super) use crate::deliver::iso;
