//! How other agencies write the block's workplaces: the pension's open list and the accident
//! insurance's, each with names, addresses and numbers of its own.
//!
//! Everything here draws from a stream of its own, so the other deliveries do not depend on it.

use crate::calendar::{Day, NEVER, first_of};
use crate::deliver::iso;
use crate::identity::{business_number, invented_firm};
use crate::random::Random;
use crate::registers::{
    BlockRegisters, EI, KCOMWEL, KcomwelRow, NPS, NpsRow, Spelling, label_share, spell,
};
use crate::world::workplace::Workplace;
use crate::world::{BUSINESSES, Block};

/// Firms of a block that the employment insurance does not know, per insured workplace.
const OUTSIDE: f64 = 0.06;
/// Share of labels that a clerk got wrong.
const CLERICAL_ERROR: f64 = 0.01;
/// Share of mistyped business numbers.
const MISTYPED: f64 = 0.015;

/// A firm as it is, before anybody writes it down.
struct Firm {
    /// Business number: the entity.
    number: [u8; 10],
    /// Name without legal form.
    core: String,
    is_corporation: bool,
    place: u16,
    established: Day,
    closed: Day,
    industry: String,
    persons: i32,
    class: u8,
}

impl Block<'_> {
    /// The workplaces as the other agencies list them at the end of the last delivered month.
    pub(super) fn register_workplaces(&self) -> BlockRegisters {
        let mut random = Random::new(self.scenario.seed, 0x7e61_0000_0000 + u64::from(self.index));
        let month = self.scenario.start_month + self.scenario.months as i32 - 1;
        let last = first_of(month + 1) - 1;
        let mut out = BlockRegisters::default();
        let mut firms = Vec::new();
        for workplace in &self.workplaces {
            if workplace.delivered_headcount < 0 {
                continue;
            }
            let firm = self.firm_of(workplace);
            let number = String::from_utf8_lossy(&workplace.number).into_owned();
            out.entity(EI, &number, &firm.number);
            let is_listed = !workplace.fictitious
                && random.chance([0.70, 0.95, 0.99][firm.class as usize])
                && (firm.closed > last || random.chance(0.5));
            let nps = is_listed.then(|| self.pension_rows(&mut random, &mut out, &firm, month));
            let is_insured = random.chance(0.92);
            let kcomwel = is_insured.then(|| self.accident_rows(&mut random, &mut out, &firm));
            firms.push((firm, Some(number), nps, kcomwel));
        }
        for outside in 0..(firms.len() as f64 * OUTSIDE).round() as u64 {
            let firm = self.outside_firm(&mut random, outside, last);
            let nps = random
                .chance(0.8)
                .then(|| self.pension_rows(&mut random, &mut out, &firm, month));
            let kcomwel = random
                .chance(0.7)
                .then(|| self.accident_rows(&mut random, &mut out, &firm));
            firms.push((firm, None, nps, kcomwel));
        }
        // Clerks look the counterpart of some pension rows up by hand, or find none.
        let share = label_share(self.scenario.persons);
        for (firm, workplace_no, nps, kcomwel) in &firms {
            for nps in nps.iter().flatten() {
                if !random.chance(share) {
                    continue;
                }
                let (source, found) = if random.chance(0.7) {
                    (EI, workplace_no.clone())
                } else {
                    (KCOMWEL, kcomwel.clone())
                };
                let found = if random.chance(CLERICAL_ERROR) {
                    firms[random.below(firms.len())]
                        .1
                        .clone()
                        .filter(|_| source == EI)
                } else {
                    found
                };
                out.label(NPS, nps, source, found.as_deref(), true);
                if source == EI
                    && let Some((_, Some(other), _, _)) = look_alike(&firms, firm)
                {
                    out.label(NPS, nps, EI, Some(other), false);
                }
            }
        }
        out
    }

    fn firm_of(&self, workplace: &Workplace) -> Firm {
        let name = encoding_rs::EUC_KR.decode(&workplace.name).0.into_owned();
        let core = ["주식회사", "(주))", "(주)", "주)"]
            .iter()
            .fold(name.clone(), |name, form| name.replace(form, ""));
        let mut number = [0; 10];
        number.copy_from_slice(workplace.business_number());
        let industry = &self.scenario.reference.industries[workplace.industry as usize];
        Firm {
            number,
            is_corporation: name.contains('주'),
            core: core.trim().to_owned(),
            place: self.places[workplace.place as usize],
            established: workplace.established,
            closed: workplace.closed,
            industry: industry.ksic.clone(),
            persons: workplace.insured_now.max(workplace.size.round() as i32),
            class: workplace.class,
        }
    }

    /// A firm outside the employment insurance, such as one of family members only.
    fn outside_firm(&self, random: &mut Random, ordinal: u64, last: Day) -> Firm {
        let ordinal = u64::from(self.index) * BUSINESSES + BUSINESSES - 2 - ordinal;
        let industries = &self.scenario.reference.industries;
        Firm {
            number: business_number(self.scenario.seed, ordinal),
            core: invented_firm(random),
            is_corporation: random.chance(0.5),
            place: self.places[random.below(self.places.len())],
            established: last - random.between(100, 6_000),
            closed: NEVER,
            industry: industries[random.below(industries.len())].ksic.clone(),
            persons: random.between(1, 9),
            class: 0,
        }
    }

    /// The pension's rows of a firm: one, or one more for a branch elsewhere. Returns their keys.
    fn pension_rows(
        &self,
        random: &mut Random,
        out: &mut BlockRegisters,
        firm: &Firm,
        month: i32,
    ) -> Vec<String> {
        let mut keys = Vec::new();
        let has_branch = firm.class == 2 && random.chance(0.2);
        for branch in [false, true] {
            if branch && !has_branch {
                break;
            }
            let place = if branch || random.chance(0.04) {
                self.places[random.below(self.places.len())]
            } else {
                firm.place
            };
            let mut prefix = firm.number[..6].to_vec();
            if random.chance(0.05) {
                // The number of an earlier registration.
                prefix = business_number(self.scenario.seed, 650_000_000 + random.bits() % 999)
                    [..6]
                    .to_vec();
            }
            let joined = if random.chance(0.6) {
                firm.established
            } else {
                firm.established + random.between(1, 400)
            };
            let mut name = spell(random, &firm.core, firm.is_corporation, Spelling::Pension);
            if branch {
                name.push_str(["대구공장", "제2공장", " 부산지점", "(물류센터)"][random.below(4)]);
            }
            let row = NpsRow {
                name,
                prefix: String::from_utf8_lossy(&prefix).into_owned(),
                place,
                road: road(&firm.number, branch),
                tax_industry: format!("{}0", firm.industry),
                has_number: !random.chance(0.02),
                joined,
                left: (firm.closed < first_of(month + 1)).then_some(firm.closed),
                members: ((f64::from(firm.persons) * (0.9 + 0.2 * random.unit())).round() as i64)
                    .max(1),
            };
            keys.push(out.pension(self.scenario, month, &row, &firm.number));
        }
        keys
    }

    /// The accident insurance's rows of a firm, one for each kind of insurance. Returns their key.
    fn accident_rows(&self, random: &mut Random, out: &mut BlockRegisters, firm: &Firm) -> String {
        let mut number = firm.number;
        if random.chance(MISTYPED) {
            let digit = 3 + random.below(6);
            number[digit] = b'0' + (number[digit] - b'0' + 1 + random.below(8) as u8) % 10;
        }
        let key = String::from_utf8_lossy(&number).into_owned();
        let row = KcomwelRow {
            number: key.clone(),
            name: spell(random, &firm.core, firm.is_corporation, Spelling::Accident),
            place: firm.place,
            road: road(&firm.number, false),
            house: 1 + usize::from(firm.number[8] - b'0') * 10 + usize::from(firm.number[7] - b'0'),
            industry: firm.industry.clone(),
            persons: i64::from(firm.persons),
            established: firm.established,
            kinds: if random.chance(0.7) { 2 } else { 1 },
        };
        out.accident(self.scenario, &row, &firm.number);
        key
    }
}

