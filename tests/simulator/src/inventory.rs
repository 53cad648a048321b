//! Lists that come once a year and do not scale with the population: public institutions, what
//! they open to the public and what they run, and the inventory of support programmes.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::calendar::day;
use crate::deliver::iso;
use crate::national::{INSTITUTIONS, deliver, institution_name, manifest};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::{SimulationConfig, SimulationError, SimulationSummary};

/// Types of public institution with their shares (공공기관의 운영에 관한 법률 제5조).
const TYPES: [(&str, f64); 5] = [
    ("market_corporation", 4.0),
    ("quasi_market_corporation", 5.0),
    ("fund_management", 4.0),
    ("commissioned_service", 12.0),
    ("other", 75.0),
];

const CLASSES: [&str; 8] = [
    "고용보건복지",
    "금융",
    "문화체육관광외교",
    "사회간접자본",
    "산업진흥정보화",
    "에너지",
    "농림수산환경",
    "연구교육",
];

const MINISTRIES: [&str; 8] = [
    "보건복지부",
    "금융위원회",
    "문화체육관광부",
    "국토교통부",
    "산업통상자원부",
    "기후에너지환경부",
    "농림축산식품부",
    "교육부",
];

const FACILITIES: [(&str, &str); 5] = [
    ("meeting_room", "회의실"),
    ("auditorium", "강당"),
    ("sports", "체육시설"),
    ("parking", "주차장"),
    ("lodging", "숙박시설"),
];

const BUSINESSES: [&str; 6] = [
    "청년 일경험 지원",
    "중소기업 기술 지원",
    "취약계층 생활 지원",
    "지역 일자리 창출",
    "시설 안전 점검",
    "디지털 전환 교육",
];

pub(crate) fn write(
    scenario: &Scenario,
    config: &SimulationConfig,
    years: RangeInclusive<i32>,
    summary: &mut SimulationSummary,
) -> Result<(), SimulationError> {
    let mut totals = [0; 4];
    for year in years {
        let lists = [
            ("alio_institution", institutions(scenario, year)),
            ("alio_facility", facilities(scenario)),
            ("alio_business", businesses(scenario, year)),
            ("policy_programme", programmes(year)),
        ];
        for (position, (source, rows)) in lists.into_iter().enumerate() {
            let count = rows.len();
            let mut data = json!({
                "resultCode": 200,
                "resultMsg": "성공했습니다.",
                "totalCount": count,
                "result": rows,
            })
            .to_string()
            .into_bytes();
            data.push(b'\n');
            let path = config
                .landing
                .join(source)
                .join(format!("{source}_{year}_r1.json"));
            let known = iso(day(year, 2, 25));
            deliver(
                &path,
                &data,
                manifest(source, year.to_string(), count, known),
                summary,
            )?;
            totals[position] += count as u64;
        }
    }
    for (source, rows) in [
        "alio_institution",
        "alio_facility",
        "alio_business",
        "policy_programme",
    ]
    .into_iter()
    .zip(totals)
    {
        summary.rows_by_source.push((source.to_owned(), rows));
    }
    Ok(())
}

fn institution_number(institution: usize) -> String {
    format!("C{:04}", institution + 1)
}

fn institutions(scenario: &Scenario, year: i32) -> Vec<Value> {
    let mut random = Random::new(scenario.seed, 0x0a12_0000);
    let weights = TYPES.map(|(_, weight)| weight);
    (0..INSTITUTIONS)
        .map(|institution| {
            let class = random.below(CLASSES.len());
            let place = scenario.reference.place_at(random.unit());
            let staff = 40 + (random.exponential() * 900.0) as i32;
            json!({
                "instCd": institution_number(institution),
                "instNm": institution_name(institution),
                "instTypeCd": TYPES[random.weighted(&weights)].0,
                "instClsNm": CLASSES[class],
                "jrsdMnstNm": MINISTRIES[class],
                "sigunguCd": scenario.reference.places[place as usize].code,
                "stffCnt": staff + (year % 5) * staff / 100,
            })
        })
        .collect()
}

