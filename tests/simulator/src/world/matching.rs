//! Vacancies, and what seekers do with them.

use crate::calendar::{Day, NEVER, first_of, month_of, text};
use crate::deliver::{Source, iso};
use crate::identity::put;
use crate::random::splitmix;
use crate::scenario::magnitude;
use crate::truth::{Measure, TruthFile};
use crate::world::employment::Kind;
use crate::world::services::Offer;
use crate::world::vacancy_text::Notice;
use crate::world::{Block, Flow, Number};

/// A registration whose seeker looks at vacancies.
pub(super) struct Seeker {
    pub number: [u8; 13],
    pub registered: Day,
    pub until: Day,
    /// Second digit of the KECO major group wished.
    pub major: u8,
    /// Index in the reference's places.
    pub place: u16,
}

/// A vacancy notified to the employment service.
pub(super) struct Vacancy {
    pub number: [u8; 13],
    pub workplace: u32,
    pub occupation: u8,
    pub major: u8,
    pub opened: Day,
    pub closes: Day,
    pub openings: u8,
    /// Openings not yet taken by seekers of the service.
    pub left: u8,
    /// The day of the filling, drawn when the vacancy opened; `None` when its period ends before.
    pub filled: Option<Day>,
    pub notice: Notice,
}

/// A number of a claim, seeker or vacancy: a letter, five digits of the block, seven of its own.
pub(super) fn number(letter: u8, block: u32, ordinal: u64) -> [u8; 13] {
    let mut text = [b'0'; 13];
    text[0] = letter;
    put(&mut text[1..6], u64::from(block));
    put(&mut text[6..13], ordinal);
    text
}