/// A firm, its workplace number, and its keys in the two lists.
type Listed = (Firm, Option<String>, Option<Vec<String>>, Option<String>);

/// The insured workplace whose name begins most like this firm's.
fn look_alike<'f>(firms: &'f [Listed], firm: &Firm) -> Option<&'f Listed> {
    firms
        .iter()
        .filter(|(other, number, _, _)| number.is_some() && other.number != firm.number)
        .max_by_key(|(other, _, _, _)| {
            let same = other
                .core
                .chars()
                .zip(firm.core.chars())
                .take_while(|(left, right)| left == right)
                .count();
            (same, std::cmp::Reverse(other.number))
        })
}

/// An invented road, the same for every list of the firm.
pub(super) fn road(number: &[u8; 10], branch: bool) -> String {
    const ROADS: [&str; 12] = [
        "모의대로",
        "새벽로",
        "햇살로",
        "너른길",
        "솔바람로",
        "은모래길",
        "별빛로",
        "물레로",
        "다솜길",
        "아람로",
        "한결대로",
        "누리로",
    ];
    let mixed = number.iter().fold(usize::from(branch) * 7, |sum, digit| {
        sum * 31 + usize::from(*digit)
    });
    match mixed % 3 {
        0 => ROADS[mixed / 3 % ROADS.len()].to_owned(),
        _ => format!(
            "{}{}길",
            ROADS[mixed / 3 % ROADS.len()],
            1 + mixed / 40 % 60
        ),
    }
}

/// A date as the pension writes it, empty for none.
pub(crate) fn iso_or_empty(day: Option<Day>) -> String {
    day.map(iso).unwrap_or_default()
}