fn facilities(scenario: &Scenario) -> Vec<Value> {
    let mut random = Random::new(scenario.seed, 0x0a13_0000);
    let mut list = Vec::new();
    for institution in 0..INSTITUTIONS {
        for order in 0..random.below(4) {
            let place = scenario.reference.place_at(random.unit());
            let (kind, name) = FACILITIES[random.below(FACILITIES.len())];
            let fee = if random.chance(0.4) {
                0
            } else {
                10_000 * random.between(1, 30)
            };
            list.push(json!({
                "fcltNo": format!("{}-{order}", institution_number(institution)),
                "instCd": institution_number(institution),
                "fcltNm": format!("{} {name}", institution_name(institution)),
                "fcltKindCd": kind,
                "sigunguCd": scenario.reference.places[place as usize].code,
                "cpctyNope": random.between(10, 600),
                "useFeeAmt": fee,
            }));
        }
    }
    list
}

fn businesses(scenario: &Scenario, year: i32) -> Vec<Value> {
    let mut random = Random::new(scenario.seed, 0x0a14_0000 + year as u64);
    let mut list = Vec::new();
    for institution in 0..INSTITUTIONS {
        for order in 0..1 + random.below(3) {
            let title = BUSINESSES[random.below(BUSINESSES.len())];
            let spent = random.unit();
            let budget = 1_000_000 * i64::from(random.between(20, 40_000));
            list.push(json!({
                "bizNo": format!("{}-{year}-{order}", institution_number(institution)),
                "instCd": institution_number(institution),
                "bizNm": format!("{title} 사업"),
                "bizYr": year,
                "bdgtAmt": budget,
                "excutAmt": (budget as f64 * (0.6 + 0.4 * spent)) as i64,
            }));
        }
    }
    list
}

