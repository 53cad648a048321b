/*---
description: {ko: 실업인정 회차, en: certification rounds with the benefit paid for them}
grain: [claim_no, round]
materialized: table
owner: core
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
versions as (
  select changes.claim_no, changes.round, max({{ row_version('changes') }}) as version
  from changes
  group by changes.claim_no, changes.round
),
certification as (
  select
    -- ids
    changes.claim_no,
    changes.round,
    coalesce(claim.person_key, changes.person_key) as person_key,
    coalesce(claim.person_key <> changes.person_key, false) as person_differs,
    claim.sido,
    changes.account_digest,
    changes.device_digest,
    -- dates
    changes.period_from,
    changes.period_to,
    changes.certified_on,
    month_start(changes.certified_on) as month,
    changes._known_on as known_on,
    -- declaration
    changes.channel,
    changes.declared_work,
    changes.declared_days,
    changes.search_activities,
    -- amounts
    changes.declared_income_won,
    claim.benefit_daily_won,
    changes.days_paid,
    changes.amount_won
  from changes
  inner join versions
    on versions.claim_no = changes.claim_no
    and versions.round = changes.round
    and versions.version = {{ row_version('changes') }}
  left join claim
    on claim.claim_no = changes.claim_no
)
select * from certification
