/*---
description: {ko: 구직급여 수급자격, en: claims of the job-seeking benefit}
grain: [claim_no]
materialized: table
owner: core
legal_basis: 고용보험법 제40조 · 제43조 · 제50조
columns:
  claim_no: {tests: [not_null, unique]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of application}
  age_at_separation: {tags: [personal]}
  benefit_daily_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ei_benefit_claim') }}
),
centre as (
  select * from {{ seed('centre') }}
),
versions as (
  select changes.claim_no, max({{ row_version('changes') }}) as version
  from changes
  group by changes.claim_no
),
claim as (
  select
    -- ids
    changes.claim_no,
    changes.person_key,
    changes.workplace_no,
    changes.centre,
    coalesce(centre.sido, substr(changes.centre, 1, 2)) as sido,
    -- person
    changes.birth_date,
    changes.sex,
    age_at(changes.birth_date, changes.separated_on) as age_at_separation,
    -- dates
    changes.applied_on,
    month_start(changes.applied_on) as month,
    changes.separated_on,
    changes._known_on as known_on,
    -- terms
    changes.loss_reason,
    changes.insured_days,
    changes.entitled_days,
    -- amounts
    changes.base_daily_won,
    changes.benefit_daily_won
  from changes
  inner join versions
    on versions.claim_no = changes.claim_no
    and versions.version = {{ row_version('changes') }}
  left join centre
    on centre.centre = changes.centre
)
select * from claim
