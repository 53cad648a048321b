//! Honest conduct that looks like fraud.

use crate::calendar::{Day, next_weekday};
use crate::truth::TruthFile;
use crate::world::Block;
use crate::world::benefit::Round;
use crate::world::search::iso;

impl Block<'_> {
    /// A loss reported months late by an employer who does so once.
    pub(super) fn note_late_report(&mut self, index: u32) {
        let claim = &self.claims[index as usize];
        let job = &self.jobs[claim.job as usize];
        let (last, reported, applied) = (job.last, job.lost_reported, claim.applied);
        if reported - last > 93 && applied <= reported + 60 {
            self.note_look_alike(index, "F08", "single_late_report", last, reported);
        }
    }

    /// Travel and training that resemble frauds and are none.
    pub(super) fn travel_honestly(&mut self, index: u32, round: &mut Round) {
        let claim = &self.claims[index as usize];
        let person = claim.person;
        let who = &self.persons[person as usize];
        if round.last || claim.round == 0 || who.abroad_until >= round.from {
            return;
        }
        let reservist = who.male && (22..40).contains(&who.age(round.to));
        let length = self.random.between(2, 8);
        match self.random.below(100) {
            0 => {
                round.online = true;
                self.deliver_border(person, round.certified - length, Some(round.certified));
                self.note_look_alike(
                    index,
                    "F03",
                    "returned_that_day",
                    round.certified,
                    round.certified,
                );
            }
            1 => {
                round.online = false;
                self.deliver_border(person, round.certified, Some(round.certified + length));
                self.note_look_alike(
                    index,
                    "F03",
                    "visit_then_departure",
                    round.certified,
                    round.certified,
                );
            }
            2 => {
                let left = round.from + 3;
                self.deliver_border(person, left, Some(left + length));
                self.note_look_alike(
                    index,
                    "F03",
                    "back_before_certification",
                    left,
                    left + length,
                );
            }
            3..=5 if reservist => {
                let from = next_weekday(round.from + 4);
                self.deliver_service(person, from, from + 1, b"reserve_training");
                self.note_look_alike(index, "F04", "reserve_training", from, from + 1);
            }
            _ => {}
        }
    }

    /// Honest work of a few days in a certified period: days and pay declared.
    pub(super) fn casual_work(&mut self, index: u32, from: Day, to: Day, last: bool) -> (i32, i64) {
        let claim = &self.claims[index as usize];
        let person = claim.person;
        if last || to - from < 6 || claim.round == 0 || !self.random.chance(0.06) {
            return (0, 0);
        }
        let days = self.random.between(1, 4);
        let first = self.random.between(from, to - days);
        let daily_won = i64::from(self.random.between(9, 15)) * 10_000;
        let workplace = self.random.below(self.workplaces.len()) as u32;
        if !self.workplaces[workplace as usize].open_on(first) {
            return (0, 0);
        }
        for day in first..first + days {
            self.add_daily_work(person, workplace, day, daily_won);
        }
        self.note_look_alike(index, "F01", "declared_daily_work", first, first + days - 1);
        (days, daily_won * i64::from(days))
    }

    pub(super) fn note_look_alike(
        &mut self,
        index: u32,
        typology: &str,
        reason: &str,
        from: Day,
        to: Day,
    ) {
        let number = &self.claims[index as usize].number;
        self.out.truth.line(
            TruthFile::LookAlike,
            format_args!(
                "{},{typology},{reason},{},{}",
                String::from_utf8_lossy(number),
                iso(from),
                iso(to)
            ),
        );
    }
}
