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
