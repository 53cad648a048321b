//! Lists of firms: strong small firms, and the open recruitment of larger ones.

use crate::calendar::{civil, first_of, next_weekday, text};
use crate::deliver::Source;
use crate::random::splitmix;
use crate::world::Block;
use crate::world::interfaces::{element, end_of, firm_name};
use crate::world::workplace::Workplace;

/// Strong small firms have so many persons and have existed for three years.
const GIANT_PERSONS: std::ops::Range<f64> = 10.0..300.0;
const GIANT_DAYS: i32 = 3 * 365;
/// Of a hundred such firms so many are named, and so many of those leave the list each year.
const NAMED_PER_CENT: u64 = 6;
const LEAVE_PER_CENT: u64 = 15;

/// Persons from which a firm recruits openly, and how often in three months.
const RECRUITS_FROM: f64 = 90.0;
const RECRUITS: f64 = 0.2;
/// Persons from which a firm counts as middle-sized and as large.
pub(super) const MIDDLE_FROM: f64 = 300.0;
pub(super) const LARGE_FROM: f64 = 1_000.0;

/// What a firm makes, by section of its industry.
fn products(section: u8) -> &'static str {
    match section {
        b'C' => "정밀부품,금형,산업용 기계부품",
        b'F' => "건축공사,시설물 유지관리",
        b'G' | b'I' => "생활용품,식자재 유통",
        b'J' | b'M' => "소프트웨어,정보시스템 구축",
        b'E' | b'D' => "폐수처리,신재생에너지 설비",
        _ => "사업지원,생활서비스",
    }
}

impl Block<'_> {
    /// Names the strong small firms of each year.
    pub(super) fn list_small_giants(&mut self) {
        let first = self.scenario.start_month.div_euclid(12);
        let last = (self.scenario.start_month + self.scenario.months as i32 - 1).div_euclid(12);
        for year in first..=last {
            let new_year = first_of(year * 12);
            // The list of a year the country enters later comes with the first delivery.
            let month = (year * 12).max(self.scenario.start_month);
            for position in 0..self.workplaces.len() {
                let workplace = &self.workplaces[position];
                let drawn = splitmix(self.scenario.seed ^ splitmix(digits_of(workplace)));
                let is_named = !workplace.fictitious
                    && workplace.delivered_headcount >= 0
                    && workplace.class > 0
                    && GIANT_PERSONS.contains(&workplace.size)
                    && workplace.established + GIANT_DAYS <= new_year
                    && workplace.closed >= new_year
                    && drawn % 100 < NAMED_PER_CENT
                    && splitmix(drawn ^ year as u64) % 100 >= LEAVE_PER_CENT;
                if !is_named {
                    continue;
                }
                let industry = &self.scenario.reference.industries[workplace.industry as usize];
                let place = self.place_of(workplace);
                let mut record = String::from("<smallGiant>");
                element(&mut record, "coNm", &firm_name(workplace));
                element(&mut record, "indTpNm", &industry.name);
                let number = String::from_utf8_lossy(workplace.business_number());
                element(&mut record, "busiNo", &number);
                element(
                    &mut record,
                    "regionNm",
                    &format!("{} {}", place.sido_name, place.name),
                );
                element(&mut record, "coMainProd", products(industry.section));
                record.push_str("</smallGiant>\n");
                self.tell(Source::SmallGiant, month, &record, 0);
            }
        }
    }

    /// Lists the open recruitment of larger firms.
    pub(super) fn list_open_recruitment(&mut self) {
        let mut ordinal = 0;
        for month in self.captures_of_three() {
            for position in 0..self.workplaces.len() {
                let workplace = &self.workplaces[position];
                if workplace.size < RECRUITS_FROM || workplace.closed <= end_of(month) {
                    continue;
                }
                if !self.random.chance(RECRUITS) {
                    continue;
                }
                let opens = next_weekday(first_of(month) + self.random.between(0, 20));
                let closes = opens + self.random.between(7, 25);
                let is_experienced = self.random.chance(0.4);
                let is_regular = self.random.chance(0.8);
                let workplace = &self.workplaces[position];
                let (year, _, _) = civil(opens);
                let kind = match workplace.size {
                    size if size >= LARGE_FROM => "대기업",
                    size if size >= MIDDLE_FROM => "중견기업",
                    _ => "중소기업",
                };
                ordinal += 1;
                let number = format!("{}{ordinal:05}", 1_000 + self.index);
                let mut record = String::from("<dhsOpenEmpInfo>");
                element(&mut record, "empSeqno", &number);
                let wanted = if is_experienced {
                    "경력사원"
                } else {
                    "신입사원"
                };
                element(
                    &mut record,
                    "empWantedTitle",
                    &format!("{year}년 {wanted} 공개채용"),
                );
                element(&mut record, "empBusiNm", &firm_name(workplace));
                element(&mut record, "coClcdNm", kind);
                element(
                    &mut record,
                    "empWantedStdt",
                    &String::from_utf8_lossy(text(opens)),
                );
                element(
                    &mut record,
                    "empWantedEndt",
                    &String::from_utf8_lossy(text(closes)),
                );
                element(
                    &mut record,
                    "empWantedTypeNm",
                    if is_regular { "정규직" } else { "계약직" },
                );
                element(
                    &mut record,
                    "empWantedHomepgDetail",
                    &format!("https://recruit.example/hire/{number}"),
                );
                record.push_str("</dhsOpenEmpInfo>\n");
                self.tell(Source::OpenRecruitment, month, &record, 0);
            }
        }
    }
}

fn digits_of(workplace: &Workplace) -> u64 {
    let digits = workplace.business_number().iter();
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
