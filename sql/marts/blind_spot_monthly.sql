/*---
description:
  ko: 고용보험 적용 상태별 인원. 행정자료의 인원과 조사 모집단에 맞춘 추정치, 95% 구간.
  en: >-
    persons by class of coverage and month: counted in the registers, and estimated for the whole population with a
    95 % interval
grain: [month, class]
materialized: table
owner: coverage
meta:
  assumptions:
    - the insured and the exempt are counted in the registers, not estimated; the rule that puts a person into a class can err
    - people know whether they are insured, and who does not answer is
columns:
  class: {tests: [{accepted_values: [insured, covered_uninsured, daily_unreported, contractor_outside, self_employed, exempt]}]}
  persons: {description: persons in the registers, tests: [{range: {min: 0}}]}
  estimate_persons: {description: persons in the whole population; null in a month without a survey}
  uninsured_won: {description: "income in tax statements in months without an insured day, won", tests: [{range: {min: 0}}]}
---*/
with part as (
  select * from {{ ref('blind_spot_part') }}
  where dimension = 'nation'
),
month as (
  select distinct part.month, part.estimate_persons is not null as has_survey from part
),
class as (
  select * from {{ seed('coverage_class') }}
),
blind_spot_monthly as (
  select
    -- ids
    month.month,
    class.class,
    -- persons
    coalesce(part.persons, 0) as persons,
    case when month.has_survey then coalesce(part.estimate_persons, 0) end as estimate_persons,
    case when month.has_survey then coalesce(part.estimate_low, 0) end as estimate_low,
    case when month.has_survey then coalesce(part.estimate_high, 0) end as estimate_high,
    -- amounts
    coalesce(part.uninsured_won, 0) as uninsured_won
  from month
  cross join class
  left join part
    on part.month = month.month
    and part.class = class.class
)
select * from blind_spot_monthly
