use crate::deliver::interfaces::INTERFACES;
use crate::deliver::services::SERVICES;
use crate::scenario::Scenario;

/// A source the blocks write. The order is that of the names, after the registers the records of
/// the employment services, then the answers of public interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Source {
    BenefitClaim,
    Certification,
    ContractorSpell,
    DailyWork,
    InsuredSpell,
    Sanction,
    Workplace,
    Course,
    Enrolment,
    LabourForceSurvey,
    Population,
    MilitaryService,
    Border,
    BusinessIncome,
    BusinessRegistration,
    DailyStatement,
    WageStatement,
    MatchEvent,
    Seeker,
    Vacancy,
    AdReview,
    AgencyPlacement,
    CentreClosure,
    CentreDevice,
    CentreFeedback,
    EmergencyPayment,
    Correction,
    Subsidy,
    SubsidyPerson,
    Household,
    PortalAd,
    Assessment,
    Participation,
    Resume,
    ListedCourse,
    BusinessStatus,
    OpenRecruitment,
    SmallGiant,
    OpenVacancy,
    OpenVacancyDetail,
}

/// How often a source is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    Monthly,
    /// After every third delivered month, and after the last.
    ThreeMonthly,
    HalfYearly,
    /// A list that comes after the first month of its year.
    Yearly,
}

/// File format of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Fixed,
    Xml,
    Json,
    /// Documents of one record, each a member of an archive.
    Zip,
}

/// What stands where in the rows of a source.
pub(crate) struct Layout {
    pub name: &'static str,
    pub cadence: Cadence,
    pub format: Format,
    /// Column texts of a CSV header.
    pub header: &'static [&'static str],
    /// Column of the control sum in the manifest.
    pub control: Option<&'static str>,
    /// Decimals of the control sum.
    pub control_decimals: u32,
    /// Day of the following month (of the period's end) on which the delivery is known.
    pub known_day: u32,
    /// Positions of the fields that input errors strike: resident number, money, date, text.
    pub rrn_field: Option<usize>,
    pub money_field: Option<usize>,
    pub date_field: Option<usize>,
    pub text_field: Option<usize>,
    /// Whether rows are sometimes delivered twice.
    pub duplicates: bool,
    /// Index of the period that is first delivered incomplete and corrected by revision 2.
    pub corrected_period: Option<usize>,
    /// What stands before and after the records of an XML or JSON delivery; `{rows}` is their
    /// number, `{control}` their control sum.
    pub envelope: (&'static str, &'static str),
    /// Belongs to what is written when a block is finished, whose input errors draw from a stream
    /// of their own.
    pub service: bool,
}

/// Vacancies in XML.
const WANTED: (&str, &str) = (
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<wantedRoot>\n",
    "<total>{rows}</total>\n</wantedRoot>\n",
);

pub(super) const PLAIN: Layout = Layout {
    name: "",
    cadence: Cadence::Monthly,
    format: Format::Csv,
    header: &[],
    control: None,
    control_decimals: 0,
    known_day: 10,
    rrn_field: None,
    money_field: None,
    date_field: None,
    text_field: None,
    duplicates: false,
    corrected_period: None,
    envelope: ("", ""),
    service: false,
};

