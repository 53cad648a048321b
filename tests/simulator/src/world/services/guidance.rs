//! What counsellors and agencies do for seekers: résumés, tests, programmes, placements, and what
//! visitors say of it.

use serde_json::json;

use crate::calendar::{Day, NEVER, month_of, next_weekday, text};
use crate::deliver::{Source, push_number};
use crate::identity::put;
use crate::national::{Agency, agencies};
use crate::world::Block;
use crate::world::matching::number;
use crate::world::services::{Registration, dashed};

/// Shares of registrations with a résumé, a test, a programme, an agency, a visitor's answer.
const WRITES: f64 = 0.55;
const TESTED: f64 = 0.12;
const JOINS: f64 = 0.09;
const REFERRED: f64 = 0.07;
const ANSWERS: f64 = 0.05;

/// Items of a test, answered from 1 to 5; 0 is left out.
const ITEMS: usize = 40;

const STRENGTHS: [&str; 6] = [
    "맡은 일을 끝까지 해내는 책임감",
    "고객을 먼저 생각하는 자세",
    "새로운 도구를 빨리 익히는 힘",
    "동료와 의견을 맞추는 소통",
    "꼼꼼한 기록과 정리",
    "현장에서 문제를 찾는 눈",
];
const COMMENTS: [&str; 5] = [
    "상담사가 희망 직종을 잘 이해해 주었습니다.",
    "대기 시간이 길었습니다.",
    "알선받은 일자리가 집에서 너무 멀었습니다.",
    "훈련 과정을 자세히 설명해 주었습니다.",
    "서류 안내가 더 쉬웠으면 합니다.",
];

/// Numbers given to the records of a block.
#[derive(Default)]
struct Ordinals {
    resume: u64,
    participation: u64,
    feedback: u64,
}

