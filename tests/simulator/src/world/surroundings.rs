//! Travel, military service and training.

use crate::calendar::{Day, NEVER, first_of, month_of, next_weekday};
use crate::deliver::Source;
use crate::reference::cp949;
use crate::scenario::magnitude;
use crate::world::matching::number;
use crate::world::person::{Activity, NONE};
use crate::world::services::Course;
use crate::world::{Block, Flow, Number};

/// Training fields: NCS code and title.
const FIELDS: [(&str, &str); 8] = [
    ("20010202", "자바 기반 응용소프트웨어 개발"),
    ("08020101", "시각디자인 실무"),
    ("13010101", "한식조리기능사 취득"),
    ("06010101", "요양보호사 자격취득"),
    ("15010101", "기계설계와 CAD"),
    ("19010101", "전기기능사 실기"),
    ("02030201", "전산회계와 세무 실무"),
    ("16010501", "용접기능사 양성"),
];

impl Block<'_> {
    /// Writes a stay abroad into the delivery of the month of return; a stay without return is
    /// delivered when it begins.
    pub(super) fn deliver_border(&mut self, person: u32, left: Day, entered: Option<Day>) {
        let month = month_of(entered.unwrap_or(left));
        let who = &mut self.persons[person as usize];
        who.abroad_until = entered.unwrap_or(NEVER);
        let rrn = who.rrn;
        if let Some(row) = self.out.row(self.scenario, Source::Border, month, false) {
            row.text(&rrn).day(left).day_or_empty(entered).finish(0);
        }
    }

    /// Journeys of a month. Claimants travel in `travel_honestly`.
    pub(super) fn cross_borders(&mut self, month: i32) {
        const SEASON: [f64; 12] = [
            1.15, 1.05, 0.95, 0.95, 0.98, 0.97, 1.10, 1.15, 0.92, 1.0, 0.9, 0.98,
        ];
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        let mean = magnitude::DEPARTURES * self.scale * SEASON[month.rem_euclid(12) as usize];
        for _ in 0..self.flow(Flow::Departures, mean) {
            let person = self.random.below(self.persons.len()) as u32;
            let left = self.random.between(from, to);
            let length = 1 + (self.random.exponential() * 5.0) as Day;
            let emigrates = self.random.chance(0.002);
            let who = &self.persons[person as usize];
            if who.claim != NONE
                || who.certified_until >= left
                || who.abroad_until >= left
                || who.activity == Activity::Service
            {
                continue;
            }
            let leaves = emigrates && who.activity == Activity::Idle && !who.searching(left);
            self.deliver_border(person, left, (!leaves).then_some(left + length));
        }
    }

    pub(super) fn deliver_service(&mut self, person: u32, from: Day, to: Day, kind: &[u8]) {
        let opening = to >= first_of(self.scenario.start_month);
        let row = self.out.row(
            self.scenario,
            Source::MilitaryService,
            month_of(from),
            opening,
        );
        if let Some(row) = row {
            row.text(&self.persons[person as usize].rrn)
                .day(from)
                .day(to)
                .text(kind)
                .finish(0);
        }
    }

    /// Conscription of young men without work, and reserve training.
    pub(super) fn serve(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        for index in 0..self.persons.len() as u32 {
            let who = &self.persons[index as usize];
            if !who.male || who.rrn[6] > b'4' {
                continue;
            }
            let age = (from - who.birth) / 365;
            if who.activity == Activity::Service {
                if who.worked_until < from && who.claim == NONE {
                    self.persons[index as usize].activity = Activity::Idle;
                }
                continue;
            }
            let conscript = (19..24).contains(&age)
                && who.activity == Activity::Idle
                && who.claim == NONE
                && !who.searching(from);
            if conscript && self.random.chance(0.028) {
                let start = next_weekday(self.random.between(from, to - 4));
                let end = start + 547;
                self.deliver_service(index, start, end, b"active");
                let who = &mut self.persons[index as usize];
                who.activity = Activity::Service;
                who.worked_until = end;
                continue;
            }
            let reservist = (23..40).contains(&age) && who.claim == NONE;
            if reservist && (2..11).contains(&month.rem_euclid(12)) && self.random.chance(0.045) {
                let start = next_weekday(self.random.between(from, to - 5));
                let length = self.random.between(0, 2);
                self.deliver_service(index, start, start + length, b"reserve_training");
            }
        }
    }

    /// Courses that start this month and who attends them.
    pub(super) fn train(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        if self.scenario.index(month).is_none() {
            return;
        }
        let mean = magnitude::ENROLMENTS * self.scale;
        let seats = self.flow(Flow::Enrolments, mean);
        let mut free: Vec<(u32, f64)> = Vec::new();
        for (index, who) in self.persons.iter().enumerate() {
            let age = (from - who.birth) / 365;
            let weight = match who.activity {
                Activity::Idle if who.searching(from) => 6.0,
                Activity::Idle | Activity::Wage | Activity::Owner => 0.5,
                _ => 0.0,
            };
            if (18..68).contains(&age) {
                free.push((index as u32, weight));
            }
        }
        let mut trainees = self.random.sample(&free, seats).into_iter();
        for _ in 0..self.flow(Flow::Courses, mean / 7.0) {
            let (ncs, title) = FIELDS[self.random.below(FIELDS.len())];
            let ordinal = self.next_number(Number::Course);
            let course = number(b'H', self.index, ordinal);
            let starts = self.weekday_between(from, to);
            let weeks = self.random.between(2, 26);
            let ends = starts + weeks * 7 - 3;
            let hours = i64::from(weeks) * 30;
            let fee = hours * (6_000 + 100 * self.random.below(40) as i64);
            let at = self.places[self.random.below(self.places.len())];
            let place = &self.scenario.reference.places[at as usize];
            let title = format!("{title} 과정 {weeks}주");
            let institution = format!("모의{}직업전문학교", place.sido_name);
            if let Some(row) = self.out.row(self.scenario, Source::Course, month, false) {
                row.text(&course)
                    .text(&cp949(&title))
                    .text(ncs.as_bytes())
                    .number(hours)
                    .number(fee)
                    .text(place.code.as_bytes())
                    .text(&cp949(&institution))
                    .day(starts)
                    .day(ends)
                    .finish(fee);
            }
            self.service_log.courses.push(Course {
                number: course,
                title,
                institution,
                place: at,
                fee_won: fee,
                starts,
                ends,
            });
            for person in trainees.by_ref().take(7) {
                let completed = self.random.chance(0.82);
                let left = if completed {
                    ends
                } else {
                    self.random.between(starts, ends)
                };
                let rrn = self.persons[person as usize].rrn;
                // The outcome is known when the course is over.
                let known = month_of(left);
                if let Some(row) = self.out.row(self.scenario, Source::Enrolment, known, false) {
                    row.text(&rrn)
                        .text(&course)
                        .day(starts)
                        .day(left)
                        .text(if completed { b"Y" } else { b"N" })
                        .finish(0);
                }
            }
        }
    }
}