impl Block<'_> {
    pub(super) fn open_vacancies(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        self.close_vacancies(from);
        let mean = magnitude::OPENINGS * self.scale * self.scenario.openings_level(month);
        let mut openings = self.flow(Flow::Openings, mean);
        while openings > 0 {
            let size = ([1, 1, 1, 1, 2, 2, 3, 5][self.random.below(8)]).min(openings);
            openings -= size;
            let opened = self.weekday_between(from, to);
            let Some(workplace) = self.insured_employer(opened) else {
                return;
            };
            let weights: Vec<f64> = self
                .scenario
                .reference
                .occupations
                .iter()
                .map(|one| one.weight)
                .collect();
            let occupation = self.random.weighted(&weights) as u8;
            let ordinal = self.next_number(Number::Vacancy);
            let number = number(b'K', self.index, ordinal);
            let defect = self.flow(Flow::Defects, 0.055) > 0;
            let notice = self.write_notice(workplace, occupation, opened, defect);
            if defect {
                self.out.truth.line(
                    TruthFile::VacancyDefect,
                    format_args!("{},{}", String::from_utf8_lossy(&number), notice.defect),
                );
                self.out
                    .truth
                    .add(self.scenario, month, Measure::DefectiveVacancies, 1);
            }
            let closes = opened + self.random.between(14, 60);
            let rate = self.filling_rate(workplace, occupation, size, &notice);
            let threshold = self.random.exponential();
            let reached = self.scenario.effort_reached(opened, threshold / rate);
            let filled = reached.filter(|day| *day <= closes);
            let appeal = self.workplaces[workplace as usize].appeal;
            self.state_filling(&number, (opened, closes), (rate, appeal), filled);
            self.service_log.offers.push(Offer {
                number,
                workplace,
                occupation,
                opened,
                closes,
                openings: size as u8,
                filled,
                notice: notice.clone(),
            });
            let position = self.vacancies.len();
            self.vacancies.push(Vacancy {
                number,
                workplace,
                occupation,
                major: self.scenario.reference.occupations[occupation as usize]
                    .code
                    .as_bytes()[1],
                opened,
                closes,
                openings: size as u8,
                left: size as u8,
                filled: None,
                notice,
            });
            self.out
                .truth
                .add(self.scenario, month, Measure::Openings, size as i64);
            self.out
                .truth
                .add(self.scenario, month, Measure::Vacancies, 1);
            self.deliver_vacancy(self.vacancies.len() - 1, month);
            if let Some(day) = filled {
                self.vacancies[position].filled = filled;
                self.deliver_vacancy(position, month_of(day));
            }
        }
    }

    /// Rate of the filling, per unit of the calendar's effort: what the notice says, and the
    /// employer's appeal, which nothing records and all its vacancies share.
    fn filling_rate(
        &self,
        workplace: u32,
        occupation: u8,
        openings: usize,
        notice: &Notice,
    ) -> f64 {
        let employer = &self.workplaces[workplace as usize];
        let reference = &self.scenario.reference;
        let place = &reference.places[self.places[employer.place as usize] as usize];
        let sido = u64::from(place.sido[0]) * 10 + u64::from(place.sido[1]);
        let region = (splitmix(sido ^ 0x7a) % 100) as f64 / 100.0 - 0.5;
        let log = -3.85
            + 2.0 * notice.log_pay
            + 0.8 * employer.log_wage
            // Who finds work easily is hard to find.
            - 0.7 * reference.occupations[occupation as usize].log_finding
            + 0.6 * region
            + [0.0, 0.15, 0.35][employer.class as usize]
            - 0.45 * (openings as f64).ln()
            + match notice.kind {
                Kind::FixedTerm => -0.25,
                Kind::PartTime => 0.15,
                _ => 0.0,
            }
            + match notice.career {
                b"entry" => 0.20,
                b"experienced" => -0.45,
                _ => 0.0,
            }
            + match notice.education {
                b"university" => -0.30,
                b"college" => -0.12,
                _ => 0.0,
            }
            + if notice.defect.is_empty() { 0.0 } else { -0.30 }
            + employer.appeal;
        log.exp()
    }

    fn state_filling(
        &mut self,
        number: &[u8; 13],
        (opened, closes): (Day, Day),
        (rate, appeal): (f64, f64),
        filled: Option<Day>,
    ) {
        if opened < first_of(self.scenario.start_month) {
            return;
        }
        let hazard = rate * self.scenario.effort(opened, closes);
        let oracle = 1.0 - (-hazard).exp();
        let without_appeal = 1.0 - (-hazard * (-appeal).exp()).exp();
        self.out.truth.line(
            TruthFile::VacancyOracle,
            format_args!(
                "{},{},{},{oracle:.6},{},{},{without_appeal:.6}",
                String::from_utf8_lossy(number),
                iso(opened),
                iso(closes),
                filled.map(iso).unwrap_or_default(),
                u8::from(filled.is_some()),
            ),
        );
    }

    /// Vacancies that were filled, or whose period is over, leave the list.
    fn close_vacancies(&mut self, from: Day) {
        self.vacancies
            .retain(|vacancy| vacancy.filled.unwrap_or(vacancy.closes) >= from);
    }

    /// The employer of a found job: often one whose vacancy the seeker answered.
    pub(super) fn employer_through_vacancy(&mut self, person: u32, first: Day) -> Option<u32> {
        let registered = self.persons[person as usize].registered;
        let seeker = self
            .seekers
            .iter()
            .rposition(|one| one.registered == registered && one.until >= first);
        if let Some(seeker) = seeker
            && self.random.chance(0.45)
            && let Some(vacancy) = self.suitable_vacancy(seeker, first)
        {
            let workplace = self.vacancies[vacancy].workplace;
            // The last opening is taken by nobody where the period ends unfilled: the day of the
            // filling was drawn with the vacancy, and a hire may not change it.
            let has_room =
                self.vacancies[vacancy].left > 1 || self.vacancies[vacancy].filled.is_some();
            if has_room && self.workplaces[workplace as usize].closed == NEVER {
                self.answer(seeker, vacancy, first);
                return Some(workplace);
            }
        }
        self.insured_employer(first)
    }

    fn suitable_vacancy(&mut self, seeker: usize, on: Day) -> Option<usize> {
        let (major, place) = (self.seekers[seeker].major, self.seekers[seeker].place);
        let mut best = None;
        for _ in 0..8 {
            let position = self.random.below(self.vacancies.len());
            let vacancy = self.vacancies.get(position)?;
            let until = vacancy.filled.unwrap_or(vacancy.closes);
            if vacancy.opened + 3 > on || until < on || vacancy.left == 0 {
                continue;
            }
            let there = self.places[self.workplaces[vacancy.workplace as usize].place as usize];
            let score = 2 * u8::from(vacancy.major == major) + u8::from(there == place);
            if best.is_none_or(|(other, _)| score > other) {
                best = Some((score, position));
            }
        }
        best.map(|(_, position)| position)
    }

    /// View, application, perhaps a referral, interview and hire.
    fn answer(&mut self, seeker: usize, vacancy: usize, first: Day) {
        let start = self.seekers[seeker]
            .registered
            .max(self.vacancies[vacancy].opened);
        let applied = self.random.between(start, (first - 2).max(start));
        let interview = self.random.between(applied, (first - 1).max(applied));
        let who = self.seekers[seeker].number;
        let what = self.vacancies[vacancy].number;
        self.event(&who, &what, b"view", applied, 9);
        self.event(&who, &what, b"apply", applied, 11);
        if self.random.chance(0.3) {
            self.event(&who, &what, b"refer", applied, 14);
        }
        self.event(&who, &what, b"interview", interview, 15);
        self.event(&who, &what, b"hire", first, 16);
        self.vacancies[vacancy].left -= 1;
    }

    fn event(&mut self, seeker: &[u8; 13], vacancy: &[u8; 13], kind: &[u8], on: Day, hour: u64) {
        let clock = self.random.bits();
        let mut stamp = *b"0000-00-00 00:00:00";
        let date = text(on);
        stamp[..4].copy_from_slice(&date[..4]);
        stamp[5..7].copy_from_slice(&date[4..6]);
        stamp[8..10].copy_from_slice(&date[6..]);
        put(&mut stamp[11..13], hour);
        put(&mut stamp[14..16], clock % 60);
        put(&mut stamp[17..19], (clock >> 16) % 60);
        let month = month_of(on);
        if let Some(row) = self
            .out
            .row(self.scenario, Source::MatchEvent, month, false)
        {
            row.text(seeker)
                .text(vacancy)
                .text(kind)
                .text(&stamp)
                .finish(0);
        }
    }

    /// Views and applications of everyone registered.
    pub(super) fn look_at_vacancies(&mut self, month: i32) {
        let (from, to) = (first_of(month), first_of(month + 1) - 1);
        self.seekers.retain(|seeker| seeker.until >= from);
        if self.vacancies.is_empty() || self.scenario.index(month).is_none() {
            return;
        }
        for position in 0..self.seekers.len() {
            let seeker = &self.seekers[position];
            let (first, last) = (seeker.registered.max(from), seeker.until.min(to));
            if first > last {
                continue;
            }
            let mean = 4.0 * f64::from(last - first + 1) / 30.0 * self.random.exponential();
            let views = self.random.round(mean);
            for _ in 0..views {
                let on = self.random.between(first, last);
                let Some(vacancy) = self.suitable_vacancy(position, on) else {
                    continue;
                };
                let who = self.seekers[position].number;
                let what = self.vacancies[vacancy].number;
                let hour = self.random.between(7, 22) as u64;
                self.event(&who, &what, b"view", on, hour);
                if self.random.chance(0.28) {
                    self.event(&who, &what, b"apply", on, hour + 1);
                    if self.random.chance(0.12) {
                        self.event(&who, &what, b"interview", (on + 5).min(to), 14);
                    }
                }
            }
        }
    }

    fn deliver_vacancy(&mut self, position: usize, month: i32) {
        let vacancy = &self.vacancies[position];
        let still_open = vacancy.closes >= first_of(self.scenario.start_month);
        let reference = &self.scenario.reference;
        let workplace = &self.workplaces[vacancy.workplace as usize];
        let place = &reference.places[self.places[workplace.place as usize] as usize];
        let Some(mut row) = self
            .out
            .row(self.scenario, Source::Vacancy, month, still_open)
        else {
            return;
        };
        let bytes = row.bytes();
        let mut element = |name: &str, value: &[u8]| {
            bytes.push(b'<');
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'>');
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"</");
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'>');
        };
        let notice = &vacancy.notice;
        element("wantedAuthNo", &vacancy.number);
        element("bizplaceNo", &workplace.number);
        element("title", notice.title.as_bytes());
        element("jobCont", notice.text.as_bytes());
        element(
            "jobsCd",
            reference.occupations[vacancy.occupation as usize]
                .code
                .as_bytes(),
        );
        element("salTpCd", notice.wage_kind);
        element("minSal", notice.min_won.to_string().as_bytes());
        element("maxSal", notice.max_won.to_string().as_bytes());
        element("workRegionCd", place.code.as_bytes());
        element("empTpCd", notice.kind.code());
        element("enterTpCd", notice.career);
        element("eduTpCd", notice.education);
        element("regDt", text(vacancy.opened));
        element("closeDt", text(vacancy.closes));
        element("collectPsncnt", vacancy.openings.to_string().as_bytes());
        if let Some(filled) = vacancy.filled {
            element("fillDt", text(filled));
        }
        wrap(bytes);
        row.finish(0);
    }
}

/// Puts the elements written since the last line into a record element.
fn wrap(bytes: &mut Vec<u8>) {
    const OPEN: &[u8] = b"<wanted>";
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    bytes.splice(start..start, OPEN.iter().copied());
    bytes.extend_from_slice(b"</wanted>\n");
}

/// The kinds of contract vacancies offer.
pub(super) const VACANCY_KINDS: [(Kind, f64); 3] = [
    (Kind::Regular, 66.0),
    (Kind::FixedTerm, 20.0),
    (Kind::PartTime, 14.0),
];
