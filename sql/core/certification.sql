/*---
description: {ko: 실업인정 회차, en: certification rounds with the benefit paid for them}
grain: [claim_no, round]
materialized: keyed
key: claim_no
owner: core
known_on: certified_on
legal_basis: 고용보험법 제44조 · 제47조
sort_by: [person_key, period_from, claim_no, round]
tests:
  - {expression: "period_to >= period_from"}
columns:
  claim_no: {description: "a certification whose claim waits in quarantine is kept; the check certification_has_a_claim lists it", tests: [not_null]}
  person_key: {tags: [pseudonym], description: "the claim's person; the number typed on a certification may be wrong, the claim number links better"}
  person_differs: {description: the certification carried another resident number than its claim}
  month: {description: month of certification}
  account_digest: {tags: [account]}
  device_digest: {tags: [account]}
  amount_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ei_certification') }}
),
claim as (
  select * from {{ ref('claim') }}
),
latest as (
  {{ latest_version('changes', ['claim_no', 'round']) }}
),
certification as (
  select
    -- ids
    latest.claim_no,
    latest.round,
    coalesce(claim.person_key, latest.person_key) as person_key,
    coalesce(claim.person_key <> latest.person_key, false) as person_differs,
    claim.sido,
    latest.account_digest,
    latest.device_digest,
    -- dates
    latest.period_from,
    latest.period_to,
    latest.certified_on,
    month_start(latest.certified_on) as month,
    latest._known_on as known_on,
    -- declaration
    latest.channel,
    latest.declared_work,
    latest.declared_days,
    latest.search_activities,
    -- amounts
    latest.declared_income_won,
    claim.benefit_daily_won,
    latest.days_paid,
    latest.amount_won
  from latest
  left join claim
    on claim.claim_no = latest.claim_no
)
select * from certification
