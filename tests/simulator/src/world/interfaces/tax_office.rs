//! The tax office's answers about business numbers: active, suspended, closed, or not registered.

use std::collections::BTreeMap;

use serde_json::json;

use crate::calendar::{Day, NEVER, text};
use crate::deliver::Source;
use crate::random::splitmix;
use crate::world::Block;
use crate::world::interfaces::end_of;
use crate::world::services::Registered;

/// Share of numbers that are asked about again although nothing is new.
const ASKED_AGAIN: f64 = 0.03;
/// Share of questions about a mistyped number.
const MISTYPED: f64 = 0.004;
/// Most days between the closing of a firm and its report.
const REPORTED_WITHIN: u64 = 45;
/// Of a hundred closing firms so many had suspended business, that many days before.
const SUSPENDED_PER_CENT: u64 = 20;
const SUSPENDED_DAYS: Day = 75;

/// State of a registration on a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Suspended,
    Closed(Day),
}

/// A business number and what becomes of it.
struct Asked {
    number: [u8; 10],
    opened: Day,
    closed: Option<Day>,
    /// First day on which the tax office knows of the closing.
    reported: Day,
    suspended: Day,
    drawn: u64,
}

impl Asked {
    fn state(&self, on: Day) -> State {
        match self.closed {
            Some(closed) if self.reported <= on => State::Closed(closed),
            _ if self.suspended <= on => State::Suspended,
            _ => State::Active,
        }
    }
}

impl Block<'_> {
    /// Answers about every number when it first appears, when its state has changed, and about a
    /// few again.
    pub(super) fn answer_tax_office(&mut self, registered: &BTreeMap<[u8; 10], Registered>) {
        let asked = self.business_numbers(registered);
        let captures: Vec<i32> = self.captures_of_three().collect();
        for one in &asked {
            let mut told = None;
            for month in &captures {
                let on = end_of(*month);
                if one.opened > on {
                    continue;
                }
                let state = one.state(on);
                // A closing of long ago is no question any more.
                let is_over =
                    told.is_none() && matches!(state, State::Closed(closed) if closed < on - 366);
                let is_again = self.random.chance(ASKED_AGAIN);
                if is_over || (told == Some(state) && !is_again) {
                    continue;
                }
                told = Some(state);
                self.tell(Source::BusinessStatus, *month, &answer(one, state), 1);
                if self.random.chance(MISTYPED) {
                    let mistyped = not_registered(&one.number);
                    self.tell(Source::BusinessStatus, *month, &mistyped, 0);
                }
            }
        }
    }

    /// Numbers of insured workplaces and of registered proprietors.
    fn business_numbers(&self, registered: &BTreeMap<[u8; 10], Registered>) -> Vec<Asked> {
        let mut asked = Vec::new();
        for workplace in &self.workplaces {
            let mut number = [0; 10];
            number.copy_from_slice(workplace.business_number());
            if workplace.delivered_headcount < 0 || registered.contains_key(&number) {
                continue;
            }
            let drawn = self.drawn(&number);
            let closed = (workplace.closed != NEVER).then_some(workplace.closed);
            let wait = (drawn % REPORTED_WITHIN) as Day;
            let is_suspended = closed.is_some() && (drawn >> 8) % 100 < SUSPENDED_PER_CENT;
            asked.push(Asked {
                number,
                opened: workplace.established,
                closed,
                reported: closed.map_or(NEVER, |closed| closed + wait),
                suspended: match closed {
                    Some(closed) if is_suspended => closed - SUSPENDED_DAYS,
                    _ => NEVER,
                },
                drawn,
            });
        }
        for (number, business) in registered {
            asked.push(Asked {
                number: *number,
                opened: business.opened,
                closed: business.closed,
                reported: business.closed.unwrap_or(NEVER),
                suspended: NEVER,
                drawn: self.drawn(number),
            });
        }
        asked
    }

    fn drawn(&self, number: &[u8; 10]) -> u64 {
        let digits = number
            .iter()
            .fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        splitmix(self.scenario.seed ^ splitmix(digits))
    }
}

fn answer(one: &Asked, state: State) -> String {
    let (code, name) = match state {
        State::Active => ("01", "계속사업자"),
        State::Suspended => ("02", "휴업자"),
        State::Closed(_) => ("03", "폐업자"),
    };
    let (tax_code, tax_name) = match (one.drawn >> 16) % 20 {
        0..=12 => ("01", "부가가치세 일반과세자"),
        13..=16 => ("02", "부가가치세 간이과세자"),
        17 => ("07", "부가가치세 간이과세자(세금계산서 발급사업자)"),
        _ => ("04", "부가가치세 면세사업자"),
    };
    let day = |day: Option<Day>| {
        day.map(|day| String::from_utf8_lossy(text(day)).into_owned())
            .unwrap_or_default()
    };
    // Some came to their kind of tax later, from another one.
    let changed = (one.drawn >> 24)
        .is_multiple_of(12)
        .then(|| one.opened + 200);
    let closed = match state {
        State::Closed(closed) => Some(closed),
        _ => None,
    };
    let is_unit_closing = closed.is_some() && (one.drawn >> 32).is_multiple_of(200);
    let (previous_code, previous_name) = match changed {
        Some(_) if tax_code == "01" => ("02", "부가가치세 간이과세자"),
        Some(_) => ("01", "부가가치세 일반과세자"),
        None => ("99", "해당없음"),
    };
    json!({
        "b_no": String::from_utf8_lossy(&one.number),
        "b_stt": name,
        "b_stt_cd": code,
        "tax_type": tax_name,
        "tax_type_cd": tax_code,
        "end_dt": day(closed),
        "utcc_yn": if is_unit_closing { "Y" } else { "N" },
        "tax_type_change_dt": day(changed),
        "invoice_apply_dt": day((tax_code == "07").then_some(one.opened)),
        "rbf_tax_type": previous_name,
        "rbf_tax_type_cd": previous_code,
    })
    .to_string()
}

/// The answer about a number whose last digit, its check digit, was mistyped.
fn not_registered(number: &[u8; 10]) -> String {
    let mut mistyped = *number;
    mistyped[9] = b'0' + (mistyped[9] - b'0' + 3) % 10;
    json!({
        "b_no": String::from_utf8_lossy(&mistyped),
        "b_stt": "",
        "b_stt_cd": "",
        "tax_type": "국세청에 등록되지 않은 사업자등록번호입니다.",
        "tax_type_cd": "",
        "end_dt": "",
        "utcc_yn": "",
        "tax_type_change_dt": "",
        "invoice_apply_dt": "",
        "rbf_tax_type": "",
        "rbf_tax_type_cd": "",
    })
    .to_string()
}