const LAYOUTS: [Layout; 20] = [
    Layout {
        name: "ei_benefit_claim",
        header: &[
            "수급자격번호",
            "주민등록번호",
            "신청일",
            "이직일",
            "사업장관리번호",
            "이직사유코드",
            "피보험단위기간일수",
            "기초임금일액",
            "구직급여일액",
            "소정급여일수",
            "관할센터코드",
        ],
        control: Some("benefit_daily_won"),
        known_day: 8,
        rrn_field: Some(1),
        ..PLAIN
    },
    Layout {
        name: "ei_certification",
        header: &[
            "수급자격번호",
            "주민등록번호",
            "인정회차",
            "인정대상시작일",
            "인정대상종료일",
            "실업인정일",
            "인정방법",
            "근로신고여부",
            "근로신고일수",
            "소득신고액",
            "구직활동횟수",
            "지급일수",
            "지급액",
            "계좌식별값",
            "기기식별값",
        ],
        control: Some("amount_won"),
        known_day: 8,
        rrn_field: Some(1),
        money_field: Some(12),
        ..PLAIN
    },
    Layout {
        name: "ei_contractor_spell",
        header: &[
            "주민등록번호",
            "사업장관리번호",
            "종사형태",
            "취득일",
            "상실일",
            "월보수액",
        ],
        control: Some("monthly_pay_won"),
        known_day: 17,
        rrn_field: Some(0),
        money_field: Some(5),
        date_field: Some(3),
        ..PLAIN
    },
    Layout {
        name: "ei_daily_work",
        format: Format::Fixed,
        control: Some("gross_won"),
        known_day: 18,
        rrn_field: Some(0),
        date_field: Some(6),
        text_field: Some(7),
        duplicates: true,
        corrected_period: Some(4),
        ..PLAIN
    },
    Layout {
        name: "ei_insured_spell",
        header: &[
            "주민등록번호",
            "사업장관리번호",
            "취득일",
            "상실일",
            "상실사유코드",
            "월보수액",
            "주소정근로시간",
            "직종코드",
            "고용형태",
            "취득신고일",
            "상실신고일",
        ],
        control: Some("monthly_wage_won"),
        known_day: 17,
        rrn_field: Some(0),
        money_field: Some(5),
        date_field: Some(2),
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "ei_sanction",
        header: &[
            "수급자격번호",
            "주민등록번호",
            "부정유형",
            "결정일",
            "환수결정액",
            "불복결과",
        ],
        control: Some("amount_won"),
        known_day: 12,
        ..PLAIN
    },
    Layout {
        name: "ei_workplace",
        header: &[
            "사업장관리번호",
            "사업자등록번호",
            "사업장명",
            "업종코드",
            "업종분류차수",
            "시군구코드",
            "성립일",
            "소멸일",
            "상시근로자수",
        ],
        known_day: 9,
        date_field: Some(6),
        text_field: Some(2),
        ..PLAIN
    },
    Layout {
        name: "hrd_course",
        header: &[
            "훈련과정회차번호",
            "훈련과정명",
            "NCS코드",
            "훈련시간",
            "훈련비",
            "시군구코드",
            "훈련기관명",
            "훈련시작일",
            "훈련종료일",
        ],
        control: Some("fee_won"),
        text_field: Some(1),
        ..PLAIN
    },
    Layout {
        name: "hrd_enrolment",
        header: &[
            "주민등록번호",
            "훈련과정회차번호",
            "수강시작일",
            "수강종료일",
            "수료여부",
        ],
        rrn_field: Some(0),
        date_field: Some(3),
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "kostat_lfs",
        header: &[
            "가구번호",
            "가구원번호",
            "조사년월",
            "시도코드",
            "성별",
            "만나이",
            "경제활동상태",
            "산업대분류",
            "고용보험가입여부",
            "승수",
            "층번호",
            "종사상지위",
            "사업체규모",
            "근무지시도코드",
        ],
        control: Some("weight"),
        control_decimals: 4,
        known_day: 14,
        ..PLAIN
    },
    Layout {
        name: "kostat_population",
        header: &["기준년월", "시군구코드", "성별", "연령대", "인구수"],
        control: Some("persons"),
        known_day: 3,
        ..PLAIN
    },
    Layout {
        name: "mma_service",
        header: &["주민등록번호", "복무시작일", "복무종료일", "복무구분"],
        rrn_field: Some(0),
        ..PLAIN
    },
    Layout {
        name: "moj_border",
        header: &["주민등록번호", "출국일", "입국일"],
        known_day: 6,
        rrn_field: Some(0),
        date_field: Some(1),
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "nts_business_income",
        header: &[
            "주민등록번호",
            "지급자사업자등록번호",
            "지급년월",
            "업종코드",
            "지급액",
        ],
        control: Some("gross_won"),
        known_day: 28,
        rrn_field: Some(0),
        money_field: Some(4),
        ..PLAIN
    },
    Layout {
        name: "nts_business_registration",
        header: &[
            "사업자등록번호",
            "주민등록번호",
            "개업일",
            "사업자상태",
            "폐업일",
        ],
        known_day: 12,
        rrn_field: Some(1),
        date_field: Some(2),
        ..PLAIN
    },
    Layout {
        name: "nts_daily_statement",
        header: &[
            "주민등록번호",
            "지급자사업자등록번호",
            "지급년월",
            "근로일수",
            "지급액",
        ],
        control: Some("gross_won"),
        known_day: 28,
        rrn_field: Some(0),
        money_field: Some(4),
        duplicates: true,
        corrected_period: Some(2),
        ..PLAIN
    },
    Layout {
        name: "nts_wage_statement",
        cadence: Cadence::HalfYearly,
        header: &[
            "주민등록번호",
            "지급자사업자등록번호",
            "지급년월",
            "근무시작일",
            "근무종료일",
            "급여총액",
        ],
        control: Some("gross_won"),
        known_day: 28,
        rrn_field: Some(0),
        money_field: Some(5),
        date_field: Some(3),
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "wn_event",
        header: &["구직등록번호", "구인인증번호", "활동구분", "활동일시"],
        known_day: 3,
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "wn_seeker",
        header: &[
            "구직등록번호",
            "주민등록번호",
            "성명",
            "연락처",
            "구직신청일",
            "구직마감일",
            "희망직종코드",
            "희망임금월액",
            "희망근무지코드",
            "학력",
            "자격증수",
            "경력개월수",
            "희망고용형태",
        ],
        known_day: 3,
        rrn_field: Some(1),
        money_field: Some(7),
        date_field: Some(4),
        text_field: Some(2),
        duplicates: true,
        ..PLAIN
    },
    Layout {
        name: "wn_vacancy",
        format: Format::Xml,
        envelope: WANTED,
        known_day: 3,
        ..PLAIN
    },
];

