/*---
description:
  ko: 실업급여 수급 표본의 특성(연구자료)
  en: >-
    traits of displaced workers who may have drawn the benefit (research data). A state's two-digit census code begins
    with its division: fifty states of a hundred workers each are learned by heart, nine divisions are learned
grain: [row_no]
materialized: table
owner: learning
tags: [research]
sort_by: [row_no]
columns:
  row_no: {tests: [not_null]}
  census_division: {title: {ko: 인구조사 권역, en: census division}, description: first digit of the state's census code}
  recorded_on: {description: the day the file became known; the data have no time of their own}
  state_unemployment_rate: {title: {ko: 주의 실업률, en: unemployment rate of the state}}
  state_maximum_benefit: {title: {ko: 주의 급여 상한, en: maximum benefit of the state}}
  age: {title: {ko: 나이, en: age}}
  tenure_years: {title: {ko: 근속 연수, en: years of tenure}}
  job_lost_because: {title: {ko: 실직 사유, en: why the job was lost}}
  is_nonwhite: {title: {ko: 유색인, en: non-white}}
  school_over_12: {title: {ko: 12년 넘는 학력, en: more than 12 years of school}}
  sex: {title: {ko: 성별, en: sex}}
  is_blue_collar: {title: {ko: 생산직, en: blue-collar}}
  in_metropolitan_area: {title: {ko: 대도시 거주, en: lives in a metropolitan area}}
  is_married: {title: {ko: 기혼, en: married}}
  has_child: {title: {ko: 자녀 있음, en: has children}}
  has_young_child: {title: {ko: 어린 자녀 있음, en: has young children}}
  year_displaced: {title: {ko: 실직한 해, en: year of displacement}}
  replacement_rate: {title: {ko: 소득대체율, en: replacement rate}}
  household_head: {title: {ko: 가구주, en: head of household}}
---*/
with sample as (
  select * from {{ source('benefit_take_up') }}
),
benefit_take_up as (
  select
    -- ids and dates
    sample.row_no,
    sample._known_on as recorded_on,
    -- what was known before the outcome
    sample.state_unemployment_rate,
    sample.state_maximum_benefit,
    sample.state,
    substr(sample.state, 1, 1) as census_division,
    sample.age,
    sample.tenure_years,
    sample.job_lost_because,
    sample.is_nonwhite,
    sample.school_over_12,
    sample.sex,
    sample.is_blue_collar,
    sample.in_metropolitan_area,
    sample.is_married,
    sample.has_child,
    sample.has_young_child,
    sample.year_displaced,
    sample.replacement_rate,
    sample.household_head
  from sample
  where sample._known_on <= date '{{ var('as_of') }}'
)
select * from benefit_take_up