impl Block<'_> {
    pub(super) fn record_guidance(&mut self, registrations: &[Registration]) {
        let agencies = agencies(self.scenario);
        let mut ordinals = Ordinals::default();
        for one in registrations {
            if self.random.chance(WRITES) {
                self.write_resume(one, &mut ordinals);
            }
            if self.random.chance(TESTED) {
                self.write_assessment(one);
            }
            if !one.has_benefit && self.random.chance(JOINS) {
                self.write_participation(one, &mut ordinals);
            }
            if self.random.chance(REFERRED) {
                self.write_placement(one, &agencies);
            }
            if self.random.chance(ANSWERS) {
                self.write_feedback(one, &mut ordinals);
            }
        }
    }

    fn write_resume(&mut self, one: &Registration, ordinals: &mut Ordinals) {
        let written = one.on + self.random.between(0, 6);
        let who = &self.persons[one.person as usize];
        let (rrn, career, licences) = (who.rrn, who.career_months.max(0), who.licences);
        let job = &self.scenario.reference.occupations[one.occupation as usize].name;
        let first = STRENGTHS[self.random.below(STRENGTHS.len())];
        let second = STRENGTHS[self.random.below(STRENGTHS.len())];
        let past = match career {
            0..=11 => "처음 시작하는 마음으로 준비했습니다".to_owned(),
            12..=59 => format!("{}년 동안 현장에서 일했습니다", career / 12),
            _ => format!("{}년의 경력을 쌓았습니다", career / 12),
        };
        let introduction =
            format!("{job} 일을 희망합니다. {past}. 저의 강점은 {first}, 그리고 {second}입니다.");
        ordinals.resume += 1;
        let item = json!({
            "resumeNo": ascii(&number(b'R', self.index, ordinals.resume)),
            "jobSeekerNo": ascii(&one.number),
            "rrn": ascii(&rrn),
            "writtenDt": dashed(written),
            "careerMonths": career.min(720),
            "licenceCnt": licences,
            "openYn": if self.random.chance(0.7) { "Y" } else { "N" },
            "selfIntroduction": introduction,
        });
        let row = self
            .out
            .row(self.scenario, Source::Resume, month_of(written), false);
        if let Some(mut row) = row {
            row.bytes().extend_from_slice(item.to_string().as_bytes());
            row.finish(0);
        }
    }

    /// Answers lean to what the test measures: the drive to find work, or ability.
    fn write_assessment(&mut self, one: &Registration) {
        let taken = one.on + self.random.between(1, 20);
        let which = self.random.below(3);
        let who = &self.persons[one.person as usize];
        let trait_value = [who.drive / 0.65, who.ability, 0.0][which];
        let rrn = who.rrn;
        let mut answers = [b'0'; ITEMS];
        for answer in &mut answers {
            if self.random.chance(0.01) {
                continue;
            }
            let value = 3.0 + 0.6 * trait_value + 0.9 * self.random.normal();
            *answer = b'0' + value.round().clamp(1.0, 5.0) as u8;
        }
        let minutes = self.random.between(12, 55);
        let row = self
            .out
            .row(self.scenario, Source::Assessment, month_of(taken), false);
        if let Some(mut row) = row {
            let mut length = [b'0'; 3];
            put(&mut length, minutes as u64);
            let bytes = row.bytes();
            bytes.extend_from_slice(&rrn);
            bytes.extend_from_slice([b"SRT", b"OCA", b"OVT"][which]);
            bytes.extend_from_slice(text(taken));
            bytes.extend_from_slice(&length);
            bytes.extend_from_slice(&answers);
            bytes.extend_from_slice(b"\r\n");
            row.finish(0);
        }
    }

    fn write_participation(&mut self, one: &Registration, ordinals: &mut Ordinals) {
        let from = next_weekday(one.on + self.random.between(3, 25));
        let programme = self.random.weighted(&[45.0, 25.0, 12.0, 18.0]);
        // Programme, longest span in days, monthly allowance (구직자취업촉진법 제18조, amounts of 2024, check).
        let (code, longest, allowance) = [
            ("kua_1", 365, 500_000),
            ("kua_2", 365, 0),
            ("youth_challenge", 180, 0),
            ("group_counselling", 5, 0),
        ][programme];
        let found = self
            .next_insured_job(one.person, from)
            .filter(|(_, first, _)| *first <= from + longest);
        let dropped = self.random.chance(0.12);
        let (to, outcome) = match found {
            Some((_, first, _)) => (first - 1, "employed"),
            None if dropped => (from + self.random.between(1, longest), "dropped"),
            None => (from + longest, "not_employed"),
        };
        ordinals.participation += 1;
        let number = number(b'P', self.index, ordinals.participation);
        let rrn = self.persons[one.person as usize].rrn;
        // Delivered when it begins and again when it is over.
        for end in [None, Some(to)] {
            let month = month_of(end.unwrap_or(from));
            let paid = match end {
                Some(to) => i64::from(((to - from) / 30).clamp(0, 6)) * allowance,
                None => 0,
            };
            let row = self
                .out
                .row(self.scenario, Source::Participation, month, false);
            let Some(mut row) = row else { continue };
            let bytes = row.bytes();
            bytes.extend_from_slice(b"<participation><partNo>");
            bytes.extend_from_slice(&number);
            bytes.extend_from_slice(b"</partNo><rrn>");
            bytes.extend_from_slice(&rrn);
            bytes.extend_from_slice(b"</rrn><progCd>");
            bytes.extend_from_slice(code.as_bytes());
            bytes.extend_from_slice(b"</progCd><startDt>");
            bytes.extend_from_slice(text(from));
            bytes.extend_from_slice(b"</startDt>");
            if let Some(to) = end {
                bytes.extend_from_slice(b"<endDt>");
                bytes.extend_from_slice(text(to));
                bytes.extend_from_slice(b"</endDt><outcome>");
                bytes.extend_from_slice(outcome.as_bytes());
                bytes.extend_from_slice(b"</outcome>");
            }
            bytes.extend_from_slice(b"<allowance>");
            push_number(bytes, paid);
            bytes.extend_from_slice(b"</allowance></participation>\n");
            row.finish(paid);
        }
    }

    /// A referral to an agency of the province, its placement, and whether the job lasted.
    fn write_placement(&mut self, one: &Registration, agencies: &[Agency]) {
        let who = &self.persons[one.person as usize];
        let home = self.places[who.place as usize];
        let sido = self.scenario.reference.places[home as usize].sido;
        let rrn = who.rrn;
        let near: Vec<usize> = (0..agencies.len())
            .filter(|index| agencies[*index].sido == sido)
            .collect();
        let agency = match near.is_empty() {
            true => self.random.below(agencies.len()),
            false => near[self.random.below(near.len())],
        };
        let referred = next_weekday(one.on + self.random.between(2, 18));
        let programme: &[u8] =
            [&b"kua"[..], b"older", b"disabled"][self.random.weighted(&[70.0, 22.0, 8.0])];
        let is_placed = self.random.chance(0.6);
        let placed = self
            .next_insured_job(one.person, referred)
            .filter(|_| is_placed);
        let last_day = self.last_day();
        let mut stages: Vec<(Day, bool, Option<bool>, i64)> =
            vec![(referred, false, None, 500_000)];
        if let Some((_, first, last)) = placed {
            stages.push((first, true, None, 1_300_000));
            let half_year = first + 181;
            if half_year <= last_day {
                let retained = last >= half_year || last == NEVER;
                let fee = if retained { 2_000_000 } else { 1_300_000 };
                stages.push((half_year, true, Some(retained), fee));
            }
        }
        for (known, is_placed, retained, fee) in stages {
            let found = placed.filter(|_| is_placed);
            let row = self.out.row(
                self.scenario,
                Source::AgencyPlacement,
                month_of(known),
                false,
            );
            let Some(row) = row else { continue };
            let row = row
                .text(agencies[agency].number.as_bytes())
                .text(&rrn)
                .text(programme)
                .day(referred)
                .day_or_empty(found.map(|(_, first, _)| first));
            let row = match found {
                Some((workplace, _, _)) => row.text(&self.workplaces[workplace as usize].number),
                None => row.text(b""),
            };
            row.text(match retained {
                Some(true) => b"Y",
                Some(false) => b"N",
                None => b"",
            })
            .number(fee)
            .finish(fee);
        }
    }

    fn write_feedback(&mut self, one: &Registration, ordinals: &mut Ordinals) {
        let given = (one.on + self.random.between(1, 60)).min(one.closed_on.max(one.on) + 14);
        let who = &self.persons[one.person as usize];
        let place = &self.scenario.reference.places[self.places[who.place as usize] as usize];
        let centre = &place.centres[who.household as usize % place.centres.len().max(1)];
        let helped = self.next_insured_job(one.person, one.on).is_some();
        let base = if helped { 3.9 } else { 3.2 };
        let rating = (base + 1.1 * self.random.normal()).round().clamp(1.0, 5.0) as i64;
        let service = ["registration", "counselling", "referral", "programme"]
            [self.random.weighted(&[20.0, 45.0, 25.0, 10.0])];
        let comment = match self.random.chance(0.35) {
            true => Some(COMMENTS[self.random.below(COMMENTS.len())]),
            false => None,
        };
        ordinals.feedback += 1;
        let item = json!({
            "feedbackNo": ascii(&number(b'F', self.index, ordinals.feedback)),
            "centerCd": centre,
            "jobSeekerNo": ascii(&one.number),
            "serviceCd": service,
            "givenDt": dashed(given),
            "rating": rating,
            "comment": comment,
        });
        let month = month_of(given);
        let row = self
            .out
            .row(self.scenario, Source::CentreFeedback, month, false);
        if let Some(mut row) = row {
            row.bytes().extend_from_slice(item.to_string().as_bytes());
            row.finish(0);
        }
    }
}

/// Digits and letters as text.
pub(in crate::world) fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
