/*---
description:
  ko: 구직등록하거나 이직한 날, 그 사람에 대해 정책 요건이 묻는 것
  en: what the conditions of programmes ask about a person on the day of a registration or loss
grain: [person_key, on_day]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제11조 · 고용보험법 제40조
columns:
  person_key: {tags: [pseudonym]}
  income_month: {description: "month before the day: the income a condition asks about"}
  income_known: {description: wage statements of that month have been delivered}
  insured_days: {description: insured days in the 18 months up to the day, tests: [{range: {min: 0}}]}
  jobless_months: {description: "as in person_standing; null for whoever was never insured"}
---*/
with programme_event as (
  select * from {{ ref('programme_event') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
wage_file as (
  select * from {{ source('nts_wage_statement') }}
),
last_wage as (
  select max(wage_file.paid_month) as month from wage_file
),
event as (
  select programme_event.person_key, programme_event.on_day, add_months(month_start(programme_event.on_day), -1) as income_month
  from programme_event
  group by programme_event.person_key, programme_event.on_day
),
standing as (
  {{ standing('event') }}
),
event_standing as (
  select
    -- ids
    standing.person_key,
    -- dates
    standing.on_day,
    add_months(month_start(standing.on_day), -1) as income_month,
    coalesce(add_months(month_start(standing.on_day), -1) <= last_wage.month, false) as income_known,
    -- person
    standing.sex,
    standing.age,
    -- state
    standing.is_seeker,
    standing.is_insured,
    standing.has_claim,
    standing.is_contractor,
    standing.is_owner,
    cast(standing.insured_days as bigint) as insured_days,
    standing.jobless_months,
    workplace.headcount,
    -- amounts
    cast(standing.monthly_income_won as decimal(28, 0)) as monthly_income_won
  from standing
  cross join last_wage
  left join workplace
    on workplace.workplace_no = standing.workplace_no
)
select * from event_standing
