//! Titles and texts of vacancies, some with the legal defects that real ones have.

use crate::calendar::{Day, civil};
use crate::world::Block;
use crate::world::employment::Kind;
use crate::world::matching::VACANCY_KINDS;

/// What a vacancy says.
#[derive(Clone)]
pub(super) struct Notice {
    pub title: String,
    pub text: String,
    pub wage_kind: &'static [u8],
    pub min_won: i64,
    pub max_won: i64,
    pub kind: Kind,
    pub career: &'static [u8],
    pub education: &'static [u8],
    /// Pay relative to the market.
    pub log_pay: f64,
    /// Defect as the truth names it, or nothing.
    pub defect: &'static str,
    /// Where in the text the sentence of the defect begins.
    pub defect_at: usize,
}

const TITLES: [&str; 6] = [
    "{job} 직원 모집",
    "[{place}] {job} 구인",
    "{job} 신입·경력 채용합니다",
    "{place} 소재 {job} 함께 일하실 분",
    "{job} 담당자 {kind} 채용",
    "주5일 {job} 사원 모집합니다",
];

const DUTIES: [&str; 5] = [
    "{job} 업무 전반을 맡습니다.",
    "{job} 및 관련 행정 업무입니다.",
    "현장에서 {job} 업무를 수행합니다.",
    "팀원과 함께 {job} 일을 합니다.",
    "{job} 보조와 자료 정리를 담당합니다.",
];

const TERMS: [&str; 5] = [
    "주 5일 근무, 4대 보험 가입, 퇴직금 별도.",
    "근무시간 09:00~18:00, 중식 제공.",
    "교대근무 가능자 우대, 통근버스 운행.",
    "수습 3개월 급여 100% 지급.",
    "연차와 경조휴가, 명절 상여가 있습니다.",
];

/// Defects with the sentence that carries them and the law they break.
const DEFECTS: [(&str, &str); 6] = [
    ("age", "만 35세 이하만 지원 바랍니다."),
    ("sex", "여성만 지원 가능합니다."),
    (
        "looks",
        "용모 단정하고 키 165cm 이상인 분, 사진과 체중을 적어 주세요.",
    ),
    ("family", "혼인 여부와 부모님 직업을 이력서에 적어 주세요."),
    ("birthplace", "본적이 우리 지역인 분을 우대합니다."),
    ("below_minimum_wage", ""),
];

impl Block<'_> {
    pub(super) fn write_notice(
        &mut self,
        workplace: u32,
        occupation: u8,
        opened: Day,
        defective: bool,
    ) -> Notice {
        let reference = &self.scenario.reference;
        let job = reference.occupations[occupation as usize]
            .name
            .replace(['(', ')'], " ");
        let employer = &self.workplaces[workplace as usize];
        let place = reference.places[self.places[employer.place as usize] as usize]
            .sido_name
            .clone();
        let weights = VACANCY_KINDS.map(|(_, weight)| weight);
        let kind = VACANCY_KINDS[self.random.weighted(&weights)].0;
        let log_pay = 0.16 * self.random.normal();
        let level =
            employer.log_wage + reference.occupations[occupation as usize].log_wage + log_pay;
        let (year, _, _) = civil(opened);
        let minimum = reference.minimum_wage(year);
        let monthly = ((3_000_000.0 * level.exp()) as i64 / 50_000 * 50_000).max(minimum * 209);
        let defect = if defective {
            DEFECTS[self.random.below(DEFECTS.len())]
        } else {
            ("", "")
        };
        let (wage_kind, mut min_won): (&'static [u8], i64) = match self.random.below(10) {
            0 | 1 => (b"hour", (monthly / 209 / 10 * 10).max(minimum)),
            2 => (b"day", (monthly / 26 / 1_000 * 1_000).max(minimum * 8)),
            3 | 4 => (b"year", monthly * 12 / 100_000 * 100_000),
            _ => (b"month", monthly),
        };
        if wage_kind == b"year" {
            min_won = min_won.max(minimum * 209 * 12);
        }
        if defect.0 == "below_minimum_wage" {
            let least = match wage_kind {
                b"hour" => minimum,
                b"day" => minimum * 8,
                b"year" => minimum * 209 * 12,
                _ => minimum * 209,
            };
            min_won = least * 88 / 100;
        }
        let max_won = if self.random.chance(0.45) && defect.0.is_empty() {
            min_won * self.random.between(105, 130) as i64 / 100
        } else {
            0
        };
        let kind_name = match kind {
            Kind::Regular => "정규직",
            Kind::FixedTerm => "계약직",
            Kind::PartTime => "시간제",
        };
        let fill = |template: &str| {
            template
                .replace("{job}", &job)
                .replace("{place}", &place)
                .replace("{kind}", kind_name)
        };
        let title = fill(TITLES[self.random.below(TITLES.len())]);
        let mut text = fill(DUTIES[self.random.below(DUTIES.len())]);
        text.push(' ');
        text.push_str(TERMS[self.random.below(TERMS.len())]);
        if !defect.1.is_empty() {
            text.push(' ');
        }
        let defect_at = text.len();
        if !defect.1.is_empty() {
            text.push_str(defect.1);
        }
        let careers: [&'static [u8]; 3] = [b"none", b"entry", b"experienced"];
        let educations: [&'static [u8]; 5] = [b"none", b"none", b"high", b"college", b"university"];
        Notice {
            title,
            text,
            wage_kind,
            min_won,
            max_won,
            kind,
            career: careers[self.random.weighted(&[55.0, 15.0, 30.0])],
            education: educations[self.random.below(5)],
            log_pay,
            defect: defect.0,
            defect_at,
        }
    }
}