/// A support programme: number, title, ministry, kind, from whom, and its conditions. An absent
/// condition is none. Titles are those of real programmes; conditions are simplified (check).
fn programmes(year: i32) -> Vec<Value> {
    let list = [
        json!({"no": "PL001", "title": "국민취업지원제도 Ⅰ유형", "kind": "seeker_support", "law": "구직자취업촉진법 제7조", "cond": {"ageFrom": 15, "ageTo": 69, "seekerYn": "Y", "insuredYn": "N", "monthlyIncomeTo": 1_340_000}, "monthlyAmt": 500_000, "months": 6}),
        json!({"no": "PL002", "title": "국민취업지원제도 Ⅱ유형", "kind": "seeker_support", "law": "구직자취업촉진법 제8조", "cond": {"ageFrom": 15, "ageTo": 69, "seekerYn": "Y", "insuredYn": "N"}, "monthlyAmt": 284_000, "months": 6}),
        json!({"no": "PL003", "title": "국민내일배움카드", "kind": "training", "law": "국민 평생 직업능력 개발법 제18조", "cond": {"ageFrom": 15, "ageTo": 74}, "monthlyAmt": 116_000, "months": 5}),
        json!({"no": "PL004", "title": "청년도전지원사업", "kind": "seeker_support", "law": "청년고용촉진 특별법 제8조의3", "cond": {"ageFrom": 18, "ageTo": 34, "insuredYn": "N", "joblessMonthsFrom": 6}, "monthlyAmt": 500_000, "months": 5}),
        json!({"no": "PL005", "title": "청년일자리도약장려금", "kind": "employer_subsidy", "law": "고용보험법 제25조", "cond": {"headcountFrom": 5}, "monthlyAmt": 600_000, "months": 12}),
        json!({"no": "PL006", "title": "고용유지지원금", "kind": "employer_subsidy", "law": "고용보험법 제21조", "cond": {"headcountFrom": 1}, "monthlyAmt": 1_380_000, "months": 6}),
        json!({"no": "PL007", "title": "고령자 계속고용장려금", "kind": "employer_subsidy", "law": "고용보험법 제23조", "cond": {"headcountFrom": 1, "headcountTo": 299}, "monthlyAmt": 300_000, "months": 36}),
        json!({"no": "PL008", "title": "두루누리 사회보험료 지원", "kind": "contribution", "law": "고용산재보험료징수법 제21조", "cond": {"insuredYn": "Y", "headcountTo": 9, "monthlyIncomeTo": 2_700_000}, "monthlyAmt": 40_000, "months": 36}),
        json!({"no": "PL009", "title": "구직급여", "kind": "benefit", "law": "고용보험법 제40조", "cond": {"insuredYn": "N", "insuredDaysFrom": 180}, "monthlyAmt": 1_980_000, "months": 4}),
        json!({"no": "PL010", "title": "조기재취업수당", "kind": "benefit", "law": "고용보험법 제64조", "cond": {"insuredYn": "Y", "claimYn": "Y"}, "monthlyAmt": 1_000_000, "months": 1}),
        json!({"no": "PL011", "title": "실업크레딧", "kind": "contribution", "law": "국민연금법 제19조의2", "cond": {"ageFrom": 18, "ageTo": 59, "claimYn": "Y"}, "monthlyAmt": 47_000, "months": 12}),
        json!({"no": "PL012", "title": "직업훈련 생계비 대부", "kind": "loan", "law": "근로복지기본법 제19조", "cond": {"ageFrom": 18, "insuredYn": "N", "monthlyIncomeTo": 3_000_000}, "monthlyAmt": 2_000_000, "months": 5}),
        json!({"no": "PL013", "title": "시니어인턴십", "kind": "employment", "law": "노인복지법 제23조", "cond": {"ageFrom": 60}, "monthlyAmt": 400_000, "months": 3}),
        json!({"no": "PL014", "title": "중장년내일센터 생애경력설계", "kind": "counselling", "law": "고령자고용촉진법 제11조의2", "cond": {"ageFrom": 40, "ageTo": 69}, "monthlyAmt": 0, "months": 1}),
        json!({"no": "PL015", "title": "여성새로일하기센터 직업교육", "kind": "training", "law": "여성경제활동촉진법 제13조", "cond": {"sex": "f", "ageFrom": 25, "ageTo": 64, "insuredYn": "N", "joblessMonthsFrom": 6}, "monthlyAmt": 100_000, "months": 4}),
        json!({"no": "PL016", "title": "지역주도형 청년일자리", "kind": "employment", "law": "청년고용촉진 특별법 제4조", "cond": {"ageFrom": 18, "ageTo": 39, "seekerYn": "Y"}, "monthlyAmt": 1_800_000, "months": 24}),
        json!({"no": "PL017", "title": "예술인·노무제공자 고용보험료 지원", "kind": "contribution", "law": "고용산재보험료징수법 제21조", "cond": {"contractorYn": "Y", "monthlyIncomeTo": 2_700_000}, "monthlyAmt": 18_000, "months": 36}),
        json!({"no": "PL018", "title": "자영업자 고용보험료 지원", "kind": "contribution", "law": "소상공인 보호 및 지원에 관한 법률 제12조의7", "cond": {"ownerYn": "Y"}, "monthlyAmt": 25_000, "months": 60}),
    ];
    list.into_iter()
        .enumerate()
        .map(|(order, item)| {
            let condition = |name: &str| item["cond"].get(name).cloned().unwrap_or(Value::Null);
            let raised = item["monthlyAmt"].as_i64().unwrap_or_default() * i64::from(year - 2024)
                / 50
                / 1_000
                * 1_000;
            json!({
                "policyNo": item["no"],
                "policyNm": item["title"],
                "policyKindCd": item["kind"],
                "lawNm": item["law"],
                "targetCd": if item["kind"] == "employer_subsidy" { "workplace" } else { "person" },
                "startYmd": format!("{year}0101"),
                "endYmd": format!("{year}1231"),
                "monthlyAmt": item["monthlyAmt"].as_i64().unwrap_or_default() + raised,
                "payMonths": item["months"],
                "sortNo": order + 1,
                "conditions": {
                    "ageFrom": condition("ageFrom"),
                    "ageTo": condition("ageTo"),
                    "sex": condition("sex"),
                    "seekerYn": condition("seekerYn"),
                    "insuredYn": condition("insuredYn"),
                    "claimYn": condition("claimYn"),
                    "contractorYn": condition("contractorYn"),
                    "ownerYn": condition("ownerYn"),
                    "insuredDaysFrom": condition("insuredDaysFrom"),
                    "joblessMonthsFrom": condition("joblessMonthsFrom"),
                    "monthlyIncomeTo": condition("monthlyIncomeTo"),
                    "headcountFrom": condition("headcountFrom"),
                    "headcountTo": condition("headcountTo"),
                },
            })
        })
        .collect()
}
