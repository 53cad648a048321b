/*---
description:
  ko: 월·고용센터·연령대·산업별 구직급여의 들어옴(신청·반복수급), 수급자와 지급, 나감(소진·재취업·만료)과 수급기간
  en: >-
    the job-seeking benefit by month, centre, age and last industry: what came in (claims, repeat claimants), who was
    paid, and what ended (exhausted, re-employed, benefit year over) after how long
grain: [month, centre, age_band, section]
materialized: table
owner: benefits
legal_basis: 고용보험법 제43조 · 제44조 · 제50조
meta:
  months: claims count in the month of application, recipients and payments in the month of certification, ends in the month of the end
columns:
  centre: {description: "employment centre; 0000 for certifications whose claim is not known"}
  sido: {description: province of the centre}
  age_band: {description: age on separation}
  section: {description: KSIC section of the last workplace}
  claims_repeat: {description: "claims of persons with three or more paid claims in five years, the new one counted once it pays", tests: [{range: {min: 0}}]}
  recipients: {description: "persons with a certification that paid, each once in a cell", tests: [{range: {min: 0}}]}
  ended: {tests: [{range: {min: 0}}]}
  exhausted: {description: ended because every entitled day was paid, tests: [{range: {min: 0}}]}
  ended_days: {description: "days from application to end, summed over the claims that ended; divide by ended for the mean duration", tests: [{range: {min: 0}}]}
  ended_days_paid: {description: days paid over the claims that ended, tests: [{range: {min: 0}}]}
  ended_days_entitled: {description: entitled days of the claims that ended, tests: [{range: {min: 0}}]}
  paid_won: {tests: [{range: {min: 0}}]}
---*/
with outcome as (
  select * from {{ ref('claim_outcome') }}
),
certification as (
  select * from {{ ref('certification') }}
),
inflow as (
  select
    outcome.month,
    outcome.centre,
    outcome.sido,
    outcome.age_band,
    outcome.section,
    count(*) as claims_new,
    count(*) filter (where outcome.repeat_claimant) as claims_repeat
  from outcome
  group by outcome.month, outcome.centre, outcome.sido, outcome.age_band, outcome.section
),
person_month as (
  select
    certification.month,
    coalesce(outcome.centre, '0000') as centre,
    coalesce(outcome.sido, '00') as sido,
    coalesce(outcome.age_band, 'unknown') as age_band,
    coalesce(outcome.section, 'unknown') as section,
    certification.person_key,
    count(*) as certifications,
    sum(certification.days_paid) as days_paid,
    sum(certification.amount_won) as paid_won
  from certification
  left join outcome
    on outcome.claim_no = certification.claim_no
  group by
    certification.month,
    coalesce(outcome.centre, '0000'),
    coalesce(outcome.sido, '00'),
    coalesce(outcome.age_band, 'unknown'),
    coalesce(outcome.section, 'unknown'),
    certification.person_key
),
payment as (
  select
    person_month.month,
    person_month.centre,
    person_month.sido,
    person_month.age_band,
    person_month.section,
    count(*) filter (where person_month.paid_won > 0) as recipients,
    sum(person_month.certifications) as certifications,
    sum(person_month.days_paid) as days_paid,
    sum(person_month.paid_won) as paid_won
  from person_month
  group by person_month.month, person_month.centre, person_month.sido, person_month.age_band, person_month.section
),
outflow as (
  select
    month_start(outcome.ended_on) as month,
    outcome.centre,
    outcome.sido,
    outcome.age_band,
    outcome.section,
    count(*) as ended,
    count(*) filter (where outcome.end_state = 'exhausted') as exhausted,
    count(*) filter (where outcome.end_state = 'reemployed') as reemployed,
    count(*) filter (where outcome.end_state = 'expired') as expired,
    sum(days_between(outcome.applied_on, outcome.ended_on)) as ended_days,
    sum(outcome.days_paid) as ended_days_paid,
    sum(outcome.entitled_days) as ended_days_entitled
  from outcome
  where outcome.ended_on is not null
  group by month_start(outcome.ended_on), outcome.centre, outcome.sido, outcome.age_band, outcome.section
),
cell as (
  select month, centre, sido, age_band, section from inflow
  union
  select month, centre, sido, age_band, section from payment
  union
  select month, centre, sido, age_band, section from outflow
),
claims_profile_monthly as (
  select
    -- ids
    cell.month,
    cell.centre,
    cell.sido,
    cell.age_band,
    cell.section,
    -- in
    coalesce(inflow.claims_new, 0) as claims_new,
    coalesce(inflow.claims_repeat, 0) as claims_repeat,
    -- paid
    coalesce(payment.recipients, 0) as recipients,
    cast(coalesce(payment.certifications, 0) as bigint) as certifications,
    cast(coalesce(payment.days_paid, 0) as bigint) as days_paid,
    -- out
    coalesce(outflow.ended, 0) as ended,
    coalesce(outflow.exhausted, 0) as exhausted,
    coalesce(outflow.reemployed, 0) as reemployed,
    coalesce(outflow.expired, 0) as expired,
    cast(coalesce(outflow.ended_days, 0) as bigint) as ended_days,
    cast(coalesce(outflow.ended_days_paid, 0) as bigint) as ended_days_paid,
    cast(coalesce(outflow.ended_days_entitled, 0) as bigint) as ended_days_entitled,
    -- amounts
    cast(coalesce(payment.paid_won, 0) as decimal(28, 0)) as paid_won
  from cell
  left join inflow
    on inflow.month = cell.month
    and inflow.centre = cell.centre
    and inflow.sido = cell.sido
    and inflow.age_band = cell.age_band
    and inflow.section = cell.section
  left join payment
    on payment.month = cell.month
    and payment.centre = cell.centre
    and payment.sido = cell.sido
    and payment.age_band = cell.age_band
    and payment.section = cell.section
  left join outflow
    on outflow.month = cell.month
    and outflow.centre = cell.centre
    and outflow.sido = cell.sido
    and outflow.age_band = cell.age_band
    and outflow.section = cell.section
)
select * from claims_profile_monthly
