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
