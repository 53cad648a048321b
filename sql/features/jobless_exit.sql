/*---
description:
  ko: 실직자 표본의 특성(연구자료)
  en: >-
    traits of displaced workers before their spell ended (research data)
grain: [row_no]
materialized: table
owner: learning
tags: [research]
sort_by: [row_no]
columns:
  row_no: {tests: [not_null]}
  recorded_on: {description: the day the file became known; the data have no time of their own}
  filed_claim: {title: {ko: 급여 신청, en: filed a claim}}
  replacement_rate: {title: {ko: 소득대체율, en: replacement rate}}
  log_wage: {title: {ko: 이전 임금의 로그, en: logarithm of the earlier wage}}
  tenure_years: {title: {ko: 근속 연수, en: years of tenure}}
  disregard_rate: {title: {ko: 급여 중 허용되는 소득 비율, en: share of pay disregarded by the benefit}}
  slack_work: {title: {ko: 일감 부족으로 실직, en: lost for slack work}}
  position_abolished: {title: {ko: 자리가 없어져 실직, en: position abolished}}
  expected_to_lose: {title: {ko: 실직을 예상함, en: expected to lose the job}}
  state_unemployment_rate: {title: {ko: 주의 실업률, en: unemployment rate of the state}}
  household_head: {title: {ko: 가구주, en: head of household}}
  is_married: {title: {ko: 기혼, en: married}}
  is_female: {title: {ko: 여성, en: female}}
  has_child: {title: {ko: 자녀 있음, en: has children}}
  has_young_child: {title: {ko: 어린 자녀 있음, en: has young children}}
  is_nonwhite: {title: {ko: 유색인, en: non-white}}
  age: {title: {ko: 나이, en: age}}
  school_under_12: {title: {ko: 12년 미만 학력, en: less than 12 years of school}}
  school_over_12: {title: {ko: 12년 넘는 학력, en: more than 12 years of school}}
  in_metropolitan_area: {title: {ko: 대도시 거주, en: lives in a metropolitan area}}
  is_blue_collar: {title: {ko: 생산직, en: blue-collar}}
  industry_mining: {title: {ko: 광업, en: mining}}
  industry_constr: {title: {ko: 건설업, en: construction}}
  industry_transp: {title: {ko: 운수업, en: transport}}
  industry_trade: {title: {ko: 도소매업, en: trade}}
  industry_fire: {title: {ko: 금융·보험·부동산업, en: "finance, insurance and real estate"}}
  industry_services: {title: {ko: 서비스업, en: services}}
  industry_pubadmin: {title: {ko: 공공행정, en: public administration}}
  survey_1985: {title: {ko: 1985년 조사, en: survey of 1985}}
  survey_1987: {title: {ko: 1987년 조사, en: survey of 1987}}
  survey_1989: {title: {ko: 1989년 조사, en: survey of 1989}}
  region_midatl: {title: {ko: 중부 대서양, en: Middle Atlantic}}
  region_encen: {title: {ko: 동북 중부, en: East North Central}}
  region_wncen: {title: {ko: 서북 중부, en: West North Central}}
  region_southatl: {title: {ko: 남부 대서양, en: South Atlantic}}
  region_escen: {title: {ko: 동남 중부, en: East South Central}}
  region_wscen: {title: {ko: 서남 중부, en: West South Central}}
  region_mountain: {title: {ko: 산악 지역, en: Mountain}}
  region_pacific: {title: {ko: 태평양 연안, en: Pacific}}
---*/
with sample as (
  select * from {{ source('jobless_spell') }}
),
jobless_exit as (
  select
    -- ids and dates
    sample.row_no,
    sample._known_on as recorded_on,
    -- what was known before the outcome
    sample.filed_claim,
    sample.replacement_rate,
    sample.log_wage,
    sample.tenure_years,
    sample.disregard_rate,
    sample.slack_work,
    sample.position_abolished,
    sample.expected_to_lose,
    sample.state_unemployment_rate,
    sample.household_head,
    sample.is_married,
    sample.is_female,
    sample.has_child,
    sample.has_young_child,
    sample.is_nonwhite,
    sample.age,
    sample.school_under_12,
    sample.school_over_12,
    sample.in_metropolitan_area,
    sample.is_blue_collar,
    sample.industry_mining,
    sample.industry_constr,
    sample.industry_transp,
    sample.industry_trade,
    sample.industry_fire,
    sample.industry_services,
    sample.industry_pubadmin,
    sample.survey_1985,
    sample.survey_1987,
    sample.survey_1989,
    sample.region_midatl,
    sample.region_encen,
    sample.region_wncen,
    sample.region_southatl,
    sample.region_escen,
    sample.region_wscen,
    sample.region_mountain,
    sample.region_pacific
  from sample
  where sample._known_on <= date '{{ var('as_of') }}'
)
select * from jobless_exit
