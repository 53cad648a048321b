/*---
description:
  ko: 참여율을 재는 사건(구직등록, 수급 사유의 이직)과 그날 정책 요건이 묻는 것
  en: >-
    the events whose take-up is measured, registrations and losses for an entitling reason, with what the conditions
    of programmes ask about the person on that day
grain: [event_id]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제11조 · 고용보험법 제40조
columns:
  person_key: {tags: [pseudonym]}
  base: {tests: [{accepted_values: [registration, loss]}]}
  on_day: {description: "day of registration, or the first day without insurance"}
  income_month: {description: "month before the event: the income a condition asks about"}
  income_known: {description: wage statements of that month have been delivered}
  insured_days: {description: insured days in the 18 months up to the day, tests: [{range: {min: 0}}]}
  jobless_months: {description: "as in person_standing; null for whoever was never insured"}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
wage_file as (
  select * from {{ source('nts_wage_statement') }}
),
first_month as (
  select min(delivered._period) as month from delivered
),
last_wage as (
  select max(wage_file.paid_month) as month from wage_file
),
registration as (
  select
    concat('R', seeker.seeker_no) as event_id,
    seeker.person_key,
    seeker.registered_on as on_day,
    coalesce(seeker.wished_sido, '00') as sido
  from seeker
  cross join first_month
  where seeker.registered_on >= first_month.month
    and seeker.registered_on <= date '{{ var('as_of') }}'
),
-- several jobs may end on one day: one event
loss as (
  select
    concat('L', cast(spell.person_key as varchar), '-', cast(spell.lost_on as varchar)) as event_id,
    spell.person_key,
    spell.lost_on as on_day,
    max(coalesce(spell.sido, '00')) as sido
  from spell
  inner join reason
    on reason.loss_reason = spell.loss_reason
  cross join first_month
  where not spell.cancelled
    and reason.entitling = 'yes'
    and spell.lost_on >= first_month.month
    and spell.lost_on <= date '{{ var('as_of') }}'
  group by spell.person_key, spell.lost_on
),
event as (
  select event_id, person_key, on_day, add_months(month_start(on_day), -1) as income_month, 'registration' as base, sido
  from registration
  union all
  select event_id, person_key, on_day, add_months(month_start(on_day), -1) as income_month, 'loss' as base, sido
  from loss
),
standing as (
  {{ standing('event') }}
),
programme_event as (
  select
    -- ids
    event.event_id,
    event.person_key,
    event.base,
    event.sido,
    -- person
    standing.sex,
    standing.age,
    -- dates
    event.on_day,
    month_start(event.on_day) as month,
    event.income_month,
    coalesce(event.income_month <= last_wage.month, false) as income_known,
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
  from event
  inner join standing
    on standing.event_id = event.event_id
  cross join last_wage
  left join workplace
    on workplace.workplace_no = standing.workplace_no
)
select * from programme_event
