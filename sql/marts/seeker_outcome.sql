/*---
description:
  ko: 구직신청마다 열람·지원·면접·채용과, 1·3·6·12개월 안에 피보험자격을 취득했는지, 희망임금 대비 첫 임금
  en: >-
    each registration of a job seeker with views, applications, interviews and hires, whether insured employment began
    within 1, 3, 6 and 12 months, and the first wage against the wished one. What is not known yet is null, for
    success and failure alike: counting early successes alone would raise the rate
grain: [seeker_no]
materialized: table
owner: labour_market
legal_basis: 직업안정법 제9조 · 제10조
columns:
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of registration}
  age_band: {description: age on registration}
  delivered_from_start: {description: "registered in a delivered month; of older registrations only those still open came, so their rates are too low"}
  insured_on: {description: "first acquisition after registration within 12 months, as far as observed"}
  insured_1m: {description: "acquired within 1 month; null while that month has not been observed"}
  insured_12m: {description: "acquired within 12 months; null while they have not been observed"}
  hired_as_applied: {description: hired for a vacancy the seeker had applied or been referred to}
  first_wage_won: {description: "monthly wage of that first job, the highest when several began on the day"}
  wage_against_wish: {description: "first wage / wished wage; null without a job or a wish", tests: [{range: {min: 0}}]}
tests:
  - {expression: "insured_1m is null or insured_12m is null or insured_12m or not insured_1m"}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
registered as (
  select * from {{ source('wn_seeker') }}
),
observed as (
  select {{ insured_observed_until('delivered') }} as until from delivered
),
first_month as (
  select min(registered._period) as month from registered
),
pair as (
  select
    match_event.seeker_no,
    match_event.vacancy_no,
    count(*) filter (where match_event.kind = 'view') as views,
    count(*) filter (where match_event.kind = 'apply') as applications,
    count(*) filter (where match_event.kind = 'refer') as referrals,
    count(*) filter (where match_event.kind = 'interview') as interviews,
    count(*) filter (where match_event.kind = 'hire') as hires
  from match_event
  group by match_event.seeker_no, match_event.vacancy_no
),
activity as (
  select
    pair.seeker_no,
    cast(sum(pair.views) as bigint) as views,
    cast(sum(pair.applications) as bigint) as applications,
    cast(sum(pair.referrals) as bigint) as referrals,
    cast(sum(pair.interviews) as bigint) as interviews,
    cast(sum(pair.hires) as bigint) as hires,
    count(*) filter (where pair.applications + pair.referrals > 0) as vacancies_applied_to,
    count(*) filter (where pair.hires > 0 and pair.applications + pair.referrals > 0) as hired_as_applied
  from pair
  group by pair.seeker_no
),
job as (
  select seeker.seeker_no, spell.acquired_on, max(spell.monthly_wage_won) as monthly_wage_won
  from seeker
  inner join spell
    on spell.person_key = seeker.person_key
  cross join observed
  where not spell.cancelled
    and spell.acquired_on > seeker.registered_on
    and spell.acquired_on <= add_months(seeker.registered_on, 12)
    and spell.acquired_on <= observed.until
  group by seeker.seeker_no, spell.acquired_on
),
first_day as (
  select job.seeker_no, min(job.acquired_on) as insured_on from job group by job.seeker_no
),
first_job as (
  select job.seeker_no, job.acquired_on as insured_on, job.monthly_wage_won
  from job
  inner join first_day
    on first_day.seeker_no = job.seeker_no
    and first_day.insured_on = job.acquired_on
),
seeker_outcome as (
  select
    -- ids
    seeker.seeker_no,
    seeker.person_key,
    -- person
    seeker.sex,
    {{ age_band('age_at(seeker.birth_date, seeker.registered_on)') }} as age_band,
    seeker.education,
    -- dates
    seeker.month,
    seeker.registered_on,
    seeker.closed_on,
    first_job.insured_on,
    seeker.registered_on >= first_month.month as delivered_from_start,
    -- wishes
    seeker.wished_sido,
    seeker.wished_major,
    seeker.wished_wage_won,
    -- activity
    coalesce(activity.views, 0) as views,
    coalesce(activity.applications, 0) as applications,
    coalesce(activity.referrals, 0) as referrals,
    coalesce(activity.interviews, 0) as interviews,
    coalesce(activity.hires, 0) as hires,
    coalesce(activity.vacancies_applied_to, 0) as vacancies_applied_to,
    coalesce(activity.hired_as_applied, 0) > 0 as hired_as_applied,
    -- outcome
    case when add_months(seeker.registered_on, 1) <= observed.until
         then coalesce(first_job.insured_on <= add_months(seeker.registered_on, 1), false) end as insured_1m,
    case when add_months(seeker.registered_on, 3) <= observed.until
         then coalesce(first_job.insured_on <= add_months(seeker.registered_on, 3), false) end as insured_3m,
    case when add_months(seeker.registered_on, 6) <= observed.until
         then coalesce(first_job.insured_on <= add_months(seeker.registered_on, 6), false) end as insured_6m,
    case when add_months(seeker.registered_on, 12) <= observed.until
         then first_job.insured_on is not null end as insured_12m,
    days_between(seeker.registered_on, first_job.insured_on) as days_to_job,
    -- amounts
    first_job.monthly_wage_won as first_wage_won,
    case when seeker.wished_wage_won > 0
         then cast(first_job.monthly_wage_won as double) / cast(seeker.wished_wage_won as double) end as wage_against_wish
  from seeker
  cross join observed
  cross join first_month
  left join activity
    on activity.seeker_no = seeker.seeker_no
  left join first_job
    on first_job.seeker_no = seeker.seeker_no
)
select * from seeker_outcome
