/*---
description: {ko: 구직급여 수급자격, en: claims of the job-seeking benefit}
grain: [claim_no]
materialized: keyed
key: claim_no
owner: core
known_on: applied_on
legal_basis: 고용보험법 제40조 · 제43조 · 제50조
columns:
  claim_no: {tests: [not_null, unique]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of application}
  benefit_daily_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ei_benefit_claim') }}
),
centre as (
  select * from {{ seed('centre') }}
),
latest as (
  {{ latest_version('changes', ['claim_no']) }}
),
claim as (
  select
    -- ids
    latest.claim_no,
    latest.person_key,
    latest.workplace_no,
    latest.centre,
    coalesce(centre.sido, substr(latest.centre, 1, 2)) as sido,
    -- person
    latest.birth_date,
    latest.sex,
    age_at(latest.birth_date, latest.separated_on) as age_at_separation,
    -- dates
    latest.applied_on,
    month_start(latest.applied_on) as month,
    latest.separated_on,
    latest._known_on as known_on,
    -- terms
    latest.loss_reason,
    latest.insured_days,
    latest.entitled_days,
    -- amounts
    latest.base_daily_won,
    latest.benefit_daily_won
  from latest
  left join centre
    on centre.centre = latest.centre
)
select * from claim