impl Source {
    pub(crate) const COUNT: usize = LAYOUTS.len() + SERVICES.len() + INTERFACES.len();

    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::BenefitClaim,
        Self::Certification,
        Self::ContractorSpell,
        Self::DailyWork,
        Self::InsuredSpell,
        Self::Sanction,
        Self::Workplace,
        Self::Course,
        Self::Enrolment,
        Self::LabourForceSurvey,
        Self::Population,
        Self::MilitaryService,
        Self::Border,
        Self::BusinessIncome,
        Self::BusinessRegistration,
        Self::DailyStatement,
        Self::WageStatement,
        Self::MatchEvent,
        Self::Seeker,
        Self::Vacancy,
        Self::AdReview,
        Self::AgencyPlacement,
        Self::CentreClosure,
        Self::CentreDevice,
        Self::CentreFeedback,
        Self::EmergencyPayment,
        Self::Correction,
        Self::Subsidy,
        Self::SubsidyPerson,
        Self::Household,
        Self::PortalAd,
        Self::Assessment,
        Self::Participation,
        Self::Resume,
        Self::ListedCourse,
        Self::BusinessStatus,
        Self::OpenRecruitment,
        Self::SmallGiant,
        Self::OpenVacancy,
        Self::OpenVacancyDetail,
    ];

    pub(crate) fn layout(self) -> &'static Layout {
        let position = self as usize;
        let written = position.wrapping_sub(LAYOUTS.len());
        LAYOUTS
            .get(position)
            .or_else(|| SERVICES.get(written))
            .unwrap_or_else(|| &INTERFACES[written - SERVICES.len()])
    }
}

/// Number of deliveries of a source, not counting corrections.
pub(crate) fn period_count(scenario: &Scenario, cadence: Cadence) -> usize {
    match cadence {
        Cadence::Monthly => scenario.months,
        Cadence::ThreeMonthly => scenario.months.div_ceil(3),
        Cadence::Yearly => {
            let last = scenario.start_month + scenario.months as i32 - 1;
            (last.div_euclid(12) - scenario.start_month.div_euclid(12) + 1) as usize
        }
        Cadence::HalfYearly => {
            let last = scenario.start_month + scenario.months as i32 - 1;
            (last.div_euclid(6) - scenario.start_month.div_euclid(6) + 1) as usize
        }
    }
}

/// Index of the delivery that a month (counted from year 0) belongs to. Months before the start
/// belong to the first delivery when `opening` and to none otherwise.
pub(crate) fn period_of(
    scenario: &Scenario,
    cadence: Cadence,
    month: i32,
    opening: bool,
) -> Option<usize> {
    let since = month - scenario.start_month;
    if since < 0 {
        return opening.then_some(0);
    }
    if since >= scenario.months as i32 {
        return None;
    }
    Some(match cadence {
        Cadence::Monthly => since as usize,
        Cadence::ThreeMonthly => since as usize / 3,
        Cadence::Yearly => (month.div_euclid(12) - scenario.start_month.div_euclid(12)) as usize,
        Cadence::HalfYearly => (month.div_euclid(6) - scenario.start_month.div_euclid(6)) as usize,
    })
}

/// Period as the manifest writes it and the month, counted from year 0, after which it is known.
pub(crate) fn period_text(scenario: &Scenario, cadence: Cadence, index: usize) -> (String, i32) {
    let index = index as i32;
    match cadence {
        Cadence::Monthly => of_month(scenario.start_month + index),
        Cadence::ThreeMonthly => of_month(scenario.start_month + last_of_three(scenario, index)),
        Cadence::Yearly => {
            let year = scenario.start_month.div_euclid(12) + index;
            (format!("{year:04}"), year * 12)
        }
        Cadence::HalfYearly => {
            let half = scenario.start_month.div_euclid(6) + index;
            (
                format!("{:04}-H{}", half.div_euclid(2), half.rem_euclid(2) + 1),
                half * 6 + 5,
            )
        }
    }
}

/// Last delivered month, counted from 0, of a delivery of three months.
pub(crate) fn last_of_three(scenario: &Scenario, index: i32) -> i32 {
    (index * 3 + 2).min(scenario.months as i32 - 1)
}

fn of_month(month: i32) -> (String, i32) {
    let (year, of_year) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    (format!("{year:04}-{of_year:02}"), month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stand_in_the_order_of_their_names() {
        for (index, source) in Source::ALL.iter().enumerate() {
            assert_eq!(*source as usize, index);
        }
        for layouts in [&LAYOUTS[..], &SERVICES[..], &INTERFACES[..]] {
            assert!(layouts.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
        assert!(
            Source::ALL.map(|one| one.layout().service)[LAYOUTS.len()..]
                .iter()
                .all(|one| *one)
        );
    }
}
